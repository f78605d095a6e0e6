/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_path.c - which way the packets to each target go. Sends nothing itself.
 *
 * Theory of operation. A target has a route (asked from the kernel at start, and again whenever
 * the kernel says that links, routes, addresses or neighbours have changed) and a mode:
 *
 *	ip    this host's IP layer does the rest
 *	link  packets leave by the socket of the route's device, to the MAC of the next hop
 *
 * With `auto` a target has a link as soon as its route allows one, but uses it only while the MAC
 * is known (sender_next_hop.c). A neighbour that is silent sends the target to ip; there the kernel
 * resolves it, if anybody can, and its notice brings the target back to link. Whoever sees that
 * nothing comes back may have the target try the other backend (sender_try); that lasts until it
 * is told otherwise, or the way to the target becomes another.
 */
#include "common/sender_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

static void path_tell(const struct sender_path *p, const char *why)
{
	bool leaves_mac_out =
		p->mode == SENDER_IP && (p->target.has_next_hop_mac || p->target.has_source_mac);
	char target[IP_ADDR_TEXT_MAX];

	log_info("packets to %s now leave by %s: %s%s",
		 ip_addr_format(target, sizeof(target), &p->target.addr),
		 p->mode == SENDER_LINK ? "link" : "ip", why,
		 leaves_mac_out ? "; the MAC given for it is not used" : "");
}

/* Told when it is another way than before, by another device or next hop too, or one again. */
static void path_set(struct sender *s, struct sender_path *p, enum sender_mode mode,
		     const char *why)
{
	bool is_news =
		p->mode != mode || p->is_back || (mode == SENDER_LINK && strcmp(p->why, why) != 0);

	p->mode = mode;
	p->is_back = false;
	snprintf(p->why, sizeof(p->why), "%s", why);
	if (is_news && s->is_open && !s->is_not_alone)
		path_tell(p, why);
}

void sender_path_settle(struct sender *s, struct sender_path *p)
{
	char next_hop[IP_ADDR_TEXT_MAX], why[SENDER_WHY_MAX];
	const struct neighbour *n;
	const char *question;

	if (!p->link || p->is_lost)
		return;
	if (p->is_moved) {
		if (p->is_back && s->is_open && !s->is_not_alone)
			path_tell(p, p->why);
		p->is_back = false;
		return;
	}
	n = &p->next_hop->neighbour;
	question = ip_addr_is_v4(&n->addr) ? "ARP" : "neighbour discovery";
	ip_addr_format(next_hop, sizeof(next_hop), &n->addr);
	if (n->is_known || (s->mode == SENDER_LINK && !neighbour_is_silent(n))) {
		snprintf(why, sizeof(why), "next hop %s on %s", next_hop, p->link->device.name);
		path_set(s, p, SENDER_LINK, why);
	} else if (s->mode == SENDER_LINK) {
		snprintf(why, sizeof(why), "next hop %s on %s, which does not answer %s", next_hop,
			 p->link->device.name, question);
		path_set(s, p, SENDER_LINK, why);
	} else if (neighbour_is_silent(n)) {
		snprintf(why, sizeof(why), "no neighbour answers %s for %s", question, next_hop);
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

/* A device that left this namespace and came back has its index again, and its sockets are dead. */
static struct sender_link *link_find(const struct sender *s, int device_index)
{
	for (size_t i = 0; i < s->link_count; i++)
		if (s->links[i]->device.index == device_index && sender_link_is_alive(s->links[i]))
			return s->links[i];
	return NULL;
}

/* The link of this device, opened if need be. NULL with errno. */
static struct sender_link *link_get(struct sender *s, const struct netdev *d)
{
	struct sender_link *l = link_find(s, d->index);

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

static void link_listen(struct sender *s, struct sender_link *l)
{
	struct ip_addr heard[SENDER_LINKS_MAX + 1];
	size_t count = 0;

	/* One more than can be filtered for says "no filter". */
	for (size_t i = 0; i < s->path_count && count <= SENDER_LINKS_MAX; i++) {
		const struct sender_next_hop *h = &s->next_hops[i];

		if (h->link == l && !h->neighbour.is_fixed && sender_next_hop_is_used(s, h))
			heard[count++] = h->neighbour.addr;
	}
	sender_link_listen(l, heard, count, s->epoll_fd);
}

void sender_links_tidy(struct sender *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->link_count; i++) {
		struct sender_link *l = s->links[i];

		if (!link_is_used(s, l)) {
			sender_batch_flush(&l->batch, &s->stats);
			sender_link_close(l);
			continue;
		}
		s->links[kept++] = l;
		link_listen(s, l);
	}
	s->link_count = kept;
}

/* 0, or -1 with the obstacle in why: a link is asked for, but cannot be. */
static int path_choose(struct sender *s, struct sender_path *p, const struct netdev *d,
		       char why[SENDER_WHY_MAX])
{
	const char *obstacle = route_obstacle(&p->route, d);
	struct sender_link *l = NULL;

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
		sender_next_hop_set(s, p, l);
		sender_path_settle(s, p);
		return 0;
	}
	p->link = NULL;
	p->next_hop = NULL;
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
	if (s->device[0] && netdev_is_port(s->device)) {
		snprintf(
			why, SENDER_WHY_MAX,
			"%s is a port of a bridge or bond, which takes what it hears: -o with that "
			"device",
			s->device);
		return -1;
	}
	if (netdev_route(&r, &p->target.addr, d.index) < 0) {
		snprintf(why, SENDER_WHY_MAX, "cannot ask the kernel for its route: %s",
			 strerror(errno));
		return -1;
	}
	if (r.kind == ROUTE_NONE || netdev_by_index(&d, r.device_index) < 0) {
		snprintf(why, SENDER_WHY_MAX,
			 "there is no route to it; see \"ip route get\" and \"ip rule\"");
		return -1;
	}
	p->route = r;
	p->mtu_bytes = r.mtu_bytes > 0 ? r.mtu_bytes : SENDER_MTU_DEFAULT;
	if (p->mtu_bytes > SENDER_PACKET_MAX)
		p->mtu_bytes = SENDER_PACKET_MAX;
	p->is_back = p->is_lost;
	p->is_lost = false;
	return path_choose(s, p, &d, why);
}

void sender_refresh(struct sender *s, uint64_t now_us)
{
	char target[IP_ADDR_TEXT_MAX], why[SENDER_WHY_MAX];

	s->is_dirty = false;
	s->refreshed_us = now_us;
	for (size_t i = 0; i < s->path_count; i++) {
		struct sender_path *p = &s->paths[i];
		bool was_lost = p->is_lost;

		if (sender_path_refresh(s, p, why) == 0)
			continue;
		if (!was_lost && !s->is_not_alone)
			log_warn("packets to %s do not arrive now: %s",
				 ip_addr_format(target, sizeof(target), &p->target.addr), why);
		p->is_lost = true;
	}
	sender_links_tidy(s);
}

bool sender_path_try(struct sender *s, struct sender_path *p, enum sender_mode mode,
		     const char *why)
{
	enum { TOLD_MAX = 2 }; /* there and back: what follows is more of the same */
	bool was_open = s->is_open;

	if (mode == SENDER_LINK && !p->is_moved)
		return false;
	p->is_moved = mode == SENDER_IP;
	s->is_open = false;
	if (mode == SENDER_IP)
		path_set(s, p, mode, why);
	else
		sender_path_settle(s, p);
	s->is_open = was_open;
	if (p->mode != mode)
		return false;
	if (p->tries++ < TOLD_MAX)
		path_tell(p, why);
	return true;
}
