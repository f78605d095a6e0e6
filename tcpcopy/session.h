/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one faked connection: a TCP client (RFC 9293) whose application is a captured stream.
 *
 * Theory of operation
 *
 * Two sequence spaces never mix. What the online client said is a stream with 64-bit offsets,
 * held by `struct online` (online.h), which every session of that connection shares. What this session says to
 * the target lives in s->target, with RFC 9293's names; offset s->una_off of the stream is
 * sequence number snd_una there, and every other offset follows from that.
 *
 * Events come from three sides, and none of them sends anything: they change the state and mark
 * the session dirty. session_output, called once at the end of a batch, says all that is due, so
 * that an acknowledgement rides on the next request.
 *
 *	session_on_stream   the online side captured more: bytes, a turn, an end
 *	session_on_target   intercept reported what the target sent
 *	session_on_timer    one of the deadlines passed
 *
 * Gates. A turn may not be said before the target has answered what the client had waited for
 * (turn.h). gate_turn is the first turn not said yet; bytes before its start may be sent. Response
 * bytes count for it (`answered`) if they come with an acknowledgement of at least the first byte of the turn
 * before. It opens when the acknowledgement covers that whole turn and
 *	- answered >= need: the usual case, no timer involved; or
 *	- something was answered, the target is quiet for the settle time, and at least as
 *	  much time has passed since the turn before as online; or
 *	- the target has closed.
 * A turn that needs nothing opens at once. A client that has written again without waiting (online->writes_max) may have several
 * requests open: then bytes that the turn did not need still count for the next. docs/session-states.md has the examples.
 *
 * The assistant is a black hole: response bytes are never needed, so a gap in the captured
 * responses is acknowledged past. rcv_nxt is thus the highest the target is known to have sent.
 *
 * Joining. A session may begin in the middle of the stream: at the first turn, of those that a request certainly
 * begins with (turn.h), that is captured after it was lost or not said when its target ended it. It is JOINING until replay has found
 * it a tuple; the turns from there on stay in flight.
 *
 * Copies. With -n a connection has several sessions a target. Each hears of the client a constant
 * lag later than the first: of its SYN, and of every turn. That shifts what it is fed and is
 * over before most answers come, so it does not add up from turn to turn.
 *
 * Deadlines. A session has one timer in the wheel, set to the earliest deadline or before it:
 * moving a deadline later does not touch the wheel, the timer finds out when it fires.
 *
 * Who may include this: the files session*.c, online.c, replay.c and their tests.
 */
#ifndef TCPCOPY_SESSION_H
#define TCPCOPY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/slab.h"
#include "common/timer_wheel.h"
#include "common/wire.h"
#include "tcpcopy/backlog.h"
#include "tcpcopy/breaker.h"
#include "tcpcopy/effects.h"
#include "tcpcopy/habits.h"
#include "tcpcopy/ledger.h"
#include "tcpcopy/path_mtu.h"
#include "tcpcopy/turn.h"

struct online;

