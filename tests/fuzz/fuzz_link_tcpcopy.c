/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_link_tcpcopy.c - tcpcopy's end of the link under a hostile intercept and a fickle socket.
 *
 *	byte 0     bits: 0: in pieces; 1, 2: the size of the output buffer
 *	the rest   items: what intercept sends (link_stream.h), and what else happens
 *
 * Oracles: call-backs only in the states that allow them; the input has room for a message, the
 * output stays within its buffer and is a good stream of messages, hello first; timers come to an
 * end; after a drain intercept has been told of exactly the sessions that live. In pieces: the
 * same stream, cut in another way, leads to the same calls and the same state.
 */
#include "common/wire.h"
#include "tcpcopy/intercept_link.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/link_stream.h"

enum {
	IDS = 16,
	SAME_MOMENT_MAX = 16,
	WRITTEN_MAX = 1 << 21,
	START_US = 1000000,
	OUTPUT_LARGE =
		1 << 16, /* the real one is megabytes, whose making takes the time of a run */
};

struct link {
	struct intercept_link *l;
	uint64_t now_us;
	bool is_open; /* a socket, perhaps still connecting */
	bool connect_fails;
	size_t output_max;
	bool lives[IDS];
	bool is_told[IDS]; /* what intercept knows by now */
	bool has_hello;
	uint8_t written[WRITTEN_MAX]; /* by this connection */
	size_t written_len;
	size_t parsed;
	uint64_t trace;
	enum intercept_link_state state;
};

static struct link the_link;
static struct stream the_stream;

/* ---- call-backs ---- */

static int on_connect(void *ctx, const struct endpoint *to, const char **why)
{
	struct link *x = ctx;

	fuzz_check(!x->is_open && to->port == WIRE_PORT_DEFAULT);
	x->written_len = x->parsed = 0;
	x->has_hello = false;
	memset(x->is_told, 0, sizeof(x->is_told));
	if (x->connect_fails) {
		*why = "no way";
		return -1;
	}
	x->is_open = true;
	return 0;
}

static void on_close(void *ctx)
{
	struct link *x = ctx;

	fuzz_check(x->is_open);
	x->is_open = false;
	x->trace = stream_mix(x->trace, 1);
}

static void on_record(void *ctx, const struct wire_record *r, uint64_t now_us)
{
	struct link *x = ctx;

	fuzz_check(x->is_open && x->state == INTERCEPT_LINK_UP && now_us == x->now_us);
	fuzz_check(r->segments > 0 && r->window_scale <= 14);
	x->trace = stream_mix(x->trace, r->session_id ^ (uint64_t)r->seq << 32);
}

static void on_path_mtu(void *ctx, const struct wire_path_mtu *m, uint64_t now_us)
{
	struct link *x = ctx;

	fuzz_check(x->is_open && x->state == INTERCEPT_LINK_UP && now_us == x->now_us);
	x->trace = stream_mix(x->trace, m->session_id ^ (uint64_t)m->seq << 32 ^ m->mtu_bytes);
}

static void on_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	struct link *x = ctx;

	fuzz_check(x->is_open && x->state == INTERCEPT_LINK_UP && now_us == x->now_us);
	x->trace = stream_mix(x->trace, session_id + UINT64_C(0x100000000));
}

static void on_state(void *ctx, enum intercept_link_state state, const char *why, uint64_t now_us)
{
	struct link *x = ctx;

	fuzz_check(now_us == x->now_us && strlen(why) < INTERCEPT_LINK_WHY_MAX);
	fuzz_check(state != INTERCEPT_LINK_UP || x->state == INTERCEPT_LINK_HELLO);
	for (const char *c = why; *c; c++)
		fuzz_check(*c >= ' ' && *c <= '~'); /* it goes into a log */
	x->state = state;
	x->trace = stream_mix(x->trace, 2 + (unsigned)state);
}

static const struct intercept_link_effects effects = {
	.connect = on_connect,
	.close = on_close,
	.record = on_record,
	.path_mtu = on_path_mtu,
	.refused = on_refused,
	.link_state = on_state,
};

/* ---- what tcpcopy writes ---- */

static void hear_register(struct link *x, const struct wire_message *m)
{
	struct wire_register r;
	struct tuple told;

	fuzz_check(wire_get_register(&r, m) == 0 && r.session_id < IDS);
	told = stream_tuple(r.session_id);
	told.protocol = PROTOCOL_TCP;
	fuzz_check(tuple_equal(&r.response, &told));
	x->is_told[r.session_id] = true;
}

