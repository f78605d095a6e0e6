/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_online_filter.c - the filter made from -x, compiled by libpcap and run on packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/capture.h"
#include "tcpcopy/online_filter.h"

enum {
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,
	FRAME_MAX = 192,
	COOKED2_HEADER_LEN = 20,
	SHARES_MAX = 16,
	SHARE_CONNECTIONS = 2000,
};

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

/* A pair "source address or NULL, port" to 10.9.9.9:port or to an address. */
static struct transfer pair(const char *source, uint16_t port, const char *target,
			    uint16_t target_port)
{
	struct transfer t = {.source = {.port = port},
			     .target = {.addr = addr(target), .port = target_port}};

	if (source)
		t.source.addr = addr(source);
	return t;
}

static void put_tcp(uint8_t *at, uint16_t src, uint16_t dst, uint8_t flags)
{
	put_be16(at, src);
	put_be16(at + 2, dst);
	at[12] = 5 << 4;
	at[13] = flags;
}

/* A header without payload from src to dst, behind link_len bytes of link header. */
static size_t put_packet(uint8_t frame[FRAME_MAX], size_t link_len, uint8_t protocol,
			 const struct endpoint *src, const struct endpoint *dst, uint8_t flags)
{
	uint8_t *ip = frame + link_len;

	if (ip_addr_is_v4(&src->addr)) {
		ip[0] = 0x45;
		put_be16(ip + 2, 40);
		ip[8] = 64;
		ip[9] = protocol;
		put_be32(ip + 12, ip_addr_to_v4(&src->addr));
		put_be32(ip + 16, ip_addr_to_v4(&dst->addr));
		put_tcp(ip + 20, src->port, dst->port, flags);
		return link_len + 40;
	}
	ip[0] = 0x60;
	put_be16(ip + 4, 20);
	ip[6] = protocol;
	ip[7] = 64;
	memcpy(ip + 8, src->addr.b, 16);
	memcpy(ip + 24, dst->addr.b, 16);
	put_tcp(ip + 40, src->port, dst->port, flags);
	return link_len + 60;
}

struct filter {
	struct bpf_program program;
	struct bpf_program cooked;
};

static void compile(struct bpf_program *program, int link_type, const char *text)
{
	pcap_t *dead = pcap_open_dead(link_type, 65535);

	assert_non_null(dead);
	if (pcap_compile(dead, program, text, 1, PCAP_NETMASK_UNKNOWN))
		fail_msg("%s: %s", pcap_geterr(dead), text);
	pcap_close(dead);
}

static void filter_init_share(struct filter *f, const struct transfer *transfers, size_t count,
			      const struct ip_addr *local, size_t local_count, const char *user,
			      const struct online_share *share)
{
	char error[CAPTURE_ERROR_MAX];
	char *text = online_filter_text(transfers, count, local, local_count, user, share);

	assert_non_null(text);
	if (capture_check_filter(text, error))
		fail_msg("%s: %s", error, text);
	compile(&f->program, DLT_EN10MB, text);
	compile(&f->cooked, DLT_LINUX_SLL2, text);
	free(text);
}

static void filter_init(struct filter *f, const struct transfer *transfers, size_t count,
			const struct ip_addr *local, size_t local_count, const char *user)
{
	const struct online_share all = {.count = 1};

	filter_init_share(f, transfers, count, local, local_count, user, &all);
}

static void filter_fini(struct filter *f)
{
	pcap_freecode(&f->program);
	pcap_freecode(&f->cooked);
}

static bool run_program(struct bpf_program *program, const uint8_t *frame, size_t len)
{
	struct pcap_pkthdr header = {.caplen = (bpf_u_int32)len, .len = (bpf_u_int32)len};

	return pcap_offline_filter(program, &header, frame) != 0;
}

