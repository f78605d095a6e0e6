/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * minimize.h - of a failing run the few conversations and faults that it takes: delta debugging
 * (Zeller and Hildebrandt, 2002) over the names of fault.h. Each try is a process of its own, so an
 * assertion of the core counts as a failure like any other.
 */
#ifndef TESTS_SIM_MINIMIZE_H
#define TESTS_SIM_MINIMIZE_H

#include "tests/sim/options.h"

/* Prints what is left and its trace. Returns the exit status: 0 if the run does not fail. */
int minimize(const struct options *o);
#endif
