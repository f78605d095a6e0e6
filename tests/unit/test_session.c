/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session.c - a session as a TCP client of the target: handshake, acknowledgements, a sender
 * that is full. In virtual time, through replay.h. Loss and windows, ends, and hostile records have
 * programs of their own: test_session_loss.c, test_session_ends.c, test_session_hostile.c.
 */
#include "tests/unit/replay_fixture.h"

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
	target_says(f, "S. 0:0(0) ack 2"); /* RFC 9293, section 3.10.7.3: it is told so */
	expect_segment(f, "R 2:2(0)");
	expect_segment(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 0");
	target_says(f, "S. 0:0(0) ack -70000");
	ignore_sent(f);
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

static void ipv6_target_without_mss_gets_1220_bytes_a_segment(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.transfers = {"[2001:db8::2]:80-[2001:db8:1::1]:8080"}});

	(void)state;
	f->client = "[2001:db8:9::1]:40000";
	f->server = "[2001:db8::2]:80";
	session_established_by(f, "S 0:0(0) <mss 1440>", "S. 0:0(0) ack 1");
	client_bytes(f, 1, 1, 1300);
	expect_segment(f, ". 1:1221(1220) ack 1");
	expect_segment(f, "P. 1221:1301(80) ack 1");
	fixture_free(f);
}

/* Without the option the target would send segments of 1220 bytes. */
static void ipv6_syn_without_mss_names_what_a_small_mtu_takes(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.transfers = {"[2001:db8::2]:80-[2001:db8:1::1]:8080"}});

	(void)state;
	f->client = "[2001:db8:9::1]:40000";
	f->server = "[2001:db8::2]:80";
	replay_set_mtu(f->replay, 0, 1000);
	client_says(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0) <mss 940>");
	fixture_free(f);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test(ipv6_target_without_mss_gets_1220_bytes_a_segment),
		cmocka_unit_test(ipv6_syn_without_mss_names_what_a_small_mtu_takes),
		fixture_test(target_with_a_tiny_mss_gets_no_storm_of_packets),
		fixture_test(timestamps_are_our_own_clock_and_echo_the_targets),
		fixture_test(options_are_agreed_only_if_both_offer),
		fixture_test(short_answer_is_acknowledged_after_40_ms),
		fixture_test(next_request_carries_the_acknowledgement),
		fixture_test(more_than_one_mss_is_acknowledged_at_once),
		fixture_test(all_records_of_a_batch_share_one_acknowledgement),
		fixture_test(repeated_answer_is_acknowledged_again_at_once),
		fixture_test(gap_in_the_answers_is_acknowledged_past),
		fixture_test(keep_alive_probe_is_answered),
		fixture_test(nothing_is_lost_when_the_sender_is_full),
		fixture_test(syn_ack_fin_and_reset_wait_for_the_sender),
		fixture_test(blocked_session_does_not_disturb_the_order_of_others),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
