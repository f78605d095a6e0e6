/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wire_hostile.c - what a hostile peer may send in place of a message: cut and lengthened
 * ones, lengths out of bounds, unknown types, random bytes. Cut and random ones lie on the heap, so
 * that a sanitizer sees any read past their end.
 */
#include "tests/unit/wire_fixture.h"

enum {
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
		struct wire_path_mtu path_mtu;
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
	case WIRE_PATH_MTU:
		return wire_get_path_mtu(&u.path_mtu, m);
	}
	return 0;
}

static const char *const documented_names[] = {
	"hello-tcpcopy", "hello-intercept", "refusal",    "heartbeat",
	"register-ipv4", "register-ipv6",   "unregister", "register-refused",
	"urgency-on",    "urgency-off",     "path-mtu",   "responses",
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

/* What a body must have: a hello may end before its connection. */
static size_t needed_len(const struct wire_message *m)
{
	return m->type == WIRE_HELLO ? m->body_len_bytes - 1 : m->body_len_bytes;
}

static void body_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < DOCUMENTED; i++) {
		struct bytes b = documented(documented_names[i]);
		struct wire_message whole = message_of(&b);

		assert_int_equal(decode(&whole), 0);
		for (size_t len = 0; len < needed_len(&whole); len++) {
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_cut_anywhere_is_incomplete),
		cmocka_unit_test(body_cut_anywhere_is_refused),
		cmocka_unit_test(body_with_a_tail_is_read),
		cmocka_unit_test(lengths_out_of_bounds_are_refused_at_once),
		cmocka_unit_test(largest_message_and_empty_body_pass),
		cmocka_unit_test(unknown_types_are_skipped_by_length),
		cmocka_unit_test(random_input_never_reads_outside),
	};

	return cmocka_run_group_tests_name("wire, hostile", tests, NULL, NULL);
}
