/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_output.c - packets: what may be sent, retransmission and its timer, probes.
 *
 * SND.NXT never goes back. After a time-out the octets from rtx_nxt to rtx_end go out again as the
 * congestion window opens; fast retransmit sends single segments again. An octet that was sent
 * only to probe a closed window does not count as sent: otherwise our bare ACKs would carry a
 * number that the peer, whose window is closed, must refuse, and two such peers would refuse each
 * other for ever (RFC 9293, appendix A.2).
 */
#include "tests/sim/tcp_private.h"

enum {
	CLOCK_GRANULARITY_US = 1000, /* G of RFC 6298: that of our timestamps */
	BACKOFF_MAX = 16,
	TIMESTAMPS_LEN = 12, /* with two NOPs in front */
};

uint32_t tcp_ts_now(const struct tcp *t)
{
	return t->setup.ts_base_ms + (uint32_t)(t->now_us / 1000);
}

static void add_timestamps(const struct tcp *t, struct tcp_packet *p)
{
	p->options.has_timestamps = true;
	p->options.ts_val = tcp_ts_now(t);
	p->options.ts_ecr = p->flags & TCP_FLAG_ACK ? t->v.ts_recent : 0;
}

/* Hands a packet out; everything that an ACK settles is settled here. */
static void send_packet(struct tcp *t, struct tcp_packet *p)
{
	p->tuple = t->setup.tuple;
	if (p->flags & TCP_FLAG_ACK) {
		p->ack = t->v.rcv_nxt;
		t->last_ack_sent = t->v.rcv_nxt;
		t->unacked_bytes = 0;
		t->ack_now = false;
		t->ack_at = TCP_NEVER;
	}
	t->v.packets_out++;
	t->setup.calls->send(t->setup.ctx, p);
}

/* The SYN, or the SYN-ACK; in answer to a SYN only what that offered. */
void tcp_send_syn(struct tcp *t)
{
	const struct tcp_config *config = tcp_config_of(t);
	bool is_first = t->state == TCP_STATE_SYN_SENT;
	struct tcp_packet p = {.seq = t->v.iss, .flags = TCP_FLAG_SYN};

	if (!is_first)
		p.flags |= TCP_FLAG_ACK;
	p.window = tcp_receive_window(t, true);
	p.options.has_mss = config->use_mss;
	p.options.mss = config->use_mss ? config->mss : 0;
	p.options.has_window_scale = is_first ? config->use_window_scale : t->v.has_window_scale;
	p.options.window_scale = p.options.has_window_scale ? config->window_scale : 0;
	p.options.has_sack_permitted = is_first ? config->use_sack : t->v.has_sack;
	if (is_first ? config->use_timestamps : t->v.has_timestamps)
		add_timestamps(t, &p);
	send_packet(t, &p);
}

void tcp_send_reset(struct tcp *t, uint32_t seq, bool with_ack)
{
	struct tcp_packet p = {.seq = seq, .flags = TCP_FLAG_RST};

	if (with_ack)
		p.flags |= TCP_FLAG_ACK;
	if (t->v.has_timestamps)
		add_timestamps(t, &p);
	send_packet(t, &p);
}

/* The options that every segment carries after the SYN; returns what SACK takes from the data. */
static uint32_t add_options(struct tcp *t, struct tcp_packet *p)
{
	if (t->v.has_timestamps)
		add_timestamps(t, p);
	if (t->v.has_sack && t->held_bytes > t->unread_bytes)
		p->sack_count = tcp_receive_sack(
			t, p->sack, TCP_SACK_BLOCKS_MAX - (t->v.has_timestamps ? 1 : 0));
	return p->sack_count ? 4 + 8 * (uint32_t)p->sack_count : 0;
}

/*
 * One segment from seq on: at most len octets, and the FIN if it comes next and is wanted.
 * Returns how many sequence numbers it took.
 */
