/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_firewall_advice.c - the sentences for the administrator of the online host: they must hold the exact
 * commands for his targets.
 */
#include "tcpcopy/firewall_advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct endpoint targets[FIREWALL_TARGETS_MAX + 1];

static struct firewall_facts facts(const char *addr)
{
	for (size_t i = 0; i < FIREWALL_TARGETS_MAX + 1; i++) {
		assert_int_equal(ip_addr_parse(&targets[i].addr, addr), 0);
		targets[i].port = (uint16_t)(8080 + i);
	}
	return (struct firewall_facts){.targets = targets, .target_count = 1, .can_link = true};
}

static void expect_words(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" lacks \"%s\"", text, words);
}

static void expect_no_words(const char *text, const char *words)
{
	if (strstr(text, words))
		fail_msg("\"%s\" has \"%s\"", text, words);
}

static void refused_packets_are_counted_and_both_remedies_shown(void **state)
{
	struct firewall_facts f = facts("10.0.0.2");
	char text[FIREWALL_TEXT_MAX];

	(void)state;
	f.refused = 9216;
	firewall_refused_text(text, sizeof(text), &f);
	expect_words(text, "refuses packets to 10.0.0.2:8080 (EPERM, 9216 so far); remedy: send "
			   "below it, with \"--send link\"");
	expect_words(text,
		     "\n  nft 'add table inet tcpcopy; add chain inet tcpcopy output { type filter "
		     "hook output priority raw; }; insert rule inet tcpcopy output fib saddr type "
		     "!= local ip daddr 10.0.0.2 tcp dport 8080 notrack'\n");
	expect_words(text, "\n  nft 'insert rule inet filter output fib saddr type != local ip "
			   "daddr 10.0.0.2 tcp dport 8080 accept'\n");
	expect_words(text, "\n  iptables -t raw -I OUTPUT -p tcp -d 10.0.0.2 --dport 8080 -m "
			   "addrtype ! --src-type LOCAL -j CT --notrack\n");
	expect_words(text, "\n  iptables -t filter -I OUTPUT -p tcp -d 10.0.0.2 --dport 8080 -m "
			   "addrtype ! --src-type LOCAL -j ACCEPT");
	expect_no_words(text, "full");
}

static void a_full_table_is_named(void **state)
{
	struct firewall_facts f = facts("10.0.0.2");
	char text[FIREWALL_TEXT_MAX];

	(void)state;
	f.conntrack = (struct conntrack){.entries = 511, .max = 512};
	expect_no_words(firewall_refused_text(text, sizeof(text), &f), "full");
	f.conntrack.entries = 512;
	expect_words(firewall_refused_text(text, sizeof(text), &f), "full: 512 entries");
}

static void tracking_is_told_with_the_figures(void **state)
{
	struct firewall_facts f = facts("10.0.0.2");
	char text[FIREWALL_TEXT_MAX];

	(void)state;
	f.conntrack = (struct conntrack){.entries = 37, .max = 262144};
	firewall_tracking_text(text, sizeof(text), &f);
	expect_words(text, "each copied connection to 10.0.0.2:8080 becomes an entry");
	expect_words(text, "37 of 262144 are used");
	expect_words(text, "--send link");
	expect_words(text, "notrack'\n");
	expect_words(text, "-j CT --notrack");
	expect_no_words(text, "accept");
}

static void link_is_offered_only_where_it_can_work(void **state)
{
	struct firewall_facts f = facts("10.0.0.2");
	char text[FIREWALL_TEXT_MAX];

	(void)state;
	f.can_link = false;
	expect_no_words(firewall_refused_text(text, sizeof(text), &f), "--send");
	expect_no_words(firewall_tracking_text(text, sizeof(text), &f), "--send");
}

static void ipv6_has_its_own_words(void **state)
{
	struct firewall_facts f = facts("2001:db8::2");
	char text[FIREWALL_TEXT_MAX];

	(void)state;
	firewall_refused_text(text, sizeof(text), &f);
	expect_words(text, "refuses packets to [2001:db8::2]:8080 ");
	expect_words(text, "local ip6 daddr 2001:db8::2 tcp dport 8080 notrack'");
	expect_words(text, "\n  ip6tables -t raw -I OUTPUT -p tcp -d 2001:db8::2 ");
	expect_no_words(text, " iptables -t");
}

static void several_targets_have_a_rule_each(void **state)
{
	struct firewall_facts f = facts("10.0.0.2");
	char text[FIREWALL_TEXT_MAX];

	(void)state;
	f.target_count = 2;
	firewall_refused_text(text, sizeof(text), &f);
	expect_words(text, "to 10.0.0.2:8080, 10.0.0.2:8081 (");
	expect_words(text, "dport 8080 notrack; insert rule inet tcpcopy output fib saddr type != "
			   "local ip daddr 10.0.0.2 tcp dport 8081 notrack'");
	expect_words(text, "LOCAL -j ACCEPT; iptables -t filter -I OUTPUT -p tcp -d 10.0.0.2 "
			   "--dport 8081 ");
	f.target_count = FIREWALL_TARGETS_MAX + 1;
	firewall_refused_text(text, sizeof(text), &f);
	expect_words(text, ":8083 and others (");
	expect_no_words(text, "8084");
}

static void the_longest_addresses_fit_and_a_small_buffer_is_kept(void **state)
{
	struct firewall_facts f = facts("2001:db8:1111:2222:3333:4444:5555:6666");
	char text[FIREWALL_TEXT_MAX * 2];

	(void)state;
	f.target_count = FIREWALL_TARGETS_MAX + 1;
	f.refused = f.conntrack.entries = f.conntrack.max = UINT64_MAX;
	assert_true(strlen(firewall_refused_text(text, sizeof(text), &f)) < FIREWALL_TEXT_MAX);
	for (size_t size = 1; size < sizeof(text); size += 37) {
		memset(text, '#', sizeof(text));
		firewall_refused_text(text, size, &f);
		assert_true(strlen(text) < size);
		assert_int_equal(text[size], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_packets_are_counted_and_both_remedies_shown),
		cmocka_unit_test(a_full_table_is_named),
		cmocka_unit_test(tracking_is_told_with_the_figures),
		cmocka_unit_test(link_is_offered_only_where_it_can_work),
		cmocka_unit_test(ipv6_has_its_own_words),
		cmocka_unit_test(several_targets_have_a_rule_each),
		cmocka_unit_test(the_longest_addresses_fit_and_a_small_buffer_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
