/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_stress.c - the whole data path under random traffic, in virtual time. Besides the
 * weather of stress_fixture.h and stress_target_fixture.h emit is full, links go, registrations are
 * refused, forged records come. After every event both sums of the ledger hold; the peers' streams
 * are exact prefixes of the clients'; when all is over nothing is left. Seeds are fixed; a failure
 * prints its seed.
 */
#include "tests/unit/stress_target_fixture.h"

/* ---- malice and accident ---- */

static void forge(struct world *w)
{
	struct fixture *f = w->f;
	struct peer *p;
	struct wire_record r;
	static const uint8_t flags[] = {
		TCP_ACK,           TCP_ACK | TCP_PSH, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK,
		TCP_SYN | TCP_ACK, TCP_SYN,           0,       TCP_FIN,           0xff};

	if (!w->peer_count)
		return;
	p = &w->peers[any(w, (uint32_t)w->peer_count)];
	for (size_t i = f->faked_count; i-- > 0;) {
		struct tuple response = tuple_reverse(&p->tuple);

		if (!f->faked[i].is_registered || !tuple_equal(&f->faked[i].response, &response))
			continue;
		r = (struct wire_record){
			.session_id = f->faked[i].id,
			.seq = p->iss + 1 + p->sent + any(w, 5000) - 2500,
			.ack = peer_rcv_nxt(p) + any(w, 5000) - 2500,
			.len_bytes = any(w, 2) ? any(w, 100000) : 0,
			.window = (uint16_t)(any(w, 3) ? any(w, 65536) : 0),
			.segments = (uint16_t)any(w, 65536),
			.flags = flags[any(w, sizeof(flags))],
			.has_mss = any(w, 2),
			.mss = (uint16_t)any(w, 65536),
			.has_window_scale = any(w, 2),
			.window_scale = (uint8_t)any(w, 15),
			.has_timestamps = any(w, 2),
			.ts_val = (uint32_t)(f->now_us / 1000) + any(w, 20000) - 10000,
		};
		if (any(w, 8) == 0)
			r.seq = any(w, 0xffffffff);
		if (any(w, 8) == 0)
			r.ack = any(w, 0xffffffff);
		if (any(w, 8) == 0)
			r.len_bytes = any(w, 0xffffffff);
		give_record(f, &r);
		return;
	}
}

static void on_chaos(struct world *w)
{
	struct fixture *f = w->f;

	if (strikes(w, w->w->forged))
		forge(w);
	if (strikes(w, w->w->refused) && f->faked_count) {
		replay_on_register_refused(f->replay, f->faked[any(w, (uint32_t)f->faked_count)].id,
					   f->now_us);
		end_batch(f);
	}
	if (strikes(w, w->w->link_down)) {
		w->links = !w->links;
		replay_on_links(f->replay, w->links, f->now_us);
		end_batch(f);
	}
	if (w->pending_chaos) {
		w->pending_chaos--;
		schedule(w, (struct event){.kind = CHAOS, .at_us = f->now_us + any(w, 20000)});
	}
}

static void happen(struct world *w, struct event *e)
{
	w->f->emit_room = strikes(w, w->w->emit_full) ? (long)any(w, 3) : -1;
	w->f->hold = !w->calm && any(w, 4) == 0;
	switch (e->kind) {
	case CAPTURE:
		on_capture(w, e);
		break;
	case TO_TARGET:
		on_segment(w, e);
		break;
	case RECORD:
		on_record(w, e);
		break;
	case PEER_TIMER:
		on_peer_timer(w, &w->peers[e->who]);
		break;
	case PEER_READS:
		on_peer_reads(w, &w->peers[e->who]);
		break;
	case CHAOS:
		on_chaos(w);
		break;
	}
	w->f->hold = false;
	free(e->payload);
}

static void run_until(struct world *w, uint64_t at_us)
{
	struct fixture *f = w->f;

	for (;;) {
		uint64_t next = replay_next_us(f->replay);

		if (replay_is_blocked(f->replay))
			next = f->now_us + 200;
		if (w->count && w->heap[0].at_us <= next) {
			struct event e;

			if (w->heap[0].at_us > at_us)
				break;
			e = next_event(w);
			if (e.at_us > f->now_us)
				f->now_us = e.at_us;
			happen(w, &e);
		} else {
			if (next > at_us)
				break;
			f->now_us = next > f->now_us ? next : f->now_us + 1;
			f->emit_room = strikes(w, w->w->emit_full) ? (long)any(w, 3) : -1;
			replay_on_time(f->replay, f->now_us);
			end_batch(f);
		}
		if (any(w, 4) == 0)
			end_batch(f);
	}
	if (f->now_us < at_us)
		f->now_us = at_us;
}

static void check_all_delivered(const struct world *w)
{
	for (size_t i = 0; i < w->f->targets; i++) {
		const struct ledger_stream *s = &account_of(w->f, i)->stream;

		for (int c = 0; c < DROP_CAUSES; c++)
			if (s->dropped[c].bytes || s->dropped[c].requests)
				fail_msg("dropped as %s: %llu bytes, %llu requests",
					 drop_cause_name(c),
					 (unsigned long long)s->dropped[c].bytes,
					 (unsigned long long)s->dropped[c].requests);
		assert_int_equal(s->captured.bytes, s->delivered.bytes);
		assert_int_equal(s->captured.requests, s->delivered.requests);
	}
}

