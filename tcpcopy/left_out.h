/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * left_out.h - connections that are seen and, by choice, not copied: sampled out, or above the rate. There may be a
 * hundred of them to one that is copied, so each is 24 bytes in a table of fixed size, without allocation, timer or
 * list: enough to leave it out for as long as it lives, and to count what its client says, each byte and request
 * once. Where the table is full, one that has ended, else the one silent for longest, is forgotten. Pure.
 */
#ifndef TCPCOPY_LEFT_OUT_H
#define TCPCOPY_LEFT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/packet.h"
#include "tcpcopy/ledger.h"

struct left_out_entry {
	uint32_t tag; /* of the tuple's hash; 0: free */
	uint32_t isn; /* before the first byte that was seen */
	uint32_t next_seq;
	uint32_t ack;      /* the highest; if has_ack */
	uint32_t turn_ack; /* as its last request began */
	uint16_t heard_s;  /* modulo 2^16 */
	uint8_t cause;     /* enum drop_cause: why it is left out */
	bool has_ack : 1;
	bool has_spoken : 1;
	bool has_pushed : 1;  /* its last segment ended a write */
	bool ever_pushed : 1; /* otherwise PSH says nothing of its writes */
	bool has_ended : 1;
};

struct left_out;

/* In about max_bytes. NULL with errno ENOMEM. */
struct left_out *left_out_new(const struct hash_key *key, size_t max_bytes);
void left_out_free(struct left_out *l);
/* The entry of this client -> server tuple, or NULL; valid until the next left_out_add. */
struct left_out_entry *left_out_find(struct left_out *l, const struct tuple *tuple);
/* It must not be there yet. isn: of its SYN, or before the first byte that was captured. */
struct left_out_entry *left_out_add(struct left_out *l, const struct tuple *tuple, uint32_t isn,
				    enum drop_cause cause, uint64_t now_us);
void left_out_forget(struct left_out_entry *e);
/*
 * What this packet of the client, without SYN, has said that was not counted before. True if it told anything new.
 */
bool left_out_on_client(struct left_out_entry *e, const struct packet *p, uint64_t now_us,
			struct ledger_amount *fresh);
/* Bytes of memory that it holds: always the same. */
size_t left_out_memory(const struct left_out *l);
#endif
