/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assistant.h - intercept's core and tcpcopy's end of the link, joined by memory instead of a
 * socket: what Linux answers goes through response, wire codec and intercept_link to the engine.
 */
#ifndef TESTS_KERNEL_ASSISTANT_H
#define TESTS_KERNEL_ASSISTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "common/wire.h"

typedef void assistant_record_fn(void *ctx, const struct wire_record *record, uint64_t now_us);

struct assistant;

/* NULL if there is no memory. Connected from the start. */
struct assistant *assistant_new(assistant_record_fn *record, void *ctx, uint64_t now_us);
void assistant_free(struct assistant *a);

void assistant_register(struct assistant *a, uint32_t id, const struct tuple *response);
void assistant_unregister(struct assistant *a, uint32_t id);
void assistant_urgency(struct assistant *a, bool urgent);
/* A packet of the target, without link header. */
void assistant_on_packet(struct assistant *a, const uint8_t *packet, size_t len_bytes,
			 uint64_t now_us);
/* After some packets: for how long the capture is to be left alone. */
uint64_t assistant_gather_us(struct assistant *a, uint64_t now_us);
/* Timers, then all that either end has to say to the other. */
void assistant_run(struct assistant *a, uint64_t now_us);
uint64_t assistant_next_us(const struct assistant *a);
/* The link is up, has never been lost, and refused nothing. */
bool assistant_is_well(const struct assistant *a);
#endif
