/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp.c - the life of an endpoint: open, close, timers, settings; every change of state. */
#include "tests/sim/tcp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/tcp_private.h"

enum {
	RCV_MSS_MIN = 536,   /* what a segment is taken to be until a larger one has come */
	TIMESTAMPS_LEN = 12, /* the option and two NOPs */
	MSS_MIN = 64,        /* against a peer that announces next to nothing */
	SND_ROOM_MIN = 512,
	SHIFT_MAX = 14, /* RFC 7323, section 2.3 */
	REOPEN_STEP = 65536 + 1,
	SYN_LOST_RTO_US = 3000000, /* RFC 6298, section 5.7 */
};

/* RFC 9293, figure 5 and section 3.10: a bit for every state that may follow. */
static const uint16_t next_states[TCP_STATE_COUNT] = {
	[TCP_STATE_CLOSED] = 1 << TCP_STATE_SYN_SENT | 1 << TCP_STATE_SYN_RECEIVED,
	[TCP_STATE_SYN_SENT] =
		1 << TCP_STATE_SYN_RECEIVED | 1 << TCP_STATE_ESTABLISHED | 1 << TCP_STATE_CLOSED,
	[TCP_STATE_SYN_RECEIVED] = 1 << TCP_STATE_ESTABLISHED | 1 << TCP_STATE_CLOSED,
	[TCP_STATE_ESTABLISHED] =
		1 << TCP_STATE_FIN_WAIT_1 | 1 << TCP_STATE_CLOSE_WAIT | 1 << TCP_STATE_CLOSED,
	[TCP_STATE_FIN_WAIT_1] =
		1 << TCP_STATE_FIN_WAIT_2 | 1 << TCP_STATE_CLOSING | 1 << TCP_STATE_CLOSED,
	[TCP_STATE_FIN_WAIT_2] = 1 << TCP_STATE_TIME_WAIT | 1 << TCP_STATE_CLOSED,
	[TCP_STATE_CLOSE_WAIT] = 1 << TCP_STATE_LAST_ACK | 1 << TCP_STATE_CLOSED,
	[TCP_STATE_CLOSING] = 1 << TCP_STATE_TIME_WAIT | 1 << TCP_STATE_CLOSED,
	[TCP_STATE_LAST_ACK] = 1 << TCP_STATE_CLOSED,
	[TCP_STATE_TIME_WAIT] = 1 << TCP_STATE_CLOSED,
};

struct tcp_config tcp_config_rfc(void)
{
	return (struct tcp_config){
		.mss = 1460,
		.default_mss = 536,
		.window_scale = 7,
		.use_mss = true,
		.use_window_scale = true,
		.use_timestamps = true,
		.use_sack = true,
		.rcv_buffer_bytes = 262144,
		.snd_buffer_bytes = 262144,
		.initial_cwnd_segments = 10,
		.ack_every_segments = 2,
		.delayed_ack_us = 200000,
		.rto_initial_us = 1000000,
		.rto_min_us = 1000000,
		.rto_max_us = 60000000,
		.syn_timeout_us = 180000000,
		.user_timeout_us = 300000000,
		.time_wait_us = 240000000,
		.keepalive_interval_us = 75000000,
		.keepalive_probes = 9,
		.challenge_acks_per_second = 2,
		.reset_after_close = true,
		.reuse_time_wait = true,
	};
}

struct tcp_config tcp_config_linux(void)
{
	struct tcp_config c = tcp_config_rfc();

	c.delayed_ack_us = 40000;
	c.quick_acks = 16;
	c.rto_min_us = 200000;
	c.rto_max_us = 120000000;
	c.syn_timeout_us = 127000000;
	c.user_timeout_us = 924600000;
	c.time_wait_us = 60000000;
	c.fin_wait_2_us = 60000000;
	c.challenge_acks_per_second = 0;
	c.out_of_window_ack_interval_us = 500000;
	c.silent_on_future_ack = true;
	c.take_without_timestamps = true;
	c.syn_ack_for_old_syn = true;
	c.probe_without_data = true;
	c.reset_with_ack = true;
	c.time_wait_acks_old_syn = true;
	return c;
}

