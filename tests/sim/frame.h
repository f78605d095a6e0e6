/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - the bytes of a captured packet: Ethernet, IPv4 or IPv6, TCP. What packet_builder.h does for
 * unit tests from text, fast enough for millions, and like it without a line of the code under test.
 */
#ifndef TESTS_SIM_FRAME_H
#define TESTS_SIM_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "tests/sim/tcp.h"

enum {
	FRAME_HEADERS_MAX = 14 + 40 + 60,
	FRAME_MAX = FRAME_HEADERS_MAX + 65535,
	FRAME_TOO_BIG_MAX = FRAME_HEADERS_MAX + 40 + 8,
};

enum frame_checksum {
	FRAME_CHECKSUM_RIGHT,
	FRAME_CHECKSUM_UNFINISHED, /* the bare pseudo header, as checksum offload leaves it */
	FRAME_CHECKSUM_NONE,       /* 0: nobody looks */
};

struct frame {
	const struct tuple *tuple;
	uint32_t seq;
	uint32_t ack;
	uint16_t window;
	uint16_t ip_id;
	uint8_t flags;
	uint8_t ttl;
	uint8_t options_len;
	enum frame_checksum checksum;
	const uint8_t *options; /* a multiple of four bytes */
	const uint8_t *
		payload; /* NULL: only the headers are written, as a short snap length leaves them */
	uint32_t payload_len;
};

/* The packet's options as they stand in a header (at most 40 bytes), padded. Returns their length. */
size_t frame_options(uint8_t *buf, const struct tcp_packet *p);
/* Writes to buf (FRAME_MAX bytes). Returns how many bytes were written; *wire_len is the frame's length. */
size_t frame_build(uint8_t *buf, const struct frame *f, size_t *wire_len);
/*
 * A router's message (ICMP, ICMPv6) to the sender of f that it was larger than mtu bytes, with f's headers quoted; to buf
 * (FRAME_TOO_BIG_MAX bytes). Returns its length.
 */
size_t frame_build_too_big(uint8_t *buf, const struct frame *f, uint32_t mtu);
#endif
