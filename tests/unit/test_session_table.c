/* SPDX-License-Identifier: BSD-2-Clause */
/* test_session_table.c - sessions by the id on the link, connections by their tuple. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcpcopy/session_table.h"

enum {
	MAX_SESSIONS = 1000,
};

static int setup(void **state)
{
	struct session_table *t = calloc(1, sizeof(*t));
	struct hash_key key = {1, 2};

	assert_non_null(t);
	assert_int_equal(session_table_init(t, &key, MAX_SESSIONS, NULL), 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	session_table_fini(*state);
	free(*state);
	return 0;
}

static struct tuple tuple_of_client(uint32_t n)
{
	return (struct tuple){
		.src = {.addr = ip_addr_v4(0x0a090000 + n / 60000),
			.port = (uint16_t)(1024 + n % 60000)},
		.dst = {.addr = ip_addr_v4(0x0a000002), .port = 80},
		.protocol = PROTOCOL_TCP,
	};
}

/* A session that holds a tuple, as one that was started. */
static struct session *start(struct session_table *t)
{
	uint32_t index;
	struct session *s = session_table_add(t, &index);

	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	s->index = index;
	s->has_tuple = true;
	s->id = session_table_new_id(t, s);
	return s;
}

static struct session *find(const struct session_table *t, uint32_t id)
{
	uint32_t parked;
	struct session *s = session_table_find(t, id, &parked);

	assert_int_equal(parked, PARKING_NONE);
	return s;
}

static struct online *find_online(const struct session_table *t, const struct tuple *tuple)
{
	uint32_t parked;
	struct online *o = session_table_find_online(t, tuple, &parked);

	assert_int_equal(parked, PARKING_NONE);
	return o;
}

static struct online *follow(struct session_table *t, uint32_t n)
{
	struct online *o = session_table_add_online(t);
	uint32_t index;

	assert_non_null(o);
	index = o->index;
	memset(o, 0, sizeof(*o));
	o->index = index;
	o->tuple = tuple_of_client(n);
	assert_int_equal(session_table_map_online(t, o), 0);
	assert_true(o->is_mapped);
	return o;
}

static void session_is_found_by_its_id(void **state)
{
	struct session_table *t = *state;
	struct session *sessions[300];

	for (size_t i = 0; i < 300; i++)
		sessions[i] = start(t);
	for (size_t i = 0; i < 300; i++)
		assert_ptr_equal(find(t, sessions[i]->id), sessions[i]);
}

static void ids_from_outside_find_nothing_else(void **state)
{
	struct session_table *t = *state;
	struct session *s = start(t);

	for (unsigned bit = 0; bit < 32; bit++)
		assert_null(find(t, s->id ^ UINT32_C(1) << bit));
	assert_null(find(t, UINT32_MAX));
	assert_null(find(t, 0x00ffffff));
}

static void late_record_finds_no_newer_session_in_the_same_place(void **state)
{
	struct session_table *t = *state;
	struct session *s = start(t);
	uint32_t old_id = s->id, old_index = s->index;

	session_table_remove(t, s);
	assert_null(find(t, old_id));
	s = start(t);
	assert_int_equal(s->index, old_index);
	assert_int_not_equal(s->id, old_id);
	assert_null(find(t, old_id));
	assert_ptr_equal(find(t, s->id), s);
}

static void session_that_takes_another_tuple_takes_another_id(void **state)
{
	struct session_table *t = *state;
	struct session *s = start(t);
	uint32_t old_id = s->id;

	s->id = session_table_new_id(t, s);
	assert_null(find(t, old_id));
	assert_ptr_equal(find(t, s->id), s);
}

static void session_without_a_tuple_is_not_found(void **state)
{
	struct session_table *t = *state;
	struct session *s = start(t);

	s->has_tuple = false;
	assert_null(find(t, s->id));
}

static void connection_is_found_by_its_tuple(void **state)
{
	struct session_table *t = *state;
	struct online *onlines[500];
	struct tuple stranger = tuple_of_client(900), reverse;

	for (uint32_t i = 0; i < 500; i++)
		onlines[i] = follow(t, i);
	for (uint32_t i = 0; i < 500; i++) {
		struct tuple tuple = tuple_of_client(i);

		assert_ptr_equal(find_online(t, &tuple), onlines[i]);
		reverse = tuple_reverse(&tuple);
		assert_null(find_online(t, &reverse));
	}
	assert_null(find_online(t, &stranger));
}

static void displaced_connection_lives_on_unfound(void **state)
{
	struct session_table *t = *state;
	struct online *old = follow(t, 1), *newer;
	struct tuple tuple = tuple_of_client(1);

	session_table_unmap_online(t, old);
	assert_false(old->is_mapped);
	assert_null(find_online(t, &tuple));
	newer = follow(t, 1);
	session_table_unmap_online(t, old); /* once more does not harm the newer one */
	session_table_remove_online(t, old);
	assert_ptr_equal(find_online(t, &tuple), newer);
	session_table_remove_online(t, newer);
	assert_null(find_online(t, &tuple));
}

static void both_tables_are_bounded(void **state)
{
	struct session_table *t = *state;
	struct session *first = start(t);
	struct online *o = follow(t, 0);
	uint32_t index;

	for (uint32_t i = 1; i < MAX_SESSIONS; i++) {
		start(t);
		follow(t, i);
	}
	assert_null(session_table_add(t, &index));
	assert_null(session_table_add_online(t));
	session_table_remove(t, first);
	session_table_remove_online(t, o);
	start(t);
	follow(t, MAX_SESSIONS);
}

static void more_sessions_than_an_id_can_name_are_not_promised(void **state)
{
	struct session_table t;
	struct hash_key key = {1, 2};

	(void)state;
	assert_int_equal(session_table_init(&t, &key, UINT32_MAX, NULL), 0);
	assert_true(session_table_memory(&t) < 65536); /* nothing is made in advance */
	session_table_fini(&t);
	session_table_fini(&t); /* fine when empty */
}

static void memory_comes_back(void **state)
{
	struct session_table *t = *state;
	struct session *sessions[MAX_SESSIONS];
	struct online *onlines[MAX_SESSIONS];
	size_t before = 0;

	for (unsigned round = 0; round < 3; round++) {
		unsigned count = round == 0 ? 1 : MAX_SESSIONS;

		for (uint32_t i = 0; i < count; i++) {
			sessions[i] = start(t);
			onlines[i] = follow(t, i);
		}
		for (uint32_t i = 0; i < count; i++) {
			session_table_remove(t, sessions[i]);
			session_table_remove_online(t, onlines[i]);
		}
		if (round == 0)
			before = session_table_memory(t);
	}
	/* But for the list of their places. */
	assert_in_range(session_table_memory(t), 0,
			before + 2048 + MAX_SESSIONS * sizeof(*t->places));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(session_is_found_by_its_id),
		TEST(ids_from_outside_find_nothing_else),
		TEST(late_record_finds_no_newer_session_in_the_same_place),
		TEST(session_that_takes_another_tuple_takes_another_id),
		TEST(session_without_a_tuple_is_not_found),
		TEST(connection_is_found_by_its_tuple),
		TEST(displaced_connection_lives_on_unfound),
		TEST(both_tables_are_bounded),
		TEST(more_sessions_than_an_id_can_name_are_not_promised),
		TEST(memory_comes_back),
	};

	return cmocka_run_group_tests_name("session_table", tests, NULL, NULL);
}
