/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.h - the account of everything captured. Two sums that must add up at any moment:
 *
 *	packets   captured = used + duplicate + corrupt + malformed + fragment + not ours
 *	          (what the kernel dropped before capture is reported beside it)
 *	stream    per target: captured = delivered + in flight + dropped, by cause
 *	          in bytes and in requests (turns: what a client says between two answers)
 *
 * With copies (-n) a request counts as captured once for each copy of its connection, as it does
 * once for each target. What became of each copy is kept beside that, without the causes; the
 * copies of a target add up to its stream.
 *
 * "Delivered" means acknowledged by the target's TCP. Pure.
 */
#ifndef TCPCOPY_LEDGER_H
#define TCPCOPY_LEDGER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcpcopy/transfer.h"

enum packet_fate {
	PACKET_FATE_USED,
	PACKET_FATE_DUPLICATE, /* nothing new: a retransmission, or captured twice */
	PACKET_FATE_CORRUPT,   /* wrong checksum */
	PACKET_FATE_MALFORMED,
	PACKET_FATE_FRAGMENT, /* of an IP packet: what it carries cannot be copied */
	PACKET_FATE_NOT_OURS, /* matches no -x */
	PACKET_FATES,
};

/* Why captured stream bytes did not reach the target. */
enum drop_cause {
	DROP_BEFORE_JOIN,  /* the connection is older than tcpcopy */
	DROP_NO_INTERCEPT, /* no link to intercept when the connection began */
	DROP_PAUSED,       /* the circuit breaker was open when the connection began */
	DROP_CAPTURE_GAP,  /* packets that were never captured, and what followed them */
	DROP_SAMPLED_OUT,
	DROP_RATE,           /* more new sessions a second than wanted */
	DROP_LIMIT,          /* sessions, half-open sessions or memory at their limit */
	DROP_BACKLOG,        /* this session had queued too much */
	DROP_NO_TUPLE,       /* -c exhausted */
	DROP_NO_ADDRESS,     /* without -c: of another family than the target's, or on loopback */
	DROP_NOT_REPLAYABLE, /* Multipath TCP */
	DROP_FAKED_CLIENT,   /* its address is one of -c: another copy's, or a loop */
	DROP_ENCRYPTED,      /* TLS */
	DROP_JOIN_REFUSED,   /* the target does not take it without its beginning */
	DROP_TARGET_REFUSED, /* RST in answer to our SYN */
	DROP_TARGET_RESET,   /* RST later */
	DROP_TARGET_CLOSED,  /* the target ended the connection before it had all */
	DROP_TIMED_OUT,      /* unanswered for -t */
	DROP_CLIENT_RESET,   /* the client gave up before the target had all */
	DROP_SHUTDOWN,
	DROP_CAUSES,
};

struct ledger_packets {
	uint64_t captured;
	uint64_t fate[PACKET_FATES];
};

struct ledger_amount {
	uint64_t bytes;
	uint64_t requests;
};

struct ledger_stream {
	struct ledger_amount captured;
	struct ledger_amount delivered;
	struct ledger_amount in_flight; /* captured, neither delivered nor dropped yet */
	struct ledger_amount dropped[DROP_CAUSES];
};

/* What became of one copy of each connection, at one target. */
struct ledger_copy {
	struct ledger_amount captured;
	struct ledger_amount delivered;
	struct ledger_amount dropped; /* for whatever cause */
};

/* What a session did, a target. */
struct ledger_sessions {
	uint64_t started;
	uint64_t established;
	uint64_t active;                   /* now */
	uint64_t not_started[DROP_CAUSES]; /* connections seen that got no session */
	uint64_t ended_by_client;
	uint64_t ended_by_target;
	uint64_t ended_by_us; /* timed out, gap, shed, shutdown */
	uint64_t joined;      /* in the middle of a connection */
	uint64_t rejoined;
	uint64_t joins_refused;    /* of both: ended by the target for want of a beginning */
	uint64_t ended_unanswered; /* by the target, which had not said a byte */
};

struct ledger_traffic {
	uint64_t syn_sent; /* first transmissions */
	uint64_t segments_sent;
	uint64_t payload_segments_sent;
	uint64_t bytes_sent;    /* payload, retransmissions included */
	uint64_t retransmitted; /* segments */
	uint64_t retransmit_timeouts;
	uint64_t fast_retransmits;
	uint64_t zero_window_probes;
	uint64_t records;           /* from intercept */
	uint64_t response_segments; /* of the target, in these records */
	uint64_t response_payload_segments;
	uint64_t records_ignored; /* no such session, outside the window */
	uint64_t corrections;     /* rcv_nxt went back: a record had been false (session_doubt.c) */
	uint64_t gates_by_answer; /* turns released because the answer came */
	uint64_t gates_by_settle; /* because an answer of another length had ended */
	uint64_t gates_by_close;
	uint64_t
		too_big; /* a router said that a packet was, and the path's MTU was learned from it */
	uint64_t too_big_ignored; /* likewise, of no use: not in flight, or no news */
	uint64_t
		path_tests; /* a segment went again with a smaller one beside it, to see which arrives */
	uint64_t black_holes; /* thus learned that larger packets do not */
	uint64_t emit_full;   /* the sender asked to wait */
	uint64_t register_refused;
};

