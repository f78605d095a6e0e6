/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.c - see peer.h. Input is decoded where it was read to; only a message that is cut by the end
 * of a read is copied, and completed with exactly the bytes that it lacks. Output is one
 * buffer that grows by doubling up to its limit and is given back when it was large and has drained.
 */
#include "intercept/peer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LENGTH_LEN = 4,
	OUTPUT_START = 16 * 1024,
	OUTPUT_KEEP = 256 * 1024, /* an empty buffer above this is given back */
	OUTPUT_MOVE_MIN = PEER_OUTPUT_MAX / 8,
	SMALL_MESSAGE_MAX = 64,
	RESPONSES_HEAD_LEN = WIRE_HEADER_LEN + 2,
};

static_assert(PEER_BATCH_MAX < UINT16_MAX, "an index fits in 16 bits, with a value to spare");

struct peer_output {
	uint8_t *bytes;
	size_t room;
	size_t head;
	size_t tail;
};

struct peer {
	enum peer_state state;
	enum peer_fault fault;
	char why[PEER_WHY_MAX];
	uint64_t instance_id; /* ours */
	struct wire_hello hello;
	uint64_t deadline_us; /* STRANGER: hello; UP: silence; GOODBYE: the end */
	uint64_t heartbeat_us;
	uint8_t *in; /* a message not all here yet; WIRE_MESSAGE_MAX bytes when first needed */
	size_t in_len;
	struct peer_output out;
	struct peer_flushed flushed; /* by peer_add_record, not yet told */
	unsigned batch_max;
	unsigned record_count;
	struct wire_record records[PEER_BATCH_MAX];
};

struct peer *peer_new(uint64_t instance_id, uint64_t now_us)
{
	/* Not cleared as a whole: the batch is not touched before it is used. */
	struct peer *p = malloc(sizeof(*p));

	if (!p) {
		errno = ENOMEM;
		return NULL;
	}
	memset(p, 0, offsetof(struct peer, records));
	p->state = PEER_STRANGER;
	p->instance_id = instance_id;
	p->deadline_us = now_us + PEER_HELLO_US;
	p->batch_max = PEER_BATCH_MAX;
	return p;
}

void peer_limit_batch(struct peer *p, unsigned records)
{
	assert(records >= 1 && records <= PEER_BATCH_MAX && p->record_count == 0);
	p->batch_max = records;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	free(p->in);
	free(p->out.bytes);
	free(p);
}

enum peer_state peer_state(const struct peer *p)
{
	return p->state;
}

enum peer_fault peer_fault_of(const struct peer *p)
{
	return p->fault;
}

const char *peer_why(const struct peer *p)
{
	return p->why;
}

const struct wire_hello *peer_hello(const struct peer *p)
{
	return &p->hello;
}

/* The only place where the state changes. */
static void set_state(struct peer *p, enum peer_state state)
{
	static const uint8_t legal[] = {
		[PEER_STRANGER] = 1 << PEER_UP | 1 << PEER_GOODBYE,
		[PEER_UP] = 1 << PEER_GOODBYE,
		[PEER_GOODBYE] = 1 << PEER_GOODBYE,
	};

	assert(legal[p->state] & 1 << state);
	p->state = state;
}

static void set_fault(struct peer *p, enum peer_fault fault, const char *why)
{
	p->fault = fault;
	snprintf(p->why, sizeof(p->why), "%s", why);
}

/* ---- output ---- */

static size_t output_used(const struct peer_output *o)
{
	return o->tail - o->head;
}

/* To the front of a block of the given size, which may be the present one. False without memory. */
static bool output_move(struct peer_output *o, size_t room)
{
	size_t used = output_used(o);
	uint8_t *bytes = o->bytes;

	if (room != o->room) {
		bytes = malloc(room);
		if (!bytes)
			return false;
	}
	if (used)
		memmove(bytes, o->bytes + o->head, used);
	if (bytes != o->bytes)
		free(o->bytes);
	*o = (struct peer_output){.bytes = bytes, .room = room, .tail = used};
	return true;
}

