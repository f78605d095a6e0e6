/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - the messages of the link between tcpcopy and intercept: explicit encode and decode.
 * docs/wire-protocol.md shows the very bytes. Big-endian; a message is
 *
 *	length  4  bytes that follow these 4, so at least 2
 *	type    1
 *	flags   1  zero; ignored by the receiver
 *	body    length - 2
 *
 * A message of an unknown type is skipped by its length. A body longer than what this version
 * reads is fine, its tail is ignored: later versions may append fields. Pure.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/endpoint.h"

enum {
	WIRE_PORT_DEFAULT = 36524,
	WIRE_VERSION = 1,
	WIRE_HEADER_LEN = 6,
	WIRE_MESSAGE_MAX = 65536, /* the whole message; a longer one closes the connection */
	WIRE_RECORD_MAX = 34,     /* the longest encoded response record */
	WIRE_RECORDS_PER_MESSAGE = 1024,
	WIRE_REFUSAL_TEXT_MAX = 200,
	/*
	 * TCP_MAXSEG of both ends: the link takes the way that the copies take, and where that is narrow and no ICMP
	 * says so (RFC 2923), full segments would vanish. Fits 1,280 bytes with IPv6 and timestamps.
	 */
	WIRE_SEGMENT_BYTES = 1200,
};

/* "tcp" "copy" in one number: tells a stranger on the port from a peer at once. */
#define WIRE_MAGIC UINT32_C(0x7463706c)

enum wire_type {
	WIRE_HELLO = 1,            /* both ways, first */
	WIRE_REFUSAL = 2,          /* both ways: why this connection is closed */
	WIRE_HEARTBEAT = 3,        /* both ways, once a second */
	WIRE_REGISTER = 4,         /* tcpcopy -> intercept */
	WIRE_UNREGISTER = 5,       /* tcpcopy -> intercept */
	WIRE_REGISTER_REFUSED = 6, /* intercept -> tcpcopy: the tuple belongs to another peer */
	WIRE_RESPONSES = 7,        /* intercept -> tcpcopy */
	WIRE_URGENCY =
		8, /* tcpcopy -> intercept: turns or acknowledgements wait, or no longer do */
	WIRE_PATH_MTU =
		9,        /* intercept -> tcpcopy: a packet was too big for its way to the target */
	WIRE_INJECT = 16, /* reserved: packets that intercept sends for tcpcopy */
	WIRE_RESPONSE_DATA = 17, /* reserved: payload of answers */
};

enum wire_role {
	WIRE_ROLE_TCPCOPY = 1,
	WIRE_ROLE_INTERCEPT = 2,
};

enum wire_refusal_reason {
	WIRE_REFUSED_VERSION = 1,
	WIRE_REFUSED_ROLE = 2,
	WIRE_REFUSED_FULL = 3,     /* too many peers */
	WIRE_REFUSED_PROTOCOL = 4, /* a message that does not decode */
	WIRE_REFUSED_SHUTDOWN = 5,
};

struct wire_hello {
	uint16_t version;
	uint8_t role;
	uint8_t worker_id;
	uint32_t features;    /* bits; none defined in version 1 */
	uint64_t instance_id; /* random, one a process */
	uint8_t connection;   /* which of this worker's to this peer, from 0; 0 if not said */
};

struct wire_refusal {
	uint8_t reason;
	uint16_t version;                     /* the sender's */
	char text[WIRE_REFUSAL_TEXT_MAX + 1]; /* for the log; printable ASCII after decoding */
};

/* Counters since the start of intercept (all zero from tcpcopy): tcpcopy's diagnosis reads them. */
struct wire_heartbeat {
	uint64_t captured; /* TCP packets that passed its filter */
	uint64_t routed;   /* of these, sent to a peer */
	uint64_t unrouted; /* of these, no session registered */
	uint64_t dropped;  /* by the kernel before intercept saw them, or for a slow peer */
};

struct wire_register {
	uint32_t session_id;   /* chosen by tcpcopy, unique on its link while registered */
	struct tuple response; /* as in the captured answers: target -> faked client */
};

struct wire_session_id {
	uint32_t session_id;
};

/*
 * What a run of captured response segments said. Consecutive data segments with the same
 * acknowledgement, window and session become one record.
 */
