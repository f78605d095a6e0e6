/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_fixture.h - a replay core in virtual time, spoken to in lines that read like packets.
 *
 *	client_says(f, "P. 1:6(5) ack 1");       the online client's packet was captured
 *	client_data(f, 1, 1, "GET /");           likewise, with this payload
 *	server_says(f, "F. 301:301(0) ack 6");   the online server's
 *	target_says(f, "P. 1:301(300) ack 6");   intercept reported it; " x3": three segments merged
 *	pass_ms(f, 40);                          timers run
 *	expect_segment(f, ". 6:6(0) ack 301");   the next segment to the target
 *	expect_nothing(f);
 *
 * Numbers are relative: a client's to f->client_isn and f->server_isn, a target's and ours to the
 * ISS and IRS of that session. They may be negative. A line may go on with " win N" and
 * " <options>"; an expectation compares only what it mentions. Data without a text is a pattern of
 * its place in the stream (pattern_byte), so that a misplaced byte shows.
 *
 * Every event ends its batch, unless f->hold is set, and after every event both sums of the ledger
 * are checked. fixture_free ends with a shutdown and checks that it leaves nothing open.
 */
#ifndef TESTS_UNIT_REPLAY_FIXTURE_H
#define TESTS_UNIT_REPLAY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/packet.h"
#include "common/seq.h"
#include "tcpcopy/replay.h"
#include "tests/unit/packet_builder.h"

enum {
	FIXTURE_NOTICES_MAX = 64,
	FIXTURE_LINE_MAX = 256,
};

/* A segment that replay emitted. */
struct sent {
	struct tuple tuple;
	size_t faked; /* index of its session */
	uint32_t seq;
	uint32_t ack;
	uint16_t window;
	uint8_t flags;
	struct tcp_options options;
	uint32_t len_bytes;
	uint16_t cut_bytes; /* 0: one segment; otherwise several of so much payload */
	uint8_t *payload;   /* owned */
	uint64_t at_us;
};

/* A session as the world sees it: registered under an id. */
struct faked {
	uint32_t id;
	struct tuple response; /* target -> faked client */
	uint32_t iss;
	uint32_t irs;
	bool has_syn;
	bool is_registered;
};

struct fixture {
	struct replay *replay;
	uint64_t now_us;
	/* Who speaks in client_says, server_says; target_says speaks to the session `at`. */
	const char *client; /* borrowed, or client_text */
	const char *server;
	char client_text[32];
	uint32_t client_isn;
	uint32_t server_isn;
	size_t at;
	enum build_checksum checksum;
	bool hold;      /* events do not end the batch */
	long emit_room; /* segments until emit says full; -1: never full */
	bool mute;      /* emitted segments are not recorded, but handed to on_emit */
	void (*on_emit)(void *ctx, const struct sent *s);
	void *on_emit_ctx;
	uint64_t frames;
	struct sent *sent;
	size_t sent_count;
	size_t sent_room;
	size_t expected; /* the next one to be looked at */
	struct faked *faked;
	size_t faked_count;
	size_t faked_room;
	enum replay_notice notices[FIXTURE_NOTICES_MAX];
	size_t notice_count;
	size_t urgency_changes;
	bool urgent;
	struct replay_effects effects;
	size_t targets;
};

struct fixture_config {
	const char *transfers[4]; /* "10.0.0.2:80-10.1.0.1:8080"; this one if none is given */
	const char *pool_first;   /* none: clients keep their addresses */
	const char *pool_last;
	uint64_t give_up_us;       /* 600 s */
	uint64_t park_after_us;    /* as in production; UINT64_MAX: never */
	uint64_t max_memory_bytes; /* 64 MiB */
	uint32_t max_sessions;     /* 65536 */
	uint16_t first_port;       /* this worker's slice; all */
	uint16_t last_port;
	uint64_t key; /* of the process */
	uint64_t isn_key;
	uint64_t now_us; /* the first moment; 1000 s */
	bool no_link;
	bool any_checksum;
	bool whole_only;        /* -O */
	bool no_wait;           /* -W */
	bool without_intercept; /* -L */
	bool sample_by_client;
	uint32_t sample_ppm; /* all */
	uint32_t rate_per_s; /* none */
	uint64_t gradual_us; /* none */
	unsigned copies;     /* -n; 1 */
	unsigned port_shift;
	uint64_t capture_latency_us;
	const char *localhost;    /* -H */
	unsigned share, share_of; /* -j */
};

