/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * response.c - see response.h, which holds the theory of operation.
 */
#include "intercept/response.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "common/seq.h"
#include "common/tcp_option.h"
#include "common/too_big.h"
#include "intercept/held.h"

enum {
	MERGED_LEN_MAX = 1 << 30, /* half of what serial arithmetic can tell apart */
};

static_assert((int)RESPONSE_CONNECTIONS_MAX <= (int)ROUTER_PEERS_MAX,
	      "the router knows every peer");

struct connection {
	struct peer *peer; /* NULL: the number is free */
	bool is_urgent;
	bool is_dirty; /* a batch or output to be looked at by response_flush */
};

/* How fast frames come, measured over intervals that wake-ups end, and what follows of it. */
struct pace {
	uint64_t start_us;
	uint64_t frames;
	uint64_t gather_us;
	bool is_fast;
	bool was_asked; /* somebody became urgent in this interval */
};

struct response {
	const struct response_effects *effects;
	void *ctx;
	struct response_config config;
	struct router *router;
	struct held *held;
	struct connection connections[RESPONSE_CONNECTIONS_MAX];
	unsigned numbers; /* all that were ever given to connections are below */
	unsigned connected;
	unsigned urgent;
	unsigned registered_told;
	uint64_t next_us;
	struct pace pace;
	struct response_counters counters;
};

struct response *response_new(const struct response_config *config,
			      const struct response_effects *effects, void *ctx, uint64_t now_us)
{
	struct response *r = calloc(1, sizeof(*r));

	if (!r) {
		errno = ENOMEM;
		return NULL;
	}
	r->config = *config;
	r->effects = effects;
	r->ctx = ctx;
	r->next_us = UINT64_MAX;
	r->pace = (struct pace){.start_us = now_us, .gather_us = RESPONSE_GATHER_MAX_US};
	r->router = router_new(&config->key, &config->limits);
	r->held = held_new(&config->key);
	if (!r->router || !r->held) {
		response_free(r);
		errno = ENOMEM;
		return NULL;
	}
	return r;
}

void response_free(struct response *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++)
		peer_free(r->connections[i].peer);
	held_free(r->held);
	router_free(r->router);
	free(r);
}

static struct peer *peer_at(const struct response *r, unsigned number)
{
	assert(number < RESPONSE_CONNECTIONS_MAX && r->connections[number].peer);
	return r->connections[number].peer;
}

static void wake_at(struct response *r, uint64_t when_us)
{
	if (when_us < r->next_us)
		r->next_us = when_us;
}

/* ---- frames ---- */

/* The session is not known here. */
static void record_from_packet(struct wire_record *record, const struct packet *p)
{
	struct tcp_options o = {.has_mss = false};

	/* A malformed list: what was good before that counts. */
	if (p->options_len_bytes)
		(void)tcp_options_parse(&o, p->options, p->options_len_bytes);
	*record = (struct wire_record){
		.seq = p->seq,
		.len_bytes = p->payload_wire_len_bytes,
		.ack = p->ack,
		.window = p->window,
		.segments = 1,
		.flags = p->flags,
		/* A block below the ACK is a DSACK: RFC 2883. */
		.has_sack = (p->flags & TCP_ACK) && o.has_sack && seq_gt(o.sack_left, p->ack),
		.has_timestamps = o.has_timestamps,
		.ts_val = o.ts_val,
		.ts_ecr = o.ts_ecr,
	};
	if (!(p->flags & TCP_SYN))
		return;
	record->has_syn_options = true;
	record->has_mss = o.has_mss;
	record->mss = o.mss;
	record->has_window_scale = o.has_window_scale;
	record->window_scale = o.window_scale;
	record->has_sack_permitted = o.has_sack_permitted;
}

/* A pure acknowledgement as good as the one before it; only then they may share a record. */
static bool is_same_ack(const struct wire_record *a, const struct wire_record *b)
{
	return a->len_bytes == 0 && b->len_bytes == 0 && a->seq == b->seq && a->flags == b->flags &&
	       !(a->flags & (TCP_SYN | TCP_FIN | TCP_RST)) && a->has_sack == b->has_sack &&
	       a->has_timestamps == b->has_timestamps;
}

