/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_ip.c - a segment descriptor becomes an IP packet; the raw sockets of the ip backend.
 * The payload is copied and summed in one pass. Routing and neighbours are the kernel's here.
 */
#include "common/sender_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/out_of_line.h"
#include "common/packet.h"

enum {
	IPV4_HEADER_LEN = 20,
	IPV6_HEADER_LEN = 40,
	TCP_HEADER_LEN = 20,
	TCP_CHECKSUM_OFFSET = 16,
	HOPS = 64,
	DONT_FRAGMENT = 0x4000,
};

/* ---- packets ---- */

static size_t ip_header_len(const struct segment *segment)
{
	return ip_addr_is_v4(&segment->tuple.dst.addr) ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
}

size_t sender_headers_len(const struct segment *segment)
{
	return ip_header_len(segment) + TCP_HEADER_LEN + tcp_options_len(&segment->options);
}

static uint32_t word_of(unsigned high, unsigned low)
{
	return (uint32_t)high << 16 | (uint32_t)low;
}

static uint64_t sum_of_words(const uint8_t *p, size_t len_bytes)
{
	uint64_t sum = 0;

	for (; len_bytes > 0; p += 4, len_bytes -= 4)
		sum += get_be32(p);
	return sum;
}

/* Returns the sum of the addresses, which are in TCP's pseudo header too (RFC 9293, section 3.1). */
static uint64_t write_ipv4(uint8_t *ip, const struct segment *segment, size_t len_bytes,
			   uint16_t id)
{
	uint32_t version_and_len = word_of(0x4500, (unsigned)len_bytes);
	uint32_t fragment = word_of(id, DONT_FRAGMENT);
	uint32_t hops_and_sum = word_of(HOPS << 8 | segment->tuple.protocol, 0);
	uint32_t src = ip_addr_to_v4(&segment->tuple.src.addr);
	uint32_t dst = ip_addr_to_v4(&segment->tuple.dst.addr);
	uint64_t sum = (uint64_t)version_and_len + fragment + hops_and_sum + src + dst;

	put_be32(ip, version_and_len);
	put_be32(ip + 4, fragment);
	put_be32(ip + 8, hops_and_sum | (uint16_t)~checksum_fold_words(sum));
	put_be32(ip + 12, src);
	put_be32(ip + 16, dst);
	return (uint64_t)src + dst;
}

/* Likewise. */
static uint64_t write_ipv6(uint8_t *ip, const struct segment *segment, size_t len_bytes)
{
	put_be32(ip, UINT32_C(6) << 28);
	put_be16(ip + 4, (uint16_t)(len_bytes - IPV6_HEADER_LEN));
	ip[6] = segment->tuple.protocol;
	ip[7] = HOPS;
	memcpy(ip + 8, segment->tuple.src.addr.b, 16);
	memcpy(ip + 24, segment->tuple.dst.addr.b, 16);
	return sum_of_words(ip + 8, 32);
}

/* The checksum, like the urgent pointer, is zero. header_len_bytes: with options. */
static void write_tcp(uint8_t *tcp, const struct segment *segment, const struct sender_part *part,
		      size_t header_len_bytes)
{
	bool is_last = part->offset_bytes + part->len_bytes == segment->payload_len_bytes;
	uint8_t flags = is_last ? segment->flags : segment->flags & (uint8_t) ~(TCP_FIN | TCP_PSH);

	put_be32(tcp, word_of(segment->tuple.src.port, segment->tuple.dst.port));
	put_be32(tcp + 4, segment->seq + (uint32_t)part->offset_bytes);
	put_be32(tcp + 8, segment->ack);
	put_be32(tcp + 12, word_of((unsigned)header_len_bytes / 4 << 12 | flags, segment->window));
	put_be32(tcp + TCP_CHECKSUM_OFFSET, 0);
	tcp_options_write(tcp + TCP_HEADER_LEN, &segment->options);
}

/*
 * Copies len_bytes that belong at an odd offset: there every byte counts in the other half of its
 * word, so the sum of the piece by itself is added with its bytes swapped (RFC 1071, section 2B).
 */
static uint64_t copy_at_odd(uint64_t sum, uint8_t *to, const uint8_t *from, size_t len_bytes)
{
	uint16_t piece = checksum_fold(checksum_copy(0, to, from, len_bytes));
	uint8_t swapped[2] = {(uint8_t)piece, (uint8_t)(piece >> 8)};

	return checksum_add(sum, swapped, sizeof(swapped));
}

