/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_link.c - two of the simulator's TCP endpoints over a line that loses, repeats and
 * reorders: streams both ways, every way to close, wraps, closed windows, tuples used again. A
 * failure names the seed of its run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/tcp_pair.h"

enum {
	STEPS_MAX = 2000000,
	OFTEN = 60, /* seeds a case */
	LIVES = 20,
};

static void check_wrong(const struct pair *r, uint64_t seed)
{
	if (r->wrong)
		fail_msg("seed %llu: %s", (unsigned long long)seed, r->wrong);
}

/* Until nothing more happens, which must come about. */
static void run(struct pair *r, uint64_t seed)
{
	uint32_t steps = 0;

	while (!r->wrong && pair_step(r))
		if (++steps == STEPS_MAX)
			fail_msg("seed %llu: no end", (unsigned long long)seed);
	check_wrong(r, seed);
}

static void check_streams(const struct pair *r, uint64_t seed)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct pair_side *s = &r->side[i];
		uint32_t wanted = r->side[!i].total_bytes;

		if (s->t || !s->is_closed || s->is_timed_out || s->arrived != wanted ||
		    (s->heard != wanted && !s->is_reset) || s->listener.half_open ||
		    (s->is_reset && r->end != PAIR_FIRST_ABORTS))
			fail_msg("seed %llu: side %u heard %llu of %u, closed %d, reset %d",
				 (unsigned long long)seed, i, (unsigned long long)s->heard, wanted,
				 s->is_closed, s->is_reset);
	}
}

/* Whatever real stacks differ in, by chance. */
static void vary(struct pair *r, struct pair_side *s)
{
	struct tcp_config *c = &s->config;
	uint32_t bits = pair_random(r, UINT32_MAX);

	if (bits & 1)
		*c = tcp_config_linux();
	c->user_timeout_us = 0;
	c->syn_timeout_us = 0;
	c->use_timestamps = bits & 2;
	c->use_sack = bits & 4;
	c->use_window_scale = bits & 8;
	c->use_mss = bits & 16;
	c->mss = (uint16_t)(bits & 32 ? 1460 : 100 + pair_random(r, 1000));
	c->delayed_ack_us = bits & 64 ? 0 : c->delayed_ack_us;
	c->rcv_buffer_bytes = bits & 128 ? 65535 : 1 + pair_random(r, 8000);
	c->window_scale = (uint8_t)pair_random(r, 15);
	while (c->window_scale && 2U << c->window_scale > c->rcv_buffer_bytes)
		c->window_scale--;
	c->snd_buffer_bytes = bits & 256 ? 65535 : 1 + pair_random(r, 8000);
	c->initial_cwnd_segments = 1 + pair_random(r, 10);
	c->time_wait_us = 1000000 * (uint64_t)pair_random(r, 240) + 130000000;
	if (bits & 512 && c->rcv_buffer_bytes > 2000) {
		c->read_interval_us = 1 + pair_random(r, 100000);
		c->read_chunk_bytes = 100 + pair_random(r, 3000);
	}
	s->total_bytes = pair_random(r, bits & 1024 ? 100 : 40000);
}

static void chance(struct pair *r, uint64_t seed, uint32_t loss_percent)
{
	pair_init(r, seed);
	vary(r, &r->side[0]);
	vary(r, &r->side[1]);
	r->loss_percent = loss_percent;
	r->duplicate_percent = pair_random(r, 10);
	r->jitter_us = pair_random(r, 2) ? pair_random(r, 50000) : 0;
	r->end = (enum pair_end)pair_random(r, PAIR_FIRST_ABORTS);
}

static void streams_at_loss(uint32_t loss_percent)
{
	for (uint64_t seed = 1; seed <= OFTEN; seed++) {
		struct pair r;

		chance(&r, seed * 1000 + loss_percent, loss_percent);
		pair_connect(&r.side[0]);
		run(&r, seed * 1000 + loss_percent);
		check_streams(&r, seed * 1000 + loss_percent);
		pair_fini(&r);
	}
}

