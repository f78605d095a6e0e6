#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The online host's address, and the assistant's, is on a bridge of which eth0 is a port: a packet is
# seen on both, and is one packet.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/devices.inc"

# make_bridge HOST: br1 with the MAC of its port, as most tools set it up
make_bridge() {
  ip -n "$(ns "$1")" link add br1 type bridge forward_delay 0 mcast_snooping 0
  ip -n "$(ns "$1")" link set eth0 master br1
  ip -n "$(ns "$1")" link set br1 up
  move_address "$1" br1
}

net_start
has_programs
make_bridge online
make_bridge assistant
meet_again
start_nginx online 80
start_nginx target 8080
copy_through "default devices, auto" br1
says "the bridge alone is captured on" 'capturing on br1$'
says "and packets leave by it" 'sending by link \(next hop .* on br1\)'
copy_through "the bridge by name, link" any -i br1 --send link
copy_through "the port, auto" eth0 -i eth0
copy_through "any, ip" br1 -i any --send ip
# What the port hears is the bridge's, the answers to our questions for a neighbour too.
on online "$TCPCOPY" -o eth0 -x "80-$(at target 8080)" -s "$(address assistant)" -c 10.91.0.x >"$net_dir/port" 2>&1
equal "a port of a bridge is refused as the way out" 1 $?
check "with the reason" "$(tail -1 "$net_dir/port")" grep -q 'eth0 is a port of a bridge or bond' "$net_dir/port"
check "any sees packets on the bridge and on its port" "$(json_stat packets duplicate) duplicates" \
  [ "$(json_stat packets duplicate)" -gt 500 ]
net_done
