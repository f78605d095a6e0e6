/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer_wheel.h - a hierarchical timer wheel (Varghese and Lauck, 1987) with intrusive timers.
 * Setting and cancelling are constant time; a tick is 1024 microseconds. A timer never fires
 * early, and at most two ticks late. Pure: time comes in as an argument, expired timers are
 * popped one by one, so whoever handles one may set or cancel any other.
 */
#ifndef COMMON_TIMER_WHEEL_H
#define COMMON_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in its owner. Zeroed memory is a timer that is not set. */
struct timer {
	struct timer *next;
	struct timer **pprev; /* NULL: not set */
	uint64_t expires_tick;
};

struct timer_wheel;

/* NULL with errno ENOMEM. */
struct timer_wheel *timer_wheel_new(uint64_t now_us);
/* Timers that are still set are forgotten, not touched. */
void timer_wheel_free(struct timer_wheel *w);
/* Sets or moves t. A time in the past expires at the next pop. */
void timer_wheel_set(struct timer_wheel *w, struct timer *t, uint64_t expires_us);
/* Fine on a timer that is not set. */
void timer_wheel_cancel(struct timer_wheel *w, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
	return t->pprev != NULL;
}

/*
 * Takes the next timer that has expired by now_us, in order of ticks, or NULL when there is none
 * left. A now_us before an earlier one counts as the earlier one.
 */
struct timer *timer_wheel_pop(struct timer_wheel *w, uint64_t now_us);
/*
 * When to call timer_wheel_pop next: never later than the first timer's expiry plus a tick, perhaps
 * earlier (a cascade). UINT64_MAX without timers.
 */
uint64_t timer_wheel_next_us(const struct timer_wheel *w);
/* How many timers are set. */
size_t timer_wheel_count(const struct timer_wheel *w);
#endif