static bool is_continued(const struct wire_record *earlier, const struct wire_record *later)
{
	return earlier->len_bytes > 0 && !(earlier->flags & (TCP_SYN | TCP_FIN | TCP_RST)) &&
	       !(later->flags & (TCP_SYN | TCP_RST)) &&
	       (later->len_bytes > 0 || (later->flags & TCP_FIN)) &&
	       earlier->seq + earlier->len_bytes == later->seq &&
	       earlier->has_sack == later->has_sack &&
	       earlier->has_timestamps == later->has_timestamps &&
	       earlier->len_bytes + (uint64_t)later->len_bytes <= MERGED_LEN_MAX;
}

static bool merge(struct wire_record *into, const struct wire_record *record)
{
	if (into->ack != record->ack || into->window != record->window ||
	    into->segments == UINT16_MAX)
		return false;
	if (!is_same_ack(into, record) && !is_continued(into, record))
		return false;
	into->len_bytes += record->len_bytes;
	into->flags |= record->flags;
	into->segments++;
	into->ts_val = record->ts_val;
	into->ts_ecr = record->ts_ecr;
	return true;
}

static void deliver(struct response *r, struct session_route *route,
		    const struct wire_record *record)
{
	struct connection *c = &r->connections[route->peer];
	struct wire_record *pending = peer_record(c->peer, route->pending, route->session_id);

	c->is_dirty = true;
	if (pending && merge(pending, record))
		return;
	route->pending = (uint16_t)peer_add_record(c->peer, record);
}

static struct route_last last_of_packet(const struct packet *p)
{
	return (struct route_last){
		.seq = p->seq,
		.ack = p->ack,
		.ip_id = p->ip_id,
		.ttl = p->ttl,
		.flags = p->flags,
	};
}

/*
 * The same packet once more. Linux and others count the IP id up a packet, so an equal one that is
 * not 0 tells; a genuine duplicate acknowledgement has another id, or an equal TTL.
 */
static bool is_duplicate(const struct route_last *last, const struct packet *p)
{
	if (last->ttl == 0 || last->seq != p->seq || last->ack != p->ack ||
	    last->flags != p->flags || last->ip_id != p->ip_id)
		return false;
	return p->ttl < last->ttl || (p->ttl == last->ttl && p->ip_id != 0);
}

static void on_unrouted(struct response *r, const struct packet *p, uint64_t now_us)
{
	struct held_answer answer = {.tuple = p->tuple, .last = last_of_packet(p)};
	bool opens = (p->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);

	if (!opens && !(p->flags & TCP_RST)) {
		r->counters.unrouted++;
		return;
	}
	r->counters.unrouted += held_expire(r->held, now_us);
	record_from_packet(&answer.record, p);
	if (!held_put(r->held, &answer, now_us))
		r->counters.unrouted++;
}

static void on_packet(struct response *r, const struct packet *p, uint64_t now_us)
{
	struct session_route *route = router_find(r->router, &p->tuple);
	struct wire_record record;

	if (!route) {
		on_unrouted(r, p, now_us);
		return;
	}
	if (is_duplicate(&route->last, p)) {
		r->counters.duplicate++;
		return;
	}
	route->last = last_of_packet(p);
	record_from_packet(&record, p);
	record.session_id = route->session_id;
	deliver(r, route, &record);
}

/* The packet that it quotes went where the answers come from. */
static bool on_too_big(struct response *r, const struct packet *p)
{
	struct session_route *route;
	struct wire_path_mtu m;
	struct too_big t;
	struct tuple response;

	if (!too_big_parse(&t, p))
		return false;
	r->counters.too_big++;
	response = tuple_reverse(&t.tuple);
	translation_undo(&response.src, r->config.translations, r->config.translation_count);
	route = router_find(r->router, &response);
	if (!route)
		return true;
	m = (struct wire_path_mtu){.session_id = route->session_id,
				   .seq = t.seq,
				   .mtu_bytes = t.mtu_bytes,
				   .len_bytes = t.len_bytes};
	r->counters.too_big_routed += peer_put_path_mtu(peer_at(r, route->peer), &m);
	r->connections[route->peer].is_dirty = true;
	return true;
}

void response_on_frame(struct response *r, int link_type, const uint8_t *frame,
		       size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us)
{
	struct packet p;

	r->counters.frames++;
	r->pace.frames++;
	switch (packet_parse(&p, link_type, frame, captured_len_bytes, wire_len_bytes)) {
	case PACKET_OK:
		r->counters.captured++;
		translation_undo(&p.tuple.src, r->config.translations, r->config.translation_count);
		on_packet(r, &p, now_us);
		break;
	case PACKET_NOT_TCP:
		if (!on_too_big(r, &p))
			r->counters.not_tcp++;
		break;
	case PACKET_FRAGMENT:
		r->counters.fragments++;
		break;
	case PACKET_MALFORMED:
		r->counters.malformed++;
		break;
	case PACKET_UNKNOWN_LINK:
		r->counters.unknown_link++;
		break;
	}
}

