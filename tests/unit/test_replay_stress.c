/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_stress.c - the whole data path under random traffic, in virtual time. Scripted clients
 * are captured out of order, twice, late or not at all; a small TCP server of its own (struct peer)
 * plays the target behind a network that loses, repeats and reorders both ways, with small windows,
 * resets and stale connections; emit is full, links go, registrations are refused, forged
 * records come. After every event both sums of the ledger hold; the peers' streams are exact prefixes of the
 * clients'; in fair weather no turn
 * arrives before the answer that its client had waited for. When all is over nothing
 * is left. Seeds are fixed; a failure prints its seed.
 */
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

static uint32_t any(struct world *w, uint32_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return below ? (uint32_t)((w->random >> 20) % below) : 0;
}

static bool strikes(struct world *w, unsigned thousandths)
{
	return thousandths && !w->calm && any(w, 1000) < thousandths;
}

static bool is_turn_end(const struct flow *flow, uint32_t off)
{
	for (unsigned i = 0; i < flow->turns; i++)
		if (off + 1 == flow->turn_end[i])
			return true;
	return false;
}

static uint8_t stream_byte(const struct flow *flow, uint32_t off)
{
	uint32_t x = (flow->id + 1) * 2654435761u ^ off * 40503u;

	if (off < 4)
		return flow->id >> (7 * off) & 0x7f;
	return (uint8_t)((x >> 9 & 0x7f) | (is_turn_end(flow, off) ? 0x80 : 0));
}

/* ---- events by time ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->serial < b->serial);
}

static void schedule(struct world *w, struct event e)
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

static struct event next_event(struct world *w)
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

static void captured(struct world *w, size_t flow, uint64_t at_us, struct event e)
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

static struct event client_event(const char *flags, uint32_t seq, uint32_t len, uint32_t ack)
{
	struct event e = {.seq = seq, .len_bytes = len, .ack = ack};

	strcpy(e.flags, flags);
	return e;
}

static struct event server_event(const char *flags, uint32_t seq, uint32_t ack)
{
	struct event e = {.from_server = true, .seq = seq, .ack = ack};

	strcpy(e.flags, flags);
	return e;
}

static uint64_t script_end(struct world *w, size_t at, uint64_t t, uint32_t off, uint32_t seen)
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

static uint64_t script_turn(struct world *w, size_t at, unsigned i, uint64_t t, uint32_t off,
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

static void script_flow(struct world *w, size_t at, uint64_t t)
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

static void make_flow(struct world *w, size_t at)
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

static void on_capture(struct world *w, const struct event *e)
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

/* ---- the target ---- */

static void report(struct world *w, const struct peer *p, const struct wire_record *r)
{
	struct event e = {
		.kind = RECORD, .who = (size_t)(p - w->peers), .tuple = p->tuple, .record = *r};

	if (strikes(w, w->w->net_loss))
		return;
	e.at_us = w->f->now_us + 200 + any(w, 100);
	if (strikes(w, w->w->net_late))
		e.at_us += any(w, 30000);
	schedule(w, e);
	if (strikes(w, w->w->net_dup)) {
		e.at_us += any(w, 10000);
		schedule(w, e);
	}
}

static uint32_t peer_rcv_nxt(const struct peer *p)
{
	return p->irs + 1 + p->got + (p->fin_got ? 1 : 0);
}

static uint32_t peer_window(const struct peer *p)
{
	uint32_t used = p->got - p->read;

	return used < p->room ? p->room - used : 0;
}

