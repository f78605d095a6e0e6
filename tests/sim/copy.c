/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/copy.h"

#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "tests/sim/frame.h"
#include "tests/sim/hooks.h"
#include "tests/sim/world.h"

enum {
	RESYNC_SLICE_MAX = 2048,
	SPINS_MAX = 100,
	BLOCKED_RETRY_US = 1000,
	ONLINE_MTU = 1500,
};

uint64_t copy_now(const struct world *w)
{
	return w->now_us + w->copy.skew_us;
}

/* ---- effects of replay ---- */

static struct faked *faked_for(struct world *w, const struct tuple *tuple)
{
	struct faked *f = fakes_find_tuple(&w->copy.fakes, tuple);

	if (!f)
		oracle_fail(w, "replay sends on a tuple that is not registered");
	return f;
}

/* One segment on its way to the target. */
static void launch(struct world *w, struct faked *f, const struct segment *s,
		   const uint8_t *payload)
{
	struct tcp_packet p = {
		.tuple = s->tuple,
		.seq = s->seq,
		.ack = s->ack,
		.window = s->window,
		.flags = s->flags,
		.options = s->options,
		.payload_len_bytes = s->payload_len_bytes,
	};
	struct flight *flight;

	oracle_on_segment(w, f, s);
	flight = net_new_flight(w, LEG_TARGET, f->owner, &p, true);
	memcpy(flight->bytes, payload, s->payload_len_bytes);
	net_launch(w, flight);
}

/* As the kernel does it: PSH and FIN are with the last piece. */
static void launch_pieces(struct world *w, struct faked *f, const struct segment *s,
			  const uint8_t *payload)
{
	struct segment piece = *s;

	for (uint32_t at = 0; at < s->payload_len_bytes; at += piece.payload_len_bytes) {
		uint32_t left = s->payload_len_bytes - at;

		piece.seq = s->seq + at;
		piece.payload_len_bytes = left < s->gso_size_bytes ? left : s->gso_size_bytes;
		piece.flags = s->flags;
		if (piece.payload_len_bytes < left)
			piece.flags &= (uint8_t) ~(TCP_FLAG_PSH | TCP_FLAG_FIN);
		launch(w, f, &piece, payload + at);
	}
}

static int effect_emit(void *ctx, const struct segment *s)
{
	struct world *w = ctx;
	struct faked *f = faked_for(w, &s->tuple);
	uint8_t payload[UINT16_MAX];
	size_t len = 0;

	if (!f)
		return 0;
	if (!w->copy.is_stopping &&
	    (w->now_us < w->incidents.sender_full_until_us ||
	     fault_strikes(&w->faults, FAULT_FULL, LEG_TARGET, f->owner->id, w->copy.emits++)))
		return -1;
	oracle_on_said(w, f, s->payload_len_bytes);
	for (size_t i = 0; i < s->iov_count; i++) {
		memcpy(payload + len, s->iov[i].iov_base, s->iov[i].iov_len);
		len += s->iov[i].iov_len;
	}
	if (s->gso_size_bytes)
		launch_pieces(w, f, s, payload);
	else
		launch(w, f, s, payload);
	return 0;
}

static void effect_register(void *ctx, uint32_t session_id, const struct tuple *response)
{
	struct world *w = ctx;
	struct copy *c = &w->copy;
	struct tuple tuple = tuple_reverse(response);
	struct faked *f;

	if (fakes_find_id(&c->fakes, session_id) || fakes_find_tuple(&c->fakes, &tuple))
		oracle_fail(w, "session %u is registered twice, or its tuple is", session_id);
	f = fakes_add(&c->fakes, session_id, &tuple);
	f->owner = c->current ? c->current : &w->conversations.nobody;
	f->is_whole = c->at_beginning;
	if (f->owner != &w->conversations.nobody &&
	    !settings_samples(w->settings, &f->owner->tuple.src))
		oracle_fail(w, "conversation %u is copied, and is not in the sample", f->owner->id);
	f->transfer = target_transfer_of(w->settings, &tuple.dst);
	f->copy = (uint8_t)hooks_begun_copy();
	trace_say(w, "session %u is registered for conversation %u", session_id, f->owner->id);
	intercept_link_register(c->link, session_id, response);
}

static void effect_unregister(void *ctx, uint32_t session_id)
{
	struct world *w = ctx;
	struct copy *c = &w->copy;
	struct faked *f = fakes_find_id(&c->fakes, session_id);

	if (!f) {
		oracle_fail(w, "session %u is unregistered but was not registered", session_id);
		return;
	}
	trace_say(w, "session %u is unregistered", session_id);
	fakes_remove(&c->fakes, f);
	intercept_link_unregister(c->link, session_id);
}

