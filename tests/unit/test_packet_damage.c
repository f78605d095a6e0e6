/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_packet_damage.c - the frame parser on frames that are cut anywhere, built as attackers and
 * careless peers build them, or random. What it reads from good ones is in test_packet.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/packet.h"
#include "common/tcp_option.h"
#include "tests/unit/packet_builder.h"

enum {
	KIB = 1024,
	TEXT_MAX = 400,
};

#define V4        .src = "10.0.0.1:1234", .dst = "10.0.0.2:80"
#define V6        .src = "[2001:db8::1]:1234", .dst = "[2001:db8::2]:80"
#define GET       .flags = "P.", .seq = 1001, .ack = 1, .window = 512, .payload = "GET /\r\n\r\n!"
#define SPEC(...) (&(struct frame_spec){__VA_ARGS__})
#define EXTENSIONS(kind, bytes)                                            \
	.first_extension = (kind), .extensions = (const uint8_t *)(bytes), \
	.extensions_len_bytes = sizeof(bytes)

static const char v4_get[] = "10.0.0.1:1234 > 10.0.0.2:80 P. 1001:1011(10) ack 1 win 512";

/* Next header, length in units after the first, then what the kind has. */
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

static const char *print(const struct packet *p)
{
	static char text[TEXT_MAX];

	return packet_print(text, sizeof(text), p);
}

/* The first captured_len bytes of a frame, from a heap block of exactly that size. */
static enum packet_result parse_cut(struct packet *p, const struct built_frame *f, int link_type,
				    size_t captured_len, uint8_t **exact)
{
	*exact = calloc(1, captured_len ? captured_len : 1);
	memcpy(*exact, f->data, captured_len);
	return packet_parse(p, link_type, *exact, captured_len, f->len_bytes);
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

/* --- Lengths that are not there ------------------------------------------------------------ */

static void payload_cut_by_the_snap_length(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET, .checksum = BUILD_CHECKSUM_WRONG));
	struct packet p;
	uint8_t *exact;

	(void)state;
	assert_int_equal(parse_cut(&p, &f, f.link_type, f.payload_at + 4, &exact), PACKET_OK);
	assert_string_equal(print(&p), v4_get);
	assert_int_equal(p.payload_len_bytes, 4);
	assert_int_equal(p.payload_wire_len_bytes, 10);
	assert_memory_equal(p.payload, "GET ", 4);
	assert_true(packet_checksum_ok(&p)); /* cannot be judged */
	free(exact);
	built_frame_free(&f);
}

static void a_wire_length_below_the_captured_one_counts_as_that(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET));
	struct packet p;

	(void)state;
	for (size_t wire_len = 0; wire_len < f.len_bytes; wire_len++) {
		assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, wire_len),
				 PACKET_OK);
		assert_string_equal(print(&p), v4_get);
		assert_int_equal(p.payload_wire_len_bytes, 10);
	}
	built_frame_free(&f);
}

static void super_packet_cut_by_the_snap_length_keeps_its_wire_length(void **state)
{
	struct built_frame f = build_frame(
		SPEC(V4, .flags = ".", .seq = 1, .ack = 2, .payload_len_bytes = 200000));
	struct packet p;
	uint8_t *exact;

	(void)state;
	assert_int_equal(parse_cut(&p, &f, f.link_type, 128, &exact), PACKET_OK);
	assert_string_equal(print(&p),
			    "10.0.0.1:1234 > 10.0.0.2:80 . 1:200001(200000) ack 2 win 65535");
	assert_int_equal(p.payload_len_bytes, 128 - 54);
	assert_int_equal(p.payload_wire_len_bytes, 200000);
	free(exact);
	built_frame_free(&f);
}

static void a_frame_that_ends_inside_a_vlan_tag_is_malformed(void **state)
{
	(void)state;
	for (size_t len = 14; len < 18; len++) {
		struct built_frame f = build_frame(SPEC(V4, GET, .vlan_types = {0x8100}));
		struct packet p;
		uint8_t *exact;

		assert_int_equal(parse_cut(&p, &f, f.link_type, len, &exact), PACKET_MALFORMED);
		free(exact);
		built_frame_free(&f);
	}
}

