/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session.c - a session as a TCP client of the target: handshake, retransmission, congestion and
 * flow control, acknowledgements, hostile records, every end. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/session.h"

static void pass_in_silence_at(struct fixture *f, uint64_t ms, const char *file, int line)
{
	pass_ms(f, ms);
	expect_nothing_at(f, file, line);
}

#define pass_in_silence(f, ms) pass_in_silence_at(f, ms, __FILE__, __LINE__)

/* A timer's tick is 1024 us, and it may be two late. */
enum {
	TICKS_MS = 3,
};

/* ---- handshake ---- */

static void syn_copies_the_options_of_the_client(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0) <mss 1400,sackOK,TS val 77 ecr 0,nop,wscale 7>");
	expect_segment(f, "S 0:0(0) win 65535 <mss 1400,sackOK,TS,wscale 7>");
	expect_nothing(f);
}

static void syn_without_options_stays_without(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0) win 65535 <>");
}

static void syn_offers_at_most_what_the_mtu_holds(void **state)
{
	struct fixture *f = *state;

	replay_set_mtu(f->replay, 0, 1400);
	client_says(f, "S 0:0(0) <mss 8960>");
	expect_segment(f, "S 0:0(0) <mss 1360>");
}

static void syn_leaves_out_fast_open_and_ecn(void **state)
{
	struct fixture *f = *state;
	struct built_frame frame = build_frame(&(struct frame_spec){
		.src = f->client,
		.dst = f->server,
		.flags = "S",
		.seq = 1000,
		.options = "mss 1460,hex 2202,hex fd040000" /* TFO cookie request, experiment */});

	frame.data[frame.tcp_at + 13] |= 0xc0; /* ECE, CWR */
	build_tcp_checksum(frame.data + frame.tcp_at, frame.len_bytes - frame.tcp_at,
			   BUILD_CHECKSUM_RIGHT,
			   &(struct build_endpoint){.addr = {10, 9, 0, 1}, .addr_len = 4},
			   &(struct build_endpoint){.addr = {10, 0, 0, 2}, .addr_len = 4});
	f->frames++;
	replay_on_frame(f->replay, frame.link_type, frame.data, frame.len_bytes, frame.len_bytes,
			f->now_us);
	built_frame_free(&frame);
	end_batch(f);
	expect_segment(f, "S 0:0(0) <mss 1460>");
}

static void request_carries_the_ack_of_the_handshake(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_says(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	expect_segment(f, "P. 1:6(5) ack 1 win 65535 <>");
	expect_payload(f, "GET /");
	expect_nothing(f);
}

static void syn_is_repeated_after_1_2_and_4_seconds(void **state)
{
	struct fixture *f = *state;

	uint64_t at = f->now_us;

	session_syn_sent(f);
	pass_ms(f, 7500);
	for (unsigned s = 1; s <= 4; s *= 2) {
		const struct sent *again = expect_segment(f, "S 0:0(0) win 65535 <mss 1460>");

		assert_in_range(again->at_us - at, s * 1000000, s * 1000000 + 3000);
		at = again->at_us;
	}
	expect_nothing(f);
}

static void repeated_syn_is_answered_like_the_first(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	pass_ms(f, 1010);
	expect_segment(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1");
	pass_in_silence(f, 10000);
	assert_int_equal(account_of(f, 0)->traffic.syn_sent, 1);
	assert_int_equal(account_of(f, 0)->traffic.retransmitted, 1);
}

static void syn_ack_again_is_acknowledged_again(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1");
	expect_nothing(f);
}

static void syn_ack_with_a_wrong_number_establishes_nothing(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	target_says(f, "S. 0:0(0) ack 2");
	target_says(f, "S. 0:0(0) ack 0");
	target_says(f, "S. 0:0(0) ack -70000");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.established, 0);
}

static void target_refuses(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_data(f, 1, 1, "GET /");
	target_says(f, "R. 0:0(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_REFUSED].bytes, 5);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_REFUSED].requests, 1);
	client_data(f, 6, 1, "more");
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_REFUSED].bytes, 9);
	assert_int_equal(f->notice_count, 1);
	assert_int_equal(f->notices[0], REPLAY_NOTICE_REFUSED);
	pass_in_silence(f, 10000);
}

static void blind_refusal_is_ignored(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	target_says(f, "R. 0:0(0) ack 2");
	target_says(f, "R. 0:0(0) ack 0");
	target_says(f, "R 0:0(0)");
	assert_int_equal(fixture_registered(f), 1);
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1");
}

static void target_that_holds_an_older_connection_is_freed_of_it(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	target_says(f, ". 123456:123456(0) ack 5001");
	expect_segment(f, "R 5001:5001(0)");
	expect_segment(f, "S 0:0(0) <mss 1460>");
	expect_nothing(f);
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1");
	expect_nothing(f);
}

static void mss_is_the_smaller_of_the_targets_and_the_mtus(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 8960>", "S. 0:0(0) ack 1 <mss 8960>");
	client_bytes(f, 1, 1, 3000);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_segment(f, "P. 2921:3001(80) ack 1");
	expect_nothing(f);
}

static void target_without_mss_gets_536_bytes_a_segment(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1");
	client_bytes(f, 1, 1, 600);
	expect_segment(f, ". 1:537(536) ack 1");
	expect_segment(f, "P. 537:601(64) ack 1");
}

static void target_with_a_tiny_mss_gets_no_storm_of_packets(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 <mss 1>");
	client_bytes(f, 1, 1, 100);
	expect_segment(f, ". 1:89(88) ack 1");
	expect_segment(f, "P. 89:101(12) ack 1");
}

static void timestamps_are_our_own_clock_and_echo_the_targets(void **state)
{
	struct fixture *f = *state;
	uint32_t first;
	const struct sent *s;

	client_says(f, "S 0:0(0) <mss 1460,TS val 77 ecr 0>");
	first = expect_segment(f, "S 0:0(0) <mss 1460,TS>")->options.ts_val;
	assert_int_not_equal(first, 77);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460,TS val 500 ecr 1>");
	assert_int_equal(expect_segment(f, ". 1:1(0) ack 1 <TS>")->options.ts_ecr, 500);
	pass_ms(f, 70);
	client_bytes(f, 1, 1, 1500);
	s = expect_segment(f, ". 1:1449(1448) ack 1 <TS>"); /* 12 bytes of options */
	assert_int_equal(s->options.ts_val - first, 70);
	assert_int_equal(s->options.ts_ecr, 500);
	expect_segment(f, "P. 1449:1501(52) ack 1 <TS>");
	target_says(f, "P. 1:11(10) ack 1501 <TS val 600 ecr 1>");
	pass_ms(f, 50);
	assert_int_equal(expect_segment(f, ". 1501:1501(0) ack 11 <TS>")->options.ts_ecr, 600);
}

static void options_are_agreed_only_if_both_offer(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>",
			       "S. 0:0(0) ack 1 win 1000 <mss 1460,wscale 7,TS val 5 ecr 0>");
	target_says(f, ". 1:1(0) ack 1 win 5"); /* 5, not 5 << 7 */
	client_bytes(f, 1, 1, 100);
	expect_segment(f, ". 1:6(5) ack 1 win 65535 <>");
	expect_nothing(f);
}

/* ---- retransmission ---- */

static void lost_request_is_repeated_with_back_off_up_to_60_s(void **state)
{
	struct fixture *f = *state;
	uint64_t at, expected_us = SESSION_RTO_MIN_US;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	at = expect_segment(f, "P. 1:6(5) ack 1")->at_us;
	pass_ms(f, 500000);
	for (int i = 0; i < 12; i++) {
		const struct sent *s = expect_segment(f, "P. 1:6(5) ack 1");

		expect_payload(f, "GET /");
		assert_in_range(s->at_us - at, expected_us, expected_us + 3000);
		at = s->at_us;
		expected_us = expected_us * 2 < 60000000 ? expected_us * 2 : 60000000;
	}
	assert_int_equal(expected_us, 60000000);
}

