/* SPDX-License-Identifier: BSD-2-Clause */
/* replay_sessions.c - sessions come and go: limits, tuples, registrations, joining. */
#include <string.h>

#include "tcpcopy/replay_private.h"

enum {
	REMAPS_MAX = 16, /* refused so often a session gives up: another tcpcopy has them all */
	REMAP_HOLD_US = 10000, /* longer than a refusal takes */
	IP4_LOOPBACK = 0x7f000001,
};

void replay_notice(struct replay *r, enum replay_notice what, size_t target)
{
	r->env.effects->notice(r->env.ctx, what, target);
}

void replay_release_tuple(struct replay *r, struct session *s)
{
	if (!s->has_tuple)
		return;
	s->has_tuple = false;
	r->env.effects->unregister_session(r->env.ctx, s->id);
	mapping_release(r->mapping, &s->tuple.src, &s->tuple.dst);
	r->ledger.targets[s->target_index].sessions.active--;
}

/*
 * Who speaks, for the mapping. One on this host itself is on loopback, whatever address it has taken: the answers to that
 * would come here.
 */
static struct endpoint client_of(const struct replay *r, const struct tuple *online)
{
	static const struct ip_addr ip6_loopback = {.b = {[15] = 1}};
	struct endpoint client = online->src;

	if (replay_is_local(r, &client.addr))
		client.addr = ip_addr_is_v4(&client.addr) ? ip_addr_v4(IP4_LOOPBACK) : ip6_loopback;
	return client;
}

/*
 * Takes a faked endpoint, registers it and starts. False if the pool is exhausted. What it held before is given back only
 * then, so that the target sees a fresh one.
 */
static bool start_session(struct replay *r, struct session *s)
{
	const struct transfer *transfer = &r->transfers[s->target_index];
	struct tuple tuple = {.dst = transfer->target, .protocol = PROTOCOL_TCP};
	struct endpoint client = client_of(r, &s->online->tuple);
	struct tuple response;

	if (mapping_take(r->mapping, &client, s->copy, &transfer->target, &tuple.src))
		return false;
	replay_release_tuple(r, s);
	response = tuple_reverse(&tuple);
	session_start(s, &r->env, &tuple, session_table_new_id(&r->table, s));
	r->env.effects->register_session(r->env.ctx, s->id, &response);
	r->ledger.targets[s->target_index].sessions.started++;
	r->ledger.targets[s->target_index].sessions.active++;
	return true;
}

static void unlink_session(struct online *o, struct session *s)
{
	struct session **at = &o->sessions;

	while (*at != s)
		at = &(*at)->next_of_online;
	*at = s->next_of_online;
	s->next_of_online = NULL;
}

static void remove_session(struct replay *r, struct session *s)
{
	timer_wheel_cancel(r->env.wheel, &s->timer);
	session_table_remove(&r->table, s);
}

void replay_forget_online(struct replay *r, struct online *o)
{
	while (o->sessions) {
		struct session *s = o->sessions;

		unlink_session(o, s);
		s->online = NULL;
		if (!s->is_dirty) /* otherwise the end of the batch removes it */
			remove_session(r, s);
	}
	online_fini(o, &r->env);
	backlog_remove(&r->env.backlog, o);
	session_table_remove_online(&r->table, o);
}

/*
 * What is missing to copy a connection that begins now; DROP_CAUSES: nothing. When the breaker is
 * open and no session is left to try for it (the turn to send a SYN has passed), this one does.
 */
static enum drop_cause shortage(const struct replay *r, size_t target)
{
	if (r->links_up == 0 && !r->env.waits_for_links)
		return DROP_NO_INTERCEPT;
	/* Where it waits for a link anyway, the breaker is asked when that is there. */
	if (r->links_up && !breaker_may_send(&r->env.breakers[target], r->env.now_us))
		return DROP_PAUSED;
	if (!replay_may_begin(r))
		return DROP_LIMIT;
	return DROP_CAUSES;
}

static bool reaches(const struct replay *r, const struct tuple *online, size_t target)
{
	struct endpoint client = client_of(r, online);

	return mapping_reaches(r->mapping, &client.addr, &r->transfers[target].target.addr);
}

/* How many sessions a connection to this server has. */
static uint32_t sessions_wanted(const struct replay *r, const struct endpoint *server)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->transfer_count; i++)
		n += replay_matches_source(r, &r->transfers[i], server) ? r->copies : 0;
	return n;
}

/* How many of them can have an address. */
static uint32_t sessions_possible(const struct replay *r, const struct tuple *online)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->transfer_count; i++)
		if (replay_matches_source(r, &r->transfers[i], &online->dst) &&
		    reaches(r, online, i))
			n += r->copies;
	return n;
}

/* A session is about to start. What the rate allows or not is the whole connection, for as long as it lives. */
static bool admits(struct replay *r, struct online *o)
{
	if (o->admission == ONLINE_NOT_ASKED)
		o->admission =
			rate_limit_take(&r->rate, sessions_possible(r, &o->tuple), r->env.now_us)
				? ONLINE_ADMITTED
				: ONLINE_SHED;
	return o->admission == ONLINE_ADMITTED;
}

