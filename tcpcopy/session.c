/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c - a session's life: states, start, end, account, timer. */
#include "tcpcopy/session.h"

#include <assert.h>
#include <string.h>

#include "common/out_of_line.h"
#include "common/seq.h"
#include "tcpcopy/online.h"

enum {
	CACHE_LINE_BYTES = 64, /* as most processors have it */
	HOT_LINES = 6,
};

const char *session_state_name(enum session_state state)
{
	static const char *const names[SESSION_STATES] = {
		[SESSION_SYN_SENT] = "SYN-SENT",     [SESSION_ESTABLISHED] = "ESTABLISHED",
		[SESSION_FIN_WAIT_1] = "FIN-WAIT-1", [SESSION_FIN_WAIT_2] = "FIN-WAIT-2",
		[SESSION_CLOSE_WAIT] = "CLOSE-WAIT", [SESSION_CLOSING] = "CLOSING",
		[SESSION_LAST_ACK] = "LAST-ACK",     [SESSION_TIME_WAIT] = "TIME-WAIT",
		[SESSION_CLOSED] = "CLOSED",         [SESSION_JOINING] = "JOINING",
	};

	return names[state];
}

#define TO(state) (1U << SESSION_##state)

/*
 * RFC 9293, figure 5, the client's half; every state may end at once. From CLOSE-WAIT, CLOSING and
 * LAST-ACK a way leads back: the target's FIN was forged (session_doubt.c).
 */
static const uint16_t legal_steps[SESSION_STATES] = {
	[SESSION_SYN_SENT] = TO(ESTABLISHED) | TO(CLOSED),
	[SESSION_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED) | TO(JOINING),
	[SESSION_FIN_WAIT_1] =
		TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT) | TO(CLOSED) | TO(JOINING),
	[SESSION_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
	[SESSION_CLOSE_WAIT] = TO(LAST_ACK) | TO(ESTABLISHED) | TO(CLOSED) | TO(JOINING),
	[SESSION_CLOSING] = TO(TIME_WAIT) | TO(FIN_WAIT_1) | TO(CLOSED) | TO(JOINING),
	[SESSION_LAST_ACK] = TO(FIN_WAIT_1) | TO(CLOSED) | TO(JOINING),
	[SESSION_TIME_WAIT] = TO(CLOSED),
	[SESSION_CLOSED] = TO(SYN_SENT) | TO(JOINING),
	[SESSION_JOINING] = TO(SYN_SENT) | TO(CLOSED),
};

void session_set_state(struct session *s, enum session_state state)
{
	assert(legal_steps[s->state] & 1U << state);
	s->state = (uint8_t)state;
}

void session_init(struct session *s, struct online *online, size_t target_index, unsigned copy,
		  enum drop_cause cause)
{
	static_assert(offsetof(struct session, offer) <= HOT_LINES * CACHE_LINE_BYTES,
		      "what each request touches stays together");

	memset(s, 0, sizeof(*s));
	s->online = online;
	s->target_index = (uint8_t)target_index;
	s->copy = (uint16_t)copy;
	s->state = SESSION_CLOSED;
	s->closed_cause = (uint8_t)cause;
	s->gate_turn = SLAB_NONE;
	s->acked_turn = SLAB_NONE;
}

/*
 * RFC 6528: a clock of 4 microseconds a step, plus a secret function of the tuple; and what sets
 * us apart from another tcpcopy on this host.
 */
static uint32_t initial_sequence(const struct session_env *env, const struct tuple *tuple)
{
	return (uint32_t)(env->now_us / 4) + env->isn_base +
	       (uint32_t)tuple_hash(&env->isn_secret, tuple);
}

void session_retry_syn(struct session *s, struct session_env *env, uint64_t delay_us)
{
	assert(s->state == SESSION_SYN_SENT);
	delay_us += session_lag_us(s, env);
	s->target.backoff = 0;
	s->syn_due = delay_us == 0;
	s->retransmit_at_us = delay_us ? env->now_us + delay_us : 0;
	if (s->syn_due)
		session_mark_dirty(s, env);
	else
		session_arm(s, env);
}

