/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_fixture.h - messages of the link as bytes: those that docs/wire-protocol.md shows, by the
 * name of their block, and those that an encoder writes.
 */
#ifndef TESTS_UNIT_WIRE_FIXTURE_H
#define TESTS_UNIT_WIRE_FIXTURE_H

#include "common/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/packet.h"

#ifndef SRCDIR
#define SRCDIR "."
#endif

enum {
	BYTES_MAX = 512,
};

/* A message as bytes. */
struct bytes {
	uint8_t data[BYTES_MAX];
	size_t len;
};

static inline FILE *open_document(void)
{
	const char *dir = getenv("srcdir");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/docs/wire-protocol.md", dir ? dir : SRCDIR);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: not found; set srcdir to the top of the source tree", path);
	return f;
}

static inline void add_hex_line(struct bytes *b, const char *line)
{
	unsigned value;
	int used;

	while (*line && *line != '#' && sscanf(line, " %2x%n", &value, &used) == 1) {
		assert_true(b->len < BYTES_MAX);
		b->data[b->len++] = (uint8_t)value;
		line += used;
	}
	line += strspn(line, " \n");
	assert_true(*line == '\0' || *line == '#');
}

/* The bytes of the block that begins with ```hex name. */
static inline struct bytes documented(const char *name)
{
	struct bytes b = {.len = 0};
	FILE *f = open_document();
	char line[256], fence[64];
	bool inside = false, found = false;

	snprintf(fence, sizeof(fence), "```hex %s\n", name);
	while (fgets(line, sizeof(line), f)) {
		if (inside && strcmp(line, "```\n") == 0)
			inside = false;
		else if (inside)
			add_hex_line(&b, line);
		else if (strcmp(line, fence) == 0)
			inside = found = true;
	}
	fclose(f);
	if (!found || inside)
		fail_msg("docs/wire-protocol.md has no block %s", name);
	return b;
}

static inline void assert_written(const struct bytes *written, const char *name)
{
	struct bytes b = documented(name);

	assert_memory_equal(written->data, b.data, b.len < written->len ? b.len : written->len);
	assert_int_equal(written->len, b.len);
}

/* Cuts the one message out of b. */
static inline struct wire_message message_of(const struct bytes *b)
{
	struct wire_message m;

	assert_int_equal(wire_next(&m, b->data, b->len), b->len);
	return m;
}

static inline struct wire_message message_with(uint8_t type, const void *body, size_t len)
{
	return (struct wire_message){.type = type, .body = body, .body_len_bytes = len};
}

#define WRITTEN(b, call)                                                             \
	do {                                                                         \
		struct byte_writer w = byte_writer_on((b)->data, sizeof((b)->data)); \
		call;                                                                \
		assert_false(w.failed);                                              \
		(b)->len = (size_t)(w.at - (b)->data);                               \
	} while (0)

/* What the block "responses" holds. */
static const struct wire_record example_records[] = {
	{
		.session_id = 7,
		.seq = UINT32_MAX,
		.ack = 1001,
		.window = 65160,
		.segments = 1,
		.flags = TCP_SYN | TCP_ACK,
		.has_timestamps = true,
		.has_syn_options = true,
		.has_mss = true,
		.has_window_scale = true,
		.has_sack_permitted = true,
		.window_scale = 7,
		.mss = 1460,
		.ts_val = 100000,
		.ts_ecr = 12345,
	},
	{
		.session_id = 7,
		.seq = 0,
		.len_bytes = 2896,
		.ack = 1101,
		.window = 509,
		.segments = 2,
		.flags = TCP_PSH | TCP_ACK,
		.has_timestamps = true,
		.ts_val = 100020,
		.ts_ecr = 12355,
	},
	{
		.session_id = 9,
		.seq = 5000,
		.ack = 2000,
		.window = 502,
		.segments = 1,
		.flags = TCP_FIN | TCP_ACK,
	},
};
#endif
