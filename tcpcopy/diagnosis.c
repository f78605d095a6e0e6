/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diagnosis.c - see diagnosis.h. The order of the remedies is that of how often they are the
 * reason: a missing route back, the reverse-path filter, a target that does not listen.
 */
#include "tcpcopy/diagnosis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/dead_end.h"
#include "common/text.h"

struct block {
	struct text text;
	unsigned steps;
};

/* A numbered remedy. */
static void block_step(struct block *b, const char *text)
{
	text_say(&b->text, "  %u. %s\n", ++b->steps, text);
}

/* --- prefixes --- */

static bool low_bits_are(const struct ip_addr *a, unsigned bits, bool value)
{
	for (unsigned i = 0; i < bits; i++) {
		if ((a->b[15 - i / 8] >> i % 8 & 1) != (value ? 1 : 0))
			return false;
	}
	return true;
}

static struct ip_addr with_low_bits(const struct ip_addr *a, unsigned bits, bool value)
{
	struct ip_addr result = *a;

	for (unsigned i = 0; i < bits; i++) {
		uint8_t bit = (uint8_t)(1u << i % 8);

		if (value)
			result.b[15 - i / 8] |= bit;
		else
			result.b[15 - i / 8] &= (uint8_t)~bit;
	}
	return result;
}

static void prefix_format(char text[DIAGNOSIS_PREFIX_TEXT_MAX], const struct ip_addr *network,
			  unsigned host_bits)
{
	char address[IP_ADDR_TEXT_MAX];
	unsigned bits = ip_addr_is_v4(network) ? 32 : 128;

	snprintf(text, DIAGNOSIS_PREFIX_TEXT_MAX, "%s/%u",
		 ip_addr_format(address, sizeof(address), network), bits - host_bits);
}

/* Whether the range is the network around it, but for its first and last address. */
static bool range_is_network(const struct addr_range *r, unsigned host_bits)
{
	struct ip_addr first = with_low_bits(&r->first, host_bits, false);
	struct ip_addr last = with_low_bits(&r->first, host_bits, true);
	struct ip_addr second = ip_addr_add(&first, 1);
	struct ip_addr after = ip_addr_add(&r->last, 1);

	return (ip_addr_equal(&r->first, &first) || ip_addr_equal(&r->first, &second)) &&
	       (ip_addr_equal(&r->last, &last) || ip_addr_equal(&after, &last));
}

size_t diagnosis_prefixes(char (*texts)[DIAGNOSIS_PREFIX_TEXT_MAX], size_t max,
			  const struct addr_range *range)
{
	unsigned bits = ip_addr_is_v4(&range->first) ? 32 : 128;
	struct ip_addr at = range->first;
	size_t count = 0;

	for (unsigned host_bits = 2; host_bits < bits && max; host_bits++) {
		struct ip_addr network = with_low_bits(&range->first, host_bits, false);

		if (!range_is_network(range, host_bits))
			continue;
		prefix_format(texts[0], &network, host_bits);
		return 1;
	}
	while (ip_addr_compare(&at, &range->last) <= 0 && count <= max) {
		unsigned host_bits = 0;
		struct ip_addr last = at;

		while (host_bits + 1 < bits && low_bits_are(&at, host_bits + 1, false)) {
			struct ip_addr wider = with_low_bits(&at, host_bits + 1, true);

			if (ip_addr_compare(&wider, &range->last) > 0)
				break;
			last = wider;
			host_bits++;
		}
		if (count < max)
			prefix_format(texts[count], &at, host_bits);
		count++;
		if (ip_addr_equal(&last, &range->last))
			break;
		at = ip_addr_add(&last, 1);
	}
	return count;
}

/* --- remedies --- */

/* What stands for the faked clients in a command; without -c the administrator must fill it in. */
struct client_prefixes {
	char texts[DIAGNOSIS_PREFIXES_MAX][DIAGNOSIS_PREFIX_TEXT_MAX];
	size_t count;
	bool are_more;
};

