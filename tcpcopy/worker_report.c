/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_report.c - gathers the counters of a worker's parts for the log, the statistics file and
 * the diagnosis of unanswered SYNs. The texts are those of report.c and diagnosis.c.
 */
#include "tcpcopy/worker_private.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/netdev.h"
#include "tcpcopy/report_sum.h"

enum {
	DIAGNOSIS_INTERVAL_S = 30, /* the same block is not repeated sooner */
};

const char *worker_target_text(const struct worker *w, size_t target, char buf[ENDPOINT_TEXT_MAX])
{
	return endpoint_format(buf, ENDPOINT_TEXT_MAX, &w->options->transfers[target].target);
}

/* --- diagnosis --- */

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void gather_send_failures(const struct worker *w, struct diagnosis_facts *f)
{
	const struct sender_stats *old = &w->send_history[w->ticks % WORKER_SEND_HISTORY];
	struct sender_stats now;

	sender_get_stats(w->sender, &now);
	f->recent_no_neighbour = grown(now.no_neighbour, old->no_neighbour);
	f->recent_send_not_permitted = grown(now.failed_permission, old->failed_permission);
	f->recent_send_failures = grown(now.failed, old->failed) + f->recent_no_neighbour;
}

static void gather_links(const struct worker *w, struct diagnosis_facts *f, uint64_t now_us)
{
	size_t counted =
		SIZE_MAX; /* the intercept whose counters are in: one connection tells them */

	f->links = (unsigned)w->link_count;
	f->links_up = worker_links_up(w);
	for (size_t i = 0; i < w->link_count; i++) {
		const struct intercept_link *l = worker_link_at(w, i);
		struct wire_heartbeat recent;

		if (intercept_link_is_silent(l, now_us)) {
			f->links_up--;
			f->links_silent++;
		}
		if (i == 0 || (f->links_up && intercept_link_state(l) == INTERCEPT_LINK_UP)) {
			f->assistant = intercept_link_address(l)->addr;
			f->assistant_port = intercept_link_address(l)->port;
		}
		if (intercept_link_state(l) != INTERCEPT_LINK_UP ||
		    intercept_link_is_silent(l, now_us) || counted == w->links[i].intercept ||
		    !intercept_link_recent(l, &recent))
			continue;
		counted = w->links[i].intercept;
		f->has_recent = true;
		f->recent.captured += recent.captured;
		f->recent.routed += recent.routed;
		f->recent.unrouted += recent.unrouted;
		f->recent.dropped += recent.dropped;
	}
}

/* An intercept of this host goes by another name at the target: the address that packets from here have. */
static void look_at_hosts(struct diagnosis_facts *f)
{
	bool has_intercept = netdev_is_local_address(&f->assistant);
	struct route r;

	f->is_local = netdev_is_local_address(&f->target.addr);
	f->is_on_target =
		(has_intercept && f->is_local) || ip_addr_equal(&f->assistant, &f->target.addr);
	if (has_intercept && !f->is_local && netdev_route(&r, &f->target.addr, 0) == 0 &&
	    r.kind != ROUTE_NONE && !ip_addr_is_unspecified(&r.source))
		f->via = r.source;
}

static void log_block(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line)
			log_plain(LOG_LEVEL_WARN, "%s", line);
	}
}

/* Links may be of the one family and copies of the other: names and lists of -s often have both. */
static struct ip_addr assistant_like(const struct worker *w, const struct ip_addr *target)
{
	for (size_t i = 0; i < w->options->intercept_count; i++) {
		const struct intercept_address *a = &w->options->intercepts[i];

		for (size_t k = 0; k < a->endpoint_count; k++)
			if (ip_addr_is_v4(&a->endpoints[k].addr) == ip_addr_is_v4(target))
				return a->endpoints[k].addr;
	}
	return (struct ip_addr){0};
}