/* A session that waits for a tuple gets one, or the reason why not. */
static void join(struct replay *r, struct session *s)
{
	struct ledger_sessions *count = &r->ledger.targets[s->target_index].sessions;
	enum drop_cause before = s->closed_cause;
	enum drop_cause why = shortage(r, s->target_index);
	bool is_rejoin = s->was_started;

	if (why == DROP_CAUSES && !admits(r, s->online))
		why = DROP_RATE;
	if (why == DROP_CAUSES && !start_session(r, s))
		why = DROP_NO_TUPLE;
	if (!is_rejoin && !s->gate_is_free) { /* it had to wait, and has missed nothing */
		count->not_started[before]--;
		if (why != DROP_CAUSES)
			count->not_started[why]++;
	}
	if (why != DROP_CAUSES)
		session_close(s, &r->env, why);
	else if (is_rejoin)
		count->rejoined++;
	else if (s->gate_is_free)
		count->joined++;
}

/* After a session's output: what its state asks of the tables. */
void replay_settle_session(struct replay *r, struct session *s)
{
	if (s->state == SESSION_TIME_WAIT && s->online) {
		struct online *o = s->online;

		unlink_session(o, s);
		s->online = NULL;
		s->gate_turn = s->acked_turn = SLAB_NONE;
		online_release(o, &r->env);
		online_arm(o, &r->env);
	}
	if (s->state == SESSION_JOINING && !s->rst_due) {
		online_release(s->online, &r->env); /* what was skipped */
		join(r, s);
	}
	if (session_is_live(s) || s->rst_due)
		return;
	if (s->closed_cause == DROP_TARGET_REFUSED &&
	    habits_tell(&r->env.habits[s->target_index], HABITS_TOLD_REFUSED))
		replay_notice(r, REPLAY_NOTICE_REFUSED, s->target_index);
	replay_release_tuple(r, s);
	if (s->online) {
		online_release(s->online, &r->env);
		online_arm(s->online, &r->env);
	} else {
		remove_session(r, s);
	}
}

/* Behind *last, the end of the connection's list. */
static struct session *add_session(struct replay *r, struct online *o, struct session ***last,
				   size_t target, unsigned copy, enum drop_cause cause)
{
	uint32_t index;
	struct session *s = session_table_add(&r->table, &index);

	if (!s)
		return NULL;
	session_init(s, o, target, copy, cause);
	s->index = index;
	**last = s;
	*last = &s->next_of_online;
	return s;
}

/*
 * The copies for each transfer that this server endpoint is the source of. One that there was no room to follow when it
 * began is not counted again.
 */
static void add_sessions(struct replay *r, struct online *o, const struct session_offer *offer,
			 enum drop_cause cause)
{
	bool was_counted = !o->began && cause == DROP_LIMIT;
	struct session **last = &o->sessions;

	for (size_t i = 0; i < r->transfer_count; i++) {
		struct ledger_sessions *count = &r->ledger.targets[i].sessions;
		enum drop_cause why = cause == DROP_CAUSES ? shortage(r, i) : cause;

		if (cause != DROP_FAKED_CLIENT && !reaches(r, &o->tuple, i))
			why = DROP_NO_ADDRESS;
		if (!replay_matches_source(r, &r->transfers[i], &o->tuple.dst))
			continue;
		if (cause == DROP_FAKED_CLIENT &&
		    habits_tell(&r->env.habits[i], HABITS_TOLD_FAKED_CLIENT))
			replay_notice(r, REPLAY_NOTICE_FAKED_CLIENT, i);
		if (why == DROP_CAUSES && !admits(r, o))
			why = DROP_RATE;
		for (unsigned copy = 0; copy < r->copies; copy++) {
			struct session *s = add_session(r, o, &last, i, copy,
							why == DROP_CAUSES ? DROP_NO_TUPLE : why);

			if (!s) {
				count->not_started[DROP_LIMIT]++;
				continue;
			}
			s->offer = *offer;
			if ((why != DROP_CAUSES || !start_session(r, s)) && !was_counted)
				count->not_started[s->closed_cause]++;
		}
	}
}

static struct online *add_online(struct replay *r, const struct tuple *tuple, uint32_t isn,
				 bool began)
{
	struct online *o = NULL;
	uint32_t index;

	if (replay_may_follow(r, sessions_wanted(r, &tuple->dst)))
		o = session_table_add_online(&r->table);
	if (!o) {
		r->unfollowed_us = r->env.now_us;
		if (!r->told_full)
			replay_notice(r, REPLAY_NOTICE_TABLE_FULL, 0);
		r->told_full = true;
		return NULL;
	}
	index = o->index;
	online_init(o, tuple, isn, began);
	o->index = index;
	o->last_seen_us = r->env.now_us;
	o->turns.spoke_us = r->env.now_us;
	if (session_table_map_online(&r->table, o)) {
		session_table_remove_online(&r->table, o);
		return NULL;
	}
	backlog_add(&r->env.backlog, o);
	return o;
}

