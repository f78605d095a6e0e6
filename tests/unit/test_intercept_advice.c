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

static struct tuple response(const char *target, const char *client)
{
	struct tuple t = {.src.port = 8080, .dst.port = 40000, .protocol = PROTOCOL_TCP};

	assert_int_equal(ip_addr_parse(&t.src.addr, target), 0);
	assert_int_equal(ip_addr_parse(&t.dst.addr, client), 0);
	return t;
}

static struct advice_facts facts_of(const char *target, const char *client)
{
	struct tuple t = response(target, client);

	return (struct advice_facts){.seen = t.src, .client = t.dst.addr};
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

static void rules_drop_what_is_not_for_this_host(void **state)
{
	const struct advice_facts facts = facts_of("10.0.0.2", "10.20.30.5");
	char text[ADVICE_TEXT_MAX];

	(void)state;
	advice_forwarding(text, sizeof(text), &facts);
	expect_words(text, "\n  sysctl -w net.ipv4.ip_forward=0\n");
	expect_words(text, "answers of the target 10.0.0.2 to 10.20.30.5 are answered with ICMP");
	expect_words(text,
		     "\n  nft 'add table inet intercept; add chain inet intercept answers { type "
		     "filter hook prerouting priority raw; }; add rule inet intercept "
		     "answers fib daddr type != local ip saddr 10.0.0.2 tcp sport 8080 drop'");
	expect_words(text, "\n  iptables -t raw -I PREROUTING -p tcp -s 10.0.0.2 --sport 8080 "
			   "-m addrtype ! --dst-type LOCAL -j DROP");
}

static void ipv6_has_its_own_words(void **state)
{
	const struct advice_facts facts = facts_of("2001:db8::2", "2001:db8:77::5");
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
	struct advice_facts facts = facts_of("10.0.0.2", "10.20.30.5");
	char text[ADVICE_TEXT_MAX];

	(void)state;
	facts.has_onward = true;
	memcpy(facts.onward_device, "eth7", 5);
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
	t = response("2001:db8::2", "2001:db8:7::5");
	expect_words(advice_local_client(text, sizeof(text), &t), "-c 2001:db8:1::/64");
}

static void a_small_buffer_is_kept(void **state)
{
	const struct advice_facts facts =
		facts_of("2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:77::5");
	char text[ADVICE_TEXT_MAX * 2];

	(void)state;
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
		cmocka_unit_test(rules_drop_what_is_not_for_this_host),
		cmocka_unit_test(ipv6_has_its_own_words),
		cmocka_unit_test(where_the_answers_would_go_is_named),
		cmocka_unit_test(local_client_address_is_named),
		cmocka_unit_test(a_small_buffer_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
