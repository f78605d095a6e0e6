/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wire.c - the messages of the link, byte for byte as docs/wire-protocol.md shows them, and
 * everything that a hostile peer may send instead.
 */
#include "common/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/packet.h"

#ifndef SRCDIR
#define SRCDIR "."
#endif

enum {
	BYTES_MAX = 512,
	RANDOM_INPUTS = 100000,
};

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717) % n;
}

/* A message as bytes. */
struct bytes {
	uint8_t data[BYTES_MAX];
	size_t len;
};

static FILE *open_document(void)
{
	const char *dir = getenv("srcdir");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/docs/wire-protocol.md", dir ? dir : SRCDIR);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: not found; set srcdir to the top of the source tree", path);
	return f;
}

static void add_hex_line(struct bytes *b, const char *line)
{
	unsigned value;
	int used;

	while (*line && *line != '#' && sscanf(line, " %2x%n", &value, &used) == 1) {
		assert_true(b->len < BYTES_MAX);
		b->data[b->len++] = (uint8_t)value;
		line += used;
	}
	line += strspn(line, " \n");
	assert_true(*line == '\0' || *line == '#');
}

/* The bytes of the block that begins with ```hex name. */
static struct bytes documented(const char *name)
{
	struct bytes b = {.len = 0};
	FILE *f = open_document();
	char line[256], fence[64];
	bool inside = false, found = false;

	snprintf(fence, sizeof(fence), "```hex %s\n", name);
	while (fgets(line, sizeof(line), f)) {
		if (inside && strcmp(line, "```\n") == 0)
			inside = false;
		else if (inside)
			add_hex_line(&b, line);
		else if (strcmp(line, fence) == 0)
			inside = found = true;
	}
	fclose(f);
	if (!found || inside)
		fail_msg("docs/wire-protocol.md has no block %s", name);
	return b;
}

static void assert_written(const struct bytes *written, const char *name)
{
	struct bytes b = documented(name);

	assert_memory_equal(written->data, b.data, b.len < written->len ? b.len : written->len);
	assert_int_equal(written->len, b.len);
}

/* Cuts the one message out of b. */
static struct wire_message message_of(const struct bytes *b)
{
	struct wire_message m;

	assert_int_equal(wire_next(&m, b->data, b->len), b->len);
	return m;
}

static struct wire_message message_with(uint8_t type, const void *body, size_t len)
{
	return (struct wire_message){.type = type, .body = body, .body_len_bytes = len};
}

#define WRITTEN(b, call)                                                             \
	do {                                                                         \
		struct byte_writer w = byte_writer_on((b)->data, sizeof((b)->data)); \
		call;                                                                \
		assert_false(w.failed);                                              \
		(b)->len = (size_t)(w.at - (b)->data);                               \
	} while (0)

static const struct wire_hello example_hello = {
	.version = 1,
	.role = WIRE_ROLE_TCPCOPY,
	.worker_id = 3,
	.instance_id = 0x0123456789abcdef,
};

static void assert_hello_equal(const struct wire_hello *a, const struct wire_hello *b)
{
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->worker_id, b->worker_id);
	assert_int_equal(a->features, b->features);
	assert_true(a->instance_id == b->instance_id);
}

static void hello_is_as_documented(void **state)
{
	struct wire_hello answer = {
		.version = 1, .role = WIRE_ROLE_INTERCEPT, .instance_id = 0xfedcba9876543210};
	struct wire_hello read;
	struct wire_message m;
	struct bytes b;

	(void)state;
	WRITTEN(&b, wire_put_hello(&w, &example_hello));
	assert_written(&b, "hello-tcpcopy");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_HELLO);
	assert_int_equal(wire_get_hello(&read, &m), 0);
	assert_hello_equal(&read, &example_hello);

	WRITTEN(&b, wire_put_hello(&w, &answer));
	assert_written(&b, "hello-intercept");
	m = message_of(&b);
	assert_int_equal(wire_get_hello(&read, &m), 0);
	assert_hello_equal(&read, &answer);
}

