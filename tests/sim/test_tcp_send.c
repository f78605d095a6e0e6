/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_send.c - the simulator's TCP endpoint, single packets: what it sends and when: windows,
 * probes, retransmission, congestion, keep-alive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/tcp_fixture.h"

/* "SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK), set SND.WND <- SEG.WND" */
static void window_updates(void **state)
{
	struct fixture *f = *state;

	established(f);
	say(f, 100);
	in(f, ". 1001:1011(10) ack 5051 win 700");
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 700);
	in(f, ". 1011:1011(0) ack 5051 win 800");
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 800);
	in(f, ". 1011:1011(0) ack 5051 win 600"); /* same numbers: the later counts */
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 600);
	in(f, ". 1005:1015(10) ack 5051 win 5"); /* older by its number, though it has new text */
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 600);
	in(f, ". 1005:1016(11) ack 5061 win 650"); /* ... but its ACK is news */
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 650);
	in(f, ". 1016:1016(0) ack 5101 win 900");
	in(f, ". 1016:1016(0) ack 5071 win 5"); /* older by its ACK */
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 900);
	assert_int_equal(tcp_vars(f->t)->max_snd_wnd, 8000);
}

/* Windows, MSS, PSH on the last of what there is, FIN with the last octet. */
static void sending(void **state)
{
	struct fixture *f = *state;

	established(f);
	in(f, ". 1001:1001(0) ack 5001 win 2500");
	say(f, 3000);
	expect(f, ". 5001:6001(1000) ack 1001");
	expect(f, ". 6001:7001(1000) ack 1001");
	expect_nothing(f); /* 500 would be a silly segment: 3.8.6.2.1 */
	in_silence(f, ". 1001:1001(0) ack 6001 win 1500");
	in_out(f, ". 1001:1001(0) ack 6001 win 2500", "P. 7001:8001(1000) ack 1001");
	tcp_shutdown(f->t, f->now_us);
	expect_only(f, "F. 8001:8001(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 8002 win 2500");
	expect_state(f, TCP_STATE_FIN_WAIT_2);
}

/* The FIN counts in the window as well. */
static void fin_waits_for_window(void **state)
{
	struct fixture *f = *state;

	established(f);
	in(f, ". 1001:1001(0) ack 5001 win 10");
	say(f, 10);
	expect_only(f, "P. 5001:5011(10) ack 1001");
	tcp_shutdown(f->t, f->now_us);
	expect_nothing(f);
	in_silence(f, ". 1001:1001(0) ack 5011 win 0");
	pass_ms(f, 1000); /* the FIN is the octet that probes */
	expect_only(f, "F. 5011:5011(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5011 win 0");
	in_out(f, ". 1001:1001(0) ack 5011 win 1", "F. 5011:5011(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5012 win 1");
	expect_state(f, TCP_STATE_FIN_WAIT_2);
}

/* tcp_write is bounded by the buffer; there is word when it may go on. */
static void send_buffer_is_bounded(void **state)
{
	struct fixture *f = *state;
	static const uint8_t bytes[3000];

	f->config.snd_buffer_bytes = 2000;
	established(f);
	f->is_wrong = false;
	assert_int_equal(tcp_write(f->t, f->now_us, bytes, 1500), 1500);
	assert_int_equal(tcp_write(f->t, f->now_us, bytes, 1500), 500);
	assert_int_equal(tcp_write(f->t, f->now_us, bytes, 1500), 0);
	f->is_wrong = false;
	expect_events(f, "");
	in(f, ". 1001:1001(0) ack 5501");
	expect_events(f, "writable,");
	in(f, ". 1001:1001(0) ack 7001");
	expect_events(f, "");
	assert_true(tcp_memory_bytes(f->t) < 4096 + 2000);
	tcp_shutdown(f->t, f->now_us);
	assert_int_equal(tcp_write(f->t, f->now_us, bytes, 1), 0);
	f->is_wrong = false;
}

