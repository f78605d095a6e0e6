/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.c - devices by libdnet, routes and neighbours by rtnetlink. The only file that includes
 * libdnet, whose names clash with other headers.
 *
 * libdnet's route_get does not know on-link destinations and never names a device, so routes are
 * asked from the kernel. Its address lists end after about a hundred IPv4 addresses of a host
 * (a fixed buffer for SIOCGIFCONF); a server with many service addresses would be captured in
 * part without a word, so addresses come from getifaddrs. It lists no device on a host that has
 * no IPv4 address at all, not even 127.0.0.1; such a host has its loopback device down.
 */
#include "common/netdev.h"

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(HAVE_DUMBNET_H)
#include <dumbnet.h>
#elif defined(HAVE_DNET_H)
#include <dnet.h>
#else
#error "libdnet is needed: HAVE_DUMBNET_H or HAVE_DNET_H comes from configure"
#endif

static_assert(NETDEV_NAME_MAX == IFNAMSIZ, "a device name is what the kernel says");

enum {
	ANSWER_MAX_BYTES = 8192,
	ANSWER_TIMEOUT_S = 2, /* the kernel answers at once; this only keeps a bug from hanging */
	INTF_ENTRY_BYTES = 16384,
};

/* ---- devices ---- */

/* Room for an entry and its aliases, which libdnet writes behind it. */
union intf_room {
	struct intf_entry entry;
	uint8_t bytes[INTF_ENTRY_BYTES];
};

static bool mac_is_zero(const uint8_t mac[MAC_LEN])
{
	static const uint8_t zero[MAC_LEN];

	return memcmp(mac, zero, MAC_LEN) == 0;
}

/* False if the device went away while it was looked at. */
static bool netdev_from_entry(struct netdev *d, const struct intf_entry *e)
{
	memset(d, 0, sizeof(*d));
	memcpy(d->name, e->intf_name, strnlen(e->intf_name, sizeof(d->name) - 1));
	d->index = (int)if_nametoindex(d->name);
	d->mtu_bytes = (int)e->intf_mtu;
	d->is_up = (e->intf_flags & INTF_FLAG_UP) != 0;
	d->is_loopback = (e->intf_flags & INTF_FLAG_LOOPBACK) != 0;
	d->has_arp = (e->intf_flags & INTF_FLAG_NOARP) == 0;
	if (e->intf_link_addr.addr_type == ADDR_TYPE_ETH && !d->is_loopback) {
		memcpy(d->mac, &e->intf_link_addr.addr_eth, MAC_LEN);
		d->has_mac = !mac_is_zero(d->mac);
	}
	return d->index != 0;
}

struct each_device {
	int (*fn)(void *ctx, const struct netdev *d);
	void *ctx;
};

static int visit_entry(const struct intf_entry *e, void *ctx)
{
	const struct each_device *each = ctx;
	struct netdev d;

	if (!netdev_from_entry(&d, e))
		return 0;
	return each->fn(each->ctx, &d);
}

int netdev_for_each(int (*fn)(void *ctx, const struct netdev *d), void *ctx)
{
	struct each_device each = {.fn = fn, .ctx = ctx};
	intf_t *intf = intf_open();
	int result, saved_errno;

	if (!intf)
		return -1;
	result = intf_loop(intf, visit_entry, &each);
	saved_errno = errno;
	intf_close(intf);
	errno = saved_errno;
	return result < 0 ? -1 : 0;
}

