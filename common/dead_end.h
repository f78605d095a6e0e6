/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dead_end.h - where the answers of a target go that has intercept on its own host, in the words of a shell.
 *
 * IPv4: lo. What the host sends there to an address that is not its own is captured on lo and then dropped in
 * silence, whether the host forwards or not, even if a server listens at that port: an answer
 * could not be routed from an address that is not the host's.
 *
 * IPv6 refuses routes to lo. There it is one end of a veth pair that does not ask for neighbours: a packet that leaves
 * by it has its own MAC as destination, and so arrives at the other end as somebody else's: captured there, then
 * dropped in silence. This does for IPv4 as well.
 */
#ifndef COMMON_DEAD_END_H
#define COMMON_DEAD_END_H

/* "ip route replace RANGE dev lo" */
#define DEAD_END_DEVICE_IP4 "lo"
/* "DEAD_END_COMMANDS_IP6 && ip -6 route replace RANGE dev copy0" */
#define DEAD_END_DEVICE_IP6 "copy0"
#define DEAD_END_COMMANDS_IP6                                                          \
	"ip link add " DEAD_END_DEVICE_IP6 " up arp off type veth peer name copy1 && " \
	"ip link set copy1 up"
#endif
