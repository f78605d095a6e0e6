/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scripts/play.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tcpcopy/session.h"
#include "tests/scripts/account.h"
#include "tests/scripts/match.h"
#include "tests/scripts/print.h"
#include "tests/scripts/world.h"

enum {
	SENT_TEXT_MAX = 256,
	FRAME_MAX = 256,
	CLOCK_OF_ISS_US = 4, /* RFC 6528 */
	CLOCK_OF_TS_US = 1000,
};

struct player {
	struct world *w;
	const struct step *step;
	char *error; /* PLAY_ERROR_MAX */
};

static int fail(struct player *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct player *p, const char *format, ...)
{
	size_t n =
		(size_t)snprintf(p->error, PLAY_ERROR_MAX, "%s:%d: ", p->step->file, p->step->line);
	va_list args;

	va_start(args, format);
	vsnprintf(p->error + n, PLAY_ERROR_MAX - n, format, args);
	va_end(args);
	return -1;
}

/* ---- what came ---- */

/* "P. 6:11(5) ack 301 win 65535 at 0.200 s", perhaps with whose it is. */
static const char *describe(char buf[SENT_TEXT_MAX + 64], const struct player *p,
			    const struct faked *f, const struct sent *s)
{
	const struct world *w = p->w;
	char text[SENT_TEXT_MAX];
	char whose[SCRIPT_NAME_MAX + 16] = "";

	if (!s)
		return "nothing";
	if (w->script->connection_count > 1 || w->transfer_count > 1)
		snprintf(whose, sizeof(whose), "%s/%zu: ", w->connections[f->connection].text->name,
			 f->transfer + 1);
	snprintf(buf, SENT_TEXT_MAX + 64, "%s%s, %.3f ms after the start", whose,
		 print_sent(text, sizeof(text), f, s), (double)(s->at_us - w->start_us) / 1000);
	return buf;
}

static int expect_silence(struct player *p)
{
	char buf[SENT_TEXT_MAX + 64];
	struct faked *f = NULL;
	const struct sent *s = world_unexpected(p->w, &f);

	if (s)
		return fail(p, "before this nothing more was expected; came %s",
			    describe(buf, p, f, s));
	return 0;
}

static int pass_in_silence(struct player *p)
{
	if (p->step->has_delay)
		world_pass(p->w, p->w->now_us + p->step->delay_us, NULL);
	return expect_silence(p);
}

/* Time passes; whatever is sent is of no interest, or only how much that is. */
static int pass_whatever_comes(struct player *p)
{
	uint64_t until_us = p->w->now_us + p->step->delay_us;
	size_t sent = world_forget(p->w);

	while (p->step->has_delay && p->w->now_us < until_us && !p->w->fault[0]) {
		world_pass(p->w, until_us, NULL);
		sent += world_forget(p->w);
	}
	if (p->step->verb == VERB_SENT && sent != p->step->number)
		return fail(p, "expected %" PRIu64 " segments; %zu were sent", p->step->number,
			    sent);
	return 0;
}

static int find_faked(struct player *p, struct faked **f)
{
	*f = world_faked(p->w, p->step);
	return *f ? 0 : fail(p, "this connection has no session");
}

/* Waits for the moment at which the segment is due; *s is what came by then, or NULL. */
static int await(struct player *p, struct faked **f, const struct sent **s)
{
	const struct step *step = p->step;
	uint64_t due_us = p->w->now_us + step->delay_us;

	if ((step->has_delay && expect_silence(p)) || find_faked(p, f))
		return -1;
	if (step->has_delay)
		world_pass(p->w, due_us + step->late_us, *f);
	*s = (*f)->first;
	return 0;
}

static bool came_too_early(const struct player *p, const struct sent *s, uint64_t from_us)
{
	return p->step->has_delay && s->at_us + p->step->early_us < from_us + p->step->delay_us;
}

static int expect_segment(struct player *p)
{
	char buf[SENT_TEXT_MAX + 64];
	uint64_t from_us = p->w->now_us;
	bool is_question = p->step->verb == VERB_EXPECT_QUESTION;
	const struct sent *s;
	struct faked *f;

	if (await(p, &f, &s))
		return -1;
	if (!s || came_too_early(p, s, from_us) ||
	    !(is_question ? match_question : match_segment)(f, s, &p->step->packet))
		return fail(p, "expected %s%s; came %s", is_question ? "a question " : "",
			    p->step->text, describe(buf, p, f, s));
	free(world_take(f));
	return 0;
}