static uint32_t send_segment(struct tcp *t, uint32_t seq, uint32_t len, bool with_fin)
{
	struct tcp_packet p = {.seq = seq, .flags = TCP_FLAG_ACK};
	uint32_t sack_len = add_options(t, &p);

	len = tcp_min(len, t->v.snd_mss - sack_len);
	p.window = tcp_receive_window(t, false);
	if (len) {
		p.payload = t->snd_buf + t->snd_head + (seq - t->snd_seq);
		p.payload_len_bytes = len;
	}
	if (seq + len == tcp_snd_end(t)) {
		p.flags |= len ? TCP_FLAG_PSH : 0;
		p.flags |= with_fin && t->is_fin_queued ? TCP_FLAG_FIN : 0;
	}
	t->sent_at = t->now_us;
	send_packet(t, &p);
	return len + (p.flags & TCP_FLAG_FIN ? 1 : 0);
}

static void send_ack(struct tcp *t)
{
	struct tcp_packet p = {.seq = t->v.snd_nxt, .flags = TCP_FLAG_ACK};

	add_options(t, &p);
	p.window = tcp_receive_window(t, false);
	send_packet(t, &p);
}

/* RFC 6298, section 2. */
void tcp_measure(struct tcp *t, uint32_t rtt_us)
{
	const struct tcp_config *config = tcp_config_of(t);
	uint64_t rto;

	if (!t->v.srtt_us) {
		t->v.srtt_us = rtt_us ? rtt_us : 1;
		t->rttvar_us = rtt_us / 2;
	} else {
		uint32_t off =
			rtt_us > t->v.srtt_us ? rtt_us - t->v.srtt_us : t->v.srtt_us - rtt_us;

		t->rttvar_us = (uint32_t)((3 * (uint64_t)t->rttvar_us + off) / 4);
		t->v.srtt_us = (uint32_t)((7 * (uint64_t)t->v.srtt_us + rtt_us) / 8);
	}
	rto = 4 * (uint64_t)t->rttvar_us;
	rto = t->v.srtt_us + (rto > CLOCK_GRANULARITY_US ? rto : CLOCK_GRANULARITY_US);
	rto = rto > config->rto_min_us ? rto : config->rto_min_us;
	t->rto_base_us = (uint32_t)(rto < config->rto_max_us ? rto : config->rto_max_us);
	t->backoff = 0;
}

static uint64_t patience_us(const struct tcp *t)
{
	const struct tcp_config *config = tcp_config_of(t);
	bool is_opening = t->state == TCP_STATE_SYN_SENT || t->state == TCP_STATE_SYN_RECEIVED;

	return is_opening ? config->syn_timeout_us : config->user_timeout_us;
}

static void schedule_rto(struct tcp *t)
{
	uint64_t patience = patience_us(t);

	t->rto_at = t->rto_due;
	if (patience && t->rto_at > t->stalled_since + patience)
		t->rto_at = t->stalled_since + patience;
}

void tcp_arm_rto(struct tcp *t)
{
	uint8_t doublings = t->is_persisting ? t->probe_back : t->backoff;
	uint64_t rto = (uint64_t)t->rto_base_us << doublings;

	if (rto > tcp_config_of(t)->rto_max_us)
		rto = tcp_config_of(t)->rto_max_us;
	t->v.rto_us = (uint32_t)rto;
	t->rto_due = t->now_us + rto;
	schedule_rto(t);
}

static bool may_send(const struct tcp *t)
{
	switch ((enum tcp_state)t->state) {
	case TCP_STATE_ESTABLISHED:
	case TCP_STATE_FIN_WAIT_1:
	case TCP_STATE_CLOSE_WAIT:
	case TCP_STATE_CLOSING:
	case TCP_STATE_LAST_ACK:
		return true;
	case TCP_STATE_CLOSED:
	case TCP_STATE_LISTEN:
	case TCP_STATE_SYN_SENT:
	case TCP_STATE_SYN_RECEIVED:
	case TCP_STATE_FIN_WAIT_2:
	case TCP_STATE_TIME_WAIT:
	case TCP_STATE_COUNT:
		break;
	}
	return false;
}

