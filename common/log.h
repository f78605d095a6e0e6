/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - lines for people, to stderr or a file. Each call site is rate-limited on its own, so
 * that no peer and no fault can fill a disk; what was held back is counted in the next line. Every call preserves
 * errno. Not for hot paths.
 *
 * The one global of the programs: a process has one log. Threads may write at any time; opening,
 * opening again and closing are one thread's business, and a line goes to the old file or the new.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum {
	LOG_SITE_BURST = 10, /* lines of one site within an interval */
	LOG_SITE_INTERVAL_S = 10,
};

/* One a call site, static in the macro; of all threads together. */
struct log_site {
	_Atomic uint64_t interval_start_s;
	_Atomic uint32_t lines;
	_Atomic uint32_t held_back;
};

/* Prefix of every line: the program's name. */
void log_init(const char *program, enum log_level max_level);
/* Appends to path from now on. 0, or -1 with errno; the log stays where it was. */
int log_open(const char *path);
/* Opens the same path again (HUP, logrotate). Does nothing without log_open. */
int log_reopen(void);
void log_close(void);
/* Begins the text of each line of the calling thread: "worker 2: ". Copied; "" for none. */
void log_tag_thread(const char *tag);

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Not limited: for the few lines that start-up, exit and the periodic report write. */
void log_plain(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_at(level, ...)                                 \
	do {                                               \
		static struct log_site log_site_;          \
		log_write(&log_site_, level, __VA_ARGS__); \
	} while (0)

#define log_err(...)   log_at(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#endif
