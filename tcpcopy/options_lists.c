/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options_lists.c - the options of tcpcopy that take lists, item by item: pairs of -x, assistants,
 * addresses of faked clients, devices. See options.h.
 */
#include "tcpcopy/options_private.h"

#include <stdio.h>
#include <string.h>

#include "common/options_table.h"

typedef int read_item_fn(struct tcpcopy_options *o, const char *item, char error[PARSE_ERROR_MAX]);

/* What stands on one side of the dash in -x, judged by its looks. */
enum part_kind {
	PART_EMPTY,
	PART_PORT,
	PART_ENDPOINT,
	PART_ADDRESS_ONLY,
	PART_BARE_IPV6,
	PART_NAME,
};

static size_t count_char(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

static enum part_kind part_kind(const char *part)
{
	size_t host_len = strcspn(part, ":");

	if (!*part)
		return PART_EMPTY;
	if (*part == '[') /* without its end parse_endpoint says what is wrong */
		return strchr(part, ']') && !strstr(part, "]:") ? PART_ADDRESS_ONLY : PART_ENDPOINT;
	if (count_char(part, ':') > 1)
		return PART_BARE_IPV6;
	if (strspn(part, "0123456789.") < host_len)
		return PART_NAME;
	if (part[host_len] == ':')
		return PART_ENDPOINT;
	return strchr(part, '.') ? PART_ADDRESS_ONLY : PART_PORT;
}

/* Judged by its looks, as all that is not what it should be. */
static const char *pair_like(const char *item)
{
	return example_pair(!strchr(item, '[') && count_char(item, ':') < 3);
}

/* What is wrong with a side that is not what it should be. */
static int refuse_part(enum part_kind kind, const char *side, const char *item, const char *part,
		       char error[PARSE_ERROR_MAX])
{
	const char *example = pair_like(item);

	switch (kind) {
	case PART_EMPTY:
		return parse_refuse(error, "-x %.*s: the %s is missing; for example -x %s",
				    OPTION_SHOWN_MAX, item, side, example);
	case PART_PORT:
		return parse_refuse(error,
				    "-x %.*s: the %s %.*s has no address; write ADDRESS:PORT, for "
				    "example -x %s",
				    OPTION_SHOWN_MAX, item, side, OPTION_SHOWN_MAX, part, example);
	case PART_ADDRESS_ONLY:
		return parse_refuse(
			error,
			"-x %.*s: the %s %.*s has no port; write ADDRESS:PORT, for example "
			"-x %s",
			OPTION_SHOWN_MAX, item, side, OPTION_SHOWN_MAX, part, example);
	case PART_BARE_IPV6:
		return parse_refuse(error,
				    "-x %.*s: the %s %.*s: an IPv6 address stands in brackets, for "
				    "example -x %s",
				    OPTION_SHOWN_MAX, item, side, OPTION_SHOWN_MAX, part,
				    example_pair(false));
	case PART_NAME:
	case PART_ENDPOINT:
		break;
	}
	return parse_refuse(error,
			    "-x %.*s: the %s %.*s is not an address; names are not resolved in -x, "
			    "write the number, for example -x %s",
			    OPTION_SHOWN_MAX, item, side, OPTION_SHOWN_MAX, part, example);
}

/* Cuts "@MAC" off a side. */
static int split_mac(char *part, bool *has_mac, uint8_t mac[MAC_LEN], const char *item,
		     char error[PARSE_ERROR_MAX])
{
	char *at = strchr(part, '@');
	char why[PARSE_ERROR_MAX];

	*has_mac = at != NULL;
	if (!at)
		return 0;
	*at = '\0';
	if (parse_mac(mac, at + 1, why) == 0)
		return 0;
	return parse_refuse(error, "-x %.*s: %.300s", OPTION_SHOWN_MAX, item, why);
}

static int read_source(struct transfer *t, const char *part, const char *item,
		       char error[PARSE_ERROR_MAX])
{
	enum part_kind kind = part_kind(part);
	char why[PARSE_ERROR_MAX];
	int rc;

	if (kind != PART_PORT && kind != PART_ENDPOINT)
		return refuse_part(kind, "source", item, part, error);
	memset(&t->source, 0, sizeof(t->source));
	if (kind == PART_PORT)
		rc = parse_port(&t->source.port, part, "source port", why);
	else
		rc = parse_endpoint(&t->source, part, "source", why);
	if (rc)
		return parse_refuse(error, "-x %.*s: %.300s", OPTION_SHOWN_MAX, item, why);
	if (ip_addr_is_unspecified(&t->source.addr))
		memset(&t->source.addr, 0, sizeof(t->source.addr));
	return 0;
}

static bool is_unicast(const struct ip_addr *a)
{
	if (ip_addr_is_unspecified(a))
		return false;
	if (ip_addr_is_v4(a))
		return ip_addr_to_v4(a) >> 24 != 0 && ip_addr_to_v4(a) >> 28 < 0xe;
	return a->b[0] != 0xff;
}

static int read_target(struct transfer *t, const char *part, const char *item,
		       char error[PARSE_ERROR_MAX])
{
	enum part_kind kind = part_kind(part);
	char why[PARSE_ERROR_MAX];

	if (kind != PART_ENDPOINT)
		return refuse_part(kind, "target", item, part, error);
	if (parse_endpoint(&t->target, part, "target", why))
		return parse_refuse(error, "-x %.*s: %.300s", OPTION_SHOWN_MAX, item, why);
	if (!is_unicast(&t->target.addr))
		return parse_refuse(error,
				    "-x %.*s: the target %.*s is not the address of one host; for "
				    "example -x %s",
				    OPTION_SHOWN_MAX, item, OPTION_SHOWN_MAX, part,
				    pair_like(item));
	return 0;
}

static bool same_address_family(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_addr_is_v4(a) == ip_addr_is_v4(b);
}

static int read_transfer(struct tcpcopy_options *o, const char *item, char error[PARSE_ERROR_MAX])
{
	struct transfer t = {.has_source_mac = false};
	char text[256];
	char *dash;
	size_t i;

	if (snprintf(text, sizeof(text), "%s", item) >= (int)sizeof(text))
		return parse_refuse(error, "-x %.*s...: too long; for example -x 80-10.0.0.2:8080",
				    OPTION_SHOWN_MAX, item);
	dash = strchr(text, '-');
	if (!dash)
		return parse_refuse(
			error,
			"-x %.*s: source and target are parted by a dash; for example -x "
			"80-10.0.0.2:8080",
			OPTION_SHOWN_MAX, item);
	*dash = '\0';
	if (split_mac(text, &t.has_source_mac, t.source_mac, item, error) ||
	    split_mac(dash + 1, &t.has_next_hop_mac, t.next_hop_mac, item, error) ||
	    read_source(&t, text, item, error) || read_target(&t, dash + 1, item, error))
		return -1;
	for (i = 0; i < o->transfer_count; i++) {
		if (endpoint_equal(&o->transfers[i].source, &t.source) &&
		    endpoint_equal(&o->transfers[i].target, &t.target))
			return parse_refuse(error,
					    "-x %.*s: this pair is given twice; a source may go to "
					    "several targets, for example -x "
					    "80-10.0.0.2:8080,80-10.0.0.4:8080",
					    OPTION_SHOWN_MAX, item);
	}
	if (o->transfer_count == TRANSFERS_MAX)
		return parse_refuse(
			error, "-x %.*s: more than %d pairs; run a second tcpcopy for the rest",
			OPTION_SHOWN_MAX, item, TRANSFERS_MAX);
	o->transfers[o->transfer_count++] = t;
	return 0;
}

static bool shares_endpoint(const struct intercept_address *a, const struct intercept_address *b)
{
	for (size_t i = 0; i < a->endpoint_count; i++) {
		for (size_t k = 0; k < b->endpoint_count; k++) {
			if (endpoint_equal(&a->endpoints[i], &b->endpoints[k]))
				return true;
		}
	}
	return false;
}

static int read_intercept(struct tcpcopy_options *o, const char *item, char error[PARSE_ERROR_MAX])
{
	struct intercept_address *a = &o->intercepts[o->intercept_count];
	size_t i;

	if (o->intercept_count == OPTIONS_INTERCEPTS_MAX)
		return parse_refuse(error, "-s %.*s: more than %d assistants; name fewer",
				    OPTION_SHOWN_MAX, item, OPTIONS_INTERCEPTS_MAX);
	if (!*item || strlen(item) >= sizeof(a->text))
		return parse_refuse(error,
				    "-s %.*s: not a host; write HOST or HOST:PORT, for example -s "
				    "10.0.0.3",
				    OPTION_SHOWN_MAX, item);
	memcpy(a->text, item, strlen(item) + 1);
	if (parse_host_port(a->endpoints, OPTIONS_INTERCEPT_ADDRESSES_MAX, &a->endpoint_count, item,
			    o->intercept_port, "-s", error))
		return -1;
	for (i = 0; i < a->endpoint_count; i++) {
		if (!is_unicast(&a->endpoints[i].addr))
			return parse_refuse(error,
					    "-s %.*s: not the address of one host; for example -s "
					    "10.0.0.3",
					    OPTION_SHOWN_MAX, item);
	}
	for (i = 0; i < o->intercept_count; i++) {
		if (shares_endpoint(&o->intercepts[i], a))
			return parse_refuse(
				error,
				"-s %.*s: the same intercept as %.*s; name each once, for "
				"example -s 10.0.0.3,10.0.0.4",
				OPTION_SHOWN_MAX, item, OPTION_SHOWN_MAX, o->intercepts[i].text);
	}
	o->intercept_count++;
	return 0;
}

static int read_client_range(struct tcpcopy_options *o, const char *item,
			     char error[PARSE_ERROR_MAX])
{
	struct addr_range *r = &o->client_ranges[o->client_range_count];
	size_t i;

	if (o->client_range_count == OPTIONS_CLIENT_RANGES_MAX)
		return parse_refuse(error,
				    "-c %.*s: more than %d ranges; write them as networks, for "
				    "example -c 10.20.0.0/16",
				    OPTION_SHOWN_MAX, item, OPTIONS_CLIENT_RANGES_MAX);
	if (parse_addr_range(r, item, error))
		return -1;
	if (!is_unicast(&r->first) || !is_unicast(&r->last) || ip_addr_is_loopback(&r->first) ||
	    ip_addr_is_loopback(&r->last))
		return parse_refuse(error,
				    "-c %.*s: faked clients need addresses that can be routed, not "
				    "loopback or multicast; for example -c %s",
				    OPTION_SHOWN_MAX, item,
				    example_clients(ip_addr_is_v4(&r->first)));
	for (i = 0; i < o->client_range_count; i++) {
		const struct addr_range *other = &o->client_ranges[i];

		if (same_address_family(&other->first, &r->first) &&
		    (addr_range_contains(other, &r->first) ||
		     addr_range_contains(r, &other->first)))
			return parse_refuse(
				error,
				"-c %.*s: overlaps a range given before; name each address "
				"once, for example -c 10.20.30.x,10.20.31.x",
				OPTION_SHOWN_MAX, item);
	}
	o->client_range_count++;
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Recordings and streams: known by their looks, so that nobody takes them for a device. */
static int refuse_recording(const char *item, char error[PARSE_ERROR_MAX])
{
	return parse_refuse(error,
			    "-i %.*s: recordings and streams cannot be replayed yet, only live "
			    "traffic is copied; name the devices that carry it, for example -i "
			    "eth0",
			    OPTION_SHOWN_MAX, item);
}

/* "TCP@host:port" is PCAP-over-IP. */
static int read_stream(const char *item, char error[PARSE_ERROR_MAX])
{
	const char *host = item + strlen("TCP@");
	const char *colon = strrchr(host, ':');
	char why[PARSE_ERROR_MAX];
	uint16_t port;

	if (!colon || colon == host || parse_port(&port, colon + 1, "port", why))
		return parse_refuse(error,
				    "-i %.*s: a stream is written as TCP@HOST:PORT, for example "
				    "TCP@10.0.0.9:57012; but only live traffic is copied yet, for "
				    "example -i eth0",
				    OPTION_SHOWN_MAX, item);
	return refuse_recording(item, error);
}

static bool is_recording(const char *item)
{
	return strcmp(item, "-") == 0 || strchr(item, '/') || ends_with(item, ".pcap") ||
	       ends_with(item, ".pcapng") || ends_with(item, ".cap");
}

static int check_device_name(const char *item, char error[PARSE_ERROR_MAX])
{
	if (strncmp(item, "TCP@", 4) == 0)
		return read_stream(item, error);
	if (is_recording(item))
		return refuse_recording(item, error);
	if (strlen(item) < NETDEV_NAME_MAX)
		return 0;
	return parse_refuse(error,
			    "-i %.*s: not the name of a device (at most %d characters); for "
			    "example -i eth0,eth1 or -i any",
			    OPTION_SHOWN_MAX, item, NETDEV_NAME_MAX - 1);
}

static int read_device(struct tcpcopy_options *o, const char *item, char error[PARSE_ERROR_MAX])
{
	if (check_device_name(item, error))
		return -1;
	for (size_t i = 0; i < o->device_count; i++) {
		if (strcmp(o->devices[i], item) == 0)
			return parse_refuse(error, "-i %s: given twice; for example -i eth0,eth1",
					    item);
		if (strcmp(o->devices[i], "any") == 0 || strcmp(item, "any") == 0)
			return parse_refuse(error,
					    "-i %s: any already is every device; write -i any, or "
					    "names, for example -i eth0,eth1",
					    item);
	}
	if (o->device_count == OPTIONS_DEVICES_MAX)
		return parse_refuse(error, "-i %s: more than %d devices; use -i any", item,
				    OPTIONS_DEVICES_MAX);
	memcpy(o->devices[o->device_count++], item, strlen(item) + 1);
	return 0;
}

/* One address a family. */
static int read_localhost(struct tcpcopy_options *o, const char *item, char error[PARSE_ERROR_MAX])
{
	struct ip_addr a;
	bool *has;

	if (ip_addr_parse(&a, item) || !is_unicast(&a) || ip_addr_is_loopback(&a) ||
	    ip_addr_is_link_local(&a))
		return parse_refuse(error,
				    "-H %.*s: the address of a faked client is needed, one that "
				    "can be routed; for example -H %s",
				    OPTION_SHOWN_MAX, item, example_client(!strchr(item, ':')));
	has = ip_addr_is_v4(&a) ? &o->has_localhost_ip4 : &o->has_localhost_ip6;
	if (*has)
		return parse_refuse(error,
				    "-H %.*s: a second %s address; one a family is enough, for "
				    "example -H 10.20.30.1,2001:db8:1::1",
				    OPTION_SHOWN_MAX, item, ip_addr_is_v4(&a) ? "IPv4" : "IPv6");
	*has = true;
	if (ip_addr_is_v4(&a))
		o->localhost_ip4 = a;
	else
		o->localhost_ip6 = a;
	return 0;
}

static int read_list(struct tcpcopy_options *o, const struct option_lists *lists,
		     read_item_fn *read_item, const char *what, char error[PARSE_ERROR_MAX])
{
	char text[OPTION_LIST_TEXT_MAX];
	char *rest, *item;

	for (size_t i = 0; i < lists->count; i++) {
		const char *value = lists->values[i];

		if (snprintf(text, sizeof(text), "%s", value) >= (int)sizeof(text))
			return parse_refuse(error,
					    "%s %.*s...: longer than %d characters; give the "
					    "option several times",
					    what, OPTION_SHOWN_MAX, value,
					    OPTION_LIST_TEXT_MAX - 1);
		rest = text;
		while ((item = parse_list_next(&rest)) != NULL) {
			if (!*item)
				return parse_refuse(
					error,
					"%s '%.*s': an item of the list is empty; items are "
					"parted by one comma, see --help",
					what, OPTION_SHOWN_MAX, value);
			if (read_item(o, item, error))
				return -1;
		}
	}
	return 0;
}

int tcpcopy_options_read_lists(struct tcpcopy_options *o, const struct tcpcopy_lists *lists,
			       char error[PARSE_ERROR_MAX])
{
	if (!lists->transfers.count)
		return parse_refuse(error, "-x is missing: what to copy where; for example -x "
					   "80-10.0.0.2:8080 copies port 80 of this host");
	if (read_list(o, &lists->transfers, read_transfer, "-x", error))
		return -1;
	if (!lists->intercepts.count)
		return parse_refuse(error, "-s is missing: the host that runs intercept; for "
					   "example -s 10.0.0.3");
	if (lists->clients.count)
		o->client_ip_text = lists->clients.values[0];
	if (read_list(o, &lists->clients, read_client_range, "-c", error) ||
	    read_list(o, &lists->localhosts, read_localhost, "-H", error) ||
	    read_list(o, &lists->inputs, read_device, "-i", error))
		return -1;
	return read_list(o, &lists->intercepts, read_intercept, "-s", error);
}
