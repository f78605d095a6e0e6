/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_peer.c - the protocol state of one tcpcopy: streams cut anywhere, strangers, refusals, time
 * limits, and an output that stays bounded and whole whatever the peer reads.
 */
#include "intercept/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/packet.h"

enum {
	STREAM_MAX = 256 * 1024,
	SECOND = 1000 * 1000,
};

static const struct wire_heartbeat no_counters = {.captured = 0};

/* What a tcpcopy writes. */
struct stream {
	uint8_t bytes[STREAM_MAX];
	struct byte_writer w;
};

static struct stream *stream_new(void)
{
	struct stream *s = malloc(sizeof(*s));

	assert_non_null(s);
	s->w = byte_writer_on(s->bytes, sizeof(s->bytes));
	return s;
}

static size_t stream_len(const struct stream *s)
{
	assert_false(s->w.failed);
	return (size_t)(s->w.at - s->bytes);
}

static void put_hello(struct stream *s, uint16_t version, uint8_t role)
{
	const struct wire_hello hello = {.version = version, .role = role, .instance_id = 42};

	wire_put_hello(&s->w, &hello);
}

static void put_register(struct stream *s, uint32_t id)
{
	struct wire_register reg = {
		.session_id = id,
		.response = {.src = {.addr = ip_addr_v4(0x0a000002), .port = 80},
			     .dst = {.addr = ip_addr_v4(0x0a4d0001), .port = 40000},
			     .protocol = PROTOCOL_TCP},
	};

	wire_put_register(&s->w, &reg);
}

/* --- events as text --- */

static void add_event(char *log, const struct peer *p, const struct peer_event *e)
{
	char text[64] = "";

	switch (e->type) {
	case PEER_EVENT_UP:
		snprintf(text, sizeof(text), "up ");
		break;
	case PEER_EVENT_REGISTER:
		snprintf(text, sizeof(text), "register %u ", e->session_id);
		break;
	case PEER_EVENT_UNREGISTER:
		snprintf(text, sizeof(text), "unregister %u ", e->session_id);
		break;
	case PEER_EVENT_URGENCY:
		snprintf(text, sizeof(text), "urgent %d ", e->urgent);
		break;
	case PEER_EVENT_FAULT:
		snprintf(text, sizeof(text), "fault %d ", peer_fault_of(p));
		break;
	}
	strcat(log, text);
}

/* From a block of exactly this size, so that a sanitizer sees any read past its end. */
static void feed(struct peer *p, const void *data, size_t len, char *log, uint64_t now_us)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct byte_reader stream = byte_reader_on(copy, len);
	struct peer_event e;

	if (len)
		memcpy(copy, data, len);
	while (peer_next(p, &stream, &e, now_us)) {
		add_event(log, p, &e);
		if (e.type == PEER_EVENT_FAULT)
			break;
	}
	free(copy);
}

static struct peer *fresh_peer(void)
{
	struct peer *p = peer_new(99, 0);

	assert_non_null(p);
	assert_int_equal(peer_state(p), PEER_STRANGER);
	return p;
}

static void drain(struct peer *p)
{
	size_t len;

	peer_output(p, &len);
	peer_output_sent(p, len);
}

/* Up, its hello read, nothing left to write. */
static struct peer *peer_that_is_up(void)
{
	struct peer *p = fresh_peer();
	struct stream *s = stream_new();
	char log[128] = "";

	put_hello(s, WIRE_VERSION, WIRE_ROLE_TCPCOPY);
	feed(p, s->bytes, stream_len(s), log, 0);
	assert_string_equal(log, "up ");
	drain(p);
	free(s);
	return p;
}

/* The next message of the output, taken from it. */
static struct wire_message next_output(struct peer *p)
{
	static uint8_t body[WIRE_MESSAGE_MAX];
	struct wire_message m = {.type = 0};
	size_t len;
	const uint8_t *data = peer_output(p, &len);
	long n = data ? wire_next(&m, data, len) : 0;

	assert_true(n >= 0);
	if (n == 0)
		return (struct wire_message){.type = 0};
	memcpy(body, m.body, m.body_len_bytes);
	m.body = body;
	peer_output_sent(p, (size_t)n);
	return m;
}

