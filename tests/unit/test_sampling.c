/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sampling.c - which clients are in a sample: as many as asked for, the same ones for ever; the ramp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcpcopy/sampling.h"

static struct endpoint client_of(uint32_t number)
{
	return (struct endpoint){ip_addr_v4(0x0a000000 + number / 50),
				 (uint16_t)(32768 + number % 50)};
}

static uint32_t taken_of(const struct sampling *s, uint32_t clients)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < clients; i++) {
		struct endpoint client = client_of(i);

		taken += sampling_takes(s, &client, 0);
	}
	return taken;
}

static void fifth_of_ten_thousand_clients_is_a_fifth(void **state)
{
	const struct sampling s = {.share_ppm = 200000};

	(void)state;
	assert_in_range(taken_of(&s, 10000), 1850, 2150);
}

static void shares_from_a_hundredth_of_a_percent_to_all_are_met(void **state)
{
	static const uint32_t shares_ppm[] = {100, 1000, 12500, 333333, 500000, 999000, 999900};

	(void)state;
	for (size_t i = 0; i < sizeof(shares_ppm) / sizeof(shares_ppm[0]); i++) {
		const struct sampling s = {.share_ppm = shares_ppm[i]};
		uint32_t wanted = shares_ppm[i];
		uint32_t left = SAMPLING_ALL_PPM - wanted;
		/* Four standard deviations, and the square root by its bound. */
		uint32_t slack = 40 + (wanted < left ? wanted : left) / 50;

		assert_in_range(taken_of(&s, 1000000), wanted - slack, wanted + slack);
	}
}

static void all_are_in_a_sample_of_all_and_none_in_one_of_nothing(void **state)
{
	(void)state;
	assert_int_equal(taken_of(&(struct sampling){.share_ppm = SAMPLING_ALL_PPM}, 100000),
			 100000);
	assert_int_equal(taken_of(&(struct sampling){.share_ppm = 0}, 100000), 0);
}

/* Users compare runs of today with those of last year: these places are promised. */
static void places_are_the_same_in_every_run_and_release(void **state)
{
	const struct endpoint v4 = {ip_addr_v4(0xc0a80001), 40000};
	const struct endpoint next = {ip_addr_v4(0xc0a80001), 40001};
	struct endpoint v6 = {.port = 40000};

	(void)state;
	assert_int_equal(ip_addr_parse(&v6.addr, "2001:db8::1"), 0);
	assert_int_equal(sampling_place_ppm(&v4, false), 123933);
	assert_int_equal(sampling_place_ppm(&next, false), 754573);
	assert_int_equal(sampling_place_ppm(&v6, false), 163215);
	assert_int_equal(sampling_place_ppm(&v4, true), 672131);
	assert_int_equal(sampling_place_ppm(&next, true), 672131);
}

static void smaller_sample_is_part_of_a_larger_one(void **state)
{
	const struct sampling small = {.share_ppm = 50000}, large = {.share_ppm = 300000};

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		struct endpoint client = client_of(i);

		if (sampling_takes(&small, &client, 0))
			assert_true(sampling_takes(&large, &client, 0));
	}
}

static void sample_by_client_takes_all_ports_of_an_address_or_none(void **state)
{
	const struct sampling s = {.share_ppm = 200000, .by_client = true};
	uint32_t addresses = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i += 50) {
		struct endpoint client = client_of(i);
		bool first = sampling_takes(&s, &client, 0);

		addresses += first;
		for (uint32_t k = 1; k < 50; k++) {
			client = client_of(i + k);
			assert_int_equal(sampling_takes(&s, &client, 0), first);
		}
	}
	assert_in_range(addresses, 330, 470); /* of 2,000 */
}

/* Otherwise a sample would be made of neighbours. */
static void neighbouring_ports_are_independent(void **state)
{
	const struct sampling s = {.share_ppm = 500000};
	uint32_t alike = 0;

	(void)state;
	for (uint32_t i = 0; i < 20000; i += 2) {
		struct endpoint a = client_of(i), b = client_of(i + 1);

		alike += sampling_takes(&s, &a, 0) == sampling_takes(&s, &b, 0);
	}
	assert_in_range(alike, 4800, 5200); /* of 10,000 */
}

static void ramp_grows_from_one_percent_and_never_falls(void **state)
{
	struct sampling s = {.share_ppm = 500000, .ramp_us = 100000000};
	uint32_t before = 0;

	(void)state;
	assert_int_equal(sampling_share_ppm(&s, 77), SAMPLING_RAMP_FIRST_PPM);
	sampling_begin(&s, 1000);
	sampling_begin(&s, 5000); /* once only */
	for (uint64_t at_us = 1000; at_us < 120000000; at_us += 10000) {
		uint32_t share_ppm = sampling_share_ppm(&s, at_us);

		assert_true(share_ppm >= before);
		before = share_ppm;
	}
	assert_int_equal(sampling_share_ppm(&s, 1000), SAMPLING_RAMP_FIRST_PPM);
	assert_in_range(sampling_share_ppm(&s, 50001000), 254900, 255000);
	assert_in_range(sampling_share_ppm(&s, 100000999), 499900, 500000);
	assert_int_equal(sampling_share_ppm(&s, 100001000), 500000);
	assert_int_equal(sampling_share_ppm(&s, UINT64_MAX), 500000);
}

static void share_below_one_percent_has_no_ramp(void **state)
{
	const struct sampling s = {.share_ppm = 5000, .ramp_us = 100000000};

	(void)state;
	assert_int_equal(sampling_share_ppm(&s, 0), 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifth_of_ten_thousand_clients_is_a_fifth),
		cmocka_unit_test(shares_from_a_hundredth_of_a_percent_to_all_are_met),
		cmocka_unit_test(all_are_in_a_sample_of_all_and_none_in_one_of_nothing),
		cmocka_unit_test(places_are_the_same_in_every_run_and_release),
		cmocka_unit_test(smaller_sample_is_part_of_a_larger_one),
		cmocka_unit_test(sample_by_client_takes_all_ports_of_an_address_or_none),
		cmocka_unit_test(neighbouring_ports_are_independent),
		cmocka_unit_test(ramp_grows_from_one_percent_and_never_falls),
		cmocka_unit_test(share_below_one_percent_has_no_ramp),
	};

	return cmocka_run_group_tests_name("sampling", tests, NULL, NULL);
}
