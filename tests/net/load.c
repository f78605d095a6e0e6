/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - the HTTP/1.1 client of the namespace tests. Every request carries an id of its own,
 * CONNECTION-SEQUENCE, in the URL and in a header, so that two access logs can be compared request
 * by request. Open loop (so many a second) or closed loop, kept-alive or short connections,
 * with bodies whose content follows from the id. One thread, epoll; no pipelining.
 *
 * Prints one line of JSON. Exit 0 if every request got a status of 2xx.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 4096,
	HEAD_MAX = 8192,
	BODY_MAX = 64 << 20,
	EVENTS_MAX = 256,
};

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct settings {
	union socket_address to;
	union socket_address
		from;     /* the first client's address; family 0: whatever the route says */
	uint32_t clients; /* so many addresses from there on, in turn */
	unsigned connections;
	uint64_t requests;     /* in total */
	double rate_per_s;     /* 0: closed loop */
	bool is_short;         /* a connection a request */
	const char *method;    /* GET, POST, PUT */
	const char *path;      /* %s stands for the id */
	size_t body_bytes;     /* of a request */
	double limit_s;        /* gives up after that */
	double hold_s;         /* keeps connections open after the last answer */
	double think_s;        /* closed loop: pause before the next request */
	const char *id_prefix; /* before every id */
};

enum connection_state {
	CONNECTION_CLOSED,
	CONNECTION_IDLE,     /* open, nothing asked */
	CONNECTION_THINKING, /* open, waits until next_us */
	CONNECTION_SENDING,
	CONNECTION_HEAD, /* of the answer */
	CONNECTION_BODY,
};

struct connection {
	int fd;
	enum connection_state state;
	uint64_t number;   /* first half of an id */
	uint64_t sequence; /* second half */
	uint64_t next_us;
	char *out;
	size_t out_len_bytes;
	size_t out_sent_bytes;
	char head[HEAD_MAX];
	size_t head_len_bytes;
	uint64_t body_left_bytes;
	bool closes; /* the server said so */
	uint32_t events;
};

