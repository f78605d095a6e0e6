/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * half_open.h - a bounded memory of connections of which only the SYN has been seen, oldest first:
 * what a SYN flood can cost. It remembers, its owner looks whether a remembered one still is half-open. Pure.
 */
#ifndef TCPCOPY_HALF_OPEN_H
#define TCPCOPY_HALF_OPEN_H

#include <stddef.h>
#include <stdint.h>

struct half_open_entry {
	uint32_t index; /* of the online connection; SLAB_NONE: free */
	uint32_t isn;   /* the index may belong to another by now */
};

struct half_open {
	struct half_open_entry *entries;
	uint32_t size;
	uint32_t at; /* the oldest */
};

/* 0, or -1 with errno ENOMEM. size is at least 1. */
int half_open_init(struct half_open *h, uint32_t size);
void half_open_fini(struct half_open *h);
/* The oldest entry; the next call returns the one after it, whatever was done with this. */
struct half_open_entry *half_open_next(struct half_open *h);
size_t half_open_memory(const struct half_open *h);
#endif
