/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_receive.c - the simulator's TCP endpoint, single packets: reassembly, the receive
 * window, the reader, acknowledgements, timestamps, callbacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/tcp_fixture.h"

/* RFC 9293, 3.10.7.4: "Segments with higher beginning sequence numbers SHOULD be held" */
static void text_out_of_order(void **state)
{
	struct fixture *f = *state;

	established(f);
	in_out(f, ". 1021:1031(10) ack 5001", ". 5001:5001(0) ack 1001");
	in_out(f, ". 1041:1051(10) ack 5001", ". 5001:5001(0) ack 1001");
	assert_int_equal(f->arrived_bytes, 0);
	in_out(f, ". 1001:1016(15) ack 5001", ". 5001:5001(0) ack 1016");
	assert_int_equal(f->read_bytes, 15);
	in_out(f, ". 1011:1046(35) ack 5001", ". 5001:5001(0) ack 1051"); /* over everything */
	assert_int_equal(f->read_bytes, 50);
	assert_int_equal(tcp_vars(f->t)->conflicts, 0);
	assert_int_equal(tcp_vars(f->t)->arrived_bytes, 50);
}

/* All ways to cover ten octets with three segments, in every order: the stream is the same. */
static void text_in_any_three_pieces(void **state)
{
	struct fixture *f = *state;
	struct fixture blank = *f;

	for (unsigned n = 0; n < 100 * 100; n++) {
		unsigned a = n % 10, b = n / 10 % 10, c = n / 100 % 10, d = n / 1000;
		char text[FIXTURE_TEXT_MAX];

		*f = blank;
		established(f);
		snprintf(text, sizeof(text), ". %u:%u(%u) ack 5001", 1001 + a, 1001 + a + b, b);
		in(f, text);
		snprintf(text, sizeof(text), ". %u:%u(%u) ack 5001", 1001 + c, 1001 + c + d, d);
		in(f, text);
		in(f, ". 1001:1021(20) ack 5001");
		assert_int_equal(f->read_bytes, 20 > c + d ? 20 : c + d);
		assert_int_equal(tcp_vars(f->t)->conflicts, 0);
		assert_false(f->is_wrong);
		tcp_free(f->t);
	}
	f->t = NULL;
}

/* The first to come stays, and that another contradicts it is counted. */
static void text_that_contradicts(void **state)
{
	struct fixture *f = *state;
	struct tcp_packet p;

	established(f);
	in(f, ". 1011:1021(10) ack 5001");
	p = packet_of(f, ". 1006:1016(10) ack 5001");
	f->payload[9]++;
	tcp_on_packet(f->t, f->now_us, &p);
	assert_int_equal(tcp_vars(f->t)->conflicts, 1);
	in(f, ". 1001:1006(5) ack 5001");
	assert_int_equal(f->read_bytes, 20);
	assert_false(f->is_wrong);

	in(f, "F. 1031:1031(0) ack 5001");
	in(f, ". 1031:1032(1) ack 5001"); /* behind the FIN */
	assert_int_equal(tcp_vars(f->t)->conflicts, 2);
	in(f, "F. 1026:1026(0) ack 5001"); /* another FIN */
	assert_int_equal(tcp_vars(f->t)->conflicts, 3);
}

/*
 * RFC 2018, section 4: "The first SACK block MUST specify the contiguous block [...] containing the
 * segment"
 */
