/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_pauses.c - the circuit breaker: when the copy pauses and goes on, what replay asks to be woken for, and whom a pause concerns: one target's
 * silence is not another's, and what is due by the clock alone is asked for. In virtual time.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/breaker.h"

static size_t notices(const struct fixture *f, enum replay_notice which)
{
	size_t n = 0;

	for (size_t i = 0; i < f->notice_count; i++)
		n += f->notices[i] == which;
	return n;
}

static void clients_connect(struct fixture *f, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
}

/* SYNs that have gone to this target. */
static size_t syns_to(const struct fixture *f, const char *target)
{
	struct ip_addr addr = addr_of(target);
	size_t n = 0;

	for (size_t i = 0; i < f->sent_count; i++)
		n += f->sent[i].flags == TCP_SYN &&
		     ip_addr_equal(&f->sent[i].tuple.dst.addr, &addr);
	return n;
}

/* Another sender, the pause and its end: all of it is about the silent target alone. */
static void pause_of_one_target_moves_no_handshake_of_another(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:81-10.1.0.2:9090"}});

	(void)state;
	clients_connect(f, 0, 1); /* its SYN goes after 0, 1, 3 and 7 s */
	f->server = "10.0.0.2:81";
	pass_ms(f, 1200);
	clients_connect(f, 1, 16);
	pass_ms(f, 3200); /* paused */
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 1);
	assert_int_equal(notices(f, REPLAY_NOTICE_PAUSED), 1);
	f->at = 1;
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	assert_int_equal(notices(f, REPLAY_NOTICE_RESUMED), 1);
	pass_ms(f, 2500);
	assert_int_equal(syns_to(f, "10.1.0.1"), 3);
	pass_ms(f, 200);
	assert_int_equal(syns_to(f, "10.1.0.1"), 4);
	fixture_free(f);
}

static void second_silence_of_a_target_is_told_too(void **state)
{
	struct fixture *f = *state;

	clients_connect(f, 0, 1);
	pass_ms(f, 3100);
	assert_int_equal(notices(f, REPLAY_NOTICE_UNANSWERED), 1);
	target_says(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	clients_connect(f, 1, 1);
	pass_ms(f, 3100);
	assert_int_equal(notices(f, REPLAY_NOTICE_UNANSWERED), 2);
	ignore_sent(f);
}

/* The first SYNs are repeated after 1 s and 3 s; in between the breaker has something to decide. */
static void wake_up_is_asked_for_when_the_breaker_is_due(void **state)
{
	struct fixture *f = *state;
	uint64_t start_us = f->now_us;

	clients_connect(f, 0, 16);
	pass_ms(f, 1200);
	assert_true(replay_next_us(f->replay) <= start_us + BREAKER_TRY_IP_US);
	run_timers(f, replay_next_us(f->replay));
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 1);
	ignore_sent(f);
}

/* Nothing else is due: without a wake-up intercept would be hurried until the next packet. */
static void wake_up_is_asked_for_when_calm_may_be_announced(void **state)
{
	struct fixture *f = *state;
	uint64_t until_us;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET /");
	pass_ms(f, 5);
	target_says(f, "P. 1:101(100) ack 6");
	assert_true(f->urgent);
	target_says(f, "P. 101:301(200) ack 6");
	target_says(f, ". 301:301(0) ack 11");
	assert_true(f->urgent);
	until_us = f->now_us + 10000;
	while (f->urgent && replay_next_us(f->replay) <= until_us)
		run_timers(f, replay_next_us(f->replay));
	assert_false(f->urgent);
	ignore_sent(f);
}

/* ---- doubts about the way ---- */

static void timeout_in_silence_makes_the_way_doubtful(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 190);
	assert_int_equal(replay_take_doubts(f->replay), 0);
	pass_ms(f, 20);
	assert_int_equal(replay_take_doubts(f->replay), 1);
	assert_int_equal(replay_take_doubts(f->replay), 0); /* until the next timeout */
	pass_ms(f, 400);
	assert_int_equal(replay_take_doubts(f->replay), 1);
	ignore_sent(f);
}

static void syn_that_is_repeated_is_a_doubt_too(void **state)
{
	struct fixture *f = *state;

	clients_connect(f, 0, 1);
	pass_ms(f, 990);
	assert_int_equal(replay_take_doubts(f->replay), 0);
	pass_ms(f, 20);
	assert_int_equal(replay_take_doubts(f->replay), 1);
	ignore_sent(f);
}

static void timeout_while_the_target_speaks_is_a_loss_like_any_other(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 150);
	clients_connect(f, 1, 1);
	f->at = 1;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	pass_ms(f, 60);
	assert_int_equal(account_of(f, 0)->traffic.retransmit_timeouts, 1);
	assert_int_equal(replay_take_doubts(f->replay), 0);
	ignore_sent(f);
}

