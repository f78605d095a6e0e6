/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diagnosis.h - when SYNs go unanswered: what may be wrong, and the command that mends it, from
 * counters of this host and of intercept. Text only; who asks decides when to log it. Pure.
 */
#ifndef TCPCOPY_DIAGNOSIS_H
#define TCPCOPY_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/wire.h"
#include "tcpcopy/transfer.h"

enum {
	DIAGNOSIS_TEXT_MAX = 4096,
	DIAGNOSIS_LINE_MAX = 512,
	DIAGNOSIS_PREFIXES_MAX = 4, /* route commands shown */
};

enum diagnosis {
	DIAGNOSIS_NO_LINK,     /* no intercept is connected */
	DIAGNOSIS_NOT_SENT,    /* packets do not leave this host */
	DIAGNOSIS_NO_ANSWER,   /* intercept captures nothing at all */
	DIAGNOSIS_OTHER_TUPLE, /* it captures answers, but none of registered sessions */
	DIAGNOSIS_SOME_ANSWER, /* answers of other sessions come */
	DIAGNOSIS_UNKNOWN,     /* connected too short a time to tell */
};

struct diagnosis_facts {
	struct endpoint target;
	struct ip_addr assistant; /* of the first intercept */
	uint16_t assistant_port;  /* likewise */
	struct ip_addr
		via; /* an address of the assistant in the target's family; unspecified: not known */
	bool is_on_target;             /* that intercept runs on the target's host */
	bool is_local;                 /* the target is this host */
	const struct addr_range *pool; /* -c */
	size_t pool_count;             /* 0: the clients' own addresses */
	unsigned links_up;             /* of links; silent ones do not count */
	unsigned links_silent;         /* connected, but nothing has come for seconds */
	unsigned links;
	bool has_recent;               /* two heartbeats at least have come */
	struct wire_heartbeat recent;  /* the last seconds, all connected intercepts together */
	uint64_t recent_send_failures; /* since the SYNs began to go unanswered */
	uint64_t recent_send_not_permitted; /* of these */
	uint64_t recent_no_neighbour;       /* of these */
	bool is_next_hop_given;             /* its MAC, with -x */
	bool is_next_hop_silent;            /* nobody has answered ARP or neighbour discovery */
	bool is_silent; /* nothing of the target's has come since the first of these SYNs */
};

enum diagnosis diagnosis_of(const struct diagnosis_facts *facts);
/*
 * A short block of lines, each ended by '\n', at most DIAGNOSIS_TEXT_MAX with the zero. Returns
 * buf.
 */
const char *diagnosis_text(char *buf, size_t size, const struct diagnosis_facts *facts);
/* One line each, at most DIAGNOSIS_LINE_MAX with the zero; return buf. The target answers SYNs with RST. */
const char *diagnosis_refused_text(char *buf, size_t size, const struct transfer *t);
/* It takes connections and ends them without a byte of an answer. */
const char *diagnosis_mute_text(char *buf, size_t size, const struct transfer *t);
/* A client has an address of -c or -H. */
const char *diagnosis_faked_client_text(char *buf, size_t size, const struct transfer *t);
/* Packets above mtu_bytes do not get to it; is_black_hole: nobody has said so. */
const char *diagnosis_path_mtu_text(char *buf, size_t size, const struct transfer *t, int mtu_bytes,
				    bool is_black_hole);
/* Its clients speak TLS. */
const char *diagnosis_encrypted_text(char *buf, size_t size, const struct transfer *t);
/* It answers SYNs, and acknowledges nothing that follows. */
const char *diagnosis_syns_only_text(char *buf, size_t size, const struct transfer *t);
/* It closes each connection that it was given in its middle behind the first answer. */
const char *diagnosis_brief_joins_text(char *buf, size_t size, const struct transfer *t);
/* It does not take connections in their middle. */
const char *diagnosis_join_refused_text(char *buf, size_t size, const struct transfer *t);
/* What has been captured since the start. */
struct diagnosis_capture {
	uint64_t captured;
	uint64_t used;
	uint64_t malformed;
	unsigned seconds;
	const struct endpoint *mirrored; /* a source that is another host's; NULL: there is none */
	bool is_promiscuous;
	const char *device; /* one of them */
};

/* One line: why there may be nothing to copy; NULL if there is something. */
const char *diagnosis_capture_text(char *buf, size_t size, const struct diagnosis_capture *c);
/* A source is another host's: what that means. */
const char *diagnosis_mirror_text(char *buf, size_t size, const struct endpoint *source,
				  bool is_promiscuous);
/* What a mirror does to its packets: it cuts them short; they come in fragments. */
const char *diagnosis_cut_text(void);
const char *diagnosis_fragments_text(void);

/*
 * The prefixes that cover a range of -c as route commands want them: one if the range is a whole
 * network (less its first and last address), otherwise the aligned pieces. Writes at most max
 * texts "10.20.30.0/24"; returns how many there are, at most max + 1.
 */
enum {
	DIAGNOSIS_PREFIX_TEXT_MAX = IP_ADDR_TEXT_MAX + 4,
};
size_t diagnosis_prefixes(char (*texts)[DIAGNOSIS_PREFIX_TEXT_MAX], size_t max,
			  const struct addr_range *range);
#endif
