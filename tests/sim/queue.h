/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue.h - what happens when: events by virtual time, those of one moment in the order in which
 * they were put. An event is small and says only whom to wake; nothing is ever taken out before
 * its time, its owner looks whether it still means something.
 */
#ifndef TESTS_SIM_QUEUE_H
#define TESTS_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
	uint64_t at_us;
	uint32_t serial; /* the queue's */
	uint32_t kind;   /* enum event_kind of world.h */
	void *subject;   /* borrowed: the owner keeps it until the event has come */
};

struct queue {
	struct event *heap;
	size_t count;
	size_t room;
	uint32_t serial;
};

void queue_init(struct queue *q);
void queue_fini(struct queue *q);
void queue_put(struct queue *q, uint64_t at_us, uint32_t kind, void *subject);
/* The earliest event. The queue is not empty. */
struct event queue_take(struct queue *q);

static inline uint64_t queue_next_us(const struct queue *q)
{
	return q->count ? q->heap[0].at_us : UINT64_MAX;
}
#endif