static void expect_refusal(struct peer *p, uint8_t reason, const char *words)
{
	struct wire_message m = next_output(p);
	struct wire_refusal refusal;

	assert_int_equal(m.type, WIRE_REFUSAL);
	assert_int_equal(wire_get_refusal(&refusal, &m), 0);
	assert_int_equal(refusal.reason, reason);
	assert_int_equal(refusal.version, WIRE_VERSION);
	assert_non_null(strstr(refusal.text, words));
}

/* --- hello --- */

static void good_hello_is_answered_with_ours(void **state)
{
	struct peer *p = fresh_peer();
	struct stream *s = stream_new();
	struct wire_hello hello;
	struct wire_message m;
	char log[128] = "";
	size_t len;

	(void)state;
	assert_null(peer_output(p, &len)); /* nothing to a stranger who has not spoken */
	put_hello(s, WIRE_VERSION, WIRE_ROLE_TCPCOPY);
	feed(p, s->bytes, stream_len(s), log, 0);
	assert_string_equal(log, "up ");
	assert_int_equal(peer_state(p), PEER_UP);
	assert_int_equal(peer_hello(p)->instance_id, 42);
	m = next_output(p);
	assert_int_equal(m.type, WIRE_HELLO);
	assert_int_equal(wire_get_hello(&hello, &m), 0);
	assert_int_equal(hello.role, WIRE_ROLE_INTERCEPT);
	assert_int_equal(hello.instance_id, 99);
	assert_int_equal(next_output(p).type, 0);
	free(s);
	peer_free(p);
	peer_free(NULL);
}

/* pitfall 11: a version mismatch is refused, with both versions, not just warned of. */
static void pitfall_11_other_version_is_refused_by_number(void **state)
{
	struct peer *p = fresh_peer();
	struct stream *s = stream_new();
	char log[128] = "";

	(void)state;
	put_hello(s, WIRE_VERSION + 6, WIRE_ROLE_TCPCOPY);
	put_register(s, 1);
	feed(p, s->bytes, stream_len(s), log, 0);
	assert_int_equal(peer_fault_of(p), PEER_FAULT_VERSION);
	assert_int_equal(peer_state(p), PEER_GOODBYE);
	expect_refusal(p, WIRE_REFUSED_VERSION, "version 7 of the link, intercept version 1");
	/* What it goes on to say is thrown away. */
	log[0] = '\0';
	feed(p, s->bytes, stream_len(s), log, 0);
	assert_string_equal(log, "");
	free(s);
	peer_free(p);
}

static void another_intercept_is_refused(void **state)
{
	struct peer *p = fresh_peer();
	struct stream *s = stream_new();
	char log[128] = "";

	(void)state;
	put_hello(s, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	feed(p, s->bytes, stream_len(s), log, 0);
	assert_int_equal(peer_fault_of(p), PEER_FAULT_ROLE);
	expect_refusal(p, WIRE_REFUSED_ROLE, "only a tcpcopy");
	free(s);
	peer_free(p);
}

static void strangers_are_known_by_their_first_bytes(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
	} strangers[] = {
		{"a browser", "GET ", 4},
		{"TLS", "\x16\x03\x01\x02", 4},
		{"a length of all ones", "\xff\xff\xff\xff", 4},
		{"a length of 0", "\0\0\0\0", 4},
		{"a first message too long", "\0\0\x10\0", 4},
		{"another message first", "\0\0\0\x16\x04", 5},
		{"another magic", "\0\0\0\x16\x01\0abcd", 10},
		{"a hello that is too short", "\0\0\0\x08\x01\0\x74\x63\x70\x6c\0\x01", 12},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		/* At once, and byte by byte. */
		for (int split = 0; split < 2; split++) {
			struct peer *p = fresh_peer();
			char log[128] = "";
			size_t len;

			for (size_t at = 0; split && at < strangers[i].len && !*log; at++)
				feed(p, strangers[i].bytes + at, 1, log, 0);
			if (!split)
				feed(p, strangers[i].bytes, strangers[i].len, log, 0);
			if (peer_fault_of(p) != PEER_FAULT_GARBAGE)
				fail_msg("%s: fault %d", strangers[i].name, peer_fault_of(p));
			assert_null(peer_output(p, &len)); /* no answer */
			peer_free(p);
		}
	}
}

/* --- the stream --- */

