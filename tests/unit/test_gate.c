/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_gate.c - when a turn is said: never before the target has answered what the client had
 * waited for, and without any delay once it has. Requests are "GET /", answers online 300 bytes.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/session.h"

static const struct ledger_traffic *traffic(const struct fixture *f)
{
	return &account_of(f, 0)->traffic;
}

/* One request is out, the client has had its answer and has said the next. */
static void second_request_waits(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_data(f, 6, 301, "GET 2");
	expect_nothing(f);
}

static void next_request_waits_for_the_answer(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	pass_in_silence(f, 150);
	target_says(f, ". 1:1(0) ack 6");
	pass_in_silence(f, 9999); /* acknowledged is not answered */
}

static void identical_answer_opens_at_once(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
	expect_payload(f, "GET 2");
	expect_nothing(f);
	assert_int_equal(traffic(f)->gates_by_answer, 1);
	assert_int_equal(traffic(f)->gates_by_settle, 0);
}

static void answer_in_pieces_opens_with_the_last_byte(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	target_says(f, ". 1:101(100) ack 6");
	target_says(f, ". 101:300(199) ack 6");
	expect_nothing(f);
	target_says(f, "P. 300:301(1) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
}

/* A target that has lost a packet sends one segment and waits for its ACK; 40 ms later the gate had settled. */
static void full_segment_of_an_answer_is_acknowledged_at_once(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 1501, "GET 2");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:1461(1460) ack 6");
	expect_segment(f, ". 6:6(0) ack 1461");
	pass_in_silence(f, 10);
	target_says(f, "P. 1461:1501(40) ack 6");
	expect_segment(f, "P. 6:11(5) ack 1501");
	assert_int_equal(traffic(f)->gates_by_settle, 0);
}

static void answer_that_came_before_the_request_was_captured_counts(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	pass_ms(f, 30);
	client_data(f, 6, 301, "GET 2");
	expect_segment(f, "P. 6:11(5) ack 301");
}

static void repeated_answer_counts_once(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	target_says(f, ". 1:201(200) ack 6");
	target_says(f, ". 1:201(200) ack 6");
	expect_segment(f, ". 6:6(0) ack 201"); /* repeated: acknowledged at once */
	pass_in_silence(f, 10);
	target_says(f, "P. 101:301(200) ack 6"); /* half of it new */
	expect_segment(f, "P. 6:11(5) ack 301");
}

static void gap_in_the_captured_answer_counts_as_answered(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	target_says(f, "P. 291:301(10) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
}

static void shorter_answer_with_push_opens_after_2_ms(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	target_says(f, "P. 1:201(200) ack 6");
	pass_us(f, 1900);
	expect_nothing(f);
	pass_us(f, 2200);
	expect_segment(f, "P. 6:11(5) ack 201");
	expect_nothing(f);
	assert_int_equal(traffic(f)->gates_by_settle, 1);
}

static void shorter_answer_without_push_opens_after_20_ms(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	target_says(f, ". 1:201(200) ack 6");
	pass_in_silence(f, 19);
	pass_ms(f, 4);
	expect_segment(f, "P. 6:11(5) ack 201");
}

static void each_byte_of_a_dribbling_answer_starts_the_silence_anew(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	for (unsigned i = 0; i < 10; i++) {
		char text[64];

		snprintf(text, sizeof(text), ". %u:%u(1) ack 6", 1 + i, 2 + i);
		target_says(f, text);
		pass_ms(f, 15);
		while (f->expected < f->sent_count) /* but for delayed acknowledgements */
			assert_int_equal(take_sent(f)->len_bytes, 0);
	}
	pass_ms(f, 8);
	expect_segment(f, "P. 6:11(5) ack 11");
}

static void silence_is_twice_the_round_trip_time(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_says(f, ". 1:1(0) ack 1");
	pass_ms(f, 100);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_data(f, 6, 301, "GET 2");
	pass_ms(f, 100);
	target_says(f, "P. 1:201(200) ack 6");
	pass_ms(f, 60);
	expect_segment(f, ". 6:6(0) ack 201");
	pass_in_silence(f, 135);
	pass_ms(f, 10);
	expect_segment(f, "P. 6:11(5) ack 201");
}

/* The target is late with its SYN-ACK: both turns are there, gap_ms apart, before the first is said. */
static void two_turns_backlogged(struct fixture *f, uint64_t gap_ms)
{
	session_syn_sent(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, gap_ms);
	client_data(f, 6, 301, "GET 2");
	pass_ms(f, 6900 - gap_ms); /* SYNs at 0, 1, 3 and 7 s: the RTT is not timed */
	ignore_sent(f);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_nothing(f);
}

static void settling_keeps_the_online_pace(void **state)
{
	struct fixture *f = *state;

	two_turns_backlogged(f, 500);
	pass_ms(f, 10);
	target_says(f, "P. 1:201(200) ack 6");
	pass_ms(f, 480);
	expect_segment(f, ". 6:6(0) ack 201");
	expect_nothing(f);
	pass_ms(f, 60); /* and the settle time, two round trips here */
	expect_segment(f, "P. 6:11(5) ack 201");
}

/* How long the client thought about its answer is nobody's pace. */
static void think_time_does_not_delay_settling(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 100);
	client_says(f, ". 6:6(0) ack 301"); /* the answer took so long */
	pass_ms(f, 5900);
	client_data(f, 6, 301, "GET 2");
	pass_ms(f, 900);
	ignore_sent(f);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:201(200) ack 6");
	pass_ms(f, 98);
	expect_segment(f, ". 6:6(0) ack 201");
	expect_nothing(f);
	pass_ms(f, 5);
	expect_segment(f, "P. 6:11(5) ack 201");
}

