/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_loss.c - what a session does about loss: retransmission, timers, congestion and flow
 * control, window probes, and all of it where sequence numbers wrap. In virtual time, through
 * replay.h.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/session.h"

/* A timer's tick is 1024 us, and it may be two late. */
enum {
	TICKS_MS = 3,
};

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
		if (i)
			expect_segment(f, ". 0:0(0) ack 1"); /* asks where the target stands */
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
	expect_segment(f, ". 0:0(0) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_segment(f, ". 0:0(0) ack 1");
	target_says(f, ". 1:1(0) ack 6");
	pass_in_silence(f, 5000);
	client_data(f, 6, 1, "more");
	expect_segment(f, "P. 6:10(4) ack 1");
	pass_in_silence(f, 200 - TICKS_MS);
	pass_ms(f, 2 * TICKS_MS);
	expect_segment(f, "P. 6:10(4) ack 1");
}

/* RFC 6298, section 5.7, and RFC 5681, section 3.1: nothing was measured, and the network loses packets. */
static void connection_whose_syn_was_lost_begins_slowly(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_bytes(f, 1, 1, 4000);
	pass_ms(f, 1010);
	expect_segment(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	expect_segment(f, ". 1:1461(1460) ack 1");
	pass_in_silence(f, 3000 - TICKS_MS);
	pass_ms(f, 2 * TICKS_MS);
	expect_segment(f, ". 1:1461(1460) ack 1");
	target_says(f, ". 1:1(0) ack 1461");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_segment(f, "P. 2921:4001(1080) ack 1");
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
	expect_segment(f, ". 0:0(0) ack 1");
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

/* The receiver's window grows with what it keeps out of order. */
static void duplicate_with_sack_counts_whatever_its_window(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 6000);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1 win 60000 <sack 1461:2921>");
	target_says(f, ". 1:1(0) ack 1 win 61000 <sack 1461:4381>");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 1 win 62000 <sack 1461:5841>");
	expect_segment(f, ". 1:1461(1460) ack 1");
	assert_int_equal(account_of(f, 0)->traffic.fast_retransmits, 1);
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
	expect_segment(f, ". 0:0(0) ack 11");     /* asks which of the two is true */
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
	client_says(f, "F. 7301:7301(0) ack 11");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(lost_request_is_repeated_with_back_off_up_to_60_s),
		fixture_test(acknowledgement_ends_the_back_off),
		fixture_test(connection_whose_syn_was_lost_begins_slowly),
		fixture_test(timeout_follows_the_round_trip_time),
		fixture_test(retransmitted_segment_times_nothing),
		fixture_test(timeout_sends_all_again_from_the_first_hole),
		fixture_test(lost_fin_is_repeated),
		fixture_test(lost_data_and_fin_are_repeated_together),
		fixture_test(third_duplicate_ack_retransmits_at_once),
		fixture_test(three_duplicates_merged_into_one_record_count_as_three),
		fixture_test(partial_ack_retransmits_the_next_hole),
		fixture_test(lost_retransmission_is_left_to_the_timeout),
		fixture_test(duplicate_with_sack_counts_whatever_its_window),
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
	};

	return cmocka_run_group_tests_name("session, loss and windows", tests, NULL, NULL);
}
