/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world_memory.c - memory that runs out. The linker hands all allocations of the target to us
 * (--wrap); while the core is at work some of them fail, if an event has asked for it.
 */
#include <errno.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool core_is_at_work;
static unsigned good_left; /* allocations before the first that fails */
static unsigned bad_left;  /* that fail then */

void world_memory_fails(unsigned after, unsigned count)
{
	good_left = after;
	bad_left = count;
}

bool world_memory_of_core(bool is_at_work)
{
	bool before = core_is_at_work;

	core_is_at_work = is_at_work;
	return before;
}

static bool fails(void)
{
	if (!core_is_at_work || !bad_left)
		return false;
	if (good_left) {
		good_left--;
		return false;
	}
	bad_left--;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}
