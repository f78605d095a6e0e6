/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_doubt.c - when what the target says contradicts what is believed of it (RFC 5961).
 *
 * A record may be forged, or left over from a connection long gone. Once believed it moves rcv_nxt,
 * ts_recent or the state to where the target is not, and a target that finds acknowledged what it
 * has not sent may discard all that we say without a word (Linux does in ESTABLISHED). One such record must
 * not wedge a session, so a session in doubt asks: a segment before all that the target waits for
 * is never acceptable and is answered with the target's own numbers, whatever it acknowledges (RFC 9293,
 * section 3.10.7.4, first check; it is the keep-alive of section 3.8.4). What answers say is believed
 * against all that came before.
 *
 * Doubt arises when
 *	- a second timeout passes without a word of the target;
 *	- a pure ACK comes from behind rcv_nxt, or any from beyond the target's FIN;
 *	- the target repeats, and repeats again, what was acknowledged;
 *	- a timestamp is older than ts_recent (PAWS);
 *	- an answer does not come though nothing is in flight: a target that has lost the connection without
 *	  a word (its host died) answers with a RST.
 * It ends with fresh data or an ACK from where the target is believed to be.
 */
#include "common/packet.h"
#include "common/seq.h"
#include "tcpcopy/session.h"

enum {
	TIMEOUTS_TO_ASK = 2,
	ANSWERS_TO_BELIEVE = 2,  /* each to a question of its own: one may have been overtaken */
	OUTDATED_TO_BELIEVE = 3, /* records in a row, the last two as answers */
};

/* True once in SESSION_CHALLENGE_US, so that a flood of records starts no flood of answers. */
static bool may_challenge(struct session *s, const struct session_env *env)
{
	if (s->challenged_us && env->now_us - s->challenged_us < SESSION_CHALLENGE_US)
		return false;
	s->challenged_us = env->now_us;
	return true;
}

/* An ACK that says where we stand: a challenge to whoever sent the record. */
void session_challenge(struct session *s, const struct session_env *env)
{
	if (may_challenge(s, env))
		s->ack_now = true;
}

/* Asks the target where it stands. */
void session_ask(struct session *s, const struct session_env *env)
{
	if (may_challenge(s, env))
		s->ask_due = true;
}

/* Data or a probe of ours stayed unanswered. */
void session_doubt_on_timeout(struct session *s, const struct session_env *env)
{
	if (s->target.unheard < TIMEOUTS_TO_ASK)
		s->target.unheard++;
	if (s->target.unheard == TIMEOUTS_TO_ASK)
		session_ask(s, env);
}

void session_doubt_hurry(struct session *s)
{
	s->target.unheard = TIMEOUTS_TO_ASK - 1;
}

/* Our FIN or a request was acknowledged, and what must follow does not come. */
uint64_t session_ask_at(const struct session *s)
{
	bool owes = s->state == SESSION_FIN_WAIT_2 ||
		    (s->state == SESSION_ESTABLISHED && s->gate_turn != SLAB_NONE);
	uint64_t pause = s->is_asking ? SESSION_ASK_US : SESSION_ASK_AGAIN_US;

	if (!owes || s->target.snd_una != s->target.snd_max)
		return UINT64_MAX;
	if (s->target.doubt_count && !s->is_asking) /* the same once more is enough to know */
		return s->challenged_us + SESSION_ASK_TWICE_US;
	if (s->settle_at_us)
		return UINT64_MAX;
	if (s->challenged_us <= s->progress_us)
		return s->progress_us + SESSION_ASK_US;
	return s->challenged_us + pause;
}

