/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.c - from a captured frame to a TCP packet. The layers are entered one after the other
 * with a cursor that knows both ends: that of the captured bytes, which bounds every read, and that
 * of the packet on the wire, against which every length field is held (packet_cursor.h). In a mirror's
 * frames a tunnel (packet_tunnel.c) leads back to the first layer. Reassembles nothing and looks
 * into neither options nor payload.
 */
#include "common/packet.h"

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/out_of_line.h"
#include "common/packet_cursor.h"
#include "common/packet_tunnel.h"

enum {
	VLAN_TAGS_MAX = 4,

	ETHERNET_HEADER_LEN = 14,
	SLL_HEADER_LEN = 16,
	SLL2_HEADER_LEN = 20,
	LOOP_HEADER_LEN = 4,
	VLAN_TAG_LEN = 4,
	IPV4_HEADER_LEN = 20,
	IPV6_HEADER_LEN = 40,
	TCP_HEADER_LEN = 20,

	LENGTH_FIELD_MAX = 65535, /* what 16 bits can say of a packet's length */
	SUPER_PACKET_MAX = 1 << 20,

	PROTOCOL_OF_ICMP = 1,
	PROTOCOL_OF_ICMPV6 = 58,

	IPV6_EXTENSIONS_MAX = 8,
	IPV6_EXTENSION_UNIT = 8,
};

enum ipv6_extension {
	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_AUTHENTICATION = 51,
	IPV6_DESTINATION = 60,
	IPV6_MOBILITY = 135,
	IPV6_HIP = 139,
	IPV6_SHIM6 = 140,
};

static bool is_super_packet(size_t wire_len_bytes)
{
	return wire_len_bytes > LENGTH_FIELD_MAX && wire_len_bytes <= SUPER_PACKET_MAX;
}

/* Whether a packet that says it is longer than what is there was cut short by the mirror. */
static bool is_cut(struct packet *p, const struct cursor *c)
{
	p->is_cut |= c->is_mirrored;
	return c->is_mirrored;
}

static bool is_tunnel(const struct cursor *c, uint8_t protocol)
{
	return c->is_mirrored && packet_tunnel_is_in(protocol);
}

static OUT_OF_LINE enum packet_result enter_tunnel(struct packet *p, struct cursor c,
						   uint8_t protocol);

/* RFC 9293, section 3.1. */
static IN_LINE enum packet_result enter_tcp(struct packet *p, struct cursor c)
{
	const uint8_t *tcp = cursor_take(&c, TCP_HEADER_LEN);
	size_t header_len;

	if (!tcp)
		return PACKET_MALFORMED;
	header_len = (size_t)(tcp[12] >> 4) * 4;
	if (header_len < TCP_HEADER_LEN)
		return PACKET_MALFORMED;
	p->options_len_bytes = (uint8_t)(header_len - TCP_HEADER_LEN);
	p->options = cursor_take(&c, p->options_len_bytes);
	if (!p->options)
		return PACKET_MALFORMED;

	p->tcp = tcp;
	p->tuple.protocol = PROTOCOL_TCP;
	p->tuple.unused = 0;
	p->tuple.src.port = get_be16(tcp);
	p->tuple.dst.port = get_be16(tcp + 2);
	p->seq = get_be32(tcp + 4);
	p->ack = get_be32(tcp + 8);
	p->flags = tcp[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG);
	p->window = get_be16(tcp + 14);
	p->tcp_checksum = get_be16(tcp + 16);
	p->payload = c.captured.at;
	p->payload_len_bytes = (uint32_t)byte_reader_left(&c.captured);
	p->payload_wire_len_bytes = (uint32_t)c.wire_left_bytes;
	return PACKET_OK;
}

/* For too_big.c; an ICMP message is no packet of ours, whatever is wrong with it. */
static OUT_OF_LINE enum packet_result enter_icmp(struct packet *p, struct cursor c, bool is_v4)
{
	p->icmp = c.captured.at;
	p->icmp_len_bytes = (uint32_t)byte_reader_left(&c.captured);
	p->icmp_is_v4 = is_v4;
	return PACKET_NOT_TCP;
}

