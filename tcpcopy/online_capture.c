/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_capture.c - see online_capture.h. Capture is in ring blocks of a millisecond, not
 * immediate: the delay of the online capture only shifts the copy, and costs a tenth of the
 * processor time. Outgoing packets are wanted: SYN-ACK, FIN and RST of the online server.
 */
#include "tcpcopy/online_capture.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/capture_probe.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/netdev.h"
#include "common/packet.h"
#include "tcpcopy/capture_latency.h"
#include "tcpcopy/diagnosis.h"
#include "tcpcopy/mirror.h"
#include "tcpcopy/online.h"

enum {
	DISPATCH_MAX = 256, /* frames a turn: the other descriptors get theirs */
	DISPATCH_FRAMES = 16,
	DISPATCH_BYTES =
		1 << 20, /* of super-packets: an upload needs its acknowledgements read too */
	CAPTURE_TIMEOUT_MS = 1,
	CAPTURE_TIMEOUT_MAX_MS = 3, /* a silence of 5 ms means something to those who join */
	LATENCY_SAMPLES = 5,
	DEVICE_ADDRESSES_MAX = 256, /* looked at on one device */
	FULL_BUFFERS = 4,           /* from the fifth device on they share the memory of four */
	BUFFER_MIN_KB = 1024,
	DRAIN_CALLS_MAX = 64,
	MTU_DEFAULT = 1500,
};

static_assert(CAPTURE_TIMEOUT_MAX_MS * 1000 <= ONLINE_CAPTURE_US, "what a boundary reckons with");

struct device {
	struct online_capture *owner;
	char name[NETDEV_NAME_MAX];
	struct capture *capture; /* NULL: failed, tried again every second */
	struct event *readable;
	int link_type;
	bool is_reported; /* its failure is in the log */
	bool is_down;     /* and so is this */
};

struct device_names {
	char names[OPTIONS_DEVICES_MAX][NETDEV_NAME_MAX];
	size_t count;
	bool overflow;
};

struct online_capture {
	struct event_base *base;
	const struct tcpcopy_options *options;
	struct online_share share;
	online_frame_fn *fn;
	void *ctx;
	char *filter;
	uint64_t mirrored; /* the pairs of -x whose sources are other hosts' (mirror_pairs) */
	struct capture_ip_filter
		*unwrapped; /* -F, for what the kernel cannot apply it to; or NULL */
	struct device *devices[OPTIONS_DEVICES_MAX];
	size_t device_count;
	struct device *retired[OPTIONS_DEVICES_MAX]; /* replaced, and read for a little longer */
	size_t retired_count;
	bool is_retired_long;        /* for a tick at least */
	struct capture_stats closed; /* counters of handles that are gone */
	uint64_t now_us;             /* of the batch under way */
	size_t turn_bytes;           /* dispatched in this turn */
};

/* --- which devices --- */

bool online_capture_counts(const struct ip_addr *a)
{
	return !ip_addr_is_link_local(a);
}

struct selection {
	const struct tcpcopy_options *options;
	struct device_names *names;
	struct netdev_address *addresses; /* of all devices */
	int address_count;
	bool is_carried[TRANSFERS_MAX]; /* sources that some device has */
};

static void names_add(struct device_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->names[i], name) == 0)
			return;
	}
	if (names->count == OPTIONS_DEVICES_MAX) {
		names->overflow = true;
		return;
	}
	snprintf(names->names[names->count++], NETDEV_NAME_MAX, "%s", name);
}

static bool has_own_address(const struct ip_addr *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (online_capture_counts(&addresses[i]))
			return true;
	}
	return false;
}

/* Whether the device has an address for this pair. The clients that -H is for are on lo alone. */
static bool device_carries(const struct tcpcopy_options *options, const struct netdev *d,
			   const struct transfer *t, const struct ip_addr *addresses, size_t count)
{
	bool has_localhost = options->has_localhost_ip4 || options->has_localhost_ip6;

	if (ip_addr_is_unspecified(&t->source.addr))
		return d->is_loopback ? has_localhost : has_own_address(addresses, count);
	if (ip_addr_is_loopback(&t->source.addr))
		return d->is_loopback;
	for (size_t i = 0; i < count; i++) {
		if (ip_addr_equal(&addresses[i], &t->source.addr))
			return true;
	}
	return false;
}

