/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp.c - the simulator's TCP endpoint, single packets: opening, and the checks of RFC 9293,
 * section 3.10.7 in their order. What is quoted is the RFC's, as is the order of the tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/tcp_fixture.h"

static const enum tcp_state synchronized[] = {
	TCP_STATE_ESTABLISHED, TCP_STATE_FIN_WAIT_1, TCP_STATE_FIN_WAIT_2, TCP_STATE_CLOSE_WAIT,
	TCP_STATE_CLOSING,     TCP_STATE_LAST_ACK,   TCP_STATE_TIME_WAIT,
};

enum {
	SYNCHRONIZED_COUNT = sizeof(synchronized) / sizeof(synchronized[0]),
};

/* A test in every synchronized state, each in a fixture of its own. */
static void in_synchronized_states(struct fixture *f, void (*check)(struct fixture *f))
{
	struct fixture blank = *f;

	for (unsigned i = 0; i < SYNCHRONIZED_COUNT; i++) {
		tcp_free(f->t);
		*f = blank;
		go_to(f, synchronized[i]);
		check(f);
	}
}

static void expect_reset_for(struct fixture *f, const char *text, const char *wanted)
{
	struct tcp_packet p = packet_of(f, text);
	struct tcp_packet reply;

	assert_true(tcp_reset_for(&p, &reply));
	assert_true(tuple_equal(&reply.tuple, &f->setup.tuple));
	fixture_send(f, &reply);
	expect_only(f, wanted);
}

/*
 * 3.10.7.1: "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN>
 * <CTL=RST,ACK>. If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>."
 */
static void closed_gets_anything_but_reset(void **state)
{
	struct fixture *f = *state;

	expect_reset_for(f, "S 1000:1000(0)", "R. 0:0(0) ack 1001");
	expect_reset_for(f, "SF 1000:1005(5)", "R. 0:0(0) ack 1007");
	expect_reset_for(f, "S 4294967295:4294967295(0)", "R. 0:0(0) ack 0");
	expect_reset_for(f, "- 1000:1010(10)", "R. 0:0(0) ack 1010");
	expect_reset_for(f, "P. 1000:1010(10) ack 77", "R 77:77(0)");
	expect_reset_for(f, "S. 1000:1000(0) ack 4294967295", "R 4294967295:4294967295(0)");
}

/* "An incoming segment containing a RST is discarded." */
static void closed_gets_reset(void **state)
{
	struct fixture *f = *state;
	struct tcp_packet reply;
	struct tcp_packet p = packet_of(f, "R 1000:1000(0)");

	assert_false(tcp_reset_for(&p, &reply));
	p = packet_of(f, "R. 1000:1000(0) ack 5");
	assert_false(tcp_reset_for(&p, &reply));
}

static enum tcp_judgement judge(struct fixture *f, const char *text)
{
	struct tcp_packet p = packet_of(f, text);

	return tcp_listener_judge(&f->listener, &p);
}

/* 3.10.7.2: RST "should be ignored"; "any acknowledgment is bad"; SYN; "drop the segment". */
static void listen_gets_each_kind(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(judge(f, "R 1000:1000(0)"), TCP_JUDGED_DROP);
	assert_int_equal(judge(f, "SR. 1000:1000(0) ack 1"), TCP_JUDGED_DROP);
	assert_int_equal(judge(f, ". 1000:1000(0) ack 1"), TCP_JUDGED_RESET);
	assert_int_equal(judge(f, "S. 1000:1000(0) ack 1"), TCP_JUDGED_RESET);
	assert_int_equal(judge(f, "FP. 1000:1003(3) ack 1"), TCP_JUDGED_RESET);
	assert_int_equal(judge(f, "S 1000:1000(0)"), TCP_JUDGED_ACCEPT);
	assert_int_equal(judge(f, "SF 1000:1004(4)"), TCP_JUDGED_ACCEPT);
	assert_int_equal(judge(f, "F 1000:1000(0)"), TCP_JUDGED_DROP);
	assert_int_equal(judge(f, "P 1000:1004(4)"), TCP_JUDGED_DROP);
}

