/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * habits.h - what all sessions together have learned of a target: whether it takes connections in their middle, whether it
 * ends them without a word. One session alone could not tell a refusal from an accident. Pure.
 */
#ifndef TCPCOPY_HABITS_H
#define TCPCOPY_HABITS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	HABITS_TURNS =
		4, /* turns said: then the target has answered three (a greeting and an error are two) */
	HABITS_AGE_US = 1000000,     /* and so old: then it keeps the connection */
	HABITS_MUTE_MAX = 16,        /* ends in a row without a byte: told */
	HABITS_BRIEF_JOINS_MAX = 16, /* joined connections in a row of one turn each: told */
	HABITS_RESETS =
		3, /* of whole connections, of which none was kept in between: it is the target's manner */
};

/* What has been told of this target, so that it is told once. */
enum habits_told {
	HABITS_TOLD_REFUSED = 1 << 0,
	HABITS_TOLD_MUTE = 1 << 1,
	HABITS_TOLD_ENCRYPTED = 1 << 2,
	HABITS_TOLD_JOIN_REFUSED = 1 << 3,
	HABITS_TOLD_BRIEF_JOINS = 1 << 4,
	HABITS_TOLD_FAKED_CLIENT = 1 << 5,
};

struct habits {
	uint32_t mute_ends;  /* in a row, of whole connections */
	uint8_t told;        /* enum habits_told */
	uint64_t slowest_us; /* for the first byte of an answer, so far */
	uint64_t
		upset_us; /* when it last ended a connection that it had kept, or refused one: it may have been restarted */
	uint8_t whole_resets; /* of young connections that it had from their beginning and had answered, in a row, up to HABITS_RESETS */
	uint8_t brief_joins;  /* that it closed young, behind its first answer, in a row */
	bool brief_wholes; /* it does so with those that begin here, too: it keeps nothing alive */
	bool keeps_whole;  /* a connection with its beginning has lived on */
	bool keeps_joined; /* and one without */
};

/* The target has answered HABITS_TURNS - 1 turns of a session that is HABITS_AGE_US old, and has not closed. */
static inline void habits_on_kept(struct habits *h, bool is_joined)
{
	if (is_joined) {
		h->keeps_joined = true;
		h->brief_joins = 0;
	} else {
		h->keeps_whole = true;
		h->whole_resets = 0;
	}
}

/* It has answered a connection that it had from its beginning, and reset it when that was young. */
void habits_on_whole_reset(struct habits *h);
/* It has answered the first turn of a young connection, and closed it. True if that must be told now. */
bool habits_on_brief(struct habits *h, bool is_joined);
/* Whoever it resets, it does not do so for want of a beginning. */
bool habits_resets_all(const struct habits *h);
/* It took so long for the first byte of an answer. */
static inline void habits_on_first_byte(struct habits *h, uint64_t us)
{
	if (us > h->slowest_us)
		h->slowest_us = us;
}

/* The target has answered something. If it had been mute, what it has refused says nothing. */
static inline void habits_on_answer(struct habits *h, uint64_t now_us)
{
	if (h->mute_ends)
		h->upset_us = now_us;
	h->mute_ends = 0;
}

/* It ended a connection that it had from its beginning, and to which it had not said a byte. True if that must be told now. */
bool habits_on_mute_end(struct habits *h);
/* True the first time. */
bool habits_tell(struct habits *h, enum habits_told what);
#endif