static void peer_says(struct world *w, struct peer *p, uint8_t flags, uint32_t off, uint32_t len)
{
	uint32_t window = peer_window(p) >> (flags & TCP_SYN ? 0 : p->wscale);
	struct wire_record r = {
		.seq = p->iss + (flags & TCP_SYN ? 0 : 1) + off,
		.ack = peer_rcv_nxt(p),
		.len_bytes = len,
		.window = (uint16_t)(window < 65535 ? window : 65535),
		.segments = (uint16_t)(len ? (len + 1459) / 1460 : 1),
		.flags = flags,
		.has_syn_options = (flags & TCP_SYN) != 0,
	};

	if (flags & TCP_SYN) {
		r.has_mss = true;
		r.mss = 1460;
		r.has_window_scale = p->has_wscale;
		r.window_scale = p->wscale;
	}
	if (p->has_ts) {
		r.has_timestamps = true;
		r.ts_val = (uint32_t)(w->f->now_us / 1000);
		r.ts_ecr = p->last_ts;
	}
	report(w, p, &r);
}

static uint32_t peer_snd_nxt_off(const struct peer *p)
{
	return p->sent + (p->fin_sent ? 1 : 0);
}

static void peer_acks(struct world *w, struct peer *p)
{
	peer_says(w, p, TCP_ACK, peer_snd_nxt_off(p), 0);
}

/* An answer that might be answered: as real ones, at most one each half second. */
static void peer_challenges(struct world *w, struct peer *p)
{
	if (p->oow_at_us && w->f->now_us < p->oow_at_us + 500000)
		return;
	p->oow_at_us = w->f->now_us;
	peer_acks(w, p);
}

static void peer_resets(struct world *w, struct peer *p)
{
	peer_says(w, p, TCP_RST | TCP_ACK, peer_snd_nxt_off(p), 0);
	p->state = PEER_DEAD;
}

static void start_timer(struct world *w, struct peer *p)
{
	if (p->timer_runs)
		return;
	p->timer_runs = true;
	schedule(w, (struct event){.kind = PEER_TIMER,
				   .who = (size_t)(p - w->peers),
				   .at_us = w->f->now_us + PEER_RTO_US});
}

static void peer_sends(struct world *w, struct peer *p)
{
	while (p->sent < p->made && p->sent - p->acked < p->client_window) {
		uint32_t len = p->made - p->sent;

		if (len > p->client_window - (p->sent - p->acked))
			len = p->client_window - (p->sent - p->acked);
		if (len > 1460u * (1 + any(w, 8)))
			len = 1460;
		peer_says(w, p, TCP_ACK | (p->sent + len == p->made ? TCP_PSH : 0), p->sent, len);
		p->sent += len;
		start_timer(w, p);
	}
	if (p->fin_due && !p->fin_sent && p->sent == p->made) {
		peer_says(w, p, TCP_FIN | TCP_ACK, p->sent, 0);
		p->fin_sent = true;
		start_timer(w, p);
	}
}

static void on_peer_timer(struct world *w, struct peer *p)
{
	p->timer_runs = false;
	if (p->state == PEER_DEAD || p->is_stale)
		return;
	if (++p->tries > PEER_TRIES) {
		p->state = PEER_DEAD;
		return;
	}
	if (p->state == PEER_SYN_RECEIVED) {
		peer_says(w, p, TCP_SYN | TCP_ACK, 0, 0);
		start_timer(w, p);
		return;
	}
	if (p->acked < p->sent) {
		uint32_t len = p->sent - p->acked < 1460 ? p->sent - p->acked : 1460;

		peer_says(w, p, TCP_ACK | TCP_PSH, p->acked, len);
		start_timer(w, p);
	} else if (p->fin_sent && !p->fin_acked) {
		peer_says(w, p, TCP_FIN | TCP_ACK, p->sent, 0);
		start_timer(w, p);
	}
}

