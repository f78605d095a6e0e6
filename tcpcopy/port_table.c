/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_table.c - ports in use. From the bottom up:
 *
 *	bitset      finds "the next one not in it" in a word a level
 *	port_set    the ports in use of one faked address towards one target: a few inline, some in a
 *	            sorted array, many in a bitset
 *	port_table  the port_sets, in a hash table with open addressing
 *
 * A port stands in a port_set as its distance from the first port of the slice.
 */
#include "tcpcopy/port_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	WORD_BITS = 64,
	INLINE_PORTS = 4,
	SORTED_PORTS_MAX = 256,  /* above, a bitset; 512 bytes to move at worst */
	SORTED_PORTS_BACK = 128, /* at this many a bitset becomes an array again */
	SLOTS_MIN = 16,
};

struct port_set {
	struct ip_addr addr;
	union {
		uint16_t few[INLINE_PORTS];
		uint16_t *sorted;
		struct bitset *bits;
	} ports;
	uint32_t hash;
	uint32_t used;
	uint16_t room; /* of few or sorted; 0: bits */
	uint8_t target;
};

/* --- bitset --- */

struct bitset *bitset_new(uint32_t n)
{
	uint32_t level_words[BITSET_LEVELS_MAX];
	size_t total = 0, at = 0, memory_bytes;
	uint32_t bits = n;
	unsigned levels = 0;
	struct bitset *b;

	do {
		assert(levels < BITSET_LEVELS_MAX);
		level_words[levels] = (bits + WORD_BITS - 1) / WORD_BITS;
		bits = level_words[levels];
		total += level_words[levels++];
	} while (bits > 1);
	memory_bytes = sizeof(*b) + total * sizeof(b->words[0]);
	b = calloc(1, memory_bytes);
	if (!b) {
		errno = ENOMEM;
		return NULL;
	}
	b->levels = levels;
	b->memory_bytes = memory_bytes;
	bits = n;
	for (unsigned l = 0; l < levels; l++) {
		b->level_words[l] = level_words[l];
		b->level[l] = b->words + at;
		at += level_words[l];
		if (bits % WORD_BITS)
			b->level[l][level_words[l] - 1] = UINT64_MAX << bits % WORD_BITS;
		bits = level_words[l];
	}
	return b;
}

static bool bitset_has(const struct bitset *b, uint32_t i)
{
	return b->level[0][i / WORD_BITS] >> i % WORD_BITS & 1;
}

void bitset_add(struct bitset *b, uint32_t i)
{
	if (bitset_has(b, i))
		return;
	b->count++;
	for (unsigned l = 0; l < b->levels; l++) {
		uint64_t *word = &b->level[l][i / WORD_BITS];

		*word |= UINT64_C(1) << i % WORD_BITS;
		if (*word != UINT64_MAX)
			return;
		i /= WORD_BITS;
	}
}

void bitset_remove(struct bitset *b, uint32_t i)
{
	if (!bitset_has(b, i))
		return;
	b->count--;
	for (unsigned l = 0; l < b->levels; l++) {
		uint64_t *word = &b->level[l][i / WORD_BITS];
		bool was_full = *word == UINT64_MAX;

		*word &= ~(UINT64_C(1) << i % WORD_BITS);
		if (!was_full)
			return;
		i /= WORD_BITS;
	}
}

/* Up the levels to a word with a free bit, and down again to the number. */
uint32_t bitset_next_free(const struct bitset *b, uint32_t i, uint64_t *steps)
{
	for (unsigned l = 0; l < b->levels; l++) {
		uint32_t word = i / WORD_BITS;
		uint64_t free_bits;

		if (word >= b->level_words[l])
			return BITSET_NOT_FOUND;
		++*steps;
		free_bits = ~b->level[l][word] & UINT64_MAX << i % WORD_BITS;
		if (!free_bits) {
			i = word + 1;
			continue;
		}
		i = word * WORD_BITS + (uint32_t)__builtin_ctzll(free_bits);
		while (l-- > 0) {
			++*steps;
			i = i * WORD_BITS + (uint32_t)__builtin_ctzll(~b->level[l][i]);
		}
		return i;
	}
	return BITSET_NOT_FOUND;
}

