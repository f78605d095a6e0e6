/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm.c - both cores beside a million idle sessions, in virtual time: 50,000 connections begin in each second,
 * say a request and end; or a flood of SYNs comes from strangers. What came of it, against what it may hold.
 *
 *	storm [--sessions N] [--rate N] [--flood N] [--seconds N] [--family 4|6] [--memory MB]
 *
 * Some of the idle sessions go on asking meanwhile. The exit status is 1 if anything was not delivered, was refused or was left
 * over, or if a limit was passed. docs/performance.md has the reckoning that the limits come from.
 */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "intercept/response.h"
#include "tcpcopy/replay.h"
#include "tcpcopy/session.h"
#include "tests/bench/micro/answers.h"
#include "tests/bench/micro/crowd.h"

enum {
	MMAP_FROM_BYTES = 8192, /* as in tcpcopy's main.c */
	FILL = 250,
	AGE_US = 5 * 1000 * 1000, /* whoever rests is parked by then */
	STEP_US = 1000,
	STEPS_A_SECOND = 1000,
	/* Of a newcomer, in steps: its client is a round trip of 30 ms away. */
	ENTERS_AFTER = 30,
	ASKS_AFTER = 31,
	LEAVES_AFTER = 100,
	IDLE_BYTES = 320,    /* the budget of an idle session */
	LINGER_STEPS = 1000, /* its connection stays known so long behind its end */
	TIME_WAIT_STEPS = SESSION_TIME_WAIT_US / STEP_US,
	ASKING_A_STEP = 5,               /* of those that were there before */
	ASKING_A_STEP_OF_FLOOD = 50,     /* likewise, when nobody else asks */
	FORGOTTEN_US = 80 * 1000 * 1000, /* a SYN that nothing followed is, by then */
	TRIED_MAX = 8192,                /* replay.c: HALF_OPEN_TRIED_MAX, HALF_OPEN_WAITING_MAX */
	WAITING_MAX = 65536,
	HELD_LIMIT = 1024,      /* intercept/held.h */
	ANSWERS_STEP_US = 5000, /* five messages or batches, a millisecond each */
	ANSWERS_STEPS_A_SECOND = 200,
	ROUTE_STEPS = 820, /* 4.1 s: how long a newcomer is registered */
	ANSWERS_OF_EACH = 2,
};

struct options {
	uint32_t sessions;
	uint32_t rate;
	uint32_t flood;
	uint32_t seconds;
	uint32_t memory_mb;
	bool is_ipv6;
};

/* The most of each that was seen after any step. */
struct peaks {
	uint64_t sessions;
	uint64_t connections;
	uint64_t memory_bytes;
	uint64_t registrations_a_second;
	uint64_t worst_ns;
};

struct storm {
	const struct options *o;
	struct crowd *crowd;
	struct stopwatch watch;
	struct peaks peaks;
	uint64_t random;
	uint32_t next;              /* client that nothing is known of yet */
	uint64_t registered_before; /* this second */
	bool is_sound;
};

/* ---- what is said of it ---- */

static void head(const char *title)
{
	printf("%-44s%16s%16s\n", title, "seen", "at most");
}

/* A figure that may not be larger than that. */
static void at_most(bool *is_sound, const char *what, uint64_t seen, uint64_t most)
{
	printf("  %-42s%16" PRIu64 "%16" PRIu64 "%s\n", what, seen, most,
	       seen > most ? "  TOO MUCH" : "");
	*is_sound &= seen <= most;
}

/* And one that is known beforehand. */
static void exactly(bool *is_sound, const char *what, uint64_t seen, uint64_t wanted)
{
	printf("  %-42s%16" PRIu64 "%16" PRIu64 "%s\n", what, seen, wanted,
	       seen != wanted ? "  WRONG" : "");
	*is_sound &= seen == wanted;
}

static void tell_time(const char *what, uint64_t ns, uint64_t count, uint64_t worst_ns,
		      uint64_t seconds)
{
	printf("  %-42s%16.2f\n", what, count ? (double)ns / (double)count / 1e3 : 0);
	printf("  %-42s%16.0f\n", "of a processor, percent",
	       (double)ns / 1e9 / (double)seconds * 100);
	printf("  %-42s%16.2f\n", "the worst batch, ms", (double)worst_ns / 1e6);
}

/* What a registration and its end take on the link. */
static uint64_t link_bytes(bool is_ipv6)
{
	struct endpoint e = {.addr = ip_addr_v4(1), .port = 1};
	uint8_t bytes[256];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));
	struct wire_register m = {.response = {.protocol = PROTOCOL_TCP}};

	if (is_ipv6)
		e.addr = (struct ip_addr){.b = {0xfd, [15] = 1}};
	m.response.src = m.response.dst = e;
	wire_put_register(&w, &m);
	wire_put_unregister(&w, 1);
	return (uint64_t)(w.at - bytes);
}

