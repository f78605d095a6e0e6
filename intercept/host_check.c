/* SPDX-License-Identifier: BSD-2-Clause */
/* host_check.c - see host_check.h. */
#include "intercept/host_check.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/netdev.h"
#include "intercept/advice.h"
#include "intercept/local_target.h"

bool host_check_forwards(bool is_v4)
{
	FILE *f = fopen(is_v4 ? "/proc/sys/net/ipv4/ip_forward"
			      : "/proc/sys/net/ipv6/conf/all/forwarding",
			"re");
	int c;

	if (!f)
		return false;
	c = fgetc(f);
	fclose(f);
	return c != EOF && c != '0';
}

static void warn_lines(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		log_plain(LOG_LEVEL_WARN, "%s", line);
}

void host_check_start(struct host_check *h, const struct intercept_options *options)
{
	char text[ADVICE_TEXT_MAX];

	*h = (struct host_check){.options = options};
	for (int is_v4 = 1; is_v4 >= 0; is_v4--)
		if (host_check_forwards(is_v4)) {
			advice_forwarding_at_start(text, sizeof(text), is_v4);
			/* Whether it matters is known with the first target. */
			log_plain(LOG_LEVEL_INFO, "%s", text);
		}
}

/* True if the rules for this target have been shown, or enough of others. */
static bool was_shown(struct host_check *h, const struct endpoint *target)
{
	for (size_t i = 0; i < h->target_count; i++)
		if (endpoint_equal(&h->targets[i], target))
			return true;
	if (h->target_count == HOST_CHECK_TARGETS_MAX)
		return true;
	h->targets[h->target_count++] = *target;
	return false;
}

static void look_onward(struct advice_facts *facts, const struct route *route)
{
	struct netdev device;

	if (route->kind != ROUTE_ON_LINK && route->kind != ROUTE_GATEWAY)
		return;
	if (netdev_by_index(&device, route->device_index))
		return;
	facts->has_onward = true;
	facts->onward = route->next_hop;
	memcpy(facts->onward_device, device.name, sizeof(facts->onward_device));
}

static void warn_forwarding(const struct tuple *response)
{
	char text[ADVICE_TEXT_MAX];
	struct advice_facts facts = {.seen = response->src, .client = response->dst.addr};
	struct route route;

	/* A blackhole drops them without a word. */
	if (netdev_route(&route, &facts.client, 0) == 0 && route.is_blackhole)
		return;
	look_onward(&facts, &route);
	advice_forwarding(text, sizeof(text), &facts);
	warn_lines(text);
}

/* The device by which tcpcopy's packets come in; nothing if tcpcopy is on this host. */
static void look_arrival(struct local_target_facts *facts, const struct ip_addr *from)
{
	struct route route;
	struct netdev device;

	facts->rp_filter = -1;
	if (netdev_route(&route, from, 0) || route.kind == ROUTE_NONE ||
	    route.kind == ROUTE_LOCAL || netdev_by_index(&device, route.device_index))
		return;
	memcpy(facts->arrival, device.name, sizeof(facts->arrival));
	facts->rp_filter = netdev_conf(device.name, "rp_filter");
}

static void warn_local_target(const struct host_check *h, const struct tuple *response,
			      const struct ip_addr *from)
{
	char text[LOCAL_TARGET_TEXT_MAX];
	struct local_target_facts facts = {
		.devices = (const char(*)[NETDEV_NAME_MAX])h->options->devices,
		.device_count = h->options->device_count,
		.response = *response,
	};

	if (netdev_route(&facts.route, &response->dst.addr, 0) ||
	    (facts.route.kind != ROUTE_NONE &&
	     netdev_by_index(&facts.device, facts.route.device_index)))
		return;
	facts.has_other_end = netdev_has_other_end(facts.device.name);
	facts.route_localnet = netdev_conf(facts.device.name, "route_localnet");
	look_arrival(&facts, from);
	if (local_target_advice(text, sizeof(text), &facts))
		log_warn("%s", text);
}

/* A loopback address is that of tcpcopy's own host. */
static bool is_this_host(const struct ip_addr *target, const struct ip_addr *tcpcopy)
{
	return netdev_is_local_address(ip_addr_is_loopback(target) ? tcpcopy : target);
}

void host_check_registration(struct host_check *h, const struct tuple *response,
			     const struct ip_addr *from)
{
	struct tuple seen = *response;
	char text[ADVICE_TEXT_MAX];

	translation_do(&seen.src, h->options->translations, h->options->translation_count);
	if (!h->told_local_client && netdev_is_local_address(&response->dst.addr)) {
		h->told_local_client = true;
		advice_local_client(text, sizeof(text), response);
		warn_lines(text);
		return;
	}
	if (was_shown(h, &response->src))
		return;
	/* What this host sends itself is not forwarded. */
	if (is_this_host(&seen.src.addr, from))
		warn_local_target(h, &seen, from);
	else if (host_check_forwards(ip_addr_is_v4(&seen.src.addr)))
		warn_forwarding(&seen);
}
