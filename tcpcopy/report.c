/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - see report.h. docs/tcpcopy.8 says what each name means.
 */
#include "tcpcopy/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	KEY_MAX = 48,
	SHARE_TEXT_MAX = 48,
	ALL_PPM = 1000000,
	STATE_TEXT_MAX = 64,
};

/* The ledger's sum and where the lines go. */
struct report {
	const struct report_facts *facts;
	struct ledger_target total;
	report_line_fn *fn;
	void *ctx;
};

#define report_line(report, ...)                             \
	do {                                                 \
		char line_[REPORT_LINE_MAX];                 \
		snprintf(line_, sizeof(line_), __VA_ARGS__); \
		(report)->fn((report)->ctx, line_);          \
	} while (0)

/* --- text --- */

void report_familiar(const struct report_facts *facts, report_line_fn *fn, void *ctx)
{
	struct report r = {.facts = facts, .fn = fn, .ctx = ctx};
	const struct ledger_packets *packets = &facts->ledger->packets;

	ledger_total(facts->ledger, &r.total);
	report_line(&r,
		    "active:%" PRIu64 ", conns:%" PRIu64 ", resp:%" PRIu64 ", c-resp:%" PRIu64
		    ", send:%" PRIu64 ", send content:%" PRIu64 ", syn cnt:%" PRIu64
		    ", all clt:%" PRIu64 ", clt cont:%" PRIu64 ", retransmit:%" PRIu64
		    ", total captured packets:%" PRIu64,
		    r.total.sessions.active, r.total.sessions.established,
		    r.total.traffic.response_segments, r.total.traffic.response_payload_segments,
		    r.total.traffic.segments_sent, r.total.traffic.payload_segments_sent,
		    r.total.traffic.syn_sent,
		    packets->fate[PACKET_FATE_USED] + packets->fate[PACKET_FATE_DUPLICATE],
		    r.total.stream.captured.requests, r.total.traffic.retransmitted,
		    packets->captured);
}

/* Millionths of the captured requests that were delivered; of the bytes if there is no request. */
static uint64_t delivered_millionths(const struct ledger_stream *s)
{
	uint64_t of = s->captured.requests, part = s->delivered.requests;

	if (!of) {
		of = s->captured.bytes;
		part = s->delivered.bytes;
	}
	if (!of)
		return 1000000;
	/* Rounded down: 100 % means all. Shifted where the product would overflow. */
	while (of > UINT64_MAX / 1000000) {
		of >>= 1;
		part >>= 1;
	}
	return part * 1000000 / of;
}

static const char *share_text(char buf[SHARE_TEXT_MAX], const struct ledger_stream *s)
{
	uint64_t share = delivered_millionths(s) / 100;

	snprintf(buf, SHARE_TEXT_MAX, "%" PRIu64 ".%02" PRIu64 " %%", share / 100, share % 100);
	return s->captured.bytes || s->captured.requests ? buf : "-";
}

static void amount_line(struct report *r, const char *what, const struct ledger_amount *a,
			const char *tail)
{
	report_line(r, "  %-12s %12" PRIu64 " requests %16" PRIu64 " bytes%s%s", what, a->requests,
		    a->bytes, *tail ? "  " : "", tail);
}

static void stream_lines(struct report *r, const struct ledger_target *t)
{
	char share[SHARE_TEXT_MAX];

	amount_line(r, "captured", &t->stream.captured, "");
	amount_line(r, "delivered", &t->stream.delivered, share_text(share, &t->stream));
	amount_line(r, "in flight", &t->stream.in_flight, "");
	for (int cause = 0; cause < DROP_CAUSES; cause++) {
		const struct ledger_amount *a = &t->stream.dropped[cause];

		if (a->bytes || a->requests)
			amount_line(r, "dropped", a, drop_cause_text((enum drop_cause)cause));
	}
	for (int cause = 0; cause < DROP_CAUSES; cause++) {
		if (t->sessions.not_started[cause])
			report_line(r, "  %-12s %12" PRIu64 " connections  %s", "not copied",
				    t->sessions.not_started[cause],
				    drop_cause_text((enum drop_cause)cause));
	}
}

