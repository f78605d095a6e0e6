/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_join.c - connections joined in their middle and sessions that go on with another connection to the
 * target: at a request, never inside one, each byte once. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

static const struct ledger_sessions *sessions(const struct fixture *f)
{
	return &account_of(f, 0)->sessions;
}

/* The handshake of the session that was begun last; speaks to it from now on. */
static void target_accepts(struct fixture *f)
{
	f->at = f->faked_count - 1;
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	assert_true(f->expected < f->sent_count);
}

/* A connection that is older than the copy: one request was seen, and answered online. */
static void in_the_middle(struct fixture *f)
{
	client_data(f, 501, 900, "GET /before");
	expect_nothing(f);
	client_says(f, ". 512:512(0) ack 1200");
	expect_nothing(f);
}

/* ---- older than the copy ---- */

static void older_connection_is_joined_at_its_next_request(void **state)
{
	struct fixture *f = *state;

	in_the_middle(f);
	client_data(f, 512, 1200, "GET /1");
	expect_segment(f, "S 0:0(0) <mss 1460,TS,wscale 7>");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /1");
	client_data(f, 518, 1500, "GET /2");
	expect_nothing(f); /* the gates hold */
	target_says(f, "P. 1:301(300) ack 7");
	pass_ms(f, 22); /* it might refuse */
	expect_segment(f, "P. 7:13(6) ack 301");
	expect_payload(f, "GET /2");
	target_says(f, "P. 301:601(300) ack 13");
	client_says(f, "F. 524:524(0) ack 1800");
	expect_segment(f, "F. 13:13(0) ack 601");
	target_says(f, "F. 601:601(0) ack 14");
	expect_segment(f, ". 14:14(0) ack 602");
	assert_int_equal(sessions(f)->joined, 1);
	assert_int_equal(sessions(f)->rejoined, 0);
	assert_int_equal(stream(f)->dropped[DROP_BEFORE_JOIN].bytes, 11);
	assert_int_equal(stream(f)->dropped[DROP_BEFORE_JOIN].requests, 1);
	assert_int_equal(stream(f)->delivered.bytes, 12);
	assert_int_equal(stream(f)->delivered.requests, 2);
}

/* What could be the inside of a request is not joined. */
static void nothing_but_a_certain_boundary_is_joined(void **state)
{
	struct fixture *f = *state;

	client_data(f, 501, 900, "GET /be");
	client_data(f, 508, 900, "fore"); /* no more of an answer was seen */
	client_says(f, ". 512:514(2) ack 900");
	client_data(f, 514, 1500, "GET /"); /* the segment before had no PSH */
	expect_nothing(f);
	client_says(f, "P. 530:535(5) ack 1800"); /* not contiguous */
	expect_nothing(f);
	pass_ms(f, 4);
	client_data(f, 535, 2100,
		    "GET /"); /* it has seen more of an answer in the middle of a write before */
	expect_nothing(f);
	pass_ms(f, 210);
	client_bytes(f, 540, 2400, 1000);
	expect_segment(f, "S 0:0(0)");
}

/* Large writes, a millisecond less and more than silence_ms apart. */
static void joined_only_after(struct fixture *f, unsigned silence_ms)
{
	client_bytes(f, 501, 900, 1448);
	client_says(f, ". 1949:1949(0) ack 1200");
	pass_ms(f, silence_ms - 1);
	client_bytes(f, 1949, 1200, 1448); /* perhaps the next piece of one write */
	expect_nothing(f);
	client_says(f, ". 3397:3397(0) ack 1500");
	pass_ms(f, silence_ms + 1);
	client_bytes(f, 3397, 1500, 1448);
	expect_segment(f, "S 0:0(0)");
}

static void large_segment_is_a_boundary_only_after_silence(void **state)
{
	joined_only_after(*state, 5);
}

/* Two packets may seem to be as much farther apart as the capture holds one back. */
static void silence_is_longer_where_the_capture_holds_packets_back(void **state)
{
	static const struct {
		uint64_t latency_us;
		unsigned silence_ms;
	} cases[] = {{1000, 5}, {3000, 5}, {8000, 10}, {20000, 22}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_new(
			&(struct fixture_config){.capture_latency_us = cases[i].latency_us});

		joined_only_after(f, cases[i].silence_ms);
		fixture_free(f);
	}
}

