/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_close.c - the simulator's TCP endpoint, single packets: every way to close, and
 * TIME-WAIT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/tcp_fixture.h"

static void established_gets_fin(void **state)
{
	struct fixture *f = *state;

	established(f);
	in_out(f, "FP. 1001:1011(10) ack 5001", ". 5001:5001(0) ack 1012");
	expect_state(f, TCP_STATE_CLOSE_WAIT);
	expect_events(f, "peer closed,");
	say(f, 5);
	expect_only(f, "P. 5001:5006(5) ack 1012");
	/* "This should not occur since a FIN has been received [...]. Ignore the segment text." */
	in_silence(f, "P. 1012:1022(10) ack 5006");
	assert_int_equal(f->read_bytes, 10);
	tcp_close(f->t, f->now_us);
	expect_only(f, "F. 5006:5006(0) ack 1012");
	expect_state(f, TCP_STATE_LAST_ACK);
	in_silence(f, ". 1012:1012(0) ack 5006");
	expect_state(f, TCP_STATE_LAST_ACK);
	in_silence(f, ". 1012:1012(0) ack 5007");
	expect_state(f, TCP_STATE_CLOSED);
	expect_events(f, "closed,");
}

static void fin_wait_1_gets_fin(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_FIN_WAIT_1);
	in_out(f, "F. 1001:1001(0) ack 5001", ". 5002:5002(0) ack 1002");
	expect_state(f, TCP_STATE_CLOSING);
	/* "if the ACK acknowledges our FIN, then enter the TIME-WAIT state; otherwise, ignore" */
	in_silence(f, ". 1002:1002(0) ack 5001");
	expect_state(f, TCP_STATE_CLOSING);
	in_silence(f, ". 1002:1002(0) ack 5002");
	expect_state(f, TCP_STATE_TIME_WAIT);
}

/* "If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT" */
static void fin_wait_1_gets_fin_ack(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_FIN_WAIT_1);
	in_out(f, "F. 1001:1001(0) ack 5002", ". 5002:5002(0) ack 1002");
	expect_state(f, TCP_STATE_TIME_WAIT);
}

static void fin_wait_2_gets_text_then_fin(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_FIN_WAIT_2);
	in_out(f, "P. 1001:1011(10) ack 5002", ". 5002:5002(0) ack 1011");
	in_out(f, "F. 1011:1012(1) ack 5002", ". 5002:5002(0) ack 1013");
	expect_state(f, TCP_STATE_TIME_WAIT);
	expect_events(f, "peer closed,");
	assert_int_equal(f->read_bytes, 11);
}

/* A FIN behind a hole waits like the text before it. */
static void fin_out_of_order(void **state)
{
	struct fixture *f = *state;

	established(f);
	in_out(f, "F. 1011:1021(10) ack 5001", ". 5001:5001(0) ack 1001");
	in_out(f, "F. 1021:1021(0) ack 5001", ". 5001:5001(0) ack 1001");
	expect_state(f, TCP_STATE_ESTABLISHED);
	in_out(f, ". 1001:1011(10) ack 5001", ". 5001:5001(0) ack 1022");
	expect_state(f, TCP_STATE_CLOSE_WAIT);
	assert_int_equal(f->read_bytes, 20);
	expect_events(f, "peer closed,");
}

/* "trimming off any portions that lie outside the window (including SYN and FIN)" */
static void fin_beyond_window(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, "F. 1001:11001(10000) ack 5001", ". 5001:5001(0) ack 11001 win 0");
	expect_state(f, TCP_STATE_ESTABLISHED);
	in_out(f, "F. 11001:11001(0) ack 5001", ". 5001:5001(0) ack 11001 win 0");
	expect_state(f, TCP_STATE_ESTABLISHED);
	tcp_set_reading(f->t, f->now_us, true);
	expect_only(f, ". 5001:5001(0) ack 11001 win 10000");
	in_out(f, "F. 11001:11001(0) ack 5001", ". 5001:5001(0) ack 11002 win 9999");
	expect_state(f, TCP_STATE_CLOSE_WAIT);
}

