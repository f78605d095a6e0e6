/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_netdev.c - questions to this host that need no privilege and that every Linux host answers
 * alike: its loopback device, its own addresses, routes to itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/netdev.h"

enum {
	ADDRESSES_MAX = 1024,
};

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

static struct netdev loopback(void)
{
	struct netdev d;

	assert_int_equal(netdev_by_name(&d, "lo"), 0);
	return d;
}

/*
 * A fresh network namespace has a loopback device that is down: it has no route, and libdnet lists
 * no device on a host without any IPv4 address.
 */
static void need_loopback_up(void)
{
	struct netdev d;

	if (netdev_by_name(&d, "lo") < 0 || !d.is_up)
		skip();
}

struct seen {
	size_t count;
	size_t loopbacks;
	int stop_after;
};

static int see(void *ctx, const struct netdev *d)
{
	struct seen *s = ctx;

	s->count++;
	s->loopbacks += d->is_loopback;
	assert_true(d->index > 0);
	assert_true(strlen(d->name) > 0);
	return s->stop_after != 0 && s->count >= (size_t)s->stop_after;
}

static void every_host_has_one_loopback_device(void **state)
{
	struct seen s = {0};

	(void)state;
	need_loopback_up();
	assert_int_equal(netdev_for_each(see, &s), 0);
	assert_true(s.count >= 1);
	assert_int_equal(s.loopbacks, 1);
}

static void a_visitor_may_stop(void **state)
{
	struct seen s = {.stop_after = 1};

	(void)state;
	need_loopback_up();
	assert_int_equal(netdev_for_each(see, &s), 0);
	assert_int_equal(s.count, 1);
}

static void loopback_has_no_mac_and_a_large_mtu(void **state)
{
	struct netdev by_name, by_index;

	(void)state;
	need_loopback_up();
	by_name = loopback();
	assert_true(by_name.is_loopback);
	assert_false(by_name.has_mac);
	assert_true(by_name.mtu_bytes >= 1280);
	assert_int_equal(netdev_by_index(&by_index, by_name.index), 0);
	assert_string_equal(by_index.name, "lo");
	assert_int_equal(by_index.mtu_bytes, by_name.mtu_bytes);
}

static void an_unknown_device_is_enodev(void **state)
{
	static const char *const names[] = {"nosuchdev0", "", "a-name-longer-than-the-kernel-has"};
	struct netdev d;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		errno = 0;
		assert_int_equal(netdev_by_name(&d, names[i]), -1);
		assert_int_equal(errno, ENODEV);
	}
	for (int index = -1; index <= 0; index++) {
		errno = 0;
		assert_int_equal(netdev_by_index(&d, index), -1);
		assert_int_equal(errno, ENODEV);
	}
}

static void own_addresses_include_loopback(void **state)
{
	static struct ip_addr list[ADDRESSES_MAX];
	struct ip_addr wanted = addr("127.0.0.1");
	bool found = false;
	int count;

	(void)state;
	need_loopback_up();
	count = netdev_local_addresses(NULL, list, ADDRESSES_MAX);
	assert_true(count >= 1);
	for (int i = 0; i < count && i < ADDRESSES_MAX; i++)
		found |= ip_addr_equal(&list[i], &wanted);
	assert_true(found);
	assert_true(netdev_local_addresses("lo", list, ADDRESSES_MAX) >= 1);
	assert_int_equal(netdev_local_addresses("nosuchdev0", list, ADDRESSES_MAX), 0);
}

static void addresses_are_counted_beyond_the_room(void **state)
{
	struct ip_addr none;

	(void)state;
	need_loopback_up();
	memset(&none, 0xee, sizeof(none));
	assert_true(netdev_local_addresses("lo", &none, 0) >= 1);
	assert_int_equal(none.b[0], 0xee);
}

static void the_route_to_loopback_is_local(void **state)
{
	struct ip_addr a = addr("127.0.0.1");
	struct route r;

	(void)state;
	need_loopback_up();
	assert_int_equal(netdev_route(&r, &a, 0), 0);
	assert_int_equal(r.kind, ROUTE_LOCAL);
	assert_int_equal(r.device_index, loopback().index);
	assert_int_equal(r.mtu_bytes, loopback().mtu_bytes);
	assert_true(ip_addr_equal(&r.next_hop, &a));
	assert_true(netdev_is_local_address(&a));
}

static void a_multicast_destination_has_no_route(void **state)
{
	struct ip_addr group = addr("239.1.2.3");
	struct route r;

	(void)state;
	assert_int_equal(netdev_route(&r, &group, 0), 0);
	assert_int_equal(r.kind, ROUTE_NONE);
	assert_false(netdev_is_local_address(&group));
}

static void an_unknown_neighbour_is_enoent(void **state)
{
	struct ip_addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1");
	uint8_t mac[MAC_LEN];

	(void)state;
	need_loopback_up();
	errno = 0;
	assert_int_equal(netdev_neighbour(mac, loopback().index, &v4), -1);
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_int_equal(netdev_neighbour(mac, loopback().index, &v6), -1);
	assert_int_equal(errno, ENOENT);
}

/* Read at once they are those of each device. */
static void addresses_of_all_devices_are_those_of_each(void **state)
{
	struct netdev_address *all;
	struct ip_addr some[64];
	int count = netdev_all_addresses(&all);

	(void)state;
	assert_true(count >= 0);
	assert_int_equal(count, netdev_local_addresses(NULL, some, 64));
	for (int i = 0; i < count; i++) {
		int of_device = netdev_local_addresses(all[i].device, some, 64);
		bool found = false;

		for (int k = 0; k < of_device && k < 64; k++)
			found |= ip_addr_equal(&some[k], &all[i].addr);
		assert_true(found);
	}
	free(all);
}

static void a_watch_does_not_block(void **state)
{
	int fd = netdev_watch_open(NETDEV_WATCH_WAYS);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	netdev_watch_drain(fd);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_host_has_one_loopback_device),
		cmocka_unit_test(a_visitor_may_stop),
		cmocka_unit_test(loopback_has_no_mac_and_a_large_mtu),
		cmocka_unit_test(an_unknown_device_is_enodev),
		cmocka_unit_test(own_addresses_include_loopback),
		cmocka_unit_test(addresses_are_counted_beyond_the_room),
		cmocka_unit_test(the_route_to_loopback_is_local),
		cmocka_unit_test(a_multicast_destination_has_no_route),
		cmocka_unit_test(an_unknown_neighbour_is_enoent),
		cmocka_unit_test(addresses_of_all_devices_are_those_of_each),
		cmocka_unit_test(a_watch_does_not_block),
	};

	return cmocka_run_group_tests_name("netdev", tests, NULL, NULL);
}