/* Sees to need more bytes at the tail, holding at most limit in all. False if that cannot be. */
static bool output_reserve(struct peer_output *o, size_t need, size_t limit)
{
	size_t used = output_used(o);
	size_t room = o->room ? o->room : OUTPUT_START;

	if (used + need > limit)
		return false;
	if (o->tail + need <= o->room)
		return true;
	/* What is moved is at most what has been sent since, so moving is free of charge. */
	if (o->head >= used && used + need <= o->room)
		return output_move(o, o->room);
	while (room < PEER_OUTPUT_MAX && room < used + need)
		room *= 2;
	if (room == o->room && room < PEER_OUTPUT_MAX)
		room *= 2;
	if (room != o->room)
		return output_move(o, room);
	/* As large as it gets: a slow reader must not cost a move of megabytes a message. */
	return o->head >= OUTPUT_MOVE_MIN && output_move(o, o->room);
}

static struct byte_writer output_writer(struct peer *p, size_t need)
{
	struct peer_output *o = &p->out;

	if (output_reserve(o, need, PEER_OUTPUT_MAX))
		return byte_writer_on(o->bytes + o->tail, o->room - o->tail);
	return (struct byte_writer){.failed = true};
}

/* Takes over what was written. False if the message did not fit. */
static bool output_commit(struct peer *p, const struct byte_writer *w)
{
	if (w->failed)
		return false;
	p->out.tail = (size_t)(w->at - p->out.bytes);
	return true;
}

const uint8_t *peer_output(const struct peer *p, size_t *len_bytes)
{
	*len_bytes = output_used(&p->out);
	return *len_bytes ? p->out.bytes + p->out.head : NULL;
}

void peer_output_sent(struct peer *p, size_t len_bytes)
{
	struct peer_output *o = &p->out;

	assert(len_bytes <= output_used(o));
	o->head += len_bytes;
	if (o->head != o->tail)
		return;
	o->head = o->tail = 0;
	if (o->room > OUTPUT_KEEP) {
		free(o->bytes);
		*o = (struct peer_output){.bytes = NULL};
	}
}

size_t peer_memory(const struct peer *p)
{
	return sizeof(*p) + p->out.room + (p->in ? WIRE_MESSAGE_MAX : 0);
}

/* ---- messages of ours ---- */

static void put_hello(struct peer *p)
{
	const struct wire_hello hello = {
		.version = WIRE_VERSION,
		.role = WIRE_ROLE_INTERCEPT,
		.instance_id = p->instance_id,
	};
	struct byte_writer w = output_writer(p, SMALL_MESSAGE_MAX);

	wire_put_hello(&w, &hello);
	output_commit(p, &w);
}

static enum wire_refusal_reason refusal_reason(enum peer_fault fault)
{
	switch (fault) {
	case PEER_FAULT_VERSION:
		return WIRE_REFUSED_VERSION;
	case PEER_FAULT_ROLE:
		return WIRE_REFUSED_ROLE;
	case PEER_FAULT_FULL:
		return WIRE_REFUSED_FULL;
	case PEER_FAULT_SHUTDOWN:
		return WIRE_REFUSED_SHUTDOWN;
	case PEER_FAULT_NONE:
	case PEER_FAULT_GARBAGE:
	case PEER_FAULT_NO_HELLO:
	case PEER_FAULT_MALFORMED:
	case PEER_FAULT_SILENT:
	case PEER_FAULT_LEFT:
	case PEER_FAULTS:
		break;
	}
	return WIRE_REFUSED_PROTOCOL;
}

