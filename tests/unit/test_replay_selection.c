/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_selection.c - which connections are copied: samples, the ramp, the rate, -L, and -W. What is left out stays out,
 * costs next to nothing, and is in the account. In virtual time.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/sampling.h"

enum {
	SECOND_US = 1000000,
};

/* ---- clients ---- */

/* Speaks as a client whose place in the sample lies in [from, to): number n of these. */
static void be_client_at(struct fixture *f, uint32_t from_ppm, uint32_t to_ppm, unsigned n)
{
	for (unsigned i = 0, found = 0;; i++) {
		struct endpoint e;
		uint32_t place;

		be_client(f, i);
		e = endpoint_of(f->client);
		place = sampling_place_ppm(&e, false);
		if (place >= from_ppm && place < to_ppm && found++ == n)
			return;
	}
}

/* A whole connection of one request. */
static void client_asks_once(struct fixture *f)
{
	client_says(f, "S 0:0(0) <mss 1460>");
	server_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	client_says(f, "F. 6:6(0) ack 301");
	server_says(f, "F. 301:301(0) ack 7");
}

static void expect_left_out(const struct fixture *f, size_t target, enum drop_cause cause,
			    uint64_t connections, uint64_t bytes, uint64_t requests)
{
	const struct ledger_target *t = account_of(f, target);

	assert_int_equal(t->sessions.not_started[cause], connections);
	assert_int_equal(t->stream.dropped[cause].bytes, bytes);
	assert_int_equal(t->stream.dropped[cause].requests, requests);
}

/* ---- samples ---- */

static void fifth_of_the_clients_is_copied_and_the_same_again(void **state)
{
	static bool was_copied[2000];
	unsigned copied = 0;

	(void)state;
	for (unsigned run = 0; run < 2; run++) {
		struct fixture *f =
			fixture_new(&(struct fixture_config){.sample_ppm = 200000, .key = run});

		for (unsigned i = 0; i < 2000; i++) {
			uint64_t before = account_of(f, 0)->sessions.started;

			be_client(f, i);
			client_says(f, "S 0:0(0) <mss 1460>");
			if (run)
				assert_int_equal(account_of(f, 0)->sessions.started - before,
						 was_copied[i]);
			was_copied[i] = account_of(f, 0)->sessions.started > before;
			copied += was_copied[i];
		}
		assert_int_equal(account_of(f, 0)->sessions.started +
					 account_of(f, 0)->sessions.not_started[DROP_SAMPLED_OUT],
				 2000);
		ignore_sent(f);
		fixture_free(f);
	}
	assert_in_range(copied, 2 * 340, 2 * 460);
}

static void sampled_out_connection_is_counted_and_nothing_said(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.sample_ppm = 200000});

	(void)state;
	be_client_at(f, 200000, 1000000, 0);
	client_asks_once(f);
	expect_nothing(f);
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 5, 1);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_int_equal(fate(f, PACKET_FATE_USED), 6);
	client_data(f, 1, 1, "GET /"); /* a late repetition */
	client_says(f, "S 0:0(0) <mss 1460>");
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), 2);
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 5, 1);
	fixture_free(f);
}

/* Neither at a boundary, nor after a silence, nor when all the rest of the engine would join it. */
static void sampled_out_connection_is_never_joined(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.sample_ppm = 200000});

	(void)state;
	be_client_at(f, 200000, 1000000, 0);
	for (unsigned i = 0; i < 20; i++) { /* one that is older than the copy */
		client_data(f, 1 + 5 * i, 1 + 300 * i, "GET /");
		pass_ms(f, 40000);
	}
	expect_nothing(f);
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 100, 20);
	fixture_free(f);
}

static void connection_in_the_sample_is_joined_as_ever(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.sample_ppm = 200000});

	(void)state;
	be_client_at(f, 0, 200000, 0);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET /");
	expect_segment(f, "S 0:0(0)");
	assert_int_equal(account_of(f, 0)->sessions.joined, 1);
	ignore_sent(f);
	fixture_free(f);
}

/* RFC 7413: what came with a SYN is said once, however often that comes. */
static void data_with_the_syn_is_counted_once(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.sample_ppm = 200000});

	(void)state;
	be_client_at(f, 200000, 1000000, 0);
	client_says(f, "S 0:5(5) <mss 1460>");
	client_says(f, "S 0:5(5) <mss 1460>");
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 5, 1);
	client_says(f, "P. 6:11(5) ack 1");
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 10, 1);
	expect_nothing(f);
	fixture_free(f);
}

