/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/capture_latency.h"

#include <stdlib.h>

#include "common/text.h"

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

uint32_t capture_latency_of(uint32_t *samples_us, size_t count)
{
	if (!count)
		return 0;
	qsort(samples_us, count, sizeof(*samples_us), compare);
	return samples_us[count / 2];
}

bool capture_latency_is_long(uint32_t latency_us)
{
	return latency_us > CAPTURE_LATENCY_FINE_US;
}

const char *capture_latency_text(char *buf, size_t size, uint32_t latency_us, int asked_ms)
{
	struct text t = text_in(buf, size);
	unsigned tenths = (latency_us + 50) / 100; /* of a millisecond */

	text_say(&t, "captured packets are handed over after %u.%u ms at most (measured)",
		 tenths / 10, tenths % 10);
	if (capture_latency_is_long(latency_us))
		text_say(
			&t,
			", not after %d: kernels before Linux 6.18 round this time up to their "
			"tick. The copy is so much later, and nothing is lost; clients must pause "
			"for as much longer before a connection of theirs is joined behind a large "
			"segment. Linux 6.18, or a kernel with CONFIG_HZ=1000, holds them back for "
			"less",
			asked_ms);
	return buf;
}
