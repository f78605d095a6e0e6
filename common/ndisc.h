/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ndisc.h - neighbour discovery for IPv6 (RFC 4861) as far as finding a MAC goes: solicitations are
 * written, advertisements and the solicitations of others are read. Pure, on Ethernet frames.
 */
#ifndef COMMON_NDISC_H
#define COMMON_NDISC_H

#include <stddef.h>
#include <stdint.h>

#include "common/neighbour.h"

enum {
	NDISC_FRAME_MAX = 86, /* Ethernet and IPv6 header, solicitation, one option */
	/* Places in the frame, for a filter: */
	NDISC_NEXT_HEADER_OFFSET = 20,
	NDISC_TYPE_OFFSET = 54,
	NDISC_SOURCE_OFFSET = 22, /* of a solicitation: who it is */
	NDISC_TARGET_OFFSET = 62, /* of an advertisement: likewise */
	/* Values there: */
	NDISC_NEXT_HEADER = 58, /* ICMPv6 */
	NDISC_SOLICITATION = 135,
	NDISC_ADVERTISEMENT = 136,
};

/*
 * Reads an Ethernet frame with an advertisement, or a solicitation, which tells who sent it. 0, or -1
 * if it is something else, tells nothing, or fails the checks of RFC 4861, sections 7.1.1 and
 * 7.1.2.
 */
int ndisc_parse(struct neighbour_word *word, const uint8_t *frame, size_t len_bytes);
/*
 * Writes the solicitation "who has target?" to the MAC to, or to target's solicited-node group if
 * that is NULL. source is an address of the device, or unspecified: then the question is one of
 * duplicate address detection (RFC 4862, section 5.4.2), which always goes to the group, and whose
 * answer goes to all nodes. Returns the length in bytes.
 */
size_t ndisc_build_solicitation(uint8_t frame[NDISC_FRAME_MAX], const uint8_t own_mac[MAC_LEN],
				const struct ip_addr *source, const struct ip_addr *target,
				const uint8_t *to);
#endif
