/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * step.h - what an input of fuzz_session is made of, and how it is mutated: whole steps.
 */
#ifndef TESTS_FUZZ_STEP_H
#define TESTS_FUZZ_STEP_H

#include <stdint.h>

#include "tests/fuzz/fuzz.h"

enum {
	STEP_LEN = 8,
	STEPS_MAX = 200,
};

/* The order decides what a byte means: new ones belong at the end. */
enum step_op {
	STEP_CLIENT_BEGINS,
	STEP_CLIENT_SYN,
	STEP_CLIENT_DATA,
	STEP_CLIENT_ACK,
	STEP_CLIENT_FIN,
	STEP_CLIENT_RST,
	STEP_SERVER,
	STEP_TARGET_ANSWERS,
	STEP_TIME,
	STEP_SENDER_ROOM,
	STEP_HOLD,
	STEP_LINKS,
	STEP_REFUSED,
	STEP_REGISTER_AGAIN,
	STEP_MTU,
	STEP_STRAY_RECORD,
	STEP_RECORD_ACK, /* from here to ALL_FLAGS as record_flags in fuzz_session.c */
	STEP_RECORD_DATA,
	STEP_RECORD_FIN,
	STEP_RECORD_RST,
	STEP_RECORD_RST_ACK,
	STEP_RECORD_SYN_ACK,
	STEP_RECORD_SYN,
	STEP_RECORD_NOTHING,
	STEP_RECORD_DATA_FIN,
	STEP_RECORD_ALL_FLAGS,
	STEP_NO_MEMORY,
	STEP_TOO_BIG,
	STEPS,
};

struct step {
	uint8_t op; /* enum step_op */
	uint8_t who;
	uint8_t x; /* which way */
	uint8_t y;
	uint16_t a;
	uint16_t b;
};

static inline struct step step_take(struct fuzz_input *in)
{
	struct step s;

	s.op = fuzz_u8(in);
	s.who = fuzz_u8(in);
	s.x = fuzz_u8(in);
	s.y = fuzz_u8(in);
	s.a = fuzz_u16(in);
	s.b = fuzz_u16(in);
	return s;
}
#endif
