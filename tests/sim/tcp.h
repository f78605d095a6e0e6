/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp.h - a TCP endpoint of its own for the simulator: online client, online server, target.
 *
 * Written from RFC 9293 (with 5681, 6582, 6298, 7323, 2018, 5961, 6191), not from the engine under
 * test, so that the two cannot share a misreading. Pure: no clock, no sockets, no globals; the
 * time comes in with every call and never goes back, packets and events go out through one table.
 *
 * How it is used:
 *
 *   active   t = tcp_connect(now, &setup)          sends the SYN
 *   passive  the world finds no endpoint for the tuple of a packet:
 *              tcp_listener_judge(l, p)            says accept, reset or drop
 *              t = tcp_accept(l, now, p, &setup)   sends the SYN-ACK; the state is SYN-RECEIVED
 *              tcp_reset_for(p, &reply)            the RST for a packet that belongs to nobody
 *   then     tcp_on_packet, tcp_on_time, tcp_write, tcp_shutdown, tcp_close, tcp_abort, ...
 *            and after each of them tcp_next_us says when tcp_on_time is wanted
 *   end      the event TCP_EVENT_CLOSED is the last; tcp_free
 *
 * Finding the endpoint of a tuple is the world's job: there is no table in here. An endpoint that
 * is in TIME-WAIT still belongs in the world's table.
 *
 * Callbacks: data and event may call tcp_write, tcp_shutdown, tcp_close, tcp_abort and the
 * tcp_set_ functions of the same endpoint; what that causes is sent when the outermost call ends.
 * send and arrived may call nothing. tcp_free is allowed in TCP_EVENT_CLOSED and outside of
 * callbacks.
 *
 * Memory: the struct, a send buffer that grows up to snd_buffer_bytes, and what was received but
 * not read (within the window; the pieces out of order have a limit of their own). A segment for
 * which there is no memory counts as lost.
 */
#ifndef TESTS_SIM_TCP_H
#define TESTS_SIM_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/tcp_option.h"

enum {
	TCP_SACK_BLOCKS_MAX = 4, /* RFC 2018, section 3; three next to timestamps */
	TCP_FRAGMENTS_MAX =
		1024, /* then nothing more is held out of order, whatever the window is */
};

/* The bits of RFC 9293, section 3.1: the same as in a header (and as common/packet.h has them). */
enum tcp_flag {
	TCP_FLAG_FIN = 0x01,
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_RST = 0x04,
	TCP_FLAG_PSH = 0x08,
	TCP_FLAG_ACK = 0x10,
	TCP_FLAG_URG = 0x20, /* taken and ignored: no endpoint here sends urgent data */
};

/* RFC 9293, section 3.3.2. */
enum tcp_state {
	TCP_STATE_CLOSED,
	TCP_STATE_LISTEN, /* a struct tcp_listener; no endpoint is ever in it */
	TCP_STATE_SYN_SENT,
	TCP_STATE_SYN_RECEIVED,
	TCP_STATE_ESTABLISHED,
	TCP_STATE_FIN_WAIT_1,
	TCP_STATE_FIN_WAIT_2,
	TCP_STATE_CLOSE_WAIT,
	TCP_STATE_CLOSING,
	TCP_STATE_LAST_ACK,
	TCP_STATE_TIME_WAIT,
	TCP_STATE_COUNT,
};

struct tcp_sack_block {
	uint32_t left;  /* the first sequence number of the block */
	uint32_t right; /* the one after its last */
};

/* A packet on the simulated wire. The payload is borrowed for the time of the call. */
struct tcp_packet {
	struct tuple tuple; /* src sent it */
	uint32_t seq;
	uint32_t ack;    /* 0 without TCP_FLAG_ACK */
	uint16_t window; /* as in the header: scaled down */
	uint8_t flags;
	uint8_t sack_count;
	struct tcp_options options; /* has_mptcp is ignored */
	struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];
	const uint8_t *payload;
	uint32_t payload_len_bytes;
};

