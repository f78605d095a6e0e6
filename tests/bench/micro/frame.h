/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - Ethernet frames for the micro benches, made fast and without the heap: valid lengths and
 * checksums, both families.
 */
#ifndef TESTS_BENCH_MICRO_FRAME_H
#define TESTS_BENCH_MICRO_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/tcp_option.h"

enum {
	FRAME_PAYLOAD_MAX = 2048,
	FRAME_MAX = 14 + 40 + 60 + FRAME_PAYLOAD_MAX,
};

struct frame {
	size_t len_bytes;
	uint8_t bytes[FRAME_MAX];
};

/* What a frame says. */
struct frame_words {
	struct tuple tuple;
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint16_t ip_id; /* IPv4 */
	struct tcp_options options;
	const void *payload; /* NULL: none */
	size_t payload_len_bytes;
};

void frame_make(struct frame *f, const struct frame_words *words);

/* What a client asks: 100 bytes of HTTP. */
extern const char frame_request[];
enum {
	FRAME_REQUEST_LEN = 100,
};
#endif
