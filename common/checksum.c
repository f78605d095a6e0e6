/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.c - the Internet checksum over words of the machine.
 *
 * A one's complement sum does not care for the width of its words nor for their byte order (RFC
 * 1071, section 2), so data is added eight bytes at a time as it lies in memory, and only
 * checksum_fold turns the result into big-endian terms. Carries out of the accumulators go back in
 * at the bottom. Every function returns a sum below 2^33, which callers may add to another one
 * without losing a carry.
 */
#include "common/checksum.h"

#include <string.h>

enum {
	WORD_LEN = 8,
	PAIR_LEN = 2 * WORD_LEN,
	BLOCK_LEN = 2 * PAIR_LEN,
	BLOCKS_LEN_MIN = 2 * BLOCK_LEN, /* for less, vectors are more work */
	COPY_CHUNK_LEN = 4096, /* even, and small enough to be in the first cache when summed */
};

/* Fewer than eight bytes: as if zeros followed. The sum of their words. */
static inline uint64_t add_tail(const uint8_t *p, size_t len_bytes)
{
	uint32_t w32 = 0;
	uint16_t w16 = 0, w8 = 0;

	if (len_bytes & 4) {
		memcpy(&w32, p, 4);
		p += 4;
	}
	if (len_bytes & 2) {
		memcpy(&w16, p, 2);
		p += 2;
	}
	if (len_bytes & 1)
		memcpy(&w8, p, 1);
	return (uint64_t)w32 + w16 + w8;
}

/*
 * Whole blocks only. Pairs of words, because gcc and clang turn these into vector instructions even
 * at -O2; halves of words, because the sum of these has no carry to care for below 16 GiB.
 */
static uint64_t add_blocks(const uint8_t *p, size_t blocks)
{
	uint64_t __attribute__((vector_size(PAIR_LEN))) a, b, low = {0}, high = {0};

	for (; blocks > 0; blocks--, p += BLOCK_LEN) {
		memcpy(&a, p, PAIR_LEN);
		memcpy(&b, p + PAIR_LEN, PAIR_LEN);
		low += a & UINT32_MAX;
		high += a >> 32;
		low += b & UINT32_MAX;
		high += b >> 32;
	}
	low += high;
	return low[0] + low[1];
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t len_bytes)
{
	const uint8_t *p = data;

	if (len_bytes >= BLOCKS_LEN_MIN) {
		size_t blocks = len_bytes / BLOCK_LEN;

		sum = checksum_carry(sum, add_blocks(p, blocks));
		p += blocks * BLOCK_LEN;
		len_bytes %= BLOCK_LEN;
	}
	for (; len_bytes >= WORD_LEN; p += WORD_LEN, len_bytes -= WORD_LEN)
		sum = checksum_carry(sum, checksum_word(p));
	if (len_bytes)
		sum = checksum_carry(sum, add_tail(p, len_bytes));
	return checksum_fold_once(sum);
}

uint64_t checksum_copy(uint64_t sum, void *dst, const void *data, size_t len_bytes)
{
	const uint8_t *from = data;
	uint8_t *to = dst;

	while (len_bytes) {
		size_t n = len_bytes < COPY_CHUNK_LEN ? len_bytes : COPY_CHUNK_LEN;

		memcpy(to, from, n);
		sum = checksum_add(sum, to, n);
		to += n;
		from += n;
		len_bytes -= n;
	}
	return sum;
}
