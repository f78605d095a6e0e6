/* SPDX-License-Identifier: BSD-2-Clause */
/* test_checksum.c - the Internet checksum against the textbook's and against known packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/checksum.h"

enum {
	LENGTHS_MAX = 300,
	BIG_LEN = 256 * 1024,
};

/* As RFC 1071, section 4.1 describes it: 16 bits at a time, the last byte padded with zero. */
static uint16_t textbook(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (; len > 1; p += 2, len -= 2) {
		sum += (uint32_t)p[0] << 8 | p[1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len)
		sum += (uint32_t)p[0] << 8;
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static uint32_t seed;

static uint8_t next_random(void)
{
	seed = seed * 1664525 + 1013904223;
	return (uint8_t)(seed >> 24);
}

/* A heap block of the exact size, so that a sanitizer sees a read past the end. */
static uint8_t *random_bytes(size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = next_random();
	return p;
}

static void fold_gives_the_example_of_rfc_1071(void **state)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(checksum_fold(checksum_add(0, example, sizeof(example))), 0xddf2);
}

static void fold_of_an_ip_header_with_its_checksum_is_ffff(void **state)
{
	static const uint8_t header[] = {0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40,
					 0x00, 0x40, 0x06, 0xb1, 0xe6, 0xac, 0x10,
					 0x0a, 0x63, 0xac, 0x10, 0x0a, 0x0c};

	(void)state;
	assert_int_equal(checksum_fold(checksum_add(0, header, sizeof(header))), 0xffff);
}

static void fold_of_nothing_is_0(void **state)
{
	(void)state;
	assert_int_equal(checksum_fold(0), 0);
	assert_int_equal(checksum_fold(checksum_add(0, "", 0)), 0);
}

static void fold_keeps_every_carry(void **state)
{
	(void)state;
	assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(checksum_fold(UINT64_C(0xffff0000ffff0000)), 0xffff);
	/* A carry into every next word: 2^48 + 2^32 + 2^16 + 1 = 4, in the bytes' own order. */
	assert_int_equal(checksum_fold(UINT64_C(0x0001000100010001)),
			 checksum_fold(UINT64_C(0x0004)));
}

static void sum_of_every_length_equals_the_textbook(void **state)
{
	(void)state;
	seed = 1;
	for (size_t len = 0; len <= LENGTHS_MAX; len++) {
		uint8_t *p = random_bytes(len);

		assert_int_equal(checksum_fold(checksum_add(0, p, len)), textbook(p, len));
		free(p);
	}
}

static void sum_at_every_alignment_equals_the_textbook(void **state)
{
	uint8_t *p = random_bytes(LENGTHS_MAX);

	(void)state;
	for (size_t at = 0; at < 32; at++) {
		for (size_t len = LENGTHS_MAX - at; len > LENGTHS_MAX - at - 40; len--)
			assert_int_equal(checksum_fold(checksum_add(0, p + at, len)),
					 textbook(p + at, len));
	}
	free(p);
}

static void sum_of_all_ones_does_not_lose_carries(void **state)
{
	uint8_t *p = malloc(BIG_LEN);
	uint64_t sum = 0;

	(void)state;
	memset(p, 0xff, BIG_LEN);
	for (int i = 0; i < 1000; i++)
		sum = checksum_add(sum, p, BIG_LEN);
	assert_int_equal(checksum_fold(sum), 0xffff);
	sum = checksum_add(UINT64_MAX, p, 20);
	assert_int_equal(checksum_fold(sum), 0xffff);
	free(p);
}

static void sums_added_to_each_other_do_not_lose_carries(void **state)
{
	uint8_t *p = random_bytes(2040);
	uint64_t sum = 0;

	(void)state;
	/* Words alone, of nearly 2^64, in pieces too small for the loop over blocks. */
	for (size_t at = 0; at < 2040; at += 8)
		p[at] = p[at + 7] = 0xff;
	for (size_t at = 0; at < 2040; at += 24)
		sum += checksum_add(0, p + at, 24);
	assert_int_equal(checksum_fold(sum), textbook(p, 2040));
	free(p);
}

static void sum_of_256_kib_equals_the_textbook(void **state)
{
	uint8_t *p = random_bytes(BIG_LEN + 1);

	(void)state;
	assert_int_equal(checksum_fold(checksum_add(0, p, BIG_LEN + 1)), textbook(p, BIG_LEN + 1));
	assert_int_equal(checksum_fold(checksum_add(0, p + 1, BIG_LEN)), textbook(p + 1, BIG_LEN));
	free(p);
}

static void pieces_of_even_length_sum_to_the_whole(void **state)
{
	uint8_t *p = random_bytes(LENGTHS_MAX - 1);

	(void)state;
	for (size_t cut = 0; cut < LENGTHS_MAX; cut += 2) {
		uint64_t sum = checksum_add(0, p, cut);

		sum = checksum_add(sum, p + cut, LENGTHS_MAX - 1 - cut);
		assert_int_equal(checksum_fold(sum), textbook(p, LENGTHS_MAX - 1));
	}
	free(p);
}

static void copy_copies_and_sums_every_length(void **state)
{
	static const size_t more[] = {4095, 4096, 4097, 8192, 65535, BIG_LEN};

	(void)state;
	for (size_t i = 0; i <= LENGTHS_MAX + sizeof(more) / sizeof(more[0]); i++) {
		size_t len = i <= LENGTHS_MAX ? i : more[i - LENGTHS_MAX - 1];
		uint8_t *from = random_bytes(len), *to = malloc(len ? len : 1);

		assert_int_equal(checksum_fold(checksum_copy(7, to, from, len)),
				 checksum_fold(checksum_add(7, from, len)));
		assert_memory_equal(to, from, len);
		free(from);
		free(to);
	}
}

static void pseudo_header_of_ipv4_equals_its_bytes(void **state)
{
	static const uint8_t pseudo[] = {192, 168, 0, 1, 10, 20, 30, 40, 0, 6, 0x05, 0xdc};
	struct ip_addr src = ip_addr_v4(0xc0a80001), dst = ip_addr_v4(0x0a141e28);

	(void)state;
	assert_int_equal(checksum_fold(checksum_pseudo(&src, &dst, PROTOCOL_TCP, 1500)),
			 textbook(pseudo, sizeof(pseudo)));
}

static void pseudo_header_of_ipv6_equals_its_bytes(void **state)
{
	/* RFC 8200, section 8.1; a length above 16 bits, as in a jumbogram. */
	static const uint8_t pseudo[40] = {
		0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0, 0, 0, 0, 0, 0,
		0x12, 0x34, 0x20, 0x01, 0x0d, 0xb8, 0,    0,    0, 0, 0, 0, 0, 0,
		0xab, 0xcd, 0,    1,    0x00, 0x03, 0x00, 0x14, 0, 0, 0, 6,
	};
	struct ip_addr src = ip_addr_v6_bytes(pseudo), dst = ip_addr_v6_bytes(pseudo + 16);

	(void)state;
	assert_int_equal(checksum_fold(checksum_pseudo(&src, &dst, PROTOCOL_TCP, 0x30014)),
			 textbook(pseudo, sizeof(pseudo)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fold_gives_the_example_of_rfc_1071),
		cmocka_unit_test(fold_of_an_ip_header_with_its_checksum_is_ffff),
		cmocka_unit_test(fold_of_nothing_is_0),
		cmocka_unit_test(fold_keeps_every_carry),
		cmocka_unit_test(sum_of_every_length_equals_the_textbook),
		cmocka_unit_test(sum_at_every_alignment_equals_the_textbook),
		cmocka_unit_test(sum_of_all_ones_does_not_lose_carries),
		cmocka_unit_test(sums_added_to_each_other_do_not_lose_carries),
		cmocka_unit_test(sum_of_256_kib_equals_the_textbook),
		cmocka_unit_test(pieces_of_even_length_sum_to_the_whole),
		cmocka_unit_test(copy_copies_and_sums_every_length),
		cmocka_unit_test(pseudo_header_of_ipv4_equals_its_bytes),
		cmocka_unit_test(pseudo_header_of_ipv6_equals_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
