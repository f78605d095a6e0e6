/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_capture_latency.c - what a probe of the capture has seen as one figure, and as a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tcpcopy/capture_latency.h"

static void samples_that_waited_for_a_processor_do_not_count(void **state)
{
	uint32_t samples_us[] = {1003, 5800, 998, 640, 1001};

	(void)state;
	assert_int_equal(capture_latency_of(samples_us, 5), 1001);
}

static void two_samples_do(void **state)
{
	uint32_t samples_us[] = {20050, 19990};

	(void)state;
	assert_int_equal(capture_latency_of(samples_us, 2), 20050);
	assert_int_equal(capture_latency_of(samples_us, 1), 19990);
}

static void without_a_sample_it_is_not_known(void **state)
{
	(void)state;
	assert_int_equal(capture_latency_of(NULL, 0), 0);
}

static void latency_as_asked_for_is_one_sentence(void **state)
{
	char text[CAPTURE_LATENCY_TEXT_MAX];

	(void)state;
	assert_string_equal(capture_latency_text(text, sizeof(text), 1049, 1),
			    "captured packets are handed over after 1.0 ms at most (measured)");
	assert_string_equal(capture_latency_text(text, sizeof(text), 1950, 1),
			    "captured packets are handed over after 2.0 ms at most (measured)");
}

static void long_latency_is_explained(void **state)
{
	char text[CAPTURE_LATENCY_TEXT_MAX];

	(void)state;
	capture_latency_text(text, sizeof(text), 19999, 1);
	assert_non_null(strstr(text, "after 20.0 ms at most (measured), not after 1: "));
	assert_non_null(strstr(text, "before Linux 6.18"));
	assert_non_null(strstr(text, "nothing is lost"));
	assert_non_null(strstr(text, "CONFIG_HZ=1000"));
	assert_true(strlen(text) < sizeof(text) - 1); /* and whole */
}

/* Ticks of 1, 4 and 10 ms, once or twice; the first is all that a kernel can do. */
static void ticks_of_a_millisecond_are_fine(void **state)
{
	static const uint32_t fine[] = {1000, 2050, 3020, 4100};
	static const uint32_t not_fine[] = {7900, 8100, 9900, 20000};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_false(capture_latency_is_long(fine[i]));
		assert_true(capture_latency_is_long(not_fine[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_that_waited_for_a_processor_do_not_count),
		cmocka_unit_test(two_samples_do),
		cmocka_unit_test(without_a_sample_it_is_not_known),
		cmocka_unit_test(latency_as_asked_for_is_one_sentence),
		cmocka_unit_test(long_latency_is_explained),
		cmocka_unit_test(ticks_of_a_millisecond_are_fine),
	};

	return cmocka_run_group_tests_name("capture latency", tests, NULL, NULL);
}
