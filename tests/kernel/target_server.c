/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/target_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 256,
	BACKLOG = 8192,
	CONNECTIONS_MAX = 4, /* a session, on average */
	READ_MAX = 65536,
	SLOW_READ_MAX = 4096,
	SLOW_FIRST_US = 300000, /* long enough for a zero window, if the buffer is small */
	SLOW_PAUSE_US = 5000,
	LATE_MAX_US = 30000,
	FOR_LATENESS = 200, /* purpose of talk_random */
};

/* A connection. */
struct visitor {
	int fd;               /* -1: none */
	long session;         /* -1: not known yet */
	uint64_t received;    /* offset in the client's stream */
	uint64_t answer_left; /* bytes */
	uint32_t answered;    /* turns whose answer is with the kernel */
	uint64_t answer_us;   /* not before; 0: none waits */
	uint64_t read_us;     /* not before; 0: now */
	uint32_t events;
	bool has_ended; /* the client's FIN */
	bool is_shut;   /* ours */
	bool is_first;  /* of its session: the manner is its */
	uint8_t head_len;
	uint8_t head[TALK_HEAD_LEN];
};

struct target_server {
	struct target_server_config config;
	int listen_fd;
	int epoll_fd;
	struct visitor *visitors;
	uint32_t visitor_count;
	struct target_server_account *accounts;
	uint32_t ended;
	uint32_t strangers;
	uint64_t now_us;
	uint8_t buf[READ_MAX];
	uint8_t expected[READ_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "target_server: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- opening ---- */

static void set_option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die(what);
}

static int open_listener(const struct target_server_config *config)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(config->listen.port),
		.sin_addr.s_addr = htonl(ip_addr_to_v4(&config->listen.addr)),
	};
	const char *congestion = config->congestion;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	if (config->receive_buffer_bytes)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, config->receive_buffer_bytes, "SO_RCVBUF");
	if (congestion &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)))
		die("TCP_CONGESTION");
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	if (listen(fd, BACKLOG))
		die("listen");
	return fd;
}

struct target_server *target_server_open(const struct target_server_config *config)
{
	struct target_server *s = calloc(1, sizeof(*s));
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
	uint32_t sessions = config->talk->sessions;

	if (!s)
		die("memory");
	s->config = *config;
	s->accounts = calloc(sessions, sizeof(*s->accounts));
	s->visitors = calloc((size_t)sessions * CONNECTIONS_MAX, sizeof(*s->visitors));
	if (!s->accounts || !s->visitors)
		die("memory");
	s->listen_fd = open_listener(config);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &e))
		die("epoll");
	return s;
}

void target_server_close(struct target_server *s)
{
	for (uint32_t i = 0; i < s->visitor_count; i++)
		if (s->visitors[i].fd >= 0)
			close(s->visitors[i].fd);
	close(s->listen_fd);
	close(s->epoll_fd);
	free(s->visitors);
	free(s->accounts);
	free(s);
}

/* ---- ends ---- */

static void watch(struct target_server *s, struct visitor *v, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u32 = (uint32_t)(v - s->visitors)};

	if (v->events != events && epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, v->fd, &e))
		die("epoll_ctl");
	v->events = events;
}

static void leave(struct visitor *v)
{
	close(v->fd); /* leaves epoll with it */
	v->fd = -1;
	v->read_us = v->answer_us = 0;
}

static struct target_server_account *account_of(struct target_server *s, const struct visitor *v)
{
	return &s->accounts[v->session];
}

__attribute__((format(printf, 2, 3))) static void note(struct target_server_account *a,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(a->why, sizeof(a->why), format, args);
	va_end(args);
}

/* The account says why. */
static void wrong(struct target_server *s, struct visitor *v)
{
	struct target_server_account *a = account_of(s, v);

	if (!a->is_wrong && !a->is_done)
		s->ended++;
	a->is_wrong = true;
	leave(v);
}

static void done(struct target_server *s, struct visitor *v)
{
	struct target_server_account *a = account_of(s, v);

	a->is_done = true;
	a->done_us = s->now_us;
	s->ended++;
	leave(v);
}

/* If it was not all, the session may go on with another connection. */
static void on_end(struct target_server *s, struct visitor *v, bool by_reset)
{
	const struct talk *t = s->config.talk;
	uint32_t session = (uint32_t)v->session;
	uint64_t wanted;

	if (v->session < 0) {
		leave(v); /* a handshake that was given up */
		return;
	}
	wanted = (uint64_t)talk_turns_wanted(t, session) * talk_request_bytes(t, session);
	note(account_of(s, v), "%s after %llu of %llu bytes", by_reset ? "reset" : "ended",
	     (unsigned long long)v->received, (unsigned long long)wanted);
	if (v->received != wanted)
		leave(v);
	else if (by_reset != (talk_manner_of(t, session) == TALK_CLIENT_RESET))
		wrong(s, v);
	else if (by_reset || !v->answer_left)
		done(s, v);
	else
		v->has_ended = true; /* the client has, we have not */
}

