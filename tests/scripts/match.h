/* SPDX-License-Identifier: BSD-2-Clause */
/* match.h - whether a segment is the one that a script expects. */
#ifndef TESTS_SCRIPTS_MATCH_H
#define TESTS_SCRIPTS_MATCH_H

#include <stdbool.h>

#include "tests/scripts/world.h"

/* Flags, numbers, length and text; window and options as far as they are mentioned. */
bool match_segment(const struct faked *f, const struct sent *s, const struct packet_text *p);
/*
 * A question where the target stands: no flag but ACK (and PSH), the right acknowledgement, and at
 * most one byte, before all that the target has not acknowledged, so that no TCP can take it for
 * acceptable (RFC 9293, section 3.10.7.4).
 */
bool match_question(const struct faked *f, const struct sent *s, const struct packet_text *p);
#endif
