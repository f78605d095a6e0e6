/* SPDX-License-Identifier: BSD-2-Clause */
/* settings.h - the command line of kernel_target. */
#ifndef TESTS_KERNEL_SETTINGS_H
#define TESTS_KERNEL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/kernel/forger.h"
#include "tests/kernel/lane.h"
#include "tests/kernel/talk.h"

struct settings {
	struct talk talk;
	struct lane_faults faults;
	enum forgery forgery;
	bool is_silent; /* in front of Linux: an ACK ahead is discarded without a word */
	uint32_t concurrency;
	uint64_t pace_us;
	uint64_t start_gap_us;
	uint64_t limit_us;
	const char *congestion; /* NULL: the system's */
	int receive_buffer_bytes;
	const char *device;
	bool is_verbose;
};

/* Exits with a usage text and 2 if something is wrong. */
void settings_parse(struct settings *s, int argc, char **argv);
#endif