/* It cannot acknowledge what does not reach it; what it does not hear acknowledged it says again. */
static void target_that_only_repeats_itself_is_doubted(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	target_says(f, "P. 1:301(300) ack 6");
	client_data(f, 6, 301, "GET /");
	pass_ms(f, 150);
	target_says(f, "P. 1:301(300) ack 6");
	pass_ms(f, 60);
	assert_int_equal(account_of(f, 0)->traffic.retransmit_timeouts, 1);
	assert_int_equal(replay_take_doubts(f->replay), 1);
	ignore_sent(f);
}

static void another_targets_answers_do_not_vouch_for_this_one(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:81-10.1.0.2:9090"}});

	(void)state;
	f->server = "10.0.0.2:81";
	clients_connect(f, 0, 1);
	pass_ms(f, 950);
	f->server = "10.0.0.2:80";
	clients_connect(f, 1, 1);
	f->at = 1;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	pass_ms(f, 60);
	assert_int_equal(replay_take_doubts(f->replay), 2);
	fixture_free(f);
}

static void without_a_link_silence_is_no_doubt(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	replay_on_links(f->replay, 0, f->now_us);
	pass_ms(f, 5000);
	assert_int_equal(replay_take_doubts(f->replay), 0);
	ignore_sent(f);
}

/* ---- circuit breaker ---- */

static void silent_target_does_not_pause_another(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:9090"}});

	(void)state;
	clients_connect(f, 0, 1);
	f->at = 0;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>"); /* the first target answers, ... */
	clients_connect(f, 1, 16);
	pass_ms(f, 3100); /* ... the second never does, and now neither of them */
	assert_int_equal(notices(f, REPLAY_NOTICE_PAUSED), 2);
	f->at = 2;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	assert_int_equal(notices(f, REPLAY_NOTICE_RESUMED), 1);
	assert_true(replay_is_paused(f->replay)); /* the other still is */
	clients_connect(f, 100, 1);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_PAUSED], 0);
	assert_int_equal(account_of(f, 1)->sessions.not_started[DROP_PAUSED], 1);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 0); /* the sender is not to blame */
	fixture_free(f);
}

static void silent_target_pauses_the_copy(void **state)
{
	struct fixture *f = *state;

	clients_connect(f, 0, 16);
	pass_ms(f, 1490);
	assert_int_equal(f->notice_count, 0);
	pass_ms(f, 20);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 1);
	pass_ms(f, 1480);
	assert_false(replay_is_paused(f->replay));
	pass_ms(f, 20);
	assert_true(replay_is_paused(f->replay));
	assert_int_equal(notices(f, REPLAY_NOTICE_PAUSED), 1);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 1);
	clients_connect(f, 100, 1);
	client_data(f, 1, 1, "GET /");
	assert_int_equal(stream(f)->dropped[DROP_PAUSED].bytes, 5);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_PAUSED], 1);
}

static void paused_copy_tries_one_syn_a_second(void **state)
{
	struct fixture *f = *state;
	size_t count;

	clients_connect(f, 0, 50);
	pass_ms(f, 3100);
	assert_true(replay_is_paused(f->replay));
	ignore_sent(f);
	pass_ms(f, 20000);
	for (count = 0; count < f->sent_count; count++) {
		assert_int_equal(f->sent[count].flags, TCP_SYN);
		if (count)
			assert_true(f->sent[count].at_us - f->sent[count - 1].at_us >= 1000000);
	}
	assert_in_range(count, 9, 20);
	assert_int_equal(notices(f, REPLAY_NOTICE_PAUSED), 1);
}

static void answer_resumes_the_copy_and_all_held_syns_go(void **state)
{
	struct fixture *f = *state;
	size_t tried, count = 0;
	bool seen[50] = {false};
	const struct sent *s;

	clients_connect(f, 0, 50);
	pass_ms(f, 3100);
	ignore_sent(f);
	pass_ms(f, 5000);
	tried = f->sent_count;
	assert_in_range(tried, 3, 6);
	f->at = f->sent[tried - 1].faked;
	seen[f->at] = true;
	ignore_sent(f);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	assert_int_equal(notices(f, REPLAY_NOTICE_RESUMED), 1);
	assert_false(replay_is_paused(f->replay));
	expect_segment(f, ". 1:1(0) ack 1");
	pass_ms(f, 1200);
	while ((s = take_sent(f))) {
		if (s->flags == TCP_SYN && !seen[s->faked])
			count++;
		seen[s->faked] = true;
	}
	assert_in_range(count, 50 - tried - 1, 49);
}

