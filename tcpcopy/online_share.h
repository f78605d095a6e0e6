/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_share.h - which of several workers a captured connection belongs to. The kernel's filter has
 * the same sum in its own language (online_filter.c); where it cannot find the ports, behind IPv6
 * extension headers for one, it hands a packet to all, and this decides. Pure.
 */
#ifndef TCPCOPY_ONLINE_SHARE_H
#define TCPCOPY_ONLINE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/endpoint.h"

/*
 * A part of the connections: the index-th of count equal ones, by a hash of addresses and ports
 * that is the same for both directions. A count of 1 (or 0) is all of them.
 */
struct online_share {
	unsigned index;
	unsigned count;
};

/* Whether a packet with this tuple, in either direction, is of this part. */
static inline bool online_share_takes(const struct online_share *share, const struct tuple *tuple)
{
	uint32_t sum;

	if (share->count <= 1)
		return true;
	sum = get_be32(tuple->src.addr.b + 12) + get_be32(tuple->dst.addr.b + 12) +
	      tuple->src.port + tuple->dst.port;
	return (sum * UINT32_C(2654435761) >> 16) % share->count == share->index;
}
#endif
