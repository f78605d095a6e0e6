/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_intercept_report.c - the line that people read and the JSON that programs read.
 */
#include "intercept/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct report_facts some_facts(void)
{
	return (struct report_facts){
		.counters = {.frames = 110,
			     .captured = 100,
			     .not_tcp = 10,
			     .routed = 80,
			     .unrouted = 20,
			     .records = 40,
			     .kernel_dropped = 3,
			     .peers_up = 2,
			     .routes = 1234},
		.memory_bytes = 5555,
		.uptime_s = 60,
	};
}

static void quiet_line_has_what_always_matters(void **state)
{
	struct report_facts facts = some_facts();
	char line[REPORT_LINE_MAX];

	(void)state;
	assert_string_equal(report_line(line, sizeof(line), &facts),
			    "peers 2, sessions 1234, total captured packets 100, routed 80, "
			    "unrouted 20, records 40, dropped by kernel 3");
}

static void trouble_is_added_by_name(void **state)
{
	struct report_facts facts = some_facts();
	char line[REPORT_LINE_MAX];

	(void)state;
	facts.counters.dropped = 7;
	facts.counters.duplicate = 8;
	facts.counters.peer_faults[PEER_FAULT_GARBAGE] = 9;
	facts.counters.peer_faults[PEER_FAULT_LEFT] = 10; /* nothing wrong with that */
	report_line(line, sizeof(line), &facts);
	assert_non_null(strstr(line, ", dropped for slow peers 7, duplicates 8, strangers 9"));
	assert_null(strstr(line, "left"));
}

static void largest_numbers_are_cut_at_the_buffer(void **state)
{
	struct report_facts facts;
	char line[REPORT_LINE_MAX + 1];

	(void)state;
	memset(&facts, 0xff, sizeof(facts));
	for (size_t size = 1; size <= REPORT_LINE_MAX; size++) {
		line[size] = '#';
		report_line(line, size, &facts);
		assert_true(strlen(line) < size);
		assert_int_equal(line[size], '#');
	}
}

static void expect_in(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("%s\nlacks %s", text, words);
}

static void json_has_every_group(void **state)
{
	struct report_facts facts = some_facts();
	struct stats_json j;

	(void)state;
	facts.counters.peer_faults[PEER_FAULT_VERSION] = 4;
	stats_json_init(&j);
	report_json(&facts, &j);
	assert_false(j.failed);
	assert_int_equal(j.depth, 0);
	expect_in(j.text, "\"program\": \"intercept\"");
	expect_in(j.text, "\"captured\": 100");
	expect_in(j.text, "\"routed\": 80");
	expect_in(j.text, "\"active\": 1234");
	expect_in(j.text, "\"sent\": 40");
	expect_in(j.text, "\"other_version\": 4");
	expect_in(j.text, "\"memory_bytes\": 5555");
	stats_json_fini(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_line_has_what_always_matters),
		cmocka_unit_test(trouble_is_added_by_name),
		cmocka_unit_test(largest_numbers_are_cut_at_the_buffer),
		cmocka_unit_test(json_has_every_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