/* 3.8.6.1: "at least one octet of new data"; the interval doubles; no end while it is answered */
static void zero_window_is_probed(void **state)
{
	struct fixture *f = *state;
	const char *probe = ". 5001:5002(1) ack 1001";
	uint64_t wait_ms = 1000;

	f->config.user_timeout_us = 100000000;
	established(f);
	in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	say(f, 300);
	expect_nothing(f);
	for (unsigned i = 0; i < 20; i++) {
		expect_at(f, wait_ms, probe);
		wait_ms = 2 * wait_ms < 60000 ? 2 * wait_ms : 60000;
		in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	}
	assert_int_equal(tcp_vars(f->t)->probes, 20);
	/* an ACK of ours carries SND.NXT, which the probe has not moved (appendix A.2) */
	in_out(f, "P. 1001:1011(10) ack 5001 win 0", ". 5001:5001(0) ack 1011");
	/* taken, but still closed */
	in_silence(f, ". 1011:1011(0) ack 5002 win 0");
	assert_int_equal(tcp_vars(f->t)->snd_nxt, 5002);
	expect_at(f, 1000, ". 5002:5003(1) ack 1011");
	in_out(f, ". 1011:1011(0) ack 5002 win 8000", "P. 5002:5301(299) ack 1011");
	in_silence(f, ". 1011:1011(0) ack 5301 win 8000");
	assert_true(tcp_next_us(f->t) == UINT64_MAX);
}

static void zero_window_unanswered(void **state)
{
	struct fixture *f = *state;

	f->config.user_timeout_us = 100000000;
	established(f);
	in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	pass_ms(f, 50000);
	say(f, 300);
	pass_ms(f, 99999);
	expect_events(f, "");
	pass_ms(f, 1);
	expect_events(f, "timed out,closed,");
}

/* As Linux probes: something old that must be answered. */
static void zero_window_probe_without_data(void **state)
{
	struct fixture *f = *state;

	f->config.probe_without_data = true;
	established(f);
	in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	say(f, 300);
	expect_at(f, 1000, ". 5000:5000(0) ack 1001");
	expect_at(f, 2000, ". 5000:5000(0) ack 1001");
	in_out(f, ". 1001:1001(0) ack 5001 win 8000", "P. 5001:5301(300) ack 1001");
}

/*
 * 3.8.6: the peer takes its window back with data in flight: what it cannot take is not sent again.
 */
static void window_shrinks_under_flight(void **state)
{
	struct fixture *f = *state;

	established(f);
	say(f, 2000);
	f->out_count = 0;
	in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	expect_at(f, 1000, ". 5001:5002(1) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	in_out(f, ". 1001:1001(0) ack 5001 win 600", ". 5002:5601(599) ack 1001");
	in(f, ". 1001:1001(0) ack 5601 win 8000");
	expect(f, ". 5601:6601(1000) ack 1001");
	expect_only(f, "P. 6601:7001(400) ack 1001");
}

/* RFC 6298: 1 s at first, doubled up to the maximum, until the user's patience ends. */
static void syn_is_repeated(void **state)
{
	struct fixture *f = *state;
	static const unsigned waits_s[] = {1, 2, 4, 8, 16, 32, 60};

	f->config.syn_timeout_us = 180000000;
	connect_out(f);
	expect_only(f, "S 5000:5000(0)");
	assert_true(tcp_next_us(f->t) == f->now_us + 1000000);
	for (unsigned i = 0; i < sizeof(waits_s) / sizeof(waits_s[0]); i++)
		expect_at(f, 1000 * waits_s[i], "S 5000:5000(0)");
	assert_int_equal(tcp_vars(f->t)->timeouts, 7);
	pass_ms(f, 180000 - 123000 - 1);
	expect_events(f, "");
	pass_ms(f, 1);
	expect_nothing(f);
	expect_events(f, "timed out,closed,");
}

static void syn_ack_is_repeated(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	expect_at(f, 1000, "S. 5000:5000(0) ack 1001");
	expect_at(f, 2000, "S. 5000:5000(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5001");
	/* RFC 5681, 3.1: then the initial window is one segment; RFC 6298, 5.7: and the RTO 3 s */
	say(f, 2000);
	expect_only(f, ". 5001:6001(1000) ack 1001");
	expect_at(f, 3000, ". 5001:6001(1000) ack 1001");
}

/* RFC 6298, section 2: SRTT <- R, RTTVAR <- R/2, RTO <- SRTT + max(G, 4 RTTVAR); 5.5, 5.6 */
static void rto_follows_rtt(void **state)
{
	struct fixture *f = *state;

	f->config.rto_min_us = 1000;
	go_to(f, TCP_STATE_SYN_RECEIVED);
	pass_ms(f, 100);
	in_silence(f, ". 1001:1001(0) ack 5001");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 100000);
	say(f, 10);
	expect_only(f, "P. 5001:5011(10) ack 1001");
	assert_int_equal(tcp_vars(f->t)->rto_us, 300000);
	pass_ms(f, 200);
	in_silence(f, ". 1001:1001(0) ack 5011");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 112500);
	say(f, 10);
	expect_only(f, "P. 5011:5021(10) ack 1001");
	/* RTTVAR = 3/4 50 + 1/4 100 = 62.5 ms */
	assert_int_equal(tcp_vars(f->t)->rto_us, 112500 + 250000);
	pass(f, 362499);
	expect_nothing(f);
	pass(f, 1);
	expect_only(f, "P. 5011:5021(10) ack 1001");
	expect_at(f, 725, "P. 5011:5021(10) ack 1001");
	pass_ms(f, 1);
	in_silence(f, ". 1001:1001(0) ack 5021");
	/* Karn: no sample from it, and the back-off stays until there is one */
	assert_int_equal(tcp_vars(f->t)->srtt_us, 112500);
	say(f, 10);
	expect_only(f, "P. 5021:5031(10) ack 1001");
	assert_int_equal(tcp_vars(f->t)->rto_us, 4 * 362500);
	in_silence(f, ". 1001:1001(0) ack 5031");
	say(f, 10);
	assert_true(tcp_vars(f->t)->rto_us < 400000);
	expect_only(f, "P. 5031:5041(10) ack 1001");
}

