/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_same_host.c - what tcpcopy says of a target on its own host: nothing where the answers reach intercept, otherwise
 * the cause and the exact command.
 */
#include "tcpcopy/same_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	LO = 1,
	ETH0,
	COPY0,
	ROUTES_MAX = 16,
};

/* The host: exact addresses and their routes; what is not in the list has none. */
static struct {
	struct {
		struct ip_addr dst;
		struct route route;
	} routes[ROUTES_MAX];
	size_t route_count;
	int route_localnet;
	struct tcpcopy_options options;
	char text[SAME_HOST_TEXT_MAX];
	unsigned told;
	bool was_sure;
} host;

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

static int view_route(struct route *r, const struct ip_addr *dst, int device_index)
{
	(void)device_index;
	*r = (struct route){.kind = ROUTE_NONE};
	for (size_t i = 0; i < host.route_count; i++)
		if (ip_addr_equal(&host.routes[i].dst, dst))
			*r = host.routes[i].route;
	return 0;
}

static int view_device(struct netdev *d, int index)
{
	static const char *const names[] = {"", "lo", "eth0", "copy0"};

	*d = (struct netdev){.index = index, .is_up = true, .has_mac = index != LO};
	d->is_loopback = index == LO;
	d->has_arp = index == ETH0;
	strcpy(d->name, names[index]);
	return 0;
}

static int view_conf(const char *device, const char *name)
{
	(void)device;
	assert_string_equal(name, "route_localnet");
	return host.route_localnet;
}

static const struct same_host_view view = {view_route, view_device, view_conf};

static void tell(void *ctx, bool is_sure, const char *text)
{
	(void)ctx;
	host.told++;
	host.was_sure = is_sure;
	strcpy(host.text, text);
}

static void has_route(const char *dst, enum route_kind kind, int device_index, const char *next_hop)
{
	assert_true(host.route_count < ROUTES_MAX);
	host.routes[host.route_count].dst = addr(dst);
	host.routes[host.route_count++].route = (struct route){
		.kind = kind,
		.device_index = device_index,
		.next_hop = addr(next_hop ? next_hop : dst),
	};
}

/* A copy to target, with intercept at the given address, of a host that has 10.0.0.1 and fd00::1. */
static void copy(const char *target, const char *intercept, const char *first, const char *last)
{
	struct tcpcopy_options *o = &host.options;

	memset(&host, 0, sizeof(host));
	has_route("127.0.0.1", ROUTE_LOCAL, LO, NULL);
	has_route("10.0.0.1", ROUTE_LOCAL, LO, NULL);
	has_route("::1", ROUTE_LOCAL, LO, NULL);
	has_route("fd00::1", ROUTE_LOCAL, LO, NULL);
	has_route("10.0.0.2", ROUTE_ON_LINK, ETH0, NULL);
	has_route("10.0.0.3", ROUTE_ON_LINK, ETH0, NULL);
	o->transfer_count = o->intercept_count = o->client_range_count = 1;
	o->transfers[0].target = (struct endpoint){addr(target), 8080};
	o->intercepts[0].endpoint_count = 1;
	o->intercepts[0].endpoints[0] = (struct endpoint){addr(intercept), 36524};
	o->client_ranges[0] = (struct addr_range){addr(first), addr(last)};
}

static void copy_v4(const char *target, const char *intercept)
{
	copy(target, intercept, "10.20.30.1", "10.20.30.254");
}

static void check_host(void)
{
	host.told = 0;
	same_host_check(&host.options, &view, tell, NULL);
}

static void says_nothing(void)
{
	check_host();
	if (host.told)
		fail_msg("said: %s", host.text);
}

static void says(bool is_sure, const char *words)
{
	check_host();
	assert_int_equal(host.told, 1);
	assert_int_equal(host.was_sure, is_sure);
	if (!strstr(host.text, words))
		fail_msg("\"%s\" lacks \"%s\"", host.text, words);
}

#define ALL_HERE "remedy: ip route replace 10.20.30.0/24 dev lo"

static void another_host_is_not_looked_at(void **state)
{
	(void)state;
	copy_v4("10.0.0.2", "10.0.0.3");
	says_nothing();
}

static void without_a_route_the_command_is_shown(void **state)
{
	(void)state;
	copy_v4("10.0.0.1", "127.0.0.1");
	says(true, "the target 10.0.0.1:8080 is this host, which has no way to the faked client "
		   "10.20.30.1");
	says(true, ALL_HERE);
}

