/* SPDX-License-Identifier: BSD-2-Clause */
/* session_output.c - what a session has to say: SYN, data, FIN, RST, acknowledgements, probes. */
#include <string.h>

#include "common/out_of_line.h"
#include "common/packet.h"
#include "common/seq.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

enum {
	HEADERS_V4 = 40, /* IP and TCP without options */
	HEADERS_V6 = 60,
	/* Payload that the iovecs of a descriptor surely hold, wherever in a block it begins. */
	SEVERAL_MAX = (SEGMENT_IOV_MAX - 1) * SEGMENT_BLOCK_BYTES + 1,
};

static struct ledger_target *account(const struct session *s, struct session_env *env)
{
	return &env->ledger->targets[s->target_index];
}

static uint32_t timestamp_now(const struct session_env *env)
{
	return env->ts_base + (uint32_t)(env->now_us / 1000);
}

static uint16_t window_field(const struct session *s)
{
	uint32_t field = SESSION_RECEIVE_WINDOW >> s->target.rcv_wscale;

	return field < UINT16_MAX ? (uint16_t)field : UINT16_MAX;
}

static uint16_t mss_by_mtu(const struct session *s, const struct session_env *env)
{
	int headers = ip_addr_is_v4(&s->tuple.dst.addr) ? HEADERS_V4 : HEADERS_V6;

	return (uint16_t)(env->mtu_bytes[s->target_index] - headers);
}

/* RFC 7323, section 3.2: on every segment once agreed; section 5.2 of RFC 9293 leaves RST free. */
static void stamp(struct segment *seg, const struct session *s, const struct session_env *env)
{
	seg->options.has_timestamps = true;
	seg->options.ts_val = timestamp_now(env);
	seg->options.ts_ecr = s->target.ts_recent;
}

/* What every segment after the SYN has; payload to be added. */
static inline void compose(struct segment *seg, const struct session *s,
			   const struct session_env *env, uint8_t flags, uint32_t seq)
{
	seg->tuple = s->tuple;
	seg->seq = seq;
	seg->ack = session_ack_is_far(s, env) ? s->target.rcv_acked : s->target.rcv_nxt;
	seg->window = window_field(s);
	seg->flags = flags;
	memset(&seg->options, 0, sizeof(seg->options));
	if (s->uses_timestamps)
		stamp(seg, s, env);
	seg->iov_count = 0;
	seg->gso_size_bytes = 0;
	seg->payload_len_bytes = 0;
}

static inline bool hand_over(struct session *s, struct session_env *env, const struct segment *seg)
{
	struct ledger_traffic *count = &account(s, env)->traffic;

	if (env->effects->emit(env->ctx, seg)) {
		count->emit_full++;
		return false;
	}
	count->segments_sent++;
	return true;
}

/* Sends a segment. What carries an ACK settles all that was to be acknowledged. */
static inline bool emit(struct session *s, struct session_env *env, const struct segment *seg)
{
	if (!hand_over(s, env, seg))
		return false;
	if (seg->flags & TCP_ACK) {
		s->ack_now = false;
		if (seg->ack == s->target.rcv_nxt)
			s->ack_at_us = 0;
		s->target.rcv_acked = seg->ack;
	}
	return true;
}

static void offer_options(struct segment *seg, const struct session *s,
			  const struct session_env *env)
{
	const struct session_offer *offer = &s->offer;
	uint16_t mss = offer->mss ? offer->mss
				  : session_default_mss(s); /* which is what its absence means */
	uint16_t cap = mss_by_mtu(s, env);

	if (env->mss_bytes && env->mss_bytes < cap)
		cap = env->mss_bytes;
	seg->options.has_mss = offer->mss != 0 || cap < mss;
	seg->options.mss = mss < cap ? mss : cap;
	seg->options.has_window_scale = offer->has_window_scale;
	seg->options.window_scale = offer->window_scale;
	seg->options.has_sack_permitted = offer->has_sack_permitted;
	if (offer->has_timestamps)
		stamp(seg, s, env);
}

/* Ends the connection that the target still remembers on our tuple, at the place it named. */
static bool output_stale_rst(struct session *s, struct session_env *env)
{
	struct segment seg;

	compose(&seg, s, env, TCP_RST, s->target.doubt_seq);
	seg.ack = 0;
	if (!emit(s, env, &seg))
		return false;
	s->rst_due = false;
	s->syn_due = true;
	/* The SYN behind it takes the place of the one before: that was no timeout. */
	if (s->target.backoff)
		s->target.backoff--;
	return true;
}