/* With timestamps a retransmission can be measured (RFC 7323, section 4). */
static void rtt_by_timestamps(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	f->config.rto_min_us = 200000;
	f->setup.ts_base_ms = UINT32_MAX - 1000; /* our clock wraps 1 ms after the SYN-ACK */
	accept_syn(f, "S 1000:1000(0) ts 10 0");
	expect_only(f, "S. 5000:5000(0) ack 1001 ts 4294967295 10");
	pass_ms(f, 50);
	in(f, ". 1001:1001(0) ack 5001 ts 20 4294967295");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 50000);
	say(f, 10);
	expect_only(f, "P. 5001:5011(10) ack 1001 ts 49 20");
	expect_at(f, 200, "P. 5001:5011(10) ack 1001 ts 249 20");
	pass_ms(f, 50);
	in(f, ". 1001:1001(0) ack 5011 ts 30 249");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 50000);
}

/* RFC 9293, 3.8.3: R2; every octet acknowledged starts it anew. */
static void data_times_out(void **state)
{
	struct fixture *f = *state;

	f->config.user_timeout_us = 100000000;
	established(f);
	pass_ms(f, 50000);
	say(f, 20);
	pass_ms(f, 90000);
	in(f, ". 1001:1001(0) ack 5011");
	pass_ms(f, 99999);
	expect_events(f, "");
	assert_true(tcp_vars(f->t)->timeouts > 3);
	pass_ms(f, 1);
	expect_events(f, "timed out,closed,");
}

static void say_and_forget(struct fixture *f, uint32_t len)
{
	say(f, len);
	f->out_count = 0;
}

/* RFC 5681, 3.2: the third duplicate; RFC 6582, 3.2: partial acknowledgements. */
static void fast_retransmit(void **state)
{
	struct fixture *f = *state;

	established(f);
	say_and_forget(f, 8000);
	in_silence(f, ". 1001:1001(0) ack 5001");
	in_silence(f, ". 1001:1001(0) ack 5001");
	in_out(f, ". 1001:1001(0) ack 5001", ". 5001:6001(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->ssthresh, 4000);
	assert_int_equal(tcp_vars(f->t)->cwnd, 7000);
	in_silence(f, ". 1001:1001(0) ack 5001");
	assert_int_equal(tcp_vars(f->t)->cwnd, 8000);
	/* "Partial acknowledgments: [...] retransmit the first unacknowledged segment" */
	in_out(f, ". 1001:1001(0) ack 7001", ". 7001:8001(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->cwnd, 7000);
	in_silence(f, ". 1001:1001(0) ack 13001");
	/* full ones: "min (ssthresh, max(FlightSize, SMSS) + SMSS)" */
	assert_int_equal(tcp_vars(f->t)->cwnd, 2000);
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 1);
	assert_int_equal(tcp_vars(f->t)->timeouts, 0);
}

/* RFC 5681, section 2: what is no duplicate acknowledgement. */
static void acks_that_are_no_duplicates(void **state)
{
	struct fixture *f = *state;

	established(f);
	in(f, ". 1001:1001(0) ack 5001 win 20000");
	in(f, ". 1001:1001(0) ack 5001 win 20000"); /* nothing is outstanding */
	in(f, ". 1001:1001(0) ack 5001 win 20000");
	in(f, ". 1001:1001(0) ack 5001 win 20000");
	say_and_forget(f, 5000);
	in(f, ". 1001:1002(1) ack 5001 win 20000"); /* they carry data */
	in(f, ". 1002:1003(1) ack 5001 win 20000");
	in(f, ". 1003:1004(1) ack 5001 win 20000");
	in(f, ". 1004:1004(0) ack 5001 win 20001"); /* they are window updates */
	in(f, ". 1004:1004(0) ack 5001 win 20002");
	in(f, ". 1004:1004(0) ack 5001 win 20003");
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 0);
}

