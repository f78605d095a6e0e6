/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_response_peers.c - intercept and the tcpcopies that are connected to it: registrations and
 * their limits, slow, silent and hostile peers, shutdown, how long records are gathered for them.
 */
#include "tests/unit/response_fixture.h"

/* --- peers --- */

/* pitfall 8: a second peer cannot steal an existing route. */
static void pitfall_8_tuple_of_a_live_peer_is_refused_to_another(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(peer_up(f), 1);
	register_session(f, 1, 3, TARGET, CLIENT);
	expect(f, "1: refused 3\n");
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n");
	/* When the first has gone, the tuple is free. */
	response_on_peer_closed(f->r, 0);
	register_session(f, 1, 3, TARGET, CLIENT);
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	expect(f, "1: 3 . 1:1(0) ack 1 win 500\n");
	assert_int_equal(counters(f).register_refused, 1);
	fixture_free(f);
}

static void registration_again_by_the_same_peer_changes_the_id(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	register_session(f, 0, 9, TARGET, CLIENT);
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	expect(f, "0: 9 . 1:1(0) ack 1 win 500\n");
	fixture_free(f);
}

static void new_session_of_an_old_id_does_not_extend_the_old_record(void **state)
{
	struct fixture *f = fixture_registered();
	const struct wire_register reg = {
		.session_id = 7,
		.response = {.src = endpoint_at(TARGET),
			     .dst = endpoint_at("10.77.0.6:40000"),
			     .protocol = PROTOCOL_TCP},
	};
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	(void)state;
	/* All in one batch: the old route goes, another gets its id. */
	FRAME(f, .flags = ".", .seq = 1000, .ack = 1, .payload_len_bytes = 10);
	wire_put_unregister(&w, 7);
	wire_put_register(&w, &reg);
	response_on_peer_bytes(f->r, 0, bytes, (size_t)(w.at - bytes), f->now_us);
	FRAME(f, .flags = ".", .seq = 1010, .ack = 1, .payload_len_bytes = 10,
	      .dst = "10.77.0.6:40000");
	assert_int_equal(f->writes, 0);
	expect(f, "0: 7 . 1000:1010(10) ack 1 win 500\n0: 7 . 1010:1020(10) ack 1 win 500\n");
	fixture_free(f);
}

static void registrations_over_the_limit_are_refused_and_told(void **state)
{
	struct fixture *f = fixture_with_limits(2, 2);

	(void)state;
	peer_up(f);
	f->log[0] = '\0';
	register_session(f, 0, 1, TARGET, "10.77.0.1:1000");
	register_session(f, 0, 2, TARGET, "10.77.0.2:1000");
	register_session(f, 0, 3, TARGET, "10.77.0.3:1000");
	expect(f, "0: refused 3\n");
	assert_string_equal(f->log,
			    "full 0: no room for more sessions: its registrations are refused\n");
	assert_int_equal(counters(f).register_full, 1);
	fixture_free(f);
}

static void garbage_closes_that_connection_and_harms_nobody(void **state)
{
	struct fixture *f = fixture_registered();
	unsigned stranger = connected(f);

	(void)state;
	response_on_peer_bytes(f->r, stranger, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18,
			       f->now_us);
	assert_string_equal(f->log, "gone 1: it does not speak tcpcopy's protocol\nclose 1\n");
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n");
	assert_int_equal(counters(f).peer_faults[PEER_FAULT_GARBAGE], 1);
	assert_int_equal(counters(f).peers_up, 1);
	fixture_free(f);
}

static void malformed_message_ends_the_peer_and_its_routes(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	response_on_peer_bytes(f->r, 0, (const uint8_t *)"\0\0\0\x05\x04\0abc", 9, f->now_us);
	expect(f, "0: protocol\n");
	assert_string_equal(f->log, "gone 0: a message that does not decode\n");
	assert_int_equal(counters(f).routes, 0);
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	expect(f, "");
	/* It lingers to read why, then it is closed. */
	f->now_us += PEER_GOODBYE_US;
	assert_true(response_next_us(f->r) <= f->now_us);
	response_on_time(f->r, f->now_us);
	assert_string_equal(f->log, "gone 0: a message that does not decode\nclose 0\n");
	assert_int_equal(counters(f).peer_faults[PEER_FAULT_MALFORMED], 1);
	fixture_free(f);
}

/* Says hello as one connection of a tcpcopy's worker. Returns its number here. */
static unsigned connection_up(struct fixture *f, uint64_t instance, uint8_t worker,
			      uint8_t connection)
{
	const struct wire_hello hello = {.version = WIRE_VERSION,
					 .role = WIRE_ROLE_TCPCOPY,
					 .instance_id = instance,
					 .worker_id = worker,
					 .connection = connection};
	unsigned peer = connected(f);
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_hello(&w, &hello);
	say(f, peer, &w, bytes);
	return peer;
}