bool netdev_is_port(const char *name)
{
	static const char *const signs[] = {"brport", "bonding_slave"};
	char path[64];

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%.15s/%s", name, signs[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

int netdev_by_name(struct netdev *d, const char *name)
{
	union intf_room room;
	intf_t *intf;
	int result;

	if (!*name || strlen(name) >= sizeof(d->name)) {
		errno = ENODEV;
		return -1;
	}
	intf = intf_open();
	if (!intf)
		return -1;
	memset(&room, 0, sizeof(room));
	room.entry.intf_len = sizeof(room);
	memcpy(room.entry.intf_name, name, strlen(name));
	result = intf_get(intf, &room.entry);
	intf_close(intf);
	if (result < 0 || !netdev_from_entry(d, &room.entry)) {
		errno = ENODEV;
		return -1;
	}
	return 0;
}

int netdev_by_index(struct netdev *d, int index)
{
	char name[IFNAMSIZ];

	if (index <= 0 || !if_indextoname((unsigned)index, name)) {
		errno = ENODEV;
		return -1;
	}
	return netdev_by_name(d, name);
}

static bool address_of(struct ip_addr *a, const struct sockaddr *sa)
{
	if (!sa)
		return false;
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		*a = ip_addr_v4_bytes((const uint8_t *)&in->sin_addr);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

		*a = ip_addr_v6_bytes(in6->sin6_addr.s6_addr);
		return true;
	}
	return false;
}

/* Whether an entry of getifaddrs is of this device. An IPv4 address with a label is of "eth0:1". */
static bool is_of_device(const struct ifaddrs *at, const char *device)
{
	size_t name_len = strcspn(at->ifa_name, ":");

	return strlen(device) == name_len && memcmp(device, at->ifa_name, name_len) == 0;
}

int netdev_local_addresses(const char *device, struct ip_addr *addresses, size_t max)
{
	struct ifaddrs *list;
	size_t count = 0;

	if (getifaddrs(&list) < 0)
		return -1;
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		struct ip_addr a;

		if (device && !is_of_device(at, device))
			continue;
		if (!address_of(&a, at->ifa_addr))
			continue;
		if (count < max)
			addresses[count] = a;
		count++;
	}
	freeifaddrs(list);
	return (int)count;
}

int netdev_all_addresses(struct netdev_address **list)
{
	struct ifaddrs *all;
	int count = 0;

	if (getifaddrs(&all) < 0)
		return -1;
	for (const struct ifaddrs *at = all; at; at = at->ifa_next)
		count++;
	*list = calloc((size_t)count + 1, sizeof(**list));
	count = 0;
	for (const struct ifaddrs *at = all; at && *list; at = at->ifa_next) {
		struct netdev_address *a = &(*list)[count];

		if (!address_of(&a->addr, at->ifa_addr))
			continue;
		snprintf(a->device, sizeof(a->device), "%.*s", (int)strcspn(at->ifa_name, ":"),
			 at->ifa_name);
		count++;
	}
	freeifaddrs(all);
	if (*list)
		return count;
	errno = ENOMEM;
	return -1;
}

static bool device_has_address(const char *device, const struct ip_addr *addr)
{
	struct ifaddrs *list;
	bool has = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *at = list; at && !has; at = at->ifa_next) {
		struct ip_addr a;

		has = is_of_device(at, device) && address_of(&a, at->ifa_addr) &&
		      ip_addr_equal(&a, addr);
	}
	freeifaddrs(list);
	return has;
}

bool netdev_is_local_address(const struct ip_addr *a)
{
	struct route r;

	return netdev_route(&r, a, 0) == 0 && r.kind == ROUTE_LOCAL;
}

/* ---- settings ---- */

/* The number in DIRECTORY/DEVICE/NAME, or -1 with errno. */
static int read_setting(const char *directory, const char *device, const char *name)
{
	char path[128];
	FILE *f;
	int value;

	if (snprintf(path, sizeof(path), "%s/%s/%s", directory, device, name) >=
	    (int)sizeof(path)) {
		errno = ENODEV;
		return -1;
	}
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%d", &value) != 1) {
		value = -1;
		errno = EPROTO;
	}
	fclose(f);
	return value;
}

int netdev_conf(const char *device, const char *name)
{
	static const char directory[] = "/proc/sys/net/ipv4/conf";
	int all = read_setting(directory, "all", name);
	int own = all < 0 ? -1 : read_setting(directory, device, name);

	return own < 0 ? -1 : all > own ? all : own;
}