static void connection_is_in_for_all_targets_or_for_none(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.sample_ppm = 200000,
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080",
			      "10.0.0.2:81-10.1.0.3:8080"}});

	(void)state;
	be_client_at(f, 0, 200000, 0);
	client_says(f, "S 0:0(0) <mss 1460>");
	assert_int_equal(fixture_registered(f), 2);
	be_client_at(f, 200000, 1000000, 0);
	client_asks_once(f);
	assert_int_equal(fixture_registered(f), 2);
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 5, 1);
	expect_left_out(f, 1, DROP_SAMPLED_OUT, 1, 5, 1);
	expect_left_out(f, 2, DROP_SAMPLED_OUT, 0, 0, 0);
	ignore_sent(f);
	fixture_free(f);
}

static void whole_clients_are_sampled_by_their_address(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.sample_ppm = 500000, .sample_by_client = true});
	unsigned copied = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		uint64_t started = account_of(f, 0)->sessions.started;

		for (unsigned port = 0; port < 10; port++) {
			snprintf(f->client_text, sizeof(f->client_text), "10.9.1.%u:%u", i + 1,
				 40000 + port);
			f->client = f->client_text;
			client_says(f, "S 0:0(0) <mss 1460>");
		}
		started = account_of(f, 0)->sessions.started - started;
		assert_true(started == 0 || started == 10);
		copied += started == 10;
	}
	assert_in_range(copied, 30, 70);
	ignore_sent(f);
	fixture_free(f);
}

/* A hundred thousand, all open: the memory is that of before. */
static void sampled_out_connections_cost_no_memory(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.sample_ppm = 1});
	size_t before = replay_memory(f->replay);

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(f->client_text, sizeof(f->client_text), "10.9.%u.%u:%u", i / 2500,
			 1 + i / 10 % 250, 40000 + i % 10);
		f->client = f->client_text;
		client_says(f, "S 0:0(0) <mss 1460>");
		client_data(f, 1, 1, "GET /");
	}
	assert_int_equal(replay_memory(f->replay), before);
	assert_int_equal(replay_connections(f->replay), 0);
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 100000, 500000, 100000);
	fixture_free(f);
}

/* ---- the ramp ---- */

static void ramp_begins_with_the_first_link(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.sample_ppm = 510000, .gradual_us = 100 * SECOND_US, .no_link = true});

	(void)state;
	pass_ms(f, 500000);
	assert_int_equal(replay_sample_ppm(f->replay), SAMPLING_RAMP_FIRST_PPM);
	replay_on_links(f->replay, 1, f->now_us);
	pass_ms(f, 50000);
	assert_in_range(replay_sample_ppm(f->replay), 259000, 260000);
	replay_on_links(f->replay, 0, f->now_us); /* and goes on whatever the link does */
	replay_on_links(f->replay, 1, f->now_us);
	pass_ms(f, 51000);
	assert_int_equal(replay_sample_ppm(f->replay), 510000);
	fixture_free(f);
}

static void connection_that_the_ramp_left_out_stays_out(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.gradual_us = 100 * SECOND_US});

	(void)state;
	be_client_at(f, 500000, 600000, 0);
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 200000); /* everybody is in by now */
	client_data(f, 6, 301, "GET /");
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_nothing(f);
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 10, 2);
	f->client_isn = 70000; /* its next connection is in */
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
	expect_left_out(f, 0, DROP_SAMPLED_OUT, 1, 10, 2);
	fixture_free(f);
}

/* ---- the rate ---- */

static void connections_above_the_rate_are_left_out_whole(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.rate_per_s = 8});

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		be_client(f, i);
		client_asks_once(f);
	}
	assert_int_equal(account_of(f, 0)->sessions.started, 2);
	expect_left_out(f, 0, DROP_RATE, 3, 15, 3);
	pass_ms(f, 10000);
	ignore_sent(f);
	client_data(f, 6, 301, "GET /"); /* of one that was left out: there is room by now */
	expect_nothing(f);
	f->client_isn += 5000; /* a new connection has a new chance */
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
	ignore_sent(f);
	fixture_free(f);
}

static void steady_load_at_the_rate_is_copied_whole(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.rate_per_s = 100});

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
		f->at = i;
		target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
		pass_ms(f, 10);
	}
	assert_int_equal(account_of(f, 0)->sessions.started, 1000);
	ignore_sent(f);
	fixture_free(f);
}

static void rate_counts_sessions_of_all_targets(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.rate_per_s = 8,
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080"}});

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	assert_int_equal(account_of(f, 0)->sessions.started, 1);
	assert_int_equal(account_of(f, 1)->sessions.started, 1);
	expect_left_out(f, 0, DROP_RATE, 2, 0, 0);
	expect_left_out(f, 1, DROP_RATE, 2, 0, 0);
	ignore_sent(f);
	fixture_free(f);
}