/* From the batch to the output. What does not fit is lost for this peer alone. */
static void flush_batch(struct peer *p)
{
	size_t need = RESPONSES_HEAD_LEN + (size_t)p->record_count * WIRE_RECORD_MAX;
	bool fits = p->record_count > 0 &&
		    output_reserve(&p->out, need, PEER_OUTPUT_MAX - PEER_OUTPUT_RESERVE);
	uint64_t segments = 0;

	for (unsigned i = 0; i < p->record_count; i++)
		segments += p->records[i].segments;
	if (fits) {
		struct byte_writer w =
			byte_writer_on(p->out.bytes + p->out.tail, p->out.room - p->out.tail);
		size_t put = wire_put_responses(&w, p->records, p->record_count);

		assert(put == p->record_count);
		(void)put;
		output_commit(p, &w);
		p->flushed.records += p->record_count;
		p->flushed.segments += segments;
	} else {
		p->flushed.records_dropped += p->record_count;
		p->flushed.segments_dropped += segments;
	}
	p->record_count = 0;
}

void peer_refuse(struct peer *p, enum peer_fault fault, const char *text, uint64_t now_us)
{
	struct wire_refusal refusal = {
		.reason = (uint8_t)refusal_reason(fault),
		.version = WIRE_VERSION,
	};
	struct byte_writer w;

	flush_batch(p); /* the refusal is the last word */
	w = output_writer(p, WIRE_HEADER_LEN + sizeof(refusal));
	snprintf(refusal.text, sizeof(refusal.text), "%s", text);
	wire_put_refusal(&w, &refusal);
	output_commit(p, &w);
	set_fault(p, fault, text);
	set_state(p, PEER_GOODBYE);
	p->deadline_us = now_us + PEER_GOODBYE_US;
}

bool peer_put_register_refused(struct peer *p, uint32_t session_id)
{
	struct byte_writer w = output_writer(p, SMALL_MESSAGE_MAX);

	wire_put_register_refused(&w, session_id);
	return output_commit(p, &w);
}

bool peer_put_path_mtu(struct peer *p, const struct wire_path_mtu *m)
{
	struct byte_writer w = {.failed = true};

	/* Strangers make these: the reserve is not for them. */
	if (output_reserve(&p->out, SMALL_MESSAGE_MAX, PEER_OUTPUT_MAX - PEER_OUTPUT_RESERVE))
		w = output_writer(p, SMALL_MESSAGE_MAX);
	wire_put_path_mtu(&w, m);
	return output_commit(p, &w);
}

/* ---- input ---- */

/*
 * Whether the first bytes of a connection may become a hello. Judged as early as possible, so that
 * a browser or a port scanner is gone with its first packet.
 */
static bool may_be_hello(const uint8_t *bytes, size_t len)
{
	if (len >= LENGTH_LEN && get_be32(bytes) > PEER_HELLO_LEN_MAX - LENGTH_LEN)
		return false;
	if (len > LENGTH_LEN && bytes[LENGTH_LEN] != WIRE_HELLO)
		return false;
	return len < WIRE_HEADER_LEN + sizeof(uint32_t) ||
	       get_be32(bytes + WIRE_HEADER_LEN) == WIRE_MAGIC;
}

/* From the stream to the message begun earlier, until that has want bytes. True if it has. */
static bool top_up(struct peer *p, struct byte_reader *stream, size_t want)
{
	size_t n = byte_reader_left(stream);

	if (n > want - p->in_len)
		n = want - p->in_len;
	if (n)
		memcpy(p->in + p->in_len, byte_reader_take(stream, n), n);
	p->in_len += n;
	return p->in_len == want;
}

/* The bytes of a message whose end has not come yet. */
static bool keep_tail(struct peer *p, struct byte_reader *stream)
{
	if (!p->in)
		p->in = malloc(WIRE_MESSAGE_MAX);
	if (!p->in)
		return false;
	top_up(p, stream, byte_reader_left(stream));
	return true;
}

