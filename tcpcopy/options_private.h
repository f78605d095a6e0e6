/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_private.h - shared by options*.c alone: the lists as they were given, and who reads them.
 */
#ifndef TCPCOPY_OPTIONS_PRIVATE_H
#define TCPCOPY_OPTIONS_PRIVATE_H

#include "tcpcopy/options.h"

enum {
	OPTION_REPEAT_MAX = 64,      /* how often -x, -s, -c, -i or -H may be given */
	OPTION_LIST_TEXT_MAX = 8192, /* bytes of one of these */
};

/* Examples for refusals, in the family of what was given. */
static inline const char *example_pair(bool is_v4)
{
	return is_v4 ? "80-10.0.0.2:8080" : "80-[2001:db8::2]:8080";
}

static inline const char *example_clients(bool is_v4)
{
	return is_v4 ? "10.20.30.x" : "2001:db8:1::/64";
}

static inline const char *example_client(bool is_v4)
{
	return is_v4 ? "10.20.30.1" : "2001:db8:1::1";
}

/* The values of an option that may be given several times. */
struct option_lists {
	const char *values[OPTION_REPEAT_MAX];
	size_t count;
};

/* Kept while getopt runs and read afterwards: -p gives the default port of an -s before it. */
struct tcpcopy_lists {
	struct option_lists transfers;
	struct option_lists intercepts;
	struct option_lists clients;
	struct option_lists inputs;
	struct option_lists localhosts;
};

/* -x, -s, -c, -i and -H into *o. 0, or -1 with the sentence; also if -x or -s is missing. */
int tcpcopy_options_read_lists(struct tcpcopy_options *o, const struct tcpcopy_lists *lists,
			       char error[PARSE_ERROR_MAX]);
#endif