/* Headers that are not whole are malformed; from there on the payload is what there is. */
static void expect_every_truncation(const struct frame_spec *spec)
{
	struct built_frame f = build_frame(spec);
	uint32_t payload_len = (uint32_t)(f.len_bytes - f.payload_at);

	for (size_t len = 0; len <= f.len_bytes; len++) {
		struct packet p;
		uint8_t *exact;
		enum packet_result result = parse_cut(&p, &f, f.link_type, len, &exact);

		assert_string_equal(packet_result_name(result),
				    len < f.payload_at ? "malformed" : "ok");
		if (result == PACKET_OK) {
			assert_int_equal(p.payload_len_bytes, len - f.payload_at);
			assert_int_equal(p.payload_wire_len_bytes, payload_len);
			assert_true(packet_checksum_ok(&p));
			print(&p);
		}
		free(exact);
	}
	built_frame_free(&f);
}

static void every_truncation_of_a_good_frame(void **state)
{
	static const char options[] = "mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7";

	(void)state;
	for (int link = BUILD_ETHERNET; link <= BUILD_LOOP; link++) {
		enum build_link l = (enum build_link)link;

		expect_every_truncation(SPEC(V4, GET, .link = l));
		expect_every_truncation(SPEC(V6, GET, .link = l));
		expect_every_truncation(SPEC(V4, GET, .link = l, .options = options,
					     .ip_options_len = 8, .vlan_types = {0x88a8, 0x8100}));
		expect_every_truncation(SPEC(V6, GET, .link = l, .options = options,
					     EXTENSIONS(0, chain_then_tcp),
					     .vlan_types = {0x8100}));
	}
}

/* The same, but the frame says that no more was on the wire: then the IP length contradicts it. */
static void every_truncation_on_the_wire_is_malformed(void **state)
{
	static const struct frame_spec specs[] = {{V4, GET}, {V6, GET}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct built_frame f = build_frame(&specs[i]);

		for (size_t len = 0; len < f.len_bytes; len++) {
			struct packet p;
			uint8_t *exact = calloc(1, len ? len : 1);

			memcpy(exact, f.data, len);
			assert_int_equal(packet_parse(&p, f.link_type, exact, len, len),
					 PACKET_MALFORMED);
			free(exact);
		}
		built_frame_free(&f);
	}
}

static void an_empty_frame_is_malformed(void **state)
{
	static const int types[] = {0, 1, 12, 101, 108, 113, 228, 229, 276};
	uint8_t *block = calloc(1, 8);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct packet p;

		/* Not one byte may be read: the block ends where the frame begins. */
		assert_int_equal(packet_parse(&p, types[i], block + 8, 0, 0), PACKET_MALFORMED);
		assert_int_equal(packet_parse(&p, types[i], block + 8, 0, 1500), PACKET_MALFORMED);
	}
	free(block);
}

static void tcp_header_length_below_five_words_is_malformed(void **state)
{
	(void)state;
	for (uint8_t doff = 0; doff < 5; doff++) {
		struct built_frame f = build_frame(SPEC(V4, GET));

		f.data[f.tcp_at + 12] = (uint8_t)(doff << 4);
		expect_result(&f, PACKET_MALFORMED);
		/* Enough bytes behind to satisfy an options length that wrapped. */
		f = build_frame(SPEC(V4, .flags = ".", .payload_len_bytes = 1000));
		f.data[f.tcp_at + 12] = (uint8_t)(doff << 4);
		expect_result(&f, PACKET_MALFORMED);
	}
}

static void tcp_header_length_past_the_packet_is_malformed(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET, .padding_bytes = 60));

	(void)state;
	f.data[f.tcp_at + 12] = 0x80; /* 32 of the 30 bytes, though padding follows */
	expect_result(&f, PACKET_MALFORMED);
	f = build_frame(SPEC(V4, GET));
	f.data[f.tcp_at + 12] = 0xf0;
	expect_result(&f, PACKET_MALFORMED);
}

static void tcp_header_length_up_to_the_very_end_leaves_no_payload(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, .flags = ".", .payload = "\1\1\1\1\1\1\1\1"));
	struct packet p;

	(void)state;
	f.data[f.tcp_at + 12] = 0x70;
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_int_equal(p.options_len_bytes, 8);
	assert_int_equal(p.payload_len_bytes, 0);
	assert_non_null(p.payload);
	built_frame_free(&f);
}

/* --- Known faults of others ---------------------------------------------------------------- */

static void pitfall_1_timestamp_option_of_length_2_at_the_end(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, .flags = "S", .options = "nop,nop,hex 0802"));
	struct tcp_options o;
	struct packet p;

	(void)state;
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_int_equal(tcp_options_parse(&o, p.options, p.options_len_bytes), -1);
	assert_false(o.has_timestamps);
	assert_string_equal(print(&p), "10.0.0.1:1234 > 10.0.0.2:80 S 0:0(0) win 65535 "
				       "<nop,nop,kind 8 length 2>");
	built_frame_free(&f);
}

