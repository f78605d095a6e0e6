/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sender.c - what of the sender needs no privilege: descriptors become packets, batches meet a
 * kernel that has no room or refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/packet.h"
#include "common/sender_private.h"

enum {
	TEXT_MAX = 400,
	ID = 0x1234,
	PAYLOAD_MAX = 65536,
};

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

static struct segment segment_between(const char *src, const char *dst)
{
	struct segment s;

	memset(&s, 0, sizeof(s));
	s.tuple.src = (struct endpoint){.addr = addr(src), .port = 1234};
	s.tuple.dst = (struct endpoint){.addr = addr(dst), .port = 80};
	s.tuple.protocol = PROTOCOL_TCP;
	s.seq = 1001;
	s.ack = 1;
	s.window = 512;
	s.flags = TCP_ACK;
	return s;
}

static struct segment v4_segment(void)
{
	return segment_between("10.0.0.1", "10.0.0.2");
}

static struct segment v6_segment(void)
{
	return segment_between("2001:db8::1", "2001:db8::2");
}

static void add_payload(struct segment *s, const uint8_t *data, size_t len_bytes)
{
	s->iov[s->iov_count++] =
		(struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = len_bytes};
	s->payload_len_bytes += (uint32_t)len_bytes;
}

/* Bytes that differ from their neighbours, so that a wrong place or order shows. */
static const uint8_t *pattern(void)
{
	static uint8_t bytes[PAYLOAD_MAX];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
	return bytes;
}

/* A packet in a heap block of its size: the parser may not read past it. */
struct built {
	uint8_t *data;
	size_t len_bytes;
	struct packet packet;
	char text[TEXT_MAX];
};

static void expect_ip_header(const struct built *b, bool is_v4)
{
	if (is_v4) {
		assert_int_equal(get_be16(b->data + 2), b->len_bytes);
		assert_int_equal(get_be16(b->data + 6), 0x4000);
		assert_int_equal(b->data[8], 64);
		assert_int_equal(checksum_fold(checksum_add(0, b->data, 20)), 0xffff);
	} else {
		assert_int_equal(get_be32(b->data), UINT32_C(0x60000000));
		assert_int_equal(get_be16(b->data + 4), b->len_bytes - 40);
		assert_int_equal(b->data[7], 64);
	}
}

static struct built build(const struct segment *s, const struct sender_part *part)
{
	struct built b;
	uint8_t *room = malloc(SENDER_PACKET_MAX);

	assert_non_null(room);
	b.len_bytes = part ? sender_build_part(room, SENDER_PACKET_MAX, s, ID, part)
			   : sender_build_ip(room, SENDER_PACKET_MAX, s, ID);
	assert_true(b.len_bytes > 0);
	b.data = realloc(room, b.len_bytes);
	assert_non_null(b.data);
	assert_int_equal(packet_parse(&b.packet, PACKET_LINK_RAW, b.data, b.len_bytes, b.len_bytes),
			 PACKET_OK);
	packet_print(b.text, sizeof(b.text), &b.packet);
	expect_ip_header(&b, ip_addr_is_v4(&s->tuple.dst.addr));
	return b;
}

static void expect_built(const struct segment *s, const char *text)
{
	struct built b = build(s, NULL);

	assert_string_equal(b.text, text);
	assert_true(packet_checksum_ok(&b.packet));
	free(b.data);
}

static void ipv4_syn_carries_its_options(void **state)
{
	struct segment s = v4_segment();
	struct tcp_options o;
	struct built b;

	(void)state;
	s.flags = TCP_SYN;
	s.ack = 0;
	s.options = (struct tcp_options){.has_mss = true,
					 .mss = 1460,
					 .has_sack_permitted = true,
					 .has_timestamps = true,
					 .ts_val = 7,
					 .has_window_scale = true,
					 .window_scale = 7};
	b = build(&s, NULL);
	assert_int_equal(tcp_options_parse(&o, b.packet.options, b.packet.options_len_bytes), 0);
	assert_true(o.has_mss && o.has_sack_permitted && o.has_timestamps);
	assert_int_equal(o.mss, 1460);
	assert_int_equal(o.window_scale, 7);
	assert_int_equal(o.ts_val, 7);
	assert_int_equal(b.packet.ip_id, ID);
	assert_int_equal(b.packet.flags, TCP_SYN);
	assert_int_equal(b.len_bytes, sender_headers_len(&s));
	assert_true(packet_checksum_ok(&b.packet));
	free(b.data);
}

