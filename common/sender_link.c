/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_link.c - a device as the link backend sees it: a packet socket that only sends, one each
 * that only hears ARP and neighbour discovery, and what goes in front of an IP packet. Decides
 * nothing: sender.c does.
 *
 * A socket with protocol 0 has no receive hook, so it costs the host nothing a packet. That for
 * neighbour discovery sees every IPv6 packet that comes in, and lets it go at the second
 * instruction of its filter; it is there only while an IPv6 neighbour counts.
 *
 * With a virtio header in front of them packets are handed over as a host's own TCP does: cut and summed behind us, by the
 * device or, where that cannot, by the kernel (skb_checksum_help). A capture on this host, and on virtual devices up to a target
 * on it, sees them before that: tcpdump calls their checksums incorrect, as those of all that the host itself sends.
 */
#include "common/sender_private.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/out_of_line.h"

enum {
	VIRTIO_LEN = sizeof(struct virtio_net_hdr),
	TCP_HEADER_LEN = 20,
	TCP_CHECKSUM_OFFSET = 16,
	LISTEN_MAX = 64, /* addresses that a filter names */
	ADDRESS_WORDS = 4,
	/* Per IPv6 address four words, each loaded and compared, and a verdict; before them the kind. */
	FILTER_MAX = LISTEN_MAX * (2 * ADDRESS_WORDS + 1) + 16,
	WORD_FRAME_MAX = 1600, /* advertisements with signatures (RFC 3971) are long */
};

/*
 * Bound to the device; protocol 0 receives nothing, and filter may be NULL. It is there before the
 * first frame. -1 with errno.
 */
static int packet_socket(int device_index, uint16_t protocol, const struct sock_fprog *filter)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = device_index,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved_errno;

	if (fd < 0)
		return -1;
	if ((filter && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof(*filter)) < 0) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
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
	l->ears[SENDER_EAR_ARP] = l->ears[SENDER_EAR_NDISC] = -1;
	fd = packet_socket(device->index, 0, NULL);
	if (fd < 0)
		goto fail;
	l->completes = setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0;
	sender_enlarge_buffer(fd);
	if (sender_batch_init(&l->batch, fd, ETHER_HDR_LEN + (l->completes ? VIRTIO_LEN : 0)) < 0)
		goto fail;
	return l;
fail:
	saved_errno = errno;
	free(l);
	errno = saved_errno;
	return NULL;
}

static void close_ear(struct sender_link *l, enum sender_ear ear)
{
	if (l->ears[ear] >= 0)
		close(l->ears[ear]);
	l->ears[ear] = -1;
}

void sender_link_close(struct sender_link *l)
{
	if (!l)
		return;
	sender_batch_fini(&l->batch);
	close_ear(l, SENDER_EAR_ARP);
	close_ear(l, SENDER_EAR_NDISC);
	free(l);
}

/* The kernel takes the device from a socket when it goes. */
bool sender_link_is_alive(const struct sender_link *l)
{
	struct sockaddr_ll at;
	socklen_t len = sizeof(at);

	memset(&at, 0, sizeof(at));
	return getsockname(l->batch.fd, (struct sockaddr *)&at, &len) == 0 &&
	       at.sll_ifindex == l->device.index;
}

/* ---- in front of the packet ---- */

static void write_virtio(uint8_t *slot, const struct segment *segment, bool is_v4)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = ETHER_HDR_LEN + (is_v4 ? 20 : 40),
		.csum_offset = TCP_CHECKSUM_OFFSET,
	};

	if (sender_is_cut(segment)) {
		h.hdr_len = (uint16_t)(ETHER_HDR_LEN + sender_headers_len(segment));
		h.gso_type = is_v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		h.gso_size = segment->gso_size_bytes;
	}
	memcpy(slot, &h, sizeof(h));
}

