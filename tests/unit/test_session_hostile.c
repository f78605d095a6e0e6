/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_hostile.c - blind and bogus records: acknowledgements, resets and data that no honest
 * target sends must neither end a session nor move or wedge it. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

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
	pass_ms(f, 101);
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
	target_says(f, "R. 1:1(0) ack 1");
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

/*
 * Linux discards what acknowledges more than it has sent without a word, but answers a segment
 * from before its window with where it stands.
 */
static void forged_data_does_not_wedge_the_session(void **state)
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
	expect_segment(f, "P. 6:11(5) ack 20311"); /* which the target discards */
	pass_ms(f, 210);
	expect_segment(f, "P. 6:11(5) ack 20311");
	pass_ms(f, 410);
	expect_segment(f, "P. 6:11(5) ack 20311");
	expect_segment(f, ". 5:5(0) ack 20311"); /* asks ... */
	target_says(f, ". 301:301(0) ack 6");    /* ... and hears, */
	pass_in_silence(f, 700);
	pass_ms(f, 110);
	expect_segment(f, "P. 6:11(5) ack 20311");
	expect_segment(f, ". 5:5(0) ack 20311");
	target_says(f, ". 301:301(0) ack 6"); /* twice, to be sure */
	expect_segment(f, "P. 6:11(5) ack 301");
	assert_int_equal(account_of(f, 0)->traffic.corrections, 1);
	target_says(f, "P. 301:601(300) ack 11");
	client_data(f, 11, 601, "GET /");
	expect_segment(f, "P. 11:16(5) ack 601");
	expect_nothing(f);
}

/* The answer hides behind the forged one, which counted for no turn: it counts all the same. */
static void answer_behind_forged_data_counts(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	client_data(f, 6, 301, "GET /");
	expect_segment(f, "P. 6:11(5) ack 301");
	client_data(f, 11, 601, "GET /");
	target_says(f, "P. 301:601(300) ack 6"); /* forged: not sent yet, and just as long */
	expect_nothing(f);
	target_says(f, "P. 301:601(300) ack 11");
	expect_segment(f, ". 11:11(0) ack 601");
	pass_ms(f, 10); /* perhaps a repetition: the gate settles */
	expect_segment(f, "P. 11:16(5) ack 601");
	target_says(f, "P. 301:601(300) ack 11"); /* but only once */
	client_data(f, 16, 901, "GET /");
	target_says(f, ". 601:601(0) ack 16");
	target_says(f, "P. 301:601(300) ack 16");
	pass_ms(f, 300);
	ignore_sent(f);
	target_says(f, "P. 601:901(300) ack 16");
	expect_segment(f, "P. 16:21(5) ack 901");
}

/* Before the turn was said: then the target discards the request, until we ask. */
static void answer_behind_earlier_forged_data_counts(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:301(300) ack 1"); /* forged */
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 301");
	client_data(f, 6, 301, "GET /");
	pass_ms(f, 700);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1");
	pass_ms(f, 800);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->traffic.gates_by_answer, 1);
}

/* Overtaken ACKs answer no question, however many there are. */
static void overtaken_acknowledgements_are_no_answers(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	target_says(f, "P. 1:301(300) ack 6");
	ignore_sent(f);
	for (int i = 0; i < 10; i++) {
		pass_ms(f, 150);
		target_says(f, ". 1:1(0) ack 1"); /* before the request: older than snd_una */
	}
	ignore_sent(f);
	target_says(f, ". 101:101(0) ack 6"); /* between the answer's segments */
	expect_segment(f, ". 5:5(0) ack 301");
	target_says(f, ". 201:201(0) ack 6");
	target_says(f, ". 101:101(0) ack 6");
	pass_in_silence(f, 1000);
	assert_int_equal(account_of(f, 0)->traffic.corrections, 0);
}

/* RFC 5961's challenge ACKs of other stacks come unasked: the first only makes us ask. */
static void old_acknowledgement_makes_us_ask_and_takes_nothing_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:301(300) ack 1");
	target_says(f, ". 1:1(0) ack 1");
	expect_segment(f, ". 0:0(0) ack 301");
	target_says(f, ". 301:301(0) ack 1"); /* it stands where we believed */
	target_says(f, ". 301:301(0) ack 1");
	pass_ms(f, 50);
	expect_segment(f, ". 1:1(0) ack 301");
	target_says(f, "P. 301:601(300) ack 1");
	pass_ms(f, 50);
	expect_segment(f, ". 1:1(0) ack 601");
	pass_in_silence(f, 10000);
	assert_int_equal(account_of(f, 0)->traffic.corrections, 0);
}

