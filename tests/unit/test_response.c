/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_response.c - frames of the target on their way to the peer whose session they are: routing,
 * link types, duplicates, answers that overtook their registration, damaged frames.
 */
#include "tests/unit/response_fixture.h"

/* --- routing --- */

static void registered_syn_ack_is_reported_with_its_options(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501,
	      .options = "mss 1460,sackOK,TS val 11 ecr 22,nop,wscale 7");
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500 mss 1460 wscale 7 sackOK ts 11/22\n");
	assert_int_equal(f->writes, 1);
	fixture_free(f);
}

static void options_of_later_segments_are_timestamps_only(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501,
	      .options = "mss 1460,nop,nop,TS val 11 ecr 22");
	expect(f, "0: 7 . 1001:1001(0) ack 501 win 500 ts 11/22\n");
	fixture_free(f);
}

/* pitfall 3: header lengths come from the frame, and long options are not cut. */
static void pitfall_3_sack_and_timestamps_together_are_read_past(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 501, .payload_len_bytes = 1000,
	      .options = "nop,nop,TS val 11 ecr 22,nop,nop,"
			 "hex 051a00000001000000020000000300000004000000050000");
	expect(f, "0: 7 . 1001:2001(1000) ack 501 win 500 ts 11/22\n");
	fixture_free(f);
}

static void every_link_type_and_ipv6_are_routed(void **state)
{
	static const enum build_link links[] = {BUILD_ETHERNET, BUILD_SLL, BUILD_SLL2, BUILD_RAW};
	struct fixture *f = fixture_registered();

	(void)state;
	register_session(f, 0, 8, "[2001:db8::2]:8080", "[2001:db8:77::5]:40000");
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		FRAME(f, .link = links[i], .flags = ".", .seq = 1000 + (uint32_t)i, .ack = 1);
		FRAME(f, .link = links[i], .flags = ".", .seq = 2000 + (uint32_t)i, .ack = 1,
		      .src = "[2001:db8::2]:8080", .dst = "[2001:db8:77::5]:40000");
	}
	expect(f, "0: 7 . 1000:1000(0) ack 1 win 500\n0: 8 . 2000:2000(0) ack 1 win 500\n"
		  "0: 7 . 1001:1001(0) ack 1 win 500\n0: 8 . 2001:2001(0) ack 1 win 500\n"
		  "0: 7 . 1002:1002(0) ack 1 win 500\n0: 8 . 2002:2002(0) ack 1 win 500\n"
		  "0: 7 . 1003:1003(0) ack 1 win 500\n0: 8 . 2003:2003(0) ack 1 win 500\n");
	fixture_free(f);
}

static void packets_of_nobody_are_counted_and_forgotten(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .dst = "10.77.0.6:40000");
	FRAME(f, .flags = ".", .seq = 1, .ack = 1, .src = CLIENT, .dst = TARGET);
	expect(f, "");
	assert_int_equal(counters(f).unrouted, 2);
	assert_int_equal(counters(f).held, 0);
	fixture_free(f);
}

static void unregistered_session_gets_nothing_more(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1, .ack = 1);
	unregister_session(f, 0, 7);
	FRAME(f, .flags = ".", .seq = 1, .ack = 2);
	expect(f, "0: 7 . 1:1(0) ack 1 win 500\n");
	assert_int_equal(counters(f).routes, 0);
	fixture_free(f);
}

static void two_peers_get_their_own_in_one_write_each(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	assert_int_equal(peer_up(f), 1);
	register_session(f, 1, 7, TARGET, "10.77.0.6:40000");
	f->writes = 0;
	for (uint32_t i = 0; i < 3; i++) {
		FRAME(f, .flags = ".", .seq = 1, .ack = i);
		FRAME(f, .flags = ".", .seq = 9, .ack = i, .dst = "10.77.0.6:40000");
	}
	expect(f, "0: 7 . 1:1(0) ack 0 win 500\n0: 7 . 1:1(0) ack 1 win 500\n"
		  "0: 7 . 1:1(0) ack 2 win 500\n1: 7 . 9:9(0) ack 0 win 500\n"
		  "1: 7 . 9:9(0) ack 1 win 500\n1: 7 . 9:9(0) ack 2 win 500\n");
	assert_int_equal(f->writes, 2);
	fixture_free(f);
}

