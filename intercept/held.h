/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.h - answers that overtook their registration: a SYN-ACK or a RST may be captured before the
 * registration has come over the link. They wait here shortly, the oldest makes room, one a tuple.
 * Strangers fill this table, so it has one size for ever and finds by a keyed hash. Pure.
 */
#ifndef INTERCEPT_HELD_H
#define INTERCEPT_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/wire.h"
#include "intercept/router.h"

enum {
	HELD_MAX = 1024,
	HELD_US = 200 * 1000,
};

struct held_answer {
	struct tuple tuple;
	struct wire_record record; /* its session_id is not known yet */
	struct route_last last;    /* so that the route knows a duplicate of it */
};

struct held;

/* NULL with errno ENOMEM. */
struct held *held_new(const struct hash_key *key);
void held_free(struct held *h);
/* False if the tuple has one already (that stays), or without memory. Call held_expire before. */
bool held_put(struct held *h, const struct held_answer *answer, uint64_t now_us);
/* Takes out the answer of a tuple. False if there is none that is young enough. */
bool held_take(struct held *h, const struct tuple *tuple, struct held_answer *answer,
	       uint64_t now_us);
/*
 * Forgets what is too old, and the oldest if there is no room for one more. Returns how many
 * answers were lost so.
 */
size_t held_expire(struct held *h, uint64_t now_us);
size_t held_count(const struct held *h);
#endif
