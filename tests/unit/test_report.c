/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_report.c - the familiar line, the block of the ledger and the JSON, from known counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcpcopy/report.h"
#include "tcpcopy/report_sum.h"

enum {
	TEXT_MAX = 8192,
};

struct fixture {
	struct ledger ledger;
	struct transfer transfers[2];
	struct report_link link;
	struct report_facts facts;
	char text[TEXT_MAX];
};

static void collect(void *ctx, const char *line)
{
	struct fixture *f = ctx;

	assert_null(strchr(line, '\n'));
	assert_true(strlen(f->text) + strlen(line) + 2 < TEXT_MAX);
	strcat(f->text, line);
	strcat(f->text, "\n");
}

/* One target, 1000 requests of 100 bytes captured and delivered, nothing wrong. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(ledger_init(&f->ledger, 1, 1), 0);
	assert_int_equal(ip_addr_parse(&f->transfers[0].target.addr, "10.0.0.2"), 0);
	f->transfers[0].target.port = 8080;
	f->transfers[0].source.port = 80;
	f->transfers[1] = f->transfers[0];
	assert_int_equal(ip_addr_parse(&f->transfers[1].target.addr, "10.0.0.4"), 0);
	for (int i = 0; i < 3000; i++)
		ledger_packet(&f->ledger, PACKET_FATE_USED);
	ledger_packet(&f->ledger, PACKET_FATE_DUPLICATE);
	ledger_captured(&f->ledger, 0, 0, 100000, 1000);
	ledger_delivered(&f->ledger, 0, 0, 100000, 1000);
	f->ledger.targets[0].sessions.active = 7;
	f->ledger.targets[0].sessions.established = 12;
	f->ledger.targets[0].traffic.syn_sent = 13;
	f->ledger.targets[0].traffic.segments_sent = 2500;
	f->ledger.targets[0].traffic.payload_segments_sent = 1001;
	f->ledger.targets[0].traffic.retransmitted = 3;
	f->ledger.targets[0].traffic.response_segments = 2100;
	f->ledger.targets[0].traffic.response_payload_segments = 1000;
	f->link.name = "10.0.0.3";
	f->link.state = INTERCEPT_LINK_UP;
	f->link.connections = 1;
	f->link.connections_up = 1;
	f->link.stats.connects = 1;
	f->facts = (struct report_facts){
		.ledger = &f->ledger,
		.transfers = f->transfers,
		.links = &f->link,
		.link_count = 1,
		.connections = 9,
		.memory_bytes = 1 << 20,
		.memory_max_bytes = UINT64_C(1) << 30,
		.uptime_s = 30,
		.workers = 1,
		.sample_ppm = 1000000,
		.capture_latency_us = 1002,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ledger_fini(&f->ledger);
	free(f);
	return 0;
}

static void familiar_line_has_the_names_that_guides_read(void **state)
{
	struct fixture *f = *state;

	report_familiar(&f->facts, collect, f);
	assert_string_equal(f->text,
			    "active:7, conns:12, resp:2100, c-resp:1000, send:2500, send "
			    "content:1001, syn cnt:13, all clt:3001, clt cont:1000, retransmit:3, "
			    "total captured packets:3001\n");
}

static void ledger_without_trouble_is_short(void **state)
{
	struct fixture *f = *state;

	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "  delivered            1000 requests           100000 "
					"bytes  100.00 %\n"));
	assert_non_null(strstr(f->text, "  in flight               0 requests                0 "
					"bytes\n"));
	assert_null(strstr(f->text, "dropped"));
	assert_null(strstr(f->text, "not sent"));
	assert_null(strstr(f->text, "not copied"));
	assert_null(strstr(f->text, "sample"));
	assert_null(strstr(f->text, "add up"));
	assert_non_null(strstr(f->text, "link         10.0.0.3 up"));
}

static void one_request_missing_is_not_a_hundred_percent(void **state)
{
	struct fixture *f = *state;

	ledger_captured(&f->ledger, 0, 0, 100000000, 1000000);
	ledger_delivered(&f->ledger, 0, 0, 99999900, 999999);
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "99.99 %"));
	assert_null(strstr(f->text, "100.00 %"));
	assert_non_null(strstr(f->text, "in flight               1 requests              100"));
}

static void drops_are_listed_by_cause_with_what_to_do(void **state)
{
	struct fixture *f = *state;

	ledger_captured(&f->ledger, 0, 0, 500, 5);
	ledger_dropped(&f->ledger, 0, 0, DROP_CAPTURE_GAP, 300, 3);
	ledger_dropped(&f->ledger, 0, 0, DROP_BACKLOG, 200, 2);
	f->ledger.targets[0].sessions.not_started[DROP_NO_INTERCEPT] = 4;
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "dropped                 3 requests              300 "
					"bytes  "));
	assert_non_null(strstr(f->text, drop_cause_text(DROP_CAPTURE_GAP)));
	assert_non_null(strstr(f->text, drop_cause_text(DROP_BACKLOG)));
	assert_null(strstr(f->text, drop_cause_text(DROP_SHUTDOWN)));
	assert_non_null(strstr(f->text, "not copied              4 connections"));
}

static void kernel_drops_sender_failures_and_pause_are_told(void **state)
{
	struct fixture *f = *state;

	f->facts.kernel.dropped = 55;
	f->facts.sender.failed = 3;
	f->facts.sender.failed_permission = 3;
	f->facts.sender.no_neighbour = 2;
	f->facts.is_paused = true;
	f->link.state = INTERCEPT_LINK_IDLE;
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "55 packets dropped before capture"));
	assert_non_null(strstr(f->text, "5 packets: no buffer 0, not permitted 3"));
	assert_non_null(strstr(f->text, "paused"));
	assert_non_null(strstr(f->text, "10.0.0.3 down"));
}

static void sample_is_told_with_its_fraction(void **state)
{
	struct fixture *f = *state;

	f->facts.sample_ppm = 12501;
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "  sample       1.2501 % of new connections\n"));
}

static void two_targets_have_a_line_each(void **state)
{
	struct fixture *f = *state;

	f->ledger.target_count = 2;
	ledger_captured(&f->ledger, 1, 0, 100, 1);
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "to 10.0.0.2:8080: captured 1000, delivered 1000 requests "
					"(100.00 %)"));
	assert_non_null(strstr(f->text, "to 10.0.0.4:8080: captured 1, delivered 0 requests "
					"(0.00 %)"));
}

static void copies_are_told_apart(void **state)
{
	static const char *const told[] = {
		"\"captured\": 10", "\"delivered\": 8",  "\"dropped\": 0",
		"\"captured\": 10", "\"delivered\": 9",  "\"dropped\": 1",
		"\"captured\": 10", "\"delivered\": 10", "\"dropped\": 0",
	};
	struct fixture *f = *state;
	struct stats_json j;
	const char *at;

	ledger_fini(&f->ledger);
	assert_int_equal(ledger_init(&f->ledger, 1, 3), 0);
	for (size_t copy = 0; copy < 3; copy++) {
		ledger_captured(&f->ledger, 0, copy, 1000, 10);
		ledger_delivered(&f->ledger, 0, copy, 800, 8 + copy);
	}
	ledger_dropped(&f->ledger, 0, 1, DROP_TARGET_RESET, 200, 1);
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "captured               30 requests"));
	assert_non_null(strstr(f->text, "copies                  3 of each connection, delivered "
					"8 to 10 requests each\n"));
	stats_json_init(&j);
	report_json(&f->facts, &j);
	at = strstr(j.text, "\"copies\": [");
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		assert_non_null(at);
		at = strstr(at, told[i]);
	}
	assert_non_null(at);
	stats_json_fini(&j);
}

static void one_copy_needs_no_line(void **state)
{
	struct fixture *f = *state;

	report_ledger(&f->facts, collect, f);
	assert_null(strstr(f->text, "copies"));
}

static void nothing_captured_has_no_share(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ledger_init(&f->ledger, 1, 1), 0);
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "0 bytes  -\n"));
}

static void sums_that_do_not_add_up_are_said_to_be_a_bug(void **state)
{
	struct fixture *f = *state;

	f->ledger.packets.captured++;
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "do not add up"));
}

static void extreme_counters_fit_their_lines(void **state)
{
	struct fixture *f = *state;

	memset(&f->ledger.targets[0].stream, 0xff, sizeof(f->ledger.targets[0].stream));
	memset(&f->ledger.targets[0].sessions, 0xff, sizeof(f->ledger.targets[0].sessions));
	memset(&f->ledger.packets, 0xff, sizeof(f->ledger.packets));
	memset(&f->facts.sender, 0xff, sizeof(f->facts.sender));
	report_familiar(&f->facts, collect, f);
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "total captured packets:18446744073709551615\n"));
}

/* Takes the white space out, which means nothing (no string of a report has any). */
static void compact(char *json)
{
	char *to = json;

	for (const char *from = json; *from; from++) {
		if (!strchr(" \t\n", *from))
			*to++ = *from;
	}
	*to = '\0';
}

