/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_mirror.c - the program that runs before the kernel's filter where traffic is mirrored: run on
 * frames, held against the parser, and shown to the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/packet.h"
#include "tcpcopy/mirror.h"
#include "tests/unit/packet_builder.h"
#include "tests/unit/tunnel_builder.h"

enum {
	INSNS_MAX = 4096,
	ORDINARY = 1, /* what the filter behind the program says here of all that reaches it */
	SHARES = 3,
	COOKED = 16,
	RANDOM_FRAMES = 60000,
};

#define V4        .src = "10.0.0.1:1234", .dst = "10.0.0.2:80"
#define V6        .src = "[2001:db8::1]:1234", .dst = "[2001:db8::2]:80"
#define SPEC(...) (&(struct frame_spec){__VA_ARGS__})

static struct transfer pair(const char *source, uint16_t port)
{
	struct transfer t = {.source = {.port = port}, .target = {.port = 8080}};

	if (source)
		assert_int_equal(ip_addr_parse(&t.source.addr, source), 0);
	assert_int_equal(ip_addr_parse(&t.target.addr, "10.9.9.9"), 0);
	return t;
}

struct filter {
	struct capture_insn insns[INSNS_MAX];
	struct bpf_program program;
};

static void filter_make(struct filter *f, int link_type, const struct transfer *transfers,
			size_t count, const struct online_share *share)
{
	static const struct capture_insn end = {.code = BPF_RET | BPF_K, .k = ORDINARY};
	const struct online_share all = {.count = 1};
	struct ip_addr local;
	struct mirror_sources s = {
		.transfers = transfers, .transfer_count = count, .share = share ? share : &all};
	size_t n;

	assert_int_equal(ip_addr_parse(&local, "10.0.0.99"), 0);
	s.pairs = mirror_pairs(transfers, count, &local, 1);
	n = mirror_filter(f->insns, INSNS_MAX - 1, link_type, &s);
	f->insns[n] = end;
	f->program.bf_insns = (struct bpf_insn *)(void *)f->insns;
	f->program.bf_len = (unsigned)n + 1;
	assert_int_equal(bpf_validate(f->program.bf_insns, (int)f->program.bf_len), 1);
}

static unsigned run(struct filter *f, const uint8_t *bytes, size_t len)
{
	struct pcap_pkthdr header = {.caplen = (bpf_u_int32)len, .len = (bpf_u_int32)len};
	int result = pcap_offline_filter(&f->program, &header, bytes);

	return (unsigned)result;
}

static bool takes(struct filter *f, const struct frame *frame)
{
	unsigned result = run(f, frame->bytes, frame->len_bytes);

	assert_int_not_equal(result, ORDINARY);
	return result != 0;
}

static bool takes_wrapped(struct filter *f, const struct wrapping *w, bool outer_v6,
			  const struct frame_spec *spec)
{
	struct frame frame;

	wrap(&frame, w, outer_v6, spec);
	return takes(f, &frame);
}

static unsigned run_plain(struct filter *f, const struct frame_spec *spec)
{
	struct built_frame b = build_frame(spec);
	unsigned result = run(f, b.data, b.len_bytes);

	built_frame_free(&b);
	return result;
}

static void in_a_tunnel_a_source_is_taken_and_nothing_else(void **state)
{
	const struct transfer t[] = {pair("10.0.0.2", 80), pair("10.0.0.3", 443)};
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, t, 2, NULL);
	for (size_t i = 0; i < WRAPPINGS; i++) {
		const struct wrapping *w = &wrappings[i];
		const char *client = "10.0.0.1:1234";

#define TAKES(source, sink, letters) \
	takes_wrapped(&f, w, i % 2, SPEC(.src = (source), .dst = (sink), .flags = (letters)))
		assert_true(TAKES(client, "10.0.0.2:80", "S"));
		assert_true(TAKES(client, "10.0.0.2:80", "."));
		assert_true(TAKES(client, "10.0.0.3:443", "P."));
		assert_true(TAKES("10.0.0.2:80", client, "S."));
		assert_true(TAKES("10.0.0.2:80", client, "F."));
		assert_true(TAKES("10.0.0.3:443", client, "R"));
		assert_false(TAKES("10.0.0.2:80", client, "P."));
		assert_false(TAKES(client, "10.0.0.2:443", "."));
		assert_false(TAKES(client, "10.0.0.3:80", "."));
		assert_false(TAKES(client, "10.0.0.4:80", "S"));
		assert_false(TAKES("10.0.0.2:81", client, "S."));
#undef TAKES
	}
}

