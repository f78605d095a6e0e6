/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_response.c - the data path of intercept: frames in, the records that a peer reads out. A
 * record is written "id flags seq:end(len) ack n win n", " xN" if N segments are in it, then its
 * options.
 */
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

static void append(char *log, const char *text)
{
	assert_true(strlen(log) + strlen(text) + 2 < LOG_MAX);
	strcat(log, text);
	strcat(log, "\n");
}

/* --- what a peer reads, as text --- */

static void print_record(char *log, unsigned peer, const struct wire_record *r)
{
	char tcp[128], text[256], options[128] = "";

	packet_print_tcp(tcp, sizeof(tcp), r->flags, r->seq, r->len_bytes, r->ack);
	if (r->has_mss)
		sprintf(options + strlen(options), " mss %u", r->mss);
	if (r->has_window_scale)
		sprintf(options + strlen(options), " wscale %u", r->window_scale);
	if (r->has_sack_permitted)
		sprintf(options + strlen(options), " sackOK");
	if (r->has_timestamps)
		sprintf(options + strlen(options), " ts %u/%u", r->ts_val, r->ts_ecr);
	snprintf(text, sizeof(text), "%u: %u %s win %u", peer, r->session_id, tcp, r->window);
	if (r->segments > 1)
		sprintf(text + strlen(text), " x%u", r->segments);
	strcat(text, options);
	append(log, text);
}

static void decode_message(char *log, unsigned peer, const struct wire_message *m)
{
	struct wire_record_cursor cursor;
	struct wire_record record;
	struct wire_session_id id;
	struct wire_refusal refusal;
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

static void take_output(struct fixture *f, unsigned peer)
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

static void wants_write(void *ctx, unsigned peer)
{
	struct fixture *f = ctx;

	f->writes++;
	if (!f->slow[peer])
		take_output(f, peer);
}

static void close_peer(void *ctx, unsigned peer)
{
	struct fixture *f = ctx;
	char text[32];

	take_output(f, peer);
	snprintf(text, sizeof(text), "close %u", peer);
	append(f->log, text);
}

static void notice(void *ctx, enum response_notice what, unsigned peer, const char *text)
{
	static const char *const names[] = {"up", "gone", "full"};
	struct fixture *f = ctx;
	char line[400];

	snprintf(line, sizeof(line), "%s %u%s%s", names[what], peer, *text ? ": " : "", text);
	append(f->log, line);
}

static void registered(void *ctx, const struct tuple *response)
{
	struct fixture *f = ctx;

	assert_int_equal(response->protocol, PROTOCOL_TCP);
	f->registered++;
}

static const struct response_effects effects = {
	.wants_write = wants_write,
	.close = close_peer,
	.notice = notice,
	.registered = registered,
};

static struct fixture *fixture_with_limits(uint32_t routes_max, uint32_t peer_routes_max)
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

static struct fixture *fixture_new(void)
{
	return fixture_with_limits(ROUTER_ROUTES_MAX, ROUTER_PEER_ROUTES_MAX);
}

static void expect_packets_add_up(struct fixture *f)
{
	struct response_counters c;

	response_get_counters(f->r, &c);
	assert_int_equal(c.frames,
			 c.captured + c.not_tcp + c.fragments + c.malformed + c.unknown_link);
	assert_int_equal(c.captured, c.routed + c.unrouted + c.duplicate + c.dropped + c.held);
}

static void fixture_free(struct fixture *f)
{
	response_flush(f->r, f->now_us);
	expect_packets_add_up(f);
	response_free(f->r);
	free(f);
}

/* --- what a tcpcopy does --- */

static unsigned connected(struct fixture *f)
{
	int peer = response_on_peer_connected(f->r, f->now_us);

	assert_true(peer >= 0);
	return (unsigned)peer;
}

static void say(struct fixture *f, unsigned peer, const struct byte_writer *w, const uint8_t *from)
{
	assert_false(w->failed);
	response_on_peer_bytes(f->r, peer, from, (size_t)(w->at - from), f->now_us);
	response_flush(f->r, f->now_us);
}

static unsigned peer_up(struct fixture *f)
{
	const struct wire_hello hello = {.version = WIRE_VERSION, .role = WIRE_ROLE_TCPCOPY};
	unsigned peer = connected(f);
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_hello(&w, &hello);
	say(f, peer, &w, bytes);
	return peer;
}

static struct endpoint endpoint_at(const char *text)
{
	struct build_endpoint b = build_endpoint_of(text);
	struct endpoint e = {.port = b.port};

	e.addr = b.family == AF_INET ? ip_addr_v4_bytes(b.addr) : ip_addr_v6_bytes(b.addr);
	return e;
}

static void register_session(struct fixture *f, unsigned peer, uint32_t id, const char *target,
			     const char *client)
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

static void unregister_session(struct fixture *f, unsigned peer, uint32_t id)
{
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_unregister(&w, id);
	say(f, peer, &w, bytes);
}

static void say_urgent(struct fixture *f, unsigned peer, bool urgent)
{
	uint8_t bytes[64];
	struct byte_writer w = byte_writer_on(bytes, sizeof(bytes));

	wire_put_urgency(&w, urgent);
	say(f, peer, &w, bytes);
}

/* --- what the target does --- */

static void frame(struct fixture *f, const struct frame_spec *spec)
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
static void expect(struct fixture *f, const char *expected)
{
	response_flush(f->r, f->now_us);
	assert_string_equal(f->read, expected);
	f->read[0] = '\0';
}

static struct response_counters counters(struct fixture *f)
{
	struct response_counters c;

	response_get_counters(f->r, &c);
	return c;
}

/* A peer, 0, with session 7 of CLIENT. */
static struct fixture *fixture_registered(void)
{
	struct fixture *f = fixture_new();

	assert_int_equal(peer_up(f), 0);
	register_session(f, 0, 7, TARGET, CLIENT);
	f->log[0] = '\0';
	f->writes = 0;
	return f;
}

/* --- routing --- */

static void registered_syn_ack_is_reported_with_its_options(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501,
	      .options = "mss 1460,sackOK,TS val 11 ecr 22,nop,wscale 7");
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500 mss 1460 wscale 7 sackOK ts 11/22\n");
	assert_int_equal(f->writes, 1);
	fixture_free(f);
}

