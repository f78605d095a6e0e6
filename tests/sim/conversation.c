/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/conversation.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum {
	HOSTS = 250,
	FIRST_CLIENT_PORT = 2000,
	REUSE_AFTER_US = 1000000,
	REUSE_ONE_OF = 3,
	BEGIN_AFTER_US = 200000, /* the link is up by then */
	GAP_US = 2800000,
	NEAR_WRAP = 3000, /* so many numbers before it */
	CHANCE_ISN = 1,
	CHANCE_SERVER_ISN,
	CHANCE_CONFIG,
	CHANCE_TS,
	CHANCE_REUSE,
	CHANCE_PORT,
	CHANCE_ARRIVAL,
};

uint64_t conversation_chance(const struct conversation *c, uint64_t what)
{
	return rng_join(c->world->settings->seed ^ 0x636f6e76, (uint64_t)c->id << 8 | what);
}

/* ---- the stream at the host ---- */

/* Keeps the ranges sorted and apart; takes those that have become contiguous. */
static void add_range(struct passed *p, uint64_t start, uint64_t end)
{
	uint32_t at = 0, last;

	while (at < p->count && p->ranges[at].end < start)
		at++;
	last = at;
	while (last < p->count && p->ranges[last].start <= end) {
		start = p->ranges[last].start < start ? p->ranges[last].start : start;
		end = p->ranges[last].end > end ? p->ranges[last].end : end;
		last++;
	}
	if (last == at && p->count == ONLINE_RANGES_MAX) {
		p->is_vague = true;
		return;
	}
	memmove(&p->ranges[at + 1], &p->ranges[last], (p->count - last) * sizeof(p->ranges[0]));
	p->count = p->count - (last - at) + 1;
	p->ranges[at].start = start;
	p->ranges[at].end = end;
	if (p->ranges[0].start > p->end)
		return;
	p->end = p->ranges[0].end > p->end ? p->ranges[0].end : p->end;
	memmove(&p->ranges[0], &p->ranges[1], --p->count * sizeof(p->ranges[0]));
}

/* Replay gives up on a hole in which nothing moves for ONLINE_GAP_US; it sees packets a little later. */
static void watch_hole(struct conversation *c, bool moved)
{
	uint64_t now_us = c->world->now_us;

	if (c->hole_since_us && now_us >= c->hole_since_us + GAP_US)
		c->has_gap = true;
	if (c->passed_known <= c->passed_end)
		c->hole_since_us = 0;
	else if (moved || !c->hole_since_us)
		c->hole_since_us = now_us;
}

static void take_range(struct conversation *c, uint64_t start, uint64_t end)
{
	if (end <= c->passed_end)
		return;
	if (start <= c->passed_end && !c->passed) {
		c->passed_end = end;
		return;
	}
	if (!c->passed) {
		c->passed = sim_alloc(sizeof(*c->passed));
		c->passed->end = c->passed_end;
	}
	add_range(c->passed, start, end);
	c->passed_end = c->passed->end;
}

static void pass(struct conversation *c, const struct tcp_packet *p)
{
	int64_t start = (int32_t)(p->seq + !!(p->flags & TCP_FLAG_SYN) - (c->client_isn + 1));
	int64_t end = start + (int64_t)p->payload_len_bytes;
	uint64_t before = c->passed_end;

	if (end <= 0)
		return;
	if (p->payload_len_bytes)
		take_range(c, start < 0 ? 0 : (uint64_t)start, (uint64_t)end);
	if ((uint64_t)end > c->passed_known && (uint64_t)end <= c->script.length_bytes)
		c->passed_known = (uint64_t)end;
	watch_hole(c, c->passed_end > before);
}

/* ---- ends ---- */

/* The client's host vanishes, and answers nothing any more. */
static bool is_silent(const struct conversation *c)
{
	return c->script.end == END_SILENCE || c->script.end == END_SYN_ONLY;
}

