/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_findings.c - what --check prints of the files that a program would write, and that it leaves
 * them as they were.
 */
#include "common/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon.h"

struct fixture {
	char directory[32];
	char path[PATH_MAX];
	char *text; /* printed */
	size_t len;
	size_t seen; /* by expect */
	struct findings findings;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->directory, "/tmp/findings.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->findings.out = open_memstream(&f->text, &f->len);
	assert_non_null(f->findings.out);
	*state = f;
	return 0;
}

static const char *path_of(struct fixture *f, const char *name)
{
	snprintf(f->path, sizeof(f->path), "%s/%s", f->directory, name);
	return f->path;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(path_of(f, "file"));
	assert_int_equal(rmdir(f->directory), 0); /* nothing else was made */
	fclose(f->findings.out);
	free(f->text);
	free(f);
	return 0;
}

static void write_file(struct fixture *f, const char *text)
{
	FILE *out = fopen(path_of(f, "file"), "we");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void expect_file(struct fixture *f, const char *text)
{
	FILE *in = fopen(path_of(f, "file"), "re");
	char seen[64] = "";

	assert_non_null(in);
	assert_true(fgets(seen, sizeof(seen), in) || !*text);
	fclose(in);
	assert_string_equal(seen, text);
}

/* Since the last time one line, of this kind, with these words; and so many wrong ones in all. */
static void expect(struct fixture *f, const char *kind, const char *words, unsigned wrong)
{
	const char *line;

	fflush(f->findings.out);
	line = f->text + f->seen;
	f->seen = f->len;
	assert_int_equal(strncmp(line, kind, strlen(kind)), 0);
	if (!strstr(line, words))
		fail_msg("no \"%s\" in %s", words, line);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_int_equal(f->findings.wrong_count, wrong);
}

static void a_finding_is_a_line_and_wrong_ones_are_counted(void **state)
{
	struct fixture *f = *state;

	findings_ok(&f->findings, "all %s", "well");
	expect(f, "ok     ", "all well", 0);
	findings_note(&f->findings, "%d", 5);
	expect(f, "note   ", "5", 0);
	findings_wrong(&f->findings, "bad");
	expect(f, "wrong  ", "bad", 1);
	findings_wrong(&f->findings, "worse");
	expect(f, "wrong  ", "worse", 2);
}

static void what_is_not_asked_for_is_not_looked_at(void **state)
{
	struct fixture *f = *state;

	findings_check_log(&f->findings, "tcpcopy", NULL, false);
	findings_check_pid_file(&f->findings, NULL);
	findings_check_stats_file(&f->findings, NULL);
	fflush(f->findings.out);
	assert_string_equal(f->text, "");
}

static void files_that_can_be_made_or_written_are_right(void **state)
{
	struct fixture *f = *state;

	findings_check_log(&f->findings, "tcpcopy", path_of(f, "file"), false);
	expect(f, "ok", "/file", 0);
	findings_check_pid_file(&f->findings, path_of(f, "file"));
	expect(f, "ok", "/file", 0);
	findings_check_stats_file(&f->findings, path_of(f, "file"));
	expect(f, "ok", "/file", 0);
	assert_int_equal(access(path_of(f, "file"), F_OK), -1);
	write_file(f, "12\n"); /* of a process that has died */
	findings_check_pid_file(&f->findings, path_of(f, "file"));
	expect(f, "ok", "/file", 0);
	expect_file(f, "12\n");
	findings_check_log(&f->findings, "tcpcopy", path_of(f, "file"), true);
	expect(f, "ok", "/file", 0);
	expect_file(f, "12\n");
}

static void files_in_no_directory_and_directories_are_wrong(void **state)
{
	struct fixture *f = *state;

	findings_check_log(&f->findings, "tcpcopy", path_of(f, "no/file"), true);
	expect(f, "wrong", "No such file or directory", 1);
	findings_check_pid_file(&f->findings, path_of(f, "no/file"));
	expect(f, "wrong", "No such file or directory", 2);
	findings_check_stats_file(&f->findings, path_of(f, "no/file"));
	expect(f, "wrong", "No such file or directory", 3);
	findings_check_log(&f->findings, "tcpcopy", f->directory, false);
	expect(f, "wrong", "Is a directory", 4);
	findings_check_stats_file(&f->findings, f->directory);
	expect(f, "wrong", "Is a directory", 5);
	write_file(f, "");
	findings_check_stats_file(&f->findings, path_of(f, "file/file"));
	expect(f, "wrong", "Not a directory", 6);
	findings_check_stats_file(&f->findings, "/dev/null");
	expect(f, "wrong", "no regular file", 7);
}

static void a_path_that_is_too_long_is_wrong(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX + 100];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	findings_check_log(&f->findings, "tcpcopy", path, false);
	expect(f, "wrong", "too long", 1);
	memset(path, '/', sizeof(path) - 5);
	findings_check_stats_file(&f->findings, path);
	expect(f, "wrong", "too long", 2);
}

static void a_pid_file_that_is_held_or_precious_is_wrong(void **state)
{
	struct fixture *f = *state;
	char error[DAEMON_ERROR_MAX];
	struct pid_file *held = pid_file_open(path_of(f, "file"), error);

	assert_non_null(held);
	assert_int_equal(pid_file_write(held), 0);
	findings_check_pid_file(&f->findings, path_of(f, "file"));
	expect(f, "wrong", "another instance runs already", 1);
	pid_file_close(held);
	write_file(f, "precious");
	findings_check_pid_file(&f->findings, path_of(f, "file"));
	expect(f, "wrong", "no pid file", 2);
	expect_file(f, "precious");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_finding_is_a_line_and_wrong_ones_are_counted,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_asked_for_is_not_looked_at, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(files_that_can_be_made_or_written_are_right, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(files_in_no_directory_and_directories_are_wrong,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_path_that_is_too_long_is_wrong, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_pid_file_that_is_held_or_precious_is_wrong,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
