/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intercept_advice.c - the sentences for an administrator: they must hold the exact commands
 * for his host.
 */
#include "intercept/advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char any[1][NETDEV_NAME_MAX] = {"any"};
static const char eth0[1][NETDEV_NAME_MAX] = {"eth0"};
static const char two[2][NETDEV_NAME_MAX] = {"eth0", "eth1"};

static struct tuple response(const char *target, const char *client)
{
	struct tuple t = {.src.port = 8080, .dst.port = 40000, .protocol = PROTOCOL_TCP};

	assert_int_equal(ip_addr_parse(&t.src.addr, target), 0);
	assert_int_equal(ip_addr_parse(&t.dst.addr, client), 0);
	return t;
}

static void expect_words(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" lacks \"%s\"", text, words);
}

static void at_start_the_sysctl_of_the_family_is_shown(void **state)
{
	char text[ADVICE_TEXT_MAX];

	(void)state;
	expect_words(advice_forwarding_at_start(text, sizeof(text), true),
		     "\"sysctl -w net.ipv4.ip_forward=0\"");
	expect_words(advice_forwarding_at_start(text, sizeof(text), false),
		     "\"sysctl -w net.ipv6.conf.all.forwarding=0\"");
}

static void one_device_is_in_the_rules(void **state)
{
	const struct advice_facts facts = {
		.devices = eth0, .device_count = 1, .response = response("10.0.0.2", "10.20.30.5")};
	char text[ADVICE_TEXT_MAX];

	(void)state;
	advice_forwarding(text, sizeof(text), &facts);
	expect_words(text, "\n  sysctl -w net.ipv4.ip_forward=0\n");
	expect_words(text, "answers of the target 10.0.0.2 to 10.20.30.5 are answered with ICMP");
	expect_words(text,
		     "\n  nft 'add table inet intercept; add chain inet intercept answers { type "
		     "filter hook prerouting priority raw; }; add rule inet intercept "
		     "answers iifname { \"eth0\" } ip saddr 10.0.0.2 tcp sport 8080 drop'");
	expect_words(text,
		     "\n  iptables -t raw -I PREROUTING -i eth0 -p tcp -s 10.0.0.2 --sport 8080 "
		     "-j DROP");
}

static void any_device_is_in_no_rule(void **state)
{
	const struct advice_facts facts = {
		.devices = any, .device_count = 1, .response = response("10.0.0.2", "10.20.30.5")};
	char text[ADVICE_TEXT_MAX];

	(void)state;
	advice_forwarding(text, sizeof(text), &facts);
	expect_words(text, "answers ip saddr 10.0.0.2 tcp sport 8080 drop'");
	expect_words(text, "PREROUTING -p tcp -s 10.0.0.2 --sport 8080 -j DROP");
	assert_null(strstr(text, "iifname"));
}

static void several_devices_are_all_in_the_rules(void **state)
{
	const struct advice_facts facts = {
		.devices = two, .device_count = 2, .response = response("10.0.0.2", "10.20.30.5")};
	char text[ADVICE_TEXT_MAX];

	(void)state;
	advice_forwarding(text, sizeof(text), &facts);
	expect_words(text, "iifname { \"eth0\", \"eth1\" }");
	expect_words(text, "-i eth0 -p tcp -s 10.0.0.2 --sport 8080 -j DROP; iptables -t raw -I "
			   "PREROUTING -i eth1 ");
}

static void ipv6_has_its_own_words(void **state)
{
	const struct advice_facts facts = {.devices = any,
					   .device_count = 1,
					   .response = response("2001:db8::2", "2001:db8:77::5")};
	char text[ADVICE_TEXT_MAX];

	(void)state;
	advice_forwarding(text, sizeof(text), &facts);
	expect_words(text, "forwards IPv6 packets");
	expect_words(text, "\n  sysctl -w net.ipv6.conf.all.forwarding=0\n");
	expect_words(text, "ip6 saddr 2001:db8::2 tcp sport 8080 drop");
	expect_words(text, "ip6tables -t raw");
}

static void where_the_answers_would_go_is_named(void **state)
{
	struct advice_facts facts = {.devices = any,
				     .device_count = 1,
				     .response = response("10.0.0.2", "10.20.30.5"),
				     .has_onward = true,
				     .onward_device = "eth7"};
	char text[ADVICE_TEXT_MAX];

	(void)state;
	assert_int_equal(ip_addr_parse(&facts.onward, "10.0.0.1"), 0);
	expect_words(advice_forwarding(text, sizeof(text), &facts),
		     "to 10.20.30.5 go on to 10.0.0.1 through eth7, which");
	expect_words(text, "ICMP redirects to pass this host by; after the remedy, on the "
			   "target:\n  ip route flush cache");
}

static void local_client_address_is_named(void **state)
{
	struct tuple t = response("10.0.0.2", "10.20.30.5");
	char text[ADVICE_TEXT_MAX];

	(void)state;
	advice_local_client(text, sizeof(text), &t);
	expect_words(text, "10.20.30.5 is an address of this host");
	expect_words(text, "10.0.0.2 with RST");
	expect_words(text, "-c 10.20.30.x");
}

static void sixteen_longest_devices_fit_and_a_small_buffer_is_kept(void **state)
{
	char devices[16][NETDEV_NAME_MAX], text[ADVICE_TEXT_MAX * 2];
	struct advice_facts facts = {
		.devices = (const char(*)[NETDEV_NAME_MAX])devices,
		.device_count = 16,
		.response = response("2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:77::5")};

	(void)state;
	for (int i = 0; i < 16; i++) {
		memset(devices[i], 'a' + i, NETDEV_NAME_MAX - 1);
		devices[i][NETDEV_NAME_MAX - 1] = '\0';
	}
	for (size_t size = 1; size < sizeof(text); size += 37) {
		memset(text, '#', sizeof(text));
		advice_forwarding(text, size, &facts);
		assert_true(strlen(text) < size);
		assert_int_equal(text[size], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_start_the_sysctl_of_the_family_is_shown),
		cmocka_unit_test(one_device_is_in_the_rules),
		cmocka_unit_test(any_device_is_in_no_rule),
		cmocka_unit_test(several_devices_are_all_in_the_rules),
		cmocka_unit_test(ipv6_has_its_own_words),
		cmocka_unit_test(where_the_answers_would_go_is_named),
		cmocka_unit_test(local_client_address_is_named),
		cmocka_unit_test(sixteen_longest_devices_fit_and_a_small_buffer_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