static bool is_resending(const struct tcp *t)
{
	return tcp_before(t->rtx_nxt, t->rtx_end);
}

/* What follows from a segment that has left: RFC 6298, sections 3 and 5.1. */
static void note_sent(struct tcp *t, uint32_t seq, uint32_t len, bool was_idle)
{
	uint32_t end = seq + len;

	if (is_resending(t))
		t->rtx_nxt = end;
	if (seq == t->v.snd_nxt && !t->is_timing) {
		t->is_timing = true;
		t->timed_seq = seq;
		t->timed_at = t->now_us;
	}
	if (tcp_before(t->v.snd_nxt, end)) {
		t->v.snd_nxt = end;
		t->probe_len = 0;
	}
	if (t->is_fin_queued && end == tcp_snd_end(t) + 1 && t->state == TCP_STATE_CLOSE_WAIT)
		tcp_set_state(t, TCP_STATE_LAST_ACK);
	if (was_idle)
		t->stalled_since = t->now_us;
	if (t->is_persisting) {
		t->is_persisting = false;
		t->rto_at = TCP_NEVER;
	}
	if (t->rto_at == TCP_NEVER)
		tcp_arm_rto(t);
}

/* RFC 5681, section 4.1. */
static void restart_after_idle(struct tcp *t)
{
	uint32_t restart = tcp_config_of(t)->initial_cwnd_segments * t->v.snd_mss;

	if (t->now_us - t->sent_at > t->rto_base_us && t->v.cwnd > restart)
		t->v.cwnd = restart;
}

/*
 * The next segment that the windows let through, if any. Nagle is off; silly windows are avoided
 * as section 3.8.6.2.1 of RFC 9293 says, but for (4), as nothing waits while nothing is in flight.
 */
static bool send_next(struct tcp *t)
{
	bool is_again = is_resending(t);
	uint32_t seq = is_again ? t->rtx_nxt : t->v.snd_nxt;
	uint32_t flight = seq - t->v.snd_una;
	uint32_t end = tcp_snd_end(t);
	uint32_t left = end - seq;
	uint32_t limit;
	uint32_t len;
	bool with_fin;

	if (seq == end + 1 || flight >= t->v.snd_wnd)
		return false;
	if (!flight)
		restart_after_idle(t);
	limit = tcp_min(t->v.cwnd, t->v.snd_wnd);
	len = tcp_min(left, t->v.snd_mss);
	len = tcp_min(len, limit > flight ? limit - flight : 0);
	with_fin = t->is_fin_queued && len == left && t->v.snd_wnd - flight > len;
	if (!len && !with_fin)
		return false;
	if (!is_again && !with_fin && flight && len < left && len < t->v.snd_mss &&
	    len < t->v.max_snd_wnd / 2)
		return false;
	note_sent(t, seq, send_segment(t, seq, len, with_fin), !flight);
	return true;
}

/* Something waits for a window, and nothing is in flight whose ACK could bring one. */
static bool must_probe(const struct tcp *t)
{
	return may_send(t) && t->v.snd_nxt == t->v.snd_una &&
	       t->v.snd_nxt != tcp_snd_end(t) + (t->is_fin_queued ? 1 : 0);
}

static void start_probing(struct tcp *t)
{
	t->is_persisting = true;
	t->probe_back = 0;
	t->stalled_since = t->now_us;
	tcp_arm_rto(t);
}

void tcp_output(struct tcp *t)
{
	if (may_send(t))
		while (send_next(t))
			;
	if (t->ack_now && t->state != TCP_STATE_CLOSED && t->state != TCP_STATE_SYN_SENT)
		send_ack(t);
	if (must_probe(t) && !t->is_persisting)
		start_probing(t);
}

/*
 * Without regard to the congestion window, but not beyond the peer's, of which one octet is left.
 */
