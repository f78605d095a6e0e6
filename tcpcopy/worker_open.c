/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_open.c - opens a worker's parts in the order in which they need each other, and closes
 * them in reverse.
 */
#include "tcpcopy/worker_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum {
	SESSION_MEMORY_BYTES = 1024, /* -m allows a session for each of these */
	SESSIONS_MIN = 1024,
	SESSIONS_MAX = 1 << 22,
	/*
	 * How much faster than the clock of ISNs (4 us a step) that of starts runs: who starts 20 ms later is a window ahead, and
	 * a restart stays above what the target remembers of the time before, for eight minutes.
	 */
	ISN_STARTS = 16,
};

static void warn_of_mtu(const struct worker *w, size_t target)
{
	int most = sender_mtu(w->sender, &w->options->transfers[target].target.addr);
	char text[ENDPOINT_TEXT_MAX];

	if (w->options->mtu_bytes > (unsigned)most)
		log_warn("-M %u is more than the way to %s takes: packets have %d bytes at most",
			 w->options->mtu_bytes, worker_target_text(w, target, text), most);
}

static void tell_ways(const struct worker *w)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < w->options->transfer_count; i++) {
		const struct transfer *t = &w->options->transfers[i];
		const char *why;
		bool is_by_ip = sender_mode_of(w->sender, &t->target.addr, &why) == SENDER_IP;

		worker_target_text(w, i, text);
		log_plain(LOG_LEVEL_INFO, "copying port %u to %s, sending by %s (%s)",
			  (unsigned)t->source.port, text, is_by_ip ? "ip" : "link", why);
		if (is_by_ip && options_has_mac(t))
			log_warn(
				"the MAC given in -x for %s is not used, as packets to it leave by "
				"ip: %s",
				text, why);
		warn_of_mtu(w, i);
	}
}

static int open_sender(struct worker *w, char error[WORKER_ERROR_MAX])
{
	struct sender_target targets[TRANSFERS_MAX];
	const char *device = w->options->output_device;
	struct sender_config config = {
		.mode = device[0] ? SENDER_LINK : w->options->send,
		.only_asks = w->config.worker_id > 0,
		.device = device[0] ? device : NULL,
		.targets = targets,
	};

	for (size_t i = 0; i < w->options->transfer_count; i++) {
		const struct transfer *t = &w->options->transfers[i];
		size_t k = 0;

		while (k < config.target_count && !ip_addr_equal(&targets[k].addr, &t->target.addr))
			k++;
		if (k < config.target_count)
			continue;
		targets[config.target_count++] = options_sender_target(t);
	}
	w->sender = sender_open(&config, error);
	if (w->sender && w->config.worker_id == 0) /* the others do as the first one does */
		tell_ways(w);
	return w->sender ? 0 : -1;
}

static uint32_t max_sessions(const struct worker *w)
{
	uint64_t n = worker_memory_max(w) / SESSION_MEMORY_BYTES;

	if (n < SESSIONS_MIN)
		n = SESSIONS_MIN;
	return n > SESSIONS_MAX ? SESSIONS_MAX : (uint32_t)n;
}

static struct online_share share_of(const struct worker_config *config)
{
	return (struct online_share){.index = config->worker_id, .count = config->options->workers};
}

static int open_replay(struct worker *w)
{
	const struct tcpcopy_options *o = w->options;
	uint32_t ports = (REPLAY_LAST_PORT - REPLAY_FIRST_PORT + 1) / o->workers;
	uint32_t first_port = REPLAY_FIRST_PORT + ports * w->config.worker_id;
	const struct replay_config config = {
		.transfers = o->transfers,
		.transfer_count = o->transfer_count,
		.client_pool = o->client_ranges,
		.client_pool_count = o->client_range_count,
		.key = w->config.key,
		.isn_secret = w->config.isn_secret,
		.isn_base = (uint32_t)(w->start_us / 4 * ISN_STARTS),
		.give_up_us = (uint64_t)o->give_up_s * 1000000,
		.keep_alive_us = (uint64_t)o->keep_alive_s * 1000000,
		.rtt_us = (uint64_t)o->rtt_ms * 1000,
		.rtt_auto = o->rtt_auto,
		.mss_bytes = (uint16_t)o->mss_bytes,
		.whole_connections_only = o->whole,
		.sample_ppm = o->sample_ppm,
		.sample_by_client = o->sample_by_client,
		.gradual_us = (uint64_t)o->gradual_s * 1000000,
		.rate_per_s = (uint32_t)worker_part(w, o->rate_per_s),
		.no_wait = o->no_wait,
		.without_intercept = o->without_intercept,
		.copies = o->copies,
		.port_shift = o->port_shift,
		.localhost_ip4 = o->localhost_ip4,
		.localhost_ip6 = o->localhost_ip6,
		.max_memory_bytes = worker_memory_max(w),
		.max_sessions = max_sessions(w),
		.first_port = (uint16_t)first_port,
		.last_port = (uint16_t)(first_port + ports - 1),
		.share = share_of(&w->config),
		.check_checksums = true,
		.capture_latency_us = w->config.capture_latency_us,
		.online_mtu_bytes = online_capture_mtu(w->captures),
	};

	w->replay = replay_new(&config, &worker_effects, w, clock_now_us());
	if (!w->replay)
		return -1;
	return replay_set_local_addresses(w->replay, w->addresses, w->address_count);
}

