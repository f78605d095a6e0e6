/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_packet_tunnel.c - the frame parser on what mirrors deliver: packets in tunnels, behind
 * several tags, and cut short.
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
#include "tests/unit/tunnel_builder.h"

enum {
	TEXT_MAX = 400,
};

#define V4        .src = "10.0.0.1:1234", .dst = "10.0.0.2:80"
#define V6        .src = "[2001:db8::1]:1234", .dst = "[2001:db8::2]:80"
#define GET       .flags = "P.", .seq = 1001, .ack = 1, .window = 512, .payload = "GET /\r\n\r\n!"
#define SPEC(...) (&(struct frame_spec){__VA_ARGS__})

static const char v4_get[] = "10.0.0.1:1234 > 10.0.0.2:80 P. 1001:1011(10) ack 1 win 512";
static const char v6_get[] = "[2001:db8::1]:1234 > [2001:db8::2]:80 P. 1001:1011(10) ack 1 win 512";

/* --- What the parser makes of them --------------------------------------------------------- */

/* The first captured_len bytes, of wire_len, from a heap block of exactly that size. */
static enum packet_result parse_part(struct packet *p, char text[TEXT_MAX], const uint8_t *bytes,
				     size_t captured_len, size_t wire_len)
{
	uint8_t *exact = calloc(1, captured_len ? captured_len : 1);
	enum packet_result result;

	memcpy(exact, bytes, captured_len);
	result = packet_parse(p, PACKET_LINK_ETHERNET | PACKET_LINK_MIRRORED, exact, captured_len,
			      wire_len);
	text[0] = '\0';
	if (result == PACKET_OK) {
		packet_print(text, TEXT_MAX, p);
		assert_true(packet_checksum_ok(p));
	}
	free(exact);
	return result;
}

static void expect_inner(const struct frame *f, const char *name, const char *wanted,
			 unsigned tunnels)
{
	char text[TEXT_MAX];
	struct packet p;

	if (parse_part(&p, text, f->bytes, f->len_bytes, f->len_bytes) != PACKET_OK ||
	    strcmp(text, wanted) != 0)
		fail_msg("%s: wanted %s, saw %s", name, wanted, text);
	assert_int_equal(p.tunnels, tunnels);
	assert_int_equal(p.payload_len_bytes, p.payload_wire_len_bytes);
	assert_false(p.is_cut);
}

static void expect(const struct frame *f, enum packet_result wanted)
{
	char text[TEXT_MAX];
	struct packet p;

	assert_string_equal(
		packet_result_name(parse_part(&p, text, f->bytes, f->len_bytes, f->len_bytes)),
		packet_result_name(wanted));
}

static void every_tunnel_is_followed_over_both_families(void **state)
{
	struct frame f;

	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		const struct wrapping *w = &wrappings[i];

		wrap(&f, w, false, SPEC(V4, GET));
		expect_inner(&f, w->name, v4_get, 1);
		wrap(&f, w, true, SPEC(V4, GET));
		expect_inner(&f, w->name, v4_get, 1);
		if (w->is_bare && w->header[2] == 0x08) /* the ethertype of IPv4 */
			continue;
		if (w->is_bare && w->protocol == UDP)
			continue;
		wrap(&f, w, false, SPEC(V6, GET));
		expect_inner(&f, w->name, v6_get, 1);
	}
}

static void a_bare_ipv6_packet_is_told_by_its_ethertype(void **state)
{
	struct frame f;

	(void)state;
	wrap(&f, wrapping_of("GRE, IP"), false, SPEC(V6, GET));
	put16(f.bytes + f.tunnel_at + 2, 0x86dd);
	expect_inner(&f, "GRE", v6_get, 1);
	wrap(&f, wrapping_of("GENEVE with options, IP"), true, SPEC(V6, GET));
	put16(f.bytes + f.tunnel_at + 10, 0x86dd);
	expect_inner(&f, "GENEVE", v6_get, 1);
	put16(f.bytes + f.tunnel_at + 10, 0x0806);
	expect(&f, PACKET_NOT_TCP);
}

static void no_tunnel_is_followed_unless_the_frame_is_a_mirrors(void **state)
{
	struct packet p;
	struct frame f;

	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			wrap(&f, &wrappings[i], v6, SPEC(V4, GET));
			assert_int_equal(packet_parse(&p, PACKET_LINK_ETHERNET, f.bytes,
						      f.len_bytes, f.len_bytes),
					 PACKET_NOT_TCP);
		}
	}
}

