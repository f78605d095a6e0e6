/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/left_out.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/seq.h"

enum {
	WAYS = 4, /* places that a connection may have */
	SETS_MIN = 16,
	SETS_MAX = 1 << 20,
	ACK_JUMP_MAX = 1 << 30, /* one that acknowledges more is not this connection's */
	FAR = 16 << 20,         /* out of any window: the stream is counted from there on */
};

static_assert(sizeof(struct left_out_entry) == 24, "as small as it is said to be");

struct left_out {
	struct hash_key key;
	uint32_t sets; /* a power of two */
	struct left_out_entry entries[];
};

struct left_out *left_out_new(const struct hash_key *key, size_t max_bytes)
{
	uint32_t sets = SETS_MIN;
	struct left_out *l;

	while (sets < SETS_MAX &&
	       (size_t)sets * 2 * WAYS * sizeof(struct left_out_entry) <= max_bytes)
		sets *= 2;
	/* Zeroed by the kernel: what is never used costs no memory. */
	l = calloc(1, sizeof(*l) + (size_t)sets * WAYS * sizeof(l->entries[0]));
	if (!l)
		return NULL;
	l->key = *key;
	l->sets = sets;
	return l;
}

void left_out_free(struct left_out *l)
{
	free(l);
}

/* The places of a tuple, and what tells it from others there. */
static struct left_out_entry *places(struct left_out *l, const struct tuple *tuple, uint32_t *tag)
{
	uint64_t hash = tuple_hash(&l->key, tuple);

	*tag = (uint32_t)(hash >> 32);
	if (!*tag)
		*tag = 1;
	return &l->entries[((uint32_t)hash & (l->sets - 1)) * WAYS];
}

struct left_out_entry *left_out_find(struct left_out *l, const struct tuple *tuple)
{
	uint32_t tag;
	struct left_out_entry *e = places(l, tuple, &tag);

	for (unsigned i = 0; i < WAYS; i++)
		if (e[i].tag == tag)
			return &e[i];
	return NULL;
}

/* How gladly this place is given to another connection. */
static uint32_t idleness(const struct left_out_entry *e, uint16_t now_s)
{
	uint32_t silent_s = (uint16_t)(now_s - e->heard_s);

	if (!e->tag)
		return UINT32_MAX;
	return e->has_ended ? UINT16_MAX + 1 + silent_s : silent_s;
}

struct left_out_entry *left_out_add(struct left_out *l, const struct tuple *tuple, uint32_t isn,
				    enum drop_cause cause, uint64_t now_us)
{
	uint16_t now_s = (uint16_t)(now_us / 1000000);
	uint32_t tag;
	struct left_out_entry *e = places(l, tuple, &tag);
	struct left_out_entry *best = e;

	for (unsigned i = 1; i < WAYS; i++)
		if (idleness(&e[i], now_s) > idleness(best, now_s))
			best = &e[i];
	*best = (struct left_out_entry){
		.tag = tag,
		.isn = isn,
		.next_seq = isn + 1,
		.heard_s = now_s,
		.cause = (uint8_t)cause,
	};
	return best;
}

void left_out_forget(struct left_out_entry *e)
{
	*e = (struct left_out_entry){0};
}

static bool take_ack(struct left_out_entry *e, const struct packet *p)
{
	int32_t distance = seq_diff(p->ack, e->ack);

	if (!(p->flags & TCP_ACK) || (e->has_ack && (distance <= 0 || distance > ACK_JUMP_MAX)))
		return false;
	e->ack = p->ack;
	if (!e->has_ack)
		e->turn_ack = p->ack;
	e->has_ack = true;
	return true;
}

/* As for connections that are copied (turn.h): an answer was seen since, and the write before had ended. */
static bool begins_request(const struct left_out_entry *e)
{
	if (!e->has_spoken)
		return true;
	return e->has_ack && e->ack != e->turn_ack && (e->has_pushed || !e->ever_pushed);
}

/* Unique bytes by the highest number seen. */
static bool take_payload(struct left_out_entry *e, const struct packet *p,
			 struct ledger_amount *fresh)
{
	uint32_t end = p->seq + p->payload_wire_len_bytes;
	int64_t distance = seq_diff(p->seq, e->next_seq);
	bool is_far = distance > FAR || distance < -FAR;
	bool pushed = p->flags & TCP_PSH;

	if (!p->payload_wire_len_bytes || (!is_far && seq_leq(end, e->next_seq)))
		return false;
	fresh->bytes = !is_far && distance < 0 ? end - e->next_seq : p->payload_wire_len_bytes;
	e->has_pushed |= distance != 0; /* what came right before is not known */
	if (begins_request(e)) {
		fresh->requests = 1;
		e->turn_ack = e->ack;
	}
	e->next_seq = end;
	e->has_spoken = true;
	e->has_pushed = pushed;
	e->ever_pushed |= pushed;
	return true;
}

bool left_out_on_client(struct left_out_entry *e, const struct packet *p, uint64_t now_us,
			struct ledger_amount *fresh)
{
	bool is_news = take_ack(e, p);

	*fresh = (struct ledger_amount){0};
	e->heard_s = (uint16_t)(now_us / 1000000);
	is_news |= take_payload(e, p, fresh);
	if ((p->flags & (TCP_FIN | TCP_RST)) && !e->has_ended) {
		e->has_ended = true;
		is_news = true;
	}
	return is_news;
}

size_t left_out_memory(const struct left_out *l)
{
	return sizeof(*l) + (size_t)l->sets * WAYS * sizeof(l->entries[0]);
}