/* Whether pair stands somewhere behind the first place of object. */
static bool json_has(const char *json, const char *object, const char *pair)
{
	const char *at = object ? strstr(json, object) : json;

	return at && strstr(at, pair);
}

/* -C: three of four connections are up. */
static void connections_to_an_intercept_are_counted(void **state)
{
	struct fixture *f = *state;
	struct report_link down = {.state = INTERCEPT_LINK_IDLE, .connections = 1};

	f->link.connections = f->link.connections_up = 3;
	down.stats.connects = 4;
	report_link_add(&f->link, &down);
	report_ledger(&f->facts, collect, f);
	assert_non_null(strstr(f->text, "link         10.0.0.3 up 3 of 4, connected 5 times"));
}

/* -j: what two workers say is the picture of one program. */
static void sum_of_two_workers_reads_like_one(void **state)
{
	struct fixture *f = *state;
	struct report_sum sum;

	assert_int_equal(report_sum_init(&sum, 1, 1), 0);
	report_sum_add(&sum, &f->facts); /* of a round before */
	report_sum_begin(&sum);
	report_sum_add(&sum, &f->facts);
	f->facts.kernel.dropped = 5;
	f->facts.sender.failed = f->facts.sender.failed_permission = 3;
	f->facts.is_paused = true;
	f->facts.uptime_s = 29;
	f->facts.sample_ppm = 10000;
	f->link.state = INTERCEPT_LINK_IDLE;
	f->link.connections_up = 0;
	report_sum_add(&sum, &f->facts);
	/* Nothing of them is needed any more. */
	memset(&f->ledger, 0, sizeof(f->ledger));
	memset(&f->link, 0, sizeof(f->link));
	assert_int_equal(sum.added, 2);
	assert_int_equal(sum.facts.workers, 2);
	assert_int_equal(sum.facts.capture_latency_us, 1002);
	report_ledger(&sum.facts, collect, f);
	assert_non_null(strstr(f->text, "ledger after 30 s (paused"));
	assert_non_null(strstr(f->text, "  delivered            2000 requests           200000 "
					"bytes  100.00 %\n"));
	assert_non_null(strstr(f->text, "6002 captured, used 6000, duplicate 2"));
	assert_non_null(strstr(f->text, "5 packets dropped before capture"));
	assert_non_null(strstr(f->text, "3 packets: no buffer 0, not permitted 3"));
	assert_non_null(strstr(f->text, "link         10.0.0.3 up 1 of 2, connected 2 times"));
	assert_non_null(strstr(f->text, "2048 kB of 2048 MB, 18 connections"));
	assert_non_null(strstr(f->text, " 1.0000 % of new connections"));
	assert_null(strstr(f->text, "add up"));
	report_sum_fini(&sum);
}

