/* SPDX-License-Identifier: BSD-2-Clause */
/* Targets that end connections without a byte of an answer: told once, and not taken for a login. */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/habits.h"

enum {
	REFUSED_MS = 1000,
};

static size_t told(const struct fixture *f, enum replay_notice what)
{
	size_t n = 0;

	for (size_t i = 0; i < f->notice_count; i++)
		n += f->notices[i] == what;
	return n;
}

/* Client n begins and asks; the target takes the request. */
static void ask(struct fixture *f, unsigned n)
{
	be_client(f, n);
	client_says(f, "S 0:0(0) <mss 1460>");
	server_says(f, "S. 0:0(0) ack 1");
	client_data(f, 1, 1, "GET /");
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	target_says(f, ". 1:1(0) ack 6");
	ignore_sent(f);
}

/* Client n, older than the copy, is joined at its second request, which the target takes. */
static void join(struct fixture *f, unsigned n)
{
	be_client(f, n);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 10);
	client_data(f, 6, 301, "GET /");
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	target_says(f, ". 1:1(0) ack 6");
	ignore_sent(f);
}

static void whole_connections_without_a_byte_are_told_at_the_sixteenth(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < HABITS_MUTE_MAX + 4; n++) {
		assert_int_equal(told(f, REPLAY_NOTICE_MUTE), n >= HABITS_MUTE_MAX);
		ask(f, n);
		target_says(f, n % 2 ? "F. 1:1(0) ack 6" : "R. 1:1(0) ack 6");
		ignore_sent(f);
	}
	assert_int_equal(account_of(f, 0)->sessions.ended_unanswered, HABITS_MUTE_MAX + 4);
}

static void an_answer_ends_the_row(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < 2 * HABITS_MUTE_MAX; n++) {
		ask(f, n);
		if (n == HABITS_MUTE_MAX - 1)
			target_says(f, "P. 1:301(300) ack 6");
		else
			target_says(f, "R. 1:1(0) ack 6");
		ignore_sent(f);
	}
	assert_int_equal(told(f, REPLAY_NOTICE_MUTE), 1);
	assert_int_equal(account_of(f, 0)->sessions.ended_unanswered, 2 * HABITS_MUTE_MAX - 1);
}

/* PostgreSQL does so with each, and answers those that begin with a login. */
static void older_connections_without_a_byte_are_refused_joins(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < HABITS_MUTE_MAX + 4; n++) {
		join(f, n);
		target_says(f, "F. 1:1(0) ack 6");
		client_data(f, 11, 601, "GET /");
		ignore_sent(f);
		pass_ms(f, REFUSED_MS + 10);
		client_data(f, 16, 901, "GET /");
	}
	assert_int_equal(told(f, REPLAY_NOTICE_MUTE), 0);
	assert_int_equal(told(f, REPLAY_NOTICE_JOIN_REFUSED), 1);
	ignore_sent(f);
}

/* The server speaks first online; the target resets at once, so nothing is ever said to it. */
static void a_client_that_waits_for_a_greeting_counts(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < HABITS_MUTE_MAX; n++) {
		be_client(f, n);
		client_says(f, "S 0:0(0) <mss 1460>");
		server_says(f, "S. 0:0(0) ack 1");
		client_data(f, 1, 81, "EHLO x");
		target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
		target_says(f, "R. 1:1(0) ack 1");
		ignore_sent(f);
	}
	assert_int_equal(told(f, REPLAY_NOTICE_MUTE), 1);
}

/* Connections that their clients opened in advance are ended by every server, some day. */
static void a_client_that_has_nothing_to_say_does_not_count(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < 2 * HABITS_MUTE_MAX; n++) {
		be_client(f, n);
		client_says(f, "S 0:0(0) <mss 1460>");
		server_says(f, "S. 0:0(0) ack 1");
		client_says(f, ". 1:1(0) ack 1");
		target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
		target_says(f, "F. 1:1(0) ack 1");
		ignore_sent(f);
	}
	assert_int_equal(told(f, REPLAY_NOTICE_MUTE), 0);
	assert_int_equal(account_of(f, 0)->sessions.ended_unanswered, 0);
}

