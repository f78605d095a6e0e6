/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_packet.c - the frame parser: what it reads from frames, and how it refuses headers that make
 * no sense. Frames that are cut or hostile are in test_packet_damage.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/unit/packet_builder.h"

enum {
	KIB = 1024,
	TEXT_MAX = 400,
};

#define V4        .src = "10.0.0.1:1234", .dst = "10.0.0.2:80"
#define V6        .src = "[2001:db8::1]:1234", .dst = "[2001:db8::2]:80"
#define GET       .flags = "P.", .seq = 1001, .ack = 1, .window = 512, .payload = "GET /\r\n\r\n!"
#define SPEC(...) (&(struct frame_spec){__VA_ARGS__})

static const char v4_get[] = "10.0.0.1:1234 > 10.0.0.2:80 P. 1001:1011(10) ack 1 win 512";
static const char v6_get[] = "[2001:db8::1]:1234 > [2001:db8::2]:80 P. 1001:1011(10) ack 1 win 512";

static const char *print(const struct packet *p)
{
	static char text[TEXT_MAX];

	return packet_print(text, sizeof(text), p);
}

/* Builds, parses and compares; a frame with a TCP packet must also have a right checksum. */
static void expect_packet(const struct frame_spec *spec, const char *text)
{
	struct built_frame f = build_frame(spec);
	struct packet p;

	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_string_equal(print(&p), text);
	assert_ptr_equal(p.tcp, f.data + f.tcp_at);
	assert_ptr_equal(p.payload, f.data + f.payload_at);
	assert_int_equal(p.payload_len_bytes, f.len_bytes - f.payload_at - spec->padding_bytes);
	assert_int_equal(p.payload_wire_len_bytes, p.payload_len_bytes);
	assert_true(packet_checksum_ok(&p));
	built_frame_free(&f);
}

/* Parses a frame that the test may have damaged, and frees it. */
static void expect_result(struct built_frame *f, enum packet_result result)
{
	struct packet p;
	enum packet_result got =
		packet_parse(&p, f->link_type, f->data, f->len_bytes, f->len_bytes);

	assert_string_equal(packet_result_name(got), packet_result_name(result));
	built_frame_free(f);
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* --- Fields -------------------------------------------------------------------------------- */

static void every_field_is_read(void **state)
{
	struct built_frame f = build_frame(
		SPEC(V4, GET, .options = "nop,nop,TS val 7 ecr 8", .ttl = 57, .ip_id = 0xbeef));
	struct packet p;

	(void)state;
	memset(&p, 0xa5, sizeof(p));
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_string_equal(print(&p), "10.0.0.1:1234 > 10.0.0.2:80 P. 1001:1011(10) ack 1 win 512 "
				       "<nop,nop,TS val 7 ecr 8>");
	assert_int_equal(p.tuple.protocol, PROTOCOL_TCP);
	assert_int_equal(p.flags, TCP_PSH | TCP_ACK);
	assert_int_equal(p.ttl, 57);
	assert_int_equal(p.ip_id, 0xbeef);
	assert_int_equal(p.options_len_bytes, 12);
	assert_ptr_equal(p.options, f.data + f.tcp_at + 20);
	assert_int_equal(p.tcp_checksum, f.data[f.tcp_at + 16] << 8 | f.data[f.tcp_at + 17]);
	assert_int_equal(p.direction, PACKET_DIRECTION_UNKNOWN);
	assert_memory_equal(p.payload, "GET /\r\n\r\n!", 10);
	built_frame_free(&f);
}

static void every_flag_is_read_and_the_reserved_bits_are_not(void **state)
{
	static const char *const flags[] = {"-", "S", "F", "R", "P", "U", ".", "SFRPU."};

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct built_frame f = build_frame(SPEC(V4, .flags = flags[i], .seq = 5, .ack = 6));
		struct packet p;
		char text[TEXT_MAX];

		f.data[f.tcp_at + 12] |= 0x0f;
		f.data[f.tcp_at + 13] |= 0xc0; /* CWR, ECE */
		assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
				 PACKET_OK);
		snprintf(text, sizeof(text), "10.0.0.1:1234 > 10.0.0.2:80 %s 5:5(0)%s win 65535",
			 flags[i], strchr(flags[i], '.') ? " ack 6" : "");
		assert_string_equal(print(&p), text);
		built_frame_free(&f);
	}
}

