/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	FIRST_ROOM = 256,
};

/* The linker's names for the C library's functions, and for those that take their place. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

/* One a process, as malloc itself is. */
static struct {
	bool (*fails)(void *ctx);
	void *ctx;
	bool in_core;
} judge;

void alloc_set_judge(bool (*fails)(void *ctx), void *ctx)
{
	judge.fails = fails;
	judge.ctx = ctx;
	judge.in_core = false;
}

bool alloc_enter_core(bool is_inside)
{
	bool was_inside = judge.in_core;

	judge.in_core = is_inside;
	return was_inside;
}

static bool refuses(void)
{
	if (!judge.in_core || !judge.fails || !judge.fails(judge.ctx))
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return refuses() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return refuses() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	return refuses() ? NULL : __real_realloc(old, bytes);
}

static void *insist(void *p)
{
	if (p)
		return p;
	fputs("sim: out of memory\n", stderr);
	exit(2);
}

void *sim_alloc(size_t bytes)
{
	return insist(__real_calloc(1, bytes ? bytes : 1));
}

void *sim_grow(void *array, size_t *room, size_t element_bytes)
{
	*room = *room ? 2 * *room : FIRST_ROOM;
	return insist(__real_realloc(array, *room * element_bytes));
}
