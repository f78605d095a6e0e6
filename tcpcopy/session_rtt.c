/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_rtt.c - the round-trip time that -R simulates: what the target sends is acknowledged so much later, as if its
 * client were far away. Until then the client has not seen it: what we send meanwhile acknowledges no more than
 * before, and no turn that waited for an answer is said. The handshake counts likewise. One ACK covers all that came until it goes.
 *
 * ack_at_us is when that is; without a round trip to simulate it is the time of a delayed ACK, which holds nothing back.
 */
#include "common/seq.h"
#include "tcpcopy/online.h"
#include "tcpcopy/session.h"

uint64_t session_rtt_us(const struct session *s, const struct session_env *env)
{
	if (env->rtt_us != SESSION_RTT_AUTO)
		return env->rtt_us;
	return s->online ? s->online->rtt_us : 0;
}

/* The client's own handshake tells how far it is; until that is over only its bound is known. */
void session_ack_handshake(struct session *s, const struct session_env *env)
{
	if (session_ack_later(s, env))
		return;
	if (env->rtt_us == SESSION_RTT_AUTO && !s->online->is_confirmed)
		s->ack_at_us = env->now_us + SESSION_RTT_MAX_US;
	else
		s->ack_now = true;
}

void session_on_rtt(struct session *s, struct session_env *env)
{
	if (!session_is_live(s) || !session_handshake_is_far(s, env))
		return;
	s->ack_at_us = s->acked_us + session_rtt_us(s, env); /* which was when the SYN-ACK came */
	if (!session_ack_is_due_later(s, env)) {
		s->ack_at_us = 0;
		s->ack_now = true;
	}
	session_mark_dirty(s, env);
}
