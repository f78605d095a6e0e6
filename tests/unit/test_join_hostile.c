/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_join_hostile.c - joining when the capture, the network or a stranger does its worst: what is taken for the
 * beginning of a request, what a lost connection believes, what is held and for how long. In virtual time.
 */
#include <inttypes.h>

#include "tests/unit/replay_fixture.h"

enum { HALF_OPEN_BUDGET = 1024 }; /* of 4096 sessions */

static const struct ledger_sessions *sessions(const struct fixture *f)
{
	return &account_of(f, 0)->sessions;
}

static void target_accepts(struct fixture *f)
{
	f->at = f->faked_count - 1;
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
}

/* One request was answered, the next was not captured. */
static void with_a_gap(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "GET /1");
	target_says(f, "P. 1:301(300) ack 7");
}

/* ---- what is a boundary ---- */

static void segment_behind_a_gap_in_the_same_write_is_none(void **state)
{
	struct fixture *f = *state;

	with_a_gap(f);
	client_says(f, ". 13:1473(1460) ack 301"); /* [7, 13) was not captured */
	pass_ms(f, 3100);
	ignore_sent(f);
	client_says(f, ". 1473:2933(1460) ack 601"); /* the same write goes on */
	expect_nothing(f);
}

static void request_behind_a_gap_is_judged_by_the_segment_before_it(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, ". 1:7(6) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	client_data(f, 13, 301, "GET /2"); /* [7, 13) was not captured */
	pass_ms(f, 3100);
	ignore_sent(f);
	client_data(f, 19, 601, "GET /3");
	expect_segment(f, "S 0:0(0)");
}

/* The ACK advanced with the header; the body that follows says nothing new. */
static void body_behind_its_header_is_none(void **state)
{
	struct fixture *f = *state;

	client_data(f, 501, 900, "GET /before");
	client_says(f, ". 512:1972(1460) ack 900");
	client_data(f, 1972, 1200, "POST /1");
	client_data(f, 1979, 1200, "body");
	expect_nothing(f);
}

static void session_does_not_go_on_with_a_body(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	client_says(f, ". 7:1467(1460) ack 1");
	client_data(f, 1467, 301, "header");
	client_data(f, 1473, 301, "body");
	target_says(f, "P. 1:301(300) ack 7");
	target_says(f, "P. 301:601(300) ack 1473");
	ignore_sent(f);
	target_says(f, "R 601:601(0)");
	expect_nothing(f);
}

/* A pool connects ahead; its target has another idle limit. */
static void first_request_is_one(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "F. 1:1(0) ack 1");
	pass_ms(f, 5000);
	ignore_sent(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 2");
	target_says(f, "R 2:2(0)");
	expect_segment(f, "S 0:0(0)");
	target_accepts(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, ". 1:1(0) ack 7");
	assert_int_equal(stream(f)->delivered.requests, 1);
}

/* ---- a lost connection ---- */

static void stray_end_does_not_stop_it_from_being_joined(void **state)
{
	static const char *const stray[] = {
		"R 77777777:77777777(0)",
		"F. 400:400(0) ack 900",
		"P. 900000000:900000001(1) ack 900",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stray) / sizeof(stray[0]); i++) {
		struct fixture *f = fixture_new(&(struct fixture_config){0});

		client_data(f, 501, 900, "GET /before");
		client_says(f, stray[i]);
		client_data(f, 512, 1200, "GET /1");
		if (f->sent_count == 0) { /* its end came true: then it is found anew */
			pass_ms(f, 1100);
			client_data(f, 518, 1500, "GET /2");
			client_data(f, 524, 1800, "GET /3");
		}
		expect_segment(f, "S 0:0(0)");
		ignore_sent(f);
		fixture_free(f);
	}
}

/* A burst of lost frames: nothing near comes any more, what is far goes on. */
static void gap_beyond_any_window_is_a_gap(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 7 + (17 << 20), ack = 601;

	with_a_gap(f);
	for (int i = 0; i < 10; i++, at += 6, ack += 300) {
		client_data(f, at, ack, "GET /2");
		pass_ms(f, 1000);
	}
	assert_int_equal(sessions(f)->rejoined, 1);
	ignore_sent(f);
}

static void one_stray_packet_beyond_any_window_is_none(void **state)
{
	struct fixture *f = *state;

	with_a_gap(f);
	pass_ms(f, 50);
	ignore_sent(f);
	client_data(f, 7 + (17 << 20), 601, "forged");
	pass_in_silence(f, 10000);
	client_data(f, 7, 301, "GET /2");
	expect_segment(f, "P. 7:13(6) ack 301");
}

