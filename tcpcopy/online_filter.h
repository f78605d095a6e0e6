/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_filter.h - the pcap filter text made from -x: what clients send to a source, and of what
 * the source answers only SYN, FIN and RST. Knows the language of pcap-filter(7), not libpcap.
 * Pure.
 */
#ifndef TCPCOPY_ONLINE_FILTER_H
#define TCPCOPY_ONLINE_FILTER_H

#include <stddef.h>

#include "common/endpoint.h"
#include "tcpcopy/transfer.h"

enum {
	/* More local addresses than this are left to replay, which matches them anyway. */
	ONLINE_FILTER_LOCAL_MAX = 64,
};

/*
 * A part of the connections: the index-th of count equal ones, by a hash of addresses and ports
 * that is the same for both directions. A count of 1 (or 0) is all of them.
 */
struct online_share {
	unsigned index;
	unsigned count;
};

/*
 * A pair without a source address takes the local addresses. user is NULL or an expression that
 * must hold too; it must compile alone, otherwise its brackets could open ours. The text is the
 * caller's to free; NULL with errno ENOMEM.
 */
char *online_filter_text(const struct transfer *transfers, size_t transfer_count,
			 const struct ip_addr *local, size_t local_count, const char *user,
			 const struct online_share *share);
#endif
