/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/path_mtu.h"

#include <stddef.h>

/* RFC 1191, section 7.1: the sizes that links have. */
static const uint16_t plateaus[] = {65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508};

/* What is tried without a hint, few for each costs a timeout: Ethernet behind jumbo frames, tunnels, IPv6's least, the floor. */
static const uint16_t ladder[] = {1500, 1400, 1280, PATH_MTU_MIN_V4};

static int least(bool is_v4)
{
	return is_v4 ? PATH_MTU_MIN_V4 : PATH_MTU_MIN_V6;
}

/* The largest of the sizes (in falling order) below than_bytes, or 0. */
static int next_below(const uint16_t *sizes, size_t count, int than_bytes)
{
	for (size_t i = 0; i < count; i++)
		if (sizes[i] < than_bytes)
			return sizes[i];
	return 0;
}

/*
 * An old router: the next usual size below that of the packet. For one that was sent before a message like this
 * came, that is no news.
 */
static int guess(const struct wire_path_mtu *m)
{
	int len = m->len_bytes < UINT16_MAX ? (int)m->len_bytes : UINT16_MAX;

	return next_below(plateaus, sizeof(plateaus) / sizeof(plateaus[0]), len);
}

int path_mtu_said(const struct wire_path_mtu *m, bool is_v4, int used_bytes)
{
	int bytes;

	if (m->mtu_bytes >= (uint32_t)used_bytes)
		return 0;
	bytes = m->mtu_bytes == 0 && is_v4 ? guess(m) : (int)m->mtu_bytes;
	if (bytes < (is_v4 ? PATH_MTU_LEAST_V4 : PATH_MTU_MIN_V6))
		return 0;
	if (bytes < least(is_v4))
		bytes = least(is_v4);
	return bytes < used_bytes ? bytes : 0;
}

bool path_mtu_learn(struct path_mtu *p, int bytes, uint64_t now_us)
{
	bool is_news;

	if (!path_mtu_is_known(p, now_us) || bytes < p->bytes)
		p->bytes = (uint16_t)bytes;
	p->learned_us = now_us;
	p->votes = 0;
	is_news = p->told_bytes != p->bytes;
	p->told_bytes = p->bytes;
	return is_news;
}

/* First what got through just now, or what was learned before. */
int path_mtu_smaller(const struct path_mtu *p, bool is_v4, int than_bytes)
{
	int bytes;

	if (p->votes && p->voted_bytes < than_bytes)
		return p->voted_bytes;
	if (than_bytes > ladder[1] && p->bytes && p->bytes < than_bytes)
		return p->bytes;
	bytes = next_below(ladder, sizeof(ladder) / sizeof(ladder[0]), than_bytes);
	return bytes < least(is_v4) ? 0 : bytes;
}

static bool was_carried(const struct path_mtu *p, int bytes, uint64_t now_us)
{
	return p->carried_bytes >= bytes && now_us - p->carried_us < PATH_MTU_CARRIED_US;
}

void path_mtu_on_carried(struct path_mtu *p, int bytes, uint64_t now_us)
{
	if (bytes >= p->lost_bytes)
		p->votes = 0;
	if (was_carried(p, bytes + 1, now_us))
		return; /* a larger one says more */
	p->carried_bytes = (uint16_t)bytes;
	p->carried_us = now_us;
}

bool path_mtu_on_smaller_only(struct path_mtu *p, int smaller_bytes, int larger_bytes,
			      uint64_t now_us)
{
	if (!p->votes || smaller_bytes < p->voted_bytes)
		p->voted_bytes = (uint16_t)smaller_bytes;
	if (!p->votes || larger_bytes < p->lost_bytes)
		p->lost_bytes = (uint16_t)larger_bytes;
	if (p->votes < PATH_MTU_VOTES_MANY)
		p->votes++;
	if (p->votes == PATH_MTU_VOTES_MANY)
		return true;
	return p->votes >= PATH_MTU_VOTES && !was_carried(p, p->lost_bytes, now_us);
}
