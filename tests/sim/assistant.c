/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/assistant.h"

#include <stdlib.h>

#include "common/bytes.h"
#include "common/packet.h"
#include "common/wire.h"
#include "tests/sim/frame.h"
#include "tests/sim/world.h"

enum {
	WAKE_UP_US = 20,
	TARGET_TTL = 63,
	ROUTES_MAX = 1000000,
	RIVAL_TUPLES = 8,
};

/* ---- effects of response ---- */

static void write_peer(struct world *w, unsigned peer)
{
	struct response *r = w->assistant.response;
	struct link_connection *c = link_of_peer(w, peer);
	size_t len, written;
	const uint8_t *bytes;

	if (!c)
		return;
	bytes = response_output(r, peer, &len);
	if (!bytes || !len)
		return;
	written = link_write(w, c, LINK_FAR, bytes, len);
	if (written)
		response_output_sent(r, peer, written);
}

static void effect_wants_write(void *ctx, unsigned peer)
{
	write_peer(ctx, peer);
}

static void effect_close(void *ctx, unsigned peer)
{
	struct world *w = ctx;
	struct link_connection *c = link_of_peer(w, peer);

	if (w->assistant.rival == (int)peer)
		w->assistant.rival = -1;
	write_peer(w, peer);
	if (!c)
		return;
	c->peer = -1;
	link_close(w, c, LINK_FAR);
}

static void effect_notice(void *ctx, enum response_notice notice, unsigned peer, const char *text)
{
	trace_say(ctx, "intercept's notice %d, peer %u: %s", (int)notice, peer, text);
}

static void effect_registered(void *ctx, unsigned peer, const struct tuple *response)
{
	(void)ctx;
	(void)peer;
	(void)response;
}

static const struct response_effects effects = {
	.wants_write = effect_wants_write,
	.close = effect_close,
	.notice = effect_notice,
	.registered = effect_registered,
};

/* ---- frames ---- */

static void schedule_read(struct world *w, uint64_t at_us)
{
	struct assistant *a = &w->assistant;

	if (at_us >= a->read_us)
		return;
	a->read_us = at_us;
	world_put(w, at_us, EVENT_FRAMES, NULL);
}

static void set_timer(struct world *w)
{
	struct assistant *a = &w->assistant;
	uint64_t at_us = a->response ? response_next_us(a->response) : UINT64_MAX;

	if (at_us >= a->timer_us)
		return;
	a->timer_us = at_us > w->now_us ? at_us : w->now_us + 1;
	world_put(w, a->timer_us, EVENT_ASSISTANT, NULL);
}

static void flush(struct world *w)
{
	response_flush(w->assistant.response, w->now_us);
	set_timer(w);
}

void assistant_on_packet(struct world *w, struct flight *f)
{
	struct assistant *a = &w->assistant;

	if (f->is_corrupt || !a->response)
		return;
	if (a->frame_count == a->frame_room)
		a->frames = sim_grow(a->frames, &a->frame_room, sizeof(*a->frames));
	a->frames[a->frame_count++] = net_hold(f);
	if (!a->is_gathering)
		schedule_read(w, w->now_us + WAKE_UP_US);
}

static void give_frame(struct world *w, const struct flight *flight)
{
	struct assistant *a = &w->assistant;
	const struct tcp_packet *p = &flight->packet;
	uint8_t options[40];
	struct frame f = {
		.tuple = &p->tuple,
		.seq = p->seq,
		.ack = p->ack,
		.window = p->window,
		.flags = p->flags,
		.ttl = TARGET_TTL,
		.ip_id = flight->ip_id,
		.options = options,
		.options_len = (uint8_t)frame_options(options, p),
		.payload_len = p->payload_len_bytes,
		.checksum = FRAME_CHECKSUM_NONE,
	};
	size_t wire_len, len;

	if (flight->mtu)
		wire_len = len = frame_build_too_big(a->buffer, &f, flight->mtu);
	else
		len = frame_build(a->buffer, &f, &wire_len);
	response_on_frame(a->response, PACKET_LINK_ETHERNET, a->buffer, len, wire_len, w->now_us);
}

bool assistant_is_asleep(const struct world *w)
{
	const struct assistant *a = &w->assistant;

	return a->response && a->is_gathering && w->now_us < a->read_us;
}

static void read_frames(struct world *w)
{
	struct assistant *a = &w->assistant;
	uint64_t gather_us;

	for (size_t i = 0; i < a->frame_count; i++) {
		if (a->response)
			give_frame(w, a->frames[i]);
		net_release(w, a->frames[i]);
	}
	a->frame_count = 0;
	a->is_gathering = false;
	if (!a->response)
		return;
	gather_us = response_gather_us(a->response, w->now_us);
	flush(w);
	a->is_gathering = gather_us > 0;
	if (gather_us)
		schedule_read(w, w->now_us + gather_us);
}

void assistant_read(struct world *w)
{
	if (w->assistant.read_us > w->now_us)
		return;
	link_read_far(w);
	w->assistant.read_us = UINT64_MAX;
	read_frames(w);
}

