/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.c - the events of the world: what is given to the core, and what the world remembers of
 * it for its oracles (world_check.c).
 */
#include "tests/fuzz/world.h"

#include <string.h>

#include "common/packet.h"
#include "common/seq.h"
#include "tests/fuzz/fuzz.h"

enum {
	JUDGED_MAX = 1400,
	FRAME_MAX = 14 + 40 + 40 + WORLD_PAYLOAD_MAX,
	SAME_MOMENT_MAX = 64, /* wake-ups without time passing */
	WAKE_UPS_FREE = 400,
	WAKE_UP_PACE_US = 100000, /* a session asks for no more than this many wake-ups a second */
	LATER_US = 1000000000,
};

static struct world the_world;

/* ---- beginning ---- */

static struct endpoint v4(uint32_t addr, uint16_t port)
{
	return (struct endpoint){.addr = ip_addr_v4(addr), .port = port};
}

static struct endpoint v6(uint8_t net, uint8_t host, uint16_t port)
{
	const uint8_t b[16] = {0x20, 0x01, 0x0d, 0xb8, net, [15] = host};

	return (struct endpoint){.addr = ip_addr_v6_bytes(b), .port = port};
}

static const uint32_t server_v4 = 0x0a000002, target_v4 = 0x0a010001, client_v4 = 0x0a090001;

/* Clients that share addresses and ports with each other; the last one is none of ours. */
static void make_flows(struct world *w)
{
	const struct endpoint ends[WORLD_FLOWS][2] = {
		{v4(client_v4, 40000), v4(server_v4, 80)},
		{v4(client_v4 + 1, 40000), v4(server_v4, 80)},
		{v4(client_v4, 40000), v4(server_v4, 81)},
		{v4(client_v4, 40001), v4(server_v4, 80)},
		{v6(9, 1, 40000), v6(0, 2, 80)},
		{v4(client_v4 + 1, 40000), v4(server_v4, 81)},
		{v4(client_v4 + 2, 1), v4(server_v4, 80)},
		{v4(client_v4, 40000), v4(server_v4, 82)},
	};

	for (size_t i = 0; i < WORLD_FLOWS; i++) {
		struct world_flow *f = &w->flows[i];

		f->client = ends[i][0];
		f->server = ends[i][1];
		/* Some begin shortly before the wrap. */
		f->isn = i % 2 ? 1000 : (uint32_t)-700;
		f->server_isn = i % 3 ? 50000 : (uint32_t)-300;
		f->next = f->isn;
		f->seen = f->server_isn + 1;
		f->isn_count = f->piece_count = f->fin_count = 0;
		f->is_plain = true;
		f->ends_oddly = false;
		f->has_baseline = false;
	}
}

static size_t make_transfers(struct transfer *t, const struct world_config *config)
{
	struct endpoint server = config->own_addresses ? v4(0, 80) : v4(server_v4, 80);

	t[0] = (struct transfer){.source = server, .target = v4(target_v4, 8080)};
	switch (config->transfers) {
	case WORLD_TWO_PORTS:
		t[1] = (struct transfer){.source = v4(server_v4, 81),
					 .target = v4(target_v4, 8080)};
		return 2;
	case WORLD_TWO_TARGETS:
		t[1] = (struct transfer){.source = server, .target = v4(target_v4 + 1, 8080)};
		return 2;
	case WORLD_IPV6:
		t[1] = (struct transfer){.source = v6(0, 2, 80), .target = v6(1, 1, 8080)};
		return config->has_pool ? 1 : 2;
	case WORLD_ONE_TARGET:
	case WORLD_TRANSFERS:
		break;
	}
	return 1;
}

