/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_link.c - a device as the link backend sees it: a packet socket that only sends, one that
 * only hears ARP, and what goes in front of an IP packet. Decides nothing: sender.c does.
 *
 * A socket with protocol 0 has no receive hook, so it costs the host nothing a packet.
 */
#include "common/sender_private.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"

enum {
	VIRTIO_LEN = sizeof(struct virtio_net_hdr),
	TCP_HEADER_LEN = 20,
	TCP_CHECKSUM_OFFSET = 16,
	/* A conditional jump reaches 255 instructions; one address takes one. */
	LISTEN_MAX = 64,
};

/* Bound to the device; protocol 0 receives nothing. -1 with errno. */
static int packet_socket(int device_index, uint16_t protocol)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = device_index,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved_errno;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		saved_errno = errno;
		close(fd);
		errno = saved_errno;
		return -1;
	}
	return fd;
}

struct sender_link *sender_link_open(const struct netdev *device)
{
	struct sender_link *l = calloc(1, sizeof(*l));
	int fd, on = 1, saved_errno;

	if (!l)
		return NULL;
	l->device = *device;
	l->arp_fd = packet_socket(device->index, ETHERTYPE_ARP);
	if (l->arp_fd < 0)
		goto fail;
	fd = packet_socket(device->index, 0);
	if (fd < 0)
		goto fail_arp;
	l->cuts_segments = setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0;
	sender_enlarge_buffer(fd);
	if (sender_batch_init(&l->batch, fd, ETHER_HDR_LEN + (l->cuts_segments ? VIRTIO_LEN : 0)) <
	    0)
		goto fail_arp;
	return l;
fail_arp:
	saved_errno = errno;
	close(l->arp_fd);
	errno = saved_errno;
fail:
	free(l);
	return NULL;
}

void sender_link_close(struct sender_link *l)
{
	if (!l)
		return;
	sender_batch_fini(&l->batch);
	close(l->arp_fd);
	free(l);
}

/* ---- in front of the packet ---- */

static void write_virtio(uint8_t *slot, const struct segment *segment, bool is_cut_by_kernel)
{
	bool is_v4 = ip_addr_is_v4(&segment->tuple.dst.addr);
	struct virtio_net_hdr h;
	size_t tcp_len;

	memset(&h, 0, sizeof(h));
	if (is_cut_by_kernel) {
		h.csum_start = ETHER_HDR_LEN + (is_v4 ? 20 : 40);
		h.csum_offset = TCP_CHECKSUM_OFFSET;
		tcp_len = sender_headers_len(segment) - (is_v4 ? 20 : 40);
		h.hdr_len = (uint16_t)(h.csum_start + tcp_len);
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.gso_type = is_v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		h.gso_size = segment->gso_size_bytes;
	}
	memcpy(slot, &h, sizeof(h));
}

void sender_link_prefix(const struct sender_link *l, uint8_t *slot, const uint8_t to[MAC_LEN],
			const struct segment *segment, bool is_cut_by_kernel)
{
	bool is_v4 = ip_addr_is_v4(&segment->tuple.dst.addr);

	if (l->cuts_segments) {
		write_virtio(slot, segment, is_cut_by_kernel);
		slot += VIRTIO_LEN;
	}
	memcpy(slot, to, MAC_LEN);
	memcpy(slot + MAC_LEN, l->device.mac, MAC_LEN);
	put_be16(slot + 2 * MAC_LEN, is_v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
}

/* ---- ARP ---- */

void sender_link_listen(struct sender_link *l, const struct ip_addr *addresses, size_t count)
{
	struct sock_filter code[LISTEN_MAX + 3];
	struct sock_fprog program = {.filter = code};
	size_t v4_count = 0, n = 0;

	for (size_t i = 0; i < count; i++)
		v4_count += ip_addr_is_v4(&addresses[i]);
	if (v4_count > LISTEN_MAX) {
		(void)setsockopt(l->arp_fd, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0);
		return;
	}
	code[n++] =
		(struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARP_SENDER_ADDRESS_OFFSET);
	for (size_t i = 0; i < count; i++) {
		uint8_t to_accept = (uint8_t)(v4_count + 1 - n);

		if (!ip_addr_is_v4(&addresses[i]))
			continue;
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, ip_addr_to_v4(&addresses[i]), to_accept, 0);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT16_MAX);
	program.len = (unsigned short)n;
	/* Without the filter more frames come than needed, and are sorted out here. */
	(void)setsockopt(l->arp_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void sender_link_ask(struct sender_link *l, const struct neighbour *n,
		     enum neighbour_question question, const struct ip_addr *source)
{
	uint8_t frame[ARP_FRAME_LEN];

	if (question == NEIGHBOUR_ASK_NOTHING)
		return;
	arp_build_request(frame, l->device.mac, source, &n->addr,
			  question == NEIGHBOUR_ASK_UNICAST ? n->mac : NULL);
	(void)send(l->arp_fd, frame, sizeof(frame), MSG_DONTWAIT);
}

int sender_link_next_arp(struct sender_link *l, struct arp_sender *sender)
{
	enum { READS_MAX = 64 }; /* foreign frames a call; the rest waits for the next one */
	uint8_t frame[128];

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t got = recv(l->arp_fd, frame, sizeof(frame), MSG_DONTWAIT);

		if (got < 0) {
			/* ENETDOWN is told once, after which the socket works on. */
			if (errno == EINTR || errno == ENETDOWN)
				continue;
			return 0;
		}
		if (arp_parse(sender, frame, (size_t)got) == 0 &&
		    memcmp(sender->mac, l->device.mac, MAC_LEN) != 0)
			return 1;
	}
	return 0;
}
