/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wire.c - the messages of the link other than responses, byte for byte as
 * docs/wire-protocol.md shows them; encoders that have no room.
 */
#include "tests/unit/wire_fixture.h"

static const struct wire_hello example_hello = {
	.version = 1,
	.role = WIRE_ROLE_TCPCOPY,
	.worker_id = 3,
	.connection = 2,
	.instance_id = 0x0123456789abcdef,
};

static void assert_hello_equal(const struct wire_hello *a, const struct wire_hello *b)
{
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->worker_id, b->worker_id);
	assert_int_equal(a->features, b->features);
	assert_true(a->instance_id == b->instance_id);
	assert_int_equal(a->connection, b->connection);
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

/* Of a tcpcopy that knows of one connection only. */
static void hello_that_ends_before_the_connection_means_the_first(void **state)
{
	struct bytes b = documented("hello-tcpcopy");
	struct wire_message m;
	struct wire_hello read = {.connection = 9};

	(void)state;
	b.data[3]--;
	b.len--;
	m = message_of(&b);
	assert_int_equal(wire_get_hello(&read, &m), 0);
	assert_int_equal(read.connection, 0);
	assert_true(read.instance_id == example_hello.instance_id);
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

static const struct wire_path_mtu example_path_mtu = {
	.session_id = 7,
	.seq = 1101,
	.mtu_bytes = 1280,
	.len_bytes = 1500,
};

static void path_mtu_is_as_documented(void **state)
{
	struct wire_path_mtu read;
	struct wire_message m;
	struct bytes b;

	(void)state;
	WRITTEN(&b, wire_put_path_mtu(&w, &example_path_mtu));
	assert_written(&b, "path-mtu");
	m = message_of(&b);
	assert_int_equal(m.type, WIRE_PATH_MTU);
	assert_int_equal(wire_get_path_mtu(&read, &m), 0);
	assert_memory_equal(&read, &example_path_mtu, sizeof(read));
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
	case 9:
		wire_put_path_mtu(w, &example_path_mtu);
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
		cmocka_unit_test(hello_that_ends_before_the_connection_means_the_first),
		cmocka_unit_test(refusal_is_as_documented),
		cmocka_unit_test(refusal_text_is_sanitised_and_cut),
		cmocka_unit_test(refusal_of_the_longest_text_survives),
		cmocka_unit_test(heartbeat_is_as_documented),
		cmocka_unit_test(register_is_as_documented_in_both_families),
		cmocka_unit_test(register_of_wrong_family_or_port_is_refused),
		cmocka_unit_test(session_id_messages_are_as_documented),
		cmocka_unit_test(urgency_is_as_documented_and_nothing_between),
		cmocka_unit_test(path_mtu_is_as_documented),
		cmocka_unit_test(encoder_without_room_writes_nothing),
		cmocka_unit_test(refusal_reasons_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
