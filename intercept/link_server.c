/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link_server.c - see link_server.h. A peer's number in the core is its place in the table here. A
 * write is tried at once and left to the event loop only when the kernel takes no more; errors of
 * a write are seen by the next read.
 */
#include "intercept/link_server.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"

enum {
	LISTENERS_MAX = 2,
	BACKLOG = 64,
	ACCEPT_BATCH = 16,
	READ_LEN = 64 * 1024,
	READ_ROUNDS = 16, /* of these, before others get their turn */
	DRAIN_READS = 8,
};

struct client {
	int fd;
	unsigned number;
	struct event *readable; /* NULL: the place is free */
	struct event *writable; /* pending while the kernel takes no more */
	struct endpoint peer;
	char name[ENDPOINT_TEXT_MAX];
	struct link_server *server;
};

struct listener {
	int fd;
	struct event *readable;
};

struct link_server {
	struct event_base *base;
	struct response *response;
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	bool is_paused; /* out of descriptors: accepting would only fail, again and again */
	struct client clients[RESPONSE_CONNECTIONS_MAX];
	uint8_t input[READ_LEN]; /* decoded in place, before anything else is read */
};

/* ---- listening ---- */

static socklen_t sockaddr_of(struct sockaddr_storage *to, const struct ip_addr *addr, uint16_t port,
			     int family)
{
	memset(to, 0, sizeof(*to));
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)to;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		if (!ip_addr_is_unspecified(addr))
			in->sin_addr.s_addr = htonl(ip_addr_to_v4(addr));
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, addr->b, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

static struct endpoint endpoint_of(const struct sockaddr_storage *from)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

	if (from->ss_family == AF_INET)
		return (struct endpoint){.addr = ip_addr_v4(ntohl(in->sin_addr.s_addr)),
					 .port = ntohs(in->sin_port)};
	return (struct endpoint){.addr = ip_addr_v6_bytes((const uint8_t *)&in6->sin6_addr),
				 .port = ntohs(in6->sin6_port)};
}

static void explain(char error[LINK_SERVER_ERROR_MAX], const struct link_server_config *config,
		    int why)
{
	char addr[IP_ADDR_TEXT_MAX] = "all addresses";

	if (!ip_addr_is_unspecified(&config->bind))
		ip_addr_format(addr, sizeof(addr), &config->bind);
	if (why == EADDRINUSE)
		snprintf(error, LINK_SERVER_ERROR_MAX,
			 "port %u on %s is in use, perhaps by another intercept: \"ss -ltnp 'sport "
			 "= "
			 ":%u'\" shows by whom; end that, or choose another port with -p (and for "
			 "tcpcopy -s HOST:PORT)",
			 (unsigned)config->port, addr, (unsigned)config->port);
	else if (why == EADDRNOTAVAIL)
		snprintf(error, LINK_SERVER_ERROR_MAX,
			 "-b %s: this host has no such address; \"ip address\" shows those that it "
			 "has",
			 addr);
	else if (why == EACCES)
		snprintf(error, LINK_SERVER_ERROR_MAX,
			 "port %u on %s is not permitted: ports below 1024 need "
			 "CAP_NET_BIND_SERVICE; choose another with -p",
			 (unsigned)config->port, addr);
	else
		snprintf(error, LINK_SERVER_ERROR_MAX, "cannot listen on port %u of %s: %s",
			 (unsigned)config->port, addr, strerror(why));
}

/* The descriptor, or -1 with errno. */
static int listen_on(const struct link_server_config *config, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage addr;
	socklen_t len = sockaddr_of(&addr, &config->bind, config->port, family);
	int on = 1, segment = WIRE_SEGMENT_BYTES, saved_errno;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)); /* inherited */
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

static int add_listener(struct link_server *s, const struct link_server_config *config, int family)
{
	int fd = listen_on(config, family);

	if (fd < 0)
		return -1;
	s->listeners[s->listener_count++] = (struct listener){.fd = fd};
	return 0;
}

static int listen_all(struct link_server *s, const struct link_server_config *config)
{
	if (!ip_addr_is_unspecified(&config->bind))
		return add_listener(s, config, ip_addr_is_v4(&config->bind) ? AF_INET : AF_INET6);
	if (add_listener(s, config, AF_INET))
		return -1;
	/* A host without IPv6 is fine; a port that somebody has is not. */
	if (add_listener(s, config, AF_INET6) && errno == EADDRINUSE)
		return -1;
	return 0;
}

/* ---- connections ---- */

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static void client_free(struct client *c)
{
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->fd >= 0)
		close(c->fd);
	c->readable = NULL;
	c->writable = NULL;
	c->fd = -1;
}

