/* SPDX-License-Identifier: BSD-2-Clause */
/* test_neighbour.c - when a neighbour is asked, what is believed of it, and ARP messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/neighbour.h"

#define SECOND UINT64_C(1000000)

static const uint8_t own_mac[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t mac_a[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x0a};
static const uint8_t mac_b[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x0b};

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(&a, text), 0);
	return a;
}

/* The message that the neighbour with this MAC and address sends. */
static void arp_from(uint8_t frame[ARP_FRAME_LEN], const uint8_t mac[MAC_LEN], const char *ip,
		     uint16_t operation)
{
	struct ip_addr from = addr(ip), to = addr("10.0.0.9");

	arp_build_request(frame, mac, &from, &to, own_mac);
	put_be16(frame + 20, operation);
}

static bool hears(struct neighbour *n, const uint8_t mac[MAC_LEN], const char *ip,
		  uint16_t operation, uint64_t now_us)
{
	uint8_t frame[ARP_FRAME_LEN];
	struct neighbour_word word;

	arp_from(frame, mac, ip, operation);
	assert_int_equal(arp_parse(&word, frame, sizeof(frame)), 0);
	return neighbour_on_word(n, &word, now_us);
}

static struct neighbour neighbour_at(const char *ip)
{
	struct ip_addr a = addr(ip);
	struct neighbour n;

	neighbour_init(&n, &a);
	return n;
}

static void an_arp_request_has_the_bytes_of_rfc_826(void **state)
{
	static const uint8_t wanted[ARP_FRAME_LEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0,
		0,    0x01, 0x08, 0x06,                            /* Ethernet */
		0,    1,    8,    0,    6,    4,    0,    1,       /* request */
		0x02, 0,    0,    0,    0,    0x01, 10,   0, 0, 9, /* from */
		0,    0,    0,    0,    0,    0,    10,   0, 0, 2, /* who has */
	};
	struct ip_addr source = addr("10.0.0.9"), target = addr("10.0.0.2");
	uint8_t frame[ARP_FRAME_LEN];

	(void)state;
	arp_build_request(frame, own_mac, &source, &target, NULL);
	assert_memory_equal(frame, wanted, sizeof(wanted));
	arp_build_request(frame, own_mac, &source, &target, mac_a);
	assert_memory_equal(frame, mac_a, MAC_LEN);
	assert_memory_equal(frame + MAC_LEN, wanted + MAC_LEN, sizeof(wanted) - MAC_LEN);
}

static void an_unknown_neighbour_is_asked_every_second(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		uint64_t now = 100 * SECOND + i * SECOND;

		assert_int_equal(neighbour_is_silent(&n), i > NEIGHBOUR_ASK_MAX);
		assert_int_equal(neighbour_next_question(&n, now), NEIGHBOUR_ASK_BROADCAST);
		assert_int_equal(neighbour_next_question(&n, now + SECOND - 1),
				 NEIGHBOUR_ASK_NOTHING);
	}
}

static void a_known_neighbour_is_asked_again_after_30_seconds(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");
	uint64_t now = 100 * SECOND;

	(void)state;
	assert_int_equal(neighbour_next_question(&n, now), NEIGHBOUR_ASK_BROADCAST);
	assert_true(hears(&n, mac_a, "10.0.0.2", 2, now));
	assert_true(n.is_known);
	assert_memory_equal(n.mac, mac_a, MAC_LEN);
	assert_int_equal(neighbour_next_question(&n, now + 30 * SECOND - 1), NEIGHBOUR_ASK_NOTHING);
	now += 30 * SECOND;
	assert_int_equal(neighbour_next_question(&n, now), NEIGHBOUR_ASK_UNICAST);
	assert_int_equal(neighbour_next_question(&n, now + SECOND), NEIGHBOUR_ASK_UNICAST);
	assert_int_equal(neighbour_next_question(&n, now + 2 * SECOND), NEIGHBOUR_ASK_BROADCAST);
	/* One that never answers is no reason for a storm, nor to forget it. */
	assert_int_equal(neighbour_next_question(&n, now + 31 * SECOND), NEIGHBOUR_ASK_NOTHING);
	assert_int_equal(neighbour_next_question(&n, now + 32 * SECOND), NEIGHBOUR_ASK_UNICAST);
	assert_true(n.is_known);
	assert_false(neighbour_is_silent(&n));
}

