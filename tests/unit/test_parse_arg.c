/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_parse_arg.c - what users type: the right forms, and for the wrong ones the very sentence.
 */
#include "common/parse_arg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void unsigned_takes_its_whole_range(void **state)
{
	char error[PARSE_ERROR_MAX];
	uint64_t n = 7;

	(void)state;
	assert_int_equal(parse_unsigned(&n, "0", 0, 1023, "-f", error), 0);
	assert_int_equal(n, 0);
	assert_int_equal(parse_unsigned(&n, "1023", 0, 1023, "-f", error), 0);
	assert_int_equal(n, 1023);
	assert_int_equal(parse_unsigned(&n, "18446744073709551615", 0, UINT64_MAX, "-m", error), 0);
	assert_true(n == UINT64_MAX);
}

static void unsigned_refuses_everything_else(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"-1",
		"+1",
		" 1",
		"1 ",
		"0x10",
		"1.5",
		"abc",
		"1000x",
		"1024",
		"0",
		"1e3",
		"99999999999999999999999",
		"18446744073709551616",
		"18446744073709551617",
		"1,2",
		"\xff",
	};
	char error[PARSE_ERROR_MAX];
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(parse_unsigned(&n, bad[i], 1, 1023, "-n", error), -1);
	assert_int_equal(n, 7);
	parse_unsigned(&n, "abc", 1, 1023, "-n", error);
	assert_string_equal(error,
			    "-n abc: a whole number from 1 to 1023 is needed, for example -n 1");
	parse_unsigned(&n, "", 0, 1023, "-f", error);
	assert_string_equal(
		error, "-f (empty): a whole number from 0 to 1023 is needed, for example -f 1");
}

static void percent_is_read_to_the_millionth(void **state)
{
	static const struct {
		const char *text;
		uint32_t ppm;
	} good[] = {
		{"100", 1000000}, {"100.0000", 1000000}, {"20", 200000},      {"020", 200000},
		{"12.5", 125000}, {"0.5", 5000},         {"33.3333", 333333}, {"0.0001", 1},
	};
	char error[PARSE_ERROR_MAX];
	uint32_t ppm;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(parse_percent(&ppm, good[i].text, "-r", error), 0);
		assert_int_equal(ppm, good[i].ppm);
	}
}

static void percent_refuses_everything_else(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"0",
		"0.0",
		"0.0000",
		"100.0001",
		"101",
		"200",
		"1000",
		"0020",
		"5.",
		".5",
		"1..2",
		"1.2.3",
		"1.23456",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1e1",
		"0x10",
		"nan",
		"inf",
		"20%",
		"1,5",
		"abc",
		"1.-5",
		"1. 5",
		"\xff",
		"1.\xff",
		"18446744073709551616",
		"1.18446744073709551616",
	};
	char error[PARSE_ERROR_MAX];
	uint32_t ppm = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (parse_percent(&ppm, bad[i], "-r", error) != -1)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(ppm, 7);
	parse_percent(&ppm, "200", "-r", error);
	assert_string_equal(error, "-r 200: a number above 0 and up to 100 is needed, with at most "
				   "four digits after the point, for example -r 12.5");
}

static void port_is_1_to_65535(void **state)
{
	static const char *const bad[] = {"",    "0",    "65536", "-1",
					  "80a", "http", " 80",   "4294967376"};
	char error[PARSE_ERROR_MAX];
	uint16_t port = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(parse_port(&port, bad[i], "-p", error), -1);
	assert_int_equal(port, 7);
	parse_port(&port, "65536", "-p", error);
	assert_string_equal(error,
			    "-p 65536: a port is a number from 1 to 65535, for example 8080");
	assert_int_equal(parse_port(&port, "1", "-p", error), 0);
	assert_int_equal(port, 1);
	assert_int_equal(parse_port(&port, "65535", "-p", error), 0);
	assert_int_equal(port, 65535);
}

