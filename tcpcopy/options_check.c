/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_check.c - what single options cannot tell: pairs that feed each other, faked clients
 * with the addresses of others, and what this host has. See options.h.
 */
#include "tcpcopy/options_private.h"

#include <stdio.h>
#include <string.h>

#include "common/options_table.h"

enum {
	FILTER_LOOKED_AT = 4096, /* one that is longer is left to the capture */
	SAMPLE_ALL_PPM = 1000000,
	GRADUAL_START_PPM = 10000,
	WORKER_MEMORY_MIN_MB = 16,
};

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
			return parse_refuse(
				error,
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
			return parse_refuse(
				error,
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

/* All clients of this pair are on loopback, and -H gives them an address that the target can answer. */
static bool has_localhost_for(const struct tcpcopy_options *o, const struct transfer *t)
{
	if (!ip_addr_is_loopback(&t->source.addr))
		return false;
	return ip_addr_is_v4(&t->target.addr) ? o->has_localhost_ip4 : o->has_localhost_ip6;
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
			return parse_refuse(error,
					    "-c %.*s: the target %s needs faked clients with %s "
					    "addresses; for example -c %s",
					    OPTION_SHOWN_MAX, o->client_ip_text, text, family,
					    example_clients(ip_addr_is_v4(&t->target.addr)));
		if (!o->client_range_count && !ip_addr_is_unspecified(&t->source.addr) &&
		    !same_address_family(&t->source.addr, &t->target.addr) &&
		    !has_localhost_for(o, t))
			return parse_refuse(
				error,
				"-x: source and target %s are of different families; give "
				"%s addresses for the faked clients, for example -c %s",
				text, family, example_clients(ip_addr_is_v4(&t->target.addr)));
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

	return parse_refuse(
		error,
		"-c contains %s, %s: %s; choose a range that no host uses, for example -c %s",
		ip_addr_format(text, sizeof(text), a), what, why,
		example_clients(ip_addr_is_v4(a)));
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

/* Of -H, whatever the family. */
static int check_localhost(const struct tcpcopy_options *o, const struct ip_addr *a,
			   char error[PARSE_ERROR_MAX])
{
	char text[IP_ADDR_TEXT_MAX];
	bool needed = false, reached = false;

	ip_addr_format(text, sizeof(text), a);
	for (size_t i = 0; i < o->transfer_count; i++) {
		const struct transfer *t = &o->transfers[i];

		needed = needed || ip_addr_is_unspecified(&t->source.addr) ||
			 ip_addr_is_loopback(&t->source.addr);
		reached = reached || same_address_family(&t->target.addr, a);
		if (ip_addr_equal(&t->target.addr, a))
			return parse_refuse(
				error,
				"-H %s: a target of -x has this address; choose one that "
				"no host uses, for example -H %s",
				text, example_client(ip_addr_is_v4(a)));
	}
	for (size_t i = 0; i < o->intercept_count; i++) {
		const struct intercept_address *s = &o->intercepts[i];

		for (size_t k = 0; k < s->endpoint_count; k++)
			if (ip_addr_equal(&s->endpoints[k].addr, a))
				return parse_refuse(
					error,
					"-H %s: an address of -s: the assistant would answer the "
					"target itself and reset the copies; choose one that no "
					"host uses, for example -H %s",
					text, example_client(ip_addr_is_v4(a)));
	}
	if (!needed)
		return parse_refuse(
			error,
			"-H %s: no source of -x takes clients of this host itself; leave "
			"-H out, or copy a loopback address, for example -x "
			"127.0.0.1:80-10.0.0.2:8080",
			text);
	if (!reached)
		return parse_refuse(error,
				    "-H %s: no target of -x has an %s address; give one of its "
				    "family, for example -H %s",
				    text, ip_addr_is_v4(a) ? "IPv4" : "IPv6",
				    example_client(!ip_addr_is_v4(a)));
	if (pool_contains(o, a))
		return parse_refuse(
			error,
			"-H %s: this address is in -c too, so two clients might get the "
			"same; choose one outside, or leave -H out, as -c replaces "
			"loopback addresses as well",
			text);
	return 0;
}

/* Clients on loopback have no address that another host could answer. */
static int check_loopback_clients(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	if (o->client_range_count)
		return 0;
	for (size_t i = 0; i < o->transfer_count; i++) {
		const struct transfer *t = &o->transfers[i];
		bool is_v4 = ip_addr_is_v4(&t->target.addr);

		if (!ip_addr_is_loopback(&t->source.addr) || ip_addr_is_loopback(&t->target.addr) ||
		    has_localhost_for(o, t))
			continue;
		return parse_refuse(
			error,
			"-x %s-...: clients of a loopback address need another one at the "
			"target; for example -c %s or -H %s",
			endpoint_format(text, sizeof(text), &t->source), example_clients(is_v4),
			example_client(is_v4));
	}
	return 0;
}

/*
 * A target on this host answers as this host does: to the real clients, who would reset its connections; production's own
 * answers go the same way.
 */
static int check_local_targets(const struct tcpcopy_options *o, const struct host_facts *host,
			       char error[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	if (o->client_range_count)
		return 0;
	for (size_t i = 0; i < o->transfer_count; i++) {
		const struct transfer *t = &o->transfers[i];

		if (!is_local(host, &t->target.addr) || has_localhost_for(o, t))
			continue;
		return parse_refuse(
			error,
			"-x: the target %s is this host itself, and without -c it would answer the "
			"real clients; give the faked ones addresses that no host uses, for "
			"example -c %s",
			endpoint_format(text, sizeof(text), &t->target),
			example_clients(ip_addr_is_v4(&t->target.addr)));
	}
	return 0;
}

static int check_localhosts(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	if (check_loopback_clients(o, error))
		return -1;
	if (o->has_localhost_ip4 && check_localhost(o, &o->localhost_ip4, error))
		return -1;
	return o->has_localhost_ip6 ? check_localhost(o, &o->localhost_ip6, error) : 0;
}

static int check_output(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	if (!o->output_device[0])
		return 0;
	if (o->send == SENDER_IP)
		return parse_refuse(error,
				    "-o %s with --send ip: -o sends at the link layer, ip by this "
				    "host's routes; leave one of them out",
				    o->output_device);
	for (size_t i = 0; i < o->transfer_count; i++) {
		if (!ip_addr_is_loopback(&o->transfers[i].target.addr))
			continue;
		endpoint_format(text, sizeof(text), &o->transfers[i].target);
		return parse_refuse(error,
				    "-o %s: the target %s is this host itself, which no device "
				    "reaches; leave -o out",
				    o->output_device, text);
	}
	return 0;
}

/* Frames to other network cards concern nobody whose own traffic is copied. */
static int check_promiscuous(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	bool has_source = false;

	if (!o->promiscuous)
		return 0;
	for (size_t i = 0; i < o->transfer_count; i++) {
		const struct ip_addr *a = &o->transfers[i].source.addr;

		has_source |= !ip_addr_is_unspecified(a) && !ip_addr_is_loopback(a);
	}
	if (!has_source)
		return parse_refuse(
			error,
			"--promiscuous: no source of -x names another host, and this "
			"host's own traffic needs no such thing; for mirrored traffic name "
			"the address that is mirrored, for example -x "
			"10.1.2.3:%u-10.0.0.2:8080",
			(unsigned)o->transfers[0].source.port);
	for (size_t i = 0; i < o->device_count; i++) {
		if (strcmp(o->devices[i], "any") == 0)
			return parse_refuse(error,
					    "--promiscuous with -i any: that cannot show what is "
					    "addressed to others; name the devices, for example "
					    "--promiscuous -i eth1");
	}
	return 0;
}

static bool same_macs(const struct transfer *a, const struct transfer *b)
{
	return a->has_source_mac == b->has_source_mac &&
	       a->has_next_hop_mac == b->has_next_hop_mac &&
	       memcmp(a->source_mac, b->source_mac, MAC_LEN) == 0 &&
	       memcmp(a->next_hop_mac, b->next_hop_mac, MAC_LEN) == 0;
}

/* What @MAC asks for is up to the link layer, and the way to a host is one. */
static int check_macs(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < o->transfer_count; i++) {
		const struct transfer *t = &o->transfers[i];

		endpoint_format(text, sizeof(text), &t->target);
		if (o->send == SENDER_IP && options_has_mac(t))
			return parse_refuse(
				error,
				"-x with a MAC for %s and --send ip: ip leaves the link layer to "
				"this host; leave the MAC out, or use --send link",
				text);
		for (size_t k = 0; k < i; k++) {
			const struct transfer *other = &o->transfers[k];

			if (ip_addr_equal(&t->target.addr, &other->target.addr) &&
			    !same_macs(t, other))
				return parse_refuse(
					error,
					"-x: pairs %zu and %zu lead to the same host (%s) with "
					"different MACs; give both the same, for example -x "
					"80@02:00:00:00:00:01-10.0.0.2:8080,"
					"81@02:00:00:00:00:01-10.0.0.2:8081",
					k + 1, i + 1, text);
		}
	}
	return 0;
}

/* How much is copied, by whom. */
static int check_amounts(const struct tcpcopy_options *o, char error[PARSE_ERROR_MAX])
{
	if (o->sample_by_client && o->sample_ppm == SAMPLE_ALL_PPM && !o->gradual_s)
		return parse_refuse(error,
				    "--sample-by client: without -r or -g nothing is left out; "
				    "for example --sample-by client -r 20");
	if (o->gradual_s && o->sample_ppm <= GRADUAL_START_PPM)
		return parse_refuse(error,
				    "-g %u with -r %g: the copy begins with 1 %%, so -r must be "
				    "above; leave -g out, or for example -r 20 -g%u",
				    o->gradual_s, o->sample_ppm / 10000.0, o->gradual_s);
	if (o->workers * o->link_connections > OPTIONS_INTERCEPT_PEERS_MAX)
		return parse_refuse(error,
				    "-j %u with -C %u: these are %u connections to each intercept, "
				    "which takes %d; for example -j %u -C 1",
				    o->workers, o->link_connections,
				    o->workers * o->link_connections, OPTIONS_INTERCEPT_PEERS_MAX,
				    o->workers);
	if (o->rate_per_s && o->rate_per_s < o->workers)
		return parse_refuse(
			error,
			"--rate %u with -j %u: the workers share the rate, and some would "
			"have none; for example --rate %u -j %u, or -j 1",
			o->rate_per_s, o->workers, o->workers, o->workers);
	if (o->max_memory_mb / o->workers < WORKER_MEMORY_MIN_MB)
		return parse_refuse(
			error,
			"-m %u with -j %u: each worker needs %d MB; for example -m %u -j "
			"%u",
			o->max_memory_mb, o->workers, WORKER_MEMORY_MIN_MB,
			o->workers * WORKER_MEMORY_MIN_MB, o->workers);
	return 0;
}

static int check_devices(const struct tcpcopy_options *o, const struct host_facts *host,
			 char error[PARSE_ERROR_MAX])
{
	char list[320];

	for (size_t i = 0; i < o->device_count; i++) {
		if (host->device_exists(o->devices[i]))
			continue;
		if (host->file_exists(o->devices[i]))
			return parse_refuse(
				error,
				"-i %s: this is a file; recordings cannot be replayed yet, only "
				"live traffic is copied, for example -i eth0",
				o->devices[i]);
		return parse_refuse(error,
				    "-i %s: there is no such device; there are %s, or -i any",
				    o->devices[i], host->device_list(list, sizeof(list)));
	}
	if (o->output_device[0] && !host->device_exists(o->output_device))
		return parse_refuse(error, "-o %s: there is no such device; there are %s",
				    o->output_device, host->device_list(list, sizeof(list)));
	return 0;
}

static int check_stats_file(const struct tcpcopy_options *o, const struct host_facts *host,
			    char error[PARSE_ERROR_MAX])
{
	if (!o->stats_file || host->may_replace(o->stats_file) == 0)
		return 0;
	return parse_refuse(error,
			    "--stats-file %.*s: this is no regular file, and would be replaced by "
			    "one; for example --stats-file /run/tcpcopy.json",
			    OPTION_SHOWN_MAX, o->stats_file);
}

static int check_filter(const struct tcpcopy_options *o, const struct host_facts *host,
			char error[PARSE_ERROR_MAX])
{
	char why[CAPTURE_ERROR_MAX], with_tcp[FILTER_LOOKED_AT];

	if (!o->filter)
		return 0;
	if (host->check_filter(o->filter, why))
		return parse_refuse(error, "-F: %.480s", why);
	if (snprintf(with_tcp, sizeof(with_tcp), "tcp and (%s)", o->filter) <
		    (int)sizeof(with_tcp) &&
	    host->check_filter(with_tcp, why))
		return parse_refuse(error,
				    "-F %.*s: no TCP packet can pass that; for example -F 'net "
				    "10.0.0.0/8'",
				    OPTION_SHOWN_MAX, o->filter);
	return 0;
}

/* Pool and -H: what a faked client may be. */
static bool is_faked(const struct tcpcopy_options *o, const struct ip_addr *a)
{
	return pool_contains(o, a) ||
	       (o->has_localhost_ip4 && ip_addr_equal(&o->localhost_ip4, a)) ||
	       (o->has_localhost_ip6 && ip_addr_equal(&o->localhost_ip6, a));
}

/* The ends of the link: without them no answer would be heard of. */
static int check_link_source(const struct tcpcopy_options *o, const struct host_facts *host,
			     const struct intercept_address *intercept, char error[PARSE_ERROR_MAX])
{
	char text[IP_ADDR_TEXT_MAX];
	struct route r;

	for (size_t i = 0; i < intercept->endpoint_count; i++) {
		if (host->route(&r, &intercept->endpoints[i].addr, "") || r.kind == ROUTE_NONE ||
		    !is_faked(o, &r.source))
			continue;
		return parse_refuse(
			error,
			"-c or -H contains %s, with which this host reaches intercept "
			"%.*s: as a faked client's address it would break the link; choose "
			"a range that no host uses, for example -c %s",
			ip_addr_format(text, sizeof(text), &r.source), OPTION_SHOWN_MAX,
			intercept->text, example_clients(ip_addr_is_v4(&r.source)));
	}
	return 0;
}

/* The router towards a target would take the answers for its own. */
static int check_router(const struct tcpcopy_options *o, const struct host_facts *host,
			const struct transfer *t, char error[PARSE_ERROR_MAX])
{
	char text[IP_ADDR_TEXT_MAX], target[ENDPOINT_TEXT_MAX];
	struct route r;

	if (host->route(&r, &t->target.addr, o->output_device) || r.kind != ROUTE_GATEWAY ||
	    !is_faked(o, &r.next_hop))
		return 0;
	endpoint_format(target, sizeof(target), &t->target);
	return parse_refuse(error,
			    "-c or -H contains %s, the router towards the target %s: it would drop "
			    "packets from its own address as forged; choose a range that no host "
			    "uses, for example -c %s",
			    ip_addr_format(text, sizeof(text), &r.next_hop), target,
			    example_clients(ip_addr_is_v4(&r.next_hop)));
}

static int check_faked(const struct tcpcopy_options *o, const struct host_facts *host,
		       char error[PARSE_ERROR_MAX])
{
	char text[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < o->intercept_count; i++)
		if (check_link_source(o, host, &o->intercepts[i], error))
			return -1;
	for (size_t i = 0; i < o->transfer_count; i++)
		if (check_router(o, host, &o->transfers[i], error))
			return -1;
	for (size_t i = 0; i < host->address_count; i++) {
		if (!is_faked(o, &host->addresses[i]))
			continue;
		return parse_refuse(
			error,
			"-c or -H contains %s, an address of this host: the target's "
			"answers would come here, and this host would reset the copies; "
			"choose a range that no host uses, for example -c %s",
			ip_addr_format(text, sizeof(text), &host->addresses[i]),
			example_clients(ip_addr_is_v4(&host->addresses[i])));
	}
	return 0;
}

int tcpcopy_options_check(const struct tcpcopy_options *o, const struct host_facts *host,
			  char error[PARSE_ERROR_MAX])
{
	if (check_self_targets(o, host, error) || check_overlaps(o, host, error) ||
	    check_families(o, error) || check_pool(o, error) ||
	    check_local_targets(o, host, error) || check_localhosts(o, error) ||
	    check_output(o, error) || check_macs(o, error) || check_promiscuous(o, error) ||
	    check_amounts(o, error))
		return -1;
	if (!host)
		return 0;
	if (check_faked(o, host, error) || check_devices(o, host, error) ||
	    check_filter(o, host, error) || check_stats_file(o, host, error))
		return -1;
	return 0;
}

static const struct transfer *other_family_of(const struct tcpcopy_options *o,
					      const struct transfer *t)
{
	for (size_t i = 0; i < o->transfer_count; i++) {
		const struct transfer *other = &o->transfers[i];

		if (other->source.port == t->source.port &&
		    ip_addr_is_unspecified(&other->source.addr) &&
		    !same_address_family(&other->target.addr, &t->target.addr))
			return other;
	}
	return NULL;
}

bool tcpcopy_options_leaves_out(const struct tcpcopy_options *o, const struct ip_addr *addresses,
				size_t address_count, char note[PARSE_ERROR_MAX])
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < o->transfer_count && !o->client_range_count; i++) {
		const struct transfer *t = &o->transfers[i];
		bool is_v4 = ip_addr_is_v4(&t->target.addr);

		if (!ip_addr_is_unspecified(&t->source.addr) || other_family_of(o, t))
			continue;
		for (size_t k = 0; k < address_count; k++) {
			const struct ip_addr *a = &addresses[k];

			if (ip_addr_is_v4(a) == is_v4 || ip_addr_is_loopback(a) ||
			    ip_addr_is_link_local(a))
				continue;
			snprintf(note, PARSE_ERROR_MAX,
				 "without -c no clients with %s addresses are copied to %s: they "
				 "are counted as no-address; -c %s takes both families",
				 is_v4 ? "IPv6" : "IPv4",
				 endpoint_format(text, sizeof(text), &t->target),
				 example_clients(is_v4));
			return true;
		}
	}
	return false;
}

const char *tcpcopy_options_example_clients(const struct tcpcopy_options *o)
{
	return example_clients(ip_addr_is_v4(&o->transfers[0].target.addr));
}
