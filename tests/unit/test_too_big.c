/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_too_big.c - a router says that a packet was too big: what is read of that, what is not taken for it, and, by
 * intercept, to whom it is passed on.
 */
#include "common/too_big.h"

#include <pcap/pcap.h>

#include "tests/unit/response_fixture.h"
#include "tests/unit/too_big_builder.h"

#define V4           .src = "10.77.0.5:40000", .dst = "10.0.0.2:8080"
#define V6           .src = "[2001:db8:77::5]:40000", .dst = "[2001:db8::2]:8080"
#define BIG          .flags = ".", .seq = 1001, .ack = 1, .payload_len_bytes = 1400
#define PACKET(...)  (&(struct frame_spec){__VA_ARGS__})
#define MESSAGE(...) build_too_big(&(struct too_big_spec){__VA_ARGS__})

static bool parse(struct too_big *t, const struct built_frame *f, size_t captured)
{
	uint8_t *cut = malloc(captured ? captured : 1); /* a sanitizer sees any read past it */
	struct packet p;
	enum packet_result result;
	bool is_too_big;

	assert_non_null(cut);
	memcpy(cut, f->data, captured);
	result = packet_parse(&p, f->link_type, cut, captured, f->len_bytes);
	is_too_big = result == PACKET_NOT_TCP && too_big_parse(t, &p);
	free(cut);
	return is_too_big;
}

static void expect_none(struct built_frame *f)
{
	struct too_big t;

	assert_false(parse(&t, f, f->len_bytes));
	built_frame_free(f);
}

static void message_about_an_ipv4_packet_is_read(void **state)
{
	struct built_frame f = MESSAGE(.packet = PACKET(V4, BIG), .mtu_bytes = 1280);
	char text[ENDPOINT_TEXT_MAX];
	struct too_big t;

	(void)state;
	assert_true(parse(&t, &f, f.len_bytes));
	assert_string_equal(endpoint_format(text, sizeof(text), &t.tuple.src), "10.77.0.5:40000");
	assert_string_equal(endpoint_format(text, sizeof(text), &t.tuple.dst), "10.0.0.2:8080");
	assert_int_equal(t.tuple.protocol, PROTOCOL_TCP);
	assert_int_equal(t.seq, 1001);
	assert_int_equal(t.mtu_bytes, 1280);
	assert_int_equal(t.len_bytes, 1440);
	built_frame_free(&f);
}

static void message_about_an_ipv6_packet_is_read(void **state)
{
	struct built_frame f = MESSAGE(.packet = PACKET(V6, BIG), .mtu_bytes = 0x10500);
	char text[ENDPOINT_TEXT_MAX];
	struct too_big t;

	(void)state;
	assert_true(parse(&t, &f, f.len_bytes));
	assert_string_equal(endpoint_format(text, sizeof(text), &t.tuple.src),
			    "[2001:db8:77::5]:40000");
	assert_string_equal(endpoint_format(text, sizeof(text), &t.tuple.dst),
			    "[2001:db8::2]:8080");
	assert_int_equal(t.seq, 1001);
	assert_int_equal(t.mtu_bytes, 0x10500); /* all 32 bits */
	assert_int_equal(t.len_bytes, 1460);
	built_frame_free(&f);
}

/* RFC 1191, section 4: the half above the MTU is unused. */
static void only_half_of_the_word_is_an_ipv4_mtu(void **state)
{
	struct built_frame f = MESSAGE(.packet = PACKET(V4, BIG), .mtu_bytes = 0xffff0000 + 1300);
	struct too_big t;

	(void)state;
	assert_true(parse(&t, &f, f.len_bytes));
	assert_int_equal(t.mtu_bytes, 1300);
	built_frame_free(&f);
}

/* RFC 792: an IP header, with its options, and 64 bits. */
static void eight_bytes_of_tcp_are_enough(void **state)
{
	struct built_frame f = MESSAGE(.packet = PACKET(V4, BIG, .ip_options_len = 8),
				       .mtu_bytes = 1280, .quoted_bytes = 36);
	struct too_big t;

	(void)state;
	assert_true(parse(&t, &f, f.len_bytes));
	assert_int_equal(t.seq, 1001);
	assert_int_equal(t.tuple.dst.port, 8080);
	built_frame_free(&f);
}

static void one_byte_less_is_not_enough(void **state)
{
	struct too_big t;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct built_frame f = i ? MESSAGE(.packet = PACKET(V6, BIG), .mtu_bytes = 1280)
					 : MESSAGE(.packet = PACKET(V4, BIG), .mtu_bytes = 1280);
		size_t enough = f.tcp_at + (i ? 48 : 28);

		assert_true(parse(&t, &f, enough));
		for (size_t captured = 0; captured < enough; captured++)
			assert_false(parse(&t, &f, captured));
		built_frame_free(&f);
	}
}