/* -C: several connections of one worker live side by side, and one of them replaces only itself. */
static void connections_of_a_worker_do_not_replace_each_other(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(connection_up(f, 77, 1, i), i);
	assert_int_equal(counters(f).peers_up, 4);
	f->log[0] = '\0';
	connection_up(f, 77, 1, 2);
	assert_string_equal(f->log, "gone 2: it has connected again\nclose 2\nup 4\n");
	assert_int_equal(counters(f).peers_up, 4);
	fixture_free(f);
}

/* A session that is registered on another connection of the same worker moves there. */
static void session_moves_between_connections_of_a_worker(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	connection_up(f, 77, 1, 0);
	connection_up(f, 77, 1, 1);
	register_session(f, 0, 7, TARGET, CLIENT);
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	register_session(f, 1, 7, TARGET, CLIENT);
	FRAME(f, .flags = ".", .seq = 1, .ack = 2);
	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n1: 7 . 1:1(0) ack 2 win 500\n");
	assert_int_equal(counters(f).register_refused, 0);
	assert_int_equal(counters(f).routes, 1);
	/* The older connection no longer owns it: neither its word nor its end matters. */
	unregister_session(f, 0, 7);
	response_on_peer_closed(f->r, 0);
	FRAME(f, .flags = ".", .seq = 1, .ack = 3);
	expect(f, "1: 7 . 1:1(0) ack 3 win 500\n");
	assert_int_equal(counters(f).registered, 2);
	assert_int_equal(counters(f).unregistered, 1);
	fixture_free(f);
}

/* Another worker, another process, and one that does not say who it is: none takes the route. */
static void session_moves_to_nobody_else(void **state)
{
	static const struct {
		uint64_t instance;
		uint8_t worker;
	} others[] = {{77, 2}, {78, 1}, {0, 1}};
	struct fixture *f = fixture_new();

	(void)state;
	connection_up(f, 77, 1, 0);
	register_session(f, 0, 7, TARGET, CLIENT);
	for (unsigned i = 0; i < 3; i++) {
		char refused[32];

		connection_up(f, others[i].instance, others[i].worker, 1);
		register_session(f, 1 + i, 7, TARGET, CLIENT);
		snprintf(refused, sizeof(refused), "%u: refused 7\n", 1 + i);
		expect(f, refused);
	}
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n");
	/* Two that do not say who they are may be two. */
	register_session(f, 3, 9, TARGET, "10.77.0.9:1000");
	connection_up(f, 0, 1, 2);
	register_session(f, 4, 9, TARGET, "10.77.0.9:1000");
	expect(f, "4: refused 9\n");
	fixture_free(f);
}

/* Its connection broke for one end only: it is back before that was noticed. */
static void peer_that_connects_again_replaces_its_older_self(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	connection_up(f, 77, 1, 0);
	register_session(f, 0, 7, TARGET, CLIENT);
	connection_up(f, 77, 2, 0);
	connection_up(f, 77, 1, 0);
	assert_non_null(strstr(f->log, "gone 0: it has connected again\nclose 0\n"));
	assert_int_equal(counters(f).routes, 0);
	assert_int_equal(counters(f).peers_up, 2); /* another worker is another peer */
	register_session(f, 2, 7, TARGET, CLIENT);
	assert_int_equal(counters(f).register_refused, 0);
	assert_int_equal(counters(f).routes, 1);
	fixture_free(f);
}

/* What was captured before it is told before it. */
static void refusal_is_the_last_word(void **state)
{
	static const uint8_t unregister_without_a_body[] = {0, 0, 0, 2, 5, 0};
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	response_on_peer_bytes(f->r, 0, unregister_without_a_body,
			       sizeof(unregister_without_a_body), f->now_us);
	expect(f, "0: 7 . 1001:1001(0) ack 501 win 500\n0: protocol\n");
	fixture_free(f);
}

static void pitfall_10_slow_peer_loses_only_its_own_records(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(peer_up(f), 1);
	register_session(f, 1, 8, TARGET, "10.77.0.6:40000");
	f->slow[0] = true;
	for (uint32_t i = 0; i < 200000; i++) {
		FRAME(f, .flags = ".", .seq = 1, .ack = i);
		if (i % 100 == 0)
			response_flush(f->r, f->now_us);
	}
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .dst = "10.77.0.6:40000");
	expect(f, "1: 8 . 1:1(0) ack 1 win 500\n");
	assert_true(counters(f).dropped > 0);
	assert_int_equal(counters(f).dropped, counters(f).records_dropped);
	assert_true(response_memory(f->r) < 5 * 1024 * 1024);
	f->slow[0] = true;
	fixture_free(f);
}

