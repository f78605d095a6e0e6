/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_check.h - looks whether this host swallows the target's answers, as an assistant must, and
 * warns with the remedy (advice.h, local_target.h) if it would forward them or answer them itself, or if it is the target and
 * they do not end where they are captured. Looks at
 * /proc and asks the kernel's routing; changes nothing.
 */
#ifndef INTERCEPT_HOST_CHECK_H
#define INTERCEPT_HOST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/endpoint.h"
#include "intercept/options.h"

enum {
	HOST_CHECK_TARGETS_MAX = 4, /* targets for which the rules are shown */
};

struct host_check {
	const struct intercept_options *options;         /* borrowed: -i */
	struct endpoint targets[HOST_CHECK_TARGETS_MAX]; /* shown already */
	size_t target_count;
	bool told_local_client;
};

/* Whether this host forwards packets of a family. */
bool host_check_forwards(bool is_v4);
/* At start: forwarding of either family. */
void host_check_start(struct host_check *h, const struct intercept_options *options);
/* For the first registrations; from: the address of the tcpcopy that registers. */
void host_check_registration(struct host_check *h, const struct tuple *response,
			     const struct ip_addr *from);
#endif
