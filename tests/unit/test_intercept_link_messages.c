/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intercept_link_messages.c - what is said on the link to intercept, in virtual time: messages
 * in pieces, garbage, heartbeats, registrations, a full output and the resync, urgency.
 */
#include "tests/unit/intercept_link_fixture.h"

static void garbage_closes_before_and_after_the_hello(void **state)
{
	struct world *w = *state;
	static const uint8_t http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	static const uint8_t zero[16] = {0};
	static const uint8_t short_record[] = {0, 0, 0, 4, WIRE_RESPONSES, 0, 0xff, 0xff};

	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	feed(w, http, sizeof(http) - 1);
	assert_int_equal(w->closes, 1);
	assert_non_null(strstr(w->why, "not an intercept"));
	run(w, 5 * SECOND_US);
	intercept_link_on_connected(w->link, w->now_us);
	feed(w, zero, sizeof(zero));
	assert_int_equal(w->closes, 2);
	run(w, 5 * SECOND_US);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	feed(w, short_record, sizeof(short_record));
	assert_int_equal(w->closes, 3);
	assert_int_equal(w->record_count, 0);
}

static void what_follows_garbage_is_not_read(void **state)
{
	struct world *w = *state;
	uint8_t bytes[256] = {0, 0, 0, 0, 0, 0};
	size_t len = 6 + put_records(bytes + 6, sizeof(bytes) - 6, 5, 1);

	bring_up(w);
	feed(w, bytes, len);
	assert_int_equal(w->closes, 1);
	assert_int_equal(w->record_count, 0);
	/* Nor do its remains meet the next connection. */
	run(w, 5 * SECOND_US);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	assert_int_equal(w->ups, 2);
}

static void record_behind_a_malformed_one_is_not_read(void **state)
{
	struct world *w = *state;
	/* A whole message by its length, whose body promises records that are not there. */
	uint8_t bytes[256] = {0, 0, 0, 4, WIRE_RESPONSES, 0, 0xff, 0xff};
	size_t len = 8 + put_records(bytes + 8, sizeof(bytes) - 8, 5, 1);

	bring_up(w);
	feed(w, bytes, len);
	assert_int_equal(w->closes, 1);
	assert_int_equal(w->record_count, 0);
}

static void messages_byte_by_byte_are_the_same_messages(void **state)
{
	struct world *w = *state;
	const struct wire_hello hello = {.version = WIRE_VERSION, .role = WIRE_ROLE_INTERCEPT};
	uint8_t bytes[1024];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));
	size_t len;

	wire_put_hello(&b, &hello);
	wire_put_register_refused(&b, 77);
	len = (size_t)(b.at - bytes);
	len += put_records(bytes + len, sizeof(bytes) - len, 20, 3);
	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	for (size_t i = 0; i < len; i++)
		feed(w, bytes + i, 1);
	assert_int_equal(w->ups, 1);
	assert_int_equal(w->refused_count, 1);
	assert_int_equal(w->refused[0], 77);
	assert_int_equal(w->record_count, 3);
	assert_int_equal(w->records[2].session_id, 22);
	assert_int_equal(w->records[2].ack, 501);
}

static void path_mtu_is_told_with_all_that_the_router_said(void **state)
{
	struct world *w = *state;
	const struct wire_path_mtu m = {
		.session_id = 7, .seq = 1001, .mtu_bytes = 1280, .len_bytes = 1500};
	uint8_t bytes[64];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));

	bring_up(w);
	wire_put_path_mtu(&b, &m);
	feed(w, bytes, (size_t)(b.at - bytes));
	assert_int_equal(w->path_mtu_count, 1);
	assert_memory_equal(&w->path_mtu, &m, sizeof(m));
	bytes[3] -= 4; /* without its last word it is none */
	feed(w, bytes, (size_t)(b.at - bytes) - 4);
	assert_int_equal(w->path_mtu_count, 1);
	assert_int_equal(w->closes, 1);
}