/* RFC 5681, 3.1: slow start, then about one segment a round trip. */
static void congestion_window_opens(void **state)
{
	struct fixture *f = *state;

	f->config.initial_cwnd_segments = 2;
	established(f);
	in(f, ". 1001:1001(0) ack 5001 win 60000");
	assert_int_equal(tcp_vars(f->t)->cwnd, 2000);
	say(f, 20000);
	assert_int_equal(f->out_count, 2);
	in(f, ". 1001:1001(0) ack 6001 win 60000");
	in(f, ". 1001:1001(0) ack 7001 win 60000");
	assert_int_equal(tcp_vars(f->t)->cwnd, 4000);
	assert_int_equal(f->out_count, 6);
	pass_ms(f, 1000); /* time-out: one segment, half of the flight */
	assert_int_equal(tcp_vars(f->t)->cwnd, 1000);
	assert_int_equal(tcp_vars(f->t)->ssthresh, 2000);
	f->out_count = 0;
	in(f, ". 1001:1001(0) ack 8001 win 60000");
	expect(f, ". 8001:9001(1000) ack 1001"); /* the rest again, as the window opens */
	expect_only(f, ". 9001:10001(1000) ack 1001");
	in(f, ". 1001:1001(0) ack 11001 win 60000"); /* it had them all */
	assert_int_equal(tcp_vars(f->t)->cwnd, 2500);
	expect(f, ". 11001:12001(1000) ack 1001");
	expect_only(f, ". 12001:13001(1000) ack 1001");
}

/* RFC 5681, 4.1: no burst after a pause. */
static void congestion_window_after_idle(void **state)
{
	struct fixture *f = *state;

	f->config.initial_cwnd_segments = 2;
	established(f);
	for (uint32_t i = 0; i < 10; i++) {
		char text[FIXTURE_TEXT_MAX];

		say_and_forget(f, 1000);
		snprintf(text, sizeof(text), ". 1001:1001(0) ack %u win 60000", 6001 + 1000 * i);
		in(f, text);
	}
	assert_int_equal(tcp_vars(f->t)->cwnd, 12000);
	pass_ms(f, 2000);
	say(f, 5000);
	assert_int_equal(f->out_count, 2);
}

/* 3.8.4: only when idle, only when asked, not for ever. */
static void keepalive(void **state)
{
	struct fixture *f = *state;

	f->config.keepalive_idle_us = 60000000;
	f->config.keepalive_interval_us = 10000000;
	f->config.keepalive_probes = 3;
	established(f);
	pass_ms(f, 30000);
	in(f, "P. 1001:1002(1) ack 5001");
	f->out_count = 0;
	expect_at(f, 60000, ". 5000:5000(0) ack 1002");
	in_silence(f, ". 1002:1002(0) ack 5001");
	expect_at(f, 60000, ". 5000:5000(0) ack 1002");
	expect_at(f, 10000, ". 5000:5000(0) ack 1002");
	expect_at(f, 10000, ". 5000:5000(0) ack 1002");
	expect_at(f, 10000, "R. 5001:5001(0) ack 1002");
	expect_events(f, "timed out,closed,");
}

/* Sequence numbers that wrap, ours and the peer's, in one segment and between segments. */
static void numbers_wrap(void **state)
{
	struct fixture *f = *state;

	f->setup.isn = 4294967290U;
	accept_syn(f, "S 4294967292:4294967292(0)");
	expect_only(f, "S. 4294967290:4294967290(0) ack 4294967293");
	in_silence(f, ". 4294967293:4294967293(0) ack 4294967291");
	in_out(f, ". 4294967295:5(6) ack 4294967291", ". 4294967291:4294967291(0) ack 4294967293");
	in_out(f, ". 5:11(6) ack 4294967291", ". 4294967291:4294967291(0) ack 4294967293");
	in_out(f, ". 4294967293:4294967295(2) ack 4294967291", ". 4294967291:4294967291(0) ack 11");
	say(f, 10);
	expect_only(f, "P. 4294967291:5(10) ack 11");
	in_silence(f, ". 11:11(0) ack 4294967295");
	in_silence(f, ". 11:11(0) ack 2");
	assert_int_equal(tcp_vars(f->t)->acked_bytes, 7);
	expect_at(f, 1000, "P. 2:5(3) ack 11");
	in_out(f, ". 11:11(0) ack 6", ". 5:5(0) ack 11");
	in_silence(f, ". 11:11(0) ack 5");
	assert_int_equal(f->read_bytes, 14);
	assert_true(tcp_next_us(f->t) == UINT64_MAX);
}

