/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h - tells of every step that a session's state machine takes, and which copy began last.
 */
#ifndef TESTS_SIM_HOOKS_H
#define TESTS_SIM_HOOKS_H

#include <stdint.h>

struct session_step {
	uint32_t id;
	const char *from;
	const char *to;
	const char *who; /* what caused it */
};

/* Which copy of its connection the session is that has begun, or taken another tuple, last: it is registered next. */
unsigned hooks_begun_copy(void);

/* One listener; NULL: nobody. */
void hooks_listen(void (*fn)(void *ctx, const struct session_step *step), void *ctx);
#endif
