/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture.h - everything that is libpcap: open a live device, filter, read in batches, count.
 * A shell around system things; nothing here knows TCP.
 */
#ifndef COMMON_CAPTURE_H
#define COMMON_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CAPTURE_ERROR_MAX = 512,
};

/* An instruction of the kernel's classic packet filter. */
struct capture_insn {
	uint16_t code;
	uint8_t jump_true;
	uint8_t jump_false;
	uint32_t k;
};

/*
 * Writes at most max instructions that are run before a filter, for frames of this link type. They
 * decide by returning, or go on behind the last one. Returns how many; 0: none.
 */
typedef size_t capture_before_fn(void *ctx, int link_type, struct capture_insn *insns, size_t max);

struct capture_config {
	const char *device;        /* a name or "any" */
	const char *filter;        /* pcap expression; NULL takes all */
	capture_before_fn *before; /* NULL: nothing is run before the filter */
	void *before_ctx;
	int snaplen_bytes;
	int buffer_bytes;
	int timeout_ms;       /* how long the kernel may gather; ignored when immediate */
	bool immediate;       /* a wake-up a packet, lowest latency */
	bool ignore_outgoing; /* PACKET_IGNORE_OUTGOING: only what this host receives */
	bool promiscuous;
};

struct capture;

/* Counters of the kernel since the capture was opened. */
struct capture_stats {
	uint64_t received; /* passed the filter, drops included */
	uint64_t dropped;  /* of these, lost for want of room */
};

/*
 * A frame as the kernel gave it; borrowed during the call. The time is that of the capture in
 * CLOCK_REALTIME microseconds: for reports only, never for a timer.
 */
typedef void capture_frame_fn(void *ctx, const uint8_t *frame, size_t captured_len_bytes,
			      size_t wire_len_bytes, uint64_t wall_us);

/*
 * NULL with a message in error that names the device, what is wrong and the remedy: an unknown
 * device (lists those there are), a filter that does not compile, no privilege (names CAP_NET_RAW).
 */
struct capture *capture_open(const struct capture_config *config, char error[CAPTURE_ERROR_MAX]);
void capture_close(struct capture *c);
/* Readable when there is a batch to dispatch. */
int capture_fd(const struct capture *c);
int capture_link_type(const struct capture *c);
const char *capture_device(const struct capture *c);
/*
 * Hands at most max frames to fn without blocking. Returns how many, or -1 on an error of the
 * device (it went down or away), with text from capture_error.
 */
int capture_dispatch(struct capture *c, int max, capture_frame_fn *fn, void *ctx);
const char *capture_error(struct capture *c);

enum capture_state {
	CAPTURE_LISTENS,
	CAPTURE_DEVICE_DOWN, /* the handle goes on by itself when the device is up again */
	CAPTURE_DEVICE_GONE, /* or another one has its name now: this handle hears nothing any more */
};

/*
 * Looks after the device, which libpcap does not always: a handle to a device that was deleted stays
 * silent for ever when another of that name has come at once. Two system calls.
 */
enum capture_state capture_state(const struct capture *c);
/* 0, or -1 if the kernel does not tell. */
int capture_get_stats(struct capture *c, struct capture_stats *stats);
/*
 * Compiles a filter without a device, for checking options before anything is opened.
 * 0, or -1 with the compiler's message in error.
 */
int capture_check_filter(const char *filter, char error[CAPTURE_ERROR_MAX]);
/*
 * A filter to be run on packets here: one that begins with its IP header, as found by the caller. NULL
 * with a message in error if it does not compile, as one does not that asks for Ethernet addresses.
 */
struct capture_ip_filter;
struct capture_ip_filter *capture_ip_filter_new(const char *filter, char error[CAPTURE_ERROR_MAX]);
void capture_ip_filter_free(struct capture_ip_filter *f);
bool capture_ip_filter_takes(const struct capture_ip_filter *f, const uint8_t *packet,
			     size_t captured_len_bytes, size_t wire_len_bytes);
/* Whether a device of this name exists ("any" always does); needs no privilege. */
bool capture_device_exists(const char *device);
/* Their names, comma-separated, for messages. */
const char *capture_device_list(char *buf, size_t size);
#endif