static void pitfall_2_option_of_length_0_in_a_syn_ack(void **state)
{
	struct built_frame f =
		build_frame(SPEC(V4, .flags = "S.", .options = "mss 1460,hex 03000101"));
	struct tcp_options o;
	struct packet p;

	(void)state;
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_int_equal(tcp_options_parse(&o, p.options, p.options_len_bytes), -1);
	assert_true(o.has_mss);
	assert_false(o.has_window_scale);
	assert_string_equal(print(&p), "10.0.0.1:1234 > 10.0.0.2:80 S. 0:0(0) ack 0 win 65535 "
				       "<mss 1460,kind 3 broken>");
	built_frame_free(&f);
}

static void pitfall_4_ip_total_length_beyond_the_captured_bytes(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET));
	struct packet p;

	(void)state;
	put16(f.data + f.ip_at + 2, 65535);
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_MALFORMED);
	/* Even if the wire had that much: no byte more than captured is the payload. */
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, 14 + 65535), PACKET_OK);
	assert_ptr_equal(p.payload + p.payload_len_bytes, f.data + f.len_bytes);
	assert_int_equal(p.payload_wire_len_bytes, 65495);
	built_frame_free(&f);
}

static void pitfall_5_wire_length_where_the_captured_one_is_meant(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET));
	struct packet p;

	(void)state;
	/* The wire length promises whole headers; the captured bytes end inside of them. */
	for (size_t len = 0; len < f.payload_at; len++) {
		uint8_t *exact;

		assert_int_equal(parse_cut(&p, &f, f.link_type, len, &exact), PACKET_MALFORMED);
		free(exact);
	}
	built_frame_free(&f);
}

static void pitfall_5_unknown_link_type(void **state)
{
	static const int unknown[] = {-1, 2, 14, 127, 147, 275, 277, 0x7fffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct built_frame f = build_frame(SPEC(V4, GET));

		f.link_type = unknown[i];
		expect_result(&f, PACKET_UNKNOWN_LINK);
	}
}

static void pitfall_6_frame_of_14_bytes(void **state)
{
	static const unsigned types[] = {0x0800, 0x86dd, 0x8100, 0x88a8};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint8_t *frame = calloc(1, 14);
		struct packet p;

		put16(frame + 12, types[i]);
		assert_int_equal(packet_parse(&p, PACKET_LINK_ETHERNET, frame, 14, 14),
				 PACKET_MALFORMED);
		free(frame);
	}
}

static void pitfall_7_payload_length_that_would_be_negative(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, GET));

	(void)state;
	put16(f.data + f.ip_at + 2, 36); /* 4 bytes less than the two headers */
	expect_result(&f, PACKET_MALFORMED);
	f = build_frame(SPEC(V6, GET));
	put16(f.data + f.ip_at + 4, 16);
	expect_result(&f, PACKET_MALFORMED);
	f = build_frame(SPEC(V4, .flags = "S", .options = "mss 1460"));
	put16(f.data + f.ip_at + 2, 40); /* shorter than the TCP header by its option */
	expect_result(&f, PACKET_MALFORMED);
}

static void pitfall_7_window_scale_of_255(void **state)
{
	struct built_frame f = build_frame(SPEC(V4, .flags = "S", .options = "nop,wscale 255"));
	struct tcp_options o;
	struct packet p;

	(void)state;
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_int_equal(tcp_options_parse(&o, p.options, p.options_len_bytes), 0);
	assert_int_equal(o.window_scale, TCP_WINDOW_SCALE_MAX);
	built_frame_free(&f);
}

/* --- Random frames ------------------------------------------------------------------------- */

enum {
	RANDOM_INPUTS = 200000,
	RANDOM_LEN_MAX = 160,
};

static uint64_t random_state;

static uint32_t next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(random_state >> 33);
}

/* Uses everything that a packet offers; what it borrows must lie inside of the frame. */
static void use_packet(const struct packet *p, const uint8_t *frame, size_t len)
{
	struct tcp_options o;

	assert_true(p->tcp >= frame && p->options == p->tcp + 20);
	assert_true(p->payload == p->options + p->options_len_bytes);
	assert_true(p->payload + p->payload_len_bytes <= frame + len);
	assert_true(p->payload_len_bytes <= p->payload_wire_len_bytes);
	tcp_options_parse(&o, p->options, p->options_len_bytes);
	packet_checksum_ok(p);
	print(p);
}