static void acknowledgement_ends_the_back_off(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	pass_ms(f, 1500); /* 200, 600, 1400 ms */
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:1(0) ack 6");
	pass_in_silence(f, 5000);
	client_data(f, 6, 1, "more");
	expect_segment(f, "P. 6:10(4) ack 1");
	pass_in_silence(f, 200 - TICKS_MS);
	pass_ms(f, 2 * TICKS_MS);
	expect_segment(f, "P. 6:10(4) ack 1");
}

static void timeout_follows_the_round_trip_time(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	pass_ms(f, 300); /* SRTT 300, RTTVAR 150: 300 + 4 * 150 */
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	pass_in_silence(f, 897);
	pass_ms(f, 8);
	expect_segment(f, "P. 1:6(5) ack 1");
}

static void retransmitted_segment_times_nothing(void **state)
{
	struct fixture *f = *state;

	session_established(f); /* RTO 200 ms */
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	pass_ms(f, 500);
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:1(0) ack 6"); /* of the first or of the second: who knows */
	client_data(f, 6, 1, "more");
	expect_segment(f, "P. 6:10(4) ack 1");
	pass_ms(f, 210);
	expect_segment(f, "P. 6:10(4) ack 1");
}

static void timeout_sends_all_again_from_the_first_hole(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 4380);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_segment(f, "P. 2921:4381(1460) ack 1");
	pass_ms(f, 210);
	expect_segment(f, ". 1:1461(1460) ack 1"); /* the window is one segment now */
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 1461");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_segment(f, "P. 2921:4381(1460) ack 1");
	expect_pattern(f, 2920);
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 4381");
	pass_in_silence(f, 10000);
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 4380);
}

static void lost_fin_is_repeated(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
	pass_ms(f, 210);
	expect_segment(f, "F. 1:1(0) ack 1");
	pass_ms(f, 400);
	expect_segment(f, "F. 1:1(0) ack 1");
	target_says(f, ". 1:1(0) ack 2");
	pass_in_silence(f, 10000);
}

static void lost_data_and_fin_are_repeated_together(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->hold = true;
	client_data(f, 1, 1, "bye");
	client_says(f, "F. 4:4(0) ack 1");
	f->hold = false;
	end_batch(f);
	expect_segment(f, "FP. 1:4(3) ack 1");
	expect_nothing(f);
	pass_ms(f, 210);
	expect_segment(f, "FP. 1:4(3) ack 1");
	target_says(f, ". 1:1(0) ack 4"); /* all but the FIN */
	pass_ms(f, 210);
	expect_segment(f, "F. 4:4(0) ack 1");
}

static void send_five_segments(struct fixture *f)
{
	client_bytes(f, 1, 1, 7300);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_segment(f, ". 2921:4381(1460) ack 1");
	expect_segment(f, ". 4381:5841(1460) ack 1");
	expect_segment(f, "P. 5841:7301(1460) ack 1");
	expect_nothing(f);
}

static void third_duplicate_ack_retransmits_at_once(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	send_five_segments(f);
	target_says(f, ". 1:1(0) ack 1");
	target_says(f, ". 1:1(0) ack 1");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 1");
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_pattern(f, 0);
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 1");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 7301");
	pass_in_silence(f, 10000);
	assert_int_equal(account_of(f, 0)->traffic.fast_retransmits, 1);
	assert_int_equal(account_of(f, 0)->traffic.retransmit_timeouts, 0);
}

static void three_duplicates_merged_into_one_record_count_as_three(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	send_five_segments(f);
	target_says(f, ". 1:1(0) ack 1 x2");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 1 x3");
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_nothing(f);
}

static void partial_ack_retransmits_the_next_hole(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	send_five_segments(f); /* the first and the third are lost */
	target_says(f, ". 1:1(0) ack 1 x3");
	expect_segment(f, ". 1:1461(1460) ack 1");
	target_says(f, ". 1:1(0) ack 2921");
	expect_segment(f, ". 2921:4381(1460) ack 1");
	expect_pattern(f, 2920);
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 7301");
	pass_in_silence(f, 10000);
	assert_int_equal(account_of(f, 0)->traffic.fast_retransmits, 1);
}

static void lost_retransmission_is_left_to_the_timeout(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	send_five_segments(f);
	target_says(f, ". 1:1(0) ack 1 x4");
	expect_segment(f, ". 1:1461(1460) ack 1");
	target_says(f, ". 1:1(0) ack 1 x5");
	expect_nothing(f);
	pass_ms(f, 210);
	expect_segment(f, ". 1:1461(1460) ack 1");
	/* Duplicates left over from before the timeout start no second recovery. */
	target_says(f, ". 1:1(0) ack 1 x4");
	expect_nothing(f);
}

static void duplicate_with_data_or_another_window_is_none(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	send_five_segments(f);
	target_says(f, ". 1:1(0) ack 1 win 65000");
	target_says(f, ". 1:1(0) ack 1 win 64000");
	target_says(f, ". 1:1(0) ack 1 win 63000");
	target_says(f, "P. 1:11(10) ack 1 win 63000");
	target_says(f, "P. 11:21(10) ack 1 win 63000");
	target_says(f, "P. 21:31(10) ack 1 win 63000");
	expect_nothing(f);
}

/* ---- congestion and flow control ---- */

static void first_flight_is_ten_segments_then_slow_start(void **state)
{
	struct fixture *f = *state;
	char text[64];

	session_established_wide(f);
	target_says(f, ". 1:1(0) ack 1 win 65535");
	client_bytes(f, 1, 1, 60000);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), ". %d:%d(1460) ack 1", 1 + i * 1460, 1461 + i * 1460);
		expect_segment(f, text);
	}
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 2921"); /* two left, two more are granted */
	for (int i = 10; i < 14; i++) {
		snprintf(text, sizeof(text), ". %d:%d(1460) ack 1", 1 + i * 1460, 1461 + i * 1460);
		expect_segment(f, text);
		expect_pattern(f, (uint64_t)i * 1460);
	}
	expect_nothing(f);
}

static void expect_new_segments_at(struct fixture *f, uint32_t first, uint32_t count,
				   const char *file, int line)
{
	for (uint32_t i = first; i < first + count; i++) {
		char text[64];

		snprintf(text, sizeof(text), ". %u:%u(1460) ack 1", 1 + i * 1460, 1461 + i * 1460);
		expect_segment_at(f, text, file, line);
	}
	expect_nothing_at(f, file, line);
}

/* Segments number first to first + count - 1 of a long stream are said, and no more. */
#define expect_new_segments(f, first, count) \
	expect_new_segments_at(f, first, count, __FILE__, __LINE__)

static void target_acknowledges_segments(struct fixture *f, uint32_t count)
{
	char text[64];

	snprintf(text, sizeof(text), ". 1:1(0) ack %u", 1 + count * 1460);
	target_says(f, text);
}

static void ten_segments_of_many_are_out(struct fixture *f)
{
	session_established_wide(f);
	target_says(f, ". 1:1(0) ack 1 win 65535");
	client_bytes(f, 1, 1, 64000);
	client_bytes(f, 64001, 1, 64000);
	expect_new_segments(f, 0, 10);
}

static void one_acknowledgement_grows_the_window_by_two_segments_at_most(void **state)
{
	struct fixture *f = *state;

	ten_segments_of_many_are_out(f);
	target_acknowledges_segments(f, 5);
	expect_new_segments(f, 10, 7);
	target_acknowledges_segments(f, 6);
	expect_new_segments(f, 17, 2);
}

