/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_router.c - routes: found by the captured tuple, owned by the peer that made them, bounded,
 * and compared with a plain list under random operations.
 */
#include "intercept/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct hash_key test_key = {.k0 = 0x0123456789abcdef, .k1 = 0xfedcba9876543210};
static const struct router_limits no_limits = {.routes_max = ROUTER_ROUTES_MAX,
					       .peer_routes_max = ROUTER_PEER_ROUTES_MAX};

static struct router *router_of(const struct router_limits *limits)
{
	struct router *r = router_new(&test_key, limits);

	assert_non_null(r);
	return r;
}

static struct tuple tuple_of(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port)
{
	struct tuple t = {.src.port = src_port, .dst.port = dst_port, .protocol = PROTOCOL_TCP};

	assert_int_equal(ip_addr_parse(&t.src.addr, src), 0);
	assert_int_equal(ip_addr_parse(&t.dst.addr, dst), 0);
	return t;
}

/* The answers to the n-th faked client. */
static struct tuple answer(unsigned n)
{
	struct tuple t = tuple_of("10.0.0.2", 8080, "10.77.0.0", 40000);

	t.dst.addr = ip_addr_add(&t.dst.addr, n);
	return t;
}

static enum router_result add(struct router *r, unsigned peer, uint32_t id, struct tuple t)
{
	struct session_route *route = NULL;
	enum router_result result = router_add(r, peer, id, &t, &route);

	if (result == ROUTER_ADDED || result == ROUTER_REPLACED) {
		assert_non_null(route);
		assert_int_equal(route->session_id, id);
		assert_int_equal(route->peer, peer);
		assert_int_equal(route->pending, ROUTE_NOTHING_PENDING);
		assert_int_equal(route->last.ttl, 0);
	}
	return result;
}

static void expect_route(struct router *r, struct tuple t, unsigned peer, uint32_t id)
{
	const struct session_route *route = router_find(r, &t);

	assert_non_null(route);
	assert_int_equal(route->peer, peer);
	assert_int_equal(route->session_id, id);
}

static void expect_none(struct router *r, struct tuple t)
{
	assert_null(router_find(r, &t));
}

static void empty_finds_nothing(void **state)
{
	struct router *r = router_of(&no_limits);

	(void)state;
	expect_none(r, answer(1));
	assert_false(router_remove(r, 0, 1));
	assert_int_equal(router_remove_peer(r, 0), 0);
	assert_int_equal(router_count(r), 0);
	router_free(r);
	router_free(NULL);
}

static void registered_is_found_by_its_tuple_only(void **state)
{
	struct router *r = router_of(&no_limits);
	struct tuple t = answer(1), other;

	(void)state;
	assert_int_equal(add(r, 3, 7, t), ROUTER_ADDED);
	expect_route(r, t, 3, 7);
	other = tuple_reverse(&t);
	expect_none(r, other);
	other = t;
	other.src.port++;
	expect_none(r, other);
	other = t;
	other.dst.port++;
	expect_none(r, other);
	other = t;
	other.protocol = 17;
	expect_none(r, other);
	expect_none(r, answer(2));
	router_free(r);
}

static void ipv6_and_ipv4_live_side_by_side(void **state)
{
	struct router *r = router_of(&no_limits);
	struct tuple v6 = tuple_of("2001:db8::2", 80, "2001:db8:77::5", 40000);
	struct tuple mixed = tuple_of("10.0.0.2", 80, "2001:db8:77::5", 40000);

	(void)state;
	assert_int_equal(add(r, 0, 1, answer(1)), ROUTER_ADDED);
	assert_int_equal(add(r, 0, 2, v6), ROUTER_ADDED);
	assert_int_equal(add(r, 0, 3, mixed), ROUTER_BAD_TUPLE);
	expect_route(r, answer(1), 0, 1);
	expect_route(r, v6, 0, 2);
	assert_true(router_remove(r, 0, 2));
	expect_none(r, v6);
	expect_route(r, answer(1), 0, 1);
	router_free(r);
}

