/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/forger.h"

#include <stdlib.h>
#include <string.h>

enum {
	A_MOMENT_US = 1000,
	IDLE_US = 15000, /* less than the pace of the clients, more than the target takes */
	AHEAD = 1000,
	FAR_FUTURE = 1 << 30,
	RESET_OFF_BY = 1,
	MOMENTS = 3,
};

static const char *const names[FORGERIES] = {
	[FORGERY_DATA_LESS] = "data-less", [FORGERY_DATA_EQUAL] = "data-equal",
	[FORGERY_DATA_MORE] = "data-more", [FORGERY_FIN] = "fin",
	[FORGERY_FIN_DATA] = "fin-data",   [FORGERY_ACK_AHEAD] = "ack-ahead",
	[FORGERY_WINDOW] = "window",       [FORGERY_TIMESTAMP] = "timestamp",
	[FORGERY_RESET] = "reset",
};

struct plot {
	uint64_t due_us; /* 0: not set */
	uint64_t done_us;
};

struct forger {
	struct forger_config config;
	struct plot *plots; /* one a session */
};

const char *forgery_name(enum forgery forgery)
{
	return forgery < FORGERIES ? names[forgery] : "none";
}

int forgery_by_name(const char *name)
{
	for (int i = 0; i < FORGERIES; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return strcmp(name, "all") == 0 ? FORGERY_ALL : -1;
}

struct forger *forger_new(const struct forger_config *config)
{
	struct forger *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->config = *config;
	f->plots = calloc(config->talk->sessions, sizeof(*f->plots));
	if (f->plots)
		return f;
	free(f);
	return NULL;
}

void forger_free(struct forger *f)
{
	if (f)
		free(f->plots);
	free(f);
}

enum forgery forger_forgery_of(const struct forger *f, uint32_t session)
{
	return f->config.forgery == FORGERY_ALL ? (enum forgery)(session % FORGERIES)
						: f->config.forgery;
}

/* With the request under way, a moment later, while nothing is. */
static uint64_t delay_us(uint32_t session)
{
	switch (session / FORGERIES % MOMENTS) {
	case 0:
		return 0;
	case 1:
		return A_MOMENT_US;
	default:
		return IDLE_US;
	}
}

void forger_on_sent(struct forger *f, const struct flow *flow, uint64_t now_us)
{
	const struct talk *t = f->config.talk;
	struct plot *p;

	if (f->config.forgery == FORGERY_NONE || flow->session < 0)
		return;
	p = &f->plots[flow->session];
	if (!p->due_us &&
	    flow_sent_bytes(flow) > t->turns / 2 * talk_request_bytes(t, (uint32_t)flow->session))
		p->due_us = now_us + delay_us((uint32_t)flow->session);
}

/* What an honest record of this moment could look like. */
static void imitate(const struct forger *f, const struct flow *flow, struct wire_record *r)
{
	uint32_t session = (uint32_t)flow->session;
	bool all = f->config.may_acknowledge_all && session / (FORGERIES * MOMENTS) % 2;

	*r = (struct wire_record){
		.session_id = flow->id,
		.seq = flow->linux_nxt,
		.ack = all ? flow->snd_max : flow->linux_ack,
		.window = flow->linux_window,
		.segments = 1,
		.flags = TCP_ACK,
		.has_timestamps = flow->has_timestamps,
		.ts_val = flow->ts_val,
	};
}

static void add_data(struct wire_record *r, uint32_t len_bytes)
{
	r->len_bytes = len_bytes;
	r->flags |= TCP_PSH;
}

static void add_lie(struct wire_record *r, enum forgery forgery, uint32_t next_answer_bytes)
{
	switch (forgery) {
	case FORGERY_DATA_LESS:
		add_data(r, (next_answer_bytes + 1) / 2);
		break;
	case FORGERY_DATA_EQUAL:
		add_data(r, next_answer_bytes);
		break;
	case FORGERY_DATA_MORE:
		add_data(r, next_answer_bytes * 2);
		break;
	case FORGERY_FIN_DATA:
		add_data(r, next_answer_bytes);
		r->flags |= TCP_FIN;
		break;
	case FORGERY_FIN:
		r->flags |= TCP_FIN;
		break;
	case FORGERY_ACK_AHEAD:
		r->seq += AHEAD;
		r->window = 0;
		break;
	case FORGERY_WINDOW:
		r->window = 0;
		break;
	case FORGERY_TIMESTAMP:
		r->ts_val += FAR_FUTURE;
		break;
	case FORGERY_RESET:
		r->seq += RESET_OFF_BY;
		r->flags = TCP_RST;
		break;
	case FORGERIES:
	case FORGERY_ALL:
	case FORGERY_NONE:
		break;
	}
}

bool forger_next(struct forger *f, struct flows *flows, struct wire_record *record, uint64_t now_us)
{
	for (uint32_t i = 0; i < f->config.talk->sessions; i++) {
		struct plot *p = &f->plots[i];
		const struct flow *flow;

		if (!p->due_us || p->done_us || p->due_us > now_us)
			continue;
		flow = flows_of_session(flows, i);
		if (!flow || !flow->is_registered) {
			p->due_us = UINT64_MAX; /* it has ended before */
			continue;
		}
		p->done_us = now_us;
		imitate(f, flow, record);
		add_lie(record, forger_forgery_of(f, i),
			talk_target_answer_bytes(f->config.talk, i, f->config.talk->turns / 2));
		return true;
	}
	return false;
}

uint64_t forger_next_us(const struct forger *f)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < f->config.talk->sessions; i++)
		if (f->plots[i].due_us && !f->plots[i].done_us && f->plots[i].due_us < at)
			at = f->plots[i].due_us;
	return at;
}

uint64_t forger_done_us(const struct forger *f, uint32_t session)
{
	return f->plots[session].done_us;
}
