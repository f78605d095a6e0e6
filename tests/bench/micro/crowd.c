/* SPDX-License-Identifier: BSD-2-Clause */
/* crowd.c - see crowd.h. */
#include "tests/bench/micro/crowd.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "tcpcopy/replay.h"
#include "tests/bench/micro/frame.h"

enum {
	CLIENTS_A_HOST = 4,
	HOST_PORTS = 64000,
	PORT_STEP = 16001, /* between the clients of a host */
	FLOOD_PORT = 4711,
	POOL_ADDRESSES = 64, /* of -c */
	PORTS = 65536,
	CLIENT_ISN = 1000,
	SERVER_ISN = 50000,
	TARGET_ISS = 7000000,
	TARGET_WINDOW = 510,
	SESSIONS_A_MB = 1024, /* as in worker_open.c */
	MEMORY_PLENTY_MB = 8192,
	FRAMES_MAX = CROWD_BATCH_MAX * 2,
};

/* What has been said so far, from and to. */
struct member {
	uint32_t session_id;
	uint32_t snd_nxt;  /* of the session: what the target would acknowledge */
	uint32_t ts_val;   /* of the session's last segment */
	uint32_t requests; /* asked, and answered */
};

struct crowd {
	struct replay *replay;
	struct replay_effects effects;
	uint64_t now_us;
	bool is_ipv6;
	uint32_t member_count;
	struct member *members;
	uint32_t *member_of; /* by place of the faked address and port */
	uint32_t speaking;   /* whose frame the core has just now */
	uint64_t asked;
	uint64_t connected;
	uint64_t notices;
	uint64_t registered;
	uint64_t unregistered;
	unsigned frame_count;
	uint32_t frame_of[FRAMES_MAX];
	struct frame frames[FRAMES_MAX];
	unsigned record_count;
	struct wire_record records[CROWD_BATCH_MAX];
};

/* ---- who is who ---- */

static struct ip_addr address(const struct crowd *c, uint32_t v4, uint16_t v6_net)
{
	uint8_t bytes[16] = {0xfd, 0, (uint8_t)(v6_net >> 8), (uint8_t)v6_net};

	if (!c->is_ipv6)
		return ip_addr_v4(v4);
	for (unsigned i = 0; i < 4; i++)
		bytes[12 + i] = (uint8_t)(v4 >> (24 - 8 * i));
	return ip_addr_v6_bytes(bytes);
}

static struct endpoint server(const struct crowd *c)
{
	return (struct endpoint){.addr = address(c, 0xc0000202, 1), .port = 80};
}

static struct endpoint target(const struct crowd *c)
{
	return (struct endpoint){.addr = address(c, 0xc0000303, 2), .port = 8080};
}

/* Clients of one host have neighbouring numbers and ports far from each other. */
static struct endpoint client(const struct crowd *c, uint32_t number)
{
	uint32_t host = number / CLIENTS_A_HOST, mixed = host * UINT32_C(2654435761);
	uint32_t port = (mixed >> 8) + number % CLIENTS_A_HOST * PORT_STEP;

	return (struct endpoint){.addr = address(c, 0x0a000001 + host, 3),
				 .port = (uint16_t)(1024 + port % HOST_PORTS)};
}

/* The place of a faked endpoint in member_of. */
static uint32_t place(const struct crowd *c, const struct endpoint *faked)
{
	struct ip_addr first = address(c, 0x0a5b0000, 4);
	unsigned at = faked->addr.b[15];

	assert(memcmp(faked->addr.b, first.b, 15) == 0 && at < POOL_ADDRESSES);
	return at * PORTS + faked->port;
}

/* ---- what the core does ---- */

static int on_emit(void *ctx, const struct segment *s)
{
	struct crowd *c = ctx;
	struct member *m = &c->members[c->member_of[place(c, &s->tuple.src)]];

	m->snd_nxt =
		s->seq + s->payload_len_bytes + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
	m->ts_val = s->options.ts_val;
	return 0;
}

static void on_register(void *ctx, uint32_t session_id, const struct tuple *response)
{
	struct crowd *c = ctx;

	c->member_of[place(c, &response->dst)] = c->speaking;
	c->members[c->speaking].session_id = session_id;
	c->registered++;
}

