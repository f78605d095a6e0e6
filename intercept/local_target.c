/* SPDX-License-Identifier: BSD-2-Clause */
/* local_target.c - see local_target.h. */
#include "intercept/local_target.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/dead_end.h"

enum {
	STRICT = 1, /* rp_filter */
	NETWORK_TEXT_MAX = IP_ADDR_TEXT_MAX + 4,
	CAUSE_MAX = 320,
	IP4_HOST_BYTES = 1,
	IP6_HOST_BYTES = 8,
};

/* The network that -c usually is, around one client: all that is known of it here. */
static const char *network_of(const struct ip_addr *client, char text[NETWORK_TEXT_MAX])
{
	bool is_v4 = ip_addr_is_v4(client);
	size_t host_bytes = is_v4 ? IP4_HOST_BYTES : IP6_HOST_BYTES;
	struct ip_addr network = *client;
	char address[IP_ADDR_TEXT_MAX];

	memset(network.b + sizeof(network.b) - host_bytes, 0, host_bytes);
	snprintf(text, NETWORK_TEXT_MAX, "%s/%d",
		 ip_addr_format(address, sizeof(address), &network), is_v4 ? 24 : 64);
	return text;
}

/* The cause, and the way on which answers are captured and go nowhere. */
__attribute__((format(printf, 4, 5))) static const char *
advise_way(char *buf, size_t size, const struct local_target_facts *f, const char *format, ...)
{
	bool is_v4 = ip_addr_is_v4(&f->response.dst.addr);
	char target[IP_ADDR_TEXT_MAX], network[NETWORK_TEXT_MAX], cause[CAUSE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(cause, sizeof(cause), format, args);
	va_end(args);
	snprintf(buf, size,
		 "the target %s is this host, %s; remedy, if %s is tcpcopy's -c: %s%s dev %s",
		 ip_addr_format(target, sizeof(target), &f->response.src.addr), cause,
		 network_of(&f->response.dst.addr, network),
		 is_v4 ? "ip route replace " : DEAD_END_COMMANDS_IP6 " && ip -6 route replace ",
		 network, is_v4 ? DEAD_END_DEVICE_IP4 : DEAD_END_DEVICE_IP6);
	return buf;
}

static bool is_captured(const struct local_target_facts *f, const char *device)
{
	for (size_t i = 0; i < f->device_count; i++)
		if (strcmp(f->devices[i], "any") == 0 || strcmp(f->devices[i], device) == 0)
			return true;
	return f->device_count == 0;
}

/* Only what comes in is captured: on lo all that went out, on a veth pair at the other end. */
static const char *advise_device(char *buf, size_t size, const struct local_target_facts *f,
				 const char *client)
{
	const struct netdev *d = &f->device;
	char next_hop[IP_ADDR_TEXT_MAX];

	if (d->is_loopback && !ip_addr_is_v4(&f->response.dst.addr))
		return advise_way(buf, size, f,
				  "whose answers to %s end with ICMP errors: IPv6 knows no routes "
				  "to lo",
				  client);
	if (d->is_loopback && !is_captured(f, d->name)) {
		snprintf(
			buf, size,
			"the target is this host, and its answers to %s end on %s, which -i leaves "
			"out; remedy: -i %s",
			client, d->name, d->name);
		return buf;
	}
	if (d->is_loopback || (!d->has_arp && f->has_other_end))
		return NULL;
	if (!d->has_arp)
		return advise_way(buf, size, f,
				  "and its answers to %s leave by %s, which has no other end where "
				  "they would come in to be captured",
				  client, d->name);
	if (f->route.kind == ROUTE_GATEWAY)
		return advise_way(buf, size, f,
				  "and its answers to %s leave by %s for %s instead of ending here",
				  client, d->name,
				  ip_addr_format(next_hop, sizeof(next_hop), &f->route.next_hop));
	return advise_way(buf, size, f, "and its answers to %s leave by %s instead of ending here",
			  client, d->name);
}

/* A loopback address may leave by another device only if that is allowed. */
static const char *advise_localnet(char *buf, size_t size, const struct local_target_facts *f)
{
	char target[IP_ADDR_TEXT_MAX];

	if (f->device.is_loopback || f->route_localnet != 0 ||
	    !ip_addr_is_v4(&f->response.src.addr) || !ip_addr_is_loopback(&f->response.src.addr))
		return NULL;
	snprintf(
		buf, size,
		"the target %s is a loopback address, and the kernel sends none of its answers out "
		"by %s; remedy: sysctl -w net.ipv4.conf.%s.route_localnet=1",
		ip_addr_format(target, sizeof(target), &f->response.src.addr), f->device.name,
		f->device.name);
	return buf;
}

static const char *advise_filter(char *buf, size_t size, const struct local_target_facts *f,
				 const char *client)
{
	if (!*f->arrival || f->rp_filter != STRICT || !ip_addr_is_v4(&f->response.dst.addr) ||
	    strcmp(f->arrival, f->device.name) == 0)
		return NULL;
	snprintf(buf, size,
		 "the reverse-path filter of %s drops the copies: their source %s is routed to %s; "
		 "remedy: sysctl -w net.ipv4.conf.%s.rp_filter=2",
		 f->arrival, client, f->device.name, f->arrival);
	return buf;
}

const char *local_target_advice(char *buf, size_t size, const struct local_target_facts *f)
{
	char client[IP_ADDR_TEXT_MAX];
	const char *text;

	ip_addr_format(client, sizeof(client), &f->response.dst.addr);
	if (f->route.kind == ROUTE_NONE)
		return advise_way(buf, size, f,
				  "which has no way to the faked client %s and sends no answers",
				  client);
	text = advise_device(buf, size, f, client);
	if (!text)
		text = advise_localnet(buf, size, f);
	return text ? text : advise_filter(buf, size, f, client);
}
