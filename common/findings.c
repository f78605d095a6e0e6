/* SPDX-License-Identifier: BSD-2-Clause */
/* findings.c - see findings.h. */
#include "common/findings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/daemon.h"
#include "common/stats.h"

static void put(struct findings *f, const char *kind, const char *format, va_list args)
{
	fprintf(f->out, "%-6s ", kind);
	vfprintf(f->out, format, args);
	fputc('\n', f->out);
}

void findings_ok(struct findings *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(f, "ok", format, args);
	va_end(args);
}

void findings_note(struct findings *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(f, "note", format, args);
	va_end(args);
}

void findings_wrong(struct findings *f, const char *format, ...)
{
	va_list args;

	f->wrong_count++;
	va_start(args, format);
	put(f, "wrong", format, args);
	va_end(args);
}

/* ---- files ---- */

/* 0 if this process may make files where path stands, or -1 with errno. */
static int check_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];
	int len = slash ? (int)(slash - path) : 0;

	if (!slash)
		strcpy(directory, ".");
	else if (snprintf(directory, sizeof(directory), "%.*s", len ? len : 1, path) >=
		 (int)sizeof(directory)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS);
}

/* 0 if path can be appended to or made, or -1 with errno. */
static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return errno == ENOENT ? check_directory_of(path) : -1;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
}

void findings_check_log(struct findings *f, const char *program, const char *path, bool is_daemon)
{
	char fallback[64];

	if (!path && !is_daemon)
		return;
	snprintf(fallback, sizeof(fallback), "/var/log/%s.log", program);
	if (check_file(path ? path : fallback))
		findings_wrong(f,
			       "-l: the log %s cannot be written: %s; give a file that can, for "
			       "example -l %s",
			       path ? path : fallback, strerror(errno), fallback);
	else
		findings_ok(f, "the log goes to %s", path ? path : fallback);
}

void findings_check_pid_file(struct findings *f, const char *path)
{
	char error[DAEMON_ERROR_MAX];

	if (!path)
		return;
	if (pid_file_check(path, error))
		findings_wrong(f, "-P: %s", error);
	else if (check_file(path))
		findings_wrong(f,
			       "-P: the pid file %s cannot be written: %s; give a file in a "
			       "directory that this user may write, for example -P /run/copy.pid",
			       path, strerror(errno));
	else
		findings_ok(f, "the pid file %s is free", path);
}

/* It is replaced as a whole, which takes the directory. */
void findings_check_stats_file(struct findings *f, const char *path)
{
	if (!path)
		return;
	if (stats_may_replace(path) && errno == EEXIST)
		findings_wrong(
			f,
			"--stats-file: %s is no regular file, and would be replaced by one; give "
			"another, for example --stats-file /run/copy.json",
			path);
	else if (check_file(path) || check_directory_of(path))
		findings_wrong(f,
			       "--stats-file: %s cannot be written: %s; give a file in a directory "
			       "that this user may write, for example --stats-file /run/copy.json",
			       path, strerror(errno));
	else
		findings_ok(f, "the counters go to %s", path);
}
