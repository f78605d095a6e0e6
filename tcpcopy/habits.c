/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/habits.h"

bool habits_on_brief(struct habits *h, bool is_joined)
{
	if (!is_joined)
		h->brief_wholes = true;
	else if (h->brief_joins < HABITS_BRIEF_JOINS_MAX)
		h->brief_joins++;
	return h->brief_joins == HABITS_BRIEF_JOINS_MAX && !h->brief_wholes &&
	       habits_tell(h, HABITS_TOLD_BRIEF_JOINS);
}

void habits_on_whole_reset(struct habits *h)
{
	if (h->whole_resets < HABITS_RESETS)
		h->whole_resets++;
}

bool habits_resets_all(const struct habits *h)
{
	return h->whole_resets >= HABITS_RESETS;
}

bool habits_on_mute_end(struct habits *h)
{
	return ++h->mute_ends >= HABITS_MUTE_MAX && habits_tell(h, HABITS_TOLD_MUTE);
}

bool habits_tell(struct habits *h, enum habits_told what)
{
	bool is_new = !(h->told & what);

	h->told |= (uint8_t)what;
	return is_new;
}
