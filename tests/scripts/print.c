/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scripts/print.h"

#include <inttypes.h>
#include <string.h>

#include "common/packet.h"

enum {
	OPTIONS_TEXT_MAX = 128,
};

/* Each option with a comma before it. */
static void format_options(char text[OPTIONS_TEXT_MAX], const struct faked *f,
			   const struct tcp_options *o)
{
	size_t n = 0;

	text[0] = '\0';
	if (o->has_mss)
		n += (size_t)snprintf(text + n, OPTIONS_TEXT_MAX - n, ",mss %u", o->mss);
	if (o->has_sack_permitted)
		n += (size_t)snprintf(text + n, OPTIONS_TEXT_MAX - n, ",sackOK");
	if (o->has_timestamps)
		n += (size_t)snprintf(text + n, OPTIONS_TEXT_MAX - n, ",TS val %u ecr %u",
				      o->ts_val - f->ts_first, o->ts_ecr);
	if (o->has_window_scale)
		n += (size_t)snprintf(text + n, OPTIONS_TEXT_MAX - n, ",wscale %u",
				      o->window_scale);
	if (o->has_mptcp)
		snprintf(text + n, OPTIONS_TEXT_MAX - n, ",mptcp");
}

const char *print_sent(char *buf, size_t size, const struct faked *f, const struct sent *s)
{
	const struct segment *seg = &s->segment;
	char options[OPTIONS_TEXT_MAX];
	char flags[16];
	int64_t seq = (int32_t)(seg->seq - f->iss);
	size_t n;

	packet_print_tcp(flags, sizeof(flags), seg->flags, 0, 0, 0);
	flags[strcspn(flags, " ")] = '\0';
	format_options(options, f, &seg->options);
	n = (size_t)snprintf(buf, size, "%s %" PRId64 ":%" PRId64 "(%u)", flags, seq,
			     seq + seg->payload_len_bytes, seg->payload_len_bytes);
	if ((seg->flags & TCP_ACK) && n < size)
		n += (size_t)snprintf(buf + n, size - n, " ack %" PRId32,
				      (int32_t)(seg->ack - f->irs));
	if (n < size)
		n += (size_t)snprintf(buf + n, size - n, " win %u", seg->window);
	if (options[0] && n < size)
		snprintf(buf + n, size - n, " <%s>", options + 1);
	return buf;
}

static void print_time(FILE *out, uint64_t us)
{
	fprintf(out, "%" PRIu64 ".%06" PRIu64 " ", us / 1000000, us % 1000000);
}

void print_trace_sent(FILE *out, uint64_t us, const struct faked *f, const struct sent *s)
{
	const struct segment *seg = &s->segment;
	char text[TUPLE_TEXT_MAX];
	char options[OPTIONS_TEXT_MAX];
	char flags[16];
	int32_t seq = (int32_t)(seg->seq - f->iss);

	packet_print_tcp(flags, sizeof(flags), seg->flags, 0, 0, 0);
	flags[strcspn(flags, " ")] = '\0';
	format_options(options, f, &seg->options);
	print_time(out, us);
	fprintf(out, "to target    %s: Flags [%s], seq %" PRId32,
		tuple_format(text, sizeof(text), &seg->tuple), flags, seq);
	if (seg->payload_len_bytes)
		fprintf(out, ":%" PRId32, seq + (int32_t)seg->payload_len_bytes);
	if (seg->flags & TCP_ACK)
		fprintf(out, ", ack %" PRId32, (int32_t)(seg->ack - f->irs));
	fprintf(out, ", win %u", seg->window);
	if (options[0])
		fprintf(out, ", options [%s]", options + 1);
	fprintf(out, ", length %u\n", seg->payload_len_bytes);
}

/* Numbers are relative, as written. */
static void print_packet(FILE *out, const struct packet_text *p)
{
	fprintf(out, "Flags [%s], seq %" PRId64, p->flags, p->seq);
	if (p->len_bytes)
		fprintf(out, ":%" PRId64, p->seq + p->len_bytes);
	if (p->has_ack)
		fprintf(out, ", ack %" PRId64, p->ack);
	fprintf(out, ", win %ld", p->window >= 0 ? p->window : 65535L);
	if (p->has_options)
		fprintf(out, ", options [%s]", p->options);
	fprintf(out, ", length %u", p->len_bytes);
	if (p->segments > 1)
		fprintf(out, " (%u segments)", p->segments);
}

void print_trace_target(FILE *out, uint64_t us, const struct faked *f, const struct packet_text *p)
{
	char text[TUPLE_TEXT_MAX];

	print_time(out, us);
	fprintf(out, "from target  %s: ", tuple_format(text, sizeof(text), &f->response));
	print_packet(out, p);
	fprintf(out, "\n");
}

void print_trace_online(FILE *out, uint64_t us, const struct step *step,
			const struct connection_text *c)
{
	const struct packet_text *p = &step->packet;
	bool is_client = step->verb != VERB_SERVER;

	print_time(out, us);
	fprintf(out, "online       %s > %s: ", is_client ? c->client : c->server,
		is_client ? c->server : c->client);
	print_packet(out, p);
	fprintf(out, "%s%s%s", p->is_lost ? " (not captured)" : "",
		p->is_corrupt ? " (corrupt)" : "", p->is_twice ? " (captured twice)" : "");
	if (p->captured_bytes >= 0)
		fprintf(out, " (%ld bytes captured)", p->captured_bytes);
	fprintf(out, "\n");
}
