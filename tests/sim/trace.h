/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a hash over every packet of a run, and on demand its text: packets with numbers relative to
 * their connection's beginning, and the steps of sessions between them.
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

struct flight;
struct world;

enum trace_moment {
	TRACE_SENT,
	TRACE_ARRIVED,
};

struct trace {
	uint64_t hash;
	bool is_on;
};

void trace_init(struct world *w);
/* spoiled: lost when it was sent, corrupt when it arrived. */
void trace_packet(struct world *w, const struct flight *f, enum trace_moment moment, bool spoiled);
/* A line of its own, if tracing. */
__attribute__((format(printf, 2, 3))) void trace_say(const struct world *w, const char *format,
						     ...);
#endif