bool netdev_has_other_end(const char *device)
{
	static const char directory[] = "/sys/class/net";
	int own = read_setting(directory, device, "ifindex");
	int linked = read_setting(directory, device, "iflink");

	return own < 0 || own != linked;
}

/* ---- rtnetlink ---- */

struct question {
	struct nlmsghdr header;
	union {
		struct rtmsg route;
		struct ndmsg neighbour;
	} body;
	uint8_t attributes[64];
};

union answer {
	struct nlmsghdr header;
	uint8_t bytes[ANSWER_MAX_BYTES];
};

/* The bodies are of one size, so that attributes start at the same place for both. */
static_assert(sizeof(struct rtmsg) == sizeof(struct ndmsg), "attributes follow the body");
static_assert(offsetof(struct question, attributes) == NLMSG_LENGTH(sizeof(struct rtmsg)),
	      "no padding between body and attributes");

static void question_begin(struct question *q, uint16_t type)
{
	memset(q, 0, sizeof(*q));
	q->header.nlmsg_type = type;
	q->header.nlmsg_flags = NLM_F_REQUEST;
	q->header.nlmsg_seq = 1;
	q->header.nlmsg_len = NLMSG_LENGTH(sizeof(q->body));
}

static void question_add(struct question *q, uint16_t type, const void *data, size_t len_bytes)
{
	struct rtattr attribute = {.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len_bytes)};
	size_t used = q->header.nlmsg_len - offsetof(struct question, attributes);

	memcpy(q->attributes + used, &attribute, sizeof(attribute));
	memcpy(q->attributes + used + RTA_LENGTH(0), data, len_bytes);
	q->header.nlmsg_len += (uint32_t)RTA_SPACE(len_bytes);
}

static void question_add_address(struct question *q, uint16_t type, const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		question_add(q, type, a->b + 12, 4);
	else
		question_add(q, type, a->b, 16);
}

