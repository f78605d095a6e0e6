/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_pair.h - two endpoints of tests/sim/tcp.h and a bad line between them, all from one seed.
 * Only for test_tcp_link.c. Each side says a stream of which every octet is known, and listens to
 * the other's.
 *
 * What is watched all the time: octets arrive in order and are the right ones; nobody sends beyond
 * the window that has reached him, but for the octet of a probe; nobody acknowledges what was not
 * sent.
 */
#ifndef TESTS_SIM_TCP_PAIR_H
#define TESTS_SIM_TCP_PAIR_H

#include <stdlib.h>
#include <string.h>

#include "tests/sim/tcp.h"

enum {
	PAIR_CHUNK_MAX = 4096,
};

/* Who closes: the side that has said everything, or only in answer to the other's FIN. */
enum pair_end {
	PAIR_FIRST_CLOSES,
	PAIR_SECOND_CLOSES,
	PAIR_BOTH_CLOSE,
	PAIR_FIRST_ABORTS, /* when it has said and heard everything */
	PAIR_ENDS,
};

struct pair_side {
	struct tcp_config config;
	uint32_t isn;
	uint32_t ts_base_ms;
	uint32_t total_bytes; /* of its stream */
	bool is_active;

	struct pair *pair;
	struct tcp *t;
	struct tcp_listener listener;
	uint32_t salt; /* of its stream */
	uint64_t heard;
	uint64_t arrived;
	bool is_established;
	bool is_peer_closed;
	bool is_closed;
	bool is_timed_out;
	bool is_reset;

	/* What the line has shown of it. */
	uint32_t sent_end;   /* the highest number it has sent */
	uint32_t right_edge; /* that has reached it */
	bool has_sent;
	bool has_edge;
};

/* A packet under way; the payload follows. */
struct pair_flight {
	struct pair_flight *next;
	uint64_t at_us;
	uint8_t to;
	struct tcp_packet p;
	uint8_t payload[];
};

struct pair {
	struct pair_side side[2];
	enum pair_end end;
	uint32_t loss_percent;
	uint32_t duplicate_percent;
	uint32_t delay_us;
	uint32_t jitter_us; /* more than the gap between packets: they overtake each other */
	uint64_t random;
	uint64_t now_us;
	struct pair_flight *flights; /* by time */
	const char *wrong;           /* the first thing that must not be */
	uint64_t packets;
};

static inline uint32_t pair_random(struct pair *r, uint32_t below)
{
	uint64_t x = r->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 31)) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ (x >> 29)) * UINT64_C(0xd6e8feb86659fd93);
	return below ? (uint32_t)((x >> 32) % below) : 0;
}

static inline uint8_t pair_octet(uint32_t salt, uint64_t off)
{
	uint32_t x = (uint32_t)off * 2654435761U + salt;

	return (uint8_t)(x >> 24 ^ x >> 11);
}

static inline void pair_wrong(struct pair *r, const char *what)
{
	if (!r->wrong)
		r->wrong = what;
}

static inline bool pair_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline uint32_t pair_segment_len(const struct tcp_packet *p)
{
	return p->payload_len_bytes + (p->flags & TCP_FLAG_SYN ? 1 : 0) +
	       (p->flags & TCP_FLAG_FIN ? 1 : 0);
}

static inline void pair_watch_sent(struct pair_side *s, const struct tcp_packet *p)
{
	uint32_t end = p->seq + pair_segment_len(p);
	struct pair_side *other = &s->pair->side[s == &s->pair->side[0]];

	if (p->flags & TCP_FLAG_RST)
		return;
	if (p->flags & TCP_FLAG_SYN)
		s->has_edge = false;
	if (p->payload_len_bytes > s->config.mss)
		pair_wrong(s->pair, "a segment is larger than the MSS");
	if (s->has_edge && pair_after(end, s->right_edge + 1))
		pair_wrong(s->pair, "more was sent than the window allowed");
	if (!s->has_sent || p->flags & TCP_FLAG_SYN || pair_after(end, s->sent_end))
		s->sent_end = end;
	s->has_sent = true;
	if (s->t && tcp_state(s->t) == TCP_STATE_TIME_WAIT)
		return; /* it may speak of the life before */
	if (p->flags & TCP_FLAG_ACK && other->has_sent && pair_after(p->ack, other->sent_end))
		pair_wrong(s->pair, "an ACK is beyond what was sent");
}

static inline void pair_watch_edge(struct pair_side *s, const struct tcp_packet *p)
{
	uint8_t shift = p->flags & TCP_FLAG_SYN || !s->t ? 0 : tcp_vars(s->t)->snd_wind_shift;
	uint32_t edge = p->ack + ((uint32_t)p->window << shift);

	if (!(p->flags & TCP_FLAG_ACK) || p->flags & TCP_FLAG_RST)
		return;
	if (!s->has_edge || pair_after(edge, s->right_edge))
		s->right_edge = edge;
	s->has_edge = true;
}