static void options_of_later_segments_are_timestamps_only(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501,
	      .options = "mss 1460,nop,nop,TS val 11 ecr 22");
	expect(f, "0: 7 . 1001:1001(0) ack 501 win 500 ts 11/22\n");
	fixture_free(f);
}

/* pitfall 3: header lengths come from the frame, and long options are not cut. */
static void pitfall_3_sack_and_timestamps_together_are_read_past(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 1000,
	      .options = "nop,nop,TS val 11 ecr 22,nop,nop,"
			 "hex 051a00000001000000020000000300000004000000050000");
	expect(f, "0: 7 . 1001:2001(1000) ack 501 win 500 ts 11/22\n");
	fixture_free(f);
}

static void every_link_type_and_ipv6_are_routed(void **state)
{
	static const enum build_link links[] = {BUILD_ETHERNET, BUILD_SLL, BUILD_SLL2, BUILD_RAW};
	struct fixture *f = fixture_registered();

	(void)state;
	register_session(f, 0, 8, "[2001:db8::2]:8080", "[2001:db8:77::5]:40000");
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		FRAME(f, .link = links[i], .flags = ".", .seq = 1000 + (uint32_t)i, .ack = 1);
		FRAME(f, .link = links[i], .flags = ".", .seq = 2000 + (uint32_t)i, .ack = 1,
		      .src = "[2001:db8::2]:8080", .dst = "[2001:db8:77::5]:40000");
	}
	expect(f, "0: 7 . 1000:1000(0) ack 1 win 500\n0: 8 . 2000:2000(0) ack 1 win 500\n"
		  "0: 7 . 1001:1001(0) ack 1 win 500\n0: 8 . 2001:2001(0) ack 1 win 500\n"
		  "0: 7 . 1002:1002(0) ack 1 win 500\n0: 8 . 2002:2002(0) ack 1 win 500\n"
		  "0: 7 . 1003:1003(0) ack 1 win 500\n0: 8 . 2003:2003(0) ack 1 win 500\n");
	fixture_free(f);
}

static void packets_of_nobody_are_counted_and_forgotten(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .dst = "10.77.0.6:40000");
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .src = CLIENT, .dst = TARGET);
	expect(f, "");
	assert_int_equal(counters(f).unrouted, 2);
	assert_int_equal(counters(f).held, 0);
	fixture_free(f);
}

static void unregistered_session_gets_nothing_more(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	unregister_session(f, 0, 7);
	FRAME(f, .flags = ".", .seq = 1, .ack = 2);
	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n");
	assert_int_equal(counters(f).routes, 0);
	fixture_free(f);
}

