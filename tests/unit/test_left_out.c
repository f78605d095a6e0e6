/* SPDX-License-Identifier: BSD-2-Clause */
/* test_left_out.c - connections that are not copied by choice: each byte and request counted once, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcpcopy/left_out.h"

static struct tuple tuple_of(uint32_t number)
{
	return (struct tuple){.src = {ip_addr_v4(0x0a090000 + number / 50000),
				      (uint16_t)(10000 + number % 50000)},
			      .dst = {ip_addr_v4(0x0a000002), 80},
			      .protocol = PROTOCOL_TCP};
}

struct seen {
	struct left_out *table;
	struct left_out_entry *e;
	struct ledger_amount sum;
};

static int setup(void **state)
{
	static const struct hash_key key = {3, 4};
	static struct seen seen;
	struct tuple tuple = tuple_of(0);

	seen = (struct seen){.table = left_out_new(&key, 1 << 16)};
	assert_non_null(seen.table);
	seen.e = left_out_add(seen.table, &tuple, 999, DROP_SAMPLED_OUT, 0);
	*state = &seen;
	return 0;
}

static int teardown(void **state)
{
	left_out_free(((struct seen *)*state)->table);
	return 0;
}

/* A packet of the client; numbers as they stand in it. True if it was news. */
static bool says(struct seen *s, uint8_t flags, uint32_t seq, uint32_t len_bytes, uint32_t ack)
{
	const struct packet p = {
		.flags = flags, .seq = seq, .ack = ack, .payload_wire_len_bytes = len_bytes};
	struct ledger_amount fresh;
	bool is_news = left_out_on_client(s->e, &p, 0, &fresh);

	s->sum.bytes += fresh.bytes;
	s->sum.requests += fresh.requests;
	return is_news;
}

#define expect_sum(s, bytes_, requests_)                        \
	do {                                                    \
		assert_int_equal((s)->sum.bytes, bytes_);       \
		assert_int_equal((s)->sum.requests, requests_); \
	} while (0)

static void requests_are_told_by_the_answers_between_them(void **state)
{
	struct seen *s = *state;

	assert_true(says(s, TCP_ACK, 1000, 0, 5000));
	assert_true(says(s, TCP_ACK | TCP_PSH, 1000, 100, 5000));
	expect_sum(s, 100, 1);
	assert_true(says(s, TCP_ACK | TCP_PSH, 1100, 50, 5000)); /* pipelined: the same turn */
	expect_sum(s, 150, 1);
	assert_true(says(s, TCP_ACK, 1150, 0, 5300));
	assert_true(says(s, TCP_ACK | TCP_PSH, 1150, 100, 5300));
	expect_sum(s, 250, 2);
}

static void acknowledgement_in_the_middle_of_a_write_begins_nothing(void **state)
{
	struct seen *s = *state;

	says(s, TCP_ACK | TCP_PSH, 1000, 100, 5000);
	says(s, TCP_ACK, 1100, 1460, 5300);
	expect_sum(s, 1560, 2);
	says(s, TCP_ACK, 2560, 1460, 5325);
	says(s, TCP_ACK | TCP_PSH, 4020, 80, 5325);
	expect_sum(s, 3100, 2);
	says(s, TCP_ACK | TCP_PSH, 4100, 100, 5500);
	expect_sum(s, 3200, 3);
}

/* PSH says nothing of a client that never sets it. */
static void without_any_push_each_answer_begins_a_request(void **state)
{
	struct seen *s = *state;

	says(s, TCP_ACK, 1000, 100, 5000);
	says(s, TCP_ACK, 1100, 100, 5300);
	expect_sum(s, 200, 2);
}

static void what_comes_twice_counts_once(void **state)
{
	struct seen *s = *state;

	says(s, TCP_ACK | TCP_PSH, 1000, 100, 5000);
	assert_false(says(s, TCP_ACK | TCP_PSH, 1000, 100, 5000));
	assert_false(says(s, TCP_ACK | TCP_PSH, 1050, 50, 5000));
	expect_sum(s, 100, 1);
	assert_true(says(s, TCP_ACK | TCP_PSH, 1050, 100, 5000)); /* half of it */
	expect_sum(s, 150, 1);
	assert_false(says(s, TCP_ACK, 1149, 1, 5000)); /* a keep-alive */
	expect_sum(s, 150, 1);
}

static void numbers_wrap(void **state)
{
	struct seen *s = *state;
	struct tuple tuple = tuple_of(1);

	s->e = left_out_add(s->table, &tuple, UINT32_MAX - 10, DROP_RATE, 0);
	says(s, TCP_ACK | TCP_PSH, UINT32_MAX - 9, 5, UINT32_MAX - 2);
	says(s, TCP_ACK | TCP_PSH, UINT32_MAX - 4, 20, 10);
	assert_false(says(s, TCP_ACK | TCP_PSH, UINT32_MAX - 4, 20, 10));
	expect_sum(s, 25, 2);
}