static int select_device(void *ctx, const struct netdev *d)
{
	struct selection *s = ctx;
	struct ip_addr addresses[DEVICE_ADDRESSES_MAX];
	size_t count = 0;

	if (!d->is_up)
		return 0;
	for (int i = 0; i < s->address_count && count < DEVICE_ADDRESSES_MAX; i++)
		if (strcmp(s->addresses[i].device, d->name) == 0)
			addresses[count++] = s->addresses[i].addr;
	for (size_t i = 0; i < s->options->transfer_count; i++) {
		if (!device_carries(s->options, d, &s->options->transfers[i], addresses, count))
			continue;
		s->is_carried[i] = true;
		names_add(s->names, d->name);
	}
	return 0;
}

static int refuse_source(const struct transfer *t, char error[CAPTURE_ERROR_MAX])
{
	char text[IP_ADDR_TEXT_MAX];

	if (ip_addr_is_unspecified(&t->source.addr))
		snprintf(error, CAPTURE_ERROR_MAX,
			 "no device of this host is up and has an address; name one with -i, for "
			 "example -i eth0");
	else
		snprintf(error, CAPTURE_ERROR_MAX,
			 "no device of this host carries %s, a source of -x; name the device on "
			 "which its traffic passes, for example -i eth0",
			 ip_addr_format(text, sizeof(text), &t->source.addr));
	return -1;
}

/* -1 with a sentence if some source is on no device. */
static int select_devices(const struct tcpcopy_options *options, struct device_names *names,
			  char error[CAPTURE_ERROR_MAX])
{
	struct selection s = {.options = options, .names = names};

	memset(names, 0, sizeof(*names));
	for (size_t i = 0; i < options->device_count; i++)
		names_add(names, options->devices[i]);
	if (options->device_count)
		return 0;
	s.address_count = netdev_all_addresses(&s.addresses);
	netdev_for_each(select_device, &s);
	if (s.address_count >= 0)
		free(s.addresses);
	if (names->overflow) {
		names->count = 0;
		names_add(names, "any");
	}
	for (size_t i = 0; i < options->transfer_count; i++) {
		if (!s.is_carried[i])
			return refuse_source(&options->transfers[i], error);
	}
	return 0;
}

/* --- one device --- */

/* All workers see the same of a device; the first one tells. */
static bool speaks(const struct online_capture *o)
{
	return o->share.index == 0;
}

/*
 * Whether -F lets a mirror's frame pass. The kernel has applied it to what is in no tunnel and behind
 * one tag at most, which it had taken out; an innermost packet is looked at here.
 */
static bool passes_user_filter(const struct online_capture *o, int link_type, const uint8_t *frame,
			       size_t captured_len_bytes, size_t wire_len_bytes)
{
	struct packet p;
	size_t left;

	if (!o->options->filter ||
	    packet_parse(&p, link_type, frame, captured_len_bytes, wire_len_bytes) != PACKET_OK)
		return true; /* what cannot be read is counted */
	if (!p.tunnels && !p.vlan_tags)
		return true;
	if (!o->unwrapped)
		return !p.tunnels && p.vlan_tags == 1;
	left = (size_t)(p.payload - p.ip) + p.payload_len_bytes;
	return capture_ip_filter_takes(o->unwrapped, p.ip, left, left);
}

static void on_frame(void *ctx, const uint8_t *frame, size_t captured_len_bytes,
		     size_t wire_len_bytes, uint64_t wall_us)
{
	struct device *d = ctx;
	struct online_capture *o = d->owner;
	int link_type = d->link_type;

	(void)wall_us;
	o->turn_bytes += captured_len_bytes;
	if (o->mirrored) {
		link_type |= PACKET_LINK_MIRRORED;
		if (!passes_user_filter(o, link_type, frame, captured_len_bytes, wire_len_bytes))
			return;
	}
	o->fn(o->ctx, link_type, frame, captured_len_bytes, wire_len_bytes, o->now_us);
}

