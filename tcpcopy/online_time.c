/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_time.c - what a connection does by time: its hole is given up, its silence ends it or lets it rest, it is
 * forgotten; and what it lets go of.
 */
#include "common/out_of_line.h"
#include "tcpcopy/online_private.h"

static bool gap_is_due(const struct online *o, const struct session_env *env)
{
	return o->hole_since_us && env->now_us >= o->hole_since_us + ONLINE_GAP_US;
}

/* When a connection that is copied has been silent for too long to be alive. */
static uint64_t silent_at(const struct online *o, const struct session_env *env)
{
	if (o->state != ONLINE_OPENING && o->state != ONLINE_OPEN)
		return UINT64_MAX;
	if (!o->is_confirmed)
		return o->last_seen_us + ONLINE_OPENING_MAX_S * UINT64_C(1000000);
	return o->last_seen_us + env->keep_alive_us;
}

static uint64_t forget_at(const struct online *o, const struct session_env *env)
{
	if (online_has_live_session(o))
		return silent_at(o, env);
	if (o->state == ONLINE_ENDED)
		return o->last_seen_us + ONLINE_LINGER_US;
	if (o->began && !o->is_confirmed) /* a SYN that nothing followed */
		return o->last_seen_us + ONLINE_OPENING_MAX_S * UINT64_C(1000000);
	/* A pool may be idle for as long as its connections live, and then goes on. */
	return o->last_seen_us + (o->is_confirmed ? env->keep_alive_us : 0) + ONLINE_IDLE_US;
}

uint64_t online_deadline(const struct online *o, const struct session_env *env)
{
	uint64_t at = forget_at(o, env);

	if (o->hole_since_us && o->hole_since_us + ONLINE_GAP_US < at)
		at = o->hole_since_us + ONLINE_GAP_US;
	return at;
}

static bool may_rest(const struct online *o, const struct session_env *env)
{
	return env->park_after_us != UINT64_MAX && o->state == ONLINE_OPEN && o->is_confirmed &&
	       o->is_mapped;
}

bool online_is_resting(const struct online *o, const struct session_env *env)
{
	if (!may_rest(o, env) || env->now_us < o->last_seen_us + env->park_after_us)
		return false;
	if (o->hole_since_us || o->has_end || segment_queue_memory(&o->queue) || o->turns.count)
		return false;
	for (const struct session *s = o->sessions; s; s = s->next_of_online)
		if (!session_is_resting(s, env, env->park_after_us))
			return false;
	return true;
}

/* When to look whether it rests. */
static uint64_t rest_at(const struct online *o, const struct session_env *env)
{
	uint64_t at = o->last_seen_us + env->park_after_us;

	if (!may_rest(o, env))
		return UINT64_MAX;
	/* It waits for something: the longer it does, the later. */
	return at > env->now_us ? at : 2 * env->now_us - o->last_seen_us;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void online_woken(struct online *o, struct session_env *env)
{
	o->timer_at_us = sooner(online_deadline(o, env), env->now_us + env->park_after_us);
	timer_wheel_set(env->online_wheel, &o->timer, o->timer_at_us);
}

void online_arm(struct online *o, struct session_env *env)
{
	uint64_t at = sooner(online_deadline(o, env), rest_at(o, env));

	if (at == UINT64_MAX || (timer_is_set(&o->timer) && o->timer_at_us <= at))
		return;
	o->timer_at_us = at;
	timer_wheel_set(env->online_wheel, &o->timer, at);
}

/* Its end was probably missed. If it was not, it is joined where it goes on. */
static void end_silent(struct online *o, struct session_env *env)
{
	uint64_t seen = o->turns.seen; /* at its last request; the end is none of its own */

	online_cut(o, env);
	o->state = ONLINE_ENDED;
	if (!o->is_confirmed)
		return;
	o->turns.seen = seen;
	online_lose(o, o->known_seq);
	o->was_cut = true;
}

bool online_on_timer(struct online *o, struct session_env *env)
{
	if (gap_is_due(o, env))
		online_give_up_hole(o, env);
	if (online_has_live_session(o) && env->now_us >= silent_at(o, env))
		end_silent(o, env);
	if (env->now_us >= forget_at(o, env))
		return true;
	online_arm(o, env);
	return false;
}

static bool is_needed(const struct online *o, const struct turn *t)
{
	for (const struct session *s = o->sessions; s; s = s->next_of_online)
		if (session_is_live(s) && (s->acked_turn == t->index || s->gate_turn == t->index))
			return true;
	return false;
}

LINK_IN_LINE void online_release(struct online *o, struct session_env *env)
{
	uint64_t needed = o->queue.end;
	struct turn *t;

	for (const struct session *s = o->sessions; s; s = s->next_of_online)
		if (session_is_live(s) && s->una_off < needed)
			needed = s->una_off;
	segment_queue_release(&o->queue, env->blocks, needed);
	while ((t = turn_list_first(&o->turns, env->turns)) && !is_needed(o, t))
		turn_list_release_first(&o->turns, env->turns);
	online_weigh(o, env);
}