static void hearsay_is_used_but_asked_about_at_once(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");

	(void)state;
	assert_true(neighbour_learn(&n, mac_a));
	assert_false(neighbour_learn(&n, mac_a));
	assert_true(n.is_known);
	assert_int_equal(neighbour_next_question(&n, SECOND), NEIGHBOUR_ASK_UNICAST);
}

static void a_gratuitous_request_moves_a_neighbour(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");

	(void)state;
	assert_true(hears(&n, mac_a, "10.0.0.2", 2, SECOND));
	assert_false(hears(&n, mac_a, "10.0.0.2", 2, SECOND));
	assert_true(hears(&n, mac_b, "10.0.0.2", 1, 2 * SECOND));
	assert_memory_equal(n.mac, mac_b, MAC_LEN);
	assert_false(hears(&n, mac_a, "10.0.0.3", 2, 3 * SECOND));
	assert_memory_equal(n.mac, mac_b, MAC_LEN);
}

static void a_fixed_neighbour_is_never_asked_nor_moved(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");

	(void)state;
	neighbour_set_fixed(&n, mac_a);
	assert_int_equal(neighbour_next_question(&n, 1000 * SECOND), NEIGHBOUR_ASK_NOTHING);
	assert_false(hears(&n, mac_b, "10.0.0.2", 2, SECOND));
	assert_false(neighbour_learn(&n, mac_b));
	assert_memory_equal(n.mac, mac_a, MAC_LEN);
}

/* Nothing else is said of itself by one that took over the address of another host. */
static void a_new_mac_that_is_no_answer_is_used_and_asked_about(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");

	(void)state;
	assert_true(hears(&n, mac_a, "10.0.0.2", 2, SECOND));
	assert_int_equal(neighbour_next_question(&n, 2 * SECOND), NEIGHBOUR_ASK_NOTHING);
	assert_true(hears(&n, mac_b, "10.0.0.2", 1, 2 * SECOND));
	assert_int_equal(neighbour_next_question(&n, 2 * SECOND), NEIGHBOUR_ASK_UNICAST);
}

static struct neighbour_word word_of(const char *ip, const uint8_t mac[MAC_LEN])
{
	struct neighbour_word word = {.addr = addr(ip), .is_answer = true};

	memcpy(word.mac, mac, MAC_LEN);
	return word;
}

static void a_weak_word_fills_a_gap_but_moves_nobody(void **state)
{
	struct neighbour n = neighbour_at("fe80::1");
	struct neighbour_word weak = word_of("fe80::1", mac_a);

	(void)state;
	weak.is_weak = true;
	assert_true(neighbour_on_word(&n, &weak, SECOND));
	memcpy(weak.mac, mac_b, MAC_LEN);
	assert_false(neighbour_on_word(&n, &weak, SECOND));
	assert_memory_equal(n.mac, mac_a, MAC_LEN);
}

/* A proxy may be all there is, and it may be another one now. */
static void a_weak_answer_counts_where_the_known_mac_is_mute(void **state)
{
	struct neighbour n = neighbour_at("fe80::1");
	struct neighbour_word weak = word_of("fe80::1", mac_b);

	(void)state;
	weak.is_weak = true;
	assert_true(neighbour_learn(&n, mac_a));
	neighbour_doubt(&n, SECOND);
	assert_int_equal(neighbour_next_question(&n, SECOND), NEIGHBOUR_ASK_BROADCAST);
	assert_false(neighbour_on_word(&n, &weak, SECOND));
	assert_int_equal(neighbour_next_question(&n, 2 * SECOND), NEIGHBOUR_ASK_BROADCAST);
	assert_true(neighbour_on_word(&n, &weak, 2 * SECOND));
	assert_memory_equal(n.mac, mac_b, MAC_LEN);
}