void assistant_time(struct world *w)
{
	struct assistant *a = &w->assistant;

	if (a->timer_us > w->now_us)
		return;
	a->timer_us = UINT64_MAX;
	if (!a->response)
		return;
	response_on_time(a->response, w->now_us);
	flush(w);
}

/* ---- the link's news ---- */

bool assistant_link_connected(struct world *w, struct link_connection *c)
{
	c->peer = response_on_peer_connected(w->assistant.response, w->now_us);
	flush(w);
	return c->peer >= 0;
}

void assistant_link_closed(struct world *w, struct link_connection *c)
{
	unsigned peer = (unsigned)c->peer;

	if (c->peer < 0 || !w->assistant.response)
		return;
	c->peer = -1;
	response_on_peer_closed(w->assistant.response, peer);
	flush(w);
}

void assistant_link_bytes(struct world *w, struct link_connection *c, const uint8_t *bytes,
			  size_t len_bytes)
{
	struct assistant *a = &w->assistant;

	if (c->peer < 0 || !a->response)
		return;
	response_on_peer_bytes(a->response, (unsigned)c->peer, bytes, len_bytes, w->now_us);
	if (!a->is_gathering)
		flush(w);
}

void assistant_link_writable(struct world *w, struct link_connection *c)
{
	if (c->peer >= 0 && w->assistant.response)
		write_peer(w, (unsigned)c->peer);
}

/* ---- another tcpcopy ---- */

static void rival_says(struct world *w, const struct byte_writer *said, const uint8_t *bytes)
{
	struct assistant *a = &w->assistant;
	size_t len;

	if (a->rival >= 0 && !said->failed)
		response_on_peer_bytes(a->response, (unsigned)a->rival, bytes,
				       (size_t)(said->at - bytes), w->now_us);
	flush(w);
	/* It reads all that it is told. */
	if (a->rival >= 0 && response_output(a->response, (unsigned)a->rival, &len))
		response_output_sent(a->response, (unsigned)a->rival, len);
}

bool assistant_rival_begins(struct world *w)
{
	const struct conversations *all = &w->conversations;
	struct wire_hello hello = {.version = WIRE_VERSION,
				   .role = WIRE_ROLE_TCPCOPY,
				   .instance_id = ~w->settings->seed};
	uint8_t bytes[RIVAL_TUPLES * 64 + 64];
	uint32_t tuples = RIVAL_TUPLES;
	struct byte_writer said = byte_writer_on(bytes, sizeof(bytes));

	if (!w->assistant.response || w->assistant.rival >= 0)
		return false;
	w->assistant.rival = response_on_peer_connected(w->assistant.response, w->now_us);
	wire_put_hello(&said, &hello);
	/* It has clients with their own addresses, which none has at a target of another family. */
	if (w->settings->is_ipv6 != w->settings->target_is_ipv6)
		tuples = 0;
	for (uint32_t i = 0; i < tuples && all->begun + i < all->count; i++) {
		struct wire_register one = {.session_id = i};

		one.response = (struct tuple){
			.src = target_endpoint(w->settings, i % w->settings->transfers),
			.dst = conversation_client(w->settings, all->begun + i),
			.protocol = PROTOCOL_TCP,
		};
		wire_put_register(&said, &one);
	}
	rival_says(w, &said, bytes);
	return w->assistant.rival >= 0;
}

void assistant_rival_ends(struct world *w)
{
	struct assistant *a = &w->assistant;
	unsigned peer = (unsigned)a->rival;

	if (a->rival < 0)
		return;
	a->rival = -1;
	if (a->response)
		response_on_peer_closed(a->response, peer);
}

/* ---- beginning and end ---- */

void assistant_start(struct world *w)
{
	struct response_config config = {
		.key = {w->settings->seed, 3},
		.instance_id = rng_join(w->settings->seed, ++w->assistant.instance),
		.limits = {.routes_max = ROUTES_MAX, .peer_routes_max = ROUTES_MAX},
	};

	w->assistant.response = response_new(&config, &effects, w, w->now_us);
	if (!w->assistant.response)
		abort();
	set_timer(w);
}

void assistant_stop(struct world *w)
{
	struct assistant *a = &w->assistant;

	for (struct link_connection *c = w->link.connections; c; c = c->next) {
		if (!c->to[LINK_FAR].is_open)
			continue;
		c->peer = -1;
		link_close(w, c, LINK_FAR);
	}
	response_free(a->response);
	a->response = NULL;
	a->rival = -1;
	a->is_gathering = false;
}

void assistant_init(struct world *w)
{
	w->assistant.read_us = w->assistant.timer_us = UINT64_MAX;
	w->assistant.rival = -1;
	assistant_start(w);
}

void assistant_fini(struct world *w)
{
	struct assistant *a = &w->assistant;

	for (size_t i = 0; i < a->frame_count; i++)
		net_release(w, a->frames[i]);
	response_free(a->response);
	free(a->frames);
}
