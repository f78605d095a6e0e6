/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_link_intercept.c - intercept's end of the link: several peers that say anything, at once,
 * while answers are captured.
 *
 *	byte 0     bits: 0: one peer's bytes in pieces; 1: few routes; 3: peers have said hello;
 *	           0xfc: many others are connected
 *	the rest   items: who, and what he sends (link_stream.h) or what else happens
 *
 * Oracles: both sums of response.h; memory within what peers and routes may cost; what a peer hears
 * is a good stream of messages, hello or refusal first, with records of sessions only that it once
 * registered, and nothing behind a refusal; after its end nothing more is written to it; timers
 * come to an end; after a shutdown nobody is left. In pieces: the same stream, cut in another way,
 * leads to the same calls and counters.
 */
#include "common/packet.h"
#include "common/wire.h"
#include "intercept/response.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/link_stream.h"

enum {
	PEERS = 4, /* that items speak of; more may be connected */
	IDS = 256,
	HEARD_MAX = 1 << 20,
	SAID_MAX = 1 << 18,
	SAME_MOMENT_MAX = 200,
	START_US = 1000000,
	FRAME_LEN = 40,
	MANY = 0xfc, /* rare, for it costs as much as a hundred other runs */
	/* A peer: its struct with the batch, one message, its output; all else: tables. */
	PEER_MEMORY_MAX = PEER_OUTPUT_MAX + WIRE_MESSAGE_MAX + 64 * 1024,
	TABLES_MEMORY_MAX = 1 << 20,
};

struct remote {
	bool is_connected;
	bool was_greeted; /* it has heard a hello */
	bool is_refused;
	bool registered[IDS]; /* ever, by this connection */
	uint8_t said[SAID_MAX];
	size_t said_len;
	size_t said_parsed;
	uint8_t heard[HEARD_MAX];
	size_t heard_len;
	size_t heard_parsed;
};

struct side {
	struct response *r;
	uint64_t now_us;
	struct remote remotes[RESPONSE_CONNECTIONS_MAX];
	int numbers[PEERS]; /* -1: not connected */
	size_t connected;
	uint64_t trace;
};

static struct side the_side;
static struct stream the_stream;

/* ---- what peers hear ---- */

static void hear_responses(const struct remote *p, const struct wire_message *m)
{
	struct wire_record_cursor c;
	struct wire_record r;
	int more;

	fuzz_check(p->was_greeted && wire_records_open(&c, m) == 0);
	while ((more = wire_records_next(&c, &r)) > 0)
		fuzz_check(r.session_id < IDS && p->registered[r.session_id]);
	fuzz_check(more == 0);
}

static void hear(struct remote *p, const struct wire_message *m)
{
	struct wire_heartbeat heartbeat;
	struct wire_refusal refusal;
	struct wire_session_id id;
	struct wire_hello hello;

	fuzz_check(!p->is_refused); /* the last word */
	switch (m->type) {
	case WIRE_HELLO:
		fuzz_check(!p->was_greeted && wire_get_hello(&hello, m) == 0);
		fuzz_check(hello.role == WIRE_ROLE_INTERCEPT);
		p->was_greeted = true;
		break;
	case WIRE_REFUSAL:
		fuzz_check(wire_get_refusal(&refusal, m) == 0);
		p->is_refused = true;
		break;
	case WIRE_REGISTER_REFUSED:
		fuzz_check(p->was_greeted && wire_get_session_id(&id, m) == 0);
		fuzz_check(id.session_id >= IDS || p->registered[id.session_id]);
		break;
	case WIRE_RESPONSES:
		hear_responses(p, m);
		break;
	default:
		fuzz_check(m->type == WIRE_HEARTBEAT && p->was_greeted);
		fuzz_check(wire_get_heartbeat(&heartbeat, m) == 0);
		break;
	}
}

/* The kernel takes at most so many bytes of a peer's output. */
static void deliver(struct side *s, unsigned number, size_t most)
{
	struct remote *p = &s->remotes[number];
	struct wire_message m;
	size_t len;
	const uint8_t *out = response_output(s->r, number, &len);
	long n;

	if (len > most)
		len = most;
	if (!len || len > HEARD_MAX - p->heard_len)
		return;
	memcpy(p->heard + p->heard_len, out, len);
	p->heard_len += len;
	response_output_sent(s->r, number, len);
	while ((n = wire_next(&m, p->heard + p->heard_parsed, p->heard_len - p->heard_parsed))) {
		fuzz_check(n > 0);
		hear(p, &m);
		s->trace = stream_mix(s->trace, m.type);
		p->heard_parsed += (size_t)n;
	}
}

/* ---- call-backs ---- */

static void on_wants_write(void *ctx, unsigned peer)
{
	const struct side *s = ctx;

	fuzz_check(peer < RESPONSE_CONNECTIONS_MAX && s->remotes[peer].is_connected);
}

static void on_close(void *ctx, unsigned peer)
{
	struct side *s = ctx;

	fuzz_check(peer < RESPONSE_CONNECTIONS_MAX && s->remotes[peer].is_connected);
	deliver(s, peer, SIZE_MAX);
	s->remotes[peer].is_connected = false;
	s->connected--;
	for (size_t i = 0; i < PEERS; i++)
		if (s->numbers[i] == (int)peer)
			s->numbers[i] = -1;
	s->trace = stream_mix(s->trace, 1000 + peer);
}

