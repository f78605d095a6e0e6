/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_memory.c - what -m means. Shares of it, from the bottom up:
 *
 *	90 %      no session begins
 *	94 %      and none is followed without being copied: its bytes are counted as they come
 *	95 %      of what is held the largest backlogs go, half of each at least; where all are small,
 *	          the newest connections
 *	31/32     no slab takes another chunk; the rest is for tables, which grow with sessions
 *
 * The first three look at what is used. Slabs may hold more, because of objects that were given back in chunks that are
 * not empty; that serves the next, and is why payload does not get the whole: what it leaves
 * half empty would keep connections out. If it does, it is shed for them. Whoever is shed, is shed between two packets, before the
 * next one needs the room.
 */
#include "tcpcopy/replay_private.h"

enum {
	ADMIT_PERCENT = 90,
	FOLLOW_PERCENT = 94,
	SHED_PERCENT = 95,
	PAYLOAD_SHARE = 16, /* all but this part may be payload */
	TURNS_SHARE = 4,    /* this part may be turns */
	TABLES_SHARE = 32,
	FRAME_BYTES = 65536,    /* the largest */
	CROWDING_BYTES = 65536, /* a backlog that may stand for chunks of its own */
	BACKLOG_SHARE = 4,      /* one connection may queue this part, ... */
	BACKLOG_LEAST_BYTES =
		16 << 20, /* ... or so much: what is more than there is goes by the rules above */
	BACKLOG_MOST_BYTES = 1 << 30, /* far below half of the sequence numbers */
	SHED_AT_ONCE = 64,            /* a packet never waits for more than this */
};

/* What is in no slab. */
static size_t tables(const struct replay *r)
{
	return tuple_map_memory(r->table.by_tuple) +
	       r->table.places_room * sizeof(*r->table.places) + mapping_memory(r->mapping) +
	       half_open_memory(&r->tried) + half_open_memory(&r->waiting) +
	       (r->left_out ? left_out_memory(r->left_out) : 0) + ledger_memory(&r->ledger);
}

static uint64_t percent(const struct replay *r, unsigned n)
{
	return r->max_memory_bytes / 100 * n;
}

static uint64_t used(const struct replay *r)
{
	return r->slabs.used_bytes + tables(r);
}

/* Slabs have what the tables leave. */
static void set_budget(struct replay *r)
{
	uint64_t most = r->max_memory_bytes - r->max_memory_bytes / TABLES_SHARE;

	r->tables_bytes = tables(r);
	r->slabs.max_bytes = most > r->tables_bytes ? most - r->tables_bytes : 0;
}

/* A burst to a healthy target fits, and one that takes nothing leaves the others room. */
static size_t backlog_max(uint64_t max_memory_bytes)
{
	uint64_t share = max_memory_bytes / BACKLOG_SHARE;

	if (share < BACKLOG_LEAST_BYTES)
		return BACKLOG_LEAST_BYTES;
	return share < BACKLOG_MOST_BYTES ? (size_t)share : BACKLOG_MOST_BYTES;
}

int replay_memory_init(struct replay *r)
{
	uint64_t most = r->max_memory_bytes;
	uint64_t turns = most / TURNS_SHARE / sizeof(struct turn);

	r->turns_max = turns < SLAB_NONE ? (uint32_t)turns : SLAB_NONE;
	r->env.blocks = segment_blocks_new(most - most / PAYLOAD_SHARE, &r->slabs);
	r->env.turns = slab_new_within(sizeof(struct turn), r->turns_max, &r->slabs);
	if (!r->env.blocks || !r->env.turns)
		return -1;
	r->env.backlog_max_bytes = backlog_max(most);
	backlog_init(&r->env.backlog, r->table.onlines);
	set_budget(r);
	return 0;
}

void replay_memory_fini(struct replay *r)
{
	slab_free(r->env.turns);
	segment_blocks_free(r->env.blocks);
}

size_t replay_memory(const struct replay *r)
{
	return slab_memory(r->table.sessions) + slab_memory(r->table.onlines) +
	       parking_memory(r->table.parking) + tables(r) + segment_blocks_memory(r->env.blocks) +
	       slab_memory(r->env.turns);
}

bool replay_may_begin(const struct replay *r)
{
	return used(r) < percent(r, ADMIT_PERCENT);
}

/*
 * Without all its sessions nobody would hold the account of its bytes. (Those in
 * TIME-WAIT have no connection any more, so there are more of them than connections have.)
 */
static bool fits_another(const struct replay *r, uint32_t sessions)
{
	size_t online = slab_cost(r->table.onlines, 1);
	size_t theirs = slab_cost(r->table.sessions, sessions);

	if (online == SIZE_MAX || theirs == SIZE_MAX)
		return false;
	return online + theirs == 0 || r->slabs.held_bytes + online + theirs <= r->slabs.max_bytes;
}

bool replay_may_follow(struct replay *r, uint32_t sessions)
{
	set_budget(r);
	return used(r) < percent(r, FOLLOW_PERCENT) && fits_another(r, sessions);
}

static bool is_short(const struct replay *r)
{
	return used(r) >= percent(r, SHED_PERCENT) ||
	       !segment_blocks_have_room(r->env.blocks, FRAME_BYTES) ||
	       slab_count(r->env.turns) + REPLAY_FRAME_TURNS > r->turns_max;
}

/* There is memory for another connection, but payload has it, in chunks that are not full. */
static bool is_crowded_out(const struct replay *r)
{
	uint32_t sessions = (uint32_t)r->transfer_count * r->copies;

	return used(r) < percent(r, ADMIT_PERCENT) && !fits_another(r, sessions) &&
	       slab_count(r->table.sessions) + sessions <= r->max_sessions;
}

/* Who goes next; NULL: nobody has to. */
static struct online *victim(const struct replay *r)
{
	struct online *o;

	if (is_short(r))
		return backlog_largest(&r->env.backlog);
	if (!is_crowded_out(r))
		return NULL;
	o = backlog_largest(&r->env.backlog);
	return o && backlog_bytes(o) >= CROWDING_BYTES ? o : NULL;
}

/* It holds no more than the others: all of it goes, even that it was followed. */
static void shed_newest(struct replay *r, struct online *o)
{
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		if (session_is_live(s))
			session_abort(s, &r->env, DROP_LIMIT);
	replay_forget_online(r, o);
}

void replay_relieve(struct replay *r)
{
	if (replay_has_plenty(r))
		return;
	set_budget(r);
	for (unsigned n = 0; n < SHED_AT_ONCE; n++) {
		struct online *o = victim(r);

		if (!o)
			break;
		if (!r->told_memory)
			replay_notice(r, REPLAY_NOTICE_MEMORY, 0);
		r->told_memory = true;
		if (o->backlog_class)
			online_shed(o, &r->env, DROP_LIMIT);
		else
			shed_newest(r, o);
	}
}
