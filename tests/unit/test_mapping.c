/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_mapping.c - the NAT: no tuple twice, every port of every address usable, constant time when
 * nearly full (in steps, not in seconds), and all memory given back.
 */
#include "tcpcopy/mapping.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcpcopy/transfer.h"

enum {
	FIRST_PORT = 1024,
	LAST_PORT = 65535,
	PORTS = LAST_PORT - FIRST_PORT + 1,
	STEPS_MAX = 100, /* of one take or release, whatever is in use */
};

static const struct hash_key test_key = {.k0 = 0x0123456789abcdef, .k1 = 0xfedcba9876543210};

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717) % n;
}

static struct endpoint at(const char *addr, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_int_equal(ip_addr_parse(&e.addr, addr), 0);
	return e;
}

static struct addr_range range(const char *first, const char *last)
{
	return (struct addr_range){.first = at(first, 0).addr, .last = at(last, 0).addr};
}

static struct mapping *mapping_of(const struct addr_range *pool, size_t pool_count,
				  uint16_t first_port, uint16_t last_port)
{
	struct mapping_config config = {
		.key = test_key,
		.pool = pool,
		.pool_count = pool_count,
		.first_port = first_port,
		.last_port = last_port,
	};
	struct mapping *m = mapping_new(&config);

	assert_non_null(m);
	return m;
}

static struct mapping *mapping_to(const char *first, const char *last)
{
	struct addr_range pool = range(first, last);

	return mapping_of(&pool, 1, FIRST_PORT, LAST_PORT);
}

static struct endpoint take(struct mapping *m, struct endpoint client, struct endpoint target)
{
	struct endpoint faked;

	assert_int_equal(mapping_take(m, &client, 0, &target, &faked), 0);
	return faked;
}

static void assert_taken(struct endpoint faked, const char *addr, uint16_t port)
{
	struct endpoint want = at(addr, port);
	char text[ENDPOINT_TEXT_MAX];

	if (!endpoint_equal(&faked, &want))
		fail_msg("got %s, not %s port %u", endpoint_format(text, sizeof(text), &faked),
			 addr, port);
}