static void a_syn_with_options(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, .flags = "S", .seq = 1000,
			   .options = "mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7"),
		      "10.0.0.1:1234 > 10.0.0.2:80 S 1000:1000(0) win 65535 "
		      "<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>");
}

static void forty_bytes_of_options(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, .flags = ".", .seq = 1, .ack = 2,
			   .options = "nop,nop,TS val 1 ecr 2,nop,nop,"
				      "hex 051a000000010000000200000003000000040000000500000006"),
		      "10.0.0.1:1234 > 10.0.0.2:80 . 1:1(0) ack 2 win 65535 "
		      "<nop,nop,TS val 1 ecr 2,nop,nop,sack 1:2 3:4 5:6>");
}

static void a_window_of_0(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, .flags = ".", .seq = 1, .ack = 2, .zero_window = true),
		      "10.0.0.1:1234 > 10.0.0.2:80 . 1:1(0) ack 2 win 0");
}

static void sequence_numbers_wrap_in_print(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, .flags = ".", .seq = 4294967290, .ack = 4294967295,
			   .payload_len_bytes = 10),
		      "10.0.0.1:1234 > 10.0.0.2:80 . 4294967290:4(10) ack 4294967295 win 65535");
}

/* --- Link types ---------------------------------------------------------------------------- */

static void ethernet(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, GET), v4_get);
	expect_packet(SPEC(V6, GET), v6_get);
}

static void linux_sll(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, GET, .link = BUILD_SLL), v4_get);
	expect_packet(SPEC(V6, GET, .link = BUILD_SLL), v6_get);
}

static void linux_sll2(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, GET, .link = BUILD_SLL2), v4_get);
	expect_packet(SPEC(V6, GET, .link = BUILD_SLL2), v6_get);
}

static void sll_and_sll2_tell_the_direction(void **state)
{
	static const struct {
		unsigned packet_type;
		int direction;
	} cases[] = {{0, PACKET_INCOMING}, {1, PACKET_INCOMING}, {2, PACKET_INCOMING},
		     {3, PACKET_INCOMING}, {4, PACKET_OUTGOING}, {5, PACKET_DIRECTION_UNKNOWN}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int link = BUILD_SLL; link <= BUILD_SLL2; link++) {
			struct built_frame f =
				build_frame(SPEC(V4, GET, .link = (enum build_link)link,
						 .sll_packet_type = cases[i].packet_type));
			struct packet p;

			assert_int_equal(
				packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
				PACKET_OK);
			assert_int_equal(p.direction, cases[i].direction);
			built_frame_free(&f);
		}
	}
}

static void raw_ip_under_its_numbers(void **state)
{
	static const struct {
		int link_type;
		enum packet_result v4, v6;
	} cases[] = {{PACKET_LINK_RAW, PACKET_OK, PACKET_OK},
		     {PACKET_LINK_RAW_BSD, PACKET_OK, PACKET_OK},
		     {PACKET_LINK_IPV4, PACKET_OK, PACKET_MALFORMED},
		     {PACKET_LINK_IPV6, PACKET_MALFORMED, PACKET_OK}};

	(void)state;
	expect_packet(SPEC(V4, GET, .link = BUILD_RAW), v4_get);
	expect_packet(SPEC(V6, GET, .link = BUILD_RAW), v6_get);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct built_frame v4 = build_frame(SPEC(V4, GET, .link = BUILD_RAW));
		struct built_frame v6 = build_frame(SPEC(V6, GET, .link = BUILD_RAW));

		v4.link_type = v6.link_type = cases[i].link_type;
		expect_result(&v4, cases[i].v4);
		expect_result(&v6, cases[i].v6);
	}
}

static void bsd_loopback_in_both_byte_orders(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, GET, .link = BUILD_NULL), v4_get);
	expect_packet(SPEC(V6, GET, .link = BUILD_NULL), v6_get);
	expect_packet(SPEC(V4, GET, .link = BUILD_LOOP), v4_get);
	expect_packet(SPEC(V6, GET, .link = BUILD_LOOP), v6_get);
}

