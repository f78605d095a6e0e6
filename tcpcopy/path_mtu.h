/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path_mtu.h - how large a packet may be on the way to a target, as far as all its sessions have found out: from routers
 * that say so (RFC 1191, RFC 8201), and from what got through and what did not where no router says anything (in
 * the manner of RFC 4821). All sizes are of IP packets, in bytes. What was learned is forgotten after ten minutes, so that a path that has become
 * wider is used. Pure.
 */
#ifndef TCPCOPY_PATH_MTU_H
#define TCPCOPY_PATH_MTU_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"

enum {
	PATH_MTU_MIN_V4 = 552,       /* as Linux: below, nothing sensible is gained */
	PATH_MTU_MIN_V6 = 1280,      /* RFC 8200, section 5 */
	PATH_MTU_LEAST_V4 = 68,      /* RFC 791: no link takes less */
	PATH_MTU_AGE_US = 600000000, /* RFC 1191, section 6.3; RFC 8201, section 4 */
	PATH_MTU_CARRIED_US =
		5000000,    /* so long a larger packet that got through speaks against silence */
	PATH_MTU_VOTES = 2, /* so often in a row only the smaller of two packets came through */
	PATH_MTU_VOTES_MANY = 8, /* so often that it is no chance, whatever got through lately */
};

struct path_mtu {
	uint64_t learned_us; /* when; 0: nothing has been */
	uint64_t carried_us; /* when a packet of carried_bytes was last known to have got through */
	uint16_t bytes;      /* learned; when too old to count still what is tried first */
	uint16_t carried_bytes; /* 0: none */
	uint16_t voted_bytes;   /* the smaller of the two packets of the votes, ... */
	uint16_t lost_bytes;    /* ... and the larger */
	uint16_t told_bytes;    /* what the log knows */
	uint8_t votes;
};

static inline bool path_mtu_is_known(const struct path_mtu *p, uint64_t now_us)
{
	return p->learned_us && now_us - p->learned_us < PATH_MTU_AGE_US;
}

/* The largest packet for this path, at most local_bytes, which the first link takes. */
static inline int path_mtu_now(const struct path_mtu *p, int local_bytes, uint64_t now_us)
{
	return path_mtu_is_known(p, now_us) && p->bytes < local_bytes ? p->bytes : local_bytes;
}

/*
 * What a router's message says of a path on which packets of used_bytes are sent: less than that, or 0: nothing that could be
 * believed.
 */
int path_mtu_said(const struct wire_path_mtu *m, bool is_v4, int used_bytes);
/* Packets of more than these bytes do not get through. True if that is news for the log. */
bool path_mtu_learn(struct path_mtu *p, int bytes, uint64_t now_us);

/* A size below than_bytes that may get through; 0: there is none left. */
int path_mtu_smaller(const struct path_mtu *p, bool is_v4, int than_bytes);
/* A packet of this size was acknowledged that had been sent once. */
void path_mtu_on_carried(struct path_mtu *p, int bytes, uint64_t now_us);
/*
 * Of two packets that were sent together only the smaller one was acknowledged. True if that has happened often enough, and no
 * packet as large as the other is known to have got through lately (since the votes began none has): then voted_bytes is to be learned.
 */
bool path_mtu_on_smaller_only(struct path_mtu *p, int smaller_bytes, int larger_bytes,
			      uint64_t now_us);
#endif