/* The captured byte at this place of a client's stream. */
static inline uint8_t pattern_byte(uint64_t off)
{
	return (uint8_t)(off * 7 + (off >> 8) * 3 + (off >> 16) * 5 + (off >> 24) * 11);
}

static inline void fill_pattern(uint8_t *buf, uint64_t off, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern_byte(off + i);
}

/* ---- the effects, recorded ---- */

static inline size_t fixture_faked_of(const struct fixture *f, const struct tuple *tuple)
{
	struct tuple response = tuple_reverse(tuple);

	for (size_t i = f->faked_count; i-- > 0;)
		if (tuple_equal(&f->faked[i].response, &response))
			return i;
	fail_msg("a segment on a tuple that was never registered");
	return 0;
}

static inline int fixture_emit(void *ctx, const struct segment *seg)
{
	struct fixture *f = ctx;
	struct sent s = {.tuple = seg->tuple,
			 .seq = seg->seq,
			 .ack = seg->ack,
			 .window = seg->window,
			 .flags = seg->flags,
			 .options = seg->options,
			 .len_bytes = seg->payload_len_bytes,
			 .cut_bytes = seg->gso_size_bytes,
			 .at_us = f->now_us};
	size_t at = 0;

	if (f->emit_room == 0)
		return -1;
	if (f->emit_room > 0)
		f->emit_room--;
	s.faked = fixture_faked_of(f, &seg->tuple);
	assert_true(f->faked[s.faked].is_registered); /* answers must find their way back */
	assert_in_range(seg->iov_count, 0, SEGMENT_IOV_MAX);
	s.payload = malloc(s.len_bytes ? s.len_bytes : 1);
	assert_non_null(s.payload);
	for (size_t i = 0; i < seg->iov_count; i++) {
		assert_true(at + seg->iov[i].iov_len <= s.len_bytes);
		memcpy(s.payload + at, seg->iov[i].iov_base, seg->iov[i].iov_len);
		at += seg->iov[i].iov_len;
	}
	assert_int_equal(at, s.len_bytes);
	if (s.flags & TCP_SYN) {
		f->faked[s.faked].iss = s.seq;
		f->faked[s.faked].has_syn = true;
	}
	if (f->on_emit)
		f->on_emit(f->on_emit_ctx, &s);
	if (f->mute) {
		free(s.payload);
		return 0;
	}
	if (f->sent_count == f->sent_room) {
		f->sent_room = f->sent_room ? f->sent_room * 2 : 64;
		f->sent = realloc(f->sent, f->sent_room * sizeof(*f->sent));
		assert_non_null(f->sent);
	}
	f->sent[f->sent_count++] = s;
	return 0;
}

static inline void fixture_register(void *ctx, uint32_t id, const struct tuple *response)
{
	struct fixture *f = ctx;

	for (size_t i = 0; i < f->faked_count; i++) {
		if (!f->faked[i].is_registered)
			continue;
		assert_int_not_equal(f->faked[i].id, id);
		assert_false(tuple_equal(&f->faked[i].response, response));
	}
	if (f->faked_count == f->faked_room) {
		f->faked_room = f->faked_room ? f->faked_room * 2 : 64;
		f->faked = realloc(f->faked, f->faked_room * sizeof(*f->faked));
		assert_non_null(f->faked);
	}
	f->at = f->faked_count;
	f->faked[f->faked_count++] = (struct faked){
		.id = id, .response = *response, .irs = 7000000, .is_registered = true};
}

static inline void fixture_unregister(void *ctx, uint32_t id)
{
	struct fixture *f = ctx;

	for (size_t i = f->faked_count; i-- > 0;) {
		if (f->faked[i].is_registered && f->faked[i].id == id) {
			f->faked[i].is_registered = false;
			return;
		}
	}
	fail_msg("an id was unregistered that was not registered");
}

static inline void fixture_urgency(void *ctx, bool urgent)
{
	struct fixture *f = ctx;

	f->urgency_changes++;
	f->urgent = urgent;
}

static inline void fixture_notice(void *ctx, enum replay_notice notice, size_t target)
{
	struct fixture *f = ctx;

	assert_in_range(target, 0, f->targets - 1);
	if (f->notice_count < FIXTURE_NOTICES_MAX)
		f->notices[f->notice_count++] = notice;
}

