/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * response.h - the pure data path of intercept: captured frames in, records to peers out. Read this
 * first.
 *
 * Theory of operation
 *
 *	frame -> parse -> router: whose is this tuple? --> record, merged into the --> batch of the
 *	                    |                              session's latest if it may    peer
 *	                    +-- nobody's: a SYN-ACK or RST is held for 200 ms, the
 *	                        rest is counted and forgotten
 *	peer's bytes -> register, unregister --> router; a held answer is delivered
 *	response_flush: batch -> one message in the peer's output -> one write
 *
 * The target answers faked clients that do not exist. Its route for them ends at this host, which
 * swallows the answers: only their headers matter, and go to the tcpcopy that plays the client.
 *
 * Where addresses are translated between the target and here, the source is put back first
 * (translation.h), so that all that follows knows the target by the address that tcpcopy sends to.
 *
 * What may be merged (the session engine counts on it):
 * - Data segments that follow each other without a gap, with the same acknowledgement and window
 *   and without SYN, FIN or RST on the earlier one, become one record; a FIN may be its end.
 *   `segments` counts, flags are or-ed, timestamps are the last ones. Never across a changed
 *   acknowledgement: the gate of a turn asks what came after the ACK that covers it.
 * - Pure acknowledgements are never merged, because duplicates tell of a loss; but those that are the
 *   same to the last bit in one batch become one record whose `segments` is their number.
 * - Nothing else. Records of a peer keep the order of capture but for these merges.
 *
 * A host that forwards packets, a bridge or a bond shows a packet twice. A packet that is the last one of
 * its route again (seq, ack, flags, IP id), with a smaller TTL, or with the same TTL and an IP id that
 * is not 0, is a duplicate: counted, ignored.
 *
 * A router that drops one of our packets because it is too big for the next link says so to the faked client, thus to
 * this host. Such a message about a packet whose answers have a route is passed on (PATH_MTU); nothing of it is believed here.
 *
 * Moderation: a wake-up and a write cost many times what a packet costs. So when packets come
 * fast, response_gather_us() asks the shell to leave captures and links alone for a moment, as a network
 * card does with its interrupts. A peer that falls behind for want of records says so: then nothing is gathered
 * until it no longer does, and less from then on; while nobody is urgent it slowly becomes more. So who
 * does not wait for records gets them in few batches, who waits a little for them gets them a little sooner, and
 * a closed loop is held back for some milliseconds before it is served at once.
 *
 * No sockets, clock or files: time comes in as monotonic microseconds, effects go out through one
 * table. Every peer is bounded (peer.h, router.h) and none can stall another.
 *
 * Packets add up at any moment after response_flush:
 *	frames   = captured + too big + not TCP + fragments + malformed + unknown link
 *	captured = routed + unrouted + duplicates + dropped + held now
 */
#ifndef INTERCEPT_RESPONSE_H
#define INTERCEPT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "intercept/peer.h"
#include "intercept/router.h"
#include "intercept/translation.h"

enum {
	RESPONSE_PEERS_MAX = 64,
	RESPONSE_GOODBYES_MAX = 8, /* more connections, to be told that there are too many */
	RESPONSE_CONNECTIONS_MAX = RESPONSE_PEERS_MAX + RESPONSE_GOODBYES_MAX,
	RESPONSE_REGISTERED_TOLD = 16, /* the first registrations are told to the shell */

	RESPONSE_PACE_INTERVAL_US = 10 * 1000, /* over which the rate is measured, at least */
	RESPONSE_PACE_FAST_PER_S = 500,        /* above: gather */
	/* At first; a quarter less when a peer becomes urgent, a step more with every interval without. */
	RESPONSE_GATHER_MAX_US = 5000,
	RESPONSE_GATHER_MIN_US = 1000,
	RESPONSE_GATHER_STEP_US = 20,
};

enum response_notice {
	RESPONSE_NOTICE_UP,   /* a tcpcopy is connected */
	RESPONSE_NOTICE_GONE, /* text says why; still callable: peer_hello by response_hello */
	RESPONSE_NOTICE_ROUTES_FULL, /* a limit of the router: registrations are refused */
};

