/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stats.c - the JSON text to the byte, and the file that is there whole or not at all.
 */
#include "common/stats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void report_is_written_to_the_byte(void **state)
{
	struct stats_json j;

	(void)state;
	stats_json_init(&j);
	stats_json_object(&j, NULL);
	stats_json_string(&j, "program", "tcpcopy");
	stats_json_uint(&j, "captured", UINT64_MAX);
	stats_json_array(&j, "targets");
	stats_json_object(&j, NULL);
	stats_json_bool(&j, "paused", true);
	stats_json_end(&j);
	stats_json_uint(&j, NULL, 0);
	stats_json_string(&j, NULL, "");
	stats_json_end(&j);
	stats_json_object(&j, "empty");
	stats_json_end(&j);
	stats_json_array(&j, "none");
	stats_json_end(&j);
	stats_json_bool(&j, "last", false);
	stats_json_end(&j);
	assert_false(j.failed);
	assert_string_equal(j.text, "{\n"
				    "  \"program\": \"tcpcopy\",\n"
				    "  \"captured\": 18446744073709551615,\n"
				    "  \"targets\": [\n"
				    "    {\n"
				    "      \"paused\": true\n"
				    "    },\n"
				    "    0,\n"
				    "    \"\"\n"
				    "  ],\n"
				    "  \"empty\": {},\n"
				    "  \"none\": [],\n"
				    "  \"last\": false\n"
				    "}");
	assert_int_equal(j.len_bytes, strlen(j.text));
	stats_json_fini(&j);
	assert_null(j.text);
	stats_json_fini(&j);
}

static void assert_string_as(const char *value, const char *json)
{
	struct stats_json j;

	stats_json_init(&j);
	stats_json_string(&j, NULL, value);
	assert_false(j.failed);
	assert_string_equal(j.text, json);
	stats_json_fini(&j);
}