/* ---- making and ending ---- */

static inline struct ip_addr addr_of(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

static inline struct endpoint endpoint_of(const char *text)
{
	struct build_endpoint e = build_endpoint_of(text);

	return (struct endpoint){
		.addr = e.family == AF_INET6 ? ip_addr_v6_bytes(e.addr) : ip_addr_v4_bytes(e.addr),
		.port = e.port,
	};
}

static inline struct transfer transfer_of(const char *text)
{
	const char *dash = strchr(text, '-');
	char source[64] = "";

	assert_non_null(dash);
	memcpy(source, text, (size_t)(dash - text));
	return (struct transfer){.source = endpoint_of(source), .target = endpoint_of(dash + 1)};
}

static inline size_t fixture_registered(const struct fixture *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->faked_count; i++)
		n += f->faked[i].is_registered;
	return n;
}

static inline const struct ledger_target *account_of(const struct fixture *f, size_t target)
{
	return &replay_ledger(f->replay)->targets[target];
}

/* What became of the bytes for the first target, and of packets. */
static inline const struct ledger_stream *stream(const struct fixture *f)
{
	return &account_of(f, 0)->stream;
}

static inline uint64_t fate(const struct fixture *f, enum packet_fate which)
{
	return replay_ledger(f->replay)->packets.fate[which];
}

/* Both sums of the ledger, and that it knows how many sessions there are. */
static inline void check_sums(const struct fixture *f)
{
	const struct ledger *l = replay_ledger(f->replay);
	uint64_t active = 0;

	assert_true(ledger_packets_add_up(l));
	assert_int_equal(l->packets.captured, f->frames);
	for (size_t i = 0; i < f->targets; i++) {
		assert_true(ledger_stream_adds_up(&l->targets[i].stream));
		assert_true(ledger_copies_add_up(l, i));
		active += l->targets[i].sessions.active;
	}
	assert_int_equal(active, fixture_registered(f));
}

static inline struct fixture *fixture_new(const struct fixture_config *config)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct transfer transfers[4];
	struct addr_range pool;
	struct replay_config c = {
		.transfers = transfers,
		.copies = config->copies ? config->copies : 1,
		.port_shift = config->port_shift,
		.key = {config->key + 1, 2},
		.isn_secret = {config->isn_key, 4},
		.give_up_us = config->give_up_us ? config->give_up_us : 600000000,
		.keep_alive_us = UINT64_C(7200000000),
		.park_after_us = config->park_after_us,
		.whole_connections_only = config->whole_only,
		.sample_ppm = config->sample_ppm,
		.sample_by_client = config->sample_by_client,
		.gradual_us = config->gradual_us,
		.capture_latency_us = config->capture_latency_us,
		.rate_per_s = config->rate_per_s,
		.no_wait = config->no_wait,
		.without_intercept = config->without_intercept,
		.max_memory_bytes = config->max_memory_bytes ? config->max_memory_bytes : 64 << 20,
		.max_sessions = config->max_sessions ? config->max_sessions : 65536,
		.first_port = config->first_port,
		.last_port = config->last_port,
		.share = {.index = config->share, .count = config->share_of},
		.check_checksums = !config->any_checksum,
		.online_mtu_bytes = 1500,
	};

	assert_non_null(f);
	for (; c.transfer_count < 4 && config->transfers[c.transfer_count]; c.transfer_count++)
		transfers[c.transfer_count] = transfer_of(config->transfers[c.transfer_count]);
	if (!c.transfer_count)
		transfers[c.transfer_count++] = transfer_of("10.0.0.2:80-10.1.0.1:8080");
	if (config->localhost)
		c.localhost_ip4 = addr_of(config->localhost);
	if (config->pool_first) {
		pool = (struct addr_range){addr_of(config->pool_first), addr_of(config->pool_last)};
		c.client_pool = &pool;
		c.client_pool_count = 1;
	}
	f->effects = (struct replay_effects){
		.emit = fixture_emit,
		.register_session = fixture_register,
		.unregister_session = fixture_unregister,
		.urgency = fixture_urgency,
		.notice = fixture_notice,
	};
	f->client = "10.9.0.1:40000";
	f->server = "10.0.0.2:80";
	f->client_isn = 1000;
	f->server_isn = 50000;
	f->emit_room = -1;
	f->now_us = config->now_us ? config->now_us : 1000000000;
	f->targets = c.transfer_count;
	f->replay = replay_new(&c, &f->effects, f, f->now_us);
	assert_non_null(f->replay);
	if (!config->no_link)
		replay_on_links(f->replay, 1, f->now_us);
	return f;
}