/* ---- peers ---- */

int response_on_peer_connected(struct response *r, uint64_t now_us)
{
	unsigned number = 0;
	struct peer *peer;

	while (number < RESPONSE_CONNECTIONS_MAX && r->connections[number].peer)
		number++;
	r->counters.connections++;
	peer = number < RESPONSE_CONNECTIONS_MAX ? peer_new(r->config.instance_id, now_us) : NULL;
	if (!peer) {
		r->counters.peer_faults[PEER_FAULT_FULL]++;
		return -1;
	}
	r->connections[number] = (struct connection){.peer = peer};
	if (number >= r->numbers)
		r->numbers = number + 1;
	if (r->config.batch_records)
		peer_limit_batch(peer, r->config.batch_records);
	if (++r->connected > RESPONSE_PEERS_MAX) {
		char text[WIRE_REFUSAL_TEXT_MAX + 1];

		snprintf(text, sizeof(text),
			 "%d peers are connected, and no more are taken: use another intercept",
			 RESPONSE_PEERS_MAX);
		peer_refuse(peer, PEER_FAULT_FULL, text, now_us);
		r->connections[number].is_dirty = true;
	}
	wake_at(r, peer_next_us(peer));
	return (int)number;
}

static void set_urgent(struct response *r, unsigned number, bool urgent)
{
	struct connection *c = &r->connections[number];

	r->urgent += (unsigned)urgent - (unsigned)c->is_urgent;
	r->pace.was_asked |= urgent && !c->is_urgent;
	c->is_urgent = urgent;
}

/* Ends what a peer holds here; the connection may go on to say goodbye. */
static void forget_peer(struct response *r, unsigned number)
{
	set_urgent(r, number, false);
	r->counters.unregistered += router_remove_peer(r->router, number);
}

/* The batch goes to the output while there still is one. */
static void flush_peer(struct response *r, unsigned number)
{
	struct peer_flushed f = {.records = 0};

	peer_flush(peer_at(r, number), &f);
	r->counters.records += f.records;
	r->counters.records_dropped += f.records_dropped;
	r->counters.routed += f.segments;
	r->counters.dropped += f.segments_dropped;
}

/* The only place where a peer ends. told is false if the notice has been given before. */
static void remove_peer(struct response *r, unsigned number, enum peer_fault fault, bool told)
{
	struct connection *c = &r->connections[number];

	flush_peer(r, number);
	forget_peer(r, number);
	r->counters.peer_faults[fault]++;
	if (!told)
		r->effects->notice(r->ctx, RESPONSE_NOTICE_GONE, number, peer_why(c->peer));
	r->effects->close(r->ctx, number);
	peer_free(c->peer);
	*c = (struct connection){.peer = NULL};
	r->connected--;
}

void response_on_peer_closed(struct response *r, unsigned number)
{
	struct connection *c = &r->connections[number];
	struct peer *peer = peer_at(r, number);
	bool was_told = peer_state(peer) == PEER_GOODBYE;

	flush_peer(r, number);
	forget_peer(r, number);
	r->counters.peer_faults[was_told ? peer_fault_of(peer) : PEER_FAULT_LEFT]++;
	if (!was_told)
		r->effects->notice(r->ctx, RESPONSE_NOTICE_GONE, number, "it closed");
	peer_free(peer);
	*c = (struct connection){.peer = NULL};
	r->connected--;
}

/* A peer that was refused lingers to read why; others go at once. */
static void on_fault(struct response *r, unsigned number)
{
	struct peer *peer = peer_at(r, number);

	if (peer_state(peer) != PEER_GOODBYE) {
		remove_peer(r, number, peer_fault_of(peer), false);
		return;
	}
	forget_peer(r, number);
	r->connections[number].is_dirty = true;
	wake_at(r, peer_next_us(peer));
	r->effects->notice(r->ctx, RESPONSE_NOTICE_GONE, number, peer_why(peer));
}