/* A SYN that the breaker holds back asks again later: then it may be the one that tries. */
static bool output_syn(struct session *s, struct session_env *env)
{
	struct session_target *t = &s->target;
	struct segment seg;

	if (s->rst_due && !output_stale_rst(s, env))
		return false;
	if (!s->syn_due) { /* a timer that was set for another moment */
		session_arm(s, env);
		return true;
	}
	if (env->is_deaf && env->waits_for_links) { /* session_hurry asks again */
		s->syn_due = false;
		s->retransmit_at_us = 0;
		session_arm(s, env);
		return true;
	}
	if (!breaker_may_send(&env->breakers[s->target_index], env->now_us)) {
		s->syn_due = false;
		s->retransmit_at_us = env->now_us + SESSION_PROBE_HELD_US;
		session_arm(s, env);
		return true;
	}
	compose(&seg, s, env, TCP_SYN, t->iss);
	seg.ack = 0;
	seg.window = UINT16_MAX;
	offer_options(&seg, s, env);
	if (!emit(s, env, &seg))
		return false;
	if (t->snd_max == t->iss)
		account(s, env)->traffic.syn_sent++;
	else
		account(s, env)->traffic.retransmitted++;
	s->syn_due = false;
	breaker_on_syn(&env->breakers[s->target_index], env->now_us);
	session_recovery_on_sent(s, env, t->iss, 1);
	t->snd_nxt = t->iss + 1;
	/* Back-off starts with the second SYN: 1, 2, 4 ... seconds apart. */
	if (t->backoff < UINT8_MAX)
		t->backoff++;
	session_arm(s, env);
	return true;
}

/*
 * A RST counts only with the very number that the target expects (RFC 5961, section 3). While
 * something is in flight that may be its first byte (lost, or a probe that was not taken) or what
 * follows it: say both.
 */
static bool output_rst(struct session *s, struct session_env *env)
{
	const struct session_target *t = &s->target;
	bool was_synchronized = t->snd_una != t->iss;
	uint8_t flags = was_synchronized ? TCP_RST | TCP_ACK : TCP_RST;
	struct segment seg;

	if (!s->rst_due)
		return true;
	compose(&seg, s, env, flags, t->snd_una);
	if (was_synchronized && t->snd_una != t->snd_max && !emit(s, env, &seg))
		return false;
	compose(&seg, s, env, flags, t->snd_max);
	if (!emit(s, env, &seg))
		return false;
	s->rst_due = false;
	return true;
}

bool session_say_reset(struct session *s, struct session_env *env)
{
	s->rst_due = true;
	return output_rst(s, env);
}

static bool output_ack(struct session *s, struct session_env *env)
{
	struct segment seg;

	if (!s->ack_now)
		return true;
	compose(&seg, s, env, TCP_ACK, s->target.snd_nxt);
	return emit(s, env, &seg);
}

/*
 * A segment before all that the target waits for: never acceptable, so it is answered with where the
 * target stands (session_doubt.c). Its ACK is not taken by the target and settles nothing.
 */
static bool output_question(struct session *s, struct session_env *env)
{
	struct segment seg;

	compose(&seg, s, env, TCP_ACK, s->target.snd_una - 1);
	if (!hand_over(s, env, &seg))
		return false;
	s->ask_due = false;
	s->is_asking = true;
	return true;
}

static bool may_carry_fin(const struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_ESTABLISHED:
	case SESSION_CLOSE_WAIT:
	case SESSION_FIN_WAIT_1:
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
		return s->end_said == TURN_FIN;
	case SESSION_SYN_SENT:
	case SESSION_FIN_WAIT_2:
	case SESSION_TIME_WAIT:
	case SESSION_CLOSED:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
	return false;
}

static void fin_sent(struct session *s)
{
	if (s->state == SESSION_ESTABLISHED)
		session_set_state(s, SESSION_FIN_WAIT_1);
	else if (s->state == SESSION_CLOSE_WAIT)
		session_set_state(s, SESSION_LAST_ACK);
}

/*
 * What one descriptor carries: of new data several whole segments, where the sender cuts them; a tenth of
 * the work for each. What is said again goes one by one, as the target acknowledges it.
 */
