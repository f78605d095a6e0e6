/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * response_fixture.h - the data path of intercept with a target that sends frames and peers that
 * read. What they have read is text, a line a record: "peer: id flags seq:end(len) ack n win n",
 * " xN" if N segments are in it, then its options.
 *
 *	struct fixture *f = fixture_registered();            peer 0 with session 7 of CLIENT
 *	FRAME(f, .flags = ".", .seq = 1, .ack = 1);          the target sent it to CLIENT
 *	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n");          flushed, exactly this was read
 *
 * fixture_free checks that the counters of packets add up.
 */
#ifndef TESTS_UNIT_RESPONSE_FIXTURE_H
#define TESTS_UNIT_RESPONSE_FIXTURE_H

#include "intercept/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/unit/packet_builder.h"

enum {
	SNAPLEN = 192,
	LOG_MAX = 16384,
	SECOND = 1000 * 1000,
};

#define TARGET "10.0.0.2:8080"
#define CLIENT "10.77.0.5:40000"

struct fixture {
	struct response *r;
	uint64_t now_us;
	char log[LOG_MAX];                   /* effects other than wants_write */
	char read[LOG_MAX];                  /* what the peers read, decoded */
	bool slow[RESPONSE_CONNECTIONS_MAX]; /* does not read */
	unsigned writes;                     /* wants_write calls */
	unsigned registered;
};

static inline void append(char *log, const char *text)
{
	assert_true(strlen(log) + strlen(text) + 2 < LOG_MAX);
	strcat(log, text);
	strcat(log, "\n");
}

/* --- what a peer reads, as text --- */

static inline void print_record(char *log, unsigned peer, const struct wire_record *r)
{
	char tcp[128], text[256], options[128] = "";

	packet_print_tcp(tcp, sizeof(tcp), r->flags, r->seq, r->len_bytes, r->ack);
	if (r->has_mss)
		sprintf(options + strlen(options), " mss %u", r->mss);
	if (r->has_window_scale)
		sprintf(options + strlen(options), " wscale %u", r->window_scale);
	if (r->has_sack_permitted)
		sprintf(options + strlen(options), " sackOK");
	if (r->has_sack)
		sprintf(options + strlen(options), " sack");
	if (r->has_timestamps)
		sprintf(options + strlen(options), " ts %u/%u", r->ts_val, r->ts_ecr);
	snprintf(text, sizeof(text), "%u: %u %s win %u", peer, r->session_id, tcp, r->window);
	if (r->segments > 1)
		sprintf(text + strlen(text), " x%u", r->segments);
	strcat(text, options);
	append(log, text);
}

static inline void decode_message(char *log, unsigned peer, const struct wire_message *m)
{
	struct wire_record_cursor cursor;
	struct wire_record record;
	struct wire_session_id id;
	struct wire_refusal refusal;
	struct wire_path_mtu path_mtu;
	char text[300];

	switch (m->type) {
	case WIRE_RESPONSES:
		assert_int_equal(wire_records_open(&cursor, m), 0);
		while (wire_records_next(&cursor, &record) == 1)
			print_record(log, peer, &record);
		return;
	case WIRE_REGISTER_REFUSED:
		assert_int_equal(wire_get_session_id(&id, m), 0);
		snprintf(text, sizeof(text), "%u: refused %u", peer, id.session_id);
		break;
	case WIRE_PATH_MTU:
		assert_int_equal(wire_get_path_mtu(&path_mtu, m), 0);
		snprintf(text, sizeof(text), "%u: %u too big: seq %u, %u bytes, mtu %u", peer,
			 path_mtu.session_id, path_mtu.seq, path_mtu.len_bytes, path_mtu.mtu_bytes);
		break;
	case WIRE_REFUSAL:
		assert_int_equal(wire_get_refusal(&refusal, m), 0);
		snprintf(text, sizeof(text), "%u: %s", peer,
			 wire_refusal_reason_name(refusal.reason));
		break;
	case WIRE_HELLO:
	case WIRE_HEARTBEAT:
		return;
	default:
		snprintf(text, sizeof(text), "%u: type %u", peer, m->type);
		break;
	}
	append(log, text);
}

static inline void take_output(struct fixture *f, unsigned peer)
{
	size_t len, at = 0;
	const uint8_t *data = response_output(f->r, peer, &len);
	struct wire_message m;
	long n;

	while (data && at < len && (n = wire_next(&m, data + at, len - at)) > 0) {
		decode_message(f->read, peer, &m);
		at += (size_t)n;
	}
	assert_int_equal(at, len);
	response_output_sent(f->r, peer, len);
}

/* --- the effects --- */

static inline void wants_write(void *ctx, unsigned peer)
{
	struct fixture *f = ctx;

	f->writes++;
	if (!f->slow[peer])
		take_output(f, peer);
}

static inline void close_peer(void *ctx, unsigned peer)
{
	struct fixture *f = ctx;
	char text[32];

	take_output(f, peer);
	snprintf(text, sizeof(text), "close %u", peer);
	append(f->log, text);
}

static inline void notice(void *ctx, enum response_notice what, unsigned peer, const char *text)
{
	static const char *const names[] = {"up", "gone", "full"};
	struct fixture *f = ctx;
	char line[400];

	snprintf(line, sizeof(line), "%s %u%s%s", names[what], peer, *text ? ": " : "", text);
	append(f->log, line);
}