/* Segments of any size that together are these bytes. */
static int expect_stream(struct player *p)
{
	const struct packet_text *wanted = &p->step->packet;
	char buf[SENT_TEXT_MAX + 64];
	uint32_t done = 0;
	unsigned segments = 0;
	const struct sent *s;
	struct faked *f;

	if (await(p, &f, &s))
		return -1;
	while (done < wanted->len_bytes) {
		const struct segment *seg = f->first ? &f->first->segment : NULL;

		if (!seg || seg->seq - f->iss != (uint32_t)wanted->seq + done ||
		    !seg->payload_len_bytes || seg->payload_len_bytes > wanted->len_bytes - done)
			return fail(p,
				    "expected a stream of %s, of which %u bytes came; then came %s",
				    p->step->text, done, describe(buf, p, f, f->first));
		done += seg->payload_len_bytes;
		segments++;
		free(world_take(f));
	}
	if (wanted->segments && segments != wanted->segments)
		return fail(p, "expected %u segments; came %u", wanted->segments, segments);
	return 0;
}

/* ---- looking ---- */

static int look_at_state(struct player *p)
{
	struct faked *f;
	const char *is;

	if (find_faked(p, &f))
		return -1;
	is = f->is_registered ? session_state_name((enum session_state)f->state) : "CLOSED";
	return strcmp(is, p->step->text) == 0
		       ? 0
		       : fail(p, "expected state %s; it is %s", p->step->text, is);
}

static int look_at_ledger(struct player *p)
{
	uint64_t is;

	if (account_get(&is, replay_ledger(p->w->replay), p->step->transfer, p->step->text))
		return fail(p, "the ledger has no %s", p->step->text);
	return is == p->step->number ? 0
				     : fail(p, "expected %s to be %" PRIu64 "; it is %" PRIu64,
					    p->step->text, p->step->number, is);
}

static int look_at_registered(struct player *p)
{
	size_t is = world_registered(p->w);

	return is == p->step->number
		       ? 0
		       : fail(p, "expected %" PRIu64 " sessions to be registered; there are %zu",
			      p->step->number, is);
}

static int look_at_tuple(struct player *p)
{
	char text[TUPLE_TEXT_MAX];
	struct tuple tuple;
	struct faked *f;

	if (find_faked(p, &f))
		return -1;
	tuple = tuple_reverse(&f->response);
	tuple_format(text, sizeof(text), &tuple);
	return strcmp(text, p->step->text) == 0
		       ? 0
		       : fail(p, "expected the tuple %s; it is %s", p->step->text, text);
}

static int look_at_iss(struct player *p)
{
	struct faked *f;

	if (find_faked(p, &f))
		return -1;
	return f->iss == p->step->number
		       ? 0
		       : fail(p, "expected an initial sequence number of %" PRIu64 "; it is %u",
			      p->step->number, f->iss);
}

/* A notice is told once; "none": there is none that was not asked about. */
static int look_at_notice(struct player *p)
{
	static const char *const names[] = {
		[REPLAY_NOTICE_UNANSWERED] = "unanswered",
		[REPLAY_NOTICE_PAUSED] = "paused",
		[REPLAY_NOTICE_RESUMED] = "resumed",
		[REPLAY_NOTICE_TRY_IP] = "try-ip",
		[REPLAY_NOTICE_TRY_LINK] = "try-link",
		[REPLAY_NOTICE_REFUSED] = "refused",
		[REPLAY_NOTICE_TABLE_FULL] = "table-full",
		[REPLAY_NOTICE_MEMORY] = "memory",
		[REPLAY_NOTICE_MUTE] = "mute",
		[REPLAY_NOTICE_FAKED_CLIENT] = "faked-client",
		[REPLAY_NOTICE_ENCRYPTED] = "encrypted",
		[REPLAY_NOTICE_JOIN_REFUSED] = "join-refused",
		[REPLAY_NOTICE_SYNS_ONLY] = "syns-only",
		[REPLAY_NOTICE_BRIEF_JOINS] = "brief-joins",
		[REPLAY_NOTICE_FRAGMENT] = "fragment",
		[REPLAY_NOTICE_CUT] = "cut",
		[REPLAY_NOTICE_MIRROR_FRAGMENTS] = "mirror-fragments",
		[REPLAY_NOTICE_PATH_MTU] = "path-mtu",
		[REPLAY_NOTICE_BLACK_HOLE] = "black-hole",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		unsigned *told = &p->w->notices[i];

		if (strcmp(p->step->text, "none") == 0 && *told)
			return fail(p, "expected no notice; '%s' was told", names[i]);
		if (strcmp(p->step->text, names[i]) != 0)
			continue;
		if (*told != 1)
			return fail(p, "expected the notice '%s' once; it was told %u times",
				    names[i], *told);
		*told = 0;
		return 0;
	}
	return strcmp(p->step->text, "none") == 0
		       ? 0
		       : fail(p, "there is no notice '%s'", p->step->text);
}