static void hello_of_another_magic_is_refused(void **state)
{
	struct bytes b = documented("hello-tcpcopy");
	struct wire_message m = message_of(&b);
	struct wire_hello read;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		b.data[WIRE_HEADER_LEN + i] ^= 1;
		errno = 0;
		assert_int_equal(wire_get_hello(&read, &m), -1);
		assert_int_equal(errno, EPROTO);
		b.data[WIRE_HEADER_LEN + i] ^= 1;
	}
	assert_int_equal(wire_get_hello(&read, &m), 0);
}

static void hello_of_a_later_version_tells_its_version(void **state)
{
	struct bytes b = documented("hello-tcpcopy");
	struct wire_message m;
	struct wire_hello read;

	(void)state;
	b.data[WIRE_HEADER_LEN + 4] = 0x12;
	b.data[WIRE_HEADER_LEN + 5] = 0x34;
	b.data[3] += 5; /* and is longer */
	memset(b.data + b.len, 0xee, 5);
	b.len += 5;
	m = message_of(&b);
	assert_int_equal(wire_get_hello(&read, &m), 0);
	assert_int_equal(read.version, 0x1234);
}

static void refusal_is_as_documented(void **state)
{
	struct wire_refusal refusal = {.reason = WIRE_REFUSED_VERSION,
				       .version = 1,
				       .text = "I speak version 1, you said "};
	struct wire_refusal read;
	struct wire_message m;
	struct bytes b;

	(void)state;
	WRITTEN(&b, wire_put_refusal(&w, &refusal));
	assert_written(&b, "refusal");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_REFUSAL);
	assert_int_equal(wire_get_refusal(&read, &m), 0);
	assert_int_equal(read.reason, WIRE_REFUSED_VERSION);
	assert_int_equal(read.version, 1);
	assert_string_equal(read.text, refusal.text);
}

static void refusal_text_is_sanitised_and_cut(void **state)
{
	uint8_t body[4 + 255] = {WIRE_REFUSED_FULL, 0, 1, 7, 'a', '\n', 0x1b, 0, 0x7f, 0xc3, '~'};
	struct wire_message m = message_with(WIRE_REFUSAL, body, 4 + 7);
	struct wire_refusal read;

	(void)state;
	assert_int_equal(wire_get_refusal(&read, &m), 0);
	assert_string_equal(read.text, "a?????~");
	body[3] = 0;
	assert_int_equal(wire_get_refusal(&read, &m), 0);
	assert_string_equal(read.text, "");
	body[3] = 255;
	memset(body + 4, 'x', 255);
	m.body_len_bytes = sizeof(body);
	assert_int_equal(wire_get_refusal(&read, &m), 0);
	assert_int_equal(strlen(read.text), WIRE_REFUSAL_TEXT_MAX);
	m.body_len_bytes--;
	assert_int_equal(wire_get_refusal(&read, &m), -1);
}

static void refusal_of_the_longest_text_survives(void **state)
{
	struct wire_refusal refusal = {.reason = WIRE_REFUSED_PROTOCOL, .version = 1};
	struct wire_refusal read;
	struct wire_message m;
	struct bytes b;

	(void)state;
	memset(refusal.text, 'y', WIRE_REFUSAL_TEXT_MAX);
	WRITTEN(&b, wire_put_refusal(&w, &refusal));
	m = message_of(&b);
	assert_int_equal(wire_get_refusal(&read, &m), 0);
	assert_string_equal(read.text, refusal.text);
}

static void heartbeat_is_as_documented(void **state)
{
	struct wire_heartbeat heartbeat = {.captured = 1000000,
					   .routed = 999997,
					   .unrouted = 2,
					   .dropped = UINT64_C(4294967297)};
	struct wire_heartbeat read;
	struct wire_message m;
	struct bytes b;

	(void)state;
	WRITTEN(&b, wire_put_heartbeat(&w, &heartbeat));
	assert_written(&b, "heartbeat");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_HEARTBEAT);
	assert_int_equal(wire_get_heartbeat(&read, &m), 0);
	assert_memory_equal(&read, &heartbeat, sizeof(read));
}

static struct wire_register example_register(bool v6)
{
	static const uint8_t target[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};
	static const uint8_t client[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 0x29};
	struct wire_register r = {.session_id = 7, .response.protocol = PROTOCOL_TCP};

