/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/target.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum {
	CHANCE_CONFIG = 101,
	CHANCE_ISN,
	CHANCE_TS,
	SMALL_MIN = 3,    /* fewer bytes may be anybody's */
	SMALL_UNIQUE = 6, /* so many are nobody else's, whatever address they come from */
	FIRST_PORT = 80,
	FIRST_TARGET_PORT = 8080,
	NEAR_WRAP = 3000,
};

/* ---- addresses ---- */

static struct ip_addr host_addr(bool is_ipv6, uint8_t net, uint8_t host)
{
	static const uint8_t prefix[16] = {0x20, 0x01, 0x0d, 0xb8};
	struct ip_addr a;

	if (!is_ipv6)
		return ip_addr_v4((uint32_t)(10 << 24 | net << 16 | host));
	a = ip_addr_v6_bytes(prefix);
	a.b[5] = net;
	a.b[15] = host;
	return a;
}

struct endpoint target_online_endpoint(const struct settings *s, unsigned port)
{
	return (struct endpoint){.addr = host_addr(s->is_ipv6, 0, 2),
				 .port = (uint16_t)(FIRST_PORT + port)};
}

/* The third transfer copies the first port once more, to another host. */
struct endpoint target_endpoint(const struct settings *s, unsigned transfer)
{
	return (struct endpoint){
		.addr = host_addr(s->target_is_ipv6, 1, transfer < SIM_PORTS ? 1 : 2),
		.port = (uint16_t)(FIRST_TARGET_PORT + transfer % SIM_PORTS)};
}

uint8_t target_transfer_of(const struct settings *s, const struct endpoint *target)
{
	uint8_t i = 0;

	while (i + 1U < s->transfers) {
		struct endpoint e = target_endpoint(s, i);

		if (endpoint_equal(&e, target))
			break;
		i++;
	}
	return i;
}

/* ---- the table ---- */

static struct target_connection **slot(struct target *t, const struct tuple *tuple)
{
	return &t->buckets[tuple_bucket(tuple, TARGET_BUCKETS)];
}

static struct target_connection *find(struct target *t, const struct tuple *tuple)
{
	struct target_connection *c = *slot(t, tuple);

	while (c && !tuple_equal(&c->tuple, tuple))
		c = c->next_in_bucket;
	return c;
}

static struct target_connection *add(struct world *w, const struct tuple *tuple)
{
	struct target_connection **at = slot(&w->target, tuple);
	struct target_connection *c = sim_alloc(sizeof(*c));

	c->world = w;
	c->tuple = *tuple;
	c->end.wake_us = UINT64_MAX;
	c->owner = &w->conversations.nobody;
	c->is_in_table = true;
	c->next_in_bucket = *at;
	*at = c;
	c->next_of_all = w->target.all;
	w->target.all = c;
	w->target.connections++;
	w->target.open++;
	return c;
}

static void take_out(struct target *t, struct target_connection *c)
{
	struct target_connection **at = slot(t, &c->tuple);

	if (!c->is_in_table)
		return;
	c->is_in_table = false;
	t->open--;
	while (*at != c)
		at = &(*at)->next_in_bucket;
	*at = c->next_in_bucket;
}

/* ---- the endpoint and its application ---- */

static void settle(struct world *w, struct target_connection *c)
{
	uint64_t at = UINT64_MAX;

	if (c->is_identified && c->end.tcp && !c->end.is_closed)
		at = server_app_step(&c->app, c->end.tcp, w->now_us);
	if (c->end.is_closed) {
		tcp_free(c->end.tcp);
		c->end.tcp = NULL;
		take_out(&w->target, c);
		return;
	}
	if (!c->end.tcp)
		return;
	if (tcp_next_us(c->end.tcp) < at)
		at = tcp_next_us(c->end.tcp);
	if (at >= c->end.wake_us)
		return;
	c->end.wake_us = at;
	world_put(w, at, EVENT_TARGET, c);
}

void target_wake(struct world *w, struct target_connection *c)
{
	if (c->end.wake_us > w->now_us)
		return; /* another event has come before this one */
	c->end.wake_us = UINT64_MAX;
	if (c->end.tcp)
		tcp_on_time(c->end.tcp, w->now_us);
	settle(w, c);
}

static void on_send(void *ctx, const struct tcp_packet *p)
{
	struct target_connection *c = ctx;

	net_send(c->world, LEG_ANSWERS, c->owner, p, false);
}

/* Whose stream this is, and where in it the connection begins: with which turn, or within it. */
static void identify(struct target_connection *c, struct conversation *owner, uint32_t turn,
		     uint32_t start)
{
	c->owner = owner;
	c->start = start;
	c->turn = turn;
	c->is_identified = true;
	server_app_init(&c->app, &owner->script, true, turn);
	c->app.read = start;
	if (c->faked) {
		c->faked->owner = owner;
		c->faked->start = c->start;
		c->faked->is_located = true;
	}
}

