/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ledger_init(struct ledger *l, size_t target_count, size_t copies)
{
	assert(target_count <= TRANSFERS_MAX && copies);
	memset(l, 0, sizeof(*l));
	l->target_count = target_count;
	l->copy_count = copies;
	if (copies == 1)
		return 0;
	l->copies = calloc(target_count * copies, sizeof(*l->copies));
	if (l->copies)
		return 0;
	errno = ENOMEM;
	return -1;
}

void ledger_clear(struct ledger *l)
{
	memset(&l->packets, 0, sizeof(l->packets));
	memset(l->targets, 0, sizeof(l->targets));
	if (l->copies)
		memset(l->copies, 0, l->target_count * l->copy_count * sizeof(*l->copies));
}

void ledger_fini(struct ledger *l)
{
	free(l->copies);
	l->copies = NULL;
}

size_t ledger_memory(const struct ledger *l)
{
	return l->copies ? l->target_count * l->copy_count * sizeof(*l->copies) : 0;
}

static bool amount_equal(const struct ledger_amount *a, const struct ledger_amount *b)
{
	return a->bytes == b->bytes && a->requests == b->requests;
}

void ledger_taken_back(struct ledger *l, size_t target, size_t copy, uint64_t requests)
{
	struct ledger_stream *s = &l->targets[target].stream;
	struct ledger_copy *c = ledger_find_copy(l, target, copy);

	ledger_amount_take(&s->delivered, 0, requests);
	ledger_amount_add(&s->in_flight, 0, requests);
	if (c)
		ledger_amount_take(&c->delivered, 0, requests);
}

void ledger_dropped(struct ledger *l, size_t target, size_t copy, enum drop_cause cause,
		    uint64_t bytes, uint64_t requests)
{
	struct ledger_stream *s = &l->targets[target].stream;
	struct ledger_copy *c = ledger_find_copy(l, target, copy);

	ledger_amount_take(&s->in_flight, bytes, requests);
	ledger_amount_add(&s->dropped[cause], bytes, requests);
	if (c)
		ledger_amount_add(&c->dropped, bytes, requests);
}

static struct ledger_amount dropped_in_all(const struct ledger_stream *s)
{
	struct ledger_amount sum = {0};

	for (size_t i = 0; i < DROP_CAUSES; i++)
		ledger_amount_add(&sum, s->dropped[i].bytes, s->dropped[i].requests);
	return sum;
}

struct ledger_copy ledger_copy_of(const struct ledger *l, size_t target, size_t copy)
{
	const struct ledger_copy *c = ledger_find_copy(l, target, copy);
	const struct ledger_stream *s = &l->targets[target].stream;

	if (c)
		return *c;
	return (struct ledger_copy){
		.captured = s->captured,
		.delivered = s->delivered,
		.dropped = dropped_in_all(s),
	};
}

bool ledger_packets_add_up(const struct ledger *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < PACKET_FATES; i++)
		sum += l->packets.fate[i];
	return sum == l->packets.captured;
}

bool ledger_stream_adds_up(const struct ledger_stream *s)
{
	struct ledger_amount sum = dropped_in_all(s);

	ledger_amount_add(&sum, s->delivered.bytes, s->delivered.requests);
	ledger_amount_add(&sum, s->in_flight.bytes, s->in_flight.requests);
	return amount_equal(&sum, &s->captured);
}

static void copy_add(struct ledger_copy *to, const struct ledger_copy *from)
{
	ledger_amount_add(&to->captured, from->captured.bytes, from->captured.requests);
	ledger_amount_add(&to->delivered, from->delivered.bytes, from->delivered.requests);
	ledger_amount_add(&to->dropped, from->dropped.bytes, from->dropped.requests);
}

bool ledger_copies_add_up(const struct ledger *l, size_t target)
{
	const struct ledger_stream *s = &l->targets[target].stream;
	struct ledger_amount dropped = dropped_in_all(s);
	struct ledger_copy sum = {0};

	for (size_t i = 0; i < l->copy_count; i++) {
		struct ledger_copy c = ledger_copy_of(l, target, i);

		copy_add(&sum, &c);
	}
	return amount_equal(&sum.captured, &s->captured) &&
	       amount_equal(&sum.delivered, &s->delivered) && amount_equal(&sum.dropped, &dropped);
}

/* A ledger_target is counters and nothing else, so that totals are a loop over words. */
static_assert(sizeof(struct ledger_target) % sizeof(uint64_t) == 0, "only 64-bit counters");

static void target_add(struct ledger_target *to, const struct ledger_target *from)
{
	uint64_t *sum = (uint64_t *)to;
	const uint64_t *more = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += more[i];
}

void ledger_add(struct ledger *to, const struct ledger *from)
{
	assert(to->target_count == from->target_count && to->copy_count == from->copy_count);
	to->packets.captured += from->packets.captured;
	for (size_t i = 0; i < PACKET_FATES; i++)
		to->packets.fate[i] += from->packets.fate[i];
	for (size_t t = 0; t < from->target_count; t++)
		target_add(&to->targets[t], &from->targets[t]);
	for (size_t i = 0; from->copies && i < from->target_count * from->copy_count; i++)
		copy_add(&to->copies[i], &from->copies[i]);
}

