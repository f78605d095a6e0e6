/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tuple_map.c - the map against a plain array of what should be in it.
 */
#include "common/tuple_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	TUPLES = 20000,
};

/* The owner of the values: value i stands for tuples[i]. */
struct owner {
	struct tuple tuples[TUPLES];
	bool is_in[TUPLES];
};

static const struct hash_key test_key = {.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908};

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717) % n;
}

/* Asking for the key of a value that is not in the map is a bug of the map. */
static const struct tuple *key_of(const void *ctx, uint32_t value)
{
	const struct owner *o = ctx;

	assert_true(value < TUPLES);
	assert_true(o->is_in[value]);
	return &o->tuples[value];
}

static struct tuple tuple_number(uint32_t i)
{
	struct tuple t;

	memset(&t, 0xa5, sizeof(t)); /* what lies in the padding must not matter */
	t.protocol = PROTOCOL_TCP;
	t.dst.addr = ip_addr_v4(0x0a000002);
	t.dst.port = 80;
	t.src.port = (uint16_t)(i % 3);
	if (i % 2) {
		t.src.addr = ip_addr_v4(0x0a140000 + i);
		return t;
	}
	memset(t.src.addr.b, 0, sizeof(t.src.addr.b));
	t.src.addr.b[0] = 0x20;
	t.src.addr.b[15] = (uint8_t)i;
	t.src.addr.b[14] = (uint8_t)(i >> 8);
	t.src.addr.b[13] = (uint8_t)(i >> 16);
	return t;
}

static struct owner *owner_new(void)
{
	struct owner *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	for (uint32_t i = 0; i < TUPLES; i++)
		o->tuples[i] = tuple_number(i);
	return o;
}

static void insert(struct tuple_map *m, struct owner *o, uint32_t i)
{
	assert_int_equal(tuple_map_insert(m, &o->tuples[i], i), 0);
	o->is_in[i] = true;
}

static void check_all(const struct tuple_map *m, const struct owner *o)
{
	size_t count = 0;

	for (uint32_t i = 0; i < TUPLES; i++) {
		assert_int_equal(tuple_map_find(m, &o->tuples[i]),
				 o->is_in[i] ? i : (uint32_t)TUPLE_MAP_NONE);
		count += o->is_in[i];
	}
	assert_int_equal(tuple_map_count(m), count);
}

static void empty_map_finds_and_removes_nothing(void **state)
{
	struct owner *o = owner_new();
	struct tuple_map *m = tuple_map_new(&test_key, key_of, o);

	(void)state;
	assert_non_null(m);
	assert_int_equal(tuple_map_find(m, &o->tuples[0]), TUPLE_MAP_NONE);
	assert_int_equal(tuple_map_remove(m, &o->tuples[0]), TUPLE_MAP_NONE);
	assert_int_equal(tuple_map_count(m), 0);
	tuple_map_free(m);
	tuple_map_free(NULL);
	free(o);
}

static void tuples_that_differ_in_one_field_are_apart(void **state)
{
	struct owner *o = owner_new();
	struct tuple_map *m = tuple_map_new(&test_key, key_of, o);
	struct tuple base = o->tuples[1];

	(void)state;
	for (int i = 2; i <= 7; i++)
		o->tuples[i] = base;
	o->tuples[2].protocol = 17;
	o->tuples[3].src.port++;
	o->tuples[4].dst.port++;
	o->tuples[5].src.addr.b[15] ^= 1;
	o->tuples[6].dst.addr.b[0] ^= 0x80;
	o->tuples[7] = tuple_reverse(&base);
	for (uint32_t i = 1; i <= 7; i++) {
		assert_int_equal(tuple_map_find(m, &o->tuples[i]), TUPLE_MAP_NONE);
		insert(m, o, i);
	}
	for (uint32_t i = 1; i <= 7; i++)
		assert_int_equal(tuple_map_find(m, &o->tuples[i]), i);
	tuple_map_free(m);
	free(o);
}