/* --- port_set --- */

static uint16_t *port_array(struct port_set *p)
{
	assert(p->room != 0);
	return p->room > INLINE_PORTS ? p->ports.sorted : p->ports.few;
}

static void port_set_free_ports(struct port_table *t, struct port_set *p)
{
	if (p->room == 0) {
		t->memory_bytes -= p->ports.bits->memory_bytes;
		free(p->ports.bits);
	} else if (p->room > INLINE_PORTS) {
		t->memory_bytes -= p->room * sizeof(uint16_t);
		free(p->ports.sorted);
	}
	p->room = INLINE_PORTS;
}

/* Moves an array to one with this much room. -1 with errno ENOMEM, and nothing has changed. */
static int port_set_resize(struct port_table *t, struct port_set *p, uint32_t room)
{
	uint16_t few[INLINE_PORTS] = {0};
	uint16_t *ports = few;

	assert(p->used <= room);
	if (room > INLINE_PORTS) {
		ports = malloc(room * sizeof(*ports));
		if (!ports) {
			errno = ENOMEM;
			return -1;
		}
		t->memory_bytes += room * sizeof(*ports);
	}
	memcpy(ports, port_array(p), p->used * sizeof(*ports));
	port_set_free_ports(t, p);
	if (room > INLINE_PORTS)
		p->ports.sorted = ports;
	else
		memcpy(p->ports.few, few, sizeof(few));
	p->room = (uint16_t)room;
	return 0;
}

static int port_set_to_bits(struct port_table *t, struct port_set *p)
{
	struct bitset *bits = bitset_new(t->port_count);

	if (!bits)
		return -1;
	for (uint32_t i = 0; i < p->used; i++)
		bitset_add(bits, p->ports.sorted[i]);
	port_set_free_ports(t, p);
	t->memory_bytes += bits->memory_bytes;
	p->ports.bits = bits;
	p->room = 0;
	return 0;
}

/* Without memory the bitset serves on. */
static void port_set_to_array(struct port_table *t, struct port_set *p)
{
	struct bitset *bits = p->ports.bits;
	uint16_t *sorted = malloc(SORTED_PORTS_MAX * sizeof(*sorted));
	uint32_t n = 0;

	if (!sorted)
		return;
	for (uint32_t i = 0; i < t->port_count; i++) {
		if (bits->level[0][i / WORD_BITS] == 0)
			i |= WORD_BITS - 1;
		else if (bitset_has(bits, i))
			sorted[n++] = (uint16_t)i;
	}
	assert(n == p->used);
	port_set_free_ports(t, p);
	t->memory_bytes += SORTED_PORTS_MAX * sizeof(*sorted);
	p->ports.sorted = sorted;
	p->room = SORTED_PORTS_MAX;
}

