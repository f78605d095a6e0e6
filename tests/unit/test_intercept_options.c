/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intercept_options.c - the command line: every bad value is refused with what was given, the
 * rule and an example.
 */
#include "intercept/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	WORDS_MAX = 40,
	LINE_MAX_LEN = 2048,
};

/* A command line as it is typed, words between single blanks, '_' for a blank within a word. */
struct command {
	char text[LINE_MAX_LEN];
	char *words[WORDS_MAX];
	int count;
};

static void split(struct command *c, const char *line)
{
	char *rest = c->text, *word;

	assert_true(strlen(line) < sizeof(c->text));
	strcpy(c->text, line);
	c->count = 0;
	while ((word = strsep(&rest, " "))) {
		assert_true(c->count < WORDS_MAX - 1);
		for (char *at = word; *at; at++)
			if (*at == '_')
				*at = ' ';
		c->words[c->count++] = word;
	}
	c->words[c->count] = NULL;
}

static int parse(struct command *c, struct intercept_options *o, const char *line, char *error)
{
	split(c, line);
	return intercept_options_parse(o, c->count, c->words, error);
}

static void without_options_the_defaults_stand(void **state)
{
	struct intercept_options o;
	struct command c;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&c, &o, "intercept", error), 0);
	assert_int_equal(o.device_count, 1);
	assert_string_equal(o.devices[0], "any");
	assert_string_equal(o.filter, "tcp");
	assert_int_equal(o.port, 36524);
	assert_true(ip_addr_is_unspecified(&o.bind));
	assert_null(o.log_file);
	assert_null(o.pid_file);
	assert_null(o.stats_file);
	assert_int_equal(o.batch_records, 1024);
	assert_int_equal(o.sessions_hint, 0);
	assert_int_equal(o.translation_count, 0);
	assert_false(o.daemon);
	assert_false(o.check);
}

static void expect_all(const struct intercept_options *o)
{
	char addr[IP_ADDR_TEXT_MAX];

	assert_int_equal(o->device_count, 3);
	assert_string_equal(o->devices[0], "eth0");
	assert_string_equal(o->devices[1], "eth1");
	assert_string_equal(o->devices[2], "br0");
	assert_string_equal(o->filter, "tcp and src port 8080");
	assert_int_equal(o->port, 4000);
	assert_string_equal(ip_addr_format(addr, sizeof(addr), &o->bind), "2001:db8::3");
	assert_string_equal(o->log_file, "l");
	assert_string_equal(o->pid_file, "p");
	assert_string_equal(o->stats_file, "s");
	assert_int_equal(o->batch_records, 20);
	assert_int_equal(o->sessions_hint, 4096);
	assert_int_equal(o->translation_count, 1);
	assert_true(o->daemon);
}

static void every_option_has_a_short_and_a_long_form(void **state)
{
	struct intercept_options o;
	struct command c;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&c, &o,
			       "intercept -i eth0,_eth1 -i br0 -F tcp_and_src_port_8080 -p 4000 -b "
			       "2001:db8::3 -l l -P p --stats-file s -d -n 20 -s 4096 -D "
			       "172.17.0.2-10.0.0.2",
			       error),
			 0);
	expect_all(&o);
	assert_int_equal(parse(&c, &o,
			       "intercept --input eth0,eth1,br0 --filter tcp_and_src_port_8080 "
			       "--port=4000 --bind 2001:db8::3 --log l --pid-file p "
			       "--stats-file=s --daemon --batch=20 --sessions 4096 --translate "
			       "172.17.0.2-10.0.0.2",
			       error),
			 0);
	expect_all(&o);
	assert_int_equal(parse(&c, &o, "intercept -v", error), 0);
	assert_true(o.version && !o.help);
	assert_int_equal(parse(&c, &o, "intercept --help", error), 0);
	assert_true(o.help && !o.version);
}

/* What the guides of the field tell people to type. */
static void familiar_command_lines_are_accepted(void **state)
{
	struct intercept_options o;
	struct command c;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&c, &o, "./intercept -i eth0 -F tcp_and_src_port_8080 -d", error),
			 0);
	assert_string_equal(o.devices[0], "eth0");
	assert_true(o.daemon);
}