static void loss_halves_the_window_which_then_grows_slowly(void **state)
{
	struct fixture *f = *state;

	ten_segments_of_many_are_out(f);
	target_says(f, ". 1:1(0) ack 1 x3");
	expect_new_segments(f, 0, 1); /* again; the window is 5 + 3 */
	target_says(f, ". 1:1(0) ack 1 x6");
	expect_new_segments(f, 10, 4); /* 5 + 9 */
	target_acknowledges_segments(f, 10);
	expect_new_segments(f, 14, 1); /* 5 */
	target_acknowledges_segments(f, 15);
	expect_new_segments(f, 15, 5); /* 5.2: congestion avoidance */
	for (uint32_t acked = 16; acked <= 19; acked++) {
		target_acknowledges_segments(f, acked);
		ignore_sent(f);
	}
	target_acknowledges_segments(f, 20);
	assert_in_range(f->sent_count, 1, 2);
}

static void partial_ack_takes_back_what_it_acknowledges(void **state)
{
	struct fixture *f = *state;

	ten_segments_of_many_are_out(f);
	target_says(f, ". 1:1(0) ack 1 x9");
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_new_segments(f, 10, 4);
	target_acknowledges_segments(f, 2);
	expect_segment(f, ". 2921:4381(1460) ack 1"); /* the next hole */
	expect_new_segments(f, 14, 1);                /* 14 - 2 + 1, 12 in flight */
}

static void timeout_halves_the_window_and_starts_with_one_segment(void **state)
{
	struct fixture *f = *state;

	ten_segments_of_many_are_out(f);
	pass_ms(f, 210);
	expect_new_segments(f, 0, 1);
	target_acknowledges_segments(f, 10);
	expect_new_segments(f, 10, 3); /* 1 + 2 */
	target_acknowledges_segments(f, 13);
	expect_new_segments(f, 13, 5); /* 3 + 2: the threshold */
	target_acknowledges_segments(f, 18);
	expect_new_segments(f, 18, 5);
}

static void window_starts_anew_after_a_silence(void **state)
{
	struct fixture *f = *state;

	session_established_wide(f);
	target_says(f, ". 1:1(0) ack 1 win 65535");
	client_bytes(f, 1, 1, 29200); /* 20 segments, all acknowledged one by one */
	for (uint32_t i = 1; i <= 20; i++)
		target_acknowledges_segments(f, i);
	ignore_sent(f);
	client_bytes(f, 29201, 1, 58400);
	expect_new_segments(f, 20, 30); /* grown: 10 + 20 */
	target_acknowledges_segments(f, 50);
	ignore_sent(f); /* the other 10 */
	target_acknowledges_segments(f, 60);
	assert_int_equal(account_of(f, 0)->stream.in_flight.bytes, 0);
	pass_in_silence(f, 10000);
	client_bytes(f, 87601, 1, 58400);
	expect_new_segments(f, 60, 10);
}

static void duplicates_are_counted_from_the_last_new_acknowledgement(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	send_five_segments(f);
	target_says(f, ". 1:1(0) ack 1 x2");
	target_says(f, ". 1:1(0) ack 1461");
	target_says(f, ". 1:1(0) ack 1461 x2");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 1461");
	expect_segment(f, ". 1461:2921(1460) ack 1");
}

static void segment_of_a_huge_mtu_fits_a_descriptor(void **state)
{
	struct fixture *f = *state;

	replay_set_mtu(f->replay, 0, 65536);
	session_established_by(f, "S 0:0(0) <mss 65495,wscale 7>",
			       "S. 0:0(0) ack 1 win 65535 <mss 65495,wscale 7>");
	client_bytes(f, 1, 1, 777);
	client_bytes(f, 778, 1, 40000);
	expect_segment(f, "P. 1:778(777) ack 1");
	expect_segment(f, ". 778:16138(15360) ack 1");
	expect_pattern(f, 777);
	expect_segment(f, ". 16138:31498(15360) ack 1");
	expect_segment(f, "P. 31498:40778(9280) ack 1");
	expect_pattern(f, 31497);
}

static void super_packet_is_cut_to_the_mss_byte_exact(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 1;

	session_established_wide(f);
	target_says(f, ". 1:1(0) ack 1 win 65535");
	client_bytes(f, 1, 1, 65495);
	while (at < 65496) {
		const struct sent *s = take_sent(f);
		char ack[64];

		assert_non_null(s);
		assert_int_equal(s->seq - f->faked[0].iss, at);
		assert_in_range(s->len_bytes, 1, 1460);
		assert_true(s->len_bytes == 1460 || at + s->len_bytes == 65496);
		expect_pattern(f, at - 1);
		at += s->len_bytes;
		snprintf(ack, sizeof(ack), ". 1:1(0) ack %u", at);
		target_says(f, ack);
	}
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 65495);
	assert_int_equal(account_of(f, 0)->traffic.retransmitted, 0);
}

static void never_more_than_the_window_is_in_flight(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 3000 <mss 1460>");
	client_bytes(f, 1, 1, 10000);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_nothing(f); /* 79 bytes of room: a sliver waits */
	target_says(f, ". 1:1(0) ack 2921 win 2000");
	expect_segment(f, ". 2921:4381(1460) ack 1");
	expect_nothing(f);
}

static void window_below_the_mss_is_used_when_nothing_is_in_flight(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 500 <mss 1460>");
	client_bytes(f, 1, 1, 1200);
	expect_segment(f, ". 1:501(500) ack 1");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 501 win 500");
	expect_segment(f, ". 501:1001(500) ack 1");
	target_says(f, ". 1:1(0) ack 1001 win 500");
	expect_segment(f, "P. 1001:1201(200) ack 1");
	expect_nothing(f);
}

static void window_is_scaled_as_agreed(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,wscale 3>",
			       "S. 0:0(0) ack 1 win 300 <mss 1460,wscale 7>");
	client_bytes(f, 1, 1, 3000);
	expect_segment(f, ". 1:301(300) ack 1 win 65535"); /* that of the SYN is not scaled */
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 301 win 10"); /* 1280 */
	expect_segment(f, ". 301:1581(1280) ack 1");
	expect_nothing(f);
}

static void our_window_is_scaled_down(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,wscale 7>",
			       "S. 0:0(0) ack 1 <mss 1460,wscale 2>");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1 win 8192"); /* 1 MiB */
}

static void older_segment_does_not_move_the_window(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:11(10) ack 1 win 1000");
	target_says(f, ". 11:11(0) ack 1 win 2000");
	target_says(f, ". 1:1(0) ack 1 win 100"); /* overtaken */
	client_bytes(f, 1, 11, 1460);
	expect_segment(f, "P. 1:1461(1460) ack 11");
}

static void zero_window_is_probed_with_back_off_and_reopens(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 0 <mss 1460>");
	client_bytes(f, 1, 1, 10);
	pass_in_silence(f, 200 - TICKS_MS);
	pass_ms(f, 2 * TICKS_MS);
	expect_segment(f, "P. 1:2(1) ack 1");
	expect_pattern(f, 0);
	target_says(f, ". 1:1(0) ack 1 win 0");
	pass_in_silence(f, 390);
	pass_ms(f, 20);
	expect_segment(f, "P. 1:2(1) ack 1");
	target_says(f, ". 1:1(0) ack 1 win 0");
	pass_in_silence(f, 780);
	pass_ms(f, 40);
	expect_segment(f, "P. 1:2(1) ack 1");
	target_says(f, ". 1:1(0) ack 1 win 1000");
	expect_segment(f, "P. 1:11(10) ack 1");
	expect_pattern(f, 0);
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->traffic.zero_window_probes, 3);
}

