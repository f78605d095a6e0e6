/* SPDX-License-Identifier: BSD-2-Clause */
/* test_response_bounds.c - what does not fit a record's fields goes into another one. */
#include "tests/unit/response_fixture.h"

/* A count of 0 is what no decoder takes; one that wraps would hide 65536 duplicates. */
static void record_holds_65535_segments_at_most(void **state)
{
	struct fixture *f = fixture_registered();

	(void)state;
	for (unsigned i = 0; i < 65536 + 10; i++)
		FRAME(f, .flags = ".", .seq = 1, .ack = 501, .ip_id = (uint16_t)(i % 60000 + 1));
	expect(f, "0: 7 . 1:1(0) ack 501 win 500 x65535\n"
		  "0: 7 . 1:1(0) ack 501 win 500 x11\n");
	assert_int_equal(counters(f).routed, 65536 + 10);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_holds_65535_segments_at_most),
	};

	return cmocka_run_group_tests_name("response, bounds", tests, NULL, NULL);
}
