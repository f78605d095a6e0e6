/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - see report.h. */
#include "intercept/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *fault_name(enum peer_fault fault)
{
	switch (fault) {
	case PEER_FAULT_GARBAGE:
		return "strangers";
	case PEER_FAULT_NO_HELLO:
		return "no_hello";
	case PEER_FAULT_VERSION:
		return "other_version";
	case PEER_FAULT_ROLE:
		return "no_tcpcopy";
	case PEER_FAULT_FULL:
		return "too_many";
	case PEER_FAULT_MALFORMED:
		return "malformed";
	case PEER_FAULT_SILENT:
		return "silent";
	case PEER_FAULT_LEFT:
		return "left";
	case PEER_FAULT_SHUTDOWN:
		return "shutdown";
	case PEER_FAULT_NONE:
	case PEER_FAULTS:
		break;
	}
	return "none";
}

struct line {
	char *buf;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->buf + l->used, l->size - l->used, format, args);
	va_end(args);
	if (n < 0)
		return;
	l->used += (size_t)n;
	if (l->used >= l->size)
		l->used = l->size - 1;
}

static void line_add_unless_zero(struct line *l, const char *name, uint64_t value)
{
	if (value)
		line_add(l, ", %s %" PRIu64, name, value);
}

const char *report_line(char *buf, size_t size, const struct report_facts *f)
{
	const struct response_counters *c = &f->counters;
	struct line l = {.buf = buf, .size = size};

	line_add(&l,
		 "peers %" PRIu64 ", sessions %" PRIu64 ", total captured packets %" PRIu64
		 ", routed %" PRIu64 ", unrouted %" PRIu64 ", records %" PRIu64
		 ", dropped by kernel %" PRIu64,
		 c->peers_up, c->routes, c->captured, c->routed, c->unrouted, c->records,
		 c->kernel_dropped);
	line_add_unless_zero(&l, "dropped for slow peers", c->dropped);
	line_add_unless_zero(&l, "duplicates", c->duplicate);
	line_add_unless_zero(&l, "malformed", c->malformed);
	line_add_unless_zero(&l, "fragments", c->fragments);
	line_add_unless_zero(&l, "unknown link type", c->unknown_link);
	line_add_unless_zero(&l, "too big for their way", c->too_big);
	line_add_unless_zero(&l, "registrations refused", c->register_refused);
	line_add_unless_zero(&l, "registrations over the limit", c->register_full);
	for (int i = PEER_FAULT_GARBAGE; i < PEER_FAULTS; i++)
		if (i != PEER_FAULT_LEFT && i != PEER_FAULT_SHUTDOWN)
			line_add_unless_zero(&l, fault_name((enum peer_fault)i), c->peer_faults[i]);
	return buf;
}

static void json_packets(const struct response_counters *c, struct stats_json *j)
{
	stats_json_object(j, "packets");
	stats_json_uint(j, "frames", c->frames);
	stats_json_uint(j, "captured", c->captured);
	stats_json_uint(j, "routed", c->routed);
	stats_json_uint(j, "unrouted", c->unrouted);
	stats_json_uint(j, "duplicate", c->duplicate);
	stats_json_uint(j, "dropped", c->dropped);
	stats_json_uint(j, "held", c->held);
	stats_json_uint(j, "held_delivered", c->held_delivered);
	stats_json_uint(j, "kernel_dropped", c->kernel_dropped);
	stats_json_uint(j, "too_big", c->too_big);
	stats_json_uint(j, "too_big_routed", c->too_big_routed);
	stats_json_uint(j, "not_tcp", c->not_tcp);
	stats_json_uint(j, "fragments", c->fragments);
	stats_json_uint(j, "malformed", c->malformed);
	stats_json_uint(j, "unknown_link", c->unknown_link);
	stats_json_end(j);
}

static void json_sessions(const struct response_counters *c, struct stats_json *j)
{
	stats_json_object(j, "sessions");
	stats_json_uint(j, "active", c->routes);
	stats_json_uint(j, "registered", c->registered);
	stats_json_uint(j, "unregistered", c->unregistered);
	stats_json_uint(j, "refused", c->register_refused);
	stats_json_uint(j, "over_limit", c->register_full);
	stats_json_end(j);
}

static void json_peers(const struct response_counters *c, struct stats_json *j)
{
	stats_json_object(j, "peers");
	stats_json_uint(j, "up", c->peers_up);
	stats_json_uint(j, "connections", c->connections);
	stats_json_object(j, "ended");
	for (int i = PEER_FAULT_GARBAGE; i < PEER_FAULTS; i++)
		stats_json_uint(j, fault_name((enum peer_fault)i), c->peer_faults[i]);
	stats_json_end(j);
	stats_json_end(j);
}

void report_json(const struct report_facts *f, struct stats_json *j)
{
	const struct response_counters *c = &f->counters;

	stats_json_object(j, NULL);
	stats_json_string(j, "program", "intercept");
	stats_json_uint(j, "uptime_s", f->uptime_s);
	stats_json_uint(j, "memory_bytes", f->memory_bytes);
	json_packets(c, j);
	json_sessions(c, j);
	json_peers(c, j);
	stats_json_object(j, "records");
	stats_json_uint(j, "sent", c->records);
	stats_json_uint(j, "dropped", c->records_dropped);
	stats_json_uint(j, "gathers", c->gathers);
	stats_json_end(j);
	stats_json_end(j);
}