static void joining_waits_for_no_answer_that_was_another_connections(void **state)
{
	struct fixture *f = *state;

	in_the_middle(f);
	client_data(f, 512, 1200, "GET /1");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(
		f, "P. 1:7(6) ack 1"); /* its 300 bytes were the answer to what was not copied */
}

static void whole_connections_only_joins_none(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.whole_only = true});

	(void)state;
	in_the_middle(f);
	client_data(f, 512, 1200, "GET /1");
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_BEFORE_JOIN].requests, 2);
	fixture_free(f);
}

/* ---- ended by the target ---- */

/* Keep-alive limits and idle timeouts: the request goes on a fresh connection, the old one is cleared away. */
static void target_that_closed_when_idle_gets_the_next_request_anew(void **state)
{
	struct fixture *f = *state;
	struct tuple first;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "FP. 1:301(300) ack 7");
	expect_segment(f, ". 7:7(0) ack 302");
	pass_in_silence(f, 5000);
	first = f->faked[0].response;
	client_data(f, 7, 301, "GET /2");
	expect_segment(f, "R. 7:7(0) ack 302");
	expect_segment(f, "S 0:0(0)");
	assert_int_equal(fixture_registered(f), 1);
	assert_false(tuple_equal(&first, &f->faked[1].response));
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /2");
	target_says(f, "P. 1:301(300) ack 7");
	assert_int_equal(stream(f)->delivered.requests, 2);
	assert_int_equal(sessions(f)->rejoined, 1);
}

/* The client is ahead: what waits behind the gate is not lost with the connection. */
static void requests_behind_the_gate_go_on_another_connection(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	client_data(f, 7, 301, "GET /2");
	client_data(f, 13, 601, "GET /3");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "FP. 1:301(300) ack 7");
	expect_segment(f, "R. 7:7(0) ack 302");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /2");
	expect_nothing(f);
	target_says(f, "FP. 1:301(300) ack 7");
	expect_segment(f, "R. 7:7(0) ack 302");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /3");
	target_says(f, ". 1:1(0) ack 7");
	assert_int_equal(stream(f)->delivered.requests, 3);
	assert_int_equal(stream(f)->delivered.bytes, 18);
	assert_int_equal(sessions(f)->rejoined, 2);
}

/* A RST without ACK: there is no such connection, so nobody has read the request. */
static void request_to_a_connection_that_is_no_more_is_said_again_once(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	client_data(f, 7, 301, "GET /2");
	expect_segment(f, "P. 7:13(6) ack 301");
	target_says(f, "R 301:301(0)");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /2");
	target_says(f, "P. 1:301(300) ack 7");
	assert_int_equal(stream(f)->delivered.requests, 2);
	assert_int_equal(sessions(f)->ended_by_target, 1);
}

/* A RST with ACK may come from a server that has read it: not twice. */
static void request_that_may_have_been_read_is_not_said_again(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	client_data(f, 7, 301, "GET /2");
	target_says(f, "R. 1:1(0) ack 1");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /2");
	target_says(f, ". 1:1(0) ack 7");
	assert_int_equal(stream(f)->delivered.requests, 1);
	assert_int_equal(stream(f)->dropped[DROP_TARGET_RESET].bytes, 6);
	assert_int_equal(stream(f)->dropped[DROP_TARGET_RESET].requests, 1);
}

static void client_that_has_ended_is_followed_to_its_end_on_the_new_connection(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	client_data(f, 7, 301, "GET /2");
	client_says(f, "F. 13:13(0) ack 601");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "FP. 1:301(300) ack 7");
	expect_segment(f, "R. 7:7(0) ack 302");
	expect_segment(f, "S 0:0(0)");
	pass_ms(f, 1100);
	ignore_sent(f);
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	expect_segment(f, "F. 7:7(0) ack 301");
	target_says(f, "F. 301:301(0) ack 8");
	expect_segment(f, ". 8:8(0) ack 302");
	pass_ms(f, 10000);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_int_equal(fixture_registered(f), 0);
}