static void effect_urgency(void *ctx, bool urgent)
{
	struct world *w = ctx;

	intercept_link_urgency(w->copy.link, urgent);
}

static void effect_notice(void *ctx, enum replay_notice notice, size_t target)
{
	struct world *w = ctx;

	trace_say(w, "replay's notice %d, target %zu", (int)notice, target);
	if (notice == REPLAY_NOTICE_PAUSED)
		w->oracle.paused |= 1U << target;
	if (notice == REPLAY_NOTICE_RESUMED)
		w->oracle.paused &= ~(1U << target);
}

static const struct replay_effects replay_effects = {
	.emit = effect_emit,
	.register_session = effect_register,
	.unregister_session = effect_unregister,
	.urgency = effect_urgency,
	.notice = effect_notice,
};

/* ---- effects of the link ---- */

static int effect_connect(void *ctx, const struct endpoint *to, const char **why)
{
	struct world *w = ctx;

	(void)to;
	(void)why;
	w->copy.connection = link_connect(w);
	return 0;
}

static void effect_close(void *ctx)
{
	struct world *w = ctx;
	struct link_connection *connection = w->copy.connection;
	size_t len;
	const uint8_t *bytes = intercept_link_output(w->copy.link, &len);

	w->copy.connection = NULL;
	if (len)
		link_write(w, connection, LINK_NEAR, bytes, len);
	link_close(w, connection, LINK_NEAR);
}

static void lie(struct world *w, const struct faked *f, struct wire_record *r)
{
	struct rng rng;
	uint32_t number = w->copy.emits++;

	if (!fault_strikes(&w->faults, FAULT_LIE, LEG_ANSWERS, f->owner->id, number))
		return;
	rng = rng_of(fault_extent(&w->faults, FAULT_LIE, LEG_ANSWERS, f->owner->id, number), 0);
	switch (rng_below(&rng, 10)) {
	case 0:
		r->seq += rng_below(&rng, 8000) - 4000;
		break;
	case 1:
		r->ack += rng_below(&rng, 8000) - 4000;
		break;
	case 2:
		r->seq = (uint32_t)rng_next(&rng);
		break;
	case 3:
		r->ack = (uint32_t)rng_next(&rng);
		break;
	case 4:
		r->len_bytes = (uint32_t)rng_next(&rng) >> rng_below(&rng, 32);
		break;
	case 5:
		r->flags = (uint8_t)rng_next(&rng);
		break;
	case 6:
		r->window = (uint16_t)(rng_next(&rng) >> rng_below(&rng, 64));
		break;
	case 7:
		r->has_timestamps = rng_below(&rng, 2);
		r->ts_val = (uint32_t)rng_next(&rng);
		break;
	case 8:
		r->segments = (uint16_t)rng_next(&rng);
		break;
	default:
		r->has_mss = r->has_window_scale = r->has_syn_options = true;
		r->mss = (uint16_t)rng_next(&rng);
		r->window_scale = (uint8_t)rng_below(&rng, 15);
		break;
	}
}

static void effect_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	struct world *w = ctx;
	struct faked *f = fakes_find_id(&w->copy.fakes, record->session_id);
	struct wire_record r = *record;
	bool is_answer = false;

	if (f && w->settings->lies)
		lie(w, f, &r);
	if (f)
		is_answer = oracle_on_record(f, &r);
	replay_on_record(w->copy.replay, &r, now_us);
	oracle_step(w);
	if (is_answer && (w->oracle.paused & 1U << f->transfer) && !w->settings->lies)
		oracle_fail(w, "a SYN is answered, and the breaker stays open");
}

static void effect_path_mtu(void *ctx, const struct wire_path_mtu *m, uint64_t now_us)
{
	struct world *w = ctx;

	trace_say(w, "session %u: too big for its way, which takes %u bytes", m->session_id,
		  m->mtu_bytes);
	replay_on_path_mtu(w->copy.replay, m, now_us);
	oracle_step(w);
}

static void effect_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	struct world *w = ctx;

	const struct faked *f = fakes_find_id(&w->copy.fakes, session_id);

	trace_say(w, "the registration of session %u is refused", session_id);
	w->copy.current = f ? f->owner : NULL;
	w->copy.at_beginning = f && f->is_whole;
	replay_on_register_refused(w->copy.replay, session_id, now_us);
	w->copy.current = NULL;
	w->copy.at_beginning = false;
	oracle_step(w);
}

