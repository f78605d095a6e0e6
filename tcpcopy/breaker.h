/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * breaker.h - the circuit breaker: when the target's answers do not come back, SYNs would only pile up
 * half-open connections there. After BREAKER_SYNS without any answer for BREAKER_WAIT_US the copy
 * pauses: no new sessions, one SYN a second to try, until an answer comes.
 *
 * As long as no answer has ever come, the way out may be what is wrong: the sender's other backend gets
 * its chance before the pause, and in the pause both take turns. So the one that works is
 * found whenever the rest is mended, and where neither is to blame it ends as it began. Pure.
 */
#ifndef TCPCOPY_BREAKER_H
#define TCPCOPY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BREAKER_SYNS = 16,
	BREAKER_WAIT_US = 3000000,
	BREAKER_TRY_IP_US = 1500000, /* another sender gets its chance before the breaker opens */
	BREAKER_PROBE_US = 1000000,
	BREAKER_TURN_PROBES = 4, /* by one backend, then by the other */
	/* Between a probe and the change of backends: an answer is due to the one that asked. */
	BREAKER_CHANGE_US = BREAKER_PROBE_US / 2,
};

enum breaker_event {
	BREAKER_NOTHING,
	BREAKER_TRY_IP,
	BREAKER_TRY_LINK,   /* again: ip did no better */
	BREAKER_UNANSWERED, /* too few SYNs to pause for, but somebody should know */
	BREAKER_OPENED,
};

struct breaker {
	uint64_t first_unanswered_us; /* 0: all SYNs so far were answered */
	uint64_t next_probe_us;
	uint64_t change_us;  /* when the other backend has its turn; 0: not now */
	uint32_t unanswered; /* SYNs since the last answer, retransmissions included */
	bool is_open;
	bool was_told;     /* of a pause, and no answer has come since */
	bool was_answered; /* ever: then the sender is not to blame */
	bool tried_ip;
	bool is_by_ip;  /* whose turn it is, or who got the answer */
	uint8_t probes; /* in this turn */
	bool told_unanswered;
};

/* Whether a SYN may be sent now. */
bool breaker_may_send(const struct breaker *b, uint64_t now_us);
void breaker_on_syn(struct breaker *b, uint64_t now_us);
/* The target answered a SYN. True if that ends a pause. */
bool breaker_on_answer(struct breaker *b);
/* No answer could have come until now: that none did says nothing. */
void breaker_begin_anew(struct breaker *b);
/* What has become due; call until BREAKER_NOTHING. */
enum breaker_event breaker_check(struct breaker *b, uint64_t now_us);
/* When to check next; UINT64_MAX for never. */
uint64_t breaker_next_us(const struct breaker *b);
#endif