static void listen_with_full_backlog_gets_syn(void **state)
{
	struct fixture *f = *state;

	f->listener.backlog = 1;
	go_to(f, TCP_STATE_SYN_RECEIVED);
	assert_int_equal(f->listener.half_open, 1);
	assert_int_equal(judge(f, "S 1:1(0)"), TCP_JUDGED_DROP);
	f->listener.reset_when_full = true;
	assert_int_equal(judge(f, "S 1:1(0)"), TCP_JUDGED_RESET);
	in_silence(f, ". 1001:1001(0) ack 5001");
	assert_int_equal(f->listener.half_open, 0);
	assert_int_equal(judge(f, "S 1:1(0)"), TCP_JUDGED_ACCEPT);
	tcp_free(f->t);

	go_to(f, TCP_STATE_SYN_RECEIVED); /* a reset and a free make room as well */
	in_silence(f, "R 1001:1001(0)");
	assert_int_equal(f->listener.half_open, 0);
	tcp_free(f->t);
	go_to(f, TCP_STATE_SYN_RECEIVED);
	tcp_free(f->t);
	f->t = NULL;
	assert_int_equal(f->listener.half_open, 0);
}

/* Options: ours to a SYN of ours, in a SYN-ACK only those that the SYN had. */
static void syn_with_options(void **state)
{
	struct fixture *f = *state;

	f->config = tcp_config_rfc();
	f->config.rcv_buffer_bytes = 100000;
	f->setup.ts_base_ms = 700;
	connect_out(f);
	expect_only(f, "S 5000:5000(0) win 65535 mss 1460 wscale 7 sackok ts 1700 0");
	in(f, "S. 1000:1000(0) ack 5001 win 60000 mss 1400 wscale 3 sackok ts 99 1700");
	/* the window of a SYN is never scaled (RFC 7323, section 2.2), all others are */
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 60000);
	expect_only(f, ". 5001:5001(0) ack 1001 win 781 ts 1700 99");
	assert_int_equal(tcp_vars(f->t)->snd_mss, 1400 - 12);
	in_silence(f, ". 1001:1001(0) ack 5001 win 9000 ts 100 1700");
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 9000 << 3);
	tcp_free(f->t);

	accept_syn(f, "S 1000:1000(0) mss 1400 wscale 200");
	expect_only(f, "S. 5000:5000(0) ack 1001 win 65535 mss 1460 wscale 7");
	assert_int_equal(tcp_vars(f->t)->snd_wind_shift, 14); /* section 2.3: at most */
	assert_int_equal(tcp_vars(f->t)->snd_mss, 1400);
	tcp_free(f->t);

	accept_syn(f, "S 1000:1000(0) sackok ts 5 0");
	expect_only(f, "S. 5000:5000(0) ack 1001 win 65535 mss 1460 sackok ts 1700 5");
	/* 3.7.1: no MSS option, "MUST assume a default send MSS of 536" */
	assert_int_equal(tcp_vars(f->t)->snd_mss, 536 - 12);
}

/*
 * 3.10.7.3: "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set, if so
 * drop the segment and return) <SEQ=SEG.ACK><CTL=RST>"
 */
static void syn_sent_gets_bad_ack(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	in_out(f, "S. 1000:1000(0) ack 5000", "R 5000:5000(0)");
	in_out(f, "S. 1000:1000(0) ack 5002", "R 5002:5002(0)");
	in_out(f, ". 1000:1000(0) ack 4000", "R 4000:4000(0)");
	in_silence(f, "R. 1000:1000(0) ack 5002");
	in_silence(f, "R. 1000:1000(0) ack 5000");
	expect_state(f, TCP_STATE_SYN_SENT);
	expect_events(f, "");
}

/*
 * "If the ACK was acceptable, then signal [...] enter CLOSED state [...]. Otherwise (no ACK), drop"
 */
