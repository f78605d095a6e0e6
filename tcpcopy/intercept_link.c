/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intercept_link.c - see intercept_link.h.
 *
 * A fault that is found while a call-back runs or while a message is queued only sets `fault`; the
 * connection is closed at one place, link_settle, at the end of each public call that may close.
 */
#include "tcpcopy/intercept_link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SILENT_US = 2500000,   /* two heartbeats and a half */
	HEARTBEATS_KEPT = 4,   /* one a second: a window of 3 s */
	REGISTER_LEN_MAX = 64, /* no encoded registration is longer */
	OUTPUT_MARGIN = 256,   /* nor any message of ours */
	URGENT_UNKNOWN = 2,
};

/* How long to wait after a fault. */
enum link_fault {
	LINK_FAULT_NONE,
	LINK_FAULT_LOST,  /* try again soon */
	LINK_FAULT_ALIEN, /* it will not be better in a second */
};

struct link_output {
	uint8_t *bytes;
	size_t max_bytes;
	size_t head;
	size_t tail;
};

struct link_input {
	uint8_t *bytes;
	size_t len_bytes;
};

struct intercept_link {
	const struct intercept_link_effects *effects;
	void *ctx;
	char name[INTERCEPT_LINK_NAME_MAX];
	struct endpoint addresses[INTERCEPT_LINK_ADDRESSES_MAX];
	size_t address_count;
	size_t address; /* of the present attempt */
	size_t untried; /* addresses left before a pause */
	uint64_t instance_id;
	uint8_t worker_id;
	uint8_t connection;
	enum intercept_link_state state;
	enum link_fault fault;
	char why[INTERCEPT_LINK_WHY_MAX];
	struct link_output out;
	struct link_input in;
	uint64_t backoff_us;
	uint64_t deadline_us; /* IDLE: next attempt; CONNECTING, HELLO: give up */
	uint64_t heard_us;    /* last message while UP */
	uint64_t heartbeat_us;
	bool is_urgent;
	uint8_t told_urgent; /* 0, 1 or URGENT_UNKNOWN */
	bool resync;         /* a pass over the sessions is under way */
	bool resync_again;   /* another must follow */
	uint32_t resync_cursor;
	struct wire_heartbeat heartbeats[HEARTBEATS_KEPT]; /* a ring */
	size_t heartbeat_count;
	struct intercept_link_stats stats;
};

/* The only place where the state changes. */
static void link_set_state(struct intercept_link *l, enum intercept_link_state state,
			   const char *why, uint64_t now_us)
{
	static const uint8_t legal[] = {
		[INTERCEPT_LINK_IDLE] = 1 << INTERCEPT_LINK_IDLE | 1 << INTERCEPT_LINK_CONNECTING,
		[INTERCEPT_LINK_CONNECTING] = 1 << INTERCEPT_LINK_IDLE | 1 << INTERCEPT_LINK_HELLO,
		[INTERCEPT_LINK_HELLO] = 1 << INTERCEPT_LINK_IDLE | 1 << INTERCEPT_LINK_UP,
		[INTERCEPT_LINK_UP] = 1 << INTERCEPT_LINK_IDLE,
	};

	assert(legal[l->state] & 1 << state);
	l->state = state;
	l->effects->link_state(l->ctx, state, why, now_us);
}

static void link_fail(struct intercept_link *l, enum link_fault fault, const char *why)
{
	if (l->fault != LINK_FAULT_NONE)
		return;
	l->fault = fault;
	snprintf(l->why, sizeof(l->why), "%s", why);
}

/* --- output --- */

static size_t output_used(const struct link_output *o)
{
	return o->tail - o->head;
}

static struct byte_writer output_writer(struct link_output *o)
{
	/* Only when much is gained: a slow reader must not cost a move of megabytes a message. */
	if (o->head >= o->max_bytes / 4 && o->tail + OUTPUT_MARGIN > o->max_bytes) {
		memmove(o->bytes, o->bytes + o->head, output_used(o));
		o->tail -= o->head;
		o->head = 0;
	}
	return byte_writer_on(o->bytes + o->tail, o->max_bytes - o->tail);
}

