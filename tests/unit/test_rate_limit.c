/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rate_limit.c - new sessions a second: what is steady passes, what is above it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcpcopy/rate_limit.h"

enum {
	SECOND_US = 1000000,
};

/* Connections of so many sessions come evenly for a time; how many of them pass. */
static uint32_t passed(struct rate_limit *l, uint32_t sessions, uint32_t per_s, uint64_t seconds,
		       uint64_t from_us)
{
	uint32_t n = 0;

	for (uint64_t i = 0; i < per_s * seconds; i++)
		n += rate_limit_take(l, sessions, from_us + i * SECOND_US / per_s);
	return n;
}

static void steady_load_at_the_rate_passes_whole(void **state)
{
	static const uint32_t rates[] = {1, 3, 7, 100, 9999, 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct rate_limit l;

		rate_limit_init(&l, rates[i], 5);
		assert_int_equal(passed(&l, 1, rates[i], 4, 5), 4 * rates[i]);
	}
}

/* One comes as soon as another could: this process was away for a fifth of a second each time. */
static void steady_load_in_bunches_passes_whole(void **state)
{
	struct rate_limit l;

	(void)state;
	rate_limit_init(&l, 100, 0);
	for (uint64_t at_us = 0; at_us < 10 * SECOND_US; at_us += SECOND_US / 5)
		for (int i = 0; i < 20; i++)
			assert_true(rate_limit_take(&l, 1, at_us));
}

static void overload_is_cut_to_the_rate(void **state)
{
	struct rate_limit l;

	(void)state;
	rate_limit_init(&l, 100, 0);
	assert_in_range(passed(&l, 1, 5000, 10, 0), 1000, 1025); /* a quarter of a second beside */
}

static void burst_after_silence_is_a_quarter_of_a_second_s_worth(void **state)
{
	struct rate_limit l;
	uint32_t n = 0;

	(void)state;
	rate_limit_init(&l, 100, 0);
	while (rate_limit_take(&l, 1, 0))
		n++;
	assert_int_equal(n, 25);
	for (n = 0; rate_limit_take(&l, 1, UINT64_C(3600) * SECOND_US);)
		n++;
	assert_int_equal(n, 25);
}

static void lowest_rate_still_lets_one_through(void **state)
{
	struct rate_limit l;

	(void)state;
	rate_limit_init(&l, 1, 0);
	assert_true(rate_limit_take(&l, 1, 0));
	assert_false(rate_limit_take(&l, 1, SECOND_US / 2 - 1));
	assert_true(rate_limit_take(&l, 1, SECOND_US / 2));
	assert_false(rate_limit_take(&l, 1, SECOND_US / 2 * 3 - 1));
	assert_true(rate_limit_take(&l, 1, SECOND_US / 2 * 3));
}

/* Ten targets and one session a second: a connection every ten seconds, with all of its sessions. */
static void connection_of_more_sessions_than_the_rate_is_paid_for_later(void **state)
{
	struct rate_limit l;

	(void)state;
	rate_limit_init(&l, 1, 0);
	assert_true(rate_limit_take(&l, 10, 0));
	assert_false(rate_limit_has_room(&l, 9 * SECOND_US));
	assert_true(rate_limit_take(&l, 10, 10 * SECOND_US));
	assert_false(rate_limit_take(&l, 10, 19 * SECOND_US));
	assert_true(rate_limit_take(&l, 10, 20 * SECOND_US));
}

static void sessions_are_counted_not_connections(void **state)
{
	struct rate_limit l;

	(void)state;
	rate_limit_init(&l, 100, 0);
	assert_in_range(passed(&l, 4, 1000, 10, 0), 250, 258);
}

static void asking_takes_nothing(void **state)
{
	struct rate_limit l;

	(void)state;
	rate_limit_init(&l, 1, 0);
	for (int i = 0; i < 10; i++)
		assert_true(rate_limit_has_room(&l, 0));
	assert_true(rate_limit_take(&l, 1, 0));
	assert_false(rate_limit_has_room(&l, 0));
}

static void without_a_limit_all_pass(void **state)
{
	struct rate_limit l;

	(void)state;
	rate_limit_init(&l, 0, 0);
	for (int i = 0; i < 100000; i++)
		assert_true(rate_limit_take(&l, 1000, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steady_load_at_the_rate_passes_whole),
		cmocka_unit_test(steady_load_in_bunches_passes_whole),
		cmocka_unit_test(overload_is_cut_to_the_rate),
		cmocka_unit_test(burst_after_silence_is_a_quarter_of_a_second_s_worth),
		cmocka_unit_test(lowest_rate_still_lets_one_through),
		cmocka_unit_test(connection_of_more_sessions_than_the_rate_is_paid_for_later),
		cmocka_unit_test(sessions_are_counted_not_connections),
		cmocka_unit_test(asking_takes_nothing),
		cmocka_unit_test(without_a_limit_all_pass),
	};

	return cmocka_run_group_tests_name("rate limit", tests, NULL, NULL);
}