/* ---- tcpcopy ---- */

static void look(struct storm *s)
{
	struct replay *r = crowd_replay(s->crowd);
	uint64_t sessions = replay_ledger(r)->targets[0].sessions.active;
	uint64_t connections = replay_connections(r), bytes = replay_memory(r);

	if (sessions > s->peaks.sessions)
		s->peaks.sessions = sessions;
	if (connections > s->peaks.connections)
		s->peaks.connections = connections;
	if (bytes > s->peaks.memory_bytes)
		s->peaks.memory_bytes = bytes;
}

static void fill(struct storm *s)
{
	struct stopwatch off = {0};
	uint32_t who[FILL];

	while (s->next < s->o->sessions) {
		uint32_t left = s->o->sessions - s->next;
		unsigned n = left < FILL ? left : FILL;

		for (unsigned i = 0; i < n; i++)
			who[i] = s->next + i;
		crowd_connect(s->crowd, &off, s->next, n);
		crowd_ask(s->crowd, &off, who, n);
		s->next += n;
	}
	crowd_pass(s->crowd, &off, AGE_US);
}

/* Old sessions that ask, far from each other: n of them, so that all have their turn. */
static unsigned choose_asking(struct storm *s, uint32_t *who, unsigned n)
{
	uint32_t part = s->o->sessions / n;

	for (unsigned i = 0; i < n; i++)
		who[i] = i * part + random_below(&s->random, part);
	return n;
}

/* The newcomers of that step, if there was one. */
static bool group(const struct storm *s, uint32_t step, uint32_t ago, uint32_t *first)
{
	uint32_t a_step = s->o->rate / STEPS_A_SECOND;

	if (step < ago || step - ago >= s->o->seconds * STEPS_A_SECOND)
		return false;
	*first = s->o->sessions + (step - ago) * a_step;
	return true;
}

/* A millisecond: one group begins, an older one is answered, asks, leaves. */
static void step_newcomers(struct storm *s, uint32_t step)
{
	unsigned a_step = s->o->rate / STEPS_A_SECOND;
	uint32_t who[CROWD_BATCH_MAX], first;
	unsigned n = choose_asking(s, who, ASKING_A_STEP);

	if (group(s, step, 0, &first))
		crowd_knock(s->crowd, &s->watch, first, a_step);
	if (group(s, step, ENTERS_AFTER, &first))
		crowd_enter(s->crowd, &s->watch, first, a_step);
	if (group(s, step, ASKS_AFTER, &first))
		for (unsigned i = 0; i < a_step; i++)
			who[n++] = first + i;
	crowd_ask(s->crowd, &s->watch, who, n);
	if (group(s, step, LEAVES_AFTER, &first))
		crowd_leave(s->crowd, &s->watch, first, a_step);
}

static void step_flood(struct storm *s, uint32_t step)
{
	unsigned a_step = s->o->flood / STEPS_A_SECOND;
	uint32_t who[CROWD_BATCH_MAX];

	crowd_flood(s->crowd, &s->watch, s->next, a_step,
		    step % 2 ? CROWD_FLOOD_ANY_PORT : CROWD_FLOOD_ONE_PORT);
	crowd_greet(s->crowd, &s->watch, s->next, a_step);
	s->next += a_step;
	crowd_ask(s->crowd, &s->watch, who, choose_asking(s, who, ASKING_A_STEP_OF_FLOOD));
}

static void run_step(struct storm *s, uint32_t step)
{
	uint64_t until_us = crowd_now_us(s->crowd) + STEP_US, before_ns = s->watch.ns, now;

	if (s->o->flood)
		step_flood(s, step);
	else
		step_newcomers(s, step);
	if (until_us > crowd_now_us(s->crowd))
		crowd_pass(s->crowd, &s->watch, until_us - crowd_now_us(s->crowd));
	if (s->watch.ns - before_ns > s->peaks.worst_ns)
		s->peaks.worst_ns = s->watch.ns - before_ns;
	look(s);
	if (step % STEPS_A_SECOND == STEPS_A_SECOND - 1) {
		uint64_t all = crowd_registered(s->crowd, &now);

		if (all - s->registered_before > s->peaks.registrations_a_second)
			s->peaks.registrations_a_second = all - s->registered_before;
		s->registered_before = all;
	}
}

static uint64_t not_started(const struct replay *r)
{
	const struct ledger_sessions *count = &replay_ledger(r)->targets[0].sessions;
	uint64_t sum = 0;

	for (unsigned i = 0; i < DROP_CAUSES; i++)
		sum += count->not_started[i];
	return sum;
}