static void many_messages_in_one_read_are_all_taken(void **state)
{
	struct world *w = *state;
	uint8_t bytes[2048];
	size_t len = 0;

	bring_up(w);
	for (uint32_t i = 0; i < 10; i++)
		len += put_records(bytes + len, sizeof(bytes) - len, i * 2, 2);
	feed(w, bytes, len);
	assert_int_equal(w->record_count, 20);
	assert_int_equal(w->records[19].session_id, 19);
}

static void unknown_message_is_skipped(void **state)
{
	struct world *w = *state;
	uint8_t bytes[256] = {0, 0, 0, 5, 200, 0, 1, 2, 3};
	size_t len = 9 + put_records(bytes + 9, sizeof(bytes) - 9, 5, 1);

	bring_up(w);
	feed(w, bytes, len);
	assert_int_equal(w->closes, 0);
	assert_int_equal(w->record_count, 1);
}

static void heartbeat_goes_out_every_second(void **state)
{
	struct world *w = *state;

	bring_up(w);
	for (int i = 0; i < 5; i++) {
		run(w, SECOND_US);
		drain(w);
		feed_heartbeat(w, 0, 0);
	}
	/* One at once, then one a second. */
	assert_int_equal(w->heartbeats, 6);
}

static void recent_is_what_intercept_counted_lately(void **state)
{
	struct world *w = *state;
	struct wire_heartbeat recent;

	bring_up(w);
	assert_false(intercept_link_recent(w->link, &recent));
	feed_heartbeat(w, 1000000, 999000);
	assert_false(intercept_link_recent(w->link, &recent));
	for (uint64_t i = 1; i <= 10; i++) {
		run(w, SECOND_US);
		drain(w);
		feed_heartbeat(w, 1000000 + i * 10, 999000 + i);
	}
	assert_true(intercept_link_recent(w->link, &recent));
	assert_int_equal(recent.captured, 30);
	assert_int_equal(recent.routed, 3);
	assert_int_equal(recent.unrouted, 27);
}

static void sessions_are_registered_and_unregistered_while_up(void **state)
{
	struct world *w = *state;

	register_session(w, 1); /* down: nothing to say */
	bring_up(w);
	assert_int_equal(w->registrations, 0);
	resync(w, 0);
	register_session(w, 2);
	register_session(w, 3);
	intercept_link_unregister(w->link, 2);
	drain(w);
	assert_false(w->registered[1]);
	assert_false(w->registered[2]);
	assert_true(w->registered[3]);
}

static void live_sessions_are_registered_again_after_a_reconnect(void **state)
{
	struct world *w = *state;

	bring_up(w);
	while (resync(w, SESSIONS))
		drain(w);
	assert_int_equal(w->registrations, SESSIONS);
	intercept_link_on_closed(w->link, "Connection reset by peer", w->now_us);
	memset(w->registered, 0, sizeof(w->registered));
	assert_int_equal(intercept_link_resync_room(w->link), 0);
	run(w, 100 * 1000);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	while (resync(w, SESSIONS))
		drain(w);
	for (size_t i = 0; i < SESSIONS; i++)
		assert_true(w->registered[i]);
	assert_int_equal(intercept_link_resync_room(w->link), 0);
}

static void registration_without_room_is_made_up_by_a_resync(void **state)
{
	struct world *w = world_new(1, 4096);
	struct intercept_link_stats stats;
	size_t len;

	(void)state;
	bring_up(w);
	while (resync(w, 0))
		;
	for (uint32_t id = 0; id < SESSIONS; id++)
		register_session(w, id);
	intercept_link_get_stats(w->link, &stats);
	assert_true(stats.postponed > SESSIONS / 2);
	intercept_link_output(w->link, &len);
	assert_true(len <= 4096 / 4 * 3);
	/* While the output is full nothing is added to it; then all is told, in slices. */
	assert_int_equal(intercept_link_resync_room(w->link), 0);
	for (int i = 0; i < 1000 && w->registrations < 2 * SESSIONS; i++) {
		drain_some(w, 100);
		resync(w, SESSIONS);
		intercept_link_output(w->link, &len);
		assert_true(len <= 4096 / 4 * 3);
	}
	drain(w);
	for (size_t i = 0; i < SESSIONS; i++)
		assert_true(w->registered[i]);
	assert_int_equal(w->closes, 0);
	intercept_link_free(w->link);
	free(w);
}

