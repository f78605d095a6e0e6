/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_recovery.c - round-trip time and retransmission timeout (RFC 6298), congestion control
 * (RFC 5681) and NewReno recovery (RFC 6582). Sends nothing: sets what session_output does.
 */
#include "common/out_of_line.h"
#include "common/seq.h"
#include "tcpcopy/session.h"

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void session_recovery_init(struct session *s)
{
	struct session_target *t = &s->target;

	t->mss = SESSION_MSS_DEFAULT;
	t->cwnd = SESSION_INITIAL_WINDOW * SESSION_MSS_DEFAULT;
	t->ssthresh = UINT32_MAX;
	t->rto_us = SESSION_RTO_INITIAL_US;
}

/* RFC 6298, section 2, with the floor that every kernel has. */
static void rtt_sample(struct session_target *t, uint64_t rtt_us)
{
	uint32_t r = rtt_us > SESSION_RTO_MAX_US ? SESSION_RTO_MAX_US : (uint32_t)rtt_us;

	if (r == 0)
		r = 1;
	if (t->srtt_us == 0) {
		t->srtt_us = r;
		t->rttvar_us = r / 2;
	} else {
		uint32_t distance = t->srtt_us > r ? t->srtt_us - r : r - t->srtt_us;

		t->rttvar_us = (uint32_t)((3 * (uint64_t)t->rttvar_us + distance) / 4);
		t->srtt_us = max_u32((uint32_t)((7 * (uint64_t)t->srtt_us + r) / 8), 1);
	}
	t->rto_us = min_u32(max_u32(t->srtt_us + 4 * t->rttvar_us, SESSION_RTO_MIN_US),
			    SESSION_RTO_MAX_US);
}

static uint64_t backed_off_rto(const struct session_target *t)
{
	uint64_t rto = (uint64_t)t->rto_us << (t->backoff < 16 ? t->backoff : 16);

	return rto < SESSION_RTO_MAX_US ? rto : SESSION_RTO_MAX_US;
}

/* [seq, seq + len) went out; len counts SYN and FIN. */
LINK_IN_LINE void session_recovery_on_sent(struct session *s, struct session_env *env, uint32_t seq,
					   uint32_t len)
{
	struct session_target *t = &s->target;
	uint32_t end = seq + len;

	if (seq_lt(seq, t->snd_max)) {
		s->timed_us = 0; /* Karn: what was sent twice times nothing */
		s->said_again = true;
	} else if (!s->timed_us) {
		s->timed_us = env->now_us;
		t->timed_seq = end;
		s->timed_full = len >= t->mss;
	}
	t->snd_max = seq_max(t->snd_max, end);
	s->last_sent_us = env->now_us;
	if (!s->retransmit_at_us)
		s->retransmit_at_us = env->now_us + backed_off_rto(t);
}

static void grow_window(struct session_target *t, uint32_t acked_bytes)
{
	uint32_t step;

	if (t->cwnd < t->ssthresh) /* slow start, appropriate byte counting: RFC 5681, 3.1 */
		step = min_u32(acked_bytes, 2U * t->mss);
	else
		step = max_u32((uint32_t)((uint64_t)t->mss * t->mss / t->cwnd), 1);
	if (t->cwnd < UINT32_MAX / 4)
		t->cwnd += step;
}

static void leave_recovery(struct session *s)
{
	struct session_target *t = &s->target;
	uint32_t flight = t->snd_max - t->snd_una;

	t->cwnd = min_u32(t->ssthresh, max_u32(flight, t->mss) + t->mss);
	s->in_recovery = false;
}

/* snd_una has moved over acked_bytes of sequence space. */
LINK_IN_LINE void session_recovery_on_ack(struct session *s, struct session_env *env,
					  uint32_t acked_bytes)
{
	struct session_target *t = &s->target;

	env->heard_by_us[s->target_index] = env->now_us;
	env->unheard[s->target_index].is_over |= acked_bytes > 0;
	if (s->timed_us && seq_geq(t->snd_una, t->timed_seq)) {
		rtt_sample(t, env->now_us - s->timed_us);
		s->timed_us = 0;
		if (s->timed_full)
			session_path_on_carried(s, env);
	}
	t->backoff = 0;
	t->duplicate_acks = 0;
	if (!s->in_recovery) {
		grow_window(t, acked_bytes);
		if (seq_lt(t->recover, t->snd_una))
			t->recover = t->snd_una - 1; /* keep it near: numbers wrap */
	} else if (seq_geq(t->snd_una, t->recover)) {
		leave_recovery(s);
	} else { /* partial ACK: the next hole, RFC 6582, section 3.2 */
		s->retransmit_una = true;
		t->cwnd -= min_u32(t->cwnd, acked_bytes);
		t->cwnd += t->mss;
	}
	if (t->snd_una == t->snd_max)
		s->said_again = false;
	s->retransmit_at_us = t->snd_una == t->snd_max ? 0 : env->now_us + backed_off_rto(t);
}

void session_recovery_on_syn_ack(struct session *s, struct session_env *env)
{
	struct session_target *t = &s->target;

	session_recovery_on_ack(s, env, 0);
	t->cwnd = SESSION_INITIAL_WINDOW * (uint32_t)t->mss;
	if (t->srtt_us ==
	    0) { /* the SYN was repeated: RFC 6298, section 5.7; RFC 5681, section 3.1 */
		t->rto_us = SESSION_RTO_SYN_LOST_US;
		t->cwnd = t->mss;
	}
}

static void halve(struct session_target *t)
{
	uint32_t flight = t->snd_max - t->snd_una;

	t->ssthresh = max_u32(flight / 2, 2U * t->mss);
}

void session_recovery_on_duplicate(struct session *s, struct session_env *env, unsigned count)
{
	struct session_target *t = &s->target;
	unsigned total = t->duplicate_acks + count;

	t->duplicate_acks = (uint8_t)(total < UINT8_MAX ? total : UINT8_MAX);
	if (s->in_recovery) {
		t->cwnd += min_u32(count, 64) * t->mss; /* each tells of a segment that has left */
		return;
	}
	if (t->duplicate_acks < SESSION_DUPLICATE_ACKS)
		return;
	if (seq_lt(t->snd_una, t->recover))
		return; /* left over from the loss before: RFC 6582, section 3.2, step 1 */
	halve(t);
	t->recover = t->snd_max;
	t->cwnd = t->ssthresh + t->duplicate_acks * (uint32_t)t->mss;
	s->in_recovery = true;
	s->retransmit_una = true;
	env->ledger->targets[s->target_index].traffic.fast_retransmits++;
}

/* RFC 6298, section 5.4 to 5.6: all that is unacknowledged goes again, slowly. */
void session_recovery_on_timeout(struct session *s, struct session_env *env)
{
	struct session_target *t = &s->target;

	if (t->snd_una == t->snd_max)
		return;
	if (t->backoff == 0)
		halve(t);
	if (t->backoff < UINT8_MAX)
		t->backoff++;
	t->cwnd = t->mss;
	t->recover = t->snd_max;
	t->duplicate_acks = 0;
	t->snd_nxt = t->snd_una;
	s->in_recovery = false;
	s->retransmit_una = false;
	s->timed_us = 0;
	env->ledger->targets[s->target_index].traffic.retransmit_timeouts++;
}
