/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/link.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum {
	READ_MAX = 64 * 1024,
};

static enum link_side other(enum link_side side)
{
	return side == LINK_NEAR ? LINK_FAR : LINK_NEAR;
}

/* ---- chunks ---- */

static void wake(struct world *w, struct link_connection *c, uint64_t at_us)
{
	if (at_us < w->link.stalled_until_us)
		at_us = w->link.stalled_until_us;
	if (at_us >= c->wake_us)
		return;
	c->wake_us = at_us;
	c->events++;
	world_put(w, at_us, EVENT_LINK, c);
}

static void put_chunk(struct world *w, struct link_connection *c, enum link_side to,
		      enum chunk_kind kind, uint64_t at_us, const uint8_t *bytes, size_t len)
{
	struct pipe *p = &c->to[to];
	struct chunk *chunk;

	if (c->is_severed && kind == CHUNK_BYTES)
		return;
	chunk = sim_alloc(sizeof(*chunk) + len);
	if (at_us < p->last_us)
		at_us = p->last_us;
	p->last_us = at_us;
	*chunk = (struct chunk){.at_us = at_us, .kind = kind, .len_bytes = (uint32_t)len};
	if (len)
		memcpy(chunk->bytes, bytes, len);
	*p->last = chunk;
	p->last = &chunk->next;
	p->bytes += (uint32_t)len;
	wake(w, c, at_us);
}

static void drop_chunks(struct pipe *p)
{
	while (p->first) {
		struct chunk *chunk = p->first;

		p->first = chunk->next;
		free(chunk);
	}
	p->last = &p->first;
	p->bytes = 0;
}

/* ---- what both sides' sockets do ---- */

struct link_connection *link_connect(struct world *w)
{
	struct link_connection *c = sim_alloc(sizeof(*c));
	uint64_t trip_us = w->settings->link_delay_us;

	c->peer = -1;
	c->wake_us = UINT64_MAX;
	for (int side = 0; side < 2; side++)
		c->to[side].last = &c->to[side].first;
	c->next = w->link.connections;
	w->link.connections = c;
	c->to[LINK_NEAR].is_open = true;
	put_chunk(w, c, LINK_FAR, CHUNK_CONNECTED, w->now_us + trip_us, NULL, 0);
	return c;
}

size_t link_write(struct world *w, struct link_connection *c, enum link_side from,
		  const uint8_t *bytes, size_t len_bytes)
{
	const struct settings *s = w->settings;
	struct pipe *p = &c->to[other(from)];
	size_t room = p->bytes < s->link_buffer_bytes ? s->link_buffer_bytes - p->bytes : 0;
	size_t taken = len_bytes < room ? len_bytes : room;

	p->was_full |= taken < len_bytes;
	for (size_t at = 0; at < taken;) {
		size_t n = taken - at;

		if (s->link_chunk_bytes) {
			size_t piece =
				1 + rng_join(s->seed, w->link.pieces++) % s->link_chunk_bytes;

			n = n < piece ? n : piece;
		}
		if (n > READ_MAX)
			n = READ_MAX;
		put_chunk(w, c, other(from), CHUNK_BYTES, w->now_us + s->link_delay_us, bytes + at,
			  n);
		at += n;
	}
	return taken;
}

static void free_if_over(struct world *w, struct link_connection *c)
{
	struct link_connection **at = &w->link.connections;

	if (c->to[LINK_NEAR].is_open || c->to[LINK_FAR].is_open || c->to[LINK_FAR].first ||
	    c->events)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	drop_chunks(&c->to[LINK_NEAR]);
	free(c);
}

/* Frees nothing: an event of the connection does, for this may be called from within one. */
void link_close(struct world *w, struct link_connection *c, enum link_side by)
{
	c->to[by].is_open = false;
	drop_chunks(&c->to[by]);
	if (!c->is_severed)
		put_chunk(w, c, other(by), CHUNK_CLOSED, w->now_us + w->settings->link_delay_us,
			  NULL, 0);
	wake(w, c, w->now_us);
}

struct link_connection *link_of_peer(struct world *w, unsigned peer)
{
	struct link_connection *c = w->link.connections;

	while (c && (!c->to[LINK_FAR].is_open || c->peer != (int)peer))
		c = c->next;
	return c;
}

/* ---- events ---- */

static void on_connected(struct world *w, struct link_connection *c, enum link_side side)
{
	uint64_t at_us = w->now_us + w->settings->link_delay_us;

	if (side == LINK_NEAR) {
		copy_link_connected(w);
		return;
	}
	if (w->now_us < w->link.down_until_us || !w->assistant.response) {
		put_chunk(w, c, LINK_NEAR, CHUNK_CLOSED, at_us, NULL, 0);
		return;
	}
	c->to[LINK_FAR].is_open = true;
	put_chunk(w, c, LINK_NEAR, CHUNK_CONNECTED, at_us, NULL, 0);
	if (!assistant_link_connected(w, c))
		link_close(w, c, LINK_FAR);
}

