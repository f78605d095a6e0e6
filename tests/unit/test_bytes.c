/* SPDX-License-Identifier: BSD-2-Clause */
/* test_bytes.c - the cursors and stores of bytes.h, and the serial arithmetic of seq.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/seq.h"

/* --- Loads and stores ---------------------------------------------------------------------- */

static void stores_put_the_most_significant_byte_first(void **state)
{
	uint8_t b[14];

	(void)state;
	put_be16(b, 0x0102);
	put_be32(b + 2, 0x03040506);
	put_be64(b + 6, UINT64_C(0x0708090a0b0c0d0e));
	for (size_t i = 0; i < sizeof(b); i++)
		assert_int_equal(b[i], i + 1);
}

static void loads_read_what_stores_wrote_at_any_alignment(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		uint8_t b[16];

		put_be16(b + shift, 0xfedc);
		assert_int_equal(get_be16(b + shift), 0xfedc);
		put_be32(b + shift, UINT32_C(0xfedcba98));
		assert_int_equal(get_be32(b + shift), UINT32_C(0xfedcba98));
		put_be64(b + shift, UINT64_C(0xfedcba9876543210));
		assert_true(get_be64(b + shift) == UINT64_C(0xfedcba9876543210));
	}
}

/* --- The reader ---------------------------------------------------------------------------- */