	if (v6) {
		r.session_id = UINT32_C(4294967294);
		r.response.src = (struct endpoint){ip_addr_v6_bytes(target), 443};
		r.response.dst = (struct endpoint){ip_addr_v6_bytes(client), 1024};
		return r;
	}
	r.response.src = (struct endpoint){ip_addr_v4(0x0a000002), 8080};
	r.response.dst = (struct endpoint){ip_addr_v4(0x0a141e29), 40000};
	return r;
}

static void register_is_as_documented_in_both_families(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct wire_register r = example_register(v6);
		struct wire_register read;
		struct wire_message m;
		struct bytes b;

		WRITTEN(&b, wire_put_register(&w, &r));
		assert_written(&b, v6 ? "register-ipv6" : "register-ipv4");
		m = message_of(&b);
		assert_int_equal(m.type, WIRE_REGISTER);
		assert_int_equal(wire_get_register(&read, &m), 0);
		assert_int_equal(read.session_id, r.session_id);
		assert_true(tuple_equal(&read.response, &r.response));
	}
}

static void assert_register_refused(struct bytes b, size_t body_offset, uint8_t value)
{
	struct wire_register read;
	struct wire_message m;

	b.data[WIRE_HEADER_LEN + body_offset] = value;
	m = message_of(&b);
	errno = 0;
	assert_int_equal(wire_get_register(&read, &m), -1);
	assert_int_equal(errno, EPROTO);
}

static void register_of_wrong_family_or_port_is_refused(void **state)
{
	struct bytes v4 = documented("register-ipv4"), v6 = documented("register-ipv6");
	struct bytes mapped = v6;

	(void)state;
	for (int family = 0; family < 256; family++)
		if (family != 4 && family != 6)
			assert_register_refused(v4, 5, (uint8_t)family);
	assert_register_refused(v4, 5, 6); /* too short for IPv6 */
	v4.data[WIRE_HEADER_LEN + 10] = 0;
	assert_register_refused(v4, 11, 0); /* source port 0 */
	v4 = documented("register-ipv4");
	v4.data[WIRE_HEADER_LEN + 16] = 0;
	assert_register_refused(v4, 17, 0); /* destination port 0 */
	memset(mapped.data + WIRE_HEADER_LEN + 6, 0, 10);
	mapped.data[WIRE_HEADER_LEN + 16] = 0xff;
	assert_register_refused(mapped, 17, 0xff); /* ::ffff:0.0.0.2 */
}

static void session_id_messages_are_as_documented(void **state)
{
	struct wire_session_id read;
	struct wire_message m;
	struct bytes b;

	(void)state;
	WRITTEN(&b, wire_put_unregister(&w, 7));
	assert_written(&b, "unregister");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_UNREGISTER);
	assert_int_equal(wire_get_session_id(&read, &m), 0);
	assert_int_equal(read.session_id, 7);

	WRITTEN(&b, wire_put_register_refused(&w, 7));
	assert_written(&b, "register-refused");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_REGISTER_REFUSED);
	assert_int_equal(wire_get_session_id(&read, &m), 0);
	assert_int_equal(read.session_id, 7);
}

static void urgency_is_as_documented_and_nothing_between(void **state)
{
	struct wire_message m;
	struct bytes b;
	bool urgent = false;

	(void)state;
	WRITTEN(&b, wire_put_urgency(&w, true));
	assert_written(&b, "urgency-on");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_URGENCY);
	assert_int_equal(wire_get_urgency(&urgent, &m), 0);
	assert_true(urgent);
	WRITTEN(&b, wire_put_urgency(&w, false));
	assert_written(&b, "urgency-off");
	m = message_of(&b);
	assert_int_equal(wire_get_urgency(&urgent, &m), 0);
	assert_false(urgent);
	b.data[WIRE_HEADER_LEN] = 2;
	assert_int_equal(wire_get_urgency(&urgent, &m), -1);
	assert_int_equal(errno, EPROTO);
}