static void hear(struct link *x, const struct wire_message *m)
{
	struct wire_session_id id;
	struct wire_hello hello;
	bool urgent;

	fuzz_check(x->has_hello || m->type == WIRE_HELLO);
	switch (m->type) {
	case WIRE_HELLO:
		fuzz_check(!x->has_hello && wire_get_hello(&hello, m) == 0);
		fuzz_check(hello.role == WIRE_ROLE_TCPCOPY && hello.version == WIRE_VERSION);
		x->has_hello = true;
		break;
	case WIRE_REGISTER:
		hear_register(x, m);
		break;
	case WIRE_UNREGISTER:
		fuzz_check(wire_get_session_id(&id, m) == 0 && id.session_id < IDS);
		x->is_told[id.session_id] = false;
		break;
	case WIRE_URGENCY:
		fuzz_check(wire_get_urgency(&urgent, m) == 0);
		break;
	default:
		fuzz_check(m->type == WIRE_HEARTBEAT);
		break;
	}
}

static void write_out(struct link *x, size_t most)
{
	struct wire_message m;
	size_t len;
	const uint8_t *out = intercept_link_output(x->l, &len);
	long n;

	if (len > most)
		len = most;
	if (len > WRITTEN_MAX - x->written_len)
		return;
	memcpy(x->written + x->written_len, out, len);
	x->written_len += len;
	intercept_link_on_written(x->l, len);
	while ((n = wire_next(&m, x->written + x->parsed, x->written_len - x->parsed)) != 0) {
		fuzz_check(n > 0);
		hear(x, &m);
		x->parsed += (size_t)n;
	}
}

/* ---- what happens ---- */

static void check(struct link *x)
{
	size_t room, len;

	fuzz_check(intercept_link_state(x->l) == x->state);
	fuzz_check(x->is_open == (x->state != INTERCEPT_LINK_IDLE));
	intercept_link_input(x->l, &room);
	fuzz_check(!x->is_open || room >= WIRE_MESSAGE_MAX);
	intercept_link_output(x->l, &len);
	fuzz_check(len <= x->output_max);
	fuzz_check(x->state != INTERCEPT_LINK_IDLE || len == 0);
}

/* The socket gives len bytes. */
static void feed(struct link *x, const uint8_t *bytes, size_t len)
{
	while (len && x->is_open && x->state != INTERCEPT_LINK_CONNECTING) {
		size_t room;
		uint8_t *at = intercept_link_input(x->l, &room);
		size_t n = len < room ? len : room;

		memcpy(at, bytes, n);
		intercept_link_on_input(x->l, n, x->now_us);
		check(x);
		bytes += n;
		len -= n;
	}
}

static void pass(struct link *x, uint64_t us)
{
	uint64_t until_us = x->now_us + us;
	unsigned same_moment = 0;

	do {
		uint64_t next = intercept_link_next_us(x->l);

		if (next > x->now_us)
			same_moment = 0;
		else
			fuzz_check(++same_moment < SAME_MOMENT_MAX);
		if (next > x->now_us)
			x->now_us = next < until_us ? next : until_us;
		intercept_link_on_time(x->l, x->now_us);
		check(x);
	} while (x->now_us < until_us);
}

/* As the owner does: some sessions, as many as there is room for. */
static void resync(struct link *x)
{
	size_t room = intercept_link_resync_room(x->l);
	uint32_t *cursor;

	if (!room)
		return;
	cursor = intercept_link_resync_cursor(x->l);
	for (; *cursor < IDS && room; ++*cursor) {
		const struct tuple t = stream_tuple(*cursor);

		if (!x->lives[*cursor])
			continue;
		intercept_link_register(x->l, *cursor, &t);
		room--;
	}
	if (*cursor == IDS)
		intercept_link_resync_done(x->l);
}

static void begin_or_end(struct link *x, unsigned id)
{
	const struct tuple t = stream_tuple(id);

	x->lives[id] = !x->lives[id];
	if (x->lives[id])
		intercept_link_register(x->l, id, &t);
	else
		intercept_link_unregister(x->l, id);
}