static void client_prefixes(struct client_prefixes *c, const struct diagnosis_facts *f)
{
	*c = (struct client_prefixes){.count = 0};
	for (size_t i = 0; i < f->pool_count && !c->are_more; i++) {
		size_t room = DIAGNOSIS_PREFIXES_MAX - c->count, n;

		if (ip_addr_is_v4(&f->pool[i].first) != ip_addr_is_v4(&f->target.addr))
			continue;
		n = room ? diagnosis_prefixes(c->texts + c->count, room, &f->pool[i]) : 1;
		c->are_more = n > room;
		c->count += c->are_more ? room : n;
	}
	if (!c->count)
		snprintf(c->texts[c->count++], sizeof(c->texts[0]), "NETWORK-OF-THE-CLIENTS");
}

static void add_rest(struct block *b, const struct client_prefixes *c)
{
	if (c->are_more)
		text_say(&b->text, "       ... and so on for the rest of -c\n");
}

/* Where the answers go: "via 10.0.0.3", or with intercept on the target itself the device where they end. */
static const char *way_of_answers(char *text, size_t size, const struct diagnosis_facts *f)
{
	char via[IP_ADDR_TEXT_MAX] = "ADDRESS-OF-THE-ASSISTANT";

	if (!ip_addr_is_unspecified(&f->via))
		ip_addr_format(via, sizeof(via), &f->via);
	if (!f->is_on_target)
		snprintf(text, size, "via %s", via);
	else
		snprintf(text, size, "dev %s",
			 ip_addr_is_v4(&f->target.addr) ? DEAD_END_DEVICE_IP4
							: DEAD_END_DEVICE_IP6);
	return text;
}

static void add_route_commands(struct block *b, const struct diagnosis_facts *f)
{
	bool is_v4 = ip_addr_is_v4(&f->target.addr);
	const char *ip = is_v4 ? "ip" : "ip -6";
	struct client_prefixes clients;
	char way[IP_ADDR_TEXT_MAX + 8];

	client_prefixes(&clients, f);
	way_of_answers(way, sizeof(way), f);
	if (f->is_on_target && !is_v4)
		text_say(&b->text, "       %s\n", DEAD_END_COMMANDS_IP6);
	for (size_t i = 0; i < clients.count; i++)
		text_say(&b->text, "       %s route add %s %s\n", ip, clients.texts[i], way);
	add_rest(b, &clients);
}

/* The target's own firewall takes in what the faked clients say. */
static void add_accept_commands(struct block *b, const struct diagnosis_facts *f)
{
	bool is_v4 = ip_addr_is_v4(&f->target.addr);
	struct client_prefixes clients;

	client_prefixes(&clients, f);
	text_say(&b->text, "       nft 'insert rule inet filter input %s saddr { ",
		 is_v4 ? "ip" : "ip6");
	for (size_t i = 0; i < clients.count; i++)
		text_say(&b->text, "%s%s", i ? ", " : "", clients.texts[i]);
	text_say(&b->text, " } tcp dport %u accept'\n       %s -I INPUT -p tcp -s ",
		 (unsigned)f->target.port, is_v4 ? "iptables" : "ip6tables");
	for (size_t i = 0; i < clients.count; i++)
		text_say(&b->text, "%s%s", i ? "," : "", clients.texts[i]);
	text_say(&b->text, " --dport %u -j ACCEPT\n", (unsigned)f->target.port);
	add_rest(b, &clients);
}

static void add_reverse_path(struct block *b, const struct diagnosis_facts *f)
{
	if (ip_addr_is_v4(&f->target.addr)) {
		block_step(b, "on the target, the reverse-path filter drops the copies (DEV: where "
			      "they arrive; all counts too):");
		text_say(&b->text,
			 "       sysctl -w net.ipv4.conf.all.rp_filter=0 "
			 "net.ipv4.conf.DEV.rp_filter=0\n"
			 "       (the same on the assistant if its route to the target leads by "
			 "another device: it would not answer ARP)\n");
	} else {
		block_step(b,
			   "on the target, a reverse-path rule of the firewall drops the copies:");
		text_say(&b->text, "       nft list ruleset | grep fib\n");
	}
}

/* Where on the way from here to the target packets with foreign sources may be dropped. */
static void add_way_between(struct block *b)
{
	block_step(b,
		   "that tcpdump shows none: something between drops packets from addresses that "
		   "are not this host's:");
	text_say(
		&b->text,
		"       a firewall or router, or the anti-spoofing of a switch, hypervisor or "
		"cloud "
		"(port\n"
		"       security, forged transmits, source/destination check): allow them there\n");
}

