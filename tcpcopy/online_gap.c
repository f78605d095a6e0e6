/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_gap.c - what was not captured yet, or never: when a hole in a client's stream is given up, what becomes of the
 * bytes behind it, and of its own should they come after all. docs/session-states.md, Loss.
 */
#include "common/seq.h"
#include "tcpcopy/online_private.h"

enum {
	RESUMED_AT_ONCE = 16, /* holes that one packet goes on behind */
};

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

/* What is known of the newest bytes, and of the turns, while one looks along the ranges behind a hole. */
struct beyond {
	struct segment_note newest;
	uint64_t seen; /* response bytes at the last turn */
	uint64_t requests;
	bool any;     /* a turn */
	bool goes_on; /* what the hole had, or came first behind it, belongs to the turn before */
	bool ever_pushed;
};

/* The write before the hole had not ended, so the hole has the rest of it. */
static bool goes_on_into_hole(const struct online *o)
{
	return o->has_newest && (o->newest.cut || (o->ever_pushed && !o->newest.pushed));
}

static struct beyond begin_beyond(const struct online *o)
{
	return (struct beyond){.seen = o->turns.seen,
			       .any = o->turns.any,
			       .goes_on = goes_on_into_hole(o),
			       .ever_pushed = o->ever_pushed};
}

/* A range begins a request if the client had seen more answers by then. */
static void pass(struct beyond *b, const struct segment_range *r)
{
	if (!b->any || r->note.seen > b->seen) {
		b->seen = r->note.seen;
		b->requests++;
	} else if (!b->requests) {
		b->goes_on = true;
	}
	b->any = true;
	b->newest = r->note;
	b->ever_pushed |= r->note.pushed;
}

/* Passes the ranges up to the first with which a request certainly begins; NULL: there is none. */
static const struct segment_range *pass_to_boundary(const struct online *o,
						    const struct session_env *env, struct beyond *b)
{
	uint64_t end = UINT64_MAX; /* of the range before */

	for (const struct segment_range *r = o->queue.ranges; r; r = r->next) {
		if (r->start == end && online_is_boundary(o, env, &b->newest, b->seen, &r->note))
			return r;
		pass(b, r);
		end = r->end;
	}
	return NULL;
}

/* What was passed is known, and given up with its bytes. */
static void drop_passed(struct online *o, struct session_env *env, const struct beyond *b,
			uint64_t bytes)
{
	o->turns.seen = b->seen;
	o->turns.any = b->any;
	o->ever_pushed = b->ever_pushed;
	online_account_captured(o, env, 0, b->requests);
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		session_account_dropped(s, env, DROP_CAPTURE_GAP, bytes, b->requests);
}

/* Where the hole lies, should its bytes come after all. */
static void note_gap(struct online *o)
{
	const struct segment_range *r = o->queue.ranges;

	o->gap_seq = online_next_seq(o);
	o->gap_end_seq = r ? o->isn + 1 + (uint32_t)r->start : o->known_seq;
}

/*
 * Goes on behind the hole with the first request that certainly begins there; what lies before it is given up. The stream has no
 * offsets for what is not in it, so those of that request follow the last byte before the hole. False: there is none, or nobody to say it.
 */
static bool resume(struct online *o, struct session_env *env)
{
	struct beyond b = begin_beyond(o);
	uint64_t seen_before = o->turns.seen;
	const struct segment_range *r;
	uint64_t skipped;
	long bytes;

	if (!env->joins || o->has_far || !online_has_live_session(o))
		return false;
	r = pass_to_boundary(o, env, &b);
	if (!r)
		return false;
	skipped = r->start - o->queue.end;
	note_gap(o);
	bytes = segment_queue_skip(&o->queue, env->blocks, r->start);
	if (bytes < 0)
		return false;
	o->isn += (uint32_t)skipped;
	if (b.goes_on)
		online_cut_short(o, env);
	online_say_end(o, env, TURN_GAP, seen_before);
	drop_passed(o, env, &b, (uint64_t)bytes);
	online_remember(o, &b.newest);
	o->turns.spoke_us = b.newest.at_us;
	online_advance(o, env, 0);
	backlog_update(&env->backlog, o);
	return true;
}

