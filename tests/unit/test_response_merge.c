/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_response_merge.c - which segments of the target become one record, and which must not.
 */
#include "tests/unit/response_fixture.h"

static void consecutive_data_with_the_same_ack_is_one_record(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 1460,
	      .options = "nop,nop,TS val 11 ecr 22");
	FRAME(f, .flags = ".", .seq = 2461, .ack = 501, .payload_len_bytes = 1460,
	      .options = "nop,nop,TS val 12 ecr 22");
	FRAME(f, .flags = "P.", .seq = 3921, .ack = 501, .payload_len_bytes = 80,
	      .options = "nop,nop,TS val 13 ecr 23");
	expect(f, "0: 7 P. 1001:4001(3000) ack 501 win 500 x3 ts 13/23\n");
	fixture_free(f);
}

static void fin_ends_a_record_and_nothing_follows_it(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 100);
	FRAME(f, .flags = "FP.", .seq = 1101, .ack = 501, .payload_len_bytes = 100);
	FRAME(f, .flags = ".", .seq = 1202, .ack = 501, .payload_len_bytes = 10);
	expect(f, "0: 7 FP. 1001:1201(200) ack 501 win 500 x2\n"
		  "0: 7 . 1202:1212(10) ack 501 win 500\n");
	FRAME(f, .flags = ".", .seq = 1001, .ack = 502, .payload_len_bytes = 100);
	FRAME(f, .flags = "F.", .seq = 1101, .ack = 502);
	FRAME(f, .flags = "F.", .seq = 1101, .ack = 502);
	expect(f, "0: 7 F. 1001:1101(100) ack 502 win 500 x2\n"
		  "0: 7 F. 1101:1101(0) ack 502 win 500\n");
	fixture_free(f);
}

/* A block beyond the ACK tells of a hole; one below it, that something came twice (RFC 2883). */
static void sack_of_a_hole_is_told_apart_from_one_of_a_duplicate(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	/* 050a: SACK, one block: 601 to 701, and 401 to 501 */
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501,
	      .options = "nop,nop,hex 050a00000259000002bd");
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501,
	      .options = "nop,nop,hex 050a00000191000001f5");
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	expect(f, "0: 7 . 1001:1001(0) ack 501 win 500 sack\n"
		  "0: 7 . 1001:1001(0) ack 501 win 500 x2\n");
	fixture_free(f);
}

/* The gate of a turn asks what came after the ACK that covers it. */
static void changed_ack_begins_a_new_record(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 100);
	FRAME(f, .flags = ".", .seq = 1101, .ack = 601, .payload_len_bytes = 100);
	FRAME(f, .flags = ".", .seq = 1201, .ack = 601, .payload_len_bytes = 100);
	expect(f, "0: 7 . 1001:1101(100) ack 501 win 500\n"
		  "0: 7 . 1101:1301(200) ack 601 win 500 x2\n");
	fixture_free(f);
}

static void what_does_not_follow_begins_a_new_record(void **state)
{
	static const struct {
		const char *why;
		struct frame_spec second;
	} cases[] = {
		{"a gap", {.flags = ".", .seq = 1102, .ack = 501, .payload_len_bytes = 9}},
		{"an overlap", {.flags = ".", .seq = 1100, .ack = 501, .payload_len_bytes = 9}},
		{"a repetition", {.flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 99}},
		{"another window",
		 {.flags = ".", .seq = 1101, .ack = 501, .payload_len_bytes = 9, .window = 501}},
		{"a reset", {.flags = "R.", .seq = 1101, .ack = 501}},
		{"a SYN", {.flags = "S.", .seq = 1101, .ack = 501}},
		{"a reset with data",
		 {.flags = "R.", .seq = 1101, .ack = 501, .payload_len_bytes = 9}},
		{"a SYN with data",
		 {.flags = "S.", .seq = 1101, .ack = 501, .payload_len_bytes = 9}},
		{"a pure ACK", {.flags = ".", .seq = 1101, .ack = 501}},
		{"timestamps begin",
		 {.flags = ".",
		  .seq = 1101,
		  .ack = 501,
		  .payload_len_bytes = 9,
		  .options = "nop,nop,TS val 1 ecr 2"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_registered();

		FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 100);
		frame(f, &cases[i].second);
		response_flush(f->r, f->now_us);
		if (counters(f).records != 2)
			fail_msg("%s: %u records", cases[i].why, (unsigned)counters(f).records);
		fixture_free(f);
	}
}

static void nothing_follows_a_syn_ack(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501); /* its retransmission */
	FRAME(f, .flags = ".", .seq = 1000, .ack = 501, .payload_len_bytes = 5);
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500\n0: 7 S. 1000:1000(0) ack 501 win 500\n"
		  "0: 7 . 1000:1005(5) ack 501 win 500\n");
	fixture_free(f);
}

