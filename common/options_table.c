/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_table.c - see options_table.h. getopt does the splitting; what it complains of is put
 * into words here.
 */
#include "common/options_table.h"

#include <assert.h>
#include <ctype.h>
#include <getopt.h>
#include <string.h>

enum {
	LONG_BASE = 256, /* getopt's number of a long option: this and its index */
	HELP_COLUMN = 28,
	HELP_WIDTH = 88,
	CHOICES_MAX = 160,
};

/* What getopt wants, made from a table. */
struct getopt_tables {
	struct option longs[OPTIONS_TABLE_MAX + 1];
	char shorts[2 + 3 * OPTIONS_TABLE_MAX + 1];
};

/* g is all zero. */
static void make_getopt_tables(struct getopt_tables *g, const struct options_table *table)
{
	char *at = g->shorts;

	assert(table->count <= OPTIONS_TABLE_MAX);
	/* Stop at the first word that is no option; tell a missing value from an unknown option. */
	*at++ = '+';
	*at++ = ':';
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *spec = &table->specs[i];
		int has_value = !spec->argument           ? no_argument
				: spec->value_is_optional ? optional_argument
							  : required_argument;

		g->longs[i] = (struct option){spec->name, has_value, NULL, LONG_BASE + (int)i};
		if (!spec->letter)
			continue;
		*at++ = spec->letter;
		for (int k = 0; k < has_value; k++) /* "x:", "g::" */
			*at++ = ':';
	}
}

/* By what getopt returned; NULL: none. */
static const struct option_spec *find_spec(const struct options_table *table, int option)
{
	if (option >= LONG_BASE)
		return &table->specs[option - LONG_BASE];
	for (size_t i = 0; i < table->count; i++)
		if (table->specs[i].letter && table->specs[i].letter == option)
			return &table->specs[i];
	return NULL;
}

const char *option_spec_name(const struct option_spec *spec, char buf[32])
{
	if (spec->letter)
		snprintf(buf, 32, "-%c", spec->letter);
	else
		snprintf(buf, 32, "--%s", spec->name);
	return buf;
}

/* ---- what getopt complains of ---- */

/* Long options that begin as word does: "--stats-file, --send". Returns how many. */
static size_t list_choices(const struct options_table *table, const char *word,
			   char text[CHOICES_MAX])
{
	size_t len = strcspn(word + 2, "="), count = 0, used = 0;

	text[0] = '\0';
	for (size_t i = 0; len > 0 && i < table->count; i++) {
		if (strncmp(table->specs[i].name, word + 2, len) != 0)
			continue;
		if (used < CHOICES_MAX)
			used += (size_t)snprintf(text + used, CHOICES_MAX - used, "%s--%s",
						 count ? ", " : "", table->specs[i].name);
		count++;
	}
	return count;
}

static int refuse_long(const struct options_table *table, const char *word,
		       char error[PARSE_ERROR_MAX])
{
	char choices[CHOICES_MAX];

	if (list_choices(table, word, choices) > 1)
		return parse_refuse(error, "%.*s: this may be %s; write out which",
				    OPTION_SHOWN_MAX, word, choices);
	return parse_refuse(error, "%.*s: unknown option; see --help", OPTION_SHOWN_MAX, word);
}

static int refuse_letter(int letter, char error[PARSE_ERROR_MAX])
{
	unsigned char c = (unsigned char)letter;

	if (c < 0x80 && isprint(c))
		return parse_refuse(error, "-%c: unknown option; see --help", c);
	return parse_refuse(error,
			    "-\\x%02x: an option is a letter or a word, for example -h; see "
			    "--help",
			    c);
}

/* complaint is what getopt_long returned, word what it has looked at last. */
static int refuse_option(const struct options_table *table, int complaint, const char *word,
			 char error[PARSE_ERROR_MAX])
{
	const struct option_spec *spec = find_spec(table, optopt);
	char name[32];

	if (complaint == ':' && spec)
		return parse_refuse(error, "%s: a value must follow, %s; see --help",
				    option_spec_name(spec, name), spec->argument);
	/* A known option here means a long one with a value that it does not take. */
	if (optopt >= LONG_BASE)
		return parse_refuse(error, "%.*s: this option takes no value; see --help",
				    OPTION_SHOWN_MAX, word);
	if (optopt)
		return refuse_letter(optopt, error);
	return refuse_long(table, word, error);
}

/* A word without an option, argv[at]. */
static int refuse_stray(const struct options_table *table, char *const argv[], int at,
			char error[PARSE_ERROR_MAX])
{
	const char *before = argv[at - 1];

	for (size_t i = 0; at > 1 && i < table->count; i++) {
		const struct option_spec *spec = &table->specs[i];

		if (!spec->value_is_optional ||
		    !((before[0] == '-' && before[1] == spec->letter && !before[2]) ||
		      (strncmp(before, "--", 2) == 0 && strcmp(before + 2, spec->name) == 0)))
			continue;
		return parse_refuse(error,
				    "%s %.*s: this value is written without a blank, for example "
				    "-%c%s or --%s=%s",
				    before, OPTION_SHOWN_MAX, argv[at], spec->letter, spec->example,
				    spec->name, spec->example);
	}
	return parse_refuse(error, "%.*s: an option's letter is missing before it; for example %s",
			    OPTION_SHOWN_MAX, *argv[at] ? argv[at] : "''", table->example);
}

/* ---- values ---- */

static void *field_of(const struct option_spec *spec, void *options, size_t size)
{
	assert(spec->size == size);
	return (char *)options + spec->offset;
}

