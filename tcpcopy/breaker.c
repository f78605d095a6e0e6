/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/breaker.h"

bool breaker_may_send(const struct breaker *b, uint64_t now_us)
{
	return !b->is_open || now_us >= b->next_probe_us;
}

void breaker_on_syn(struct breaker *b, uint64_t now_us)
{
	if (!b->first_unanswered_us)
		b->first_unanswered_us = now_us;
	b->unanswered++;
	b->next_probe_us = now_us + BREAKER_PROBE_US;
	if (b->is_open && b->tried_ip && !b->was_answered && ++b->probes == BREAKER_TURN_PROBES)
		b->change_us = now_us + BREAKER_CHANGE_US;
}

bool breaker_on_answer(struct breaker *b)
{
	bool was_told = b->was_told;

	breaker_begin_anew(b);
	b->was_answered = true;
	b->was_told = false;
	return was_told;
}

void breaker_begin_anew(struct breaker *b)
{
	b->first_unanswered_us = 0;
	b->unanswered = 0;
	b->is_open = false;
	b->told_unanswered = false;
	b->change_us = 0;
	b->probes = 0;
}

static enum breaker_event other_backend(struct breaker *b)
{
	b->change_us = 0;
	b->probes = 0;
	b->is_by_ip = !b->is_by_ip;
	return b->is_by_ip ? BREAKER_TRY_IP : BREAKER_TRY_LINK;
}

enum breaker_event breaker_check(struct breaker *b, uint64_t now_us)
{
	uint64_t waited_us;

	if (b->change_us && now_us >= b->change_us)
		return other_backend(b);
	if (!b->first_unanswered_us || b->is_open)
		return BREAKER_NOTHING;
	waited_us = now_us - b->first_unanswered_us;
	if (!b->tried_ip && !b->was_answered && b->unanswered >= BREAKER_SYNS &&
	    waited_us >= BREAKER_TRY_IP_US) {
		b->tried_ip = true;
		return other_backend(b);
	}
	if (waited_us < BREAKER_WAIT_US)
		return BREAKER_NOTHING;
	if (b->unanswered >= BREAKER_SYNS) {
		b->is_open = true;
		b->was_told = true;
		b->next_probe_us = now_us + BREAKER_PROBE_US;
		if (b->is_by_ip && !b->was_answered)
			b->change_us = now_us + BREAKER_CHANGE_US;
		return BREAKER_OPENED;
	}
	if (!b->told_unanswered) {
		b->told_unanswered = true;
		return BREAKER_UNANSWERED;
	}
	return BREAKER_NOTHING;
}

uint64_t breaker_next_us(const struct breaker *b)
{
	if (b->change_us)
		return b->change_us;
	if (!b->first_unanswered_us || b->is_open)
		return UINT64_MAX;
	if (!b->tried_ip && !b->was_answered && b->unanswered >= BREAKER_SYNS)
		return b->first_unanswered_us + BREAKER_TRY_IP_US;
	if (b->told_unanswered && b->unanswered < BREAKER_SYNS)
		return UINT64_MAX; /* the SYN that makes them enough is followed by a check */
	return b->first_unanswered_us + BREAKER_WAIT_US;
}
