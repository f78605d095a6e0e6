/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.h - what must be true, judged from outside of replay.
 *
 *	1 the target's stream is an exact prefix of what passed the online server's host; of a joined
 *	  connection a part that begins at a turn
 *	2 no turn is sent before its gate opened
 *	3 identical answers release turns without settling, when nothing is lost
 *	4 both sums of the ledger, after every event
 *	5 memory within its limit, after every event
 *	6 tables empty at the end
 *	7 every request once and in order at the target; the ledger's delivered is what the target's
 *	  TCP acknowledged
 *	8 where it is known what the capture has missed (settings_misses_are_known): the ledger has captured all
 *	  else, each session has delivered all before its first gap, and each gap is in the ledger
 *	10 in a batch nobody waits behind more than a session may say in its turn, and a batch has an end
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/segment.h"
#include "common/wire.h"
#include "tcpcopy/ledger.h"
#include "tests/sim/faked.h"
#include "tests/sim/target.h"

struct world;

enum {
	ORACLE_SHOWN_MAX = 5,
};

struct oracle {
	uint64_t failures;
	uint64_t stuck;
	const char *first; /* the format of the first failure: what kind it is */
	uint64_t gates_judged;
	uint64_t batch;         /* how many there were */
	uint64_t batch_bytes;   /* said in this one, */
	uint64_t bytes_of_one;  /* and the most of one session */
	uint64_t batch_most;    /* of all batches */
	uint64_t sessions_most; /* at a time */
	unsigned link_ups;      /* how often a link came up: then all that wait may say it again */
	uint64_t paused;        /* targets for which the breaker is open, as bits */
	uint64_t blurred;       /* connections that begin within a request, where that may be */
	uint64_t wrong_bytes;   /* at the targets: other than the client's, or behind such */
	struct ledger_amount missed; /* by the capture; this and the next only for oracle 8 */
	uint64_t complete;           /* conversations of which all requests were taken */
	uint64_t
		gaps_made; /* that replay could see: connections without a SYN, sessions with a gap */
	uint64_t gaps_named; /* in the ledger */
	bool is_quiet;
};

__attribute__((format(printf, 2, 3))) void oracle_fail(struct world *w, const char *format, ...);

/* After every call into replay. */
void oracle_step(struct world *w);
/* Replay is handed this record. True if it is the first answer to the session's SYN. */
bool oracle_on_record(struct faked *f, const struct wire_record *r);
/* Replay is about to say what is due; then it says so many bytes of this session, in one descriptor. */
void oracle_on_batch(struct world *w);
void oracle_on_said(struct world *w, struct faked *f, uint32_t len_bytes);
/* Replay sends this segment. */
void oracle_on_segment(struct world *w, struct faked *f, const struct segment *s);
/* The target's TCP takes these bytes. */
void oracle_on_accepted(struct world *w, struct target_connection *c, const uint8_t *bytes,
			uint32_t len);
/* When all is over, before and after the shutdown. */
void oracle_end(struct world *w);
void oracle_after_shutdown(struct world *w);
#endif
