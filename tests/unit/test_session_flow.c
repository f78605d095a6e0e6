/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_flow.c - what is in flight, and what it may be: windows of both sides, repetitions and
 * their account, payload that is given back as it is acknowledged. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

/* RFC 9293, section 3.10.7.4: of two with one number the one with the older ACK is the older. */
static void reordered_acknowledgement_brings_no_older_window_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 1000);
	expect_segment(f, "P. 1:1001(1000) ack 1");
	target_says(f, ". 1:1(0) ack 1001 win 3000");
	target_says(f, ". 1:1(0) ack 501 win 100");
	client_bytes(f, 1001, 1, 2000);
	expect_segment(f, ". 1001:2461(1460) ack 1");
	expect_segment(f, "P. 2461:3001(540) ack 1");
}

/* RFC 7323, section 2.2: both sides offer it, or neither window is scaled. */
static void our_window_is_not_scaled_for_a_target_that_does_not_scale(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,wscale 7>",
			       "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1 win 65535");
}

static void repetition_takes_no_new_bytes_into_a_full_window(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 100 <mss 1460>");
	client_bytes(f, 1, 1, 1000);
	expect_segment(f, ". 1:101(100) ack 1");
	target_says(f, ". 1:1(0) ack 1 win 100 x3");
	expect_segment(f, ". 1:101(100) ack 1");
	expect_nothing(f);
}

static void every_repetition_is_accounted(void **state)
{
	struct fixture *f = *state;
	const struct ledger_traffic *count = &account_of(f, 0)->traffic;

	client_says(f, "S 0:0(0) <mss 1460>");
	pass_ms(f, 1010);
	assert_int_equal(count->retransmitted, 1); /* the SYN */
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	client_data(f, 1, 1, "GET /");
	assert_int_equal(count->retransmitted, 1);
	pass_ms(f, 3010);
	assert_int_equal(count->retransmitted, 2);
	target_says(f, ". 1:1(0) ack 6");
	client_bytes(f, 6, 1, 5 * 1460);
	assert_int_equal(count->retransmitted, 2);
	target_says(f, ". 1:1(0) ack 6 x3");
	assert_int_equal(count->retransmitted, 3);
	assert_int_equal(count->syn_sent, 1);
	ignore_sent(f);
}

/* The window closes behind a loss: with nothing repeated the target could never open it. */
static void what_was_lost_before_the_window_closed_is_repeated(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1000>", "S. 0:0(0) ack 1 win 2000 <mss 1000>");
	client_bytes(f, 1, 1, 5000);
	expect_segment(f, ". 1:1001(1000) ack 1");
	expect_segment(f, ". 1001:2001(1000) ack 1"); /* lost */
	target_says(f, ". 1:1(0) ack 1001 win 0");
	expect_nothing(f);
	pass_ms(f, 1000);
	expect_segment(f, "P. 1001:1002(1) ack 1");
	expect_pattern(f, 1000);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1002 win 4000");
	expect_segment(f, ". 1002:2002(1000) ack 1");
	expect_pattern(f, 1001);
}

/* 8 MiB through a window of 1 MB: only what is in flight is held. */
static void acknowledged_payload_is_given_back_at_once(void **state)
{
	struct fixture *f = *state;
	size_t most = 0, before;
	uint32_t at = 1;

	session_established_wide(f);
	f->mute = true;
	before = replay_memory(f->replay);
	for (int i = 0; i < 512; i++) {
		struct wire_record r = record_of(f, 0, ". 1:1(0) ack 1");

		client_bytes(f, at, 1, 16384);
		for (uint32_t acked = at; acked < at + 16384;) {
			acked += 2048;
			r.ack = f->faked[0].iss + acked;
			give_record(f, &r);
		}
		at += 16384;
		if (replay_memory(f->replay) > most)
			most = replay_memory(f->replay);
	}
	assert_int_equal(stream(f)->delivered.bytes, 512 * 16384);
	assert_true(most < before + (1 << 20));
	f->mute = false;
}

/* ---- a sender that cuts ---- */

static void session_with_a_sender_that_cuts(struct fixture *f, const char *syn_ack)
{
	session_established_by(f, "S 0:0(0) <mss 1460>", syn_ack);
	replay_set_cutting(f->replay, 0, true);
}