/* A RST may be lost, and nobody says it again: then the other side never hears of the end. */
static bool is_over(const struct conversation *c)
{
	switch ((enum script_end)c->script.end) {
	case END_CLIENT_RST:
	case END_CLIENT_RST_EARLY:
	case END_SILENCE:
	case END_SYN_ONLY:
		return c->client_app.is_done;
	case END_SERVER_RST:
		return c->client_app.is_done || c->server_app.is_done;
	case END_CLIENT_FIN:
	case END_SERVER_FIN:
	case END_HALF_CLOSE:
	case END_REFUSED:
	case SCRIPT_ENDS:
		break;
	}
	return c->client_app.is_done && (!c->server.tcp || c->server_app.is_done);
}

static void check_over(struct world *w, struct conversation *c)
{
	struct conversations *all = &w->conversations;

	if (c->is_over || !is_over(c))
		return;
	c->is_over = true;
	c->ended_us = w->now_us;
	all->over++;
	if (all->used)
		all->used[all->used_tail++] =
			(struct used_tuple){.conversation = c->id, .since_us = w->now_us};
	if (is_silent(c) && c->server.tcp)
		tcp_drop(c->server.tcp, w->now_us);
}

static void free_if_closed(struct endpoint_end *e)
{
	if (e->is_closed) {
		tcp_free(e->tcp);
		e->tcp = NULL;
	}
}

static void arm(struct world *w, struct conversation *c, struct endpoint_end *e,
		enum event_kind kind, uint64_t app_us)
{
	uint64_t at = app_us;

	if (e->tcp && tcp_next_us(e->tcp) < at)
		at = tcp_next_us(e->tcp);
	if (at >= e->wake_us)
		return;
	e->wake_us = at;
	world_put(w, at, kind, c);
}

static void settle_client(struct world *w, struct conversation *c)
{
	uint64_t app_us = UINT64_MAX;

	if (c->client.tcp && !c->client.is_closed)
		app_us = client_app_step(&c->client_app, c->client.tcp, w->now_us);
	free_if_closed(&c->client);
	arm(w, c, &c->client, EVENT_CLIENT, c->client.tcp ? app_us : UINT64_MAX);
	check_over(w, c);
}

static void settle_server(struct world *w, struct conversation *c)
{
	uint64_t app_us = UINT64_MAX;

	if (c->server.tcp && !c->server.is_closed)
		app_us = server_app_step(&c->server_app, c->server.tcp, w->now_us);
	free_if_closed(&c->server);
	arm(w, c, &c->server, EVENT_SERVER, c->server.tcp ? app_us : UINT64_MAX);
	check_over(w, c);
}

void conversation_wake_client(struct world *w, struct conversation *c)
{
	if (c->client.wake_us > w->now_us)
		return; /* another event has come before this one */
	c->client.wake_us = UINT64_MAX;
	if (c->client.tcp)
		tcp_on_time(c->client.tcp, w->now_us);
	settle_client(w, c);
}

void conversation_wake_server(struct world *w, struct conversation *c)
{
	if (c->server.wake_us > w->now_us)
		return;
	c->server.wake_us = UINT64_MAX;
	if (c->server.tcp)
		tcp_on_time(c->server.tcp, w->now_us);
	settle_server(w, c);
}

/* ---- what the endpoints tell ---- */

static void client_send(void *ctx, const struct tcp_packet *p)
{
	struct conversation *c = ctx;

	net_send(c->world, LEG_CLIENT, c, p, true);
}

static void client_data(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
	struct conversation *c = ctx;

	(void)bytes;
	c->client_app.received += len_bytes;
}

static void client_event(void *ctx, enum tcp_event event)
{
	struct conversation *c = ctx;

	if (event == TCP_EVENT_PEER_CLOSED)
		c->client_app.peer_closed = true;
	if (event != TCP_EVENT_CLOSED)
		return;
	c->client.is_closed = true;
	c->client_app.is_done = true;
}

static void server_send(void *ctx, const struct tcp_packet *p)
{
	struct conversation *c = ctx;

	if (p->flags & (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST))
		copy_capture(c->world, c, p);
	net_send(c->world, LEG_SERVER, c, p, true);
}

static void server_data(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
	struct conversation *c = ctx;

	if (!script_matches(&c->script, c->server_app.read, bytes, (uint32_t)len_bytes))
		oracle_fail(c->world,
			    "the online server read other bytes than conversation %u sent", c->id);
	c->server_app.read += (uint32_t)len_bytes;
}

