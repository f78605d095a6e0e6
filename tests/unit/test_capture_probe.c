/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_capture_probe.c - the probe of the capture latency against the real kernel, in a network namespace of its own, which has no
 * device but lo. A ring that is asked for 20 ms is what an older kernel makes of one that is asked for 1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/capture_probe.h"
#include "tcpcopy/capture_latency.h"

enum {
	SAMPLES = 5,
	TRIES = 20,
};

static int setup(void **state)
{
	static int is_alone;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 0;
	*state = &is_alone;
	return 0;
}

/* Up, it has no address: as on a host without IPv4. */
static void set_loopback(short flags)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = flags};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_not_equal(fd, -1);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	request.ifr_addr = (struct sockaddr){.sa_family = AF_INET};
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
	close(fd);
}

/* On a machine with other work to do a sample may be far off; the median of one try in many is not. */
static void expect_latency(int timeout_ms, uint32_t least_us, uint32_t most_us)
{
	uint32_t samples_us[SAMPLES], seen_us = 0;

	for (int i = 0; i < TRIES; i++) {
		size_t count = capture_probe(timeout_ms, samples_us, SAMPLES);

		assert_true(count <= SAMPLES);
		seen_us = capture_latency_of(samples_us, count);
		if (seen_us >= least_us && seen_us <= most_us)
			return;
	}
	fail_msg("asked for %d ms: %u us, and not %u to %u", timeout_ms, seen_us, least_us,
		 most_us);
}

static void frame_waits_for_as_long_as_the_ring_may_gather(void **state)
{
	if (!*state)
		skip();
	set_loopback(IFF_UP);
	expect_latency(20, 19000, 29000);
	/* Up to ticks of 10 ms, twice. */
	expect_latency(1, 900, 21000);
}

static void loopback_device_that_is_down_tells_nothing(void **state)
{
	uint32_t samples_us[SAMPLES];

	if (!*state)
		skip();
	set_loopback(0);
	assert_int_equal(capture_probe(1, samples_us, SAMPLES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(frame_waits_for_as_long_as_the_ring_may_gather, setup),
		cmocka_unit_test_setup(loopback_device_that_is_down_tells_nothing, setup),
	};

	return cmocka_run_group_tests_name("capture probe", tests, NULL, NULL);
}
