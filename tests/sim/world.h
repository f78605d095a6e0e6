/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - one run: virtual time, the actors, and what they tell each other.
 *
 *	client <--LEG_CLIENT, LEG_SERVER--> online server     conversation.[ch]
 *	                  | LEG_CAPTURE
 *	                  v
 *	               replay, link's near end                copy.[ch]
 *	      LEG_TARGET |         ^ link.[ch]
 *	                 v         |
 *	              target --> intercept                    target.[ch], assistant.[ch]
 *	                 LEG_ANSWERS
 *
 * The seed decides everything. The oracle (oracle.[ch]) looks on from outside; trace.[ch] hashes and
 * prints what it sees.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/alloc.h"
#include "tests/sim/assistant.h"
#include "tests/sim/conversation.h"
#include "tests/sim/copy.h"
#include "tests/sim/fault.h"
#include "tests/sim/incident.h"
#include "tests/sim/link.h"
#include "tests/sim/net.h"
#include "tests/sim/oracle.h"
#include "tests/sim/queue.h"
#include "tests/sim/settings.h"
#include "tests/sim/target.h"
#include "tests/sim/trace.h"

/* Who is woken; the subject is in brackets. */
enum event_kind {
	EVENT_BEGIN,     /* the next conversation */
	EVENT_CLIENT,    /* a client's endpoint or application (conversation) */
	EVENT_SERVER,    /* the online server's (conversation) */
	EVENT_PACKET,    /* a packet arrives (flight) */
	EVENT_RING,      /* tcpcopy's capture block is full */
	EVENT_LATE,      /* a captured packet that was reordered (captured) */
	EVENT_TURN,      /* tcpcopy's loop comes around */
	EVENT_COPY_TIME, /* tcpcopy's timer */
	EVENT_TARGET,    /* a connection of the target (target_connection) */
	EVENT_FRAMES,    /* intercept reads its capture */
	EVENT_ASSISTANT, /* intercept's timer */
	EVENT_LINK,      /* bytes or news on the link (link_connection) */
	EVENT_INCIDENT,  /* (incident) */
	EVENT_INCIDENT_END,
};

struct world {
	const struct settings *settings;
	uint64_t now_us;
	uint64_t started_us;
	struct queue queue;
	struct faults faults;
	struct trace trace;
	struct net net;
	struct conversations conversations;
	struct copy copy;
	struct link link;
	struct assistant assistant;
	struct target target;
	struct incidents incidents;
	struct oracle oracle;
	uint64_t begun_us;      /* when the last conversation had begun; 0: not yet */
	uint64_t load_ended_us; /* 0: not yet */
	uint64_t events;
	uint32_t allocations;      /* of the cores */
	const char *first_failure; /* what kind it was; NULL: none */
};

/* Bytes and requests of all transfers. */
struct summary {
	uint64_t sessions;
	struct ledger_amount captured;
	struct ledger_amount delivered;
	struct ledger_amount behind_gaps; /* captured, dropped as capture-gap */
	struct ledger_amount before_join;
	struct ledger_amount dropped; /* for any cause */
	/* Of oracle 8; 0 in other worlds. */
	struct ledger_amount missed; /* by the capture */
	uint64_t packets_needed;     /* clients' SYNs and data */
	uint64_t packets_missed;
	uint64_t complete; /* conversations */
	uint64_t gaps_made;
	uint64_t gaps_named;
	/* Of all worlds again. */
	uint64_t wrong_bytes;
	uint64_t batch_most;    /* bytes that replay said in a batch; of several worlds, the most */
	uint64_t sessions_most; /* at a time; likewise */
	uint64_t faults;
	uint64_t virtual_us;
	uint64_t trace_hash;
	uint64_t stuck;
	uint64_t failures;
	uint64_t events;
	const char *first_failure; /* what kind it was; NULL: none */
};

/* What the load's end does not wait for any longer. */
enum {
	WORLD_LOAD_TAIL_US = 60 * 1000000,
};

/* Runs one world to its end. allowed and struck as in fault.h; quiet: failures are only counted. */
void world_run(const struct settings *settings, const struct fault_list *allowed,
	       struct fault_list *struck, bool is_quiet, struct summary *summary);

/* The sum of two worlds; the hash is that of both in this order. */
void summary_add(struct summary *sum, const struct summary *one);

void world_put(struct world *w, uint64_t at_us, enum event_kind kind, void *subject);
#endif
