/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_target.c - what the target said, as intercept reports it: RFC 9293 section 3.10.7 for a
 * client, RFC 5961 against blind packets, RFC 7323 for options. Changes state, sends nothing.
 */
#include "common/out_of_line.h"
#include "common/packet.h"
#include "common/seq.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

enum {
	TIMESTAMPS_LEN = 12,
	STALE_RESETS_MAX = 3, /* a SYN of the timer's: a tuple that stays taken starts no storm */
};

static struct ledger_target *account(const struct session *s, struct session_env *env)
{
	return &env->ledger->targets[s->target_index];
}

static void ignore(const struct session *s, struct session_env *env)
{
	account(s, env)->traffic.records_ignored++;
}

static uint32_t receive_window(const struct session *s)
{
	uint32_t field = SESSION_RECEIVE_WINDOW >> s->target.rcv_wscale;

	return (field < UINT16_MAX ? field : UINT16_MAX) << s->target.rcv_wscale;
}

uint16_t session_default_mss(const struct session *s)
{
	return ip_addr_is_v4(&s->tuple.dst.addr) ? SESSION_MSS_DEFAULT : SESSION_MSS_DEFAULT_V6;
}

/* What both sides agreed on: the target's MSS, options only if offered both ways. */
static void agree(struct session *s, const struct wire_record *r)
{
	struct session_target *t = &s->target;
	int mss = r->has_mss ? r->mss : session_default_mss(s);

	if (mss < SESSION_MSS_MIN)
		mss = SESSION_MSS_MIN;
	s->uses_timestamps = s->offer.has_timestamps && r->has_timestamps;
	if (s->uses_timestamps) {
		mss -= TIMESTAMPS_LEN;
		t->ts_recent = r->ts_val;
	}
	s->mss_agreed = (uint16_t)mss;
	if (s->offer.has_window_scale && r->has_window_scale) {
		t->snd_wscale = r->window_scale;
		t->rcv_wscale = s->offer.window_scale;
	}
}

static void establish(struct session *s, struct session_env *env, const struct wire_record *r)
{
	struct session_target *t = &s->target;

	agree(s, r);
	t->irs = r->seq;
	t->rcv_nxt = r->seq + 1;
	t->rcv_acked = r->seq;
	t->answer_seq = r->seq + 1;
	t->turn_seq = r->seq + 1;
	t->snd_una = t->iss + 1;
	t->snd_nxt = t->iss + 1;
	t->snd_max = t->iss + 1;
	session_path_follow(s, env);
	t->snd_wnd = r->window; /* that of a SYN is not scaled: RFC 7323, section 2.2 */
	t->max_window = t->snd_wnd;
	t->snd_wl1 = r->seq;
	t->snd_wl2 = r->ack;
	t->recover = t->iss;
	t->doubt_count = 0;
	session_set_state(s, SESSION_ESTABLISHED);
	session_recovery_on_syn_ack(s, env);
	s->progress_us = env->now_us;
	s->acked_us = env->now_us;
	session_ack_handshake(s, env);
	account(s, env)->sessions.established++;
}

/*
 * A target that takes connections refuses this one: it may have held a handshake of another tcpcopy on this tuple, which was
 * killed, or is faster than the refusal of the tuple; the target's refusal has ended that (Linux does so when the SYN lies in its window).
 */
static bool may_be_accident(const struct session *s, struct session_env *env)
{
	return !s->syn_was_refused && account(s, env)->sessions.established;
}