static void server_event(void *ctx, enum tcp_event event)
{
	struct conversation *c = ctx;

	if (event == TCP_EVENT_PEER_CLOSED)
		c->server_app.peer_closed = true;
	if (event != TCP_EVENT_CLOSED)
		return;
	c->server.is_closed = true;
	c->server_app.is_done = true;
}

static const struct tcp_calls client_calls = {
	.send = client_send, .data = client_data, .event = client_event};
static const struct tcp_calls server_calls = {
	.send = server_send, .data = server_data, .event = server_event};

/* ---- packets arrive ---- */

static void reject(struct world *w, struct conversation *c, const struct tcp_packet *p)
{
	struct tcp_packet reply;

	if (!tcp_reset_for(p, &reply))
		return;
	copy_capture(w, c, &reply);
	net_send(w, LEG_SERVER, c, &reply, false);
}

static const struct tcp_config *server_config(const struct settings *s,
					      const struct conversation *c)
{
	uint64_t chance = conversation_chance(c, CHANCE_CONFIG) / SIM_CONFIGS;

	if (c->script.reads_slowly)
		return &s->slow_configs[c->id % SIM_SLOW];
	return &s->online_configs[chance % SIM_CONFIGS];
}

static void accept_client(struct world *w, struct conversation *c, const struct tcp_packet *p)
{
	struct tcp_listener listener = {.backlog = 0};
	struct tcp_setup setup = {
		.tuple = tuple_reverse(&c->tuple),
		.config = server_config(w->settings, c),
		.calls = &server_calls,
		.ctx = c,
		.isn = c->server_isn,
		.ts_base_ms = (uint32_t)(conversation_chance(c, CHANCE_TS) >> 32),
	};

	listener.config = setup.config;
	if (c->server_app.script || c->script.end == END_REFUSED ||
	    tcp_listener_judge(&listener, p) != TCP_JUDGED_ACCEPT) {
		reject(w, c, p);
		return;
	}
	server_app_init(&c->server_app, &c->script, false, 0);
	c->server.tcp = tcp_accept(&listener, w->now_us, p, &setup);
	if (!c->server.tcp)
		abort();
}

void conversation_at_server(struct world *w, struct flight *f)
{
	struct conversation *c = f->owner;

	copy_capture_flight(w, f);
	if (f->is_corrupt)
		return;
	pass(c, &f->packet);
	if (c->server.tcp)
		(void)tcp_on_packet(c->server.tcp, w->now_us, &f->packet);
	else if (!is_silent(c) || !c->is_over)
		accept_client(w, c, &f->packet);
	settle_server(w, c);
}

void conversation_at_client(struct world *w, struct flight *f)
{
	struct conversation *c = f->owner;
	struct tcp_packet reply;

	if (f->is_corrupt)
		return;
	if (c->client.tcp)
		(void)tcp_on_packet(c->client.tcp, w->now_us, &f->packet);
	else if (!is_silent(c) && tcp_reset_for(&f->packet, &reply))
		net_send(w, LEG_CLIENT, c, &reply, false);
	settle_client(w, c);
}

/* ---- beginnings ---- */

struct endpoint conversation_client(const struct settings *s, uint32_t id)
{
	static const uint8_t net6[16] = {0x20, 0x01, 0x0d, 0xb8, [5] = 9};
	uint32_t host = id % HOSTS + 1;
	struct endpoint e = {.port = (uint16_t)(FIRST_CLIENT_PORT + id / HOSTS)};

	if (s->is_ipv6) {
		e.addr = ip_addr_v6_bytes(net6);
		e.addr.b[15] = (uint8_t)host;
	} else {
		e.addr = ip_addr_v4(0x0a090000 + host);
	}
	return e;
}

static uint32_t choose_isn(const struct conversation *c, uint64_t what)
{
	uint64_t chance = conversation_chance(c, what);

	if (c->world->settings->wraps && chance % 3 == 0)
		return (uint32_t)(0 - (chance >> 32) % NEAR_WRAP);
	return (uint32_t)(chance >> 32);
}

