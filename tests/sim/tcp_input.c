/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_input.c - SEGMENT ARRIVES (RFC 9293, section 3.10.7), in the order of its steps, and what
 * acknowledgements mean for congestion control (RFC 5681, RFC 6582).
 *
 * Where this is not the letter of section 3.10.7:
 * - SYN-RECEIVED: an ACK beyond SND.NXT gets the RST of section 3.5.2 (2), not the ACK of RFC
 *   5961, which is about synchronized states. Linux does the same.
 * - TIME-WAIT: the remote FIN again restarts the 2 MSL although the first step has refused it; the
 *   fifth and the eighth say so, and would never see it.
 * - An ACK that advances SND.UNA always brings its window, whatever SND.WL1 says: SND.WND counts
 *   from SND.UNA, so the old one would be room that nobody has announced.
 * - TS.Recent is only taken from segments that the fifth step accepts as well; a blind one could
 *   make us refuse all others.
 */
#include "tests/sim/tcp_private.h"

enum {
	DUP_ACKS = 3,
	CHALLENGE_WINDOW_US = 1000000,
};

/* RFC 7323, section 5.5: after 24 days a timestamp says nothing. */
static const uint64_t ts_outdated_us = UINT64_C(24) * 86400 * 1000000;

static uint32_t segment_len(const struct tcp_packet *p)
{
	return p->payload_len_bytes + (p->flags & TCP_FLAG_SYN ? 1 : 0) +
	       (p->flags & TCP_FLAG_FIN ? 1 : 0);
}

static bool is_in_window(const struct tcp *t, uint32_t seq)
{
	return seq - t->v.rcv_nxt < t->v.rcv_wnd;
}

/* Table 6. */
static bool is_acceptable(const struct tcp *t, const struct tcp_packet *p)
{
	uint32_t len = segment_len(p);

	if (!t->v.rcv_wnd)
		return !len && p->seq == t->v.rcv_nxt;
	return is_in_window(t, p->seq) || (len && is_in_window(t, p->seq + len - 1));
}

/*
 * Our ACK for something that is no good. The rate of bare segments is limited where the stack that
 * is played does so; one with data always gets its answer.
 */
static void answer(struct tcp *t, bool is_bare)
{
	uint64_t interval = tcp_config_of(t)->out_of_window_ack_interval_us;

	if (is_bare && interval && t->has_answered && t->now_us - t->answered_at < interval)
		return;
	t->has_answered = true;
	t->answered_at = t->now_us;
	t->ack_now = true;
}

/* RFC 5961, section 7: challenge ACKs, no more than some a second. */
static void challenge(struct tcp *t)
{
	uint32_t limit = tcp_config_of(t)->challenge_acks_per_second;
	uint64_t second = t->now_us / CHALLENGE_WINDOW_US;

	t->v.challenges++;
	if (second != t->challenge_second) {
		t->challenge_second = second;
		t->challenges_in_second = 0;
	}
	if (limit && t->challenges_in_second >= limit)
		return;
	t->challenges_in_second++;
	answer(t, true);
}

/* RFC 7323, section 5.3, R1. A reset is never refused for its age. */
static bool is_outdated(const struct tcp *t, const struct tcp_packet *p)
{
	return t->v.has_timestamps && p->options.has_timestamps && !(p->flags & TCP_FLAG_RST) &&
	       tcp_before(p->options.ts_val, t->v.ts_recent) &&
	       t->now_us - t->ts_recent_at < ts_outdated_us;
}

static void note_timestamp(struct tcp *t, const struct tcp_packet *p)
{
	if (!t->v.has_timestamps || !p->options.has_timestamps)
		return;
	/* R3: SEG.TSval >= TS.Recent, or TS.Recent is too old to count */
	if (tcp_not_after(p->seq, t->last_ack_sent) &&
	    (tcp_not_after(t->v.ts_recent, p->options.ts_val) ||
	     t->now_us - t->ts_recent_at >= ts_outdated_us)) {
		t->v.ts_recent = p->options.ts_val;
		t->ts_recent_at = t->now_us;
	}
}

