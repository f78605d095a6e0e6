/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_held.c - answers that overtook their registration: kept for 200 ms, never more than the
 * table, the oldest out first.
 */
#include "intercept/held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct hash_key test_key = {.k0 = 1, .k1 = 2};

static struct held *new_held(void)
{
	struct held *h = held_new(&test_key);

	assert_non_null(h);
	return h;
}

/* The n-th answer; its number is the sequence number. */
static struct held_answer answer(uint32_t n)
{
	return (struct held_answer){
		.tuple = {.src = {.addr = ip_addr_v4(0x0a000002), .port = 80},
			  .dst = {.addr = ip_addr_v4(0x0a4d0000 + n), .port = 40000},
			  .protocol = PROTOCOL_TCP},
		.record = {.seq = n, .segments = 1},
	};
}

static bool put(struct held *h, uint32_t n, uint64_t now_us)
{
	struct held_answer a = answer(n);

	return held_put(h, &a, now_us);
}

static bool take(struct held *h, uint32_t n, uint64_t now_us)
{
	struct held_answer wanted = answer(n), got;

	if (!held_take(h, &wanted.tuple, &got, now_us))
		return false;
	assert_int_equal(got.record.seq, n);
	return true;
}

static void held_is_taken_once(void **state)
{
	struct held *h = new_held();

	(void)state;
	assert_true(put(h, 1, 0));
	assert_false(take(h, 2, 0));
	assert_true(take(h, 1, HELD_US - 1));
	assert_false(take(h, 1, HELD_US - 1));
	assert_int_equal(held_count(h), 0);
	held_free(h);
	held_free(NULL);
}

static void second_of_a_tuple_is_not_held(void **state)
{
	struct held *h = new_held();

	(void)state;
	assert_true(put(h, 1, 0));
	assert_false(put(h, 1, 10));
	assert_int_equal(held_count(h), 1);
	held_free(h);
}

static void too_old_is_neither_taken_nor_kept(void **state)
{
	struct held *h = new_held();

	(void)state;
	put(h, 1, 0);
	put(h, 2, 1000);
	assert_false(take(h, 1, HELD_US));
	assert_int_equal(held_expire(h, HELD_US - 1), 0);
	assert_int_equal(held_expire(h, HELD_US), 1);
	assert_int_equal(held_count(h), 1);
	assert_true(take(h, 2, HELD_US));
	held_free(h);
}

/* pitfall 25: unmatched SYN-ACKs must not cost memory without bound. */
static void pitfall_25_full_table_loses_the_oldest(void **state)
{
	struct held *h = new_held();
	size_t lost = 0;

	(void)state;
	for (uint32_t n = 0; n < 3 * HELD_MAX; n++) {
		lost += held_expire(h, n);
		assert_true(put(h, n, n));
		assert_true(held_count(h) <= HELD_MAX);
	}
	assert_int_equal(lost + held_count(h), 3 * HELD_MAX);
	assert_false(take(h, 0, 3 * HELD_MAX));
	assert_true(take(h, 3 * HELD_MAX - 1, 3 * HELD_MAX));
	assert_true(take(h, 2 * HELD_MAX + 1, 3 * HELD_MAX));
	held_free(h);
}

static void taken_places_are_not_counted_as_lost(void **state)
{
	struct held *h = new_held();

	(void)state;
	for (uint32_t n = 0; n < 10; n++)
		put(h, n, n);
	for (uint32_t n = 0; n < 10; n += 2)
		assert_true(take(h, n, 10));
	assert_int_equal(held_count(h), 5);
	assert_int_equal(held_expire(h, HELD_US + 9), 5);
	assert_int_equal(held_count(h), 0);
	held_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_is_taken_once),
		cmocka_unit_test(second_of_a_tuple_is_not_held),
		cmocka_unit_test(too_old_is_neither_taken_nor_kept),
		cmocka_unit_test(pitfall_25_full_table_loses_the_oldest),
		cmocka_unit_test(taken_places_are_not_counted_as_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
