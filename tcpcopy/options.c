/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - see options.h. Lists are collected while getopt runs and read afterwards, so that
 * the order of options does not matter (-p gives the default port of an -s before it).
 */
#include "tcpcopy/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/wire.h"

enum {
	LIST_OPTIONS_MAX = 64, /* how often -x, -s, -c or -i may be given */
	LIST_TEXT_MAX = 8192,
	SHOWN_MAX = 80, /* of a user's value in a message */
	GIVE_UP_DEFAULT_S = 600,
	KEEP_ALIVE_DEFAULT_S = 7200,
	MEMORY_DEFAULT_MB = 1024,
	BUFFER_DEFAULT_MB = 128,
	SNAPLEN_DEFAULT = 262144, /* a BIG TCP super-packet */
};

enum {
	OPTION_SEND = 256,
	OPTION_STATS_FILE,
	OPTION_CHECK,
};

static const struct option long_options[] = {
	{"transfer", required_argument, NULL, 'x'},
	{"intercept", required_argument, NULL, 's'},
	{"client-ip", required_argument, NULL, 'c'},
	{"input", required_argument, NULL, 'i'},
	{"filter", required_argument, NULL, 'F'},
	{"capture-buffer", required_argument, NULL, 'B'},
	{"snap-length", required_argument, NULL, 'S'},
	{"send", required_argument, NULL, OPTION_SEND},
	{"mtu", required_argument, NULL, 'M'},
	{"port", required_argument, NULL, 'p'},
	{"timeout", required_argument, NULL, 't'},
	{"keep-alive", required_argument, NULL, 'k'},
	{"whole", no_argument, NULL, 'O'},
	{"max-memory", required_argument, NULL, 'm'},
	{"stats-file", required_argument, NULL, OPTION_STATS_FILE},
	{"log", required_argument, NULL, 'l'},
	{"pid-file", required_argument, NULL, 'P'},
	{"daemon", no_argument, NULL, 'd'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"version", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char short_options[] = ":x:s:c:i:F:B:S:M:p:t:k:Om:l:P:dvh";

static const char help_text[] =
	"tcpcopy - copies live TCP traffic of this host to a test server\n"
	"\n"
	"usage: tcpcopy -x LIST -s LIST [-c LIST] [options]\n"
	"\n"
	"  -x, --transfer LIST       what to copy where, several by commas:\n"
	"                            [srcIP:]srcPort[@srcMAC]-dstIP:dstPort[@nextHopMAC]\n"
	"                            IPv6 addresses in brackets\n"
	"  -s, --intercept LIST      the assistants that run intercept: host[:port],...\n"
	"  -c, --client-ip LIST      addresses for the faked clients: 10.20.30.x (1 to 254),\n"
	"                            one address, 10.20.0.0/16, 10.20.30.5-10.20.30.9\n"
	"                            (without: the clients' own)\n"
	"  -i, --input LIST          devices to capture on, or any (default: those that carry\n"
	"                            the captured addresses)\n"
	"  -F, --filter EXPR         pcap filter, added to the one made from -x\n"
	"  -B, --capture-buffer MB   capture buffer of a device, 1 to 2047 (128)\n"
	"  -S, --snap-length BYTES   bytes captured of a packet, 256 to 262144 (262144)\n"
	"      --send MODE           auto, link or ip: how packets leave (auto)\n"
	"  -M, --mtu BYTES           MTU towards the target, 576 to 65535 (that of the route)\n"
	"  -p, --port PORT           port of intercept, 1 to 65535 (36524)\n"
	"  -t, --timeout SECONDS     give up a connection that the target does not answer,\n"
	"                            1 to 86400 (600)\n"
	"  -k, --keep-alive SECONDS  end a connection that has been idle for so long,\n"
	"                            1 to 604800 (7200)\n"
	"  -O, --whole               copy only connections whose beginning was captured: none\n"
	"                            is joined in its middle, or again after the target ended it\n"
	"  -m, --max-memory MB       memory for sessions, 16 to 1048576 (1024)\n"
	"      --stats-file FILE     write the counters there as JSON every second\n"
	"  -l, --log FILE            log there instead of to stderr\n"
	"  -P, --pid-file FILE       write the process id there\n"
	"  -d, --daemon              run in the background\n"
	"      --check               check the options and exit\n"
	"  -v, --version             print the version and exit\n"
	"  -h, --help                print this and exit\n"
	"\n"
	"-x, -s, -c and -i may be given several times.\n"
	"Signals: TERM and INT end (open connections to the target are reset), HUP reopens the\n"
	"log, USR1 prints the counters.\n"
	"\n"
	"example: tcpcopy -x 80-10.0.0.2:8080 -s 10.0.0.3 -c 10.20.30.x\n";

/* What getopt saw, before it is understood. */
struct list_values {
	const char *values[LIST_OPTIONS_MAX];
	size_t count;
};

struct raw_options {
	struct list_values transfers;
	struct list_values intercepts;
	struct list_values clients;
	struct list_values devices;
};

typedef int read_item_fn(struct tcpcopy_options *o, const char *item, char error[PARSE_ERROR_MAX]);

__attribute__((format(printf, 2, 3))) static int refuse(char error[PARSE_ERROR_MAX],
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PARSE_ERROR_MAX, format, args);
	va_end(args);
	return -1;
}

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
	if (*part == '[')
		return strstr(part, "]:") ? PART_ENDPOINT : PART_ADDRESS_ONLY;
	if (count_char(part, ':') > 1)
		return PART_BARE_IPV6;
	if (strspn(part, "0123456789.") < host_len)
		return PART_NAME;
	if (part[host_len] == ':')
		return PART_ENDPOINT;
	return strchr(part, '.') ? PART_ADDRESS_ONLY : PART_PORT;
}

