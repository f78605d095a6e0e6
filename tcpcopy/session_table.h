/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_table.h - where sessions and online connections live: sessions by their id on the link,
 * online connections by their tuple. Connections that rest may be parked (parking.h): they are found as
 * before, and woken before anything is done to them. Bounded. Pure.
 */
#ifndef TCPCOPY_SESSION_TABLE_H
#define TCPCOPY_SESSION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/slab.h"
#include "common/tuple_map.h"
#include "tcpcopy/parking.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

/* An id is an index and a generation, so that a late record finds no newer session. */
enum {
	SESSION_INDEX_BITS = 24,
	SESSIONS_MAX = 1 << SESSION_INDEX_BITS,
};

/* A place is in the slab, or, with this bit, the handle of a parked connection. */
#define SESSION_TABLE_PARKED (UINT32_C(1) << 31)

struct session_table {
	struct slab *sessions;
	struct slab *onlines;
	struct parking *parking;
	struct tuple_map *by_tuple;
	struct online *unpacked; /* whose tuple by_tuple looks at */
	uint32_t *places;        /* by a session's index: where it is; free ones form a list */
	uint32_t places_room;
	uint32_t places_max;
	uint32_t place_free;
	uint8_t generation;
};

/* 0, or -1 with errno ENOMEM. The budget is borrowed, or NULL. */
int session_table_init(struct session_table *t, const struct hash_key *key, uint32_t max_sessions,
		       struct slab_budget *budget);
void session_table_fini(struct session_table *t);
/* The connection of this client -> server tuple, or NULL; if it is parked, NULL and its handle in *parked. */
static inline struct online *session_table_find_online(const struct session_table *t,
						       const struct tuple *tuple, uint32_t *parked)
{
	uint32_t value = tuple_map_find(t->by_tuple, tuple);

	*parked = PARKING_NONE;
	if (value == TUPLE_MAP_NONE)
		return NULL;
	if (!(value & SESSION_TABLE_PARKED))
		return slab_at(t->onlines, value);
	*parked = value & ~SESSION_TABLE_PARKED;
	return NULL;
}

/* Not initialised but for its index, and not yet found by a tuple. NULL if full. */
struct online *session_table_add_online(struct session_table *t);
/* Makes it found by o->tuple, which no other may have. 0, or -1 with errno ENOMEM. */
int session_table_map_online(struct session_table *t, struct online *o);
void session_table_unmap_online(struct session_table *t, struct online *o);
void session_table_remove_online(struct session_table *t, struct online *o);
/* Not initialised; *index is what it is to keep as its index as long as it lives. NULL if full. */
struct session *session_table_add(struct session_table *t, uint32_t *index);
void session_table_remove(struct session_table *t, struct session *s);
/* A fresh id for a session that starts on a tuple. */
uint32_t session_table_new_id(struct session_table *t, const struct session *s);
/*
 * By an id that came from outside; NULL if there is no such session now. If it may be one of a parked connection, NULL and the
 * handle of that in *parked.
 */
static inline struct session *session_table_find(const struct session_table *t, uint32_t id,
						 uint32_t *parked)
{
	uint32_t index = id & (SESSIONS_MAX - 1);
	struct session *s;

	*parked = PARKING_NONE;
	if (index >= t->places_room)
		return NULL;
	if (t->places[index] & SESSION_TABLE_PARKED) {
		*parked = t->places[index] & ~SESSION_TABLE_PARKED;
		return NULL;
	}
	/* The place of a free index leads nowhere, or to a session of another one. */
	s = slab_find(t->sessions, t->places[index]);
	return s && s->has_tuple && s->id == id ? s : NULL;
}

/* One more than the highest index that a session may have, parked or not. */
uint32_t session_table_limit(const struct session_table *t);
/*
 * The session of an index: a copy in *copy, for looking only, so that a parked one need not be woken. False if there is none.
 */
bool session_table_look(const struct session_table *t, uint32_t index, struct session *copy);

/*
 * o and its sessions, of which nothing may be due or linked, are parked; they are no more. The handle, or PARKING_NONE: then
 * nothing has changed.
 */
uint32_t session_table_park(struct session_table *t, struct online *o);
/* And are back, linked with each other. NULL without memory: then nothing has changed. */
struct online *session_table_wake(struct session_table *t, uint32_t handle);
/* A parked connection is forgotten, its sessions with it. */
void session_table_forget_parked(struct session_table *t, uint32_t handle);
size_t session_table_memory(const struct session_table *t);
#endif
