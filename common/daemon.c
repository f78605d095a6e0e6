/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon.c - see daemon.h. The lock of the pid file and the pipe to the waiting parent are the only
 * system objects here; both end with the process, however it ends.
 */
#include "common/daemon.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_CAP_NG
#include <cap-ng.h>

#include "common/log.h"
#endif

enum {
	PID_TEXT_MAX = 16,
	LOCK_TRIES = 8,
	READY = 'r',
};

struct pid_file {
	int fd;
	char path[];
};

/* ---- the beginning ---- */

void daemon_begin(void)
{
	static const int early[] = {SIGHUP, SIGUSR1, SIGPIPE};
	int fd;

	/* The lowest number that is free is taken first. */
	do
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++)
		signal(early[i], SIG_IGN);
}

void daemon_hold_end(bool hold)
{
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &end, NULL);
}

/* ---- the pid file ---- */

static void explain_locked(char error[DAEMON_ERROR_MAX], const char *path, int fd)
{
	char text[PID_TEXT_MAX] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		snprintf(
			error, DAEMON_ERROR_MAX,
			"another instance runs already: process %ld holds the pid file %.300s; end "
			"it with \"kill %ld\", or give this one another file with -P",
			pid, path, pid);
	else
		snprintf(error, DAEMON_ERROR_MAX,
			 "another instance that is just starting holds the pid file %.300s; give "
			 "this one another file with -P",
			 path);
}

/* Whether path still names the file of fd: its last owner may have removed it before we locked. */
static bool is_current(int fd, const char *path)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && stat(path, &named) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Empty or a number: -P with the name of something precious must not destroy it. */
static bool is_pid_file(int fd)
{
	char text[PID_TEXT_MAX + 1];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n < 0 || st.st_size > n)
		return false;
	text[n] = '\0';
	return strspn(text, "0123456789\n") == (size_t)n;
}

/* The locked descriptor, -1 with error filled, or -2: the file was removed meanwhile, try again. */
static int open_locked(const char *path, char error[DAEMON_ERROR_MAX])
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);

	if (fd < 0) {
		snprintf(error, DAEMON_ERROR_MAX,
			 "the pid file %.300s cannot be opened: %s; -P wants a file in a directory "
			 "that this user may write, such as /run/copy.pid",
			 path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		explain_locked(error, path, fd);
		close(fd);
		return -1;
	}
	if (!is_current(fd, path)) {
		close(fd);
		return -2;
	}
	if (is_pid_file(fd))
		return fd;
	snprintf(error, DAEMON_ERROR_MAX,
		 "%.300s exists and is no pid file; -P wants a new file, such as "
		 "/run/copy.pid",
		 path);
	close(fd);
	return -1;
}

int pid_file_check(const char *path, char error[DAEMON_ERROR_MAX])
{
	int fd;

	if (access(path, F_OK) == -1)
		return 0;
	fd = open_locked(path, error);
	if (fd == -1)
		return -1;
	if (fd >= 0)
		close(fd);
	return 0; /* or its owner has just gone */
}

struct pid_file *pid_file_open(const char *path, char error[DAEMON_ERROR_MAX])
{
	struct pid_file *p;
	int fd = -2;

	for (int i = 0; i < LOCK_TRIES && fd == -2; i++)
		fd = open_locked(path, error);
	if (fd == -2)
		snprintf(error, DAEMON_ERROR_MAX,
			 "the pid file %.300s is removed again and again by somebody else", path);
	if (fd < 0)
		return NULL;
	p = malloc(sizeof(*p) + strlen(path) + 1);
	if (!p) {
		snprintf(error, DAEMON_ERROR_MAX, "out of memory");
		close(fd);
		return NULL;
	}
	p->fd = fd;
	memcpy(p->path, path, strlen(path) + 1);
	return p;
}

int pid_file_write(struct pid_file *p)
{
	char text[PID_TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	ssize_t n;

	if (ftruncate(p->fd, 0) < 0)
		return -1;
	n = pwrite(p->fd, text, (size_t)len, 0);
	if (n == len)
		return 0;
	if (n >= 0)
		errno = ENOSPC;
	return -1;
}

void pid_file_close(struct pid_file *p)
{
	if (!p)
		return;
	/* While the lock is held, so that no successor's file is removed. */
	if (is_current(p->fd, p->path))
		unlink(p->path);
	close(p->fd);
	free(p);
}

/* ---- to the background ---- */

/* The parent's end: becomes what the child becomes. */
static void __attribute__((noreturn)) wait_for_child(int fd, pid_t child)
{
	char byte = 0;
	int status = 0;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1 && byte == READY)
		_exit(0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status)) {
		static const char text[] =
			"the background process was killed before it was ready\n";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	}
	/* A child that ended with 0 without ever being ready did not start either. */
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

