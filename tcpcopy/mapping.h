/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.h - from a client's endpoint to the faked one that the target sees; a NAT: two live
 * sessions never share (faked endpoint, target).
 *
 * The address is a keyed hash of the client's address over the pool of -c (without a pool: the
 * client's own), so that a client keeps its faked address. The port is the client's where it is
 * free, otherwise the next free one of that address; when the address is full, the next address. A
 * faked address always has the target's family; the client's does not matter where there is a pool.
 *
 * A client on loopback, which nobody could answer there, has the address of -H where one is given.
 *
 * Copies of one client (-n) have addresses of their own, as far as the pool goes, and look for
 * their ports far from each other: each copy keeps its address, and where nothing is in its way
 * also its port. A shift (-f) moves all ports, so that several tcpcopies with one pool rarely want
 * the same.
 *
 * Constant time however full the pool is. Memory grows with what is in use and shrinks again: some
 * 64 bytes for an address in use and 2 to 32 bytes for each of its ports. Pure.
 */
#ifndef TCPCOPY_MAPPING_H
#define TCPCOPY_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

struct mapping_config {
	struct hash_key key;
	const struct addr_range *pool; /* copied; may overlap; none: clients keep their addresses */
	size_t pool_count;
	uint16_t first_port; /* faked ports lie in [first_port, last_port]; a slice of a worker */
	uint16_t last_port;
	/* Instead of a loopback client's, by the target's family; unspecified: it is mapped as others are. */
	struct ip_addr localhost_ip4;
	struct ip_addr localhost_ip6;
	unsigned port_shift; /* below MAPPING_SHIFTS; 0: clients keep their ports */
};

struct mapping;

enum {
	/*
	 * A pool (of one family) with up to this many addresses finds a free address wherever there is
	 * one. Of a larger one the client's address and those after it are tried, up to
	 * MAPPING_PROBES_MAX: that fails with addresses left only when this many in a row are full,
	 * with all ports some 16 million live sessions at one target.
	 */
	MAPPING_SEARCHED_ADDRESSES_MAX = 1 << 20,
	MAPPING_PROBES_MAX = 256,
	MAPPING_SHIFTS = 1024,
};

/*
 * NULL with errno ENOMEM or EINVAL (ports out of order or 0; a range of two families, reversed,
 * or of IPv6 that takes in the IPv4-mapped addresses).
 */
struct mapping *mapping_new(const struct mapping_config *config);
void mapping_free(struct mapping *m);
/*
 * Takes a faked endpoint for a client's session to a target; copy: which of those of -n, from 0.
 * 0, or -1 with errno EADDRNOTAVAIL (pool exhausted; mapping_reaches says no; more than TRANSFERS_MAX
 * targets in use) or ENOMEM.
 */
int mapping_take(struct mapping *m, const struct endpoint *client, unsigned copy,
		 const struct endpoint *target, struct endpoint *faked);
/*
 * Whether this client can ever have an address that the target could answer. Without a pool one of the
 * other family cannot, nor one on loopback without an address of -H.
 */
bool mapping_reaches(const struct mapping *m, const struct ip_addr *client,
		     const struct ip_addr *target);
/* Whether an address is one that faked clients get: of -c or -H. */
bool mapping_fakes(const struct mapping *m, const struct ip_addr *addr);
/* Gives back what mapping_take gave for this target; giving back anything else is a bug (asserted). */
void mapping_release(struct mapping *m, const struct endpoint *faked,
		     const struct endpoint *target);
/* Sessions that hold an endpoint now. */
size_t mapping_count(const struct mapping *m);
/* Bytes of memory that it holds. */
size_t mapping_memory(const struct mapping *m);
/* Words and slots that all searches so far have looked at: tests hold a take to a constant by it. */
uint64_t mapping_steps(const struct mapping *m);
#endif
