/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture.c - libpcap: opens a live device, filters in the kernel, reads in batches, counts.
 * Knows nothing of what the frames mean.
 *
 * Not immediate, libpcap uses TPACKET_V3: the kernel fills blocks of 256 KiB and hands a block over
 * when it is full or the timeout has passed since its first packet, so a ring of B bytes holds
 * B / 256 KiB blocks and, at a low packet rate, as many timeouts of time. Immediate is TPACKET_V2,
 * a slot of snaplen bytes a packet.
 *
 * Frames that arrive between activation and the filter: libpcap remembers how many blocks it had
 * to read past and filters these itself. The direction has no such memory in the kernel, so it
 * is set twice: by libpcap in user space, and in the kernel, which saves the work.
 */
#include "common/capture.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* Linux 4.20; older kernels refuse it, which is fine */
#endif

enum {
	SNAPLEN_MAX = 262144, /* a BIG TCP super-packet, and libpcap's own limit */
	TIMEOUT_MIN_MS = 1,   /* with 0 TPACKET_V3 delivers nothing until a block is full */
	DEVICE_LIST_TEXT_MAX = 256,
	KERNEL_INSNS_MAX = 4096, /* of a filter; one that is longer is run by libpcap */
};

static_assert(sizeof(struct capture_insn) == sizeof(struct bpf_insn), "one for the other");

static const char any_device[] = "any";

struct capture {
	pcap_t *pcap;
	int fd;
	int link_type;
	char device[IF_NAMESIZE];
	/* What pcap_stats last said: 32 bits, which a busy host wraps in an hour. */
	uint32_t received_last;
	uint32_t dropped_last;
	struct capture_stats total;
};

/* ---- devices by name ---- */

bool capture_device_exists(const char *device)
{
	return strcmp(device, any_device) == 0 || if_nametoindex(device) != 0;
}

const char *capture_device_list(char *buf, size_t size)
{
	static const char more[] = ", ...";
	struct if_nameindex *list = if_nameindex();
	size_t used = 0;

	assert(size > 0);
	buf[0] = '\0';
	for (const struct if_nameindex *at = list; at && at->if_index != 0; at++) {
		const char *comma = used ? ", " : "";
		size_t need = strlen(comma) + strlen(at->if_name);

		/* Whole names only, and room for the dots that say there are more. */
		if (used + need + sizeof(more) > size) {
			snprintf(buf + used, size - used, "%s", used ? more : "...");
			break;
		}
		used += (size_t)snprintf(buf + used, size - used, "%s%s", comma, at->if_name);
	}
	if (list)
		if_freenameindex(list);
	return buf;
}

/* ---- messages for people ---- */

static void explain_unknown_device(char error[CAPTURE_ERROR_MAX], const char *device)
{
	char list[DEVICE_LIST_TEXT_MAX];

	snprintf(error, CAPTURE_ERROR_MAX,
		 "there is no device \"%.64s\"; there are: %s, and \"any\" for all of them", device,
		 capture_device_list(list, sizeof(list)));
}

static void explain_filter(char error[CAPTURE_ERROR_MAX], const char *filter, const char *why)
{
	snprintf(error, CAPTURE_ERROR_MAX,
		 "the filter \"%.200s%s\" is no valid pcap expression: %.120s; right would be, for "
		 "example, \"tcp and port 80\" (see pcap-filter(7))",
		 filter, strlen(filter) > 200 ? "..." : "", why);
}

static void explain_activate(char error[CAPTURE_ERROR_MAX], const char *device, pcap_t *pcap,
			     int result)
{
	const char *detail = pcap_geterr(pcap);

	switch (result) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		snprintf(error, CAPTURE_ERROR_MAX,
			 "capturing on \"%s\" is not permitted: it needs CAP_NET_RAW; run as root, "
			 "or once \"setcap cap_net_raw,cap_net_admin+ep PROGRAM\"",
			 device);
		break;
	case PCAP_ERROR_NO_SUCH_DEVICE:
		explain_unknown_device(error, device);
		break;
	case PCAP_ERROR_IFACE_NOT_UP:
		snprintf(error, CAPTURE_ERROR_MAX,
			 "device \"%s\" is down: bring it up with \"ip link set dev %s up\"",
			 device, device);
		break;
	default:
		snprintf(error, CAPTURE_ERROR_MAX, "cannot capture on \"%s\": %s%s%.300s", device,
			 pcap_statustostr(result), *detail ? ": " : "", detail);
		break;
	}
}

/* ---- opening ---- */