/* 0, or -1 without memory; then the descriptor is closed. */
static int client_init(struct link_server *s, unsigned number, int fd,
		       const struct sockaddr_storage *from)
{
	struct client *c = &s->clients[number];
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->fd = fd;
	c->peer = endpoint_of(from);
	endpoint_format(c->name, sizeof(c->name), &c->peer);
	c->readable = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(s->base, fd, EV_WRITE, on_writable, c);
	if (c->readable && c->writable && event_add(c->readable, NULL) == 0)
		return 0;
	client_free(c);
	return -1;
}

static void adopt(struct link_server *s, int fd, const struct sockaddr_storage *from)
{
	uint64_t now_us = clock_now_us();
	int number = response_on_peer_connected(s->response, now_us);

	if (number < 0) {
		log_warn("a connection is closed at once: there are too many");
		close(fd);
		return;
	}
	if (client_init(s, (unsigned)number, fd, from)) {
		log_err("out of memory for a connection");
		response_on_peer_closed(s->response, (unsigned)number);
	}
}

static void pause_listening(struct link_server *s)
{
	log_err("connections cannot be accepted: %s; trying again in a second", strerror(errno));
	for (size_t i = 0; i < s->listener_count; i++)
		event_del(s->listeners[i].readable);
	s->is_paused = true;
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
	struct link_server *s = arg;

	(void)what;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			adopt(s, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_listening(s);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* One read. True if there may be more. */
static bool read_some(struct client *c)
{
	struct link_server *s = c->server;
	ssize_t n = recv(c->fd, s->input, sizeof(s->input), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		response_on_peer_closed(s->response, c->number);
		client_free(c);
		return false;
	}
	response_on_peer_bytes(s->response, c->number, s->input, (size_t)n, clock_now_us());
	return n == sizeof(s->input) && c->fd >= 0;
}

/* Some rounds, because time may pass before the next call. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < READ_ROUNDS && read_some(arg); i++)
		continue;
}

/* One write. True if the kernel took less than there is. */
static bool send_some(struct client *c)
{
	struct response *r = c->server->response;
	size_t len;
	const uint8_t *data = response_output(r, c->number, &len);
	ssize_t n;

	if (!data)
		return false;
	n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		response_output_sent(r, c->number, (size_t)n);
	return n < (ssize_t)len;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (send_some(c))
		event_add(c->writable, NULL);
}

void link_server_write(struct link_server *s, unsigned peer)
{
	struct client *c = &s->clients[peer];

	if (!c->writable || event_pending(c->writable, EV_WRITE, NULL))
		return;
	if (send_some(c))
		event_add(c->writable, NULL);
}

void link_server_close_peer(struct link_server *s, unsigned peer)
{
	struct client *c = &s->clients[peer];

	if (c->fd < 0)
		return;
	(void)send_some(c);
	/*
	 * Unread input would make the close a reset, which can overtake what was just sent. It is not read into
	 * s->input, from which the hello of the one that takes this place may be being decoded.
	 */
	for (int i = 0; i < DRAIN_READS; i++)
		if (recv(c->fd, NULL, READ_LEN, MSG_DONTWAIT | MSG_TRUNC) <= 0)
			break;
	client_free(c);
}

const char *link_server_peer_name(const struct link_server *s, unsigned peer)
{
	return s->clients[peer].name;
}

struct ip_addr link_server_peer_address(const struct link_server *s, unsigned peer)
{
	return s->clients[peer].peer.addr;
}

/* ---- the whole ---- */

struct link_server *link_server_open(struct event_base *base,
				     const struct link_server_config *config,
				     char error[LINK_SERVER_ERROR_MAX])
{
	struct link_server *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(error, LINK_SERVER_ERROR_MAX, "out of memory");
		return NULL;
	}
	s->base = base;
	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++)
		s->clients[i] = (struct client){.fd = -1, .number = i, .server = s};
	if (listen_all(s, config)) {
		explain(error, config, errno);
		link_server_close(s);
		return NULL;
	}
	return s;
}

int link_server_start(struct link_server *s, struct response *r)
{
	s->response = r;
	for (size_t i = 0; i < s->listener_count; i++) {
		struct listener *l = &s->listeners[i];

		l->readable = event_new(s->base, l->fd, EV_READ | EV_PERSIST, on_connection, s);
		if (!l->readable || event_add(l->readable, NULL))
			return -1;
	}
	return 0;
}

void link_server_close(struct link_server *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < RESPONSE_CONNECTIONS_MAX; i++)
		client_free(&s->clients[i]);
	for (size_t i = 0; i < s->listener_count; i++) {
		if (s->listeners[i].readable)
			event_free(s->listeners[i].readable);
		close(s->listeners[i].fd);
	}
	free(s);
}

void link_server_on_tick(struct link_server *s)
{
	if (!s->is_paused)
		return;
	s->is_paused = false;
	for (size_t i = 0; i < s->listener_count; i++)
		event_add(s->listeners[i].readable, NULL);
}
