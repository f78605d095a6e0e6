/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_online_accounts.c - what is captured of a connection is counted once, and only what belongs to
 * it counts: repetitions, forged answers, a life full of reordering. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

/* -O, and older than the copy: followed only to be counted. */
static void bytes_of_an_uncopied_connection_count_once(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.whole_only = true});

	(void)state;
	client_says(f, "P. 501:601(100) ack 1");
	client_says(f, "P. 551:651(100) ack 1"); /* half of it is new */
	client_says(f, "P. 501:651(150) ack 1");
	assert_int_equal(stream(f)->captured.bytes, 150);
	assert_int_equal(stream(f)->captured.requests, 1);
	assert_int_equal(stream(f)->dropped[DROP_BEFORE_JOIN].bytes, 150);
	expect_nothing(f);
	fixture_free(f);
}

static void repeated_reset_after_the_fin_is_a_duplicate(void **state)
{
	struct fixture *f = *state;
	uint64_t duplicates;

	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	client_says(f, "R 2:2(0)");
	duplicates = fate(f, PACKET_FATE_DUPLICATE);
	client_says(f, "R 2:2(0)");
	client_says(f, "R 2:2(0)");
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), duplicates + 2);
	ignore_sent(f);
}

/* It would set from where answers are counted: the first request would wait for a thousand bytes. */
static void forged_syn_ack_of_the_server_tells_nothing(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	server_says(f, "S. -1000:-1000(0) ack 77");
	server_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
}

/* A container's veth, its bridge and the uplink: each device shows every packet, and none may count twice. */
static void packets_seen_on_three_devices_are_used_once(void **state)
{
	static const char *const server[] = {"S. 0:0(0) ack 1", "F. 1000:1000(0) ack 12"};
	static const char *const client[] = {"S 0:0(0) <mss 1460>", ". 1:1(0) ack 1",
					     "P. 1:11(10) ack 1", ". 11:11(0) ack 1000",
					     "F. 11:11(0) ack 1000"};
	enum { DEVICES = 3, PACKETS = 7 };
	struct fixture *f = *state;

	for (int i = 0; i < DEVICES; i++)
		client_says(f, client[0]);
	for (int i = 0; i < DEVICES; i++)
		server_says(f, server[0]);
	for (size_t k = 1; k < sizeof(client) / sizeof(client[0]); k++)
		for (int i = 0; i < DEVICES; i++)
			client_says(f, client[k]);
	for (int i = 0; i < DEVICES; i++)
		server_says(f, server[1]);
	assert_int_equal(fate(f, PACKET_FATE_USED), PACKETS);
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), PACKETS * (DEVICES - 1));
	assert_int_equal(stream(f)->captured.requests, 1);
	assert_int_equal(stream(f)->captured.bytes, 10);
	assert_int_equal(fixture_registered(f), 1);
	ignore_sent(f);
}

/* More than may be open at once, each of them filled. */
static void connection_may_reorder_all_its_life(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 1;

	session_established(f);
	for (int i = 0; i < 1000; i++) {
		char text[64];

		client_bytes(f, at + 10, 1, 10);
		client_bytes(f, at, 1, 10);
		at += 20;
		snprintf(text, sizeof(text), ". 1:1(0) ack %u", at);
		target_says(f, text);
	}
	assert_int_equal(stream(f)->delivered.bytes, 20 * 1000);
	assert_int_equal(fixture_registered(f), 1);
	ignore_sent(f);
}

/*
 * Behind a gap, with one session gone and another still at work: a request would be a place to begin
 * again, but the stream before it is still needed.
 */
static void connection_is_not_followed_anew_while_a_session_still_delivers(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:9090"}});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	for (f->at = 0; f->at < 2; f->at++)
		target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	client_data(f, 1, 1, "GET /1");
	f->at = 0;
	target_says(f, "R. 1:1(0) ack 7");
	client_data(f, 17, 601, "GET /3"); /* what came before it was not captured */
	pass_ms(f, 3100);
	f->at = 1;
	target_says(f, ". 1:1(0) ack 4"); /* slow, but not stuck */
	client_data(f, 23, 901, "GET /4");
	client_data(f, 29, 1201, "GET /5");
	assert_int_equal(fixture_registered(f), 1);
	ignore_sent(f);
	target_says(f, "P. 1:301(300) ack 7");
	pass_ms(f, 1100); /* the end keeps the client's pace */
	expect_segment(f, "R. 7:7(0) ack 301");
	assert_int_equal(account_of(f, 1)->stream.delivered.bytes, 6);
	client_data(f, 35, 1501, "GET /6"); /* now both are */
	expect_segment(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0)");
	expect_nothing(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_an_uncopied_connection_count_once),
		fixture_test(repeated_reset_after_the_fin_is_a_duplicate),
		fixture_test(forged_syn_ack_of_the_server_tells_nothing),
		fixture_test(packets_seen_on_three_devices_are_used_once),
		fixture_test(connection_may_reorder_all_its_life),
		cmocka_unit_test(connection_is_not_followed_anew_while_a_session_still_delivers),
	};

	return cmocka_run_group_tests_name("online, accounts", tests, NULL, NULL);
}
