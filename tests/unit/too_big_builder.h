/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * too_big_builder.h - what a router says of a packet that is too big for its next link, as a frame:
 *
 *	struct built_frame f = build_too_big(&(struct too_big_spec){
 *		.packet = &(struct frame_spec){.src = ..., .dst = ..., .flags = ".", .payload_len_bytes = 1460},
 *		.mtu_bytes = 1280});
 *
 * ip_at is the router's IP header, payload_at the ICMP message, tcp_at the quoted packet. The family is that of the packet.
 */
#ifndef TESTS_UNIT_TOO_BIG_BUILDER_H
#define TESTS_UNIT_TOO_BIG_BUILDER_H

#include "tests/unit/packet_builder.h"

struct too_big_spec {
	const struct frame_spec *packet; /* needed; its link is that of the message */
	uint32_t mtu_bytes;
	size_t quoted_bytes; /* of the packet, its IP header included; 0: as much as Linux does */
};

static inline void build_router_ip(uint8_t *ip, const uint8_t *quoted, size_t icmp_len_bytes)
{
	static const uint8_t router_v4[4] = {10, 66, 0, 1};

	if (quoted[0] >> 4 == 6) {
		ip[0] = 0x60;
		build_be16(ip + 4, (uint32_t)icmp_len_bytes);
		ip[6] = 58;
		ip[7] = 64;
		memset(ip + 8, 0xfd, 16);
		memcpy(ip + 24, quoted + 8, 16); /* to whoever sent the packet */
		return;
	}
	ip[0] = 0x45;
	build_be16(ip + 2, (uint32_t)(20 + icmp_len_bytes));
	ip[8] = 64;
	ip[9] = 1;
	memcpy(ip + 12, router_v4, 4);
	memcpy(ip + 16, quoted + 12, 4);
	build_be16(ip + 10, ~build_sum(0, ip, 20));
}

static inline struct built_frame build_too_big(const struct too_big_spec *spec)
{
	struct built_frame packet = build_frame(spec->packet);
	const uint8_t *quoted = packet.data + packet.ip_at;
	bool is_v6 = quoted[0] >> 4 == 6;
	size_t ip_len = is_v6 ? 40 : 20, most = (is_v6 ? 1280 : 576) - ip_len - 8;
	size_t quoted_len = packet.len_bytes - packet.ip_at;
	struct built_frame f = {.link_type = packet.link_type, .ip_at = packet.ip_at};

	if (quoted_len > most)
		quoted_len = most;
	if (spec->quoted_bytes && quoted_len > spec->quoted_bytes)
		quoted_len = spec->quoted_bytes;
	f.payload_at = f.ip_at + ip_len;
	f.tcp_at = f.payload_at + 8;
	f.len_bytes = f.tcp_at + quoted_len;
	f.data = calloc(1, f.len_bytes);
	assert(f.data);
	memcpy(f.data, packet.data, f.ip_at);
	build_router_ip(f.data + f.ip_at, quoted, 8 + quoted_len);
	f.data[f.payload_at] = is_v6 ? 2 : 3;
	f.data[f.payload_at + 1] = is_v6 ? 0 : 4;
	build_be32(f.data + f.payload_at + 4, spec->mtu_bytes);
	memcpy(f.data + f.tcp_at, quoted, quoted_len);
	build_be16(f.data + f.payload_at + 2, ~build_sum(0, f.data + f.payload_at, 8 + quoted_len));
	built_frame_free(&packet);
	return f;
}
#endif