/* RFC 6298, RFC 7323, section 4.1: one sample for an ACK that covers something new. */
static void sample_rtt(struct tcp *t, const struct tcp_packet *p)
{
	uint32_t age_ms = tcp_ts_now(t) - p->options.ts_ecr;

	if (t->v.has_timestamps && p->options.has_timestamps) {
		if (p->options.ts_ecr && age_ms < UINT32_C(1) << 22)
			tcp_measure(t, age_ms * 1000);
	} else if (t->is_timing && tcp_before(t->timed_seq, p->ack)) {
		tcp_measure(t, (uint32_t)(t->now_us - t->timed_at));
	}
	if (tcp_before(t->timed_seq, p->ack))
		t->is_timing = false;
}

/* Octets that are acknowledged leave the send buffer. */
static void release(struct tcp *t, uint32_t ack)
{
	uint32_t end = tcp_snd_end(t);
	uint32_t n = (tcp_before(end, ack) ? end : ack) - t->snd_seq;

	t->snd_head += n;
	t->snd_len -= n;
	t->snd_seq += n;
	t->v.acked_bytes += n;
	if (!t->snd_len)
		t->snd_head = 0;
	if (t->is_fin_queued && ack == end + 1)
		t->v.is_fin_acked = true;
}

/* RFC 5681, section 3.1. */
static void open_cwnd(struct tcp *t, uint32_t acked)
{
	uint32_t mss = t->v.snd_mss;
	uint32_t step = tcp_min(acked, mss);

	if (t->v.cwnd >= t->v.ssthresh) {
		step = (uint32_t)((uint64_t)mss * mss / t->v.cwnd);
		step = step ? step : 1;
	}
	if (t->v.cwnd < UINT32_C(1) << 30)
		t->v.cwnd += step;
}

/* RFC 6582, section 3.2, steps 3 and following. */
static void recover_by(struct tcp *t, uint32_t acked)
{
	uint32_t flight = t->v.snd_nxt - t->v.snd_una;

	if (!tcp_before(t->v.snd_una, t->recover)) {
		uint32_t least = flight > t->v.snd_mss ? flight : t->v.snd_mss;

		t->v.cwnd = tcp_min(t->v.ssthresh, least + t->v.snd_mss);
		t->is_recovering = false;
		return;
	}
	tcp_resend_first(t);
	t->v.cwnd = t->v.cwnd > acked ? t->v.cwnd - acked : 0;
	if (acked >= t->v.snd_mss || !t->v.cwnd)
		t->v.cwnd += t->v.snd_mss;
}

static void on_new_ack(struct tcp *t, const struct tcp_packet *p)
{
	uint32_t acked = p->ack - t->v.snd_una;

	if (t->probe_len && p->ack == t->v.snd_nxt + t->probe_len) {
		t->v.snd_nxt = p->ack; /* the octet of the probe was taken after all */
		t->probe_len = 0;
	}
	sample_rtt(t, p);
	release(t, p->ack);
	t->v.snd_una = p->ack;
	t->dup_acks = 0;
	t->stalled_since = t->now_us;
	if (tcp_before(t->rtx_nxt, p->ack))
		t->rtx_nxt = p->ack;
	if (tcp_before(t->rtx_end, t->rtx_nxt))
		t->rtx_end = t->rtx_nxt;
	if (t->is_recovering)
		recover_by(t, acked);
	else
		open_cwnd(t, acked);
	if (tcp_before(t->recover, p->ack)) /* it must not fall behind by half the space */
		t->recover = p->ack - 1;
	t->rto_at = TCP_NEVER; /* RFC 6298, section 5.2 and 5.3 */
	t->is_persisting = false;
	if (t->v.snd_nxt != t->v.snd_una)
		tcp_arm_rto(t);
}

/* RFC 5681, section 2, and RFC 6582, section 3.2, step 2. */
static void on_dup_ack(struct tcp *t)
{
	uint32_t mss = t->v.snd_mss;
	uint32_t flight = t->v.snd_nxt - t->v.snd_una;

	if (t->is_recovering) {
		t->v.cwnd += mss;
		return;
	}
	if (t->dup_acks < DUP_ACKS)
		t->dup_acks++;
	else
		return;
	if (t->dup_acks != DUP_ACKS || !tcp_before(t->recover, t->v.snd_una))
		return;
	t->v.fast_retransmits++;
	t->v.ssthresh = flight / 2 > 2 * mss ? flight / 2 : 2 * mss;
	t->recover = t->v.snd_nxt;
	t->is_recovering = true;
	tcp_resend_first(t);
	t->v.cwnd = t->v.ssthresh + DUP_ACKS * mss;
}