static void streams_without_loss(void **state)
{
	(void)state;
	streams_at_loss(0);
}

static void streams_at_1_percent_loss(void **state)
{
	(void)state;
	streams_at_loss(1);
}

static void streams_at_5_percent_loss(void **state)
{
	(void)state;
	streams_at_loss(5);
}

static void streams_at_15_percent_loss(void **state)
{
	(void)state;
	streams_at_loss(15);
}

static void streams_at_30_percent_loss(void **state)
{
	(void)state;
	streams_at_loss(30);
}

/* RFC 9293, figure 8, on a bad line. */
static void both_open_at_once(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= OFTEN; seed++) {
		struct pair r;

		chance(&r, seed, pair_random(&(struct pair){.random = seed}, 31));
		r.side[1].is_active = true;
		pair_connect(&r.side[0]);
		pair_connect(&r.side[1]);
		run(&r, seed);
		check_streams(&r, seed);
		pair_fini(&r);
	}
}

/* One side aborts when all is said; the other hears a reset, or its packets find nobody. */
static void one_aborts(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= OFTEN; seed++) {
		struct pair r;

		chance(&r, seed, 10);
		r.end = PAIR_FIRST_ABORTS;
		r.side[1].config.keepalive_idle_us = 1000000; /* or it may never learn of it */
		r.side[1].config.keepalive_probes = 100;
		pair_connect(&r.side[0]);
		run(&r, seed);
		check_streams(&r, seed);
		assert_true(r.side[1].is_reset);
		pair_fini(&r);
	}
}

/* Numbers and clocks that wrap at every point of a short conversation. */
static void everything_wraps(void **state)
{
	(void)state;
	for (uint32_t before = 0; before < 300; before++) {
		struct pair r;

		pair_init(&r, before);
		r.loss_percent = before % 3 * 5;
		r.jitter_us = 3000;
		r.side[0].isn = r.side[1].isn = UINT32_MAX - 17 * before;
		r.side[0].ts_base_ms = r.side[1].ts_base_ms = UINT32_MAX - 1000 - before;
		r.side[0].total_bytes = r.side[1].total_bytes = 5000;
		r.end = before % PAIR_FIRST_ABORTS;
		pair_connect(&r.side[0]);
		run(&r, before);
		check_streams(&r, before);
		pair_fini(&r);
	}
}

/* More than the number space, so that it wraps with everything in motion. */
static void long_stream_past_the_wrap(void **state)
{
	struct pair r;

	(void)state;
	pair_init(&r, 7);
	r.loss_percent = 1;
	r.side[0].isn = UINT32_MAX - 1000000;
	r.side[0].total_bytes = 3000000;
	pair_connect(&r.side[0]);
	run(&r, 7);
	check_streams(&r, 7);
	pair_fini(&r);
}

/*
 * RFC 9293, appendix A.2: both windows are closed and both sides probe. Neither may answer the
 * answers of the other for ever, and when the readers wake up everything goes on.
 */
static void both_windows_closed(void **state)
{
	struct pair r;
	uint64_t packets;

	(void)state;
	pair_init(&r, 1);
	for (unsigned i = 0; i < 2; i++) {
		r.side[i].total_bytes = 20000;
		r.side[i].config.rcv_buffer_bytes = 4000;
	}
	r.end = PAIR_BOTH_CLOSE;
	pair_connect(&r.side[0]);
	while (!r.side[0].is_established || !r.side[1].is_established)
		assert_true(pair_step(&r));
	for (unsigned i = 0; i < 2; i++)
		tcp_set_reading(r.side[i].t, r.now_us, false);
	while (r.now_us < 100000000)
		assert_true(pair_step(&r));
	packets = r.packets;
	while (r.now_us < 1000000000)
		assert_true(pair_step(&r));
	/* a probe each 60 s from each side, and an answer to each */
	assert_in_range(r.packets - packets, 40, 80);
	for (unsigned i = 0; i < 2; i++)
		tcp_set_reading(r.side[i].t, r.now_us, true);
	run(&r, 1);
	check_streams(&r, 1);
	pair_fini(&r);
}

