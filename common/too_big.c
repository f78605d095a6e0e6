/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * too_big.c - see too_big.h. The message's checksum is not looked at: it covers what a short snap length leaves out.
 */
#include "common/too_big.h"

#include "common/bytes.h"

enum {
	ICMP_UNREACHABLE = 3,
	ICMP_FRAGMENTATION_NEEDED = 4,
	ICMPV6_PACKET_TOO_BIG = 2,

	IPV4_HEADER_LEN = 20,
	IPV4_OFFSET_MASK = 0x1fff,
	IPV6_HEADER_LEN = 40,
};

/* RFC 792: at least 64 bits of what follows the IP header are quoted. */
static bool read_tcp(struct too_big *t, struct byte_reader *r)
{
	t->tuple.protocol = PROTOCOL_TCP;
	t->tuple.src.port = byte_reader_be16(r);
	t->tuple.dst.port = byte_reader_be16(r);
	t->seq = byte_reader_be32(r);
	return !r->failed;
}

static bool read_ipv4(struct too_big *t, struct byte_reader *r)
{
	const uint8_t *ip = byte_reader_take(r, IPV4_HEADER_LEN);
	size_t header_len;

	if (!ip || ip[0] >> 4 != 4 || ip[9] != PROTOCOL_TCP)
		return false;
	header_len = (size_t)(ip[0] & 0x0f) * 4;
	if (header_len < IPV4_HEADER_LEN || get_be16(ip + 6) & IPV4_OFFSET_MASK)
		return false;
	t->len_bytes = get_be16(ip + 2);
	t->tuple.src.addr = ip_addr_v4_bytes(ip + 12);
	t->tuple.dst.addr = ip_addr_v4_bytes(ip + 16);
	return byte_reader_take(r, header_len - IPV4_HEADER_LEN) && read_tcp(t, r);
}

static bool read_ipv6(struct too_big *t, struct byte_reader *r)
{
	const uint8_t *ip = byte_reader_take(r, IPV6_HEADER_LEN);

	if (!ip || ip[0] >> 4 != 6 || ip[6] != PROTOCOL_TCP)
		return false;
	t->len_bytes = (uint32_t)IPV6_HEADER_LEN + get_be16(ip + 4);
	t->tuple.src.addr = ip_addr_v6_bytes(ip + 8);
	t->tuple.dst.addr = ip_addr_v6_bytes(ip + 24);
	if (ip_addr_is_v4(&t->tuple.src.addr) || ip_addr_is_v4(&t->tuple.dst.addr))
		return false; /* here these would pass for IPv4 addresses */
	return read_tcp(t, r);
}

bool too_big_parse(struct too_big *t, const struct packet *p)
{
	struct byte_reader r = {.failed = true};
	uint8_t type, code;

	if (p->icmp)
		r = byte_reader_on(p->icmp, p->icmp_len_bytes);
	*t = (struct too_big){.mtu_bytes = 0};
	type = byte_reader_u8(&r);
	code = byte_reader_u8(&r);
	byte_reader_be16(&r); /* checksum */
	t->mtu_bytes = byte_reader_be32(&r);
	if (r.failed)
		return false;
	if (!p->icmp_is_v4)
		return type == ICMPV6_PACKET_TOO_BIG && read_ipv6(t, &r);
	t->mtu_bytes &= 0xffff; /* the other half is unused, and may hold anything */
	return type == ICMP_UNREACHABLE && code == ICMP_FRAGMENTATION_NEEDED && read_ipv4(t, &r);
}