enum {
	SESSION_MSS_DEFAULT = 536,         /* RFC 9293, section 3.7.1: when the target names none */
	SESSION_MSS_DEFAULT_V6 = 1220,     /* likewise, over IPv6 */
	SESSION_MSS_MIN = 88,              /* a smaller offer is an attack on our packet rate */
	SESSION_INITIAL_WINDOW = 10,       /* segments; RFC 6928 */
	SESSION_DUPLICATE_ACKS = 3,        /* RFC 5681, section 3.2 */
	SESSION_RTO_INITIAL_US = 1000000,  /* RFC 6298, section 2 */
	SESSION_RTO_SYN_LOST_US = 3000000, /* section 5.7: nothing has been measured */
	SESSION_RTO_MIN_US = 200000,       /* below RFC 6298's second, as every kernel has it */
	SESSION_RTO_MAX_US = 60000000,
	SESSION_ACK_DELAY_US = 40000,
	SESSION_RTT_MAX_US = 900000, /* -R: a target repeats its SYN-ACK after a second */
	SESSION_SETTLE_PUSHED_US = 2000,
	SESSION_SETTLE_US = 20000,
	SESSION_PROBATION_US =
		20000, /* behind the first answer to a connection without its beginning */
	SESSION_END_MAX_US = 5000000, /* a target that is never silent holds the end no longer */
	SESSION_SETTLE_END_US =
		1000000, /* before a FIN: many servers drop what they still have to answer */
	SESSION_PACE_MAX_US = 30000000, /* settling waits at most this long for the online pace */
	SESSION_PATIENCE_MIN_US =
		3000000, /* a turn without an answer holds the next no longer, ... */
	SESSION_PATIENCE_MAX_US = 30000000, /* ... or, where the target has been slow, than this */
	SESSION_TIME_WAIT_US = 4000000,     /* long enough to acknowledge a repeated FIN again */
	SESSION_RECEIVE_WINDOW = 1 << 20,
	SESSION_UNHEARD_TIMEOUTS =
		4, /* of what follows the handshake, while nothing was ever acknowledged, ... */
	SESSION_UNHEARD_US = 3000000, /* ... and for so long: only SYNs reach the target */
	SESSION_SILENCE_US =
		100000, /* without an ACK of a target: then a timeout makes its way doubtful */
	SESSION_PROBE_HELD_US = 1000000,   /* how soon a SYN that the breaker held asks again */
	SESSION_REFUSED_US = 1000000,      /* a port that refused is asked again after this */
	SESSION_REFUSED_AGAIN_US = 100000, /* what may be an accident, after this, once */
	SESSION_UNANSWERED_TURNS = 2,      /* given up in a row: all that is queued goes, ... */
	SESSION_UNANSWERED_US = 60000000,  /* ... and nothing is tried for so long */
	SESSION_FUTILE_JOINS = 3,          /* in a row that delivered nothing: likewise */
	SESSION_REFUSED_JOINS = 3, /* in a row, where it may be an accident: left alone, likewise */
	SESSION_JOIN_STRIKES = 2,  /* a refusal; one without a byte of an answer counts for all */
	SESSION_YOUNG_US = 500000, /* what the target ends sooner may have been refused */
	SESSION_CHALLENGE_US = 100000, /* one challenge in so long: RFC 5961, section 7 */
	SESSION_ASK_US = 10000000,     /* an answer is awaited so long before the target is asked */
	SESSION_ASK_TWICE_US = 600000, /* Linux answers one in half a second */
	SESSION_ASK_AGAIN_US = 60000000, /* and, having said that it is there, again */
	SESSION_LATE_US =
		4000, /* what waits for the target no longer is on time: records may be gathered */
	SESSION_LATE_WAIT_US =
		100000, /* a target silent for so long is slow: gathered records are not why */
	SESSION_QUANTUM_BYTES = 65536, /* that one session says before others have their turn */
	SESSION_LAG_US = 1024, /* between two copies of one connection: a tick of the wheel, ... */
	SESSION_LAG_MAX_US = 51200, /* ... but all of them follow within this */
};

/* In place of a time: that of each client (-R auto). */
#define SESSION_RTT_AUTO UINT64_MAX

/* RFC 9293, section 3.3.2. A session is born in SYN_SENT: there is no passive open. */
enum session_state {
	SESSION_SYN_SENT,
	SESSION_ESTABLISHED,
	SESSION_FIN_WAIT_1, /* our FIN is out */
	SESSION_FIN_WAIT_2, /* and acknowledged */
	SESSION_CLOSE_WAIT, /* the target has closed, the client has not */
	SESSION_CLOSING,
	SESSION_LAST_ACK,
	SESSION_TIME_WAIT, /* detached from its online connection: acknowledges a repeated FIN */
	SESSION_CLOSED,    /* holds no tuple; stays with its connection to say why (closed_cause) */
	SESSION_JOINING, /* begins (again) with a handshake of its own at una_off, once it has a tuple */
	SESSION_STATES,
};