static void two_peers_get_their_own_in_one_write_each(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(peer_up(f), 1);
	register_session(f, 1, 7, TARGET, "10.77.0.6:40000");
	f->writes = 0;
	for (uint32_t i = 0; i < 3; i++) {
		FRAME(f, .flags = ".", .seq = 1, .ack = i);
		FRAME(f, .flags = ".", .seq = 9, .ack = i, .dst = "10.77.0.6:40000");
	}
	expect(f, "0: 7 . 1:1(0) ack 0 win 500\n0: 7 . 1:1(0) ack 1 win 500\n"
		  "0: 7 . 1:1(0) ack 2 win 500\n1: 7 . 9:9(0) ack 0 win 500\n"
		  "1: 7 . 9:9(0) ack 1 win 500\n1: 7 . 9:9(0) ack 2 win 500\n");
	assert_int_equal(f->writes, 2);
	fixture_free(f);
}

/* --- merging --- */

static void consecutive_data_with_the_same_ack_is_one_record(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 1460,
	      .options = "nop,nop,TS val 11 ecr 22");
	FRAME(f, .flags = ".", .seq = 2461, .ack = 501, .payload_len_bytes = 1460,
	      .options = "nop,nop,TS val 12 ecr 22");
	FRAME(f, .flags = "P.", .seq = 3921, .ack = 501, .payload_len_bytes = 80,
	      .options = "nop,nop,TS val 13 ecr 23");
	expect(f, "0: 7 P. 1001:4001(3000) ack 501 win 500 x3 ts 13/23\n");
	fixture_free(f);
}

static void fin_ends_a_record_and_nothing_follows_it(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 100);
	FRAME(f, .flags = "FP.", .seq = 1101, .ack = 501, .payload_len_bytes = 100);
	FRAME(f, .flags = ".", .seq = 1202, .ack = 501, .payload_len_bytes = 10);
	expect(f, "0: 7 FP. 1001:1201(200) ack 501 win 500 x2\n"
		  "0: 7 . 1202:1212(10) ack 501 win 500\n");
	FRAME(f, .flags = ".", .seq = 1001, .ack = 502, .payload_len_bytes = 100);
	FRAME(f, .flags = "F.", .seq = 1101, .ack = 502);
	FRAME(f, .flags = "F.", .seq = 1101, .ack = 502);
	expect(f, "0: 7 F. 1001:1101(100) ack 502 win 500 x2\n"
		  "0: 7 F. 1101:1101(0) ack 502 win 500\n");
	fixture_free(f);
}

/* The gate of a turn asks what came after the ACK that covers it. */
static void changed_ack_begins_a_new_record(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 100);
	FRAME(f, .flags = ".", .seq = 1101, .ack = 601, .payload_len_bytes = 100);
	FRAME(f, .flags = ".", .seq = 1201, .ack = 601, .payload_len_bytes = 100);
	expect(f, "0: 7 . 1001:1101(100) ack 501 win 500\n"
		  "0: 7 . 1101:1301(200) ack 601 win 500 x2\n");
	fixture_free(f);
}

static void what_does_not_follow_begins_a_new_record(void **state)
{
	static const struct {
		const char *why;
		struct frame_spec second;
	} cases[] = {
		{"a gap", {.flags = ".", .seq = 1102, .ack = 501, .payload_len_bytes = 9}},
		{"an overlap", {.flags = ".", .seq = 1100, .ack = 501, .payload_len_bytes = 9}},
		{"a repetition", {.flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 99}},
		{"another window",
		 {.flags = ".", .seq = 1101, .ack = 501, .payload_len_bytes = 9, .window = 501}},
		{"a reset", {.flags = "R.", .seq = 1101, .ack = 501}},
		{"a SYN", {.flags = "S.", .seq = 1101, .ack = 501}},
		{"a reset with data",
		 {.flags = "R.", .seq = 1101, .ack = 501, .payload_len_bytes = 9}},
		{"a SYN with data",
		 {.flags = "S.", .seq = 1101, .ack = 501, .payload_len_bytes = 9}},
		{"a pure ACK", {.flags = ".", .seq = 1101, .ack = 501}},
		{"timestamps begin",
		 {.flags = ".",
		  .seq = 1101,
		  .ack = 501,
		  .payload_len_bytes = 9,
		  .options = "nop,nop,TS val 1 ecr 2"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_registered();

		FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 100);
		frame(f, &cases[i].second);
		response_flush(f->r, f->now_us);
		if (counters(f).records != 2)
			fail_msg("%s: %u records", cases[i].why, (unsigned)counters(f).records);
		fixture_free(f);
	}
}

static void nothing_follows_a_syn_ack(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501); /* its retransmission */
	FRAME(f, .flags = ".", .seq = 1000, .ack = 501, .payload_len_bytes = 5);
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500\n0: 7 S. 1000:1000(0) ack 501 win 500\n"
		  "0: 7 . 1000:1005(5) ack 501 win 500\n");
	fixture_free(f);
}

