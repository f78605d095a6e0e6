/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/slab.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_SHIFT = 8,
	CHUNK_MASK = SLAB_CHUNK_OBJECTS - 1,
	BITMAP_WORDS = SLAB_CHUNK_OBJECTS / 64,
	LEVEL_SHIFT = 5, /* chunks with as many objects, to within 32, are of one level */
	LEVELS = SLAB_CHUNK_OBJECTS >> LEVEL_SHIFT,
};

static_assert(1 << CHUNK_SHIFT == SLAB_CHUNK_OBJECTS, "shift and count agree");

/*
 * Chunks with room form a list for each level of fullness. An object is taken from the fullest: so those that are nearly
 * empty empty, and go.
 */
struct chunk {
	uint64_t taken[BITMAP_WORDS];
	uint32_t number;
	uint32_t count;
	struct chunk *prev_with_room;
	struct chunk *next_with_room;
	_Alignas(16) uint8_t objects[];
};

struct slab {
	size_t object_size;
	uint32_t max_objects;
	uint32_t count;
	uint32_t chunk_limit; /* one more than the highest chunk in use */
	uint32_t chunk_room;  /* length of the array */
	uint32_t chunks_live;
	uint32_t chunks_empty;
	struct chunk **chunks;
	struct chunk *with_room[LEVELS];
	struct slab_budget *budget;
	struct slab_budget own; /* of a slab that shares none */
};

static size_t chunk_size(const struct slab *s)
{
	return sizeof(struct chunk) + SLAB_CHUNK_OBJECTS * s->object_size;
}

struct slab *slab_new_within(size_t object_size_bytes, uint32_t max_objects,
			     struct slab_budget *budget)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->object_size = (object_size_bytes + 15) & ~(size_t)15;
	s->max_objects = max_objects < SLAB_NONE ? max_objects : SLAB_NONE - 1;
	s->own.max_bytes = SIZE_MAX;
	s->budget = budget ? budget : &s->own;
	return s;
}

struct slab *slab_new(size_t object_size_bytes, uint32_t max_objects)
{
	return slab_new_within(object_size_bytes, max_objects, NULL);
}

void slab_free(struct slab *s)
{
	if (!s)
		return;
	s->budget->held_bytes -= s->chunks_live * chunk_size(s);
	s->budget->used_bytes -= s->count * s->object_size;
	for (uint32_t i = 0; i < s->chunk_limit; i++)
		free(s->chunks[i]);
	free(s->chunks);
	free(s);
}

static void list_add(struct slab *s, struct chunk *c)
{
	struct chunk **first = &s->with_room[c->count >> LEVEL_SHIFT];

	c->prev_with_room = NULL;
	c->next_with_room = *first;
	if (*first)
		(*first)->prev_with_room = c;
	*first = c;
}

static void list_remove(struct slab *s, struct chunk *c)
{
	if (c->prev_with_room)
		c->prev_with_room->next_with_room = c->next_with_room;
	else
		s->with_room[c->count >> LEVEL_SHIFT] = c->next_with_room;
	if (c->next_with_room)
		c->next_with_room->prev_with_room = c->prev_with_room;
}

/* One more or less is taken of it: its list is that of its level, and none if it is full. */
static void set_count(struct slab *s, struct chunk *c, uint32_t count)
{
	bool moves = count >> LEVEL_SHIFT != c->count >> LEVEL_SHIFT;

	if (moves && c->count < SLAB_CHUNK_OBJECTS)
		list_remove(s, c);
	c->count = count;
	if (moves && c->count < SLAB_CHUNK_OBJECTS)
		list_add(s, c);
}

static struct chunk *fullest_with_room(const struct slab *s)
{
	for (uint32_t level = LEVELS; level-- > 0;)
		if (s->with_room[level])
			return s->with_room[level];
	return NULL;
}

/* The lowest free chunk number, so that the index space stays dense. */
static uint32_t free_chunk_number(const struct slab *s)
{
	if (s->chunks_live == s->chunk_limit)
		return s->chunk_limit;
	for (uint32_t i = 0; i < s->chunk_limit; i++)
		if (!s->chunks[i])
			return i;
	return s->chunk_limit;
}

static int grow_array(struct slab *s, uint32_t number)
{
	uint32_t room = s->chunk_room ? s->chunk_room * 2 : 16;
	struct chunk **chunks;

	if (number < s->chunk_room)
		return 0;
	chunks = realloc(s->chunks, room * sizeof(struct chunk *));
	if (!chunks)
		return -1;
	s->chunks = chunks;
	s->chunk_room = room;
	return 0;
}

