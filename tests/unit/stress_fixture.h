/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_fixture.h - a world of random traffic around a replay core, in virtual time: events by
 * time, and scripted clients (struct flow) that are captured out of order, twice, late or not at
 * all. All chance comes from one seed, so a run can be repeated. The target is in
 * stress_target_fixture.h; who uses both handles the events.
 */
#ifndef TESTS_UNIT_STRESS_FIXTURE_H
#define TESTS_UNIT_STRESS_FIXTURE_H

#include "tests/unit/replay_fixture.h"

enum {
	FLOWS_MAX = 48,
	TURNS_MAX = 6,
	PEERS_MAX = 4096,
	STREAM_MAX = 1 << 16,
	PEER_ISS = 7000000,
	PEER_RTO_US = 300000,
	PEER_TRIES = 60,
};

/* What may go wrong, in thousandths. */
struct weather {
	unsigned flows;
	unsigned net_loss, net_dup, net_late;
	unsigned cap_late, cap_dup, cap_loss;
	unsigned emit_full;
	unsigned target_reset, stale, forged, refused, link_down;
	unsigned other_answer;
	unsigned small_window;
	bool quiet_ends; /* some clients fall silent, some are cut by RST out of order */
	bool strict;     /* every captured byte must be delivered */
	const char *servers[2];
	const char *transfers[3];
	const char *client_format;
};

struct flow {
	unsigned id;
	char client[48];
	const char *server;
	uint32_t isn, server_isn;
	unsigned turns;
	unsigned request[TURNS_MAX], answer[TURNS_MAX];
	uint32_t turn_end[TURNS_MAX];
	bool pipelined[TURNS_MAX];
	unsigned end_kind;
	uint32_t length;
};

enum end_kind { CLIENT_FIN, SERVER_FIN, HALF_CLOSE, CLIENT_RST, SERVER_RST, SILENCE };

enum peer_state { PEER_SYN_RECEIVED, PEER_OPEN, PEER_DEAD };

/* One connection at the target. */
struct peer {
	size_t faked;
	struct tuple tuple;
	enum peer_state state;
	const struct flow *flow; /* once four bytes have come */
	uint32_t irs, iss;
	uint32_t got;               /* stream bytes, contiguous */
	uint32_t read;              /* of these, by the server */
	uint32_t room;              /* buffer */
	uint32_t sent, acked, made; /* answer bytes */
	uint32_t client_window;
	unsigned turn; /* answered so far */
	unsigned tries;
	uint8_t wscale, client_wscale;
	bool has_ts, has_wscale;
	bool fin_got, fin_due, fin_sent, fin_acked;
	bool is_stale, timer_runs, reader_runs;
	uint32_t last_ts;
	uint64_t oow_at_us; /* the last answer to a segment out of the window: rate-limited */
	uint8_t *stream;
	uint8_t *have;
};

enum event_kind { CAPTURE, TO_TARGET, RECORD, PEER_TIMER, PEER_READS, CHAOS };

struct event {
	uint64_t at_us;
	uint64_t serial;
	enum event_kind kind;
	size_t who; /* flow or peer */
	bool from_server;
	char flags[4];
	char options[64];
	uint32_t seq, ack, len_bytes; /* relative for captures, absolute for segments */
	uint16_t window;
	struct tcp_options opt;
	struct tuple tuple;
	struct wire_record record;
	uint8_t *payload;
};

struct world {
	struct fixture *f;
	const struct weather *w;
	uint64_t random;
	uint64_t serial;
	struct event *heap;
	size_t count, room;
	struct flow flows[FLOWS_MAX];
	struct peer peers[PEERS_MAX];
	size_t peer_count;
	bool calm; /* the end: nothing more goes wrong */
	bool links;
	unsigned pending_chaos;
};

static inline uint32_t any(struct world *w, uint32_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return below ? (uint32_t)((w->random >> 20) % below) : 0;
}

static inline bool strikes(struct world *w, unsigned thousandths)
{
	return thousandths && !w->calm && any(w, 1000) < thousandths;
}