/* Without -c the client can be copied to one of the two only. */
static void target_of_another_family_takes_nothing_from_the_rate(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.rate_per_s = 8,
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-[2001:db8::1]:8080"}});

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	assert_int_equal(account_of(f, 0)->sessions.started, 2);
	expect_left_out(f, 0, DROP_RATE, 1, 0, 0);
	expect_left_out(f, 1, DROP_NO_ADDRESS, 2, 0, 0);
	ignore_sent(f);
	fixture_free(f);
}

/* It is the same session of the client, and had its place. */
static void joining_again_is_not_held_back(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.rate_per_s = 1});

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "PF. 1:301(300) ack 6");
	ignore_sent(f);
	client_data(f, 6, 301, "GET /");
	assert_int_equal(account_of(f, 0)->sessions.rejoined, 1);
	ignore_sent(f);
	fixture_free(f);
}

/* Connections that are older than the copy come at once: the rate lets some in, the rest stays out. */
static void joins_of_older_connections_take_their_turn(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.rate_per_s = 8});

	(void)state;
	for (uint32_t turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < 5; i++) {
			be_client(f, i);
			client_data(f, 1 + 5 * turn, 1 + 300 * turn, "GET /");
		}
		pass_ms(f, 100);
	}
	assert_int_equal(account_of(f, 0)->sessions.joined, 2);
	assert_int_equal(stream(f)->dropped[DROP_BEFORE_JOIN].requests, 5);
	assert_int_equal(stream(f)->dropped[DROP_RATE].requests, 6);
	ignore_sent(f);
	fixture_free(f);
}

/* What cannot be copied for another reason leaves the rate to others. */
static void connection_that_cannot_start_takes_nothing_from_the_rate(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.rate_per_s = 8, .no_link = true});

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	expect_left_out(f, 0, DROP_NO_INTERCEPT, 10, 0, 0);
	replay_on_links(f->replay, 1, f->now_us);
	for (unsigned i = 0; i < 5; i++) { /* their first words: nothing was missed */
		be_client(f, i);
		client_data(f, 1, 1, "GET /");
	}
	assert_int_equal(account_of(f, 0)->sessions.started, 2);
	expect_left_out(f, 0, DROP_NO_INTERCEPT, 5, 0, 0);
	expect_left_out(f, 0, DROP_RATE, 3, 15, 3);
	ignore_sent(f);
	fixture_free(f);
}

/* Otherwise it would be left out for as long as it lives. */
static void connection_that_cannot_start_is_not_held_against_the_rate(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.rate_per_s = 1});

	(void)state;
	be_client(f, 0);
	client_says(f, "S 0:0(0) <mss 1460>"); /* takes all there is */
	replay_on_links(f->replay, 0, f->now_us);
	be_client(f, 1);
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_left_out(f, 0, DROP_NO_INTERCEPT, 1, 0, 0);
	expect_left_out(f, 0, DROP_RATE, 0, 0, 0);
	replay_on_links(f->replay, 1, f->now_us);
	pass_ms(f, 2000);
	client_data(f, 1, 1, "GET /");
	assert_int_equal(account_of(f, 0)->sessions.started, 2);
	ignore_sent(f);
	fixture_free(f);
}

/* ---- without intercept ---- */

static void connection_waits_for_the_first_intercept(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.without_intercept = true, .no_link = true});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /");
	client_says(f, "F. 6:6(0) ack 301");
	pass_in_silence(f, 300000);
	assert_int_equal(f->notice_count, 0);
	replay_on_links(f->replay, 1, f->now_us);
	pass_ms(f, 600);
	expect_segment(f, "S 0:0(0) <mss 1460>");
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "F. 6:6(0) ack 301");
	assert_int_equal(stream(f)->delivered.requests, 1);
	ignore_sent(f);
	fixture_free(f);
}

static void connection_waits_no_longer_than_the_idle_limit(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.without_intercept = true, .no_link = true, .give_up_us = 60 * SECOND_US});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /");
	pass_in_silence(f, 61000);
	assert_int_equal(stream(f)->dropped[DROP_TIMED_OUT].bytes, 5);
	fixture_free(f);
}