static uint32_t window_of(const struct tcp *t, const struct tcp_packet *p)
{
	return (uint32_t)p->window << (p->flags & TCP_FLAG_SYN ? 0 : t->v.snd_wind_shift);
}

static void set_snd_window(struct tcp *t, const struct tcp_packet *p)
{
	t->v.snd_wnd = window_of(t, p);
	t->v.snd_wl1 = p->seq;
	t->v.snd_wl2 = p->ack;
	if (t->v.snd_wnd > t->v.max_snd_wnd)
		t->v.max_snd_wnd = t->v.snd_wnd;
}

/* ESTABLISHED of the fifth step: SND.UNA, SND.WND, and what is resent on account of it. */
static void process_ack(struct tcp *t, const struct tcp_packet *p)
{
	bool is_new = tcp_before(t->v.snd_una, p->ack);
	bool is_dup = p->ack == t->v.snd_una && !segment_len(p) && t->v.snd_nxt != t->v.snd_una &&
		      window_of(t, p) == t->v.snd_wnd;

	if (!t->v.snd_wnd) /* MUST-37: as long as probes are answered, there is no time-out */
		t->stalled_since = t->now_us;
	if (is_new)
		on_new_ack(t, p);
	else if (is_dup)
		on_dup_ack(t);
	if (!tcp_before(p->ack, t->v.snd_una) &&
	    (is_new || tcp_before(t->v.snd_wl1, p->seq) ||
	     (t->v.snd_wl1 == p->seq && tcp_not_after(t->v.snd_wl2, p->ack))))
		set_snd_window(t, p);
}

/* RFC 6191, section 2. */
static bool may_reuse(const struct tcp *t, const struct tcp_packet *p)
{
	bool has_ts = p->options.has_timestamps && tcp_config_of(t)->use_timestamps;
	bool is_later = !tcp_before(p->seq, t->v.rcv_nxt);

	if (!has_ts)
		return is_later;
	if (!t->v.has_timestamps || tcp_before(t->v.ts_recent, p->options.ts_val))
		return true;
	return p->options.ts_val == t->v.ts_recent && is_later;
}

/* A SYN in TIME-WAIT. True: nothing else is to be done with it. */
static bool reopen_or_drop(struct tcp *t, const struct tcp_packet *p, enum tcp_verdict *verdict)
{
	const struct tcp_config *config = tcp_config_of(t);

	if (t->state != TCP_STATE_TIME_WAIT || !config->reuse_time_wait ||
	    (p->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) != TCP_FLAG_SYN)
		return false;
	if (may_reuse(t, p)) {
		*verdict = TCP_REOPEN;
		return true;
	}
	if (config->time_wait_acks_old_syn)
		answer(t, true);
	return true;
}

/* The first step, with PAWS. False: dropped. */
static bool check_sequence(struct tcp *t, const struct tcp_packet *p)
{
	bool is_outdated_segment = is_outdated(t, p);

	if (!is_outdated_segment && is_acceptable(t, p))
		return true;
	/* "special allowance": the ACK and the RST of a segment whose text finds no room */
	if (!is_outdated_segment && !t->v.rcv_wnd && p->seq == t->v.rcv_nxt) {
		t->ack_now = true;
		return true;
	}
	t->v.unacceptable++;
	if (p->flags & TCP_FLAG_RST)
		return false;
	if (t->state == TCP_STATE_TIME_WAIT && (p->flags & TCP_FLAG_FIN) && !is_outdated_segment)
		tcp_start_time_wait(t);
	answer(t, !p->payload_len_bytes || (p->flags & TCP_FLAG_SYN));
	return false;
}

/*
 * SYN-RECEIVED: the SYN that brought us here. It lies before the window even if its text reaches
 * into it, so the first step, which trims it off, has the word and not the fourth.
 */
