/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * firewall_advice.c - see firewall_advice.h. Rules match what only the copy sends: to the target, from an address that is
 * not this host's.
 */
#include "tcpcopy/firewall_advice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct text {
	char *at;
	size_t left;
};

/* Appends; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= t->left)
		n = t->left ? (int)t->left - 1 : 0;
	t->at += n;
	t->left -= (size_t)n;
}

static void say_targets(struct text *t, const struct firewall_facts *f)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < f->target_count && i < FIREWALL_TARGETS_MAX; i++)
		say(t, "%s%s", i ? ", " : "", endpoint_format(text, sizeof(text), &f->targets[i]));
	if (f->target_count > FIREWALL_TARGETS_MAX)
		say(t, " and others");
}

static void say_link(struct text *t, const struct firewall_facts *f)
{
	if (f->can_link)
		say(t, "remedy: send below it, with \"--send link\", or ");
	else
		say(t, "remedy: ");
}

/* A rule for each target into one command of nft. */
static void say_nft_rules(struct text *t, const struct firewall_facts *f, const char *chain,
			  const char *verdict)
{
	char addr[IP_ADDR_TEXT_MAX];

	for (size_t i = 0; i < f->target_count && i < FIREWALL_TARGETS_MAX; i++) {
		const struct endpoint *e = &f->targets[i];

		say(t, "%sinsert rule inet %s fib saddr type != local %s daddr %s tcp dport %u %s",
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

		say(t,
		    "%s%s -t %s -I OUTPUT -p tcp -d %s --dport %u -m addrtype ! --src-type LOCAL "
		    "-j %s",
		    i ? "; " : "", ip_addr_is_v4(&e->addr) ? "iptables" : "ip6tables", table,
		    ip_addr_format(addr, sizeof(addr), &e->addr), (unsigned)e->port, verdict);
	}
}

static void say_notrack(struct text *t, const struct firewall_facts *f)
{
	say(t, "  nft 'add table inet tcpcopy; add chain inet tcpcopy output { type filter hook "
	       "output priority raw; }; ");
	say_nft_rules(t, f, "tcpcopy output", "notrack");
	say(t, "'");
}

const char *firewall_refused_text(char *buf, size_t size, const struct firewall_facts *f)
{
	struct text t = {.at = buf, .left = size};

	say(&t, "the firewall of this host refuses packets to ");
	say_targets(&t, f);
	say(&t, " (EPERM, %" PRIu64 " so far", f->refused);
	if (f->conntrack.entries && f->conntrack.entries >= f->conntrack.max)
		say(&t, "; its conntrack table is full: %" PRIu64 " entries", f->conntrack.entries);
	say(&t, "); ");
	say_link(&t, f);
	say(&t, "let them pass untracked:\n");
	say_notrack(&t, f);
	say(&t, "\nand, where a chain drops them still, accept them there (\"nft list ruleset\" "
		"tells which; this is Debian's):\n  nft '");
	say_nft_rules(&t, f, "filter output", "accept");
	say(&t, "'\nor the same with iptables:\n  ");
	say_iptables_rules(&t, f, "raw", "CT --notrack");
	say(&t, "\n  ");
	say_iptables_rules(&t, f, "filter", "ACCEPT");
	return buf;
}

const char *firewall_tracking_text(char *buf, size_t size, const struct firewall_facts *f)
{
	struct text t = {.at = buf, .left = size};

	say(&t, "sent by ip, each copied connection to ");
	say_targets(&t, f);
	say(&t,
	    " becomes an entry of this host's conntrack table (%" PRIu64 " of %" PRIu64
	    " are used), and when that is full, production's packets are dropped; ",
	    f->conntrack.entries, f->conntrack.max);
	say_link(&t, f);
	say(&t, "leave them out of the table (if that is done, all is well):\n");
	say_notrack(&t, f);
	say(&t, "\nor the same with iptables:\n  ");
	say_iptables_rules(&t, f, "raw", "CT --notrack");
	return buf;
}
