/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * firewall_advice.c - see firewall_advice.h. Rules match what only the copy sends: to the target, from an address that is
 * not this host's.
 */
#include "tcpcopy/firewall_advice.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/text.h"

static void say_targets(struct text *t, const struct firewall_facts *f)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < f->target_count && i < FIREWALL_TARGETS_MAX; i++)
		text_say(t, "%s%s", i ? ", " : "",
			 endpoint_format(text, sizeof(text), &f->targets[i]));
	if (f->target_count > FIREWALL_TARGETS_MAX)
		text_say(t, " and others");
}

static void say_link(struct text *t, const struct firewall_facts *f)
{
	if (f->can_link)
		text_say(t, "remedy: send below it, with \"--send link\", or ");
	else
		text_say(t, "remedy: ");
}

/* A rule for each target into one command of nft. */
static void say_nft_rules(struct text *t, const struct firewall_facts *f, const char *chain,
			  const char *verdict)
{
	char addr[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < f->target_count && i < FIREWALL_TARGETS_MAX; i++) {
		const struct endpoint *e = &f->targets[i];

		text_say(
			t,
			"%sinsert rule inet %s fib saddr type != local %s daddr %s tcp dport %u %s",
			i ? "; " : "", chain, ip_addr_is_v4(&e->addr) ? "ip" : "ip6",
			ip_addr_format(addr, sizeof(addr), &e->addr), (unsigned)e->port, verdict);
	}
}

static void say_iptables_rules(struct text *t, const struct firewall_facts *f, const char *table,
			       const char *verdict)
{
	char addr[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < f->target_count && i < FIREWALL_TARGETS_MAX; i++) {
		const struct endpoint *e = &f->targets[i];

		text_say(t,
			 "%s%s -t %s -I OUTPUT -p tcp -d %s --dport %u -m addrtype ! --src-type "
			 "LOCAL "
			 "-j %s",
			 i ? "; " : "", ip_addr_is_v4(&e->addr) ? "iptables" : "ip6tables", table,
			 ip_addr_format(addr, sizeof(addr), &e->addr), (unsigned)e->port, verdict);
	}
}

static void say_notrack(struct text *t, const struct firewall_facts *f)
{
	text_say(t,
		 "  nft 'add table inet tcpcopy; add chain inet tcpcopy output { type filter hook "
		 "output priority raw; }; ");
	say_nft_rules(t, f, "tcpcopy output", "notrack");
	text_say(t, "'");
}

const char *firewall_refused_text(char *buf, size_t size, const struct firewall_facts *f)
{
	struct text t = text_in(buf, size);

	text_say(&t, "the firewall of this host refuses packets to ");
	say_targets(&t, f);
	text_say(&t, " (EPERM, %" PRIu64 " so far", f->refused);
	if (f->conntrack.entries && f->conntrack.entries >= f->conntrack.max)
		text_say(&t, "; its conntrack table is full: %" PRIu64 " entries",
			 f->conntrack.entries);
	text_say(&t, "); ");
	say_link(&t, f);
	text_say(&t, "let them pass untracked:\n");
	say_notrack(&t, f);
	text_say(&t,
		 "\nand, where a chain drops them still, accept them there (\"nft list ruleset\" "
		 "tells which; this is Debian's):\n  nft '");
	say_nft_rules(&t, f, "filter output", "accept");
	text_say(&t, "'\nor the same with iptables:\n  ");
	say_iptables_rules(&t, f, "raw", "CT --notrack");
	text_say(&t, "\n  ");
	say_iptables_rules(&t, f, "filter", "ACCEPT");
	return buf;
}

const char *firewall_tracking_text(char *buf, size_t size, const struct firewall_facts *f)
{
	struct text t = text_in(buf, size);

	text_say(&t, "sent by ip, each copied connection to ");
	say_targets(&t, f);
	text_say(&t,
		 " becomes an entry of this host's conntrack table (%" PRIu64 " of %" PRIu64
		 " are used), and when that is full, production's packets are dropped; ",
		 f->conntrack.entries, f->conntrack.max);
	say_link(&t, f);
	text_say(&t, "leave them out of the table (if that is done, all is well):\n");
	say_notrack(&t, f);
	text_say(&t, "\nor the same with iptables:\n  ");
	say_iptables_rules(&t, f, "raw", "CT --notrack");
	return buf;
}
