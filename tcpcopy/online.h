/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online.h - a client's connection to the online server, as captured: reassembly, turns, holes.
 * Shared by the sessions that copy it (a target each), so the payload is held once. It never
 * sends anything and believes nothing that it has not seen: no byte is invented, no stream is
 * joined across a gap. Pure.
 */
#ifndef TCPCOPY_ONLINE_H
#define TCPCOPY_ONLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/packet.h"
#include "tcpcopy/backlog.h"
#include "tcpcopy/segment_queue.h"
#include "tcpcopy/session.h"
#include "tcpcopy/turn.h"

enum {
	ONLINE_GAP_US = 3000000,    /* a hole older than this was never captured */
	ONLINE_LINGER_US = 1000000, /* an ended connection catches late packets */
	ONLINE_IDLE_US = 600000000, /* one that is not copied is forgotten after this silence */
	ONLINE_OPENING_MAX_S = 75,  /* a SYN that nothing followed: a flood, or lost interest */
	ONLINE_BOUNDARY_US = 5000,  /* a client silent for so long has begun something new, ... */
	ONLINE_CAPTURE_US = 3000,   /* ... if the capture holds no packet back for longer */
	ONLINE_STREAM_BOUNDARY_US =
		200000, /* one that speaks while answers are on their way: after so long */
	ONLINE_BOUNDARY_SMALL = 512, /* below any MSS: the client's write ended with this segment */
	ONLINE_WINDOW_MAX =
		16 << 20, /* farther ahead no client sends: such a number is not its own */
	ONLINE_INTERIM_BYTES =
		25, /* "HTTP/1.1 100 Continue" and two line ends: RFC 9110, section 15.2.1 */
	ONLINE_PREFACE_MAX =
		64, /* bytes of a request behind which TLS may begin without an answer: MySQL's, a proxy's */
	ONLINE_GREETING_MAX = 1 << 20,      /* response bytes before the client's first word */
	ONLINE_RESPONSE_JUMP_MAX = 1 << 30, /* an ACK may advance by one window at most */
};

enum online_state {
	ONLINE_OPENING, /* the client's SYN was captured, nothing in its sequence space since */
	ONLINE_OPEN,
	ONLINE_ENDED, /* FIN or RST: the stream is complete */
	ONLINE_LOST,  /* not followed (any more): new bytes are counted as dropped */
	ONLINE_STATES,
};

/* Whether the rate of new sessions (--rate) allows this one. Asked when its first session starts, once for all of them. */
enum online_admission {
	ONLINE_NOT_ASKED,
	ONLINE_ADMITTED,
	ONLINE_SHED,
};

/* A SYN on a tuple that is still in use: it counts once its sequence space is confirmed. */
struct online_syn {
	uint32_t isn;
	struct session_offer offer;
	uint8_t refusal; /* enum drop_cause: why it could not be copied; DROP_CAUSES: it can */
};

struct online {
	struct timer timer; /* first: the wheel hands out timers */
	struct tuple tuple; /* client -> online server */
	/* What the usual packet (online_usual.c) reads or writes: together, for it finds all of it cold. */
	struct session *sessions;
	uint64_t seen;          /* response bytes that the client has acknowledged, by ack_last */
	uint64_t seen_us;       /* when it first said so */
	uint64_t hole_since_us; /* 0: no hole */
	uint64_t last_seen_us;
	uint32_t isn;
	uint32_t ack_last;
	uint32_t
		known_seq; /* the highest sequence number that the client is known to have sent, plus one */
	uint8_t state;     /* enum online_state */
	uint8_t said;      /* bytes of its last request so far; UINT8_MAX: or more */
	uint8_t hello;     /* of these, the beginning of a ClientHello: tls_match_hello */
	bool is_confirmed; /* the client has said more than its SYN */
	bool has_far;      /* something beyond any window came, and nothing near since */
	bool has_far_ack;
	bool has_newest;
	bool is_streaming; /* it does not wait for its answers */
	bool ever_pushed;  /* otherwise PSH says nothing of this client's writes */
	bool has_ack;
	bool has_end; /* a FIN or RST that waits for the bytes before it */
	bool has_server_fin;
	bool has_reuse;
	uint8_t backlog_class; /* how much of the memory it holds: backlog.h */
	uint8_t admission;     /* enum online_admission */
	uint8_t end_kind;      /* enum turn_kind */
	bool began;            /* its SYN was captured */
	bool has_server_rst;
	bool was_cut;   /* the stream ended at a gap, not by the client */
	bool is_mapped; /* found by its tuple; false once a newer connection has that */
	struct segment_note
		newest; /* of the newest bytes that are known without a hole; if has_newest */
	struct turn_list turns;
	uint64_t need_max;   /* of its turns */
	uint32_t writes;     /* of the turn that is the last one, as far as they can be told */
	uint32_t writes_max; /* above 1 it may have had as many requests open at a time */
	struct segment_queue queue;
	/* What others do. */
	uint64_t timer_at_us;
	struct backlog_link backlog; /* its place in the list of backlog_class */
	uint32_t index;
	uint32_t end_seq; /* of the client's FIN or RST; if has_end */
	uint32_t server_fin_seq;
	uint32_t far_seq; /* where it ended; if has_far */
	uint32_t far_ack; /* an ACK beyond any window, not believed yet; if has_far_ack */
	uint32_t
		gap_seq; /* [gap_seq, gap_end_seq) was never captured, and nothing waits for it any more */
	uint32_t gap_end_seq;
	uint32_t rtt_us;         /* of its handshake, SYN-ACK to ACK; 0: not known */
	struct online_syn reuse; /* if has_reuse */
};

