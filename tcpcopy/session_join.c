/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_join.c - connections without their beginning: when a session may begin in the middle of the stream, or
 * go on with another connection, and when the target's refusal says that it never will. Examples in docs/session-states.md.
 */
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

static bool cause_allows_joining(enum drop_cause cause)
{
	switch (cause) {
	case DROP_BEFORE_JOIN:
	case DROP_NO_INTERCEPT:
	case DROP_PAUSED:
	case DROP_CAPTURE_GAP:
	case DROP_LIMIT:
	case DROP_BACKLOG:
	case DROP_NO_TUPLE:
	case DROP_TARGET_REFUSED:
	case DROP_TARGET_RESET:
	case DROP_TARGET_CLOSED:
	case DROP_TIMED_OUT:
	case DROP_JOIN_REFUSED:
		return true;
	case DROP_SAMPLED_OUT:
	case DROP_RATE:
	case DROP_NO_ADDRESS:
	case DROP_NOT_REPLAYABLE:
	case DROP_FAKED_CLIENT:
	case DROP_ENCRYPTED:
	case DROP_CLIENT_RESET:
	case DROP_SHUTDOWN:
	case DROP_CAUSES:
		break;
	}
	return false;
}

/* The first turn that another connection to the target could begin with, or NULL. */
static const struct turn *resumption(const struct session *s, const struct session_env *env,
				     bool unheard)
{
	const struct turn *t;

	for (uint32_t at = unheard ? s->acked_turn : s->gate_turn; at != SLAB_NONE; at = t->next) {
		t = slab_at(env->turns, at);
		if (t->is_boundary && t->start >= s->una_off)
			return t;
	}
	return NULL;
}

/* The stream up to turn t is given up. */
static void skip_to(struct session *s, struct session_env *env, const struct turn *t,
		    enum drop_cause cause)
{
	uint64_t requests = 0;

	for (uint32_t at = s->acked_turn; at != t->index;) {
		const struct turn *skipped = slab_at(env->turns, at);

		requests += turn_ends_request(env->turns, skipped);
		at = skipped->next;
	}
	session_account_dropped(s, env, cause, t->start - s->una_off, requests);
	s->una_off = t->start;
	s->gate_turn = t->index;
	s->acked_turn = t->index;
}

/* Response bytes of this connection, captured or not. */
static uint32_t answer_bytes(const struct session *s)
{
	return s->target.rcv_nxt - s->target.irs - 1 - s->target_closed;
}

/*
 * How much this end looks as if the target did not take the connection without its beginning, rather than have had enough of it,
 * in strikes. It took a request, lived for less than four turns, and did not answer a byte (PostgreSQL): certainly. Or it
 * reset (MariaDB), or closed though it keeps connections with their beginning (WebSocket, HTTP/2): perhaps; but not if it has ever kept another,
 * nor if it resets those with their beginning likewise.
 */
static unsigned strikes_of(const struct session *s, const struct habits *h, enum drop_cause cause)
{
	bool is_reset = cause == DROP_TARGET_RESET;

	if (!s->is_joined || s->turns_said >= HABITS_TURNS || s->una_off == s->start_off ||
	    (!is_reset && cause != DROP_TARGET_CLOSED))
		return 0;
	if (answer_bytes(s) == 0)
		return SESSION_JOIN_STRIKES;
	if (!s->ended_young || h->keeps_joined || (is_reset && habits_resets_all(h)))
		return 0;
	if (is_reset) /* later perhaps only because it had closed */
		return s->turns_said == 1 ? SESSION_JOIN_STRIKES : 1;
	return h->keeps_whole ? 1 : 0;
}

static bool join_was_refused(struct session *s, const struct habits *h, enum drop_cause cause)
{
	unsigned strikes = strikes_of(s, h, cause);

	s->join_strikes = (uint8_t)(strikes ? s->join_strikes + strikes : 0);
	if (s->join_strikes < SESSION_JOIN_STRIKES)
		return false;
	s->join_strikes = 0;
	return true;
}

/*
 * How the target ends connections that it has answered: one that resets those that it knew from their beginning refuses nothing by
 * that; one that closes only the others, each behind one answer, may have carried out none of what they said.
 */
static void note_manner(const struct session *s, struct session_env *env, enum drop_cause cause)
{
	struct habits *h = &env->habits[s->target_index];

	if (!s->ended_young || !answer_bytes(s))
		return;
	if (cause == DROP_TARGET_RESET && !s->is_joined)
		habits_on_whole_reset(h);
	if (cause == DROP_TARGET_CLOSED && s->turns_said == 1 && habits_on_brief(h, s->is_joined))
		env->effects->notice(env->ctx, REPLAY_NOTICE_BRIEF_JOINS, s->target_index);
}