/* The sequence space towards the target: RFC 9293 section 3.3.1, 5681, 6298, 7323. */
struct session_target {
	uint32_t snd_una;
	uint32_t snd_nxt; /* next to send: pulled back to snd_una by a retransmission timeout */
	uint32_t snd_max; /* the highest ever sent, plus one: what an ACK may cover */
	uint32_t snd_wnd; /* scaled up, bytes */
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t max_window; /* the largest snd_wnd seen: bounds how old an ACK may be (RFC 5961) */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t rcv_acked; /* what our last ACK said */
	uint32_t
		answer_seq; /* response bytes before this have been counted, or are an earlier turn's */
	uint32_t turn_seq; /* rcv_nxt as the last turn was said */
	uint32_t cwnd;
	uint32_t ssthresh;
	uint32_t recover; /* RFC 6582 */
	uint32_t ts_recent;
	uint32_t srtt_us; /* 0: no sample yet */
	uint32_t rttvar_us;
	uint32_t rto_us;
	uint32_t timed_seq; /* the sequence number whose ACK ends the running RTT sample */
	uint16_t mss;       /* payload bytes a segment: session_path.c */
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
	uint8_t duplicate_acks;
	uint8_t doubt_count; /* how often in a row it has said so */
	uint8_t backoff;     /* consecutive timeouts */
	uint8_t unheard; /* timeouts since the target was last heard where it is believed to be */
	/* Seldom looked at. */
	uint32_t iss;
	uint32_t doubt_seq;  /* where the target says that it stands, against what is believed */
	uint32_t repeat_seq; /* if has_repeat: the lowest number that it has said again */
};

/* What the client's SYN offered: all that ours copies. */
struct session_offer {
	uint16_t mss; /* 0: none */
	uint8_t window_scale;
	bool has_window_scale : 1; /* in one byte: there are as many of these as sessions */
	bool has_sack_permitted : 1;
	bool has_timestamps : 1;
	uint8_t unused : 5; /* 0: resting connections are packed by their bytes */
};

/*
 * What a kept-alive request and its answer touch comes first, in as few cache lines as may be: who has waited for either finds
 * the session cold, and each line that is fetched costs as much as a hundred instructions.
 */
struct session {
	struct timer timer; /* first: the wheel hands out timers */
	struct session *next_of_online;
	struct session *next_dirty;
	struct online *online; /* NULL in TIME_WAIT */
	uint32_t id;
	uint32_t gate_turn;  /* slab index: first turn not said yet; SLAB_NONE: all are said */
	uint32_t acked_turn; /* first turn not wholly acknowledged; SLAB_NONE: all are */
	uint32_t requests_in_flight;
	uint64_t bytes_in_flight; /* captured for this session, not delivered: the ledger's view */
	uint64_t una_off;         /* stream offset of snd_una */
	uint64_t answered;        /* response bytes that count for gate_turn */
	uint64_t forgotten;       /* and that came too early to count */
	uint64_t deficit;         /* by which answers were too short when silence opened a gate */
	uint64_t answer_min_off;  /* they count if their ACK reaches this offset */
	uint64_t last_answer_us;
	uint64_t acked_us;     /* when the target last acknowledged something new */
	uint64_t turn_said_us; /* when the last turn was released */
	uint64_t timed_us;     /* start of the RTT sample; 0: none runs */
	uint64_t last_sent_us;
	uint64_t begun_us;    /* when this connection of ours did */
	uint64_t progress_us; /* since when nothing moved */
	/* Deadlines, 0: none. */
	uint64_t retransmit_at_us; /* SYN, data, FIN, or the probe of a zero window */
	uint64_t ack_at_us;
	uint64_t settle_at_us;
	uint64_t timer_at_us;  /* what the wheel knows */
	uint16_t copy;         /* which of -n, from 0 */
	uint8_t target_index;  /* which transfer */
	uint8_t state;         /* enum session_state */
	uint8_t turns_said;    /* on this connection, up to HABITS_TURNS */
	uint8_t brief_answers; /* in a row that were complete with their PSH */
	uint8_t unanswered;    /* turns given up after -t, in a row */
	uint8_t end_said; /* enum turn_kind: TURN_FIN or TURN_RST once released, otherwise TURN_DATA */
	bool is_dirty;
	bool is_late; /* waits for the target's answer or window, for long: wants records at once */
	bool has_tuple;     /* holds a mapping and a registration */
	bool may_take_back; /* its last request was delivered as far as it is known */
	bool overlaps; /* learned: the client does not wait for all answers before it speaks again */
	bool gate_is_free; /* joined: what the client had seen before its first turn was another's answer */
	bool ack_now;
	bool ask_due;        /* a question where the target stands: session_doubt.c */
	bool is_asking;      /* one has gone out and is not answered for good */
	bool has_repeat;     /* the target repeats what was acknowledged */
	bool retransmit_una; /* fast retransmit: one segment at snd_una is due */
	bool in_recovery;
	bool probe_due;       /* one byte into a zero window */
	bool said_again;      /* some of what is unacknowledged went out twice */
	bool may_be_answered; /* what came cannot be told from a repetition */
	bool answer_pushed;   /* the last answer carried PSH */
	bool went_on;         /* something came behind that */
	bool target_closed;   /* its FIN has come */
	bool may_have_closed; /* it may have come among what was never captured */
	bool is_joined;       /* this connection began in the middle of the stream */
	bool was_whole : 1;   /* one before it did not */
	bool uses_timestamps : 1;
	bool timed_full : 1;  /* the segment of the RTT sample is one of mss bytes */
	bool smaller_due : 1; /* the smaller one of the pair */
	uint16_t mss_agreed;  /* what the target's SYN-ACK allows, whatever the path does */
	uint16_t smaller_mss; /* of the pair that tests the path; 0: none is out */
	struct tuple tuple;   /* faked client -> target */
	struct session_target target;
	/* Seldom looked at: session_init asserts how much is before it. */
	struct session_offer offer;
	uint32_t index;         /* in the slab */
	uint8_t futile_joins;   /* in a row: nothing was acknowledged */
	uint8_t refused_joins;  /* in a row */
	uint8_t join_strikes;   /* ends in a row that looked like a refusal */
	uint8_t tuples_refused; /* in a row: others had them */
	uint8_t closed_cause;   /* enum drop_cause: what becomes of bytes captured after the end */
	bool was_started;
	bool syn_due;
	bool syn_was_refused; /* once, which may be an accident */
	bool rst_due;
	bool ended_young;       /* by the target */
	uint64_t challenged_us; /* when a challenge ACK or a question went out; 0: never */
	uint64_t start_off;     /* where in the stream this connection of ours began */
	uint64_t retry_at_us;   /* not joined before */
	uint64_t end_held_us;   /* since when the FIN waits for silence; 0: it does not */
	uint64_t refused_us; /* when the target did not take it without its beginning; 0: it does */
};

