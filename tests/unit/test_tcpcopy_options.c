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
#include <stdlib.h>
#include <string.h>

#include "common/stats.h"
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

static bool fake_file_exists(const char *path)
{
	return strcmp(path, "recording") == 0;
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

/* 10.9.0.0/16 lies behind the router 10.8.0.1, intercept 10.7.0.3 is reached from 10.7.0.9. */
static int fake_route(struct route *r, const struct ip_addr *dst, const char *device)
{
	uint32_t net = ip_addr_is_v4(dst) ? ip_addr_to_v4(dst) >> 16 : 0;

	if (*device)
		net = 0; /* all is on-link there */

	memset(r, 0, sizeof(*r));
	r->kind = net == 0x0a09 ? ROUTE_GATEWAY : ROUTE_ON_LINK;
	r->next_hop = net == 0x0a09 ? ip_addr_v4(0x0a080001) : *dst;
	r->source = ip_addr_v4(net == 0x0a07 ? 0x0a070009 : 0xc0000201);
	return 0;
}

static int check(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	struct ip_addr addresses[3];
	const struct host_facts host = {
		.addresses = addresses,
		.address_count = 3,
		.device_exists = fake_device_exists,
		.file_exists = fake_file_exists,
		.may_replace = stats_may_replace,
		.device_list = fake_device_list,
		.check_filter = fake_check_filter,
		.route = fake_route,
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
	{"-x 80-[2001:db8::2]" REST, {"no port", "-x 80-[2001:db8::2]:8080"}},
	{"-x [2001:db8::1]:80-" REST, {"missing", "-x 80-[2001:db8::2]:8080"}},
	{"-x 80-[fe80::2]:8080" REST, {"link-local", "unique local", "[2001:db8::2]:8080"}},
	{"-x 80-[2001:db8::2]:8080 -s 2001:db8::3 -c fe80::/64", {"-c fe80::/64", "link-local"}},
	{"-x 80-[2001:db8::2]:8080 -s 2001:db8::3 -c 2001:db8::/64",
	 {"2001:db8::2", "-c 2001:db8:1::/64"}},
	{"-x 80-[2001:db8::2]:8080 -s 2001:db8::3 -c ff02::/112",
	 {"multicast", "-c 2001:db8:1::/64"}},
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
	{"-x 80-127.0.0.1:8080 -s 10.0.0.3", {"127.0.0.1:8080", "this host itself"}},
	{"-x 127.0.0.1:80-127.0.0.1:8080 -s 10.0.0.3", {"this host itself", "-c 10.20.30.x"}},
	{"-x [::1]:80-[::1]:8080 -s 10.0.0.3", {"this host itself", "-c 2001:db8:1::/64"}},
	{"-x 80-127.0.0.1:8080 -s 10.0.0.3 -H 10.20.30.1", {"this host itself"}},
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
	{"-x [::1]:80-10.0.0.2:8080 -s 10.0.0.3 -H 2001:db8:1::1", {"families", "-c 10.20.30.x"}},
	{"-x 80-[2001:db8::2]:8080,80-10.0.0.2:8080 -s 10.0.0.3 -c 10.20.30.x",
	 {"[2001:db8::2]:8080", "-c 2001:db8:1::/64"}},
	{"-x 80-[2001:db8::2]:8080,80-10.0.0.2:8080 -s 10.0.0.3 -c 2001:db8:1::/64",
	 {"10.0.0.2:8080", "-c 10.20.30.x"}},
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
	/* how much is copied */
	{PAIR REST " -n 0", {"-n 0", "1 to 1023"}},
	{PAIR REST " -n 1024", {"1024", "1 to 1023"}},
	{PAIR REST " -n abc", {"abc"}},
	{PAIR REST " -r 0", {"-r 0", "up to 100", "12.5"}},
	{PAIR REST " -r 200", {"-r 200", "up to 100"}},
	{PAIR REST " -r 100.0001", {"100.0001"}},
	{PAIR REST " -r 1.23456", {"1.23456", "four digits"}},
	{PAIR REST " -r .5", {"-r .5"}},
	{PAIR REST " -r 5.", {"-r 5."}},
	{PAIR REST " -r 1e1", {"1e1"}},
	{PAIR REST " -r nan", {"nan"}},
	{PAIR REST " -r 20%", {"20%"}},
	{PAIR REST " --sample-by address", {"address", "session or client"}},
	{PAIR REST " --sample-by client", {"--sample-by client", "-r 20"}},
	{PAIR REST " --rate 0", {"--rate 0"}},
	{PAIR REST " -g0", {"-g 0"}},
	{PAIR REST " -g 30", {"-g 30", "without a blank", "--gradual=100"}},
	{PAIR REST " --gradual 30", {"--gradual 30", "without a blank"}},
	{PAIR REST " -g -r 1", {"-g 100", "-r 1", "begins with 1 %"}},
	{PAIR REST " -f 1024", {"1024", "0 to 1023"}},
	/* -H */
	{PAIR "-s 10.0.0.3 -H localhost", {"localhost", "-H 10.20.30.1"}},
	{PAIR "-s 10.0.0.3 -H 127.0.0.2", {"127.0.0.2", "can be routed"}},
	{PAIR "-s 10.0.0.3 -H ::1", {"::1", "can be routed", "-H 2001:db8:1::1"}},
	{PAIR "-s 10.0.0.3 -H fe80::1", {"fe80::1", "can be routed", "-H 2001:db8:1::1"}},
	{"-x 127.0.0.1:80-10.0.0.2:80,[::1]:80-[2001:db8::2]:80 -s 10.0.0.3 -H 10.20.30.1",
	 {"[::1]:80", "-c 2001:db8:1::/64", "-H 2001:db8:1::1"}},
	{PAIR "-s 10.0.0.3 -H 10.1.1.1,10.1.1.2", {"10.1.1.2", "second IPv4"}},
	{PAIR "-s 10.0.0.3 -H 10.0.0.2", {"10.0.0.2", "target"}},
	{PAIR "-s 10.0.0.3 -H 10.0.0.3", {"10.0.0.3", "-s", "-H 10.20.30.1"}},
	{PAIR "-s 10.0.0.3 -H 2001:db8:1::1", {"2001:db8:1::1", "IPv6", "-H 10.20.30.1"}},
	{PAIR REST " -H 10.20.30.1", {"10.20.30.1", "-c too"}},
	{"-x 10.0.0.1:80-10.0.0.2:80 -s 10.0.0.3 -H 10.1.1.1", {"10.1.1.1", "127.0.0.1:80"}},
	/* sending, the link */
	{PAIR REST " -o ''", {"-o ''", "-o eth1"}},
	{PAIR REST " -o any", {"-o any", "one device"}},
	{PAIR REST " -o eth0,eth1", {"eth0,eth1", "one device"}},
	{PAIR REST " -o eth0 --send ip", {"-o eth0", "--send ip", "leave one"}},
	{"-x 80-127.0.0.1:8080" REST " -o eth0", {"-o eth0", "127.0.0.1:8080"}},
	{"-x 80@02:00:00:00:00:01-10.0.0.2:8080" REST " --send ip", {"10.0.0.2:8080", "--send ip"}},
	{"-x 80-10.0.0.2:8080@02:00:00:00:00:01" REST " --send ip", {"10.0.0.2:8080", "--send ip"}},
	{"-x 80@02:00:00:00:00:01-10.0.0.2:8080,81-10.0.0.2:81" REST, {"10.0.0.2:81", "different"}},
	{"-x 80-10.0.0.2:8080@02:00:00:00:00:01,81-10.0.0.2:81@02:00:00:00:00:02" REST,
	 {"10.0.0.2:81", "different"}},
	{PAIR REST " -D 87", {"-D 87", "88 to 65495"}},
	{PAIR REST " -R 0", {"-R 0", "auto"}},
	{PAIR REST " -R fast", {"fast", "auto"}},
	{PAIR REST " -C 12", {"-C 12", "1 to 11"}},
	{PAIR REST " -j 65", {"-j 65", "1 to 64"}},
	{PAIR REST " -j 6 -C 11", {"-j 6", "-C 11", "66 connections"}},
	{PAIR REST " -j 2 -m 31", {"-m 31", "-j 2", "16 MB"}},
	{PAIR REST " -j 4 --rate 3", {"--rate 3", "-j 4", "--rate 4"}},
	{PAIR REST " -U much", {"-U", "much"}},
	{PAIR REST " -t 5 -t 6", {"-t 6", "second time", "after 5"}},
	{PAIR REST " -l /tmp/x --stats-file /tmp/x", {"/tmp/x", "same file"}},
	/* recordings: not yet */
	{PAIR REST " -i -", {"-i -", "cannot be replayed yet", "-i eth0"}},
	{PAIR REST " -i ./eth0", {"./eth0", "cannot be replayed yet"}},
	{PAIR REST " -i day.pcapng", {"day.pcapng", "cannot be replayed yet"}},
	{PAIR REST " -i eth0,TCP@10.0.0.9:57012", {"TCP@10.0.0.9:57012", "cannot be replayed"}},
	{PAIR REST " -i TCP@10.0.0.9", {"TCP@10.0.0.9", "TCP@HOST:PORT"}},
	{PAIR REST " -a 2", {"-a 2", "cannot be replayed yet", "leave it out"}},
	{PAIR REST " -a max", {"-a max", "cannot be replayed yet"}},
	{PAIR REST " -a 0", {"-a 0", "-a max"}},
	{PAIR REST " -I 100", {"-I 100", "cannot be replayed yet"}},
	{PAIR REST " -T 3", {"-T 3", "cannot be replayed yet"}},
	{PAIR REST " -T 0", {"-T 0", "1 to 1000000"}},
	/* unknown and stray */
	{PAIR REST " --snape 5", {"--snape", "unknown option"}},
	{PAIR REST " --s", {"--s", "--snap-length", "write out"}},
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
	{PAIR "-s 10.0.0.3 -c 192.0.2.x", {"192.0.2.1", "reaches intercept", "10.20.30.x"}},
	{PAIR "-s 10.7.0.3 -c 192.0.2.x", {"192.0.2.1", "this host", "reset"}},
	{PAIR "-s 10.7.0.3 -H 192.0.2.1", {"192.0.2.1", "this host"}},
	{PAIR "-s 10.7.0.3 -c 10.7.0.5-10.7.0.9", {"10.7.0.9", "reaches intercept 10.7.0.3"}},
	{PAIR "-s 10.7.0.3 -H 10.7.0.9", {"10.7.0.9", "reaches intercept"}},
	{"-x 80-10.9.0.2:80 -s 10.0.0.3 -c 10.8.0.x", {"10.8.0.1", "router", "10.9.0.2:80"}},
	{PAIR REST " -i eth1", {"eth1", "no such device", "eth0, lo"}},
	{PAIR REST " -i eth0,eth9", {"eth9", "no such device"}},
	{PAIR REST " -i recording", {"-i recording", "file", "cannot be replayed yet"}},
	{PAIR REST " -o eth9", {"-o eth9", "no such device", "eth0, lo"}},
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
	"-x 127.0.0.1:80-127.0.0.1:8080 -s 127.0.0.1 -H 10.20.30.1",
	"-x 80-[2001:db8::2]:8080 -s [2001:db8::3]:36524 -c 2001:db8:1::/64",
	"-x [2001:db8::1]:80-[2001:db8::2]:8080 -s 10.0.0.3",
	"-x 10.0.0.1:80-[2001:db8::2]:8080 -s 10.0.0.3 -c 2001:db8:1::/64",
	"-x [::1]:80-10.0.0.2:8080 -s 10.0.0.3 -H 10.20.30.1",
	"-x 127.0.0.1:80-[2001:db8::2]:8080 -s 2001:db8::3 -H 2001:db8:1::1",
	"-x 80-[2001:db8::2]:8080,80-10.0.0.2:8080 -s 2001:db8::3 -c 2001:db8:1::/64,10.20.30.x",
	"-x 80@02:00:00:00:00:01-10.0.0.2:8080@02:00:00:00:00:02" REST,
	"-x 80@02:00:00:00:00:01-10.0.0.2:8080,81@02:00:00:00:00:01-10.0.0.2:81" REST,
	"-x 80-10.0.0.2:8080@02:00:00:00:00:01,80-10.0.0.4:8080@02:00:00:00:00:02" REST,
	"-x 80-[2001:db8::2]:8080@02:00:00:00:00:01 -s 10.0.0.3 -c 2001:db8:1::/64 --send link",
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
	"-x 80-10.9.0.2:80 -s 10.0.0.3 -c 10.8.0.x -o eth0",
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

/* Clients of this host's other family, which nobody would be copied to. */
static void family_that_is_left_out_is_named(void **state)
{
	static const struct {
		const char *line;
		const char *note; /* NULL: none */
	} lines[] = {
		{"-x 80-10.0.0.2:8080 -s 10.0.0.3",
		 "without -c no clients with IPv6 addresses are copied to 10.0.0.2:8080: they are "
		 "counted as no-address; -c 10.20.30.x takes both families"},
		{"-x 80-[2001:db8::2]:8080 -s 10.0.0.3",
		 "without -c no clients with IPv4 addresses are copied to [2001:db8::2]:8080: they "
		 "are counted as no-address; -c 2001:db8:1::/64 takes both families"},
		{"-x 80-[2001:db8::2]:8080 -s 10.0.0.3 -c 2001:db8:1::/64", NULL},
		{"-x 192.0.2.1:80-10.0.0.2:8080 -s 10.0.0.3", NULL},
		{"-x 80-10.0.0.2:8080,80-[2001:db8::2]:8080 -s 10.0.0.3", NULL},
	};
	struct ip_addr addresses[4];

	(void)state;
	assert_int_equal(ip_addr_parse(&addresses[0], "127.0.0.1"), 0);
	assert_int_equal(ip_addr_parse(&addresses[1], "fe80::1"), 0);
	assert_int_equal(ip_addr_parse(&addresses[2], "192.0.2.1"), 0);
	assert_int_equal(ip_addr_parse(&addresses[3], "2001:db8::1"), 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char note[PARSE_ERROR_MAX];
		struct tcpcopy_options o;

		assert_int_equal(parse(&o, lines[i].line, note), 0);
		assert_int_equal(tcpcopy_options_leaves_out(&o, addresses, 4, note),
				 lines[i].note != NULL);
		if (lines[i].note)
			assert_string_equal(note, lines[i].note);
		/* Loopback and link-local addresses have no clients of that family from elsewhere. */
		if (strchr(lines[i].line, '[') == NULL)
			assert_false(tcpcopy_options_leaves_out(&o, addresses, 3, note));
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

static void how_much_is_copied(void **state)
{
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&o, PAIR REST, error), 0);
	assert_int_equal(o.copies, 1);
	assert_int_equal(o.sample_ppm, 1000000);
	assert_false(o.sample_by_client);
	assert_int_equal(o.rate_per_s, 0);
	assert_int_equal(o.gradual_s, 0);
	assert_int_equal(o.port_shift, 0);
	assert_int_equal(
		parse(&o, PAIR REST " -n 3 -r 12.5 --sample-by client --rate 50 -g -f 7", error),
		0);
	assert_int_equal(o.copies, 3);
	assert_int_equal(o.sample_ppm, 125000);
	assert_true(o.sample_by_client);
	assert_int_equal(o.rate_per_s, 50);
	assert_int_equal(o.gradual_s, 100);
	assert_int_equal(o.port_shift, 7);
	assert_int_equal(parse(&o, PAIR REST " --gradual=30 --percent=100.0000", error), 0);
	assert_int_equal(o.gradual_s, 30);
	assert_int_equal(o.sample_ppm, 1000000);
	assert_int_equal(parse(&o, PAIR REST " -g5 -n1023 -f1023", error), 0);
	assert_int_equal(o.gradual_s, 5);
}

static void how_packets_and_the_link_are(void **state)
{
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&o, PAIR REST, error), 0);
	assert_int_equal(o.mss_bytes, 0);
	assert_int_equal(o.rtt_ms, 0);
	assert_int_equal(o.link_connections, 1);
	assert_int_equal(o.workers, 1);
	assert_string_equal(o.output_device, "");
	assert_false(o.rtt_auto || o.no_wait || o.without_intercept);
	assert_int_equal(
		parse(&o, PAIR REST " -D 536 -R 80 -C 11 -j 5 -o eth0 -W -L -k 9 -U 20", error), 0);
	assert_int_equal(o.mss_bytes, 536);
	assert_int_equal(o.rtt_ms, 80);
	assert_int_equal(o.link_connections, 11);
	assert_int_equal(o.workers, 5);
	assert_int_equal(o.keep_alive_s, 9);
	assert_int_equal(o.session_pool_kb, 20);
	assert_string_equal(o.output_device, "eth0");
	assert_true(o.no_wait && o.without_intercept && !o.rtt_auto);
	assert_int_equal(parse(&o, PAIR REST " --rtt auto", error), 0);
	assert_int_equal(o.rtt_ms, 0);
	assert_true(o.rtt_auto);
}

static void localhost_has_an_address_a_family(void **state)
{
	struct tcpcopy_options o;
	char error[PARSE_ERROR_MAX], text[IP_ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(parse(&o, PAIR "-s 10.0.0.3 -H 10.30.0.1", error), 0);
	assert_true(o.has_localhost_ip4 && !o.has_localhost_ip6);
	assert_string_equal(ip_addr_format(text, sizeof(text), &o.localhost_ip4), "10.30.0.1");
	assert_int_equal(parse(&o,
			       "-x 80-10.0.0.2:8080,[::1]:80-[2001:db8::2]:80 -s 10.0.0.3 -H "
			       "2001:db8:1::1 --localhost-ip=10.30.0.1",
			       error),
			 0);
	assert_true(o.has_localhost_ip4 && o.has_localhost_ip6);
	assert_string_equal(ip_addr_format(text, sizeof(text), &o.localhost_ip6), "2001:db8:1::1");
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

static void help_fits_a_terminal(void **state)
{
	char *help = NULL;
	size_t len = 0, width = 0;
	FILE *out = open_memstream(&help, &len);

	(void)state;
	assert_non_null(out);
	tcpcopy_options_print_help(out);
	fclose(out);
	assert_true(len > 1000);
	for (const char *at = help; *at; at++) {
		width = *at == '\n' ? 0 : width + 1;
		assert_true(width <= 90);
	}
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_lines_are_refused_with_value_and_rule),
		cmocka_unit_test(bad_lines_on_this_host_are_refused),
		cmocka_unit_test(good_lines_are_taken),
		cmocka_unit_test(family_that_is_left_out_is_named),
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(a_pair_has_source_target_and_macs),
		cmocka_unit_test(port_applies_to_an_intercept_named_before_it),
		cmocka_unit_test(lists_accumulate_over_options),
		cmocka_unit_test(sixty_four_pairs_are_taken_and_one_more_refused),
		cmocka_unit_test(a_value_of_many_bytes_is_refused_within_the_buffer),
		cmocka_unit_test(help_and_version_demand_nothing),
		cmocka_unit_test(how_much_is_copied),
		cmocka_unit_test(how_packets_and_the_link_are),
		cmocka_unit_test(localhost_has_an_address_a_family),
		cmocka_unit_test(help_fits_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