static void sack_blocks(void **state)
{
	struct fixture *f = *state;

	f->config.use_sack = true;
	accept_syn(f, "S 1000:1000(0) sackok");
	expect_only(f, "S. 5000:5000(0) ack 1001 sackok");
	in_silence(f, ". 1001:1001(0) ack 5001");
	in_out(f, ". 1101:1201(100) ack 5001", ". 5001:5001(0) ack 1001 sack 1101-1201");
	in_out(f, ". 1301:1401(100) ack 5001",
	       ". 5001:5001(0) ack 1001 sack 1301-1401 sack 1101-1201");
	in_out(f, ". 1201:1221(20) ack 5001",
	       ". 5001:5001(0) ack 1001 sack 1101-1221 sack 1301-1401");
	in_out(f, ". 1501:1601(100) ack 5001",
	       ". 5001:5001(0) ack 1001 sack 1501-1601 sack 1101-1221 sack 1301-1401");
	in(f, ". 1701:1801(100) ack 5001");
	expect_only(f, ". 5001:5001(0) ack 1001 sack 1701-1801 sack 1101-1221 sack 1301-1401 "
		       "sack 1501-1601");
	in(f, ". 1901:1902(1) ack 5001"); /* no room for a fifth */
	expect_only(f, ". 5001:5001(0) ack 1001 sack 1901-1902 sack 1101-1221 sack 1301-1401 "
		       "sack 1501-1601");
	in(f, ". 1001:1501(500) ack 5001");
	expect_only(f, ". 5001:5001(0) ack 1601 sack 1701-1801 sack 1901-1902");
	in_out(f, ". 1601:1901(300) ack 5001", ". 5001:5001(0) ack 1902");
}

/* With timestamps there is room for three; and what they take comes off the data (RFC 6691). */
static void sack_blocks_next_to_timestamps(void **state)
{
	struct fixture *f = *state;

	f->config.use_sack = true;
	f->config.use_timestamps = true;
	accept_syn(f, "S 1000:1000(0) sackok ts 1 0");
	in(f, ". 1001:1001(0) ack 5001 ts 1 1000");
	for (uint32_t i = 1; i < 6; i++) {
		char text[FIXTURE_TEXT_MAX];

		snprintf(text, sizeof(text), ". %u:%u(1) ack 5001 ts 1 1000", 1001 + 2 * i,
			 1002 + 2 * i);
		in(f, text);
	}
	f->out_count = 0;
	say(f, 2000);
	expect(f,
	       ". 5001:5961(960) ack 1001 ts 1000 1 sack 1011-1012 sack 1003-1004 sack 1005-1006");
	expect(f,
	       ". 5961:6921(960) ack 1001 ts 1000 1 sack 1011-1012 sack 1003-1004 sack 1005-1006");
	expect_only(
		f,
		"P. 6921:7001(80) ack 1001 ts 1000 1 sack 1011-1012 sack 1003-1004 sack 1005-1006");
}

/* A million one-octet segments out of order cost a bounded amount. */
static void pieces_are_limited(void **state)
{
	struct fixture *f = *state;

	f->config.rcv_buffer_bytes = 60000;
	established(f);
	for (uint32_t i = 0; i < 20000; i++) {
		char text[FIXTURE_TEXT_MAX];

		snprintf(text, sizeof(text), ". %u:%u(1) ack 5001", 1003 + 2 * i, 1004 + 2 * i);
		in(f, text);
		f->out_count = 0;
	}
	assert_true(tcp_memory_bytes(f->t) < TCP_FRAGMENTS_MAX * 400);
	tcp_set_reading(f->t, f->now_us, false);
	for (uint32_t i = 0; i < 50000; i++) { /* small ones in order share their pieces */
		char text[FIXTURE_TEXT_MAX];

		snprintf(text, sizeof(text), ". %u:%u(1) ack 5001", 1001 + i, 1002 + i);
		in(f, text);
		f->out_count = 0;
	}
	assert_int_equal(f->arrived_bytes, 50000);
	assert_true(tcp_memory_bytes(f->t) < 60000 + TCP_FRAGMENTS_MAX * 400);
	tcp_set_reading(f->t, f->now_us, true);
	assert_int_equal(f->read_bytes, 50000);
}

/*
 * "The total of RCV.NXT and RCV.WND should not be reduced"; 3.8.6.2.2: nor advanced by less than an
 * MSS.
 */