/* The target's FIN was none. */
static void reopen(struct session *s)
{
	s->target_closed = false;
	switch ((enum session_state)s->state) {
	case SESSION_CLOSE_WAIT:
		session_set_state(s, SESSION_ESTABLISHED);
		break;
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
		session_set_state(s, SESSION_FIN_WAIT_1);
		break;
	case SESSION_SYN_SENT:
	case SESSION_ESTABLISHED:
	case SESSION_FIN_WAIT_1:
	case SESSION_FIN_WAIT_2:
	case SESSION_TIME_WAIT:
	case SESSION_CLOSED:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
}

/*
 * The target stands at seq. What it has said and not heard acknowledged it will say again: from
 * there on it counts. What we have said since was perhaps discarded: it goes again at once.
 */
static void stand_corrected(struct session *s, struct session_env *env, uint32_t seq)
{
	struct session_target *t = &s->target;

	t->rcv_nxt = s->has_repeat && seq_lt(t->repeat_seq, seq) ? t->repeat_seq : seq;
	t->rcv_acked = t->rcv_nxt;
	t->snd_wl1 = seq_min(t->snd_wl1, t->rcv_nxt);
	t->answer_seq = seq_min(t->answer_seq, t->rcv_nxt);
	t->turn_seq = seq_min(t->turn_seq, t->rcv_nxt);
	if (s->target_closed)
		reopen(s);
	if (t->snd_una != t->snd_max) {
		t->snd_nxt = t->snd_una;
		t->backoff = 0;
		s->retransmit_at_us = 0;
	}
	s->ack_now = true;
	session_doubt_end(s);
	env->ledger->targets[s->target_index].traffic.corrections++;
}

/*
 * The target stands ahead: what it has said since was not captured and, acknowledged by nobody, comes again when
 * its timer says so, perhaps in minutes. We do not need it: it is acknowledged past. Whether it was the answer, the tail
 * of the one before, or ended with a FIN, nobody can tell: it lets the gate settle.
 */
static void pass_uncaptured(struct session *s, struct session_env *env, uint32_t seq)
{
	struct session_target *t = &s->target;

	t->rcv_nxt = seq;
	t->answer_seq = seq;
	s->may_be_answered = true;
	s->may_have_closed = true;
	s->last_answer_us = env->now_us;
	s->answer_pushed = true;
	s->progress_us = env->now_us;
	s->ack_now = true;
	session_doubt_end(s);
	env->ledger->targets[s->target_index].traffic.corrections++;
}

/* Another answer to a question says the same against what is believed. True if that is enough. */
static bool is_believed(struct session *s, const struct session_env *env, unsigned needed)
{
	s->is_asking = false;
	if (++s->target.doubt_count >= needed)
		return true;
	session_ask(s, env);
	return false;
}

/* An ACK without data says that the target stands at r->seq. */
void session_doubt_on_ack(struct session *s, struct session_env *env, const struct wire_record *r)
{
	struct session_target *t = &s->target;
	int32_t distance = seq_diff(r->seq, t->rcv_nxt);

	if (distance == 0) {
		session_doubt_end(s);
		return;
	}
	if (seq_lt(r->ack, t->snd_una))
		return; /* overtaken: acknowledgements never go back */
	if (distance == -1 && !s->is_asking) {
		session_challenge(s, env); /* a keep-alive: RFC 9293, section 3.8.4 */
		return;
	}
	if (!s->is_asking) {
		if (distance < 0 || s->target_closed) /* otherwise data that was not captured yet */
			session_ask(s, env);
		return;
	}
	if (t->doubt_seq != r->seq)
		t->doubt_count = 0;
	t->doubt_seq = r->seq;
	if (!is_believed(s, env, ANSWERS_TO_BELIEVE))
		return;
	if (distance > 0 && !s->target_closed)
		pass_uncaptured(s, env, r->seq);
	else
		stand_corrected(s, env, r->seq);
}

static void note_repeat(struct session *s, uint32_t seq)
{
	s->target.repeat_seq = s->has_repeat ? seq_min(s->target.repeat_seq, seq) : seq;
	s->has_repeat = true;
}

/* The target says again, from seq on, what was acknowledged. Once is a lost ACK. */
void session_doubt_on_repeat(struct session *s, const struct session_env *env, uint32_t seq)
{
	if (s->has_repeat)
		session_ask(s, env);
	note_repeat(s, seq);
}

/* The target says something, from seq on, that ends beyond its FIN: one of the two is forged. */
void session_doubt_on_more(struct session *s, const struct session_env *env, uint32_t seq)
{
	session_ask(s, env);
	note_repeat(s, seq);
}

/*
 * PAWS: a record older than ts_recent (RFC 7323, section 5.3). True if it is believed: then
 * ts_recent was forged.
 */
bool session_doubt_on_outdated(struct session *s, const struct session_env *env,
			       const struct wire_record *r)
{
	struct session_target *t = &s->target;
	bool is_answer = s->is_asking && !r->len_bytes && !(r->flags & TCP_FIN);

	if (is_answer) {
		if (!is_believed(s, env, OUTDATED_TO_BELIEVE))
			return false;
		t->doubt_count = 0;
		t->ts_recent = r->ts_val;
		return true;
	}
	if (t->doubt_count) {
		session_ask(s, env);
	} else {
		t->doubt_count = 1;
		session_challenge(s, env);
	}
	return false;
}
