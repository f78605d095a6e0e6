/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sampling.h - the share of the connections that is copied (-r, --sample-by, -g). Each client has a place
 * from 0 to 999,999 by a hash of its address and port, or of its address alone, and is in the sample if that lies below the
 * share. So a sample is whole connections, a smaller one is part of a larger one, and the same clients are in it
 * in each run and on each host: the hash has a fixed key. Whoever chooses his port can thus choose to be in it, which is
 * no more than a client of the online server can do without a sample. Pure.
 */
#ifndef TCPCOPY_SAMPLING_H
#define TCPCOPY_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	SAMPLING_ALL_PPM = 1000000,
	SAMPLING_RAMP_FIRST_PPM = 10000, /* where the ramp of -g begins: 1 % */
};

struct sampling {
	uint32_t share_ppm; /* in the end; up to SAMPLING_ALL_PPM */
	bool by_client;     /* all connections of an address, or none */
	bool has_begun;   /* the ramp has, at begun_us; before that it stands at its first value */
	uint64_t ramp_us; /* how long it takes to share_ppm; 0: none */
	uint64_t begun_us;
};

/* The ramp begins now, unless it has. */
void sampling_begin(struct sampling *s, uint64_t now_us);
/* Grows with time or stays, and never falls. */
uint32_t sampling_share_ppm(const struct sampling *s, uint64_t now_us);
/* 0 to SAMPLING_ALL_PPM - 1: the same for this client for ever. */
uint32_t sampling_place_ppm(const struct endpoint *client, bool by_client);
/* Whether a connection of this client that is first seen now is copied. */
bool sampling_takes(const struct sampling *s, const struct endpoint *client, uint64_t now_us);
#endif