static void reader_reads_fields_in_order_up_to_the_very_end(void **state)
{
	static const uint8_t b[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct byte_reader r = byte_reader_on(b, sizeof(b));

	(void)state;
	assert_int_equal(byte_reader_u8(&r), 1);
	assert_int_equal(byte_reader_be16(&r), 0x0203);
	assert_int_equal(byte_reader_be32(&r), 0x04050607);
	assert_true(byte_reader_be64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(byte_reader_left(&r), 0);
	assert_false(r.failed);
}

static void reader_one_byte_short_fails_and_gives_0(void **state)
{
	/* Of the exact size, so that a sanitizer sees a read past the end. */
	uint8_t *b = calloc(1, 7);
	struct byte_reader r = byte_reader_on(b, 7);

	(void)state;
	memset(b, 0xff, 7);
	assert_true(byte_reader_be64(&r) == 0);
	assert_true(r.failed);
	r = byte_reader_on(b, 3);
	assert_int_equal(byte_reader_be32(&r), 0);
	assert_true(r.failed);
	r = byte_reader_on(b, 1);
	assert_int_equal(byte_reader_be16(&r), 0);
	assert_true(r.failed);
	r = byte_reader_on(b, 0);
	assert_int_equal(byte_reader_u8(&r), 0);
	assert_true(r.failed);
	free(b);
}

static void reader_that_failed_stays_failed(void **state)
{
	static const uint8_t b[] = {1, 2};
	struct byte_reader r = byte_reader_on(b, sizeof(b));

	(void)state;
	assert_int_equal(byte_reader_be32(&r), 0);
	assert_int_equal(byte_reader_u8(&r), 0);
	assert_null(byte_reader_take(&r, 0));
	assert_true(r.failed);
}

static void reader_takes_no_length_that_wraps_around(void **state)
{
	static const uint8_t b[4];
	struct byte_reader r = byte_reader_on(b, sizeof(b));

	(void)state;
	assert_null(byte_reader_take(&r, SIZE_MAX));
	r = byte_reader_on(b, sizeof(b));
	assert_ptr_equal(byte_reader_take(&r, 4), b);
	assert_non_null(byte_reader_take(&r, 0));
}

/* --- The writer ---------------------------------------------------------------------------- */

static void writer_fills_its_room_to_the_very_end(void **state)
{
	uint8_t b[18];
	struct byte_writer w = byte_writer_on(b, sizeof(b));

	(void)state;
	byte_writer_u8(&w, 1);
	byte_writer_be16(&w, 0x0203);
	byte_writer_be32(&w, 0x04050607);
	byte_writer_be64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	byte_writer_bytes(&w, "\x10\x11\x12", 3);
	assert_false(w.failed);
	assert_ptr_equal(w.at, b + sizeof(b));
	for (size_t i = 0; i < sizeof(b); i++)
		assert_int_equal(b[i], i + 1);
}

static void writer_without_room_writes_nothing_and_stays_failed(void **state)
{
	uint8_t *b = calloc(1, 3);
	struct byte_writer w = byte_writer_on(b, 3);

	(void)state;
	byte_writer_be32(&w, UINT32_MAX);
	assert_true(w.failed);
	assert_ptr_equal(w.at, b);
	byte_writer_u8(&w, 0xff); /* would fit */
	byte_writer_bytes(&w, "xyz", 3);
	assert_ptr_equal(w.at, b);
	assert_memory_equal(b, "\0\0\0", 3);
	free(b);
}

static void writer_takes_empty_bytes_from_null(void **state)
{
	uint8_t b[1];
	struct byte_writer w = byte_writer_on(b, sizeof(b));

	(void)state;
	byte_writer_bytes(&w, NULL, 0);
	assert_false(w.failed);
	assert_ptr_equal(w.at, b);
}

/* --- Sequence numbers ---------------------------------------------------------------------- */

static void seq_orders_neighbours_across_the_wrap(void **state)
{
	(void)state;
	assert_true(seq_lt(UINT32_MAX, 0)); /* 2^32 - 1 < 2^32 */
	assert_true(seq_lt(0, 1));          /* 2^32 < 2^32 + 1 */
	assert_true(seq_lt(UINT32_MAX, 1));
	assert_true(seq_gt(0, UINT32_MAX));
	assert_false(seq_lt(0, UINT32_MAX));
	assert_false(seq_gt(UINT32_MAX, 0));
	assert_int_equal(seq_diff(1, UINT32_MAX), 2);
	assert_int_equal(seq_diff(UINT32_MAX, 1), -2);
}

static void seq_equal_numbers_are_neither_less_nor_greater(void **state)
{
	static const uint32_t all[] = {0, 1, UINT32_MAX, 0x7fffffff, 0x80000000};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_false(seq_lt(all[i], all[i]));
		assert_false(seq_gt(all[i], all[i]));
		assert_true(seq_leq(all[i], all[i]));
		assert_true(seq_geq(all[i], all[i]));
		assert_int_equal(seq_diff(all[i], all[i]), 0);
	}
}

static void seq_one_less_than_half_the_space_ahead_is_later(void **state)
{
	static const uint32_t from[] = {0, 1, 1000, 0x7fffffff, 0x80000000, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		assert_true(seq_gt(from[i] + 0x7fffffff, from[i]));
		assert_true(seq_geq(from[i] + 0x7fffffff, from[i]));
		assert_true(seq_lt(from[i] + 0x80000001, from[i]));
		assert_true(seq_leq(from[i] + 0x80000001, from[i]));
		assert_int_equal(seq_diff(from[i] + 0x7fffffff, from[i]), INT32_MAX);
	}
}

static void seq_half_the_space_apart_is_less_both_ways(void **state)
{
	(void)state;
	assert_true(seq_lt(0, 0x80000000));
	assert_true(seq_lt(0x80000000, 0));
	assert_false(seq_gt(0, 0x80000000));
	assert_false(seq_gt(0x80000000, 0));
	assert_int_equal(seq_diff(0x80000000, 0), INT32_MIN);
}

static void seq_max_is_the_later_one_across_the_wrap(void **state)
{
	(void)state;
	assert_int_equal(seq_max(UINT32_MAX, 0), 0);
	assert_int_equal(seq_max(0, UINT32_MAX), 0);
	assert_int_equal(seq_max(UINT32_MAX - 1, UINT32_MAX), UINT32_MAX);
	assert_int_equal(seq_max(5, 4), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_put_the_most_significant_byte_first),
		cmocka_unit_test(loads_read_what_stores_wrote_at_any_alignment),
		cmocka_unit_test(reader_reads_fields_in_order_up_to_the_very_end),
		cmocka_unit_test(reader_one_byte_short_fails_and_gives_0),
		cmocka_unit_test(reader_that_failed_stays_failed),
		cmocka_unit_test(reader_takes_no_length_that_wraps_around),
		cmocka_unit_test(writer_fills_its_room_to_the_very_end),
		cmocka_unit_test(writer_without_room_writes_nothing_and_stays_failed),
		cmocka_unit_test(writer_takes_empty_bytes_from_null),
		cmocka_unit_test(seq_orders_neighbours_across_the_wrap),
		cmocka_unit_test(seq_equal_numbers_are_neither_less_nor_greater),
		cmocka_unit_test(seq_one_less_than_half_the_space_ahead_is_later),
		cmocka_unit_test(seq_half_the_space_apart_is_less_both_ways),
		cmocka_unit_test(seq_max_is_the_later_one_across_the_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