/* Where others without their beginning live on, only three in a row count. */
static void on_join_refused(struct session *s, struct session_env *env)
{
	const struct habits *h = &env->habits[s->target_index];

	env->ledger->targets[s->target_index].sessions.joins_refused++;
	if (s->refused_joins < SESSION_REFUSED_JOINS)
		s->refused_joins++;
	if (!h->keeps_joined || s->refused_joins == SESSION_REFUSED_JOINS)
		s->refused_us = env->now_us;
}

/*
 * A target that dies ends its connections likewise, but others with them: then, or if it has died since, the refusal says nothing. Nor
 * does it if connections with their beginning fare no better: a proxy whose servers are down.
 */
static bool refusal_counts(const struct session *s, const struct session_env *env)
{
	const struct habits *h = &env->habits[s->target_index];

	return s->refused_us && !h->mute_ends && h->upset_us + SESSION_REFUSED_US < s->refused_us;
}

/*
 * Not again, unless it may have been an accident: others without their beginning live on, or this one had begun whole, and its target
 * was restarted. Then a minute later; only the third in a row proves it.
 */
static bool may_try_again(const struct session *s, const struct session_env *env)
{
	const struct habits *h = &env->habits[s->target_index];

	if (!s->refused_us)
		return true;
	if (!refusal_counts(s, env))
		return env->now_us >= s->refused_us + SESSION_REFUSED_US;
	if (h->keeps_joined || (s->was_whole && s->refused_joins < SESSION_REFUSED_JOINS))
		return env->now_us >= s->refused_us + SESSION_UNANSWERED_US;
	return false;
}

/* The cause is named, and told, when it is certain and something is lost by it. */
void session_note_refused(struct session *s, struct session_env *env)
{
	struct habits *h = &env->habits[s->target_index];

	if (!refusal_counts(s, env) || h->keeps_joined ||
	    env->now_us < s->refused_us + SESSION_REFUSED_US)
		return;
	s->closed_cause = DROP_JOIN_REFUSED;
	if (habits_tell(h, HABITS_TOLD_JOIN_REFUSED))
		env->effects->notice(env->ctx, REPLAY_NOTICE_JOIN_REFUSED, s->target_index);
}

void session_tell_encrypted(const struct session *s, struct session_env *env)
{
	if (habits_tell(&env->habits[s->target_index], HABITS_TOLD_ENCRYPTED))
		env->effects->notice(env->ctx, REPLAY_NOTICE_ENCRYPTED, s->target_index);
}

/*
 * Whether this connection to the target has brought anything. If several in a row have not, whatever was in the way may be gone a minute
 * later: then each that brings nothing is followed by another such pause.
 */
static void note_futility(struct session *s, const struct session_env *env)
{
	if (s->una_off > s->start_off) {
		s->futile_joins = 0;
	} else if (++s->futile_joins == SESSION_FUTILE_JOINS) {
		s->futile_joins--;
		s->retry_at_us = env->now_us + SESSION_UNANSWERED_US;
	}
}

static bool may_go_on(const struct session *s, const struct session_env *env, enum drop_cause cause)
{
	return env->joins && cause_allows_joining(cause) && env->now_us >= s->retry_at_us &&
	       may_try_again(s, env);
}

void session_leave(struct session *s, struct session_env *env, enum drop_cause cause, bool unheard)
{
	const struct turn *t;

	note_futility(s, env);
	note_manner(s, env, cause);
	if (join_was_refused(s, &env->habits[s->target_index], cause))
		on_join_refused(s, env);
	else if (!s->join_strikes)
		s->refused_joins = s->refused_us = 0;
	t = may_go_on(s, env, cause) ? resumption(s, env, unheard) : NULL;
	if (!t) {
		session_close(s, env, cause);
		return;
	}
	skip_to(s, env, t, cause);
	if (online_is_encrypted(s->online, env, t->start)) { /* its beginning was not recognized */
		session_tell_encrypted(s, env);
		session_close(s, env, DROP_ENCRYPTED);
		return;
	}
	s->gate_is_free = true;
	session_set_state(s, SESSION_JOINING);
	session_stop(s, env);
}

bool session_may_join(const struct session *s, const struct session_env *env, bool whole)
{
	return s->state == SESSION_CLOSED && (env->joins || (whole && !s->was_started)) &&
	       cause_allows_joining(s->closed_cause) && env->now_us >= s->retry_at_us &&
	       may_try_again(s, env);
}

bool session_join(struct session *s, struct session_env *env, uint64_t off, bool whole)
{
	if (!session_may_join(s, env, whole))
		return false;
	session_set_state(s, SESSION_JOINING);
	s->una_off = off;
	s->gate_is_free = !whole;
	session_mark_dirty(s, env);
	return true;
}