static int look_at_bool(struct player *p, bool is)
{
	const char *text = is ? "yes" : "no";

	return strcmp(text, p->step->text) == 0
		       ? 0
		       : fail(p, "expected %s; it is %s", p->step->text, text);
}

static int look_at_urgent(struct player *p)
{
	return look_at_bool(p, p->w->is_urgent);
}

static int look_at_paused(struct player *p)
{
	return look_at_bool(p, replay_is_paused(p->w->replay));
}

static int look_at_path_mtu(struct player *p)
{
	int mtu = replay_path_mtu(p->w->replay, p->step->transfer);

	return (uint64_t)mtu == p->step->number
		       ? 0
		       : fail(p, "expected packets of at most %" PRIu64 " bytes; it is %d",
			      p->step->number, mtu);
}

/* ---- doing ---- */

static int send_frame(struct player *p)
{
	uint8_t frame[FRAME_MAX];
	size_t len = 0;
	unsigned byte;

	for (const char *at = p->step->text; *at; at++) {
		if (*at == ' ')
			continue;
		if (len == FRAME_MAX || sscanf(at, "%2x", &byte) != 1)
			return fail(p, "a frame is at most %d bytes in hex", FRAME_MAX);
		frame[len++] = (uint8_t)byte;
		at++;
	}
	world_frame(p->w, frame, len);
	return 0;
}

static int say_for_target(struct player *p)
{
	struct faked *f;

	if (find_faked(p, &f))
		return -1;
	if (!f->has_syn)
		return fail(p, "no SYN has gone to the target that could answer");
	world_target(p->w, f, &p->step->packet);
	return 0;
}

static int refuse(struct player *p)
{
	struct faked *f;

	if (find_faked(p, &f))
		return -1;
	world_refuse(p->w, f);
	return 0;
}

/* FIRST mtu N [of N] */
static int say_too_big(struct player *p)
{
	unsigned mtu, len = 1500;
	int64_t seq;
	struct faked *f;
	int n = sscanf(p->step->text, "%" SCNd64 " mtu %u of %u", &seq, &mtu, &len);

	if (n < 2)
		return fail(p, "expected: too-big FIRST mtu N [of N]");
	if (find_faked(p, &f))
		return -1;
	world_too_big(p->w, f, seq, mtu, len);
	return 0;
}

/* Where in the client's stream this session begins, if it joined in the middle. */
static int set_beginning(struct player *p)
{
	struct faked *f;

	if (find_faked(p, &f))
		return -1;
	f->base = (int64_t)p->step->number;
	return 0;
}

static int capture_one(struct player *p)
{
	world_online(p->w, p->step);
	return 0;
}

static int flood(struct player *p)
{
	world_flood(p->w, p->step);
	return 0;
}

static int set_link(struct player *p)
{
	world_link(p->w, (unsigned)p->step->number);
	return 0;
}

static int set_room(struct player *p)
{
	world_room(p->w, strcmp(p->step->text, "any") == 0 ? -1 : (long)p->step->number);
	return 0;
}

static int set_batch(struct player *p)
{
	world_hold(p->w, p->step->verb == VERB_BATCH);
	return 0;
}

static int shut_down(struct player *p)
{
	world_shutdown(p->w);
	return 0;
}

static int nothing(struct player *p)
{
	(void)p;
	return 0; /* as before every event */
}

