/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intercept_options.c - the command line: every bad value is refused with what was given, the
 * rule and an example; help and manual page name the same options.
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
	WORDS_MAX = 24,
	LINE_MAX_LEN = 2048,
	PAGE_MAX = 64 * 1024,
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
	assert_false(o.daemon);
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
			       "2001:db8::3 -l l -P p --stats-file s -d",
			       error),
			 0);
	expect_all(&o);
	assert_int_equal(parse(&c, &o,
			       "intercept --input eth0,eth1,br0 --filter tcp_and_src_port_8080 "
			       "--port=4000 --bind 2001:db8::3 --log l --pid-file p "
			       "--stats-file=s --daemon",
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
		{"intercept -i eth0,,eth1", "-i", "-i eth0,eth1"},
		{"intercept -i ", "-i", "-i eth0,eth1"},
		{"intercept -i eth0,eth0", "eth0", "-i eth0,eth1"},
		{"intercept -i eth0,any", "any", "-i eth0,eth1"},
		{"intercept -i abcdefghijklmnop", "abcdefghijklmnop", "15 characters"},
		{"intercept -i a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "-i q", "-i any"},
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

/* --- help and manual page --- */

static const char *const option_names[] = {
	"-i",     "--input",   "-F",    "--filter", "-p",           "--port", "-b",
	"--bind", "-l",        "--log", "-P",       "--pid-file",   "-d",     "--daemon",
	"-v",     "--version", "-h",    "--help",   "--stats-file",
};

static void help_names_every_option_and_fits_a_terminal(void **state)
{
	const char *help = intercept_options_help();
	size_t width = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++)
		if (!strstr(help, option_names[i]))
			fail_msg("--help does not name %s", option_names[i]);
	for (const char *at = help; *at; at++) {
		width = *at == '\n' ? 0 : width + 1;
		assert_true(width <= 90);
	}
}

/* The page, its backslashes taken out: "\-" is how a manual page writes a minus. */
static char *read_manual_page(void)
{
	const char *srcdir = getenv("srcdir");
	char path[1024];
	char *page = calloc(1, PAGE_MAX);
	size_t len, kept = 0;
	FILE *f;

	assert_non_null(page);
	snprintf(path, sizeof(path), "%s/docs/intercept.8", srcdir ? srcdir : ".");
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s cannot be opened; run in the source tree or set srcdir", path);
	len = fread(page, 1, PAGE_MAX - 1, f);
	fclose(f);
	for (size_t i = 0; i < len; i++)
		if (page[i] != '\\')
			page[kept++] = page[i];
	page[kept] = '\0';
	return page;
}

static void manual_page_has_every_option_of_the_help(void **state)
{
	char *page = read_manual_page();
	char *help = strdup(intercept_options_help());
	char *rest = help, *line;
	unsigned options = 0;

	(void)state;
	assert_non_null(help);
	/* Each option of the help, "  -i, --input LIST   text", is a tagged paragraph there. */
	while ((line = strsep(&rest, "\n"))) {
		char tag[64], *text, *end;

		if (strncmp(line, "  -", 3) != 0 && strncmp(line, "      --", 8) != 0)
			continue;
		line += strspn(line, " ");
		text = strstr(line, "  ");
		assert_non_null(text);
		end = text;
		text += strspn(text, " ");
		snprintf(tag, sizeof(tag), "\n.B %.*s\n", (int)(end - line), line);
		if (!strstr(page, tag))
			fail_msg("the manual page has no \"%.*s\"", (int)(end - line), line);
		options++;
	}
	assert_int_equal(options, 10);
	free(help);
	free(page);
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
		cmocka_unit_test(help_names_every_option_and_fits_a_terminal),
		cmocka_unit_test(manual_page_has_every_option_of_the_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
