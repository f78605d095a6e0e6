/* SPDX-License-Identifier: BSD-2-Clause */
/* queue.c - a heap of four children a node: half as deep as one of two, and as many lines. */
#include "tests/sim/queue.h"

#include <stdlib.h>

#include "tests/sim/alloc.h"

enum {
	CHILDREN = 4,
};

void queue_init(struct queue *q)
{
	*q = (struct queue){.heap = NULL};
}

void queue_fini(struct queue *q)
{
	free(q->heap);
}

/* Serial numbers wrap; those of one moment are never 2^31 apart. */
static bool is_before(const struct event *a, const struct event *b)
{
	if (a->at_us != b->at_us)
		return a->at_us < b->at_us;
	return (int32_t)(a->serial - b->serial) < 0;
}

void queue_put(struct queue *q, uint64_t at_us, uint32_t kind, void *subject)
{
	struct event e = {.at_us = at_us, .serial = q->serial++, .kind = kind, .subject = subject};
	size_t i = q->count++;

	if (q->count > q->room)
		q->heap = sim_grow(q->heap, &q->room, sizeof(*q->heap));
	while (i) {
		size_t parent = (i - 1) / CHILDREN;

		if (!is_before(&e, &q->heap[parent]))
			break;
		q->heap[i] = q->heap[parent];
		i = parent;
	}
	q->heap[i] = e;
}

static size_t first_child(const struct queue *q, size_t i)
{
	size_t best = CHILDREN * i + 1;
	size_t end = best + CHILDREN < q->count ? best + CHILDREN : q->count;

	for (size_t c = best + 1; c < end; c++)
		if (is_before(&q->heap[c], &q->heap[best]))
			best = c;
	return best;
}

struct event queue_take(struct queue *q)
{
	struct event first = q->heap[0];
	struct event last = q->heap[--q->count];
	size_t i = 0;

	for (;;) {
		size_t child = first_child(q, i);

		if (child >= q->count || !is_before(&q->heap[child], &last))
			break;
		q->heap[i] = q->heap[child];
		i = child;
	}
	q->heap[i] = last;
	return first;
}
