/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcpcopy/sampling.h"
#include "tcpcopy/session.h"

enum {
	SESSIONS_DEFAULT = 100,
	SESSIONS_OF_A_MIX = 24,
	SESSIONS_LIMIT = 10000000,
	BULK_MAX_MB = 200,
};

enum option_key {
	KEY_SEED = 256,
	KEY_SEEDS,
	KEY_SESSIONS,
	KEY_LOSS,
	KEY_REORDER,
	KEY_DUPLICATE,
	KEY_CORRUPT,
	KEY_CAPTURE_LOSS,
	KEY_REQUEST_LOSS,
	KEY_REQUESTS,
	KEY_ARRIVAL,
	KEY_BULK,
	KEY_COPIES,
	KEY_NO_REJOIN,
	KEY_SAMPLE,
	KEY_RATE,
	KEY_MEMORY,
	KEY_RTT,
	KEY_PATH_MTU,
	KEY_MUTE_PATH,
	KEY_NO_WAIT,
	KEY_PARK,
	KEY_COUNTS,
	KEY_MIX,
	KEY_LIES,
	KEY_TRACE,
	KEY_MINIMIZE,
	KEY_HELP,
};

static const struct option known[] = {
	{"seed", required_argument, NULL, KEY_SEED},
	{"seeds", required_argument, NULL, KEY_SEEDS},
	{"sessions", required_argument, NULL, KEY_SESSIONS},
	{"loss", required_argument, NULL, KEY_LOSS},
	{"reorder", required_argument, NULL, KEY_REORDER},
	{"dup", required_argument, NULL, KEY_DUPLICATE},
	{"corrupt", required_argument, NULL, KEY_CORRUPT},
	{"capture-loss", required_argument, NULL, KEY_CAPTURE_LOSS},
	{"request-loss", required_argument, NULL, KEY_REQUEST_LOSS},
	{"requests", required_argument, NULL, KEY_REQUESTS},
	{"arrival", required_argument, NULL, KEY_ARRIVAL},
	{"bulk", required_argument, NULL, KEY_BULK},
	{"copies", required_argument, NULL, KEY_COPIES},
	{"no-rejoin", no_argument, NULL, KEY_NO_REJOIN},
	{"sample", required_argument, NULL, KEY_SAMPLE},
	{"rate", required_argument, NULL, KEY_RATE},
	{"memory", required_argument, NULL, KEY_MEMORY},
	{"rtt", required_argument, NULL, KEY_RTT},
	{"path-mtu", required_argument, NULL, KEY_PATH_MTU},
	{"mute-path", no_argument, NULL, KEY_MUTE_PATH},
	{"no-wait", no_argument, NULL, KEY_NO_WAIT},
	{"park", required_argument, NULL, KEY_PARK},
	{"counts", no_argument, NULL, KEY_COUNTS},
	{"mix", no_argument, NULL, KEY_MIX},
	{"lying-headers", no_argument, NULL, KEY_LIES},
	{"trace", no_argument, NULL, KEY_TRACE},
	{"minimize", no_argument, NULL, KEY_MINIMIZE},
	{"help", no_argument, NULL, KEY_HELP},
	{NULL, 0, NULL, 0},
};

void options_usage(void)
{
	puts("usage: sim [OPTION...]\n"
	     "Runs tcpcopy's and intercept's cores in a simulated world; the seed decides all.\n"
	     "\n"
	     "  --seed N           the world's seed (1)\n"
	     "  --sessions N       conversations (100; of a mix 24)\n"
	     "  --loss P           packets lost between replay and target, both ways: 0 to 1\n"
	     "  --reorder P        reordered there\n"
	     "  --dup P            repeated there\n"
	     "  --corrupt P        corrupt there\n"
	     "  --capture-loss P   packets that tcpcopy's capture misses\n"
	     "  --request-loss P   likewise, but only clients' SYNs and data\n"
	     "  --requests N       a conversation is N requests of one packet each, and their "
	     "answers\n"
	     "  --arrival US       one begins after so long, on average\n"
	     "  --bulk MB          the first one has so much to say while the target answers "
	     "nothing\n"
	     "  --copies N         of each connection at each target, as with tcpcopy -n: 1 to 4\n"
	     "  --no-rejoin        only whole connections are copied, as with tcpcopy -O\n"
	     "  --sample PPM       the share of the connections that is copied, in parts of a "
	     "million\n"
	     "  --rate N           at most so many new sessions a second\n"
	     "  --memory KB        what tcpcopy may hold, as with its -m\n"
	     "  --rtt MS           a round trip is simulated, as with tcpcopy -R\n"
	     "  --path-mtu N       the way to the target takes packets of at most so many bytes\n"
	     "  --mute-path        and no router says so\n"
	     "  --no-wait          requests wait for no answer, as with tcpcopy -W\n"
	     "  --park US          connections that rest are packed after so long; 0: never\n"
	     "  --mix              faults of every kind, chosen by the seed\n"
	     "  --seeds A-B        a small mix for each seed from A to B\n"
	     "  --lying-headers    false records reach tcpcopy: only safety is judged\n"
	     "  --trace            prints every packet and every step of a session\n"
	     "  --counts           prints figures, NAME=VALUE, instead of a sentence\n"
	     "  --minimize         of a failing run: looks for the few faults that are needed\n"
	     "  --help             this text");
}

