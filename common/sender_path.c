/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_path.c - which way the packets to each target go. Sends nothing but ARP questions.
 *
 * Theory of operation. A target has a route (asked from the kernel at start, and again whenever
 * the kernel says that links, routes, addresses or neighbours have changed) and a mode:
 *
 *	ip    this host's IP layer does the rest
 *	link  packets leave by the socket of the route's device, to the MAC of the next hop
 *
 * With `auto` a target has a link as soon as its route allows one, but uses it only while the MAC
 * is known: from the kernel's table, from an answer to our ARP question or from any other ARP
 * message of that neighbour. A neighbour that is silent sends the target to ip; there the kernel
 * resolves it, if anybody can, and its notice brings the target back to link. For IPv6 the
 * kernel's table is all there is, so the target follows it both ways.
 */
#include "common/sender_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"

static void path_set(struct sender *s, struct sender_path *p, enum sender_mode mode,
		     const char *why)
{
	char target[IP_ADDR_TEXT_MAX];
	bool is_change = p->mode != mode;

	p->mode = mode;
	snprintf(p->why, sizeof(p->why), "%s", why);
	if (s->is_open && is_change)
		log_info("packets to %s now leave by %s: %s",
			 ip_addr_format(target, sizeof(target), &p->target.addr),
			 mode == SENDER_LINK ? "link" : "ip", why);
}

/* Mode and reason from what is known of the neighbour; unchanged while questions are open. */
void sender_path_settle(struct sender *s, struct sender_path *p)
{
	char next_hop[IP_ADDR_TEXT_MAX], why[SENDER_WHY_MAX];

	if (!p->link)
		return;
	ip_addr_format(next_hop, sizeof(next_hop), &p->neighbour.addr);
	if (p->neighbour.is_known || s->mode == SENDER_LINK) {
		snprintf(why, sizeof(why), "next hop %s on %s", next_hop, p->link->device.name);
		path_set(s, p, SENDER_LINK, why);
	} else if (neighbour_is_silent(&p->neighbour)) {
		snprintf(why, sizeof(why),
			 p->neighbour.can_ask ? "no neighbour answers ARP for %s"
					      : "the kernel has no neighbour entry for %s",
			 next_hop);
		path_set(s, p, SENDER_IP, why);
	}
}

/* Why this route allows no link, or NULL. */
static const char *route_obstacle(const struct route *r, const struct netdev *d)
{
	if (r->kind == ROUTE_LOCAL)
		return "same host";
	if (d->is_loopback)
		return "loopback device";
	if (!d->has_mac)
		return "device without a link-layer address";
	return NULL;
}

static struct sender_link *link_find(const struct sender *s, int device_index)
{
	for (size_t i = 0; i < s->link_count; i++)
		if (s->links[i]->device.index == device_index)
			return s->links[i];
	return NULL;
}

/* The link of this device, opened if need be. NULL with errno. */
static struct sender_link *link_get(struct sender *s, const struct netdev *d)
{
	struct sender_link *l = link_find(s, d->index);
	struct epoll_event event = {.events = EPOLLIN};

	if (l) {
		l->device = *d; /* its MAC may have changed */
		return l;
	}
	if (s->link_count == SENDER_LINKS_MAX) {
		errno = EMFILE;
		return NULL;
	}
	l = sender_link_open(d);
	if (!l)
		return NULL;
	event.data.fd = l->arp_fd;
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, l->arp_fd, &event);
	s->links[s->link_count++] = l;
	return l;
}

static bool link_is_used(const struct sender *s, const struct sender_link *l)
{
	for (size_t i = 0; i < s->path_count; i++)
		if (s->paths[i].link == l)
			return true;
	return false;
}

/* After routes have changed: closes what nobody uses, and hears those neighbours that count. */
void sender_links_tidy(struct sender *s)
{
	struct ip_addr heard[SENDER_LINKS_MAX + 1];
	size_t kept = 0;

	for (size_t i = 0; i < s->link_count; i++) {
		struct sender_link *l = s->links[i];
		size_t count = 0;

		if (!link_is_used(s, l)) {
			sender_batch_flush(&l->batch, &s->stats);
			sender_link_close(l);
			continue;
		}
		s->links[kept++] = l;
		/* One more than can be filtered for says "no filter". */
		for (size_t j = 0; j < s->path_count && count <= SENDER_LINKS_MAX; j++)
			if (s->paths[j].link == l)
				heard[count++] = s->paths[j].neighbour.addr;
		sender_link_listen(l, heard, count);
	}
	s->link_count = kept;
}

static void path_ask_kernel(struct sender_path *p)
{
	struct neighbour *n = &p->neighbour;
	uint8_t mac[MAC_LEN];

	if (n->is_fixed)
		return;
	if (netdev_neighbour(mac, p->route.device_index, &n->addr) < 0) {
		p->has_kernel_mac = false;
		if (!n->can_ask)
			n->is_known = false;
		return;
	}
	if (p->has_kernel_mac && memcmp(p->kernel_mac, mac, MAC_LEN) == 0)
		return;
	p->has_kernel_mac = true;
	memcpy(p->kernel_mac, mac, MAC_LEN);
	(void)neighbour_learn(n, mac);
}