static void deliver_held(struct response *r, struct session_route *route, const struct tuple *tuple,
			 uint64_t now_us)
{
	struct held_answer answer;

	if (!held_take(r->held, tuple, &answer, now_us))
		return;
	r->counters.held_delivered++;
	route->last = answer.last;
	answer.record.session_id = route->session_id;
	deliver(r, route, &answer.record);
}

/* Two connections of one worker of one tcpcopy. Its instance is random: no stranger guesses it. */
static bool is_same_worker(const struct peer *a, const struct peer *b)
{
	const struct wire_hello *one = peer_hello(a), *other = peer_hello(b);

	return one->instance_id && one->instance_id == other->instance_id &&
	       one->worker_id == other->worker_id;
}

/* Registers. A route that another connection of the same worker holds moves to this one. */
static enum router_result add_route(struct response *r, unsigned number, const struct peer_event *e,
				    struct session_route **route)
{
	enum router_result result = router_add(r->router, number, e->session_id, &e->tuple, route);
	const struct session_route *held;

	if (result != ROUTER_TAKEN)
		return result;
	held = router_find(r->router, &e->tuple);
	if (!is_same_worker(peer_at(r, number), peer_at(r, held->peer)))
		return result;
	router_remove(r->router, held->peer, held->session_id);
	r->counters.unregistered++;
	return router_add(r->router, number, e->session_id, &e->tuple, route);
}

static void on_register(struct response *r, unsigned number, const struct peer_event *e,
			uint64_t now_us)
{
	struct session_route *route = NULL;

	switch (add_route(r, number, e, &route)) {
	case ROUTER_ADDED:
	case ROUTER_REPLACED:
		r->counters.registered++;
		deliver_held(r, route, &e->tuple, now_us);
		if (r->registered_told < RESPONSE_REGISTERED_TOLD) {
			r->registered_told++;
			r->effects->registered(r->ctx, number, &e->tuple);
		}
		return;
	case ROUTER_TAKEN:
	case ROUTER_BAD_TUPLE:
		r->counters.register_refused++;
		break;
	case ROUTER_FULL:
		r->counters.register_full++;
		r->effects->notice(r->ctx, RESPONSE_NOTICE_ROUTES_FULL, number,
				   "no room for more sessions: its registrations are refused");
		break;
	}
	peer_put_register_refused(peer_at(r, number), e->session_id);
	r->connections[number].is_dirty = true;
}

/*
 * A tcpcopy whose connection broke may be back before we have heard of that: then its routes must not
 * be another's.
 */
static void replace_older(struct response *r, unsigned number)
{
	const struct peer *peer = peer_at(r, number);

	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++) {
		const struct peer *older = r->connections[i].peer;

		if (i == number || !older || peer_state(older) != PEER_UP ||
		    !is_same_worker(older, peer) ||
		    peer_hello(older)->connection != peer_hello(peer)->connection)
			continue;
		r->effects->notice(r->ctx, RESPONSE_NOTICE_GONE, i, "it has connected again");
		remove_peer(r, i, PEER_FAULT_LEFT, true);
	}
}

/* False if the peer is gone or going. */
static bool on_event(struct response *r, unsigned number, const struct peer_event *e,
		     uint64_t now_us)
{
	switch (e->type) {
	case PEER_EVENT_UP:
		replace_older(r, number);
		r->connections[number].is_dirty = true;
		wake_at(r, peer_next_us(peer_at(r, number)));
		r->effects->notice(r->ctx, RESPONSE_NOTICE_UP, number, "");
		break;
	case PEER_EVENT_REGISTER:
		on_register(r, number, e, now_us);
		break;
	case PEER_EVENT_UNREGISTER:
		r->counters.unregistered += router_remove(r->router, number, e->session_id);
		break;
	case PEER_EVENT_URGENCY:
		set_urgent(r, number, e->urgent);
		break;
	case PEER_EVENT_FAULT:
		on_fault(r, number);
		return false;
	}
	return true;
}

void response_on_peer_bytes(struct response *r, unsigned number, const uint8_t *data,
			    size_t len_bytes, uint64_t now_us)
{
	struct byte_reader stream = byte_reader_on(data, len_bytes);
	struct peer *peer = peer_at(r, number);
	struct peer_event e;

	while (peer_next(peer, &stream, &e, now_us))
		if (!on_event(r, number, &e, now_us))
			return;
}

const uint8_t *response_output(const struct response *r, unsigned number, size_t *len_bytes)
{
	return peer_output(peer_at(r, number), len_bytes);
}

