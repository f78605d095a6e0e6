/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a replay core between clients, an online server and targets that a fuzz target steers,
 * in virtual time, with oracles on. Every world_* call is an event; after each one holds
 *
 *	ledger    both sums; captured = frames given; active sessions = registered tuples
 *	memory    below the limit that was set
 *	time      timers come to an end: no loop without sleep, no wake-up storm
 *	segments  on a tuple that is registered and nobody else's, in one piece with what was said
 *	          before and the same again, payload as it was captured at that place of the
 *	          client's stream, FIN where the client's was, within the target's window,
 *	          acknowledging only what the target has sent
 *	gates     a session whose target has answered nothing says nothing that its client said
 *	          only after an answer
 *
 * and at the end a shutdown leaves nothing in flight. There is one world, begun again for each
 * input, so that its size costs nothing.
 *
 * The content of a stream is a function of client and sequence number; what of it was captured is
 * kept in pieces. A client may say two different things at one place (variant).
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "tcpcopy/replay.h"

enum {
	WORLD_FLOWS = 8,
	WORLD_ISNS_MAX = 6,
	WORLD_PIECES_MAX = 600,
	WORLD_SESSIONS_MAX = 64,
	WORLD_HEARD_MAX = 1024,
	WORLD_PAYLOAD_MAX = 60000,
	WORLD_VARIANTS = 2,
};

enum world_transfers {
	WORLD_ONE_TARGET,
	WORLD_TWO_PORTS,   /* two online servers, one target */
	WORLD_TWO_TARGETS, /* each connection has two sessions */
	WORLD_IPV6,
	WORLD_TRANSFERS,
};

struct world_config {
	enum world_transfers transfers;
	bool has_pool;
	bool own_addresses; /* -x without an address: the local ones */
	uint32_t max_sessions;
	uint64_t max_memory_bytes;
	uint64_t give_up_us;
	uint64_t keep_alive_us;
	bool whole_connections_only;
	uint64_t now_us;
};

/* How a frame is damaged on its way into the capture. */
enum world_damage {
	WORLD_SOUND, /* unfinished checksum, as offload leaves it */
	WORLD_SOUND_CHECKSUM,
	WORLD_WRONG_CHECKSUM,
	WORLD_CUT_PAYLOAD,
	WORLD_CUT_HEADER,
	WORLD_DAMAGES,
};

/* A packet of a client or an online server; numbers are absolute. */
struct world_packet {
	size_t flow;
	bool from_server;
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	uint32_t len_bytes;
	unsigned variant;
	unsigned options; /* which of world_options */
	enum world_damage damage;
	bool on_ethernet;
};

/* Client payload that the capture has seen. */
struct world_piece {
	uint32_t seq;
	uint32_t len_bytes;
	unsigned variant;
	bool had_seen_answers; /* or may have: then its turn has to wait for one */
};

struct world_flow {
	struct endpoint client;
	struct endpoint server;
	uint32_t isn; /* of the latest SYN */
	uint32_t server_isn;
	uint32_t next; /* sequence number: what the client says next */
	uint32_t seen; /* what the client acknowledges */
	uint32_t isns[WORLD_ISNS_MAX];
	size_t isn_count;
	struct world_piece pieces[WORLD_PIECES_MAX];
	size_t piece_count;
	uint32_t fins[WORLD_ISNS_MAX]; /* where a FIN stood */
	size_t fin_count;
	bool is_plain;    /* one connection, no odd numbers: the gate's oracle can follow */
	bool ends_oddly;  /* something was said behind a FIN: it may stand there, or behind that */
	uint32_t said_to; /* the highest end of what was captured; if piece_count */
	bool has_baseline;
	uint32_t baseline; /* the first acknowledgement: before any answer */
};

/*
 * A session as the world sees it: one registration. If it was made as a SYN was taken, its stream
 * begins behind that SYN (or that of an earlier one of the flow). A session that joins begins at
 * any packet of any flow: its place is looked for when it speaks.
 */