static void receive_window(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, ". 1001:4001(3000) ack 5001", ". 5001:5001(0) ack 4001 win 7000");
	tcp_set_rcv_buffer(f->t, f->now_us, 5000);
	expect_nothing(f);
	in_out(f, ". 4001:5001(1000) ack 5001", ". 5001:5001(0) ack 5001 win 6000");
	in_out(f, ". 5001:11001(6000) ack 5001", ". 5001:5001(0) ack 11001 win 0");
	assert_int_equal(tcp_read(f->t, f->now_us, 5999), 5999); /* room is 999 now */
	expect_nothing(f);
	assert_int_equal(tcp_read(f->t, f->now_us, 1), 1);
	expect_only(f, ". 5001:5001(0) ack 11001 win 1000");
	assert_int_equal(tcp_read(f->t, f->now_us, 100000), 4000);
	expect_only(f, ". 5001:5001(0) ack 11001 win 5000");
	assert_int_equal(f->read_bytes, 10000);
	f->config.may_shrink_window = true;
	tcp_set_rcv_buffer(f->t, f->now_us, 0);
	expect_only(f, ". 5001:5001(0) ack 11001 win 0");
	in_out(f, ". 11001:11002(1) ack 5001", ". 5001:5001(0) ack 11001 win 0");
}

/* RFC 7323, 2.4: rounding down must not make us refuse what was once allowed. */
static void receive_window_scaled(void **state)
{
	struct fixture *f = *state;

	f->config.use_window_scale = true;
	f->config.rcv_buffer_bytes = 128 * 78;
	accept_syn(f, "S 1000:1000(0) wscale 0");
	expect_only(f, "S. 5000:5000(0) ack 1001 win 9984 wscale 7");
	in_silence(f, ". 1001:1001(0) ack 5001");
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, ". 1001:1002(1) ack 5001", ". 5001:5001(0) ack 1002 win 77");
	assert_int_equal(tcp_vars(f->t)->rcv_wnd, 9983);
	in_out(f, ". 1002:10985(9983) ack 5001", ". 5001:5001(0) ack 10985 win 0");
	assert_int_equal(f->arrived_bytes, 9984);
}

/* A window of more than 65,535 without scaling. */
static void receive_window_of_much(void **state)
{
	struct fixture *f = *state;

	f->config.rcv_buffer_bytes = 1000000;
	accept_syn(f, "S 1000:1000(0)");
	expect_only(f, "S. 5000:5000(0) ack 1001 win 65535");
	in(f, ". 1001:1001(0) ack 5001");
	in_out(f, ". 1001:2001(1000) ack 5001", ". 5001:5001(0) ack 2001 win 65535");
}

static void slow_reader(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_read_pace(f->t, f->now_us, 400, 10000);
	in_out(f, ". 1001:2001(1000) ack 5001", ". 5001:5001(0) ack 2001 win 9000");
	in_out(f, "F. 2001:2201(200) ack 5001", ". 5001:5001(0) ack 2202 win 8799");
	assert_int_equal(f->read_bytes, 0);
	assert_int_equal(f->arrived_bytes, 1200);
	pass_ms(f, 10);
	assert_int_equal(f->read_bytes, 400);
	pass_ms(f, 10);
	expect_events(f, "");
	assert_int_equal(f->read_bytes, 800);
	pass_ms(f, 10);
	assert_int_equal(f->read_bytes, 1200);
	expect_events(f, "peer closed,"); /* only when it has read everything */
	assert_true(tcp_next_us(f->t) == UINT64_MAX);
}

/* A connection that ends in order leaves nothing unread, one that is reset does. */
static void unread_at_the_end(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in(f, "F. 1001:1011(10) ack 5001");
	tcp_shutdown(f->t, f->now_us);
	in(f, ". 1012:1012(0) ack 5002");
	expect_events(f, "peer closed,closed,");
	assert_int_equal(f->read_bytes, 10);
	tcp_free(f->t);

	f->out_count = 0;
	f->read_bytes = f->arrived_bytes = 0;
	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in(f, ". 1001:1011(10) ack 5001");
	in(f, "R 1011:1011(0)");
	expect_events(f, "reset,closed,");
	assert_int_equal(f->read_bytes, 0);
	assert_int_equal(f->arrived_bytes, 10);
}

