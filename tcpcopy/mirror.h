/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror.h - mirrored traffic: which pairs of -x copy from another host, and the part of the kernel's
 * filter for their packets in tunnels and behind VLAN tags, where the expressions of
 * pcap-filter(7) do not look. Pure.
 */
#ifndef TCPCOPY_MIRROR_H
#define TCPCOPY_MIRROR_H

#include <stddef.h>
#include <stdint.h>

#include "common/capture.h"
#include "common/endpoint.h"
#include "tcpcopy/online_filter.h"
#include "tcpcopy/transfer.h"

/*
 * The pairs whose source is an address, and none of this host: their packets only come by a mirror. Bit
 * i stands for transfers[i].
 */
uint64_t mirror_pairs(const struct transfer *transfers, size_t transfer_count,
		      const struct ip_addr *local, size_t local_count);

/* What is looked for. Borrowed. */
struct mirror_sources {
	const struct transfer *transfers;
	size_t transfer_count;
	uint64_t pairs; /* of mirror_pairs */
	const struct online_share *share;
};

/*
 * Instructions to run before the kernel's filter, for frames of this link type (packet.h). A TCP packet
 * in a tunnel that packet.c follows, or behind a tag that is in the frame, is taken if it is what
 * online_filter.h says of such a source, and otherwise dropped; what is in no tunnel and behind no tag
 * goes on to the filter. Returns how many instructions,
 * at most max; 0 if the link type is not known, there is no pair, or max does not suffice.
 */
size_t mirror_filter(struct capture_insn *insns, size_t max, int link_type,
		     const struct mirror_sources *s);
#endif