/* "a retransmission of the remote FIN. Acknowledge it, and restart the 2 MSL timeout." */
static void time_wait_gets_fin_again(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_TIME_WAIT);
	pass_ms(f, 200000);
	in_out(f, "F. 1001:1001(0) ack 5002", ". 5002:5002(0) ack 1002");
	in_silence(f, ". 1002:1002(0) ack 5002");
	pass_ms(f, 239999);
	expect_state(f, TCP_STATE_TIME_WAIT);
	pass_ms(f, 1);
	expect_state(f, TCP_STATE_CLOSED);
	expect_events(f, "closed,");
	expect_nothing(f);
}

static void time_wait_of_no_time(void **state)
{
	struct fixture *f = *state;

	f->config.time_wait_us = 0;
	go_to(f, TCP_STATE_FIN_WAIT_2);
	in_out(f, "F. 1001:1001(0) ack 5002", ". 5002:5002(0) ack 1002");
	expect_state(f, TCP_STATE_CLOSED);
	expect_events(f, "peer closed,closed,");
}

/* RFC 1337, section 4: TIME-WAIT does not die of a reset. */
static void time_wait_ignores_reset(void **state)
{
	struct fixture *f = *state;

	f->config.time_wait_ignores_reset = true;
	go_to(f, TCP_STATE_TIME_WAIT);
	in_silence(f, "R 1002:1002(0)");
	expect_state(f, TCP_STATE_TIME_WAIT);
}

static void expect_reuse(struct fixture *f, const char *syn, bool may)
{
	in_silence(f, syn);
	assert_int_equal(f->verdict, may ? TCP_REOPEN : TCP_TAKEN);
	expect_state(f, TCP_STATE_TIME_WAIT);
}

/* RFC 6191, section 2, the second half: the previous incarnation had no timestamps. */
static void time_wait_without_timestamps_gets_syn(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_TIME_WAIT);
	expect_reuse(f, "S 1001:1001(0)", false); /* the number of its FIN */
	expect_reuse(f, "S 1002:1002(0)", true);
	expect_reuse(f, "S 2147484649:2147484649(0)", true);
	expect_reuse(f, "S 2147484650:2147484650(0)", false);
	f->config.use_timestamps = true;
	expect_reuse(f, "S 900:900(0) ts 1 0", true); /* "would be enabled" */
	f->config.time_wait_acks_old_syn = true;
	in_out(f, "S 900:900(0)", ". 5002:5002(0) ack 1002");
	f->config.reuse_time_wait = false;
	in_out(f, "S 2000:2000(0)", ". 5002:5002(0) ack 1002");
	assert_int_equal(f->verdict, TCP_TAKEN);
	assert_true((int32_t)(tcp_reopen_isn(f->t) - tcp_vars(f->t)->snd_nxt) > 0);
}

/* The first half: "greater than the last timestamp seen", "equal [...] and the Sequence Number" */
static void time_wait_with_timestamps_gets_syn(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	accept_syn(f, "S 1000:1000(0) ts 100 0");
	tcp_shutdown(f->t, f->now_us);
	in(f, ". 1001:1001(0) ack 5001 ts 110 1000");
	in(f, "F. 1001:1001(0) ack 5002 ts 120 1000");
	expect_state(f, TCP_STATE_TIME_WAIT);
	f->out_count = 0;
	expect_reuse(f, "S 500:500(0) ts 121 0", true);
	expect_reuse(f, "S 2000:2000(0) ts 120 0", true);
	expect_reuse(f, "S 500:500(0) ts 120 0", false);
	expect_reuse(f, "S 2000:2000(0) ts 119 0", false);
	expect_reuse(f, "S 2000:2000(0)", true);
	expect_reuse(f, "S 500:500(0)", false);
	tcp_drop(f->t, f->now_us);
	expect_nothing(f);
	expect_state(f, TCP_STATE_CLOSED);
}

/*
 * 3.6.1: CLOSE with "received data [...] still pending [...], or if new data is received after
 * CLOSE"
 */
