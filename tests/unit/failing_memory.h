/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failing_memory.h - lets single allocations of the code under test fail. Needs a linker that
 * hands them to us: -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc. Include it
 * before anything that allocates for the test itself: in a file that includes this, malloc and the
 * like are the real ones.
 *
 *	for (unsigned n = 0; memory_fails(n, 1), try_it(), memory_failed(); n++)
 *		continue;
 */
#ifndef TESTS_UNIT_FAILING_MEMORY_H
#define TESTS_UNIT_FAILING_MEMORY_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

enum {
	FOR_EVER = INT_MAX,
};

static unsigned memory_good_left;
static unsigned memory_bad_left;
static bool memory_did_fail;

/* The next so many allocations succeed, then count fail, then all succeed again. */
static inline void memory_fails(unsigned after, unsigned count)
{
	memory_good_left = after;
	memory_bad_left = count;
	memory_did_fail = false;
}

/* From now on all succeed. Whether any has failed. */
static inline bool memory_failed(void)
{
	memory_bad_left = 0;
	return memory_did_fail;
}

static bool memory_fails_now(void)
{
	if (!memory_bad_left)
		return false;
	if (memory_good_left) {
		memory_good_left--;
		return false;
	}
	if (memory_bad_left != FOR_EVER)
		memory_bad_left--;
	memory_did_fail = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return memory_fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return memory_fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return memory_fails_now() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return memory_fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

#define malloc(size)         __real_malloc(size)
#define calloc(count, size)  __real_calloc(count, size)
#define realloc(old, size)   __real_realloc(old, size)
#define aligned_alloc(a, sz) __real_aligned_alloc(a, sz)
#endif
