/* SPDX-License-Identifier: BSD-2-Clause */
/* frame.c - see frame.h. */
#include "tests/bench/micro/frame.h"

#include <assert.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checksum.h"

enum {
	ETHER_LEN = 14,
	IP4_LEN = 20,
	IP6_LEN = 40,
	TCP_LEN = 20,
};

const char frame_request[] = "GET /item/012345678901234 HTTP/1.1\r\nHost: shop.example\r\n"
			     "User-Agent: bench/1.0\r\nAccept: text/html\r\n\r\n";
static_assert(sizeof(frame_request) == FRAME_REQUEST_LEN + 1, "the length is right");

static size_t put_ip4(uint8_t *ip, const struct frame_words *words, size_t tcp_len)
{
	put_be16(ip, 0x4500);
	put_be16(ip + 2, (uint16_t)(IP4_LEN + tcp_len));
	put_be16(ip + 4, words->ip_id);
	put_be16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = PROTOCOL_TCP;
	put_be16(ip + 10, 0);
	memcpy(ip + 12, words->tuple.src.addr.b + 12, 4);
	memcpy(ip + 16, words->tuple.dst.addr.b + 12, 4);
	put_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IP4_LEN)));
	return IP4_LEN;
}

static size_t put_ip6(uint8_t *ip, const struct frame_words *words, size_t tcp_len)
{
	put_be32(ip, 0x60000000);
	put_be16(ip + 4, (uint16_t)tcp_len);
	ip[6] = PROTOCOL_TCP;
	ip[7] = 64;
	memcpy(ip + 8, words->tuple.src.addr.b, 16);
	memcpy(ip + 24, words->tuple.dst.addr.b, 16);
	return IP6_LEN;
}

static void put_tcp(uint8_t *tcp, const struct frame_words *words, const uint8_t *options,
		    size_t options_len)
{
	size_t len = TCP_LEN + options_len + words->payload_len_bytes;
	uint64_t sum;

	put_be16(tcp, words->tuple.src.port);
	put_be16(tcp + 2, words->tuple.dst.port);
	put_be32(tcp + 4, words->seq);
	put_be32(tcp + 8, words->ack);
	tcp[12] = (uint8_t)((TCP_LEN + options_len) / 4 << 4);
	tcp[13] = words->flags;
	put_be16(tcp + 14, 501);
	put_be32(tcp + 16, 0);
	memcpy(tcp + TCP_LEN, options, options_len);
	if (words->payload)
		memcpy(tcp + TCP_LEN + options_len, words->payload, words->payload_len_bytes);
	sum = checksum_pseudo(&words->tuple.src.addr, &words->tuple.dst.addr, PROTOCOL_TCP,
			      (uint32_t)len);
	put_be16(tcp + 16, (uint16_t)~checksum_fold(checksum_add(sum, tcp, len)));
}

void frame_make(struct frame *f, const struct frame_words *words)
{
	bool is_v4 = ip_addr_is_v4(&words->tuple.src.addr);
	uint8_t options[TCP_OPTIONS_MAX];
	size_t options_len = tcp_options_write(options, &words->options);
	size_t tcp_len = TCP_LEN + options_len + words->payload_len_bytes, at = ETHER_LEN;

	assert(words->payload_len_bytes <= FRAME_PAYLOAD_MAX);
	memset(f->bytes, 2, ETHER_LEN - 2);
	put_be16(f->bytes + ETHER_LEN - 2, is_v4 ? 0x0800 : 0x86dd);
	at += is_v4 ? put_ip4(f->bytes + at, words, tcp_len)
		    : put_ip6(f->bytes + at, words, tcp_len);
	put_tcp(f->bytes + at, words, options, options_len);
	f->len_bytes = at + tcp_len;
}
