/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - see worker.h.
 *
 * A turn of the loop: libevent runs the call-backs of all descriptors that are ready; they only
 * feed replay and the links. Then, once, worker_end_turn lets replay say what is to be sent, hands
 * registrations to the links and only after them the packets to the kernel, so that intercept
 * usually knows a session before its SYN-ACK comes.
 */
#include "tcpcopy/worker_private.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "tcpcopy/report_sum.h"

enum {
	RESYNC_SLICE_MAX = 2048, /* sessions a turn and link */
	BLOCKED_RETRY_US = 1000,
	LINK_REMINDER_S = 60, /* the same trouble of a link is not told again sooner */
	DROPS_REMINDER_US = 60000000,
	LINK_FLAPS_TOLD = 5,    /* and so often in a row it is */
	LINK_TEXT_MORE = 64,    /* behind its name */
	SHUTDOWN_WAIT_MS = 500, /* for a sender that takes nothing */
};

unsigned worker_links_up(const struct worker *w)
{
	unsigned up = 0;

	for (size_t i = 0; i < w->link_count; i++)
		up += intercept_link_state(worker_link_at(w, i)) == INTERCEPT_LINK_UP;
	return up;
}

static void write_links(struct worker *w, uint64_t now_us)
{
	for (size_t i = 0; i < w->link_count; i++)
		link_socket_write(w->links[i].socket, now_us);
	w->batched = 0;
}

/* --- effects of replay --- */

/* At the end there is no later turn: waits a bounded time for room. */
static int send_at_shutdown(struct worker *w, const struct segment *segment)
{
	while (sender_send(w->sender, segment) == -1) {
		if (w->shutdown_wait_ms <= 0)
			return -1;
		usleep(1000);
		w->shutdown_wait_ms--;
		sender_flush(w->sender);
	}
	return 0;
}

static int effect_emit(void *ctx, const struct segment *segment)
{
	struct worker *w = ctx;
	unsigned packets = 1;

	if (w->is_stopping)
		return send_at_shutdown(w, segment);
	if (segment->gso_size_bytes)
		packets += segment->payload_len_bytes / segment->gso_size_bytes;
	/* The sender flushes by itself when its batch is full: registrations go before. */
	w->batched += packets;
	if (w->batched >= SENDER_BATCH_MAX)
		write_links(w, clock_now_us());
	return sender_send(w->sender, segment);
}

static void effect_register(void *ctx, uint32_t session_id, const struct tuple *response)
{
	struct worker *w = ctx;

	for (size_t i = 0; i < w->group_count; i++)
		link_group_register(w->groups[i], session_id, response);
}

static void effect_unregister(void *ctx, uint32_t session_id)
{
	struct worker *w = ctx;

	for (size_t i = 0; i < w->group_count; i++)
		link_group_unregister(w->groups[i], session_id);
}

static void effect_urgency(void *ctx, bool urgent)
{
	struct worker *w = ctx;

	w->is_urgent = urgent;
	for (size_t i = 0; i < w->link_count; i++)
		intercept_link_urgency(worker_link_at(w, i), urgent);
}