/* Written in TCP_EVENT_WRITABLE, it leaves at once. */
static void write_event(void *ctx, enum tcp_event event)
{
	struct fixture *f = ctx;

	fixture_event(ctx, event);
	if (event == TCP_EVENT_WRITABLE)
		say(f, 500);
}

static void written_when_writable(void **state)
{
	static const struct tcp_calls calls = {
		.send = fixture_send, .data = fixture_data, .event = write_event};
	struct fixture *f = *state;
	uint8_t bytes[1500];

	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = octet(5001 + i);
	f->setup.calls = &calls;
	f->config.snd_buffer_bytes = 1000;
	established(f);
	assert_int_equal(tcp_write(f->t, f->now_us, bytes, 1500), 1000);
	expect_only(f, "P. 5001:6001(1000) ack 1001");
	in_out(f, ". 1001:1001(0) ack 6001", "P. 6001:6501(500) ack 1001");
	expect_events(f, "writable,");
	/* a buffer that was just filled is no reason for an event, nor is one after the FIN */
	in(f, ". 1001:1001(0) ack 6501");
	say(f, 1000);
	in(f, ". 1001:1001(0) ack 7501");
	expect_events(f, "");
	assert_int_equal(tcp_write(f->t, f->now_us, bytes, 1500), 1000);
	f->is_wrong = false; /* other octets; here only their number counts */
	tcp_shutdown(f->t, f->now_us);
	in(f, ". 1001:1001(0) ack 8501");
	expect_events(f, "");
}

/* The octet of a probe: what it proves, and what it does not. */
static void probe_that_was_taken(void **state)
{
	struct fixture *f = *state;

	established(f);
	in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	say(f, 300);
	expect_at(f, 1000, ". 5001:5002(1) ack 1001");
	in_out(f, ". 1001:1001(0) ack 5003 win 0", ". 5001:5001(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5002 win 0");
	in_out(f, ". 1001:1001(0) ack 5003 win 0", ". 5002:5002(0) ack 1001");
	assert_int_equal(tcp_vars(f->t)->snd_una, 5002);
	assert_int_equal(tcp_vars(f->t)->bad_acks, 2);
}

/*
 * What was queued before the handshake is timed from when it left, and the SYN gave the first RTT.
 */
static void rtt_of_the_handshake(void **state)
{
	struct fixture *f = *state;

	f->setup.isn = 4294967290U;
	f->config.rto_min_us = 1000;
	connect_out(f);
	assert_true(tcp_next_us(f->t) == f->now_us + 1000000);
	expect_only(f, "S 4294967290:4294967290(0)");
	say(f, 10);
	pass_ms(f, 500);
	in_out(f, "S. 1000:1000(0) ack 4294967291", "P. 4294967291:5(10) ack 1001");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 500000);
	expect_at(f, 1500, "P. 4294967291:5(10) ack 1001");
}

/* RFC 6298, 5.7, is for those that have no sample: timestamps give one. */
static void syn_again_with_timestamps(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	f->config.rto_min_us = 1000;
	connect_out(f);
	expect_only(f, "S 5000:5000(0) ts 1000 0");
	expect_at(f, 1000, "S 5000:5000(0) ts 2000 0");
	pass_ms(f, 100);
	in(f, "S. 1000:1000(0) ack 5001 ts 7 2000");
	expect_only(f, ". 5001:5001(0) ack 1001 ts 2100 7");
	say(f, 10);
	assert_int_equal(tcp_vars(f->t)->rto_us, 300000);
	f->out_count = 0;
	/* an echo of 0 is none (RFC 7323, 3.2) */
	pass_ms(f, 200);
	in(f, ". 1001:1001(0) ack 5011 ts 8 0");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 100000);
}

