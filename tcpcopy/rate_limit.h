/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rate_limit.h - so many new sessions a second (--rate), as a token bucket. It holds what a quarter of a second brings: so long
 * may this process be kept from the processor without a steady load being shed, and in no second more than five
 * quarters of the rate begin. Where that is less, it holds one session and a half, as even the steadiest load comes a
 * little too early now and then. Pure.
 */
#ifndef TCPCOPY_RATE_LIMIT_H
#define TCPCOPY_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RATE_LIMIT_SESSION = 1000000, /* what one costs: a microsecond brings `per_s` of these */
	RATE_LIMIT_DEPTH_US = 250000,
	RATE_LIMIT_DEPTH_MIN = RATE_LIMIT_SESSION * 3 / 2,
};

struct rate_limit {
	uint32_t per_s; /* 0: no limit */
	int64_t level;  /* below 0 after a connection of more sessions than there was room for */
	uint64_t at_us; /* when level was right */
};

/* Full. */
void rate_limit_init(struct rate_limit *l, uint32_t per_s, uint64_t now_us);
/* Whether a connection may begin now. */
bool rate_limit_has_room(struct rate_limit *l, uint64_t now_us);
/*
 * Begins one, with so many sessions, if it may. Those go together: what they cost above the rest is owed, so that
 * the average holds.
 */
bool rate_limit_take(struct rate_limit *l, uint32_t sessions, uint64_t now_us);
#endif