static int clamp_int(int value, int min, int max)
{
	return value < min ? min : value > max ? max : value;
}

static int configure(pcap_t *pcap, const struct capture_config *config)
{
	int snaplen = config->snaplen_bytes > 0 ? config->snaplen_bytes : SNAPLEN_MAX;
	int timeout = clamp_int(config->timeout_ms, TIMEOUT_MIN_MS, INT32_MAX);
	int result = pcap_set_snaplen(pcap, clamp_int(snaplen, 1, SNAPLEN_MAX));

	if (result == 0)
		result = pcap_set_promisc(pcap, config->promiscuous);
	if (result == 0)
		result = pcap_set_timeout(pcap, timeout);
	if (result == 0)
		result = pcap_set_immediate_mode(pcap, config->immediate);
	if (result == 0 && config->buffer_bytes > 0)
		result = pcap_set_buffer_size(pcap, config->buffer_bytes);
	return result;
}

/* Sets the program, behind what is to be run before it. */
static int set_program(pcap_t *pcap, const struct capture_config *config,
		       struct bpf_program *program)
{
	struct capture_insn *before = malloc(KERNEL_INSNS_MAX * sizeof(*before));
	struct bpf_program both = {.bf_len = 0};
	size_t count;
	int result = -1;

	if (!before)
		return -1;
	count = config->before(config->before_ctx, pcap_datalink(pcap), before, KERNEL_INSNS_MAX);
	both.bf_insns = calloc(count + program->bf_len, sizeof(*both.bf_insns));
	if (both.bf_insns) {
		memcpy(both.bf_insns, before, count * sizeof(*before));
		memcpy(both.bf_insns + count, program->bf_insns,
		       program->bf_len * sizeof(*program->bf_insns));
		both.bf_len = (unsigned)count + program->bf_len;
		result = pcap_setfilter(pcap, &both);
	}
	free(both.bf_insns);
	free(before);
	return result;
}

/* 0, or -1 with the compiler's words in error. */
static int set_filter(pcap_t *pcap, const struct capture_config *config,
		      char error[CAPTURE_ERROR_MAX])
{
	const char *filter = config->filter ? config->filter : "";
	struct bpf_program program;
	int result;

	if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		explain_filter(error, filter, pcap_geterr(pcap));
		return -1;
	}
	result = config->before ? set_program(pcap, config, &program)
				: pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	if (result < 0)
		snprintf(error, CAPTURE_ERROR_MAX,
			 "the kernel refuses the filter \"%.200s\": %.200s", filter,
			 pcap_geterr(pcap));
	return result < 0 ? -1 : 0;
}

/* Neither can fail in a way that matters: what one does not do, the other does. */
static void take_incoming_only(pcap_t *pcap)
{
	int on = 1;

	(void)pcap_setdirection(pcap, PCAP_D_IN);
	(void)setsockopt(pcap_fileno(pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
}

static int start(pcap_t *pcap, const struct capture_config *config, char error[CAPTURE_ERROR_MAX])
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int result = configure(pcap, config);

	if (result == 0)
		result = pcap_activate(pcap); /* a positive result is a warning */
	if (result < 0) {
		explain_activate(error, config->device, pcap, result);
		return -1;
	}
	if (set_filter(pcap, config, error) < 0)
		return -1;
	if (config->ignore_outgoing)
		take_incoming_only(pcap);
	if (pcap_setnonblock(pcap, 1, text) < 0) {
		snprintf(error, CAPTURE_ERROR_MAX, "cannot capture on \"%s\": %s", config->device,
			 text);
		return -1;
	}
	return 0;
}

struct capture *capture_open(const struct capture_config *config, char error[CAPTURE_ERROR_MAX])
{
	char text[PCAP_ERRBUF_SIZE] = "";
	struct capture *c;

	if (!capture_device_exists(config->device)) {
		explain_unknown_device(error, config->device);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		snprintf(error, CAPTURE_ERROR_MAX, "out of memory");
		return NULL;
	}
	snprintf(c->device, sizeof(c->device), "%s", config->device);
	c->pcap = pcap_create(config->device, text);
	if (!c->pcap) {
		snprintf(error, CAPTURE_ERROR_MAX, "cannot capture on \"%s\": %s", config->device,
			 text);
		goto fail;
	}
	if (start(c->pcap, config, error) < 0)
		goto fail;
	c->fd = pcap_get_selectable_fd(c->pcap);
	c->link_type = pcap_datalink(c->pcap);
	return c;
fail:
	capture_close(c);
	return NULL;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap);
	free(c);
}

