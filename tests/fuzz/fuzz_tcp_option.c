/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_tcp_option.c - the reader and the writer of TCP options. The input is a list of options.
 *
 * Oracles: nothing is read outside of the list; the result is that of a second reader, which is
 * written here in another way; what the writer makes of it is a list that says the same.
 */
#include "common/tcp_option.h"
#include "tests/fuzz/fuzz.h"

enum {
	LIST_MAX = 255, /* longer than any header's, for the function takes any length */
};

/* Lengths that the known kinds must have; 0: any from 2 on. */
static size_t wanted_len(uint8_t kind)
{
	static const uint8_t lens[256] = {[2] = 4, [3] = 3, [4] = 2, [8] = 10};

	return lens[kind];
}

static void take(struct tcp_options *o, const uint8_t *option)
{
	const uint8_t *v = option + 2;

	if (option[0] == 2) {
		o->mss = (uint16_t)(v[0] * 256 + v[1]);
		o->has_mss = o->mss > 0;
	} else if (option[0] == 3) {
		o->has_window_scale = true;
		o->window_scale = v[0] < 14 ? v[0] : 14;
	} else if (option[0] == 4) {
		o->has_sack_permitted = true;
	} else if (option[0] == 8) {
		o->has_timestamps = true;
		o->ts_val = (uint32_t)v[0] << 24 | v[1] << 16 | v[2] << 8 | v[3];
		o->ts_ecr = (uint32_t)v[4] << 24 | v[5] << 16 | v[6] << 8 | v[7];
	} else if (option[0] == 30) {
		o->has_mptcp = true;
	}
}

/* The second opinion. */
static int parse(struct tcp_options *o, const uint8_t *list, size_t len)
{
	size_t i = 0;

	memset(o, 0, sizeof(*o));
	while (i < len && list[i] != 0) {
		size_t n;

		if (list[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 == len)
			return -1;
		n = list[i + 1];
		if (n < 2 || i + n > len || (wanted_len(list[i]) && n != wanted_len(list[i])))
			return -1;
		if (list[i] == 5 && (n == 2 || n % 8 != 2)) /* SACK: whole blocks */
			return -1;
		take(o, list + i);
		i += n;
	}
	return 0;
}

static bool says_the_same(const struct tcp_options *a, const struct tcp_options *b)
{
	return a->has_mss == b->has_mss && (!a->has_mss || a->mss == b->mss) &&
	       a->has_window_scale == b->has_window_scale && a->window_scale == b->window_scale &&
	       a->has_sack_permitted == b->has_sack_permitted &&
	       a->has_timestamps == b->has_timestamps && a->ts_val == b->ts_val &&
	       a->ts_ecr == b->ts_ecr;
}

static void write_and_read(const struct tcp_options *o)
{
	uint8_t buf[TCP_OPTIONS_MAX];
	size_t len = tcp_options_write(buf, o);
	uint8_t *exact = fuzz_copy(buf, len);
	struct tcp_options back;

	fuzz_check(len % 4 == 0 && len <= 20);
	fuzz_check(tcp_options_parse(&back, exact, len) == 0);
	fuzz_check(says_the_same(o, &back) && !back.has_mptcp);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size < LIST_MAX ? size : LIST_MAX;
	uint8_t *list = fuzz_copy(data, len);
	struct tcp_options got, wanted;
	int rc = tcp_options_parse(&got, list, len);

	fuzz_check(rc == parse(&wanted, list, len));
	fuzz_check(says_the_same(&got, &wanted) && got.has_mptcp == wanted.has_mptcp);
	fuzz_check(got.window_scale <= TCP_WINDOW_SCALE_MAX && (!got.has_mss || got.mss));
	write_and_read(&got);
	free(list);
	return 0;
}
