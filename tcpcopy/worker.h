/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - one worker: its event base, captures, links, sender and timers around one replay. The
 * shell of tcpcopy: it moves frames, records and bytes, and knows what time it is; what to do with
 * them is replay's business.
 */
#ifndef TCPCOPY_WORKER_H
#define TCPCOPY_WORKER_H

#include <stdint.h>

#include "common/endpoint.h"
#include "tcpcopy/options.h"

enum {
	WORKER_ERROR_MAX = 512,
};

struct worker_config {
	const struct tcpcopy_options *options; /* borrowed for the worker's life */
	uint8_t worker_id;
	struct hash_key key;        /* random, one a process */
	struct hash_key isn_secret; /* the same after a restart */
	uint64_t instance_id;       /* random, one a process */
};

struct worker;

/*
 * Opens everything that needs privilege. NULL with a sentence in error. Call after the process has
 * forked.
 */
struct worker *worker_open(const struct worker_config *config, char error[WORKER_ERROR_MAX]);
/*
 * Runs until TERM or INT; then resets the open sessions at the target and writes the summary.
 * 0, or -1 if the event loop failed.
 */
int worker_run(struct worker *w);
/* NULL is fine. */
void worker_close(struct worker *w);
#endif
