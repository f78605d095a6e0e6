/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_diagnosis.c - which reason the counters point to, and the exact commands in the text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tcpcopy/diagnosis.h"

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

static struct addr_range range(const char *first, const char *last)
{
	return (struct addr_range){addr(first), addr(last)};
}

/* One link up, counters told, nothing captured. */
static struct diagnosis_facts facts(void)
{
	return (struct diagnosis_facts){
		.target = {addr("10.0.0.2"), 8080},
		.assistant = addr("10.0.0.3"),
		.via = addr("10.0.0.3"),
		.assistant_port = 36524,
		.links = 1,
		.links_up = 1,
		.has_recent = true,
	};
}

static void expect_words(const struct diagnosis_facts *f, const char *const *words, size_t count)
{
	char text[DIAGNOSIS_TEXT_MAX];

	diagnosis_text(text, sizeof(text), f);
	for (size_t i = 0; i < count; i++) {
		if (!strstr(text, words[i]))
			fail_msg("no '%s' in:\n%s", words[i], text);
	}
}

#define expect(f, ...)                                                          \
	do {                                                                    \
		static const char *const words_[] = {__VA_ARGS__};              \
		expect_words(&(f), words_, sizeof(words_) / sizeof(words_[0])); \
	} while (0)

static void expect_no(const struct diagnosis_facts *f, const char *word)
{
	char text[DIAGNOSIS_TEXT_MAX];

	if (strstr(diagnosis_text(text, sizeof(text), f), word))
		fail_msg("'%s' in:\n%s", word, text);
}

static void nothing_captured_names_route_filter_and_listener(void **state)
{
	const struct addr_range pool[] = {range("10.20.30.1", "10.20.30.254")};
	struct diagnosis_facts f = facts();

	(void)state;
	f.pool = pool;
	f.pool_count = 1;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_NO_ANSWER);
	expect(f, "no answer to our SYNs from the target 10.0.0.2:8080\n",
	       "ip route add 10.20.30.0/24 via 10.0.0.3\n",
	       "sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.DEV.rp_filter=0\n",
	       "ss -ltn 'sport = :8080'\n", "intercept -i any -F 'tcp and src port 8080'\n");
}

static void a_firewall_of_the_target_and_anti_spoofing_are_named(void **state)
{
	const struct addr_range pool[] = {range("10.20.30.1", "10.20.30.254"),
					  range("10.20.31.1", "10.20.31.254")};
	struct diagnosis_facts f = facts();

	(void)state;
	f.pool = pool;
	f.pool_count = 2;
	expect(f,
	       "nft 'insert rule inet filter input ip saddr { 10.20.30.0/24, 10.20.31.0/24 } tcp "
	       "dport 8080 accept'\n",
	       "iptables -I INPUT -p tcp -s 10.20.30.0/24,10.20.31.0/24 --dport 8080 -j ACCEPT\n",
	       "from addresses that are not this host's", "anti-spoofing of a switch");
	f.pool_count = 0;
	expect(f, "ip saddr { NETWORK-OF-THE-CLIENTS } tcp");
}

static void ipv6_target_gets_ipv6_commands(void **state)
{
	const struct addr_range pool[] = {range("10.20.30.1", "10.20.30.254"),
					  range("2001:db8:1::", "2001:db8:1::ffff")};
	struct diagnosis_facts f = facts();

	(void)state;
	f.target.addr = addr("2001:db8::2");
	f.assistant = f.via = addr("2001:db8::3");
	f.pool = pool;
	f.pool_count = 2;
	expect(f, "target [2001:db8::2]:8080\n",
	       "ip -6 route add 2001:db8:1::/112 via 2001:db8::3\n");
	expect(f, "ip6 saddr { 2001:db8:1::/112 }", "ip6tables -I INPUT", "grep fib");
	expect_no(&f, "10.20.30");
	expect_no(&f, "rp_filter");
	expect_no(&f, "  ip route");
	f.recent.captured = 7;
	expect(f, "tcpdump -ni any 'ip6[53] & 18 = 18'\n");
	f.recent_send_failures = f.recent_no_neighbour = 9;
	expect(f, "(neighbour discovery)", "ip route get 2001:db8::2\n", "ip -6 neighbour\n");
	expect_no(&f, "ARP");
}

/* tcpcopy knows the assistant by another family's address alone: no command that the kernel refuses. */
static void assistant_of_the_other_family_is_to_be_filled_in(void **state)
{
	const struct addr_range pool[] = {range("2001:db8:1::", "2001:db8:1::ffff")};
	struct diagnosis_facts f = facts();

	(void)state;
	f.target.addr = addr("2001:db8::2");
	f.via = (struct ip_addr){0};
	f.pool = pool;
	f.pool_count = 1;
	expect(f, "ip -6 route add 2001:db8:1::/112 via ADDRESS-OF-THE-ASSISTANT\n",
	       "intercept at 10.0.0.3 captured");
}

