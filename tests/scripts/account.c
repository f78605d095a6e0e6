/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scripts/account.h"

#include <string.h>

struct field {
	const char *name;
	size_t offset;
};

#define SESSIONS(name, field)                                 \
	{                                                     \
		name, offsetof(struct ledger_sessions, field) \
	}
#define TRAFFIC(name, field)                                 \
	{                                                    \
		name, offsetof(struct ledger_traffic, field) \
	}

static const struct field session_fields[] = {
	SESSIONS("started", started),
	SESSIONS("established", established),
	SESSIONS("active", active),
	SESSIONS("ended-by-client", ended_by_client),
	SESSIONS("ended-by-target", ended_by_target),
	SESSIONS("ended-by-us", ended_by_us),
	SESSIONS("joined", joined),
	SESSIONS("rejoined", rejoined),
	SESSIONS("joins-refused", joins_refused),
	SESSIONS("ended-unanswered", ended_unanswered),
};

static const struct field traffic_fields[] = {
	TRAFFIC("syn-sent", syn_sent),
	TRAFFIC("segments-sent", segments_sent),
	TRAFFIC("payload-segments-sent", payload_segments_sent),
	TRAFFIC("bytes-sent", bytes_sent),
	TRAFFIC("retransmitted", retransmitted),
	TRAFFIC("retransmit-timeouts", retransmit_timeouts),
	TRAFFIC("fast-retransmits", fast_retransmits),
	TRAFFIC("zero-window-probes", zero_window_probes),
	TRAFFIC("records", records),
	TRAFFIC("response-segments", response_segments),
	TRAFFIC("records-ignored", records_ignored),
	TRAFFIC("corrections", corrections),
	TRAFFIC("gates-by-answer", gates_by_answer),
	TRAFFIC("gates-by-settle", gates_by_settle),
	TRAFFIC("gates-by-close", gates_by_close),
	TRAFFIC("too-big", too_big),
	TRAFFIC("too-big-ignored", too_big_ignored),
	TRAFFIC("path-tests", path_tests),
	TRAFFIC("black-holes", black_holes),
	TRAFFIC("emit-full", emit_full),
	TRAFFIC("register-refused", register_refused),
};

/* What follows the prefix, or NULL. */
static const char *after(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 ? name + len : NULL;
}

static int get_field(uint64_t *value, const void *from, const struct field *fields, size_t count,
		     const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		memcpy(value, (const char *)from + fields[i].offset, sizeof(*value));
		return 0;
	}
	return -1;
}

static int get_packets(uint64_t *value, const struct ledger_packets *p, const char *name)
{
	for (int i = 0; i < PACKET_FATES; i++) {
		if (strcmp(packet_fate_name((enum packet_fate)i), name) != 0)
			continue;
		*value = p->fate[i];
		return 0;
	}
	*value = p->captured;
	return strcmp(name, "captured") == 0 ? 0 : -1;
}

static int get_cause(enum drop_cause *cause, const char *name, size_t len)
{
	for (int i = 0; i < DROP_CAUSES; i++) {
		const char *known = drop_cause_name((enum drop_cause)i);

		if (strlen(known) != len || strncmp(known, name, len) != 0)
			continue;
		*cause = (enum drop_cause)i;
		return 0;
	}
	return -1;
}

/* "delivered.bytes": one of the amounts of the stream. */
static int get_amount(uint64_t *value, const struct ledger_stream *s, const char *name)
{
	const char *dot = strchr(name, '.');
	const struct ledger_amount *amount;
	enum drop_cause cause;
	size_t len;

	if (!dot)
		return -1;
	len = (size_t)(dot - name);
	if (after(name, "captured."))
		amount = &s->captured;
	else if (after(name, "delivered."))
		amount = &s->delivered;
	else if (after(name, "in-flight."))
		amount = &s->in_flight;
	else if (get_cause(&cause, name, len) == 0)
		amount = &s->dropped[cause];
	else
		return -1;
	*value = strcmp(dot, ".bytes") == 0 ? amount->bytes : amount->requests;
	return strcmp(dot, ".bytes") == 0 || strcmp(dot, ".requests") == 0 ? 0 : -1;
}

int account_get(uint64_t *value, const struct ledger *l, size_t target, const char *name)
{
	const struct ledger_target *t = &l->targets[target];
	enum drop_cause cause;
	const char *rest;

	if ((rest = after(name, "packets.")))
		return get_packets(value, &l->packets, rest);
	if ((rest = after(name, "sessions.")))
		return get_field(value, &t->sessions, session_fields,
				 sizeof(session_fields) / sizeof(session_fields[0]), rest);
	if ((rest = after(name, "traffic.")))
		return get_field(value, &t->traffic, traffic_fields,
				 sizeof(traffic_fields) / sizeof(traffic_fields[0]), rest);
	if ((rest = after(name, "not-started."))) {
		if (get_cause(&cause, rest, strlen(rest)))
			return -1;
		*value = t->sessions.not_started[cause];
		return 0;
	}
	return get_amount(value, &t->stream, name);
}
