/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcpcopy_options.c - command lines of tcpcopy: good ones and what they mean, bad ones and the
 * words that their refusal must contain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tcpcopy/options.h"

enum {
	WORDS_MAX = 160,
	LINE_MAX_BYTES = 4096,
};

/* Splits a line at blanks; 'a b' is one word. */
static int split(char *line, char *argv[WORDS_MAX])
{
	int argc = 0;

	argv[argc++] = "tcpcopy";
	while (*line && argc < WORDS_MAX - 1) {
		char end = ' ';

		while (*line == ' ')
			line++;
		if (!*line)
			break;
		if (*line == '\'') {
			end = '\'';
			line++;
		}
		argv[argc++] = line;
		while (*line && *line != end)
			line++;
		if (*line)
			*line++ = '\0';
	}
	argv[argc] = NULL;
	return argc;
}

static char line_copy[LINE_MAX_BYTES];

static int parse(struct tcpcopy_options *o, const char *line, char error[PARSE_ERROR_MAX])
{
	char *argv[WORDS_MAX];
	int argc;

	assert_true(strlen(line) < sizeof(line_copy));
	strcpy(line_copy, line);
	argc = split(line_copy, argv);
	error[0] = '\0';
	return tcpcopy_options_parse(o, argc, argv, error);
}

/* --- a host for tcpcopy_options_check: 192.0.2.1, 2001:db8::1, eth0 and lo --- */

static bool fake_device_exists(const char *device)
{
	return strcmp(device, "eth0") == 0 || strcmp(device, "lo") == 0 ||
	       strcmp(device, "any") == 0;
}

static const char *fake_device_list(char *buf, size_t size)
{
	snprintf(buf, size, "eth0, lo");
	return buf;
}

static int fake_check_filter(const char *filter, char error[CAPTURE_ERROR_MAX])
{
	if (!strstr(filter, "nonsense"))
		return 0;
	snprintf(error, CAPTURE_ERROR_MAX, "the filter \"%s\" has a syntax error, for example tcp",
		 filter);
	return -1;
}

static int check(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	struct ip_addr addresses[3];
	const struct host_facts host = {
		.addresses = addresses,
		.address_count = 3,
		.device_exists = fake_device_exists,
		.device_list = fake_device_list,
		.check_filter = fake_check_filter,
	};

	assert_int_equal(ip_addr_parse(&addresses[0], "192.0.2.1"), 0);
	assert_int_equal(ip_addr_parse(&addresses[1], "2001:db8::1"), 0);
	assert_int_equal(ip_addr_parse(&addresses[2], "127.0.0.1"), 0);
	return tcpcopy_options_check(o, &host, error);
}

/* --- bad lines --- */

struct bad_line {
	const char *line;
	const char *words[3]; /* all in the refusal */
};

#define REST " -s 10.0.0.3 -c 10.20.30.x"
#define PAIR "-x 80-10.0.0.2:8080 "

