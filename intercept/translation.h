/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * translation.h - addresses of the target as intercept sees them, and as tcpcopy knows them. A
 * published port of a container is translated on the target's host; where intercept captures before
 * the answers are translated back, they come from an address that no session is registered for. Pure.
 */
#ifndef INTERCEPT_TRANSLATION_H
#define INTERCEPT_TRANSLATION_H

#include <stddef.h>

#include "common/endpoint.h"

enum {
	TRANSLATIONS_MAX = 32,
};

/* Both addresses are of one family; both ports are 0 (the port stays) or neither is. */
struct translation {
	struct endpoint seen;     /* where the answers come from */
	struct endpoint original; /* what tcpcopy sends to: a target of its -x */
};

/* What e would be without the translation. One with a port goes before one without. */
void translation_undo(struct endpoint *e, const struct translation *translations, size_t count);
/* The other way: where the answers of e come from. */
void translation_do(struct endpoint *e, const struct translation *translations, size_t count);
#endif