static bool answer_syn_again(struct tcp *t, const struct tcp_packet *p)
{
	const uint8_t bits = TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST;

	if (t->state != TCP_STATE_SYN_RECEIVED || (p->flags & bits) != TCP_FLAG_SYN ||
	    p->seq != t->v.irs)
		return false;
	t->v.unacceptable++;
	if (tcp_config_of(t)->syn_ack_for_old_syn)
		tcp_send_syn(t);
	else
		answer(t, true);
	return true;
}

/* The second step. */
static void on_reset(struct tcp *t, const struct tcp_packet *p)
{
	if (p->seq != t->v.rcv_nxt) {
		if (is_in_window(t, p->seq))
			challenge(t);
		return;
	}
	switch ((enum tcp_state)t->state) {
	case TCP_STATE_SYN_RECEIVED:
		if (t->is_passive)
			tcp_drop(t,
				 t->now_us); /* back to LISTEN: "the user need not be informed" */
		else
			tcp_fail(t, TCP_EVENT_REFUSED);
		break;
	case TCP_STATE_ESTABLISHED:
	case TCP_STATE_FIN_WAIT_1:
	case TCP_STATE_FIN_WAIT_2:
	case TCP_STATE_CLOSE_WAIT:
		tcp_fail(t, TCP_EVENT_RESET);
		break;
	case TCP_STATE_TIME_WAIT:
		if (tcp_config_of(t)->time_wait_ignores_reset)
			break;
		tcp_set_state(t, TCP_STATE_CLOSED);
		break;
	case TCP_STATE_CLOSING:
	case TCP_STATE_LAST_ACK:
		tcp_set_state(t, TCP_STATE_CLOSED);
		break;
	case TCP_STATE_CLOSED:
	case TCP_STATE_LISTEN:
	case TCP_STATE_SYN_SENT:
	case TCP_STATE_COUNT:
		break;
	}
}

/* The fifth step in SYN-RECEIVED. False: dropped. */
static bool ack_syn_received(struct tcp *t, const struct tcp_packet *p)
{
	if (!tcp_before(t->v.snd_una, p->ack) || tcp_before(t->v.snd_nxt, p->ack)) {
		t->v.bad_acks++;
		tcp_send_reset(t, p->ack, false);
		return false;
	}
	set_snd_window(t, p);
	t->v.snd_una = t->v.iss + 1;
	sample_rtt(t, p);
	tcp_establish(t);
	return t->state != TCP_STATE_CLOSED;
}

/* The fifth step elsewhere: RFC 5961, section 5. */
static bool check_ack(struct tcp *t, const struct tcp_packet *p)
{
	uint32_t behind = t->v.snd_nxt + t->probe_len - p->ack;
	uint32_t most = t->v.snd_nxt + t->probe_len - t->v.snd_una + t->v.max_snd_wnd;

	if (behind <= most)
		return true;
	t->v.bad_acks++;
	if (t->state == TCP_STATE_ESTABLISHED && tcp_config_of(t)->silent_on_future_ack &&
	    tcp_before(t->v.snd_nxt + t->probe_len, p->ack))
		return false;
	t->v.challenges++;
	answer(t, !p->payload_len_bytes);
	return false;
}

/* What our acknowledged FIN does to the state. False: the rest of the segment is ignored. */
static bool advance_close(struct tcp *t)
{
	uint64_t limit = tcp_config_of(t)->fin_wait_2_us;

	if (t->state == TCP_STATE_CLOSING || t->state == TCP_STATE_LAST_ACK) {
		if (!t->v.is_fin_acked)
			return false;
		if (t->state == TCP_STATE_CLOSING)
			tcp_start_time_wait(t);
		else
			tcp_set_state(t, TCP_STATE_CLOSED);
		return t->state != TCP_STATE_CLOSED;
	}
	if (t->state == TCP_STATE_FIN_WAIT_1 && t->v.is_fin_acked) {
		tcp_set_state(t, TCP_STATE_FIN_WAIT_2);
		if (limit && t->is_abandoned)
			t->wait_at = t->now_us + limit;
	}
	return true;
}

