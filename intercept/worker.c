/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - see worker.h.
 *
 * The loop goes in turns. Ordinarily one begins when there is something to read. While the core asks for gathering it
 * begins when that time is over: the thread sleeps, whatever comes, and then asks once what there is. So a
 * busy time costs a wake-up in some milliseconds instead of one a packet and one a word of a peer.
 *
 * In a turn the links are read first and the captures last, when all events have been handled: the answer to a session
 * then finds it registered. Then all that has become of it is written, in one go a peer.
 */
#include "intercept/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <event2/event.h>

#include "common/capture.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/netdev.h"
#include "common/stats.h"
#include "common/too_big.h"
#include "intercept/host_check.h"
#include "intercept/link_server.h"
#include "intercept/report.h"
#include "intercept/response.h"

enum {
	DISPATCH_MAX = 256,     /* frames between two looks at the ring */
	DISPATCH_ROUNDS = 8,    /* of these, before others get their turn */
	FILTER_TEXT_MAX = 4096, /* what we add to -F */
	LOCAL_ADDRESSES_MAX = 32,
	SIGNALS = 4,
};

static_assert((int)WORKER_ERROR_MAX == (int)CAPTURE_ERROR_MAX &&
		      (int)WORKER_ERROR_MAX == (int)LINK_SERVER_ERROR_MAX,
	      "one buffer for all");

struct source {
	struct worker *worker;
	const char *device;
	struct capture *capture; /* NULL while the device is away */
	struct event *readable;
	uint64_t dropped_before; /* by captures of this device that were closed */
	uint64_t dropped_now;
	bool is_down; /* the log knows */
	bool is_due;  /* has frames to be read in this turn */
};

struct worker {
	const struct intercept_options *options;
	struct event_base *base;
	struct response *response;
	struct link_server *server;
	struct host_check host;
	char *filter; /* owned */
	struct source sources[INTERCEPT_DEVICES_MAX];
	struct event *core_timer;
	struct event *tick_timer;
	struct event *signals[SIGNALS];
	uint64_t gather_us; /* how long to sleep before the next turn; 0: until something comes */
	uint64_t core_timer_us; /* when core_timer fires; UINT64_MAX: not set */
	uint64_t now_us;        /* of the frames that are being read */
	uint64_t started_us;
	unsigned ticks;
	bool is_stopping;
	bool stats_failed; /* said once */
};

/* ---- timers ---- */

static struct timeval timeval_of(uint64_t us)
{
	return (struct timeval){.tv_sec = (time_t)(us / 1000000),
				.tv_usec = (suseconds_t)(us % 1000000)};
}

/* The core may want to be called earlier than before. */
static void arm_core_timer(struct worker *w, uint64_t now_us)
{
	uint64_t next_us = response_next_us(w->response);
	struct timeval in;

	if (next_us == w->core_timer_us)
		return;
	w->core_timer_us = next_us;
	if (next_us == UINT64_MAX) {
		evtimer_del(w->core_timer);
		return;
	}
	in = timeval_of(next_us > now_us ? next_us - now_us : 0);
	evtimer_add(w->core_timer, &in);
}

static void on_core_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->core_timer_us = UINT64_MAX;
	response_on_time(w->response, clock_now_us());
}

/* ---- captures ---- */

static void on_frame(void *ctx, const uint8_t *frame, size_t captured_len_bytes,
		     size_t wire_len_bytes, uint64_t wall_us)
{
	struct source *s = ctx;

	(void)wall_us;
	response_on_frame(s->worker->response, capture_link_type(s->capture), frame,
			  captured_len_bytes, wire_len_bytes, s->worker->now_us);
}

static void source_close(struct source *s)
{
	if (s->readable)
		event_free(s->readable);
	s->readable = NULL;
	capture_close(s->capture);
	s->capture = NULL;
	s->is_down = false;
	s->is_due = false;
	s->dropped_before += s->dropped_now;
	s->dropped_now = 0;
}

static void source_lost(struct source *s, const char *why)
{
	log_err("the capture on %s ended: %s; it is tried again every second", s->device, why);
	source_close(s);
}

