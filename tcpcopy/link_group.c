/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link_group.c - see link_group.h. With a single connection nothing is remembered of the sessions.
 */
#include "tcpcopy/link_group.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tcpcopy/session_table.h"

struct member {
	struct intercept_link *link;
	bool was_up;
	bool has_moved;        /* its sessions are the others' until it is up again */
	uint64_t wait_from_us; /* lost; UINT64_MAX: up, or nobody waits for it */
};

struct link_group {
	struct member members[LINK_GROUP_MAX];
	size_t count;
	uint32_t max_sessions;
	uint8_t *
		places; /* of the sessions, by index: 1 + the member, 0 none; NULL with one member */
};

struct link_group *link_group_new(struct intercept_link *const *links, size_t count,
				  uint32_t max_sessions)
{
	struct link_group *g;

	if (!count || count > LINK_GROUP_MAX) {
		errno = EINVAL;
		return NULL;
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->count = count;
	g->max_sessions = max_sessions;
	for (size_t i = 0; i < count; i++)
		g->members[i] = (struct member){
			.link = links[i], .has_moved = true, .wait_from_us = UINT64_MAX};
	if (count == 1)
		return g;
	g->places = calloc(max_sessions, sizeof(*g->places));
	if (!g->places) {
		free(g);
		return NULL;
	}
	return g;
}

void link_group_free(struct link_group *g)
{
	if (!g)
		return;
	free(g->places);
	free(g);
}

size_t link_group_count(const struct link_group *g)
{
	return g->count;
}

struct intercept_link *link_group_link(const struct link_group *g, size_t i)
{
	return g->members[i].link;
}

static bool is_up(const struct member *m)
{
	return intercept_link_state(m->link) == INTERCEPT_LINK_UP;
}

/* ---- where a session is ---- */

static uint8_t *place_of(const struct link_group *g, uint32_t session_id)
{
	uint32_t index = session_id & (SESSIONS_MAX - 1);

	return &g->places[index < g->max_sessions ? index : 0];
}

/* Where a session that is nowhere belongs: 1 + the member, 0 if none is up. */
static uint8_t choose(const struct link_group *g, uint32_t session_id)
{
	size_t first = (session_id & (SESSIONS_MAX - 1)) % g->count;

	for (size_t n = 0; n < g->count; n++) {
		size_t i = (first + n) % g->count;

		if (is_up(&g->members[i]))
			return (uint8_t)(1 + i);
	}
	return 0;
}

void link_group_register(struct link_group *g, uint32_t session_id, const struct tuple *response)
{
	uint8_t *place;

	if (!g->places) {
		intercept_link_register(g->members[0].link, session_id, response);
		return;
	}
	place = place_of(g, session_id);
	*place = choose(g, session_id);
	if (*place)
		intercept_link_register(g->members[*place - 1].link, session_id, response);
}

void link_group_unregister(struct link_group *g, uint32_t session_id)
{
	uint8_t *place;

	if (!g->places) {
		intercept_link_unregister(g->members[0].link, session_id);
		return;
	}
	place = place_of(g, session_id);
	if (*place)
		intercept_link_unregister(g->members[*place - 1].link, session_id);
	*place = 0;
}

void link_group_resync(struct link_group *g, size_t i, uint32_t session_id,
		       const struct tuple *response)
{
	if (g->places) {
		uint8_t *place = place_of(g, session_id);

		if (!*place || g->members[*place - 1].has_moved) {
			uint8_t chosen = choose(g, session_id);

			/* Another's: its own pass takes it. */
			if (chosen != 1 + i)
				return;
			*place = chosen;
		}
		if (*place != 1 + i)
			return;
	}
	intercept_link_register(g->members[i].link, session_id, response);
}

/* ---- connections come and go ---- */

/* Those that are away are waited for from now on: nobody could take their sessions before. */
static void wait_for_others(struct link_group *g, uint64_t now_us)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		if (m->was_up || m->has_moved)
			continue;
		m->wait_from_us = now_us;
	}
}

static void on_up(struct link_group *g, struct member *m, uint64_t now_us)
{
	m->was_up = true;
	m->has_moved = false;
	m->wait_from_us = UINT64_MAX;
	if (link_group_up(g) == 1)
		wait_for_others(g, now_us);
}

static void on_lost(struct member *m, uint64_t now_us)
{
	m->was_up = false;
	m->wait_from_us = now_us;
}

void link_group_on_state(struct link_group *g, const struct intercept_link *link,
			 enum intercept_link_state state, uint64_t now_us)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		if (m->link != link)
			continue;
		if (state == INTERCEPT_LINK_UP)
			on_up(g, m, now_us);
		else if (m->was_up)
			on_lost(m, now_us);
	}
}

uint64_t link_group_next_us(const struct link_group *g)
{
	uint64_t from_us = UINT64_MAX;

	if (!g->places || !link_group_up(g))
		return UINT64_MAX;
	for (size_t i = 0; i < g->count; i++)
		if (g->members[i].wait_from_us < from_us)
			from_us = g->members[i].wait_from_us;
	return from_us == UINT64_MAX ? UINT64_MAX : from_us + LINK_GROUP_MOVE_US;
}

void link_group_on_time(struct link_group *g, uint64_t now_us)
{
	if (now_us < link_group_next_us(g))
		return;
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = &g->members[i];

		if (m->wait_from_us == UINT64_MAX || now_us < m->wait_from_us + LINK_GROUP_MOVE_US)
			continue;
		m->wait_from_us = UINT64_MAX;
		m->has_moved = true;
	}
	for (size_t i = 0; i < g->count; i++)
		intercept_link_ask_resync(g->members[i].link);
}

unsigned link_group_up(const struct link_group *g)
{
	unsigned up = 0;

	for (size_t i = 0; i < g->count; i++)
		up += is_up(&g->members[i]);
	return up;
}

unsigned link_group_served(const struct link_group *g)
{
	unsigned up = link_group_up(g), moved = 0;

	for (size_t i = 0; i < g->count; i++)
		moved += g->members[i].has_moved && !is_up(&g->members[i]);
	return up ? up + moved : 0;
}
