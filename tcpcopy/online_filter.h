/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_filter.h - the pcap filter text made from -x: what clients send to a source, and of what
 * the source answers only SYN, FIN and RST. So it is behind IPv6 extension headers, where the ports are
 * left to replay; of fragments only the first pass, which are there to be counted. Knows the language of pcap-filter(7), not libpcap.
 * Pure.
 */
#ifndef TCPCOPY_ONLINE_FILTER_H
#define TCPCOPY_ONLINE_FILTER_H

#include <stddef.h>

#include "common/endpoint.h"
#include "tcpcopy/online_share.h"
#include "tcpcopy/transfer.h"

enum {
	/* More local addresses than this are left to replay, which matches them anyway. */
	ONLINE_FILTER_LOCAL_MAX = 64,
};

/*
 * A pair without a source address takes the local addresses. user is NULL or an expression that
 * must hold too; it must compile alone, otherwise its brackets could open ours. The text is the
 * caller's to free; NULL with errno ENOMEM. Of share only what has its ports in the usual place is told from the
 * other shares: online_share_takes tells the rest.
 */
char *online_filter_text(const struct transfer *transfers, size_t transfer_count,
			 const struct ip_addr *local, size_t local_count, const char *user,
			 const struct online_share *share);
#endif