static void mac_is_six_pairs_of_one_device(void **state)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:01:02",
		"02:00:00:00:00:1",
		"02:00:00:00:00:01 ",
		"02-00-00-00-00-01",
		"0200:00:00:00:01:",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:-1",
		"02: 0:00:00:00:01",
		"00:00:00:00:00:00",
		"ff:ff:ff:ff:ff:ff",
		"01:00:5e:00:00:01",
	};
	static const uint8_t want[MAC_LEN] = {0x02, 0xaB, 0xcd, 0xef, 0x00, 0x99};
	char error[PARSE_ERROR_MAX];
	uint8_t mac[MAC_LEN] = {0};

	(void)state;
	assert_int_equal(parse_mac(mac, "02:aB:CD:ef:00:99", error), 0);
	assert_memory_equal(mac, want, MAC_LEN);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(parse_mac(mac, bad[i], error), -1);
	assert_memory_equal(mac, want, MAC_LEN);
	assert_non_null(strstr(error, "01:00:5e:00:00:01: it must be the address of one device"));
}

static void assert_endpoint(const char *text)
{
	char error[PARSE_ERROR_MAX] = "", shown[ENDPOINT_TEXT_MAX];
	struct endpoint e;

	if (parse_endpoint(&e, text, "target", error))
		fail_msg("%s", error);
	assert_string_equal(endpoint_format(shown, sizeof(shown), &e), text);
}

static void endpoint_reads_both_families(void **state)
{
	(void)state;
	assert_endpoint("10.0.0.2:8080");
	assert_endpoint("255.255.255.255:65535");
	assert_endpoint("0.0.0.0:1");
	assert_endpoint("[2001:db8::2]:8080");
	assert_endpoint("[::1]:80");
}

/* A value and the sentence that refuses it. */
#define LINK_LOCAL                                                                            \
	"a link-local address means another host on each device; write a global or a unique " \
	"local one"

struct refusal {
	const char *value;
	const char *sentence;
};

static void endpoint_refuses_with_a_sentence(void **state)
{
	static const struct refusal refusals[] = {
		{"10.0.0.2", "target 10.0.0.2: the port is missing, for example 10.0.0.2:8080"},
		{"192.168.237.128:", "target 192.168.237.128:: the port is missing, for example "
				     "10.0.0.2:8080"},
		{"8080",
		 "target 8080: an IPv4 address has four numbers, for example 10.0.0.2:8080"},
		{":80", "target :80: an address is missing, for example 10.0.0.2:8080"},
		{"", "target (empty): an address is missing, for example 10.0.0.2:8080"},
		{"10.0.0.300:80", "target 10.0.0.300:80: each number of an IPv4 address is 0 to "
				  "255, for example 10.0.0.2:8080"},
		{"10.0.02.3:80", "target 10.0.02.3:80: the numbers of an IPv4 address have no "
				 "leading zeros, for example 10.0.0.2:8080"},
		{"10.0.0:80", "target 10.0.0:80: an IPv4 address has four numbers, for example "
			      "10.0.0.2:8080"},
		{"10.0.0.1.:80", "target 10.0.0.1.:80: an IPv4 address has four numbers, for "
				 "example 10.0.0.2:8080"},
		{"10.0.0.2:0", "target 10.0.0.2:0: a port is a number from 1 to 65535, for example "
			       "10.0.0.2:8080"},
		{"10.0.0.2:65536", "target 10.0.0.2:65536: a port is a number from 1 to 65535, for "
				   "example 10.0.0.2:8080"},
		{"10.0.0.2:80x", "target 10.0.0.2:80x: a port is a number from 1 to 65535, for "
				 "example 10.0.0.2:8080"},
		{"backend:80", "target backend:80: a numeric address is needed here, names are not "
			       "looked up, for example 10.0.0.2:8080"},
		{"2001:db8::2:80", "target 2001:db8::2:80: an IPv6 address stands in brackets, so "
				   "that its port can be told, for example [2001:db8::2]:8080"},
		{"[fe80::2]:80",
		 "target [fe80::2]:80: " LINK_LOCAL ", for example [2001:db8::2]:8080"},
		{"[fe80::2%eth0]:80",
		 "target [fe80::2%eth0]:80: " LINK_LOCAL ", for example [2001:db8::2]:8080"},
		{"[2001:db8::2]", "target [2001:db8::2]: the port is missing, for example "
				  "[2001:db8::2]:8080"},
		{"[2001:db8::2", "target [2001:db8::2: the bracket [ has no ], for example "
				 "[2001:db8::2]:8080"},
		{"[2001:db8::2]80", "target [2001:db8::2]80: after ] stands a colon and the port, "
				    "for example [2001:db8::2]:8080"},
		{"[10.0.0.2]:80", "target [10.0.0.2]:80: brackets are for IPv6 addresses, for "
				  "example [2001:db8::2]:8080"},
		{"[2001:zz::]:80", "target [2001:zz::]:80: this is no IPv6 address, which has "
				   "eight groups of hexadecimal digits or ::, for example "
				   "[2001:db8::2]:8080"},
		{"[::ffff:10.0.0.2]:80", "target [::ffff:10.0.0.2]:80: an IPv4 address is not "
					 "written as IPv6, for example [2001:db8::2]:8080"},
	};
	struct endpoint e = {.port = 7};

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		char error[PARSE_ERROR_MAX] = "";

		assert_int_equal(parse_endpoint(&e, refusals[i].value, "target", error), -1);
		assert_string_equal(error, refusals[i].sentence);
	}
	assert_int_equal(e.port, 7);
}

