/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intercept_link.c - how the link to intercept begins and ends, in virtual time: attempts and
 * their pauses, hellos that fit and do not, refusals, silence.
 */
#include "tests/unit/intercept_link_fixture.h"

static void first_attempt_is_made_at_once_and_says_hello(void **state)
{
	struct world *w = *state;
	char at[ENDPOINT_TEXT_MAX];

	run(w, 0);
	assert_int_equal(w->connects, 1);
	assert_string_equal(endpoint_format(at, sizeof(at), &w->connected_to), "10.0.0.3:36524");
	assert_int_equal(w->state, INTERCEPT_LINK_CONNECTING);
	intercept_link_on_connected(w->link, w->now_us);
	assert_int_equal(w->state, INTERCEPT_LINK_HELLO);
	drain(w);
	assert_true(w->hello_seen);
	assert_int_equal(w->hello.version, WIRE_VERSION);
	assert_int_equal(w->hello.role, WIRE_ROLE_TCPCOPY);
	assert_int_equal(w->hello.worker_id, 3);
	assert_true(w->hello.instance_id == 0x1122334455667788);
	assert_int_equal(w->ups, 0);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	assert_int_equal(w->ups, 1);
}

static void refused_connections_back_off_to_two_seconds(void **state)
{
	struct world *w = *state;
	static const uint64_t pauses_ms[] = {100, 200, 400, 800, 1600, 2000, 2000};

	run(w, 0);
	for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
		intercept_link_on_closed(w->link, "Connection refused", w->now_us);
		assert_string_equal(w->why, "Connection refused");
		assert_int_equal(w->state, INTERCEPT_LINK_IDLE);
		run(w, pauses_ms[i] * 1000 - 1);
		assert_int_equal(w->connects, i + 1);
		run(w, 1);
		assert_int_equal(w->connects, i + 2);
	}
}

static void connect_that_fails_at_once_backs_off_as_well(void **state)
{
	struct world *w = *state;

	w->connect_fails = true;
	run(w, 10 * SECOND_US);
	/* 0, 0.1, 0.3, 0.7, 1.5, 3.1, 5.1, 7.1, 9.1 s */
	assert_int_equal(w->connects, 9);
	assert_int_equal(w->closes, 0);
	assert_string_equal(w->why, "Network is unreachable");
}

static void unanswered_connect_is_given_up_after_two_seconds(void **state)
{
	struct world *w = *state;

	run(w, 2 * SECOND_US - 1);
	assert_int_equal(w->state, INTERCEPT_LINK_CONNECTING);
	run(w, 1);
	assert_int_equal(w->state, INTERCEPT_LINK_IDLE);
	assert_int_equal(w->closes, 1);
}

static void all_addresses_of_a_name_are_tried_before_the_pause(void **state)
{
	struct world *w = world_new(3, 0);
	static const char *const in_turn[] = {"10.0.0.3", "10.0.0.4", "2001:db8::3"};
	char at[IP_ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		run(w, 0);
		assert_int_equal(w->connects, i + 1);
		assert_string_equal(ip_addr_format(at, sizeof(at), &w->connected_to.addr),
				    in_turn[i]);
		intercept_link_on_closed(w->link, "Connection refused", w->now_us);
	}
	run(w, 99 * 1000);
	assert_int_equal(w->connects, 3);
	run(w, 1000);
	assert_int_equal(w->connects, 4);
	assert_string_equal(ip_addr_format(at, sizeof(at), &w->connected_to.addr), "10.0.0.3");
	intercept_link_free(w->link);
	free(w);
}

static void lost_connection_is_tried_at_the_same_address(void **state)
{
	struct world *w = world_new(3, 0);
	char at[IP_ADDR_TEXT_MAX];

	(void)state;
	run(w, 0);
	intercept_link_on_closed(w->link, "Connection refused", w->now_us);
	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	assert_int_equal(w->state, INTERCEPT_LINK_UP);
	intercept_link_on_closed(w->link, "intercept closed the connection", w->now_us);
	run(w, 100 * 1000);
	assert_int_equal(w->connects, 3);
	assert_string_equal(ip_addr_format(at, sizeof(at), &w->connected_to.addr), "10.0.0.4");
	intercept_link_free(w->link);
	free(w);
}

static void peer_that_hangs_up_after_its_hello_does_not_get_a_storm(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 20; i++) {
		while (w->state != INTERCEPT_LINK_CONNECTING)
			run(w, 1000);
		intercept_link_on_connected(w->link, w->now_us);
		feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
		intercept_link_on_closed(w->link, "intercept closed the connection", w->now_us);
	}
	/* 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s, then every 2 s */
	assert_true(w->now_us >= 1000 * (uint64_t)SECOND_US + 30 * (uint64_t)SECOND_US);
}

static void heartbeat_of_intercept_ends_the_back_off(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 6; i++) {
		run(w, 2 * SECOND_US);
		intercept_link_on_closed(w->link, "Connection refused", w->now_us);
	}
	run(w, 2 * SECOND_US);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	feed_heartbeat(w, 0, 0);
	intercept_link_on_closed(w->link, "intercept closed the connection", w->now_us);
	w->connects = 0;
	run(w, 100 * 1000);
	assert_int_equal(w->connects, 1);
}