static void on_notice(void *ctx, enum response_notice notice, unsigned peer, const char *text)
{
	struct side *s = ctx;

	fuzz_check(s->remotes[peer].is_connected);
	for (const char *c = text; *c; c++)
		fuzz_check(*c >= ' ' && *c <= '~'); /* it goes into a log */
	s->trace = stream_mix(s->trace, 2000 + (unsigned)notice);
}

static void on_registered(void *ctx, unsigned peer, const struct tuple *response)
{
	struct side *s = ctx;

	(void)peer;
	s->trace = stream_mix(s->trace, response->dst.port);
}

static const struct response_effects effects = {
	.wants_write = on_wants_write,
	.close = on_close,
	.notice = on_notice,
	.registered = on_registered,
};

/* ---- what holds ---- */

static void check_sums(const struct side *s)
{
	struct response_counters c;

	response_get_counters(s->r, &c);
	fuzz_check(c.frames ==
		   c.captured + c.too_big + c.not_tcp + c.fragments + c.malformed + c.unknown_link);
	fuzz_check(c.captured == c.routed + c.unrouted + c.duplicate + c.dropped + c.held);
	fuzz_check(c.peers_up <= s->connected && s->connected <= RESPONSE_CONNECTIONS_MAX);
	fuzz_check(c.routes <= c.registered);
	fuzz_check(response_memory(s->r) <=
		   s->connected * PEER_MEMORY_MAX + c.routes * 200 + TABLES_MEMORY_MAX);
}

static void flush(struct side *s)
{
	response_flush(s->r, s->now_us);
	check_sums(s);
}

/* ---- what happens ---- */

static int connect_peer(struct side *s)
{
	int number = response_on_peer_connected(s->r, s->now_us);
	struct remote *p;

	if (number < 0) {
		fuzz_check(s->connected == RESPONSE_CONNECTIONS_MAX);
		return -1;
	}
	fuzz_check(number < RESPONSE_CONNECTIONS_MAX && !s->remotes[number].is_connected);
	p = &s->remotes[number];
	p->is_connected = true;
	p->was_greeted = p->is_refused = false;
	memset(p->registered, 0, sizeof(p->registered));
	p->said_len = p->said_parsed = p->heard_len = p->heard_parsed = 0;
	s->connected++;
	return number;
}

/* What it has said in whole messages: which sessions it may hear of. */
static void note_said(struct remote *p, const uint8_t *bytes, size_t len)
{
	struct wire_register r;
	struct wire_message m;
	long n;

	if (len > SAID_MAX - p->said_len)
		len = SAID_MAX - p->said_len;
	memcpy(p->said + p->said_len, bytes, len);
	p->said_len += len;
	while ((n = wire_next(&m, p->said + p->said_parsed, p->said_len - p->said_parsed)) > 0) {
		p->said_parsed += (size_t)n;
		if (m.type == WIRE_REGISTER && wire_get_register(&r, &m) == 0 && r.session_id < IDS)
			p->registered[r.session_id] = true;
	}
}

static void feed(struct side *s, unsigned number, const uint8_t *bytes, size_t len)
{
	struct remote *p = &s->remotes[number];
	uint8_t *copy;

	if (!p->is_connected || p->said_len + len > SAID_MAX)
		return;
	copy = fuzz_copy(bytes, len);
	note_said(p, bytes, len);
	response_on_peer_bytes(s->r, number, copy, len, s->now_us);
	free(copy);
}

/* An answer of the target to one of the faked clients. */
static void capture(struct side *s, struct fuzz_input *in)
{
	static const uint8_t flags[] = {TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_RST};
	unsigned n = fuzz_u8(in) % (STREAM_TUPLES / 2);
	uint8_t x = fuzz_u8(in);
	const struct tuple t = stream_tuple(n);
	uint8_t *frame = fuzz_copy((const uint8_t[FRAME_LEN]){0}, FRAME_LEN);
	size_t wire = FRAME_LEN + (x & 0x80 ? fuzz_u8(in) : 0u);

	frame[0] = 0x45;
	put_be16(frame + 2, (uint16_t)wire);
	put_be16(frame + 4, x & 0x10 ? x : 0);
	frame[8] = x & 0x20 ? 63 : 64;
	frame[9] = PROTOCOL_TCP;
	put_be32(frame + 12, ip_addr_to_v4(&t.src.addr));
	put_be32(frame + 16, ip_addr_to_v4(&t.dst.addr));
	put_be16(frame + 20, t.src.port);
	put_be16(frame + 22, t.dst.port);
	put_be32(frame + 24, fuzz_u8(in));
	put_be32(frame + 28, x & 0x40 ? fuzz_u8(in) : 0);
	frame[32] = 0x50;
	frame[33] = flags[x & 3];
	response_on_frame(s->r, PACKET_LINK_RAW, frame, FRAME_LEN - (x & 0x0c ? 0 : x & 3), wire,
			  s->now_us);
	free(frame);
}