static int read_number(uint64_t *value, const char *text, const char *name, uint64_t max)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno == 0 && end != text && !*end && *text != '-' && *value <= max)
		return 0;
	fprintf(stderr, "sim: %s %s: a number up to %" PRIu64 " is wanted\n", name, text, max);
	return -1;
}

static int read_range(struct options *o, const char *text)
{
	const char *dash = strchr(text, '-');
	char first[32];

	if (dash && (size_t)(dash - text) < sizeof(first)) {
		memcpy(first, text, (size_t)(dash - text));
		first[dash - text] = '\0';
		if (read_number(&o->seed, first, "--seeds", UINT64_MAX) ||
		    read_number(&o->last_seed, dash + 1, "--seeds", UINT64_MAX))
			return -1;
		if (o->seed <= o->last_seed)
			return 0;
	}
	fprintf(stderr, "sim: --seeds %s: a range like 1-1000 is wanted\n", text);
	return -1;
}

static int read_rate(double *rate, const char *text, const char *name)
{
	char *end;

	*rate = strtod(text, &end);
	if (end != text && !*end && *rate >= 0 && *rate < 1)
		return 0;
	fprintf(stderr, "sim: %s %s: a probability from 0 to below 1 is wanted\n", name, text);
	return -1;
}

static int take(struct options *o, int key, const char *value)
{
	uint64_t number;

	switch ((enum option_key)key) {
	case KEY_SEED:
		return read_number(&o->seed, value, "--seed", UINT64_MAX);
	case KEY_SEEDS:
		o->is_range = true;
		return read_range(o, value);
	case KEY_SESSIONS:
		if (read_number(&number, value, "--sessions", SESSIONS_LIMIT))
			return -1;
		o->sessions = (uint32_t)number;
		return 0;
	case KEY_LOSS:
		return read_rate(&o->loss, value, "--loss");
	case KEY_REORDER:
		return read_rate(&o->reorder, value, "--reorder");
	case KEY_DUPLICATE:
		return read_rate(&o->duplicate, value, "--dup");
	case KEY_CORRUPT:
		return read_rate(&o->corrupt, value, "--corrupt");
	case KEY_CAPTURE_LOSS:
		return read_rate(&o->capture_loss, value, "--capture-loss");
	case KEY_REQUEST_LOSS:
		return read_rate(&o->request_loss, value, "--request-loss");
	case KEY_REQUESTS:
		if (read_number(&number, value, "--requests", SCRIPT_TURNS_MAX))
			return -1;
		o->requests = (uint32_t)number;
		return 0;
	case KEY_ARRIVAL:
		if (read_number(&number, value, "--arrival", UINT32_MAX / 2))
			return -1;
		o->arrival_us = (uint32_t)number;
		return 0;
	case KEY_BULK:
		if (read_number(&number, value, "--bulk", BULK_MAX_MB))
			return -1;
		o->bulk_mb = (uint32_t)number;
		return 0;
	case KEY_COPIES:
		if (read_number(&number, value, "--copies", SIM_COPIES))
			return -1;
		o->copies = (uint32_t)number;
		return 0;
	case KEY_NO_REJOIN:
		o->joins = false;
		return 0;
	case KEY_SAMPLE:
		if (read_number(&number, value, "--sample", SAMPLING_ALL_PPM))
			return -1;
		o->sample_ppm = (uint32_t)number;
		return 0;
	case KEY_RATE:
		if (read_number(&number, value, "--rate", UINT32_MAX))
			return -1;
		o->rate_per_s = (uint32_t)number;
		return 0;
	case KEY_MEMORY:
		if (read_number(&number, value, "--memory", UINT32_MAX))
			return -1;
		o->memory_kb = (uint32_t)number;
		return 0;
	case KEY_PARK:
		if (read_number(&number, value, "--park", UINT32_MAX))
			return -1;
		o->park_after_us = number ? number : UINT64_MAX;
		return 0;
	case KEY_RTT:
		if (read_number(&number, value, "--rtt", SESSION_RTT_MAX_US / 1000))
			return -1;
		o->rtt_ms = (uint32_t)number;
		return 0;
	case KEY_PATH_MTU:
		if (read_number(&number, value, "--path-mtu", UINT16_MAX))
			return -1;
		o->path_mtu = (uint32_t)number;
		return 0;
	case KEY_MUTE_PATH:
		o->path_is_mute = true;
		return 0;
	case KEY_NO_WAIT:
		o->no_wait = true;
		return 0;
	case KEY_COUNTS:
		o->counts = true;
		return 0;
	case KEY_MIX:
		o->mixes = true;
		return 0;
	case KEY_LIES:
		o->lies = true;
		return 0;
	case KEY_TRACE:
		o->traces = true;
		return 0;
	case KEY_MINIMIZE:
		o->minimizes = true;
		return 0;
	case KEY_HELP:
		o->wants_help = true;
		return 0;
	}
	return -1;
}