static void device_close(struct device *d)
{
	struct capture_stats stats;

	if (d->readable)
		event_free(d->readable);
	d->readable = NULL;
	if (d->capture && capture_get_stats(d->capture, &stats) == 0) {
		d->owner->closed.received += stats.received;
		d->owner->closed.dropped += stats.dropped;
	}
	capture_close(d->capture);
	d->capture = NULL;
	d->is_down = false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct device *d = arg;
	int n = 0;

	(void)fd;
	(void)what;
	d->owner->now_us = clock_now_us();
	d->owner->turn_bytes = 0;
	for (int frames = 0; frames < DISPATCH_MAX; frames += n) {
		n = capture_dispatch(d->capture, DISPATCH_FRAMES, on_frame, d);
		if (n < DISPATCH_FRAMES || d->owner->turn_bytes >= DISPATCH_BYTES)
			break;
	}
	if (n >= 0)
		return;
	if (speaks(d->owner))
		log_warn("capture on %s failed: %s; trying again every second", d->name,
			 capture_error(d->capture));
	d->is_reported = true;
	device_close(d);
}

static int buffer_bytes(const struct online_capture *o)
{
	size_t kb = (size_t)o->options->buffer_mb * 1024 / o->share.count;

	if (o->device_count > FULL_BUFFERS)
		kb = kb * FULL_BUFFERS / o->device_count;
	return (int)(kb > BUFFER_MIN_KB ? kb : BUFFER_MIN_KB) * 1024;
}

/*
 * At a low rate a buffer bridges as many timeouts as it has blocks. With several workers each has a
 * part of the blocks and of the packets, so that it may gather for longer.
 */
int online_capture_timeout_ms(unsigned workers)
{
	int ms = CAPTURE_TIMEOUT_MS * (int)workers;

	return ms < CAPTURE_TIMEOUT_MAX_MS ? ms : CAPTURE_TIMEOUT_MAX_MS;
}

uint32_t online_capture_latency_us(unsigned workers)
{
	uint32_t samples_us[LATENCY_SAMPLES];
	size_t count =
		capture_probe(online_capture_timeout_ms(workers), samples_us, LATENCY_SAMPLES);

	return capture_latency_of(samples_us, count);
}

static size_t before_filter(void *ctx, int link_type, struct capture_insn *insns, size_t max)
{
	const struct online_capture *o = ctx;
	const struct mirror_sources sources = {
		.transfers = o->options->transfers,
		.transfer_count = o->options->transfer_count,
		.pairs = o->mirrored,
		.share = &o->share,
	};

	return mirror_filter(insns, max, link_type, &sources);
}

static int device_open(struct device *d, char error[CAPTURE_ERROR_MAX])
{
	struct online_capture *o = d->owner;
	const struct capture_config config = {
		.device = d->name,
		.filter = o->filter,
		.before = o->mirrored ? before_filter : NULL,
		.before_ctx = o,
		.promiscuous = o->options->promiscuous,
		.snaplen_bytes = o->options->snaplen_bytes,
		.buffer_bytes = buffer_bytes(o),
		.timeout_ms = online_capture_timeout_ms(o->share.count),
	};

	d->capture = capture_open(&config, error);
	if (!d->capture)
		return -1;
	d->link_type = capture_link_type(d->capture);
	d->readable =
		event_new(o->base, capture_fd(d->capture), EV_READ | EV_PERSIST, on_readable, d);
	if (!d->readable || event_add(d->readable, NULL) == -1) {
		snprintf(error, CAPTURE_ERROR_MAX, "no memory for the events of %s", d->name);
		device_close(d);
		return -1;
	}
	d->is_reported = false;
	return 0;
}

static void device_reopen(struct device *d)
{
	char error[CAPTURE_ERROR_MAX];

	if (device_open(d, error) < 0) {
		if (!d->is_reported && speaks(d->owner))
			log_warn("%s; trying again every second", error);
	} else if (speaks(d->owner)) {
		log_info("capturing on %s", d->name);
	}
	d->is_reported = d->capture == NULL;
}

/* --- all devices --- */

static struct device *device_new(struct online_capture *o, const char *name)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->owner = o;
	snprintf(d->name, sizeof(d->name), "%s", name);
	return d;
}

static void device_free(struct device *d)
{
	if (!d)
		return;
	device_close(d);
	free(d);
}

static char *make_filter(const struct online_capture *o, const struct ip_addr *addresses,
			 size_t address_count)
{
	return online_filter_text(o->options->transfers, o->options->transfer_count, addresses,
				  address_count, o->options->filter, &o->share);
}

static uint64_t mirrored_pairs(const struct online_capture *o, const struct ip_addr *addresses,
			       size_t address_count)
{
	return mirror_pairs(o->options->transfers, o->options->transfer_count, addresses,
			    address_count);
}