/* The way there and back, when nothing of ours is seen at intercept. */
static void add_way_back(struct block *b, const struct diagnosis_facts *f)
{
	unsigned port = f->target.port;
	char target[IP_ADDR_TEXT_MAX];

	if (f->is_next_hop_silent) {
		block_step(b,
			   "no neighbour answers for the target, or for the gateway to it: is it "
			   "up, and on this network?");
		text_say(&b->text, "       ip route get %s; ip neighbour\n",
			 ip_addr_format(target, sizeof(target), &f->target.addr));
	}
	if (f->is_next_hop_given) {
		block_step(b, "the next hop's MAC in -x is another's; who answers for the target:");
		text_say(&b->text, "       ip neighbour show %s\n",
			 ip_addr_format(target, sizeof(target), &f->target.addr));
	}
	block_step(b, f->is_on_target
			      ? "on the target, which has intercept itself, the answers to the "
				"faked clients must end where they are captured:"
			      : "on the target, the faked clients need a route to the "
				"assistant:");
	add_route_commands(b, f);
	if (!f->is_on_target)
		text_say(&b->text,
			 "       (it is there? ICMP redirects may have changed it: %s route flush "
			 "cache)\n",
			 ip_addr_is_v4(&f->target.addr) ? "ip" : "ip -6");
	/* Packets to the host's own addresses pass no such filter, and leave no host. */
	if (!f->is_local)
		add_reverse_path(b, f);
	block_step(b, "nothing listens there, or the target's firewall drops the copies; look, and "
		      "let it take them in (nft or iptables):");
	text_say(&b->text,
		 "       ss -ltn 'sport = :%u'\n"
		 "       tcpdump -ni any 'tcp port %u'\n",
		 port, port);
	add_accept_commands(b, f);
	if (!f->is_local)
		add_way_between(b);
	block_step(b,
		   "on the assistant, -F or -i of intercept leaves the answers out; it must take "
		   "them:");
	text_say(&b->text, "       intercept -i any -F 'tcp and src port %u'\n", port);
}

static void add_no_answer(struct block *b, const struct diagnosis_facts *f)
{
	char assistant[IP_ADDR_TEXT_MAX];

	text_say(&b->text, "  intercept at %s captured no packet at all in the last seconds.\n",
		 ip_addr_format(assistant, sizeof(assistant), &f->assistant));
	add_way_back(b, f);
}

static void add_other_tuple(struct block *b, const struct diagnosis_facts *f)
{
	char target[ENDPOINT_TEXT_MAX];

	endpoint_format(target, sizeof(target), &f->target);
	text_say(&b->text,
		 "  intercept captured %" PRIu64 " packets in the last seconds, but none of "
		 "our connections.\n",
		 f->recent.captured);
	block_step(b,
		   "address translation on the way (a container's published port, a NAT gateway): "
		   "the answers come");
	text_say(&b->text,
		 "     from another address or port than %s; look on the assistant, and name "
		 "in -x what answers:\n"
		 "       tcpdump -ni any '%s & 18 = 18'\n",
		 target, ip_addr_is_v4(&f->target.addr) ? "tcp[13]" : "ip6[53]");
	block_step(b, "they are another tcpcopy's; give each its own -c");
	text_say(&b->text,
		 "  or they are other traffic of the assistant, and none of ours arrives; then\n");
	add_way_back(b, f);
}

static void add_no_link(struct block *b, const struct diagnosis_facts *f)
{
	char assistant[IP_ADDR_TEXT_MAX];

	ip_addr_format(assistant, sizeof(assistant), &f->assistant);
	text_say(&b->text, "  tcpcopy is not connected to intercept, %u of %u links are up.\n",
		 f->links_up, f->links);
	if (f->links_silent)
		text_say(&b->text,
			 "  The link to intercept at %s is silent: that host or program hangs, or "
			 "the network between drops packets.\n",
			 assistant);
	text_say(&b->text,
		 "  1. on the assistant %s, start it:\n"
		 "       intercept -i any -F 'tcp and src port %u' -d\n",
		 assistant, (unsigned)f->target.port);
	text_say(&b->text,
		 "  2. a firewall there must let port %u in:\n"
		 "       ss -ltn 'sport = :%u'\n",
		 (unsigned)f->assistant_port, (unsigned)f->assistant_port);
}

