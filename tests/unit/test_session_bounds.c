/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_bounds.c - what must not go on for ever: payload that is kept for sessions which
 * have ended, haste that intercept was told, resets against a tuple that stays taken. In virtual
 * time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

enum {
	REQUESTS = 2000,
	REQUEST_BYTES = 1400,
	STALE_RESETS = 3,
	SLACK_BYTES = 512 << 10, /* a chunk of payload and one of turns may stay */
};

/* ---- payload that nobody needs ---- */

/* The client goes on from seq on: requests, each after an answer of 100 bytes. */
static void client_goes_on(struct fixture *f, uint32_t seq)
{
	for (uint32_t i = 0; i < REQUESTS; i++)
		client_bytes(f, seq + i * REQUEST_BYTES, 1 + 100 * i, REQUEST_BYTES);
}

static void expect_nothing_kept_while_the_client_goes_on(struct fixture *f, enum drop_cause cause)
{
	const struct ledger_stream *s = stream(f);
	struct ledger_amount dropped = s->dropped[cause];
	size_t before;

	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	before = replay_memory(f->replay);
	client_goes_on(f, 1 + (uint32_t)s->captured.bytes);
	expect_nothing(f);
	assert_int_equal(s->dropped[cause].bytes - dropped.bytes, REQUESTS * REQUEST_BYTES);
	assert_in_range(s->dropped[cause].requests - dropped.requests, REQUESTS - 1, REQUESTS);
	assert_in_range(replay_memory(f->replay), 0, before + SLACK_BYTES);
}

static void nothing_is_kept_after_a_reset_of_the_target(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "R. 1:1(0) ack 1");
	expect_nothing_kept_while_the_client_goes_on(f, DROP_TARGET_RESET);
}

static void nothing_is_kept_after_a_refused_syn(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	target_says(f, "R. 0:0(0) ack 1");
	expect_nothing_kept_while_the_client_goes_on(f, DROP_TARGET_REFUSED);
}

static void nothing_is_kept_after_the_target_was_given_up(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_syn_sent(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 6000);
	ignore_sent(f);
	expect_nothing_kept_while_the_client_goes_on(f, DROP_TIMED_OUT);
	fixture_free(f);
}

static void payload_is_kept_for_the_last_live_session_and_then_given_back(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:9090"}});
	size_t before, kept;

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	ignore_sent(f);
	f->at = 0;
	target_says(f, "R. 0:0(0) ack 1");
	before = replay_memory(f->replay);
	client_goes_on(f, 1);
	kept = replay_memory(f->replay);
	assert_true(kept >= before + REQUESTS * REQUEST_BYTES); /* the other still wants it */
	f->at = 1;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, "P. 1:1401(1400) ack 1");
	expect_pattern(f, 0);
	target_says(f, "R. 1:1(0) ack 1");
	assert_int_equal(fixture_registered(f), 0);
	assert_in_range(replay_memory(f->replay), 0, before + SLACK_BYTES);
	client_bytes(f, 1 + REQUESTS * REQUEST_BYTES, 1, 1 << 15);
	assert_in_range(replay_memory(f->replay), 0, before + SLACK_BYTES);
	fixture_free(f);
}

/* ---- haste ---- */

/* A turn waits for its answer for long, which makes records urgent; then it comes. */
static void urgency_lingers(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET 2");
	pass_ms(f, 5);
	target_says(f, "P. 1:101(100) ack 6");
	assert_true(f->urgent);
	target_says(f, "P. 101:301(200) ack 6");
	ignore_sent(f);
	assert_true(f->urgent); /* a little longer */
}

static void expect_urgency_ends(struct fixture *f)
{
	pass_ms(f, 12);
	assert_false(f->urgent);
	ignore_sent(f);
}

static void links_changed(struct fixture *f, unsigned up)
{
	replay_on_links(f->replay, up, f->now_us);
	end_batch(f);
}

static void urgency_ends_though_a_link_came_while_it_lingered(void **state)
{
	struct fixture *f = *state;

	urgency_lingers(f);
	links_changed(f, 2);
	assert_true(f->urgent);
	expect_urgency_ends(f);
}

static void urgency_ends_though_a_link_went_while_it_lingered(void **state)
{
	struct fixture *f = *state;

	links_changed(f, 2);
	urgency_lingers(f);
	links_changed(f, 1);
	expect_urgency_ends(f);
}

static void urgency_ends_though_all_links_went_and_one_came_back(void **state)
{
	struct fixture *f = *state;

	urgency_lingers(f);
	links_changed(f, 0);
	pass_ms(f, 2);
	links_changed(f, 1);
	expect_urgency_ends(f);
}

