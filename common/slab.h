/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab.h - many objects of one size, found by a 32-bit index that is half the size of a pointer.
 * Objects never move. Memory comes in chunks; a chunk that empties is given back, but for
 * one, so that a table shrinks after a load and a steady state does not allocate. Pure.
 */
#ifndef COMMON_SLAB_H
#define COMMON_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SLAB_NONE = UINT32_MAX,
	SLAB_CHUNK_OBJECTS = 256,
};

struct slab;

/* What several slabs may hold together, and do; the owner sets max_bytes, the slabs keep the rest. */
struct slab_budget {
	size_t max_bytes;  /* a chunk that would exceed it is not taken; may change at any time */
	size_t held_bytes; /* in chunks */
	size_t used_bytes; /* of these, in objects that are taken */
};

/* Objects of at least 4 bytes, aligned to 16. At most max_objects. NULL with errno ENOMEM. */
struct slab *slab_new(size_t object_size_bytes, uint32_t max_objects);
/* Likewise, sharing a budget, which is borrowed; slab_take fails with ENOMEM when that is spent. */
struct slab *slab_new_within(size_t object_size_bytes, uint32_t max_objects,
			     struct slab_budget *budget);
void slab_free(struct slab *s);
/* An object that is not cleared, its index in *index; NULL with errno ENOMEM or ENOBUFS (at the maximum). */
void *slab_take(struct slab *s, uint32_t *index);
void slab_give(struct slab *s, uint32_t index);
/* The object of an index that was taken. */
void *slab_at(const struct slab *s, uint32_t index);
/* As slab_at, but NULL for an index that is not taken: for indices that came from outside. */
void *slab_find(const struct slab *s, uint32_t index);
/* Objects taken, and one more than the highest index that may be taken: for walking with slab_find. */
uint32_t slab_count(const struct slab *s);
uint32_t slab_limit(const struct slab *s);
/* Bytes of chunks that so many more would ask of the budget, 0 if there is room in those at hand; SIZE_MAX: beyond the maximum. */
size_t slab_cost(const struct slab *s, uint32_t objects);
/* Whether maximum and budget leave room for so many more. (The heap may still refuse.) */
bool slab_has_room(const struct slab *s, uint32_t objects);
size_t slab_memory(const struct slab *s);
#endif
