/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - see options.h: the table of intercept's options, and what reads those that are
 * neither a number nor a text. docs/intercept.8 says the same in full; a test compares them.
 */
#include "intercept/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/capture.h"
#include "common/options_table.h"
#include "common/stats.h"
#include "common/wire.h"
#include "intercept/peer.h"
#include "intercept/router.h"

enum {
	LIST_TEXT_MAX = 4096,
	DEVICE_LIST_MAX = 256,
};

static_assert((int)PARSE_ERROR_MAX == (int)CAPTURE_ERROR_MAX, "one buffer for both");

typedef int read_item_fn(struct intercept_options *o, const char *item,
			 char error[PARSE_ERROR_MAX]);

/* Each item of a list. */
static int read_list(struct intercept_options *o, const struct option_spec *spec, const char *text,
		     read_item_fn *read_item, char error[PARSE_ERROR_MAX])
{
	char list[LIST_TEXT_MAX];
	char *rest = list, *item;

	if (strlen(text) >= sizeof(list))
		return parse_refuse(error,
				    "-%c %.*s...: the list is longer than %d characters; give the "
				    "option several times, for example -%c %s",
				    spec->letter, OPTION_SHOWN_MAX, text, LIST_TEXT_MAX - 1,
				    spec->letter, spec->example);
	memcpy(list, text, strlen(text) + 1);
	while ((item = parse_list_next(&rest))) {
		if (!*item)
			return parse_refuse(error,
					    "-%c '%.*s': an item of the list is empty; for example "
					    "-%c %s",
					    spec->letter, OPTION_SHOWN_MAX, text, spec->letter,
					    spec->example);
		if (read_item(o, item, error))
			return -1;
	}
	return 0;
}

static bool has_device(const struct intercept_options *o, const char *name)
{
	for (size_t i = 0; i < o->device_count; i++)
		if (strcmp(o->devices[i], name) == 0)
			return true;
	return false;
}

static int read_device(struct intercept_options *o, const char *name, char error[PARSE_ERROR_MAX])
{
	if (strlen(name) >= NETDEV_NAME_MAX)
		return parse_refuse(
			error,
			"-i %.*s: a device name has at most %d characters; for example -i "
			"eth0",
			OPTION_SHOWN_MAX, name, NETDEV_NAME_MAX - 1);
	if (has_device(o, name))
		return parse_refuse(
			error, "-i %s: the device is given twice; for example -i eth0,eth1", name);
	if (o->device_count == INTERCEPT_DEVICES_MAX)
		return parse_refuse(error, "-i %s: at most %d devices; -i any captures on all",
				    name, INTERCEPT_DEVICES_MAX);
	memcpy(o->devices[o->device_count++], name, strlen(name) + 1);
	return 0;
}

static int read_devices(void *ctx, const struct option_spec *spec, const char *value,
			char error[PARSE_ERROR_MAX])
{
	return read_list(ctx, spec, value, read_device, error);
}

/* "10.0.0.1", "10.0.0.1:80", "2001:db8::1", "[2001:db8::1]:80". Without a port it is 0. */
static int read_side(struct endpoint *e, const char *text)
{
	char why[PARSE_ERROR_MAX];

	*e = (struct endpoint){.port = 0};
	if (ip_addr_parse(&e->addr, text) && parse_endpoint(e, text, "", why))
		return -1;
	return ip_addr_is_unspecified(&e->addr) ? -1 : 0;
}

static int refuse_translation(const char *item, const char *why, char error[PARSE_ERROR_MAX])
{
	return parse_refuse(error,
			    "-D %.*s: %s; for example -D 172.17.0.2:80-10.0.0.2:8080, the address "
			    "seen here and, behind the dash, the target as in tcpcopy's -x",
			    OPTION_SHOWN_MAX, item, why);
}