static void a_word_without_a_mac_only_confirms_that_of_its_frame(void **state)
{
	struct neighbour n = neighbour_at("fe80::1");
	struct neighbour_word word = word_of("fe80::1", mac_a);

	(void)state;
	word.only_agrees = true;
	assert_false(neighbour_on_word(&n, &word, SECOND));
	assert_false(n.is_known);
	assert_true(neighbour_learn(&n, mac_a));
	assert_false(neighbour_on_word(&n, &word, SECOND));
	assert_int_equal(neighbour_next_question(&n, 30 * SECOND), NEIGHBOUR_ASK_NOTHING);
	n.next_ask_us = 0;
	memcpy(word.mac, mac_b, MAC_LEN);
	assert_false(neighbour_on_word(&n, &word, SECOND));
	assert_memory_equal(n.mac, mac_a, MAC_LEN);
	assert_int_equal(neighbour_next_question(&n, SECOND), NEIGHBOUR_ASK_UNICAST);
}

static void a_doubt_asks_everybody_at_once(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");

	(void)state;
	assert_true(hears(&n, mac_a, "10.0.0.2", 2, SECOND));
	neighbour_doubt(&n, 2 * SECOND);
	assert_int_equal(neighbour_next_question(&n, 2 * SECOND), NEIGHBOUR_ASK_BROADCAST);
	assert_int_equal(neighbour_next_question(&n, 3 * SECOND - 1), NEIGHBOUR_ASK_NOTHING);
	assert_true(hears(&n, mac_b, "10.0.0.2", 2, 3 * SECOND));
	assert_memory_equal(n.mac, mac_b, MAC_LEN);
	assert_int_equal(neighbour_next_question(&n, 32 * SECOND), NEIGHBOUR_ASK_NOTHING);
}

static void doubts_that_go_on_ask_less_and_less(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");
	static const uint64_t after[] = {10, 11, 13, 17, 21, 25, 29};
	size_t asked = 0;

	(void)state;
	assert_true(hears(&n, mac_a, "10.0.0.2", 2, SECOND));
	for (uint64_t at = 10 * SECOND; at < 32 * SECOND; at += SECOND / 100) {
		neighbour_doubt(&n, at);
		if (neighbour_next_question(&n, at) == NEIGHBOUR_ASK_NOTHING)
			continue;
		assert_int_equal(at, after[asked] * SECOND);
		assert_false(hears(&n, mac_a, "10.0.0.2", 2, at));
		asked++;
	}
	assert_int_equal(asked, sizeof(after) / sizeof(after[0]));
	neighbour_doubt(&n, 200 * SECOND);
	assert_int_equal(neighbour_next_question(&n, 200 * SECOND), NEIGHBOUR_ASK_BROADCAST);
	neighbour_doubt(&n, 201 * SECOND);
	assert_int_equal(neighbour_next_question(&n, 201 * SECOND), NEIGHBOUR_ASK_BROADCAST);
}

static void a_neighbour_is_missed_after_three_questions_in_vain(void **state)
{
	struct neighbour n = neighbour_at("10.0.0.2");
	uint64_t at = 10 * SECOND;

	(void)state;
	assert_true(hears(&n, mac_a, "10.0.0.2", 2, SECOND));
	for (int i = 0; i < 3; i++, at += SECOND) {
		neighbour_doubt(&n, at); /* more of the same does not begin anew */
		assert_int_equal(neighbour_next_question(&n, at), NEIGHBOUR_ASK_BROADCAST);
		assert_false(n.is_missed);
	}
	assert_int_equal(neighbour_next_question(&n, at), NEIGHBOUR_ASK_NOTHING);
	assert_true(n.is_missed && n.is_known);
	neighbour_doubt(&n, at);
	assert_int_equal(neighbour_next_question(&n, at), NEIGHBOUR_ASK_BROADCAST);
	assert_true(n.is_missed);
	assert_false(hears(&n, mac_a, "10.0.0.2", 2, at + 1));
	assert_false(n.is_missed);
}

