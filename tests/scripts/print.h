/* SPDX-License-Identifier: BSD-2-Clause */
/* print.h - segments as the lines of a script, and packets as tcpdump shows them. */
#ifndef TESTS_SCRIPTS_PRINT_H
#define TESTS_SCRIPTS_PRINT_H

#include "tests/scripts/world.h"

/* "P. 6:11(5) ack 301 win 65535 <TS val 200 ecr 500>": all that a script could say of it. */
const char *print_sent(char *buf, size_t size, const struct faked *f, const struct sent *s);

/* A segment to the target; a record of the target; a packet of the online side. */
void print_trace_sent(FILE *out, uint64_t us, const struct faked *f, const struct sent *s);
void print_trace_target(FILE *out, uint64_t us, const struct faked *f, const struct packet_text *p);
void print_trace_online(FILE *out, uint64_t us, const struct step *step,
			const struct connection_text *c);
#endif
