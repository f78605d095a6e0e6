/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - intercept: options, then a worker. Wiring only.
 *
 * CAP_NET_RAW is kept while running, because a capture device that goes away and comes back is
 * opened again. Access to files is kept when the log, the statistics or the pid file may lie in a
 * directory of somebody else.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/daemon.h"
#include "common/log.h"
#include "intercept/check.h"
#include "intercept/options.h"
#include "intercept/worker.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

enum {
	EXIT_USAGE = 2,
	ERROR_MAX = 512,
};

static int fail(int code, const char *error)
{
	fprintf(stderr, "intercept: %s\n", error);
	return code;
}

/* Whether files are opened, or removed, after the start. */
static bool keeps_files(const struct intercept_options *o)
{
	return o->log_file || o->daemon || o->pid_file || o->stats_file;
}

/*
 * Whoever makes a packet that is captured wakes this program, and with the usual policy would often lose the processor to
 * it: a server in the middle of its answers, where they share a host. With this one it goes on, and its answers are
 * reported together. The share of the processor is the same (sched(7), SCHED_BATCH).
 */
static void preempt_nobody(void)
{
	const struct sched_param none = {0};

	if (sched_getscheduler(0) == SCHED_OTHER) /* otherwise somebody knows better */
		(void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static int start(const struct intercept_options *o)
{
	struct pid_file *pid_file = NULL;
	struct worker *w = NULL;
	char error[ERROR_MAX];
	int ready_fd = -1, code = EXIT_FAILURE;

	if (o->daemon && (ready_fd = daemon_fork(error)) == -1)
		return fail(EXIT_FAILURE, error);
	daemon_hold_end(true);
	if (o->pid_file && !(pid_file = pid_file_open(o->pid_file, error)))
		return fail(EXIT_FAILURE, error);
	if (daemon_open_log("intercept", o->log_file, o->daemon, error)) {
		fail(EXIT_FAILURE, error);
		goto out;
	}
	log_plain(LOG_LEVEL_INFO, "intercept " PACKAGE_VERSION " starts");
	preempt_nobody();
	w = worker_open(o, error);
	if (!w) {
		fail(EXIT_FAILURE, error);
		goto out;
	}
	daemon_settle(pid_file, ready_fd, keeps_files(o));
	code = worker_run(w) ? EXIT_FAILURE : EXIT_SUCCESS;
out:
	worker_close(w);
	pid_file_close(pid_file);
	log_close();
	return code;
}

int main(int argc, char *argv[])
{
	static struct intercept_options options;
	char error[ERROR_MAX];

	daemon_begin();
	log_init("intercept", LOG_LEVEL_INFO);
	if (intercept_options_parse(&options, argc, argv, error))
		return fail(EXIT_USAGE, error);
	if (options.help) {
		intercept_options_print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (options.version) {
		puts("intercept " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (intercept_options_check(&options, error))
		return fail(EXIT_USAGE, error);
	if (options.check) {
		log_init("intercept", LOG_LEVEL_ERR); /* the findings say all */
		return intercept_check(&options, stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	return start(&options);
}