static void syn_sent_gets_reset(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	in_silence(f, "R 0:0(0)");
	expect_state(f, TCP_STATE_SYN_SENT);
	in_silence(f, "R. 0:0(0) ack 5001");
	expect_state(f, TCP_STATE_CLOSED);
	expect_events(f, "refused,closed,");
	assert_true(tcp_next_us(f->t) == UINT64_MAX);
}

static void syn_sent_gets_syn_ack(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	in_silence(f, ". 1000:1000(0) ack 5001"); /* fifth: "neither of the SYN or RST" */
	in_out(f, "S. 1000:1000(0) ack 5001", ". 5001:5001(0) ack 1001");
	expect_state(f, TCP_STATE_ESTABLISHED);
	expect_events(f, "established,");
}

/* "If there are other controls or text in the segment, then continue processing" */
static void syn_sent_gets_syn_ack_with_text_and_fin(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	in_out(f, "SFP. 1000:1010(10) ack 5001", ". 5001:5001(0) ack 1012");
	expect_state(f, TCP_STATE_CLOSE_WAIT);
	expect_events(f, "established,peer closed,");
	assert_int_equal(f->read_bytes, 10);
}

/* 3.5, figure 8: both send a SYN; each answers with its SYN-ACK, and the ACK to that opens. */
static void syn_sent_gets_syn(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	in_out(f, "S 1000:1000(0)", "S. 5000:5000(0) ack 1001");
	expect_state(f, TCP_STATE_SYN_RECEIVED);
	/* the peer's SYN-ACK is old by its number: refused with an ACK that opens the peer */
	in_out(f, "S. 1000:1000(0) ack 5001", ". 5001:5001(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5001");
	expect_state(f, TCP_STATE_ESTABLISHED);
	expect_events(f, "established,");
}

/* Data written before the connection stands leaves with the first ACK. */
static void syn_sent_with_queued_data_and_fin(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	say(f, 100);
	tcp_shutdown(f->t, f->now_us);
	expect_nothing(f);
	in_out(f, "S. 1000:1000(0) ack 5001", "FP. 5001:5101(100) ack 1001");
	expect_state(f, TCP_STATE_FIN_WAIT_1);
	expect_events(f, "established,");
}

/* 3.10.4: "SYN-SENT: Delete the TCB"; 3.10.5: "Delete the TCB, enter CLOSED state" */
static void syn_sent_is_closed(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	tcp_close(f->t, f->now_us);
	expect_state(f, TCP_STATE_CLOSED);
	tcp_free(f->t);
	go_to(f, TCP_STATE_SYN_SENT);
	tcp_abort(f->t, f->now_us);
	expect_state(f, TCP_STATE_CLOSED);
	expect_nothing(f);
	expect_events(f, "closed,closed,");
}

/* "any other incoming control or data (combined with SYN) will be processed in the SYN-RECEIVED" */
static void listen_gets_syn_with_text_and_fin(void **state)
{
	struct fixture *f = *state;

	accept_syn(f, "SF 1000:1005(5)");
	expect_only(f, "S. 5000:5000(0) ack 1001");
	assert_int_equal(f->read_bytes, 0);
	in_out(f, ". 1001:1001(0) ack 5001", ". 5001:5001(0) ack 1007");
	assert_int_equal(f->read_bytes, 5);
	expect_state(f, TCP_STATE_CLOSE_WAIT);
	expect_events(f, "established,peer closed,");
}

/*
 * "passive OPEN [...] then return this connection to LISTEN state [...]. The user need not be
 * informed"
 */
