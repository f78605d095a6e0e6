/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_capture.c - what of capturing needs no privilege: filters, device names, and the messages
 * that a user gets. Capturing itself is tested in network namespaces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/capture.h"

static void expect_words(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strstr(text, *words))
			fail_msg("\"%s\" does not say \"%s\"", text, *words);
}

#define EXPECT_WORDS(text, ...) expect_words(text, (const char *const[]){__VA_ARGS__, NULL})

static void good_filters_pass(void **state)
{
	static const char *const filters[] = {
		"",
		"tcp and src port 8080",
		"tcp and dst port 80 and (dst host 10.0.0.1 or dst host 2001:db8::1)",
		"(src port 80 and tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0)",
		"vlan and tcp",
	};
	char error[CAPTURE_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (capture_check_filter(filters[i], error) != 0)
			fail_msg("%s", error);
}

static void a_wrong_filter_is_shown_with_the_reason_and_an_example(void **state)
{
	char error[CAPTURE_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(capture_check_filter("tcp and prot 80", error), -1);
	EXPECT_WORDS(error, "\"tcp and prot 80\"", "syntax error", "tcp and port 80",
		     "pcap-filter(7)");
	assert_int_equal(capture_check_filter("host 10.0.0.300", error), -1);
	EXPECT_WORDS(error, "10.0.0.300");
}

static void a_filter_longer_than_the_message_is_cut(void **state)
{
	static char filter[20000];
	char error[CAPTURE_ERROR_MAX];

	(void)state;
	memset(filter, '(', sizeof(filter) - 1);
	memset(error, 'x', sizeof(error));
	assert_int_equal(capture_check_filter(filter, error), -1);
	assert_true(strnlen(error, sizeof(error)) < sizeof(error));
	EXPECT_WORDS(error, "((((...", "pcap-filter(7)");
}

/* An IP packet without any link header, as it is found in a tunnel. */
static void a_filter_is_run_on_bare_ip_packets(void **state)
{
	static const uint8_t packet[40] = {
		0x45, 0, 0, 40, [8] = 64, 6,   [12] = 10, 0,  0,          1,
		10,   0, 0, 2,  [20] = 4, 210, 0,         80, [32] = 0x50};
	char error[CAPTURE_ERROR_MAX];
	struct capture_ip_filter *f = capture_ip_filter_new("src host 10.0.0.1 and port 80", error);

	(void)state;
	assert_non_null(f);
	assert_true(capture_ip_filter_takes(f, packet, sizeof(packet), sizeof(packet)));
	assert_false(capture_ip_filter_takes(f, packet, 20, sizeof(packet)));
	capture_ip_filter_free(f);
	f = capture_ip_filter_new("dst host 10.0.0.1", error);
	assert_false(capture_ip_filter_takes(f, packet, sizeof(packet), sizeof(packet)));
	capture_ip_filter_free(f);
	assert_null(capture_ip_filter_new("ether src 02:00:00:00:00:01", error));
	assert_null(capture_ip_filter_new("vlan 5", error));
	assert_non_null(strstr(error, "vlan 5"));
	capture_ip_filter_free(NULL);
}

static void loopback_and_any_exist(void **state)
{
	(void)state;
	assert_true(capture_device_exists("lo"));
	assert_true(capture_device_exists("any"));
	assert_false(capture_device_exists("nosuchdev0"));
	assert_false(capture_device_exists(""));
	assert_false(capture_device_exists("a-name-longer-than-the-kernel-has"));
}

static void the_list_names_loopback(void **state)
{
	char list[1024];

	(void)state;
	assert_ptr_equal(capture_device_list(list, sizeof(list)), list);
	EXPECT_WORDS(list, "lo");
	assert_null(strstr(list, ", ..."));
}

/* Cut between names, never within one; "..." says so. */
static void a_short_list_keeps_within_its_room(void **state)
{
	char list[64], full[4096];

	(void)state;
	(void)capture_device_list(full, sizeof(full));
	for (size_t size = 1; size < sizeof(list); size++) {
		char *dots;

		memset(list, 0x7e, sizeof(list));
		(void)capture_device_list(list, size);
		assert_true(strnlen(list, size) < size);
		assert_int_equal(list[size], 0x7e);
		dots = strstr(list, ", ...");
		if (dots) {
			assert_memory_equal(list, full, (size_t)(dots - list));
			assert_int_equal(full[dots - list], ',');
		} else if (list[0] != '.' && list[0] != '\0') {
			assert_string_equal(list, full);
		}
	}
}

static void an_unknown_device_is_refused_with_those_there_are(void **state)
{
	struct capture_config config = {.device = "nosuchdev0", .timeout_ms = 1};
	char error[CAPTURE_ERROR_MAX] = "";

	(void)state;
	assert_null(capture_open(&config, error));
	EXPECT_WORDS(error, "\"nosuchdev0\"", "there are:", "lo", "any");
}

/* A capture opens, or says why not and what would help: as root the one, otherwise the other. */
static void loopback_opens_or_names_the_privilege(void **state)
{
	struct capture_config config = {
		.device = "lo", .filter = "tcp", .snaplen_bytes = 1 << 30, .buffer_bytes = 1 << 20};
	char error[CAPTURE_ERROR_MAX] = "";
	struct capture *c = capture_open(&config, error);
	struct capture_stats stats;

	(void)state;
	if (!c) {
		EXPECT_WORDS(error, "lo");
		if (strstr(error, "permitted"))
			EXPECT_WORDS(error, "CAP_NET_RAW", "setcap", "root");
		return;
	}
	assert_true(capture_fd(c) >= 0);
	assert_string_equal(capture_device(c), "lo");
	assert_int_equal(capture_link_type(c), 1);
	assert_int_equal(capture_get_stats(c, &stats), 0);
	capture_close(c);
}

static void a_filter_that_does_not_compile_is_refused_on_a_device(void **state)
{
	struct capture_config config = {.device = "lo", .filter = "tcp and prot 80"};
	char error[CAPTURE_ERROR_MAX] = "";

	(void)state;
	assert_null(capture_open(&config, error));
	if (!strstr(error, "permitted"))
		EXPECT_WORDS(error, "tcp and prot 80");
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	capture_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_filters_pass),
		cmocka_unit_test(a_wrong_filter_is_shown_with_the_reason_and_an_example),
		cmocka_unit_test(a_filter_longer_than_the_message_is_cut),
		cmocka_unit_test(loopback_and_any_exist),
		cmocka_unit_test(the_list_names_loopback),
		cmocka_unit_test(a_short_list_keeps_within_its_room),
		cmocka_unit_test(an_unknown_device_is_refused_with_those_there_are),
		cmocka_unit_test(loopback_opens_or_names_the_privilege),
		cmocka_unit_test(a_filter_that_does_not_compile_is_refused_on_a_device),
		cmocka_unit_test(closing_nothing_is_fine),
		cmocka_unit_test(a_filter_is_run_on_bare_ip_packets),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