static void bsd_loopback_families(void **state)
{
	static const struct {
		const char *header;
		enum packet_result v4, v6;
	} cases[] = {
		{"\x02\0\0\0", PACKET_OK, PACKET_MALFORMED},
		{"\0\0\0\x02", PACKET_OK, PACKET_MALFORMED},
		{"\x0a\0\0\0", PACKET_MALFORMED, PACKET_OK},
		{"\x18\0\0\0", PACKET_MALFORMED, PACKET_OK},
		{"\0\0\0\x1c", PACKET_MALFORMED, PACKET_OK},
		{"\x1e\0\0\0", PACKET_MALFORMED, PACKET_OK},
		{"\x07\0\0\0", PACKET_NOT_TCP, PACKET_NOT_TCP},
		{"\x02\0\0\x02", PACKET_NOT_TCP, PACKET_NOT_TCP},
		{"\0\0\0\0", PACKET_NOT_TCP, PACKET_NOT_TCP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct built_frame v4 = build_frame(SPEC(V4, GET, .link = BUILD_NULL));
		struct built_frame v6 = build_frame(SPEC(V6, GET, .link = BUILD_NULL));

		memcpy(v4.data, cases[i].header, 4);
		memcpy(v6.data, cases[i].header, 4);
		expect_result(&v4, cases[i].v4);
		expect_result(&v6, cases[i].v6);
	}
}

static void vlan_tags_nested_up_to_four(void **state)
{
	static const enum build_link links[] = {BUILD_ETHERNET, BUILD_SLL, BUILD_SLL2};

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		expect_packet(SPEC(V4, GET, .link = links[i], .vlan_types = {0x8100}), v4_get);
		expect_packet(SPEC(V4, GET, .link = links[i], .vlan_types = {0x88a8}), v4_get);
		expect_packet(SPEC(V6, GET, .link = links[i], .vlan_types = {0x88a8, 0x8100}),
			      v6_get);
		expect_packet(SPEC(V4, GET, .link = links[i], .vlan_types = {0x9100, 0x8100}),
			      v4_get);
		expect_packet(SPEC(V4, GET, .link = links[i],
				   .vlan_types = {0x88a8, 0x88a8, 0x8100, 0x8100}),
			      v4_get);
	}
}

static void a_fifth_vlan_tag_is_not_followed(void **state)
{
	struct built_frame f =
		build_frame(SPEC(V4, GET, .vlan_types = {0x8100, 0x8100, 0x8100, 0x8100, 0x8100}));

	(void)state;
	expect_result(&f, PACKET_NOT_TCP);
}

static void other_ethertypes_are_not_tcp(void **state)
{
	static const unsigned types[] = {0x0806, 0x8847, 0x8864, 0x0000, 0x05dc, 0x9200, 0xffff};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct built_frame f = build_frame(SPEC(V4, GET));

		put16(f.data + 12, types[i]);
		expect_result(&f, PACKET_NOT_TCP);
	}
}

static void an_ethertype_that_contradicts_the_ip_version_is_malformed(void **state)
{
	struct built_frame v4 = build_frame(SPEC(V4, GET)), v6 = build_frame(SPEC(V6, GET));

	(void)state;
	put16(v4.data + 12, 0x86dd);
	put16(v6.data + 12, 0x0800);
	expect_result(&v4, PACKET_MALFORMED);
	expect_result(&v6, PACKET_MALFORMED);
}

/* --- IPv4 ---------------------------------------------------------------------------------- */

static void ipv4_options_are_skipped(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, GET, .ip_options_len = 4), v4_get);
	expect_packet(SPEC(V4, GET, .ip_options_len = 40), v4_get);
}

static void ipv4_header_length_below_five_words_is_malformed(void **state)
{
	(void)state;
	for (uint8_t ihl = 0; ihl < 5; ihl++) {
		struct built_frame f = build_frame(SPEC(V4, GET));

		f.data[f.ip_at] = 0x40 | ihl;
		expect_result(&f, PACKET_MALFORMED);
	}
}

