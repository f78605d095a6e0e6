/* SPDX-License-Identifier: BSD-2-Clause */
/* play.h - does what a script says and compares what comes. */
#ifndef TESTS_SCRIPTS_PLAY_H
#define TESTS_SCRIPTS_PLAY_H

#include <stdio.h>

#include "tests/scripts/parse.h"

enum {
	PLAY_ERROR_MAX = 1024,
};

/* 0, or -1 with "file:line: expected ..., came ..." in error. trace may be NULL. */
int play(const struct script *script, FILE *trace, char error[PLAY_ERROR_MAX]);
#endif
