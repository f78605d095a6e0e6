/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/settings.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/kernel/clients.h"

enum {
	OPTION_SESSIONS = 256,
	OPTION_TURNS,
	OPTION_UPLOAD,
	OPTION_ANSWER,
	OPTION_MANNER,
	OPTION_DIFFER,
	OPTION_WHOLE,
	OPTION_CONCURRENCY,
	OPTION_PACE,
	OPTION_START_GAP,
	OPTION_LIMIT,
	OPTION_LOSS,
	OPTION_REORDER,
	OPTION_DUP,
	OPTION_SEED,
	OPTION_BOGUS,
	OPTION_SILENT,
	OPTION_CONGESTION,
	OPTION_RECEIVE_BUFFER,
	OPTION_DEVICE,
	OPTION_VERBOSE,
};

static const struct option options[] = {
	{"sessions", required_argument, NULL, OPTION_SESSIONS},
	{"turns", required_argument, NULL, OPTION_TURNS},
	{"upload", required_argument, NULL, OPTION_UPLOAD},
	{"answer", required_argument, NULL, OPTION_ANSWER},
	{"manner", required_argument, NULL, OPTION_MANNER},
	{"differ", no_argument, NULL, OPTION_DIFFER},
	{"whole", no_argument, NULL, OPTION_WHOLE},
	{"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
	{"pace", required_argument, NULL, OPTION_PACE},
	{"start-gap", required_argument, NULL, OPTION_START_GAP},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"loss", required_argument, NULL, OPTION_LOSS},
	{"reorder", required_argument, NULL, OPTION_REORDER},
	{"dup", required_argument, NULL, OPTION_DUP},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"bogus", required_argument, NULL, OPTION_BOGUS},
	{"silent", no_argument, NULL, OPTION_SILENT},
	{"congestion", required_argument, NULL, OPTION_CONGESTION},
	{"receive-buffer", required_argument, NULL, OPTION_RECEIVE_BUFFER},
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"verbose", no_argument, NULL, OPTION_VERBOSE},
	{NULL, 0, NULL, 0},
};

static const char usage_text[] =
	"usage: kernel_target [OPTION...], in a namespace as tests/kernel/run.sh makes it\n"
	"  --sessions N         100\n"
	"  --turns N            requests a session: 10\n"
	"  --upload BYTES       a request is about so long: 100\n"
	"  --answer BYTES       an answer: 1000\n"
	"  --manner NAME        plain, late, slow, half-close, close, client-half-close,\n"
	"                       client-reset, mixed\n"
	"  --differ             the target's answers are not as long as those online\n"
	"  --whole              what the target's server has ended is not gone on with (-O)\n"
	"  --concurrency N      sessions at once: all\n"
	"  --pace MS            between a client's packets: 5\n"
	"  --start-gap US       between the clients' beginnings: 1000\n"
	"  --loss, --reorder, --dup PERCENT  of the packets, each way: 0\n"
	"  --seed N             of all these: 1\n"
	"  --bogus KIND         a forged record a session: data-less, data-equal, data-more, fin,\n"
	"                       fin-data, ack-ahead, window, timestamp, reset, all\n"
	"  --silent             discard acknowledgements of what Linux has not sent, as older\n"
	"                       kernels do without a word\n"
	"  --congestion NAME    of the server: the system's\n"
	"  --receive-buffer BYTES  of the server: the system's\n"
	"  --limit SECONDS      what has not ended then is stuck: 30\n"
	"  --device NAME        the TUN device: tun0\n"
	"  --verbose            the sessions that are stuck, all of them\n";

static void refuse(const char *what)
{
	if (what)
		fprintf(stderr, "kernel_target: bad value: %s\n", what);
	fputs(usage_text, stderr);
	exit(2);
}

static double number(const char *text, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0 && value <= max))
		refuse(text);
	return value;
}

static int name(int found, const char *text)
{
	if (found < 0)
		refuse(text);
	return found;
}

static void take_load_option(struct settings *s, int option)
{
	switch (option) {
	case OPTION_SESSIONS:
		s->talk.sessions = (uint32_t)number(optarg, CLIENTS_MAX);
		break;
	case OPTION_TURNS:
		s->talk.turns = (uint32_t)number(optarg, 10000);
		break;
	case OPTION_UPLOAD:
		s->talk.upload_bytes = (uint32_t)number(optarg, 1 << 20);
		break;
	case OPTION_ANSWER:
		s->talk.answer_bytes = (uint32_t)number(optarg, 1 << 24);
		break;
	case OPTION_MANNER:
		s->talk.manner = (enum talk_manner)name(talk_manner_by_name(optarg), optarg);
		break;
	case OPTION_DIFFER:
		s->talk.differ = true;
		break;
	case OPTION_WHOLE:
		s->talk.is_whole = true;
		break;
	case OPTION_CONCURRENCY:
		s->concurrency = (uint32_t)number(optarg, CLIENTS_MAX);
		break;
	case OPTION_PACE:
		s->pace_us = (uint64_t)(number(optarg, 60000) * 1000);
		break;
	case OPTION_START_GAP:
		s->start_gap_us = (uint64_t)number(optarg, 1e9);
		break;
	default:
		refuse(NULL);
	}
}

static void take_option(struct settings *s, int option)
{
	switch (option) {
	case OPTION_LIMIT:
		s->limit_us = (uint64_t)(number(optarg, 3600) * 1e6);
		break;
	case OPTION_LOSS:
		s->faults.loss = number(optarg, 100) / 100;
		break;
	case OPTION_REORDER:
		s->faults.reorder = number(optarg, 100) / 100;
		break;
	case OPTION_DUP:
		s->faults.dup = number(optarg, 100) / 100;
		break;
	case OPTION_SEED:
		s->talk.seed = (uint64_t)number(optarg, 1e15);
		break;
	case OPTION_BOGUS:
		s->forgery = (enum forgery)name(forgery_by_name(optarg), optarg);
		break;
	case OPTION_SILENT:
		s->is_silent = true;
		break;
	case OPTION_CONGESTION:
		s->congestion = optarg;
		break;
	case OPTION_RECEIVE_BUFFER:
		s->receive_buffer_bytes = (int)number(optarg, 1 << 30);
		break;
	case OPTION_DEVICE:
		s->device = optarg;
		break;
	case OPTION_VERBOSE:
		s->is_verbose = true;
		break;
	default:
		take_load_option(s, option);
		break;
	}
}

void settings_parse(struct settings *s, int argc, char **argv)
{
	int option;

	*s = (struct settings){
		.talk = {.seed = 1,
			 .sessions = 100,
			 .turns = 10,
			 .upload_bytes = 100,
			 .answer_bytes = 1000},
		.forgery = FORGERY_NONE,
		.pace_us = 5000,
		.start_gap_us = 1000,
		.limit_us = 30000000,
		.device = "tun0",
	};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(s, option);
	if (optind < argc || !s->talk.sessions || !s->talk.turns)
		refuse(optind < argc ? argv[optind] : "0");
	if (!s->concurrency)
		s->concurrency = s->talk.sessions;
}