void tcp_resend_first(struct tcp *t)
{
	uint32_t end = tcp_snd_end(t);
	uint32_t window = t->v.snd_wnd ? t->v.snd_wnd : 1;
	uint32_t len = tcp_min(end - t->v.snd_una, t->v.snd_nxt - t->v.snd_una);
	uint32_t sent;

	len = tcp_min(len, t->v.snd_mss);
	len = tcp_min(len, window);
	sent = send_segment(t, t->v.snd_una, len, window > len && t->v.snd_nxt == end + 1);
	t->is_timing = false; /* Karn */
	if (is_resending(t) && tcp_before(t->rtx_nxt, t->v.snd_una + sent))
		t->rtx_nxt = t->v.snd_una + sent;
}

/* RFC 9293, section 3.8.6.1; Linux says something old instead of an octet. */
static void probe(struct tcp *t)
{
	uint32_t seq = t->v.snd_nxt;

	t->v.probes++;
	if (tcp_config_of(t)->probe_without_data) {
		t->v.snd_nxt = t->v.snd_una - 1;
		send_ack(t);
		t->v.snd_nxt = seq;
	} else {
		send_segment(t, seq, tcp_snd_end(t) == seq ? 0 : 1, tcp_snd_end(t) == seq);
		t->probe_len = 1;
		if (t->is_fin_queued && tcp_snd_end(t) == seq && t->state == TCP_STATE_CLOSE_WAIT)
			tcp_set_state(t, TCP_STATE_LAST_ACK);
	}
	if (t->probe_back < BACKOFF_MAX)
		t->probe_back++;
	tcp_arm_rto(t);
}

/* RFC 5681, section 3.1 (4) and (5): only the first time-out of a segment says something new. */
static void collapse(struct tcp *t)
{
	uint32_t flight = t->v.snd_nxt - t->v.snd_una;

	if (t->v.snd_una != t->timed_out_seq) {
		t->v.ssthresh = flight / 2 > 2 * t->v.snd_mss ? flight / 2 : 2 * t->v.snd_mss;
		t->timed_out_seq = t->v.snd_una;
	}
	t->recover = t->v.snd_nxt;
	t->v.cwnd = t->v.snd_mss;
	t->is_recovering = false;
	t->dup_acks = 0;
	t->rtx_nxt = t->v.snd_una;
	t->rtx_end = t->v.snd_nxt;
}

/* RFC 6298, section 5.4 to 5.6, or the persist timer. */
void tcp_on_rto(struct tcp *t)
{
	uint64_t patience = patience_us(t);

	if (patience && t->now_us - t->stalled_since >= patience) {
		tcp_fail(t, TCP_EVENT_TIMED_OUT);
		return;
	}
	if (t->now_us < t->rto_due) { /* the peer has answered since: patience lasts longer */
		schedule_rto(t);
		return;
	}
	if (t->is_persisting) {
		probe(t);
		return;
	}
	t->v.timeouts++;
	if (t->state == TCP_STATE_SYN_SENT || t->state == TCP_STATE_SYN_RECEIVED) {
		t->is_syn_repeated = true;
		tcp_send_syn(t);
	} else {
		collapse(t);
		tcp_resend_first(t);
	}
	t->is_timing = false;
	if (t->backoff < BACKOFF_MAX)
		t->backoff++;
	tcp_arm_rto(t);
}

/* RFC 9293, section 3.8.4: <SEQ=SND.NXT-1> without data; only if nothing else is going on. */
void tcp_on_keepalive(struct tcp *t)
{
	const struct tcp_config *config = tcp_config_of(t);
	uint64_t idle_until = t->heard_at + config->keepalive_idle_us;

	if (t->now_us < idle_until || t->v.snd_nxt != t->v.snd_una) {
		t->keep_probes = 0;
		t->keep_at =
			t->now_us < idle_until ? idle_until : t->now_us + config->keepalive_idle_us;
		return;
	}
	if (t->keep_probes == config->keepalive_probes) {
		tcp_send_reset(t, t->v.snd_nxt, true);
		tcp_fail(t, TCP_EVENT_TIMED_OUT);
		return;
	}
	t->keep_probes++;
	t->v.snd_nxt--;
	send_ack(t);
	t->v.snd_nxt++;
	t->keep_at = t->now_us + config->keepalive_interval_us;
}
