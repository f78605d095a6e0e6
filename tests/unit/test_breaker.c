/* SPDX-License-Identifier: BSD-2-Clause */
/* test_breaker.c - when the copy pauses, tries again and resumes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcpcopy/breaker.h"

enum {
	START = 5000000, /* us */
};

static void send_syns(struct breaker *b, unsigned count, uint64_t now_us)
{
	for (unsigned i = 0; i < count; i++) {
		assert_true(breaker_may_send(b, now_us));
		breaker_on_syn(b, now_us);
	}
}

static void opened(struct breaker *b)
{
	send_syns(b, BREAKER_SYNS, START);
	assert_int_equal(breaker_check(b, START + BREAKER_WAIT_US), BREAKER_TRY_IP);
	assert_int_equal(breaker_check(b, START + BREAKER_WAIT_US), BREAKER_OPENED);
	assert_true(b->is_open);
}

static void fresh_breaker_lets_everything_pass(void **state)
{
	struct breaker b = {0};

	(void)state;
	assert_true(breaker_may_send(&b, 0));
	assert_true(breaker_may_send(&b, UINT64_MAX));
	assert_int_equal(breaker_check(&b, UINT64_MAX), BREAKER_NOTHING);
	assert_true(breaker_next_us(&b) == UINT64_MAX);
	assert_false(breaker_on_answer(&b));
}

static void sixteen_unanswered_for_3_s_open_it(void **state)
{
	struct breaker b = {0};

	(void)state;
	send_syns(&b, BREAKER_SYNS, START);
	assert_int_equal(breaker_check(&b, START + BREAKER_TRY_IP_US - 1), BREAKER_NOTHING);
	assert_true(breaker_next_us(&b) == START + BREAKER_TRY_IP_US);
	assert_int_equal(breaker_check(&b, START + BREAKER_TRY_IP_US), BREAKER_TRY_IP);
	assert_int_equal(breaker_check(&b, START + BREAKER_TRY_IP_US), BREAKER_NOTHING);
	assert_true(breaker_next_us(&b) == START + BREAKER_WAIT_US);
	assert_int_equal(breaker_check(&b, START + BREAKER_WAIT_US - 1), BREAKER_NOTHING);
	assert_int_equal(breaker_check(&b, START + BREAKER_WAIT_US), BREAKER_OPENED);
	assert_int_equal(breaker_check(&b, START + BREAKER_WAIT_US), BREAKER_NOTHING);
	assert_true(breaker_next_us(&b) == START + BREAKER_WAIT_US + BREAKER_CHANGE_US);
}

static void sixteen_with_an_answer_between_do_not(void **state)
{
	struct breaker b = {0};

	(void)state;
	send_syns(&b, BREAKER_SYNS, START);
	assert_false(breaker_on_answer(&b));
	send_syns(&b, BREAKER_SYNS - 1, START + 1000000);
	assert_int_equal(breaker_check(&b, START + BREAKER_WAIT_US), BREAKER_NOTHING);
	assert_int_equal(breaker_check(&b, START + 1000000 + BREAKER_WAIT_US), BREAKER_UNANSWERED);
	assert_false(b.is_open);
}

static void fifteen_are_told_once_and_do_not_open_it(void **state)
{
	struct breaker b = {0};

	(void)state;
	send_syns(&b, BREAKER_SYNS - 1, START);
	assert_true(breaker_next_us(&b) == START + BREAKER_WAIT_US);
	assert_int_equal(breaker_check(&b, START + BREAKER_WAIT_US), BREAKER_UNANSWERED);
	assert_int_equal(breaker_check(&b, START + 100 * (uint64_t)BREAKER_WAIT_US),
			 BREAKER_NOTHING);
	assert_true(breaker_next_us(&b) == UINT64_MAX);
	send_syns(&b, 1, START + 100 * (uint64_t)BREAKER_WAIT_US); /* now they are enough */
	assert_int_equal(breaker_check(&b, START + 100 * (uint64_t)BREAKER_WAIT_US),
			 BREAKER_TRY_IP);
	assert_int_equal(breaker_check(&b, START + 100 * (uint64_t)BREAKER_WAIT_US),
			 BREAKER_OPENED);
}

static void another_sender_is_no_help_once_there_was_an_answer(void **state)
{
	struct breaker b = {0};

	(void)state;
	send_syns(&b, 1, START);
	breaker_on_answer(&b);
	send_syns(&b, BREAKER_SYNS, START);
	assert_int_equal(breaker_check(&b, START + BREAKER_TRY_IP_US), BREAKER_NOTHING);
	assert_int_equal(breaker_check(&b, START + BREAKER_WAIT_US), BREAKER_OPENED);
}