static inline void pair_fly(struct pair *r, uint8_t to, const struct tcp_packet *p)
{
	struct pair_flight *f = malloc(sizeof(*f) + p->payload_len_bytes);
	struct pair_flight **at = &r->flights;

	if (!f)
		abort();
	*f = (struct pair_flight){.to = to, .p = *p};
	f->at_us = r->now_us + r->delay_us + pair_random(r, r->jitter_us);
	if (p->payload_len_bytes)
		memcpy(f->payload, p->payload, p->payload_len_bytes);
	f->p.payload = f->payload;
	while (*at && (*at)->at_us <= f->at_us)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
}

static inline void pair_line(struct pair *r, uint8_t to, const struct tcp_packet *p)
{
	r->packets++;
	if (pair_random(r, 100) >= r->loss_percent)
		pair_fly(r, to, p);
	if (pair_random(r, 100) < r->duplicate_percent)
		pair_fly(r, to, p);
}

static inline void pair_send(void *ctx, const struct tcp_packet *p)
{
	struct pair_side *s = ctx;

	pair_watch_sent(s, p);
	pair_line(s->pair, s == &s->pair->side[0], p);
}

static inline void pair_compare(struct pair_side *s, uint64_t *off, const uint8_t *bytes,
				size_t len)
{
	uint32_t salt = s->pair->side[s == &s->pair->side[0]].salt;

	for (size_t i = 0; i < len; i++)
		if (bytes[i] != pair_octet(salt, *off + i))
			pair_wrong(s->pair, "an octet is not the right one");
	*off += len;
}

static inline void pair_arrived(void *ctx, const uint8_t *bytes, size_t len)
{
	struct pair_side *s = ctx;

	pair_compare(s, &s->arrived, bytes, len);
}

/* Says what there is room for, and closes when it is its turn. */
static inline void pair_speak(struct pair_side *s)
{
	struct pair *r = s->pair;
	bool is_first = s == &r->side[0];
	bool closes = r->end == PAIR_BOTH_CLOSE ||
		      r->end == (is_first ? PAIR_FIRST_CLOSES : PAIR_SECOND_CLOSES);
	uint8_t bytes[PAIR_CHUNK_MAX];

	while (tcp_vars(s->t)->written_bytes < s->total_bytes) {
		uint64_t off = tcp_vars(s->t)->written_bytes;
		uint64_t left = s->total_bytes - off;
		uint32_t n = 1 + pair_random(r, PAIR_CHUNK_MAX);

		n = left < n ? (uint32_t)left : n;
		for (uint32_t i = 0; i < n; i++)
			bytes[i] = pair_octet(s->salt, off + i);
		if (tcp_write(s->t, r->now_us, bytes, n) < n)
			return; /* writable comes */
	}
	if (closes || s->is_peer_closed)
		tcp_shutdown(s->t, r->now_us);
	else if (r->end == PAIR_FIRST_ABORTS && is_first && s->heard == r->side[1].total_bytes &&
		 tcp_vars(s->t)->acked_bytes == s->total_bytes)
		tcp_abort(s->t, r->now_us);
}

static inline void pair_data(void *ctx, const uint8_t *bytes, size_t len)
{
	struct pair_side *s = ctx;

	pair_compare(s, &s->heard, bytes, len);
}

static inline void pair_event(void *ctx, enum tcp_event event)
{
	struct pair_side *s = ctx;

	if (s->is_closed)
		pair_wrong(s->pair, "an event after the last");
	switch (event) {
	case TCP_EVENT_ESTABLISHED:
		if (s->is_established)
			pair_wrong(s->pair, "established twice");
		s->is_established = true;
		break;
	case TCP_EVENT_PEER_CLOSED:
		s->is_peer_closed = true;
		break;
	case TCP_EVENT_TIMED_OUT:
		s->is_timed_out = true;
		break;
	case TCP_EVENT_REFUSED:
	case TCP_EVENT_RESET:
		s->is_reset = true;
		break;
	case TCP_EVENT_CLOSED:
		s->is_closed = true;
		break;
	case TCP_EVENT_WRITABLE:
		break;
	}
}

static const struct tcp_calls pair_calls = {
	.send = pair_send,
	.data = pair_data,
	.event = pair_event,
	.arrived = pair_arrived,
};

