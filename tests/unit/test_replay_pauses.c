/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_pauses.c - what replay asks to be woken for, and whom a pause concerns: one target's
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

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET /");
	assert_true(f->urgent);
	target_says(f, "P. 1:301(300) ack 6");
	target_says(f, ". 301:301(0) ack 11");
	assert_true(f->urgent);
	assert_true(replay_next_us(f->replay) <= f->now_us + 10000);
	run_timers(f, replay_next_us(f->replay));
	assert_false(f->urgent);
	ignore_sent(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pause_of_one_target_moves_no_handshake_of_another),
		fixture_test(second_silence_of_a_target_is_told_too),
		fixture_test(wake_up_is_asked_for_when_the_breaker_is_due),
		fixture_test(wake_up_is_asked_for_when_calm_may_be_announced),
	};

	return cmocka_run_group_tests_name("replay, pauses", tests, NULL, NULL);
}