static inline void fixture_forget_sent(struct fixture *f)
{
	for (size_t i = 0; i < f->sent_count; i++)
		free(f->sent[i].payload);
	f->sent_count = 0;
	f->expected = 0;
}

static inline void fixture_free(struct fixture *f)
{
	f->emit_room = -1;
	replay_shutdown(f->replay, f->now_us);
	assert_false(replay_is_blocked(f->replay));
	check_sums(f);
	assert_int_equal(fixture_registered(f), 0);
	for (size_t i = 0; i < f->targets; i++) {
		assert_int_equal(account_of(f, i)->stream.in_flight.bytes, 0);
		assert_int_equal(account_of(f, i)->stream.in_flight.requests, 0);
	}
	replay_free(f->replay);
	fixture_forget_sent(f);
	free(f->sent);
	free(f->faked);
	free(f);
}

/* For cmocka_unit_test_setup_teardown: a fixture with the defaults in *state. */
static inline int fixture_setup(void **state)
{
	*state = fixture_new(&(struct fixture_config){0});
	return 0;
}

static inline int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

#define fixture_test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* Client number n speaks. */
static inline void be_client(struct fixture *f, unsigned n)
{
	snprintf(f->client_text, sizeof(f->client_text), "10.9.%u.%u:40000", n / 250, 1 + n % 250);
	f->client = f->client_text;
}

/* ---- lines ---- */

struct line {
	char flags[8];
	char options[128];
	uint32_t seq;
	uint32_t len_bytes;
	uint32_t ack;
	long window; /* -1: not given */
	unsigned segments;
	bool has_options;
};

static inline struct line line_of(const char *text)
{
	struct line l = {.window = -1, .segments = 1};
	long long seq, end;
	unsigned len;
	const char *at;

	if (sscanf(text, "%7s %lld:%lld(%u)", l.flags, &seq, &end, &len) != 4)
		fail_msg("not a packet: %s", text);
	if (end - seq != (long long)len)
		fail_msg("numbers that do not fit: %s", text);
	l.seq = (uint32_t)seq;
	l.len_bytes = len;
	if ((at = strstr(text, " ack ")))
		l.ack = (uint32_t)strtoll(at + 5, NULL, 10);
	if ((at = strstr(text, " win ")))
		l.window = strtol(at + 5, NULL, 10);
	if ((at = strstr(text, " x")))
		l.segments = (unsigned)strtoul(at + 2, NULL, 10);
	if ((at = strchr(text, '<'))) {
		l.has_options = true;
		assert_true(strcspn(at + 1, ">") < sizeof(l.options));
		memcpy(l.options, at + 1, strcspn(at + 1, ">"));
	}
	return l;
}

static inline void end_batch(struct fixture *f)
{
	if (!f->hold)
		replay_end_batch(f->replay, f->now_us);
	check_sums(f);
}

static inline void capture(struct fixture *f, const struct frame_spec *spec)
{
	struct built_frame frame = build_frame(spec);

	f->frames++;
	replay_on_frame(f->replay, frame.link_type, frame.data, frame.len_bytes, frame.len_bytes,
			f->now_us);
	built_frame_free(&frame);
	end_batch(f);
}

/* A packet of the client with these bytes; NULL: the pattern. */
static inline void client_packet(struct fixture *f, const struct line *l, const char *payload)
{
	char *pattern = malloc(l->len_bytes + 1);
	struct frame_spec spec = {.src = f->client,
				  .dst = f->server,
				  .flags = l->flags,
				  .seq = f->client_isn + l->seq,
				  .ack = strchr(l->flags, '.') ? f->server_isn + l->ack : 0,
				  .options = l->options,
				  .checksum = f->checksum,
				  .payload_len_bytes = l->len_bytes};

	assert_non_null(pattern);
	fill_pattern((uint8_t *)pattern, (uint64_t)l->seq - 1 + (strchr(l->flags, 'S') != NULL),
		     l->len_bytes);
	spec.payload = payload ? payload : pattern;
	if (!l->len_bytes)
		spec.payload = NULL;
	capture(f, &spec);
	free(pattern);
}