static void hole_and_stray_packet_stop_no_count(void **state)
{
	struct seen *s = *state;

	says(s, TCP_ACK | TCP_PSH, 1000, 100, 5000);
	says(s, TCP_ACK | TCP_PSH, 2000, 100, 5000); /* some in between were not captured */
	expect_sum(s, 200, 1);
	says(s, TCP_ACK | TCP_PSH, 0x70000000, 10, 5000); /* a stranger's */
	says(s, TCP_ACK | TCP_PSH, 2100, 100, 5300);
	assert_false(says(s, TCP_ACK | TCP_PSH, 2100, 100, 5300));
	expect_sum(s, 310, 2);
}

static void acknowledgements_from_nowhere_begin_no_request(void **state)
{
	struct seen *s = *state;

	says(s, TCP_ACK | TCP_PSH, 1000, 100, 5000);
	assert_false(says(s, TCP_ACK, 1100, 0, 5000 + 0x50000000));
	assert_false(says(s, TCP_ACK, 1100, 0, 4000));
	says(s, TCP_ACK | TCP_PSH, 1100, 100, 5000);
	expect_sum(s, 200, 1);
}

static void end_is_news_once(void **state)
{
	struct seen *s = *state;

	says(s, TCP_ACK, 1000, 0, 5000);
	assert_true(says(s, TCP_ACK | TCP_FIN, 1000, 0, 5000));
	assert_false(says(s, TCP_ACK | TCP_FIN, 1000, 0, 5000));
	assert_false(says(s, TCP_RST, 1001, 0, 0));
}

static void entries_are_found_by_their_tuples_alone(void **state)
{
	struct seen *s = *state;
	struct tuple a = tuple_of(0), b = tuple_of(1);

	assert_ptr_equal(left_out_find(s->table, &a), s->e);
	assert_null(left_out_find(s->table, &b));
	assert_non_null(left_out_add(s->table, &b, 0, DROP_RATE, 0));
	assert_int_equal(left_out_find(s->table, &b)->cause, DROP_RATE);
	assert_int_equal(left_out_find(s->table, &a)->cause, DROP_SAMPLED_OUT);
	left_out_forget(s->e);
	assert_null(left_out_find(s->table, &a));
	assert_non_null(left_out_find(s->table, &b));
}

static uint32_t found(struct left_out *table, uint32_t first, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < first + count; i++) {
		struct tuple tuple = tuple_of(i);

		n += left_out_find(table, &tuple) != NULL;
	}
	return n;
}

static void add(struct left_out *table, uint32_t number, bool has_ended, uint64_t now_us)
{
	struct tuple tuple = tuple_of(number);

	left_out_add(table, &tuple, 0, DROP_SAMPLED_OUT, now_us)->has_ended = has_ended;
}

/* 64 KiB: 2,048 places and no more, however many come. */
static void memory_stays_as_it_is(void **state)
{
	struct seen *s = *state;

	for (uint32_t i = 1; i < 200000; i++)
		add(s->table, i, false, 0);
	assert_in_range(left_out_memory(s->table), 1 << 15, 1 << 16);
	assert_true(found(s->table, 0, 200000) <= 2048);
}

static void half_full_table_forgets_few(void **state)
{
	struct seen *s = *state;

	for (uint32_t i = 1; i < 1024; i++)
		add(s->table, i, false, 0);
	assert_true(found(s->table, 0, 1024) > 960);
}

static void ended_connections_make_room_before_living_ones(void **state)
{
	struct seen *s = *state;

	for (uint32_t i = 0; i < 512; i++)
		add(s->table, i, false, 0);
	for (uint32_t i = 512; i < 100000; i++)
		add(s->table, i, true, 1000000 + i);
	assert_true(found(s->table, 0, 512) > 480);
}

static void silent_connections_make_room_before_those_that_speak(void **state)
{
	struct seen *s = *state;
	uint32_t old, young;

	for (uint32_t i = 0; i < 2048; i++)
		add(s->table, i, false, 1000000);
	for (uint32_t i = 2048; i < 4096; i++)
		add(s->table, i, false, 9000000);
	old = found(s->table, 0, 2048);
	young = found(s->table, 2048, 2048);
	assert_true(young > 1500);
	assert_true(old < 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define left_out_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		left_out_test(requests_are_told_by_the_answers_between_them),
		left_out_test(acknowledgement_in_the_middle_of_a_write_begins_nothing),
		left_out_test(without_any_push_each_answer_begins_a_request),
		left_out_test(what_comes_twice_counts_once),
		left_out_test(numbers_wrap),
		left_out_test(hole_and_stray_packet_stop_no_count),
		left_out_test(acknowledgements_from_nowhere_begin_no_request),
		left_out_test(end_is_news_once),
		left_out_test(entries_are_found_by_their_tuples_alone),
		left_out_test(memory_stays_as_it_is),
		left_out_test(half_full_table_forgets_few),
		left_out_test(ended_connections_make_room_before_living_ones),
		left_out_test(silent_connections_make_room_before_those_that_speak),
	};

	return cmocka_run_group_tests_name("left out", tests, NULL, NULL);
}
