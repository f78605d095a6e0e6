/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wire_records.c - responses, the message that carries records: as docs/wire-protocol.md shows
 * it, every mix of options, records that contradict themselves, how many fit.
 */
#include "tests/unit/wire_fixture.h"

static void assert_record_equal(const struct wire_record *a, const struct wire_record *b)
{
	assert_int_equal(a->session_id, b->session_id);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->len_bytes, b->len_bytes);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->segments, b->segments);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->has_timestamps, b->has_timestamps);
	assert_int_equal(a->has_syn_options, b->has_syn_options);
	assert_int_equal(a->has_mss, b->has_mss);
	assert_int_equal(a->has_window_scale, b->has_window_scale);
	assert_int_equal(a->has_sack_permitted, b->has_sack_permitted);
	assert_int_equal(a->has_sack, b->has_sack);
	assert_int_equal(a->window_scale, b->window_scale);
	assert_int_equal(a->mss, b->mss);
	assert_int_equal(a->ts_val, b->ts_val);
	assert_int_equal(a->ts_ecr, b->ts_ecr);
}

static void responses_are_as_documented(void **state)
{
	struct wire_record_cursor c;
	struct wire_record read;
	struct wire_message m;
	struct bytes b;

	(void)state;
	WRITTEN(&b, assert_int_equal(wire_put_responses(&w, example_records, 3), 3));
	assert_written(&b, "responses");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_RESPONSES);
	assert_int_equal(wire_records_open(&c, &m), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(wire_records_next(&c, &read), 1);
		assert_record_equal(&read, &example_records[i]);
	}
	assert_int_equal(wire_records_next(&c, &read), 0);
	assert_int_equal(wire_records_next(&c, &read), 0);
}

static void every_mix_of_record_options_survives(void **state)
{
	(void)state;
	for (unsigned mix = 0; mix < 64; mix++) {
		struct wire_record r = example_records[0], read;
		struct wire_record_cursor c;
		struct wire_message m;
		struct bytes b;

		r.has_timestamps = mix & 1;
		r.has_syn_options = mix & 2;
		r.has_mss = r.has_syn_options && mix & 4;
		r.has_window_scale = r.has_syn_options && mix & 8;
		r.has_sack_permitted = r.has_syn_options && mix & 16;
		r.has_sack = mix & 32;
		WRITTEN(&b, assert_int_equal(wire_put_responses(&w, &r, 1), 1));
		if (!r.has_timestamps)
			r.ts_val = r.ts_ecr = 0;
		if (!r.has_mss)
			r.mss = 0;
		if (!r.has_window_scale)
			r.window_scale = 0;
		m = message_of(&b);
		assert_int_equal(wire_records_open(&c, &m), 0);
		assert_int_equal(wire_records_next(&c, &read), 1);
		assert_record_equal(&read, &r);
		assert_int_equal(wire_records_next(&c, &read), 0);
	}
}

static void window_scale_above_14_is_read_as_14(void **state)
{
	struct bytes b = documented("responses");
	struct wire_message m = message_of(&b);
	size_t scale_offset = WIRE_HEADER_LEN + 2 + 33;

	(void)state;
	assert_int_equal(b.data[scale_offset], 7);
	for (int scale = 0; scale < 256; scale++) {
		struct wire_record_cursor c;
		struct wire_record read;

		b.data[scale_offset] = (uint8_t)scale;
		assert_int_equal(wire_records_open(&c, &m), 0);
		assert_int_equal(wire_records_next(&c, &read), 1);
		assert_int_equal(read.window_scale, scale > 14 ? 14 : scale);
	}
}

/* The result of reading the first record of the documented message with one byte changed. */
static int first_record_with(size_t offset, uint8_t value)
{
	struct bytes b = documented("responses");
	struct wire_message m = message_of(&b);
	struct wire_record_cursor c;
	struct wire_record read;
	int result;

	b.data[WIRE_HEADER_LEN + 2 + offset] = value;
	assert_int_equal(wire_records_open(&c, &m), 0);
	errno = 0;
	result = wire_records_next(&c, &read);
	if (result < 0) {
		assert_int_equal(errno, EPROTO);
		assert_int_equal(wire_records_next(&c, &read), -1); /* and never recovers */
	} else {
		assert_int_equal(read.flags & ~0x3f, 0);
	}
	return result;
}