/* ---- answers ---- */

static uint32_t events_wanted(const struct visitor *v)
{
	uint32_t events = 0;

	if (!v->has_ended && !v->read_us)
		events |= EPOLLIN;
	if (v->answer_left && !v->answer_us)
		events |= EPOLLOUT;
	return events;
}

/* Half-way, where the manner asks for it. */
static void end_our_side(struct target_server *s, struct visitor *v)
{
	const struct talk *t = s->config.talk;

	if (talk_manner_of(t, (uint32_t)v->session) == TALK_HALF_CLOSE) {
		shutdown(v->fd, SHUT_WR);
		v->is_shut = true;
	} else if (t->is_whole) {
		done(s, v);
	} else {
		leave(v);
	}
}

/* The answer of this turn is with the kernel; it may have been the last one. */
static void answered(struct target_server *s, struct visitor *v)
{
	const struct talk *t = s->config.talk;
	uint32_t session = (uint32_t)v->session;
	enum talk_manner manner = talk_manner_of(t, session);

	v->answered++;
	if (v->has_ended)
		done(s, v);
	else if (manner == TALK_CLIENT_RESET && v->answered == t->turns &&
		 s->config.may_lose_resets)
		done(s, v);
	else if ((manner == TALK_HALF_CLOSE || manner == TALK_CLOSE) && v->is_first &&
		 v->answered == talk_turns_answered(t, session))
		end_our_side(s, v);
}

static void write_answer(struct target_server *s, struct visitor *v)
{
	static const uint8_t zeros[READ_MAX];

	while (v->fd >= 0 && v->answer_left && s->now_us >= v->answer_us) {
		size_t len =
			v->answer_left < sizeof(zeros) ? (size_t)v->answer_left : sizeof(zeros);
		ssize_t n = send(v->fd, zeros, len, MSG_NOSIGNAL);

		v->answer_us = 0;
		if (n < 0 && errno != EAGAIN)
			on_end(s, v, true);
		if (n < 0)
			break;
		v->answer_left -= (uint64_t)n;
		if (!v->answer_left)
			answered(s, v);
	}
	if (v->fd >= 0)
		watch(s, v, events_wanted(v));
}

static void on_turn(struct target_server *s, struct visitor *v, uint32_t turn)
{
	const struct talk *t = s->config.talk;
	uint32_t session = (uint32_t)v->session;

	if (s->accounts[session].turns <= turn)
		s->accounts[session].turns = turn + 1;
	if (v->is_shut)
		return;
	v->answer_left += talk_target_answer_bytes(t, session, turn);
	if (talk_manner_of(t, session) == TALK_LATE)
		v->answer_us =
			s->now_us + talk_random(t, session, turn, FOR_LATENESS) % LATE_MAX_US;
	write_answer(s, v);
}

/* ---- reading ---- */

/* Whether this connection may begin where its head says. */
static bool greet(struct target_server *s, struct visitor *v, const struct talk_head *head)
{
	struct target_server_account *a;

	v->session = (long)head->session;
	v->received = (uint64_t)head->turn * talk_request_bytes(s->config.talk, head->session);
	v->answered = head->turn;
	a = account_of(s, v);
	v->is_first = a->connections++ == 0;
	a->again += head->turn < a->turns;
	if (a->is_wrong) {
		leave(v);
		return false;
	}
	if (!a->is_done && s->config.may_lose_resets && head->turn > a->turns &&
	    talk_manner_of(s->config.talk, head->session) == TALK_CLOSE) {
		a->lost += head->turn - a->turns;
		a->turns = head->turn;
	}
	if (!a->is_done && head->turn <= a->turns)
		return true;
	note(a, "turn %u comes after %u turns%s", head->turn, a->turns,
	     a->is_done ? ", the end" : "");
	wrong(s, v);
	return false;
}

static bool is_as_said(struct target_server *s, struct visitor *v, const uint8_t *data, size_t len)
{
	size_t i = 0;

	talk_fill(s->config.talk, (uint32_t)v->session, v->received, s->expected, len);
	if (memcmp(data, s->expected, len) == 0)
		return true;
	while (data[i] == s->expected[i])
		i++;
	note(account_of(s, v), "byte %llu is 0x%02x, not 0x%02x",
	     (unsigned long long)(v->received + i), data[i], s->expected[i]);
	wrong(s, v);
	return false;
}