/* True if there may be more. */
static bool read_source(struct source *s)
{
	for (int i = 0; s->capture && i < DISPATCH_ROUNDS; i++) {
		int n = capture_dispatch(s->capture, DISPATCH_MAX, on_frame, s);

		if (n < 0)
			source_lost(s, capture_error(s->capture));
		if (n < DISPATCH_MAX)
			return false;
	}
	return s->capture;
}

static void on_capture(evutil_socket_t fd, short what, void *arg)
{
	struct source *s = arg;

	(void)fd;
	(void)what;
	s->is_due = true;
}

static int source_open(struct source *s, char error[WORKER_ERROR_MAX])
{
	struct worker *w = s->worker;
	const struct capture_config config = {
		.device = s->device,
		.filter = w->filter,
		.snaplen_bytes = WORKER_SNAPLEN_BYTES,
		.buffer_bytes = WORKER_CAPTURE_BUFFER_BYTES,
		.immediate = true,
		.ignore_outgoing = true,
	};

	s->capture = capture_open(&config, error);
	if (!s->capture)
		return -1;
	s->readable =
		event_new(w->base, capture_fd(s->capture), EV_READ | EV_PERSIST, on_capture, s);
	if (s->readable && event_add(s->readable, NULL) == 0)
		return 0;
	snprintf(error, WORKER_ERROR_MAX, "out of memory");
	source_close(s);
	return -1;
}

static void look_at_device(struct source *s)
{
	enum capture_state state = capture_state(s->capture);
	bool is_down = state == CAPTURE_DEVICE_DOWN;

	if (is_down && !s->is_down)
		log_warn("device %s is down: no response is captured on it until \"ip link set dev "
			 "%s up\"",
			 s->device, s->device);
	else if (state == CAPTURE_LISTENS && s->is_down)
		log_info("device %s is up: capturing on it goes on", s->device);
	s->is_down = is_down;
	if (state == CAPTURE_DEVICE_GONE)
		source_lost(s, "the device is gone, or is another one now");
}

static void reopen_sources(struct worker *w)
{
	char error[WORKER_ERROR_MAX];

	for (size_t i = 0; i < w->options->device_count; i++) {
		struct source *s = &w->sources[i];

		if (s->capture)
			look_at_device(s);
		if (s->capture)
			continue;
		if (source_open(s, error) == 0)
			log_plain(LOG_LEVEL_INFO, "capturing on %s again", s->device);
	}
}

/*
 * -F, and what routers say of packets that are too big, which goes first (too_big.h); without what tcpcopy sends to us: on a shared device the link would otherwise be captured,
 * parsed and found to be nobody's. Only packets to our own addresses: a faked client may have our
 * port number. NULL without memory.
 */
static char *make_filter(const struct intercept_options *o)
{
	struct ip_addr addresses[LOCAL_ADDRESSES_MAX];
	int count = 1, used;
	bool is_bounded;
	char *text = malloc(strlen(o->filter) + FILTER_TEXT_MAX);

	if (!text)
		return NULL;
	addresses[0] = o->bind;
	if (ip_addr_is_unspecified(&o->bind))
		count = netdev_local_addresses(NULL, addresses, LOCAL_ADDRESSES_MAX);
	is_bounded = count >= 1 && count <= LOCAL_ADDRESSES_MAX;
	used = sprintf(text, TOO_BIG_FILTER " or ((%s)", o->filter);
	if (is_bounded)
		used += sprintf(text + used, " and not (tcp dst port %u and (", (unsigned)o->port);
	for (int i = 0; is_bounded && i < count; i++) {
		char addr[IP_ADDR_TEXT_MAX];

		used += sprintf(text + used, "%sdst host %s", i ? " or " : "",
				ip_addr_format(addr, sizeof(addr), &addresses[i]));
	}
	strcpy(text + used, is_bounded ? ")))" : ")");
	return text;
}

/* ---- reports ---- */

static void get_facts(struct worker *w, struct report_facts *facts)
{
	response_get_counters(w->response, &facts->counters);
	facts->memory_bytes = response_memory(w->response);
	facts->uptime_s = (clock_now_us() - w->started_us) / 1000000;
}