void online_give_up_hole(struct online *o, struct session_env *env)
{
	uint32_t known_seq = o->has_far ? o->far_seq : o->known_seq;
	bool has_ended = o->has_end && !o->has_far;

	if (resume(o, env)) {
		online_try_end(o, env);
		online_watch_hole(o, env, true);
		return;
	}
	online_cut(o, env);
	online_lose(o, known_seq);
	o->was_cut = true;
	o->newest.pushed &= !o->has_far;
	o->has_far = false;
	if (has_ended)
		o->state = ONLINE_ENDED;
}

/* All that lies behind the hole is given up. What came last may not be known. */
static void drop_beyond(struct online *o, struct session_env *env)
{
	struct beyond b = begin_beyond(o);
	uint64_t end = o->queue.end;

	note_gap(o);
	for (const struct segment_range *r = o->queue.ranges; r; r = r->next) {
		pass(&b, r);
		end = r->end;
	}
	if (o->queue.ranges)
		online_remember(o, &b.newest);
	if (o->known_seq != o->isn + 1 + (uint32_t)end)
		o->has_newest = false;
	if (b.goes_on)
		online_cut_short(o, env);
	drop_passed(o, env, &b, segment_queue_drop_beyond(&o->queue, env->blocks));
}

static bool has_gap(const struct online *o)
{
	return o->has_far || seq_gt(o->known_seq, online_next_seq(o));
}

/*
 * What the client had seen when it ended counts for the end's gate, but behind a gap: that was the answer to what
 * will never be said.
 */
void online_cut(struct online *o, struct session_env *env)
{
	uint64_t seen_before;
	uint64_t seen_beyond;
	bool is_gap;

	/* Each moves up all that is behind: what has more holes is not worth that. */
	for (unsigned i = 0; i < RESUMED_AT_ONCE && resume(o, env); i++)
		;
	is_gap = has_gap(o);
	seen_before = o->turns.seen;
	if (is_gap)
		drop_beyond(o, env);
	seen_beyond = o->turns.seen;
	o->has_end = false;
	o->hole_since_us = 0;
	o->end_kind = TURN_RST;
	o->turns.seen = seen_before; /* the end follows what came before the hole */
	online_say_end(o, env, TURN_RST, is_gap ? seen_before : online_seen_by(o, o->ack_last));
	o->turns.seen = o->turns.seen > seen_beyond ? o->turns.seen : seen_beyond;
	backlog_update(&env->backlog, o);
}

bool online_awaits_reset(const struct online *o, const struct packet *p)
{
	int32_t ahead = seq_diff(p->ack, o->known_seq);

	if (!(p->flags & TCP_ACK) || o->state == ONLINE_LOST || o->state == ONLINE_ENDED)
		return false;
	if (o->has_end)
		return o->has_server_rst && p->ack == o->end_seq;
	return ahead > 0 && ahead <= ONLINE_WINDOW_MAX;
}

enum packet_fate online_await_reset(struct online *o, struct session_env *env,
				    const struct packet *p)
{
	if (o->has_server_rst)
		return PACKET_FATE_DUPLICATE;
	o->has_server_rst = true;
	o->has_end = true;
	o->end_kind = TURN_RST;
	o->end_seq = p->ack;
	o->known_seq = p->ack;
	online_watch_hole(o, env, false);
	return PACKET_FATE_USED;
}

/* The client's FIN has a number of its own, which the server has acknowledged with the rest. */
bool online_fin_before_reset(struct online *o, uint32_t at)
{
	if (!o->has_server_rst || o->end_seq != at + 1)
		return false;
	o->end_seq = at;
	if (o->known_seq == at + 1)
		o->known_seq = at;
	return true;
}