/* What sessions share: owned by replay. */
struct session_env {
	const struct replay_effects *effects;
	void *ctx;
	struct timer_wheel *wheel;        /* sessions' timers */
	struct timer_wheel *online_wheel; /* online connections' timers */
	struct segment_blocks *blocks;    /* payload */
	struct slab *turns;
	size_t backlog_max_bytes; /* of the stream, that a connection may hold */
	struct backlog backlog;   /* who holds most of it */
	struct ledger *ledger;
	struct breaker breakers[TRANSFERS_MAX]; /* one a target: a dead one must not stop another */
	struct habits habits[TRANSFERS_MAX];    /* likewise */
	struct path_mtu paths[TRANSFERS_MAX];
	struct hash_key isn_secret;
	uint32_t isn_base;      /* of this process: initial_sequence */
	uint64_t lag_step_us;   /* between a copy and the next */
	uint32_t ts_base;       /* our timestamp clock is milliseconds plus this */
	uint64_t give_up_us;    /* -t */
	uint64_t keep_alive_us; /* -k */
	uint64_t park_after_us; /* of silence; UINT64_MAX: never */
	uint64_t boundary_us;   /* so long silent, a client has begun something new */
	uint64_t rtt_us;        /* -R; 0: none; SESSION_RTT_AUTO: that of each client */
	uint16_t mss_bytes;     /* -D; 0: the client's */
	bool joins;             /* connections in their middle; not with -O */
	bool no_wait;           /* -W: all gates are open */
	bool waits_for_links;   /* -L: a SYN is not said before an intercept is connected */
	bool is_deaf;           /* no intercept is connected: silence tells nothing */
	uint64_t heard_us;      /* since when one is */
	uint64_t heard_by_us[TRANSFERS_MAX]; /* when each target last acknowledged something new */
	struct {
		uint64_t since_us; /* of the first timeout */
		uint32_t timeouts;
		bool is_over; /* it has acknowledged something behind a SYN, or was told of */
	} unheard
		[TRANSFERS_MAX]; /* targets that have answered SYNs and acknowledged nothing ever */
	uint64_t doubted_targets; /* replay_take_doubts */
	uint64_t now_us;
	struct session *dirty; /* list */
	struct session **dirty_tail;
	size_t late;         /* sessions with is_late */
	uint32_t said_bytes; /* of streams, since the owner set it to 0 */
	bool has_more;       /* session_output stopped at its quantum */
	int mtu_bytes[TRANSFERS_MAX];
	bool cuts[TRANSFERS_MAX]; /* emit takes several segments at once, and cuts them */
};