/* What may be there at a time: those before, and of the others as many as come in the time that each is kept. */
static void judge_peaks(struct storm *s)
{
	const struct options *o = s->o;
	uint64_t a_step = o->rate / STEPS_A_SECOND, slack = 20; /* the timers' ticks, in steps */
	uint64_t sessions = a_step * (LEAVES_AFTER + TIME_WAIT_STEPS + slack);
	uint64_t connections = a_step * (LEAVES_AFTER + LINGER_STEPS + slack);
	bool *ok = &s->is_sound;

	if (o->flood) {
		sessions = TRIED_MAX;
		connections = TRIED_MAX + WAITING_MAX;
	}
	at_most(ok, "sessions at a time", s->peaks.sessions, o->sessions + sessions);
	at_most(ok, "connections followed", s->peaks.connections, o->sessions + connections);
	at_most(ok, "memory, MB", s->peaks.memory_bytes >> 20, o->memory_mb);
	if (o->rate) {
		at_most(ok, "registrations a second", s->peaks.registrations_a_second, o->rate);
		at_most(ok, "bytes a second for that on the link",
			s->peaks.registrations_a_second * link_bytes(o->is_ipv6),
			o->rate * link_bytes(o->is_ipv6));
	}
}

static void judge(struct storm *s)
{
	const struct ledger_target *t = &replay_ledger(crowd_replay(s->crowd))->targets[0];
	uint64_t newcomers = (uint64_t)s->o->rate * s->o->seconds, registered;
	struct replay *r = crowd_replay(s->crowd);
	bool *ok = &s->is_sound;

	judge_peaks(s);
	exactly(ok, "requests delivered", t->stream.delivered.requests,
		t->stream.captured.requests);
	if (s->o->rate) {
		exactly(ok, "sessions established", t->sessions.established,
			s->o->sessions + newcomers);
		exactly(ok, "connections refused or put off", not_started(r), 0);
	}
	crowd_registered(s->crowd, &registered);
	exactly(ok, "left: sessions", t->sessions.active, s->o->sessions);
	exactly(ok, "left: registrations", registered, s->o->sessions);
	exactly(ok, "left: connections", replay_connections(r), s->o->sessions);
	/* Tables shrink later than they grow, and chunks stay that are not empty. */
	at_most(ok, "left: memory, MB", replay_memory(r) >> 20,
		((uint64_t)s->o->sessions * IDLE_BYTES + s->peaks.memory_bytes / 8) >> 20);
	*ok &= crowd_is_sound(s->crowd);
}

static bool run_tcpcopy(const struct options *o)
{
	uint32_t newcomers = (o->rate + o->flood) * o->seconds;
	uint32_t steps = o->seconds * STEPS_A_SECOND + (o->rate ? LEAVES_AFTER + 1 : 0);
	struct storm s = {.o = o, .random = 1, .is_sound = true};
	struct stopwatch off = {0};

	s.crowd = crowd_new_within(o->sessions + newcomers, o->is_ipv6, o->memory_mb);
	fill(&s);
	crowd_registered(s.crowd, &s.registered_before);
	s.watch = (struct stopwatch){.is_on = true, .is_of_processor = true};
	for (uint32_t step = 0; step < steps; step++)
		run_step(&s, step);
	crowd_pass(s.crowd, &off, o->flood ? FORGOTTEN_US : AGE_US + TIME_WAIT_STEPS * STEP_US);
	head("tcpcopy");
	exactly(&s.is_sound, o->flood ? "SYNs of strangers" : "connections that began",
		s.next - o->sessions + (uint64_t)o->rate * o->seconds, newcomers);
	judge(&s);
	tell_time("processor, us for each", s.watch.ns, newcomers, s.peaks.worst_ns, o->seconds);
	crowd_free(s.crowd);
	return s.is_sound;
}

/* ---- intercept ---- */

struct answers_storm {
	const struct options *o;
	struct answers *answers;
	struct stopwatch watch;
	uint64_t routes;
	uint64_t held;
	uint64_t memory_bytes;
	uint64_t worst_ns;
};

static void answers_look(struct answers_storm *s)
{
	struct response_counters c;
	uint64_t bytes = response_memory(answers_response(s->answers));

	response_get_counters(answers_response(s->answers), &c);
	if (c.routes > s->routes)
		s->routes = c.routes;
	if (c.held > s->held)
		s->held = c.held;
	if (bytes > s->memory_bytes)
		s->memory_bytes = bytes;
}

