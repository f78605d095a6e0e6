/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.h - what passes between the engine and Linux, a faked connection: seen from the wire,
 * believing neither. It is what a forger would have to know, and what tells whether an old Linux
 * would listen.
 */
#ifndef TESTS_KERNEL_FLOW_H
#define TESTS_KERNEL_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/packet.h"
#include "common/segment.h"
#include "tests/kernel/talk.h"

struct flow {
	struct tuple response; /* Linux -> faked client */
	uint32_t id;           /* of the engine's session */
	long session;          /* -1: has not said yet who it is */
	uint32_t iss;          /* ours */
	uint32_t snd_max;
	uint32_t said_ack;  /* in the engine's last segment */
	uint32_t linux_nxt; /* the highest that Linux has sent, plus one */
	uint32_t linux_ack;
	uint32_t ts_val;       /* the last one of Linux */
	uint16_t linux_window; /* as in the header */
	uint8_t linux_scale;   /* of that */
	bool has_timestamps;
	bool is_open; /* Linux has answered the SYN */
	bool linux_has_closed;
	bool is_registered;
	uint8_t head_len;
	uint8_t head[TALK_HEAD_LEN]; /* of what the engine has sent */
};

struct flows;

struct flows *flows_new(uint32_t max);
void flows_free(struct flows *f);
void flows_register(struct flows *f, uint32_t id, const struct tuple *response);
void flows_unregister(struct flows *f, uint32_t id);
size_t flows_registered(const struct flows *f);
/* NULL if no such is registered. */
struct flow *flows_of_segment(struct flows *f, const struct segment *s);
struct flow *flows_of_answer(struct flows *f, const struct packet *p);
/* The session's last one, registered or not. */
struct flow *flows_of_session(struct flows *f, uint32_t session);

void flow_on_segment(struct flow *f, const struct segment *s, const struct talk *talk);
void flow_on_answer(struct flow *f, const struct packet *p);
/* How many bytes the engine has ever sent here. */
uint32_t flow_sent_bytes(const struct flow *f);
/*
 * A segment inside of Linux's window that acknowledges what Linux has not sent: in ESTABLISHED the
 * newest kernels challenge it, older ones discard it without a word.
 */
bool flow_is_ignored_by_old_linux(const struct flow *f, const struct segment *s);
#endif