/* The server behind the peer reads, finds requests and closes. */
static void on_peer_reads(struct world *w, struct peer *p)
{
	bool was_closed = peer_window(p) < 1460;
	uint32_t n = p->got - p->read;

	p->reader_runs = false;
	if (p->state != PEER_OPEN)
		return;
	if (n > p->room / 2 + 1 && any(w, 2))
		n = p->room / 2 + 1;
	for (; n; n--, p->read++) {
		if (!(p->stream[p->read] & 0x80))
			continue;
		if (p->flow && p->turn < p->flow->turns) {
			uint32_t len = p->flow->answer[p->turn];

			if (strikes(w, w->w->other_answer))
				len = 1 + any(w, 2 * len);
			p->made += len;
			p->turn++;
		}
	}
	if (strikes(w, w->w->target_reset)) {
		peer_resets(w, p);
		return;
	}
	if (p->flow && p->turn == p->flow->turns && p->flow->end_kind == SERVER_FIN)
		p->fin_due = true;
	if (p->fin_got && p->read == p->got)
		p->fin_due = true;
	if (was_closed && peer_window(p) >= 1460)
		peer_acks(w, p);
	peer_sends(w, p);
	if (p->read < p->got) {
		p->reader_runs = true;
		schedule(w, (struct event){.kind = PEER_READS,
					   .who = (size_t)(p - w->peers),
					   .at_us = w->f->now_us + 1000 + any(w, 100000)});
	}
}

static struct peer *find_peer(struct world *w, const struct tuple *tuple)
{
	for (size_t i = w->peer_count; i-- > 0;)
		if (tuple_equal(&w->peers[i].tuple, tuple))
			return w->peers[i].state == PEER_DEAD ? NULL : &w->peers[i];
	return NULL;
}

static struct peer *new_peer(struct world *w, const struct event *e)
{
	struct peer *p;

	assert_true(w->peer_count < PEERS_MAX);
	p = &w->peers[w->peer_count++];
	memset(p, 0, sizeof(*p));
	p->tuple = e->tuple;
	p->irs = e->seq;
	p->iss = any(w, 3) ? any(w, 0x7fffffff) * 2 : (uint32_t) - (int32_t)any(w, 2000);
	p->has_ts = e->opt.has_timestamps;
	p->has_wscale = e->opt.has_window_scale;
	p->client_wscale = e->opt.has_window_scale ? e->opt.window_scale : 0;
	p->wscale = p->has_wscale ? (uint8_t)any(w, 8) : 0;
	p->room = strikes(w, w->w->small_window) ? 300 + any(w, 3000) : 60000;
	p->client_window = 65535;
	p->stream = calloc(2, STREAM_MAX);
	p->have = p->stream + STREAM_MAX;
	assert_non_null(p->stream);
	return p;
}

static void peer_takes(struct world *w, struct peer *p, const struct event *e)
{
	uint32_t at = e->seq - (p->irs + 1);
	uint32_t limit = p->read + p->room;
	uint32_t old = p->got;

	for (uint32_t i = 0; i < e->len_bytes; i++) {
		uint32_t off = at + i;

		if (off < p->got && (int32_t)(at + i) >= 0) {
			assert_int_equal(p->stream[off], e->payload[i]); /* same bytes again */
			continue;
		}
		if ((int32_t)off < 0 || off >= limit || off >= STREAM_MAX)
			continue;
		if (p->fin_got)
			fail_msg("data behind the FIN");
		p->stream[off] = e->payload[i];
		p->have[off] = 1;
	}
	while (p->got < STREAM_MAX && p->have[p->got])
		p->got++;
	if (!p->flow && p->got >= 4) {
		unsigned id = p->stream[0] | p->stream[1] << 7 | p->stream[2] << 14;

		assert_in_range(id, 1, w->w->flows);
		p->flow = &w->flows[id - 1];
	}
	for (uint32_t off = old; p->flow && off < p->got; off++) {
		assert_true(off < p->flow->length);
		assert_int_equal(p->stream[off], stream_byte(p->flow, off));
		/* The first byte of a turn: the one before was answered. */
		if (!w->w->net_loss && w->w->strict && off && is_turn_end(p->flow, off - 1)) {
			unsigned i = 0;

			while (p->flow->turn_end[i] != off)
				i++;
			if (!p->flow->pipelined[i] && !(i && p->flow->pipelined[i - 1]) &&
			    p->turn < i + 1)
				fail_msg("flow %u: turn %u came before its answer", p->flow->id,
					 i + 1);
		}
	}
}