/* What is wrong with a side that is not what it should be. */
static int refuse_part(enum part_kind kind, const char *side, const char *item, const char *part,
		       char error[PARSE_ERROR_MAX])
{
	switch (kind) {
	case PART_EMPTY:
		return refuse(error, "-x %.*s: the %s is missing; for example -x 80-10.0.0.2:8080",
			      SHOWN_MAX, item, side);
	case PART_PORT:
		return refuse(error,
			      "-x %.*s: the %s %.*s has no address; write ADDRESS:PORT, for "
			      "example -x 80-10.0.0.2:8080",
			      SHOWN_MAX, item, side, SHOWN_MAX, part);
	case PART_ADDRESS_ONLY:
		return refuse(error,
			      "-x %.*s: the %s %.*s has no port; write ADDRESS:PORT, for example "
			      "-x 80-10.0.0.2:8080",
			      SHOWN_MAX, item, side, SHOWN_MAX, part);
	case PART_BARE_IPV6:
		return refuse(error,
			      "-x %.*s: the %s %.*s: an IPv6 address stands in brackets, for "
			      "example -x 80-[2001:db8::2]:8080",
			      SHOWN_MAX, item, side, SHOWN_MAX, part);
	case PART_NAME:
	case PART_ENDPOINT:
		break;
	}
	return refuse(error,
		      "-x %.*s: the %s %.*s is not an address; names are not resolved in -x, "
		      "write the number, for example -x 80-10.0.0.2:8080",
		      SHOWN_MAX, item, side, SHOWN_MAX, part);
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
	return refuse(error, "-x %.*s: %.300s", SHOWN_MAX, item, why);
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
		return refuse(error, "-x %.*s: %.300s", SHOWN_MAX, item, why);
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
		return refuse(error, "-x %.*s: %.300s", SHOWN_MAX, item, why);
	if (!is_unicast(&t->target.addr))
		return refuse(error,
			      "-x %.*s: the target %.*s is not the address of one host; for "
			      "example -x 80-10.0.0.2:8080",
			      SHOWN_MAX, item, SHOWN_MAX, part);
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
		return refuse(error, "-x %.*s...: too long; for example -x 80-10.0.0.2:8080",
			      SHOWN_MAX, item);
	dash = strchr(text, '-');
	if (!dash)
		return refuse(error,
			      "-x %.*s: source and target are parted by a dash; for example -x "
			      "80-10.0.0.2:8080",
			      SHOWN_MAX, item);
	*dash = '\0';
	if (split_mac(text, &t.has_source_mac, t.source_mac, item, error) ||
	    split_mac(dash + 1, &t.has_next_hop_mac, t.next_hop_mac, item, error) ||
	    read_source(&t, text, item, error) || read_target(&t, dash + 1, item, error))
		return -1;
	for (i = 0; i < o->transfer_count; i++) {
		if (endpoint_equal(&o->transfers[i].source, &t.source) &&
		    endpoint_equal(&o->transfers[i].target, &t.target))
			return refuse(error,
				      "-x %.*s: this pair is given twice; a source may go to "
				      "several targets, for example -x "
				      "80-10.0.0.2:8080,80-10.0.0.4:8080",
				      SHOWN_MAX, item);
	}
	if (o->transfer_count == TRANSFERS_MAX)
		return refuse(error, "-x %.*s: more than %d pairs", SHOWN_MAX, item, TRANSFERS_MAX);
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
		return refuse(error, "-s %.*s: more than %d assistants", SHOWN_MAX, item,
			      OPTIONS_INTERCEPTS_MAX);
	if (!*item || strlen(item) >= sizeof(a->text))
		return refuse(error,
			      "-s %.*s: not a host; write HOST or HOST:PORT, for example -s "
			      "10.0.0.3",
			      SHOWN_MAX, item);
	memcpy(a->text, item, strlen(item) + 1);
	if (parse_host_port(a->endpoints, OPTIONS_INTERCEPT_ADDRESSES_MAX, &a->endpoint_count, item,
			    o->intercept_port, "-s", error))
		return -1;
	for (i = 0; i < a->endpoint_count; i++) {
		if (!is_unicast(&a->endpoints[i].addr))
			return refuse(error,
				      "-s %.*s: not the address of one host; for example -s "
				      "10.0.0.3",
				      SHOWN_MAX, item);
	}
	for (i = 0; i < o->intercept_count; i++) {
		if (shares_endpoint(&o->intercepts[i], a))
			return refuse(error,
				      "-s %.*s: the same intercept as %.*s; name each once, for "
				      "example -s 10.0.0.3,10.0.0.4",
				      SHOWN_MAX, item, SHOWN_MAX, o->intercepts[i].text);
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
		return refuse(error, "-c %.*s: more than %d ranges", SHOWN_MAX, item,
			      OPTIONS_CLIENT_RANGES_MAX);
	if (parse_addr_range(r, item, error))
		return -1;
	if (!is_unicast(&r->first) || !is_unicast(&r->last) || ip_addr_is_loopback(&r->first) ||
	    ip_addr_is_loopback(&r->last))
		return refuse(error,
			      "-c %.*s: faked clients need addresses that can be routed, not "
			      "loopback or multicast; for example -c 10.20.30.x",
			      SHOWN_MAX, item);
	for (i = 0; i < o->client_range_count; i++) {
		const struct addr_range *other = &o->client_ranges[i];

		if (same_address_family(&other->first, &r->first) &&
		    (addr_range_contains(other, &r->first) ||
		     addr_range_contains(r, &other->first)))
			return refuse(error,
				      "-c %.*s: overlaps a range given before; name each address "
				      "once, for example -c 10.20.30.x,10.20.31.x",
				      SHOWN_MAX, item);
	}
	o->client_range_count++;
	return 0;
}

static int read_device(struct tcpcopy_options *o, const char *item, char error[PARSE_ERROR_MAX])
{
	size_t i;

	if (!*item || strlen(item) >= NETDEV_NAME_MAX)
		return refuse(error,
			      "-i %.*s: not the name of a device (at most %d characters); for "
			      "example -i eth0,eth1 or -i any",
			      SHOWN_MAX, item, NETDEV_NAME_MAX - 1);
	for (i = 0; i < o->device_count; i++) {
		if (strcmp(o->devices[i], item) == 0)
			return refuse(error, "-i %s: given twice; for example -i eth0,eth1", item);
		if (strcmp(o->devices[i], "any") == 0 || strcmp(item, "any") == 0)
			return refuse(error,
				      "-i %s: any already is every device; write -i any, or "
				      "names, for example -i eth0,eth1",
				      item);
	}
	if (o->device_count == OPTIONS_DEVICES_MAX)
		return refuse(error, "-i %s: more than %d devices; use -i any", item,
			      OPTIONS_DEVICES_MAX);
	memcpy(o->devices[o->device_count++], item, strlen(item) + 1);
	return 0;
}

static int read_lists(struct tcpcopy_options *o, const struct list_values *lists,
		      read_item_fn *read_item, const char *what, char error[PARSE_ERROR_MAX])
{
	char text[LIST_TEXT_MAX];
	char *rest, *item;

	for (size_t i = 0; i < lists->count; i++) {
		if (snprintf(text, sizeof(text), "%s", lists->values[i]) >= (int)sizeof(text))
			return refuse(error, "%s %.*s...: longer than %d characters", what,
				      SHOWN_MAX, lists->values[i], LIST_TEXT_MAX - 1);
		rest = text;
		while ((item = parse_list_next(&rest)) != NULL) {
			if (!*item)
				return refuse(error,
					      "%s '%.*s': an item of the list is empty; items are "
					      "parted by one comma, see --help",
					      what, SHOWN_MAX, lists->values[i]);
			if (read_item(o, item, error))
				return -1;
		}
	}
	return 0;
}

static int keep(struct list_values *lists, const char *value, int letter,
		char error[PARSE_ERROR_MAX])
{
	if (lists->count == LIST_OPTIONS_MAX)
		return refuse(error, "-%c: given more than %d times; use a list, A,B,C", letter,
			      LIST_OPTIONS_MAX);
	lists->values[lists->count++] = value;
	return 0;
}

static int read_number(unsigned *value, const char *text, unsigned min, unsigned max,
		       const char *what, char error[PARSE_ERROR_MAX])
{
	uint64_t n;

	if (parse_unsigned(&n, text, min, max, what, error))
		return -1;
	*value = (unsigned)n;
	return 0;
}

static int read_int(int *value, const char *text, unsigned min, unsigned max, const char *what,
		    char error[PARSE_ERROR_MAX])
{
	unsigned n;

	if (read_number(&n, text, min, max, what, error))
		return -1;
	*value = (int)n;
	return 0;
}

static int read_send_mode(enum sender_mode *mode, const char *text, char error[PARSE_ERROR_MAX])
{
	static const struct {
		const char *name;
		enum sender_mode mode;
	} modes[] = {{"auto", SENDER_AUTO}, {"link", SENDER_LINK}, {"ip", SENDER_IP}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(text, modes[i].name) == 0) {
			*mode = modes[i].mode;
			return 0;
		}
	}
	return refuse(error, "--send %.*s: must be auto, link or ip; for example --send ip",
		      SHOWN_MAX, text);
}