/*
 * 3.8.6.3: "An ACK SHOULD be generated for at least every second full-sized segment"; "the delay
 * MUST be less than 0.5 seconds".
 */
static void delayed_acks(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	f->config.rcv_buffer_bytes = 60000;
	established(f);
	in_silence(f, ". 1001:2001(1000) ack 5001");
	in_out(f, ". 2001:3001(1000) ack 5001", ". 5001:5001(0) ack 3001");
	in_silence(f, ". 3001:4001(1000) ack 5001");
	pass(f, 39999);
	expect_nothing(f);
	pass(f, 1);
	expect_only(f, ". 5001:5001(0) ack 4001");
	in_silence(f, ". 4001:4011(10) ack 5001");
	in_silence(f, ". 4011:4021(10) ack 5001"); /* two, but not full */
	say(f, 5);
	expect_only(f, "P. 5001:5006(5) ack 4021"); /* the ACK rides */
	pass_ms(f, 100);
	expect_nothing(f);
	/* RFC 5681, 4.2: out of order at once, and when "all or part of a gap" is filled */
	in_out(f, ". 4031:4041(10) ack 5006", ". 5006:5006(0) ack 4021");
	in_out(f, ". 4021:4026(5) ack 5006", ". 5006:5006(0) ack 4026");
	in_out(f, ". 4026:4031(5) ack 5006", ". 5006:5006(0) ack 4041");
	in_silence(f, ". 4041:4051(10) ack 5006");
	in_out(f, "F. 4051:4051(0) ack 5006", ". 5006:5006(0) ack 4052");
}

static void every_segment_is_acked(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	f->config.ack_every_segments = 1;
	established(f);
	in_out(f, ". 1001:1002(1) ack 5001", ". 5001:5001(0) ack 1002");
}

static void quick_acks(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	f->config.quick_acks = 2;
	established(f);
	in_out(f, ". 1001:1011(10) ack 5001", ". 5001:5001(0) ack 1011");
	in_out(f, ". 1011:1021(10) ack 5001", ". 5001:5001(0) ack 1021");
	in_silence(f, ". 1021:1031(10) ack 5001");
}

/* RFC 7323, 5.3: R1 refuses and answers, not for a RST; R3 remembers. */
static void paws(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	accept_syn(f, "S 1000:1000(0) ts 4294967290 0");
	in(f, ". 1001:1001(0) ack 5001 ts 4294967290 1000");
	f->out_count = 0;
	in_out(f, ". 1001:1011(10) ack 5001 ts 4294967295 1000",
	       ". 5001:5001(0) ack 1011 ts 1000 4294967295");
	in_out(f, ". 1011:1021(10) ack 5001 ts 4294967294 1000",
	       ". 5001:5001(0) ack 1011 ts 1000 4294967295");
	assert_int_equal(f->read_bytes, 10);
	assert_int_equal(tcp_vars(f->t)->unacceptable, 1);
	in_out(f, ". 1011:1021(10) ack 5001 ts 3 1000", ". 5001:5001(0) ack 1021 ts 1000 3");
	/* "SEG.SEQ <= Last.ACK.sent": what is ahead of it does not count */
	in_out(f, ". 1031:1041(10) ack 5001 ts 9 1000", ". 5001:5001(0) ack 1021 ts 1000 3");
	/* ... but what fills the hole does */
	in_out(f, ". 1021:1031(10) ack 5001 ts 8 1000", ". 5001:5001(0) ack 1041 ts 1000 8");
	/* 3.2: "If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently drop" */
	in_silence(f, ". 1041:1051(10) ack 5001");
	f->config.take_without_timestamps = true;
	in_out(f, ". 1041:1051(10) ack 5001", ". 5001:5001(0) ack 1051 ts 1000 8");
	in_silence(f, "R 1051:1051(0) ts 1 1000");
	expect_events(f, "established,reset,closed,");
}