const char *session_state_name(enum session_state state);
/* The only place where a state changes: asserts that the step is legal. */
void session_set_state(struct session *s, enum session_state state);

/* Cleared, CLOSED for this cause: counts what its connection captures as dropped. */
void session_init(struct session *s, struct online *online, size_t target_index, unsigned copy,
		  enum drop_cause cause);
/*
 * Leaves CLOSED or JOINING for SYN_SENT on a tuple that the caller took and registered; from stream offset una_off on.
 */
void session_start(struct session *s, struct session_env *env, const struct tuple *tuple,
		   uint32_t id);
/* Begins again on another tuple, with a SYN after delay_us; only in SYN_SENT. */
void session_restart_on(struct session *s, struct session_env *env, const struct tuple *tuple,
			uint64_t delay_us);
/* In SYN_SENT: the SYN goes (again), back-off starting anew, after delay_us and this copy's lag. */
void session_retry_syn(struct session *s, struct session_env *env, uint64_t delay_us);
/*
 * Its answers may come again after an outage, in which the timers of both sides have backed off: what waits for the target is said again,
 * or the target asked, after delay_us.
 */
void session_hurry(struct session *s, struct session_env *env, uint64_t delay_us);
/*
 * Ends at once: what is in flight is dropped for cause, the target is sent a RST. The caller retires
 * the tuple once the session is closed and its RST is out.
 */
void session_abort(struct session *s, struct session_env *env, enum drop_cause cause);

/*
 * Its connection to the target is over, for cause. What can go on with another one, from a turn that was not said yet
 * on, or, if unheard, not acknowledged, becomes JOINING; the rest is dropped.
 */
void session_leave(struct session *s, struct session_env *env, enum drop_cause cause, bool unheard);
/*
 * A request begins at stream offset off, which holds nothing yet: a CLOSED session that may becomes
 * JOINING. whole: it is the beginning of the online connection.
 */
bool session_join(struct session *s, struct session_env *env, uint64_t off, bool whole);
bool session_may_join(const struct session *s, const struct session_env *env, bool whole);

/* Something of a CLOSED session is lost: because the target refuses to have it joined? */
void session_note_refused(struct session *s, struct session_env *env);
/* Says, once a target, that its clients speak TLS. */
void session_tell_encrypted(const struct session *s, struct session_env *env);

/* How far behind the first copy this one says whatever the client says. */
static inline uint64_t session_lag_us(const struct session *s, const struct session_env *env)
{
	return s->copy * env->lag_step_us;
}

static inline bool session_is_live(const struct session *s)
{
	return s->state != SESSION_CLOSED;
}

static inline void session_mark_dirty(struct session *s, struct session_env *env)
{
	if (s->is_dirty)
		return;
	s->is_dirty = true;
	s->next_dirty = NULL;
	*env->dirty_tail = s;
	env->dirty_tail = &s->next_dirty;
}

/* All is said and acknowledged, and nothing asks for an answer: session_output would only set the timer. */
static inline bool session_is_content(const struct session *s)
{
	return s->state == SESSION_ESTABLISHED && s->gate_turn == SLAB_NONE &&
	       s->acked_turn == SLAB_NONE && !s->ack_now && !s->ask_due && !s->retransmit_una &&
	       !s->smaller_due && !s->probe_due && !s->is_late && s->end_said == TURN_DATA;
}

/* The stream grew to a new end: turn is the turn it went to, fresh or extended. */
void session_on_stream(struct session *s, struct session_env *env, struct turn *turn, bool is_new);
/*
 * The stream grew by a turn that is a whole request so far, and the session is live: session_account_captured and session_on_stream at
 * once.
 */
