/* SPDX-License-Identifier: BSD-2-Clause */
/* capture.h - lines of a script as frames of the online capture and as records of intercept. */
#ifndef TESTS_SCRIPTS_CAPTURE_H
#define TESTS_SCRIPTS_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "tests/scripts/world.h"

struct captured {
	uint8_t *
		data; /* owned: a block of exactly captured_len_bytes, so that a sanitizer sees its end */
	uint8_t *said; /* owned: the client's bytes, all of them */
	size_t captured_len_bytes;
	size_t wire_len_bytes;
	int link_type;
};

/* "10.0.0.2:80-10.1.0.1:8080". False if that does not parse. */
bool capture_transfer(struct transfer *t, const char *text);
/* The packet of a client or server step; the caller ends it with capture_fini. */
void capture_build(struct captured *c, const struct step *step, const struct connection_text *text);
void capture_fini(struct captured *c);
/* Notes the captured payload as part of the client's stream, unless its place is taken. */
void capture_remember(struct connection *c, const struct captured *frame,
		      const struct packet_text *p);
/* The record of a target step. */
void capture_record(struct wire_record *r, const struct faked *f, const struct packet_text *p);
#endif