static void syn_received_gets_reset(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	in_silence(f, "R 1000:1000(0)");
	in_silence(f, "R 11001:11001(0)");
	in_out(f, "R 1002:1002(0)", ". 5001:5001(0) ack 1001");
	expect_state(f, TCP_STATE_SYN_RECEIVED);
	in_silence(f, "R 1001:1001(0)");
	expect_state(f, TCP_STATE_CLOSED);
	expect_events(f, "closed,");
	assert_int_equal(f->listener.half_open, 0);
	tcp_free(f->t);

	go_to(f, TCP_STATE_SYN_SENT);
	in_out(f, "S 1000:1000(0)", "S. 5000:5000(0) ack 1001");
	in_silence(f, "R 1001:1001(0)");
	expect_events(f, "refused,closed,"); /* "connection was refused; signal the user" */
}

/* "If the connection was initiated with a passive OPEN, then return [...] to the LISTEN state" */
static void syn_received_gets_other_syn(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	in_silence(f, "S 1500:1500(0)");
	expect_state(f, TCP_STATE_CLOSED);
}

/* The SYN again is before the window: an ACK by the letter, the SYN-ACK again by Linux. */
static void syn_received_gets_syn_again(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	in_out(f, "S 1000:1000(0)", ". 5001:5001(0) ack 1001");
	f->config.syn_ack_for_old_syn = true;
	in_out(f, "S 1000:1000(0)", "S. 5000:5000(0) ack 1001");
	in_out(f, "S 1000:1010(10)", "S. 5000:5000(0) ack 1001"); /* though it ends in the window */
	expect_state(f, TCP_STATE_SYN_RECEIVED);
}

/* "If the segment acknowledgment is not acceptable, form a reset segment <SEQ=SEG.ACK><CTL=RST>" */
static void syn_received_gets_bad_ack(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	in_out(f, ". 1001:1001(0) ack 5000", "R 5000:5000(0)");
	in_out(f, ". 1001:1001(0) ack 5002", "R 5002:5002(0)");
	in_out(f, ". 1001:1001(0) ack 1", "R 1:1(0)");
	in_silence(f, "- 1001:1005(4)"); /* "if the ACK bit is off, drop the segment" */
	expect_state(f, TCP_STATE_SYN_RECEIVED);
	in_out(f, "P. 1001:1011(10) ack 5001", ". 5001:5001(0) ack 1011");
	assert_int_equal(f->read_bytes, 10);
	expect_state(f, TCP_STATE_ESTABLISHED);
}

/* Table 6, a window of 10,000: [1001, 11001). The second of each pair is what is just refused. */
static void sequence_check_with_window(void **state)
{
	struct fixture *f = *state;
	const char *ack = ". 5001:5001(0) ack 1001";

	established(f);
	in_silence(f, ". 1001:1001(0) ack 5001");
	in_silence(f, ". 11000:11000(0) ack 5001");
	in_out(f, ". 1000:1000(0) ack 5001", ack);
	in_out(f, ". 11001:11001(0) ack 5001", ack);
	assert_int_equal(tcp_vars(f->t)->unacceptable, 2);
	in_out(f, ". 991:1001(10) ack 5001", ack); /* wholly old */
	in_out(f, ". 11001:11011(10) ack 5001", ack);
	assert_int_equal(tcp_vars(f->t)->unacceptable, 4);
	in_out(f, ". 10991:11001(10) ack 5001", ack); /* the last ten are held */
	in_out(f, ". 10996:11006(10) ack 5001", ack);
	in_out(f, ". 999:1002(3) ack 5001", ". 5001:5001(0) ack 1002"); /* one is new */
	assert_int_equal(tcp_vars(f->t)->unacceptable, 4);
	assert_int_equal(f->read_bytes, 1);
	assert_int_equal(tcp_vars(f->t)->conflicts, 0);
}

/*
 * "If the RCV.WND is zero [...] special allowance should be made to accept valid ACKs, URGs, and
 * RSTs."
 */