/* Takes over what was written. False if the message did not fit. */
static bool output_commit(struct link_output *o, const struct byte_writer *w)
{
	if (w->failed)
		return false;
	o->tail = (size_t)(w->at - o->bytes);
	return true;
}

static void output_clear(struct link_output *o)
{
	o->head = 0;
	o->tail = 0;
}

/* The last quarter is kept for what must not be postponed. */
static bool output_takes_registrations(const struct link_output *o)
{
	return output_used(o) + REGISTER_LEN_MAX <= o->max_bytes / 4 * 3;
}

/* --- messages of ours --- */

static void put_hello(struct intercept_link *l)
{
	const struct wire_hello hello = {
		.version = WIRE_VERSION,
		.role = WIRE_ROLE_TCPCOPY,
		.worker_id = l->worker_id,
		.instance_id = l->instance_id,
		.connection = l->connection,
	};
	struct byte_writer w = output_writer(&l->out);

	wire_put_hello(&w, &hello);
	output_commit(&l->out, &w);
}

static void put_refusal(struct intercept_link *l, enum wire_refusal_reason reason, const char *text)
{
	struct wire_refusal refusal = {.reason = (uint8_t)reason, .version = WIRE_VERSION};
	struct byte_writer w = output_writer(&l->out);

	snprintf(refusal.text, sizeof(refusal.text), "%s", text);
	wire_put_refusal(&w, &refusal);
	output_commit(&l->out, &w);
}

static void put_heartbeat(struct intercept_link *l)
{
	const struct wire_heartbeat none = {.captured = 0};
	struct byte_writer w = output_writer(&l->out);

	/* A full output is proof of life enough. */
	wire_put_heartbeat(&w, &none);
	output_commit(&l->out, &w);
}

static void put_urgency(struct intercept_link *l)
{
	struct byte_writer w;

	if (l->state != INTERCEPT_LINK_UP || l->told_urgent == (uint8_t)l->is_urgent)
		return;
	w = output_writer(&l->out);
	wire_put_urgency(&w, l->is_urgent);
	if (output_commit(&l->out, &w))
		l->told_urgent = (uint8_t)l->is_urgent;
}

/* --- ends of a connection --- */

static void link_back_off(struct intercept_link *l, enum link_fault fault, uint64_t now_us)
{
	l->address = (l->address + 1) % l->address_count;
	l->untried = l->address_count;
	if (fault == LINK_FAULT_ALIEN) {
		l->deadline_us = now_us + INTERCEPT_LINK_BACKOFF_SLOW_US;
		return;
	}
	l->deadline_us = now_us + l->backoff_us;
	l->backoff_us *= 2;
	if (l->backoff_us > INTERCEPT_LINK_BACKOFF_MAX_US)
		l->backoff_us = INTERCEPT_LINK_BACKOFF_MAX_US;
}

static void link_reset_connection(struct intercept_link *l)
{
	output_clear(&l->out);
	l->in.len_bytes = 0;
	l->told_urgent = URGENT_UNKNOWN;
	l->resync = false;
	l->resync_again = false;
	l->heartbeat_count = 0;
	l->fault = LINK_FAULT_NONE;
}

/* The socket is gone: goes IDLE, or on to the next address at once. */
static void link_end(struct intercept_link *l, enum link_fault fault, uint64_t now_us)
{
	bool next_address = l->state == INTERCEPT_LINK_CONNECTING && l->untried > 1;
	char why[INTERCEPT_LINK_WHY_MAX];

	memcpy(why, l->why, sizeof(why));
	l->stats.failures++;
	link_reset_connection(l);
	if (next_address) {
		l->address = (l->address + 1) % l->address_count;
		l->untried--;
		l->deadline_us = now_us;
	} else {
		/* A connection that was UP is tried at its own address first. */
		if (l->state == INTERCEPT_LINK_UP)
			l->address = (l->address + l->address_count - 1) % l->address_count;
		link_back_off(l, fault, now_us);
	}
	link_set_state(l, INTERCEPT_LINK_IDLE, why, now_us);
}