/* Before any byte has come, for the server may have to speak first. */
static void identify_whole(struct target_connection *c)
{
	if (c->faked && c->faked->is_whole && c->faked->owner->is_begun)
		identify(c, c->faked->owner, 0, 0);
}

/* True if the request that begins here names itself. */
static bool identify_by_header(struct world *w, struct target_connection *c)
{
	struct conversations *all = &w->conversations;
	uint32_t conversation, turn;

	if (!script_read_header(c->head, c->head_len, &conversation, &turn) ||
	    conversation >= all->count || !all->all[conversation].is_begun ||
	    turn >= all->all[conversation].script.turn_count)
		return false;
	identify(c, &all->all[conversation], turn, all->all[conversation].script.turns[turn].start);
	return true;
}

/* Where in what has passed of this client's stream the head lies: at the beginning of a request, or anywhere in it. */
static bool identify_by_content(struct world *w, struct target_connection *c,
				struct conversation *owner, bool anywhere)
{
	const struct script *s = &owner->script;
	bool is_vague = owner->passed && owner->passed->is_vague;
	uint64_t passed = is_vague ? s->length_bytes : owner->passed_end;

	for (uint32_t off = 0; owner->is_begun && off + c->head_len <= passed; off++) {
		uint32_t turn = script_turn_at(s, off);

		if ((off != s->turns[turn].start) != anywhere ||
		    !script_matches(s, off, c->head, c->head_len))
			continue;
		w->oracle.blurred += anywhere;
		if (anywhere && !s->overlaps)
			oracle_fail(w, "conversation %u: a connection begins within request %u",
				    owner->id, turn);
		identify(c, owner, turn, off);
		return true;
	}
	return false;
}

static bool identify_among_all(struct world *w, struct target_connection *c, bool anywhere)
{
	struct conversations *all = &w->conversations;

	if (c->faked && identify_by_content(w, c, c->faked->owner, anywhere))
		return true;
	for (uint32_t i = 0; i < all->begun; i++)
		if (identify_by_content(w, c, &all->all[i], anywhere))
			return true;
	return false;
}

/* A whole request, too small to name itself, and nothing behind it: the next one that is missing here. */
static bool identify_small(struct target_connection *c, struct conversation *owner)
{
	const struct copied *copy = &owner->copies[c->faked->transfer][c->faked->copy];

	for (uint32_t turn = 0; owner->is_begun && turn < owner->script.turn_count; turn++) {
		const struct script_turn *t = &owner->script.turns[turn];

		if (t->request_bytes != c->head_len || t->start + t->request_bytes <= copy->heard ||
		    !script_matches(&owner->script, t->start, c->head, c->head_len))
			continue;
		identify(c, owner, turn, t->start);
		return true;
	}
	return false;
}

static void identify_by_little(struct world *w, struct target_connection *c)
{
	struct conversations *all = &w->conversations;

	if (!c->faked || c->head_len < SMALL_MIN || identify_small(c, c->faked->owner) ||
	    c->faked->owner->is_begun)
		return;
	for (uint32_t i = 0; i < all->begun; i++)
		if ((c->head_len >= SMALL_UNIQUE ||
		     ip_addr_equal(&all->all[i].tuple.src.addr, &c->tuple.src.addr)) &&
		    identify_small(c, &all->all[i]))
			return;
}

/*
 * A request may be too small to name itself. Otherwise the connection does not begin where a request does, which is
 * an error but for conversations whose requests and answers cross; there the same noise may be somebody else's, too.
 */
static void identify_by_head(struct world *w, struct target_connection *c)
{
	if (identify_by_header(w, c) || identify_among_all(w, c, false) ||
	    identify_among_all(w, c, true))
		return;
	c->has_failed = true;
	w->oracle.wrong_bytes += c->head_len;
	oracle_fail(w, "a stream at the target that no client said");
}

static void on_arrived(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
	struct target_connection *c = ctx;
	struct world *w = c->world;

	if (c->faked)
		w->target.accepted[c->faked->transfer] += len_bytes;
	while (!c->is_identified && !c->has_failed && len_bytes) {
		c->head[c->head_len++] = *bytes++;
		len_bytes--;
		if (c->faked)
			w->target.unknown[c->faked->transfer]++;
		if (c->head_len < SCRIPT_HEADER_LEN && len_bytes)
			continue;
		if (c->head_len < SCRIPT_HEADER_LEN)
			identify_by_little(w, c);
		else
			identify_by_head(w, c);
		if (c->is_identified) {
			if (c->faked)
				w->target.unknown[c->faked->transfer] -= c->head_len;
			oracle_on_accepted(w, c, c->head, c->head_len);
		}
	}
	if (len_bytes && !c->has_failed)
		oracle_on_accepted(w, c, bytes, (uint32_t)len_bytes);
}