/* pitfall 9: a message may come in pieces, and is complete when its last byte has come. */
static void pitfall_9_any_cut_of_the_stream_gives_the_same_events(void **state)
{
	struct stream *s = stream_new();
	const char *expected = "up register 7 urgent 1 unregister 7 register 8 urgent 0 ";
	struct byte_writer *w = &s->w;

	(void)state;
	put_hello(s, WIRE_VERSION, WIRE_ROLE_TCPCOPY);
	put_register(s, 7);
	wire_put_urgency(w, true);
	wire_put_heartbeat(w, &no_counters);
	wire_put_unregister(w, 7);
	put_register(s, 8);
	wire_put_urgency(w, false);
	for (size_t piece = 1; piece <= stream_len(s); piece++) {
		struct peer *p = fresh_peer();
		char log[256] = "";

		for (size_t at = 0; at < stream_len(s); at += piece) {
			size_t left = stream_len(s) - at;

			feed(p, s->bytes + at, left < piece ? left : piece, log, 0);
		}
		assert_string_equal(log, expected);
		peer_free(p);
	}
	free(s);
}

static void longest_message_of_an_unknown_type_is_skipped_in_pieces(void **state)
{
	struct stream *s = stream_new();
	char log[128] = "";
	struct peer *p = peer_that_is_up();

	(void)state;
	byte_writer_be32(&s->w, WIRE_MESSAGE_MAX - 4);
	byte_writer_u8(&s->w, 200);
	byte_writer_room(&s->w, WIRE_MESSAGE_MAX - 5);
	put_register(s, 3);
	for (size_t at = 0; at < stream_len(s); at += 7000)
		feed(p, s->bytes + at, stream_len(s) - at < 7000 ? stream_len(s) - at : 7000, log,
		     0);
	assert_string_equal(log, "register 3 ");
	peer_free(p);
	free(s);
}

static void message_that_does_not_decode_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"\0\0\0\x05\x04\0abc", 9},             /* REGISTER cut short */
		{"\0\0\0\x03\x05\0a", 7},               /* UNREGISTER cut short */
		{"\0\0\0\x03\x08\0\x02", 7},            /* URGENCY neither on nor off */
		{"\0\0\0\x01", 4},                      /* no room for type and flags */
		{"\0\x01\0\0", 4},                      /* longer than any message */
		{"\0\0\0\x06\x02\0\x01\0\x01\xff", 10}, /* REFUSAL whose text is not there */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct peer *p = peer_that_is_up();
		char log[128] = "";

		feed(p, bad[i].bytes, bad[i].len, log, 0);
		assert_int_equal(peer_fault_of(p), PEER_FAULT_MALFORMED);
		assert_int_equal(peer_state(p), PEER_GOODBYE);
		expect_refusal(p, WIRE_REFUSED_PROTOCOL, "does not decode");
		peer_free(p);
	}
}

static void goodbye_of_a_tcpcopy_is_a_fault_with_its_words(void **state)
{
	struct stream *s = stream_new();
	struct peer *p = peer_that_is_up();
	struct wire_refusal refusal = {
		.reason = WIRE_REFUSED_SHUTDOWN, .version = 1, .text = "shutting down"};
	char log[128] = "";

	(void)state;
	wire_put_refusal(&s->w, &refusal);
	feed(p, s->bytes, stream_len(s), log, 0);
	assert_int_equal(peer_fault_of(p), PEER_FAULT_LEFT);
	assert_int_equal(peer_state(p), PEER_UP); /* nothing more to say: close at once */
	assert_string_equal(peer_why(p), "it said: shutting down");
	peer_free(p);
	free(s);
}

/* --- time --- */

/* pitfall 10: three bytes and silence. */
static void pitfall_10_three_bytes_and_silence_end_after_5_s(void **state)
{
	struct peer *p = fresh_peer();
	char log[128] = "";

	(void)state;
	feed(p, "\0\0\0", 3, log, 4 * SECOND);
	assert_string_equal(log, "");
	assert_int_equal(peer_next_us(p), PEER_HELLO_US);
	assert_true(peer_on_time(p, &no_counters, PEER_HELLO_US - 1));
	assert_false(peer_on_time(p, &no_counters, PEER_HELLO_US));
	assert_int_equal(peer_fault_of(p), PEER_FAULT_NO_HELLO);
	peer_free(p);
}

