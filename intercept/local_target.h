/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * local_target.h - intercept on the target's own host: whether the target's answers to the faked clients come where
 * intercept captures them, and go nowhere else, and whether the copies come in at all. Text only; who looks at the host
 * decides when to log it. Pure.
 */
#ifndef INTERCEPT_LOCAL_TARGET_H
#define INTERCEPT_LOCAL_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/endpoint.h"
#include "common/netdev.h"

enum {
	LOCAL_TARGET_TEXT_MAX = 1024,
};

struct local_target_facts {
	const char (*devices)[NETDEV_NAME_MAX]; /* of -i */
	size_t device_count;
	struct tuple response; /* target -> faked client */
	struct route route;    /* to the faked client, ... */
	struct netdev device;  /* ... and its device, unless there is no way */
	bool has_other_end;    /* what leaves by that device arrives at another one of this host */
	int route_localnet;    /* of that device; -1: unknown */
	/* Where tcpcopy's packets come in; empty: tcpcopy is on this host too. */
	char arrival[NETDEV_NAME_MAX];
	int rp_filter; /* there; -1: unknown */
};

/*
 * One sentence without a line's end: what is wrong, with the command that mends it. Returns buf, or NULL where all is right.
 */
const char *local_target_advice(char *buf, size_t size, const struct local_target_facts *facts);
#endif
