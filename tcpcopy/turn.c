/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/turn.h"

#include <assert.h>

void turn_list_init(struct turn_list *l)
{
	*l = (struct turn_list){.first = SLAB_NONE, .last = SLAB_NONE};
}

void turn_list_fini(struct turn_list *l, struct slab *turns)
{
	while (l->first != SLAB_NONE)
		turn_list_release_first(l, turns);
}

static struct turn *append(struct turn_list *l, struct slab *turns, struct turn value)
{
	uint32_t index;
	struct turn *t = slab_take(turns, &index);

	if (!t)
		return NULL;
	*t = value;
	t->index = index;
	t->next = SLAB_NONE;
	if (l->last == SLAB_NONE)
		l->first = index;
	else
		((struct turn *)slab_at(turns, l->last))->next = index;
	l->last = index;
	l->count++;
	l->any |= value.kind == TURN_DATA;
	return t;
}

/* How much more the client has seen since the last turn; an older acknowledgement counts as 0. */
static uint64_t seen_since(struct turn_list *l, uint64_t seen)
{
	uint64_t need = seen > l->seen ? seen - l->seen : 0;

	if (need)
		l->seen = seen;
	return need;
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
	uint64_t seen_before = l->seen;
	uint64_t need = waited || first_ever ? seen_since(l, note->seen) : 0;
	uint64_t waited_us = waited_since(l, note);
	struct turn *t;

	l->spoke_us = note->at_us;
	if (!need && last && last->kind == TURN_DATA && last->end == start && !last->is_passed) {
		last->end = end;
		*is_new = false;
		return last;
	}
	t = append(l, turns,
		   (struct turn){.start = start,
				 .end = end,
				 .need = need,
				 .waited_us = waited_us,
				 .kind = TURN_DATA,
				 .is_request = need > 0 || first_ever});
	if (!t)
		l->seen = seen_before;
	*is_new = true;
	return t;
}

struct turn *turn_list_end(struct turn_list *l, struct slab *turns, enum turn_kind kind,
			   uint64_t at, const struct segment_note *note)
{
	return append(l, turns,
		      (struct turn){.start = at,
				    .end = at,
				    .need = seen_since(l, note->seen),
				    .waited_us = waited_since(l, note),
				    .kind = (uint8_t)kind});
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

struct turn *turn_next(const struct slab *turns, const struct turn *t)
{
	return t->next == SLAB_NONE ? NULL : slab_at(turns, t->next);
}

struct turn *turn_list_first(const struct turn_list *l, const struct slab *turns)
{
	return l->first == SLAB_NONE ? NULL : slab_at(turns, l->first);
}

struct turn *turn_list_last(const struct turn_list *l, const struct slab *turns)
{
	return l->last == SLAB_NONE ? NULL : slab_at(turns, l->last);
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