static void assert_range(const char *text, const char *first, const char *last)
{
	char error[PARSE_ERROR_MAX] = "", shown[IP_ADDR_TEXT_MAX];
	struct addr_range r;

	if (parse_addr_range(&r, text, error))
		fail_msg("%s", error);
	assert_string_equal(ip_addr_format(shown, sizeof(shown), &r.first), first);
	assert_string_equal(ip_addr_format(shown, sizeof(shown), &r.last), last);
}

static void range_reads_every_form(void **state)
{
	(void)state;
	assert_range("10.20.30.x", "10.20.30.1", "10.20.30.254");
	assert_range("10.20.30.7", "10.20.30.7", "10.20.30.7");
	assert_range("10.20.0.0/16", "10.20.0.1", "10.20.255.254");
	assert_range("10.20.30.0/24", "10.20.30.1", "10.20.30.254");
	assert_range("10.20.30.4/30", "10.20.30.5", "10.20.30.6");
	assert_range("10.20.30.4/31", "10.20.30.4", "10.20.30.5");
	assert_range("10.20.30.4/32", "10.20.30.4", "10.20.30.4");
	assert_range("0.0.0.0/0", "0.0.0.1", "255.255.255.254");
	assert_range("10.20.30.5-10.20.30.9", "10.20.30.5", "10.20.30.9");
	assert_range("10.20.30.5-10.20.30.5", "10.20.30.5", "10.20.30.5");
	assert_range("2001:db8::7", "2001:db8::7", "2001:db8::7");
	assert_range("2001:db8::/112", "2001:db8::1", "2001:db8::fffe");
	assert_range("2001:db8::/127", "2001:db8::", "2001:db8::1");
	assert_range("2001:db8::7/128", "2001:db8::7", "2001:db8::7");
	assert_range("2001:db8::5-2001:db8::1:9", "2001:db8::5", "2001:db8::1:9");
	assert_range("2000::/3", "2000::1", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
}

static void range_refuses_with_a_sentence(void **state)
{
#define FOR_EXAMPLE    ", for example 10.20.30.x"
#define FOR_EXAMPLE_V6 ", for example 2001:db8:1::/64"
	static const struct refusal refusals[] = {
		{"10.0.0.300",
		 "-c 10.0.0.300: each number of an IPv4 address is 0 to 255" FOR_EXAMPLE},
		{"10.0.300.x",
		 "-c 10.0.300.x: each number of an IPv4 address is 0 to 255" FOR_EXAMPLE},
		{"", "-c (empty): an address is missing" FOR_EXAMPLE},
		{".x",
		 "-c .x: a numeric address is needed here, names are not looked up" FOR_EXAMPLE},
		{"10.20.x", "-c 10.20.x: an IPv4 address has four numbers" FOR_EXAMPLE},
		{"10.20.x.x", "-c 10.20.x.x: only the last number may be x; a wider range is "
			      "written as 10.20.0.0/16" FOR_EXAMPLE},
		{"10.20.30.x.", "-c 10.20.30.x.: a numeric address is needed here, names are not "
				"looked up" FOR_EXAMPLE},
		{"10.20.30.X", "-c 10.20.30.X: a numeric address is needed here, names are not "
			       "looked up" FOR_EXAMPLE},
		{"clients.example", "-c clients.example: a numeric address is needed here, names "
				    "are not looked up" FOR_EXAMPLE},
		{"10.1.2.3/", "-c 10.1.2.3/: after the / of an IPv4 network stands 0 to "
			      "32" FOR_EXAMPLE},
		{"10.20.0.0/33", "-c 10.20.0.0/33: after the / of an IPv4 network stands 0 to "
				 "32" FOR_EXAMPLE},
		{"10.20.0.0/16x", "-c 10.20.0.0/16x: after the / of an IPv4 network stands 0 to "
				  "32" FOR_EXAMPLE},
		{"10.20.0.0/-1", "-c 10.20.0.0/-1: after the / of an IPv4 network stands 0 to "
				 "32" FOR_EXAMPLE},
		{"2001:db8::/129", "-c 2001:db8::/129: after the / of an IPv6 network stands 0 to "
				   "128" FOR_EXAMPLE_V6},
		{"/24", "-c /24: an address is missing" FOR_EXAMPLE},
		{"10.20.30.5/16", "-c 10.20.30.5/16: this address lies inside the network, whose "
				  "own is 10.20.0.0/16" FOR_EXAMPLE},
		{"10.20.30.9-10.20.30.5", "-c 10.20.30.9-10.20.30.5: the first address of a range "
					  "must not be above the last" FOR_EXAMPLE},
		{"10.20.30.5-2001:db8::1", "-c 10.20.30.5-2001:db8::1: both ends of a range are "
					   "IPv4 or both IPv6" FOR_EXAMPLE_V6},
		{"10.20.30.5-9", "-c 10.20.30.5-9: an IPv4 address has four numbers" FOR_EXAMPLE},
		{"10.20.30.5-", "-c 10.20.30.5-: an address is missing" FOR_EXAMPLE},
		{"10.20.30.5 ", "-c 10.20.30.5 : a numeric address is needed here, names are not "
				"looked up" FOR_EXAMPLE},
		{"::ffff:10.20.30.5", "-c ::ffff:10.20.30.5: an IPv4 address is not written as "
				      "IPv6" FOR_EXAMPLE_V6},
		{"::/0",
		 "-c ::/0: this range takes in IPv4 addresses written as IPv6" FOR_EXAMPLE_V6},
		{"2001:db8::x", "-c 2001:db8::x: this is no IPv6 address, which has eight groups "
				"of hexadecimal digits or ::" FOR_EXAMPLE_V6},
		{"fe80::/64", "-c fe80::/64: " LINK_LOCAL FOR_EXAMPLE_V6},
	};
	struct addr_range r = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		char error[PARSE_ERROR_MAX] = "";

		if (parse_addr_range(&r, refusals[i].value, error) != -1)
			fail_msg("%s was taken", refusals[i].value);
		assert_string_equal(error, refusals[i].sentence);
	}
	assert_true(ip_addr_is_unspecified(&r.first));
#undef FOR_EXAMPLE
#undef FOR_EXAMPLE_V6
}

