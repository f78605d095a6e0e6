/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/talk.h"

#include <stdio.h>
#include <string.h>

enum purpose {
	FOR_REQUEST,
	FOR_ANSWER,
	FOR_DIFFERENCE,
};

static const char *const manner_names[TALK_MANNERS] = {
	[TALK_PLAIN] = "plain",
	[TALK_LATE] = "late",
	[TALK_SLOW] = "slow",
	[TALK_HALF_CLOSE] = "half-close",
	[TALK_CLOSE] = "close",
	[TALK_CLIENT_HALF_CLOSE] = "client-half-close",
	[TALK_CLIENT_RESET] = "client-reset",
};

const char *talk_manner_name(enum talk_manner manner)
{
	return manner < TALK_MANNERS ? manner_names[manner] : "mixed";
}

int talk_manner_by_name(const char *name)
{
	for (int i = 0; i < TALK_MANNERS; i++)
		if (strcmp(name, manner_names[i]) == 0)
			return i;
	return strcmp(name, "mixed") == 0 ? TALK_MIXED : -1;
}

enum talk_manner talk_manner_of(const struct talk *t, uint32_t session)
{
	return t->manner == TALK_MIXED ? (enum talk_manner)(session % TALK_MANNERS) : t->manner;
}

/* The finalizer of MurmurHash3: every bit of the input counts. */
uint32_t talk_random(const struct talk *t, uint32_t session, uint32_t turn, uint32_t purpose)
{
	uint64_t x = t->seed * UINT64_C(0x9e3779b97f4a7c15) + session;

	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd) + turn;
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53) + purpose;
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(x >> 32);
}

/* From half of about to one and a half. */
static uint32_t vary(uint32_t about, uint32_t random)
{
	return about / 2 + (about ? random % (about + 1) : 0);
}

uint32_t talk_request_bytes(const struct talk *t, uint32_t session)
{
	return TALK_HEAD_LEN + vary(t->upload_bytes, talk_random(t, session, 0, FOR_REQUEST));
}

uint32_t talk_online_answer_bytes(const struct talk *t, uint32_t session, uint32_t turn)
{
	return 1 + vary(t->answer_bytes, talk_random(t, session, turn, FOR_ANSWER));
}

uint32_t talk_target_answer_bytes(const struct talk *t, uint32_t session, uint32_t turn)
{
	uint32_t bytes = talk_online_answer_bytes(t, session, turn);

	if (!t->differ)
		return bytes;
	switch (talk_random(t, session, turn, FOR_DIFFERENCE) % 3) {
	case 0:
		return bytes;
	case 1:
		return bytes * 2;
	default:
		return (bytes + 1) / 2;
	}
}

uint32_t talk_turns_answered(const struct talk *t, uint32_t session)
{
	enum talk_manner manner = talk_manner_of(t, session);

	return manner == TALK_HALF_CLOSE || manner == TALK_CLOSE ? (t->turns + 1) / 2 : t->turns;
}

uint32_t talk_turns_wanted(const struct talk *t, uint32_t session)
{
	return t->is_whole && talk_manner_of(t, session) == TALK_CLOSE
		       ? talk_turns_answered(t, session)
		       : t->turns;
}

static uint8_t pattern(uint32_t session, uint64_t off)
{
	return (uint8_t)(off * 7 + (off >> 8) * 3 + (off >> 16) * 5 + session * 13);
}

void talk_fill(const struct talk *t, uint32_t session, uint64_t off, uint8_t *buf, size_t len_bytes)
{
	uint32_t request = talk_request_bytes(t, session);
	char head[TALK_HEAD_LEN + 1] = "";
	uint64_t head_turn = UINT64_MAX;

	for (size_t i = 0; i < len_bytes; i++) {
		uint64_t turn = (off + i) / request;
		uint64_t at = (off + i) % request;

		if (at >= TALK_HEAD_LEN) {
			buf[i] = pattern(session, off + i);
			continue;
		}
		if (turn != head_turn)
			snprintf(head, sizeof(head), "session %08x turn %08x.\n", session,
				 (unsigned)turn);
		head_turn = turn;
		buf[i] = (uint8_t)head[at];
	}
}

int talk_read_head(const struct talk *t, struct talk_head *head, const uint8_t bytes[TALK_HEAD_LEN])
{
	char text[TALK_HEAD_LEN + 1] = "";

	memcpy(text, bytes, TALK_HEAD_LEN);
	if (sscanf(text, "session %8x turn %8x.", &head->session, &head->turn) != 2)
		return -1;
	return head->session < t->sessions && head->turn < t->turns ? 0 : -1;
}
