/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ndisc.c - neighbour discovery: what is asked, and which frames are believed (RFC 4861, 7.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/ndisc.h"

enum {
	IP_AT = 14,
	ICMP_AT = 54,
	OPTIONS_AT = 78,
	ROOM = 256,
	ANSWER_LEN = 86,
};

static const uint8_t own_mac[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t mac_a[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x0a};

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

/* A frame that may be changed before finish gives it its length and checksum. */
struct frame {
	uint8_t b[ROOM];
	size_t len_bytes;
};

static void finish(struct frame *f)
{
	struct ip_addr src = ip_addr_v6_bytes(f->b + IP_AT + 8);
	struct ip_addr dst = ip_addr_v6_bytes(f->b + IP_AT + 24);
	size_t icmp_len = f->len_bytes - ICMP_AT;
	uint64_t sum = checksum_pseudo(&src, &dst, 58, (uint32_t)icmp_len);

	put_be16(f->b + IP_AT + 4, (uint16_t)icmp_len);
	put_be16(f->b + ICMP_AT + 2, 0);
	put_be16(f->b + ICMP_AT + 2,
		 (uint16_t)~checksum_fold(checksum_add(sum, f->b + ICMP_AT, icmp_len)));
}

/* fe80::1 at mac_a answers the question of fe80::9. */
static struct frame answer(void)
{
	struct ip_addr router = addr("fe80::1"), us = addr("fe80::9");
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.len_bytes = ndisc_build_solicitation(f.b, mac_a, &router, &us, own_mac);
	f.b[ICMP_AT] = 136;
	f.b[ICMP_AT + 4] = 0x60; /* solicited, override */
	memcpy(f.b + ICMP_AT + 8, router.b, 16);
	f.b[OPTIONS_AT] = 2;
	finish(&f);
	assert_int_equal(f.len_bytes, ANSWER_LEN);
	return f;
}

/* The same that nobody asked for. */
static struct frame announcement(void)
{
	struct ip_addr all_nodes = addr("ff02::1");
	struct frame f = answer();

	f.b[ICMP_AT + 4] = 0x20;
	memcpy(f.b + IP_AT + 24, all_nodes.b, 16);
	finish(&f);
	return f;
}

static struct frame solicitation(const char *from)
{
	struct ip_addr source = addr(from), target = addr("fe80::9");
	struct frame f;

	memset(&f, 0, sizeof(f));
	f.len_bytes = ndisc_build_solicitation(f.b, mac_a, &source, &target, NULL);
	return f;
}

/* From a block of the frame's size, so that nothing beyond it is read. */
static int parse(struct neighbour_word *word, const struct frame *f)
{
	uint8_t *exact = malloc(f->len_bytes ? f->len_bytes : 1);
	int result;

	assert_non_null(exact);
	memcpy(exact, f->b, f->len_bytes);
	result = ndisc_parse(word, exact, f->len_bytes);
	free(exact);
	return result;
}

static void expect_refused(const struct frame *f, const char *what)
{
	struct neighbour_word word;

	if (parse(&word, f) == 0)
		fail_msg("taken: %s", what);
}

static struct neighbour_word expect_word(const struct frame *f, const char *from)
{
	struct ip_addr who = addr(from);
	struct neighbour_word word;

	assert_int_equal(parse(&word, f), 0);
	assert_true(ip_addr_equal(&word.addr, &who));
	assert_memory_equal(word.mac, mac_a, MAC_LEN);
	return word;
}

/* ---- questions ---- */

static void a_solicitation_has_the_bytes_of_rfc_4861(void **state)
{
	static const char wanted[] = /* Ethernet, IPv6, message and option */
		"\x33\x33\xff\x34\x56\x78\x02\0\0\0\0\x01\x86\xdd"
		"\x60\0\0\0\0\x20\x3a\xff"
		"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x09"
		"\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x34\x56\x78"
		"\x87\0\x8c\x02\0\0\0\0"
		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\x12\x34\x56\x78"
		"\x01\x01\x02\0\0\0\0\x01";
	struct ip_addr source = addr("fe80::9"), target = addr("2001:db8::1234:5678");
	uint8_t frame[NDISC_FRAME_MAX];

	(void)state;
	assert_int_equal(ndisc_build_solicitation(frame, own_mac, &source, &target, NULL),
			 sizeof(wanted) - 1);
	assert_memory_equal(frame, wanted, sizeof(wanted) - 1);
}

static void one_station_is_asked_at_its_own_address(void **state)
{
	struct ip_addr source = addr("fe80::9"), target = addr("fe80::1");
	uint8_t frame[NDISC_FRAME_MAX];

	(void)state;
	ndisc_build_solicitation(frame, own_mac, &source, &target, mac_a);
	assert_memory_equal(frame, mac_a, MAC_LEN);
	assert_memory_equal(frame + IP_AT + 24, target.b, 16);
}

/* RFC 4861, 7.1.1: without a source it goes to the group, and tells no MAC. */
static void a_probe_goes_to_the_group_whoever_is_known(void **state)
{
	static const uint8_t group[] = {0x33, 0x33, 0xff, 0, 0, 1};
	struct ip_addr nobody = {.b = {0}}, target = addr("fe80::1");
	uint8_t frame[NDISC_FRAME_MAX];
	struct frame f;

	(void)state;
	memset(&f, 0, sizeof(f));
	f.len_bytes = ndisc_build_solicitation(frame, own_mac, &nobody, &target, mac_a);
	assert_int_equal(f.len_bytes, 78);
	assert_memory_equal(frame, group, MAC_LEN);
	memcpy(f.b, frame, f.len_bytes);
	finish(&f); /* its checksum was right already */
	assert_memory_equal(f.b, frame, f.len_bytes);
	expect_refused(&f, "a probe as a word of nobody");
}

/* ---- answers ---- */

static void an_answer_tells_who_is_where(void **state)
{
	struct frame f = answer();
	struct neighbour_word word = expect_word(&f, "fe80::1");

	(void)state;
	assert_true(word.is_answer && !word.is_weak && !word.only_agrees);
}

static void an_announcement_is_no_answer(void **state)
{
	struct frame f = announcement();

	(void)state;
	assert_false(expect_word(&f, "fe80::1").is_answer);
}

static void a_proxy_is_weak(void **state)
{
	struct frame f = answer();

	(void)state;
	f.b[ICMP_AT + 4] = 0x40;
	finish(&f);
	assert_true(expect_word(&f, "fe80::1").is_weak);
}

/* One who was asked at his own address need not tell it (RFC 4861, 4.4). */
static void an_answer_without_an_option_agrees_with_its_frame(void **state)
{
	struct frame f = answer();

	(void)state;
	f.len_bytes = OPTIONS_AT;
	finish(&f);
	assert_true(expect_word(&f, "fe80::1").only_agrees);
}

static void a_solicitation_is_hearsay_of_its_sender(void **state)
{
	struct frame f = solicitation("fe80::1");

	(void)state;
	assert_false(expect_word(&f, "fe80::1").is_answer);
	f.b[OPTIONS_AT] = 2; /* an option that belongs into answers */
	finish(&f);
	expect_refused(&f, "a solicitation without its sender's MAC");
}

static void other_options_are_passed_over(void **state)
{
	struct frame f = answer();

	(void)state;
	memmove(f.b + OPTIONS_AT + 16, f.b + OPTIONS_AT, 8);
	memset(f.b + OPTIONS_AT, 0xee, 16);
	f.b[OPTIONS_AT] = 14; /* a nonce, of two units here */
	f.b[OPTIONS_AT + 1] = 2;
	f.len_bytes += 16;
	finish(&f);
	(void)expect_word(&f, "fe80::1");
}

static void the_trailer_of_a_short_frame_is_not_looked_at(void **state)
{
	struct frame f = answer();

	(void)state;
	memset(f.b + f.len_bytes, 0xee, 20);
	f.len_bytes += 20;
	(void)expect_word(&f, "fe80::1");
}

/* ---- what is not believed ---- */

static void damaged_headers_are_refused(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} damages[] = {
		{"another ethertype", 13, 0x00},
		{"IP of another version", IP_AT, 0x40},
		{"another protocol", IP_AT + 6, 6},
		{"a hop limit of 254: from beyond a router", IP_AT + 7, 254},
		{"another message", ICMP_AT, 134},
		{"a code", ICMP_AT + 1, 1},
		{"the address of a group", ICMP_AT + 8, 0xff},
		{"an empty option", OPTIONS_AT + 1, 0},
		{"an option beyond the end", OPTIONS_AT + 1, 2},
		{"a group as MAC", OPTIONS_AT + 2, 0x03},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct frame f = answer();

		f.b[damages[i].at] = damages[i].value;
		finish(&f);
		expect_refused(&f, damages[i].what);
	}
}

static void an_answer_to_all_is_a_forgery(void **state)
{
	struct frame f = announcement();

	(void)state;
	f.b[ICMP_AT + 4] |= 0x40;
	finish(&f);
	expect_refused(&f, "a solicited advertisement to a group");
}

static void a_zero_mac_is_refused(void **state)
{
	struct frame f = answer();

	(void)state;
	memset(f.b + OPTIONS_AT + 2, 0, MAC_LEN);
	finish(&f);
	expect_refused(&f, "no MAC at all");
}

static void a_group_asks_nothing(void **state)
{
	struct frame f = solicitation("ff02::1");

	(void)state;
	expect_refused(&f, "a solicitation from a group");
}

/* Such an address is that of an IPv4 neighbour elsewhere in this program. */
static void ipv4_in_ipv6_clothes_is_refused(void **state)
{
	struct frame f = answer();

	(void)state;
	memset(f.b + ICMP_AT + 8, 0, 10);
	memset(f.b + ICMP_AT + 18, 0xff, 2);
	finish(&f);
	expect_refused(&f, "a mapped IPv4 address");
}

/* Any single bit of what the checksum covers. */
static void every_flipped_bit_is_noticed(void **state)
{
	(void)state;
	for (size_t bit = (IP_AT + 8) * 8; bit < (size_t)ANSWER_LEN * 8; bit++) {
		struct frame f = answer();

		f.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_refused(&f, "a flipped bit");
	}
}

static void every_truncated_frame_is_refused(void **state)
{
	struct frame f = answer();

	(void)state;
	for (f.len_bytes = 0; f.len_bytes < ANSWER_LEN; f.len_bytes++)
		expect_refused(&f, "a part of a frame");
}

/* With lengths that agree: then an option is cut, or the target. */
static void every_shorter_message_is_refused_but_the_one_without_options(void **state)
{
	(void)state;
	for (size_t len = ICMP_AT + 4; len < ANSWER_LEN; len++) {
		struct frame f = answer();

		f.len_bytes = len;
		finish(&f);
		if (len != OPTIONS_AT)
			expect_refused(&f, "a cut message");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_solicitation_has_the_bytes_of_rfc_4861),
		cmocka_unit_test(one_station_is_asked_at_its_own_address),
		cmocka_unit_test(a_probe_goes_to_the_group_whoever_is_known),
		cmocka_unit_test(an_answer_tells_who_is_where),
		cmocka_unit_test(an_announcement_is_no_answer),
		cmocka_unit_test(a_proxy_is_weak),
		cmocka_unit_test(an_answer_without_an_option_agrees_with_its_frame),
		cmocka_unit_test(a_solicitation_is_hearsay_of_its_sender),
		cmocka_unit_test(other_options_are_passed_over),
		cmocka_unit_test(the_trailer_of_a_short_frame_is_not_looked_at),
		cmocka_unit_test(damaged_headers_are_refused),
		cmocka_unit_test(an_answer_to_all_is_a_forgery),
		cmocka_unit_test(a_zero_mac_is_refused),
		cmocka_unit_test(a_group_asks_nothing),
		cmocka_unit_test(ipv4_in_ipv6_clothes_is_refused),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(every_truncated_frame_is_refused),
		cmocka_unit_test(every_shorter_message_is_refused_but_the_one_without_options),
	};

	return cmocka_run_group_tests_name("ndisc", tests, NULL, NULL);
}
