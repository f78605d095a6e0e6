/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_records.c - the body of a WIRE_RESPONSES message, decoded and given to sessions that stand
 * in different states (established with data in flight, SYN sent, half-closed, finished).
 *
 *	byte 0     bits: which world, how it ends
 *	the rest   the body: count, and records
 *
 * Oracles: the decoder stays within the body, gives no more than it counted, and stays at its word
 * once it has said malformed; a record that is encoded again says the same; and all of the world's
 * (world.h). To reach sessions, a decoded record is read as relative: its id names a session and
 * how much time passes before, its numbers count from where that session stands.
 */
#include <errno.h>

#include "common/packet.h"
#include "common/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

enum {
	RECORDS_GIVEN_MAX = 100, /* of a message, to the world; all are decoded */
	IDS = 16,
	ID_TIME_SHIFT = 8,
	PASS_MAX_MS = 4096,
};

/* ---- sessions in all states ---- */

static void client(struct world *w, size_t flow, uint8_t flags, uint32_t len, uint32_t seen)
{
	struct world_flow *f = &w->flows[flow];
	struct world_packet p = {
		.flow = flow, .flags = flags, .len_bytes = len, .options = flow ? 2 : 3};

	f->seen += seen;
	p.seq = flags & TCP_SYN ? f->isn : f->next;
	p.ack = f->seen;
	f->next = p.seq + len + (flags & TCP_SYN ? 1 : 0);
	world_capture(w, &p);
}

static void target(struct world *w, struct world_session *s, uint8_t flags, uint32_t len)
{
	struct wire_record r = {.seq = s->snd_nxt,
				.ack = s->snd_max,
				.window = 1000,
				.segments = 1,
				.len_bytes = len,
				.flags = flags};

	if (flags & TCP_SYN) {
		r.has_syn_options = r.has_mss = r.has_window_scale = true;
		r.has_timestamps = s->offers_timestamps;
		r.mss = 1000;
		r.window_scale = 3;
	}
	world_record(w, s, r);
}

/* Flows 0, 1, 3 and 6 are clients of the first server. */
static struct world *make_world(uint8_t how)
{
	static const size_t flows[] = {0, 1, 3, 6};
	const struct world_config config = {
		.transfers = how & 1 ? WORLD_TWO_TARGETS : WORLD_ONE_TARGET,
		.has_pool = how & 2,
		.max_sessions = 48,
		.max_memory_bytes = 16 << 20,
		.give_up_us = 10000000,
		.keep_alive_us = 60000000,
		.whole_connections_only = how & 8,
		.now_us = 1000000000,
	};
	struct world *w = world_begin(&config);

	for (size_t i = 0; i < 4; i++)
		client(w, flows[i], TCP_SYN, 0, 0);
	for (size_t i = 0; i < w->session_count; i++)
		if (w->sessions[i].flow != 1)
			target(w, &w->sessions[i], TCP_SYN | TCP_ACK, 0);
	for (size_t i = 0; i < 4; i++) {
		client(w, flows[i], TCP_ACK, 1500, 0);
		client(w, flows[i], TCP_ACK | TCP_PSH, 300, i == 3 ? 0 : 400);
	}
	client(w, 6, TCP_FIN | TCP_ACK, 0, 0);
	for (size_t i = 0; i < w->session_count; i++)
		if (w->sessions[i].flow == 3)
			target(w, &w->sessions[i], TCP_FIN | TCP_ACK, 200);
	return w;
}

static void give(struct world *w, struct wire_record r)
{
	uint32_t id = r.session_id;
	struct world_session *s = world_session_at(w, id % IDS);

	if (!s)
		return;
	if (id >> ID_TIME_SHIFT)
		world_pass(w, (id >> ID_TIME_SHIFT) % PASS_MAX_MS * UINT64_C(1000));
	r.seq += s->snd_nxt;
	r.ack += s->snd_max;
	if (r.has_timestamps)
		r.ts_val += (uint32_t)(w->now_us / 1000);
	world_record(w, s, r);
}

/* ---- the decoder ---- */

static bool is_same(const struct wire_record *a, const struct wire_record *b)
{
	return a->session_id == b->session_id && a->seq == b->seq && a->len_bytes == b->len_bytes &&
	       a->ack == b->ack && a->window == b->window && a->segments == b->segments &&
	       a->flags == b->flags && a->has_sack == b->has_sack &&
	       a->has_timestamps == b->has_timestamps && a->ts_val == b->ts_val &&
	       a->ts_ecr == b->ts_ecr && a->has_syn_options == b->has_syn_options &&
	       a->has_mss == b->has_mss && a->mss == b->mss &&
	       a->has_window_scale == b->has_window_scale && a->window_scale == b->window_scale &&
	       a->has_sack_permitted == b->has_sack_permitted;
}

static void encode_again(const struct wire_record *r)
{
	uint8_t buf[WIRE_HEADER_LEN + 2 + 1 + WIRE_RECORD_MAX];
	struct byte_writer w = byte_writer_on(buf, sizeof(buf));
	struct wire_record_cursor c;
	struct wire_record back;
	struct wire_message m;

	fuzz_check(wire_put_responses(&w, r, 1) == 1 && !w.failed);
	fuzz_check(wire_next(&m, buf, (size_t)(w.at - buf)) == w.at - buf);
	fuzz_check(m.type == WIRE_RESPONSES && wire_records_open(&c, &m) == 0);
	fuzz_check(wire_records_next(&c, &back) == 1 && is_same(r, &back));
	fuzz_check(wire_records_next(&c, &back) == 0);
}

static void check_record(const struct wire_record *r)
{
	fuzz_check(r->segments >= 1 && r->window_scale <= 14 && r->flags <= 0x3f);
	fuzz_check(r->has_syn_options ||
		   (!r->has_mss && !r->has_window_scale && !r->has_sack_permitted));
	encode_again(r);
}

static void decode(struct world *w, const struct wire_message *m)
{
	struct wire_record_cursor c;
	struct wire_record r;
	unsigned count = 0;
	int more;

	errno = 0;
	if (wire_records_open(&c, m)) {
		fuzz_check(errno == EPROTO);
		return;
	}
	while ((more = wire_records_next(&c, &r)) > 0) {
		fuzz_check(++count <= WIRE_RECORDS_PER_MESSAGE);
		check_record(&r);
		if (count <= RECORDS_GIVEN_MAX)
			give(w, r);
	}
	if (more < 0) {
		fuzz_check(errno == EPROTO);
		fuzz_check(wire_records_next(&c, &r) == -1);
	} else {
		fuzz_check(wire_records_next(&c, &r) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input_on(data, size);
	uint8_t how = fuzz_u8(&in);
	size_t len = fuzz_left(&in);
	uint8_t *body = fuzz_copy(in.at, len);
	const struct wire_message m = {.type = WIRE_RESPONSES, .body = body, .body_len_bytes = len};
	struct world *w = make_world(how);

	decode(w, &m);
	free(body);
	if (how & 4)
		world_run_out(w);
	else
		world_end(w);
	return 0;
}
