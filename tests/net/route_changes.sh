#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The route to the target changes under load: another gateway, another device, a more specific route, none for a
# second, an unreachable one, and one that says the target is this very host. What a packet was sent into goes
# nowhere in each case, and not a request is lost: for IPv4 with link, and for IPv6 with auto; with arguments, a
# family and a mode, for these.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

net_family=both

# The target's address is behind gateways: the client, and a further host.
service() { if [ "$1" = 6 ]; then echo fd93::30; else echo 10.93.0.30; fi; }
net_of() { if [ "$1" = 6 ]; then echo fd93::/64; else echo 10.93.0.0/24; fi; }
whole() { if [ "$1" = 6 ]; then echo 128; else echo 32; fi; }
gateway_a() { address client "$1"; }
gateway_b() { if [ "$1" = 6 ]; then echo fd90::50; else echo 10.90.0.50; fi; }

# For IPv6 its link-local address: the network of the others is on eth0 alone.
gateway_on_eth1() {
  if [ "$family" = 4 ]; then gateway_a 4; else
    ip -n "$(ns client)" -6 -br addr show dev eth0 scope link | grep -o 'fe80::[0-9a-f:]*'
  fi
}

make_gateways() {
  local f
  net_hosts+=(shop)
  net_add_host shop 50
  for f in 4 6; do
    ip -n "$(ns target)" addr add "$(service $f)/$(whole $f)" dev lo
    for host in client shop; do
      set_sysctl $host net/ipv4/ip_forward 1
      set_sysctl $host net/ipv6/conf/all/forwarding 1
      on $host ip -$f route add "$(net_of $f)" via "$(address target $f)"
    done
  done
  # A second cable of the online host.
  ip -n "$(ns switch)" link add second type veth peer name eth1 netns "$(ns online)"
  ip -n "$(ns switch)" link set second master br0 up
  set_sysctl online net/ipv4/conf/all/arp_ignore 1
  ip -n "$(ns online)" link set eth1 up
  ip -n "$(ns online)" addr add 10.90.1.20/32 dev eth1
}

# only HOST...: forwards; the others drop what comes to them for the target
only() {
  local host
  for host in client shop; do
    set_sysctl $host net/ipv4/ip_forward 0
    set_sysctl $host net/ipv6/conf/all/forwarding 0
  done
  for host in "$@"; do
    set_sysctl $host net/ipv4/ip_forward 1
    set_sysctl $host net/ipv6/conf/all/forwarding 1
  done
}

route() { ip -n "$(ns online)" -$family route "$@"; }

by_a() { route replace "$(net_of $family)" via "$(gateway_a $family)"; }
by_b() {
  only shop
  route replace "$(net_of $family)" via "$(gateway_b $family)"
}
by_eth1() {
  only client
  route replace "$(net_of $family)" via "$(gateway_on_eth1)" dev eth1 onlink
}
more_specific() {
  only shop
  route add "$(service $family)/$(whole $family)" via "$(gateway_b $family)"
}
less_specific() {
  only client
  route del "$(service $family)/$(whole $family)"
}
by_rule() {
  only shop
  route add "$(net_of $family)" via "$(gateway_b $family)" table 100
  ip -n "$(ns online)" -$family rule add to "$(net_of $family)" lookup 100 pref 100
}
without_rule() {
  only client
  ip -n "$(ns online)" -$family rule del pref 100
}
removed() { route del "$(net_of $family)"; }
unreachable() { route add unreachable "$(service $family)/$(whole $family)" metric 1; }
reachable() { route del unreachable "$(service $family)/$(whole $family)" metric 1; }
local_for_now() { route add local "$(service $family)/$(whole $family)" dev lo metric 1; }
far_again() { route del local "$(service $family)/$(whole $family)" dev lo metric 1; }

# change NAME COMMAND...: the second and later ones a second after the one before
change() {
  local name=$1 before
  shift
  "$1"
  shift
  for then in "$@"; do
    sleep 0.5
    "$then"
  done
  before=$(requests_served target)
  check "$name: requests go on arriving" "$before before" wait_for 6 has_served $((before + 200)) target
}

# under_changes FAMILY MODE
under_changes() {
  family=$1
  local mode=$2 to
  rm -f "$net_dir"/*.log
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  only client
  by_a
  net_family=$family
  start_tcpcopy -x "80-$(in_brackets "$(service $family)"):8080" --send "$mode"
  to=$(at online 80)
  load_pids=()
  start_load "kept$family" 6000 --rate 500 --connections 40 --to "$to"
  start_load "short$family" 1200 --rate 100 --connections 100 --short --to "$to"
  wait_for 5 has_served 100 target
  change "IPv$family, $mode: another gateway" by_b
  change "IPv$family, $mode: another device" by_eth1
  change "IPv$family, $mode: a more specific route" more_specific
  change "IPv$family, $mode: and without it again" less_specific
  change "IPv$family, $mode: a rule that leads to another table" by_rule
  change "IPv$family, $mode: and without it again" without_rule
  change "IPv$family, $mode: no route, and one again" removed by_a
  change "IPv$family, $mode: unreachable for a while" unreachable reachable
  change "IPv$family, $mode: the target is this host for a while" local_for_now far_again
  stop_loads
  equal "and the log tells each way" 3 "$(times_logged tcpcopy 'now leave by link: next hop .* on eth1')"
  equal "and that there was none" 2 "$(times_logged tcpcopy 'do not arrive now: there is no route')"
  stop_copy
  same_ids "IPv$family, $mode: every id exactly once, in order"
  ledger_adds_up
}

net_start
has_programs
make_gateways
start_mortal online 80
start_target
start_intercept
if [ $# -gt 0 ]; then under_changes "$@"; else
  under_changes 4 link
  under_changes 6 auto
fi
net_done