/* "10.0.0.9 1234 > 10.0.0.1 80" on Ethernet and as captured on any: both must say the same. */
static bool takes_protocol(struct filter *f, uint8_t protocol, const char *src, uint16_t src_port,
			   const char *dst, uint16_t dst_port, uint8_t flags)
{
	const struct endpoint from = {addr(src), src_port}, to = {addr(dst), dst_port};
	uint16_t ethertype = ip_addr_is_v4(&from.addr) ? 0x0800 : 0x86dd;
	uint8_t ethernet[FRAME_MAX] = {0}, cooked[FRAME_MAX] = {0};
	bool taken;

	put_be16(ethernet + 12, ethertype);
	put_be16(cooked, ethertype);
	taken = run_program(&f->program, ethernet,
			    put_packet(ethernet, 14, protocol, &from, &to, flags));
	assert_int_equal(taken, run_program(&f->cooked, cooked,
					    put_packet(cooked, COOKED2_HEADER_LEN, protocol, &from,
						       &to, flags)));
	return taken;
}

static bool takes(struct filter *f, const char *src, uint16_t src_port, const char *dst,
		  uint16_t dst_port, uint8_t flags)
{
	return takes_protocol(f, 6, src, src_port, dst, dst_port, flags);
}

static void everything_of_clients_is_taken_but_only_syn_fin_rst_of_the_server(void **state)
{
	const struct transfer t = pair("10.0.0.1", 80, "10.9.9.9", 8080);
	struct filter f;

	(void)state;
	filter_init(&f, &t, 1, NULL, 0, NULL);
	assert_true(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 80, SYN));
	assert_true(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 80, ACK));
	assert_true(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 80, PSH | ACK));
	assert_true(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 80, RST));
	assert_true(takes(&f, "10.0.0.1", 80, "10.0.0.9", 1234, SYN | ACK));
	assert_true(takes(&f, "10.0.0.1", 80, "10.0.0.9", 1234, FIN | ACK));
	assert_true(takes(&f, "10.0.0.1", 80, "10.0.0.9", 1234, RST));
	assert_false(takes(&f, "10.0.0.1", 80, "10.0.0.9", 1234, ACK));
	assert_false(takes(&f, "10.0.0.1", 80, "10.0.0.9", 1234, PSH | ACK));
	filter_fini(&f);
}

static void ipv6_is_filtered_as_ipv4(void **state)
{
	const struct transfer t = pair("2001:db8::1", 80, "2001:db8::9", 8080);
	struct filter f;

	(void)state;
	filter_init(&f, &t, 1, NULL, 0, NULL);
	assert_true(takes(&f, "2001:db8::c", 1234, "2001:db8::1", 80, SYN));
	assert_true(takes(&f, "2001:db8::c", 1234, "2001:db8::1", 80, PSH | ACK));
	assert_true(takes(&f, "2001:db8::1", 80, "2001:db8::c", 1234, SYN | ACK));
	assert_true(takes(&f, "2001:db8::1", 80, "2001:db8::c", 1234, FIN | ACK));
	assert_true(takes(&f, "2001:db8::1", 80, "2001:db8::c", 1234, RST));
	assert_false(takes(&f, "2001:db8::1", 80, "2001:db8::c", 1234, ACK));
	assert_false(takes(&f, "2001:db8::c", 1234, "2001:db8::2", 80, SYN));
	assert_false(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 80, SYN));
	filter_fini(&f);
}

static void other_ports_addresses_and_protocols_are_left(void **state)
{
	const struct transfer t = pair("10.0.0.1", 80, "10.9.9.9", 8080);
	struct filter f;

	(void)state;
	filter_init(&f, &t, 1, NULL, 0, NULL);
	assert_false(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 81, SYN));
	assert_false(takes(&f, "10.0.0.9", 1234, "10.0.0.2", 80, SYN));
	assert_false(takes(&f, "10.0.0.2", 80, "10.0.0.9", 1234, SYN | ACK));
	assert_false(takes(&f, "10.0.0.9", 80, "10.0.0.1", 1234, SYN));
	assert_false(takes_protocol(&f, 17, "10.0.0.9", 1234, "10.0.0.1", 80, SYN));
	filter_fini(&f);
}