static void diagnose_target(struct worker *w, size_t target, uint64_t now_us)
{
	struct diagnosis_facts f = {
		.target = w->options->transfers[target].target,
		.pool = w->options->client_ranges,
		.pool_count = w->options->client_range_count,
	};
	char text[DIAGNOSIS_TEXT_MAX], one[ENDPOINT_TEXT_MAX], other[ENDPOINT_TEXT_MAX];
	struct worker_diagnosis *told;

	gather_links(w, &f, now_us);
	f.via = f.assistant;
	if (ip_addr_is_v4(&f.via) != ip_addr_is_v4(&f.target.addr))
		f.via = assistant_like(w, &f.target.addr);
	look_at_hosts(&f);
	gather_send_failures(w, &f);
	f.is_next_hop_silent = sender_next_hop_is_silent(w->sender, &f.target.addr);
	f.is_next_hop_given = w->options->transfers[target].has_next_hop_mac;
	f.is_silent = replay_is_silent(w->replay, target);
	told = &w->diagnosed[diagnosis_of(&f)][ip_addr_is_v4(&f.target.addr) ? 0 : 1];
	if (!told->told_us || now_us - told->told_us >= (uint64_t)DIAGNOSIS_INTERVAL_S * 1000000) {
		*told = (struct worker_diagnosis){.told_us = now_us, .target = target};
		diagnosis_text(text, sizeof(text), &f);
		log_block(text);
	} else if (told->target != target) {
		log_warn("no answer to our SYNs from the target %s either: what was said of %s may "
			 "hold "
			 "for it too",
			 worker_target_text(w, target, one),
			 worker_target_text(w, told->target, other));
	}
}

void worker_diagnose(struct worker *w, uint64_t now_us)
{
	w->is_diagnosis_due = false;
	for (size_t i = 0; i < w->options->transfer_count; i++) {
		if (!w->is_target_due[i])
			continue;
		w->is_target_due[i] = false;
		diagnose_target(w, i, now_us);
	}
}

void worker_tell_paths(struct worker *w)
{
	char line[DIAGNOSIS_LINE_MAX];

	w->is_path_due = false;
	for (size_t i = 0; i < w->options->transfer_count; i++) {
		if (!w->paths[i].is_due)
			continue;
		w->paths[i].is_due = false;
		diagnosis_path_mtu_text(line, sizeof(line), &w->options->transfers[i],
					replay_path_mtu(w->replay, i), w->paths[i].is_black_hole);
		if (w->paths[i].is_black_hole)
			log_warn("%s", line);
		else
			log_info("%s", line);
	}
}

/* --- reports --- */

static void gather_report_links(const struct worker *w,
				struct report_link links[OPTIONS_INTERCEPTS_MAX])
{
	memset(links, 0, OPTIONS_INTERCEPTS_MAX * sizeof(*links));
	for (size_t i = 0; i < w->link_count; i++) {
		const struct intercept_link *l = worker_link_at(w, i);
		struct report_link *to = &links[w->links[i].intercept];
		struct report_link one = {.state = intercept_link_state(l), .connections = 1};

		one.connections_up = one.state == INTERCEPT_LINK_UP;
		intercept_link_get_stats(l, &one.stats);
		report_link_add(to, &one);
		to->name = intercept_link_name(l);
	}
}

static void gather_report(const struct worker *w, struct report_facts *f,
			  struct report_link links[OPTIONS_INTERCEPTS_MAX], uint64_t now_us)
{
	gather_report_links(w, links);
	*f = (struct report_facts){
		.ledger = replay_ledger(w->replay),
		.transfers = w->options->transfers,
		.links = links,
		.link_count = w->group_count,
		.connections = replay_connections(w->replay),
		.memory_bytes = replay_memory(w->replay),
		.memory_max_bytes = worker_memory_max(w),
		.workers = 1,
		.uptime_s = (now_us - w->start_us) / 1000000,
		.capture_latency_us = w->config.capture_latency_us,
		.sample_ppm = replay_sample_ppm(w->replay),
		.is_paused = replay_is_paused(w->replay),
		.mirrored = online_capture_mirrored(w->captures),
	};
	online_capture_get_stats(w->captures, &f->kernel);
	sender_get_stats(w->sender, &f->sender);
}

void worker_log_report(struct worker *w, uint64_t now_us)
{
	struct report_link links[OPTIONS_INTERCEPTS_MAX];
	struct report_facts f;

	gather_report(w, &f, links, now_us);
	report_to_log(&f);
}

void worker_report_if_nothing(struct worker *w, uint64_t now_us)
{
	struct report_link links[OPTIONS_INTERCEPTS_MAX];
	struct report_facts f;

	gather_report(w, &f, links, now_us);
	report_if_nothing(&f, w->options);
}

void worker_write_stats(struct worker *w, uint64_t now_us)
{
	struct report_link links[OPTIONS_INTERCEPTS_MAX];
	struct report_facts f;

	if (!w->options->stats_file)
		return;
	gather_report(w, &f, links, now_us);
	report_to_file(&f, w->options->stats_file);
}

void worker_give_figures(struct worker *w)
{
	struct report_link links[OPTIONS_INTERCEPTS_MAX];
	struct report_facts f;

	gather_report(w, &f, links, clock_now_us());
	w->config.figures(w->config.figures_ctx, &f);
}
