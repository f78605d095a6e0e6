/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_table.c - see session_table.h. A session's index does not change as long as it lives; its place, which the index leads to, is
 * in the slab of sessions or, with SESSION_TABLE_PARKED, the handle of its connection.
 */
#include "tcpcopy/session_table.h"

#include <assert.h>
#include <stdlib.h>

enum {
	PLACES_LEAST = 64,
	PLACE_NONE = INT32_MAX, /* ends the list of free ones */
};

static const struct tuple *online_tuple(const void *owner, uint32_t value)
{
	const struct session_table *t = owner;

	if (!(value & SESSION_TABLE_PARKED))
		return &((const struct online *)slab_at(t->onlines, value))->tuple;
	parking_get_online(t->parking, value & ~SESSION_TABLE_PARKED, t->unpacked);
	return &t->unpacked->tuple;
}

int session_table_init(struct session_table *t, const struct hash_key *key, uint32_t max_sessions,
		       struct slab_budget *budget)
{
	if (max_sessions > SESSIONS_MAX)
		max_sessions = SESSIONS_MAX;
	*t = (struct session_table){
		.sessions = slab_new_within(sizeof(struct session), max_sessions, budget),
		.onlines = slab_new_within(sizeof(struct online), max_sessions, budget),
		.parking = parking_new(budget),
		.unpacked = calloc(1, sizeof(struct online)),
		.places_max = max_sessions,
		.place_free = PLACE_NONE,
	};
	t->by_tuple = tuple_map_new(key, online_tuple, t);
	if (t->sessions && t->onlines && t->parking && t->unpacked && t->by_tuple)
		return 0;
	session_table_fini(t);
	return -1;
}

void session_table_fini(struct session_table *t)
{
	tuple_map_free(t->by_tuple);
	parking_free(t->parking);
	slab_free(t->onlines);
	slab_free(t->sessions);
	free(t->unpacked);
	free(t->places);
	*t = (struct session_table){0};
}

/* ---- online connections ---- */

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

/* ---- sessions ---- */

static int grow_places(struct session_table *t)
{
	uint32_t room = t->places_room ? t->places_room * 2 : PLACES_LEAST;
	uint32_t *places;

	if (room > t->places_max)
		room = t->places_max;
	if (room == t->places_room)
		return -1;
	places = realloc(t->places, room * sizeof(*places));
	if (!places)
		return -1;
	for (uint32_t i = t->places_room; i < room; i++)
		places[i] = i + 1 < room ? i + 1 : PLACE_NONE;
	t->place_free = t->places_room;
	t->places = places;
	t->places_room = room;
	return 0;
}

static void give_place(struct session_table *t, uint32_t index)
{
	t->places[index] = t->place_free;
	t->place_free = index;
}

struct session *session_table_add(struct session_table *t, uint32_t *index)
{
	uint32_t place;
	struct session *s;

	if (t->place_free == PLACE_NONE && grow_places(t))
		return NULL;
	s = slab_take(t->sessions, &place);
	if (!s)
		return NULL;
	*index = t->place_free;
	t->place_free = t->places[*index];
	t->places[*index] = place;
	return s;
}

void session_table_remove(struct session_table *t, struct session *s)
{
	uint32_t index = s->index;

	slab_give(t->sessions, t->places[index]);
	give_place(t, index);
}

uint32_t session_table_new_id(struct session_table *t, const struct session *s)
{
	return (uint32_t)t->generation++ << SESSION_INDEX_BITS | s->index;
}

uint32_t session_table_limit(const struct session_table *t)
{
	return t->places_room;
}

/* ---- parking ---- */

/* Somewhere to unpack to, for looking. */
struct unpacked {
	struct online online;
	struct session sessions[PARKING_SESSIONS_MAX];
};

static void unpack(const struct session_table *t, uint32_t handle, struct unpacked *u)
{
	struct session *sessions[PARKING_SESSIONS_MAX];

	for (size_t i = 0; i < PARKING_SESSIONS_MAX; i++)
		sessions[i] = &u->sessions[i];
	parking_get(t->parking, handle, &u->online, sessions);
}

bool session_table_look(const struct session_table *t, uint32_t index, struct session *copy)
{
	const struct session *s;
	struct unpacked u;
	uint32_t handle;

	if (index >= t->places_room)
		return false;
	if (!(t->places[index] & SESSION_TABLE_PARKED)) {
		s = slab_find(t->sessions, t->places[index]);
		if (!s || s->index != index)
			return false;
		*copy = *s;
		return true;
	}
	handle = t->places[index] & ~SESSION_TABLE_PARKED;
	unpack(t, handle, &u);
	for (unsigned i = 0; i < parking_session_count(t->parking, handle); i++) {
		if (u.sessions[i].index == index) {
			*copy = u.sessions[i];
			return true;
		}
	}
	return false;
}

uint32_t session_table_park(struct session_table *t, struct online *o)
{
	uint32_t handle = parking_put(t->parking, o);
	struct session *next;

	if (handle == PARKING_NONE)
		return PARKING_NONE;
	tuple_map_replace(t->by_tuple, &o->tuple, handle | SESSION_TABLE_PARKED);
	for (struct session *s = o->sessions; s; s = next) {
		uint32_t index = s->index;

		next = s->next_of_online;
		slab_give(t->sessions, t->places[index]);
		t->places[index] = handle | SESSION_TABLE_PARKED;
	}
	slab_give(t->onlines, o->index);
	return handle;
}

/* Room for a connection and its sessions, or none of it. */
static struct online *take_all(struct session_table *t, struct session **sessions, uint32_t *places,
			       unsigned count)
{
	struct online *o = session_table_add_online(t);
	unsigned taken = 0;

	while (o && taken < count &&
	       (sessions[taken] = slab_take(t->sessions, &places[taken])) != NULL)
		taken++;
	if (o && taken == count)
		return o;
	while (taken--)
		slab_give(t->sessions, places[taken]);
	if (o)
		slab_give(t->onlines, o->index);
	return NULL;
}

struct online *session_table_wake(struct session_table *t, uint32_t handle)
{
	unsigned count = parking_session_count(t->parking, handle);
	struct session *sessions[PARKING_SESSIONS_MAX];
	uint32_t places[PARKING_SESSIONS_MAX];
	struct online *o = take_all(t, sessions, places, count);
	struct session **last;
	uint32_t index;

	if (!o)
		return NULL;
	index = o->index;
	parking_get(t->parking, handle, o, sessions);
	o->index = index;
	tuple_map_replace(t->by_tuple, &o->tuple, index);
	last = &o->sessions;
	for (unsigned i = 0; i < count; i++) {
		struct session *s = sessions[i];

		t->places[s->index] = places[i];
		s->online = o;
		*last = s;
		last = &s->next_of_online;
	}
	parking_drop(t->parking, handle);
	return o;
}

void session_table_forget_parked(struct session_table *t, uint32_t handle)
{
	struct unpacked u;

	unpack(t, handle, &u);
	for (unsigned i = 0; i < parking_session_count(t->parking, handle); i++)
		give_place(t, u.sessions[i].index);
	tuple_map_remove(t->by_tuple, &u.online.tuple);
	parking_drop(t->parking, handle);
}

size_t session_table_memory(const struct session_table *t)
{
	return slab_memory(t->sessions) + slab_memory(t->onlines) + parking_memory(t->parking) +
	       tuple_map_memory(t->by_tuple) + t->places_room * sizeof(*t->places);
}