/* The target had the last part of the request only now: its silence begins now. */
static void settling_begins_when_the_target_has_the_whole_turn(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 2000);
	client_data(f, 2001, 301, "GET 2");
	ignore_sent(f);
	pass_ms(f, 10);
	target_says(f, "P. 1:11(10) ack 1461"); /* 100 Continue, say */
	pass_ms(f, 20);
	ignore_sent(f);
	target_says(f, ". 11:11(0) ack 2001");
	expect_nothing(f);
	target_says(f, "P. 11:301(290) ack 2001");
	expect_segment(f, "P. 2001:2006(5) ack 301");
	assert_int_equal(traffic(f)->gates_by_settle, 0);
}

/* ---- several requests open at a time ---- */

/* Acknowledged in the middle of a write: the client did not wait for it. */
static void acknowledgement_in_the_middle_of_a_write_begins_no_turn(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_says(f, ". 6:1466(1460) ack 1");
	client_says(f, ". 1466:2926(1460) ack 211");
	client_says(f, "P. 2926:3006(80) ack 212");
	ignore_sent(f);
	target_says(f, "P. 1:211(210) ack 6");
	target_says(f, "P. 211:212(1) ack 6");
	target_says(f, ". 212:212(0) ack 3006");
	assert_int_equal(stream(f)->delivered.bytes, 3005);
	assert_int_equal(stream(f)->captured.requests, 1);
}

/* A client that always has two requests open: the second answer is paid when it comes, early or not. */
static void answers_to_pipelined_requests_are_not_forgotten(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1");
	client_data(f, 6, 1, "GET 2");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_segment(f, "P. 6:11(5) ack 1");
	client_data(f, 11, 101, "GET 3"); /* after the first answer */
	client_data(f, 16, 201, "GET 4"); /* after the second */
	client_data(f, 21, 301, "GET 5");
	expect_nothing(f);
	target_says(f, "P. 1:201(200) ack 11"); /* both */
	expect_segment(f, "P. 11:16(5) ack 201");
	target_says(f, ". 201:201(0) ack 16");
	expect_segment(f, "P. 16:21(5) ack 201");
	target_says(f, ". 201:201(0) ack 21");
	expect_nothing(f);
	target_says(f, "P. 201:301(100) ack 21");
	expect_segment(f, "P. 21:26(5) ack 301");
	assert_int_equal(traffic(f)->gates_by_settle, 0);
}

/* Nothing showed that the client pipelines, and a message has no answer: the gate learns. */
static void early_answer_counts_after_a_long_silence(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1GET 2");
	client_data(f, 11, 101, "note");  /* never answered */
	client_data(f, 15, 201, "GET 3"); /* waits for the second answer, which was early */
	expect_segment(f, "P. 1:11(10) ack 1");
	target_says(f, "P. 1:201(200) ack 11");
	expect_segment(f, "P. 11:15(4) ack 201");
	target_says(f, ". 201:201(0) ack 15");
	pass_in_silence(f, 2900);
	pass_ms(f, 200);
	expect_segment(f, "P. 15:20(5) ack 201");
	assert_int_equal(traffic(f)->gates_by_settle, 1);
}

static void online_pace_does_not_delay_an_identical_answer(void **state)
{
	struct fixture *f = *state;

	two_turns_backlogged(f, 6000);
	pass_ms(f, 10);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
}

