/* SPDX-License-Identifier: BSD-2-Clause */
/* test_path_mtu.c - what routers' messages and tests of a path are worth, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcpcopy/path_mtu.h"

enum {
	NOW = 5000000, /* us */
	SECOND = 1000000,
};

static int said(uint32_t mtu, uint32_t len, bool is_v4, int used)
{
	const struct wire_path_mtu m = {.mtu_bytes = mtu, .len_bytes = len};

	return path_mtu_said(&m, is_v4, used);
}

static void fresh_path_is_as_wide_as_the_first_link(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	assert_int_equal(path_mtu_now(&p, 1500, 0), 1500);
	assert_int_equal(path_mtu_now(&p, 9000, NOW), 9000);
}

static void message_is_believed_within_reason(void **state)
{
	(void)state;
	assert_int_equal(said(1280, 1500, true, 1500), 1280);
	assert_int_equal(said(1499, 1500, true, 1500), 1499);
	assert_int_equal(said(1500, 1500, true, 1500), 0); /* no news */
	assert_int_equal(said(9000, 9000, true, 1500), 0);
	assert_int_equal(said(UINT32_MAX, 1500, false, 1500), 0);
	assert_int_equal(said(1280, 1500, false, 1500), 1280);
	assert_int_equal(said(1279, 1500, false, 1500), 0); /* RFC 8200, section 5 */
	assert_int_equal(said(0, 1500, false, 1500), 0);
}

static void smallest_ipv4_packets_have_a_floor(void **state)
{
	(void)state;
	assert_int_equal(said(552, 1500, true, 1500), 552);
	assert_int_equal(said(551, 1500, true, 1500), 552);
	assert_int_equal(said(68, 1500, true, 1500), 552);
	assert_int_equal(said(67, 1500, true, 1500), 0); /* no link is so narrow: RFC 791 */
	assert_int_equal(said(1, 1500, true, 1500), 0);
	assert_int_equal(said(300, 552, true, 552), 0); /* it is there already */
}

/* RFC 1191, section 5 and 7.1. */
static void old_router_is_answered_by_the_next_usual_size(void **state)
{
	(void)state;
	assert_int_equal(said(0, 1500, true, 1500), 1492);
	assert_int_equal(said(0, 1492, true, 1492), 1006);
	assert_int_equal(said(0, 1006, true, 1006), 552); /* 508 */
	assert_int_equal(said(0, 9000, true, 9000), 8166);
	assert_int_equal(said(0, 1500, true, 9000), 1492); /* that packet was smaller than others */
	assert_int_equal(said(0, 1500, true, 1492), 0);    /* sent before it was known */
	assert_int_equal(said(0, 64000, true, 1500), 0);   /* a super-packet says nothing */
	assert_int_equal(said(0, UINT32_MAX, true, 40000), 32000);
	assert_int_equal(said(0, 0, true, 1500), 0);
	assert_int_equal(said(0, 552, true, 552), 0);
}

static void learned_path_is_forgotten_after_ten_minutes(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	assert_true(path_mtu_learn(&p, 1280, NOW));
	assert_int_equal(path_mtu_now(&p, 1500, NOW), 1280);
	assert_int_equal(path_mtu_now(&p, 1200, NOW), 1200);
	assert_int_equal(path_mtu_now(&p, 1500, NOW + PATH_MTU_AGE_US - 1), 1280);
	assert_int_equal(path_mtu_now(&p, 1500, NOW + PATH_MTU_AGE_US), 1500);
}

static void learned_again_it_lives_on_and_only_falls(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	path_mtu_learn(&p, 1280, NOW);
	path_mtu_learn(&p, 1400, NOW + 300 * SECOND);
	assert_int_equal(path_mtu_now(&p, 1500, NOW + 899 * (uint64_t)SECOND), 1280);
	path_mtu_learn(&p, 1000, NOW + 301 * SECOND);
	assert_int_equal(path_mtu_now(&p, 1500, NOW + 302 * SECOND), 1000);
	path_mtu_learn(&p, 1400, NOW + 1000 * (uint64_t)SECOND); /* what was before is forgotten */
	assert_int_equal(path_mtu_now(&p, 1500, NOW + 1000 * (uint64_t)SECOND), 1400);
}

static void each_value_is_news_once(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	assert_true(path_mtu_learn(&p, 1400, NOW));
	assert_false(path_mtu_learn(&p, 1400, NOW + 1));
	assert_false(path_mtu_learn(&p, 1450, NOW + 2)); /* it stays 1400 */
	assert_false(path_mtu_learn(&p, 1400, NOW + 2 * (uint64_t)PATH_MTU_AGE_US));
	assert_true(path_mtu_learn(&p, 1280, NOW + 3 * (uint64_t)PATH_MTU_AGE_US));
}

