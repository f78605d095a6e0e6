/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/incident.h"

#include <stdlib.h>

#include "tests/sim/world.h"

enum {
	HOUR_US_TIMES = 8, /* a jump of the clock is up to so many hours */
	LASTS_ORDERS = 12, /* each as likely: the longest time, half of it, ... */
};

static const uint32_t longest_us[INCIDENTS] = {
	[INCIDENT_CAPTURE_GAP] = 2000000,
	[INCIDENT_LINK_CUT] = 15000000,
	[INCIDENT_LINK_STALL] = 15000000,
	[INCIDENT_TARGET_RESTART] = 1,
	[INCIDENT_TARGET_REFUSES] = 500000,
	[INCIDENT_TARGET_SILENT] = 20000000,
	[INCIDENT_SENDER_FULL] = 300000,
	[INCIDENT_CLOCK_JUMP] = 1,
	[INCIDENT_INTERCEPT_RESTART] = 5000000,
	[INCIDENT_TCPCOPY_RESTART] = 1000000,
	[INCIDENT_RIVAL] = 5000000,
};

const char *incident_name(enum incident_kind kind)
{
	static const char *const names[INCIDENTS] = {
		[INCIDENT_CAPTURE_GAP] = "capture gap",
		[INCIDENT_LINK_CUT] = "link cut",
		[INCIDENT_LINK_STALL] = "link stalled",
		[INCIDENT_TARGET_RESTART] = "target restarted",
		[INCIDENT_TARGET_REFUSES] = "target refuses",
		[INCIDENT_TARGET_SILENT] = "target silent",
		[INCIDENT_SENDER_FULL] = "sender full",
		[INCIDENT_CLOCK_JUMP] = "clock jumps",
		[INCIDENT_INTERCEPT_RESTART] = "intercept restarts",
		[INCIDENT_TCPCOPY_RESTART] = "tcpcopy restarts",
		[INCIDENT_RIVAL] = "a rival registers",
	};

	return names[kind];
}

bool incident_loses(const struct world *w, enum leg leg)
{
	if (leg == LEG_CAPTURE)
		return w->now_us < w->incidents.capture_gap_until_us;
	if (leg == LEG_TARGET || leg == LEG_ANSWERS)
		return w->now_us < w->incidents.target_silent_until_us;
	return false;
}

void incident_begin(struct world *w, struct incident *i)
{
	uint64_t until_us = w->now_us + i->lasts_us;

	if (w->faults.is_calm)
		return;
	w->incidents.happened++;
	trace_say(w, "incident: %s", incident_name(i->kind));
	switch ((enum incident_kind)i->kind) {
	case INCIDENT_CAPTURE_GAP:
		w->incidents.capture_gap_until_us = until_us;
		break;
	case INCIDENT_LINK_CUT:
		link_cut(w, until_us, 1 + i->extent % 3);
		break;
	case INCIDENT_LINK_STALL:
		link_stall(w, until_us);
		break;
	case INCIDENT_TARGET_RESTART:
		target_restart(w);
		break;
	case INCIDENT_TARGET_REFUSES:
		w->target.refuses_until_us = until_us;
		break;
	case INCIDENT_TARGET_SILENT:
		w->incidents.target_silent_until_us = until_us;
		break;
	case INCIDENT_SENDER_FULL:
		w->incidents.sender_full_until_us = until_us;
		break;
	case INCIDENT_CLOCK_JUMP:
		w->copy.skew_us +=
			(1 + i->extent % HOUR_US_TIMES) * UINT64_C(3600000000) + i->extent % 1000;
		copy_wake(w);
		break;
	case INCIDENT_INTERCEPT_RESTART:
		if (w->assistant.response)
			assistant_stop(w);
		world_put(w, until_us, EVENT_INCIDENT_END, i);
		break;
	case INCIDENT_TCPCOPY_RESTART:
		copy_stop(w);
		world_put(w, until_us, EVENT_INCIDENT_END, i);
		break;
	case INCIDENT_RIVAL:
		if (assistant_rival_begins(w))
			world_put(w, until_us, EVENT_INCIDENT_END, i);
		break;
	case INCIDENTS:
		break;
	}
}

void incident_end(struct world *w, struct incident *i)
{
	if (i->kind == INCIDENT_INTERCEPT_RESTART && !w->assistant.response)
		assistant_start(w);
	if (i->kind == INCIDENT_TCPCOPY_RESTART)
		copy_start(w);
	if (i->kind == INCIDENT_RIVAL)
		assistant_rival_ends(w);
}

void incidents_stop(struct world *w)
{
	struct incidents *all = &w->incidents;

	all->capture_gap_until_us = all->target_silent_until_us = all->sender_full_until_us = 0;
	w->target.refuses_until_us = 0;
	w->link.down_until_us = 0;
	link_stall(w, w->now_us);
	if (!w->assistant.response)
		assistant_start(w);
	assistant_rival_ends(w);
	copy_start(w);
	copy_wake(w);
}

void incidents_init(struct world *w)
{
	const struct settings *s = w->settings;
	struct incidents *all = &w->incidents;
	uint64_t load_us = (uint64_t)s->sessions * s->arrival_us + 2000000;
	uint32_t wanted = 0;

	for (unsigned kind = 0; kind < INCIDENTS; kind++)
		wanted += s->incidents[kind];
	all->all = sim_alloc((wanted + 1) * sizeof(*all->all));
	for (unsigned kind = 0; kind < INCIDENTS; kind++) {
		for (uint32_t n = 0; n < s->incidents[kind]; n++) {
			struct incident *i = &all->all[all->count];
			struct rng rng = rng_of(s->seed ^ 0x696e6369, kind << 16 | n);

			if (!fault_takes_place(&w->faults, FAULT_INCIDENT, kind, n))
				continue;
			i->kind = (uint8_t)kind;
			i->at_us = w->now_us + rng_next(&rng) % load_us;
			i->extent = rng_next(&rng);
			i->lasts_us = 1 + (longest_us[kind] >> rng_below(&rng, LASTS_ORDERS));
			world_put(w, i->at_us, EVENT_INCIDENT, i);
			all->count++;
		}
	}
}

void incidents_fini(struct world *w)
{
	free(w->incidents.all);
}
