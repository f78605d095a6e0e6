/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>

struct text text_in(char *buf, size_t size)
{
	buf[0] = '\0';
	return (struct text){.at = buf, .left = size};
}

void text_say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= t->left)
		n = (int)t->left - 1;
	t->at += n;
	t->left -= (size_t)n;
}
