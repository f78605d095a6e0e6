/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - the target's host: a table of independent endpoints, one a faked connection, each with
 * the server application behind it. Who speaks to no connection gets a RST.
 */
#ifndef TESTS_SIM_TARGET_H
#define TESTS_SIM_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/app.h"
#include "tests/sim/conversation.h"
#include "tests/sim/faked.h"
#include "tests/sim/settings.h"

struct target_connection {
	struct target_connection *next_in_bucket;
	struct target_connection *next_of_all;
	struct world *world;
	struct tuple tuple; /* faked client -> target */
	struct faked *faked;
	struct conversation *owner; /* nobody until it is known */
	struct endpoint_end end;
	struct server_app app;
	bool is_in_table;
	bool is_identified; /* owner and app are set */
	bool has_failed;    /* the oracle has spoken: once is enough */
	uint8_t head_len;
	uint8_t head[SCRIPT_HEADER_LEN]; /* until it is identified */
	uint32_t start;                  /* offset in the client's stream of its first byte */
	uint32_t accepted;               /* bytes that its TCP has acknowledged */
	uint32_t turn;                   /* whose request is arriving */
	uint32_t read;                   /* bytes, by the application */
};

enum {
	TARGET_BUCKETS = 1 << 14,
};

struct target {
	struct target_connection *buckets[TARGET_BUCKETS];
	struct target_connection *all;
	uint64_t refuses_until_us;
	uint64_t connections;             /* ever */
	uint64_t open;                    /* endpoints that are not over */
	uint64_t accepted[SIM_TRANSFERS]; /* bytes */
	uint64_t repeated[SIM_TRANSFERS]; /* of these, taken before by a connection that ended */
	uint64_t before[SIM_TRANSFERS];   /* of these, before tcpcopy began its present account */
	uint64_t unknown[SIM_TRANSFERS];  /* of these, too few to tell whose they are */
	uint64_t requests[SIM_TRANSFERS]; /* whole requests */
};

void target_init(struct world *w);
void target_fini(struct world *w);
void target_on_packet(struct world *w, struct flight *f);
/* EVENT_TARGET */
void target_wake(struct world *w, struct target_connection *c);
/* The process ends and comes back: its connections are gone without a word. */
void target_restart(struct world *w);

/* tcpcopy begins to count anew. */
void target_begin_account(struct world *w);

/* Where the clients connect to, and where their copies go. */
struct endpoint target_online_endpoint(const struct settings *s, unsigned port);
struct endpoint target_endpoint(const struct settings *s, unsigned transfer);
uint8_t target_transfer_of(const struct settings *s, const struct endpoint *target);
#endif
