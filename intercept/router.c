/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * router.c - see router.h. Routes live in two slabs, one a family, and are named by a handle: the
 * index in the slab, and a bit for the family. The tuple map finds a handle by tuple; a table of
 * handles a peer finds it by session id, and is also the list of the peer's routes.
 */
#include "intercept/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/slab.h"
#include "common/tuple_map.h"

enum {
	V4_LEN = 4,
	V6_LEN = 16,
	ID_SLOTS_MIN = 16,
};

#define HANDLE_NONE UINT32_MAX
#define HANDLE_V6   UINT32_C(0x80000000)

static_assert(ROUTER_ROUTES_MAX < INT32_MAX, "an index and the bit of the family make a handle");
static_assert(sizeof(struct session_route) + 2 * V4_LEN == 32, "two routes a cache line");

/* Open addressing with linear probing, as the tuple map. */
struct id_table {
	uint32_t *slots; /* handles; NULL while the peer has no route */
	uint32_t mask;
	uint32_t count;
};

struct router {
	struct hash_key key;
	struct router_limits limits;
	struct slab *v4;
	struct slab *v6;
	struct tuple_map *by_tuple;
	struct id_table by_id[ROUTER_PEERS_MAX];
	/* Where key_of builds a tuple for the map; behind a pointer because the map has us const. */
	struct tuple *scratch;
	struct tuple scratch_memory;
};

/* ---- routes and handles ---- */

static struct session_route *route_at(const struct router *r, uint32_t handle)
{
	return handle & HANDLE_V6 ? slab_at(r->v6, handle & ~HANDLE_V6) : slab_at(r->v4, handle);
}

static void route_get_tuple(const struct router *r, uint32_t handle, struct tuple *t)
{
	const struct session_route *route = route_at(r, handle);

	if (handle & HANDLE_V6) {
		t->src.addr = ip_addr_v6_bytes(route->addresses);
		t->dst.addr = ip_addr_v6_bytes(route->addresses + V6_LEN);
	} else {
		t->src.addr = ip_addr_v4_bytes(route->addresses);
		t->dst.addr = ip_addr_v4_bytes(route->addresses + V4_LEN);
	}
	t->src.port = route->src_port;
	t->dst.port = route->dst_port;
	t->protocol = route->protocol;
}

static void route_set_tuple(struct session_route *route, const struct tuple *t, bool is_v4)
{
	size_t len = is_v4 ? V4_LEN : V6_LEN;

	/* The last bytes of an IPv4-mapped address are the IPv4 address. */
	memcpy(route->addresses, t->src.addr.b + V6_LEN - len, len);
	memcpy(route->addresses + len, t->dst.addr.b + V6_LEN - len, len);
	route->src_port = t->src.port;
	route->dst_port = t->dst.port;
	route->protocol = t->protocol;
}

static const struct tuple *key_of(const void *owner, uint32_t handle)
{
	const struct router *r = owner;

	route_get_tuple(r, handle, r->scratch);
	return r->scratch;
}

/* ---- session ids of a peer ---- */

static uint32_t id_home(const struct router *r, const struct id_table *t, uint32_t session_id)
{
	return (uint32_t)hash_bytes(&r->key, &session_id, sizeof(session_id)) & t->mask;
}

/* The slot of the id, or the empty one where the search ended. Only with slots. */
static uint32_t id_search(const struct router *r, const struct id_table *t, uint32_t session_id)
{
	uint32_t i = id_home(r, t, session_id);

	while (t->slots[i] != HANDLE_NONE && route_at(r, t->slots[i])->session_id != session_id)
		i = (i + 1) & t->mask;
	return i;
}

static uint32_t id_find(const struct router *r, const struct id_table *t, uint32_t session_id)
{
	return t->slots ? t->slots[id_search(r, t, session_id)] : HANDLE_NONE;
}

static int id_resize(const struct router *r, struct id_table *t, uint32_t slot_count)
{
	struct id_table bigger = {.mask = slot_count - 1, .count = t->count};

	bigger.slots = malloc(slot_count * sizeof(*bigger.slots));
	if (!bigger.slots)
		return -1;
	memset(bigger.slots, 0xff, slot_count * sizeof(*bigger.slots));
	for (uint32_t i = 0; t->slots && i <= t->mask; i++) {
		uint32_t handle = t->slots[i];

		if (handle != HANDLE_NONE)
			bigger.slots[id_search(r, &bigger, route_at(r, handle)->session_id)] =
				handle;
	}
	free(t->slots);
	*t = bigger;
	return 0;
}

