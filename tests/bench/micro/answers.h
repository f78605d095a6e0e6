/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answers.h - intercept's core with any number of registered sessions and a target that answers them: frames
 * in, records out, no socket. As in crowd.h what is said is prepared first, so that the stopwatch
 * holds the core alone. A session's number is its id.
 */
#ifndef TESTS_BENCH_MICRO_ANSWERS_H
#define TESTS_BENCH_MICRO_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/micro/stopwatch.h"

enum {
	ANSWERS_BATCH_MAX = 256,
};

struct answers;
struct response;

/* One tcpcopy is connected. Ends the program if there is no memory. */
struct answers *answers_new(uint32_t members, bool is_ipv6);
void answers_free(struct answers *a);

/* In each at most ANSWERS_BATCH_MAX. */
void answers_register(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count);
/* SYN-ACKs that overtake the registrations of these, which follow: they are held. */
void answers_greet(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count);
void answers_unregister(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count);
/* The target answers these, in a packet each. */
void answers_capture(struct answers *a, struct stopwatch *w, const uint32_t *who, unsigned count);
/* It answers sessions that nobody has registered, with a SYN-ACK each. */
void answers_stray(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count);

struct response *answers_response(struct answers *a);
/* Whether all answers captured were reported, and nothing was refused. Says on stderr what is wrong. */
bool answers_are_sound(const struct answers *a);
#endif