static void target_lines(struct report *r)
{
	const struct ledger *l = r->facts->ledger;
	char share[SHARE_TEXT_MAX], target[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < l->target_count && l->target_count > 1; i++) {
		const struct ledger_stream *s = &l->targets[i].stream;

		report_line(r,
			    "  to %s: captured %" PRIu64 ", delivered %" PRIu64 " requests (%s), "
			    "active %" PRIu64 " connections",
			    endpoint_format(target, sizeof(target), &r->facts->transfers[i].target),
			    s->captured.requests, s->delivered.requests, share_text(share, s),
			    l->targets[i].sessions.active);
	}
}

/* The least and the most that any copy, at any target, was delivered: they differ if copies fail. */
static void copies_line(struct report *r)
{
	const struct ledger *l = r->facts->ledger;
	uint64_t least = UINT64_MAX, most = 0;

	if (l->copy_count == 1)
		return;
	for (size_t i = 0; i < l->target_count * l->copy_count; i++) {
		struct ledger_copy c = ledger_copy_of(l, i / l->copy_count, i % l->copy_count);

		least = c.delivered.requests < least ? c.delivered.requests : least;
		most = c.delivered.requests > most ? c.delivered.requests : most;
	}
	report_line(r,
		    "  copies       %12zu of each connection, delivered %" PRIu64 " to %" PRIu64
		    " requests each",
		    l->copy_count, least, most);
}

static void packet_lines(struct report *r)
{
	const struct ledger_packets *p = &r->facts->ledger->packets;
	char text[REPORT_LINE_MAX - 40];
	size_t len = 0;

	text[0] = '\0';
	for (int fate = 0; fate < PACKET_FATES; fate++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ", %s %" PRIu64,
					packet_fate_name((enum packet_fate)fate), p->fate[fate]);
	report_line(r, "  packets      %12" PRIu64 " captured%s", p->captured, text);
	if (r->facts->kernel.dropped)
		report_line(r,
			    "  kernel       %12" PRIu64 " packets dropped before capture: give a "
			    "larger -B, or copy less",
			    r->facts->kernel.dropped);
}

static void sender_lines(struct report *r)
{
	const struct sender_stats *s = &r->facts->sender;

	if (!s->failed && !s->no_neighbour)
		return;
	report_line(r,
		    "  not sent     %12" PRIu64 " packets: no buffer %" PRIu64
		    ", not permitted %" PRIu64 ", too long %" PRIu64 ", unreachable %" PRIu64
		    ", other %" PRIu64 ", no neighbour %" PRIu64,
		    s->failed + s->no_neighbour, s->failed_no_buffer, s->failed_permission,
		    s->failed_too_long, s->failed_unreachable, s->failed_other, s->no_neighbour);
}

void report_link_add(struct report_link *to, const struct report_link *more)
{
	if (!to->connections || more->state == INTERCEPT_LINK_UP)
		to->state = more->state;
	to->connections += more->connections;
	to->connections_up += more->connections_up;
	to->stats.connects += more->stats.connects;
	to->stats.failures += more->stats.failures;
	to->stats.messages += more->stats.messages;
	to->stats.records += more->stats.records;
	to->stats.registered += more->stats.registered;
	to->stats.postponed += more->stats.postponed;
	to->stats.refused += more->stats.refused;
	to->stats.bytes_read += more->stats.bytes_read;
	to->stats.bytes_written += more->stats.bytes_written;
}

/* "up", or "up 3 of 4". */
static const char *link_state_text(char buf[STATE_TEXT_MAX], const struct report_link *l)
{
	if (l->connections <= 1)
		return intercept_link_state_name(l->state);
	snprintf(buf, STATE_TEXT_MAX, "%s %zu of %zu", intercept_link_state_name(l->state),
		 l->connections_up, l->connections);
	return buf;
}

