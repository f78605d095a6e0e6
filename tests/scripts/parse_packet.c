/* SPDX-License-Identifier: BSD-2-Clause */
/* parse_packet.c - a packet of a script: P. 1:301(300) ack 6 win 100 <mss 1460> "GET /" corrupt */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scripts/words.h"

static int parse_flags(struct words *w, struct packet_text *p)
{
	if (words_text(w, "the flags", p->flags, sizeof(p->flags)))
		return -1;
	if (strspn(p->flags, "SFRPU.") != strlen(p->flags) && strcmp(p->flags, "-") != 0)
		return words_fail(w, "'%s' are no flags; they are letters of SFRPU., or -",
				  p->flags);
	return 0;
}

/* "1:301(300)", perhaps negative. */
static int parse_numbers(struct words *w, struct packet_text *p)
{
	long long seq, end;
	unsigned len;
	int n = 0;

	if (!words_next(w) || sscanf(w->word, "%lld:%lld(%u)%n", &seq, &end, &len, &n) != 3 ||
	    w->word[n])
		return words_fail(w, "'%s' is not of the form 1:301(300)", w->word);
	if (end - seq != (long long)len)
		return words_fail(w, "'%s': %lld and %u bytes are not %lld", w->word, seq, len,
				  end);
	p->seq = seq;
	p->len_bytes = len;
	return 0;
}

static int parse_signed(struct words *w, const char *what, int64_t *value)
{
	char *end;

	if (!words_next(w))
		return words_fail(w, "the number of %s is missing", what);
	*value = strtoll(w->word, &end, 10);
	return *end ? words_fail(w, "'%s' is no number for %s", w->word, what) : 0;
}

/* What packet_builder.h understands. */
static bool is_option(const char *text)
{
	unsigned a, b;
	int n = 0;

	if (strcmp(text, "nop") == 0 || strcmp(text, "eol") == 0 || strcmp(text, "sackOK") == 0)
		return true;
	if (sscanf(text, "mss %u%n", &a, &n) == 1 || sscanf(text, "wscale %u%n", &a, &n) == 1 ||
	    sscanf(text, "TS val %u ecr %u%n", &a, &b, &n) == 2)
		return text[n] == '\0';
	return strncmp(text, "hex ", 4) == 0 &&
	       strspn(text + 4, "0123456789abcdef") == strlen(text + 4);
}

/* What a record may say besides: that there were blocks (RFC 2018), not which. */
static bool is_of_record(const char *text)
{
	return strcmp(text, "sack") == 0;
}

/* What may also be expected. */
static bool is_expectation(const char *text)
{
	unsigned a;
	int n = 0;

	if (strcmp(text, "...") == 0 || strcmp(text, "TS") == 0)
		return true;
	return sscanf(text, "TS ecr %u%n", &a, &n) == 1 && text[n] == '\0';
}

static int parse_options(struct words *w, enum verb verb, struct packet_text *p)
{
	const char *at = w->word;

	if (strlen(w->word) >= sizeof(p->options))
		return words_fail(w, "<%s> is too long", w->word);
	strcpy(p->options, w->word);
	p->has_options = true;
	while (*at) {
		size_t len = strcspn(at, ",");
		char one[SCRIPT_TEXT_MAX];

		memcpy(one, at, len);
		one[len] = '\0';
		if (!is_option(one) && !(verb == VERB_EXPECT && is_expectation(one)) &&
		    !(verb == VERB_TARGET && is_of_record(one)))
			return words_fail(w, "'%s' is no option that is known here", one);
		at += len + (at[len] == ',');
	}
	return 0;
}

/* "\\x16" is one byte. Returns how many there are, at most size. */
static size_t unescape(char *bytes, size_t size, const char *text)
{
	size_t n = 0;

	while (*text && n < size) {
		unsigned byte;

		if (sscanf(text, "\\x%2x", &byte) == 1) {
			bytes[n++] = (char)byte;
			text += 4;
		} else {
			bytes[n++] = *text++;
		}
	}
	return n;
}

static int parse_payload(struct words *w, struct packet_text *p)
{
	size_t len = unescape(p->payload, sizeof(p->payload), w->word);

	if (len == sizeof(p->payload))
		return words_fail(w, "\"%s\" is too long", w->word);
	if (len != p->len_bytes)
		return words_fail(w, "\"%s\" has %zu bytes, not %u", w->word, len, p->len_bytes);
	return 0;
}

/* How the capture took a packet of the online side. */
static int parse_fate(struct words *w, struct packet_text *p)
{
	uint64_t n;

	if (words_is(w, "corrupt"))
		p->is_corrupt = true;
	else if (words_is(w, "unfinished"))
		p->is_unfinished = true;
	else if (words_is(w, "lost"))
		p->is_lost = true;
	else if (words_is(w, "twice"))
		p->is_twice = true;
	else if (words_is(w, "vlan"))
		p->has_vlan = true;
	else if (words_is(w, "captured")) {
		if (words_number(w, "captured", p->len_bytes, &n))
			return -1;
		p->captured_bytes = (long)n;
	} else if (words_is(w, "padding")) {
		if (words_number(w, "padding", 64, &n))
			return -1;
		p->padding_bytes = (unsigned)n;
	} else {
		return words_fail(w, "'%s' says nothing about a packet", w->word);
	}
	return 0;
}

static int parse_attribute(struct words *w, enum verb verb, struct packet_text *p)
{
	int64_t number = 0;

	if (w->mark == '<')
		return parse_options(w, verb, p);
	if (w->mark == '"')
		return parse_payload(w, p);
	if (words_is(w, "ack")) {
		p->has_ack = true;
		return parse_signed(w, "ack", &p->ack);
	}
	if (words_is(w, "win")) {
		if (parse_signed(w, "win", &number))
			return -1;
		p->window = (long)number;
		return 0;
	}
	if (!w->mark && w->word[0] == 'x' && strspn(w->word + 1, "0123456789")) {
		p->segments = (unsigned)strtoul(w->word + 1, NULL, 10);
		return 0;
	}
	if (verb != VERB_CLIENT && verb != VERB_SERVER)
		return words_fail(w, "'%s' is out of place here", w->word);
	return parse_fate(w, p);
}

int parse_packet(struct words *w, enum verb verb, struct packet_text *p)
{
	*p = (struct packet_text){.window = -1, .captured_bytes = -1};
	if (verb != VERB_EXPECT_QUESTION && verb != VERB_EXPECT_STREAM && parse_flags(w, p))
		return -1;
	if (verb != VERB_EXPECT_QUESTION && parse_numbers(w, p))
		return -1;
	while (words_next(w))
		if (parse_attribute(w, verb, p))
			return -1;
	if (verb == VERB_EXPECT_STREAM)
		return 0;
	if (verb == VERB_EXPECT_QUESTION && !p->has_ack)
		return words_fail(w, "a question has an ack");
	if (verb != VERB_EXPECT_QUESTION && p->has_ack != (strchr(p->flags, '.') != NULL))
		return words_fail(w, "an ack and the flag . go together");
	return 0;
}
