/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.c - the NAT. From the bottom up:
 *
 *	pool      the addresses of -c of one family as one row of indices
 *	mapping   per target the set of addresses that are full
 *
 * Which ports of an address are in use is known to port_table.c.
 */
#include "tcpcopy/mapping.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tcpcopy/port_table.h"
#include "tcpcopy/transfer.h"

enum {
	SHIFT_BITS = 10,
	GOLDEN = 40503, /* 2^16 over the golden ratio: however many multiples, they are far apart */
};

static_assert(MAPPING_SHIFTS == 1 << SHIFT_BITS, "a shift has so many bits");
static_assert(TRANSFERS_MAX <= UINT8_MAX + 1, "a target's index is a byte");

/* One range of a pool; its first address has this index. */
struct pool_range {
	struct addr_range addrs;
	uint64_t start;
};

struct pool {
	struct pool_range *ranges; /* ascending, none overlaps another */
	size_t range_count;
	uint64_t count; /* of addresses, saturated */
};

struct mapping_target {
	struct endpoint endpoint;
	size_t sessions;     /* 0: free for another target */
	struct bitset *full; /* indices of full addresses; NULL: none is */
};

struct mapping {
	struct hash_key key;
	bool has_pool;
	struct ip_addr localhost_ip4;
	struct ip_addr localhost_ip6;
	struct pool v4;
	struct pool v6;
	struct mapping_target targets[TRANSFERS_MAX];
	size_t target_count; /* those at and above are free */
	struct port_table ports;
	uint16_t first_port;
	uint32_t port_count;
	uint32_t shift; /* of wanted ports */
	size_t sessions;
	size_t memory_bytes; /* but that of ports */
	uint64_t steps;      /* but those in ports */
};

/* --- pool --- */

/* Into its place by first address; command lines have few ranges, mostly in order. */
static void pool_add_range(struct pool *pool, const struct addr_range *range)
{
	size_t i = pool->range_count++;

	while (i > 0 && ip_addr_compare(&pool->ranges[i - 1].addrs.first, &range->first) > 0) {
		pool->ranges[i].addrs = pool->ranges[i - 1].addrs;
		i--;
	}
	pool->ranges[i].addrs = *range;
}

static bool range_is_valid(const struct addr_range *r)
{
	struct ip_addr mapped = ip_addr_v4(0);
	bool is_v4 = ip_addr_is_v4(&r->first);

	if (ip_addr_is_v4(&r->last) != is_v4 || ip_addr_compare(&r->first, &r->last) > 0)
		return false;
	return is_v4 || ip_addr_compare(&r->first, &mapped) > 0 ||
	       ip_addr_compare(&r->last, &mapped) < 0;
}

/* Joins the ranges that overlap and counts. */
static void pool_settle(struct pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->range_count; i++) {
		struct addr_range *next = &pool->ranges[i].addrs;
		struct addr_range *last = n ? &pool->ranges[n - 1].addrs : NULL;

		if (!last || ip_addr_compare(&next->first, &last->last) > 0)
			pool->ranges[n++].addrs = *next;
		else if (ip_addr_compare(&next->last, &last->last) > 0)
			last->last = next->last;
	}
	pool->range_count = n;
	for (size_t i = 0; i < n; i++) {
		uint64_t more = addr_range_count(&pool->ranges[i].addrs);

		pool->ranges[i].start = pool->count;
		pool->count = more > UINT64_MAX - pool->count ? UINT64_MAX : pool->count + more;
	}
}

/* The ranges of one family. -1 with errno ENOMEM. */
static int pool_init(struct mapping *m, struct pool *pool, const struct mapping_config *config,
		     bool want_v4)
{
	size_t n = 0;

	for (size_t i = 0; i < config->pool_count; i++)
		n += ip_addr_is_v4(&config->pool[i].first) == want_v4;
	if (n == 0)
		return 0;
	pool->ranges = calloc(n, sizeof(pool->ranges[0]));
	if (!pool->ranges) {
		errno = ENOMEM;
		return -1;
	}
	m->memory_bytes += n * sizeof(pool->ranges[0]);
	for (size_t i = 0; i < config->pool_count; i++)
		if (ip_addr_is_v4(&config->pool[i].first) == want_v4)
			pool_add_range(pool, &config->pool[i]);
	pool_settle(pool);
	return 0;
}

static struct ip_addr pool_address(const struct pool *pool, uint64_t index)
{
	size_t low = 0, high = pool->range_count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (pool->ranges[middle].start <= index)
			low = middle;
		else
			high = middle;
	}
	return ip_addr_add(&pool->ranges[low].addrs.first, index - pool->ranges[low].start);
}

