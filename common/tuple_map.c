/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tuple_map.c - open addressing with linear probing. A slot keeps 32 bits of the hash beside the
 * value: a search compares keys only where these agree, and growing asks for no key at all. A
 * removal shifts the slots behind it back, so there are no tombstones and a table that has seen
 * millions of connections is as fast as a new one.
 */
#include "common/tuple_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/out_of_line.h"

enum {
	SLOTS_MIN = 16,
};

#define SLOTS_MAX (UINT32_C(1) << 31)

struct slot {
	uint32_t hash;
	uint32_t value; /* TUPLE_MAP_NONE: empty */
};

struct tuple_map {
	struct hash_key key;
	tuple_map_key_fn *key_of;
	const void *owner;
	struct slot *slots;
	uint32_t mask; /* number of slots, a power of two, less 1 */
	uint32_t count;
};

/* Never full, so every search ends at an empty slot. */
static struct slot *slots_new(uint32_t slot_count)
{
	struct slot *slots = malloc(slot_count * sizeof(*slots));

	static_assert(TUPLE_MAP_NONE == UINT32_MAX, "all bits set is an empty slot");
	if (!slots) {
		errno = ENOMEM;
		return NULL;
	}
	memset(slots, 0xff, slot_count * sizeof(*slots));
	return slots;
}

static void slots_put(struct slot *slots, uint32_t mask, uint32_t hash, uint32_t value)
{
	uint32_t i = hash & mask;

	while (slots[i].value != TUPLE_MAP_NONE)
		i = (i + 1) & mask;
	slots[i] = (struct slot){.hash = hash, .value = value};
}

static int resize(struct tuple_map *m, uint32_t slot_count)
{
	struct slot *slots = slots_new(slot_count);

	if (!slots)
		return -1;
	for (uint32_t i = 0; i <= m->mask; i++)
		if (m->slots[i].value != TUPLE_MAP_NONE)
			slots_put(slots, slot_count - 1, m->slots[i].hash, m->slots[i].value);
	free(m->slots);
	m->slots = slots;
	m->mask = slot_count - 1;
	return 0;
}

struct tuple_map *tuple_map_new(const struct hash_key *key, tuple_map_key_fn *key_of,
				const void *owner)
{
	struct tuple_map *m = malloc(sizeof(*m));

	if (!m) {
		errno = ENOMEM;
		return NULL;
	}
	*m = (struct tuple_map){.key = *key, .key_of = key_of, .owner = owner};
	m->slots = slots_new(SLOTS_MIN);
	if (!m->slots) {
		free(m);
		errno = ENOMEM;
		return NULL;
	}
	m->mask = SLOTS_MIN - 1;
	return m;
}

void tuple_map_free(struct tuple_map *m)
{
	if (!m)
		return;
	free(m->slots);
	free(m);
}

/* The slot of t, or the empty one where the search for it ended. */
static uint32_t search(const struct tuple_map *m, const struct tuple *t)
{
	uint32_t hash = (uint32_t)tuple_hash(&m->key, t);
	uint32_t i = hash & m->mask;

	for (; m->slots[i].value != TUPLE_MAP_NONE; i = (i + 1) & m->mask)
		if (m->slots[i].hash == hash &&
		    tuple_equal(m->key_of(m->owner, m->slots[i].value), t))
			break;
	return i;
}

LINK_IN_LINE uint32_t tuple_map_find(const struct tuple_map *m, const struct tuple *t)
{
	return m->slots[search(m, t)].value;
}

int tuple_map_insert(struct tuple_map *m, const struct tuple *t, uint32_t value)
{
	uint64_t slot_count = (uint64_t)m->mask + 1;

	assert(value != TUPLE_MAP_NONE);
	if ((m->count + UINT64_C(1)) * 4 > slot_count * 3) {
		if (slot_count >= SLOTS_MAX) {
			errno = ENOMEM;
			return -1;
		}
		if (resize(m, (uint32_t)slot_count * 2))
			return -1;
	}
	slots_put(m->slots, m->mask, (uint32_t)tuple_hash(&m->key, t), value);
	m->count++;
	return 0;
}

void tuple_map_replace(struct tuple_map *m, const struct tuple *t, uint32_t value)
{
	uint32_t i = search(m, t);

	assert(value != TUPLE_MAP_NONE && m->slots[i].value != TUPLE_MAP_NONE);
	m->slots[i].value = value;
}

/*
 * Empties slot i and moves back what was pushed past it: a slot may fill the hole if its home does
 * not lie behind the hole, on the way to where it is now.
 */
static void empty_slot(struct tuple_map *m, uint32_t hole)
{
	for (uint32_t i = (hole + 1) & m->mask; m->slots[i].value != TUPLE_MAP_NONE;
	     i = (i + 1) & m->mask) {
		uint32_t pushed = (i - m->slots[i].hash) & m->mask;

		if (pushed < ((i - hole) & m->mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct slot){.hash = UINT32_MAX, .value = TUPLE_MAP_NONE};
}

uint32_t tuple_map_remove(struct tuple_map *m, const struct tuple *t)
{
	uint32_t i = search(m, t);
	uint32_t value = m->slots[i].value;
	int saved_errno = errno;

	if (value == TUPLE_MAP_NONE)
		return TUPLE_MAP_NONE;
	empty_slot(m, i);
	m->count--;
	/* Without memory for a smaller table the large one serves on. */
	if (m->mask + 1 > SLOTS_MIN && m->count < (m->mask + 1) / 8 && resize(m, (m->mask + 1) / 2))
		errno = saved_errno;
	return value;
}

size_t tuple_map_count(const struct tuple_map *m)
{
	return m->count;
}

uint32_t tuple_map_longest_search(const struct tuple_map *m)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i <= m->mask; i++) {
		uint32_t looked_at = ((i - m->slots[i].hash) & m->mask) + 1;

		if (m->slots[i].value != TUPLE_MAP_NONE && looked_at > longest)
			longest = looked_at;
	}
	return longest;
}

size_t tuple_map_memory(const struct tuple_map *m)
{
	return sizeof(*m) + ((size_t)m->mask + 1) * sizeof(struct slot);
}