static void add_not_sent(struct block *b, const struct diagnosis_facts *f)
{
	bool is_v4 = ip_addr_is_v4(&f->target.addr);
	char target[IP_ADDR_TEXT_MAX];

	ip_addr_format(target, sizeof(target), &f->target.addr);
	text_say(&b->text,
		 "  packets do not leave this host: %" PRIu64 " failed in the last seconds.\n",
		 f->recent_send_failures);
	if (f->recent_no_neighbour)
		text_say(&b->text,
			 "  1. nobody answers for the target or its gateway (%s):\n"
			 "       ip route get %s\n"
			 "       ip%s neighbour\n",
			 is_v4 ? "ARP" : "neighbour discovery", target, is_v4 ? "" : " -6");
	else if (f->recent_send_not_permitted)
		text_say(&b->text,
			 "  1. a firewall of this host forbids them; send below it, or let "
			 "them pass (the rules were shown):\n"
			 "       tcpcopy --send link\n"
			 "       nft list ruleset\n");
	else
		text_say(&b->text,
			 "  1. the kernel has no way to the target, its device is down or full, "
			 "or a rule at its egress drops them:\n"
			 "       ip route get %s\n"
			 "       ip -s link\n"
			 "       nft list ruleset | grep -A9 egress\n",
			 target);
}

static void add_some_answer(struct block *b, const struct diagnosis_facts *f)
{
	text_say(&b->text,
		 "  answers of other connections do come (%" PRIu64 " packets in the last "
		 "seconds).\n",
		 f->recent.routed);
	text_say(&b->text,
		 "  1. the target's queue of new connections overflows; on the target:\n"
		 "       nstat -az TcpExtListenOverflows TcpExtListenDrops\n"
		 "       ss -ltn 'sport = :%u'\n",
		 (unsigned)f->target.port);
	text_say(&b->text,
		 "  2. only a part of the faked clients is routed to the assistant; on the "
		 "target:\n");
	add_route_commands(b, f);
	if (f->recent.dropped)
		text_say(&b->text,
			 "  3. intercept loses packets (%" PRIu64 " in the last seconds)\n",
			 f->recent.dropped);
}

enum diagnosis diagnosis_of(const struct diagnosis_facts *f)
{
	if (!f->links_up)
		return DIAGNOSIS_NO_LINK;
	/* A single answer proves that sending works. */
	if (f->recent_send_failures && !(f->has_recent && f->recent.routed))
		return DIAGNOSIS_NOT_SENT;
	if (!f->has_recent)
		return DIAGNOSIS_UNKNOWN;
	if (f->recent.routed && !f->is_silent)
		return DIAGNOSIS_SOME_ANSWER;
	/* What was routed came before, to those that had been answered. */
	return f->recent.captured > f->recent.routed ? DIAGNOSIS_OTHER_TUPLE : DIAGNOSIS_NO_ANSWER;
}

const char *diagnosis_text(char *buf, size_t size, const struct diagnosis_facts *f)
{
	struct block b = {.text = text_in(buf, size)};
	char target[ENDPOINT_TEXT_MAX];

	buf[0] = '\0';
	text_say(&b.text, "no answer to our SYNs from the target %s\n",
		 endpoint_format(target, sizeof(target), &f->target));
	switch (diagnosis_of(f)) {
	case DIAGNOSIS_NO_LINK:
		add_no_link(&b, f);
		break;
	case DIAGNOSIS_NOT_SENT:
		add_not_sent(&b, f);
		break;
	case DIAGNOSIS_NO_ANSWER:
		add_no_answer(&b, f);
		break;
	case DIAGNOSIS_OTHER_TUPLE:
		add_other_tuple(&b, f);
		break;
	case DIAGNOSIS_SOME_ANSWER:
		add_some_answer(&b, f);
		break;
	case DIAGNOSIS_UNKNOWN:
		text_say(&b.text, "  intercept has not told its counters yet.\n");
		add_way_back(&b, f);
		break;
	}
	return buf;
}

const char *diagnosis_refused_text(char *buf, size_t size, const struct transfer *t)
{
	char text[ENDPOINT_TEXT_MAX];

	snprintf(buf, size,
		 "the target %s refuses connections (RST): start the server there, or correct its "
		 "port in -x; on the target: ss -ltn 'sport = :%u'",
		 endpoint_format(text, sizeof(text), &t->target), (unsigned)t->target.port);
	return buf;
}

