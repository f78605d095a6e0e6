/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/backlog.h"

#include "common/out_of_line.h"
#include "common/slab.h"
#include "tcpcopy/online.h"

static struct online *at(const struct backlog *b, uint32_t index)
{
	return index == SLAB_NONE ? NULL : slab_at(b->onlines, index);
}

void backlog_init(struct backlog *b, const struct slab *onlines)
{
	b->onlines = onlines;
	b->last = SLAB_NONE;
	for (size_t i = 0; i < BACKLOG_CLASSES; i++)
		b->first[i] = SLAB_NONE;
}

static uint8_t class_of(size_t bytes)
{
	uint8_t n = 0;

	for (bytes /= BACKLOG_SMALL_BYTES; bytes && n < BACKLOG_CLASSES - 1; bytes /= 2)
		n++;
	return n;
}

static void put_first(struct backlog *b, struct online *o)
{
	uint32_t *first = &b->first[o->backlog_class];
	struct online *next = at(b, *first);

	o->backlog = (struct backlog_link){SLAB_NONE, *first};
	if (next)
		next->backlog.previous = o->index;
	else if (o->backlog_class == 0)
		b->last = o->index;
	*first = o->index;
}

static void put_last(struct backlog *b, struct online *o)
{
	struct online *previous = at(b, b->last);

	o->backlog = (struct backlog_link){b->last, SLAB_NONE};
	if (previous)
		previous->backlog.next = o->index;
	else
		b->first[0] = o->index;
	b->last = o->index;
}

void backlog_add(struct backlog *b, struct online *o)
{
	o->backlog_class = 0;
	put_first(b, o);
}

void backlog_remove(struct backlog *b, struct online *o)
{
	struct online *previous = at(b, o->backlog.previous);
	struct online *next = at(b, o->backlog.next);

	if (previous)
		previous->backlog.next = o->backlog.next;
	else
		b->first[o->backlog_class] = o->backlog.next;
	if (next)
		next->backlog.previous = o->backlog.previous;
	else if (o->backlog_class == 0)
		b->last = o->backlog.previous;
}

static OUT_OF_LINE void change_class(struct backlog *b, struct online *o, uint8_t now)
{
	backlog_remove(b, o);
	o->backlog_class = now;
	if (now)
		put_first(b, o);
	else
		put_last(b, o);
}

void backlog_update(struct backlog *b, struct online *o)
{
	uint8_t now = class_of(backlog_bytes(o));

	if (now != o->backlog_class)
		change_class(b, o, now);
}

static struct online *largest_of_some(const struct backlog *b, struct online *first)
{
	struct online *largest = first;

	for (unsigned n = 0; first && n < BACKLOG_LOOK; n++) {
		if (backlog_bytes(first) > backlog_bytes(largest))
			largest = first;
		first = at(b, first->backlog.next);
	}
	return largest;
}

struct online *backlog_largest(const struct backlog *b)
{
	for (size_t i = BACKLOG_CLASSES; --i > 0;)
		if (b->first[i] != SLAB_NONE)
			return largest_of_some(b, at(b, b->first[i]));
	return at(b, b->first[0]);
}