static void every_link_type_is_read(void **state)
{
	static const enum build_link links[] = {BUILD_ETHERNET, BUILD_SLL, BUILD_SLL2, BUILD_RAW};

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct built_frame f =
			MESSAGE(.packet = PACKET(V4, BIG, .link = links[i]), .mtu_bytes = 1280);
		struct too_big t;

		assert_true(parse(&t, &f, f.len_bytes));
		assert_int_equal(t.seq, 1001);
		built_frame_free(&f);
	}
}

/* A byte of the message is another one: at is its place, from the router's IP header on. */
static void expect_none_if(const struct frame_spec *packet, size_t at, uint8_t value)
{
	struct built_frame f = MESSAGE(.packet = packet, .mtu_bytes = 1280);

	f.data[f.ip_at + at] = value;
	expect_none(&f);
}

static void other_messages_are_none(void **state)
{
	const struct frame_spec *v4 = PACKET(V4, BIG), *v6 = PACKET(V6, BIG);

	(void)state;
	expect_none_if(v4, 20, 11);  /* time exceeded */
	expect_none_if(v4, 21, 3);   /* port unreachable */
	expect_none_if(v4, 9, 17);   /* not ICMP */
	expect_none_if(v4, 6, 0x20); /* a fragment of one */
	expect_none_if(v4, 2, 0xff); /* longer than it is */
	expect_none_if(v4, 0, 0x44); /* no header */
	expect_none_if(v6, 40, 1);   /* destination unreachable */
	expect_none_if(v6, 6, 1);    /* ICMP in IPv6 */
}

static void other_quotations_are_none(void **state)
{
	const struct frame_spec *v4 = PACKET(V4, BIG), *v6 = PACKET(V6, BIG);

	(void)state;
	expect_none_if(v4, 28 + 9, 17); /* of UDP */
	expect_none_if(v4, 28, 0x65);   /* of another version */
	expect_none_if(v4, 28, 0x44);   /* of a header that is none */
	expect_none_if(v4, 28 + 7, 1);  /* of a later fragment: its ports are payload */
	expect_none_if(v6, 48 + 6, 17); /* of UDP */
	expect_none_if(v6, 48, 0x45);   /* of another version */
}

/* Its addresses would be taken for IPv4's. */
static void quoted_mapped_addresses_are_none(void **state)
{
	struct built_frame f = MESSAGE(.packet = PACKET(V6, BIG), .mtu_bytes = 1280);
	uint8_t *dst = f.data + f.tcp_at + 24;

	(void)state;
	memset(dst, 0, 10);
	memset(dst + 10, 0xff, 2);
	expect_none(&f);
}

static void tcp_packets_are_none(void **state)
{
	struct built_frame f = build_frame(PACKET(V4, BIG));
	struct packet p = {.icmp = NULL};
	struct too_big t;

	(void)state;
	assert_false(too_big_parse(&t, &p));
	assert_int_equal(packet_parse(&p, f.link_type, f.data, f.len_bytes, f.len_bytes),
			 PACKET_OK);
	assert_false(too_big_parse(&t, &p));
	built_frame_free(&f);
}

/* ---- the kernel's filter ---- */

static bool is_captured(const struct bpf_program *program, struct built_frame *f)
{
	const struct pcap_pkthdr header = {.caplen = (bpf_u_int32)f->len_bytes,
					   .len = (bpf_u_int32)f->len_bytes};
	bool is = pcap_offline_filter(program, &header, f->data) != 0;

	built_frame_free(f);
	return is;
}

static bool is_captured_if(const struct bpf_program *program, const struct frame_spec *packet,
			   size_t at, uint8_t value)
{
	struct built_frame f = MESSAGE(.packet = packet, .mtu_bytes = 1280);

	f.data[f.ip_at + at] = value;
	return is_captured(program, &f);
}

static void filter_takes_these_messages_alone(void **state)
{
	const struct frame_spec *v4 = PACKET(V4, BIG), *v6 = PACKET(V6, BIG);
	struct built_frame tcp = build_frame(v4), message;
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program;

	(void)state;
	assert_int_equal(pcap_compile(pcap, &program, TOO_BIG_FILTER, 1, PCAP_NETMASK_UNKNOWN), 0);
	message = MESSAGE(.packet = v4, .mtu_bytes = 1280);
	assert_true(is_captured(&program, &message));
	message = MESSAGE(.packet = v6, .mtu_bytes = 1280);
	assert_true(is_captured(&program, &message));
	assert_false(is_captured(&program, &tcp));
	assert_false(is_captured_if(&program, v4, 20, 8));      /* an echo request */
	assert_false(is_captured_if(&program, v4, 21, 3));      /* port unreachable */
	assert_false(is_captured_if(&program, v4, 28 + 9, 17)); /* about UDP */
	assert_false(is_captured_if(&program, v6, 40, 135));    /* neighbour discovery */
	assert_false(is_captured_if(&program, v6, 48 + 6, 17));
	pcap_freecode(&program);
	pcap_close(pcap);
}