static void effect_notice(void *ctx, enum replay_notice notice, size_t target)
{
	struct worker *w = ctx;
	const struct transfer *transfer = &w->options->transfers[target];
	char text[ENDPOINT_TEXT_MAX], line[DIAGNOSIS_LINE_MAX];
	enum sender_mode mode;

	worker_target_text(w, target, text);
	switch (notice) {
	case REPLAY_NOTICE_PAUSED:
		log_warn("the copy to %s pauses: 16 SYNs in a row are unanswered; one a second "
			 "goes on trying",
			 text);
		w->is_diagnosis_due = true;
		w->is_target_due[target] = true;
		break;
	case REPLAY_NOTICE_UNANSWERED:
		w->is_diagnosis_due = true;
		w->is_target_due[target] = true;
		break;
	case REPLAY_NOTICE_RESUMED:
		mode = sender_mode_of(w->sender, &transfer->target.addr, NULL);
		log_info("%s answers: the copy goes on, sending by %s", text,
			 mode == SENDER_IP ? "ip" : "link");
		break;
	case REPLAY_NOTICE_TRY_IP:
		/* The sender logs what has moved, here and below. */
		sender_try(w->sender, &transfer->target.addr, SENDER_IP,
			   "the first SYNs are unanswered");
		break;
	case REPLAY_NOTICE_TRY_LINK:
		sender_try(w->sender, &transfer->target.addr, SENDER_LINK,
			   "ip does no better; both take turns until an answer comes");
		break;
	case REPLAY_NOTICE_REFUSED:
		log_warn("%s", diagnosis_refused_text(line, sizeof(line), transfer));
		break;
	case REPLAY_NOTICE_TABLE_FULL:
		log_warn("sessions are at their limit, new ones to %s are not copied: raise -m",
			 text);
		break;
	case REPLAY_NOTICE_MEMORY:
		log_warn("the memory of -m %u is used up: the largest backlogs are shed, and no "
			 "session begins above "
			 "nine tenths of it; raise -m, or look why the target does not keep up",
			 w->options->max_memory_mb);
		break;
	case REPLAY_NOTICE_MUTE:
		log_warn("%s", diagnosis_mute_text(line, sizeof(line), transfer));
		break;
	case REPLAY_NOTICE_FAKED_CLIENT:
		log_warn("%s", diagnosis_faked_client_text(line, sizeof(line), transfer));
		break;
	case REPLAY_NOTICE_ENCRYPTED:
		log_warn("%s", diagnosis_encrypted_text(line, sizeof(line), transfer));
		break;
	case REPLAY_NOTICE_JOIN_REFUSED:
		log_warn("%s", diagnosis_join_refused_text(line, sizeof(line), transfer));
		break;
	case REPLAY_NOTICE_SYNS_ONLY:
		log_warn("%s", diagnosis_syns_only_text(line, sizeof(line), transfer));
		break;
	case REPLAY_NOTICE_BRIEF_JOINS:
		log_warn("%s", diagnosis_brief_joins_text(line, sizeof(line), transfer));
		break;
	case REPLAY_NOTICE_FRAGMENT:
		log_warn("clients' packets arrive in IP fragments, which cannot be copied "
			 "(fragment in "
			 "the ledger, then capture-gap): something on their way splits them; "
			 "smaller "
			 "segments pass it whole, for example \"ip route change default via "
			 "GATEWAY advmss "
			 "1220\" on this host");
		break;
	case REPLAY_NOTICE_CUT:
		log_warn("%s", diagnosis_cut_text());
		break;
	case REPLAY_NOTICE_MIRROR_FRAGMENTS:
		log_warn("%s", diagnosis_fragments_text());
		break;
	case REPLAY_NOTICE_PATH_MTU:
	case REPLAY_NOTICE_BLACK_HOLE:
		w->is_path_due = true; /* replay is asked for the value when it has returned */
		w->paths[target].is_due = true;
		w->paths[target].is_black_hole = notice == REPLAY_NOTICE_BLACK_HOLE;
		break;
	case REPLAY_NOTICES:
		break;
	}
}

const struct replay_effects worker_effects = {
	.emit = effect_emit,
	.register_session = effect_register,
	.unregister_session = effect_unregister,
	.urgency = effect_urgency,
	.notice = effect_notice,
};

/* --- what the event loop calls --- */

void worker_on_frame(void *ctx, int link_type, const uint8_t *frame, size_t captured_len_bytes,
		     size_t wire_len_bytes, uint64_t now_us)
{
	struct worker *w = ctx;

	w->captured_us = now_us;
	replay_on_frame(w->replay, link_type, frame, captured_len_bytes, wire_len_bytes, now_us);
}

static void on_link_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	struct worker *w = ctx;

	replay_on_record(w->replay, record, now_us);
}

