/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_log.c - lines as they arrive in a file, and on standard error, which is a packet-mode pipe
 * here: each read gives what one write(2) wrote.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	TEXT_MAX = 16384,
	THREADS = 4,
	THREAD_LINES = 40,
};

struct fixture {
	char dir[64];
	char text[TEXT_MAX];
	int saved_stderr;
	int pipe_fd;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	if (!f)
		return -1;
	strcpy(f->dir, "/tmp/test_log.XXXXXX");
	if (!mkdtemp(f->dir) || pipe2(fds, O_DIRECT | O_CLOEXEC | O_NONBLOCK))
		return -1;
	f->saved_stderr = dup(STDERR_FILENO);
	f->pipe_fd = fds[0];
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_init("tcpcopy", LOG_LEVEL_INFO);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"a.log", "b.log"};
	struct fixture *f = *state;
	char path[128];

	log_close();
	dup2(f->saved_stderr, STDERR_FILENO);
	close(f->saved_stderr);
	close(f->pipe_fd);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	if (rmdir(f->dir))
		return -1;
	free(f);
	return 0;
}

/* What one write put onto standard error, or "" if there was none. */
static const char *next_write(struct fixture *f)
{
	ssize_t n = read(f->pipe_fd, f->text, sizeof(f->text) - 1);

	f->text[n > 0 ? n : 0] = '\0';
	return f->text;
}

static const char *path_of(const struct fixture *f, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

static const char *file_text(struct fixture *f, const char *name)
{
	FILE *file = fopen(path_of(f, name), "r");
	size_t n;

	assert_non_null(file);
	n = fread(f->text, 1, sizeof(f->text) - 1, file);
	f->text[n] = '\0';
	fclose(file);
	return f->text;
}

static void assert_matches(const char *text, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0))
		fail_msg("\"%s\" does not match %s", text, pattern);
	regfree(&regex);
}

/* Whether text ends with this line's message. */
static void assert_says(const char *text, const char *message)
{
	size_t len = strlen(message);

	assert_true(strlen(text) > len);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_memory_equal(text + strlen(text) - 1 - len, message, len);
}

static void line_has_time_program_and_level_in_one_write(void **state)
{
	struct fixture *f = *state;

	log_warn("%s took %d ms", "it", 7);
	assert_matches(next_write(f), "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\."
				      "[0-9]{3} tcpcopy warning: it took 7 ms\n$");
	assert_string_equal(next_write(f), "");
	log_err("a");
	assert_says(next_write(f), " tcpcopy error: a");
	log_plain(LOG_LEVEL_INFO, "b %u", 1u);
	assert_says(next_write(f), " tcpcopy info: b 1");
}

static void level_above_the_highest_is_silent(void **state)
{
	struct fixture *f = *state;

	log_debug("hidden");
	log_plain(LOG_LEVEL_DEBUG, "hidden");
	assert_string_equal(next_write(f), "");
	log_init("tcpcopy", LOG_LEVEL_DEBUG);
	log_debug("shown");
	assert_says(next_write(f), " debug: shown");
	log_init("tcpcopy", LOG_LEVEL_ERR);
	log_warn("hidden");
	assert_string_equal(next_write(f), "");
}

static void noisy(int i)
{
	log_warn("noise %d", i);
}

static void site_in_a_loop_is_limited_and_leaves_others_alone(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 1000; i++)
		noisy(i);
	for (int i = 0; i < LOG_SITE_BURST; i++)
		assert_matches(next_write(f), "warning: noise [0-9]\n$");
	assert_string_equal(next_write(f), "");
	log_warn("another site");
	assert_says(next_write(f), "another site");
}

static void next_interval_says_how_many_were_held_back(void **state)
{
	struct fixture *f = *state;
	struct log_site site = {0};

	for (int i = 0; i < LOG_SITE_BURST + 25; i++)
		log_write(&site, LOG_LEVEL_ERR, "again");
	for (int i = 0; i < LOG_SITE_BURST; i++)
		assert_says(next_write(f), "error: again");
	assert_string_equal(next_write(f), "");
	site.interval_start_s -= LOG_SITE_INTERVAL_S;
	log_write(&site, LOG_LEVEL_ERR, "again");
	assert_says(next_write(f), "error: [25 more like this held back] again");
	log_write(&site, LOG_LEVEL_ERR, "again");
	assert_says(next_write(f), "error: again");
}