/* No SYN goes, so nobody can be blamed for not answering: the copy does not pause. */
static void outage_with_many_waiting_opens_no_breaker(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.without_intercept = true});

	(void)state;
	replay_on_links(f->replay, 0, f->now_us);
	for (unsigned i = 0; i < 40; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	pass_in_silence(f, 30000);
	assert_false(replay_is_paused(f->replay));
	assert_int_equal(fixture_registered(f), 40);
	replay_on_links(f->replay, 1, f->now_us);
	pass_ms(f, 600);
	assert_int_equal(account_of(f, 0)->traffic.syn_sent, 40);
	ignore_sent(f);
	fixture_free(f);
}

/* The copy had paused before the link was known to be gone. */
static void pause_is_no_matter_while_connections_wait_anyway(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.without_intercept = true});

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	pass_ms(f, 3500);
	assert_true(replay_is_paused(f->replay));
	replay_on_links(f->replay, 0, f->now_us);
	ignore_sent(f);
	be_client(f, 16);
	client_says(f, "S 0:0(0) <mss 1460>");
	pass_in_silence(f, 20000);
	expect_left_out(f, 0, DROP_PAUSED, 0, 0, 0);
	assert_int_equal(fixture_registered(f), 17);
	fixture_free(f);
}

/* ---- not waiting ---- */

static void requests_go_without_answers(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.no_wait = true});

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	client_data(f, 7, 301, "GET /2");
	expect_segment(f, "P. 7:13(6) ack 1");
	client_data(f, 13, 601, "GET /3");
	client_says(f, "F. 19:19(0) ack 901");
	expect_segment(f, "P. 13:19(6) ack 1");
	expect_segment(f, "F. 19:19(0) ack 1");
	target_says(f, ". 1:1(0) ack 20");
	assert_int_equal(stream(f)->delivered.requests, 3);
	ignore_sent(f);
	fixture_free(f);
}

/* The window still counts, and so does the handshake. */
static void not_waiting_sends_no_more_than_tcp_allows(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.no_wait = true});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
	client_data(f, 1, 1, "GET /1");
	client_data(f, 7, 301, "GET /2");
	expect_nothing(f);
	target_says(f, "S. 0:0(0) ack 1 win 8 <mss 1460>");
	expect_segment(f, ". 1:9(8) ack 1");
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 9 win 100");
	expect_segment(f, "P. 9:13(4) ack 1");
	fixture_free(f);
}

/* The target's limit on requests a connection: what it did not take goes to another one, as ever. */
static void request_after_the_target_s_end_is_joined_again(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.no_wait = true});

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "PF. 1:301(300) ack 7");
	ignore_sent(f);
	client_data(f, 7, 301, "GET /2");
	assert_int_equal(account_of(f, 0)->sessions.rejoined, 1);
	ignore_sent(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifth_of_the_clients_is_copied_and_the_same_again),
		cmocka_unit_test(sampled_out_connection_is_counted_and_nothing_said),
		cmocka_unit_test(sampled_out_connection_is_never_joined),
		cmocka_unit_test(connection_in_the_sample_is_joined_as_ever),
		cmocka_unit_test(data_with_the_syn_is_counted_once),
		cmocka_unit_test(connection_is_in_for_all_targets_or_for_none),
		cmocka_unit_test(whole_clients_are_sampled_by_their_address),
		cmocka_unit_test(sampled_out_connections_cost_no_memory),
		cmocka_unit_test(ramp_begins_with_the_first_link),
		cmocka_unit_test(connection_that_the_ramp_left_out_stays_out),
		cmocka_unit_test(connections_above_the_rate_are_left_out_whole),
		cmocka_unit_test(steady_load_at_the_rate_is_copied_whole),
		cmocka_unit_test(rate_counts_sessions_of_all_targets),
		cmocka_unit_test(target_of_another_family_takes_nothing_from_the_rate),
		cmocka_unit_test(joining_again_is_not_held_back),
		cmocka_unit_test(joins_of_older_connections_take_their_turn),
		cmocka_unit_test(connection_that_cannot_start_takes_nothing_from_the_rate),
		cmocka_unit_test(connection_that_cannot_start_is_not_held_against_the_rate),
		cmocka_unit_test(connection_waits_for_the_first_intercept),
		cmocka_unit_test(connection_waits_no_longer_than_the_idle_limit),
		cmocka_unit_test(outage_with_many_waiting_opens_no_breaker),
		cmocka_unit_test(pause_is_no_matter_while_connections_wait_anyway),
		cmocka_unit_test(requests_go_without_answers),
		cmocka_unit_test(not_waiting_sends_no_more_than_tcp_allows),
		cmocka_unit_test(request_after_the_target_s_end_is_joined_again),
	};

	return cmocka_run_group_tests_name("replay, selection", tests, NULL, NULL);
}