/* True if this one takes the tuple of another that is over, with numbers above all that it used. */
static bool reuse_tuple(struct world *w, struct conversation *c)
{
	struct conversations *all = &w->conversations;
	uint64_t chance = conversation_chance(c, CHANCE_REUSE);
	const struct conversation *old;

	if (!all->used || all->used_head == all->used_tail || chance % REUSE_ONE_OF)
		return false;
	if (w->now_us < all->used[all->used_head].since_us + REUSE_AFTER_US)
		return false;
	old = &all->all[all->used[all->used_head].conversation];
	if (old->port != c->port)
		return false;
	all->used_head++;
	c->tuple = old->tuple;
	c->client_isn =
		old->client_isn + old->script.length_bytes + 1000 + (uint32_t)(chance >> 40);
	c->server_isn = old->server_isn + (1 << 24) + (uint32_t)(chance >> 44);
	return true;
}

static void begin(struct world *w, struct conversation *c)
{
	const struct settings *s = w->settings;
	struct tcp_setup setup;

	c->is_begun = true;
	c->port = conversation_chance(c, CHANCE_PORT) % 100 < s->second_port_percent;
	if (s->bulk_bytes && c->id == 0)
		script_init_bulk(&c->script, s->seed, c->id, s->bulk_bytes);
	else
		script_init(&c->script, &s->profiles[c->port], s->seed, c->id);
	if (!reuse_tuple(w, c)) {
		c->tuple = (struct tuple){.src = conversation_client(s, c->id),
					  .dst = target_online_endpoint(s, c->port),
					  .protocol = PROTOCOL_TCP};
		c->client_isn = choose_isn(c, CHANCE_ISN);
		c->server_isn = choose_isn(c, CHANCE_SERVER_ISN);
	}
	client_app_init(&c->client_app, &c->script);
	setup = (struct tcp_setup){
		.tuple = c->tuple,
		.config = &s->online_configs[conversation_chance(c, CHANCE_CONFIG) % SIM_CONFIGS],
		.calls = &client_calls,
		.ctx = c,
		.isn = c->client_isn,
		.ts_base_ms = s->wraps ? (uint32_t)(0 - w->now_us / 1000 - NEAR_WRAP)
				       : (uint32_t)conversation_chance(c, CHANCE_TS),
	};
	c->client.tcp = tcp_connect(w->now_us, &setup);
	if (!c->client.tcp)
		abort();
	settle_client(w, c);
}

void conversations_begin_next(struct world *w)
{
	struct conversations *all = &w->conversations;
	struct conversation *c = &all->all[all->begun++];
	uint64_t chance = conversation_chance(c, CHANCE_ARRIVAL);

	if (fault_takes_place(&w->faults, FAULT_CONVERSATION, 0, c->id)) {
		begin(w, c);
	} else {
		c->is_over = true;
		all->over++;
	}
	if (all->begun < all->count)
		world_put(w, w->now_us + chance % (2 * (uint64_t)w->settings->arrival_us + 1),
			  EVENT_BEGIN, NULL);
}

void conversations_init(struct world *w)
{
	struct conversations *all = &w->conversations;

	all->count = w->settings->sessions;
	all->all = sim_alloc(all->count * sizeof(*all->all));
	if (w->settings->reuses_ports)
		all->used = sim_alloc(all->count * sizeof(*all->used));
	for (uint32_t i = 0; i < all->count; i++) {
		struct conversation *c = &all->all[i];

		c->world = w;
		c->id = i;
		c->client.wake_us = c->server.wake_us = UINT64_MAX;
	}
	all->nobody = (struct conversation){.world = w, .id = 0xffffff};
	world_put(w, w->now_us + BEGIN_AFTER_US, EVENT_BEGIN, NULL);
}

void conversations_fini(struct world *w)
{
	struct conversations *all = &w->conversations;

	for (uint32_t i = 0; i < all->count; i++) {
		struct conversation *c = &all->all[i];

		tcp_free(c->client.tcp);
		tcp_free(c->server.tcp);
		free(c->passed);
		if (c->is_begun)
			script_fini(&c->script);
	}
	free(all->all);
	free(all->used);
}