/* Room for one more. 0, or -1 without memory. */
static int id_reserve(const struct router *r, struct id_table *t)
{
	if (!t->slots)
		return id_resize(r, t, ID_SLOTS_MIN);
	if ((t->count + UINT64_C(1)) * 4 > (t->mask + UINT64_C(1)) * 3)
		return id_resize(r, t, (t->mask + 1) * 2);
	return 0;
}

static void id_insert(const struct router *r, struct id_table *t, uint32_t handle)
{
	t->slots[id_search(r, t, route_at(r, handle)->session_id)] = handle;
	t->count++;
}

/* Moves back what was pushed past the hole, so that there are no tombstones. */
static void id_remove(const struct router *r, struct id_table *t, uint32_t session_id)
{
	uint32_t hole = id_search(r, t, session_id);

	for (uint32_t i = (hole + 1) & t->mask; t->slots[i] != HANDLE_NONE; i = (i + 1) & t->mask) {
		uint32_t home = id_home(r, t, route_at(r, t->slots[i])->session_id);

		if (((i - home) & t->mask) >= ((i - hole) & t->mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = HANDLE_NONE;
	t->count--;
	if (t->count == 0) {
		free(t->slots);
		*t = (struct id_table){.slots = NULL};
	} else if (t->mask + 1 > ID_SLOTS_MIN && t->count < (t->mask + 1) / 8) {
		/* Without memory it stays large, which does no harm. */
		(void)id_resize(r, t, (t->mask + 1) / 2);
	}
}

/* ---- the whole ---- */

struct router *router_new(const struct hash_key *key, const struct router_limits *limits)
{
	struct router *r = calloc(1, sizeof(*r));

	if (!r) {
		errno = ENOMEM;
		return NULL;
	}
	r->key = *key;
	r->limits = *limits;
	r->scratch = &r->scratch_memory;
	r->v4 = slab_new(sizeof(struct session_route) + 2 * V4_LEN, limits->routes_max);
	r->v6 = slab_new(sizeof(struct session_route) + 2 * V6_LEN, limits->routes_max);
	r->by_tuple = tuple_map_new(key, key_of, r);
	if (!r->v4 || !r->v6 || !r->by_tuple) {
		router_free(r);
		errno = ENOMEM;
		return NULL;
	}
	return r;
}

void router_free(struct router *r)
{
	if (!r)
		return;
	for (unsigned peer = 0; peer < ROUTER_PEERS_MAX; peer++)
		free(r->by_id[peer].slots);
	tuple_map_free(r->by_tuple);
	slab_free(r->v6);
	slab_free(r->v4);
	free(r);
}

struct session_route *router_find(const struct router *r, const struct tuple *tuple)
{
	uint32_t handle = tuple_map_find(r->by_tuple, tuple);

	return handle == TUPLE_MAP_NONE ? NULL : route_at(r, handle);
}

static void give_route(struct router *r, uint32_t handle)
{
	if (handle & HANDLE_V6)
		slab_give(r->v6, handle & ~HANDLE_V6);
	else
		slab_give(r->v4, handle);
}

static struct session_route *take_route(struct router *r, bool is_v4, uint32_t *handle)
{
	uint32_t index;
	struct session_route *route = slab_take(is_v4 ? r->v4 : r->v6, &index);

	if (route)
		*handle = is_v4 ? index : index | HANDLE_V6;
	return route;
}

/* From both tables and the slab. */
static void remove_route(struct router *r, uint32_t handle)
{
	const struct session_route *route = route_at(r, handle);
	struct tuple tuple;

	route_get_tuple(r, handle, &tuple);
	tuple_map_remove(r->by_tuple, &tuple);
	id_remove(r, &r->by_id[route->peer], route->session_id);
	give_route(r, handle);
}

static void forget_packets(struct session_route *route)
{
	route->last = (struct route_last){.ttl = 0};
	route->pending = ROUTE_NOTHING_PENDING;
}

/* A new route for a tuple and an id that have none. */
static enum router_result insert_route(struct router *r, unsigned peer, uint32_t session_id,
				       const struct tuple *tuple, struct session_route **result)
{
	struct id_table *ids = &r->by_id[peer];
	bool is_v4 = ip_addr_is_v4(&tuple->src.addr);
	struct session_route *route;
	uint32_t handle;

	if (ids->count >= r->limits.peer_routes_max || router_count(r) >= r->limits.routes_max)
		return ROUTER_FULL;
	if (id_reserve(r, ids))
		return ROUTER_FULL;
	route = take_route(r, is_v4, &handle);
	if (!route)
		return ROUTER_FULL;
	route->session_id = session_id;
	route->peer = (uint8_t)peer;
	route_set_tuple(route, tuple, is_v4);
	forget_packets(route);
	if (tuple_map_insert(r->by_tuple, tuple, handle)) {
		give_route(r, handle);
		return ROUTER_FULL;
	}
	id_insert(r, ids, handle);
	*result = route;
	return ROUTER_ADDED;
}

enum router_result router_add(struct router *r, unsigned peer, uint32_t session_id,
			      const struct tuple *tuple, struct session_route **result)
{
	uint32_t holder = tuple_map_find(r->by_tuple, tuple), older;
	enum router_result added;

	assert(peer < ROUTER_PEERS_MAX);
	if (ip_addr_is_v4(&tuple->src.addr) != ip_addr_is_v4(&tuple->dst.addr))
		return ROUTER_BAD_TUPLE;
	if (holder != TUPLE_MAP_NONE) {
		struct session_route *route = route_at(r, holder);

		if (route->peer != peer)
			return ROUTER_TAKEN;
		if (route->session_id == session_id) {
			forget_packets(route);
			*result = route;
			return ROUTER_REPLACED;
		}
		remove_route(r, holder);
	}
	older = id_find(r, &r->by_id[peer], session_id);
	if (older != HANDLE_NONE)
		remove_route(r, older);
	added = insert_route(r, peer, session_id, tuple, result);
	return added == ROUTER_ADDED && holder != TUPLE_MAP_NONE ? ROUTER_REPLACED : added;
}

bool router_remove(struct router *r, unsigned peer, uint32_t session_id)
{
	uint32_t handle = id_find(r, &r->by_id[peer], session_id);

	if (handle == HANDLE_NONE)
		return false;
	remove_route(r, handle);
	return true;
}

size_t router_remove_peer(struct router *r, unsigned peer)
{
	struct id_table ids = r->by_id[peer];
	size_t removed = 0;

	/* The table is taken away as a whole rather than emptied id by id. */
	r->by_id[peer] = (struct id_table){.slots = NULL};
	for (uint32_t i = 0; ids.slots && i <= ids.mask; i++) {
		struct tuple tuple;

		if (ids.slots[i] == HANDLE_NONE)
			continue;
		route_get_tuple(r, ids.slots[i], &tuple);
		tuple_map_remove(r->by_tuple, &tuple);
		give_route(r, ids.slots[i]);
		removed++;
	}
	free(ids.slots);
	return removed;
}

size_t router_count(const struct router *r)
{
	return tuple_map_count(r->by_tuple);
}

size_t router_peer_count(const struct router *r, unsigned peer)
{
	return r->by_id[peer].count;
}

uint32_t router_longest_search(const struct router *r)
{
	uint32_t longest = tuple_map_longest_search(r->by_tuple);

	for (unsigned peer = 0; peer < ROUTER_PEERS_MAX; peer++) {
		const struct id_table *t = &r->by_id[peer];

		for (uint32_t i = 0; t->slots && i <= t->mask; i++) {
			uint32_t handle = t->slots[i], looked_at;

			if (handle == HANDLE_NONE)
				continue;
			looked_at =
				((i - id_home(r, t, route_at(r, handle)->session_id)) & t->mask) +
				1;
			longest = looked_at > longest ? looked_at : longest;
		}
	}
	return longest;
}

size_t router_memory(const struct router *r)
{
	size_t bytes = sizeof(*r) + slab_memory(r->v4) + slab_memory(r->v6) +
		       tuple_map_memory(r->by_tuple);

	for (unsigned peer = 0; peer < ROUTER_PEERS_MAX; peer++)
		if (r->by_id[peer].slots)
			bytes += ((size_t)r->by_id[peer].mask + 1) * sizeof(uint32_t);
	return bytes;
}