void tcp_enter(struct tcp *t, uint64_t now_us)
{
	assert(now_us >= t->now_us);
	t->now_us = now_us;
	t->depth++;
}

static uint32_t snd_room_left(const struct tcp *t)
{
	return tcp_config_of(t)->snd_buffer_bytes - t->snd_len;
}

void tcp_leave(struct tcp *t)
{
	if (t->depth > 1) {
		t->depth--;
		return;
	}
	tcp_output(t);
	while (t->wants_room && snd_room_left(t) && t->state != TCP_STATE_CLOSED) {
		t->wants_room = false;
		tcp_tell(t, TCP_EVENT_WRITABLE);
		tcp_output(t);
	}
	if (t->state == TCP_STATE_TIME_WAIT && t->wait_at <= t->now_us)
		tcp_set_state(t, TCP_STATE_CLOSED);
	if (t->state == TCP_STATE_CLOSED && !t->is_told_closed) {
		t->is_told_closed = true;
		tcp_receive_flush(t);
		t->depth--;
		tcp_tell(t, TCP_EVENT_CLOSED);
		return; /* t may be gone */
	}
	t->depth--;
}

void tcp_tell(struct tcp *t, enum tcp_event event)
{
	t->setup.calls->event(t->setup.ctx, event);
}

static void stop_timers(struct tcp *t)
{
	t->rto_at = TCP_NEVER;
	t->ack_at = TCP_NEVER;
	t->wait_at = TCP_NEVER;
	t->keep_at = TCP_NEVER;
}

static void free_snd_buf(struct tcp *t)
{
	free(t->snd_buf);
	t->memory_bytes -= t->snd_room;
	t->snd_buf = NULL;
	t->snd_room = 0;
	t->snd_head = 0;
	t->snd_len = 0;
}

void tcp_set_state(struct tcp *t, enum tcp_state state)
{
	assert(next_states[t->state] & 1 << state);
	if (t->state == TCP_STATE_SYN_RECEIVED && t->listener) {
		t->listener->half_open--;
		t->listener = NULL;
	}
	t->state = (uint8_t)state;
	if (state != TCP_STATE_CLOSED && state != TCP_STATE_TIME_WAIT)
		return;
	stop_timers(t);
	free_snd_buf(t);
	if (state == TCP_STATE_CLOSED)
		t->read_at = TCP_NEVER;
}

void tcp_fail(struct tcp *t, enum tcp_event event)
{
	t->is_failed = true;
	tcp_set_state(t, TCP_STATE_CLOSED);
	tcp_tell(t, event);
}

void tcp_start_time_wait(struct tcp *t)
{
	if (t->state != TCP_STATE_TIME_WAIT)
		tcp_set_state(t, TCP_STATE_TIME_WAIT);
	t->wait_at = t->now_us + tcp_config_of(t)->time_wait_us;
}

/* RFC 6691: the options that every segment has come off what the peer can take. */
void tcp_negotiate(struct tcp *t, const struct tcp_packet *p)
{
	const struct tcp_config *config = tcp_config_of(t);
	uint32_t mss = p->options.has_mss ? p->options.mss : config->default_mss;

	t->v.has_timestamps = config->use_timestamps && p->options.has_timestamps;
	t->v.has_window_scale = config->use_window_scale && p->options.has_window_scale;
	t->v.has_sack = config->use_sack && p->options.has_sack_permitted;
	if (t->v.has_window_scale) {
		t->v.snd_wind_shift = (uint8_t)tcp_min(p->options.window_scale, SHIFT_MAX);
		t->v.rcv_wind_shift = (uint8_t)tcp_min(config->window_scale, SHIFT_MAX);
	}
	if (t->v.has_timestamps) {
		t->v.ts_recent = p->options.ts_val;
		t->ts_recent_at = t->now_us;
	}
	mss = tcp_min(mss, config->mss);
	mss = mss > MSS_MIN ? mss : MSS_MIN;
	t->v.snd_mss = mss - (t->v.has_timestamps ? TIMESTAMPS_LEN : 0);
	t->v.cwnd = config->initial_cwnd_segments * t->v.snd_mss;
}