/* Closes if a fault was found. */
static void link_settle(struct intercept_link *l, uint64_t now_us)
{
	enum link_fault fault = l->fault;

	if (fault == LINK_FAULT_NONE || l->state == INTERCEPT_LINK_IDLE)
		return;
	l->effects->close(l->ctx);
	link_end(l, fault, now_us);
}

/* --- input --- */

/* Whatever a peer sent that this version cannot read: told to it, and slowly tried again. */
static void link_refuse_peer(struct intercept_link *l, enum wire_refusal_reason reason,
			     const char *why)
{
	put_refusal(l, reason, why);
	link_fail(l, LINK_FAULT_ALIEN, why);
}

static void on_hello(struct intercept_link *l, const struct wire_message *m, uint64_t now_us)
{
	struct wire_hello hello;
	char why[INTERCEPT_LINK_WHY_MAX];

	if (m->type != WIRE_HELLO || wire_get_hello(&hello, m)) {
		link_refuse_peer(l, WIRE_REFUSED_PROTOCOL,
				 "what answers there is not an intercept");
		return;
	}
	if (hello.role != WIRE_ROLE_INTERCEPT) {
		link_refuse_peer(l, WIRE_REFUSED_ROLE, "what answers there is not an intercept");
		return;
	}
	if (hello.version != WIRE_VERSION) {
		snprintf(why, sizeof(why),
			 "intercept speaks version %u of the link, tcpcopy version %d: install the "
			 "same release on both hosts",
			 (unsigned)hello.version, WIRE_VERSION);
		link_refuse_peer(l, WIRE_REFUSED_VERSION, why);
		return;
	}
	l->stats.connects++;
	l->heard_us = now_us;
	l->heartbeat_us = now_us;
	l->untried = l->address_count;
	l->resync = true;
	l->resync_cursor = 0;
	link_set_state(l, INTERCEPT_LINK_UP, "", now_us);
	put_urgency(l);
}

static void on_refusal(struct intercept_link *l, const struct wire_message *m)
{
	struct wire_refusal refusal;
	char why[INTERCEPT_LINK_WHY_MAX];

	if (wire_get_refusal(&refusal, m)) {
		link_refuse_peer(l, WIRE_REFUSED_PROTOCOL, "a refusal that does not decode");
		return;
	}
	snprintf(why, sizeof(why),
		 "intercept refused: %s (%s; its version of the link %u, ours %d)", refusal.text,
		 wire_refusal_reason_name(refusal.reason), (unsigned)refusal.version, WIRE_VERSION);
	link_fail(l, refusal.reason == WIRE_REFUSED_SHUTDOWN ? LINK_FAULT_LOST : LINK_FAULT_ALIEN,
		  why);
}

static int on_heartbeat(struct intercept_link *l, const struct wire_message *m)
{
	struct wire_heartbeat heartbeat;

	if (wire_get_heartbeat(&heartbeat, m))
		return -1;
	l->heartbeats[l->heartbeat_count++ % HEARTBEATS_KEPT] = heartbeat;
	/* It works: the next failure is a new one. */
	l->backoff_us = INTERCEPT_LINK_BACKOFF_MIN_US;
	return 0;
}

static int on_register_refused(struct intercept_link *l, const struct wire_message *m,
			       uint64_t now_us)
{
	struct wire_session_id id;

	if (wire_get_session_id(&id, m))
		return -1;
	l->stats.refused++;
	l->effects->refused(l->ctx, id.session_id, now_us);
	return 0;
}

static int on_responses(struct intercept_link *l, const struct wire_message *m, uint64_t now_us)
{
	struct wire_record_cursor cursor;
	struct wire_record record;
	int more;

	if (wire_records_open(&cursor, m))
		return -1;
	while ((more = wire_records_next(&cursor, &record)) > 0) {
		l->stats.records++;
		l->effects->record(l->ctx, &record, now_us);
	}
	return more;
}