static void silent_peer_is_closed_and_its_routes_go(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	f->now_us += PEER_SILENCE_US;
	assert_true(response_next_us(f->r) <= f->now_us);
	response_on_time(f->r, f->now_us);
	assert_string_equal(f->log, "gone 0: nothing heard for 10 s\nclose 0\n");
	assert_int_equal(counters(f).routes, 0);
	assert_int_equal(response_next_us(f->r), UINT64_MAX);
	fixture_free(f);
}

static void more_peers_than_64_are_refused_by_name_and_more_than_72_closed(void **state)
{
	struct fixture *f = fixture_new();
	char expected[32];

	(void)state;
	for (int i = 0; i < RESPONSE_PEERS_MAX; i++)
		assert_int_equal(peer_up(f), i);
	expect(f, "");
	for (int i = RESPONSE_PEERS_MAX; i < RESPONSE_CONNECTIONS_MAX; i++) {
		assert_int_equal(response_on_peer_connected(f->r, f->now_us), i);
		snprintf(expected, sizeof(expected), "%d: full\n", i);
		expect(f, expected);
	}
	assert_int_equal(response_on_peer_connected(f->r, f->now_us), -1);
	assert_int_equal(counters(f).peers_up, RESPONSE_PEERS_MAX);
	/* Whoever was refused makes room, and a place that is free is taken again. */
	f->now_us += PEER_GOODBYE_US;
	response_on_time(f->r, f->now_us);
	response_on_peer_closed(f->r, 3);
	assert_int_equal(peer_up(f), 3);
	assert_int_equal(counters(f).peers_up, RESPONSE_PEERS_MAX);
	fixture_free(f);
}

static void shutdown_tells_every_peer(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	peer_up(f);
	connected(f);
	f->log[0] = '\0';
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	response_shutdown(f->r, f->now_us);
	assert_string_equal(f->read, "0: 7 . 1:1(0) ack 1 win 500\n0: shutdown\n1: shutdown\n");
	assert_string_equal(f->log, "close 0\nclose 1\nclose 2\n");
	fixture_free(f);
}

static void only_the_first_registrations_are_told(void **state)
{
	struct fixture *f = fixture_new();
	char client[32];

	(void)state;
	peer_up(f);
	for (int i = 0; i < 100; i++) {
		snprintf(client, sizeof(client), "10.77.1.%d:40000", i);
		register_session(f, 0, (uint32_t)i, TARGET, client);
	}
	assert_int_equal(f->registered, RESPONSE_REGISTERED_TOLD);
	fixture_free(f);
}

/* --- moderation --- */

/* Frames at a steady rate, a wake-up each; returns how long to gather at the end. */
static uint64_t gather_at_rate(struct fixture *f, unsigned frames_per_s, unsigned frames)
{
	uint64_t gather_us = 0;

	for (unsigned i = 0; i < frames; i++) {
		FRAME(f, .flags = ".", .seq = 1, .ack = i);
		f->now_us += SECOND / frames_per_s;
		response_flush(f->r, f->now_us);
		f->read[0] = '\0';
		gather_us = response_gather_us(f->r, f->now_us);
	}
	return gather_us;
}

static void few_packets_are_reported_at_once(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(gather_at_rate(f, 450, 100), 0);
	assert_int_equal(counters(f).gathers, 0);
	fixture_free(f);
}

static void many_packets_are_gathered_until_there_are_few(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(gather_at_rate(f, 10000, 200), RESPONSE_GATHER_MAX_US);
	assert_int_equal(gather_at_rate(f, 300, 20), 0);
	/* A packet after a pause is no rush. */
	assert_int_equal(gather_at_rate(f, 10000, 200), RESPONSE_GATHER_MAX_US);
	f->now_us += 10 * SECOND;
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	assert_int_equal(response_gather_us(f->r, f->now_us), 0);
	fixture_free(f);
}

static void urgent_peer_is_told_at_once_however_fast(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	peer_up(f);
	say_urgent(f, 0, true);
	say_urgent(f, 0, true); /* said twice is said once */
	assert_int_equal(counters(f).peers_urgent, 1);
	assert_int_equal(gather_at_rate(f, 10000, 200), 0);
	say_urgent(f, 1, true);
	say_urgent(f, 0, false);
	assert_int_equal(gather_at_rate(f, 10000, 200), 0);
	/* A peer that goes waits no more. */
	response_on_peer_closed(f->r, 1);
	assert_int_equal(counters(f).peers_urgent, 0);
	assert_true(gather_at_rate(f, 10000, 200) > 0);
	fixture_free(f);
}