const char *diagnosis_mute_text(char *buf, size_t size, const struct transfer *t)
{
	char text[ENDPOINT_TEXT_MAX];

	snprintf(buf, size,
		 "the target %s takes connections and ends them without a byte of an answer: does "
		 "it "
		 "expect something else than what clients say to port %u (TLS, a PROXY header, "
		 "another "
		 "protocol), or is the service behind it down? See the server's own log",
		 endpoint_format(text, sizeof(text), &t->target), (unsigned)t->source.port);
	return buf;
}

const char *diagnosis_faked_client_text(char *buf, size_t size, const struct transfer *t)
{
	char text[ENDPOINT_TEXT_MAX];

	snprintf(buf, size,
		 "clients of port %u come with addresses of -c or -H: such connections are not "
		 "copied to "
		 "%s. Either another tcpcopy has this server as its target, and copies of copies "
		 "would go round "
		 "for ever, or -c takes the addresses of real clients: choose a range that no host "
		 "uses, for "
		 "example -c %s",
		 (unsigned)t->source.port, endpoint_format(text, sizeof(text), &t->target),
		 ip_addr_is_v4(&t->target.addr) ? "10.20.30.x" : "2001:db8:1::/64");
	return buf;
}

const char *diagnosis_path_mtu_text(char *buf, size_t size, const struct transfer *t, int mtu_bytes,
				    bool is_black_hole)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(text, sizeof(text), &t->target);
	if (is_black_hole)
		snprintf(
			buf, size,
			"packets of more than %d bytes vanish on the way to %s, and no router says "
			"so: smaller ones are sent. A firewall may drop ICMP \"fragmentation "
			"needed\", or a router has no route for the faked clients to the "
			"assistant. "
			"-M %d spares the copy finding out again",
			mtu_bytes, text, mtu_bytes);
	else
		snprintf(buf, size,
			 "a router on the way to %s takes no packets of more than %d bytes: "
			 "smaller ones are sent",
			 text, mtu_bytes);
	return buf;
}

const char *diagnosis_encrypted_text(char *buf, size_t size, const struct transfer *t)
{
	char text[ENDPOINT_TEXT_MAX];

	snprintf(
		buf, size,
		"clients of port %u speak TLS: such connections are not copied to %s, for its keys "
		"would be others. Copy what is plain behind the proxy that ends TLS: "
		"-x PLAIN-PORT-ADDRESS:PLAIN-PORT",
		(unsigned)t->source.port, endpoint_format(text, sizeof(text), &t->target));
	return buf;
}

const char *diagnosis_join_refused_text(char *buf, size_t size, const struct transfer *t)
{
	char text[ENDPOINT_TEXT_MAX];

	snprintf(buf, size,
		 "the target %s does not take connections without their beginning: does its "
		 "protocol "
		 "begin with a login? Those of port %u that are older than the copy, or whose "
		 "login it "
		 "has refused (its accounts may differ), are not copied. Restart the clients or "
		 "their "
		 "pools to have all; -O spares the attempts",
		 endpoint_format(text, sizeof(text), &t->target), (unsigned)t->source.port);
	return buf;
}

const char *diagnosis_syns_only_text(char *buf, size_t size, const struct transfer *t)
{
	char text[ENDPOINT_TEXT_MAX];
	unsigned port = t->target.port;

	snprintf(
		buf, size,
		"the target %s answers our SYNs, but nothing that follows reaches it: a firewall "
		"or "
		"NAT on the way, or on the target, tracks connections, does not see the answers "
		"(they go to the assistant) and takes all but SYNs for invalid; tcpdump -ni any "
		"'tcp port %u' on the target shows whether they arrive. There: nft 'add table inet "
		"copies; add chain inet copies raw { type filter hook prerouting priority raw; }; "
		"add rule inet copies raw tcp dport %u notrack', and accept what is untracked",
		endpoint_format(text, sizeof(text), &t->target), port, port);
	return buf;
}

