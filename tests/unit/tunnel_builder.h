/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tunnel_builder.h - the frames of packet_builder.h in the tunnels that mirrors use, for tests.
 */
#ifndef TESTS_UNIT_TUNNEL_BUILDER_H
#define TESTS_UNIT_TUNNEL_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/unit/packet_builder.h"

enum {
	FRAME_MAX = 2048,
	ETHERNET = 14,
	UDP = 17,
	GRE = 47,
};

/* What stands between the outer IP header and the inner packet. */
struct wrapping {
	const char *name;
	uint8_t protocol;
	size_t len_bytes;
	uint8_t header[32]; /* a UDP header without ports has its length filled in */
	bool is_bare;       /* an IP packet is inside, not an Ethernet frame */
};

#define UDP_TO(port) 0xc0, 0x01, (port) >> 8, (port)&0xff, 0, 0, 0, 0

static const struct wrapping wrappings[] = {
	{"VXLAN", UDP, 16, {UDP_TO(4789), 0x08, 0, 0, 0, 0, 0, 7, 0}, false},
	{"VXLAN, old port", UDP, 16, {UDP_TO(8472), 0x08, 0, 0, 0, 0, 0, 7, 0}, false},
	{"VXLAN with a policy", UDP, 16, {UDP_TO(4789), 0x88, 0x40, 1, 2, 0, 0, 7, 0}, false},
	{"GENEVE", UDP, 16, {UDP_TO(6081), 0, 0, 0x65, 0x58, 0, 0, 7, 0}, false},
	{"GENEVE with options, IP",
	 UDP,
	 24,
	 {UDP_TO(6081), 2, 0, 0x08, 0, 0, 0, 7, 0, 1, 1, 1, 1, 2, 3, 4, 5},
	 true},
	{"GRE, IP", GRE, 4, {0, 0, 0x08, 0}, true},
	{"GRE, checksum", GRE, 8, {0x80, 0, 0x08, 0, 0xab, 0xcd, 0, 0}, true},
	{"GRE, key", GRE, 8, {0x20, 0, 0x08, 0, 1, 2, 3, 4}, true},
	{"GRE, all", GRE, 16, {0xb0, 0, 0x08, 0, 1, 2, 0, 0, 3, 4, 5, 6, 7, 8, 9, 10}, true},
	{"GRE, Ethernet", GRE, 4, {0, 0, 0x65, 0x58}, false},
	{"NVGRE", GRE, 8, {0x20, 0, 0x65, 0x58, 0, 0, 7, 1}, false},
	{"ERSPAN I", GRE, 4, {0, 0, 0x88, 0xbe}, false},
	{"ERSPAN II", GRE, 16, {0x10, 0, 0x88, 0xbe, 0, 0, 0, 9, 0x10, 7, 0x18, 5}, false},
	{"ERSPAN II, key", GRE, 20, {0x30, 0, 0x88, 0xbe, 0, 0, 0, 0, 0, 0, 0, 9, 0x10, 7}, false},
	{"ERSPAN III",
	 GRE,
	 20,
	 {0x10, 0, 0x22, 0xeb, 0, 0, 0, 9, 0x20, 7, 0x18, 5, 1, 2, 3, 4, 0, 0, 0x80, 0},
	 false},
	{"ERSPAN III, more",
	 GRE,
	 28,
	 {0x10, 0, 0x22, 0xeb, 0, 0, 0, 9, 0x20, 7, 0x18, 5, 1, 2, 3, 4, 0, 0, 0, 0x01, 3, 1, 4},
	 false},
	{"ERSPAN III, IP",
	 GRE,
	 20,
	 {0x10, 0, 0x22, 0xeb, 0, 0, 0, 9, 0x20, 7, 0x18, 5, 1, 2, 3, 4, 0, 0, 0x08, 0},
	 true},
};

enum {
	WRAPPINGS = sizeof(wrappings) / sizeof(wrappings[0]),
	ERSPAN_III = 14,
};

static inline void put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* Ethernet and IP from 192.0.2.1 to 192.0.2.2, or of 2001:db8:ffff::/64, with so much behind it. */
static inline size_t put_outer(uint8_t *frame, bool is_v6, uint8_t protocol, size_t payload_len)
{
	uint8_t *ip = frame + ETHERNET;

	memset(frame, 2, 12);
	put16(frame + 12, is_v6 ? 0x86dd : 0x0800);
	if (is_v6) {
		memset(ip, 0, 40);
		ip[0] = 0x60;
		put16(ip + 4, payload_len);
		ip[6] = protocol;
		ip[7] = 64;
		memcpy(ip + 8, "\x20\x01\x0d\xb8\xff\xff", 6);
		memcpy(ip + 24, "\x20\x01\x0d\xb8\xff\xff", 6);
		return ETHERNET + 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + payload_len);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, "\xc0\x00\x02\x01\xc0\x00\x02\x02", 8);
	return ETHERNET + 20;
}

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len_bytes;
	size_t tunnel_at;
	size_t inner_at;
};

static inline void wrap_bytes(struct frame *f, const struct wrapping *w, bool outer_v6,
			      const uint8_t *inner, size_t inner_len)
{
	uint8_t copy[FRAME_MAX];

	memcpy(copy, inner, inner_len); /* it may be in f */
	f->tunnel_at = put_outer(f->bytes, outer_v6, w->protocol, w->len_bytes + inner_len);
	memcpy(f->bytes + f->tunnel_at, w->header, w->len_bytes);
	if (w->protocol == UDP)
		put16(f->bytes + f->tunnel_at + 4, w->len_bytes + inner_len);
	f->inner_at = f->tunnel_at + w->len_bytes;
	memcpy(f->bytes + f->inner_at, copy, inner_len);
	f->len_bytes = f->inner_at + inner_len;
}

static inline void wrap(struct frame *f, const struct wrapping *w, bool outer_v6,
			const struct frame_spec *spec)
{
	struct built_frame inner = build_frame(spec);
	size_t skipped = w->is_bare ? inner.ip_at : 0;

	assert(inner.link_type == PACKET_LINK_ETHERNET);
	wrap_bytes(f, w, outer_v6, inner.data + skipped, inner.len_bytes - skipped);
	built_frame_free(&inner);
}

static inline const struct wrapping *wrapping_of(const char *name)
{
	for (size_t i = 0; i < WRAPPINGS; i++)
		if (strcmp(wrappings[i].name, name) == 0)
			return &wrappings[i];
	assert(!"a wrapping of this name");
	return NULL;
}
#endif
