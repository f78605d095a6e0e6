/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forger.h - one false record a session, as if intercept had reported it, with numbers that are
 * plausible: taken from what passes on the wire. It comes half-way through the session: with a
 * request under way, a moment later, or while nothing is.
 */
#ifndef TESTS_KERNEL_FORGER_H
#define TESTS_KERNEL_FORGER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"
#include "tests/kernel/flow.h"
#include "tests/kernel/talk.h"

enum forgery {
	FORGERY_DATA_LESS,  /* data that was never sent: less than the next answer will be, */
	FORGERY_DATA_EQUAL, /* as much, */
	FORGERY_DATA_MORE,  /* and more */
	FORGERY_FIN,
	FORGERY_FIN_DATA,
	FORGERY_ACK_AHEAD, /* a pure ACK from ahead of what was sent, closing the window */
	FORGERY_WINDOW,    /* closed, by an ACK that is right in all else */
	FORGERY_TIMESTAMP, /* far in the future */
	FORGERY_RESET,     /* inside of the window, not the very number */
	FORGERIES,
	FORGERY_ALL, /* each session another one */
	FORGERY_NONE,
};

struct forger_config {
	const struct talk *talk; /* borrowed */
	enum forgery forgery;
	bool may_acknowledge_all; /* what is under way, every second one: fair only if it will arrive */
};

struct forger;

/* -1 if there is none of this name; "all" is one. */
int forgery_by_name(const char *name);
const char *forgery_name(enum forgery forgery);

struct forger *forger_new(const struct forger_config *config);
void forger_free(struct forger *f);
enum forgery forger_forgery_of(const struct forger *f, uint32_t session);
/* The engine has sent this flow's bytes: its time may have come. */
void forger_on_sent(struct forger *f, const struct flow *flow, uint64_t now_us);
/* A record to be reported now; false if there is none. */
bool forger_next(struct forger *f, struct flows *flows, struct wire_record *record,
		 uint64_t now_us);
uint64_t forger_next_us(const struct forger *f);
/* When the session was told its lie; 0: not yet. */
uint64_t forger_done_us(const struct forger *f, uint32_t session);
#endif
