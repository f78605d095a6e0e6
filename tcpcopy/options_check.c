/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_check.c - what single options cannot tell: pairs that feed each other, faked clients
 * with the addresses of others, and what this host has. See options.h.
 */
#include "tcpcopy/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	SHOWN_MAX = 80, /* of a user's value in a message */
};

__attribute__((format(printf, 2, 3))) static int refuse(char error[PARSE_ERROR_MAX],
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PARSE_ERROR_MAX, format, args);
	va_end(args);
	return -1;
}

static bool same_address_family(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_addr_is_v4(a) == ip_addr_is_v4(b);
}

/* host is NULL while only the text is known. */
static bool is_local(const struct host_facts *host, const struct ip_addr *a)
{
	if (ip_addr_is_loopback(a))
		return true;
	for (size_t i = 0; host && i < host->address_count; i++) {
		if (ip_addr_equal(&host->addresses[i], a))
			return true;
	}
	return false;
}

/* Whether packets to e are captured for this pair. */
static bool is_source(const struct transfer *t, const struct host_facts *host,
		      const struct endpoint *e)
{
	if (t->source.port != e->port)
		return false;
	if (ip_addr_is_unspecified(&t->source.addr))
		return is_local(host, &e->addr);
	return ip_addr_equal(&t->source.addr, &e->addr);
}

/* A target that is itself captured: what we send would be copied again, for ever. */
static int check_self_targets(const struct tcpcopy_options *o, const struct host_facts *host,
			      char error[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < o->transfer_count; i++) {
		for (size_t k = 0; k < o->transfer_count; k++) {
			const struct endpoint *target = &o->transfers[i].target;

			if (!is_source(&o->transfers[k], host, target))
				continue;
			endpoint_format(text, sizeof(text), target);
			return refuse(error,
				      "-x: the target %s is itself captured (by pair %zu of -x), "
				      "so copies would be copied again without end; choose another "
				      "host or port, for example -x %u-10.0.0.2:8080",
				      text, k + 1, (unsigned)o->transfers[k].source.port);
		}
	}
	return 0;
}

/* Two pairs that capture the same packets for the same target, one of them by "any address". */
static int check_overlaps(const struct tcpcopy_options *o, const struct host_facts *host,
			  char error[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < o->transfer_count; i++) {
		for (size_t k = 0; k < o->transfer_count; k++) {
			const struct transfer *a = &o->transfers[i], *b = &o->transfers[k];

			if (i == k || !endpoint_equal(&a->target, &b->target) ||
			    !ip_addr_is_unspecified(&a->source.addr) ||
			    !is_source(a, host, &b->source))
				continue;
			endpoint_format(text, sizeof(text), &b->source);
			return refuse(error,
				      "-x: pair %zu captures port %u of every address of this "
				      "host, pair %zu once more %s for the same target; keep one "
				      "of them, for example -x 80-10.0.0.2:8080",
				      i + 1, (unsigned)a->source.port, k + 1, text);
		}
	}
	return 0;
}

static bool pool_has_family_of(const struct tcpcopy_options *o, const struct ip_addr *a)
{
	for (size_t i = 0; i < o->client_range_count; i++) {
		if (same_address_family(&o->client_ranges[i].first, a))
			return true;
	}
	return false;
}

/* A faked client must be of its target's family. */
static int check_families(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < o->transfer_count; i++) {
		const struct transfer *t = &o->transfers[i];
		const char *family = ip_addr_is_v4(&t->target.addr) ? "IPv4" : "IPv6";

		endpoint_format(text, sizeof(text), &t->target);
		if (o->client_range_count && !pool_has_family_of(o, &t->target.addr))
			return refuse(error,
				      "-c %.*s: the target %s needs faked clients with %s "
				      "addresses; for example -c %s",
				      SHOWN_MAX, o->client_ip_text, text, family,
				      ip_addr_is_v4(&t->target.addr) ? "10.20.30.x"
								     : "2001:db8:1::/64");
		if (!o->client_range_count && !ip_addr_is_unspecified(&t->source.addr) &&
		    !same_address_family(&t->source.addr, &t->target.addr))
			return refuse(error,
				      "-x: source and target %s are of different families; give "
				      "%s addresses for the faked clients, for example -c %s",
				      text, family,
				      ip_addr_is_v4(&t->target.addr) ? "10.20.30.x"
								     : "2001:db8:1::/64");
	}
	return 0;
}