static void on_link_path_mtu(void *ctx, const struct wire_path_mtu *m, uint64_t now_us)
{
	struct worker *w = ctx;

	replay_on_path_mtu(w->replay, m, now_us);
}

static void on_link_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	struct worker *w = ctx;

	replay_on_register_refused(w->replay, session_id, now_us);
}

static struct worker_link *worker_link_of(struct worker *w, const struct intercept_link *link)
{
	for (size_t i = 0; i < w->link_count; i++) {
		if (worker_link_at(w, i) == link)
			return &w->links[i];
	}
	return NULL;
}

/* What the log calls a link: "NAME", or "NAME, connection 2 of 4". */
static const char *link_text(char *buf, size_t size, const struct worker *w,
			     const struct worker_link *l)
{
	const char *name = intercept_link_name(link_socket_link(l->socket));
	size_t of = w->options->link_connections;

	if (of == 1)
		return name;
	snprintf(buf, size, "%s, connection %zu of %zu", name, (size_t)(l - w->links) % of + 1, of);
	return buf;
}

/* Whether the log knows of this trouble already, from one of the connections to this intercept. */
static bool is_told(const struct worker *w, const struct worker_link *l, const char *why,
		    uint64_t now_us)
{
	for (size_t i = 0; i < w->link_count; i++) {
		const struct worker_link *other = &w->links[i];

		if (other->intercept == l->intercept && strcmp(other->why, why) == 0 &&
		    now_us - other->told_us < (uint64_t)LINK_REMINDER_S * 1000000)
			return true;
	}
	return false;
}

/* A link that comes and goes is told of a few times, then once a minute. */
static void on_link_up(struct worker *w, struct worker_link *l, const char *at, uint64_t now_us)
{
	char text[INTERCEPT_LINK_NAME_MAX + LINK_TEXT_MORE];
	bool is_steady = now_us - l->up_us >= (uint64_t)LINK_REMINDER_S * 1000000;

	l->flaps = is_steady ? 0 : l->flaps + 1;
	l->up_us = now_us;
	if (l->flaps >= LINK_FLAPS_TOLD && !l->is_down_told)
		return;
	log_info("connected to intercept %s (%s)", link_text(text, sizeof(text), w, l), at);
	l->is_down_told = false;
	if (l->flaps < LINK_FLAPS_TOLD)
		l->why[0] = '\0';
}

/* Trouble is told when it begins and when it changes, then once a minute. */
static void on_link_state(void *ctx, struct intercept_link *link, enum intercept_link_state state,
			  const char *why, uint64_t now_us)
{
	struct worker *w = ctx;
	struct worker_link *l = worker_link_of(w, link);
	char at[ENDPOINT_TEXT_MAX], text[INTERCEPT_LINK_NAME_MAX + LINK_TEXT_MORE];

	link_group_on_state(w->groups[l->intercept], link, state, now_us);
	w->are_groups_stale = true;
	endpoint_format(at, sizeof(at), intercept_link_address(link));
	if (state == INTERCEPT_LINK_UP) {
		on_link_up(w, l, at, now_us);
		return;
	}
	if (state != INTERCEPT_LINK_IDLE || !*why || is_told(w, l, why, now_us))
		return;
	snprintf(l->why, sizeof(l->why), "%s", why);
	l->told_us = now_us;
	l->is_down_told = true;
	log_warn("link to intercept %s: %s; trying again", link_text(text, sizeof(text), w, l),
		 why);
}

const struct link_socket_handlers worker_link_handlers = {
	.record = on_link_record,
	.path_mtu = on_link_path_mtu,
	.refused = on_link_refused,
	.link_state = on_link_state,
};

/* Wakes the loop: worker_end_turn does what is due. */
void worker_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t expirations;

	(void)what;
	if (read(fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		w->timer_us = UINT64_MAX;
}

static void on_sender_readable(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	sender_on_readable(w->sender, clock_now_us());
	worker_refresh_mtu(w); /* before the next packet leaves */
}

void worker_on_watch_readable(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)what;
	netdev_watch_drain(fd);
	w->addresses_stale = true; /* looked at by the tick: changes come in showers */
}

