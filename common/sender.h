/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender.h - segments onto the network with a source address that is not ours: all raw sockets,
 * and the neighbour of the link layer. Segments are copied into a batch, completed (headers,
 * checksums) and sent by one system call a batch.
 *
 * Backends, chosen at run time: `link` (AF_PACKET, own route and neighbour; leaves no conntrack
 * entry and passes no iptables rule of this host) and `ip` (raw socket with our IP header). `auto`
 * takes link where it can work and ip where it cannot (loopback, a target on this host, a device
 * without a link layer address, a neighbour that does not answer). Times are CLOCK_MONOTONIC.
 */
#ifndef COMMON_SENDER_H
#define COMMON_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/segment.h"

enum {
	SENDER_ERROR_MAX = 512,
	SENDER_BATCH_MAX = 64,
};

enum sender_mode {
	SENDER_AUTO,
	SENDER_LINK,
	SENDER_IP,
};

struct sender_target {
	struct ip_addr addr;
	bool has_next_hop_mac; /* given by the user: no look-up */
	bool has_source_mac;   /* likewise, for our frames instead of the device's */
	uint8_t next_hop_mac[MAC_LEN];
	uint8_t source_mac[MAC_LEN];
};

struct sender_config {
	enum sender_mode mode;
	/*
	 * Another sender of this process has waited for the neighbours, and tells of them: this one
	 * only asks.
	 */
	bool only_asks;
	const char *device; /* leave by this one, whatever the routes say; NULL: by the route's */
	const struct sender_target *targets; /* copied */
	size_t target_count;
};

struct sender_stats {
	uint64_t packets;            /* handed to the kernel */
	uint64_t bytes;              /* of IP */
	uint64_t batches;            /* system calls */
	uint64_t failed;             /* refused by the kernel, by cause: */
	uint64_t failed_no_buffer;   /* ENOBUFS, EAGAIN after a flush */
	uint64_t failed_permission;  /* EPERM: a firewall of this host */
	uint64_t failed_too_long;    /* EMSGSIZE */
	uint64_t failed_unreachable; /* ENETUNREACH, EHOSTUNREACH, ENETDOWN */
	uint64_t failed_other;
	uint64_t no_neighbour; /* dropped here: the neighbour's MAC is not known (yet) */
};

struct sender;

/*
 * NULL with a message in error: no privilege (names CAP_NET_RAW), a target without a route, link
 * asked for where it cannot work (says why).
 */
struct sender *sender_open(const struct sender_config *config, char error[SENDER_ERROR_MAX]);
/* Sends what is batched, then closes. */
void sender_close(struct sender *s);
/*
 * Copies the segment, payload included, into the batch; flushes when the batch is full. The
 * destination is one of the targets. 0, or -1 with errno EAGAIN if there is no room because the
 * kernel takes nothing just now: ask again after the next flush. Any other failure is counted, not
 * reported: TCP's timers mend it.
 */
int sender_send(struct sender *s, const struct segment *segment);
/* Hands the batch to the kernel. Call once per turn of the event loop. */
void sender_flush(struct sender *s);
/*
 * The largest payload-carrying IP packet towards this target, in bytes: the MTU of its route or of
 * the route's device. Never 0.
 */
int sender_mtu(const struct sender *s, const struct ip_addr *target);
/*
 * Whether several segments in one descriptor (gso_size_bytes) cost less than one by one: the kernel
 * cuts them behind the last copy. They are taken and cut in any case.
 */
bool sender_cuts(const struct sender *s, const struct ip_addr *target);
/*
 * The backend in use for a target, and for logs why it was chosen ("same host", "no neighbour
 * answers ARP for 10.0.0.2", ...); why may be NULL.
 */
enum sender_mode sender_mode_of(const struct sender *s, const struct ip_addr *target,
				const char **why);
/* Nobody answers for its next hop: not even ip will find it, unless that changes. */
bool sender_next_hop_is_silent(const struct sender *s, const struct ip_addr *target);
/* False if packets to this target go nowhere, as its next hop is not known (yet). */
bool sender_has_way(const struct sender *s, const struct ip_addr *target);
/*
 * Nothing comes back by the backend in use: takes the other one, mode, for this target, if sender_mode
 * is auto and its route allows both. It stays so until the next call, or until the way to the target
 * becomes another. Told to the log with why once there and once back. True if it moved.
 */
bool sender_try(struct sender *s, const struct ip_addr *target, enum sender_mode mode,
		const char *why);
/*
 * Nothing comes back from this target just now: asks its neighbour, at most once a second, whether its
 * MAC has changed. Without a link nothing is done: the kernel looks after its own neighbours.
 */
void sender_doubt(struct sender *s, const struct ip_addr *target, uint64_t now_us);
/*
 * Descriptors to poll for reading (answers of neighbours, changes of routes and neighbours): at most max.
 * Returns how many. When one is readable, call sender_on_readable.
 */
size_t sender_poll_fds(const struct sender *s, int *fds, size_t max);
void sender_on_readable(struct sender *s, uint64_t now_us);
/* Refreshes neighbours; call about once a second. */
void sender_on_tick(struct sender *s, uint64_t now_us);
void sender_get_stats(const struct sender *s, struct sender_stats *stats);
#endif