void session_on_request(struct session *s, struct session_env *env, const struct turn *turn);
void session_on_target(struct session *s, struct session_env *env, const struct wire_record *r);
void session_on_timer(struct session *s, struct session_env *env);
/* A router says that a packet of this session was too big. */
void session_on_path_mtu(struct session *s, struct session_env *env, const struct wire_path_mtu *m);
/*
 * Says all that is due, but of the stream about a quantum: env->has_more says whether something is left, which the owner lets it say
 * behind the others. False if the sender is full: call again later.
 */
bool session_output(struct session *s, struct session_env *env);
/*
 * Nothing is due, in flight or waiting, and will not be by time alone: until somebody speaks it is numbers. quiet_us: nor has
 * either side said anything for so long.
 */
bool session_is_resting(const struct session *s, const struct session_env *env, uint64_t quiet_us);
/* Only resets the target's connection, in the name of a session that is forgotten. False if the sender is full. */
bool session_say_reset(struct session *s, struct session_env *env);

/* The ledger's account of this session (bytes of its online connection). */
void session_account_captured(struct session *s, struct session_env *env, uint64_t bytes,
			      uint64_t requests);
/* Bytes and requests that were captured for it but will not be delivered. */
void session_account_dropped(struct session *s, struct session_env *env, enum drop_cause cause,
			     uint64_t bytes, uint64_t requests);

/*
 * More of the request that was delivered last: it was none yet. cause: what its rest is dropped for; DROP_CAUSES: it is in flight
 * again.
 */
void session_take_back(struct session *s, struct session_env *env, enum drop_cause cause);

/* ---- Between the session's own files ---- */

/* gates, session_gate.c */
void session_gate_update(struct session *s, struct session_env *env);
/* r carries data; before it the target was known to have sent all up to rcv_nxt. */
void session_gate_on_answer(struct session *s, struct session_env *env, const struct wire_record *r,
			    uint32_t rcv_nxt);
/*
 * The target has said as much as the online client is known to have had, and ended it with a PSH: it does not
 * wait for our ACK, which may go with the next request. A guess; if it was wrong, the delayed ACK comes.
 */
bool session_gate_has_whole_answer(const struct session *s);
/* A turn waits for the rest of an answer: the target may wait for our ACK to send it. */
bool session_gate_is_partly_answered(const struct session *s, const struct session_env *env);
uint64_t session_send_limit(const struct session *s, const struct session_env *env);

/* loss and congestion, session_recovery.c (RFC 5681, 6298, 6582) */
void session_recovery_init(struct session *s);
void session_recovery_on_sent(struct session *s, struct session_env *env, uint32_t seq,
			      uint32_t len);
/* The handshake is over; the MSS is known. */
void session_recovery_on_syn_ack(struct session *s, struct session_env *env);
void session_recovery_on_ack(struct session *s, struct session_env *env, uint32_t acked_bytes);
void session_recovery_on_duplicate(struct session *s, struct session_env *env, unsigned count);
void session_recovery_on_timeout(struct session *s, struct session_env *env);

/* what the way to the target takes, session_path.c */
/* Sets mss to what is known; nothing is in flight. */
void session_path_follow(struct session *s, const struct session_env *env);
/* Behind session_recovery_on_timeout. */
void session_path_on_timeout(struct session *s, struct session_env *env);
/* Behind session_recovery_on_ack: snd_una has moved, and a pair is out. */
void session_path_on_ack(struct session *s, struct session_env *env, uint32_t acked_bytes);
/* A segment of mss bytes was acknowledged that was sent once. */
void session_path_on_carried(const struct session *s, struct session_env *env);

/* the simulated round trip, session_rtt.c */
/* Of this client; 0: none is simulated, or it is not known. */
uint64_t session_rtt_us(const struct session *s, const struct session_env *env);

static inline bool session_has_rtt(const struct session *s, const struct session_env *env)
{
	return env->rtt_us && session_rtt_us(s, env);
}

static inline bool session_ack_is_due_later(const struct session *s, const struct session_env *env)
{
	return s->ack_at_us && env->now_us < s->ack_at_us;
}

