/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * online_capture.h - all devices that tcpcopy captures on: which they are, their filter, their
 * events, and opening them again when one fails or the host's addresses change. One failing device
 * never ends anything.
 */
#ifndef TCPCOPY_ONLINE_CAPTURE_H
#define TCPCOPY_ONLINE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/capture.h"
#include "common/endpoint.h"
#include "tcpcopy/online_filter.h"
#include "tcpcopy/options.h"

struct event_base;
struct online_capture;

/*
 * A frame, borrowed during the call; link_type is PACKET_LINK_MIRRORED as well where a source of -x is
 * no address of this host. now_us is monotonic, one value a batch.
 */
typedef void online_frame_fn(void *ctx, int link_type, const uint8_t *frame,
			     size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us);

/*
 * Opens all devices, for a share of the connections and with that share of the memory of -B. Borrows
 * base, options and ctx. NULL with a sentence in error: a source that no device carries, or what
 * capture_open says.
 */
struct online_capture *online_capture_open(struct event_base *base,
					   const struct tcpcopy_options *options,
					   const struct online_share *share,
					   const struct ip_addr *addresses, size_t address_count,
					   online_frame_fn *fn, void *ctx,
					   char error[CAPTURE_ERROR_MAX]);
void online_capture_close(struct online_capture *o);
/* The host's addresses or devices have changed: new filter, new devices where they differ. */
void online_capture_on_change(struct online_capture *o, const struct ip_addr *addresses,
			      size_t address_count);
/* Call once a second: opens again what had failed. */
void online_capture_on_tick(struct online_capture *o);
/* The source of -x that is another host's, so that what is captured is a mirror's; NULL: none is. */
const struct endpoint *online_capture_mirrored(const struct online_capture *o);
/* Since the start, over all devices, also those that were closed. */
void online_capture_get_stats(const struct online_capture *o, struct capture_stats *stats);
/*
 * Whether an address of this host counts where -x names none: not fe80::/10. Ports of bridges and
 * the host's ends of containers have such an address and no other; their traffic is seen on the
 * bridge already, and they come and go all day.
 */
bool online_capture_counts(const struct ip_addr *a);
/* The name of a device, by number from 0; NULL behind the last. */
const char *online_capture_device(const struct online_capture *o, size_t index);
/* How long the kernel is asked to hold packets back, at most, where there are few of them. */
int online_capture_timeout_ms(unsigned workers);
/* How long it really does: measured here and now, which takes some 50 ms. 0: it cannot be told. Needs no capture. */
uint32_t online_capture_latency_us(unsigned workers);
/* The largest MTU of the devices, in bytes. */
int online_capture_mtu(const struct online_capture *o);
#endif