int options_parse(struct options *o, int argc, char *const argv[])
{
	int key;

	*o = (struct options){.seed = 1, .joins = true};
	while ((key = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (key == '?' || take(o, key, optarg))
			return -1;
	if (optind < argc) {
		fprintf(stderr, "sim: %s: there is no such argument\n", argv[optind]);
		return -1;
	}
	if (o->is_range)
		o->mixes = true;
	else
		o->last_seed = o->seed;
	if (o->mixes && o->requests) {
		fputs("sim: --requests: the conversations of a mix are chosen by the seed\n",
		      stderr);
		return -1;
	}
	if (!o->sessions)
		o->sessions = o->mixes ? SESSIONS_OF_A_MIX : SESSIONS_DEFAULT;
	return 0;
}

static void raise_rate(struct settings *s, enum leg leg, enum fault kind, double rate)
{
	if (rate > s->rates[leg][kind])
		s->rates[leg][kind] = rate;
}

void options_settings(const struct options *o, uint64_t seed, struct settings *s)
{
	static const enum leg both[] = {LEG_TARGET, LEG_ANSWERS};

	if (o->mixes)
		settings_mix(s, seed, o->sessions);
	else
		settings_plain(s, seed, o->sessions);
	for (int i = 0; i < 2; i++) {
		raise_rate(s, both[i], FAULT_DROP, o->loss);
		raise_rate(s, both[i], FAULT_REORDER, o->reorder);
		raise_rate(s, both[i], FAULT_DUPLICATE, o->duplicate);
		raise_rate(s, both[i], FAULT_CORRUPT, o->corrupt);
	}
	raise_rate(s, LEG_CAPTURE, FAULT_DROP, o->capture_loss);
	raise_rate(s, LEG_CAPTURE, FAULT_MISS, o->request_loss);
	if (o->requests)
		settings_requests(s, o->requests);
	if (o->arrival_us)
		s->arrival_us = o->arrival_us;
	s->bulk_bytes = o->bulk_mb << 20;
	if (o->copies)
		s->copies = o->copies;
	s->joins &= o->joins;
	s->no_wait |= o->no_wait;
	if (o->memory_kb)
		s->max_memory_bytes = o->memory_kb * UINT64_C(1000);
	if (o->park_after_us)
		s->park_after_us = o->park_after_us;
	if (o->rtt_ms)
		s->rtt_us = o->rtt_ms * UINT64_C(1000);
	if (o->sample_ppm)
		s->sample_ppm = o->sample_ppm;
	if (o->rate_per_s)
		s->rate_per_s = o->rate_per_s;
	if (o->path_mtu) {
		s->path_mtu = o->path_mtu;
		s->path_mtu_us = 0;
		s->path_is_mute = o->path_is_mute;
	}
	if (o->lies)
		settings_lie(s);
	s->has_trace = o->traces;
}

static size_t add_rate(char *text, size_t at, const char *name, double rate)
{
	if (rate > 0)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " %s %g", name, rate);
	return at;
}

const char *options_command(const struct options *o, uint64_t seed, char text[OPTIONS_COMMAND_MAX])
{
	size_t at = (size_t)snprintf(
		text, OPTIONS_COMMAND_MAX, "tests/sim/sim%s%s --seed %" PRIu64 " --sessions %u",
		o->mixes ? " --mix" : "", o->lies ? " --lying-headers" : "", seed, o->sessions);

	at = add_rate(text, at, "--loss", o->loss);
	at = add_rate(text, at, "--reorder", o->reorder);
	at = add_rate(text, at, "--dup", o->duplicate);
	at = add_rate(text, at, "--corrupt", o->corrupt);
	at = add_rate(text, at, "--capture-loss", o->capture_loss);
	at = add_rate(text, at, "--request-loss", o->request_loss);
	if (o->requests)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --requests %u",
				       o->requests);
	if (o->arrival_us)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --arrival %u",
				       o->arrival_us);
	if (o->bulk_mb)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --bulk %u",
				       o->bulk_mb);
	if (o->sample_ppm)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --sample %u",
				       o->sample_ppm);
	if (o->rate_per_s)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --rate %u",
				       o->rate_per_s);
	if (o->memory_kb)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --memory %u",
				       o->memory_kb);
	if (o->rtt_ms)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --rtt %u", o->rtt_ms);
	if (o->path_mtu)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --path-mtu %u%s",
				       o->path_mtu, o->path_is_mute ? " --mute-path" : "");
	if (o->no_wait)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --no-wait");
	if (o->park_after_us)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --park %" PRIu64,
				       o->park_after_us == UINT64_MAX ? 0 : o->park_after_us);
	if (o->copies)
		at += (size_t)snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --copies %u",
				       o->copies);
	if (!o->joins)
		snprintf(text + at, OPTIONS_COMMAND_MAX - at, " --no-rejoin");
	return text;
}