static void window_that_closes_later_is_probed_and_the_byte_may_be_taken(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 1000 <mss 1460>");
	client_bytes(f, 1, 1, 2000);
	expect_segment(f, ". 1:1001(1000) ack 1");
	target_says(f, ". 1:1(0) ack 1001 win 0");
	expect_nothing(f);
	pass_ms(f, 210);
	expect_segment(f, "P. 1001:1002(1) ack 1");
	target_says(f, ". 1:1(0) ack 1002 win 0"); /* it took the byte, no more */
	expect_nothing(f);
	pass_ms(f, 210);
	expect_segment(f, "P. 1002:1003(1) ack 1");
	target_says(f, ". 1:1(0) ack 1003 win 5000");
	expect_segment(f, "P. 1003:2001(998) ack 1");
	expect_pattern(f, 1002);
	target_says(f, ". 1:1(0) ack 2001 win 5000");
	pass_in_silence(f, 5000);
}

static void loss_after_a_zero_window_is_repeated_without_its_back_off(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 0 <mss 1460>");
	client_bytes(f, 1, 1, 10);
	pass_ms(f, 1500); /* probes at 0.2, 0.6 and 1.4 s */
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1 win 1000");
	at = expect_segment(f, "P. 1:11(10) ack 1")->at_us;
	pass_ms(f, 300);
	assert_in_range(expect_segment(f, "P. 1:11(10) ack 1")->at_us - at, 200000, 203000);
	expect_nothing(f);
}

static void lost_window_update_is_found_by_the_probe(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 0 <mss 1460>");
	client_bytes(f, 1, 1, 10);
	pass_ms(f, 210);
	expect_segment(f, "P. 1:2(1) ack 1");
	target_says(f, ". 1:1(0) ack 2 win 1000"); /* the answer to the probe says it */
	expect_segment(f, "P. 2:11(9) ack 1");
	expect_pattern(f, 1);
}

static void blocks_and_segments_do_not_meet_and_no_byte_moves(void **state)
{
	struct fixture *f = *state;
	uint32_t off = 0, at = 1;

	session_established_wide(f);
	target_says(f, ". 1:1(0) ack 1 win 65535");
	for (uint32_t len = 1; off < 20000; len = len * 5 % 1999 + 1) {
		client_bytes(f, off + 1, 1, len);
		off += len;
	}
	while (at < off + 1) {
		const struct sent *s = take_sent(f);
		char ack[64];

		assert_non_null(s);
		assert_int_equal(s->seq - f->faked[0].iss, at);
		expect_pattern(f, at - 1);
		at += s->len_bytes;
		snprintf(ack, sizeof(ack), ". 1:1(0) ack %u", at);
		target_says(f, ack);
	}
	assert_int_equal(at, off + 1);
	expect_nothing(f);
}

/* ---- sequence numbers near 2^32 ---- */

static void the_clients_numbers_wrap(void **state)
{
	struct fixture *f = *state;

	f->client_isn = UINT32_MAX - 5;
	f->server_isn = UINT32_MAX;
	session_established(f);
	client_data(f, 1, 1, "0123456789");
	expect_segment(f, "P. 1:11(10) ack 1");
	expect_payload(f, "0123456789");
	client_data(f, 11, 1, "more");
	expect_segment(f, "P. 11:15(4) ack 1");
	client_says(f, "F. 15:15(0) ack 1");
	expect_segment(f, "F. 15:15(0) ack 1");
}

/* The moment at which our ISS on the usual tuple is this. */
static uint64_t moment_of_iss(uint32_t iss)
{
	struct fixture *f = fixture_new(&(struct fixture_config){0});
	uint64_t now_us = f->now_us;

	session_syn_sent(f);
	now_us += 4 * (uint64_t)(iss - f->faked[0].iss);
	fixture_free(f);
	return now_us;
}

static void our_numbers_wrap(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.now_us = moment_of_iss(UINT32_MAX - 2000)});

	(void)state;
	session_syn_sent(f);
	assert_int_equal(f->faked[0].iss, UINT32_MAX - 2000);
	f->faked[0].irs = UINT32_MAX - 3;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	send_five_segments(f);
	target_says(f, ". 1:1(0) ack 1 x3");
	expect_segment(f, ". 1:1461(1460) ack 1");
	target_says(f, ". 1:1(0) ack 2921");
	expect_segment(f, ". 2921:4381(1460) ack 1");
	target_says(f, "P. 1:11(10) ack 7301");
	pass_ms(f, 50);
	expect_segment(f, ". 7301:7301(0) ack 11");
	client_says(f, "F. 7301:7301(0) ack 1");
	expect_segment(f, "F. 7301:7301(0) ack 11");
	target_says(f, "F. 11:11(0) ack 7302");
	expect_segment(f, ". 7302:7302(0) ack 12");
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 7300);
	fixture_free(f);
}

static void iss_of_minus_1_and_irs_of_minus_1(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.now_us = moment_of_iss(UINT32_MAX)});

	(void)state;
	session_syn_sent(f);
	f->faked[0].irs = UINT32_MAX; /* rcv_nxt is 0 */
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	client_says(f, "R. 1:1(0) ack 1");
	expect_segment(f, "R. 1:1(0) ack 1");
	fixture_free(f);
}

/* ---- acknowledgements ---- */

static void short_answer_is_acknowledged_after_40_ms(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	pass_in_silence(f, 39);
	pass_ms(f, 4);
	expect_segment(f, ". 6:6(0) ack 301");
	pass_in_silence(f, 5000);
}

static void next_request_carries_the_acknowledgement(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	for (uint32_t i = 0; i < 5; i++) { /* one packet a request */
		char text[64];

		snprintf(text, sizeof(text), "P. %u:%u(300) ack %u", 1 + i * 300, 301 + i * 300,
			 6 + i * 5);
		target_says(f, text);
		pass_in_silence(f, 20);
		client_data(f, 6 + i * 5, 301 + i * 300, "GET /");
		snprintf(text, sizeof(text), "P. %u:%u(5) ack %u", 6 + i * 5, 11 + i * 5,
			 301 + i * 300);
		expect_segment(f, text);
	}
	target_says(f, "P. 1501:1801(300) ack 31");
	pass_in_silence(f, 20);
	pass_ms(f, 30);
	expect_segment(f, ". 31:31(0) ack 1801");
	pass_in_silence(f, 5000);
}

static void more_than_one_mss_is_acknowledged_at_once(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:1461(1460) ack 6"); /* one, not more */
	expect_nothing(f);
	target_says(f, ". 1461:1462(1) ack 6");
	expect_segment(f, ". 6:6(0) ack 1462");
	target_says(f, ". 1462:9000(7538) ack 6 x6");
	expect_segment(f, ". 6:6(0) ack 9000");
	pass_in_silence(f, 1000);
}

static void all_records_of_a_batch_share_one_acknowledgement(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	f->hold = true;
	for (uint32_t i = 0; i < 10; i++) {
		char text[64];

		snprintf(text, sizeof(text), ". %u:%u(1460) ack 6", 1 + i * 1460, 1461 + i * 1460);
		target_says(f, text);
	}
	f->hold = false;
	end_batch(f);
	expect_segment(f, ". 6:6(0) ack 14601");
	pass_in_silence(f, 1000);
}

static void repeated_answer_is_acknowledged_again_at_once(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:11(10) ack 1");
	pass_ms(f, 50);
	expect_segment(f, ". 1:1(0) ack 11");
	target_says(f, "P. 1:11(10) ack 1");
	expect_segment(f, ". 1:1(0) ack 11");
	expect_nothing(f);
}

