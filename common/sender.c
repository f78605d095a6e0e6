/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender.c - opening and closing, batches, segments into batches, events.
 *
 * A batch belongs to a socket. What the kernel has no room for stays in the batch, and a full
 * batch is the back-pressure that sender_send reports; every other failure is counted.
 */
#include "common/sender_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/out_of_line.h"

enum {
	STALLED_TICKS_MAX = 2,
	/* A slot, plus 17 cache lines so that slots do not share the sets of the first cache. */
	SLOT_STRIDE = 65536 + 17 * 64,
	EVENTS_MAX = 8,
};

#define OPEN_WAIT_US      UINT64_C(1000000) /* for answers to ARP questions, in all */
#define OPEN_ASK_US       UINT64_C(250000)
#define REFRESH_MIN_US    UINT64_C(200000) /* between two looks after kernel notices */
#define REFRESH_LATEST_US UINT64_C(30000000)

static_assert(SLOT_STRIDE >= SENDER_PACKET_MAX + 64, "a slot holds a packet and its prefix");

/* ---- batches ---- */

int sender_batch_init(struct sender_batch *b, int fd, size_t prefix_bytes)
{
	int saved_errno;

	b->fd = fd;
	b->prefix_bytes = prefix_bytes;
	b->memory = mmap(NULL, (size_t)SENDER_BATCH_MAX * SLOT_STRIDE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->memory == MAP_FAILED) {
		saved_errno = errno;
		b->memory = NULL;
		sender_batch_fini(b);
		errno = saved_errno;
		return -1;
	}
	for (size_t i = 0; i < SENDER_BATCH_MAX; i++) {
		b->iov[i].iov_base = b->memory + i * SLOT_STRIDE;
		b->messages[i].msg_hdr.msg_iov = &b->iov[i];
		b->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return 0;
}

void sender_batch_fini(struct sender_batch *b)
{
	if (b->memory)
		munmap(b->memory, (size_t)SENDER_BATCH_MAX * SLOT_STRIDE);
	b->memory = NULL;
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

uint8_t *sender_batch_slot(struct sender_batch *b)
{
	return b->count < SENDER_BATCH_MAX ? b->iov[b->count].iov_base : NULL;
}

void sender_batch_add(struct sender_batch *b, size_t ip_len_bytes, const struct ip_addr *dst)
{
	struct msghdr *h = &b->messages[b->count].msg_hdr;
	union sender_name *name = &b->names[b->count];

	b->iov[b->count].iov_len = b->prefix_bytes + ip_len_bytes;
	if (dst && ip_addr_is_v4(dst)) {
		name->v4 = (struct sockaddr_in){.sin_family = AF_INET};
		memcpy(&name->v4.sin_addr, dst->b + 12, 4);
		h->msg_name = name;
		h->msg_namelen = sizeof(name->v4);
	} else if (dst) {
		name->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
		memcpy(&name->v6.sin6_addr, dst->b, 16);
		h->msg_name = name;
		h->msg_namelen = sizeof(name->v6);
	}
	b->count++;
}

void sender_count_failure(struct sender_stats *stats, int error)
{
	stats->failed++;
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
		stats->failed_no_buffer++;
		break;
	case EPERM:
	case EACCES:
		stats->failed_permission++;
		break;
	case EMSGSIZE:
		stats->failed_too_long++;
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENXIO:
	case ENODEV:
		stats->failed_unreachable++;
		break;
	default:
		stats->failed_other++;
		break;
	}
}

void sender_batch_flush(struct sender_batch *b, struct sender_stats *stats)
{
	while (b->first < b->count) {
		int sent = sendmmsg(b->fd, b->messages + b->first, (unsigned)(b->count - b->first),
				    MSG_DONTWAIT);

		stats->batches++;
		if (sent > 0) {
			for (size_t end = b->first + (size_t)sent; b->first < end; b->first++)
				stats->bytes += b->iov[b->first].iov_len - b->prefix_bytes;
			stats->packets += (uint64_t)sent;
			b->stalled_ticks = 0;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			return;
		} else if (errno != EINTR) {
			/* The first one is at fault: the others have their turn. */
			sender_count_failure(stats, errno);
			b->first++;
		}
	}
	b->first = b->count = 0;
}

void sender_batch_on_tick(struct sender_batch *b, struct sender_stats *stats)
{
	if (b->first == b->count) {
		b->stalled_ticks = 0;
		return;
	}
	if (++b->stalled_ticks < STALLED_TICKS_MAX)
		return;
	for (; b->first < b->count; b->first++)
		sender_count_failure(stats, ENOBUFS);
	b->first = b->count = 0;
	b->stalled_ticks = 0;
}

void sender_enlarge_buffer(int fd)
{
	int bytes = SENDER_SNDBUF_BYTES;

	/* The first needs CAP_NET_ADMIN, the second is cut to net.core.wmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* ---- opening ---- */

static uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool has_open_question(const struct sender *s)
{
	for (size_t i = 0; i < s->path_count; i++)
		if (s->paths[i].next_hop && !s->paths[i].next_hop->neighbour.is_known)
			return true;
	return false;
}

/* Asks often, so that one lost answer costs nothing. */
static void wait_for_neighbours(struct sender *s)
{
	uint64_t now_us = clock_us(), end_us = now_us + OPEN_WAIT_US, ask_us = now_us;

	while (has_open_question(s) && now_us < end_us) {
		struct epoll_event event;

		if (now_us >= ask_us) {
			for (size_t i = 0; i < s->path_count; i++)
				if (!s->next_hops[i].neighbour.is_known)
					s->next_hops[i].neighbour.next_ask_us = 0;
			sender_ask_neighbours(s, now_us);
			ask_us = now_us + OPEN_ASK_US;
		}
		(void)epoll_wait(s->epoll_fd, &event, 1,
				 (int)((ask_us < end_us ? ask_us : end_us) - now_us) / 1000 + 1);
		now_us = clock_us();
		sender_on_readable(s, now_us);
	}
}

static void explain_privilege(char error[SENDER_ERROR_MAX], const char *what, int error_number)
{
	if (error_number == EPERM || error_number == EACCES)
		snprintf(error, SENDER_ERROR_MAX,
			 "%s is not permitted: it needs CAP_NET_RAW; run as root, or once \"setcap "
			 "cap_net_raw,cap_net_admin+ep PROGRAM\"",
			 what);
	else
		snprintf(error, SENDER_ERROR_MAX, "%s failed: %s", what, strerror(error_number));
}

static int open_raw_sockets(struct sender *s, char error[SENDER_ERROR_MAX])
{
	for (size_t i = 0; i < s->path_count; i++) {
		bool is_v4 = ip_addr_is_v4(&s->paths[i].target.addr);
		struct sender_batch *b = &s->ip[is_v4 ? 0 : 1];
		int fd;

		if (b->fd >= 0)
			continue;
		fd = sender_ip_open(is_v4);
		if (fd < 0 || sender_batch_init(b, fd, 0) < 0) {
			explain_privilege(error, "opening a raw socket", errno);
			return -1;
		}
	}
	return 0;
}

static int poll_too(const struct sender *s, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return fd < 0 ? -1 : epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int open_watch(struct sender *s, char error[SENDER_ERROR_MAX])
{
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->watch_fd = netdev_watch_open(NETDEV_WATCH_WAYS);
	s->later_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->epoll_fd >= 0 && poll_too(s, s->watch_fd) == 0 && poll_too(s, s->later_fd) == 0)
		return 0;
	snprintf(error, SENDER_ERROR_MAX, "cannot watch this host's routes: %s", strerror(errno));
	return -1;
}

static const char *remedy(const struct sender *s)
{
	if (s->mode != SENDER_LINK)
		return "";
	return s->device[0] ? "; another device may do, or the routes' own"
			    : "; \"ip\" or \"auto\" may do";
}

static int open_paths(struct sender *s, char error[SENDER_ERROR_MAX])
{
	char target[IP_ADDR_TEXT_MAX], why[SENDER_WHY_MAX];

	for (size_t i = 0; i < s->path_count; i++) {
		struct sender_path *p = &s->paths[i];

		if (sender_path_refresh(s, p, why) == 0)
			continue;
		ip_addr_format(target, sizeof(target), &p->target.addr);
		snprintf(error, SENDER_ERROR_MAX, "cannot send to the target %s%s: %s%s", target,
			 s->mode == SENDER_LINK ? " at the link layer" : "", why, remedy(s));
		return -1;
	}
	sender_links_tidy(s);
	return 0;
}

static int open_all(struct sender *s, bool only_asks, char error[SENDER_ERROR_MAX])
{
	if (s->mode != SENDER_LINK && open_raw_sockets(s, error) < 0)
		return -1;
	if (open_watch(s, error) < 0 || open_paths(s, error) < 0)
		return -1;
	s->refreshed_us = clock_us();
	if (only_asks)
		sender_ask_neighbours(s, s->refreshed_us);
	else
		wait_for_neighbours(s);
	for (size_t i = 0; i < s->path_count; i++)
		sender_path_settle(s, &s->paths[i]);
	s->is_open = true;
	return 0;
}

struct sender *sender_open(const struct sender_config *config, char error[SENDER_ERROR_MAX])
{
	struct sender *s = calloc(1, sizeof(*s));

	assert(config->target_count > 0);
	if (!s) {
		snprintf(error, SENDER_ERROR_MAX, "out of memory");
		return NULL;
	}
	s->mode = config->mode;
	if (config->device)
		snprintf(s->device, sizeof(s->device), "%s", config->device);
	s->ip[0].fd = s->ip[1].fd = s->epoll_fd = s->watch_fd = s->later_fd = -1;
	s->is_not_alone = config->only_asks;
	s->paths = calloc(config->target_count, sizeof(*s->paths));
	s->next_hops = calloc(config->target_count, sizeof(*s->next_hops));
	if (!s->paths || !s->next_hops) {
		snprintf(error, SENDER_ERROR_MAX, "out of memory");
		goto fail;
	}
	s->path_count = config->target_count;
	s->last = s->paths;
	for (size_t i = 0; i < s->path_count; i++) {
		s->paths[i].target = config->targets[i];
		s->paths[i].mode = SENDER_LINK;
	}
	if (open_all(s, config->only_asks, error) < 0)
		goto fail;
	return s;
fail:
	sender_close(s);
	return NULL;
}

void sender_close(struct sender *s)
{
	if (!s)
		return;
	sender_flush(s);
	for (size_t i = 0; i < s->link_count; i++)
		sender_link_close(s->links[i]);
	sender_batch_fini(&s->ip[0]);
	sender_batch_fini(&s->ip[1]);
	if (s->watch_fd >= 0)
		close(s->watch_fd);
	if (s->later_fd >= 0)
		close(s->later_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s->paths);
	free(s->next_hops);
	free(s);
}

/* ---- sending ---- */

static struct sender_path *path_find(const struct sender *s, const struct ip_addr *target)
{
	if (ip_addr_equal(&s->last->target.addr, target))
		return s->last;
	for (size_t i = 0; i < s->path_count; i++)
		if (ip_addr_equal(&s->paths[i].target.addr, target))
			return &s->paths[i];
	return NULL;
}

/* One packet into the batch. 0 also for one that cannot be built; -1 with errno EAGAIN. */
static IN_LINE int put_packet(struct sender *s, const struct sender_path *p, struct sender_batch *b,
			      const struct segment *segment, const struct sender_part *part)
{
	bool is_link = p->mode == SENDER_LINK;
	uint8_t *slot = sender_batch_slot(b);
	size_t len;

	if (!slot) {
		sender_batch_flush(b, &s->stats);
		slot = sender_batch_slot(b);
	}
	if (!slot) {
		errno = EAGAIN;
		return -1;
	}
	len = sender_build_part(slot + b->prefix_bytes, SENDER_PACKET_MAX, segment, s->ip_id++,
				part);
	if (len == 0) {
		sender_count_failure(&s->stats, errno);
		return 0;
	}
	if (is_link)
		sender_link_prefix(p->link, slot, p->next_hop->neighbour.mac, p->source_mac,
				   segment);
	sender_batch_add(b, len, is_link ? NULL : &segment->tuple.dst.addr);
	if (b->count == SENDER_BATCH_MAX)
		sender_batch_flush(b, &s->stats);
	return 0;
}

/* Cuts by gso_size where the kernel does not. What finds no room after the first is lost. */
static OUT_OF_LINE int put_pieces(struct sender *s, const struct sender_path *p,
				  struct sender_batch *b, const struct segment *segment)
{
	struct sender_part part = {.len_bytes = segment->gso_size_bytes};

	for (; part.offset_bytes < segment->payload_len_bytes;
	     part.offset_bytes += part.len_bytes) {
		if (part.len_bytes > segment->payload_len_bytes - part.offset_bytes)
			part.len_bytes = segment->payload_len_bytes - part.offset_bytes;
		if (put_packet(s, p, b, segment, &part) < 0) {
			if (part.offset_bytes == 0)
				return -1;
			sender_count_failure(&s->stats, ENOBUFS);
		}
	}
	return 0;
}

/* Without a virtio header nobody completes what is left to do. */
static bool is_completed(const struct sender_path *p)
{
	return p->mode == SENDER_LINK && p->link && p->link->completes;
}

static int put_whole(struct sender *s, const struct sender_path *p, struct sender_batch *b,
		     const struct segment *segment)
{
	const struct sender_part all = {
		.len_bytes = segment->payload_len_bytes,
		.unfinished = is_completed(p),
	};

	return put_packet(s, p, b, segment, &all);
}

static OUT_OF_LINE int put_super_packet(struct sender *s, const struct sender_path *p,
					struct sender_batch *b, const struct segment *segment)
{
	if (sender_headers_len(segment) + segment->gso_size_bytes > (size_t)p->mtu_bytes) {
		sender_count_failure(&s->stats, EMSGSIZE);
		return 0;
	}
	if (!is_completed(p))
		return put_pieces(s, p, b, segment);
	/* The kernel numbers the pieces from our id on. */
	if (put_whole(s, p, b, segment) < 0)
		return -1;
	s->ip_id += (uint16_t)(segment->payload_len_bytes / segment->gso_size_bytes);
	return 0;
}

LINK_IN_LINE int sender_send(struct sender *s, const struct segment *segment)
{
	struct sender_path *p = path_find(s, &segment->tuple.dst.addr);
	struct sender_batch *b;

	assert(p);
	s->last = p;
	if (p->mode == SENDER_IP) {
		b = &s->ip[ip_addr_is_v4(&p->target.addr) ? 0 : 1];
	} else if (!p->link) {
		sender_count_failure(&s->stats, ENETUNREACH);
		return 0;
	} else if (!p->next_hop->neighbour.is_known) {
		s->stats.no_neighbour++;
		return 0;
	} else {
		b = &p->link->batch;
	}
	if (sender_is_cut(segment))
		return put_super_packet(s, p, b, segment);
	return put_whole(s, p, b, segment);
}

void sender_flush(struct sender *s)
{
	sender_batch_flush(&s->ip[0], &s->stats);
	sender_batch_flush(&s->ip[1], &s->stats);
	for (size_t i = 0; i < s->link_count; i++)
		sender_batch_flush(&s->links[i]->batch, &s->stats);
}

/* ---- questions and events ---- */

int sender_mtu(const struct sender *s, const struct ip_addr *target)
{
	const struct sender_path *p = path_find(s, target);

	return p ? p->mtu_bytes : SENDER_MTU_DEFAULT;
}

bool sender_cuts(const struct sender *s, const struct ip_addr *target)
{
	const struct sender_path *p = path_find(s, target);

	return p && is_completed(p);
}

enum sender_mode sender_mode_of(const struct sender *s, const struct ip_addr *target,
				const char **why)
{
	const struct sender_path *p = path_find(s, target);

	assert(p);
	if (why)
		*why = p->why;
	return p->mode;
}

bool sender_has_way(const struct sender *s, const struct ip_addr *target)
{
	const struct sender_path *p = path_find(s, target);

	return p->mode == SENDER_IP || (p->next_hop && p->next_hop->neighbour.is_known);
}

bool sender_next_hop_is_silent(const struct sender *s, const struct ip_addr *target)
{
	const struct sender_path *p = path_find(s, target);

	return p->next_hop && neighbour_is_silent(&p->next_hop->neighbour);
}

bool sender_try(struct sender *s, const struct ip_addr *target, enum sender_mode mode,
		const char *why)
{
	struct sender_path *p = path_find(s, target);

	if (s->mode != SENDER_AUTO || !p || !p->link || p->mode == mode)
		return false;
	return sender_path_try(s, p, mode, why);
}

void sender_doubt(struct sender *s, const struct ip_addr *target, uint64_t now_us)
{
	const struct sender_path *p = path_find(s, target);

	if (p && p->next_hop)
		sender_next_hop_doubt(s, p->next_hop, now_us);
}

size_t sender_poll_fds(const struct sender *s, int *fds, size_t max)
{
	if (max == 0)
		return 0;
	fds[0] = s->epoll_fd;
	return 1;
}

/* Changes come in showers: the first is looked at at once, what follows together, a little later. */
static void look_later(const struct sender *s, uint64_t now_us)
{
	uint64_t in_us = s->refreshed_us + REFRESH_MIN_US - now_us;
	const struct itimerspec in = {.it_value = {.tv_nsec = (long)in_us * 1000}};

	(void)timerfd_settime(s->later_fd, 0, &in, NULL); /* otherwise the tick does it */
}

void sender_on_readable(struct sender *s, uint64_t now_us)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == s->watch_fd) {
			netdev_watch_drain(s->watch_fd);
			s->is_dirty = true;
			continue;
		}
		if (events[i].data.fd == s->later_fd) {
			uint64_t times;

			(void)!read(s->later_fd, &times, sizeof(times));
			continue;
		}
		for (size_t j = 0; j < s->link_count; j++)
			if (s->links[j]->ears[SENDER_EAR_ARP] == events[i].data.fd ||
			    s->links[j]->ears[SENDER_EAR_NDISC] == events[i].data.fd)
				sender_hear_link(s, s->links[j], now_us);
	}
	if (!s->is_dirty)
		return;
	if (now_us < s->refreshed_us + REFRESH_MIN_US) {
		look_later(s, now_us);
		return;
	}
	sender_refresh(s, now_us);
	sender_ask_neighbours(s, now_us);
}

void sender_on_tick(struct sender *s, uint64_t now_us)
{
	if (s->is_dirty || now_us >= s->refreshed_us + REFRESH_LATEST_US)
		sender_refresh(s, now_us);
	sender_ask_neighbours(s, now_us);
	sender_batch_on_tick(&s->ip[0], &s->stats);
	sender_batch_on_tick(&s->ip[1], &s->stats);
	for (size_t i = 0; i < s->link_count; i++)
		sender_batch_on_tick(&s->links[i]->batch, &s->stats);
}

void sender_get_stats(const struct sender *s, struct sender_stats *stats)
{
	*stats = s->stats;
}
