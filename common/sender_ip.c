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
#include "common/packet.h"

enum {
	IPV4_HEADER_LEN = 20,
	IPV6_HEADER_LEN = 40,
	TCP_HEADER_LEN = 20,
	TCP_CHECKSUM_OFFSET = 16,
	HOPS = 64,
};

/* ---- packets ---- */

static size_t ip_header_len(const struct segment *segment)
{
	return ip_addr_is_v4(&segment->tuple.dst.addr) ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
}

size_t sender_headers_len(const struct segment *segment)
{
	uint8_t options[TCP_OPTIONS_MAX];

	return ip_header_len(segment) + TCP_HEADER_LEN +
	       tcp_options_write(options, &segment->options);
}

static void write_ipv4(uint8_t *ip, const struct segment *segment, size_t len_bytes, uint16_t id)
{
	put_be16(ip, 0x4500);
	put_be16(ip + 2, (uint16_t)len_bytes);
	put_be16(ip + 4, id);
	put_be16(ip + 6, 0x4000); /* don't fragment */
	ip[8] = HOPS;
	ip[9] = segment->tuple.protocol;
	put_be16(ip + 10, 0);
	put_be32(ip + 12, ip_addr_to_v4(&segment->tuple.src.addr));
	put_be32(ip + 16, ip_addr_to_v4(&segment->tuple.dst.addr));
	put_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IPV4_HEADER_LEN)));
}

static void write_ipv6(uint8_t *ip, const struct segment *segment, size_t len_bytes)
{
	put_be32(ip, UINT32_C(6) << 28);
	put_be16(ip + 4, (uint16_t)(len_bytes - IPV6_HEADER_LEN));
	ip[6] = segment->tuple.protocol;
	ip[7] = HOPS;
	memcpy(ip + 8, segment->tuple.src.addr.b, 16);
	memcpy(ip + 24, segment->tuple.dst.addr.b, 16);
}

static void write_tcp(uint8_t *tcp, const struct segment *segment, const struct sender_part *part,
		      const uint8_t *options, size_t options_len)
{
	bool is_last = part->offset_bytes + part->len_bytes == segment->payload_len_bytes;

	put_be16(tcp, segment->tuple.src.port);
	put_be16(tcp + 2, segment->tuple.dst.port);
	put_be32(tcp + 4, segment->seq + (uint32_t)part->offset_bytes);
	put_be32(tcp + 8, segment->ack);
	tcp[12] = (uint8_t)((TCP_HEADER_LEN + options_len) / 4 << 4);
	tcp[13] = is_last ? segment->flags : segment->flags & (uint8_t) ~(TCP_FIN | TCP_PSH);
	put_be16(tcp + 14, segment->window);
	put_be32(tcp + 16, 0); /* checksum, urgent pointer */
	memcpy(tcp + TCP_HEADER_LEN, options, options_len);
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
static bool copy_payload(uint8_t *to, const struct segment *segment, const struct sender_part *part,
			 uint64_t *sum)
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

size_t sender_build_part(uint8_t *buf, size_t size, const struct segment *segment, uint16_t id,
			 const struct sender_part *part)
{
	const struct tuple *t = &segment->tuple;
	uint8_t options[TCP_OPTIONS_MAX];
	size_t options_len = tcp_options_write(options, &segment->options);
	size_t ip_len = ip_header_len(segment), tcp_len = TCP_HEADER_LEN + options_len;
	size_t len = ip_len + tcp_len + part->len_bytes;
	uint8_t *tcp = buf + ip_len;
	uint64_t sum;

	assert(segment->iov_count <= SEGMENT_IOV_MAX);
	assert(part->offset_bytes + part->len_bytes <= segment->payload_len_bytes);
	if (len > SENDER_PACKET_MAX || len > size) {
		errno = EMSGSIZE;
		return 0;
	}
	sum = checksum_pseudo(&t->src.addr, &t->dst.addr, t->protocol,
			      (uint32_t)(tcp_len + part->len_bytes));
	if (ip_addr_is_v4(&t->src.addr) != ip_addr_is_v4(&t->dst.addr) ||
	    !copy_payload(tcp + tcp_len, segment, part, &sum)) {
		errno = EINVAL;
		return 0;
	}
	if (ip_len == IPV4_HEADER_LEN)
		write_ipv4(buf, segment, len, id);
	else
		write_ipv6(buf, segment, len);
	write_tcp(tcp, segment, part, options, options_len);
	if (part->unfinished)
		put_be16(tcp + TCP_CHECKSUM_OFFSET, checksum_fold(sum));
	else
		put_be16(tcp + TCP_CHECKSUM_OFFSET,
			 (uint16_t)~checksum_fold(checksum_add(sum, tcp, tcp_len)));
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