struct ledger_target {
	struct ledger_stream stream;
	struct ledger_sessions sessions;
	struct ledger_traffic traffic;
};

struct ledger {
	struct ledger_packets packets;
	size_t target_count;
	struct ledger_target targets[TRANSFERS_MAX];
	size_t copy_count;          /* a target */
	struct ledger_copy *copies; /* a row of copy_count a target; NULL if there is but one */
};

/* 0, or -1 with errno ENOMEM. copies is at least 1. */
int ledger_init(struct ledger *l, size_t target_count, size_t copies);
/* All counters are zero again. */
void ledger_clear(struct ledger *l);
/* Also of one that is all zero. */
void ledger_fini(struct ledger *l);

/* A packet has been captured, and this became of it: exactly one call a packet. */
static inline void ledger_packet(struct ledger *l, enum packet_fate fate)
{
	l->packets.captured++;
	l->packets.fate[fate]++;
}

static inline void ledger_amount_add(struct ledger_amount *a, uint64_t bytes, uint64_t requests)
{
	a->bytes += bytes;
	a->requests += requests;
}

static inline void ledger_amount_take(struct ledger_amount *a, uint64_t bytes, uint64_t requests)
{
	assert(a->bytes >= bytes && a->requests >= requests);
	a->bytes -= bytes;
	a->requests -= requests;
}

/* NULL if there is but one. */
static inline struct ledger_copy *ledger_find_copy(const struct ledger *l, size_t target,
						   size_t copy)
{
	assert(target < l->target_count && copy < l->copy_count);
	return l->copies ? &l->copies[target * l->copy_count + copy] : NULL;
}

/* Stream bytes enter, ... */
static inline void ledger_captured(struct ledger *l, size_t target, size_t copy, uint64_t bytes,
				   uint64_t requests)
{
	struct ledger_stream *s = &l->targets[target].stream;
	struct ledger_copy *c = ledger_find_copy(l, target, copy);

	ledger_amount_add(&s->captured, bytes, requests);
	ledger_amount_add(&s->in_flight, bytes, requests);
	if (c)
		ledger_amount_add(&c->captured, bytes, requests);
}

/* ... and leave in one of two ways. Never more than is in flight (asserted). */
static inline void ledger_delivered(struct ledger *l, size_t target, size_t copy, uint64_t bytes,
				    uint64_t requests)
{
	struct ledger_stream *s = &l->targets[target].stream;
	struct ledger_copy *c = ledger_find_copy(l, target, copy);

	ledger_amount_take(&s->in_flight, bytes, requests);
	ledger_amount_add(&s->delivered, bytes, requests);
	if (c)
		ledger_amount_add(&c->delivered, bytes, requests);
}

/* Requests that were delivered as far as they were known, and go on: in flight again. */
void ledger_taken_back(struct ledger *l, size_t target, size_t copy, uint64_t requests);
void ledger_dropped(struct ledger *l, size_t target, size_t copy, enum drop_cause cause,
		    uint64_t bytes, uint64_t requests);

/* The account of one copy. */
struct ledger_copy ledger_copy_of(const struct ledger *l, size_t target, size_t copy);

/* The two sums. False is a bug. */
bool ledger_packets_add_up(const struct ledger *l);
bool ledger_stream_adds_up(const struct ledger_stream *s);
/* The copies of a target make up its stream. Likewise. */
bool ledger_copies_add_up(const struct ledger *l, size_t target);
/* Bytes on the heap. */
size_t ledger_memory(const struct ledger *l);

/* What another worker counted, of the same targets and as many copies. */
void ledger_add(struct ledger *to, const struct ledger *from);

/* All targets together. */
void ledger_total(const struct ledger *l, struct ledger_target *total);

/* "before-join", "capture-gap", ...: for logs and JSON keys (with underscores there). */
const char *drop_cause_name(enum drop_cause cause);
/* One sentence for people: what it means and what to do. */
const char *drop_cause_text(enum drop_cause cause);
const char *packet_fate_name(enum packet_fate fate);
#endif
