/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * same_host.c - see same_host.h. The copies themselves need nothing here: a raw packet to one of the host's own
 * addresses goes over lo with its route attached, past reverse-path filter and martian check. The answers
 * are routed like any other: to the assistant, or, with intercept on this host, to where they end (dead_end.h).
 */
#include "tcpcopy/same_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/dead_end.h"
#include "tcpcopy/diagnosis.h"

enum {
	COMMANDS_MAX = 640,
};

const struct same_host_view same_host_view_real = {
	.route = netdev_route,
	.device = netdev_by_index,
	.conf = netdev_conf,
};

/* A target of this host, and a range of faked clients that it answers. */
struct same_host {
	const struct tcpcopy_options *options;
	const struct same_host_view *view;
	const struct transfer *transfer;
	const struct addr_range *range;
	char target[ENDPOINT_TEXT_MAX];
	char client[IP_ADDR_TEXT_MAX]; /* the first of the range */
	struct ip_addr assistant;      /* one of -s in the target's family; unspecified: none */
	bool has_local_intercept;
	same_host_tell_fn *tell;
	void *ctx;
};

static bool is_local(const struct same_host_view *view, const struct ip_addr *a)
{
	struct route r;

	return view->route(&r, a, 0) == 0 && r.kind == ROUTE_LOCAL;
}

static bool same_family(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_addr_is_v4(a) == ip_addr_is_v4(b);
}

/* ---- commands ---- */

/* A route for each prefix of the range, joined for a shell. */
static void add_routes(const struct same_host *s, char commands[COMMANDS_MAX], const char *way)
{
	char prefixes[DIAGNOSIS_PREFIXES_MAX][DIAGNOSIS_PREFIX_TEXT_MAX];
	size_t count = diagnosis_prefixes(prefixes, DIAGNOSIS_PREFIXES_MAX, s->range);
	const char *ip = ip_addr_is_v4(&s->range->first) ? "ip" : "ip -6";

	for (size_t i = 0; i < count && i < DIAGNOSIS_PREFIXES_MAX; i++) {
		size_t used = strlen(commands);

		snprintf(commands + used, COMMANDS_MAX - used, "%s%s route replace %s %s",
			 used ? " && " : "", ip, prefixes[i], way);
	}
}

/* What leads the answers to intercept, wherever that is. */
static void way_to_intercept(const struct same_host *s, char commands[COMMANDS_MAX])
{
	char way[IP_ADDR_TEXT_MAX + 8], assistant[IP_ADDR_TEXT_MAX];

	commands[0] = '\0';
	if (s->has_local_intercept && ip_addr_is_v4(&s->range->first)) {
		add_routes(s, commands, "dev " DEAD_END_DEVICE_IP4);
		return;
	}
	if (s->has_local_intercept) {
		snprintf(commands, COMMANDS_MAX, "%s", DEAD_END_COMMANDS_IP6);
		add_routes(s, commands, "dev " DEAD_END_DEVICE_IP6);
		return;
	}
	if (ip_addr_is_unspecified(&s->assistant))
		snprintf(way, sizeof(way), "via ASSISTANT");
	else
		snprintf(way, sizeof(way), "via %s",
			 ip_addr_format(assistant, sizeof(assistant), &s->assistant));
	add_routes(s, commands, way);
}

/* ---- findings ---- */

