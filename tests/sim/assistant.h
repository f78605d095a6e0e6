/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assistant.h - intercept's host: captures the target's answers, feeds intercept/response.h and the
 * far ends of links, gathers when it is asked to, as intercept/worker.c does.
 */
#ifndef TESTS_SIM_ASSISTANT_H
#define TESTS_SIM_ASSISTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intercept/response.h"

struct flight;
struct link_connection;
struct world;

struct assistant {
	struct response *response; /* NULL: it is not running */
	struct flight **frames;    /* captured, not read yet; held */
	size_t frame_count, frame_room;
	uint64_t read_us;  /* of the pending EVENT_FRAMES; UINT64_MAX: none */
	uint64_t timer_us; /* of the pending EVENT_ASSISTANT */
	bool is_gathering;
	uint32_t instance;
	int rival; /* number of a peer that is another tcpcopy; -1: none */
	uint8_t buffer[256];
};

void assistant_init(struct world *w);
void assistant_fini(struct world *w);
void assistant_on_packet(struct world *w, struct flight *f);
/* EVENT_FRAMES, EVENT_ASSISTANT */
void assistant_read(struct world *w);
void assistant_time(struct world *w);

/* The link's news. accept: false if there are too many. */
bool assistant_link_connected(struct world *w, struct link_connection *c);
void assistant_link_closed(struct world *w, struct link_connection *c);
void assistant_link_bytes(struct world *w, struct link_connection *c, const uint8_t *bytes,
			  size_t len_bytes);
void assistant_link_writable(struct world *w, struct link_connection *c);

/* It gathers: what comes by the link waits until assistant_read. */
bool assistant_is_asleep(const struct world *w);

/* Another tcpcopy holds the tuples of some conversations to come. False if it could not connect. */
bool assistant_rival_begins(struct world *w);
void assistant_rival_ends(struct world *w);

/* A crash: the process is gone, and comes back knowing nothing. */
void assistant_stop(struct world *w);
void assistant_start(struct world *w);
#endif
