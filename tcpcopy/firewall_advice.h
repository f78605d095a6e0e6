/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * firewall_advice.h - sentences for an administrator whose online host has a firewall that is in the way of packets sent by
 * `ip`: what is wrong, what it does, the exact commands that mend it. Nothing of this concerns `link`, which sends below the
 * firewall. Text only; who looks at the host decides when to log it. Pure.
 */
#ifndef TCPCOPY_FIREWALL_ADVICE_H
#define TCPCOPY_FIREWALL_ADVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conntrack.h"
#include "common/endpoint.h"

enum {
	FIREWALL_TEXT_MAX = 4096,
	FIREWALL_TARGETS_MAX = 4, /* rules are shown for so many */
};

struct firewall_facts {
	const struct endpoint *targets; /* that get their packets by ip; at least one */
	size_t target_count;
	uint64_t refused;           /* packets that the firewall has refused (EPERM) */
	struct conntrack conntrack; /* of this host; no entries: nothing is tracked */
	bool can_link;              /* `link` is worth a try: ip was asked for */
};

/*
 * A firewall of this host refuses packets to the targets. Lines, the last without an end; at most FIREWALL_TEXT_MAX with the zero. Returns
 * buf.
 */
const char *firewall_refused_text(char *buf, size_t size, const struct firewall_facts *facts);
/* This host tracks each copied connection. Likewise. */
const char *firewall_tracking_text(char *buf, size_t size, const struct firewall_facts *facts);
#endif