static void ipv6_in_a_tunnel(void **state)
{
	const struct transfer t[] = {pair("2001:db8::2", 80), pair("10.0.0.2", 80)};
	const struct wrapping *w = wrapping_of("VXLAN");
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, t, 2, NULL);
	for (int v6 = 0; v6 < 2; v6++) {
		assert_true(takes_wrapped(&f, w, v6, SPEC(V6, .flags = ".")));
		assert_false(takes_wrapped(&f, w, v6,
					   SPEC(.src = "[2001:db8::1]:1234",
						.dst = "[2001:db8:1::2]:80", .flags = ".")));
		assert_true(takes_wrapped(&f, w, v6,
					  SPEC(.src = "[2001:db8::2]:80",
					       .dst = "[2001:db8::1]:1234", .flags = "F.")));
		assert_true(takes_wrapped(&f, w, v6, SPEC(V4, .flags = ".")));
	}
}

static void extension_headers_are_passed(void **state)
{
	static const uint8_t two[24] = {60, 1, [16] = 6};
	const struct transfer t = pair("2001:db8::2", 80);
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, &t, 1, NULL);
	assert_true(takes_wrapped(&f, wrapping_of("ERSPAN II"), false,
				  SPEC(V6, .flags = ".", .extensions = two,
				       .extensions_len_bytes = sizeof(two), .first_extension = 0)));
	/* What Linux puts before GRE over IPv6: the limit of encapsulation. */
	for (uint8_t kind = 0; kind < 2; kind++) {
		static const uint8_t option[8] = {GRE, 0, 4, 1, 4, 1, 0, 0};
		struct frame frame;

		wrap(&frame, wrapping_of("ERSPAN II"), true, SPEC(V6, .flags = "."));
		memmove(frame.bytes + frame.tunnel_at + 8, frame.bytes + frame.tunnel_at,
			frame.len_bytes - frame.tunnel_at);
		memcpy(frame.bytes + frame.tunnel_at, option, 8);
		frame.bytes[ETHERNET + 6] = kind ? 60 : 50; /* ESP */
		frame.len_bytes += 8;
		put16(frame.bytes + ETHERNET + 4, frame.len_bytes - ETHERNET - 40);
		assert_int_equal(run(&f, frame.bytes, frame.len_bytes), kind ? 262144 : ORDINARY);
	}
}

static void tags_in_the_frame_are_passed(void **state)
{
	const struct transfer t[] = {pair("10.0.0.2", 80), pair("2001:db8::2", 80)};
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, t, 2, NULL);
#define TAGGED(...) run_plain(&f, SPEC(.flags = ".", __VA_ARGS__))
	assert_int_equal(TAGGED(V4), ORDINARY);
	assert_int_equal(TAGGED(V6), ORDINARY);
	assert_int_equal(TAGGED(V4, .vlan_types = {0x8100}), 262144);
	assert_int_equal(TAGGED(V4, .vlan_types = {0x88a8, 0x8100}), 262144);
	assert_int_equal(TAGGED(V4, .vlan_types = {0x9100, 0x8100, 0x8100}), 262144);
	assert_int_equal(TAGGED(V6, .vlan_types = {0x8100, 0x8100}), 262144);
	assert_int_equal(
		TAGGED(.src = "10.0.0.1:1234", .dst = "10.0.0.2:81", .vlan_types = {0x8100}), 0);
#undef TAGGED
	assert_true(takes_wrapped(&f, wrapping_of("NVGRE"), true,
				  SPEC(V4, .flags = ".", .vlan_types = {0x88a8, 0x8100})));
}

static void what_is_no_tunnel_is_left_to_the_filter(void **state)
{
	const struct transfer t = pair("10.0.0.2", 80);
	struct built_frame b = build_frame(SPEC(V4, .flags = "."));
	struct frame frame;
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, &t, 1, NULL);
	put16(b.data + 12, 0x0806);
	assert_int_equal(run(&f, b.data, b.len_bytes), ORDINARY);
	put16(b.data + 12, 0x0800);
	b.data[b.ip_at + 9] = 1;
	assert_int_equal(run(&f, b.data, b.len_bytes), ORDINARY);
	b.data[b.ip_at + 9] = 6;
	b.data[b.ip_at + 7] = 1; /* a later fragment */
	assert_int_equal(run(&f, b.data, b.len_bytes), ORDINARY);
	built_frame_free(&b);
	wrap(&frame, wrapping_of("VXLAN"), false, SPEC(V4, .flags = "."));
	frame.bytes[frame.tunnel_at + 3] = 53; /* another port */
	assert_false(takes(&f, &frame));
}

/* The first of them shows that what the mirror sends is fragmented; the others show nothing. */
static void of_outer_fragments_the_first_is_taken(void **state)
{
	const struct transfer t = pair("10.0.0.2", 80);
	struct frame frame;
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, &t, 1, NULL);
	wrap(&frame, wrapping_of("VXLAN"), false, SPEC(V4, .flags = "."));
	put16(frame.bytes + ETHERNET + 6, 0x2000);
	assert_true(takes(&f, &frame));
	put16(frame.bytes + ETHERNET + 6, 0x20b9);
	assert_int_equal(run(&f, frame.bytes, frame.len_bytes), ORDINARY);
}