/* Completes a message begun earlier. 1, 0 if more must come, -1 if its length is impossible. */
static int complete_message(struct peer *p, struct byte_reader *stream, struct wire_message *m)
{
	if (p->in_len < LENGTH_LEN && !top_up(p, stream, LENGTH_LEN))
		return 0;
	if (wire_next(m, p->in, p->in_len) < 0)
		return -1;
	if (p->state == PEER_STRANGER && !may_be_hello(p->in, p->in_len))
		return -1;
	if (!top_up(p, stream, LENGTH_LEN + (size_t)get_be32(p->in)))
		return p->state == PEER_STRANGER && !may_be_hello(p->in, p->in_len) ? -1 : 0;
	wire_next(m, p->in, p->in_len);
	p->in_len = 0; /* the body stays good until the next message */
	return 1;
}

/* The next message: 1, 0 if more must come, -1 if this is no stream of messages. */
static int take_message(struct peer *p, struct byte_reader *stream, struct wire_message *m)
{
	long n;

	if (p->in_len > 0)
		return complete_message(p, stream, m);
	if (byte_reader_left(stream) == 0)
		return 0;
	if (p->state == PEER_STRANGER && !may_be_hello(stream->at, byte_reader_left(stream)))
		return -1;
	n = wire_next(m, stream->at, byte_reader_left(stream));
	if (n > 0) {
		stream->at += n;
		return 1;
	}
	return n == 0 && keep_tail(p, stream) ? 0 : -1;
}

static void on_hello(struct peer *p, const struct wire_message *m, struct peer_event *e,
		     uint64_t now_us)
{
	char text[WIRE_REFUSAL_TEXT_MAX + 1];

	e->type = PEER_EVENT_FAULT;
	if (m->type != WIRE_HELLO || wire_get_hello(&p->hello, m)) {
		set_fault(p, PEER_FAULT_GARBAGE, "it does not speak tcpcopy's protocol");
	} else if (p->hello.version != WIRE_VERSION) {
		snprintf(text, sizeof(text),
			 "tcpcopy speaks version %u of the link, intercept version %d: install the "
			 "same release on both hosts",
			 (unsigned)p->hello.version, WIRE_VERSION);
		peer_refuse(p, PEER_FAULT_VERSION, text, now_us);
	} else if (p->hello.role != WIRE_ROLE_TCPCOPY) {
		peer_refuse(p, PEER_FAULT_ROLE,
			    "this is an intercept, and only a tcpcopy connects to it: check -s",
			    now_us);
	} else {
		set_state(p, PEER_UP);
		p->deadline_us = now_us + PEER_SILENCE_US;
		p->heartbeat_us = now_us;
		put_hello(p);
		e->type = PEER_EVENT_UP;
	}
}

static int on_register(struct peer_event *e, const struct wire_message *m)
{
	struct wire_register reg;

	if (wire_get_register(&reg, m))
		return -1;
	e->type = PEER_EVENT_REGISTER;
	e->session_id = reg.session_id;
	e->tuple = reg.response;
	return 1;
}

static int on_unregister(struct peer_event *e, const struct wire_message *m)
{
	struct wire_session_id id;

	if (wire_get_session_id(&id, m))
		return -1;
	e->type = PEER_EVENT_UNREGISTER;
	e->session_id = id.session_id;
	return 1;
}

static int on_urgency(struct peer_event *e, const struct wire_message *m)
{
	if (wire_get_urgency(&e->urgent, m))
		return -1;
	e->type = PEER_EVENT_URGENCY;
	return 1;
}

/* It says goodbye. */
static int on_refusal(struct peer *p, struct peer_event *e, const struct wire_message *m)
{
	struct wire_refusal refusal;
	char text[PEER_WHY_MAX];

	if (wire_get_refusal(&refusal, m))
		return -1;
	snprintf(text, sizeof(text), "it said: %s", refusal.text);
	set_fault(p, PEER_FAULT_LEFT, text);
	e->type = PEER_EVENT_FAULT;
	return 1;
}