static void gap_in_the_answers_is_acknowledged_past(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 5001:5101(100) ack 6"); /* 1 to 5000 were not captured */
	expect_segment(f, ". 6:6(0) ack 5101");
}

static void keep_alive_probe_is_answered(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:11(10) ack 1");
	pass_ms(f, 50);
	expect_segment(f, ". 1:1(0) ack 11");
	target_says(f, ". 10:10(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 11");
	target_says(f, ". 10:11(1) ack 1"); /* with its byte of garbage */
	expect_segment(f, ". 1:1(0) ack 11");
	for (int i = 0; i < 5; i++) { /* never mistaken for a challenge */
		pass_ms(f, 75000);
		target_says(f, ". 10:10(0) ack 1");
		expect_segment(f, ". 1:1(0) ack 11");
	}
	expect_nothing(f);
}

/* ---- hostile records ---- */

static void acknowledgement_of_what_was_never_sent_is_ignored(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	target_says(f, "P. 1:301(300) ack 100000");
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 0);
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 2);
	pass_ms(f, 210);
	expect_segment(f, "P. 1:6(5) ack 1"); /* rcv_nxt has not moved either */
}

static void old_acknowledgement_is_ignored(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 1000);
	expect_segment(f, "P. 1:1001(1000) ack 1");
	target_says(f, ". 1:1(0) ack 1001");
	target_says(f, ". 1:1(0) ack 501");
	expect_nothing(f);
	target_says(f, "P. 1:11(10) ack -70000"); /* older than any window */
	pass_in_silence(f, 1000);
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 1);
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 1000);
}

static void reset_in_the_window_is_challenged(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "R. 2:2(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1");
	target_says(f, "R 30000:30000(0)");
	expect_segment(f, ". 1:1(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 1);
}

static void reset_outside_the_window_is_ignored(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "R. 70000:70000(0) ack 1");
	target_says(f, "R -70000:-70000(0)");
	target_says(f, "R 1073741824:1073741824(0)");
	target_says(f, "R -2147483648:-2147483648(0)");
	target_says(f, "R. 1:1(0) ack 2"); /* right number, impossible acknowledgement */
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 1);
}

static void reset_with_the_exact_number_ends(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "R 1:1(0)");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_RESET].bytes, 5);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_RESET].requests, 1);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_target, 1);
	pass_in_silence(f, 10000);
}

static void data_far_outside_the_window_is_ignored(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 70000:70100(100) ack 1");
	target_says(f, "P. -70000:-69900(100) ack 1");
	target_says(f, "F. 70000:70000(0) ack 1");
	pass_in_silence(f, 1000);
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 3);
}

static void record_of_an_impossible_length_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct wire_record r;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	r = record_of(f, 0, "P. 1:11(10) ack 6");
	r.len_bytes = 70000; /* beyond the window that we gave */
	give_record(f, &r);
	r.len_bytes = INT32_MAX;
	give_record(f, &r);
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 2);
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 0);
	target_says(f, "P. 1:11(10) ack 6");
	pass_ms(f, 50);
	expect_segment(f, ". 6:6(0) ack 11");
}

static void segment_with_an_old_timestamp_is_only_acknowledged(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,TS val 1 ecr 0>",
			       "S. 0:0(0) ack 1 <mss 1460,TS val 500 ecr 0>");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:11(10) ack 6 <TS val 499 ecr 0>");
	expect_segment(f, ". 6:6(0) ack 1");
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 0);
	target_says(f, "P. 1:11(10) ack 6 <TS val 500 ecr 0>");
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 5);
	pass_ms(f, 50);
	expect_segment(f, ". 6:6(0) ack 11");
	target_says(f, "R 11:11(0) <TS val 1 ecr 0>"); /* a RST is not judged by it */
	assert_int_equal(fixture_registered(f), 0);
}

static void timestamps_wrap(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,TS val 1 ecr 0>",
			       "S. 0:0(0) ack 1 <mss 1460,TS val 4294967290 ecr 0>");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:11(10) ack 6 <TS val 5 ecr 0>");
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 5);
}

static void one_bogus_record_does_not_wedge_the_session(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	pass_ms(f, 50);
	expect_segment(f, ". 6:6(0) ack 301");
	target_says(f, "P. 20301:20311(10) ack 6"); /* never sent by the target */
	expect_segment(f, ". 6:6(0) ack 20311");
	client_data(f, 6, 301, "GET /");
	expect_segment(f, "P. 6:11(5) ack 20311"); /* which the target does not accept ... */
	target_says(f, ". 301:301(0) ack 6");      /* ... and says where it stands */
	pass_ms(f, 210);
	expect_segment(f, "P. 6:11(5) ack 20311");
	target_says(f, ". 301:301(0) ack 6");
	expect_segment(f, ". 11:11(0) ack 301"); /* believed */
	pass_ms(f, 410);
	expect_segment(f, "P. 6:11(5) ack 301");
	target_says(f, "P. 301:601(300) ack 11");
	client_data(f, 11, 601, "GET /");
	expect_segment(f, "P. 11:16(5) ack 601");
	expect_nothing(f);
}

static void single_old_acknowledgement_takes_nothing_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:301(300) ack 1");
	target_says(f, ". 1:1(0) ack 1");
	pass_ms(f, 50);
	expect_segment(f, ". 1:1(0) ack 301");
	target_says(f, "P. 301:601(300) ack 1");
	target_says(f, ". 1:1(0) ack 1"); /* not in a row */
	pass_ms(f, 50);
	expect_segment(f, ". 1:1(0) ack 601");
	expect_nothing(f);
}

static void record_of_no_session_is_counted(void **state)
{
	struct fixture *f = *state;
	struct wire_record r;

	session_established(f);
	r = record_of(f, 0, "R 1:1(0)");
	r.session_id ^= 1U << 24; /* an older generation */
	give_record(f, &r);
	r.session_id = 12345;
	give_record(f, &r);
	r.session_id = UINT32_MAX;
	give_record(f, &r);
	assert_int_equal(fixture_registered(f), 1);
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 3);
}

/* ---- every state, every flag ---- */

static void to_syn_sent(struct fixture *f)
{
	session_syn_sent(f);
}

static void to_fin_wait_1(struct fixture *f)
{
	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
}

static void to_fin_wait_2(struct fixture *f)
{
	to_fin_wait_1(f);
	target_says(f, ". 1:1(0) ack 2");
	expect_nothing(f);
}

static void to_close_wait(struct fixture *f)
{
	session_established(f);
	target_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 2");
}

static void to_closing(struct fixture *f)
{
	to_fin_wait_1(f);
	target_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, ". 2:2(0) ack 2");
}