/* Nothing that another connection has left behind, but where in the stream to begin. */
static void begin_handshake(struct session *s, struct session_env *env, const struct tuple *tuple,
			    uint64_t delay_us)
{
	struct session_target *t = &s->target;

	s->tuple = *tuple;
	memset(t, 0, sizeof(*t));
	t->iss = initial_sequence(env, tuple);
	t->snd_una = t->iss;
	t->snd_nxt = t->iss;
	t->snd_max = t->iss;
	t->recover = t->iss;
	session_recovery_init(s);
	session_doubt_end(s);
	s->answered = 0;
	s->forgotten = 0;
	s->deficit = 0;
	s->may_be_answered = false;
	s->answer_min_off = s->una_off;
	s->start_off = s->una_off;
	s->end_said = TURN_DATA;
	s->turns_said = 0;
	s->is_joined = s->gate_is_free;
	s->was_whole |= !s->is_joined;
	s->ended_young = false;
	s->said_again = false;
	s->end_held_us = 0;
	s->begun_us = env->now_us;
	s->syn_was_refused = false;
	s->rst_due = false;
	s->may_have_closed = false;
	s->target_closed = s->in_recovery = s->uses_timestamps = false;
	s->timed_us = 0;
	s->smaller_mss = 0;
	s->smaller_due = false;
	s->last_sent_us = 0;
	s->challenged_us = 0;
	s->progress_us = env->now_us;
	session_retry_syn(s, env, delay_us);
}

void session_start(struct session *s, struct session_env *env, const struct tuple *tuple,
		   uint32_t id)
{
	s->id = id;
	s->has_tuple = true;
	s->was_started = true;
	s->tuples_refused = 0;
	session_set_state(s, SESSION_SYN_SENT);
	begin_handshake(s, env, tuple, 0);
}

void session_restart_on(struct session *s, struct session_env *env, const struct tuple *tuple,
			uint64_t delay_us)
{
	assert(s->state == SESSION_SYN_SENT);
	begin_handshake(s, env, tuple, delay_us);
}

void session_account_captured(struct session *s, struct session_env *env, uint64_t bytes,
			      uint64_t requests)
{
	ledger_captured(env->ledger, s->target_index, s->copy, bytes, requests);
	if (requests)
		s->may_take_back = false; /* the last one is complete */
	if (!session_is_live(s)) {
		session_note_refused(s, env);
		ledger_dropped(env->ledger, s->target_index, s->copy, s->closed_cause, bytes,
			       requests);
		return;
	}
	if (!session_is_awaiting_target(s))
		s->progress_us = env->now_us; /* the wait begins now, not when it fell idle */
	s->bytes_in_flight += bytes;
	s->requests_in_flight += (uint32_t)requests;
}

void session_account_dropped(struct session *s, struct session_env *env, enum drop_cause cause,
			     uint64_t bytes, uint64_t requests)
{
	if (!session_is_live(s))
		return; /* was dropped as it was captured */
	assert(s->bytes_in_flight >= bytes && s->requests_in_flight >= requests);
	s->bytes_in_flight -= bytes;
	s->requests_in_flight -= (uint32_t)requests;
	ledger_dropped(env->ledger, s->target_index, s->copy, cause, bytes, requests);
}

/* The target has acknowledged the stream up to una_off: account it and pass the turns. */
LINK_IN_LINE void session_acknowledged(struct session *s, struct session_env *env, uint64_t una_off)
{
	uint64_t bytes = una_off - s->una_off;
	uint32_t requests = 0;

	if (bytes)
		s->acked_us = env->now_us;
	s->una_off = una_off;
	while (s->acked_turn != SLAB_NONE && s->acked_turn != s->gate_turn) {
		struct turn *t = slab_at(env->turns, s->acked_turn);

		if (t->end > una_off)
			break;
		t->is_passed = true;
		requests += turn_ends_request(env->turns, t);
		s->may_take_back |= turn_may_go_on(env->turns, t);
		s->acked_turn = t->next;
	}
	assert(s->bytes_in_flight >= bytes && s->requests_in_flight >= requests);
	s->bytes_in_flight -= bytes;
	s->requests_in_flight -= requests;
	ledger_delivered(env->ledger, s->target_index, s->copy, bytes, requests);
}

