/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_private.h - what the files of the sender share: only these
 * files and the sender's test include it.
 *
 *	sender.c           opening, batches, sending
 *	sender_path.c      the way to each target: route, backend
 *	sender_next_hop.c  the neighbours that these ways lead to: asked, heard, doubted
 *	sender_ip.c        descriptor -> IP packet (pure), raw sockets
 *	sender_link.c      packet sockets of a device, ARP and neighbour discovery on the wire
 */
#ifndef COMMON_SENDER_PRIVATE_H
#define COMMON_SENDER_PRIVATE_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/ndisc.h"
#include "common/neighbour.h"
#include "common/netdev.h"
#include "common/sender.h"

enum {
	SENDER_PACKET_MAX = 65535, /* an IP packet, headers included */
	SENDER_SNDBUF_BYTES = 4 << 20,
	SENDER_MTU_DEFAULT = 1500,
	SENDER_WHY_MAX = 128,
	SENDER_LINKS_MAX = 64, /* devices */
};

/* ---- packets ---- */

/* Which part of a segment's payload a packet carries. */
struct sender_part {
	size_t offset_bytes;
	size_t len_bytes;
	bool unfinished; /* leave the bare pseudo-header sum: the kernel cuts and completes */
};

/* More than one packet. */
static inline bool sender_is_cut(const struct segment *segment)
{
	return segment->gso_size_bytes > 0 && segment->payload_len_bytes > segment->gso_size_bytes;
}

/* Bytes of IP and TCP headers in front of this segment's payload. */
size_t sender_headers_len(const struct segment *segment);
/*
 * Writes the whole segment as one IP packet: IPv4 with DF, id and TTL 64, or IPv6 with hop limit
 * 64, and all checksums. Returns its length in bytes, or 0 with errno EMSGSIZE (more than size or
 * SENDER_PACKET_MAX) or EINVAL (addresses of two families, less payload in the iovecs than
 * payload_len_bytes). Pure.
 */
size_t sender_build_ip(uint8_t *buf, size_t size, const struct segment *segment, uint16_t id);
/* The same with one part of the payload: seq follows the offset, FIN and PSH only with the last. */
size_t sender_build_part(uint8_t *buf, size_t size, const struct segment *segment, uint16_t id,
			 const struct sender_part *part);

/* ---- batches ---- */