static void open_breaker_lets_one_syn_a_second_pass(void **state)
{
	struct breaker b = {0};
	uint64_t now = START + BREAKER_WAIT_US;

	(void)state;
	b.was_answered = true; /* so there is nothing else to try */
	send_syns(&b, BREAKER_SYNS, START);
	assert_int_equal(breaker_check(&b, now), BREAKER_OPENED);
	for (unsigned i = 0; i < 10; i++) {
		assert_false(breaker_may_send(&b, now));
		assert_false(breaker_may_send(&b, now + BREAKER_PROBE_US - 1));
		now += BREAKER_PROBE_US;
		assert_true(breaker_may_send(&b, now));
		breaker_on_syn(&b, now);
		assert_int_equal(breaker_check(&b, now), BREAKER_NOTHING);
	}
}

/* Probes until the other backend gets its turn; returns how many. */
static unsigned probes_until(struct breaker *b, uint64_t *now_us, enum breaker_event event)
{
	for (unsigned probes = 0; probes < 100; probes++) {
		enum breaker_event seen = breaker_check(b, *now_us + BREAKER_CHANGE_US);

		if (seen != BREAKER_NOTHING) {
			assert_int_equal(seen, event);
			return probes;
		}
		*now_us += BREAKER_PROBE_US;
		assert_true(breaker_may_send(b, *now_us));
		breaker_on_syn(b, *now_us);
		/* Its answer would be taken for one to the other backend. */
		assert_int_equal(breaker_check(b, *now_us), BREAKER_NOTHING);
	}
	fail();
	return 0;
}

static void backends_take_turns_until_an_answer_comes(void **state)
{
	struct breaker b = {0};
	uint64_t now = START + BREAKER_WAIT_US;

	(void)state;
	opened(&b);
	assert_int_equal(probes_until(&b, &now, BREAKER_TRY_LINK), 0);
	assert_int_equal(probes_until(&b, &now, BREAKER_TRY_IP), BREAKER_TURN_PROBES);
	assert_int_equal(probes_until(&b, &now, BREAKER_TRY_LINK), BREAKER_TURN_PROBES);
	assert_int_equal(probes_until(&b, &now, BREAKER_TRY_IP), BREAKER_TURN_PROBES);
	now += BREAKER_PROBE_US;
	breaker_on_syn(&b, now);
	assert_true(breaker_on_answer(&b));
	assert_true(b.is_by_ip);
	send_syns(&b, BREAKER_SYNS, now);
	assert_int_equal(breaker_check(&b, now + BREAKER_WAIT_US), BREAKER_OPENED);
	for (unsigned i = 0; i < 3 * BREAKER_TURN_PROBES; i++) {
		now += BREAKER_PROBE_US;
		breaker_on_syn(&b, now);
		assert_int_equal(breaker_check(&b, now + BREAKER_CHANGE_US), BREAKER_NOTHING);
	}
	assert_true(breaker_next_us(&b) == UINT64_MAX);
}

/* A turn that had begun counts for nothing: whatever was asked could not be answered. */
static void a_new_beginning_ends_the_turn(void **state)
{
	struct breaker b = {0};
	uint64_t now = START + BREAKER_WAIT_US;

	(void)state;
	opened(&b);
	breaker_begin_anew(&b);
	assert_int_equal(breaker_check(&b, now + BREAKER_CHANGE_US), BREAKER_NOTHING);
	assert_true(breaker_next_us(&b) == UINT64_MAX);
	now += 10 * (uint64_t)BREAKER_WAIT_US;
	send_syns(&b, BREAKER_SYNS, now);
	now += BREAKER_WAIT_US;
	assert_int_equal(breaker_check(&b, now), BREAKER_OPENED);
	assert_int_equal(breaker_check(&b, now + BREAKER_CHANGE_US), BREAKER_TRY_LINK);
}

static void probe_that_was_not_used_stays_open(void **state)
{
	struct breaker b = {0};

	(void)state;
	opened(&b);
	assert_true(breaker_may_send(&b, START + 100 * (uint64_t)BREAKER_WAIT_US));
	assert_true(breaker_may_send(&b, START + 101 * (uint64_t)BREAKER_WAIT_US));
}

static void answer_closes_it(void **state)
{
	struct breaker b = {0};
	uint64_t now = START + 2 * (uint64_t)BREAKER_WAIT_US;

	(void)state;
	opened(&b);
	assert_true(breaker_on_answer(&b));
	assert_false(breaker_on_answer(&b)); /* told once */
	send_syns(&b, 100, now);
	assert_int_equal(breaker_check(&b, now), BREAKER_NOTHING);
	assert_int_equal(breaker_check(&b, now + BREAKER_WAIT_US), BREAKER_OPENED); /* again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_breaker_lets_everything_pass),
		cmocka_unit_test(sixteen_unanswered_for_3_s_open_it),
		cmocka_unit_test(sixteen_with_an_answer_between_do_not),
		cmocka_unit_test(fifteen_are_told_once_and_do_not_open_it),
		cmocka_unit_test(another_sender_is_no_help_once_there_was_an_answer),
		cmocka_unit_test(open_breaker_lets_one_syn_a_second_pass),
		cmocka_unit_test(backends_take_turns_until_an_answer_comes),
		cmocka_unit_test(a_new_beginning_ends_the_turn),
		cmocka_unit_test(probe_that_was_not_used_stays_open),
		cmocka_unit_test(answer_closes_it),
	};

	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