static void on_unregister(void *ctx, uint32_t session_id)
{
	struct crowd *c = ctx;

	(void)session_id;
	c->unregistered++;
}

static void on_urgency(void *ctx, bool urgent)
{
	(void)ctx;
	(void)urgent;
}

static void on_notice(void *ctx, enum replay_notice notice, size_t target_index)
{
	struct crowd *c = ctx;

	(void)notice;
	(void)target_index;
	c->notices++;
}

/* ---- making ---- */

static void make_replay(struct crowd *c, uint32_t memory_mb)
{
	struct transfer transfer = {.source = server(c), .target = target(c)};
	struct addr_range pool = {address(c, 0x0a5b0000, 4),
				  address(c, 0x0a5b0000 + POOL_ADDRESSES - 1, 4)};
	struct replay_config config = {
		.transfers = &transfer,
		.transfer_count = 1,
		.client_pool = &pool,
		.client_pool_count = 1,
		.key = {1, 2},
		.isn_secret = {3, 4},
		.copies = 1,
		.give_up_us = 120 * UINT64_C(1000000),
		.keep_alive_us = 7200 * UINT64_C(1000000),
		.max_memory_bytes = (uint64_t)memory_mb << 20,
		.max_sessions = memory_mb * SESSIONS_A_MB,
		.check_checksums = true,
		.online_mtu_bytes = 1500,
	};

	c->replay = replay_new(&config, &c->effects, c, c->now_us);
	if (!c->replay) {
		perror("replay_new");
		exit(1);
	}
	replay_on_links(c->replay, 1, c->now_us);
}

struct crowd *crowd_new(uint32_t members, bool is_ipv6)
{
	return crowd_new_within(members, is_ipv6, MEMORY_PLENTY_MB);
}

struct crowd *crowd_new_within(uint32_t members, bool is_ipv6, uint32_t memory_mb)
{
	struct crowd *c = bench_memory(sizeof(*c));

	c->is_ipv6 = is_ipv6;
	c->member_count = members;
	c->members = bench_memory(members * sizeof(*c->members));
	c->member_of = bench_memory(POOL_ADDRESSES * PORTS * sizeof(*c->member_of));
	c->now_us = 1000000000;
	c->effects = (struct replay_effects){
		.emit = on_emit,
		.register_session = on_register,
		.unregister_session = on_unregister,
		.urgency = on_urgency,
		.notice = on_notice,
	};
	make_replay(c, memory_mb);
	return c;
}

void crowd_free(struct crowd *c)
{
	replay_shutdown(c->replay, c->now_us);
	replay_free(c->replay);
	bench_memory_free(c->member_of, POOL_ADDRESSES * PORTS * sizeof(*c->member_of));
	bench_memory_free(c->members, c->member_count * sizeof(*c->members));
	bench_memory_free(c, sizeof(*c));
}

/* ---- what the core is told: the stopwatch runs in these three ---- */

static void play_frames(void *ctx)
{
	struct crowd *c = ctx;

	for (unsigned i = 0; i < c->frame_count; i++) {
		const struct frame *f = &c->frames[i];

		c->speaking = c->frame_of[i];
		replay_on_frame(c->replay, PACKET_LINK_ETHERNET, f->bytes, f->len_bytes,
				f->len_bytes, c->now_us);
	}
	replay_end_batch(c->replay, c->now_us);
}

static void play_records(void *ctx)
{
	struct crowd *c = ctx;

	for (unsigned i = 0; i < c->record_count; i++)
		replay_on_record(c->replay, &c->records[i], c->now_us);
	replay_end_batch(c->replay, c->now_us);
}

static void play_time(void *ctx)
{
	struct crowd *c = ctx;

	replay_on_time(c->replay, c->now_us);
	replay_end_batch(c->replay, c->now_us);
}

static void run_frames(struct crowd *c, struct stopwatch *w)
{
	stopwatch_run(w, play_frames, c);
	c->frame_count = 0;
}

static void run_records(struct crowd *c, struct stopwatch *w)
{
	stopwatch_run(w, play_records, c);
	c->record_count = 0;
}