/* The seventh and eighth step. */
static void process_text(struct tcp *t, const struct tcp_packet *p)
{
	uint32_t seq = p->seq + (p->flags & TCP_FLAG_SYN ? 1 : 0);
	bool has_fin = p->flags & TCP_FLAG_FIN;

	if (t->state != TCP_STATE_ESTABLISHED && t->state != TCP_STATE_FIN_WAIT_1 &&
	    t->state != TCP_STATE_FIN_WAIT_2)
		return;
	if (p->payload_len_bytes && t->is_abandoned && tcp_config_of(t)->reset_after_close) {
		tcp_send_reset(t, t->v.snd_nxt, tcp_config_of(t)->reset_with_ack);
		tcp_fail(t, TCP_EVENT_RESET);
		return;
	}
	if (p->payload_len_bytes || has_fin) {
		tcp_receive(t, seq, p->payload, p->payload_len_bytes, has_fin);
	} else if (t->fragments || t->is_fin_known) { /* what came with the SYN */
		uint32_t rcv_nxt = t->v.rcv_nxt;

		tcp_receive_advance(t);
		t->ack_now |= t->v.rcv_nxt != rcv_nxt;
	}
}

/* Section 3.10.7.4. */
static void on_segment(struct tcp *t, const struct tcp_packet *p)
{
	if (t->v.has_timestamps && !p->options.has_timestamps && !(p->flags & TCP_FLAG_RST) &&
	    !tcp_config_of(t)->take_without_timestamps)
		return; /* RFC 7323, section 3.2 */
	if (answer_syn_again(t, p) || !check_sequence(t, p))
		return;
	t->heard_at = t->now_us;
	if (p->flags & TCP_FLAG_RST) {
		on_reset(t, p);
		return;
	}
	if (p->flags & TCP_FLAG_SYN) {
		if (t->state == TCP_STATE_SYN_RECEIVED && t->is_passive)
			tcp_drop(t, t->now_us);
		else
			challenge(t);
		return;
	}
	if (!(p->flags & TCP_FLAG_ACK))
		return;
	if (t->state == TCP_STATE_SYN_RECEIVED ? !ack_syn_received(t, p) : !check_ack(t, p))
		return;
	note_timestamp(t, p);
	process_ack(t, p);
	if (advance_close(t))
		process_text(t, p);
}

static void set_irs(struct tcp *t, const struct tcp_packet *p)
{
	t->v.irs = p->seq;
	t->v.rcv_nxt = p->seq + 1;
	t->last_ack_sent = t->v.rcv_nxt;
	tcp_negotiate(t, p);
	set_snd_window(t, p);
}

/* Section 3.10.7.3. */
static void on_segment_syn_sent(struct tcp *t, const struct tcp_packet *p)
{
	bool has_ack = p->flags & TCP_FLAG_ACK;

	if (has_ack && (tcp_not_after(p->ack, t->v.iss) || tcp_before(t->v.snd_nxt, p->ack))) {
		t->v.bad_acks++;
		if (!(p->flags & TCP_FLAG_RST))
			tcp_send_reset(t, p->ack, false);
		return;
	}
	if (p->flags & TCP_FLAG_RST) {
		if (has_ack)
			tcp_fail(t, TCP_EVENT_REFUSED);
		return;
	}
	if (!(p->flags & TCP_FLAG_SYN))
		return;
	t->heard_at = t->now_us;
	set_irs(t, p);
	if (!has_ack) {
		tcp_set_state(t, TCP_STATE_SYN_RECEIVED);
		tcp_send_syn(t);
		if (p->payload_len_bytes || (p->flags & TCP_FLAG_FIN))
			tcp_receive(t, p->seq + 1, p->payload, p->payload_len_bytes,
				    p->flags & TCP_FLAG_FIN);
		t->ack_now = false; /* the SYN-ACK has said it */
		return;
	}
	t->v.snd_una = p->ack;
	sample_rtt(t, p);
	t->ack_now = true;
	tcp_establish(t);
	if (t->state != TCP_STATE_CLOSED)
		process_text(t, p);
}

enum tcp_verdict tcp_on_packet(struct tcp *t, uint64_t now_us, const struct tcp_packet *p)
{
	enum tcp_verdict verdict = TCP_TAKEN;

	tcp_enter(t, now_us);
	t->v.packets_in++;
	if (t->state == TCP_STATE_SYN_SENT)
		on_segment_syn_sent(t, p);
	else if (t->state != TCP_STATE_CLOSED && !reopen_or_drop(t, p, &verdict))
		on_segment(t, p);
	tcp_leave(t);
	return verdict;
}
