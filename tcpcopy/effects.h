/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * effects.h - the one table through which the pure core acts on the world. The worker fills it
 * with sockets, tests with recorders.
 */
#ifndef TCPCOPY_EFFECTS_H
#define TCPCOPY_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"

enum replay_notice {
	REPLAY_NOTICE_UNANSWERED, /* SYNs have gone unanswered for 3 s, too few to pause for */
	REPLAY_NOTICE_PAUSED,     /* the circuit breaker opened: 16 SYNs unanswered for 3 s */
	REPLAY_NOTICE_RESUMED,    /* an answer came: it closed again */
	REPLAY_NOTICE_TRY_IP,     /* the first 16 SYNs are unanswered: another sender might do */
	REPLAY_NOTICE_TRY_LINK,   /* that one does no better: the first one again */
	REPLAY_NOTICE_REFUSED,    /* the target answers SYNs with RST */
	REPLAY_NOTICE_TABLE_FULL, /* sessions at their limit, new ones are shed */
	REPLAY_NOTICE_MEMORY,     /* -m is reached: the largest backlogs are shed */
	REPLAY_NOTICE_MUTE,       /* the target has ended 16 connections in a row without a byte */
	REPLAY_NOTICE_ENCRYPTED,  /* clients speak TLS */
	REPLAY_NOTICE_FAKED_CLIENT, /* a client has an address of -c or -H */
	REPLAY_NOTICE_JOIN_REFUSED, /* the target takes no connection in its middle */
	REPLAY_NOTICE_SYNS_ONLY,    /* the target answers SYNs and hears nothing of what follows */
	REPLAY_NOTICE_BRIEF_JOINS,  /* it closes each such connection behind its first answer */
	REPLAY_NOTICE_FRAGMENT,     /* a client's packet came in fragments; at most once */
	REPLAY_NOTICE_CUT,          /* the mirror cuts packets short */
	REPLAY_NOTICE_MIRROR_FRAGMENTS, /* what the mirror sends comes in fragments */
	REPLAY_NOTICE_PATH_MTU,   /* a router says that packets are too big: replay_path_mtu */
	REPLAY_NOTICE_BLACK_HOLE, /* they are, and no router says so: likewise */
	REPLAY_NOTICES,
};

/* What the core may do to the world. All are called with ctx; none may call back into replay. */
struct replay_effects {
	/* 0, or -1: full, ask again later. The segment is borrowed during the call. */
	int (*emit)(void *ctx, const struct segment *segment);
	/* Tells every intercept that answers of this tuple (target -> faked client) are session_id's. */
	void (*register_session)(void *ctx, uint32_t session_id, const struct tuple *response);
	void (*unregister_session)(void *ctx, uint32_t session_id);
	/* Turns or acknowledgements wait for records, or no longer do. */
	void (*urgency)(void *ctx, bool urgent);
	/* For the log; target is an index into the transfers. */
	void (*notice)(void *ctx, enum replay_notice notice, size_t target);
};
#endif