const char *diagnosis_brief_joins_text(char *buf, size_t size, const struct transfer *t)
{
	char text[ENDPOINT_TEXT_MAX];

	snprintf(buf, size,
		 "the target %s closes each connection of port %u that is older than the copy "
		 "behind "
		 "its first answer. Perhaps it keeps no connection alive; if its protocol begins "
		 "with an agreement (HTTP/2, SMTP), it carries out nothing of these: restart the "
		 "clients or their pools to have all, and copy only whole connections with -O",
		 endpoint_format(text, sizeof(text), &t->target), (unsigned)t->source.port);
	return buf;
}

static const char *nothing_text(char *buf, size_t size, const struct diagnosis_capture *c)
{
	char source[ENDPOINT_TEXT_MAX], host[IP_ADDR_TEXT_MAX];

	if (!c->mirrored) {
		snprintf(buf, size,
			 "nothing was captured in the first %u s: no client speaks to this host's "
			 "port yet, or the traffic passes another device or address: see -i and -x "
			 "(what this host's own programs say to it passes lo: -i any)",
			 c->seconds);
		return buf;
	}
	endpoint_format(source, sizeof(source), c->mirrored);
	ip_addr_format(host, sizeof(host), &c->mirrored->addr);
	if (c->is_promiscuous)
		snprintf(buf, size,
			 "nothing was captured in the first %u s: %s is another host's, and no "
			 "packet of it is mirrored to %s; look what comes there: tcpdump -ni %s "
			 "'host %s or udp port 4789 or proto 47 or vlan'",
			 c->seconds, source, c->device, c->device, host);
	else
		snprintf(buf, size,
			 "nothing was captured in the first %u s: %s is another host's, and a "
			 "network card shows what is addressed to others only with --promiscuous: "
			 "add it, unless the mirror comes in a tunnel to this host's own address; "
			 "then look whether it does: tcpdump -ni %s 'udp port 4789 or proto 47'",
			 c->seconds, source, c->device);
	return buf;
}

const char *diagnosis_capture_text(char *buf, size_t size, const struct diagnosis_capture *c)
{
	char source[ENDPOINT_TEXT_MAX];

	if (!c->captured)
		return nothing_text(buf, size, c);
	if (c->used)
		return NULL;
	if (c->malformed > c->captured / 2) {
		snprintf(buf, size,
			 "none of %" PRIu64 " captured packets could be read; behind two VLAN tags "
			 "that is so with -i any: name the device",
			 c->captured);
		return buf;
	}
	if (!c->mirrored) {
		snprintf(buf, size,
			 "in the first %u s only this host's own answers were captured on %s, and "
			 "no "
			 "request: they come in by another device (-i any), which they should not "
			 "if "
			 "two are in one network: sysctl -w net.ipv4.conf.all.arp_ignore=1",
			 c->seconds, c->device);
		return buf;
	}
	snprintf(buf, size,
		 "of %s, which is another host's, only what it says itself is mirrored, and "
		 "nothing of "
		 "what it is sent: mirror both directions, or the one towards it",
		 endpoint_format(source, sizeof(source), c->mirrored));
	return buf;
}

const char *diagnosis_mirror_text(char *buf, size_t size, const struct endpoint *source,
				  bool is_promiscuous)
{
	char text[ENDPOINT_TEXT_MAX];

	snprintf(buf, size,
		 "%s is no address of this host, so a container's, or mirrored to it: its traffic "
		 "is "
		 "taken where it passes, also out of tunnels (VXLAN, GENEVE, GRE, ERSPAN)%s",
		 endpoint_format(text, sizeof(text), source),
		 is_promiscuous ? "" : "; frames to other network cards only with --promiscuous");
	return buf;
}

const char *diagnosis_cut_text(void)
{
	return "the mirror cuts packets short: what is missing of a request is lost to the copy. "
	       "Give the "
	       "mirror's packets room on their way (a tunnel adds some 50 to 80 bytes, so an MTU "
	       "of "
	       "1600 or more up to this host's device, or clients whose MSS is smaller), and "
	       "switch off truncation (slicing, packet length) in the mirror session";
}

const char *diagnosis_fragments_text(void)
{
	return "what the mirror sends comes in fragments, which are not put together: their "
	       "packets are "
	       "lost to the copy. A tunnel adds some 50 to 80 bytes: raise the MTU of the way "
	       "between the mirror and this host to 1600 or more";
}
