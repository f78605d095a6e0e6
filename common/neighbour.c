/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neighbour.c - the state of one neighbour, and ARP messages. Pure.
 */
#include "common/neighbour.h"

#include <assert.h>
#include <string.h>

#include "common/bytes.h"

enum {
	ETHERNET_LEN = 14,
	ETHERTYPE_ARP_VALUE = 0x0806,
	ETHERTYPE_IPV4_VALUE = 0x0800,
	ARP_HARDWARE_ETHERNET = 1,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	IPV4_LEN = 4,
	ASK_UNICAST_MAX = 2,
	WEAK_AFTER = 2, /* unanswered questions */
};

void neighbour_init(struct neighbour *n, const struct ip_addr *addr)
{
	memset(n, 0, sizeof(*n));
	n->addr = *addr;
}

void neighbour_set_fixed(struct neighbour *n, const uint8_t mac[MAC_LEN])
{
	n->is_fixed = true;
	n->is_known = true;
	memcpy(n->mac, mac, MAC_LEN);
}

bool neighbour_learn(struct neighbour *n, const uint8_t mac[MAC_LEN])
{
	if (n->is_fixed || (n->is_known && memcmp(n->mac, mac, MAC_LEN) == 0))
		return false;
	memcpy(n->mac, mac, MAC_LEN);
	n->is_known = true;
	n->unanswered = 0;
	n->next_ask_us = 0;
	n->doubted_us = 0;
	n->is_doubted = false;
	return true;
}

static enum neighbour_question next_doubtful_question(struct neighbour *n, uint64_t now_us)
{
	if (n->unanswered < NEIGHBOUR_ASK_MAX) {
		n->unanswered++;
		n->next_ask_us = now_us + NEIGHBOUR_ASK_INTERVAL_US;
		return NEIGHBOUR_ASK_BROADCAST;
	}
	n->is_doubted = false;
	n->is_missed = true;
	n->next_ask_us = now_us + NEIGHBOUR_FRESH_INTERVAL_US;
	return NEIGHBOUR_ASK_NOTHING;
}

enum neighbour_question neighbour_next_question(struct neighbour *n, uint64_t now_us)
{
	bool rests;

	if (n->is_fixed || now_us < n->next_ask_us)
		return NEIGHBOUR_ASK_NOTHING;
	if (n->is_doubted)
		return next_doubtful_question(n, now_us);
	if (n->is_known && n->unanswered >= NEIGHBOUR_ASK_MAX)
		n->unanswered = 0;
	n->unanswered++;
	rests = n->is_known && n->unanswered == NEIGHBOUR_ASK_MAX;
	n->next_ask_us = now_us + (rests ? NEIGHBOUR_FRESH_INTERVAL_US : NEIGHBOUR_ASK_INTERVAL_US);
	if (n->is_known && n->unanswered <= ASK_UNICAST_MAX)
		return NEIGHBOUR_ASK_UNICAST;
	return NEIGHBOUR_ASK_BROADCAST;
}

bool neighbour_is_silent(const struct neighbour *n)
{
	return !n->is_known && n->unanswered > NEIGHBOUR_ASK_MAX;
}

void neighbour_doubt(struct neighbour *n, uint64_t now_us)
{
	bool is_soon = n->doubted_us && now_us < n->doubted_us + n->doubt_gap_us;

	if (!n->is_known || n->is_doubted || is_soon)
		return;
	if (!n->doubted_us || now_us >= n->doubted_us + NEIGHBOUR_FRESH_INTERVAL_US)
		n->doubt_gap_us = NEIGHBOUR_ASK_INTERVAL_US;
	else if (n->doubt_gap_us < NEIGHBOUR_DOUBT_INTERVAL_US)
		n->doubt_gap_us *= 2;
	n->doubted_us = now_us;
	n->is_doubted = true;
	n->unanswered = 0;
	n->next_ask_us = now_us;
}

/* Against a weaker word: it is known, and has not just been asked twice in vain. */
static bool holds_its_mac(const struct neighbour *n)
{
	return n->is_known && n->unanswered < WEAK_AFTER;
}

bool neighbour_on_word(struct neighbour *n, const struct neighbour_word *word, uint64_t now_us)
{
	bool is_same = n->is_known && memcmp(n->mac, word->mac, MAC_LEN) == 0;

	if (n->is_fixed || !ip_addr_equal(&n->addr, &word->addr))
		return false;
	if (!is_same && (word->only_agrees || (word->is_weak && holds_its_mac(n))))
		return false;
	n->is_doubted = n->is_missed = false;
	(void)neighbour_learn(n, word->mac);
	if (is_same || word->is_answer) {
		n->unanswered = 0;
		n->next_ask_us = now_us + NEIGHBOUR_FRESH_INTERVAL_US;
	}
	return !is_same;
}

/* The lowest bit of the first byte tells a group. */
bool mac_is_station(const uint8_t mac[MAC_LEN])
{
	static const uint8_t zero[MAC_LEN];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, MAC_LEN) != 0;
}

int arp_parse(struct neighbour_word *word, const uint8_t *frame, size_t len_bytes)
{
	const uint8_t *m = frame + ETHERNET_LEN;
	uint16_t operation;

	if (len_bytes < ARP_FRAME_LEN || get_be16(frame + 12) != ETHERTYPE_ARP_VALUE)
		return -1;
	if (get_be16(m) != ARP_HARDWARE_ETHERNET || get_be16(m + 2) != ETHERTYPE_IPV4_VALUE ||
	    m[4] != MAC_LEN || m[5] != IPV4_LEN)
		return -1;
	operation = get_be16(m + 6);
	if ((operation != ARP_REQUEST && operation != ARP_REPLY) || !mac_is_station(m + 8))
		return -1;
	if (get_be32(m + 14) == 0) /* a probe says nothing of its sender */
		return -1;
	memset(word, 0, sizeof(*word));
	memcpy(word->mac, m + 8, MAC_LEN);
	word->addr = ip_addr_v4_bytes(m + 14);
	word->is_answer = operation == ARP_REPLY;
	return 0;
}

void arp_build_request(uint8_t frame[ARP_FRAME_LEN], const uint8_t own_mac[MAC_LEN],
		       const struct ip_addr *source, const struct ip_addr *target,
		       const uint8_t *to)
{
	bool has_source = ip_addr_is_v4(source);
	uint8_t *m = frame + ETHERNET_LEN;

	assert(ip_addr_is_v4(target));
	if (to)
		memcpy(frame, to, MAC_LEN);
	else
		memset(frame, 0xff, MAC_LEN);
	memcpy(frame + 6, own_mac, MAC_LEN);
	put_be16(frame + 12, ETHERTYPE_ARP_VALUE);
	put_be16(m, ARP_HARDWARE_ETHERNET);
	put_be16(m + 2, ETHERTYPE_IPV4_VALUE);
	m[4] = MAC_LEN;
	m[5] = IPV4_LEN;
	put_be16(m + 6, ARP_REQUEST);
	memcpy(m + 8, own_mac, MAC_LEN);
	put_be32(m + 14, has_source ? ip_addr_to_v4(source) : 0);
	memset(m + 18, 0, MAC_LEN);
	put_be32(m + 24, ip_addr_to_v4(target));
}