static void longer_answer_does_not_pay_for_the_next_turn(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	client_data(f, 11, 601, "GET 3");
	target_says(f, "P. 1:1001(1000) ack 6");
	expect_segment(f, "P. 6:11(5) ack 1001");
	expect_nothing(f);
	target_says(f, "P. 1001:1701(700) ack 6"); /* its tail, sent before turn 2 came */
	target_says(f, ". 1701:1701(0) ack 11");
	pass_ms(f, 50);
	expect_segment(f, ". 11:11(0) ack 1701");
	pass_in_silence(f, 2900); /* turn 2 has no answer at all yet */
	target_says(f, "P. 1701:2001(300) ack 11");
	expect_segment(f, "P. 11:16(5) ack 2001");
	expect_payload(f, "GET 3");
}

static void acknowledgement_must_cover_the_whole_turn_before(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 2000);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, "P. 1461:2001(540) ack 1");
	client_bytes(f, 2001, 301, 10);
	target_says(f, "P. 1:301(300) ack 1461"); /* an early answer, as to a bad request */
	pass_ms(f, 50);
	expect_segment(f, ". 2001:2001(0) ack 301");
	expect_nothing(f);
	target_says(f, ". 301:301(0) ack 2001");
	expect_segment(f, "P. 2001:2011(10) ack 301");
	expect_pattern(f, 2000);
}

static void pipelined_requests_go_together(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1");
	client_data(f, 6, 1, "GET 2");
	client_data(f, 11, 1, "GET 3");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_segment(f, "P. 6:11(5) ack 1");
	expect_segment(f, "P. 11:16(5) ack 1");
	client_data(f, 16, 901, "GET 4");
	target_says(f, ". 1:301(300) ack 16");
	target_says(f, ". 301:601(300) ack 16");
	expect_nothing(f);
	target_says(f, ". 601:901(300) ack 16");
	expect_segment(f, "P. 16:21(5) ack 901");
	assert_int_equal(account_of(f, 0)->stream.captured.requests, 2); /* turns */
}

static void rest_of_a_request_follows_without_waiting(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "POST /");
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, ". 1:1(0) ack 7");
	pass_ms(f, 100);
	client_data(f, 7, 1, "body");
	expect_segment(f, "P. 7:11(4) ack 1");
	assert_int_equal(account_of(f, 0)->stream.captured.requests, 1);
	client_data(f, 11, 301, "GET /");
	target_says(f, "P. 1:301(300) ack 7"); /* does not cover the body */
	expect_nothing(f);
	target_says(f, ". 301:301(0) ack 11");
	expect_segment(f, "P. 11:16(5) ack 301");
}

static void server_that_speaks_first(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, ". 1:1(0) ack 51");
	client_data(f, 1, 51, "EHLO");
	pass_in_silence(f, 150);
	target_says(f, "P. 1:51(50) ack 1");
	expect_segment(f, "P. 1:5(4) ack 51");
	expect_payload(f, "EHLO");
}

static void banner_may_come_before_the_client_answers_it(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, "P. 1:51(50) ack 1");
	pass_ms(f, 60);
	expect_segment(f, ". 1:1(0) ack 51");
	client_data(f, 1, 51, "EHLO");
	expect_segment(f, "P. 1:5(4) ack 51");
}

static void banner_of_another_length(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 51, "EHLO");
	target_says(f, "P. 1:41(40) ack 1");
	expect_nothing(f);
	pass_ms(f, 5);
	expect_segment(f, "P. 1:5(4) ack 41");
	client_data(f, 5, 151, "MAIL");
	target_says(f, "P. 41:941(900) ack 5");
	expect_segment(f, "P. 5:9(4) ack 941");
}

static void expect_100_continue(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "PUT /");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_data(f, 6, 26, "body");
	client_data(f, 10, 326, "GET /");
	expect_nothing(f);
	target_says(f, "P. 1:26(25) ack 6");
	expect_segment(f, "P. 6:10(4) ack 26");
	target_says(f, "P. 26:326(300) ack 10");
	expect_segment(f, "P. 10:15(5) ack 326");
}

/* The client spoke in the middle of an answer: what is left of it then counts for no turn. */
static void turn_amid_an_answer_costs_a_settle_at_most(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_data(f, 6, 101, "GET 2");
	client_data(f, 11, 601, "GET 3");
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
	target_says(f, "P. 301:601(300) ack 11");
	pass_ms(f, 5);
	expect_segment(f, "P. 11:16(5) ack 601");
}