static void effect_link_state(void *ctx, enum intercept_link_state state, const char *why,
			      uint64_t now_us)
{
	(void)now_us;
	trace_say(ctx, "link: %s%s%s", intercept_link_state_name(state), *why ? ": " : "", why);
}

static const struct intercept_link_effects link_effects = {
	.connect = effect_connect,
	.close = effect_close,
	.record = effect_record,
	.path_mtu = effect_path_mtu,
	.refused = effect_refused,
	.link_state = effect_link_state,
};

/* ---- turns of the loop ---- */

void copy_wake(struct world *w)
{
	struct copy *c = &w->copy;
	uint64_t at = w->now_us;

	if (w->settings->busy_us)
		at += rng_join(w->settings->seed, w->now_us) % w->settings->busy_us;
	if (at >= c->turn_us)
		return;
	c->turn_us = at;
	world_put(w, at, EVENT_TURN, NULL);
}

static void resync_session(void *ctx, uint32_t session_id, const struct tuple *response)
{
	intercept_link_register(ctx, session_id, response);
}

static void resync(struct copy *c)
{
	size_t room = intercept_link_resync_room(c->link);

	if (!room)
		return;
	if (room > RESYNC_SLICE_MAX)
		room = RESYNC_SLICE_MAX;
	if (!replay_each_session(c->replay, intercept_link_resync_cursor(c->link), room,
				 resync_session, c->link))
		intercept_link_resync_done(c->link);
}

void copy_link_writable(struct world *w)
{
	struct copy *c = &w->copy;
	enum intercept_link_state state = intercept_link_state(c->link);
	size_t len, written;
	const uint8_t *bytes = intercept_link_output(c->link, &len);

	if (!len || !c->connection || state < INTERCEPT_LINK_HELLO)
		return;
	written = link_write(w, c->connection, LINK_NEAR, bytes, len);
	if (written)
		intercept_link_on_written(c->link, written);
}