static void tags_outside_and_inside(void **state)
{
	struct built_frame tagged =
		build_frame(SPEC(V4, GET, .vlan_types = {0x9100, 0x8100, 0x8100}));
	struct packet p;
	struct frame f;

	(void)state;
	assert_int_equal(packet_parse(&p, PACKET_LINK_ETHERNET, tagged.data, tagged.len_bytes,
				      tagged.len_bytes),
			 PACKET_OK);
	assert_int_equal(p.vlan_tags, 3);
	assert_ptr_equal(p.ip, tagged.data + tagged.ip_at);
	built_frame_free(&tagged);
	wrap(&f, wrapping_of("ERSPAN II"), false, SPEC(V4, GET, .vlan_types = {0x88a8, 0x8100}));
	memmove(f.bytes + ETHERNET + 4, f.bytes + ETHERNET, f.len_bytes - ETHERNET);
	memcpy(f.bytes + 12, "\x81\x00\x00\x05\x08\x00", 6);
	f.len_bytes += 4;
	expect_inner(&f, "tagged", v4_get, 1);
	assert_int_equal(packet_parse(&p, PACKET_LINK_ETHERNET | PACKET_LINK_MIRRORED, f.bytes,
				      f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_int_equal(p.vlan_tags, 3);
	assert_ptr_equal(p.ip, f.bytes + f.inner_at + 4 + ETHERNET + 8);
}

static void cooked_and_raw_frames_lead_into_tunnels_too(void **state)
{
	uint8_t cooked[FRAME_MAX] = {0};
	struct packet p;
	struct frame f;

	(void)state;
	wrap(&f, wrapping_of("VXLAN"), false, SPEC(V4, GET));
	put16(cooked + 14, 0x0800);
	memcpy(cooked + 16, f.bytes + ETHERNET, f.len_bytes - ETHERNET);
	assert_int_equal(packet_parse(&p, PACKET_LINK_LINUX_SLL | PACKET_LINK_MIRRORED, cooked,
				      f.len_bytes + 2, f.len_bytes + 2),
			 PACKET_OK);
	assert_int_equal(p.direction, PACKET_INCOMING);
	assert_int_equal(packet_parse(&p, PACKET_LINK_RAW_BSD | PACKET_LINK_MIRRORED,
				      f.bytes + ETHERNET, f.len_bytes - ETHERNET,
				      f.len_bytes - ETHERNET),
			 PACKET_OK);
}

static void two_tunnels_are_followed_and_a_third_is_not(void **state)
{
	struct frame f;

	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		wrap(&f, wrapping_of("VXLAN"), false, SPEC(V4, GET));
		if (wrappings[i].is_bare)
			wrap_bytes(&f, &wrappings[i], false, f.bytes + ETHERNET,
				   f.len_bytes - ETHERNET);
		else
			wrap_bytes(&f, &wrappings[i], false, f.bytes, f.len_bytes);
		expect_inner(&f, wrappings[i].name, v4_get, 2);
		wrap_bytes(&f, &wrappings[ERSPAN_III], true, f.bytes, f.len_bytes);
		expect(&f, PACKET_NOT_TCP);
	}
}

/* --- What is no tunnel --------------------------------------------------------------------- */

/* A byte of the tunnel's header has another value. */
static void expect_changed(const char *name, size_t at, uint8_t value, enum packet_result wanted)
{
	struct frame f;

	wrap(&f, wrapping_of(name), false, SPEC(V4, GET));
	f.bytes[f.tunnel_at + at] = value;
	expect(&f, wanted);
}

static void headers_that_are_another_protocols(void **state)
{
	(void)state;
	expect_changed("VXLAN", 3, 53, PACKET_NOT_TCP);         /* port */
	expect_changed("VXLAN", 8, 0x00, PACKET_NOT_TCP);       /* no network */
	expect_changed("GENEVE", 8, 0x40, PACKET_NOT_TCP);      /* version 1 */
	expect_changed("GRE, IP", 1, 0x01, PACKET_NOT_TCP);     /* version 1: PPTP */
	expect_changed("GRE, IP", 0, 0x40, PACKET_NOT_TCP);     /* source routes */
	expect_changed("GRE, IP", 0, 0x04, PACKET_NOT_TCP);     /* recursion */
	expect_changed("GRE, IP", 1, 0x08, PACKET_OK);          /* RFC 2784 has it ignored */
	expect_changed("GRE, IP", 2, 0x09, PACKET_NOT_TCP);     /* ethertype */
	expect_changed("ERSPAN II", 8, 0x20, PACKET_NOT_TCP);   /* version */
	expect_changed("ERSPAN III", 8, 0x10, PACKET_NOT_TCP);  /* version */
	expect_changed("ERSPAN III", 18, 0x04, PACKET_NOT_TCP); /* frame type 1 */
}

/* --- Fragments, and what was cut off ------------------------------------------------------- */

static void outer_fragments_are_fragments(void **state)
{
	struct frame f;

	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		wrap(&f, &wrappings[i], false, SPEC(V4, GET));
		put16(f.bytes + ETHERNET + 6, 0x2000);
		expect(&f, PACKET_FRAGMENT);
		put16(f.bytes + ETHERNET + 6, 0x0001);
		expect(&f, PACKET_FRAGMENT);
	}
}