static void fin_waits_for_the_answer(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_says(f, ". 6:6(0) ack 301");
	client_says(f, "F. 6:6(0) ack 301");
	pass_in_silence(f, 100);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "F. 6:6(0) ack 301");
	expect_nothing(f);
}

static void fin_of_a_client_that_did_not_wait_does_not(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_says(f, "F. 6:6(0) ack 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_segment(f, "F. 6:6(0) ack 1");
}

/* The client's acknowledgement of the server's FIN is no response byte. */
static void fin_after_the_servers_fin_needs_no_byte_too_many(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	server_says(f, "F. 301:301(0) ack 6");
	client_says(f, "F. 6:6(0) ack 302");
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "F. 6:6(0) ack 301");
	assert_int_equal(traffic(f)->gates_by_answer, 1);
}

static void request_and_fin_together_need_the_answer_before_them(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_says(f, "FP. 6:11(5) ack 301");
	expect_nothing(f);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "FP. 6:11(5) ack 301");
}

static void reset_keeps_its_place(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	client_says(f, "R. 11:11(0) ack 601");
	pass_in_silence(f, 100);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
	expect_nothing(f);
	target_says(f, ". 301:301(0) ack 11");
	expect_nothing(f); /* the client had seen the answer before it left */
	target_says(f, "P. 301:601(300) ack 11");
	expect_segment(f, "R. 11:11(0) ack 601");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->stream.delivered.requests, 2);
}

static void target_that_closes_opens_the_gate(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.whole_only = true});

	(void)state;
	second_request_waits(f);
	target_says(f, "F. 1:1(0) ack 6");
	expect_segment(f, "P. 6:11(5) ack 2");
	expect_nothing(f);
	assert_int_equal(traffic(f)->gates_by_close, 1);
	fixture_free(f);
}

static void backlogged_turns_are_said_one_by_one_in_order(void **state)
{
	struct fixture *f = *state;
	char text[64], request[8];

	session_syn_sent(f);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(request, sizeof(request), "GET%02u", i);
		client_data(f, 1 + i * 5, 1 + i * 300, request);
	}
	expect_nothing(f);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	for (unsigned i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "P. %u:%u(5) ack %u", 1 + i * 5, 6 + i * 5,
			 1 + i * 300);
		expect_segment(f, text);
		snprintf(request, sizeof(request), "GET%02u", i);
		expect_payload(f, request);
		expect_nothing(f);
		snprintf(text, sizeof(text), "P. %u:%u(300) ack %u", 1 + i * 300, 301 + i * 300,
			 6 + i * 5);
		target_says(f, text);
	}
	assert_int_equal(account_of(f, 0)->stream.delivered.requests, 50);
	assert_int_equal(traffic(f)->gates_by_answer, 49);
}

/* No request of the backlog may ride in a segment with the turn before it. */
static void retransmission_does_not_reach_over_a_closed_gate(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	pass_ms(f, 210);
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_payload(f, "GET /");
	target_says(f, ". 1:1(0) ack 1 x3");
	pass_ms(f, 400);
	expect_segment(f, "P. 1:6(5) ack 1");
	expect_nothing(f);
}

static void late_packet_with_an_older_view_waits_for_nothing_more(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	client_says(f, ". 11:11(0) ack 301"); /* a hole of 5 bytes, filled out of order */
	client_data(f, 6, 1, "part2");        /* sent before the client had seen anything */
	expect_segment(f, "P. 6:11(5) ack 301");
}

/* An acknowledgement of what cannot have been sent would need bytes that never come. */
static void impossible_acknowledgement_of_a_client_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	second_request_waits(f);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
	client_data(f, 11, 2000000000, "forged");
	expect_segment(f, "P. 11:17(6) ack 301");
	target_says(f, ". 301:301(0) ack 17");
	client_data(f, 17, 601, "GET 3");
	expect_nothing(f); /* and those after it still wait for theirs */
	target_says(f, "P. 301:601(300) ack 17");
	expect_segment(f, "P. 17:22(5) ack 601");
}

static void gate_of_one_target_does_not_open_that_of_another(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080"}});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0)");
	for (f->at = 0; f->at < 2; f->at++)
		target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET 2");
	ignore_sent(f);
	f->at = 0;
	target_says(f, "P. 1:301(300) ack 6");
	assert_int_equal(expect_segment(f, "P. 6:11(5) ack 301")->faked, 0);
	pass_ms(f, 150);
	expect_nothing(f);
	f->at = 1;
	target_says(f, "P. 1:101(100) ack 6");
	pass_ms(f, 41); /* twice an SRTT of 150 ms / 8 */
	assert_int_equal(expect_segment(f, "P. 6:11(5) ack 101")->faked, 1);
	fixture_free(f);
}

