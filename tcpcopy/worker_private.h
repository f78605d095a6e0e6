/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_private.h - what the files of the worker share: worker.c (the loop and its turns),
 * worker_open.c (opening, closing), worker_report.c (what it says), worker_firewall.c (what of
 * this host is in the way). For these alone.
 */
#ifndef TCPCOPY_WORKER_PRIVATE_H
#define TCPCOPY_WORKER_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "common/netdev.h"
#include "common/sender.h"
#include "tcpcopy/diagnosis.h"
#include "tcpcopy/link_group.h"
#include "tcpcopy/link_socket.h"
#include "tcpcopy/online_capture.h"
#include "tcpcopy/options.h"
#include "tcpcopy/pace.h"
#include "tcpcopy/replay.h"
#include "tcpcopy/worker.h"

enum {
	WORKER_SIGNALS = 4,
	WORKER_SENDER_FDS_MAX = 8,
	WORKER_ADDRESSES_MAX = 4096, /* of this host */
	WORKER_SEND_HISTORY = 5,     /* seconds that a diagnosis looks back */
	WORKER_LINKS_MAX = (int)OPTIONS_INTERCEPTS_MAX * (int)LINK_GROUP_MAX,
};

/* A link and what the log has been told about it. */
struct worker_link {
	struct link_socket *socket;
	size_t intercept;                 /* which of -s */
	char why[INTERCEPT_LINK_WHY_MAX]; /* of the trouble that was told last */
	uint64_t told_us;
	uint64_t up_us;    /* when it last came up */
	unsigned flaps;    /* how often it has come up again within a minute */
	bool is_down_told; /* and since then no word that it is up */
};

/* A block that the log has been told, and for which target. */
struct worker_diagnosis {
	uint64_t told_us;
	size_t target;
};

/* What is known of this host's firewall, and what the log has been told of it. */
struct worker_firewall {
	uint64_t refused; /* packets up to now */
	unsigned quiet_ticks;
	bool told_refused;
	bool told_tracking;
};

struct worker {
	struct worker_config config;
	const struct tcpcopy_options *options;
	struct event_base *base;
	struct replay *replay;
	struct sender *sender;
	struct online_capture *captures;
	struct worker_link links[WORKER_LINKS_MAX];
	size_t link_count;
	struct link_group *groups[OPTIONS_INTERCEPTS_MAX]; /* the links to each intercept */
	size_t group_count;
	bool are_groups_stale;  /* a link has come or gone since they were looked at */
	uint64_t groups_due_us; /* the next of their timers */
	unsigned served_told;   /* of all groups, as replay knows it */

	int timer_fd; /* timerfd: libevent's own timers are 4 ms coarse, or cost a system call a turn */
	struct event *timer;
	uint64_t timer_us; /* when it fires; UINT64_MAX: not set */
	struct pace pace;
	uint64_t captured_us; /* when the captures last handed something over */
	bool is_urgent;       /* replay wants records at once */
	bool is_riding;       /* links and timers wait for the next captured packets */
	struct event *tick;
	struct event *signals[WORKER_SIGNALS];
	struct event *watch;
	int watch_fd;
	bool addresses_stale;
	struct ip_addr *addresses;
	size_t address_count;
	struct event *sender_events[WORKER_SENDER_FDS_MAX];
	int sender_fds[WORKER_SENDER_FDS_MAX];
	size_t sender_fd_count;
	int mtu[TRANSFERS_MAX]; /* as replay knows it */

	unsigned batched; /* packets in the sender since the links were written */
	uint64_t start_us;
	uint64_t ticks;
	uint64_t kernel_drops_told;
	uint64_t kernel_drops_told_us;
	struct sender_stats send_history[WORKER_SEND_HISTORY];       /* a ring, one a tick */
	struct worker_diagnosis diagnosed[DIAGNOSIS_UNKNOWN + 1][2]; /* IPv4, IPv6 */
	struct worker_firewall firewall;
	bool is_diagnosis_due;
	bool is_target_due[TRANSFERS_MAX]; /* those that are to be diagnosed */
	bool is_path_due;                  /* of some target something is to be told: */
	struct {
		bool is_due;
		bool is_black_hole;
	} paths[TRANSFERS_MAX];
	bool is_stopping;
	int shutdown_wait_ms; /* left */

	/* One of several workers: what others have asked of it, and what wakes it to look. */
	int asked_fd;
	struct event *asked;
	atomic_bool is_asked_to_stop;
	atomic_bool is_asked_for_figures;
};

/* --- worker.c --- */

unsigned worker_links_up(const struct worker *w);
/* Reads this host's addresses anew. 0, or -1 with errno. */
int worker_read_addresses(struct worker *w);
/* Tells replay the MTU towards each target where it has changed, and whether the sender cuts. */
void worker_refresh_mtu(struct worker *w);
/* The sender's descriptors change when it changes its backend. */
void worker_refresh_sender_fds(struct worker *w);
void worker_forget_sender_fds(struct worker *w);
/* The tables through which replay and the links act; their ctx is the worker. */
extern const struct replay_effects worker_effects;
extern const struct link_socket_handlers worker_link_handlers;
/* Call-backs of the event loop; arg is the worker. */
void worker_on_timer(evutil_socket_t fd, short what, void *arg);
void worker_on_tick(evutil_socket_t fd, short what, void *arg);
void worker_on_watch_readable(evutil_socket_t fd, short what, void *arg);
void worker_on_signal(evutil_socket_t number, short what, void *arg);
void worker_on_asked(evutil_socket_t fd, short what, void *arg);
/* A captured frame; ctx is the worker. */
void worker_on_frame(void *ctx, int link_type, const uint8_t *frame, size_t captured_len_bytes,
		     size_t wire_len_bytes, uint64_t now_us);

/* --- worker_firewall.c --- */

/* Once a second, in one worker. */
void worker_watch_firewall(struct worker *w);

/* --- worker_report.c --- */

const char *worker_target_text(const struct worker *w, size_t target, char buf[ENDPOINT_TEXT_MAX]);
/*
 * Why targets that are due may not answer, to the log; not the same block twice within half a minute, but a line for another
 * target.
 */
void worker_diagnose(struct worker *w, uint64_t now_us);
/* What was found out of the paths to targets. */
void worker_tell_paths(struct worker *w);
void worker_log_report(struct worker *w, uint64_t now_us);
void worker_report_if_nothing(struct worker *w, uint64_t now_us);
/* Does nothing without --stats-file. */
void worker_write_stats(struct worker *w, uint64_t now_us);

/* Whether there is no other worker: then this one is the program. */
static inline bool worker_is_alone(const struct worker *w)
{
	return w->options->workers == 1;
}

/* This worker's part of what all have together; the first ones have one more where it does not divide. */
static inline uint64_t worker_part(const struct worker *w, uint64_t all)
{
	return all / w->options->workers + (w->config.worker_id < all % w->options->workers);
}

/* Bytes. */
static inline uint64_t worker_memory_max(const struct worker *w)
{
	return worker_part(w, (uint64_t)w->options->max_memory_mb << 20);
}

static inline struct intercept_link *worker_link_at(const struct worker *w, size_t i)
{
	return link_socket_link(w->links[i].socket);
}
#endif
