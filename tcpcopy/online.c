/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/online.h"

#include <errno.h>
#include <string.h>

#include "common/out_of_line.h"
#include "common/seq.h"
#include "common/tcp_option.h"
#include "tcpcopy/online_private.h"
#include "tcpcopy/tls.h"

const char *online_state_name(enum online_state state)
{
	static const char *const names[ONLINE_STATES] = {
		[ONLINE_OPENING] = "opening",
		[ONLINE_OPEN] = "open",
		[ONLINE_ENDED] = "ended",
		[ONLINE_LOST] = "lost",
	};

	return names[state];
}

void online_init(struct online *o, const struct tuple *tuple, uint32_t isn, bool began)
{
	memset(o, 0, sizeof(*o));
	o->tuple = *tuple;
	o->isn = isn;
	o->known_seq = isn + 1;
	o->began = began;
	o->hello = TLS_HELLO_NONE;
	o->state = ONLINE_OPENING;
	segment_queue_init(&o->queue, 0);
	turn_list_init(&o->turns);
}

void online_fini(struct online *o, struct session_env *env)
{
	timer_wheel_cancel(env->online_wheel, &o->timer);
	segment_queue_fini(&o->queue, env->blocks);
	turn_list_fini(&o->turns, env->turns);
}

void online_lose(struct online *o, uint32_t seq)
{
	o->state = ONLINE_LOST;
	o->end_kind = TURN_DATA;
	o->known_seq = seq;
	o->hole_since_us = 0;
	o->has_end = false;
}

void online_offer(struct session_offer *offer, const struct packet *p)
{
	struct tcp_options opt;

	/* What was good before a malformed option still counts: the kernel reads it so too. */
	tcp_options_parse(&opt, p->options, p->options_len_bytes);
	*offer = (struct session_offer){
		.mss = opt.has_mss ? opt.mss : 0,
		.window_scale = opt.window_scale,
		.has_window_scale = opt.has_window_scale,
		.has_sack_permitted = opt.has_sack_permitted,
		.has_timestamps = opt.has_timestamps,
	};
}

void online_account_captured(struct online *o, struct session_env *env, uint64_t bytes,
			     uint64_t requests)
{
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		session_account_captured(s, env, bytes, requests);
}

/* Captured, but for nobody: of a connection that is not followed any more. */
void online_account_lost(struct online *o, struct session_env *env, uint64_t bytes,
			 uint64_t requests)
{
	for (struct session *s = o->sessions; s; s = s->next_of_online) {
		session_account_captured(s, env, bytes, requests);
		session_account_dropped(s, env, DROP_CAPTURE_GAP, bytes, requests);
	}
}

void online_cut_short(struct online *o, struct session_env *env)
{
	struct turn *last = turn_list_last(&o->turns, env->turns);
	bool is_new = last && last->kind == TURN_DATA && !last->is_cut;

	for (struct session *s = o->sessions; s; s = s->next_of_online) {
		session_take_back(s, env, DROP_CAPTURE_GAP);
		if (is_new && s->acked_turn != SLAB_NONE)
			session_account_dropped(s, env, DROP_CAPTURE_GAP, 0, 1);
	}
	if (is_new)
		last->is_cut = true;
}

/* Response bytes that the client had seen when it sent this ACK; the server's FIN is not one. */
uint64_t online_seen_by(const struct online *o, uint32_t ack)
{
	int64_t distance = seq_diff(ack, o->ack_last);
	uint64_t seen;

	if (distance > 0)
		distance = 0; /* take_ack did not believe it */
	if (distance < 0 && (uint64_t)-distance > o->seen)
		return 0;
	seen = o->seen + (uint64_t)distance;
	if (o->has_server_fin && seen && seq_gt(ack, o->server_fin_seq))
		seen--;
	return seen;
}

/*
 * An ACK may advance by a window at most, unless many packets were not captured: then the next one goes on from there.
 */
static OUT_OF_LINE bool goes_on_far(struct online *o, uint32_t ack)
{
	bool goes_on = o->has_far_ack && ack - o->far_ack <= ONLINE_RESPONSE_JUMP_MAX;

	o->has_far_ack = !goes_on;
	o->far_ack = ack;
	return goes_on;
}

