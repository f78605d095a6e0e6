/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link_socket.c - see link_socket.h.
 */
#include "tcpcopy/link_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"

struct link_socket {
	struct event_base *base;
	struct intercept_link *link;
	const struct link_socket_handlers *handlers;
	void *ctx;
	int fd; /* -1: none */
	struct event *readable;
	struct event *writable;
	bool is_connecting;
	bool is_unwatched; /* the owner reads */
	bool is_full;      /* the kernel takes nothing: writable is armed */
};

static const char no_event[] = "no room for another event";

static void socket_close(struct link_socket *s)
{
	if (s->readable)
		event_free(s->readable);
	if (s->writable)
		event_free(s->writable);
	if (s->fd != -1)
		close(s->fd);
	s->readable = NULL;
	s->writable = NULL;
	s->fd = -1;
	s->is_connecting = false;
	s->is_full = false;
}

static void socket_lost(struct link_socket *s, const char *why, uint64_t now_us)
{
	socket_close(s);
	intercept_link_on_closed(s->link, why, now_us);
}

void link_socket_read(struct link_socket *s, uint64_t now_us)
{
	size_t room;
	uint8_t *to;
	ssize_t len;

	if (s->fd == -1 || s->is_connecting)
		return;
	to = intercept_link_input(s->link, &room);
	len = recv(s->fd, to, room, 0);
	if (len > 0)
		intercept_link_on_input(s->link, (size_t)len, now_us);
	else if (len == 0)
		socket_lost(s, "intercept closed the connection", now_us);
	else if (errno != EAGAIN && errno != EINTR)
		socket_lost(s, strerror(errno), now_us);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_socket_read(arg, clock_now_us());
}

void link_socket_watch(struct link_socket *s, bool watch, uint64_t now_us)
{
	if (s->is_unwatched == !watch)
		return;
	s->is_unwatched = !watch;
	if (s->fd == -1 || s->is_connecting)
		return;
	if (!watch)
		event_del(s->readable);
	else if (event_add(s->readable, NULL) == -1)
		socket_lost(s, no_event, now_us);
}

static void socket_connected(struct link_socket *s, uint64_t now_us)
{
	int error = 0;
	socklen_t len = sizeof(error);

	s->is_connecting = false;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error) {
		socket_lost(s, strerror(error), now_us);
		return;
	}
	if (!s->is_unwatched && event_add(s->readable, NULL) == -1) {
		socket_lost(s, no_event, now_us);
		return;
	}
	intercept_link_on_connected(s->link, now_us);
	link_socket_write(s, now_us);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link_socket *s = arg;
	uint64_t now_us = clock_now_us();

	(void)fd;
	(void)what;
	s->is_full = false;
	if (s->is_connecting)
		socket_connected(s, now_us);
	else
		link_socket_write(s, now_us);
}

void link_socket_write(struct link_socket *s, uint64_t now_us)
{
	const uint8_t *bytes;
	size_t len;

	bytes = intercept_link_output(s->link, &len);
	while (len && s->fd != -1 && !s->is_connecting && !s->is_full) {
		ssize_t written = send(s->fd, bytes, len, MSG_NOSIGNAL);

		if (written >= 0) {
			intercept_link_on_written(s->link, (size_t)written);
		} else if (errno == EAGAIN) {
			s->is_full = true;
			if (event_add(s->writable, NULL) == -1)
				socket_lost(s, no_event, now_us);
		} else if (errno != EINTR) {
			socket_lost(s, strerror(errno), now_us);
		}
		bytes = intercept_link_output(s->link, &len);
	}
}

/* --- what intercept_link asks for --- */

static socklen_t sockaddr_of(struct sockaddr_storage *to, const struct endpoint *e)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (ip_addr_is_v4(&e->addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(e->port);
		v4->sin_addr.s_addr = htonl(ip_addr_to_v4(&e->addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(e->port);
	memcpy(&v6->sin6_addr, e->addr.b, sizeof(e->addr.b));
	return sizeof(*v6);
}

static int socket_begin(struct link_socket *s, const struct endpoint *to)
{
	struct sockaddr_storage address;
	socklen_t len = sockaddr_of(&address, to);
	int one = 1, segment = WIRE_SEGMENT_BYTES;

	s->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		return -1;
	/* Batches are made here; the kernel has nothing to gather. */
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(s->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
	s->readable = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(s->base, s->fd, EV_WRITE, on_writable, s);
	if (!s->readable || !s->writable || event_add(s->writable, NULL) == -1) {
		errno = ENOMEM;
		return -1;
	}
	s->is_connecting = true;
	if (connect(s->fd, (const struct sockaddr *)&address, len) == -1 && errno != EINPROGRESS)
		return -1;
	return 0;
}

static int effect_connect(void *ctx, const struct endpoint *to, const char **why)
{
	struct link_socket *s = ctx;

	if (socket_begin(s, to) == 0)
		return 0;
	*why = strerror(errno);
	socket_close(s);
	return -1;
}

static void effect_close(void *ctx)
{
	struct link_socket *s = ctx;
	size_t len;
	const uint8_t *bytes = intercept_link_output(s->link, &len);

	/* A refusal, so that the other side's log says why. Offered once, not waited for. */
	if (len && s->fd != -1 && !s->is_connecting && !s->is_full)
		send(s->fd, bytes, len, MSG_NOSIGNAL);
	socket_close(s);
}

static void effect_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	struct link_socket *s = ctx;

	s->handlers->record(s->ctx, record, now_us);
}

static void effect_path_mtu(void *ctx, const struct wire_path_mtu *m, uint64_t now_us)
{
	struct link_socket *s = ctx;

	s->handlers->path_mtu(s->ctx, m, now_us);
}

static void effect_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	struct link_socket *s = ctx;

	s->handlers->refused(s->ctx, session_id, now_us);
}

static void effect_link_state(void *ctx, enum intercept_link_state state, const char *why,
			      uint64_t now_us)
{
	struct link_socket *s = ctx;

	s->handlers->link_state(s->ctx, s->link, state, why, now_us);
}

static const struct intercept_link_effects effects = {
	.connect = effect_connect,
	.close = effect_close,
	.record = effect_record,
	.path_mtu = effect_path_mtu,
	.refused = effect_refused,
	.link_state = effect_link_state,
};

struct link_socket *link_socket_new(struct event_base *base,
				    const struct intercept_link_config *config,
				    const struct link_socket_handlers *handlers, void *ctx,
				    uint64_t now_us)
{
	struct link_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = base;
	s->handlers = handlers;
	s->ctx = ctx;
	s->fd = -1;
	s->link = intercept_link_new(config, &effects, s, now_us);
	if (!s->link) {
		free(s);
		return NULL;
	}
	return s;
}

void link_socket_free(struct link_socket *s)
{
	if (!s)
		return;
	socket_close(s);
	intercept_link_free(s->link);
	free(s);
}

struct intercept_link *link_socket_link(struct link_socket *s)
{
	return s->link;
}
