/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_timer_wheel.c - the wheel against hand-made cases, and against a naive model (an array that
 * is searched) under random operations.
 */
#include "common/timer_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	TICK_US = 1024,
	MODEL_TIMERS = 64,
};

#define SECOND_US UINT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define DAY_US    (24 * HOUR_US)

static uint64_t random_state;

/* xorshift64*: the same on every machine. */
static uint64_t random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

static uint64_t random_below(uint64_t n)
{
	return random_u64() % n;
}

static uint64_t tick_up(uint64_t us)
{
	return us / TICK_US + (us % TICK_US != 0);
}

static void empty_wheel_never_wants_a_call(void **state)
{
	struct timer_wheel *w = timer_wheel_new(5 * SECOND_US);

	(void)state;
	assert_non_null(w);
	assert_int_equal(timer_wheel_count(w), 0);
	assert_true(timer_wheel_next_us(w) == UINT64_MAX);
	assert_null(timer_wheel_pop(w, 0));
	assert_null(timer_wheel_pop(w, 100 * DAY_US));
	assert_true(timer_wheel_next_us(w) == UINT64_MAX);
	timer_wheel_free(w);
	timer_wheel_free(NULL);
}

static void timer_never_fires_early_and_at_most_two_ticks_late(void **state)
{
	static const uint64_t delays_us[] = {
		1,       1023,        1024,         1025,    40000,          65536,
		65537,   200000,      SECOND_US,    4194304, 60 * SECOND_US, 600 * SECOND_US,
		HOUR_US, 30 * DAY_US, 365 * DAY_US,
	};
	static const uint64_t starts_us[] = {0, 1, 1023, 64 * 1024 - 1, 123456789012345};

	(void)state;
	for (size_t s = 0; s < sizeof(starts_us) / sizeof(starts_us[0]); s++) {
		for (size_t d = 0; d < sizeof(delays_us) / sizeof(delays_us[0]); d++) {
			uint64_t at = starts_us[s] + delays_us[d];
			struct timer_wheel *w = timer_wheel_new(starts_us[s]);
			struct timer t = {0};
			uint64_t now;
			int calls = 0;

			assert_false(timer_is_set(&t));
			timer_wheel_set(w, &t, at);
			assert_true(timer_is_set(&t));
			assert_null(timer_wheel_pop(w, at - 1));
			/* Following next_us reaches it after a cascade a level at most. */
			for (;;) {
				now = timer_wheel_next_us(w);
				assert_true(now < at + TICK_US);
				assert_true(++calls < 11);
				if (timer_wheel_pop(w, now) == &t)
					break;
			}
			assert_true(now >= at);
			assert_false(timer_is_set(&t));
			assert_int_equal(timer_wheel_count(w), 0);
			timer_wheel_free(w);
		}
	}
}

static void timers_set_in_any_order_are_popped_in_order(void **state)
{
	static const uint64_t at_us[] = {700 * SECOND_US, 1000, 50000, HOUR_US, 50000 + 1024, 0};
	static const int order[] = {5, 1, 2, 4, 0, 3};
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer t[6] = {0};

	(void)state;
	for (int i = 0; i < 6; i++)
		timer_wheel_set(w, &t[i], at_us[i]);
	assert_int_equal(timer_wheel_count(w), 6);
	for (int i = 0; i < 6; i++)
		assert_ptr_equal(timer_wheel_pop(w, DAY_US), &t[order[i]]);
	assert_null(timer_wheel_pop(w, DAY_US));
	timer_wheel_free(w);
}

static void set_timer_that_is_set_again_moves(void **state)
{
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer t = {0};

	(void)state;
	timer_wheel_set(w, &t, SECOND_US);
	timer_wheel_set(w, &t, 3 * SECOND_US);
	assert_int_equal(timer_wheel_count(w), 1);
	assert_null(timer_wheel_pop(w, 2 * SECOND_US));
	timer_wheel_set(w, &t, 2 * SECOND_US);
	assert_ptr_equal(timer_wheel_pop(w, 2 * SECOND_US + TICK_US), &t);
	assert_null(timer_wheel_pop(w, DAY_US));
	timer_wheel_free(w);
}

static void cancelled_timer_does_not_fire_nor_wake(void **state)
{
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer a = {0}, b = {0};

	(void)state;
	timer_wheel_cancel(w, &a);
	timer_wheel_set(w, &a, SECOND_US);
	timer_wheel_set(w, &b, SECOND_US);
	timer_wheel_cancel(w, &a);
	timer_wheel_cancel(w, &a);
	assert_false(timer_is_set(&a));
	assert_int_equal(timer_wheel_count(w), 1);
	timer_wheel_cancel(w, &b);
	assert_true(timer_wheel_next_us(w) == UINT64_MAX);
	assert_null(timer_wheel_pop(w, DAY_US));
	timer_wheel_free(w);
}

