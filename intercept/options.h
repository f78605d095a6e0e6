/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the command line of intercept: read, refused with a sentence, or complete. Neither
 * prints nor exits.
 */
#ifndef INTERCEPT_OPTIONS_H
#define INTERCEPT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/endpoint.h"
#include "common/netdev.h"
#include "common/parse_arg.h"
#include "intercept/translation.h"

enum {
	INTERCEPT_DEVICES_MAX = 16,
};

struct intercept_options {
	char devices[INTERCEPT_DEVICES_MAX][NETDEV_NAME_MAX]; /* at least one */
	size_t device_count;
	struct ip_addr bind; /* unspecified: all addresses of both families */
	uint16_t port;
	unsigned batch_records; /* in a message to tcpcopy, at most */
	unsigned sessions_hint; /* -s; 0: not given */
	struct translation translations[TRANSLATIONS_MAX];
	size_t translation_count;
	/* Borrowed from argv; NULL if not given. */
	const char *filter; /* "tcp" if not given */
	const char *log_file;
	const char *pid_file;
	const char *stats_file;
	bool daemon;
	bool check;
	bool version;
	bool help;
};

/*
 * Fills *o, defaults included, from the text alone. 0, or -1 with one sentence in error: the value,
 * the rule, an example.
 */
int intercept_options_parse(struct intercept_options *o, int argc, char *const argv[],
			    char error[PARSE_ERROR_MAX]);
/* Holds devices and filter against this host; needs no privilege. 0, or -1 with the sentence. */
int intercept_options_check(const struct intercept_options *o, char error[PARSE_ERROR_MAX]);
/* The text of --help. */
void intercept_options_print_help(FILE *out);
#endif