static void a_tunnel_in_a_tunnel(void **state)
{
	const struct transfer t = pair("10.0.0.2", 80);
	struct frame frame;
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, &t, 1, NULL);
	for (size_t i = 0; i < WRAPPINGS; i++) {
		size_t skipped = wrappings[i].is_bare ? ETHERNET : 0;

		wrap(&frame, wrapping_of("VXLAN"), i % 2 == 0 && !skipped, SPEC(V4, .flags = "."));
		wrap_bytes(&frame, &wrappings[i], i % 2, frame.bytes + skipped,
			   frame.len_bytes - skipped);
		assert_true(takes(&f, &frame));
		wrap_bytes(&frame, wrapping_of("VXLAN"), i % 2, frame.bytes, frame.len_bytes);
		assert_false(takes(&f, &frame));
	}
}

static void frames_of_any_are_judged_as_those_of_a_device(void **state)
{
	const struct transfer t = pair("10.0.0.2", 80);
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_LINUX_SLL, &t, 1, NULL);
	for (size_t i = 0; i < WRAPPINGS; i++) {
		uint8_t cooked[FRAME_MAX] = {0};
		struct frame frame;
		size_t len;

		wrap(&frame, &wrappings[i], i % 2, SPEC(V4, .flags = "."));
		len = COOKED + frame.len_bytes - ETHERNET;
		memcpy(cooked + 14, frame.bytes + 12, len - 14);
		assert_int_equal(run(&f, cooked, len), 262144);
		put16(cooked + COOKED + len - COOKED - 20 + 2, 81); /* the inner packet's port */
		assert_int_equal(run(&f, cooked, len), 0);
	}
	filter_make(&f, PACKET_LINK_LINUX_SLL2, &t, 1, NULL);
	assert_int_equal(run_plain(&f, SPEC(V4, .flags = ".", .link = BUILD_SLL2)), ORDINARY);
	assert_int_equal(
		run_plain(&f, SPEC(V4, .flags = ".", .link = BUILD_SLL2, .vlan_types = {0x8100})),
		262144);
}

static void this_hosts_own_sources_are_not_looked_for_in_tunnels(void **state)
{
	const struct transfer t[] = {pair("10.0.0.99", 80), pair(NULL, 80), pair("127.0.0.1", 80),
				     pair("10.0.0.2", 81)};
	struct filter f;

	(void)state;
	assert_int_equal(mirror_pairs(t, 4, &t[0].source.addr, 1), 1 << 3);
	assert_int_equal(mirror_pairs(t, 4, NULL, 0), 1 << 3 | 1);
	filter_make(&f, PACKET_LINK_ETHERNET, t, 3, NULL);
	assert_int_equal(f.program.bf_len, 1);
	filter_make(&f, PACKET_LINK_ETHERNET, t, 4, NULL);
	assert_true(f.program.bf_len > 100);
	assert_false(
		takes_wrapped(&f, wrapping_of("VXLAN"), false,
			      SPEC(.src = "10.0.0.1:1234", .dst = "10.0.0.99:80", .flags = ".")));
	assert_true(
		takes_wrapped(&f, wrapping_of("VXLAN"), false,
			      SPEC(.src = "10.0.0.1:1234", .dst = "10.0.0.2:81", .flags = ".")));
	filter_make(&f, PACKET_LINK_RAW, t, 4, NULL);
	assert_int_equal(f.program.bf_len, 1);
}

/* The share of the filter's text: in a tunnel or not, a connection has the same worker. */
static unsigned share_of_text(const struct transfer *t, const struct frame_spec *spec)
{
	struct built_frame b = build_frame(spec);
	unsigned found = SHARES;

	for (unsigned i = 0; i < SHARES; i++) {
		const struct online_share share = {.index = i, .count = SHARES};
		struct pcap_pkthdr header = {.caplen = (bpf_u_int32)b.len_bytes,
					     .len = (bpf_u_int32)b.len_bytes};
		char *text = online_filter_text(t, 2, NULL, 0, NULL, &share);
		pcap_t *dead = pcap_open_dead(DLT_EN10MB, 65535);
		struct bpf_program program;

		assert_int_equal(pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN), 0);
		if (pcap_offline_filter(&program, &header, b.data))
			found = i;
		pcap_freecode(&program);
		pcap_close(dead);
		free(text);
	}
	built_frame_free(&b);
	return found;
}