void worker_on_signal(evutil_socket_t number, short what, void *arg)
{
	struct worker *w = arg;

	(void)what;
	switch ((int)number) {
	case SIGHUP:
		if (log_reopen())
			log_warn("the log cannot be opened again: %s", strerror(errno));
		break;
	case SIGUSR1:
		worker_log_report(w, clock_now_us());
		break;
	default:
		w->is_stopping = true;
		break;
	}
}

static void ask(struct worker *w, atomic_bool *what)
{
	const uint64_t one = 1;

	atomic_store(what, true);
	/* It cannot fail: nobody writes 2^64 times before it is read. */
	(void)!write(w->asked_fd, &one, sizeof(one));
}

void worker_stop(struct worker *w)
{
	ask(w, &w->is_asked_to_stop);
}

void worker_ask_figures(struct worker *w)
{
	ask(w, &w->is_asked_for_figures);
}

void worker_on_asked(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t times;

	(void)what;
	(void)!read(fd, &times, sizeof(times));
	if (atomic_exchange(&w->is_asked_to_stop, false))
		w->is_stopping = true;
	if (atomic_exchange(&w->is_asked_for_figures, false))
		worker_give_figures(w);
}

/* --- once a second --- */

int worker_read_addresses(struct worker *w)
{
	int count = netdev_local_addresses(NULL, w->addresses, WORKER_ADDRESSES_MAX);

	if (count < 0)
		return -1;
	if (count > WORKER_ADDRESSES_MAX)
		count = WORKER_ADDRESSES_MAX;
	w->address_count = 0;
	for (int i = 0; i < count; i++) {
		if (online_capture_counts(&w->addresses[i]))
			w->addresses[w->address_count++] = w->addresses[i];
	}
	return 0;
}

static void refresh_addresses(struct worker *w)
{
	w->addresses_stale = false;
	if (worker_read_addresses(w))
		return;
	if (replay_set_local_addresses(w->replay, w->addresses, w->address_count))
		w->addresses_stale = true; /* no memory now; the next tick tries again */
	online_capture_on_change(w->captures, w->addresses, w->address_count);
	replay_set_online_mtu(w->replay, online_capture_mtu(w->captures));
}

void worker_refresh_mtu(struct worker *w)
{
	for (size_t i = 0; i < w->options->transfer_count; i++) {
		const struct ip_addr *target = &w->options->transfers[i].target.addr;
		int mtu = sender_mtu(w->sender, target), most = (int)w->options->mtu_bytes;

		replay_set_cutting(w->replay, i, sender_cuts(w->sender, target));
		if (most && most < mtu)
			mtu = most;
		if (mtu == w->mtu[i])
			continue;
		w->mtu[i] = mtu;
		replay_set_mtu(w->replay, i, mtu);
	}
}

void worker_forget_sender_fds(struct worker *w)
{
	for (size_t i = 0; i < w->sender_fd_count; i++) {
		if (w->sender_events[i])
			event_free(w->sender_events[i]);
		w->sender_events[i] = NULL;
	}
	w->sender_fd_count = 0;
}

void worker_refresh_sender_fds(struct worker *w)
{
	int fds[WORKER_SENDER_FDS_MAX];
	size_t count = sender_poll_fds(w->sender, fds, WORKER_SENDER_FDS_MAX);

	if (count == w->sender_fd_count && memcmp(fds, w->sender_fds, count * sizeof(fds[0])) == 0)
		return;
	worker_forget_sender_fds(w);
	for (size_t i = 0; i < count; i++) {
		struct event *e =
			event_new(w->base, fds[i], EV_READ | EV_PERSIST, on_sender_readable, w);

		if (e && event_add(e, NULL) == -1) {
			event_free(e);
			e = NULL;
		}
		w->sender_events[i] = e;
		w->sender_fds[i] = fds[i];
	}
	w->sender_fd_count = count;
}

