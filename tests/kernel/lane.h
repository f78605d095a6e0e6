/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lane.h - a bad wire, one way: packets are lost, come twice or late, by a seed. Neither end's TCP
 * learns of a loss but from the other.
 */
#ifndef TESTS_KERNEL_LANE_H
#define TESTS_KERNEL_LANE_H

#include <stddef.h>
#include <stdint.h>

enum {
	LANE_LATE_MIN_US = 200,
	LANE_LATE_MAX_US = 4000,
};

struct lane_faults {
	double loss; /* shares of the packets: 0.05 is 5 % */
	double reorder;
	double dup;
};

struct lane_packet {
	struct lane_packet *next;
	uint64_t due_us;
	size_t len_bytes;
	uint8_t data[];
};

struct lane {
	struct lane_faults faults;
	uint64_t random;
	struct lane_packet *prompt; /* in their order */
	struct lane_packet **prompt_tail;
	struct lane_packet *late; /* by due_us */
	uint64_t packets;
	uint64_t lost;
	uint64_t delayed;
	uint64_t doubled;
};

void lane_init(struct lane *l, const struct lane_faults *faults, uint64_t seed);
void lane_fini(struct lane *l);
/* Copies the packet. */
void lane_put(struct lane *l, const uint8_t *data, size_t len_bytes, uint64_t now_us);
/* The next packet that arrives, the caller's to free; NULL if there is none now. */
struct lane_packet *lane_take(struct lane *l, uint64_t now_us);
/* When lane_take has something; UINT64_MAX: nothing is under way. */
uint64_t lane_next_us(const struct lane *l);
#endif
