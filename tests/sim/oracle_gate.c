/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle_gate.c - oracle 2, at replay's side: by the records that replay was handed, may it say this turn? The
 * count of bytes is judged at the target (oracle.c), where it is known what was answered.
 */
#include "tests/sim/oracle.h"

#include "tcpcopy/session.h"
#include "tests/sim/world.h"

enum {
	WINDOW_MAX = 1 << 20,
	REPETITIONS_FREE = 5,
	DOUBLINGS_MAX = 9,
};

/* Serial arithmetic on sequence numbers: bytes from the connection's beginning. */
static int64_t place_of(const struct faked *f, uint32_t seq)
{
	return (int32_t)(seq - (f->iss + 1));
}

/* Not of an older connection on the same tuple. */
static bool is_current(const struct faked *f, const struct wire_record *r)
{
	int64_t ack = place_of(f, r->ack);
	int32_t distance = (int32_t)(r->seq - f->rcv_nxt);

	return f->has_rcv && ack <= (int64_t)f->sent + 1 && ack >= (int64_t)f->acked - WINDOW_MAX &&
	       distance <= WINDOW_MAX && distance >= -WINDOW_MAX;
}

static void note_acked(struct faked *f)
{
	struct copied *copy = &f->owner->copies[f->transfer][f->copy];

	if (f->is_located && f->start + f->acked > copy->heard)
		copy->heard = f->start + f->acked;
}

static void take_record(struct faked *f, const struct wire_record *r)
{
	int64_t ack = place_of(f, r->ack);
	uint32_t end = r->seq + r->len_bytes;
	bool tells =
		(int32_t)(end - f->rcv_nxt) > 0; /* of bytes, though it may carry none of them */

	if (ack > f->acked)
		f->acked = (uint32_t)ack;
	f->target_closed |= (r->flags & (TCP_FLAG_FIN | TCP_FLAG_RST)) != 0;
	if (!f->was_reset)
		note_acked(f);
	/* Repeated bytes, too: replay cannot know whether they are the answer, and may settle. */
	if ((r->len_bytes || tells) && ack > f->answered)
		f->answered = (uint32_t)ack;
	if (tells)
		f->rcv_nxt = end;
}

bool oracle_on_record(struct faked *f, const struct wire_record *r)
{
	f->was_reset |= (r->flags & TCP_FLAG_RST) != 0;
	if (!(r->flags & TCP_FLAG_ACK) || !f->has_syn)
		return false;
	if (!(r->flags & TCP_FLAG_SYN)) {
		if (is_current(f, r))
			take_record(f, r);
		return false;
	}
	if (r->ack != f->iss + 1 || f->has_rcv)
		return false;
	f->rcv_nxt = r->seq + 1;
	f->has_rcv = true;
	return !f->was_reset;
}

/* The last turn before this one for which the client said something; -1: none. */
static int spoken_before(const struct script *s, uint32_t turn)
{
	int before = (int)turn - 1;

	while (before >= 0 && !s->turns[before].request_bytes)
		before--;
	return before;
}

/*
 * All before it is acknowledged, and something new came with an acknowledgement of the turn before (which says
 * nothing where requests and answers cross), or the target has closed.
 */
static bool gate_may_be_open(const struct world *w, struct faked *f, const struct script *s,
			     uint32_t turn)
{
	bool *crosses = &f->owner->copies[f->transfer][f->copy].crosses;
	int before = spoken_before(s, turn);

	/* What had come too early to count has been waited for in vain: from now on it counts. */
	if (f->said_us && copy_now(w) >= f->said_us + SESSION_PATIENCE_MIN_US)
		*crosses = true;
	if (f->target_closed || s->turns[turn].is_pipelined || w->settings->no_wait)
		return true;
	if (before < 0 || s->turns[before].start < f->start)
		return true; /* a greeting: what the client had seen depends on what was captured */
	if (s->overlaps || *crosses)
		return true; /* it waits for what its client had seen in all: judged at the target */
	return f->start + f->acked >= s->turns[turn].start &&
	       f->start + f->answered > s->turns[before].start;
}