static void log_report(struct worker *w, const char *prefix)
{
	struct report_facts facts;
	char line[REPORT_LINE_MAX];

	get_facts(w, &facts);
	log_plain(LOG_LEVEL_INFO, "%s%s", prefix, report_line(line, sizeof(line), &facts));
}

static void write_stats(struct worker *w)
{
	struct report_facts facts;
	struct stats_json j;

	if (!w->options->stats_file)
		return;
	get_facts(w, &facts);
	stats_json_init(&j);
	report_json(&facts, &j);
	if (j.failed || stats_write_file(w->options->stats_file, &j)) {
		if (!w->stats_failed)
			log_err("the statistics cannot be written to %s: %s",
				w->options->stats_file, strerror(j.failed ? ENOMEM : errno));
		w->stats_failed = true;
	} else {
		w->stats_failed = false;
	}
	stats_json_fini(&j);
}

static void ask_kernel(struct worker *w)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < w->options->device_count; i++) {
		struct source *s = &w->sources[i];
		struct capture_stats stats;

		if (s->capture && capture_get_stats(s->capture, &stats) == 0)
			s->dropped_now = stats.dropped;
		dropped += s->dropped_before + s->dropped_now;
	}
	response_set_kernel_dropped(w->response, dropped);
}

/* Once a second. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	ask_kernel(w);
	reopen_sources(w);
	link_server_on_tick(w->server);
	write_stats(w);
	if (++w->ticks % WORKER_REPORT_S == 0)
		log_report(w, "");
}

/* ---- effects of the core ---- */

static void wants_write(void *ctx, unsigned peer)
{
	struct worker *w = ctx;

	link_server_write(w->server, peer);
}

static void close_peer(void *ctx, unsigned peer)
{
	struct worker *w = ctx;

	link_server_close_peer(w->server, peer);
}

static void notice(void *ctx, enum response_notice what, unsigned peer, const char *text)
{
	struct worker *w = ctx;
	const char *name = link_server_peer_name(w->server, peer);
	const struct wire_hello *hello = response_hello(w->response, peer);

	switch (what) {
	case RESPONSE_NOTICE_UP:
		log_info("tcpcopy %s is connected (instance %016llx, worker %u, connection %u)",
			 name, (unsigned long long)hello->instance_id, (unsigned)hello->worker_id,
			 (unsigned)hello->connection);
		break;
	case RESPONSE_NOTICE_GONE:
		log_info("the connection of %s ends: %s", name, text);
		break;
	case RESPONSE_NOTICE_ROUTES_FULL:
		log_warn("tcpcopy %s: %s", name, text);
		break;
	}
}

static void registered(void *ctx, unsigned peer, const struct tuple *response)
{
	struct worker *w = ctx;
	struct ip_addr from = link_server_peer_address(w->server, peer);

	host_check_registration(&w->host, response, &from);
}

static const struct response_effects effects = {
	.wants_write = wants_write,
	.close = close_peer,
	.notice = notice,
	.registered = registered,
};

/* ---- signals ---- */

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct worker *w = arg;

	(void)what;
	switch (number) {
	case SIGHUP:
		if (log_reopen())
			log_err("the log cannot be opened again: %s", strerror(errno));
		break;
	case SIGUSR1:
		ask_kernel(w);
		log_report(w, "now: ");
		break;
	default:
		w->is_stopping = true;
		break;
	}
}

static int add_signals(struct worker *w)
{
	static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < SIGNALS; i++) {
		w->signals[i] = evsignal_new(w->base, numbers[i], on_signal, w);
		if (!w->signals[i] || evsignal_add(w->signals[i], NULL))
			return -1;
	}
	return 0;
}

/* ---- the whole ---- */

static struct response *new_response(struct worker *w)
{
	struct response_config config = {
		.limits = {.routes_max = ROUTER_ROUTES_MAX,
			   .peer_routes_max = ROUTER_PEER_ROUTES_MAX},
		.batch_records = w->options->batch_records,
		.translations = w->options->translations,
		.translation_count = w->options->translation_count,
	};

	if (getrandom(&config.key, sizeof(config.key), 0) != (ssize_t)sizeof(config.key) ||
	    getrandom(&config.instance_id, sizeof(config.instance_id), 0) !=
		    (ssize_t)sizeof(config.instance_id))
		return NULL;
	return response_new(&config, &effects, w, clock_now_us());
}

