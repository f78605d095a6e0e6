/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backlog.h - which online connection holds most, for when memory is short. Each is in the list of its
 * class: class 0 holds next to nothing (an idle connection, a request in flight), every class above up to twice
 * as much as the one below. So a victim is found in constant time, and a packet costs a comparison; what is
 * found is the largest where few are as large, and holds at least half as much in any case. Newest first within
 * class 0. Pure.
 */
#ifndef TCPCOPY_BACKLOG_H
#define TCPCOPY_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

struct online;
struct slab;

enum {
	BACKLOG_SMALL_BYTES = 4096, /* of payload, turns and ranges: class 0 */
	BACKLOG_CLASSES = 16,       /* the last one without a bound */
	BACKLOG_LOOK = 16,          /* so many of the class of the largest are compared */
};

/* In each connection; indices of their slab, SLAB_NONE: none. */
struct backlog_link {
	uint32_t previous;
	uint32_t next;
};

struct backlog {
	const struct slab *onlines;
	uint32_t first[BACKLOG_CLASSES];
	uint32_t last; /* of class 0: what has shrunk is not new, it goes behind the others */
};

/* The connections are objects of this slab, borrowed. */
void backlog_init(struct backlog *b, const struct slab *onlines);
/* A connection that begins; with nothing held. */
void backlog_add(struct backlog *b, struct online *o);
void backlog_remove(struct backlog *b, struct online *o);
/* What it holds may have changed. */
void backlog_update(struct backlog *b, struct online *o);
/* One of the largest, or, where all are small, the newest; NULL: there is none. */
struct online *backlog_largest(const struct backlog *b);
#endif
