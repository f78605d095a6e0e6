/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_path.c - segments no larger than the way to the target takes (path_mtu.h). All our packets say "don't fragment", so
 * one that is too big for a link on the way is dropped there.
 *
 * A session follows what is known of its target's path when nothing is in flight, for all that is sent from then on
 * to fit, and when a timer runs out, for what is in flight may have been cut before that was known.
 *
 * What is found out here, in two ways:
 * - A router says so (RFC 1191, RFC 8201). It says so to the faked client, thus to intercept. Believed if it is about a byte in
 *   flight (RFC 5927, section 4.1). All from snd_una on goes again at once, cut anew; that is no sign of congestion
 *   (RFC 1191, section 6.4; RFC 8201, section 5.2).
 * - No router says anything: a black hole (RFC 2923, section 2.1). From the second timeout in a row on, the segment goes as a pair: as
 *   before, then a smaller segment of the same bytes. A pair fares differently only because of its sizes, or
 *   by chance. The target acknowledges the smaller one exactly where the larger is lost: a vote. Neither comes from a
 *   dead target; then the next pair has a smaller one still. Votes are counted for all sessions of a target, and
 *   large packets that got through at the first try speak against them, so loss alone does not make segments small.
 */
#include "common/out_of_line.h"
#include "common/seq.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

enum {
	HEADERS_V4 = 40, /* IP and TCP without options */
	HEADERS_V6 = 60,
	TIMESTAMPS_LEN = 12,
	PAYLOAD_MAX = (SEGMENT_IOV_MAX - 1) * SEGMENT_BLOCK_BYTES, /* any offset fits the iovec */
	TIMEOUTS_TO_PAIR = 2, /* in a row: the segment was lost twice */
};

static struct ledger_traffic *account(const struct session *s, struct session_env *env)
{
	return &env->ledger->targets[s->target_index].traffic;
}

static bool is_v4(const struct session *s)
{
	return ip_addr_is_v4(&s->tuple.dst.addr);
}

/* Of every segment with payload. */
static int headers_bytes(const struct session *s)
{
	return (is_v4(s) ? HEADERS_V4 : HEADERS_V6) + (s->uses_timestamps ? TIMESTAMPS_LEN : 0);
}

static int packet_bytes(const struct session *s, int payload_bytes)
{
	return headers_bytes(s) + payload_bytes;
}

static uint16_t mss_now(const struct session *s, const struct session_env *env)
{
	int packet = path_mtu_now(&env->paths[s->target_index], env->mtu_bytes[s->target_index],
				  env->now_us);
	int mss = packet - headers_bytes(s);

	if (mss > s->mss_agreed)
		mss = s->mss_agreed;
	return (uint16_t)(mss < PAYLOAD_MAX ? mss : PAYLOAD_MAX);
}

static bool is_in_flight(const struct session *s)
{
	return s->target.snd_una != s->target.snd_max;
}

LINK_IN_LINE void session_path_follow(struct session *s, const struct session_env *env)
{
	s->target.mss = mss_now(s, env);
}

static void stop_pairs(struct session *s)
{
	s->smaller_mss = 0;
	s->smaller_due = false;
}

/*
 * What is in flight was cut too large: all of it goes again, in segments that fit, as if nothing had happened. What of it
 * has arrived is answered with duplicate ACKs, which say nothing of a loss: recover. The timer has run out for it: that was
 * no congestion either.
 */
static void cut_anew(struct session *s, const struct session_env *env, bool has_timed_out)
{
	struct session_target *t = &s->target;

	t->mss = mss_now(s, env);
	if (has_timed_out) {
		t->cwnd = SESSION_INITIAL_WINDOW * (uint32_t)t->mss;
		t->ssthresh = UINT32_MAX;
	}
	t->snd_nxt = t->snd_una;
	t->recover = t->snd_max;
	t->duplicate_acks = 0;
	t->backoff = 0;
	s->in_recovery = false;
	s->retransmit_una = false;
	s->timed_us = 0;
	s->retransmit_at_us = 0;
	stop_pairs(s);
}

static void learn(struct session *s, struct session_env *env, int bytes, enum replay_notice notice)
{
	if (path_mtu_learn(&env->paths[s->target_index], bytes, env->now_us))
		env->effects->notice(env->ctx, notice, s->target_index);
}