static void ipv4_header_length_past_the_packet_is_malformed(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, .flags = "."));

	(void)state;
	f.data[f.ip_at] = 0x4f; /* 60 of 40 bytes */
	expect_result(&f, PACKET_MALFORMED);
	f = build_frame(SPEC(V4, .flags = ".", .padding_bytes = 60));
	f.data[f.ip_at] = 0x4f; /* there are bytes, but not the packet's */
	expect_result(&f, PACKET_MALFORMED);
}

static void ipv4_total_length_shorter_than_the_headers_is_malformed(void **state)
{
	(void)state;
	for (unsigned total = 1; total < 40; total++) {
		struct built_frame f = build_frame(SPEC(V4, GET));

		put16(f.data + f.ip_at + 2, total);
		expect_result(&f, PACKET_MALFORMED);
	}
}

static void ipv4_total_length_of_0_in_a_small_frame_is_malformed(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET));

	(void)state;
	put16(f.data + f.ip_at + 2, 0);
	expect_result(&f, PACKET_MALFORMED);
}

static void other_protocols_are_not_tcp(void **state)
{
	struct built_frame v4 = build_frame(SPEC(V4, GET)), v6 = build_frame(SPEC(V6, GET));

	(void)state;
	v4.data[v4.ip_at + 9] = 17;
	v6.data[v6.ip_at + 6] = 17;
	expect_result(&v4, PACKET_NOT_TCP);
	expect_result(&v6, PACKET_NOT_TCP);
	v6 = build_frame(SPEC(V6, GET));
	v6.data[v6.ip_at + 6] = 59; /* no next header */
	expect_result(&v6, PACKET_NOT_TCP);
}

static void ipv4_fragments_first_middle_and_last(void **state)
{
	static const unsigned fragments[] = {0x2000, 0x2001, 0x0001, 0x1fff, 0x00b9};

	(void)state;
	for (size_t i = 0; i < sizeof(fragments) / sizeof(fragments[0]); i++) {
		struct built_frame f = build_frame(SPEC(V4, GET));

		put16(f.data + f.ip_at + 6, fragments[i]);
		expect_result(&f, PACKET_FRAGMENT);
	}
}

static void ipv4_do_not_fragment_and_the_evil_bit_are_no_fragment(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET));

	(void)state;
	put16(f.data + f.ip_at + 6, 0xc000);
	expect_result(&f, PACKET_OK);
}

static void a_fragment_of_udp_is_not_tcp(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET));

	(void)state;
	put16(f.data + f.ip_at + 6, 0x2000);
	f.data[f.ip_at + 9] = 17;
	expect_result(&f, PACKET_NOT_TCP);
}

static void ethernet_padding_is_no_payload(void **state)
{
	(void)state;
	expect_packet(SPEC(V4, .flags = ".", .seq = 1, .ack = 2, .padding_bytes = 6),
		      "10.0.0.1:1234 > 10.0.0.2:80 . 1:1(0) ack 2 win 65535");
	expect_packet(SPEC(V4, GET, .padding_bytes = 20), v4_get);
	expect_packet(SPEC(V6, GET, .padding_bytes = 20), v6_get);
}

/* --- IPv6 ---------------------------------------------------------------------------------- */

/* Next header, length in units after the first, then what the kind has. */
static const uint8_t hop_by_hop_then_tcp[8] = {6, 0, 1, 4};
static const uint8_t jumbo_then_tcp[8] = {6, 0, 0xc2, 4, 0, 2, 0, 0};
static const uint8_t atomic_fragment_then_tcp[8] = {6, 0, 0, 0, 1, 2, 3, 4};
static const uint8_t chain_then_tcp[8][8] = {
	{60, 0, 1, 4},      /* hop-by-hop */
	{43, 1, 1, 12},     /* destination, of two units */
	{0},                /* ... */
	{51, 0},            /* routing */
	{60, 4, [7] = 1},   /* authentication, of three units */
	{[3] = 2, [4] = 9}, /* ... */
	{9},                /* ... */
	{6, 0, 1, 4},       /* destination */
};

