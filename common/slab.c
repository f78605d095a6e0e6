/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/slab.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/out_of_line.h"

static_assert(SLAB_LEVELS <= 32, "a bit a level");

static size_t chunk_size(const struct slab *s)
{
	return sizeof(struct slab_chunk) + SLAB_CHUNK_OBJECTS * s->object_size;
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

/* Level 0 is the fullest. */
static uint32_t level_of(uint32_t count)
{
	return SLAB_LEVELS - 1 - (count >> SLAB_LEVEL_SHIFT);
}

static void list_add(struct slab *s, struct slab_chunk *c)
{
	uint32_t level = level_of(c->count);
	struct slab_chunk **first = &s->with_room[level];

	c->prev_with_room = NULL;
	c->next_with_room = *first;
	if (*first)
		(*first)->prev_with_room = c;
	*first = c;
	s->levels_with_room |= UINT32_C(1) << level;
}

static void list_remove(struct slab *s, struct slab_chunk *c)
{
	uint32_t level = level_of(c->count);

	if (c->prev_with_room)
		c->prev_with_room->next_with_room = c->next_with_room;
	else
		s->with_room[level] = c->next_with_room;
	if (c->next_with_room)
		c->next_with_room->prev_with_room = c->prev_with_room;
	if (!s->with_room[level])
		s->levels_with_room &= ~(UINT32_C(1) << level);
}

/* It moves to the list of another level; a full one is in none. */
static void set_level(struct slab *s, struct slab_chunk *c, uint32_t count)
{
	if (c->count < SLAB_CHUNK_OBJECTS)
		list_remove(s, c);
	c->count = count;
	if (c->count < SLAB_CHUNK_OBJECTS)
		list_add(s, c);
}

/* One more or less is taken of it. */
static inline void set_count(struct slab *s, struct slab_chunk *c, uint32_t count)
{
	if (count >> SLAB_LEVEL_SHIFT == c->count >> SLAB_LEVEL_SHIFT)
		c->count = count;
	else
		set_level(s, c, count);
}

static inline struct slab_chunk *fullest_with_room(const struct slab *s)
{
	if (!s->levels_with_room)
		return NULL;
	return s->with_room[__builtin_ctz(s->levels_with_room)];
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
	struct slab_chunk **chunks;

	if (number < s->chunk_room)
		return 0;
	chunks = realloc(s->chunks, room * sizeof(struct slab_chunk *));
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

static struct slab_chunk *add_chunk(struct slab *s)
{
	uint32_t number = free_chunk_number(s);
	struct slab_chunk *c;

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

static uint32_t first_free_slot(const struct slab_chunk *c)
{
	for (uint32_t w = 0; w < SLAB_CHUNK_OBJECTS / 64; w++)
		if (~c->taken[w])
			return w * 64 + (uint32_t)__builtin_ctzll(~c->taken[w]);
	assert(!"a chunk with room has a free slot");
	return 0;
}

/* None has room. NULL with errno. */
static struct slab_chunk *make_room(struct slab *s)
{
	struct slab_chunk *c;

	if (s->count >= s->max_objects) {
		errno = ENOBUFS;
		return NULL;
	}
	c = add_chunk(s);
	if (!c)
		errno = ENOMEM;
	return c;
}

/* Its count is the caller's. */
static IN_LINE void *take_from(struct slab *s, struct slab_chunk *c, uint32_t *index)
{
	uint32_t slot = first_free_slot(c);

	c->taken[slot / 64] |= UINT64_C(1) << slot % 64;
	s->count++;
	s->budget->used_bytes += s->object_size;
	*index = c->number << SLAB_CHUNK_SHIFT | slot;
	return c->objects + slot * s->object_size;
}

/* From a chunk that goes to another level by it, or from one that is made for it (c is NULL). */
static OUT_OF_LINE void *take_at_border(struct slab *s, struct slab_chunk *c, uint32_t *index)
{
	if (!c && !(c = make_room(s)))
		return NULL;
	if (c->count == 0)
		s->chunks_empty--;
	set_count(s, c, c->count + 1);
	return take_from(s, c, index);
}

/* With one object less, so many would be of the level below. */
static bool is_border(uint32_t count)
{
	return count % (1U << SLAB_LEVEL_SHIFT) == 0;
}

LINK_IN_LINE void *slab_take(struct slab *s, uint32_t *index)
{
	struct slab_chunk *c = s->count < s->max_objects ? fullest_with_room(s) : NULL;

	if (!c || c->count == 0 || is_border(c->count + 1))
		return take_at_border(s, c, index);
	c->count++;
	return take_from(s, c, index);
}

static void drop_chunk(struct slab *s, struct slab_chunk *c)
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

static OUT_OF_LINE void give_at_border(struct slab *s, struct slab_chunk *c)
{
	set_count(s, c, c->count - 1);
	if (c->count == 0 && ++s->chunks_empty > 1)
		drop_chunk(s, c);
}

LINK_IN_LINE void slab_give(struct slab *s, uint32_t index)
{
	struct slab_chunk *c = s->chunks[index >> SLAB_CHUNK_SHIFT];
	uint32_t slot = index & SLAB_CHUNK_MASK;

	assert(c->taken[slot / 64] >> slot % 64 & 1);
	c->taken[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	s->count--;
	s->budget->used_bytes -= s->object_size;
	if (c->count > 1 && !is_border(c->count))
		c->count--;
	else
		give_at_border(s, c);
}

uint32_t slab_limit(const struct slab *s)
{
	return s->chunk_limit << SLAB_CHUNK_SHIFT;
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
	return sizeof(*s) + s->chunk_room * sizeof(struct slab_chunk *) +
	       s->chunks_live * chunk_size(s);
}