static const struct bad_line bad_lines[] = {
	/* -x */
	{"-x 80-10.0.0.2" REST, {"80-10.0.0.2", "no port", "80-10.0.0.2:8080"}},
	{"-x 10008-192.168.237.128" REST, {"192.168.237.128", "no port", "-x"}},
	{"-x 80-8080" REST, {"8080", "no address", "80-10.0.0.2:8080"}},
	{"-x 80" REST, {"-x 80", "dash", "example"}},
	{"-x -10.0.0.2:80" REST, {"source", "missing", "example"}},
	{"-x 80-" REST, {"target", "missing", "example"}},
	{"-x ''" REST, {"empty", "-x"}},
	{"-x 80-10.0.0.2:8080," REST, {"empty", "-x"}},
	{"-x 80-10.0.0.2:0" REST, {"80-10.0.0.2:0", "port"}},
	{"-x 80-10.0.0.2:65536" REST, {"65536", "port"}},
	{"-x 0-10.0.0.2:8080" REST, {"0-10.0.0.2:8080", "port"}},
	{"-x 70000-10.0.0.2:8080" REST, {"70000", "port"}},
	{"-x 80-10.0.0.256:8080" REST, {"10.0.0.256"}},
	{"-x 80-test.example:8080" REST, {"test.example", "names are not resolved", "example"}},
	{"-x www:80-10.0.0.2:8080" REST, {"www:80", "names are not resolved"}},
	{"-x http-10.0.0.2:8080" REST, {"http", "names are not resolved"}},
	{"-x 10.0.0.1-10.0.0.2:8080" REST, {"source", "no port"}},
	{"-x 80-2001:db8::2:8080" REST, {"brackets", "[2001:db8::2]:8080"}},
	{"-x 80-[2001:db8::2]" REST, {"no port"}},
	{"-x 80-[10.0.0.2]x:8080" REST, {"-x"}},
	{"-x 80-[2001:db8::2:8080" REST, {"-x"}},
	{"-x 80-0.0.0.0:8080" REST, {"0.0.0.0", "one host"}},
	{"-x 80-224.0.0.1:8080" REST, {"224.0.0.1", "one host"}},
	{"-x 80-255.255.255.255:8080" REST, {"one host"}},
	{"-x 80-[ff02::1]:8080" REST, {"one host"}},
	{"-x 80@02:00:00:00:00-10.0.0.2:8080" REST, {"02:00:00:00:00"}},
	{"-x 80-10.0.0.2:8080@router" REST, {"router"}},
	{"-x 80-10.0.0.2:8080,80-10.0.0.2:8080" REST, {"twice", "80-10.0.0.2:8080"}},
	{"-x 80-10.0.0.2:8080 -x 80-10.0.0.2:8080" REST, {"twice"}},
	{"-x 10.0.0.1:80-10.0.0.1:80" REST, {"10.0.0.1:80", "itself captured"}},
	{"-x 10.0.0.1:80-10.0.0.2:80,10.0.0.2:80-10.0.0.1:80" REST, {"itself captured"}},
	{"-x 10.0.0.1:80-10.0.0.2:80,10.0.0.2:80-10.0.0.4:80" REST, {"10.0.0.2:80", "pair 2"}},
	{"-x 80-127.0.0.1:80" REST, {"127.0.0.1:80", "itself captured"}},
	{"-x 80-10.0.0.2", {"no port"}}, /* before -s is missed */
	{"-s 10.0.0.3", {"-x is missing", "80-10.0.0.2:8080"}},
	/* -s */
	{"-x 80-10.0.0.2:8080", {"-s is missing", "-s 10.0.0.3"}},
	{PAIR "-s ''", {"-s", "empty"}},
	{PAIR "-s 10.0.0.300", {"10.0.0.300"}},
	{PAIR "-s 10.0.0.3:0", {"-s"}},
	{PAIR "-s 10.0.0.3:99999", {"99999"}},
	{PAIR "-s 0.0.0.0", {"one host"}},
	{PAIR "-s 224.0.0.5", {"one host"}},
	{PAIR "-s 10.0.0.3,10.0.0.3", {"the same intercept", "10.0.0.3"}},
	{PAIR "-s 10.0.0.3 -s 10.0.0.3:36524", {"the same intercept"}},
	/* -c */
	{PAIR "-s 10.0.0.3 -c 10.0.0.300", {"10.0.0.300"}},
	{PAIR "-s 10.0.0.3 -c 10.0.0", {"10.0.0"}},
	{PAIR "-s 10.0.0.3 -c ''", {"-c", "empty"}},
	{PAIR "-s 10.0.0.3 -c 10.20.30.9-10.20.30.5", {"10.20.30.9-10.20.30.5"}},
	{PAIR "-s 10.0.0.3 -c 10.20.30.0/33", {"10.20.30.0/33"}},
	{PAIR "-s 10.0.0.3 -c clients", {"clients"}},
	{PAIR "-s 10.0.0.3 -c 10.0.0.x", {"10.0.0.2", "target", "-c"}},
	{PAIR "-s 10.1.0.3 -c 10.1.0.x", {"10.1.0.3", "address of -s"}},
	{"-x 10.5.0.1:80-10.0.0.2:8080 -s 10.0.0.3 -c 10.5.0.x", {"10.5.0.1", "source"}},
	{PAIR "-s 10.0.0.3 -c 127.0.0.1", {"127.0.0.1", "loopback"}},
	{PAIR "-s 10.0.0.3 -c 224.0.0.1", {"224.0.0.1", "multicast"}},
	{PAIR "-s 10.0.0.3 -c 10.20.30.x,10.20.30.7", {"10.20.30.7", "overlaps"}},
	{PAIR "-s 10.0.0.3 -c 10.20.30.7 -c 10.20.0.0/16", {"overlaps"}},
	{PAIR "-s 10.0.0.3 -c 2001:db8:1::/64", {"IPv4", "10.0.0.2:8080"}},
	{"-x 80-[2001:db8::2]:8080" REST, {"IPv6", "[2001:db8::2]:8080"}},
	{"-x 10.0.0.1:80-[2001:db8::2]:8080 -s 10.0.0.3", {"families"}},
	/* -i */
	{PAIR REST " -i ''", {"-i", "empty"}},
	{PAIR REST " -i a-device-with-a-long-name", {"a-device-with-a-long-name", "15"}},
	{PAIR REST " -i eth0,eth0", {"eth0", "twice"}},
	{PAIR REST " -i any,eth0", {"any"}},
	/* numbers and words */
	{PAIR REST " -p 0", {"-p"}},
	{PAIR REST " -p 65536", {"65536"}},
	{PAIR REST " -p port", {"port"}},
	{PAIR REST " -t 0", {"-t"}},
	{PAIR REST " -t abc", {"abc"}},
	{PAIR REST " -t 10s", {"10s"}},
	{PAIR REST " -t 99999999999999999999", {"-t"}},
	{PAIR REST " -m 1", {"-m"}},
	{PAIR REST " -m -5", {"-5"}},
	{PAIR REST " -B 0", {"-B"}},
	{PAIR REST " -B 2048", {"2048"}},
	{PAIR REST " -S 100", {"100"}},
	{PAIR REST " -S 262145", {"262145"}},
	{PAIR REST " -M 500", {"500"}},
	{PAIR REST " -M 70000", {"70000"}},
	{PAIR REST " --send raw", {"raw", "auto, link or ip"}},
	{PAIR REST " -l ''", {"-l", "empty"}},
	{PAIR REST " -P ''", {"-P", "empty"}},
	{PAIR REST " -F ''", {"-F", "empty"}},
	{PAIR REST " --stats-file ''", {"--stats-file", "empty"}},
	/* unknown and stray */
	{PAIR REST " -Z", {"-Z", "unknown option", "--help"}},
	{PAIR REST " --unknown", {"--unknown", "unknown option", "--help"}},
	{PAIR REST " --daemon=yes", {"--daemon=yes", "takes no value"}},
	{PAIR REST " -l", {"-l", "value must follow"}},
	{PAIR REST " --stats-file", {"--stats-file", "value must follow"}},
	{PAIR REST " -dZ", {"-Z", "unknown option"}},
	{PAIR REST " 10.0.0.9", {"10.0.0.9", "letter"}},
};

