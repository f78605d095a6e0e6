/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link_stream.h - makes the bytes that one end of the link sends from the bytes that libFuzzer
 * chose: mostly whole messages with good and bad bodies, sometimes anything. Used by the fuzz
 * targets of both ends.
 *
 *	item  type, and what the type reads: see stream_item
 */
#ifndef TESTS_FUZZ_LINK_STREAM_H
#define TESTS_FUZZ_LINK_STREAM_H

#include "common/wire.h"
#include "tests/fuzz/fuzz.h"

enum {
	STREAM_MAX = 1 << 18,
	STREAM_TUPLES = 16,
};

struct stream {
	uint8_t bytes[STREAM_MAX];
	size_t len;
};

enum stream_item {
	STREAM_RAW,
	STREAM_HELLO,     /* a good one, of the role that is given */
	STREAM_ANY_HELLO, /* fields as they come */
	STREAM_HEARTBEAT,
	STREAM_REFUSAL,
	STREAM_UNREGISTER,
	STREAM_REGISTER_REFUSED,
	STREAM_URGENCY,
	STREAM_REGISTER, /* one of a few tuples */
	STREAM_RESPONSES,
	STREAM_ANY_MESSAGE, /* a type and a body */
	STREAM_LONG_MESSAGE,
	STREAM_CUT, /* the last message is not all there */
	STREAM_ITEMS,
};

/* Target n answers faked client n; the upper half is IPv6. */
static inline struct tuple stream_tuple(unsigned n)
{
	struct tuple t = {.src = {.addr = ip_addr_v4(0x0a010001), .port = 8080},
			  .dst = {.addr = ip_addr_v4(0x0a030001), .port = (uint16_t)(40000 + n)},
			  .protocol = PROTOCOL_TCP};

	if (n >= STREAM_TUPLES / 2) {
		t.src.addr.b[0] = t.dst.addr.b[0] = 0x20;
		t.src.addr.b[15] = 1;
	}
	return t;
}

static inline void stream_hello(struct byte_writer *w, struct fuzz_input *in, enum stream_item item,
				uint8_t role)
{
	struct wire_hello hello = {.version = WIRE_VERSION, .role = role, .instance_id = 7};

	if (item == STREAM_ANY_HELLO) {
		hello.version = fuzz_u8(in);
		hello.role = fuzz_u8(in);
		hello.features = fuzz_u8(in);
	}
	wire_put_hello(w, &hello);
}

static inline void stream_responses(struct byte_writer *w, struct fuzz_input *in)
{
	struct wire_record records[8];
	size_t count = 1 + fuzz_u8(in) % 8;

	for (size_t i = 0; i < count; i++) {
		uint8_t x = fuzz_u8(in);

		records[i] = (struct wire_record){
			.session_id = fuzz_u8(in),
			.seq = fuzz_u8(in),
			.len_bytes = fuzz_u8(in),
			.flags = x & 0x3f,
			.segments = 1,
			.has_timestamps = x & 0x40,
			.has_syn_options = x & 0x80,
			.has_mss = x & 0x80,
			.mss = 1460,
		};
	}
	wire_put_responses(w, records, count);
}

/* A type, and a body that may be right for it. */
static inline void stream_any_message(struct byte_writer *w, struct fuzz_input *in, bool is_long)
{
	uint8_t type = fuzz_u8(in);
	size_t claimed = is_long ? fuzz_u16(in) : fuzz_u8(in) % 64;
	size_t len = claimed;
	const uint8_t *body = fuzz_take(in, &len);
	uint8_t *room = byte_writer_room(w, WIRE_HEADER_LEN + claimed);

	if (!room)
		return;
	memset(room, 0, WIRE_HEADER_LEN + claimed);
	put_be32(room, (uint32_t)(2 + claimed));
	room[4] = type;
	memcpy(room + WIRE_HEADER_LEN, body, len);
}

static inline void stream_refusal(struct byte_writer *w, struct fuzz_input *in)
{
	struct wire_refusal refusal = {.reason = fuzz_u8(in), .version = fuzz_u8(in)};
	size_t len = fuzz_u8(in) % WIRE_REFUSAL_TEXT_MAX;
	const uint8_t *text = fuzz_take(in, &len);

	memcpy(refusal.text, text, len);
	wire_put_refusal(w, &refusal);
}

static inline void stream_register(struct byte_writer *w, struct fuzz_input *in)
{
	struct wire_register r = {.session_id = fuzz_u8(in)};

	r.response = stream_tuple(fuzz_u8(in) % STREAM_TUPLES);
	wire_put_register(w, &r);
}

/* Appends what the next item says; role is that of the end that is played. */
static inline void stream_item(struct stream *s, struct fuzz_input *in, uint8_t role)
{
	enum stream_item item = fuzz_u8(in) % STREAM_ITEMS;
	struct byte_writer w = byte_writer_on(s->bytes + s->len, STREAM_MAX - s->len);
	const struct wire_heartbeat heartbeat = {.captured = 1};
	const uint8_t *raw;
	size_t len;

	switch (item) {
	case STREAM_RAW:
		len = fuzz_u8(in) % 32;
		raw = fuzz_take(in, &len);
		byte_writer_bytes(&w, raw, len);
		break;
	case STREAM_HELLO:
	case STREAM_ANY_HELLO:
		stream_hello(&w, in, item, role);
		break;
	case STREAM_HEARTBEAT:
		wire_put_heartbeat(&w, &heartbeat);
		break;
	case STREAM_REFUSAL:
		stream_refusal(&w, in);
		break;
	case STREAM_UNREGISTER:
		wire_put_unregister(&w, fuzz_u8(in));
		break;
	case STREAM_REGISTER_REFUSED:
		wire_put_register_refused(&w, fuzz_u8(in));
		break;
	case STREAM_URGENCY:
		wire_put_urgency(&w, fuzz_u8(in) & 1);
		break;
	case STREAM_REGISTER:
		stream_register(&w, in);
		break;
	case STREAM_RESPONSES:
		stream_responses(&w, in);
		break;
	case STREAM_ANY_MESSAGE:
	case STREAM_LONG_MESSAGE:
		stream_any_message(&w, in, item == STREAM_LONG_MESSAGE);
		break;
	case STREAM_CUT:
		if (s->len) {
			s->len--;
			w.at--;
		}
		break;
	case STREAM_ITEMS:
		break;
	}
	s->len = (size_t)(w.at - s->bytes);
}

/* A hash of all that happened, for runs that must not differ. */
static inline uint64_t stream_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}
#endif
