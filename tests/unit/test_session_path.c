/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_path.c - a way to the target that takes smaller packets than the first link, with a router that says so and
 * without. The scripts in tests/scripts/mtu go further.
 */
#include "tests/unit/replay_fixture.h"

/* A router says that the packet with this byte of our stream was too big. */
static void router_says(struct fixture *f, uint32_t seq, uint32_t mtu)
{
	const struct wire_path_mtu m = {.session_id = f->faked[f->at].id,
					.seq = f->faked[f->at].iss + seq,
					.mtu_bytes = mtu,
					.len_bytes = 1500};

	replay_on_path_mtu(f->replay, &m, f->now_us);
	end_batch(f);
}

/* Two segments are out. */
static struct fixture *upload(void)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.pool_first = NULL});

	session_established_wide(f);
	client_says(f, "P. 1:2921(2920) ack 1");
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, "P. 1461:2921(1460) ack 1");
	return f;
}

static void what_is_in_flight_goes_again_in_smaller_segments(void **state)
{
	struct fixture *f = upload();

	(void)state;
	router_says(f, 1, 1280);
	expect_segment(f, ". 1:1241(1240) ack 1");
	expect_pattern(f, 0);
	expect_segment(f, ". 1241:2481(1240) ack 1");
	expect_segment(f, "P. 2481:2921(440) ack 1");
	router_says(f, 1461, 1280); /* about the next packet of that flight */
	expect_nothing(f);
	assert_int_equal(replay_path_mtu(f->replay, 0), 1280);
	fixture_free(f);
}

static void message_about_another_byte_is_ignored(void **state)
{
	struct fixture *f = upload();

	(void)state;
	target_says(f, ". 1:1(0) ack 1461");
	router_says(f, 1460, 1280);
	router_says(f, 2921, 1280);
	expect_nothing(f);
	assert_int_equal(replay_path_mtu(f->replay, 0), 1500);
	fixture_free(f);
}

static void duplicates_of_what_had_arrived_are_no_loss(void **state)
{
	struct fixture *f = upload();

	(void)state;
	router_says(f, 1, 1280);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1241");
	target_says(f, ". 1:1(0) ack 1241 x3");
	expect_nothing(f);
	fixture_free(f);
}

/* A pair, of a segment and a smaller one, each time that the timer runs out. */
static void silence_is_tested_by_pairs(void **state)
{
	static const char *const smaller[] = {". 1:1361(1360) ack 1", ". 1:1241(1240) ack 1",
					      ". 1:513(512) ack 1", ". 1:1361(1360) ack 1"};
	struct fixture *f = upload();

	(void)state;
	pass_ms(f, 202);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_nothing(f);
	for (int i = 0; i < 4; i++) {
		pass_ms(f, 400 << i);
		expect_segment(f, ". 1:1461(1460) ack 1");
		expect_segment(f, smaller[i]);
		expect_segment(f, ". 0:0(0) ack 1"); /* a question, too */
		expect_nothing(f);
	}
	fixture_free(f);
}

static void two_votes_make_all_segments_small(void **state)
{
	struct fixture *f = upload();

	(void)state;
	pass_ms(f, 602);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1361");
	expect_segment(f, ". 1361:2821(1460) ack 1");
	expect_segment(f, "P. 2821:2921(100) ack 1");
	expect_segment(f, ". 1361:2721(1360) ack 1");
	assert_int_equal(replay_path_mtu(f->replay, 0), 1500);
	target_says(f, ". 1:1(0) ack 2721");
	expect_segment(f, "P. 2721:2921(200) ack 1");
	assert_int_equal(replay_path_mtu(f->replay, 0), 1400);
	target_says(f, ". 1:1(0) ack 2921");
	client_says(f, "P. 2921:17521(14600) ack 1");
	for (int i = 0; i < 10; i++) /* and the timeouts were no congestion */
		assert_non_null(take_sent(f));
	fixture_free(f);
}

static void silence_without_a_link_is_not_tested(void **state)
{
	struct fixture *f = upload();

	(void)state;
	replay_on_links(f->replay, 0, f->now_us);
	pass_ms(f, 602);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 0:0(0) ack 1");
	expect_nothing(f);
	fixture_free(f);
}

/* What another session has learned counts when nothing is in flight, or the timer runs out. */
static void others_follow(void **state)
{
	struct fixture *f = upload();

	(void)state;
	f->client = "10.9.0.2:40000";
	session_established_wide(f);
	client_says(f, "P. 1:1461(1460) ack 1");
	expect_segment(f, "P. 1:1461(1460) ack 1");
	router_says(f, 1, 1280);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 1461");
	pass_ms(f, 202); /* of the first one */
	expect_segment(f, ". 1:1241(1240) ack 1");
	expect_segment(f, ". 1241:2481(1240) ack 1");
	expect_segment(f, "P. 2481:2921(440) ack 1");
	client_says(f, "P. 1461:2921(1460) ack 1");
	expect_segment(f, ". 1461:2701(1240) ack 1");
	expect_segment(f, "P. 2701:2921(220) ack 1");
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_flight_goes_again_in_smaller_segments),
		cmocka_unit_test(message_about_another_byte_is_ignored),
		cmocka_unit_test(duplicates_of_what_had_arrived_are_no_loss),
		cmocka_unit_test(silence_is_tested_by_pairs),
		cmocka_unit_test(two_votes_make_all_segments_small),
		cmocka_unit_test(silence_without_a_link_is_not_tested),
		cmocka_unit_test(others_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
