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

struct report_facts;

struct worker_config {
	const struct tcpcopy_options *options; /* borrowed for the worker's life */
	uint8_t worker_id;                     /* of options->workers, from 0 */
	struct hash_key key;                   /* random, one a process */
	struct hash_key isn_secret;            /* the same after a restart */
	uint64_t instance_id;                  /* random, one a process */
	uint32_t capture_latency_us;           /* as measured; 0: not known */
	/* For worker_give_figures; may be NULL if there is but one worker. */
	void (*figures)(void *ctx, const struct report_facts *facts);
	void *figures_ctx;
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
 *
 * One of several workers runs in a thread of its own, until worker_stop; it neither looks at
 * signals nor reports, but gives its figures to whoever asks.
 */
int worker_run(struct worker *w);

/* To a worker that is one of several, from any thread. */
void worker_stop(struct worker *w);
/* It calls worker_give_figures in its own thread, soon. */
void worker_ask_figures(struct worker *w);
/* Calls config.figures with facts that are good during the call. In the thread that runs w, or after that. */
void worker_give_figures(struct worker *w);
/* NULL is fine. */
void worker_close(struct worker *w);
#endif