static void a_device_without_neighbours_is_right(void **state)
{
	(void)state;
	copy_v4("10.0.0.1", "10.0.0.1");
	has_route("10.20.30.1", ROUTE_ON_LINK, COPY0, NULL);
	says_nothing();
	copy("::1", "::1", "fd91::1", "fd91::fe");
	has_route("fd91::1", ROUTE_ON_LINK, COPY0, NULL);
	says_nothing();
}

static void lo_is_right_for_ipv4_only(void **state)
{
	(void)state;
	copy_v4("127.0.0.1", "127.0.0.1");
	has_route("10.20.30.1", ROUTE_ON_LINK, LO, NULL);
	says_nothing();
	copy("fd00::1", "::1", "fd91::0", "fd91::ff");
	has_route("fd91::0", ROUTE_ON_LINK, LO, NULL);
	says(true,
	     "IPv6 knows no routes to lo; remedy: ip link add copy0 up arp off type veth peer "
	     "name copy1 && ip link set copy1 up && ip -6 route replace fd91::/120 dev copy0");
}

static void a_loopback_address_needs_route_localnet_on_other_devices(void **state)
{
	(void)state;
	copy_v4("127.0.0.1", "127.0.0.1");
	has_route("10.20.30.1", ROUTE_ON_LINK, COPY0, NULL);
	says(true, "remedy: sysctl -w net.ipv4.conf.copy0.route_localnet=1");
	host.route_localnet = 1;
	says_nothing();
	copy_v4("127.0.0.1", "10.0.0.3");
	has_route("10.20.30.1", ROUTE_GATEWAY, ETH0, "10.0.0.3");
	says(true, "remedy: sysctl -w net.ipv4.conf.eth0.route_localnet=1");
}

static void the_assistant_as_gateway_is_right(void **state)
{
	(void)state;
	copy_v4("10.0.0.1", "10.0.0.3");
	says(true, "remedy: ip route replace 10.20.30.0/24 via 10.0.0.3");
	has_route("10.20.30.1", ROUTE_GATEWAY, ETH0, "10.0.0.3");
	says_nothing();
}

static void another_gateway_may_be_right(void **state)
{
	(void)state;
	copy_v4("10.0.0.1", "10.0.0.3");
	has_route("10.20.30.1", ROUTE_GATEWAY, ETH0, "10.0.0.2");
	says(false, "leave by eth0 to 10.0.0.2, which is no address of -s; remedy: ip route "
		    "replace 10.20.30.0/24 via 10.0.0.3");
	copy_v4("10.0.0.1", "127.0.0.1");
	has_route("10.20.30.1", ROUTE_ON_LINK, ETH0, NULL);
	says(false, "leave by eth0, where nobody has that address");
	says(false, ALL_HERE);
}

static void answers_must_not_end_here_with_intercept_elsewhere(void **state)
{
	(void)state;
	copy_v4("10.0.0.1", "10.0.0.3");
	has_route("10.20.30.1", ROUTE_ON_LINK, COPY0, NULL);
	says(true, "end here on copy0, but intercept is elsewhere; remedy: ip route replace "
		   "10.20.30.0/24 via 10.0.0.3");
}

static void a_client_of_its_own_is_reset(void **state)
{
	(void)state;
	copy_v4("10.0.0.1", "127.0.0.1");
	has_route("10.20.30.1", ROUTE_LOCAL, LO, NULL);
	says(true, "takes the faked client 10.20.30.1 for itself");
}

static void each_target_is_told_once_and_the_address_of_H_counts(void **state)
{
	struct tcpcopy_options *o = &host.options;

	(void)state;
	copy_v4("10.0.0.1", "127.0.0.1");
	o->transfers[1] = o->transfers[0];
	o->transfer_count = 2;
	says(true, "10.20.30.1 ");
	o->client_range_count = 0;
	o->has_localhost_ip4 = true;
	o->localhost_ip4 = addr("10.20.31.9");
	says(true, "ip route replace 10.20.31.9/32 dev lo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_host_is_not_looked_at),
		cmocka_unit_test(without_a_route_the_command_is_shown),
		cmocka_unit_test(a_device_without_neighbours_is_right),
		cmocka_unit_test(lo_is_right_for_ipv4_only),
		cmocka_unit_test(a_loopback_address_needs_route_localnet_on_other_devices),
		cmocka_unit_test(the_assistant_as_gateway_is_right),
		cmocka_unit_test(another_gateway_may_be_right),
		cmocka_unit_test(answers_must_not_end_here_with_intercept_elsewhere),
		cmocka_unit_test(a_client_of_its_own_is_reset),
		cmocka_unit_test(each_target_is_told_once_and_the_address_of_H_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
