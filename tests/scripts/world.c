/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - effects, events, time, and what must hold at any moment. */
#include "tests/scripts/world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "common/seq.h"
#include "tcpcopy/session.h"
#include "tests/scripts/capture.h"
#include "tests/scripts/print.h"

enum {
	STANDSTILL_MAX = 10000, /* calls without that time moves */
};

static const struct connection_text flood_text = {
	.name = "flood", .server = "10.0.0.2:80", .isn = 1000, .server_isn = 50000};

static void fault(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Only the first one counts. */
static void fault(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->fault[0])
		return;
	va_start(args, format);
	vsnprintf(w->fault, sizeof(w->fault), format, args);
	va_end(args);
}

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- effects ---- */

static struct faked *faked_of_tuple(const struct world *w, const struct tuple *tuple)
{
	struct tuple response = tuple_reverse(tuple);

	for (struct faked *f = w->fakeds; f; f = f->next)
		if (tuple_equal(&f->response, &response))
			return f;
	return NULL;
}

static struct faked *faked_of_id(const struct world *w, uint32_t id)
{
	for (struct faked *f = w->fakeds; f; f = f->next)
		if (f->id == id)
			return f;
	return NULL;
}

/* Every byte to the target is the captured byte of its place. */
static void check_payload(struct world *w, const struct faked *f, const struct sent *s)
{
	const struct connection *c = &w->connections[f->connection];

	if (s->segment.payload_len_bytes && !f->base)
		fault(w, "a script says with 'begins N' where this session's stream begins");
	for (uint32_t i = 0; i < s->segment.payload_len_bytes; i++) {
		uint32_t place = s->segment.seq - f->iss - 1 + i;
		size_t off = (size_t)(place + f->base - 1);

		if (seq_lt(s->segment.seq + i, f->una))
			continue; /* old: nobody reads it */
		if (off < c->size && c->is_known[off] && c->bytes[off] == s->payload[i])
			continue;
		fault(w, "byte %zu of the stream was said, but %s", off,
		      off < c->size && c->is_known[off] ? "is another one" : "was never captured");
		return;
	}
}

static struct sent *copy_segment(const struct world *w, const struct segment *seg)
{
	struct sent *s = need(malloc(sizeof(*s) + seg->payload_len_bytes));
	size_t at = 0;

	s->next = NULL;
	s->segment = *seg;
	s->at_us = w->now_us;
	for (size_t i = 0; i < seg->iov_count && at + seg->iov[i].iov_len <= seg->payload_len_bytes;
	     i++) {
		memcpy(s->payload + at, seg->iov[i].iov_base, seg->iov[i].iov_len);
		at += seg->iov[i].iov_len;
	}
	if (at == seg->payload_len_bytes)
		return s;
	free(s);
	return NULL;
}

static void note_syn(struct faked *f, const struct segment *seg)
{
	f->iss = seg->seq;
	f->una = seg->seq;
	f->max_sent = seg->seq;
	f->has_syn = true;
}

static void note_segment(struct faked *f, const struct segment *seg)
{
	uint32_t end = seg->seq + seg->payload_len_bytes + !!(seg->flags & (TCP_SYN | TCP_FIN));

	if (seg->flags & TCP_SYN)
		note_syn(f, seg);
	if (!(seg->flags & TCP_RST))
		f->max_sent = seq_max(f->max_sent, end);
	if (seg->options.has_timestamps && !f->has_ts) {
		f->has_ts = true;
		f->ts_first = seg->options.ts_val;
	}
}

static int on_emit(void *ctx, const struct segment *seg)
{
	struct world *w = ctx;
	struct faked *f = faked_of_tuple(w, &seg->tuple);
	struct sent *s;

	if (w->room == 0)
		return -1;
	if (w->room > 0)
		w->room--;
	if (!f || !f->is_registered) {
		fault(w, "a segment on a tuple that is not registered");
		return 0;
	}
	s = copy_segment(w, seg);
	if (!s) {
		fault(w, "a segment whose pieces are not its length");
		return 0;
	}
	note_segment(f, seg);
	check_payload(w, f, s);
	*f->last = s;
	f->last = &s->next;
	if (w->trace)
		print_trace_sent(w->trace, w->now_us - w->start_us, f, s);
	return 0;
}