/* --- duplicates --- */

static void forwarded_copy_with_a_smaller_ttl_is_ignored(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 1, .ttl = 64, .ip_id = 0);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 1, .ttl = 63, .ip_id = 0);
	FRAME(f, .flags = "P.", .seq = 1001, .ack = 1, .ttl = 64, .ip_id = 5, .payload = "hello");
	FRAME(f, .flags = "P.", .seq = 1001, .ack = 1, .ttl = 63, .ip_id = 5, .payload = "hello");
	expect(f, "0: 7 S. 1000:1000(0) ack 1 win 500\n0: 7 P. 1001:1006(5) ack 1 win 500\n");
	assert_int_equal(counters(f).duplicate, 2);
	fixture_free(f);
}

static void packet_captured_twice_is_ignored_if_its_id_tells(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 5);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 5);
	expect(f, "0: 7 . 1001:1001(0) ack 1 win 500\n");
	assert_int_equal(counters(f).duplicate, 1);
	/* Genuine duplicate acknowledgements: other ids, or ids that tell nothing. */
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 6);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 7);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 0);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ip_id = 0);
	expect(f, "0: 7 . 1001:1001(0) ack 1 win 500 x4\n");
	assert_int_equal(counters(f).duplicate, 1);
	fixture_free(f);
}

static void smaller_ttl_alone_is_no_duplicate(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	FRAME(f, .flags = ".", .seq = 1001, .ack = 1, .ttl = 64);
	FRAME(f, .flags = ".", .seq = 1001, .ack = 2, .ttl = 63);
	FRAME(f, .flags = "P.", .seq = 1001, .ack = 2, .ttl = 62, .payload = "x");
	expect(f, "0: 7 . 1001:1001(0) ack 1 win 500\n0: 7 . 1001:1001(0) ack 2 win 500\n"
		  "0: 7 P. 1001:1002(1) ack 2 win 500\n");
	fixture_free(f);
}

static void only_the_very_same_packet_is_a_duplicate(void **state)
{
	static const struct {
		const char *why;
		struct frame_spec second;
	} cases[] = {
		{"seq", {.flags = "P.", .seq = 1101, .ack = 1, .ttl = 63, .ip_id = 5}},
		{"ack", {.flags = "P.", .seq = 1001, .ack = 2, .ttl = 63, .ip_id = 5}},
		{"flags", {.flags = "FP.", .seq = 1001, .ack = 1, .ttl = 63, .ip_id = 5}},
		{"IP id", {.flags = "P.", .seq = 1001, .ack = 1, .ttl = 63, .ip_id = 6}},
		{"a larger TTL", {.flags = "P.", .seq = 1001, .ack = 1, .ttl = 65, .ip_id = 5}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = fixture_registered();

		FRAME(f, .flags = "P.", .seq = 1001, .ack = 1, .ttl = 64, .ip_id = 5);
		frame(f, &cases[i].second);
		if (counters(f).duplicate)
			fail_msg("another %s is taken for a duplicate", cases[i].why);
		frame(f, &cases[i].second);
		if (!counters(f).duplicate)
			fail_msg("after another %s a duplicate is not known", cases[i].why);
		fixture_free(f);
	}
}

/* --- held answers --- */

static void syn_ack_that_overtook_its_registration_is_delivered(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	peer_up(f);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501, .options = "mss 1460", .ttl = 64);
	expect(f, "");
	assert_int_equal(counters(f).held, 1);
	f->now_us += 199 * 1000;
	register_session(f, 0, 7, TARGET, CLIENT);
	expect(f, "0: 7 S. 1000:1000(0) ack 501 win 500 mss 1460\n");
	assert_int_equal(counters(f).held, 0);
	/* Its forwarded copy is known. */
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501, .options = "mss 1460", .ttl = 63);
	expect(f, "");
	fixture_free(f);
}

static void rst_that_overtook_its_registration_is_delivered(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	peer_up(f);
	FRAME(f, .flags = "R.", .seq = 0, .ack = 501);
	register_session(f, 0, 7, TARGET, CLIENT);
	expect(f, "0: 7 R. 0:0(0) ack 501 win 500\n");
	fixture_free(f);
}

