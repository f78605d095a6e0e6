/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_neighbour.c - ARP and neighbour discovery under arbitrary frames, and what a neighbour believes.
 *
 *	byte 0    bit 0: IPv6. Bit 1: length and checksum of the message are made right, as no mutation
 *	          would guess them. The others, modulo 3: what is known before: nothing, a MAC, a fixed one
 *	the rest  the frame
 *
 * Oracles: what is believed stands in the frame; a word of IPv6 comes with hop limit 255 and options
 * that fill the message; a cut frame says nothing; a neighbour takes a MAC only from a word of its
 * own, and a fixed one none.
 */
#include "common/bytes.h"
#include "common/checksum.h"
#include "common/ndisc.h"
#include "common/neighbour.h"
#include "tests/fuzz/fuzz.h"

enum {
	IS_IPV6 = 1,
	IS_MADE_RIGHT = 2,
	KNOWN_SHIFT = 2,
	IP_AT = 14,
	ICMP_AT = 54,
	OPTIONS_AT = 78,
};

static const uint8_t known_mac[MAC_LEN] = {2, 0, 0, 0, 0, 9};

static void make_right(uint8_t *frame, size_t len)
{
	struct ip_addr src, dst;
	size_t icmp_len = len - ICMP_AT;
	uint64_t sum;

	if (len < OPTIONS_AT || icmp_len > UINT16_MAX)
		return;
	src = ip_addr_v6_bytes(frame + IP_AT + 8);
	dst = ip_addr_v6_bytes(frame + IP_AT + 24);
	put_be16(frame + IP_AT + 4, (uint16_t)icmp_len);
	put_be16(frame + ICMP_AT + 2, 0);
	sum = checksum_pseudo(&src, &dst, NDISC_NEXT_HEADER, (uint32_t)icmp_len);
	put_be16(frame + ICMP_AT + 2,
		 (uint16_t)~checksum_fold(checksum_add(sum, frame + ICMP_AT, icmp_len)));
}

static int parse(struct neighbour_word *word, bool is_ipv6, const uint8_t *frame, size_t len)
{
	uint8_t *exact = fuzz_copy(frame, len);
	int result = is_ipv6 ? ndisc_parse(word, exact, len) : arp_parse(word, exact, len);

	free(exact);
	return result;
}

static bool stands_in(const uint8_t *frame, size_t len, const uint8_t *what, size_t what_len)
{
	return memmem(frame, len, what, what_len) != NULL;
}

static void check_options(const uint8_t *frame, size_t end)
{
	size_t at = OPTIONS_AT;

	while (at < end) {
		fuzz_check(at + 8 <= end && frame[at + 1] != 0);
		at += 8 * (size_t)frame[at + 1];
	}
	fuzz_check(at == end);
}

static void check_word(const struct neighbour_word *word, bool is_ipv6, const uint8_t *frame,
		       size_t len)
{
	struct neighbour_word again;
	size_t end = 42;

	fuzz_check(mac_is_station(word->mac) && stands_in(frame, len, word->mac, MAC_LEN));
	fuzz_check(ip_addr_is_v4(&word->addr) == !is_ipv6);
	fuzz_check(stands_in(frame, len, word->addr.b + (is_ipv6 ? 0 : 12), is_ipv6 ? 16 : 4));
	if (is_ipv6) {
		end = ICMP_AT + (size_t)get_be16(frame + IP_AT + 4);
		fuzz_check(frame[IP_AT + 7] == 255 && frame[ICMP_AT + 1] == 0);
		fuzz_check(frame[ICMP_AT] == 135 || frame[ICMP_AT] == 136);
		check_options(frame, end);
	}
	fuzz_check(end <= len);
	fuzz_check(parse(&again, is_ipv6, frame, end) == 0);
	fuzz_check(parse(&again, is_ipv6, frame, end - 1) == -1);
}

static void check_belief(const struct neighbour_word *word, unsigned known)
{
	struct neighbour n, other;
	struct ip_addr next = ip_addr_add(&word->addr, 1);
	bool is_news;

	neighbour_init(&n, &word->addr);
	neighbour_init(&other, &next);
	if (known == 1)
		(void)neighbour_learn(&n, known_mac);
	if (known == 2)
		neighbour_set_fixed(&n, known_mac);
	is_news = neighbour_on_word(&n, word, 1000);
	fuzz_check(!(is_news && known == 2) && (n.is_known || word->only_agrees));
	if (is_news)
		fuzz_check(memcmp(n.mac, word->mac, MAC_LEN) == 0 && !word->only_agrees &&
			   !(known == 1 && word->is_weak));
	else if (known)
		fuzz_check(memcmp(n.mac, known_mac, MAC_LEN) == 0);
	fuzz_check(!neighbour_on_word(&n, word, 2000));
	fuzz_check(!neighbour_on_word(&other, word, 1000) && !other.is_known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input_on(data, size);
	uint8_t settings = fuzz_u8(&in);
	bool is_ipv6 = settings & IS_IPV6;
	size_t len = fuzz_left(&in);
	uint8_t *frame = fuzz_copy(in.at, len);
	struct neighbour_word word;

	if (is_ipv6 && (settings & IS_MADE_RIGHT))
		make_right(frame, len);
	if (parse(&word, is_ipv6, frame, len) == 0) {
		check_word(&word, is_ipv6, frame, len);
		check_belief(&word, (settings >> KNOWN_SHIFT) % 3);
	}
	free(frame);
	return 0;
}
