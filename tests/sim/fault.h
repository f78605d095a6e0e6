/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.h - whether a fault strikes. Each decision has a name of its own: what kind, on which leg, whose, and
 * the how-manieth of that owner. The seed and the name alone decide, so what happens to one
 * conversation does not depend on the others, and a decision can be taken back: a run may be
 * given the list of the faults that are allowed, and a shorter list tried (minimize.h).
 */
#ifndef TESTS_SIM_FAULT_H
#define TESTS_SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/rng.h"

/* The ways that packets go. */
enum leg {
	LEG_CLIENT,  /* client -> online server */
	LEG_SERVER,  /* online server -> client */
	LEG_CAPTURE, /* online host -> replay */
	LEG_TARGET,  /* replay -> target */
	LEG_ANSWERS, /* target -> intercept */
	LEGS,
};

enum fault {
	FAULT_DROP,
	FAULT_BURST, /* this packet and some after it are lost */
	FAULT_DUPLICATE,
	FAULT_REORDER,
	FAULT_CORRUPT,
	FAULT_TRUNCATE,
	FAULT_FULL,         /* the sender takes nothing */
	FAULT_LIE,          /* a record reaches replay with other fields */
	FAULT_INCIDENT,     /* one of incident.h; leg is its kind */
	FAULT_CONVERSATION, /* no fault: this conversation takes place */
	FAULT_ALLOCATION,   /* malloc fails */
	FAULT_MISS,         /* the capture misses a client's SYN or data */
	FAULTS,
};

struct fault_list {
	uint64_t *names;
	size_t count;
	size_t room;
	size_t *told; /* if set, names is memory of a fixed size, and the count is said here too */
};

struct faults {
	uint64_t seed;
	double rates[LEGS][FAULTS];
	bool is_calm;                     /* the load has ended: nothing strikes any more */
	const struct fault_list *allowed; /* sorted; NULL: all. Borrowed */
	struct fault_list *struck; /* those that struck are added; NULL: not wanted. Borrowed */
	uint64_t count;
};

bool fault_strikes(struct faults *f, enum fault kind, enum leg leg, uint32_t flow, uint32_t number);
/* Of a conversation or incident, which does not end with the load. */
bool fault_takes_place(struct faults *f, enum fault kind, unsigned leg, uint32_t flow);
/* A number for the extent of a fault, by the same name. */
uint64_t fault_extent(const struct faults *f, enum fault kind, enum leg leg, uint32_t flow,
		      uint32_t number);

void fault_list_add(struct fault_list *l, uint64_t name);
void fault_list_sort(struct fault_list *l);
void fault_list_fini(struct fault_list *l);
/* "drop #12 of conversation 7, leg target" */
void fault_print(char *text, size_t size, uint64_t name);
const char *leg_name(enum leg leg);
#endif