/* The rest of an IPv4 header before ICMP: RFC 792. */
static OUT_OF_LINE enum packet_result enter_ipv4_icmp(struct packet *p, struct cursor c,
						      const uint8_t *ip)
{
	size_t header_len = (size_t)(ip[0] & 0x0f) * 4, total_len = get_be16(ip + 2);
	size_t wire_len = c.wire_left_bytes + IPV4_HEADER_LEN;

	if (header_len < IPV4_HEADER_LEN || total_len < header_len || total_len > wire_len ||
	    get_be16(ip + 6) & 0x3fff)
		return PACKET_NOT_TCP;
	cursor_clip(&c, total_len - IPV4_HEADER_LEN);
	if (!cursor_take(&c, header_len - IPV4_HEADER_LEN))
		return PACKET_NOT_TCP;
	return enter_icmp(p, c, true);
}

/* RFC 791, section 3.1. */
static IN_LINE enum packet_result enter_ipv4(struct packet *p, struct cursor c)
{
	size_t wire_len = c.wire_left_bytes, header_len, total_len;
	const uint8_t *ip = cursor_take(&c, IPV4_HEADER_LEN);

	if (!ip || ip[0] >> 4 != 4)
		return PACKET_MALFORMED;
	if (ip[9] == PROTOCOL_OF_ICMP)
		return enter_ipv4_icmp(p, c, ip);
	if (ip[9] != PROTOCOL_TCP && !is_tunnel(&c, ip[9]))
		return PACKET_NOT_TCP;
	header_len = (size_t)(ip[0] & 0x0f) * 4;
	total_len = get_be16(ip + 2);
	if (total_len == 0 && is_super_packet(wire_len))
		total_len = wire_len;
	if (header_len < IPV4_HEADER_LEN || total_len < header_len ||
	    (total_len > wire_len && !is_cut(p, &c)))
		return PACKET_MALFORMED;
	if (get_be16(ip + 6) & 0x3fff) /* more fragments, or an offset */
		return PACKET_FRAGMENT;
	cursor_clip(&c, total_len - IPV4_HEADER_LEN);
	if (!cursor_take(&c, header_len - IPV4_HEADER_LEN))
		return PACKET_MALFORMED;

	if (ip[9] != PROTOCOL_TCP)
		return enter_tunnel(p, c, ip[9]);
	p->ip = ip;
	p->tuple.src.addr = ip_addr_v4_bytes(ip + 12);
	p->tuple.dst.addr = ip_addr_v4_bytes(ip + 16);
	p->ttl = ip[8];
	p->ip_id = get_be16(ip + 4);
	return enter_tcp(p, c);
}

static bool is_ipv6_extension(uint8_t next_header)
{
	switch (next_header) {
	case IPV6_HOP_BY_HOP:
	case IPV6_ROUTING:
	case IPV6_FRAGMENT:
	case IPV6_AUTHENTICATION:
	case IPV6_DESTINATION:
	case IPV6_MOBILITY:
	case IPV6_HIP:
	case IPV6_SHIM6:
		return true;
	default:
		return false;
	}
}

/*
 * RFC 8200, section 4. An atomic fragment (no offset, none follows; RFC 6946) is a whole packet.
 */
static enum packet_result skip_extensions(struct cursor *c, uint8_t *next_header)
{
	for (int skipped = 0; *next_header != PROTOCOL_TCP; skipped++) {
		const uint8_t *extension;
		size_t len = IPV6_EXTENSION_UNIT;

		if (!is_ipv6_extension(*next_header))
			return is_tunnel(c, *next_header) ? PACKET_OK : PACKET_NOT_TCP;
		extension = cursor_take(c, IPV6_EXTENSION_UNIT);
		if (!extension || skipped == IPV6_EXTENSIONS_MAX)
			return PACKET_MALFORMED;
		if (*next_header == IPV6_AUTHENTICATION) /* RFC 4302: in words, less two */
			len = ((size_t)extension[1] + 2) * 4;
		else if (*next_header != IPV6_FRAGMENT)
			len = ((size_t)extension[1] + 1) * IPV6_EXTENSION_UNIT;
		else if (get_be16(extension + 2) & 0xfff9) /* an offset, or more fragments */
			return extension[0] == PROTOCOL_TCP || is_ipv6_extension(extension[0]) ||
					       is_tunnel(c, extension[0])
				       ? PACKET_FRAGMENT
				       : PACKET_NOT_TCP;
		if (!cursor_take(c, len - IPV6_EXTENSION_UNIT))
			return PACKET_MALFORMED;
		*next_header = extension[0];
	}
	return PACKET_OK;
}

