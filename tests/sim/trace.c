/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/sim/hooks.h"
#include "tests/sim/world.h"

static void on_step(void *ctx, const struct session_step *step)
{
	const struct world *w = ctx;
	const struct faked *f = fakes_find_id(&w->copy.fakes, step->id);

	/* One that has no connection yet has no id of its own either; whose it is shows at the target. */
	if (f && f->owner->is_begun)
		trace_say(w, "session %u of c%u: %s -> %s by %s", step->id, f->owner->id,
			  step->from, step->to, step->who);
	else
		trace_say(w, "session %u: %s -> %s by %s", step->id, step->from, step->to,
			  step->who);
}

void trace_init(struct world *w)
{
	w->trace = (struct trace){.hash = 0, .is_on = w->settings->has_trace};
	hooks_listen(w->trace.is_on ? on_step : NULL, w);
}

static void stamp(const struct world *w)
{
	printf("%12.6f ", (double)(w->now_us - w->started_us) / 1e6);
}

void trace_say(const struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->trace.is_on)
		return;
	stamp(w);
	printf("    ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void print_flags(uint8_t flags)
{
	static const char letters[] = "FSRP.U";

	for (int i = 0; letters[i]; i++)
		if (flags & 1 << i)
			putchar(letters[i]);
}

/* The numbers from which a packet's are counted: its sender's and its receiver's first. */
static void bases(const struct world *w, const struct flight *f, uint32_t *mine, uint32_t *theirs)
{
	const struct tcp_packet *p = &f->packet;
	const struct conversation *c = f->owner;
	struct tuple tuple = f->leg == LEG_ANSWERS ? tuple_reverse(&p->tuple) : p->tuple;
	const struct faked *faked;

	*mine = *theirs = 0;
	switch ((enum leg)f->leg) {
	case LEG_CLIENT:
	case LEG_CAPTURE:
		*mine = c->client_isn;
		*theirs = c->server_isn;
		break;
	case LEG_SERVER:
		*mine = c->server_isn;
		*theirs = c->client_isn;
		break;
	case LEG_TARGET:
	case LEG_ANSWERS:
		faked = fakes_find_tuple(&w->copy.fakes, &tuple);
		if (!faked)
			break;
		*mine = faked->iss;
		*theirs = faked->irs;
		if (f->leg == LEG_ANSWERS) {
			*mine = faked->irs;
			*theirs = faked->iss;
		}
		break;
	case LEGS:
		break;
	}
}

static void print_packet(const struct world *w, const struct flight *f, enum trace_moment moment,
			 bool spoiled)
{
	const struct tcp_packet *p = &f->packet;
	char tuple[TUPLE_TEXT_MAX];
	uint32_t mine, theirs, seq;

	bases(w, f, &mine, &theirs);
	seq = p->seq - mine;
	stamp(w);
	printf("%c %-7s c%u %s ", moment == TRACE_SENT ? '-' : '>', leg_name((enum leg)f->leg),
	       f->owner->id, tuple_format(tuple, sizeof(tuple), &p->tuple));
	print_flags(p->flags);
	printf(" %u:%u(%u)", seq, seq + p->payload_len_bytes, p->payload_len_bytes);
	if (p->flags & TCP_FLAG_ACK)
		printf(" ack %u", p->ack - theirs);
	printf(" win %u", p->window);
	if (p->options.has_timestamps)
		printf(" TS %u/%u", p->options.ts_val, p->options.ts_ecr);
	for (unsigned i = 0; i < p->sack_count; i++)
		printf(" sack %u-%u", p->sack[i].left - theirs, p->sack[i].right - theirs);
	if (spoiled)
		printf(moment == TRACE_SENT ? " [lost]" : " [corrupt]");
	printf("\n");
}

void trace_packet(struct world *w, const struct flight *f, enum trace_moment moment, bool spoiled)
{
	const struct tcp_packet *p = &f->packet;
	uint64_t h = w->trace.hash;

	h = rng_join(h, w->now_us << 8 | (uint64_t)f->leg << 2 | (uint64_t)moment << 1 | spoiled);
	h = rng_join(h, (uint64_t)p->seq << 32 | p->ack);
	h = rng_join(h, (uint64_t)f->owner->id << 40 | (uint64_t)p->payload_len_bytes << 24 |
				(uint64_t)p->window << 8 | p->flags);
	w->trace.hash = h;
	if (w->trace.is_on)
		print_packet(w, f, moment, spoiled);
}