static void own_copies_are_never_taken(void **state)
{
	const struct transfer t = pair(NULL, 80, "10.9.9.9", 80);
	const struct ip_addr local[] = {addr("10.0.0.1")};
	struct filter f;

	(void)state;
	filter_init(&f, &t, 1, local, 1, NULL);
	assert_true(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 80, SYN));
	assert_false(takes(&f, "10.20.30.1", 1234, "10.9.9.9", 80, SYN));
	assert_false(takes(&f, "10.20.30.1", 1234, "10.9.9.9", 80, PSH | ACK));
	filter_fini(&f);
}

static void pair_without_source_takes_local_addresses_of_both_families(void **state)
{
	const struct transfer t = pair(NULL, 80, "10.9.9.9", 8080);
	const struct ip_addr local[] = {addr("10.0.0.1"), addr("2001:db8::1"), addr("127.0.0.1")};
	struct filter f;

	(void)state;
	filter_init(&f, &t, 1, local, 3, NULL);
	assert_true(takes(&f, "10.0.0.9", 1234, "10.0.0.1", 80, ACK));
	assert_true(takes(&f, "2001:db8::c", 1234, "2001:db8::1", 80, ACK));
	assert_true(takes(&f, "127.0.0.1", 1234, "127.0.0.1", 80, ACK));
	assert_true(takes(&f, "2001:db8::1", 80, "2001:db8::c", 1234, FIN | ACK));
	assert_false(takes(&f, "10.0.0.9", 1234, "10.0.0.7", 80, ACK));
	filter_fini(&f);
}

static void many_local_addresses_leave_the_port_and_never_the_target(void **state)
{
	const struct transfer t[] = {pair(NULL, 80, "10.9.9.9", 80),
				     pair(NULL, 443, "10.9.9.8", 443)};
	struct ip_addr local[ONLINE_FILTER_LOCAL_MAX + 1];
	const struct ip_addr first = addr("10.0.0.1");
	struct filter f;

	(void)state;
	for (size_t i = 0; i <= ONLINE_FILTER_LOCAL_MAX; i++)
		local[i] = ip_addr_add(&first, i);
	filter_init(&f, t, 2, local, ONLINE_FILTER_LOCAL_MAX, NULL);
	assert_true(takes(&f, "10.0.1.9", 1234, "10.0.0.64", 443, ACK));
	assert_false(takes(&f, "10.0.1.9", 1234, "10.0.0.65", 443, ACK));
	filter_fini(&f);
	filter_init(&f, t, 2, local, ONLINE_FILTER_LOCAL_MAX + 1, NULL);
	assert_true(takes(&f, "10.0.1.9", 1234, "10.0.0.65", 443, ACK));
	assert_true(takes(&f, "10.0.1.9", 1234, "10.77.0.1", 80, ACK));
	assert_true(takes(&f, "10.77.0.1", 80, "10.0.1.9", 1234, SYN | ACK));
	assert_false(takes(&f, "10.77.0.1", 80, "10.0.1.9", 1234, ACK));
	assert_false(takes(&f, "10.20.30.1", 1234, "10.9.9.9", 80, ACK));
	assert_false(takes(&f, "10.20.30.1", 1234, "10.9.9.8", 443, ACK));
	filter_fini(&f);
}

static void several_pairs_are_all_taken_and_do_not_mix(void **state)
{
	const struct transfer t[] = {
		pair("10.0.0.1", 80, "10.9.9.9", 8080), pair("10.0.0.2", 443, "10.9.9.9", 8443),
		pair("10.0.0.1", 81, "10.9.9.9", 8081), pair("10.0.0.1", 80, "10.9.9.8", 8080),
		pair(NULL, 6379, "10.9.9.9", 6379),
	};
	const struct ip_addr local[] = {addr("10.0.0.1"), addr("10.0.0.3")};
	struct filter f;

	(void)state;
	filter_init(&f, t, 5, local, 2, NULL);
	assert_true(takes(&f, "10.0.1.9", 1234, "10.0.0.1", 80, ACK));
	assert_true(takes(&f, "10.0.1.9", 1234, "10.0.0.1", 81, ACK));
	assert_true(takes(&f, "10.0.1.9", 1234, "10.0.0.2", 443, ACK));
	assert_true(takes(&f, "10.0.1.9", 1234, "10.0.0.3", 6379, ACK));
	assert_false(takes(&f, "10.0.1.9", 1234, "10.0.0.1", 443, ACK));
	assert_false(takes(&f, "10.0.1.9", 1234, "10.0.0.2", 80, ACK));
	assert_false(takes(&f, "10.0.1.9", 1234, "10.0.0.2", 6379, ACK));
	filter_fini(&f);
}

