/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crew.c - see crew.h. A round: the workers are asked for their figures; each adds its own to the
 * sum, in its own thread under the lock, and the last one wakes the calling thread, which
 * reports. The lock is taken by a worker once a second, and by nobody while packets wait.
 */
#include "tcpcopy/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "tcpcopy/report_sum.h"

enum {
	CREW_SIGNALS = 4,
	TAG_MAX = 24,
	THREAD_NAME_MAX = 16, /* the kernel's */
};

struct member {
	struct crew *crew;
	struct worker *worker;
	unsigned id;
	pthread_t thread;
	bool is_started;
};

struct crew {
	const struct tcpcopy_options *options;
	struct member *members;
	size_t count;

	/* Of the calling thread. */
	struct event_base *base;
	struct event *signals[CREW_SIGNALS];
	struct event *tick;
	struct event *woken;
	int wake_fd;
	uint64_t ticks;
	bool is_asking;    /* a round is under way */
	bool is_log_asked; /* it ends in the log */
	bool has_failed;

	/* Of all threads, under the lock. */
	pthread_mutex_t lock;
	struct report_sum sum;
	unsigned ended; /* workers whose loop is over */
};

/* ---- in the threads of the workers ---- */

static void wake(struct crew *c)
{
	const uint64_t one = 1;

	(void)!write(c->wake_fd, &one, sizeof(one));
}

static void on_figures(void *ctx, const struct report_facts *facts)
{
	struct crew *c = ctx;
	bool is_last;

	pthread_mutex_lock(&c->lock);
	report_sum_add(&c->sum, facts);
	is_last = c->sum.added == c->count;
	pthread_mutex_unlock(&c->lock);
	if (is_last)
		wake(c);
}

static void *run_member(void *arg)
{
	struct member *m = arg;
	char text[TAG_MAX];

	snprintf(text, sizeof(text), "worker %u: ", m->id);
	log_tag_thread(text);
	snprintf(text, THREAD_NAME_MAX, "worker-%u", m->id);
	pthread_setname_np(pthread_self(), text);
	(void)worker_run(m->worker); /* whether it failed or was stopped, the crew knows */
	pthread_mutex_lock(&m->crew->lock);
	m->crew->ended++;
	pthread_mutex_unlock(&m->crew->lock);
	wake(m->crew);
	return NULL;
}

/* ---- in the calling thread ---- */

static void ask_figures(struct crew *c)
{
	if (c->is_asking)
		return;
	c->is_asking = true;
	pthread_mutex_lock(&c->lock);
	report_sum_begin(&c->sum);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->count; i++)
		worker_ask_figures(c->members[i].worker);
}

/* The sum is complete: nobody else touches it until it is begun anew. */
static void report(struct crew *c)
{
	c->is_asking = false;
	report_to_file(&c->sum.facts, c->options->stats_file);
	if (c->ticks == REPORT_NOTHING_AFTER_S)
		report_if_nothing(&c->sum.facts, c->options);
	if (c->is_log_asked)
		report_to_log(&c->sum.facts);
	c->is_log_asked = false;
}

static void on_woken(evutil_socket_t fd, short what, void *arg)
{
	struct crew *c = arg;
	uint64_t times;
	bool is_complete;

	(void)what;
	(void)!read(fd, &times, sizeof(times));
	pthread_mutex_lock(&c->lock);
	is_complete = c->is_asking && c->sum.added == c->count;
	c->has_failed = c->ended > 0; /* nobody has stopped it */
	pthread_mutex_unlock(&c->lock);
	if (is_complete)
		report(c);
	if (c->has_failed)
		event_base_loopbreak(c->base);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct crew *c = arg;

	(void)fd;
	(void)what;
	if (++c->ticks % REPORT_INTERVAL_S == 0)
		c->is_log_asked = true;
	ask_figures(c);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct crew *c = arg;

	(void)what;
	switch ((int)number) {
	case SIGHUP:
		if (log_reopen())
			log_warn("the log cannot be opened again: %s", strerror(errno));
		break;
	case SIGUSR1:
		c->is_log_asked = true;
		ask_figures(c);
		break;
	default:
		event_base_loopbreak(c->base);
		break;
	}
}

