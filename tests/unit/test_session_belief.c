/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_belief.c - how much of a contradiction is needed before something is believed, and
 * which records a session may not turn away. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

/* Something of what was said is a question where the target stands; all of it is forgotten. */
static bool has_asked(struct fixture *f)
{
	bool asked = false;

	for (size_t i = 0; i < f->sent_count; i++)
		asked |= f->sent[i].seq == f->faked[0].iss && !(f->sent[i].flags & TCP_SYN);
	ignore_sent(f);
	return asked;
}

static void pass_until_asked(struct fixture *f)
{
	for (int i = 0; i < 1000; i++) {
		if (has_asked(f))
			return;
		pass_ms(f, 20);
	}
	fail_msg("no question was asked");
}

/* Two false records name two places: neither is proof that the target's FIN was none. */
static void answers_that_contradict_each_other_do_not_take_a_fin_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "F. 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	pass_until_asked(f);
	target_says(f, ". 1:1(0) ack 1");
	pass_until_asked(f);
	target_says(f, ". -8:-8(0) ack 1");
	pass_until_asked(f);
	target_says(f, ". 1:1(0) ack 1");
	assert_int_equal(account_of(f, 0)->traffic.corrections, 0);
	pass_until_asked(f);
	target_says(f, ". 1:1(0) ack 1"); /* twice the same: it was none */
	assert_int_equal(account_of(f, 0)->traffic.corrections, 1);
	ignore_sent(f);
}

static void with_timestamps(struct fixture *f)
{
	session_established_by(f, "S 0:0(0) <mss 1460,TS val 9 ecr 0>",
			       "S. 0:0(0) ack 1 win 65535 <mss 1460,TS val 1000 ecr 9>");
}

/* A record that was on the way for long is no proof that ts_recent was forged. */
static void one_old_timestamp_in_doubt_is_not_believed(void **state)
{
	struct fixture *f = *state;
	const struct sent *s;

	with_timestamps(f);
	client_data(f, 1, 1, "GET /");
	pass_until_asked(f);
	target_says(f, ". 1:1(0) ack 1 <TS val 900 ecr 9>");
	ignore_sent(f);
	pass_ms(f, 1000);
	s = expect_segment(f, "P. 1:6(5) ack 1");
	assert_int_equal(s->options.ts_ecr, 1000);
	ignore_sent(f);
}

/* RFC 7323, section 4.3: the ACK of several echoes the first of them, the delay is to be measured too. */
static void first_of_the_segments_that_an_ack_covers_is_echoed(void **state)
{
	struct fixture *f = *state;
	const struct sent *s;

	with_timestamps(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:101(100) ack 6 <TS val 1100 ecr 9>");
	pass_ms(f, 30);
	target_says(f, "P. 101:201(100) ack 6 <TS val 1130 ecr 9>");
	pass_ms(f, 12);
	s = expect_segment(f, ". 6:6(0) ack 201");
	assert_int_equal(s->options.ts_ecr, 1100);
}

/* RFC 5961, section 5.2: as old as the largest window that was ever offered. */
static void answer_with_an_ack_from_before_a_large_flight_counts(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,wscale 7>",
			       "S. 0:0(0) ack 1 win 1000 <mss 1460,wscale 7>");
	target_says(f, ". 1:1(0) ack 1 win 1000");
	client_bytes(f, 1, 1, 14600);
	target_says(f, ". 1:1(0) ack 14601 win 1000");
	ignore_sent(f);
	target_says(f, "P. 1:11(10) ack 1 win 1000"); /* it was overtaken */
	pass_ms(f, 41);
	expect_segment(f, ". 14601:14601(0) ack 11");
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(answers_that_contradict_each_other_do_not_take_a_fin_back),
		fixture_test(one_old_timestamp_in_doubt_is_not_believed),
		fixture_test(first_of_the_segments_that_an_ack_covers_is_echoed),
		fixture_test(answer_with_an_ack_from_before_a_large_flight_counts),
	};

	return cmocka_run_group_tests_name("session, belief", tests, NULL, NULL);
}