void session_take_back(struct session *s, struct session_env *env, enum drop_cause cause)
{
	if (!s->may_take_back)
		return;
	s->may_take_back = false;
	ledger_taken_back(env->ledger, s->target_index, s->copy, 1);
	if (cause != DROP_CAUSES)
		ledger_dropped(env->ledger, s->target_index, s->copy, cause, 0, 1);
	else
		s->requests_in_flight++;
}

uint64_t session_late_until(const struct session *s, const struct session_env *env)
{
	uint64_t since = s->begun_us;

	if (env->is_deaf)
		return UINT64_MAX;
	since = env->heard_us > since ? env->heard_us : since;
	since = s->turn_said_us > since ? s->turn_said_us : since;
	since = s->acked_us > since ? s->acked_us : since;
	since = s->last_answer_us > since ? s->last_answer_us : since;
	return since + SESSION_LATE_WAIT_US;
}

void session_stop(struct session *s, struct session_env *env)
{
	s->retransmit_at_us = s->ack_at_us = s->settle_at_us = 0;
	s->syn_due = s->ack_now = s->ask_due = s->retransmit_una = s->probe_due = false;
	session_set_late(s, env, false);
	timer_wheel_cancel(env->wheel, &s->timer);
	session_mark_dirty(s, env);
}

/* Into CLOSED, whatever the reason; what is still in flight is dropped for it. */
void session_close(struct session *s, struct session_env *env, enum drop_cause cause)
{
	session_account_dropped(s, env, cause, s->bytes_in_flight, s->requests_in_flight);
	session_set_state(s, SESSION_CLOSED);
	s->closed_cause = (uint8_t)cause;
	s->gate_turn = SLAB_NONE;
	s->acked_turn = SLAB_NONE;
	session_stop(s, env);
}

void session_abort(struct session *s, struct session_env *env, enum drop_cause cause)
{
	struct ledger_sessions *count = &env->ledger->targets[s->target_index].sessions;
	bool is_joining = s->state == SESSION_JOINING; /* holds nothing at the target */
	/* Before the first SYN is out the target knows nothing that a RST could end. */
	bool rst_due = is_joining ? s->rst_due : s->target.snd_max != s->target.iss;

	if (!is_joining) {
		count->ended_by_us++;
	} else if (!s->was_started && !s->gate_is_free) { /* still not copied, now for this cause */
		count->not_started[s->closed_cause]--;
		count->not_started[cause]++;
	}
	session_close(s, env, cause);
	s->rst_due = rst_due;
}

bool session_state_awaits_target(const struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_SYN_SENT:
	case SESSION_FIN_WAIT_1:
	case SESSION_FIN_WAIT_2:
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
	case SESSION_TIME_WAIT:
		return true;
	case SESSION_ESTABLISHED:
	case SESSION_CLOSE_WAIT:
		return s->gate_turn != SLAB_NONE || s->bytes_in_flight > 0;
	case SESSION_CLOSED:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
	return false;
}

