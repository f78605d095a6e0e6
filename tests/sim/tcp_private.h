/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_private.h - what an endpoint is made of; only for tcp.c, tcp_input.c, tcp_output.c,
 * tcp_receive.c.
 *
 *   tcp.c          its life: open, close, timers, settings; the one place that changes the state
 *   tcp_input.c    SEGMENT ARRIVES (RFC 9293, section 3.10.7), acknowledgements, congestion
 *   tcp_output.c   packets, what may be sent, retransmission, RTO, probes
 *   tcp_receive.c  the octets from the peer: reassembly, the reader, the window
 *
 * Every public call is a pair of tcp_enter and tcp_leave; they nest when a callback calls back.
 * Inside, ack_now and the queues only say what is due; the outermost tcp_leave sends it.
 */
#ifndef TESTS_SIM_TCP_PRIVATE_H
#define TESTS_SIM_TCP_PRIVATE_H

#include "tests/sim/tcp.h"

#define TCP_NEVER UINT64_MAX

/* Octets from the peer: first those in order that wait for the reader, then those behind holes. */
struct tcp_fragment {
	struct tcp_fragment *next;
	uint32_t seq;
	uint32_t first; /* bytes[first] is octet seq */
	uint32_t len;
	uint32_t room; /* of bytes */
	uint8_t bytes[];
};

struct tcp {
	struct tcp_vars v;
	struct tcp_setup setup;
	struct tcp_listener *listener; /* counts us until we leave SYN-RECEIVED; NULL: nobody */
	uint64_t now_us;
	size_t memory_bytes;

	/* When something is due, or TCP_NEVER. */
	uint64_t rto_at;  /* rto_due, or the end of the user's patience */
	uint64_t ack_at;  /* delayed acknowledgement */
	uint64_t wait_at; /* the end of TIME-WAIT or FIN-WAIT-2 */
	uint64_t keep_at;
	uint64_t read_at;

	uint8_t state;
	uint8_t depth;      /* of calls into us */
	uint8_t dup_acks;   /* in a row, up to 3 */
	uint8_t backoff;    /* the RTO has been doubled so often */
	uint8_t probe_back; /* the same for probes */
	uint8_t probe_len;  /* 1: the octet at snd_nxt has been sent as a probe only */
	bool is_passive;
	bool is_told_closed;
	bool is_failed; /* CLOSED by reset, time-out, abort: what is unread is lost */

	/* Sending: snd_len octets at snd_buf + snd_head, the first is octet snd_seq. */
	uint8_t *snd_buf;
	uint32_t snd_room;
	uint32_t snd_head;
	uint32_t snd_len;
	uint32_t snd_seq;
	bool is_fin_queued; /* at snd_seq + snd_len */
	bool wants_room;    /* tcp_write was short */
	bool is_persisting;
	bool is_recovering; /* fast recovery, until recover is acknowledged */
	bool is_timing;     /* octet timed_seq left at timed_at, once */
	bool is_syn_repeated;
	uint32_t recover;
	uint32_t rtx_nxt; /* after an RTO, octets from here to rtx_end are to be sent again */
	uint32_t rtx_end;
	uint32_t timed_seq;
	uint32_t timed_out_seq; /* SND.UNA at the last RTO */
	uint32_t rttvar_us;
	uint32_t rto_base_us; /* without back-off */
	uint64_t timed_at;
	uint64_t rto_due; /* retransmission, or the probe while is_persisting */
	uint64_t sent_at;
	uint64_t stalled_since; /* the oldest thing unacknowledged made no progress since */

	/* Receiving. */
	struct tcp_fragment *fragments;
	struct tcp_fragment *last_fragment;
	uint32_t fragment_count;
	uint32_t held_bytes; /* in fragments */
	uint32_t unread_bytes;
	uint32_t rcv_buffer_bytes;
	uint32_t rcv_fin_seq;   /* if is_fin_known */
	uint32_t last_held;     /* begin of the segment held last: RFC 2018, section 4 */
	uint32_t last_ack_sent; /* Last.ACK.sent of RFC 7323 */
	uint32_t unacked_bytes; /* in order since our last ACK */
	uint32_t rcv_mss;       /* the largest segment seen */
	uint32_t quick_left;
	uint32_t read_chunk_bytes;
	uint64_t read_interval_us;
	uint64_t ts_recent_at;
	uint64_t heard_at;
	bool is_fin_known;
	bool is_fin_arrived;
	bool is_told_peer_closed;
	bool is_reading;
	bool is_giving;    /* inside data */
	bool is_abandoned; /* after tcp_close */
	bool ack_now;

