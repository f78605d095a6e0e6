/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_option.h - TCP options: parse what a stranger sent, write what we send. Pure.
 */
#ifndef COMMON_TCP_OPTION_H
#define COMMON_TCP_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TCP_OPTIONS_MAX = 40,      /* a data offset of 15 words less the header of 5 */
	TCP_WINDOW_SCALE_MAX = 14, /* RFC 7323, section 2.3 */
};

/* The kinds that are known here; others are skipped by their length. */
enum tcp_option_kind {
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_WINDOW_SCALE = 3,
	TCP_OPTION_SACK_PERMITTED = 4,
	TCP_OPTION_SACK = 5,
	TCP_OPTION_TIMESTAMPS = 8,
	TCP_OPTION_MPTCP = 30,
};

struct tcp_options {
	bool has_mss;
	bool has_window_scale;
	bool has_sack_permitted;
	bool has_timestamps;
	bool has_sack;
	bool has_mptcp;       /* RFC 8684, kind 30: cannot be replayed */
	uint8_t window_scale; /* at most 14: a larger one is read as 14 */
	uint16_t mss;         /* never 0: an MSS of 0 is read as none */
	uint32_t ts_val;
	uint32_t ts_ecr;
	uint32_t sack_left; /* left edge of the first block: RFC 2018, section 3 */
};

/*
 * Reads len_bytes of options (RFC 9293, section 3.1; RFC 7323; RFC 2018). Unknown kinds are
 * skipped by their length. An option whose length is below 2, wrong for its kind or past the
 * end stops the parse. Always fills *o with what was good before that.
 * 0, or -1 if the list is malformed.
 */
int tcp_options_parse(struct tcp_options *o, const uint8_t *data, size_t len_bytes);

/*
 * Writes the options that are present, padded with NOP to a multiple of four, into buf of
 * TCP_OPTIONS_MAX bytes. MSS, window scale and SACK-permitted belong on a SYN only; the caller
 * sees to that. Returns the length in bytes.
 */
size_t tcp_options_write(uint8_t *buf, const struct tcp_options *o);

/* The length that they will have. */
static inline size_t tcp_options_len(const struct tcp_options *o)
{
	size_t len = o->has_timestamps ? 12 : o->has_sack_permitted ? 4 : 0;

	return len + (o->has_mss ? 4 : 0) + (o->has_window_scale ? 4 : 0);
}
#endif