static void no_hello_for_five_seconds_closes_and_waits_five(void **state)
{
	struct world *w = *state;

	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	run(w, 5 * SECOND_US - 1);
	assert_int_equal(w->closes, 0);
	run(w, 1);
	assert_int_equal(w->closes, 1);
	assert_non_null(strstr(w->why, "no hello"));
	run(w, 5 * SECOND_US - 1);
	assert_int_equal(w->connects, 1);
	run(w, 1);
	assert_int_equal(w->connects, 2);
}

static void older_version_is_refused_too(void **state)
{
	struct world *w = *state;

	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	drain(w);
	feed_hello(w, WIRE_VERSION - 1, WIRE_ROLE_INTERCEPT);
	assert_int_equal(w->closes, 1);
	assert_int_equal(w->ups, 0);
}

static void other_version_is_refused_with_both_versions(void **state)
{
	struct world *w = *state;

	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	drain(w);
	feed_hello(w, 7, WIRE_ROLE_INTERCEPT);
	assert_int_equal(w->closes, 1);
	assert_int_equal(w->ups, 0);
	assert_non_null(strstr(w->why, "version 7"));
	assert_non_null(strstr(w->why, "version 1"));
	assert_non_null(strstr(w->refusal, "version 7"));
	run(w, 5 * SECOND_US - 1);
	assert_int_equal(w->connects, 1);
	run(w, 1);
	assert_int_equal(w->connects, 2);
}

static void another_tcpcopy_on_the_port_is_refused(void **state)
{
	struct world *w = *state;

	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_TCPCOPY);
	assert_int_equal(w->closes, 1);
	assert_non_null(strstr(w->why, "not an intercept"));
}

static void refusal_is_logged_with_both_versions_and_tried_slowly(void **state)
{
	struct world *w = *state;
	struct wire_refusal refusal = {.reason = WIRE_REFUSED_VERSION, .version = 9};
	uint8_t bytes[256];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));

	strcpy(refusal.text, "too old");
	wire_put_refusal(&b, &refusal);
	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	feed(w, bytes, (size_t)(b.at - bytes));
	assert_int_equal(w->closes, 1);
	assert_non_null(strstr(w->why, "too old"));
	assert_non_null(strstr(w->why, "9, ours 1"));
	run(w, 5 * SECOND_US - 1);
	assert_int_equal(w->connects, 1);
}

static void shutdown_of_intercept_is_tried_soon(void **state)
{
	struct world *w = *state;
	struct wire_refusal refusal = {.reason = WIRE_REFUSED_SHUTDOWN, .version = 1};
	uint8_t bytes[256];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));

	wire_put_refusal(&b, &refusal);
	bring_up(w);
	feed(w, bytes, (size_t)(b.at - bytes));
	assert_int_equal(w->closes, 1);
	run(w, 100 * 1000);
	assert_int_equal(w->connects, 2);
}

static void silence_for_ten_seconds_takes_the_link_down(void **state)
{
	struct world *w = *state;

	bring_up(w);
	for (int i = 0; i < 20; i++) {
		run(w, SECOND_US);
		drain(w);
		feed_heartbeat(w, 0, 0);
	}
	assert_int_equal(w->state, INTERCEPT_LINK_UP);
	run(w, 10 * SECOND_US - 1);
	assert_int_equal(w->state, INTERCEPT_LINK_UP);
	run(w, 1);
	assert_int_equal(w->state, INTERCEPT_LINK_IDLE);
	assert_string_equal(w->why, "silent for 10 s");
	run(w, 100 * 1000);
	assert_int_equal(w->connects, 2);
}

static void news_of_a_socket_that_is_gone_change_nothing(void **state)
{
	struct world *w = *state;

	intercept_link_on_connected(w->link, w->now_us);
	intercept_link_on_closed(w->link, "late", w->now_us);
	intercept_link_on_input(w->link, 0, w->now_us);
	assert_int_equal(intercept_link_state(w->link), INTERCEPT_LINK_IDLE);
	assert_int_equal(w->closes, 0);
}

static void no_address_is_refused(void **state)
{
	const struct intercept_link_config config = {.name = "x"};

	(void)state;
	assert_null(intercept_link_new(&config, &effects, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_link(first_attempt_is_made_at_once_and_says_hello),
		with_link(refused_connections_back_off_to_two_seconds),
		with_link(connect_that_fails_at_once_backs_off_as_well),
		with_link(unanswered_connect_is_given_up_after_two_seconds),
		cmocka_unit_test(all_addresses_of_a_name_are_tried_before_the_pause),
		cmocka_unit_test(lost_connection_is_tried_at_the_same_address),
		with_link(peer_that_hangs_up_after_its_hello_does_not_get_a_storm),
		with_link(heartbeat_of_intercept_ends_the_back_off),
		with_link(no_hello_for_five_seconds_closes_and_waits_five),
		with_link(older_version_is_refused_too),
		with_link(other_version_is_refused_with_both_versions),
		with_link(another_tcpcopy_on_the_port_is_refused),
		with_link(refusal_is_logged_with_both_versions_and_tried_slowly),
		with_link(shutdown_of_intercept_is_tried_soon),
		with_link(silence_for_ten_seconds_takes_the_link_down),
		with_link(news_of_a_socket_that_is_gone_change_nothing),
		cmocka_unit_test(no_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