static void happen(struct link *x, struct fuzz_input *in)
{
	static const uint64_t units[] = {1, 1000, 100000, 5000000};
	uint8_t what = fuzz_u8(in);

	switch (what % 10) {
	case 0:
		x->connect_fails = what & 0x40;
		pass(x, fuzz_u8(in) * units[what >> 4 & 3]);
		break;
	case 1:
		if (x->state == INTERCEPT_LINK_CONNECTING)
			intercept_link_on_connected(x->l, x->now_us);
		break;
	case 2:
		if (x->is_open) {
			x->is_open = false;
			intercept_link_on_closed(x->l, "reset", x->now_us);
		}
		break;
	case 3:
		write_out(x, fuzz_u8(in));
		break;
	case 4:
		begin_or_end(x, fuzz_u8(in) % IDS);
		break;
	case 5:
		resync(x);
		break;
	case 6:
		intercept_link_urgency(x->l, what & 0x40);
		break;
	default:
		the_stream.len = 0;
		stream_item(&the_stream, in, WIRE_ROLE_INTERCEPT);
		feed(x, the_stream.bytes, the_stream.len);
		break;
	}
}

/* ---- beginning and end ---- */

static void begin(struct link *x, size_t output_max)
{
	struct endpoint addresses[2] = {
		{.addr = ip_addr_v4(0x7f000001), .port = WIRE_PORT_DEFAULT},
		{.addr = ip_addr_v4(0x7f000002), .port = WIRE_PORT_DEFAULT}};
	const struct intercept_link_config config = {.name = "assistant",
						     .addresses = addresses,
						     .address_count = 2,
						     .instance_id = 1,
						     .output_max_bytes = output_max};

	x->now_us = START_US;
	x->is_open = x->connect_fails = x->has_hello = false;
	x->output_max = output_max;
	x->state = INTERCEPT_LINK_IDLE;
	x->trace = 0;
	x->written_len = x->parsed = 0;
	memset(x->lives, 0, sizeof(x->lives));
	x->l = intercept_link_new(&config, &effects, x, x->now_us);
	fuzz_check(x->l != NULL);
}

/* Connected, and its hello out. */
static void connect_now(struct link *x)
{
	pass(x, 1);
	intercept_link_on_connected(x->l, x->now_us);
	write_out(x, SIZE_MAX);
	check(x);
}

static void drain(struct link *x)
{
	for (unsigned i = 0; i < IDS + 4 && x->state == INTERCEPT_LINK_UP; i++) {
		write_out(x, SIZE_MAX);
		resync(x);
	}
	pass(x, 0);
	if (x->state != INTERCEPT_LINK_UP)
		return;
	write_out(x, SIZE_MAX);
	fuzz_check(intercept_link_resync_room(x->l) == 0);
	fuzz_check(!memcmp(x->lives, x->is_told, sizeof(x->lives)));
}

/* The whole stream in pieces of about this size: a trace of what that led to. */
static uint64_t in_pieces(size_t piece)
{
	struct intercept_link_stats stats;
	struct link *x = &the_link;
	uint64_t trace;

	begin(x, OUTPUT_LARGE);
	connect_now(x);
	for (size_t at = 0; at < the_stream.len; at += piece) {
		size_t left = the_stream.len - at;

		feed(x, the_stream.bytes + at, left < piece ? left : piece);
	}
	intercept_link_get_stats(x->l, &stats);
	trace = stream_mix(x->trace, stats.records ^ stats.messages << 32);
	intercept_link_free(x->l);
	return trace;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t output_sizes[] = {OUTPUT_LARGE, 1024, 2048, 4096};
	struct fuzz_input in = fuzz_input_on(data, size);
	uint8_t how = fuzz_u8(&in);
	struct link *x = &the_link;

	the_stream.len = 0;
	if (how & 1) {
		size_t piece = 1 + fuzz_u8(&in);

		while (fuzz_left(&in) && the_stream.len < STREAM_MAX / 2)
			stream_item(&the_stream, &in, WIRE_ROLE_INTERCEPT);
		fuzz_check(in_pieces(STREAM_MAX) == in_pieces(piece));
		return 0;
	}
	begin(x, output_sizes[how >> 1 & 3]);
	if (how & 0x80)
		connect_now(x);
	while (fuzz_left(&in)) {
		happen(x, &in);
		check(x);
	}
	drain(x);
	intercept_link_free(x->l);
	return 0;
}