void response_output_sent(struct response *r, unsigned number, size_t len_bytes)
{
	peer_output_sent(peer_at(r, number), len_bytes);
}

const struct wire_hello *response_hello(const struct response *r, unsigned number)
{
	return peer_hello(peer_at(r, number));
}

/* ---- batches and time ---- */

void response_flush(struct response *r, uint64_t now_us)
{
	size_t len;

	r->counters.unrouted += held_expire(r->held, now_us);
	for (unsigned i = 0; i < r->numbers; i++) {
		struct connection *c = &r->connections[i];

		if (!c->is_dirty)
			continue;
		c->is_dirty = false;
		flush_peer(r, i);
		if (response_output(r, i, &len))
			r->effects->wants_write(r->ctx, i);
	}
}

void response_on_time(struct response *r, uint64_t now_us)
{
	struct wire_heartbeat heartbeat;

	r->counters.unrouted += held_expire(r->held, now_us);
	heartbeat = (struct wire_heartbeat){
		.captured = r->counters.captured,
		.routed = r->counters.routed,
		.unrouted = r->counters.unrouted,
		.dropped = r->counters.dropped + r->counters.kernel_dropped,
	};
	r->next_us = UINT64_MAX;
	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++) {
		struct connection *c = &r->connections[i];
		bool was_told;

		if (!c->peer)
			continue;
		was_told = peer_state(c->peer) == PEER_GOODBYE;
		if (peer_on_time(c->peer, &heartbeat, now_us)) {
			c->is_dirty = true;
			wake_at(r, peer_next_us(c->peer));
		} else {
			remove_peer(r, i, peer_fault_of(c->peer), was_told);
		}
	}
}

uint64_t response_next_us(const struct response *r)
{
	return r->next_us;
}

/* At the end of an interval. */
static void judge_pace(struct pace *pace, uint64_t elapsed_us, bool is_urgent)
{
	pace->is_fast = pace->frames * 1000000 > elapsed_us * RESPONSE_PACE_FAST_PER_S;
	if (pace->was_asked) {
		pace->gather_us -= pace->gather_us / 4;
		if (pace->gather_us < RESPONSE_GATHER_MIN_US)
			pace->gather_us = RESPONSE_GATHER_MIN_US;
	} else if (pace->is_fast && !is_urgent && pace->gather_us < RESPONSE_GATHER_MAX_US) {
		pace->gather_us += RESPONSE_GATHER_STEP_US;
	}
}

uint64_t response_gather_us(struct response *r, uint64_t now_us)
{
	struct pace *pace = &r->pace;
	uint64_t elapsed_us = now_us - pace->start_us;

	if (elapsed_us >= RESPONSE_PACE_INTERVAL_US) {
		judge_pace(pace, elapsed_us, r->urgent > 0);
		pace->frames = 0;
		pace->was_asked = false;
		pace->start_us = now_us;
	}
	if (!pace->is_fast || r->urgent > 0)
		return 0;
	r->counters.gathers++;
	return pace->gather_us;
}

void response_set_kernel_dropped(struct response *r, uint64_t packets)
{
	r->counters.kernel_dropped = packets;
}

void response_shutdown(struct response *r, uint64_t now_us)
{
	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++) {
		struct connection *c = &r->connections[i];
		bool was_told;

		if (!c->peer)
			continue;
		was_told = peer_state(c->peer) == PEER_GOODBYE;
		if (peer_state(c->peer) == PEER_UP) {
			flush_peer(r, i);
			peer_refuse(c->peer, PEER_FAULT_SHUTDOWN, "intercept is shutting down",
				    now_us);
		}
		remove_peer(r, i, was_told ? peer_fault_of(c->peer) : PEER_FAULT_SHUTDOWN, true);
	}
}

void response_get_counters(const struct response *r, struct response_counters *c)
{
	*c = r->counters;
	c->held = held_count(r->held);
	c->routes = router_count(r->router);
	c->peers_urgent = r->urgent;
	c->peers_up = 0;
	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++)
		c->peers_up +=
			r->connections[i].peer && peer_state(r->connections[i].peer) == PEER_UP;
}

size_t response_memory(const struct response *r)
{
	size_t bytes = sizeof(*r) + router_memory(r->router);

	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++)
		if (r->connections[i].peer)
			bytes += peer_memory(r->connections[i].peer);
	return bytes;
}
