/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faked.h - the sessions of replay as the world sees them: registered under an id, with a tuple of their
 * own, and what replay has been told about them. Two hash tables; an entry stays until the end of the
 * world, so connections and packets may point at it.
 */
#ifndef TESTS_SIM_FAKED_H
#define TESTS_SIM_FAKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

struct conversation;
struct target_connection;

struct faked {
	struct faked *next_by_tuple;
	struct faked *next_by_id;
	struct faked *next_of_all;
	struct tuple tuple; /* faked client -> target */
	struct conversation *owner;
	struct target_connection *connection; /* its latest at the target, or NULL */
	uint32_t id;
	uint32_t iss;
	uint32_t irs; /* of its latest connection at the target */
	uint8_t transfer;
	uint8_t copy; /* which, of its connection at this target */
	bool is_registered;
	bool has_syn;
	bool is_whole;   /* begun by the connection's SYN or first byte */
	bool is_located; /* the stream offset of its first byte is known */
	uint32_t start;  /* that offset */
	/* What records have said to replay, and replay to the target; bytes from the connection's beginning. */
	uint32_t acked;    /* the highest ACK */
	uint32_t answered; /* the highest ACK of a record that brought answer bytes */
	uint32_t sent;     /* the highest sent */
	uint64_t said_us;  /* when a turn last began to be sent */
	uint32_t rcv_nxt;  /* sequence number behind the highest answer byte that was reported */
	uint32_t repeated_seq; /* of the segment that was sent again last */
	uint32_t repetitions;
	uint64_t repeated_us; /* when it was sent first */
	uint64_t again_us;    /* and last */
	bool is_pair;         /* twice at that moment */
	uint64_t batch;       /* in which it spoke last, */
	uint64_t batch_bytes; /* and what it said in that */
	unsigned link_ups;    /* oracle.link_ups then */
	bool has_rcv;
	bool target_closed;
	bool was_reset;
};

enum {
	FAKED_BUCKETS = 1 << 14,
};

struct fakes {
	struct faked *by_tuple[FAKED_BUCKETS];
	struct faked *by_id[FAKED_BUCKETS];
	struct faked *all;
	uint64_t registered; /* now */
};

void fakes_fini(struct fakes *f);
struct faked *fakes_add(struct fakes *f, uint32_t id, const struct tuple *tuple);
/* Out of both tables. */
void fakes_remove(struct fakes *f, struct faked *one);
void fakes_remove_all(struct fakes *f);
/* Registered ones only; or NULL. */
struct faked *fakes_find_tuple(const struct fakes *f, const struct tuple *tuple);
struct faked *fakes_find_id(const struct fakes *f, uint32_t id);

/* For tables of the simulator: cheap, and nobody attacks it. */
uint32_t tuple_bucket(const struct tuple *t, uint32_t buckets);
#endif
