/* SPDX-License-Identifier: BSD-2-Clause */
/* advice.c - see advice.h. */
#include "intercept/advice.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"

static const char *sysctl_command(bool is_v4)
{
	return is_v4 ? "sysctl -w net.ipv4.ip_forward=0"
		     : "sysctl -w net.ipv6.conf.all.forwarding=0";
}

const char *advice_forwarding_at_start(char *buf, size_t size, bool is_v4)
{
	struct text t = text_in(buf, size);

	text_say(&t,
		 "this host forwards %s packets, so it may send the target's answers on to others, "
		 "or "
		 "answer the target with ICMP errors; remedy: \"%s\"; if it must forward (Docker "
		 "does), the rule to add instead is shown when the first session is registered",
		 is_v4 ? "IPv4" : "IPv6", sysctl_command(is_v4));
	return buf;
}

/*
 * Whatever comes from the target for others than this host: also where it came in by a bridge, which is not the device of -i
 * to the firewall.
 */
static void say_nft(struct text *t, const struct advice_facts *f, const char *target, bool is_v4)
{
	text_say(t,
		 "nft 'add table inet intercept; add chain inet intercept answers { type filter "
		 "hook "
		 "prerouting priority raw; }; add rule inet intercept answers fib daddr type != "
		 "local "
		 "%s saddr %s tcp sport %u drop'",
		 is_v4 ? "ip" : "ip6", target, (unsigned)f->seen.port);
}

static void say_iptables(struct text *t, const struct advice_facts *f, const char *target,
			 bool is_v4)
{
	text_say(
		t,
		"%s -t raw -I PREROUTING -p tcp -s %s --sport %u -m addrtype ! --dst-type LOCAL -j "
		"DROP",
		is_v4 ? "iptables" : "ip6tables", target, (unsigned)f->seen.port);
}

const char *advice_forwarding(char *buf, size_t size, const struct advice_facts *f)
{
	bool is_v4 = ip_addr_is_v4(&f->seen.addr);
	char target[IP_ADDR_TEXT_MAX], client[IP_ADDR_TEXT_MAX], onward[IP_ADDR_TEXT_MAX];
	struct text t = text_in(buf, size);

	ip_addr_format(target, sizeof(target), &f->seen.addr);
	ip_addr_format(client, sizeof(client), &f->client);
	text_say(&t, "this host forwards %s packets: the answers of the target %s to %s ",
		 is_v4 ? "IPv4" : "IPv6", target, client);
	if (f->has_onward)
		text_say(&t, "go on to %s through %s",
			 ip_addr_format(onward, sizeof(onward), &f->onward), f->onward_device);
	else
		text_say(&t, "are answered with ICMP errors");
	text_say(&t,
		 ", which can end the copied connections; remedy:\n"
		 "  %s\n"
		 "or, if this host must forward (Docker does), drop them before they are routed "
		 "(intercept still sees them; if that is done, all is well):\n"
		 "  ",
		 sysctl_command(is_v4));
	say_nft(&t, f, target, is_v4);
	text_say(&t, "\nor the same with iptables:\n  ");
	say_iptables(&t, f, target, is_v4);
	if (f->has_onward) /* on a shared network a forwarding host sends ICMP redirects (RFC 792) */
		text_say(&t,
			 "\nthe target may have learnt from ICMP redirects to pass this host by; "
			 "after "
			 "the "
			 "remedy, on the target:\n  %s route flush cache",
			 is_v4 ? "ip" : "ip -6");
	return buf;
}

const char *advice_local_client(char *buf, size_t size, const struct tuple *response)
{
	char client[IP_ADDR_TEXT_MAX], target[IP_ADDR_TEXT_MAX];
	struct text t = text_in(buf, size);

	text_say(&t,
		 "the faked client address %s is an address of this host, whose kernel will answer "
		 "the "
		 "target %s with RST: give tcpcopy a range that no host uses, for example -c "
		 "%s, or remove the address here",
		 ip_addr_format(client, sizeof(client), &response->dst.addr),
		 ip_addr_format(target, sizeof(target), &response->src.addr),
		 ip_addr_is_v4(&response->dst.addr) ? "10.20.30.x" : "2001:db8:1::/64");
	return buf;
}
