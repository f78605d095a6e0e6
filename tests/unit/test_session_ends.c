/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_ends.c - how a session ends: every state under every flag of the target, the orders
 * in which both sides close, resets, giving up, shutdown. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

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
	{"CLOSE-WAIT, FIN elsewhere", to_close_wait, "F. 9:9(0) ack 1", ". 0:0(0) ack 2", NULL,
	 true},
	{"CLOSE-WAIT, data", to_close_wait, "P. 2:12(10) ack 1", ". 0:0(0) ack 2", NULL, true},
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
	target_says(f, "R 2:2(0)"); /* nobody has read it: it goes to another connection, once */
	expect_segment(f, "S 0:0(0)");
	f->at = f->faked_count - 1;
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, "P. 1:11(10) ack 1");
	target_says(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_RESET].bytes, 10);
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
	struct fixture *f =
		fixture_new(&(struct fixture_config){.give_up_us = 5000000, .whole_only = true});

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};
	struct CMUnitTest all[sizeof(steps) / sizeof(steps[0])] = {0};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		all[i] = (struct CMUnitTest){
			.name = steps[i].name,
			.test_func = run_step,
			.initial_state = (void *)(uintptr_t)&steps[i],
		};
	return cmocka_run_group_tests_name("session, ends", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("session, every state and flag", all, NULL, NULL);
}