static inline struct tcp_setup pair_setup(struct pair_side *s)
{
	bool is_first = s == &s->pair->side[0];
	struct tcp_setup setup = {.config = &s->config,
				  .calls = &pair_calls,
				  .ctx = s,
				  .isn = s->isn,
				  .ts_base_ms = s->ts_base_ms};

	setup.tuple.protocol = PROTOCOL_TCP;
	setup.tuple.src.port = is_first ? 1 : 2;
	setup.tuple.dst.port = is_first ? 2 : 1;
	return setup;
}

/* A new life of a side: what it has heard, and what it will say, begins anew. */
static inline void pair_renew(struct pair_side *s)
{
	s->heard = s->arrived = 0;
	s->is_established = s->is_peer_closed = s->is_closed = false;
	s->is_timed_out = s->is_reset = false;
	s->has_edge = s->has_sent = false;
}

static inline void pair_connect(struct pair_side *s)
{
	struct tcp_setup setup = pair_setup(s);

	pair_renew(s);
	s->t = tcp_connect(s->pair->now_us, &setup);
	if (!s->t)
		abort();
}

/* A packet for nobody: the listener's, or a RST. */
static inline void pair_stray(struct pair_side *s, const struct tcp_packet *p)
{
	struct tcp_setup setup = pair_setup(s);
	struct tcp_packet reply;

	switch (s->is_active ? TCP_JUDGED_RESET : tcp_listener_judge(&s->listener, p)) {
	case TCP_JUDGED_ACCEPT:
		pair_renew(s);
		pair_watch_edge(s, p);
		s->t = tcp_accept(&s->listener, s->pair->now_us, p, &setup);
		if (!s->t)
			abort();
		break;
	case TCP_JUDGED_RESET:
		if (tcp_reset_for(p, &reply))
			pair_line(s->pair, s == &s->pair->side[0], &reply);
		break;
	case TCP_JUDGED_DROP:
		break;
	}
}

static inline void pair_reap(struct pair_side *s)
{
	if (s->t && s->is_closed) {
		tcp_free(s->t);
		s->t = NULL;
	}
}

static inline void pair_deliver(struct pair_side *s, const struct tcp_packet *p)
{
	uint64_t now_us = s->pair->now_us;

	if (s->t) {
		pair_watch_edge(s, p);
		if (tcp_on_packet(s->t, now_us, p) == TCP_REOPEN) {
			s->isn = tcp_reopen_isn(s->t);
			tcp_drop(s->t, now_us);
			pair_reap(s);
			pair_stray(s, p);
		}
	} else {
		pair_stray(s, p);
	}
	if (s->t && s->is_established && !s->is_closed)
		pair_speak(s);
	pair_reap(s);
}

static inline uint64_t pair_next_us(const struct pair *r)
{
	uint64_t at = r->flights ? r->flights->at_us : UINT64_MAX;

	for (unsigned i = 0; i < 2; i++)
		if (r->side[i].t && tcp_next_us(r->side[i].t) < at)
			at = tcp_next_us(r->side[i].t);
	return at;
}

/* The next thing that happens. False: nothing ever will. */
static inline bool pair_step(struct pair *r)
{
	uint64_t at = pair_next_us(r);
	struct pair_flight *f = r->flights;

	if (at == UINT64_MAX)
		return false;
	r->now_us = at > r->now_us ? at : r->now_us;
	if (f && f->at_us <= at) {
		r->flights = f->next;
		pair_deliver(&r->side[f->to], &f->p);
		free(f);
		return true;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct pair_side *s = &r->side[i];

		if (s->t && tcp_next_us(s->t) <= at)
			tcp_on_time(s->t, r->now_us);
		if (s->t && s->is_established && !s->is_closed)
			pair_speak(s);
		pair_reap(s);
	}
	return true;
}

/* The second side listens, unless both open. */
static inline void pair_init(struct pair *r, uint64_t seed)
{
	*r = (struct pair){.random = seed, .delay_us = 5000, .now_us = 1000000};
	for (unsigned i = 0; i < 2; i++) {
		r->side[i] = (struct pair_side){.pair = r, .config = tcp_config_rfc()};
		r->side[i].config.user_timeout_us = 0;
		r->side[i].config.syn_timeout_us = 0;
		r->side[i].listener.config = &r->side[i].config;
		r->side[i].isn = pair_random(r, UINT32_MAX);
		r->side[i].ts_base_ms = pair_random(r, UINT32_MAX);
		r->side[i].salt = pair_random(r, UINT32_MAX);
	}
	r->side[0].is_active = true;
}

static inline void pair_fini(struct pair *r)
{
	for (unsigned i = 0; i < 2; i++)
		tcp_free(r->side[i].t);
	while (r->flights) {
		struct pair_flight *f = r->flights;

		r->flights = f->next;
		free(f);
	}
}
#endif