static void reset_for(struct world *w, const struct event *e)
{
	struct peer nobody = {.tuple = e->tuple};
	struct wire_record r = {.segments = 1};

	if (e->flags[0] & TCP_RST)
		return;
	if (e->flags[0] & TCP_ACK) {
		r.flags = TCP_RST;
		r.seq = e->ack;
	} else {
		r.flags = TCP_RST | TCP_ACK;
		r.ack = e->seq + e->len_bytes + 1;
	}
	report(w, &nobody, &r);
}

static void peer_on_syn(struct world *w, struct peer *p, const struct event *e)
{
	if (p && !(p->state == PEER_SYN_RECEIVED && p->irs == e->seq)) {
		peer_acks(w, p); /* challenge */
		return;
	}
	if (!p) {
		p = new_peer(w, e);
		if (strikes(w, w->w->stale)) {
			p->is_stale = true;
			p->state = PEER_OPEN;
			p->irs = e->seq - 5000 - any(w, 100000);
			peer_acks(w, p);
			return;
		}
	}
	p->state = PEER_SYN_RECEIVED;
	peer_says(w, p, TCP_SYN | TCP_ACK, 0, 0);
	start_timer(w, p);
}

static void peer_on_ack(struct world *w, struct peer *p, const struct event *e)
{
	uint32_t acked = e->ack - (p->iss + 1);

	if ((int32_t)acked < 0 || acked > peer_snd_nxt_off(p)) {
		if ((int32_t)acked > 0 && !p->is_stale)
			peer_challenges(w, p); /* acknowledges what was not sent */
		return;
	}
	if (acked > p->sent) {
		p->fin_acked = true;
		acked = p->sent;
	}
	if (acked > p->acked) {
		p->acked = acked;
		p->tries = 0;
	}
	p->client_window = (uint32_t)e->window << p->client_wscale;
}

static void on_segment(struct world *w, const struct event *e)
{
	struct peer *p = find_peer(w, &e->tuple);
	uint8_t flags = (uint8_t)e->flags[0];
	uint32_t end;

	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		peer_on_syn(w, p, e);
		return;
	}
	if (!p) {
		reset_for(w, e);
		return;
	}
	if (flags & TCP_RST) {
		if (e->seq == peer_rcv_nxt(p))
			p->state = PEER_DEAD;
		else if (e->seq - peer_rcv_nxt(p) < peer_window(p))
			peer_acks(w, p);
		return;
	}
	if (!(flags & TCP_ACK))
		return;
	if (e->opt.has_timestamps)
		p->last_ts = e->opt.ts_val;
	if (p->state == PEER_SYN_RECEIVED) {
		if (e->ack != p->iss + 1)
			return;
		p->state = PEER_OPEN;
		p->tries = 0;
	}
	if (p->is_stale) {
		peer_challenges(w, p);
		return;
	}
	peer_on_ack(w, p, e);
	end = e->seq + e->len_bytes;
	if (e->len_bytes)
		peer_takes(w, p, e);
	if ((flags & TCP_FIN) && !p->fin_got && end == p->irs + 1 + p->got) {
		p->fin_got = true;
		if (p->flow && p->flow->end_kind != CLIENT_RST && w->w->strict)
			assert_int_equal(p->got, p->flow->length);
	}
	if (e->len_bytes || (flags & TCP_FIN))
		peer_acks(w, p);
	else if (seq_lt(e->seq, peer_rcv_nxt(p)))
		peer_challenges(w, p);
	peer_sends(w, p);
	if (p->fin_got && p->fin_acked) {
		p->state = PEER_DEAD;
		return;
	}
	if ((p->got > p->read || p->fin_got) && !p->reader_runs) {
		p->reader_runs = true;
		schedule(w, (struct event){.kind = PEER_READS,
					   .who = (size_t)(p - w->peers),
					   .at_us = w->f->now_us +
						    any(w, any(w, 10) ? 3000 : 300000)});
	}
}

