/* SPDX-License-Identifier: BSD-2-Clause */
/* test_slab.c - objects by index: distinct, in place, bounded, given back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/slab.h"

enum {
	MANY = 10 * SLAB_CHUNK_OBJECTS + 7,
};

static void take_many(struct slab *s, uint32_t *indices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_non_null(slab_take(s, &indices[i]));
}

static void objects_are_distinct_aligned_and_stay_where_they_are(void **state)
{
	static uint32_t indices[MANY];
	static uint8_t *objects[MANY];
	struct slab *s = slab_new(40, MANY);

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		objects[i] = slab_take(s, &indices[i]);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 16, 0);
		memset(objects[i], (int)(i % 251), 40);
	}
	for (size_t i = 0; i < MANY; i++) {
		assert_ptr_equal(slab_at(s, indices[i]), objects[i]);
		assert_ptr_equal(slab_find(s, indices[i]), objects[i]);
		assert_in_range(indices[i], 0, slab_limit(s) - 1);
		for (size_t k = 0; k < 40; k++)
			assert_int_equal(objects[i][k], i % 251);
	}
	assert_int_equal(slab_count(s), MANY);
	slab_free(s);
}

static void indices_that_are_not_taken_are_not_found(void **state)
{
	static uint32_t indices[SLAB_CHUNK_OBJECTS * 2];
	struct slab *s = slab_new(16, 1000);
	uint32_t index;

	(void)state;
	assert_null(slab_find(s, 0));
	assert_int_equal(slab_limit(s), 0);
	assert_non_null(slab_take(s, &index));
	assert_null(slab_find(s, index + 1));
	assert_null(slab_find(s, index + SLAB_CHUNK_OBJECTS));
	assert_null(slab_find(s, SLAB_NONE));
	assert_null(slab_find(s, SLAB_NONE - 1));
	slab_give(s, index);
	assert_null(slab_find(s, index));
	take_many(s, indices, SLAB_CHUNK_OBJECTS * 2);
	for (size_t i = 0; i < SLAB_CHUNK_OBJECTS * 2; i++)
		slab_give(s, indices[i]);
	for (size_t i = 0; i < SLAB_CHUNK_OBJECTS * 2; i++)
		assert_null(slab_find(s, indices[i])); /* their chunk may be gone */
	slab_free(s);
}

static void maximum_is_kept(void **state)
{
	static uint32_t indices[300];
	struct slab *s = slab_new(16, 300);
	uint32_t index;

	(void)state;
	take_many(s, indices, 300);
	errno = 0;
	assert_null(slab_take(s, &index));
	assert_int_equal(errno, ENOBUFS);
	slab_give(s, indices[123]);
	assert_non_null(slab_take(s, &index));
	assert_null(slab_take(s, &index));
	slab_free(s);
}

static void slab_of_nothing(void **state)
{
	struct slab *s = slab_new(16, 0);
	uint32_t index;

	(void)state;
	assert_null(slab_take(s, &index));
	assert_int_equal(slab_count(s), 0);
	slab_free(s);
	slab_free(NULL);
}

static void memory_comes_back_but_for_one_chunk(void **state)
{
	static uint32_t indices[MANY];
	struct slab *s = slab_new(100, MANY);
	size_t one, most;
	uint32_t index;

	(void)state;
	assert_non_null(slab_take(s, &index));
	one = slab_memory(s);
	slab_give(s, index);
	assert_int_equal(slab_memory(s), one); /* kept for the next */
	for (unsigned round = 0; round < 3; round++) {
		take_many(s, indices, MANY);
		most = slab_memory(s);
		assert_true(most > 10 * 100 * SLAB_CHUNK_OBJECTS);
		for (size_t i = 0; i < MANY; i++)
			slab_give(s, indices[round == 1 ? MANY - 1 - i : i]);
		assert_int_equal(slab_count(s), 0);
		assert_int_equal(slab_memory(s), one);
		assert_in_range(slab_limit(s), 0, MANY + SLAB_CHUNK_OBJECTS);
	}
	slab_free(s);
}