#define EXTENSIONS(kind, bytes)                                            \
	.first_extension = (kind), .extensions = (const uint8_t *)(bytes), \
	.extensions_len_bytes = sizeof(bytes)

static void ipv6_extension_headers_are_skipped(void **state)
{
	(void)state;
	expect_packet(SPEC(V6, GET, EXTENSIONS(0, hop_by_hop_then_tcp)), v6_get);
	expect_packet(SPEC(V6, GET, EXTENSIONS(60, hop_by_hop_then_tcp)), v6_get);
	expect_packet(SPEC(V6, GET, EXTENSIONS(0, chain_then_tcp)), v6_get);
}

static void ipv6_atomic_fragment_is_a_whole_packet(void **state)
{
	(void)state;
	expect_packet(SPEC(V6, GET, EXTENSIONS(44, atomic_fragment_then_tcp)), v6_get);
}

static void ipv6_fragments_first_middle_and_last(void **state)
{
	static const unsigned fragments[] = {0x0001, 0x0009, 0x0008, 0xfff8};

	(void)state;
	for (size_t i = 0; i < sizeof(fragments) / sizeof(fragments[0]); i++) {
		uint8_t extension[8];
		struct built_frame f;

		memcpy(extension, atomic_fragment_then_tcp, 8);
		put16(extension + 2, fragments[i]);
		f = build_frame(SPEC(V6, GET, EXTENSIONS(44, extension)));
		expect_result(&f, PACKET_FRAGMENT);
		extension[0] = 60;
		f = build_frame(SPEC(V6, GET, EXTENSIONS(44, extension)));
		expect_result(&f, PACKET_FRAGMENT);
		extension[0] = 17;
		f = build_frame(SPEC(V6, GET, EXTENSIONS(44, extension)));
		expect_result(&f, PACKET_NOT_TCP);
	}
}

static void ipv6_extension_that_reaches_past_the_packet_is_malformed(void **state)
{
	uint8_t extension[8] = {6, 255};
	struct built_frame f = build_frame(SPEC(V6, GET, EXTENSIONS(0, extension)));

	(void)state;
	expect_result(&f, PACKET_MALFORMED);
	extension[1] = 5; /* over the whole of TCP and its payload, into the padding */
	f = build_frame(SPEC(V6, GET, EXTENSIONS(0, extension), .padding_bytes = 100));
	expect_result(&f, PACKET_MALFORMED);
}

static void ipv6_chain_of_eight_extensions_is_followed_and_of_nine_is_not(void **state)
{
	uint8_t chain[9 * 8] = {0};
	struct built_frame f;

	(void)state;
	for (size_t i = 0; i < 9; i++)
		chain[i * 8] = 60;
	chain[8 * 8] = 6;
	f = build_frame(SPEC(V6, GET, EXTENSIONS(60, chain)));
	expect_result(&f, PACKET_MALFORMED);
	chain[7 * 8] = 6;
	expect_packet(SPEC(V6, GET, .first_extension = 60, .extensions = chain,
			   .extensions_len_bytes = 8 * 8),
		      v6_get);
}

static void ipv6_addresses_that_look_like_ipv4_are_malformed(void **state)
{
	struct built_frame src =
		build_frame(SPEC(GET, .src = "[::ffff:10.0.0.1]:1234", .dst = "[2001:db8::2]:80"));
	struct built_frame dst =
		build_frame(SPEC(GET, .src = "[2001:db8::1]:1234", .dst = "[::ffff:10.0.0.2]:80"));

	(void)state;
	expect_result(&src, PACKET_MALFORMED);
	expect_result(&dst, PACKET_MALFORMED);
}

static void ipv6_payload_length_of_0_in_a_small_frame_is_malformed(void **state)
{
	struct built_frame f = build_frame(SPEC(V6, GET));

	(void)state;
	put16(f.data + f.ip_at + 4, 0);
	expect_result(&f, PACKET_MALFORMED);
}

static void ipv6_payload_length_past_the_wire_is_malformed(void **state)
{
	struct built_frame f = build_frame(SPEC(V6, GET));

	(void)state;
	put16(f.data + f.ip_at + 4, 31);
	expect_result(&f, PACKET_MALFORMED);
}