/* 5.5: after 24 days the timestamp is forgotten. */
static void paws_of_the_idle(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	accept_syn(f, "S 1000:1000(0) ts 100 0");
	in(f, ". 1001:1001(0) ack 5001 ts 100 1000");
	f->out_count = 0;
	pass(f, UINT64_C(24) * 86400 * 1000000 - 1);
	in(f, ". 1001:1011(10) ack 5001 ts 99 1000");
	assert_int_equal(f->read_bytes, 0);
	pass(f, 1);
	in(f, ". 1001:1011(10) ack 5001 ts 99 1000");
	assert_int_equal(f->read_bytes, 10);
	assert_int_equal(tcp_vars(f->t)->ts_recent, 99);
}

/* An ACK that is refused leaves nothing behind. */
static void timestamp_of_a_blind_segment(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	accept_syn(f, "S 1000:1000(0) ts 100 0");
	in(f, ". 1001:1001(0) ack 5001 ts 100 1000");
	in(f, ". 1001:1011(10) ack 7000 ts 2000000000 1000");
	in(f, "R 1002:1002(0) ts 2000000000 1000");
	assert_int_equal(tcp_vars(f->t)->ts_recent, 100);
}

/* The peer's keep-alive is out of the window and so gets its answer. */
static void keepalive_of_the_peer(void **state)
{
	struct fixture *f = *state;

	established(f);
	in_out(f, ". 1000:1000(0) ack 5001", ". 5001:5001(0) ack 1001");
	in_out(f, ". 1000:1001(1) ack 5001", ". 5001:5001(0) ack 1001");
	assert_int_equal(f->read_bytes, 0);
}

/* Callbacks may call back: an echo that closes with its peer. */
static void echo_data(void *ctx, const uint8_t *bytes, size_t len)
{
	struct fixture *f = ctx;

	f->read_bytes += len;
	tcp_write(f->t, f->now_us, bytes, len);
	if (f->read_bytes >= 30)
		tcp_abort(f->t, f->now_us);
}

static void callbacks_call_back(void **state)
{
	static const struct tcp_calls calls = {
		.send = fixture_send, .data = echo_data, .event = fixture_event};
	struct fixture *f = *state;

	f->setup.calls = &calls;
	established(f);
	in_out(f, "P. 1001:1011(10) ack 5001", "P. 5001:5011(10) ack 1011");
	in(f, ". 1021:1041(20) ack 5011");
	f->out_count = 0;
	in_out(f, "FP. 1011:1021(10) ack 5011", "R 5011:5011(0)");
	assert_int_equal(f->read_bytes, 40);
	expect_events(f, "closed,");
	f->is_wrong = false; /* an echo is not our stream */
}

/* What data itself ends is not given any further. */
static void data_that_closes(void *ctx, const uint8_t *bytes, size_t len)
{
	struct fixture *f = ctx;

	fixture_data(ctx, bytes, len);
	tcp_close(f->t, f->now_us);
	f->is_wrong |= bytes[0] != octet(1001); /* still there */
}

static void data_closes(void **state)
{
	static const struct tcp_calls calls = {
		.send = fixture_send, .data = data_that_closes, .event = fixture_event};
	struct fixture *f = *state;

	f->setup.calls = &calls;
	f->config.reset_after_close = false;
	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in(f, ". 1001:2001(1000) ack 5001");
	in(f, ". 2001:3001(1000) ack 5001");
	f->out_count = 0;
	assert_int_equal(tcp_read(f->t, f->now_us, 10), 10);
	expect_only(f, "F. 5001:5001(0) ack 3001");
	assert_int_equal(f->read_bytes, 10);
	in(f, ". 3001:13001(10000) ack 5001"); /* there is room for all of it */
	assert_int_equal(tcp_vars(f->t)->rcv_nxt, 13001);
	tcp_abort(f->t, f->now_us);
	assert_int_equal(f->read_bytes, 10);
}

