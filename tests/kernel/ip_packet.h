/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_packet.h - a segment as the bytes of an IPv4 packet, with its own arithmetic: Linux judges the
 * result, so the sender of production is not in it.
 */
#ifndef TESTS_KERNEL_IP_PACKET_H
#define TESTS_KERNEL_IP_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"

enum {
	IP_PACKET_MAX = 65535,
};

/* Writes the packet to buf, which has room for IP_PACKET_MAX bytes. Returns its length. */
size_t ip_packet_write(uint8_t *buf, const struct segment *segment);
#endif
