/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_table.h - a command line described once: a table of options from which the parser and
 * --help are both made, so that they cannot disagree. What a value means beyond a number, a word or
 * a switch is the reader's business; so is what options mean together.
 *
 * Long options may be shortened as far as they stay unique. Words that belong to no option are
 * refused, and so is an option that is given twice, unless it is a list or a switch.
 */
#ifndef COMMON_OPTIONS_TABLE_H
#define COMMON_OPTIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/parse_arg.h"

enum {
	OPTIONS_TABLE_MAX = 64, /* options in a table */
	OPTION_SHOWN_MAX = 80,  /* bytes of a user's value in a message */
};

struct option_spec;

/*
 * Takes one value; NULL where it is optional and left out. ctx is that of options_table_read. 0, or
 * -1 with one sentence in error.
 */
typedef int option_read_fn(void *ctx, const struct option_spec *spec, const char *value,
			   char error[PARSE_ERROR_MAX]);

enum option_kind {
	OPTION_SWITCH, /* a bool that becomes true */
	OPTION_NUMBER, /* an unsigned, min to max */
	OPTION_TEXT,   /* a const char *, borrowed from argv, not empty */
	OPTION_FILE,   /* as OPTION_TEXT; no two options may name the same file */
	OPTION_VALUE,  /* read() is called at most once */
	OPTION_LIST,   /* read() is called each time the option is given */
};

struct option_spec {
	char letter;          /* 0: it has the long form only */
	const char *name;     /* the long form */
	const char *argument; /* how --help calls the value; NULL for a switch */
	enum option_kind kind;
	bool value_is_optional;
	size_t offset; /* of the field, for the kinds that have one */
	size_t size;   /* of the field */
	unsigned min;
	unsigned max;
	unsigned fallback;     /* a number's default */
	const char *otherwise; /* what --help says in its place; NULL: the number */
	const char *example;   /* of a text or an optional value, without the option */
	option_read_fn *read;
	const char *help; /* a phrase; --help adds a number's range and default */
};

struct options_table {
	const char *usage;   /* the first lines of --help */
	const char *notes;   /* the last ones */
	const char *example; /* a whole command line, for words that belong to no option */
	const struct option_spec *specs;
	size_t count;
};

/* Parts of a table's lines; member is a field of type. */
#define OPTION_FIELD(type, member) \
	.offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define OPTION_SET(type, member) .kind = OPTION_SWITCH, OPTION_FIELD(type, member)
#define OPTION_RANGE(type, member, low, high, normal)                               \
	.kind = OPTION_NUMBER, OPTION_FIELD(type, member), .min = low, .max = high, \
	.fallback = normal

/* Sets numbers to their defaults. The rest of options stays. */
void options_table_set_defaults(const struct options_table *table, void *options);
/*
 * Reads argv in its order: fields of options are set, values of the other kinds go to their
 * readers with ctx. 0, or -1 with one sentence in error. Not for several threads: getopt.
 */
int options_table_read(const struct options_table *table, void *options, void *ctx, int argc,
		       char *const argv[], char error[PARSE_ERROR_MAX]);
/* The option as users know it: "-p", or "--send" where there is no letter. */
const char *option_spec_name(const struct option_spec *spec, char buf[32]);
/* The whole text of --help, at most 90 columns wide. */
void options_table_print_help(const struct options_table *table, FILE *out);
#endif