/* -F for packets that come wrapped. What asks for more than IP packets have cannot be applied to them. */
static void make_unwrapped_filter(struct online_capture *o)
{
	char error[CAPTURE_ERROR_MAX];

	if (!o->mirrored || !o->options->filter || o->unwrapped)
		return;
	o->unwrapped = capture_ip_filter_new(o->options->filter, error);
	if (!o->unwrapped && o->share.index == 0)
		log_plain(
			LOG_LEVEL_WARN,
			"-F %s asks for what only Ethernet frames have: no packet that comes in a "
			"tunnel, or behind two VLAN tags, will pass it",
			o->options->filter);
}

static void tell_mirrored(const struct online_capture *o)
{
	char text[DIAGNOSIS_LINE_MAX];

	if (o->mirrored && o->share.index == 0)
		log_plain(LOG_LEVEL_INFO, "%s",
			  diagnosis_mirror_text(text, sizeof(text), online_capture_mirrored(o),
						o->options->promiscuous));
}

struct online_capture *online_capture_open(struct event_base *base,
					   const struct tcpcopy_options *options,
					   const struct online_share *share,
					   const struct ip_addr *addresses, size_t address_count,
					   online_frame_fn *fn, void *ctx,
					   char error[CAPTURE_ERROR_MAX])
{
	struct online_capture *o = calloc(1, sizeof(*o));
	struct device_names names;

	snprintf(error, CAPTURE_ERROR_MAX, "no memory for the capture");
	if (!o)
		return NULL;
	o->base = base;
	o->options = options;
	o->share = *share;
	o->fn = fn;
	o->ctx = ctx;
	o->filter = make_filter(o, addresses, address_count);
	o->mirrored = mirrored_pairs(o, addresses, address_count);
	if (!o->filter || select_devices(options, &names, error))
		goto fail;
	make_unwrapped_filter(o);
	tell_mirrored(o);
	o->device_count = names.count; /* they share the buffers */
	for (size_t i = 0; i < names.count; i++) {
		o->devices[i] = device_new(o, names.names[i]);
		if (!o->devices[i] || device_open(o->devices[i], error))
			goto fail;
		if (speaks(o))
			log_plain(LOG_LEVEL_INFO, "capturing on %s", o->devices[i]->name);
	}
	return o;
fail:
	online_capture_close(o);
	return NULL;
}

void online_capture_close(struct online_capture *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->device_count; i++)
		device_free(o->devices[i]);
	for (size_t i = 0; i < o->retired_count; i++)
		device_free(o->retired[i]);
	capture_ip_filter_free(o->unwrapped);
	free(o->filter);
	free(o);
}

static bool same_devices(const struct online_capture *o, const struct device_names *names)
{
	if (o->device_count != names->count)
		return false;
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(o->devices[i]->name, names->names[i]) != 0)
			return false;
	}
	return true;
}

/* Takes the device of this name out of the list, or NULL. */
static struct device *take_device(struct device **devices, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		struct device *d = devices[i];

		if (!d || strcmp(d->name, name) != 0)
			continue;
		devices[i] = NULL;
		return d;
	}
	return NULL;
}

/* What the handle still holds. */
static void device_drain(struct device *d)
{
	for (int i = 0; d->capture && i < DRAIN_CALLS_MAX; i++) {
		if (capture_dispatch(d->capture, DISPATCH_MAX, on_frame, d) <= 0)
			return;
	}
}

static void close_retired(struct online_capture *o)
{
	o->now_us = clock_now_us();
	for (size_t i = 0; i < o->retired_count; i++) {
		device_drain(o->retired[i]);
		device_free(o->retired[i]);
	}
	o->retired_count = 0;
}

/*
 * Devices that stay keep their handle, unless the filter is another. New handles are opened before
 * old ones are retired. These are read for another second: the kernel hands a block over only
 * when its timeout has passed, so the last packets cannot be had yet. What both captured is counted
 * as duplicate, nothing is missed.
 */