static void sequence_check_without_window(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, "P. 1001:11001(10000) ack 5001", ". 5001:5001(0) ack 11001 win 0");
	say(f, 20);
	expect_only(f, "P. 5001:5021(20) ack 11001 win 0");
	in_silence(f, ". 11001:11001(0) ack 5011"); /* length 0, SEG.SEQ = RCV.NXT */
	assert_int_equal(tcp_vars(f->t)->snd_una, 5011);
	in_out(f, ". 11002:11002(0) ack 5021", ". 5021:5021(0) ack 11001 win 0");
	assert_int_equal(tcp_vars(f->t)->snd_una, 5011);
	in_out(f, ". 11000:11001(1) ack 5021", ". 5021:5021(0) ack 11001 win 0");
	assert_int_equal(tcp_vars(f->t)->snd_una, 5011);
	/* the text is refused, its ACK is not */
	in_out(f, ". 11001:11002(1) ack 5021", ". 5021:5021(0) ack 11001 win 0");
	assert_int_equal(tcp_vars(f->t)->snd_una, 5021);
	assert_int_equal(f->arrived_bytes, 10000);
	assert_int_equal(f->read_bytes, 0);
	in_silence(f, "R 11001:11001(0)");
	expect_events(f, "reset,closed,");
}

static void check_reset_elsewhere(struct fixture *f)
{
	enum tcp_state state = tcp_state(f->t);
	uint32_t rcv_nxt = tcp_vars(f->t)->rcv_nxt;
	uint32_t challenges = tcp_vars(f->t)->challenges;
	char text[FIXTURE_TEXT_MAX];

	/* 1) "outside the current receive window, silently drop" */
	snprintf(text, sizeof(text), "R %u:%u(0)", rcv_nxt - 1, rcv_nxt - 1);
	in_silence(f, text);
	snprintf(text, sizeof(text), "R %u:%u(0)", 11001, 11001);
	in_silence(f, text);
	/* 3) "does not exactly match [...], yet is within" */
	in(f, "R. 11000:11000(0) ack 1");
	snprintf(text, sizeof(text), ". %u:%u(0) ack %u", tcp_vars(f->t)->snd_nxt,
		 tcp_vars(f->t)->snd_nxt, rcv_nxt);
	expect_only(f, text);
	expect_state(f, state);
	assert_int_equal(tcp_vars(f->t)->challenges, challenges + 1);
	expect_events(f, "");
}

static void synchronized_gets_reset_elsewhere(void **state)
{
	in_synchronized_states(*state, check_reset_elsewhere);
}

/* 2) "exactly matches [...] MUST reset the connection"; in the last three nobody is told. */
static void check_reset_exactly(struct fixture *f)
{
	enum tcp_state state = tcp_state(f->t);
	char text[FIXTURE_TEXT_MAX];

	snprintf(text, sizeof(text), "R %u:%u(0)", tcp_vars(f->t)->rcv_nxt,
		 tcp_vars(f->t)->rcv_nxt);
	in_silence(f, text);
	expect_state(f, TCP_STATE_CLOSED);
	expect_events(f, state == TCP_STATE_CLOSING || state == TCP_STATE_LAST_ACK ||
					 state == TCP_STATE_TIME_WAIT
				 ? "closed,"
				 : "reset,closed,");
}

static void synchronized_gets_reset_exactly(void **state)
{
	in_synchronized_states(*state, check_reset_exactly);
}

/*
 * "if the SYN bit is set, irrespective of the sequence number, TCP endpoints MUST send a challenge
 * ACK"
 */
static void check_syn(struct fixture *f)
{
	enum tcp_state state = tcp_state(f->t);
	uint32_t snd_nxt = tcp_vars(f->t)->snd_nxt;
	uint32_t rcv_nxt = tcp_vars(f->t)->rcv_nxt;
	char ack[FIXTURE_TEXT_MAX];

	f->config.reuse_time_wait = false;
	f->config.challenge_acks_per_second = 0;
	snprintf(ack, sizeof(ack), ". %u:%u(0) ack %u", snd_nxt, snd_nxt, rcv_nxt);
	in_out(f, "S 3000:3000(0)", ack);
	in_out(f, "S 1000:1000(0)", ack);
	in_out(f, "S 900000:900000(0)", ack);
	in_out(f, "S. 1001:1001(0) ack 5001", ack);
	expect_state(f, state);
	expect_events(f, "");
}