bool session_is_resting(const struct session *s, const struct session_env *env, uint64_t quiet_us)
{
	bool is_due = s->retransmit_at_us || s->ack_at_us || s->settle_at_us || s->syn_due ||
		      s->rst_due || s->ack_now || s->ask_due || s->is_asking || s->retransmit_una ||
		      s->probe_due || s->is_dirty || s->is_late;

	if (is_due || s->gate_turn != SLAB_NONE || s->acked_turn != SLAB_NONE)
		return false;
	switch ((enum session_state)s->state) {
	case SESSION_ESTABLISHED:
	case SESSION_CLOSE_WAIT:
		return !session_is_awaiting_target(s) && s->target.snd_una == s->target.snd_max &&
		       session_ask_at(s) == UINT64_MAX &&
		       env->now_us >= s->last_answer_us + quiet_us &&
		       env->now_us >= s->last_sent_us + quiet_us;
	case SESSION_CLOSED:
		return true;
	case SESSION_SYN_SENT:
	case SESSION_FIN_WAIT_1:
	case SESSION_FIN_WAIT_2:
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
	case SESSION_TIME_WAIT:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
	return false;
}

void session_hurry(struct session *s, struct session_env *env, uint64_t delay_us)
{
	if (s->state == SESSION_SYN_SENT) {
		session_retry_syn(s, env, delay_us);
		return;
	}
	if (s->state == SESSION_TIME_WAIT || !session_is_awaiting_target(s))
		return;
	s->target.backoff = 0;
	s->retransmit_at_us = env->now_us + delay_us;
	if (s->retransmit_at_us < s->last_sent_us + SESSION_RTO_INITIAL_US)
		s->retransmit_at_us = s->last_sent_us + SESSION_RTO_INITIAL_US; /* it flaps */
	session_doubt_hurry(s);
	session_arm(s, env);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return b && b < a ? b : a;
}

LINK_IN_LINE void session_arm(struct session *s, struct session_env *env)
{
	uint64_t at = UINT64_MAX;

	at = earlier(at, s->retransmit_at_us);
	at = earlier(at, s->ack_at_us);
	at = earlier(at, s->settle_at_us);
	if (session_is_awaiting_target(s)) { /* otherwise there is nothing to ask for either */
		if (s->target.snd_una == s->target.snd_max)
			at = earlier(at, session_ask_at(s));
		if (s->is_late)
			at = earlier(at, session_late_until(s, env));
		at = earlier(at,
			     s->progress_us + (s->state == SESSION_TIME_WAIT ? SESSION_TIME_WAIT_US
									     : env->give_up_us));
	}
	if (at == UINT64_MAX || (timer_is_set(&s->timer) && s->timer_at_us <= at))
		return;
	s->timer_at_us = at;
	timer_wheel_set(env->wheel, &s->timer, at);
}

/* The target has been silent for -t. What never answers is not begun again at once. */
static void give_up(struct session *s, struct session_env *env)
{
	if (s->state == SESSION_SYN_SENT) {
		session_abort(s, env, DROP_TIMED_OUT);
		return;
	}
	if (++s->unanswered >= SESSION_UNANSWERED_TURNS) {
		s->unanswered = 0;
		s->retry_at_us = env->now_us + SESSION_UNANSWERED_US;
		session_abort(s, env, DROP_TIMED_OUT);
		return;
	}
	session_leave(s, env, DROP_TIMED_OUT, false);
	s->rst_due = true;
	env->ledger->targets[s->target_index].sessions.ended_by_us++;
}

static bool is_due(uint64_t at_us, const struct session_env *env)
{
	return at_us && env->now_us >= at_us;
}

/* There is something to say and no window: probe it with the first byte (RFC 9293, section 3.8.6.1). */
static bool is_probing(const struct session *s, const struct session_env *env)
{
	return s->target.snd_wnd == 0 && s->una_off < session_send_limit(s, env);
}

/*
 * A timeout is a loss like any other as long as this target hears others. What it says proves nothing: it
 * repeats what we could not acknowledge.
 */
static void doubt_way(const struct session *s, struct session_env *env)
{
	static_assert(TRANSFERS_MAX <= 64, "a bit a target");

	if (!env->is_deaf && env->now_us >= env->heard_by_us[s->target_index] + SESSION_SILENCE_US)
		env->doubted_targets |= UINT64_C(1) << s->target_index;
}

/*
 * The handshake worked and nothing after it ever did: something on the way lets SYNs pass and takes the rest for
 * invalid, because it does not see the target's answers.
 */
static void note_unheard(const struct session *s, struct session_env *env)
{
	size_t t = s->target_index;

	if (env->is_deaf || env->unheard[t].is_over)
		return;
	if (!env->unheard[t].timeouts++)
		env->unheard[t].since_us = env->now_us;
	if (env->unheard[t].timeouts < SESSION_UNHEARD_TIMEOUTS ||
	    env->now_us < env->unheard[t].since_us + SESSION_UNHEARD_US)
		return;
	env->unheard[t].is_over = true;
	env->effects->notice(env->ctx, REPLAY_NOTICE_SYNS_ONLY, t);
}

/* What is in flight is not acknowledged in time. */
static void on_silence(struct session *s, struct session_env *env)
{
	note_unheard(s, env);
	session_recovery_on_timeout(s, env);
	session_path_on_timeout(s, env);
}

void session_on_timer(struct session *s, struct session_env *env)
{
	s->timer_at_us = 0;
	if (s->state == SESSION_TIME_WAIT) {
		if (env->now_us >= s->progress_us + SESSION_TIME_WAIT_US)
			session_close(s, env, DROP_SHUTDOWN); /* nothing is in flight */
		else {
			if (is_due(s->ack_at_us, env)) {
				s->ack_at_us = 0;
				s->ack_now = true;
			}
			s->settle_at_us = s->retransmit_at_us = 0;
			session_arm(s, env);
		}
		session_mark_dirty(s, env);
		return;
	}
	if (session_is_awaiting_target(s) && env->now_us >= s->progress_us + env->give_up_us) {
		give_up(s, env);
		return;
	}
	if (is_due(s->retransmit_at_us, env)) {
		s->retransmit_at_us = 0;
		doubt_way(s, env);
		if (s->state == SESSION_SYN_SENT) {
			s->syn_due = true; /* again: RFC 9293, section 3.8.1 */
			s->target.doubt_count = 0;
		} else {
			if (is_probing(s, env)) {
				s->target.snd_nxt = s->target.snd_una;
				s->probe_due = true;
			} else
				on_silence(s, env);
			session_doubt_on_timeout(s, env);
		}
	}
	if (is_due(s->ack_at_us, env)) {
		s->ack_at_us = 0;
		s->ack_now = true;
	}
	if (env->now_us >= session_ask_at(s))
		session_ask(s, env);
	if (is_due(s->settle_at_us, env))
		s->settle_at_us = 0; /* session_output looks at the gate */
	/* It may have been set for an ACK that a request has taken along. */
	session_speak_or_arm(s, env);
}

void session_on_stream(struct session *s, struct session_env *env, struct turn *turn, bool is_new)
{
	bool goes_on = is_new && turn->kind == TURN_DATA && !turn->is_request;

	if (goes_on)
		session_take_back(s, env, session_is_live(s) ? DROP_CAUSES : s->closed_cause);
	if (!session_is_live(s))
		return;
	if (!session_is_awaiting_target(s))
		s->progress_us = env->now_us;
	if (is_new) {
		if (s->gate_turn == SLAB_NONE)
			s->gate_turn = turn->index;
		if (s->acked_turn == SLAB_NONE)
			s->acked_turn = turn->index;
	}
	session_mark_dirty(s, env);
}

void session_on_request(struct session *s, struct session_env *env, const struct turn *turn)
{
	uint64_t bytes = turn->end - turn->start;

	ledger_captured(env->ledger, s->target_index, s->copy, bytes, 1);
	s->may_take_back = false;
	if (!session_is_awaiting_target(s))
		s->progress_us = env->now_us;
	s->bytes_in_flight += bytes;
	s->requests_in_flight++;
	if (s->gate_turn == SLAB_NONE)
		s->gate_turn = turn->index;
	if (s->acked_turn == SLAB_NONE)
		s->acked_turn = turn->index;
	session_mark_dirty(s, env);
}