static int on_path_mtu(struct intercept_link *l, const struct wire_message *m, uint64_t now_us)
{
	struct wire_path_mtu path_mtu;

	if (wire_get_path_mtu(&path_mtu, m))
		return -1;
	l->effects->path_mtu(l->ctx, &path_mtu, now_us);
	return 0;
}

static void on_message(struct intercept_link *l, const struct wire_message *m, uint64_t now_us)
{
	int rc = 0;

	l->stats.messages++;
	if (m->type == WIRE_REFUSAL) {
		on_refusal(l, m);
		return;
	}
	if (l->state == INTERCEPT_LINK_HELLO) {
		on_hello(l, m, now_us);
		return;
	}
	l->heard_us = now_us;
	switch (m->type) {
	case WIRE_HEARTBEAT:
		rc = on_heartbeat(l, m);
		break;
	case WIRE_REGISTER_REFUSED:
		rc = on_register_refused(l, m, now_us);
		break;
	case WIRE_RESPONSES:
		rc = on_responses(l, m, now_us);
		break;
	case WIRE_PATH_MTU:
		rc = on_path_mtu(l, m, now_us);
		break;
	case WIRE_HELLO:
		rc = -1;
		break;
	default: /* of a later version: skipped by its length */
		break;
	}
	if (rc)
		link_refuse_peer(l, WIRE_REFUSED_PROTOCOL, "a message that does not decode");
}

void intercept_link_on_input(struct intercept_link *l, size_t len_bytes, uint64_t now_us)
{
	size_t at = 0;

	assert(len_bytes <= INTERCEPT_LINK_INPUT_MAX - l->in.len_bytes);
	if (l->state != INTERCEPT_LINK_HELLO && l->state != INTERCEPT_LINK_UP)
		return;
	l->in.len_bytes += len_bytes;
	l->stats.bytes_read += len_bytes;
	while (l->fault == LINK_FAULT_NONE) {
		struct wire_message m;
		long taken = wire_next(&m, l->in.bytes + at, l->in.len_bytes - at);

		if (taken < 0)
			link_refuse_peer(l, WIRE_REFUSED_PROTOCOL,
					 "what answers there is not an intercept (no message has "
					 "such a length)");
		if (taken <= 0)
			break;
		on_message(l, &m, now_us);
		at += (size_t)taken;
	}
	l->in.len_bytes -= at;
	memmove(l->in.bytes, l->in.bytes + at, l->in.len_bytes);
	link_settle(l, now_us);
}

uint8_t *intercept_link_input(struct intercept_link *l, size_t *room_bytes)
{
	*room_bytes = INTERCEPT_LINK_INPUT_MAX - l->in.len_bytes;
	return l->in.bytes + l->in.len_bytes;
}

const uint8_t *intercept_link_output(const struct intercept_link *l, size_t *len_bytes)
{
	*len_bytes = output_used(&l->out);
	return l->out.bytes + l->out.head;
}

void intercept_link_on_written(struct intercept_link *l, size_t len_bytes)
{
	assert(len_bytes <= output_used(&l->out));
	l->out.head += len_bytes;
	l->stats.bytes_written += len_bytes;
	if (l->out.head == l->out.tail)
		output_clear(&l->out);
	put_urgency(l); /* it may have found no room before */
}

/* --- the socket's news and time --- */

static void link_start_attempt(struct intercept_link *l, uint64_t now_us)
{
	const char *why = "";

	l->deadline_us = now_us + INTERCEPT_LINK_CONNECT_US;
	link_set_state(l, INTERCEPT_LINK_CONNECTING, "", now_us);
	if (l->effects->connect(l->ctx, &l->addresses[l->address], &why) == 0)
		return;
	link_fail(l, LINK_FAULT_LOST, why);
	link_end(l, LINK_FAULT_LOST, now_us);
}

