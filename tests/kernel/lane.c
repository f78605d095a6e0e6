/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/lane.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void lane_init(struct lane *l, const struct lane_faults *faults, uint64_t seed)
{
	*l = (struct lane){.faults = *faults, .random = seed * 2 + 1};
	l->prompt_tail = &l->prompt;
}

static void free_list(struct lane_packet *p)
{
	while (p) {
		struct lane_packet *next = p->next;

		free(p);
		p = next;
	}
}

void lane_fini(struct lane *l)
{
	free_list(l->prompt);
	free_list(l->late);
}

/* SplitMix64. */
static uint64_t next_random(struct lane *l)
{
	uint64_t x = l->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool happens(struct lane *l, double share)
{
	return (double)(next_random(l) >> 11) * 0x1p-53 < share;
}

static struct lane_packet *copy_of(const uint8_t *data, size_t len_bytes)
{
	struct lane_packet *p = malloc(sizeof(*p) + len_bytes);

	if (!p)
		abort();
	p->next = NULL;
	p->len_bytes = len_bytes;
	memcpy(p->data, data, len_bytes);
	return p;
}

static void put_prompt(struct lane *l, struct lane_packet *p, uint64_t now_us)
{
	p->due_us = now_us;
	*l->prompt_tail = p;
	l->prompt_tail = &p->next;
}

static void put_late(struct lane *l, struct lane_packet *p, uint64_t now_us)
{
	struct lane_packet **at = &l->late;

	p->due_us =
		now_us + LANE_LATE_MIN_US + next_random(l) % (LANE_LATE_MAX_US - LANE_LATE_MIN_US);
	while (*at && (*at)->due_us <= p->due_us)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
}

void lane_put(struct lane *l, const uint8_t *data, size_t len_bytes, uint64_t now_us)
{
	l->packets++;
	if (happens(l, l->faults.dup)) {
		l->doubled++;
		put_late(l, copy_of(data, len_bytes), now_us);
	}
	if (happens(l, l->faults.loss)) {
		l->lost++;
	} else if (happens(l, l->faults.reorder)) {
		l->delayed++;
		put_late(l, copy_of(data, len_bytes), now_us);
	} else {
		put_prompt(l, copy_of(data, len_bytes), now_us);
	}
}

struct lane_packet *lane_take(struct lane *l, uint64_t now_us)
{
	struct lane_packet *p = l->late;

	if (p && p->due_us <= now_us) {
		l->late = p->next;
		return p;
	}
	p = l->prompt;
	if (!p)
		return NULL;
	l->prompt = p->next;
	if (!l->prompt)
		l->prompt_tail = &l->prompt;
	return p;
}

uint64_t lane_next_us(const struct lane *l)
{
	if (l->prompt)
		return 0;
	return l->late ? l->late->due_us : UINT64_MAX;
}
