/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.c - JSON text (RFC 8259) appended to a buffer that doubles, and an atomic file. A failure
 * latches, so that a report is built without looking at every step.
 */
#include "common/stats.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ROOM_MIN = 1024,
	FILE_MODE = 0644, /* counters are no secret */
};

void stats_json_init(struct stats_json *j)
{
	*j = (struct stats_json){.text = NULL};
}

void stats_json_fini(struct stats_json *j)
{
	free(j->text);
	stats_json_init(j);
}

/* Room for more bytes and the terminating zero. */
static bool reserve(struct stats_json *j, size_t more_bytes)
{
	size_t room = j->room_bytes ? j->room_bytes : ROOM_MIN;
	char *text;

	if (j->failed)
		return false;
	while (room - j->len_bytes <= more_bytes) {
		if (room > SIZE_MAX / 2) {
			j->failed = true;
			return false;
		}
		room *= 2;
	}
	if (room == j->room_bytes)
		return true;
	text = realloc(j->text, room);
	if (!text) {
		j->failed = true;
		return false;
	}
	j->text = text;
	j->room_bytes = room;
	return true;
}

static void append(struct stats_json *j, const char *bytes, size_t len_bytes)
{
	if (!reserve(j, len_bytes))
		return;
	memcpy(j->text + j->len_bytes, bytes, len_bytes);
	j->len_bytes += len_bytes;
	j->text[j->len_bytes] = '\0';
}

static void append_text(struct stats_json *j, const char *text)
{
	append(j, text, strlen(text));
}

/*
 * Bytes of the UTF-8 character at s, or 0 if it is none (RFC 3629, section 4: shortest form, no
 * surrogates, up to U+10FFFF). The terminating zero stops it.
 */
static size_t utf8_len(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf)
		if (s[i] < low || s[i] > high)
			return 0;
	return len;
}

/* Bytes at s that stand for themselves, none of which ends the text. */
static size_t plain_len(const unsigned char *s)
{
	size_t len = 0;

	while (s[len] >= ' ' && s[len] < 0x7f && s[len] != '"' && s[len] != '\\')
		len++;
	return len;
}

static void append_string(struct stats_json *j, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	char escape[8];
	size_t len;

	append_text(j, "\"");
	for (; *s; s += len ? len : 1) {
		len = plain_len(s);
		if (len) {
			append(j, (const char *)s, len);
			continue;
		}
		len = utf8_len(s);
		if (len == 0) {
			append_text(j, "\\ufffd");
		} else if (*s == '"' || *s == '\\') {
			snprintf(escape, sizeof(escape), "\\%c", *s);
			append_text(j, escape);
		} else if (*s < ' ' || *s == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
			append_text(j, escape);
		} else {
			append(j, (const char *)s, len);
		}
	}
	append_text(j, "\"");
}

static void append_indent(struct stats_json *j)
{
	static const char spaces[] = "                ";

	static_assert(sizeof(spaces) > (size_t)2 * STATS_DEPTH_MAX, "two a level");
	append(j, spaces, 2 * (size_t)j->depth);
}

/* What stands before a value: a comma, a line, its key. */
static void begin_value(struct stats_json *j, const char *key)
{
	bool in_object = j->depth > 0 && j->closer[j->depth - 1] == '}';

	if (j->failed)
		return;
	assert(in_object == (key != NULL));
	(void)in_object; /* without assertions */
	assert(j->depth > 0 || j->len_bytes == 0);
	if (j->depth > 0) {
		append_text(j, j->comma[j->depth - 1] ? ",\n" : "\n");
		j->comma[j->depth - 1] = true;
	}
	append_indent(j);
	if (key) {
		append_string(j, key);
		append_text(j, ": ");
	}
}

static void open_level(struct stats_json *j, const char *key, const char *opener, char closer)
{
	if (j->depth == STATS_DEPTH_MAX)
		j->failed = true;
	begin_value(j, key);
	append_text(j, opener);
	if (j->failed)
		return;
	j->comma[j->depth] = false;
	j->closer[j->depth] = closer;
	j->depth++;
}

void stats_json_object(struct stats_json *j, const char *key)
{
	open_level(j, key, "{", '}');
}

void stats_json_array(struct stats_json *j, const char *key)
{
	open_level(j, key, "[", ']');
}

void stats_json_end(struct stats_json *j)
{
	if (j->failed)
		return;
	assert(j->depth > 0);
	j->depth--;
	if (j->comma[j->depth]) {
		append_text(j, "\n");
		append_indent(j);
	}
	append(j, &j->closer[j->depth], 1);
}

void stats_json_uint(struct stats_json *j, const char *key, uint64_t value)
{
	char digits[20]; /* of the largest; from the last one on */
	size_t at = sizeof(digits);

	begin_value(j, key);
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	append(j, digits + at, sizeof(digits) - at);
}

void stats_json_string(struct stats_json *j, const char *key, const char *value)
{
	begin_value(j, key);
	append_string(j, value);
}

void stats_json_bool(struct stats_json *j, const char *key, bool value)
{
	begin_value(j, key);
	append_text(j, value ? "true" : "false");
}

static int write_all(int fd, const char *data, size_t len_bytes)
{
	while (len_bytes) {
		ssize_t n = write(fd, data, len_bytes);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		data += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

/* The text and a line feed into a file of our own making. */
static int write_new_file(const char *path, const struct stats_json *j)
{
	int fd, saved_errno;

	/* One left over by a crash goes; a link that somebody planted is not followed. */
	if (unlink(path) && errno != ENOENT)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -1;
	if (write_all(fd, j->text, j->len_bytes) || write_all(fd, "\n", 1)) {
		saved_errno = errno;
		close(fd);
		errno = saved_errno;
		return -1;
	}
	return close(fd);
}

int stats_may_replace(const char *path)
{
	struct stat st;

	if (stat(path, &st) || S_ISREG(st.st_mode))
		return 0;
	errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
	return -1;
}

int stats_write_file(const char *path, const struct stats_json *j)
{
	char tmp[PATH_MAX];
	int n, saved_errno;

	if (j->failed || !j->text || j->depth != 0) {
		errno = j->failed ? ENOMEM : EINVAL;
		return -1;
	}
	if (stats_may_replace(path))
		return -1;
	n = snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	if (n < 0 || (size_t)n >= sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (write_new_file(tmp, j) == 0 && rename(tmp, path) == 0)
		return 0;
	saved_errno = errno;
	unlink(tmp);
	errno = saved_errno;
	return -1;
}