int capture_fd(const struct capture *c)
{
	return c->fd;
}

int capture_link_type(const struct capture *c)
{
	return c->link_type;
}

const char *capture_device(const struct capture *c)
{
	return c->device;
}

/* ---- the device ---- */

/* The device that the socket hears; 0: all, -1: one that is no more, or it cannot be told. */
static int bound_index(int fd)
{
	struct sockaddr_ll at;
	socklen_t len = sizeof(at);

	memset(&at, 0, sizeof(at));
	return getsockname(fd, (struct sockaddr *)&at, &len) < 0 ? -1 : at.sll_ifindex;
}

enum capture_state capture_state(const struct capture *c)
{
	int fd = pcap_fileno(c->pcap);
	int index = bound_index(fd);
	struct ifreq request;

	if (index == 0)
		return CAPTURE_LISTENS;
	if (index < 0 || (unsigned)index != if_nametoindex(c->device))
		return CAPTURE_DEVICE_GONE;
	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, c->device, sizeof(request.ifr_name));
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return CAPTURE_DEVICE_GONE;
	return request.ifr_flags & IFF_UP ? CAPTURE_LISTENS : CAPTURE_DEVICE_DOWN;
}

/* ---- reading ---- */

struct delivery {
	capture_frame_fn *fn;
	void *ctx;
};

static void deliver(u_char *user, const struct pcap_pkthdr *h, const u_char *frame)
{
	const struct delivery *d = (const struct delivery *)(void *)user;
	uint64_t wall_us = (uint64_t)h->ts.tv_sec * 1000000 + (uint64_t)h->ts.tv_usec;

	d->fn(d->ctx, frame, h->caplen, h->len, wall_us);
}

int capture_dispatch(struct capture *c, int max, capture_frame_fn *fn, void *ctx)
{
	struct delivery d = {.fn = fn, .ctx = ctx};
	int result;

	assert(max > 0);
	result = pcap_dispatch(c->pcap, max, deliver, (u_char *)&d);
	return result < 0 ? -1 : result;
}

const char *capture_error(struct capture *c)
{
	return pcap_geterr(c->pcap);
}

int capture_get_stats(struct capture *c, struct capture_stats *stats)
{
	struct pcap_stat now;

	if (pcap_stats(c->pcap, &now) < 0)
		return -1;
	c->total.received += (uint32_t)(now.ps_recv - c->received_last);
	c->total.dropped += (uint32_t)(now.ps_drop - c->dropped_last);
	c->received_last = now.ps_recv;
	c->dropped_last = now.ps_drop;
	*stats = c->total;
	return 0;
}

int capture_check_filter(const char *filter, char error[CAPTURE_ERROR_MAX])
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN_MAX);
	struct bpf_program program;
	int result;

	if (!pcap) {
		snprintf(error, CAPTURE_ERROR_MAX, "out of memory");
		return -1;
	}
	result = pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN);
	if (result < 0)
		explain_filter(error, filter, pcap_geterr(pcap));
	else
		pcap_freecode(&program);
	pcap_close(pcap);
	return result < 0 ? -1 : 0;
}

/* ---- filtering here ---- */

struct capture_ip_filter {
	struct bpf_program program;
};

struct capture_ip_filter *capture_ip_filter_new(const char *filter, char error[CAPTURE_ERROR_MAX])
{
	struct capture_ip_filter *f = calloc(1, sizeof(*f));
	pcap_t *pcap = pcap_open_dead(DLT_RAW, SNAPLEN_MAX);
	bool is_compiled = false;

	if (!f || !pcap) {
		snprintf(error, CAPTURE_ERROR_MAX, "out of memory");
	} else {
		is_compiled = pcap_compile(pcap, &f->program, filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
		if (!is_compiled)
			explain_filter(error, filter, pcap_geterr(pcap));
	}
	if (pcap)
		pcap_close(pcap);
	if (is_compiled)
		return f;
	free(f);
	return NULL;
}

void capture_ip_filter_free(struct capture_ip_filter *f)
{
	if (!f)
		return;
	pcap_freecode(&f->program);
	free(f);
}

bool capture_ip_filter_takes(const struct capture_ip_filter *f, const uint8_t *packet,
			     size_t captured_len_bytes, size_t wire_len_bytes)
{
	const struct pcap_pkthdr header = {.caplen = (bpf_u_int32)captured_len_bytes,
					   .len = (bpf_u_int32)wire_len_bytes};

	return pcap_offline_filter(&f->program, &header, packet) != 0;
}
