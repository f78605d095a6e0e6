/* SPDX-License-Identifier: BSD-2-Clause */
/* answers.c - see answers.h. */
#include "tests/bench/micro/answers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "common/wire.h"
#include "intercept/response.h"
#include "tests/bench/micro/frame.h"

enum {
	CAPTURED_LEN = 160, /* headers are enough */
	ANSWER_LEN = 200,
	SESSIONS_AN_ADDRESS = 16384,
	STRAY_ADDRESSES = 0x10000, /* beyond those of the sessions */
	MESSAGES_LEN = ANSWERS_BATCH_MAX * 64,
	BATCH_US = 1000,
};

struct answers {
	struct response *response;
	uint64_t now_us;
	bool is_ipv6;
	uint32_t member_count;
	uint32_t *answered; /* bytes, by number */
	unsigned peer;
	uint64_t captured; /* of sessions that are registered */
	unsigned frame_count;
	struct frame frames[ANSWERS_BATCH_MAX];
	struct byte_writer messages;
	uint8_t message_bytes[MESSAGES_LEN];
};

/* ---- the effects ---- */

static void on_wants_write(void *ctx, unsigned peer)
{
	struct answers *a = ctx;
	size_t len_bytes;

	response_output(a->response, peer, &len_bytes);
	response_output_sent(a->response, peer, len_bytes);
}

static void on_close(void *ctx, unsigned peer)
{
	(void)ctx;
	(void)peer;
	fprintf(stderr, "intercept's core closes the connection of its peer\n");
	exit(1);
}

static void on_notice(void *ctx, enum response_notice notice, unsigned peer, const char *text)
{
	(void)ctx;
	(void)notice;
	(void)peer;
	(void)text;
}

static void on_registered(void *ctx, unsigned peer, const struct tuple *response)
{
	(void)ctx;
	(void)peer;
	(void)response;
}

static const struct response_effects answers_effects = {
	.wants_write = on_wants_write,
	.close = on_close,
	.notice = on_notice,
	.registered = on_registered,
};

/* ---- what the core is told ---- */

static void play_messages(void *ctx)
{
	struct answers *a = ctx;

	response_on_peer_bytes(a->response, a->peer, a->message_bytes,
			       (size_t)(a->messages.at - a->message_bytes), a->now_us);
	response_flush(a->response, a->now_us);
}

static void play_frames(void *ctx)
{
	struct answers *a = ctx;

	for (unsigned i = 0; i < a->frame_count; i++) {
		const struct frame *f = &a->frames[i];
		size_t captured = f->len_bytes < CAPTURED_LEN ? f->len_bytes : CAPTURED_LEN;

		response_on_frame(a->response, PACKET_LINK_ETHERNET, f->bytes, captured,
				  f->len_bytes, a->now_us);
	}
	response_flush(a->response, a->now_us);
}

static void begin_messages(struct answers *a)
{
	a->messages = byte_writer_on(a->message_bytes, sizeof(a->message_bytes));
}

static void run_messages(struct answers *a, struct stopwatch *w)
{
	assert(!a->messages.failed);
	stopwatch_run(w, play_messages, a);
	a->now_us += BATCH_US;
}

static void run_frames(struct answers *a, struct stopwatch *w)
{
	stopwatch_run(w, play_frames, a);
	a->frame_count = 0;
	a->now_us += BATCH_US;
}

/* Peers must be heard once in a while; no part of what is measured. */
static void keep_peer(struct answers *a)
{
	const struct wire_heartbeat heartbeat = {0};

	if (response_next_us(a->response) > a->now_us)
		return;
	begin_messages(a);
	wire_put_heartbeat(&a->messages, &heartbeat);
	play_messages(a);
	response_on_time(a->response, a->now_us);
	response_flush(a->response, a->now_us);
}

/* ---- making ---- */

struct answers *answers_new(uint32_t members, bool is_ipv6)
{
	const struct wire_hello hello = {.version = WIRE_VERSION, .role = WIRE_ROLE_TCPCOPY};
	const struct response_config config = {
		.key = {1, 2},
		.limits = {.routes_max = ROUTER_ROUTES_MAX,
			   .peer_routes_max = ROUTER_PEER_ROUTES_MAX},
	};
	struct answers *a = bench_memory(sizeof(*a));
	int peer;

	a->is_ipv6 = is_ipv6;
	a->member_count = members;
	a->answered = bench_memory(members * sizeof(*a->answered));
	a->now_us = 1000000000;
	a->response = response_new(&config, &answers_effects, a, a->now_us);
	if (!a->response || (peer = response_on_peer_connected(a->response, a->now_us)) < 0) {
		perror("response_new");
		exit(1);
	}
	a->peer = (unsigned)peer;
	begin_messages(a);
	wire_put_hello(&a->messages, &hello);
	play_messages(a);
	return a;
}

