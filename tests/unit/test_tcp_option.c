/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_option.c - reading and writing TCP options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/tcp_option.h"

/* Parses from a heap block of the exact size, so that a sanitizer sees a read past the end. */
static int parse(struct tcp_options *o, const void *bytes, size_t len)
{
	uint8_t *exact = calloc(1, len ? len : 1);
	int result;

	memcpy(exact, bytes, len);
	memset(o, 0xa5, sizeof(*o));
	result = tcp_options_parse(o, exact, len);
	free(exact);
	return result;
}

/* "mss 1460 wscale 7 sackOK TS 1:2 mptcp": what was found, in this order. */
static const char *print(const struct tcp_options *o)
{
	static char text[128];
	size_t n = 0;

	text[0] = '\0';
	if (o->has_mss)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " mss %u", o->mss);
	if (o->has_window_scale)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " wscale %u", o->window_scale);
	if (o->has_sack_permitted)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " sackOK");
	if (o->has_timestamps)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " TS %u:%u", o->ts_val,
				      o->ts_ecr);
	if (o->has_mptcp)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " mptcp");
	return text[0] ? text + 1 : text;
}

#define expect_good(bytes, text)      expect(0, bytes, sizeof(bytes) - 1, text)
#define expect_malformed(bytes, text) expect(-1, bytes, sizeof(bytes) - 1, text)

static void expect(int result, const void *bytes, size_t len, const char *text)
{
	struct tcp_options o;

	assert_int_equal(parse(&o, bytes, len), result);
	assert_string_equal(print(&o), text);
}

static void no_options(void **state)
{
	(void)state;
	expect_good("", "");
}

static void options_of_a_linux_syn(void **state)
{
	(void)state;
	expect_good("\x02\x04\x05\xb4"                         /* mss */
		    "\x04\x02"                                 /* sackOK */
		    "\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x06" /* timestamps */
		    "\x01\x03\x03\x07",                        /* nop, wscale */
		    "mss 1460 wscale 7 sackOK TS 5:6");
}

static void options_of_an_established_segment(void **state)
{
	(void)state;
	expect_good("\x01\x01\x08\x0a\xff\xff\xff\xff\x80\x00\x00\x00", "TS 4294967295:2147483648");
}

static void what_follows_the_end_of_the_list_is_not_read(void **state)
{
	(void)state;
	expect_good("\x02\x04\x05\xb4\x00\x03\x03\x07", "mss 1460");
	expect_good("\x00\x08\x02", "");
}

static void unknown_kinds_are_skipped_by_their_length(void **state)
{
	(void)state;
	expect_good("\xfd\x05xyz\x22\x02\x03\x03\x02", "wscale 2");
}

static void sack_blocks_are_skipped(void **state)
{
	(void)state;
	expect_good("\x05\x0a\x01\x02\x03\x04\x05\x06\x07\x08\x03\x03\x02", "wscale 2");
}

static void sack_of_half_a_block_is_malformed(void **state)
{
	(void)state;
	expect_malformed("\x05\x06\x01\x02\x03\x04\x03\x03\x02", "");
	expect_malformed("\x05\x02\x03\x03\x02", "");
}

static void mptcp_is_noticed(void **state)
{
	(void)state;
	expect_good("\x02\x04\x05\xb4\x1e\x04\x01\x00", "mss 1460 mptcp");
}

static void an_mss_of_0_is_none(void **state)
{
	(void)state;
	expect_good("\x02\x04\x00\x00\x03\x03\x02", "wscale 2");
}

static void a_repeated_option_counts_as_given_last(void **state)
{
	(void)state;
	expect_good("\x02\x04\x05\xb4\x02\x04\x02\x18", "mss 536");
}

static void pitfall_1_timestamp_option_of_length_2_at_the_end(void **state)
{
	(void)state;
	expect_malformed("\x08\x02", "");
	expect_malformed("\x02\x04\x05\xb4\x01\x01\x08\x02", "mss 1460");
}

static void pitfall_2_window_scale_option_of_length_0(void **state)
{
	(void)state;
	expect_malformed("\x03\x00", "");
	expect_malformed("\x02\x04\x05\xb4\x03\x00\x04\x02", "mss 1460");
}

static void pitfall_7_window_scale_of_255_is_read_as_14(void **state)
{
	(void)state;
	expect_good("\x03\x03\xff", "wscale 14");
	expect_good("\x03\x03\x0f", "wscale 14");
	expect_good("\x03\x03\x0e", "wscale 14");
	expect_good("\x03\x03\x0d", "wscale 13");
}

static void every_kind_with_every_length_stays_inside(void **state)
{
	(void)state;
	for (int kind = 2; kind < 256; kind++) {
		for (int len = 0; len < 256; len++) {
			uint8_t bytes[TCP_OPTIONS_MAX] = {(uint8_t)kind, (uint8_t)len};
			struct tcp_options o;
			int result = parse(&o, bytes, sizeof(bytes));

			if (len < 2 || len > TCP_OPTIONS_MAX)
				assert_int_equal(result, -1);
		}
	}
}