static void on_emit(void *ctx, const struct sent *s)
{
	struct world *w = ctx;
	struct event e = {.kind = TO_TARGET,
			  .tuple = s->tuple,
			  .seq = s->seq,
			  .ack = s->ack,
			  .len_bytes = s->len_bytes,
			  .window = s->window,
			  .opt = s->options};

	e.flags[0] = (char)s->flags;
	if (strikes(w, w->w->net_loss))
		return;
	for (unsigned copies = 1 + strikes(w, w->w->net_dup); copies; copies--) {
		struct event one = e;

		one.at_us = s->at_us + 100 + any(w, 50);
		if (strikes(w, w->w->net_late))
			one.at_us += any(w, 30000);
		one.payload = malloc(s->len_bytes + 1);
		assert_non_null(one.payload);
		memcpy(one.payload, s->payload, s->len_bytes);
		schedule(w, one);
	}
}

static void on_record(struct world *w, struct event *e)
{
	struct tuple response = tuple_reverse(&e->tuple);
	struct fixture *f = w->f;

	if (!w->links)
		return;
	for (size_t i = f->faked_count; i-- > 0;) {
		if (!f->faked[i].is_registered || !tuple_equal(&f->faked[i].response, &response))
			continue;
		e->record.session_id = f->faked[i].id;
		give_record(f, &e->record);
		return;
	}
}

/* ---- malice and accident ---- */

static void forge(struct world *w)
{
	struct fixture *f = w->f;
	struct peer *p;
	struct wire_record r;
	static const uint8_t flags[] = {
		TCP_ACK,           TCP_ACK | TCP_PSH, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK,
		TCP_SYN | TCP_ACK, TCP_SYN,           0,       TCP_FIN,           0xff};

	if (!w->peer_count)
		return;
	p = &w->peers[any(w, (uint32_t)w->peer_count)];
	for (size_t i = f->faked_count; i-- > 0;) {
		struct tuple response = tuple_reverse(&p->tuple);

		if (!f->faked[i].is_registered || !tuple_equal(&f->faked[i].response, &response))
			continue;
		r = (struct wire_record){
			.session_id = f->faked[i].id,
			.seq = p->iss + 1 + p->sent + any(w, 5000) - 2500,
			.ack = peer_rcv_nxt(p) + any(w, 5000) - 2500,
			.len_bytes = any(w, 2) ? any(w, 100000) : 0,
			.window = (uint16_t)(any(w, 3) ? any(w, 65536) : 0),
			.segments = (uint16_t)any(w, 65536),
			.flags = flags[any(w, sizeof(flags))],
			.has_mss = any(w, 2),
			.mss = (uint16_t)any(w, 65536),
			.has_window_scale = any(w, 2),
			.window_scale = (uint8_t)any(w, 15),
			.has_timestamps = any(w, 2),
			.ts_val = (uint32_t)(f->now_us / 1000) + any(w, 20000) - 10000,
		};
		if (any(w, 8) == 0)
			r.seq = any(w, 0xffffffff);
		if (any(w, 8) == 0)
			r.ack = any(w, 0xffffffff);
		if (any(w, 8) == 0)
			r.len_bytes = any(w, 0xffffffff);
		give_record(f, &r);
		return;
	}
}

