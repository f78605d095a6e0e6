/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * talk.h - what every client says and hears, as pure functions of its number: both what is captured
 * online and what the target's server must receive, byte by byte, follow from it.
 *
 * A session has as many turns as all others; its requests are of one length. A request is a head
 * that names session and turn, then a pattern of its place in the stream.
 */
#ifndef TESTS_KERNEL_TALK_H
#define TESTS_KERNEL_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TALK_HEAD_LEN = 32,
};

/* How a session differs from asking, answering, and the client's FIN at the end. */
enum talk_manner {
	TALK_PLAIN,
	TALK_LATE,              /* the target's server answers late */
	TALK_SLOW,              /* it reads slowly, into a small buffer */
	TALK_HALF_CLOSE,        /* half-way it ends its side, and reads on */
	TALK_CLOSE,             /* half-way it closes */
	TALK_CLIENT_HALF_CLOSE, /* the client's FIN is on its last request */
	TALK_CLIENT_RESET,      /* the client ends with a RST */
	TALK_MANNERS,
	TALK_MIXED, /* each session another one */
};

struct talk {
	uint64_t seed;
	uint32_t sessions;
	uint32_t turns;
	uint32_t upload_bytes; /* about so many after a request's head */
	uint32_t answer_bytes; /* about */
	enum talk_manner manner;
	bool differ;   /* the target's answers are longer or shorter than the online server's */
	bool is_whole; /* -O: what the target's server has ended is not gone on with */
};

/* What a request's head says. */
struct talk_head {
	uint32_t session;
	uint32_t turn;
};

/* -1 if there is none of this name; "mixed" is one. */
int talk_manner_by_name(const char *name);
const char *talk_manner_name(enum talk_manner manner);
enum talk_manner talk_manner_of(const struct talk *t, uint32_t session);

/* A number that session, turn and purpose choose. */
uint32_t talk_random(const struct talk *t, uint32_t session, uint32_t turn, uint32_t purpose);
uint32_t talk_request_bytes(const struct talk *t, uint32_t session);
uint32_t talk_online_answer_bytes(const struct talk *t, uint32_t session, uint32_t turn);
uint32_t talk_target_answer_bytes(const struct talk *t, uint32_t session, uint32_t turn);
/* After how many turns the target's server ends its side; turns if it does not. */
uint32_t talk_turns_answered(const struct talk *t, uint32_t session);
/* The turns that the server must receive. */
uint32_t talk_turns_wanted(const struct talk *t, uint32_t session);

/* The stream's bytes from off on. */
void talk_fill(const struct talk *t, uint32_t session, uint64_t off, uint8_t *buf,
	       size_t len_bytes);
/* 0, or -1 if these bytes are no head. */
int talk_read_head(const struct talk *t, struct talk_head *head,
		   const uint8_t bytes[TALK_HEAD_LEN]);
#endif