static void known_kinds_with_a_wrong_length_are_malformed(void **state)
{
	static const struct {
		uint8_t kind, len;
	} right[] = {{2, 4}, {3, 3}, {4, 2}, {8, 10}};

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		for (int len = 0; len <= TCP_OPTIONS_MAX; len++) {
			uint8_t bytes[TCP_OPTIONS_MAX] = {right[i].kind, (uint8_t)len, 1};
			struct tcp_options o;

			assert_int_equal(parse(&o, bytes, sizeof(bytes)),
					 len == right[i].len ? 0 : -1);
			if (len != right[i].len)
				assert_string_equal(print(&o), "");
		}
	}
}

static void a_list_cut_at_any_byte_keeps_what_was_whole(void **state)
{
	static const char list[] = "\x02\x04\x05\xb4\x04\x02"
				   "\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x06\x01\x03\x03\x07";
	static const char *const found[] = {
		[0] = "",
		[4] = "mss 1460",
		[6] = "mss 1460 sackOK",
		[16] = "mss 1460 sackOK TS 5:6",
		[17] = "mss 1460 sackOK TS 5:6",
		[20] = "mss 1460 wscale 7 sackOK TS 5:6",
	};
	const char *last = "";

	(void)state;
	for (size_t len = 0; len < sizeof(list); len++) {
		if (found[len])
			last = found[len];
		expect(found[len] ? 0 : -1, list, len, last);
	}
}

/* --- Writing ------------------------------------------------------------------------------- */

static void expect_written(const struct tcp_options *o, const void *bytes, size_t len)
{
	uint8_t buf[TCP_OPTIONS_MAX];

	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(tcp_options_write(buf, o), len);
	assert_memory_equal(buf, bytes, len);
	for (size_t i = len; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xee);
}

#define expect_bytes(o, bytes) expect_written(o, bytes, sizeof(bytes) - 1)

static void writes_nothing_for_no_options(void **state)
{
	(void)state;
	expect_bytes(&(struct tcp_options){0}, "");
}

static void writes_all_options_of_a_syn(void **state)
{
	(void)state;
	expect_bytes((&(struct tcp_options){.has_mss = true,
					    .mss = 1460,
					    .has_sack_permitted = true,
					    .has_timestamps = true,
					    .ts_val = 5,
					    .ts_ecr = 6,
					    .has_window_scale = true,
					    .window_scale = 7}),
		     "\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\x05\0\0\0\x06\x01\x03\x03\x07");
}

static void writes_timestamps_aligned_behind_two_nops(void **state)
{
	(void)state;
	expect_bytes((&(struct tcp_options){.has_timestamps = true, .ts_val = 1, .ts_ecr = 2}),
		     "\x01\x01\x08\x0a\0\0\0\x01\0\0\0\x02");
}

static void writes_sack_permitted_alone_behind_two_nops(void **state)
{
	(void)state;
	expect_bytes((&(struct tcp_options){.has_sack_permitted = true}), "\x01\x01\x04\x02");
}

static void writes_no_window_scale_above_14(void **state)
{
	(void)state;
	expect_bytes((&(struct tcp_options){.has_window_scale = true, .window_scale = 200}),
		     "\x01\x03\x03\x0e");
}

static void every_combination_is_read_as_written(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		struct tcp_options o = {.has_mss = bits & 1,
					.has_window_scale = bits & 2,
					.has_sack_permitted = bits & 4,
					.has_timestamps = bits & 8};
		struct tcp_options back;
		uint8_t buf[TCP_OPTIONS_MAX];
		char written[128];
		size_t len;

		o.mss = o.has_mss ? 65535 : 0;
		o.window_scale = o.has_window_scale ? 14 : 0;
		o.ts_val = o.has_timestamps ? 0x01020304 : 0;
		o.ts_ecr = o.has_timestamps ? 0xfffefdfc : 0;
		len = tcp_options_write(buf, &o);
		assert_int_equal(len % 4, 0);
		assert_int_equal(len, tcp_options_len(&o));
		assert_int_equal(parse(&back, buf, len), 0);
		snprintf(written, sizeof(written), "%s", print(&o));
		assert_string_equal(print(&back), written);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_options),
		cmocka_unit_test(options_of_a_linux_syn),
		cmocka_unit_test(options_of_an_established_segment),
		cmocka_unit_test(what_follows_the_end_of_the_list_is_not_read),
		cmocka_unit_test(unknown_kinds_are_skipped_by_their_length),
		cmocka_unit_test(sack_blocks_are_skipped),
		cmocka_unit_test(sack_of_half_a_block_is_malformed),
		cmocka_unit_test(mptcp_is_noticed),
		cmocka_unit_test(an_mss_of_0_is_none),
		cmocka_unit_test(a_repeated_option_counts_as_given_last),
		cmocka_unit_test(pitfall_1_timestamp_option_of_length_2_at_the_end),
		cmocka_unit_test(pitfall_2_window_scale_option_of_length_0),
		cmocka_unit_test(pitfall_7_window_scale_of_255_is_read_as_14),
		cmocka_unit_test(every_kind_with_every_length_stays_inside),
		cmocka_unit_test(known_kinds_with_a_wrong_length_are_malformed),
		cmocka_unit_test(a_list_cut_at_any_byte_keeps_what_was_whole),
		cmocka_unit_test(writes_nothing_for_no_options),
		cmocka_unit_test(writes_all_options_of_a_syn),
		cmocka_unit_test(writes_timestamps_aligned_behind_two_nops),
		cmocka_unit_test(writes_sack_permitted_alone_behind_two_nops),
		cmocka_unit_test(writes_no_window_scale_above_14),
		cmocka_unit_test(every_combination_is_read_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
