/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.c - addresses, ranges, tuples, their hash and their text. Resolves no names and knows
 * no zones ("fe80::1%eth0" is refused).
 */
#include "common/endpoint.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>

#include "common/bytes.h"

enum {
	V4_AT = 12, /* where the IPv4 address begins in the 16 bytes */
	GROUPS = 8, /* of 16 bits in an IPv6 address */
};

struct ip_addr ip_addr_v4(uint32_t host_order)
{
	uint8_t bytes[4];

	put_be32(bytes, host_order);
	return ip_addr_v4_bytes(bytes);
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
	static const struct ip_addr v6_loopback = {.b = {[15] = 1}};

	if (ip_addr_is_v4(a))
		return a->b[V4_AT] == 127;
	return ip_addr_equal(a, &v6_loopback);
}

bool ip_addr_is_link_local(const struct ip_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool ip_addr_is_unspecified(const struct ip_addr *a)
{
	static const struct ip_addr v6_zero;

	if (ip_addr_is_v4(a))
		return ip_addr_to_v4(a) == 0;
	return ip_addr_equal(a, &v6_zero);
}

int ip_addr_compare(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

struct ip_addr ip_addr_add(const struct ip_addr *a, uint64_t n)
{
	uint64_t low = get_be64(a->b + 8) + n;
	uint64_t high = get_be64(a->b) + (low < n);
	struct ip_addr sum;

	put_be64(sum.b, high);
	put_be64(sum.b + 8, low);
	return sum;
}

uint64_t addr_range_count(const struct addr_range *r)
{
	uint64_t low_first = get_be64(r->first.b + 8), low_last = get_be64(r->last.b + 8);
	uint64_t high, low;

	if (ip_addr_compare(&r->last, &r->first) < 0)
		return 0;
	low = low_last - low_first;
	high = get_be64(r->last.b) - get_be64(r->first.b) - (low_last < low_first);
	return high || low == UINT64_MAX ? UINT64_MAX : low + 1;
}

bool addr_range_contains(const struct addr_range *r, const struct ip_addr *a)
{
	/* An IPv6 range like ::/0 spans the bytes of every IPv4 address but contains none. */
	return ip_addr_is_v4(a) == ip_addr_is_v4(&r->first) && ip_addr_compare(&r->first, a) <= 0 &&
	       ip_addr_compare(a, &r->last) <= 0;
}

struct tuple tuple_reverse(const struct tuple *t)
{
	return (struct tuple){.src = t->dst, .dst = t->src, .protocol = t->protocol};
}

/* --- SipHash ------------------------------------------------------------------------------- */

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_compress(struct sip_state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static inline struct sip_state sip_begin(const struct hash_key *key)
{
	return (struct sip_state){
		.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = key->k1 ^ UINT64_C(0x7465646279746573),
	};
}

/* The last word: what is left of the data, and its length in the highest byte. */
static inline uint64_t sip_end(struct sip_state *s, uint64_t word)
{
	sip_compress(s, word);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Inlined with a constant length for tuples. */
static inline uint64_t sip_hash(const struct hash_key *key, const uint8_t *p, size_t len_bytes)
{
	struct sip_state s = sip_begin(key);
	uint64_t word;
	size_t left;

	for (left = len_bytes; left >= sizeof(word); left -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_compress(&s, le64toh(word));
	}
	word = 0;
	if (left)
		memcpy(&word, p, left);
	return sip_end(&s, le64toh(word) | (uint64_t)len_bytes << 56);
}

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len_bytes)
{
	return sip_hash(key, data, len_bytes);
}

/* What differs between tuples of IPv4 fits two words: this is the hash of every captured packet. */
static uint64_t tuple_hash_v4(const struct hash_key *key, const struct tuple *t)
{
	enum {
		LEN = 2 * (4 + 2) + 1,
	};
	struct sip_state s = sip_begin(key);
	uint32_t src, dst;

	memcpy(&src, t->src.addr.b + V4_AT, sizeof(src));
	memcpy(&dst, t->dst.addr.b + V4_AT, sizeof(dst));
	sip_compress(&s, (uint64_t)dst << 32 | src);
	return sip_end(&s, (uint64_t)LEN << 56 | (uint64_t)t->protocol << 32 |
				   (uint32_t)t->dst.port << 16 | t->src.port);
}

uint64_t tuple_hash(const struct hash_key *key, const struct tuple *t)
{
	enum {
		TUPLE_LEN = offsetof(struct tuple, protocol) + sizeof(t->protocol),
	};

	/* Nothing but fields up to there, so that no padding is hashed. */
	static_assert(sizeof(struct endpoint) == 18 && TUPLE_LEN == 2 * 18 + 1, "padding");
	if (ip_addr_is_v4(&t->src.addr) && ip_addr_is_v4(&t->dst.addr))
		return tuple_hash_v4(key, t);
	return sip_hash(key, (const uint8_t *)t, TUPLE_LEN);
}

/* --- Text ---------------------------------------------------------------------------------- */

/* A decimal number of at most 255 without leading zeros. Returns what follows, or NULL. */
static const char *parse_octet(uint8_t *octet, const char *text)
{
	unsigned value = 0;
	size_t digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
		if (digits == 3 || (digits == 1 && text[0] == '0'))
			return NULL;
		value = value * 10 + (unsigned)(text[digits] - '0');
	}
	if (digits == 0 || value > UINT8_MAX)
		return NULL;
	*octet = (uint8_t)value;
	return text + digits;
}

/* A dotted quad and nothing behind it. */
static bool parse_v4(uint8_t bytes[4], const char *text)
{
	for (int i = 0; i < 4; i++) {
		text = parse_octet(&bytes[i], text);
		if (!text || *text != (i < 3 ? '.' : '\0'))
			return false;
		text++;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One to four hexadecimal digits. Returns what follows, or NULL. */
static const char *parse_group(uint8_t group[2], const char *text)
{
	unsigned value = 0;
	size_t digits = 0;

	for (; hex_digit(text[digits]) >= 0; digits++) {
		if (digits == 4)
			return NULL;
		value = value << 4 | (unsigned)hex_digit(text[digits]);
	}
	if (digits == 0)
		return NULL;
	put_be16(group, (uint16_t)value);
	return text + digits;
}

/*
 * Groups between colons, the last two perhaps a dotted quad, up to the end of the text or a
 * "::", which is left. Returns what follows with *filled bytes written, or NULL.
 */
static const char *parse_groups(uint8_t bytes[16], size_t room, size_t *filled, const char *text)
{
	*filled = 0;
	for (;;) {
		const char *after;

		if (room - *filled >= 4 && parse_v4(bytes + *filled, text)) {
			*filled += 4;
			return text + strlen(text);
		}
		if (room - *filled < 2)
			return NULL;
		after = parse_group(bytes + *filled, text);
		if (!after)
			return NULL;
		*filled += 2;
		if (*after == '\0' || (after[0] == ':' && after[1] == ':'))
			return after;
		if (*after != ':')
			return NULL;
		text = after + 1;
	}
}

/* RFC 4291, section 2.2. */
static bool parse_v6(uint8_t bytes[16], const char *text)
{
	uint8_t head[16] = {0}, tail[16] = {0};
	size_t head_len = 0, tail_len = 0;

	if (text[0] != ':' || text[1] != ':') {
		text = parse_groups(head, sizeof(head), &head_len, text);
		if (!text)
			return false;
	}
	if (*text == '\0') {
		memcpy(bytes, head, sizeof(head));
		return head_len == sizeof(head);
	}
	text += 2;
	/* The "::" stands for at least one group. */
	if (head_len > sizeof(head) - 2)
		return false;
	if (*text != '\0') {
		text = parse_groups(tail, sizeof(tail) - 2 - head_len, &tail_len, text);
		if (!text || *text != '\0')
			return false;
	}
	memset(bytes, 0, 16);
	memcpy(bytes, head, head_len);
	memcpy(bytes + 16 - tail_len, tail, tail_len);
	return true;
}

int ip_addr_parse(struct ip_addr *a, const char *text)
{
	uint8_t bytes[16];

	if (parse_v4(bytes, text))
		*a = ip_addr_v4_bytes(bytes);
	else if (parse_v6(bytes, text))
		*a = ip_addr_v6_bytes(bytes);
	else
		return -1;
	return 0;
}

/* The first longest run of two zero groups or more; 0 if there is none (RFC 5952, section 4.2). */
static int longest_zero_run(const struct ip_addr *a, int *at)
{
	int best = 1, run = 0;

	*at = GROUPS;
	for (int i = 0; i < GROUPS; i++) {
		run = get_be16(a->b + 2 * i) == 0 ? run + 1 : 0;
		if (run > best) {
			best = run;
			*at = i + 1 - run;
		}
	}
	return best > 1 ? best : 0;
}

static void format_v6(char text[IP_ADDR_TEXT_MAX], const struct ip_addr *a)
{
	int at, run = longest_zero_run(a, &at);
	size_t len = 0;

	for (int i = 0; i < GROUPS; i++) {
		if (i == at) {
			len += (size_t)snprintf(text + len, IP_ADDR_TEXT_MAX - len, "::");
			i += run - 1;
			continue;
		}
		len += (size_t)snprintf(text + len, IP_ADDR_TEXT_MAX - len, "%s%x",
					i == 0 || i == at + run ? "" : ":", get_be16(a->b + 2 * i));
	}
}

const char *ip_addr_format(char *buf, size_t size, const struct ip_addr *a)
{
	char text[IP_ADDR_TEXT_MAX];

	if (ip_addr_is_v4(a)) {
		snprintf(buf, size, "%u.%u.%u.%u", a->b[V4_AT], a->b[V4_AT + 1], a->b[V4_AT + 2],
			 a->b[V4_AT + 3]);
		return buf;
	}
	format_v6(text, a);
	snprintf(buf, size, "%s", text);
	return buf;
}

const char *endpoint_format(char *buf, size_t size, const struct endpoint *e)
{
	char addr[IP_ADDR_TEXT_MAX];
	bool v4 = ip_addr_is_v4(&e->addr);

	ip_addr_format(addr, sizeof(addr), &e->addr);
	snprintf(buf, size, v4 ? "%s:%u" : "[%s]:%u", addr, e->port);
	return buf;
}

const char *tuple_format(char *buf, size_t size, const struct tuple *t)
{
	char src[ENDPOINT_TEXT_MAX], dst[ENDPOINT_TEXT_MAX];

	snprintf(buf, size, "%s > %s", endpoint_format(src, sizeof(src), &t->src),
		 endpoint_format(dst, sizeof(dst), &t->dst));
	return buf;
}