static bool is_in_time_wait(const struct pair_side *s)
{
	return s->t && tcp_state(s->t) == TCP_STATE_TIME_WAIT;
}

/*
 * One tuple over and over: the server closes first, so each new SYN meets its TIME-WAIT, while
 * packets of the lives before are still under way. By timestamps (RFC 6191), whatever the ISN is,
 * or by the ISN.
 */
static void time_wait_is_used_again(bool by_timestamps)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct pair r;

		pair_init(&r, seed);
		r.loss_percent = 10;
		r.duplicate_percent = 5;
		r.jitter_us = 20000;
		r.end = PAIR_SECOND_CLOSES;
		r.side[0].config.use_timestamps = by_timestamps;
		for (unsigned life = 0; life < LIVES; life++) {
			uint32_t nxt = r.side[0].sent_end;

			r.side[0].total_bytes = pair_random(&r, 3000);
			r.side[1].total_bytes = pair_random(&r, 3000);
			r.side[0].isn = by_timestamps ? pair_random(&r, UINT32_MAX) : nxt + 70000;
			r.side[0].salt += 12345;
			r.side[1].salt += 54321;
			pair_connect(&r.side[0]);
			while (r.side[0].t || !is_in_time_wait(&r.side[1]))
				assert_true(!r.wrong && pair_step(&r));
			check_wrong(&r, seed);
			assert_int_equal(r.side[0].heard, r.side[1].total_bytes);
			assert_int_equal(r.side[1].heard, r.side[0].total_bytes);
			assert_false(r.side[0].is_reset);
		}
		run(&r, seed);
		pair_fini(&r);
	}
}

static void time_wait_is_used_again_by_timestamps(void **state)
{
	(void)state;
	time_wait_is_used_again(true);
}

static void time_wait_is_used_again_by_isn(void **state)
{
	(void)state;
	time_wait_is_used_again(false);
}

/* A stranger who knows the tuple and little else. */
static struct tcp_packet blind_packet(struct pair *r, const struct pair_side *s)
{
	static const uint8_t payload[200];
	struct tcp_packet p = {.window = (uint16_t)pair_random(r, 65536)};

	p.flags = (uint8_t)pair_random(r, 64);
	p.seq = pair_random(r, UINT32_MAX);
	p.ack = pair_random(r, UINT32_MAX);
	if (s->t && pair_random(r, 2)) { /* he guesses well, though not exactly */
		const struct tcp_vars *v = tcp_vars(s->t);

		p.seq = v->rcv_nxt + 1 + pair_random(r, 100);
		p.ack = v->snd_nxt + 1 + pair_random(r, 100);
	}
	p.options.has_timestamps = pair_random(r, 2);
	p.options.ts_val = pair_random(r, UINT32_MAX);
	p.payload = payload;
	p.payload_len_bytes = pair_random(r, sizeof(payload));
	return p;
}

/* RFC 5961: none of it ends the connection or gets into the stream. */
static void strangers_harm_nobody(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= OFTEN; seed++) {
		struct pair r;

		chance(&r, seed, 5);
		r.end = PAIR_BOTH_CLOSE;
		pair_connect(&r.side[0]);
		while (!r.side[0].is_established || !r.side[1].is_established)
			assert_true(pair_step(&r));
		while (!r.wrong && pair_step(&r)) {
			struct pair_side *s = &r.side[pair_random(&r, 2)];
			struct tcp_packet p = blind_packet(&r, s);

			/* TIME-WAIT takes a SYN of anyone; that is another test */
			if (s->t && tcp_state(s->t) != TCP_STATE_TIME_WAIT)
				tcp_on_packet(s->t, r.now_us, &p);
			pair_reap(s);
		}
		check_wrong(&r, seed);
		check_streams(&r, seed);
		pair_fini(&r);
	}
}

