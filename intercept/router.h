/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * router.h - which peer wants to hear of which answers: a table from the tuple of a captured packet
 * (target -> faked client) to the session that a peer registered for it.
 *
 * A route belongs to the peer that made it; only that peer replaces or removes it. Strangers choose
 * the tuples and peers the session ids, so both tables are keyed hashes and both have limits. A route
 * costs 32 bytes (IPv6 64) and about 16 + 8 in the two tables. Pure.
 */
#ifndef INTERCEPT_ROUTER_H
#define INTERCEPT_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	ROUTER_PEERS_MAX = 80,            /* peer numbers are below this */
	ROUTER_ROUTES_MAX = 4000000,      /* in total */
	ROUTER_PEER_ROUTES_MAX = 2000000, /* a peer */
	ROUTE_NOTHING_PENDING = UINT16_MAX,
};

/* The last packet seen on a route: what a duplicate of it is told by. */
struct route_last {
	uint32_t seq;
	uint32_t ack;
	uint16_t ip_id;
	uint8_t ttl; /* 0: none seen yet */
	uint8_t flags;
};

struct session_route {
	uint32_t session_id; /* as the peer chose it */
	struct route_last last;
	uint16_t
		pending; /* the owner's: index of the session's latest record in the peer's batch */
	uint8_t peer;
	uint8_t protocol;
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t addresses[]; /* source and destination, 4 or 16 bytes each */
};

struct router_limits {
	uint32_t routes_max;
	uint32_t peer_routes_max;
};

enum router_result {
	ROUTER_ADDED,
	ROUTER_REPLACED,  /* the same peer had it: it has the new id now */
	ROUTER_TAKEN,     /* it belongs to another peer */
	ROUTER_FULL,      /* a limit, or no memory */
	ROUTER_BAD_TUPLE, /* addresses of two families */
};

struct router;

/* NULL with errno ENOMEM. */
struct router *router_new(const struct hash_key *key, const struct router_limits *limits);
void router_free(struct router *r);
/* The route of a captured packet, or NULL. It stays where it is until it is removed. */
struct session_route *router_find(const struct router *r, const struct tuple *tuple);
/*
 * Registers. An id that the peer used for another tuple moves to this one: the older route goes.
 * After ROUTER_ADDED and ROUTER_REPLACED *route is the route, as if no packet had been seen.
 */
enum router_result router_add(struct router *r, unsigned peer, uint32_t session_id,
			      const struct tuple *tuple, struct session_route **route);
/* False if this peer has no such session. */
bool router_remove(struct router *r, unsigned peer, uint32_t session_id);
/* All routes of a peer, in time proportional to their number. Returns how many there were. */
size_t router_remove_peer(struct router *r, unsigned peer);
size_t router_count(const struct router *r);
size_t router_peer_count(const struct router *r, unsigned peer);
/* Slots that a search, by a tuple or by a peer's id, looks at, at most. Walks over all: for tests. */
uint32_t router_longest_search(const struct router *r);
/* Bytes of memory that it holds. */
size_t router_memory(const struct router *r);
#endif
