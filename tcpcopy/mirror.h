/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror.h - mirrored traffic: which pairs of -x copy from another host, and the part of the kernel's
 * filter for their packets in tunnels and behind VLAN tags, where the expressions of
 * pcap-filter(7) do not look. Pure.
 */
#ifndef TCPCOPY_MIRROR_H
#define TCPCOPY_MIRROR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/capture.h"
#include "common/endpoint.h"
#include "tcpcopy/online_filter.h"
#include "tcpcopy/transfer.h"

/* Whether the source is an address, and none of this host: then its packets only come by a mirror. */
bool mirror_is_source(const struct transfer *t, const struct ip_addr *local, size_t local_count);

/* The sources of other hosts, and which share of their connections. All borrowed. */
struct mirror_sources {
	const struct transfer *transfers;
	size_t transfer_count;
	const struct ip_addr *local; /* this host's addresses */
	size_t local_count;
	const struct online_share *share;
};

/* Whether there is one. */
bool mirror_has_source(const struct mirror_sources *s);
/*
 * Instructions to run before the kernel's filter, for frames of this link type (packet.h). A TCP packet
 * in a tunnel that packet.c follows, or behind a tag that is in the frame, is taken if it is what
 * online_filter.h says of such a source, and otherwise dropped; what is in no tunnel and behind no tag
 * goes on to the filter. Returns how many instructions,
 * at most max; 0 if the link type is not known, there is no source, or max does not suffice.
 */
size_t mirror_filter(struct capture_insn *insns, size_t max, int link_type,
		     const struct mirror_sources *s);
#endif