static int open_link(struct worker *w, size_t intercept, uint8_t connection)
{
	const struct intercept_address *a = &w->options->intercepts[intercept];
	const struct intercept_link_config config = {
		.name = a->text,
		.addresses = a->endpoints,
		.address_count = a->endpoint_count,
		.instance_id = w->config.instance_id,
		.worker_id = w->config.worker_id,
		.connection = connection,
	};
	struct worker_link *l = &w->links[w->link_count];

	l->intercept = intercept;
	l->socket = link_socket_new(w->base, &config, &worker_link_handlers, w, clock_now_us());
	if (!l->socket)
		return -1;
	w->link_count++;
	return 0;
}

/* All connections to an intercept stand side by side in w->links. */
static int open_group(struct worker *w, size_t intercept)
{
	struct intercept_link *links[LINK_GROUP_MAX];
	size_t count = w->options->link_connections;

	for (size_t i = 0; i < count; i++) {
		if (open_link(w, intercept, (uint8_t)i))
			return -1;
		links[i] = worker_link_at(w, w->link_count - 1);
	}
	w->groups[intercept] = link_group_new(links, count, max_sessions(w));
	if (!w->groups[intercept])
		return -1;
	w->group_count++;
	return 0;
}

static int open_links(struct worker *w)
{
	for (size_t i = 0; i < w->options->intercept_count; i++) {
		if (open_group(w, i))
			return -1;
	}
	return 0;
}

static int open_signals(struct worker *w)
{
	static const int numbers[WORKER_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

	for (size_t i = 0; i < WORKER_SIGNALS; i++) {
		w->signals[i] = evsignal_new(w->base, numbers[i], worker_on_signal, w);
		if (!w->signals[i] || event_add(w->signals[i], NULL) == -1)
			return -1;
	}
	return 0;
}

/* One of several: another thread says what is to be done. */
static int open_asked(struct worker *w)
{
	w->asked_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->asked_fd == -1)
		return -1;
	w->asked = event_new(w->base, w->asked_fd, EV_READ | EV_PERSIST, worker_on_asked, w);
	return w->asked ? event_add(w->asked, NULL) : -1;
}

static int open_events(struct worker *w)
{
	const struct timeval second = {.tv_sec = 1};

	/* A log into a pipe whose reader has gone must not end the copy. */
	signal(SIGPIPE, SIG_IGN);
	w->timer_us = UINT64_MAX;
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->timer_fd == -1)
		return -1;
	w->timer = event_new(w->base, w->timer_fd, EV_READ | EV_PERSIST, worker_on_timer, w);
	w->tick = event_new(w->base, -1, EV_PERSIST, worker_on_tick, w);
	if (!w->timer || !w->tick || event_add(w->timer, NULL) == -1 ||
	    event_add(w->tick, &second) == -1)
		return -1;
	if (worker_is_alone(w) ? open_signals(w) : open_asked(w))
		return -1;
	w->watch_fd = netdev_watch_open(NETDEV_WATCH_DEVICES);
	if (w->watch_fd == -1) {
		log_warn("changes of this host's addresses will not be noticed: %s",
			 strerror(errno));
		return 0;
	}
	w->watch =
		event_new(w->base, w->watch_fd, EV_READ | EV_PERSIST, worker_on_watch_readable, w);
	return w->watch ? event_add(w->watch, NULL) : -1;
}

struct worker *worker_open(const struct worker_config *config, char error[WORKER_ERROR_MAX])
{
	const struct online_share share = share_of(config);
	struct worker *w = calloc(1, sizeof(*w));

	snprintf(error, WORKER_ERROR_MAX, "no memory");
	if (!w)
		return NULL;
	w->config = *config;
	w->options = config->options;
	w->watch_fd = -1;
	w->asked_fd = -1;
	w->start_us = clock_now_us();
	w->are_groups_stale = true;
	w->addresses = calloc(WORKER_ADDRESSES_MAX, sizeof(*w->addresses));
	w->timer_fd = -1;
	w->base = event_base_new();
	if (!w->addresses || !w->base)
		goto fail;
	if (worker_read_addresses(w)) {
		snprintf(error, WORKER_ERROR_MAX, "cannot read this host's addresses: %s",
			 strerror(errno));
		goto fail;
	}
	if (open_sender(w, error))
		goto fail;
	w->captures = online_capture_open(w->base, w->options, &share, w->addresses,
					  w->address_count, worker_on_frame, w, error);
	if (!w->captures)
		goto fail;
	snprintf(error, WORKER_ERROR_MAX, "no memory");
	if (open_replay(w) || open_links(w) || open_events(w))
		goto fail;
	pace_init(&w->pace, (uint64_t)online_capture_timeout_ms(w->options->workers) * 1000);
	worker_refresh_mtu(w);
	worker_refresh_sender_fds(w);
	return w;
fail:
	worker_close(w);
	return NULL;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void worker_close(struct worker *w)
{
	if (!w)
		return;
	worker_forget_sender_fds(w);
	free_event(w->watch);
	if (w->watch_fd != -1)
		close(w->watch_fd);
	free_event(w->asked);
	if (w->asked_fd != -1)
		close(w->asked_fd);
	for (size_t i = 0; i < WORKER_SIGNALS; i++)
		free_event(w->signals[i]);
	free_event(w->tick);
	free_event(w->timer);
	if (w->timer_fd != -1)
		close(w->timer_fd);
	for (size_t i = 0; i < w->group_count; i++)
		link_group_free(w->groups[i]);
	for (size_t i = 0; i < w->link_count; i++)
		link_socket_free(w->links[i].socket);
	replay_free(w->replay);
	online_capture_close(w->captures);
	sender_close(w->sender);
	if (w->base)
		event_base_free(w->base);
	free(w->addresses);
	free(w);
}