static void replace_devices(struct online_capture *o, const struct device_names *names,
			    bool keep_handles)
{
	struct device *old[OPTIONS_DEVICES_MAX];
	size_t old_count = o->device_count, count = 0;

	memcpy(old, o->devices, sizeof(old));
	o->device_count = names->count;
	for (size_t i = 0; i < names->count; i++) {
		struct device *d = NULL;

		if (keep_handles)
			d = take_device(old, old_count, names->names[i]);
		if (!d && (d = device_new(o, names->names[i])) != NULL)
			device_reopen(d);
		if (d)
			o->devices[count++] = d;
	}
	o->device_count = count;
	close_retired(o); /* of an earlier change */
	o->is_retired_long = false;
	for (size_t i = 0; i < old_count; i++) {
		if (old[i])
			o->retired[o->retired_count++] = old[i];
	}
}

void online_capture_on_change(struct online_capture *o, const struct ip_addr *addresses,
			      size_t address_count)
{
	char *filter = make_filter(o, addresses, address_count);
	uint64_t mirrored = mirrored_pairs(o, addresses, address_count);
	char error[CAPTURE_ERROR_MAX];
	struct device_names names;
	bool same_filter;

	if (!filter)
		return;
	/* An address that is gone for a moment is no reason to stop listening where it was. */
	if (select_devices(o->options, &names, error)) {
		free(filter);
		return;
	}
	same_filter = strcmp(filter, o->filter) == 0 && mirrored == o->mirrored;
	free(o->filter);
	o->filter = filter;
	o->mirrored = mirrored;
	make_unwrapped_filter(o);
	if (same_filter && same_devices(o, &names))
		return;
	log_info("addresses or devices of this host have changed: the capture follows");
	replace_devices(o, &names, same_filter);
}

static void device_say(const struct device *d, enum capture_state state)
{
	if (!speaks(d->owner))
		return;
	if (state == CAPTURE_DEVICE_GONE)
		log_warn("device %s is gone, or is another one now; it is tried again every second",
			 d->name);
	else if (state == CAPTURE_DEVICE_DOWN && !d->is_down)
		log_warn("device %s is down: nothing is captured on it until \"ip link set dev %s "
			 "up\"",
			 d->name, d->name);
	else if (state == CAPTURE_LISTENS && d->is_down)
		log_info("device %s is up: capturing on it goes on", d->name);
}

static void device_look(struct device *d)
{
	enum capture_state state = capture_state(d->capture);

	device_say(d, state);
	d->is_down = state == CAPTURE_DEVICE_DOWN;
	if (state != CAPTURE_DEVICE_GONE)
		return;
	d->owner->now_us = clock_now_us();
	device_drain(d); /* what it still holds */
	device_close(d);
	d->is_reported = true;
}

void online_capture_on_tick(struct online_capture *o)
{
	if (o->is_retired_long)
		close_retired(o);
	o->is_retired_long = o->retired_count > 0;
	for (size_t i = 0; i < o->device_count; i++) {
		struct device *d = o->devices[i];

		if (d->capture)
			device_look(d);
		if (!d->capture)
			device_reopen(d);
	}
}

const struct endpoint *online_capture_mirrored(const struct online_capture *o)
{
	for (size_t i = 0; i < o->options->transfer_count; i++)
		if (o->mirrored >> i & 1)
			return &o->options->transfers[i].source;
	return NULL;
}

void online_capture_get_stats(const struct online_capture *o, struct capture_stats *stats)
{
	struct capture_stats one;

	*stats = o->closed;
	for (size_t i = 0; i < o->device_count + o->retired_count; i++) {
		const struct device *d =
			i < o->device_count ? o->devices[i] : o->retired[i - o->device_count];

		if (!d->capture || capture_get_stats(d->capture, &one))
			continue;
		stats->received += one.received;
		stats->dropped += one.dropped;
	}
}

const char *online_capture_device(const struct online_capture *o, size_t index)
{
	return index < o->device_count ? o->devices[index]->name : NULL;
}

static int largest_mtu(void *ctx, const struct netdev *d)
{
	int *mtu = ctx;

	if (d->is_up && !d->is_loopback && d->mtu_bytes > *mtu)
		*mtu = d->mtu_bytes;
	return 0;
}

int online_capture_mtu(const struct online_capture *o)
{
	int mtu = 0;

	for (size_t i = 0; i < o->device_count; i++) {
		struct netdev d;

		if (strcmp(o->devices[i]->name, "any") == 0)
			netdev_for_each(largest_mtu, &mtu);
		else if (netdev_by_name(&d, o->devices[i]->name) == 0 && d.mtu_bytes > mtu)
			mtu = d.mtu_bytes;
	}
	return mtu ? mtu : MTU_DEFAULT;
}