static void heartbeat_comes_once_a_second(void **state)
{
	struct peer *p = peer_that_is_up();
	struct wire_heartbeat counters = {.captured = 5, .routed = 4, .unrouted = 1}, got;
	struct wire_message m;

	(void)state;
	assert_int_equal(peer_next_us(p), 0); /* the first at once */
	assert_true(peer_on_time(p, &counters, 10));
	m = next_output(p);
	assert_int_equal(m.type, WIRE_HEARTBEAT);
	assert_int_equal(wire_get_heartbeat(&got, &m), 0);
	assert_int_equal(got.captured, 5);
	assert_int_equal(got.unrouted, 1);
	assert_int_equal(peer_next_us(p), 10 + PEER_HEARTBEAT_US);
	assert_true(peer_on_time(p, &counters, PEER_HEARTBEAT_US));
	assert_int_equal(next_output(p).type, 0);
	assert_true(peer_on_time(p, &counters, 10 + PEER_HEARTBEAT_US));
	assert_int_equal(next_output(p).type, WIRE_HEARTBEAT);
	peer_free(p);
}

static void silent_for_10_s_is_a_fault_and_any_message_prevents_it(void **state)
{
	struct peer *p = peer_that_is_up();
	struct stream *s = stream_new();
	char log[128] = "";

	(void)state;
	wire_put_heartbeat(&s->w, &no_counters);
	feed(p, s->bytes, stream_len(s), log, 9 * SECOND);
	assert_true(peer_on_time(p, &no_counters, 18 * SECOND));
	/* A part of a message is no sign of life. */
	feed(p, s->bytes, 3, log, 18 * SECOND);
	assert_false(peer_on_time(p, &no_counters, 19 * SECOND));
	assert_int_equal(peer_fault_of(p), PEER_FAULT_SILENT);
	peer_free(p);
	free(s);
}

static void goodbye_lasts_a_second_at_most(void **state)
{
	struct peer *p = peer_that_is_up();

	(void)state;
	peer_refuse(p, PEER_FAULT_SHUTDOWN, "shutting down", 5);
	assert_int_equal(peer_next_us(p), 5 + PEER_GOODBYE_US);
	assert_true(peer_on_time(p, &no_counters, PEER_GOODBYE_US));
	assert_false(peer_on_time(p, &no_counters, 5 + PEER_GOODBYE_US));
	assert_int_equal(peer_fault_of(p), PEER_FAULT_SHUTDOWN);
	expect_refusal(p, WIRE_REFUSED_SHUTDOWN, "shutting down");
	peer_free(p);
}

/* --- batch and output --- */

static struct wire_record record(uint32_t id, uint32_t seq)
{
	return (struct wire_record){.session_id = id, .seq = seq, .segments = 2, .flags = TCP_ACK};
}

static void records_leave_in_one_message_in_order(void **state)
{
	struct peer *p = peer_that_is_up();
	struct peer_flushed f = {.records = 0};
	struct wire_record_cursor cursor;
	struct wire_record got;
	struct wire_message m;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		struct wire_record r = record(7, i);

		assert_int_equal(peer_add_record(p, &r), i);
	}
	assert_int_equal(peer_pending(p), 5);
	assert_non_null(peer_record(p, 4, 7));
	assert_null(peer_record(p, 4, 8)); /* of another session */
	assert_null(peer_record(p, 5, 7)); /* not there */
	peer_flush(p, &f);
	assert_int_equal(f.records, 5);
	assert_int_equal(f.segments, 10);
	assert_null(peer_record(p, 4, 7));
	m = next_output(p);
	assert_int_equal(m.type, WIRE_RESPONSES);
	assert_int_equal(wire_records_open(&cursor, &m), 0);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(wire_records_next(&cursor, &got), 1);
		assert_int_equal(got.seq, i);
	}
	assert_int_equal(wire_records_next(&cursor, &got), 0);
	peer_flush(p, &f);
	assert_int_equal(f.records, 5);
	assert_int_equal(next_output(p).type, 0);
	peer_free(p);
}

static void full_batch_flushes_itself(void **state)
{
	struct peer *p = peer_that_is_up();
	struct peer_flushed f = {.records = 0};

	(void)state;
	for (uint32_t i = 0; i < PEER_BATCH_MAX + 1; i++) {
		struct wire_record r = record(7, i);

		assert_int_equal(peer_add_record(p, &r), i % PEER_BATCH_MAX);
	}
	assert_int_equal(peer_pending(p), 1);
	peer_flush(p, &f);
	assert_int_equal(f.records, PEER_BATCH_MAX + 1);
	assert_int_equal(next_output(p).type, WIRE_RESPONSES);
	assert_int_equal(next_output(p).type, WIRE_RESPONSES);
	assert_int_equal(next_output(p).type, 0);
	peer_free(p);
}

