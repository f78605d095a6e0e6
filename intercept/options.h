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

#include "common/endpoint.h"
#include "common/netdev.h"
#include "common/parse_arg.h"

enum {
	INTERCEPT_DEVICES_MAX = 16,
};

struct intercept_options {
	char devices[INTERCEPT_DEVICES_MAX][NETDEV_NAME_MAX]; /* at least one */
	size_t device_count;
	struct ip_addr bind; /* unspecified: all addresses of both families */
	uint16_t port;
	/* Borrowed from argv; NULL if not given. */
	const char *filter; /* "tcp" if not given */
	const char *log_file;
	const char *pid_file;
	const char *stats_file;
	bool daemon;
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
const char *intercept_options_help(void);
#endif
