/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/sampling.h"

#include <string.h>

/* Part of what users rely on: another key is another sample. */
static const struct hash_key sample_key = {0x7463706370797361, 0x6d706c65206b6579};

void sampling_begin(struct sampling *s, uint64_t now_us)
{
	if (s->has_begun)
		return;
	s->has_begun = true;
	s->begun_us = now_us;
}

uint32_t sampling_share_ppm(const struct sampling *s, uint64_t now_us)
{
	uint32_t first = SAMPLING_RAMP_FIRST_PPM;
	uint64_t passed_us;

	if (!s->ramp_us || s->share_ppm <= first)
		return s->share_ppm;
	if (!s->has_begun)
		return first;
	passed_us = now_us - s->begun_us;
	if (passed_us >= s->ramp_us)
		return s->share_ppm;
	/* In milliseconds, or the product could overflow for a ramp of weeks. */
	return first +
	       (uint32_t)((s->share_ppm - first) * (passed_us / 1000) / (s->ramp_us / 1000 + 1));
}

uint32_t sampling_place_ppm(const struct endpoint *client, bool by_client)
{
	uint8_t bytes[sizeof(client->addr.b) + 2];
	size_t len = sizeof(client->addr.b);
	uint64_t hash;

	memcpy(bytes, client->addr.b, len);
	if (!by_client) {
		bytes[len++] = (uint8_t)(client->port >> 8);
		bytes[len++] = (uint8_t)client->port;
	}
	hash = hash_bytes(&sample_key, bytes, len);
	return (uint32_t)((hash >> 32) * SAMPLING_ALL_PPM >> 32);
}

bool sampling_takes(const struct sampling *s, const struct endpoint *client, uint64_t now_us)
{
	uint32_t share_ppm = sampling_share_ppm(s, now_us);

	return share_ppm >= SAMPLING_ALL_PPM ||
	       sampling_place_ppm(client, s->by_client) < share_ppm;
}
