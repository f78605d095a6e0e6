/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clients.h - the clients of the online server as the capture shows them: SYN, requests cut in all
 * ways up to super-packets, acknowledgements of answers that nobody really gave, FIN or RST.
 * Nothing is lost on this side, and clients do not wait for the target.
 */
#ifndef TESTS_KERNEL_CLIENTS_H
#define TESTS_KERNEL_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "tests/kernel/talk.h"

enum {
	CLIENTS_MAX = 60000,
};

/* A captured packet, without link header. */
typedef void clients_frame_fn(void *ctx, const uint8_t *packet, size_t len_bytes);

struct clients_config {
	const struct talk *talk; /* borrowed */
	struct endpoint server;
	uint64_t pace_us; /* between a client's packets: its round trip, and how long it thinks */
	uint64_t start_gap_us;
	clients_frame_fn *frame;
	void *ctx;
};

struct clients;

struct clients *clients_new(const struct clients_config *config, uint64_t now_us);
void clients_free(struct clients *c);
/* All packets that are due; connections begin while fewer than begun_max have begun. */
void clients_run(struct clients *c, uint32_t begun_max, uint64_t now_us);
uint64_t clients_next_us(const struct clients *c, uint32_t begun_max);
uint64_t clients_packets(const struct clients *c);
uint32_t clients_begun(const struct clients *c);
#endif
