/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neighbour.h - what is known of one neighbour on the link: its MAC, how fresh it is, when to ask
 * again, and the ARP messages (RFC 826, RFC 5227) that ask and answer for IPv4; those for IPv6 are
 * in ndisc.h. Pure: frames and times come in as arguments; whoever owns a socket sends and receives.
 *
 * A MAC once known is kept until another takes its place: an old address that may still work is
 * better than none.
 */
#ifndef COMMON_NEIGHBOUR_H
#define COMMON_NEIGHBOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/endpoint.h"

enum {
	ARP_FRAME_LEN = 42,             /* Ethernet header and message; drivers add the padding */
	ARP_SENDER_ADDRESS_OFFSET = 28, /* in the frame */
	NEIGHBOUR_ASK_MAX = 3,          /* questions in a row before it counts as silent */
};

/* In microseconds. */
#define NEIGHBOUR_ASK_INTERVAL_US   UINT64_C(1000000)
#define NEIGHBOUR_DOUBT_INTERVAL_US UINT64_C(4000000)
#define NEIGHBOUR_FRESH_INTERVAL_US UINT64_C(30000000)

struct neighbour {
	struct ip_addr addr;
	bool is_fixed; /* given by the user: never asked, never changed */
	bool is_known;
	bool is_doubted; /* everybody is being asked whether its MAC is still the same */
	bool is_missed;  /* they were, in vain */
	uint8_t mac[MAC_LEN];
	unsigned unanswered;   /* questions since the last answer */
	uint64_t next_ask_us;  /* 0: at once */
	uint64_t doubted_us;   /* last; 0: never */
	uint64_t doubt_gap_us; /* from then to the next */
};

enum neighbour_question {
	NEIGHBOUR_ASK_NOTHING,
	NEIGHBOUR_ASK_UNICAST,   /* the MAC that is known: disturbs nobody else */
	NEIGHBOUR_ASK_BROADCAST, /* or the multicast group that stands for it */
};

/* Nothing is known yet; the first question is due at once. */
void neighbour_init(struct neighbour *n, const struct ip_addr *addr);
void neighbour_set_fixed(struct neighbour *n, const uint8_t mac[MAC_LEN]);
/*
 * Takes a MAC from hearsay (the kernel's table): used, but asked about at once. Returns true if it
 * is another one than before.
 */
bool neighbour_learn(struct neighbour *n, const uint8_t mac[MAC_LEN]);
/*
 * Which question is due at now_us; counts it as asked. Twice the known MAC, then everybody; every
 * second while the MAC is not known, otherwise three times in a row every 30 s. One that is doubted is
 * missed a second after the last of three questions to everybody.
 */
enum neighbour_question neighbour_next_question(struct neighbour *n, uint64_t now_us);
/*
 * Nothing comes back from behind it: its MAC may have changed without a word, so everybody is
 * asked, up to three times in a row; while doubts go on, again after 1, 2, and then every 4 s at
 * the earliest.
 */
void neighbour_doubt(struct neighbour *n, uint64_t now_us);
/* Questions were asked in vain, and no MAC is known. */
bool neighbour_is_silent(const struct neighbour *n);
/* A MAC of one station: neither that of a group nor all zero. */
bool mac_is_station(const uint8_t mac[MAC_LEN]);

/* What a message says of a neighbour. */
struct neighbour_word {
	struct ip_addr addr;
	uint8_t mac[MAC_LEN];
	bool is_answer; /* it has heard a question; otherwise it speaks unasked, or asks */
	bool is_weak; /* a proxy, or one of several with this address: no reason to change while the one that is known answers */
	bool only_agrees; /* it names no MAC: mac is that of the frame */
};

/*
 * True if the word is of n and its MAC is news: taken at once, and asked about unless this is the
 * answer. A fixed neighbour never changes.
 */
bool neighbour_on_word(struct neighbour *n, const struct neighbour_word *word, uint64_t now_us);

/*
 * Reads a frame of Ethernet ARP for IPv4, request or reply: both tell who sent them, gratuitous
 * ones too. 0, or -1 if it is something else, cut short, or names a group or no address as its
 * sender.
 */
int arp_parse(struct neighbour_word *word, const uint8_t *frame, size_t len_bytes);
/*
 * Writes the request "who has target?" to the MAC to, or to all if that is NULL. source is an
 * address of the device, or unspecified (then it is a probe: RFC 5227, section 2.1.1).
 */
void arp_build_request(uint8_t frame[ARP_FRAME_LEN], const uint8_t own_mac[MAC_LEN],
		       const struct ip_addr *source, const struct ip_addr *target,
		       const uint8_t *to);
#endif
