/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_sum.h - the pictures of several workers as one, and ways out for a picture: the log and the
 * statistics file; when they are due.
 */
#ifndef TCPCOPY_REPORT_SUM_H
#define TCPCOPY_REPORT_SUM_H

#include "tcpcopy/ledger.h"
#include "tcpcopy/options.h"
#include "tcpcopy/report.h"

enum {
	REPORT_INTERVAL_S = 30,
	REPORT_NOTHING_AFTER_S = 10, /* when to look whether anything was captured at all */
};

/* Must stay where it is: the facts point into it. */
struct report_sum {
	struct report_facts facts;
	struct ledger ledger;
	struct report_link links[OPTIONS_INTERCEPTS_MAX];
	unsigned added;
};

/* For so many targets and copies. 0, or -1 with errno ENOMEM. */
int report_sum_init(struct report_sum *s, size_t target_count, size_t copies);
/* Also of one that is all zero. */
void report_sum_fini(struct report_sum *s);
/* Nothing has been added. */
void report_sum_begin(struct report_sum *s);
/* Of a worker with the same transfers and intercepts; nothing of it is borrowed but names. */
void report_sum_add(struct report_sum *s, const struct report_facts *facts);

void report_to_log(const struct report_facts *facts);
/* Does nothing if path is NULL. */
void report_to_file(const struct report_facts *facts, const char *path);
/* To the log: why there may be nothing to copy, if there is nothing; that the program ends. */
void report_if_nothing(const struct report_facts *facts, const struct tcpcopy_options *options);
void report_ending(void);
#endif
