/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_limits.c - who is turned away when memory is short, and what sessions cost that are
 * over: nothing. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

/* design: admission stops at nine tenths, the rest is for those that are there already. */
static void last_tenth_of_the_memory_is_not_for_new_connections(void **state)
{
	const size_t limit = 8 << 20;
	struct fixture *f = fixture_new(&(struct fixture_config){.max_memory_bytes = limit});
	uint32_t at = 1;

	(void)state;
	session_established(f);
	while (replay_memory(f->replay) < limit / 10 * 9) {
		client_bytes(f, at, 1, 16384);
		at += 16384;
	}
	assert_true(replay_memory(f->replay) < limit);
	be_client(f, 1);
	client_says(f, "S 0:0(0) <mss 1460>");
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_LIMIT], 1);
	f->client = "10.9.0.1:40000";
	client_bytes(f, at, 1, 16384);
	assert_int_equal(fixture_registered(f), 1);
	assert_int_equal(stream(f)->in_flight.bytes, at + 16384 - 1);
	ignore_sent(f);
	fixture_free(f);
}

/* A connection whose tuple is refused so many times, in the end for good; what is held when all of it is forgotten. */
static size_t memory_after_refusals(struct fixture *f, unsigned refusals)
{
	client_says(f, "S 0:0(0) <mss 1460>");
	for (unsigned i = 0; i < refusals && f->faked[f->at].is_registered; i++) {
		replay_on_register_refused(f->replay, f->faked[f->at].id, f->now_us);
		end_batch(f);
	}
	target_says(f, "R. 0:0(0) ack 1");
	client_says(f, "R 1:1(0)");
	pass_ms(f, 5000);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(replay_connections(f->replay), 0);
	ignore_sent(f);
	return replay_memory(f->replay);
}

static void refused_registrations_cost_no_port(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.pool_first = "10.20.0.1", .pool_last = "10.20.0.1"});
	size_t after_one = memory_after_refusals(f, 1);

	(void)state;
	assert_int_equal(memory_after_refusals(f, 600), after_one);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_tenth_of_the_memory_is_not_for_new_connections),
		cmocka_unit_test(refused_registrations_cost_no_port),
	};

	return cmocka_run_group_tests_name("replay, limits", tests, NULL, NULL);
}