static void close_with_unread_data(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, "P. 1001:1011(10) ack 5001", ". 5001:5001(0) ack 1011");
	tcp_close(f->t, f->now_us);
	expect_only(f, "R 5001:5001(0)");
	expect_events(f, "reset,closed,");
	assert_int_equal(f->read_bytes, 0);
}

static void data_after_close(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_close(f->t, f->now_us);
	expect_only(f, "F. 5001:5001(0) ack 1001");
	in_out(f, "P. 1001:1011(10) ack 5001", "R 5002:5002(0)");
	expect_events(f, "reset,closed,");
	tcp_free(f->t);

	f->config.reset_after_close = false; /* then it is taken and thrown away */
	established(f);
	tcp_close(f->t, f->now_us);
	expect_only(f, "F. 5001:5001(0) ack 1001");
	in_out(f, "P. 1006:1011(5) ack 5002", ". 5002:5002(0) ack 1001");
	in_out(f, "P. 1001:1006(5) ack 5002", ". 5002:5002(0) ack 1011");
	assert_int_equal(f->arrived_bytes, 10);
	assert_int_equal(f->read_bytes, 0);
	assert_int_equal(tcp_vars(f->t)->rcv_wnd,
			 9990); /* the edge stays until a whole MSS is gained */
	in_out(f, "F. 1011:1011(0) ack 5002", ". 5002:5002(0) ack 1012");
	expect_state(f, TCP_STATE_TIME_WAIT);
}

static void fin_wait_2_after_close_ends(void **state)
{
	struct fixture *f = *state;

	f->config.fin_wait_2_us = 60000000;
	established(f);
	tcp_close(f->t, f->now_us);
	expect_only(f, "F. 5001:5001(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5002");
	expect_state(f, TCP_STATE_FIN_WAIT_2);
	pass_ms(f, 59999);
	expect_state(f, TCP_STATE_FIN_WAIT_2);
	pass_ms(f, 1);
	expect_events(f, "closed,");
	tcp_free(f->t);

	go_to(f, TCP_STATE_FIN_WAIT_2); /* tcp_shutdown waits for ever */
	pass_ms(f, 600000);
	expect_state(f, TCP_STATE_FIN_WAIT_2);
	tcp_close(f->t, f->now_us);
	pass_ms(f, 59999);
	expect_state(f, TCP_STATE_FIN_WAIT_2);
	pass_ms(f, 1);
	expect_state(f, TCP_STATE_CLOSED);
}

/* RST,ACK as Linux sends it. */
static void abort_with_ack(void **state)
{
	struct fixture *f = *state;

	f->config.reset_with_ack = true;
	established(f);
	tcp_abort(f->t, f->now_us);
	expect_only(f, "R. 5001:5001(0) ack 1001");
}

/* What was not read is dropped, the window is open again, a second close says nothing. */
static void close_drops_unread_data(void **state)
{
	struct fixture *f = *state;
	size_t memory_bytes;

	f->config.reset_after_close = false;
	established(f);
	memory_bytes = tcp_memory_bytes(f->t);
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, "P. 1001:11001(10000) ack 5001", ". 5001:5001(0) ack 11001 win 0");
	assert_true(tcp_memory_bytes(f->t) > memory_bytes + 10000);
	tcp_close(f->t, f->now_us);
	expect_only(f, "F. 5001:5001(0) ack 11001 win 10000");
	assert_int_equal(tcp_memory_bytes(f->t), memory_bytes);
	tcp_close(f->t, f->now_us);
	tcp_shutdown(f->t, f->now_us);
	expect_nothing(f);
	assert_int_equal(f->read_bytes, 0);
}

static void abort_drops_unread_data(void **state)
{
	struct fixture *f = *state;
	size_t memory_bytes;

	established(f);
	memory_bytes = tcp_memory_bytes(f->t);
	tcp_set_read_pace(f->t, f->now_us, 10, 10000);
	in(f, "P. 1001:2001(1000) ack 5001");
	say(f, 10);
	assert_true(tcp_memory_bytes(f->t) > memory_bytes);
	tcp_abort(f->t, f->now_us);
	assert_int_equal(f->read_bytes, 0);
	assert_int_equal(tcp_memory_bytes(f->t), memory_bytes);
	expect_events(f, "closed,");
	expect_no_timer(f);
}