static size_t transfer_of(const struct world *w, const struct tuple *response)
{
	for (size_t i = 0; i < w->transfer_count; i++)
		if (endpoint_equal(&w->transfers[i].target, &response->src))
			return i;
	return 0;
}

static void on_register(void *ctx, uint32_t id, const struct tuple *response)
{
	struct world *w = ctx;
	struct faked *f;

	for (f = w->fakeds; f; f = f->next)
		if (f->is_registered && (f->id == id || tuple_equal(&f->response, response)))
			fault(w, "a session on an id or a tuple that is in use");
	f = need(calloc(1, sizeof(*f)));
	*f = (struct faked){
		.next = w->fakeds,
		.response = *response,
		.id = id,
		.irs = w->script->config.irs,
		.connection = w->speaking,
		.base = w->base,
		.transfer = transfer_of(w, response),
		.is_registered = true,
	};
	f->last = &f->first;
	w->fakeds = f;
}

static void on_unregister(void *ctx, uint32_t id)
{
	struct world *w = ctx;
	struct faked *f = faked_of_id(w, id);

	if (!f || !f->is_registered)
		fault(w, "an id was given back that was not in use");
	else
		f->is_registered = false;
}

static void on_urgency(void *ctx, bool urgent)
{
	((struct world *)ctx)->is_urgent = urgent;
}

static void on_notice(void *ctx, enum replay_notice notice, size_t target)
{
	struct world *w = ctx;

	(void)target;
	w->notices[notice]++;
}

/*
 * The state is no affair of anyone outside, but scripts look at it: the linker leads
 * session_output, through which every change passes at the end of its batch, by here
 * (-Wl,--wrap=session_output).
 */
bool __real_session_output(struct session *s, struct session_env *env);
bool __wrap_session_output(struct session *s, struct session_env *env);

bool __wrap_session_output(struct session *s, struct session_env *env)
{
	bool done = __real_session_output(s, env);
	struct faked *f = faked_of_id(env->ctx, s->id);

	if (f)
		f->state = s->state;
	return done;
}

/* ---- making and ending ---- */

static bool make_config(struct world *w, struct replay_config *c, struct addr_range *pool)
{
	const struct script_config *from = &w->script->config;

	for (size_t i = 0; i < from->transfer_count; i++)
		if (!capture_transfer(&w->transfers[i], from->transfers[i]))
			return false;
	w->transfer_count = from->transfer_count;
	if (!w->transfer_count)
		capture_transfer(&w->transfers[w->transfer_count++], "10.0.0.2:80-10.1.0.1:8080");
	*c = (struct replay_config){
		.transfers = w->transfers,
		.transfer_count = w->transfer_count,
		.key = {1, 2},
		.isn_secret = {3, 4},
		.give_up_us = from->give_up_us,
		.keep_alive_us = from->keep_alive_us,
		.rtt_us = from->rtt_us,
		.rtt_auto = from->rtt_auto,
		.mss_bytes = (uint16_t)from->mss_bytes,
		.whole_connections_only = from->whole_only,
		.copies = from->copies,
		.max_memory_bytes = from->memory_bytes,
		.max_sessions = from->sessions,
		.check_checksums = !from->any_checksum,
		.online_mtu_bytes = from->online_mtu_bytes,
	};
	if (!from->pool_first[0])
		return true;
	c->client_pool = pool;
	c->client_pool_count = 1;
	return !ip_addr_parse(&pool->first, from->pool_first) &&
	       !ip_addr_parse(&pool->last, from->pool_last);
}

static bool set_up(struct world *w)
{
	const struct script_config *from = &w->script->config;
	struct ip_addr local[SCRIPT_LOCAL_MAX];

	for (size_t i = 0; i < from->local_count; i++)
		if (ip_addr_parse(&local[i], from->local[i]))
			return false;
	if (from->local_count && replay_set_local_addresses(w->replay, local, from->local_count))
		return false;
	for (size_t i = 0; i < w->transfer_count; i++)
		replay_set_mtu(w->replay, i, from->mtu_bytes);
	for (size_t i = 0; i < w->script->connection_count; i++)
		w->connections[i].text = &w->script->connections[i];
	w->connections[SCRIPT_CONNECTIONS_MAX].text = &flood_text;
	if (!from->no_link)
		replay_on_links(w->replay, 1, w->now_us);
	return true;
}