struct wire_record {
	uint32_t session_id;
	uint32_t seq;       /* of the first byte (or SYN) */
	uint32_t len_bytes; /* payload, SYN and FIN not counted */
	uint32_t ack;
	uint16_t window;   /* as in the header, not scaled */
	uint16_t segments; /* captured segments merged into this record, at least 1 */
	uint8_t flags;     /* TCP_*: or-ed over the merged segments */
	bool has_sack;     /* has data beyond its ACK: RFC 2018; of all merged segments */
	bool has_timestamps;
	bool has_syn_options; /* set on SYN segments */
	bool has_mss;
	bool has_window_scale;
	bool has_sack_permitted;
	uint8_t window_scale; /* at most 14 */
	uint16_t mss;
	uint32_t ts_val; /* of the last merged segment */
	uint32_t ts_ecr;
};

/*
 * A router has dropped a packet of this session because its next link takes no larger ones than mtu_bytes. Nobody has checked
 * that: whoever can reach intercept may say so.
 */
struct wire_path_mtu {
	uint32_t session_id;
	uint32_t seq;       /* of the packet */
	uint32_t mtu_bytes; /* 0: the router did not say */
	uint32_t len_bytes; /* of the packet with its IP header, as the router quotes it */
};

/* A message cut out of a stream; the body is borrowed. */
struct wire_message {
	uint8_t type; /* enum wire_type, or one that is not known */
	const uint8_t *body;
	size_t body_len_bytes;
};

/*
 * Looks at len_bytes of the stream. Returns the bytes that the first message takes and fills *m;
 * 0 if it is not complete yet; -1 if its length is below 2 or above WIRE_MESSAGE_MAX - 4 (errno EPROTO).
 * Never looks at a body before it is all there.
 */
long wire_next(struct wire_message *m, const uint8_t *stream, size_t len_bytes);

/*
 * Encoders append one message to the writer; on lack of room the writer is failed and unchanged
 * up to that point in what counts (`at` stays).
 */
void wire_put_hello(struct byte_writer *w, const struct wire_hello *m);
void wire_put_refusal(struct byte_writer *w, const struct wire_refusal *m);
void wire_put_heartbeat(struct byte_writer *w, const struct wire_heartbeat *m);
void wire_put_register(struct byte_writer *w, const struct wire_register *m);
void wire_put_unregister(struct byte_writer *w, uint32_t session_id);
void wire_put_register_refused(struct byte_writer *w, uint32_t session_id);
void wire_put_urgency(struct byte_writer *w, bool urgent);
void wire_put_path_mtu(struct byte_writer *w, const struct wire_path_mtu *m);
/*
 * As many of the count records as fit in the writer and one message; returns how many. The writer
 * is failed only if not even the first one fits. segments of a record is at least 1, and its mss,
 * window scale and SACK-permitted count only with has_syn_options.
 */
size_t wire_put_responses(struct byte_writer *w, const struct wire_record *records, size_t count);

/*
 * Decoders of a body: 0, or -1 if it is too short or a value is out of range (errno EPROTO); then
 * *m is undefined. A hello of any version and role passes: the receiver refuses it by name.
 */
int wire_get_hello(struct wire_hello *m, const struct wire_message *from);
int wire_get_refusal(struct wire_refusal *m, const struct wire_message *from);
int wire_get_heartbeat(struct wire_heartbeat *m, const struct wire_message *from);
int wire_get_register(struct wire_register *m, const struct wire_message *from);
int wire_get_session_id(struct wire_session_id *m, const struct wire_message *from);
int wire_get_urgency(bool *urgent, const struct wire_message *from);
int wire_get_path_mtu(struct wire_path_mtu *m, const struct wire_message *from);

/* Walks over the records of WIRE_RESPONSES in place. */
struct wire_record_cursor {
	struct byte_reader at;
	uint32_t left;
};

int wire_records_open(struct wire_record_cursor *c, const struct wire_message *from);
/* 1 and *r filled, 0 at the end, -1 if the message is malformed (errno EPROTO). */
int wire_records_next(struct wire_record_cursor *c, struct wire_record *r);

const char *wire_refusal_reason_name(uint8_t reason);
#endif
