/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy_capture.c - what tcpcopy's capture sees: packets that pass the online server's host, in blocks, with the capture's
 * own faults, as frames.
 */
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "tests/sim/frame.h"
#include "tests/sim/world.h"

enum {
	OPTIONS_MAX = 40,
	CLIENT_TTL = 64,
	LATE_MIN_US = 1,
	CHECKSUM_AT = 16, /* in the TCP header */
};

static void put_in_ring(struct world *w, struct captured one)
{
	struct copy *c = &w->copy;

	if (c->ring_count == c->ring_room)
		c->ring = sim_grow(c->ring, &c->ring_room, sizeof(*c->ring));
	c->ring[c->ring_count++] = one;
	if (c->ring_is_due)
		return;
	c->ring_is_due = true;
	world_put(w, w->now_us + w->settings->ring_us, EVENT_RING, NULL);
}

/* Oracle 8 wants to know what was missed; each request is a packet. */
static void note_missed(struct conversation *c, const struct tcp_packet *p)
{
	c->missed.syn |= (p->flags & TCP_FLAG_SYN) != 0;
	c->missed.fin |= (p->flags & TCP_FLAG_FIN) != 0;
	if (p->payload_len_bytes)
		c->missed.turns |= UINT64_C(1)
				   << script_turn_at(&c->script, p->seq - (c->client_isn + 1));
}

static void note_captured(struct conversation *c, const struct tcp_packet *p)
{
	bool has_fin = p->flags & TCP_FLAG_FIN;
	int64_t end = (int32_t)(p->seq + p->payload_len_bytes + has_fin - (c->client_isn + 1));

	c->missed.has_said |= p->payload_len_bytes > 0;
	if (end > (int64_t)c->missed.shown)
		c->missed.shown = (uint64_t)end;
}

/* Whether the capture misses this packet; is_lost: it does, whatever it is. */
static bool misses(struct world *w, const struct flight *f, uint32_t number, bool is_lost)
{
	struct conversation *c = f->owner;
	const struct tcp_packet *p = &f->packet;
	bool is_client = c->is_begun && tuple_equal(&p->tuple, &c->tuple);
	bool is_needed = is_client && ((p->flags & TCP_FLAG_SYN) || p->payload_len_bytes);

	if (is_needed)
		is_lost |= fault_strikes(&w->faults, FAULT_MISS, LEG_CAPTURE, c->id, number);
	if (is_lost)
		trace_say(w, "packet %u of conversation %u is not captured", number, c->id);
	if (!is_client || !settings_misses_are_known(w->settings))
		return is_lost;
	w->copy.needed += is_needed;
	w->copy.missed += is_needed && is_lost;
	if (is_lost)
		note_missed(c, p);
	else
		note_captured(c, p);
	return is_lost;
}

/* The flight's reference is taken over by the ring. */
static void capture(struct world *w, struct flight *f)
{
	struct faults *faults = &w->faults;
	uint32_t id = f->owner->id;
	bool is_lost;
	uint32_t number = net_number(w, LEG_CAPTURE, f->owner, &is_lost);
	struct captured one = {.flight = f, .number = number, .is_corrupt = f->is_corrupt};
	struct captured *late;

	if (misses(w, f, number, is_lost) || w->copy.is_down) {
		net_release(w, f);
		return;
	}
	one.is_corrupt |= fault_strikes(faults, FAULT_CORRUPT, LEG_CAPTURE, id, number);
	/* Not both: a checksum that cannot be judged shows nothing. */
	one.is_truncated =
		!one.is_corrupt && fault_strikes(faults, FAULT_TRUNCATE, LEG_CAPTURE, id, number);
	if (fault_strikes(faults, FAULT_DUPLICATE, LEG_CAPTURE, id, number)) {
		net_hold(f);
		put_in_ring(w, one);
	}
	if (!fault_strikes(faults, FAULT_REORDER, LEG_CAPTURE, id, number)) {
		put_in_ring(w, one);
		return;
	}
	late = sim_alloc(sizeof(*late));
	*late = one;
	world_put(w,
		  w->now_us + LATE_MIN_US +
			  fault_extent(faults, FAULT_REORDER, LEG_CAPTURE, id, number) %
				  w->settings->legs[LEG_CAPTURE].reorder_us,
		  EVENT_LATE, late);
}

void copy_late(struct world *w, struct captured *late)
{
	put_in_ring(w, *late);
	free(late);
}

void copy_capture_flight(struct world *w, struct flight *f)
{
	capture(w, net_hold(f));
}

void copy_capture(struct world *w, struct conversation *c, const struct tcp_packet *p)
{
	struct flight *f = net_new_flight(w, LEG_CAPTURE, c, p, true);

	if (f->packet.payload)
		memcpy(f->bytes, p->payload, p->payload_len_bytes);
	capture(w, f);
}

