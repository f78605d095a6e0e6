/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world_trace.c - with FUZZ_TRACE set in the environment, what happens in the world as lines, so
 * that a finding can be read and made a unit test. Numbers are relative: a client's to its ISN and
 * its server's, a session's to its own and to its target's.
 */
#include <inttypes.h>

#include "common/packet.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

bool world_is_traced(void)
{
	static int traced = -1;

	if (traced < 0)
		traced = getenv("FUZZ_TRACE") != NULL;
	return traced;
}

static void line(const struct world *w, const char *what, unsigned who, const char *text)
{
	fprintf(stderr, "%12.6f %s %u %s\n", (double)(w->now_us - w->config.now_us) / 1000000.0,
		what, who, text);
}

void world_trace_packet(const struct world *w, const struct world_packet *p)
{
	const struct world_flow *f = &w->flows[p->flow];
	uint32_t mine = p->from_server ? f->server_isn : f->isn;
	uint32_t theirs = p->from_server ? f->isn : f->server_isn;
	char tcp[100], text[160];

	if (!world_is_traced())
		return;
	packet_print_tcp(tcp, sizeof(tcp), p->flags, p->seq - mine, p->len_bytes, p->ack - theirs);
	snprintf(text, sizeof(text), "%s options %u variant %u damage %d", tcp, p->options,
		 p->variant, (int)p->damage);
	line(w, p->from_server ? "server" : "client", (unsigned)p->flow, text);
}

void world_trace_record(const struct world *w, const struct world_session *s,
			const struct wire_record *r)
{
	char tcp[100], text[220];

	if (!world_is_traced())
		return;
	packet_print_tcp(tcp, sizeof(tcp), r->flags, r->seq - s->irs, r->len_bytes,
			 r->ack - s->iss);
	snprintf(text, sizeof(text), "%s win %u x%u%s mss %d wscale %d ts %d %" PRIu32, tcp,
		 r->window, r->segments, s->is_registered ? "" : " (gone)",
		 r->has_mss ? r->mss : -1, r->has_window_scale ? r->window_scale : -1,
		 r->has_timestamps, r->ts_val);
	line(w, "target", (unsigned)(s - w->sessions), text);
}

void world_trace_segment(const struct world *w, const struct world_session *s,
			 const struct segment *seg)
{
	char text[100];

	if (!world_is_traced())
		return;
	packet_print_tcp(text, sizeof(text), seg->flags,
			 seg->flags & TCP_SYN ? 0 : seg->seq - s->iss, seg->payload_len_bytes,
			 seg->ack - s->irs);
	line(w, "                >", (unsigned)(s - w->sessions), text);
}

void world_trace(const struct world *w, const char *what, uint64_t value)
{
	char text[40];

	if (!world_is_traced())
		return;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	line(w, what, 0, text);
}
