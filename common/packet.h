/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.h - a captured frame as a validated TCP packet: the one parser of both programs.
 * A packet borrows from the frame and lives as long as it does. Pure.
 */
#ifndef COMMON_PACKET_H
#define COMMON_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

/* Link types by their pcap numbers, so that this file needs no libpcap. */
enum packet_link_type {
	PACKET_LINK_NULL = 0, /* BSD loopback: address family in host byte order */
	PACKET_LINK_ETHERNET = 1,
	PACKET_LINK_RAW_BSD = 12, /* DLT_RAW as libpcap reports it on Linux */
	PACKET_LINK_RAW = 101,    /* LINKTYPE_RAW in files */
	PACKET_LINK_LOOP = 108,   /* OpenBSD loopback: family in network byte order */
	PACKET_LINK_LINUX_SLL = 113,
	PACKET_LINK_IPV4 = 228,
	PACKET_LINK_IPV6 = 229,
	PACKET_LINK_LINUX_SLL2 = 276,
	/*
	 * Besides one of these: the frames come from a mirror of another host's traffic. Its packets may be
	 * wrapped in tunnels (packet_tunnel.h), one in another at most; then the innermost packet is read,
	 * and an outer fragment is PACKET_FRAGMENT. And they may have been cut short on their way: a
	 * length beyond that of the frame is believed, and what is missing of the payload was not captured.
	 */
	PACKET_LINK_MIRRORED = 1 << 16,
};

enum packet_result {
	PACKET_OK,
	PACKET_NOT_TCP,   /* another protocol: ARP, UDP, ...: nobody's fault */
	PACKET_FRAGMENT,  /* an IP fragment: cannot be used */
	PACKET_MALFORMED, /* a length that contradicts another, or a header cut off by the capture */
	PACKET_UNKNOWN_LINK,
};

/* Who carried the frame, where the link type tells (SLL, SLL2). */
enum packet_direction {
	PACKET_DIRECTION_UNKNOWN,
	PACKET_INCOMING,
	PACKET_OUTGOING,
};

struct packet {
	struct tuple tuple; /* as on the wire: src sent it */
	uint32_t seq;
	uint32_t ack;
	uint16_t window;       /* as in the header, not scaled */
	uint8_t flags;         /* TCP_FIN to TCP_URG */
	uint8_t ttl;           /* or hop limit */
	uint16_t ip_id;        /* 0 for IPv6 */
	uint16_t tcp_checksum; /* as captured */
	uint8_t direction;     /* enum packet_direction */
	uint8_t vlan_tags;     /* of all its Ethernet headers */
	uint8_t tunnels;       /* that it came out of */
	bool is_cut; /* it says that it is longer than the frame; also if malformed by that */
	uint8_t options_len_bytes;
	const uint8_t *options; /* not yet looked at */
	const uint8_t *payload;
	uint32_t payload_len_bytes;      /* what was captured of it */
	uint32_t payload_wire_len_bytes; /* what the IP header says; never less than captured */
	const uint8_t *tcp;              /* the TCP header, for packet_checksum_ok */
	const uint8_t *ip;               /* the IP header before it */
	const uint8_t *icmp;     /* PACKET_NOT_TCP: the ICMP or ICMPv6 message; otherwise NULL */
	uint32_t icmp_len_bytes; /* what was captured of it */
	bool icmp_is_v4;
};

/*
 * Reads a frame of which captured_len bytes were captured and wire_len were on the wire.
 * Never reads past captured_len. Follows VLAN tags (802.1Q, 802.1ad, 0x9100; up to 4) and IPv6
 * extension headers (at most 8). An IPv4 total length (or IPv6 payload length) of 0 in a frame
 * above 64 KiB is a super-packet: wire_len counts, up to 1 MiB; in a smaller frame it is
 * malformed, and so is any length beyond wire_len. Bytes after the IP total length (Ethernet
 * padding) are no payload. The payload may be cut short by the capture, headers may not. IPv6 from
 * or to ::ffff:0:0/96 is malformed. Unless the result is PACKET_OK, *p means nothing, but that with PACKET_NOT_TCP p->icmp
 * is NULL or what it says.
 */
enum packet_result packet_parse(struct packet *p, int link_type, const uint8_t *frame,
				size_t captured_len_bytes, size_t wire_len_bytes);

/*
 * Whether the TCP checksum is right, or unfinished (the bare sum of the pseudo header, as checksum
 * offload leaves it; RFC 9293, section 3.1). A packet whose payload was cut short passes: it
 * cannot be judged.
 */
bool packet_checksum_ok(const struct packet *p);

/*
 * Writes the packet as tcpdump would, with absolute sequence numbers:
 * "10.0.0.1:1234 > 10.0.0.2:80 P. 1001:1011(10) ack 1 win 512 <mss 1460,nop,wscale 7>".
 * Returns buf.
 */
const char *packet_print(char *buf, size_t size, const struct packet *p);

/*
 * Writes only the part that tests compare: "S 1000:1000(0)", "F. 1001:1001(0) ack 1" (no window,
 * no options). Flags in the order S F R P U . (a dot for ACK); no flag is "-". Returns buf.
 */
const char *packet_print_tcp(char *buf, size_t size, uint8_t flags, uint32_t seq,
			     uint32_t len_bytes, uint32_t ack);

/* A name for counters and logs: "ok", "not-tcp", "fragment", "malformed", "unknown-link". */
const char *packet_result_name(enum packet_result result);
#endif
