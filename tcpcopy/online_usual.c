/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_usual.c - the packet that nearly every packet of a client is: the next of a connection that is followed and
 * has nothing pending, an ACK or a request. What the general way (online.c) asks of every packet has one answer for this one,
 * so it is asked once, and what is left is done: exactly what the general way would do. Whatever is not usual is left to that
 * before anything has changed.
 */
#include <assert.h>

#include "tcpcopy/online_private.h"
#include "tcpcopy/tls.h"

/* Nothing is missing, doubted, pending or over: what comes next in order is all that there is to know. */
static inline bool is_plain(const struct online *o)
{
	bool is_pending =
		o->has_far | o->has_far_ack | o->has_end | o->has_server_fin | o->has_reuse;

	return o->state == ONLINE_OPEN && o->is_confirmed && o->has_ack && !is_pending &&
	       !o->hole_since_us && o->known_seq == online_next_seq(o);
}

/* It has sessions, and none of them has ended: none would begin anew with this packet. */
static inline bool all_live(const struct online *o)
{
	return o->sessions && !online_has_ended_session(o);
}

/*
 * A request of its own: the client had ended its write and has seen more since its last turn, but not just an interim answer. And
 * no ClientHello.
 */
static inline bool is_request(const struct online *o, const struct packet *p, uint64_t seen)
{
	return p->payload_len_bytes == p->payload_wire_len_bytes && o->has_newest &&
	       o->newest.pushed && seen > o->turns.seen &&
	       !online_is_told_to_continue(o->turns.seen, seen) && p->payload[0] != TLS_HELLO_FIRST;
}

/* As note_of, take_payload and online_advance. False: it lies in several blocks, or there is no room at hand; nothing has changed. */
static inline bool take_request(struct online *o, struct session_env *env, const struct packet *p,
				uint64_t seen, uint64_t seen_us)
{
	const struct segment_note note = {
		.seen = seen,
		.seen_us = seen_us,
		.at_us = env->now_us,
		.pushed = p->flags & TCP_PSH,
		.small = p->payload_len_bytes < ONLINE_BOUNDARY_SMALL,
	};
	bool begins = online_is_boundary(o, env, &o->newest, o->turns.seen, &note);
	uint64_t start = o->queue.end;
	struct turn *t;

	if (!slab_has_spare(env->turns) ||
	    !segment_queue_append(&o->queue, env->blocks, p->payload, p->payload_len_bytes,
				  env->backlog_max_bytes))
		return false;
	t = turn_list_request(&o->turns, env->turns, start, o->queue.end, &note);
	assert(t);
	t->is_boundary = begins;
	t->known_us = env->now_us;
	if (t->need > o->need_max)
		o->need_max = t->need;
	o->writes = 1;
	if (!o->writes_max)
		o->writes_max = 1;
	o->known_seq += p->payload_len_bytes;
	o->said = p->payload_len_bytes < UINT8_MAX ? (uint8_t)p->payload_len_bytes : UINT8_MAX;
	o->hello = TLS_HELLO_NONE;
	online_remember(o, &note);
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		session_on_request(s, env, t);
	return true;
}

bool online_on_usual(struct online *o, struct session_env *env, const struct packet *p)
{
	uint32_t distance = p->ack - o->ack_last;
	uint64_t seen = o->seen + distance;
	uint64_t seen_us = distance ? env->now_us : o->seen_us;

	if ((p->flags & ~TCP_PSH) != TCP_ACK || p->seq != o->known_seq ||
	    distance > ONLINE_RESPONSE_JUMP_MAX || !is_plain(o) || !all_live(o))
		return false;
	if (!p->payload_wire_len_bytes && !distance)
		return false;
	if (p->payload_wire_len_bytes &&
	    (!is_request(o, p, seen) || !take_request(o, env, p, seen, seen_us)))
		return false;
	o->last_seen_us = env->now_us;
	o->seen = seen;
	o->seen_us = seen_us;
	o->ack_last = p->ack;
	online_weigh(o, env);
	return true;
}
