/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "tcpcopy/session.h"
#include "tests/sim/world.h"

void oracle_fail(struct world *w, const char *format, ...)
{
	struct oracle *o = &w->oracle;
	va_list args;

	if (!o->first)
		o->first = format;
	if (o->failures++ >= ORACLE_SHOWN_MAX || o->is_quiet)
		return;
	printf("seed %" PRIu64 ", %.6f s: ", w->settings->seed,
	       (double)(w->now_us - w->started_us) / 1e6);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* ---- 4, 5: sums and caps ---- */

void oracle_step(struct world *w)
{
	const struct ledger *l = replay_ledger(w->copy.replay);
	size_t memory = replay_memory(w->copy.replay);
	uint64_t active = 0;

	if (!ledger_packets_add_up(l) || l->packets.captured != w->copy.frames)
		oracle_fail(w, "the ledger's packets do not add up");
	for (size_t i = 0; i < l->target_count; i++) {
		const struct ledger_target *t = &l->targets[i];

		active += t->sessions.active;
		for (int cause = 0; cause < DROP_CAUSES; cause++)
			if (t->sessions.not_started[cause] > INT64_MAX)
				oracle_fail(w, "fewer than no connections are not copied: %s",
					    drop_cause_name((enum drop_cause)cause));
		if (!ledger_stream_adds_up(&t->stream))
			oracle_fail(w, "the ledger's stream of target %zu does not add up", i);
		if (!ledger_copies_add_up(l, i))
			oracle_fail(w, "the copies at target %zu do not make up its stream", i);
		if (t->stream.delivered.bytes > w->target.accepted[i] - w->target.before[i] &&
		    !w->settings->lies)
			oracle_fail(w,
				    "%" PRIu64 " bytes are delivered, but target %zu took %" PRIu64,
				    t->stream.delivered.bytes, i,
				    w->target.accepted[i] - w->target.before[i]);
	}
	if (active > w->oracle.sessions_most)
		w->oracle.sessions_most = active;
	if (active != w->copy.fakes.registered)
		oracle_fail(w, "%" PRIu64 " sessions are active, %" PRIu64 " are registered",
			    active, w->copy.fakes.registered);
	if (memory > w->settings->max_memory_bytes)
		oracle_fail(w, "replay holds %zu bytes, its limit is %" PRIu64, memory,
			    w->settings->max_memory_bytes);
}

/* ---- 10: nobody is starved ---- */

enum {
	BATCH_MAX_BYTES = 1 << 20, /* replay.c */
	TURN_MAX_BYTES =
		SESSION_QUANTUM_BYTES + 32768, /* the last descriptor, and what is repeated */
};

void oracle_on_batch(struct world *w)
{
	w->oracle.batch++;
	w->oracle.batch_bytes = w->oracle.bytes_of_one = 0;
}

/* What another one's turn brings forth (a session that joins) may come behind a second turn. */
void oracle_on_said(struct world *w, struct faked *f, uint32_t len_bytes)
{
	struct oracle *o = &w->oracle;

	if (f->batch != o->batch) {
		f->batch_bytes = 0;
		if (o->bytes_of_one > 2 * TURN_MAX_BYTES)
			oracle_fail(w,
				    "conversation %u has its turn behind %" PRIu64
				    " bytes of another session",
				    f->owner->id, o->bytes_of_one);
	}
	f->batch = o->batch;
	f->batch_bytes += len_bytes;
	o->batch_bytes += len_bytes;
	if (f->batch_bytes > o->bytes_of_one)
		o->bytes_of_one = f->batch_bytes;
	if (o->batch_bytes > o->batch_most)
		o->batch_most = o->batch_bytes;
	if (o->batch_bytes > BATCH_MAX_BYTES + TURN_MAX_BYTES)
		oracle_fail(w, "a batch has no end: %" PRIu64 " bytes", o->batch_bytes);
}

/* ---- 1, 2, 7: what arrives at the target ---- */

/* Nothing is lost and the answers are the same: then every byte that the client had seen was sent. */
static void judge_answers(struct world *w, const struct target_connection *c, uint32_t turn)
{
	const struct script *s = &c->owner->script;
	uint64_t needed =
		script_seen_before(s, turn) - script_seen_before(s, script_turn_at(s, c->start));
	const struct tcp_vars *v;

	if (!s->is_identical || !c->end.tcp || w->settings->lies || w->settings->no_wait ||
	    !settings_target_is_clean(w->settings) || !settings_capture_is_clean(w->settings))
		return;
	v = tcp_vars(c->end.tcp);
	if (v->snd_nxt - v->iss - 1 < needed)
		oracle_fail(w,
			    "conversation %u: turn %u arrives after %u bytes of answers, the "
			    "client had seen %" PRIu64,
			    c->owner->id, turn, v->snd_nxt - v->iss - 1, needed);
}

static struct copied *copy_of(const struct target_connection *c)
{
	const struct faked *f = c->faked;

	return &c->owner->copies[f ? f->transfer : 0][f ? f->copy : 0];
}

/*
 * A request may come once more only where nobody can know that it came before: the connection to the target
 * ended without an acknowledgement of all of it.
 */
static void begin_turn(struct world *w, struct target_connection *c)
{
	const struct script_turn *t = &c->owner->script.turns[c->turn];
	const struct copied *copy = copy_of(c);

	if (c->turn < copy->next_turn && !w->settings->lies &&
	    (copy->heard >= t->start + t->request_bytes || t->start != c->start))
		oracle_fail(w, "conversation %u: request %u comes once more", c->owner->id,
			    c->turn);
	if (c->end.tcp)
		judge_answers(w, c, c->turn);
}

static void end_turn(struct world *w, struct target_connection *c)
{
	w->target.requests[c->faked ? c->faked->transfer : 0]++;
	copy_of(c)->next_turn = ++c->turn;
}

static void count_accepted(struct world *w, struct target_connection *c, uint32_t off, uint32_t end)
{
	struct copied *copy = copy_of(c);
	uint32_t fresh = end > copy->high ? end - (off > copy->high ? off : copy->high) : 0;

	copy->accepted += fresh;
	copy->high = end > copy->high ? end : copy->high;
	w->target.repeated[c->faked ? c->faked->transfer : 0] += end - off - fresh;
	c->accepted += end - off;
}

void oracle_on_accepted(struct world *w, struct target_connection *c, const uint8_t *bytes,
			uint32_t len)
{
	const struct script *s = &c->owner->script;
	uint32_t off = c->start + c->accepted, end = off + len;

	if (c->has_failed || !script_matches(s, off, bytes, len))
		w->oracle.wrong_bytes += len;
	if (c->has_failed)
		return;
	if (!script_matches(s, off, bytes, len)) {
		c->has_failed = true;
		oracle_fail(w, "conversation %u: the target takes other bytes than the client sent",
			    c->owner->id);
		return;
	}
	if (end > c->owner->passed_end && !(c->owner->passed && c->owner->passed->is_vague))
		oracle_fail(w,
			    "conversation %u: the target takes byte %u, online only %" PRIu64
			    " passed",
			    c->owner->id, end, c->owner->passed_end);
	while (c->turn < s->turn_count && off < end) {
		const struct script_turn *t = &s->turns[c->turn];
		uint32_t turn_end = t->start + t->request_bytes;

		if (!t->request_bytes) {
			c->turn++;
			continue;
		}
		if (off == t->start)
			begin_turn(w, c);
		if (turn_end > end)
			break;
		off = turn_end;
		end_turn(w, c);
	}
	count_accepted(w, c, end - len, end);
}

/* ---- the end ---- */

/* What had gaps on its way to the host is given up by right, and what its clients repeat is too late. */
static uint32_t allowed_drops(const struct world *w)
{
	uint32_t mask = settings_drops(w->settings);

	if (settings_online_loses(w->settings))
		mask |= 1U << DROP_BEFORE_JOIN;
	/* Where it is not known whose connection this is, the target's application cannot answer. */
	for (const struct target_connection *c = w->target.all; c; c = c->next_of_all)
		if (!c->is_identified)
			mask |= 1U << DROP_TIMED_OUT;
	for (uint32_t i = 0; i < w->conversations.count; i++)
		if (w->conversations.all[i].has_gap ||
		    settings_ends_blurred(w->settings,
					  (enum script_end)w->conversations.all[i].script.end))
			mask |= 1U << DROP_CAPTURE_GAP | 1U << DROP_BEFORE_JOIN;
	return mask;
}

static void judge_streams(struct world *w)
{
	const struct ledger *l = replay_ledger(w->copy.replay);
	uint32_t allowed = allowed_drops(w);

	for (size_t i = 0; i < l->target_count; i++) {
		const struct ledger_stream *s = &l->targets[i].stream;
		uint64_t taken = w->target.accepted[i] - w->target.repeated[i];
		uint64_t unknown = w->target.unknown[i];
		uint64_t dropped = 0;

		for (int cause = 0; cause < DROP_CAUSES; cause++) {
			dropped += s->dropped[cause].bytes;
			if (!(allowed & 1U << cause) &&
			    (s->dropped[cause].bytes || s->dropped[cause].requests))
				oracle_fail(w,
					    "target %zu: %" PRIu64 " bytes, %" PRIu64
					    " requests dropped: %s",
					    i, s->dropped[cause].bytes, s->dropped[cause].requests,
					    drop_cause_name((enum drop_cause)cause));
		}
		if (w->settings->lies || w->copy.has_restarted)
			continue;
		if (taken > s->delivered.bytes + dropped + unknown ||
		    (!dropped && !unknown && taken != s->delivered.bytes))
			oracle_fail(w,
				    "target %zu took %" PRIu64 " bytes, delivered are %" PRIu64
				    ", dropped %" PRIu64,
				    i, taken, s->delivered.bytes, dropped);
	}
}

static void judge_copies(struct world *w, const struct conversation *c, unsigned transfer)
{
	for (unsigned copy = 0; copy < w->settings->copies; copy++)
		if (c->copies[transfer][copy].accepted != c->passed_end)
			oracle_fail(w,
				    "conversation %u: target %u took %" PRIu64 " of %" PRIu64
				    " bytes of copy %u",
				    c->id, transfer, c->copies[transfer][copy].accepted,
				    c->passed_end, copy);
}

/* Everything that a conversation's client said must have arrived at each of its targets. */
static void judge_conversations(struct world *w)
{
	for (uint32_t i = 0; i < w->conversations.count; i++) {
		const struct conversation *c = &w->conversations.all[i];

		if (!c->is_begun || c->has_gap || c->script.end == END_REFUSED)
			continue;
		if (settings_ends_blurred(w->settings, (enum script_end)c->script.end) ||
		    !settings_samples(w->settings, &c->tuple.src))
			continue;
		for (unsigned t = 0; t < w->settings->transfers; t++)
			if (t % SIM_PORTS == c->port)
				judge_copies(w, c, t);
	}
}

/* ---- 8: what the capture has missed ---- */

/* The first request at or behind this one that was missed; turn_count: none. */
static uint32_t first_missed(const struct conversation *c, uint32_t turn)
{
	while (turn < c->script.turn_count && !(c->missed.turns >> turn & 1))
		turn++;
	return turn;
}

/* A session delivers all up to the first gap behind its beginning. If anything shows the gap, the session ends there. */
static void judge_session(struct world *w, const struct faked *f)
{
	const struct conversation *c = f->owner;
	const struct script_turn *gap;
	uint32_t turn, end;

	if (!f->is_located || !f->connection) {
		oracle_fail(w, "session %u has said nothing", f->id);
		return;
	}
	if (f->start && !w->settings->joins)
		oracle_fail(w, "conversation %u is joined at byte %u", c->id, f->start);
	turn = first_missed(c, script_turn_at(&c->script, f->start));
	gap = turn < c->script.turn_count ? &c->script.turns[turn] : NULL;
	end = gap ? gap->start : c->script.length_bytes;
	w->oracle.gaps_made += gap ? c->missed.shown >= gap->start + gap->request_bytes
				   : c->missed.fin && c->missed.shown > c->script.length_bytes;
	if (f->connection->accepted != end - f->start)
		oracle_fail(
			w, "conversation %u: a session takes %u bytes from %u on, the gap is at %u",
			c->id, f->connection->accepted, f->start, end);
}

/* Adds what was captured of this conversation. It is complete at its target if nothing was missed, and only then. */
static void judge_missed(struct world *w, const struct conversation *c, struct ledger_amount *seen)
{
	const struct missed *m = &c->missed;
	uint64_t accepted = c->copies[c->port][0].accepted;
	bool is_complete = accepted == c->script.length_bytes;

	for (uint32_t i = 0; i < c->script.turn_count; i++) {
		struct ledger_amount *to = m->turns >> i & 1 ? &w->oracle.missed : seen;

		to->requests++;
		to->bytes += c->script.turns[i].request_bytes;
	}
	w->oracle.complete += is_complete;
	if (!settings_samples(w->settings, &c->tuple.src))
		return; /* nothing of it may be copied: copy.c */
	w->oracle.gaps_made += m->syn && m->has_said;
	if (is_complete == (m->syn || m->turns))
		oracle_fail(w, "conversation %u: the target took %" PRIu64 " of %u bytes, %s",
			    c->id, accepted, c->script.length_bytes,
			    is_complete ? "not all was captured" : "all was captured");
}

/* seen: what was captured for this target. */
static void judge_account(struct world *w, unsigned target, const struct ledger_amount *seen)
{
	const struct ledger_target *account = &replay_ledger(w->copy.replay)->targets[target];
	const struct ledger_stream *s = &account->stream;

	w->oracle.gaps_named +=
		account->sessions.ended_by_us + account->sessions.not_started[DROP_BEFORE_JOIN];
	if (s->captured.bytes != seen->bytes || s->captured.requests != seen->requests)
		oracle_fail(w,
			    "target %u: captured are %" PRIu64 " bytes and %" PRIu64
			    " requests, in the ledger %" PRIu64 " and %" PRIu64,
			    target, seen->bytes, seen->requests, s->captured.bytes,
			    s->captured.requests);
	if (s->delivered.requests != w->target.requests[target])
		oracle_fail(w, "target %u took %" PRIu64 " requests, in the ledger are %" PRIu64,
			    target, w->target.requests[target], s->delivered.requests);
}

static void judge_gaps(struct world *w)
{
	struct ledger_amount seen[SIM_PORTS] = {{0}};

	for (uint32_t i = 0; i < w->conversations.count; i++) {
		const struct conversation *c = &w->conversations.all[i];

		if (c->is_begun)
			judge_missed(w, c, &seen[c->port]);
	}
	for (const struct faked *f = w->copy.fakes.all; f; f = f->next_of_all)
		judge_session(w, f);
	for (unsigned t = 0; t < SIM_PORTS; t++)
		judge_account(w, t, &seen[t]);
	if (w->oracle.gaps_made != w->oracle.gaps_named)
		oracle_fail(w, "%" PRIu64 " gaps were made, %" PRIu64 " are in the ledger",
			    w->oracle.gaps_made, w->oracle.gaps_named);
}

void oracle_end(struct world *w)
{
	const struct ledger *l = replay_ledger(w->copy.replay);
	struct oracle *o = &w->oracle;
	struct response_counters counters;

	for (size_t i = 0; i < l->target_count; i++) {
		o->stuck += l->targets[i].sessions.active;
		if (settings_is_exact(w->settings, (unsigned)i) &&
		    l->targets[i].traffic.retransmitted)
			oracle_fail(w,
				    "target %zu: %" PRIu64
				    " segments were sent again, nothing was lost",
				    i, l->targets[i].traffic.retransmitted);
		if (settings_is_exact(w->settings, (unsigned)i) &&
		    l->targets[i].traffic.gates_by_settle)
			oracle_fail(w,
				    "target %zu: %" PRIu64 " gates settled, with identical answers",
				    i, l->targets[i].traffic.gates_by_settle);
	}
	if (o->stuck)
		oracle_fail(w, "%" PRIu64 " sessions are stuck", o->stuck);
	if (w->conversations.over < w->conversations.count)
		oracle_fail(w, "%u conversations are stuck online",
			    w->conversations.count - w->conversations.over);
	o->stuck += w->conversations.count - w->conversations.over;
	if (replay_connections(w->copy.replay))
		oracle_fail(w, "%zu connections are still followed",
			    replay_connections(w->copy.replay));
	judge_streams(w);
	if (settings_delivers_all(w->settings))
		judge_conversations(w);
	if (settings_misses_are_known(w->settings))
		judge_gaps(w);
	if (w->assistant.response) {
		response_get_counters(w->assistant.response, &counters);
		if (counters.routes)
			oracle_fail(w, "%" PRIu64 " routes are left at intercept", counters.routes);
	}
}

void oracle_after_shutdown(struct world *w)
{
	const struct ledger *l = replay_ledger(w->copy.replay);

	if (w->copy.fakes.registered)
		oracle_fail(w, "%" PRIu64 " sessions are registered after the shutdown",
			    w->copy.fakes.registered);
	for (size_t i = 0; i < l->target_count; i++)
		if (l->targets[i].stream.in_flight.bytes || l->targets[i].stream.in_flight.requests)
			oracle_fail(w, "target %zu: something is in flight after the shutdown", i);
}
