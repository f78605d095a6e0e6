/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_local_target.c - what intercept says on the target's own host: nothing where answers are captured and go nowhere,
 * otherwise the cause and the exact command.
 */
#include "intercept/local_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char any[1][NETDEV_NAME_MAX] = {"any"};
static const char eth0[1][NETDEV_NAME_MAX] = {"eth0"};

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

/* tcpcopy comes in by eth0, which does not filter; -i any. */
static struct local_target_facts facts(const char *target, const char *client, const char *device)
{
	struct local_target_facts f = {
		.devices = any,
		.device_count = 1,
		.response = {.src = {addr(target), 8080}, .dst = {addr(client), 40000}},
		.route = {.kind = ROUTE_ON_LINK, .next_hop = addr(client)},
		.device = {.has_arp = strncmp(device, "eth", 3) == 0,
			   .is_loopback = strcmp(device, "lo") == 0},
		.has_other_end = true,
		.arrival = "eth0",
	};

	strcpy(f.device.name, device);
	return f;
}

static void says(const struct local_target_facts *f, const char *words)
{
	char buf[LOCAL_TARGET_TEXT_MAX];
	const char *text = local_target_advice(buf, sizeof(buf), f);

	if (!text || !strstr(text, words))
		fail_msg("\"%s\" lacks \"%s\"", text ? text : "", words);
}

static void says_nothing(const struct local_target_facts *f)
{
	char buf[LOCAL_TARGET_TEXT_MAX];

	if (local_target_advice(buf, sizeof(buf), f))
		fail_msg("said: %s", buf);
}

static void lo_is_right_for_ipv4(void **state)
{
	struct local_target_facts f = facts("10.0.0.2", "10.20.30.5", "lo");

	(void)state;
	says_nothing(&f);
	f = facts("127.0.0.1", "10.20.30.5", "lo");
	says_nothing(&f);
}

static void lo_must_be_captured(void **state)
{
	struct local_target_facts f = facts("10.0.0.2", "10.20.30.5", "lo");

	(void)state;
	f.devices = eth0;
	says(&f, "10.20.30.5 end on lo, which -i leaves out; remedy: -i lo");
}

static void lo_is_wrong_for_ipv6(void **state)
{
	struct local_target_facts f = facts("fd00::2", "fd91::1:5", "lo");

	(void)state;
	says(&f,
	     "IPv6 knows no routes to lo; remedy, if fd91::/64 is tcpcopy's -c: ip link add copy0 "
	     "up arp off type veth peer name copy1 && ip link set copy1 up && ip -6 route "
	     "replace fd91::/64 dev copy0");
}

static void a_pair_is_right_for_both(void **state)
{
	struct local_target_facts f = facts("fd00::2", "fd91::1:5", "copy0");

	(void)state;
	says_nothing(&f);
	f = facts("10.0.0.2", "10.20.30.5", "copy0");
	says_nothing(&f);
}

static void a_device_without_another_end_hides_the_answers(void **state)
{
	struct local_target_facts f = facts("10.0.0.2", "10.20.30.5", "dummy0");

	(void)state;
	f.has_other_end = false;
	says(&f, "leave by dummy0, which has no other end where they would come in to be captured; "
		 "remedy, if 10.20.30.0/24 is tcpcopy's -c: ip route replace 10.20.30.0/24 dev lo");
}

static void no_way_is_told(void **state)
{
	struct local_target_facts f = facts("10.0.0.2", "10.20.30.5", "");

	(void)state;
	f.route.kind = ROUTE_NONE;
	says(&f,
	     "the target 10.0.0.2 is this host, which has no way to the faked client 10.20.30.5");
	says(&f, "ip route replace 10.20.30.0/24 dev lo");
}

static void answers_that_leave_are_told(void **state)
{
	struct local_target_facts f = facts("10.0.0.2", "10.20.30.5", "eth0");

	(void)state;
	says(&f, "leave by eth0 instead of ending here");
	f.route.kind = ROUTE_GATEWAY;
	f.route.next_hop = addr("10.0.0.254");
	says(&f, "leave by eth0 for 10.0.0.254 instead of ending here; remedy, if 10.20.30.0/24 is "
		 "tcpcopy's -c: ip route replace 10.20.30.0/24 dev lo");
}

static void a_strict_filter_drops_what_comes_in_elsewhere(void **state)
{
	struct local_target_facts f = facts("10.0.0.2", "10.20.30.5", "lo");

	(void)state;
	f.rp_filter = 2;
	says_nothing(&f);
	f.rp_filter = 1;
	says(&f, "their source 10.20.30.5 is routed to lo; remedy: sysctl -w "
		 "net.ipv4.conf.eth0.rp_filter=2");
	f.arrival[0] = '\0'; /* a tcpcopy of this host: its packets pass no filter */
	says_nothing(&f);
	f = facts("fd00::2", "fd91::5", "copy0");
	f.rp_filter = 1;
	says_nothing(&f);
}

static void a_loopback_target_needs_route_localnet_on_a_pair(void **state)
{
	struct local_target_facts f = facts("127.0.0.1", "10.20.30.5", "copy0");

	(void)state;
	says(&f, "remedy: sysctl -w net.ipv4.conf.copy0.route_localnet=1");
	f.route_localnet = 1;
	says_nothing(&f);
	f = facts("::1", "fd91::5", "copy0");
	says_nothing(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lo_is_right_for_ipv4),
		cmocka_unit_test(lo_must_be_captured),
		cmocka_unit_test(lo_is_wrong_for_ipv6),
		cmocka_unit_test(a_pair_is_right_for_both),
		cmocka_unit_test(a_device_without_another_end_hides_the_answers),
		cmocka_unit_test(no_way_is_told),
		cmocka_unit_test(answers_that_leave_are_told),
		cmocka_unit_test(a_strict_filter_drops_what_comes_in_elsewhere),
		cmocka_unit_test(a_loopback_target_needs_route_localnet_on_a_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
