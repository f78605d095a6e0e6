/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.h - the Internet checksum (RFC 1071), and TCP's over its pseudo header
 * (RFC 9293, section 3.1; RFC 8200, section 8.1). Pure.
 */
#ifndef COMMON_CHECKSUM_H
#define COMMON_CHECKSUM_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/endpoint.h"

/*
 * Adds len_bytes of data to a running sum; start with 0. Any alignment. Only the last piece may
 * have an odd length.
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t len_bytes);
/* As checksum_add while copying data to dst; the two do not overlap. */
uint64_t checksum_copy(uint64_t sum, void *dst, const void *data, size_t len_bytes);

static inline uint64_t checksum_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline uint64_t checksum_carry(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum + (sum < b);
}

/* To a sum below 2^33. */
static inline uint64_t checksum_fold_once(uint64_t sum)
{
	return (sum & UINT32_MAX) + (sum >> 32);
}

/*
 * The same of numbers of 16 or 32 bits, at most 2^16 of them, that were simply added: as they are said, not as
 * they lie in memory. What checksum_fold returns is one.
 */
static inline uint16_t checksum_fold_words(uint64_t sum)
{
	sum = checksum_fold_once(sum);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32); /* at most 0x1fffe */
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Folds to 16 bits, not complemented, in host byte order of the big-endian words. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	return ntohs(checksum_fold_words(sum));
}

/* The sum of the pseudo header for tcp_len bytes of TCP header and payload. */
static inline uint64_t checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst,
				       uint8_t protocol, uint32_t tcp_len_bytes)
{
	/*
	 * The IPv6 form has 32 bits for the length; IPv4's 16 bits sum to the same. So does ::ffff:
	 * before an IPv4 address: ffff is the other zero of one's complement.
	 */
	uint64_t sum = (uint64_t)htonl(tcp_len_bytes) + htonl(protocol);

	sum = checksum_carry(sum, checksum_word(src->b));
	sum = checksum_carry(sum, checksum_word(src->b + 8));
	sum = checksum_carry(sum, checksum_word(dst->b));
	sum = checksum_carry(sum, checksum_word(dst->b + 8));
	return checksum_fold_once(sum);
}
#endif
