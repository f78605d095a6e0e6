/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet_builder.h - frames for tests, from arguments that read like packets.
 *
 *	struct built_frame f = build_frame(&(struct frame_spec){
 *		.src = "10.0.0.1:1234", .dst = "10.0.0.2:80",
 *		.flags = "P.", .seq = 1001, .ack = 1, .payload = "GET /"});
 *	packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes);
 *	built_frame_free(&f);
 *
 * The contract:
 * - A field that is left out has the value given at its declaration; everything together is a
 *   valid frame with right lengths and checksums, unless the spec asks for something else.
 * - The frame is a heap block of exactly len_bytes, so that a sanitizer sees any read past its end.
 *   The caller frees it.
 * - The offsets ip_at, tcp_at and payload_at are for tests that damage the frame afterwards.
 * - A spec that makes no sense (an address that does not parse, unknown flags or options) fails an
 *   assertion: that is a mistake in the test.
 * - Addresses, options and checksums are made here by plain code of their own, so that a test which
 *   compares them with the code under test has two opinions.
 */
#ifndef TESTS_UNIT_PACKET_BUILDER_H
#define TESTS_UNIT_PACKET_BUILDER_H

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"

enum build_link {
	BUILD_ETHERNET, /* 02:00:00:00:00:01 > 02:00:00:00:00:02 */
	BUILD_SLL,
	BUILD_SLL2,
	BUILD_RAW,
	BUILD_NULL, /* family in this host's byte order */
	BUILD_LOOP, /* family in network byte order */
};

enum build_checksum {
	BUILD_CHECKSUM_RIGHT,
	BUILD_CHECKSUM_UNFINISHED, /* as Linux leaves it to the device (CHECKSUM_PARTIAL) */
	BUILD_CHECKSUM_WRONG,      /* right, with one bit turned */
};

struct frame_spec {
	enum build_link link;      /* Ethernet */
	uint16_t vlan_types[8];    /* outermost first, up to the first 0; none */
	unsigned sll_packet_type;  /* 0: to us; 4: from us */
	const char *src;           /* "10.0.0.1:1234", "[2001:db8::1]:1234"; needed */
	const char *dst;           /* likewise, of the same family */
	const char *flags;         /* letters of "SFRPU.", as packet_print has them; "-": none */
	uint32_t seq;              /* 0 */
	uint32_t ack;              /* 0 */
	uint16_t window;           /* 65535 */
	bool zero_window;          /* a window of 0 */
	const char *options;       /* "mss 1460,nop,wscale 7,sackOK,TS val 1 ecr 2,hex 0802"; none.
				      Padded with zeros to a multiple of four. */
	const char *payload;       /* a text; NULL: a pattern of payload_len_bytes */
	size_t payload_len_bytes;  /* 0: the length of the text */
	uint8_t ttl;               /* 64 */
	uint16_t ip_id;            /* 0 */
	uint8_t ip_options_len;    /* IPv4: so many bytes of NOP; a multiple of four; 0 */
	const uint8_t *extensions; /* IPv6: verbatim between header and TCP; none */
	size_t extensions_len_bytes;
	uint8_t first_extension; /* its kind, if extensions are given */
	enum build_checksum checksum;
	size_t padding_bytes; /* so many bytes of 0xee behind the IP packet; 0 */
};

struct built_frame {
	uint8_t *data; /* owned */
	size_t len_bytes;
	int link_type; /* enum packet_link_type */
	size_t ip_at;
	size_t tcp_at;
	size_t payload_at;
};

static inline void built_frame_free(struct built_frame *f)
{
	free(f->data);
	*f = (struct built_frame){0};
}

/* --- What build_frame is made of ----------------------------------------------------------- */

struct build_endpoint {
	int family; /* AF_INET, AF_INET6 */
	uint8_t addr[16];
	size_t addr_len;
	uint16_t port;
};

static inline void build_be16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void build_be32(uint8_t *at, uint32_t v)
{
	build_be16(at, v >> 16);
	build_be16(at + 2, v & 0xffff);
}

