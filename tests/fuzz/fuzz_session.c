/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_session.c - sequences of events on a replay core: packets of clients and online servers,
 * records of targets, time, a full sender, links that go, registrations that are refused. The
 * oracles are the world's (world.h).
 *
 * An input is a list of steps of eight bytes; the first one says how the world is made. Numbers in
 * a step are relative to where its client or session stands, so that most of what a mutation makes
 * is meaningful. Mutations and crossovers keep to whole steps (step_mutator.c).
 */
#include "common/packet.h"
#include "common/seq.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/step.h"
#include "tests/fuzz/world.h"

static const uint8_t record_flags[] = {
	TCP_ACK,
	TCP_ACK | TCP_PSH,
	TCP_FIN | TCP_ACK,
	TCP_RST,
	TCP_RST | TCP_ACK,
	TCP_SYN | TCP_ACK,
	TCP_SYN,
	0,
	TCP_FIN | TCP_ACK | TCP_PSH,
	0x3f,
};

/* ---- clients and online servers ---- */

static uint32_t length_of(uint16_t a)
{
	if ((a & 0xf000) == 0xf000)
		return WORLD_PAYLOAD_MAX;
	return a & 0x8000 ? (a & 0x3fffu) : a & 0x07ff;
}

static enum world_damage damage_of(uint8_t y)
{
	return y >= 240 ? 1 + y % (WORLD_DAMAGES - 1) : WORLD_SOUND;
}

static void client_syn(struct world *w, const struct step *s)
{
	struct world_flow *f = &w->flows[s->who % WORLD_FLOWS];
	bool anew = (s->x & 1) && f->isn_count < WORLD_ISNS_MAX;
	struct world_packet p = {
		.flow = s->who % WORLD_FLOWS,
		.flags = TCP_SYN | (s->x & 0x40 ? TCP_FIN : 0) | (s->x & 0x80 ? TCP_PSH : 0),
		.options = s->x >> 1 & 15,
		.damage = damage_of(s->y),
		.len_bytes = s->x & 0x20 ? s->a & 0x3ff : 0,
	};

	if (anew) {
		f->isn += 1 + (s->b & 0x8000 ? (uint32_t)s->b << 16 : s->b);
		f->server_isn += 100000;
	}
	p.seq = f->isn;
	if (anew || f->next == f->isn) {
		f->next = f->isn + 1 + p.len_bytes;
		f->seen = f->server_isn + 1;
	}
	world_capture(w, &p);
}

/* Where a packet of the client stands: mostly where it should. */
static uint32_t client_seq(const struct world_flow *f, const struct step *s)
{
	int8_t delta = (int8_t)s->y;

	switch (s->x & 7) {
	case 1: /* beyond a hole */
		return f->next + s->y;
	case 2: /* said before */
		return f->next - length_of(s->a);
	case 3:
		return f->next + (uint32_t)delta;
	case 4:
		return f->isn + 1;
	case 5:
		return f->isn + 1 + (s->b & 0x0fffu);
	case 6: /* far away */
		return s->y & 1 ? f->next + ((uint32_t)s->b << 12) : f->isn + (uint32_t)delta;
	default:
		return f->next;
	}
}

static void client_says(struct world *w, const struct step *s)
{
	struct world_flow *f = &w->flows[s->who % WORLD_FLOWS];
	bool in_order = (s->x & 7) == 0 || (s->x & 7) == 7;
	struct world_packet p = {
		.flow = s->who % WORLD_FLOWS,
		.flags = TCP_ACK,
		.seq = client_seq(f, s),
		.len_bytes = length_of(s->a),
		.variant = (s->x & 0x88) == 0x88,
		.damage = in_order ? damage_of(s->y) : WORLD_SOUND,
		.on_ethernet = s->who & 0x80,
	};

	f->seen += s->b & 0x0fff;
	p.ack = f->seen - (s->b & 0x8000 ? s->y : 0);
	if (s->op == STEP_CLIENT_ACK)
		p.len_bytes = 0;
	if (s->op == STEP_CLIENT_FIN || (s->x & 0x70) == 0x10)
		p.flags |= TCP_FIN;
	if (s->op == STEP_CLIENT_RST)
		p.flags = (uint8_t)(TCP_RST | (s->x & 0x10 ? TCP_ACK : 0));
	if ((s->x & 0x70) == 0x20)
		p.flags = (uint8_t)(p.flags & ~TCP_ACK);
	if (s->x & 0x40)
		p.flags |= TCP_PSH;
	if (in_order && p.damage < WORLD_WRONG_CHECKSUM)
		f->next += p.len_bytes;
	world_capture(w, &p);
}

