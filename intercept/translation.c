/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * translation.c - see translation.h. A list, as there are a few.
 */
#include "intercept/translation.h"

void translation_undo(struct endpoint *e, const struct translation *translations, size_t count)
{
	const struct translation *found = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct translation *t = &translations[i];

		if (!ip_addr_equal(&t->seen.addr, &e->addr))
			continue;
		if (t->seen.port == e->port) {
			*e = t->original;
			return;
		}
		if (t->seen.port == 0)
			found = t;
	}
	if (found)
		e->addr = found->original.addr;
}

void translation_do(struct endpoint *e, const struct translation *translations, size_t count)
{
	const struct translation *found = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct translation *t = &translations[i];

		if (!ip_addr_equal(&t->original.addr, &e->addr))
			continue;
		if (t->original.port == e->port) {
			*e = t->seen;
			return;
		}
		if (t->original.port == 0)
			found = t;
	}
	if (found)
		e->addr = found->seen.addr;
}