static const struct {
	int (*act)(struct player *p);
	enum {
		EVENT,   /* happens after the delay; all that came before must have been expected */
		AWAITED, /* deals with what came, and with the delay, itself */
		LOOK,    /* may stand between an event and what is expected of it */
	} kind;
} verbs[VERBS] = {
	[VERB_CLIENT] = {capture_one, EVENT},
	[VERB_SERVER] = {capture_one, EVENT},
	[VERB_TARGET] = {say_for_target, EVENT},
	[VERB_EXPECT] = {expect_segment, AWAITED},
	[VERB_EXPECT_QUESTION] = {expect_segment, AWAITED},
	[VERB_EXPECT_STREAM] = {expect_stream, AWAITED},
	[VERB_NOTHING] = {nothing, EVENT},
	[VERB_ANY] = {pass_whatever_comes, AWAITED},
	[VERB_SENT] = {pass_whatever_comes, AWAITED},
	[VERB_FLOOD] = {flood, EVENT},
	[VERB_FRAME] = {send_frame, EVENT},
	[VERB_REFUSED] = {refuse, EVENT},
	[VERB_TOO_BIG] = {say_too_big, EVENT},
	[VERB_LINK] = {set_link, EVENT},
	[VERB_ROOM] = {set_room, EVENT},
	[VERB_BATCH] = {set_batch, EVENT},
	[VERB_END] = {set_batch, EVENT},
	[VERB_SHUTDOWN] = {shut_down, EVENT},
	[VERB_BEGINS] = {set_beginning, LOOK},
	[VERB_STATE] = {look_at_state, LOOK},
	[VERB_LEDGER] = {look_at_ledger, LOOK},
	[VERB_REGISTERED] = {look_at_registered, LOOK},
	[VERB_TUPLE] = {look_at_tuple, LOOK},
	[VERB_ISS] = {look_at_iss, LOOK},
	[VERB_NOTICE] = {look_at_notice, LOOK},
	[VERB_URGENT] = {look_at_urgent, LOOK},
	[VERB_PAUSED] = {look_at_paused, LOOK},
	[VERB_PATH_MTU] = {look_at_path_mtu, LOOK},
};

static int do_step(struct player *p)
{
	bool is_event = verbs[p->step->verb].kind == EVENT ||
			(verbs[p->step->verb].kind == LOOK && p->step->has_delay);

	if (is_event && pass_in_silence(p))
		return -1;
	if (verbs[p->step->verb].act(p))
		return -1;
	return p->w->fault[0] ? fail(p, "%s", p->w->fault) : 0;
}

static int play_steps(struct player *p, const struct script *script)
{
	for (size_t i = 0; i < script->step_count; i++) {
		p->step = &script->steps[i];
		if (do_step(p))
			return -1;
	}
	return script->step_count ? expect_silence(p) : 0;
}

/*
 * The first moment at which the first SYN has the numbers that the configuration asks for: a trial
 * tells which it has at another moment, and how fast those clocks run is known.
 */
static int choose_start(const struct script *script, uint64_t *start_us, char *error)
{
	const struct script_config *config = &script->config;
	struct world *w;
	char ignored[SCRIPT_TEXT_MAX];
	const struct faked *f;

	*start_us = config->clock_us;
	if (!config->has_iss && !config->has_ts)
		return 0;
	w = world_new(script, *start_us, NULL, error);
	if (!w)
		return -1;
	for (size_t i = 0; i < script->step_count && !w->fakeds; i++)
		if (script->steps[i].verb == VERB_CLIENT)
			world_online(w, &script->steps[i]);
	f = w->fakeds;
	if (f && config->has_iss)
		*start_us += (uint64_t)(config->iss - f->iss) * CLOCK_OF_ISS_US;
	else if (f)
		*start_us += (uint64_t)(config->ts - f->ts_first) * CLOCK_OF_TS_US;
	world_free(w, ignored);
	return 0;
}

int play(const struct script *script, FILE *trace, char error[PLAY_ERROR_MAX])
{
	struct player p = {.error = error};
	char fault[SCRIPT_TEXT_MAX];
	uint64_t start_us;
	int result;

	if (choose_start(script, &start_us, error))
		return -1;
	p.w = world_new(script, start_us, trace, error);
	if (!p.w)
		return -1;
	result = play_steps(&p, script);
	world_free(p.w, fault);
	if (!result && fault[0])
		return p.step ? fail(&p, "%s", fault) : -1;
	return result;
}
