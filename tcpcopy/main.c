/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - tcpcopy: options, then the workers. Wiring only.
 *
 * CAP_NET_RAW is kept while running, because a capture device that goes away and comes back is
 * opened again; CAP_NET_ADMIN goes once the buffers are made. Access to files is kept when the log
 * or the statistics are written again and again to a directory of somebody else. Capabilities are a
 * thread's: they go before crew_run starts any, which then have what is left.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/capture.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/netdev.h"
#include "common/stats.h"
#include "tcpcopy/capture_latency.h"
#include "tcpcopy/check.h"
#include "tcpcopy/crew.h"
#include "tcpcopy/online_capture.h"
#include "tcpcopy/options.h"
#include "tcpcopy/same_host.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

enum {
	EXIT_USAGE = 2,
	LOCAL_ADDRESSES_MAX = 4096,
	ERROR_MAX = 512,
	MMAP_FROM_BYTES = 8192, /* the smallest chunk of a slab is above */
};

static int fail(int code, const char *error)
{
	fprintf(stderr, "tcpcopy: %s\n", error);
	return code;
}

/* Reads a short file into buf; what cannot be read stays as it is. */
static void read_identity(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	if (!fgets(buf, (int)size, f))
		buf[0] = '\0';
	fclose(f);
}

/*
 * RFC 6528 wants a secret; a restart wants the same one, so that our ISNs stay above those that
 * the target remembers. A host's identity and its boot are both: known to few, and constant
 * while the clock that ISNs are made of runs.
 */
static struct hash_key stable_secret(void)
{
	const struct hash_key fixed = {UINT64_C(0x69736e2d73656372), UINT64_C(0x65742d746370636f)};
	char identity[256] = "";
	struct hash_key secret;

	read_identity("/etc/machine-id", identity, 128);
	read_identity("/proc/sys/kernel/random/boot_id", identity + 128, 128);
	secret.k0 = hash_bytes(&fixed, identity, sizeof(identity));
	identity[255] = 1;
	secret.k1 = hash_bytes(&fixed, identity, sizeof(identity));
	return secret;
}

static int fill_secrets(struct worker_config *config)
{
	if (getrandom(&config->key, sizeof(config->key), 0) != (ssize_t)sizeof(config->key) ||
	    getrandom(&config->instance_id, sizeof(config->instance_id), 0) !=
		    (ssize_t)sizeof(config->instance_id))
		return -1;
	config->isn_secret = stable_secret();
	return 0;
}

static bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int route_by(struct route *r, const struct ip_addr *dst, const char *device)
{
	struct netdev d = {.index = 0};

	if (*device && netdev_by_name(&d, device))
		return -1;
	return netdev_route(r, dst, d.index);
}

static size_t local_addresses(struct ip_addr addresses[LOCAL_ADDRESSES_MAX])
{
	int count = netdev_local_addresses(NULL, addresses, LOCAL_ADDRESSES_MAX);

	if (count < 0)
		return 0;
	return count < LOCAL_ADDRESSES_MAX ? (size_t)count : LOCAL_ADDRESSES_MAX;
}

static int check_host(const struct tcpcopy_options *o, char error[ERROR_MAX])
{
	static struct ip_addr addresses[LOCAL_ADDRESSES_MAX];
	const struct host_facts host = {
		.addresses = addresses,
		.address_count = local_addresses(addresses),
		.device_exists = capture_device_exists,
		.file_exists = file_exists,
		.may_replace = stats_may_replace,
		.device_list = capture_device_list,
		.check_filter = capture_check_filter,
		.route = route_by,
	};

	return tcpcopy_options_check(o, &host, error);
}