static void sizes_to_try_fall_to_the_least(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	assert_int_equal(path_mtu_smaller(&p, true, 9000), 1500);
	assert_int_equal(path_mtu_smaller(&p, true, 1500), 1400);
	assert_int_equal(path_mtu_smaller(&p, true, 1400), 1280);
	assert_int_equal(path_mtu_smaller(&p, true, 1280), 552);
	assert_int_equal(path_mtu_smaller(&p, true, 552), 0);
	assert_int_equal(path_mtu_smaller(&p, false, 1400), 1280);
	assert_int_equal(path_mtu_smaller(&p, false, 1280), 0);
}

static void what_was_learned_before_is_tried_first(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	path_mtu_learn(&p, 1280, NOW);
	assert_int_equal(path_mtu_smaller(&p, true, 1500), 1280);
	assert_int_equal(path_mtu_smaller(&p, true, 1280), 552);
}

static void two_votes_in_a_row_are_enough(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	assert_false(path_mtu_on_smaller_only(&p, 1400, 1500, NOW));
	assert_int_equal(path_mtu_smaller(&p, true, 1500), 1400); /* the same for all */
	assert_true(path_mtu_on_smaller_only(&p, 1280, 1500, NOW));
	assert_int_equal(p.voted_bytes, 1280); /* of two votes the smaller */
}

static void larger_packet_that_gets_through_takes_the_votes_back(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	path_mtu_on_smaller_only(&p, 1400, 1500, NOW);
	path_mtu_on_carried(&p, 1500, NOW + 1);
	assert_false(path_mtu_on_smaller_only(&p, 1400, 1500, NOW + 10 * SECOND));
	assert_true(path_mtu_on_smaller_only(&p, 1400, 1500, NOW + 10 * SECOND));
}

/* Between the two sizes of a pair: it may be as wide as that, and is not as wide as was thought. */
static void packet_of_a_size_between_takes_nothing_back(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	path_mtu_on_smaller_only(&p, 552, 1500, NOW);
	path_mtu_on_carried(&p, 1499, NOW);
	assert_true(path_mtu_on_smaller_only(&p, 552, 1500, NOW));
}

/* It has become narrow under way: not one large packet gets through between the votes. */
static void eight_votes_in_a_row_are_no_chance(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	path_mtu_on_carried(&p, 1500, NOW);
	for (int i = 0; i < 7; i++)
		assert_false(path_mtu_on_smaller_only(&p, 1400, 1500, NOW));
	assert_true(path_mtu_on_smaller_only(&p, 1400, 1500, NOW));
}

/* With timestamps and without, segments differ in size. */
static void smaller_one_of_what_was_lost_counts(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	path_mtu_on_smaller_only(&p, 552, 1500, NOW);
	path_mtu_on_smaller_only(&p, 552, 1400, NOW);
	path_mtu_on_carried(&p, 1400, NOW);
	assert_int_equal(p.votes, 0);
}

/* Loss alone: large ones get through all the time. */
static void votes_do_not_count_while_larger_ones_get_through(void **state)
{
	struct path_mtu p = {0};
	uint64_t now = NOW;

	(void)state;
	path_mtu_on_carried(&p, 1500, now);
	for (int i = 0; i < 7; i++)
		assert_false(
			path_mtu_on_smaller_only(&p, 1400, 1500, now + PATH_MTU_CARRIED_US - 1));
	assert_true(path_mtu_on_smaller_only(&p, 1400, 1500, now + PATH_MTU_CARRIED_US));
}

static void smaller_packet_hides_no_larger_one_that_was_carried(void **state)
{
	struct path_mtu p = {0};

	(void)state;
	path_mtu_on_carried(&p, 1500, NOW);
	path_mtu_on_carried(&p, 600, NOW + SECOND);
	path_mtu_on_smaller_only(&p, 1400, 1500, NOW + 2 * SECOND);
	assert_false(path_mtu_on_smaller_only(&p, 1400, 1500, NOW + 2 * SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_path_is_as_wide_as_the_first_link),
		cmocka_unit_test(message_is_believed_within_reason),
		cmocka_unit_test(smallest_ipv4_packets_have_a_floor),
		cmocka_unit_test(old_router_is_answered_by_the_next_usual_size),
		cmocka_unit_test(learned_path_is_forgotten_after_ten_minutes),
		cmocka_unit_test(learned_again_it_lives_on_and_only_falls),
		cmocka_unit_test(each_value_is_news_once),
		cmocka_unit_test(sizes_to_try_fall_to_the_least),
		cmocka_unit_test(what_was_learned_before_is_tried_first),
		cmocka_unit_test(two_votes_in_a_row_are_enough),
		cmocka_unit_test(larger_packet_that_gets_through_takes_the_votes_back),
		cmocka_unit_test(packet_of_a_size_between_takes_nothing_back),
		cmocka_unit_test(smaller_one_of_what_was_lost_counts),
		cmocka_unit_test(eight_votes_in_a_row_are_no_chance),
		cmocka_unit_test(votes_do_not_count_while_larger_ones_get_through),
		cmocka_unit_test(smaller_packet_hides_no_larger_one_that_was_carried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
