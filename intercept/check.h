/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - intercept --check: once the command line is right, whether the world is: capture, port,
 * forwarding, files. Opens what a worker would open, and closes it again.
 */
#ifndef INTERCEPT_CHECK_H
#define INTERCEPT_CHECK_H

#include <stdio.h>

#include "intercept/options.h"

/* Prints a line a finding. Returns how many are wrong. */
unsigned intercept_check(const struct intercept_options *o, FILE *out);
#endif