static void assert_not_available(struct mapping *m, struct endpoint client, struct endpoint target)
{
	struct endpoint faked;

	errno = 0;
	assert_int_equal(mapping_take(m, &client, 0, &target, &faked), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
}

static void release(struct mapping *m, struct endpoint faked, struct endpoint target)
{
	mapping_release(m, &faked, &target);
}

static void client_keeps_its_port_on_the_pool_address(void **state)
{
	struct mapping *m = mapping_to("10.20.30.9", "10.20.30.9");
	struct endpoint target = at("10.0.0.2", 80);

	(void)state;
	assert_taken(take(m, at("1.2.3.4", 40000), target), "10.20.30.9", 40000);
	assert_taken(take(m, at("1.2.3.5", 1024), target), "10.20.30.9", 1024);
	assert_taken(take(m, at("1.2.3.6", 65535), target), "10.20.30.9", 65535);
	assert_int_equal(mapping_count(m), 3);
	mapping_free(m);
	mapping_free(NULL);
}

static void port_that_is_taken_gives_the_next_free_one_wrapping(void **state)
{
	struct mapping *m = mapping_to("10.20.30.9", "10.20.30.9");
	struct endpoint target = at("10.0.0.2", 80);

	(void)state;
	assert_taken(take(m, at("1.2.3.4", 65534), target), "10.20.30.9", 65534);
	assert_taken(take(m, at("1.2.3.5", 65534), target), "10.20.30.9", 65535);
	assert_taken(take(m, at("1.2.3.6", 65534), target), "10.20.30.9", 1024);
	assert_taken(take(m, at("1.2.3.7", 65535), target), "10.20.30.9", 1025);
	release(m, at("10.20.30.9", 65535), target);
	assert_taken(take(m, at("1.2.3.8", 65534), target), "10.20.30.9", 65535);
	mapping_free(m);
}

static void port_outside_the_slice_is_moved_into_it(void **state)
{
	struct addr_range pool = range("10.20.30.9", "10.20.30.9");
	struct mapping *m = mapping_of(&pool, 1, 2000, 2009);
	struct endpoint target = at("10.0.0.2", 80);

	(void)state;
	for (unsigned port = 0; port < 10; port++) {
		struct endpoint faked = take(m, at("1.2.3.4", (uint16_t)(port * 6553 + 1)), target);

		assert_in_range(faked.port, 2000, 2009);
	}
	assert_not_available(m, at("1.2.3.4", 2000), target);
	mapping_free(m);
}

static void client_keeps_its_faked_address_at_every_target(void **state)
{
	struct mapping *m = mapping_to("10.20.30.1", "10.20.30.254");
	struct endpoint first, other;

	(void)state;
	first = take(m, at("1.2.3.4", 5000), at("10.0.0.2", 80));
	other = take(m, at("1.2.3.4", 5001), at("10.0.0.2", 80));
	assert_true(ip_addr_equal(&first.addr, &other.addr));
	other = take(m, at("1.2.3.4", 5000), at("10.0.0.3", 80));
	assert_true(endpoint_equal(&first, &other));
	mapping_free(m);
}

static void clients_spread_over_the_pool(void **state)
{
	struct addr_range pool = range("10.20.30.1", "10.20.30.254");
	struct mapping *m = mapping_to("10.20.30.1", "10.20.30.254");
	unsigned clients[256] = {0};

	(void)state;
	for (uint32_t i = 0; i < 25400; i++) {
		struct endpoint client = {.addr = ip_addr_v4(0x01000000 + i), .port = 5000};
		struct endpoint faked = take(m, client, at("10.0.0.2", 80));

		assert_true(addr_range_contains(&pool, &faked.addr));
		clients[faked.addr.b[15]]++;
	}
	for (int i = 1; i <= 254; i++)
		assert_in_range(clients[i], 50, 160);
	mapping_free(m);
}

/* Fills one address for target, checking that no port comes twice; seen has 65536 places. */
static void fill_one_address(struct mapping *m, struct endpoint target, uint8_t *seen)
{
	memset(seen, 0, 65536);
	for (uint32_t i = 0; i < PORTS; i++) {
		struct endpoint client = {.addr = ip_addr_v4(i),
					  .port = (uint16_t)random_below(65536)};
		uint64_t steps = mapping_steps(m);
		struct endpoint faked = take(m, client, target);

		assert_in_range(mapping_steps(m) - steps, 0, STEPS_MAX);
		assert_true(faked.port >= FIRST_PORT);
		assert_int_equal(seen[faked.port], 0);
		seen[faked.port] = 1;
	}
}

static void one_address_takes_exactly_all_its_ports(void **state)
{
	struct mapping *m = mapping_to("10.20.30.9", "10.20.30.9");
	size_t memory = mapping_memory(m);
	struct endpoint target = at("10.0.0.2", 80);
	uint8_t *seen = malloc(65536);

	(void)state;
	random_state = 1;
	for (int round = 0; round < 2; round++) {
		fill_one_address(m, target, seen);
		assert_int_equal(mapping_count(m), PORTS);
		assert_not_available(m, at("1.2.3.4", 5000), target);
		assert_not_available(m, at("1.2.3.4", 5001), target);
		release(m, at("10.20.30.9", 33333), target);
		assert_taken(take(m, at("1.2.3.4", 5000), target), "10.20.30.9", 33333);
		assert_not_available(m, at("1.2.3.4", 5000), target);
		/* 32 bytes a port at the most. */
		assert_in_range(mapping_memory(m), memory, memory + PORTS);
		for (uint32_t port = FIRST_PORT; port <= LAST_PORT; port++) {
			uint64_t steps = mapping_steps(m);

			release(m, at("10.20.30.9", (uint16_t)port), target);
			assert_in_range(mapping_steps(m) - steps, 0, STEPS_MAX);
			/* A bitset serves hundreds, an array dozens, and a few need neither. */
			if (port == LAST_PORT - 100)
				assert_in_range(mapping_memory(m), memory + 200, memory + 900);
			if (port == LAST_PORT - 2)
				assert_in_range(mapping_memory(m), memory + 1, memory + 200);
		}
		assert_int_equal(mapping_count(m), 0);
		assert_int_equal(mapping_memory(m), memory);
	}
	free(seen);
	mapping_free(m);
}

static void targets_do_not_disturb_each_other(void **state)
{
	struct mapping *m = mapping_to("10.20.30.9", "10.20.30.9");
	struct endpoint full = at("10.0.0.2", 80);
	uint8_t *seen = malloc(65536);

	(void)state;
	random_state = 2;
	fill_one_address(m, full, seen);
	assert_not_available(m, at("1.2.3.4", 5000), full);
	assert_taken(take(m, at("1.2.3.4", 5000), at("10.0.0.2", 81)), "10.20.30.9", 5000);
	assert_taken(take(m, at("1.2.3.4", 5000), at("10.0.0.3", 80)), "10.20.30.9", 5000);
	release(m, at("10.20.30.9", 5000), at("10.0.0.2", 81));
	assert_not_available(m, at("1.2.3.4", 5000), full);
	assert_taken(take(m, at("1.2.3.5", 5000), at("10.0.0.3", 80)), "10.20.30.9", 5001);
	free(seen);
	mapping_free(m);
}

static void full_addresses_lead_to_the_next_ones(void **state)
{
	/* Two ports an address make 508 sessions of the pool of 254. */
	struct addr_range pool = range("10.20.30.1", "10.20.30.254");
	struct mapping *m = mapping_of(&pool, 1, 5000, 5001);
	size_t memory = mapping_memory(m);
	struct endpoint target = at("10.0.0.2", 80);
	struct endpoint client = at("1.2.3.4", 5000);
	uint8_t seen[256][2] = {{0}};
	uint8_t last_host = 0;

	(void)state;
	for (int i = 0; i < 508; i++) {
		uint64_t steps = mapping_steps(m);
		struct endpoint faked = take(m, client, target);
		uint8_t host = faked.addr.b[15];

		assert_in_range(mapping_steps(m) - steps, 0, STEPS_MAX);
		assert_true(addr_range_contains(&pool, &faked.addr));
		assert_in_range(faked.port, 5000, 5001);
		assert_int_equal(seen[host][faked.port - 5000]++, 0);
		if (i && i % 2 == 0)
			assert_int_equal(host, last_host == 254 ? 1 : last_host + 1);
		last_host = host;
	}
	assert_not_available(m, client, target);
	assert_not_available(m, at("9.9.9.9", 1), target);
	release(m, at("10.20.30.77", 5001), target);
	assert_taken(take(m, client, target), "10.20.30.77", 5001);
	assert_not_available(m, client, target);
	for (int host = 1; host <= 254; host++)
		for (int port = 0; port < 2; port++) {
			struct endpoint faked = at("10.20.30.0", (uint16_t)(5000 + port));

			faked.addr.b[15] = (uint8_t)host;
			release(m, faked, target);
		}
	assert_int_equal(mapping_count(m), 0);
	assert_int_equal(mapping_memory(m), memory);
	mapping_free(m);
}

static void pool_of_a_million_nearly_full_takes_constant_steps(void **state)
{
	/* One port an address: the searched maximum of addresses, all but a few full. */
	struct addr_range pool = range("10.0.0.0", "10.15.255.255");
	struct mapping *m = mapping_of(&pool, 1, 7, 7);
	struct endpoint target = at("192.168.0.2", 80);
	uint64_t worst = 0;

	(void)state;
	random_state = 3;
	for (uint32_t i = 0; i < MAPPING_SEARCHED_ADDRESSES_MAX; i++) {
		struct endpoint client = {.addr = ip_addr_v4((uint32_t)random_below(UINT32_MAX)),
					  .port = 9};
		uint64_t steps = mapping_steps(m);

		take(m, client, target);
		if (mapping_steps(m) - steps > worst)
			worst = mapping_steps(m) - steps;
	}
	assert_not_available(m, at("1.2.3.4", 5000), target);
	/* Probe runs of the hash table at three quarters full are the longest part. */
	assert_in_range(worst, 1, 400);
	release(m, at("10.3.2.1", 7), target);
	assert_taken(take(m, at("1.2.3.4", 5000), target), "10.3.2.1", 7);
	mapping_free(m);
}

static void larger_pool_gives_up_after_the_documented_probes(void **state)
{
	struct addr_range pool = range("10.0.0.0", "10.255.255.255");
	struct mapping *m = mapping_of(&pool, 1, 7, 7);
	struct endpoint target = at("192.168.0.2", 80);

	(void)state;
	for (int i = 0; i < MAPPING_PROBES_MAX; i++)
		take(m, at("1.2.3.4", 5000), target);
	assert_not_available(m, at("1.2.3.4", 5000), target);
	take(m, at("1.2.3.5", 5000), target);
	mapping_free(m);
}

static void larger_pool_wraps_at_its_end(void **state)
{
	struct addr_range pool = range("10.0.0.0", "10.16.0.0");
	struct mapping *m = mapping_of(&pool, 1, 7, 7);
	struct endpoint target = at("192.168.0.2", 80), client = {.port = 7};
	uint64_t count = addr_range_count(&pool);
	uint32_t i = 0;

	(void)state;
	/* A client whose address leads to the last one of the pool. */
	do
		client.addr = ip_addr_v4(++i);
	while (hash_bytes(&test_key, client.addr.b, sizeof(client.addr.b)) % count != count - 1);
	assert_taken(take(m, client, target), "10.16.0.0", 7);
	assert_taken(take(m, client, target), "10.0.0.0", 7);
	assert_taken(take(m, client, target), "10.0.0.1", 7);
	mapping_free(m);
}

static void ipv6_pool_too_large_to_count_works(void **state)
{
	struct addr_range pool[2] = {range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
				     range("fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
	struct mapping *m = mapping_of(pool, 2, FIRST_PORT, LAST_PORT);
	struct endpoint target = at("2001:db9::2", 80), a, b;

	(void)state;
	a = take(m, at("2001:4860::1", 5000), target);
	b = take(m, at("2001:4860::1", 5000), target);
	assert_true(addr_range_contains(&pool[0], &a.addr));
	assert_true(ip_addr_equal(&a.addr, &b.addr));
	assert_int_equal(b.port, 5001);
	release(m, a, target);
	release(m, b, target);
	assert_int_equal(mapping_count(m), 0);
	mapping_free(m);
}

static void faked_address_has_the_family_of_the_target(void **state)
{
	struct addr_range pool[2] = {range("2001:db8::9", "2001:db8::9"),
				     range("10.20.30.9", "10.20.30.9")};
	struct endpoint v4_target = at("10.0.0.2", 80), v6_target = at("2001:db8::2", 80);
	struct mapping *m = mapping_of(pool, 2, FIRST_PORT, LAST_PORT);

	(void)state;
	assert_taken(take(m, at("1.2.3.4", 5000), v4_target), "10.20.30.9", 5000);
	assert_taken(take(m, at("2001:4860::1", 5000), v4_target), "10.20.30.9", 5001);
	assert_taken(take(m, at("1.2.3.4", 5000), v6_target), "2001:db8::9", 5000);
	assert_taken(take(m, at("2001:4860::1", 6000), v6_target), "2001:db8::9", 6000);
	mapping_free(m);

	m = mapping_of(pool + 1, 1, FIRST_PORT, LAST_PORT); /* IPv4 alone */
	assert_not_available(m, at("2001:4860::1", 5000), v6_target);
	assert_not_available(m, at("1.2.3.4", 5000), v6_target);
	assert_taken(take(m, at("2001:4860::1", 5000), v4_target), "10.20.30.9", 5000);
	mapping_free(m);
}

static void without_a_pool_clients_keep_their_addresses(void **state)
{
	struct mapping *m = mapping_of(NULL, 0, 5000, 5001);
	struct endpoint target = at("10.0.0.2", 80), v6_target = at("2001:db8::2", 80);
	size_t memory = mapping_memory(m);

	(void)state;
	assert_taken(take(m, at("1.2.3.4", 5000), target), "1.2.3.4", 5000);
	assert_taken(take(m, at("1.2.3.4", 5000), target), "1.2.3.4", 5001);
	assert_not_available(m, at("1.2.3.4", 5000), target);
	assert_taken(take(m, at("1.2.3.5", 5000), target), "1.2.3.5", 5000);
	assert_taken(take(m, at("2001:4860::1", 5000), v6_target), "2001:4860::1", 5000);
	assert_not_available(m, at("2001:4860::1", 5000), target);
	assert_not_available(m, at("1.2.3.4", 5000), v6_target);
	release(m, at("1.2.3.4", 5000), target);
	assert_taken(take(m, at("1.2.3.4", 5001), target), "1.2.3.4", 5000);
	release(m, at("1.2.3.4", 5000), target);
	release(m, at("1.2.3.4", 5001), target);
	release(m, at("1.2.3.5", 5000), target);
	release(m, at("2001:4860::1", 5000), v6_target);
	assert_int_equal(mapping_memory(m), memory);
	mapping_free(m);
}

static void overlapping_ranges_count_an_address_once(void **state)
{
	struct addr_range pool[4] = {
		range("10.20.30.4", "10.20.30.6"), range("10.20.30.1", "10.20.30.5"),
		range("10.20.30.2", "10.20.30.3"), range("10.20.30.9", "10.20.30.9")};
	struct mapping *m = mapping_of(pool, 4, 5000, 5000);
	struct endpoint target = at("10.0.0.2", 80);
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 7; i++)
		seen |= 1u << take(m, at("1.2.3.4", 5000), target).addr.b[15];
	assert_int_equal(seen, 0x27e); /* 1 to 6, and 9 */
	assert_not_available(m, at("1.2.3.4", 5000), target);
	for (unsigned host = 1; host <= 9; host++) {
		struct endpoint faked = at("10.20.30.0", 5000);

		faked.addr.b[15] = (uint8_t)host;
		if (seen & 1u << host)
			release(m, faked, target);
	}
	assert_int_equal(mapping_count(m), 0);
	mapping_free(m);
}

static void range_within_another_changes_nothing(void **state)
{
	struct addr_range pool[2] = {range("10.20.30.1", "10.20.30.6"),
				     range("10.20.30.2", "10.20.30.3")};
	struct mapping *m = mapping_of(pool, 2, 5000, 5000);
	struct endpoint target = at("10.0.0.2", 80);

	(void)state;
	for (int i = 0; i < 6; i++)
		take(m, at("1.2.3.4", 5000), target);
	assert_not_available(m, at("1.2.3.4", 5000), target);
	mapping_free(m);
}

static void more_targets_than_transfers_are_refused(void **state)
{
	struct mapping *m = mapping_to("10.20.30.9", "10.20.30.9");
	struct endpoint client = at("1.2.3.4", 5000);

	(void)state;
	for (uint16_t port = 1; port <= TRANSFERS_MAX; port++)
		take(m, client, at("10.0.0.2", port));
	assert_not_available(m, client, at("10.0.0.2", TRANSFERS_MAX + 1));
	release(m, at("10.20.30.9", 5000), at("10.0.0.2", 7));
	take(m, client, at("10.0.0.2", TRANSFERS_MAX + 1));
	assert_taken(take(m, client, at("10.0.0.2", TRANSFERS_MAX)), "10.20.30.9", 5001);
	mapping_free(m);
}

static struct endpoint take_copy(struct mapping *m, struct endpoint client, unsigned copy,
				 struct endpoint target)
{
	struct endpoint faked;

	assert_int_equal(mapping_take(m, &client, copy, &target, &faked), 0);
	return faked;
}

/* Whatever else is in use: the client's hash, and the copy's, decide. */
static void copy_keeps_its_address_and_port(void **state)
{
	struct mapping *m = mapping_to("10.20.30.1", "10.20.30.254");
	struct endpoint target = at("10.0.0.2", 80), client = at("192.0.2.7", 40000);
	struct endpoint first[4];
	size_t others = 0;

	(void)state;
	for (unsigned copy = 0; copy < 4; copy++) {
		first[copy] = take_copy(m, client, copy, target);
		others += !ip_addr_equal(&first[copy].addr, &first[0].addr);
	}
	assert_true(others >= 2); /* by the hash two may share one of 254, all four hardly */
	for (unsigned copy = 0; copy < 4; copy++)
		release(m, first[copy], target);
	for (unsigned copy = 4; copy-- > 0;) {
		struct endpoint again = take_copy(m, client, copy, target);

		assert_true(endpoint_equal(&again, &first[copy]));
	}
	mapping_free(m);
}

/* Copies of clients with ports in a row, on one address: each finds its own place free. */
static void copies_on_one_address_stay_out_of_each_others_way(void **state)
{
	struct mapping *m = mapping_to("10.20.30.9", "10.20.30.9");
	struct endpoint target = at("10.0.0.2", 80);
	uint16_t home[10];

	(void)state;
	for (unsigned copy = 0; copy < 10; copy++)
		home[copy] = take_copy(m, at("192.0.2.7", 40000), copy, target).port;
	assert_int_equal(home[0], 40000);
	for (uint16_t i = 1; i < 1000; i++) {
		for (unsigned copy = 0; copy < 10; copy++) {
			uint32_t want = home[copy] + UINT32_C(1) * i;

			if (want > LAST_PORT)
				want -= LAST_PORT - FIRST_PORT + 1;
			assert_int_equal(
				take_copy(m, at("192.0.2.7", (uint16_t)(40000 + i)), copy, target)
					.port,
				want);
		}
	}
	mapping_free(m);
}

/* A full address of -H is no address of the pool, which has a full one too. */
static void localhost_address_is_apart_from_the_pool(void **state)
{
	struct addr_range pool = range("10.20.30.9", "10.20.30.9");
	struct mapping_config config = {
		.key = test_key,
		.pool = &pool,
		.pool_count = 1,
		.localhost_ip4 = at("10.20.31.1", 0).addr,
		.localhost_ip6 = at("2001:db8::1", 0).addr,
		.first_port = 5000,
		.last_port = 5001,
	};
	struct mapping *m = mapping_new(&config);
	struct endpoint target = at("10.0.0.2", 80), local = at("127.0.0.1", 5000);
	struct endpoint first, second;

	(void)state;
	assert_non_null(m);
	take(m, at("192.0.2.7", 5000), target);
	take(m, at("192.0.2.7", 5000), target); /* the pool is full */
	first = take(m, local, target);
	second = take(m, local, target);
	assert_taken(first, "10.20.31.1", 5000);
	assert_taken(second, "10.20.31.1", 5001);
	assert_not_available(m, local, target);
	release(m, second, target);
	assert_taken(take(m, local, target), "10.20.31.1", 5001);
	assert_not_available(m, at("192.0.2.7", 5000), target);
	assert_taken(take(m, local, at("2001:db8::2", 80)), "2001:db8::1", 5000);
	mapping_free(m);
}

static struct mapping *shifted(unsigned shift)
{
	struct addr_range pool = range("10.20.30.9", "10.20.30.9");
	struct mapping_config config = {
		.key = test_key,
		.pool = &pool,
		.pool_count = 1,
		.first_port = FIRST_PORT,
		.last_port = LAST_PORT,
		.port_shift = shift,
	};
	struct mapping *m = mapping_new(&config);

	assert_non_null(m);
	return m;
}

static uint16_t port_with_shift(unsigned shift, uint16_t client_port)
{
	struct mapping *m = shifted(shift);
	uint16_t port = take(m, at("192.0.2.7", client_port), at("10.0.0.2", 80)).port;

	mapping_free(m);
	return port;
}

static void every_shift_gives_a_client_another_port(void **state)
{
	static bool seen[UINT16_MAX + 1];

	(void)state;
	for (unsigned shift = 0; shift < MAPPING_SHIFTS; shift++) {
		uint16_t port = port_with_shift(shift, 40000);

		assert_true(port >= FIRST_PORT && !seen[port]);
		seen[port] = true;
	}
	assert_true(seen[40000]);
}

/* Linux takes clients' ports from 32768 to 60999: with -f 1 none of these is wanted. */
static void first_two_shifts_share_no_port_of_the_usual_range(void **state)
{
	struct mapping *m = shifted(1);

	(void)state;
	for (unsigned port = 32768; port < 61000; port++) {
		uint16_t faked = take(m, at("192.0.2.7", (uint16_t)port), at("10.0.0.2", 80)).port;

		assert_true(faked < 32768 || faked > 60999);
	}
	mapping_free(m);
}

static void wrong_configuration_is_refused(void **state)
{
	struct addr_range reversed = range("10.0.0.2", "10.0.0.1");
	struct addr_range mixed = range("10.0.0.2", "2001:db8::1");
	struct addr_range around = range("::", "::ffff:ffff:ffff:ffff");
	struct mapping_config config = {.first_port = 2000, .last_port = 1999};

	(void)state;
	errno = 0;
	assert_null(mapping_new(&config));
	assert_int_equal(errno, EINVAL);
	config.last_port = 2000;
	config.first_port = 0;
	assert_null(mapping_new(&config));
	config.first_port = 2000;
	config.pool_count = 1;
	config.pool = &reversed;
	assert_null(mapping_new(&config));
	config.pool = &mixed;
	assert_null(mapping_new(&config));
	config.pool = &around;
	errno = 0;
	assert_null(mapping_new(&config));
	assert_int_equal(errno, EINVAL);
}

enum {
	MODEL_HOSTS = 4,
	MODEL_PORTS = 700, /* an address passes from inline over array to bitset and back */
	MODEL_TARGETS = 2,
};

static void mapping_agrees_with_a_plain_array_under_random_operations(void **state)
{
	static bool taken[MODEL_TARGETS][MODEL_HOSTS][MODEL_PORTS];
	struct addr_range pool = range("10.20.30.0", "10.20.30.3");
	struct mapping *m = mapping_of(&pool, 1, 9000, 9000 + MODEL_PORTS - 1);
	size_t memory = mapping_memory(m), count = 0;

	(void)state;
	random_state = 4;
	for (int step = 0; step < 400000; step++) {
		unsigned t = (unsigned)random_below(MODEL_TARGETS);
		struct endpoint target = at("10.0.0.2", (uint16_t)(80 + t));
		unsigned host = (unsigned)random_below(MODEL_HOSTS);
		unsigned port = (unsigned)random_below(MODEL_PORTS);
		struct endpoint e = {.addr = ip_addr_v4(0x0a141e00 + host),
				     .port = (uint16_t)(9000 + port)};
		bool filling = (step / 40000) % 2 == 0;

		if (random_below(100) < (filling ? 80u : 30u)) {
			e.addr = ip_addr_v4((uint32_t)random_below(UINT32_MAX));
			if (mapping_take(m, &e, 0, &target, &e)) {
				assert_int_equal(errno, EADDRNOTAVAIL);
				for (unsigned h = 0; h < MODEL_HOSTS; h++)
					assert_null(memchr(taken[t][h], 0, MODEL_PORTS));
				continue;
			}
			host = (unsigned)(ip_addr_to_v4(&e.addr) - 0x0a141e00);
			assert_true(host < MODEL_HOSTS);
			assert_in_range(e.port, 9000, 9000 + MODEL_PORTS - 1);
			assert_false(taken[t][host][e.port - 9000]);
			taken[t][host][e.port - 9000] = true;
			count++;
		} else if (taken[t][host][port]) {
			mapping_release(m, &e, &target);
			taken[t][host][port] = false;
			count--;
		}
		assert_int_equal(mapping_count(m), count);
	}
	for (unsigned t = 0; t < MODEL_TARGETS; t++)
		for (unsigned host = 0; host < MODEL_HOSTS; host++)
			for (unsigned port = 0; port < MODEL_PORTS; port++) {
				struct endpoint e = {.addr = ip_addr_v4(0x0a141e00 + host),
						     .port = (uint16_t)(9000 + port)};

				if (taken[t][host][port])
					release(m, e, at("10.0.0.2", (uint16_t)(80 + t)));
			}
	assert_int_equal(mapping_memory(m), memory);
	mapping_free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_keeps_its_port_on_the_pool_address),
		cmocka_unit_test(port_that_is_taken_gives_the_next_free_one_wrapping),
		cmocka_unit_test(port_outside_the_slice_is_moved_into_it),
		cmocka_unit_test(client_keeps_its_faked_address_at_every_target),
		cmocka_unit_test(clients_spread_over_the_pool),
		cmocka_unit_test(one_address_takes_exactly_all_its_ports),
		cmocka_unit_test(targets_do_not_disturb_each_other),
		cmocka_unit_test(full_addresses_lead_to_the_next_ones),
		cmocka_unit_test(pool_of_a_million_nearly_full_takes_constant_steps),
		cmocka_unit_test(larger_pool_gives_up_after_the_documented_probes),
		cmocka_unit_test(larger_pool_wraps_at_its_end),
		cmocka_unit_test(ipv6_pool_too_large_to_count_works),
		cmocka_unit_test(faked_address_has_the_family_of_the_target),
		cmocka_unit_test(without_a_pool_clients_keep_their_addresses),
		cmocka_unit_test(overlapping_ranges_count_an_address_once),
		cmocka_unit_test(range_within_another_changes_nothing),
		cmocka_unit_test(more_targets_than_transfers_are_refused),
		cmocka_unit_test(copy_keeps_its_address_and_port),
		cmocka_unit_test(copies_on_one_address_stay_out_of_each_others_way),
		cmocka_unit_test(localhost_address_is_apart_from_the_pool),
		cmocka_unit_test(every_shift_gives_a_client_another_port),
		cmocka_unit_test(first_two_shifts_share_no_port_of_the_usual_range),
		cmocka_unit_test(wrong_configuration_is_refused),
		cmocka_unit_test(mapping_agrees_with_a_plain_array_under_random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