/* Somebody waits, and then no longer; returns how long to gather afterwards. */
static uint64_t gather_after_urgency(struct fixture *f)
{
	say_urgent(f, 0, true);
	gather_at_rate(f, 10000, 101); /* an interval and the frame that ends it */
	say_urgent(f, 0, false);
	return gather_at_rate(f, 10000, 1);
}

static void urgency_shortens_the_gathering_for_a_while(void **state)
{
	struct fixture *f = fixture_registered();
	uint64_t intervals, shorter_us = RESPONSE_GATHER_MAX_US - RESPONSE_GATHER_MAX_US / 4;

	(void)state;
	assert_int_equal(gather_at_rate(f, 10000, 200), RESPONSE_GATHER_MAX_US);
	assert_int_equal(gather_after_urgency(f), shorter_us);
	assert_int_equal(gather_after_urgency(f), shorter_us - shorter_us / 4);
	for (int i = 0; i < 10; i++)
		shorter_us = gather_after_urgency(f);
	assert_int_equal(shorter_us, RESPONSE_GATHER_MIN_US);

	/* It does not become longer while somebody waits, nor by little traffic. */
	say_urgent(f, 0, true);
	gather_at_rate(f, 10000, 1000);
	say_urgent(f, 0, false);
	gather_at_rate(f, 300, 100);
	shorter_us = gather_at_rate(f, 10000, 201);
	assert_in_range(shorter_us, RESPONSE_GATHER_MIN_US,
			RESPONSE_GATHER_MIN_US + 3 * RESPONSE_GATHER_STEP_US);
	assert_int_equal(gather_at_rate(f, 10000, 100), shorter_us + RESPONSE_GATHER_STEP_US);
	intervals = (RESPONSE_GATHER_MAX_US - shorter_us) / RESPONSE_GATHER_STEP_US;
	gather_at_rate(f, 10000, (unsigned)intervals * 100);
	assert_int_equal(gather_at_rate(f, 10000, 200), RESPONSE_GATHER_MAX_US);
	fixture_free(f);
}

static void heartbeat_carries_the_counters(void **state)
{
	struct fixture *f = fixture_registered();
	struct wire_heartbeat got;
	struct wire_message m;
	const uint8_t *data;
	size_t len;

	(void)state;
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .dst = "10.77.0.9:1");
	response_set_kernel_dropped(f->r, 17);
	response_flush(f->r, f->now_us);
	f->slow[0] = true;
	response_on_time(f->r, f->now_us);
	data = response_output(f->r, 0, &len);
	assert_true(data && wire_next(&m, data, len) == (long)len);
	assert_int_equal(m.type, WIRE_HEARTBEAT);
	assert_int_equal(wire_get_heartbeat(&got, &m), 0);
	assert_int_equal(got.captured, 2);
	assert_int_equal(got.routed, 1);
	assert_int_equal(got.unrouted, 1);
	assert_int_equal(got.dropped, 17);
	assert_int_equal(response_next_us(f->r), f->now_us + PEER_HEARTBEAT_US);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pitfall_8_tuple_of_a_live_peer_is_refused_to_another),
		cmocka_unit_test(connections_of_a_worker_do_not_replace_each_other),
		cmocka_unit_test(session_moves_between_connections_of_a_worker),
		cmocka_unit_test(session_moves_to_nobody_else),
		cmocka_unit_test(peer_that_connects_again_replaces_its_older_self),
		cmocka_unit_test(refusal_is_the_last_word),
		cmocka_unit_test(registration_again_by_the_same_peer_changes_the_id),
		cmocka_unit_test(new_session_of_an_old_id_does_not_extend_the_old_record),
		cmocka_unit_test(registrations_over_the_limit_are_refused_and_told),
		cmocka_unit_test(garbage_closes_that_connection_and_harms_nobody),
		cmocka_unit_test(malformed_message_ends_the_peer_and_its_routes),
		cmocka_unit_test(pitfall_10_slow_peer_loses_only_its_own_records),
		cmocka_unit_test(silent_peer_is_closed_and_its_routes_go),
		cmocka_unit_test(more_peers_than_64_are_refused_by_name_and_more_than_72_closed),
		cmocka_unit_test(shutdown_tells_every_peer),
		cmocka_unit_test(only_the_first_registrations_are_told),
		cmocka_unit_test(few_packets_are_reported_at_once),
		cmocka_unit_test(many_packets_are_gathered_until_there_are_few),
		cmocka_unit_test(urgent_peer_is_told_at_once_however_fast),
		cmocka_unit_test(urgency_shortens_the_gathering_for_a_while),
		cmocka_unit_test(heartbeat_carries_the_counters),
	};

	return cmocka_run_group_tests_name("response, peers", tests, NULL, NULL);
}