void answers_free(struct answers *a)
{
	response_free(a->response);
	bench_memory_free(a->answered, a->member_count * sizeof(*a->answered));
	bench_memory_free(a, sizeof(*a));
}

static struct endpoint endpoint(const struct answers *a, uint32_t net, uint32_t host, uint16_t port)
{
	uint8_t bytes[16] = {0xfd, 0, 0, (uint8_t)net};

	for (unsigned i = 0; i < 4; i++)
		bytes[12 + i] = (uint8_t)(host >> (24 - 8 * i));
	return (struct endpoint){.addr = a->is_ipv6 ? ip_addr_v6_bytes(bytes)
						    : ip_addr_v4(net << 24 | host),
				 .port = port};
}

/* Of the captured answers: target -> faked client. */
static struct tuple response_tuple(const struct answers *a, uint32_t number)
{
	uint32_t host = number / SESSIONS_AN_ADDRESS, at = number % SESSIONS_AN_ADDRESS;

	return (struct tuple){.src = endpoint(a, 172, 2, 8080),
			      .dst = endpoint(a, 10, host, (uint16_t)(1024 + at * 3)),
			      .protocol = PROTOCOL_TCP};
}

/* ---- the acts ---- */

void answers_register(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count)
{
	keep_peer(a);
	begin_messages(a);
	for (unsigned i = 0; i < count; i++) {
		const struct wire_register m = {.session_id = first + i,
						.response = response_tuple(a, first + i)};

		assert(first + i < a->member_count);
		wire_put_register(&a->messages, &m);
	}
	run_messages(a, w);
}

void answers_unregister(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count)
{
	keep_peer(a);
	begin_messages(a);
	for (unsigned i = 0; i < count; i++)
		wire_put_unregister(&a->messages, first + i);
	run_messages(a, w);
}

static void add_frame(struct answers *a, const struct frame_words *words)
{
	assert(a->frame_count < ANSWERS_BATCH_MAX);
	frame_make(&a->frames[a->frame_count++], words);
}

void answers_capture(struct answers *a, struct stopwatch *w, const uint32_t *who, unsigned count)
{
	static const char body[ANSWER_LEN] = "HTTP/1.1 200 OK\r\n";

	keep_peer(a);
	for (unsigned i = 0; i < count; i++) {
		struct frame_words words = {.tuple = response_tuple(a, who[i]),
					    .flags = TCP_PSH | TCP_ACK,
					    .seq = 1000 + a->answered[who[i]],
					    .ack = 500 + a->answered[who[i]] / 2,
					    .ip_id = (uint16_t)(a->captured + i + 1),
					    .payload = body,
					    .payload_len_bytes = sizeof(body)};

		words.options.has_timestamps = true;
		words.options.ts_val = (uint32_t)(a->now_us / 1000);
		a->answered[who[i]] += ANSWER_LEN;
		add_frame(a, &words);
	}
	a->captured += count;
	run_frames(a, w);
}

void answers_greet(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count)
{
	keep_peer(a);
	for (unsigned i = 0; i < count; i++) {
		struct frame_words words = {.tuple = response_tuple(a, first + i),
					    .flags = TCP_SYN | TCP_ACK,
					    .seq = 1000,
					    .ack = 500};

		add_frame(a, &words);
	}
	a->captured += count;
	run_frames(a, w);
}

void answers_stray(struct answers *a, struct stopwatch *w, uint32_t first, unsigned count)
{
	keep_peer(a);
	for (unsigned i = 0; i < count; i++) {
		struct frame_words words = {.tuple = response_tuple(a, first + i),
					    .flags = TCP_SYN | TCP_ACK,
					    .seq = 1000,
					    .ack = 500};

		words.tuple.dst = endpoint(a, 10, STRAY_ADDRESSES + first + i, 4711);
		add_frame(a, &words);
	}
	run_frames(a, w);
}

/* ---- afterwards ---- */

struct response *answers_response(struct answers *a)
{
	return a->response;
}

bool answers_are_sound(const struct answers *a)
{
	struct response_counters c;

	response_get_counters(a->response, &c);
	if (c.routed == a->captured && c.malformed == 0 && c.duplicate == 0 && c.dropped == 0 &&
	    c.register_refused == 0 && c.register_full == 0)
		return true;
	fprintf(stderr,
		"intercept: captured %" PRIu64 " for sessions, routed %" PRIu64
		", malformed %" PRIu64 ", duplicate %" PRIu64 ", dropped %" PRIu64
		", refused %" PRIu64 ", full %" PRIu64 "\n",
		a->captured, c.routed, c.malformed, c.duplicate, c.dropped, c.register_refused,
		c.register_full);
	return false;
}
