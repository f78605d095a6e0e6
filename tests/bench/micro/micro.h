/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * micro.h - the parts of both programs that are measured one by one. A part is made, run in rounds of so many
 * operations each, and freed; what the stopwatch holds of a round counts.
 */
#ifndef TESTS_BENCH_MICRO_MICRO_H
#define TESTS_BENCH_MICRO_MICRO_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/bench/micro/stopwatch.h"

struct micro {
	const char *name; /* NULL: the end of a list */
	const char *about;
	unsigned operations; /* of a round */
	void *(*make)(uint64_t seed);
	void (*run)(void *state, struct stopwatch *w); /* one round */
	bool (*free)(void *state); /* false: it did not do what it should have */
};

extern const struct micro micro_codecs[]; /* frames, checksums, messages of the link */
extern const struct micro micro_tables[]; /* hash table, timers, objects */
extern const struct micro micro_paths[];  /* the cores */
#endif
