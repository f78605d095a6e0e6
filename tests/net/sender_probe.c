/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_probe.c - sends segments with a foreign source address through the sender and tells what
 * became of them: a driver for check_sender.sh and for measuring a packet's cost. No TCP.
 *
 *	sender_probe --target IP [--mode auto|link|ip] [--source IP] [--count N] [--payload BYTES]
 *	             [--gso BYTES] [--interval MS] [--next-hop MAC] [--source-mac MAC] [--fall-back]
 *
 * First line: the mode chosen, how long opening took, and why. With --interval there is a packet
 * every so often and events are handled in between; without, all go as fast as possible. Last line: JSON.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/log.h"
#include "common/packet.h"
#include "common/sender.h"

enum {
	PAYLOAD_MAX = 65000,
	RETRY_MS = 1,
};

struct probe {
	enum sender_mode mode;
	struct sender_target target;
	struct ip_addr source;
	unsigned long count;
	unsigned long payload_bytes;
	unsigned long gso_bytes;
	unsigned long interval_ms;
	bool falls_back;
	uint64_t tick_us;
	unsigned long refused; /* sender_send said EAGAIN */
};

static uint8_t payload[PAYLOAD_MAX];

static uint64_t now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what, const char *value)
{
	fprintf(stderr, "sender_probe: %s: %s\n", what, value);
	exit(2);
}

static enum sender_mode parse_mode(const char *text)
{
	if (strcmp(text, "auto") == 0)
		return SENDER_AUTO;
	if (strcmp(text, "link") == 0)
		return SENDER_LINK;
	if (strcmp(text, "ip") == 0)
		return SENDER_IP;
	die("no such mode", text);
	return SENDER_AUTO;
}

static void parse_mac(uint8_t mac[MAC_LEN], const char *text)
{
	unsigned b[MAC_LEN];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != MAC_LEN)
		die("no MAC", text);
	for (int i = 0; i < MAC_LEN; i++)
		mac[i] = (uint8_t)b[i];
}

static void parse_options(struct probe *p, int argc, char **argv)
{
	static const struct option options[] = {
		{"mode", 1, NULL, 'm'},       {"target", 1, NULL, 't'},
		{"source", 1, NULL, 's'},     {"count", 1, NULL, 'c'},
		{"payload", 1, NULL, 'p'},    {"gso", 1, NULL, 'g'},
		{"interval", 1, NULL, 'i'},   {"next-hop", 1, NULL, 'n'},
		{"source-mac", 1, NULL, 'S'}, {"fall-back", 0, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			p->mode = parse_mode(optarg);
			break;
		case 't':
			if (ip_addr_parse(&p->target.addr, optarg) < 0)
				die("no address", optarg);
			break;
		case 's':
			if (ip_addr_parse(&p->source, optarg) < 0)
				die("no address", optarg);
			break;
		case 'c':
			p->count = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			p->payload_bytes = strtoul(optarg, NULL, 10);
			break;
		case 'g':
			p->gso_bytes = strtoul(optarg, NULL, 10);
			break;
		case 'i':
			p->interval_ms = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			parse_mac(p->target.next_hop_mac, optarg);
			p->target.has_next_hop_mac = true;
			break;
		case 'S':
			parse_mac(p->target.source_mac, optarg);
			p->target.has_source_mac = true;
			break;
		case 'f':
			p->falls_back = true;
			break;
		default:
			exit(2);
		}
	}
	if (ip_addr_is_unspecified(&p->target.addr) || p->payload_bytes > PAYLOAD_MAX)
		die("needed", "--target IP, --payload of at most 65000");
}

/* The i-th: a SYN with options, or data where there is a payload. */
static struct segment segment_number(const struct probe *p, unsigned long i)
{
	struct segment s;

	memset(&s, 0, sizeof(s));
	s.tuple.src = (struct endpoint){.addr = p->source, .port = (uint16_t)(1024 + i % 60000)};
	s.tuple.dst = (struct endpoint){.addr = p->target.addr, .port = 8080};
	s.tuple.protocol = PROTOCOL_TCP;
	s.seq = (uint32_t)(1000 + i);
	s.window = 65535;
	s.options = (struct tcp_options){.has_timestamps = true, .ts_val = (uint32_t)i};
	if (p->payload_bytes == 0) {
		s.flags = TCP_SYN;
		s.options.has_mss = s.options.has_window_scale = s.options.has_sack_permitted =
			true;
		s.options.mss = 1460;
		s.options.window_scale = 7;
		return s;
	}
	s.flags = TCP_PSH | TCP_ACK;
	s.ack = 1;
	s.gso_size_bytes = (uint16_t)p->gso_bytes;
	s.payload_len_bytes = (uint32_t)p->payload_bytes;
	/* In two pieces of odd length, as the engine may have them. */
	s.iov_count = 2;
	s.iov[0] = (struct iovec){.iov_base = payload, .iov_len = p->payload_bytes / 2 | 1};
	if (s.iov[0].iov_len > p->payload_bytes)
		s.iov[0].iov_len = p->payload_bytes;
	s.iov[1].iov_base = payload + s.iov[0].iov_len;
	s.iov[1].iov_len = p->payload_bytes - s.iov[0].iov_len;
	return s;
}