__attribute__((format(printf, 3, 4))) static void tell_way(const struct same_host *s, bool is_sure,
							   const char *format, ...)
{
	char text[SAME_HOST_TEXT_MAX], what[SAME_HOST_TEXT_MAX / 4], commands[COMMANDS_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	way_to_intercept(s, commands);
	snprintf(text, sizeof(text), "the target %s is this host, %s; remedy: %s", s->target, what,
		 commands);
	s->tell(s->ctx, is_sure, text);
}

static void tell_own_client(const struct same_host *s)
{
	char text[SAME_HOST_TEXT_MAX];

	snprintf(text, sizeof(text),
		 "the target %s is this host, which takes the faked client %s for itself and would "
		 "reset the copies; remedy: another -c, or none of these routes: ip route show "
		 "table local",
		 s->target, s->client);
	s->tell(s->ctx, true, text);
}

static bool is_assistant(const struct same_host *s, const struct ip_addr *a)
{
	for (size_t i = 0; i < s->options->intercept_count; i++) {
		const struct intercept_address *at = &s->options->intercepts[i];

		for (size_t k = 0; k < at->endpoint_count; k++)
			if (ip_addr_equal(&at->endpoints[k].addr, a))
				return true;
	}
	return false;
}

/* A loopback address may leave by another device only if that is allowed. */
static void check_leaving(const struct same_host *s, const struct netdev *d)
{
	char text[SAME_HOST_TEXT_MAX];

	if (d->is_loopback || !ip_addr_is_v4(&s->transfer->target.addr) ||
	    !ip_addr_is_loopback(&s->transfer->target.addr) ||
	    s->view->conf(d->name, "route_localnet") != 0)
		return;
	snprintf(text, sizeof(text),
		 "the target %s has a loopback address, and the kernel sends none of its answers "
		 "out by %s; remedy: sysctl -w net.ipv4.conf.%s.route_localnet=1",
		 s->target, d->name, d->name);
	s->tell(s->ctx, true, text);
}

static void check_device(const struct same_host *s, const struct route *r, const struct netdev *d)
{
	char next_hop[IP_ADDR_TEXT_MAX];

	if (d->is_loopback && !ip_addr_is_v4(&s->range->first)) {
		tell_way(s, true,
			 "whose answers to %s end with ICMP errors: IPv6 knows no routes to lo",
			 s->client);
	} else if (d->is_loopback || !d->has_arp) {
		if (s->has_local_intercept)
			check_leaving(s, d);
		else
			tell_way(s, true,
				 "and its answers to %s end here on %s, but intercept is elsewhere",
				 s->client, d->name);
	} else if (r->kind == ROUTE_GATEWAY && is_assistant(s, &r->next_hop)) {
		check_leaving(s, d);
	} else if (r->kind == ROUTE_GATEWAY) {
		tell_way(s, false,
			 "and its answers to %s leave by %s to %s, which is no address of -s",
			 s->client, d->name,
			 ip_addr_format(next_hop, sizeof(next_hop), &r->next_hop));
	} else {
		tell_way(s, false,
			 "and its answers to %s leave by %s, where nobody has that address",
			 s->client, d->name);
	}
}

static void check_range(const struct same_host *s)
{
	struct netdev d;
	struct route r;

	if (s->view->route(&r, &s->range->first, 0))
		return;
	if (r.kind == ROUTE_LOCAL)
		tell_own_client(s);
	else if (r.kind == ROUTE_NONE)
		tell_way(s, true, "which has no way to the faked client %s and sends no answers",
			 s->client);
	else if (s->view->device(&d, r.device_index) == 0)
		check_device(s, &r, &d);
}

/* ---- the whole ---- */

static void find_intercept(struct same_host *s)
{
	const struct ip_addr *target = &s->transfer->target.addr;

	for (size_t i = 0; i < s->options->intercept_count; i++) {
		const struct intercept_address *at = &s->options->intercepts[i];

		for (size_t k = 0; k < at->endpoint_count; k++) {
			const struct ip_addr *a = &at->endpoints[k].addr;

			if (is_local(s->view, a))
				s->has_local_intercept = true;
			else if (same_family(a, target) && ip_addr_is_unspecified(&s->assistant))
				s->assistant = *a;
		}
	}
}

static void check_one(struct same_host *s, const struct addr_range *range)
{
	if (!same_family(&range->first, &s->transfer->target.addr))
		return;
	s->range = range;
	ip_addr_format(s->client, sizeof(s->client), &range->first);
	check_range(s);
}

/* The address of -H, as a range. */
static void check_localhost(struct same_host *s, const struct ip_addr *a)
{
	const struct addr_range range = {.first = *a, .last = *a};

	check_one(s, &range);
}

static bool is_repeated(const struct tcpcopy_options *o, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (endpoint_equal(&o->transfers[k].target, &o->transfers[i].target))
			return true;
	return false;
}

void same_host_check(const struct tcpcopy_options *o, const struct same_host_view *view,
		     same_host_tell_fn *tell, void *ctx)
{
	for (size_t i = 0; i < o->transfer_count; i++) {
		struct same_host s = {
			.options = o,
			.view = view,
			.transfer = &o->transfers[i],
			.tell = tell,
			.ctx = ctx,
		};

		if (is_repeated(o, i) || !is_local(view, &s.transfer->target.addr))
			continue;
		endpoint_format(s.target, sizeof(s.target), &s.transfer->target);
		find_intercept(&s);
		for (size_t k = 0; k < o->client_range_count; k++)
			check_one(&s, &o->client_ranges[k]);
		if (o->has_localhost_ip4)
			check_localhost(&s, &o->localhost_ip4);
		if (o->has_localhost_ip6)
			check_localhost(&s, &o->localhost_ip6);
	}
}
