/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/rate_limit.h"

static int64_t depth(const struct rate_limit *l)
{
	int64_t full = (int64_t)l->per_s * RATE_LIMIT_DEPTH_US;

	return full > RATE_LIMIT_DEPTH_MIN ? full : RATE_LIMIT_DEPTH_MIN;
}

void rate_limit_init(struct rate_limit *l, uint32_t per_s, uint64_t now_us)
{
	*l = (struct rate_limit){.per_s = per_s, .at_us = now_us};
	l->level = depth(l);
}

static void refill(struct rate_limit *l, uint64_t now_us)
{
	uint64_t missing = (uint64_t)(depth(l) - l->level);
	uint64_t passed_us = now_us - l->at_us;

	if (passed_us > missing / l->per_s)
		l->level = depth(l);
	else
		l->level += (int64_t)(passed_us * l->per_s);
	l->at_us = now_us;
}

bool rate_limit_has_room(struct rate_limit *l, uint64_t now_us)
{
	if (!l->per_s)
		return true;
	refill(l, now_us);
	return l->level >= RATE_LIMIT_SESSION;
}

bool rate_limit_take(struct rate_limit *l, uint32_t sessions, uint64_t now_us)
{
	if (!rate_limit_has_room(l, now_us))
		return false;
	if (l->per_s)
		l->level -= (int64_t)sessions * RATE_LIMIT_SESSION;
	return true;
}
