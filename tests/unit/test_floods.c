/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_floods.c - strangers choose the tuples, and peers the ids: no pattern of theirs makes a search long in any table that they
 * reach, because they cannot know its key. And a flood of SYNs, which those who are connected do not notice.
 */
#include "tests/unit/replay_fixture.h"

#include "common/tuple_map.h"
#include "intercept/router.h"
#include "tcpcopy/left_out.h"
#include "tcpcopy/port_table.h"

enum {
	TUPLES = 98000, /* three quarters of 2^17 slots, nearly: as full as a table becomes */
	/*
	 * With linear probing at three quarters the longest of so many searches has some 300 steps (ln n / (a - 1 - ln a)) if
	 * the hash spreads them; the mean of those that find something is 2.5.
	 */
	LONGEST = 400,
	MEAN = 4,
	COLLIDING = 1500, /* of 2048 slots */
	COLLIDING_SLOTS = 2048,
	LEFT_OUT_BYTES = 4 << 20,
	MEMBERS = 100, /* who are connected while a flood comes */
	FLOOD = 20000,
	MAX_SESSIONS = 4096,
	TRIED = MAX_SESSIONS / 4, /* replay.c: HALF_OPEN_SHARE */
};

static const struct hash_key secret = {UINT64_C(0x3f8a1c77d2049be5), UINT64_C(0x90c4e6b1275da83f)};

/* ---- what strangers may choose ---- */

static struct tuple to_server(struct ip_addr from, uint16_t port)
{
	struct tuple t = {
		.src = {from, port}, .dst = {ip_addr_v4(0xc0000202), 80}, .protocol = PROTOCOL_TCP};

	if (!ip_addr_is_v4(&from))
		t.dst.addr = (struct ip_addr){.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
	return t;
}

static struct ip_addr v6(uint64_t prefix, uint64_t host)
{
	struct ip_addr a;

	for (unsigned i = 0; i < 8; i++) {
		a.b[i] = (uint8_t)(prefix >> (56 - 8 * i));
		a.b[8 + i] = (uint8_t)(host >> (56 - 8 * i));
	}
	return a;
}

static struct tuple all_ports_of_few_clients(uint32_t n)
{
	return to_server(ip_addr_v4(0x0a000001 + (n >> 16)), (uint16_t)n);
}

static struct tuple one_port_of_neighbours(uint32_t n)
{
	return to_server(ip_addr_v4(0x0a000000 + n), 4711);
}

static struct tuple same_low_bits(uint32_t n)
{
	return to_server(ip_addr_v4((n << 13) | 0x1234), (uint16_t)(n >> 19));
}

static struct tuple multiples_of_256(uint32_t n)
{
	return to_server(ip_addr_v4(n << 8), (uint16_t)(n >> 8 & 0xff00));
}

static struct tuple address_and_port_of_one_sum(uint32_t n)
{
	return to_server(ip_addr_v4(0x0a000000 + n), (uint16_t)(0xffff - n));
}

static struct tuple address_and_port_alike(uint32_t n)
{
	return to_server(ip_addr_v4(n << 16 | (n & 0xffff)), (uint16_t)(n ^ n >> 16));
}

static struct tuple ip6_one_host_of_many_prefixes(uint32_t n)
{
	return to_server(v6(UINT64_C(0x20010db800000000) + n, 1), 4711);
}

static struct tuple ip6_many_hosts_of_one_prefix(uint32_t n)
{
	return to_server(v6(UINT64_C(0x20010db800000000), n), 4711);
}

static struct tuple ip6_high_bits_of_hosts(uint32_t n)
{
	return to_server(v6(UINT64_C(0x20010db800000000), (uint64_t)n << 40), 4711);
}

static struct tuple ip6_prefix_and_host_alike(uint32_t n)
{
	return to_server(v6(n, n), (uint16_t)n);
}

static const struct pattern {
	const char *name;
	struct tuple (*tuple)(uint32_t n); /* another one for each n below TUPLES */
} patterns[] = {
	{"all ports of few clients", all_ports_of_few_clients},
	{"one port of neighbours", one_port_of_neighbours},
	{"the same low bits", same_low_bits},
	{"multiples of 256", multiples_of_256},
	{"address and port of one sum", address_and_port_of_one_sum},
	{"address and port alike", address_and_port_alike},
	{"one host of many IPv6 prefixes", ip6_one_host_of_many_prefixes},
	{"many hosts of one IPv6 prefix", ip6_many_hosts_of_one_prefix},
	{"high bits of IPv6 hosts", ip6_high_bits_of_hosts},
	{"IPv6 prefix and host alike", ip6_prefix_and_host_alike},
};

enum {
	PATTERNS = sizeof(patterns) / sizeof(patterns[0]),
};

static void expect_at_most(const char *pattern, const char *what, uint64_t seen, uint64_t most)
{
	if (seen > most)
		fail_msg("%s: %s is %llu, more than %llu", pattern, what, (unsigned long long)seen,
			 (unsigned long long)most);
}

/* ---- tuples of captured packets: connections, routes ---- */

static const struct tuple *tuple_at(const void *owner, uint32_t value)
{
	return (const struct tuple *)owner + value;
}

static uint32_t longest_of(const struct hash_key *key, const struct tuple *tuples, uint32_t count)
{
	struct tuple_map *m = tuple_map_new(key, tuple_at, tuples);
	uint32_t longest;

	assert_non_null(m);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(tuple_map_insert(m, &tuples[i], i), 0);
	for (uint32_t i = 0; i < count; i++) /* each of them is another */
		assert_int_equal(tuple_map_find(m, &tuples[i]), i);
	longest = tuple_map_longest_search(m);
	tuple_map_free(m);
	return longest;
}

static void no_pattern_makes_a_search_for_a_connection_long(void **state)
{
	struct tuple *tuples = calloc(TUPLES, sizeof(*tuples));

	(void)state;
	assert_non_null(tuples);
	for (size_t p = 0; p < PATTERNS; p++) {
		for (uint32_t i = 0; i < TUPLES; i++)
			tuples[i] = patterns[p].tuple(i);
		expect_at_most(patterns[p].name, "the longest search",
			       longest_of(&secret, tuples, TUPLES), LONGEST);
	}
	free(tuples);
}

/* Tuples that all begin at one slot, as far as somebody who believes in this key can tell. */
static struct tuple *colliding_under(const struct hash_key *key)
{
	struct tuple *tuples = calloc(COLLIDING, sizeof(*tuples));
	uint32_t found = 0;

