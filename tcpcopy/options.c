/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - see options.h: the table of tcpcopy's options, and what reads those that are neither
 * a number nor a text. docs/tcpcopy.8 says the same in full; a test compares them.
 */
#include "tcpcopy/options.h"

#include <string.h>

#include "common/options_table.h"
#include "common/wire.h"
#include "tcpcopy/options_private.h"

enum {
	SAMPLE_ALL_PPM = 1000000,
	GRADUAL_DEFAULT_S = 100,
	GRADUAL_MAX_S = 86400,
	RTT_MAX_MS = 900, /* a target repeats its SYN-ACK after a second */
	SPEED_MAX = 1000,
};

/* What the readers fill. */
struct reading {
	struct tcpcopy_options *o;
	struct tcpcopy_lists lists;
};

static int read_list_option(void *ctx, const struct option_spec *spec, const char *value,
			    char error[PARSE_ERROR_MAX])
{
	struct reading *r = ctx;
	struct option_lists *lists = spec->letter == 'x'   ? &r->lists.transfers
				     : spec->letter == 's' ? &r->lists.intercepts
				     : spec->letter == 'c' ? &r->lists.clients
				     : spec->letter == 'i' ? &r->lists.inputs
							   : &r->lists.localhosts;

	if (lists->count == OPTION_REPEAT_MAX)
		return parse_refuse(error, "-%c %.*s: given more than %d times; use a list, A,B,C",
				    spec->letter, OPTION_SHOWN_MAX, value, OPTION_REPEAT_MAX);
	lists->values[lists->count++] = value;
	return 0;
}

static int read_port(void *ctx, const struct option_spec *spec, const char *value,
		     char error[PARSE_ERROR_MAX])
{
	struct reading *r = ctx;

	(void)spec;
	return parse_port(&r->o->intercept_port, value, "-p", error);
}

static int read_send_mode(void *ctx, const struct option_spec *spec, const char *value,
			  char error[PARSE_ERROR_MAX])
{
	static const struct {
		const char *name;
		enum sender_mode mode;
	} modes[] = {{"auto", SENDER_AUTO}, {"link", SENDER_LINK}, {"ip", SENDER_IP}};
	struct reading *r = ctx;

	(void)spec;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(value, modes[i].name) == 0) {
			r->o->send = modes[i].mode;
			return 0;
		}
	}
	return parse_refuse(error, "--send %.*s: must be auto, link or ip; for example --send ip",
			    OPTION_SHOWN_MAX, *value ? value : "''");
}

static int read_output(void *ctx, const struct option_spec *spec, const char *value,
		       char error[PARSE_ERROR_MAX])
{
	struct reading *r = ctx;

	(void)spec;
	if (!*value || strlen(value) >= sizeof(r->o->output_device) || strchr(value, ',') ||
	    strcmp(value, "any") == 0)
		return parse_refuse(error,
				    "-o %.*s: the name of one device is needed (at most %d "
				    "characters); for example -o eth1",
				    OPTION_SHOWN_MAX, *value ? value : "''", NETDEV_NAME_MAX - 1);
	memcpy(r->o->output_device, value, strlen(value) + 1);
	return 0;
}

static int read_percent(void *ctx, const struct option_spec *spec, const char *value,
			char error[PARSE_ERROR_MAX])
{
	struct reading *r = ctx;

	(void)spec;
	return parse_percent(&r->o->sample_ppm, value, "-r", error);
}

static int read_sample_by(void *ctx, const struct option_spec *spec, const char *value,
			  char error[PARSE_ERROR_MAX])
{
	struct reading *r = ctx;

	(void)spec;
	r->o->sample_by_client = strcmp(value, "client") == 0;
	if (r->o->sample_by_client || strcmp(value, "session") == 0)
		return 0;
	return parse_refuse(error,
			    "--sample-by %.*s: must be session or client; for example --sample-by "
			    "client",
			    OPTION_SHOWN_MAX, *value ? value : "''");
}

static int read_gradual(void *ctx, const struct option_spec *spec, const char *value,
			char error[PARSE_ERROR_MAX])
{
	struct reading *r = ctx;
	uint64_t n = GRADUAL_DEFAULT_S;

	(void)spec;
	if (value && parse_unsigned(&n, value, 1, GRADUAL_MAX_S, "-g", error))
		return -1;
	r->o->gradual_s = (unsigned)n;
	return 0;
}

static int read_rtt(void *ctx, const struct option_spec *spec, const char *value,
		    char error[PARSE_ERROR_MAX])
{
	char why[PARSE_ERROR_MAX];
	struct reading *r = ctx;
	uint64_t n;

	(void)spec;
	r->o->rtt_auto = strcmp(value, "auto") == 0;
	if (r->o->rtt_auto)
		return 0;
	if (parse_unsigned(&n, value, 1, RTT_MAX_MS, "-R", why))
		return parse_refuse(error, "%.400s, or -R auto", why);
	r->o->rtt_ms = (unsigned)n;
	return 0;
}

