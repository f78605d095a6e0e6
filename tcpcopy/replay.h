/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h - the pure data path of tcpcopy: captured frames and intercept's records in, segments
 * out. It owns the tables, the mapping, the timers and the ledger of one worker, and has no idea of
 * sockets, clocks or files: time comes in as monotonic microseconds, effects go out through one
 * table. Production and tests link the same object.
 *
 *	frame  -> parse -> match -x -> online connection -> sessions   \
 *	record -> session by id                                         > dirty list
 *	timer  -> session, online connection                           /
 *	replay_end_batch: every dirty session says what it has to send
 *
 * So that acknowledgements and data share packets, nothing is sent before replay_end_batch.
 */
#ifndef TCPCOPY_REPLAY_H
#define TCPCOPY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/wire.h"
#include "tcpcopy/effects.h"
#include "tcpcopy/ledger.h"
#include "tcpcopy/online_share.h"
#include "tcpcopy/transfer.h"

enum {
	REPLAY_FIRST_PORT = 1024, /* of faked clients */
	REPLAY_LAST_PORT = 65535,
	REPLAY_PARK_AFTER_US = 2000000,
};

struct replay_config {
	const struct transfer *transfers; /* copied */
	size_t transfer_count;
	const struct addr_range *client_pool; /* -c; copied */
	size_t client_pool_count;
	struct hash_key key;          /* random, one a process */
	struct hash_key isn_secret;   /* RFC 6528: survives a restart, so that ISNs keep rising */
	unsigned copies;              /* -n: of every connection, at each target; 1 to COPIES_MAX */
	unsigned port_shift;          /* -f: below MAPPING_SHIFTS */
	struct ip_addr localhost_ip4; /* -H: instead of a loopback client's; unspecified: none */
	struct ip_addr localhost_ip6;
	/*
	 * Added to every ISN. Two tcpcopies on one host share the secret: by this theirs are more
	 * than a window apart. So a SYN on a tuple that is the other's (the refusal comes later) is
	 * outside of the window of the other's half-open connection, which it would end otherwise.
	 */
	uint32_t isn_base;
	uint64_t give_up_us; /* -t: how long a session waits for the target */
	uint64_t
		park_after_us; /* of silence, a connection is packed; 0: REPLAY_PARK_AFTER_US; UINT64_MAX: never */
	uint64_t keep_alive_us; /* -k: how long an idle connection is held open at the target */
	uint64_t rtt_us;        /* -R: simulated round trip, below SESSION_RTT_MAX_US; 0: none */
	bool rtt_auto;          /* -R auto: that of each client */
	uint16_t mss_bytes;     /* -D: offered at most; 0: the client's */
	bool whole_connections_only; /* -O: none is joined in its middle */
	uint32_t sample_ppm;         /* -r, up to 1,000,000; 0: all connections */
	bool sample_by_client;       /* --sample-by client */
	uint64_t gradual_us;    /* -g: how long the sample grows from 1 % to that; 0: it does not */
	uint32_t rate_per_s;    /* --rate: new sessions a second; 0: no limit */
	bool no_wait;           /* -W */
	bool without_intercept; /* -L */
	uint64_t max_memory_bytes; /* -m: payload and sessions */
	uint32_t max_sessions;
	uint16_t first_port; /* of faked clients: this worker's slice; 0: all of them */
	uint16_t last_port;
	struct online_share share; /* of the connections: other workers have the rest */
	bool check_checksums;      /* drop corrupt packets (those not above the MTU) */
	uint64_t
		capture_latency_us; /* the capture may hold a packet back for so long; 0: not known */
	int online_mtu_bytes; /* packets above are super-packets whose checksum tells nothing */
};

struct replay;

/* NULL with errno ENOMEM. Borrows effects and ctx. */
struct replay *replay_new(const struct replay_config *config, const struct replay_effects *effects,
			  void *ctx, uint64_t now_us);
/* Frees all. Call replay_shutdown first to leave the target clean. */
void replay_free(struct replay *r);

/* This host's own addresses, which a transfer without a source address matches; copied. */
int replay_set_local_addresses(struct replay *r, const struct ip_addr *addresses, size_t count);
/* The MTU towards a transfer's target (default 1500): bounds what a segment carries. */
void replay_set_mtu(struct replay *r, size_t target, int mtu_bytes);
/* Whether emit takes several segments to this target in one descriptor, to be cut by gso_size_bytes. */
void replay_set_cutting(struct replay *r, size_t target, bool cuts);
/* Likewise online_mtu_bytes, when the devices that are captured on have changed. */
void replay_set_online_mtu(struct replay *r, int mtu_bytes);

/* One captured frame; link_type as in packet.h. */
void replay_on_frame(struct replay *r, int link_type, const uint8_t *frame,
		     size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us);
/* One record from any intercept. */
void replay_on_record(struct replay *r, const struct wire_record *record, uint64_t now_us);
/* A router says that a packet of a session was too big; from any intercept. */
void replay_on_path_mtu(struct replay *r, const struct wire_path_mtu *m, uint64_t now_us);
/* An intercept refused the registration: the session takes another tuple. */
void replay_on_register_refused(struct replay *r, uint32_t session_id, uint64_t now_us);
/*
 * How many intercepts are connected; none before the first call. With none, connections that begin get no session, or, with
 * without_intercept, one that says its SYN when one is; live sessions wait, and speak again soon after one has come back.
 */
void replay_on_links(struct replay *r, unsigned up, uint64_t now_us);
/*
 * Calls fn for live sessions from *cursor on (start with 0), at most max; for registering them again at an
 * intercept that came back. Returns false when all have been visited.
 */
bool replay_each_session(struct replay *r, uint32_t *cursor, size_t max,
			 void (*fn)(void *ctx, uint32_t session_id, const struct tuple *response),
			 void *ctx);
/* Runs the timers that are due. */
void replay_on_time(struct replay *r, uint64_t now_us);
/* Sends what is due; call after every batch of the above. */
void replay_end_batch(struct replay *r, uint64_t now_us);
/* When replay_on_time wants to be called next; UINT64_MAX for never. */
uint64_t replay_next_us(const struct replay *r);
/* The target has acknowledged nothing since the first of the SYNs that are unanswered now. */
bool replay_is_silent(const struct replay *r, size_t target);
/* True if sessions wait for the sender (emit said full): call replay_end_batch again soon. */
bool replay_is_blocked(const struct replay *r);
/*
 * Targets that have acknowledged nothing lately, though what was said to them has been repeated: the way
 * to them may have changed. Bit i is transfer i; each is told once a doubt.
 */
uint64_t replay_take_doubts(struct replay *r);
/* Resets every open session at the target (emits RSTs) and accounts what was in flight. */
void replay_shutdown(struct replay *r, uint64_t now_us);

const struct ledger *replay_ledger(const struct replay *r);
/* Bytes held for sessions, connections and payload. */
size_t replay_memory(const struct replay *r);
/* The largest packets, in bytes, that are sent to this target now. */
int replay_path_mtu(const struct replay *r, size_t target);
/* Whether the circuit breaker of any target is open. */
bool replay_is_paused(const struct replay *r);
/* The share of new connections that is copied now, in parts of a million. */
uint32_t replay_sample_ppm(const struct replay *r);
/* Connections followed, whether copied or not; but for those that are left out by choice. */
size_t replay_connections(const struct replay *r);
#endif