void intercept_link_on_connected(struct intercept_link *l, uint64_t now_us)
{
	if (l->state != INTERCEPT_LINK_CONNECTING)
		return;
	l->deadline_us = now_us + INTERCEPT_LINK_HELLO_US;
	put_hello(l);
	link_set_state(l, INTERCEPT_LINK_HELLO, "", now_us);
}

void intercept_link_on_closed(struct intercept_link *l, const char *text, uint64_t now_us)
{
	if (l->state == INTERCEPT_LINK_IDLE)
		return;
	link_fail(l, LINK_FAULT_LOST, text);
	link_end(l, l->fault, now_us);
}

void intercept_link_on_time(struct intercept_link *l, uint64_t now_us)
{
	switch (l->state) {
	case INTERCEPT_LINK_IDLE:
		if (now_us >= l->deadline_us)
			link_start_attempt(l, now_us);
		break;
	case INTERCEPT_LINK_CONNECTING:
		if (now_us >= l->deadline_us)
			link_fail(l, LINK_FAULT_LOST, "no answer to the connection for 2 s");
		break;
	case INTERCEPT_LINK_HELLO:
		if (now_us >= l->deadline_us)
			link_fail(l, LINK_FAULT_ALIEN,
				  "connected, but no hello for 5 s: what listens there is no "
				  "intercept, or it hangs");
		break;
	case INTERCEPT_LINK_UP:
		if (now_us >= l->heard_us + INTERCEPT_LINK_SILENCE_US)
			link_fail(l, LINK_FAULT_LOST, "silent for 10 s");
		if (now_us >= l->heartbeat_us) {
			put_heartbeat(l);
			l->heartbeat_us = now_us + INTERCEPT_LINK_HEARTBEAT_US;
		}
		break;
	}
	link_settle(l, now_us);
}

uint64_t intercept_link_next_us(const struct intercept_link *l)
{
	uint64_t silent_us = l->heard_us + INTERCEPT_LINK_SILENCE_US;

	if (l->fault != LINK_FAULT_NONE)
		return 0;
	if (l->state != INTERCEPT_LINK_UP)
		return l->deadline_us;
	return l->heartbeat_us < silent_us ? l->heartbeat_us : silent_us;
}

/* --- sessions --- */

void intercept_link_register(struct intercept_link *l, uint32_t session_id,
			     const struct tuple *response)
{
	const struct wire_register message = {.session_id = session_id, .response = *response};
	struct byte_writer w;

	if (l->state != INTERCEPT_LINK_UP)
		return;
	if (output_takes_registrations(&l->out)) {
		w = output_writer(&l->out);
		wire_put_register(&w, &message);
		if (output_commit(&l->out, &w)) {
			l->stats.registered++;
			return;
		}
	}
	l->stats.postponed++;
	/* The pass that is under way may have been past it. */
	l->resync_again = true;
}

void intercept_link_unregister(struct intercept_link *l, uint32_t session_id)
{
	struct byte_writer w;

	if (l->state != INTERCEPT_LINK_UP)
		return;
	w = output_writer(&l->out);
	wire_put_unregister(&w, session_id);
	if (!output_commit(&l->out, &w))
		link_fail(l, LINK_FAULT_LOST, "it reads too slowly: its output buffer is full");
}

void intercept_link_urgency(struct intercept_link *l, bool urgent)
{
	l->is_urgent = urgent;
	put_urgency(l);
}

size_t intercept_link_resync_room(const struct intercept_link *l)
{
	size_t used = output_used(&l->out), half = l->out.max_bytes / 2;

	if (l->state != INTERCEPT_LINK_UP || (!l->resync && !l->resync_again) || used >= half)
		return 0;
	return (half - used) / REGISTER_LEN_MAX;
}

uint32_t *intercept_link_resync_cursor(struct intercept_link *l)
{
	if (!l->resync && l->resync_again) {
		l->resync = true;
		l->resync_again = false;
		l->resync_cursor = 0;
	}
	return &l->resync_cursor;
}

