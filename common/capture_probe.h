/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture_probe.h - how long the kernel holds a captured packet back. A ring is asked for a time, but kernels before Linux 6.18 round
 * that up to their tick; so it is measured, with a ring and frames of its own on the loopback device.
 */
#ifndef COMMON_CAPTURE_PROBE_H
#define COMMON_CAPTURE_PROBE_H

#include <stddef.h>
#include <stdint.h>

enum {
	CAPTURE_PROBE_MS = 60, /* no longer, besides opening and closing */
};

/*
 * Measures up to max times how many microseconds pass until a ring with this timeout hands a frame over that came just as it began to
 * wait: as long as it ever holds one back. Returns how often it could, in time; 0 if the loopback device is down, if this is
 * not permitted, or if no frame came.
 *
 * No frame leaves the host: they go to the loopback device alone, and have a type there which belongs to no protocol.
 */
size_t capture_probe(int timeout_ms, uint32_t *samples_us, size_t max);
#endif