static void path_set_link(struct sender_path *p, struct sender_link *l)
{
	bool is_same = p->link == l && ip_addr_equal(&p->neighbour.addr, &p->route.next_hop);

	p->link = l;
	if (!is_same) {
		neighbour_init(&p->neighbour, &p->route.next_hop);
		p->has_kernel_mac = false;
		if (p->target.has_next_hop_mac)
			neighbour_set_fixed(&p->neighbour, p->target.next_hop_mac);
	}
	path_ask_kernel(p);
}

/* 0, or -1 with the obstacle in why: a link is asked for, but cannot be. */
static int path_choose(struct sender *s, struct sender_path *p, const struct netdev *d,
		       char why[SENDER_WHY_MAX])
{
	const char *obstacle = route_obstacle(&p->route, d);
	struct sender_link *l = NULL;

	if (p->is_moved)
		return 0;
	if (s->mode == SENDER_IP) {
		path_set(s, p, SENDER_IP, "asked for");
		return 0;
	}
	if (obstacle) {
		snprintf(why, SENDER_WHY_MAX, "%s", obstacle);
	} else {
		l = link_get(s, d);
		if (!l)
			snprintf(why, SENDER_WHY_MAX, "cannot open a packet socket on %s: %s",
				 d->name, strerror(errno));
	}
	if (l) {
		path_set_link(p, l);
		sender_path_settle(s, p);
		return 0;
	}
	p->link = NULL;
	if (s->mode == SENDER_LINK)
		return -1;
	path_set(s, p, SENDER_IP, why);
	return 0;
}

/* Looks at the route again. 0, or -1 with why: without a route the path stays what it was. */
int sender_path_refresh(struct sender *s, struct sender_path *p, char why[SENDER_WHY_MAX])
{
	struct route r;
	struct netdev d = {.index = 0};

	if (s->device[0] && netdev_by_name(&d, s->device) < 0) {
		snprintf(why, SENDER_WHY_MAX, "there is no device %s", s->device);
		return -1;
	}
	if (netdev_route(&r, &p->target.addr, d.index) < 0) {
		snprintf(why, SENDER_WHY_MAX, "cannot ask the kernel for its route: %s",
			 strerror(errno));
		return -1;
	}
	if (r.kind == ROUTE_NONE || netdev_by_index(&d, r.device_index) < 0) {
		snprintf(why, SENDER_WHY_MAX, "there is no route to it; see \"ip route\"");
		return -1;
	}
	p->route = r;
	p->mtu_bytes = r.mtu_bytes > 0 ? r.mtu_bytes : SENDER_MTU_DEFAULT;
	if (p->mtu_bytes > SENDER_PACKET_MAX)
		p->mtu_bytes = SENDER_PACKET_MAX;
	return path_choose(s, p, &d, why);
}

void sender_refresh(struct sender *s, uint64_t now_us)
{
	char target[IP_ADDR_TEXT_MAX], why[SENDER_WHY_MAX];

	s->is_dirty = false;
	s->refreshed_us = now_us;
	for (size_t i = 0; i < s->path_count; i++) {
		struct sender_path *p = &s->paths[i];
		bool is_lost = sender_path_refresh(s, p, why) < 0;

		if (is_lost && !p->is_lost)
			log_warn("packets to %s do not arrive now: %s",
				 ip_addr_format(target, sizeof(target), &p->target.addr), why);
		p->is_lost = is_lost;
	}
	sender_links_tidy(s);
}

void sender_ask_neighbours(struct sender *s, uint64_t now_us)
{
	for (size_t i = 0; i < s->path_count; i++) {
		struct sender_path *p = &s->paths[i];

		if (!p->link || (s->mode == SENDER_AUTO && neighbour_is_silent(&p->neighbour)))
			continue;
		sender_link_ask(p->link, &p->neighbour,
				neighbour_next_question(&p->neighbour, now_us), &p->route.source);
		sender_path_settle(s, p);
	}
}

static void path_hear(struct sender *s, struct sender_path *p, const struct arp_sender *a,
		      uint64_t now_us)
{
	char next_hop[IP_ADDR_TEXT_MAX];
	bool was_known = p->neighbour.is_known;

	if (!neighbour_on_arp(&p->neighbour, a, now_us))
		return;
	if (was_known)
		log_info("next hop %s has moved to %02x:%02x:%02x:%02x:%02x:%02x",
			 ip_addr_format(next_hop, sizeof(next_hop), &a->addr), a->mac[0], a->mac[1],
			 a->mac[2], a->mac[3], a->mac[4], a->mac[5]);
	sender_path_settle(s, p);
}

void sender_hear_link(struct sender *s, struct sender_link *l, uint64_t now_us)
{
	enum { MESSAGES_MAX = 64 };
	struct arp_sender a;

	for (int i = 0; i < MESSAGES_MAX && sender_link_next_arp(l, &a) > 0; i++)
		for (size_t j = 0; j < s->path_count; j++)
			if (s->paths[j].link == l)
				path_hear(s, &s->paths[j], &a, now_us);
}

void sender_path_move_to_ip(struct sender *s, struct sender_path *p, const char *why)
{
	path_set(s, p, SENDER_IP, why);
	p->is_moved = true;
	p->link = NULL;
}