static bool pool_contains(const struct tcpcopy_options *o, const struct ip_addr *a)
{
	for (size_t i = 0; i < o->client_range_count; i++) {
		if (same_address_family(&o->client_ranges[i].first, a) &&
		    addr_range_contains(&o->client_ranges[i], a))
			return true;
	}
	return false;
}

static int refuse_pool(const char *what, const struct ip_addr *a, const char *why,
		       char error[PARSE_ERROR_MAX])
{
	char text[IP_ADDR_TEXT_MAX];

	return refuse(error,
		      "-c contains %s, %s: %s; choose a range that no host uses, for example -c "
		      "10.20.30.x",
		      ip_addr_format(text, sizeof(text), a), what, why);
}

/* Addresses that a faked client must not have, as far as the command line tells. */
static int check_pool(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	for (size_t i = 0; i < o->transfer_count; i++) {
		if (pool_contains(o, &o->transfers[i].target.addr))
			return refuse_pool("a target of -x", &o->transfers[i].target.addr,
					   "it would take packets from its own address for forged "
					   "and drop them",
					   error);
		if (!ip_addr_is_unspecified(&o->transfers[i].source.addr) &&
		    pool_contains(o, &o->transfers[i].source.addr))
			return refuse_pool("a source of -x", &o->transfers[i].source.addr,
					   "the answers would reach the online server itself",
					   error);
	}
	for (size_t i = 0; i < o->intercept_count; i++) {
		const struct intercept_address *a = &o->intercepts[i];

		for (size_t k = 0; k < a->endpoint_count; k++) {
			if (pool_contains(o, &a->endpoints[k].addr))
				return refuse_pool("an address of -s", &a->endpoints[k].addr,
						   "the assistant would answer the target itself "
						   "and reset the copies",
						   error);
		}
	}
	return 0;
}

static int check_devices(const struct tcpcopy_options *o, const struct host_facts *host,
			 char error[PARSE_ERROR_MAX])
{
	char list[320];

	for (size_t i = 0; i < o->device_count; i++) {
		if (host->device_exists(o->devices[i]))
			continue;
		return refuse(error, "-i %s: there is no such device; there are %s, or -i any",
			      o->devices[i], host->device_list(list, sizeof(list)));
	}
	return 0;
}

static int check_filter(const struct tcpcopy_options *o, const struct host_facts *host,
			char error[PARSE_ERROR_MAX])
{
	char why[CAPTURE_ERROR_MAX];

	if (!o->filter || host->check_filter(o->filter, why) == 0)
		return 0;
	return refuse(error, "-F: %.480s", why);
}

static int check_local_pool(const struct tcpcopy_options *o, const struct host_facts *host,
			    char error[PARSE_ERROR_MAX])
{
	for (size_t i = 0; i < host->address_count; i++) {
		if (pool_contains(o, &host->addresses[i]))
			return refuse_pool("an address of this host", &host->addresses[i],
					   "the target's answers would come here, and this host "
					   "would reset the copies",
					   error);
	}
	return 0;
}

int tcpcopy_options_check(const struct tcpcopy_options *o, const struct host_facts *host,
			  char error[PARSE_ERROR_MAX])
{
	if (check_self_targets(o, host, error) || check_overlaps(o, host, error) ||
	    check_families(o, error) || check_pool(o, error))
		return -1;
	if (!host)
		return 0;
	if (check_local_pool(o, host, error) || check_devices(o, host, error) ||
	    check_filter(o, host, error))
		return -1;
	return 0;
}