static void record_that_contradicts_itself_is_refused(void **state)
{
	(void)state;
	assert_int_equal(first_record_with(0, 33), 1);
	assert_int_equal(first_record_with(0, 32), -1); /* presence asks for 33 */
	assert_int_equal(first_record_with(0, 0), -1);
	assert_int_equal(first_record_with(0, 255), -1); /* past the end */
	assert_int_equal(first_record_with(4, 0), -1);   /* no segments */
	for (unsigned presence = 0; presence < 256; presence++)
		assert_int_equal(first_record_with(1, (uint8_t)presence),
				 (presence & 0x1c) && !(presence & 2) ? -1 : 1);
	assert_int_equal(first_record_with(2, 0xff), 1);
}

static void record_of_a_later_version_is_read_past(void **state)
{
	struct bytes b = documented("responses");
	struct wire_record_cursor c;
	struct wire_record read;
	struct wire_message m;
	size_t end = WIRE_HEADER_LEN + 2 + 34;

	(void)state;
	memmove(b.data + end + 3, b.data + end, b.len - end);
	memset(b.data + end, 0xaa, 3);
	b.data[WIRE_HEADER_LEN + 2] += 3;
	b.data[WIRE_HEADER_LEN + 3] |= 0x80;
	b.data[3] += 3;
	b.len += 3;
	m = message_of(&b);
	assert_int_equal(wire_records_open(&c, &m), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(wire_records_next(&c, &read), 1);
		assert_record_equal(&read, &example_records[i]);
	}
}

static void more_records_than_allowed_are_refused(void **state)
{
	static uint8_t body[2 + 23 * 1025];
	struct wire_message m = message_with(WIRE_RESPONSES, body, sizeof(body));
	struct wire_record_cursor c;
	struct wire_record read;

	(void)state;
	put_be16(body, 1024);
	assert_int_equal(wire_records_open(&c, &m), 0);
	put_be16(body, 1025);
	assert_int_equal(wire_records_open(&c, &m), -1);
	assert_int_equal(errno, EPROTO);
	assert_int_equal(wire_records_next(&c, &read), 0);
	put_be16(body, 0);
	assert_int_equal(wire_records_open(&c, &m), 0);
	assert_int_equal(wire_records_next(&c, &read), 0);
}

static void responses_take_as_many_as_fit(void **state)
{
	enum { MANY = 2000 };
	static struct wire_record records[MANY];
	static uint8_t data[WIRE_MESSAGE_MAX];
	struct byte_writer w = byte_writer_on(data, sizeof(data));
	struct wire_message m;

	(void)state;
	for (int i = 0; i < MANY; i++)
		records[i] = example_records[0];
	assert_int_equal(wire_put_responses(&w, records, MANY), WIRE_RECORDS_PER_MESSAGE);
	assert_false(w.failed);
	assert_int_equal(w.at - data, 6 + 2 + 1024 * WIRE_RECORD_MAX);
	assert_int_equal(wire_next(&m, data, sizeof(data)), w.at - data);

	w = byte_writer_on(data, 6 + 2 + 3 * WIRE_RECORD_MAX - 1);
	assert_int_equal(wire_put_responses(&w, records, MANY), 2);
	assert_false(w.failed);
	assert_int_equal(wire_put_responses(&w, records, MANY), 0);
	assert_true(w.failed);
	assert_int_equal(w.at - data, 6 + 2 + 2 * WIRE_RECORD_MAX);

	w = byte_writer_on(data, sizeof(data));
	assert_int_equal(wire_put_responses(&w, records, 0), 0);
	assert_false(w.failed);
	assert_ptr_equal(w.at, data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_as_documented),
		cmocka_unit_test(every_mix_of_record_options_survives),
		cmocka_unit_test(window_scale_above_14_is_read_as_14),
		cmocka_unit_test(record_that_contradicts_itself_is_refused),
		cmocka_unit_test(record_of_a_later_version_is_read_past),
		cmocka_unit_test(more_records_than_allowed_are_refused),
		cmocka_unit_test(responses_take_as_many_as_fit),
	};

	return cmocka_run_group_tests_name("wire, records", tests, NULL, NULL);
}