/* One segment is timed, then another, each from its own departure. */
static void segments_are_timed_one_by_one(void **state)
{
	struct fixture *f = *state;

	established(f);
	for (uint32_t i = 0; i < 5; i++) {
		char text[FIXTURE_TEXT_MAX];

		say(f, 10);
		pass_ms(f, 100);
		snprintf(text, sizeof(text), ". 1001:1001(0) ack %u", 5011 + 10 * i);
		in(f, text);
		pass_ms(f, 700);
	}
	/* from 1 us of the handshake towards 100 ms; never more */
	assert_in_range(tcp_vars(f->t)->srtt_us, 40000, 100000);
}

/* RFC 6582, 3.2: when another fast retransmit may begin, and when not. */
static void fast_retransmit_again(void **state)
{
	struct fixture *f = *state;

	f->setup.isn = 4294963295U; /* so that 1 follows after four segments */
	f->config.initial_cwnd_segments = 20;
	accept_syn(f, "S 1000:1000(0) win 60000");
	in(f, ". 1001:1001(0) ack 4294963296 win 60000");
	say_and_forget(f, 4000);
	for (unsigned i = 0; i < 3; i++)
		in(f, ". 1001:1001(0) ack 4294963296 win 60000");
	expect_only(f, ". 4294963296:4294964296(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->ssthresh, 2000); /* 3.1 (4): at least two segments */
	in_out(f, ". 1001:1001(0) ack 4294964296 win 60000",
	       ". 4294964296:4294965296(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->cwnd, 5000); /* deflated by one, a full one added */
	say_and_forget(f, 5000);                      /* 0 to 5000; the point of recovery is 0 */
	in_silence(f, ". 1001:1001(0) ack 0 win 60000");
	/* recovery is over, but not more than recover is acknowledged */
	for (unsigned i = 0; i < 3; i++)
		in(f, ". 1001:1001(0) ack 0 win 60000");
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 1);
	f->out_count = 0;
	/* a new ACK starts the count anew */
	in(f, ". 1001:1001(0) ack 1000 win 60000");
	in(f, ". 1001:1001(0) ack 1000 win 60000");
	in(f, ". 1001:1001(0) ack 1000 win 60000");
	in(f, ". 1001:1001(0) ack 2000 win 60000");
	in(f, ". 1001:1001(0) ack 2000 win 60000");
	in(f, ". 1001:1001(0) ack 2000 win 60000");
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 1);
	f->out_count = 0;
	in(f, ". 1001:1001(0) ack 2000 win 60000");
	expect(f, ". 2000:3000(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 2);
	f->out_count = 0;
	in_silence(f, ". 1001:1001(0) ack 5000 win 60000");
	assert_int_equal(tcp_vars(f->t)->timeouts, 0);
}

/* A time-out in the middle of fast recovery ends that. */
static void time_out_in_recovery(void **state)
{
	struct fixture *f = *state;

	established(f);
	say_and_forget(f, 4000);
	for (unsigned i = 0; i < 3; i++)
		in(f, ". 1001:1001(0) ack 5001");
	expect_only(f, ". 5001:6001(1000) ack 1001");
	pass_ms(f, 1000);
	expect_only(f, ". 5001:6001(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->cwnd, 1000);
	for (unsigned i = 0; i < 5; i++)
		in_silence(f, ". 1001:1001(0) ack 5001");
	assert_int_equal(tcp_vars(f->t)->cwnd, 1000);
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 1);
	expect_at(f, 2000, ". 5001:6001(1000) ack 1001");
	in(f, ". 1001:1001(0) ack 6001");
	expect(f, ". 6001:7001(1000) ack 1001");
	expect_only(f, ". 7001:8001(1000) ack 1001");
}

/* Resending with the FIN in it, and the FIN alone. */
static void fin_is_sent_again(void **state)
{
	struct fixture *f = *state;

	established(f);
	say(f, 10);
	expect_only(f, "P. 5001:5011(10) ack 1001");
	tcp_shutdown(f->t, f->now_us);
	expect_only(f, "F. 5011:5011(0) ack 1001");
	expect_at(f, 1000, "FP. 5001:5011(10) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5011");
	expect_at(f, 2000, "F. 5011:5011(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5012");
	expect_state(f, TCP_STATE_FIN_WAIT_2);
	expect_no_timer(f);
}

/* A reset carries timestamps where they are in use (RFC 7323, 3.2). */
static void reset_with_timestamps(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	f->config.reset_with_ack = true;
	accept_syn(f, "S 1000:1000(0) ts 9 0");
	in(f, ". 1001:1001(0) ack 5001 ts 9 1000");
	f->out_count = 0;
	tcp_abort(f->t, f->now_us);
	expect_only(f, "R. 5001:5001(0) ack 1001 ts 1000 9");
}

/* No MSS option if it is not wanted; with it, exactly what is configured. */
static void syn_without_options(void **state)
{
	struct fixture *f = *state;

	connect_out(f);
	expect_only(f, "S 5000:5000(0) win 10000");
	tcp_free(f->t);
	f->config.use_mss = true;
	connect_out(f);
	expect_only(f, "S 5000:5000(0) win 10000 mss 1000");
}

/* The window has room for the data and not for the FIN. */
static void fin_finds_no_room(void **state)
{
	struct fixture *f = *state;

	connect_out(f);
	expect_only(f, "S 5000:5000(0)");
	say(f, 10);
	tcp_shutdown(f->t, f->now_us);
	in_out(f, "S. 1000:1000(0) ack 5001 win 10", "P. 5001:5011(10) ack 1001");
	in_out(f, ". 1001:1001(0) ack 5011 win 10", "F. 5011:5011(0) ack 1001");
}

/* RFC 6298, section 2: RTTVAR is about the distance, whichever the direction. */
static void rtt_falls(void **state)
{
	struct fixture *f = *state;

	f->config.rto_min_us = 1000;
	go_to(f, TCP_STATE_SYN_RECEIVED);
	pass_ms(f, 100);
	in(f, ". 1001:1001(0) ack 5001");
	say(f, 10);
	pass_ms(f, 60);
	in(f, ". 1001:1001(0) ack 5011");
	say(f, 10);
	assert_int_equal(tcp_vars(f->t)->srtt_us, 95000);
	assert_int_equal(tcp_vars(f->t)->rto_us, 95000 + 4 * 47500);
}

/* One segment is timed at a time, and only its own ACK is the sample. */
static void the_timed_segment_counts(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	pass_ms(f, 100);
	in(f, ". 1001:1001(0) ack 5001");
	say(f, 10); /* timed */
	pass_ms(f, 50);
	say(f, 10);
	pass_ms(f, 50);
	in(f, ". 1001:1001(0) ack 5011");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 100000);
	say(f, 10); /* timed */
	pass_ms(f, 10);
	in(f, ". 1001:1001(0) ack 5021");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 100000);
	pass_ms(f, 170);
	in(f, ". 1001:1001(0) ack 5031");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 110000);
}

