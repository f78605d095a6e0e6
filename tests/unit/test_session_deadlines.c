/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_session_deadlines.c - deadlines that an ordinary event must not put off, and those that it
 * must: retransmission, delayed acknowledgement, back-off, -t. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

enum {
	SITE_CLIENTS = 16, /* as many unanswered SYNs open the breaker */
};

/* RFC 6298, section 5.1: the timer is started, not restarted, by what is sent. */
static void client_that_keeps_talking_does_not_put_off_a_retransmission(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	for (uint32_t i = 0; i < 4; i++) {
		client_bytes(f, 1 + 100 * i, 1, 100);
		pass_ms(f, 50);
	}
	ignore_sent(f);
	client_bytes(f, 401, 1, 100);
	pass_ms(f, 5);
	expect_segment(f, "P. 401:501(100) ack 1");
	expect_segment(f, "P. 1:501(500) ack 1");
	expect_pattern(f, 0);
}

/* RFC 9293, section 3.8.6.3: a delayed acknowledgement is delayed once. */
static void dribbling_answer_is_acknowledged_40_ms_after_its_first_byte(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:11(10) ack 6");
	pass_in_silence(f, 30);
	target_says(f, "P. 11:21(10) ack 6");
	pass_ms(f, 12);
	expect_segment(f, ". 6:6(0) ack 21");
	pass_in_silence(f, 100);
}

/* No answer for a long time, but the target takes what it is sent. */
static void acknowledgements_of_a_slow_upload_are_progress(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	(void)state;
	session_established(f);
	client_bytes(f, 1, 1, 14600);
	for (int i = 1; i <= 9; i++) {
		char ack[32];

		pass_ms(f, 3000);
		assert_int_equal(fixture_registered(f), 1);
		snprintf(ack, sizeof(ack), ". 1:1(0) ack %d", 1 + 1460 * i);
		target_says(f, ack);
	}
	assert_int_equal(stream(f)->delivered.bytes, 9 * 1460);
	pass_ms(f, 5100); /* and without: given up */
	assert_int_equal(fixture_registered(f), 0);
	fixture_free(f);
}

/* How many SYNs have gone out since the last time. */
static size_t take_syns(struct fixture *f)
{
	size_t syns = 0;

	for (size_t i = 0; i < f->sent_count; i++)
		syns += f->sent[i].flags == TCP_SYN;
	ignore_sent(f);
	return syns;
}

/* What the pause has cost is not to be paid for when it is over. */
static void handshakes_that_go_on_after_a_pause_begin_their_back_off_anew(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < SITE_CLIENTS; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	pass_ms(f, 60000);
	assert_true(replay_is_paused(f->replay));
	f->at = 0;
	ignore_sent(f);
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	assert_false(replay_is_paused(f->replay));
	assert_int_equal(take_syns(f), SITE_CLIENTS - 1); /* at once */
	pass_ms(f, 1100);
	assert_int_equal(take_syns(f), SITE_CLIENTS - 1);
	for (f->at = 1; f->at < SITE_CLIENTS; f->at++)
		target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	assert_int_equal(account_of(f, 0)->sessions.established, SITE_CLIENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(client_that_keeps_talking_does_not_put_off_a_retransmission),
		fixture_test(dribbling_answer_is_acknowledged_40_ms_after_its_first_byte),
		cmocka_unit_test(acknowledgements_of_a_slow_upload_are_progress),
		fixture_test(handshakes_that_go_on_after_a_pause_begin_their_back_off_anew),
	};

	return cmocka_run_group_tests_name("session, deadlines", tests, NULL, NULL);
}
