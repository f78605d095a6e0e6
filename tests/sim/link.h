/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - the TCP connection between tcpcopy (near) and intercept (far), as both sides' sockets show it:
 * bytes in order after a delay, cut into pieces anywhere, a bounded amount in flight; it may stall,
 * be cut so that both ends, or only one, hear of it, and be refused.
 */
#ifndef TESTS_SIM_LINK_H
#define TESTS_SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

enum link_side {
	LINK_NEAR,
	LINK_FAR,
};

enum chunk_kind {
	CHUNK_BYTES,
	CHUNK_CONNECTED,
	CHUNK_CLOSED,
};

struct chunk {
	struct chunk *next;
	uint64_t at_us;
	enum chunk_kind kind;
	uint32_t len_bytes;
	uint8_t bytes[];
};

/* What travels to one side. */
struct pipe {
	struct chunk *first;
	struct chunk **last;
	uint64_t last_us;
	uint32_t bytes; /* in flight */
	bool was_full;
	bool is_open; /* this side has its socket open */
};

struct link_connection {
	struct link_connection *next;
	struct pipe to[2]; /* by side */
	int peer;          /* intercept's number for it; -1: none */
	bool is_severed;   /* nothing gets through any more */
	uint64_t wake_us;
	uint32_t events; /* pending, the outdated ones too */
};

struct link {
	struct link_connection *connections;
	uint64_t stalled_until_us;
	uint64_t down_until_us;
	uint32_t pieces; /* counts cuts into chunks */
};

void link_init(struct world *w);
void link_fini(struct world *w);
/* The near side connects: connected or closed follows. */
struct link_connection *link_connect(struct world *w);
/* Takes as many bytes as the socket buffer does. */
size_t link_write(struct world *w, struct link_connection *c, enum link_side from,
		  const uint8_t *bytes, size_t len_bytes);
/* This side closes its socket; the other hears of it behind what is on its way. */
void link_close(struct world *w, struct link_connection *c, enum link_side by);
struct link_connection *link_of_peer(struct world *w, unsigned peer);
/* What has come to the far side, whose process has slept. */
void link_read_far(struct world *w);
/* EVENT_LINK */
void link_wake(struct world *w, struct link_connection *c);

/* A fault: until then nothing connects. told says which sides hear of it, as bits of 1 << side. */
void link_cut(struct world *w, uint64_t down_until_us, unsigned told);
void link_stall(struct world *w, uint64_t until_us);
#endif
