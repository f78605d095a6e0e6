/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer_wheel.c - a hierarchical timer wheel without a horizon.
 *
 * Ticks are read as numbers of ten digits to the base 64. A timer lies at the level of the highest
 * digit in which its tick differs from the wheel's current tick, in the slot that this digit names.
 * Two things follow. A slot in use is always ahead of the current digit of its level, so no slot
 * wraps around and the first event is the lowest bit of the lowest level in use: two bit scans.
 * And every 64-bit time has a place: there is no list of timers too far away.
 *
 * When the current tick reaches a slot of a level above 0, its timers move to lower levels (a
 * cascade); a timer moves at most nine times in its life, one that is set for seconds twice.
 */
#include "common/timer_wheel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/out_of_line.h"

enum {
	TICK_SHIFT = 10, /* 1024 microseconds */
	DIGIT_BITS = 6,
	SLOTS = 1 << DIGIT_BITS,
	LEVELS = 10, /* ticks of 54 bits, and one more where a time is rounded up */
};

static_assert(64 - TICK_SHIFT + 1 <= LEVELS * DIGIT_BITS, "every time has a slot");

struct timer_wheel {
	uint64_t current_tick;       /* everything up to here is in the due list or gone */
	uint64_t now_tick;           /* the latest time that was told */
	size_t count;                /* of timers that are set */
	struct timer *due;           /* expired, to be popped */
	uint32_t levels_used;        /* bit l: slots_used[l] is not 0 */
	uint64_t slots_used[LEVELS]; /* bit s: slots[l][s] is not empty */
	struct timer *slots[LEVELS][SLOTS];
};

static unsigned level_of(const struct timer_wheel *w, uint64_t tick)
{
	return (63u - (unsigned)__builtin_clzll(tick ^ w->current_tick)) / DIGIT_BITS;
}

static unsigned digit_of(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * DIGIT_BITS)) & (SLOTS - 1);
}

static void list_push(struct timer **head, struct timer *t)
{
	t->next = *head;
	t->pprev = head;
	if (t->next)
		t->next->pprev = &t->next;
	*head = t;
}

static void list_remove(struct timer *t)
{
	*t->pprev = t->next;
	if (t->next)
		t->next->pprev = t->pprev;
	t->next = NULL;
	t->pprev = NULL;
}

static void mark_slot_empty(struct timer_wheel *w, unsigned level, unsigned slot)
{
	w->slots_used[level] &= ~(UINT64_C(1) << slot);
	if (w->slots_used[level] == 0)
		w->levels_used &= ~(UINT32_C(1) << level);
}

static void place(struct timer_wheel *w, struct timer *t)
{
	unsigned level, slot;

	if (t->expires_tick <= w->current_tick) {
		list_push(&w->due, t);
		return;
	}
	level = level_of(w, t->expires_tick);
	slot = digit_of(t->expires_tick, level);
	list_push(&w->slots[level][slot], t);
	w->slots_used[level] |= UINT64_C(1) << slot;
	w->levels_used |= UINT32_C(1) << level;
}

/* The first slot in use: false if there is none, otherwise the tick at which it begins. */
static bool first_slot(const struct timer_wheel *w, unsigned *level, unsigned *slot, uint64_t *tick)
{
	unsigned above;

	if (w->levels_used == 0)
		return false;
	*level = (unsigned)__builtin_ctz(w->levels_used);
	*slot = (unsigned)__builtin_ctzll(w->slots_used[*level]);
	above = (*level + 1) * DIGIT_BITS;
	*tick = w->current_tick >> above << above | (uint64_t)*slot << (*level * DIGIT_BITS);
	return true;
}

/* Makes the slot's first tick the current one and moves its timers down, or to the due list. */
static void advance_to(struct timer_wheel *w, unsigned level, unsigned slot, uint64_t tick)
{
	struct timer *t = w->slots[level][slot];
	struct timer *next;

	w->slots[level][slot] = NULL;
	mark_slot_empty(w, level, slot);
	w->current_tick = tick;
	for (; t; t = next) {
		next = t->next;
		place(w, t);
	}
}

struct timer_wheel *timer_wheel_new(uint64_t now_us)
{
	struct timer_wheel *w = calloc(1, sizeof(*w));

	if (!w) {
		errno = ENOMEM;
		return NULL;
	}
	w->current_tick = now_us >> TICK_SHIFT;
	w->now_tick = w->current_tick;
	return w;
}

void timer_wheel_free(struct timer_wheel *w)
{
	free(w);
}

LINK_IN_LINE void timer_wheel_set(struct timer_wheel *w, struct timer *t, uint64_t expires_us)
{
	timer_wheel_cancel(w, t);
	/* Rounded up without overflow: never early. */
	t->expires_tick = (expires_us >> TICK_SHIFT) +
			  ((expires_us & ((UINT64_C(1) << TICK_SHIFT) - 1)) != 0);
	place(w, t);
	w->count++;
}

void timer_wheel_cancel(struct timer_wheel *w, struct timer *t)
{
	unsigned level, slot;

	if (!timer_is_set(t))
		return;
	list_remove(t);
	assert(w->count > 0);
	w->count--;
	if (t->expires_tick <= w->current_tick)
		return;
	/* The level that place() chose: it stays the same while the current tick moves. */
	level = level_of(w, t->expires_tick);
	slot = digit_of(t->expires_tick, level);
	if (!w->slots[level][slot])
		mark_slot_empty(w, level, slot);
}

struct timer *timer_wheel_pop(struct timer_wheel *w, uint64_t now_us)
{
	struct timer *t;
	unsigned level, slot;
	uint64_t tick;

	if (now_us >> TICK_SHIFT > w->now_tick)
		w->now_tick = now_us >> TICK_SHIFT;
	while (!w->due) {
		if (!first_slot(w, &level, &slot, &tick) || tick > w->now_tick) {
			/* No slot lies in between, so no timer changes its place. */
			w->current_tick = w->now_tick;
			return NULL;
		}
		advance_to(w, level, slot, tick);
	}
	t = w->due;
	list_remove(t);
	w->count--;
	return t;
}

LINK_IN_LINE uint64_t timer_wheel_next_us(const struct timer_wheel *w)
{
	unsigned level, slot;
	uint64_t tick;

	if (w->due)
		return w->current_tick << TICK_SHIFT;
	if (!first_slot(w, &level, &slot, &tick))
		return UINT64_MAX;
	return tick > UINT64_MAX >> TICK_SHIFT ? UINT64_MAX : tick << TICK_SHIFT;
}

size_t timer_wheel_count(const struct timer_wheel *w)
{
	return w->count;
}
