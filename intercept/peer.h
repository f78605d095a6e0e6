/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.h - one connected tcpcopy as the protocol sees it: its byte stream cut into messages, what
 * is to be written to it, the records gathered for it, its time limits. No socket, no clock.
 *
 *	STRANGER --good hello--> UP ----------------+
 *	   |  \                   |                 |
 *	   |   version, role,     malformed,        left, silent
 *	   |   too many           shutdown          |
 *	   |      \               /                 |
 *	   |       +-> GOODBYE <-+                  |
 *	   |              | it closed, or 1 s       |
 *	   +-- garbage, --+-------------------------+--> closed by the owner
 *	       no hello in 5 s
 *
 * In GOODBYE the refusal is on its way and input is thrown away: closing at once would, with
 * unread input, reset the connection and perhaps destroy the refusal. A stranger who does not
 * speak the protocol gets no answer.
 *
 * Whatever a peer does costs at most PEER_OUTPUT_MAX of output, one message of input and one batch
 * of records. docs/wire-protocol.md is the protocol. Pure.
 */
#ifndef INTERCEPT_PEER_H
#define INTERCEPT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/endpoint.h"
#include "common/wire.h"

enum {
	PEER_HELLO_US = 5 * 1000 * 1000,
	PEER_SILENCE_US = 10 * 1000 * 1000,
	PEER_HEARTBEAT_US = 1000 * 1000,
	PEER_GOODBYE_US = 1000 * 1000,
	PEER_HELLO_LEN_MAX = 256, /* bytes of the first message */
	PEER_OUTPUT_MAX = 4 * 1024 * 1024,
	PEER_OUTPUT_RESERVE = 64 * 1024, /* of these, kept for what is not a record */
	PEER_BATCH_MAX = WIRE_RECORDS_PER_MESSAGE,
	PEER_WHY_MAX = WIRE_REFUSAL_TEXT_MAX + 64,
};

enum peer_state {
	PEER_STRANGER, /* nothing is known of it yet */
	PEER_UP,
	PEER_GOODBYE, /* refused: waits until the refusal has gone */
};

/* Why a peer has to go, or went. */
enum peer_fault {
	PEER_FAULT_NONE,
	PEER_FAULT_GARBAGE,   /* it does not speak the protocol */
	PEER_FAULT_NO_HELLO,  /* it said nothing, or not enough, for PEER_HELLO_US */
	PEER_FAULT_VERSION,   /* another version of the protocol */
	PEER_FAULT_ROLE,      /* it is no tcpcopy */
	PEER_FAULT_FULL,      /* too many peers */
	PEER_FAULT_MALFORMED, /* a message that does not decode */
	PEER_FAULT_SILENT,    /* nothing heard for PEER_SILENCE_US */
	PEER_FAULT_LEFT,      /* it said goodbye or closed */
	PEER_FAULT_SHUTDOWN,  /* we end */
	PEER_FAULTS,
};

enum peer_event_type {
	PEER_EVENT_UP,         /* a good hello; ours is in the output */
	PEER_EVENT_REGISTER,   /* session_id, tuple */
	PEER_EVENT_UNREGISTER, /* session_id */
	PEER_EVENT_URGENCY,    /* urgent */
	PEER_EVENT_FAULT,      /* see peer_fault_of, peer_why; close it unless it is in GOODBYE */
};

struct peer_event {
	enum peer_event_type type;
	uint32_t session_id;
	struct tuple tuple;
	bool urgent;
};

/* What became of a batch of records. A segment is a captured packet. */
struct peer_flushed {
	uint64_t records;
	uint64_t segments;
	uint64_t records_dropped; /* the output is full: a slow peer */
	uint64_t segments_dropped;
};

struct peer;

/* NULL with errno ENOMEM. */
struct peer *peer_new(uint64_t instance_id, uint64_t now_us);
void peer_free(struct peer *p);
/* At most so many records a message, 1 to PEER_BATCH_MAX; before the first record. */
void peer_limit_batch(struct peer *p, unsigned records);
enum peer_state peer_state(const struct peer *p);
enum peer_fault peer_fault_of(const struct peer *p);
/* One sentence for the log; "" while all is well. */
const char *peer_why(const struct peer *p);
/* What its hello said, once UP. */
const struct wire_hello *peer_hello(const struct peer *p);

/*
 * Decodes in place: takes from the stream until there is an event (true), or all is taken
 * (false). Call until it is false or the event is a fault, after which the rest does not matter.
 */
bool peer_next(struct peer *p, struct byte_reader *stream, struct peer_event *e, uint64_t now_us);
/* Puts a refusal and goes to GOODBYE. text says what is wrong and what to do. */
void peer_refuse(struct peer *p, enum peer_fault fault, const char *text, uint64_t now_us);
/* False if there is no room: the peer does not read. */
bool peer_put_register_refused(struct peer *p, uint32_t session_id);
/* Likewise; it is not kept for later: whoever sent that packet will send another one. */
bool peer_put_path_mtu(struct peer *p, const struct wire_path_mtu *m);
/* Heartbeats and time limits. False if the peer has to be closed (peer_fault_of says why). */
bool peer_on_time(struct peer *p, const struct wire_heartbeat *heartbeat, uint64_t now_us);
/* When peer_on_time wants to be called next. */
uint64_t peer_next_us(const struct peer *p);

/*
 * The batch: records in the order of capture. An index is good until the next peer_flush; with the
 * id of the session it can be checked, so that nobody has to be told of the flush.
 * peer_add_record flushes first if the batch is full and returns the index.
 */
struct wire_record *peer_record(struct peer *p, unsigned index, uint32_t session_id);
unsigned peer_add_record(struct peer *p, const struct wire_record *record);
/* Records in the batch. */
unsigned peer_pending(const struct peer *p);
/* Moves the batch to the output. Adds to *f what happened to it since the last call. */
void peer_flush(struct peer *p, struct peer_flushed *f);

/* What is to be written; borrowed until the next call that puts something. */
const uint8_t *peer_output(const struct peer *p, size_t *len_bytes);
void peer_output_sent(struct peer *p, size_t len_bytes);
/* Bytes of memory that it holds. */
size_t peer_memory(const struct peer *p);
#endif
