/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c - encode and decode of the link's messages. Every message is written by one function and
 * read by one, field by field in the order of docs/wire-protocol.md. Reading goes through a bounded
 * cursor over the body, so no length inside a message is ever trusted.
 */
#include "common/wire.h"

#include <assert.h>
#include <errno.h>

#include "common/packet.h"
#include "common/tcp_option.h"

enum {
	LENGTH_LEN = 4, /* the length field itself, which does not count itself */
	HELLO_BODY_LEN = 21,
	REFUSAL_BODY_LEN = 4, /* and the text */
	HEARTBEAT_BODY_LEN = 32,
	SESSION_ID_BODY_LEN = 4,
	URGENCY_BODY_LEN = 1,
	PATH_MTU_BODY_LEN = 16,
	RECORDS_BODY_LEN = 2, /* and the records */
	RECORD_FIXED_LEN = 22,
	FAMILY_V4 = 4,
	FAMILY_V6 = 6,
	FLAGS_MASK = TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG,
};

/* What follows the fixed part of a record, in this order. */
enum record_presence {
	RECORD_TIMESTAMPS = 0x01,     /* 8 bytes */
	RECORD_SYN_OPTIONS = 0x02,    /* nothing; the next three belong to it */
	RECORD_MSS = 0x04,            /* 2 bytes */
	RECORD_WINDOW_SCALE = 0x08,   /* 1 byte */
	RECORD_SACK_PERMITTED = 0x10, /* nothing */
	RECORD_SACK = 0x20,           /* nothing */
};

static_assert(1 + RECORD_FIXED_LEN + 8 + 2 + 1 == WIRE_RECORD_MAX, "the longest record");
static_assert(WIRE_HEADER_LEN + RECORDS_BODY_LEN + WIRE_RECORDS_PER_MESSAGE * WIRE_RECORD_MAX <=
		      WIRE_MESSAGE_MAX,
	      "a message has room for all its records");

static int malformed(void)
{
	errno = EPROTO;
	return -1;
}

long wire_next(struct wire_message *m, const uint8_t *stream, size_t len_bytes)
{
	uint32_t length;

	if (len_bytes < LENGTH_LEN)
		return 0;
	length = get_be32(stream);
	if (length < WIRE_HEADER_LEN - LENGTH_LEN || length > WIRE_MESSAGE_MAX - LENGTH_LEN)
		return malformed();
	if (len_bytes - LENGTH_LEN < length)
		return 0;
	m->type = stream[LENGTH_LEN];
	m->body = stream + WIRE_HEADER_LEN;
	m->body_len_bytes = length + LENGTH_LEN - WIRE_HEADER_LEN;
	return (long)(length + LENGTH_LEN);
}

/* Room for a whole message at once, so that a message is written or nothing is. */
static bool message_begin(struct byte_writer *w, struct byte_writer *body, uint8_t type,
			  size_t body_len_bytes)
{
	uint8_t *p = byte_writer_room(w, WIRE_HEADER_LEN + body_len_bytes);

	if (!p)
		return false;
	put_be32(p, (uint32_t)(WIRE_HEADER_LEN - LENGTH_LEN + body_len_bytes));
	p[4] = type;
	p[5] = 0;
	*body = byte_writer_on(p + WIRE_HEADER_LEN, body_len_bytes);
	return true;
}

static void message_end(const struct byte_writer *body)
{
	(void)body;
	assert(!body->failed && body->at == body->end);
}

static struct byte_reader body_of(const struct wire_message *m)
{
	return byte_reader_on(m->body, m->body_len_bytes);
}

void wire_put_hello(struct byte_writer *w, const struct wire_hello *m)
{
	struct byte_writer b;

	if (!message_begin(w, &b, WIRE_HELLO, HELLO_BODY_LEN))
		return;
	byte_writer_be32(&b, WIRE_MAGIC);
	byte_writer_be16(&b, m->version);
	byte_writer_u8(&b, m->role);
	byte_writer_u8(&b, m->worker_id);
	byte_writer_be32(&b, m->features);
	byte_writer_be64(&b, m->instance_id);
	byte_writer_u8(&b, m->connection);
	message_end(&b);
}

