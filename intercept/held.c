/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.c - see held.h. A ring in the order of arrival; taking one out of the middle leaves an empty
 * place that goes when it becomes the oldest.
 */
#include "intercept/held.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/tuple_map.h"

struct held_slot {
	struct held_answer answer;
	uint64_t since_us;
	bool is_full;
};

struct held {
	struct tuple_map *by_tuple;
	unsigned oldest;
	unsigned used; /* slots from the oldest on, the empty among them too */
	struct held_slot slots[HELD_MAX];
};

static const struct tuple *key_of(const void *owner, uint32_t index)
{
	const struct held *h = owner;

	return &h->slots[index].answer.tuple;
}

struct held *held_new(const struct hash_key *key)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h) {
		errno = ENOMEM;
		return NULL;
	}
	h->by_tuple = tuple_map_new(key, key_of, h);
	if (!h->by_tuple) {
		free(h);
		errno = ENOMEM;
		return NULL;
	}
	return h;
}

void held_free(struct held *h)
{
	if (!h)
		return;
	tuple_map_free(h->by_tuple);
	free(h);
}

/* True if an answer was lost, false if the place was empty. */
static bool drop_oldest(struct held *h)
{
	struct held_slot *slot = &h->slots[h->oldest];
	bool lost = slot->is_full;

	if (lost)
		tuple_map_remove(h->by_tuple, &slot->answer.tuple);
	slot->is_full = false;
	h->oldest = (h->oldest + 1) % HELD_MAX;
	h->used--;
	return lost;
}

size_t held_expire(struct held *h, uint64_t now_us)
{
	size_t lost = 0;

	while (h->used > 0) {
		const struct held_slot *slot = &h->slots[h->oldest];

		if (h->used < HELD_MAX && slot->is_full && now_us < slot->since_us + HELD_US)
			break;
		lost += drop_oldest(h);
	}
	return lost;
}

bool held_put(struct held *h, const struct held_answer *answer, uint64_t now_us)
{
	unsigned index = (h->oldest + h->used) % HELD_MAX;
	struct held_slot *slot = &h->slots[index];

	assert(h->used < HELD_MAX);
	if (tuple_map_find(h->by_tuple, &answer->tuple) != TUPLE_MAP_NONE)
		return false;
	slot->answer = *answer;
	if (tuple_map_insert(h->by_tuple, &answer->tuple, index))
		return false;
	slot->since_us = now_us;
	slot->is_full = true;
	h->used++;
	return true;
}

bool held_take(struct held *h, const struct tuple *tuple, struct held_answer *answer,
	       uint64_t now_us)
{
	uint32_t index = tuple_map_find(h->by_tuple, tuple);
	struct held_slot *slot;

	if (index == TUPLE_MAP_NONE)
		return false;
	slot = &h->slots[index];
	if (now_us >= slot->since_us + HELD_US)
		return false;
	tuple_map_remove(h->by_tuple, tuple);
	slot->is_full = false;
	*answer = slot->answer;
	return true;
}

size_t held_count(const struct held *h)
{
	return tuple_map_count(h->by_tuple);
}