static void link_lines(struct report *r)
{
	char state[STATE_TEXT_MAX];

	for (size_t i = 0; i < r->facts->link_count; i++) {
		const struct report_link *l = &r->facts->links[i];

		report_line(r,
			    "  link         %s %s, connected %" PRIu64 " times, records %" PRIu64
			    ", registrations %" PRIu64 ", refused %" PRIu64,
			    l->name, link_state_text(state, l), l->stats.connects, l->stats.records,
			    l->stats.registered, l->stats.refused);
	}
}

void report_ledger(const struct report_facts *facts, report_line_fn *fn, void *ctx)
{
	struct report r = {.facts = facts, .fn = fn, .ctx = ctx};

	ledger_total(facts->ledger, &r.total);
	report_line(&r, "ledger after %" PRIu64 " s%s", facts->uptime_s,
		    facts->is_paused ? " (paused: the target does not answer)" : "");
	stream_lines(&r, &r.total);
	target_lines(&r);
	copies_line(&r);
	packet_lines(&r);
	if (facts->sample_ppm < ALL_PPM)
		report_line(&r, "  sample       %" PRIu32 ".%04" PRIu32 " %% of new connections",
			    facts->sample_ppm / 10000, facts->sample_ppm % 10000);
	sender_lines(&r);
	link_lines(&r);
	report_line(&r,
		    "  memory       %12" PRIu64 " kB of %" PRIu64 " MB, %" PRIu64
		    " connections followed",
		    facts->memory_bytes / 1024, facts->memory_max_bytes >> 20, facts->connections);
	if (!ledger_packets_add_up(facts->ledger) || !ledger_stream_adds_up(&r.total.stream))
		report_line(&r, "  the sums do not add up: please report this as a bug");
}

/* --- JSON --- */

/* A name of the ledger, "capture-gap", as a key, "capture_gap". */
static const char *key_of(char buf[KEY_MAX], const char *name)
{
	snprintf(buf, KEY_MAX, "%s", name);
	for (char *c = buf; *c; c++) {
		if (*c == '-' || *c == ' ')
			*c = '_';
	}
	return buf;
}

static void json_amount(struct stats_json *j, const char *key, const struct ledger_amount *a)
{
	stats_json_object(j, key);
	stats_json_uint(j, "bytes", a->bytes);
	stats_json_uint(j, "requests", a->requests);
	stats_json_end(j);
}

static void json_stream(struct stats_json *j, const struct ledger_stream *s)
{
	char key[KEY_MAX];

	stats_json_object(j, "stream");
	json_amount(j, "captured", &s->captured);
	json_amount(j, "delivered", &s->delivered);
	json_amount(j, "in_flight", &s->in_flight);
	stats_json_object(j, "dropped");
	for (int cause = 0; cause < DROP_CAUSES; cause++)
		json_amount(j, key_of(key, drop_cause_name((enum drop_cause)cause)),
			    &s->dropped[cause]);
	stats_json_end(j);
	stats_json_uint(j, "delivered_millionths", delivered_millionths(s));
	stats_json_bool(j, "stream_adds_up", ledger_stream_adds_up(s));
	stats_json_end(j);
}

static void json_sessions(struct stats_json *j, const struct ledger_sessions *s)
{
	char key[KEY_MAX];

	stats_json_object(j, "sessions");
	stats_json_uint(j, "started", s->started);
	stats_json_uint(j, "established", s->established);
	stats_json_uint(j, "active", s->active);
	stats_json_uint(j, "ended_by_client", s->ended_by_client);
	stats_json_uint(j, "ended_by_target", s->ended_by_target);
	stats_json_uint(j, "ended_by_us", s->ended_by_us);
	stats_json_uint(j, "joined", s->joined);
	stats_json_uint(j, "rejoined", s->rejoined);
	stats_json_uint(j, "joins_refused", s->joins_refused);
	stats_json_uint(j, "ended_unanswered", s->ended_unanswered);
	stats_json_object(j, "not_started");
	for (int cause = 0; cause < DROP_CAUSES; cause++)
		stats_json_uint(j, key_of(key, drop_cause_name((enum drop_cause)cause)),
				s->not_started[cause]);
	stats_json_end(j);
	stats_json_end(j);
}

