/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_fixture.h - one endpoint and a peer that is text: packets go in and are expected as
 * "S. 1000:1000(0) ack 5001 win 8000 mss 1000". Only for test_tcp*.c, after cmocka.h.
 *
 * The peer's ISN is 1000, ours 5000, and every octet follows from its sequence number, so that
 * data out of place shows. Unless a test asks for more there are no options, an MSS of 1000, a
 * window of 10,000 and no delayed acknowledgements.
 */
#ifndef TESTS_SIM_TCP_FIXTURE_H
#define TESTS_SIM_TCP_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/tcp.h"

enum {
	FIXTURE_OUT_MAX = 64,
	FIXTURE_TEXT_MAX = 200,
	FIXTURE_PAYLOAD_MAX = 65536,
	FIXTURE_PEER_ISN = 1000,
	FIXTURE_OUR_ISN = 5000,
};

struct fixture {
	struct tcp_config config;
	struct tcp_listener listener;
	struct tcp_setup setup;
	struct tcp *t;
	uint64_t now_us;
	struct tcp_packet out[FIXTURE_OUT_MAX]; /* sent and not yet expected */
	unsigned out_count;
	char events[FIXTURE_TEXT_MAX]; /* names, a comma behind each */
	uint64_t read_bytes;
	uint64_t arrived_bytes;
	enum tcp_verdict verdict;
	uint8_t payload[FIXTURE_PAYLOAD_MAX]; /* of the packet that goes in */
	bool is_wrong; /* an octet out of place; a callback must not leave by an assertion */
};

static inline uint8_t octet(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8));
}

static inline void fixture_send(void *ctx, const struct tcp_packet *p)
{
	struct fixture *f = ctx;

	if (f->out_count == FIXTURE_OUT_MAX)
		memmove(f->out, f->out + 1, --f->out_count * sizeof(f->out[0]));
	f->is_wrong |= !tuple_equal(&p->tuple, &f->setup.tuple);
	for (uint32_t i = 0; i < p->payload_len_bytes; i++)
		f->is_wrong |= p->payload[i] != octet(p->seq + i);
	f->out[f->out_count] = *p;
	f->out[f->out_count++].payload = NULL;
}

static inline void fixture_bytes(struct fixture *f, uint64_t *count, const uint8_t *bytes,
				 size_t len)
{
	for (size_t i = 0; i < len; i++)
		f->is_wrong |= bytes[i] != octet(tcp_vars(f->t)->irs + 1 + (uint32_t)(*count + i));
	*count += len;
}

static inline void fixture_data(void *ctx, const uint8_t *bytes, size_t len)
{
	struct fixture *f = ctx;

	fixture_bytes(f, &f->read_bytes, bytes, len);
}

static inline void fixture_arrived(void *ctx, const uint8_t *bytes, size_t len)
{
	struct fixture *f = ctx;

	fixture_bytes(f, &f->arrived_bytes, bytes, len);
}

static inline void fixture_event(void *ctx, enum tcp_event event)
{
	struct fixture *f = ctx;
	size_t used = strlen(f->events);

	snprintf(f->events + used, sizeof(f->events) - used, "%s,", tcp_event_name(event));
}

static const struct tcp_calls fixture_calls = {
	.send = fixture_send,
	.data = fixture_data,
	.event = fixture_event,
	.arrived = fixture_arrived,
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->config = tcp_config_rfc();
	f->config.mss = 1000;
	f->config.rcv_buffer_bytes = 10000;
	f->config.use_mss = false;
	f->config.default_mss = 1000;
	f->config.use_window_scale = false;
	f->config.use_timestamps = false;
	f->config.use_sack = false;
	f->config.delayed_ack_us = 0;
	f->listener.config = &f->config;
	f->setup = (struct tcp_setup){
		.config = &f->config, .calls = &fixture_calls, .ctx = f, .isn = FIXTURE_OUR_ISN};
	f->setup.tuple.protocol = PROTOCOL_TCP;
	f->setup.tuple.src.port = 80;
	f->setup.tuple.dst.port = 40000;
	f->now_us = 1000000;
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	assert_false(f->is_wrong);
	tcp_free(f->t);
	assert_int_equal(f->listener.half_open, 0);
	free(f);
	return 0;
}

static inline const char *flags_text(uint8_t flags)
{
	static char text[8];
	char *p = text;

	for (unsigned i = 0; i < 5; i++)
		if (flags & 1 << "\1\0\2\3\4"[i])
			*p++ = "SFRP."[i];
	if (p == text)
		*p++ = '-';
	*p = 0;
	return text;
}