/* NULL, or what is wrong with t among those before it. */
static const char *check_translation(const struct intercept_options *o, const struct translation *t)
{
	if (ip_addr_is_v4(&t->seen.addr) != ip_addr_is_v4(&t->original.addr))
		return "both addresses are IPv4 or both IPv6";
	if ((t->seen.port == 0) != (t->original.port == 0))
		return "both sides have a port or neither has one";
	if (endpoint_equal(&t->seen, &t->original))
		return "both sides are the same";
	for (size_t i = 0; i < o->translation_count; i++) {
		if (endpoint_equal(&o->translations[i].seen, &t->seen))
			return "the address before the dash is given twice";
		if (endpoint_equal(&o->translations[i].seen, &t->original) ||
		    endpoint_equal(&o->translations[i].original, &t->seen))
			return "an address stands before the dash of one pair and behind that of "
			       "another";
	}
	return NULL;
}

static int read_translation(struct intercept_options *o, const char *item,
			    char error[PARSE_ERROR_MAX])
{
	struct translation t;
	char text[256];
	const char *why;
	char *dash;

	snprintf(text, sizeof(text), "%s", item);
	dash = strchr(text, '-');
	if (!dash)
		return refuse_translation(item, "a pair of addresses is parted by a dash", error);
	*dash = '\0';
	if (strlen(item) >= sizeof(text) || read_side(&t.seen, text) ||
	    read_side(&t.original, dash + 1))
		return refuse_translation(item,
					  "numeric addresses are needed, IPv6 with a port in "
					  "brackets",
					  error);
	why = check_translation(o, &t);
	if (why)
		return refuse_translation(item, why, error);
	if (o->translation_count == TRANSLATIONS_MAX)
		return refuse_translation(item, "there are more than 32 pairs", error);
	o->translations[o->translation_count++] = t;
	return 0;
}

static int read_translations(void *ctx, const struct option_spec *spec, const char *value,
			     char error[PARSE_ERROR_MAX])
{
	return read_list(ctx, spec, value, read_translation, error);
}

static int read_port(void *ctx, const struct option_spec *spec, const char *value,
		     char error[PARSE_ERROR_MAX])
{
	struct intercept_options *o = ctx;

	(void)spec;
	return parse_port(&o->port, value, "-p", error);
}

static int read_bind(void *ctx, const struct option_spec *spec, const char *value,
		     char error[PARSE_ERROR_MAX])
{
	struct intercept_options *o = ctx;

	(void)spec;
	if (ip_addr_parse(&o->bind, value))
		return parse_refuse(error,
				    "-b %.*s: this is no IP address; for example -b 10.0.0.3 or -b "
				    "2001:db8::3",
				    OPTION_SHOWN_MAX, *value ? value : "''");
	if (ip_addr_is_link_local(&o->bind))
		return parse_refuse(error,
				    "-b %.*s: a link-local address means another host on each "
				    "device; for example -b 2001:db8::3",
				    OPTION_SHOWN_MAX, value);
	return 0;
}

#define FIELD(member)  OPTION_FIELD(struct intercept_options, member)
#define SWITCH(member) OPTION_SET(struct intercept_options, member)
#define NUMBER(member, low, high, normal) \
	OPTION_RANGE(struct intercept_options, member, low, high, normal)
#define FILE_IN(member, path) .kind = OPTION_FILE, FIELD(member), .example = path

