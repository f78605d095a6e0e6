/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture_probe.c - see capture_probe.h. The block timer of a ring runs all the time, so the first frame waits for some part of its
 * period. Each further one is sent when a block has just been handed over, and waits for the whole of it.
 *
 * Frames are plain Ethernet, not IP: neither the host's addresses nor its firewall and connection tracking have anything to do
 * with them, and whatever has no protocol is dropped behind the captures.
 */
#include "common/capture_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/capture.h"
#include "common/clock.h"

enum {
	ETHERTYPE_EXPERIMENT = 0x88b5, /* IEEE 802: for local experiments */
	FILTER_MAX = 80,
	SNAPLEN_BYTES = 128,
	BUFFER_BYTES = 1 << 20, /* some blocks; how many does not matter */
	DISPATCH_FRAMES = 16,
};

static const char loopback[] = "lo";

/* What a frame says to those who see it. */
struct message {
	uint32_t cookie; /* of this probe: others may run at the same time */
	char text[60];
};

struct probe {
	struct capture *capture;
	int fd;
	struct sockaddr_ll to;
	struct message message;
	uint64_t deadline_us;
	bool is_seen;
};

/* Whether it is up, and no other device that has the name: frames would leave the host. It needs no address. */
static bool is_loopback(int fd)
{
	struct ifreq request = {.ifr_flags = 0};

	memcpy(request.ifr_name, loopback, sizeof(loopback));
	return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP &&
	       request.ifr_flags & IFF_LOOPBACK;
}

static int open_capture(struct probe *p, int timeout_ms)
{
	char filter[FILTER_MAX], error[CAPTURE_ERROR_MAX];
	const struct capture_config config = {
		.device = loopback,
		.filter = filter,
		.snaplen_bytes = SNAPLEN_BYTES,
		.buffer_bytes = BUFFER_BYTES,
		.timeout_ms = timeout_ms,
		.ignore_outgoing = true, /* each would come twice */
	};

	snprintf(filter, sizeof(filter), "ether proto 0x%x and ether[%d:4] = 0x%08x",
		 (unsigned)ETHERTYPE_EXPERIMENT, ETH_HLEN, ntohl(p->message.cookie));
	p->capture = capture_open(&config, error);
	return p->capture ? 0 : -1;
}

static int probe_open(struct probe *p, int timeout_ms)
{
	*p = (struct probe){
		.fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), /* 0: it receives nothing */
		.to = {.sll_family = AF_PACKET,
		       .sll_protocol = htons(ETHERTYPE_EXPERIMENT),
		       .sll_ifindex = (int)if_nametoindex(loopback),
		       .sll_halen = ETH_ALEN}, /* its MAC is zero */
		.message.text = "tcpcopy measures its capture latency",
	};
	if (p->fd == -1 || !is_loopback(p->fd) ||
	    getrandom(&p->message.cookie, sizeof(p->message.cookie), GRND_NONBLOCK) < 0 ||
	    open_capture(p, timeout_ms))
		return -1;
	p->deadline_us = clock_now_us() + (uint64_t)CAPTURE_PROBE_MS * 1000;
	return 0;
}

static void probe_close(struct probe *p)
{
	capture_close(p->capture);
	if (p->fd != -1)
		close(p->fd);
}

static void on_frame(void *ctx, const uint8_t *frame, size_t captured_len_bytes,
		     size_t wire_len_bytes, uint64_t wall_us)
{
	struct probe *p = ctx;

	(void)frame;
	(void)captured_len_bytes;
	(void)wire_len_bytes;
	(void)wall_us;
	p->is_seen = true;
}

static int wait_for_frame(struct probe *p)
{
	struct pollfd readable = {.fd = capture_fd(p->capture), .events = POLLIN};

	p->is_seen = false;
	for (;;) {
		uint64_t now_us = clock_now_us();

		if (capture_dispatch(p->capture, DISPATCH_FRAMES, on_frame, p) < 0)
			return -1;
		if (p->is_seen)
			return 0;
		if (now_us >= p->deadline_us)
			return -1;
		if (poll(&readable, 1, (int)((p->deadline_us - now_us) / 1000) + 1) < 0 &&
		    errno != EINTR)
			return -1;
	}
}

/* By the monotonic clock; the frame is in the ring before sendto returns, or a moment later. */
static int take_sample(struct probe *p, uint32_t *sample_us)
{
	uint64_t sent_us = clock_now_us();

	if (sendto(p->fd, &p->message, sizeof(p->message), MSG_DONTWAIT,
		   (const struct sockaddr *)&p->to, sizeof(p->to)) < 0 ||
	    wait_for_frame(p))
		return -1;
	*sample_us = (uint32_t)(clock_now_us() - sent_us);
	return 0;
}

size_t capture_probe(int timeout_ms, uint32_t *samples_us, size_t max)
{
	struct probe p;
	uint32_t first_us;
	size_t count = 0;

	if (probe_open(&p, timeout_ms) == 0 && take_sample(&p, &first_us) == 0) {
		while (count < max && take_sample(&p, &samples_us[count]) == 0)
			count++;
	}
	probe_close(&p);
	return count;
}