static void to_last_ack(struct fixture *f)
{
	to_close_wait(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 2");
}

static void to_time_wait(struct fixture *f)
{
	to_fin_wait_2(f);
	target_says(f, "F. 1:1(0) ack 2");
	expect_segment(f, ". 2:2(0) ack 2");
}

static const struct step {
	const char *name;
	void (*reach)(struct fixture *f);
	const char *says;
	const char *first; /* what we answer; NULL: nothing */
	const char *second;
	bool lives; /* still holds its tuple */
} steps[] = {
	{"SYN-SENT, FIN", to_syn_sent, "F. 1:1(0) ack 1", NULL, NULL, true},
	{"SYN-SENT, RST", to_syn_sent, "R. 0:0(0) ack 1", NULL, NULL, false},
	{"SYN-SENT, SYN", to_syn_sent, "S 0:0(0)", NULL, NULL, true},
	{"SYN-SENT, SYN ACK", to_syn_sent, "S. 0:0(0) ack 1", ". 1:1(0) ack 1", NULL, true},
	{"SYN-SENT, ACK", to_syn_sent, ". 0:0(0) ack 1", NULL, NULL, true},
	{"SYN-SENT, old ACK", to_syn_sent, ". 9:9(0) ack 77", "R 77:77(0)", "S 0:0(0)", true},
	{"SYN-SENT, data", to_syn_sent, "P. 1:11(10) ack 1", NULL, NULL, true},

	{"ESTABLISHED, FIN", session_established, "F. 1:1(0) ack 1", ". 1:1(0) ack 2", NULL, true},
	{"ESTABLISHED, RST", session_established, "R 1:1(0)", NULL, NULL, false},
	{"ESTABLISHED, SYN", session_established, "S 1:1(0)", ". 1:1(0) ack 1", NULL, true},
	{"ESTABLISHED, ACK", session_established, ". 1:1(0) ack 1", NULL, NULL, true},
	{"ESTABLISHED, nothing", session_established, "- 1:1(0)", NULL, NULL, true},
	{"ESTABLISHED, FIN with data", session_established, "F. 1:11(10) ack 1", ". 1:1(0) ack 12",
	 NULL, true},

	{"FIN-WAIT-1, FIN", to_fin_wait_1, "F. 1:1(0) ack 1", ". 2:2(0) ack 2", NULL, true},
	{"FIN-WAIT-1, FIN ACK", to_fin_wait_1, "F. 1:1(0) ack 2", ". 2:2(0) ack 2", NULL, true},
	{"FIN-WAIT-1, RST", to_fin_wait_1, "R 1:1(0)", NULL, NULL, false},
	{"FIN-WAIT-1, SYN", to_fin_wait_1, "S 1:1(0)", ". 2:2(0) ack 1", NULL, true},
	{"FIN-WAIT-1, ACK", to_fin_wait_1, ". 1:1(0) ack 2", NULL, NULL, true},

	{"FIN-WAIT-2, FIN", to_fin_wait_2, "F. 1:1(0) ack 2", ". 2:2(0) ack 2", NULL, true},
	{"FIN-WAIT-2, RST", to_fin_wait_2, "R 1:1(0)", NULL, NULL, false},
	{"FIN-WAIT-2, SYN", to_fin_wait_2, "S 1:1(0)", ". 2:2(0) ack 1", NULL, true},
	{"FIN-WAIT-2, ACK", to_fin_wait_2, ". 1:1(0) ack 2", NULL, NULL, true},

	{"CLOSE-WAIT, FIN", to_close_wait, "F. 1:1(0) ack 1", ". 1:1(0) ack 2", NULL, true},
	{"CLOSE-WAIT, FIN elsewhere", to_close_wait, "F. 9:9(0) ack 1", ". 1:1(0) ack 2", NULL,
	 true},
	{"CLOSE-WAIT, data", to_close_wait, "P. 2:12(10) ack 1", ". 1:1(0) ack 2", NULL, true},
	{"CLOSE-WAIT, RST", to_close_wait, "R 2:2(0)", NULL, NULL, false},
	{"CLOSE-WAIT, SYN", to_close_wait, "S 2:2(0)", ". 1:1(0) ack 2", NULL, true},
	{"CLOSE-WAIT, ACK", to_close_wait, ". 2:2(0) ack 1", NULL, NULL, true},

	{"CLOSING, FIN", to_closing, "F. 1:1(0) ack 1", ". 2:2(0) ack 2", NULL, true},
	{"CLOSING, RST", to_closing, "R 2:2(0)", NULL, NULL, false},
	{"CLOSING, SYN", to_closing, "S 2:2(0)", ". 2:2(0) ack 2", NULL, true},
	{"CLOSING, ACK", to_closing, ". 2:2(0) ack 2", NULL, NULL, true},

	{"LAST-ACK, FIN", to_last_ack, "F. 1:1(0) ack 1", ". 2:2(0) ack 2", NULL, true},
	{"LAST-ACK, RST", to_last_ack, "R 2:2(0)", NULL, NULL, false},
	{"LAST-ACK, SYN", to_last_ack, "S 2:2(0)", ". 2:2(0) ack 2", NULL, true},
	{"LAST-ACK, ACK", to_last_ack, ". 2:2(0) ack 2", NULL, NULL, false},

	{"TIME-WAIT, FIN", to_time_wait, "F. 1:1(0) ack 2", ". 2:2(0) ack 2", NULL, true},
	{"TIME-WAIT, RST", to_time_wait, "R 2:2(0)", NULL, NULL, true},
	{"TIME-WAIT, SYN", to_time_wait, "S 2:2(0)", NULL, NULL, true},
	{"TIME-WAIT, ACK", to_time_wait, ". 2:2(0) ack 2", NULL, NULL, true},
};

static void run_step(void **state)
{
	const struct step *step = *state;
	struct fixture *f = fixture_new(&(struct fixture_config){0});

	step->reach(f);
	target_says(f, step->says);
	if (step->first)
		expect_segment(f, step->first);
	if (step->second)
		expect_segment(f, step->second);
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), step->lives);
	fixture_free(f);
}

/* ---- ends ---- */

static void orderly_end_of_the_client(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	client_says(f, "F. 6:6(0) ack 301");
	expect_segment(f, "F. 6:6(0) ack 301");
	target_says(f, "F. 301:301(0) ack 7");
	expect_segment(f, ". 7:7(0) ack 302");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_client, 1);
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 5);
	assert_int_equal(account_of(f, 0)->stream.delivered.requests, 1);
}

static void time_wait_acknowledges_a_repeated_fin_and_ends_after_4_s(void **state)
{
	struct fixture *f = *state;

	to_time_wait(f);
	for (int i = 0; i < 3; i++) {
		pass_in_silence(f, 1000);
		target_says(f, "F. 1:1(0) ack 2");
		expect_segment(f, ". 2:2(0) ack 2");
		assert_int_equal(fixture_registered(f), 1);
	}
	pass_in_silence(f, 4100);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_client, 1);
}

static void simultaneous_close(void **state)
{
	struct fixture *f = *state;

	to_closing(f);
	target_says(f, ". 2:2(0) ack 2");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_client, 1);
	pass_in_silence(f, 4100);
	assert_int_equal(fixture_registered(f), 0);
}

static void half_close_still_takes_the_answer(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_says(f, "F. 6:6(0) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_segment(f, "F. 6:6(0) ack 1");
	target_says(f, ". 1:1(0) ack 7");
	target_says(f, ". 1:5001(5000) ack 7 x4");
	expect_segment(f, ". 7:7(0) ack 5001");
	pass_in_silence(f, 1000);
	target_says(f, "FP. 5001:5011(10) ack 7");
	expect_segment(f, ". 7:7(0) ack 5012");
	pass_in_silence(f, 4100);
	assert_int_equal(fixture_registered(f), 0);
}

static void close_wait_still_says_what_the_client_says(void **state)
{
	struct fixture *f = *state;

	to_close_wait(f);
	client_data(f, 1, 1, "still here");
	expect_segment(f, "P. 1:11(10) ack 2");
	target_says(f, ". 2:2(0) ack 11");
	client_says(f, "F. 11:11(0) ack 1");
	expect_segment(f, "F. 11:11(0) ack 2");
	pass_ms(f, 210);
	expect_segment(f, "F. 11:11(0) ack 2");
	target_says(f, ". 2:2(0) ack 12");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_client, 1);
}

static void target_that_closed_and_resets_is_not_taken_for_a_fault_of_ours(void **state)
{
	struct fixture *f = *state;

	to_close_wait(f);
	client_data(f, 1, 1, "still here");
	expect_segment(f, "P. 1:11(10) ack 2");
	target_says(f, "R 2:2(0)");
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_CLOSED].bytes, 10);
}