	assert_non_null(tuples);
	for (uint32_t n = 0; found < COLLIDING; n++) {
		struct tuple t = to_server(ip_addr_v4(0x0a000000 + (n >> 8)), (uint16_t)n);

		if (tuple_hash(key, &t) % COLLIDING_SLOTS == 0)
			tuples[found++] = t;
	}
	return tuples;
}

/* It is the key that protects: whoever had it could do this. */
static void tuples_that_collide_under_another_key_do_not_here(void **state)
{
	static const struct hash_key guessed = {1, 2};
	struct tuple *tuples = colliding_under(&guessed);

	(void)state;
	assert_int_equal(longest_of(&guessed, tuples, COLLIDING), COLLIDING);
	assert_in_range(longest_of(&secret, tuples, COLLIDING), 2, LONGEST);
	free(tuples);
}

static uint32_t descending(uint32_t n)
{
	return UINT32_MAX - n;
}

static uint32_t high_bits(uint32_t n)
{
	return n << 15;
}

/* Ids are what a peer says they are. */
static void no_pattern_makes_a_search_for_a_route_long(void **state)
{
	static const struct router_limits limits = {.routes_max = TUPLES,
						    .peer_routes_max = TUPLES};
	uint32_t (*const ids[])(uint32_t n) = {descending, high_bits};

	(void)state;
	for (size_t p = 0; p < PATTERNS; p++) {
		struct router *r = router_new(&secret, &limits);

		assert_non_null(r);
		for (uint32_t i = 0; i < TUPLES; i++) {
			struct tuple t = patterns[p].tuple(i);
			struct session_route *route;

			t = tuple_reverse(&t);
			assert_int_equal(router_add(r, 0, ids[p % 2](i), &t, &route), ROUTER_ADDED);
		}
		expect_at_most(patterns[p].name, "the longest search", router_longest_search(r),
			       LONGEST);
		router_free(r);
	}
}

/* ---- faked addresses and ports ---- */

/* Without -c clients choose the faked address too, and always the port that is asked for. */
static void no_pattern_makes_a_search_for_a_port_long(void **state)
{
	(void)state;
	for (size_t p = 0; p < PATTERNS; p++) {
		struct port_table t;

		port_table_init(&t, &secret, 1024, UINT16_MAX);
		for (uint32_t i = 0; i < TUPLES; i++) {
			struct tuple tuple = patterns[p].tuple(i);
			uint16_t port;
			bool is_full;

			if (port_table_take(&t, &tuple.src.addr, 0, tuple.src.port, &port,
					    &is_full))
				assert_true(is_full);
		}
		expect_at_most(patterns[p].name, "the mean search", t.steps / TUPLES, 2 * MEAN);
		port_table_fini(&t);
	}
}

/* ---- connections that are left out ---- */

static uint32_t remembered(struct left_out *l, const struct pattern *p, uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct tuple t = p->tuple(i);

		n += left_out_find(l, &t) != NULL;
	}
	return n;
}

