/* SPDX-License-Identifier: BSD-2-Clause */
/* test_endpoint.c - addresses, ranges, tuples, their hash and their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "common/endpoint.h"

static struct ip_addr addr(const char *text)
{
	struct ip_addr a = {{0}};

	if (ip_addr_parse(&a, text) != 0)
		fail_msg("%s does not parse", text);
	return a;
}

static const char *text_of(struct ip_addr a)
{
	static char text[IP_ADDR_TEXT_MAX];

	return ip_addr_format(text, sizeof(text), &a);
}

static struct addr_range range(const char *first, const char *last)
{
	return (struct addr_range){.first = addr(first), .last = addr(last)};
}

static struct tuple a_tuple(void)
{
	return (struct tuple){
		.src = {.addr = addr("10.0.0.1"), .port = 1234},
		.dst = {.addr = addr("10.0.0.2"), .port = 80},
		.protocol = PROTOCOL_TCP,
	};
}

/* --- Addresses ----------------------------------------------------------------------------- */

static void ipv4_is_held_as_a_mapped_address(void **state)
{
	static const uint8_t wire[] = {10, 1, 2, 3};
	struct ip_addr a = ip_addr_v4_bytes(wire), b = ip_addr_v4(0x0a010203);

	(void)state;
	assert_memory_equal(a.b, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03", 16);
	assert_true(ip_addr_equal(&a, &b));
	assert_true(ip_addr_is_v4(&a));
	assert_int_equal(ip_addr_to_v4(&a), 0x0a010203);
}

static void ipv6_is_not_v4(void **state)
{
	struct ip_addr a = addr("2001:db8::1"), low = addr("::10.1.2.3");

	(void)state;
	assert_false(ip_addr_is_v4(&a));
	assert_false(ip_addr_is_v4(&low));
}

static void loopback_is_known_in_both_families(void **state)
{
	static const char *const yes[] = {"127.0.0.1", "127.255.255.255", "::1"};
	static const char *const no[] = {"126.255.255.255", "128.0.0.1", "::2", "7f00::1", "::"};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		struct ip_addr a = addr(yes[i]);

		assert_true(ip_addr_is_loopback(&a));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		struct ip_addr a = addr(no[i]);

		assert_false(ip_addr_is_loopback(&a));
	}
}

static void unspecified_is_known_in_both_families_and_as_zero_bytes(void **state)
{
	struct ip_addr v4 = addr("0.0.0.0"), v6 = addr("::"), zero = {{0}}, one = addr("0.0.0.1"),
		       v6_one = addr("1::");

	(void)state;
	assert_true(ip_addr_is_unspecified(&v4));
	assert_true(ip_addr_is_unspecified(&v6));
	assert_true(ip_addr_is_unspecified(&zero));
	assert_false(ip_addr_is_unspecified(&one));
	assert_false(ip_addr_is_unspecified(&v6_one));
}

static void addresses_are_ordered_as_numbers(void **state)
{
	struct ip_addr a = addr("10.0.0.255"), b = addr("10.0.1.0"), c = addr("200.0.0.1");

	(void)state;
	assert_true(ip_addr_compare(&a, &b) < 0);
	assert_true(ip_addr_compare(&c, &b) > 0);
	assert_int_equal(ip_addr_compare(&a, &a), 0);
}

static void add_carries_into_every_byte(void **state)
{
	struct ip_addr v4 = addr("10.255.255.255"), v6 = addr("2001:db8:0:1:ffff:ffff:ffff:ffff"),
		       last = addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

	(void)state;
	assert_string_equal(text_of(ip_addr_add(&v4, 0)), "10.255.255.255");
	assert_string_equal(text_of(ip_addr_add(&v4, 1)), "11.0.0.0");
	assert_string_equal(text_of(ip_addr_add(&v4, 258)), "11.0.1.1");
	assert_string_equal(text_of(ip_addr_add(&v6, 1)), "2001:db8:0:2::");
	assert_string_equal(text_of(ip_addr_add(&v6, UINT64_MAX)),
			    "2001:db8:0:2:ffff:ffff:ffff:fffe");
	assert_string_equal(text_of(ip_addr_add(&last, 1)), "::");
}