void tcp_establish(struct tcp *t)
{
	const struct tcp_config *config = tcp_config_of(t);

	tcp_set_state(t, TCP_STATE_ESTABLISHED);
	t->rto_at = TCP_NEVER;
	if (t->is_syn_repeated) {
		/* RFC 5681, section 3.1, and RFC 6298, section 5.7 */
		t->v.cwnd = t->v.snd_mss;
		if (!t->v.srtt_us && t->rto_base_us < SYN_LOST_RTO_US)
			t->rto_base_us = SYN_LOST_RTO_US;
	}
	t->backoff = 0;
	if (config->keepalive_idle_us)
		t->keep_at = t->now_us + config->keepalive_idle_us;
	tcp_tell(t, TCP_EVENT_ESTABLISHED);
	if (t->is_fin_queued && t->state == TCP_STATE_ESTABLISHED)
		tcp_set_state(t, TCP_STATE_FIN_WAIT_1);
}

static struct tcp *new_endpoint(uint64_t now_us, const struct tcp_setup *setup)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->setup = *setup;
	t->memory_bytes = sizeof(*t);
	t->now_us = now_us;
	stop_timers(t);
	t->read_at = TCP_NEVER;
	t->v.iss = setup->isn;
	t->v.snd_una = setup->isn;
	t->v.snd_nxt = setup->isn + 1;
	t->v.ssthresh = UINT32_MAX;
	t->recover = setup->isn;
	t->rtx_nxt = setup->isn + 1;
	t->rtx_end = t->rtx_nxt;
	t->snd_seq = setup->isn + 1;
	t->rto_base_us = (uint32_t)setup->config->rto_initial_us;
	t->stalled_since = now_us;
	t->heard_at = now_us;
	t->timed_seq = setup->isn;
	t->timed_out_seq = setup->isn;
	t->timed_at = now_us;
	t->is_timing = true;
	t->rcv_buffer_bytes = setup->config->rcv_buffer_bytes;
	t->rcv_mss = RCV_MSS_MIN;
	t->quick_left = setup->config->quick_acks;
	t->is_reading = true;
	t->read_chunk_bytes = setup->config->read_chunk_bytes;
	t->read_interval_us = setup->config->read_interval_us;
	return t;
}

struct tcp *tcp_connect(uint64_t now_us, const struct tcp_setup *setup)
{
	struct tcp *t = new_endpoint(now_us, setup);

	if (!t)
		return NULL;
	tcp_set_state(t, TCP_STATE_SYN_SENT);
	tcp_send_syn(t);
	tcp_arm_rto(t);
	return t;
}

enum tcp_judgement tcp_listener_judge(const struct tcp_listener *l, const struct tcp_packet *p)
{
	if (p->flags & TCP_FLAG_RST)
		return TCP_JUDGED_DROP;
	if (p->flags & TCP_FLAG_ACK)
		return TCP_JUDGED_RESET;
	if (!(p->flags & TCP_FLAG_SYN))
		return TCP_JUDGED_DROP;
	if (l->backlog && l->half_open >= l->backlog)
		return l->reset_when_full ? TCP_JUDGED_RESET : TCP_JUDGED_DROP;
	return TCP_JUDGED_ACCEPT;
}

struct tcp *tcp_accept(struct tcp_listener *l, uint64_t now_us, const struct tcp_packet *p,
		       const struct tcp_setup *setup)
{
	struct tcp *t = new_endpoint(now_us, setup);
	bool has_fin = p->flags & TCP_FLAG_FIN;

	if (!t)
		return NULL;
	t->is_passive = true;
	if (l->backlog) {
		t->listener = l;
		l->half_open++;
	}
	t->v.packets_in++;
	tcp_set_state(t, TCP_STATE_SYN_RECEIVED);
	t->v.irs = p->seq;
	t->v.rcv_nxt = p->seq + 1;
	tcp_negotiate(t, p);
	t->v.max_snd_wnd = p->window;
	tcp_send_syn(t);
	tcp_arm_rto(t);
	if (p->payload_len_bytes || has_fin)
		tcp_receive(t, p->seq + 1, p->payload, p->payload_len_bytes, has_fin);
	t->ack_now = false;
	return t;
}