/* Handles events for so long; ticks once a second. */
static void live(struct probe *p, struct sender *s, unsigned long ms)
{
	uint64_t now = now_us(CLOCK_MONOTONIC), end = now + ms * 1000;

	do {
		struct pollfd fd = {.events = POLLIN};

		sender_poll_fds(s, &fd.fd, 1);
		if (poll(&fd, 1, (int)((end - now + 999) / 1000)) > 0)
			sender_on_readable(s, now_us(CLOCK_MONOTONIC));
		now = now_us(CLOCK_MONOTONIC);
		if (now - p->tick_us >= 1000000) {
			sender_on_tick(s, now);
			p->tick_us = now;
		}
	} while (now < end);
}

static void send_all(struct probe *p, struct sender *s)
{
	for (unsigned long i = 0; i < p->count; i++) {
		struct segment segment = segment_number(p, i);

		while (sender_send(s, &segment) < 0) {
			p->refused++;
			live(p, s, RETRY_MS);
			sender_flush(s);
		}
		if (p->interval_ms > 0) {
			sender_flush(s);
			live(p, s, p->interval_ms);
		}
	}
	sender_flush(s);
}

static const char *mode_name(enum sender_mode mode)
{
	return mode == SENDER_LINK ? "link" : mode == SENDER_IP ? "ip" : "auto";
}

static void report(const struct probe *p, const struct sender *s, const struct rusage *before,
		   const struct rusage *after)
{
	struct sender_stats t;
	const char *why;
	double user = (double)(after->ru_utime.tv_sec - before->ru_utime.tv_sec) * 1e6 +
		      (double)(after->ru_utime.tv_usec - before->ru_utime.tv_usec);
	double system = (double)(after->ru_stime.tv_sec - before->ru_stime.tv_sec) * 1e6 +
			(double)(after->ru_stime.tv_usec - before->ru_stime.tv_usec);
	enum sender_mode mode = sender_mode_of(s, &p->target.addr, &why);

	sender_get_stats(s, &t);
	printf("{\"mode\":\"%s\",\"why\":\"%s\",\"packets\":%llu,\"bytes\":%llu,\"batches\":%llu,"
	       "\"failed\":%llu,\"no_buffer\":%llu,\"permission\":%llu,\"too_long\":%llu,"
	       "\"unreachable\":%llu,\"other\":%llu,\"no_neighbour\":%llu,\"refused\":%lu,"
	       "\"mtu\":%d,\"user_us\":%.3f,\"system_us\":%.3f}\n",
	       mode_name(mode), why, (unsigned long long)t.packets, (unsigned long long)t.bytes,
	       (unsigned long long)t.batches, (unsigned long long)t.failed,
	       (unsigned long long)t.failed_no_buffer, (unsigned long long)t.failed_permission,
	       (unsigned long long)t.failed_too_long, (unsigned long long)t.failed_unreachable,
	       (unsigned long long)t.failed_other, (unsigned long long)t.no_neighbour, p->refused,
	       sender_mtu(s, &p->target.addr), user / (double)p->count, system / (double)p->count);
}

int main(int argc, char **argv)
{
	struct probe p = {.mode = SENDER_AUTO, .count = 1};
	struct sender_config config = {.targets = &p.target, .target_count = 1};
	char error[SENDER_ERROR_MAX];
	struct rusage before, after;
	struct sender *s;
	const char *why;
	uint64_t start;

	(void)ip_addr_parse(&p.source, "10.92.0.7");
	parse_options(&p, argc, argv);
	config.mode = p.mode;
	log_init("sender_probe", LOG_LEVEL_INFO);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + (i >> 8));
	start = p.tick_us = now_us(CLOCK_MONOTONIC);
	s = sender_open(&config, error);
	if (!s)
		die("cannot open", error);
	if (p.falls_back)
		printf("fell back: %d\n",
		       sender_try(s, &p.target.addr, SENDER_IP, "no SYN is answered"));
	printf("%s after %llu ms: ", mode_name(sender_mode_of(s, &p.target.addr, &why)),
	       (unsigned long long)(now_us(CLOCK_MONOTONIC) - start) / 1000);
	printf("%s\n", why);
	fflush(stdout);
	getrusage(RUSAGE_SELF, &before);
	send_all(&p, s);
	getrusage(RUSAGE_SELF, &after);
	report(&p, s, &before, &after);
	sender_close(s);
	return 0;
}
