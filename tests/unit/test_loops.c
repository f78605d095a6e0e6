/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_loops.c - a copy is never copied again: not what comes from the address of a faked client, and not what goes to a
 * target, even if its address has come to this host since the start. And no faked client has an address of this host.
 */
#include "tests/unit/replay_fixture.h"

static unsigned told(const struct fixture *f, enum replay_notice what)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->notice_count; i++)
		n += f->notices[i] == what;
	return n;
}

static void speak(struct fixture *f, const char *client)
{
	f->client = client;
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /");
}

static void a_client_with_an_address_of_the_pool_is_left_out_told_once(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.pool_first = "10.20.30.1", .pool_last = "10.20.30.254"});

	(void)state;
	speak(f, "10.20.30.1:40000");
	speak(f, "10.20.30.254:40001");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_FAKED_CLIENT], 2);
	assert_int_equal(stream(f)->dropped[DROP_FAKED_CLIENT].bytes, 10);
	assert_int_equal(told(f, REPLAY_NOTICE_FAKED_CLIENT), 1);
	speak(f, "10.20.31.1:40000");
	expect_segment(f, "S 0:0(0) <mss 1460>");
	fixture_free(f);
}

/* Nor when its beginning was not seen. */
static void nor_is_it_joined(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.pool_first = "10.20.30.1", .pool_last = "10.20.30.254"});

	(void)state;
	f->client = "10.20.30.7:40000";
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 10);
	client_data(f, 6, 301, "GET 2");
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_FAKED_CLIENT].bytes, 10);
	fixture_free(f);
}

static void nor_one_with_the_address_of_H(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.localhost = "10.20.30.7"});

	(void)state;
	speak(f, "10.20.30.7:40000");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_FAKED_CLIENT], 1);
	fixture_free(f);
}

/* A service address that moves from the target's host to the online host. */
static void a_target_whose_address_came_here_is_no_source(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.transfers = {"0.0.0.0:80-10.1.0.1:80"}});
	const struct ip_addr addresses[] = {addr_of("10.0.0.2"), addr_of("10.1.0.1")};

	(void)state;
	assert_int_equal(replay_set_local_addresses(f->replay, addresses, 2), 0);
	f->server = "10.1.0.1:80";
	speak(f, "10.9.0.1:40000");
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_NOT_OURS), 2);
	f->server = "10.0.0.2:80";
	speak(f, "10.9.0.1:40000");
	expect_segment(f, "S 0:0(0) <mss 1460>");
	fixture_free(f);
}

/* It speaks to an address of its own: the target must not answer that one. */
static void a_client_on_this_host_has_the_address_of_H(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.localhost = "10.20.30.7"});
	const struct ip_addr addresses[] = {addr_of("10.0.0.2")};
	struct ip_addr faked;

	(void)state;
	assert_int_equal(replay_set_local_addresses(f->replay, addresses, 1), 0);
	speak(f, "10.0.0.2:40000");
	expect_segment(f, "S 0:0(0) <mss 1460>");
	faked = addr_of("10.20.30.7");
	assert_true(ip_addr_equal(&f->faked[0].response.dst.addr, &faked));
	fixture_free(f);
}

static void without_H_it_is_left_out(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){0});
	const struct ip_addr addresses[] = {addr_of("10.0.0.2")};

	(void)state;
	assert_int_equal(replay_set_local_addresses(f->replay, addresses, 1), 0);
	speak(f, "10.0.0.2:40000");
	expect_nothing(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_with_an_address_of_the_pool_is_left_out_told_once),
		cmocka_unit_test(nor_is_it_joined),
		cmocka_unit_test(nor_one_with_the_address_of_H),
		cmocka_unit_test(a_client_on_this_host_has_the_address_of_H),
		cmocka_unit_test(without_H_it_is_left_out),
		cmocka_unit_test(a_target_whose_address_came_here_is_no_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