static void synchronized_gets_syn(void **state)
{
	in_synchronized_states(*state, check_syn);
}

/* 3.10.5: "Send a reset segment: <SEQ=SND.NXT><CTL=RST>"; not in the last three. */
static void check_abort(struct fixture *f)
{
	enum tcp_state state = tcp_state(f->t);
	uint32_t snd_nxt = tcp_vars(f->t)->snd_nxt;
	char text[FIXTURE_TEXT_MAX];

	tcp_abort(f->t, f->now_us);
	snprintf(text, sizeof(text), "R %u:%u(0)", snd_nxt, snd_nxt);
	if (state != TCP_STATE_CLOSING && state != TCP_STATE_LAST_ACK &&
	    state != TCP_STATE_TIME_WAIT)
		expect(f, text);
	expect_nothing(f);
	expect_state(f, TCP_STATE_CLOSED);
	expect_events(f, "closed,");
	tcp_abort(f->t, f->now_us); /* a second time it is nothing */
	expect_events(f, "");
}

static void synchronized_is_aborted(void **state)
{
	in_synchronized_states(*state, check_abort);
}

static void check_no_ack_bit(struct fixture *f)
{
	enum tcp_state state = tcp_state(f->t);
	uint32_t rcv_nxt = tcp_vars(f->t)->rcv_nxt;
	char text[FIXTURE_TEXT_MAX];

	snprintf(text, sizeof(text), "F %u:%u(5)", rcv_nxt, rcv_nxt + 5);
	in_silence(f, text);
	assert_int_equal(tcp_vars(f->t)->rcv_nxt, rcv_nxt);
	expect_state(f, state);
}

/* "if the ACK bit is off, drop the segment and return" */
static void synchronized_gets_no_ack_bit(void **state)
{
	in_synchronized_states(*state, check_no_ack_bit);
}

/* RFC 5961, section 7: so many in a period, then silence. */
static void challenges_are_limited(void **state)
{
	struct fixture *f = *state;

	established(f);
	f->config.challenge_acks_per_second = 2;
	for (unsigned i = 0; i < 5; i++)
		in(f, "R 1500:1500(0)");
	assert_int_equal(f->out_count, 2);
	assert_int_equal(tcp_vars(f->t)->challenges, 5);
	pass_ms(f, 1000);
	in(f, "R 1500:1500(0)");
	assert_int_equal(f->out_count, 3);
}

/* The like of Linux: bare segments out of window are answered twice a second, data always is. */
static void out_of_window_answers_are_limited(void **state)
{
	struct fixture *f = *state;
	const char *ack = ". 5001:5001(0) ack 1001";

	established(f);
	f->config.out_of_window_ack_interval_us = 500000;
	in_out(f, ". 1000:1000(0) ack 5001", ack);
	in_silence(f, ". 1000:1000(0) ack 5001");
	in_silence(f, "R 1500:1500(0)");
	in_out(f, ". 990:1000(10) ack 5001", ack);
	pass_ms(f, 499);
	in_silence(f, ". 1000:1000(0) ack 5001");
	pass_ms(f, 1);
	in_out(f, ". 1000:1000(0) ack 5001", ack);
}

