/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turn.h - what a client said between two answers of the server, as a piece of its stream.
 *
 * A turn begins where the client had acknowledged more of the server's answers than at the turn
 * before, and had ended a write: what it acknowledges while it speaks it did not wait for. `need` is how much more: a session may say a turn only when its target has answered
 * the turn before with as many bytes (session.h tells how that is counted). The client's FIN and
 * RST are turns without bytes, so that they keep their place and pass the same gate. Pure.
 */
#ifndef TCPCOPY_TURN_H
#define TCPCOPY_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slab.h"
#include "tcpcopy/segment_queue.h"

enum turn_kind {
	TURN_DATA,
	TURN_FIN,
	TURN_RST, /* also: nothing more of this stream will ever be known */
	TURN_GAP, /* bytes are missing here: what follows is said on another connection */
};

struct turn {
	uint64_t start;     /* stream offset */
	uint64_t end;       /* grows while the turn is the last one and no session is past it */
	uint64_t need;      /* response bytes that the client had seen since the turn before */
	uint64_t known_us;  /* when it was captured and nothing before it was missing */
	uint64_t waited_us; /* from the client's last byte before until it had seen that much */
	uint32_t index;     /* in the slab */
	uint32_t next;      /* SLAB_NONE: the last */
	uint8_t kind;       /* enum turn_kind */
	bool is_request; /* counts in the ledger; false for the rest of a turn that was sent in part */
	bool is_boundary; /* a request certainly begins here: another connection may begin with it */
	bool is_cut;      /* the rest of its request was never captured: it is none any more */
	bool is_passed;   /* a session has delivered all of it: it may not grow any more */
};

struct turn_list {
	uint64_t seen;     /* response bytes that the client had acknowledged at the last turn */
	uint64_t spoke_us; /* when the client last said something */
	uint32_t first;
	uint32_t last;
	uint32_t count;
	bool any; /* the client has said something, perhaps released since */
};

void turn_list_init(struct turn_list *l);
void turn_list_fini(struct turn_list *l, struct slab *turns);

/*
 * The bytes [start, end) were captured, the client having said note: they make
 * the last turn longer or, if the client had seen more and may have waited for that (not in the middle of a write), begin a new one. Returns that turn, or NULL with errno ENOMEM or ENOBUFS. *is_new says which.
 */
struct turn *turn_list_data(struct turn_list *l, struct slab *turns, uint64_t start, uint64_t end,
			    const struct segment_note *note, bool waited, bool *is_new);
/* Likewise, where it certainly begins one: what note says that it had seen is more than at the last turn, and it has waited. */
struct turn *turn_list_request(struct turn_list *l, struct slab *turns, uint64_t start,
			       uint64_t end, const struct segment_note *note);
/* The client's FIN or RST at stream offset at. As above. */
struct turn *turn_list_end(struct turn_list *l, struct slab *turns, enum turn_kind kind,
			   uint64_t at, const struct segment_note *note);
/* A request ends with t, as far as it is known: the rest may still come. */
bool turn_ends_request(const struct slab *turns, const struct turn *t);
/* And nothing is said behind it yet: what comes next may be the rest. */
bool turn_may_go_on(const struct slab *turns, const struct turn *t);
/* The turn after t, or NULL. */
static inline struct turn *turn_next(const struct slab *turns, const struct turn *t)
{
	return t->next == SLAB_NONE ? NULL : slab_at(turns, t->next);
}

/* The first turn that is held, or NULL. */
static inline struct turn *turn_list_first(const struct turn_list *l, const struct slab *turns)
{
	return l->first == SLAB_NONE ? NULL : slab_at(turns, l->first);
}

/* The last turn, if it is held, or NULL. */
static inline struct turn *turn_list_last(const struct turn_list *l, const struct slab *turns)
{
	return l->last == SLAB_NONE ? NULL : slab_at(turns, l->last);
}

/* Gives back the first turn. */
void turn_list_release_first(struct turn_list *l, struct slab *turns);
#endif
