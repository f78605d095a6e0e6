/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intercept_link.h - one link to one intercept, without its socket: when to connect, what was
 * agreed, which sessions intercept has been told of, what is to be written, what was read.
 *
 *	IDLE --time--> CONNECTING --on_connected--> HELLO --hello read--> UP
 *	  ^                |                          |                   |
 *	  +----------------+---- refused, closed, garbage, silent --------+
 *
 * Attempts back off from 0.1 s to 2 s; a peer that speaks something else is asked again every 5 s.
 * All addresses of a name are tried before a pause.
 *
 * Registrations are state, not messages: whoever comes UP is told of all live sessions again, by a
 * cursor that the owner moves on as the output drains (the resync). A registration that finds the
 * output full is left to the next resync, so the output is bounded and nothing is lost.
 *
 * Pure: time comes in as monotonic microseconds, effects go out through one table, bytes through
 * two buffers that the owner's socket reads and writes.
 */
#ifndef TCPCOPY_INTERCEPT_LINK_H
#define TCPCOPY_INTERCEPT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/wire.h"

enum {
	INTERCEPT_LINK_ADDRESSES_MAX = 8,
	INTERCEPT_LINK_NAME_MAX = 264,
	INTERCEPT_LINK_WHY_MAX = 320,
	INTERCEPT_LINK_OUTPUT_MAX = 4 * 1024 * 1024, /* bytes; the default */
	INTERCEPT_LINK_INPUT_MAX = 256 * 1024,
	INTERCEPT_LINK_BACKOFF_MIN_US = 100 * 1000,
	INTERCEPT_LINK_BACKOFF_MAX_US = 2 * 1000 * 1000,
	INTERCEPT_LINK_BACKOFF_SLOW_US = 5 * 1000 * 1000, /* after garbage or a refusal */
	INTERCEPT_LINK_CONNECT_US =
		2 * 1000 * 1000, /* the kernel's SYNs at 0 and 1 s; the next would be at 3 */
	INTERCEPT_LINK_HELLO_US = 5 * 1000 * 1000,
	INTERCEPT_LINK_HEARTBEAT_US = 1000 * 1000,
	INTERCEPT_LINK_SILENCE_US = 10 * 1000 * 1000,
};

enum intercept_link_state {
	INTERCEPT_LINK_IDLE,       /* waiting for the next attempt */
	INTERCEPT_LINK_CONNECTING, /* the owner's socket is on its way */
	INTERCEPT_LINK_HELLO,      /* connected, our hello is out */
	INTERCEPT_LINK_UP,         /* both hellos fit: sessions are registered here */
};

/*
 * What the link may do to the world. None may free the link; register, unregister and urgency may
 * be called from within records and refused.
 */
struct intercept_link_effects {
	/*
	 * Starts a non-blocking connect; intercept_link_on_connected or _on_closed follows, never
	 * from within. 0, or -1 with a text in *why if it failed at once.
	 */
	int (*connect)(void *ctx, const struct endpoint *to, const char **why);
	/*
	 * Closes the socket. What intercept_link_output still holds (a refusal) may be offered to
	 * the kernel once before. No on_closed follows.
	 */
	void (*close)(void *ctx);
	void (*record)(void *ctx, const struct wire_record *record, uint64_t now_us);
	/* A router says that a packet of this session was too big. */
	void (*path_mtu)(void *ctx, const struct wire_path_mtu *m, uint64_t now_us);
	/* intercept gave this session's tuple to another tcpcopy. */
	void (*refused)(void *ctx, uint32_t session_id, uint64_t now_us);
	/* The state has changed; why is text for the log, "" when all is well. */
	void (*link_state)(void *ctx, enum intercept_link_state state, const char *why,
			   uint64_t now_us);
};

struct intercept_link_config {
	const char *name; /* as the user wrote it; copied, as all of this */
	const struct endpoint *addresses;
	size_t address_count; /* 1 to INTERCEPT_LINK_ADDRESSES_MAX */
	uint64_t instance_id;
	uint8_t worker_id;
	uint8_t connection;      /* of several to the same intercept: which, from 0 */
	size_t output_max_bytes; /* 0: INTERCEPT_LINK_OUTPUT_MAX */
};

