/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crew.h - the workers of a process (-j). A single one runs in the thread that calls crew_run and is all
 * there is. Several run in a thread each and share nothing: every one captures its share of the
 * connections and has its slice of the ports, its part of -m, -B and --rate, its sender and its links.
 * The calling thread then takes the signals, asks the workers for their figures once a second, and
 * reports the sums.
 */
#ifndef TCPCOPY_CREW_H
#define TCPCOPY_CREW_H

#include "tcpcopy/worker.h"

struct crew;

/*
 * Opens options->workers workers; what of the config is a worker's own is filled in here. NULL with
 * a sentence in error. Starts no thread: privileges can be dropped before crew_run, and are then for all of them.
 */
struct crew *crew_open(const struct worker_config *config, char error[WORKER_ERROR_MAX]);
/*
 * Runs until TERM or INT, or until a worker fails, which ends all. Then the open sessions are reset
 * at the target, and the summary is written. 0, or -1 if a worker failed or a thread cannot be made.
 */
int crew_run(struct crew *c);
/* NULL is fine. */
void crew_close(struct crew *c);
#endif