static void dispose(struct world *w)
{
	replay_free(w->replay);
	world_forget(w);
	while (w->fakeds) {
		struct faked *f = w->fakeds;

		w->fakeds = f->next;
		free(f);
	}
	for (size_t i = 0; i < SCRIPT_CONNECTIONS_MAX; i++) {
		free(w->connections[i].bytes);
		free(w->connections[i].is_known);
	}
	free(w);
}

struct world *world_new(const struct script *script, uint64_t start_us, FILE *trace,
			char error[SCRIPT_TEXT_MAX])
{
	struct world *w = need(calloc(1, sizeof(*w)));
	struct replay_config config;
	struct addr_range pool;

	w->script = script;
	w->start_us = w->now_us = start_us;
	w->room = -1;
	w->trace = trace;
	w->effects = (struct replay_effects){
		.emit = on_emit,
		.register_session = on_register,
		.unregister_session = on_unregister,
		.urgency = on_urgency,
		.notice = on_notice,
	};
	if (make_config(w, &config, &pool))
		w->replay = replay_new(&config, &w->effects, w, start_us);
	if (w->replay && set_up(w))
		return w;
	snprintf(error, SCRIPT_TEXT_MAX, "a configuration with which no replay core starts");
	dispose(w);
	return NULL;
}

static void check_nothing_open(struct world *w)
{
	const struct ledger *l = replay_ledger(w->replay);

	if (replay_is_blocked(w->replay) || world_registered(w))
		fault(w, "after the shutdown %zu sessions are left", world_registered(w));
	for (size_t i = 0; i < l->target_count; i++)
		if (l->targets[i].stream.in_flight.bytes || l->targets[i].stream.in_flight.requests)
			fault(w, "after the shutdown something is in flight");
}

void world_free(struct world *w, char *fault_text)
{
	w->room = -1;
	w->is_holding = false;
	w->trace = NULL;
	world_shutdown(w);
	check_nothing_open(w);
	strcpy(fault_text, w->fault);
	dispose(w);
}

/* ---- what must hold ---- */

static void check_sums(struct world *w)
{
	const struct ledger *l = replay_ledger(w->replay);
	uint64_t active = 0;

	if (!ledger_packets_add_up(l) || l->packets.captured != w->frames)
		fault(w, "the ledger's packets do not add up");
	for (size_t i = 0; i < l->target_count; i++) {
		if (!ledger_stream_adds_up(&l->targets[i].stream))
			fault(w, "the ledger's stream does not add up");
		active += l->targets[i].sessions.active;
	}
	if (active != world_registered(w))
		fault(w, "the ledger knows %llu sessions, intercept %zu",
		      (unsigned long long)active, world_registered(w));
}

static void end_batch(struct world *w)
{
	if (!w->is_holding)
		replay_end_batch(w->replay, w->now_us);
	if (w->room < 0 && replay_is_blocked(w->replay))
		fault(w, "the core waits for a sender that has room");
	check_sums(w);
}

/* ---- events ---- */

static void give_frame(struct world *w, const struct captured *frame)
{
	w->frames++;
	replay_on_frame(w->replay, frame->link_type, frame->data, frame->captured_len_bytes,
			frame->wire_len_bytes, w->now_us);
	end_batch(w);
}

void world_online(struct world *w, const struct step *step)
{
	struct connection *c = &w->connections[step->connection];
	const struct packet_text *p = &step->packet;
	struct captured frame;

	if (w->trace)
		print_trace_online(w->trace, w->now_us - w->start_us, step, c->text);
	if (p->is_lost)
		return;
	w->speaking = step->connection;
	w->base = step->verb == VERB_SERVER || p->seq < 1 ? 1 : p->seq;
	capture_build(&frame, step, c->text);
	if (step->verb == VERB_CLIENT && (!p->is_corrupt || w->script->config.any_checksum))
		capture_remember(c, &frame, p);
	for (int i = 0; i <= p->is_twice; i++)
		give_frame(w, &frame);
	capture_fini(&frame);
}

void world_flood(struct world *w, const struct step *step)
{
	struct connection_text text = flood_text;

	w->speaking = SCRIPT_CONNECTIONS_MAX;
	for (uint64_t i = 0; i < step->number; i++) {
		struct captured frame;

		snprintf(text.client, sizeof(text.client), "10.99.%u.%u:40000", (unsigned)i / 250,
			 (unsigned)i % 250 + 1);
		capture_build(&frame, step, &text);
		if (w->trace)
			print_trace_online(w->trace, w->now_us - w->start_us, step, &text);
		give_frame(w, &frame);
		capture_fini(&frame);
	}
}