enum tcp_event {
	TCP_EVENT_ESTABLISHED,
	TCP_EVENT_WRITABLE,    /* tcp_write took less than it was given; now there is room again */
	TCP_EVENT_PEER_CLOSED, /* the peer's FIN is in order, all of its data has been read */
	TCP_EVENT_REFUSED,     /* RST before ESTABLISHED; CLOSED follows */
	TCP_EVENT_RESET,       /* RST, or an unread end turned into one; CLOSED follows */
	TCP_EVENT_TIMED_OUT,   /* SYN, data, FIN or keep-alive unanswered; CLOSED follows */
	TCP_EVENT_CLOSED,      /* the last event, once: the tuple is free, tcp_free may be called */
};

/*
 * Where the packets and bytes go. data gets what the reader reads, in order; arrived, which may be
 * NULL, gets the same bytes when they arrive in order, however slow the reader is: what the
 * endpoint acknowledges is exactly what arrived has been given.
 */
struct tcp_calls {
	void (*send)(void *ctx, const struct tcp_packet *p);
	void (*data)(void *ctx, const uint8_t *bytes, size_t len_bytes);
	void (*event)(void *ctx, enum tcp_event event);
	void (*arrived)(void *ctx, const uint8_t *bytes, size_t len_bytes);
};

/*
 * What real stacks differ in. Shared by many endpoints and borrowed: it outlives them. Start from
 * tcp_config_rfc or tcp_config_linux. A time of 0 means never (or: no limit), if not said
 * otherwise.
 */
struct tcp_config {
	uint16_t mss;         /* announced, and the most that we send whatever the peer announces */
	uint16_t default_mss; /* for a peer that announces none: 536, or 1220 for IPv6 */
	uint8_t window_scale; /* our shift, 0 to 14: 2^shift is at most half of the buffer */
	bool use_mss;         /* put the option into our SYN */
	bool use_window_scale;
	bool use_timestamps;
	bool use_sack; /* to tell what has come; what the peer tells is not used */

	uint32_t rcv_buffer_bytes;
	uint32_t snd_buffer_bytes;
	uint32_t initial_cwnd_segments;

	/* Acknowledgements: at once for every nth full segment, otherwise after the delay. */
	uint32_t ack_every_segments; /* 1: all at once; 2: RFC 9293, section 3.8.6.3 */
	uint64_t delayed_ack_us;     /* 40,000 and the like; 0: at once */
	uint32_t quick_acks;         /* so many data segments at first are acknowledged at once */

	/* Retransmission: RFC 6298. */
	uint64_t rto_initial_us;
	uint64_t rto_min_us;
	uint64_t rto_max_us;
	uint64_t syn_timeout_us;  /* R2 of the SYN and the SYN-ACK */
	uint64_t user_timeout_us; /* R2 of data and FIN: since the peer last answered */

	uint64_t time_wait_us;  /* 2 MSL; 0: TIME-WAIT ends at once */
	uint64_t fin_wait_2_us; /* after tcp_close only, as data may come after tcp_shutdown */
	uint64_t keepalive_idle_us;
	uint64_t keepalive_interval_us;
	uint32_t keepalive_probes;

	/* The slow reader that the endpoint plays: see tcp_set_read_pace. */
	uint32_t read_chunk_bytes;
	uint64_t read_interval_us;

	uint32_t challenge_acks_per_second;     /* RFC 5961, section 7; 0: no limit */
	uint64_t out_of_window_ack_interval_us; /* between ACKs for bare segments out of window */
	bool silent_on_future_ack;    /* ESTABLISHED: an ACK beyond SND.NXT is not answered */
	bool take_without_timestamps; /* RFC 7323, section 3.2 drops a segment that lacks them */
	bool syn_ack_for_old_syn;     /* SYN-RECEIVED: the SYN again gets the SYN-ACK again */
	bool probe_without_data;      /* zero window: SND.UNA-1 and no data, not a new octet */
	bool may_shrink_window;       /* tcp_set_rcv_buffer may take back what was announced */
	bool reset_after_close;       /* data after or unread at tcp_close: RST (RFC 9293, 3.6.1) */
	bool reset_with_ack;          /* tcp_abort: RST,ACK instead of the bare RST of 3.10.5 */
	bool reuse_time_wait;         /* RFC 6191, RFC 9293, section 3.6.1 */
	bool time_wait_acks_old_syn;  /* RFC 6191 is silent to a SYN that may not reuse it */
	bool time_wait_ignores_reset; /* RFC 1337 */
};