static void user_filter_narrows_all_of_it(void **state)
{
	const struct transfer t[] = {pair("10.0.0.1", 80, "10.9.9.9", 8080),
				     pair("10.0.0.2", 443, "10.9.9.9", 8443)};
	struct filter f;

	(void)state;
	filter_init(&f, t, 2, NULL, 0, "net 10.0.1.0/24 or host 10.0.2.2");
	assert_true(takes(&f, "10.0.1.9", 1234, "10.0.0.1", 80, ACK));
	assert_true(takes(&f, "10.0.2.2", 1234, "10.0.0.2", 443, ACK));
	assert_true(takes(&f, "10.0.0.2", 443, "10.0.1.9", 1234, SYN | ACK));
	assert_false(takes(&f, "10.0.3.9", 1234, "10.0.0.1", 80, ACK));
	assert_false(takes(&f, "10.0.1.9", 1234, "10.0.0.1", 22, ACK));
	filter_fini(&f);
}

static void sixty_four_pairs_and_addresses_compile(void **state)
{
	struct transfer t[TRANSFERS_MAX];
	struct ip_addr local[ONLINE_FILTER_LOCAL_MAX];
	const struct ip_addr first = addr("2001:db8::1");
	struct filter f;

	(void)state;
	for (uint16_t i = 0; i < TRANSFERS_MAX; i++)
		t[i] = pair(NULL, (uint16_t)(8000 + i), "2001:db8:1::1", 80);
	for (size_t i = 0; i < ONLINE_FILTER_LOCAL_MAX; i++)
		local[i] = ip_addr_add(&first, i);
	filter_init(&f, t, TRANSFERS_MAX, local, ONLINE_FILTER_LOCAL_MAX, NULL);
	assert_true(takes(&f, "2001:db8::c", 1234, "2001:db8::40", 8063, ACK));
	assert_false(takes(&f, "2001:db8::c", 1234, "2001:db8::41", 8063, ACK));
	assert_false(takes(&f, "2001:db8::c", 1234, "2001:db8::40", 8064, ACK));
	/* The kernel's limit for a classic program; above it libpcap filters in user space. */
	assert_true(f.program.bf_len < 4096);
	filter_fini(&f);
}

/* Which of the shares take a packet of a client, in its way or as the server's SYN-ACK: one. */
static unsigned share_of(struct filter *shares, unsigned count, const char *client, uint16_t port,
			 const char *server)
{
	unsigned found = count;

	for (unsigned i = 0; i < count; i++) {
		bool taken = takes(&shares[i], client, port, server, 80, PSH | ACK);

		assert_int_equal(taken, takes(&shares[i], server, 80, client, port, SYN | ACK));
		if (!taken)
			continue;
		assert_int_equal(found, count);
		found = i;
	}
	assert_true(found < count);
	return found;
}

/* One client and many ports, in the steps in which a kernel gives them out; then many clients. */
static void expect_even_shares(struct filter *shares, unsigned count, const char *format,
			       const char *server)
{
	unsigned taken[SHARES_MAX] = {0}, even = 2 * SHARE_CONNECTIONS / count;
	char client[64];

	for (unsigned i = 0; i < SHARE_CONNECTIONS; i++) {
		snprintf(client, sizeof(client), format, 9);
		taken[share_of(shares, count, client, (uint16_t)(32768 + 2 * i), server)]++;
		snprintf(client, sizeof(client), format, i % 200 + 1);
		taken[share_of(shares, count, client, (uint16_t)(32768 + i / 200), server)]++;
	}
	for (unsigned i = 0; i < count; i++)
		assert_in_range(taken[i], even * 3 / 4, even * 5 / 4);
}