/* What the kernel could not keep for us is missing at the target, and looks like a gap of the client's. */
static void tell_kernel_drops(struct worker *w, uint64_t now_us)
{
	struct capture_stats stats;

	online_capture_get_stats(w->captures, &stats);
	if (stats.dropped == w->kernel_drops_told ||
	    (w->kernel_drops_told && now_us < w->kernel_drops_told_us + DROPS_REMINDER_US))
		return;
	log_warn("the kernel dropped %" PRIu64
		 " captured packets, as tcpcopy was too late for them: what "
		 "they said is missing in the copy; give a larger -B, or copy less (-r)",
		 stats.dropped - w->kernel_drops_told);
	w->kernel_drops_told = stats.dropped;
	w->kernel_drops_told_us = now_us;
}

void worker_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t now_us = clock_now_us();

	(void)fd;
	(void)what;
	sender_get_stats(w->sender, &w->send_history[w->ticks++ % WORKER_SEND_HISTORY]);
	sender_on_tick(w->sender, now_us);
	if (w->config.worker_id == 0)
		worker_watch_firewall(w);
	if (w->addresses_stale)
		refresh_addresses(w);
	online_capture_on_tick(w->captures);
	tell_kernel_drops(w, now_us);
	worker_refresh_mtu(w);
	worker_refresh_sender_fds(w);
	if (!worker_is_alone(w))
		return;
	if (w->ticks == REPORT_NOTHING_AFTER_S)
		worker_report_if_nothing(w, now_us);
	worker_write_stats(w, now_us);
	if (w->ticks % REPORT_INTERVAL_S == 0)
		worker_log_report(w, now_us);
}

/* --- a turn of the loop --- */

struct resync {
	struct link_group *group;
	size_t connection;
};

static void resync_session(void *ctx, uint32_t session_id, const struct tuple *response)
{
	const struct resync *r = ctx;

	link_group_resync(r->group, r->connection, session_id, response);
}

static void resync_links(struct worker *w)
{
	for (size_t i = 0; i < w->link_count; i++) {
		struct intercept_link *l = worker_link_at(w, i);
		struct resync resync = {.group = w->groups[w->links[i].intercept],
					.connection = i % w->options->link_connections};
		size_t room = intercept_link_resync_room(l);

		if (!room)
			continue;
		if (room > RESYNC_SLICE_MAX)
			room = RESYNC_SLICE_MAX;
		if (!replay_each_session(w->replay, intercept_link_resync_cursor(l), room,
					 resync_session, &resync))
			intercept_link_resync_done(l);
	}
}

/* Not in every turn: only when links have come or gone, or have stayed away for too long. */
static void run_groups(struct worker *w, uint64_t now_us)
{
	unsigned served = 0;

	w->are_groups_stale = false;
	w->groups_due_us = UINT64_MAX;
	for (size_t i = 0; i < w->group_count; i++) {
		uint64_t due_us;

		link_group_on_time(w->groups[i], now_us);
		served += link_group_served(w->groups[i]);
		due_us = link_group_next_us(w->groups[i]);
		if (due_us < w->groups_due_us)
			w->groups_due_us = due_us;
	}
	if (served != w->served_told) {
		w->served_told = served;
		replay_on_links(w->replay, served, now_us);
	}
}

static void run_links(struct worker *w, uint64_t now_us)
{
	for (size_t i = 0; i < w->link_count; i++) {
		if (now_us >= intercept_link_next_us(worker_link_at(w, i)))
			intercept_link_on_time(worker_link_at(w, i), now_us);
	}
	if (w->are_groups_stale || now_us >= w->groups_due_us)
		run_groups(w, now_us);
}