static void without_pool_the_clients_network_is_to_be_filled_in(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	expect(f, "ip route add NETWORK-OF-THE-CLIENTS via 10.0.0.3\n");
}

static void captured_but_unrouted_is_another_tuple(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	f.recent.captured = 48;
	f.recent.unrouted = 48;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_OTHER_TUPLE);
	expect(f, "captured 48 packets", "address translation", "10.0.0.2:8080", "another tcpcopy",
	       "rp_filter", "ip route add");
}

/* Intercept's counters reach back to before the route was taken away. */
static void answers_from_before_the_silence_are_none(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	f.recent.captured = 90;
	f.recent.routed = 90;
	f.is_silent = true;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_NO_ANSWER);
	f.recent.captured = 91;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_OTHER_TUPLE);
}

static void given_mac_of_the_next_hop_is_suspected(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	expect_no(&f, "MAC");
	f.is_next_hop_given = true;
	expect(f, "  1. the next hop's MAC in -x is another's", "ip neighbour show 10.0.0.2");
}

static void neighbour_that_nobody_knows_comes_first(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	expect_no(&f, "no neighbour answers");
	f.is_next_hop_silent = true;
	expect(f, "  1. no neighbour answers for the target", "ip route get 10.0.0.2",
	       "  2. on the target, the faked clients need a route");
}

static void answers_of_others_point_to_the_targets_queue(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	f.recent.captured = 100;
	f.recent.routed = 90;
	f.recent.dropped = 7;
	f.recent_send_failures = 3;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_SOME_ANSWER);
	expect(f, "TcpExtListenOverflows", "loses packets (7");
}

static void no_link_names_intercept_and_its_port(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	f.links = 2;
	f.links_up = 0;
	f.recent_send_failures = 5;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_NO_LINK);
	expect(f, "0 of 2 links", "10.0.0.3", "intercept -i any -F 'tcp and src port 8080' -d\n",
	       "port 36524");
}

static void failed_sends_are_told_before_what_the_target_may_lack(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	f.recent_send_failures = 16;
	f.recent_no_neighbour = 16;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_NOT_SENT);
	expect(f, "16 failed", "ip route get 10.0.0.2", "ip neighbour");
	f.recent_no_neighbour = 0;
	f.recent_send_not_permitted = 16;
	expect(f, "firewall of this host", "--send link");
	f.recent_send_not_permitted = 0;
	expect(f, "ip route get 10.0.0.2", "ip -s link", "grep -A9 egress");
}

static void counters_not_told_yet_give_the_likely_remedy(void **state)
{
	struct diagnosis_facts f = facts();

	(void)state;
	f.has_recent = false;
	assert_int_equal(diagnosis_of(&f), DIAGNOSIS_UNKNOWN);
	expect(f, "ip route add", "rp_filter");
}

static void text_of_a_large_pool_stays_short(void **state)
{
	struct addr_range pool[40];
	struct diagnosis_facts f = facts();
	char text[DIAGNOSIS_TEXT_MAX];
	size_t routes = 0;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		pool[i] = range("10.20.0.1", "10.20.0.254");
		pool[i].first.b[14] = pool[i].last.b[14] = (uint8_t)i;
	}
	f.pool = pool;
	f.pool_count = 40;
	diagnosis_text(text, sizeof(text), &f);
	for (const char *at = text; (at = strstr(at, "ip route add")); at++)
		routes++;
	assert_int_equal(routes, DIAGNOSIS_PREFIXES_MAX);
	assert_non_null(strstr(text, "and so on"));
}

static void a_small_buffer_is_never_overrun(void **state)
{
	struct diagnosis_facts f = facts();
	char text[65];

	(void)state;
	for (size_t size = 1; size < sizeof(text) - 1; size++) {
		memset(text, '#', sizeof(text));
		diagnosis_text(text, size, &f);
		assert_true(strlen(text) < size);
		assert_int_equal(text[size], '#');
	}
}

/* --- prefixes --- */

static void expect_prefixes(const char *first, const char *last, const char *wanted)
{
	char texts[8][DIAGNOSIS_PREFIX_TEXT_MAX], all[512] = "";
	const struct addr_range r = range(first, last);
	size_t count = diagnosis_prefixes(texts, 8, &r);

	for (size_t i = 0; i < count && i < 8; i++) {
		strcat(all, i ? " " : "");
		strcat(all, texts[i]);
	}
	assert_string_equal(all, wanted);
}