static void log_start(const struct tcpcopy_options *o)
{
	static struct ip_addr addresses[LOCAL_ADDRESSES_MAX];
	char note[ERROR_MAX];

	log_plain(LOG_LEVEL_INFO, "tcpcopy " PACKAGE_VERSION " starts");
	if (!o->client_range_count)
		log_plain(LOG_LEVEL_WARN,
			  "without -c the faked clients have the real clients' addresses: the "
			  "target must route these to the assistant, and then cannot talk to the "
			  "real clients itself; -c %s avoids that",
			  tcpcopy_options_example_clients(o));
	if (tcpcopy_options_leaves_out(o, addresses, local_addresses(addresses), note))
		log_plain(LOG_LEVEL_WARN, "%s", note);
	if (o->session_pool_kb)
		log_plain(LOG_LEVEL_WARN,
			  "-U %u does nothing: sessions take memory as they need it, within -m",
			  o->session_pool_kb);
}

static void warn_same_host(void *ctx, bool is_sure, const char *text)
{
	(void)ctx;
	(void)is_sure;
	log_plain(LOG_LEVEL_WARN, "%s", text);
}

/* As the capture will hold packets back, whatever the kernel is asked for. It matters to those who join connections. */
static uint32_t measure_capture(const struct tcpcopy_options *o)
{
	uint32_t latency_us = online_capture_latency_us(o->workers);
	bool matters = capture_latency_is_long(latency_us) && !o->whole;
	char text[CAPTURE_LATENCY_TEXT_MAX];

	if (latency_us)
		log_plain(matters ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "%s",
			  capture_latency_text(text, sizeof(text), latency_us,
					       online_capture_timeout_ms(o->workers)));
	return latency_us;
}

/* Whether files are opened, or removed, after the start. */
static bool keeps_files(const struct tcpcopy_options *o)
{
	return o->log_file || o->daemon || o->pid_file || o->stats_file;
}

static int start(const struct tcpcopy_options *o)
{
	struct worker_config config = {.options = o};
	struct pid_file *pid_file = NULL;
	struct crew *crew = NULL;
	char error[ERROR_MAX];
	int ready_fd = -1, code = EXIT_FAILURE;

	if (o->daemon && (ready_fd = daemon_fork(error)) == -1)
		return fail(EXIT_FAILURE, error);
	daemon_hold_end(true);
	if (o->pid_file && !(pid_file = pid_file_open(o->pid_file, error)))
		return fail(EXIT_FAILURE, error);
	if (daemon_open_log("tcpcopy", o->log_file, o->daemon, error)) {
		fail(EXIT_FAILURE, error);
		goto out;
	}
	log_start(o);
	same_host_check(o, &same_host_view_real, warn_same_host, NULL);
	if (fill_secrets(&config)) {
		fail(EXIT_FAILURE, "the kernel gives no random numbers");
		goto out;
	}
	config.capture_latency_us = measure_capture(o);
	crew = crew_open(&config, error);
	if (!crew) {
		fail(EXIT_FAILURE, error);
		goto out;
	}
	daemon_settle(pid_file, ready_fd, keeps_files(o));
	code = crew_run(crew) ? EXIT_FAILURE : EXIT_SUCCESS;
out:
	crew_close(crew);
	pid_file_close(pid_file);
	log_close();
	return code;
}

/*
 * What -m counts as given back goes back to the kernel at once: chunks of the tables get pages of
 * their own, for in the middle of the heap they would stay. (By default the C library raises this limit with the
 * first large block that is freed.)
 */
static void return_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES);
}

int main(int argc, char *argv[])
{
	static struct tcpcopy_options options;
	char error[ERROR_MAX];

	daemon_begin();
	return_memory();
	log_init("tcpcopy", LOG_LEVEL_INFO);
	if (tcpcopy_options_parse(&options, argc, argv, error))
		return fail(EXIT_USAGE, error);
	if (options.help) {
		tcpcopy_options_print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (options.version) {
		puts("tcpcopy " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (check_host(&options, error))
		return fail(EXIT_USAGE, error);
	if (options.check) {
		log_init("tcpcopy", LOG_LEVEL_ERR); /* the findings say all */
		return tcpcopy_check(&options, stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	return start(&options);
}