/* What the target has sent since our last ACK has not reached the client yet. */
static inline bool session_ack_is_far(const struct session *s, const struct session_env *env)
{
	return session_has_rtt(s, env) && session_ack_is_due_later(s, env);
}

/* Nor has its SYN-ACK: nothing can be said. */
static inline bool session_handshake_is_far(const struct session *s, const struct session_env *env)
{
	return session_ack_is_due_later(s, env) && s->target.rcv_acked == s->target.irs;
}

/* Something came: the ACK of it goes a round trip later. False: none is simulated. */
static inline bool session_ack_later(struct session *s, const struct session_env *env)
{
	if (!session_has_rtt(s, env))
		return false;
	if (!s->ack_at_us)
		s->ack_at_us = env->now_us + session_rtt_us(s, env);
	return true;
}

/* The SYN-ACK came: likewise, or at once. */
void session_ack_handshake(struct session *s, const struct session_env *env);
/* The client's round trip is known, as far as it ever will be. */
void session_on_rtt(struct session *s, struct session_env *env);

/* contradictions, session_doubt.c (RFC 5961) */
void session_challenge(struct session *s, const struct session_env *env);
void session_ask(struct session *s, const struct session_env *env);
void session_doubt_on_ack(struct session *s, struct session_env *env, const struct wire_record *r);
void session_doubt_on_repeat(struct session *s, const struct session_env *env, uint32_t seq);
void session_doubt_on_more(struct session *s, const struct session_env *env, uint32_t seq);
bool session_doubt_on_outdated(struct session *s, const struct session_env *env,
			       const struct wire_record *r);
void session_doubt_on_timeout(struct session *s, const struct session_env *env);
/* The next timeout asks. */
void session_doubt_hurry(struct session *s);
/* When a target that owes an answer, or its FIN, is asked whether it still has the connection; UINT64_MAX: never. */
uint64_t session_ask_at(const struct session *s);
static inline void session_doubt_end(struct session *s)
{
	s->is_asking = false;
	s->has_repeat = false;
	s->target.doubt_count = 0;
	s->target.unheard = 0;
}

/* lifecycle, session.c */
static inline void session_set_late(struct session *s, struct session_env *env, bool late)
{
	if (s->is_late == late)
		return;
	s->is_late = late;
	if (late)
		env->late++;
	else
		env->late--;
}

/*
 * Until when it may be late: as long as the target goes on. Of one that is silent for long the session waits for an answer, not for
 * its record, and everybody pays for urgency.
 */
uint64_t session_late_until(const struct session *s, const struct session_env *env);
void session_acknowledged(struct session *s, struct session_env *env, uint64_t una_off);
void session_close(struct session *s, struct session_env *env, enum drop_cause cause);
/* Says and hears no more on this connection; a RST may be due. */
void session_stop(struct session *s, struct session_env *env);
/* Sets the timer if the earliest deadline is before what it is set to. */
void session_arm(struct session *s, struct session_env *env);
/* Behind what mostly leaves nothing to say: it is asked in this batch if it has something, otherwise the timer is set. */
static inline void session_speak_or_arm(struct session *s, struct session_env *env)
{
	if (session_is_content(s))
		session_arm(s, env);
	else
		session_mark_dirty(s, env);
}

/* As the next one, in any state. */
bool session_state_awaits_target(const struct session *s);

/* Something waits for the target: nothing may have moved since before now. */
static inline bool session_is_awaiting_target(const struct session *s)
{
	if (s->state == SESSION_ESTABLISHED) /* as nearly all are */
		return s->gate_turn != SLAB_NONE || s->bytes_in_flight > 0;
	return session_state_awaits_target(s);
}

/* What a peer takes that names no MSS, by RFC 9293. */
uint16_t session_default_mss(const struct session *s);
/* The stream offset of a sequence number near snd_una; before the stream it is 0. */
static inline uint64_t session_off_of(const struct session *s, uint32_t seq)
{
	int64_t distance = (int32_t)(seq - s->target.snd_una);

	return distance < 0 && (uint64_t)-distance > s->una_off ? 0
								: s->una_off + (uint64_t)distance;
}

static inline uint32_t session_seq_of(const struct session *s, uint64_t off)
{
	return s->target.snd_una + (uint32_t)(off - s->una_off);
}
#endif