/* RFC 8200, section 3. A jumbo option (RFC 2675) is not read: the frame tells its length. */
static OUT_OF_LINE enum packet_result enter_ipv6(struct packet *p, struct cursor c)
{
	const uint8_t *ip = cursor_take(&c, IPV6_HEADER_LEN);
	enum packet_result result;
	uint8_t next_header;
	size_t payload_len;

	if (!ip || ip[0] >> 4 != 6)
		return PACKET_MALFORMED;
	payload_len = get_be16(ip + 4);
	if (payload_len == 0 && is_super_packet(c.wire_left_bytes))
		payload_len = c.wire_left_bytes;
	if (payload_len > c.wire_left_bytes && !is_cut(p, &c))
		return PACKET_MALFORMED;
	p->tuple.src.addr = ip_addr_v6_bytes(ip + 8);
	p->tuple.dst.addr = ip_addr_v6_bytes(ip + 24);
	/* Here these would pass for IPv4 addresses; no host may send them (RFC 4942, 2.2). */
	if (ip_addr_is_v4(&p->tuple.src.addr) || ip_addr_is_v4(&p->tuple.dst.addr))
		return PACKET_MALFORMED;
	p->ttl = ip[7];
	p->ip_id = 0;
	p->ip = ip;
	cursor_clip(&c, payload_len);
	if (ip[6] == PROTOCOL_OF_ICMPV6)
		return enter_icmp(p, c, false);
	next_header = ip[6];
	result = skip_extensions(&c, &next_header);
	if (result != PACKET_OK)
		return result;
	return next_header == PROTOCOL_TCP ? enter_tcp(p, c) : enter_tunnel(p, c, next_header);
}

/* Of a VLAN tag, or what it says follows. */
static OUT_OF_LINE enum packet_result enter_ethertype(struct packet *p, struct cursor c,
						      uint16_t ethertype)
{
	for (int tags = 0; tags < VLAN_TAGS_MAX; tags++) {
		const uint8_t *tag;

		if (ethertype != ETHERTYPE_OF_VLAN && ethertype != ETHERTYPE_OF_SERVICE_VLAN &&
		    ethertype != ETHERTYPE_OF_OUTER_VLAN)
			break;
		tag = cursor_take(&c, VLAN_TAG_LEN);
		if (!tag)
			return PACKET_MALFORMED;
		p->vlan_tags++;
		ethertype = get_be16(tag + 2);
	}
	switch (ethertype) {
	case ETHERTYPE_OF_IPV4:
		return enter_ipv4(p, c);
	case ETHERTYPE_OF_IPV6:
		return enter_ipv6(p, c);
	default:
		return PACKET_NOT_TCP;
	}
}

static IN_LINE enum packet_result enter_ethernet(struct packet *p, struct cursor c)
{
	const uint8_t *header = cursor_take(&c, ETHERNET_HEADER_LEN);

	if (!header)
		return PACKET_MALFORMED;
	if (get_be16(header + 12) == ETHERTYPE_OF_IPV4)
		return enter_ipv4(p, c);
	return enter_ethertype(p, c, get_be16(header + 12));
}

static OUT_OF_LINE enum packet_result enter_tunnel(struct packet *p, struct cursor c,
						   uint8_t protocol)
{
	enum packet_result result;
	uint16_t ethertype;

	if (p->tunnels == PACKET_TUNNELS_MAX)
		return PACKET_NOT_TCP;
	result = packet_tunnel_enter(&c, protocol, &ethertype);
	if (result != PACKET_OK)
		return result;
	p->tunnels++;
	return ethertype == ETHERTYPE_OF_ETHERNET ? enter_ethernet(p, c)
						  : enter_ethertype(p, c, ethertype);
}

/* To us, broadcast, multicast, to somebody else, from us; as in Linux's sockaddr_ll. */
static uint8_t sll_direction(unsigned packet_type)
{
	if (packet_type > 4)
		return PACKET_DIRECTION_UNKNOWN;
	return packet_type == 4 ? PACKET_OUTGOING : PACKET_INCOMING;
}

static OUT_OF_LINE enum packet_result enter_sll(struct packet *p, struct cursor c)
{
	const uint8_t *header = cursor_take(&c, SLL_HEADER_LEN);

	if (!header)
		return PACKET_MALFORMED;
	p->direction = sll_direction(get_be16(header));
	return enter_ethertype(p, c, get_be16(header + 14));
}

