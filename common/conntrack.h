/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntrack.h - how full this host's (this network namespace's) table of tracked connections is. Reads two
 * files of /proc; changes nothing.
 */
#ifndef COMMON_CONNTRACK_H
#define COMMON_CONNTRACK_H

#include <stdbool.h>
#include <stdint.h>

struct conntrack {
	uint64_t entries;
	uint64_t max;
};

/* False if nothing is tracked here: no conntrack in this kernel, no rule that asks for it, or no connection. */
bool conntrack_read(struct conntrack *c);
#endif