static inline uint8_t flags_of(const char *text)
{
	uint8_t flags = 0;

	for (; *text; text++)
		flags |= *text == 'S'   ? TCP_FLAG_SYN
			 : *text == 'F' ? TCP_FLAG_FIN
			 : *text == 'R' ? TCP_FLAG_RST
			 : *text == 'P' ? TCP_FLAG_PSH
			 : *text == '.' ? TCP_FLAG_ACK
					: 0;
	return flags;
}

/* "F. 1001:1011(10) ack 5001 win 8000 mss 1000 wscale 7 sackok ts 5 6"; no window is 8000. */
static inline struct tcp_packet packet_of(struct fixture *f, const char *text)
{
	struct tcp_packet p = {.window = 8000};
	char copy[FIXTURE_TEXT_MAX];
	char *word;
	unsigned seq = 0;
	unsigned end = 0;
	unsigned len = 0;

	p.tuple = tuple_reverse(&f->setup.tuple);
	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	p.flags = flags_of(strtok(copy, " "));
	assert_int_equal(sscanf(strtok(NULL, " "), "%u:%u(%u)", &seq, &end, &len), 3);
	assert_true(seq + len == end && len <= sizeof(f->payload));
	p.seq = seq;
	p.payload_len_bytes = len;
	p.payload = f->payload;
	for (unsigned i = 0; i < len; i++)
		f->payload[i] = octet(seq + i + (p.flags & TCP_FLAG_SYN ? 1 : 0));
	while ((word = strtok(NULL, " ")) != NULL) {
		uint32_t n = 0;

		if (strcmp(word, "sackok") == 0) {
			p.options.has_sack_permitted = true;
			continue;
		}
		n = (uint32_t)strtoul(strtok(NULL, " "), NULL, 10);
		if (strcmp(word, "ack") == 0) {
			p.ack = n;
		} else if (strcmp(word, "win") == 0) {
			p.window = (uint16_t)n;
		} else if (strcmp(word, "mss") == 0) {
			p.options.has_mss = true;
			p.options.mss = (uint16_t)n;
		} else if (strcmp(word, "wscale") == 0) {
			p.options.has_window_scale = true;
			p.options.window_scale = (uint8_t)n;
		} else if (strcmp(word, "ts") == 0) {
			p.options.has_timestamps = true;
			p.options.ts_val = n;
			p.options.ts_ecr = (uint32_t)strtoul(strtok(NULL, " "), NULL, 10);
		} else {
			fail_msg("what is \"%s\"?", word);
		}
	}
	return p;
}

/* A packet that was sent; its window only if the expectation names one. */
static inline void print_like(char *buf, const struct tcp_packet *p, const char *wanted)
{
	char *at = buf + sprintf(buf, "%s %u:%u(%u)", flags_text(p->flags), p->seq,
				 p->seq + p->payload_len_bytes, p->payload_len_bytes);

	if (p->flags & TCP_FLAG_ACK)
		at += sprintf(at, " ack %u", p->ack);
	if (strstr(wanted, "win "))
		at += sprintf(at, " win %u", p->window);
	if (p->options.has_mss)
		at += sprintf(at, " mss %u", p->options.mss);
	if (p->options.has_window_scale)
		at += sprintf(at, " wscale %u", p->options.window_scale);
	if (p->options.has_sack_permitted)
		at += sprintf(at, " sackok");
	if (p->options.has_timestamps)
		at += sprintf(at, " ts %u %u", p->options.ts_val, p->options.ts_ecr);
	for (unsigned i = 0; i < p->sack_count; i++)
		at += sprintf(at, " sack %u-%u", p->sack[i].left, p->sack[i].right);
}

/* The next packet that the endpoint has sent. */
static inline void expect(struct fixture *f, const char *wanted)
{
	char got[2 * FIXTURE_TEXT_MAX];

	if (!f->out_count)
		fail_msg("nothing was sent, wanted: %s", wanted);
	print_like(got, &f->out[0], wanted);
	assert_string_equal(got, wanted);
	memmove(f->out, f->out + 1, --f->out_count * sizeof(f->out[0]));
}

static inline void expect_nothing(const struct fixture *f)
{
	char got[2 * FIXTURE_TEXT_MAX];

	if (f->out_count) {
		print_like(got, &f->out[0], "");
		fail_msg("sent: %s", got);
	}
}

static inline void expect_only(struct fixture *f, const char *wanted)
{
	expect(f, wanted);
	expect_nothing(f);
}

static inline void expect_state(const struct fixture *f, enum tcp_state state)
{
	assert_string_equal(tcp_state_name(tcp_state(f->t)), tcp_state_name(state));
}