/* The way may be at fault as long as nothing has ever come back by it. */
static void paused_copy_tries_both_ways_in_turn(void **state)
{
	struct fixture *f = *state;

	clients_connect(f, 0, 50);
	pass_ms(f, 3490);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 1);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_LINK), 0);
	pass_ms(f, 20);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_LINK), 1);
	for (int i = 0; i < 12 && notices(f, REPLAY_NOTICE_TRY_IP) < 2; i++)
		pass_ms(f, 1000);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 2);
	f->at = 7;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	ignore_sent(f);
	clients_connect(f, 100, 16);
	pass_ms(f, 60000);
	assert_int_equal(notices(f, REPLAY_NOTICE_PAUSED), 2);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 2); /* it has found its way */
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_LINK), 1);
	ignore_sent(f);
}

/* One that answered by ip says nothing for link: the other target may try ip as well. */
static void answer_by_ip_does_not_hold_another_target_to_link(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:81-10.1.0.2:9090"}});

	(void)state;
	clients_connect(f, 0, 16);
	pass_ms(f, 1600);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 1);
	f->at = 0;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	f->server = "10.0.0.2:81";
	clients_connect(f, 20, 16);
	pass_ms(f, 1600);
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 2);
	fixture_free(f);
}

static void few_unanswered_syns_are_told_once(void **state)
{
	struct fixture *f = *state;

	clients_connect(f, 0, 1);
	pass_ms(f, 2990);
	assert_int_equal(f->notice_count, 0);
	pass_ms(f, 20);
	assert_int_equal(notices(f, REPLAY_NOTICE_UNANSWERED), 1);
	pass_ms(f, 60000);
	assert_int_equal(f->notice_count, 1);
	assert_false(replay_is_paused(f->replay));
}

static void answered_target_is_not_paused(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	clients_connect(f, 1, 15);
	pass_ms(f, 2000);
	f->at = 3;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	clients_connect(f, 20, 15);
	pass_ms(f, 2500);
	assert_false(replay_is_paused(f->replay));
	assert_int_equal(f->notice_count, 0);
	pass_ms(f, 1000); /* but 3 s without any answer do it, and another sender is no help */
	assert_true(replay_is_paused(f->replay));
	assert_int_equal(notices(f, REPLAY_NOTICE_TRY_IP), 0);
}

static void refusing_target_does_answer(void **state)
{
	struct fixture *f = *state;

	clients_connect(f, 0, 20);
	pass_ms(f, 3100);
	assert_true(replay_is_paused(f->replay));
	f->at = 0;
	target_says(f, "R. 0:0(0) ack 1");
	assert_false(replay_is_paused(f->replay));
	assert_int_equal(notices(f, REPLAY_NOTICE_REFUSED), 1);
}

static void paused_copy_finds_its_way_back_when_no_session_is_left_to_try(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 10000000});

	(void)state;
	clients_connect(f, 0, 20);
	pass_ms(f, 60000);
	assert_true(replay_is_paused(f->replay));
	assert_int_equal(fixture_registered(f), 0);
	ignore_sent(f);
	clients_connect(f, 100, 1);
	expect_segment(f, "S 0:0(0)"); /* this one tries */
	clients_connect(f, 101, 5);
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 1);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	assert_false(replay_is_paused(f->replay));
	fixture_free(f);
}

static void client_that_gives_up_is_no_unanswered_target(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	pass_ms(f, 60000);
	assert_int_equal(f->notice_count, 0);
	assert_int_equal(replay_is_paused(f->replay), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_target_does_not_pause_another),
		fixture_test(silent_target_pauses_the_copy),
		fixture_test(paused_copy_tries_one_syn_a_second),
		fixture_test(answer_resumes_the_copy_and_all_held_syns_go),
		fixture_test(paused_copy_tries_both_ways_in_turn),
		cmocka_unit_test(answer_by_ip_does_not_hold_another_target_to_link),
		fixture_test(few_unanswered_syns_are_told_once),
		fixture_test(answered_target_is_not_paused),
		fixture_test(refusing_target_does_answer),
		cmocka_unit_test(paused_copy_finds_its_way_back_when_no_session_is_left_to_try),
		fixture_test(client_that_gives_up_is_no_unanswered_target),
		cmocka_unit_test(pause_of_one_target_moves_no_handshake_of_another),
		fixture_test(second_silence_of_a_target_is_told_too),
		fixture_test(wake_up_is_asked_for_when_the_breaker_is_due),
		fixture_test(wake_up_is_asked_for_when_calm_may_be_announced),
		fixture_test(timeout_in_silence_makes_the_way_doubtful),
		fixture_test(syn_that_is_repeated_is_a_doubt_too),
		fixture_test(timeout_while_the_target_speaks_is_a_loss_like_any_other),
		fixture_test(target_that_only_repeats_itself_is_doubted),
		cmocka_unit_test(another_targets_answers_do_not_vouch_for_this_one),
		fixture_test(without_a_link_silence_is_no_doubt),
	};

	return cmocka_run_group_tests_name("replay, pauses", tests, NULL, NULL);
}
