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
		fixture_test(one_bogus_record_does_not_wedge_the_session),
		fixture_test(single_old_acknowledgement_takes_nothing_back),
		fixture_test(record_of_no_session_is_counted),
	};

	return cmocka_run_group_tests_name("session, hostile records", tests, NULL, NULL);
}
