/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the one clock of the shell: monotonic, so that no step of the wall clock touches a
 * timer. Read once a call-back and handed to the pure core.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
#endif