/* Index of the first port of an array that is not below port. */
static uint32_t array_lower_bound(const uint16_t *ports, uint32_t used, uint32_t port,
				  uint64_t *steps)
{
	uint32_t low = 0, high = used;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		++*steps;
		if (ports[middle] < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The first free port at or after port. ports[i] - i never falls, and stays the same along a run
 * without a gap: so the end of the run that begins with port is found by halving, too.
 */
static uint32_t array_next_free(const uint16_t *ports, uint32_t used, uint32_t port,
				uint64_t *steps)
{
	uint32_t start = array_lower_bound(ports, used, port, steps);
	uint32_t low = start, high = used;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		++*steps;
		if (ports[middle] - middle == port - start)
			low = middle + 1;
		else
			high = middle;
	}
	return port + (low - start);
}

/* The first free port at or after port, wrapping. There is one. */
static uint32_t port_set_next_free(struct port_table *t, struct port_set *p, uint32_t port)
{
	uint32_t found;

	if (p->room == 0) {
		found = bitset_next_free(p->ports.bits, port, &t->steps);
		if (found == BITSET_NOT_FOUND)
			found = bitset_next_free(p->ports.bits, 0, &t->steps);
		return found;
	}
	found = array_next_free(port_array(p), p->used, port, &t->steps);
	if (found >= t->port_count)
		found = array_next_free(port_array(p), p->used, 0, &t->steps);
	return found;
}

static int port_set_add(struct port_table *t, struct port_set *p, uint32_t port)
{
	uint32_t i;
	uint16_t *ports;

	if (p->room != 0 && p->used == p->room &&
	    (p->room == SORTED_PORTS_MAX ? port_set_to_bits(t, p)
					 : port_set_resize(t, p, p->room * 2u)))
		return -1;
	if (p->room == 0) {
		bitset_add(p->ports.bits, port);
	} else {
		ports = port_array(p);
		i = array_lower_bound(ports, p->used, port, &t->steps);
		memmove(ports + i + 1, ports + i, (p->used - i) * sizeof(*ports));
		ports[i] = (uint16_t)port;
	}
	p->used++;
	return 0;
}

static void port_set_remove(struct port_table *t, struct port_set *p, uint32_t port)
{
	uint32_t i;
	uint16_t *ports;

	assert(p->used > 0);
	if (p->room == 0) {
		assert(bitset_has(p->ports.bits, port));
		bitset_remove(p->ports.bits, port);
		if (--p->used <= SORTED_PORTS_BACK)
			port_set_to_array(t, p);
		return;
	}
	ports = port_array(p);
	i = array_lower_bound(ports, p->used, port, &t->steps);
	assert(i < p->used && ports[i] == port);
	p->used--;
	memmove(ports + i, ports + i + 1, (p->used - i) * sizeof(*ports));
	/* Without memory for a smaller array the large one serves on. */
	if (p->room > INLINE_PORTS && p->used <= p->room / 4u)
		(void)port_set_resize(t, p, p->room / 2u);
}

/* --- the table of port_sets --- */

static uint32_t port_set_hash(const struct port_table *t, const struct ip_addr *addr,
			      uint8_t target)
{
	uint8_t data[sizeof(addr->b) + 1];

	memcpy(data, addr->b, sizeof(addr->b));
	data[sizeof(addr->b)] = target;
	return (uint32_t)hash_bytes(&t->key, data, sizeof(data));
}

static void slots_put(struct port_set **slots, uint32_t slot_count, struct port_set *p)
{
	uint32_t i = p->hash & (slot_count - 1);

	while (slots[i])
		i = (i + 1) & (slot_count - 1);
	slots[i] = p;
}

/* To this many slots, 0 included. -1 with errno ENOMEM, and nothing has changed. */
static int table_resize(struct port_table *t, uint32_t slot_count)
{
	struct port_set **slots = NULL;

	if (slot_count) {
		slots = calloc(slot_count, sizeof(*slots));
		if (!slots) {
			errno = ENOMEM;
			return -1;
		}
	}
	for (uint32_t i = 0; i < t->slot_count; i++)
		if (t->slots[i])
			slots_put(slots, slot_count, t->slots[i]);
	free(t->slots);
	t->memory_bytes -= t->slot_count * sizeof(*slots);
	t->memory_bytes += slot_count * sizeof(*slots);
	t->slots = slots;
	t->slot_count = slot_count;
	return 0;
}

static struct port_set *table_find(struct port_table *t, const struct ip_addr *addr, uint8_t target,
				   uint32_t hash)
{
	if (t->slot_count == 0)
		return NULL;
	for (uint32_t i = hash & (t->slot_count - 1); t->slots[i];
	     i = (i + 1) & (t->slot_count - 1)) {
		struct port_set *p = t->slots[i];

		t->steps++;
		if (p->hash == hash && p->target == target && ip_addr_equal(&p->addr, addr))
			return p;
	}
	return NULL;
}

static struct port_set *table_add(struct port_table *t, const struct ip_addr *addr, uint8_t target,
				  uint32_t hash)
{
	struct port_set *p;

	if ((t->set_count + UINT64_C(1)) * 4 > (uint64_t)t->slot_count * 3 &&
	    table_resize(t, t->slot_count ? t->slot_count * 2 : SLOTS_MIN))
		return NULL;
	p = malloc(sizeof(*p));
	if (!p) {
		errno = ENOMEM;
		return NULL;
	}
	*p = (struct port_set){.addr = *addr, .hash = hash, .target = target, .room = INLINE_PORTS};
	slots_put(t->slots, t->slot_count, p);
	t->set_count++;
	t->memory_bytes += sizeof(*p);
	return p;
}

static void table_remove(struct port_table *t, struct port_set *p)
{
	uint32_t mask = t->slot_count - 1;
	uint32_t hole = p->hash & mask;
	int saved_errno = errno;

	while (t->slots[hole] != p)
		hole = (hole + 1) & mask;
	/* Shifts back what was pushed past the hole, so that no search ends early. */
	for (uint32_t i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
		if (((i - t->slots[i]->hash) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = NULL;
	t->set_count--;
	port_set_free_ports(t, p);
	t->memory_bytes -= sizeof(*p);
	free(p);
	if (t->set_count == 0)
		(void)table_resize(t, 0);
	else if (t->slot_count > SLOTS_MIN && t->set_count < t->slot_count / 8)
		(void)table_resize(t, t->slot_count / 2);
	errno = saved_errno;
}

/* --- port_table --- */

void port_table_init(struct port_table *t, const struct hash_key *key, uint16_t first_port,
		     uint16_t last_port)
{
	assert(first_port != 0 && first_port <= last_port);
	*t = (struct port_table){
		.key = *key,
		.first_port = first_port,
		.port_count = (uint32_t)last_port - first_port + 1,
	};
}

void port_table_fini(struct port_table *t)
{
	for (uint32_t i = 0; i < t->slot_count; i++) {
		if (!t->slots[i])
			continue;
		port_set_free_ports(t, t->slots[i]);
		free(t->slots[i]);
	}
	free(t->slots);
}

int port_table_take(struct port_table *t, const struct ip_addr *addr, uint8_t target,
		    uint16_t wanted_port, uint16_t *taken_port, bool *is_full)
{
	uint32_t hash = port_set_hash(t, addr, target);
	struct port_set *p = table_find(t, addr, target, hash);
	uint32_t port;

	*is_full = p && p->used == t->port_count;
	if (*is_full) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	if (!p) {
		p = table_add(t, addr, target, hash);
		if (!p)
			return -1;
	}
	/* The wanted one where it lies in the slice, otherwise one that spreads. */
	port = ((uint32_t)wanted_port + t->port_count * 2 - t->first_port % t->port_count) %
	       t->port_count;
	port = port_set_next_free(t, p, port);
	assert(port < t->port_count);
	if (port_set_add(t, p, port)) {
		if (p->used == 0)
			table_remove(t, p);
		return -1;
	}
	*is_full = p->used == t->port_count;
	*taken_port = (uint16_t)(t->first_port + port);
	return 0;
}

bool port_table_release(struct port_table *t, const struct endpoint *faked, uint8_t target)
{
	struct port_set *p;
	bool was_full;

	assert(faked->port >= t->first_port);
	p = table_find(t, &faked->addr, target, port_set_hash(t, &faked->addr, target));
	assert(p);
	was_full = p->used == t->port_count;
	port_set_remove(t, p, faked->port - (uint32_t)t->first_port);
	if (p->used == 0)
		table_remove(t, p);
	return was_full;
}
