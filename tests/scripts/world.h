/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a replay core in virtual time and all that it sees and does: captured connections in,
 * the segments of each session out, in queues. Checks what must hold at any moment; the first
 * thing that does not hold stands in `fault`.
 */
#ifndef TESTS_SCRIPTS_WORLD_H
#define TESTS_SCRIPTS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tcpcopy/replay.h"
#include "tests/scripts/parse.h"

enum {
	WORLD_STREAM_MAX = 1 << 25, /* bytes of a client's stream that are remembered */
};

/* A segment to the target. */
struct sent {
	struct sent *next;
	struct segment segment; /* its iov is not valid any more */
	uint64_t at_us;
	uint8_t payload[]; /* segment.payload_len_bytes */
};

/* A faked connection: a registration. */
struct faked {
	struct faked *next;
	struct tuple response; /* target -> faked client */
	uint32_t id;
	uint32_t iss;
	uint32_t irs;
	uint32_t una;      /* the highest acknowledgement that it was given */
	uint32_t max_sent; /* the highest number that it has used, plus one */
	uint32_t ts_first; /* the first timestamp that it sent */
	int64_t base;      /* its first byte is this number of the client's; 0: not known yet */
	size_t connection;
	size_t transfer;
	uint8_t state; /* enum session_state */
	bool has_syn;
	bool has_ts;
	bool is_registered;
	struct sent *first; /* not expected yet */
	struct sent **last;
};

struct connection {
	const struct connection_text *text;
	uint8_t *bytes; /* what was captured of the client's stream: the first word counts */
	uint8_t *is_known;
	size_t size;
};

struct world {
	struct replay *replay;
	struct replay_effects effects;
	const struct script *script;
	struct transfer transfers[SCRIPT_TRANSFERS_MAX];
	size_t transfer_count;
	uint64_t start_us;
	uint64_t now_us;
	struct connection connections[SCRIPT_CONNECTIONS_MAX + 1]; /* the last: those of floods */
	size_t speaking;      /* whose packet is being handled: registrations are its, ... */
	int64_t base;         /* ... and begin with this number of the client's; 0: not known */
	struct faked *fakeds; /* newest first */
	long room;            /* segments until emit says full; -1: never full */
	bool is_holding;      /* in a batch */
	uint64_t frames;
	unsigned notices[REPLAY_NOTICES]; /* told and not asked about yet, by kind */
	bool is_urgent;
	FILE *trace; /* packets as tcpdump prints them; NULL: none */
	char fault[SCRIPT_TEXT_MAX];
};

/* NULL without memory or with a configuration that makes no sense (then error says so). */
struct world *world_new(const struct script *script, uint64_t start_us, FILE *trace,
			char error[SCRIPT_TEXT_MAX]);
/* Shuts down, checks that nothing is left open, and writes the fault (SCRIPT_TEXT_MAX bytes). */
void world_free(struct world *w, char *fault);

/* Events. */
void world_online(struct world *w, const struct step *step);
/* The same packet of many clients, each with an address of its own. */
void world_flood(struct world *w, const struct step *step);
void world_frame(struct world *w, const uint8_t *frame, size_t len_bytes);
void world_target(struct world *w, struct faked *f, const struct packet_text *p);
void world_refuse(struct world *w, const struct faked *f);
/* A router says that the packet of len bytes whose first byte of the session's stream is seq was too big. */
void world_too_big(struct world *w, const struct faked *f, int64_t seq, uint32_t mtu, uint32_t len);
void world_link(struct world *w, unsigned up);
void world_room(struct world *w, long room);
void world_hold(struct world *w, bool hold);
void world_shutdown(struct world *w);
/* Time runs to until_us, or until something lies in the queue of f (NULL: in any). */
void world_pass(struct world *w, uint64_t until_us, const struct faked *f);

/* The session of a connection to a target, ago before the newest one, or NULL. */
struct faked *world_faked(struct world *w, const struct step *step);
/* The earliest segment that nobody has expected, and whose it is; NULL: none. */
const struct sent *world_unexpected(const struct world *w, struct faked **whose);
/* Takes the first segment out of its queue; the caller frees it. NULL: none. */
struct sent *world_take(struct faked *f);
/* Empties all queues; returns how many segments there were. */
size_t world_forget(struct world *w);
size_t world_registered(const struct world *w);
#endif
