/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - what single parts cost: nanoseconds an operation, of several rounds the least and the middle one.
 *
 *	micro [--rounds N] [--seed N] [--list] [NAME...]
 *
 * The input follows from the seed. tests/bench/micro.py runs it and, under callgrind, counts instructions.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/micro/micro.h"

enum {
	ROUNDS = 51,
	WARM_UP_ROUNDS = 3,
	ROUNDS_MAX = 900, /* see CONNECTIONS_MAX of paths.c */
};

static const struct micro *const lists[] = {micro_codecs, micro_tables, micro_paths};
enum {
	LISTS = sizeof(lists) / sizeof(lists[0]),
};

struct settings {
	unsigned rounds;
	uint64_t seed;
	bool list_only;
	char **names; /* zero-terminated; none: all */
};

static bool is_wanted(const struct settings *s, const char *name)
{
	if (!*s->names)
		return true;
	for (char **n = s->names; *n; n++)
		if (strcmp(*n, name) == 0)
			return true;
	return false;
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < LISTS; i++)
		for (const struct micro *m = lists[i]; m->name; m++)
			if (strcmp(m->name, name) == 0)
				return true;
	return false;
}

static bool measure(const struct micro *m, const struct settings *s)
{
	void *state = m->make(s->seed);
	struct stopwatch off = {0};
	struct rounds rounds = {0};
	struct rounds_summary sum;
	bool ok;

	for (unsigned i = 0; i < WARM_UP_ROUNDS; i++)
		m->run(state, &off);
	for (unsigned i = 0; i < s->rounds; i++) {
		struct stopwatch w = {.is_on = true};

		m->run(state, &w);
		rounds_add(&rounds, (double)w.ns / m->operations);
	}
	ok = m->free(state);
	sum = rounds_summary(&rounds);
	printf("%-16s%10.1f%10.1f%12u  %s\n", m->name, sum.min, sum.median,
	       s->rounds * m->operations, ok ? m->about : "FAILED: its results are wrong");
	fflush(stdout);
	rounds_fini(&rounds);
	return ok;
}

static bool each(const struct settings *s)
{
	bool ok = true;

	for (size_t i = 0; i < LISTS; i++) {
		for (const struct micro *m = lists[i]; m->name; m++) {
			if (!is_wanted(s, m->name))
				continue;
			if (s->list_only)
				printf("%-16s%s\n", m->name, m->about);
			else
				ok &= measure(m, s);
		}
	}
	return ok;
}

static unsigned long number(const char *text, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n < 1 || n > most) {
		fprintf(stderr, "micro: %s is not a number from 1 to %lu\n", text, most);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
					      {"seed", required_argument, NULL, 's'},
					      {"list", no_argument, NULL, 'l'},
					      {0}};
	struct settings s = {.rounds = ROUNDS, .seed = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'r')
			s.rounds = (unsigned)number(optarg, ROUNDS_MAX);
		else if (c == 's')
			s.seed = number(optarg, UINT32_MAX);
		else if (c == 'l')
			s.list_only = true;
		else
			return 2;
	}
	s.names = argv + optind;
	for (char **n = s.names; *n; n++) {
		if (!is_known(*n)) {
			fprintf(stderr, "micro: there is no %s; --list has the names\n", *n);
			return 2;
		}
	}
	if (!s.list_only)
		printf("%-16s%10s%10s%12s\n", "ns an operation", "min", "median", "operations");
	return each(&s) ? 0 : 1;
}