/* When something is due next without any descriptor becoming ready. */
static uint64_t next_due_us(const struct worker *w, uint64_t now_us)
{
	uint64_t due_us = replay_next_us(w->replay);

	if (replay_is_blocked(w->replay) && now_us + BLOCKED_RETRY_US < due_us)
		due_us = now_us + BLOCKED_RETRY_US;
	for (size_t i = 0; i < w->link_count; i++) {
		uint64_t link_us = intercept_link_next_us(worker_link_at(w, i));

		if (intercept_link_resync_room(worker_link_at(w, i)))
			link_us = now_us;
		if (link_us < due_us)
			due_us = link_us;
	}
	return w->groups_due_us < due_us ? w->groups_due_us : due_us;
}

/* A timer that fires too early costs less than setting it anew each time that it moves back. */
static void set_timer(struct worker *w, uint64_t now_us)
{
	uint64_t due_us = next_due_us(w, now_us);
	struct itimerspec at = {0};

	if (w->is_riding)
		due_us = pace_wake_us(&w->pace, due_us, now_us);
	if (due_us >= w->timer_us)
		return;
	w->timer_us = due_us;
	if (due_us <= now_us)
		due_us = now_us + 1; /* a time of zero would disarm it */
	at.it_value.tv_sec = (time_t)(due_us / 1000000);
	at.it_value.tv_nsec = (long)(due_us % 1000000) * 1000;
	timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* The neighbour on the way to a silent target may have another MAC now. */
static void ask_about_silence(struct worker *w, uint64_t now_us)
{
	uint64_t doubts = replay_take_doubts(w->replay);

	for (size_t i = 0; doubts != 0; i++, doubts >>= 1)
		if (doubts & 1)
			sender_doubt(w->sender, &w->options->transfers[i].target.addr, now_us);
}

/* Who is late wants its records at once, who found the sender full its timer. */
static void follow_pace(struct worker *w, uint64_t now_us)
{
	bool rides;

	if (w->captured_us > w->pace.captured_us)
		pace_on_capture(&w->pace, w->captured_us);
	rides = pace_is_steady(&w->pace, now_us) && !w->is_urgent && !replay_is_blocked(w->replay);
	if (rides == w->is_riding)
		return;
	w->is_riding = rides;
	for (size_t i = 0; i < w->link_count; i++)
		link_socket_watch(w->links[i].socket, !rides, now_us);
}

/* Not if the event loop has done so. */
static void read_links(struct worker *w, uint64_t now_us)
{
	for (size_t i = 0; w->is_riding && i < w->link_count; i++)
		link_socket_read(w->links[i].socket, now_us);
}

static void worker_end_turn(struct worker *w)
{
	uint64_t now_us = clock_now_us();

	read_links(w, now_us);
	run_links(w, now_us);
	if (now_us >= replay_next_us(w->replay))
		replay_on_time(w->replay, now_us);
	replay_end_batch(w->replay, now_us);
	resync_links(w);
	write_links(w, now_us);
	sender_flush(w->sender);
	ask_about_silence(w, now_us);
	if (w->is_diagnosis_due)
		worker_diagnose(w, now_us);
	if (w->is_path_due)
		worker_tell_paths(w);
	follow_pace(w, now_us);
	set_timer(w, now_us);
}

static void worker_shutdown(struct worker *w)
{
	uint64_t now_us = clock_now_us();

	if (worker_is_alone(w))
		report_ending();
	w->is_stopping = true;
	w->shutdown_wait_ms = SHUTDOWN_WAIT_MS;
	replay_shutdown(w->replay, now_us);
	write_links(w, now_us);
	sender_flush(w->sender);
	if (!worker_is_alone(w))
		return;
	worker_log_report(w, now_us);
	worker_write_stats(w, now_us);
}

int worker_run(struct worker *w)
{
	int rc = 0;

	worker_end_turn(w);
	while (!w->is_stopping && rc == 0) {
		rc = event_base_loop(w->base, EVLOOP_ONCE);
		if (!w->is_stopping)
			worker_end_turn(w);
	}
	if (rc)
		log_err("the event loop failed: %s", strerror(errno));
	worker_shutdown(w);
	return rc ? -1 : 0;
}
