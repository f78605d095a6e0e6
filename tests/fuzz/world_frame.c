/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world_frame.c - the frames of the world: headers by hand, payload by place. Damage is done last,
 * so that everything else about the frame is right.
 */
#include "common/bytes.h"
#include "common/checksum.h"
#include "common/packet.h"
#include "tests/fuzz/world.h"

enum {
	ETHERNET_LEN = 14,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	TCP_LEN = 20,
	TTL = 64,
};

/* What a SYN may bring; what clients send, and what they should not. */
static const struct {
	uint8_t len;
	uint8_t bytes[20];
} world_options[] = {
	{0, {0}},
	{4, {2, 4, 0x05, 0xb4}},
	{8, {2, 4, 0x05, 0xb4, 1, 3, 3, 7}},
	{20, {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7}},
	{16, {2, 4, 0x05, 0xb4, 1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0}},
	{8, {2, 4, 0, 1, 1, 3, 3, 14}},
	{8, {3, 3, 255, 1, 2, 4, 0, 0}},
	{4, {30, 4, 0, 0}},
	{4, {8, 2, 2, 1}},
};

#define CONTENT_STEP 2654435761u

/* The content of a stream at seq: of x, which goes on by CONTENT_STEP a byte. */
static uint32_t content_at(size_t flow, uint32_t seq)
{
	return (seq + (uint32_t)flow * 77777u) * CONTENT_STEP;
}

static uint8_t content_of(uint32_t x, unsigned variant)
{
	return (uint8_t)((x >> 24) ^ (x >> 13) ^ variant * 0x55);
}

/* It takes most of a run's time, and the buffer is large enough. */
__attribute__((no_sanitize("address", "undefined"))) static void
fill(uint8_t *payload, size_t flow, uint32_t seq, unsigned variant, uint32_t len)
{
	uint32_t x = content_at(flow, seq);

	for (uint32_t i = 0; i < len; i++, x += CONTENT_STEP)
		payload[i] = content_of(x, variant);
}

__attribute__((no_sanitize("address", "undefined"))) size_t
world_match(const uint8_t *bytes, size_t len, size_t flow, uint32_t seq, unsigned variant)
{
	uint32_t x = content_at(flow, seq);
	size_t n = 0;

	for (; n < len && bytes[n] == content_of(x, variant); n++)
		x += CONTENT_STEP;
	return n;
}

static uint8_t *put_ip(uint8_t *at, const struct endpoint *src, const struct endpoint *dst,
		       size_t tcp_len)
{
	if (!ip_addr_is_v4(&src->addr)) {
		memset(at, 0, IPV6_LEN);
		at[0] = 0x60;
		put_be16(at + 4, (uint16_t)tcp_len);
		at[6] = PROTOCOL_TCP;
		at[7] = TTL;
		memcpy(at + 8, src->addr.b, 16);
		memcpy(at + 24, dst->addr.b, 16);
		return at + IPV6_LEN;
	}
	memset(at, 0, IPV4_LEN);
	at[0] = 0x45;
	put_be16(at + 2, (uint16_t)(IPV4_LEN + tcp_len));
	at[8] = TTL;
	at[9] = PROTOCOL_TCP;
	put_be32(at + 12, ip_addr_to_v4(&src->addr));
	put_be32(at + 16, ip_addr_to_v4(&dst->addr));
	return at + IPV4_LEN;
}

static void put_checksum(uint8_t *tcp, const struct endpoint *src, const struct endpoint *dst,
			 size_t tcp_len, enum world_damage damage)
{
	uint64_t sum = checksum_pseudo(&src->addr, &dst->addr, PROTOCOL_TCP, (uint32_t)tcp_len);
	uint16_t value = checksum_fold(sum);

	put_be16(tcp + 16, 0);
	if (damage == WORLD_SOUND_CHECKSUM || damage == WORLD_WRONG_CHECKSUM)
		value = (uint16_t)~checksum_fold(checksum_add(sum, tcp, tcp_len));
	/* Another value than the right one and than the unfinished one. */
	while (damage == WORLD_WRONG_CHECKSUM) {
		value ^= 0x0100;
		if (value != checksum_fold(sum))
			break;
		value ^= 0x0101;
	}
	put_be16(tcp + 16, value);
}

static size_t put_tcp(uint8_t *tcp, const struct world *w, const struct world_packet *p)
{
	size_t options = p->options % (sizeof(world_options) / sizeof(world_options[0]));
	size_t options_len = p->flags & TCP_SYN ? world_options[options].len : 0;
	const struct world_flow *f = &w->flows[p->flow];
	uint8_t *payload = tcp + TCP_LEN + options_len;

	memset(tcp, 0, TCP_LEN);
	put_be16(tcp, p->from_server ? f->server.port : f->client.port);
	put_be16(tcp + 2, p->from_server ? f->client.port : f->server.port);
	put_be32(tcp + 4, p->seq);
	put_be32(tcp + 8, p->flags & TCP_ACK ? p->ack : 0);
	tcp[12] = (uint8_t)((TCP_LEN + options_len) / 4 << 4);
	tcp[13] = p->flags;
	put_be16(tcp + 14, UINT16_MAX);
	memcpy(tcp + TCP_LEN, world_options[options].bytes, options_len);
	fill(payload, p->flow, p->seq + (p->flags & TCP_SYN ? 1 : 0), p->variant, p->len_bytes);
	return TCP_LEN + options_len + p->len_bytes;
}

size_t world_frame(uint8_t *frame, const struct world *w, const struct world_packet *p,
		   size_t *captured, int *link_type)
{
	const struct world_flow *f = &w->flows[p->flow];
	const struct endpoint *src = p->from_server ? &f->server : &f->client;
	const struct endpoint *dst = p->from_server ? &f->client : &f->server;
	size_t ip_len = ip_addr_is_v4(&src->addr) ? IPV4_LEN : IPV6_LEN;
	size_t link_len = p->on_ethernet ? ETHERNET_LEN : 0;
	uint8_t *tcp = frame + link_len + ip_len;
	size_t tcp_len = put_tcp(tcp, w, p);
	size_t len = link_len + ip_len + tcp_len;

	*link_type = p->on_ethernet ? PACKET_LINK_ETHERNET : PACKET_LINK_RAW;
	if (p->on_ethernet) {
		memset(frame, 2, ETHERNET_LEN);
		put_be16(frame + 12, ip_len == IPV4_LEN ? 0x0800 : 0x86dd);
	}
	put_ip(frame + link_len, src, dst, tcp_len);
	put_checksum(tcp, src, dst, tcp_len, p->damage);
	*captured = len;
	if (p->damage == WORLD_CUT_PAYLOAD)
		*captured = len - p->len_bytes / 2;
	else if (p->damage == WORLD_CUT_HEADER)
		*captured = link_len + ip_len + TCP_LEN - 1;
	return len;
}
