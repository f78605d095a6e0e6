/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target_server.h - the application behind Linux's TCP: accepts, compares every connection's bytes
 * with what its client said (talk.h), answers turn by turn, and ends as its session's manner asks.
 */
#ifndef TESTS_KERNEL_TARGET_SERVER_H
#define TESTS_KERNEL_TARGET_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "tests/kernel/talk.h"

enum {
	TARGET_SERVER_WHY_MAX = 120,
};

struct target_server_config {
	const struct talk *talk; /* borrowed */
	struct endpoint listen;
	const char *congestion;   /* NULL: the system's */
	int receive_buffer_bytes; /* 0: the system's */
	bool may_lose_resets;     /* a client's RST is said once: on a bad wire it may not come */
};

/* What became of a session at the server, over all its connections. */
struct target_server_account {
	uint32_t turns; /* wholly received, in their order */
	uint32_t early; /* that began before the one before was answered */
	uint32_t again; /* that began a connection though they had been received */
	uint32_t
		lost; /* said to a socket that had closed, and repeated on a bad wire: not said again */
	uint32_t connections;
	bool is_done;  /* all that was wanted, and ended as it should */
	bool is_wrong; /* what came was not what the client had said */
	uint64_t done_us;
	char why[TARGET_SERVER_WHY_MAX]; /* what is wrong, or how the last connection ended */
};

struct target_server;

/* Exits with a message if the system says no. */
struct target_server *target_server_open(const struct target_server_config *config);
void target_server_close(struct target_server *s);
/* Becomes readable when there is something to do. */
int target_server_fd(const struct target_server *s);
/* Does it, and what time has brought. */
void target_server_run(struct target_server *s, uint64_t now_us);
uint64_t target_server_next_us(const struct target_server *s);
const struct target_server_account *target_server_account(const struct target_server *s,
							  uint32_t session);
/* Sessions that are done or wrong. */
uint32_t target_server_ended(const struct target_server *s);
/* Connections whose stream belonged to no session. */
uint32_t target_server_strangers(const struct target_server *s);
#endif
