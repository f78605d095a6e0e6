#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target's address is translated on its way in and not back: answers come from an address that
# tcpcopy does not know. Without -D of intercept none is anybody's; with it every request arrives.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
ip -n "$(ns target)" addr add 172.29.0.2/32 dev lo
# 10.90.0.30:8080 becomes 172.29.0.2:8081, where nginx listens; without connection tracking nothing
# translates the answers.
on target nft 'add table ip t; add chain ip t in { type filter hook prerouting priority -300; };
  add rule ip t in ip daddr 10.90.0.30 tcp dport 8080 notrack ip daddr set 172.29.0.2 tcp dport set 8081'
start_nginx online 80
start_nginx target 8081

start_intercept -F 'tcp and src host 172.29.0.2'
start_tcpcopy
run_load --connections 5 --requests 50 --rate 50 --id-prefix lost
load_is_ok "the online server answers all"
stop_tcpcopy
stop_pid "$intercept"
check "without -D the answers belong to nobody" "" \
  log_says "$net_dir/intercept.log" 'at the end: .*routed 0.*unrouted [1-9]'
equal "and nothing is delivered" 0 "$(requests_served target)"

: >"$net_dir/online/access.log"
start_intercept -F 'tcp and src host 172.29.0.2' -D 172.29.0.2:8081-10.90.0.30:8080
start_tcpcopy
run_load --connections 20 --requests 1000 --rate 500
load_is_ok "the online server answers all again"
wait_delivered 10
same_ids "with -D every id arrives exactly once"
net_done
