/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net.h - the legs on which packets travel, and what goes wrong there. A flow is what one conversation
 * sends on one leg: packets of a flow arrive in order unless a fault says otherwise.
 */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/fault.h"
#include "tests/sim/tcp.h"

struct conversation;
struct world;

enum {
	FLIGHT_CLASSES = 4,
};

/* A packet on its way, or in a queue behind it. */
struct flight {
	struct flight *next; /* in the pool */
	struct conversation *owner;
	struct tcp_packet packet; /* its payload lies behind this struct, or is left out (NULL) */
	uint32_t refs;
	uint8_t size_class;
	uint8_t leg;
	uint16_t ip_id;  /* the same for a packet that the network repeats */
	bool is_corrupt; /* a checksum shows it */
	uint32_t mtu;    /* not 0: a router says that this packet was larger than that */
	uint8_t bytes[];
};

struct flow {
	uint32_t number;    /* packets so far */
	uint32_t burst_end; /* packets before this number are lost */
	uint64_t last_us;   /* when the last one arrives */
};

struct net {
	struct flight *pool[FLIGHT_CLASSES];
	uint64_t packets;
	uint64_t lost;
	uint64_t too_big; /* of these, for their way */
};

void net_fini(struct net *n);
/* Copies p (its payload only if wanted) and lets it travel. */
void net_send(struct world *w, enum leg leg, struct conversation *owner, const struct tcp_packet *p,
	      bool with_payload);
/* As net_send for a packet that is put together from pieces: payload is filled by the caller. */
struct flight *net_new_flight(struct world *w, enum leg leg, struct conversation *owner,
			      const struct tcp_packet *p, bool with_payload);
void net_launch(struct world *w, struct flight *f);
/* EVENT_PACKET */
void net_arrive(struct world *w, struct flight *f);

struct flight *net_hold(struct flight *f);
void net_release(struct world *w, struct flight *f);

/* The next packet's number in its flow; *is_lost by drop or burst. */
uint32_t net_number(struct world *w, enum leg leg, struct conversation *owner, bool *is_lost);
#endif