static void value_of_any_length_fits_the_sentence(void **state)
{
	static char text[100000];
	char error[PARSE_ERROR_MAX];
	struct endpoint e[2];
	struct addr_range r;
	uint8_t mac[MAC_LEN];
	uint64_t n;
	size_t count;

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	assert_int_equal(parse_unsigned(&n, text, 0, 9, "-n", error), -1);
	assert_int_equal(parse_endpoint(&e[0], text, "target", error), -1);
	assert_int_equal(parse_mac(mac, text, error), -1);
	assert_int_equal(parse_addr_range(&r, text, error), -1);
	assert_int_equal(parse_host_port(e, 2, &count, text, 36524, "-s", error), -1);
	assert_true(strlen(error) < PARSE_ERROR_MAX);
	assert_non_null(strstr(error, ": this is too long for an address or a name, for example"));
}

static void assert_host(const char *text, const char *want)
{
	char error[PARSE_ERROR_MAX] = "", shown[ENDPOINT_TEXT_MAX];
	struct endpoint e[2];
	size_t count;

	if (parse_host_port(e, 2, &count, text, 36524, "-s", error))
		fail_msg("%s", error);
	assert_int_equal(count, 1);
	assert_string_equal(endpoint_format(shown, sizeof(shown), &e[0]), want);
}