static size_t output_len(const struct session *s, const struct session_env *env, uint64_t left,
			 uint32_t room)
{
	const struct session_target *t = &s->target;
	size_t len = left < room ? (size_t)left : room;

	if (!env->cuts[s->target_index] || seq_lt(t->snd_nxt, t->snd_max))
		return len < t->mss ? len : t->mss;
	if (len > SEVERAL_MAX)
		len = SEVERAL_MAX;
	return len < t->mss ? len : len - len % t->mss;
}

/*
 * A segment of len stream bytes from off on, perhaps with the FIN behind them; or several whole ones, of
 * which the last has the PSH and the FIN.
 */
static bool output_segment(struct session *s, struct session_env *env, uint64_t off, size_t len,
			   bool push, bool fin)
{
	struct ledger_traffic *count = &account(s, env)->traffic;
	uint32_t seq = session_seq_of(s, off);
	bool again = seq_lt(seq, s->target.snd_max);
	size_t several;
	struct segment seg;

	compose(&seg, s, env, TCP_ACK, seq);
	if (len > s->target.mss)
		seg.gso_size_bytes = s->target.mss;
	several = seg.gso_size_bytes ? (len - 1) / seg.gso_size_bytes + 1 : 1;
	if (len)
		len = segment_queue_peek(&s->online->queue, env->blocks, off, len, seg.iov,
					 SEGMENT_IOV_MAX, &seg.iov_count);
	seg.payload_len_bytes = (uint32_t)len;
	if (push && len)
		seg.flags |= TCP_PSH;
	if (fin)
		seg.flags |= TCP_FIN;
	if (!emit(s, env, &seg))
		return false;
	count->segments_sent += several - 1;
	count->payload_segments_sent += len > 0 ? several : 0;
	count->bytes_sent += len;
	env->said_bytes += (uint32_t)len;
	count->retransmitted += again;
	session_recovery_on_sent(s, env, seq, (uint32_t)len + fin);
	if (fin)
		fin_sent(s);
	return true;
}

/* After a silence longer than the timeout the network may have changed: RFC 5681, section 4.1. */
static void restart_window(struct session *s, const struct session_env *env)
{
	struct session_target *t = &s->target;
	uint32_t initial = SESSION_INITIAL_WINDOW * (uint32_t)t->mss;

	if (env->now_us - s->last_sent_us > t->rto_us && s->last_sent_us &&
	    t->snd_nxt == t->snd_una && t->cwnd > initial)
		t->cwnd = initial;
}

/* The hole at snd_una, once for each time that recovery asks for it. */
static bool output_retransmission(struct session *s, struct session_env *env, uint64_t limit)
{
	struct session_target *t = &s->target;
	uint64_t left = limit > s->una_off ? limit - s->una_off : 0;
	uint32_t sent = t->snd_max - t->snd_una;
	size_t len = left < t->mss ? (size_t)left : t->mss;
	bool fin;

	s->retransmit_una = false;
	if (sent == 0)
		return true;
	if (len > sent)
		len = sent;
	fin = may_carry_fin(s) && len == left && sent > len;
	if (!len && !fin)
		return true;
	if (output_segment(s, env, s->una_off, len, len == left, fin)) {
		if (seq_lt(t->snd_nxt, t->snd_una + (uint32_t)len + fin))
			t->snd_nxt = t->snd_una + (uint32_t)len + fin;
		return true;
	}
	s->retransmit_una = true;
	return false;
}

/* One byte into a closed window makes the target say how it stands. snd_nxt stays. */
static bool output_probe(struct session *s, struct session_env *env, uint64_t off)
{
	uint8_t before = s->target.backoff;

	if (!s->probe_due) {
		if (!s->retransmit_at_us)
			s->retransmit_at_us = env->now_us + s->target.rto_us;
		return true;
	}
	s->retransmit_at_us = 0;
	if (before < UINT8_MAX)
		s->target.backoff++; /* of the timer that this one sets */
	if (!output_segment(s, env, off, 1, true, false)) {
		s->target.backoff = before;
		return false;
	}
	s->probe_due = false;
	account(s, env)->traffic.zero_window_probes++;
	return true;
}

/* Each of the first two duplicate ACKs lets one new segment out, so that a third may come: RFC 3042. */
static uint32_t limited_transmit(const struct session *s)
{
	unsigned duplicates = s->target.duplicate_acks;

	if (s->in_recovery)
		return 0;
	return (duplicates < SESSION_DUPLICATE_ACKS ? duplicates : 0) * (uint32_t)s->target.mss;
}

