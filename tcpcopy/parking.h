/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parking.h - connections that rest, packed: an online connection without a byte or turn in hand and
 * its sessions, of which nothing is due. Most of a pool rests most of the time, and a resting connection
 * is numbers that are zero or alike, so that it takes a third of the memory.
 *
 * Packing loses nothing: what is unpacked is what was packed, byte for byte, but for what links it to
 * the rest of the world (timers, lists, indices), which is the caller's. Pure.
 */
#ifndef TCPCOPY_PARKING_H
#define TCPCOPY_PARKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slab.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

enum {
	PARKING_NONE = UINT32_MAX,
	PARKING_SESSIONS_MAX = 16, /* of a connection: one with more is not packed */
};

struct parking;

/* The budget is borrowed, or NULL. NULL with errno ENOMEM. */
struct parking *parking_new(struct slab_budget *budget);
void parking_free(struct parking *p);
/*
 * Packs o and its sessions, which stay as they are. A handle below 2^31, or PARKING_NONE: too many sessions, too large, or no memory.
 */
uint32_t parking_put(struct parking *p, const struct online *o);
void parking_drop(struct parking *p, uint32_t handle);
/* The timer of a packed connection, for the caller's use; and back. */
struct timer *parking_timer(struct parking *p, uint32_t handle);
uint32_t parking_handle(const struct timer *timer);
unsigned parking_session_count(const struct parking *p, uint32_t handle);
/* Unpacks. Links and indices of *o are zero, it has no sessions. */
void parking_get_online(const struct parking *p, uint32_t handle, struct online *o);
/* Likewise, with its sessions: as many as parking_session_count says, unlinked. They keep their index. */
void parking_get(const struct parking *p, uint32_t handle, struct online *o,
		 struct session *const *sessions);
/* The first handle in use from this one on, in no order that means anything; PARKING_NONE: there is none. */
uint32_t parking_next(const struct parking *p, uint32_t handle);
uint32_t parking_count(const struct parking *p);
size_t parking_memory(const struct parking *p);
#endif
