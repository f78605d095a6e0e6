/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ledger.c - the two sums, totals, and names for every cause. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcpcopy/ledger.h"

static void expect_amount(const struct ledger_amount *a, uint64_t bytes, uint64_t requests)
{
	assert_int_equal(a->bytes, bytes);
	assert_int_equal(a->requests, requests);
}

static void empty_ledger_adds_up(void **state)
{
	struct ledger l;

	(void)state;
	memset(&l, 0xa5, sizeof(l));
	assert_int_equal(ledger_init(&l, 3, 1), 0);
	assert_int_equal(l.target_count, 3);
	assert_true(ledger_packets_add_up(&l));
	for (size_t i = 0; i < 3; i++)
		assert_true(ledger_stream_adds_up(&l.targets[i].stream));
}

static void every_packet_has_one_fate(void **state)
{
	struct ledger l;

	(void)state;
	assert_int_equal(ledger_init(&l, 1, 1), 0);
	for (unsigned fate = 0; fate < PACKET_FATES; fate++) {
		for (unsigned i = 0; i <= fate; i++)
			ledger_packet(&l, (enum packet_fate)fate);
		assert_int_equal(l.packets.fate[fate], fate + 1);
		assert_true(ledger_packets_add_up(&l));
	}
	assert_int_equal(l.packets.captured, PACKET_FATES * (PACKET_FATES + 1) / 2);
}

static void packet_that_was_not_accounted_is_noticed(void **state)
{
	struct ledger l;

	(void)state;
	assert_int_equal(ledger_init(&l, 1, 1), 0);
	ledger_packet(&l, PACKET_FATE_USED);
	l.packets.captured++;
	assert_false(ledger_packets_add_up(&l));
}

static void bytes_are_in_flight_until_delivered_or_dropped(void **state)
{
	struct ledger l;
	struct ledger_stream *s = &l.targets[1].stream;

	(void)state;
	assert_int_equal(ledger_init(&l, 2, 1), 0);
	ledger_captured(&l, 1, 0, 100, 2);
	expect_amount(&s->captured, 100, 2);
	expect_amount(&s->in_flight, 100, 2);
	ledger_delivered(&l, 1, 0, 60, 1);
	expect_amount(&s->delivered, 60, 1);
	expect_amount(&s->in_flight, 40, 1);
	ledger_dropped(&l, 1, 0, DROP_CAPTURE_GAP, 30, 0);
	ledger_dropped(&l, 1, 0, DROP_SHUTDOWN, 10, 1);
	expect_amount(&s->in_flight, 0, 0);
	expect_amount(&s->dropped[DROP_CAPTURE_GAP], 30, 0);
	expect_amount(&s->dropped[DROP_SHUTDOWN], 10, 1);
	assert_true(ledger_stream_adds_up(s));
	expect_amount(&l.targets[0].stream.captured, 0, 0);
}

static void lost_byte_or_request_is_noticed(void **state)
{
	struct ledger l;
	struct ledger_stream *s = &l.targets[0].stream;

	(void)state;
	assert_int_equal(ledger_init(&l, 1, 1), 0);
	ledger_captured(&l, 0, 0, 100, 2);
	s->in_flight.bytes--;
	assert_false(ledger_stream_adds_up(s));
	s->delivered.bytes++;
	assert_true(ledger_stream_adds_up(s));
	s->in_flight.requests--;
	assert_false(ledger_stream_adds_up(s));
	s->dropped[DROP_CAUSES - 1].requests++;
	assert_true(ledger_stream_adds_up(s));
}

