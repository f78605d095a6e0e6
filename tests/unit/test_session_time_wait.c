/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_time_wait.c - a TIME-WAIT that begins with deadlines of the states before it: a gate
 * that was settling, an ACK that found the sender full. None of them may keep a timer due for ever,
 * an ACK that is owed is said as soon as there is room, and the session ends in its time. In
 * virtual time, through replay.h.
 *
 * A deadline that is never taken back makes replay_on_time loop, in which no assertion can look: an
 * alarm ends the program then.
 */
#include "tests/unit/replay_fixture.h"

#include <signal.h>
#include <unistd.h>

enum {
	PATIENCE_S = 10, /* real time, for tests of some milliseconds */
};

static void on_alarm(int signal_number)
{
	static const char text[] = "not ok - replay_on_time does not come back\n";
	ssize_t written = write(STDOUT_FILENO, text, sizeof(text) - 1);

	_exit(written < 0 ? signal_number : 1);
}

static int setup(void **state)
{
	alarm(PATIENCE_S);
	return fixture_setup(state);
}

static int teardown(void **state)
{
	alarm(0);
	return fixture_teardown(state);
}

/* Runs the timers for so long; the next call is never wanted at once. */
static void pass_without_spinning(struct fixture *f, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		pass_ms(f, 1);
		assert_true(replay_next_us(f->replay) > f->now_us);
	}
}

static void expect_ended_by_the_client(struct fixture *f)
{
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_client, 1);
	assert_false(f->urgent);
}

/* The client has said GET and FIN; the target has acknowledged both. */
static void request_and_fin_are_acknowledged(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_says(f, "F. 6:6(0) ack 1");
	expect_segment(f, "F. 6:6(0) ack 1");
	target_says(f, ". 1:1(0) ack 7");
	expect_nothing(f);
}

/*
 * The client took 300 bytes, then reset; the target has answered with 100, so its reset waits for
 * the gate to settle.
 */
static void reset_of_the_client_is_settling(struct fixture *f)
{
	request_and_fin_are_acknowledged(f);
	pass_in_silence(f, 500); /* the client's pace: the gate does not settle before it */
	client_says(f, "R. 7:7(0) ack 301");
	expect_nothing(f);
	pass_in_silence(f, 5);
	target_says(f, "P. 1:101(100) ack 7");
	expect_nothing(f);
	assert_false(f->urgent);
}

static void leftover_of_a_settling_gate_does_not_spin(void **state)
{
	struct fixture *f = *state;

	reset_of_the_client_is_settling(f);
	target_says(f, "F. 101:101(0) ack 7");
	expect_segment(f, ". 7:7(0) ack 102");
	pass_without_spinning(f, 3900); /* far beyond the gate's deadline */
	expect_nothing(f);              /* nor is the reset said: the target has all it needs */
	assert_int_equal(fixture_registered(f), 1);
	pass_without_spinning(f, 200);
	expect_nothing(f);
	expect_ended_by_the_client(f);
}

/* The same with the longest wait between: the gate's deadline is due when TIME-WAIT begins. */
static void gate_that_is_due_as_time_wait_begins_does_not_spin(void **state)
{
	struct fixture *f = *state;

	request_and_fin_are_acknowledged(f);
	client_says(f, "R. 7:7(0) ack 301");
	expect_nothing(f);
	target_says(f, "P. 1:101(100) ack 7");
	expect_nothing(f);
	f->now_us += 1999; /* settled after 2 ms */
	target_says(f, "F. 101:101(0) ack 7");
	expect_segment(f, ". 7:7(0) ack 102");
	pass_without_spinning(f, 4100);
	expect_nothing(f);
	expect_ended_by_the_client(f);
}

static void repeated_fin_is_acknowledged_after_the_leftover_deadline(void **state)
{
	struct fixture *f = *state;

	reset_of_the_client_is_settling(f);
	target_says(f, "F. 101:101(0) ack 7");
	expect_segment(f, ". 7:7(0) ack 102");
	pass_without_spinning(f, 1000);
	target_says(f, "F. 101:101(0) ack 7");
	expect_segment(f, ". 7:7(0) ack 102");
	pass_without_spinning(f, 4100);
	expect_nothing(f);
	expect_ended_by_the_client(f);
}

/* FIN-WAIT-2; an answer is to be acknowledged 40 ms from now, when the sender becomes full. */
static void acknowledgement_is_pending_and_the_sender_full(struct fixture *f)
{
	request_and_fin_are_acknowledged(f);
	target_says(f, "P. 1:101(100) ack 7");
	expect_nothing(f);
	f->emit_room = 0;
	target_says(f, "F. 101:101(0) ack 7");
	expect_nothing(f);
	assert_true(replay_is_blocked(f->replay));
}

static void ack_that_comes_due_without_room_does_not_spin(void **state)
{
	struct fixture *f = *state;

	acknowledgement_is_pending_and_the_sender_full(f);
	pass_without_spinning(f, 1000);
	expect_nothing(f);
	assert_true(replay_is_blocked(f->replay));
	f->emit_room = 1;
	end_batch(f);
	expect_segment(f, ". 7:7(0) ack 102"); /* one for the answer and the FIN */
	assert_false(replay_is_blocked(f->replay));
	f->emit_room = -1;
	pass_without_spinning(f, 4100);
	expect_nothing(f);
	expect_ended_by_the_client(f);
}

static void full_sender_and_settling_gate_together_do_not_spin(void **state)
{
	struct fixture *f = *state;

	reset_of_the_client_is_settling(f);
	f->emit_room = 0;
	target_says(f, "F. 101:101(0) ack 7");
	pass_without_spinning(f, 1000);
	f->emit_room = -1;
	end_batch(f);
	expect_segment(f, ". 7:7(0) ack 102");
	pass_without_spinning(f, 4100);
	expect_nothing(f);
	expect_ended_by_the_client(f);
}

static void sender_that_stays_full_for_all_of_it_still_lets_it_end(void **state)
{
	struct fixture *f = *state;

	acknowledgement_is_pending_and_the_sender_full(f);
	pass_without_spinning(f, 5000);
	f->emit_room = -1;
	end_batch(f);
	assert_false(replay_is_blocked(f->replay));
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->stream.delivered.bytes, 5);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_client, 1);
}

#define timed_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		timed_test(leftover_of_a_settling_gate_does_not_spin),
		timed_test(gate_that_is_due_as_time_wait_begins_does_not_spin),
		timed_test(repeated_fin_is_acknowledged_after_the_leftover_deadline),
		timed_test(ack_that_comes_due_without_room_does_not_spin),
		timed_test(full_sender_and_settling_gate_together_do_not_spin),
		timed_test(sender_that_stays_full_for_all_of_it_still_lets_it_end),
	};

	signal(SIGALRM, on_alarm);
	return cmocka_run_group_tests_name("session, TIME-WAIT", tests, NULL, NULL);
}