static int read_text(const char **value, const char *text, const char *what, const char *example,
		     char error[PARSE_ERROR_MAX])
{
	if (!*text)
		return refuse(error, "%s '': the value is empty; for example %s", what, example);
	*value = text;
	return 0;
}

static int read_list_option(struct raw_options *raw, int option, const char *value,
			    char error[PARSE_ERROR_MAX])
{
	switch (option) {
	case 'x':
		return keep(&raw->transfers, value, option, error);
	case 's':
		return keep(&raw->intercepts, value, option, error);
	case 'c':
		return keep(&raw->clients, value, option, error);
	default:
		return keep(&raw->devices, value, option, error);
	}
}

static int read_value_option(struct tcpcopy_options *o, int option, const char *value,
			     char error[PARSE_ERROR_MAX])
{
	switch (option) {
	case 'F':
		return read_text(&o->filter, value, "-F", "-F 'src net 10.0.0.0/8'", error);
	case 'B':
		return read_number(&o->buffer_mb, value, 1, 2047, "-B", error);
	case 'S':
		return read_int(&o->snaplen_bytes, value, 256, SNAPLEN_DEFAULT, "-S", error);
	case 'M':
		return read_int(&o->mtu_bytes, value, 576, 65535, "-M", error);
	case 'p':
		return parse_port(&o->intercept_port, value, "-p", error);
	case 't':
		return read_number(&o->give_up_s, value, 1, 86400, "-t", error);
	case 'k':
		return read_number(&o->keep_alive_s, value, 1, 604800, "-k", error);
	case 'm':
		return read_number(&o->max_memory_mb, value, 16, 1048576, "-m", error);
	case 'l':
		return read_text(&o->log_file, value, "-l", "-l /var/log/tcpcopy.log", error);
	case 'P':
		return read_text(&o->pid_file, value, "-P", "-P /run/tcpcopy.pid", error);
	case OPTION_SEND:
		return read_send_mode(&o->send, value, error);
	default:
		return read_text(&o->stats_file, value, "--stats-file",
				 "--stats-file /run/tcpcopy.json", error);
	}
}

