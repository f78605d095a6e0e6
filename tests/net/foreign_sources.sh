#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What drops the copies for their foreign source, or keeps the answers from coming back: the target's firewall, a switch, a rule at the
# egress of the online host, the assistant's own reverse-path filter. The log names it within some 3 s, with the command, and
# the copy goes on by itself when that was run.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.inc"
net_family=both
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept -i any -F 'tcp and src port 8080'

# unanswered NAME PATTERN: 20 connections wait, and the log says so with what matches
unanswered() {
  local begun=${EPOCHREALTIME/[.,]/} waited
  run_load --connections 20 --requests 20 --id-prefix "wait$name" --hold 1
  load_is_ok "$1: the online server is not disturbed"
  wait_for 5 log_says "$net_dir/tcpcopy.log" "$2"
  waited=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
  check "$1: the log names it within 4 s" "$waited ms" log_is_quick "$2"
}
log_is_quick() { [ "$waited" -le 4000 ] && log_says "$net_dir/tcpcopy.log" "$1"; }

# goes_on NAME: by itself, with what waited
goes_on() {
  wait_for 5 log_says "$net_dir/tcpcopy.log" 'the copy goes on'
  check "$1: mended, the copy goes on by itself" "" log_says "$net_dir/tcpcopy.log" 'the copy goes on'
  wait_for 5 has_arrived "wait$name" 20
  the_ids_of "wait$name" "$1: what had waited arrives exactly once"
  run_load --connections 20 --requests 100 --rate 1000 --id-prefix "then$name"
  wait_for 5 has_arrived "then$name" 100
  the_ids_of "then$name" "$1, mended: every id exactly once"
  stop_tcpcopy
}

# The target's firewall takes in its own network only. The command of the log mends it.
closed_target() {
  local tool=$1 name=closed$net_family what="IPv$net_family, a target that takes in its own network only"
  on target nft -f - <<'END'
table inet filter {
  chain input {
    type filter hook input priority 0; policy accept
    ip saddr != 10.90.0.0/24 drop
    ip6 saddr != { fd90::/64, fe80::/10 } drop
  }
}
END
  [ "$tool" = nft ] || { on target nft flush ruleset; on target ip6tables -A INPUT ! -s fd90::/64 -p tcp -j DROP; }
  begin -x "80-$(at target 8080),80-$(at target 8083)"
  unanswered "$what" "$tool .*(accept|ACCEPT)"
  check "$what: another target is named in a line" "" log_says "$net_dir/tcpcopy.log" \
    'target .*:808[03] either: what was said of .*:808[03] may'
  commands tcpcopy "$tool .*(accept|ACCEPT)"
  can_be_pasted target "$what"
  goes_on "$what"
  on target nft flush ruleset
}

# A switch that drops what has a source which is not this host's, as clouds do.
anti_spoofing() {
  local name=spoof what="anti-spoofing on the way"
  on switch nft -f - <<'END'
table netdev guard {
  chain port {
    type filter hook ingress device online priority 0
    ip saddr != 10.90.0.20 ip protocol tcp drop
  }
}
END
  begin
  unanswered "$what" 'anti-spoofing of a switch, hypervisor or cloud'
  on switch nft flush ruleset
  goes_on "$what"
}

# A rule that even packets of the link layer pass.
egress_rule() {
  local name=egress what="a rule at the egress of the online host"
  on online nft -f - <<'END'
table netdev guard {
  chain out {
    type filter hook egress device eth0 priority 0
    ip saddr 10.91.0.0/16 drop
  }
}
END
  begin --send link
  unanswered "$what" 'or a rule at its egress drops them'
  on online nft flush ruleset
  stop_tcpcopy
}

# The answers leave by another device than the copies arrive at. The target's loose reverse-path filter does not mind; the
# assistant's strict one does not answer the ARP question of an address that it would reach by the other device.
second_device() {
  local name=second what="answers by another device, and a strict reverse-path filter of the assistant"
  ip -n "$(ns target)" link add eth1 type veth peer name eth1 netns "$(ns assistant)"
  ip -n "$(ns target)" addr add 10.92.0.30/24 dev eth1
  ip -n "$(ns assistant)" addr add 10.92.0.40/24 dev eth1
  ip -n "$(ns target)" link set eth1 up
  ip -n "$(ns assistant)" link set eth1 up
  ip -n "$(ns target)" route replace 10.91.0.0/16 via 10.92.0.40
  rp_filter assistant 1
  rp_filter target 2
  begin
  unanswered "$what" 'the same on the assistant'
  rp_filter assistant 0
  goes_on "$what"
  rp_filter target 0
  ip -n "$(ns target)" link del eth1
  route_back
}

net_family=4
second_device
closed_target nft
anti_spoofing
egress_rule
net_family=6
closed_target ip6tables
net_done
