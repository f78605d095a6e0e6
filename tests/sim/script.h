/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * script.h - what one conversation is going to be: who says how many bytes after what, how it ends,
 * and the client's very bytes. All of it follows from the seed and the number of the conversation, so
 * the client, both servers and the oracles know it without telling each other.
 *
 * The client's stream is its requests one after the other. A request of at least SCRIPT_HEADER_LEN
 * bytes begins with a header that names conversation, turn and length: the request's unique id. All other
 * bytes are noise that is different everywhere, so a byte out of its place shows.
 */
#ifndef TESTS_SIM_SCRIPT_H
#define TESTS_SIM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/rng.h"

enum {
	SCRIPT_TURNS_MAX = 32,
	SCRIPT_HEADER_LEN = 12,
	SCRIPT_WRITE_MAX = 8192, /* the client's application writes so much at once */
};

/* What may occur; a profile is a set of these bits. */
enum script_trait {
	TRAIT_PIPELINED = 1 << 0,     /* requests that do not wait for answers */
	TRAIT_GREETING = 1 << 1,      /* the server speaks first */
	TRAIT_PUSH = 1 << 2,          /* the server speaks unasked later on */
	TRAIT_UPLOAD = 1 << 3,        /* large requests */
	TRAIT_LONG_POLL = 1 << 4,     /* answers after seconds */
	TRAIT_CONTINUE = 1 << 5,      /* header, interim answer, body, answer */
	TRAIT_PAUSED = 1 << 6,        /* answers in two parts */
	TRAIT_HALF_CLOSE = 1 << 7,    /* FIN right behind the last request */
	TRAIT_SERVER_FIN = 1 << 8,    /* the online server closes first */
	TRAIT_RESETS = 1 << 9,        /* client or online server end by RST */
	TRAIT_EARLY_RESET = 1 << 10,  /* the client resets in the middle of an answer */
	TRAIT_SILENCE = 1 << 11,      /* the client vanishes */
	TRAIT_OTHER_LENGTH = 1 << 12, /* the target answers with more or fewer bytes */
	TRAIT_OTHER_TIMES = 1 << 13,  /* the target takes more time than the online server */
	TRAIT_MISSING = 1 << 14,      /* the target leaves a request unanswered */
	TRAIT_TARGET_CLOSES = 1 << 15,
	TRAIT_TARGET_RESETS = 1 << 16,
	TRAIT_REFUSED = 1 << 17, /* the online server refuses the connection */
	TRAIT_SLOW_READER = 1 << 18,
	TRAIT_SMALL_WINDOW = 1 << 19, /* at the target */
	TRAIT_PRECONNECTED =
		1 << 20, /* clients that connect long before they speak, and rest in between */
	TRAIT_SYN_ONLY = 1 << 21, /* a flood */
};

enum script_end {
	END_CLIENT_FIN,
	END_SERVER_FIN,
	END_HALF_CLOSE,
	END_CLIENT_RST,
	END_CLIENT_RST_EARLY,
	END_SERVER_RST,
	END_SILENCE,
	END_REFUSED,
	END_SYN_ONLY,
	SCRIPT_ENDS,
};

/* A request and its answer; no request: the server speaks unasked after the turn before. */
struct script_turn {
	uint32_t start; /* offset in the client's stream */
	uint32_t request_bytes;
	uint32_t answer_bytes; /* of the online server */
	uint32_t target_bytes; /* of the target; 0 with an online answer: it is missing there */
	uint32_t think_us;     /* the client, before it speaks */
	uint32_t server_us;    /* the online server, before it answers */
	uint32_t target_us;
	uint32_t pause_us; /* in the middle of the answer */
	bool is_pipelined; /* said without waiting for anything before */
};

struct script {
	uint32_t conversation;
	uint32_t salt; /* where its noise begins */
	uint32_t turn_count;
	uint32_t length_bytes;    /* of the client's stream */
	uint32_t end_after_bytes; /* END_CLIENT_RST_EARLY: so many bytes of the last answer */
	uint32_t target_window;   /* bytes; 0: the default */
	uint16_t target_turns;    /* the target closes or resets after so many answers; 0: never */
	uint8_t end;              /* enum script_end */
	bool target_resets;
	bool reads_slowly; /* both servers */
	bool is_identical; /* the target answers as the online server does */
	bool overlaps; /* requests and answers cross, or seem to: it pipelines, the server speaks unasked,
			  a request takes several writes */
	struct script_turn *turns; /* owned */
};

struct script_profile {
	uint32_t traits;   /* enum script_trait */
	uint32_t requests; /* 0: any; otherwise so many, a packet each, and no traits */
	uint32_t turns_max;
	uint32_t request_max_bytes;
	uint32_t answer_max_bytes;
	uint32_t think_max_us;
};

void script_init(struct script *s, const struct script_profile *profile, uint64_t seed,
		 uint32_t conversation);
/* A short request, the target's answer to which takes seconds, and behind it one of so many bytes. */
void script_init_bulk(struct script *s, uint64_t seed, uint32_t conversation, uint32_t bytes);
void script_fini(struct script *s);

/* The client's bytes [off, off + len). */
void script_copy(const struct script *s, uint32_t off, uint32_t len, uint8_t *to);
/* Whether data is what the stream holds at off. */
bool script_matches(const struct script *s, uint32_t off, const uint8_t *data, uint32_t len);
/* The turn whose request holds the byte at off; the first that begins there. */
uint32_t script_turn_at(const struct script *s, uint32_t off);
/* Answer bytes of the online server that the client has seen when it says this turn. */
uint64_t script_seen_before(const struct script *s, uint32_t turn);
/* Reads a request's header. False if that is none. */
bool script_read_header(const uint8_t *data, uint32_t len, uint32_t *conversation, uint32_t *turn);
/* Noise for everybody who needs bytes: at least len (at most 65521) from any place on. */
const uint8_t *script_noise(uint32_t place);
#endif