static void repeated_answer_after_a_lost_ack_costs_one_question(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:301(300) ack 1");
	pass_ms(f, 50);
	expect_segment(f, ". 1:1(0) ack 301");
	target_says(f, "P. 1:301(300) ack 1");
	expect_segment(f, ". 1:1(0) ack 301");
	expect_nothing(f);
	pass_ms(f, 200);
	target_says(f, "P. 1:301(300) ack 1");
	expect_segment(f, ". 1:1(0) ack 301");
	expect_segment(f, ". 0:0(0) ack 301");
	target_says(f, ". 301:301(0) ack 1");
	pass_in_silence(f, 10000);
}

/* ---- a forged FIN ---- */

/* The target's FIN is believed; what it says next shows that it was none. */
static void forged_fin_is_taken_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 2");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 2");
	pass_ms(f, 210);
	expect_segment(f, "P. 1:6(5) ack 2");
	pass_ms(f, 410);
	expect_segment(f, "P. 1:6(5) ack 2");
	expect_segment(f, ". 0:0(0) ack 2");
	target_says(f, ". 1:1(0) ack 1");
	pass_in_silence(f, 700); /* one answer is not enough to reopen */
	pass_ms(f, 110);
	expect_segment(f, "P. 1:6(5) ack 2");
	expect_segment(f, ". 0:0(0) ack 2");
	target_says(f, ". 1:1(0) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1"); /* with a FIN from the target this would be wrong */
	client_data(f, 6, 301, "GET /");      /* and the gates hold again */
	expect_nothing(f);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
	assert_int_equal(account_of(f, 0)->traffic.gates_by_close, 0);
	target_says(f, "P. 301:601(300) ack 11");
	client_says(f, "F. 11:11(0) ack 601");
	expect_segment(f, "F. 11:11(0) ack 601");
	target_says(f, "F. 601:601(0) ack 12");
	expect_segment(f, ". 12:12(0) ack 602");
	expect_nothing(f);
}

static void data_beyond_a_forged_fin_takes_it_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 2");
	pass_ms(f, 500);
	target_says(f, "P. 1:301(300) ack 1");
	expect_segment(f, ". 0:0(0) ack 2");
	target_says(f, ". 301:301(0) ack 1");
	expect_nothing(f);
	pass_ms(f, 500);
	target_says(f, "P. 1:301(300) ack 1");
	expect_segment(f, ". 0:0(0) ack 2");
	target_says(f, ". 301:301(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1"); /* what it says again counts */
	client_data(f, 1, 301, "GET /");
	expect_nothing(f);
	pass_ms(f, 500);
	target_says(f, "P. 1:301(300) ack 1");
	expect_segment(f, "P. 1:6(5) ack 301");
	expect_nothing(f);
}

/* We have said our FIN in answer to the forged one: LAST-ACK, and back to FIN-WAIT-1. */
static void forged_fin_before_ours_is_taken_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "F. 1:1(0) ack 1");
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 2");
	expect_segment(f, "F. 1:1(0) ack 2");
	pass_ms(f, 700);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1");
	pass_ms(f, 800);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
	target_says(f, ". 1:1(0) ack 2");
	target_says(f, "F. 1:1(0) ack 2");
	expect_segment(f, ". 2:2(0) ack 2");
	pass_in_silence(f, 10000);
}

static void real_fin_stays_whatever_is_said_after_it(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 2");
	for (int i = 0; i < 5; i++) {
		pass_ms(f, 500);
		target_says(f, "P. 100:110(10) ack 1"); /* forged */
		expect_segment(f, ". 0:0(0) ack 2");
		target_says(f, ". 2:2(0) ack 1");
	}
	client_data(f, 1, 301, "bye");
	expect_segment(f, "R. 1:1(0) ack 2"); /* for another connection */
	expect_segment(f, "S 0:0(0)");
	assert_int_equal(account_of(f, 0)->traffic.corrections, 0);
}

static void fin_after_a_forged_one_is_acknowledged_in_time_wait(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
	target_says(f, ". 1:1(0) ack 2");
	target_says(f, "F. 500:500(0) ack 2"); /* forged */
	expect_segment(f, ". 2:2(0) ack 501");
	pass_ms(f, 200);
	target_says(f, "F. 1:11(10) ack 2");
	expect_segment(f, ". 2:2(0) ack 12");
	expect_nothing(f);
}

/* ---- forged timestamps and windows ---- */