static void take(struct target_server *s, struct visitor *v, const uint8_t *data, size_t len)
{
	const struct talk *t = s->config.talk;
	uint64_t before = v->received;
	uint32_t request = talk_request_bytes(t, (uint32_t)v->session);

	if (before + len > (uint64_t)t->turns * request) {
		note(account_of(s, v), "more bytes than its client said");
		wrong(s, v);
		return;
	}
	if (!is_as_said(s, v, data, len))
		return;
	v->received += len;
	for (uint64_t turn = before / request; v->fd >= 0 && turn * request < v->received; turn++) {
		if (turn * request >= before && turn > v->answered && !v->is_shut)
			account_of(s, v)->early++;
		if ((turn + 1) * request <= v->received)
			on_turn(s, v, (uint32_t)turn);
	}
}

static void take_head(struct target_server *s, struct visitor *v, const uint8_t *data, size_t len)
{
	struct talk_head head;

	memcpy(v->head + v->head_len, data, len);
	v->head_len += (uint8_t)len;
	if (v->head_len < TALK_HEAD_LEN)
		return;
	if (talk_read_head(s->config.talk, &head, v->head)) {
		s->strangers++;
		leave(v);
	} else if (greet(s, v, &head)) {
		take(s, v, v->head, TALK_HEAD_LEN);
	}
}

static bool is_slow(const struct target_server *s, const struct visitor *v)
{
	return v->session >= 0 && talk_manner_of(s->config.talk, (uint32_t)v->session) == TALK_SLOW;
}

static void read_some(struct target_server *s, struct visitor *v)
{
	while (v->fd >= 0 && !v->has_ended && s->now_us >= v->read_us) {
		bool is_new = v->session < 0;
		size_t room = is_slow(s, v) ? SLOW_READ_MAX : READ_MAX;
		ssize_t n =
			read(v->fd, s->buf, is_new ? (size_t)(TALK_HEAD_LEN - v->head_len) : room);

		v->read_us = 0;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			on_end(s, v, n < 0);
			break;
		}
		if (is_new)
			take_head(s, v, s->buf, (size_t)n);
		else
			take(s, v, s->buf, (size_t)n);
		if (v->fd >= 0 && is_slow(s, v))
			v->read_us = s->now_us + (is_new ? SLOW_FIRST_US : SLOW_PAUSE_US);
	}
	if (v->fd >= 0)
		watch(s, v, events_wanted(v));
}

static void accept_all(struct target_server *s)
{
	for (;;) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = s->visitor_count};

		if (fd < 0)
			return;
		if (s->visitor_count == s->config.talk->sessions * CONNECTIONS_MAX) {
			s->strangers++;
			close(fd);
			continue;
		}
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
		s->visitors[s->visitor_count] =
			(struct visitor){.fd = fd, .session = -1, .events = EPOLLIN};
		if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e))
			die("epoll_ctl");
		s->visitor_count++;
	}
}

static void run_delayed(struct target_server *s)
{
	for (uint32_t i = 0; i < s->visitor_count; i++) {
		struct visitor *v = &s->visitors[i];

		if (v->fd >= 0 && v->answer_us && s->now_us >= v->answer_us)
			write_answer(s, v);
		if (v->fd >= 0 && v->read_us && s->now_us >= v->read_us)
			read_some(s, v);
	}
}

void target_server_run(struct target_server *s, uint64_t now_us)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);

	s->now_us = now_us;
	for (int i = 0; i < n; i++) {
		struct visitor *v = &s->visitors[events[i].data.u32 %
						 (s->config.talk->sessions * CONNECTIONS_MAX)];

		if (events[i].data.u32 == UINT32_MAX) {
			accept_all(s);
			continue;
		}
		if (v->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
			read_some(s, v);
		if (v->fd >= 0 && (events[i].events & EPOLLOUT))
			write_answer(s, v);
	}
	run_delayed(s);
}

uint64_t target_server_next_us(const struct target_server *s)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < s->visitor_count; i++) {
		const struct visitor *v = &s->visitors[i];

		if (v->answer_us && v->answer_us < at)
			at = v->answer_us;
		if (v->read_us && v->read_us < at)
			at = v->read_us;
	}
	return at;
}

int target_server_fd(const struct target_server *s)
{
	return s->epoll_fd;
}

const struct target_server_account *target_server_account(const struct target_server *s,
							  uint32_t session)
{
	return &s->accounts[session];
}

uint32_t target_server_ended(const struct target_server *s)
{
	return s->ended;
}

uint32_t target_server_strangers(const struct target_server *s)
{
	return s->strangers;
}
