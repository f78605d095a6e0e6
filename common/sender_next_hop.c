/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender_next_hop.c - the neighbours that packets go to, one for all targets behind it.
 *
 * A MAC comes from the kernel's table (only its changes count: what we hear is newer), from the
 * answer to our own question, or from any other word of that neighbour. Questions go out every 30 s
 * to see that it is still there, and at once when the caller has doubts, as nothing comes back from
 * behind it (sender_doubt): so one that takes another MAC without a word is found within a round
 * trip of the first retransmission.
 */
#include "common/sender_private.h"

#include <assert.h>
#include <string.h>

#include "common/log.h"

enum {
	ADDRESSES_MAX = 256, /* of a device; the rest is not looked at for a source of questions */
};

bool sender_next_hop_is_used(const struct sender *s, const struct sender_next_hop *h)
{
	for (size_t i = 0; i < s->path_count; i++)
		if (s->paths[i].next_hop == h)
			return true;
	return false;
}

/* ---- which one ---- */

static bool is_wanted(const struct sender_next_hop *h, const struct sender_path *p,
		      const struct sender_link *l)
{
	const struct neighbour *n = &h->neighbour;

	if (h->link != l || !ip_addr_equal(&n->addr, &p->route.next_hop) ||
	    n->is_fixed != p->target.has_next_hop_mac)
		return false;
	return !n->is_fixed || memcmp(n->mac, p->target.next_hop_mac, MAC_LEN) == 0;
}

/* A new one in a free place: there is one, as there are as many as paths, and p has given up its own. */
static struct sender_next_hop *next_hop_new(struct sender *s, const struct sender_path *p,
					    struct sender_link *l)
{
	struct sender_next_hop *h = s->next_hops;

	while (sender_next_hop_is_used(s, h))
		h++;
	assert(h < s->next_hops + s->path_count);
	memset(h, 0, sizeof(*h));
	h->link = l;
	neighbour_init(&h->neighbour, &p->route.next_hop);
	if (p->target.has_next_hop_mac)
		neighbour_set_fixed(&h->neighbour, p->target.next_hop_mac);
	return h;
}