/* A table at the border of two chunks must not take and give one with every object. */
static void steady_state_at_a_chunks_border_allocates_nothing(void **state)
{
	static uint32_t indices[SLAB_CHUNK_OBJECTS + 1];
	struct slab *s = slab_new(100, MANY);
	size_t before;

	(void)state;
	take_many(s, indices, SLAB_CHUNK_OBJECTS + 1);
	before = slab_memory(s);
	for (unsigned i = 0; i < 100; i++) {
		slab_give(s, indices[SLAB_CHUNK_OBJECTS]);
		assert_int_equal(slab_memory(s), before);
		assert_non_null(slab_take(s, &indices[SLAB_CHUNK_OBJECTS]));
		assert_int_equal(slab_memory(s), before);
	}
	slab_free(s);
}

static void random_takes_and_gives(void **state)
{
	enum {
		ROUNDS = 60000,
		ROOM = 3000,
	};
	static uint32_t indices[ROOM];
	static uint64_t values[ROOM];
	struct slab *s = slab_new(sizeof(uint64_t), ROOM);
	unsigned seed = 3;
	size_t count = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool growing = i / 6000 % 2 == 0;

		if (count < ROOM && rand_r(&seed) % 10 < (growing ? 7 : 3)) {
			uint64_t *o = slab_take(s, &indices[count]);

			assert_non_null(o);
			*o = values[count++] = (uint64_t)rand_r(&seed);
		} else if (count) {
			size_t at = (size_t)rand_r(&seed) % count;

			assert_int_equal(*(uint64_t *)slab_at(s, indices[at]), values[at]);
			slab_give(s, indices[at]);
			indices[at] = indices[--count];
			values[at] = values[count];
		}
		assert_int_equal(slab_count(s), count);
	}
	for (size_t i = 0; i < count; i++)
		assert_int_equal(*(uint64_t *)slab_find(s, indices[i]), values[i]);
	slab_free(s);
}

static void walk_by_limit_and_find_sees_each_object_once(void **state)
{
	static uint32_t indices[1000];
	struct slab *s = slab_new(16, 1000);
	size_t found = 0;

	(void)state;
	take_many(s, indices, 1000);
	for (size_t i = 0; i < 1000; i += 2)
		slab_give(s, indices[i]);
	for (uint32_t i = 0; i < slab_limit(s); i++)
		found += slab_find(s, i) != NULL;
	assert_int_equal(found, 500);
	slab_free(s);
}

static void limit_falls_with_the_chunks_at_the_end(void **state)
{
	static uint32_t indices[10 * SLAB_CHUNK_OBJECTS];
	struct slab *s = slab_new(16, MANY);

	(void)state;
	take_many(s, indices, 10 * SLAB_CHUNK_OBJECTS);
	for (size_t i = 0; i < SLAB_CHUNK_OBJECTS; i++)
		slab_give(s, 2 * SLAB_CHUNK_OBJECTS + (uint32_t)i); /* this one is kept */
	for (uint32_t i = 7 * SLAB_CHUNK_OBJECTS; i < 10 * SLAB_CHUNK_OBJECTS; i++)
		slab_give(s, i);
	assert_int_equal(slab_limit(s), 7 * SLAB_CHUNK_OBJECTS);
	slab_free(s);
}

static void chunk_that_was_full_has_room_again(void **state)
{
	static uint32_t indices[SLAB_CHUNK_OBJECTS];
	struct slab *s = slab_new(16, MANY);
	uint32_t index;
	size_t full;

	(void)state;
	take_many(s, indices, SLAB_CHUNK_OBJECTS);
	full = slab_memory(s);
	for (int i = 0; i < 10; i++) {
		slab_give(s, indices[i]);
		assert_non_null(slab_take(s, &index));
		assert_int_equal(index, indices[i]);
		assert_int_equal(slab_memory(s), full);
	}
	slab_free(s);
}

/* Half of all go, here and there; those that come and go from then on do not keep half-empty chunks. */
static void half_empty_chunks_empty(void **state)
{
	static uint32_t indices[MANY];
	struct slab *s = slab_new(16, MANY);
	uint64_t x = 1;
	size_t most;

	(void)state;
	take_many(s, indices, MANY);
	most = slab_memory(s);
	for (size_t i = 0; i < MANY; i += 2)
		slab_give(s, indices[i]);
	for (unsigned n = 0; n < 100 * MANY; n++) {
		size_t i = (x = x * UINT64_C(6364136223846793005) + 1442695040888963407u) >> 33;

		i = i % MANY | 1;
		if (i >= MANY)
			continue;
		slab_give(s, indices[i]);
		assert_non_null(slab_take(s, &indices[i]));
	}
	assert_int_equal(slab_count(s), MANY / 2);
	assert_true(slab_memory(s) < most / 10 * 7);
	slab_free(s);
}

