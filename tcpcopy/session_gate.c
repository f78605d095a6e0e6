/* SPDX-License-Identifier: BSD-2-Clause */
/* session_gate.c - when a turn may be said: theory in session.h, examples in docs/session-states.md. */
#include <assert.h>

#include "common/out_of_line.h"
#include "common/packet.h"
#include "common/seq.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

enum {
	PATIENCE_FACTOR = 8,
	STREAM_AHEAD = 4,  /* of its largest answers */
	BRIEF_ANSWERS = 8, /* in a row that were complete with their PSH: the next one is, too */
};

/* Every byte before this offset may be sent. */
uint64_t session_send_limit(const struct session *s, const struct session_env *env)
{
	if (s->gate_turn != SLAB_NONE)
		return ((const struct turn *)slab_at(env->turns, s->gate_turn))->start;
	return s->online->queue.end;
}

/* The client is known to speak while answers are on their way: what it has seen is all that its next words can depend on. */
static bool is_streaming(const struct session *s)
{
	return s->overlaps || s->online->is_streaming;
}

/*
 * How many bytes beyond the need of a turn may be answers to requests that were open beside it: no more than
 * the client was ever ahead of its answers itself. 0: it waits for each answer.
 */
static uint64_t surplus_max(const struct session *s)
{
	return (s->online->writes_max > 1 ? s->online->writes_max - 1 : 0) * s->online->need_max;
}

/*
 * Each byte counts once, also if it was not captured; the tail of an earlier answer does not pay for the
 * next turn. What came as such a tail and comes again with a newer ACK may be a repetition or, if that was forged, the answer:
 * it lets the gate settle.
 */
LINK_IN_LINE void session_gate_on_answer(struct session *s, struct session_env *env,
					 const struct wire_record *r, uint32_t rcv_nxt)
{
	struct session_target *t = &s->target;
	uint32_t end = r->seq + r->len_bytes;
	uint32_t from = seq_max(t->answer_seq, seq_min(r->seq, rcv_nxt));
	bool is_tail = session_off_of(s, r->ack) < s->answer_min_off && !surplus_max(s) &&
		       !is_streaming(s);

	if (seq_leq(end, from)) {
		if (is_tail || seq_lt(r->seq, t->turn_seq))
			return;
		s->may_be_answered = true;
	} else if (is_tail) {
		s->forgotten += end - from;
		s->brief_answers = 0;
		t->answer_seq = end;
		return;
	} else {
		if (!s->answered && s->turns_said)
			habits_on_first_byte(&env->habits[s->target_index],
					     env->now_us - s->turn_said_us);
		s->answered += end - from;
		t->answer_seq = end;
	}
	s->went_on |= s->answer_pushed;
	s->last_answer_us = env->now_us;
	s->answer_pushed = r->flags & TCP_PSH;
}