/* --- Ranges -------------------------------------------------------------------------------- */

static void range_counts_both_ends(void **state)
{
	struct addr_range one = range("10.0.0.1", "10.0.0.1"),
			  net = range("10.0.0.0", "10.0.255.255"),
			  v6 = range("2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::"),
			  backwards = range("10.0.0.2", "10.0.0.1");

	(void)state;
	assert_true(addr_range_count(&one) == 1);
	assert_true(addr_range_count(&net) == 65536);
	assert_true(addr_range_count(&v6) == 2);
	assert_true(addr_range_count(&backwards) == 0);
}

static void range_too_large_to_count_is_saturated(void **state)
{
	struct addr_range half = range("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"),
			  less = range("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
			  all = range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
			  more = range("2001:db8::", "2001:db8:0:1::");

	(void)state;
	assert_true(addr_range_count(&half) == UINT64_MAX);
	assert_true(addr_range_count(&less) == UINT64_MAX);
	assert_true(addr_range_count(&all) == UINT64_MAX);
	assert_true(addr_range_count(&more) == UINT64_MAX);
}

static void range_contains_its_ends_and_not_their_neighbours(void **state)
{
	struct addr_range r = range("10.0.0.5", "10.0.1.9");
	struct ip_addr first = r.first, last = r.last, below = addr("10.0.0.4"),
		       above = addr("10.0.1.10"), between = addr("10.0.0.255");

	(void)state;
	assert_true(addr_range_contains(&r, &first));
	assert_true(addr_range_contains(&r, &between));
	assert_true(addr_range_contains(&r, &last));
	assert_false(addr_range_contains(&r, &below));
	assert_false(addr_range_contains(&r, &above));
}

static void range_of_all_ipv6_contains_no_ipv4(void **state)
{
	struct addr_range all = range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	struct ip_addr v4 = addr("10.0.0.1"), v6 = addr("fe80::1");

	(void)state;
	assert_false(addr_range_contains(&all, &v4));
	assert_true(addr_range_contains(&all, &v6));
}

/* --- Tuples -------------------------------------------------------------------------------- */

static void reverse_swaps_the_ends_and_keeps_the_protocol(void **state)
{
	struct tuple t = a_tuple(), back = tuple_reverse(&t);
	char text[TUPLE_TEXT_MAX];

	(void)state;
	assert_string_equal(tuple_format(text, sizeof(text), &back), "10.0.0.2:80 > 10.0.0.1:1234");
	assert_int_equal(back.protocol, PROTOCOL_TCP);
	back = tuple_reverse(&back);
	assert_true(tuple_equal(&back, &t));
}

static void tuples_differ_in_every_field(void **state)
{
	const struct hash_key key = {1, 2};
	struct tuple t = a_tuple();

	(void)state;
	for (int field = 0; field < 5; field++) {
		struct tuple other = t;

		if (field == 0)
			other.src.addr.b[15] ^= 1;
		if (field == 1)
			other.src.port ^= 1;
		if (field == 2)
			other.dst.addr.b[0] ^= 1;
		if (field == 3)
			other.dst.port ^= 0x100;
		if (field == 4)
			other.protocol = 17;
		assert_false(tuple_equal(&t, &other));
		assert_true(tuple_hash(&key, &t) != tuple_hash(&key, &other));
	}
}

static void padding_is_neither_hashed_nor_compared(void **state)
{
	const struct hash_key key = {1, 2};
	struct tuple a, b, from = a_tuple();

	(void)state;
	memset(&a, 0x00, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	a.src = b.src = from.src;
	a.dst = b.dst = from.dst;
	a.protocol = b.protocol = from.protocol;
	assert_true(tuple_equal(&a, &b));
	assert_true(tuple_hash(&key, &a) == tuple_hash(&key, &b));
}

static void tuple_hash_depends_on_both_halves_of_the_key(void **state)
{
	struct tuple t = a_tuple();
	uint64_t h = tuple_hash(&(struct hash_key){1, 2}, &t);

	(void)state;
	assert_true(h != tuple_hash(&(struct hash_key){2, 2}, &t));
	assert_true(h != tuple_hash(&(struct hash_key){1, 3}, &t));
	assert_true(h == tuple_hash(&(struct hash_key){1, 2}, &t));
}

static void hashes_of_consecutive_ports_spread_evenly(void **state)
{
	enum {
		BUCKETS = 64,
		EACH = 100,
	};
	const struct hash_key key = {UINT64_C(0x0123456789abcdef), 42};
	unsigned low[BUCKETS] = {0}, high[BUCKETS] = {0};
	struct tuple t = a_tuple();

	(void)state;
	for (int i = 0; i < BUCKETS * EACH; i++) {
		uint64_t h;

		t.src.port = (uint16_t)(10000 + i);
		h = tuple_hash(&key, &t);
		low[h % BUCKETS]++;
		high[h >> 58]++;
	}
	/* Five standard deviations around 100. */
	for (int i = 0; i < BUCKETS; i++) {
		assert_in_range(low[i], EACH - 50, EACH + 50);
		assert_in_range(high[i], EACH - 50, EACH + 50);
	}
}

/* --- SipHash ------------------------------------------------------------------------------- */

/* After the paper, byte by byte and with any number of rounds: a second opinion on hash_bytes. */
static uint64_t rotated(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static void plain_rounds(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[1] = rotated(v[1], 13) ^ v[0];
		v[0] = rotated(v[0], 32);
		v[2] += v[3];
		v[3] = rotated(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotated(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotated(v[1], 17) ^ v[2];
		v[2] = rotated(v[2], 32);
	}
}

static uint64_t plain_siphash(int c, int d, const struct hash_key *key, const uint8_t *p,
			      size_t len)
{
	static const char constants[] = "somepseudorandomlygeneratedbytes";
	uint64_t v[4] = {0};

	for (int i = 0; i < 32; i++)
		v[i / 8] = v[i / 8] << 8 | (uint8_t)constants[i];
	for (int i = 0; i < 4; i++)
		v[i] ^= i % 2 ? key->k1 : key->k0;
	for (size_t word = 0; word <= len / 8; word++) {
		uint64_t m = 0;

		for (size_t i = 0; i < 8 && word * 8 + i < len; i++)
			m |= (uint64_t)p[word * 8 + i] << (8 * i);
		if (word == len / 8)
			m |= (uint64_t)(len & 0xff) << 56;
		v[3] ^= m;
		plain_rounds(v, c);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	plain_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The bytes 00 to 0f, little-endian. */
static const struct hash_key paper_key = {UINT64_C(0x0706050403020100),
					  UINT64_C(0x0f0e0d0c0b0a0908)};

static void second_opinion_gives_the_published_values_of_siphash_2_4(void **state)
{
	static const uint8_t message[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

	(void)state;
	assert_true(plain_siphash(2, 4, &paper_key, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(plain_siphash(2, 4, &paper_key, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void hash_is_siphash_1_3_for_every_length_and_alignment(void **state)
{
	uint8_t bytes[80];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t at = 0; at < 8; at++) {
		for (size_t len = 0; len <= 64; len++) {
			uint8_t *exact = calloc(1, at + len + 1);

			memcpy(exact + 1 + at, bytes, len);
			assert_true(hash_bytes(&paper_key, exact + 1 + at, len) ==
				    plain_siphash(1, 3, &paper_key, bytes, len));
			free(exact);
		}
	}
}

static void hash_keeps_its_values(void **state)
{
	(void)state;
	assert_true(hash_bytes(&paper_key, "", 0) == UINT64_C(0xabac0158050fc4dc));
	assert_true(hash_bytes(&paper_key, "\0", 1) == UINT64_C(0xc9f49bf37d57ca93));
	/* As Python 3.11 says: PYTHONHASHSEED=0 python3 -c "print(hash(b'hello, world'))". */
	assert_true(hash_bytes(&(struct hash_key){0, 0}, "hello, world", 12) ==
		    UINT64_C(0xd792fbf81ec197f9));
}

/* --- Text ---------------------------------------------------------------------------------- */

static void addresses_are_read_and_written_back(void **state)
{
	static const char *const same[] = {
		"0.0.0.0",
		"10.20.30.4",
		"255.255.255.255",
		"::",
		"::1",
		"1::",
		"fe80::1",
		"2001:db8::1",
		"2001:db8:1:2:3:4:5:6",
		"2001:db8::1:0:0:1",
		"1:0:0:2::3",
		"0:1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:0",
		"1:2:3:4:5:6::",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_string_equal(text_of(addr(same[i])), same[i]);
}

static void other_spellings_of_ipv6_are_read(void **state)
{
	static const char *const pairs[][2] = {
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"2001:0db8::0001", "2001:db8::1"},
		{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
		{"::1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
		{"::ffff:10.1.2.3", "10.1.2.3"},
		{"::ffff:a01:203", "10.1.2.3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(text_of(addr(pairs[i][0])), pairs[i][1]);
}

static void what_is_no_address_is_refused_and_leaves_the_old_value(void **state)
{
	static const char *const bad[] = {
		"",
		"10",
		"10.0.0",
		"10.0.0.",
		"10.0.0.300",
		"10.0.0.256",
		"10.0.0.01",
		"010.0.0.1",
		"10.0.0.1.2",
		"10.0.0.1 ",
		" 10.0.0.1",
		"10..0.1",
		"10.0.0.-1",
		"10.0.0.1/8",
		"10.0.0.0001",
		"10.0.0.4294967297",
		"0x0a.0.0.1",
		"localhost",
		":",
		":::",
		"1:2:3",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1::2::3",
		"12345::",
		"::g",
		"1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8",
		"fe80::1%eth0",
		"[::1]",
		":1",
		"1:",
		"::1.2.3",
		"1.2.3.4::",
		"1:2:3:4:5:6:7:1.2.3.4",
		"::1:2:3:4:5:6:1.2.3.4",
		"::1.2.3.4:5",
		"1:2:3:4:5:6:7:8:",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ip_addr a = addr("10.9.8.7");

		if (ip_addr_parse(&a, bad[i]) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_string_equal(text_of(a), "10.9.8.7");
	}
}

/* glibc writes ::a.b.c.d where RFC 5952 wants it for known prefixes only. */
static bool is_v4_compatible(const struct ip_addr *a)
{
	static const uint8_t zeros[12];

	return memcmp(a->b, zeros, sizeof(zeros)) == 0;
}

static void random_ipv6_text_is_that_of_the_c_library(void **state)
{
	(void)state;
	srand(1);
	for (int n = 0; n < 20000; n++) {
		struct ip_addr a, back;
		char expected[IP_ADDR_TEXT_MAX];

		for (int i = 0; i < 16; i += 2) {
			/* Zeros often enough to meet runs of every length and place. */
			a.b[i] = (uint8_t)(rand() % 4 ? 0 : rand());
			a.b[i + 1] = (uint8_t)(rand() % 2 ? 0 : rand());
		}
		if (ip_addr_is_v4(&a) || is_v4_compatible(&a))
			continue;
		inet_ntop(AF_INET6, a.b, expected, sizeof(expected));
		assert_string_equal(text_of(a), expected);
		back = addr(expected);
		assert_true(ip_addr_equal(&a, &back));
	}
}

static void random_text_parses_exactly_when_the_c_library_takes_it(void **state)
{
	static const char letters[] = "0123456789afF::::....";
	int taken = 0;

	(void)state;
	srand(2);
	for (int n = 0; n < 500000; n++) {
		char text[24] = "";
		uint8_t bytes[16];
		struct ip_addr a;
		int expected, len = 2 + rand() % 16;

		for (int i = 0; i < len; i++)
			text[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
		expected = inet_pton(AF_INET, text, bytes) == 1 ||
			   inet_pton(AF_INET6, text, bytes) == 1;
		if ((ip_addr_parse(&a, text) == 0) != expected)
			fail_msg("\"%s\": the C library says %d", text, expected);
		taken += expected;
	}
	assert_true(taken > 100);
}

static void endpoint_text_has_brackets_around_ipv6_only(void **state)
{
	struct endpoint v4 = {.addr = addr("10.0.0.1"), .port = 80},
			v6 = {.addr = addr("2001:db8::1"), .port = 65535};
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_string_equal(endpoint_format(text, sizeof(text), &v4), "10.0.0.1:80");
	assert_string_equal(endpoint_format(text, sizeof(text), &v6), "[2001:db8::1]:65535");
}

static void longest_texts_fit_their_limits(void **state)
{
	static const char longest[] = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 > "
				      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
	struct tuple t;
	char text[TUPLE_TEXT_MAX];

	(void)state;
	memset(&t, 0xff, sizeof(t));
	assert_string_equal(tuple_format(text, sizeof(text), &t), longest);
	assert_true(sizeof(longest) <= TUPLE_TEXT_MAX);
}

static void text_that_does_not_fit_is_cut_and_terminated(void **state)
{
	struct tuple t = a_tuple();
	char *text = calloc(1, 8);

	(void)state;
	memset(text, 'x', 8);
	assert_string_equal(ip_addr_format(text, 8, &t.src.addr), "10.0.0.");
	assert_string_equal(endpoint_format(text, 8, &t.src), "10.0.0.");
	assert_string_equal(tuple_format(text, 8, &t), "10.0.0.");
	assert_string_equal(ip_addr_format(text, 1, &t.src.addr), "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_is_held_as_a_mapped_address),
		cmocka_unit_test(ipv6_is_not_v4),
		cmocka_unit_test(loopback_is_known_in_both_families),
		cmocka_unit_test(unspecified_is_known_in_both_families_and_as_zero_bytes),
		cmocka_unit_test(addresses_are_ordered_as_numbers),
		cmocka_unit_test(add_carries_into_every_byte),
		cmocka_unit_test(range_counts_both_ends),
		cmocka_unit_test(range_too_large_to_count_is_saturated),
		cmocka_unit_test(range_contains_its_ends_and_not_their_neighbours),
		cmocka_unit_test(range_of_all_ipv6_contains_no_ipv4),
		cmocka_unit_test(reverse_swaps_the_ends_and_keeps_the_protocol),
		cmocka_unit_test(tuples_differ_in_every_field),
		cmocka_unit_test(padding_is_neither_hashed_nor_compared),
		cmocka_unit_test(tuple_hash_depends_on_both_halves_of_the_key),
		cmocka_unit_test(hashes_of_consecutive_ports_spread_evenly),
		cmocka_unit_test(second_opinion_gives_the_published_values_of_siphash_2_4),
		cmocka_unit_test(hash_is_siphash_1_3_for_every_length_and_alignment),
		cmocka_unit_test(hash_keeps_its_values),
		cmocka_unit_test(addresses_are_read_and_written_back),
		cmocka_unit_test(other_spellings_of_ipv6_are_read),
		cmocka_unit_test(what_is_no_address_is_refused_and_leaves_the_old_value),
		cmocka_unit_test(random_ipv6_text_is_that_of_the_c_library),
		cmocka_unit_test(random_text_parses_exactly_when_the_c_library_takes_it),
		cmocka_unit_test(endpoint_text_has_brackets_around_ipv6_only),
		cmocka_unit_test(longest_texts_fit_their_limits),
		cmocka_unit_test(text_that_does_not_fit_is_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
