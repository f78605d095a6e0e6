/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_filter.c - see online_filter.h. Ports and addresses of one kind of source stand as a
 * product, (ports) and (addresses), so that the text and the kernel's program stay short.
 */
#include "tcpcopy/online_filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tcp[] does not reach into IPv6: there the flags are at a fixed place behind the fixed header. */
static const char opens_or_closes[] = "(tcp[13] & 7 != 0 or ip6[53] & 7 != 0)";

struct text {
	char *bytes;
	size_t len_bytes;
	size_t room_bytes;
	bool failed;
};

static bool text_grow(struct text *t, size_t more)
{
	size_t room = t->room_bytes ? t->room_bytes : 1024;
	char *bytes;

	if (t->room_bytes - t->len_bytes > more)
		return true;
	while (room - t->len_bytes <= more)
		room *= 2;
	bytes = realloc(t->bytes, room);
	if (!bytes) {
		t->failed = true;
		return false;
	}
	t->bytes = bytes;
	t->room_bytes = room;
	return true;
}

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || t->failed || !text_grow(t, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(t->bytes + t->len_bytes, t->room_bytes - t->len_bytes, format, args);
	va_end(args);
	t->len_bytes += (size_t)len;
}

static void add_hosts(struct text *t, const char *way, const struct ip_addr *hosts, size_t count)
{
	char address[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		text_add(t, "%s%s host %s", i ? " or " : "", way,
			 ip_addr_format(address, sizeof(address), &hosts[i]));
}

/* The pairs whose source address is addr (unspecified: those that take local addresses). */
struct source_group {
	const struct transfer *transfers;
	size_t transfer_count;
	struct ip_addr addr;
};

static bool group_has(const struct source_group *g, size_t i)
{
	return ip_addr_equal(&g->transfers[i].source.addr, &g->addr);
}

static bool is_first_with_port(const struct source_group *g, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (group_has(g, k) && g->transfers[k].source.port == g->transfers[i].source.port)
			return false;
	}
	return true;
}

static void add_ports(struct text *t, const char *way, const struct source_group *g)
{
	const char * or = "";

	for (size_t i = 0; i < g->transfer_count; i++) {
		if (!group_has(g, i) || !is_first_with_port(g, i))
			continue;
		text_add(t, "%s%s port %u", or, way, (unsigned)g->transfers[i].source.port);
		or = " or ";
	}
}

/* Without addresses in the filter our own packets to a target with the source's port would pass. */
static void add_not_targets(struct text *t, const struct source_group *g)
{
	char address[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < g->transfer_count; i++) {
		text_add(t, " and not dst host %s",
			 ip_addr_format(address, sizeof(address), &g->transfers[i].target.addr));
	}
}

static void add_group(struct text *t, const struct source_group *g, const struct ip_addr *hosts,
		      size_t host_count)
{
	text_add(t, "(tcp and (");
	add_ports(t, "dst", g);
	text_add(t, ")");
	if (host_count) {
		text_add(t, " and (");
		add_hosts(t, "dst", hosts, host_count);
		text_add(t, ")");
	} else {
		add_not_targets(t, g);
	}
	text_add(t, ") or (tcp and (");
	add_ports(t, "src", g);
	text_add(t, ")");
	if (host_count) {
		text_add(t, " and (");
		add_hosts(t, "src", hosts, host_count);
		text_add(t, ")");
	}
	text_add(t, " and %s)", opens_or_closes);
}

static bool is_first_with_address(const struct transfer *transfers, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (ip_addr_equal(&transfers[k].source.addr, &transfers[i].source.addr))
			return false;
	}
	return true;
}

/*
 * Addresses and ports are added, so that the direction does not matter, and mixed by Fibonacci
 * hashing: kernels give out ports in steps. The filter language reckons in 32 bits, as is wanted here.
 */
static void add_share(struct text *t, const struct online_share *share)
{
	static const char *const sums[] = {
		"ip[12:4] + ip[16:4] + tcp[0:2] + tcp[2:2]",
		"ip6[20:4] + ip6[36:4] + ip6[40:2] + ip6[42:2]",
	};

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		text_add(t, "%s(((%s) * 2654435761) >> 16) %% %u = %u", i ? " or " : " and (",
			 sums[i], share->count, share->index);
	text_add(t, ")");
}

char *online_filter_text(const struct transfer *transfers, size_t transfer_count,
			 const struct ip_addr *local, size_t local_count, const char *user,
			 const struct online_share *share)
{
	struct text t = {.bytes = NULL};
	const char * or = "";

	text_add(&t, "(");
	for (size_t i = 0; i < transfer_count; i++) {
		const struct source_group g = {transfers, transfer_count, transfers[i].source.addr};

		if (!is_first_with_address(transfers, i))
			continue;
		text_add(&t, "%s", or);
		or = " or ";
		if (!ip_addr_is_unspecified(&g.addr))
			add_group(&t, &g, &g.addr, 1);
		else if (local_count <= ONLINE_FILTER_LOCAL_MAX)
			add_group(&t, &g, local, local_count);
		else
			add_group(&t, &g, NULL, 0);
	}
	text_add(&t, ")");
	if (user)
		text_add(&t, " and (%s)", user);
	if (share->count > 1)
		add_share(&t, share);
	if (t.failed) {
		free(t.bytes);
		errno = ENOMEM;
		return NULL;
	}
	return t.bytes;
}
