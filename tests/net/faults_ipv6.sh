#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What goes wrong, over IPv6: no route back (the log has the command of IPv6, and the copy begins when it was given),
# connections older than tcpcopy, an intercept that dies under load, packets that are lost both ways.
net_family=6
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/breaker.inc"
. "$(dirname "$0")/loss.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
no_route_back
start_intercept
start_tcpcopy
breaker_opens 'ip -6 route add fd91::[0-9a-f:/]+ via fd90::40'
check "it does not speak of what IPv6 does not have" "" eval '! grep -Eq "rp_filter|net\.ipv4|  ip route" "$net_dir/tcpcopy.log"'
route_back
check "the copy goes on by itself once mended" "" wait_for 5 log_says "$net_dir/tcpcopy.log" 'the copy goes on'
check "the requests that had waited arrive" "" wait_for 5 has_requests target ' before' 20
stop_tcpcopy

# begin_load NAME REQUESTS: in the background
begin_load() {
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  on client "$LOAD" --to "$(at online 80)" --connections 20 --requests "$2" --rate 1000 --id-prefix "$1" >"$net_dir/load.json" &
  load=$!
}

# load_ends NAME: and the online server has answered all of it
load_ends() {
  wait "$load"
  load_result=$(cat "$net_dir/load.json")
  load_is_ok "the online server answers all, $1"
  wait_delivered 40 # a SYN that is lost four times in a row takes 15 s
}

begin_load older 1600
wait_for 5 has_served 300 online
: >"$net_dir/tcpcopy.log"
start_tcpcopy
load_ends older
joined=100 same_ids "connections older than tcpcopy are joined, and miss nothing from then on"
equal "each was joined once" 20 "$(json_stat total sessions joined)"

begin_load restarted 1600
wait_for 5 has_served 300 target
kill -KILL "$intercept"
wait_for 5 has_ended "$intercept"
wait_for 5 has_served 1000 online
start_intercept -b "$(address assistant)" -F 'tcp and src port 8080'
load_ends restarted
same_ids "an intercept that dies costs kept-alive clients no request"

lose 3
begin_load lossy 1200
load_ends lossy
check "packets were lost both ways" "$(dropped target), $(dropped switch)" \
  [ "$(dropped target)" -gt 10 -a "$(dropped switch)" -gt 10 ]
same_ids "3 % of loss costs no request"
net_done