/*
 * To the letter: timestamps, window scale 7, RTO of 1 s at least, every second segment or 200 ms.
 */
struct tcp_config tcp_config_rfc(void);
/* As above with what Linux does: RTO from 200 ms, 40 ms, silences and rates; TIME-WAIT of 60 s. */
struct tcp_config tcp_config_linux(void);

/* What one endpoint is made of. Copied, but for what config, calls and ctx point at. */
struct tcp_setup {
	struct tuple tuple; /* as we send it: src is our own end */
	const struct tcp_config *config;
	const struct tcp_calls *calls;
	void *ctx;
	uint32_t isn;
	uint32_t ts_base_ms; /* our timestamp at time 0; it counts milliseconds and wraps */
};

/* A port that is open. With a backlog it outlives its endpoints that are in SYN-RECEIVED. */
struct tcp_listener {
	const struct tcp_config *config; /* what setup->config is usually set to */
	uint32_t backlog;                /* half-open endpoints at most; 0: no limit */
	uint32_t half_open;              /* kept by this module if there is a backlog */
	bool reset_when_full;            /* instead of silence */
};

enum tcp_judgement {
	TCP_JUDGED_ACCEPT, /* call tcp_accept */
	TCP_JUDGED_RESET,  /* send what tcp_reset_for makes */
	TCP_JUDGED_DROP,
};

enum tcp_verdict {
	TCP_TAKEN,
	/*
	 * A SYN that may end this TIME-WAIT (RFC 6191). Nothing has changed yet. The world asks the
	 * listener; if that accepts, it takes tcp_reopen_isn, calls tcp_drop on this endpoint and
	 * tcp_accept with that ISN (or a later one).
	 */
	TCP_REOPEN,
};

/* The variables of RFC 9293, section 3.3.1, and counters, to look at. */
struct tcp_vars {
	uint32_t iss;
	uint32_t snd_una;
	uint32_t snd_nxt; /* the highest ever sent: it does not go back for a retransmission */
	uint32_t snd_wnd;
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t max_snd_wnd; /* MAX.SND.WND of RFC 5961 */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t rcv_wnd; /* as announced: RCV.NXT + RCV.WND is the edge that the peer knows */
	uint32_t snd_mss; /* octets of data in a full segment, options taken off */
	uint32_t cwnd;
	uint32_t ssthresh;
	uint32_t srtt_us; /* 0: not measured */
	uint32_t rto_us;  /* with back-off */
	uint32_t ts_recent;
	uint8_t snd_wind_shift;
	uint8_t rcv_wind_shift;
	bool has_window_scale; /* negotiated */
	bool has_timestamps;
	bool has_sack;
	bool is_fin_acked; /* the peer has acknowledged our FIN */

	uint64_t written_bytes; /* taken by tcp_write */
	uint64_t acked_bytes;   /* of these, acknowledged */
	uint64_t arrived_bytes; /* in order from the peer: acknowledged, or about to be */
	uint64_t read_bytes;    /* given to data */
	uint32_t packets_in;
	uint32_t packets_out;
	uint32_t timeouts;         /* RTO expiries, SYN and FIN included */
	uint32_t fast_retransmits; /* entries into fast recovery */
	uint32_t probes;           /* of a zero window */
	uint32_t unacceptable;     /* failed the sequence number check, PAWS included */
	uint32_t challenges;       /* challenge ACKs that were wanted, sent or over the limit */
	uint32_t bad_acks;         /* outside [SND.UNA - MAX.SND.WND, SND.NXT] */
	uint32_t conflicts;        /* segments that contradict octets held for the same numbers */
};

