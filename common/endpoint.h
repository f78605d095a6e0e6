/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.h - addresses, endpoints and tuples of both families, by value.
 *
 * One representation for both: 16 bytes, an IPv4 address as ::ffff:a.b.c.d (RFC 4291,
 * section 2.5.5.2). That form never appears in an IPv6 header on a real network, so the
 * family can be read off the address and no structure needs a union or a tag.
 * Ports are in host byte order. Pure.
 */
#ifndef COMMON_ENDPOINT_H
#define COMMON_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/bytes.h"

enum {
	PROTOCOL_TCP = 6,
	IP_ADDR_TEXT_MAX = 46,  /* INET6_ADDRSTRLEN: with the terminating zero */
	ENDPOINT_TEXT_MAX = 56, /* "[address]:65535" */
	TUPLE_TEXT_MAX = 116,   /* "endpoint > endpoint" */
	MAC_LEN = 6,
};

struct ip_addr {
	uint8_t b[16];
};

struct endpoint {
	struct ip_addr addr;
	uint16_t port;
};

/* A direction of a flow. Not all of it is hashed and compared: use tuple_equal, tuple_hash. */
struct tuple {
	struct endpoint src;
	struct endpoint dst;
	uint8_t protocol; /* PROTOCOL_TCP; a place for UDP */
	uint8_t unused;   /* 0, not padding: resting connections are packed by their bytes */
};

/* Both ends inclusive, of one family. */
struct addr_range {
	struct ip_addr first;
	struct ip_addr last;
};

struct ip_addr ip_addr_v4(uint32_t host_order);

/* ::ffff:0:0/96 */
static const uint8_t ip_addr_v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static inline struct ip_addr ip_addr_v4_bytes(const uint8_t bytes[4])
{
	struct ip_addr a;

	memcpy(a.b, ip_addr_v4_prefix, sizeof(ip_addr_v4_prefix));
	memcpy(a.b + sizeof(ip_addr_v4_prefix), bytes, 4);
	return a;
}

static inline struct ip_addr ip_addr_v6_bytes(const uint8_t bytes[16])
{
	struct ip_addr a;

	memcpy(a.b, bytes, sizeof(a.b));
	return a;
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	return memcmp(a->b, ip_addr_v4_prefix, sizeof(ip_addr_v4_prefix)) == 0;
}

/* The IPv4 address in host byte order; only if ip_addr_is_v4. */
static inline uint32_t ip_addr_to_v4(const struct ip_addr *a)
{
	return get_be32(a->b + 12);
}

/* 127.0.0.0/8 or ::1. */
bool ip_addr_is_loopback(const struct ip_addr *a);
/* fe80::/10 (RFC 4291, section 2.5.6): means a host only together with a device. */
bool ip_addr_is_link_local(const struct ip_addr *a);
/* All zero: "no address given". Neither 0.0.0.0 nor :: can be a peer. */
bool ip_addr_is_unspecified(const struct ip_addr *a);

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* As memcmp: orders within a family. */
int ip_addr_compare(const struct ip_addr *a, const struct ip_addr *b);
/* a + n, carried through all 16 bytes. */
struct ip_addr ip_addr_add(const struct ip_addr *a, uint64_t n);
/* Number of addresses in the range, saturated at UINT64_MAX; 0 if last < first. */
uint64_t addr_range_count(const struct addr_range *r);
bool addr_range_contains(const struct addr_range *r, const struct ip_addr *a);

static inline bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_addr_equal(&a->addr, &b->addr);
}

static inline bool tuple_equal(const struct tuple *a, const struct tuple *b)
{
	return a->protocol == b->protocol && endpoint_equal(&a->src, &b->src) &&
	       endpoint_equal(&a->dst, &b->dst);
}

/* The other direction of the same flow. */
struct tuple tuple_reverse(const struct tuple *t);

/* A secret that keys every hash over data that strangers choose. */
struct hash_key {
	uint64_t k0;
	uint64_t k1;
};

/* SipHash-1-3 of len_bytes of data (Aumasson and Bernstein, 2012; rounds reduced as in Linux). */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len_bytes);
uint64_t tuple_hash(const struct hash_key *key, const struct tuple *t);

/*
 * Numeric only, no names. Leading zeros in an IPv4 number are refused.
 * 0, or -1 with *a untouched.
 */
int ip_addr_parse(struct ip_addr *a, const char *text);

/* Writes text with a terminating zero into buf of the given size and returns buf. */
const char *ip_addr_format(char *buf, size_t size, const struct ip_addr *a);
const char *endpoint_format(char *buf, size_t size, const struct endpoint *e);
const char *tuple_format(char *buf, size_t size, const struct tuple *t);
#endif
