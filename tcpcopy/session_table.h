/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_table.h - where sessions and online connections live: sessions by their id on the link,
 * online connections by their tuple. Bounded. Pure.
 */
#ifndef TCPCOPY_SESSION_TABLE_H
#define TCPCOPY_SESSION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/slab.h"
#include "common/tuple_map.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

/* An id is an index and a generation, so that a late record finds no newer session. */
enum {
	SESSION_INDEX_BITS = 24,
	SESSIONS_MAX = 1 << SESSION_INDEX_BITS,
};

struct session_table {
	struct slab *sessions;
	struct slab *onlines;
	struct tuple_map *by_tuple;
	uint8_t generation;
};

/* 0, or -1 with errno ENOMEM. The budget is borrowed, or NULL. */
int session_table_init(struct session_table *t, const struct hash_key *key, uint32_t max_sessions,
		       struct slab_budget *budget);
void session_table_fini(struct session_table *t);
/* The connection of this client -> server tuple, or NULL. */
struct online *session_table_find_online(const struct session_table *t, const struct tuple *tuple);
/* Not initialised but for its index, and not yet found by a tuple. NULL if full. */
struct online *session_table_add_online(struct session_table *t);
/* Makes it found by o->tuple, which no other may have. 0, or -1 with errno ENOMEM. */
int session_table_map_online(struct session_table *t, struct online *o);
void session_table_unmap_online(struct session_table *t, struct online *o);
void session_table_remove_online(struct session_table *t, struct online *o);
/* Not initialised; its slab index in *index. NULL if full. */
struct session *session_table_add(struct session_table *t, uint32_t *index);
void session_table_remove(struct session_table *t, struct session *s);
/* A fresh id for a session that starts on a tuple. */
uint32_t session_table_new_id(struct session_table *t, const struct session *s);
/* By an id that came from outside; NULL if there is no such session now. */
struct session *session_table_find(const struct session_table *t, uint32_t id);
size_t session_table_memory(const struct session_table *t);
#endif