static void read_switch(struct tcpcopy_options *o, int option)
{
	o->whole = o->whole || option == 'O';
	o->daemon = o->daemon || option == 'd';
	o->check = o->check || option == OPTION_CHECK;
	o->version = o->version || option == 'v';
	o->help = o->help || option == 'h';
}

static const char *option_name(int option, char buf[32])
{
	snprintf(buf, 32, "-%c", option);
	for (size_t i = 0; long_options[i].name && option >= 256; i++) {
		if (long_options[i].val == option)
			snprintf(buf, 32, "--%s", long_options[i].name);
	}
	return buf;
}

/* getopt's two complaints, with what stood there. */
static int refuse_option(int complaint, int option, const char *word, char error[PARSE_ERROR_MAX])
{
	char name[32];

	if (complaint == ':')
		return refuse(error, "%s: a value must follow; see --help",
			      option_name(option, name));
	/* A known option here means a long one with a value that it does not take. */
	if (option && strncmp(word, "--", 2) == 0)
		return refuse(error, "%.*s: this option takes no value; see --help", SHOWN_MAX,
			      word);
	if (option && strncmp(word, "--", 2) != 0)
		return refuse(error, "-%c: unknown option; see --help",
			      isprint(option) ? option : '?');
	return refuse(error, "%.*s: unknown option; see --help", SHOWN_MAX, word);
}

