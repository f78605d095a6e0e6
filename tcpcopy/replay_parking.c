/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_parking.c - connections that rest are parked (parking.h), and woken by whatever concerns them: a packet, a record, their time.
 * The rest of the core knows only those that are awake.
 */
#include "tcpcopy/replay_private.h"

void replay_park_if_idle(struct replay *r, struct online *o)
{
	uint64_t deadline_us = online_deadline(o, &r->env);
	uint32_t handle;

	if (!online_is_resting(o, &r->env))
		return;
	timer_wheel_cancel(r->env.online_wheel, &o->timer);
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		timer_wheel_cancel(r->env.wheel, &s->timer); /* of something that is over */
	backlog_remove(&r->env.backlog, o);
	handle = session_table_park(&r->table, o);
	if (handle == PARKING_NONE) {
		backlog_add(&r->env.backlog, o);
		online_arm(o, &r->env);
		return;
	}
	if (deadline_us != UINT64_MAX)
		timer_wheel_set(r->parked_wheel, parking_timer(r->table.parking, handle),
				deadline_us);
}

static void forget(struct replay *r, uint32_t handle)
{
	timer_wheel_cancel(r->parked_wheel, parking_timer(r->table.parking, handle));
	session_table_forget_parked(&r->table, handle);
}

/* Ends what rests without waking it; a reset that the sender has no room for is not said. */
static void end_parked(struct replay *r, uint32_t handle)
{
	unsigned count = parking_session_count(r->table.parking, handle);
	struct session *sessions[PARKING_SESSIONS_MAX];
	struct session copies[PARKING_SESSIONS_MAX];
	struct online online;

	for (unsigned i = 0; i < count; i++)
		sessions[i] = &copies[i];
	parking_get(r->table.parking, handle, &online, sessions);
	for (unsigned i = 0; i < count; i++) {
		if (session_is_live(&copies[i])) {
			(void)session_say_reset(&copies[i], &r->env);
			r->ledger.targets[copies[i].target_index].sessions.ended_by_us++;
		}
		replay_release_tuple(r, &copies[i]);
	}
	forget(r, handle);
}

void replay_end_all_parked(struct replay *r)
{
	uint32_t handle = 0;

	while ((handle = parking_next(r->table.parking, handle)) != PARKING_NONE)
		end_parked(r, handle);
}

/* Without room for it, after others were shed for it, it is shed itself: NULL. */
struct online *replay_wake(struct replay *r, uint32_t handle)
{
	struct timer *timer = parking_timer(r->table.parking, handle);
	struct online *o;

	timer_wheel_cancel(r->parked_wheel, timer);
	o = session_table_wake(&r->table, handle);
	if (!o) {
		replay_relieve(r);
		o = session_table_wake(&r->table, handle);
	}
	if (!o) {
		end_parked(r, handle);
		return NULL;
	}
	backlog_add(&r->env.backlog, o);
	online_woken(o, &r->env);
	return o;
}

void replay_wake_due(struct replay *r)
{
	struct timer *t;

	while ((t = timer_wheel_pop(r->parked_wheel, r->env.now_us)))
		(void)replay_wake(r, parking_handle(t));
}