/* Its client has ended and said so: there is nothing to wait for. */
static void connection_that_ended_behind_a_gap_goes_soon(void **state)
{
	struct fixture *f = *state;

	with_a_gap(f);
	client_data(f, 13, 601, "GET /3");
	client_says(f, "F. 19:19(0) ack 901");
	server_says(f, "F. 901:901(0) ack 20");
	client_says(f, ". 20:20(0) ack 902");
	pass_ms(f, 10000);
	ignore_sent(f);
	assert_int_equal(replay_connections(f->replay), 0);
}

static void last_segment_of_an_unknown_connection_goes_soon(void **state)
{
	struct fixture *f = *state;

	client_says(f, "FP. 100:110(10) ack 1");
	pass_ms(f, 5000);
	assert_int_equal(replay_connections(f->replay), 0);
}

static void ports_reused_without_a_copy_do_not_fill_the_table(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.max_sessions = 64, .no_link = true});

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		f->client_isn += 100000;
		client_says(f, "S 0:0(0)");
		client_says(f, "P. 1:5(4) ack 1");
		pass_ms(f, 1000);
	}
	assert_int_equal(f->notice_count, 0);
	assert_in_range(replay_connections(f->replay), 1, 3);
	fixture_free(f);
}

static void preconnected_connection_that_was_not_copied_is_remembered(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.no_link = true});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1400>");
	server_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	replay_on_links(f->replay, 1, f->now_us);
	pass_ms(f, 90000);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "S 0:0(0) <mss 1400>");
	fixture_free(f);
}

/* ---- several targets ---- */

static void silent_target_does_not_keep_another_from_being_joined(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080"}});
	struct ip_addr first_target = addr_of("10.1.0.1");

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	for (f->at = 0; f->at < 2; f->at++)
		target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	client_data(f, 1, 1, "GET /1");
	f->at = ip_addr_equal(&f->faked[0].response.src.addr, &first_target) ? 0 : 1;
	target_says(f, "P. 1:301(300) ack 7"); /* the other says nothing */
	client_data(f, 13, 601, "GET /3");     /* a gap */
	pass_ms(f, 3100);
	client_data(f, 19, 901, "GET /4");
	client_data(f, 25, 1201, "GET /5");
	assert_int_equal(sessions(f)->rejoined, 1);
	ignore_sent(f);
	fixture_free(f);
}

/* ---- what is held, and for how long ---- */

/* The session is joined in the very batch that ended the one before. */
static void joined_session_is_ended_by_silence(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	target_says(f, ". 1:1(0) ack 7");
	client_data(f, 13, 601, "GET /3");
	client_says(f, ". 19:19(0) ack 901");
	pass_ms(f, 3100);
	f->hold = true;
	target_says(f, "R. 1:1(0) ack 7");
	f->hold = false;
	client_data(f, 19, 1201, "GET /4");
	target_accepts(f);
	target_says(f, "P. 1:301(300) ack 7");
	pass_ms(f, UINT64_C(22000000));
	ignore_sent(f);
	assert_int_equal(fixture_registered(f), 0);
}

/* A capture that loses packets says so, and does not blame the target for what waits behind them. */
static void many_writes_behind_a_hole_show_a_gap(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	for (unsigned i = 0; i < 1100; i++)
		client_data(f, 13 + 6 * i, 301, "GET /3");
	assert_int_equal(stream(f)->dropped[DROP_BACKLOG].bytes, 0);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 6600);
	target_says(f, "P. 1:301(300) ack 7");
	expect_segment(f, "R. 7:7(0) ack 301");
	assert_int_equal(stream(f)->delivered.bytes, 6);
}

static void bytes_behind_a_hole_go_with_the_connection_that_was_given_up(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.whole_only = true});
	size_t before;

	(void)state;
	session_established(f);
	before = replay_memory(f->replay);
	client_bytes(f, 1, 1, 1000);
	for (unsigned i = 0; i < 300;
	     i++) { /* until the backlog is full: one write, so one range */
		char line[FIXTURE_LINE_MAX];
		uint32_t at = 3001 + i * 60000;

		snprintf(line, sizeof(line), ". %" PRIu32 ":%" PRIu32 "(60000) ack 1", at,
			 at + 60000);
		client_says(f, line);
	}
	ignore_sent(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_true(stream(f)->dropped[DROP_BACKLOG].bytes > 0);
	assert_in_range(replay_memory(f->replay), 0, before + (1 << 20));
	fixture_free(f);
}