int wire_get_hello(struct wire_hello *m, const struct wire_message *from)
{
	struct byte_reader r = body_of(from);

	if (byte_reader_be32(&r) != WIRE_MAGIC)
		return malformed();
	m->version = byte_reader_be16(&r);
	m->role = byte_reader_u8(&r);
	m->worker_id = byte_reader_u8(&r);
	m->features = byte_reader_be32(&r);
	m->instance_id = byte_reader_be64(&r);
	if (r.failed)
		return malformed();
	m->connection = byte_reader_left(&r) ? byte_reader_u8(&r) : 0;
	return 0;
}

void wire_put_refusal(struct byte_writer *w, const struct wire_refusal *m)
{
	size_t text_len = strnlen(m->text, WIRE_REFUSAL_TEXT_MAX);
	struct byte_writer b;

	if (!message_begin(w, &b, WIRE_REFUSAL, REFUSAL_BODY_LEN + text_len))
		return;
	byte_writer_u8(&b, m->reason);
	byte_writer_be16(&b, m->version);
	byte_writer_u8(&b, (uint8_t)text_len);
	byte_writer_bytes(&b, m->text, text_len);
	message_end(&b);
}

int wire_get_refusal(struct wire_refusal *m, const struct wire_message *from)
{
	struct byte_reader r = body_of(from);
	size_t text_len;
	const uint8_t *text;

	m->reason = byte_reader_u8(&r);
	m->version = byte_reader_be16(&r);
	text_len = byte_reader_u8(&r);
	text = byte_reader_take(&r, text_len);
	if (r.failed)
		return malformed();
	if (text_len > WIRE_REFUSAL_TEXT_MAX)
		text_len = WIRE_REFUSAL_TEXT_MAX;
	/* It goes into a log: no control characters of a stranger's terminal tricks. */
	for (size_t i = 0; i < text_len; i++)
		m->text[i] = text[i] >= ' ' && text[i] <= '~' ? (char)text[i] : '?';
	m->text[text_len] = '\0';
	return 0;
}

void wire_put_heartbeat(struct byte_writer *w, const struct wire_heartbeat *m)
{
	struct byte_writer b;

	if (!message_begin(w, &b, WIRE_HEARTBEAT, HEARTBEAT_BODY_LEN))
		return;
	byte_writer_be64(&b, m->captured);
	byte_writer_be64(&b, m->routed);
	byte_writer_be64(&b, m->unrouted);
	byte_writer_be64(&b, m->dropped);
	message_end(&b);
}

int wire_get_heartbeat(struct wire_heartbeat *m, const struct wire_message *from)
{
	struct byte_reader r = body_of(from);

	m->captured = byte_reader_be64(&r);
	m->routed = byte_reader_be64(&r);
	m->unrouted = byte_reader_be64(&r);
	m->dropped = byte_reader_be64(&r);
	return r.failed ? malformed() : 0;
}

static void put_endpoint(struct byte_writer *w, const struct endpoint *e, bool is_v4)
{
	if (is_v4)
		byte_writer_be32(w, ip_addr_to_v4(&e->addr));
	else
		byte_writer_bytes(w, e->addr.b, sizeof(e->addr.b));
	byte_writer_be16(w, e->port);
}

void wire_put_register(struct byte_writer *w, const struct wire_register *m)
{
	bool is_v4 = ip_addr_is_v4(&m->response.src.addr);
	size_t endpoints_len = 2 * ((is_v4 ? 4 : 16) + sizeof(uint16_t));
	struct byte_writer b;

	assert(ip_addr_is_v4(&m->response.dst.addr) == is_v4);
	if (!message_begin(w, &b, WIRE_REGISTER, SESSION_ID_BODY_LEN + 2 + endpoints_len))
		return;
	byte_writer_be32(&b, m->session_id);
	byte_writer_u8(&b, m->response.protocol);
	byte_writer_u8(&b, is_v4 ? FAMILY_V4 : FAMILY_V6);
	put_endpoint(&b, &m->response.src, is_v4);
	put_endpoint(&b, &m->response.dst, is_v4);
	message_end(&b);
}

/* False if cut off, of port 0, or an IPv4 address in the clothes of IPv6 (not seen on networks). */
static bool get_endpoint(struct byte_reader *r, struct endpoint *e, uint8_t family)
{
	const uint8_t *p = byte_reader_take(r, family == FAMILY_V4 ? 4 : 16);

	if (!p)
		return false;
	e->addr = family == FAMILY_V4 ? ip_addr_v4_bytes(p) : ip_addr_v6_bytes(p);
	e->port = byte_reader_be16(r);
	return e->port != 0 && ip_addr_is_v4(&e->addr) == (family == FAMILY_V4);
}

