/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_target_fixture.h - the target of stress_fixture.h: a small TCP server of its own (struct
 * peer) behind a network that loses, repeats and reorders both ways, with small windows, resets and
 * stale connections. It is an oracle as well: every byte that it takes must be its client's at that
 * place, nothing follows a FIN, and in fair weather no turn arrives before the answer that its
 * client had waited for.
 */
#ifndef TESTS_UNIT_STRESS_TARGET_FIXTURE_H
#define TESTS_UNIT_STRESS_TARGET_FIXTURE_H

#include "tests/unit/stress_fixture.h"

static inline void report(struct world *w, const struct peer *p, const struct wire_record *r)
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

static inline uint32_t peer_rcv_nxt(const struct peer *p)
{
	return p->irs + 1 + p->got + (p->fin_got ? 1 : 0);
}

static inline uint32_t peer_window(const struct peer *p)
{
	uint32_t used = p->got - p->read;

	return used < p->room ? p->room - used : 0;
}

static inline void peer_says(struct world *w, struct peer *p, uint8_t flags, uint32_t off,
			     uint32_t len)
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

static inline uint32_t peer_snd_nxt_off(const struct peer *p)
{
	return p->sent + (p->fin_sent ? 1 : 0);
}

static inline void peer_acks(struct world *w, struct peer *p)
{
	peer_says(w, p, TCP_ACK, peer_snd_nxt_off(p), 0);
}

/* An answer that might be answered: as real ones, at most one each half second. */
static inline void peer_challenges(struct world *w, struct peer *p)
{
	if (p->oow_at_us && w->f->now_us < p->oow_at_us + 500000)
		return;
	p->oow_at_us = w->f->now_us;
	peer_acks(w, p);
}

static inline void peer_resets(struct world *w, struct peer *p)
{
	peer_says(w, p, TCP_RST | TCP_ACK, peer_snd_nxt_off(p), 0);
	p->state = PEER_DEAD;
}

static inline void start_timer(struct world *w, struct peer *p)
{
	if (p->timer_runs)
		return;
	p->timer_runs = true;
	schedule(w, (struct event){.kind = PEER_TIMER,
				   .who = (size_t)(p - w->peers),
				   .at_us = w->f->now_us + PEER_RTO_US});
}

static inline void peer_sends(struct world *w, struct peer *p)
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

static inline void on_peer_timer(struct world *w, struct peer *p)
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
static inline void on_peer_reads(struct world *w, struct peer *p)
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

static inline struct peer *find_peer(struct world *w, const struct tuple *tuple)
{
	for (size_t i = w->peer_count; i-- > 0;)
		if (tuple_equal(&w->peers[i].tuple, tuple))
			return w->peers[i].state == PEER_DEAD ? NULL : &w->peers[i];
	return NULL;
}

static inline struct peer *new_peer(struct world *w, const struct event *e)
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

static inline void peer_takes(struct world *w, struct peer *p, const struct event *e)
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

static inline void reset_for(struct world *w, const struct event *e)
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

static inline void peer_on_syn(struct world *w, struct peer *p, const struct event *e)
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

static inline void peer_on_ack(struct world *w, struct peer *p, const struct event *e)
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

static inline void on_segment(struct world *w, const struct event *e)
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

/* ---- to and from the core ---- */

static inline void on_emit(void *ctx, const struct sent *s)
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

static inline void on_record(struct world *w, struct event *e)
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
#endif
