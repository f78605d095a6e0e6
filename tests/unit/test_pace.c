/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pace.c - when captured packets set the pace of a worker, and when they no longer do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcpcopy/pace.h"

enum {
	NOW = 5000000, /* us */
	BLOCK = 1000,
};

static void nothing_captured_is_no_pace(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, BLOCK);
	assert_false(pace_is_steady(&p, NOW));
	pace_on_capture(&p, NOW);
	assert_false(pace_is_steady(&p, NOW)); /* one does not promise another */
}

static void blocks_that_follow_each_other_set_the_pace(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, BLOCK);
	pace_on_capture(&p, NOW);
	pace_on_capture(&p, NOW + 2 * BLOCK);
	assert_true(pace_is_steady(&p, NOW + 2 * BLOCK));
	pace_on_capture(&p, NOW + 4 * BLOCK + BLOCK / 2);
	assert_true(pace_is_steady(&p, NOW + 4 * BLOCK + BLOCK / 2));
	pace_on_capture(&p, NOW + 8 * BLOCK);
	assert_false(pace_is_steady(&p, NOW + 8 * BLOCK));
	pace_on_capture(&p, NOW + 9 * BLOCK);
	assert_true(pace_is_steady(&p, NOW + 9 * BLOCK));
}

static void steady_time_ends_when_nothing_more_comes(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, BLOCK);
	pace_on_capture(&p, NOW - BLOCK);
	pace_on_capture(&p, NOW);
	assert_true(pace_is_steady(&p, NOW + PACE_PATIENCE_US - 1));
	assert_false(pace_is_steady(&p, NOW + PACE_PATIENCE_US));
}

/* Records that came meanwhile are due, and nobody knows of them. */
static void worker_wakes_when_the_steady_time_is_over_whatever_is_due(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, BLOCK);
	pace_on_capture(&p, NOW - BLOCK);
	pace_on_capture(&p, NOW);
	assert_int_equal(pace_wake_us(&p, NOW + 1, NOW), NOW + PACE_PATIENCE_US);
	assert_int_equal(pace_wake_us(&p, NOW + 200000, NOW), NOW + PACE_PATIENCE_US);
	assert_int_equal(pace_wake_us(&p, UINT64_MAX, NOW), NOW + PACE_PATIENCE_US);
	assert_int_equal(pace_wake_us(&p, NOW, NOW), NOW);
	assert_int_equal(pace_wake_us(&p, 0, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_captured_is_no_pace),
		cmocka_unit_test(blocks_that_follow_each_other_set_the_pace),
		cmocka_unit_test(steady_time_ends_when_nothing_more_comes),
		cmocka_unit_test(worker_wakes_when_the_steady_time_is_over_whatever_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