static void each_connection_is_in_one_share_in_both_directions(void **state)
{
	static const unsigned counts[] = {2, 3, 4, 7, SHARES_MAX};
	const struct transfer pairs[] = {pair("10.0.0.1", 80, "10.9.9.9", 8080),
					 pair("2001:db8::1", 80, "2001:db8::9", 8080)};
	struct filter shares[SHARES_MAX];

	(void)state;
	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		for (unsigned i = 0; i < counts[n]; i++) {
			const struct online_share share = {.index = i, .count = counts[n]};

			filter_init_share(&shares[i], pairs, 2, NULL, 0, "not port 7", &share);
		}
		expect_even_shares(shares, counts[n], "10.0.7.%u", "10.0.0.1");
		expect_even_shares(shares, counts[n], "2001:db8::c:%x", "2001:db8::1");
		for (unsigned i = 0; i < counts[n]; i++) {
			assert_false(takes(&shares[i], "10.0.0.9", 7, "10.0.0.1", 80, SYN));
			filter_fini(&shares[i]);
		}
	}
}

/* ---- IPv6 extension headers ---- */

enum {
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	AUTHENTICATION = 51,
	DESTINATION = 60,
	MOBILITY = 135,
	TCP = 6,
	UDP = 17,
};

/* An extension header: what comes behind it, its length field, its third and fourth byte. */
struct extension {
	uint8_t kind;
	uint8_t length; /* as in the header */
	uint16_t rest;  /* a fragment's offset and M */
};

static size_t extension_len(const struct extension *e)
{
	if (e->kind == FRAGMENT)
		return 8;
	return e->kind == AUTHENTICATION ? (e->length + 2U) * 4 : (e->length + 1U) * 8;
}

/* A packet with these between its header and what is behind (TCP, another kind). */
static size_t put_extended(uint8_t frame[FRAME_MAX], size_t link_len, const struct extension *e,
			   size_t count, uint8_t behind, const struct endpoint *src,
			   const struct endpoint *dst, uint8_t flags)
{
	size_t at = link_len + 40;

	put_packet(frame, link_len, e[0].kind, src, dst, 0);
	memset(frame + at, 0, FRAME_MAX - at);
	for (size_t i = 0; i < count; i++) {
		frame[at] = i + 1 < count ? e[i + 1].kind : behind;
		frame[at + 1] = e[i].length;
		put_be16(frame + at + 2, e[i].rest);
		at += extension_len(&e[i]);
	}
	put_tcp(frame + at, src->port, dst->port, flags);
	put_be16(frame + link_len + 4, (uint16_t)(at + 20 - link_len - 40));
	return at + 20;
}

static bool takes_extended(struct filter *f, const struct extension *e, size_t count,
			   uint8_t behind, bool from_server, uint8_t flags)
{
	const struct endpoint client = {addr("2001:db8::c"), 1234},
			      server = {addr("2001:db8::1"), 80};
	const struct endpoint *src = from_server ? &server : &client;
	const struct endpoint *dst = from_server ? &client : &server;
	uint8_t ethernet[FRAME_MAX] = {0}, cooked[FRAME_MAX] = {0};
	bool taken;

	put_be16(ethernet + 12, 0x86dd);
	put_be16(cooked, 0x86dd);
	taken = run_program(&f->program, ethernet,
			    put_extended(ethernet, 14, e, count, behind, src, dst, flags));
	assert_int_equal(taken, run_program(&f->cooked, cooked,
					    put_extended(cooked, COOKED2_HEADER_LEN, e, count,
							 behind, src, dst, flags)));
	return taken;
}