/* Options of recordings: understood, so that a wrong value is not hidden, and refused. */
static int refuse_recording_option(const struct option_spec *spec, const char *value,
				   char error[PARSE_ERROR_MAX])
{
	return parse_refuse(
		error,
		"-%c %.*s: this is for recordings, which cannot be replayed yet; leave "
		"it out to copy live traffic, for example tcpcopy -x 80-10.0.0.2:8080 -s "
		"10.0.0.3",
		spec->letter, OPTION_SHOWN_MAX, value);
}

static int read_speed(void *ctx, const struct option_spec *spec, const char *value,
		      char error[PARSE_ERROR_MAX])
{
	char why[PARSE_ERROR_MAX];
	uint64_t n;

	(void)ctx;
	if (strcmp(value, "max") != 0 && parse_unsigned(&n, value, 1, SPEED_MAX, "-a", why))
		return parse_refuse(error, "%.400s, or -a max", why);
	return refuse_recording_option(spec, value, error);
}

static int read_recording_number(void *ctx, const struct option_spec *spec, const char *value,
				 char error[PARSE_ERROR_MAX])
{
	char name[32];
	uint64_t n;

	(void)ctx;
	if (parse_unsigned(&n, value, spec->min, spec->max, option_spec_name(spec, name), error))
		return -1;
	return refuse_recording_option(spec, value, error);
}

#define FIELD(member)  OPTION_FIELD(struct tcpcopy_options, member)
#define SWITCH(member) OPTION_SET(struct tcpcopy_options, member)
#define NUMBER(member, low, high, normal) \
	OPTION_RANGE(struct tcpcopy_options, member, low, high, normal)
#define LIST                  .kind = OPTION_LIST, .read = read_list_option
#define VALUE(fn)             .kind = OPTION_VALUE, .read = fn
#define FILE_IN(member, path) .kind = OPTION_FILE, FIELD(member), .example = path