static void reset_of_the_client_is_said_when_all_before_it_has_arrived(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_says(f, "R. 6:6(0) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_nothing(f);
	pass_ms(f, 210);
	expect_segment(f, "P. 1:6(5) ack 1"); /* lost: still a client that cares */
	target_says(f, ". 1:1(0) ack 6");
	expect_segment(f, "R. 6:6(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 5);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_client, 1);
}

static void reset_after_the_fin_ends_the_session_too(void **state)
{
	struct fixture *f = *state;

	to_fin_wait_2(f);
	client_says(f, "R 2:2(0)");
	expect_segment(f, "R. 2:2(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
}

static void reset_while_the_fin_is_in_flight_hits_wherever_the_target_stands(void **state)
{
	struct fixture *f = *state;
	bool at_fin = false, past_fin = false;
	const struct sent *s;

	to_fin_wait_1(f);
	client_says(f, "R 2:2(0)");
	/* The FIN may be lost: a RST counts only with the very number that the target expects. */
	while ((s = take_sent(f))) {
		assert_true(s->flags & TCP_RST);
		at_fin |= s->seq - f->faked[0].iss == 1;
		past_fin |= s->seq - f->faked[0].iss == 2;
	}
	assert_true(at_fin);
	assert_true(past_fin);
	assert_int_equal(fixture_registered(f), 0);
}

static void unanswered_request_is_given_up_after_t_with_a_reset(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:1(0) ack 6"); /* delivered; but no answer comes */
	client_data(f, 6, 301, "GET /");  /* which the client had */
	pass_in_silence(f, 4990);
	pass_ms(f, 20);
	expect_segment(f, "R. 6:6(0) ack 1");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->stream.delivered.requests, 1);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TIMED_OUT].requests, 1);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TIMED_OUT].bytes, 5);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_us, 1);
	fixture_free(f);
}

static void unacknowledged_request_is_given_up_after_t(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});
	const struct sent *s, *last = NULL;

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 4990);
	ignore_sent(f);
	pass_ms(f, 100);
	while ((s = take_sent(f)))
		last = s;
	assert_non_null(last);
	assert_true(last->flags & TCP_RST);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TIMED_OUT].bytes, 5);
	fixture_free(f);
}

static void fin_whose_answer_never_comes_is_given_up_after_t(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:1(0) ack 6");
	client_says(f, "F. 6:6(0) ack 301");
	pass_in_silence(f, 4990);
	pass_ms(f, 20);
	expect_segment(f, "R. 6:6(0) ack 1");
	fixture_free(f);
}

static void session_that_never_said_a_word_needs_no_reset(void **state)
{
	struct fixture *f = *state;

	f->emit_room = 0;
	client_says(f, "S 0:0(0) <mss 1460>");
	f->emit_room = -1;
	replay_shutdown(f->replay, f->now_us);
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
}

static void idle_session_is_not_given_up(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	pass_ms(f, 50);
	expect_segment(f, ". 6:6(0) ack 301");
	pass_in_silence(f, 60000); /* the client thinks */
	client_data(f, 6, 301, "GET /");
	expect_segment(f, "P. 6:11(5) ack 301");
	pass_ms(f, 4000); /* and the limit starts now, not when it was last heard of */
	assert_int_equal(fixture_registered(f), 1);
	fixture_free(f);
}

static void syn_that_is_never_answered_is_given_up_after_t(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_syn_sent(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 5010);
	expect_segment(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0)");
	expect_segment(f, "R 1:1(0)");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TIMED_OUT].bytes, 5);
	fixture_free(f);
}

static void fin_wait_2_without_an_end_is_given_up_after_t(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	to_fin_wait_2(f);
	pass_ms(f, 5010);
	expect_segment(f, "R. 2:2(0) ack 1");
	expect_nothing(f);
	fixture_free(f);
}

static void shutdown_resets_every_open_session(void **state)
{
	struct fixture *f = *state;
	static const char *const clients[] = {"10.9.0.1:1", "10.9.0.2:2", "10.9.0.3:3",
					      "10.9.0.4:4", "10.9.0.5:5", "10.9.0.6:6"};
	static void (*const reach[])(struct fixture *) = {session_syn_sent, session_established,
							  to_fin_wait_2,    to_close_wait,
							  to_last_ack,      to_time_wait};
	unsigned resets = 0;
	const struct sent *s;

	for (size_t i = 0; i < 6; i++) {
		f->client = clients[i];
		reach[i](f);
	}
	f->client = clients[1];
	client_data(f, 1, 1, "GET /");
	ignore_sent(f);
	replay_shutdown(f->replay, f->now_us);
	check_sums(f);
	while ((s = take_sent(f))) {
		assert_true(s->flags & TCP_RST);
		assert_int_not_equal(s->faked, 5); /* TIME-WAIT: the target is through with it */
		resets |= 1U << s->faked;
	}
	assert_int_equal(resets, 0x1f);
	assert_int_equal(account_of(f, 0)->stream.in_flight.bytes, 0);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_SHUTDOWN].bytes, 5);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_SHUTDOWN].requests, 1);
	assert_int_equal(account_of(f, 0)->sessions.active, 0);
}

static void shutdown_during_a_zero_window_resets_what_the_target_expects(void **state)
{
	struct fixture *f = *state;
	bool before_probe = false;
	const struct sent *s;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 0 <mss 1460>");
	client_bytes(f, 1, 1, 10);
	pass_ms(f, 210);
	expect_segment(f, "P. 1:2(1) ack 1"); /* which the target does not take */
	target_says(f, ". 1:1(0) ack 1 win 0");
	replay_shutdown(f->replay, f->now_us);
	while ((s = take_sent(f))) {
		assert_true(s->flags & TCP_RST);
		before_probe |= s->seq - f->faked[0].iss == 1;
	}
	assert_true(before_probe);
}

/* ---- the sender is full ---- */

static void nothing_is_lost_when_the_sender_is_full(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->emit_room = 2;
	client_bytes(f, 1, 1, 7300);
	assert_true(replay_is_blocked(f->replay));
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_nothing(f);
	f->emit_room = -1;
	end_batch(f);
	assert_false(replay_is_blocked(f->replay));
	expect_segment(f, ". 2921:4381(1460) ack 1");
	expect_segment(f, ". 4381:5841(1460) ack 1");
	expect_segment(f, "P. 5841:7301(1460) ack 1");
	expect_nothing(f);
}