struct intercept_link_stats {
	uint64_t connects;      /* times UP */
	uint64_t failures;      /* attempts and connections that ended */
	uint64_t messages;      /* read */
	uint64_t records;       /* read */
	uint64_t registered;    /* messages written, resyncs included */
	uint64_t postponed;     /* registrations left to a resync because the output was full */
	uint64_t refused;       /* registrations that intercept refused */
	uint64_t bytes_read;    /* over all connections */
	uint64_t bytes_written; /* over all connections */
};

struct intercept_link;

/* Borrows effects and ctx. NULL with errno ENOMEM or EINVAL. The first attempt is due at once. */
struct intercept_link *intercept_link_new(const struct intercept_link_config *config,
					  const struct intercept_link_effects *effects, void *ctx,
					  uint64_t now_us);
/* Does not call close. */
void intercept_link_free(struct intercept_link *l);

/* The socket's news. text says why it closed, for the log. */
void intercept_link_on_connected(struct intercept_link *l, uint64_t now_us);
void intercept_link_on_closed(struct intercept_link *l, const char *text, uint64_t now_us);

/* Where to read to: at least WIRE_MESSAGE_MAX bytes while connected. */
uint8_t *intercept_link_input(struct intercept_link *l, size_t *room_bytes);
/* len_bytes have been read there: decodes all whole messages. */
void intercept_link_on_input(struct intercept_link *l, size_t len_bytes, uint64_t now_us);

/* What is to be written: borrowed until the next call. */
const uint8_t *intercept_link_output(const struct intercept_link *l, size_t *len_bytes);
void intercept_link_on_written(struct intercept_link *l, size_t len_bytes);

/* Attempts, heartbeats, time limits. */
void intercept_link_on_time(struct intercept_link *l, uint64_t now_us);
/* When intercept_link_on_time wants to be called next. */
uint64_t intercept_link_next_us(const struct intercept_link *l);

/* Of a live session. Nothing to do unless UP: the resync tells it later. */
void intercept_link_register(struct intercept_link *l, uint32_t session_id,
			     const struct tuple *response);
/* If even this finds no room, the connection is begun anew: intercept forgets all, then learns. */
void intercept_link_unregister(struct intercept_link *l, uint32_t session_id);
/* Remembered over connections; written when it has changed. */
void intercept_link_urgency(struct intercept_link *l, bool urgent);

/*
 * The resync. How many sessions may be registered now: 0 when none is wanted or while the output
 * is more than half full. The owner walks over its sessions from *cursor on, registers them, and
 * says done when it has seen all.
 */
size_t intercept_link_resync_room(const struct intercept_link *l);
uint32_t *intercept_link_resync_cursor(struct intercept_link *l);
void intercept_link_resync_done(struct intercept_link *l);
/* The owner wants a pass, too. Nothing to do unless UP: that begins with one. */
void intercept_link_ask_resync(struct intercept_link *l);

enum intercept_link_state intercept_link_state(const struct intercept_link *l);
const char *intercept_link_state_name(enum intercept_link_state state);
const char *intercept_link_name(const struct intercept_link *l);
/* The address of the present or last attempt. */
const struct endpoint *intercept_link_address(const struct intercept_link *l);
void intercept_link_get_stats(const struct intercept_link *l, struct intercept_link_stats *stats);
/* What intercept counted in the last 3 seconds or so. False until two heartbeats have come. */
/* Nothing has come from it for longer than two heartbeats, though it counts as UP. */
bool intercept_link_is_silent(const struct intercept_link *l, uint64_t now_us);
bool intercept_link_recent(const struct intercept_link *l, struct wire_heartbeat *delta);
/* Bytes of memory that it may hold at most. */
size_t intercept_link_memory(const struct intercept_link *l);
#endif
