/* SPDX-License-Identifier: BSD-2-Clause */
/* words.h - a line of a script, word by word. Between the files of the parser only. */
#ifndef TESTS_SCRIPTS_WORDS_H
#define TESTS_SCRIPTS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/scripts/parse.h"

/* Words are separated by blanks; "..." and <...> are one word each, without their marks. */
struct words {
	const char *file;
	int line;
	const char *at;
	char word[SCRIPT_TEXT_MAX]; /* the present one */
	char mark;                  /* '"' or '<' if it stood between these, otherwise 0 */
	char *error;                /* 2 * SCRIPT_TEXT_MAX */
};

/* The next word; false at the end of the line or before a comment. */
bool words_next(struct words *w);
/* Whether the present word is this one, not quoted. */
bool words_is(const struct words *w, const char *text);
/* The next word as a text of at most size - 1 bytes, or as a number. 0, or -1 with an error. */
int words_text(struct words *w, const char *what, char *text, size_t size);
int words_number(struct words *w, const char *what, uint64_t max, uint64_t *number);
/* "10ms", "1.5s", "300us" at text. 0 or -1. */
int words_duration(struct words *w, const char *text, uint64_t *us);
/* Writes "file:line: ..." and returns -1. */
int words_fail(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A packet from the next word to the end of the line: parse_packet.c. */
int parse_packet(struct words *w, enum verb verb, struct packet_text *p);
/* The rest of a line that begins with config: parse_config.c. */
int parse_config(struct words *w, struct script_config *config);
#endif