static void ipv4_and_ipv6_read_as_they_were_described(void **state)
{
	struct segment s4 = v4_segment(), s6 = v6_segment();

	(void)state;
	s4.flags = s6.flags = TCP_PSH | TCP_ACK;
	add_payload(&s4, pattern(), 10);
	add_payload(&s6, pattern(), 10);
	expect_built(&s4, "10.0.0.1:1234 > 10.0.0.2:80 P. 1001:1011(10) ack 1 win 512");
	expect_built(&s6, "[2001:db8::1]:1234 > [2001:db8::2]:80 P. 1001:1011(10) ack 1 win 512");
}

/* Every cutting of nine bytes into up to four iovecs, empty ones included. */
static void payload_in_any_pieces_is_one_payload(void **state)
{
	enum { LEN = 9 };
	const uint8_t *data = pattern();

	(void)state;
	for (size_t a = 0; a <= LEN; a++) {
		for (size_t b = a; b <= LEN; b++) {
			for (size_t c = b; c <= LEN; c++) {
				struct segment s = c % 2 ? v4_segment() : v6_segment();
				struct built built;

				add_payload(&s, data, a);
				add_payload(&s, data + a, b - a);
				add_payload(&s, data + b, c - b);
				add_payload(&s, data + c, LEN - c);
				built = build(&s, NULL);
				assert_true(packet_checksum_ok(&built.packet));
				assert_int_equal(built.packet.payload_len_bytes, LEN);
				assert_memory_equal(built.packet.payload, data, LEN);
				free(built.data);
			}
		}
	}
}

static void every_length_has_a_right_checksum(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 1460; len++) {
		struct segment s = v4_segment();
		struct built b;

		add_payload(&s, pattern() + len % 3, len);
		b = build(&s, NULL);
		assert_true(packet_checksum_ok(&b.packet));
		assert_int_equal(b.packet.payload_len_bytes, len);
		free(b.data);
	}
}

/* What packet_checksum_ok also lets pass: so a right sum is not mistaken for an unfinished one. */
static void a_finished_checksum_sums_to_all_ones(void **state)
{
	struct segment s = v4_segment();
	struct built b;
	uint64_t sum;

	(void)state;
	add_payload(&s, pattern(), 333);
	b = build(&s, NULL);
	sum = checksum_pseudo(&s.tuple.src.addr, &s.tuple.dst.addr, PROTOCOL_TCP, 20 + 333);
	assert_int_equal(checksum_fold(checksum_add(sum, b.data + 20, 20 + 333)), 0xffff);
	free(b.data);
}

static void the_largest_packet_fits_and_one_byte_more_is_refused(void **state)
{
	uint8_t *room = malloc(SENDER_PACKET_MAX + 1);
	struct segment s = v4_segment();

	(void)state;
	assert_non_null(room);
	add_payload(&s, pattern(), SENDER_PACKET_MAX - 40);
	assert_int_equal(sender_build_ip(room, SENDER_PACKET_MAX + 1, &s, ID), SENDER_PACKET_MAX);
	s.iov[0].iov_len++;
	s.payload_len_bytes++;
	assert_int_equal(sender_build_ip(room, SENDER_PACKET_MAX + 1, &s, ID), 0);
	assert_int_equal(errno, EMSGSIZE);
	free(room);
}

static void a_small_buffer_is_refused_untouched(void **state)
{
	uint8_t buf[64];
	struct segment s = v4_segment();

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	add_payload(&s, pattern(), 25);
	assert_int_equal(sender_build_ip(buf, sizeof(buf), &s, ID), 0);
	assert_int_equal(errno, EMSGSIZE);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xee);
}

static void a_payload_shorter_than_promised_is_refused(void **state)
{
	uint8_t buf[256];
	struct segment s = v4_segment();

	(void)state;
	add_payload(&s, pattern(), 10);
	s.payload_len_bytes = 11;
	assert_int_equal(sender_build_ip(buf, sizeof(buf), &s, ID), 0);
	assert_int_equal(errno, EINVAL);
}