static const struct wire_record example_records[] = {
	{
		.session_id = 7,
		.seq = UINT32_MAX,
		.ack = 1001,
		.window = 65160,
		.segments = 1,
		.flags = TCP_SYN | TCP_ACK,
		.has_timestamps = true,
		.has_syn_options = true,
		.has_mss = true,
		.has_window_scale = true,
		.has_sack_permitted = true,
		.window_scale = 7,
		.mss = 1460,
		.ts_val = 100000,
		.ts_ecr = 12345,
	},
	{
		.session_id = 7,
		.seq = 0,
		.len_bytes = 2896,
		.ack = 1101,
		.window = 509,
		.segments = 2,
		.flags = TCP_PSH | TCP_ACK,
		.has_timestamps = true,
		.ts_val = 100020,
		.ts_ecr = 12355,
	},
	{
		.session_id = 9,
		.seq = 5000,
		.ack = 2000,
		.window = 502,
		.segments = 1,
		.flags = TCP_FIN | TCP_ACK,
	},
};

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
	for (unsigned mix = 0; mix < 32; mix++) {
		struct wire_record r = example_records[0], read;
		struct wire_record_cursor c;
		struct wire_message m;
		struct bytes b;

		r.has_timestamps = mix & 1;
		r.has_syn_options = mix & 2;
		r.has_mss = r.has_syn_options && mix & 4;
		r.has_window_scale = r.has_syn_options && mix & 8;
		r.has_sack_permitted = r.has_syn_options && mix & 16;
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

/* Every encoder in turn. Returns false past the last. */
static bool put_number(int i, struct byte_writer *w)
{
	static const struct wire_refusal refusal = {.reason = 1, .version = 1, .text = "no"};
	static const struct wire_heartbeat heartbeat = {.captured = 1};
	struct wire_register v4 = example_register(false), v6 = example_register(true);

	switch (i) {
	case 0:
		wire_put_hello(w, &example_hello);
		return true;
	case 1:
		wire_put_refusal(w, &refusal);
		return true;
	case 2:
		wire_put_heartbeat(w, &heartbeat);
		return true;
	case 3:
		wire_put_register(w, &v4);
		return true;
	case 4:
		wire_put_register(w, &v6);
		return true;
	case 5:
		wire_put_unregister(w, 5);
		return true;
	case 6:
		wire_put_register_refused(w, 6);
		return true;
	case 7:
		wire_put_urgency(w, true);
		return true;
	case 8:
		wire_put_responses(w, example_records, 1);
		return true;
	}
	return false;
}

static void encoder_without_room_writes_nothing(void **state)
{
	uint8_t data[BYTES_MAX];

	(void)state;
	for (int i = 0;; i++) {
		struct byte_writer w = byte_writer_on(data, sizeof(data));
		size_t len;

		if (!put_number(i, &w))
			break;
		len = (size_t)(w.at - data);
		assert_false(w.failed);
		for (size_t room = 0; room < len; room++) {
			memset(data, 0x5a, sizeof(data));
			w = byte_writer_on(data, room);
			put_number(i, &w);
			assert_true(w.failed);
			assert_ptr_equal(w.at, data);
			for (size_t k = 0; k < sizeof(data); k++)
				assert_int_equal(data[k], 0x5a);
			/* A failed writer stays failed. */
			put_number(7, &w);
			assert_ptr_equal(w.at, data);
		}
		w = byte_writer_on(data, len);
		put_number(i, &w);
		assert_false(w.failed);
	}
}

/* Reads m as whatever it may be. Returns 0 or -1 as its decoder does. */
static int decode(const struct wire_message *m)
{
	struct wire_record_cursor c;
	struct wire_record record;
	union {
		struct wire_hello hello;
		struct wire_refusal refusal;
		struct wire_heartbeat heartbeat;
		struct wire_register reg;
		struct wire_session_id id;
		bool urgent;
	} u;
	int result;

	switch (m->type) {
	case WIRE_HELLO:
		return wire_get_hello(&u.hello, m);
	case WIRE_REFUSAL:
		result = wire_get_refusal(&u.refusal, m);
		if (result == 0)
			assert_true(strlen(u.refusal.text) <= WIRE_REFUSAL_TEXT_MAX);
		return result;
	case WIRE_HEARTBEAT:
		return wire_get_heartbeat(&u.heartbeat, m);
	case WIRE_REGISTER:
		return wire_get_register(&u.reg, m);
	case WIRE_UNREGISTER:
	case WIRE_REGISTER_REFUSED:
		return wire_get_session_id(&u.id, m);
	case WIRE_RESPONSES:
		result = wire_records_open(&c, m);
		if (result == 0)
			while ((result = wire_records_next(&c, &record)) > 0) {
				assert_true(record.window_scale <= 14);
				assert_true(record.segments > 0);
			}
		return result;
	case WIRE_URGENCY:
		return wire_get_urgency(&u.urgent, m);
	}
	return 0;
}

static const char *const documented_names[] = {
	"hello-tcpcopy", "hello-intercept", "refusal",    "heartbeat",
	"register-ipv4", "register-ipv6",   "unregister", "register-refused",
	"urgency-on",    "urgency-off",     "responses",
};

enum {
	DOCUMENTED = sizeof(documented_names) / sizeof(documented_names[0]),
};

static void message_cut_anywhere_is_incomplete(void **state)
{
	(void)state;
	for (int i = 0; i < DOCUMENTED; i++) {
		struct bytes b = documented(documented_names[i]);

		for (size_t len = 0; len < b.len; len++) {
			/* On the heap, so that a read past the end is seen. */
			uint8_t *cut = malloc(len ? len : 1);
			struct wire_message m;

			memcpy(cut, b.data, len);
			assert_int_equal(wire_next(&m, cut, len), 0);
			free(cut);
		}
	}
}

static void body_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < DOCUMENTED; i++) {
		struct bytes b = documented(documented_names[i]);
		struct wire_message whole = message_of(&b);

		assert_int_equal(decode(&whole), 0);
		for (size_t len = 0; len < whole.body_len_bytes; len++) {
			uint8_t *cut = malloc(len ? len : 1);
			struct wire_message m = message_with(whole.type, cut, len);

			memcpy(cut, whole.body, len);
			errno = 0;
			assert_int_equal(decode(&m), -1);
			assert_int_equal(errno, EPROTO);
			free(cut);
		}
	}
}