static void server_says(struct world *w, const struct step *s)
{
	static const uint8_t flags[] = {TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST,
					TCP_RST | TCP_ACK};
	struct world_flow *f = &w->flows[s->who % WORLD_FLOWS];
	struct world_packet p = {
		.flow = s->who % WORLD_FLOWS,
		.from_server = true,
		.flags = flags[s->x & 3],
		.seq = f->seen + (s->x & 4 ? s->b : 0),
		.ack = f->next - (s->x & 8 ? s->y : 0),
		.damage = s->x & 16 ? damage_of(s->y) : WORLD_SOUND,
	};

	if (p.flags & TCP_SYN) {
		p.seq = f->server_isn;
		p.ack = f->isn + 1 + (s->x & 8 ? s->y : 0);
	}
	world_capture(w, &p);
}

/* The usual beginning of a connection, both handshakes. */
static void client_begins(struct world *w, const struct step *s)
{
	struct step syn = *s, synack = *s, ack = *s;

	syn.x = (uint8_t)(1 | (s->x & 0x1e));
	synack.x = 0;
	ack.op = STEP_CLIENT_ACK;
	ack.x = 0;
	syn.y = ack.y = 0;
	ack.b = 0;
	client_syn(w, &syn);
	server_says(w, &synack);
	client_says(w, &ack);
}

/* ---- the target ---- */

static void fill_syn_options(struct wire_record *r, const struct step *s)
{
	r->has_syn_options = true;
	r->has_mss = s->y & 1;
	r->mss = s->y & 2 ? 1460 : s->b;
	r->has_window_scale = s->y & 4;
	r->window_scale = s->y >> 4 < 15 ? s->y >> 4 : 14;
	r->has_sack_permitted = s->y & 8;
}

static struct wire_record record_at(const struct world *w, const struct world_session *session)
{
	return (struct wire_record){
		.seq = session->snd_nxt,
		.ack = session->snd_max,
		.window = UINT16_MAX,
		.segments = 1,
		.flags = TCP_ACK,
		.has_timestamps = session->offers_timestamps,
		.ts_val = (uint32_t)(w->now_us / 1000),
	};
}

/* Any record: its parts near the truth, or not. */
static void target_says(struct world *w, const struct step *s)
{
	struct world_session *session = world_session_at(w, s->who);
	int8_t delta = (int8_t)s->y;
	struct wire_record r;

	if (!session)
		return;
	r = record_at(w, session);
	r.flags = record_flags[s->op - STEP_RECORD_ACK];
	if (r.flags & TCP_PSH || s->x & 0x80)
		r.len_bytes = s->a & 0x8000 ? (s->a & 0x7fffu) << 7 : s->a;
	r.seq += (s->x & 3) == 1   ? (uint32_t)delta
		 : (s->x & 3) == 2 ? 0u - r.len_bytes
		 : (s->x & 3) == 3 ? (uint32_t)s->b << 16
				   : 0;
	switch (s->x >> 2 & 3) {
	case 1:
		r.ack = session->acked; /* once more */
		break;
	case 2:
		r.ack = session->acked + s->b % (world_in_flight(session) + 1);
		break;
	case 3:
		r.ack += s->y & 1 ? (uint32_t)delta : (uint32_t)s->b << 8;
		break;
	default:
		break;
	}
	r.window = (s->x & 0x30) == 0x10   ? 0
		   : (s->x & 0x30) == 0x20 ? s->b
		   : (s->x & 0x30) == 0x30 ? 500
					   : UINT16_MAX;
	r.segments = s->x & 0x40 ? (uint16_t)(s->b | 1) : 1;
	if (r.flags & TCP_SYN)
		fill_syn_options(&r, s);
	if (s->y == 0x55)
		r.ts_val -= s->b;
	world_record(w, session, r);
}

/* As a good target does: takes all that has come, and answers. */
static void answer(struct world *w, struct world_session *session, uint32_t len, uint8_t flags)
{
	struct wire_record r;

	if (!session->is_registered || !session->has_syn)
		return;
	r = record_at(w, session);
	r.len_bytes = len;
	r.flags |= flags | (len ? TCP_PSH : 0);
	if (!session->is_accepted) {
		r.flags = TCP_SYN | TCP_ACK;
		r.len_bytes = 0;
		r.ack = session->iss + 1;
		r.has_syn_options = r.has_mss = r.has_window_scale = true;
		r.mss = 1460;
		r.window_scale = 7;
	}
	world_record(w, session, r);
}

static void target_answers(struct world *w, const struct step *s)
{
	struct world_session *session = world_session_at(w, s->who);
	uint8_t flags = s->x & 2 ? TCP_FIN : 0;

	if (!session)
		return;
	if (!(s->x & 1)) {
		answer(w, session, s->a & 0x1fff, flags);
		return;
	}
	for (size_t i = 0; i < w->session_count; i++)
		answer(w, &w->sessions[i], s->a & 0x1fff, flags);
}

static void stray_record(struct world *w, const struct step *s)
{
	const struct wire_record r = {
		.session_id = (uint32_t)s->a << 16 | s->b,
		.flags = s->x,
		.segments = 1,
	};

	world_stray_record(w, &r);
}

/* ---- everything else ---- */