static void pure_acks_stay_countable(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .window = 600); /* a window update */
	FRAME(f, .flags = ".", .seq = 1001, .ack = 502, .window = 600);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 502, .window = 600, .payload_len_bytes = 5);
	expect(f, "0: 7 . 1001:1001(0) ack 501 win 500 x3\n"
		  "0: 7 . 1001:1001(0) ack 501 win 600\n"
		  "0: 7 . 1001:1001(0) ack 502 win 600\n"
		  "0: 7 . 1001:1006(5) ack 502 win 600\n");
	fixture_free(f);
}

static void sessions_interleaved_merge_each_for_itself_in_order(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	register_session(f, 0, 8, TARGET, "10.77.0.6:40000");
	for (uint32_t i = 0; i < 3; i++) {
		FRAME(f, .flags = ".", .seq = 1000 + 10 * i, .ack = 1, .payload_len_bytes = 10);
		FRAME(f, .flags = ".", .seq = 2000 + 20 * i, .ack = 2, .payload_len_bytes = 20,
		      .dst = "10.77.0.6:40000");
	}
	expect(f, "0: 7 . 1000:1030(30) ack 1 win 500 x3\n0: 8 . 2000:2060(60) ack 2 win 500 x3\n");
	fixture_free(f);
}

static void nothing_is_merged_into_what_has_been_sent(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1000, .ack = 1, .payload_len_bytes = 10);
	expect(f, "0: 7 . 1000:1010(10) ack 1 win 500\n");
	FRAME(f, .flags = ".", .seq = 1010, .ack = 1, .payload_len_bytes = 10);
	expect(f, "0: 7 . 1010:1020(10) ack 1 win 500\n");
	fixture_free(f);
}

static void sequence_numbers_wrap_within_a_record(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 0xfffffff0, .ack = 1, .payload_len_bytes = 16);
	FRAME(f, .flags = ".", .seq = 0, .ack = 1, .payload_len_bytes = 16);
	response_flush(f->r, f->now_us);
	assert_int_equal(counters(f).records, 1);
	assert_non_null(strstr(f->read, "(32) ack 1 win 500 x2"));
	fixture_free(f);
}

static void super_packet_counts_what_was_on_the_wire(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "P.", .seq = 1000, .ack = 1, .payload_len_bytes = 65000);
	expect(f, "0: 7 P. 1000:66000(65000) ack 1 win 500\n");
	fixture_free(f);
}

/* --- duplicates --- */

static void forwarded_copy_with_a_smaller_ttl_is_ignored(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 1, .ttl = 64, .ip_id = 0);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 1, .ttl = 63, .ip_id = 0);
	FRAME(f, .flags = "P.", .seq = 1001, .ack = 1, .ttl = 64, .ip_id = 5, .payload = "hello");
	FRAME(f, .flags = "P.", .seq = 1001, .ack = 1, .ttl = 63, .ip_id = 5, .payload = "hello");
	expect(f, "0: 7 S. 1000:1000(0) ack 1 win 500\n0: 7 P. 1001:1006(5) ack 1 win 500\n");
	assert_int_equal(counters(f).duplicate, 2);
	fixture_free(f);
}

static void packet_captured_twice_is_ignored_if_its_id_tells(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 5);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 5);
	expect(f, "0: 7 . 1001:1001(0) ack 1 win 500\n");
	assert_int_equal(counters(f).duplicate, 1);
	/* Genuine duplicate acknowledgements: other ids, or ids that tell nothing. */
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 6);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 7);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 0);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 0);
	expect(f, "0: 7 . 1001:1001(0) ack 1 win 500 x4\n");
	assert_int_equal(counters(f).duplicate, 1);
	fixture_free(f);
}

static void smaller_ttl_alone_is_no_duplicate(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ttl = 64);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 2, .ttl = 63);
	FRAME(f, .flags = "P.", .seq = 1001, .ack = 2, .ttl = 62, .payload = "x");
	expect(f, "0: 7 . 1001:1001(0) ack 1 win 500\n0: 7 . 1001:1001(0) ack 2 win 500\n"
		  "0: 7 P. 1001:1002(1) ack 2 win 500\n");
	fixture_free(f);
}

