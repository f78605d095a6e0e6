/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the simulator's command line.
 */
#ifndef TESTS_SIM_OPTIONS_H
#define TESTS_SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/settings.h"

enum {
	OPTIONS_COMMAND_MAX = 512,
};

struct options {
	uint64_t seed;
	uint64_t last_seed; /* of --seeds; otherwise seed */
	uint32_t sessions;
	double loss;
	double reorder;
	double duplicate;
	double corrupt;
	double capture_loss;
	double request_loss;
	uint32_t copies;     /* 0: one, or as the seed chooses */
	uint32_t requests;   /* a conversation; 0: as the scripts have it */
	uint32_t arrival_us; /* 0: the usual time between two conversations */
	uint32_t bulk_mb;    /* of the first conversation; 0: it is as the others */
	bool joins;
	uint32_t sample_ppm; /* 0: all */
	uint32_t rate_per_s; /* 0: no limit */
	uint32_t memory_kb;  /* 0: plenty */
	uint64_t park_after_us;
	uint32_t rtt_ms;   /* 0: none */
	uint32_t path_mtu; /* 0: everything gets through, or as the seed chooses */
	bool path_is_mute;
	bool no_wait;
	bool counts;
	bool is_range;
	bool mixes;
	bool lies;
	bool traces;
	bool minimizes;
	bool wants_help;
};

/* 0, or -1 after saying on stderr what was wrong. */
int options_parse(struct options *o, int argc, char *const argv[]);
void options_usage(void);
/* The world that they ask for, with this seed. */
void options_settings(const struct options *o, uint64_t seed, struct settings *s);
/* The command that repeats the run of this seed. */
const char *options_command(const struct options *o, uint64_t seed, char text[OPTIONS_COMMAND_MAX]);
#endif
