/* SPDX-License-Identifier: BSD-2-Clause */
/* online_private.h - what the files online*.c of the core share. */
#ifndef TCPCOPY_ONLINE_PRIVATE_H
#define TCPCOPY_ONLINE_PRIVATE_H

#include "tcpcopy/online.h"

/* The number of the first byte that is not known without a hole. */
static inline uint32_t online_next_seq(const struct online *o)
{
	return o->isn + 1 + (uint32_t)o->queue.end;
}

/* What it holds has changed. Next to nothing before and now, as of a request in flight, is no change. */
static inline void online_weigh(struct online *o, struct session_env *env)
{
	if (o->backlog_class || backlog_bytes(o) >= BACKLOG_SMALL_BYTES)
		backlog_update(&env->backlog, o);
}

/* The ledger's account of all sessions: captured; captured, but for nobody (a connection that is not followed). */
void online_account_captured(struct online *o, struct session_env *env, uint64_t bytes,
			     uint64_t requests);
void online_account_lost(struct online *o, struct session_env *env, uint64_t bytes,
			 uint64_t requests);
/* The rest of the request that was said last is lost. */
void online_cut_short(struct online *o, struct session_env *env);
/* Response bytes that the client had seen when it sent this ACK; the server's FIN is not one. */
uint64_t online_seen_by(const struct online *o, uint32_t ack);
/* The newest bytes that are known without a hole came with this note. */
static inline void online_remember(struct online *o, const struct segment_note *note)
{
	o->newest = *note;
	o->has_newest = true;
	o->ever_pushed |= note->pushed;
}

/*
 * All that it has seen since its turn is as long as "HTTP/1.1 100 Continue": then the rest of that request follows, which
 * must not be taken for one.
 */
static inline bool online_is_told_to_continue(uint64_t turn_seen, uint64_t seen)
{
	return seen - turn_seen == ONLINE_INTERIM_BYTES;
}

/*
 * Whether a request certainly begins with the segment of note, which follows that of before: its sender has seen more of an
 * answer than at its last turn (turn_seen), ended its write with the segment before, and has been silent or cannot have gone on in the
 * same write. The writes of a client that streams end anywhere: only a long silence tells.
 */
static inline bool online_is_boundary(const struct online *o, const struct session_env *env,
				      const struct segment_note *before, uint64_t turn_seen,
				      const struct segment_note *note)
{
	uint64_t silence_us = note->at_us - before->at_us;

	return before->pushed && note->seen > turn_seen && note->seen > before->seen &&
	       !online_is_told_to_continue(turn_seen, note->seen) &&
	       (o->is_streaming ? silence_us >= ONLINE_STREAM_BOUNDARY_US
				: before->small || silence_us >= env->boundary_us);
}

/* Makes turns of what has become contiguous. Counts bytes that were captured just now, of these or beyond a hole. */
void online_advance(struct online *o, struct session_env *env, uint64_t fresh);
/* The client's FIN or RST takes its place once all before it is there. */
void online_try_end(struct online *o, struct session_env *env);
/*
 * Bytes are missing when the client is known to have sent more than is contiguous: a hole. moved: the contiguous end has, so
 * the hole is another.
 */
void online_watch_hole(struct online *o, struct session_env *env, bool moved);
/* The stream ends where it is known to; the client had seen so many response bytes by then. */
void online_say_end(struct online *o, struct session_env *env, enum turn_kind kind, uint64_t seen);

/*
 * A RST of the server acknowledges what was not captured yet: it was captured ahead of it, as a mirror of both directions
 * may show it, or that is lost. The stream ends there, if it comes in time; otherwise as behind any hole.
 */
bool online_awaits_reset(const struct online *o, const struct packet *p);
enum packet_fate online_await_reset(struct online *o, struct session_env *env,
				    const struct packet *p);
/* An end of the client at this number, while another is waited for: true if it is what such a RST had acknowledged. */
bool online_fin_before_reset(struct online *o, uint32_t at);

/* Bytes of a hole that was given up come after all: captured, and too late. True if there were any. */
bool online_fill_gap(struct online *o, struct session_env *env, uint32_t seq, uint32_t end);
/*
 * What is missing will not come: the sessions finish what is complete. They go on with the first request that certainly begins behind it, on
 * another connection; if there is none yet, the connection is ONLINE_LOST until one comes.
 */
void online_give_up_hole(struct online *o, struct session_env *env);
#endif
