/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.h - tcpcopy's host: what tcpcopy/worker.c is to the kernel, this is to the simulated world. It
 * captures in blocks, feeds replay and the near end of the link, and ends each turn of the loop as the
 * worker does: links, timers, replay_end_batch, resync, links' output.
 */
#ifndef TESTS_SIM_COPY_H
#define TESTS_SIM_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "tcpcopy/intercept_link.h"
#include "tcpcopy/replay.h"
#include "tests/sim/faked.h"
#include "tests/sim/net.h"
#include "tests/sim/settings.h"

struct link_connection;

enum {
	COPY_MERGED_MAX = 60000, /* payload of a super-packet */
};

/* A packet in the capture. */
struct captured {
	struct flight *flight; /* held */
	uint32_t number;       /* in its flow */
	bool is_corrupt;
	bool is_truncated;
};

struct copy {
	struct replay *replay;
	bool is_down;       /* between a crash and the next start, for which replay is ready */
	bool has_restarted; /* so its account is not that of the whole world */
	struct intercept_link *link;
	struct link_connection *connection; /* of the link, or NULL */
	struct transfer transfers[SIM_TRANSFERS];
	struct fakes fakes;
	struct captured *ring;
	size_t ring_count, ring_room;
	bool ring_is_due;
	uint64_t turn_us;  /* of the pending EVENT_TURN; UINT64_MAX: none */
	uint64_t timer_us; /* of the pending EVENT_COPY_TIME */
	uint64_t skew_us;  /* its clock is ahead of the world's */
	uint64_t frames;   /* given to replay */
	uint64_t needed;   /* packets of which a request depends: clients' SYNs and data */
	uint64_t missed;   /* of these, by the capture */
	uint32_t emits;
	uint32_t spins; /* turns in a row after which replay asked for another one at once */
	unsigned links_told;
	bool is_stopping;
	struct conversation *current; /* whom what replay is looking at concerns; or NULL */
	bool at_beginning; /* and it is a frame with the SYN or the stream's first byte */
	uint8_t *buffer;   /* a frame */
	uint8_t *merged;   /* payload of a super-packet */
};

void copy_init(struct world *w);
void copy_fini(struct world *w);

/* A packet of the client passes the online server's host. */
void copy_capture_flight(struct world *w, struct flight *f);
/* One of the server does: SYN, FIN or RST. */
void copy_capture(struct world *w, struct conversation *c, const struct tcp_packet *p);
/* EVENT_RING, EVENT_LATE, EVENT_TURN, EVENT_COPY_TIME */
void copy_drain(struct world *w);
void copy_late(struct world *w, struct captured *late);
void copy_turn(struct world *w);
void copy_time(struct world *w);

/* The link's news. */
void copy_link_connected(struct world *w);
void copy_link_closed(struct world *w, const char *why);
void copy_link_bytes(struct world *w, const uint8_t *bytes, size_t len_bytes);
void copy_link_writable(struct world *w);

/* A crash: nobody is told. Afterwards everything begins anew. */
void copy_stop(struct world *w);
void copy_start(struct world *w);
/* Everything at the target is reset, as at the end of the program. */
void copy_shutdown(struct world *w);
/* Wakes the loop: after anything was given to replay. */
void copy_wake(struct world *w);
/* tcpcopy's clock. */
uint64_t copy_now(const struct world *w);
#endif