static void run_link(struct world *w)
{
	struct copy *c = &w->copy;
	unsigned up;

	if (copy_now(w) >= intercept_link_next_us(c->link))
		intercept_link_on_time(c->link, copy_now(w));
	up = intercept_link_state(c->link) == INTERCEPT_LINK_UP;
	if (up == c->links_told)
		return;
	c->links_told = up;
	w->oracle.link_ups += up;
	replay_on_links(c->replay, up, copy_now(w));
	oracle_step(w);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void set_timer(struct world *w)
{
	struct copy *c = &w->copy;
	uint64_t now_us = copy_now(w);
	uint64_t at = earlier(replay_next_us(c->replay), intercept_link_next_us(c->link));

	c->spins = replay_next_us(c->replay) <= now_us ? c->spins + 1 : 0;
	if (c->spins == SPINS_MAX)
		oracle_fail(w, "replay wants to be called at once, again and again");
	if (replay_is_blocked(c->replay))
		at = earlier(at, now_us + BLOCKED_RETRY_US);
	if (intercept_link_resync_room(c->link))
		at = now_us;
	if (at == UINT64_MAX)
		return;
	at = at > now_us ? at - c->skew_us : w->now_us + 1;
	if (at >= c->timer_us)
		return;
	c->timer_us = at;
	world_put(w, at, EVENT_COPY_TIME, NULL);
}

void copy_time(struct world *w)
{
	if (w->copy.timer_us > w->now_us)
		return;
	w->copy.timer_us = UINT64_MAX;
	copy_wake(w);
}

void copy_turn(struct world *w)
{
	struct copy *c = &w->copy;

	if (c->turn_us > w->now_us)
		return;
	c->turn_us = UINT64_MAX;
	if (c->is_down)
		return;
	run_link(w);
	if (copy_now(w) >= replay_next_us(c->replay)) {
		replay_on_time(c->replay, copy_now(w));
		oracle_step(w);
	}
	oracle_on_batch(w);
	replay_end_batch(c->replay, copy_now(w));
	oracle_step(w);
	resync(c);
	copy_link_writable(w);
	set_timer(w);
}

/* ---- the link's news ---- */

void copy_link_connected(struct world *w)
{
	intercept_link_on_connected(w->copy.link, copy_now(w));
	copy_link_writable(w);
	copy_wake(w);
}

void copy_link_closed(struct world *w, const char *why)
{
	w->copy.connection = NULL;
	intercept_link_on_closed(w->copy.link, why, copy_now(w));
	copy_wake(w);
}

void copy_link_bytes(struct world *w, const uint8_t *bytes, size_t len_bytes)
{
	struct copy *c = &w->copy;

	while (len_bytes && c->connection) {
		size_t room;
		uint8_t *at = intercept_link_input(c->link, &room);

		room = room < len_bytes ? room : len_bytes;
		memcpy(at, bytes, room);
		intercept_link_on_input(c->link, room, copy_now(w));
		bytes += room;
		len_bytes -= room;
	}
	copy_wake(w);
}

/* ---- beginning and end ---- */

static void make_link(struct world *w)
{
	struct copy *c = &w->copy;
	struct endpoint at = {.addr = ip_addr_v4(0x0a000003), .port = WIRE_PORT_DEFAULT};
	struct intercept_link_config config = {.name = "assistant",
					       .addresses = &at,
					       .address_count = 1,
					       .instance_id =
						       rng_join(w->settings->seed, w->now_us)};

	c->link = intercept_link_new(&config, &link_effects, w, copy_now(w));
	c->links_told = 0;
	if (!c->link)
		abort();
}

static void make_replay(struct world *w)
{
	const struct settings *s = w->settings;
	struct copy *c = &w->copy;
	static const uint8_t net6[16] = {0x20, 0x01, 0x0d, 0xb8, [5] = 20, [15] = 1};
	const struct ip_addr first4 = ip_addr_v4(0x0a141e01), first6 = ip_addr_v6_bytes(net6);
	const struct addr_range pools[] = {{.first = first4, .last = ip_addr_add(&first4, 13)},
					   {.first = first6, .last = ip_addr_add(&first6, 13)}};
	struct replay_config config = {
		.transfers = c->transfers,
		.transfer_count = s->transfers,
		.key = {s->seed, 1},
		.isn_secret = {rng_mix(s->seed), 2},
		.give_up_us = s->give_up_us,
		.keep_alive_us = s->keep_alive_us,
		.park_after_us = s->park_after_us,
		.whole_connections_only = !s->joins,
		.sample_ppm = s->sample_ppm,
		.gradual_us = s->gradual_us,
		.rate_per_s = s->rate_per_s,
		.rtt_us = s->rtt_us,
		.rtt_auto = s->rtt_auto,
		.no_wait = s->no_wait,
		.without_intercept = s->waits_for_links,
		.copies = s->copies,
		.max_memory_bytes = s->max_memory_bytes,
		.max_sessions = s->max_sessions,
		.check_checksums = true,
		.online_mtu_bytes = ONLINE_MTU,
	};

	for (unsigned i = 0; i < s->transfers; i++)
		c->transfers[i] =
			(struct transfer){.source = target_online_endpoint(s, i % SIM_PORTS),
					  .target = target_endpoint(s, i)};
	if (s->uses_pool) {
		config.client_pool = pools;
		config.client_pool_count = 2;
	}
	c->replay = replay_new(&config, &replay_effects, w, copy_now(w));
	c->frames = 0;
	if (!c->replay)
		abort();
	/* The wire sees the same of a sender that cuts and of one that does not. */
	for (unsigned i = 0; i < s->transfers; i++)
		replay_set_cutting(c->replay, i, s->seed % 2);
}

void copy_init(struct world *w)
{
	struct copy *c = &w->copy;

	c->turn_us = c->timer_us = UINT64_MAX;
	c->buffer = sim_alloc(FRAME_MAX);
	c->merged = sim_alloc(COPY_MERGED_MAX);
	make_replay(w);
	make_link(w);
	copy_wake(w);
}

void copy_stop(struct world *w)
{
	struct copy *c = &w->copy;

	c->is_down = true;
	c->has_restarted = true;
	replay_free(c->replay);
	intercept_link_free(c->link);
	if (c->connection)
		link_close(w, c->connection, LINK_NEAR);
	c->connection = NULL;
	fakes_remove_all(&c->fakes);
	w->oracle.paused = 0;
	target_begin_account(w);
	make_replay(w);
	make_link(w);
}

void copy_start(struct world *w)
{
	w->copy.is_down = false;
	copy_wake(w);
}

void copy_shutdown(struct world *w)
{
	w->copy.is_stopping = true;
	oracle_on_batch(w);
	replay_shutdown(w->copy.replay, copy_now(w));
	oracle_step(w);
}

void copy_fini(struct world *w)
{
	struct copy *c = &w->copy;

	for (size_t i = 0; i < c->ring_count; i++)
		net_release(w, c->ring[i].flight);
	replay_free(c->replay);
	intercept_link_free(c->link);
	fakes_fini(&c->fakes);
	free(c->ring);
	free(c->buffer);
	free(c->merged);
}
