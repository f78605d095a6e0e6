/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon.h - the habits of a long-running program that both programs share: the pid file, going to
 * the background, giving up privilege. Signals and the log are not here: the event loop owns the
 * signals, log.h the log.
 *
 * The order in which main() uses it:
 *
 *	daemon_begin()
 *	parse options                        errors: exit 2
 *	daemon_fork()                        with -d only; from here on this is the child
 *	pid_file_open()                      refuses a second instance
 *	open captures, sockets, the log      errors: to the terminal, exit 1; both still work
 *	daemon_settle()                      gives up privilege; with -d the command returns to the shell
 *	run the event loop
 *	pid_file_close()
 *
 * The fork comes first and not last because event bases, epoll descriptors and packet rings do not
 * survive one well; that the parent waits for daemon_ready() makes up for it: whoever started the
 * program sees every error on his terminal and gets the true exit code, and when the command returns 0
 * the program listens.
 */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

enum {
	DAEMON_ERROR_MAX = 512,
};

struct pid_file;

/*
 * Before anything else: standard streams that the caller has closed become /dev/null, so that no socket of
 * ours gets the number of standard error and with it the log; and HUP, USR1 and PIPE, which the event loop will take
 * care of, do no harm before it does. The terminal may go, or logrotate come, while names are being resolved.
 */
void daemon_begin(void);
/*
 * From the pid file on until the event loop handles them TERM and INT wait: the end is a clean one whenever they come.
 */
void daemon_hold_end(bool hold);

/*
 * Opens or creates path and locks it (flock) for the life of the process; an unlocked file left by a dead
 * process is taken over. NULL with one sentence in error: another instance holds it (with its
 * number), the file cannot be opened, or it exists and holds something else than a number.
 */
struct pid_file *pid_file_open(const char *path, char error[DAEMON_ERROR_MAX]);
/*
 * Whether pid_file_open would take path as it stands, which is left alone: 0 also if there is no
 * such file, or -1 with the sentence.
 */
int pid_file_check(const char *path, char error[DAEMON_ERROR_MAX]);
/* Writes the number of the calling process. 0, or -1 with errno. */
int pid_file_write(struct pid_file *p);
/* Removes the file, unlocks and frees. NULL is fine. */
void pid_file_close(struct pid_file *p);

/*
 * Forks. Returns in the child only, in a session of its own (setsid), standard streams still those
 * of the caller. The parent waits: it exits with 0 when the child has called daemon_ready(), or with
 * the child's exit code if that ends before. Call before anything is opened and before any thread.
 * Returns the descriptor for daemon_ready(), or -1 with one sentence in error (no fork happened):
 * process 1 of a container is refused, because the container ends with it.
 */
int daemon_fork(char error[DAEMON_ERROR_MAX]);
/*
 * Lets the parent exit with 0, points the standard streams to /dev/null and closes ready_fd. The
 * working directory stays, so that relative paths given as options keep their meaning when a file
 * is opened again. 0, or -1 with errno (/dev/null cannot be opened; the parent is not told).
 */
int daemon_ready(int ready_fd);

/* Capabilities that a program may need again after its start, or-ed. */
enum daemon_capability {
	DAEMON_KEEP_NONE = 0,
	DAEMON_KEEP_NET_RAW = 1,   /* to open a capture or a raw socket again */
	DAEMON_KEEP_NET_ADMIN = 2, /* to force buffer sizes */
	DAEMON_KEEP_FILES = 4, /* root's access to directories of others: log, pid and stats file */
};

/*
 * Gives up every capability that is not in keep, for good, and forbids gaining any by execve.
 * Without libcap-ng in the build only the latter. 0, or -1 with errno; running on is fine then.
 */
int daemon_drop_capabilities(unsigned keep);

/*
 * The start is over: keeps CAP_NET_RAW, and with keeps_files the access to files, writes the pid file (NULL: none)
 * and lets the parent of a background process go (ready_fd; -1: none). What fails is logged: the program runs on. The handlers of
 * TERM and INT must be there: they are held no longer.
 */
void daemon_settle(struct pid_file *pid_file, int ready_fd, bool keeps_files);

/*
 * Opens the log where -l says. Without -l a program in the background would lose it: then it goes to
 * /var/log/PROGRAM.log, which is said on stderr, as is when that cannot be written. 0, or -1 with
 * error if the file of -l cannot be opened.
 */
int daemon_open_log(const char *program, const char *log_file, bool is_daemon,
		    char error[DAEMON_ERROR_MAX]);
#endif
