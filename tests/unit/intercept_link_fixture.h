/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intercept_link_fixture.h - a link to intercept in virtual time and the world around it: what the
 * link asked for, what an intercept reads of it (drain) and writes to it (feed).
 *
 *	with_link(name)      a test with a struct world in *state, one address, nothing done yet
 *	bring_up(w);         connected, both hellos passed
 *	run(w, us);          the clock, and the link whenever it asks for it
 */
#ifndef TESTS_UNIT_INTERCEPT_LINK_FIXTURE_H
#define TESTS_UNIT_INTERCEPT_LINK_FIXTURE_H

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
	struct wire_path_mtu path_mtu; /* the last one */
	size_t path_mtu_count;
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

static inline int on_connect(void *ctx, const struct endpoint *to, const char **why)
{
	struct world *w = ctx;

	w->connects++;
	w->connected_to = *to;
	*why = "Network is unreachable";
	return w->connect_fails ? -1 : 0;
}

static inline void on_close(void *ctx)
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

static inline void on_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	struct world *w = ctx;

	assert_int_equal(now_us, w->now_us);
	assert_true(w->record_count < 64);
	w->records[w->record_count++] = *record;
	while (w->unregister_on_record && intercept_link_next_us(w->link) != 0)
		intercept_link_unregister(w->link, record->session_id);
}

static inline void on_path_mtu(void *ctx, const struct wire_path_mtu *m, uint64_t now_us)
{
	struct world *w = ctx;

	assert_int_equal(now_us, w->now_us);
	w->path_mtu = *m;
	w->path_mtu_count++;
}

static inline void on_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	struct world *w = ctx;

	(void)now_us;
	assert_true(w->refused_count < 8);
	w->refused[w->refused_count++] = session_id;
}

static inline void on_link_state(void *ctx, enum intercept_link_state state, const char *why,
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
	.path_mtu = on_path_mtu,
	.refused = on_refused,
	.link_state = on_link_state,
};

static inline struct endpoint endpoint_of(const char *address, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_int_equal(ip_addr_parse(&e.addr, address), 0);
	return e;
}

static inline struct world *world_new(size_t address_count, size_t output_max_bytes)
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

static inline int setup(void **state)
{
	*state = world_new(1, 0);
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	intercept_link_free(w->link);
	free(w);
	return 0;
}

/* --- time and bytes --- */

/* Runs the clock, and the link whenever it asks for it. */
static inline void run(struct world *w, uint64_t us)
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

static inline void take_message(struct world *w, const struct wire_message *m)
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
static inline void drain_some(struct world *w, size_t max)
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

static inline void drain(struct world *w)
{
	drain_some(w, SIZE_MAX);
}

/* What intercept writes. */
static inline void feed(struct world *w, const uint8_t *data, size_t len)
{
	size_t room;
	uint8_t *to = intercept_link_input(w->link, &room);

	assert_true(room >= len);
	memcpy(to, data, len);
	intercept_link_on_input(w->link, len, w->now_us);
}

static inline void feed_hello(struct world *w, uint16_t version, uint8_t role)
{
	const struct wire_hello hello = {.version = version, .role = role, .instance_id = 9};
	uint8_t bytes[64];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));

	wire_put_hello(&b, &hello);
	feed(w, bytes, (size_t)(b.at - bytes));
}

static inline void feed_heartbeat(struct world *w, uint64_t captured, uint64_t routed)
{
	const struct wire_heartbeat heartbeat = {
		.captured = captured, .routed = routed, .unrouted = captured - routed};
	uint8_t bytes[64];
	struct byte_writer b = byte_writer_on(bytes, sizeof(bytes));

	wire_put_heartbeat(&b, &heartbeat);
	feed(w, bytes, (size_t)(b.at - bytes));
}

static inline size_t put_records(uint8_t *bytes, size_t size, uint32_t first_id, size_t count)
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
static inline void bring_up(struct world *w)
{
	run(w, 0);
	intercept_link_on_connected(w->link, w->now_us);
	drain(w);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	drain(w);
	assert_int_equal(intercept_link_state(w->link), INTERCEPT_LINK_UP);
}

static inline struct tuple response_of(uint32_t id)
{
	return (struct tuple){.src = endpoint_of("10.0.0.2", 8080),
			      .dst = endpoint_of("10.20.30.1", (uint16_t)(10000 + id)),
			      .protocol = PROTOCOL_TCP};
}

static inline void register_session(struct world *w, uint32_t id)
{
	const struct tuple response = response_of(id);

	intercept_link_register(w->link, id, &response);
}

/* The owner's part of the resync: sessions 0 to count - 1 live. True while a pass goes on. */
static inline bool resync(struct world *w, uint32_t count)
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

#define with_link(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#endif