void crowd_pass(struct crowd *c, struct stopwatch *w, uint64_t us)
{
	uint64_t until_us = c->now_us + us;

	while (replay_next_us(c->replay) <= until_us) {
		uint64_t next_us = replay_next_us(c->replay);

		c->now_us = next_us > c->now_us ? next_us : c->now_us + 1;
		stopwatch_run(w, play_time, c);
	}
	if (c->now_us < until_us)
		c->now_us = until_us;
}

/* ---- what clients say, and the target ---- */

static uint32_t client_seq(const struct member *m)
{
	return CLIENT_ISN + 1 + m->requests * FRAME_REQUEST_LEN;
}

static uint32_t server_seq(const struct member *m)
{
	return SERVER_ISN + 1 + m->requests * CROWD_ANSWER_LEN;
}

static void add_frame(struct crowd *c, uint32_t number, struct frame_words words)
{
	assert(c->frame_count < FRAMES_MAX && number < c->member_count);
	words.ip_id = (uint16_t)(c->frame_count + 1);
	words.options.has_timestamps = true;
	words.options.ts_val = (uint32_t)(c->now_us / 1000);
	frame_make(&c->frames[c->frame_count], &words);
	c->frame_of[c->frame_count++] = number;
}

static void client_says(struct crowd *c, uint32_t number, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct frame_words words = {
		.tuple = {.src = client(c, number), .dst = server(c), .protocol = PROTOCOL_TCP},
		.flags = flags,
		.seq = seq,
		.ack = ack,
	};

	if (flags & TCP_SYN) {
		words.options.has_mss = words.options.has_window_scale = true;
		words.options.has_sack_permitted = true;
		words.options.mss = 1460;
		words.options.window_scale = 7;
	}
	if (flags & TCP_PSH) {
		words.payload = frame_request;
		words.payload_len_bytes = FRAME_REQUEST_LEN;
	}
	add_frame(c, number, words);
}

/* Of what servers say only SYN, FIN and RST are captured. */
static void server_says(struct crowd *c, uint32_t number, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct frame_words words = {
		.tuple = {.src = server(c), .dst = client(c, number), .protocol = PROTOCOL_TCP},
		.flags = flags,
		.seq = seq,
		.ack = ack,
	};

	if (flags & TCP_SYN) {
		words.options.has_mss = words.options.has_window_scale = true;
		words.options.mss = 1460;
		words.options.window_scale = 7;
	}
	add_frame(c, number, words);
}

static void target_says(struct crowd *c, uint32_t number, uint8_t flags, uint32_t len_bytes)
{
	const struct member *m = &c->members[number];
	bool is_syn = flags & TCP_SYN;

	assert(c->record_count < CROWD_BATCH_MAX);
	c->records[c->record_count++] = (struct wire_record){
		.session_id = m->session_id,
		.seq = TARGET_ISS + !is_syn + m->requests * CROWD_ANSWER_LEN,
		.len_bytes = len_bytes,
		.ack = m->snd_nxt,
		.window = TARGET_WINDOW,
		.segments = 1,
		.flags = flags,
		.has_timestamps = true,
		.ts_val = (uint32_t)(c->now_us / 1000),
		.ts_ecr = m->ts_val,
		.has_syn_options = is_syn,
		.has_mss = is_syn,
		.mss = is_syn ? 1460 : 0,
		.has_window_scale = is_syn,
		.window_scale = is_syn ? 7 : 0,
	};
}

/* ---- the acts ---- */

void crowd_connect(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count)
{
	crowd_knock(c, w, first, count);
	crowd_enter(c, w, first, count);
}

void crowd_knock(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count)
{
	assert(count <= CROWD_BATCH_MAX);
	for (unsigned i = 0; i < count; i++)
		client_says(c, first + i, TCP_SYN, CLIENT_ISN, 0);
	run_frames(c, w);
	crowd_pass(c, w, 100);
}

void crowd_enter(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count)
{
	assert(count <= CROWD_BATCH_MAX);
	for (unsigned i = 0; i < count; i++) {
		server_says(c, first + i, TCP_SYN | TCP_ACK, SERVER_ISN, CLIENT_ISN + 1);
		client_says(c, first + i, TCP_ACK, CLIENT_ISN + 1, SERVER_ISN + 1);
	}
	run_frames(c, w);
	crowd_pass(c, w, 200);
	for (unsigned i = 0; i < count; i++)
		target_says(c, first + i, TCP_SYN | TCP_ACK, 0);
	run_records(c, w);
	crowd_pass(c, w, 100);
	c->connected += count;
}