static void host_port_takes_numbers_with_and_without_port(void **state)
{
	(void)state;
	assert_host("10.0.0.3", "10.0.0.3:36524");
	assert_host("10.0.0.3:81", "10.0.0.3:81");
	assert_host("[2001:db8::3]", "[2001:db8::3]:36524");
	assert_host("[2001:db8::3]:81", "[2001:db8::3]:81");
	assert_host("2001:db8::3", "[2001:db8::3]:36524");
	assert_host("2001:db8:0:1:2:3:4:5", "[2001:db8:0:1:2:3:4:5]:36524");
	assert_host("2001:db8::abcd", "[2001:db8::abcd]:36524");
	assert_host("2001:db8::3:abcd", "[2001:db8::3:abcd]:36524");
	assert_host("2001:db8::3:0", "[2001:db8::3:0]:36524");
	assert_host("::7", "[::7]:36524");
}

static void host_port_looks_up_names(void **state)
{
	char error[PARSE_ERROR_MAX] = "";
	struct endpoint e[8];
	size_t count = 0;

	(void)state;
	assert_int_equal(parse_host_port(e, 8, &count, "localhost:81", 36524, "-s", error), 0);
	assert_in_range(count, 1, 8);
	for (size_t i = 0; i < count; i++) {
		assert_true(ip_addr_is_loopback(&e[i].addr));
		assert_int_equal(e[i].port, 81);
		for (size_t k = 0; k < i; k++)
			assert_false(endpoint_equal(&e[i], &e[k]));
	}
	assert_int_equal(parse_host_port(e, 1, &count, "localhost", 36524, "-s", error), 0);
	assert_int_equal(count, 1);
	assert_int_equal(e[0].port, 36524);
}

