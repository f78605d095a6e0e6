/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_resume.c - how much of a stream goes on with another connection when the target ends
 * one: what nobody has read is said again, what may have been read or was begun is not, and the rest
 * of a request goes where its beginning went. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

static void target_accepts(struct fixture *f)
{
	f->at = f->faked_count - 1;
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	assert_true(f->expected < f->sent_count);
}

/* One request is answered, the second is out; it begins where a request certainly begins. */
static void second_request_is_out(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	client_data(f, 7, 301, "GET /second");
	expect_segment(f, "P. 7:18(11) ack 301");
}

/* The third request goes on a connection of its own, and alone. */
static void third_request_goes_alone(struct fixture *f)
{
	client_data(f, 18, 601, "GET /3");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /3");
	target_says(f, "P. 1:301(300) ack 7");
}

/* RFC 9293, section 3.10.7.1: no such connection. But the target has a part of the request. */
static void request_half_acknowledged_is_not_begun_again(void **state)
{
	struct fixture *f = *state;

	second_request_is_out(f);
	target_says(f, ". 301:301(0) ack 10");
	target_says(f, "R 301:301(0)");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	third_request_goes_alone(f);
	assert_int_equal(stream(f)->delivered.bytes, 6 + 3 + 6);
	assert_int_equal(stream(f)->delivered.requests, 2);
	assert_int_equal(stream(f)->dropped[DROP_TARGET_RESET].bytes, 8);
	assert_int_equal(stream(f)->dropped[DROP_TARGET_RESET].requests, 1);
}

static void request_that_a_reset_acknowledges_nothing_of_may_have_been_read(void **state)
{
	struct fixture *f = *state;

	second_request_is_out(f);
	target_says(f, "R. 301:301(0) ack 7");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	third_request_goes_alone(f);
	assert_int_equal(stream(f)->delivered.requests, 2);
	assert_int_equal(stream(f)->dropped[DROP_TARGET_RESET].bytes, 11);
}

/* A keep-alive limit: the FIN and the request have crossed. */
static void request_that_met_a_closed_server_is_said_again(void **state)
{
	struct fixture *f = *state;

	second_request_is_out(f);
	target_says(f, "F. 301:301(0) ack 7");
	expect_segment(f, ". 18:18(0) ack 302");
	target_says(f, "R. 302:302(0) ack 7");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:12(11) ack 1");
	expect_payload(f, "GET /second");
	target_says(f, "P. 1:301(300) ack 12");
	assert_int_equal(stream(f)->delivered.requests, 2);
	assert_int_equal(account_of(f, 0)->sessions.rejoined, 1);
}

static void unacknowledged_request_is_not_said_again_after_t(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	second_request_is_out(f);
	pass_ms(f, 5100);
	ignore_sent(f);
	pass_in_silence(f, 3000);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(stream(f)->dropped[DROP_TIMED_OUT].bytes, 11);
	assert_int_equal(stream(f)->dropped[DROP_TIMED_OUT].requests, 1);
	third_request_goes_alone(f);
	fixture_free(f);
}

/* A half-closed target still reads: the rest of the request is for it, the next one is not. */
static void closed_target_is_left_when_it_has_the_whole_request(void **state)
{
	struct fixture *f = *state;

	session_established_by(f, "S 0:0(0) <mss 1000>", "S. 0:0(0) ack 1 win 1000 <mss 1000>");
	client_bytes(f, 1, 1, 3000);
	expect_segment(f, ". 1:1001(1000) ack 1");
	pass_ms(f, 6);
	client_says(f, "P. 3001:3011(10) ack 301");
	target_says(f, "F. 1:1(0) ack 1001 win 1000");
	expect_segment(f, ". 1001:2001(1000) ack 2");
	target_says(f, ". 2:2(0) ack 2001 win 1000");
	expect_segment(f, "P. 2001:3001(1000) ack 2");
	expect_nothing(f);
	target_says(f, ". 2:2(0) ack 3001 win 1000");
	expect_segment(f, "R. 3001:3001(0) ack 2");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:11(10) ack 1");
	expect_pattern(f, 3000);
	assert_int_equal(stream(f)->delivered.bytes, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(request_half_acknowledged_is_not_begun_again),
		fixture_test(request_that_a_reset_acknowledges_nothing_of_may_have_been_read),
		fixture_test(request_that_met_a_closed_server_is_said_again),
		cmocka_unit_test(unacknowledged_request_is_not_said_again_after_t),
		fixture_test(closed_target_is_left_when_it_has_the_whole_request),
	};

	return cmocka_run_group_tests_name("session, resumption", tests, NULL, NULL);
}
