/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/fault.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/alloc.h"

/* A name: kind 8 bits, leg 8, flow 24, number 24. */
static uint64_t name_of(enum fault kind, unsigned leg, uint32_t flow, uint32_t number)
{
	assert(flow < 1 << 24);
	return (uint64_t)kind << 56 | (uint64_t)leg << 48 | (uint64_t)flow << 24 |
	       (number & 0xffffff);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_allowed(const struct faults *f, uint64_t name)
{
	return !f->allowed || bsearch(&name, f->allowed->names, f->allowed->count,
				      sizeof(f->allowed->names[0]), compare);
}

static bool note(struct faults *f, uint64_t name)
{
	if (!is_allowed(f, name))
		return false;
	f->count += name >> 56 != FAULT_CONVERSATION;
	if (f->struck)
		fault_list_add(f->struck, name);
	return true;
}

bool fault_strikes(struct faults *f, enum fault kind, enum leg leg, uint32_t flow, uint32_t number)
{
	double rate = f->rates[leg][kind];
	uint64_t name;

	if (rate <= 0 || f->is_calm)
		return false;
	name = name_of(kind, leg, flow, number);
	if ((double)(rng_join(f->seed, name) >> 11) >= rate * 9007199254740992.0) /* 2^53 */
		return false;
	return note(f, name);
}

bool fault_takes_place(struct faults *f, enum fault kind, unsigned leg, uint32_t flow)
{
	return note(f, name_of(kind, leg, flow, 0));
}

uint64_t fault_extent(const struct faults *f, enum fault kind, enum leg leg, uint32_t flow,
		      uint32_t number)
{
	return rng_join(~f->seed, name_of(kind, leg, flow, number));
}

void fault_list_add(struct fault_list *l, uint64_t name)
{
	if (l->told) {
		if (l->count < l->room)
			l->names[l->count++] = name;
		*l->told = l->count;
		return;
	}
	if (l->count == l->room)
		l->names = sim_grow(l->names, &l->room, sizeof(l->names[0]));
	l->names[l->count++] = name;
}

void fault_list_sort(struct fault_list *l)
{
	if (l->count)
		qsort(l->names, l->count, sizeof(l->names[0]), compare);
}

void fault_list_fini(struct fault_list *l)
{
	free(l->names);
	*l = (struct fault_list){.names = NULL};
}

const char *leg_name(enum leg leg)
{
	static const char *const names[LEGS] = {
		[LEG_CLIENT] = "client", [LEG_SERVER] = "server",   [LEG_CAPTURE] = "capture",
		[LEG_TARGET] = "target", [LEG_ANSWERS] = "answers",
	};

	return names[leg];
}

void fault_print(char *text, size_t size, uint64_t name)
{
	static const char *const kinds[FAULTS] = {
		[FAULT_DROP] = "drop",
		[FAULT_BURST] = "burst",
		[FAULT_DUPLICATE] = "repeat",
		[FAULT_REORDER] = "reorder",
		[FAULT_CORRUPT] = "corrupt",
		[FAULT_TRUNCATE] = "truncate",
		[FAULT_FULL] = "sender full",
		[FAULT_LIE] = "lie",
		[FAULT_INCIDENT] = "incident",
		[FAULT_CONVERSATION] = "conversation",
		[FAULT_ALLOCATION] = "no memory",
		[FAULT_MISS] = "miss",
	};
	enum fault kind = (enum fault)(name >> 56);
	unsigned leg = name >> 48 & 0xff, flow = name >> 24 & 0xffffff, number = name & 0xffffff;

	if (kind == FAULT_CONVERSATION)
		snprintf(text, size, "conversation %u", flow);
	else if (kind == FAULT_INCIDENT)
		snprintf(text, size, "incident %u of kind %u", flow, leg);
	else
		snprintf(text, size, "%s packet %u of conversation %u, leg %s", kinds[kind], number,
			 flow, leg_name((enum leg)leg));
}