/* The application reads. What it reads was judged when it arrived. */
static void on_data(void *ctx, const uint8_t *bytes, size_t len_bytes)
{
	struct target_connection *c = ctx;

	(void)bytes;
	c->read += (uint32_t)len_bytes;
	if (c->is_identified)
		c->app.read = c->start + c->read;
}

static void on_event(void *ctx, enum tcp_event event)
{
	struct target_connection *c = ctx;

	if (event == TCP_EVENT_PEER_CLOSED)
		c->app.peer_closed = true;
	if (event == TCP_EVENT_CLOSED)
		c->end.is_closed = true;
}

static const struct tcp_calls calls = {
	.send = on_send, .data = on_data, .event = on_event, .arrived = on_arrived};

/* ---- packets ---- */

static void reject(struct world *w, struct conversation *owner, const struct tcp_packet *p)
{
	struct tcp_packet reply;

	if (tcp_reset_for(p, &reply))
		net_send(w, LEG_ANSWERS, owner, &reply, false);
}

static const struct tcp_config *config_of(const struct world *w, const struct conversation *owner)
{
	if (owner->is_begun && owner->script.reads_slowly)
		return &w->settings->slow_configs[owner->id % SIM_SLOW];
	return &w->settings
			->target_configs[conversation_chance(owner, CHANCE_CONFIG) % SIM_CONFIGS];
}

static void apply_script(struct world *w, struct target_connection *c)
{
	const struct script *s = &c->owner->script;

	if (c->is_identified && s->target_window)
		tcp_set_rcv_buffer(c->end.tcp, w->now_us, s->target_window);
}

/* isn: 0 if any will do. */
static void accept_one(struct world *w, struct flight *f, uint32_t isn)
{
	const struct tcp_packet *p = &f->packet;
	struct faked *faked = fakes_find_tuple(&w->copy.fakes, &p->tuple);
	const struct conversation *owner = faked ? faked->owner : f->owner;
	struct tcp_listener listener = {.config = config_of(w, owner)};
	uint64_t chance = conversation_chance(owner, CHANCE_ISN);
	struct target_connection *c;
	struct tcp_setup setup = {
		.tuple = tuple_reverse(&p->tuple),
		.config = listener.config,
		.calls = &calls,
		.isn = isn ? isn : (uint32_t)(chance >> 32) + (uint32_t)w->now_us,
		.ts_base_ms = (uint32_t)(conversation_chance(owner, CHANCE_TS) >> 32),
	};

	if (tcp_listener_judge(&listener, p) != TCP_JUDGED_ACCEPT ||
	    w->now_us < w->target.refuses_until_us) {
		reject(w, f->owner, p);
		return;
	}
	chance = rng_join(chance, w->target.connections);
	if (w->settings->wraps && chance % 3 == 0) {
		setup.isn = isn ? isn : (uint32_t)(0 - (chance >> 32) % NEAR_WRAP);
		setup.ts_base_ms = (uint32_t)(0 - w->now_us / 1000 - NEAR_WRAP);
	}
	c = add(w, &p->tuple);
	setup.ctx = c;
	c->faked = faked;
	if (faked) {
		faked->irs = setup.isn;
		faked->connection = c;
	}
	identify_whole(c);
	c->owner = faked ? faked->owner : f->owner;
	c->end.tcp = tcp_accept(&listener, w->now_us, p, &setup);
	if (!c->end.tcp)
		abort();
	apply_script(w, c);
	settle(w, c);
}

void target_on_packet(struct world *w, struct flight *f)
{
	const struct tcp_packet *p = &f->packet;
	struct target_connection *c;
	uint32_t isn = 0;

	if (f->is_corrupt)
		return;
	c = find(&w->target, &p->tuple);
	if (c) {
		if (tcp_on_packet(c->end.tcp, w->now_us, p) == TCP_TAKEN) {
			settle(w, c);
			return;
		}
		isn = tcp_reopen_isn(c->end.tcp);
		tcp_drop(c->end.tcp, w->now_us);
		settle(w, c);
	}
	accept_one(w, f, isn);
}

void target_restart(struct world *w)
{
	for (struct target_connection *c = w->target.all; c; c = c->next_of_all) {
		if (!c->end.tcp)
			continue;
		tcp_drop(c->end.tcp, w->now_us);
		settle(w, c);
	}
}

void target_begin_account(struct world *w)
{
	memcpy(w->target.before, w->target.accepted, sizeof(w->target.before));
}

void target_init(struct world *w)
{
	(void)w;
}

void target_fini(struct world *w)
{
	while (w->target.all) {
		struct target_connection *c = w->target.all;

		w->target.all = c->next_of_all;
		tcp_free(c->end.tcp);
		free(c);
	}
}