struct world *world_begin(const struct world_config *config)
{
	struct world *w = &the_world;
	struct transfer transfers[2];
	struct addr_range pool = {ip_addr_v4(0x0a030001), ip_addr_v4(0x0a030002)};
	struct ip_addr own = ip_addr_v4(server_v4);
	struct replay_config c = {
		.transfers = transfers,
		.transfer_count = make_transfers(transfers, config),
		.client_pool = config->has_pool ? &pool : NULL,
		.client_pool_count = config->has_pool,
		.key = {1, 2},
		.isn_secret = {3, 4},
		.give_up_us = config->give_up_us,
		.keep_alive_us = config->keep_alive_us,
		.whole_connections_only = config->whole_connections_only,
		.copies = 1,
		.max_memory_bytes = config->max_memory_bytes,
		.max_sessions = config->max_sessions,
		.check_checksums = true,
		.online_mtu_bytes = 1500,
	};

	w->config = *config;
	w->now_us = config->now_us;
	w->targets = c.transfer_count;
	w->session_count = 0;
	w->moving = NULL;
	w->speaking = WORLD_FLOWS;
	world_memory_fails(0, 0);
	w->hold = w->urgent = w->is_over = false;
	w->emit_room = -1;
	w->frames = w->captured_bytes = w->segments = 0;
	make_flows(w);
	w->replay = replay_new(&c, &world_effects, w, w->now_us);
	fuzz_check(w->replay != NULL);
	fuzz_check(replay_set_local_addresses(w->replay, &own, 1) == 0);
	replay_on_links(w->replay, 1, w->now_us);
	return w;
}

/* ---- what happens ---- */

static void end_batch(struct world *w)
{
	world_memory_of_core(true);
	replay_end_batch(w->replay, w->now_us);
	world_memory_of_core(false);
}

void world_end_batch(struct world *w)
{
	if (!w->hold)
		end_batch(w);
	world_check(w);
}

