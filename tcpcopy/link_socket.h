/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link_socket.h - the TCP socket under one intercept_link: non-blocking connect, reads into its
 * input, writes of its output. Decides nothing: that is intercept_link.
 */
#ifndef TCPCOPY_LINK_SOCKET_H
#define TCPCOPY_LINK_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "tcpcopy/intercept_link.h"

struct event_base;
struct link_socket;

/* What comes out of the link, with the owner's ctx. None may free the socket. */
struct link_socket_handlers {
	void (*record)(void *ctx, const struct wire_record *record, uint64_t now_us);
	void (*path_mtu)(void *ctx, const struct wire_path_mtu *m, uint64_t now_us);
	void (*refused)(void *ctx, uint32_t session_id, uint64_t now_us);
	void (*link_state)(void *ctx, struct intercept_link *link, enum intercept_link_state state,
			   const char *why, uint64_t now_us);
};

/* Borrows base, handlers and ctx. NULL with errno. */
struct link_socket *link_socket_new(struct event_base *base,
				    const struct intercept_link_config *config,
				    const struct link_socket_handlers *handlers, void *ctx,
				    uint64_t now_us);
void link_socket_free(struct link_socket *s);
struct intercept_link *link_socket_link(struct link_socket *s);
/*
 * Whether what comes in is an event of the base, as it is at first; otherwise the owner calls
 * link_socket_read from time to time. The connection is lost if the kernel has no room for the event.
 */
void link_socket_watch(struct link_socket *s, bool watch, uint64_t now_us);
/* Takes what has come in. May find the connection lost. */
void link_socket_read(struct link_socket *s, uint64_t now_us);
/* Gives the link's output to the kernel; what it does not take follows when it does. */
void link_socket_write(struct link_socket *s, uint64_t now_us);
#endif
