/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scale.c - what an operation costs, and a session weighs, while so many sessions are there: one operation of
 * one program at one number of sessions, a line of JSON. tests/bench/growth.py asks for many of them.
 *
 *	scale OPERATION --sessions N [--family 6] [--per-ms N] [--steps N] [--seed N]
 *
 * First N sessions begin and each has a request answered; then their memory is taken, then the steps are timed.
 * In a step as many operations come at once as --per-ms says: what a capture block of a millisecond brings.
 */
#include <malloc.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intercept/response.h"
#include "tcpcopy/replay.h"
#include "tests/bench/micro/answers.h"
#include "tests/bench/micro/crowd.h"

enum {
	STEP_US = 1000,
	FILL = 250, /* sessions a batch that begin before anything is measured */
	AGE_US =
		5 * 1000 *
		1000, /* acknowledgements that were delayed have gone out by then, and who rests is parked */
	MMAP_FROM_BYTES = 8192, /* as in tcpcopy's main.c: chunks go back to the kernel */
	REST_US =
		50 * 1000, /* so that each answer is acknowledged by itself, even of few sessions */
	IDLE_US = 100 * 1000, /* a step in which nobody says anything */
};

struct options {
	const char *operation;
	uint32_t sessions;
	bool is_ipv6;
	unsigned per_step;
	unsigned steps;
	uint64_t seed;
};

struct result {
	struct rounds rounds;
	double bytes_a_session;
	double bytes_more; /* that the steps have added */
	uint64_t worst_ns; /* of a step */
	bool is_sound;
};

/* ---- tcpcopy ---- */

struct crowd_run {
	const struct options *o;
	struct crowd *crowd;
	uint64_t random;
	uint32_t next; /* client that has not connected yet */
};

static void crowd_fill(struct crowd_run *r)
{
	struct stopwatch off = {0};
	uint32_t who[CROWD_BATCH_MAX];

	while (r->next < r->o->sessions) {
		uint32_t left = r->o->sessions - r->next;
		unsigned n = left < FILL ? left : FILL;

		for (unsigned i = 0; i < n; i++)
			who[i] = r->next + i;
		crowd_connect(r->crowd, &off, r->next, n);
		crowd_ask(r->crowd, &off, who, n);
		r->next += n;
	}
	crowd_pass(r->crowd, &off, AGE_US);
}

static void step_request(struct crowd_run *r, struct stopwatch *w)
{
	uint32_t who[CROWD_BATCH_MAX];

	/* Neighbours in number are neighbours in memory: so each is another one, far away. */
	for (unsigned i = 0; i < r->o->per_step; i++) {
		uint32_t part = r->o->sessions / r->o->per_step;

		who[i] = i * part + random_below(&r->random, part);
	}
	crowd_ask(r->crowd, w, who, r->o->per_step);
	crowd_pass(r->crowd, w, REST_US);
}

/* Connects, asks, leaves; those of four seconds ago end their TIME-WAIT meanwhile. */
static void step_connection(struct crowd_run *r, struct stopwatch *w)
{
	uint32_t who[CROWD_BATCH_MAX];

	for (unsigned i = 0; i < r->o->per_step; i++)
		who[i] = r->next + i;
	crowd_connect(r->crowd, w, r->next, r->o->per_step);
	crowd_ask(r->crowd, w, who, r->o->per_step);
	crowd_leave(r->crowd, w, r->next, r->o->per_step);
	r->next += r->o->per_step;
}

static void step_idle(struct crowd_run *r, struct stopwatch *w)
{
	crowd_pass(r->crowd, w, IDLE_US);
}

static void step_syn_flood(struct crowd_run *r, struct stopwatch *w)
{
	crowd_flood(r->crowd, w, r->next, r->o->per_step, CROWD_FLOOD_ANY_PORT);
	r->next += r->o->per_step;
	crowd_pass(r->crowd, w, STEP_US);
}

static void step_hash_flood(struct crowd_run *r, struct stopwatch *w)
{
	crowd_flood(r->crowd, w, r->next, r->o->per_step, CROWD_FLOOD_ONE_PORT);
	r->next += r->o->per_step;
	crowd_pass(r->crowd, w, STEP_US);
}

