/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/session_table.h"

static const struct tuple *online_tuple(const void *owner, uint32_t value)
{
	const struct session_table *t = owner;

	return &((const struct online *)slab_at(t->onlines, value))->tuple;
}

int session_table_init(struct session_table *t, const struct hash_key *key, uint32_t max_sessions,
		       struct slab_budget *budget)
{
	if (max_sessions > SESSIONS_MAX)
		max_sessions = SESSIONS_MAX;
	*t = (struct session_table){
		.sessions = slab_new_within(sizeof(struct session), max_sessions, budget),
		.onlines = slab_new_within(sizeof(struct online), max_sessions, budget),
	};
	t->by_tuple = tuple_map_new(key, online_tuple, t);
	if (t->sessions && t->onlines && t->by_tuple)
		return 0;
	session_table_fini(t);
	return -1;
}

void session_table_fini(struct session_table *t)
{
	tuple_map_free(t->by_tuple);
	slab_free(t->onlines);
	slab_free(t->sessions);
	*t = (struct session_table){0};
}

struct online *session_table_find_online(const struct session_table *t, const struct tuple *tuple)
{
	uint32_t index = tuple_map_find(t->by_tuple, tuple);

	return index == TUPLE_MAP_NONE ? NULL : slab_at(t->onlines, index);
}

struct online *session_table_add_online(struct session_table *t)
{
	uint32_t index;
	struct online *o = slab_take(t->onlines, &index);

	if (o)
		o->index = index;
	return o;
}

int session_table_map_online(struct session_table *t, struct online *o)
{
	if (tuple_map_insert(t->by_tuple, &o->tuple, o->index))
		return -1;
	o->is_mapped = true;
	return 0;
}

void session_table_unmap_online(struct session_table *t, struct online *o)
{
	if (!o->is_mapped)
		return;
	tuple_map_remove(t->by_tuple, &o->tuple);
	o->is_mapped = false;
}

void session_table_remove_online(struct session_table *t, struct online *o)
{
	session_table_unmap_online(t, o);
	slab_give(t->onlines, o->index);
}

struct session *session_table_add(struct session_table *t, uint32_t *index)
{
	return slab_take(t->sessions, index);
}

void session_table_remove(struct session_table *t, struct session *s)
{
	slab_give(t->sessions, s->index);
}

uint32_t session_table_new_id(struct session_table *t, const struct session *s)
{
	return (uint32_t)t->generation++ << SESSION_INDEX_BITS | s->index;
}

struct session *session_table_find(const struct session_table *t, uint32_t id)
{
	struct session *s = slab_find(t->sessions, id & (SESSIONS_MAX - 1));

	return s && s->has_tuple && s->id == id ? s : NULL;
}

size_t session_table_memory(const struct session_table *t)
{
	return slab_memory(t->sessions) + slab_memory(t->onlines) + tuple_map_memory(t->by_tuple);
}
