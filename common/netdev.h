/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.h - questions to this host's network: devices (libdnet), their addresses, routes and
 * neighbours (rtnetlink). Blocking for microseconds; for start-up and slow paths.
 */
#ifndef COMMON_NETDEV_H
#define COMMON_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	NETDEV_NAME_MAX = 16, /* IFNAMSIZ */
};

struct netdev {
	char name[NETDEV_NAME_MAX];
	int index;
	int mtu_bytes;
	bool is_up;
	bool is_loopback;
	bool has_arp; /* asks for neighbours; otherwise packets get the device's own MAC */
	bool has_mac; /* an Ethernet-like device */
	uint8_t mac[MAC_LEN];
};

enum route_kind {
	ROUTE_NONE,    /* unreachable */
	ROUTE_LOCAL,   /* one of this host's own addresses */
	ROUTE_ON_LINK, /* the neighbour is the destination itself */
	ROUTE_GATEWAY,
};

struct route {
	enum route_kind kind;
	bool is_blackhole;       /* no route, and the kernel drops what comes without a word */
	struct ip_addr next_hop; /* the destination itself if on-link */
	/*
	 * The address of this device that the host would use; unspecified if it would use none, or one of
	 * another device: who asks for a neighbour in its name here draws its traffic over to here.
	 */
	struct ip_addr source;
	int device_index;
	int mtu_bytes; /* of the route if it has one, otherwise of the device */
};

/* Calls fn for each device. 0, or -1 with errno. */
int netdev_for_each(int (*fn)(void *ctx, const struct netdev *d), void *ctx);
/* 0, or -1 with errno ENODEV. */
int netdev_by_index(struct netdev *d, int index);
int netdev_by_name(struct netdev *d, const char *name);
/* It is a port of a bridge or bond: what comes in is that device's. */
bool netdev_is_port(const char *name);
/*
 * This host's own addresses, with the device that carries each. Fills at most max, returns how many
 * there are (which may be more), or -1 with errno. device may be NULL (all), a name otherwise.
 */
int netdev_local_addresses(const char *device, struct ip_addr *addresses, size_t max);
/* An address, and the device that carries it. */
struct netdev_address {
	char device[NETDEV_NAME_MAX];
	struct ip_addr addr;
};
/*
 * All of them, read at once: for who looks at many devices. Returns how many, *list to be freed by the caller, or -1 with
 * errno.
 */
int netdev_all_addresses(struct netdev_address **list);
bool netdev_is_local_address(const struct ip_addr *a);
/*
 * Whether what leaves by this device comes in by another one of this host or of another namespace: a veth pair. True if that
 * cannot be told.
 */
bool netdev_has_other_end(const char *device);
/*
 * An IPv4 setting of a device, such as "rp_filter" or "route_localnet", as it counts there: the larger one of the device's and
 * that for all devices. -1 with errno if there is no such device or setting.
 */
int netdev_conf(const char *device, const char *name);
/*
 * Asks the kernel (RTM_GETROUTE). device_index: only by this device, to which a destination without a route there is on-link; 0: any.
 * 0 (perhaps ROUTE_NONE), or -1 with errno.
 */
int netdev_route(struct route *r, const struct ip_addr *dst, int device_index);
/* The kernel's neighbour entry if it has a usable one. 0, or -1 with errno ENOENT. */
int netdev_neighbour(uint8_t mac[MAC_LEN], int device_index, const struct ip_addr *next_hop);
enum netdev_watch {
	NETDEV_WATCH_DEVICES, /* links and addresses */
	NETDEV_WATCH_WAYS,    /* and routes, neighbours and rules, which change far more often */
};

/*
 * A descriptor that becomes readable when these change (rtnetlink groups), non-blocking;
 * netdev_watch_drain empties it. -1 with errno.
 */
int netdev_watch_open(enum netdev_watch what);
void netdev_watch_drain(int fd);
#endif