static void two_families_in_one_tuple_are_refused(void **state)
{
	struct segment s = segment_between("10.0.0.1", "2001:db8::2");
	uint8_t buf[256];

	(void)state;
	assert_int_equal(sender_build_ip(buf, sizeof(buf), &s, ID), 0);
	assert_int_equal(errno, EINVAL);
}

static void parts_share_the_stream_and_only_the_last_ends_it(void **state)
{
	struct segment s = v4_segment();
	struct sender_part part = {.len_bytes = 7};
	static const char *const texts[] = {
		"10.0.0.1:1234 > 10.0.0.2:80 . 1001:1008(7) ack 1 win 512",
		"10.0.0.1:1234 > 10.0.0.2:80 . 1008:1015(7) ack 1 win 512",
		"10.0.0.1:1234 > 10.0.0.2:80 FP. 1015:1022(7) ack 1 win 512",
	};

	(void)state;
	s.flags = TCP_PSH | TCP_ACK | TCP_FIN;
	add_payload(&s, pattern(), 5);
	add_payload(&s, pattern() + 5, 16);
	for (size_t i = 0; i < 3; i++, part.offset_bytes += 7) {
		struct built b = build(&s, &part);

		assert_string_equal(b.text, texts[i]);
		assert_true(packet_checksum_ok(&b.packet));
		assert_memory_equal(b.packet.payload, pattern() + part.offset_bytes, 7);
		free(b.data);
	}
}

static void an_unfinished_packet_carries_the_pseudo_sum(void **state)
{
	struct segment s = v4_segment();
	struct sender_part all = {.len_bytes = 3000, .unfinished = true};
	struct built b;

	(void)state;
	add_payload(&s, pattern(), 3000);
	b = build(&s, &all);
	assert_int_equal(b.packet.tcp_checksum,
			 checksum_fold(checksum_pseudo(&s.tuple.src.addr, &s.tuple.dst.addr,
						       PROTOCOL_TCP, 3020)));
	assert_memory_equal(b.packet.payload, pattern(), 3000);
	free(b.data);
}

/* ---- batches, on a pair of datagram sockets in place of the network ---- */

struct fixture {
	struct sender_batch batch;
	struct sender_stats stats;
	int far_fd;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pair[2];