static void budget_is_shared_and_kept(void **state)
{
	static uint32_t indices[3 * SLAB_CHUNK_OBJECTS];
	struct slab_budget budget = {.max_bytes = 40000};
	struct slab *a = slab_new_within(48, 1000, &budget);
	struct slab *b = slab_new_within(16, 1000, &budget);
	uint32_t index;
	size_t held;

	(void)state;
	take_many(a, indices, SLAB_CHUNK_OBJECTS * 2);
	assert_int_equal(budget.used_bytes, 48 * SLAB_CHUNK_OBJECTS * 2);
	assert_in_range(budget.held_bytes, budget.used_bytes, 26000);
	assert_false(slab_has_room(a, SLAB_CHUNK_OBJECTS + 1));
	assert_true(slab_has_room(a, SLAB_CHUNK_OBJECTS));
	assert_true(slab_has_room(b, 2 * SLAB_CHUNK_OBJECTS));
	assert_non_null(slab_take(b, &index));
	assert_true(slab_has_room(b, SLAB_CHUNK_OBJECTS - 1)); /* in its chunk */
	assert_false(slab_has_room(a, 1));
	errno = 0;
	assert_null(slab_take(a, &index));
	assert_int_equal(errno, ENOMEM);
	slab_give(a, indices[0]);
	assert_true(slab_has_room(a, 1));
	assert_false(slab_has_room(a, 2));
	assert_non_null(slab_take(a, &indices[0]));
	held = budget.held_bytes;
	for (size_t i = 0; i < SLAB_CHUNK_OBJECTS * 2; i++)
		slab_give(a, indices[i]);
	assert_in_range(held - budget.held_bytes, 48 * SLAB_CHUNK_OBJECTS, 13000); /* one is kept */
	take_many(a, indices, SLAB_CHUNK_OBJECTS * 2);
	assert_int_equal(budget.held_bytes, held);
	budget.max_bytes = 0; /* too late for what is held */
	assert_false(slab_has_room(a, 1));
	slab_free(a);
	assert_int_equal(budget.used_bytes, 16);
	slab_free(b);
	assert_int_equal(budget.used_bytes, 0);
	assert_int_equal(budget.held_bytes, 0);
}

static void room_ends_at_the_maximum(void **state)
{
	struct slab *s = slab_new(16, 300);
	uint32_t index;

	(void)state;
	assert_true(slab_has_room(s, 300));
	assert_false(slab_has_room(s, 301));
	assert_true(slab_cost(s, 301) == SIZE_MAX);
	assert_in_range(slab_cost(s, 300), 2 * 16 * SLAB_CHUNK_OBJECTS, 9000);
	assert_int_equal(slab_cost(s, 1) * 2, slab_cost(s, 300));
	assert_non_null(slab_take(s, &index));
	assert_true(slab_has_room(s, 299));
	assert_false(slab_has_room(s, 300));
	slab_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_distinct_aligned_and_stay_where_they_are),
		cmocka_unit_test(indices_that_are_not_taken_are_not_found),
		cmocka_unit_test(maximum_is_kept),
		cmocka_unit_test(slab_of_nothing),
		cmocka_unit_test(half_empty_chunks_empty),
		cmocka_unit_test(budget_is_shared_and_kept),
		cmocka_unit_test(room_ends_at_the_maximum),
		cmocka_unit_test(memory_comes_back_but_for_one_chunk),
		cmocka_unit_test(steady_state_at_a_chunks_border_allocates_nothing),
		cmocka_unit_test(chunk_that_was_full_has_room_again),
		cmocka_unit_test(random_takes_and_gives),
		cmocka_unit_test(walk_by_limit_and_find_sees_each_object_once),
		cmocka_unit_test(limit_falls_with_the_chunks_at_the_end),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