static bool output_stream(struct session *s, struct session_env *env, uint64_t limit)
{
	struct session_target *t = &s->target;
	uint32_t before = env->said_bytes;

	for (;;) {
		uint64_t off = session_off_of(s, t->snd_nxt);
		uint64_t left = off < limit ? limit - off : 0;
		uint32_t flight = t->snd_nxt - t->snd_una;
		uint32_t cwnd = t->cwnd + limited_transmit(s);
		uint32_t window = cwnd < t->snd_wnd ? cwnd : t->snd_wnd;
		uint32_t room = window > flight ? window - flight : 0;
		size_t len = output_len(s, env, left, room);
		bool fin;

		if (left && !len)
			return t->snd_wnd || flight ? true : output_probe(s, env, off);
		if (len < left && len < t->mss && flight)
			return true; /* a sliver: RFC 9293, section 3.8.6.2.1 */
		fin = may_carry_fin(s) && off + len == limit && limit == s->online->queue.end;
		if (!len && !fin)
			return true;
		if (env->said_bytes - before >= SESSION_QUANTUM_BYTES) {
			env->has_more = true;
			return true;
		}
		if (!output_segment(s, env, off, len, len == left, fin))
			return false;
		t->snd_nxt += (uint32_t)len + fin;
		if (len == left)
			return true;
	}
}

/*
 * The same bytes as the segment at snd_una that has just gone, but fewer: which of the two gets through? It goes last, so
 * that where both do the ACK is that of the larger.
 */
static bool output_smaller(struct session *s, struct session_env *env)
{
	if (!s->smaller_due)
		return true;
	if (s->target.snd_nxt - s->target.snd_una > s->smaller_mss &&
	    !output_segment(s, env, s->una_off, s->smaller_mss, false, false))
		return false;
	s->smaller_due = false;
	return true;
}

/* Up to limit all is out, and nothing goes again. */
static bool has_no_data_due(const struct session *s, uint64_t limit)
{
	return session_off_of(s, s->target.snd_nxt) >= limit && s->end_said != TURN_FIN &&
	       !s->retransmit_una && !s->smaller_due;
}

static bool output_data(struct session *s, struct session_env *env, uint64_t limit)
{
	if (has_no_data_due(s, limit))
		return true;
	if (s->target.snd_una == s->target.snd_max)
		session_path_follow(s, env);
	restart_window(s, env);
	if (s->retransmit_una && !output_retransmission(s, env, limit))
		return false;
	return output_stream(s, env, limit) && output_smaller(s, env);
}

/* The client's RST: said when the target has acknowledged all that came before it. */
static bool client_reset_is_due(const struct session *s)
{
	return s->end_said == TURN_RST && s->gate_turn == SLAB_NONE &&
	       s->una_off == s->online->queue.end;
}

static void say_client_reset(struct session *s, struct session_env *env)
{
	bool cut = s->online->was_cut;
	struct ledger_sessions *count = &account(s, env)->sessions;

	if (cut)
		count->ended_by_us++;
	else
		count->ended_by_client++;
	session_close(s, env, cut ? DROP_CAPTURE_GAP : DROP_CLIENT_RESET);
	s->rst_due = true;
}

/*
 * Why this connection ends in front of the turn at the gate, all before it being acknowledged: the target has closed, and the
 * client begins something new; or here is a gap in what was captured. DROP_CAUSES: it goes on.
 */
static enum drop_cause ends_before(const struct session *s, const struct session_env *env,
				   const struct turn *gate)
{
	if (s->una_off != gate->start)
		return DROP_CAUSES;
	if (s->target_closed && env->joins && gate->is_boundary)
		return DROP_TARGET_CLOSED;
	return gate->kind == TURN_GAP ? DROP_CAPTURE_GAP : DROP_CAUSES;
}

/*
 * The turn that waits for an answer, at the gate, or, having been released, for room in the window; NULL: none.
 */
static const struct turn *turn_that_waits(const struct session *s, const struct session_env *env,
					  const struct turn *gate, uint64_t limit)
{
	if (gate)
		return gate->kind == TURN_DATA ? gate : NULL; /* nobody waits behind an end */
	if (s->acked_turn != SLAB_NONE && session_off_of(s, s->target.snd_nxt) < limit)
		return slab_at(env->turns, s->acked_turn);
	return NULL;
}

/*
 * Waiting is usual: the SYN-ACK and a first answer may come with others in one record message. Who has fallen behind
 * the client wants each at once. Judged when something happens to the session, as that is what it waits for.
 */