/* ---- intercept ---- */

static void router_says(struct fixture *f, const struct frame_spec *packet, uint32_t mtu)
{
	struct built_frame b = MESSAGE(.packet = packet, .mtu_bytes = mtu);
	size_t captured = b.len_bytes < SNAPLEN ? b.len_bytes : SNAPLEN;

	response_on_frame(f->r, b.link_type, b.data, captured, b.len_bytes, f->now_us);
	built_frame_free(&b);
}

static void message_about_a_session_is_passed_on(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	register_session(f, 0, 8, "[2001:db8::2]:8080", "[2001:db8:77::5]:40000");
	router_says(f, PACKET(V4, BIG), 1280);
	router_says(f, PACKET(V6, BIG), 1400);
	expect(f, "0: 7 too big: seq 1001, 1440 bytes, mtu 1280\n"
		  "0: 8 too big: seq 1001, 1460 bytes, mtu 1400\n");
	assert_int_equal(counters(f).too_big, 2);
	assert_int_equal(counters(f).too_big_routed, 2);
	assert_int_equal(f->writes, 1);
	fixture_free(f);
}

static void message_about_nobodys_packet_is_counted(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	router_says(f, PACKET(.src = "10.77.0.5:40001", .dst = "10.0.0.2:8080", BIG), 1280);
	/* An answer that was too big: the target's affair. */
	router_says(f, PACKET(.src = TARGET, .dst = CLIENT, BIG), 1280);
	expect(f, "");
	assert_int_equal(counters(f).too_big, 2);
	assert_int_equal(counters(f).too_big_routed, 0);
	fixture_free(f);
}

/* -D: the packet was too big behind the translation. */
static void quoted_address_is_translated_back(void **state)
{
	static const struct translation translation = {
		.seen = {.port = 80},
		.original = {.port = 8080},
	};
	struct translation list[1] = {translation};
	const struct response_config config = {
		.limits = {.routes_max = 10, .peer_routes_max = 10},
		.translations = list,
		.translation_count = 1,
	};
	struct fixture *f = calloc(1, sizeof(*f));

	(void)state;
	assert_non_null(f);
	list[0].seen.addr = ip_addr_v4(0xac110002); /* 172.17.0.2 */
	list[0].original.addr = ip_addr_v4(0x0a000002);
	f->now_us = 1000000;
	f->r = response_new(&config, &effects, f, f->now_us);
	register_session(f, peer_up(f), 7, TARGET, CLIENT);
	router_says(f, PACKET(.src = CLIENT, .dst = "172.17.0.2:80", BIG), 1400);
	router_says(f, PACKET(.src = CLIENT, .dst = TARGET, BIG), 1300);
	expect(f, "0: 7 too big: seq 1001, 1440 bytes, mtu 1400\n"
		  "0: 7 too big: seq 1001, 1440 bytes, mtu 1300\n");
	fixture_free(f);
}

/* A stranger may make as many as he likes: what must be said finds room. */
static void flood_leaves_room_in_the_output_of_a_slow_peer(void **state)
{
	struct fixture *f = fixture_registered();
	size_t len;

	(void)state;
	f->slow[0] = true;
	for (int i = 0; i < 300000; i++)
		router_says(f, PACKET(V4, BIG), 1280);
	response_flush(f->r, f->now_us);
	response_output(f->r, 0, &len);
	assert_in_range(len, PEER_OUTPUT_MAX - PEER_OUTPUT_RESERVE - 64,
			PEER_OUTPUT_MAX - PEER_OUTPUT_RESERVE);
	assert_true(counters(f).too_big_routed < 300000);
	assert_int_equal(counters(f).too_big, 300000);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_about_an_ipv4_packet_is_read),
		cmocka_unit_test(message_about_an_ipv6_packet_is_read),
		cmocka_unit_test(only_half_of_the_word_is_an_ipv4_mtu),
		cmocka_unit_test(eight_bytes_of_tcp_are_enough),
		cmocka_unit_test(one_byte_less_is_not_enough),
		cmocka_unit_test(every_link_type_is_read),
		cmocka_unit_test(other_messages_are_none),
		cmocka_unit_test(other_quotations_are_none),
		cmocka_unit_test(quoted_mapped_addresses_are_none),
		cmocka_unit_test(tcp_packets_are_none),
		cmocka_unit_test(filter_takes_these_messages_alone),
		cmocka_unit_test(message_about_a_session_is_passed_on),
		cmocka_unit_test(message_about_nobodys_packet_is_counted),
		cmocka_unit_test(quoted_address_is_translated_back),
		cmocka_unit_test(flood_leaves_room_in_the_output_of_a_slow_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
