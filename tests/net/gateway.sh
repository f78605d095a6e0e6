#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Targets behind a router, two of each family: IPv4 through one gateway, IPv6 through a global and through a
# link-local address of it. Every id exactly once at each, also while the gateway takes another MAC without
# a word; what is told of it is told once, also by several workers.
#
#   online .20 ---- switch ---- .50 router ---- target   10.93.0.30 and .31, fd93::30, fd94::30
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/next_hop.inc"

net_hosts+=(router)

build_router() {
  ip -n "$(ns router)" link add eth1 type veth peer name eth1 netns "$(ns target)"
  ip -n "$(ns router)" link set eth1 up
  ip -n "$(ns target)" link set eth1 up
  set_sysctl router net/ipv4/ip_forward 1
  set_sysctl router net/ipv6/conf/all/forwarding 1
  ip -n "$(ns router)" addr add fe80::1/64 dev eth0 nodad
  local a
  for a in 10.93.0.1/24 fd93::1/64 fd94::1/64; do ip -n "$(ns router)" addr add $a dev eth1; done
  for a in 10.93.0.30/24 10.93.0.31/24 fd93::30/64 fd94::30/64; do ip -n "$(ns target)" addr add $a dev eth1; done
  ip -n "$(ns online)" route add 10.93.0.0/24 via 10.90.0.50
  ip -n "$(ns online)" route add fd93::/64 via fe80::1 dev eth0
  ip -n "$(ns online)" route add fd94::/64 via fd90::50
  for a in 10.93.0.31 fd93::30 fd94::30; do wait_for 5 on online ping -c1 -W1 $a || not_ok "the router forwards to $a"; done
}

# load NAME FAMILY: kept-alive and short connections in the background
load() {
  start client "load-$1-$2" "$LOAD" --to "$(at online 80 "$2")" --connections 10 --requests "$requests" --rate 200 --id-prefix "$1-$2"
  loads+=("$started")
  start client "short-$1-$2" "$LOAD" --to "$(at online 80 "$2")" --connections 10 --requests $((requests / 5)) --rate 40 --short --id-prefix "$1-$2-short"
  loads+=("$started")
}

loads_are_over() {
  local pid
  for pid in "${loads[@]}"; do wait_for 20 has_ended "$pid"; done
}

# through MODE [ARGUMENT...]: starts the copy to all four
through() {
  local name mode=$1
  shift
  for name in online target other; do : >"$net_dir/$name/access.log"; done
  rm -f "$net_dir/tcpcopy.log"
  start_tcpcopy --send "$mode" "$@" -c "$(faked_clients 4),$(faked_clients 6)" -x "$(at online 80 4)-10.93.0.30:8080,$(at online 80 4)-10.93.0.31:8081" \
    -x "$(at online 80 6)-[fd93::30]:8080,$(at online 80 6)-[fd94::30]:8081"
  equal "--send $mode: the gateway of each route is the next hop" "2 1 1" \
    "$(times_logged 'next hop 10.90.0.50 on eth0') $(times_logged 'next hop fe80::1 on eth0') $(times_logged 'next hop fd90::50 on eth0')"
  loads=()
  load "$mode" 4
  load "$mode" 6
}

# arrived NAME: at both servers
arrived() {
  loads_are_over
  wait_delivered 10 online target
  wait_delivered 10 online other
  same_ids "$1: every id exactly once" online target
  same_ids "$1: and at the second target of each family" online other
  equal "$1: nothing left by ip" 0 "$(times_logged 'leave by ip')"
  all_delivered "$1: the account knows no loss"
  stop_tcpcopy
  equal "$1: tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
}

net_start
has_programs
build_router
start_nginx online 80
start_nginx target 8080
start_nginx target 8081 other
start_intercept -F 'tcp and (src port 8080 or src port 8081)'

# As after a boot: the kernel knows no neighbour.
ip -n "$(ns online)" neigh flush all
requests=200
through link
arrived "--send link"

ip -n "$(ns online)" neigh flush all
requests=900
through auto -j 2
wait_for 10 has_served 200 target
mute router online
speaks_up router eth0 0
moves "the gateway" router eth0 02:00:00:00:90:50 10.90.0.50 fe80::1 fd90::50
arrived "--send auto with two workers, and another gateway"
equal "the move of each address is logged once, however many targets are behind it" 3 "$(times_logged 'has moved to')"
net_done