static inline void client_says(struct fixture *f, const char *text)
{
	struct line l = line_of(text);

	client_packet(f, &l, NULL);
}

static inline void client_data(struct fixture *f, uint32_t seq, uint32_t ack, const char *payload)
{
	struct line l = {.flags = "P.", .seq = seq, .ack = ack};

	l.len_bytes = (uint32_t)strlen(payload);
	client_packet(f, &l, payload);
}

/* len bytes of the pattern in one packet, above the MTU a super-packet. */
static inline void client_bytes(struct fixture *f, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct line l = {.flags = "P.", .seq = seq, .ack = ack, .len_bytes = len};

	client_packet(f, &l, NULL);
}

static inline void server_says(struct fixture *f, const char *text)
{
	struct line l = line_of(text);

	capture(f, &(struct frame_spec){.src = f->server,
					.dst = f->client,
					.flags = l.flags,
					.seq = f->server_isn + l.seq,
					.ack = strchr(l.flags, '.') ? f->client_isn + l.ack : 0,
					.options = l.options,
					.checksum = f->checksum,
					.payload_len_bytes = l.len_bytes});
}

static inline void record_options(struct wire_record *r, const char *text, bool is_syn)
{
	unsigned a, b;
	const char *at;

	r->has_syn_options = is_syn;
	if ((at = strstr(text, "mss ")) && sscanf(at, "mss %u", &a) == 1) {
		r->has_mss = true;
		r->mss = (uint16_t)a;
	}
	if ((at = strstr(text, "wscale ")) && sscanf(at, "wscale %u", &a) == 1) {
		r->has_window_scale = true;
		r->window_scale = (uint8_t)a;
	}
	r->has_sack_permitted = strstr(text, "sackOK") != NULL;
	r->has_sack = strstr(text, "sack ") != NULL;
	if ((at = strstr(text, "TS ")) && sscanf(at, "TS val %u ecr %u", &a, &b) == 2) {
		r->has_timestamps = true;
		r->ts_val = a;
		r->ts_ecr = b;
	}
}

static inline struct wire_record record_of(const struct fixture *f, size_t faked, const char *text)
{
	struct line l = line_of(text);
	const struct faked *k = &f->faked[faked];
	struct wire_record r = {
		.session_id = k->id,
		.seq = k->irs + l.seq,
		.len_bytes = l.len_bytes,
		.ack = strchr(l.flags, '.') ? k->iss + l.ack : 0,
		.window = l.window >= 0 ? (uint16_t)l.window : 65535,
		.segments = (uint16_t)l.segments,
		.flags = build_flags_of(l.flags),
	};

	record_options(&r, l.options, r.flags & TCP_SYN);
	return r;
}

static inline void give_record(struct fixture *f, const struct wire_record *r)
{
	replay_on_record(f->replay, r, f->now_us);
	end_batch(f);
}

static inline void target_says(struct fixture *f, const char *text)
{
	struct wire_record r;

	assert_true(f->at < f->faked_count);
	r = record_of(f, f->at, text);
	give_record(f, &r);
}

static inline void run_timers(struct fixture *f, uint64_t until_us)
{
	unsigned still = 0;

	while (f->now_us < until_us) {
		uint64_t next = replay_next_us(f->replay);

		if (next <= f->now_us) { /* allowed now and then, but not a loop without sleep */
			assert_true(++still < 10000);
			next = f->now_us + 1;
		}
		f->now_us = next < until_us ? next : until_us;
		replay_on_time(f->replay, f->now_us);
		end_batch(f);
	}
}

static inline void pass_us(struct fixture *f, uint64_t us)
{
	run_timers(f, f->now_us + us);
}

static inline void pass_ms(struct fixture *f, uint64_t ms)
{
	pass_us(f, ms * 1000);
}

/* ---- expectations ---- */

static inline void format_sent_options(char *buf, size_t size, const struct tcp_options *o)
{
	size_t n = 0;

	buf[0] = '\0';
	if (o->has_mss)
		n += (size_t)snprintf(buf + n, size - n, ",mss %u", o->mss);
	if (o->has_sack_permitted)
		n += (size_t)snprintf(buf + n, size - n, ",sackOK");
	if (o->has_timestamps)
		n += (size_t)snprintf(buf + n, size - n, ",TS");
	if (o->has_window_scale)
		n += (size_t)snprintf(buf + n, size - n, ",wscale %u", o->window_scale);
	if (o->has_mptcp)
		n += (size_t)snprintf(buf + n, size - n, ",mptcp");
	if (n)
		memmove(buf, buf + 1, n);
}