static void bad_command_lines_are_refused_with_value_rule_and_example(void **state)
{
	static const struct {
		const char *line;
		const char *value; /* must be in the message ... */
		const char *right; /* ... as must be what would be right */
	} bad[] = {
		{"intercept -p 0", "-p 0", "65535"},
		{"intercept -p 65536", "65536", "65535"},
		{"intercept -p http", "http", "65535"},
		{"intercept -p 80x", "80x", "65535"},
		{"intercept --port=-1", "-1", "65535"},
		{"intercept -b 10.0.0.300", "10.0.0.300", "-b 10.0.0.3"},
		{"intercept -b localhost", "localhost", "-b 10.0.0.3"},
		{"intercept -b [::1]", "[::1]", "2001:db8::3"},
		{"intercept -b fe80::3", "fe80::3", "link-local"},
		{"intercept -i eth0,,eth1", "-i", "-i eth0,eth1"},
		{"intercept -i ", "-i", "-i eth0,eth1"},
		{"intercept -i eth0,eth0", "eth0", "-i eth0,eth1"},
		{"intercept -i eth0,any", "any", "-i eth0,eth1"},
		{"intercept -i abcdefghijklmnop", "abcdefghijklmnop", "15 characters"},
		{"intercept -i a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "-i q", "-i any"},
		{"intercept -p 1 -p 2", "-p 2", "keep one"},
		{"intercept -n 0", "-n 0", "1 to 1024"},
		{"intercept -n 1025", "1025", "1 to 1024"},
		{"intercept -s 0", "-s 0", "-s 1"},
		{"intercept -s many", "many", "-s 1"},
		{"intercept -D ", "-D", "172.17.0.2:80-10.0.0.2:8080"},
		{"intercept -D 172.17.0.2", "172.17.0.2", "dash"},
		{"intercept -D web-10.0.0.2", "web-10.0.0.2", "numeric"},
		{"intercept -D 172.17.0.2-", "172.17.0.2-", "numeric"},
		{"intercept -D 172.17.0.2:80-10.0.0.2", "172.17.0.2:80-10.0.0.2", "both sides"},
		{"intercept -D 172.17.0.2-[2001:db8::2]", "2001:db8::2", "-D 172.17.0.2:80"},
		{"intercept -D 172.17.0.2-2001:db8::2", "2001:db8::2", "both addresses"},
		{"intercept -D 10.0.0.2-10.0.0.2", "10.0.0.2-10.0.0.2", "same"},
		{"intercept -D 10.1.0.2-10.0.0.2,10.1.0.2-10.0.0.3", "10.1.0.2-10.0.0.3", "twice"},
		{"intercept -D 10.1.0.2-10.0.0.2,10.0.0.2-10.0.0.3", "10.0.0.2-10.0.0.3",
		 "another"},
		{"intercept -D 0.0.0.0-10.0.0.2", "0.0.0.0", "numeric"},
		{"intercept -l x -P x", "-P x", "same file"},
		{"intercept -l x --stats-file x", "-l x", "same file"},
		{"intercept --s 5", "--s", "--stats-file"},
		{"intercept -F ", "-F", "tcp and src port 8080"},
		{"intercept -l ", "-l", "/var/log/intercept.log"},
		{"intercept -P ", "-P", "/run/intercept.pid"},
		{"intercept --stats-file ", "--stats-file", "/run/intercept.json"},
		{"intercept -p", "-p", "--help"},
		{"intercept --stats-file", "--stats-file", "--help"},
		{"intercept -z", "-z", "--help"},
		{"intercept --frobnicate", "--frobnicate", "--help"},
		{"intercept --daemon=yes", "--daemon=yes", "takes no value"},
		{"intercept eth0", "eth0", "-i eth0"},
		{"intercept -d eth0 -p 5", "eth0", "-i eth0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct intercept_options o;
		struct command c;
		char error[PARSE_ERROR_MAX] = "";

		if (parse(&c, &o, bad[i].line, error) != -1)
			fail_msg("accepted: %s", bad[i].line);
		if (!strstr(error, bad[i].value) || !strstr(error, bad[i].right))
			fail_msg("%s: \"%s\" lacks \"%s\" or \"%s\"", bad[i].line, error,
				 bad[i].value, bad[i].right);
		assert_null(strchr(error, '\n'));
	}
}

static void long_hostile_values_are_cut_in_the_message(void **state)
{
	static const char options[] = {'i', 'F', 'p', 'b'};
	char value[8 * 1024], error[PARSE_ERROR_MAX];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < sizeof(options); i++) {
		char option[3] = {'-', options[i], '\0'};
		char *words[] = {(char[]){"intercept"}, option, value, NULL};
		struct intercept_options o;

		/* Any filter is a text until this host compiles it. */
		assert_int_equal(intercept_options_parse(&o, 3, words, error),
				 options[i] == 'F' ? 0 : -1);
		if (options[i] == 'F')
			assert_int_equal(intercept_options_check(&o, error), -1);
		assert_true(strlen(error) < PARSE_ERROR_MAX);
	}
}

static void check_refuses_what_this_host_does_not_have(void **state)
{
	struct intercept_options o;
	struct command c;
	char error[PARSE_ERROR_MAX];

	(void)state;
	assert_int_equal(parse(&c, &o, "intercept -i nodev99", error), 0);
	assert_int_equal(intercept_options_check(&o, error), -1);
	assert_non_null(strstr(error, "nodev99"));
	assert_non_null(strstr(error, "any"));
	assert_non_null(strstr(error, "lo")); /* lists those that there are */
	assert_int_equal(parse(&c, &o, "intercept -i lo -F port_and_and", error), 0);
	assert_int_equal(intercept_options_check(&o, error), -1);
	assert_non_null(strstr(error, "port and and"));
	assert_int_equal(parse(&c, &o, "intercept -i lo -F tcp_and_src_port_8080", error), 0);
	assert_int_equal(intercept_options_check(&o, error), 0);
	assert_int_equal(parse(&c, &o, "intercept", error), 0);
	assert_int_equal(intercept_options_check(&o, error), 0);
}

/* --- translations --- */

static void a_translation_is_a_pair_of_addresses_with_or_without_ports(void **state)
{
	struct intercept_options o;
	struct command c;
	char error[PARSE_ERROR_MAX], text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_int_equal(parse(&c, &o,
			       "intercept -D 172.17.0.2:80-10.0.0.2:8080,172.17.0.3-10.0.0.2 -D "
			       "[fd00::2]:80-[2001:db8::2]:8080 --translate fd00::3-2001:db8::2",
			       error),
			 0);
	assert_int_equal(o.translation_count, 4);
	assert_string_equal(endpoint_format(text, sizeof(text), &o.translations[0].seen),
			    "172.17.0.2:80");
	assert_string_equal(endpoint_format(text, sizeof(text), &o.translations[0].original),
			    "10.0.0.2:8080");
	assert_int_equal(o.translations[1].seen.port, 0);
	assert_int_equal(o.translations[1].original.port, 0);
	assert_string_equal(endpoint_format(text, sizeof(text), &o.translations[2].original),
			    "[2001:db8::2]:8080");
	assert_int_equal(o.translations[3].seen.port, 0);
}

static void thirty_two_translations_are_taken_and_one_more_refused(void **state)
{
	char line[LINE_MAX_LEN] = "intercept -D ", error[PARSE_ERROR_MAX];
	struct intercept_options o;
	struct command c;
	size_t len = strlen(line);

	(void)state;
	for (int i = 1; i <= TRANSLATIONS_MAX; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s172.17.0.%d-10.0.0.%d",
					i > 1 ? "," : "", i, i);
	assert_int_equal(parse(&c, &o, line, error), 0);
	assert_int_equal(o.translation_count, TRANSLATIONS_MAX);
	strcat(line, ",172.17.1.1-10.0.1.1");
	assert_int_equal(parse(&c, &o, line, error), -1);
	assert_non_null(strstr(error, "more than 32"));
}

static void help_fits_a_terminal(void **state)
{
	char *help = NULL;
	size_t len = 0, width = 0;
	FILE *out = open_memstream(&help, &len);

	(void)state;
	assert_non_null(out);
	intercept_options_print_help(out);
	fclose(out);
	assert_true(len > 500);
	for (const char *at = help; *at; at++) {
		width = *at == '\n' ? 0 : width + 1;
		assert_true(width <= 90);
	}
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_the_defaults_stand),
		cmocka_unit_test(every_option_has_a_short_and_a_long_form),
		cmocka_unit_test(familiar_command_lines_are_accepted),
		cmocka_unit_test(bad_command_lines_are_refused_with_value_rule_and_example),
		cmocka_unit_test(long_hostile_values_are_cut_in_the_message),
		cmocka_unit_test(check_refuses_what_this_host_does_not_have),
		cmocka_unit_test(a_translation_is_a_pair_of_addresses_with_or_without_ports),
		cmocka_unit_test(thirty_two_translations_are_taken_and_one_more_refused),
		cmocka_unit_test(help_fits_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
