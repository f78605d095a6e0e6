#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The online server and intercept are in a macvlan, whose parent has no address, and whose parent's host cannot
# speak with it: it has a MAC of its own on the same cable.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/devices.inc"

# make_macvlan HOST: without arp_ignore the parent would answer for the address of its child
make_macvlan() {
  set_sysctl "$1" net/ipv4/conf/eth0/arp_ignore 1
  ip -n "$(ns "$1")" link add mac0 link eth0 type macvlan mode bridge
  ip -n "$(ns "$1")" link set mac0 up
  move_address "$1" mac0
}

# A target in a macvlan of the online host's own cable.
make_sibling() {
  net_hosts+=(shop)
  ip netns add "$(ns shop)"
  ip -n "$(ns online)" link add mac1 link eth0 type macvlan mode bridge
  ip -n "$(ns online)" link set mac1 netns "$(ns shop)" name eth0
  ip -n "$(ns shop)" addr add 10.90.0.35/24 dev eth0
  ip -n "$(ns shop)" link set lo up
  ip -n "$(ns shop)" link set eth0 up
  ip -n "$(ns shop)" route add 10.91.0.0/16 via 10.90.0.40
  rp_filter shop 0
}

net_start
has_programs
make_macvlan online
make_macvlan assistant
meet_again
start_nginx online 80
start_nginx target 8080
copy_through "default devices, auto" mac0
says "the macvlan alone is captured on" 'capturing on mac0$'
says "and packets leave by it" 'sending by link \(next hop .* on mac0\)'
copy_through "the macvlan by name, link" any -i mac0 --send link
copy_through "the parent, auto" eth0 -i eth0
copy_through "any, ip" mac0 -i any --send ip
check "any sees packets on the macvlan and on its parent" "$(json_stat packets duplicate) duplicates" \
  [ "$(json_stat packets duplicate)" -gt 500 ]

make_sibling
start_nginx shop 8080
copied_to=shop
copy_through "a target in a macvlan beside it" mac0 -x 80-10.90.0.35:8080
net_done