static void syn_ack_fin_and_reset_wait_for_the_sender(void **state)
{
	struct fixture *f = *state;

	f->emit_room = 0;
	client_says(f, "S 0:0(0) <mss 1460>");
	assert_true(replay_is_blocked(f->replay));
	f->emit_room = 1;
	end_batch(f);
	expect_segment(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 1");
	assert_true(replay_is_blocked(f->replay));
	f->emit_room = 1;
	end_batch(f);
	expect_segment(f, ". 1:1(0) ack 1");
	client_says(f, "F. 1:1(0) ack 1");
	assert_true(replay_is_blocked(f->replay));
	f->emit_room = 1;
	end_batch(f);
	expect_segment(f, "F. 1:1(0) ack 1");
	target_says(f, ". 1:1(0) ack 2");
	client_says(f, "R 2:2(0)");
	assert_true(replay_is_blocked(f->replay));
	end_batch(f);
	end_batch(f);
	assert_int_equal(fixture_registered(f), 1); /* the tuple is ours until the RST is out */
	f->emit_room = 1;
	end_batch(f);
	expect_segment(f, "R. 2:2(0) ack 1");
	assert_false(replay_is_blocked(f->replay));
	assert_int_equal(fixture_registered(f), 0);
	end_batch(f);
	expect_nothing(f);
}

static void blocked_session_does_not_disturb_the_order_of_others(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->client = "10.9.0.2:40000";
	session_established(f);
	f->emit_room = 0;
	f->client = "10.9.0.1:40000";
	client_says(f, "R. 1:1(0) ack 1");
	f->client = "10.9.0.2:40000";
	client_says(f, "R. 1:1(0) ack 1");
	pass_ms(f, 1000);
	f->emit_room = -1;
	end_batch(f);
	assert_int_equal(expect_segment(f, "R. 1:1(0) ack 1")->faked, 0);
	assert_int_equal(expect_segment(f, "R. 1:1(0) ack 1")->faked, 1);
	expect_nothing(f);
	pass_ms(f, 5000);
	expect_nothing(f);
	assert_int_equal(replay_connections(f->replay), 0);
}

static const struct CMUnitTest tests[] = {
	fixture_test(syn_copies_the_options_of_the_client),
	fixture_test(syn_without_options_stays_without),
	fixture_test(syn_offers_at_most_what_the_mtu_holds),
	fixture_test(syn_leaves_out_fast_open_and_ecn),
	fixture_test(request_carries_the_ack_of_the_handshake),
	fixture_test(syn_is_repeated_after_1_2_and_4_seconds),
	fixture_test(repeated_syn_is_answered_like_the_first),
	fixture_test(syn_ack_again_is_acknowledged_again),
	fixture_test(syn_ack_with_a_wrong_number_establishes_nothing),
	fixture_test(target_refuses),
	fixture_test(blind_refusal_is_ignored),
	fixture_test(target_that_holds_an_older_connection_is_freed_of_it),
	fixture_test(mss_is_the_smaller_of_the_targets_and_the_mtus),
	fixture_test(target_without_mss_gets_536_bytes_a_segment),
	fixture_test(target_with_a_tiny_mss_gets_no_storm_of_packets),
	fixture_test(timestamps_are_our_own_clock_and_echo_the_targets),
	fixture_test(options_are_agreed_only_if_both_offer),
	fixture_test(lost_request_is_repeated_with_back_off_up_to_60_s),
	fixture_test(acknowledgement_ends_the_back_off),
	fixture_test(timeout_follows_the_round_trip_time),
	fixture_test(retransmitted_segment_times_nothing),
	fixture_test(timeout_sends_all_again_from_the_first_hole),
	fixture_test(lost_fin_is_repeated),
	fixture_test(lost_data_and_fin_are_repeated_together),
	fixture_test(third_duplicate_ack_retransmits_at_once),
	fixture_test(three_duplicates_merged_into_one_record_count_as_three),
	fixture_test(partial_ack_retransmits_the_next_hole),
	fixture_test(lost_retransmission_is_left_to_the_timeout),
	fixture_test(duplicate_with_data_or_another_window_is_none),
	fixture_test(first_flight_is_ten_segments_then_slow_start),
	fixture_test(one_acknowledgement_grows_the_window_by_two_segments_at_most),
	fixture_test(loss_halves_the_window_which_then_grows_slowly),
	fixture_test(partial_ack_takes_back_what_it_acknowledges),
	fixture_test(timeout_halves_the_window_and_starts_with_one_segment),
	fixture_test(window_starts_anew_after_a_silence),
	fixture_test(duplicates_are_counted_from_the_last_new_acknowledgement),
	fixture_test(segment_of_a_huge_mtu_fits_a_descriptor),
	fixture_test(super_packet_is_cut_to_the_mss_byte_exact),
	fixture_test(never_more_than_the_window_is_in_flight),
	fixture_test(window_below_the_mss_is_used_when_nothing_is_in_flight),
	fixture_test(window_is_scaled_as_agreed),
	fixture_test(our_window_is_scaled_down),
	fixture_test(older_segment_does_not_move_the_window),
	fixture_test(zero_window_is_probed_with_back_off_and_reopens),
	fixture_test(window_that_closes_later_is_probed_and_the_byte_may_be_taken),
	fixture_test(lost_window_update_is_found_by_the_probe),
	fixture_test(loss_after_a_zero_window_is_repeated_without_its_back_off),
	fixture_test(blocks_and_segments_do_not_meet_and_no_byte_moves),
	fixture_test(the_clients_numbers_wrap),
	cmocka_unit_test(our_numbers_wrap),
	cmocka_unit_test(iss_of_minus_1_and_irs_of_minus_1),
	fixture_test(short_answer_is_acknowledged_after_40_ms),
	fixture_test(next_request_carries_the_acknowledgement),
	fixture_test(more_than_one_mss_is_acknowledged_at_once),
	fixture_test(all_records_of_a_batch_share_one_acknowledgement),
	fixture_test(repeated_answer_is_acknowledged_again_at_once),
	fixture_test(gap_in_the_answers_is_acknowledged_past),
	fixture_test(keep_alive_probe_is_answered),
	fixture_test(acknowledgement_of_what_was_never_sent_is_ignored),
	fixture_test(old_acknowledgement_is_ignored),
	fixture_test(reset_in_the_window_is_challenged),
	fixture_test(reset_outside_the_window_is_ignored),
	fixture_test(reset_with_the_exact_number_ends),
	fixture_test(data_far_outside_the_window_is_ignored),
	fixture_test(record_of_an_impossible_length_is_ignored),
	fixture_test(segment_with_an_old_timestamp_is_only_acknowledged),
	fixture_test(timestamps_wrap),
	fixture_test(one_bogus_record_does_not_wedge_the_session),
	fixture_test(single_old_acknowledgement_takes_nothing_back),
	fixture_test(record_of_no_session_is_counted),
	fixture_test(orderly_end_of_the_client),
	fixture_test(time_wait_acknowledges_a_repeated_fin_and_ends_after_4_s),
	fixture_test(simultaneous_close),
	fixture_test(half_close_still_takes_the_answer),
	fixture_test(close_wait_still_says_what_the_client_says),
	fixture_test(target_that_closed_and_resets_is_not_taken_for_a_fault_of_ours),
	fixture_test(reset_of_the_client_is_said_when_all_before_it_has_arrived),
	fixture_test(reset_after_the_fin_ends_the_session_too),
	fixture_test(reset_while_the_fin_is_in_flight_hits_wherever_the_target_stands),
	cmocka_unit_test(unanswered_request_is_given_up_after_t_with_a_reset),
	cmocka_unit_test(unacknowledged_request_is_given_up_after_t),
	cmocka_unit_test(fin_whose_answer_never_comes_is_given_up_after_t),
	fixture_test(session_that_never_said_a_word_needs_no_reset),
	cmocka_unit_test(idle_session_is_not_given_up),
	cmocka_unit_test(syn_that_is_never_answered_is_given_up_after_t),
	cmocka_unit_test(fin_wait_2_without_an_end_is_given_up_after_t),
	fixture_test(shutdown_resets_every_open_session),
	fixture_test(shutdown_during_a_zero_window_resets_what_the_target_expects),
	fixture_test(nothing_is_lost_when_the_sender_is_full),
	fixture_test(syn_ack_fin_and_reset_wait_for_the_sender),
	fixture_test(blocked_session_does_not_disturb_the_order_of_others),
};

enum {
	TESTS = sizeof(tests) / sizeof(tests[0]),
	STEPS = sizeof(steps) / sizeof(steps[0]),
};

int main(void)
{
	struct CMUnitTest all[STEPS] = {0};

	for (size_t i = 0; i < STEPS; i++)
		all[i] = (struct CMUnitTest){
			.name = steps[i].name,
			.test_func = run_step,
			.initial_state = (void *)(uintptr_t)&steps[i],
		};
	return cmocka_run_group_tests_name("session", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("session, every state and flag", all, NULL, NULL);
}
