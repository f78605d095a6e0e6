/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet_tunnel.h - the headers in which switches and clouds wrap mirrored packets: VXLAN (RFC
 * 7348), GENEVE (RFC 8926), GRE (RFC 2784, 2890; NVGRE, RFC 7637) and ERSPAN. For packet.c; the
 * numbers are also those of tcpcopy's filter. Pure.
 */
#ifndef COMMON_PACKET_TUNNEL_H
#define COMMON_PACKET_TUNNEL_H

#include <stdint.h>

#include "common/packet.h"
#include "common/packet_cursor.h"

enum {
	PACKET_TUNNELS_MAX =
		2, /* one in another: the mirror's, and the overlay of the mirrored host */

	PROTOCOL_UDP = 17,
	PROTOCOL_GRE = 47,

	PORT_OF_VXLAN = 4789,
	PORT_OF_VXLAN_BEFORE_RFC = 8472, /* Linux without a dstport, flannel, Cilium */
	PORT_OF_GENEVE = 6081,

	ETHERTYPE_OF_IPV4 = 0x0800,
	ETHERTYPE_OF_IPV6 = 0x86dd,
	ETHERTYPE_OF_VLAN = 0x8100,         /* 802.1Q */
	ETHERTYPE_OF_SERVICE_VLAN = 0x88a8, /* 802.1ad */
	ETHERTYPE_OF_OUTER_VLAN = 0x9100,   /* before 802.1ad; the kernel leaves it in the frame */
	ETHERTYPE_OF_ETHERNET = 0x6558, /* a whole Ethernet frame: transparent bridging, NVGRE */
	ETHERTYPE_OF_ERSPAN = 0x88be,   /* type I, and with a GRE sequence number type II */
	ETHERTYPE_OF_ERSPAN_3 = 0x22eb,

	/* The first two bytes of a GRE header. */
	GRE_CHECKSUM = 0x8000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	/* Source routes, recursion, other versions (PPTP): RFC 2784 has them discarded. */
	GRE_UNKNOWN = 0x4000 | 0x0800 | 0x0400 | 0x0007,
};

static inline bool packet_tunnel_is_in(uint8_t protocol)
{
	return protocol == PROTOCOL_UDP || protocol == PROTOCOL_GRE;
}

/*
 * c is at the payload of an IP packet of this protocol, for which packet_tunnel_is_in; it goes on
 * to what the tunnel carries, and *ethertype tells what that is: an IP packet, an
 * ETHERTYPE_OF_ETHERNET, or anything else. PACKET_NOT_TCP: no such tunnel; PACKET_MALFORMED: its
 * header is cut off.
 */
enum packet_result packet_tunnel_enter(struct cursor *c, uint8_t protocol, uint16_t *ethertype);
#endif
