/* SPDX-License-Identifier: BSD-2-Clause */
/* stopwatch.c - see stopwatch.h. */
#include "tests/bench/micro/stopwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static uint64_t now_ns(const struct stopwatch *w)
{
	struct timespec t;

	clock_gettime(w->is_of_processor ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) void stopwatch_call(void (*fn)(void *ctx), void *ctx)
{
	fn(ctx);
}

void stopwatch_run(struct stopwatch *w, void (*fn)(void *ctx), void *ctx)
{
	uint64_t began;

	if (!w->is_on) {
		fn(ctx);
		return;
	}
	began = now_ns(w);
	stopwatch_call(fn, ctx);
	w->ns += now_ns(w) - began;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

void rounds_add(struct rounds *r, double ns)
{
	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->ns = realloc(r->ns, r->room * sizeof(*r->ns));
		if (!r->ns)
			die("realloc");
	}
	r->ns[r->count++] = ns;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct rounds_summary rounds_summary(struct rounds *r)
{
	struct rounds_summary s = {0};
	size_t middle = r->count / 2;

	if (!r->count)
		return s;
	qsort(r->ns, r->count, sizeof(*r->ns), by_size);
	s.min = r->ns[0];
	s.max = r->ns[r->count - 1];
	s.median = r->count % 2 ? r->ns[middle] : (r->ns[middle - 1] + r->ns[middle]) / 2;
	for (size_t i = 0; i < r->count; i++)
		s.mean += r->ns[i] / (double)r->count;
	return s;
}

void rounds_fini(struct rounds *r)
{
	free(r->ns);
	*r = (struct rounds){0};
}

void *bench_memory(size_t size_bytes)
{
	void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

void bench_memory_free(void *p, size_t size_bytes)
{
	if (p)
		munmap(p, size_bytes);
}

uint64_t anonymous_bytes(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	unsigned long long kb = 0;
	char line[256];
	bool found = false;

	if (!f)
		die("/proc/self/smaps_rollup");
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "Anonymous: %llu kB", &kb) == 1;
	fclose(f);
	if (!found) {
		fprintf(stderr, "smaps_rollup has no line Anonymous\n");
		exit(1);
	}
	return (uint64_t)kb * 1024;
}
