/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pace.h - which wake-ups a worker can do without. Being woken costs as much as some packets. Under load the
 * captures wake it every millisecond anyway: then what the links bring and what timers ask for is
 * looked at in these turns, and wakes nobody of its own accord. Pure: no clock, no descriptor.
 */
#ifndef TCPCOPY_PACE_H
#define TCPCOPY_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* The end of a steady time is noticed so late. */
	PACE_PATIENCE_US = 10000,
};

struct pace {
	uint64_t block_us;    /* the captures' timeout */
	uint64_t captured_us; /* 0: never */
	bool is_steady;
};

/* The captures hand over what they have at most every block_us. */
static inline void pace_init(struct pace *p, uint64_t block_us)
{
	*p = (struct pace){.block_us = block_us};
}

/* Captured packets woke the worker. now_us is monotonic. */
static inline void pace_on_capture(struct pace *p, uint64_t now_us)
{
	p->is_steady = p->captured_us && now_us - p->captured_us <= 5 * p->block_us / 2;
	p->captured_us = now_us;
}

/* Whether captured packets are sure to wake the worker soon, or the time to notice that they do not has not come. */
static inline bool pace_is_steady(const struct pace *p, uint64_t now_us)
{
	return p->is_steady && now_us < p->captured_us + PACE_PATIENCE_US;
}

/*
 * When to wake a worker that lets all else wait for captured packets, something being due at due_us: at once if that is what a
 * turn has left over, otherwise when the steady time is over, in case nothing is captured any more. Then
 * something may have come that nobody has looked at, whatever is due.
 */
static inline uint64_t pace_wake_us(const struct pace *p, uint64_t due_us, uint64_t now_us)
{
	return due_us <= now_us ? due_us : p->captured_us + PACE_PATIENCE_US;
}
#endif