static bool is_link_local(const struct ip_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/*
 * The source of questions: for ARP that of the route; for IPv6 the link-local address, which every
 * neighbour can answer, otherwise any of the device; unspecified if there is none.
 */
static struct ip_addr question_source(const struct sender_path *p, const struct netdev *d)
{
	struct ip_addr addresses[ADDRESSES_MAX], best = {.b = {0}};
	int count;

	if (ip_addr_is_v4(&p->route.next_hop))
		return p->route.source;
	count = netdev_local_addresses(d->name, addresses, ADDRESSES_MAX);
	for (int i = 0; i < count && i < ADDRESSES_MAX; i++) {
		if (ip_addr_is_v4(&addresses[i]))
			continue;
		best = addresses[i];
		if (is_link_local(&best))
			break;
	}
	return best;
}

/* After what it was known by before. */
static void tell_move(const struct sender *s, const struct neighbour *n)
{
	char next_hop[IP_ADDR_TEXT_MAX];
	const uint8_t *m = n->mac;

	if (!s->is_not_alone)
		log_info("next hop %s has moved to %02x:%02x:%02x:%02x:%02x:%02x",
			 ip_addr_format(next_hop, sizeof(next_hop), &n->addr), m[0], m[1], m[2],
			 m[3], m[4], m[5]);
}

static void ask_kernel(const struct sender *s, struct sender_next_hop *h)
{
	struct neighbour *n = &h->neighbour;
	bool was_known = n->is_known;
	uint8_t mac[MAC_LEN];

	if (n->is_fixed)
		return;
	if (netdev_neighbour(mac, h->link->device.index, &n->addr) < 0) {
		h->has_kernel_mac = false;
		return;
	}
	if (h->has_kernel_mac && memcmp(h->kernel_mac, mac, MAC_LEN) == 0)
		return;
	h->has_kernel_mac = true;
	memcpy(h->kernel_mac, mac, MAC_LEN);
	if (neighbour_learn(n, mac) && was_known)
		tell_move(s, n);
}

void sender_next_hop_set(struct sender *s, struct sender_path *p, struct sender_link *l)
{
	struct sender_next_hop *h = NULL;

	for (size_t i = 0; i < s->path_count && !h; i++)
		if (sender_next_hop_is_used(s, &s->next_hops[i]) &&
		    is_wanted(&s->next_hops[i], p, l))
			h = &s->next_hops[i];
	if (!h || h != p->next_hop) {
		p->next_hop = NULL;
		p->next_hop = h ? h : next_hop_new(s, p, l);
		p->is_moved = false; /* another way: what was tried tells nothing of it */
		p->tries = 0;
	}
	p->link = l;
	p->source_mac = p->target.has_source_mac ? p->target.source_mac : l->device.mac;
	p->next_hop->source = question_source(p, &l->device);
	ask_kernel(s, p->next_hop);
}

/* ---- questions and answers ---- */

static void settle_all(struct sender *s, const struct sender_next_hop *h)
{
	for (size_t i = 0; i < s->path_count; i++)
		if (s->paths[i].next_hop == h)
			sender_path_settle(s, &s->paths[i]);
}

static void ask(struct sender *s, struct sender_next_hop *h, uint64_t now_us)
{
	/* With ip the kernel asks, and its notice tells of an answer. */
	if (s->mode == SENDER_AUTO && neighbour_is_silent(&h->neighbour))
		return;
	sender_link_ask(h->link, &h->neighbour, neighbour_next_question(&h->neighbour, now_us),
			&h->source);
}

/* Once when it is missed, and once when it is back. */
static void tell_missed(const struct sender *s, struct sender_next_hop *h)
{
	bool is_missed = h->neighbour.is_missed;
	bool is_v4 = ip_addr_is_v4(&h->neighbour.addr);
	char next_hop[IP_ADDR_TEXT_MAX];

	if (is_missed == h->is_told_missed || s->is_not_alone)
		return;
	h->is_told_missed = is_missed;
	ip_addr_format(next_hop, sizeof(next_hop), &h->neighbour.addr);
	if (is_missed)
		log_warn("next hop %s on %s no longer answers %s: is it up, and still on this "
			 "network?",
			 next_hop, h->link->device.name, is_v4 ? "ARP" : "neighbour discovery");
	else
		log_info("next hop %s on %s answers again", next_hop, h->link->device.name);
}

void sender_ask_neighbours(struct sender *s, uint64_t now_us)
{
	for (size_t i = 0; i < s->path_count; i++) {
		struct sender_next_hop *h = &s->next_hops[i];

		if (!sender_next_hop_is_used(s, h))
			continue;
		ask(s, h, now_us);
		tell_missed(s, h);
		settle_all(s, h);
	}
}

static void hear(struct sender *s, struct sender_next_hop *h, const struct neighbour_word *word,
		 uint64_t now_us)
{
	bool was_known = h->neighbour.is_known;
	bool is_news = neighbour_on_word(&h->neighbour, word, now_us);

	tell_missed(s, h);
	if (!is_news)
		return;
	if (was_known)
		tell_move(s, &h->neighbour);
	ask(s, h, now_us); /* news that is no answer is asked about */
	settle_all(s, h);
}

void sender_next_hop_doubt(struct sender *s, struct sender_next_hop *h, uint64_t now_us)
{
	neighbour_doubt(&h->neighbour, now_us);
	ask(s, h, now_us);
}

void sender_hear_link(struct sender *s, struct sender_link *l, uint64_t now_us)
{
	enum { MESSAGES_MAX = 64 };
	struct neighbour_word word;

	for (int i = 0; i < MESSAGES_MAX && sender_link_next_word(l, &word) > 0; i++) {
		for (size_t j = 0; j < s->path_count; j++) {
			struct sender_next_hop *h = &s->next_hops[j];

			if (h->link == l && sender_next_hop_is_used(s, h))
				hear(s, h, &word, now_us);
		}
	}
}
