/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ndisc.c - neighbour solicitations and advertisements. Pure.
 *
 * A frame is taken only with hop limit 255: no router has passed it on, so whoever sent it is on
 * the link. Extension headers are not looked behind; nobody puts any in front of these messages,
 * and RFC 6980 forbids the one that could be abused.
 */
#include "common/ndisc.h"

#include <assert.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checksum.h"

enum {
	ETHERNET_LEN = 14,
	ETHERTYPE_IPV6_VALUE = 0x86dd,
	IPV6_LEN = 40,
	IPV6_ADDRESS_LEN = 16,
	HOP_LIMIT = 255,
	MESSAGE_LEN = 24, /* type, code, checksum, flags, target; options follow */
	OPTION_UNIT = 8,
	OPTION_SOURCE_MAC = 1,
	OPTION_TARGET_MAC = 2,
	FLAG_SOLICITED = 0x40, /* in the first byte of the flags */
	FLAG_OVERRIDE = 0x20,
};

/* What a valid message consists of; borrowed from the frame. */
struct message {
	const uint8_t *ip;
	const uint8_t *icmp;
	const uint8_t *options;
	size_t options_len_bytes;
};

static const uint8_t *source_of(const struct message *m)
{
	return m->ip + 8;
}

static const uint8_t *destination_of(const struct message *m)
{
	return m->ip + 24;
}

static const uint8_t *target_of(const struct message *m)
{
	return m->icmp + 8;
}

static bool is_multicast(const uint8_t *address)
{
	return address[0] == 0xff;
}

static bool is_unspecified(const uint8_t *address)
{
	static const uint8_t zero[IPV6_ADDRESS_LEN];

	return memcmp(address, zero, sizeof(zero)) == 0;
}

static uint64_t pseudo_sum(const uint8_t *ip, size_t len_bytes)
{
	struct ip_addr src = ip_addr_v6_bytes(ip + 8), dst = ip_addr_v6_bytes(ip + 24);

	return checksum_pseudo(&src, &dst, NDISC_NEXT_HEADER, (uint32_t)len_bytes);
}

/* The checks that both kinds share. */
static int message_read(struct message *m, const uint8_t *frame, size_t len_bytes)
{
	const uint8_t *ip = frame + ETHERNET_LEN, *icmp = ip + IPV6_LEN;
	size_t icmp_len;

	if (len_bytes < ETHERNET_LEN + IPV6_LEN + MESSAGE_LEN ||
	    get_be16(frame + 12) != ETHERTYPE_IPV6_VALUE || ip[0] >> 4 != 6)
		return -1;
	icmp_len = get_be16(ip + 4);
	if (icmp_len < MESSAGE_LEN || icmp_len > len_bytes - ETHERNET_LEN - IPV6_LEN)
		return -1;
	if (ip[6] != NDISC_NEXT_HEADER || ip[7] != HOP_LIMIT || icmp[1] != 0)
		return -1;
	if (checksum_fold(checksum_add(pseudo_sum(ip, icmp_len), icmp, icmp_len)) != 0xffff)
		return -1;
	*m = (struct message){
		.ip = ip,
		.icmp = icmp,
		.options = icmp + MESSAGE_LEN,
		.options_len_bytes = icmp_len - MESSAGE_LEN,
	};
	return is_multicast(target_of(m)) ? -1 : 0;
}

/*
 * The MAC in the first option of this type, or NULL in *mac. 0, or -1 if an option is empty or
 * reaches beyond the message: then the whole message counts for nothing.
 */
static int find_mac(const uint8_t **mac, const struct message *m, uint8_t type)
{
	const uint8_t *at = m->options;
	size_t left = m->options_len_bytes;

	*mac = NULL;
	while (left > 0) {
		size_t len_bytes;

		if (left < OPTION_UNIT)
			return -1;
		len_bytes = (size_t)at[1] * OPTION_UNIT;
		if (len_bytes == 0 || len_bytes > left)
			return -1;
		if (at[0] == type && len_bytes == OPTION_UNIT && !*mac)
			*mac = at + 2;
		at += len_bytes;
		left -= len_bytes;
	}
	return 0;
}