/* The errno of an error message; 0 for any other. */
static int answer_errno(const union answer *a)
{
	const struct nlmsgerr *e = NLMSG_DATA(&a->header);

	if (a->header.nlmsg_type != NLMSG_ERROR)
		return 0;
	if (a->header.nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
		return EPROTO;
	return e->error ? -e->error : EPROTO;
}

static int ask(const struct question *q, union answer *a)
{
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t got = -1;
	int error;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (send(fd, q, q->header.nlmsg_len, 0) >= 0) {
		do {
			got = recv(fd, a, sizeof(*a), 0);
		} while (got < 0 && errno == EINTR);
	}
	error = errno;
	close(fd);
	if (got >= 0)
		error = NLMSG_OK(&a->header, (size_t)got) ? answer_errno(a) : EPROTO;
	errno = error;
	return error ? -1 : 0;
}

/* Attributes of a message of which the fixed part has body_bytes. */
static const struct rtattr *answer_attributes(const union answer *a, size_t body_bytes, int *left)
{
	*left = (int)a->header.nlmsg_len - (int)NLMSG_LENGTH(body_bytes);
	return (const struct rtattr *)(const void *)(a->bytes + NLMSG_LENGTH(body_bytes));
}

static bool attribute_u32(const struct rtattr *a, uint32_t *value)
{
	if (RTA_PAYLOAD(a) < sizeof(*value))
		return false;
	memcpy(value, RTA_DATA(a), sizeof(*value));
	return true;
}

static bool address_from(struct ip_addr *a, const uint8_t *bytes, size_t len_bytes)
{
	if (len_bytes == 4)
		*a = ip_addr_v4_bytes(bytes);
	else if (len_bytes == 16)
		*a = ip_addr_v6_bytes(bytes);
	else
		return false;
	return true;
}

static int metrics_mtu(const struct rtattr *metrics)
{
	int left = (int)RTA_PAYLOAD(metrics);
	uint32_t mtu;

	for (const struct rtattr *m = RTA_DATA(metrics); RTA_OK(m, left); m = RTA_NEXT(m, left))
		if (m->rta_type == RTAX_MTU && attribute_u32(m, &mtu) && mtu <= INT32_MAX)
			return (int)mtu;
	return 0;
}

static void route_attribute(struct route *r, const struct rtattr *a)
{
	const uint8_t *data = RTA_DATA(a);
	size_t len_bytes = RTA_PAYLOAD(a);
	uint32_t index;

	switch (a->rta_type) {
	case RTA_GATEWAY:
		if (address_from(&r->next_hop, data, len_bytes))
			r->kind = ROUTE_GATEWAY;
		break;
	case RTA_VIA: /* an IPv4 route through an IPv6 neighbour: a family, then the address */
		if (len_bytes > 2 && address_from(&r->next_hop, data + 2, len_bytes - 2))
			r->kind = ROUTE_GATEWAY;
		break;
	case RTA_PREFSRC:
		(void)address_from(&r->source, data, len_bytes);
		break;
	case RTA_OIF:
		if (attribute_u32(a, &index))
			r->device_index = (int)index;
		break;
	case RTA_METRICS:
		r->mtu_bytes = metrics_mtu(a);
		break;
	default:
		break;
	}
}

static void route_from_answer(struct route *r, const union answer *a)
{
	const struct rtmsg *m = NLMSG_DATA(&a->header);
	const struct rtattr *at;
	int left;

	if (a->header.nlmsg_type != RTM_NEWROUTE || a->header.nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return;
	if (m->rtm_type != RTN_UNICAST && m->rtm_type != RTN_LOCAL)
		return;
	r->kind = ROUTE_ON_LINK;
	for (at = answer_attributes(a, sizeof(*m), &left); RTA_OK(at, left);
	     at = RTA_NEXT(at, left))
		route_attribute(r, at);
	if (m->rtm_type == RTN_LOCAL)
		r->kind = ROUTE_LOCAL;
}

/* Answers of the kernel that mean "there is no way", as against "I could not be asked". */
static bool errno_is_no_route(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES ||
	       error == EINVAL || error == EAGAIN || error == ESRCH || error == ENETDOWN;
}

/* Asks the kernel alone. */
static int route_look_up(struct route *r, const struct ip_addr *dst, int device_index)
{
	bool is_v4 = ip_addr_is_v4(dst);
	struct question q;
	union answer a;

	question_begin(&q, RTM_GETROUTE);
	q.body.route.rtm_family = is_v4 ? AF_INET : AF_INET6;
	q.body.route.rtm_dst_len = is_v4 ? 32 : 128;
	question_add_address(&q, RTA_DST, dst);
	if (device_index)
		question_add(&q, RTA_OIF, &device_index, sizeof(device_index));
	if (ask(&q, &a) < 0) {
		r->is_blackhole = errno == EINVAL; /* as against EHOSTUNREACH, EACCES */
		return errno_is_no_route(errno) ? 0 : -1;
	}
	route_from_answer(r, &a);
	return 0;
}

int netdev_route(struct route *r, const struct ip_addr *dst, int device_index)
{
	struct netdev d;

	memset(r, 0, sizeof(*r));
	r->kind = ROUTE_NONE;
	r->next_hop = *dst;
	if (route_look_up(r, dst, device_index) < 0)
		return -1;
	/* For IPv4 the kernel itself takes a destination to be on the link of the device that is asked for. */
	if (r->kind == ROUTE_NONE && device_index && !ip_addr_is_v4(dst) &&
	    netdev_by_index(&d, device_index) == 0 && d.is_up && !d.is_loopback) {
		r->kind = ROUTE_ON_LINK;
		r->device_index = device_index;
	}
	if (r->kind == ROUTE_NONE)
		return 0;
	if (netdev_by_index(&d, r->device_index) < 0) {
		r->kind = ROUTE_NONE;
		return 0;
	}
	if (r->mtu_bytes <= 0 || (d.mtu_bytes > 0 && r->mtu_bytes > d.mtu_bytes))
		r->mtu_bytes = d.mtu_bytes;
	if (!ip_addr_is_unspecified(&r->source) && !device_has_address(d.name, &r->source))
		r->source = (struct ip_addr){.b = {0}};
	return 0;
}

/* ---- neighbours ---- */

/* A stale entry is usable: the kernel itself sends to it while it checks again. */
static bool neighbour_is_usable(uint16_t state)
{
	return (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT |
			 NUD_NOARP)) != 0;
}

static int neighbour_from_answer(uint8_t mac[MAC_LEN], const union answer *a)
{
	const struct ndmsg *m = NLMSG_DATA(&a->header);
	const struct rtattr *at;
	int left;

	if (a->header.nlmsg_type != RTM_NEWNEIGH ||
	    a->header.nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || !neighbour_is_usable(m->ndm_state))
		return -1;
	for (at = answer_attributes(a, sizeof(*m), &left); RTA_OK(at, left);
	     at = RTA_NEXT(at, left)) {
		if (at->rta_type != NDA_LLADDR || RTA_PAYLOAD(at) != MAC_LEN ||
		    mac_is_zero(RTA_DATA(at)))
			continue;
		memcpy(mac, RTA_DATA(at), MAC_LEN);
		return 0;
	}
	return -1;
}

/* For kernels before 5.0, which do not give a single entry by rtnetlink. IPv4 only. */
static int neighbour_by_libdnet(uint8_t mac[MAC_LEN], const struct ip_addr *next_hop)
{
	uint32_t v4_be = htonl(ip_addr_to_v4(next_hop));
	struct arp_entry entry;
	arp_t *arp = arp_open();
	int result;

	if (!arp)
		return -1;
	memset(&entry, 0, sizeof(entry));
	addr_pack(&entry.arp_pa, ADDR_TYPE_IP, IP_ADDR_BITS, &v4_be, IP_ADDR_LEN);
	result = arp_get(arp, &entry);
	arp_close(arp);
	if (result < 0 || entry.arp_ha.addr_type != ADDR_TYPE_ETH)
		return -1;
	memcpy(mac, &entry.arp_ha.addr_eth, MAC_LEN);
	return mac_is_zero(mac) ? -1 : 0;
}

int netdev_neighbour(uint8_t mac[MAC_LEN], int device_index, const struct ip_addr *next_hop)
{
	struct question q;
	union answer a;
	int result = -1;

	question_begin(&q, RTM_GETNEIGH);
	q.body.neighbour.ndm_family = ip_addr_is_v4(next_hop) ? AF_INET : AF_INET6;
	q.body.neighbour.ndm_ifindex = device_index;
	question_add_address(&q, NDA_DST, next_hop);
	if (ask(&q, &a) == 0)
		result = neighbour_from_answer(mac, &a);
	else if ((errno == EOPNOTSUPP || errno == EINVAL) && ip_addr_is_v4(next_hop))
		result = neighbour_by_libdnet(mac, next_hop);
	if (result < 0)
		errno = ENOENT;
	return result;
}

/* ---- changes ---- */

/* What decides on routes beside them. Kernels that do not know a group refuse it. */
static void watch_rules(int fd)
{
	static const int groups[] = {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		(void)setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
				 sizeof(groups[i]));
}

int netdev_watch_open(enum netdev_watch what)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	int saved_errno;

	if (fd < 0)
		return -1;
	if (what == NETDEV_WATCH_WAYS)
		groups.nl_groups |= RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	if (bind(fd, (struct sockaddr *)&groups, sizeof(groups)) < 0) {
		saved_errno = errno;
		close(fd);
		errno = saved_errno;
		return -1;
	}
	if (what == NETDEV_WATCH_WAYS)
		watch_rules(fd);
	return fd;
}

void netdev_watch_drain(int fd)
{
	enum { READS_MAX = 1000 }; /* a flood of changes does not hold the caller */
	uint8_t buf[ANSWER_MAX_BYTES];

	/* ENOBUFS says that notices were lost, which is a notice too. */
	for (int i = 0; i < READS_MAX; i++)
		if (recv(fd, buf, sizeof(buf), 0) < 0 && errno != EINTR && errno != ENOBUFS)
			return;
}