static void past_timer_expires_at_the_next_pop(void **state)
{
	struct timer_wheel *w = timer_wheel_new(HOUR_US);
	struct timer t = {0};

	(void)state;
	timer_wheel_set(w, &t, 7);
	assert_true(timer_wheel_next_us(w) <= HOUR_US);
	assert_ptr_equal(timer_wheel_pop(w, HOUR_US), &t);
	timer_wheel_set(w, &t, HOUR_US - SECOND_US);
	timer_wheel_cancel(w, &t);
	assert_null(timer_wheel_pop(w, HOUR_US));
	assert_true(timer_wheel_next_us(w) == UINT64_MAX);
	timer_wheel_free(w);
}

static void clock_that_steps_back_counts_as_the_latest_time(void **state)
{
	struct timer_wheel *w = timer_wheel_new(HOUR_US);
	struct timer t = {0};

	(void)state;
	assert_null(timer_wheel_pop(w, HOUR_US + 10 * SECOND_US));
	timer_wheel_set(w, &t, HOUR_US + 5 * SECOND_US);
	assert_ptr_equal(timer_wheel_pop(w, 0), &t);
	assert_null(timer_wheel_pop(w, 0));
	timer_wheel_set(w, &t, HOUR_US + 5 * SECOND_US);
	assert_ptr_equal(timer_wheel_pop(w, HOUR_US + SECOND_US), &t);
	timer_wheel_free(w);
}

static void times_at_the_end_of_64_bits_have_a_place(void **state)
{
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer never = {0}, late = {0}, soon = {0};

	(void)state;
	timer_wheel_set(w, &never, UINT64_MAX);
	timer_wheel_set(w, &late, UINT64_MAX - 5000);
	timer_wheel_set(w, &soon, SECOND_US);
	assert_ptr_equal(timer_wheel_pop(w, 2 * SECOND_US), &soon);
	assert_null(timer_wheel_pop(w, UINT64_MAX - 6000));
	assert_ptr_equal(timer_wheel_pop(w, UINT64_MAX), &late);
	/* Rounded up it lies past the end: it never fires early, so it never fires. */
	assert_null(timer_wheel_pop(w, UINT64_MAX));
	assert_true(timer_wheel_next_us(w) == UINT64_MAX);
	assert_int_equal(timer_wheel_count(w), 1);
	timer_wheel_cancel(w, &never);
	assert_int_equal(timer_wheel_count(w), 0);
	timer_wheel_free(w);
}

static void handlers_may_set_and_cancel_any_timer_inside_the_loop(void **state)
{
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer t[4] = {0};
	struct timer *popped;
	int seen[4] = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		timer_wheel_set(w, &t[i], SECOND_US);
	popped = timer_wheel_pop(w, 2 * SECOND_US);
	assert_non_null(popped);
	/* Cancels one of the same tick, moves another behind the end of this loop's time. */
	seen[popped - t]++;
	timer_wheel_cancel(w, &t[(popped - t + 1) % 4]);
	timer_wheel_set(w, &t[(popped - t + 2) % 4], 3 * SECOND_US);
	timer_wheel_set(w, popped, SECOND_US + 500000);
	for (struct timer *p; (p = timer_wheel_pop(w, 2 * SECOND_US)) != NULL;)
		seen[p - t]++;
	assert_int_equal(seen[popped - t], 2);
	assert_int_equal(seen[(popped - t + 1) % 4], 0);
	assert_int_equal(seen[(popped - t + 2) % 4], 0);
	assert_int_equal(seen[(popped - t + 3) % 4], 1);
	assert_int_equal(timer_wheel_count(w), 1);
	timer_wheel_free(w);
}

static void pop_by_next_us_costs_few_calls_with_many_timers(void **state)
{
	enum { MANY = 10000 };
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer *t = calloc(MANY, sizeof(*t));
	uint64_t calls = 0;
	size_t popped = 0;

	(void)state;
	random_state = 7;
	for (size_t i = 0; i < MANY; i++)
		timer_wheel_set(w, &t[i], random_below(HOUR_US));
	while (timer_wheel_count(w)) {
		uint64_t now = timer_wheel_next_us(w);

		calls++;
		while (timer_wheel_pop(w, now))
			popped++;
	}
	assert_int_equal(popped, MANY);
	/* An hour has 3.5 million ticks: the bitmaps jump over the empty ones. */
	assert_in_range(calls, 1, 4 * MANY);
	free(t);
	timer_wheel_free(w);
}

/* The naive model: what is set, and for when. */
struct model {
	struct timer_wheel *w;
	struct timer timers[MODEL_TIMERS];
	bool is_set[MODEL_TIMERS];
	uint64_t tick[MODEL_TIMERS];
	uint64_t current_tick; /* nothing is popped before this any more */
	uint64_t now_us;
};

static size_t model_count(const struct model *m)
{
	size_t n = 0;

	for (int i = 0; i < MODEL_TIMERS; i++)
		n += m->is_set[i];
	return n;
}