static void bad_lines_are_refused_with_value_and_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		const struct bad_line *bad = &bad_lines[i];
		struct tcpcopy_options o;
		char error[PARSE_ERROR_MAX];

		if (parse(&o, bad->line, error) == 0)
			fail_msg("taken: %s", bad->line);
		if (!*error || strchr(error, '\n'))
			fail_msg("%s: not one sentence: %s", bad->line, error);
		for (size_t k = 0; k < 3 && bad->words[k]; k++) {
			if (!strstr(error, bad->words[k]))
				fail_msg("%s: no '%s' in: %s", bad->line, bad->words[k], error);
		}
	}
}

static const struct bad_line bad_on_this_host[] = {
	{"-x 80-192.0.2.1:80" REST, {"192.0.2.1:80", "itself captured"}},
	{"-x 80-[2001:db8::1]:80 -s 10.0.0.3", {"[2001:db8::1]:80", "itself captured"}},
	{"-x 80-10.0.0.2:8080,8080-192.0.2.1:80" REST, {"192.0.2.1:80", "itself captured"}},
	{"-x 80-10.0.0.2:8080,192.0.2.1:80-10.0.0.2:8080" REST, {"192.0.2.1:80", "once more"}},
	{PAIR "-s 10.0.0.3 -c 192.0.2.x", {"192.0.2.1", "this host", "reset"}},
	{PAIR REST " -i eth1", {"eth1", "no such device", "eth0, lo"}},
	{PAIR REST " -i eth0,eth9", {"eth9", "no such device"}},
	{PAIR REST " -F nonsense", {"-F", "nonsense", "syntax error"}},
};

static void bad_lines_on_this_host_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_on_this_host) / sizeof(bad_on_this_host[0]); i++) {
		const struct bad_line *bad = &bad_on_this_host[i];
		struct tcpcopy_options o;
		char error[PARSE_ERROR_MAX] = "";

		if (parse(&o, bad->line, error))
			fail_msg("%s: refused before the host was asked: %s", bad->line, error);
		if (check(&o, error) == 0)
			fail_msg("taken: %s", bad->line);
		for (size_t k = 0; k < 3 && bad->words[k]; k++) {
			if (!strstr(error, bad->words[k]))
				fail_msg("%s: no '%s' in: %s", bad->line, bad->words[k], error);
		}
	}
}