static void json_traffic(struct stats_json *j, const struct ledger_traffic *t)
{
	stats_json_object(j, "traffic");
	stats_json_uint(j, "syn_sent", t->syn_sent);
	stats_json_uint(j, "segments_sent", t->segments_sent);
	stats_json_uint(j, "payload_segments_sent", t->payload_segments_sent);
	stats_json_uint(j, "bytes_sent", t->bytes_sent);
	stats_json_uint(j, "retransmitted", t->retransmitted);
	stats_json_uint(j, "retransmit_timeouts", t->retransmit_timeouts);
	stats_json_uint(j, "fast_retransmits", t->fast_retransmits);
	stats_json_uint(j, "zero_window_probes", t->zero_window_probes);
	stats_json_uint(j, "records", t->records);
	stats_json_uint(j, "records_ignored", t->records_ignored);
	stats_json_uint(j, "corrections", t->corrections);
	stats_json_uint(j, "response_segments", t->response_segments);
	stats_json_uint(j, "response_payload_segments", t->response_payload_segments);
	stats_json_uint(j, "gates_by_answer", t->gates_by_answer);
	stats_json_uint(j, "gates_by_settle", t->gates_by_settle);
	stats_json_uint(j, "gates_by_close", t->gates_by_close);
	stats_json_uint(j, "too_big", t->too_big);
	stats_json_uint(j, "too_big_ignored", t->too_big_ignored);
	stats_json_uint(j, "path_tests", t->path_tests);
	stats_json_uint(j, "black_holes", t->black_holes);
	stats_json_uint(j, "emit_full", t->emit_full);
	stats_json_uint(j, "register_refused", t->register_refused);
	stats_json_end(j);
}

/* Into the open object. */
static void json_target(struct stats_json *j, const struct ledger_target *t)
{
	json_stream(j, &t->stream);
	json_sessions(j, &t->sessions);
	json_traffic(j, &t->traffic);
}

static void json_packets(struct stats_json *j, const struct report_facts *facts)
{
	const struct ledger_packets *p = &facts->ledger->packets;
	char key[KEY_MAX];

	stats_json_object(j, "packets");
	stats_json_uint(j, "captured", p->captured);
	for (int fate = 0; fate < PACKET_FATES; fate++)
		stats_json_uint(j, key_of(key, packet_fate_name((enum packet_fate)fate)),
				p->fate[fate]);
	stats_json_uint(j, "kernel_received", facts->kernel.received);
	stats_json_uint(j, "kernel_dropped", facts->kernel.dropped);
	stats_json_bool(j, "packets_add_up", ledger_packets_add_up(facts->ledger));
	stats_json_end(j);
}

static void json_sender(struct stats_json *j, const struct sender_stats *s)
{
	stats_json_object(j, "sender");
	stats_json_uint(j, "packets", s->packets);
	stats_json_uint(j, "bytes", s->bytes);
	stats_json_uint(j, "batches", s->batches);
	stats_json_uint(j, "failed", s->failed);
	stats_json_uint(j, "failed_no_buffer", s->failed_no_buffer);
	stats_json_uint(j, "failed_permission", s->failed_permission);
	stats_json_uint(j, "failed_too_long", s->failed_too_long);
	stats_json_uint(j, "failed_unreachable", s->failed_unreachable);
	stats_json_uint(j, "failed_other", s->failed_other);
	stats_json_uint(j, "no_neighbour", s->no_neighbour);
	stats_json_end(j);
}