static void plain_lines_are_not_limited(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3 * LOG_SITE_BURST; i++) {
		log_plain(LOG_LEVEL_INFO, "%d", i);
		assert_true(strlen(next_write(f)) > 0);
	}
}

static void errno_survives_and_percent_m_tells_it(void **state)
{
	struct fixture *f = *state;
	struct log_site site = {0};

	errno = ENOENT;
	log_err("open: %m");
	assert_int_equal(errno, ENOENT);
	assert_says(next_write(f), "open: No such file or directory");
	errno = EACCES;
	log_plain(LOG_LEVEL_ERR, "open: %m");
	assert_int_equal(errno, EACCES);
	assert_says(next_write(f), "open: Permission denied");
	errno = ERANGE;
	log_debug("below the level");
	assert_int_equal(errno, ERANGE);
	for (int i = 0; i < 2 * LOG_SITE_BURST; i++)
		log_write(&site, LOG_LEVEL_ERR, "held back");
	assert_int_equal(errno, ERANGE);
	log_close();
	assert_int_equal(errno, ERANGE);
}

static void full_disk_is_survived(void **state)
{
	(void)state;
	if (log_open("/dev/full"))
		skip();
	errno = EAGAIN;
	log_err("nobody reads this");
	assert_int_equal(errno, EAGAIN);
	log_plain(LOG_LEVEL_ERR, "nor this");
	assert_int_equal(errno, EAGAIN);
}

static void pipe_that_nobody_reads_does_not_hold_the_program_up(void **state)
{
	enum { LINES = 1000 };
	struct fixture *f = *state;
	int taken = 0;
	char expected[64];

	/* As a shell's pipe is: a write into it waits for a reader. */
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_DIRECT), 0);
	alarm(10);
	for (int i = 0; i < LINES; i++)
		log_plain(LOG_LEVEL_INFO, "line %d", i);
	alarm(0);
	while (*next_write(f))
		taken++;
	assert_in_range(taken, 1, LINES - 1);
	log_plain(LOG_LEVEL_INFO, "heard again");
	snprintf(expected, sizeof(expected), ": \\[%d lines before were lost\\] heard again\n",
		 LINES - taken);
	assert_matches(next_write(f), expected);
	log_plain(LOG_LEVEL_INFO, "all is well");
	assert_matches(next_write(f), "info: all is well");
}

static void long_line_is_cut_and_shows_it(void **state)
{
	struct fixture *f = *state;
	char text[5000];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	assert_says(next_write(f), "aaaa...");
	assert_int_equal(strlen(f->text), 2047);
	assert_string_equal(next_write(f), "");
}

static void control_characters_do_not_reach_the_line(void **state)
{
	struct fixture *f = *state;

	log_info("peer said %s", "a\nb\r\033[2J\tc\x7f \xc3\xa4");
	assert_says(next_write(f), "peer said a?b??[2J c? \xc3\xa4");
	assert_string_equal(next_write(f), "");
}

static void file_is_appended_to(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(log_open(path_of(f, "a.log")), 0);
	log_info("one");
	log_close();
	assert_int_equal(log_open(path_of(f, "a.log")), 0);
	log_info("two");
	assert_matches(file_text(f, "a.log"), "^[^\n]* info: one\n[^\n]* info: two\n$");
	assert_string_equal(next_write(f), "");
	assert_int_equal(stat(path_of(f, "a.log"), &st), 0);
	assert_int_equal(st.st_mode & 0137, 0); /* not for everybody */
	log_close();
	log_info("three");
	assert_says(next_write(f), "three");
}