/* --- good lines --- */

static const char *const good_lines[] = {
	PAIR "-s 10.0.0.3",
	PAIR REST,
	"-x 9999-10.191.7.11:10231 -s 10.191.7.16 -c 10.190.4.137",
	"-x 1025-192.168.50.101:1025 -s 192.168.50.102 -c 192.168.60.x -d",
	"-x 192.0.2.1:80-10.0.0.2:8080" REST,
	"-x 0.0.0.0:80-10.0.0.2:8080" REST,
	"-x 80-10.0.0.2:80" REST,
	"-x 80-10.0.0.2:8080,80-10.0.0.4:8080,443-10.0.0.2:8443" REST,
	"-x 80-10.0.0.2:8080 -x 80-10.0.0.4:8080" REST,
	"-x 80-127.0.0.1:8080" REST,
	"-x 80-[2001:db8::2]:8080 -s [2001:db8::3]:36524 -c 2001:db8:1::/64",
	"-x [2001:db8::1]:80-[2001:db8::2]:8080 -s 10.0.0.3",
	"-x 10.0.0.1:80-[2001:db8::2]:8080 -s 10.0.0.3 -c 2001:db8:1::/64",
	"-x 80@02:00:00:00:00:01-10.0.0.2:8080@02:00:00:00:00:02" REST,
	PAIR "-s 10.0.0.3,10.0.0.4:5000 -c 10.20.30.x",
	PAIR "-s 10.0.0.3:1,10.0.0.3:2",
	PAIR "-s localhost",
	PAIR "-s 10.0.0.3 -c 10.20.30.5-10.20.30.9,10.20.31.x -c 10.21.0.0/16",
	PAIR REST " -i eth0,lo",
	PAIR REST " -i eth0 -i lo",
	PAIR REST " -i any -F 'src net 10.0.0.0/8'",
	PAIR REST
	" -p 1 -t 86400 -m 16 -B 2047 -S 256 -M 576 --send link --stats-file /tmp/s --check",
	"--transfer 80-10.0.0.2:8080 --intercept=10.0.0.3 --client-ip 10.20.30.x --daemon",
	"-x80-10.0.0.2:8080 -s10.0.0.3 -dPpid",
};

static void good_lines_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good_lines) / sizeof(good_lines[0]); i++) {
		struct tcpcopy_options o;
		char error[PARSE_ERROR_MAX];

		if (parse(&o, good_lines[i], error) || check(&o, error))
			fail_msg("refused: %s: %s", good_lines[i], error);
	}
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&o, PAIR "-s 10.0.0.3", error), 0);
	assert_int_equal(o.intercept_port, 36524);
	assert_int_equal(o.give_up_s, 600);
	assert_int_equal(o.max_memory_mb, 1024);
	assert_int_equal(o.buffer_mb, 128);
	assert_int_equal(o.snaplen_bytes, 262144);
	assert_int_equal(o.mtu_bytes, 0);
	assert_int_equal(o.send, SENDER_AUTO);
	assert_int_equal(o.client_range_count, 0);
	assert_int_equal(o.device_count, 0);
	assert_false(o.daemon);
	assert_null(o.filter);
}

static void a_pair_has_source_target_and_macs(void **state)
{
	static const uint8_t source_mac[] = {2, 0, 0, 0, 0, 1}, next_hop[] = {2, 0, 0, 0, 0, 2};
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX], text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_int_equal(parse(&o,
			       "-x 10.0.0.1:80@02:00:00:00:00:01-10.0.0.2:8080@02:00:00:00:00:02"
			       ",443-[2001:db8::2]:8443 -s 10.0.0.3",
			       error),
			 0);
	assert_int_equal(o.transfer_count, 2);
	assert_string_equal(endpoint_format(text, sizeof(text), &o.transfers[0].source),
			    "10.0.0.1:80");
	assert_string_equal(endpoint_format(text, sizeof(text), &o.transfers[0].target),
			    "10.0.0.2:8080");
	assert_true(o.transfers[0].has_source_mac && o.transfers[0].has_next_hop_mac);
	assert_memory_equal(o.transfers[0].source_mac, source_mac, MAC_LEN);
	assert_memory_equal(o.transfers[0].next_hop_mac, next_hop, MAC_LEN);
	assert_true(ip_addr_is_unspecified(&o.transfers[1].source.addr));
	assert_int_equal(o.transfers[1].source.port, 443);
	assert_false(o.transfers[1].has_source_mac || o.transfers[1].has_next_hop_mac);
	assert_string_equal(endpoint_format(text, sizeof(text), &o.transfers[1].target),
			    "[2001:db8::2]:8443");
}