struct crowd_operation {
	const char *name;
	void (*step)(struct crowd_run *r, struct stopwatch *w);
	unsigned warm_up_steps;
	bool takes_clients; /* per_step new ones a step */
	bool is_flood;
};

static const struct crowd_operation crowd_operations[] = {
	{.name = "request", .step = step_request, .warm_up_steps = 100},
	{.name = "connection",
	 .step = step_connection,
	 .warm_up_steps = 4500,
	 .takes_clients = true},
	{.name = "idle", .step = step_idle},
	{.name = "syn-flood", .step = step_syn_flood, .takes_clients = true, .is_flood = true},
	{.name = "hash-flood", .step = step_hash_flood, .takes_clients = true, .is_flood = true},
};

static double since(uint64_t bytes)
{
	uint64_t now = anonymous_bytes();

	return now > bytes ? (double)(now - bytes) : 0;
}

static void crowd_steps(struct crowd_run *r, const struct crowd_operation *op, struct result *to)
{
	struct stopwatch off = {0};
	double operations = r->o->per_step;

	if (op->step == step_idle) /* of a session, a second */
		operations = (double)r->o->sessions * IDLE_US / 1e6;
	for (unsigned i = 0; i < op->warm_up_steps; i++)
		op->step(r, &off);
	for (unsigned i = 0; i < r->o->steps; i++) {
		struct stopwatch w = {.is_on = true};

		op->step(r, &w);
		rounds_add(&to->rounds, (double)w.ns / operations);
		if (w.ns > to->worst_ns)
			to->worst_ns = w.ns;
	}
	crowd_pass(r->crowd, &off, AGE_US);
}

static void run_crowd(const struct options *o, const struct crowd_operation *op, struct result *to)
{
	uint32_t more = op->takes_clients ? (op->warm_up_steps + o->steps) * o->per_step : 0;
	struct crowd_run r = {.o = o, .random = o->seed};
	uint64_t empty, filled;

	mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES);
	r.crowd = crowd_new(o->sessions + more, o->is_ipv6);
	empty = anonymous_bytes();
	crowd_fill(&r);
	to->bytes_a_session = since(empty) / o->sessions;
	filled = anonymous_bytes();
	crowd_steps(&r, op, to);
	to->bytes_more = since(filled);
	to->is_sound = op->is_flood || crowd_is_sound(r.crowd);
	crowd_free(r.crowd);
}

/* ---- intercept ---- */

struct answers_run {
	const struct options *o;
	struct answers *answers;
	uint64_t random;
	uint32_t next; /* session that is not registered yet */
};

static void answers_fill(struct answers_run *r)
{
	struct stopwatch off = {0};
	uint32_t who[ANSWERS_BATCH_MAX];

	while (r->next < r->o->sessions) {
		uint32_t left = r->o->sessions - r->next;
		unsigned n = left < FILL ? left : FILL;

		for (unsigned i = 0; i < n; i++)
			who[i] = r->next + i;
		answers_register(r->answers, &off, r->next, n);
		answers_capture(r->answers, &off, who, n);
		r->next += n;
	}
}

static void step_answer(struct answers_run *r, struct stopwatch *w)
{
	uint32_t who[ANSWERS_BATCH_MAX], part = r->o->sessions / r->o->per_step;

	for (unsigned i = 0; i < r->o->per_step; i++)
		who[i] = i * part + random_below(&r->random, part);
	answers_capture(r->answers, w, who, r->o->per_step);
}

static void step_route(struct answers_run *r, struct stopwatch *w)
{
	answers_register(r->answers, w, r->o->sessions, r->o->per_step);
	answers_unregister(r->answers, w, r->o->sessions, r->o->per_step);
}

static void step_stray_flood(struct answers_run *r, struct stopwatch *w)
{
	answers_stray(r->answers, w, r->next, r->o->per_step);
	r->next += r->o->per_step;
}

struct answers_operation {
	const char *name;
	void (*step)(struct answers_run *r, struct stopwatch *w);
};