void crowd_ask(struct crowd *c, struct stopwatch *w, const uint32_t *who, unsigned count)
{
	assert(count <= CROWD_BATCH_MAX);
	for (unsigned i = 0; i < count; i++) {
		const struct member *m = &c->members[who[i]];

		client_says(c, who[i], TCP_PSH | TCP_ACK, client_seq(m), server_seq(m));
	}
	run_frames(c, w);
	crowd_pass(c, w, 300);
	for (unsigned i = 0; i < count; i++) {
		target_says(c, who[i], TCP_PSH | TCP_ACK, CROWD_ANSWER_LEN);
		c->members[who[i]].requests++;
	}
	run_records(c, w);
	c->asked += count;
}

void crowd_leave(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count)
{
	assert(count <= CROWD_BATCH_MAX);
	for (unsigned i = first; i < first + count; i++) {
		const struct member *m = &c->members[i];

		client_says(c, i, TCP_FIN | TCP_ACK, client_seq(m), server_seq(m));
		server_says(c, i, TCP_FIN | TCP_ACK, server_seq(m), client_seq(m) + 1);
	}
	run_frames(c, w);
	for (unsigned i = first; i < first + count; i++) {
		const struct member *m = &c->members[i];

		client_says(c, i, TCP_ACK, client_seq(m) + 1, server_seq(m) + 1);
	}
	run_frames(c, w);
	crowd_pass(c, w, 300);
	for (unsigned i = first; i < first + count; i++)
		target_says(c, i, TCP_FIN | TCP_ACK, 0);
	run_records(c, w);
}

void crowd_flood(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count,
		 enum crowd_flood kind)
{
	assert(count <= CROWD_BATCH_MAX);
	for (unsigned i = 0; i < count; i++) {
		struct endpoint from = client(c, (first + i) * CLIENTS_A_HOST);

		if (kind == CROWD_FLOOD_ONE_PORT)
			from.port = FLOOD_PORT;
		add_frame(
			c, first + i,
			(struct frame_words){
				.tuple = {.src = from, .dst = server(c), .protocol = PROTOCOL_TCP},
				.flags = TCP_SYN,
				.seq = CLIENT_ISN});
	}
	run_frames(c, w);
}

void crowd_greet(struct crowd *c, struct stopwatch *w, uint32_t first, unsigned count)
{
	assert(count <= CROWD_BATCH_MAX);
	for (unsigned i = first; i < first + count; i++) {
		if (!c->members[i].snd_nxt)
			continue;
		target_says(c, i, TCP_SYN | TCP_ACK, 0);
		c->connected++;
	}
	run_records(c, w);
}

/* ---- afterwards ---- */

uint64_t crowd_now_us(const struct crowd *c)
{
	return c->now_us;
}

uint64_t crowd_registered(const struct crowd *c, uint64_t *now)
{
	*now = c->registered - c->unregistered;
	return c->registered;
}

struct replay *crowd_replay(struct crowd *c)
{
	return c->replay;
}

static bool is_as_it_should_be(const char *what, uint64_t wanted, uint64_t seen)
{
	if (wanted == seen)
		return true;
	fprintf(stderr, "%s: wanted %" PRIu64 ", saw %" PRIu64 "\n", what, wanted, seen);
	return false;
}

bool crowd_is_sound(const struct crowd *c)
{
	const struct ledger *l = replay_ledger(c->replay);
	const struct ledger_target *t = &l->targets[0];
	bool ok = is_as_it_should_be("packets that were corrupt or malformed", 0,
				     l->packets.fate[PACKET_FATE_CORRUPT] +
					     l->packets.fate[PACKET_FATE_MALFORMED]);

	ok &= is_as_it_should_be("sessions established", c->connected, t->sessions.established);
	ok &= is_as_it_should_be("requests captured", c->asked, t->stream.captured.requests);
	ok &= is_as_it_should_be("requests delivered", c->asked, t->stream.delivered.requests);
	ok &= is_as_it_should_be("segments sent again", 0, t->traffic.retransmitted);
	ok &= is_as_it_should_be("records ignored", 0, t->traffic.records_ignored);
	ok &= is_as_it_should_be("notices", 0, c->notices);
	return ok;
}