void world_frame(struct world *w, const uint8_t *frame, size_t len_bytes)
{
	w->speaking = 0;
	w->base = 1;
	w->frames++;
	replay_on_frame(w->replay, PACKET_LINK_ETHERNET, frame, len_bytes, len_bytes, w->now_us);
	end_batch(w);
}

void world_target(struct world *w, struct faked *f, const struct packet_text *p)
{
	struct wire_record r;

	capture_record(&r, f, p);
	if (w->trace)
		print_trace_target(w->trace, w->now_us - w->start_us, f, p);
	if ((r.flags & TCP_ACK) && seq_gt(r.ack, f->una) && seq_leq(r.ack, f->max_sent))
		f->una = r.ack;
	w->speaking = f->connection;
	w->base = 0;
	replay_on_record(w->replay, &r, w->now_us);
	end_batch(w);
}

void world_refuse(struct world *w, const struct faked *f)
{
	w->speaking = f->connection;
	w->base = f->base;
	replay_on_register_refused(w->replay, f->id, w->now_us);
	end_batch(w);
}

void world_too_big(struct world *w, const struct faked *f, int64_t seq, uint32_t mtu, uint32_t len)
{
	const struct wire_path_mtu m = {.session_id = f->id,
					.seq = f->iss + (uint32_t)seq,
					.mtu_bytes = mtu,
					.len_bytes = len};

	w->speaking = f->connection;
	w->base = f->base;
	replay_on_path_mtu(w->replay, &m, w->now_us);
	end_batch(w);
}

void world_link(struct world *w, unsigned up)
{
	replay_on_links(w->replay, up, w->now_us);
	end_batch(w);
}

void world_room(struct world *w, long room)
{
	w->room = room;
	end_batch(w);
}

void world_hold(struct world *w, bool hold)
{
	w->is_holding = hold;
	end_batch(w);
}

void world_shutdown(struct world *w)
{
	replay_shutdown(w->replay, w->now_us);
	check_sums(w);
}

/* ---- time ---- */

static bool has_something(const struct world *w, const struct faked *f)
{
	struct faked *whose;

	return f ? f->first != NULL : world_unexpected(w, &whose) != NULL;
}

void world_pass(struct world *w, uint64_t until_us, const struct faked *f)
{
	unsigned still = 0;

	w->base = 0;
	while (w->now_us < until_us && !w->fault[0] && !has_something(w, f)) {
		uint64_t next = replay_next_us(w->replay);

		if (next <= w->now_us) {
			if (++still > STANDSTILL_MAX)
				fault(w, "the core wants to be called again and again at once");
			next = w->now_us + 1;
		} else {
			still = 0;
		}
		w->now_us = next < until_us ? next : until_us;
		replay_on_time(w->replay, w->now_us);
		end_batch(w);
	}
}

/* ---- looking ---- */

struct faked *world_faked(struct world *w, const struct step *step)
{
	size_t ago = step->ago;

	for (struct faked *f = w->fakeds; f; f = f->next)
		if (f->connection == step->connection && f->transfer == step->transfer && !ago--)
			return f;
	return NULL;
}

const struct sent *world_unexpected(const struct world *w, struct faked **whose)
{
	const struct sent *first = NULL;

	for (struct faked *f = w->fakeds; f; f = f->next) {
		if (!f->first || (first && first->at_us <= f->first->at_us))
			continue;
		first = f->first;
		*whose = f;
	}
	return first;
}

struct sent *world_take(struct faked *f)
{
	struct sent *s = f->first;

	if (!s)
		return NULL;
	f->first = s->next;
	if (!f->first)
		f->last = &f->first;
	return s;
}

size_t world_forget(struct world *w)
{
	size_t n = 0;

	for (struct faked *f = w->fakeds; f; f = f->next) {
		struct sent *s;

		while ((s = world_take(f))) {
			free(s);
			n++;
		}
	}
	return n;
}

size_t world_registered(const struct world *w)
{
	size_t n = 0;

	for (const struct faked *f = w->fakeds; f; f = f->next)
		n += f->is_registered;
	return n;
}