static void refused_port_is_asked_again_after_a_second(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_data(f, 1, 1, "GET /1");
	target_says(f, "R. 0:0(0) ack 1");
	expect_nothing(f);
	pass_ms(f, 500);
	client_data(f, 7, 301, "GET /2");
	expect_nothing(f);
	pass_ms(f, 501);
	client_data(f, 13, 601, "GET /3");
	expect_segment(f, "S 0:0(0)");
	assert_int_equal(stream(f)->dropped[DROP_TARGET_REFUSED].requests, 2);
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /3");
}

/* TLS with another key, a protocol with a greeting: it will never do. */
static void connection_that_the_target_always_resets_is_left_alone(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 512, ack = 1200;

	in_the_middle(f);
	for (int i = 0; i < 20; i++) {
		client_data(f, at, ack, "GET /1");
		at += 6;
		ack += 300;
		for (int k = 0; k < 5 && fixture_registered(f); k++) {
			target_accepts(f);
			target_says(f, "R 1:1(0)");
		}
		assert_int_equal(fixture_registered(f), 0);
	}
	assert_int_equal(sessions(f)->started, 3);
	assert_int_equal(stream(f)->delivered.bytes, 0);
	ignore_sent(f);
}

/* ICMP errors of a forwarding assistant, until somebody mends that: the connection is not lost for good. */
static void connection_that_the_target_reset_is_tried_once_a_minute(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 512, ack = 1200;

	in_the_middle(f);
	for (int minute = 0; minute < 3; minute++) {
		for (int i = 0; i < 5; i++, at += 6, ack += 300) {
			client_data(f, at, ack, "GET /1");
			for (int k = 0; k < 5 && fixture_registered(f); k++) {
				target_accepts(f);
				target_says(f, "R 1:1(0)");
			}
		}
		assert_int_equal(sessions(f)->started, 3 + minute);
		pass_ms(f, 60001);
	}
	ignore_sent(f);
	client_data(f, at, ack, "GET /1");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	ignore_sent(f);
	assert_int_equal(stream(f)->delivered.requests, 1);
}

static void unanswered_turn_is_given_up_and_the_next_goes_on_another_connection(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, ". 1:1(0) ack 7");
	client_data(f, 7, 301, "GET /2");
	pass_ms(f, 5100);
	expect_segment(f, "R. 7:7(0) ack 1");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /2");
	fixture_free(f);
}

/* ---- gaps ---- */

static void connection_is_joined_again_after_a_capture_gap(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	pass_ms(f, 50);
	ignore_sent(f);
	client_data(f, 13, 601, "GET /3"); /* GET /2 was not captured */
	pass_ms(f, 3100);
	expect_segment(f, "R. 7:7(0) ack 301");
	client_data(f, 19, 901, "GET /4");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /4");
	target_says(f, "P. 1:301(300) ack 7");
	assert_int_equal(stream(f)->delivered.requests, 2);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].requests, 1);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 6);
	assert_int_equal(sessions(f)->rejoined, 1);
}

/* ---- several targets ---- */

static void one_target_that_closes_does_not_disturb_the_other(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080"}});
	struct ip_addr first_target;
	size_t a, b;

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	for (f->at = 0; f->at < 2; f->at++)
		target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	first_target = addr_of("10.1.0.1");
	a = ip_addr_equal(&f->faked[0].response.src.addr, &first_target) ? 0 : 1;
	b = 1 - a;
	client_data(f, 1, 1, "GET /1");
	f->at = a;
	target_says(f, "P. 1:301(300) ack 7");
	f->at = b;
	target_says(f, "FP. 1:301(300) ack 7");
	ignore_sent(f);
	client_data(f, 7, 301, "GET /2");
	assert_int_equal(fixture_registered(f), 2);
	f->at = a;
	target_says(f, "P. 301:601(300) ack 13");
	f->expected = f->sent_count - 1;
	target_accepts(f);
	target_says(f, "P. 1:301(300) ack 7");
	assert_int_equal(account_of(f, 0)->stream.delivered.requests, 2);
	assert_int_equal(account_of(f, 1)->stream.delivered.requests, 2);
	assert_int_equal(account_of(f, 0)->sessions.rejoined, 0);
	assert_int_equal(account_of(f, 1)->sessions.rejoined, 1);
	fixture_free(f);
}