int wire_get_register(struct wire_register *m, const struct wire_message *from)
{
	struct byte_reader r = body_of(from);
	uint8_t family;

	memset(m, 0, sizeof(*m));
	m->session_id = byte_reader_be32(&r);
	m->response.protocol = byte_reader_u8(&r);
	family = byte_reader_u8(&r);
	if (family != FAMILY_V4 && family != FAMILY_V6)
		return malformed();
	if (!get_endpoint(&r, &m->response.src, family) ||
	    !get_endpoint(&r, &m->response.dst, family))
		return malformed();
	return 0;
}

static void put_session_id(struct byte_writer *w, uint8_t type, uint32_t session_id)
{
	struct byte_writer b;

	if (!message_begin(w, &b, type, SESSION_ID_BODY_LEN))
		return;
	byte_writer_be32(&b, session_id);
	message_end(&b);
}

void wire_put_unregister(struct byte_writer *w, uint32_t session_id)
{
	put_session_id(w, WIRE_UNREGISTER, session_id);
}

void wire_put_register_refused(struct byte_writer *w, uint32_t session_id)
{
	put_session_id(w, WIRE_REGISTER_REFUSED, session_id);
}

int wire_get_session_id(struct wire_session_id *m, const struct wire_message *from)
{
	struct byte_reader r = body_of(from);

	m->session_id = byte_reader_be32(&r);
	return r.failed ? malformed() : 0;
}

void wire_put_urgency(struct byte_writer *w, bool urgent)
{
	struct byte_writer b;

	if (!message_begin(w, &b, WIRE_URGENCY, URGENCY_BODY_LEN))
		return;
	byte_writer_u8(&b, urgent);
	message_end(&b);
}

int wire_get_urgency(bool *urgent, const struct wire_message *from)
{
	struct byte_reader r = body_of(from);
	uint8_t value = byte_reader_u8(&r);

	if (r.failed || value > 1)
		return malformed();
	*urgent = value;
	return 0;
}

void wire_put_path_mtu(struct byte_writer *w, const struct wire_path_mtu *m)
{
	struct byte_writer b;

	if (!message_begin(w, &b, WIRE_PATH_MTU, PATH_MTU_BODY_LEN))
		return;
	byte_writer_be32(&b, m->session_id);
	byte_writer_be32(&b, m->seq);
	byte_writer_be32(&b, m->mtu_bytes);
	byte_writer_be32(&b, m->len_bytes);
	message_end(&b);
}

int wire_get_path_mtu(struct wire_path_mtu *m, const struct wire_message *from)
{
	struct byte_reader r = body_of(from);

	m->session_id = byte_reader_be32(&r);
	m->seq = byte_reader_be32(&r);
	m->mtu_bytes = byte_reader_be32(&r);
	m->len_bytes = byte_reader_be32(&r);
	return r.failed ? malformed() : 0;
}

static uint8_t record_presence(const struct wire_record *r)
{
	uint8_t presence = r->has_timestamps ? RECORD_TIMESTAMPS : 0;

	if (r->has_sack)
		presence |= RECORD_SACK;
	if (!r->has_syn_options)
		return presence;
	presence |= RECORD_SYN_OPTIONS;
	if (r->has_mss)
		presence |= RECORD_MSS;
	if (r->has_window_scale)
		presence |= RECORD_WINDOW_SCALE;
	if (r->has_sack_permitted)
		presence |= RECORD_SACK_PERMITTED;
	return presence;
}

/* Without the length byte in front. */
static size_t record_len(uint8_t presence)
{
	return RECORD_FIXED_LEN + (presence & RECORD_TIMESTAMPS ? 8 : 0) +
	       (presence & RECORD_MSS ? 2 : 0) + (presence & RECORD_WINDOW_SCALE ? 1 : 0);
}

/* There is room for it. Returns where it ends. */
static uint8_t *put_record(uint8_t *at, const struct wire_record *r)
{
	uint8_t presence = record_presence(r);

	assert(r->segments > 0);
	*at++ = (uint8_t)record_len(presence);
	at[0] = presence;
	at[1] = r->flags & FLAGS_MASK;
	put_be16(at + 2, r->segments);
	put_be32(at + 4, r->session_id);
	put_be32(at + 8, r->seq);
	put_be32(at + 12, r->len_bytes);
	put_be32(at + 16, r->ack);
	put_be16(at + 20, r->window);
	at += RECORD_FIXED_LEN;
	if (presence & RECORD_TIMESTAMPS) {
		put_be32(at, r->ts_val);
		put_be32(at + 4, r->ts_ecr);
		at += 8;
	}
	if (presence & RECORD_MSS) {
		put_be16(at, r->mss);
		at += 2;
	}
	if (presence & RECORD_WINDOW_SCALE)
		*at++ = r->window_scale;
	return at;
}