/* The index of an address of the pool; UINT64_MAX for one of -H, which is in none. */
static uint64_t pool_index(const struct pool *pool, const struct ip_addr *addr)
{
	size_t low = 0, high = pool->range_count;
	struct addr_range before;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (ip_addr_compare(&pool->ranges[middle].addrs.first, addr) <= 0)
			low = middle;
		else
			high = middle;
	}
	if (!addr_range_contains(&pool->ranges[low].addrs, addr))
		return UINT64_MAX;
	before = (struct addr_range){.first = pool->ranges[low].addrs.first, .last = *addr};
	return pool->ranges[low].start + addr_range_count(&before) - 1;
}

/* --- mapping --- */

/*
 * The slices of all shifts in the order of their bits read backwards: the first two are half of
 * the ports apart, the first four a quarter, ... Half is more than a client's kernel chooses from.
 */
static uint32_t shift_of(unsigned shift, uint32_t port_count)
{
	uint32_t slice = 0;

	for (unsigned bit = 0; bit < SHIFT_BITS; bit++)
		slice |= (shift >> bit & 1) << (SHIFT_BITS - 1 - bit);
	return slice * port_count >> SHIFT_BITS;
}

struct mapping *mapping_new(const struct mapping_config *config)
{
	struct mapping *m;

	if (config->first_port == 0 || config->first_port > config->last_port ||
	    config->port_shift >= MAPPING_SHIFTS) {
		errno = EINVAL;
		return NULL;
	}
	for (size_t i = 0; i < config->pool_count; i++) {
		if (!range_is_valid(&config->pool[i])) {
			errno = EINVAL;
			return NULL;
		}
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		errno = ENOMEM;
		return NULL;
	}
	m->key = config->key;
	port_table_init(&m->ports, &config->key, config->first_port, config->last_port);
	m->first_port = config->first_port;
	m->port_count = (uint32_t)config->last_port - config->first_port + 1;
	m->shift = shift_of(config->port_shift, m->port_count);
	m->localhost_ip4 = config->localhost_ip4;
	m->localhost_ip6 = config->localhost_ip6;
	m->has_pool = config->pool_count != 0;
	m->memory_bytes = sizeof(*m);
	if (pool_init(m, &m->v4, config, true) || pool_init(m, &m->v6, config, false)) {
		mapping_free(m);
		errno = ENOMEM;
		return NULL;
	}
	return m;
}

void mapping_free(struct mapping *m)
{
	if (!m)
		return;
	port_table_fini(&m->ports);
	for (size_t i = 0; i < m->target_count; i++)
		free(m->targets[i].full);
	free(m->v4.ranges);
	free(m->v6.ranges);
	free(m);
}

static size_t find_target(const struct mapping *m, const struct endpoint *target)
{
	size_t i = 0;

	while (i < m->target_count &&
	       !(m->targets[i].sessions && endpoint_equal(&m->targets[i].endpoint, target)))
		i++;
	return i;
}

/* A target of -x, or a free place for it; TRANSFERS_MAX if all are taken. */
static size_t find_or_add_target(struct mapping *m, const struct endpoint *target)
{
	size_t i = find_target(m, target);

	if (i < m->target_count)
		return i;
	for (i = 0; i < m->target_count && m->targets[i].sessions;)
		i++;
	if (i == TRANSFERS_MAX)
		return i;
	if (i == m->target_count)
		m->target_count++;
	m->targets[i] = (struct mapping_target){.endpoint = *target};
	return i;
}

/* Without memory the full address is found full when it is tried. */
static void note_full(struct mapping *m, struct mapping_target *t, const struct pool *pool,
		      uint64_t index)
{
	if (pool->count > MAPPING_SEARCHED_ADDRESSES_MAX)
		return;
	if (!t->full) {
		t->full = bitset_new((uint32_t)pool->count);
		if (!t->full)
			return;
		m->memory_bytes += t->full->memory_bytes;
	}
	bitset_add(t->full, (uint32_t)index);
}

static void note_not_full(struct mapping *m, struct mapping_target *t, const struct pool *pool,
			  const struct ip_addr *addr)
{
	uint64_t index = t->full ? pool_index(pool, addr) : UINT64_MAX;

	if (index == UINT64_MAX)
		return;
	bitset_remove(t->full, (uint32_t)index);
	if (t->full->count)
		return;
	m->memory_bytes -= t->full->memory_bytes;
	free(t->full);
	t->full = NULL;
}

/* Where the search for a port begins: the first copy's at the client's own, if not shifted. */
static uint16_t wanted_port(const struct mapping *m, uint16_t client_port, unsigned copy)
{
	uint32_t own =
		(client_port + 2 * m->port_count - m->first_port % m->port_count) % m->port_count;
	uint32_t spread = (uint16_t)(copy * GOLDEN) * (uint64_t)m->port_count >> 16;

	return (uint16_t)(m->first_port + (own + spread + m->shift) % m->port_count);
}

/* Takes a port of this address. *is_full says whether none is left now (or was before). */
static int take_port(struct mapping *m, size_t target, const struct ip_addr *addr, uint16_t wanted,
		     struct endpoint *faked, bool *is_full)
{
	uint16_t port;

