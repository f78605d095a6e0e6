#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -o by IPv6: packets leave by a device that has no route to the target, first with nothing but a link-local
# address, then with no address at all, as IPv6 is disabled on it. The neighbour is found all the same.
net_family=6
. "$(dirname "$0")/lib.sh"

# A second cable to the same bridge.
plug_eth1() {
  ip -n "$(ns switch)" link add second type veth peer name eth1 netns "$(ns online)"
  ip -n "$(ns switch)" link set second master br0 up
  ip -n "$(ns online)" link set eth1 up
}

addresses_of_eth1() { ip -n "$(ns online)" -6 -o addr show dev eth1 | awk '{ print $4 }'; }
has_link_local() { [[ $(addresses_of_eth1) == fe80:* ]]; }
mac_of_eth1() { on online cat /sys/class/net/eth1/address; }

# copies_by_eth1 NAME
copies_by_eth1() {
  cases=$((${cases-0} + 1))
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  rm -f "$net_dir/tcpcopy.log"
  ip -n "$(ns online)" neigh flush all
  capture target "elsewhere$cases" "not ether src $(mac_of_eth1) and src net $(faked_net) and tcp"
  start_tcpcopy -o eth1
  run_load --connections 10 --requests 500 --rate 1000 --id-prefix "case$cases"
  load_is_ok "$1: the online server answers all"
  wait_delivered 5
  same_ids "$1: every id exactly once with -o eth1"
  no_packets "$1: no packet left by another device" "elsewhere$cases"
  check "$1: the log names the device" "eth1" log_says "$net_dir/tcpcopy.log" 'next hop fd90::30 on eth1'
  stop_tcpcopy
  equal "$1: tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
}

net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
plug_eth1
wait_for 5 has_link_local
equal "there is no route by eth1" "" "$(ip -n "$(ns online)" -6 route get fd90::30 oif eth1 2>/dev/null)"
copies_by_eth1 "link-local address"
set_sysctl online net/ipv6/conf/eth1/disable_ipv6 1
equal "eth1 has no address at all" "" "$(addresses_of_eth1)"
copies_by_eth1 "no address"
net_done