static void only_the_very_same_packet_is_a_duplicate(void **state)
{
	static const struct {
		const char *why;
		struct frame_spec second;
	} cases[] = {
		{"seq", {.flags = "P.", .seq = 1101, .ack = 1, .ttl = 63, .ip_id = 5}},
		{"ack", {.flags = "P.", .seq = 1001, .ack = 2, .ttl = 63, .ip_id = 5}},
		{"flags", {.flags = "FP.", .seq = 1001, .ack = 1, .ttl = 63, .ip_id = 5}},
		{"IP id", {.flags = "P.", .seq = 1001, .ack = 1, .ttl = 63, .ip_id = 6}},
		{"a larger TTL", {.flags = "P.", .seq = 1001, .ack = 1, .ttl = 65, .ip_id = 5}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_registered();

		FRAME(f, .flags = "P.", .seq = 1001, .ack = 1, .ttl = 64, .ip_id = 5);
		frame(f, &cases[i].second);
		if (counters(f).duplicate)
			fail_msg("another %s is taken for a duplicate", cases[i].why);
		frame(f, &cases[i].second);
		if (!counters(f).duplicate)
			fail_msg("after another %s a duplicate is not known", cases[i].why);
		fixture_free(f);
	}
}

/* --- held answers --- */

static void syn_ack_that_overtook_its_registration_is_delivered(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	peer_up(f);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501, .options = "mss 1460", .ttl = 64);
	expect(f, "");
	assert_int_equal(counters(f).held, 1);
	f->now_us += 199 * 1000;
	register_session(f, 0, 7, TARGET, CLIENT);
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500 mss 1460\n");
	assert_int_equal(counters(f).held, 0);
	/* Its forwarded copy is known. */
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501, .options = "mss 1460", .ttl = 63);
	expect(f, "");
	fixture_free(f);
}

static void rst_that_overtook_its_registration_is_delivered(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	peer_up(f);
	FRAME(f, .flags = "R.", .seq = 0, .ack = 501);
	register_session(f, 0, 7, TARGET, CLIENT);
	expect(f, "0: 7 R. 0:0(0) ack 501 win 500\n");
	fixture_free(f);
}

static void held_longer_than_200_ms_is_unrouted(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	peer_up(f);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501);
	f->now_us += 200 * 1000;
	register_session(f, 0, 7, TARGET, CLIENT);
	expect(f, "");
	assert_int_equal(counters(f).unrouted, 1);
	assert_int_equal(counters(f).held, 0);
	fixture_free(f);
}

/* pitfall 25: an unmatched SYN-ACK must not cost memory without bound. */
static void pitfall_25_flood_of_unmatched_syn_acks_stays_bounded(void **state)
{
	struct fixture *f = fixture_new();
	size_t before = response_memory(f->r);
	char client[32];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(client, sizeof(client), "10.78.%u.%u:5000", i / 250, i % 250);
		FRAME(f, .flags = "S.", .seq = 1, .ack = 1, .dst = client);
		assert_true(counters(f).held <= 1024);
	}
	assert_int_equal(response_memory(f->r), before);
	assert_int_equal(counters(f).held + counters(f).unrouted, 5000);
	f->now_us += SECOND;
	response_flush(f->r, f->now_us);
	assert_int_equal(counters(f).unrouted, 5000);
	fixture_free(f);
}

/* --- hostile frames --- */

/* pitfall 6: a 14-byte frame crashed the classic one. */
static void pitfall_6_short_frames_are_counted(void **state)
{
	struct fixture *f = fixture_registered();
	struct built_frame b = build_frame(&(struct frame_spec){
		.src = TARGET, .dst = CLIENT, .flags = ".", .seq = 1, .ack = 1});

	(void)state;
	for (size_t len = 0; len < b.len_bytes; len++) {
		uint8_t *cut = malloc(len ? len : 1);

		memcpy(cut, b.data, len);
		response_on_frame(f->r, b.link_type, cut, len, b.len_bytes, f->now_us);
		free(cut);
	}
	expect(f, "");
	assert_int_equal(counters(f).frames, b.len_bytes);
	assert_int_equal(counters(f).captured, 0);
	built_frame_free(&b);
	fixture_free(f);
}