static void random_account_adds_up_at_every_step(void **state)
{
	struct ledger l;
	unsigned seed = 7;

	(void)state;
	assert_int_equal(ledger_init(&l, 4, 1), 0);
	for (unsigned i = 0; i < 20000; i++) {
		size_t t = (size_t)rand_r(&seed) % 4;
		const struct ledger_amount *left = &l.targets[t].stream.in_flight;
		uint64_t bytes = left->bytes ? (uint64_t)rand_r(&seed) % (left->bytes + 1) : 0;
		uint64_t requests =
			left->requests ? (uint64_t)rand_r(&seed) % (left->requests + 1) : 0;

		switch (rand_r(&seed) % 3) {
		case 0:
			ledger_captured(&l, t, 0, (uint64_t)rand_r(&seed), 3);
			break;
		case 1:
			ledger_delivered(&l, t, 0, bytes, requests);
			break;
		case 2:
			ledger_dropped(&l, t, 0, (enum drop_cause)(rand_r(&seed) % DROP_CAUSES),
				       bytes, requests);
			break;
		}
		assert_true(ledger_stream_adds_up(&l.targets[t].stream));
	}
}

static void total_is_the_sum_of_the_targets_in_use(void **state)
{
	struct ledger l;
	struct ledger_target total;

	(void)state;
	assert_int_equal(ledger_init(&l, 3, 1), 0);
	for (size_t t = 0; t < 3; t++) {
		ledger_captured(&l, t, 0, 10 << t, 1);
		l.targets[t].sessions.active = t + 1;
		l.targets[t].sessions.rejoined = 5;
		l.targets[t].traffic.syn_sent = 7;
		l.targets[t].traffic.register_refused = t;
	}
	l.targets[3].traffic.syn_sent = 1000000; /* not in use */
	ledger_total(&l, &total);
	expect_amount(&total.stream.captured, 70, 3);
	expect_amount(&total.stream.in_flight, 70, 3);
	assert_int_equal(total.sessions.active, 6);
	assert_int_equal(total.sessions.rejoined, 15);
	assert_int_equal(total.traffic.syn_sent, 21);
	assert_int_equal(total.traffic.register_refused, 3);
	assert_true(ledger_stream_adds_up(&total.stream));
}

static void workers_are_added_counter_by_counter(void **state)
{
	struct ledger sum, one;
	struct ledger_target total;

	(void)state;
	assert_int_equal(ledger_init(&sum, 2, 3), 0);
	for (unsigned worker = 1; worker <= 3; worker++) {
		assert_int_equal(ledger_init(&one, 2, 3), 0);
		for (unsigned i = 0; i < worker; i++)
			ledger_packet(&one, PACKET_FATE_USED);
		ledger_packet(&one, PACKET_FATE_CORRUPT);
		ledger_captured(&one, 1, 2, 100 * worker, worker);
		ledger_delivered(&one, 1, 2, 60 * worker, 0);
		ledger_dropped(&one, 1, 2, DROP_BACKLOG, 10, 1);
		one.targets[0].traffic.register_refused = worker;
		one.targets[2].traffic.syn_sent = 1000000; /* not in use */
		ledger_add(&sum, &one);
		ledger_fini(&one);
	}
	assert_true(ledger_copies_add_up(&sum, 1));
	assert_int_equal(ledger_copy_of(&sum, 1, 2).delivered.bytes, 360);
	assert_int_equal(ledger_copy_of(&sum, 1, 1).captured.bytes, 0);
	assert_int_equal(sum.packets.captured, 9);
	assert_int_equal(sum.packets.fate[PACKET_FATE_USED], 6);
	assert_int_equal(sum.packets.fate[PACKET_FATE_CORRUPT], 3);
	assert_true(ledger_packets_add_up(&sum));
	expect_amount(&sum.targets[1].stream.captured, 600, 6);
	expect_amount(&sum.targets[1].stream.delivered, 360, 0);
	expect_amount(&sum.targets[1].stream.dropped[DROP_BACKLOG], 30, 3);
	assert_int_equal(sum.targets[0].traffic.register_refused, 6);
	ledger_total(&sum, &total);
	assert_true(ledger_stream_adds_up(&total.stream));
	assert_int_equal(total.traffic.syn_sent, 0);
	ledger_clear(&sum);
	ledger_total(&sum, &total);
	expect_amount(&total.stream.captured, 0, 0);
	assert_true(ledger_copies_add_up(&sum, 1) && ledger_packets_add_up(&sum));
	ledger_fini(&sum);
}