/* So many bytes of answer, here and online, that the numbers of the target are past half of their circle. */
static void download(struct fixture *f, uint64_t total)
{
	const uint32_t at_once = 512 << 10, seen_at_once = 256 << 20;
	char ack[64];

	f->mute = true;
	for (uint64_t said = 0; said < total; said += at_once) {
		struct wire_record r = record_of(f, f->at, "P. 1:1(0) ack 6");

		r.seq += (uint32_t)said;
		r.len_bytes = at_once;
		give_record(f, &r);
		pass_us(f, 100);
		if ((said + at_once) % seen_at_once == 0) {
			snprintf(ack, sizeof(ack), ". 6:6(0) ack %u",
				 (uint32_t)(said + at_once + 1));
			client_says(f, ack);
		}
	}
	f->mute = false;
}

/* A target that leaves a request unanswered has had its time, whatever it has said before. */
static void turn_without_an_answer_is_over_behind_any_download(void **state)
{
	const uint32_t total = UINT32_C(3) << 30;
	struct fixture *f = *state;
	struct wire_record r;

	session_established_wide(f);
	client_data(f, 1, 1, "GET 1");
	expect_segment(f, "P. 1:6(5) ack 1");
	download(f, total);
	client_data(f, 6, total + 1, "GET 2");
	r = record_of(f, f->at, ". 1:1(0) ack 11");
	r.seq += total;
	pass_ms(f, 1);
	give_record(f, &r);
	client_data(f, 11, total + 101, "GET 3");
	f->expected = f->sent_count;
	pass_ms(f, 1000);
	expect_nothing(f);
	pass_ms(f, 2100);
	assert_int_equal(f->sent_count, f->expected + 1);
	assert_int_equal(f->sent[f->expected].len_bytes, 5);
	f->expected = f->sent_count;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(next_request_waits_for_the_answer),
		fixture_test(identical_answer_opens_at_once),
		fixture_test(answer_in_pieces_opens_with_the_last_byte),
		fixture_test(full_segment_of_an_answer_is_acknowledged_at_once),
		fixture_test(answer_that_came_before_the_request_was_captured_counts),
		fixture_test(repeated_answer_counts_once),
		fixture_test(gap_in_the_captured_answer_counts_as_answered),
		fixture_test(shorter_answer_with_push_opens_after_2_ms),
		fixture_test(shorter_answer_without_push_opens_after_20_ms),
		fixture_test(each_byte_of_a_dribbling_answer_starts_the_silence_anew),
		fixture_test(silence_is_twice_the_round_trip_time),
		fixture_test(settling_keeps_the_online_pace),
		fixture_test(think_time_does_not_delay_settling),
		fixture_test(settling_begins_when_the_target_has_the_whole_turn),
		fixture_test(acknowledgement_in_the_middle_of_a_write_begins_no_turn),
		fixture_test(answers_to_pipelined_requests_are_not_forgotten),
		fixture_test(early_answer_counts_after_a_long_silence),
		fixture_test(online_pace_does_not_delay_an_identical_answer),
		fixture_test(longer_answer_does_not_pay_for_the_next_turn),
		fixture_test(acknowledgement_must_cover_the_whole_turn_before),
		fixture_test(pipelined_requests_go_together),
		fixture_test(rest_of_a_request_follows_without_waiting),
		fixture_test(server_that_speaks_first),
		fixture_test(banner_may_come_before_the_client_answers_it),
		fixture_test(banner_of_another_length),
		fixture_test(expect_100_continue),
		fixture_test(turn_amid_an_answer_costs_a_settle_at_most),
		fixture_test(fin_waits_for_the_answer),
		fixture_test(fin_of_a_client_that_did_not_wait_does_not),
		fixture_test(fin_after_the_servers_fin_needs_no_byte_too_many),
		fixture_test(request_and_fin_together_need_the_answer_before_them),
		fixture_test(reset_keeps_its_place),
		cmocka_unit_test(target_that_closes_opens_the_gate),
		fixture_test(backlogged_turns_are_said_one_by_one_in_order),
		fixture_test(retransmission_does_not_reach_over_a_closed_gate),
		fixture_test(late_packet_with_an_older_view_waits_for_nothing_more),
		fixture_test(impossible_acknowledgement_of_a_client_is_not_waited_for),
		cmocka_unit_test(gate_of_one_target_does_not_open_that_of_another),
		fixture_test(turn_without_an_answer_is_over_behind_any_download),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