static const struct option_spec specs[] = {
	/* capture */
	{'i', "input", "LIST", .kind = OPTION_LIST, .read = read_devices, .example = "eth0,eth1",
	 .help = "devices to capture on, several by commas (any)"},
	{'F', "filter", "EXPR", .kind = OPTION_TEXT, FIELD(filter),
	 .example = "'tcp and src port 8080'",
	 .help = "pcap filter for the target's answers (tcp)"},
	{'D', "translate", "LIST", .kind = OPTION_LIST, .read = read_translations,
	 .example = "172.17.0.2:80-10.0.0.2:8080",
	 .help = "SEEN-ORIGINAL pairs of addresses or address:port: answers that come from SEEN "
		 "are those of the target ORIGINAL, as a container's published port needs where "
		 "its own address is captured"},
	/* the link */
	{'p', "port", "PORT", .kind = OPTION_VALUE, .read = read_port,
	 .help = "listen for tcpcopy on this port, 1 to 65535 (36524)"},
	{'b', "bind", "ADDRESS", .kind = OPTION_VALUE, .read = read_bind,
	 .help = "listen on this address only (all)"},
	{'n', "batch", "N", NUMBER(batch_records, 1, PEER_BATCH_MAX, PEER_BATCH_MAX),
	 .help = "records in a message to tcpcopy at most"},
	{'s', "sessions", "N", NUMBER(sessions_hint, 1, ROUTER_ROUTES_MAX, 0), .otherwise = "none",
	 .help = "sessions to expect: a hint, the table grows as it needs"},
	/* the process */
	{0, "stats-file", "FILE", FILE_IN(stats_file, "/run/intercept.json"),
	 .help = "write the counters there as JSON every second"},
	{'l', "log", "FILE", FILE_IN(log_file, "/var/log/intercept.log"),
	 .help = "log there instead of to stderr"},
	{'P', "pid-file", "FILE", FILE_IN(pid_file, "/run/intercept.pid"),
	 .help = "write the process id there; refuses a second instance"},
	{'d', "daemon", NULL, SWITCH(daemon), .help = "run in the background"},
	{0, "check", NULL, SWITCH(check),
	 .help = "check options, devices, port and files, and exit"},
	{'v', "version", NULL, SWITCH(version), .help = "print the version and exit"},
	{'h', "help", NULL, SWITCH(help), .help = "print this and exit"},
};

static const struct options_table table = {
	.usage = "intercept - captures the target's answers and tells tcpcopy of them\n"
		 "\n"
		 "usage: intercept [options]\n",
	.notes =
		"Runs on the host to which the target routes its answers to the faked clients. "
		"That\n"
		"host must not forward them (sysctl -w net.ipv4.ip_forward=0). Needs CAP_NET_RAW.\n"
		"-i and -D take lists and may be given several times.\n"
		"Signals: TERM and INT end, HUP reopens the log, USR1 prints the counters.\n",
	.example = "intercept -i eth0 -F 'tcp and src port 8080' -d",
	.specs = specs,
	.count = sizeof(specs) / sizeof(specs[0]),
};

int intercept_options_parse(struct intercept_options *o, int argc, char *const argv[],
			    char error[PARSE_ERROR_MAX])
{
	memset(o, 0, sizeof(*o));
	options_table_set_defaults(&table, o);
	o->port = WIRE_PORT_DEFAULT;
	o->filter = "tcp";
	if (options_table_read(&table, o, o, argc, argv, error))
		return -1;
	if (o->device_count == 0)
		return read_device(o, "any", error);
	if (o->device_count > 1 && has_device(o, "any"))
		return parse_refuse(error, "-i any: this means all devices, so others beside it "
					   "would be captured twice; for example -i any, or -i "
					   "eth0,eth1");
	return 0;
}

int intercept_options_check(const struct intercept_options *o, char error[PARSE_ERROR_MAX])
{
	char list[DEVICE_LIST_MAX], why[CAPTURE_ERROR_MAX];

	if (o->stats_file && stats_may_replace(o->stats_file))
		return parse_refuse(error,
				    "--stats-file %.*s: this is no regular file, and would be "
				    "replaced by one; for example --stats-file /run/intercept.json",
				    OPTION_SHOWN_MAX, o->stats_file);
	for (size_t i = 0; i < o->device_count; i++)
		if (!capture_device_exists(o->devices[i]))
			return parse_refuse(
				error,
				"-i %s: there is no such device; there are: %s, and any for "
				"all of them",
				o->devices[i], capture_device_list(list, sizeof(list)));
	if (capture_check_filter(o->filter, why))
		return parse_refuse(error, "-F: %.*s", PARSE_ERROR_MAX - 8, why);
	return 0;
}

void intercept_options_print_help(FILE *out)
{
	options_table_print_help(&table, out);
}
