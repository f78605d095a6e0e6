/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bytes.h - big-endian loads and stores on unaligned memory, and bounded cursors.
 * A cursor never reads or writes past its end: it latches `failed` instead, so that a
 * decoder may read a whole message and check once.
 */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_be16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return ntohs(v);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	v = htons(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

/* Reads from [at, end). After a failed read every value is 0. */
struct byte_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct byte_reader byte_reader_on(const uint8_t *data, size_t len_bytes)
{
	return (struct byte_reader){.at = data, .end = data + len_bytes, .failed = false};
}

static inline size_t byte_reader_left(const struct byte_reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next len_bytes, or NULL (and failed) if they are not all there. */
static inline const uint8_t *byte_reader_take(struct byte_reader *r, size_t len_bytes)
{
	const uint8_t *p = r->at;

	if (r->failed || byte_reader_left(r) < len_bytes) {
		r->failed = true;
		return NULL;
	}
	r->at += len_bytes;
	return p;
}

static inline uint8_t byte_reader_u8(struct byte_reader *r)
{
	const uint8_t *p = byte_reader_take(r, 1);

	return p ? *p : 0;
}

static inline uint16_t byte_reader_be16(struct byte_reader *r)
{
	const uint8_t *p = byte_reader_take(r, 2);

	return p ? get_be16(p) : 0;
}

static inline uint32_t byte_reader_be32(struct byte_reader *r)
{
	const uint8_t *p = byte_reader_take(r, 4);

	return p ? get_be32(p) : 0;
}

static inline uint64_t byte_reader_be64(struct byte_reader *r)
{
	const uint8_t *p = byte_reader_take(r, 8);

	return p ? get_be64(p) : 0;
}

/* Writes to [at, end). After a failed write nothing more is written. */
struct byte_writer {
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

static inline struct byte_writer byte_writer_on(uint8_t *data, size_t len_bytes)
{
	return (struct byte_writer){.at = data, .end = data + len_bytes, .failed = false};
}

/* Room for len_bytes, or NULL (and failed) if there is not enough. */
static inline uint8_t *byte_writer_room(struct byte_writer *w, size_t len_bytes)
{
	uint8_t *p = w->at;

	if (w->failed || (size_t)(w->end - w->at) < len_bytes) {
		w->failed = true;
		return NULL;
	}
	w->at += len_bytes;
	return p;
}

static inline void byte_writer_u8(struct byte_writer *w, uint8_t v)
{
	uint8_t *p = byte_writer_room(w, 1);

	if (p)
		*p = v;
}

static inline void byte_writer_be16(struct byte_writer *w, uint16_t v)
{
	uint8_t *p = byte_writer_room(w, 2);

	if (p)
		put_be16(p, v);
}

static inline void byte_writer_be32(struct byte_writer *w, uint32_t v)
{
	uint8_t *p = byte_writer_room(w, 4);

	if (p)
		put_be32(p, v);
}

static inline void byte_writer_be64(struct byte_writer *w, uint64_t v)
{
	uint8_t *p = byte_writer_room(w, 8);

	if (p)
		put_be64(p, v);
}

static inline void byte_writer_bytes(struct byte_writer *w, const void *data, size_t len_bytes)
{
	uint8_t *p = byte_writer_room(w, len_bytes);

	if (p && len_bytes)
		memcpy(p, data, len_bytes);
}
#endif
