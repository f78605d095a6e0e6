/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.h - a segment descriptor: what the session engine wants sent, never ready-made bytes.
 * Here and not in tcpcopy/ because the sender, which turns it into a packet, is in common/.
 */
#ifndef COMMON_SEGMENT_H
#define COMMON_SEGMENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/endpoint.h"
#include "common/tcp_option.h"

enum {
	SEGMENT_IOV_MAX = 16,
};

struct segment {
	struct tuple tuple; /* faked client -> target */
	uint32_t seq;
	uint32_t ack;
	uint16_t window; /* already scaled down */
	uint8_t flags;
	struct tcp_options options;
	uint16_t iov_count;
	uint16_t gso_size_bytes; /* 0: one packet; otherwise cut into packets of this payload */
	uint32_t payload_len_bytes;
	struct iovec iov[SEGMENT_IOV_MAX]; /* borrowed: valid during the call only */
};
#endif
