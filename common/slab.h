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
	SLAB_CHUNK_SHIFT = 8,
	SLAB_CHUNK_OBJECTS = 1 << SLAB_CHUNK_SHIFT,
	SLAB_CHUNK_MASK = SLAB_CHUNK_OBJECTS - 1,
	SLAB_LEVEL_SHIFT = 5, /* chunks with as many objects, to within 32, are of one level */
	SLAB_LEVELS = SLAB_CHUNK_OBJECTS >> SLAB_LEVEL_SHIFT,
};

/* What several slabs may hold together, and do; the owner sets max_bytes, the slabs keep the rest. */
struct slab_budget {
	size_t max_bytes;  /* a chunk that would exceed it is not taken; may change at any time */
	size_t held_bytes; /* in chunks */
	size_t used_bytes; /* of these, in objects that are taken */
};

/*
 * The fields are those of slab.c; they stand here so that slab_at, which every packet asks some ten times, is inline.
 *
 * Chunks with room form a list for each level of fullness, the fullest first. An object is taken from the fullest: so those
 * that are nearly empty empty, and go.
 */
struct slab_chunk {
	uint64_t taken[SLAB_CHUNK_OBJECTS / 64];
	uint32_t number;
	uint32_t count;
	struct slab_chunk *prev_with_room;
	struct slab_chunk *next_with_room;
	_Alignas(16) uint8_t objects[];
};

struct slab {
	struct slab_chunk **chunks;
	size_t object_size;
	uint32_t max_objects;
	uint32_t count;
	uint32_t chunk_limit; /* one more than the highest chunk in use */
	uint32_t chunk_room;  /* length of the array */
	uint32_t chunks_live;
	uint32_t chunks_empty;
	uint32_t levels_with_room; /* bit i: with_room[i] is no empty list */
	struct slab_chunk *with_room[SLAB_LEVELS];
	struct slab_budget *budget;
	struct slab_budget own; /* of a slab that shares none */
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
/* Whether there is one without asking for memory: then slab_take does not fail. */
static inline bool slab_has_spare(const struct slab *s)
{
	return s->levels_with_room && s->count < s->max_objects;
}

/* The object of an index that was taken. */
static inline void *slab_at(const struct slab *s, uint32_t index)
{
	return s->chunks[index >> SLAB_CHUNK_SHIFT]->objects +
	       (index & SLAB_CHUNK_MASK) * s->object_size;
}

/* As slab_at, but NULL for an index that is not taken: for indices that came from outside. */
static inline void *slab_find(const struct slab *s, uint32_t index)
{
	uint32_t number = index >> SLAB_CHUNK_SHIFT;
	uint32_t slot = index & SLAB_CHUNK_MASK;
	const struct slab_chunk *c = number < s->chunk_limit ? s->chunks[number] : NULL;

	return c && c->taken[slot / 64] >> slot % 64 & 1 ? slab_at(s, index) : NULL;
}

/* Objects taken, and one more than the highest index that may be taken: for walking with slab_find. */
static inline uint32_t slab_count(const struct slab *s)
{
	return s->count;
}

uint32_t slab_limit(const struct slab *s);
/* Bytes of chunks that so many more would ask of the budget, 0 if there is room in those at hand; SIZE_MAX: beyond the maximum. */
size_t slab_cost(const struct slab *s, uint32_t objects);
/* Whether maximum and budget leave room for so many more. (The heap may still refuse.) */
bool slab_has_room(const struct slab *s, uint32_t objects);
size_t slab_memory(const struct slab *s);
#endif