/*
 * A session that settled may be ahead of the target's answers: then what comes is the answer to a turn before,
 * for ever, and replay cannot know.
 */
static bool is_ahead(const struct faked *f, int before)
{
	const struct target_connection *c = f->connection;

	return c && c->is_identified && before >= 0 && c->app.turn <= (uint32_t)before;
}

/* The turns that begin in [from, to) of the client's stream. */
static void judge_turns(struct world *w, struct faked *f, uint32_t from, uint32_t to)
{
	const struct script *s = &f->owner->script;

	for (uint32_t turn = script_turn_at(s, from);
	     turn < s->turn_count && s->turns[turn].start < to; turn++) {
		if (!s->turns[turn].request_bytes || s->turns[turn].start < from)
			continue;
		w->oracle.gates_judged++;
		if (!gate_may_be_open(w, f, s, turn))
			oracle_fail(w,
				    "conversation %u: turn %u is sent before its gate opened: it "
				    "begins at %u, acknowledged are %u, answered up to %u",
				    f->owner->id, turn, s->turns[turn].start, f->start + f->acked,
				    f->start + f->answered);
		else if (is_ahead(f, spoken_before(s, turn)))
			f->owner->copies[f->transfer][f->copy].crosses = true;
		f->said_us = copy_now(w);
	}
}

/*
 * What is said again and again without progress must become slow: RFC 6298, section 5.5. A few repetitions come
 * early: fast retransmits, a window that opens.
 */
static void judge_repetition(struct world *w, struct faked *f, const struct segment *s)
{
	unsigned doublings;

	if (!s->payload_len_bytes && !(s->flags & (TCP_FLAG_SYN | TCP_FLAG_FIN)))
		return;
	/* While the breaker is open, one of those that wait tries each second. */
	if (s->seq != f->repeated_seq || !f->repetitions || w->oracle.paused ||
	    f->link_ups != w->oracle.link_ups) {
		f->link_ups = w->oracle.link_ups;
		f->repeated_seq = s->seq;
		f->repeated_us = w->now_us;
		f->repetitions = 1;
		return;
	}
	if (w->now_us == f->again_us &&
	    !f->is_pair) { /* a smaller segment beside it tests the path */
		f->is_pair = true;
		return;
	}
	f->again_us = w->now_us;
	f->is_pair = false;
	f->repetitions++;
	doublings = f->repetitions < REPETITIONS_FREE ? 0 : f->repetitions - REPETITIONS_FREE;
	if (doublings > DOUBLINGS_MAX)
		doublings = DOUBLINGS_MAX;
	if (doublings && !w->settings->lies &&
	    w->now_us - f->repeated_us < (uint64_t)SESSION_RTO_MIN_US << doublings)
		oracle_fail(w, "conversation %u: %u repetitions in %.3f s", f->owner->id,
			    f->repetitions, (double)(w->now_us - f->repeated_us) / 1e6);
}

void oracle_on_segment(struct world *w, struct faked *f, const struct segment *s)
{
	int64_t place = place_of(f, s->seq), end = place + s->payload_len_bytes;

	judge_repetition(w, f, s);
	if (s->flags & TCP_FLAG_SYN) {
		f->iss = s->seq;
		f->has_syn = true;
		return;
	}
	if (!s->payload_len_bytes || w->settings->lies)
		return;
	if (place < 0 || (f->is_located && f->start + end > f->owner->script.length_bytes)) {
		oracle_fail(w, "conversation %u: replay sends bytes that the client never said",
			    f->owner->id);
		return;
	}
	if (end <= f->sent)
		return;
	if (f->is_located)
		judge_turns(w, f, f->start + f->sent, (uint32_t)(f->start + end));
	f->sent = (uint32_t)end;
}