static void each_connection_has_the_worker_that_it_has_without_a_tunnel(void **state)
{
	const struct transfer t[] = {pair("10.0.0.2", 80), pair("2001:db8::2", 80)};
	struct filter f[SHARES];
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < SHARES; i++) {
		const struct online_share share = {.index = i, .count = SHARES};

		filter_make(&f[i], PACKET_LINK_ETHERNET, t, 2, &share);
	}
	for (unsigned n = 0; n < 40; n++) {
		char client[64];
		struct frame_spec spec = {.src = client,
					  .dst = n % 2 ? "10.0.0.2:80" : "[2001:db8::2]:80",
					  .flags = "."};
		unsigned wanted;

		snprintf(client, sizeof(client), n % 2 ? "10.0.7.%u:%u" : "[2001:db8::%x]:%u",
			 n + 1, 40000 + 3 * n);
		wanted = share_of_text(t, &spec);
		assert_true(wanted < SHARES);
		seen |= 1u << wanted;
		for (unsigned i = 0; i < SHARES; i++)
			assert_int_equal(
				takes_wrapped(&f[i], wrapping_of("ERSPAN III"), false, &spec),
				i == wanted);
	}
	assert_int_equal(seen, 7);
}

/* ---- against the parser, and the kernel ---- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/*
 * Wrapped packets with a few bytes changed: whatever the parser finds a source's packet in, the filter
 * lets pass. (The other way round it need not hold: the kernel does not look at every length.)
 */
static void whatever_the_parser_reads_passes(void **state)
{
	const struct transfer t = pair("10.0.0.2", 80);
	unsigned agreed = 0, changed = 0;
	uint32_t random = 42;
	struct filter f;

	(void)state;
	filter_make(&f, PACKET_LINK_ETHERNET, &t, 1, NULL);
	for (unsigned n = 0; n < RANDOM_FRAMES; n++) {
		struct frame frame;
		struct packet p;

		wrap(&frame, &wrappings[n % WRAPPINGS], n & 1,
		     SPEC(V4, .flags = ".", .vlan_types = {n & 2 ? 0x8100 : 0}));
		for (unsigned i = 0; i < n % 4; i++)
			frame.bytes[12 + next_random(&random) % (frame.inner_at + 30)] =
				(uint8_t)next_random(&random);
		if (packet_parse(&p, PACKET_LINK_ETHERNET | PACKET_LINK_MIRRORED, frame.bytes,
				 frame.len_bytes, frame.len_bytes) != PACKET_OK ||
		    p.tunnels == 0 || !ip_addr_equal(&p.tuple.dst.addr, &t.source.addr) ||
		    p.tuple.dst.port != 80)
			continue;
		if (!takes(&f, &frame))
			fail_msg("frame %u (%s) is read, and does not pass", n,
				 wrappings[n % WRAPPINGS].name);
		agreed++;
		changed += n % 4 > 0;
	}
	assert_true(agreed > RANDOM_FRAMES / 3 && changed > RANDOM_FRAMES / 5);
}

/* A socket takes a filter without privilege; the kernel checks more than libpcap does. */
static void the_kernel_takes_it_also_with_all_pairs(void **state)
{
	struct transfer t[TRANSFERS_MAX];
	const struct online_share share = {.index = 1, .count = 4};
	struct filter f;
	struct {
		unsigned short len;
		struct bpf_insn *insns;
	} attached;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_int_not_equal(fd, -1);
	for (uint16_t i = 0; i < TRANSFERS_MAX; i++)
		t[i] = pair(i % 2 ? "2001:db8::2" : "10.0.0.2", (uint16_t)(8000 + i));
	filter_make(&f, PACKET_LINK_ETHERNET, t, TRANSFERS_MAX, &share);
	assert_in_range(f.program.bf_len, 1000, 3000);
	attached.len = (unsigned short)f.program.bf_len;
	attached.insns = f.program.bf_insns;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof(attached)),
			 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_a_tunnel_a_source_is_taken_and_nothing_else),
		cmocka_unit_test(ipv6_in_a_tunnel),
		cmocka_unit_test(extension_headers_are_passed),
		cmocka_unit_test(tags_in_the_frame_are_passed),
		cmocka_unit_test(what_is_no_tunnel_is_left_to_the_filter),
		cmocka_unit_test(of_outer_fragments_the_first_is_taken),
		cmocka_unit_test(a_tunnel_in_a_tunnel),
		cmocka_unit_test(frames_of_any_are_judged_as_those_of_a_device),
		cmocka_unit_test(this_hosts_own_sources_are_not_looked_for_in_tunnels),
		cmocka_unit_test(each_connection_has_the_worker_that_it_has_without_a_tunnel),
		cmocka_unit_test(whatever_the_parser_reads_passes),
		cmocka_unit_test(the_kernel_takes_it_also_with_all_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