/* A proxy whose servers are down ends every connection; a minute later they are back. */
static void a_mute_target_refuses_no_joins(void **state)
{
	struct fixture *f = *state;
	uint32_t said = 6;

	ask(f, 1);
	target_says(f, "R. 1:1(0) ack 6");
	for (unsigned n = 0; n < 8; n++) {
		pass_ms(f, REFUSED_MS + 10);
		client_data(f, said, 1 + 300 * (n + 1), "GET /");
		said += 5;
		target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
		target_says(f, ". 1:1(0) ack 6");
		target_says(f, "R. 1:1(0) ack 6");
		ignore_sent(f);
	}
	assert_int_equal(account_of(f, 0)->sessions.rejoined, 8);
	pass_ms(f, REFUSED_MS + 10);
	client_data(f, said, 1 + 300 * 9, "GET /");
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	target_says(f, "P. 1:301(300) ack 6");
	pass_ms(f, 2 * REFUSED_MS);
	client_data(f, said + 5, 1 + 300 * 10, "GET /");
	ignore_sent(f);
	target_says(f, ". 301:301(0) ack 11");
	assert_int_equal(told(f, REPLAY_NOTICE_JOIN_REFUSED), 0);
	assert_int_equal(stream(f)->dropped[DROP_JOIN_REFUSED].requests, 0);
}

/* HTTP/2's answer to a request without its preface: it says so, and closes. */
static void brief_end(struct fixture *f, unsigned n)
{
	join(f, n);
	target_says(f, "FP. 1:18(17) ack 6");
	client_data(f, 11, 601, "GET /"); /* goes on with another connection */
	ignore_sent(f);
}

static void joined_connections_of_one_turn_each_are_told_at_the_sixteenth(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < HABITS_BRIEF_JOINS_MAX + 4; n++) {
		assert_int_equal(told(f, REPLAY_NOTICE_BRIEF_JOINS), n >= HABITS_BRIEF_JOINS_MAX);
		brief_end(f, n);
	}
	assert_int_equal(told(f, REPLAY_NOTICE_JOIN_REFUSED), 0);
}

/* It closes all that it has answered: nothing is wrong with those that were joined. */
static void a_target_without_keep_alive_is_not_told(void **state)
{
	struct fixture *f = *state;

	ask(f, 99);
	target_says(f, "FP. 1:301(300) ack 6");
	client_data(f, 6, 301, "GET /");
	ignore_sent(f);
	for (unsigned n = 0; n < 2 * HABITS_BRIEF_JOINS_MAX; n++)
		brief_end(f, n);
	assert_int_equal(told(f, REPLAY_NOTICE_BRIEF_JOINS), 0);
}

/* A close after some time is the target's idle limit. */
static void a_close_that_is_not_young_is_not_told(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < 2 * HABITS_BRIEF_JOINS_MAX; n++) {
		join(f, n);
		target_says(f, "P. 1:18(17) ack 6");
		pass_ms(f, 600);
		target_says(f, "F. 18:18(0) ack 6");
		client_data(f, 11, 601, "GET /");
		ignore_sent(f);
	}
	assert_int_equal(told(f, REPLAY_NOTICE_BRIEF_JOINS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(joined_connections_of_one_turn_each_are_told_at_the_sixteenth),
		fixture_test(a_target_without_keep_alive_is_not_told),
		fixture_test(a_close_that_is_not_young_is_not_told),
		fixture_test(whole_connections_without_a_byte_are_told_at_the_sixteenth),
		fixture_test(an_answer_ends_the_row),
		fixture_test(older_connections_without_a_byte_are_refused_joins),
		fixture_test(a_client_that_waits_for_a_greeting_counts),
		fixture_test(a_client_that_has_nothing_to_say_does_not_count),
		fixture_test(a_mute_target_refuses_no_joins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