struct load {
	struct settings set;
	int epoll_fd;
	struct connection *connections;
	unsigned *idle; /* stack of those that may be asked; short: closed ones */
	unsigned idle_count;
	uint64_t started_us;
	uint64_t numbered; /* connections made so far */
	uint64_t asked;
	uint64_t ok;
	uint64_t errors;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(struct load *l, unsigned i, uint32_t events)
{
	struct connection *c = &l->connections[i];
	struct epoll_event e = {.events = events, .data.u32 = i};

	if (c->events == events)
		return;
	if (epoll_ctl(l->epoll_fd, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("epoll_ctl");
	c->events = events;
}

static socklen_t socket_address_len(const union socket_address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

/* The next client's address; the port is chosen by the kernel as it connects. */
static void choose_client(struct load *l, int fd)
{
	union socket_address from = l->set.from;
	uint32_t nth = (uint32_t)(l->numbered % l->set.clients);
	int one = 1;

	if (from.any.sa_family == AF_UNSPEC)
		return;
	if (from.any.sa_family == AF_INET)
		from.v4.sin_addr.s_addr = htonl(ntohl(from.v4.sin_addr.s_addr) + nth);
	else
		from.v6.sin6_addr.s6_addr32[3] = htonl(ntohl(from.v6.sin6_addr.s6_addr32[3]) + nth);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, &from.any, socket_address_len(&from)) < 0)
		die("bind");
}

static int connection_open(struct load *l, unsigned i)
{
	struct connection *c = &l->connections[i];
	int one = 1;

	c->fd = socket(l->set.to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	choose_client(l, c->fd);
	c->number = l->numbered++;
	c->sequence = 0;
	c->events = 0;
	c->closes = false;
	if (connect(c->fd, &l->set.to.any, socket_address_len(&l->set.to)) < 0 &&
	    errno != EINPROGRESS) {
		close(c->fd);
		return -1;
	}
	c->state = CONNECTION_IDLE;
	return 0;
}

static void connection_close(struct connection *c)
{
	if (c->state != CONNECTION_CLOSED)
		close(c->fd);
	c->state = CONNECTION_CLOSED;
	c->events = 0;
}

/* xorshift64*: content that differs from request to request and can be computed again. */
static void fill_body(char *body, size_t len_bytes, uint64_t seed)
{
	static const char letters[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
	uint64_t x = seed * 2685821657736338717u + 88172645463325252u;

	for (size_t i = 0; i < len_bytes; i++) {
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		body[i] = letters[(x * 2685821657736338717u) >> 58];
	}
}

/* Replaces the first %s of the path by the id. */
static void put_path(char *buf, size_t size, const char *path, const char *id)
{
	const char *mark = strstr(path, "%s");

	if (!mark)
		snprintf(buf, size, "%s", path);
	else
		snprintf(buf, size, "%.*s%s%s", (int)(mark - path), path, id, mark + 2);
}

static void write_request(struct load *l, struct connection *c)
{
	char id[64], path[512], length[64] = "";
	int n;

	snprintf(id, sizeof(id), "%s%" PRIu64 "-%" PRIu64, l->set.id_prefix, c->number,
		 c->sequence++);
	put_path(path, sizeof(path), l->set.path, id);
	if (l->set.body_bytes || strcmp(l->set.method, "GET") != 0)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", l->set.body_bytes);
	n = snprintf(c->out, HEAD_MAX,
		     "%s %s?id=%s HTTP/1.1\r\nHost: online.example\r\nUser-Agent: load\r\n"
		     "X-Request-Id: %s\r\n%s%s\r\n",
		     l->set.method, path, id, id, length,
		     l->set.is_short ? "Connection: close\r\n" : "");
	assert(n > 0 && n < HEAD_MAX);
	fill_body(c->out + n, l->set.body_bytes, (c->number << 32) + c->sequence);
	c->out_len_bytes = (size_t)n + l->set.body_bytes;
	c->out_sent_bytes = 0;
	c->head_len_bytes = 0;
}

static void on_failure(struct load *l, unsigned i);

static void send_more(struct load *l, unsigned i)
{
	struct connection *c = &l->connections[i];

	while (c->out_sent_bytes < c->out_len_bytes) {
		ssize_t n = send(c->fd, c->out + c->out_sent_bytes,
				 c->out_len_bytes - c->out_sent_bytes, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
			watch(l, i, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0) {
			on_failure(l, i);
			return;
		}
		c->out_sent_bytes += (size_t)n;
	}
	c->state = CONNECTION_HEAD;
	watch(l, i, EPOLLIN);
}

static void ask(struct load *l, unsigned i)
{
	struct connection *c = &l->connections[i];

	l->asked++;
	if (c->state == CONNECTION_CLOSED && connection_open(l, i) < 0) {
		l->errors++;
		l->idle[l->idle_count++] = i;
		return;
	}
	write_request(l, c);
	c->state = CONNECTION_SENDING;
	send_more(l, i);
}

static void give_back(struct load *l, unsigned i)
{
	l->idle[l->idle_count++] = i;
}

static void on_failure(struct load *l, unsigned i)
{
	l->errors++;
	connection_close(&l->connections[i]);
	give_back(l, i);
}

static void on_answer(struct load *l, unsigned i)
{
	struct connection *c = &l->connections[i];

	l->ok++;
	if (l->set.is_short || c->closes) {
		connection_close(c);
	} else {
		c->state = CONNECTION_IDLE;
		if (l->set.think_s > 0) {
			c->state = CONNECTION_THINKING;
			c->next_us = now_us() + (uint64_t)(l->set.think_s * 1e6);
			return;
		}
	}
	give_back(l, i);
}

/* 0 when the head is complete and its status is 2xx, 1 if more is needed, -1 if it is wrong. */
static int parse_head(struct connection *c, size_t *head_bytes)
{
	char *end, *field;
	int status;

	c->head[c->head_len_bytes] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return c->head_len_bytes + 1 < HEAD_MAX ? 1 : -1;
	*head_bytes = (size_t)(end + 4 - c->head);
	end[2] = '\0';
	if (sscanf(c->head, "HTTP/1.1 %d", &status) != 1 || status < 200 || status > 299)
		return -1;
	field = strcasestr(c->head, "\r\nContent-Length:");
	c->body_left_bytes = field ? strtoull(field + 17, NULL, 10) : 0;
	if (!field && status != 204)
		return -1;
	c->closes = strcasestr(c->head, "\r\nConnection: close") != NULL;
	return 0;
}

static void on_head(struct load *l, unsigned i, ssize_t got_bytes)
{
	struct connection *c = &l->connections[i];
	size_t head_bytes = 0;
	int result;

	c->head_len_bytes += (size_t)got_bytes;
	result = parse_head(c, &head_bytes);
	if (result > 0)
		return;
	if (result < 0 || c->head_len_bytes - head_bytes > c->body_left_bytes) {
		on_failure(l, i);
		return;
	}
	c->body_left_bytes -= c->head_len_bytes - head_bytes;
	c->state = CONNECTION_BODY;
	if (c->body_left_bytes == 0)
		on_answer(l, i);
}

static void on_readable(struct load *l, unsigned i)
{
	static char waste[1 << 18];
	struct connection *c = &l->connections[i];
	ssize_t n;

	if (c->state == CONNECTION_HEAD)
		n = recv(c->fd, c->head + c->head_len_bytes, HEAD_MAX - 1 - c->head_len_bytes, 0);
	else
		n = recv(c->fd, waste, sizeof(waste), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (c->state == CONNECTION_IDLE || c->state == CONNECTION_THINKING) {
		/* The server ended an idle connection: the next request takes a new one. */
		connection_close(c);
		return;
	}
	if (n <= 0) {
		on_failure(l, i);
	} else if (c->state == CONNECTION_HEAD) {
		on_head(l, i, n);
	} else if (c->state == CONNECTION_BODY) {
		c->body_left_bytes -=
			(uint64_t)n < c->body_left_bytes ? (uint64_t)n : c->body_left_bytes;
		if (c->body_left_bytes == 0)
			on_answer(l, i);
	} else {
		on_failure(l, i); /* an answer before the request was sent */
	}
}

static void wake_thinkers(struct load *l, uint64_t now)
{
	for (unsigned i = 0; i < l->set.connections; i++) {
		struct connection *c = &l->connections[i];

		if (c->state == CONNECTION_THINKING && c->next_us <= now) {
			c->state = CONNECTION_IDLE;
			give_back(l, i);
		}
	}
}

static void ask_what_is_due(struct load *l, uint64_t now)
{
	uint64_t due = l->set.requests;

	if (l->set.think_s > 0)
		wake_thinkers(l, now);
	if (l->set.rate_per_s > 0) {
		double d = (double)(now - l->started_us) / 1e6 * l->set.rate_per_s;

		due = d < (double)due ? (uint64_t)d : due;
	}
	while (l->asked < due && l->idle_count > 0) {
		/* First come, first served, so that all connections are used alike. */
		unsigned i = l->idle[0];

		l->idle_count--;
		memmove(l->idle, l->idle + 1, l->idle_count * sizeof(*l->idle));
		ask(l, i);
	}
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS_MAX];
	int timeout_ms = l->set.rate_per_s > 0 || l->set.think_s > 0 ? 1 : 100;
	uint64_t limit_us;

	l->started_us = now_us();
	limit_us = l->started_us + (uint64_t)(l->set.limit_s * 1e6);
	while (l->ok + l->errors < l->set.requests && now_us() < limit_us) {
		int n;

		ask_what_is_due(l, now_us());
		n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, timeout_ms);
		for (int k = 0; k < n; k++) {
			unsigned i = events[k].data.u32;

			if (l->connections[i].state == CONNECTION_SENDING &&
			    (events[k].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
				send_more(l, i);
			else if (l->connections[i].state != CONNECTION_CLOSED)
				on_readable(l, i);
		}
	}
}

static void report(const struct load *l, double seconds)
{
	printf("{\"sent\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"errors\":%" PRIu64
	       ",\"connections\":%" PRIu64 ",\"seconds\":%.3f,\"per_second\":%.0f}\n",
	       l->asked, l->ok, l->set.requests - l->ok, l->numbered, seconds,
	       seconds > 0 ? (double)l->ok / seconds : 0.0);
	fflush(stdout);
}

static const char usage[] =
	"usage: load --to IP:PORT [options]\n"
	"  --connections N  at a time (10)      --requests N   in total (1000)\n"
	"  --rate N         a second, all together; default: closed loop\n"
	"  --short          a connection a request\n"
	"  --method M       GET, POST, PUT      --path P       %s is the id (/)\n"
	"  --body BYTES     of a request        --limit S      give up after S seconds (60)\n"
	"  --hold S         keep connections open at the end\n"
	"  --think MS       closed loop: pause between answer and next request\n"
	"  --id-prefix P    before every id\n"
	"  --from IP        address of the first client; default: the route's\n"
	"  --clients N      so many addresses from there on, in turn (1)\n";

static void bad_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

/* "10.0.0.1:80", "[fd00::1]:80", or without the port; 0, or -1 if it is neither. */
static int parse_address(union socket_address *a, const char *text)
{
	char host[64];
	const char *port = strrchr(text, ']');
	const char *colon = strrchr(port ? port : text, ':');
	size_t len = colon && (port || strchr(text, ':') == colon) ? (size_t)(colon - text)
								   : strlen(text);

	snprintf(host, sizeof(host), "%.*s", (int)len - (port ? 2 : 0), text + (port ? 1 : 0));
	if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1)
		a->any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1)
		a->any.sa_family = AF_INET6;
	else
		return -1;
	a->v4.sin_port = len < strlen(text) ? htons((uint16_t)atoi(colon + 1)) : 0;
	return 0;
}

static void parse_to(struct settings *s, const char *text)
{
	if (parse_address(&s->to, text) || !s->to.v4.sin_port)
		bad_usage();
}

static void parse_from(struct settings *s, const char *text)
{
	if (parse_address(&s->from, text))
		bad_usage();
}

static void parse_options(struct settings *s, int argc, char **argv)
{
	static const struct option options[] = {
		{"to", 1, NULL, 't'},   {"connections", 1, NULL, 'c'}, {"requests", 1, NULL, 'n'},
		{"rate", 1, NULL, 'r'}, {"short", 0, NULL, 's'},       {"method", 1, NULL, 'm'},
		{"path", 1, NULL, 'p'}, {"body", 1, NULL, 'b'},        {"limit", 1, NULL, 'l'},
		{"hold", 1, NULL, 'h'}, {"think", 1, NULL, 'k'},       {"id-prefix", 1, NULL, 'i'},
		{"from", 1, NULL, 'f'}, {"clients", 1, NULL, 'a'},     {NULL, 0, NULL, 0},
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (letter) {
		case 't':
			parse_to(s, optarg);
			break;
		case 'c':
			s->connections = (unsigned)atoi(optarg);
			break;
		case 'n':
			s->requests = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			s->rate_per_s = atof(optarg);
			break;
		case 's':
			s->is_short = true;
			break;
		case 'm':
			s->method = optarg;
			break;
		case 'p':
			s->path = optarg;
			break;
		case 'b':
			s->body_bytes = strtoull(optarg, NULL, 10);
			break;
		case 'l':
			s->limit_s = atof(optarg);
			break;
		case 'h':
			s->hold_s = atof(optarg);
			break;
		case 'k':
			s->think_s = atof(optarg) / 1e3;
			break;
		case 'i':
			s->id_prefix = optarg;
			break;
		case 'f':
			parse_from(s, optarg);
			break;
		case 'a':
			s->clients = (uint32_t)atoi(optarg);
			break;
		default:
			bad_usage();
		}
	}
	if (s->to.any.sa_family == AF_UNSPEC || s->connections < 1 ||
	    s->connections > CONNECTIONS_MAX || s->body_bytes > BODY_MAX || s->requests < 1 ||
	    s->clients < 1)
		bad_usage();
}

static void prepare(struct load *l)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->connections = calloc(l->set.connections, sizeof(*l->connections));
	l->idle = calloc(l->set.connections, sizeof(*l->idle));
	if (l->epoll_fd < 0 || !l->connections || !l->idle)
		die("start");
	for (unsigned i = 0; i < l->set.connections; i++) {
		l->connections[i].out = malloc(HEAD_MAX + l->set.body_bytes);
		if (!l->connections[i].out)
			die("malloc");
		give_back(l, i);
	}
}

static void finish(struct load *l)
{
	for (unsigned i = 0; i < l->set.connections; i++)
		free(l->connections[i].out);
	free(l->connections);
	free(l->idle);
	close(l->epoll_fd);
}

int main(int argc, char **argv)
{
	struct load l = {
		.set = {.clients = 1,
			.connections = 10,
			.requests = 1000,
			.method = "GET",
			.path = "/",
			.limit_s = 60,
			.id_prefix = ""},
	};

	parse_options(&l.set, argc, argv);
	prepare(&l);
	run(&l);
	report(&l, (double)(now_us() - l.started_us) / 1e6);
	if (l.set.hold_s > 0)
		usleep((useconds_t)(l.set.hold_s * 1e6));
	finish(&l);
	return l.ok == l.set.requests ? 0 : 1;
}