/* What a target leaves unanswered is given up turn by turn, but not for hours. */
static void target_that_never_answers_is_not_begun_again_for_ever(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_established(f);
	for (uint32_t i = 0; i < 100; i++)
		client_data(f, 1 + 6 * i, 1 + 300 * i, "GET /1");
	for (int i = 0; i < 10; i++) {
		f->at = f->faked_count - 1;
		target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
		target_says(f, ". 1:1(0) ack 7");
		pass_ms(f, 5100);
	}
	ignore_sent(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_in_range(sessions(f)->started, 2, 4);
	fixture_free(f);
}

/* ---- the half-open budget ---- */

static void flood_is_bounded_whatever_its_second_packet(void **state)
{
	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = 4096});
		size_t syns = 0;

		for (unsigned i = 0; i < 3000; i++) {
			be_client(f, i);
			client_says(f, kind == 0 ? "S 0:4(4)" : "S 0:0(0)");
			server_says(f, "S. 0:0(0) ack 1");
			if (kind == 1)
				client_says(f, ". 1:1(0) ack 77777777"); /* guessed */
			if (kind == 2)
				client_says(f, "P. 1:5(4) ack -77777777");
		}
		for (size_t i = 0; i < f->sent_count; i++)
			syns += f->sent[i].flags == TCP_SYN;
		assert_int_equal(syns, HALF_OPEN_BUDGET);
		ignore_sent(f);
		fixture_free(f);
	}
}

/* Data without a connection, from anybody: it takes no more than its part of the table, and honest clients are copied. */
static void packets_of_unknown_connections_do_not_fill_the_table(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = 4096});

	(void)state;
	be_client(f, 5000);
	client_says(f, "P. 1:6(5) ack 1");
	client_says(f, "P. 6:11(5) ack 1"); /* a second packet: it is followed */
	for (unsigned i = 0; i < 4500; i++) {
		be_client(f, i);
		client_says(f, "P. 1:5(4) ack 1");
	}
	assert_int_equal(replay_connections(f->replay), HALF_OPEN_BUDGET + 1);
	assert_int_equal(sessions(f)->not_started[DROP_LIMIT], 0);
	be_client(f, 5000);
	pass_ms(f, 10);
	client_says(f, "P. 11:16(5) ack 301");
	expect_segment(f, "S 0:0(0)");
	be_client(f, 5001);
	client_says(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0)");
	ignore_sent(f);
	fixture_free(f);
}

/* A late beginning that fails for another reason moves to that reason's count. */
static void connections_that_were_not_started_add_up(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = 4096});

	(void)state;
	for (unsigned i = 0; i <= HALF_OPEN_BUDGET; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0)");
	}
	assert_int_equal(sessions(f)->not_started[DROP_LIMIT], 1);
	replay_on_links(f->replay, 0, f->now_us);
	client_says(f, ". 1:1(0) ack 1");
	assert_int_equal(sessions(f)->not_started[DROP_LIMIT], 0);
	assert_int_equal(sessions(f)->not_started[DROP_NO_INTERCEPT], 1);
	replay_on_links(f->replay, 1, f->now_us);
	client_says(f, "P. 1:5(4) ack 1");
	assert_int_equal(sessions(f)->not_started[DROP_NO_INTERCEPT], 0);
	assert_int_equal(sessions(f)->started, HALF_OPEN_BUDGET + 1);
	ignore_sent(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(segment_behind_a_gap_in_the_same_write_is_none),
		fixture_test(request_behind_a_gap_is_judged_by_the_segment_before_it),
		fixture_test(body_behind_its_header_is_none),
		fixture_test(session_does_not_go_on_with_a_body),
		fixture_test(first_request_is_one),
		cmocka_unit_test(stray_end_does_not_stop_it_from_being_joined),
		fixture_test(gap_beyond_any_window_is_a_gap),
		fixture_test(one_stray_packet_beyond_any_window_is_none),
		fixture_test(connection_that_ended_behind_a_gap_goes_soon),
		fixture_test(last_segment_of_an_unknown_connection_goes_soon),
		cmocka_unit_test(ports_reused_without_a_copy_do_not_fill_the_table),
		cmocka_unit_test(preconnected_connection_that_was_not_copied_is_remembered),
		cmocka_unit_test(silent_target_does_not_keep_another_from_being_joined),
		fixture_test(joined_session_is_ended_by_silence),
		fixture_test(many_writes_behind_a_hole_show_a_gap),
		cmocka_unit_test(bytes_behind_a_hole_go_with_the_connection_that_was_given_up),
		cmocka_unit_test(target_that_never_answers_is_not_begun_again_for_ever),
		cmocka_unit_test(flood_is_bounded_whatever_its_second_packet),
		cmocka_unit_test(packets_of_unknown_connections_do_not_fill_the_table),
		cmocka_unit_test(connections_that_were_not_started_add_up),
	};

	return cmocka_run_group_tests_name("joining, the worst", tests, NULL, NULL);
}
