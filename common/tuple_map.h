/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tuple_map.h - a seeded hash table from tuples to 32-bit values (slab indices).
 * Keys are not stored: the owner of the values hands them out again by a call-back, so a slot is
 * eight bytes. Strangers choose the tuples, so the hash is keyed (SipHash) and the table stays
 * linear under a flood. Grows by doubling at three quarters full; shrinks at an eighth. Pure.
 */
#ifndef COMMON_TUPLE_MAP_H
#define COMMON_TUPLE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	TUPLE_MAP_NONE = UINT32_MAX, /* no value; may not be stored */
};

/* The tuple under which value was stored. */
typedef const struct tuple *tuple_map_key_fn(const void *owner, uint32_t value);

struct tuple_map;

/* Borrows owner. NULL with errno ENOMEM. */
struct tuple_map *tuple_map_new(const struct hash_key *key, tuple_map_key_fn *key_of,
				const void *owner);
void tuple_map_free(struct tuple_map *m);
/* The value, or TUPLE_MAP_NONE. */
uint32_t tuple_map_find(const struct tuple_map *m, const struct tuple *t);
/*
 * Stores value under t, which must not be there yet; key_of(value) must give t from now on.
 * 0, or -1 with errno ENOMEM.
 */
int tuple_map_insert(struct tuple_map *m, const struct tuple *t, uint32_t value);
/* Another value for t, which must be there; key_of(value) must give t. */
void tuple_map_replace(struct tuple_map *m, const struct tuple *t, uint32_t value);
/* The value that was removed, or TUPLE_MAP_NONE. */
uint32_t tuple_map_remove(struct tuple_map *m, const struct tuple *t);
size_t tuple_map_count(const struct tuple_map *m);
/* Slots that the search for what is in it looks at, at most. Walks over all: for tests. */
uint32_t tuple_map_longest_search(const struct tuple_map *m);
/* Bytes of memory that it holds. */
size_t tuple_map_memory(const struct tuple_map *m);
#endif
