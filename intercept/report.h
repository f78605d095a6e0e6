/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - the counters as people and programs read them: one line, and JSON. Takes a picture of
 * the counters; asks nothing and writes nothing itself.
 */
#ifndef INTERCEPT_REPORT_H
#define INTERCEPT_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/stats.h"
#include "intercept/response.h"

enum {
	REPORT_LINE_MAX = 512,
};

struct report_facts {
	struct response_counters counters;
	uint64_t memory_bytes;
	uint64_t uptime_s;
};

/* One line without its end; causes of ended connections that are zero are left out. Returns buf. */
const char *report_line(char *buf, size_t size, const struct report_facts *facts);
/* One object; the caller looks at j->failed. */
void report_json(const struct report_facts *facts, struct stats_json *j);
#endif