static inline void registered(void *ctx, unsigned peer, const struct tuple *response)
{
	struct fixture *f = ctx;

	(void)peer;
	assert_int_equal(response->protocol, PROTOCOL_TCP);
	f->registered++;
}

static const struct response_effects effects = {
	.wants_write = wants_write,
	.close = close_peer,
	.notice = notice,
	.registered = registered,
};

static inline struct fixture *fixture_with_limits(uint32_t routes_max, uint32_t peer_routes_max)
{
	const struct response_config config = {
		.key = {.k0 = 1, .k1 = 2},
		.instance_id = 99,
		.limits = {.routes_max = routes_max, .peer_routes_max = peer_routes_max},
	};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->now_us = 1000000;
	f->r = response_new(&config, &effects, f, f->now_us);
	assert_non_null(f->r);
	return f;
}

static inline struct fixture *fixture_new(void)
{
	return fixture_with_limits(ROUTER_ROUTES_MAX, ROUTER_PEER_ROUTES_MAX);
}

static inline void expect_packets_add_up(struct fixture *f)
{
	struct response_counters c;

	response_get_counters(f->r, &c);
	assert_int_equal(c.frames, c.captured + c.too_big + c.not_tcp + c.fragments + c.malformed +
					   c.unknown_link);
	assert_int_equal(c.captured, c.routed + c.unrouted + c.duplicate + c.dropped + c.held);
}

static inline void fixture_free(struct fixture *f)
{
	response_flush(f->r, f->now_us);
	expect_packets_add_up(f);
	response_free(f->r);
	free(f);
}

/* --- what a tcpcopy does --- */

static inline unsigned connected(struct fixture *f)
{
	int peer = response_on_peer_connected(f->r, f->now_us);

	assert_true(peer >= 0);
	return (unsigned)peer;
}

static inline void say(struct fixture *f, unsigned peer, const struct byte_writer *w,
		       const uint8_t *from)
{
	assert_false(w->failed);
	response_on_peer_bytes(f->r, peer, from, (size_t)(w->at - from), f->now_us);
	response_flush(f->r, f->now_us);
}

static inline unsigned peer_up(struct fixture *f)
{
	const struct wire_hello hello = {.version = WIRE_VERSION, .role = WIRE_ROLE_TCPCOPY};
	unsigned peer = connected(f);
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_hello(&w, &hello);
	say(f, peer, &w, bytes);
	return peer;
}

static inline struct endpoint endpoint_at(const char *text)
{
	struct build_endpoint b = build_endpoint_of(text);
	struct endpoint e = {.port = b.port};

	e.addr = b.family == AF_INET ? ip_addr_v4_bytes(b.addr) : ip_addr_v6_bytes(b.addr);
	return e;
}

static inline void register_session(struct fixture *f, unsigned peer, uint32_t id,
				    const char *target, const char *client)
{
	const struct wire_register reg = {
		.session_id = id,
		.response = {.src = endpoint_at(target),
			     .dst = endpoint_at(client),
			     .protocol = PROTOCOL_TCP},
	};
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_register(&w, &reg);
	say(f, peer, &w, bytes);
}

static inline void unregister_session(struct fixture *f, unsigned peer, uint32_t id)
{
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_unregister(&w, id);
	say(f, peer, &w, bytes);
}

static inline void say_urgent(struct fixture *f, unsigned peer, bool urgent)
{
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_urgency(&w, urgent);
	say(f, peer, &w, bytes);
}

/* --- what the target does --- */

static inline void frame(struct fixture *f, const struct frame_spec *spec)
{
	struct frame_spec full = *spec;
	struct built_frame b;
	size_t captured;
	uint8_t *cut;

	full.src = spec->src ? spec->src : TARGET;
	full.dst = spec->dst ? spec->dst : CLIENT;
	full.window = spec->window ? spec->window : 500;
	b = build_frame(&full);
	captured = b.len_bytes < SNAPLEN ? b.len_bytes : SNAPLEN;
	/* A block of just what was captured, so that a sanitizer sees any read past it. */
	cut = malloc(captured);
	assert_non_null(cut);
	memcpy(cut, b.data, captured);
	response_on_frame(f->r, b.link_type, cut, captured, b.len_bytes, f->now_us);
	free(cut);
	built_frame_free(&b);
}

#define FRAME(f, ...) frame(f, &(struct frame_spec){__VA_ARGS__})

/* Flushes; then the peers have read exactly this since the last time. */
static inline void expect(struct fixture *f, const char *expected)
{
	response_flush(f->r, f->now_us);
	assert_string_equal(f->read, expected);
	f->read[0] = '\0';
}

static inline struct response_counters counters(struct fixture *f)
{
	struct response_counters c;

	response_get_counters(f->r, &c);
	return c;
}

/* A peer, 0, with session 7 of CLIENT. */
static inline struct fixture *fixture_registered(void)
{
	struct fixture *f = fixture_new();

	assert_int_equal(peer_up(f), 0);
	register_session(f, 0, 7, TARGET, CLIENT);
	f->log[0] = '\0';
	f->writes = 0;
	return f;
}
#endif