static size_t left_of(const struct slab_budget *b)
{
	return b->held_bytes < b->max_bytes ? b->max_bytes - b->held_bytes : 0;
}

static struct chunk *add_chunk(struct slab *s)
{
	uint32_t number = free_chunk_number(s);
	struct chunk *c;

	if (chunk_size(s) > left_of(s->budget) || grow_array(s, number))
		return NULL;
	c = aligned_alloc(16, chunk_size(s));
	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->number = number;
	s->chunks[number] = c;
	if (number == s->chunk_limit)
		s->chunk_limit++;
	s->chunks_live++;
	s->chunks_empty++;
	s->budget->held_bytes += chunk_size(s);
	list_add(s, c);
	return c;
}

static uint32_t first_free_slot(const struct chunk *c)
{
	for (uint32_t w = 0; w < BITMAP_WORDS; w++)
		if (~c->taken[w])
			return w * 64 + (uint32_t)__builtin_ctzll(~c->taken[w]);
	assert(!"a chunk with room has a free slot");
	return 0;
}

void *slab_take(struct slab *s, uint32_t *index)
{
	struct chunk *c = fullest_with_room(s);
	uint32_t slot;

	if (s->count >= s->max_objects) {
		errno = ENOBUFS;
		return NULL;
	}
	if (!c && !(c = add_chunk(s))) {
		errno = ENOMEM;
		return NULL;
	}
	slot = first_free_slot(c);
	c->taken[slot / 64] |= UINT64_C(1) << slot % 64;
	if (c->count == 0)
		s->chunks_empty--;
	set_count(s, c, c->count + 1);
	s->count++;
	s->budget->used_bytes += s->object_size;
	*index = c->number << CHUNK_SHIFT | slot;
	return c->objects + slot * s->object_size;
}

static void drop_chunk(struct slab *s, struct chunk *c)
{
	list_remove(s, c);
	s->chunks[c->number] = NULL;
	s->chunks_live--;
	s->chunks_empty--;
	s->budget->held_bytes -= chunk_size(s);
	free(c);
	while (s->chunk_limit && !s->chunks[s->chunk_limit - 1])
		s->chunk_limit--;
}

void slab_give(struct slab *s, uint32_t index)
{
	struct chunk *c = s->chunks[index >> CHUNK_SHIFT];
	uint32_t slot = index & CHUNK_MASK;

	assert(c->taken[slot / 64] >> slot % 64 & 1);
	c->taken[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	s->count--;
	s->budget->used_bytes -= s->object_size;
	set_count(s, c, c->count - 1);
	if (c->count == 0 && ++s->chunks_empty > 1)
		drop_chunk(s, c);
}

void *slab_at(const struct slab *s, uint32_t index)
{
	return s->chunks[index >> CHUNK_SHIFT]->objects + (index & CHUNK_MASK) * s->object_size;
}

void *slab_find(const struct slab *s, uint32_t index)
{
	uint32_t number = index >> CHUNK_SHIFT;
	uint32_t slot = index & CHUNK_MASK;
	const struct chunk *c;

	if (number >= s->chunk_limit || !(c = s->chunks[number]))
		return NULL;
	if (!(c->taken[slot / 64] >> slot % 64 & 1))
		return NULL;
	return slab_at(s, index);
}

uint32_t slab_count(const struct slab *s)
{
	return s->count;
}

uint32_t slab_limit(const struct slab *s)
{
	return s->chunk_limit << CHUNK_SHIFT;
}

size_t slab_cost(const struct slab *s, uint32_t objects)
{
	uint64_t free_objects = (uint64_t)s->chunks_live * SLAB_CHUNK_OBJECTS - s->count;

	if (objects > s->max_objects - s->count)
		return SIZE_MAX;
	if (objects <= free_objects)
		return 0;
	return (size_t)((objects - free_objects + SLAB_CHUNK_OBJECTS - 1) / SLAB_CHUNK_OBJECTS) *
	       chunk_size(s);
}

bool slab_has_room(const struct slab *s, uint32_t objects)
{
	size_t cost = slab_cost(s, objects);

	return cost != SIZE_MAX && cost <= left_of(s->budget);
}

size_t slab_memory(const struct slab *s)
{
	return sizeof(*s) + s->chunk_room * sizeof(struct chunk *) + s->chunks_live * chunk_size(s);
}