LINK_IN_LINE void sender_link_prefix(const struct sender_link *l, uint8_t *slot,
				     const uint8_t to[MAC_LEN], const uint8_t from[MAC_LEN],
				     const struct segment *segment)
{
	bool is_v4 = slot[l->batch.prefix_bytes] >> 4 == 4; /* the version, RFC 791 */

	if (l->completes) {
		write_virtio(slot, segment, is_v4);
		slot += VIRTIO_LEN;
	}
	memcpy(slot, to, MAC_LEN);
	memcpy(slot + MAC_LEN, from, MAC_LEN);
	put_be16(slot + 2 * MAC_LEN, is_v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
}

/* ---- hearing neighbours ---- */

struct filter {
	struct sock_filter code[FILTER_MAX];
	size_t count;
};

static void filter_add(struct filter *f, uint16_t code, uint32_t k, size_t jump_true,
		       size_t jump_false)
{
	f->code[f->count++] = (struct sock_filter){
		.code = code, .jt = (uint8_t)jump_true, .jf = (uint8_t)jump_false, .k = k};
}

static void filter_load(struct filter *f, uint16_t size, uint32_t offset)
{
	filter_add(f, (uint16_t)(BPF_LD | size | BPF_ABS), offset, 0, 0);
}

/* Goes on where the value is k, over so many instructions where it is not. */
static void filter_expect(struct filter *f, uint32_t k, size_t over)
{
	filter_add(f, BPF_JMP | BPF_JEQ | BPF_K, k, 0, over);
}

static void filter_return(struct filter *f, uint32_t bytes)
{
	filter_add(f, BPF_RET | BPF_K, bytes, 0, 0);
}

/* A verdict behind each address, as a conditional jump reaches no further than 255 instructions. */
static void filter_arp(struct filter *f, const struct ip_addr *addresses, size_t count)
{
	filter_load(f, BPF_W, ARP_SENDER_ADDRESS_OFFSET);
	for (size_t i = 0; i < count; i++) {
		if (!ip_addr_is_v4(&addresses[i]))
			continue;
		filter_expect(f, ip_addr_to_v4(&addresses[i]), 1);
		filter_return(f, UINT16_MAX);
	}
	filter_return(f, count > 0 ? 0 : UINT16_MAX);
}

/* The last word first: it is where neighbours differ. */
static void filter_ipv6_address(struct filter *f, const struct ip_addr *a)
{
	for (size_t word = ADDRESS_WORDS; word-- > 0;) {
		filter_add(f, BPF_LD | BPF_W | BPF_IND, (uint32_t)(4 * word), 0, 0);
		filter_expect(f, get_be32(a->b + 4 * word), 2 * word + 1);
	}
	filter_return(f, UINT16_MAX);
}

static void filter_ndisc(struct filter *f, const struct ip_addr *addresses, size_t count)
{
	filter_load(f, BPF_B, NDISC_NEXT_HEADER_OFFSET);
	filter_expect(f, NDISC_NEXT_HEADER, 4);
	filter_load(f, BPF_B, NDISC_TYPE_OFFSET);
	filter_add(f, BPF_LDX | BPF_IMM, NDISC_TARGET_OFFSET, 0, 0);
	filter_add(f, BPF_JMP | BPF_JEQ | BPF_K, NDISC_ADVERTISEMENT, 3, 0);
	filter_add(f, BPF_JMP | BPF_JEQ | BPF_K, NDISC_SOLICITATION, 1, 0);
	filter_return(f, 0);
	filter_add(f, BPF_LDX | BPF_IMM, NDISC_SOURCE_OFFSET, 0, 0);
	for (size_t i = 0; i < count; i++)
		if (!ip_addr_is_v4(&addresses[i]))
			filter_ipv6_address(f, &addresses[i]);
	filter_return(f, count > 0 ? 0 : UINT16_MAX);
}

/* The answer to a question without a source goes to all nodes, whom a device without IPv6 does not hear. */
static void join_all_nodes(int fd, int device_index)
{
	struct packet_mreq all_nodes = {
		.mr_ifindex = device_index,
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = MAC_LEN,
		.mr_address = {0x33, 0x33, 0, 0, 0, 1},
	};

	(void)setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all_nodes, sizeof(all_nodes));
}

