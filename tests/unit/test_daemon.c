/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_daemon.c - pid file and background start, with real processes: what the caller of the
 * command sees (its exit code, its terminal), and what a second instance is told.
 */
#include "common/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	PATH_LEN = 64,
	TEXT_LEN = 256,
	NOT_PERMITTED = 77, /* exit code of a command that may not make a namespace */
};

struct place {
	char dir[PATH_LEN];
	char path[PATH_LEN + 8];
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/test_daemon.XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/pid", p->dir);
	*state = p;
	return 0;
}

static int clean_up(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

static void read_file(const char *path, char text[TEXT_LEN])
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, TEXT_LEN - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* --- the pid file --- */

static void pid_file_holds_our_number_and_is_removed(void **state)
{
	struct place *place = *state;
	char error[DAEMON_ERROR_MAX], text[TEXT_LEN], expected[TEXT_LEN];
	struct pid_file *p = pid_file_open(place->path, error);

	assert_non_null(p);
	assert_int_equal(pid_file_write(p), 0);
	read_file(place->path, text);
	snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
	assert_string_equal(text, expected);
	pid_file_close(p);
	assert_int_equal(access(place->path, F_OK), -1);
	pid_file_close(NULL);
}

static void second_instance_is_refused_with_the_number_of_the_first(void **state)
{
	struct place *place = *state;
	char error[DAEMON_ERROR_MAX], expected[TEXT_LEN];
	struct pid_file *p = pid_file_open(place->path, error);

	assert_non_null(p);
	/* A lock belongs to an open file, so our own second open is as good as a stranger's. */
	assert_null(pid_file_open(place->path, error));
	assert_non_null(strstr(error, "just starting"));
	assert_int_equal(pid_file_write(p), 0);
	assert_null(pid_file_open(place->path, error));
	snprintf(expected, sizeof(expected), "process %ld holds", (long)getpid());
	assert_non_null(strstr(error, expected));
	assert_non_null(strstr(error, place->path));
	assert_non_null(strstr(error, "-P"));
	/* The refusal has done the first no harm. */
	assert_int_equal(access(place->path, F_OK), 0);
	pid_file_close(p);
	p = pid_file_open(place->path, error);
	assert_non_null(p);
	pid_file_close(p);
}

static void file_of_a_dead_process_is_taken_over(void **state)
{
	struct place *place = *state;
	char error[DAEMON_ERROR_MAX], text[TEXT_LEN];
	struct pid_file *p;

	write_file(place->path, "123456789\n");
	p = pid_file_open(place->path, error);
	assert_non_null(p);
	assert_int_equal(pid_file_write(p), 0);
	read_file(place->path, text);
	assert_int_equal(atol(text), getpid());
	pid_file_close(p);
}

static void file_with_something_else_in_it_is_kept(void **state)
{
	static const char *const precious[] = {"root:x:0:0", "1 2", "12345678901234567890", " "};
	struct place *place = *state;
	char error[DAEMON_ERROR_MAX], text[TEXT_LEN];

	for (size_t i = 0; i < sizeof(precious) / sizeof(precious[0]); i++) {
		write_file(place->path, precious[i]);
		assert_null(pid_file_open(place->path, error));
		assert_non_null(strstr(error, "no pid file"));
		read_file(place->path, text);
		assert_string_equal(text, precious[i]);
	}
}

static void file_that_cannot_be_opened_is_named(void **state)
{
	char error[DAEMON_ERROR_MAX];

	(void)state;
	assert_null(pid_file_open("/nonexistent/pid", error));
	assert_non_null(strstr(error, "/nonexistent/pid"));
	assert_non_null(strstr(error, "No such file"));
	assert_null(pid_file_open("/dev/null", error));
	assert_non_null(strstr(error, "no pid file"));
}

static void file_replaced_by_somebody_is_not_removed(void **state)
{
	struct place *place = *state;
	char error[DAEMON_ERROR_MAX];
	struct pid_file *p = pid_file_open(place->path, error);

	assert_non_null(p);
	assert_int_equal(unlink(place->path), 0);
	write_file(place->path, "1\n");
	pid_file_close(p);
	assert_int_equal(access(place->path, F_OK), 0);
}

/* --- commands --- */

/* What a shell sees of a command that runs fn: its exit code, and what it wrote to stderr. */
struct seen {
	int code;
	char text[TEXT_LEN];
};

static void close_from(int first)
{
	for (int fd = first; fd < 32; fd++)
		close(fd);
}

static struct seen run_command(void (*fn)(struct place *), struct place *place)
{
	struct seen seen = {.code = -1};
	int ends[2], status = 0;
	size_t len = 0;
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		close_from(3);
		fn(place);
		_exit(99);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* If a daemon kept our end of the pipe, this would wait for its end. */
	while ((n = read(ends[0], seen.text + len, sizeof(seen.text) - 1 - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	if (WIFEXITED(status))
		seen.code = WEXITSTATUS(status);
	return seen;
}

/* --- the beginning --- */

static void begin_without_streams(struct place *place)
{
	(void)place;
	close_from(0);
	daemon_begin();
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			_exit(1);
	if (fcntl(STDERR_FILENO + 1, F_GETFD) >= 0)
		_exit(2);
	raise(SIGHUP);
	raise(SIGUSR1);
	raise(SIGPIPE);
	_exit(0);
}

static void closed_streams_and_early_signals_do_no_harm(void **state)
{
	assert_int_equal(run_command(begin_without_streams, *state).code, 0);
}

static void begin_with_streams(struct place *place)
{
	(void)place;
	daemon_begin();
	fprintf(stderr, "still here\n");
	_exit(0);
}

static void open_streams_are_left_alone(void **state)
{
	assert_string_equal(run_command(begin_with_streams, *state).text, "still here\n");
}

/* --- to the background --- */

/* Waits at most 5 s for the file to hold a text. */
static void wait_for_text(const char *path, char text[TEXT_LEN])
{
	for (int i = 0; i < 500; i++) {
		if (access(path, F_OK) == 0) {
			read_file(path, text);
			if (strchr(text, '\n'))
				return;
		}
		usleep(10000);
	}
	fail_msg("%s does not appear", path);
}

static void daemon_that_starts(struct place *place)
{
	char error[DAEMON_ERROR_MAX], text[TEXT_LEN];
	int ready = daemon_fork(error);

	if (ready < 0)
		_exit(98);
	if (daemon_ready(ready))
		_exit(97);
	/* Goes to /dev/null, or the reader of the pipe sees it. */
	fprintf(stderr, "after ready\n");
	snprintf(text, sizeof(text), "%d %d %d\n", getsid(0) == getpid(), getppid() != 1,
		 (int)getpid());
	write_file(place->path, text);
	_exit(0);
}

static void daemon_returns_0_when_ready_and_leaves_the_terminal(void **state)
{
	struct place *place = *state;
	struct seen seen = run_command(daemon_that_starts, place);
	char text[TEXT_LEN];

	assert_int_equal(seen.code, 0);
	assert_string_equal(seen.text, "");
	wait_for_text(place->path, text);
	assert_int_equal(text[0], '1'); /* a session of its own */
}

static void daemon_that_fails(struct place *place)
{
	char error[DAEMON_ERROR_MAX];

	(void)place;
	if (daemon_fork(error) < 0)
		_exit(98);
	fprintf(stderr, "port 36524 is in use\n");
	_exit(7);
}

static void error_before_ready_reaches_terminal_and_exit_code(void **state)
{
	struct seen seen = run_command(daemon_that_fails, *state);

	assert_int_equal(seen.code, 7);
	assert_string_equal(seen.text, "port 36524 is in use\n");
}

static void daemon_that_ends_too_early(struct place *place)
{
	char error[DAEMON_ERROR_MAX];

	(void)place;
	if (daemon_fork(error) < 0)
		_exit(98);
	_exit(0);
}

static void daemon_that_is_killed(struct place *place)
{
	char error[DAEMON_ERROR_MAX];

	(void)place;
	if (daemon_fork(error) < 0)
		_exit(98);
	raise(SIGKILL);
}

static void end_without_ready_is_never_a_success(void **state)
{
	struct seen seen = run_command(daemon_that_ends_too_early, *state);

	assert_int_equal(seen.code, 1);
	seen = run_command(daemon_that_is_killed, *state);
	assert_int_equal(seen.code, 1);
	assert_non_null(strstr(seen.text, "killed"));
}

static void daemon_with_pid_file(struct place *place)
{
	char error[DAEMON_ERROR_MAX];
	int ready = daemon_fork(error);
	struct pid_file *p = pid_file_open(place->path, error);

	if (!p) {
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
	if (pid_file_write(p) || daemon_ready(ready))
		_exit(97);
	sleep(20);
	_exit(0);
}

static void running_daemon_holds_its_pid_file(void **state)
{
	struct place *place = *state;
	struct seen first = run_command(daemon_with_pid_file, place), second;
	char text[TEXT_LEN], error[DAEMON_ERROR_MAX];
	struct pid_file *p = NULL;
	pid_t pid;

	assert_int_equal(first.code, 0);
	read_file(place->path, text);
	pid = (pid_t)atol(text);
	assert_true(pid > 1 && kill(pid, 0) == 0);
	second = run_command(daemon_with_pid_file, place);
	assert_int_equal(second.code, 1);
	assert_non_null(strstr(second.text, text[0] ? "another instance runs" : "?"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	/* The lock ends with the process, however it ends. */
	for (int i = 0; i < 500 && !p; i++) {
		p = pid_file_open(place->path, error);
		usleep(10000);
	}
	assert_non_null(p);
	pid_file_close(p);
}

/* Process 1 of a PID namespace, as in a container. */
static void daemon_in_a_container(struct place *place)
{
	char error[DAEMON_ERROR_MAX] = "";
	int status = 0;
	pid_t child;

	(void)place;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
		_exit(NOT_PERMITTED);
	child = fork();
	if (child == 0) {
		if (daemon_fork(error) >= 0)
			_exit(0);
		fprintf(stderr, "%s\n", error);
		_exit(5);
	}
	waitpid(child, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 96);
}

static void first_process_of_a_container_stays_in_the_foreground(void **state)
{
	struct seen seen = run_command(daemon_in_a_container, *state);

	if (seen.code == NOT_PERMITTED)
		skip();
	assert_int_equal(seen.code, 5);
	assert_non_null(strstr(seen.text, "docker run -d"));
}

/* --- privilege --- */

static void drop_and_look(struct place *place)
{
	(void)place;
	if (daemon_drop_capabilities(DAEMON_KEEP_NONE))
		_exit(1);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(2);
#ifdef HAVE_CAP_NG
	/* CAP_CHOWN is 0: a file of root's given away would need it. */
	if (getuid() == 0 && chown("/proc/self/nonexistent", 1, 1) == 0)
		_exit(3);
	if (geteuid() == 0 && setuid(12345) == 0)
		_exit(4);
#endif
	_exit(0);
}

static void dropped_capabilities_are_gone(void **state)
{
	assert_int_equal(run_command(drop_and_look, *state).code, 0);
}

static void keep_and_look(struct place *place)
{
	char line[TEXT_LEN];
	unsigned long long effective = 0, before = 0;
	FILE *f;

	(void)place;
	for (int i = 0; i < 2; i++) {
		f = fopen("/proc/self/status", "re");
		while (f && fgets(line, sizeof(line), f))
			sscanf(line, "CapEff: %llx", i ? &effective : &before);
		if (f)
			fclose(f);
		if (i == 0 && daemon_drop_capabilities(DAEMON_KEEP_NET_RAW | DAEMON_KEEP_FILES))
			_exit(1);
	}
#ifdef HAVE_CAP_NG
	/* CAP_DAC_OVERRIDE is 1, CAP_NET_RAW is 13. */
	_exit(effective == (before & (1ULL << 1 | 1ULL << 13)) ? 0 : 2);
#else
	_exit(effective == before ? 0 : 2);
#endif
}

static void only_what_was_asked_for_and_there_is_kept(void **state)
{
	assert_int_equal(run_command(keep_and_look, *state).code, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pid_file_holds_our_number_and_is_removed),
		TEST(second_instance_is_refused_with_the_number_of_the_first),
		TEST(file_of_a_dead_process_is_taken_over),
		TEST(file_with_something_else_in_it_is_kept),
		TEST(file_that_cannot_be_opened_is_named),
		TEST(file_replaced_by_somebody_is_not_removed),
		TEST(closed_streams_and_early_signals_do_no_harm),
		TEST(open_streams_are_left_alone),
		TEST(daemon_returns_0_when_ready_and_leaves_the_terminal),
		TEST(error_before_ready_reaches_terminal_and_exit_code),
		TEST(end_without_ready_is_never_a_success),
		TEST(running_daemon_holds_its_pid_file),
		TEST(first_process_of_a_container_stays_in_the_foreground),
		TEST(dropped_capabilities_are_gone),
		TEST(only_what_was_asked_for_and_there_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