/* The segment in the form of a line, as much of it as `like` mentions. */
static inline void format_sent(char buf[FIXTURE_LINE_MAX], const struct fixture *f,
			       const struct sent *s, const char *like)
{
	const struct faked *k = &f->faked[s->faked];
	char options[96];
	size_t n;

	packet_print_tcp(buf, FIXTURE_LINE_MAX, s->flags, s->seq - k->iss, s->len_bytes,
			 s->ack - k->irs);
	n = strlen(buf);
	if (strstr(like, " win "))
		n += (size_t)snprintf(buf + n, FIXTURE_LINE_MAX - n, " win %u", s->window);
	if (strchr(like, '<')) {
		format_sent_options(options, sizeof(options), &s->options);
		snprintf(buf + n, FIXTURE_LINE_MAX - n, " <%s>", options);
	}
}

static inline const struct sent *take_sent(struct fixture *f)
{
	return f->expected < f->sent_count ? &f->sent[f->expected++] : NULL;
}

static inline const struct sent *expect_segment_at(struct fixture *f, const char *text,
						   const char *file, int line)
{
	const struct sent *s = take_sent(f);
	char actual[FIXTURE_LINE_MAX] = "nothing";

	if (s)
		format_sent(actual, f, s, text);
	_assert_string_equal(actual, text, file, line);
	return s;
}

static inline void expect_nothing_at(struct fixture *f, const char *file, int line)
{
	const struct sent *s = take_sent(f);
	char actual[FIXTURE_LINE_MAX] = "nothing";

	if (s)
		format_sent(actual, f, s, "");
	_assert_string_equal(actual, "nothing", file, line);
}

static inline void expect_payload_at(struct fixture *f, const char *text, const char *file,
				     int line)
{
	const struct sent *s = &f->sent[f->expected - 1];

	_assert_int_equal(s->len_bytes, strlen(text), file, line);
	_assert_memory_equal(s->payload, text, s->len_bytes, file, line);
}

/* The payload of the segment that was expected last is the client's stream from off on. */
static inline void expect_pattern_at(struct fixture *f, uint64_t off, const char *file, int line)
{
	const struct sent *s = &f->sent[f->expected - 1];

	for (uint32_t i = 0; i < s->len_bytes; i++)
		_assert_int_equal(s->payload[i], pattern_byte(off + i), file, line);
}

/* The next segment reads so; returns it. */
#define expect_segment(f, text) expect_segment_at(f, text, __FILE__, __LINE__)
#define expect_nothing(f)       expect_nothing_at(f, __FILE__, __LINE__)
/* The segment that was expected last carries this text. */
#define expect_payload(f, text) expect_payload_at(f, text, __FILE__, __LINE__)
#define expect_pattern(f, off)  expect_pattern_at(f, off, __FILE__, __LINE__)

static inline void pass_in_silence_at(struct fixture *f, uint64_t ms, const char *file, int line)
{
	pass_ms(f, ms);
	expect_nothing_at(f, file, line);
}

/* For so long nothing is said. */
#define pass_in_silence(f, ms) pass_in_silence_at(f, ms, __FILE__, __LINE__)

/* All that is said now is of no interest. */
static inline void ignore_sent(struct fixture *f)
{
	fixture_forget_sent(f);
}

/* ---- states ---- */

/* The client's SYN was captured; ours is out. */
static inline void session_syn_sent(struct fixture *f)
{
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
	expect_nothing(f);
}

/* The handshakes of both sides are over. */
static inline void session_established_by(struct fixture *f, const char *client_syn,
					  const char *target_syn)
{
	client_says(f, client_syn);
	expect_segment(f, "S 0:0(0)");
	server_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	target_says(f, target_syn);
	expect_segment(f, ". 1:1(0) ack 1");
	expect_nothing(f);
}

/* MSS 1460 both ways, a window of 64 KiB, no other option. */
static inline void session_established(struct fixture *f)
{
	session_established_by(f, "S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1 win 65535 <mss 1460>");
}

/* As above with a window that never matters: scaled by 7. */
static inline void session_established_wide(struct fixture *f)
{
	session_established_by(f, "S 0:0(0) <mss 1460,wscale 7>",
			       "S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 7>");
}
#endif