static void expect_name(const char *name)
{
	assert_string_not_equal(name, "unknown");
	assert_true(strlen(name) > 2);
	for (; *name; name++)
		assert_true(islower((unsigned char)*name) || *name == '-');
}

static void every_cause_and_fate_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DROP_CAUSES; i++) {
		expect_name(drop_cause_name((enum drop_cause)i));
		assert_true(strlen(drop_cause_text((enum drop_cause)i)) > 20);
		for (unsigned k = 0; k < i; k++) {
			assert_string_not_equal(drop_cause_name((enum drop_cause)i),
						drop_cause_name((enum drop_cause)k));
			assert_string_not_equal(drop_cause_text((enum drop_cause)i),
						drop_cause_text((enum drop_cause)k));
		}
	}
	for (unsigned i = 0; i < PACKET_FATES; i++) {
		expect_name(packet_fate_name((enum packet_fate)i));
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(packet_fate_name((enum packet_fate)i),
						packet_fate_name((enum packet_fate)k));
	}
}

static void each_copy_has_an_account_and_they_make_up_the_stream(void **state)
{
	struct ledger l;
	struct ledger_copy c;

	(void)state;
	assert_int_equal(ledger_init(&l, 2, 3), 0);
	assert_int_equal(ledger_memory(&l), 2 * 3 * sizeof(struct ledger_copy));
	for (size_t copy = 0; copy < 3; copy++)
		ledger_captured(&l, 1, copy, 100, 2);
	ledger_delivered(&l, 1, 2, 60, 1);
	ledger_dropped(&l, 1, 2, DROP_CAPTURE_GAP, 30, 0);
	ledger_dropped(&l, 1, 2, DROP_SHUTDOWN, 10, 1);
	c = ledger_copy_of(&l, 1, 2);
	expect_amount(&c.captured, 100, 2);
	expect_amount(&c.delivered, 60, 1);
	expect_amount(&c.dropped, 40, 1);
	c = ledger_copy_of(&l, 1, 0);
	expect_amount(&c.captured, 100, 2);
	expect_amount(&c.delivered, 0, 0);
	expect_amount(&l.targets[1].stream.captured, 300, 6);
	assert_true(ledger_copies_add_up(&l, 0));
	assert_true(ledger_copies_add_up(&l, 1));
	l.copies[3].delivered.bytes++;
	assert_false(ledger_copies_add_up(&l, 1));
	ledger_fini(&l);
}

static void one_copy_is_its_targets_stream(void **state)
{
	struct ledger l;
	struct ledger_copy c;

	(void)state;
	assert_int_equal(ledger_init(&l, 1, 1), 0);
	ledger_captured(&l, 0, 0, 100, 2);
	ledger_delivered(&l, 0, 0, 60, 1);
	ledger_dropped(&l, 0, 0, DROP_LIMIT, 30, 1);
	c = ledger_copy_of(&l, 0, 0);
	expect_amount(&c.captured, 100, 2);
	expect_amount(&c.delivered, 60, 1);
	expect_amount(&c.dropped, 30, 1);
	assert_int_equal(ledger_memory(&l), 0);
	ledger_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_copy_has_an_account_and_they_make_up_the_stream),
		cmocka_unit_test(one_copy_is_its_targets_stream),
		cmocka_unit_test(empty_ledger_adds_up),
		cmocka_unit_test(every_packet_has_one_fate),
		cmocka_unit_test(packet_that_was_not_accounted_is_noticed),
		cmocka_unit_test(bytes_are_in_flight_until_delivered_or_dropped),
		cmocka_unit_test(lost_byte_or_request_is_noticed),
		cmocka_unit_test(random_account_adds_up_at_every_step),
		cmocka_unit_test(total_is_the_sum_of_the_targets_in_use),
		cmocka_unit_test(workers_are_added_counter_by_counter),
		cmocka_unit_test(every_cause_and_fate_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