static void data_that_aborts(void *ctx, const uint8_t *bytes, size_t len)
{
	struct fixture *f = ctx;

	fixture_data(ctx, bytes, len);
	tcp_abort(f->t, f->now_us);
}

static void data_aborts(void **state)
{
	static const struct tcp_calls calls = {
		.send = fixture_send, .data = data_that_aborts, .event = fixture_event};
	struct fixture *f = *state;

	f->setup.calls = &calls;
	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in(f, ". 1001:2001(1000) ack 5001");
	in(f, ". 2001:3001(1000) ack 5001");
	f->events[0] = 0;
	tcp_set_reading(f->t, f->now_us, true);
	assert_int_equal(f->read_bytes, 1000);
	expect_events(f, "closed,");
}

/* The same octets, the same time, later: only what is older is refused. */
static void timestamps_that_stand_still(void **state)
{
	struct fixture *f = *state;

	f->config.use_timestamps = true;
	f->config.take_without_timestamps = true;
	accept_syn(f, "S 1000:1000(0) ts 4294967290 0");
	in(f, ". 1001:1001(0) ack 5001"); /* no timestamp is not timestamp 0 */
	assert_int_equal(tcp_vars(f->t)->ts_recent, 4294967290U);
	pass_ms(f, UINT64_C(20) * 86400 * 1000);
	in(f, ". 1001:1011(10) ack 5001 ts 4294967290 1000"); /* confirmed today */
	pass_ms(f, UINT64_C(20) * 86400 * 1000);
	in(f, ". 1011:1021(10) ack 5001 ts 4294967289 1000");
	assert_int_equal(f->read_bytes, 10);
}

/* Small segments before any large one do not count as full. */
static void small_segments_are_not_full(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	established(f);
	in_silence(f, ". 1001:1011(10) ack 5001");
	in_silence(f, ". 1011:1021(10) ack 5001");
	in_silence(f, ". 1021:1031(10) ack 5001");
	pass_ms(f, 40);
	expect_only(f, ". 5001:5001(0) ack 1031");
}

/* A reader that is set in the configuration, then quicker, then at once. */
static void reader_changes_pace(void **state)
{
	struct fixture *f = *state;

	f->config.read_chunk_bytes = 100;
	f->config.read_interval_us = 50000;
	established(f);
	in(f, ". 1001:2001(1000) ack 5001");
	pass_ms(f, 49);
	assert_int_equal(f->read_bytes, 0);
	pass_ms(f, 1);
	assert_int_equal(f->read_bytes, 100);
	pass_ms(f, 10);
	tcp_set_read_pace(f->t, f->now_us, 300, 10000);
	pass_ms(f, 10);
	assert_int_equal(f->read_bytes, 400);
	tcp_set_read_pace(f->t, f->now_us, 0, 0);
	assert_int_equal(f->read_bytes, 1000);
	expect_no_timer(f);
}

/* RFC 9293, 3.8.6.2.2: word of the new window as soon as it is worth a segment. */
static void receive_buffer_grows(void **state)
{
	struct fixture *f = *state;

	f->config.rcv_buffer_bytes = 2000;
	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, ". 1001:3001(2000) ack 5001", ". 5001:5001(0) ack 3001 win 0");
	tcp_set_rcv_buffer(f->t, f->now_us, 2999);
	expect_nothing(f);
	tcp_set_rcv_buffer(f->t, f->now_us, 3000);
	expect_only(f, ". 5001:5001(0) ack 3001 win 1000");
}

