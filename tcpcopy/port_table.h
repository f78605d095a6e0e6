/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_table.h - which ports of a faked address are in use towards a target, and which is free
 * next; and the bitset that serves it.
 *
 * Owns the record of every (faked address, target) with a port in use. Knows neither clients nor
 * pools: the caller chooses the address. Finding a free port takes a few tens of steps however many
 * are in use. Memory grows with what is in use and shrinks again; the caller bounds it by what it
 * takes. Pure.
 */
#ifndef TCPCOPY_PORT_TABLE_H
#define TCPCOPY_PORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

#define BITSET_NOT_FOUND UINT32_MAX

enum {
	BITSET_LEVELS_MAX = 4, /* 64^4 numbers */
};

/*
 * A set of numbers below a bound; one block of memory. Others may read count and memory_bytes.
 *
 * Level 0 has a bit a number; a bit of a level above says that a whole word below is full. The top
 * level is one word. Bits behind the last number are set, so that they are never found free.
 */
struct bitset {
	uint32_t count; /* numbers in the set */
	unsigned levels;
	uint32_t level_words[BITSET_LEVELS_MAX];
	uint64_t *level[BITSET_LEVELS_MAX];
	size_t memory_bytes; /* of the block */
	uint64_t words[];
};

/* An empty set of numbers below n, 1 to 64^4; free() ends it. NULL with errno ENOMEM. */
struct bitset *bitset_new(uint32_t n);
/* Both do nothing if it is done already. i is below the bound. */
void bitset_add(struct bitset *b, uint32_t i);
void bitset_remove(struct bitset *b, uint32_t i);
/*
 * The first number at or after i that is not in the set, or BITSET_NOT_FOUND; it does not wrap. Adds
 * the words that it looked at to *steps, at most two a level.
 */
uint32_t bitset_next_free(const struct bitset *b, uint32_t i, uint64_t *steps);

struct port_set;

/* The owner may read memory_bytes and steps; all else is the table's own. */
struct port_table {
	struct hash_key key;
	uint16_t first_port;
	uint32_t port_count;
	struct port_set **slots;
	uint32_t slot_count; /* a power of two, or 0 */
	uint32_t set_count;
	size_t memory_bytes; /* held on the heap */
	uint64_t steps;      /* words and slots that all searches so far have looked at */
};

/* An empty table of the ports [first_port, last_port]; first_port is not 0. Allocates nothing. */
void port_table_init(struct port_table *t, const struct hash_key *key, uint16_t first_port,
		     uint16_t last_port);
/* Fine for a table that is all zero, too. */
void port_table_fini(struct port_table *t);
/*
 * Takes the wanted port of this address towards the target of this index, or the next free one after
 * it, wrapping; a wanted port outside of the slice is folded into it. *is_full says whether none is
 * left now (or was before). 0, or -1 with errno EADDRNOTAVAIL (full) or ENOMEM, and nothing is taken.
 */
int port_table_take(struct port_table *t, const struct ip_addr *addr, uint8_t target,
		    uint16_t wanted_port, uint16_t *taken_port, bool *is_full);
/*
 * Gives back a port that was taken; giving back anything else is a bug (asserted). Whether all ports
 * of the address were in use until now.
 */
bool port_table_release(struct port_table *t, const struct endpoint *faked, uint8_t target);
#endif