static void held_longer_than_200_ms_is_unrouted(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	peer_up(f);
	FRAME(f, .flags = "S.", .seq = 1000, .ack = 501);
	f->now_us += 200 * 1000;
	register_session(f, 0, 7, TARGET, CLIENT);
	expect(f, "");
	assert_int_equal(counters(f).unrouted, 1);
	assert_int_equal(counters(f).held, 0);
	fixture_free(f);
}

/* pitfall 25: an unmatched SYN-ACK must not cost memory without bound. */
static void pitfall_25_flood_of_unmatched_syn_acks_stays_bounded(void **state)
{
	struct fixture *f = fixture_new();
	size_t before = response_memory(f->r);
	char client[32];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(client, sizeof(client), "10.78.%u.%u:5000", i / 250, i % 250);
		FRAME(f, .flags = "S.", .seq = 1, .ack = 1, .dst = client);
		assert_true(counters(f).held <= 1024);
	}
	assert_int_equal(response_memory(f->r), before);
	assert_int_equal(counters(f).held + counters(f).unrouted, 5000);
	f->now_us += SECOND;
	response_flush(f->r, f->now_us);
	assert_int_equal(counters(f).unrouted, 5000);
	fixture_free(f);
}

/* --- hostile frames --- */

/* pitfall 6: a 14-byte frame crashed the classic one. */
static void pitfall_6_short_frames_are_counted(void **state)
{
	struct fixture *f = fixture_registered();
	struct built_frame b = build_frame(&(struct frame_spec){
		.src = TARGET, .dst = CLIENT, .flags = ".", .seq = 1, .ack = 1});

	(void)state;
	for (size_t len = 0; len < b.len_bytes; len++) {
		uint8_t *cut = malloc(len ? len : 1);

		memcpy(cut, b.data, len);
		response_on_frame(f->r, b.link_type, cut, len, b.len_bytes, f->now_us);
		free(cut);
	}
	expect(f, "");
	assert_int_equal(counters(f).frames, b.len_bytes);
	assert_int_equal(counters(f).captured, 0);
	built_frame_free(&b);
	fixture_free(f);
}

static void random_damage_is_counted_and_never_read_past(void **state)
{
	struct fixture *f = fixture_registered();
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct built_frame b = build_frame(&(struct frame_spec){
			.src = TARGET,
			.dst = CLIENT,
			.flags = "S.",
			.seq = 1,
			.ack = 1,
			.options = "mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7"});

		for (int k = 0; k < 3; k++) {
			seed = seed * 1664525 + 1013904223;
			b.data[(seed >> 8) % b.len_bytes] = (uint8_t)(seed >> 24);
		}
		response_on_frame(f->r, b.link_type, b.data, b.len_bytes, b.len_bytes, f->now_us);
		built_frame_free(&b);
		f->read[0] = '\0';
		response_flush(f->r, f->now_us);
	}
	assert_true(counters(f).malformed > 0);
	assert_true(counters(f).routed > 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registered_syn_ack_is_reported_with_its_options),
		cmocka_unit_test(options_of_later_segments_are_timestamps_only),
		cmocka_unit_test(pitfall_3_sack_and_timestamps_together_are_read_past),
		cmocka_unit_test(every_link_type_and_ipv6_are_routed),
		cmocka_unit_test(packets_of_nobody_are_counted_and_forgotten),
		cmocka_unit_test(unregistered_session_gets_nothing_more),
		cmocka_unit_test(two_peers_get_their_own_in_one_write_each),
		cmocka_unit_test(forwarded_copy_with_a_smaller_ttl_is_ignored),
		cmocka_unit_test(packet_captured_twice_is_ignored_if_its_id_tells),
		cmocka_unit_test(smaller_ttl_alone_is_no_duplicate),
		cmocka_unit_test(only_the_very_same_packet_is_a_duplicate),
		cmocka_unit_test(syn_ack_that_overtook_its_registration_is_delivered),
		cmocka_unit_test(rst_that_overtook_its_registration_is_delivered),
		cmocka_unit_test(held_longer_than_200_ms_is_unrouted),
		cmocka_unit_test(pitfall_25_flood_of_unmatched_syn_acks_stays_bounded),
		cmocka_unit_test(pitfall_6_short_frames_are_counted),
		cmocka_unit_test(random_damage_is_counted_and_never_read_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
