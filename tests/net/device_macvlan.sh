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
net_done