/* RFC 9293, section 3.10.7.3. */
static void on_target_syn_sent(struct session *s, struct session_env *env,
			       const struct wire_record *r)
{
	bool acceptable = (r->flags & TCP_ACK) && r->ack == s->target.iss + 1 &&
			  s->target.snd_max == s->target.iss + 1;

	if (r->flags & TCP_RST) {
		if (!acceptable) {
			ignore(s, env);
			return;
		}
		breaker_on_answer(&env->breakers[s->target_index]);
		if (may_be_accident(s, env)) {
			s->syn_was_refused = true;
			session_retry_syn(s, env, SESSION_REFUSED_AGAIN_US);
			return;
		}
		account(s, env)->sessions.ended_by_target++;
		s->retry_at_us = env->now_us + SESSION_REFUSED_US;
		env->habits[s->target_index].upset_us = env->now_us;
		session_close(s, env, DROP_TARGET_REFUSED);
		return;
	}
	if (!acceptable) {
		/*
		 * The target still holds an older connection on this tuple and says where that
		 * stands: a RST there frees it, then the SYN goes again.
		 */
		if ((r->flags & TCP_ACK) && s->target.snd_max == s->target.iss + 1 &&
		    s->target.doubt_count < STALE_RESETS_MAX) {
			s->target.doubt_count++;
			s->target.doubt_seq = r->ack;
			s->rst_due = true;
			session_mark_dirty(s, env);
		}
		ignore(s, env);
		return;
	}
	if (!(r->flags & TCP_SYN)) {
		ignore(s, env);
		return;
	}
	breaker_on_answer(&env->breakers[s->target_index]);
	establish(s, env, r);
	session_mark_dirty(s, env);
}

/* [snd_una - the largest window, snd_max]: RFC 5961, section 5.2. */
static bool ack_is_plausible(const struct session_target *t, uint32_t ack)
{
	return seq_leq(ack, t->snd_max) && seq_geq(ack, t->snd_una - t->max_window);
}

/* Not older than a window behind and not more than a window ahead. */
static bool seq_is_plausible(const struct session *s, uint32_t seq)
{
	int32_t distance = seq_diff(seq, s->target.rcv_nxt);
	int32_t window = (int32_t)receive_window(s);

	return distance >= -window && distance <= window;
}

/* PAWS: RFC 7323, section 5.3. */
static bool is_outdated(const struct session *s, const struct wire_record *r)
{
	return s->uses_timestamps && r->has_timestamps && seq_lt(r->ts_val, s->target.ts_recent) &&
	       !(r->flags & TCP_RST);
}

/* What we echo: RFC 7323, section 4.3. */
static void note_timestamp(struct session_target *t, const struct wire_record *r)
{
	if (r->has_timestamps && seq_leq(r->seq, t->rcv_acked))
		t->ts_recent = r->ts_val;
}

/* The target ends a connection: what that tells of it. */
static void note_end(struct session *s, struct session_env *env)
{
	s->ended_young = env->now_us < s->begun_us + SESSION_YOUNG_US;
	if (s->state == SESSION_ESTABLISHED && s->turns_said == HABITS_TURNS)
		env->habits[s->target_index].upset_us = env->now_us;
	if (s->target.rcv_nxt != s->target.irs + 1 ||
	    (!s->turns_said &&
	     s->gate_turn == SLAB_NONE)) /* a client that has nothing to say may be ended */
		return;
	account(s, env)->sessions.ended_unanswered++;
	if (!s->is_joined && habits_on_mute_end(&env->habits[s->target_index]))
		env->effects->notice(env->ctx, REPLAY_NOTICE_MUTE, s->target_index);
}

/*
 * RFC 5961, section 3: only the exact number resets, one in the window is challenged. Without an ACK it says that there
 * is no such connection (RFC 9293, section 3.10.7.1), and behind the target's FIN that nobody reads it: then nobody
 * has had what is not acknowledged, if that was said only once and nothing of the target's can have been missed since.
 */
static void on_reset(struct session *s, struct session_env *env, const struct wire_record *r)
{
	bool once = !s->said_again && env->heard_us <= s->turn_said_us;
	bool unheard = s->target_closed || (!(r->flags & TCP_ACK) && once);

	if (r->seq != s->target.rcv_nxt) {
		session_challenge(s, env);
		ignore(s, env);
		session_mark_dirty(s, env);
		return;
	}
	account(s, env)->sessions.ended_by_target++;
	if (!s->target_closed)
		note_end(s, env);
	session_leave(s, env, s->target_closed ? DROP_TARGET_CLOSED : DROP_TARGET_RESET, unheard);
}