static void update_late(struct session *s, struct session_env *env, const struct turn *gate,
			uint64_t limit)
{
	const struct turn *t = turn_that_waits(s, env, gate, limit);

	session_set_late(
		s, env,
		t && env->now_us >= t->known_us + session_lag_us(s, env) + SESSION_LATE_US &&
			env->now_us < session_late_until(s, env));
}

/* Ends this connection at the target; what is left in the stream goes on with another one. */
static bool leave(struct session *s, struct session_env *env, enum drop_cause cause)
{
	struct ledger_sessions *count = &account(s, env)->sessions;

	if (cause == DROP_TARGET_CLOSED)
		count->ended_by_target++;
	else
		count->ended_by_us++;
	session_leave(s, env, cause, false);
	s->rst_due = true;
	return output_rst(s, env);
}

/*
 * What nearly every output behind a request is: nothing is in flight, so many bytes up to the gate or the end are all that may
 * be said, one segment, the windows take it, and neither an end nor a question nor something again goes with it.
 */
static bool is_one_segment(struct session *s, const struct session_env *env, uint64_t left)
{
	const struct session_target *t = &s->target;

	if (!left || t->snd_una != t->snd_max || t->snd_nxt != t->snd_max || left > t->cwnd ||
	    left > t->snd_wnd || s->end_said != TURN_DATA || s->ask_due || s->retransmit_una ||
	    s->smaller_due)
		return false;
	session_path_follow(s, env); /* as output_data does */
	return left <= t->mss;
}

/* Says it, as output_data would with more questions: the other half of header prediction (session_target.c). */
static IN_LINE bool output_one_segment(struct session *s, struct session_env *env, size_t len)
{
	struct session_target *t = &s->target;
	struct ledger_traffic *count = &account(s, env)->traffic;
	struct segment seg;

	restart_window(s, env);
	compose(&seg, s, env, TCP_ACK | TCP_PSH, t->snd_nxt);
	seg.payload_len_bytes =
		(uint32_t)segment_queue_peek(&s->online->queue, env->blocks, s->una_off, len,
					     seg.iov, SEGMENT_IOV_MAX, &seg.iov_count);
	if (!emit(s, env, &seg))
		return false;
	count->payload_segments_sent++;
	count->bytes_sent += len;
	env->said_bytes += (uint32_t)len;
	session_recovery_on_sent(s, env, t->snd_nxt, (uint32_t)len);
	t->snd_nxt += (uint32_t)len;
	return true;
}

/* All that is due and may be said, up to limit. */
static bool output_up_to(struct session *s, struct session_env *env, uint64_t limit)
{
	uint64_t left = limit - s->una_off; /* or, behind an end, too large to be one segment */

	if (is_one_segment(s, env, left))
		return output_one_segment(s, env, (size_t)left);
	return output_data(s, env, limit) && output_ack(s, env) &&
	       (!s->ask_due || output_question(s, env));
}

static bool output_synchronized(struct session *s, struct session_env *env)
{
	const struct turn *gate = NULL;
	uint64_t limit = s->online->queue.end;
	bool done;

	if (session_handshake_is_far(s, env)) {
		session_arm(s, env);
		return true;
	}
	session_gate_update(s, env);
	if (client_reset_is_due(s)) {
		say_client_reset(s, env);
		return output_rst(s, env);
	}
	if (s->gate_turn != SLAB_NONE) {
		enum drop_cause cause;

		gate = slab_at(env->turns, s->gate_turn);
		cause = ends_before(s, env, gate);
		if (cause != DROP_CAUSES)
			return leave(s, env, cause);
		limit = gate->start;
	}
	done = output_up_to(s, env, limit);
	update_late(s, env, gate, limit);
	session_arm(s, env);
	return done;
}

bool session_output(struct session *s, struct session_env *env)
{
	switch ((enum session_state)s->state) {
	case SESSION_SYN_SENT:
		return output_syn(s, env);
	case SESSION_ESTABLISHED:
	case SESSION_FIN_WAIT_1:
	case SESSION_FIN_WAIT_2:
	case SESSION_CLOSE_WAIT:
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
		return output_synchronized(s, env);
	case SESSION_TIME_WAIT:
		session_set_late(s, env, false);
		session_arm(s, env);
		return output_ack(s, env);
	case SESSION_CLOSED:
	case SESSION_JOINING:
		return output_rst(s, env);
	case SESSION_STATES:
		break;
	}
	return true;
}
