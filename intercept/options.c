/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - see options.h. The help text below, docs/intercept.8 and the two tables of options
 * say the same; a test compares them.
 */
#include "intercept/options.h"

#include <assert.h>
#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/capture.h"
#include "common/wire.h"

enum {
	LIST_TEXT_MAX = 1024,
	SHOWN_MAX = 80, /* of a user's value in a message */
	DEVICE_LIST_MAX = 256,
	OPTION_STATS_FILE = 256,
};

static_assert((int)PARSE_ERROR_MAX == (int)CAPTURE_ERROR_MAX, "one buffer for both");

static const struct option long_options[] = {
	{"input", required_argument, NULL, 'i'},
	{"filter", required_argument, NULL, 'F'},
	{"port", required_argument, NULL, 'p'},
	{"bind", required_argument, NULL, 'b'},
	{"stats-file", required_argument, NULL, OPTION_STATS_FILE},
	{"log", required_argument, NULL, 'l'},
	{"pid-file", required_argument, NULL, 'P'},
	{"daemon", no_argument, NULL, 'd'},
	{"version", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char short_options[] = ":i:F:p:b:l:P:dvh";

static const char help_text[] =
	"intercept - captures the target's answers and tells tcpcopy of them\n"
	"\n"
	"usage: intercept [options]\n"
	"\n"
	"  -i, --input LIST          devices to capture on, several by commas (any)\n"
	"  -F, --filter EXPR         pcap filter for the target's answers (tcp)\n"
	"  -p, --port PORT           listen for tcpcopy on this port, 1 to 65535 (36524)\n"
	"  -b, --bind ADDRESS        listen on this address only (all, IPv4 and IPv6)\n"
	"      --stats-file FILE     write the counters there as JSON every second\n"
	"  -l, --log FILE            log there instead of to stderr\n"
	"  -P, --pid-file FILE       write the process id there; refuses a second instance\n"
	"  -d, --daemon              run in the background\n"
	"  -v, --version             print the version and exit\n"
	"  -h, --help                print this and exit\n"
	"\n"
	"Runs on the host to which the target routes its answers to the faked clients. That\n"
	"host must not forward them (sysctl -w net.ipv4.ip_forward=0). Needs CAP_NET_RAW.\n"
	"Signals: TERM and INT end, HUP reopens the log, USR1 prints the counters.\n"
	"\n"
	"example: intercept -i eth0 -F 'tcp and src port 8080' -d\n";

__attribute__((format(printf, 2, 3))) static int refuse(char error[PARSE_ERROR_MAX],
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PARSE_ERROR_MAX, format, args);
	va_end(args);
	return -1;
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
	if (!*name)
		return refuse(error, "-i: a device name between commas is empty; for example -i "
				     "eth0,eth1");
	if (strlen(name) >= NETDEV_NAME_MAX)
		return refuse(error,
			      "-i %.*s: a device name has at most %d characters; for example -i "
			      "eth0",
			      SHOWN_MAX, name, NETDEV_NAME_MAX - 1);
	if (has_device(o, name))
		return refuse(error, "-i %s: the device is given twice; for example -i eth0,eth1",
			      name);
	if (o->device_count == INTERCEPT_DEVICES_MAX)
		return refuse(error, "-i %s: at most %d devices; -i any captures on all", name,
			      INTERCEPT_DEVICES_MAX);
	memcpy(o->devices[o->device_count++], name, strlen(name) + 1);
	return 0;
}

/* -i may be given several times, each a list. */
static int read_devices(struct intercept_options *o, const char *text, char error[PARSE_ERROR_MAX])
{
	char list[LIST_TEXT_MAX];
	char *rest = list, *name;

	if (strlen(text) >= sizeof(list))
		return refuse(error, "-i %.*s...: the list is too long; -i any captures on all",
			      SHOWN_MAX, text);
	memcpy(list, text, strlen(text) + 1);
	while ((name = parse_list_next(&rest)))
		if (read_device(o, name, error))
			return -1;
	return 0;
}

static int read_bind(struct ip_addr *bind, const char *text, char error[PARSE_ERROR_MAX])
{
	if (ip_addr_parse(bind, text) == 0)
		return 0;
	return refuse(error,
		      "-b %.*s: this is no IP address; for example -b 10.0.0.3 or -b 2001:db8::3",
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

static int read_value_option(struct intercept_options *o, int option, const char *value,
			     char error[PARSE_ERROR_MAX])
{
	switch (option) {
	case 'i':
		return read_devices(o, value, error);
	case 'F':
		return read_text(&o->filter, value, "-F", "-F 'tcp and src port 8080'", error);
	case 'p':
		return parse_port(&o->port, value, "-p", error);
	case 'b':
		return read_bind(&o->bind, value, error);
	case 'l':
		return read_text(&o->log_file, value, "-l", "-l /var/log/intercept.log", error);
	case 'P':
		return read_text(&o->pid_file, value, "-P", "-P /run/intercept.pid", error);
	default:
		return read_text(&o->stats_file, value, "--stats-file",
				 "--stats-file /run/intercept.json", error);
	}
}

static const char *option_name(int option, char buf[32])
{
	if (option == OPTION_STATS_FILE)
		return "--stats-file";
	snprintf(buf, 32, "-%c", option);
	return buf;
}

/* getopt's complaints, with what stood there. */
static int refuse_option(int complaint, int option, const char *word, char error[PARSE_ERROR_MAX])
{
	char name[32];

	if (complaint == ':')
		return refuse(error, "%s: a value must follow; see --help",
			      option_name(option, name));
	if (strncmp(word, "--", 2) != 0)
		return refuse(error, "-%c: unknown option; see --help",
			      isprint(option) ? option : '?');
	/* A known option here is a long one with a value that it does not take. */
	if (option)
		return refuse(error, "%.*s: this option takes no value; see --help", SHOWN_MAX,
			      word);
	return refuse(error, "%.*s: unknown option; see --help", SHOWN_MAX, word);
}

static int read_words(struct intercept_options *o, int argc, char *const argv[],
		      char error[PARSE_ERROR_MAX])
{
	int option, rc = 0;

	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while (rc == 0 &&
	       (option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == ':' || option == '?')
			return refuse_option(option, optopt, argv[optind - 1], error);
		if (optarg)
			rc = read_value_option(o, option, optarg, error);
		o->daemon = o->daemon || option == 'd';
		o->version = o->version || option == 'v';
		o->help = o->help || option == 'h';
	}
	if (rc == 0 && optind < argc)
		return refuse(error,
			      "%.*s: an option's letter is missing before it; for example "
			      "intercept -i eth0 -F 'tcp and src port 8080'",
			      SHOWN_MAX, argv[optind]);
	return rc;
}

int intercept_options_parse(struct intercept_options *o, int argc, char *const argv[],
			    char error[PARSE_ERROR_MAX])
{
	memset(o, 0, sizeof(*o));
	o->port = WIRE_PORT_DEFAULT;
	o->filter = "tcp";
	if (read_words(o, argc, argv, error))
		return -1;
	if (o->device_count == 0)
		return read_device(o, "any", error);
	if (o->device_count > 1 && has_device(o, "any"))
		return refuse(error, "-i any: this means all devices, so others beside it would "
				     "be captured twice; for example -i any, or -i eth0,eth1");
	return 0;
}

int intercept_options_check(const struct intercept_options *o, char error[PARSE_ERROR_MAX])
{
	char list[DEVICE_LIST_MAX], why[CAPTURE_ERROR_MAX];

	for (size_t i = 0; i < o->device_count; i++)
		if (!capture_device_exists(o->devices[i]))
			return refuse(error,
				      "-i %s: there is no such device; there are: %s, and any for "
				      "all of them",
				      o->devices[i], capture_device_list(list, sizeof(list)));
	if (capture_check_filter(o->filter, why))
		return refuse(error, "-F: %.*s", PARSE_ERROR_MAX - 8, why);
	return 0;
}

const char *intercept_options_help(void)
{
	return help_text;
}
