/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - the shell around the pure core: event base, captures, timers, signals, reports. It
 * carries frames to the core and calls what the core asks for; it decides nothing about them.
 */
#ifndef INTERCEPT_WORKER_H
#define INTERCEPT_WORKER_H

#include "intercept/options.h"

enum {
	WORKER_ERROR_MAX = 512,
	WORKER_SNAPLEN_BYTES = 192, /* headers: SLL2 20 + IPv6 40 + extensions + TCP 60 */
	WORKER_CAPTURE_BUFFER_BYTES = 16 * 1024 * 1024, /* a device */
	WORKER_REPORT_S = 30,
};

struct worker;

/*
 * Opens all sockets: the listening ones and a capture a device. Borrows options. NULL with one
 * sentence in error.
 */
struct worker *worker_open(const struct intercept_options *options, char error[WORKER_ERROR_MAX]);
/* Runs until SIGTERM or SIGINT, says goodbye to the peers and logs the summary. 0, or -1. */
int worker_run(struct worker *w);
void worker_close(struct worker *w);
#endif
