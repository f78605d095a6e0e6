/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "tcpcopy/online.h"

enum {
	START_US = 1000000000,   /* clocks do not begin at 0 */
	SETTLE_US = 700000000,   /* after the load and its faults: what is not over then is stuck */
	GIVE_UPS = 4,            /* a session that is given up may be joined again, in vain */
	LOOK_EVERY_US = 1000000, /* whether all is over */
};

void world_put(struct world *w, uint64_t at_us, enum event_kind kind, void *subject)
{
	queue_put(&w->queue, at_us > w->now_us ? at_us : w->now_us, kind, subject);
}

static void happen(struct world *w, const struct event *e)
{
	switch ((enum event_kind)e->kind) {
	case EVENT_BEGIN:
		conversations_begin_next(w);
		break;
	case EVENT_CLIENT:
		conversation_wake_client(w, e->subject);
		break;
	case EVENT_SERVER:
		conversation_wake_server(w, e->subject);
		break;
	case EVENT_PACKET:
		net_arrive(w, e->subject);
		break;
	case EVENT_RING:
		copy_drain(w);
		break;
	case EVENT_LATE:
		copy_late(w, e->subject);
		break;
	case EVENT_TURN:
		copy_turn(w);
		break;
	case EVENT_COPY_TIME:
		copy_time(w);
		break;
	case EVENT_TARGET:
		target_wake(w, e->subject);
		break;
	case EVENT_FRAMES:
		assistant_read(w);
		break;
	case EVENT_ASSISTANT:
		assistant_time(w);
		break;
	case EVENT_LINK:
		link_wake(w, e->subject);
		break;
	case EVENT_INCIDENT:
		incident_begin(w, e->subject);
		break;
	case EVENT_INCIDENT_END:
		incident_end(w, e->subject);
		break;
	}
}

/* The load is over when all clients are, or some time after the last of them began. */
static void watch_load(struct world *w)
{
	const struct conversations *all = &w->conversations;

	if (w->load_ended_us || all->begun < all->count)
		return;
	if (!w->begun_us)
		w->begun_us = w->now_us;
	if (all->over < all->count && w->now_us < w->begun_us + WORLD_LOAD_TAIL_US)
		return;
	w->load_ended_us = w->now_us;
	w->faults.is_calm = true;
	trace_say(w, "the load is over, and its faults");
	incidents_stop(w);
}

static uint64_t active_sessions(const struct world *w)
{
	const struct ledger *l = replay_ledger(w->copy.replay);
	uint64_t active = 0;

	for (size_t i = 0; i < l->target_count; i++)
		active += l->targets[i].sessions.active;
	return active;
}

static bool is_over(const struct world *w)
{
	struct response_counters counters;

	if (!w->load_ended_us || w->conversations.over < w->conversations.count ||
	    active_sessions(w) || replay_connections(w->copy.replay))
		return false;
	response_get_counters(w->assistant.response, &counters);
	return counters.routes == 0;
}

static uint64_t deadline_us(const struct world *w)
{
	const struct settings *s = w->settings;
	uint64_t at = w->load_ended_us + SETTLE_US;

	if (settings_end_unheard(s) || !settings_delivers_all(s))
		at += s->keep_alive_us + ONLINE_IDLE_US; /* and then it may still go on */
	return settings_delivers_all(s) ? at : at + GIVE_UPS * s->give_up_us;
}

/* False if it was broken off: enough has failed. */
static bool loop(struct world *w)
{
	uint64_t look_us = 0;

	while (w->queue.count) {
		struct event e = queue_take(&w->queue);

		w->now_us = e.at_us;
		w->events++;
		happen(w, &e);
		if (w->now_us < look_us)
			continue;
		watch_load(w);
		look_us = w->now_us + (w->load_ended_us ? LOOK_EVERY_US : LOOK_EVERY_US / 100);
		if (is_over(w) || (w->load_ended_us && w->now_us > deadline_us(w)))
			break;
		if (w->oracle.failures >= ORACLE_SHOWN_MAX)
			return false;
	}
	return true;
}