static void strings_are_escaped(void **state)
{
	(void)state;
	assert_string_as("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	assert_string_as("\b\n\r\t\x01\x1f\x7f",
			 "\"\\u0008\\u000a\\u000d\\u0009\\u0001\\u001f\\u007f\"");
	assert_string_as("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
			 "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	(void)state;
	assert_string_as("a\xff"
			 "b",
			 "\"a\\ufffdb\"");
	assert_string_as("\x80", "\"\\ufffd\"");
	assert_string_as("\xc3", "\"\\ufffd\"");
	assert_string_as("\xe2\x82", "\"\\ufffd\\ufffd\"");
	assert_string_as("\xc0\xaf", "\"\\ufffd\\ufffd\""); /* not the shortest */
	assert_string_as("\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"");
	assert_string_as("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
	assert_string_as("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	assert_string_as("\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	assert_string_as("\xf5\x80", "\"\\ufffd\\ufffd\"");
}

static void keys_are_escaped(void **state)
{
	struct stats_json j;

	(void)state;
	stats_json_init(&j);
	stats_json_object(&j, NULL);
	stats_json_uint(&j, "a\"b", 1);
	stats_json_end(&j);
	assert_string_equal(j.text, "{\n  \"a\\\"b\": 1\n}");
	stats_json_fini(&j);
}

static void text_grows_as_far_as_needed(void **state)
{
	struct stats_json j;
	size_t len;

	(void)state;
	stats_json_init(&j);
	stats_json_array(&j, NULL);
	for (uint64_t i = 0; i < 100000; i++)
		stats_json_uint(&j, NULL, i);
	stats_json_end(&j);
	assert_false(j.failed);
	len = strlen(j.text);
	assert_int_equal(j.len_bytes, len);
	assert_string_equal(j.text + len - 10, "\n  99999\n]");
	stats_json_fini(&j);
}

static void nesting_too_deep_fails_and_stays_failed(void **state)
{
	struct stats_json j;

	(void)state;
	stats_json_init(&j);
	for (int i = 0; i < STATS_DEPTH_MAX; i++)
		stats_json_array(&j, NULL);
	assert_false(j.failed);
	stats_json_array(&j, NULL);
	assert_true(j.failed);
	stats_json_uint(&j, NULL, 1);
	stats_json_string(&j, NULL, "x");
	stats_json_bool(&j, NULL, true);
	for (int i = 0; i <= STATS_DEPTH_MAX; i++)
		stats_json_end(&j);
	assert_true(j.failed);
	assert_int_equal(stats_write_file("/nonexistent/x", &j), -1);
	assert_int_equal(errno, ENOMEM);
	stats_json_fini(&j);
}

struct directory {
	char path[64];
	char file[96];
	char tmp[128];
};

static int set_up(void **state)
{
	struct directory *d = calloc(1, sizeof(*d));

	if (!d)
		return -1;
	strcpy(d->path, "/tmp/test_stats.XXXXXX");
	if (!mkdtemp(d->path))
		return -1;
	snprintf(d->file, sizeof(d->file), "%s/stats.json", d->path);
	snprintf(d->tmp, sizeof(d->tmp), "%s.tmp", d->file);
	*state = d;
	return 0;
}

/* Fails if a test left anything but the file. */
static int tear_down(void **state)
{
	struct directory *d = *state;
	int rc;

	unlink(d->file);
	rc = rmdir(d->path);
	free(d);
	return rc;
}

static int write_number(const char *path, uint64_t number)
{
	struct stats_json j;
	int rc, saved_errno;

	stats_json_init(&j);
	stats_json_uint(&j, NULL, number);
	rc = stats_write_file(path, &j);
	saved_errno = errno;
	stats_json_fini(&j);
	errno = saved_errno;
	return rc;
}

static void assert_file(const char *path, const char *want)
{
	char text[256] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, want);
}

static void file_is_written_and_replaced(void **state)
{
	struct directory *d = *state;
	struct stat st;

	assert_int_equal(write_number(d->file, 1), 0);
	assert_file(d->file, "1\n");
	assert_int_equal(write_number(d->file, 22), 0);
	assert_file(d->file, "22\n");
	assert_int_equal(access(d->tmp, F_OK), -1);
	assert_int_equal(stat(d->file, &st), 0);
	assert_int_equal(st.st_mode & 0111, 0);
}

static void reader_of_the_old_file_keeps_it_whole(void **state)
{
	struct directory *d = *state;
	char text[8] = "";
	FILE *f;

	assert_int_equal(write_number(d->file, 1111), 0);
	f = fopen(d->file, "r");
	assert_non_null(f);
	assert_int_equal(write_number(d->file, 2), 0);
	assert_non_null(fgets(text, sizeof(text), f));
	assert_string_equal(text, "1111\n");
	fclose(f);
}

static void planted_link_is_not_followed(void **state)
{
	struct directory *d = *state;
	char victim[96];

	snprintf(victim, sizeof(victim), "%s/victim", d->path);
	assert_int_equal(write_number(victim, 7), 0);
	assert_int_equal(symlink(victim, d->tmp), 0);
	assert_int_equal(write_number(d->file, 8), 0);
	assert_file(d->file, "8\n");
	assert_file(victim, "7\n");
	unlink(victim);
}

static void failure_leaves_the_old_file_and_nothing_else(void **state)
{
	struct directory *d = *state;
	struct stats_json j;
	char dir[96];

	assert_int_equal(write_number("/nonexistent/stats.json", 1), -1);
	assert_int_equal(errno, ENOENT);

	assert_int_equal(write_number(d->file, 1), 0);
	stats_json_init(&j);
	assert_int_equal(stats_write_file(d->file, &j), -1); /* nothing in it */
	assert_int_equal(errno, EINVAL);
	stats_json_object(&j, NULL);
	assert_int_equal(stats_write_file(d->file, &j), -1); /* not ended */
	assert_int_equal(errno, EINVAL);
	stats_json_fini(&j);
	assert_file(d->file, "1\n");

	snprintf(dir, sizeof(dir), "%s/dir", d->path);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(write_number(dir, 1), -1); /* a directory is not replaced */
	assert_int_equal(errno, EISDIR);
	/* Nor is anything else that is no file: root could make one of /dev/null. */
	snprintf(dir, sizeof(dir), "%s/fifo", d->path);
	assert_int_equal(mkfifo(dir, 0600), 0);
	assert_int_equal(write_number(dir, 1), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(stats_may_replace("/dev/null"), -1);
	assert_int_equal(unlink(dir), 0);
	snprintf(dir, sizeof(dir), "%s/dir", d->path);
	assert_int_equal(rmdir(dir), 0);
}

static void path_too_long_is_refused(void **state)
{
	static char path[8192];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	assert_int_equal(write_number(path, 1), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_is_written_to_the_byte),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
		cmocka_unit_test(keys_are_escaped),
		cmocka_unit_test(text_grows_as_far_as_needed),
		cmocka_unit_test(nesting_too_deep_fails_and_stays_failed),
		FILE_TEST(file_is_written_and_replaced),
		FILE_TEST(reader_of_the_old_file_keeps_it_whole),
		FILE_TEST(planted_link_is_not_followed),
		FILE_TEST(failure_leaves_the_old_file_and_nothing_else),
		cmocka_unit_test(path_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