static void extension_headers_hide_no_client_and_no_end(void **state)
{
	static const struct extension single[] = {
		{HOP_BY_HOP, 0, 0}, {HOP_BY_HOP, 2, 0},     {ROUTING, 0, 0},
		{ROUTING, 4, 0},    {DESTINATION, 0, 0},    {DESTINATION, 3, 0},
		{MOBILITY, 1, 0},   {AUTHENTICATION, 4, 0}, {AUTHENTICATION, 1, 0},
		{FRAGMENT, 0, 0},   {FRAGMENT, 0xff, 0}, /* the length is reserved there */
	};
	static const struct extension chain[] = {
		{HOP_BY_HOP, 1, 0}, {ROUTING, 2, 0}, {DESTINATION, 0, 0}, {FRAGMENT, 0, 0}};
	const struct transfer t = pair("2001:db8::1", 80, "2001:db8::9", 8080);
	struct filter f;

	(void)state;
	filter_init(&f, &t, 1, NULL, 0, NULL);
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		assert_true(takes_extended(&f, &single[i], 1, TCP, false, SYN));
		assert_true(takes_extended(&f, &single[i], 1, TCP, false, PSH | ACK));
		assert_true(takes_extended(&f, &single[i], 1, TCP, true, SYN | ACK));
		assert_true(takes_extended(&f, &single[i], 1, TCP, true, FIN | ACK));
		assert_true(takes_extended(&f, &single[i], 1, TCP, true, RST));
		assert_false(takes_extended(&f, &single[i], 1, TCP, true, PSH | ACK));
		assert_false(takes_extended(&f, &single[i], 1, UDP, false, PSH | ACK));
	}
	for (size_t n = 2; n <= 4; n++)
		assert_true(takes_extended(&f, chain, n, TCP, false, ACK));
	assert_true(takes_extended(&f, chain, 4, TCP, true, SYN | ACK));
	filter_fini(&f);
}

static void extension_headers_of_other_hosts_are_left(void **state)
{
	static const struct extension options = {DESTINATION, 0, 0};
	const struct transfer t = pair("2001:db8::2", 80, "2001:db8::9", 8080);
	const struct transfer v4 = pair("10.0.0.1", 80, "2001:db8::9", 8080);
	const struct ip_addr local[] = {addr("10.0.0.1"), addr("2001:db8::1")};
	const struct transfer any = pair(NULL, 80, "10.9.9.9", 8080);
	struct filter f;

	(void)state;
	filter_init(&f, &t, 1, NULL, 0, NULL);
	assert_false(takes_extended(&f, &options, 1, TCP, false, SYN));
	assert_false(takes_extended(&f, &options, 1, TCP, true, SYN | ACK));
	filter_fini(&f);
	filter_init(&f, &v4, 1, NULL, 0, NULL);
	assert_false(takes_extended(&f, &options, 1, TCP, false, SYN));
	filter_fini(&f);
	filter_init(&f, &any, 1, local, 2, NULL);
	assert_true(takes_extended(&f, &options, 1, TCP, false, SYN));
	assert_false(takes_extended(&f, &options, 1, TCP, true, ACK));
	filter_fini(&f);
	filter_init(&f, &any, 1, local, 0, NULL);
	assert_true(takes_extended(&f, &options, 1, TCP, false, SYN));
	assert_false(takes_extended(&f, &options, 1, UDP, false, SYN));
	filter_fini(&f);
	filter_init(&f, &any, 1, local, 2, "net 10.0.0.0/8");
	assert_false(takes_extended(&f, &options, 1, TCP, false, SYN));
	filter_fini(&f);
}

