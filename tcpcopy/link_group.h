/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link_group.h - the connections to one intercept (-C) and which of them each session is on.
 *
 * A session is registered on one connection, so that its records come in order, and stays there
 * until it ends. Its index says which, or which is the next that is up. When a connection is lost,
 * its sessions wait for it: usually it is back in a tenth of a second, and they are registered
 * again, as with a single connection. Only if it stays away for LINK_GROUP_MOVE_US while another is
 * up do they move to the others: by then intercept has read all that it will ever read of the lost
 * one, so that no late word of it takes a session back. What the target said meanwhile is lost, and
 * mended by TCP's timers.
 *
 * Pure: borrows the links, whose sockets are the owner's.
 */
#ifndef TCPCOPY_LINK_GROUP_H
#define TCPCOPY_LINK_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "tcpcopy/intercept_link.h"

enum {
	LINK_GROUP_MAX = 11, /* connections */
	LINK_GROUP_MOVE_US = 3 * 1000 * 1000,
};

struct link_group;

/*
 * Room for sessions with an index below max_sessions. NULL with errno ENOMEM, or EINVAL for a
 * count of 0 or above LINK_GROUP_MAX. The links are borrowed, the list is copied.
 */
struct link_group *link_group_new(struct intercept_link *const *links, size_t count,
				  uint32_t max_sessions);
/* NULL is fine. */
void link_group_free(struct link_group *g);
size_t link_group_count(const struct link_group *g);
struct intercept_link *link_group_link(const struct link_group *g, size_t i);

/* A session starts, under a fresh id. */
void link_group_register(struct link_group *g, uint32_t session_id, const struct tuple *response);
void link_group_unregister(struct link_group *g, uint32_t session_id);

/*
 * A pass over the sessions for link i, which has asked for it (intercept_link_resync_room): tells
 * it of this one if it is on it, or has to be now.
 */
void link_group_resync(struct link_group *g, size_t i, uint32_t session_id,
		       const struct tuple *response);

/* A link of this group has changed its state. */
void link_group_on_state(struct link_group *g, const struct intercept_link *link,
			 enum intercept_link_state state, uint64_t now_us);
/* Moves sessions whose connection has been away for too long. */
void link_group_on_time(struct link_group *g, uint64_t now_us);
/* When link_group_on_time wants to be called next; UINT64_MAX for never. */
uint64_t link_group_next_us(const struct link_group *g);

/* Connections that are up. */
unsigned link_group_up(const struct link_group *g);
/*
 * Connections that need not be waited for: those that are up, and, when at least one is, those
 * whose sessions have moved. It grows when sessions that heard nothing are heard again.
 */
unsigned link_group_served(const struct link_group *g);
#endif
