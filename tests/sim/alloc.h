/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc.h - memory. The simulator's own never fails (there is nothing to be learned from that); what the
 * cores ask for while they run may be refused, which the linker makes possible (--wrap in Makefile.am).
 */
#ifndef TESTS_SIM_ALLOC_H
#define TESTS_SIM_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* All bytes 0. Never NULL: the program ends. */
void *sim_alloc(size_t bytes);
/* Doubles an array that is full; count is in elements. */
void *sim_grow(void *array, size_t *room, size_t element_bytes);

/* Whether the core's next allocation fails; NULL: none does. */
void alloc_set_judge(bool (*fails)(void *ctx), void *ctx);
/* Tells whether a core runs. Returns what it was. */
bool alloc_enter_core(bool is_inside);
#endif
