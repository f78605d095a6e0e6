/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse_arg.h - values of command line options. Every parser takes the whole text or refuses it;
 * the refusal goes into an error buffer as one sentence with the value, the rule and an example.
 * Pure, but for resolving names.
 */
#ifndef COMMON_PARSE_ARG_H
#define COMMON_PARSE_ARG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	PARSE_ERROR_MAX = 512,
};

/* Writes the sentence, cut to the buffer, ? for control characters, and returns -1. */
int parse_refuse(char error[PARSE_ERROR_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* All return 0, or -1 with the sentence in error. what names the value: "port", "-f". */
int parse_unsigned(uint64_t *value, const char *text, uint64_t min, uint64_t max, const char *what,
		   char error[PARSE_ERROR_MAX]);
/* "20", "0.5", "12.0001": above 0, up to 100, at most four digits after the point. In millionths. */
int parse_percent(uint32_t *ppm, const char *text, const char *what, char error[PARSE_ERROR_MAX]);
int parse_port(uint16_t *port, const char *text, const char *what, char error[PARSE_ERROR_MAX]);
int parse_mac(uint8_t mac[MAC_LEN], const char *text, char error[PARSE_ERROR_MAX]);
/* "10.0.0.1:80", "[2001:db8::1]:80"; numeric, both parts needed, link-local IPv6 refused. */
int parse_endpoint(struct endpoint *e, const char *text, const char *what,
		   char error[PARSE_ERROR_MAX]);
/*
 * "host[:port]": a number or a name that is resolved here, blocking. IPv6 needs brackets only where a
 * port follows, or seems to. All addresses of a name count, but for link-local ones:
 * fills at most max, *count says how many.
 */
int parse_host_port(struct endpoint *endpoints, size_t max, size_t *count, const char *text,
		    uint16_t default_port, const char *what, char error[PARSE_ERROR_MAX]);
/*
 * One item of -c: "10.20.30.x" (1 to 254), "10.20.30.7", "10.20.0.0/16" (network and broadcast address of
 * a /30 or wider left out), "10.20.30.5-10.20.30.9" and IPv6 likewise.
 */
int parse_addr_range(struct addr_range *r, const char *text, char error[PARSE_ERROR_MAX]);

/*
 * Splits a comma-separated list in place: returns the next item with blanks trimmed, or NULL
 * at the end. An empty item is returned as "" so that the caller refuses it.
 */
char *parse_list_next(char **rest);
#endif
