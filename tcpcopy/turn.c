/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/turn.h"

#include <assert.h>

#include "common/out_of_line.h"

void turn_list_init(struct turn_list *l)
{
	*l = (struct turn_list){.first = SLAB_NONE, .last = SLAB_NONE};
}

void turn_list_fini(struct turn_list *l, struct slab *turns)
{
	while (l->first != SLAB_NONE)
		turn_list_release_first(l, turns);
}

/* A turn of this kind [start, end); the rest of it is 0. NULL with errno. */
static IN_LINE struct turn *append(struct turn_list *l, struct slab *turns, enum turn_kind kind,
				   uint64_t start, uint64_t end)
{
	uint32_t index;
	struct turn *t = slab_take(turns, &index);

	if (!t)
		return NULL;
	*t = (struct turn){.start = start,
			   .end = end,
			   .index = index,
			   .next = SLAB_NONE,
			   .kind = (uint8_t)kind};
	if (l->last == SLAB_NONE)
		l->first = index;
	else
		((struct turn *)slab_at(turns, l->last))->next = index;
	l->last = index;
	l->count++;
	l->any |= kind == TURN_DATA;
	return t;
}

/* How much more the client has seen since the last turn; an older acknowledgement counts as 0. */
static uint64_t seen_since(const struct turn_list *l, uint64_t seen)
{
	return seen > l->seen ? seen - l->seen : 0;
}

/* How long the client had waited, after its last byte, for what it had seen. */
static uint64_t waited_since(const struct turn_list *l, const struct segment_note *note)
{
	return note->seen_us > l->spoke_us ? note->seen_us - l->spoke_us : 0;
}

struct turn *turn_list_data(struct turn_list *l, struct slab *turns, uint64_t start, uint64_t end,
			    const struct segment_note *note, bool waited, bool *is_new)
{
	struct turn *last = turn_list_last(l, turns);
	bool first_ever = !l->any;
	uint64_t need = waited || first_ever ? seen_since(l, note->seen) : 0;
	uint64_t waited_us = waited_since(l, note);
	struct turn *t;

	l->spoke_us = note->at_us;
	if (!need && last && last->kind == TURN_DATA && last->end == start && !last->is_passed) {
		last->end = end;
		*is_new = false;
		return last;
	}
	*is_new = true;
	t = append(l, turns, TURN_DATA, start, end);
	if (!t)
		return NULL;
	t->need = need;
	t->waited_us = waited_us;
	t->is_request = need > 0 || first_ever;
	l->seen += need;
	return t;
}

struct turn *turn_list_request(struct turn_list *l, struct slab *turns, uint64_t start,
			       uint64_t end, const struct segment_note *note)
{
	struct turn *t = append(l, turns, TURN_DATA, start, end);

	if (!t)
		return NULL;
	t->need = note->seen - l->seen;
	t->waited_us = waited_since(l, note);
	t->is_request = true;
	l->spoke_us = note->at_us;
	l->seen = note->seen;
	return t;
}

struct turn *turn_list_end(struct turn_list *l, struct slab *turns, enum turn_kind kind,
			   uint64_t at, const struct segment_note *note)
{
	struct turn *t = append(l, turns, kind, at, at);

	if (!t)
		return NULL;
	t->need = seen_since(l, note->seen);
	t->waited_us = waited_since(l, note);
	l->seen += t->need;
	return t;
}

/* Data may pass a FIN by. */
static const struct turn *next_data(const struct slab *turns, const struct turn *t)
{
	do
		t = turn_next(turns, t);
	while (t && t->kind != TURN_DATA);
	return t;
}

bool turn_ends_request(const struct slab *turns, const struct turn *t)
{
	const struct turn *next;

	if (t->kind != TURN_DATA || t->is_cut)
		return false;
	next = next_data(turns, t);
	return !next || next->is_request;
}

bool turn_may_go_on(const struct slab *turns, const struct turn *t)
{
	return t->kind == TURN_DATA && !t->is_cut && !next_data(turns, t);
}

void turn_list_release_first(struct turn_list *l, struct slab *turns)
{
	struct turn *t = slab_at(turns, l->first);

	assert(t->index == l->first);
	l->first = t->next;
	if (l->first == SLAB_NONE)
		l->last = SLAB_NONE;
	l->count--;
	slab_give(turns, t->index);
}
