/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * app.h - the applications on top of the endpoints: a client that follows its script, and a server that
 * answers each request when it is whole. The online server and the target's are the same but for
 * the columns of the script that they read. They know TCP only as an application does.
 */
#ifndef TESTS_SIM_APP_H
#define TESTS_SIM_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/script.h"
#include "tests/sim/tcp.h"

struct client_app {
	const struct script *script;
	uint32_t turn;           /* the next to be said */
	uint32_t written;        /* bytes of its request */
	uint64_t awaited;        /* answer bytes of the turns before it */
	uint64_t received;       /* answer bytes */
	uint64_t think_until_us; /* 0: not thinking yet */
	bool peer_closed;
	bool is_done; /* has done its part: closed, reset, gone or given up */
};

struct server_app {
	const struct script *script;
	uint32_t read;         /* offset in the client's stream */
	uint32_t turn;         /* the next to be answered */
	uint32_t left;         /* bytes of the answer, of its first part if it has two */
	uint32_t later;        /* of its second part */
	uint64_t answer_at_us; /* 0: nothing is being prepared */
	uint64_t said;         /* answer bytes handed to TCP */
	uint32_t answered;     /* turns */
	bool is_target;
	bool peer_closed;
	bool is_done;
};

void client_app_init(struct client_app *a, const struct script *script);
/* Goes on as far as it can. Returns when it wants to go on without an event; UINT64_MAX: never. */
uint64_t client_app_step(struct client_app *a, struct tcp *tcp, uint64_t now_us);

/* From that turn on: a joined connection does not begin with the first. */
void server_app_init(struct server_app *a, const struct script *script, bool is_target,
		     uint32_t first_turn);
uint64_t server_app_step(struct server_app *a, struct tcp *tcp, uint64_t now_us);
#endif
