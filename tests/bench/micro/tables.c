/* SPDX-License-Identifier: BSD-2-Clause */
/* tables.c - what finds and remembers: the table of tuples, the timer wheel, objects by index. */
#include "tests/bench/micro/micro.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/slab.h"
#include "common/timer_wheel.h"
#include "common/tuple_map.h"

enum {
	OPERATIONS = 4096,
	ENTRIES = 100000,
	HASHED = 64,         /* few, so that they stay in the cache */
	TIMER_MIN_US = 2000, /* what sessions set: delayed ACKs, retransmissions, settling */
	TIMER_SPAN_US = 300000,
};

struct tables {
	uint64_t random;
	uint64_t sink;
	uint64_t now_us;
	struct tuple tuples[ENTRIES + OPERATIONS]; /* the last OPERATIONS are not in the map */
	uint32_t pick[OPERATIONS];                 /* what a round asks for */
	struct timer timers[ENTRIES];
	struct tuple_map *map;
	struct timer_wheel *wheel;
	struct slab *slab;
	bool is_wrong;
};

static const struct tuple *tuple_of(const void *owner, uint32_t value)
{
	const struct tables *s = owner;

	return &s->tuples[value];
}

static void *checked(void *p)
{
	if (p)
		return p;
	perror("out of memory");
	exit(1);
}

static void fill_tuples(struct tables *s)
{
	for (uint32_t i = 0; i < ENTRIES + OPERATIONS; i++)
		s->tuples[i] = (struct tuple){
			.src = {ip_addr_v4(0x0a000000 + i / 4),
				(uint16_t)(1024 + i % 4 * 16000 + random_below(&s->random, 15000))},
			.dst = {ip_addr_v4(0xc0000202), 80},
			.protocol = PROTOCOL_TCP,
		};
}

static void *make_tables(uint64_t seed)
{
	const struct hash_key key = {seed, seed + 1};
	struct tables *s = bench_memory(sizeof(*s));

	s->random = seed;
	s->now_us = 1000000;
	fill_tuples(s);
	s->map = checked(tuple_map_new(&key, tuple_of, s));
	s->wheel = checked(timer_wheel_new(s->now_us));
	s->slab = checked(slab_new(400, ENTRIES));
	for (uint32_t i = 0; i < ENTRIES; i++) {
		s->is_wrong |= tuple_map_insert(s->map, &s->tuples[i], i) != 0;
		timer_wheel_set(s->wheel, &s->timers[i],
				s->now_us + TIMER_MIN_US + random_below(&s->random, TIMER_SPAN_US));
	}
	return s;
}

static bool free_tables(void *state)
{
	struct tables *s = state;
	bool ok = !s->is_wrong && tuple_map_count(s->map) == ENTRIES;

	slab_free(s->slab);
	timer_wheel_free(s->wheel);
	tuple_map_free(s->map);
	bench_memory_free(s, sizeof(*s));
	return ok;
}

static void choose(struct tables *s)
{
	for (unsigned i = 0; i < OPERATIONS; i++)
		s->pick[i] = random_below(&s->random, ENTRIES);
}

static void do_hash(void *state)
{
	const struct hash_key key = {1, 2};
	struct tables *s = state;

	for (unsigned i = 0; i < OPERATIONS; i++)
		s->sink += tuple_hash(&key, &s->tuples[i % HASHED]);
}

static void do_find(void *state)
{
	struct tables *s = state;

	for (unsigned i = 0; i < OPERATIONS; i++)
		s->is_wrong |= tuple_map_find(s->map, &s->tuples[s->pick[i]]) != s->pick[i];
}

static void do_insert(void *state)
{
	struct tables *s = state;

	for (uint32_t i = ENTRIES; i < ENTRIES + OPERATIONS; i++)
		s->is_wrong |= tuple_map_insert(s->map, &s->tuples[i], i) != 0;
	for (uint32_t i = ENTRIES; i < ENTRIES + OPERATIONS; i++)
		s->is_wrong |= tuple_map_remove(s->map, &s->tuples[i]) != i;
}

static void do_set(void *state)
{
	struct tables *s = state;

	for (unsigned i = 0; i < OPERATIONS; i++)
		timer_wheel_set(s->wheel, &s->timers[s->pick[i]],
				s->now_us + TIMER_MIN_US + s->pick[i] * 3);
}

/* As many as expire are set again: a round is as much time as that takes. */
static void do_expire(void *state)
{
	struct tables *s = state;

	for (unsigned i = 0; i < OPERATIONS;) {
		struct timer *t = timer_wheel_pop(s->wheel, s->now_us);

		if (!t) {
			s->now_us = timer_wheel_next_us(s->wheel);
			continue;
		}
		timer_wheel_set(s->wheel, t, s->now_us + TIMER_MIN_US + s->pick[i++] * 3);
	}
}

static void do_slab(void *state)
{
	struct tables *s = state;
	uint32_t index;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		s->is_wrong |= !slab_take(s->slab, &index);
		s->pick[i] = index;
	}
	for (unsigned i = 0; i < OPERATIONS; i++)
		slab_give(s->slab, s->pick[i]);
}

static void run_hash(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_hash, state);
}

static void run_find(void *state, struct stopwatch *w)
{
	choose(state);
	stopwatch_run(w, do_find, state);
}

static void run_insert(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_insert, state);
}

static void run_set(void *state, struct stopwatch *w)
{
	choose(state);
	stopwatch_run(w, do_set, state);
}

static void run_expire(void *state, struct stopwatch *w)
{
	choose(state);
	stopwatch_run(w, do_expire, state);
}

static void run_slab(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_slab, state);
}

const struct micro micro_tables[] = {
	{"tuple-hash", "the keyed hash of a tuple", OPERATIONS, make_tables, run_hash, free_tables},
	{"tuple-find", "one of 100,000 tuples is found", OPERATIONS, make_tables, run_find,
	 free_tables},
	{"tuple-insert", "one more is inserted, and removed", OPERATIONS, make_tables, run_insert,
	 free_tables},
	{"timer-set", "one of 100,000 timers is moved", OPERATIONS, make_tables, run_set,
	 free_tables},
	{"timer-expire", "one expires, and is set again", OPERATIONS, make_tables, run_expire,
	 free_tables},
	{"slab", "an object of 400 bytes is taken, and given back", OPERATIONS, make_tables,
	 run_slab, free_tables},
	{0},
};