static void map_filled_and_emptied_grows_and_shrinks_back(void **state)
{
	struct owner *o = owner_new();
	struct tuple_map *m = tuple_map_new(&test_key, key_of, o);
	size_t memory = tuple_map_memory(m);

	(void)state;
	for (uint32_t i = 0; i < TUPLES; i++)
		insert(m, o, i);
	check_all(m, o);
	/* Eight bytes a slot, between three eighths and three quarters full. */
	assert_in_range(tuple_map_memory(m), TUPLES * 8 * 4 / 3, TUPLES * 8 * 3);
	for (uint32_t i = 0; i < TUPLES; i += 2) {
		assert_int_equal(tuple_map_remove(m, &o->tuples[i]), i);
		o->is_in[i] = false;
		assert_int_equal(tuple_map_remove(m, &o->tuples[i]), TUPLE_MAP_NONE);
	}
	check_all(m, o);
	for (uint32_t i = 1; i < TUPLES; i += 2) {
		assert_int_equal(tuple_map_remove(m, &o->tuples[i]), i);
		o->is_in[i] = false;
	}
	check_all(m, o);
	assert_int_equal(tuple_map_memory(m), memory);
	tuple_map_free(m);
	free(o);
}

static void map_agrees_with_an_array_under_random_operations(void **state)
{
	struct owner *o = owner_new();
	struct tuple_map *m = tuple_map_new(&test_key, key_of, o);

	(void)state;
	random_state = 42;
	/* A small range of tuples keeps the table small and the probe runs long. */
	for (int round = 0; round < 6; round++) {
		uint32_t range = round < 3 ? 24 : TUPLES;

		for (int step = 0; step < 60000; step++) {
			uint32_t i = (uint32_t)random_below(range);

			if (!o->is_in[i] && random_below(100) < (round % 2 ? 40u : 70u)) {
				insert(m, o, i);
			} else if (o->is_in[i] && random_below(100) < (round % 2 ? 90u : 40u)) {
				assert_int_equal(tuple_map_remove(m, &o->tuples[i]), i);
				o->is_in[i] = false;
			}
			i = (uint32_t)random_below(range);
			assert_int_equal(tuple_map_find(m, &o->tuples[i]),
					 o->is_in[i] ? i : (uint32_t)TUPLE_MAP_NONE);
		}
		check_all(m, o);
	}
	tuple_map_free(m);
	free(o);
}

static uint64_t keys_asked;

static const struct tuple *counting_key_of(const void *ctx, uint32_t value)
{
	keys_asked++;
	return key_of(ctx, value);
}

static void flood_from_one_port_costs_one_key_a_search(void **state)
{
	struct owner *o = owner_new();
	struct tuple_map *m = tuple_map_new(&test_key, counting_key_of, o);

	(void)state;
	for (uint32_t i = 0; i < TUPLES; i++) {
		o->tuples[i] = tuple_number(1);
		o->tuples[i].src.addr = ip_addr_v4(i << 8);
	}
	keys_asked = 0;
	for (uint32_t i = 0; i < TUPLES; i++)
		insert(m, o, i);
	assert_int_equal(keys_asked, 0); /* growing asks for none either */
	for (uint32_t i = 0; i < TUPLES; i++)
		assert_int_equal(tuple_map_find(m, &o->tuples[i]), i);
	assert_in_range(keys_asked, TUPLES, TUPLES + 5);
	tuple_map_free(m);
	free(o);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_map_finds_and_removes_nothing),
		cmocka_unit_test(tuples_that_differ_in_one_field_are_apart),
		cmocka_unit_test(map_filled_and_emptied_grows_and_shrinks_back),
		cmocka_unit_test(map_agrees_with_an_array_under_random_operations),
		cmocka_unit_test(flood_from_one_port_costs_one_key_a_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