static int read_words(struct tcpcopy_options *o, struct raw_options *raw, int argc,
		      char *const argv[], char error[PARSE_ERROR_MAX])
{
	int option, rc = 0;

	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while (rc == 0 &&
	       (option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == ':' || option == '?')
			return refuse_option(option, optopt, argv[optind - 1], error);
		if (option < 256 && strchr("xsci", option))
			rc = read_list_option(raw, option, optarg, error);
		else if (optarg)
			rc = read_value_option(o, option, optarg, error);
		else
			read_switch(o, option);
	}
	if (rc == 0 && optind < argc)
		return refuse(error,
			      "%.*s: an option's letter is missing before it; for example tcpcopy "
			      "-x 80-10.0.0.2:8080 -s 10.0.0.3 -c 10.20.30.x",
			      SHOWN_MAX, argv[optind]);
	return rc;
}

int tcpcopy_options_parse(struct tcpcopy_options *o, int argc, char *const argv[],
			  char error[PARSE_ERROR_MAX])
{
	struct raw_options raw = {.transfers = {.count = 0}};

	memset(o, 0, sizeof(*o));
	o->send = SENDER_AUTO;
	o->intercept_port = WIRE_PORT_DEFAULT;
	o->give_up_s = GIVE_UP_DEFAULT_S;
	o->keep_alive_s = KEEP_ALIVE_DEFAULT_S;
	o->max_memory_mb = MEMORY_DEFAULT_MB;
	o->buffer_mb = BUFFER_DEFAULT_MB;
	o->snaplen_bytes = SNAPLEN_DEFAULT;
	if (read_words(o, &raw, argc, argv, error))
		return -1;
	if (o->help || o->version)
		return 0;
	if (!raw.transfers.count)
		return refuse(error, "-x is missing: what to copy where; for example -x "
				     "80-10.0.0.2:8080 copies port 80 of this host");
	if (read_lists(o, &raw.transfers, read_transfer, "-x", error))
		return -1;
	if (!raw.intercepts.count)
		return refuse(error, "-s is missing: the host that runs intercept; for example -s "
				     "10.0.0.3");
	if (raw.clients.count)
		o->client_ip_text = raw.clients.values[0];
	if (read_lists(o, &raw.clients, read_client_range, "-c", error) ||
	    read_lists(o, &raw.devices, read_device, "-i", error) ||
	    read_lists(o, &raw.intercepts, read_intercept, "-s", error))
		return -1;
	return tcpcopy_options_check(o, NULL, error);
}

const char *tcpcopy_options_help(void)
{
	return help_text;
}
