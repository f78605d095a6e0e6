/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * same_host.h - targets on the online host itself: whether this host's routes and settings let their answers reach
 * intercept, and no one else. What is missing is told with the command that mends it; where all is right, nothing.
 * Pure: the host is seen through a table of functions.
 */
#ifndef TCPCOPY_SAME_HOST_H
#define TCPCOPY_SAME_HOST_H

#include "common/netdev.h"
#include "tcpcopy/options.h"

enum {
	SAME_HOST_TEXT_MAX = 2048,
};

/* Questions to the host, as in netdev.h. */
struct same_host_view {
	int (*route)(struct route *r, const struct ip_addr *dst, int device_index);
	int (*device)(struct netdev *d, int index);
	int (*conf)(const char *device, const char *name);
};

/* One sentence without a line's end. Where policy routing, or a router, may still do what is wanted, it is not sure. */
typedef void same_host_tell_fn(void *ctx, bool is_sure, const char *text);

/* Calls tell for each target on this host whose answers would not reach intercept. */
void same_host_check(const struct tcpcopy_options *o, const struct same_host_view *view,
		     same_host_tell_fn *tell, void *ctx);
/* Of the running host. */
extern const struct same_host_view same_host_view_real;
#endif