static void set_number(const struct option_spec *spec, void *options, unsigned n)
{
	memcpy(field_of(spec, options, sizeof(n)), &n, sizeof(n));
}

void options_table_set_defaults(const struct options_table *table, void *options)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->specs[i].kind == OPTION_NUMBER)
			set_number(&table->specs[i], options, table->specs[i].fallback);
}

static int read_number(const struct option_spec *spec, void *options, const char *value,
		       char error[PARSE_ERROR_MAX])
{
	char name[32];
	uint64_t n;

	if (parse_unsigned(&n, value, spec->min, spec->max, option_spec_name(spec, name), error))
		return -1;
	set_number(spec, options, (unsigned)n);
	return 0;
}

static int read_text(const struct option_spec *spec, void *options, const char *value,
		     char error[PARSE_ERROR_MAX])
{
	char name[32];

	option_spec_name(spec, name);
	if (!*value)
		return parse_refuse(error, "%s '': the value is empty; for example %s %s", name,
				    name, spec->example);
	memcpy(field_of(spec, options, sizeof(value)), &value, sizeof(value));
	return 0;
}

static void set_switch(const struct option_spec *spec, void *options)
{
	bool on = true;

	memcpy(field_of(spec, options, sizeof(on)), &on, sizeof(on));
}

static int read_value(const struct option_spec *spec, void *options, void *ctx, const char *value,
		      char error[PARSE_ERROR_MAX])
{
	switch (spec->kind) {
	case OPTION_SWITCH:
		set_switch(spec, options);
		return 0;
	case OPTION_NUMBER:
		return read_number(spec, options, value, error);
	case OPTION_TEXT:
	case OPTION_FILE:
		return read_text(spec, options, value, error);
	case OPTION_VALUE:
	case OPTION_LIST:
		break;
	}
	return spec->read(ctx, spec, value, error);
}

/* The log, the pid file, the statistics: one would overwrite the other. */
static int check_files(const struct options_table *table, const char *const values[],
		       char error[PARSE_ERROR_MAX])
{
	char name[32], other[32];

	for (size_t i = 0; i < table->count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (table->specs[i].kind != OPTION_FILE ||
			    table->specs[k].kind != OPTION_FILE || !values[i] || !values[k] ||
			    strcmp(values[i], values[k]) != 0)
				continue;
			return parse_refuse(error,
					    "%s %.*s: %s names the same file; give each its own, "
					    "for example %s %s",
					    option_spec_name(&table->specs[i], name),
					    OPTION_SHOWN_MAX, values[i],
					    option_spec_name(&table->specs[k], other), name,
					    table->specs[i].example);
		}
	}
	return 0;
}

static bool may_repeat(const struct option_spec *spec)
{
	return spec->kind == OPTION_SWITCH || spec->kind == OPTION_LIST;
}

int options_table_read(const struct options_table *table, void *options, void *ctx, int argc,
		       char *const argv[], char error[PARSE_ERROR_MAX])
{
	const char *values[OPTIONS_TABLE_MAX] = {NULL};
	struct getopt_tables g = {.shorts = ""};
	char name[32];
	int option;

	make_getopt_tables(&g, table);
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((option = getopt_long(argc, argv, g.shorts, g.longs, NULL)) != -1) {
		const struct option_spec *spec = find_spec(table, option);
		const char **given;

		if (option == ':' || option == '?')
			return refuse_option(table, option, argv[optind - 1], error);
		assert(spec);
		given = &values[spec - table->specs];
		if (*given && !may_repeat(spec))
			return parse_refuse(error,
					    "%s %.*s: given a second time, after %.*s; keep one",
					    option_spec_name(spec, name), OPTION_SHOWN_MAX,
					    optarg ? optarg : "", OPTION_SHOWN_MAX, *given);
		*given = optarg ? optarg : spec->name;
		if (read_value(spec, options, ctx, optarg, error))
			return -1;
	}
	if (optind < argc)
		return refuse_stray(table, argv, optind, error);
	return check_files(table, values, error);
}

/* ---- help ---- */

/* text from HELP_COLUMN on, broken at blanks; the cursor stands at column. */
static void print_wrapped(FILE *out, int column, const char *text)
{
	if (column >= HELP_COLUMN - 1) {
		fputc('\n', out);
		column = 0;
	}
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + len > HELP_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (column < HELP_COLUMN)
			column += fprintf(out, "%*s", HELP_COLUMN - column, "");
		else
			column += fprintf(out, " ");
		column += fprintf(out, "%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_spec(const struct option_spec *spec, FILE *out)
{
	char text[512], otherwise[64];
	int column;

	column = spec->letter ? fprintf(out, "  -%c, ", spec->letter) : fprintf(out, "      ");
	column += fprintf(out, "--%s", spec->name);
	if (spec->argument)
		column += fprintf(out, spec->value_is_optional ? "[=%s]" : " %s", spec->argument);
	if (spec->kind != OPTION_NUMBER) {
		print_wrapped(out, column, spec->help);
		return;
	}
	snprintf(otherwise, sizeof(otherwise), "%u", spec->fallback);
	snprintf(text, sizeof(text), "%s, %u to %u (%s)", spec->help, spec->min, spec->max,
		 spec->otherwise ? spec->otherwise : otherwise);
	print_wrapped(out, column, text);
}

void options_table_print_help(const struct options_table *table, FILE *out)
{
	fputs(table->usage, out);
	fputc('\n', out);
	for (size_t i = 0; i < table->count; i++)
		print_spec(&table->specs[i], out);
	fprintf(out, "\n%s\nexample: %s\n", table->notes, table->example);
}
