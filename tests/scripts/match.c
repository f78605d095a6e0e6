/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scripts/match.h"

#include <stdio.h>
#include <string.h>

#include "common/packet.h"
#include "common/seq.h"

/* What an expectation says of the options. */
struct wanted {
	struct tcp_options options;
	bool any_ts_val; /* "TS", "TS ecr 500" */
	bool any_ts_ecr; /* "TS" */
	bool is_subset;  /* "...": others may be there too */
};

static void read_one(struct wanted *w, const char *text)
{
	struct tcp_options *o = &w->options;
	unsigned a, b;

	if (strcmp(text, "...") == 0) {
		w->is_subset = true;
	} else if (strcmp(text, "sackOK") == 0) {
		o->has_sack_permitted = true;
	} else if (strcmp(text, "TS") == 0) {
		o->has_timestamps = w->any_ts_val = w->any_ts_ecr = true;
	} else if (sscanf(text, "TS ecr %u", &b) == 1) {
		o->has_timestamps = w->any_ts_val = true;
		o->ts_ecr = b;
	} else if (sscanf(text, "mss %u", &a) == 1) {
		o->has_mss = true;
		o->mss = (uint16_t)a;
	} else if (sscanf(text, "wscale %u", &a) == 1) {
		o->has_window_scale = true;
		o->window_scale = (uint8_t)a;
	} else if (sscanf(text, "TS val %u ecr %u", &a, &b) == 2) {
		o->has_timestamps = true;
		o->ts_val = a;
		o->ts_ecr = b;
	}
}

static struct wanted read_wanted(const char *text)
{
	struct wanted w = {0};

	while (*text) {
		size_t len = strcspn(text, ",");
		char one[SCRIPT_TEXT_MAX] = "";

		memcpy(one, text, len);
		read_one(&w, one);
		text += len + (text[len] == ',');
	}
	return w;
}

static bool presence_matches(bool wanted, bool is, bool is_subset)
{
	return wanted ? is : is_subset || !is;
}

static bool options_match(const struct faked *f, const struct tcp_options *o, const char *text)
{
	struct wanted w = read_wanted(text);

	if (!presence_matches(w.options.has_mss, o->has_mss, w.is_subset) ||
	    !presence_matches(w.options.has_window_scale, o->has_window_scale, w.is_subset) ||
	    !presence_matches(w.options.has_sack_permitted, o->has_sack_permitted, w.is_subset) ||
	    !presence_matches(w.options.has_timestamps, o->has_timestamps, w.is_subset) ||
	    !presence_matches(w.options.has_mptcp, o->has_mptcp, w.is_subset))
		return false;
	if (w.options.has_mss && w.options.mss != o->mss)
		return false;
	if (w.options.has_window_scale && w.options.window_scale != o->window_scale)
		return false;
	if (!w.options.has_timestamps)
		return true;
	return (w.any_ts_val || w.options.ts_val == o->ts_val - f->ts_first) &&
	       (w.any_ts_ecr || w.options.ts_ecr == o->ts_ecr);
}

static uint8_t flags_of(const char *text)
{
	static const char letters[] = "FSRP.U"; /* in the order of the bits */
	uint8_t flags = 0;

	for (; *text && *text != '-'; text++)
		flags |= (uint8_t)(1U << (strchr(letters, *text) - letters));
	return flags;
}

static bool acknowledges(const struct faked *f, const struct segment *seg,
			 const struct packet_text *p)
{
	return (seg->flags & TCP_ACK) && seg->ack - f->irs == (uint32_t)p->ack;
}

bool match_segment(const struct faked *f, const struct sent *s, const struct packet_text *p)
{
	const struct segment *seg = &s->segment;

	if (seg->flags != flags_of(p->flags) || seg->seq - f->iss != (uint32_t)p->seq ||
	    seg->payload_len_bytes != p->len_bytes)
		return false;
	if (p->has_ack && !acknowledges(f, seg, p))
		return false;
	if (p->window >= 0 && seg->window != p->window)
		return false;
	if (p->payload[0] && memcmp(s->payload, p->payload, p->len_bytes) != 0)
		return false;
	return !p->has_options || options_match(f, &seg->options, p->options);
}

bool match_question(const struct faked *f, const struct sent *s, const struct packet_text *p)
{
	const struct segment *seg = &s->segment;

	return (seg->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_URG | TCP_ACK)) == TCP_ACK &&
	       seg->payload_len_bytes <= 1 && seq_lt(seg->seq, f->una) &&
	       seq_leq(seg->seq + seg->payload_len_bytes, f->una) && acknowledges(f, seg, p);
}