static bool is_half_open(const struct online *o)
{
	return !o->is_confirmed && o->state != ONLINE_ENDED;
}

/* The connection that an entry remembers, if still only its first packet is known. */
static struct online *half_open_of(const struct replay *r, const struct half_open_entry *e)
{
	struct online *o = e->index == SLAB_NONE ? NULL : slab_find(r->table.onlines, e->index);

	return o && o->isn == e->isn && is_half_open(o) ? o : NULL;
}

/* Whether the target may be told of one more SYN; if not, that waits until the client says more. */
static bool may_try(struct replay *r, const struct online *o)
{
	struct half_open_entry *e = half_open_next(&r->tried);

	if (half_open_of(r, e))
		return false;
	*e = (struct half_open_entry){o->index, o->isn};
	return true;
}

/* Of those of which one packet is known and was not copied, the oldest is forgotten for a new one. */
static void remember_waiting(struct replay *r, const struct online *o)
{
	struct half_open_entry *e = half_open_next(&r->waiting);
	struct online *oldest = half_open_of(r, e);

	if (oldest && oldest != o && !online_has_live_session(oldest))
		replay_forget_online(r, oldest);
	*e = (struct half_open_entry){o->index, o->isn};
}

/* A session could start at one of its targets at least. */
static bool could_start(const struct replay *r, const struct tuple *online)
{
	for (size_t i = 0; i < r->transfer_count; i++)
		if (replay_matches_source(r, &r->transfers[i], &online->dst) &&
		    reaches(r, online, i) && shortage(r, i) == DROP_CAUSES)
			return true;
	return false;
}

/*
 * Why a connection is left out by choice; DROP_CAUSES: it is not. What cannot start now is not held against the rate
 * yet: it may be joined later.
 */
static enum drop_cause choice(struct replay *r, const struct tuple *tuple, enum drop_cause cause)
{
	if (!sampling_takes(&r->sampling, &tuple->src, r->env.now_us))
		return DROP_SAMPLED_OUT;
	if (cause == DROP_CAUSES && could_start(r, tuple) &&
	    !rate_limit_has_room(&r->rate, r->env.now_us))
		return DROP_RATE;
	return DROP_CAUSES;
}

void replay_count_not_started(struct replay *r, const struct tuple *tuple, enum drop_cause cause)
{
	for (size_t i = 0; i < r->transfer_count; i++)
		if (replay_matches_source(r, &r->transfers[i], &tuple->dst))
			r->ledger.targets[i].sessions.not_started[cause] += r->copies;
}

void replay_begin(struct replay *r, const struct tuple *tuple, uint32_t isn, bool began,
		  const struct session_offer *offer, enum drop_cause cause)
{
	enum drop_cause left_out = r->left_out ? choice(r, tuple, cause) : DROP_CAUSES;
	struct online *o;

	if (left_out != DROP_CAUSES) {
		replay_leave_out(r, tuple, isn, left_out);
		return;
	}
	o = add_online(r, tuple, isn, began);
	if (!o) {
		if (began)
			replay_count_not_started(r, tuple, DROP_LIMIT);
		return;
	}
	if (cause == DROP_CAUSES && !may_try(r, o))
		cause = DROP_LIMIT;
	add_sessions(r, o, offer, cause);
	if (!online_has_live_session(o)) {
		online_lose(o, isn + 1);
		remember_waiting(r, o);
	}
	online_arm(o, &r->env);
}

/* The SYN is out, and perhaps answered to the other: no RST, which might hit its connection. */
static void give_up_tuple(struct replay *r, struct session *s)
{
	session_abort(s, &r->env, DROP_NO_TUPLE);
	s->rst_due = false;
	s->retry_at_us = r->env.now_us + SESSION_REFUSED_US;
}

/*
 * Another tcpcopy holds this tuple: take another before this one is given back. The second time the SYN waits for a
 * refusal: where one port after the other is taken, most are.
 */
void replay_remap(struct replay *r, struct session *s)
{
	struct endpoint client = client_of(r, &s->online->tuple);
	struct tuple tuple = s->tuple;
	struct tuple response;

	/* Far from here: the other's neighbouring ports are likely to be taken as well. */
	client.port =
		(uint16_t)(REPLAY_FIRST_PORT + hash_bytes(&r->key, &s->id, sizeof(s->id)) %
						       (REPLAY_LAST_PORT - REPLAY_FIRST_PORT + 1));
	if (++s->tuples_refused > REMAPS_MAX ||
	    mapping_take(r->mapping, &client, s->copy, &s->tuple.dst, &tuple.src)) {
		give_up_tuple(r, s);
		return;
	}
	r->env.effects->unregister_session(r->env.ctx, s->id);
	mapping_release(r->mapping, &s->tuple.src, &s->tuple.dst);
	s->id = session_table_new_id(&r->table, s);
	session_restart_on(s, &r->env, &tuple, s->tuples_refused > 1 ? REMAP_HOLD_US : 0);
	response = tuple_reverse(&tuple);
	r->env.effects->register_session(r->env.ctx, s->id, &response);
}
