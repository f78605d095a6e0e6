/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seq.h - serial arithmetic on TCP sequence numbers (RFC 9293, section 3.4).
 * Numbers that lie exactly 2^31 apart compare as "less" both ways; windows are below 2^30,
 * so nobody asks.
 */
#ifndef COMMON_SEQ_H
#define COMMON_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* The signed distance from b to a: positive if a is later. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) > 0;
}

static inline bool seq_geq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) >= 0;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_gt(a, b) ? a : b;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}
#endif