struct world_session {
	uint32_t id;
	struct tuple response; /* target -> faked client */
	size_t flow;
	uint32_t begins; /* the client's sequence number of our first byte; if is_placed */
	bool is_whole;   /* begun with its connection; flow is known from the start */
	bool is_placed;
	uint8_t *said; /* the stream so far */
	size_t said_len;
	size_t said_room;
	bool has_fin; /* behind said */
	bool is_registered;
	bool has_syn;
	bool is_accepted; /* a SYN-ACK of its SYN was reported */
	bool was_answered;
	bool offers_timestamps;
	uint8_t window_scale; /* the largest that the target named */
	uint32_t iss;
	uint32_t snd_max;
	uint32_t acked;
	uint64_t edge;        /* of the target's window, from iss on */
	uint64_t window_most; /* bytes */
	uint32_t window_seq;  /* the highest number of a record that told it */
	uint32_t irs;         /* the target's ISN */
	uint32_t first;       /* of what the target says behind its SYN, once that is accepted */
	uint32_t snd_nxt;     /* of the target */
	uint32_t heard[WORLD_HEARD_MAX]; /* ends of what the target has sent, and repeated */
	size_t heard_count;
	uint32_t stale[8]; /* where an older connection of the target stood */
	size_t stale_count;
};

struct world {
	struct replay *replay;
	struct world_config config;
	uint64_t now_us;
	size_t targets;
	struct world_flow flows[WORLD_FLOWS];
	struct world_session sessions[WORLD_SESSIONS_MAX];
	size_t session_count;
	size_t speaking; /* the flow whose packet is being taken; WORLD_FLOWS: none */
	const struct world_session *moving; /* the session that is given another tuple, or NULL */
	size_t counted;
	bool hold;      /* events do not end the batch */
	long emit_room; /* segments until the sender is full; -1: never */
	uint64_t frames;
	uint64_t captured_bytes;
	uint64_t segments;
	size_t heap_before;
	bool urgent;
	bool is_over; /* after the shutdown nothing may be said */
};

/* Begins anew; the former one was ended. */
struct world *world_begin(const struct world_config *config);
/* Shutdown, all timers, nothing left. */
void world_end(struct world *w);
/* Instead: no fault any more, but also no client and no target; all must end by itself. */
void world_run_out(struct world *w);

/* Sound packets of a flow keep its numbers: after them isn, next and seen have moved on. */
void world_capture(struct world *w, const struct world_packet *p);
/* A record of a target; numbers absolute. A session that is gone may be meant. */
void world_record(struct world *w, struct world_session *s, struct wire_record r);
/* One that no session has asked for. */
void world_stray_record(struct world *w, const struct wire_record *r);
/* Another tcpcopy has its tuple. */
void world_refuse(struct world *w, const struct world_session *s);
void world_links(struct world *w, unsigned up);
void world_pass(struct world *w, uint64_t us);
/* The shell was late: time jumps, then all timers at once. */
void world_jump(struct world *w, uint64_t us);
void world_register_again(struct world *w);
/* The core's allocations: so many succeed, then some fail. */
void world_lose_memory(struct world *w, unsigned after, unsigned count);
void world_end_batch(struct world *w);

/* The last-but-n registered session, or NULL; n wraps. */
struct world_session *world_session_at(struct world *w, unsigned n);
/* What is known to be in flight to the target, in sequence numbers. */
uint32_t world_in_flight(const struct world_session *s);

/* ---- Between the world's own files ---- */

/* world_frame.c: writes the frame, returns its length; *captured how much the capture has. */
size_t world_frame(uint8_t *frame, const struct world *w, const struct world_packet *p,
		   size_t *captured, int *link_type);

/* How many of these bytes are what the client says there. */
size_t world_match(const uint8_t *bytes, size_t len, size_t flow, uint32_t seq, unsigned variant);

/* world_check.c */
extern const struct replay_effects world_effects;
void world_check(struct world *w);
void world_heard(struct world_session *s, const struct wire_record *r);

/* world_memory.c: that many allocations of the core succeed, then count fail. */
void world_memory_fails(unsigned after, unsigned count);
/* Whether the core allocates from now on; returns what was before. */
bool world_memory_of_core(bool is_at_work);

/* world_trace.c */
bool world_is_traced(void);
void world_trace_packet(const struct world *w, const struct world_packet *p);
void world_trace_record(const struct world *w, const struct world_session *s,
			const struct wire_record *r);
void world_trace_segment(const struct world *w, const struct world_session *s,
			 const struct segment *seg);
void world_trace(const struct world *w, const char *what, uint64_t value);
#endif