/* What needs no more than memory. */
static int make_parts(struct worker *w)
{
	const struct timeval second = {.tv_sec = 1};

	w->base = event_base_new();
	if (!w->base)
		return -1;
	w->response = new_response(w);
	w->filter = make_filter(w->options);
	w->core_timer = evtimer_new(w->base, on_core_timer, w);
	w->tick_timer = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	if (!w->response || !w->filter || !w->core_timer || !w->tick_timer)
		return -1;
	if (event_add(w->tick_timer, &second))
		return -1;
	return add_signals(w);
}

static int open_sockets(struct worker *w, char error[WORKER_ERROR_MAX])
{
	const struct link_server_config link = {.bind = w->options->bind, .port = w->options->port};

	w->server = link_server_open(w->base, &link, error);
	if (!w->server)
		return -1;
	for (size_t i = 0; i < w->options->device_count; i++) {
		w->sources[i] = (struct source){.worker = w, .device = w->options->devices[i]};
		if (source_open(&w->sources[i], error))
			return -1;
	}
	if (link_server_start(w->server, w->response) == 0)
		return 0;
	snprintf(error, WORKER_ERROR_MAX, "out of memory");
	return -1;
}

struct worker *worker_open(const struct intercept_options *options, char error[WORKER_ERROR_MAX])
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w) {
		snprintf(error, WORKER_ERROR_MAX, "out of memory");
		return NULL;
	}
	w->options = options;
	w->started_us = clock_now_us();
	w->core_timer_us = UINT64_MAX;
	if (make_parts(w)) {
		snprintf(error, WORKER_ERROR_MAX, "out of memory or descriptors");
		goto fail;
	}
	if (open_sockets(w, error))
		goto fail;
	host_check_start(&w->host, options);
	return w;
fail:
	worker_close(w);
	return NULL;
}

/* Time passes and whatever comes waits. A signal may end it sooner, for which nobody is the worse. */
static void gather(const struct worker *w)
{
	const struct timespec time = {.tv_nsec = (long)w->gather_us * 1000};

	static_assert(RESPONSE_GATHER_MAX_US < 1000000, "less than a second");
	nanosleep(&time, NULL);
}

/* When the events of a turn have been handled. */
static void end_turn(struct worker *w)
{
	bool has_more = false;

	w->now_us = clock_now_us();
	for (size_t i = 0; i < w->options->device_count; i++) {
		if (w->sources[i].is_due)
			has_more |= read_source(&w->sources[i]);
		w->sources[i].is_due = false;
	}
	response_flush(w->response, w->now_us);
	w->gather_us = response_gather_us(w->response, w->now_us);
	if (has_more)
		w->gather_us = 0; /* a flood would fill the ring meanwhile */
	arm_core_timer(w, w->now_us);
}

int worker_run(struct worker *w)
{
	int result = 0;

	log_plain(LOG_LEVEL_INFO, "capturing on %s%s, listening on port %u", w->options->devices[0],
		  w->options->device_count > 1 ? " and others" : "", (unsigned)w->options->port);
	while (!w->is_stopping && result >= 0) {
		if (w->gather_us > 0)
			gather(w);
		result = event_base_loop(w->base,
					 EVLOOP_ONCE | (w->gather_us > 0 ? EVLOOP_NONBLOCK : 0));
		end_turn(w);
	}
	response_shutdown(w->response, clock_now_us());
	ask_kernel(w);
	log_report(w, "at the end: ");
	write_stats(w);
	return result < 0 ? -1 : 0;
}

void worker_close(struct worker *w)
{
	if (!w)
		return;
	for (int i = 0; i < SIGNALS; i++)
		if (w->signals[i])
			event_free(w->signals[i]);
	for (size_t i = 0; i < INTERCEPT_DEVICES_MAX; i++)
		source_close(&w->sources[i]);
	link_server_close(w->server);
	if (w->tick_timer)
		event_free(w->tick_timer);
	if (w->core_timer)
		event_free(w->core_timer);
	response_free(w->response);
	if (w->base)
		event_base_free(w->base);
	free(w->filter);
	free(w);
}