/* The SYN-ACKs of a group overtake its registrations; it is answered; an older one is over. */
static void answers_step(struct answers_storm *s, uint32_t step)
{
	unsigned a_step = s->o->rate / ANSWERS_STEPS_A_SECOND;
	uint32_t all = s->o->seconds * ANSWERS_STEPS_A_SECOND;
	uint32_t first = s->o->sessions + step * a_step, who[ANSWERS_BATCH_MAX];
	uint64_t before_ns = s->watch.ns;

	if (step < all) {
		for (unsigned i = 0; i < a_step; i++)
			who[i] = first + i;
		answers_greet(s->answers, &s->watch, first, a_step);
		answers_look(s);
		answers_register(s->answers, &s->watch, first, a_step);
		for (unsigned i = 0; i < ANSWERS_OF_EACH; i++)
			answers_capture(s->answers, &s->watch, who, a_step);
	}
	if (step >= ROUTE_STEPS)
		answers_unregister(s->answers, &s->watch, first - ROUTE_STEPS * a_step, a_step);
	if (s->watch.ns - before_ns > s->worst_ns)
		s->worst_ns = s->watch.ns - before_ns;
	answers_look(s);
}

static bool judge_answers(struct answers_storm *s)
{
	struct response_counters c;
	uint64_t a_step = s->o->rate / ANSWERS_STEPS_A_SECOND;
	uint64_t newcomers = (uint64_t)s->o->rate * s->o->seconds;
	bool ok = answers_are_sound(s->answers);

	response_get_counters(answers_response(s->answers), &c);
	head("intercept");
	exactly(&ok, "registrations", c.registered, s->o->sessions + newcomers);
	exactly(&ok, "answers reported", c.routed, newcomers * (1 + ANSWERS_OF_EACH));
	exactly(&ok, "SYN-ACKs that were early, and held", c.held_delivered, newcomers);
	exactly(&ok, "refused, or dropped", c.register_full + c.register_refused + c.dropped, 0);
	at_most(&ok, "held at a time", s->held, HELD_LIMIT);
	at_most(&ok, "routes", s->routes, s->o->sessions + a_step * (ROUTE_STEPS + 1));
	at_most(&ok, "memory, MB", s->memory_bytes >> 20,
		((s->o->sessions + a_step * ROUTE_STEPS) * (s->o->is_ipv6 ? 96 : 64) >> 20) + 8);
	exactly(&ok, "left: routes", c.routes, s->o->sessions);
	tell_time("processor, us for each", s->watch.ns, newcomers, s->worst_ns, s->o->seconds);
	return ok;
}

static bool run_intercept(const struct options *o)
{
	uint32_t newcomers = o->rate * o->seconds, steps = o->seconds * ANSWERS_STEPS_A_SECOND;
	struct answers_storm s = {.o = o};
	bool ok;

	s.answers = answers_new(o->sessions + newcomers, o->is_ipv6);
	for (uint32_t next = 0; next < o->sessions; next += FILL)
		answers_register(s.answers, &s.watch, next,
				 o->sessions - next < FILL ? o->sessions - next : FILL);
	s.watch = (struct stopwatch){.is_on = true, .is_of_processor = true};
	for (uint32_t step = 0; step < steps + ROUTE_STEPS; step++)
		answers_step(&s, step);
	ok = judge_answers(&s);
	answers_free(s.answers);
	return ok;
}

/* ---- main ---- */

static void usage(void)
{
	fprintf(stderr, "usage: storm [--sessions N] [--rate N | --flood N] [--seconds N] "
			"[--family 4|6] [--memory MB]\n"
			"N a second: a rate up to 51200, a flood up to 200000\n");
	exit(2);
}

static uint32_t number(const char *text, uint32_t least, uint32_t most, uint32_t step)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end || end == text || n < least || n > most || n % step)
		usage();
	return (uint32_t)n;
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {{"sessions", required_argument, NULL, 'n'},
					      {"rate", required_argument, NULL, 'r'},
					      {"flood", required_argument, NULL, 'x'},
					      {"seconds", required_argument, NULL, 's'},
					      {"family", required_argument, NULL, 'f'},
					      {"memory", required_argument, NULL, 'm'},
					      {0}};
	struct options o = {.sessions = 1000000, .rate = 50000, .seconds = 20, .memory_mb = 1536};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'n':
			o.sessions = number(optarg, ASKING_A_STEP_OF_FLOOD, 2000000, 1);
			break;
		case 'r':
			o.rate = number(optarg, 1000, 51200, 1000);
			break;
		case 'x':
			o.flood = number(optarg, 1000, 200000, 1000);
			o.rate = 0;
			break;
		case 's':
			o.seconds = number(optarg, 1, 60, 1);
			break;
		case 'f':
			o.is_ipv6 = number(optarg, 4, 6, 2) == 6;
			break;
		case 'm':
			o.memory_mb = number(optarg, 16, 8192, 1);
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	return o;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	bool is_sound;

	mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES);
	is_sound = run_tcpcopy(&o);
	if (o.rate)
		is_sound &= run_intercept(&o);
	puts(is_sound ? "all as it should be" : "something is wrong");
	return is_sound ? 0 : 1;
}