static const struct option_spec specs[] = {
	/* what is copied, and where to */
	{'x', "transfer", "LIST", LIST,
	 .help = "what to copy where, several by commas: "
		 "[srcIP:]srcPort[@srcMAC]-dstIP:dstPort[@nextHopMAC], IPv6 in brackets"},
	{'s', "intercept", "LIST", LIST,
	 .help = "the assistants that run intercept: host[:port],..."},
	{'c', "client-ip", "LIST", LIST,
	 .help = "addresses for the faked clients: 10.20.30.x (1 to 254), one address, "
		 "10.20.0.0/16, 10.20.30.5-10.20.30.9 (without: the clients' own)"},
	{'H', "localhost-ip", "IP", LIST,
	 .help = "address for faked clients that are on this host itself"},
	/* capture */
	{'i', "input", "LIST", LIST,
	 .help = "devices to capture on, or any (default: those that carry the captured "
		 "addresses)"},
	{0, "promiscuous", NULL, SWITCH(promiscuous),
	 .help = "take also what is addressed to other network cards: mirrored traffic"},
	{'F', "filter", "EXPR", .kind = OPTION_TEXT, FIELD(filter), .example = "'net 10.0.0.0/8'",
	 .help = "pcap filter, added to the one made from -x"},
	{'B', "capture-buffer", "MB", NUMBER(buffer_mb, 1, 2047, 128),
	 .help = "capture buffer of a device"},
	{'S', "snap-length", "BYTES", NUMBER(snaplen_bytes, 256, 262144, 262144),
	 .help = "bytes captured of a packet"},
	/* how much */
	{'n', "copies", "N", NUMBER(copies, 1, 1023, 1), .help = "copies of every session"},
	{'r', "percent", "P", VALUE(read_percent),
	 .help = "share of the sessions that is copied, above 0, up to 100, for example 0.5 (100)"},
	{0, "sample-by", "WHAT", VALUE(read_sample_by),
	 .help = "what -r and -g choose: session, or client for all of a client's (session)"},
	{0, "rate", "N", NUMBER(rate_per_s, 1, 1000000, 0), .otherwise = "no limit",
	 .help = "new sessions a second at most"},
	{'g', "gradual", "SECONDS", VALUE(read_gradual), .value_is_optional = true,
	 .example = "100",
	 .help = "begin with 1 % of the sessions and reach -r after so long, 1 to 86400 (100)"},
	{'f', "port-shift", "N", NUMBER(port_shift, 0, 1023, 0),
	 .help = "sets the ports of several tcpcopies with the same -c apart"},
	{'O', "whole", NULL, SWITCH(whole),
	 .help = "copy only connections whose beginning was captured: none is joined in its "
		 "middle, or again after the target ended it"},
	/* sending */
	{'o', "output", "DEV", VALUE(read_output),
	 .help = "send on this device, at the link layer"},
	{0, "send", "MODE", VALUE(read_send_mode),
	 .help = "auto, link or ip: how packets leave (auto)"},
	{'M', "mtu", "BYTES", NUMBER(mtu_bytes, 576, 65535, 0), .otherwise = "that of the route",
	 .help = "MTU towards the target"},
	{'D', "mss", "BYTES", NUMBER(mss_bytes, 88, 65495, 0), .otherwise = "the client's",
	 .help = "MSS that our SYN offers at most"},
	{'R', "rtt", "MS", VALUE(read_rtt),
	 .help = "round-trip time that our acknowledgements simulate, 1 to 900, or auto for "
		 "that of each client (none)"},
	{'W', "no-wait", NULL, SWITCH(no_wait),
	 .help = "send requests without waiting for the target's answers"},
	/* limits */
	{'m', "max-memory", "MB", NUMBER(max_memory_mb, 16, 1048576, 1024),
	 .help = "memory for sessions"},
	{'t', "timeout", "SECONDS", NUMBER(give_up_s, 1, 86400, 600),
	 .help = "give up a connection that the target does not answer"},
	{'k', "keep-alive", "SECONDS", NUMBER(keep_alive_s, 1, 604800, 7200),
	 .help = "end a connection that has been idle for so long"},
	{'j', "workers", "N", NUMBER(workers, 1, 64, 1), .help = "threads"},
	{'U', "session-pool", "KB", NUMBER(session_pool_kb, 1, 1048576, 0), .otherwise = "nothing",
	 .help = "accepted for familiarity, does nothing"},
	/* the link */
	{'p', "port", "PORT", VALUE(read_port), .help = "port of intercept, 1 to 65535 (36524)"},
	{'C', "connections", "N", NUMBER(link_connections, 1, 11, 1),
	 .help = "connections to each intercept"},
	{'L', "without-intercept", NULL, SWITCH(without_intercept),
	 .help = "begin sessions also while no intercept is connected: they wait for one"},
	/* recordings */
	{'a', "speed", "N", VALUE(read_speed),
	 .help = "recordings, not yet: N times faster, or max"},
	{'I', "max-gap", "MS", VALUE(read_recording_number), .min = 0, .max = 86400000,
	 .help = "recordings, not yet: shorten longer gaps to this"},
	{'T', "repeat", "N", VALUE(read_recording_number), .min = 1, .max = 1000000,
	 .help = "recordings, not yet: replay so often"},
	/* the process */
	{0, "stats-file", "FILE", FILE_IN(stats_file, "/run/tcpcopy.json"),
	 .help = "write the counters there as JSON every second"},
	{'l', "log", "FILE", FILE_IN(log_file, "/var/log/tcpcopy.log"),
	 .help = "log there instead of to stderr"},
	{'P', "pid-file", "FILE", FILE_IN(pid_file, "/run/tcpcopy.pid"),
	 .help = "write the process id there; refuses a second instance"},
	{'d', "daemon", NULL, SWITCH(daemon), .help = "run in the background"},
	{0, "check", NULL, SWITCH(check),
	 .help = "check options, devices, targets, intercepts and files, and exit"},
	{'v', "version", NULL, SWITCH(version), .help = "print the version and exit"},
	{'h', "help", NULL, SWITCH(help), .help = "print this and exit"},
};

static const struct options_table table = {
	.usage = "tcpcopy - copies live TCP traffic of this host to a test server\n"
		 "\n"
		 "usage: tcpcopy -x LIST -s LIST [-c LIST] [options]\n",
	.notes = "-x, -s, -c, -H and -i take lists and may be given several times.\n"
		 "Signals: TERM and INT end (open connections to the target are reset), HUP\n"
		 "reopens the log, USR1 prints the counters.\n",
	.example = "tcpcopy -x 80-10.0.0.2:8080 -s 10.0.0.3 -c 10.20.30.x",
	.specs = specs,
	.count = sizeof(specs) / sizeof(specs[0]),
};

int tcpcopy_options_parse(struct tcpcopy_options *o, int argc, char *const argv[],
			  char error[PARSE_ERROR_MAX])
{
	struct reading r = {.o = o};

	memset(o, 0, sizeof(*o));
	options_table_set_defaults(&table, o);
	o->send = SENDER_AUTO;
	o->sample_ppm = SAMPLE_ALL_PPM;
	o->intercept_port = WIRE_PORT_DEFAULT;
	if (options_table_read(&table, o, &r, argc, argv, error))
		return -1;
	if (o->help || o->version)
		return 0;
	if (tcpcopy_options_read_lists(o, &r.lists, error))
		return -1;
	return tcpcopy_options_check(o, NULL, error);
}

void tcpcopy_options_print_help(FILE *out)
{
	options_table_print_help(&table, out);
}

struct sender_target options_sender_target(const struct transfer *t)
{
	struct sender_target target = {
		.addr = t->target.addr,
		.has_next_hop_mac = t->has_next_hop_mac,
		.has_source_mac = t->has_source_mac,
	};

	memcpy(target.next_hop_mac, t->next_hop_mac, MAC_LEN);
	memcpy(target.source_mac, t->source_mac, MAC_LEN);
	return target;
}