static void ranges_become_the_prefixes_of_a_route(void **state)
{
	(void)state;
	expect_prefixes("10.20.30.1", "10.20.30.254", "10.20.30.0/24");
	expect_prefixes("10.20.30.0", "10.20.30.255", "10.20.30.0/24");
	expect_prefixes("10.20.0.1", "10.20.255.254", "10.20.0.0/16");
	expect_prefixes("10.20.30.7", "10.20.30.7", "10.20.30.7/32");
	expect_prefixes("10.20.30.4", "10.20.30.5", "10.20.30.4/31");
	expect_prefixes("10.20.30.5", "10.20.30.9", "10.20.30.5/32 10.20.30.6/31 10.20.30.8/31");
	expect_prefixes("255.255.255.254", "255.255.255.255", "255.255.255.254/31");
	expect_prefixes("2001:db8:1::", "2001:db8:1:0:ffff:ffff:ffff:ffff", "2001:db8:1::/64");
	expect_prefixes("2001:db8::7", "2001:db8::7", "2001:db8::7/128");
}

static void more_prefixes_than_room_are_said_to_be_more(void **state)
{
	char texts[2][DIAGNOSIS_PREFIX_TEXT_MAX];
	const struct addr_range r = range("10.0.0.1", "10.0.0.100");

	(void)state;
	assert_int_equal(diagnosis_prefixes(texts, 2, &r), 3);
	assert_string_equal(texts[0], "10.0.0.1/32");
	assert_string_equal(texts[1], "10.0.0.2/31");
}

static struct transfer transfer(void)
{
	return (struct transfer){.source = {.port = 80}, .target = facts().target};
}

static void refusal_names_the_target_and_a_look_at_it(void **state)
{
	const struct transfer t = transfer();
	char text[DIAGNOSIS_LINE_MAX];

	(void)state;
	diagnosis_refused_text(text, sizeof(text), &t);
	assert_non_null(strstr(text, "10.0.0.2:8080 refuses connections"));
	assert_non_null(strstr(text, "ss -ltn 'sport = :8080'"));
}

/* Each says what happens, to whom, and what to do. */
static void what_cannot_be_replayed_is_said(void **state)
{
	const struct transfer t = transfer();
	char text[DIAGNOSIS_LINE_MAX];

	(void)state;
	diagnosis_mute_text(text, sizeof(text), &t);
	assert_non_null(strstr(text, "10.0.0.2:8080 takes connections and ends them"));
	assert_non_null(strstr(text, "port 80 (TLS"));
	assert_non_null(strstr(text, "server's own log"));
	diagnosis_encrypted_text(text, sizeof(text), &t);
	assert_non_null(strstr(text, "clients of port 80 speak TLS"));
	assert_non_null(strstr(text, "-x PLAIN-PORT-"));
	diagnosis_join_refused_text(text, sizeof(text), &t);
	assert_non_null(strstr(text, "10.0.0.2:8080 does not take connections without"));
	assert_non_null(strstr(text, "-O spares"));
	diagnosis_path_mtu_text(text, sizeof(text), &t, 1280, false);
	assert_non_null(strstr(text, "to 10.0.0.2:8080 takes no packets of more than 1280 bytes"));
	diagnosis_path_mtu_text(text, sizeof(text), &t, 1280, true);
	assert_non_null(strstr(text, "more than 1280 bytes vanish on the way to 10.0.0.2:8080"));
	assert_non_null(strstr(text, "-M 1280 spares the copy finding out again"));
}

static void an_intercept_on_the_target_needs_no_assistant(void **state)
{
	const struct addr_range pool[] = {range("10.20.30.1", "10.20.30.254")};
	const struct addr_range pool6[] = {range("fd91::", "fd91::ff")};
	struct diagnosis_facts f = facts();

	(void)state;
	f.pool = pool;
	f.pool_count = 1;
	f.is_on_target = true;
	expect(f, "on the target, which has intercept itself",
	       "ip route add 10.20.30.0/24 dev lo\n", "rp_filter=0");
	expect_no(&f, " via ");
	expect_no(&f, "redirects");
	f.is_local = true;
	expect_no(&f, "rp_filter");
	f.pool = pool6;
	f.target.addr = addr("fd00::2");
	expect(f,
	       "ip link add copy0 up arp off type veth peer name copy1 && ip link set copy1 up\n",
	       "ip -6 route add fd91::/120 dev copy0\n");
}