static int random_link_type(void)
{
	static const int types[] = {0, 1, 12, 101, 108, 113, 228, 229, 276};

	return types[next_random() % (sizeof(types) / sizeof(types[0]))];
}

static void random_bytes_never_crash(void **state)
{
	(void)state;
	random_state = 1;
	for (int n = 0; n < RANDOM_INPUTS; n++) {
		size_t len = next_random() % RANDOM_LEN_MAX;
		uint8_t *frame = calloc(1, len ? len : 1);
		size_t wire_len = next_random() % 4 ? len : next_random() % (512 * KIB);
		struct packet p;

		for (size_t i = 0; i < len; i++)
			frame[i] = (uint8_t)next_random();
		if (packet_parse(&p, random_link_type(), frame, len, wire_len) == PACKET_OK)
			use_packet(&p, frame, len);
		free(frame);
	}
}

/* Good frames with a few bytes changed get deeper than noise does. */
static void random_damage_to_good_frames_never_crashes(void **state)
{
	struct built_frame good[] = {
		build_frame(SPEC(V4, GET, .options = "nop,nop,TS val 9 ecr 8")),
		build_frame(SPEC(V4, GET, .link = BUILD_RAW, .ip_options_len = 8)),
		build_frame(SPEC(V6, GET, .vlan_types = {0x88a8, 0x8100})),
		build_frame(SPEC(V6, GET, .link = BUILD_SLL, EXTENSIONS(0, chain_then_tcp))),
		build_frame(SPEC(V6, GET, .link = BUILD_SLL2,
				 EXTENSIONS(44, atomic_fragment_then_tcp))),
		build_frame(SPEC(V4, GET, .link = BUILD_NULL)),
	};
	const size_t count = sizeof(good) / sizeof(good[0]);
	unsigned results[PACKET_UNKNOWN_LINK + 1] = {0};

	(void)state;
	random_state = 2;
	for (int n = 0; n < RANDOM_INPUTS; n++) {
		const struct built_frame *f = &good[next_random() % count];
		size_t len = next_random() % 4 ? f->len_bytes : next_random() % f->len_bytes;
		uint8_t *frame = calloc(1, len ? len : 1);
		enum packet_result result;
		struct packet p;

		memcpy(frame, f->data, len);
		for (unsigned changes = next_random() % 4; changes > 0 && len > 0; changes--)
			frame[next_random() % len] = (uint8_t)next_random();
		result = packet_parse(&p, f->link_type, frame, len, f->len_bytes);
		if (result == PACKET_OK)
			use_packet(&p, frame, len);
		results[result]++;
		free(frame);
	}
	/* The damage must not be such that one kind of answer never comes. */
	for (int result = PACKET_OK; result <= PACKET_MALFORMED; result++)
		assert_true(results[result] > 100);
	for (size_t i = 0; i < count; i++)
		built_frame_free(&good[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payload_cut_by_the_snap_length),
		cmocka_unit_test(a_wire_length_below_the_captured_one_counts_as_that),
		cmocka_unit_test(super_packet_cut_by_the_snap_length_keeps_its_wire_length),
		cmocka_unit_test(a_frame_that_ends_inside_a_vlan_tag_is_malformed),
		cmocka_unit_test(every_truncation_of_a_good_frame),
		cmocka_unit_test(every_truncation_on_the_wire_is_malformed),
		cmocka_unit_test(an_empty_frame_is_malformed),
		cmocka_unit_test(tcp_header_length_below_five_words_is_malformed),
		cmocka_unit_test(tcp_header_length_past_the_packet_is_malformed),
		cmocka_unit_test(tcp_header_length_up_to_the_very_end_leaves_no_payload),
		cmocka_unit_test(pitfall_1_timestamp_option_of_length_2_at_the_end),
		cmocka_unit_test(pitfall_2_option_of_length_0_in_a_syn_ack),
		cmocka_unit_test(pitfall_4_ip_total_length_beyond_the_captured_bytes),
		cmocka_unit_test(pitfall_5_wire_length_where_the_captured_one_is_meant),
		cmocka_unit_test(pitfall_5_unknown_link_type),
		cmocka_unit_test(pitfall_6_frame_of_14_bytes),
		cmocka_unit_test(pitfall_7_payload_length_that_would_be_negative),
		cmocka_unit_test(pitfall_7_window_scale_of_255),
		cmocka_unit_test(random_bytes_never_crash),
		cmocka_unit_test(random_damage_to_good_frames_never_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
