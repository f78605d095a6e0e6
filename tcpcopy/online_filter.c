/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_filter.c - see online_filter.h. Ports and addresses of one kind of source stand as a
 * product, (ports) and (addresses), so that the text and the kernel's program stay short.
 *
 * "tcp" and "port" look for TCP right behind the IPv6 header. What stands behind extension headers
 * (RFC 8200, section 4) has clauses of its own, with arithmetic on the first one's length. Ordinary
 * packets, whose next header is TCP, never come so far.
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

/* The kinds of the extension headers that packet.c follows; an authentication header has another unit. */
#define IS_EXTENSION(at)                                                                 \
	"(" at " = 0 or " at " = 43 or " at " = 44 or " at " = 51 or " at " = 60 or " at \
	" = 135 or " at " = 139 or " at " = 140)"

/* The first fragment, or the only one. */
static const char not_behind_first[] = "(ip6[6] != 44 or ip6[42:2] & 0xfff8 = 0)";
static const char is_extended[] =
	"ip6 and " IS_EXTENSION("ip6[6]") " and (ip6[40] = 6 or " IS_EXTENSION("ip6[40]") ")";
/* As above, behind one extension header; behind several it is left to replay. */
static const char extended_opens_or_closes[] =
	"(ip6[40] != 6 or (ip6[6] = 44 and ip6[61] & 7 != 0) or "
	"(ip6[6] = 51 and ip6[61 + ip6[41] * 4] & 7 != 0) or "
	"(ip6[6] != 44 and ip6[6] != 51 and ip6[61 + ip6[41] * 8] & 7 != 0))";

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

static size_t count_v6(const struct ip_addr *hosts, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += !ip_addr_is_v4(&hosts[i]);
	return n;
}

/* Without addresses: every packet that might be TCP. Our own have no extension headers. */
static void add_extended(struct text *t, const struct ip_addr *hosts, size_t host_count)
{
	if (host_count && !count_v6(hosts, host_count))
		return;
	text_add(t, " or (%s and %s", is_extended, not_behind_first);
	if (host_count) {
		text_add(t, " and ((");
		add_hosts(t, "dst", hosts, host_count);
		text_add(t, ") or ((");
		add_hosts(t, "src", hosts, host_count);
		text_add(t, ") and %s))", extended_opens_or_closes);
	}
	text_add(t, ")");
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
		text_add(t, "%s(((%s) * 2654435761) >> 16) %% %u = %u",
			 i ? " or (ip6[6] = 6 and " : " and (", sums[i], share->count,
			 share->index);
	/* A fragment's ports may be nowhere: it is counted once. */
	text_add(t, ") or (ip6[6] != 6%s))",
		 share->index ? " and (ip6[6] != 44 or ip6[42:2] & 0xfff9 = 0)" : "");
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

		bool is_any = ip_addr_is_unspecified(&g.addr);
		const struct ip_addr *hosts = is_any ? local : &g.addr;
		size_t host_count = is_any ? local_count : 1;

		if (!is_first_with_address(transfers, i))
			continue;
		if (host_count > ONLINE_FILTER_LOCAL_MAX)
			host_count = 0;
		text_add(&t, "%s", or);
		or = " or ";
		add_group(&t, &g, hosts, host_count);
		add_extended(&t, hosts, host_count);
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