/* The client's acknowledgement. True if it said something new. */
static IN_LINE bool take_ack(struct online *o, const struct session_env *env,
			     const struct packet *p)
{
	uint32_t distance = p->ack - o->ack_last;

	if (!(p->flags & TCP_ACK))
		return false;
	if (!o->has_ack) {
		o->ack_last = p->ack;
		o->has_ack = true;
		return true;
	}
	if (distance == 0 || -distance <= ONLINE_RESPONSE_JUMP_MAX)
		return false;
	if (distance > ONLINE_RESPONSE_JUMP_MAX && !goes_on_far(o, p->ack))
		return false;
	o->has_far_ack = false;
	o->seen += distance;
	o->seen_us = env->now_us;
	o->ack_last = p->ack;
	return true;
}

static void announce(struct online *o, struct session_env *env, struct turn *t, bool is_new)
{
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		session_on_stream(s, env, t, is_new);
}

/* Ends the sessions that have not delivered what lies before off. */
static void shed_slower(struct online *o, struct session_env *env, uint64_t off,
			enum drop_cause cause)
{
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		if (session_is_live(s) && s->una_off < off)
			session_abort(s, env, cause);
	online_release(o, env);
}

/* No memory for a turn: what cannot be described cannot be said in its order. */
static void give_up(struct online *o, struct session_env *env, enum drop_cause cause)
{
	shed_slower(o, env, UINT64_MAX, cause);
	segment_queue_drop_beyond(&o->queue, env->blocks); /* what was in flight is accounted */
	o->has_newest = false; /* it may lie before a hole: nothing that follows is judged by it */
	online_lose(o, o->known_seq);
	online_release(o, env);
}

/* The client speaks TLS from here on: nothing that follows can be copied. */
static void refuse_encrypted(struct online *o, struct session_env *env)
{
	bool was_followed = o->state != ONLINE_LOST;

	for (struct session *s = o->sessions; s; s = s->next_of_online) {
		session_tell_encrypted(s, env);
		if (!session_is_live(s))
			s->closed_cause = DROP_ENCRYPTED;
	}
	if (was_followed)
		give_up(o, env, DROP_ENCRYPTED);
}