/* ---- late beginnings ---- */

static void connection_without_a_link_begins_with_its_first_packet_after(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.no_link = true, .whole_only = true});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1400>");
	expect_nothing(f);
	assert_int_equal(sessions(f)->not_started[DROP_NO_INTERCEPT], 1);
	replay_on_links(f->replay, 1, f->now_us);
	server_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	expect_segment(f, "S 0:0(0) <mss 1400>"); /* nothing is missing: even -O takes it */
	assert_int_equal(sessions(f)->not_started[DROP_NO_INTERCEPT], 0);
	assert_int_equal(sessions(f)->joined, 0);
	target_accepts(f);
	ignore_sent(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	fixture_free(f);
}

/* The server's greeting was for a client that the target has not greeted yet. */
static void late_beginning_still_waits_for_the_greeting(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.no_link = true});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1400>");
	server_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 1:1(0) ack 81");
	replay_on_links(f->replay, 1, f->now_us);
	client_data(f, 1, 81, "HELO");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, ". 1:1(0) ack 1");
	expect_nothing(f);
	target_says(f, "P. 1:81(80) ack 1");
	expect_segment(f, "P. 1:5(4) ack 81");
	fixture_free(f);
}

/* ---- a SYN flood ---- */

static void syns_beyond_the_half_open_budget_wait_for_their_client(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = 4096});
	size_t told;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0)");
	}
	told = f->sent_count;
	assert_int_equal(told, 1024);
	assert_true(replay_connections(f->replay) <= 2048);
	ignore_sent(f);
	be_client(f, 19999);
	client_says(f, ". 1:1(0) ack 1");
	expect_segment(f, "S 0:0(0)");
	assert_int_equal(fixture_registered(f), 1025);
	pass_ms(f, 80000);                 /* nothing came: they are gone, and so is the flood */
	target_says(f, "S. 0:0(0) ack 1"); /* it was there all the time */
	ignore_sent(f);
	be_client(f, 20001);
	client_says(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0)");
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(older_connection_is_joined_at_its_next_request),
		fixture_test(nothing_but_a_certain_boundary_is_joined),
		fixture_test(large_segment_is_a_boundary_only_after_silence),
		cmocka_unit_test(silence_is_longer_where_the_capture_holds_packets_back),
		fixture_test(joining_waits_for_no_answer_that_was_another_connections),
		cmocka_unit_test(whole_connections_only_joins_none),
		fixture_test(target_that_closed_when_idle_gets_the_next_request_anew),
		fixture_test(requests_behind_the_gate_go_on_another_connection),
		fixture_test(request_to_a_connection_that_is_no_more_is_said_again_once),
		fixture_test(request_that_may_have_been_read_is_not_said_again),
		fixture_test(client_that_has_ended_is_followed_to_its_end_on_the_new_connection),
		fixture_test(refused_port_is_asked_again_after_a_second),
		fixture_test(connection_that_the_target_always_resets_is_left_alone),
		fixture_test(connection_that_the_target_reset_is_tried_once_a_minute),
		cmocka_unit_test(
			unanswered_turn_is_given_up_and_the_next_goes_on_another_connection),
		fixture_test(connection_is_joined_again_after_a_capture_gap),
		cmocka_unit_test(one_target_that_closes_does_not_disturb_the_other),
		cmocka_unit_test(connection_without_a_link_begins_with_its_first_packet_after),
		cmocka_unit_test(late_beginning_still_waits_for_the_greeting),
		cmocka_unit_test(syns_beyond_the_half_open_budget_wait_for_their_client),
	};

	return cmocka_run_group_tests_name("joining and rejoining", tests, NULL, NULL);
}