/* When the window opens after probes, the data has the RTO and not what was left of the probes'. */
static void window_opens_after_probes(void **state)
{
	struct fixture *f = *state;

	established(f);
	in_silence(f, ". 1001:1001(0) ack 5001 win 0");
	say(f, 300);
	expect_at(f, 1000, ". 5001:5002(1) ack 1001");
	expect_at(f, 2000, ". 5001:5002(1) ack 1001");
	pass_ms(f, 500);
	in_out(f, ". 1001:1001(0) ack 5001 win 8000", "P. 5001:5301(300) ack 1001");
	in_out(f, ". 1001:1001(0) ack 5302 win 8000", ". 5301:5301(0) ack 1001");
	expect_at(f, 1000, "P. 5001:5301(300) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5301 win 0");
	say(f, 300); /* and the next time the probes begin where they did */
	expect_at(f, 1000, ". 5301:5302(1) ack 1001");
	expect_at(f, 2000, ". 5301:5302(1) ack 1001");
}

/* 3.8.6.2.1 (3): half of the largest window is enough, the FIN needs its octet. */
static void half_of_the_window_is_sent(void **state)
{
	struct fixture *f = *state;

	accept_syn(f, "S 1000:1000(0) win 1000");
	expect_only(f, "S. 5000:5000(0) ack 1001");
	in(f, ". 1001:1001(0) ack 5001 win 1000");
	say(f, 1600);
	expect_only(f, ". 5001:6001(1000) ack 1001");
	tcp_shutdown(f->t, f->now_us);
	in_silence(f, ". 1001:1001(0) ack 5500 win 1000"); /* room for 499 */
	in_out(f, ". 1001:1001(0) ack 5501 win 1000", ". 6001:6501(500) ack 1001");
	in_out(f, ". 1001:1001(0) ack 6001 win 600", "P. 6501:6601(100) ack 1001");
	in_out(f, ". 1001:1001(0) ack 6001 win 601", "F. 6601:6601(0) ack 1001");
}