/* Bytes of memory that it holds for its stream. */
static inline size_t backlog_bytes(const struct online *o)
{
	return segment_queue_memory(&o->queue) + o->turns.count * sizeof(struct turn);
}

/* began: isn is that of its SYN; otherwise just before the first byte that was captured. */
void online_init(struct online *o, const struct tuple *tuple, uint32_t isn, bool began);
/* Gives back queue and turns; the sessions are the caller's. */
void online_fini(struct online *o, struct session_env *env);
/* Not followed from here on; sequence numbers are counted from seq. */
void online_lose(struct online *o, uint32_t seq);

/* Says what the client's SYN offered. */
void online_offer(struct session_offer *offer, const struct packet *p);

/* A segment of the client, not a SYN. */
enum packet_fate online_on_client(struct online *o, struct session_env *env,
				  const struct packet *p);
/*
 * Likewise, if it is what nearly every packet of a client is: the next in order of a connection without anything pending. Then it is
 * PACKET_FATE_USED. False: it is not, and nothing has changed.
 */
bool online_on_usual(struct online *o, struct session_env *env, const struct packet *p);
/* What came with a SYN, as a segment behind it: its sender may be forged, the connection stays half-open. */
void online_on_syn_payload(struct online *o, struct session_env *env, const struct packet *p);
/* A SYN, FIN or RST of the online server. */
enum packet_fate online_on_server(struct online *o, struct session_env *env,
				  const struct packet *p);
/* The hole's deadline and the like. True if the connection may be freed. */
bool online_on_timer(struct online *o, struct session_env *env);
/* The stream ends here, whatever comes: the sessions finish what is complete, then reset. */
void online_cut(struct online *o, struct session_env *env);
/*
 * Gives up, for cause, at least half of what it holds in memory: the sessions that lag behind most, or all of them, and what
 * lies beyond a hole. Each may go on with another connection at a later boundary.
 */
void online_shed(struct online *o, struct session_env *env, enum drop_cause cause);
/* Lets go of bytes and turns that no live session needs. */
void online_release(struct online *o, struct session_env *env);
/* The stream's bytes from off on are records of TLS. */
bool online_is_encrypted(const struct online *o, const struct session_env *env, uint64_t off);
/*
 * It holds nothing, nothing is pending, its sessions rest, and its client has been silent for env->park_after_us: it may be
 * parked.
 */
bool online_is_resting(const struct online *o, const struct session_env *env);
/* When something must be done if nobody speaks; UINT64_MAX: never. */
uint64_t online_deadline(const struct online *o, const struct session_env *env);
/* Sets the timer of one that was woken: it is looked at anew, as if its client had spoken now. */
void online_woken(struct online *o, struct session_env *env);
/* Sets the timer by what is pending. */
void online_arm(struct online *o, struct session_env *env);
static inline bool online_has_live_session(const struct online *o)
{
	for (const struct session *s = o->sessions; s; s = s->next_of_online)
		if (session_is_live(s))
			return true;
	return false;
}

/* One that is there only to say why what is captured is not copied, and may begin again. */
static inline bool online_has_ended_session(const struct online *o)
{
	for (const struct session *s = o->sessions; s; s = s->next_of_online)
		if (!session_is_live(s))
			return true;
	return false;
}

const char *online_state_name(enum online_state state);
#endif
