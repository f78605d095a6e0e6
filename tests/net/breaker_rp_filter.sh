#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target's answers leave by another device than the copies arrive at, and its reverse-path
# filter is strict: the kernel drops every SYN in silence. The log says so, and its command alone
# mends it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/breaker.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
no_route_back
ip -n "$(ns target)" link add eth1 type veth peer name eth1 netns "$(ns assistant)"
ip -n "$(ns target)" addr add 10.92.0.30/24 dev eth1
ip -n "$(ns assistant)" addr add 10.92.0.40/24 dev eth1
ip -n "$(ns target)" link set eth1 up
ip -n "$(ns assistant)" link set eth1 up
set_sysctl assistant net/ipv4/conf/eth1/rp_filter 0
ip -n "$(ns target)" route add 10.91.0.0/16 via 10.92.0.40
rp_filter target 1
start_intercept -i eth0,eth1 -F 'tcp and src port 8080'
start_tcpcopy
breaker_opens 'sysctl -w net\.ipv4\.conf\.all\.rp_filter=0'
filtered=$(on target nstat -asz TcpExtIPReversePathFilter | awk '/ReversePath/ { print $2 }')
if [ "${filtered:-0}" -ge 16 ]; then ok "it is the filter that drops them" "$filtered packets"; else
  not_ok "it is the filter that drops them" "${filtered:-0} packets"
fi
rp_filter target 0
breaker_closes
net_done