static void link_that_comes_hears_of_the_urgency_and_of_its_end(void **state)
{
	struct fixture *f = *state;
	size_t told;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET 2");
	pass_ms(f, 5);
	target_says(f, "P. 1:101(100) ack 6");
	assert_true(f->urgent);
	told = f->urgency_changes;
	links_changed(f, 2);
	assert_true(f->urgency_changes > told);
	assert_true(f->urgent);
	target_says(f, "P. 101:301(200) ack 6");
	expect_urgency_ends(f);
}

static void link_that_comes_in_peace_hears_of_no_urgency(void **state)
{
	struct fixture *f = *state;

	urgency_lingers(f);
	expect_urgency_ends(f);
	f->urgency_changes = 0;
	links_changed(f, 2);
	pass_ms(f, 100);
	assert_int_equal(f->urgency_changes, 0);
}

/* ---- a tuple that stays taken ---- */

/* Answers every SYN at once with the ACK of an older connection. Returns how many there were. */
static unsigned answer_syns_with_stale_acks(struct fixture *f)
{
	unsigned syns = 0;
	const struct sent *s;

	while ((s = take_sent(f))) {
		assert_true(s->flags == TCP_SYN || s->flags == TCP_RST);
		if (s->flags == TCP_RST)
			continue;
		assert_true(++syns < 100); /* a storm without a pause */
		target_says(f, ". 900:900(0) ack 77");
	}
	return syns;
}

static void taken_tuple_gets_three_resets_for_each_syn_of_the_timer(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0) <mss 1460>");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(answer_syns_with_stale_acks(f), 1 + STALE_RESETS);
		for (unsigned ms = 0; f->expected == f->sent_count; ms += 10) {
			assert_true(ms < 70000);
			pass_ms(f, 10);
		}
	}
	assert_int_equal(fixture_registered(f), 1); /* it has not given up */
}

static void flood_of_stale_acks_gets_three_resets(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	for (uint32_t i = 0; i < 1000; i++) {
		char text[64];

		snprintf(text, sizeof(text), ". 900:900(0) ack %u", 77 + i);
		target_says(f, text);
	}
	for (unsigned i = 0; i < STALE_RESETS; i++) {
		char text[64];

		snprintf(text, sizeof(text), "R %u:%u(0)", 77 + i, 77 + i);
		expect_segment(f, text);
		expect_segment(f, "S 0:0(0)");
	}
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 1000);
}

static void tuple_that_becomes_free_late_is_taken(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0) <mss 1460>");
	answer_syns_with_stale_acks(f);
	client_data(f, 1, 1, "GET /");
	while (f->expected == f->sent_count)
		pass_ms(f, 10);
	expect_segment(f, "S 0:0(0)");
	target_says(f, ". 900:900(0) ack 77");
	expect_segment(f, "R 77:77(0)");
	expect_segment(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 6");
	assert_int_equal(stream(f)->delivered.bytes, 5);
}

/* A session that waits asks for no more wake-ups than its own deadlines. */
static void waiting_for_a_silent_target_costs_no_wakeups(void **state)
{
	struct fixture *f = *state;
	uint64_t until;
	unsigned calls = 0;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET /"); /* waits behind its gate */
	for (until = f->now_us + 10000000; replay_next_us(f->replay) < until; calls++) {
		f->now_us = replay_next_us(f->replay);
		replay_on_time(f->replay, f->now_us);
		end_batch(f);
	}
	assert_in_range(calls, 4, 20); /* RTOs, and now and then the wheel's larger steps */
	assert_false(f->urgent);       /* nor of others */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(waiting_for_a_silent_target_costs_no_wakeups),
		fixture_test(nothing_is_kept_after_a_reset_of_the_target),
		fixture_test(nothing_is_kept_after_a_refused_syn),
		cmocka_unit_test(nothing_is_kept_after_the_target_was_given_up),
		cmocka_unit_test(payload_is_kept_for_the_last_live_session_and_then_given_back),
		fixture_test(urgency_ends_though_a_link_came_while_it_lingered),
		fixture_test(urgency_ends_though_a_link_went_while_it_lingered),
		fixture_test(urgency_ends_though_all_links_went_and_one_came_back),
		fixture_test(link_that_comes_hears_of_the_urgency_and_of_its_end),
		fixture_test(link_that_comes_in_peace_hears_of_no_urgency),
		fixture_test(taken_tuple_gets_three_resets_for_each_syn_of_the_timer),
		fixture_test(flood_of_stale_acks_gets_three_resets),
		fixture_test(tuple_that_becomes_free_late_is_taken),
	};

	return cmocka_run_group_tests_name("session, bounds", tests, NULL, NULL);
}
