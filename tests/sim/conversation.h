/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conversation.h - an online connection: client and online server with their endpoints and
 * applications, and what passed the online server's host, where tcpcopy captures. Conversations live as long as
 * the world, so events and packets may always point at them.
 */
#ifndef TESTS_SIM_CONVERSATION_H
#define TESTS_SIM_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/app.h"
#include "tests/sim/net.h"
#include "tests/sim/script.h"
#include "tests/sim/settings.h"
#include "tests/sim/tcp.h"

enum {
	ONLINE_RANGES_MAX = 64,
};

/* One side's endpoint with the timer that wakes it. */
struct endpoint_end {
	struct tcp *tcp;  /* NULL: not begun, or over */
	uint64_t wake_us; /* of the pending event; UINT64_MAX: none */
	bool is_closed;   /* its last event has come: freed when the call is over */
};

/* The client's stream as it passed the host: what is contiguous, and ranges beyond. */
struct passed {
	uint64_t end;
	uint32_t count;
	bool is_vague; /* too many ranges to follow: end may be too small */
	struct {
		uint64_t start;
		uint64_t end;
	} ranges[ONLINE_RANGES_MAX];
};

/* What the capture has missed of the client, if settings_misses_are_known. */
struct missed {
	uint64_t turns; /* requests, as bits */
	uint64_t
		shown; /* behind the highest byte of which any captured packet of the client tells */
	bool syn;
	bool fin;
	bool has_said; /* a request was captured */
};

/* What the oracle knows of one copy of a conversation at a target. */
struct copied {
	uint32_t next_turn; /* the next request that may arrive there */
	uint32_t high;      /* behind the highest byte of the stream that was taken there */
	uint32_t heard;     /* behind the highest whose acknowledgement was reported to replay */
	uint64_t accepted;  /* bytes, each counted once */
	bool crosses;       /* replay has learned there that requests and answers cross */
};

struct conversation {
	struct world *world;
	uint32_t id;
	uint8_t port; /* index of the online server's port */
	bool is_begun;
	bool is_over; /* both applications are done */
	bool has_gap; /* bytes were missing at the host for so long that replay gives up on them */
	struct tuple tuple; /* client -> online server */
	uint32_t client_isn;
	uint32_t server_isn;
	struct script script;
	struct endpoint_end client;
	struct endpoint_end server;
	struct client_app client_app;
	struct server_app server_app;
	struct flow flows[LEGS];
	struct passed *passed; /* NULL until something passed out of order */
	uint64_t passed_end;
	uint64_t passed_known;  /* up to here the client is known to have spoken */
	uint64_t hole_since_us; /* 0: nothing is missing before that */
	uint64_t ended_us;
	struct missed missed;
	struct copied copies[SIM_TRANSFERS][SIM_COPIES];
};

/* Tuples whose conversation is over, for those that use a client's port again. */
struct used_tuple {
	uint32_t conversation;
	uint64_t since_us;
};

struct conversations {
	struct conversation *all;
	struct conversation nobody; /* owner of packets that belong to none */
	uint32_t count;
	uint32_t begun;
	uint32_t over;
	struct used_tuple *used;
	size_t used_head, used_tail;
};

void conversations_init(struct world *w);
void conversations_fini(struct world *w);
/* EVENT_BEGIN */
void conversations_begin_next(struct world *w);
/* EVENT_CLIENT, EVENT_SERVER */
void conversation_wake_client(struct world *w, struct conversation *c);
void conversation_wake_server(struct world *w, struct conversation *c);
/* A packet arrived there. */
void conversation_at_server(struct world *w, struct flight *f);
void conversation_at_client(struct world *w, struct flight *f);
/* The endpoint of that conversation's client, if it does not use another's port again. */
struct endpoint conversation_client(const struct settings *s, uint32_t id);
/* A number of the world's seed for this conversation. */
uint64_t conversation_chance(const struct conversation *c, uint64_t what);
#endif