static void pure_acks_stay_countable(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .window = 600); /* a window update */
	FRAME(f, .flags = ".", .seq = 1001, .ack = 502, .window = 600);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 502, .window = 600, .payload_len_bytes = 5);
	expect(f, "0: 7 . 1001:1001(0) ack 501 win 500 x3\n"
		  "0: 7 . 1001:1001(0) ack 501 win 600\n"
		  "0: 7 . 1001:1001(0) ack 502 win 600\n"
		  "0: 7 . 1001:1006(5) ack 502 win 600\n");
	fixture_free(f);
}

static void sessions_interleaved_merge_each_for_itself_in_order(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	register_session(f, 0, 8, TARGET, "10.77.0.6:40000");
	for (uint32_t i = 0; i < 3; i++) {
		FRAME(f, .flags = ".", .seq = 1000 + 10 * i, .ack = 1, .payload_len_bytes = 10);
		FRAME(f, .flags = ".", .seq = 2000 + 20 * i, .ack = 2, .payload_len_bytes = 20,
		      .dst = "10.77.0.6:40000");
	}
	expect(f, "0: 7 . 1000:1030(30) ack 1 win 500 x3\n0: 8 . 2000:2060(60) ack 2 win 500 x3\n");
	fixture_free(f);
}

static void nothing_is_merged_into_what_has_been_sent(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1000, .ack = 1, .payload_len_bytes = 10);
	expect(f, "0: 7 . 1000:1010(10) ack 1 win 500\n");
	FRAME(f, .flags = ".", .seq = 1010, .ack = 1, .payload_len_bytes = 10);
	expect(f, "0: 7 . 1010:1020(10) ack 1 win 500\n");
	fixture_free(f);
}

static void sequence_numbers_wrap_within_a_record(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 0xfffffff0, .ack = 1, .payload_len_bytes = 16);
	FRAME(f, .flags = ".", .seq = 0, .ack = 1, .payload_len_bytes = 16);
	response_flush(f->r, f->now_us);
	assert_int_equal(counters(f).records, 1);
	assert_non_null(strstr(f->read, "(32) ack 1 win 500 x2"));
	fixture_free(f);
}

static void super_packet_counts_what_was_on_the_wire(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "P.", .seq = 1000, .ack = 1, .payload_len_bytes = 65000);
	expect(f, "0: 7 P. 1000:66000(65000) ack 1 win 500\n");
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(consecutive_data_with_the_same_ack_is_one_record),
		cmocka_unit_test(fin_ends_a_record_and_nothing_follows_it),
		cmocka_unit_test(sack_of_a_hole_is_told_apart_from_one_of_a_duplicate),
		cmocka_unit_test(changed_ack_begins_a_new_record),
		cmocka_unit_test(what_does_not_follow_begins_a_new_record),
		cmocka_unit_test(nothing_follows_a_syn_ack),
		cmocka_unit_test(pure_acks_stay_countable),
		cmocka_unit_test(sessions_interleaved_merge_each_for_itself_in_order),
		cmocka_unit_test(nothing_is_merged_into_what_has_been_sent),
		cmocka_unit_test(sequence_numbers_wrap_within_a_record),
		cmocka_unit_test(super_packet_counts_what_was_on_the_wire),
	};

	return cmocka_run_group_tests_name("response, merging", tests, NULL, NULL);
}
