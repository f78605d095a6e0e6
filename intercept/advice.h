/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice.h - sentences for an administrator whose host is not set up to swallow the target's answers:
 * what is wrong, what it does, the exact command that mends it. Text only; who looks at the host
 * decides when to log it. Pure.
 */
#ifndef INTERCEPT_ADVICE_H
#define INTERCEPT_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/endpoint.h"
#include "common/netdev.h"

enum {
	ADVICE_TEXT_MAX = 2048,
};

struct advice_facts {
	struct endpoint seen;  /* the target as its answers come from it: before -D */
	struct ip_addr client; /* one of the faked clients */
	bool has_onward;       /* forwarded answers would leave through onward_device */
	char onward_device[NETDEV_NAME_MAX];
	struct ip_addr onward; /* and go to this host */
};

/*
 * This host forwards packets of a family, said at start, when no target is known. Returns buf.
 */
const char *advice_forwarding_at_start(char *buf, size_t size, bool is_v4);
/*
 * This host forwards, and now a target is known: both remedies, the second as rules that drop just this
 * target's answers before they are routed. The capture still sees them: it taps before netfilter.
 * Two or three lines without the last line's end. Returns buf.
 */
const char *advice_forwarding(char *buf, size_t size, const struct advice_facts *facts);
/* The faked client's address is one of this host: its kernel answers the target. Returns buf. */
const char *advice_local_client(char *buf, size_t size, const struct tuple *response);
#endif