static int read_advertisement(struct neighbour_word *word, const struct message *m,
			      const uint8_t *frame)
{
	uint8_t flags = m->icmp[4];
	const uint8_t *mac;

	if (is_multicast(destination_of(m)) && (flags & FLAG_SOLICITED))
		return -1;
	if (find_mac(&mac, m, OPTION_TARGET_MAC) < 0)
		return -1;
	word->only_agrees = mac == NULL;
	memcpy(word->mac, mac ? mac : frame + MAC_LEN, MAC_LEN);
	word->addr = ip_addr_v6_bytes(target_of(m));
	word->is_answer = (flags & FLAG_SOLICITED) != 0;
	word->is_weak = (flags & FLAG_OVERRIDE) == 0;
	return 0;
}

/* Only what its sender says of itself; a probe of an address says nothing of whom it belongs to. */
static int read_solicitation(struct neighbour_word *word, const struct message *m)
{
	const uint8_t *mac;

	if (is_unspecified(source_of(m)) || is_multicast(source_of(m)))
		return -1;
	if (find_mac(&mac, m, OPTION_SOURCE_MAC) < 0 || !mac)
		return -1;
	memcpy(word->mac, mac, MAC_LEN);
	word->addr = ip_addr_v6_bytes(source_of(m));
	return 0;
}

int ndisc_parse(struct neighbour_word *word, const uint8_t *frame, size_t len_bytes)
{
	struct message m;
	int result = -1;

	memset(word, 0, sizeof(*word));
	if (message_read(&m, frame, len_bytes) < 0)
		return -1;
	if (m.icmp[0] == NDISC_ADVERTISEMENT)
		result = read_advertisement(word, &m, frame);
	else if (m.icmp[0] == NDISC_SOLICITATION)
		result = read_solicitation(word, &m);
	/* An address of IPv4 in its IPv6 form would be taken for that of an IPv4 neighbour. */
	return result == 0 && mac_is_station(word->mac) && !ip_addr_is_v4(&word->addr) ? 0 : -1;
}

/* ff02::1:ffXX:XXXX, and its group at the link layer. */
static void write_group(uint8_t *mac, uint8_t *address, const struct ip_addr *target)
{
	static const uint8_t prefix[IPV6_ADDRESS_LEN] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};

	memcpy(address, prefix, sizeof(prefix));
	memcpy(address + 13, target->b + 13, 3);
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, address + 12, 4);
}

size_t ndisc_build_solicitation(uint8_t frame[NDISC_FRAME_MAX], const uint8_t own_mac[MAC_LEN],
				const struct ip_addr *source, const struct ip_addr *target,
				const uint8_t *to)
{
	bool has_source = !ip_addr_is_unspecified(source);
	size_t icmp_len = MESSAGE_LEN + (has_source ? OPTION_UNIT : 0);
	uint8_t *ip = frame + ETHERNET_LEN, *icmp = ip + IPV6_LEN;

	assert(!ip_addr_is_v4(target) && !ip_addr_is_v4(source));
	memset(frame, 0, NDISC_FRAME_MAX);
	write_group(frame, ip + 24, target);
	if (to && has_source) {
		memcpy(frame, to, MAC_LEN);
		memcpy(ip + 24, target->b, IPV6_ADDRESS_LEN);
	}
	memcpy(frame + MAC_LEN, own_mac, MAC_LEN);
	put_be16(frame + 12, ETHERTYPE_IPV6_VALUE);
	ip[0] = 6 << 4;
	put_be16(ip + 4, (uint16_t)icmp_len);
	ip[6] = NDISC_NEXT_HEADER;
	ip[7] = HOP_LIMIT;
	memcpy(ip + 8, source->b, IPV6_ADDRESS_LEN);
	icmp[0] = NDISC_SOLICITATION;
	memcpy(icmp + 8, target->b, IPV6_ADDRESS_LEN);
	if (has_source) {
		icmp[MESSAGE_LEN] = OPTION_SOURCE_MAC;
		icmp[MESSAGE_LEN + 1] = 1;
		memcpy(icmp + MESSAGE_LEN + 2, own_mac, MAC_LEN);
	}
	put_be16(icmp + 2,
		 (uint16_t)~checksum_fold(checksum_add(pseudo_sum(ip, icmp_len), icmp, icmp_len)));
	return ETHERNET_LEN + IPV6_LEN + icmp_len;
}
