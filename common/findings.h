/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * findings.h - what --check prints: a line for each thing that was looked at, and whether all is
 * right. The files that both programs write are looked at here; nothing is created or changed.
 */
#ifndef COMMON_FINDINGS_H
#define COMMON_FINDINGS_H

#include <stdbool.h>
#include <stdio.h>

struct findings {
	FILE *out; /* borrowed */
	unsigned wrong_count;
};

/* A line each: "ok     ...", "note   ..." for what may be meant so, "wrong  ...". */
void findings_ok(struct findings *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void findings_note(struct findings *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void findings_wrong(struct findings *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* path is that of -l, -P or --stats-file; NULL if not given. */
void findings_check_log(struct findings *f, const char *program, const char *path, bool is_daemon);
void findings_check_pid_file(struct findings *f, const char *path);
void findings_check_stats_file(struct findings *f, const char *path);
#endif