struct tcp;

/* Active open. NULL: no memory. */
struct tcp *tcp_connect(uint64_t now_us, const struct tcp_setup *setup);

/* What a listener does with a packet that has no endpoint (RFC 9293, section 3.10.7.2). */
enum tcp_judgement tcp_listener_judge(const struct tcp_listener *l, const struct tcp_packet *p);
/* Passive open by a SYN that tcp_listener_judge accepts; setup->tuple is the reverse of p's. */
struct tcp *tcp_accept(struct tcp_listener *l, uint64_t now_us, const struct tcp_packet *p,
		       const struct tcp_setup *setup);

/*
 * The answer of a host without a connection for p (RFC 9293, section 3.10.7.1).
 * False: none is due, for p is a reset itself.
 */
bool tcp_reset_for(const struct tcp_packet *p, struct tcp_packet *reply);

/* Gives everything back, says nothing to anyone. NULL is fine. */
void tcp_free(struct tcp *t);

/* The packet's tuple is the reverse of ours: that was the world's choice. */
enum tcp_verdict tcp_on_packet(struct tcp *t, uint64_t now_us, const struct tcp_packet *p);
/* Whatever is due at now_us; early calls do nothing. */
void tcp_on_time(struct tcp *t, uint64_t now_us);
/* When tcp_on_time is wanted; UINT64_MAX: not before something else happens. */
uint64_t tcp_next_us(const struct tcp *t);

/*
 * SEND: copies what fits into the send buffer and returns how much that was (0 after tcp_shutdown
 * or tcp_close). Taken before ESTABLISHED too. If less than len_bytes, TCP_EVENT_WRITABLE follows.
 */
size_t tcp_write(struct tcp *t, uint64_t now_us, const void *bytes, size_t len_bytes);
/* FIN behind what was written; still reads. */
void tcp_shutdown(struct tcp *t, uint64_t now_us);
/* CLOSE: FIN, and nobody reads any more: what is unread is lost (see reset_after_close). */
void tcp_close(struct tcp *t, uint64_t now_us);
/* ABORT (RFC 9293, section 3.10.5): RST where the state has one, then TCP_EVENT_CLOSED. */
void tcp_abort(struct tcp *t, uint64_t now_us);
/* The host forgets the connection without a packet (a crash, TIME-WAIT recycled). */
void tcp_drop(struct tcp *t, uint64_t now_us);

/* The reader: on (the default), or stopped, so that the window closes as octets arrive. */
void tcp_set_reading(struct tcp *t, uint64_t now_us, bool is_on);
/* So many bytes each interval, as long as it reads; an interval of 0: whatever comes, at once. */
void tcp_set_read_pace(struct tcp *t, uint64_t now_us, uint32_t chunk_bytes, uint64_t interval_us);
/* Gives at most max_bytes of what waits to data while the reader is stopped. Returns how much. */
size_t tcp_read(struct tcp *t, uint64_t now_us, size_t max_bytes);
/* A new receive buffer: bounds the window announced from now on (0: none). */
void tcp_set_rcv_buffer(struct tcp *t, uint64_t now_us, uint32_t bytes);

enum tcp_state tcp_state(const struct tcp *t);
const char *tcp_state_name(enum tcp_state state);
const char *tcp_event_name(enum tcp_event event);
/* Lives as long as t. */
const struct tcp_vars *tcp_vars(const struct tcp *t);
const struct tuple *tcp_tuple(const struct tcp *t);
/* In TIME-WAIT: an ISN above all that this incarnation has used (RFC 9293, section 3.6.1). */
uint32_t tcp_reopen_isn(const struct tcp *t);
/* Heap octets that the endpoint holds now, its struct included. */
size_t tcp_memory_bytes(const struct tcp *t);
#endif