static void doubts_change_nothing_where_nothing_can_be_asked(void **state)
{
	struct neighbour unknown = neighbour_at("10.0.0.2"), fixed = unknown;

	(void)state;
	assert_int_equal(neighbour_next_question(&unknown, SECOND), NEIGHBOUR_ASK_BROADCAST);
	neighbour_doubt(&unknown, SECOND + 1);
	assert_int_equal(neighbour_next_question(&unknown, SECOND + 1), NEIGHBOUR_ASK_NOTHING);
	neighbour_set_fixed(&fixed, mac_a);
	neighbour_doubt(&fixed, SECOND);
	assert_int_equal(neighbour_next_question(&fixed, SECOND), NEIGHBOUR_ASK_NOTHING);
}

static void bad_arp_says_nothing(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} damages[] = {
		{"another ethertype", 13, 0x00}, {"another hardware", 15, 6},
		{"another protocol", 16, 0x86},  {"a long MAC", 18, 8},
		{"a long address", 19, 16},      {"an inverse operation", 21, 8},
		{"a group as sender", 22, 0x03},
	};
	uint8_t frame[ARP_FRAME_LEN];
	struct neighbour_word word;

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		arp_from(frame, mac_a, "10.0.0.2", 2);
		frame[damages[i].at] = damages[i].value;
		if (arp_parse(&word, frame, sizeof(frame)) == 0)
			fail_msg("taken: %s", damages[i].what);
	}
	arp_from(frame, mac_a, "10.0.0.2", 2);
	memset(frame + 22, 0, MAC_LEN);
	assert_int_equal(arp_parse(&word, frame, sizeof(frame)), -1);
	arp_from(frame, mac_a, "0.0.0.0", 1);
	assert_int_equal(arp_parse(&word, frame, sizeof(frame)), -1);
}

static void every_truncated_arp_is_refused(void **state)
{
	uint8_t frame[ARP_FRAME_LEN];
	struct neighbour_word word;

	(void)state;
	arp_from(frame, mac_a, "10.0.0.2", 2);
	for (size_t len = 0; len < sizeof(frame); len++) {
		uint8_t *exact = malloc(len ? len : 1);

		assert_non_null(exact);
		memcpy(exact, frame, len);
		assert_int_equal(arp_parse(&word, exact, len), -1);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arp_request_has_the_bytes_of_rfc_826),
		cmocka_unit_test(an_unknown_neighbour_is_asked_every_second),
		cmocka_unit_test(a_known_neighbour_is_asked_again_after_30_seconds),
		cmocka_unit_test(hearsay_is_used_but_asked_about_at_once),
		cmocka_unit_test(a_gratuitous_request_moves_a_neighbour),
		cmocka_unit_test(a_fixed_neighbour_is_never_asked_nor_moved),
		cmocka_unit_test(a_new_mac_that_is_no_answer_is_used_and_asked_about),
		cmocka_unit_test(a_weak_word_fills_a_gap_but_moves_nobody),
		cmocka_unit_test(a_weak_answer_counts_where_the_known_mac_is_mute),
		cmocka_unit_test(a_word_without_a_mac_only_confirms_that_of_its_frame),
		cmocka_unit_test(a_doubt_asks_everybody_at_once),
		cmocka_unit_test(doubts_that_go_on_ask_less_and_less),
		cmocka_unit_test(a_neighbour_is_missed_after_three_questions_in_vain),
		cmocka_unit_test(doubts_change_nothing_where_nothing_can_be_asked),
		cmocka_unit_test(bad_arp_says_nothing),
		cmocka_unit_test(every_truncated_arp_is_refused),
	};

	return cmocka_run_group_tests_name("neighbour", tests, NULL, NULL);
}