/* The FIN as a probe is a FIN: CLOSE-WAIT becomes LAST-ACK with it. */
static void close_wait_probes_with_fin(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_CLOSE_WAIT);
	in_silence(f, ". 1002:1002(0) ack 5001 win 0");
	tcp_close(f->t, f->now_us);
	expect_state(f, TCP_STATE_CLOSE_WAIT);
	expect_at(f, 1000, "F. 5001:5001(0) ack 1002");
	expect_state(f, TCP_STATE_LAST_ACK);
	in_silence(f, ". 1002:1002(0) ack 5002 win 0");
	expect_state(f, TCP_STATE_CLOSED);
}

/* RFC 5681, 3.1: ssthresh follows the flight when a segment times out for the first time. */
static void time_outs_in_a_row(void **state)
{
	struct fixture *f = *state;

	established(f);
	say_and_forget(f, 8000);
	expect_at(f, 1000, ". 5001:6001(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->ssthresh, 4000);
	for (unsigned i = 0; i < 4; i++) /* of what had arrived: RFC 6582, 3.2, step 2 */
		in_silence(f, ". 1001:1001(0) ack 5001");
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 0);
	expect_at(f, 2000, ". 5001:6001(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->ssthresh, 4000);
	in(f, ". 1001:1001(0) ack 6001");
	expect(f, ". 6001:7001(1000) ack 1001");
	expect_only(f, ". 7001:8001(1000) ack 1001");
	pass_ms(f, 4000); /* Karn's back-off is still there */
	expect_only(f, ". 6001:7001(1000) ack 1001");
	assert_int_equal(tcp_vars(f->t)->ssthresh, 3500);
	in(f, ". 1001:1001(0) ack 7001");
	expect(f, ". 7001:8001(1000) ack 1001"); /* once more, from the beginning */
	expect_only(f, ". 8001:9001(1000) ack 1001");
	in(f, ". 1001:1001(0) ack 10001");
	f->out_count = 0;
	pass_ms(f, 8000);
	assert_int_equal(tcp_vars(f->t)->ssthresh, 2000); /* at least two segments */
	assert_int_equal(tcp_vars(f->t)->timeouts, 4);
}

/* Karn: what was sent again is no sample, by whichever way it went. */
static void fast_retransmit_is_not_timed(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	pass_ms(f, 100);
	in(f, ". 1001:1001(0) ack 5001");
	say(f, 5000);
	pass_ms(f, 200);
	for (unsigned i = 0; i < 3; i++)
		in(f, ". 1001:1001(0) ack 5001");
	assert_int_equal(tcp_vars(f->t)->fast_retransmits, 1);
	pass_ms(f, 300);
	in(f, ". 1001:1001(0) ack 10001");
	assert_int_equal(tcp_vars(f->t)->srtt_us, 100000);
}

static void one_octet_is_sent_again(void **state)
{
	struct fixture *f = *state;

	established(f);
	say(f, 1);
	expect_only(f, "P. 5001:5002(1) ack 1001");
	expect_at(f, 1000, "P. 5001:5002(1) ack 1001");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(window_updates),
		CASE(sending),
		CASE(fin_waits_for_window),
		CASE(send_buffer_is_bounded),
		CASE(zero_window_is_probed),
		CASE(zero_window_unanswered),
		CASE(zero_window_probe_without_data),
		CASE(window_shrinks_under_flight),
		CASE(syn_is_repeated),
		CASE(syn_ack_is_repeated),
		CASE(rto_follows_rtt),
		CASE(rtt_by_timestamps),
		CASE(data_times_out),
		CASE(fast_retransmit),
		CASE(acks_that_are_no_duplicates),
		CASE(congestion_window_opens),
		CASE(congestion_window_after_idle),
		CASE(keepalive),
		CASE(numbers_wrap),
		CASE(written_when_writable),
		CASE(probe_that_was_taken),
		CASE(rtt_of_the_handshake),
		CASE(syn_again_with_timestamps),
		CASE(segments_are_timed_one_by_one),
		CASE(fast_retransmit_again),
		CASE(time_out_in_recovery),
		CASE(fin_is_sent_again),
		CASE(reset_with_timestamps),
		CASE(syn_without_options),
		CASE(fin_finds_no_room),
		CASE(rtt_falls),
		CASE(the_timed_segment_counts),
		CASE(window_opens_after_probes),
		CASE(half_of_the_window_is_sent),
		CASE(close_wait_probes_with_fin),
		CASE(time_outs_in_a_row),
		CASE(fast_retransmit_is_not_timed),
		CASE(one_octet_is_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