static const char *capture_text(char text[DIAGNOSIS_LINE_MAX], uint64_t captured, uint64_t used,
				const struct endpoint *mirrored, bool is_promiscuous)
{
	const struct diagnosis_capture c = {.captured = captured,
					    .used = used,
					    .seconds = 10,
					    .mirrored = mirrored,
					    .is_promiscuous = is_promiscuous,
					    .device = "eth1"};
	const char *said = diagnosis_capture_text(text, DIAGNOSIS_LINE_MAX, &c);

	assert_true(!said || strlen(said) < DIAGNOSIS_LINE_MAX - 1);
	return said;
}

static void what_cannot_be_read_is_no_matter_of_direction(void **state)
{
	struct endpoint source = {.port = 80};
	struct diagnosis_capture c = {
		.captured = 1024, .malformed = 1024, .mirrored = &source, .device = "any"};
	char text[DIAGNOSIS_LINE_MAX];

	(void)state;
	assert_non_null(strstr(diagnosis_capture_text(text, sizeof(text), &c), "name the device"));
	c.malformed = 3;
	assert_non_null(strstr(diagnosis_capture_text(text, sizeof(text), &c), "direction"));
	c.used = 1;
	assert_null(diagnosis_capture_text(text, sizeof(text), &c));
}

static void nothing_captured_is_explained_by_what_is_captured(void **state)
{
	struct endpoint source = {.port = 80};
	char text[DIAGNOSIS_LINE_MAX];

	(void)state;
	assert_int_equal(ip_addr_parse(&source.addr, "2001:db8:1111:2222:3333:4444:5555:6666"), 0);
	assert_non_null(strstr(capture_text(text, 0, 0, NULL, false),
			       "nothing was captured in the first 10 s: no client speaks"));
	assert_non_null(
		strstr(capture_text(text, 0, 0, &source, false), "only with --promiscuous"));
	assert_non_null(
		strstr(text, "[2001:db8:1111:2222:3333:4444:5555:6666]:80 is another host"));
	assert_non_null(strstr(text, "tcpdump -ni eth1"));
	assert_non_null(strstr(capture_text(text, 0, 0, &source, true), "is mirrored to eth1"));
	assert_null(strstr(text, "--promiscuous"));
	assert_non_null(strstr(text, "or vlan'"));
}

static void a_mirror_of_the_wrong_direction_is_told(void **state)
{
	struct endpoint source = {.port = 80};
	char text[DIAGNOSIS_LINE_MAX];

	(void)state;
	assert_int_equal(ip_addr_parse(&source.addr, "10.1.2.3"), 0);
	assert_non_null(strstr(capture_text(text, 9, 0, &source, true), "mirror both directions"));
	assert_null(capture_text(text, 9, 1, &source, true));
	assert_non_null(strstr(capture_text(text, 9, 0, NULL, false), "arp_ignore=1"));
	assert_null(capture_text(text, 9, 1, NULL, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_intercept_on_the_target_needs_no_assistant),
		cmocka_unit_test(nothing_captured_names_route_filter_and_listener),
		cmocka_unit_test(a_firewall_of_the_target_and_anti_spoofing_are_named),
		cmocka_unit_test(ipv6_target_gets_ipv6_commands),
		cmocka_unit_test(assistant_of_the_other_family_is_to_be_filled_in),
		cmocka_unit_test(without_pool_the_clients_network_is_to_be_filled_in),
		cmocka_unit_test(captured_but_unrouted_is_another_tuple),
		cmocka_unit_test(answers_from_before_the_silence_are_none),
		cmocka_unit_test(given_mac_of_the_next_hop_is_suspected),
		cmocka_unit_test(neighbour_that_nobody_knows_comes_first),
		cmocka_unit_test(answers_of_others_point_to_the_targets_queue),
		cmocka_unit_test(no_link_names_intercept_and_its_port),
		cmocka_unit_test(failed_sends_are_told_before_what_the_target_may_lack),
		cmocka_unit_test(counters_not_told_yet_give_the_likely_remedy),
		cmocka_unit_test(text_of_a_large_pool_stays_short),
		cmocka_unit_test(a_small_buffer_is_never_overrun),
		cmocka_unit_test(ranges_become_the_prefixes_of_a_route),
		cmocka_unit_test(more_prefixes_than_room_are_said_to_be_more),
		cmocka_unit_test(refusal_names_the_target_and_a_look_at_it),
		cmocka_unit_test(what_cannot_be_replayed_is_said),
		cmocka_unit_test(what_cannot_be_read_is_no_matter_of_direction),
		cmocka_unit_test(nothing_captured_is_explained_by_what_is_captured),
		cmocka_unit_test(a_mirror_of_the_wrong_direction_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