/* There searches have four steps; what a pattern could do is to push others out. Half full, some 8 % are, at random. */
static void no_pattern_pushes_out_more_than_chance_does(void **state)
{
	const uint32_t count = LEFT_OUT_BYTES / 2 / sizeof(struct left_out_entry);

	(void)state;
	for (size_t p = 0; p < PATTERNS; p++) {
		struct left_out *l = left_out_new(&secret, LEFT_OUT_BYTES);

		assert_non_null(l);
		for (uint32_t i = 0; i < count; i++) {
			struct tuple t = patterns[p].tuple(i);

			left_out_add(l, &t, i, DROP_SAMPLED_OUT, 0);
		}
		expect_at_most(patterns[p].name, "the number pushed out",
			       count - remembered(l, &patterns[p], count), count / 10);
		left_out_free(l);
	}
}

/* ---- SYNs that nothing follows ---- */

static void connect_members(struct fixture *f)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		be_client(f, i);
		session_established(f);
	}
}

/* Its request goes in the same batch, however many SYNs came in it. */
static void expect_served(struct fixture *f, unsigned member, uint32_t round)
{
	struct wire_record r;

	f->mute = false;
	be_client(f, member);
	f->at = member;
	client_data(f, 1 + round * 5, 1 + round * 300, "GET /");
	assert_int_equal(f->sent_count, 1);
	assert_int_equal(f->sent[0].faked, member);
	assert_int_equal(f->sent[0].len_bytes, 5);
	r = record_of(f, member, "P. 1:301(300) ack 6");
	r.seq += round * 300;
	r.ack += round * 5;
	give_record(f, &r);
	fixture_forget_sent(f);
	f->mute = true;
}

static void say_syn(struct fixture *f, uint32_t n)
{
	snprintf(f->client_text, sizeof(f->client_text), "10.%u.%u.%u:4711", 128 + (n >> 16),
		 n >> 8 & 255, n & 255);
	f->client = f->client_text;
	client_says(f, "S 0:0(0) <mss 1460>");
}

static void flood_of_syns_is_not_noticed_by_those_who_are_connected(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = MAX_SESSIONS});
	uint32_t round = 0;

	(void)state;
	connect_members(f);
	ignore_sent(f);
	f->mute = true;
	for (uint32_t n = 0; n < FLOOD; n++) {
		say_syn(f, n);
		if (n % (FLOOD / 10) == 0) {
			for (unsigned i = 0; i < MEMBERS; i++)
				expect_served(f, i, round);
			round++;
		}
	}
	assert_int_equal(account_of(f, 0)->sessions.started, MEMBERS + TRIED);
	assert_in_range(replay_connections(f->replay), TRIED, MEMBERS + 2 * TRIED);
	assert_int_equal(stream(f)->delivered.requests, MEMBERS * round);
	assert_int_equal(account_of(f, 0)->sessions.ended_by_us, 0);
	f->mute = false;
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_pattern_makes_a_search_for_a_connection_long),
		cmocka_unit_test(tuples_that_collide_under_another_key_do_not_here),
		cmocka_unit_test(no_pattern_makes_a_search_for_a_route_long),
		cmocka_unit_test(no_pattern_makes_a_search_for_a_port_long),
		cmocka_unit_test(no_pattern_pushes_out_more_than_chance_does),
		cmocka_unit_test(flood_of_syns_is_not_noticed_by_those_who_are_connected),
	};

	return cmocka_run_group_tests_name("floods", tests, NULL, NULL);
}