/* Of a packet in fragments the first is taken, to be counted. */
static void first_fragment_alone_is_taken(void **state)
{
	static const struct extension first = {FRAGMENT, 0, 1}, second = {FRAGMENT, 0, 0x05a1};
	const struct transfer t[] = {pair("2001:db8::1", 80, "2001:db8::9", 8080),
				     pair("10.0.0.1", 80, "10.9.9.9", 8080)};
	const struct endpoint client = {addr("10.0.0.9"), 1234}, server = {addr("10.0.0.1"), 80};
	uint8_t frame[FRAME_MAX] = {0};
	struct filter f;
	size_t len;

	(void)state;
	filter_init(&f, t, 2, NULL, 0, NULL);
	assert_true(takes_extended(&f, &first, 1, TCP, false, PSH | ACK));
	assert_false(takes_extended(&f, &second, 1, TCP, false, PSH | ACK));
	assert_false(takes_extended(&f, &first, 1, UDP, false, PSH | ACK));
	put_be16(frame + 12, 0x0800);
	len = put_packet(frame, 14, TCP, &client, &server, PSH | ACK);
	frame[14 + 6] = 0x20; /* more fragments */
	assert_true(run_program(&f.program, frame, len));
	put_be16(frame + 14 + 6, 185);
	assert_false(run_program(&f.program, frame, len));
	filter_fini(&f);
}

/* The kernel cannot find their ports: all workers get them, and each asks online_share_takes. */
static void extension_headers_are_in_every_share_but_fragments_in_one(void **state)
{
	static const struct extension options = {DESTINATION, 0, 0}, first = {FRAGMENT, 0, 1},
				      whole = {FRAGMENT, 0, 0};
	const struct transfer t = pair("2001:db8::1", 80, "2001:db8::9", 8080);
	struct filter f;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const struct online_share share = {.index = i, .count = 3};

		filter_init_share(&f, &t, 1, NULL, 0, NULL, &share);
		assert_true(takes_extended(&f, &options, 1, TCP, false, ACK));
		assert_true(takes_extended(&f, &whole, 1, TCP, false, ACK));
		assert_int_equal(takes_extended(&f, &first, 1, TCP, false, ACK), i == 0);
		filter_fini(&f);
	}
}

/* The program in the kernel and the core agree about who takes what. */
static void share_of_the_core_is_that_of_the_filter(void **state)
{
	static const char *const clients[] = {"10.0.7.9", "2001:db8::c"};
	static const char *const servers[] = {"10.0.0.1", "2001:db8::1"};
	const struct transfer pairs[] = {pair(servers[0], 80, "10.9.9.9", 8080),
					 pair(servers[1], 80, "2001:db8::9", 8080)};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		const struct online_share share = {.index = i, .count = 5};
		struct filter f;

		filter_init_share(&f, pairs, 2, NULL, 0, NULL, &share);
		for (unsigned n = 0; n < 400; n++) {
			uint16_t port = (uint16_t)(32768 + 2 * n);
			const struct tuple tuple = {.src = {addr(clients[n % 2]), port},
						    .dst = {addr(servers[n % 2]), 80}};
			const struct tuple reverse = tuple_reverse(&tuple);

			assert_int_equal(takes(&f, clients[n % 2], port, servers[n % 2], 80, ACK),
					 online_share_takes(&share, &tuple));
			assert_int_equal(online_share_takes(&share, &reverse),
					 online_share_takes(&share, &tuple));
		}
		filter_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_of_clients_is_taken_but_only_syn_fin_rst_of_the_server),
		cmocka_unit_test(ipv6_is_filtered_as_ipv4),
		cmocka_unit_test(other_ports_addresses_and_protocols_are_left),
		cmocka_unit_test(own_copies_are_never_taken),
		cmocka_unit_test(pair_without_source_takes_local_addresses_of_both_families),
		cmocka_unit_test(many_local_addresses_leave_the_port_and_never_the_target),
		cmocka_unit_test(several_pairs_are_all_taken_and_do_not_mix),
		cmocka_unit_test(user_filter_narrows_all_of_it),
		cmocka_unit_test(sixty_four_pairs_and_addresses_compile),
		cmocka_unit_test(each_connection_is_in_one_share_in_both_directions),
		cmocka_unit_test(extension_headers_hide_no_client_and_no_end),
		cmocka_unit_test(extension_headers_of_other_hosts_are_left),
		cmocka_unit_test(first_fragment_alone_is_taken),
		cmocka_unit_test(extension_headers_are_in_every_share_but_fragments_in_one),
		cmocka_unit_test(share_of_the_core_is_that_of_the_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