static void forged_timestamp_does_not_wedge_the_session(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,TS val 1 ecr 0>",
			       "S. 0:0(0) ack 1 <mss 1460,TS val 500 ecr 0>");
	target_says(f, ". 1:1(0) ack 1 <TS val 1000000000 ecr 0>");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6 <TS val 510 ecr 0>");
	expect_segment(f, ". 6:6(0) ack 1");
	pass_ms(f, 210);
	ignore_sent(f);
	target_says(f, "P. 1:301(300) ack 6 <TS val 720 ecr 0>");
	expect_segment(f, ". 0:0(0) ack 1");
	target_says(f, ". 301:301(0) ack 6 <TS val 720 ecr 0>");
	pass_ms(f, 400);
	ignore_sent(f);
	target_says(f, ". 301:301(0) ack 6 <TS val 1120 ecr 0>");
	assert_int_equal(stream(f)->delivered.bytes, 5);
	pass_ms(f, 400);
	target_says(f, "P. 1:301(300) ack 6 <TS val 1520 ecr 0>");
	client_data(f, 6, 301, "GET /");
	pass_ms(f, 400);
	target_says(f, "P. 301:601(300) ack 11 <TS val 1920 ecr 0>");
	assert_int_equal(stream(f)->delivered.bytes, 10);
}

static void forged_window_from_beyond_does_not_outbid_the_next(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, ". 30000:30000(0) ack 1 win 0"); /* forged */
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	pass_ms(f, 210);
	expect_segment(f, "P. 1:2(1) ack 1");
	target_says(f, ". 1:1(0) ack 2 win 65535");
	expect_segment(f, "P. 2:6(4) ack 1");
}

/* ---- a flood ---- */

/* RFC 5961, section 7: an answer to each would be a storm. */
static void flood_of_bad_records_is_answered_ten_times_a_second(void **state)
{
	static const char *const bad[] = {
		"P. 1:11(10) ack 1 <TS val 1 ecr 0>", /* outdated */
		"S. 0:0(0) ack 1 <TS val 500 ecr 0>", "R 30000:30000(0)",
		". 0:0(0) ack 1 <TS val 500 ecr 0>", /* keep-alive */
	};
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1460,TS val 1 ecr 0>",
			       "S. 0:0(0) ack 1 <mss 1460,TS val 500 ecr 0>");
	for (size_t kind = 0; kind < sizeof(bad) / sizeof(bad[0]); kind++) {
		pass_ms(f, 200);
		target_says(f, ". 1:1(0) ack 1 <TS val 500 ecr 0>"); /* no doubt left */
		ignore_sent(f);
		for (int i = 0; i < 1000; i++) {
			target_says(f, bad[kind]);
			pass_us(f, 1000);
		}
		assert_in_range(f->sent_count, 9, 11);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(acknowledgement_of_what_was_never_sent_is_ignored),
		fixture_test(old_acknowledgement_is_ignored),
		fixture_test(reset_in_the_window_is_challenged),
		fixture_test(reset_outside_the_window_is_ignored),
		fixture_test(reset_with_the_exact_number_ends),
		fixture_test(data_far_outside_the_window_is_ignored),
		fixture_test(record_of_an_impossible_length_is_ignored),
		fixture_test(segment_with_an_old_timestamp_is_only_acknowledged),
		fixture_test(timestamps_wrap),
		fixture_test(forged_data_does_not_wedge_the_session),
		fixture_test(answer_behind_forged_data_counts),
		fixture_test(answer_behind_earlier_forged_data_counts),
		fixture_test(overtaken_acknowledgements_are_no_answers),
		fixture_test(old_acknowledgement_makes_us_ask_and_takes_nothing_back),
		fixture_test(repeated_answer_after_a_lost_ack_costs_one_question),
		fixture_test(forged_fin_is_taken_back),
		fixture_test(data_beyond_a_forged_fin_takes_it_back),
		fixture_test(forged_fin_before_ours_is_taken_back),
		fixture_test(real_fin_stays_whatever_is_said_after_it),
		fixture_test(fin_after_a_forged_one_is_acknowledged_in_time_wait),
		fixture_test(forged_timestamp_does_not_wedge_the_session),
		fixture_test(forged_window_from_beyond_does_not_outbid_the_next),
		fixture_test(flood_of_bad_records_is_answered_ten_times_a_second),
		fixture_test(record_of_no_session_is_counted),
	};

	return cmocka_run_group_tests_name("session, hostile records", tests, NULL, NULL);
}
