/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/frame.h"

#include <stdbool.h>
#include <string.h>

enum {
	ETHERNET_LEN = 14,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	ICMP_LEN = 8,
	TCP_LEN = 20,
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/*
 * RFC 1071 in words of this host: the sum of 16-bit words is the same in either byte order but for the order
 * of its own two bytes, so it is stored as it was read.
 */
static uint64_t add(uint64_t sum, const uint8_t *data, size_t len)
{
	uint32_t words[4];
	uint16_t word;

	for (; len >= sizeof(words); data += sizeof(words), len -= sizeof(words)) {
		memcpy(words, data, sizeof(words));
		sum += (uint64_t)words[0] + words[1] + words[2] + words[3];
	}
	for (; len >= 2; data += 2, len -= 2) {
		memcpy(&word, data, 2);
		sum += word;
	}
	if (len) {
		uint8_t last[2] = {*data, 0};

		memcpy(&word, last, 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static size_t put_ipv4(uint8_t *ip, const struct frame *f, size_t tcp_len)
{
	uint16_t sum;

	memset(ip, 0, IPV4_LEN);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(IPV4_LEN + tcp_len));
	put16(ip + 4, f->ip_id);
	ip[6] = 0x40; /* do not fragment */
	ip[8] = f->ttl;
	ip[9] = PROTOCOL_TCP;
	memcpy(ip + 12, f->tuple->src.addr.b + 12, 4);
	memcpy(ip + 16, f->tuple->dst.addr.b + 12, 4);
	sum = (uint16_t)~fold(add(0, ip, IPV4_LEN));
	memcpy(ip + 10, &sum, 2);
	return IPV4_LEN;
}

static size_t put_ipv6(uint8_t *ip, const struct frame *f, size_t tcp_len)
{
	memset(ip, 0, IPV6_LEN);
	ip[0] = 0x60;
	put16(ip + 4, (uint32_t)tcp_len);
	ip[6] = PROTOCOL_TCP;
	ip[7] = f->ttl;
	memcpy(ip + 8, f->tuple->src.addr.b, 16);
	memcpy(ip + 24, f->tuple->dst.addr.b, 16);
	return IPV6_LEN;
}

static uint64_t pseudo_header(const struct frame *f, bool is_v4, size_t tcp_len)
{
	const uint8_t *src = f->tuple->src.addr.b, *dst = f->tuple->dst.addr.b;
	uint8_t rest[8] = {[7] = PROTOCOL_TCP};

	put32(rest, (uint32_t)tcp_len);
	if (is_v4)
		return add(add(add(0, src + 12, 4), dst + 12, 4), rest, sizeof(rest));
	return add(add(add(0, src, 16), dst, 16), rest, sizeof(rest));
}

static void put_checksum(uint8_t *tcp, const struct frame *f, bool is_v4, size_t tcp_len)
{
	uint64_t pseudo = pseudo_header(f, is_v4, tcp_len);
	uint16_t sum = fold(pseudo);

	if (f->checksum == FRAME_CHECKSUM_RIGHT)
		sum = (uint16_t)~fold(add(pseudo, tcp, tcp_len));
	memcpy(tcp + 16, &sum, 2);
}

size_t frame_build(uint8_t *buf, const struct frame *f, size_t *wire_len)
{
	static const uint8_t ethernet[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	bool is_v4 = ip_addr_is_v4(&f->tuple->dst.addr);
	size_t header_len = TCP_LEN + (size_t)f->options_len;
	size_t tcp_len = header_len + f->payload_len;
	uint8_t *tcp = buf + ETHERNET_LEN;

	memcpy(buf, ethernet, sizeof(ethernet));
	put16(buf + 12, is_v4 ? 0x0800 : 0x86dd);
	tcp += is_v4 ? put_ipv4(tcp, f, tcp_len) : put_ipv6(tcp, f, tcp_len);
	put16(tcp, f->tuple->src.port);
	put16(tcp + 2, f->tuple->dst.port);
	put32(tcp + 4, f->seq);
	put32(tcp + 8, f->ack);
	tcp[12] = (uint8_t)(header_len / 4 << 4);
	tcp[13] = f->flags;
	put16(tcp + 14, f->window);
	put32(tcp + 16, 0);
	if (f->options_len)
		memcpy(tcp + TCP_LEN, f->options, f->options_len);
	*wire_len = (size_t)(tcp - buf) + tcp_len;
	if (!f->payload && f->payload_len)
		return (size_t)(tcp - buf) + header_len;
	if (f->payload_len)
		memcpy(tcp + header_len, f->payload, f->payload_len);
	if (f->checksum != FRAME_CHECKSUM_NONE)
		put_checksum(tcp, f, is_v4, tcp_len);
	return *wire_len;
}

size_t frame_build_too_big(uint8_t *buf, const struct frame *f, uint32_t mtu)
{
	uint8_t quoted[FRAME_HEADERS_MAX], *ip = buf + ETHERNET_LEN, *icmp;
	struct frame big = *f;
	bool is_v4 = ip_addr_is_v4(&f->tuple->dst.addr);
	size_t wire_len, len, ip_len = is_v4 ? IPV4_LEN : IPV6_LEN;

	big.payload = NULL;
	len = frame_build(quoted, &big, &wire_len) - ETHERNET_LEN;
	memcpy(buf, quoted, ETHERNET_LEN + ip_len);
	icmp = ip + ip_len;
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = is_v4 ? 3 : 2;
	icmp[1] = is_v4 ? 4 : 0;
	put32(icmp + 4, mtu);
	memcpy(icmp + ICMP_LEN, quoted + ETHERNET_LEN, len);
	/* From a router to the packet's sender. Nobody looks at the checksums. */
	put16(ip + (is_v4 ? 2 : 4), (uint32_t)((is_v4 ? ip_len : 0) + ICMP_LEN + len));
	ip[is_v4 ? 9 : 6] = is_v4 ? 1 : 58;
	memcpy(ip + (is_v4 ? 16 : 24), f->tuple->src.addr.b + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
	return (size_t)(icmp - buf) + ICMP_LEN + len;
}

size_t frame_options(uint8_t *buf, const struct tcp_packet *p)
{
	const struct tcp_options *o = &p->options;
	uint8_t *at = buf;

	if (o->has_mss) {
		memcpy(at, "\x02\x04", 2);
		put16(at + 2, o->mss);
		at += 4;
	}
	if (o->has_sack_permitted) {
		memcpy(at, "\x04\x02\x01\x01", 4);
		at += 4;
	}
	if (o->has_timestamps) {
		memcpy(at, "\x01\x01\x08\x0a", 4);
		put32(at + 4, o->ts_val);
		put32(at + 8, o->ts_ecr);
		at += 12;
	}
	if (o->has_window_scale) {
		memcpy(at, "\x01\x03\x03", 3);
		at[3] = o->window_scale;
		at += 4;
	}
	if (p->sack_count) {
		memcpy(at, "\x01\x01\x05", 3);
		at[3] = (uint8_t)(2 + 8 * p->sack_count);
		for (unsigned i = 0; i < p->sack_count; i++) {
			put32(at + 4 + 8 * i, p->sack[i].left);
			put32(at + 8 + 8 * i, p->sack[i].right);
		}
		at += 4 + 8 * p->sack_count;
	}
	return (size_t)(at - buf);
}