	if (port_table_take(&m->ports, addr, (uint8_t)target, wanted, &port, is_full))
		return -1;
	*faked = (struct endpoint){.addr = *addr, .port = port};
	m->targets[target].sessions++;
	m->sessions++;
	return 0;
}

/* The first address at or after index, wrapping, that is not known to be full; UINT64_MAX: none. */
static uint64_t next_address(struct mapping *m, const struct mapping_target *t, uint64_t index)
{
	uint32_t found;

	if (!t->full)
		return index;
	found = bitset_next_free(t->full, (uint32_t)index, &m->steps);
	if (found == BITSET_NOT_FOUND)
		found = bitset_next_free(t->full, 0, &m->steps);
	return found == BITSET_NOT_FOUND ? UINT64_MAX : found;
}

/* The index of a client's address in a pool. */
static uint64_t home_of(const struct mapping *m, const struct pool *pool,
			const struct ip_addr *client, unsigned copy)
{
	uint8_t data[sizeof(client->b) + 2];
	size_t len = sizeof(client->b);

	memcpy(data, client->b, len);
	if (copy) {
		data[len++] = (uint8_t)(copy >> 8);
		data[len++] = (uint8_t)copy;
	}
	return hash_bytes(&m->key, data, len) % pool->count;
}

static int take_from_pool(struct mapping *m, size_t target, const struct pool *pool,
			  const struct endpoint *client, unsigned copy, struct endpoint *faked)
{
	struct mapping_target *t = &m->targets[target];
	uint64_t index;

	if (pool->count == 0) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	index = home_of(m, pool, &client->addr, copy);
	for (int probe = 0; probe < MAPPING_PROBES_MAX; probe++) {
		struct ip_addr addr;
		bool is_full;
		int result;

		index = next_address(m, t, index);
		if (index == UINT64_MAX)
			break;
		addr = pool_address(pool, index);
		result = take_port(m, target, &addr, wanted_port(m, client->port, copy), faked,
				   &is_full);
		if (is_full)
			note_full(m, t, pool, index);
		if (result == 0 || !is_full)
			return result;
		index = index + 1 < pool->count ? index + 1 : 0;
	}
	errno = EADDRNOTAVAIL;
	return -1;
}

/* The one address that a client has at this target; NULL: there is none, or one of the pool is to be found. */
static const struct ip_addr *only_address(const struct mapping *m, const struct ip_addr *client,
					  const struct ip_addr *target)
{
	const struct ip_addr *localhost =
		ip_addr_is_v4(target) ? &m->localhost_ip4 : &m->localhost_ip6;

	if (ip_addr_is_loopback(client) && !ip_addr_is_unspecified(localhost))
		return localhost;
	if (m->has_pool || ip_addr_is_v4(client) != ip_addr_is_v4(target))
		return NULL;
	return ip_addr_is_loopback(client) ? NULL : client;
}

static const struct pool *pool_for(const struct mapping *m, const struct ip_addr *target)
{
	return ip_addr_is_v4(target) ? &m->v4 : &m->v6;
}

bool mapping_reaches(const struct mapping *m, const struct ip_addr *client,
		     const struct ip_addr *target)
{
	return pool_for(m, target)->count || only_address(m, client, target);
}

int mapping_take(struct mapping *m, const struct endpoint *client, unsigned copy,
		 const struct endpoint *target, struct endpoint *faked)
{
	const struct ip_addr *only = only_address(m, &client->addr, &target->addr);
	size_t t = find_or_add_target(m, target);
	bool is_full;

	if (t == TRANSFERS_MAX || (!only && !m->has_pool)) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	if (only)
		return take_port(m, t, only, wanted_port(m, client->port, copy), faked, &is_full);
	return take_from_pool(m, t, pool_for(m, &target->addr), client, copy, faked);
}

bool mapping_fakes(const struct mapping *m, const struct ip_addr *addr)
{
	bool is_v4 = ip_addr_is_v4(addr);
	const struct pool *pool = pool_for(m, addr);

	return ip_addr_equal(addr, is_v4 ? &m->localhost_ip4 : &m->localhost_ip6) ||
	       (pool->range_count && pool_index(pool, addr) != UINT64_MAX);
}

void mapping_release(struct mapping *m, const struct endpoint *faked, const struct endpoint *target)
{
	size_t t = find_target(m, target);

	assert(t < m->target_count);
	if (port_table_release(&m->ports, faked, (uint8_t)t) && m->has_pool)
		note_not_full(m, &m->targets[t], pool_for(m, &target->addr), &faked->addr);
	assert(m->sessions > 0);
	m->sessions--;
	m->targets[t].sessions--;
	while (m->target_count && m->targets[m->target_count - 1].sessions == 0)
		m->target_count--;
}

size_t mapping_count(const struct mapping *m)
{
	return m->sessions;
}

size_t mapping_memory(const struct mapping *m)
{
	return m->memory_bytes + m->ports.memory_bytes;
}

uint64_t mapping_steps(const struct mapping *m)
{
	return m->steps + m->ports.steps;
}