static void enter_time_wait(struct session *s, struct session_env *env)
{
	session_set_state(s, SESSION_TIME_WAIT);
	account(s, env)->sessions.ended_by_client++;
}

static void fin_acknowledged(struct session *s, struct session_env *env)
{
	switch ((enum session_state)s->state) {
	case SESSION_FIN_WAIT_1:
		session_set_state(s, SESSION_FIN_WAIT_2);
		if (s->may_have_closed)
			enter_time_wait(s, env);
		break;
	case SESSION_CLOSING:
		enter_time_wait(s, env);
		break;
	case SESSION_LAST_ACK:
		account(s, env)->sessions.ended_by_client++;
		session_close(s, env, DROP_CLIENT_RESET); /* nothing is in flight */
		break;
	case SESSION_SYN_SENT:
	case SESSION_ESTABLISHED:
	case SESSION_FIN_WAIT_2:
	case SESSION_CLOSE_WAIT:
	case SESSION_TIME_WAIT:
	case SESSION_CLOSED:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
}

static bool fin_is_out(const struct session *s)
{
	return s->state == SESSION_FIN_WAIT_1 || s->state == SESSION_CLOSING ||
	       s->state == SESSION_LAST_ACK;
}

/* snd_una moves up to ack, and in the stream up to una_off. */
static inline void advance_una(struct session *s, struct session_env *env, uint32_t ack,
			       uint64_t una_off)
{
	struct session_target *t = &s->target;
	uint32_t acked = ack - t->snd_una;

	t->snd_una = ack;
	if (seq_lt(t->snd_nxt, ack))
		t->snd_nxt = ack;
	session_acknowledged(s, env, una_off);
	session_recovery_on_ack(s, env, acked);
	if (s->smaller_mss)
		session_path_on_ack(s, env, acked);
	s->progress_us = env->now_us;
}

static void on_new_ack(struct session *s, struct session_env *env, uint32_t ack)
{
	uint64_t una_off = s->una_off + (ack - s->target.snd_una);
	bool fin_acked = fin_is_out(s) && una_off > s->online->queue.end;

	if (fin_acked)
		una_off = s->online->queue.end;
	advance_una(s, env, ack, una_off);
	if (fin_acked)
		fin_acknowledged(s, env);
	if (s->online)
		online_release(s->online, env);
}

static void set_window(struct session_target *t, const struct wire_record *r, uint32_t window)
{
	t->snd_wnd = window;
	/* Not beyond what is known to be sent: a forged number must not outbid all that follow. */
	t->snd_wl1 = seq_min(r->seq, t->rcv_nxt);
	t->snd_wl2 = r->ack;
	if (window > t->max_window)
		t->max_window = window;
}

static void update_window(struct session *s, const struct session_env *env,
			  const struct wire_record *r)
{
	struct session_target *t = &s->target;
	uint32_t window = (uint32_t)r->window << t->snd_wscale;

	if (seq_lt(r->seq, t->snd_wl1) || (r->seq == t->snd_wl1 && seq_lt(r->ack, t->snd_wl2)))
		return;                  /* an older segment: RFC 9293, section 3.10.7.4 */
	if (t->snd_wnd == 0 && window) { /* it opens: the probe's timer has no more to do */
		t->backoff = 0;
		s->probe_due = false;
		s->retransmit_at_us = 0;
		t->snd_nxt = t->snd_una;
	}
	if (t->snd_wnd == 0 && s->online->state != ONLINE_ENDED)
		s->progress_us = env->now_us; /* it says so: RFC 9293, section 3.8.6.1 (MUST-37) */
	set_window(t, r, window);
}

/*
 * RFC 5681, section 2; with a SACK block whatever its window says (RFC 6675, section 2), for a receiver opens its window
 * for data out of order too.
 */
static bool is_duplicate_ack(const struct session *s, const struct wire_record *r)
{
	const struct session_target *t = &s->target;
	bool same_window = (uint32_t)r->window << t->snd_wscale == t->snd_wnd;

	return r->ack == t->snd_una && !r->len_bytes && !(r->flags & TCP_FIN) &&
	       t->snd_una != t->snd_max && (same_window || r->has_sack) && t->snd_wnd;
}

static void on_ack(struct session *s, struct session_env *env, const struct wire_record *r)
{
	if (seq_gt(r->ack, s->target.snd_una))
		on_new_ack(s, env, r->ack);
	else if (is_duplicate_ack(s, r))
		session_recovery_on_duplicate(s, env, r->segments);
	if (session_is_live(s))
		update_window(s, env, r);
}

/* Both ends of the online connection have closed: what the target goes on to say is for nobody. */
static bool is_over(const struct session *s)
{
	return s->state == SESSION_FIN_WAIT_2 && s->online->state == ONLINE_ENDED &&
	       s->online->has_server_fin;
}

/* Response bytes, perhaps after a gap in what was captured of them: all were sent. */
static IN_LINE void on_payload(struct session *s, struct session_env *env,
			       const struct wire_record *r)
{
	struct session_target *t = &s->target;
	uint32_t before = t->rcv_nxt, unacked;

	t->rcv_nxt = r->seq + r->len_bytes;
	habits_on_answer(&env->habits[s->target_index], env->now_us);
	if (!is_over(s))
		s->progress_us = env->now_us;
	s->may_have_closed = false;
	session_doubt_end(s);
	session_gate_on_answer(s, env, r, before);
	if (session_ack_later(s, env))
		return;
	unacked = t->rcv_nxt - t->rcv_acked;
	if (unacked > s->mss_agreed &&
	    (unacked > SESSION_RECEIVE_WINDOW / 2 || !session_gate_has_whole_answer(s)))
		s->ack_now = true;
	else if (r->len_bytes >= SESSION_MSS_DEFAULT && !(r->flags & TCP_PSH) &&
		 session_gate_is_partly_answered(s, env))
		s->ack_now = true; /* its window may be this one segment, and it waits */
	else if (!s->ack_at_us)
		s->ack_at_us = env->now_us + SESSION_ACK_DELAY_US;
}

static void on_fin(struct session *s, struct session_env *env, const struct wire_record *r)
{
	s->ack_now |= !session_ack_later(s, env);
	if (s->state == SESSION_ESTABLISHED)
		note_end(s, env);
	s->target.rcv_nxt = r->seq + r->len_bytes + 1;
	s->target_closed = true;
	s->progress_us = env->now_us;
	switch ((enum session_state)s->state) {
	case SESSION_ESTABLISHED:
		session_set_state(s, SESSION_CLOSE_WAIT);
		break;
	case SESSION_FIN_WAIT_1:
		session_set_state(s, SESSION_CLOSING);
		break;
	case SESSION_FIN_WAIT_2:
		enter_time_wait(s, env);
		break;
	case SESSION_SYN_SENT:
	case SESSION_CLOSE_WAIT:
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
	case SESSION_TIME_WAIT:
	case SESSION_CLOSED:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
	session_doubt_end(s);
}

/* What takes sequence space: data, FIN. */
static void on_sequence(struct session *s, struct session_env *env, const struct wire_record *r)
{
	bool has_fin = r->flags & TCP_FIN;
	uint32_t data_end = r->seq + r->len_bytes;

	if (seq_leq(data_end + has_fin, s->target.rcv_nxt)) {
		if (!session_ack_is_far(s, env)) {
			s->ack_now = true; /* our ACK was lost */
			session_doubt_on_repeat(s, env, r->seq);
		}
		if (r->len_bytes)
			session_gate_on_answer(s, env, r, s->target.rcv_nxt);
	} else if (s->target_closed) {
		session_doubt_on_more(s, env, r->seq);
	} else {
		if (seq_gt(data_end, s->target.rcv_nxt))
			on_payload(s, env, r);
		if (has_fin)
			on_fin(s, env, r);
	}
}

/* Nothing is lost any more: whatever it repeats is acknowledged where it ends, for its own sake. */
static void on_target_time_wait(struct session *s, struct session_env *env,
				const struct wire_record *r)
{
	uint32_t end = r->seq + r->len_bytes + !!(r->flags & TCP_FIN);

	if (end == r->seq || (r->flags & (TCP_SYN | TCP_RST)) || !seq_is_plausible(s, end)) {
		ignore(s, env);
		return;
	}
	s->target.rcv_nxt = end;
	session_challenge(s, env);
	session_mark_dirty(s, env);
}

/*
 * Header prediction (Van Jacobson, "4BSD TCP Header Prediction", 1990; it is in most implementations): nearly every record is the next
 * data, acknowledges all that was sent, and has nothing else to say. Then none of the questions of on_target_synchronized has
 * another answer: both numbers are plausible (our window is never below 64 KiB), the ACK is no duplicate, the record is
 * the newest and not outdated, neither a FIN of the client's is out nor one of the target's in.
 */
static bool is_predicted(const struct session *s, const struct wire_record *r)
{
	const struct session_target *t = &s->target;

	return s->state == SESSION_ESTABLISHED && (r->flags & ~TCP_PSH) == TCP_ACK &&
	       r->seq == t->rcv_nxt && r->ack == t->snd_max && r->len_bytes &&
	       r->len_bytes <= UINT16_MAX && t->snd_wnd && !is_outdated(s, r);
}

/* What on_target_synchronized does with it. */
static void on_predicted(struct session *s, struct session_env *env, const struct wire_record *r)
{
	struct session_target *t = &s->target;

	note_timestamp(t, r);
	if (r->ack != t->snd_una) {
		advance_una(s, env, r->ack, s->una_off + (r->ack - t->snd_una));
		online_release(s->online, env);
	}
	set_window(t, r, (uint32_t)r->window << t->snd_wscale);
	on_payload(s, env, r);
	session_speak_or_arm(s, env);
}

/* One of plausible numbers, and no RST. */
static void on_plausible(struct session *s, struct session_env *env, const struct wire_record *r)
{
	if (r->flags & TCP_SYN) {
		session_challenge(s, env); /* our ACK of it was lost; or RFC 5961, section 4 */
		return;
	}
	if (is_outdated(s, r) && !session_doubt_on_outdated(s, env, r))
		return;
	if (!(r->flags & TCP_ACK)) {
		ignore(s, env);
		return;
	}
	note_timestamp(&s->target, r);
	on_ack(s, env, r);
	if (!session_is_live(s))
		return;
	if (r->len_bytes || (r->flags & TCP_FIN))
		on_sequence(s, env, r);
	else
		session_doubt_on_ack(s, env, r);
}

/* RFC 9293, section 3.10.7.4. */
static void on_target_synchronized(struct session *s, struct session_env *env,
				   const struct wire_record *r)
{
	struct session_target *t = &s->target;

	/* Neither end of it: the target sends nothing beyond our window, merged or not. */
	if (!seq_is_plausible(s, r->seq) || !seq_is_plausible(s, r->seq + r->len_bytes) ||
	    ((r->flags & TCP_ACK) && !ack_is_plausible(t, r->ack))) {
		ignore(s, env);
		return;
	}
	if (r->flags & TCP_RST) {
		on_reset(s, env, r);
		return;
	}
	on_plausible(s, env, r);
	session_speak_or_arm(s, env);
}

void session_on_target(struct session *s, struct session_env *env, const struct wire_record *r)
{
	struct ledger_traffic *count = &account(s, env)->traffic;

	count->records++;
	count->response_segments += r->segments;
	if (r->len_bytes)
		count->response_payload_segments += r->segments;
	if (is_predicted(s, r)) {
		on_predicted(s, env, r);
		return;
	}
	switch ((enum session_state)s->state) {
	case SESSION_SYN_SENT:
		on_target_syn_sent(s, env, r);
		return;
	case SESSION_ESTABLISHED:
	case SESSION_FIN_WAIT_1:
	case SESSION_FIN_WAIT_2:
	case SESSION_CLOSE_WAIT:
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
		on_target_synchronized(s, env, r);
		return;
	case SESSION_TIME_WAIT:
		on_target_time_wait(s, env, r);
		return;
	case SESSION_CLOSED:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
	ignore(s, env);
}
