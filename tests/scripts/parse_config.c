/* SPDX-License-Identifier: BSD-2-Clause */
/* parse_config.c - the lines of a script that begin with config. */
#include <stdio.h>
#include <string.h>

#include "tests/scripts/words.h"

static int parse_transfer(struct words *w, struct script_config *config)
{
	if (config->transfer_count == SCRIPT_TRANSFERS_MAX)
		return words_fail(w, "more than %d transfers", SCRIPT_TRANSFERS_MAX);
	return words_text(w, "a transfer", config->transfers[config->transfer_count++],
			  sizeof(config->transfers[0]));
}

static int parse_local(struct words *w, struct script_config *config)
{
	if (config->local_count == SCRIPT_LOCAL_MAX)
		return words_fail(w, "more than %d local addresses", SCRIPT_LOCAL_MAX);
	return words_text(w, "an address", config->local[config->local_count++],
			  sizeof(config->local[0]));
}

static int parse_pool(struct words *w, struct script_config *config)
{
	if (words_text(w, "the first address", config->pool_first, SCRIPT_NAME_MAX))
		return -1;
	return words_text(w, "the last address", config->pool_last, SCRIPT_NAME_MAX);
}

static int parse_time(struct words *w, const char *what, uint64_t *us)
{
	char text[SCRIPT_NAME_MAX];

	if (words_text(w, what, text, sizeof(text)))
		return -1;
	return words_duration(w, text, us);
}

static int parse_u32(struct words *w, const char *what, uint32_t *value)
{
	uint64_t number;

	if (words_number(w, what, UINT32_MAX, &number))
		return -1;
	*value = (uint32_t)number;
	return 0;
}

static int parse_mtu(struct words *w, const char *what, int *mtu_bytes)
{
	uint64_t number;

	if (words_number(w, what, 1 << 20, &number))
		return -1;
	*mtu_bytes = (int)number;
	return 0;
}

/* Keys without a value. */
static bool take_flag(struct script_config *config, const char *key)
{
	if (strcmp(key, "no-link") == 0)
		config->no_link = true;
	else if (strcmp(key, "any-checksum") == 0)
		config->any_checksum = true;
	else if (strcmp(key, "whole") == 0)
		config->whole_only = true;
	else if (strcmp(key, "rtt-auto") == 0)
		config->rtt_auto = true;
	else
		return false;
	return true;
}

/* Numbers of the first session. */
static int parse_number(struct words *w, struct script_config *config, const char *key)
{
	if (strcmp(key, "irs") == 0)
		return parse_u32(w, key, &config->irs);
	if (strcmp(key, "iss") == 0) {
		config->has_iss = true;
		return parse_u32(w, key, &config->iss);
	}
	if (strcmp(key, "ts") == 0) {
		config->has_ts = true;
		return parse_u32(w, key, &config->ts);
	}
	return words_fail(w, "nothing called '%s' can be configured", key);
}

int parse_config(struct words *w, struct script_config *config)
{
	char key[SCRIPT_NAME_MAX];

	if (words_text(w, "what to configure", key, sizeof(key)))
		return -1;
	if (take_flag(config, key))
		return 0;
	if (strcmp(key, "transfer") == 0)
		return parse_transfer(w, config);
	if (strcmp(key, "local") == 0)
		return parse_local(w, config);
	if (strcmp(key, "pool") == 0)
		return parse_pool(w, config);
	if (strcmp(key, "give-up") == 0)
		return parse_time(w, key, &config->give_up_us);
	if (strcmp(key, "keep-alive") == 0)
		return parse_time(w, key, &config->keep_alive_us);
	if (strcmp(key, "rtt") == 0)
		return parse_time(w, key, &config->rtt_us);
	if (strcmp(key, "mss") == 0)
		return parse_mtu(w, key, &config->mss_bytes);
	if (strcmp(key, "clock") == 0)
		return parse_time(w, key, &config->clock_us);
	if (strcmp(key, "memory") == 0)
		return words_number(w, key, UINT64_MAX, &config->memory_bytes);
	if (strcmp(key, "sessions") == 0)
		return parse_u32(w, key, &config->sessions);
	if (strcmp(key, "copies") == 0)
		return parse_u32(w, key, &config->copies);
	if (strcmp(key, "mtu") == 0)
		return parse_mtu(w, key, &config->mtu_bytes);
	if (strcmp(key, "online-mtu") == 0)
		return parse_mtu(w, key, &config->online_mtu_bytes);
	return parse_number(w, config, key);
}