static void postponed_behind_the_cursor_is_found_by_a_second_pass(void **state)
{
	struct world *w = world_new(1, 4096);
	struct intercept_link_stats stats;

	(void)state;
	bring_up(w);
	/* A pass goes on; a session that it has passed is replaced when there is no room. */
	assert_true(resync(w, SESSIONS));
	drain(w);
	assert_true(w->registered[0]);
	w->registered[0] = false;
	do {
		register_session(w, SESSIONS - 1);
		intercept_link_get_stats(w->link, &stats);
	} while (!stats.postponed);
	register_session(w, 0);
	drain(w);
	assert_false(w->registered[0]);
	while (resync(w, SESSIONS))
		drain(w);
	for (size_t i = 0; i < SESSIONS; i++)
		assert_true(w->registered[i]);
	intercept_link_free(w->link);
	free(w);
}

static void unregistration_without_room_begins_the_connection_anew(void **state)
{
	struct world *w = world_new(1, 4096);
	uint8_t bytes[256];
	size_t len = put_records(bytes, sizeof(bytes), 5, 2);

	(void)state;
	bring_up(w);
	w->unregister_on_record = true; /* until there is no room, in the middle of a read */
	feed(w, bytes, len);
	assert_int_equal(w->closes, 1);
	assert_int_equal(w->state, INTERCEPT_LINK_IDLE);
	assert_non_null(strstr(w->why, "output buffer is full"));
	run(w, 200 * 1000);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	assert_true(intercept_link_resync_room(w->link) > 0);
	intercept_link_free(w->link);
	free(w);
}

static void urgency_is_told_when_it_changes_and_on_every_connection(void **state)
{
	struct world *w = *state;
	size_t len;

	intercept_link_urgency(w->link, true);
	bring_up(w);
	assert_int_equal(w->urgent, 1);
	intercept_link_urgency(w->link, true);
	intercept_link_output(w->link, &len);
	assert_int_equal(len, 0);
	intercept_link_urgency(w->link, false);
	drain(w);
	assert_int_equal(w->urgent, 0);
	intercept_link_urgency(w->link, true);
	drain(w);
	intercept_link_on_closed(w->link, "Connection reset by peer", w->now_us);
	w->urgent = -1;
	run(w, 100 * 1000);
	intercept_link_on_connected(w->link, w->now_us);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	drain(w);
	assert_int_equal(w->urgent, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_link(garbage_closes_before_and_after_the_hello),
		with_link(what_follows_garbage_is_not_read),
		with_link(record_behind_a_malformed_one_is_not_read),
		with_link(messages_byte_by_byte_are_the_same_messages),
		with_link(path_mtu_is_told_with_all_that_the_router_said),
		with_link(many_messages_in_one_read_are_all_taken),
		with_link(unknown_message_is_skipped),
		with_link(heartbeat_goes_out_every_second),
		with_link(recent_is_what_intercept_counted_lately),
		with_link(sessions_are_registered_and_unregistered_while_up),
		with_link(live_sessions_are_registered_again_after_a_reconnect),
		cmocka_unit_test(registration_without_room_is_made_up_by_a_resync),
		cmocka_unit_test(postponed_behind_the_cursor_is_found_by_a_second_pass),
		cmocka_unit_test(unregistration_without_room_begins_the_connection_anew),
		with_link(urgency_is_told_when_it_changes_and_on_every_connection),
	};

	return cmocka_run_group_tests_name("intercept link, messages", tests, NULL, NULL);
}