static void drop_says_nothing(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in(f, "P. 1001:2001(1000) ack 5001");
	f->out_count = 0;
	tcp_drop(f->t, f->now_us);
	expect_nothing(f);
	expect_events(f, "closed,");
	assert_int_equal(f->read_bytes, 0);
}

/* TIME-WAIT holds nothing but itself, and what a slow reader has not read. */
static void time_wait_with_slow_reader(void **state)
{
	struct fixture *f = *state;
	size_t memory_bytes;

	go_to(f, TCP_STATE_FIN_WAIT_2);
	memory_bytes = sizeof(struct tcp_vars);
	tcp_set_read_pace(f->t, f->now_us, 100, 10000);
	in(f, "F. 1001:1201(200) ack 5002");
	expect_state(f, TCP_STATE_TIME_WAIT);
	expect_events(f, "");
	pass_ms(f, 10);
	assert_int_equal(f->read_bytes, 100);
	pass_ms(f, 10);
	assert_int_equal(f->read_bytes, 200);
	expect_events(f, "peer closed,");
	assert_true(tcp_memory_bytes(f->t) > memory_bytes);
	assert_true(tcp_memory_bytes(f->t) < 1000);
}

/* The time-out of FIN-WAIT-2 is not one of FIN-WAIT-1. */
static void fin_wait_1_waits(void **state)
{
	struct fixture *f = *state;

	f->config.fin_wait_2_us = 1000000;
	established(f);
	tcp_set_read_pace(f->t, f->now_us, 10, 10000);
	tcp_close(f->t, f->now_us);
	pass_ms(f, 30000);
	expect_state(f, TCP_STATE_FIN_WAIT_1);
}

/* Nobody reads any more: what comes out of order leaves nothing behind. */
static void data_out_of_order_after_close(void **state)
{
	struct fixture *f = *state;
	size_t memory_bytes;

	f->config.reset_after_close = false;
	established(f);
	memory_bytes = tcp_memory_bytes(f->t);
	tcp_set_read_pace(f->t, f->now_us, 10, 10000);
	in(f, ". 1001:2001(1000) ack 5001");
	tcp_close(f->t, f->now_us);
	in(f, ". 3001:4001(1000) ack 5002");
	expect_no_timer(f);
	assert_true(tcp_memory_bytes(f->t) > memory_bytes + 1000);
	in(f, ". 5001:6001(1000) ack 5002");
	in(f, ". 2001:3001(1000) ack 5002");
	assert_true(tcp_memory_bytes(f->t) < memory_bytes + 2000);
	in(f, ". 4001:5001(1000) ack 5002");
	in(f, ". 6001:6501(500) ack 5002");
	assert_int_equal(tcp_memory_bytes(f->t), memory_bytes);
	assert_int_equal(tcp_vars(f->t)->arrived_bytes, 5500);
	assert_int_equal(f->read_bytes, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(established_gets_fin),
		CASE(fin_wait_1_gets_fin),
		CASE(fin_wait_1_gets_fin_ack),
		CASE(fin_wait_2_gets_text_then_fin),
		CASE(fin_out_of_order),
		CASE(fin_beyond_window),
		CASE(time_wait_gets_fin_again),
		CASE(time_wait_of_no_time),
		CASE(time_wait_ignores_reset),
		CASE(time_wait_without_timestamps_gets_syn),
		CASE(time_wait_with_timestamps_gets_syn),
		CASE(close_with_unread_data),
		CASE(data_after_close),
		CASE(fin_wait_2_after_close_ends),
		CASE(abort_with_ack),
		CASE(close_drops_unread_data),
		CASE(abort_drops_unread_data),
		CASE(drop_says_nothing),
		CASE(time_wait_with_slow_reader),
		CASE(fin_wait_1_waits),
		CASE(data_out_of_order_after_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