static void open_ear(struct sender_link *l, enum sender_ear ear, struct filter *f, int epoll_fd)
{
	struct sock_fprog program = {.len = (unsigned short)f->count, .filter = f->code};
	uint16_t protocol = ear == SENDER_EAR_ARP ? ETHERTYPE_ARP : ETHERTYPE_IPV6;
	struct epoll_event event = {.events = EPOLLIN};

	if (l->ears[ear] >= 0) {
		(void)setsockopt(l->ears[ear], SOL_SOCKET, SO_ATTACH_FILTER, &program,
				 sizeof(program));
		return;
	}
	l->ears[ear] = packet_socket(l->device.index, protocol, &program);
	if (l->ears[ear] < 0)
		return;
	if (ear == SENDER_EAR_NDISC)
		join_all_nodes(l->ears[ear], l->device.index);
	event.data.fd = l->ears[ear];
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, l->ears[ear], &event);
}

void sender_link_listen(struct sender_link *l, const struct ip_addr *addresses, size_t count,
			int epoll_fd)
{
	struct filter arp = {.count = 0}, ndisc = {.count = 0};
	size_t v4_count = 0, named = count > LISTEN_MAX ? 0 : count;

	for (size_t i = 0; i < count; i++)
		v4_count += ip_addr_is_v4(&addresses[i]);
	filter_arp(&arp, addresses, named);
	filter_ndisc(&ndisc, addresses, named);
	if (v4_count > 0)
		open_ear(l, SENDER_EAR_ARP, &arp, epoll_fd);
	else
		close_ear(l, SENDER_EAR_ARP);
	if (v4_count < count)
		open_ear(l, SENDER_EAR_NDISC, &ndisc, epoll_fd);
	else
		close_ear(l, SENDER_EAR_NDISC);
}

void sender_link_ask(struct sender_link *l, const struct neighbour *n,
		     enum neighbour_question question, const struct ip_addr *source)
{
	static const struct ip_addr nobody;
	bool is_v4 = ip_addr_is_v4(&n->addr);
	int fd = l->ears[is_v4 ? SENDER_EAR_ARP : SENDER_EAR_NDISC];
	const uint8_t *to = question == NEIGHBOUR_ASK_UNICAST ? n->mac : NULL;
	uint8_t frame[NDISC_FRAME_MAX];
	size_t len_bytes = ARP_FRAME_LEN;

	if (question == NEIGHBOUR_ASK_NOTHING || fd < 0)
		return;
	if (ip_addr_is_v4(source) != is_v4)
		source = &nobody;
	if (is_v4)
		arp_build_request(frame, l->device.mac, source, &n->addr, to);
	else
		len_bytes = ndisc_build_solicitation(frame, l->device.mac, source, &n->addr, to);
	(void)send(fd, frame, len_bytes, MSG_DONTWAIT);
}

/* What came in on this very device (not on a VLAN of it) for us. */
static bool is_heard(const struct sender_link *l, const struct sockaddr_ll *from)
{
	return from->sll_ifindex == l->device.index && from->sll_pkttype != PACKET_OTHERHOST &&
	       from->sll_pkttype != PACKET_OUTGOING;
}

static int next_word(struct sender_link *l, enum sender_ear ear, struct neighbour_word *word)
{
	enum { READS_MAX = 64 }; /* foreign frames a call; the rest waits for the next one */
	uint8_t frame[WORD_FRAME_MAX];

	for (int i = 0; i < READS_MAX; i++) {
		struct sockaddr_ll from = {.sll_ifindex = 0};
		socklen_t from_len = sizeof(from);
		ssize_t got = recvfrom(l->ears[ear], frame, sizeof(frame), MSG_DONTWAIT,
				       (struct sockaddr *)&from, &from_len);
		int result;

		if (got < 0) {
			/* ENETDOWN is told once, after which the socket works on. */
			if (errno == EINTR || errno == ENETDOWN)
				continue;
			return 0;
		}
		result = ear == SENDER_EAR_ARP ? arp_parse(word, frame, (size_t)got)
					       : ndisc_parse(word, frame, (size_t)got);
		if (result == 0 && is_heard(l, &from) &&
		    memcmp(word->mac, l->device.mac, MAC_LEN) != 0)
			return 1;
	}
	return 0;
}

int sender_link_next_word(struct sender_link *l, struct neighbour_word *word)
{
	for (int ear = 0; ear < SENDER_EARS; ear++)
		if (l->ears[ear] >= 0 && next_word(l, (enum sender_ear)ear, word) > 0)
			return 1;
	return 0;
}