static void add(struct ledger_amount *sum, const struct ledger_amount *one)
{
	sum->bytes += one->bytes;
	sum->requests += one->requests;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void summary_add(struct summary *sum, const struct summary *one)
{
	sum->sessions += one->sessions;
	add(&sum->captured, &one->captured);
	add(&sum->delivered, &one->delivered);
	add(&sum->behind_gaps, &one->behind_gaps);
	add(&sum->before_join, &one->before_join);
	add(&sum->dropped, &one->dropped);
	add(&sum->missed, &one->missed);
	sum->packets_needed += one->packets_needed;
	sum->packets_missed += one->packets_missed;
	sum->complete += one->complete;
	sum->gaps_made += one->gaps_made;
	sum->gaps_named += one->gaps_named;
	sum->wrong_bytes += one->wrong_bytes;
	sum->batch_most = larger(sum->batch_most, one->batch_most);
	sum->sessions_most = larger(sum->sessions_most, one->sessions_most);
	sum->faults += one->faults;
	sum->virtual_us += one->virtual_us;
	sum->trace_hash = rng_join(sum->trace_hash, one->trace_hash);
	sum->stuck += one->stuck;
	sum->failures += one->failures;
	sum->events += one->events;
}

static void sum_up(const struct world *w, struct summary *s)
{
	const struct ledger *l = replay_ledger(w->copy.replay);

	*s = (struct summary){
		.sessions = w->conversations.begun,
		.missed = w->oracle.missed,
		.packets_needed = w->copy.needed,
		.packets_missed = w->copy.missed,
		.complete = w->oracle.complete,
		.gaps_made = w->oracle.gaps_made,
		.gaps_named = w->oracle.gaps_named,
		.wrong_bytes = w->oracle.wrong_bytes,
		.batch_most = w->oracle.batch_most,
		.sessions_most = w->oracle.sessions_most,
		.faults = w->faults.count,
		.virtual_us = w->now_us - w->started_us,
		.trace_hash = w->trace.hash,
		.stuck = w->oracle.stuck,
		.failures = w->oracle.failures,
		.events = w->events,
		.first_failure = w->oracle.first,
	};
	for (size_t i = 0; i < l->target_count; i++) {
		const struct ledger_stream *stream = &l->targets[i].stream;

		add(&s->captured, &stream->captured);
		add(&s->delivered, &stream->delivered);
		add(&s->behind_gaps, &stream->dropped[DROP_CAPTURE_GAP]);
		add(&s->before_join, &stream->dropped[DROP_BEFORE_JOIN]);
		for (int cause = 0; cause < DROP_CAUSES; cause++)
			add(&s->dropped, &stream->dropped[cause]);
	}
}

static void drop_pending(struct world *w)
{
	while (w->queue.count) {
		struct event e = queue_take(&w->queue);

		if (e.kind == EVENT_PACKET)
			net_release(w, e.subject);
		if (e.kind == EVENT_LATE) {
			struct captured *late = e.subject;

			net_release(w, late->flight);
			free(late);
		}
	}
}

static bool memory_fails(void *ctx)
{
	struct world *w = ctx;

	return fault_strikes(&w->faults, FAULT_ALLOCATION, LEG_CAPTURE, 0, w->allocations++);
}

void world_run(const struct settings *settings, const struct fault_list *allowed,
	       struct fault_list *struck, bool is_quiet, struct summary *summary)
{
	struct world *w = sim_alloc(sizeof(*w));

	w->settings = settings;
	w->now_us = w->started_us = START_US;
	w->faults.seed = settings->seed;
	memcpy(w->faults.rates, settings->rates, sizeof(settings->rates));
	w->faults.allowed = allowed;
	w->faults.struck = struck;
	w->oracle.is_quiet = is_quiet;
	queue_init(&w->queue);
	trace_init(w);
	link_init(w);
	assistant_init(w);
	copy_init(w);
	target_init(w);
	conversations_init(w);
	incidents_init(w);
	if (settings->rates[LEG_CAPTURE][FAULT_ALLOCATION] > 0)
		alloc_set_judge(memory_fails, w);
	if (loop(w)) {
		oracle_end(w);
		copy_shutdown(w);
		oracle_after_shutdown(w);
	}
	sum_up(w, summary);
	alloc_set_judge(NULL, NULL);
	drop_pending(w);
	incidents_fini(w);
	conversations_fini(w);
	target_fini(w);
	copy_fini(w);
	assistant_fini(w);
	link_fini(w);
	net_fini(&w->net);
	queue_fini(&w->queue);
	free(w);
}