/* Whether b may be the next part of GRO's super-packet that ends with a. */
static bool continues(const struct captured *a, const struct captured *b)
{
	const struct tcp_packet *p = &a->flight->packet, *q = &b->flight->packet;

	return a->flight->owner == b->flight->owner && !b->is_corrupt && !b->is_truncated &&
	       p->payload_len_bytes && q->payload_len_bytes && p->flags == TCP_FLAG_ACK &&
	       !(q->flags & (uint8_t) ~(TCP_FLAG_ACK | TCP_FLAG_PSH)) &&
	       p->seq + p->payload_len_bytes == q->seq && p->ack == q->ack &&
	       tuple_equal(&p->tuple, &q->tuple);
}

/* How many entries from first on become one packet; fills *payload. */
static size_t merge(struct world *w, size_t first, struct tcp_packet *p)
{
	struct copy *c = &w->copy;
	const struct captured *one = &c->ring[first];
	size_t n = 1;

	*p = one->flight->packet;
	if (!w->settings->merges || one->is_corrupt || one->is_truncated)
		return 1;
	while (first + n < c->ring_count &&
	       continues(&c->ring[first + n - 1], &c->ring[first + n])) {
		const struct tcp_packet *q = &c->ring[first + n].flight->packet;

		if (p->payload_len_bytes + q->payload_len_bytes > COPY_MERGED_MAX)
			break;
		if (n == 1)
			memcpy(c->merged, p->payload, p->payload_len_bytes);
		memcpy(c->merged + p->payload_len_bytes, q->payload, q->payload_len_bytes);
		p->payload = c->merged;
		p->payload_len_bytes += q->payload_len_bytes;
		p->flags |= q->flags;
		n++;
	}
	return n;
}

/*
 * One bit of the TCP header or payload turns; nobody has mended the checksum. Once in 65,536 packets the right one
 * looks as if it were unfinished, and shows nothing: then it turns as well.
 */
static void spoil(uint8_t *frame, size_t tcp_at, size_t len, uint64_t chance)
{
	size_t bits = 8 * (len - tcp_at);
	struct packet p;

	frame[tcp_at + chance % bits / 8] ^= (uint8_t)(1 << chance % 8);
	if (packet_parse(&p, PACKET_LINK_ETHERNET, frame, len, len) == PACKET_OK &&
	    packet_checksum_ok(&p))
		frame[tcp_at + CHECKSUM_AT] ^= (uint8_t)(1 << (chance + 1) % 8);
}

static void give_frame(struct world *w, const struct captured *one, const struct tcp_packet *p,
		       bool is_merged)
{
	struct copy *c = &w->copy;
	struct conversation *owner = one->flight->owner;
	uint8_t options[OPTIONS_MAX];
	struct frame f = {
		.tuple = &p->tuple,
		.seq = p->seq,
		.ack = p->ack,
		.window = p->window,
		.flags = p->flags,
		.ttl = CLIENT_TTL,
		.ip_id = (uint16_t)one->number,
		.options = options,
		.options_len = (uint8_t)frame_options(options, p),
		.payload = p->payload,
		.payload_len = p->payload_len_bytes,
	};
	uint64_t chance =
		fault_extent(&w->faults, FAULT_CORRUPT, LEG_CAPTURE, owner->id, one->number);
	size_t wire_len, len;

	if (is_merged || (!one->is_corrupt && (chance >> 40) % 8 == 0))
		f.checksum = FRAME_CHECKSUM_UNFINISHED;
	len = frame_build(c->buffer, &f, &wire_len);
	if (one->is_corrupt)
		spoil(c->buffer, len - p->payload_len_bytes - f.options_len - 20, len, chance);
	if (one->is_truncated && p->payload_len_bytes) {
		len -= 1 + chance % p->payload_len_bytes;
		for (unsigned i = 0; i < SIM_TRANSFERS * SIM_COPIES;
		     i++) /* as if written in parts */
			owner->copies[i / SIM_COPIES][i % SIM_COPIES].crosses = true;
	}
	c->current = owner;
	/* The server's SYN-ACK, too: it confirms a SYN on a tuple that was in use. */
	c->at_beginning = (p->flags & TCP_FLAG_SYN) || p->seq == owner->client_isn + 1;
	c->frames++;
	replay_on_frame(c->replay, PACKET_LINK_ETHERNET, c->buffer, len, wire_len, copy_now(w));
	oracle_step(w);
	c->current = NULL;
	c->at_beginning = false;
}

void copy_drain(struct world *w)
{
	struct copy *c = &w->copy;
	size_t n;

	c->ring_is_due = false;
	for (size_t i = 0; !c->is_down && i < c->ring_count; i += n) {
		struct tcp_packet p;

		n = merge(w, i, &p);
		give_frame(w, &c->ring[i], &p, n > 1);
	}
	for (size_t i = 0; i < c->ring_count; i++)
		net_release(w, c->ring[i].flight);
	c->ring_count = 0;
	copy_wake(w);
}
