/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/half_open.h"

#include <stdlib.h>

#include "common/slab.h"

int half_open_init(struct half_open *h, uint32_t size)
{
	*h = (struct half_open){.size = size};
	h->entries = malloc(size * sizeof(*h->entries));
	if (!h->entries)
		return -1;
	for (uint32_t i = 0; i < size; i++)
		h->entries[i].index = SLAB_NONE;
	return 0;
}

void half_open_fini(struct half_open *h)
{
	free(h->entries);
	h->entries = NULL;
}

struct half_open_entry *half_open_next(struct half_open *h)
{
	struct half_open_entry *e = &h->entries[h->at];

	h->at = h->at + 1 < h->size ? h->at + 1 : 0;
	return e;
}

size_t half_open_memory(const struct half_open *h)
{
	return h->size * sizeof(*h->entries);
}