static uint64_t model_first_tick(const struct model *m)
{
	uint64_t first = UINT64_MAX;

	for (int i = 0; i < MODEL_TIMERS; i++)
		if (m->is_set[i] && m->tick[i] < first)
			first = m->tick[i];
	return first;
}

static uint64_t random_delay_us(void)
{
	switch (random_below(6)) {
	case 0:
		return random_below(3 * TICK_US);
	case 1:
		return random_below(200000);
	case 2:
		return random_below(10 * SECOND_US);
	case 3:
		return random_below(HOUR_US);
	case 4:
		return random_below(100 * DAY_US);
	default:
		return random_below(UINT64_C(1) << random_below(63));
	}
}

static void model_set(struct model *m)
{
	size_t i = random_below(MODEL_TIMERS);
	uint64_t at = m->now_us + random_delay_us();

	if (random_below(8) == 0)
		at = random_below(m->now_us + 1);
	timer_wheel_set(m->w, &m->timers[i], at);
	m->is_set[i] = true;
	m->tick[i] = tick_up(at);
	if (m->tick[i] < m->current_tick)
		m->tick[i] = m->current_tick;
}

static void model_cancel(struct model *m)
{
	size_t i = random_below(MODEL_TIMERS);

	timer_wheel_cancel(m->w, &m->timers[i]);
	m->is_set[i] = false;
}

/* Pops one and compares. Returns false at the end of the loop. */
static bool model_pop(struct model *m)
{
	struct timer *t = timer_wheel_pop(m->w, m->now_us);
	uint64_t first = model_first_tick(m);
	size_t i;

	if (!t) {
		assert_true(first > m->now_us / TICK_US);
		m->current_tick = m->now_us / TICK_US;
		return false;
	}
	i = (size_t)(t - m->timers);
	assert_true(m->is_set[i]);
	assert_true(m->tick[i] == first);
	assert_true(first <= m->now_us / TICK_US);
	assert_false(timer_is_set(t));
	m->is_set[i] = false;
	m->current_tick = first;
	return true;
}

static void model_check(const struct model *m)
{
	uint64_t first = model_first_tick(m);
	uint64_t next_us = timer_wheel_next_us(m->w);

	assert_int_equal(timer_wheel_count(m->w), model_count(m));
	for (int i = 0; i < MODEL_TIMERS; i++)
		assert_int_equal(timer_is_set(&m->timers[i]), m->is_set[i]);
	if (first == UINT64_MAX) {
		assert_true(next_us == UINT64_MAX);
		return;
	}
	assert_true(next_us <= first * TICK_US);
	/* No busy loop: a wake-up ahead of the current tick, unless something is due. */
	if (first > m->current_tick)
		assert_true(next_us / TICK_US > m->current_tick);
}

static void model_advance(struct model *m)
{
	switch (random_below(8)) {
	case 0: /* a long sleep */
		m->now_us += random_below(30 * HOUR_US);
		break;
	case 1:
		m->now_us += random_below(100 * DAY_US);
		break;
	case 2:
	case 3:
		if (timer_wheel_next_us(m->w) > m->now_us &&
		    timer_wheel_next_us(m->w) < UINT64_C(1) << 62)
			m->now_us = timer_wheel_next_us(m->w);
		break;
	default:
		m->now_us += random_below(5000);
	}
}

static void wheel_agrees_with_the_naive_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct model m = {0};

		random_state = seed;
		m.now_us = random_below(UINT64_C(1) << (seed * 2 + 10));
		m.current_tick = m.now_us / TICK_US;
		m.w = timer_wheel_new(m.now_us);
		assert_non_null(m.w);
		for (int step = 0; step < 3000; step++) {
			for (uint64_t n = random_below(4); n > 0; n--)
				model_set(&m);
			if (random_below(3) == 0)
				model_cancel(&m);
			model_check(&m);
			model_advance(&m);
			while (model_pop(&m)) {
				if (random_below(4) == 0)
					model_cancel(&m);
				if (random_below(4) == 0)
					model_set(&m);
			}
			model_check(&m);
		}
		timer_wheel_free(m.w);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_wheel_never_wants_a_call),
		cmocka_unit_test(timer_never_fires_early_and_at_most_two_ticks_late),
		cmocka_unit_test(timers_set_in_any_order_are_popped_in_order),
		cmocka_unit_test(set_timer_that_is_set_again_moves),
		cmocka_unit_test(cancelled_timer_does_not_fire_nor_wake),
		cmocka_unit_test(past_timer_expires_at_the_next_pop),
		cmocka_unit_test(clock_that_steps_back_counts_as_the_latest_time),
		cmocka_unit_test(times_at_the_end_of_64_bits_have_a_place),
		cmocka_unit_test(handlers_may_set_and_cancel_any_timer_inside_the_loop),
		cmocka_unit_test(pop_by_next_us_costs_few_calls_with_many_timers),
		cmocka_unit_test(wheel_agrees_with_the_naive_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
