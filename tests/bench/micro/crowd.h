/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd.h - tcpcopy's core with a crowd of clients and a target that always answers: any number of connections
 * without a socket, in virtual time. What the clients and the target say is prepared first, so that the
 * stopwatch holds the core alone.
 *
 *	crowd_connect(c, w, first, n)     n clients connect, online and at the target:
 *	  crowd_knock, crowd_enter          their SYNs; what follows, when they have been answered
 *	crowd_ask(c, w, who, n)           each of them asks, and is answered
 *	crowd_leave(c, w, first, n)       n clients close
 *	crowd_pass(c, w, us)              time goes by
 *
 * A client is a number; all that is known of it follows from the number and `struct member`.
 */
#ifndef TESTS_BENCH_MICRO_CROWD_H
#define TESTS_BENCH_MICRO_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/micro/stopwatch.h"

enum {
	CROWD_BATCH_MAX = 256, /* clients that speak in one batch */
	CROWD_ANSWER_LEN = 200,
};

/* From which ports strangers send SYNs that nothing follows. */
enum crowd_flood {
	CROWD_FLOOD_ANY_PORT,
	CROWD_FLOOD_ONE_PORT, /* what makes a chain in a table that hashes ports only */
};

struct crowd;
struct replay;

/* For up to members clients, IPv4 or IPv6. Ends the program if there is no memory. */
struct crowd *crowd_new(uint32_t members, bool is_ipv6);
/* Likewise, with -m and as many sessions as tcpcopy allows for that. */
struct crowd *crowd_new_within(uint32_t members, bool is_ipv6, uint32_t memory_mb);
void crowd_free(struct crowd *c);

/* In each at most CROWD_BATCH_MAX clients. */
void crowd_connect(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count);
void crowd_knock(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count);
void crowd_enter(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count);
void crowd_ask(struct crowd *c, struct stopwatch *w, const uint32_t *who, unsigned count);
void crowd_leave(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count);
void crowd_flood(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count,
		 enum crowd_flood kind);
/* The target answers the SYNs of those strangers that it was told of. */
void crowd_greet(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count);
void crowd_pass(struct crowd *c, struct stopwatch *w, uint64_t us);

struct replay *crowd_replay(struct crowd *c);
uint64_t crowd_now_us(const struct crowd *c);
/* How often the core has registered a session, and how many it has registered now. */
uint64_t crowd_registered(const struct crowd *c, uint64_t *now);
/*
 * Whether the core did what was asked: that many requests and no more, all delivered, nothing in flight, that many sessions
 * established. Says on stderr what is wrong.
 */
bool crowd_is_sound(const struct crowd *c);
#endif