/* The textbook checksum: 16 bits at a time, not complemented. */
static inline uint32_t build_sum(uint32_t sum, const uint8_t *data, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline struct build_endpoint build_endpoint_of(const char *text)
{
	struct build_endpoint e = {.family = text[0] == '[' ? AF_INET6 : AF_INET};
	const char *colon = strrchr(text, ':');
	char addr[64] = "";
	size_t skip = e.family == AF_INET6, len;

	assert(colon && "an endpoint is address:port");
	len = (size_t)(colon - text) - 2 * skip;
	assert(len < sizeof(addr));
	memcpy(addr, text + skip, len);
	if (inet_pton(e.family, addr, e.addr) != 1)
		assert(!"the address does not parse");
	e.addr_len = e.family == AF_INET6 ? 16 : 4;
	e.port = (uint16_t)atoi(colon + 1);
	return e;
}

static inline uint8_t build_flags_of(const char *text)
{
	uint8_t flags = 0;

	if (text && strcmp(text, "-") == 0)
		return 0;
	for (; text && *text; text++) {
		const char *letters = "FSRP.U"; /* in the order of the bits */
		const char *at = strchr(letters, *text);

		assert(at && "flags are letters of SFRPU.");
		flags |= (uint8_t)(1 << (at - letters));
	}
	return flags;
}

static inline size_t build_one_option(uint8_t *at, const char *text)
{
	unsigned a, b;
	int n = 0;

	if (strcmp(text, "nop") == 0 || strcmp(text, "eol") == 0) {
		at[0] = text[0] == 'n';
		return 1;
	}
	if (strcmp(text, "sackOK") == 0) {
		memcpy(at, "\x04\x02", 2);
		return 2;
	}
	if (sscanf(text, "mss %u", &a) == 1) {
		memcpy(at, "\x02\x04", 2);
		build_be16(at + 2, a);
		return 4;
	}
	if (sscanf(text, "wscale %u", &a) == 1) {
		memcpy(at, "\x03\x03", 2);
		at[2] = (uint8_t)a;
		return 3;
	}
	if (sscanf(text, "TS val %u ecr %u", &a, &b) == 2) {
		memcpy(at, "\x08\x0a", 2);
		build_be32(at + 2, a);
		build_be32(at + 6, b);
		return 10;
	}
	assert(strncmp(text, "hex ", 4) == 0 && "an option that packet_builder.h does not know");
	while (sscanf(text + 4 + 2 * n, "%2x", &a) == 1)
		at[n++] = (uint8_t)a;
	return (size_t)n;
}

/* Returns the length with the padding. */
static inline size_t build_options(uint8_t options[64], const char *text)
{
	size_t len = 0;

	memset(options, 0, 64);
	while (text && *text) {
		size_t n = strcspn(text, ",");
		char one[128] = "";

		assert(n < sizeof(one));
		memcpy(one, text, n);
		len += build_one_option(options + len, one);
		assert(len <= 40 && "TCP has room for 40 bytes of options");
		text += n + (text[n] == ',');
	}
	return (len + 3) / 4 * 4;
}

/* Returns the length; *ethertype_at is where the type of what follows belongs, if there is one. */
static inline size_t build_link_header(uint8_t header[64], size_t *ethertype_at, int *link_type,
				       const struct frame_spec *spec, bool is_v6)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	uint32_t family = is_v6 ? AF_INET6 : AF_INET;

	memset(header, 0, 64);
	switch (spec->link) {
	case BUILD_ETHERNET:
		*link_type = PACKET_LINK_ETHERNET;
		memcpy(header, macs, sizeof(macs));
		*ethertype_at = 12;
		return 14;
	case BUILD_SLL:
		*link_type = PACKET_LINK_LINUX_SLL;
		build_be16(header, spec->sll_packet_type);
		build_be16(header + 2, 1); /* ARPHRD_ETHER */
		build_be16(header + 4, 6);
		memcpy(header + 6, macs + 6, 6);
		*ethertype_at = 14;
		return 16;
	case BUILD_SLL2:
		*link_type = PACKET_LINK_LINUX_SLL2;
		build_be32(header + 4, 2); /* interface */
		build_be16(header + 8, 1);
		header[10] = (uint8_t)spec->sll_packet_type;
		header[11] = 6;
		memcpy(header + 12, macs + 6, 6);
		*ethertype_at = 0;
		return 20;
	case BUILD_RAW:
		*link_type = PACKET_LINK_RAW;
		return 0;
	case BUILD_NULL:
		*link_type = PACKET_LINK_NULL;
		memcpy(header, &family, sizeof(family));
		return 4;
	case BUILD_LOOP:
		*link_type = PACKET_LINK_LOOP;
		build_be32(header, family);
		return 4;
	}
	assert(!"a link that packet_builder.h does not know");
	return 0;
}

/* The link header with its VLAN tags. Returns the length. */
static inline size_t build_link(uint8_t header[64], int *link_type, const struct frame_spec *spec,
				bool is_v6)
{
	size_t ethertype_at = SIZE_MAX;
	size_t len = build_link_header(header, &ethertype_at, link_type, spec, is_v6);

	if (ethertype_at == SIZE_MAX)
		return len;
	for (int i = 0; i < 8 && spec->vlan_types[i]; i++) {
		build_be16(header + ethertype_at, spec->vlan_types[i]);
		build_be16(header + len, 100 + (uint32_t)i); /* VLAN id */
		ethertype_at = len + 2;
		len += 4;
	}
	build_be16(header + ethertype_at, is_v6 ? 0x86dd : 0x0800);
	return len;
}