void intercept_link_resync_done(struct intercept_link *l)
{
	l->resync = false;
}

void intercept_link_ask_resync(struct intercept_link *l)
{
	if (l->state == INTERCEPT_LINK_UP)
		l->resync_again = true;
}

/* --- life and questions --- */

struct intercept_link *intercept_link_new(const struct intercept_link_config *config,
					  const struct intercept_link_effects *effects, void *ctx,
					  uint64_t now_us)
{
	struct intercept_link *l;

	if (!config->address_count || config->address_count > INTERCEPT_LINK_ADDRESSES_MAX) {
		errno = EINVAL;
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->out.max_bytes =
		config->output_max_bytes ? config->output_max_bytes : INTERCEPT_LINK_OUTPUT_MAX;
	l->out.bytes = malloc(l->out.max_bytes);
	l->in.bytes = malloc(INTERCEPT_LINK_INPUT_MAX);
	if (!l->out.bytes || !l->in.bytes) {
		intercept_link_free(l);
		errno = ENOMEM;
		return NULL;
	}
	l->effects = effects;
	l->ctx = ctx;
	snprintf(l->name, sizeof(l->name), "%s", config->name);
	memcpy(l->addresses, config->addresses, config->address_count * sizeof(*config->addresses));
	l->address_count = config->address_count;
	l->untried = config->address_count;
	l->instance_id = config->instance_id;
	l->worker_id = config->worker_id;
	l->connection = config->connection;
	l->backoff_us = INTERCEPT_LINK_BACKOFF_MIN_US;
	l->deadline_us = now_us;
	l->told_urgent = URGENT_UNKNOWN;
	return l;
}

void intercept_link_free(struct intercept_link *l)
{
	if (!l)
		return;
	free(l->out.bytes);
	free(l->in.bytes);
	free(l);
}

enum intercept_link_state intercept_link_state(const struct intercept_link *l)
{
	return l->state;
}

const char *intercept_link_state_name(enum intercept_link_state state)
{
	switch (state) {
	case INTERCEPT_LINK_IDLE:
		return "down";
	case INTERCEPT_LINK_CONNECTING:
		return "connecting";
	case INTERCEPT_LINK_HELLO:
		return "hello";
	case INTERCEPT_LINK_UP:
		return "up";
	}
	return "?";
}

const char *intercept_link_name(const struct intercept_link *l)
{
	return l->name;
}

const struct endpoint *intercept_link_address(const struct intercept_link *l)
{
	return &l->addresses[l->address];
}

void intercept_link_get_stats(const struct intercept_link *l, struct intercept_link_stats *stats)
{
	*stats = l->stats;
}

bool intercept_link_is_silent(const struct intercept_link *l, uint64_t now_us)
{
	return l->state == INTERCEPT_LINK_UP && now_us >= l->heard_us + SILENT_US;
}

bool intercept_link_recent(const struct intercept_link *l, struct wire_heartbeat *delta)
{
	size_t kept = l->heartbeat_count < HEARTBEATS_KEPT ? l->heartbeat_count : HEARTBEATS_KEPT;
	const struct wire_heartbeat *first, *last;

	if (kept < 2)
		return false;
	first = &l->heartbeats[(l->heartbeat_count - kept) % HEARTBEATS_KEPT];
	last = &l->heartbeats[(l->heartbeat_count - 1) % HEARTBEATS_KEPT];
	/* Unsigned differences: a peer that counts backwards gives nonsense, no harm. */
	delta->captured = last->captured - first->captured;
	delta->routed = last->routed - first->routed;
	delta->unrouted = last->unrouted - first->unrouted;
	delta->dropped = last->dropped - first->dropped;
	return true;
}

size_t intercept_link_memory(const struct intercept_link *l)
{
	return sizeof(*l) + l->out.max_bytes + INTERCEPT_LINK_INPUT_MAX;
}
