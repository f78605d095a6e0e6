/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/report_sum.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/stats.h"
#include "tcpcopy/diagnosis.h"

int report_sum_init(struct report_sum *s, size_t target_count, size_t copies)
{
	memset(s, 0, sizeof(*s));
	s->facts.ledger = &s->ledger;
	s->facts.links = s->links;
	return ledger_init(&s->ledger, target_count, copies);
}

void report_sum_fini(struct report_sum *s)
{
	ledger_fini(&s->ledger);
}

void report_sum_begin(struct report_sum *s)
{
	s->facts = (struct report_facts){.ledger = &s->ledger, .links = s->links};
	memset(s->links, 0, sizeof(s->links));
	ledger_clear(&s->ledger);
	s->added = 0;
}

static void add_kernel(struct capture_stats *to, const struct capture_stats *from)
{
	to->received += from->received;
	to->dropped += from->dropped;
}

static void add_sender(struct sender_stats *to, const struct sender_stats *from)
{
	to->packets += from->packets;
	to->bytes += from->bytes;
	to->batches += from->batches;
	to->failed += from->failed;
	to->failed_no_buffer += from->failed_no_buffer;
	to->failed_permission += from->failed_permission;
	to->failed_too_long += from->failed_too_long;
	to->failed_unreachable += from->failed_unreachable;
	to->failed_other += from->failed_other;
	to->no_neighbour += from->no_neighbour;
}

/* What the workers have in common. */
static void take_common(struct report_sum *s, const struct report_facts *facts)
{
	s->facts.transfers = facts->transfers;
	s->facts.mirrored = facts->mirrored;
	s->facts.link_count = facts->link_count;
	s->facts.capture_latency_us = facts->capture_latency_us;
	s->facts.sample_ppm = facts->sample_ppm;
	for (size_t i = 0; i < facts->link_count; i++)
		s->links[i].name = facts->links[i].name;
}

void report_sum_add(struct report_sum *s, const struct report_facts *facts)
{
	struct report_facts *to = &s->facts;

	if (!s->added++)
		take_common(s, facts);
	ledger_add(&s->ledger, facts->ledger);
	add_kernel(&to->kernel, &facts->kernel);
	add_sender(&to->sender, &facts->sender);
	for (size_t i = 0; i < facts->link_count; i++)
		report_link_add(&s->links[i], &facts->links[i]);
	to->workers += facts->workers;
	to->connections += facts->connections;
	to->memory_bytes += facts->memory_bytes;
	to->memory_max_bytes += facts->memory_max_bytes;
	if (facts->uptime_s > to->uptime_s)
		to->uptime_s = facts->uptime_s;
	if (facts->sample_ppm < to->sample_ppm) /* a ramp begins when a worker's first link is up */
		to->sample_ppm = facts->sample_ppm;
	to->is_paused |= facts->is_paused;
}

/* --- ways out --- */

static void line_to_log(void *ctx, const char *line)
{
	(void)ctx;
	log_plain(LOG_LEVEL_INFO, "%s", line);
}

void report_to_log(const struct report_facts *facts)
{
	report_familiar(facts, line_to_log, NULL);
	report_ledger(facts, line_to_log, NULL);
}

void report_to_file(const struct report_facts *facts, const char *path)
{
	struct stats_json j;

	if (!path)
		return;
	stats_json_init(&j);
	report_json(facts, &j);
	if (j.failed || stats_write_file(path, &j))
		log_warn("cannot write --stats-file %s: %s", path,
			 j.failed ? "no memory" : strerror(errno));
	stats_json_fini(&j);
}

void report_if_nothing(const struct report_facts *facts, const struct tcpcopy_options *options)
{
	const struct ledger_packets *packets = &facts->ledger->packets;
	const struct diagnosis_capture c = {
		.captured = packets->captured,
		.used = packets->fate[PACKET_FATE_USED],
		.malformed = packets->fate[PACKET_FATE_MALFORMED],
		.seconds = REPORT_NOTHING_AFTER_S,
		.mirrored = facts->mirrored,
		.is_promiscuous = options->promiscuous,
		.device = options->device_count ? options->devices[0] : "any",
	};
	char line[DIAGNOSIS_LINE_MAX];
	const char *text = diagnosis_capture_text(line, sizeof(line), &c);

	if (text)
		log_warn("%s", text);
}

void report_ending(void)
{
	log_plain(LOG_LEVEL_INFO, "ending: open connections to the target are reset");
}