static void time_passes(struct world *w, const struct step *s)
{
	uint64_t next = replay_next_us(w->replay);

	switch (s->x & 7) {
	case 0:
		world_pass(w, s->a);
		break;
	case 1:
	case 2:
		world_pass(w, (uint64_t)s->a * 1000);
		break;
	case 3:
		world_pass(w, (uint64_t)s->a * 100000);
		break;
	case 4:
		world_jump(w, (uint64_t)s->a * 1000);
		break;
	case 5:
		world_jump(w, (uint64_t)s->a * 200000);
		break;
	default: /* to the next timer */
		if (next != UINT64_MAX && next > w->now_us)
			world_jump(w, next - w->now_us);
		break;
	}
}

static void refused(struct world *w, const struct step *s)
{
	const struct world_session *session = world_session_at(w, s->who);

	if (session)
		world_refuse(w, session);
}

static uint64_t taken_too_big(const struct world *w)
{
	struct ledger_target total;

	ledger_total(replay_ledger(w->replay), &total);
	return total.traffic.too_big;
}

/* A router says that something was too big: of what is in flight, or of any byte. What was never sent cannot have been. */
static void too_big(struct world *w, const struct step *s)
{
	const struct world_session *session = world_session_at(w, s->who);
	struct wire_path_mtu m = {.mtu_bytes = s->b, .len_bytes = s->y * 16u};
	uint64_t taken = taken_too_big(w);
	bool was_sent;

	if (!session)
		return;
	m.session_id = session->id;
	m.seq = session->acked +
		(s->x & 1 ? (uint32_t)s->a << 16 : s->a % (world_in_flight(session) + 2));
	if (s->x & 2)
		m.mtu_bytes = s->x & 4 ? 0 : UINT32_MAX - s->b;
	was_sent = session->has_syn && seq_lt(m.seq, session->snd_max);
	replay_on_path_mtu(w->replay, &m, w->now_us);
	fuzz_check(was_sent || taken_too_big(w) == taken);
	world_end_batch(w);
}

static void take_step(struct world *w, const struct step *s)
{
	switch (s->op) {
	case STEP_CLIENT_SYN:
		client_syn(w, s);
		break;
	case STEP_CLIENT_BEGINS:
		client_begins(w, s);
		break;
	case STEP_CLIENT_DATA:
	case STEP_CLIENT_ACK:
	case STEP_CLIENT_FIN:
	case STEP_CLIENT_RST:
		client_says(w, s);
		break;
	case STEP_SERVER:
		server_says(w, s);
		break;
	case STEP_TARGET_ANSWERS:
		target_answers(w, s);
		break;
	case STEP_STRAY_RECORD:
		stray_record(w, s);
		break;
	case STEP_TIME:
		time_passes(w, s);
		break;
	case STEP_SENDER_ROOM:
		w->emit_room = s->x & 1 ? -1 : s->a % 8;
		world_end_batch(w);
		break;
	case STEP_HOLD:
		w->hold = !w->hold;
		world_end_batch(w);
		break;
	case STEP_LINKS:
		world_links(w, s->x % 3);
		break;
	case STEP_REFUSED:
		refused(w, s);
		break;
	case STEP_REGISTER_AGAIN:
		world_register_again(w);
		break;
	case STEP_NO_MEMORY:
		world_lose_memory(w, s->a % 16, s->x % 4);
		break;
	case STEP_TOO_BIG:
		too_big(w, s);
		break;
	case STEP_MTU:
		replay_set_mtu(w->replay, s->x % w->targets, s->a & 0x8000 ? 1500 : s->a);
		break;
	default:
		target_says(w, s);
		break;
	}
}

static struct world *make_world(const struct step *s)
{
	static const uint64_t moments[] = {1000000000, UINT64_C(0xfffffff0) * 1000,
					   UINT64_C(0x3fffffff0), 1};
	static const uint32_t sessions[] = {48, 48, 4, 1};
	static const uint64_t memory[] = {16 << 20, 16 << 20, 600 << 10, 300 << 10};
	const struct world_config config = {
		.transfers = s->op % WORLD_TRANSFERS,
		.has_pool = s->who & 1,
		.own_addresses = s->who & 2,
		.max_sessions = sessions[s->x & 3],
		.max_memory_bytes = memory[s->x >> 6],
		.give_up_us = s->x & 8 ? 5000000 : 60000000,
		.keep_alive_us = s->x & 16 ? 30000000 : UINT64_C(7200000000),
		.whole_connections_only = s->x & 32,
		.now_us = moments[s->y & 3],
	};

	return world_begin(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input_on(data, size);
	struct step first = step_take(&in);
	struct world *w = make_world(&first);

	for (unsigned n = 0; fuzz_left(&in) && n < STEPS_MAX; n++) {
		struct step s = step_take(&in);

		s.op %= STEPS;
		take_step(w, &s);
	}
	if (first.y & 4)
		world_run_out(w);
	else
		world_end(w);
	return 0;
}