static void body_with_a_tail_is_read(void **state)
{
	(void)state;
	for (int i = 0; i < DOCUMENTED; i++) {
		struct bytes b = documented(documented_names[i]);
		struct wire_message m = message_of(&b);

		memset(b.data + b.len, 0xff, 8);
		m.body_len_bytes += 8;
		assert_int_equal(decode(&m), 0);
	}
}

static void lengths_out_of_bounds_are_refused_at_once(void **state)
{
	static const uint32_t bad[] = {0, 1, 65533, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
	struct wire_message m;
	uint8_t data[4];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_be32(data, bad[i]);
		errno = 0;
		assert_int_equal(wire_next(&m, data, sizeof(data)), -1);
		assert_int_equal(errno, EPROTO);
	}
	put_be32(data, 65532);
	assert_int_equal(wire_next(&m, data, sizeof(data)), 0);
	put_be32(data, 2);
	assert_int_equal(wire_next(&m, data, sizeof(data)), 0);
}

static void largest_message_and_empty_body_pass(void **state)
{
	static uint8_t data[WIRE_MESSAGE_MAX];
	struct wire_message m;

	(void)state;
	put_be32(data, WIRE_MESSAGE_MAX - 4);
	data[4] = 99;
	assert_int_equal(wire_next(&m, data, sizeof(data)), WIRE_MESSAGE_MAX);
	assert_int_equal(m.type, 99);
	assert_int_equal(m.body_len_bytes, WIRE_MESSAGE_MAX - 6);
	assert_int_equal(wire_next(&m, data, sizeof(data) - 1), 0);
	put_be32(data, 2);
	assert_int_equal(wire_next(&m, data, sizeof(data)), 6);
	assert_int_equal(m.body_len_bytes, 0);
}

static void unknown_types_are_skipped_by_length(void **state)
{
	struct bytes unknown = documented("unknown"), known = documented("urgency-on");
	struct wire_message m;
	uint8_t stream[64];
	long used;

	(void)state;
	memcpy(stream, unknown.data, unknown.len);
	memcpy(stream + unknown.len, known.data, known.len);
	used = wire_next(&m, stream, unknown.len + known.len);
	assert_int_equal(used, unknown.len);
	assert_int_equal(m.type, 200);
	assert_int_equal(m.body_len_bytes, 3);
	used = wire_next(&m, stream + used, known.len);
	assert_int_equal(used, known.len);
	assert_int_equal(m.type, WIRE_URGENCY);
}

