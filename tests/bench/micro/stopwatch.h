/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stopwatch.h - the time that the code under test takes, apart from that of the bench around it, and what
 * several rounds of it say. callgrind counts the same part: --toggle-collect=stopwatch_call.
 */
#ifndef TESTS_BENCH_MICRO_STOPWATCH_H
#define TESTS_BENCH_MICRO_STOPWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stopwatch {
	bool is_on;           /* off: what is run is neither timed nor counted */
	bool is_of_processor; /* its time: not what others took meanwhile; reading it costs more */
	uint64_t ns;
};

/* The one function in which time counts, never inlined. */
void stopwatch_call(void (*fn)(void *ctx), void *ctx);
/* Runs fn; adds the time it took if the watch is on. */
void stopwatch_run(struct stopwatch *w, void (*fn)(void *ctx), void *ctx);

/* Nanoseconds an operation of each round. */
struct rounds {
	double *ns; /* owned */
	size_t count;
	size_t room;
};

/* What they say; sorts them. */
struct rounds_summary {
	double min;
	double median;
	double mean;
	double max;
};

void rounds_add(struct rounds *r, double ns);
struct rounds_summary rounds_summary(struct rounds *r);
void rounds_fini(struct rounds *r);

/* xorshift64*: the same numbers for the same seed, on every machine. state is not 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* Below limit, which is below 2^32. */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}

/* Memory for the bench itself: touched at once, so that it is there before memory is measured. Ends the program if there is none. */
void *bench_memory(size_t size_bytes);
void bench_memory_free(void *p, size_t size_bytes);
/* Anonymous memory of this process, in bytes, exactly: /proc/self/smaps_rollup. */
uint64_t anonymous_bytes(void);
#endif