/* Whole segments only: what is left of the last goes by itself, and has the PSH. */
static void several_segments_go_at_once_where_the_sender_cuts(void **state)
{
	struct fixture *f = *state;
	const struct ledger_traffic *count = &account_of(f, 0)->traffic;

	session_with_a_sender_that_cuts(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	client_bytes(f, 1, 1, 20000);
	assert_int_equal(expect_segment(f, ". 1:14601(14600) ack 1")->cut_bytes, 1460);
	expect_pattern(f, 0);
	expect_nothing(f);
	assert_int_equal(count->payload_segments_sent, 10);
	assert_int_equal(count->segments_sent, 12); /* SYN and ACK */
	target_says(f, ". 1:1(0) ack 14601");
	assert_int_equal(expect_segment(f, ". 14601:18981(4380) ack 1")->cut_bytes, 1460);
	assert_int_equal(expect_segment(f, "P. 18981:20001(1020) ack 1")->cut_bytes, 0);
	expect_pattern(f, 18980);
	assert_int_equal(count->payload_segments_sent, 14);
	assert_int_equal(count->bytes_sent, 20000);
}

/* The iovecs of a descriptor hold no more, wherever in a block they begin. */
static void several_segments_are_no_more_than_a_descriptor_holds(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 1;

	session_established_wide(f);
	replay_set_cutting(f->replay, 0, true);
	for (uint32_t acked = 1; at < 300000; at += 60001) {
		client_bytes(f, at, 1, 60001);
		while (f->expected < f->sent_count) {
			const struct sent *s = take_sent(f);

			assert_true(s->len_bytes <= 15361);
			assert_true(s->cut_bytes == 0 || s->len_bytes % s->cut_bytes == 0);
			acked += s->len_bytes;
			if (f->expected == f->sent_count && acked < at + 60001) {
				struct wire_record r = record_of(f, 0, ". 1:1(0) ack 1");

				r.ack = f->faked[0].iss + acked;
				give_record(f, &r);
			}
		}
		assert_int_equal(acked, at + 60001);
	}
}

static void several_segments_are_no_more_than_the_window_takes(void **state)
{
	struct fixture *f = *state;

	session_with_a_sender_that_cuts(f, "S. 0:0(0) ack 1 win 3000 <mss 1460>");
	client_bytes(f, 1, 1, 10000);
	assert_int_equal(expect_segment(f, ". 1:2921(2920) ack 1")->cut_bytes, 1460);
	expect_nothing(f); /* 80 bytes would be a sliver */
}

static void push_is_of_the_last_of_several_segments(void **state)
{
	struct fixture *f = *state;

	session_with_a_sender_that_cuts(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	client_bytes(f, 1, 1, 2920);
	assert_int_equal(expect_segment(f, "P. 1:2921(2920) ack 1")->cut_bytes, 1460);
}

/* The window of one segment after a timeout apart: an ACK in between saves the rest. */
static void what_is_said_again_goes_one_by_one(void **state)
{
	struct fixture *f = *state;

	session_with_a_sender_that_cuts(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	client_bytes(f, 1, 1, 14600);
	ignore_sent(f);
	pass_ms(f, 1010);
	assert_int_equal(expect_segment(f, ". 1:1461(1460) ack 1")->cut_bytes, 0);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1461");
	assert_int_equal(expect_segment(f, ". 1461:2921(1460) ack 1")->cut_bytes, 0);
	assert_int_equal(expect_segment(f, ". 2921:4381(1460) ack 1")->cut_bytes, 0);
	expect_nothing(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(reordered_acknowledgement_brings_no_older_window_back),
		fixture_test(our_window_is_not_scaled_for_a_target_that_does_not_scale),
		fixture_test(repetition_takes_no_new_bytes_into_a_full_window),
		fixture_test(every_repetition_is_accounted),
		fixture_test(what_was_lost_before_the_window_closed_is_repeated),
		fixture_test(acknowledged_payload_is_given_back_at_once),
		fixture_test(several_segments_go_at_once_where_the_sender_cuts),
		fixture_test(several_segments_are_no_more_than_a_descriptor_holds),
		fixture_test(several_segments_are_no_more_than_the_window_takes),
		fixture_test(push_is_of_the_last_of_several_segments),
		fixture_test(what_is_said_again_goes_one_by_one),
	};

	return cmocka_run_group_tests_name("session, flow", tests, NULL, NULL);
}
