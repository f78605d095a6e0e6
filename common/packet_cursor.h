/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet_cursor.h - a place in a captured frame that knows both ends: that of the captured bytes,
 * which bounds every read, and that of the packet on the wire, against which every length field is
 * held. For the files of the parser (packet.c, packet_tunnel.c).
 */
#ifndef COMMON_PACKET_CURSOR_H
#define COMMON_PACKET_CURSOR_H

#include <stdbool.h>

#include "common/bytes.h"
#include "common/out_of_line.h"

struct cursor {
	struct byte_reader captured;
	size_t wire_left_bytes; /* never less than what is left of captured */
	bool is_mirrored;       /* tunnels are followed, and packets may have been cut short */
};

static IN_LINE const uint8_t *cursor_take(struct cursor *c, size_t len_bytes)
{
	const uint8_t *p = byte_reader_take(&c->captured, len_bytes);

	if (p)
		c->wire_left_bytes -= len_bytes;
	return p;
}

/* What lies beyond wire_len_bytes from here is not the packet's. */
static inline void cursor_clip(struct cursor *c, size_t wire_len_bytes)
{
	c->wire_left_bytes = wire_len_bytes;
	if (byte_reader_left(&c->captured) > wire_len_bytes)
		c->captured.end = c->captured.at + wire_len_bytes;
}
#endif