static uint64_t settle_us(const struct session *s, const struct turn *t)
{
	uint64_t least = s->answer_pushed ? SESSION_SETTLE_PUSHED_US : SESSION_SETTLE_US;
	uint64_t srtt2 = 2 * (uint64_t)s->target.srtt_us;

	if (t->kind == TURN_FIN)
		return SESSION_SETTLE_END_US;
	if (s->brief_answers >= BRIEF_ANSWERS && s->answer_pushed && !s->went_on)
		return 0;
	return srtt2 > least ? srtt2 : least;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When the target has been silent for long enough. */
static uint64_t quiet_at_us(const struct session *s, const struct session_env *env,
			    const struct turn *t)
{
	uint64_t since = later(later(s->last_answer_us, s->acked_us), env->heard_us);

	return since + settle_us(s, t);
}

/*
 * When an answer of another length counts as ended: after silence since its last byte and since the target had
 * the whole turn, and not before as much time has passed since then as the client had waited for what it saw of its
 * answer. The last keeps an answer that pauses (headers, then the body) from being cut short.
 */
static uint64_t settled_at(const struct session *s, const struct session_env *env,
			   const struct turn *t)
{
	uint64_t quiet_at = quiet_at_us(s, env, t);
	uint64_t pace = t->waited_us < SESSION_PACE_MAX_US ? t->waited_us : SESSION_PACE_MAX_US;
	uint64_t paced_at = s->acked_us + pace + settle_us(s, t);

	return later(quiet_at, paced_at);
}

/* What came in all, before the turn said last had ended too, makes up for what former turns were said without and for t. */
static bool is_answered_in_all(const struct session *s, const struct turn *t)
{
	return s->answered + s->forgotten >= t->need + s->deficit;
}

/*
 * What was answered is exactly what the client had seen. Otherwise more may be on its way, and a server that hears of the client's end
 * drops what it still has to answer.
 */
static bool is_settled_up(const struct session *s, const struct turn *t)
{
	return s->answered + s->forgotten == t->need + s->deficit;
}

/*
 * A client that has closed right behind its request did not wait for that answer. It may have begun to come before the FIN was
 * captured; all before was answered exactly.
 */
static bool is_half_close(const struct session *s, const struct turn *t)
{
	uint32_t since_turn = s->target.answer_seq - s->target.turn_seq;

	return t->need == 0 && s->forgotten == s->deficit && (uint32_t)s->answered == since_turn;
}

static bool may_end(const struct session *s, const struct turn *t)
{
	if (t->kind != TURN_FIN || t->next != SLAB_NONE) /* a RST follows: nobody reads any more */
		return true;
	return is_settled_up(s, t) || is_half_close(s, t);
}

/*
 * A connection without its beginning is on probation after its first turn: whether the target keeps it shows right behind
 * the answer.
 */
static bool is_on_probation(const struct session *s, const struct session_env *env,
			    const struct turn *t)
{
	return t->kind == TURN_DATA && s->is_joined && s->turns_said == 1 &&
	       !env->habits[s->target_index].keeps_joined;
}

static uint64_t probation_ends_at(const struct session *s)
{
	uint64_t at = s->last_answer_us + SESSION_PROBATION_US;
	uint64_t grown_at = s->begun_us + SESSION_YOUNG_US; /* a feed is never silent */

	return at < grown_at ? at : grown_at;
}

/* How long it may be that a target is silent and still works on an answer. */
static uint64_t patience_us(const struct habits *h)
{
	uint64_t us = h->slowest_us * PATIENCE_FACTOR;

	if (us < SESSION_PATIENCE_MIN_US)
		return SESSION_PATIENCE_MIN_US;
	return us < SESSION_PATIENCE_MAX_US ? us : SESSION_PATIENCE_MAX_US;
}

/* The target has said something on this connection: it works. */
static bool answers(const struct session *s)
{
	return s->target.rcv_nxt != s->target.irs + 1; /* however far: numbers wrap */
}

/* When time will open the gate before t; UINT64_MAX: it will not. */
static uint64_t opens_at(const struct session *s, const struct session_env *env,
			 const struct turn *t)
{
	const struct habits *h = &env->habits[s->target_index];

	if (env->is_deaf)
		return UINT64_MAX;
	if (s->answered >= t->need && is_on_probation(s, env, t))
		return probation_ends_at(s);
	if (s->answered || s->may_be_answered || is_streaming(s) || t->need == 0)
		return settled_at(s, env, t);
	if (s->forgotten >= t->need || (answers(s) && (t->kind == TURN_DATA || s->may_have_closed)))
		return later(later(s->turn_said_us, s->acked_us), env->heard_us) + t->waited_us +
		       patience_us(h);
	return UINT64_MAX;
}

/* The bytes that it waits for have come. */
static bool is_answered(const struct session *s, const struct session_env *env,
			const struct turn *t)
{
	if (!may_end(s, t))
		return false;
	if (is_streaming(s))
		return is_answered_in_all(s, t);
	return s->una_off >= t->start && s->answered >= t->need &&
	       (!is_on_probation(s, env, t) || env->now_us >= probation_ends_at(s));
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A target that goes on and on (a feed, events) holds the client's end for some time only. */
static uint64_t end_at(struct session *s, const struct session_env *env, const struct turn *t)
{
	if (!s->end_held_us)
		s->end_held_us = env->now_us;
	return s->end_held_us + t->waited_us + SESSION_END_MAX_US;
}

/*
 * An answer has ended by silence. Where one after the other was complete with its PSH, so will be the next: it need not be waited for
 * what never comes.
 */
static void note_settled(struct session *s)
{
	if (s->went_on || !s->answer_pushed)
		s->brief_answers = 0;
	else if (s->brief_answers < BRIEF_ANSWERS)
		s->brief_answers++;
}

/*
 * When this copy of the connection hears of t. What waited for no answer goes on with what was said before it, the bytes of which
 * go at once: an end that came later than they would be judged by an answer that its client had not seen.
 */
static uint64_t heard_at(const struct session *s, const struct session_env *env,
			 const struct turn *t)
{
	bool goes_on = !t->need && !t->is_request && s->turns_said;

	return goes_on ? t->known_us : t->known_us + session_lag_us(s, env);
}

/*
 * An ACK that was to ride on the next request goes now, as that has to wait: the target may need it to go on (its window,
 * Nagle). Its silence counts from here.
 */
static void say_held_ack(struct session *s, const struct session_env *env)
{
	if (s->ack_now || s->target.rcv_nxt - s->target.rcv_acked <= s->mss_agreed)
		return;
	s->ack_now = true;
	s->last_answer_us = env->now_us;
}

/* Whether the gate before t is open; if time will open it, *settle_at says when. */
static bool gate_is_open(struct session *s, struct session_env *env, const struct turn *t,
			 uint64_t *settle_at)
{
	struct ledger_traffic *count = &env->ledger->targets[s->target_index].traffic;
	uint64_t at;

	*settle_at = 0;
	if (env->now_us < heard_at(s, env, t)) {
		*settle_at = heard_at(s, env, t);
		return false;
	}
	if ((t->need == 0 && may_end(s, t)) || s->gate_is_free)
		return true;
	if (session_ack_is_far(s, env))
		return false; /* the client has not seen it yet */
	if (s->target_closed) {
		if (env->joins && t->is_boundary)
			return false; /* for another connection */
		count->gates_by_close++;
		return true;
	}
	if (env->no_wait)
		return true;
	if (is_answered(s, env, t)) {
		count->gates_by_answer++;
		return true;
	}
	say_held_ack(s, env);
	if (s->una_off < t->start)
		return false;
	at = opens_at(s, env, t);
	if (at == UINT64_MAX)
		return false;
	if (t->kind == TURN_FIN)
		at = sooner(at, end_at(s, env, t));
	if (env->now_us < at) {
		*settle_at = at;
		return false;
	}
	note_settled(s);
	count->gates_by_settle++;
	return true;
}

/*
 * What a turn did not need counts for the next one only if it can be the answer to a request that was open beside it; the rest
 * is kept in mind. For a client that streams no more than it can be ahead of its answers: longer ones must not pay for all to come.
 */
static void account_surplus(struct session *s, const struct turn *t)
{
	uint64_t all = s->answered + s->forgotten;
	uint64_t surplus = s->answered > t->need ? s->answered - t->need : 0;

	s->overlaps |= !s->answered && !s->may_be_answered && t->need && all >= t->need;
	if (surplus && surplus > surplus_max(s))
		surplus = surplus_max(s);
	s->answered = surplus;
	if (all < t->need && !s->gate_is_free)
		s->deficit += t->need - all;
	all = all > t->need ? all - t->need : 0;
	if (all && is_streaming(s) && all > STREAM_AHEAD * s->online->need_max)
		all = STREAM_AHEAD * s->online->need_max;
	s->forgotten = all > s->answered ? all - s->answered : 0;
	s->may_be_answered = false;
}

static void count_turn(struct session *s, struct session_env *env)
{
	if (s->target_closed)
		return;
	if (s->turns_said < HABITS_TURNS)
		s->turns_said++;
	if (s->turns_said == HABITS_TURNS && env->now_us >= s->begun_us + HABITS_AGE_US)
		habits_on_kept(&env->habits[s->target_index], s->is_joined);
}

static void say(struct session *s, struct session_env *env, const struct turn *t)
{
	if (t->kind != TURN_DATA)
		s->end_said = t->kind;
	if (t->need || t->is_request) {
		if (s->answered)
			s->unanswered = 0;
		account_surplus(s, t);
		s->target.answer_seq = s->target.rcv_nxt;
		s->target.turn_seq = s->target.rcv_nxt;
		s->answer_min_off = t->start + (t->kind == TURN_DATA);
		s->turn_said_us = env->now_us;
		s->went_on = false;
		s->answer_pushed = false;
		count_turn(s, env);
	}
	s->gate_is_free = false;
	s->gate_turn = t->next;
}

bool session_gate_is_partly_answered(const struct session *s, const struct session_env *env)
{
	const struct turn *t;

	if (s->gate_turn == SLAB_NONE || !s->answered)
		return false;
	t = slab_at(env->turns, s->gate_turn);
	return s->answered < t->need;
}

bool session_gate_has_whole_answer(const struct session *s)
{
	const struct online *o = s->online;

	return s->gate_turn == SLAB_NONE && s->answer_pushed && o->seen > o->turns.seen &&
	       s->answered >= o->seen - o->turns.seen;
}

void session_gate_update(struct session *s, struct session_env *env)
{
	s->settle_at_us = 0;
	while (s->gate_turn != SLAB_NONE) {
		const struct turn *t = slab_at(env->turns, s->gate_turn);

		if (t->kind == TURN_GAP || !gate_is_open(s, env, t, &s->settle_at_us))
			break;
		say(s, env, t);
	}
}
