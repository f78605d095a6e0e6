/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transfer.h - one pair of -x: which captured traffic goes to which target. The same source may
 * stand in several pairs: then each captured connection has a session for each.
 */
#ifndef TCPCOPY_TRANSFER_H
#define TCPCOPY_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	TRANSFERS_MAX = 64,
	COPIES_MAX = 1023, /* of a connection at each target */
};

struct transfer {
	struct endpoint source; /* address unspecified: any address of this host */
	struct endpoint target;
	bool has_source_mac;
	bool has_next_hop_mac;
	uint8_t source_mac[MAC_LEN];
	uint8_t next_hop_mac[MAC_LEN];
};
#endif
