/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - tcpcopy --check: once the command line is right, whether the world is: capture,
 * targets, intercepts, files. Opens what a worker would open, and closes it again.
 */
#ifndef TCPCOPY_CHECK_H
#define TCPCOPY_CHECK_H

#include <stdio.h>

#include "tcpcopy/options.h"

enum {
	CHECK_INTERCEPT_S = 3, /* how long intercepts have to answer */
};

/* Prints a line a finding. Returns how many are wrong. Blocks for CHECK_INTERCEPT_S at most. */
unsigned tcpcopy_check(const struct tcpcopy_options *o, FILE *out);
#endif
