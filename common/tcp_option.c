/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_option.c - TCP options, in and out. Decides nothing about them but how they are encoded.
 */
#include "common/tcp_option.h"

#include "common/bytes.h"

enum {
	MSS_LEN = 4,
	WINDOW_SCALE_LEN = 3,
	SACK_PERMITTED_LEN = 2,
	SACK_BLOCK_LEN = 8,
	TIMESTAMPS_LEN = 10,
	TIMESTAMPS_ALONE_LEN = 12, /* with the padding that RFC 7323, appendix A, recommends */
	/* Padding, kind and length, in one word. */
	TIMESTAMPS_WORD = TCP_OPTION_NOP << 24 | TCP_OPTION_NOP << 16 | TCP_OPTION_TIMESTAMPS << 8 |
			  TIMESTAMPS_LEN,
};

static uint8_t clamp_window_scale(uint8_t shift)
{
	return shift > TCP_WINDOW_SCALE_MAX ? TCP_WINDOW_SCALE_MAX : shift;
}

/* Whether an option of this kind may have this length, kind and length bytes included. */
static bool length_fits_kind(uint8_t kind, uint8_t len_bytes)
{
	switch (kind) {
	case TCP_OPTION_MSS:
		return len_bytes == MSS_LEN;
	case TCP_OPTION_WINDOW_SCALE:
		return len_bytes == WINDOW_SCALE_LEN;
	case TCP_OPTION_SACK_PERMITTED:
		return len_bytes == SACK_PERMITTED_LEN;
	case TCP_OPTION_SACK:
		return len_bytes > 2 && (len_bytes - 2) % SACK_BLOCK_LEN == 0;
	case TCP_OPTION_TIMESTAMPS:
		return len_bytes == TIMESTAMPS_LEN;
	default:
		return len_bytes >= 2;
	}
}

/* value follows the length byte and is as long as its kind asks. */
static void take_option(struct tcp_options *o, uint8_t kind, const uint8_t *value)
{
	switch (kind) {
	case TCP_OPTION_MSS:
		/* Nothing can be sent in segments of 0; whoever offers that has said nothing. */
		o->mss = get_be16(value);
		o->has_mss = o->mss != 0;
		break;
	case TCP_OPTION_WINDOW_SCALE:
		o->has_window_scale = true;
		o->window_scale = clamp_window_scale(value[0]);
		break;
	case TCP_OPTION_SACK_PERMITTED:
		o->has_sack_permitted = true;
		break;
	case TCP_OPTION_SACK:
		o->has_sack = true;
		o->sack_left = get_be32(value);
		break;
	case TCP_OPTION_TIMESTAMPS:
		o->has_timestamps = true;
		o->ts_val = get_be32(value);
		o->ts_ecr = get_be32(value + 4);
		break;
	case TCP_OPTION_MPTCP:
		o->has_mptcp = true;
		break;
	default:
		break;
	}
}

int tcp_options_parse(struct tcp_options *o, const uint8_t *data, size_t len_bytes)
{
	struct byte_reader r = byte_reader_on(data, len_bytes);

	*o = (struct tcp_options){0};
	if (len_bytes == TIMESTAMPS_ALONE_LEN && get_be32(data) == TIMESTAMPS_WORD) {
		take_option(o, TCP_OPTION_TIMESTAMPS, data + 4);
		return 0;
	}
	while (byte_reader_left(&r) > 0) {
		uint8_t kind = byte_reader_u8(&r);
		const uint8_t *value;
		uint8_t option_len;

		if (kind == TCP_OPTION_END)
			return 0;
		if (kind == TCP_OPTION_NOP)
			continue;
		option_len = byte_reader_u8(&r);
		if (r.failed || !length_fits_kind(kind, option_len))
			return -1;
		value = byte_reader_take(&r, option_len - 2u);
		if (!value)
			return -1;
		take_option(o, kind, value);
	}
	return 0;
}

static uint8_t *put_nops(uint8_t *at, size_t count)
{
	memset(at, TCP_OPTION_NOP, count);
	return at + count;
}

static uint8_t *put_kind(uint8_t *at, uint8_t kind, uint8_t len_bytes)
{
	at[0] = kind;
	at[1] = len_bytes;
	return at + 2;
}

/*
 * Padding comes before an option, so that timestamps lie as RFC 7323, appendix A recommends and
 * receivers expect in their fast path: nop, nop, timestamps. At most 20 bytes.
 */
size_t tcp_options_write(uint8_t *buf, const struct tcp_options *o)
{
	uint8_t *at = buf;

	if (o->has_timestamps && !o->has_mss && !o->has_sack_permitted && !o->has_window_scale) {
		/* As on every segment behind the SYN. */
		put_be32(at, TIMESTAMPS_WORD);
		put_be32(at + 4, o->ts_val);
		put_be32(at + 8, o->ts_ecr);
		return 12;
	}
	if (o->has_mss) {
		at = put_kind(at, TCP_OPTION_MSS, MSS_LEN);
		put_be16(at, o->mss);
		at += 2;
	}
	if (o->has_sack_permitted != o->has_timestamps)
		at = put_nops(at, 2);
	if (o->has_sack_permitted)
		at = put_kind(at, TCP_OPTION_SACK_PERMITTED, SACK_PERMITTED_LEN);
	if (o->has_timestamps) {
		at = put_kind(at, TCP_OPTION_TIMESTAMPS, TIMESTAMPS_LEN);
		put_be32(at, o->ts_val);
		put_be32(at + 4, o->ts_ecr);
		at += 8;
	}
	if (o->has_window_scale) {
		at = put_nops(at, 1);
		at = put_kind(at, TCP_OPTION_WINDOW_SCALE, WINDOW_SCALE_LEN);
		*at++ = clamp_window_scale(o->window_scale);
	}
	return (size_t)(at - buf);
}
