/* SPDX-License-Identifier: BSD-2-Clause */
/* replay_private.h - what replay*.c share. Who may include this: these files. */
#ifndef TCPCOPY_REPLAY_PRIVATE_H
#define TCPCOPY_REPLAY_PRIVATE_H

#include "tcpcopy/half_open.h"
#include "tcpcopy/left_out.h"
#include "tcpcopy/mapping.h"
#include "tcpcopy/online.h"
#include "tcpcopy/rate_limit.h"
#include "tcpcopy/replay.h"
#include "tcpcopy/sampling.h"
#include "tcpcopy/session.h"
#include "tcpcopy/session_table.h"

enum {
	REPLAY_FRAME_TURNS = SEGMENT_QUEUE_RANGES_MAX + 1, /* become contiguous by one frame */
};

/* Sessions in order, linked as those that are to speak. */
struct waiting_line {
	struct session *first; /* NULL: nobody */
	struct session *last;
};

struct replay {
	struct session_env env;
	struct session_table table;
	struct mapping *mapping;
	struct timer_wheel *parked_wheel;
	struct half_open tried;   /* SYNs that the target was told of */
	struct half_open waiting; /* and that it was not */
	struct sampling sampling;
	struct rate_limit rate;
	struct left_out *left_out; /* NULL: all are copied */
	struct hash_key key;
	struct ledger ledger;
	struct transfer transfers[TRANSFERS_MAX];
	size_t transfer_count;
	unsigned copies; /* of every connection, at each target */
	struct ip_addr *local;
	size_t local_count;
	struct slab_budget slabs; /* what all of them hold together */
	uint64_t max_memory_bytes;
	size_t tables_bytes; /* of memory that is in no slab, as measured last */
	uint32_t turns_max;
	uint32_t max_sessions;
	uint64_t unfollowed_us; /* when there was no room to follow a connection; 0: never */
	uint64_t calm_at_us;    /* when intercept is told that nothing waits any more; 0: not now */
	bool is_urgent;         /* what it was told last */
	int online_mtu_bytes;
	unsigned links_up;
	/* Of each target: who waits, as its sender was full; and the targets of which somebody does, a bit each. */
	struct waiting_line lines[TRANSFERS_MAX];
	uint64_t full_senders;
	bool check_checksums;
	bool told_full;
	bool told_fragment;
	struct online_share share;
	bool told_memory;
	bool told_cut;
};

/* Whether an address is one of this host. */
bool replay_is_local(const struct replay *r, const struct ip_addr *a);
/* Whether a transfer copies what clients say to this server. */
bool replay_matches_source(const struct replay *r, const struct transfer *t,
			   const struct endpoint *server);
void replay_notice(struct replay *r, enum replay_notice what, size_t target);

/* --- replay_left_out.c --- */

/* A table for what is left out, if something may be. 0, or -1 with errno ENOMEM. */
int replay_init_left_out(struct replay *r, const struct replay_config *config, uint64_t now_us);
/* Not to be copied for this cause, for as long as it lives; isn as for replay_begin. */
void replay_leave_out(struct replay *r, const struct tuple *tuple, uint32_t isn,
		      enum drop_cause cause);
/*
 * The connection of a client's packet, if it is left out. A SYN of another ISN is another connection's: the one before it
 * is forgotten.
 */
struct left_out_entry *replay_find_left_out(struct replay *r, const struct packet *p);
/* Counts a packet of the client. */
enum packet_fate replay_on_left_out(struct replay *r, struct left_out_entry *e,
				    const struct packet *p);
/* A SYN, FIN or RST of the server; tuple is that of its client. */
enum packet_fate replay_on_left_out_server(struct replay *r, const struct tuple *tuple,
					   const struct packet *p);
/* Bytes and requests that no session holds the account of: captured and dropped, for each target's copies. */
void replay_account_dropped(struct replay *r, const struct endpoint *server, enum drop_cause cause,
			    const struct ledger_amount *amount);

/* --- replay_parking.c --- */

/* o is no more, if it rests. */
void replay_park_if_idle(struct replay *r, struct online *o);
/* Wakes a connection by its handle; NULL: there is no room for it, and it is shed. */
struct online *replay_wake(struct replay *r, uint32_t handle);

/* As session_table_find_online and session_table_find, of what is parked too: it is woken. */
static inline struct online *replay_find_online(struct replay *r, const struct tuple *tuple)
{
	uint32_t parked;
	struct online *o = session_table_find_online(&r->table, tuple, &parked);

	return parked == PARKING_NONE ? o : replay_wake(r, parked);
}

static inline struct session *replay_find_session(struct replay *r, uint32_t id)
{
	uint32_t parked;
	struct session *s = session_table_find(&r->table, id, &parked);

	if (parked == PARKING_NONE)
		return s;
	return replay_wake(r, parked) ? session_table_find(&r->table, id, &parked) : NULL;
}

/* Wakes those for which it is time to do something. */
void replay_wake_due(struct replay *r);
/* Resets what is parked at the target, and forgets it. */
void replay_end_all_parked(struct replay *r);

/* --- replay_sessions.c --- */

/* Gives back the tuple of a session that has ended and said so, if it has one. */
void replay_release_tuple(struct replay *r, struct session *s);

/*
 * A connection begins: with its SYN (began) or, isn being the number before the first byte that was captured,
 * in its middle. cause: why it cannot be copied; DROP_CAUSES: it can.
 */
void replay_begin(struct replay *r, const struct tuple *tuple, uint32_t isn, bool began,
		  const struct session_offer *offer, enum drop_cause cause);
/* A connection of which nothing is kept that could count it. */
void replay_count_not_started(struct replay *r, const struct tuple *tuple, enum drop_cause cause);
/* The connection goes, and its sessions as soon as they have nothing more to say. */
void replay_forget_online(struct replay *r, struct online *o);
/* After a session's output: what its state asks of the tables. */
void replay_settle_session(struct replay *r, struct session *s);
/* Takes another tuple: somebody else holds this session's. */
void replay_remap(struct replay *r, struct session *s);

/* ---- replay_memory.c ---- */

/* Behind the tables. -1 without memory; replay_memory_fini in any case. */
int replay_memory_init(struct replay *r);
void replay_memory_fini(struct replay *r);
/* Whether a session may begin, as far as -m is concerned; and a connection with so many of them be followed at all. */
bool replay_may_begin(const struct replay *r);
bool replay_may_follow(struct replay *r, uint32_t sessions);
/*
 * Far from all limits, as nearly always: asked for every packet. Tables grow with connections only, and were measured
 * when the last one began.
 */
static inline bool replay_has_plenty(const struct replay *r)
{
	return r->slabs.held_bytes + r->tables_bytes < r->max_memory_bytes / 2 &&
	       slab_count(r->env.turns) + REPLAY_FRAME_TURNS <= r->turns_max;
}

/* Otherwise: sheds what is too much. Between two packets: nobody holds on to a connection or session. */
void replay_relieve(struct replay *r);
#endif