static void on_closed(struct world *w, struct link_connection *c, enum link_side side)
{
	c->to[side].is_open = false;
	if (side == LINK_NEAR) {
		copy_link_closed(w, "closed by the other side");
	} else {
		/* A socket whose peer is gone: nobody reads what is still written. */
		assistant_link_closed(w, c);
	}
}

static void on_chunk(struct world *w, struct link_connection *c, enum link_side side,
		     const struct chunk *chunk)
{
	switch (chunk->kind) {
	case CHUNK_CONNECTED:
		on_connected(w, c, side);
		break;
	case CHUNK_CLOSED:
		if (c->to[side].is_open)
			on_closed(w, c, side);
		break;
	case CHUNK_BYTES:
		if (!c->to[side].is_open)
			break;
		if (side == LINK_NEAR)
			copy_link_bytes(w, chunk->bytes, chunk->len_bytes);
		else
			assistant_link_bytes(w, c, chunk->bytes, chunk->len_bytes);
		break;
	}
}

static void tell_writable(struct world *w, struct link_connection *c, enum link_side reader)
{
	if (!c->to[reader].was_full)
		return;
	c->to[reader].was_full = false;
	if (reader == LINK_FAR && c->to[LINK_NEAR].is_open)
		copy_link_writable(w);
	if (reader == LINK_NEAR && c->to[LINK_FAR].is_open)
		assistant_link_writable(w, c);
}

static void deliver(struct world *w, struct link_connection *c, enum link_side side)
{
	struct pipe *p = &c->to[side];

	while (p->first && p->first->at_us <= w->now_us) {
		struct chunk *chunk = p->first;

		p->first = chunk->next;
		if (!p->first)
			p->last = &p->first;
		p->bytes -= chunk->len_bytes;
		on_chunk(w, c, side, chunk);
		free(chunk);
	}
	tell_writable(w, c, side);
}

/* When the first of what is under way to this side is read. */
static uint64_t next_us(const struct world *w, const struct link_connection *c, enum link_side side)
{
	uint64_t at_us = c->to[side].first->at_us;

	if (side == LINK_FAR && assistant_is_asleep(w) && at_us < w->assistant.read_us)
		return w->assistant.read_us;
	return at_us;
}

void link_wake(struct world *w, struct link_connection *c)
{
	c->events--;
	if (c->wake_us > w->now_us) { /* another event has come before this one */
		free_if_over(w, c);
		return;
	}
	c->wake_us = UINT64_MAX;
	if (w->now_us < w->link.stalled_until_us) {
		wake(w, c, w->now_us);
		return;
	}
	deliver(w, c, LINK_NEAR);
	if (!assistant_is_asleep(w))
		deliver(w, c, LINK_FAR);
	for (int side = 0; side < 2; side++)
		if (c->to[side].first)
			wake(w, c, next_us(w, c, (enum link_side)side));
	free_if_over(w, c);
}

void link_read_far(struct world *w)
{
	if (w->now_us < w->link.stalled_until_us)
		return;
	for (struct link_connection *c = w->link.connections; c; c = c->next)
		deliver(w, c, LINK_FAR);
}

/* ---- faults ---- */

void link_cut(struct world *w, uint64_t down_until_us, unsigned told)
{
	w->link.down_until_us = down_until_us;
	for (struct link_connection *c = w->link.connections; c; c = c->next) {
		for (unsigned side = 0; side < 2; side++) {
			drop_chunks(&c->to[side]);
			if (c->to[side].is_open && (told & 1U << side))
				put_chunk(w, c, (enum link_side)side, CHUNK_CLOSED, w->now_us + 1,
					  NULL, 0);
		}
		c->is_severed = true;
		wake(w, c, w->now_us + 1);
	}
}

void link_stall(struct world *w, uint64_t until_us)
{
	w->link.stalled_until_us = until_us;
	for (struct link_connection *c = w->link.connections; c; c = c->next)
		wake(w, c, until_us);
}

void link_init(struct world *w)
{
	w->link = (struct link){.connections = NULL};
}

void link_fini(struct world *w)
{
	while (w->link.connections) {
		struct link_connection *c = w->link.connections;

		w->link.connections = c->next;
		drop_chunks(&c->to[LINK_NEAR]);
		drop_chunks(&c->to[LINK_FAR]);
		free(c);
	}
}