static const struct answers_operation answers_operations[] = {
	{.name = "answer", .step = step_answer},
	{.name = "route", .step = step_route},
	{.name = "stray-flood", .step = step_stray_flood},
};

static void run_answers(const struct options *o, const struct answers_operation *op,
			struct result *to)
{
	struct answers_run r = {.o = o, .random = o->seed};
	uint64_t empty, filled;

	r.answers = answers_new(o->sessions + o->per_step, o->is_ipv6);
	empty = anonymous_bytes();
	answers_fill(&r);
	to->bytes_a_session = since(empty) / o->sessions;
	filled = anonymous_bytes();
	for (unsigned i = 0; i < o->steps; i++) {
		struct stopwatch w = {.is_on = true};

		op->step(&r, &w);
		rounds_add(&to->rounds, (double)w.ns / o->per_step);
		if (w.ns > to->worst_ns)
			to->worst_ns = w.ns;
	}
	to->bytes_more = since(filled);
	to->is_sound = answers_are_sound(r.answers);
	answers_free(r.answers);
}

/* ---- main ---- */

static void usage(void)
{
	fprintf(stderr,
		"usage: scale OPERATION [--sessions N] [--family 4|6] [--per-ms N] [--steps N] "
		"[--seed N]\noperations:");
	for (size_t i = 0; i < sizeof(crowd_operations) / sizeof(crowd_operations[0]); i++)
		fprintf(stderr, " %s", crowd_operations[i].name);
	for (size_t i = 0; i < sizeof(answers_operations) / sizeof(answers_operations[0]); i++)
		fprintf(stderr, " %s", answers_operations[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

static uint32_t number(const char *text, uint32_t least, uint32_t most)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "scale: %s is not a number from %" PRIu32 " to %" PRIu32 "\n", text,
			least, most);
		exit(2);
	}
	return (uint32_t)n;
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {{"sessions", required_argument, NULL, 'n'},
					      {"family", required_argument, NULL, 'f'},
					      {"per-ms", required_argument, NULL, 'p'},
					      {"steps", required_argument, NULL, 's'},
					      {"seed", required_argument, NULL, 'r'},
					      {0}};
	struct options o = {.sessions = 10000, .per_step = 50, .steps = 1000, .seed = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'n':
			o.sessions = number(optarg, 1, 2000000);
			break;
		case 'f':
			o.is_ipv6 = number(optarg, 4, 6) == 6;
			break;
		case 'p':
			o.per_step = number(optarg, 1, CROWD_BATCH_MAX);
			break;
		case 's':
			o.steps = number(optarg, 1, 100000);
			break;
		case 'r':
			o.seed = number(optarg, 1, UINT32_MAX);
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || o.sessions < o.per_step)
		usage();
	o.operation = argv[optind];
	return o;
}

static bool run(const struct options *o, struct result *to)
{
	for (size_t i = 0; i < sizeof(crowd_operations) / sizeof(crowd_operations[0]); i++) {
		if (strcmp(crowd_operations[i].name, o->operation) == 0) {
			run_crowd(o, &crowd_operations[i], to);
			return true;
		}
	}
	for (size_t i = 0; i < sizeof(answers_operations) / sizeof(answers_operations[0]); i++) {
		if (strcmp(answers_operations[i].name, o->operation) == 0) {
			run_answers(o, &answers_operations[i], to);
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct result result = {0};
	struct rounds_summary s;

	if (!run(&o, &result))
		usage();
	s = rounds_summary(&result.rounds);
	printf("{\"operation\":\"%s\",\"sessions\":%" PRIu32 ",\"family\":%d,\"operations\":%u,"
	       "\"ns_min\":%.1f,\"ns_median\":%.1f,\"ns_mean\":%.1f,\"worst_step_us\":%.1f,"
	       "\"bytes_a_session\":%.1f,\"bytes_more\":%.0f}\n",
	       o.operation, o.sessions, o.is_ipv6 ? 6 : 4, o.steps * o.per_step, s.min, s.median,
	       s.mean, (double)result.worst_ns / 1e3, result.bytes_a_session, result.bytes_more);
	rounds_fini(&result.rounds);
	return result.is_sound ? 0 : 1;
}