static inline bool is_turn_end(const struct flow *flow, uint32_t off)
{
	for (unsigned i = 0; i < flow->turns; i++)
		if (off + 1 == flow->turn_end[i])
			return true;
	return false;
}

static inline uint8_t stream_byte(const struct flow *flow, uint32_t off)
{
	uint32_t x = (flow->id + 1) * 2654435761u ^ off * 40503u;

	if (off < 4)
		return flow->id >> (7 * off) & 0x7f;
	return (uint8_t)((x >> 9 & 0x7f) | (is_turn_end(flow, off) ? 0x80 : 0));
}

/* ---- events by time ---- */

static inline bool before(const struct event *a, const struct event *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->serial < b->serial);
}

static inline void schedule(struct world *w, struct event e)
{
	size_t i = w->count++;

	if (w->count > w->room) {
		w->room = w->room ? w->room * 2 : 256;
		w->heap = realloc(w->heap, w->room * sizeof(*w->heap));
		assert_non_null(w->heap);
	}
	e.serial = w->serial++;
	for (; i && before(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = e;
}

static inline struct event next_event(struct world *w)
{
	struct event first = w->heap[0];
	struct event last = w->heap[--w->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= w->count)
			break;
		if (child + 1 < w->count && before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (before(&last, &w->heap[child]))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

/* ---- clients ---- */

static inline void captured(struct world *w, size_t flow, uint64_t at_us, struct event e)
{
	bool may_move =
		(w->flows[flow].end_kind < CLIENT_RST && !strchr(e.flags, 'S')) || w->w->quiet_ends;

	e.kind = CAPTURE;
	e.who = flow;
	e.at_us = at_us;
	if (strikes(w, w->w->cap_loss))
		return;
	if (may_move && strikes(w, w->w->cap_late))
		e.at_us += any(w, strikes(w, 300) ? 1500000 : 3000);
	schedule(w, e);
	if (may_move && strikes(w, w->w->cap_dup)) {
		e.at_us += any(w, 400000);
		schedule(w, e);
	}
}

static inline struct event client_event(const char *flags, uint32_t seq, uint32_t len, uint32_t ack)
{
	struct event e = {.seq = seq, .len_bytes = len, .ack = ack};

	strcpy(e.flags, flags);
	return e;
}

static inline struct event server_event(const char *flags, uint32_t seq, uint32_t ack)
{
	struct event e = {.from_server = true, .seq = seq, .ack = ack};

	strcpy(e.flags, flags);
	return e;
}

static inline uint64_t script_end(struct world *w, size_t at, uint64_t t, uint32_t off,
				  uint32_t seen)
{
	switch ((enum end_kind)w->flows[at].end_kind) {
	case CLIENT_FIN:
	case HALF_CLOSE:
		captured(w, at, t, client_event("F.", 1 + off, 0, 1 + seen));
		captured(w, at, t + 3000, server_event("F.", 1 + seen, 2 + off));
		captured(w, at, t + 4000, client_event(".", 2 + off, 0, 2 + seen));
		break;
	case SERVER_FIN:
		captured(w, at, t, server_event("F.", 1 + seen, 1 + off));
		captured(w, at, t + 1000, client_event(".", 1 + off, 0, 2 + seen));
		captured(w, at, t + 2000, client_event("F.", 1 + off, 0, 2 + seen));
		break;
	case CLIENT_RST:
		captured(w, at, t, client_event("R.", 1 + off, 0, 1 + seen));
		break;
	case SERVER_RST:
		captured(w, at, t + 5000, server_event("R", 1 + seen, 0));
		break;
	case SILENCE:
		break;
	}
	return t + 10000;
}

static inline uint64_t script_turn(struct world *w, size_t at, unsigned i, uint64_t t, uint32_t off,
				   uint32_t seen)
{
	struct flow *flow = &w->flows[at];
	uint32_t end = flow->turn_end[i];

	while (off < end) {
		uint32_t len = 1 + any(w, any(w, 4) ? 1460 : 9000);

		if (len > end - off)
			len = end - off;
		captured(w, at, t,
			 client_event(off + len == end ? "P." : ".", 1 + off, len, 1 + seen));
		off += len;
		t += any(w, 500);
	}
	return t;
}

static inline void script_flow(struct world *w, size_t at, uint64_t t)
{
	struct flow *flow = &w->flows[at];
	uint32_t off = 0, seen = 0;
	struct event syn = client_event("S", 0, 0, 0);

	strcpy(syn.options, any(w, 2)   ? "mss 1460,wscale 7,sackOK,TS val 5 ecr 0"
			    : any(w, 2) ? "mss 1460"
					: "mss 536,wscale 2");
	captured(w, at, t, syn);
	captured(w, at, t + 100, server_event("S.", 0, 1));
	captured(w, at, t + 200, client_event(".", 1, 0, 1));
	t += 300;
	for (unsigned i = 0; i < flow->turns; i++) {
		t = script_turn(w, at, i, t, off, seen);
		off = flow->turn_end[i];
		if (flow->pipelined[i] || (i + 1 == flow->turns && flow->end_kind == HALF_CLOSE))
			continue;
		t += 1000 + any(w, any(w, 5) ? 20000 : 500000);
		seen = 0;
		for (unsigned k = 0; k <= i; k++)
			seen += flow->answer[k];
		if (any(w, 2))
			captured(w, at, t, client_event(".", 1 + off, 0, 1 + seen));
		t += any(w, 3000);
	}
	script_end(w, at, t, off, seen);
}

static inline void make_flow(struct world *w, size_t at)
{
	struct flow *flow = &w->flows[at];
	uint32_t off = 0;

	flow->id = (unsigned)at + 1;
	snprintf(flow->client, sizeof(flow->client), w->w->client_format,
		 w->w->strict ? flow->id : 1 + any(w, 12), 40000 + any(w, 3));
	flow->server = w->w->servers[any(w, 2)];
	/* Near the wrap only where no two connections share a tuple: they would share numbers. */
	flow->isn = any(w, 4) || !w->w->strict ? any(w, 0x7fffffff) * 2
					       : (uint32_t) - (int32_t)any(w, 3000);
	flow->server_isn = any(w, 4) ? any(w, 0x7fffffff) * 2 : (uint32_t) - (int32_t)any(w, 3000);
	flow->turns = 1 + any(w, TURNS_MAX);
	flow->end_kind = any(w, w->w->quiet_ends ? 6 : 5);
	for (unsigned i = 0; i < flow->turns; i++) {
		flow->request[i] = 8 + any(w, any(w, 5) ? 600 : 9000);
		flow->answer[i] = 1 + any(w, any(w, 5) ? 600 : 20000);
		flow->pipelined[i] = any(w, 8) == 0 && i + 1 < flow->turns;
		off += flow->request[i];
		flow->turn_end[i] = off;
	}
	flow->length = off;
	assert_true(off < STREAM_MAX);
}

static inline void on_capture(struct world *w, const struct event *e)
{
	const struct flow *flow = &w->flows[e->who];
	char *payload = malloc(e->len_bytes + 1);
	uint32_t mine = e->from_server ? flow->server_isn : flow->isn;
	uint32_t theirs = e->from_server ? flow->isn : flow->server_isn;

	assert_non_null(payload);
	for (uint32_t i = 0; i < e->len_bytes; i++)
		payload[i] = (char)stream_byte(flow, e->seq - 1 + i);
	capture(w->f, &(struct frame_spec){.src = e->from_server ? flow->server : flow->client,
					   .dst = e->from_server ? flow->client : flow->server,
					   .flags = e->flags,
					   .seq = mine + e->seq,
					   .ack = strchr(e->flags, '.') ? theirs + e->ack : 0,
					   .options = e->options[0] ? e->options : NULL,
					   .payload = e->len_bytes ? payload : NULL,
					   .payload_len_bytes = e->len_bytes});
	free(payload);
}
#endif