static void an_outer_ipv6_fragment_is_one_unless_it_is_the_whole(void **state)
{
	static const uint8_t fragment[8] = {UDP, 0, 0, 1, 0, 0, 0, 1};
	struct frame f;

	(void)state;
	wrap(&f, wrapping_of("VXLAN"), true, SPEC(V4, GET));
	memmove(f.bytes + f.tunnel_at + 8, f.bytes + f.tunnel_at, f.len_bytes - f.tunnel_at);
	memcpy(f.bytes + f.tunnel_at, fragment, sizeof(fragment));
	f.len_bytes += 8;
	put16(f.bytes + ETHERNET + 4, f.len_bytes - ETHERNET - 40);
	f.bytes[ETHERNET + 6] = 44;
	expect(&f, PACKET_FRAGMENT);
	f.bytes[f.tunnel_at + 3] = 0;
	expect_inner(&f, "atomic fragment", v4_get, 1);
}

/* Headers that are not whole are malformed; from there on the payload is what there is. */
static void every_place_where_the_capture_may_cut(void **state)
{
	char text[TEXT_MAX];
	struct packet p;
	struct frame f;

	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		wrap(&f, &wrappings[i], i % 2, SPEC(V4, GET));
		for (size_t len = 0; len < f.len_bytes; len++) {
			enum packet_result result = parse_part(&p, text, f.bytes, len, f.len_bytes);

			if (len + 10 < f.len_bytes) {
				assert_int_equal(result, PACKET_MALFORMED);
				continue;
			}
			assert_int_equal(result, PACKET_OK);
			assert_string_equal(text, v4_get);
			assert_int_equal(p.payload_len_bytes, 10 - (f.len_bytes - len));
			assert_false(p.is_cut);
		}
	}
}

/* The mirror has cut the packet and then wrapped it: the outer lengths are right, the inner one is not. */
static void every_place_where_the_mirror_may_cut(void **state)
{
	char text[TEXT_MAX];
	struct packet p;
	struct frame f;

	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		const struct wrapping *w = &wrappings[i];
		struct built_frame inner = build_frame(SPEC(V4, GET));
		size_t skipped = w->is_bare ? inner.ip_at : 0;

		for (size_t len = skipped; len < inner.len_bytes; len++) {
			bool is_whole = len >= inner.payload_at;
			enum packet_result result;

			wrap_bytes(&f, w, i % 2, inner.data + skipped, len - skipped);
			result = parse_part(&p, text, f.bytes, f.len_bytes, f.len_bytes);
			assert_int_equal(result, is_whole ? PACKET_OK : PACKET_MALFORMED);
			if (len >= inner.ip_at + 20)
				assert_true(p.is_cut);
			if (is_whole) {
				assert_string_equal(text, v4_get);
				assert_int_equal(p.payload_len_bytes, len - inner.payload_at);
				assert_int_equal(p.payload_wire_len_bytes, 10);
			}
		}
		built_frame_free(&inner);
	}
}

static void a_frame_that_the_mirror_cut_without_a_tunnel(void **state)
{
	static const struct frame_spec specs[] = {{V4, GET}, {V6, GET}};
	char text[TEXT_MAX];
	struct packet p;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct built_frame f = build_frame(&specs[i]);
		size_t len = f.payload_at + 3;

		assert_int_equal(parse_part(&p, text, f.data, len, len), PACKET_OK);
		assert_string_equal(text, i ? v6_get : v4_get);
		assert_int_equal(p.payload_len_bytes, 3);
		assert_true(p.is_cut);
		assert_int_equal(packet_parse(&p, f.link_type, f.data, len, len), PACKET_MALFORMED);
		built_frame_free(&f);
	}
}

/* Ethernet padding and checksums behind the inner packet are no payload, nor what is behind UDP's length. */
static void what_follows_the_inner_packet_is_not_its_payload(void **state)
{
	struct frame f;

	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		wrap(&f, &wrappings[i], false, SPEC(V4, GET, .padding_bytes = 7));
		expect_inner(&f, wrappings[i].name, v4_get, 1);
	}
	wrap(&f, wrapping_of("VXLAN"), false, SPEC(V4, GET));
	put16(f.bytes + f.tunnel_at + 4, 0); /* as in a super-packet */
	expect_inner(&f, "without a length of UDP", v4_get, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tunnel_is_followed_over_both_families),
		cmocka_unit_test(a_bare_ipv6_packet_is_told_by_its_ethertype),
		cmocka_unit_test(no_tunnel_is_followed_unless_the_frame_is_a_mirrors),
		cmocka_unit_test(tags_outside_and_inside),
		cmocka_unit_test(cooked_and_raw_frames_lead_into_tunnels_too),
		cmocka_unit_test(two_tunnels_are_followed_and_a_third_is_not),
		cmocka_unit_test(headers_that_are_another_protocols),
		cmocka_unit_test(outer_fragments_are_fragments),
		cmocka_unit_test(an_outer_ipv6_fragment_is_one_unless_it_is_the_whole),
		cmocka_unit_test(every_place_where_the_capture_may_cut),
		cmocka_unit_test(every_place_where_the_mirror_may_cut),
		cmocka_unit_test(a_frame_that_the_mirror_cut_without_a_tunnel),
		cmocka_unit_test(what_follows_the_inner_packet_is_not_its_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
