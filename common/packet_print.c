/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet_print.c - packets as text, for logs and for the expectations of tests. Never fails: text
 * that does not fit is cut.
 */
#include <stdio.h>

#include "common/bytes.h"
#include "common/packet.h"
#include "common/tcp_option.h"

enum {
	OPTION_TEXT_MAX = 128, /* four SACK blocks are the longest */
	FLAGS_TEXT_MAX = 8,
};

/* Text that grows in a caller's buffer. */
struct text {
	char *buf;
	size_t size;
	size_t len;
};

static void text_add(struct text *t, const char *s)
{
	size_t room = t->size - t->len;
	int n = snprintf(t->buf + t->len, room, "%s", s);

	if (n > 0 && room > 0)
		t->len += (size_t)n < room ? (size_t)n : room - 1;
}

static const char *format_flags(char text[FLAGS_TEXT_MAX], uint8_t flags)
{
	static const struct {
		uint8_t flag;
		char letter;
	} letters[] = {{TCP_SYN, 'S'}, {TCP_FIN, 'F'}, {TCP_RST, 'R'},
		       {TCP_PSH, 'P'}, {TCP_URG, 'U'}, {TCP_ACK, '.'}};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if (flags & letters[i].flag)
			text[n++] = letters[i].letter;
	}
	if (n == 0)
		text[n++] = '-';
	text[n] = '\0';
	return text;
}

const char *packet_print_tcp(char *buf, size_t size, uint8_t flags, uint32_t seq,
			     uint32_t len_bytes, uint32_t ack)
{
	char letters[FLAGS_TEXT_MAX];
	int n = snprintf(buf, size, "%s %u:%u(%u)", format_flags(letters, flags), seq,
			 seq + len_bytes, len_bytes);

	if ((flags & TCP_ACK) && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, " ack %u", ack);
	return buf;
}

static void format_sack(char text[OPTION_TEXT_MAX], const uint8_t *value, size_t len_bytes)
{
	struct text t = {.buf = text, .size = OPTION_TEXT_MAX};

	text_add(&t, "sack");
	for (; len_bytes >= 8; value += 8, len_bytes -= 8) {
		char block[32];

		snprintf(block, sizeof(block), " %u:%u", get_be32(value), get_be32(value + 4));
		text_add(&t, block);
	}
}

/* An option with a length byte; a length that does not fit the kind is shown, not interpreted. */
static void format_option(char text[OPTION_TEXT_MAX], uint8_t kind, const uint8_t *value,
			  size_t len_bytes)
{
	if (kind == TCP_OPTION_MSS && len_bytes == 2)
		snprintf(text, OPTION_TEXT_MAX, "mss %u", get_be16(value));
	else if (kind == TCP_OPTION_WINDOW_SCALE && len_bytes == 1)
		snprintf(text, OPTION_TEXT_MAX, "wscale %u", value[0]);
	else if (kind == TCP_OPTION_SACK_PERMITTED && len_bytes == 0)
		snprintf(text, OPTION_TEXT_MAX, "sackOK");
	else if (kind == TCP_OPTION_SACK && len_bytes > 0 && len_bytes % 8 == 0)
		format_sack(text, value, len_bytes);
	else if (kind == TCP_OPTION_TIMESTAMPS && len_bytes == 8)
		snprintf(text, OPTION_TEXT_MAX, "TS val %u ecr %u", get_be32(value),
			 get_be32(value + 4));
	else
		snprintf(text, OPTION_TEXT_MAX, "kind %u length %zu", kind, len_bytes + 2);
}

/* Reads the next option and formats it. False if none may follow. */
static bool next_option(struct byte_reader *r, char text[OPTION_TEXT_MAX])
{
	uint8_t kind = byte_reader_u8(r), len;
	const uint8_t *value;

	if (kind == TCP_OPTION_NOP || kind == TCP_OPTION_END) {
		snprintf(text, OPTION_TEXT_MAX, "%s", kind == TCP_OPTION_NOP ? "nop" : "eol");
		return kind == TCP_OPTION_NOP;
	}
	len = byte_reader_u8(r);
	value = len >= 2 ? byte_reader_take(r, len - 2u) : NULL;
	if (!value) {
		snprintf(text, OPTION_TEXT_MAX, "kind %u broken", kind);
		return false;
	}
	format_option(text, kind, value, len - 2u);
	return true;
}

static void add_options(struct text *t, const uint8_t *options, size_t len_bytes)
{
	struct byte_reader r = byte_reader_on(options, len_bytes);
	const char *before = " <";
	bool more = true;

	if (len_bytes == 0)
		return;
	while (more && byte_reader_left(&r) > 0) {
		char text[OPTION_TEXT_MAX];

		more = next_option(&r, text);
		text_add(t, before);
		text_add(t, text);
		before = ",";
	}
	text_add(t, ">");
}

const char *packet_print(char *buf, size_t size, const struct packet *p)
{
	struct text t = {.buf = buf, .size = size};
	char part[TUPLE_TEXT_MAX];

	text_add(&t, tuple_format(part, sizeof(part), &p->tuple));
	text_add(&t, " ");
	text_add(&t, packet_print_tcp(part, sizeof(part), p->flags, p->seq,
				      p->payload_wire_len_bytes, p->ack));
	snprintf(part, sizeof(part), " win %u", p->window);
	text_add(&t, part);
	add_options(&t, p->options, p->options_len_bytes);
	return buf;
}