/* A connection that ends takes its timers along. */
static void slow_reader_is_reset(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	f->config.keepalive_idle_us = 1000000;
	established(f);
	tcp_set_read_pace(f->t, f->now_us, 100, 10000);
	in(f, ". 1001:1501(500) ack 5001");
	say(f, 10);
	in(f, ". 1501:1511(10) ack 5001");
	in(f, "R 1511:1511(0)");
	expect_no_timer(f);
	assert_int_equal(f->read_bytes, 0);
}

/* Pieces come and go; only those that are there count. */
static void pieces_are_given_back(void **state)
{
	struct fixture *f = *state;
	size_t memory_bytes;

	established(f);
	memory_bytes = tcp_memory_bytes(f->t);
	for (uint32_t i = 0; i < 2 * TCP_FRAGMENTS_MAX; i++) {
		uint32_t seq = 1001 + 4 * i;
		char text[FIXTURE_TEXT_MAX];

		snprintf(text, sizeof(text), ". %u:%u(2) ack 5001", seq + 2, seq + 4);
		in(f, text);
		snprintf(text, sizeof(text), ". %u:%u(2) ack 5001", seq, seq + 2);
		in(f, text);
		f->out_count = 0;
	}
	assert_int_equal(f->read_bytes, 8 * TCP_FRAGMENTS_MAX);
	assert_int_equal(tcp_vars(f->t)->read_bytes, f->read_bytes);
	assert_int_equal(tcp_memory_bytes(f->t), memory_bytes);
}

/* Large pieces are not put together, but what is told of them is. */
static void sack_of_adjacent_pieces(void **state)
{
	struct fixture *f = *state;

	f->config.use_sack = true;
	accept_syn(f, "S 1000:1000(0) sackok");
	in(f, ". 1001:1001(0) ack 5001");
	f->out_count = 0;
	in_out(f, ". 2001:2301(300) ack 5001", ". 5001:5001(0) ack 1001 sack 2001-2301");
	in_out(f, ". 2301:2601(300) ack 5001", ". 5001:5001(0) ack 1001 sack 2001-2601");
	in_out(f, ". 2601:2901(300) ack 5001", ". 5001:5001(0) ack 1001 sack 2001-2901");
}

/* Behind the FIN there is nothing, whatever is said. */
static void text_behind_the_fin(void **state)
{
	struct fixture *f = *state;

	established(f);
	in(f, "F. 1011:1021(10) ack 5001");
	in(f, ". 1016:1031(15) ack 5001");
	in(f, "F. 1026:1031(5) ack 5001");
	assert_int_equal(tcp_vars(f->t)->conflicts, 2);
	in(f, "F. 1011:1021(10) ack 5001"); /* the same FIN again is none */
	assert_int_equal(tcp_vars(f->t)->conflicts, 2);
	in(f, ". 1001:1031(30) ack 5001");
	assert_int_equal(tcp_vars(f->t)->conflicts, 3);
	assert_int_equal(f->read_bytes, 20);
	assert_int_equal(tcp_vars(f->t)->rcv_nxt, 1022);
	expect_state(f, TCP_STATE_CLOSE_WAIT);
}

/* What a full segment is follows from those that have come. */
static void full_segments_grow(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	established(f);
	in_silence(f, ". 1001:2001(1000) ack 5001");
	in_silence(f, ". 2001:2101(100) ack 5001");
	in_out(f, ". 2101:3001(900) ack 5001", ". 5001:5001(0) ack 3001");
}

/* Repetitions, and octets beyond the window, are answered at once. */
static void segments_that_are_cut(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	f->config.rcv_buffer_bytes = 600;
	established(f);
	in_silence(f, ". 1001:1101(100) ack 5001");
	in_out(f, ". 1051:1151(100) ack 5001", ". 5001:5001(0) ack 1151");
	in_out(f, ". 1151:1861(710) ack 5001", ". 5001:5001(0) ack 1601");
}