union sender_name {
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Packets that wait for one socket. Slots are mapped; a page costs memory once it was used. */
struct sender_batch {
	int fd; /* owned */
	uint8_t *memory;
	size_t prefix_bytes; /* in front of the IP packet in every slot */
	size_t count;        /* filled slots, ... */
	size_t first;        /* ... of which the kernel has had these */
	unsigned stalled_ticks;
	struct mmsghdr messages[SENDER_BATCH_MAX];
	struct iovec iov[SENDER_BATCH_MAX];
	union sender_name names[SENDER_BATCH_MAX];
};

/* Takes fd, also on failure. 0, or -1 with errno. */
int sender_batch_init(struct sender_batch *b, int fd, size_t prefix_bytes);
void sender_batch_fini(struct sender_batch *b);
/* The next free slot, prefix_bytes + SENDER_PACKET_MAX long, or NULL. */
uint8_t *sender_batch_slot(struct sender_batch *b);
/* The slot is filled with prefix and ip_len_bytes; dst is NULL where the socket is bound. */
void sender_batch_add(struct sender_batch *b, size_t ip_len_bytes, const struct ip_addr *dst);
/* What the kernel has no room for stays in the batch; what it refuses is counted and forgotten. */
void sender_batch_flush(struct sender_batch *b, struct sender_stats *stats);
/* Gives up packets for which there was no room for two ticks: TCP has sent them anew by then. */
void sender_batch_on_tick(struct sender_batch *b, struct sender_stats *stats);
void sender_count_failure(struct sender_stats *stats, int error);
void sender_enlarge_buffer(int fd);

/* ---- sockets ---- */

/* A raw socket that takes whole IP packets. -1 with errno. */
int sender_ip_open(bool is_v4);

enum sender_ear {
	SENDER_EAR_ARP,
	SENDER_EAR_NDISC,
	SENDER_EARS,
};

/* A device that packets leave by. */
struct sender_link {
	struct sender_batch batch;
	struct netdev device;
	int ears[SENDER_EARS]; /* sockets that hear neighbours; -1: none of that kind counts */
	bool completes;        /* PACKET_VNET_HDR: the kernel cuts by gso_size, and sums up */
};

/* NULL with errno. */
struct sender_link *sender_link_open(const struct netdev *device);
void sender_link_close(struct sender_link *l);
/* Whether its sockets are still those of a device of this host. */
bool sender_link_is_alive(const struct sender_link *l);
/* Fills the prefix of a slot whose packet is there and holds the whole segment: virtio header (if completes) and Ethernet header. */
void sender_link_prefix(const struct sender_link *l, uint8_t *slot, const uint8_t to[MAC_LEN],
			const uint8_t from[MAC_LEN], const struct segment *segment);
/*
 * Only what these addresses say of themselves reaches us from now on: a busy link wakes nobody for
 * others. The sockets that this takes are opened, closed, and put into the epoll set. Without one
 * there is nobody to ask; the next call tries again.
 */
void sender_link_listen(struct sender_link *l, const struct ip_addr *addresses, size_t count,
			int epoll_fd);
/* Asks; failures are left to the next question. source may be of another family: then it is none. */
void sender_link_ask(struct sender_link *l, const struct neighbour *n,
		     enum neighbour_question question, const struct ip_addr *source);
/* The next word of another station. 1, or 0 if there is none. */
int sender_link_next_word(struct sender_link *l, struct neighbour_word *word);

/* ---- neighbours ---- */

/* The neighbour that packets to one target, or to several, go to. */
struct sender_next_hop {
	struct sender_link *link;
	struct neighbour neighbour;
	struct ip_addr source; /* of our questions */
	bool has_kernel_mac;   /* what the kernel's table said last: only its changes count */
	uint8_t kernel_mac[MAC_LEN];
	bool is_told_missed;
};

/* ---- targets ---- */

struct sender_path {
	struct sender_target target;
	struct route route;
	int mtu_bytes;
	enum sender_mode mode; /* never SENDER_AUTO */
	char why[SENDER_WHY_MAX];
	bool is_lost;                     /* no route now; told once */
	bool is_back;                     /* there is one again, which is not told yet */
	bool is_moved;                    /* sender_try: by ip, though the route allows a link */
	unsigned tries;                   /* sender_try, on this way */
	struct sender_link *link;         /* NULL: the route allows none */
	struct sender_next_hop *next_hop; /* NULL: no link */
	const uint8_t *source_mac;        /* of our frames */
};

struct sender {
	enum sender_mode mode;
	char device[NETDEV_NAME_MAX]; /* empty: that of each route */
	struct sender_path *paths;
	size_t path_count;
	struct sender_next_hop *next_hops; /* path_count; free if no path leads there */
	struct sender_path *last;          /* where the last segment went */
	struct sender_link *links[SENDER_LINKS_MAX];
	size_t link_count;
	struct sender_batch ip[2]; /* IPv4, IPv6; fd -1: not open */
	int epoll_fd;              /* holds the two below, so that the caller polls one */
	int watch_fd;
	int later_fd;      /* timerfd: a look at routes that was put off is due */
	bool is_open;      /* changes are told from now on, ... */
	bool is_not_alone; /* ... those that are another sender's as well by that one */
	bool is_dirty;
	uint64_t refreshed_us;
	uint16_t ip_id;
	struct sender_stats stats;
};

/*
 * Looks at the route of one target, and chooses. 0, or -1 with the reason in why: without a route
 * the path stays what it was.
 */
int sender_path_refresh(struct sender *s, struct sender_path *p, char why[SENDER_WHY_MAX]);
/* Mode and reason from what is known of the neighbour; unchanged while questions are open. */
void sender_path_settle(struct sender *s, struct sender_path *p);
/* sender_try, where there is something to try. */
bool sender_path_try(struct sender *s, struct sender_path *p, enum sender_mode mode,
		     const char *why);
/* After paths have changed: closes links that nobody uses, hears those neighbours that count. */
void sender_links_tidy(struct sender *s);
/* Looks at all targets again. */
void sender_refresh(struct sender *s, uint64_t now_us);

/* ---- sender_next_hop.c ---- */

/*
 * The path leads over this link from now on, to its route's next hop. What the kernel knows of it is
 * taken over.
 */
void sender_next_hop_set(struct sender *s, struct sender_path *p, struct sender_link *l);
/* Whether a path leads there. */
bool sender_next_hop_is_used(const struct sender *s, const struct sender_next_hop *h);
/* Sends the questions that are due. */
void sender_ask_neighbours(struct sender *s, uint64_t now_us);
/* The neighbour on this way may have another MAC now: it is asked, if it was not just before. */
void sender_next_hop_doubt(struct sender *s, struct sender_next_hop *h, uint64_t now_us);
/* Takes what neighbours say on this link. */
void sender_hear_link(struct sender *s, struct sender_link *l, uint64_t now_us);
#endif