size_t wire_put_responses(struct byte_writer *w, const struct wire_record *records, size_t count)
{
	size_t room = (size_t)(w->end - w->at);
	size_t len = RECORDS_BODY_LEN;
	size_t n = 0;
	struct byte_writer b;

	if (count == 0 || w->failed)
		return 0;
	while (n < count && n < WIRE_RECORDS_PER_MESSAGE) {
		size_t more = 1 + record_len(record_presence(&records[n]));

		if (WIRE_HEADER_LEN + len + more > room)
			break;
		len += more;
		n++;
	}
	if (n == 0) {
		w->failed = true;
		return 0;
	}
	if (!message_begin(w, &b, WIRE_RESPONSES, len))
		return 0;
	byte_writer_be16(&b, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		b.at = put_record(b.at, &records[i]);
	message_end(&b);
	return n;
}

int wire_records_open(struct wire_record_cursor *c, const struct wire_message *from)
{
	c->at = body_of(from);
	c->left = byte_reader_be16(&c->at);
	if (c->at.failed || c->left > WIRE_RECORDS_PER_MESSAGE) {
		c->left = 0;
		return malformed();
	}
	return 0;
}

static void get_syn_options(const uint8_t *p, uint8_t presence, struct wire_record *r)
{
	r->has_mss = presence & RECORD_MSS;
	r->has_window_scale = presence & RECORD_WINDOW_SCALE;
	r->has_sack_permitted = presence & RECORD_SACK_PERMITTED;
	if (r->has_mss) {
		r->mss = get_be16(p);
		p += 2;
	}
	if (r->has_window_scale) /* RFC 7323, section 2.3 */
		r->window_scale = *p < TCP_WINDOW_SCALE_MAX ? *p : TCP_WINDOW_SCALE_MAX;
}

/* Presence bits that this version does not know add bytes behind those that it reads. */
static bool get_record(const uint8_t *p, size_t len_bytes, struct wire_record *r)
{
	uint8_t presence;

	if (len_bytes < RECORD_FIXED_LEN || len_bytes < record_len(*p))
		return false;
	presence = *p;
	*r = (struct wire_record){
		.flags = p[1] & FLAGS_MASK,
		.segments = get_be16(p + 2),
		.session_id = get_be32(p + 4),
		.seq = get_be32(p + 8),
		.len_bytes = get_be32(p + 12),
		.ack = get_be32(p + 16),
		.window = get_be16(p + 20),
		.has_sack = presence & RECORD_SACK,
		.has_timestamps = presence & RECORD_TIMESTAMPS,
	};
	p += RECORD_FIXED_LEN;
	if (r->has_timestamps) {
		r->ts_val = get_be32(p);
		r->ts_ecr = get_be32(p + 4);
		p += 8;
	}
	if (presence & RECORD_SYN_OPTIONS) {
		r->has_syn_options = true;
		get_syn_options(p, presence, r);
	} else if (presence & (RECORD_MSS | RECORD_WINDOW_SCALE | RECORD_SACK_PERMITTED)) {
		return false;
	}
	return r->segments != 0;
}

int wire_records_next(struct wire_record_cursor *c, struct wire_record *r)
{
	const uint8_t *record;
	uint8_t len;

	if (c->at.failed)
		return malformed();
	if (c->left == 0)
		return 0;
	c->left--;
	len = byte_reader_u8(&c->at);
	record = byte_reader_take(&c->at, len);
	if (!record)
		return malformed();
	if (!get_record(record, len, r)) {
		c->at.failed = true; /* stays malformed, however often it is asked */
		return malformed();
	}
	return 1;
}

const char *wire_refusal_reason_name(uint8_t reason)
{
	switch (reason) {
	case WIRE_REFUSED_VERSION:
		return "version";
	case WIRE_REFUSED_ROLE:
		return "role";
	case WIRE_REFUSED_FULL:
		return "full";
	case WIRE_REFUSED_PROTOCOL:
		return "protocol";
	case WIRE_REFUSED_SHUTDOWN:
		return "shutdown";
	}
	return "unknown";
}
