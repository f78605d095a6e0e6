/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.h - a script's text as a list of steps. README.md describes the language. Knows nothing of
 * the engine: a step says what is to be done and where it stands, for the error messages.
 */
#ifndef TESTS_SCRIPTS_PARSE_H
#define TESTS_SCRIPTS_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCRIPT_TEXT_MAX = 256, /* a line */
	SCRIPT_NAME_MAX = 64,
	SCRIPT_TRANSFERS_MAX = 4,
	SCRIPT_LOCAL_MAX = 4,
	SCRIPT_CONNECTIONS_MAX = 64,
	SCRIPT_FLOOD_MAX = 60000,
	SCRIPT_INCLUDE_DEPTH = 8,
};

enum verb {
	VERB_CLIENT, /* packets */
	VERB_SERVER,
	VERB_TARGET,
	VERB_EXPECT,
	VERB_EXPECT_QUESTION,
	VERB_EXPECT_STREAM,
	VERB_NOTHING, /* what is (not) sent */
	VERB_ANY,
	VERB_SENT,
	VERB_FLOOD, /* the world */
	VERB_FRAME,
	VERB_REFUSED,
	VERB_TOO_BIG,
	VERB_LINK,
	VERB_ROOM,
	VERB_BATCH,
	VERB_END,
	VERB_SHUTDOWN,
	VERB_BEGINS,
	VERB_STATE, /* looking */
	VERB_LEDGER,
	VERB_REGISTERED,
	VERB_TUPLE,
	VERB_ISS,
	VERB_NOTICE,
	VERB_URGENT,
	VERB_PAUSED,
	VERB_PATH_MTU,
	VERBS,
};

/* A packet as written: "P. 1:301(300) ack 6 win 100 <mss 1460> "text" corrupt x3". */
struct packet_text {
	char flags[8];
	char options[128]; /* between the angle brackets */
	char payload[128]; /* between the quotes; empty: the pattern */
	char numbers[48];  /* "1:301(300) ack 6", as written */
	int64_t seq;       /* relative */
	uint32_t len_bytes;
	int64_t ack;
	long window;         /* -1: not given */
	unsigned segments;   /* xN; 0: not given */
	long captured_bytes; /* of the payload; -1: all */
	unsigned padding_bytes;
	bool has_ack;
	bool has_options;
	bool is_corrupt;
	bool is_unfinished; /* checksum left to the device */
	bool is_lost;       /* not captured */
	bool is_twice;      /* captured twice */
	bool has_vlan;
};

struct step {
	const char *file; /* owned by the script */
	int line;
	enum verb verb;
	size_t connection; /* index */
	size_t transfer;   /* index: of several sessions the one to this target */
	size_t ago;        /* of several one after another: 0 is the newest */
	bool has_delay;
	uint64_t delay_us;
	uint64_t early_us; /* how much before and after the delay a packet may come */
	uint64_t late_us;
	struct packet_text packet;
	char text[SCRIPT_TEXT_MAX]; /* argument: a state, a counter, bytes in hex */
	uint64_t number;            /* argument */
};

struct connection_text {
	char name[SCRIPT_NAME_MAX];
	char client[SCRIPT_NAME_MAX];
	char server[SCRIPT_NAME_MAX];
	uint32_t isn;
	uint32_t server_isn;
};

struct script_config {
	char transfers[SCRIPT_TRANSFERS_MAX][2 * SCRIPT_NAME_MAX];
	size_t transfer_count;
	char local[SCRIPT_LOCAL_MAX][SCRIPT_NAME_MAX];
	size_t local_count;
	char pool_first[SCRIPT_NAME_MAX]; /* empty: clients keep their addresses */
	char pool_last[SCRIPT_NAME_MAX];
	uint64_t give_up_us;
	uint64_t keep_alive_us;
	uint64_t memory_bytes;
	uint64_t rtt_us;
	bool rtt_auto;
	int mss_bytes;
	uint32_t sessions;
	uint32_t copies;
	int mtu_bytes;
	int online_mtu_bytes;
	uint64_t clock_us; /* the first moment */
	uint32_t irs;
	uint32_t iss; /* of the first session, if has_iss */
	uint32_t ts;  /* our first timestamp, if has_ts */
	bool has_iss;
	bool has_ts;
	bool no_link;
	bool any_checksum;
	bool whole_only;
};

struct script {
	char title[SCRIPT_TEXT_MAX];
	struct script_config config;
	struct connection_text connections[SCRIPT_CONNECTIONS_MAX];
	size_t connection_count;
	struct step *steps;
	size_t step_count;
	size_t step_room;
	char **files; /* names, for the steps */
	size_t file_count;
};

/*
 * Reads a file and what it includes; names are relative to root. 0, or -1 with an error that
 * begins with file:line in error.
 */
int script_read(struct script *s, const char *root, const char *name,
		char error[2 * SCRIPT_TEXT_MAX]);
void script_fini(struct script *s);
#endif