/* --- Super-packets ------------------------------------------------------------------------- */

static void super_packets_of_64_to_256_kib(void **state)
{
	static const uint32_t payloads[] = {65495, 65496, 65536, 100000, 185000, 256 * KIB};

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		char v4[TEXT_MAX], v6[TEXT_MAX], tail[TEXT_MAX / 4];

		snprintf(tail, sizeof(tail), "P. 1:%u(%u) ack 2 win 65535", 1 + payloads[i],
			 payloads[i]);
		snprintf(v4, sizeof(v4), "10.0.0.1:1234 > 10.0.0.2:80 %s", tail);
		snprintf(v6, sizeof(v6), "[2001:db8::1]:1234 > [2001:db8::2]:80 %s", tail);
		for (int link = BUILD_ETHERNET; link <= BUILD_RAW; link++) {
			expect_packet(SPEC(V4, .flags = "P.", .seq = 1, .ack = 2,
					   .link = (enum build_link)link,
					   .payload_len_bytes = payloads[i]),
				      v4);
			expect_packet(SPEC(V6, .flags = "P.", .seq = 1, .ack = 2,
					   .link = (enum build_link)link,
					   .payload_len_bytes = payloads[i]),
				      v6);
		}
	}
}

static void super_packet_of_ipv6_with_a_jumbo_option(void **state)
{
	(void)state;
	expect_packet(SPEC(V6, .flags = ".", .seq = 1, .ack = 2, .payload_len_bytes = 131044,
			   EXTENSIONS(0, jumbo_then_tcp)),
		      "[2001:db8::1]:1234 > [2001:db8::2]:80 . 1:131045(131044) ack 2 win 65535");
}

static void a_wire_length_beyond_any_super_packet_is_malformed(void **state)
{
	struct built_frame f =
		build_frame(SPEC(V4, .flags = ".", .seq = 1, .ack = 2, .payload_len_bytes = 70000));
	struct packet p;

	(void)state;
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, 1 << 21),
			 PACKET_MALFORMED);
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, SIZE_MAX),
			 PACKET_MALFORMED);
	built_frame_free(&f);
}

/* --- Checksums ----------------------------------------------------------------------------- */

static bool checksum_ok(const struct frame_spec *spec)
{
	struct built_frame f = build_frame(spec);
	struct packet p;
	bool ok;

	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	ok = packet_checksum_ok(&p);
	built_frame_free(&f);
	return ok;
}

static void checksum_right_unfinished_and_wrong_for_every_payload_length(void **state)
{
	(void)state;
	for (size_t len = 0; len < 100; len++) {
		for (int kind = BUILD_CHECKSUM_RIGHT; kind <= BUILD_CHECKSUM_WRONG; kind++) {
			enum build_checksum c = (enum build_checksum)kind;

			assert_int_equal(checksum_ok(SPEC(V4, .flags = "P.", .seq = 77,
							  .checksum = c, .payload_len_bytes = len)),
					 c != BUILD_CHECKSUM_WRONG);
			assert_int_equal(checksum_ok(SPEC(V6, .flags = "P.", .seq = 77,
							  .checksum = c, .payload_len_bytes = len,
							  .options = "nop,nop,TS val 9 ecr 8")),
					 c != BUILD_CHECKSUM_WRONG);
		}
	}
}

static void checksum_of_a_super_packet(void **state)
{
	(void)state;
	for (int kind = BUILD_CHECKSUM_RIGHT; kind <= BUILD_CHECKSUM_WRONG; kind++) {
		enum build_checksum c = (enum build_checksum)kind;

		assert_int_equal(checksum_ok(SPEC(V4, .flags = ".", .checksum = c,
						  .payload_len_bytes = 256 * KIB)),
				 c != BUILD_CHECKSUM_WRONG);
		assert_int_equal(checksum_ok(SPEC(V6, .flags = ".", .checksum = c,
						  .payload_len_bytes = 256 * KIB + 1)),
				 c != BUILD_CHECKSUM_WRONG);
	}
}

