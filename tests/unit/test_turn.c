/* SPDX-License-Identifier: BSD-2-Clause */
/* test_turn.c - how a captured stream falls into turns, and what each turn needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tcpcopy/turn.h"

struct turns {
	struct turn_list list;
	struct slab *slab;
};

static int setup(void **state)
{
	struct turns *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->slab = slab_new(sizeof(struct turn), 1000);
	assert_non_null(t->slab);
	turn_list_init(&t->list);
	*state = t;
	return 0;
}

#define seen_at(bytes) (&(struct segment_note){.seen = (bytes)})

static int teardown(void **state)
{
	struct turns *t = *state;

	turn_list_fini(&t->list, t->slab);
	assert_int_equal(slab_count(t->slab), 0);
	slab_free(t->slab);
	free(t);
	return 0;
}

static struct turn *data(struct turns *t, uint64_t start, uint64_t end, uint64_t seen, bool is_new)
{
	bool got_new = !is_new;
	struct segment_note note = {.seen = seen, .seen_us = 997 + start, .at_us = 1000 + start};
	struct turn *turn = turn_list_data(&t->list, t->slab, start, end, &note, true, &got_new);

	assert_non_null(turn);
	assert_int_equal(got_new, is_new);
	assert_ptr_equal(slab_at(t->slab, turn->index), turn);
	return turn;
}

static void expect_turn(const struct turn *turn, uint64_t start, uint64_t end, uint64_t need,
			bool is_request)
{
	assert_int_equal(turn->start, start);
	assert_int_equal(turn->end, end);
	assert_int_equal(turn->need, need);
	assert_int_equal(turn->is_request, is_request);
	assert_int_equal(turn->kind, TURN_DATA);
}

static void first_turn_needs_nothing_and_is_a_request(void **state)
{
	struct turns *t = *state;
	struct turn *turn = data(t, 0, 10, 0, true);

	expect_turn(turn, 0, 10, 0, true);
	assert_null(turn_next(t->slab, turn));
	assert_ptr_equal(turn_list_first(&t->list, t->slab), turn);
}

static void first_turn_after_a_banner_needs_it(void **state)
{
	expect_turn(data(*state, 0, 10, 50, true), 0, 10, 50, true);
}

static void bytes_with_the_same_view_make_the_turn_longer(void **state)
{
	struct turns *t = *state;
	struct turn *turn = data(t, 0, 10, 0, true);

	assert_ptr_equal(data(t, 10, 30, 0, false), turn);
	expect_turn(turn, 0, 30, 0, true);
	assert_int_equal(slab_count(t->slab), 1);
	/* The client waited from its last byte, at 1010, until it saw the answer, at 1027. */
	assert_int_equal(data(t, 30, 40, 300, true)->waited_us, 17);
}

static void newer_view_begins_a_turn_that_needs_the_difference(void **state)
{
	struct turns *t = *state;
	struct turn *first = data(t, 0, 10, 0, true);
	struct turn *second = data(t, 10, 20, 300, true);
	struct turn *third = data(t, 20, 30, 1000, true);

	expect_turn(first, 0, 10, 0, true);
	expect_turn(second, 10, 20, 300, true);
	expect_turn(third, 20, 30, 700, true);
	assert_ptr_equal(turn_next(t->slab, first), second);
	assert_ptr_equal(turn_next(t->slab, second), third);
	assert_null(turn_next(t->slab, third));
}

static void older_view_counts_as_none(void **state)
{
	struct turns *t = *state;

	data(t, 0, 10, 300, true);
	expect_turn(data(t, 10, 20, 100, false), 0, 20, 300, true);
	expect_turn(data(t, 20, 30, 400, true), 20, 30, 100, true);
}

static void turn_that_a_session_has_passed_does_not_grow(void **state)
{
	struct turns *t = *state;

	data(t, 0, 10, 300, true)->is_passed = true;
	expect_turn(data(t, 10, 20, 300, true), 10, 20, 0, false);
	expect_turn(data(t, 20, 30, 300, false), 10, 30, 0, false);
}

static void turn_that_was_released_does_not_grow(void **state)
{
	struct turns *t = *state;

	data(t, 0, 10, 0, true);
	turn_list_release_first(&t->list, t->slab);
	assert_null(turn_list_first(&t->list, t->slab));
	expect_turn(data(t, 10, 20, 0, true), 10, 20, 0, false); /* no new request */
}

static void end_keeps_its_place_and_its_need(void **state)
{
	struct turns *t = *state;
	struct turn *request = data(t, 0, 10, 0, true);
	struct turn *fin = turn_list_end(&t->list, t->slab, TURN_FIN, 10, seen_at(300));
	struct turn *rst = turn_list_end(&t->list, t->slab, TURN_RST, 10, seen_at(300));

	assert_ptr_equal(turn_next(t->slab, request), fin);
	assert_ptr_equal(turn_next(t->slab, fin), rst);
	assert_int_equal(fin->kind, TURN_FIN);
	assert_int_equal(fin->start, 10);
	assert_int_equal(fin->end, 10);
	assert_int_equal(fin->need, 300);
	assert_false(fin->is_request);
	assert_int_equal(rst->kind, TURN_RST);
	assert_int_equal(rst->need, 0);
}

static void end_without_any_request(void **state)
{
	struct turns *t = *state;
	struct turn *fin = turn_list_end(&t->list, t->slab, TURN_FIN, 0, seen_at(0));

	assert_int_equal(fin->need, 0);
	assert_ptr_equal(turn_list_first(&t->list, t->slab), fin);
}

static void turns_are_released_from_the_front(void **state)
{
	struct turns *t = *state;
	struct turn *second;

	data(t, 0, 10, 0, true);
	second = data(t, 10, 20, 5, true);
	turn_list_release_first(&t->list, t->slab);
	assert_ptr_equal(turn_list_first(&t->list, t->slab), second);
	turn_list_release_first(&t->list, t->slab);
	assert_int_equal(slab_count(t->slab), 0);
}

static void without_memory_nothing_changes(void **state)
{
	struct turns *t = *state;
	struct slab *small = slab_new(sizeof(struct turn), 1);
	struct turn_list list;
	struct turn *first;
	bool is_new;

	(void)t;
	turn_list_init(&list);
	first = turn_list_data(&list, small, 0, 10, seen_at(0), true, &is_new);
	assert_non_null(first);
	assert_null(turn_list_data(&list, small, 10, 20, seen_at(300), true, &is_new));
	assert_null(turn_list_end(&list, small, TURN_FIN, 10, seen_at(0)));
	assert_int_equal(list.seen, 0);
	assert_null(turn_next(small, first));
	assert_ptr_equal(turn_list_data(&list, small, 10, 20, seen_at(0), true, &is_new), first);
	turn_list_fini(&list, small);
	slab_free(small);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(first_turn_needs_nothing_and_is_a_request),
		TEST(first_turn_after_a_banner_needs_it),
		TEST(bytes_with_the_same_view_make_the_turn_longer),
		TEST(newer_view_begins_a_turn_that_needs_the_difference),
		TEST(older_view_counts_as_none),
		TEST(turn_that_a_session_has_passed_does_not_grow),
		TEST(turn_that_was_released_does_not_grow),
		TEST(end_keeps_its_place_and_its_need),
		TEST(end_without_any_request),
		TEST(turns_are_released_from_the_front),
		TEST(without_memory_nothing_changes),
	};

	return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