static void file_that_was_renamed_is_left_on_reopen(void **state)
{
	struct fixture *f = *state;
	char old[128];

	assert_int_equal(log_open(path_of(f, "a.log")), 0);
	log_info("before");
	strcpy(old, path_of(f, "a.log"));
	assert_int_equal(rename(old, path_of(f, "b.log")), 0);
	log_info("between");
	assert_int_equal(log_reopen(), 0);
	log_info("after");
	assert_matches(file_text(f, "b.log"), "info: before\n[^\n]* info: between\n$");
	assert_matches(file_text(f, "a.log"), "^[^\n]* info: after\n$");
}

static void relative_path_is_reopened_after_a_chdir(void **state)
{
	struct fixture *f = *state;
	char cwd[4096];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(f->dir), 0);
	assert_int_equal(log_open("a.log"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(unlink(path_of(f, "a.log")), 0);
	assert_int_equal(log_reopen(), 0);
	log_info("here");
	assert_says(file_text(f, "a.log"), "here");
	assert_int_equal(chdir(cwd), 0);
}

static void *write_lines(void *arg)
{
	char tag[16];

	snprintf(tag, sizeof(tag), "worker %d: ", *(const int *)arg);
	log_tag_thread(tag);
	for (int i = 0; i < THREAD_LINES; i++)
		log_plain(LOG_LEVEL_INFO, "line %d", i);
	return NULL;
}

/* How often text has this line's end. */
static int count(const char *text, const char *end)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, end)) != NULL; at += strlen(end))
		n++;
	return n;
}

/* Each line is whole, once, with its thread's name, in one file or the other. */
static void threads_write_while_the_file_is_opened_again(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[THREADS];
	int numbers[THREADS];
	char both[2 * TEXT_MAX], old[128], line[64];

	assert_int_equal(log_open(path_of(f, "a.log")), 0);
	strcpy(old, path_of(f, "a.log"));
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
	}
	assert_int_equal(rename(old, path_of(f, "b.log")), 0);
	assert_int_equal(log_reopen(), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_info("after");
	strcpy(both, file_text(f, "b.log"));
	assert_null(strstr(both, "after"));
	strcat(both, file_text(f, "a.log"));
	for (int i = 0; i < THREADS * THREAD_LINES; i++) {
		snprintf(line, sizeof(line), " tcpcopy info: worker %d: line %d\n", i % THREADS,
			 i / THREADS);
		assert_int_equal(count(both, line), 1);
	}
	assert_int_equal(count(both, "\n"), THREADS * THREAD_LINES + 1);
	assert_int_equal(count(both, " tcpcopy info: after\n"), 1); /* this one has no name */
}

static void log_stays_where_it_was_when_opening_fails(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(log_open("/nonexistent/dir/x.log"), -1);
	assert_int_equal(errno, ENOENT);
	log_info("to stderr");
	assert_says(next_write(f), "to stderr");
	assert_int_equal(log_open(path_of(f, "a.log")), 0);
	assert_int_equal(log_open("/nonexistent/dir/x.log"), -1);
	log_info("to a.log");
	assert_says(file_text(f, "a.log"), "to a.log");
	assert_string_equal(next_write(f), "");
}

static void reopen_without_a_file_does_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(log_reopen(), 0);
	log_info("still here");
	assert_says(next_write(f), "still here");
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LOG_TEST(line_has_time_program_and_level_in_one_write),
		LOG_TEST(level_above_the_highest_is_silent),
		LOG_TEST(site_in_a_loop_is_limited_and_leaves_others_alone),
		LOG_TEST(next_interval_says_how_many_were_held_back),
		LOG_TEST(plain_lines_are_not_limited),
		LOG_TEST(errno_survives_and_percent_m_tells_it),
		LOG_TEST(full_disk_is_survived),
		LOG_TEST(pipe_that_nobody_reads_does_not_hold_the_program_up),
		LOG_TEST(long_line_is_cut_and_shows_it),
		LOG_TEST(control_characters_do_not_reach_the_line),
		LOG_TEST(file_is_appended_to),
		LOG_TEST(file_that_was_renamed_is_left_on_reopen),
		LOG_TEST(relative_path_is_reopened_after_a_chdir),
		LOG_TEST(threads_write_while_the_file_is_opened_again),
		LOG_TEST(log_stays_where_it_was_when_opening_fails),
		LOG_TEST(reopen_without_a_file_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