/* pitfall 8: a second peer must not steal a route. */
static void pitfall_8_route_belongs_to_the_peer_that_made_it(void **state)
{
	struct router *r = router_of(&no_limits);

	(void)state;
	assert_int_equal(add(r, 0, 7, answer(1)), ROUTER_ADDED);
	assert_int_equal(add(r, 1, 7, answer(1)), ROUTER_TAKEN);
	assert_int_equal(add(r, 1, 9, answer(1)), ROUTER_TAKEN);
	assert_false(router_remove(r, 1, 7));
	assert_int_equal(router_remove_peer(r, 1), 0);
	expect_route(r, answer(1), 0, 7);
	assert_int_equal(router_peer_count(r, 0), 1);
	assert_int_equal(router_peer_count(r, 1), 0);
	router_free(r);
}

static void same_peer_registers_again_and_the_id_changes(void **state)
{
	struct router *r = router_of(&no_limits);
	struct tuple t = answer(1);

	(void)state;
	add(r, 0, 7, t);
	router_find(r, &t)->last.ttl = 64;
	assert_int_equal(add(r, 0, 7, t), ROUTER_REPLACED);
	router_find(r, &t)->last.ttl = 64;
	assert_int_equal(add(r, 0, 8, t), ROUTER_REPLACED);
	expect_route(r, t, 0, 8);
	assert_int_equal(router_count(r), 1);
	assert_false(router_remove(r, 0, 7));
	assert_true(router_remove(r, 0, 8));
	expect_none(r, t);
	router_free(r);
}

static void id_used_for_another_tuple_moves_there(void **state)
{
	struct router *r = router_of(&no_limits);

	(void)state;
	add(r, 0, 7, answer(1));
	add(r, 0, 8, answer(2));
	assert_int_equal(add(r, 0, 7, answer(3)), ROUTER_ADDED);
	expect_none(r, answer(1));
	expect_route(r, answer(3), 0, 7);
	/* And on a tuple that this peer has already: two routes become one. */
	assert_int_equal(add(r, 0, 7, answer(2)), ROUTER_REPLACED);
	expect_none(r, answer(3));
	expect_route(r, answer(2), 0, 7);
	assert_int_equal(router_count(r), 1);
	assert_int_equal(router_peer_count(r, 0), 1);
	router_free(r);
}

static void same_id_of_two_peers_is_two_sessions(void **state)
{
	struct router *r = router_of(&no_limits);

	(void)state;
	add(r, 0, 7, answer(1));
	add(r, 1, 7, answer(2));
	assert_true(router_remove(r, 0, 7));
	expect_none(r, answer(1));
	expect_route(r, answer(2), 1, 7);
	router_free(r);
}

static void peer_that_goes_takes_its_routes_and_no_others(void **state)
{
	struct router *r = router_of(&no_limits);

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		add(r, i % 3, i, answer(i));
	assert_int_equal(router_remove_peer(r, 1), 333);
	for (unsigned i = 0; i < 1000; i++) {
		if (i % 3 == 1)
			expect_none(r, answer(i));
		else
			expect_route(r, answer(i), i % 3, i);
	}
	assert_int_equal(router_count(r), 667);
	/* The number is free for another peer. */
	assert_int_equal(add(r, 1, 1, answer(1)), ROUTER_ADDED);
	router_free(r);
}

static void limits_hold_in_total_and_a_peer(void **state)
{
	const struct router_limits limits = {.routes_max = 5, .peer_routes_max = 3};
	struct router *r = router_of(&limits);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(add(r, 0, i, answer(i)), ROUTER_ADDED);
	assert_int_equal(add(r, 0, 3, answer(3)), ROUTER_FULL);
	assert_int_equal(add(r, 0, 2, answer(2)), ROUTER_REPLACED);
	assert_int_equal(add(r, 1, 0, answer(10)), ROUTER_ADDED);
	assert_int_equal(add(r, 1, 1, answer(11)), ROUTER_ADDED);
	assert_int_equal(add(r, 1, 2, answer(12)), ROUTER_FULL);
	assert_int_equal(router_count(r), 5);
	assert_true(router_remove(r, 0, 0));
	assert_int_equal(add(r, 1, 2, answer(12)), ROUTER_ADDED);
	/* Both families together. */
	assert_int_equal(add(r, 2, 0, tuple_of("2001:db8::2", 80, "2001:db8::3", 5)), ROUTER_FULL);
	router_free(r);
}