bool tcp_reset_for(const struct tcp_packet *p, struct tcp_packet *reply)
{
	bool has_ack = p->flags & TCP_FLAG_ACK;
	uint32_t len = p->payload_len_bytes + (p->flags & TCP_FLAG_SYN ? 1 : 0) +
		       (p->flags & TCP_FLAG_FIN ? 1 : 0);

	if (p->flags & TCP_FLAG_RST)
		return false;
	*reply = (struct tcp_packet){
		.tuple = {.src = p->tuple.dst, .dst = p->tuple.src, .protocol = p->tuple.protocol},
		.seq = has_ack ? p->ack : 0,
		.ack = has_ack ? 0 : p->seq + len,
		.flags = TCP_FLAG_RST | (has_ack ? 0 : TCP_FLAG_ACK),
	};
	return true;
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	assert(!t->depth);
	if (t->listener)
		t->listener->half_open--;
	tcp_receive_discard(t);
	free_snd_buf(t);
	free(t);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t tcp_next_us(const struct tcp *t)
{
	uint64_t at = earlier(earlier(t->rto_at, t->ack_at), t->wait_at);

	return earlier(at, earlier(t->keep_at, t->read_at));
}

void tcp_on_time(struct tcp *t, uint64_t now_us)
{
	tcp_enter(t, now_us);
	if (now_us >= t->ack_at) {
		t->ack_at = TCP_NEVER;
		t->ack_now = true;
	}
	if (now_us >= t->read_at)
		tcp_receive_on_time(t);
	if (now_us >= t->rto_at)
		tcp_on_rto(t);
	if (now_us >= t->keep_at)
		tcp_on_keepalive(t);
	if (now_us >= t->wait_at)
		tcp_set_state(t, TCP_STATE_CLOSED);
	tcp_leave(t);
}

/* Room for n more octets behind snd_len. False: no memory. */
static bool make_snd_room(struct tcp *t, uint32_t n)
{
	uint32_t room = t->snd_room > SND_ROOM_MIN ? t->snd_room : SND_ROOM_MIN;
	uint8_t *buf;

	if (t->snd_head && t->snd_head + t->snd_len + n > t->snd_room) {
		memmove(t->snd_buf, t->snd_buf + t->snd_head, t->snd_len);
		t->snd_head = 0;
	}
	if (t->snd_head + t->snd_len + n <= t->snd_room)
		return true;
	while (room < t->snd_len + n)
		room *= 2;
	buf = realloc(t->snd_buf, room);
	if (!buf)
		return false;
	t->memory_bytes += room - t->snd_room;
	t->snd_buf = buf;
	t->snd_room = room;
	return true;
}

static bool takes_data(const struct tcp *t)
{
	return !t->is_fin_queued && t->state >= TCP_STATE_SYN_SENT &&
	       t->state <= TCP_STATE_CLOSE_WAIT;
}

size_t tcp_write(struct tcp *t, uint64_t now_us, const void *bytes, size_t len_bytes)
{
	uint32_t n;

	if (!takes_data(t) || !len_bytes)
		return 0;
	tcp_enter(t, now_us);
	n = snd_room_left(t);
	n = len_bytes < n ? (uint32_t)len_bytes : n;
	if (!make_snd_room(t, n))
		n = 0;
	if (n)
		memcpy(t->snd_buf + t->snd_head + t->snd_len, bytes, n);
	t->snd_len += n;
	t->v.written_bytes += n;
	t->wants_room = n < len_bytes && !snd_room_left(t);
	tcp_leave(t);
	return n;
}

/* In CLOSE-WAIT the state changes when the FIN leaves (section 3.10.4). */
static void queue_fin(struct tcp *t)
{
	if (t->is_fin_queued)
		return;
	t->is_fin_queued = true;
	t->wants_room = false;
	if (t->state == TCP_STATE_ESTABLISHED)
		tcp_set_state(t, TCP_STATE_FIN_WAIT_1);
}

void tcp_shutdown(struct tcp *t, uint64_t now_us)
{
	if (t->state == TCP_STATE_CLOSED)
		return;
	tcp_enter(t, now_us);
	queue_fin(t);
	tcp_leave(t);
}

static void abandon(struct tcp *t)
{
	bool has_unread = t->unread_bytes;

	t->is_abandoned = true;
	tcp_receive_drop_unread(t);
	if (has_unread && tcp_config_of(t)->reset_after_close && t->state != TCP_STATE_TIME_WAIT) {
		tcp_send_reset(t, t->v.snd_nxt, tcp_config_of(t)->reset_with_ack);
		tcp_fail(t, TCP_EVENT_RESET);
		return;
	}
	if (t->state == TCP_STATE_FIN_WAIT_2 && tcp_config_of(t)->fin_wait_2_us)
		t->wait_at = t->now_us + tcp_config_of(t)->fin_wait_2_us;
	queue_fin(t);
	tcp_receive_read(t);
}

void tcp_close(struct tcp *t, uint64_t now_us)
{
	if (t->state == TCP_STATE_CLOSED || t->is_abandoned)
		return;
	tcp_enter(t, now_us);
	if (t->state == TCP_STATE_SYN_SENT)
		tcp_set_state(t, TCP_STATE_CLOSED);
	else
		abandon(t);
	tcp_leave(t);
}

static bool has_reset(const struct tcp *t)
{
	return t->state >= TCP_STATE_SYN_RECEIVED && t->state <= TCP_STATE_CLOSE_WAIT;
}

void tcp_abort(struct tcp *t, uint64_t now_us)
{
	if (t->state == TCP_STATE_CLOSED)
		return;
	tcp_enter(t, now_us);
	if (has_reset(t))
		tcp_send_reset(t, t->v.snd_nxt, tcp_config_of(t)->reset_with_ack);
	t->is_failed = true;
	tcp_set_state(t, TCP_STATE_CLOSED);
	tcp_leave(t);
}

void tcp_drop(struct tcp *t, uint64_t now_us)
{
	if (t->state == TCP_STATE_CLOSED)
		return;
	tcp_enter(t, now_us);
	t->is_failed = true;
	tcp_set_state(t, TCP_STATE_CLOSED);
	tcp_leave(t);
}

void tcp_set_reading(struct tcp *t, uint64_t now_us, bool is_on)
{
	tcp_enter(t, now_us);
	t->is_reading = is_on;
	tcp_receive_read(t);
	tcp_leave(t);
}

void tcp_set_read_pace(struct tcp *t, uint64_t now_us, uint32_t chunk_bytes, uint64_t interval_us)
{
	tcp_enter(t, now_us);
	t->read_chunk_bytes = chunk_bytes;
	t->read_interval_us = interval_us;
	t->read_at = TCP_NEVER;
	tcp_receive_read(t);
	tcp_leave(t);
}

size_t tcp_read(struct tcp *t, uint64_t now_us, size_t max_bytes)
{
	size_t n;

	tcp_enter(t, now_us);
	n = tcp_receive_give(t, max_bytes);
	tcp_receive_read(t);
	tcp_leave(t);
	return n;
}

void tcp_set_rcv_buffer(struct tcp *t, uint64_t now_us, uint32_t bytes)
{
	bool is_less = bytes < t->rcv_buffer_bytes;

	tcp_enter(t, now_us);
	t->rcv_buffer_bytes = bytes;
	if (is_less && tcp_config_of(t)->may_shrink_window && t->state >= TCP_STATE_ESTABLISHED)
		t->ack_now = true;
	tcp_receive_check_window(t);
	tcp_leave(t);
}

enum tcp_state tcp_state(const struct tcp *t)
{
	return (enum tcp_state)t->state;
}

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATE_COUNT] = {
		"CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
		"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
	};

	return names[state];
}

const char *tcp_event_name(enum tcp_event event)
{
	static const char *const names[] = {
		"established", "writable", "peer closed", "refused", "reset", "timed out", "closed",
	};

	return names[event];
}

const struct tcp_vars *tcp_vars(const struct tcp *t)
{
	return &t->v;
}

const struct tuple *tcp_tuple(const struct tcp *t)
{
	return &t->setup.tuple;
}

uint32_t tcp_reopen_isn(const struct tcp *t)
{
	return t->v.snd_nxt + REOPEN_STEP;
}

size_t tcp_memory_bytes(const struct tcp *t)
{
	return t->memory_bytes;
}
