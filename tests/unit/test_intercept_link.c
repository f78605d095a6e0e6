/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intercept_link.c - the link to intercept in virtual time: attempts and their pauses, hellos
 * that fit and do not, garbage, messages in pieces, silence, a full output and the resync.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcpcopy/intercept_link.h"

enum {
	SESSIONS = 400,
	SECOND_US = 1000 * 1000,
};

/* The world around a link: what it asked for, and what an intercept would know. */
struct world {
	struct intercept_link *link;
	uint64_t now_us;
	unsigned connects;
	unsigned closes;
	struct endpoint connected_to;
	bool connect_fails;
	enum intercept_link_state state;
	char why[INTERCEPT_LINK_WHY_MAX];
	unsigned ups;
	struct wire_record records[64];
	size_t record_count;
	uint32_t refused[8];
	size_t refused_count;
	bool unregister_on_record;
	char refusal[256]; /* what the output held when it was closed */

	/* As decoded from the link's output. */
	bool hello_seen;
	struct wire_hello hello;
	unsigned heartbeats;
	int urgent; /* -1: never told */
	bool registered[SESSIONS];
	unsigned registrations;
};

static int on_connect(void *ctx, const struct endpoint *to, const char **why)
{
	struct world *w = ctx;

	w->connects++;
	w->connected_to = *to;
	*why = "Network is unreachable";
	return w->connect_fails ? -1 : 0;
}

static void on_close(void *ctx)
{
	struct world *w = ctx;
	struct wire_message m;
	struct wire_refusal refusal;
	size_t len;
	const uint8_t *output = intercept_link_output(w->link, &len);
	long taken;

	w->closes++;
	while ((taken = wire_next(&m, output, len)) > 0) {
		if (m.type == WIRE_REFUSAL && wire_get_refusal(&refusal, &m) == 0)
			snprintf(w->refusal, sizeof(w->refusal), "%s", refusal.text);
		output += taken;
		len -= (size_t)taken;
	}
}

static void on_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	struct world *w = ctx;

	assert_int_equal(now_us, w->now_us);
	assert_true(w->record_count < 64);
	w->records[w->record_count++] = *record;
	while (w->unregister_on_record && intercept_link_next_us(w->link) != 0)
		intercept_link_unregister(w->link, record->session_id);
}

static void on_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	struct world *w = ctx;

	(void)now_us;
	assert_true(w->refused_count < 8);
	w->refused[w->refused_count++] = session_id;
}

static void on_link_state(void *ctx, enum intercept_link_state state, const char *why,
			  uint64_t now_us)
{
	struct world *w = ctx;

	(void)now_us;
	w->state = state;
	w->ups += state == INTERCEPT_LINK_UP;
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static const struct intercept_link_effects effects = {
	.connect = on_connect,
	.close = on_close,
	.record = on_record,
	.refused = on_refused,
	.link_state = on_link_state,
};

static struct endpoint endpoint_of(const char *address, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_int_equal(ip_addr_parse(&e.addr, address), 0);
	return e;
}

static struct world *world_new(size_t address_count, size_t output_max_bytes)
{
	struct world *w = calloc(1, sizeof(*w));
	struct endpoint addresses[3] = {
		endpoint_of("10.0.0.3", 36524),
		endpoint_of("10.0.0.4", 36524),
		endpoint_of("2001:db8::3", 36524),
	};
	const struct intercept_link_config config = {
		.name = "assistant",
		.addresses = addresses,
		.address_count = address_count,
		.instance_id = 0x1122334455667788,
		.worker_id = 3,
		.output_max_bytes = output_max_bytes,
	};

	assert_non_null(w);
	w->urgent = -1;
	w->now_us = 1000 * (uint64_t)SECOND_US;
	w->link = intercept_link_new(&config, &effects, w, w->now_us);
	assert_non_null(w->link);
	return w;
}

static int setup(void **state)
{
	*state = world_new(1, 0);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	intercept_link_free(w->link);
	free(w);
	return 0;
}

/* --- time and bytes --- */

/* Runs the clock, and the link whenever it asks for it. */
static void run(struct world *w, uint64_t us)
{
	uint64_t end_us = w->now_us + us;

	while (intercept_link_next_us(w->link) <= end_us) {
		uint64_t next_us = intercept_link_next_us(w->link);

		if (next_us > w->now_us)
			w->now_us = next_us;
		intercept_link_on_time(w->link, w->now_us);
		if (w->connect_fails && w->connects > 1000)
			fail_msg("a storm of attempts");
	}
	w->now_us = end_us;
}

static void take_message(struct world *w, const struct wire_message *m)
{
	struct wire_register reg;
	struct wire_session_id id;
	bool urgent;

	switch (m->type) {
	case WIRE_HELLO:
		assert_int_equal(wire_get_hello(&w->hello, m), 0);
		w->hello_seen = true;
		break;
	case WIRE_HEARTBEAT:
		w->heartbeats++;
		break;
	case WIRE_REGISTER:
		assert_int_equal(wire_get_register(&reg, m), 0);
		assert_true(reg.session_id < SESSIONS);
		assert_int_equal(reg.response.src.port, 8080);
		assert_int_equal(reg.response.dst.port, 10000 + reg.session_id);
		w->registered[reg.session_id] = true;
		w->registrations++;
		break;
	case WIRE_UNREGISTER:
		assert_int_equal(wire_get_session_id(&id, m), 0);
		w->registered[id.session_id] = false;
		break;
	case WIRE_URGENCY:
		assert_int_equal(wire_get_urgency(&urgent, m), 0);
		w->urgent = urgent;
		break;
	default:
		fail_msg("unexpected message of type %u", m->type);
	}
}

/* intercept reads whole messages of up to max bytes of the output. */
static void drain_some(struct world *w, size_t max)
{
	struct wire_message m;
	size_t len, at = 0;
	const uint8_t *output = intercept_link_output(w->link, &len);
	long taken;

	while ((taken = wire_next(&m, output + at, len - at)) > 0 && at + (size_t)taken <= max) {
		take_message(w, &m);
		at += (size_t)taken;
	}
	intercept_link_on_written(w->link, at);
}

static void drain(struct world *w)
{
	drain_some(w, SIZE_MAX);
}

/* What intercept writes. */
static void feed(struct world *w, const uint8_t *data, size_t len)
{
	size_t room;
	uint8_t *to = intercept_link_input(w->link, &room);

	assert_true(room >= len);
	memcpy(to, data, len);
	intercept_link_on_input(w->link, len, w->now_us);
}

static void feed_hello(struct world *w, uint16_t version, uint8_t role)
{
	const struct wire_hello hello = {.version = version, .role = role, .instance_id = 9};
	uint8_t bytes[64];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));

	wire_put_hello(&b, &hello);
	feed(w, bytes, (size_t)(b.at - bytes));
}