static void random_damage_is_counted_and_never_read_past(void **state)
{
	struct fixture *f = fixture_registered();
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct built_frame b = build_frame(&(struct frame_spec){
			.src = TARGET,
			.dst = CLIENT,
			.flags = "S.",
			.seq = 1,
			.ack = 1,
			.options = "mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7"});

		for (int k = 0; k < 3; k++) {
			seed = seed * 1664525 + 1013904223;
			b.data[(seed >> 8) % b.len_bytes] = (uint8_t)(seed >> 24);
		}
		response_on_frame(f->r, b.link_type, b.data, b.len_bytes, b.len_bytes, f->now_us);
		built_frame_free(&b);
		f->read[0] = '\0';
		response_flush(f->r, f->now_us);
	}
	assert_true(counters(f).malformed > 0);
	assert_true(counters(f).routed > 0);
	fixture_free(f);
}

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

/* pitfall 10: a peer that does not read must not freeze or starve another. */
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
		gather_us = response_gather_us(f->r, f->now_us);
	}
	response_flush(f->r, f->now_us);
	f->read[0] = '\0';
	return gather_us;
}

static void few_packets_are_reported_at_once(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(gather_at_rate(f, 1900, 100), 0);
	assert_int_equal(counters(f).gathers, 0);
	fixture_free(f);
}

static void many_packets_are_gathered_until_there_are_few(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(gather_at_rate(f, 10000, 200), RESPONSE_GATHER_US);
	assert_int_equal(gather_at_rate(f, 1000, 20), 0);
	/* A packet after a pause is no rush. */
	assert_int_equal(gather_at_rate(f, 10000, 200), RESPONSE_GATHER_US);
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
	assert_true(response_is_urgent(f->r));
	assert_int_equal(gather_at_rate(f, 10000, 200), 0);
	say_urgent(f, 1, true);
	say_urgent(f, 0, false);
	assert_int_equal(gather_at_rate(f, 10000, 200), 0);
	/* A peer that goes waits no more. */
	response_on_peer_closed(f->r, 1);
	assert_false(response_is_urgent(f->r));
	assert_int_equal(gather_at_rate(f, 10000, 200), RESPONSE_GATHER_US);
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
		cmocka_unit_test(registered_syn_ack_is_reported_with_its_options),
		cmocka_unit_test(options_of_later_segments_are_timestamps_only),
		cmocka_unit_test(pitfall_3_sack_and_timestamps_together_are_read_past),
		cmocka_unit_test(every_link_type_and_ipv6_are_routed),
		cmocka_unit_test(packets_of_nobody_are_counted_and_forgotten),
		cmocka_unit_test(unregistered_session_gets_nothing_more),
		cmocka_unit_test(two_peers_get_their_own_in_one_write_each),
		cmocka_unit_test(consecutive_data_with_the_same_ack_is_one_record),
		cmocka_unit_test(fin_ends_a_record_and_nothing_follows_it),
		cmocka_unit_test(changed_ack_begins_a_new_record),
		cmocka_unit_test(what_does_not_follow_begins_a_new_record),
		cmocka_unit_test(nothing_follows_a_syn_ack),
		cmocka_unit_test(pure_acks_stay_countable),
		cmocka_unit_test(sessions_interleaved_merge_each_for_itself_in_order),
		cmocka_unit_test(nothing_is_merged_into_what_has_been_sent),
		cmocka_unit_test(sequence_numbers_wrap_within_a_record),
		cmocka_unit_test(super_packet_counts_what_was_on_the_wire),
		cmocka_unit_test(forwarded_copy_with_a_smaller_ttl_is_ignored),
		cmocka_unit_test(packet_captured_twice_is_ignored_if_its_id_tells),
		cmocka_unit_test(smaller_ttl_alone_is_no_duplicate),
		cmocka_unit_test(only_the_very_same_packet_is_a_duplicate),
		cmocka_unit_test(syn_ack_that_overtook_its_registration_is_delivered),
		cmocka_unit_test(rst_that_overtook_its_registration_is_delivered),
		cmocka_unit_test(held_longer_than_200_ms_is_unrouted),
		cmocka_unit_test(pitfall_25_flood_of_unmatched_syn_acks_stays_bounded),
		cmocka_unit_test(pitfall_6_short_frames_are_counted),
		cmocka_unit_test(random_damage_is_counted_and_never_read_past),
		cmocka_unit_test(pitfall_8_tuple_of_a_live_peer_is_refused_to_another),
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
		cmocka_unit_test(heartbeat_carries_the_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
