/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.h - what a world is like: made from the command line, or by the seed alone (--mix).
 */
#ifndef TESTS_SIM_SETTINGS_H
#define TESTS_SIM_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/fault.h"
#include "tests/sim/script.h"
#include "tests/sim/tcp.h"

enum {
	SIM_PORTS = 2,     /* of the online server: each has its profile and its target */
	SIM_TRANSFERS = 3, /* the third copies the first port to another target */
	SIM_COPIES = 4,    /* of a connection, at most */
	SIM_CONFIGS = 6,   /* kinds of TCP stacks */
	SIM_SLOW = 3,      /* and of slow readers */
};

enum incident_kind {
	INCIDENT_CAPTURE_GAP,
	INCIDENT_LINK_CUT,
	INCIDENT_LINK_STALL,
	INCIDENT_TARGET_RESTART,
	INCIDENT_TARGET_REFUSES,
	INCIDENT_TARGET_SILENT,
	INCIDENT_SENDER_FULL,
	INCIDENT_CLOCK_JUMP,
	INCIDENT_INTERCEPT_RESTART,
	INCIDENT_TCPCOPY_RESTART, /* killed: it says goodbye to nobody */
	INCIDENT_RIVAL,           /* another tcpcopy has registered what comes next */
	INCIDENTS,
};

struct leg_settings {
	uint32_t delay_us;
	uint32_t jitter_us;
	uint32_t reorder_us; /* a packet that is reordered is late by up to this */
};

struct settings {
	uint64_t seed;
	uint32_t sessions;
	uint32_t arrival_us; /* between two conversations, on average */
	uint32_t bulk_bytes; /* that the first one has in hand when the target answers; 0: none */
	struct script_profile profiles[SIM_PORTS];
	uint32_t second_port_percent;
	struct leg_settings legs[LEGS];
	double rates[LEGS][FAULTS];
	uint32_t incidents[INCIDENTS]; /* how many of each */
	struct tcp_config online_configs[SIM_CONFIGS];
	struct tcp_config target_configs[SIM_CONFIGS];
	struct tcp_config slow_configs[SIM_SLOW]; /* of servers that read slowly */
	uint32_t transfers;
	uint32_t copies; /* of each connection, at each of its targets */
	uint32_t link_delay_us;
	uint32_t link_chunk_bytes;  /* what is written is cut to pieces of up to this; 0: whole */
	uint32_t link_buffer_bytes; /* in flight, a direction */
	uint32_t ring_us;           /* how long a capture block gathers */
	uint32_t busy_us;           /* how long a turn of tcpcopy's loop may be late */
	uint64_t give_up_us;
	uint64_t keep_alive_us;
	uint64_t park_after_us; /* 0: as in production; UINT64_MAX: never */
	uint64_t max_memory_bytes;
	uint32_t max_sessions;
	uint32_t sample_ppm; /* 0: all are copied */
	uint64_t gradual_us;
	uint32_t rate_per_s; /* 0: as many as there are */
	uint64_t rtt_us;     /* simulated; 0: none */
	bool rtt_auto;       /* that of each client */
	uint32_t
		path_mtu; /* what the way to the target takes, in bytes of a packet; 0: everything */
	uint64_t path_mtu_us; /* so long after the beginning it becomes so narrow */
	bool path_is_mute;    /* and no router says so */
	bool no_wait;         /* all gates are open */
	bool waits_for_links; /* what begins without a link waits for it */
	bool is_ipv6;         /* clients and the online server */
	bool target_is_ipv6;  /* another family than theirs needs a pool */
	bool uses_pool;
	bool reuses_ports;
	bool merges; /* the capture sees GRO's super-packets */
	bool joins;  /* replay may begin in the middle of a connection */
	bool wraps;  /* sequence numbers and timestamps begin shortly before they wrap */
	bool lies;
	bool has_trace;
};

/* A quiet network and plain conversations, as the command line begins with. */
void settings_plain(struct settings *s, uint64_t seed, uint32_t sessions);
/* Everything that the seed chooses. */
void settings_mix(struct settings *s, uint64_t seed, uint32_t sessions);

/* False records reach replay. */
void settings_lie(struct settings *s);
/* Every conversation is n requests (1 to SCRIPT_TURNS_MAX) of one packet each, an answer to each, and the client's FIN. */
void settings_requests(struct settings *s, uint32_t n);

/* Replay may copy this client's connections. */
bool settings_samples(const struct settings *s, const struct endpoint *client);
/* Connections may end without a packet that tells replay. */
bool settings_end_unheard(const struct settings *s);
/* Clients may repeat what they said when replay has forgotten the connection. */
bool settings_online_loses(const struct settings *s);
/* A RST may overtake the last data: then nobody knows whether that belongs to the stream. */
bool settings_ends_blurred(const struct settings *s, enum script_end end);
/* Nothing between replay and the target can be lost, late or refused. */
bool settings_target_is_clean(const struct settings *s);
/* The capture misses, spoils and reorders nothing. */
bool settings_capture_is_clean(const struct settings *s);
/*
 * Conversations of single-packet requests, and nothing happens to what tcpcopy sees of them but that packets are missed: then
 * it is known which request every missed packet was.
 */
bool settings_misses_are_known(const struct settings *s);
/*
 * Each answer of this target is that of the online server, to a client that waits for it, and nothing is lost:
 * no gate has to settle, nothing is sent again.
 */
bool settings_is_exact(const struct settings *s, unsigned transfer);
/* For which causes (enum drop_cause, as bits) something may be dropped by right. */
uint32_t settings_drops(const struct settings *s);
/* All that is captured must be delivered: nothing but loss between replay and target goes wrong. */
bool settings_delivers_all(const struct settings *s);
const char *incident_name(enum incident_kind kind);
#endif