/* Copies at most len bytes of the stream. */
static size_t read_stream(const struct online *o, const struct session_env *env, uint64_t off,
			  uint8_t *bytes, size_t len)
{
	struct iovec iov[2];
	uint16_t count;
	size_t at = 0;

	segment_queue_peek(&o->queue, env->blocks, off, len, iov, 2, &count);
	for (unsigned i = 0; i < count; i++) {
		memcpy(bytes + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return at;
}

bool online_is_encrypted(const struct online *o, const struct session_env *env, uint64_t off)
{
	uint8_t header[TLS_HEADER_LEN];
	uint64_t at = off;

	for (unsigned i = 0; i < TLS_RECORDS_TELLING && at < o->queue.end; i++) {
		size_t record;

		if (read_stream(o, env, at, header, sizeof(header)) < sizeof(header))
			break;
		record = tls_record_len(header);
		if (!record)
			return false;
		at += record;
	}
	return at > off;
}

/* It may be one, or the rest of one. */
static OUT_OF_LINE void match_hello(struct online *o, const struct session_env *env, uint64_t start)
{
	uint8_t bytes[TLS_HELLO_LEN];

	o->hello =
		tls_match_hello(o->hello, bytes, read_stream(o, env, start, bytes, sizeof(bytes)));
}

/*
 * The client begins to speak TLS with the segment at start, or goes on with what may be a
 * ClientHello: at its beginning, after an answer (STARTTLS), or behind a short write that no answer
 * is waited for (MySQL's request for it, the line of a proxy). What comes in the middle of a
 * request, an upload say, only looks like it.
 */
static bool begins_tls(struct online *o, const struct session_env *env, uint64_t start,
		       bool is_request)
{
	uint64_t said = o->queue.end - start;

	if (is_request)
		o->said = 0;
	if (is_request ||
	    (o->newest.pushed && o->said <= ONLINE_PREFACE_MAX && o->hello == TLS_HELLO_NONE))
		o->hello = 0;
	o->said = (uint8_t)(said < (uint64_t)(UINT8_MAX - o->said) ? o->said + said : UINT8_MAX);
	if (o->hello == TLS_HELLO_NONE)
		return false;
	if (o->hello == 0 && segment_queue_byte(&o->queue, env->blocks, start) != TLS_HELLO_FIRST)
		o->hello = TLS_HELLO_NONE;
	else
		match_hello(o, env, start);
	return o->hello == TLS_HELLO_LEN;
}

static struct segment_note note_of(const struct online *o, const struct session_env *env,
				   const struct packet *p)
{
	return (struct segment_note){
		.seen = online_seen_by(o, p->flags & TCP_ACK ? p->ack : o->ack_last),
		.seen_us = o->seen_us,
		.at_us = env->now_us,
		.pushed = p->flags & TCP_PSH,
		.small = p->payload_wire_len_bytes < ONLINE_BOUNDARY_SMALL,
		.cut = p->payload_len_bytes < p->payload_wire_len_bytes,
	};
}

/* The client's write had ended, so it may have waited for what it has seen since. */
static bool may_have_waited(const struct online *o)
{
	return !o->has_newest || o->newest.pushed || !o->ever_pushed;
}

/* It has seen more of an answer in the middle of a write: it speaks while answers are on their way. */
static void notice_streaming(struct online *o, const struct segment_note *note)
{
	if (o->has_newest && !may_have_waited(o) && note->seen > o->newest.seen)
		o->is_streaming = true;
}

static bool is_boundary(const struct online *o, const struct session_env *env,
			const struct segment_note *note)
{
	return o->has_newest && online_is_boundary(o, env, &o->newest, o->turns.seen, note);
}

/* p is that segment. Its ACK has been taken. */
static bool begins_request(const struct online *o, const struct session_env *env,
			   const struct packet *p)
{
	struct segment_note note = note_of(o, env, p);

	return p->payload_len_bytes && p->seq == o->known_seq && is_boundary(o, env, &note);
}

/* Where a request would begin, a record does. */
static bool goes_on_with_tls(const struct online *o, const struct session_env *env,
			     const struct packet *p)
{
	return tls_is_records(p->payload, p->payload_len_bytes) && begins_request(o, env, p);
}

/* The first that the client says after its SYN. */
static bool is_beginning(const struct online *o, const struct packet *p)
{
	return o->began && !o->has_newest && o->known_seq == o->isn + 1 && p->seq == o->known_seq &&
	       !(p->flags & TCP_RST);
}

/* Sessions that have none begin at the end of the stream, with p. In the middle of TLS nobody can. */
static void join_sessions(struct online *o, struct session_env *env, bool whole,
			  const struct packet *p)
{
	bool is_encrypted = !whole && tls_is_records(p->payload, p->payload_len_bytes);

	for (struct session *s = o->sessions; s; s = s->next_of_online) {
		if (!is_encrypted) {
			session_join(s, env, o->queue.end, whole);
		} else if (session_may_join(s, env, whole)) {
			session_tell_encrypted(s, env);
			s->closed_cause = DROP_ENCRYPTED;
		}
	}
}

/* Likewise, if p is the first after the SYN or a request begins with it. */
static OUT_OF_LINE void join_if_it_begins(struct online *o, struct session_env *env,
					  const struct packet *p)
{
	bool whole = is_beginning(o, p);

	if (whole || (p->seq == online_next_seq(o) && begins_request(o, env, p)))
		join_sessions(o, env, whole, p);
}

/* A target that does not even take what came before the gap keeps no other waiting. */
static void end_stuck_sessions(struct online *o, struct session_env *env)
{
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		if (session_is_live(s) && env->now_us >= s->progress_us + ONLINE_GAP_US)
			session_abort(s, env, DROP_CAPTURE_GAP);
}

static bool any_may_join(const struct online *o, const struct session_env *env, bool whole)
{
	for (const struct session *s = o->sessions; s; s = s->next_of_online)
		if (session_may_join(s, env, whole))
			return true;
	return false;
}

/*
 * A connection that was not followed is followed again, from p on, if a request begins there, or if p is the
 * first after the SYN: then nothing is missing. What a session still says of the time before comes first.
 */
static bool follow_again(struct online *o, struct session_env *env, const struct packet *p)
{
	bool whole = is_beginning(o, p);

	if ((!whole && !begins_request(o, env, p)) || !any_may_join(o, env, whole))
		return false;
	end_stuck_sessions(o, env);
	if (online_has_live_session(o))
		return false;
	segment_queue_fini(&o->queue, env->blocks);
	segment_queue_init(&o->queue, 0);
	o->isn = p->seq - 1;
	o->was_cut = false;
	o->state = ONLINE_OPEN;
	join_sessions(o, env, whole, p);
	online_arm(o, env);
	return true;
}

/* A write that ended with a small segment was no piece of a larger one: it may have been a request. */
static void count_writes(struct online *o, const struct turn *t, bool is_new)
{
	if (is_new)
		o->writes = 1;
	else if (o->has_newest && o->newest.pushed && o->newest.small)
		o->writes++;
	if (o->writes > o->writes_max)
		o->writes_max = o->writes;
	if (t->need > o->need_max)
		o->need_max = t->need;
}

void online_advance(struct online *o, struct session_env *env, uint64_t fresh)
{
	uint64_t start = o->queue.end;
	const struct segment_note *note;

	while ((note = segment_queue_advance(&o->queue, env->blocks))) {
		uint64_t end = o->queue.end;
		bool continues = online_is_told_to_continue(o->turns.seen, note->seen);
		bool is_tls;
		bool begins = is_boundary(o, env, note) || (o->began && !o->has_newest);
		bool is_new;
		struct turn *t = turn_list_data(&o->turns, env->turns, start, end, note,
						may_have_waited(o), &is_new);
		bool is_request = t && is_new && t->is_request;

		if (fresh || is_request)
			online_account_captured(o, env, fresh, is_request);
		fresh = 0;
		if (!t) {
			give_up(o, env, DROP_LIMIT);
			return;
		}
		if (is_new) {
			t->is_boundary = begins;
			t->known_us = env->now_us;
		}
		count_writes(o, t, is_new);
		notice_streaming(o, note);
		is_tls = begins_tls(o, env, start, is_request && !continues);
		online_remember(o, note);
		announce(o, env, t, is_new);
		if (is_tls) {
			refuse_encrypted(o, env);
			return;
		}
		start = end;
	}
	if (fresh)
		online_account_captured(o, env, fresh, 0);
}

/* seen: response bytes that the client had seen by then. */
void online_say_end(struct online *o, struct session_env *env, enum turn_kind kind, uint64_t seen)
{
	struct segment_note note = {.seen = seen, .seen_us = o->seen_us};
	struct turn *t = turn_list_end(&o->turns, env->turns, kind, o->queue.end, &note);

	if (!t) {
		give_up(o, env, DROP_LIMIT);
		return;
	}
	t->known_us = env->now_us;
	announce(o, env, t, true);
}

void online_try_end(struct online *o, struct session_env *env)
{
	/* Bytes behind its end were never sent by an honest client: the end holds no less for them. */
	if (!o->has_end || o->state == ONLINE_LOST || seq_lt(online_next_seq(o), o->end_seq))
		return;
	o->has_end = false;
	online_say_end(o, env, o->end_kind, online_seen_by(o, o->ack_last));
	if (o->state != ONLINE_LOST)
		o->state = ONLINE_ENDED;
}

void online_watch_hole(struct online *o, struct session_env *env, bool moved)
{
	if (moved)
		o->has_far = false;
	if (o->state == ONLINE_LOST || (seq_leq(o->known_seq, online_next_seq(o)) && !o->has_far)) {
		o->hole_since_us = 0;
		return;
	}
	if (!o->hole_since_us || moved) {
		o->hole_since_us = env->now_us;
		online_arm(o, env);
	}
}

void online_shed(struct online *o, struct session_env *env, enum drop_cause cause)
{
	bool had_ended = o->state == ONLINE_ENDED;
	size_t before = backlog_bytes(o);

	shed_slower(o, env, o->queue.start + (o->queue.end - o->queue.start + 1) / 2, cause);
	if (online_has_live_session(o) && backlog_bytes(o) <= before / 2)
		return;
	give_up(o, env, cause);
	if (had_ended) { /* it says no more, and need not be followed */
		o->state = ONLINE_ENDED;
		online_arm(o, env);
	}
}

/*
 * Puts the payload in its place. Beyond the backlog's limit the sessions that hold the oldest bytes make room. Returns the number of new bytes,
 * or -1 if this connection was given up.
 */
static long take_payload(struct online *o, struct session_env *env, const struct packet *p,
			 uint64_t off)
{
	struct segment_note note = note_of(o, env, p);
	enum drop_cause cause = DROP_LIMIT;
	long fresh = segment_queue_push(&o->queue, env->blocks, off, p->payload,
					p->payload_len_bytes, &note, env->backlog_max_bytes);

	if (fresh < 0 && errno == ENOBUFS) {
		cause = DROP_BACKLOG;
		shed_slower(o, env, o->queue.start + 1, cause);
		if (online_has_live_session(o))
			fresh = segment_queue_push(&o->queue, env->blocks, off, p->payload,
						   p->payload_len_bytes, &note,
						   env->backlog_max_bytes);
	}
	if (fresh < 0)
		give_up(o, env, cause);
	return fresh;
}

/* A connection that is not followed: unique bytes by the highest number seen, requests by ACKs. */
static enum packet_fate count_lost(struct online *o, struct session_env *env,
				   const struct packet *p, bool is_news)
{
	uint32_t end = p->seq + p->payload_wire_len_bytes;
	struct segment_note note;
	bool is_request;
	uint32_t fresh;

	if ((p->flags & (TCP_FIN | TCP_RST)) && seq_geq(end, o->known_seq)) {
		o->state = ONLINE_ENDED;
		o->end_kind = p->flags & TCP_RST ? TURN_RST : TURN_FIN;
		is_news = true;
	}
	if (!p->payload_wire_len_bytes || seq_leq(end, o->known_seq))
		return online_fill_gap(o, env, p->seq, end) || is_news ? PACKET_FATE_USED
								       : PACKET_FATE_DUPLICATE;
	fresh = seq_lt(p->seq, o->known_seq) ? end - o->known_seq : p->payload_wire_len_bytes;
	note = note_of(o, env, p);
	if (seq_gt(p->seq, o->known_seq))
		o->has_newest = false; /* what came right before is not known */
	is_request = !o->turns.any || (note.seen > o->turns.seen && may_have_waited(o));
	o->known_seq = end;
	if (is_request)
		o->turns.seen = note.seen;
	notice_streaming(o, &note);
	online_remember(o, &note);
	if (!is_request)
		online_cut_short(o, env);
	online_account_lost(o, env, fresh, is_request);
	o->turns.any = true;
	return PACKET_FATE_USED;
}

/*
 * Out of any window that the server may have offered: its kernel ignores it, and so do we at first. But what was
 * not captured may have been more than that: then what is far goes on, and nothing near comes any more.
 */
static enum packet_fate on_far(struct online *o, struct session_env *env, const struct packet *p)
{
	bool goes_on = o->has_far && p->seq == o->far_seq;

	if (!p->payload_wire_len_bytes)
		return PACKET_FATE_DUPLICATE;
	o->far_seq = p->seq + p->payload_wire_len_bytes;
	o->has_far = true;
	if (o->state == ONLINE_LOST && goes_on) {
		o->known_seq = p->seq;
		o->has_far = false;
		return count_lost(o, env, p, true);
	}
	if (o->state != ONLINE_LOST && goes_on && !o->hole_since_us) {
		o->hole_since_us = env->now_us;
		online_arm(o, env);
	}
	online_account_lost(o, env, p->payload_wire_len_bytes, 0);
	return PACKET_FATE_USED;
}

/* A client that has never seen the server's SYN-ACK cannot acknowledge it: the flood's second packet. */
static bool is_confirmed_by(const struct online *o, const struct packet *p)
{
	int32_t distance = seq_diff(p->ack, o->ack_last);

	if (o->is_confirmed || !o->has_ack || (p->flags & TCP_RST))
		return true;
	return (p->flags & TCP_ACK) && distance >= 0 && distance <= ONLINE_GREETING_MAX;
}

static bool note_end(struct online *o, const struct packet *p)
{
	uint32_t at = p->seq + p->payload_wire_len_bytes;

	if (!(p->flags & (TCP_FIN | TCP_RST)))
		return false;
	if (o->has_end)
		return online_fin_before_reset(o, at);
	if (seq_lt(at, online_next_seq(o)))
		return false;
	if (p->flags & TCP_RST)
		at = seq_max(p->seq, o->known_seq);
	o->has_end = true;
	o->end_seq = at;
	o->end_kind = p->flags & TCP_RST ? TURN_RST : TURN_FIN;
	o->known_seq = seq_max(o->known_seq, at);
	return true;
}

/* After the FIN only a RST is news. */
static enum packet_fate on_client_ended(struct online *o, struct session_env *env,
					const struct packet *p)
{
	bool is_news = take_ack(o, env, p);

	if ((p->flags & TCP_RST) && o->end_kind != TURN_RST) {
		o->end_kind = TURN_RST;
		online_say_end(o, env, TURN_RST, online_seen_by(o, o->ack_last));
		is_news = true;
	}
	return is_news ? PACKET_FATE_USED : PACKET_FATE_DUPLICATE;
}

/*
 * A client that goes on right behind a RST was not reset by it: it was forged, or its number was not exact, and the server has
 * only challenged it (RFC 5961, section 3.2).
 */
static bool outlives_reset(const struct online *o, const struct packet *p)
{
	uint32_t ahead = p->seq - o->known_seq;

	return o->end_kind == TURN_RST && !o->has_server_rst && !(p->flags & TCP_RST) &&
	       (p->flags & TCP_ACK) && p->payload_wire_len_bytes && ahead <= ONLINE_WINDOW_MAX;
}

/* The copy was reset, but not by the client: it may go on with another connection. */
static void reopen(struct online *o)
{
	online_lose(o, o->known_seq);
	o->was_cut = true;
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		if (s->closed_cause == DROP_CLIENT_RESET)
			s->closed_cause = DROP_CAPTURE_GAP;
}

static enum packet_fate on_client_lost(struct online *o, struct session_env *env,
				       const struct packet *p, bool is_news)
{
	int64_t distance = seq_diff(p->seq, o->known_seq);

	if (distance > ONLINE_WINDOW_MAX || distance < -ONLINE_WINDOW_MAX)
		return on_far(o, env, p);
	o->has_far = false;
	o->is_confirmed |= o->began || o->has_newest; /* one packet alone may be anybody's */
	return count_lost(o, env, p, is_news);
}

/* How far away the client is. */
static void note_rtt(struct online *o, uint64_t us)
{
	o->rtt_us = us < SESSION_RTT_MAX_US ? (uint32_t)us : SESSION_RTT_MAX_US;
}

static void tell_rtt(struct online *o, struct session_env *env)
{
	for (struct session *s = o->sessions; s; s = s->next_of_online)
		session_on_rtt(s, env);
}

static enum packet_fate on_client_open(struct online *o, struct session_env *env,
				       const struct packet *p, bool is_news);

/* So much lies behind it: whatever is missing was never captured. */
static enum packet_fate on_crowded_hole(struct online *o, struct session_env *env,
					const struct packet *p)
{
	online_give_up_hole(o, env);
	if (o->state == ONLINE_OPEN)
		return on_client_open(o, env, p, true);
	return on_client_lost(o, env, p, true);
}

/* A packet with bytes of a hole that was given up, so many of them no longer awaited, may go on with what is. */
static OUT_OF_LINE enum packet_fate on_rest_behind_gap(struct online *o, struct session_env *env,
						       const struct packet *p, uint64_t past_bytes)
{
	struct packet rest = *p;

	if (past_bytes >= p->payload_len_bytes)
		return PACKET_FATE_USED;
	rest.seq += (uint32_t)past_bytes;
	rest.payload += past_bytes;
	rest.payload_len_bytes -= (uint32_t)past_bytes;
	rest.payload_wire_len_bytes -= (uint32_t)past_bytes;
	return on_client_open(o, env, &rest, true);
}

static enum packet_fate on_client_open(struct online *o, struct session_env *env,
				       const struct packet *p, bool is_news)
{
	uint64_t end_before = o->queue.end;
	int64_t distance = seq_diff(p->seq, online_next_seq(o));
	long fresh;

	if (distance < 0 && online_fill_gap(o, env, p->seq, p->seq + p->payload_wire_len_bytes))
		return on_rest_behind_gap(o, env, p, (uint64_t)-distance);
	if (distance < 0 && (uint64_t)-distance > o->queue.end + 1)
		return PACKET_FATE_DUPLICATE;
	if (distance > ONLINE_WINDOW_MAX)
		return on_far(o, env, p);
	if (distance < 0 && (uint64_t)-distance > o->queue.end) /* a keep-alive before byte 0 */
		return take_ack(o, env, p) ? PACKET_FATE_USED : PACKET_FATE_DUPLICATE;
	is_news |= take_ack(o, env, p) || o->state == ONLINE_OPENING;
	o->state = ONLINE_OPEN;
	if (!o->is_confirmed) {
		o->is_confirmed = true;
		tell_rtt(o, env);
		online_arm(o, env); /* its silence may now end it sooner */
	}
	if (online_has_ended_session(o))
		join_if_it_begins(o, env, p);
	if (distance > 0 && o->queue.range_count >= SEGMENT_QUEUE_RANGES_MAX)
		return on_crowded_hole(o, env, p);
	fresh = take_payload(o, env, p, o->queue.end + (uint64_t)distance);
	if (fresh < 0) {
		online_account_lost(o, env, p->payload_len_bytes, 0);
		return PACKET_FATE_USED;
	}
	o->known_seq = seq_max(o->known_seq, p->seq + p->payload_wire_len_bytes);
	online_advance(o, env, (uint64_t)fresh);
	is_news |= note_end(o, p);
	online_try_end(o, env);
	online_watch_hole(o, env, o->queue.end != end_before);
	if (!online_has_live_session(o))
		online_release(o, env); /* nobody will: its sessions have ended */
	online_weigh(o, env);
	return is_news || fresh ? PACKET_FATE_USED : PACKET_FATE_DUPLICATE;
}

/* It may be followed again from here on. */
static OUT_OF_LINE enum packet_fate on_client_of_lost(struct online *o, struct session_env *env,
						      const struct packet *p)
{
	bool is_news = take_ack(o, env, p);

	if (goes_on_with_tls(o, env, p))
		refuse_encrypted(o, env);
	return follow_again(o, env, p) ? on_client_open(o, env, p, is_news)
				       : on_client_lost(o, env, p, is_news);
}

enum packet_fate online_on_client(struct online *o, struct session_env *env, const struct packet *p)
{
	if (o->state == ONLINE_ENDED && outlives_reset(o, p))
		reopen(o);
	if (o->state == ONLINE_ENDED)
		return on_client_ended(o, env, p);
	if (!is_confirmed_by(o, p))
		return PACKET_FATE_DUPLICATE;
	if (!o->is_confirmed && o->began && o->has_ack)
		note_rtt(o, env->now_us - o->last_seen_us); /* since the SYN-ACK */
	o->last_seen_us = env->now_us;
	return o->state == ONLINE_LOST ? on_client_of_lost(o, env, p)
				       : on_client_open(o, env, p, false);
}

void online_on_syn_payload(struct online *o, struct session_env *env, const struct packet *p)
{
	online_on_client(o, env, p);
	o->is_confirmed = false;
}

/* Where the server may stand: not behind what its client has acknowledged (a firewall, a stranger), not a window beyond. */
static bool is_servers_place(const struct online *o, const struct packet *p)
{
	int32_t distance = seq_diff(p->seq, o->ack_last);

	return !o->has_ack || (distance >= 0 && distance <= ONLINE_RESPONSE_JUMP_MAX);
}

enum packet_fate online_on_server(struct online *o, struct session_env *env, const struct packet *p)
{
	o->last_seen_us = env->now_us;
	if (p->flags & TCP_RST) {
		if ((o->state == ONLINE_ENDED && o->end_kind == TURN_RST) ||
		    !is_servers_place(o, p))
			return PACKET_FATE_DUPLICATE;
		if (online_awaits_reset(o, p))
			return online_await_reset(o, env, p);
		if (o->state != ONLINE_LOST)
			online_cut(o, env);
		o->state = ONLINE_ENDED;
		o->has_server_rst = true;
		return PACKET_FATE_USED;
	}
	if (p->flags & TCP_SYN) {
		/* Until the client has chosen, the latest counts: a server under load may answer anew. */
		if ((o->has_ack && o->is_confirmed) || p->ack != o->isn + 1)
			return PACKET_FATE_DUPLICATE;
		if (o->has_ack && o->ack_last == p->seq + 1)
			return PACKET_FATE_DUPLICATE; /* the same, seen on another device */
		o->has_ack = true;
		o->ack_last = p->seq + 1;
		return PACKET_FATE_USED;
	}
	if (!(p->flags & TCP_FIN) || o->has_server_fin)
		return PACKET_FATE_DUPLICATE;
	o->has_server_fin = true;
	o->server_fin_seq = p->seq + p->payload_wire_len_bytes;
	return PACKET_FATE_USED;
}
