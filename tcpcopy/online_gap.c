/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_gap.c - what was never captured: when a hole in a client's stream is given up, what becomes of the bytes
 * behind it, and of its own should they come after all. docs/session-states.md, Loss.
 */
#include "common/seq.h"
#include "tcpcopy/online_private.h"

/* Bytes of a hole that was given up come after all: captured, and too late. */
bool online_fill_gap(struct online *o, struct session_env *env, uint32_t seq, uint32_t end)
{
	seq = seq_max(seq, o->gap_seq);
	end = seq_min(end, o->gap_end_seq);
	if (seq_geq(seq, end))
		return false;
	online_account_lost(o, env, end - seq, 0);
	o->gap_seq =
		end; /* the usual order: what comes before it later is not counted twice, but not at all */
	return true;
}

/* What is missing will not come: the sessions finish what is complete. */
void online_give_up_hole(struct online *o, struct session_env *env)
{
	uint32_t known_seq = o->has_far ? o->far_seq : o->known_seq;
	bool has_ended = o->has_end && !o->has_far;

	online_cut(o, env);
	online_lose(o, known_seq);
	o->was_cut = true;
	o->newest.pushed &= !o->has_far;
	o->has_far = false;
	if (has_ended)
		o->state = ONLINE_ENDED;
}

/*
 * What lies behind the hole is given up. A range begins a request if the client had seen more answers by then. Returns how many,
 * and leaves what is known of the newest bytes.
 */
static uint64_t give_up_beyond(struct online *o)
{
	uint64_t requests = 0;
	uint64_t end = o->queue.end;

	for (const struct segment_range *r = o->queue.ranges; r; r = r->next) {
		if (!o->turns.any || r->note.seen > o->turns.seen) {
			o->turns.seen = r->note.seen;
			requests++;
		}
		o->turns.any = true;
		online_remember(o, &r->note);
		end = r->end;
	}
	if (o->known_seq != o->isn + 1 + (uint32_t)end)
		o->has_newest = false; /* nothing is known of what came last */
	return requests;
}

/* Where the hole lies, should its bytes come after all. */
static void note_gap(struct online *o)
{
	const struct segment_range *r = o->queue.ranges;

	o->gap_seq = online_next_seq(o);
	o->gap_end_seq = r ? o->isn + 1 + (uint32_t)r->start : o->known_seq;
}

/*
 * What the client had seen when it ended counts for the end's gate, but behind a gap: that was the answer to what
 * will never be said.
 */
void online_cut(struct online *o, struct session_env *env)
{
	bool is_gap = o->has_far || seq_gt(o->known_seq, online_next_seq(o));
	uint64_t seen_before = o->turns.seen;
	uint64_t seen_beyond = seen_before;
	uint64_t requests = 0;
	uint64_t beyond;

	if (is_gap) {
		note_gap(o);
		requests = give_up_beyond(o);
		seen_beyond = o->turns.seen;
	}
	beyond = segment_queue_drop_beyond(&o->queue, env->blocks);
	online_account_captured(o, env, 0, requests);
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		session_account_dropped(s, env, DROP_CAPTURE_GAP, beyond, requests);
	o->has_end = false;
	o->hole_since_us = 0;
	o->end_kind = TURN_RST;
	o->turns.seen = seen_before; /* the end follows what came before the hole */
	online_say_end(o, env, TURN_RST, is_gap ? seen_before : online_seen_by(o, o->ack_last));
	o->turns.seen = o->turns.seen > seen_beyond ? o->turns.seen : seen_beyond;
}