static void json_has_both_sums_and_all_parts(void **state)
{
	struct fixture *f = *state;
	struct stats_json j;

	stats_json_init(&j);
	report_json(&f->facts, &j);
	assert_false(j.failed);
	assert_int_equal(j.depth, 0);
	compact(j.text);
	assert_true(json_has(j.text, NULL, "\"packets_add_up\":true"));
	assert_true(json_has(j.text, NULL, "\"stream_adds_up\":true"));
	assert_true(json_has(j.text, NULL, "\"sample_ppm\":1000000"));
	assert_true(json_has(j.text, NULL, "\"capture_latency_us\":1002"));
	assert_true(json_has(j.text, "\"packets\":", "\"captured\":3001"));
	assert_true(json_has(j.text, "\"packets\":", "\"not_ours\":0"));
	assert_true(json_has(j.text, "\"total\":", "\"delivered\":{\"bytes\":100000,"));
	assert_true(json_has(j.text, "\"total\":", "\"capture_gap\":{\"bytes\":0,"));
	assert_true(json_has(j.text, "\"total\":", "\"delivered_millionths\":1000000"));
	assert_true(json_has(j.text, "\"targets\":", "\"target\":\"10.0.0.2:8080\""));
	assert_true(json_has(j.text, "\"targets\":", "\"source\":\"*:80\""));
	assert_true(json_has(j.text, "\"sender\":", "\"failed_no_buffer\":0"));
	assert_true(json_has(j.text, "\"links\":", "\"state\":\"up\""));
	stats_json_fini(&j);
}

static void json_says_when_a_sum_does_not_add_up(void **state)
{
	struct fixture *f = *state;
	struct stats_json j;

	f->ledger.packets.captured++;
	f->ledger.targets[0].stream.captured.bytes++;
	stats_json_init(&j);
	report_json(&f->facts, &j);
	compact(j.text);
	assert_true(json_has(j.text, NULL, "\"packets_add_up\":false"));
	assert_true(json_has(j.text, NULL, "\"stream_adds_up\":false"));
	stats_json_fini(&j);
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_fixture(familiar_line_has_the_names_that_guides_read),
		with_fixture(ledger_without_trouble_is_short),
		with_fixture(one_request_missing_is_not_a_hundred_percent),
		with_fixture(drops_are_listed_by_cause_with_what_to_do),
		with_fixture(kernel_drops_sender_failures_and_pause_are_told),
		with_fixture(sample_is_told_with_its_fraction),
		with_fixture(two_targets_have_a_line_each),
		with_fixture(copies_are_told_apart),
		with_fixture(one_copy_needs_no_line),
		with_fixture(nothing_captured_has_no_share),
		with_fixture(sums_that_do_not_add_up_are_said_to_be_a_bug),
		with_fixture(extreme_counters_fit_their_lines),
		with_fixture(connections_to_an_intercept_are_counted),
		with_fixture(sum_of_two_workers_reads_like_one),
		with_fixture(json_has_both_sums_and_all_parts),
		with_fixture(json_says_when_a_sum_does_not_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
