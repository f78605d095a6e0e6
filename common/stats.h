/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - counters as JSON text (RFC 8259): a small writer over a growing buffer, and the file
 * that readers never see half-written. Pure, but for stats_write_file.
 */
#ifndef COMMON_STATS_H
#define COMMON_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STATS_DEPTH_MAX = 8,
};

struct stats_json {
	char *text; /* owned; zero-terminated; NULL before the first value */
	size_t len_bytes;
	size_t room_bytes;
	unsigned depth;
	bool comma[STATS_DEPTH_MAX];  /* whether the open level has a value already */
	char closer[STATS_DEPTH_MAX]; /* what ends the open level */
	bool failed;                  /* out of memory or nested too deep: nothing more is added */
};

void stats_json_init(struct stats_json *j);
void stats_json_fini(struct stats_json *j);
/*
 * key is NULL for the outermost value and inside arrays. Keys and strings are escaped; what is not
 * UTF-8 in them becomes U+FFFD.
 */
void stats_json_object(struct stats_json *j, const char *key);
void stats_json_array(struct stats_json *j, const char *key);
void stats_json_end(struct stats_json *j);
void stats_json_uint(struct stats_json *j, const char *key, uint64_t value);
void stats_json_string(struct stats_json *j, const char *key, const char *value);
void stats_json_bool(struct stats_json *j, const char *key, bool value);

/*
 * Writes path.tmp, with a line feed at the end, and renames it. 0, or -1 with errno: ENOMEM if j has
 * failed, EINVAL if it is not complete, as stats_may_replace. Then the old file stays and nothing is left beside it.
 */
int stats_write_file(const char *path, const struct stats_json *j);
/* 0 if there is no such file or a regular one, or -1 with errno EISDIR or EEXIST: a device, root's /dev/null say, stays what it is. */
int stats_may_replace(const char *path);
#endif