	assert_non_null(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	f->far_fd = pair[1];
	assert_int_equal(fcntl(f->far_fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(sender_batch_init(&f->batch, pair[0], 4), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sender_batch_fini(&f->batch);
	if (f->far_fd >= 0)
		close(f->far_fd);
	free(f);
	return 0;
}

static bool add_numbered(struct fixture *f, uint32_t number)
{
	uint8_t *slot = sender_batch_slot(&f->batch);

	if (!slot)
		return false;
	memset(slot, 0xaa, f->batch.prefix_bytes);
	put_be32(slot + f->batch.prefix_bytes, number);
	sender_batch_add(&f->batch, 4, NULL);
	return true;
}

/* The number of the next packet at the far end, or UINT32_MAX. */
static uint32_t receive(struct fixture *f)
{
	uint8_t buf[64];

	if (recv(f->far_fd, buf, sizeof(buf), 0) != 8)
		return UINT32_MAX;
	return get_be32(buf + 4);
}

/* Until the socket pair takes no more; returns how many went. */
static uint32_t fill_the_kernel(struct fixture *f)
{
	uint32_t number = 0;

	while (sender_batch_slot(&f->batch)) {
		assert_true(add_numbered(f, number++));
		sender_batch_flush(&f->batch, &f->stats);
		assert_true(number < 100000);
	}
	return number;
}

static void a_flushed_batch_arrives_in_order_and_is_counted(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 8; i++)
		assert_true(add_numbered(f, i));
	sender_batch_flush(&f->batch, &f->stats);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(receive(f), i);
	assert_int_equal(f->stats.packets, 8);
	assert_int_equal(f->stats.bytes, 8 * 4);
	assert_int_equal(f->stats.batches, 1);
	assert_int_equal(f->stats.failed, 0);
}

static void a_batch_holds_64_and_no_more(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < SENDER_BATCH_MAX; i++)
		assert_true(add_numbered(f, i));
	assert_false(add_numbered(f, SENDER_BATCH_MAX));
}

static void a_kernel_without_room_loses_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t all = fill_the_kernel(f), at = 0;

	assert_false(add_numbered(f, all));
	assert_int_equal(f->stats.failed, 0);
	for (int turn = 0; turn < 1000 && at < all; turn++) {
		for (uint32_t number; (number = receive(f)) != UINT32_MAX; at++)
			assert_int_equal(number, at);
		sender_batch_flush(&f->batch, &f->stats);
	}
	assert_int_equal(at, all);
	assert_int_equal(f->stats.packets, all);
	assert_true(add_numbered(f, all));
}

static void packets_that_found_no_room_for_two_ticks_are_given_up(void **state)
{
	struct fixture *f = *state;

	(void)fill_the_kernel(f);
	sender_batch_on_tick(&f->batch, &f->stats);
	assert_int_equal(f->stats.failed, 0);
	sender_batch_on_tick(&f->batch, &f->stats);
	assert_true(f->stats.failed > 0);
	assert_int_equal(f->stats.failed_no_buffer, f->stats.failed);
	assert_non_null(sender_batch_slot(&f->batch));
}

static void a_refused_packet_is_counted_and_the_others_go(void **state)
{
	struct fixture *f = *state;
	int small = 4096;

	assert_int_equal(setsockopt(f->batch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_true(add_numbered(f, 0));
	memset(sender_batch_slot(&f->batch), 0, 60000);
	sender_batch_add(&f->batch, 60000, NULL); /* EMSGSIZE */
	assert_true(add_numbered(f, 2));
	sender_batch_flush(&f->batch, &f->stats);
	assert_int_equal(receive(f), 0);
	assert_int_equal(receive(f), 2);
	assert_int_equal(f->stats.packets, 2);
	assert_int_equal(f->stats.failed, 1);
	assert_int_equal(f->stats.failed_too_long, 1);
}

static void a_dead_far_end_is_counted_for_each_packet(void **state)
{
	struct fixture *f = *state;

	close(f->far_fd);
	f->far_fd = -1;
	for (uint32_t i = 0; i < 5; i++)
		assert_true(add_numbered(f, i));
	sender_batch_flush(&f->batch, &f->stats);
	assert_int_equal(f->stats.packets, 0);
	assert_int_equal(f->stats.failed, 5);
	assert_int_equal(f->stats.failed_other, 5);
	assert_true(add_numbered(f, 5));
}

static void failures_are_counted_by_cause(void **state)
{
	struct sender_stats s;

	(void)state;
	memset(&s, 0, sizeof(s));
	sender_count_failure(&s, ENOBUFS);
	sender_count_failure(&s, EPERM);
	sender_count_failure(&s, EMSGSIZE);
	sender_count_failure(&s, ENETUNREACH);
	sender_count_failure(&s, EHOSTUNREACH);
	sender_count_failure(&s, ENETDOWN);
	sender_count_failure(&s, EINVAL);
	assert_int_equal(s.failed, 7);
	assert_int_equal(s.failed_no_buffer, 1);
	assert_int_equal(s.failed_permission, 1);
	assert_int_equal(s.failed_too_long, 1);
	assert_int_equal(s.failed_unreachable, 3);
	assert_int_equal(s.failed_other, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_syn_carries_its_options),
		cmocka_unit_test(ipv4_and_ipv6_read_as_they_were_described),
		cmocka_unit_test(payload_in_any_pieces_is_one_payload),
		cmocka_unit_test(every_length_has_a_right_checksum),
		cmocka_unit_test(a_finished_checksum_sums_to_all_ones),
		cmocka_unit_test(the_largest_packet_fits_and_one_byte_more_is_refused),
		cmocka_unit_test(a_small_buffer_is_refused_untouched),
		cmocka_unit_test(a_payload_shorter_than_promised_is_refused),
		cmocka_unit_test(two_families_in_one_tuple_are_refused),
		cmocka_unit_test(parts_share_the_stream_and_only_the_last_ends_it),
		cmocka_unit_test(an_unfinished_packet_carries_the_pseudo_sum),
		cmocka_unit_test_setup_teardown(a_flushed_batch_arrives_in_order_and_is_counted,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_batch_holds_64_and_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_kernel_without_room_loses_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			packets_that_found_no_room_for_two_ticks_are_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refused_packet_is_counted_and_the_others_go,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dead_far_end_is_counted_for_each_packet, set_up,
						tear_down),
		cmocka_unit_test(failures_are_counted_by_cause),
	};

	return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