/* All events since the last call. */
static inline void expect_events(struct fixture *f, const char *wanted)
{
	assert_string_equal(f->events, wanted);
	f->events[0] = 0;
}

static inline void in(struct fixture *f, const char *text)
{
	struct tcp_packet p = packet_of(f, text);

	f->verdict = tcp_on_packet(f->t, f->now_us, &p);
}

/* A packet, and the only answer to it. */
static inline void in_out(struct fixture *f, const char *text, const char *wanted)
{
	in(f, text);
	expect_only(f, wanted);
}

static inline void in_silence(struct fixture *f, const char *text)
{
	in(f, text);
	expect_nothing(f);
}

static inline void accept_syn(struct fixture *f, const char *text)
{
	struct tcp_packet p = packet_of(f, text);

	assert_int_equal(tcp_listener_judge(&f->listener, &p), TCP_JUDGED_ACCEPT);
	f->t = tcp_accept(&f->listener, f->now_us, &p, &f->setup);
	assert_non_null(f->t);
}

static inline void connect_out(struct fixture *f)
{
	f->t = tcp_connect(f->now_us, &f->setup);
	assert_non_null(f->t);
}

/* Time passes: everything that comes due happens at its moment. */
static inline void pass(struct fixture *f, uint64_t us)
{
	uint64_t until = f->now_us + us;

	while (tcp_next_us(f->t) <= until) {
		f->now_us = tcp_next_us(f->t) > f->now_us ? tcp_next_us(f->t) : f->now_us;
		tcp_on_time(f->t, f->now_us);
	}
	f->now_us = until;
	tcp_on_time(f->t, f->now_us);
}

static inline void pass_ms(struct fixture *f, uint64_t ms)
{
	pass(f, ms * 1000);
}

static inline void expect_at(struct fixture *f, uint64_t ms, const char *wanted)
{
	pass(f, ms * 1000 - 1);
	expect_nothing(f);
	pass(f, 1);
	expect_only(f, wanted);
}

static inline void expect_no_timer(const struct fixture *f)
{
	assert_true(tcp_next_us(f->t) == UINT64_MAX);
}

/* Writes the len octets that come next. */
static inline void say(struct fixture *f, uint32_t len)
{
	static uint8_t bytes[FIXTURE_PAYLOAD_MAX];
	uint32_t seq = tcp_vars(f->t)->iss + 1 + (uint32_t)tcp_vars(f->t)->written_bytes;

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = octet(seq + i);
	assert_int_equal(tcp_write(f->t, f->now_us, bytes, len), len);
}

/* Passive open, nothing sent yet in either direction: 1001 and 5001 come next. */
static inline void established(struct fixture *f)
{
	accept_syn(f, "S 1000:1000(0)");
	expect_only(f, "S. 5000:5000(0) ack 1001");
	in_silence(f, ". 1001:1001(0) ack 5001");
	expect_state(f, TCP_STATE_ESTABLISHED);
	expect_events(f, "established,");
}

/* The states, as the shortest way leads there; whatever was sent has been looked at. */
static inline void go_to(struct fixture *f, enum tcp_state state)
{
	if (state == TCP_STATE_SYN_SENT) {
		connect_out(f);
		expect_only(f, "S 5000:5000(0)");
		return;
	}
	if (state == TCP_STATE_SYN_RECEIVED) {
		accept_syn(f, "S 1000:1000(0)");
		expect_only(f, "S. 5000:5000(0) ack 1001");
		return;
	}
	established(f);
	if (state == TCP_STATE_CLOSE_WAIT || state == TCP_STATE_LAST_ACK) {
		in_out(f, "F. 1001:1001(0) ack 5001", ". 5001:5001(0) ack 1002");
		expect_events(f, "peer closed,");
	}
	if (state != TCP_STATE_ESTABLISHED && state != TCP_STATE_CLOSE_WAIT) {
		tcp_shutdown(f->t, f->now_us);
		expect_only(f, state == TCP_STATE_LAST_ACK ? "F. 5001:5001(0) ack 1002"
							   : "F. 5001:5001(0) ack 1001");
	}
	if (state == TCP_STATE_CLOSING)
		in_out(f, "F. 1001:1001(0) ack 5001", ". 5002:5002(0) ack 1002");
	if (state == TCP_STATE_FIN_WAIT_2 || state == TCP_STATE_TIME_WAIT)
		in_silence(f, ". 1001:1001(0) ack 5002");
	if (state == TCP_STATE_TIME_WAIT)
		in_out(f, "F. 1001:1001(0) ack 5002", ". 5002:5002(0) ack 1002");
	expect_state(f, state);
	f->events[0] = 0;
}
#endif
