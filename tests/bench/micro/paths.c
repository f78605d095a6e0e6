/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paths.c - the whole way through a core: of a request through tcpcopy (frame in, segment out, record in,
 * acknowledgement), of a connection, and of an answer through intercept. 100 sessions that take turns, 10 of them
 * a millisecond: 10,000 requests a second.
 */
#include "tests/bench/micro/micro.h"

#include "tests/bench/micro/answers.h"
#include "tests/bench/micro/crowd.h"

enum {
	SESSIONS = 100,
	A_MS = 10,
	STEPS = 100,
	OPERATIONS = A_MS * STEPS,
	STEP_US = 1000,
	ANSWER_US = 300,            /* of a step, that the target takes to answer */
	CONNECTIONS_MAX = 1 << 20,  /* in a run of the program */
	TIME_WAIT_US = 5 * 1000000, /* and a bit */
};

/* ---- tcpcopy ---- */

struct path {
	struct crowd *crowd;
	uint32_t next;
};

static void *make_crowd(uint32_t members, bool is_ipv6)
{
	struct path *p = bench_memory(sizeof(*p));

	p->crowd = crowd_new(members, is_ipv6);
	return p;
}

static void *make_talkers(bool is_ipv6)
{
	struct stopwatch off = {0};
	struct path *p = make_crowd(SESSIONS, is_ipv6);

	crowd_connect(p->crowd, &off, 0, SESSIONS);
	return p;
}

static void *make_requests(uint64_t seed)
{
	(void)seed; /* nothing here is by chance */
	return make_talkers(false);
}

static void *make_requests_ipv6(uint64_t seed)
{
	(void)seed;
	return make_talkers(true);
}

static void *make_connections(uint64_t seed)
{
	(void)seed;
	return make_crowd(CONNECTIONS_MAX, false);
}

static bool free_crowd(void *state)
{
	struct path *p = state;
	bool ok = crowd_is_sound(p->crowd);

	crowd_free(p->crowd);
	bench_memory_free(p, sizeof(*p));
	return ok;
}

static void run_requests(void *state, struct stopwatch *w)
{
	struct path *p = state;
	uint32_t who[A_MS];

	for (unsigned step = 0; step < STEPS; step++) {
		for (unsigned i = 0; i < A_MS; i++)
			who[i] = (step * A_MS + i) % SESSIONS;
		crowd_ask(p->crowd, w, who, A_MS);
		crowd_pass(p->crowd, w, STEP_US - ANSWER_US);
	}
}

/* The end of TIME-WAIT is part of it. */
static void run_connections(void *state, struct stopwatch *w)
{
	struct path *p = state;
	uint32_t who[A_MS];

	for (unsigned step = 0; step < STEPS; step++) {
		for (unsigned i = 0; i < A_MS; i++)
			who[i] = p->next + i;
		crowd_connect(p->crowd, w, p->next, A_MS);
		crowd_ask(p->crowd, w, who, A_MS);
		crowd_leave(p->crowd, w, p->next, A_MS);
		p->next = p->next + A_MS;
	}
	crowd_pass(p->crowd, w, TIME_WAIT_US);
}

/* ---- intercept ---- */

static void *make_answers(uint64_t seed)
{
	struct stopwatch off = {0};
	struct answers *a = answers_new(SESSIONS + A_MS, false);

	(void)seed;
	answers_register(a, &off, 0, SESSIONS);
	return a;
}

static bool free_answers(void *state)
{
	bool ok = answers_are_sound(state);

	answers_free(state);
	return ok;
}

static void run_answers(void *state, struct stopwatch *w)
{
	uint32_t who[A_MS];

	for (unsigned step = 0; step < STEPS; step++) {
		for (unsigned i = 0; i < A_MS; i++)
			who[i] = (step * A_MS + i) % SESSIONS;
		answers_capture(state, w, who, A_MS);
	}
}

static void run_routes(void *state, struct stopwatch *w)
{
	for (unsigned step = 0; step < STEPS; step++) {
		answers_register(state, w, SESSIONS, A_MS);
		answers_unregister(state, w, SESSIONS, A_MS);
	}
}

const struct micro micro_paths[] = {
	{"request", "tcpcopy: a kept-alive request, its answer, both acknowledged", OPERATIONS,
	 make_requests, run_requests, free_crowd},
	{"request-ipv6", "the same, IPv6", OPERATIONS, make_requests_ipv6, run_requests,
	 free_crowd},
	{"connection", "tcpcopy: a connection of one request, to the end of its TIME-WAIT",
	 OPERATIONS, make_connections, run_connections, free_crowd},
	{"answer", "intercept: a captured answer becomes a record", OPERATIONS, make_answers,
	 run_answers, free_answers},
	{"route", "intercept: a session is registered, and unregistered", OPERATIONS, make_answers,
	 run_routes, free_answers},
	{0},
};
