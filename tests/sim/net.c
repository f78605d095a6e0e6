/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/frame.h"
#include "tests/sim/world.h"

static const uint32_t class_room[FLIGHT_CLASSES] = {0, 256, 1536, 65536};

/* ---- packets in flight ---- */

static struct flight *pool_get(struct net *n, uint32_t payload_len)
{
	unsigned c = 0;
	struct flight *f;

	while (class_room[c] < payload_len)
		c++;
	f = n->pool[c];
	if (f) {
		n->pool[c] = f->next;
		return f;
	}
	f = sim_alloc(sizeof(*f) + class_room[c]);
	f->size_class = (uint8_t)c;
	return f;
}

struct flight *net_hold(struct flight *f)
{
	f->refs++;
	return f;
}

void net_release(struct world *w, struct flight *f)
{
	if (--f->refs)
		return;
	f->next = w->net.pool[f->size_class];
	w->net.pool[f->size_class] = f;
}

void net_fini(struct net *n)
{
	for (unsigned c = 0; c < FLIGHT_CLASSES; c++) {
		while (n->pool[c]) {
			struct flight *f = n->pool[c];

			n->pool[c] = f->next;
			free(f);
		}
	}
}

struct flight *net_new_flight(struct world *w, enum leg leg, struct conversation *owner,
			      const struct tcp_packet *p, bool with_payload)
{
	struct flight *f = pool_get(&w->net, with_payload ? p->payload_len_bytes : 0);

	f->owner = owner;
	f->packet = *p;
	f->packet.payload = with_payload && p->payload_len_bytes ? f->bytes : NULL;
	f->refs = 1;
	f->leg = (uint8_t)leg;
	f->is_corrupt = false;
	f->mtu = 0;
	return f;
}

/* ---- what befalls them ---- */

enum {
	BURST_MIN = 2,
	BURST_MAX = 10,
	REPEAT_LATER_US = 3000,
};

uint32_t net_number(struct world *w, enum leg leg, struct conversation *owner, bool *is_lost)
{
	struct flow *flow = &owner->flows[leg];
	uint32_t number = flow->number++;
	uint64_t extent;

	if (fault_strikes(&w->faults, FAULT_BURST, leg, owner->id, number)) {
		extent = fault_extent(&w->faults, FAULT_BURST, leg, owner->id, number);
		flow->burst_end = number + BURST_MIN + (uint32_t)(extent % (BURST_MAX - BURST_MIN));
	}
	*is_lost = fault_strikes(&w->faults, FAULT_DROP, leg, owner->id, number) ||
		   (number < flow->burst_end && !w->faults.is_calm) || incident_loses(w, leg);
	return number;
}

/* When this packet arrives: in order, but for a fault. */
static uint64_t arrival(struct world *w, const struct flight *f, uint32_t number)
{
	const struct leg_settings *leg = &w->settings->legs[f->leg];
	struct flow *flow = &f->owner->flows[f->leg];
	uint64_t chance = fault_extent(&w->faults, FAULT_REORDER, f->leg, f->owner->id, number);
	uint64_t at = w->now_us + leg->delay_us;

	if (leg->jitter_us)
		at += (chance >> 32) % leg->jitter_us;
	if (at < flow->last_us)
		at = flow->last_us;
	if (fault_strikes(&w->faults, FAULT_REORDER, f->leg, f->owner->id, number))
		return at + 1 + (chance & 0xffffffff) % leg->reorder_us;
	flow->last_us = at;
	return at;
}

static bool is_too_big(const struct world *w, const struct flight *f)
{
	const struct settings *s = w->settings;
	uint8_t options[40];
	size_t headers = ip_addr_is_v4(&f->packet.tuple.dst.addr) ? 40 : 60;

	if (f->leg != LEG_TARGET || !s->path_mtu || w->now_us < w->started_us + s->path_mtu_us)
		return false;
	return headers + frame_options(options, &f->packet) + f->packet.payload_len_bytes >
	       s->path_mtu;
}

/* The router that has dropped this packet tells the faked client, thus intercept. */
static void tell_too_big(struct world *w, const struct flight *dropped)
{
	struct flight *f = net_new_flight(w, LEG_ANSWERS, dropped->owner, &dropped->packet, false);
	bool is_lost;
	uint32_t number = net_number(w, LEG_ANSWERS, f->owner, &is_lost);

	f->mtu = w->settings->path_mtu;
	trace_say(w, "a router says that more than %u bytes are too big%s", f->mtu,
		  is_lost ? " [lost]" : "");
	if (is_lost)
		net_release(w, f);
	else
		world_put(w, arrival(w, f, number), EVENT_PACKET, f);
}

void net_launch(struct world *w, struct flight *f)
{
	struct conversation *owner = f->owner;
	enum leg leg = (enum leg)f->leg;
	bool is_lost;
	uint32_t number = net_number(w, leg, owner, &is_lost);

	w->net.packets++;
	if (!is_lost && is_too_big(w, f)) {
		w->net.too_big++;
		if (!w->settings->path_is_mute)
			tell_too_big(w, f);
		is_lost = true;
	}
	trace_packet(w, f, TRACE_SENT, is_lost);
	if (is_lost) {
		w->net.lost++;
		net_release(w, f);
		return;
	}
	f->ip_id = (uint16_t)(number + 1);
	f->is_corrupt = fault_strikes(&w->faults, FAULT_CORRUPT, leg, owner->id, number);
	if (fault_strikes(&w->faults, FAULT_DUPLICATE, leg, owner->id, number)) {
		uint64_t extent = fault_extent(&w->faults, FAULT_DUPLICATE, leg, owner->id, number);

		world_put(w, arrival(w, f, number) + extent % REPEAT_LATER_US, EVENT_PACKET,
			  net_hold(f));
	}
	world_put(w, arrival(w, f, number), EVENT_PACKET, f);
}

void net_send(struct world *w, enum leg leg, struct conversation *owner, const struct tcp_packet *p,
	      bool with_payload)
{
	struct flight *f = net_new_flight(w, leg, owner, p, with_payload);

	if (f->packet.payload)
		memcpy(f->bytes, p->payload, p->payload_len_bytes);
	net_launch(w, f);
}

void net_arrive(struct world *w, struct flight *f)
{
	if (!f->mtu)
		trace_packet(w, f, TRACE_ARRIVED, f->is_corrupt);
	switch ((enum leg)f->leg) {
	case LEG_CLIENT:
		conversation_at_server(w, f);
		break;
	case LEG_SERVER:
		conversation_at_client(w, f);
		break;
	case LEG_TARGET:
		target_on_packet(w, f);
		break;
	case LEG_ANSWERS:
		assistant_on_packet(w, f);
		break;
	case LEG_CAPTURE:
	case LEGS:
		break;
	}
	net_release(w, f);
}