/* "(SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT [...] MUST be discarded and an ACK sent back" */
static void ack_out_of_range(void **state)
{
	struct fixture *f = *state;
	const char *ack = ". 25001:25001(0) ack 1001";

	established(f);
	f->config.initial_cwnd_segments = 30;
	in_silence(f, ". 1001:1001(0) ack 5001 win 20000"); /* MAX.SND.WND is 20,000 */
	for (uint32_t i = 0; i < 20; i++) {
		char text[FIXTURE_TEXT_MAX];

		say(f, 1000);
		f->out_count = 0;
		snprintf(text, sizeof(text), ". 1001:1001(0) ack %u win 10000", 6001 + 1000 * i);
		in_silence(f, text);
	}
	assert_int_equal(tcp_vars(f->t)->snd_una, 25001);
	in_out(f, "P. 1001:1011(10) ack 25002", ack);
	in_out(f, "P. 1001:1011(10) ack 5000", ack);
	assert_int_equal(tcp_vars(f->t)->bad_acks, 2);
	assert_int_equal(f->read_bytes, 0);
	/* "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored": its text cannot */
	in_out(f, "P. 1001:1011(10) ack 5001", ". 25001:25001(0) ack 1011");
	in_out(f, "P. 1011:1021(10) ack 25001", ". 25001:25001(0) ack 1021");
	f->config.silent_on_future_ack = true;
	in_silence(f, "P. 1021:1031(10) ack 25002");
	assert_int_equal(f->read_bytes, 20);
	tcp_shutdown(f->t, f->now_us);
	expect_only(f, "F. 25001:25001(0) ack 1021");
	in_out(f, ". 1021:1021(0) ack 25003", ". 25002:25002(0) ack 1021"); /* only ESTABLISHED */
}

/* Text alone, FIN alone: each is kept until the connection stands, and says nothing by itself. */
static void listen_gets_syn_with_text_or_fin(void **state)
{
	struct fixture *f = *state;

	f->config.delayed_ack_us = 40000;
	accept_syn(f, "S 1000:1010(10)");
	expect_only(f, "S. 5000:5000(0) ack 1001");
	pass_ms(f, 500);
	expect_nothing(f);
	in_out(f, ". 1001:1001(0) ack 5001", ". 5001:5001(0) ack 1011");
	assert_int_equal(f->read_bytes, 10);
	tcp_free(f->t);

	accept_syn(f, "SF 1000:1000(0)");
	expect_only(f, "S. 5000:5000(0) ack 1001");
	in_out(f, ". 1001:1001(0) ack 5001", ". 5001:5001(0) ack 1002");
	expect_state(f, TCP_STATE_CLOSE_WAIT);
}

static void syn_sent_gets_syn_with_text(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_SENT);
	in_out(f, "S 1000:1010(10)", "S. 5000:5000(0) ack 1001");
	assert_int_equal(f->read_bytes, 0);
	in_out(f, ". 1001:1001(0) ack 5001", ". 5001:5001(0) ack 1011");
	assert_int_equal(f->read_bytes, 10);
}

/* MAX.SND.WND is "the largest window [...] ever received", the SYN's included. */
static void window_of_the_syn_counts(void **state)
{
	struct fixture *f = *state;

	accept_syn(f, "S 1000:1000(0) win 20000");
	in(f, ". 1001:1001(0) ack 5001 win 100");
	assert_int_equal(tcp_vars(f->t)->max_snd_wnd, 20000);
	assert_int_equal(tcp_vars(f->t)->snd_wnd, 100);
}

static void counters(void **state)
{
	struct fixture *f = *state;
	const struct tcp_vars *v;

	go_to(f, TCP_STATE_SYN_SENT);
	in(f, ". 1000:1000(0) ack 4000");
	in(f, "S. 1000:1000(0) ack 5001");
	in(f, ". 900:900(0) ack 5001");
	in(f, ". 1001:1001(0) ack 9999");
	v = tcp_vars(f->t);
	assert_int_equal(v->packets_in, 4);
	assert_int_equal(v->packets_out, 5);
	assert_int_equal(v->bad_acks, 2);
	assert_int_equal(v->unacceptable, 1);
	assert_int_equal(v->challenges, 1);
	tcp_free(f->t);
	f->out_count = 0;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	in(f, "S 1000:1000(0)");
	in(f, ". 1001:1001(0) ack 7");
	v = tcp_vars(f->t);
	assert_int_equal(v->packets_in, 3);
	assert_int_equal(v->unacceptable, 1);
	assert_int_equal(v->bad_acks, 1);
}

