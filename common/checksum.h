/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.h - the Internet checksum (RFC 1071), and TCP's over its pseudo header
 * (RFC 9293, section 3.1; RFC 8200, section 8.1). Pure.
 */
#ifndef COMMON_CHECKSUM_H
#define COMMON_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

/*
 * Adds len_bytes of data to a running sum; start with 0. Any alignment. Only the last piece may
 * have an odd length.
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t len_bytes);
/* As checksum_add while copying data to dst; the two do not overlap. */
uint64_t checksum_copy(uint64_t sum, void *dst, const void *data, size_t len_bytes);
/* Folds to 16 bits, not complemented, in host byte order of the big-endian words. */
uint16_t checksum_fold(uint64_t sum);
/*
 * The same of numbers of 16 or 32 bits, at most 2^16 of them, that were simply added: as they are said, not as
 * they lie in memory. What checksum_fold returns is one.
 */
static inline uint16_t checksum_fold_words(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32); /* at most 0x1fffe */
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}
/* The sum of the pseudo header for tcp_len bytes of TCP header and payload. */
uint64_t checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
			 uint32_t tcp_len_bytes);
#endif
