/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture_latency.h - how long the kernel holds captured packets back, from what a probe has seen, and the sentence that says what that
 * means. Text and numbers only. Pure.
 */
#ifndef TCPCOPY_CAPTURE_LATENCY_H
#define TCPCOPY_CAPTURE_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* The most that is asked for, and a tick of a millisecond that it is rounded up by. */
	CAPTURE_LATENCY_FINE_US = 4500,
	CAPTURE_LATENCY_TEXT_MAX = 512,
};

/*
 * The median, as some samples are longer or shorter because the probe had to wait for a processor. Sorts them. 0 if there are
 * none: not known.
 */
uint32_t capture_latency_of(uint32_t *samples_us, size_t count);
/* Whether it matters. */
bool capture_latency_is_long(uint32_t latency_us);
/* One sentence if it does not matter, otherwise also what it means and what helps. asked_ms: of the kernel. Returns buf. */
const char *capture_latency_text(char *buf, size_t size, uint32_t latency_us, int asked_ms);
#endif