static void checksum_does_not_cover_ethernet_padding(void **state)
{
	(void)state;
	assert_true(checksum_ok(SPEC(V4, .flags = ".", .padding_bytes = 6)));
	assert_false(checksum_ok(
		SPEC(V4, .flags = ".", .padding_bytes = 6, .checksum = BUILD_CHECKSUM_WRONG)));
}

static void checksum_is_wrong_after_any_single_bit_is_turned(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET, .options = "nop,nop,TS val 9 ecr 8"));

	(void)state;
	/* From the source address on. The length of the header decides what is parsed at all. */
	for (size_t bit = (f.ip_at + 12) * 8; bit < f.len_bytes * 8; bit++) {
		struct packet p;

		if (bit / 8 == f.tcp_at + 12)
			continue;
		f.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
				 PACKET_OK);
		assert_false(packet_checksum_ok(&p));
		f.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	built_frame_free(&f);
}

/* The same packets as bytes, from outside of packet_builder.h and of the code under test. */
static void checksum_of_packets_known_by_their_bytes(void **state)
{
	/* SYN 127.0.0.1:40000 > 127.0.0.1:80 with mss 65495: pseudo sum 0xfe20, right 0x0397. */
	uint8_t syn[] = {0x45, 0,    0,    0x2c, 0, 0,   0x40, 0, 0x40, 6,    0x3c,
			 0xca, 127,  0,    0,    1, 127, 0,    0, 1,    0x9c, 0x40,
			 0,    0x50, 0,    0,    0, 1,   0,    0, 0,    0,    0x60,
			 0x02, 0xff, 0xd7, 0,    0, 0,   0,    2, 4,    0xff, 0xd7};
	static const struct {
		unsigned checksum;
		bool ok;
	} cases[] = {
		{0xfe20, true}, {0x0397, true}, {0x01df, false}, {0x0000, false}, {0xffff, false}};
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put16(syn + 36, cases[i].checksum);
		assert_int_equal(packet_parse(&p, PACKET_LINK_RAW, syn, sizeof(syn), sizeof(syn)),
				 PACKET_OK);
		assert_int_equal(packet_checksum_ok(&p), cases[i].ok);
	}
}

/* --- Text ---------------------------------------------------------------------------------- */

static void print_tcp_shows_ack_only_with_its_flag(void **state)
{
	char text[TEXT_MAX];

	(void)state;
	assert_string_equal(packet_print_tcp(text, sizeof(text), TCP_SYN, 1000, 0, 77),
			    "S 1000:1000(0)");
	assert_string_equal(packet_print_tcp(text, sizeof(text), TCP_FIN | TCP_ACK, 1001, 0, 1),
			    "F. 1001:1001(0) ack 1");
	assert_string_equal(packet_print_tcp(text, sizeof(text), 0, UINT32_MAX, 2, 0),
			    "- 4294967295:1(2)");
}

static void print_of_broken_and_unknown_options(void **state)
{
	static const struct {
		const char *options, *text;
	} cases[] = {
		{"hex 1e040100", "<kind 30 length 4>"},
		{"hex 03020101", "<kind 3 length 2,nop,nop>"},
		{"hex 01010108", "<nop,nop,nop,kind 8 broken>"},
		{"hex 080affff", "<kind 8 broken>"},
		{"hex 02010101", "<kind 2 broken>"},
		{"eol,mss 1460", "<eol>"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[TEXT_MAX];

		snprintf(text, sizeof(text), "10.0.0.1:1234 > 10.0.0.2:80 S 0:0(0) win 65535 %s",
			 cases[i].text);
		expect_packet(SPEC(V4, .flags = "S", .options = cases[i].options), text);
	}
}

static void print_into_any_size_is_cut_and_terminated(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET, .options = "mss 1460,nop,wscale 7"));
	char whole[TEXT_MAX];
	struct packet p;

	(void)state;
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	packet_print(whole, sizeof(whole), &p);
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		char *text = calloc(1, size);

		packet_print(text, size, &p);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, whole, size - 1);
		packet_print_tcp(text, size, TCP_ACK, 1, 2, 3);
		assert_memory_equal(text, ". 1:3(2) ack 3", size < 15 ? size - 1 : 15);
		free(text);
	}
	built_frame_free(&f);
}

