/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - one line, one write(2): lines of several processes in one file do not mix. A failed write
 * is nobody's business; the program goes on. It does not wait either: what standard error does not take at once
 * (a terminal stopped with Ctrl-S, a pipe that nobody reads) is lost, and the next line says how much.
 */
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 2048, /* a longer one is cut, and shows it */
	LOG_FILE_MODE = 0640,
	TAG_MAX = 32,
};

struct log_state {
	const char *program;
	enum log_level max_level;
	int fd;                /* of path; -1: standard error */
	char *path;            /* absolute, so that it can be opened again after a chdir */
	_Atomic uint32_t lost; /* lines since the last that was written */
};

static struct log_state the_log = {
	.program = "",
	.max_level = LOG_LEVEL_INFO,
	.fd = -1,
};

static _Thread_local char thread_tag[TAG_MAX];
/* Nobody fills a pipe between another's look at its room and his write. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "error";
	case LOG_LEVEL_WARN:
		return "warning";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "?";
}

void log_init(const char *program, enum log_level max_level)
{
	the_log.program = program;
	the_log.max_level = max_level;
}

static int open_file(const char *path)
{
	/* Non-blocking: a FIFO without a reader must not hold the program up. */
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		    LOG_FILE_MODE);
}

/* Allocated; NULL with errno. */
static char *absolute_path(const char *path)
{
	char dir[PATH_MAX];
	char *absolute;

	if (path[0] == '/')
		return strdup(path);
	if (!getcwd(dir, sizeof(dir)))
		return NULL;
	if (asprintf(&absolute, "%s/%s", dir, path) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	return absolute;
}

int log_open(const char *path)
{
	char *absolute = absolute_path(path);
	int fd, saved_errno;

	if (!absolute)
		return -1;
	fd = open_file(absolute);
	if (fd < 0) {
		saved_errno = errno;
		free(absolute);
		errno = saved_errno;
		return -1;
	}
	log_close();
	the_log.fd = fd;
	the_log.path = absolute;
	return 0;
}

int log_reopen(void)
{
	int fd, saved_errno;

	if (!the_log.path)
		return 0;
	fd = open_file(the_log.path);
	if (fd < 0)
		return -1;
	/* In place: a thread that writes just now has the number of either, never of none. */
	if (dup3(fd, the_log.fd, O_CLOEXEC) < 0) {
		saved_errno = errno;
		close(fd);
		errno = saved_errno;
		return -1;
	}
	close(fd);
	return 0;
}

void log_close(void)
{
	int saved_errno = errno;

	if (the_log.fd >= 0)
		close(the_log.fd);
	free(the_log.path);
	the_log.fd = -1;
	the_log.path = NULL;
	the_log.lost = 0;
	errno = saved_errno;
}

void log_tag_thread(const char *tag)
{
	snprintf(thread_tag, sizeof(thread_tag), "%s", tag);
}

/* Text of peers stands in lines: none of it may begin a line of its own or steer a terminal. */
static void sanitise(char *text, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = text[i] == '\t' ? ' ' : '?';
}

/* A line under construction; a zero stands at len_bytes. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len_bytes;
	uint32_t lost_before;
};

static void line_vadd(struct line *l, const char *format, va_list args)
{
	size_t room = sizeof(l->text) - 1 - l->len_bytes; /* 1 for the line feed */
	int n = vsnprintf(l->text + l->len_bytes, room, format, args);

	if (n < 0)
		return;
	if ((size_t)n >= room) {
		l->len_bytes += room - 1;
		memcpy(l->text + l->len_bytes - 3, "...", 3);
		return;
	}
	l->len_bytes += (size_t)n;
}

__attribute__((format(printf, 2, 3))) static void line_add(struct line *l, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_vadd(l, format, args);
	va_end(args);
}

static void line_begin(struct line *l, enum log_level level)
{
	struct timespec now = {0};
	struct tm tm;

	l->len_bytes = 0;
	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &tm))
		l->len_bytes = strftime(l->text, sizeof(l->text), "%Y-%m-%d %H:%M:%S", &tm);
	line_add(l, ".%03ld %s %s: %s", now.tv_nsec / 1000000, the_log.program, level_name(level),
		 thread_tag);
	l->lost_before = atomic_exchange(&the_log.lost, 0);
	if (l->lost_before)
		line_add(l, "[%u lines before were lost] ", l->lost_before);
}

/*
 * Standard error, opened once more where it is a terminal: there poll() finds room for a part of a line, and a write
 * waits for the rest. The other processes of the terminal keep theirs as it is. Under the lock.
 */
static int standard_error(void)
{
	static int terminal = -1;

	if (!isatty(STDERR_FILENO)) {
		if (terminal >= 0)
			close(terminal);
		terminal = -1;
		return STDERR_FILENO;
	}
	if (terminal < 0)
		terminal = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return terminal >= 0 ? terminal : STDERR_FILENO;
}

/* Our own file never makes us wait; a pipe with room for PIPE_BUF bytes takes a whole line. */
static bool would_wait(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return fd != the_log.fd && poll(&p, 1, 0) == 0;
}

static void line_write(struct line *l)
{
	static bool is_cut; /* a terminal took the beginning of the line before */
	ssize_t n = -1;
	int fd;

	sanitise(l->text, l->len_bytes);
	l->text[l->len_bytes] = '\n';
	pthread_mutex_lock(&write_lock);
	fd = the_log.fd >= 0 ? the_log.fd : standard_error();
	if (!would_wait(fd) && !(is_cut && write(fd, "\n", 1) != 1)) {
		is_cut = false;
		do
			n = write(fd, l->text, l->len_bytes + 1);
		while (n < 0 && errno == EINTR);
		is_cut = n > 0 && n <= (ssize_t)l->len_bytes;
		if (is_cut)
			n = -1;
	}
	pthread_mutex_unlock(&write_lock);
	if (n < 0)
		the_log.lost += l->lost_before + 1;
}

static_assert((int)LINE_MAX_BYTES <= PIPE_BUF, "a line fits where poll() finds room");

/*
 * Whether the site may write now. *held_back is how many lines it could not write since the last
 * that it did. Threads that come here at once may write a line too many; none is lost from the count.
 */
static bool site_may_write(struct log_site *site, uint32_t *held_back)
{
	struct timespec now = {0};
	uint64_t now_s;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_s = (uint64_t)now.tv_sec;
	if (now_s - site->interval_start_s >= LOG_SITE_INTERVAL_S) {
		site->interval_start_s = now_s;
		site->lines = 0;
	}
	if (site->lines >= LOG_SITE_BURST) {
		if (site->held_back < UINT32_MAX)
			site->held_back++;
		return false;
	}
	site->lines++;
	*held_back = atomic_exchange(&site->held_back, 0);
	return true;
}

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
	int saved_errno = errno;
	uint32_t held_back;
	struct line l;
	va_list args;

	if (level > the_log.max_level)
		return;
	if (site_may_write(site, &held_back)) {
		line_begin(&l, level);
		if (held_back)
			line_add(&l, "[%u more like this held back] ", held_back);
		errno = saved_errno; /* for %m */
		va_start(args, format);
		line_vadd(&l, format, args);
		va_end(args);
		line_write(&l);
	}
	errno = saved_errno;
}

void log_plain(enum log_level level, const char *format, ...)
{
	int saved_errno = errno;
	struct line l;
	va_list args;

	if (level > the_log.max_level)
		return;
	line_begin(&l, level);
	errno = saved_errno;
	va_start(args, format);
	line_vadd(&l, format, args);
	va_end(args);
	line_write(&l);
	errno = saved_errno;
}
