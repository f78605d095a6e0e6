/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the command line of tcpcopy: read, refused with a sentence, or complete.
 * Two steps, so that both can be tested without a network: tcpcopy_options_parse looks at the
 * text alone (and resolves the names of -s), tcpcopy_options_check holds it against this host.
 * Neither prints nor exits.
 */
#ifndef TCPCOPY_OPTIONS_H
#define TCPCOPY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/capture.h"
#include "common/endpoint.h"
#include "common/netdev.h"
#include "common/parse_arg.h"
#include "common/sender.h"
#include "tcpcopy/transfer.h"

enum {
	OPTIONS_DEVICES_MAX = 16,
	OPTIONS_INTERCEPTS_MAX = 8,
	OPTIONS_INTERCEPT_ADDRESSES_MAX = 8, /* of one name */
	OPTIONS_CLIENT_RANGES_MAX = 256,
	OPTIONS_HOST_TEXT_MAX = 264,      /* a DNS name, a port, a zero */
	OPTIONS_INTERCEPT_PEERS_MAX = 64, /* link connections that an intercept takes */
};

/* An assistant as the user named it; a name may have several addresses, tried in turn. */
struct intercept_address {
	char text[OPTIONS_HOST_TEXT_MAX];
	struct endpoint endpoints[OPTIONS_INTERCEPT_ADDRESSES_MAX];
	size_t endpoint_count;
};

struct tcpcopy_options {
	struct transfer transfers[TRANSFERS_MAX];
	size_t transfer_count;
	struct intercept_address intercepts[OPTIONS_INTERCEPTS_MAX];
	size_t intercept_count;
	struct addr_range client_ranges[OPTIONS_CLIENT_RANGES_MAX];
	size_t client_range_count;
	char devices[OPTIONS_DEVICES_MAX][NETDEV_NAME_MAX]; /* none: chosen at start */
	size_t device_count;
	/* Borrowed from argv; NULL if not given. */
	const char *filter;
	const char *log_file;
	const char *pid_file;
	const char *stats_file;
	const char *client_ip_text; /* the first -c, for messages */
	enum sender_mode send;
	char output_device[NETDEV_NAME_MAX]; /* -o; "": the route's */
	uint16_t intercept_port;
	unsigned link_connections; /* an intercept */
	unsigned workers;
	unsigned copies;       /* of every session */
	uint32_t sample_ppm;   /* sessions copied, in millionths */
	bool sample_by_client; /* rather than by session */
	unsigned rate_per_s;   /* new sessions; 0: no limit */
	unsigned gradual_s;    /* from 1 % to sample_ppm; 0: at once */
	unsigned port_shift;
	bool has_localhost_ip4; /* -H */
	bool has_localhost_ip6;
	struct ip_addr localhost_ip4;
	struct ip_addr localhost_ip6;
	unsigned give_up_s;
	unsigned keep_alive_s;
	unsigned max_memory_mb;
	unsigned buffer_mb;
	unsigned snaplen_bytes;
	unsigned mtu_bytes;       /* 0: of the route */
	unsigned mss_bytes;       /* that our SYN offers at most; 0: the client's */
	unsigned rtt_ms;          /* simulated; 0: none */
	bool rtt_auto;            /* that of each client */
	unsigned session_pool_kb; /* -U, which does nothing; 0: not given */
	bool promiscuous;
	bool whole;             /* -O */
	bool no_wait;           /* -W */
	bool without_intercept; /* -L */
	bool daemon;
	bool check;
	bool version;
	bool help;
};

/* What tcpcopy_options_check asks about this host. */
struct host_facts {
	const struct ip_addr *addresses; /* its own */
	size_t address_count;
	bool (*device_exists)(const char *device);
	bool (*file_exists)(const char *path);
	int (*may_replace)(const char *path); /* stats_may_replace */
	const char *(*device_list)(char *buf, size_t size);
	int (*check_filter)(const char *filter, char error[CAPTURE_ERROR_MAX]);
	/* As netdev_route; device is "" or a name. */
	int (*route)(struct route *r, const struct ip_addr *dst, const char *device);
};

/*
 * Fills *o, defaults included. 0, or -1 with one sentence in error: the value, the rule, an
 * example. With -h or -v the rest is not demanded.
 */
int tcpcopy_options_parse(struct tcpcopy_options *o, int argc, char *const argv[],
			  char error[PARSE_ERROR_MAX]);
/*
 * Values that contradict each other, and, with host, what this host has: self-targets through its
 * own addresses, -c that takes them, devices, the filter. host is NULL for the former alone, which
 * tcpcopy_options_parse has done. 0, or -1 with the sentence.
 */
int tcpcopy_options_check(const struct tcpcopy_options *o, const struct host_facts *host,
			  char error[PARSE_ERROR_MAX]);
/*
 * Whether clients of one family, of which this host has addresses, come to a pair whose target they cannot
 * be copied to, for want of -c: then with a sentence in note.
 */
bool tcpcopy_options_leaves_out(const struct tcpcopy_options *o, const struct ip_addr *addresses,
				size_t address_count, char note[PARSE_ERROR_MAX]);
/* An example of -c, in the family of the first target. */
const char *tcpcopy_options_example_clients(const struct tcpcopy_options *o);
/* Whether the pair names a MAC, which only the link layer can use. */
static inline bool options_has_mac(const struct transfer *t)
{
	return t->has_source_mac || t->has_next_hop_mac;
}

/* The target as the sender wants it. */
struct sender_target options_sender_target(const struct transfer *t);
/* The text of --help. */
void tcpcopy_options_print_help(FILE *out);
#endif