/* ---- a router says so ---- */

static bool is_synchronized(const struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_ESTABLISHED:
	case SESSION_FIN_WAIT_1:
	case SESSION_FIN_WAIT_2:
	case SESSION_CLOSE_WAIT:
	case SESSION_CLOSING:
	case SESSION_LAST_ACK:
		return true;
	case SESSION_SYN_SENT: /* no path is too narrow for a SYN */
	case SESSION_TIME_WAIT:
	case SESSION_CLOSED:
	case SESSION_JOINING:
	case SESSION_STATES:
		break;
	}
	return false;
}

void session_on_path_mtu(struct session *s, struct session_env *env, const struct wire_path_mtu *m)
{
	const struct session_target *t = &s->target;
	bool is_ours =
		is_synchronized(s) && seq_geq(m->seq, t->snd_una) && seq_lt(m->seq, t->snd_max);
	int bytes = is_ours ? path_mtu_said(m, is_v4(s), packet_bytes(s, t->mss)) : 0;

	if (!bytes) {
		account(s, env)->too_big_ignored++;
		return;
	}
	account(s, env)->too_big++;
	learn(s, env, bytes, REPLAY_NOTICE_PATH_MTU);
	cut_anew(s, env, s->target.backoff > 0);
	session_mark_dirty(s, env);
}

/* ---- nobody says anything ---- */

/* What goes first when all from snd_una on is said again. */
static uint32_t first_segment(const struct session *s)
{
	const struct session_target *t = &s->target;
	uint32_t len = t->snd_max - t->snd_una;

	if (len > t->snd_wnd)
		len = t->snd_wnd;
	return len < t->mss ? len : t->mss;
}

/* The smaller one of the next pair: below the last one's, or, if that was the smallest, from the beginning again. */
static void choose_smaller(struct session *s, const struct session_env *env)
{
	const struct path_mtu *p = &env->paths[s->target_index];
	int full = packet_bytes(s, (int)first_segment(s));
	int than = s->smaller_mss ? packet_bytes(s, s->smaller_mss) : full;
	int bytes = path_mtu_smaller(p, is_v4(s), than < full ? than : full);

	if (!bytes)
		bytes = path_mtu_smaller(p, is_v4(s), full);
	s->smaller_mss = (uint16_t)(bytes ? bytes - headers_bytes(s) : 0);
	s->smaller_due = bytes != 0;
}

void session_path_on_timeout(struct session *s, struct session_env *env)
{
	if (!is_in_flight(s))
		return;
	if (mss_now(s, env) < s->target.mss) { /* another session knows why */
		cut_anew(s, env, true);
		return;
	}
	if (s->target.backoff < TIMEOUTS_TO_PAIR || env->is_deaf)
		return;
	choose_smaller(s, env);
	account(s, env)->path_tests += s->smaller_due;
}

/* The pair goes again, from where the target is now: unless what is left is small enough anyway. */
static void repeat_pair(struct session *s)
{
	if (first_segment(s) <= s->smaller_mss) {
		stop_pairs(s);
		return;
	}
	s->target.snd_nxt = s->target.snd_una;
	s->smaller_due = true;
}

void session_path_on_ack(struct session *s, struct session_env *env, uint32_t acked_bytes)
{
	struct path_mtu *p = &env->paths[s->target_index];
	uint32_t larger = acked_bytes + (s->target.snd_max - s->target.snd_una);

	if (larger > s->target.mss)
		larger = s->target.mss;
	if (acked_bytes != s->smaller_mss) { /* the larger one, or what was in flight before */
		stop_pairs(s);
	} else if (path_mtu_on_smaller_only(p, packet_bytes(s, s->smaller_mss),
					    packet_bytes(s, (int)larger), env->now_us)) {
		account(s, env)->black_holes++;
		learn(s, env, p->voted_bytes, REPLAY_NOTICE_BLACK_HOLE);
		cut_anew(s, env, true);
	} else {
		repeat_pair(s);
	}
}

void session_path_on_carried(const struct session *s, struct session_env *env)
{
	path_mtu_on_carried(&env->paths[s->target_index], packet_bytes(s, s->target.mss),
			    env->now_us);
}