static void host_port_asks_no_resolver_about_broken_addresses(void **state)
{
#define EXAMPLE_V6 ", for example -s [2001:db8::3]"
	static const struct refusal refusals[] = {
		{"10.0.0.300", "-s 10.0.0.300: each number of an IPv4 address is 0 to 255, for "
			       "example -s 10.0.0.3"},
		{"10.1", "-s 10.1: an IPv4 address has four numbers, for example -s 10.0.0.3"},
		{"0x0a000003", "-s 0x0a000003: this is neither an address nor a host name, for "
			       "example -s 10.0.0.3"},
		{"a b", "-s a b: this is neither an address nor a host name, for example -s "
			"10.0.0.3"},
		{"-x", "-s -x: this is neither an address nor a host name, for example -s "
		       "10.0.0.3"},
		{"", "-s (empty): a host is missing, for example -s 10.0.0.3"},
		{":81", "-s :81: a host is missing, for example -s 10.0.0.3"},
		{"10.0.0.3:", "-s 10.0.0.3:: a port is a number from 1 to 65535, for example -s "
			      "10.0.0.3"},
		{"10.0.0.3:0", "-s 10.0.0.3:0: a port is a number from 1 to 65535, for example -s "
			       "10.0.0.3"},
		{"localhost:65536", "-s localhost:65536: a port is a number from 1 to 65535, for "
				    "example -s 10.0.0.3"},
		{"2001:db8::3:8080", "-s 2001:db8::3:8080: with or without a port? An IPv6 address "
				     "stands in brackets, so that this can be told" EXAMPLE_V6},
		{"2001:db8::3:36524", "-s 2001:db8::3:36524: an IPv6 address stands in brackets, "
				      "so that its port can be told" EXAMPLE_V6},
		{"2001:db8::3g", "-s 2001:db8::3g: an IPv6 address stands in brackets, so that "
				 "its port can be told" EXAMPLE_V6},
		{"::ffff:10.0.0.3",
		 "-s ::ffff:10.0.0.3: an IPv4 address is not written as IPv6" EXAMPLE_V6},
		{"fe80::3", "-s fe80::3: " LINK_LOCAL EXAMPLE_V6},
		{"fe80::3%eth0", "-s fe80::3%eth0: " LINK_LOCAL EXAMPLE_V6},
		{"[fe80::3%eth0]:81", "-s [fe80::3%eth0]:81: " LINK_LOCAL EXAMPLE_V6},
		{"[localhost]", "-s [localhost]: brackets are for IPv6 addresses, for example -s "
				"10.0.0.3"},
		{"[20:localhost]", "-s [20:localhost]: this is no IPv6 address, which has eight "
				   "groups of hexadecimal digits or ::" EXAMPLE_V6},
	};
#undef EXAMPLE_V6
	struct endpoint e[2];

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		char error[PARSE_ERROR_MAX] = "";
		size_t count = 9;

		assert_int_equal(
			parse_host_port(e, 2, &count, refusals[i].value, 36524, "-s", error), -1);
		assert_string_equal(error, refusals[i].sentence);
		assert_int_equal(count, 0);
	}
}

static void list_gives_trimmed_items_and_shows_empty_ones(void **state)
{
	char text[] = " a ,b,, c\td ,", none[] = "";
	char *rest = text;

	(void)state;
	assert_string_equal(parse_list_next(&rest), "a");
	assert_string_equal(parse_list_next(&rest), "b");
	assert_string_equal(parse_list_next(&rest), "");
	assert_string_equal(parse_list_next(&rest), "c\td");
	assert_string_equal(parse_list_next(&rest), "");
	assert_null(parse_list_next(&rest));
	assert_null(parse_list_next(&rest));
	rest = none;
	assert_string_equal(parse_list_next(&rest), "");
	assert_null(parse_list_next(&rest));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_takes_its_whole_range),
		cmocka_unit_test(unsigned_refuses_everything_else),
		cmocka_unit_test(percent_is_read_to_the_millionth),
		cmocka_unit_test(percent_refuses_everything_else),
		cmocka_unit_test(port_is_1_to_65535),
		cmocka_unit_test(mac_is_six_pairs_of_one_device),
		cmocka_unit_test(endpoint_reads_both_families),
		cmocka_unit_test(endpoint_refuses_with_a_sentence),
		cmocka_unit_test(range_reads_every_form),
		cmocka_unit_test(range_refuses_with_a_sentence),
		cmocka_unit_test(value_of_any_length_fits_the_sentence),
		cmocka_unit_test(host_port_takes_numbers_with_and_without_port),
		cmocka_unit_test(host_port_looks_up_names),
		cmocka_unit_test(host_port_asks_no_resolver_about_broken_addresses),
		cmocka_unit_test(list_gives_trimmed_items_and_shows_empty_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