static void stress(const struct weather *weather, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fixture_config config = {.give_up_us = weather->strict ? 600000000 : 60000000,
					/* Peers know a flow by its first bytes. */
					.whole_only = true};
	struct fixture *f;
	uint64_t start;

	assert_non_null(w);
	memcpy(config.transfers, weather->transfers, sizeof(weather->transfers));
	w->w = weather;
	w->random = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 10; i++)
		any(w, 2);
	w->links = true;
	config.now_us = 1000000000 + ((uint64_t)any(w, 1000000000) << 10);
	f = w->f = fixture_new(&config);
	f->mute = true;
	f->on_emit = on_emit;
	f->on_emit_ctx = w;
	w->pending_chaos = weather->forged || weather->refused || weather->link_down ? 1000 : 0;
	start = f->now_us;
	for (size_t i = 0; i < weather->flows; i++) {
		make_flow(w, i);
		script_flow(w, i, start + any(w, 3000000));
	}
	schedule(w, (struct event){.kind = CHAOS, .at_us = start});
	run_until(w, start + 30000000);
	w->calm = true;
	if (!w->links) {
		w->links = true;
		replay_on_links(f->replay, 1, f->now_us);
	}
	run_until(w, start + 700000000);
	if (weather->strict) {
		assert_int_equal(account_of(f, 0)->stream.in_flight.bytes, 0);
		check_all_delivered(w);
	}
	run_until(w, start + UINT64_C(14400000000));
	assert_int_equal(w->count, 0);
	for (size_t i = 0; i < f->targets; i++) {
		assert_int_equal(account_of(f, i)->stream.in_flight.bytes, 0);
		assert_int_equal(account_of(f, i)->stream.in_flight.requests, 0);
	}
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_false(f->urgent);
	assert_true(replay_memory(f->replay) < 16 << 20);
	assert_int_equal(replay_next_us(f->replay), UINT64_MAX);
	fixture_free(f);
	for (size_t i = 0; i < w->peer_count; i++)
		free(w->peers[i].stream);
	free(w->heap);
	free(w);
}

static const struct weather fair = {.flows = 40,
				    .servers = {"10.0.0.2:80", "10.0.0.2:80"},
				    .client_format = "10.9.0.%u:%u",
				    .transfers = {"10.0.0.2:80-10.1.0.1:8080"},
				    .strict = true};
static const struct weather lossy = {
	.flows = 40,
	.net_loss = 80,
	.net_dup = 30,
	.net_late = 100,
	.cap_late = 100,
	.cap_dup = 50,
	.emit_full = 100,
	.other_answer = 100,
	.small_window = 400,
	.servers = {"10.0.0.2:80", "10.0.0.2:81"},
	.client_format = "10.9.0.%u:%u",
	.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:81-10.1.0.1:8080"},
	.strict = true};
static const struct weather lossy6 = {.flows = 40,
				      .net_loss = 80,
				      .net_dup = 30,
				      .net_late = 100,
				      .cap_late = 100,
				      .cap_dup = 50,
				      .emit_full = 100,
				      .other_answer = 100,
				      .small_window = 400,
				      .servers = {"[2001:db8::2]:80", "[2001:db8::2]:80"},
				      .client_format = "[2001:db8:9::%u]:%u",
				      .transfers = {"[2001:db8::2]:80-[2001:db8:1::1]:8080"},
				      .strict = true};
static const struct weather storm = {.flows = 44,
				     .net_loss = 100,
				     .net_dup = 50,
				     .net_late = 150,
				     .cap_late = 100,
				     .cap_dup = 50,
				     .cap_loss = 15,
				     .emit_full = 150,
				     .other_answer = 200,
				     .target_reset = 20,
				     .stale = 60,
				     .forged = 500,
				     .refused = 10,
				     .link_down = 10,
				     .small_window = 300,
				     .quiet_ends = true,
				     .servers = {"10.0.0.2:80", "10.0.0.2:81"},
				     .client_format = "10.9.0.%u:%u",
				     .transfers = {"10.0.0.2:80-10.1.0.1:8080",
						   "10.0.0.2:81-10.1.0.1:8080",
						   "10.0.0.2:80-10.1.0.2:8080"}};

static void run_seeds(const struct weather *weather, uint64_t first, uint64_t count)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		stress(weather, seed);
	}
}

static void fair_weather(void **state)
{
	(void)state;
	run_seeds(&fair, 1, 5);
}

static void lossy_network(void **state)
{
	(void)state;
	run_seeds(&lossy, 1, 10);
	run_seeds(&lossy, 32, 1); /* a full sender as TIME-WAIT begins: its timer span for ever */
}

static void lossy_network_ipv6(void **state)
{
	(void)state;
	run_seeds(&lossy6, 1, 5);
}

static void storm_of_everything(void **state)
{
	(void)state;
	run_seeds(&storm, 1, 13); /* 13: the links changed while urgency lingered */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fair_weather),
		cmocka_unit_test(lossy_network),
		cmocka_unit_test(lossy_network_ipv6),
		cmocka_unit_test(storm_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