int daemon_fork(char error[DAEMON_ERROR_MAX])
{
	int ends[2];
	pid_t child;

	if (getpid() == 1) {
		snprintf(error, DAEMON_ERROR_MAX,
			 "-d: this is the first process of a container, which would end as soon as "
			 "it goes to the background; leave -d out, and use \"docker run -d\"");
		return -1;
	}
	if (pipe2(ends, O_CLOEXEC) < 0) {
		snprintf(error, DAEMON_ERROR_MAX, "-d: no pipe: %s", strerror(errno));
		return -1;
	}
	/* What stdio holds would be written twice. */
	fflush(NULL);
	child = fork();
	if (child < 0) {
		snprintf(error, DAEMON_ERROR_MAX, "-d: no second process: %s", strerror(errno));
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	if (child > 0) {
		close(ends[1]);
		wait_for_child(ends[0], child);
	}
	close(ends[0]);
	setsid(); /* cannot fail: a new child leads no group */
	return ends[1];
}

int daemon_ready(int ready_fd)
{
	const char byte = READY;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

	if (null < 0)
		return -1;
	/* dup2 clears O_CLOEXEC, as standard streams want it. */
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	/* The waiting parent may have been killed: no reason to die as well. */
	sigaction(SIGPIPE, &ignore, &before);
	(void)!write(ready_fd, &byte, 1);
	sigaction(SIGPIPE, &before, NULL);
	close(ready_fd);
	return 0;
}

/* ---- privilege ---- */

#ifdef HAVE_CAP_NG
static int apply_capabilities(unsigned keep)
{
	static const struct {
		unsigned asked;
		unsigned capability;
	} kept[] = {
		{DAEMON_KEEP_NET_RAW, CAP_NET_RAW},
		{DAEMON_KEEP_NET_ADMIN, CAP_NET_ADMIN},
		{DAEMON_KEEP_FILES, CAP_DAC_OVERRIDE},
	};
	/* Only what is there is kept: asking for more makes the kernel refuse the whole set. */
	bool has[sizeof(kept) / sizeof(kept[0])];

	if (capng_get_caps_process() < 0)
		return -1;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, kept[i].capability);
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (has[i] && (keep & kept[i].asked))
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				     kept[i].capability);
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -1 : 0;
}
#else
static int apply_capabilities(unsigned keep)
{
	(void)keep;
	return 0;
}
#endif

int daemon_drop_capabilities(unsigned keep)
{
	/* Also forbids the set-user-id programs that could give capabilities back. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return apply_capabilities(keep);
}

void daemon_settle(struct pid_file *pid_file, int ready_fd, bool keeps_files)
{
	unsigned keep = DAEMON_KEEP_NET_RAW | (keeps_files ? DAEMON_KEEP_FILES : 0);

	if (daemon_drop_capabilities(keep))
		log_warn("capabilities are kept: %s", strerror(errno));
	if (pid_file && pid_file_write(pid_file))
		log_warn("the pid file cannot be written: %s", strerror(errno));
	if (ready_fd != -1 && daemon_ready(ready_fd))
		log_warn("the standard streams stay open: %s", strerror(errno));
	daemon_hold_end(false);
}

int daemon_open_log(const char *program, const char *log_file, bool is_daemon,
		    char error[DAEMON_ERROR_MAX])
{
	char fallback[PATH_MAX];

	if (log_file) {
		if (log_open(log_file) == 0)
			return 0;
		snprintf(error, DAEMON_ERROR_MAX,
			 "-l %.200s: %s; give a file that can be written, for example -l "
			 "/var/log/%s.log",
			 log_file, strerror(errno), program);
		return -1;
	}
	if (!is_daemon)
		return 0;
	snprintf(fallback, sizeof(fallback), "/var/log/%s.log", program);
	if (log_open(fallback) == 0)
		fprintf(stderr, "%s: the log goes to %s; -l chooses another file\n", program,
			fallback);
	else
		fprintf(stderr, "%s: nobody will see the log: %s: %s; give a file with -l\n",
			program, fallback, strerror(errno));
	return 0;
}