static void every_result_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(packet_result_name(PACKET_OK), "ok");
	assert_string_equal(packet_result_name(PACKET_NOT_TCP), "not-tcp");
	assert_string_equal(packet_result_name(PACKET_FRAGMENT), "fragment");
	assert_string_equal(packet_result_name(PACKET_MALFORMED), "malformed");
	assert_string_equal(packet_result_name(PACKET_UNKNOWN_LINK), "unknown-link");
	assert_string_equal(packet_result_name((enum packet_result)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(every_flag_is_read_and_the_reserved_bits_are_not),
		cmocka_unit_test(a_syn_with_options),
		cmocka_unit_test(forty_bytes_of_options),
		cmocka_unit_test(a_window_of_0),
		cmocka_unit_test(sequence_numbers_wrap_in_print),
		cmocka_unit_test(ethernet),
		cmocka_unit_test(linux_sll),
		cmocka_unit_test(linux_sll2),
		cmocka_unit_test(sll_and_sll2_tell_the_direction),
		cmocka_unit_test(raw_ip_under_its_numbers),
		cmocka_unit_test(bsd_loopback_in_both_byte_orders),
		cmocka_unit_test(bsd_loopback_families),
		cmocka_unit_test(vlan_tags_nested_up_to_four),
		cmocka_unit_test(a_fifth_vlan_tag_is_not_followed),
		cmocka_unit_test(other_ethertypes_are_not_tcp),
		cmocka_unit_test(an_ethertype_that_contradicts_the_ip_version_is_malformed),
		cmocka_unit_test(ipv4_options_are_skipped),
		cmocka_unit_test(ipv4_header_length_below_five_words_is_malformed),
		cmocka_unit_test(ipv4_header_length_past_the_packet_is_malformed),
		cmocka_unit_test(ipv4_total_length_shorter_than_the_headers_is_malformed),
		cmocka_unit_test(ipv4_total_length_of_0_in_a_small_frame_is_malformed),
		cmocka_unit_test(other_protocols_are_not_tcp),
		cmocka_unit_test(ipv4_fragments_first_middle_and_last),
		cmocka_unit_test(ipv4_do_not_fragment_and_the_evil_bit_are_no_fragment),
		cmocka_unit_test(a_fragment_of_udp_is_not_tcp),
		cmocka_unit_test(ethernet_padding_is_no_payload),
		cmocka_unit_test(ipv6_extension_headers_are_skipped),
		cmocka_unit_test(ipv6_atomic_fragment_is_a_whole_packet),
		cmocka_unit_test(ipv6_fragments_first_middle_and_last),
		cmocka_unit_test(ipv6_extension_that_reaches_past_the_packet_is_malformed),
		cmocka_unit_test(ipv6_chain_of_eight_extensions_is_followed_and_of_nine_is_not),
		cmocka_unit_test(ipv6_addresses_that_look_like_ipv4_are_malformed),
		cmocka_unit_test(ipv6_payload_length_of_0_in_a_small_frame_is_malformed),
		cmocka_unit_test(ipv6_payload_length_past_the_wire_is_malformed),
		cmocka_unit_test(super_packets_of_64_to_256_kib),
		cmocka_unit_test(super_packet_of_ipv6_with_a_jumbo_option),
		cmocka_unit_test(a_wire_length_beyond_any_super_packet_is_malformed),
		cmocka_unit_test(checksum_right_unfinished_and_wrong_for_every_payload_length),
		cmocka_unit_test(checksum_of_a_super_packet),
		cmocka_unit_test(checksum_does_not_cover_ethernet_padding),
		cmocka_unit_test(checksum_is_wrong_after_any_single_bit_is_turned),
		cmocka_unit_test(checksum_of_packets_known_by_their_bytes),
		cmocka_unit_test(print_tcp_shows_ack_only_with_its_flag),
		cmocka_unit_test(print_of_broken_and_unknown_options),
		cmocka_unit_test(print_into_any_size_is_cut_and_terminated),
		cmocka_unit_test(every_result_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