static void on_chaos(struct world *w)
{
	struct fixture *f = w->f;

	if (strikes(w, w->w->forged))
		forge(w);
	if (strikes(w, w->w->refused) && f->faked_count) {
		replay_on_register_refused(f->replay, f->faked[any(w, (uint32_t)f->faked_count)].id,
					   f->now_us);
		end_batch(f);
	}
	if (strikes(w, w->w->link_down)) {
		w->links = !w->links;
		replay_on_links(f->replay, w->links, f->now_us);
		end_batch(f);
	}
	if (w->pending_chaos) {
		w->pending_chaos--;
		schedule(w, (struct event){.kind = CHAOS, .at_us = f->now_us + any(w, 20000)});
	}
}

static void happen(struct world *w, struct event *e)
{
	w->f->emit_room = strikes(w, w->w->emit_full) ? (long)any(w, 3) : -1;
	w->f->hold = !w->calm && any(w, 4) == 0;
	switch (e->kind) {
	case CAPTURE:
		on_capture(w, e);
		break;
	case TO_TARGET:
		on_segment(w, e);
		break;
	case RECORD:
		on_record(w, e);
		break;
	case PEER_TIMER:
		on_peer_timer(w, &w->peers[e->who]);
		break;
	case PEER_READS:
		on_peer_reads(w, &w->peers[e->who]);
		break;
	case CHAOS:
		on_chaos(w);
		break;
	}
	w->f->hold = false;
	free(e->payload);
}

static void run_until(struct world *w, uint64_t at_us)
{
	struct fixture *f = w->f;

	for (;;) {
		uint64_t next = replay_next_us(f->replay);

		if (replay_is_blocked(f->replay))
			next = f->now_us + 200;
		if (w->count && w->heap[0].at_us <= next) {
			struct event e;

			if (w->heap[0].at_us > at_us)
				break;
			e = next_event(w);
			if (e.at_us > f->now_us)
				f->now_us = e.at_us;
			happen(w, &e);
		} else {
			if (next > at_us)
				break;
			f->now_us = next > f->now_us ? next : f->now_us + 1;
			f->emit_room = strikes(w, w->w->emit_full) ? (long)any(w, 3) : -1;
			replay_on_time(f->replay, f->now_us);
			end_batch(f);
		}
		if (any(w, 4) == 0)
			end_batch(f);
	}
	if (f->now_us < at_us)
		f->now_us = at_us;
}

static void check_all_delivered(const struct world *w)
{
	for (size_t i = 0; i < w->f->targets; i++) {
		const struct ledger_stream *s = &account_of(w->f, i)->stream;

		for (int c = 0; c < DROP_CAUSES; c++)
			if (s->dropped[c].bytes || s->dropped[c].requests)
				fail_msg("dropped as %s: %llu bytes, %llu requests",
					 drop_cause_name(c),
					 (unsigned long long)s->dropped[c].bytes,
					 (unsigned long long)s->dropped[c].requests);
		assert_int_equal(s->captured.bytes, s->delivered.bytes);
		assert_int_equal(s->captured.requests, s->delivered.requests);
	}
}

static void stress(const struct weather *weather, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fixture_config config = {.give_up_us = weather->strict ? 600000000 : 60000000};
	struct fixture *f;
	uint64_t start;

	assert_non_null(w);
	memcpy(config.transfers, weather->transfers, sizeof(weather->transfers));
	w->w = weather;
	w->random = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 10; i++)
		any(w, 2);
	w->links = true;
	config.now_us = 1000000000 + ((uint64_t)any(w, 1000000000) << 10);
	f = w->f = fixture_new(&config);
	f->mute = true;
	f->on_emit = on_emit;
	f->on_emit_ctx = w;
	w->pending_chaos = weather->forged || weather->refused || weather->link_down ? 1000 : 0;
	start = f->now_us;
	for (size_t i = 0; i < weather->flows; i++) {
		make_flow(w, i);
		script_flow(w, i, start + any(w, 3000000));
	}
	schedule(w, (struct event){.kind = CHAOS, .at_us = start});
	run_until(w, start + 30000000);
	w->calm = true;
	if (!w->links) {
		w->links = true;
		replay_on_links(f->replay, 1, f->now_us);
	}
	run_until(w, start + 700000000);
	if (weather->strict) {
		assert_int_equal(account_of(f, 0)->stream.in_flight.bytes, 0);
		check_all_delivered(w);
	}
	run_until(w, start + UINT64_C(14400000000));
	assert_int_equal(w->count, 0);
	for (size_t i = 0; i < f->targets; i++) {
		assert_int_equal(account_of(f, i)->stream.in_flight.bytes, 0);
		assert_int_equal(account_of(f, i)->stream.in_flight.requests, 0);
	}
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_false(f->urgent);
	assert_true(replay_memory(f->replay) < 16 << 20);
	assert_int_equal(replay_next_us(f->replay), UINT64_MAX);
	fixture_free(f);
	for (size_t i = 0; i < w->peer_count; i++)
		free(w->peers[i].stream);
	free(w->heap);
	free(w);
}