void ledger_total(const struct ledger *l, struct ledger_target *total)
{
	memset(total, 0, sizeof(*total));
	for (size_t t = 0; t < l->target_count; t++)
		target_add(total, &l->targets[t]);
}

const char *drop_cause_name(enum drop_cause cause)
{
	switch (cause) {
	case DROP_BEFORE_JOIN:
		return "before-join";
	case DROP_NO_INTERCEPT:
		return "no-intercept";
	case DROP_PAUSED:
		return "paused";
	case DROP_CAPTURE_GAP:
		return "capture-gap";
	case DROP_SAMPLED_OUT:
		return "sampled-out";
	case DROP_RATE:
		return "rate";
	case DROP_LIMIT:
		return "limit";
	case DROP_BACKLOG:
		return "backlog";
	case DROP_NO_TUPLE:
		return "no-tuple";
	case DROP_NO_ADDRESS:
		return "no-address";
	case DROP_NOT_REPLAYABLE:
		return "not-replayable";
	case DROP_FAKED_CLIENT:
		return "faked-client";
	case DROP_ENCRYPTED:
		return "encrypted";
	case DROP_JOIN_REFUSED:
		return "join-refused";
	case DROP_TARGET_REFUSED:
		return "target-refused";
	case DROP_TARGET_RESET:
		return "target-reset";
	case DROP_TARGET_CLOSED:
		return "target-closed";
	case DROP_TIMED_OUT:
		return "timed-out";
	case DROP_CLIENT_RESET:
		return "client-reset";
	case DROP_SHUTDOWN:
		return "shutdown";
	case DROP_CAUSES:
		break;
	}
	return "unknown";
}

const char *drop_cause_text(enum drop_cause cause)
{
	switch (cause) {
	case DROP_BEFORE_JOIN:
		return "the connection's beginning was not captured: it is older than tcpcopy, or "
		       "the kernel dropped that";
	case DROP_NO_INTERCEPT:
		return "no link to intercept when the connection began: start intercept, check -s "
		       "and -p";
	case DROP_PAUSED:
		return "the target's answers did not come back, so the copy paused: see the log's "
		       "diagnosis";
	case DROP_CAPTURE_GAP:
		return "packets of the client were not captured (kernel drops? raise -B), or came "
		       "too late";
	case DROP_SAMPLED_OUT:
		return "not in the sample that was asked for (-r)";
	case DROP_RATE:
		return "more new sessions a second than --rate allows";
	case DROP_LIMIT:
		return "sessions or memory at their limit: raise -m; or too many half-open ones (a "
		       "flood of SYNs)";
	case DROP_BACKLOG:
		return "a quarter of -m (at least 16 MiB) of one connection was waiting: the "
		       "target or the way to it is slower than the client";
	case DROP_NO_TUPLE:
		return "no free address and port left: give more addresses with -c (for clients on "
		       "loopback: -H)";
	case DROP_NO_ADDRESS:
		return "clients that the target could not answer, of the other address family or "
		       "on loopback: give them addresses of the target's family with -c (for "
		       "loopback: -H)";
	case DROP_NOT_REPLAYABLE:
		return "this kind of connection cannot be replayed (Multipath TCP)";
	case DROP_FAKED_CLIENT:
		return "the client has an address of -c or -H: a copy of a copy, which might go "
		       "round for ever; real clients must lie outside -c";
	case DROP_ENCRYPTED:
		return "TLS, whose keys no copy can have: copy behind the proxy that ends it";
	case DROP_JOIN_REFUSED:
		return "the target does not take the connection without its beginning (login), "
		       "which "
		       "was before the copy began, or was refused";
	case DROP_TARGET_REFUSED:
		return "the target refused the connection: is its server running on that port?";
	case DROP_TARGET_RESET:
		return "the target reset the connection";
	case DROP_TARGET_CLOSED:
		return "the target closed the connection before it had everything (keep-alive "
		       "limit?)";
	case DROP_TIMED_OUT:
		return "the target did not answer within -t";
	case DROP_CLIENT_RESET:
		return "the client gave up before the target had everything";
	case DROP_SHUTDOWN:
		return "tcpcopy was stopped before the target had it";
	case DROP_CAUSES:
		break;
	}
	return "unknown";
}

const char *packet_fate_name(enum packet_fate fate)
{
	switch (fate) {
	case PACKET_FATE_USED:
		return "used";
	case PACKET_FATE_DUPLICATE:
		return "duplicate";
	case PACKET_FATE_CORRUPT:
		return "corrupt";
	case PACKET_FATE_MALFORMED:
		return "malformed";
	case PACKET_FATE_FRAGMENT:
		return "fragment";
	case PACKET_FATE_NOT_OURS:
		return "not-ours";
	case PACKET_FATES:
		break;
	}
	return "unknown";
}
