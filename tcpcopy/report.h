/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - the counters as people and programs read them: the line with the names that existing
 * guides know, the block of the ledger, and JSON. Takes a picture of the counters; asks nothing
 * and writes nothing itself.
 */
#ifndef TCPCOPY_REPORT_H
#define TCPCOPY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/capture.h"
#include "common/sender.h"
#include "common/stats.h"
#include "tcpcopy/intercept_link.h"
#include "tcpcopy/ledger.h"
#include "tcpcopy/transfer.h"

enum {
	REPORT_LINE_MAX = 400,
};

/* All connections to an intercept. */
struct report_link {
	const char *name;
	enum intercept_link_state state; /* UP if one is */
	size_t connections;
	size_t connections_up;
	struct intercept_link_stats stats; /* their sums */
};

/* More connections to the same intercept; the name stays. */
void report_link_add(struct report_link *to, const struct report_link *more);

struct report_facts {
	const struct ledger *ledger;
	const struct transfer *transfers; /* as many as the ledger has targets */
	struct capture_stats kernel;      /* all devices, also those that were closed */
	struct sender_stats sender;
	const struct report_link *links;
	size_t link_count;
	uint64_t connections;
	uint64_t memory_bytes;
	uint64_t memory_max_bytes;
	uint64_t uptime_s;
	unsigned workers;
	uint32_t capture_latency_us; /* measured at the start; 0: not known */
	uint32_t sample_ppm;         /* the share of new connections that is copied now */
	bool is_paused;
	const struct endpoint *mirrored; /* a source that is another host's; or NULL */
};

/* Borrowed during the call; without a newline. */
typedef void report_line_fn(void *ctx, const char *line);

/* One line: active, conns, resp, ... */
void report_familiar(const struct report_facts *facts, report_line_fn *fn, void *ctx);
/* The block of the ledger, a dozen lines; what is zero and good is left out. */
void report_ledger(const struct report_facts *facts, report_line_fn *fn, void *ctx);
/* One object; the caller looks at j->failed. */
void report_json(const struct report_facts *facts, struct stats_json *j);
#endif
