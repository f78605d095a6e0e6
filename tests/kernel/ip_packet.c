/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/ip_packet.h"

#include <assert.h>
#include <string.h>

#include "common/bytes.h"

enum {
	IP_HEADER_LEN = 20,
	TCP_HEADER_LEN = 20,
	DONT_FRAGMENT = 0x4000,
};

/* RFC 1071, a word at a time. */
static uint32_t sum_words(uint32_t sum, const uint8_t *data, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void write_tcp_header(uint8_t *tcp, const struct segment *s, size_t options_len)
{
	put_be16(tcp, s->tuple.src.port);
	put_be16(tcp + 2, s->tuple.dst.port);
	put_be32(tcp + 4, s->seq);
	put_be32(tcp + 8, s->ack);
	tcp[12] = (uint8_t)((TCP_HEADER_LEN + options_len) / 4 << 4);
	tcp[13] = s->flags;
	put_be16(tcp + 14, s->window);
	put_be32(tcp + 16, 0);
}

static size_t write_payload(uint8_t *at, const struct segment *s)
{
	size_t len = 0;

	for (size_t i = 0; i < s->iov_count; i++) {
		memcpy(at + len, s->iov[i].iov_base, s->iov[i].iov_len);
		len += s->iov[i].iov_len;
	}
	assert(len == s->payload_len_bytes);
	return len;
}

size_t ip_packet_write(uint8_t *buf, const struct segment *s)
{
	uint8_t *tcp = buf + IP_HEADER_LEN;
	size_t options_len = tcp_options_write(tcp + TCP_HEADER_LEN, &s->options);
	size_t tcp_len = TCP_HEADER_LEN + options_len;
	uint8_t rest_of_pseudo[4] = {0, PROTOCOL_TCP};

	assert(s->gso_size_bytes == 0);
	assert(IP_HEADER_LEN + tcp_len + s->payload_len_bytes <= IP_PACKET_MAX);
	write_tcp_header(tcp, s, options_len);
	tcp_len += write_payload(tcp + tcp_len, s);

	memset(buf, 0, IP_HEADER_LEN);
	buf[0] = 0x45;
	put_be16(buf + 2, (uint16_t)(IP_HEADER_LEN + tcp_len));
	put_be16(buf + 6, DONT_FRAGMENT);
	buf[8] = 64;
	buf[9] = PROTOCOL_TCP;
	put_be32(buf + 12, ip_addr_to_v4(&s->tuple.src.addr));
	put_be32(buf + 16, ip_addr_to_v4(&s->tuple.dst.addr));
	put_be16(buf + 10, (uint16_t)~sum_words(0, buf, IP_HEADER_LEN));

	put_be16(rest_of_pseudo + 2, (uint16_t)tcp_len);
	put_be16(tcp + 16, (uint16_t)~sum_words(sum_words(sum_words(0, buf + 12, 8), rest_of_pseudo,
							  sizeof(rest_of_pseudo)),
						tcp, tcp_len));
	return IP_HEADER_LEN + tcp_len;
}
