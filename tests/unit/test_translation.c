/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_translation.c - what intercept's -D and -n ask of the data path: answers from an address that
 * the target has elsewhere reach the peer that registered the one it knows; a message holds no more
 * records than it may.
 */
#include "intercept/translation.h"

#include "tests/unit/response_fixture.h"

static const char *undone(const char *seen, const struct translation *list, size_t count)
{
	static char text[ENDPOINT_TEXT_MAX];
	struct endpoint e = endpoint_at(seen);

	translation_undo(&e, list, count);
	return endpoint_format(text, sizeof(text), &e);
}

static struct translation pair(const char *seen, const char *original)
{
	return (struct translation){.seen = endpoint_at(seen), .original = endpoint_at(original)};
}

static void a_pair_with_ports_translates_that_port_alone(void **state)
{
	const struct translation list[] = {pair("172.17.0.2:80", "10.0.0.2:8080")};

	(void)state;
	assert_string_equal(undone("172.17.0.2:80", list, 1), "10.0.0.2:8080");
	assert_string_equal(undone("172.17.0.2:81", list, 1), "172.17.0.2:81");
	assert_string_equal(undone("172.17.0.3:80", list, 1), "172.17.0.3:80");
	assert_string_equal(undone("10.0.0.2:8080", list, 1), "10.0.0.2:8080");
	assert_string_equal(undone("172.17.0.2:80", list, 0), "172.17.0.2:80");
}

static void a_pair_without_ports_keeps_the_port(void **state)
{
	const struct translation list[] = {
		pair("172.17.0.2:0", "10.0.0.2:0"),
		pair("[fd00::2]:0", "[2001:db8::2]:0"),
	};

	(void)state;
	assert_string_equal(undone("172.17.0.2:80", list, 2), "10.0.0.2:80");
	assert_string_equal(undone("[fd00::2]:443", list, 2), "[2001:db8::2]:443");
}

static void a_pair_with_ports_goes_before_one_without(void **state)
{
	const struct translation list[] = {
		pair("172.17.0.2:0", "10.0.0.2:0"),
		pair("172.17.0.2:80", "10.0.0.9:8080"),
	};

	(void)state;
	assert_string_equal(undone("172.17.0.2:80", list, 2), "10.0.0.9:8080");
	assert_string_equal(undone("172.17.0.2:443", list, 2), "10.0.0.2:443");
}

static const char *done(const char *original, const struct translation *list, size_t count)
{
	static char text[ENDPOINT_TEXT_MAX];
	struct endpoint e = endpoint_at(original);

	translation_do(&e, list, count);
	return endpoint_format(text, sizeof(text), &e);
}

static void the_other_way_leads_back(void **state)
{
	const struct translation list[] = {
		pair("172.17.0.2:0", "10.0.0.2:0"),
		pair("172.17.0.3:80", "10.0.0.2:8080"),
	};

	(void)state;
	assert_string_equal(done("10.0.0.2:8080", list, 2), "172.17.0.3:80");
	assert_string_equal(done("10.0.0.2:443", list, 2), "172.17.0.2:443");
	assert_string_equal(done("10.0.0.9:8080", list, 2), "10.0.0.9:8080");
}

static struct fixture *fixture_with(const struct translation *list, size_t count, unsigned batch)
{
	const struct response_config config = {
		.key = {.k0 = 1, .k1 = 2},
		.limits = {.routes_max = 100, .peer_routes_max = 100},
		.batch_records = batch,
		.translations = list,
		.translation_count = count,
	};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->now_us = 1000000;
	f->r = response_new(&config, &effects, f, f->now_us);
	assert_non_null(f->r);
	assert_int_equal(peer_up(f), 0);
	return f;
}

static void answers_of_a_container_reach_the_session_of_the_published_address(void **state)
{
	const struct translation list[] = {pair("172.17.0.2:80", TARGET)};
	struct fixture *f = fixture_with(list, 1, 0);

	(void)state;
	register_session(f, 0, 7, TARGET, CLIENT);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501, .src = "172.17.0.2:80");
	FRAME(f, .flags = ".", .seq = 1001, .ack = 601, .src = "172.17.0.2:80");
	FRAME(f, .flags = ".", .seq = 1001, .ack = 701); /* translated back after all */
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .src = "172.17.0.2:81");
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500\n"
		  "0: 7 . 1001:1001(0) ack 601 win 500\n"
		  "0: 7 . 1001:1001(0) ack 701 win 500\n");
	assert_int_equal(counters(f).unrouted, 1);
	fixture_free(f);
}

/* Captured on the bridge, and once more, translated and routed, on the way out. */
static void an_answer_seen_on_both_sides_of_the_translation_is_one(void **state)
{
	const struct translation list[] = {pair("172.17.0.2:80", TARGET)};
	struct fixture *f = fixture_with(list, 1, 0);

	(void)state;
	register_session(f, 0, 7, TARGET, CLIENT);
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .ttl = 64, .src = "172.17.0.2:80");
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .ttl = 63);
	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n");
	assert_int_equal(counters(f).duplicate, 1);
	fixture_free(f);
}

static void a_syn_ack_that_overtook_its_registration_is_translated_too(void **state)
{
	const struct translation list[] = {pair("172.17.0.2:80", TARGET)};
	struct fixture *f = fixture_with(list, 1, 0);

	(void)state;
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501, .src = "172.17.0.2:80");
	register_session(f, 0, 7, TARGET, CLIENT);
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500\n");
	fixture_free(f);
}

static void a_message_holds_no_more_records_than_asked_for(void **state)
{
	struct fixture *f = fixture_with(NULL, 0, 2);
	unsigned messages = 0, records = 0;
	struct wire_record_cursor cursor;
	struct wire_record record;
	struct wire_message m;
	const uint8_t *data;
	size_t len, at = 0;
	long n;

	(void)state;
	register_session(f, 0, 7, TARGET, CLIENT);
	f->slow[0] = true;
	for (uint32_t i = 0; i < 5; i++)
		FRAME(f, .flags = ".", .seq = 1000, .ack = i);
	response_flush(f->r, f->now_us);
	data = response_output(f->r, 0, &len);
	while (at < len && (n = wire_next(&m, data + at, len - at)) > 0) {
		unsigned in_message = 0;

		at += (size_t)n;
		if (m.type != WIRE_RESPONSES)
			continue;
		assert_int_equal(wire_records_open(&cursor, &m), 0);
		while (wire_records_next(&cursor, &record) == 1)
			assert_int_equal(record.ack, records + in_message++);
		assert_true(in_message <= 2);
		records += in_message;
		messages++;
	}
	assert_int_equal(records, 5);
	assert_int_equal(messages, 3);
	fixture_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_with_ports_translates_that_port_alone),
		cmocka_unit_test(a_pair_without_ports_keeps_the_port),
		cmocka_unit_test(a_pair_with_ports_goes_before_one_without),
		cmocka_unit_test(the_other_way_leads_back),
		cmocka_unit_test(answers_of_a_container_reach_the_session_of_the_published_address),
		cmocka_unit_test(an_answer_seen_on_both_sides_of_the_translation_is_one),
		cmocka_unit_test(a_syn_ack_that_overtook_its_registration_is_translated_too),
		cmocka_unit_test(a_message_holds_no_more_records_than_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