static void json_links(struct stats_json *j, const struct report_facts *facts)
{
	stats_json_array(j, "links");
	for (size_t i = 0; i < facts->link_count; i++) {
		const struct report_link *l = &facts->links[i];

		stats_json_object(j, NULL);
		stats_json_string(j, "name", l->name);
		stats_json_string(j, "state", intercept_link_state_name(l->state));
		stats_json_uint(j, "connections", l->connections);
		stats_json_uint(j, "connections_up", l->connections_up);
		stats_json_uint(j, "connects", l->stats.connects);
		stats_json_uint(j, "failures", l->stats.failures);
		stats_json_uint(j, "messages", l->stats.messages);
		stats_json_uint(j, "records", l->stats.records);
		stats_json_uint(j, "registered", l->stats.registered);
		stats_json_uint(j, "postponed", l->stats.postponed);
		stats_json_uint(j, "refused", l->stats.refused);
		stats_json_uint(j, "bytes_read", l->stats.bytes_read);
		stats_json_uint(j, "bytes_written", l->stats.bytes_written);
		stats_json_end(j);
	}
	stats_json_end(j);
}

/* A source without an address is every address of this host. */
static const char *source_text(char text[ENDPOINT_TEXT_MAX], const struct endpoint *source)
{
	if (!ip_addr_is_unspecified(&source->addr))
		return endpoint_format(text, ENDPOINT_TEXT_MAX, source);
	snprintf(text, ENDPOINT_TEXT_MAX, "*:%u", (unsigned)source->port);
	return text;
}

/* Requests only: it is written once a second, and there may be 1,023 copies. */
static void json_copies(struct stats_json *j, const struct ledger *l, size_t target)
{
	stats_json_array(j, "copies");
	for (size_t i = 0; i < l->copy_count; i++) {
		struct ledger_copy c = ledger_copy_of(l, target, i);

		stats_json_object(j, NULL);
		stats_json_uint(j, "captured", c.captured.requests);
		stats_json_uint(j, "delivered", c.delivered.requests);
		stats_json_uint(j, "dropped", c.dropped.requests);
		stats_json_end(j);
	}
	stats_json_end(j);
}

static void json_targets(struct stats_json *j, const struct report_facts *facts)
{
	char text[ENDPOINT_TEXT_MAX];

	stats_json_array(j, "targets");
	for (size_t i = 0; i < facts->ledger->target_count; i++) {
		const struct transfer *t = &facts->transfers[i];

		stats_json_object(j, NULL);
		stats_json_string(j, "source", source_text(text, &t->source));
		stats_json_string(j, "target", endpoint_format(text, sizeof(text), &t->target));
		json_target(j, &facts->ledger->targets[i]);
		json_copies(j, facts->ledger, i);
		stats_json_end(j);
	}
	stats_json_end(j);
}

void report_json(const struct report_facts *facts, struct stats_json *j)
{
	struct ledger_target total;

	ledger_total(facts->ledger, &total);
	stats_json_object(j, NULL);
	stats_json_string(j, "program", "tcpcopy");
	stats_json_uint(j, "workers", facts->workers);
	stats_json_uint(j, "uptime_s", facts->uptime_s);
	stats_json_bool(j, "paused", facts->is_paused);
	stats_json_bool(j, "packets_add_up", ledger_packets_add_up(facts->ledger));
	stats_json_bool(j, "stream_adds_up", ledger_stream_adds_up(&total.stream));
	stats_json_uint(j, "connections", facts->connections);
	stats_json_uint(j, "sample_ppm", facts->sample_ppm);
	stats_json_uint(j, "capture_latency_us", facts->capture_latency_us);
	stats_json_uint(j, "memory_bytes", facts->memory_bytes);
	stats_json_uint(j, "memory_max_bytes", facts->memory_max_bytes);
	json_packets(j, facts);
	stats_json_object(j, "total");
	json_target(j, &total);
	stats_json_end(j);
	json_targets(j, facts);
	json_sender(j, &facts->sender);
	json_links(j, facts);
	stats_json_end(j);
}