static void feed_heartbeat(struct world *w, uint64_t captured, uint64_t routed)
{
	const struct wire_heartbeat heartbeat = {
		.captured = captured, .routed = routed, .unrouted = captured - routed};
	uint8_t bytes[64];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));

	wire_put_heartbeat(&b, &heartbeat);
	feed(w, bytes, (size_t)(b.at - bytes));
}

static size_t put_records(uint8_t *bytes, size_t size, uint32_t first_id, size_t count)
{
	struct wire_record records[8];
	struct byte_writer b = byte_writer_on(bytes, size);

	for (size_t i = 0; i < count; i++)
		records[i] = (struct wire_record){.session_id = first_id + (uint32_t)i,
						  .seq = 1000,
						  .len_bytes = 100,
						  .ack = 501,
						  .window = 512,
						  .segments = 1,
						  .flags = 0x18};
	assert_int_equal(wire_put_responses(&b, records, count), count);
	return (size_t)(b.at - bytes);
}

/* The first attempt succeeds, both hellos pass. */
static void bring_up(struct world *w)
{
	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	drain(w);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	drain(w);
	assert_int_equal(intercept_link_state(w->link), INTERCEPT_LINK_UP);
}

static struct tuple response_of(uint32_t id)
{
	return (struct tuple){.src = endpoint_of("10.0.0.2", 8080),
			      .dst = endpoint_of("10.20.30.1", (uint16_t)(10000 + id)),
			      .protocol = PROTOCOL_TCP};
}

static void register_session(struct world *w, uint32_t id)
{
	const struct tuple response = response_of(id);

	intercept_link_register(w->link, id, &response);
}

/* The owner's part of the resync: sessions 0 to count - 1 live. True while a pass goes on. */
static bool resync(struct world *w, uint32_t count)
{
	size_t room = intercept_link_resync_room(w->link);
	uint32_t *cursor;

	if (!room)
		return false;
	cursor = intercept_link_resync_cursor(w->link);
	for (; room && *cursor < count; room--)
		register_session(w, (*cursor)++);
	if (*cursor == count)
		intercept_link_resync_done(w->link);
	return true;
}

/* --- tests --- */

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

static void unanswered_connect_is_given_up_after_five_seconds(void **state)
{
	struct world *w = *state;

	run(w, 5 * SECOND_US - 1);
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

	(void)state;
	bring_up(w);
	/* A pass over 200 sessions goes on; a session that it has passed appears without room. */
	assert_true(resync(w, 200));
	for (uint32_t id = 300; id < SESSIONS; id++)
		register_session(w, id);
	w->registered[0] = false;
	drain(w);
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

#define with_link(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_link(first_attempt_is_made_at_once_and_says_hello),
		with_link(refused_connections_back_off_to_two_seconds),
		with_link(connect_that_fails_at_once_backs_off_as_well),
		with_link(unanswered_connect_is_given_up_after_five_seconds),
		cmocka_unit_test(all_addresses_of_a_name_are_tried_before_the_pause),
		cmocka_unit_test(lost_connection_is_tried_at_the_same_address),
		with_link(peer_that_hangs_up_after_its_hello_does_not_get_a_storm),
		with_link(heartbeat_of_intercept_ends_the_back_off),
		with_link(no_hello_for_five_seconds_closes_and_waits_five),
		with_link(other_version_is_refused_with_both_versions),
		with_link(another_tcpcopy_on_the_port_is_refused),
		with_link(refusal_is_logged_with_both_versions_and_tried_slowly),
		with_link(shutdown_of_intercept_is_tried_soon),
		with_link(garbage_closes_before_and_after_the_hello),
		with_link(what_follows_garbage_is_not_read),
		with_link(record_behind_a_malformed_one_is_not_read),
		with_link(messages_byte_by_byte_are_the_same_messages),
		with_link(many_messages_in_one_read_are_all_taken),
		with_link(unknown_message_is_skipped),
		with_link(silence_for_ten_seconds_takes_the_link_down),
		with_link(heartbeat_goes_out_every_second),
		with_link(recent_is_what_intercept_counted_lately),
		with_link(sessions_are_registered_and_unregistered_while_up),
		with_link(live_sessions_are_registered_again_after_a_reconnect),
		cmocka_unit_test(registration_without_room_is_made_up_by_a_resync),
		cmocka_unit_test(postponed_behind_the_cursor_is_found_by_a_second_pass),
		cmocka_unit_test(unregistration_without_room_begins_the_connection_anew),
		with_link(urgency_is_told_when_it_changes_and_on_every_connection),
		with_link(news_of_a_socket_that_is_gone_change_nothing),
		cmocka_unit_test(no_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
