/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * too_big.h - what a router says when a packet is larger than its next link takes: ICMP type 3 code 4
 * (RFC 792, RFC 1191), ICMPv6 type 2 (RFC 4443). It quotes the beginning of that packet, which tells whose it was. Pure.
 */
#ifndef COMMON_TOO_BIG_H
#define COMMON_TOO_BIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/packet.h"

/*
 * For a kernel filter, in libpcap's language: these messages alone, about TCP packets. It stands
 * alone or before an "or": a "vlan" before it would move its offsets.
 */
#define TOO_BIG_FILTER                                          \
	"(icmp[0] == 3 and icmp[1] == 4 and icmp[17] == 6) or " \
	"(ip6[6] == 58 and ip6[40] == 2 and ip6[54] == 6)"

struct too_big {
	struct tuple tuple; /* of the quoted packet, as it was sent */
	uint32_t seq;       /* its sequence number */
	uint32_t
		mtu_bytes; /* of the next link; 0: an old router does not say (RFC 1191, section 5) */
	uint32_t len_bytes; /* of the quoted packet, its IP header included, as that says */
};

/*
 * Reads the message of a frame for which packet_parse said PACKET_NOT_TCP. False if it is none of
 * these, or does not quote the IP header and eight bytes of the TCP header of a packet without
 * extension headers that is no later fragment. Who sent it is not asked: any router may.
 */
bool too_big_parse(struct too_big *t, const struct packet *p);
#endif
