/* SPDX-License-Identifier: BSD-2-Clause */
/* codecs.c - what turns bytes into structs and back: packets, checksums, options, the link's messages. */
#include "tests/bench/micro/micro.h"

#include <assert.h>
#include <string.h>

#include "common/checksum.h"
#include "common/packet.h"
#include "common/wire.h"
#include "tests/bench/micro/frame.h"

enum {
	OPERATIONS = 4096,
	FRAMES = 64, /* different ones, in turn */
	BULK_LEN = 1460,
	RECORDS = 64,
	MESSAGE_ROOM = RECORDS * WIRE_RECORD_MAX + 64,
};

struct codecs {
	uint64_t sink; /* so that nothing is left out as useless */
	struct frame frames[FRAMES];
	struct packet packets[FRAMES]; /* of these */
	uint8_t copy[BULK_LEN];
	struct wire_record records[RECORDS];
	uint8_t message[MESSAGE_ROOM];
	size_t message_len_bytes;
};

static struct tuple random_tuple(uint64_t *random, bool is_ipv6)
{
	uint8_t bytes[16];
	struct tuple t = {.protocol = PROTOCOL_TCP};
	struct endpoint *ends[] = {&t.src, &t.dst};

	for (unsigned end = 0; end < 2; end++) {
		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(1 + random_below(random, 254));
		ends[end]->addr = is_ipv6 ? ip_addr_v6_bytes(bytes) : ip_addr_v4_bytes(bytes);
		ends[end]->port = (uint16_t)(1024 + random_below(random, 60000));
	}
	return t;
}

static void fill_frames(struct codecs *s, uint64_t *random, bool is_ipv6, size_t payload_len)
{
	static const uint8_t bulk[BULK_LEN];

	for (unsigned i = 0; i < FRAMES; i++) {
		struct frame_words words = {.tuple = random_tuple(random, is_ipv6),
					    .seq = (uint32_t)random_next(random),
					    .ack = (uint32_t)random_next(random),
					    .flags = TCP_PSH | TCP_ACK,
					    .payload = payload_len == FRAME_REQUEST_LEN
							       ? (const void *)frame_request
							       : bulk,
					    .payload_len_bytes = payload_len};

		words.options.has_timestamps = true;
		words.options.ts_val = (uint32_t)random_next(random);
		frame_make(&s->frames[i], &words);
		if (packet_parse(&s->packets[i], PACKET_LINK_ETHERNET, s->frames[i].bytes,
				 s->frames[i].len_bytes, s->frames[i].len_bytes) != PACKET_OK)
			assert(!"a frame that does not parse");
	}
}

static void fill_records(struct codecs *s, uint64_t *random)
{
	struct byte_writer w = byte_writer_on(s->message, sizeof(s->message));

	for (unsigned i = 0; i < RECORDS; i++)
		s->records[i] = (struct wire_record){.session_id = (uint32_t)random_next(random),
						     .seq = (uint32_t)random_next(random),
						     .len_bytes = random_below(random, 3000),
						     .ack = (uint32_t)random_next(random),
						     .window = 501,
						     .segments = 1,
						     .flags = TCP_PSH | TCP_ACK,
						     .has_timestamps = true,
						     .ts_val = (uint32_t)random_next(random)};
	wire_put_responses(&w, s->records, RECORDS);
	s->message_len_bytes = (size_t)(w.at - s->message);
}

static void *make(uint64_t seed, bool is_ipv6, size_t payload_len)
{
	struct codecs *s = bench_memory(sizeof(*s));

	fill_frames(s, &seed, is_ipv6, payload_len);
	fill_records(s, &seed);
	return s;
}

static void *make_requests(uint64_t seed)
{
	return make(seed, false, FRAME_REQUEST_LEN);
}

static void *make_requests_ipv6(uint64_t seed)
{
	return make(seed, true, FRAME_REQUEST_LEN);
}

static void *make_bulk(uint64_t seed)
{
	return make(seed, false, BULK_LEN);
}

static bool free_codecs(void *state)
{
	bench_memory_free(state, sizeof(struct codecs));
	return true;
}

static void do_parse(void *state)
{
	struct codecs *s = state;
	struct packet p;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		const struct frame *f = &s->frames[i % FRAMES];

		s->sink += (unsigned)packet_parse(&p, PACKET_LINK_ETHERNET, f->bytes, f->len_bytes,
						  f->len_bytes);
		s->sink += p.seq;
	}
}

static void do_verify(void *state)
{
	struct codecs *s = state;

	for (unsigned i = 0; i < OPERATIONS; i++)
		s->sink += packet_checksum_ok(&s->packets[i % FRAMES]);
}

static void do_copy(void *state)
{
	struct codecs *s = state;

	for (unsigned i = 0; i < OPERATIONS; i++)
		s->sink += checksum_copy(i, s->copy, s->packets[i % FRAMES].payload, BULK_LEN);
}

static void do_options(void *state)
{
	struct codecs *s = state;
	struct tcp_options o;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		const struct packet *p = &s->packets[i % FRAMES];

		tcp_options_parse(&o, p->options, p->options_len_bytes);
		s->sink += o.ts_val;
	}
}

static void do_encode(void *state)
{
	struct codecs *s = state;

	for (unsigned i = 0; i < OPERATIONS; i += RECORDS) {
		struct byte_writer w = byte_writer_on(s->message, sizeof(s->message));

		s->sink += wire_put_responses(&w, s->records, RECORDS);
	}
}

static void do_decode(void *state)
{
	struct codecs *s = state;
	struct wire_record_cursor cursor;
	struct wire_record record;
	struct wire_message m;

	for (unsigned i = 0; i < OPERATIONS; i += RECORDS) {
		wire_next(&m, s->message, s->message_len_bytes);
		wire_records_open(&cursor, &m);
		while (wire_records_next(&cursor, &record) == 1)
			s->sink += record.seq;
	}
}

static void run_parse(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_parse, state);
}

static void run_verify(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_verify, state);
}

static void run_copy(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_copy, state);
}

static void run_options(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_options, state);
}

static void run_encode(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_encode, state);
}

static void run_decode(void *state, struct stopwatch *w)
{
	stopwatch_run(w, do_decode, state);
}

const struct micro micro_codecs[] = {
	{"parse", "a captured request, IPv4", OPERATIONS, make_requests, run_parse, free_codecs},
	{"parse-ipv6", "the same, IPv6", OPERATIONS, make_requests_ipv6, run_parse, free_codecs},
	{"options", "its TCP options: timestamps", OPERATIONS, make_requests, run_options,
	 free_codecs},
	{"checksum", "its TCP checksum is verified", OPERATIONS, make_requests, run_verify,
	 free_codecs},
	{"checksum-1460", "that of a full segment", OPERATIONS, make_bulk, run_verify, free_codecs},
	{"checksum-copy", "1,460 bytes are copied and summed", OPERATIONS, make_bulk, run_copy,
	 free_codecs},
	{"wire-encode", "a record, of 64 in a message", OPERATIONS, make_requests, run_encode,
	 free_codecs},
	{"wire-decode", "a record, of 64 in a message", OPERATIONS, make_requests, run_decode,
	 free_codecs},
	{0},
};