/* Copies the part and adds its sum to *sum. False if the iovecs end before it does. */
static OUT_OF_LINE bool copy_pieces(uint8_t *to, const struct segment *segment,
				    const struct sender_part *part, uint64_t *sum)
{
	size_t skip = part->offset_bytes, done = 0;

	for (size_t i = 0; i < segment->iov_count && done < part->len_bytes; i++) {
		const uint8_t *from = segment->iov[i].iov_base;
		size_t len = segment->iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		from += skip;
		skip = 0;
		if (len > part->len_bytes - done)
			len = part->len_bytes - done;
		if (part->unfinished)
			memcpy(to + done, from, len);
		else if (done % 2 == 0)
			*sum = checksum_copy(*sum, to + done, from, len);
		else
			*sum = copy_at_odd(*sum, to + done, from, len);
		done += len;
	}
	return done == part->len_bytes;
}

/* The same: most requests are one piece. */
static bool copy_payload(uint8_t *to, const struct segment *segment, const struct sender_part *part,
			 uint64_t *sum)
{
	const struct iovec *only = &segment->iov[0];

	if (segment->iov_count != 1 || only->iov_len != part->len_bytes)
		return copy_pieces(to, segment, part, sum);
	if (part->unfinished)
		memcpy(to, only->iov_base, only->iov_len);
	else
		*sum = checksum_copy(*sum, to, only->iov_base, only->iov_len);
	return true;
}

LINK_IN_LINE size_t sender_build_part(uint8_t *buf, size_t size, const struct segment *segment,
				      uint16_t id, const struct sender_part *part)
{
	const struct tuple *t = &segment->tuple;
	bool is_v4 = ip_addr_is_v4(&t->dst.addr);
	size_t ip_len = is_v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
	size_t tcp_len = TCP_HEADER_LEN + tcp_options_len(&segment->options);
	size_t len = ip_len + tcp_len + part->len_bytes;
	uint8_t *tcp = buf + ip_len;
	uint64_t payload_sum = 0, sum;

	assert(segment->iov_count <= SEGMENT_IOV_MAX);
	assert(part->offset_bytes + part->len_bytes <= segment->payload_len_bytes);
	if (len > SENDER_PACKET_MAX || len > size) {
		errno = EMSGSIZE;
		return 0;
	}
	if (ip_addr_is_v4(&t->src.addr) != is_v4 ||
	    !copy_payload(tcp + tcp_len, segment, part, &payload_sum)) {
		errno = EINVAL;
		return 0;
	}
	sum = is_v4 ? write_ipv4(buf, segment, len, id) : write_ipv6(buf, segment, len);
	sum += t->protocol + tcp_len + part->len_bytes;
	write_tcp(tcp, segment, part, tcp_len);
	if (part->unfinished) {
		put_be16(tcp + TCP_CHECKSUM_OFFSET, checksum_fold_words(sum));
		return len;
	}
	sum += sum_of_words(tcp, tcp_len) + checksum_fold(payload_sum);
	put_be16(tcp + TCP_CHECKSUM_OFFSET, (uint16_t)~checksum_fold_words(sum));
	return len;
}

size_t sender_build_ip(uint8_t *buf, size_t size, const struct segment *segment, uint16_t id)
{
	struct sender_part all = {.len_bytes = segment->payload_len_bytes};

	return sender_build_part(buf, size, segment, id, &all);
}

/* ---- raw sockets ---- */

/*
 * IPPROTO_RAW means that the header is ours and that the socket receives nothing. Our packets
 * carry DF; a path MTU that the kernel has learned for itself must not turn into EMSGSIZE for them,
 * hence PROBE.
 */
int sender_ip_open(bool is_v4)
{
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			IPPROTO_RAW);
	int on = 1, probe = is_v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
	int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
	int saved_errno;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, level, is_v4 ? IP_HDRINCL : IPV6_HDRINCL, &on, sizeof(on)) < 0) {
		saved_errno = errno;
		close(fd);
		errno = saved_errno;
		return -1;
	}
	(void)setsockopt(fd, level, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &probe,
			 sizeof(probe));
	sender_enlarge_buffer(fd);
	return fd;
}
