/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scripts/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int words_fail(struct words *w, const char *format, ...)
{
	va_list args;
	int n = snprintf(w->error, SCRIPT_TEXT_MAX, "%s:%d: ", w->file, w->line);

	va_start(args, format);
	vsnprintf(w->error + n, SCRIPT_TEXT_MAX, format, args);
	va_end(args);
	return -1;
}

bool words_next(struct words *w)
{
	size_t len, skip;

	w->at += strspn(w->at, " \t");
	w->mark = '\0';
	w->word[0] = '\0';
	if (*w->at == '\0' || *w->at == '#')
		return false;
	if (*w->at == '"' || *w->at == '<') {
		w->mark = *w->at++;
		len = strcspn(w->at, w->mark == '"' ? "\"" : ">");
		skip = w->at[len] ? len + 1 : len;
	} else {
		skip = len = strcspn(w->at, " \t");
	}
	if (len >= sizeof(w->word))
		len = sizeof(w->word) - 1;
	memcpy(w->word, w->at, len);
	w->word[len] = '\0';
	w->at += skip;
	return true;
}

bool words_is(const struct words *w, const char *text)
{
	return !w->mark && strcmp(w->word, text) == 0;
}

int words_text(struct words *w, const char *what, char *text, size_t size)
{
	if (!words_next(w) || w->mark)
		return words_fail(w, "%s is missing", what);
	if (strlen(w->word) >= size)
		return words_fail(w, "%s '%s' is too long", what, w->word);
	memcpy(text, w->word, strlen(w->word) + 1);
	return 0;
}

int words_number(struct words *w, const char *what, uint64_t max, uint64_t *number)
{
	char *end;

	if (!words_next(w))
		return words_fail(w, "%s is missing", what);
	*number = strtoull(w->word, &end, 10);
	if (w->mark || *end || w->word[0] == '-' || *number > max)
		return words_fail(w, "%s is '%s', not a number up to %llu", what, w->word,
				  (unsigned long long)max);
	return 0;
}

int words_duration(struct words *w, const char *text, uint64_t *us)
{
	char *unit;
	double value = strtod(text, &unit);

	if (unit == text || value < 0 || value > 1e9)
		return words_fail(w, "'%s' is no time; say 10ms, 1.5s or 300us", text);
	if (strcmp(unit, "us") == 0)
		*us = (uint64_t)(value + 0.5);
	else if (strcmp(unit, "ms") == 0)
		*us = (uint64_t)(value * 1e3 + 0.5);
	else if (strcmp(unit, "s") == 0)
		*us = (uint64_t)(value * 1e6 + 0.5);
	else
		return words_fail(w, "'%s' is no time; say 10ms, 1.5s or 300us", text);
	return 0;
}