/* Reading in parts, with more coming in between. */
static void read_in_parts(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_read_pace(f->t, f->now_us, 0, 10000);
	in(f, ". 1001:1301(300) ack 5001");
	assert_int_equal(tcp_read(f->t, f->now_us, 100), 100);
	in(f, ". 1301:1601(300) ack 5001");
	in(f, ". 1651:1701(50) ack 5001");
	assert_int_equal(tcp_read(f->t, f->now_us, 350), 350);
	in(f, ". 1601:1651(50) ack 5001");
	assert_int_equal(tcp_read(f->t, f->now_us, 1000), 250);
	assert_int_equal(tcp_vars(f->t)->read_bytes, 700);
	assert_int_equal(f->read_bytes, 700);
	assert_int_equal(tcp_vars(f->t)->conflicts, 0);
	expect_no_timer(f);
}

/* Its pace does not depend on what comes. */
static void slow_reader_is_not_put_off(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_read_pace(f->t, f->now_us, 100, 10000);
	in(f, ". 1001:1101(100) ack 5001");
	pass_ms(f, 6);
	in(f, ". 1101:1201(100) ack 5001");
	pass_ms(f, 4);
	assert_int_equal(f->read_bytes, 100);
}

/* After the FIN nobody waits for a window. */
static void no_window_update_after_fin(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in(f, ". 1001:10901(9900) ack 5001");
	in(f, "F. 10901:10901(0) ack 5001");
	f->out_count = 0;
	tcp_set_reading(f->t, f->now_us, true);
	assert_int_equal(f->read_bytes, 9900);
	expect_nothing(f);
}

/* data that asks for more while it is being given some: one after the other, in order. */
static void data_that_reads(void *ctx, const uint8_t *bytes, size_t len)
{
	struct fixture *f = ctx;

	fixture_data(ctx, bytes, len);
	f->is_wrong |= tcp_read(f->t, f->now_us, 1000) != 0;
	tcp_set_reading(f->t, f->now_us, true);
}

static void data_reads(void **state)
{
	static const struct tcp_calls calls = {
		.send = fixture_send, .data = data_that_reads, .event = fixture_event};
	struct fixture *f = *state;

	f->setup.calls = &calls;
	established(f);
	in(f, ". 1001:1101(100) ack 5001");
	tcp_set_reading(f->t, f->now_us, false);
	in(f, ". 1101:1501(400) ack 5001");
	in(f, ". 1501:1901(400) ack 5001");
	assert_int_equal(tcp_read(f->t, f->now_us, 10), 10); /* and then all the rest */
	assert_int_equal(f->read_bytes, 900);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_out_of_order),
		CASE(text_in_any_three_pieces),
		CASE(text_that_contradicts),
		CASE(sack_blocks),
		CASE(sack_blocks_next_to_timestamps),
		CASE(pieces_are_limited),
		CASE(receive_window),
		CASE(receive_window_scaled),
		CASE(receive_window_of_much),
		CASE(slow_reader),
		CASE(unread_at_the_end),
		CASE(delayed_acks),
		CASE(every_segment_is_acked),
		CASE(quick_acks),
		CASE(paws),
		CASE(paws_of_the_idle),
		CASE(timestamp_of_a_blind_segment),
		CASE(keepalive_of_the_peer),
		CASE(callbacks_call_back),
		CASE(data_closes),
		CASE(data_aborts),
		CASE(timestamps_that_stand_still),
		CASE(small_segments_are_not_full),
		CASE(reader_changes_pace),
		CASE(receive_buffer_grows),
		CASE(slow_reader_is_reset),
		CASE(pieces_are_given_back),
		CASE(sack_of_adjacent_pieces),
		CASE(text_behind_the_fin),
		CASE(full_segments_grow),
		CASE(segments_that_are_cut),
		CASE(read_in_parts),
		CASE(slow_reader_is_not_put_off),
		CASE(no_window_update_after_fin),
		CASE(data_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
