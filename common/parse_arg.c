/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse_arg.c - values of command line options. Nothing is guessed: a text that could be meant two
 * ways is refused with the rule and an example. One function builds every refusal, so that all of
 * them read alike: "what value: rule, for example ...".
 */
#include "common/parse_arg.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	SHOWN_MAX = 100, /* bytes of a value that a refusal shows */
	RULE_MAX = 180,  /* bytes of a rule, and of an example, that are made here */
	EXAMPLE_MAX = 90,
	PERCENT_DIGITS = 4,      /* after the point: a percent is 10,000 millionths */
	HOST_NAME_MAX_LEN = 253, /* RFC 1035, section 2.3.4, less the root's dot */
};

int parse_refuse(char error[PARSE_ERROR_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PARSE_ERROR_MAX, format, args);
	va_end(args);
	/* One line, whatever was typed. */
	for (char *c = error; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return -1;
}

static int refuse(char error[PARSE_ERROR_MAX], const char *what, const char *text, const char *rule,
		  const char *example)
{
	return parse_refuse(error, "%s %.*s: %s, for example %s", what, SHOWN_MAX,
			    *text ? text : "(empty)", rule, example);
}

static bool is_digits(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* Decimal digits alone, no sign, no blank. False also above max. */
static bool read_digits(uint64_t *value, const char *text, uint64_t max)
{
	uint64_t n = 0;

	if (!is_digits(text))
		return false;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*value = n;
	return n <= max;
}

int parse_unsigned(uint64_t *value, const char *text, uint64_t min, uint64_t max, const char *what,
		   char error[PARSE_ERROR_MAX])
{
	char rule[RULE_MAX], example[EXAMPLE_MAX];
	uint64_t n;

	if (read_digits(&n, text, max) && n >= min) {
		*value = n;
		return 0;
	}
	snprintf(rule, sizeof(rule), "a whole number from %ju to %ju is needed", (uintmax_t)min,
		 (uintmax_t)max);
	snprintf(example, sizeof(example), "%.64s %ju", what,
		 (uintmax_t)(min == 0 && max > 0 ? 1 : min));
	return refuse(error, what, text, rule, example);
}

/* The digits on both sides of the point, filled up to four behind it, are the millionths. */
static bool read_percent(uint64_t *ppm, const char *text)
{
	const char *point = strchr(text, '.');
	size_t whole = point ? (size_t)(point - text) : strlen(text);
	size_t fraction = point ? strlen(point + 1) : 0;
	char digits[16];

	if (whole < 1 || whole > 3 || fraction > PERCENT_DIGITS || (point && fraction < 1))
		return false;
	snprintf(digits, sizeof(digits), "%.*s%s%.*s", (int)whole, text, point ? point + 1 : "",
		 PERCENT_DIGITS - (int)fraction, "0000");
	return read_digits(ppm, digits, 1000000) && *ppm > 0;
}

int parse_percent(uint32_t *ppm, const char *text, const char *what, char error[PARSE_ERROR_MAX])
{
	char example[EXAMPLE_MAX];
	uint64_t n;

	if (read_percent(&n, text)) {
		*ppm = (uint32_t)n;
		return 0;
	}
	snprintf(example, sizeof(example), "%.64s 12.5", what);
	return refuse(error, what, text,
		      "a number above 0 and up to 100 is needed, with at most four digits after "
		      "the point",
		      example);
}

int parse_port(uint16_t *port, const char *text, const char *what, char error[PARSE_ERROR_MAX])
{
	uint64_t n;

	if (!read_digits(&n, text, UINT16_MAX) || n == 0)
		return refuse(error, what, text, "a port is a number from 1 to 65535", "8080");
	*port = (uint16_t)n;
	return 0;
}

int parse_mac(uint8_t mac[MAC_LEN], const char *text, char error[PARSE_ERROR_MAX])
{
	static const char *const example = "02:00:00:00:00:01";
	static const uint8_t zero[MAC_LEN];
	uint8_t bytes[MAC_LEN];
	const char *at = text;

	for (int i = 0; i < MAC_LEN; i++, at += 3) {
		unsigned byte;

		if (!isxdigit((unsigned char)at[0]) || !isxdigit((unsigned char)at[1]) ||
		    at[2] != (i < MAC_LEN - 1 ? ':' : '\0'))
			return refuse(error, "MAC address", text,
				      "six pairs of hexadecimal digits with colons are needed",
				      example);
		sscanf(at, "%2x", &byte);
		bytes[i] = (uint8_t)byte;
	}
	if (bytes[0] & 1 || memcmp(bytes, zero, MAC_LEN) == 0)
		return refuse(error, "MAC address", text, "it must be the address of one device",
			      example);
	memcpy(mac, bytes, MAC_LEN);
	return 0;
}

/* Why a text of digits and dots is no IPv4 address. */
static const char *why_not_v4(const char *text)
{
	unsigned dots = 0, length = 0, value = 0;
	bool empty = false, too_large = false;

	for (;; text++) {
		if (*text == '.' || *text == '\0') {
			empty = empty || length == 0;
			if (*text == '\0')
				break;
			dots++;
			length = value = 0;
			continue;
		}
		length++;
		value = value > 255 ? value : value * 10 + (unsigned)(*text - '0');
		too_large = too_large || value > 255;
	}
	if (dots != 3 || empty)
		return "an IPv4 address has four numbers";
	if (too_large)
		return "each number of an IPv4 address is 0 to 255";
	return "the numbers of an IPv4 address have no leading zeros";
}

/* NULL and *a filled, or the rule that text breaks. */
static const char *read_address(struct ip_addr *a, const char *text)
{
	static const char *const link_local =
		"a link-local address means another host on each device; write a global or a "
		"unique local one";
	bool has_colon = strchr(text, ':') != NULL;
	struct ip_addr parsed;

	if (!*text)
		return "an address is missing";
	if (ip_addr_parse(&parsed, text) == 0) {
		if (has_colon && ip_addr_is_v4(&parsed))
			return "an IPv4 address is not written as IPv6";
		if (ip_addr_is_link_local(&parsed))
			return link_local;
		*a = parsed;
		return NULL;
	}
	if (text[strspn(text, "0123456789.")] == '\0')
		return why_not_v4(text);
	if (has_colon && strchr(text, '%'))
		return link_local;
	if (has_colon)
		return "this is no IPv6 address, which has eight groups of hexadecimal digits or "
		       "::";
	return "a numeric address is needed here, names are not looked up";
}

/* So that the example is of the family that the user has in mind. */
static bool is_about_v6(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon && (*text == '[' || strchr(colon + 1, ':'));
}

/* The parts of "address:port" or "[address]:port", cut out of buf. */
struct host_port {
	char buf[HOST_NAME_MAX_LEN + 16];
	char *host;
	char *port; /* NULL: none given */
	bool in_brackets;
};

/* NULL, or the rule that text breaks. */
static const char *split_host_port(struct host_port *h, const char *text)
{
	char *end;

	if (strlen(text) >= sizeof(h->buf))
		return "this is too long for an address or a name";
	memcpy(h->buf, text, strlen(text) + 1);
	h->in_brackets = h->buf[0] == '[';
	h->host = h->buf + h->in_brackets;
	if (h->in_brackets) {
		end = strchr(h->host, ']');
		if (!end)
			return "the bracket [ has no ]";
		*end++ = '\0';
		if (*end != '\0' && *end != ':')
			return "after ] stands a colon and the port";
	} else {
		end = h->host + strcspn(h->host, ":");
		if (strchr(h->host, ':') != strrchr(h->host, ':'))
			return "an IPv6 address stands in brackets, so that its port can be told";
	}
	h->port = *end == ':' ? end + 1 : NULL;
	*end = '\0';
	if (h->in_brackets && !strchr(h->host, ':'))
		return "brackets are for IPv6 addresses";
	return NULL;
}

static const char *const port_rule = "a port is a number from 1 to 65535";

int parse_endpoint(struct endpoint *e, const char *text, const char *what,
		   char error[PARSE_ERROR_MAX])
{
	const char *example = is_about_v6(text) ? "[2001:db8::2]:8080" : "10.0.0.2:8080";
	struct endpoint parsed;
	struct host_port h;
	const char *rule = split_host_port(&h, text);
	uint64_t port;

	if (!rule)
		rule = read_address(&parsed.addr, h.host);
	if (!rule && (!h.port || !*h.port))
		rule = "the port is missing";
	if (!rule && (!read_digits(&port, h.port, UINT16_MAX) || port == 0))
		rule = port_rule;
	if (rule)
		return refuse(error, what, text, rule, example);
	parsed.port = (uint16_t)port;
	*e = parsed;
	return 0;
}

static void add_endpoint(struct endpoint *endpoints, size_t max, size_t *count,
			 const struct endpoint *e)
{
	for (size_t i = 0; i < *count; i++)
		if (endpoint_equal(&endpoints[i], e))
			return;
	if (*count < max)
		endpoints[(*count)++] = *e;
}

static void add_sockaddr(struct endpoint *endpoints, size_t max, size_t *count,
			 const struct sockaddr *sa, uint16_t port)
{
	struct endpoint e = {.port = port};
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		e.addr = ip_addr_v4(ntohl(v4.sin_addr.s_addr));
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		e.addr = ip_addr_v6_bytes(v6.sin6_addr.s6_addr);
	} else {
		return;
	}
	if (ip_addr_is_link_local(&e.addr)) /* its device is not kept */
		return;
	add_endpoint(endpoints, max, count, &e);
}

/* NULL and at least one endpoint, or why not. Blocks. */
static const char *resolve(struct endpoint *endpoints, size_t max, size_t *count, const char *host,
			   uint16_t port)
{
	static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int failure = getaddrinfo(host, NULL, &hints, &list);

	if (failure)
		return gai_strerror(failure);
	for (const struct addrinfo *i = list; i; i = i->ai_next)
		add_sockaddr(endpoints, max, count, i->ai_addr, port);
	freeaddrinfo(list);
	return *count ? NULL : "it has no address";
}

/* What the resolver may be asked for; it would take 10.1 or 0x0a000001 for addresses. */
static bool is_host_name(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_";
	struct in_addr odd;

	return *host && strlen(host) <= HOST_NAME_MAX_LEN && *host != '-' &&
	       host[strspn(host, letters)] == '\0' && !inet_aton(host, &odd);
}

/*
 * NULL, or the rule that text breaks. A bare IPv6 address is a host without a port, unless it might
 * as well be a shorter one with a port: 2001:db8::3:8080.
 */
static const char *split_host(struct host_port *h, const char *text)
{
	struct ip_addr addr;
	char *last;
	uint64_t port;

	if (strlen(text) >= sizeof(h->buf) || *text == '[' || !strchr(text, ':') ||
	    (ip_addr_parse(&addr, text) && !strchr(text, '%')))
		return split_host_port(h, text);
	*h = (struct host_port){.host = h->buf};
	memcpy(h->buf, text, strlen(text) + 1);
	last = strrchr(h->buf, ':');
	if (!read_digits(&port, last + 1, UINT16_MAX) || port == 0)
		return NULL;
	*last = '\0';
	if (ip_addr_parse(&addr, h->buf) == 0)
		return "with or without a port? An IPv6 address stands in brackets, so that this "
		       "can be told";
	*last = ':';
	return NULL;
}

int parse_host_port(struct endpoint *endpoints, size_t max, size_t *count, const char *text,
		    uint16_t default_port, const char *what, char error[PARSE_ERROR_MAX])
{
	char rule_text[RULE_MAX], example[EXAMPLE_MAX];
	uint64_t port = default_port;
	struct ip_addr addr;
	struct host_port h;
	const char *rule = split_host(&h, text), *why;

	*count = 0;
	snprintf(example, sizeof(example), "%.64s %s", what,
		 is_about_v6(text) ? "[2001:db8::3]" : "10.0.0.3");
	if (!rule && !*h.host)
		rule = "a host is missing";
	if (!rule && h.port && (!read_digits(&port, h.port, UINT16_MAX) || port == 0))
		rule = port_rule;
	if (rule)
		return refuse(error, what, text, rule, example);
	rule = read_address(&addr, h.host);
	if (!rule) {
		struct endpoint e = {.addr = addr, .port = (uint16_t)port};

		add_endpoint(endpoints, max, count, &e);
		return 0;
	}
	if (h.in_brackets || strchr(h.host, ':') || h.host[strspn(h.host, "0123456789.")] == '\0')
		return refuse(error, what, text, rule, example);
	if (!is_host_name(h.host))
		return refuse(error, what, text, "this is neither an address nor a host name",
			      example);
	why = resolve(endpoints, max, count, h.host, (uint16_t)port);
	if (!why)
		return 0;
	snprintf(rule_text, sizeof(rule_text),
		 "the name cannot be looked up (%.80s); give one that this host resolves, or an "
		 "address",
		 why);
	return refuse(error, what, text, rule_text, example);
}

/* The lowest or, with ones, the highest address of addr's prefix. */
static struct ip_addr prefix_end(const struct ip_addr *addr, unsigned prefix_bits, bool ones)
{
	struct ip_addr end = *addr;

	for (unsigned bit = prefix_bits; bit < 128; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if (ones)
			end.b[bit / 8] |= mask;
		else
			end.b[bit / 8] &= (uint8_t)~mask;
	}
	return end;
}

/* NULL, or the rule that is broken. */
static const char *read_prefix(struct addr_range *r, const char *addr_text, const char *bits_text,
			       char rule_text[RULE_MAX])
{
	char network[IP_ADDR_TEXT_MAX];
	struct ip_addr addr;
	const char *rule = read_address(&addr, addr_text);
	unsigned width;
	uint64_t bits;

	if (rule)
		return rule;
	width = ip_addr_is_v4(&addr) ? 32 : 128;
	if (!read_digits(&bits, bits_text, width)) {
		snprintf(rule_text, RULE_MAX, "after the / of an %s network stands 0 to %u",
			 width == 32 ? "IPv4" : "IPv6", width);
		return rule_text;
	}
	r->first = prefix_end(&addr, 128 - width + (unsigned)bits, false);
	r->last = prefix_end(&addr, 128 - width + (unsigned)bits, true);
	if (!ip_addr_equal(&r->first, &addr)) {
		snprintf(rule_text, RULE_MAX,
			 "this address lies inside the network, whose own is %s/%u",
			 ip_addr_format(network, sizeof(network), &r->first), (unsigned)bits);
		return rule_text;
	}
	if (width - bits >= 2) { /* network and broadcast, IPv6: subnet-router anycast */
		r->first = ip_addr_add(&r->first, 1);
		r->last.b[15]--;
	}
	return NULL;
}

static const char *read_from_to(struct addr_range *r, const char *first, const char *last)
{
	const char *rule = read_address(&r->first, first);

	if (!rule)
		rule = read_address(&r->last, last);
	if (rule)
		return rule;
	if (ip_addr_is_v4(&r->first) != ip_addr_is_v4(&r->last))
		return "both ends of a range are IPv4 or both IPv6";
	if (ip_addr_compare(&r->first, &r->last) > 0)
		return "the first address of a range must not be above the last";
	return NULL;
}

/* a.b.c.x: text is cut and changed. */
static const char *read_wildcard(struct addr_range *r, char *text)
{
	const char *rule;

	text[strlen(text) - 1] = '0';
	if (strchr(text, 'x'))
		return "only the last number may be x; a wider range is written as 10.20.0.0/16";
	rule = read_address(&r->first, text);
	if (rule)
		return rule;
	r->last = r->first;
	r->first.b[15] = 1;
	r->last.b[15] = 254;
	return NULL;
}

static const char *read_range(struct addr_range *r, char *text, char rule_text[RULE_MAX])
{
	size_t len = strlen(text);
	const char *rule;
	char *cut;

	if ((cut = strchr(text, '/')) != NULL) {
		*cut = '\0';
		return read_prefix(r, text, cut + 1, rule_text);
	}
	if ((cut = strchr(text, '-')) != NULL) {
		*cut = '\0';
		return read_from_to(r, text, cut + 1);
	}
	if (len > 2 && strcmp(text + len - 2, ".x") == 0)
		return read_wildcard(r, text);
	rule = read_address(&r->first, text);
	r->last = r->first;
	return rule;
}

int parse_addr_range(struct addr_range *r, const char *text, char error[PARSE_ERROR_MAX])
{
	const char *example = is_about_v6(text) ? "2001:db8:1::/64" : "10.20.30.x";
	const struct ip_addr mapped = ip_addr_v4(0);
	char copy[2 * IP_ADDR_TEXT_MAX], rule_text[RULE_MAX];
	struct addr_range parsed;
	const char *rule;

	memset(&parsed, 0, sizeof(parsed));
	if (strlen(text) >= sizeof(copy))
		return refuse(error, "-c", text, "this is too long for addresses", example);
	memcpy(copy, text, strlen(text) + 1);
	rule = read_range(&parsed, copy, rule_text);
	/* Inside, an IPv4 address is ::ffff:a.b.c.d: no IPv6 range may run across those. */
	if (!rule && !ip_addr_is_v4(&parsed.first) && ip_addr_compare(&parsed.first, &mapped) < 0 &&
	    ip_addr_compare(&parsed.last, &mapped) > 0)
		rule = "this range takes in IPv4 addresses written as IPv6";
	if (rule)
		return refuse(error, "-c", text, rule, example);
	*r = parsed;
	return 0;
}

char *parse_list_next(char **rest)
{
	char *item = strsep(rest, ",");
	char *end;

	if (!item)
		return NULL;
	while (isspace((unsigned char)*item))
		item++;
	end = item + strlen(item);
	while (end > item && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return item;
}