/* 1 with an event, 0 without, -1 if the message does not decode. Unknown types are skipped. */
static int on_message(struct peer *p, const struct wire_message *m, struct peer_event *e)
{
	switch (m->type) {
	case WIRE_REGISTER:
		return on_register(e, m);
	case WIRE_UNREGISTER:
		return on_unregister(e, m);
	case WIRE_URGENCY:
		return on_urgency(e, m);
	case WIRE_REFUSAL:
		return on_refusal(p, e, m);
	default: /* a heartbeat, or what later versions say */
		return 0;
	}
}

/* True: *e is the fault. */
static bool on_broken_stream(struct peer *p, struct peer_event *e, uint64_t now_us)
{
	e->type = PEER_EVENT_FAULT;
	if (p->state == PEER_STRANGER)
		set_fault(p, PEER_FAULT_GARBAGE, "it does not speak tcpcopy's protocol");
	else
		peer_refuse(p, PEER_FAULT_MALFORMED, "a message that does not decode", now_us);
	return true;
}

bool peer_next(struct peer *p, struct byte_reader *stream, struct peer_event *e, uint64_t now_us)
{
	struct wire_message m;
	int got;

	if (p->state == PEER_GOODBYE) {
		stream->at = stream->end;
		return false;
	}
	while ((got = take_message(p, stream, &m)) > 0) {
		if (p->state == PEER_STRANGER) {
			on_hello(p, &m, e, now_us);
			return true;
		}
		p->deadline_us = now_us + PEER_SILENCE_US;
		got = on_message(p, &m, e);
		if (got != 0)
			break;
	}
	if (got < 0)
		return on_broken_stream(p, e, now_us);
	return got > 0;
}

/* ---- time ---- */

static void on_deadline(struct peer *p)
{
	switch (p->state) {
	case PEER_STRANGER:
		set_fault(p, PEER_FAULT_NO_HELLO, "no hello within 5 s");
		break;
	case PEER_UP:
		set_fault(p, PEER_FAULT_SILENT, "nothing heard for 10 s");
		break;
	case PEER_GOODBYE: /* the fault is that of the refusal */
		break;
	}
}

bool peer_on_time(struct peer *p, const struct wire_heartbeat *heartbeat, uint64_t now_us)
{
	if (now_us >= p->deadline_us) {
		on_deadline(p);
		return false;
	}
	if (p->state == PEER_UP && now_us >= p->heartbeat_us) {
		struct byte_writer w = output_writer(p, SMALL_MESSAGE_MAX);

		/* Without room there is output that nobody reads: proof of life enough. */
		wire_put_heartbeat(&w, heartbeat);
		output_commit(p, &w);
		p->heartbeat_us = now_us + PEER_HEARTBEAT_US;
	}
	return true;
}

uint64_t peer_next_us(const struct peer *p)
{
	if (p->state == PEER_UP && p->heartbeat_us < p->deadline_us)
		return p->heartbeat_us;
	return p->deadline_us;
}

/* ---- the batch ---- */

struct wire_record *peer_record(struct peer *p, unsigned index, uint32_t session_id)
{
	if (index >= p->record_count || p->records[index].session_id != session_id)
		return NULL;
	return &p->records[index];
}

unsigned peer_add_record(struct peer *p, const struct wire_record *record)
{
	if (p->record_count == p->batch_max)
		flush_batch(p);
	p->records[p->record_count] = *record;
	return p->record_count++;
}

unsigned peer_pending(const struct peer *p)
{
	return p->record_count;
}

void peer_flush(struct peer *p, struct peer_flushed *f)
{
	flush_batch(p);
	f->records += p->flushed.records;
	f->segments += p->flushed.segments;
	f->records_dropped += p->flushed.records_dropped;
	f->segments_dropped += p->flushed.segments_dropped;
	p->flushed = (struct peer_flushed){.records = 0};
}