	/* Rates of RFC 5961 and of the likes of Linux. */
	bool has_answered;
	uint32_t challenges_in_second;
	uint32_t keep_probes;
	uint64_t challenge_second;
	uint64_t answered_at; /* the last ACK to something unacceptable */
};

/* Serial arithmetic: RFC 9293, section 3.4. */
static inline bool tcp_before(uint32_t a, uint32_t b)
{
	return ((a - b) & UINT32_C(0x80000000)) != 0;
}

static inline bool tcp_not_after(uint32_t a, uint32_t b)
{
	return !tcp_before(b, a);
}

static inline uint32_t tcp_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline const struct tcp_config *tcp_config_of(const struct tcp *t)
{
	return t->setup.config;
}

/* The octet after the last that tcp_write took: where a FIN is, or would be. */
static inline uint32_t tcp_snd_end(const struct tcp *t)
{
	return t->snd_seq + t->snd_len;
}

/* tcp.c */
void tcp_enter(struct tcp *t, uint64_t now_us);
/* After the outermost tcp_leave t may be gone. */
void tcp_leave(struct tcp *t);
void tcp_tell(struct tcp *t, enum tcp_event event);
void tcp_set_state(struct tcp *t, enum tcp_state state);
/* CLOSED by an error. */
void tcp_fail(struct tcp *t, enum tcp_event event);
/* ESTABLISHED, or further if the user has closed already. */
void tcp_establish(struct tcp *t);
void tcp_start_time_wait(struct tcp *t);
/* The options of the peer's SYN. */
void tcp_negotiate(struct tcp *t, const struct tcp_packet *p);

/* tcp_output.c */
void tcp_output(struct tcp *t);
void tcp_send_syn(struct tcp *t);
/* <SEQ=seq><CTL=RST>, with an ACK if asked. */
void tcp_send_reset(struct tcp *t, uint32_t seq, bool with_ack);
/* One segment at SND.UNA, whatever the congestion window says. */
void tcp_resend_first(struct tcp *t);
void tcp_on_rto(struct tcp *t);
void tcp_on_keepalive(struct tcp *t);
void tcp_arm_rto(struct tcp *t);
void tcp_measure(struct tcp *t, uint32_t rtt_us);
uint32_t tcp_ts_now(const struct tcp *t);

/* tcp_receive.c */
/* Text and FIN of a segment that begins at seq; what is old or beyond the window is cut off. */
void tcp_receive(struct tcp *t, uint32_t seq, const uint8_t *bytes, uint32_t len, bool has_fin);
/* Takes what has become contiguous: RCV.NXT, the state if the FIN is reached. */
void tcp_receive_advance(struct tcp *t);
/* Lets the reader read what it would by now; a window update may come of it. */
void tcp_receive_read(struct tcp *t);
void tcp_receive_on_time(struct tcp *t);
void tcp_receive_check_window(struct tcp *t);
/* The window field of the next packet, and RCV.WND accordingly. */
uint16_t tcp_receive_window(struct tcp *t, bool is_syn);
/* Fills at most max blocks; returns how many. */
uint8_t tcp_receive_sack(const struct tcp *t, struct tcp_sack_block *blocks, uint8_t max);
/* The end: gives what is left in order to data, unless the connection failed; frees all. */
void tcp_receive_flush(struct tcp *t);
void tcp_receive_discard(struct tcp *t);
void tcp_receive_drop_unread(struct tcp *t);
/* Unread octets to data, at most so many. */
size_t tcp_receive_give(struct tcp *t, size_t max_bytes);
#endif
