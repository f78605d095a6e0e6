/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link_server.h - the sockets of the link: listens for tcpcopy, carries bytes between the peers'
 * connections and the pure core. Knows no message. Everything is non-blocking.
 */
#ifndef INTERCEPT_LINK_SERVER_H
#define INTERCEPT_LINK_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"
#include "intercept/response.h"

enum {
	LINK_SERVER_ERROR_MAX = 512,
};

struct event_base;

struct link_server_config {
	struct ip_addr bind; /* unspecified: all addresses of both families */
	uint16_t port;
};

struct link_server;

/* Listens. NULL with one sentence in error. */
struct link_server *link_server_open(struct event_base *base,
				     const struct link_server_config *config,
				     char error[LINK_SERVER_ERROR_MAX]);
/*
 * Takes connections for r from now on. 0, or -1. What comes is told to the core in the event loop; response_flush is called
 * by whoever runs that.
 */
int link_server_start(struct link_server *s, struct response *r);
/* Closes what is open without a word; response_shutdown says it. */
void link_server_close(struct link_server *s);

/* The core's effects wants_write and close. */
void link_server_write(struct link_server *s, unsigned peer);
void link_server_close_peer(struct link_server *s, unsigned peer);
/* "10.0.0.1:40000". */
const char *link_server_peer_name(const struct link_server *s, unsigned peer);
/* The address that it connects from. */
struct ip_addr link_server_peer_address(const struct link_server *s, unsigned peer);
/* Call about once a second: listens again after it had run out of descriptors. */
void link_server_on_tick(struct link_server *s);
#endif