/* What the oracle of gates has to know: before which packets no answer can have been seen. */
static void note_acknowledgement(struct world_flow *f, const struct world_packet *p)
{
	if (!f->isn_count || p->damage == WORLD_WRONG_CHECKSUM || p->damage == WORLD_CUT_HEADER)
		return;
	if (p->from_server) {
		if ((p->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != (TCP_SYN | TCP_ACK))
			return;
		if (f->has_baseline || p->ack != f->isn + 1) /* it may count, or not */
			f->is_plain = f->is_plain && f->has_baseline;
		else
			f->baseline = p->seq + 1;
		f->has_baseline = true;
		return;
	}
	if (!(p->flags & TCP_ACK) || (p->flags & TCP_SYN))
		return;
	/* One that is ignored for its number says nothing; a jump is not believed. */
	if (seq_lt(p->seq, f->isn) || seq_gt(p->seq, f->isn + (1 << 20)))
		f->is_plain = false;
	if (!f->has_baseline)
		f->baseline = p->ack;
	f->has_baseline = true;
	if (seq_diff(p->ack, f->baseline) > 1 << 29)
		f->is_plain = false;
}

static void note_syn(struct world_flow *f, const struct world_packet *p)
{
	/* Another connection has another baseline, even if it begins with the same number. */
	if (f->piece_count || f->has_baseline)
		f->is_plain = false;
	for (size_t i = 0; i < f->isn_count; i++)
		if (f->isns[i] == p->seq)
			return;
	if (f->isn_count)
		f->is_plain = false;
	fuzz_check(f->isn_count < WORLD_ISNS_MAX);
	f->isns[f->isn_count++] = p->seq;
}

/* Where the FIN stands, and whether more than it was said. */
static void note_end(struct world_flow *f, const struct world_packet *p, uint32_t end)
{
	bool is_fin = p->flags & TCP_FIN;

	for (size_t i = 0; i < f->fin_count; i++)
		f->ends_oddly |= seq_gt(end, f->fins[i]);
	if (is_fin && f->piece_count && seq_gt(f->said_to, end))
		f->ends_oddly = true;
	if (!f->piece_count || seq_gt(end, f->said_to))
		f->said_to = end;
	if (is_fin && f->fin_count < WORLD_ISNS_MAX)
		f->fins[f->fin_count++] = end;
}

static void note_payload(struct world_flow *f, const struct world_packet *p)
{
	uint32_t syn = p->flags & TCP_SYN ? 1 : 0;
	uint32_t captured =
		p->damage == WORLD_CUT_PAYLOAD ? p->len_bytes - p->len_bytes / 2 : p->len_bytes;
	/* One more may be the server's FIN, which is no answer. */
	bool seen = (p->flags & TCP_ACK) && f->has_baseline && seq_gt(p->ack, f->baseline + 1);

	/* Without an acknowledgement of its own the last one counts, without PSH it may go on. */
	if (p->len_bytes && (!(p->flags & TCP_ACK) || !(p->flags & TCP_PSH) || syn))
		f->is_plain = false;
	note_end(f, p, p->seq + syn + p->len_bytes);
	if (captured && f->piece_count < WORLD_PIECES_MAX)
		f->pieces[f->piece_count++] =
			(struct world_piece){p->seq + syn, captured, p->variant, seen};
}

void world_capture(struct world *w, const struct world_packet *packet)
{
	static uint8_t buf[FRAME_MAX];
	struct world_packet copy = *packet;
	const struct world_packet *p = &copy;
	struct world_flow *f = &w->flows[packet->flow];
	size_t captured, len;
	int link_type;
	uint8_t *frame;

	if (f->piece_count == WORLD_PIECES_MAX || p->len_bytes > WORLD_PAYLOAD_MAX)
		return;
	if (copy.damage == WORLD_WRONG_CHECKSUM && p->len_bytes > JUDGED_MAX)
		copy.damage = WORLD_SOUND; /* that of a super-packet says nothing */
	world_trace_packet(w, p);
	len = world_frame(buf, w, p, &captured, &link_type);
	note_acknowledgement(f, p);
	if (!p->from_server && p->damage != WORLD_WRONG_CHECKSUM && p->damage != WORLD_CUT_HEADER) {
		if ((p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
			note_syn(f, p);
		note_payload(f, p);
	}
	w->speaking = p->flow;
	w->frames++;
	w->captured_bytes += p->len_bytes;
	frame = fuzz_copy(buf, captured);
	world_memory_of_core(true);
	replay_on_frame(w->replay, link_type, frame, captured, len, w->now_us);
	world_memory_of_core(false);
	w->speaking = WORLD_FLOWS;
	free(frame);
	world_end_batch(w);
}

void world_record(struct world *w, struct world_session *s, struct wire_record r)
{
	r.session_id = s->id;
	world_trace_record(w, s, &r);
	if (s->is_registered) {
		world_heard(s, &r);
		if (r.seq == s->snd_nxt && !(r.flags & TCP_RST))
			s->snd_nxt =
				r.seq + r.len_bytes + ((r.flags & (TCP_SYN | TCP_FIN)) ? 1 : 0);
	}
	world_memory_of_core(true);
	replay_on_record(w->replay, &r, w->now_us);
	world_memory_of_core(false);
	world_end_batch(w);
}

void world_stray_record(struct world *w, const struct wire_record *r)
{
	for (size_t i = 0; i < w->session_count; i++)
		if (w->sessions[i].is_registered && w->sessions[i].id == r->session_id)
			return;
	world_trace(w, "stray record", r->session_id);
	replay_on_record(w->replay, r, w->now_us);
	world_end_batch(w);
}

void world_refuse(struct world *w, const struct world_session *s)
{
	world_trace(w, "refused", (uint64_t)(s - w->sessions));
	w->moving = s;
	world_memory_of_core(true);
	replay_on_register_refused(w->replay, s->id, w->now_us);
	world_memory_of_core(false);
	w->moving = NULL;
	world_end_batch(w);
}

void world_links(struct world *w, unsigned up)
{
	world_trace(w, "links", up);
	replay_on_links(w->replay, up, w->now_us);
	world_end_batch(w);
}

static void on_each(void *ctx, uint32_t id, const struct tuple *response)
{
	struct world *w = ctx;

	for (size_t i = 0; i < w->session_count; i++) {
		const struct world_session *s = &w->sessions[i];

		if (s->is_registered && s->id == id && tuple_equal(&s->response, response)) {
			w->counted++;
			return;
		}
	}
	fuzz_check(!"only what is registered is registered again");
}

void world_register_again(struct world *w)
{
	uint32_t cursor = 0;
	size_t registered = 0;

	w->counted = 0;
	while (replay_each_session(w->replay, &cursor, 3, on_each, w))
		continue;
	for (size_t i = 0; i < w->session_count; i++)
		registered += w->sessions[i].is_registered;
	fuzz_check(w->counted == registered);
}

void world_lose_memory(struct world *w, unsigned after, unsigned count)
{
	world_trace(w, "no memory after", after);
	world_memory_fails(after, count);
}

/* ---- time ---- */

/* A wake-up ends its batch, whatever else is held. */
static void wake(struct world *w)
{
	world_memory_of_core(true);
	replay_on_time(w->replay, w->now_us);
	world_memory_of_core(false);
	end_batch(w);
	world_check(w);
}

static size_t objects(const struct world *w)
{
	size_t n = replay_connections(w->replay) + 1;

	for (size_t i = 0; i < w->session_count; i++)
		n += w->sessions[i].is_registered;
	return n;
}

/* As the shell does: asleep until the core wants to be called. */
void world_pass(struct world *w, uint64_t us)
{
	uint64_t until_us = w->now_us + us;
	uint64_t wake_ups = 0, most = WAKE_UPS_FREE;
	unsigned same_moment = 0;

	world_trace(w, "pass", us);
	most += us / WAKE_UP_PACE_US * objects(w) + 100 * objects(w);
	while (w->now_us < until_us) {
		uint64_t next = replay_next_us(w->replay);

		if (next <= w->now_us) {
			fuzz_check(++same_moment < SAME_MOMENT_MAX); /* a loop without sleep */
			next = w->now_us;
		} else {
			same_moment = 0;
		}
		fuzz_check(++wake_ups < most); /* a storm */
		w->now_us = next < until_us ? next : until_us;
		wake(w);
	}
}

void world_jump(struct world *w, uint64_t us)
{
	world_trace(w, "jump", us);
	w->now_us += us;
	wake(w);
}

/* ---- the end ---- */

/* All connections are forgotten, nothing asks to be called any more. */
static void check_empty(struct world *w)
{
	const struct ledger *l = replay_ledger(w->replay);

	for (size_t i = 0; i < w->targets; i++) {
		fuzz_check(l->targets[i].stream.in_flight.bytes == 0);
		fuzz_check(l->targets[i].stream.in_flight.requests == 0);
		fuzz_check(l->targets[i].sessions.active == 0);
	}
	fuzz_check(!replay_is_blocked(w->replay));
	for (unsigned i = 0; i < 32 && replay_next_us(w->replay) != UINT64_MAX; i++)
		world_pass(w, LATER_US);
	fuzz_check(replay_next_us(w->replay) == UINT64_MAX);
	fuzz_check(replay_connections(w->replay) == 0);
	fuzz_check(!w->urgent);
	replay_free(w->replay);
	w->replay = NULL;
}

void world_end(struct world *w)
{
	w->hold = false;
	w->emit_room = -1;
	world_trace(w, "shutdown", 0);
	replay_shutdown(w->replay, w->now_us);
	world_check(w);
	w->is_over = true;
	check_empty(w);
}

void world_run_out(struct world *w)
{
	w->hold = false;
	w->emit_room = -1;
	world_end_batch(w);
	/* A connection whose end was missed lives for two hours, a session for -t after that. */
	for (unsigned i = 0; i < 32 && replay_next_us(w->replay) != UINT64_MAX; i++)
		world_pass(w, LATER_US);
	check_empty(w);
}

struct world_session *world_session_at(struct world *w, unsigned n)
{
	return w->session_count ? &w->sessions[w->session_count - 1 - n % w->session_count] : NULL;
}

uint32_t world_in_flight(const struct world_session *s)
{
	return s->snd_max - s->acked;
}