/* ---- opening ---- */

static int open_reporting(struct crew *c)
{
	static const int numbers[CREW_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	const struct timeval second = {.tv_sec = 1};

	if (report_sum_init(&c->sum, c->options->transfer_count, c->options->copies))
		return -1;
	c->base = event_base_new();
	c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!c->base || c->wake_fd == -1)
		return -1;
	c->woken = event_new(c->base, c->wake_fd, EV_READ | EV_PERSIST, on_woken, c);
	c->tick = event_new(c->base, -1, EV_PERSIST, on_tick, c);
	if (!c->woken || !c->tick || event_add(c->woken, NULL) || event_add(c->tick, &second))
		return -1;
	for (size_t i = 0; i < CREW_SIGNALS; i++) {
		c->signals[i] = evsignal_new(c->base, numbers[i], on_signal, c);
		if (!c->signals[i] || event_add(c->signals[i], NULL))
			return -1;
	}
	return 0;
}

static int open_members(struct crew *c, const struct worker_config *config,
			char error[WORKER_ERROR_MAX])
{
	for (size_t i = 0; i < c->options->workers; i++) {
		struct worker_config own = *config;
		struct member *m = &c->members[i];

		own.worker_id = (uint8_t)i;
		own.figures = on_figures;
		own.figures_ctx = c;
		*m = (struct member){.crew = c, .id = (unsigned)i};
		m->worker = worker_open(&own, error);
		if (!m->worker)
			return -1;
		c->count++;
	}
	return 0;
}

struct crew *crew_open(const struct worker_config *config, char error[WORKER_ERROR_MAX])
{
	struct crew *c = calloc(1, sizeof(*c));

	snprintf(error, WORKER_ERROR_MAX, "no memory");
	if (!c)
		return NULL;
	c->options = config->options;
	c->wake_fd = -1;
	pthread_mutex_init(&c->lock, NULL);
	c->members = calloc(c->options->workers, sizeof(*c->members));
	if (!c->members || (c->options->workers > 1 && open_reporting(c)) ||
	    open_members(c, config, error)) {
		crew_close(c);
		return NULL;
	}
	return c;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void crew_close(struct crew *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++)
		worker_close(c->members[i].worker);
	for (size_t i = 0; i < CREW_SIGNALS; i++)
		free_event(c->signals[i]);
	free_event(c->tick);
	free_event(c->woken);
	if (c->base)
		event_base_free(c->base);
	if (c->wake_fd != -1)
		close(c->wake_fd);
	report_sum_fini(&c->sum);
	pthread_mutex_destroy(&c->lock);
	free(c->members);
	free(c);
}

/* ---- running ---- */

/* Signals are for the calling thread alone: in another they would interrupt what a worker does. */
static int start_members(struct crew *c)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < c->count && !error; i++) {
		struct member *m = &c->members[i];

		error = pthread_create(&m->thread, NULL, run_member, m);
		m->is_started = !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		log_err("no thread for a worker: %s; give a smaller -j", strerror(error));
	return error ? -1 : 0;
}

static void stop_members(struct crew *c)
{
	for (size_t i = 0; i < c->count; i++)
		worker_stop(c->members[i].worker);
	for (size_t i = 0; i < c->count; i++) {
		if (c->members[i].is_started)
			pthread_join(c->members[i].thread, NULL);
	}
}

static int run_threads(struct crew *c)
{
	bool has_failed = start_members(c);

	if (!has_failed && event_base_dispatch(c->base)) {
		log_err("the event loop failed: %s", strerror(errno));
		has_failed = true;
	}
	report_ending();
	stop_members(c);
	/* Without other threads the figures are the last ones. */
	report_sum_begin(&c->sum);
	for (size_t i = 0; i < c->count; i++)
		worker_give_figures(c->members[i].worker);
	c->is_log_asked = true;
	report(c);
	return has_failed || c->has_failed ? -1 : 0;
}

int crew_run(struct crew *c)
{
	return c->count == 1 ? worker_run(c->members[0].worker) : run_threads(c);
}
