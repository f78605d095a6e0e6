/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h - text for people, said piece by piece into a buffer of the caller's. Pure. */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stddef.h>

/* Where the next piece goes; left counts the terminating zero too, which is always there. */
struct text {
	char *at;
	size_t left;
};

/* size is at least 1. */
struct text text_in(char *buf, size_t size);
/* Appends; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) void text_say(struct text *t, const char *format, ...);
#endif
