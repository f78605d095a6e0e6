/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/faked.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/alloc.h"
#include "tests/sim/rng.h"

uint32_t tuple_bucket(const struct tuple *t, uint32_t buckets)
{
	uint32_t src, dst;

	memcpy(&src, t->src.addr.b + 12, sizeof(src));
	memcpy(&dst, t->dst.addr.b + 12, sizeof(dst));
	return (uint32_t)rng_join((uint64_t)src << 32 | (uint32_t)t->src.port << 16 | t->dst.port,
				  dst) %
	       buckets;
}

static struct faked **tuple_slot(struct fakes *f, const struct tuple *tuple)
{
	return &f->by_tuple[tuple_bucket(tuple, FAKED_BUCKETS)];
}

static struct faked **id_slot(struct fakes *f, uint32_t id)
{
	return &f->by_id[rng_mix(id) % FAKED_BUCKETS];
}

void fakes_fini(struct fakes *f)
{
	while (f->all) {
		struct faked *one = f->all;

		f->all = one->next_of_all;
		free(one);
	}
}

struct faked *fakes_add(struct fakes *f, uint32_t id, const struct tuple *tuple)
{
	struct faked **by_tuple = tuple_slot(f, tuple), **by_id = id_slot(f, id);
	struct faked *one = sim_alloc(sizeof(*one));

	one->id = id;
	one->tuple = *tuple;
	one->is_registered = true;
	one->next_by_tuple = *by_tuple;
	*by_tuple = one;
	one->next_by_id = *by_id;
	*by_id = one;
	one->next_of_all = f->all;
	f->all = one;
	f->registered++;
	return one;
}

void fakes_remove(struct fakes *f, struct faked *one)
{
	struct faked **at = tuple_slot(f, &one->tuple);

	while (*at != one)
		at = &(*at)->next_by_tuple;
	*at = one->next_by_tuple;
	at = id_slot(f, one->id);
	while (*at != one)
		at = &(*at)->next_by_id;
	*at = one->next_by_id;
	one->is_registered = false;
	f->registered--;
}

void fakes_remove_all(struct fakes *f)
{
	for (struct faked *one = f->all; one; one = one->next_of_all)
		if (one->is_registered)
			fakes_remove(f, one);
}

struct faked *fakes_find_tuple(const struct fakes *f, const struct tuple *tuple)
{
	struct faked *one = f->by_tuple[tuple_bucket(tuple, FAKED_BUCKETS)];

	while (one && !tuple_equal(&one->tuple, tuple))
		one = one->next_by_tuple;
	return one;
}

struct faked *fakes_find_id(const struct fakes *f, uint32_t id)
{
	struct faked *one = f->by_id[rng_mix(id) % FAKED_BUCKETS];

	while (one && one->id != id)
		one = one->next_by_id;
	return one;
}