/* pitfall 10: a peer that does not read costs a bounded amount, and loses only its own records. */
static void pitfall_10_peer_that_does_not_read_stays_bounded(void **state)
{
	struct peer *p = peer_that_is_up();
	struct peer_flushed f = {.records = 0};
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 400000; i++) {
		struct wire_record r = record(7, i);

		peer_add_record(p, &r);
		if (i % 100 == 0)
			peer_flush(p, &f);
		if (i % 1000 == 0)
			assert_true(peer_memory(p) < PEER_OUTPUT_MAX + 256 * 1024);
	}
	peer_flush(p, &f);
	assert_true(f.records_dropped > 0);
	assert_int_equal(f.records + f.records_dropped, 400000);
	assert_int_equal(f.segments + f.segments_dropped, 800000);
	peer_output(p, &len);
	assert_true(len <= PEER_OUTPUT_MAX - PEER_OUTPUT_RESERVE);
	/* There is still room for a word. */
	assert_true(peer_put_register_refused(p, 7));
	peer_refuse(p, PEER_FAULT_SHUTDOWN, "shutting down", 0);
	while (next_output(p).type == WIRE_RESPONSES)
		;
	expect_refusal(p, WIRE_REFUSED_SHUTDOWN, "shutting down");
	/* And the large buffer is given back. */
	assert_true(peer_memory(p) < 512 * 1024);
	peer_free(p);
}

/* pitfall 11: whatever pieces the kernel takes, the messages stay whole. */
static void pitfall_11_partial_sends_keep_the_framing(void **state)
{
	struct peer *p = peer_that_is_up();
	uint8_t *received = malloc(8 * 1024 * 1024);
	size_t received_len = 0, seed = 1, len;
	uint32_t expected = 0, put = 0;
	struct peer_flushed f = {.records = 0};

	(void)state;
	for (int round = 0; round < 5000; round++) {
		const uint8_t *data;

		for (unsigned i = 0; i < seed % 40; i++) {
			struct wire_record r = record(7, put++);

			peer_add_record(p, &r);
		}
		peer_flush(p, &f);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		data = peer_output(p, &len);
		len = len ? (seed >> 33) % (len + 1) : 0;
		if (len)
			memcpy(received + received_len, data, len);
		received_len += len;
		peer_output_sent(p, len);
	}
	while (peer_output(p, &len)) {
		memcpy(received + received_len, peer_output(p, &len), len);
		received_len += len;
		peer_output_sent(p, len);
	}
	assert_int_equal(f.records_dropped, 0);
	for (size_t at = 0; at < received_len;) {
		struct wire_record_cursor cursor;
		struct wire_message m;
		struct wire_record got;
		long n = wire_next(&m, received + at, received_len - at);

		assert_true(n > 0);
		assert_int_equal(wire_records_open(&cursor, &m), 0);
		while (wire_records_next(&cursor, &got) == 1)
			assert_int_equal(got.seq, expected++);
		at += (size_t)n;
	}
	assert_int_equal(expected, put);
	free(received);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_hello_is_answered_with_ours),
		cmocka_unit_test(pitfall_11_other_version_is_refused_by_number),
		cmocka_unit_test(another_intercept_is_refused),
		cmocka_unit_test(strangers_are_known_by_their_first_bytes),
		cmocka_unit_test(pitfall_9_any_cut_of_the_stream_gives_the_same_events),
		cmocka_unit_test(longest_message_of_an_unknown_type_is_skipped_in_pieces),
		cmocka_unit_test(message_that_does_not_decode_is_refused),
		cmocka_unit_test(goodbye_of_a_tcpcopy_is_a_fault_with_its_words),
		cmocka_unit_test(pitfall_10_three_bytes_and_silence_end_after_5_s),
		cmocka_unit_test(heartbeat_comes_once_a_second),
		cmocka_unit_test(silent_for_10_s_is_a_fault_and_any_message_prevents_it),
		cmocka_unit_test(goodbye_lasts_a_second_at_most),
		cmocka_unit_test(records_leave_in_one_message_in_order),
		cmocka_unit_test(full_batch_flushes_itself),
		cmocka_unit_test(pitfall_10_peer_that_does_not_read_stays_bounded),
		cmocka_unit_test(pitfall_11_partial_sends_keep_the_framing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