/* Writes the IP header for what_follows bytes behind it. A length above 16 bits becomes 0. */
static inline void build_ip(uint8_t *ip, const struct frame_spec *spec, size_t header_len,
			    size_t what_follows, const struct build_endpoint *src,
			    const struct build_endpoint *dst)
{
	size_t total_len = header_len + what_follows;

	if (src->family == AF_INET6) {
		size_t payload_len = total_len - 40;

		ip[0] = 0x60;
		build_be16(ip + 4, payload_len > 65535 ? 0 : (uint32_t)payload_len);
		ip[6] = spec->extensions ? spec->first_extension : 6;
		ip[7] = spec->ttl ? spec->ttl : 64;
		memcpy(ip + 8, src->addr, 16);
		memcpy(ip + 24, dst->addr, 16);
		if (spec->extensions)
			memcpy(ip + 40, spec->extensions, spec->extensions_len_bytes);
		return;
	}
	ip[0] = (uint8_t)(0x40 | header_len / 4);
	build_be16(ip + 2, total_len > 65535 ? 0 : (uint32_t)total_len);
	build_be16(ip + 4, spec->ip_id);
	ip[6] = 0x40; /* do not fragment */
	ip[8] = spec->ttl ? spec->ttl : 64;
	ip[9] = 6;
	memcpy(ip + 12, src->addr, 4);
	memcpy(ip + 16, dst->addr, 4);
	memset(ip + 20, 1, spec->ip_options_len);
	build_be16(ip + 10, ~build_sum(0, ip, header_len));
}

static inline void build_payload(uint8_t *at, const struct frame_spec *spec, size_t len_bytes)
{
	if (spec->payload)
		memcpy(at, spec->payload, len_bytes);
	for (size_t i = 0; !spec->payload && i < len_bytes; i++)
		at[i] = (uint8_t)(i * 7 + (i >> 8));
}

static inline void build_tcp_checksum(uint8_t *tcp, size_t len_bytes, enum build_checksum kind,
				      const struct build_endpoint *src,
				      const struct build_endpoint *dst)
{
	uint8_t length_and_protocol[8] = {[7] = 6};
	uint32_t pseudo, sum;

	build_be32(length_and_protocol, (uint32_t)len_bytes);
	pseudo = build_sum(0, src->addr, src->addr_len);
	pseudo = build_sum(pseudo, dst->addr, dst->addr_len);
	pseudo = build_sum(pseudo, length_and_protocol, sizeof(length_and_protocol));
	build_be16(tcp + 16, 0);
	sum = ~build_sum(pseudo, tcp, len_bytes) & 0xffff;
	if (kind == BUILD_CHECKSUM_UNFINISHED)
		sum = pseudo;
	if (kind == BUILD_CHECKSUM_WRONG)
		sum ^= 0x0400;
	build_be16(tcp + 16, sum);
}

static inline void build_tcp(uint8_t *tcp, const struct frame_spec *spec, size_t options_len,
			     const uint8_t *options, uint16_t src_port, uint16_t dst_port)
{
	build_be16(tcp, src_port);
	build_be16(tcp + 2, dst_port);
	build_be32(tcp + 4, spec->seq);
	build_be32(tcp + 8, spec->ack);
	tcp[12] = (uint8_t)((20 + options_len) / 4 << 4);
	tcp[13] = build_flags_of(spec->flags);
	if (!spec->zero_window)
		build_be16(tcp + 14, spec->window ? spec->window : 65535);
	memcpy(tcp + 20, options, options_len);
}

static inline struct built_frame build_frame(const struct frame_spec *spec)
{
	struct build_endpoint src = build_endpoint_of(spec->src);
	struct build_endpoint dst = build_endpoint_of(spec->dst);
	bool is_v6 = src.family == AF_INET6;
	uint8_t link_header[64], options[64];
	struct built_frame f = {0};
	size_t options_len = build_options(options, spec->options), ip_header_len, tcp_len,
	       payload_len = spec->payload_len_bytes;

	assert(src.family == dst.family);
	if (spec->payload && payload_len == 0)
		payload_len = strlen(spec->payload);
	ip_header_len = is_v6 ? 40 + spec->extensions_len_bytes : 20u + spec->ip_options_len;
	tcp_len = 20 + options_len + payload_len;

	f.ip_at = build_link(link_header, &f.link_type, spec, is_v6);
	f.tcp_at = f.ip_at + ip_header_len;
	f.payload_at = f.tcp_at + 20 + options_len;
	f.len_bytes = f.payload_at + payload_len + spec->padding_bytes;
	f.data = calloc(1, f.len_bytes);
	assert(f.data);

	memcpy(f.data, link_header, f.ip_at);
	build_ip(f.data + f.ip_at, spec, ip_header_len, tcp_len, &src, &dst);
	build_tcp(f.data + f.tcp_at, spec, options_len, options, src.port, dst.port);
	build_payload(f.data + f.payload_at, spec, payload_len);
	build_tcp_checksum(f.data + f.tcp_at, tcp_len, spec->checksum, &src, &dst);
	memset(f.data + f.payload_at + payload_len, 0xee, spec->padding_bytes);
	return f;
}
#endif
