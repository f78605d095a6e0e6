#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Targets with a strict kernel and firewall, answers that take another gateway, an assistant that lets nothing in: no hindrance.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.inc"
net_family=both
net_hosts=(client online target assistant shop)
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# Only what belongs to a connection or begins one; SYN cookies always, and no TCP option that a session could do without.
strict_target() {
  local setting
  on target nft -f - <<'END'
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    ct state invalid drop
    ct state established,related accept
    tcp dport 8080 accept
  }
  chain output {
    type filter hook output priority 0
    ct state invalid drop
  }
}
END
  for setting in syncookies=2 timestamps=0 sack=0 window_scaling=0 abort_on_overflow=1; do
    set_sysctl target "net/ipv4/tcp_${setting%=*}" "${setting#*=}"
  done
  begin
  delivers "strict$net_family" "IPv$net_family, strict kernel and firewall"
  stop_tcpcopy
  for setting in syncookies=1 timestamps=1 sack=1 window_scaling=1 abort_on_overflow=0; do
    set_sysctl target "net/ipv4/tcp_${setting%=*}" "${setting#*=}"
  done
  on target nft flush ruleset
}

# The answers go by a router that the copies did not come by; it tells the target of the shorter way.
other_gateway() {
  local router=10.90.0.50
  [ "$net_family" = 4 ] || router=fd90::50
  set_sysctl shop net/ipv4/ip_forward 1
  set_sysctl shop net/ipv6/conf/all/forwarding 1
  ip -n "$(ns shop)" -"$net_family" route add "$(faked_net)" via "$(address assistant)"
  ip -n "$(ns target)" -"$net_family" route replace "$(faked_net)" via "$router"
  begin
  delivers "gateway$net_family" "IPv$net_family, answers by another gateway"
  stop_tcpcopy
  ip -n "$(ns target)" -"$net_family" route flush cache
  route_back
}

# An assistant that lets in nothing but the link: intercept captures before the firewall.
closed_assistant() {
  on assistant nft -f - <<'END'
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport 36524 accept
  }
  chain early {
    type filter hook prerouting priority raw
    tcp sport 8080 drop
  }
}
END
  begin
  delivers "closed$net_family" "IPv$net_family, an assistant with a closed firewall"
  stop_tcpcopy
  on assistant nft flush ruleset
}

for net_family in 4 6; do
  strict_target
  other_gateway
  closed_assistant
done
net_done
