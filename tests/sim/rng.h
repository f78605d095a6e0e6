/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rng.h - every chance of the simulator: a counter-free mix for decisions that must not depend on
 * what happened elsewhere, and a small generator for scripts. No state outside the caller's.
 */
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

/* The finalizer of SplitMix64 (Steele, Lea, Flood, 2014): a bijection that scatters every bit. */
static inline uint64_t rng_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* One number for two: keys of decisions are built with it. */
static inline uint64_t rng_join(uint64_t a, uint64_t b)
{
	return rng_mix(a ^ rng_mix(b));
}

/* SplitMix64 as a generator: one word of state, good enough for scripts. */
struct rng {
	uint64_t state;
};

static inline struct rng rng_of(uint64_t seed, uint64_t stream)
{
	return (struct rng){.state = rng_join(seed, stream)};
}

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t x = rng_mix(r->state);

	r->state += UINT64_C(0x9e3779b97f4a7c15);
	return x;
}

/* Below n; 0 for n 0. The bias of a 64-bit product is far below what a test could see. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/* Both ends inclusive. */
static inline uint32_t rng_range(struct rng *r, uint32_t low, uint32_t high)
{
	return low + rng_below(r, high - low + 1);
}

static inline bool rng_chance(struct rng *r, double p)
{
	return (double)(rng_next(r) >> 11) < p * 9007199254740992.0; /* 2^53 */
}

/* Every order of magnitude from min (at least 1) to max is as likely as any other. */
static inline uint32_t rng_size(struct rng *r, uint32_t min, uint32_t max)
{
	uint32_t orders = 0, top;

	while (max >> orders > min)
		orders++;
	top = max >> rng_below(r, orders + 1);
	return rng_range(r, min, top > min ? top : min);
}

/* As rng_size, but mostly small, as real traffic is: the smallest of three. */
static inline uint32_t rng_small(struct rng *r, uint32_t min, uint32_t max)
{
	uint32_t a = rng_size(r, min, max), b = rng_size(r, min, max), c = rng_size(r, min, max);

	a = a < b ? a : b;
	return a < c ? a : c;
}
#endif