/* A peer that can take next to nothing, says it. */
static void mss_of_next_to_nothing(void **state)
{
	struct fixture *f = *state;

	accept_syn(f, "S 1000:1000(0) mss 1");
	assert_int_equal(tcp_vars(f->t)->snd_mss, 64);
}

/* Whatever is called on an endpoint that is over does nothing at all. */
static void closed_does_nothing(void **state)
{
	struct fixture *f = *state;

	established(f);
	tcp_abort(f->t, f->now_us);
	f->out_count = 0;
	f->events[0] = 0;
	assert_int_equal(tcp_write(f->t, f->now_us, "x", 1), 0);
	tcp_shutdown(f->t, f->now_us);
	tcp_close(f->t, f->now_us);
	tcp_drop(f->t, f->now_us);
	tcp_set_reading(f->t, f->now_us, true);
	tcp_set_rcv_buffer(f->t, f->now_us, 1);
	tcp_on_time(f->t, f->now_us + 100000000);
	f->now_us += 100000000;
	assert_int_equal(tcp_read(f->t, f->now_us, 1), 0);
	in_silence(f, "F. 1001:1002(1) ack 5001");
	expect_events(f, "");
	expect_no_timer(f);
}

static void syn_received_is_aborted(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	tcp_abort(f->t, f->now_us);
	expect_only(f, "R 5001:5001(0)");
	expect_events(f, "closed,");
}

/* "queue for processing after entering ESTABLISHED state": the FIN as the data before it */
static void syn_received_is_closed(void **state)
{
	struct fixture *f = *state;

	go_to(f, TCP_STATE_SYN_RECEIVED);
	tcp_close(f->t, f->now_us);
	expect_nothing(f);
	in_out(f, ". 1001:1001(0) ack 5001", "F. 5001:5001(0) ack 1001");
	expect_state(f, TCP_STATE_FIN_WAIT_1);
}

/* Without window and without a state that takes text there is an answer all the same. */
static void close_wait_without_window_gets_text(void **state)
{
	struct fixture *f = *state;

	f->config.rcv_buffer_bytes = 10;
	established(f);
	tcp_set_reading(f->t, f->now_us, false);
	in_out(f, "F. 1001:1010(9) ack 5001", ". 5001:5001(0) ack 1011 win 0");
	in_out(f, ". 1011:1012(1) ack 5001", ". 5001:5001(0) ack 1011 win 0");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(closed_gets_anything_but_reset),
		CASE(closed_gets_reset),
		CASE(listen_gets_each_kind),
		CASE(listen_with_full_backlog_gets_syn),
		CASE(syn_with_options),
		CASE(syn_sent_gets_bad_ack),
		CASE(syn_sent_gets_reset),
		CASE(syn_sent_gets_syn_ack),
		CASE(syn_sent_gets_syn_ack_with_text_and_fin),
		CASE(syn_sent_gets_syn),
		CASE(syn_sent_with_queued_data_and_fin),
		CASE(syn_sent_is_closed),
		CASE(listen_gets_syn_with_text_and_fin),
		CASE(syn_received_gets_reset),
		CASE(syn_received_gets_other_syn),
		CASE(syn_received_gets_syn_again),
		CASE(syn_received_gets_bad_ack),
		CASE(sequence_check_with_window),
		CASE(sequence_check_without_window),
		CASE(synchronized_gets_reset_elsewhere),
		CASE(synchronized_gets_reset_exactly),
		CASE(synchronized_gets_syn),
		CASE(synchronized_is_aborted),
		CASE(synchronized_gets_no_ack_bit),
		CASE(challenges_are_limited),
		CASE(out_of_window_answers_are_limited),
		CASE(ack_out_of_range),
		CASE(listen_gets_syn_with_text_or_fin),
		CASE(syn_sent_gets_syn_with_text),
		CASE(window_of_the_syn_counts),
		CASE(counters),
		CASE(mss_of_next_to_nothing),
		CASE(closed_does_nothing),
		CASE(syn_received_is_aborted),
		CASE(syn_received_is_closed),
		CASE(close_wait_without_window_gets_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