static OUT_OF_LINE enum packet_result enter_sll2(struct packet *p, struct cursor c)
{
	const uint8_t *header = cursor_take(&c, SLL2_HEADER_LEN);

	if (!header)
		return PACKET_MALFORMED;
	p->direction = sll_direction(header[10]);
	return enter_ethertype(p, c, get_be16(header));
}

/*
 * The address family comes in the byte order of the host that captured, which a file does not
 * tell; families are small numbers, so the half that is not zero does. AF_INET6 differs by system.
 */
static OUT_OF_LINE enum packet_result enter_loop(struct packet *p, struct cursor c)
{
	const uint8_t *header = cursor_take(&c, LOOP_HEADER_LEN);
	unsigned family;

	if (!header)
		return PACKET_MALFORMED;
	if (get_be16(header) == 0)
		family = get_be16(header + 2);
	else if (get_be16(header + 2) == 0)
		family = header[0] | (unsigned)header[1] << 8;
	else
		return PACKET_NOT_TCP;
	switch (family) {
	case 2: /* AF_INET everywhere */
		return enter_ipv4(p, c);
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return enter_ipv6(p, c);
	default:
		return PACKET_NOT_TCP;
	}
}

static OUT_OF_LINE enum packet_result enter_raw(struct packet *p, struct cursor c)
{
	if (byte_reader_left(&c.captured) == 0)
		return PACKET_MALFORMED;
	return c.captured.at[0] >> 4 == 6 ? enter_ipv6(p, c) : enter_ipv4(p, c);
}

enum packet_result packet_parse(struct packet *p, int link_type, const uint8_t *frame,
				size_t captured_len_bytes, size_t wire_len_bytes)
{
	struct cursor c = {
		.captured = byte_reader_on(frame, captured_len_bytes),
		/* A file may claim less than it holds. */
		.wire_left_bytes =
			wire_len_bytes > captured_len_bytes ? wire_len_bytes : captured_len_bytes,
		.is_mirrored = link_type & PACKET_LINK_MIRRORED,
	};

	/* What the layers find; each of them sets all of its own. */
	p->direction = PACKET_DIRECTION_UNKNOWN;
	p->vlan_tags = 0;
	p->tunnels = 0;
	p->is_cut = false;
	p->icmp = NULL;
	link_type &= ~PACKET_LINK_MIRRORED;
	if (link_type == PACKET_LINK_ETHERNET) /* nearly always */
		return enter_ethernet(p, c);
	switch (link_type) {
	case PACKET_LINK_LINUX_SLL:
		return enter_sll(p, c);
	case PACKET_LINK_LINUX_SLL2:
		return enter_sll2(p, c);
	case PACKET_LINK_NULL:
	case PACKET_LINK_LOOP:
		return enter_loop(p, c);
	case PACKET_LINK_RAW_BSD:
	case PACKET_LINK_RAW:
		return enter_raw(p, c);
	case PACKET_LINK_IPV4:
		return enter_ethertype(p, c, ETHERTYPE_OF_IPV4);
	case PACKET_LINK_IPV6:
		return enter_ipv6(p, c);
	default:
		return PACKET_UNKNOWN_LINK;
	}
}

bool packet_checksum_ok(const struct packet *p)
{
	size_t header_len = (size_t)TCP_HEADER_LEN + p->options_len_bytes;
	uint64_t pseudo, sum;

	if (p->payload_len_bytes < p->payload_wire_len_bytes)
		return true;
	pseudo = checksum_pseudo(&p->tuple.src.addr, &p->tuple.dst.addr, p->tuple.protocol,
				 (uint32_t)header_len + p->payload_len_bytes);
	/* Cheap, and on a host with offload the usual case. */
	if (p->tcp_checksum == checksum_fold(pseudo))
		return true;
	/* The payload follows the header in the frame. */
	sum = checksum_add(pseudo, p->tcp, header_len + p->payload_len_bytes);
	return checksum_fold(sum) == 0xffff;
}

const char *packet_result_name(enum packet_result result)
{
	switch (result) {
	case PACKET_OK:
		return "ok";
	case PACKET_NOT_TCP:
		return "not-tcp";
	case PACKET_FRAGMENT:
		return "fragment";
	case PACKET_MALFORMED:
		return "malformed";
	case PACKET_UNKNOWN_LINK:
		return "unknown-link";
	}
	return "unknown";
}