/* Anything at all near the numbers that matter: no assertion, no growth, always an end. */
static void nonsense_is_survived(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		static const uint8_t payload[1500];
		struct pair r;
		struct pair_side *s = &r.side[0];

		chance(&r, seed, 0);
		s->config.rcv_buffer_bytes = 5000;
		s->config.snd_buffer_bytes = 5000;
		s->config.use_timestamps = false;
		pair_connect(s);
		for (unsigned i = 0; i < 200 && s->t; i++) {
			const struct tcp_vars *v = tcp_vars(s->t);
			struct tcp_packet p = {.flags = (uint8_t)pair_random(&r, 32)};

			p.flags |= pair_random(&r, 4) ? TCP_FLAG_ACK : 0;
			p.flags &= pair_random(&r, 8) ? (uint8_t)~TCP_FLAG_RST : UINT8_MAX;
			p.seq = v->rcv_nxt + pair_random(&r, 3000) - 1500 * pair_random(&r, 2);
			p.seq = pair_random(&r, 2) ? v->rcv_nxt : p.seq;
			p.ack = v->snd_nxt - pair_random(&r, 4) + 1;
			p.window = (uint16_t)pair_random(&r, 3000);
			p.payload = payload;
			p.payload_len_bytes = pair_random(&r, 4) ? 0 : pair_random(&r, 1500);
			tcp_on_packet(s->t, r.now_us, &p);
			if (pair_random(&r, 4) == 0)
				tcp_write(s->t, r.now_us, payload, pair_random(&r, 1500));
			if (pair_random(&r, 40) == 0)
				tcp_shutdown(s->t, r.now_us);
			if (pair_random(&r, 80) == 0)
				tcp_close(s->t, r.now_us);
			if (pair_random(&r, 20) == 0)
				tcp_set_reading(s->t, r.now_us, pair_random(&r, 2));
			r.now_us += pair_random(&r, 2000000);
			if (tcp_next_us(s->t) <= r.now_us)
				tcp_on_time(s->t, r.now_us);
			assert_true(tcp_memory_bytes(s->t) < 40000);
			assert_true(v->snd_nxt - v->snd_una <= 5002);
			assert_true(v->rcv_wnd <= 5000);
			pair_reap(s);
		}
		pair_fini(&r);
	}
}

/* A seed says everything: the same packets at the same moments. */
static void same_seed_same_run(void **state)
{
	uint64_t packets[2];
	uint64_t ends_us[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct pair r;

		chance(&r, 99, 20);
		r.side[0].total_bytes = r.side[1].total_bytes = 30000;
		pair_connect(&r.side[0]);
		run(&r, 99);
		packets[i] = r.packets;
		ends_us[i] = r.now_us;
		pair_fini(&r);
	}
	assert_int_equal(packets[0], packets[1]);
	assert_int_equal(ends_us[0], ends_us[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_without_loss),
		cmocka_unit_test(streams_at_1_percent_loss),
		cmocka_unit_test(streams_at_5_percent_loss),
		cmocka_unit_test(streams_at_15_percent_loss),
		cmocka_unit_test(streams_at_30_percent_loss),
		cmocka_unit_test(both_open_at_once),
		cmocka_unit_test(one_aborts),
		cmocka_unit_test(everything_wraps),
		cmocka_unit_test(long_stream_past_the_wrap),
		cmocka_unit_test(both_windows_closed),
		cmocka_unit_test(time_wait_is_used_again_by_timestamps),
		cmocka_unit_test(time_wait_is_used_again_by_isn),
		cmocka_unit_test(strangers_harm_nobody),
		cmocka_unit_test(nonsense_is_survived),
		cmocka_unit_test(same_seed_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