static void pass(struct side *s, uint64_t us)
{
	uint64_t until_us = s->now_us + us;
	unsigned same_moment = 0;

	do {
		uint64_t next = response_next_us(s->r);

		if (next > s->now_us)
			same_moment = 0;
		else
			fuzz_check(++same_moment < SAME_MOMENT_MAX);
		if (next > s->now_us)
			s->now_us = next < until_us ? next : until_us;
		response_on_time(s->r, s->now_us);
		flush(s);
	} while (s->now_us < until_us);
}

static void happen(struct side *s, struct fuzz_input *in)
{
	static const uint64_t units[] = {1000, 50000, 300000, 3000000};
	uint8_t what = fuzz_u8(in);
	unsigned who = what >> 6;
	int number = s->numbers[who];

	switch (what & 15) {
	case 0:
		pass(s, fuzz_u8(in) * units[who]);
		break;
	case 1:
		if (number < 0)
			s->numbers[who] = connect_peer(s);
		break;
	case 2:
		if (number < 0)
			break;
		response_on_peer_closed(s->r, (unsigned)number);
		s->remotes[number].is_connected = false;
		s->connected--;
		s->numbers[who] = -1;
		flush(s);
		break;
	case 3:
		if (number >= 0)
			deliver(s, (unsigned)number, fuzz_u8(in));
		break;
	case 4:
	case 5:
	case 6:
		capture(s, in);
		break;
	case 7:
		response_gather_us(s->r, s->now_us);
		flush(s);
		break;
	default:
		the_stream.len = 0;
		stream_item(&the_stream, in, WIRE_ROLE_TCPCOPY);
		if (number >= 0)
			feed(s, (unsigned)number, the_stream.bytes, the_stream.len);
		flush(s);
		break;
	}
}

/* ---- beginning and end ---- */

static void begin(struct side *s, bool few_routes)
{
	const struct response_config config = {
		.key = {1, 2},
		.instance_id = 9,
		.limits = {.routes_max = few_routes ? 6 : 1000,
			   .peer_routes_max = few_routes ? 4 : 1000},
	};

	s->now_us = START_US;
	s->connected = 0;
	s->trace = 0;
	for (size_t i = 0; i < RESPONSE_CONNECTIONS_MAX; i++)
		s->remotes[i].is_connected = false;
	for (size_t i = 0; i < PEERS; i++)
		s->numbers[i] = -1;
	s->r = response_new(&config, &effects, s, s->now_us);
	fuzz_check(s->r != NULL);
}

static void end(struct side *s)
{
	struct response_counters c;

	flush(s);
	response_shutdown(s->r, s->now_us);
	fuzz_check(s->connected == 0);
	response_get_counters(s->r, &c);
	fuzz_check(c.routes == 0 && c.unregistered <= c.registered);
	fuzz_check(c.captured == c.routed + c.unrouted + c.duplicate + c.dropped + c.held);
	fuzz_check(c.peers_urgent == 0);
	response_free(s->r);
}

static void greet(struct side *s, unsigned number)
{
	const struct wire_hello hello = {.version = WIRE_VERSION, .role = WIRE_ROLE_TCPCOPY};
	uint8_t buf[64];
	struct byte_writer w = byte_writer_on(buf, sizeof(buf));

	wire_put_hello(&w, &hello);
	feed(s, number, buf, (size_t)(w.at - buf));
}

/* The whole stream of one peer in pieces of this size: a trace of what that led to. */
static uint64_t in_pieces(size_t piece)
{
	struct side *s = &the_side;
	struct response_counters c;
	uint64_t trace;

	begin(s, false);
	s->numbers[0] = connect_peer(s);
	for (size_t at = 0; at < the_stream.len && s->numbers[0] >= 0; at += piece) {
		size_t left = the_stream.len - at;

		feed(s, 0, the_stream.bytes + at, left < piece ? left : piece);
	}
	flush(s);
	response_get_counters(s->r, &c);
	trace = stream_mix(s->trace, c.registered ^ c.unregistered << 20 ^ c.routes << 40);
	end(s);
	return trace;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input_on(data, size);
	uint8_t how = fuzz_u8(&in);
	struct side *s = &the_side;

	the_stream.len = 0;
	if (how & 1) {
		size_t piece = 1 + fuzz_u8(&in);

		while (fuzz_left(&in) && the_stream.len < STREAM_MAX / 2)
			stream_item(&the_stream, &in, WIRE_ROLE_TCPCOPY);
		fuzz_check(in_pieces(STREAM_MAX) == in_pieces(piece));
		return 0;
	}
	begin(s, how & 2);
	for (unsigned i = 0; how == MANY && i < RESPONSE_PEERS_MAX - 1; i++)
		connect_peer(s);
	for (unsigned i = 0; i < PEERS - 1; i++) {
		s->numbers[i] = connect_peer(s);
		if (s->numbers[i] >= 0 && how & 8)
			greet(s, (unsigned)s->numbers[i]);
	}
	while (fuzz_left(&in))
		happen(s, &in);
	end(s);
	return 0;
}