static void port_applies_to_an_intercept_named_before_it(void **state)
{
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&o, PAIR "-s 10.0.0.3,10.0.0.4:5000 -p 4000", error), 0);
	assert_int_equal(o.intercept_count, 2);
	assert_int_equal(o.intercepts[0].endpoints[0].port, 4000);
	assert_int_equal(o.intercepts[1].endpoints[0].port, 5000);
	assert_string_equal(o.intercepts[1].text, "10.0.0.4:5000");
}

static void lists_accumulate_over_options(void **state)
{
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&o,
			       "-c 10.20.30.x -x 80-10.0.0.2:80 -s 10.0.0.3 -i eth0 -x "
			       "81-10.0.0.2:81,82-10.0.0.2:82 -s 10.0.0.4 -c 10.20.31.x -i lo",
			       error),
			 0);
	assert_int_equal(o.transfer_count, 3);
	assert_int_equal(o.intercept_count, 2);
	assert_int_equal(o.client_range_count, 2);
	assert_int_equal(o.device_count, 2);
	assert_string_equal(o.devices[1], "lo");
}

static void sixty_four_pairs_are_taken_and_one_more_refused(void **state)
{
	char line[LINE_MAX_BYTES] = "-s 10.0.0.3 -x 80-10.0.0.2:1";
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];
	size_t len = strlen(line);

	(void)state;
	for (int i = 2; i <= TRANSFERS_MAX; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, ",80-10.0.0.2:%d", i);
	assert_int_equal(parse(&o, line, error), 0);
	assert_int_equal(o.transfer_count, TRANSFERS_MAX);
	strcat(line, ",80-10.0.0.2:65");
	assert_int_equal(parse(&o, line, error), -1);
	assert_non_null(strstr(error, "more than 64 pairs"));
}

static void a_value_of_many_bytes_is_refused_within_the_buffer(void **state)
{
	char line[LINE_MAX_BYTES];
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];

	(void)state;
	for (const char *option = "xscitmF"; *option; option++) {
		size_t len = (size_t)snprintf(line, sizeof(line), "-%c ", *option);

		memset(line + len, '9', 3000);
		strcpy(line + len + 3000, *option == 'x' ? "" : " " PAIR);
		if (*option != 's')
			strcat(line, " -s 10.0.0.3");
		if (parse(&o, line, error) == 0)
			assert_true(*option == 'F');
		else
			assert_true(*error && strlen(error) < PARSE_ERROR_MAX);
	}
}

static void help_and_version_demand_nothing(void **state)
{
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&o, "-h", error), 0);
	assert_true(o.help);
	assert_int_equal(parse(&o, "--version", error), 0);
	assert_true(o.version);
	assert_int_equal(parse(&o, PAIR REST " --check", error), 0);
	assert_true(o.check);
}

static void help_names_every_option(void **state)
{
	static const char *const names[] = {
		"--transfer", "--intercept",   "--client-ip",      "--input",    "--filter",
		"--port",     "--log",         "--daemon",         "--pid-file", "--version",
		"--help",     "--send",        "--stats-file",     "--timeout",  "--max-memory",
		"--mtu",      "--snap-length", "--capture-buffer", "--check",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strstr(tcpcopy_options_help(), names[i]))
			fail_msg("--help does not name %s", names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_lines_are_refused_with_value_and_rule),
		cmocka_unit_test(bad_lines_on_this_host_are_refused),
		cmocka_unit_test(good_lines_are_taken),
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(a_pair_has_source_target_and_macs),
		cmocka_unit_test(port_applies_to_an_intercept_named_before_it),
		cmocka_unit_test(lists_accumulate_over_options),
		cmocka_unit_test(sixty_four_pairs_are_taken_and_one_more_refused),
		cmocka_unit_test(a_value_of_many_bytes_is_refused_within_the_buffer),
		cmocka_unit_test(help_and_version_demand_nothing),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