static const struct weather fair = {.flows = 40,
				    .servers = {"10.0.0.2:80", "10.0.0.2:80"},
				    .client_format = "10.9.0.%u:%u",
				    .transfers = {"10.0.0.2:80-10.1.0.1:8080"},
				    .strict = true};
static const struct weather lossy = {
	.flows = 40,
	.net_loss = 80,
	.net_dup = 30,
	.net_late = 100,
	.cap_late = 100,
	.cap_dup = 50,
	.emit_full = 100,
	.other_answer = 100,
	.small_window = 400,
	.servers = {"10.0.0.2:80", "10.0.0.2:81"},
	.client_format = "10.9.0.%u:%u",
	.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:81-10.1.0.1:8080"},
	.strict = true};
static const struct weather lossy6 = {.flows = 40,
				      .net_loss = 80,
				      .net_dup = 30,
				      .net_late = 100,
				      .cap_late = 100,
				      .cap_dup = 50,
				      .emit_full = 100,
				      .other_answer = 100,
				      .small_window = 400,
				      .servers = {"[2001:db8::2]:80", "[2001:db8::2]:80"},
				      .client_format = "[2001:db8:9::%u]:%u",
				      .transfers = {"[2001:db8::2]:80-[2001:db8:1::1]:8080"},
				      .strict = true};
static const struct weather storm = {.flows = 44,
				     .net_loss = 100,
				     .net_dup = 50,
				     .net_late = 150,
				     .cap_late = 100,
				     .cap_dup = 50,
				     .cap_loss = 15,
				     .emit_full = 150,
				     .other_answer = 200,
				     .target_reset = 20,
				     .stale = 60,
				     .forged = 500,
				     .refused = 10,
				     .link_down = 10,
				     .small_window = 300,
				     .quiet_ends = true,
				     .servers = {"10.0.0.2:80", "10.0.0.2:81"},
				     .client_format = "10.9.0.%u:%u",
				     .transfers = {"10.0.0.2:80-10.1.0.1:8080",
						   "10.0.0.2:81-10.1.0.1:8080",
						   "10.0.0.2:80-10.1.0.2:8080"}};

static void run_seeds(const struct weather *weather, uint64_t first, uint64_t count)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		stress(weather, seed);
	}
}

static void fair_weather(void **state)
{
	(void)state;
	run_seeds(&fair, 1, 5);
}

static void lossy_network(void **state)
{
	(void)state;
	run_seeds(&lossy, 1, 10);
	run_seeds(&lossy, 32, 1); /* a full sender as TIME-WAIT begins: its timer span for ever */
}

static void lossy_network_ipv6(void **state)
{
	(void)state;
	run_seeds(&lossy6, 1, 5);
}

static void storm_of_everything(void **state)
{
	(void)state;
	run_seeds(&storm, 1, 13); /* 13: the links changed while urgency lingered */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fair_weather),
		cmocka_unit_test(lossy_network),
		cmocka_unit_test(lossy_network_ipv6),
		cmocka_unit_test(storm_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