/* What the core may do to the world; all are called with ctx. */
struct response_effects {
	/*
	 * The peer has output. May call response_output and response_output_sent, nothing else; a
	 * failed write is left to the next read, which reports it.
	 */
	void (*wants_write)(void *ctx, unsigned peer);
	/*
	 * Write what the kernel takes of response_output, then close the connection. When this
	 * returns the number may be given to another; no response_on_peer_closed follows.
	 */
	void (*close)(void *ctx, unsigned peer);
	/* For the log. text is one sentence or "". */
	void (*notice)(void *ctx, enum response_notice notice, unsigned peer, const char *text);
	/* The first registrations, so that the shell may look whether this host is set up right. */
	void (*registered)(void *ctx, unsigned peer, const struct tuple *response);
};

struct response_config {
	struct hash_key key; /* random, one a process */
	uint64_t instance_id;
	struct router_limits limits;
	unsigned batch_records; /* in a message, at most; 0: the most there can be */
	const struct translation *translations; /* borrowed */
	size_t translation_count;
};

struct response_counters {
	uint64_t frames;
	uint64_t captured;       /* TCP packets */
	uint64_t too_big;        /* a router says that a TCP packet was, ... */
	uint64_t too_big_routed; /* ... of a session: its peer was told */
	uint64_t not_tcp;
	uint64_t fragments;
	uint64_t malformed;
	uint64_t unknown_link;
	uint64_t routed;    /* packets in records that were handed to a peer's output */
	uint64_t unrouted;  /* no session registered */
	uint64_t duplicate; /* forwarded or captured twice */
	uint64_t dropped;   /* packets whose record a slow or vanished peer lost */
	uint64_t kernel_dropped;
	uint64_t held; /* now */
	uint64_t held_delivered;
	uint64_t records;
	uint64_t records_dropped;
	uint64_t registered;
	uint64_t unregistered;
	uint64_t register_refused; /* the tuple belongs to another tcpcopy */
	uint64_t register_full;    /* a limit of the router */
	uint64_t gathers;
	uint64_t connections;
	uint64_t peer_faults[PEER_FAULTS]; /* ends of connections by cause */
	uint64_t peers_up;                 /* now */
	uint64_t peers_urgent;             /* now: they wait for records */
	uint64_t routes;                   /* now */
};

struct response;

/* Borrows effects and ctx. NULL with errno ENOMEM. */
struct response *response_new(const struct response_config *config,
			      const struct response_effects *effects, void *ctx, uint64_t now_us);
/* Frees all. Call response_shutdown first to say goodbye. */
void response_free(struct response *r);

/* One captured frame; link_type as in packet.h. Call response_flush after a batch of them. */
void response_on_frame(struct response *r, int link_type, const uint8_t *frame,
		       size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us);

/*
 * Somebody connected. His number, below RESPONSE_CONNECTIONS_MAX; or -1 if there are too many even
 * for a word (close it). The 65th peer and on are refused by name.
 */
int response_on_peer_connected(struct response *r, uint64_t now_us);
/* Bytes from a peer; may close it through the effects. Call response_flush afterwards. */
void response_on_peer_bytes(struct response *r, unsigned peer, const uint8_t *data,
			    size_t len_bytes, uint64_t now_us);
/* The peer closed, or its connection failed. The number is free when this returns. */
void response_on_peer_closed(struct response *r, unsigned peer);

/* What is to be written to a peer; borrowed until the next call. */
const uint8_t *response_output(const struct response *r, unsigned peer, size_t *len_bytes);
void response_output_sent(struct response *r, unsigned peer, size_t len_bytes);
/* What a peer's hello said; all zero before it. */
const struct wire_hello *response_hello(const struct response *r, unsigned peer);

/* Batches become output: at most one wants_write a peer. */
void response_flush(struct response *r, uint64_t now_us);
/* Heartbeats and time limits. Call response_flush afterwards. */
void response_on_time(struct response *r, uint64_t now_us);
/* When response_on_time wants to be called next, perhaps too early; UINT64_MAX without peers. */
uint64_t response_next_us(const struct response *r);
/*
 * For how long to leave captures and peers alone, whatever comes; 0: read on. Call after each wake-up's frames. Read peers
 * before captures then, so that answers find what was registered for them.
 */
uint64_t response_gather_us(struct response *r, uint64_t now_us);
/* What the kernel dropped since the start: peers are told with the heartbeat. */
void response_set_kernel_dropped(struct response *r, uint64_t packets);
/* Says goodbye to all peers and closes them. */
void response_shutdown(struct response *r, uint64_t now_us);

void response_get_counters(const struct response *r, struct response_counters *c);
/* Bytes held for peers and routes. */
size_t response_memory(const struct response *r);
#endif
