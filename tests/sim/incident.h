/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * incident.h - faults that befall a host or a leg as a whole, at moments that the seed chooses within the load.
 */
#ifndef TESTS_SIM_INCIDENT_H
#define TESTS_SIM_INCIDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/fault.h"
#include "tests/sim/settings.h"

struct world;

struct incident {
	uint64_t at_us;
	uint64_t extent;
	uint32_t lasts_us;
	uint8_t kind;
};

struct incidents {
	struct incident *all;
	uint32_t count;
	uint64_t capture_gap_until_us;
	uint64_t target_silent_until_us;
	uint64_t sender_full_until_us;
	uint64_t happened;
};

void incidents_init(struct world *w);
void incidents_fini(struct world *w);
/* EVENT_INCIDENT, EVENT_INCIDENT_END */
void incident_begin(struct world *w, struct incident *i);
void incident_end(struct world *w, struct incident *i);
/* Whether a packet on this leg is lost now. */
bool incident_loses(const struct world *w, enum leg leg);
/* The load is over: nothing lasts longer. */
void incidents_stop(struct world *w);
#endif