static void many_routes_cost_what_the_budget_says(void **state)
{
	enum {
		ROUTES = 98000 /* just under three quarters of a power of two */
	};
	struct router *r = router_of(&no_limits);
	size_t empty = router_memory(r), v4;

	(void)state;
	for (unsigned i = 0; i < ROUTES; i++)
		assert_int_equal(add(r, 0, i * 7919, answer(i)), ROUTER_ADDED);
	v4 = (router_memory(r) - empty) / ROUTES;
	assert_in_range(v4, 32, 64);
	assert_int_equal(router_remove_peer(r, 0), ROUTES);
	/* Given back, but for a chunk and what a small table is. */
	assert_true(router_memory(r) < empty + 64 * 1024);
	for (unsigned i = 0; i < ROUTES; i++) {
		struct tuple t = tuple_of("2001:db8::2", 80, "2001:db8:77::", 40000);

		t.dst.addr = ip_addr_add(&t.dst.addr, i);
		assert_int_equal(add(r, 0, i, t), ROUTER_ADDED);
	}
	assert_in_range((router_memory(r) - empty) / ROUTES, 64, 96);
	router_free(r);
}

/* --- against a model --- */

enum {
	MODEL_TUPLES = 60,
	MODEL_IDS = 40,
	MODEL_PEERS = 3,
};

struct model {
	bool is_there[MODEL_TUPLES];
	unsigned peer[MODEL_TUPLES];
	uint32_t id[MODEL_TUPLES];
};

static int model_by_id(const struct model *m, unsigned peer, uint32_t id)
{
	for (int i = 0; i < MODEL_TUPLES; i++)
		if (m->is_there[i] && m->peer[i] == peer && m->id[i] == id)
			return i;
	return -1;
}

static void model_add(struct model *m, unsigned tuple, unsigned peer, uint32_t id)
{
	int older = model_by_id(m, peer, id);

	if (m->is_there[tuple] && m->peer[tuple] != peer)
		return;
	if (older >= 0)
		m->is_there[older] = false;
	m->is_there[tuple] = true;
	m->peer[tuple] = peer;
	m->id[tuple] = id;
}

static void compare(struct router *r, const struct model *m)
{
	size_t count = 0;

	for (unsigned i = 0; i < MODEL_TUPLES; i++) {
		if (m->is_there[i])
			expect_route(r, answer(i), m->peer[i], m->id[i]);
		else
			expect_none(r, answer(i));
		count += m->is_there[i];
	}
	assert_int_equal(router_count(r), count);
}

static uint32_t random_below(uint64_t *seed, uint32_t n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed % n);
}

static void random_operations_agree_with_a_plain_list(void **state)
{
	struct router *r = router_of(&no_limits);
	struct model m = {.is_there = {false}};
	uint64_t seed = 88172645463325252;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		unsigned tuple = random_below(&seed, MODEL_TUPLES);
		unsigned peer = random_below(&seed, MODEL_PEERS);
		uint32_t id = random_below(&seed, MODEL_IDS), what = random_below(&seed, 100);
		int at = model_by_id(&m, peer, id);

		if (what < 60) {
			add(r, peer, id, answer(tuple));
			model_add(&m, tuple, peer, id);
		} else if (what < 99) {
			assert_int_equal(router_remove(r, peer, id), at >= 0);
			if (at >= 0)
				m.is_there[at] = false;
		} else {
			router_remove_peer(r, peer);
			for (int i = 0; i < MODEL_TUPLES; i++)
				m.is_there[i] = m.is_there[i] && m.peer[i] != peer;
		}
		compare(r, &m);
	}
	router_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_finds_nothing),
		cmocka_unit_test(registered_is_found_by_its_tuple_only),
		cmocka_unit_test(ipv6_and_ipv4_live_side_by_side),
		cmocka_unit_test(pitfall_8_route_belongs_to_the_peer_that_made_it),
		cmocka_unit_test(same_peer_registers_again_and_the_id_changes),
		cmocka_unit_test(id_used_for_another_tuple_moves_there),
		cmocka_unit_test(same_id_of_two_peers_is_two_sessions),
		cmocka_unit_test(peer_that_goes_takes_its_routes_and_no_others),
		cmocka_unit_test(limits_hold_in_total_and_a_peer),
		cmocka_unit_test(many_routes_cost_what_the_budget_says),
		cmocka_unit_test(random_operations_agree_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