/* Random bytes, or a documented message with some bytes changed. */
static size_t random_input(const struct bytes *seeds, uint8_t *data, size_t size)
{
	size_t len;

	if (random_below(2)) {
		const struct bytes *b = &seeds[random_below(DOCUMENTED)];

		memcpy(data, b->data, b->len);
		for (uint64_t n = random_below(5); n > 0; n--)
			data[random_below(b->len)] = (uint8_t)random_below(256);
		return b->len;
	}
	len = random_below(size + 1);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)random_below(256);
	if (len >= 5 && random_below(4)) {
		put_be32(data, (uint32_t)(len - 4));
		data[4] = (uint8_t)random_below(10);
	}
	return len;
}

static void random_input_never_reads_outside(void **state)
{
	struct bytes seeds[DOCUMENTED];
	size_t decoded = 0, refused = 0;

	(void)state;
	random_state = 2024;
	for (int i = 0; i < DOCUMENTED; i++)
		seeds[i] = documented(documented_names[i]);
	for (int i = 0; i < RANDOM_INPUTS; i++) {
		uint8_t input[128];
		size_t len = random_input(seeds, input, sizeof(input));
		uint8_t *data = malloc(len ? len : 1);
		struct wire_message m;
		size_t at = 0;
		long used;

		memcpy(data, input, len);
		while ((used = wire_next(&m, data + at, len - at)) > 0) {
			assert_true(at + (size_t)used <= len);
			assert_ptr_equal(m.body, data + at + 6);
			assert_int_equal(m.body_len_bytes, used - 6);
			/* As its own type and as every other. */
			if (decode(&m) == 0)
				decoded++;
			else
				refused++;
			for (m.type = 0; m.type < 10; m.type++)
				decode(&m);
			at += (size_t)used;
		}
		free(data);
	}
	/* The inputs reach both ends of the decoders. */
	assert_true(decoded > 1000);
	assert_true(refused > 1000);
}

static void refusal_reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(wire_refusal_reason_name(WIRE_REFUSED_VERSION), "version");
	assert_string_equal(wire_refusal_reason_name(WIRE_REFUSED_ROLE), "role");
	assert_string_equal(wire_refusal_reason_name(WIRE_REFUSED_FULL), "full");
	assert_string_equal(wire_refusal_reason_name(WIRE_REFUSED_PROTOCOL), "protocol");
	assert_string_equal(wire_refusal_reason_name(WIRE_REFUSED_SHUTDOWN), "shutdown");
	assert_string_equal(wire_refusal_reason_name(0), "unknown");
	assert_string_equal(wire_refusal_reason_name(255), "unknown");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_is_as_documented),
		cmocka_unit_test(hello_of_another_magic_is_refused),
		cmocka_unit_test(hello_of_a_later_version_tells_its_version),
		cmocka_unit_test(refusal_is_as_documented),
		cmocka_unit_test(refusal_text_is_sanitised_and_cut),
		cmocka_unit_test(refusal_of_the_longest_text_survives),
		cmocka_unit_test(heartbeat_is_as_documented),
		cmocka_unit_test(register_is_as_documented_in_both_families),
		cmocka_unit_test(register_of_wrong_family_or_port_is_refused),
		cmocka_unit_test(session_id_messages_are_as_documented),
		cmocka_unit_test(urgency_is_as_documented_and_nothing_between),
		cmocka_unit_test(responses_are_as_documented),
		cmocka_unit_test(every_mix_of_record_options_survives),
		cmocka_unit_test(window_scale_above_14_is_read_as_14),
		cmocka_unit_test(record_that_contradicts_itself_is_refused),
		cmocka_unit_test(record_of_a_later_version_is_read_past),
		cmocka_unit_test(more_records_than_allowed_are_refused),
		cmocka_unit_test(responses_take_as_many_as_fit),
		cmocka_unit_test(encoder_without_room_writes_nothing),
		cmocka_unit_test(message_cut_anywhere_is_incomplete),
		cmocka_unit_test(body_cut_anywhere_is_refused),
		cmocka_unit_test(body_with_a_tail_is_read),
		cmocka_unit_test(lengths_out_of_bounds_are_refused_at_once),
		cmocka_unit_test(largest_message_and_empty_body_pass),
		cmocka_unit_test(unknown_types_are_skipped_by_length),
		cmocka_unit_test(random_input_never_reads_outside),
		cmocka_unit_test(refusal_reasons_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
