#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Five targets at once whose answers are not those of the online server: ten times longer, ten times shorter, 20 ms
# slower, in pieces with pauses, without keep-alive. Each gets every request once, in order.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
start_http online 80 online --answer 1000
start_http target 8080 longer --answer 10000
start_http target 8081 shorter --answer 100
start_http target 8082 slower --answer 1000 --delay 20
start_http target 8083 pieces --answer 1000 --pieces 5 --pause 8
start_http target 8084 closing --answer 1000 --close
start_intercept -F 'tcp and src portrange 8080-8084'
pairs=$(printf ',80-10.90.0.30:%d' 8080 8081 8082 8083 8084)
start_tcpcopy -x "${pairs#,}"

# Where the target ends a connection behind its answer the next request may come just before that, and be lost.
compare() {
  local name
  wait_for_all 20 online longer shorter slower pieces
  for name in longer shorter slower pieces; do
    same_ids "$1: every id exactly once at the target, in order, answers $name" online "$name"
  done
  same_but_ended "$1, answers closing" 4 online closing
  forget_logs online longer shorter slower pieces closing
}

run_load --connections 50 --requests 1200 --rate 400 --id-prefix open
load_is_ok "the online server answers all, 400 a second"
compare "400 a second"
run_load --connections 10 --requests 1000 --id-prefix closed
load_is_ok "the online server answers all, asked again at once"
compare "asked again at once"
run_load --connections 20 --requests 200 --rate 200 --short --id-prefix short
load_is_ok "the online server answers all, a connection each"
compare "a connection each"
run_load --connections 10 --requests 100 --rate 100 --method PUT --body 30000 --id-prefix put
load_is_ok "the online server answers all, uploads"
compare "uploads"

ended=$(json_stat targets 4 sessions rejoined)
check "where every answer ended its connection each request had one of its own" "$ended" [ "$ended" -ge 2000 ]
all_delivered "the ledger: everything else was delivered to each of the five targets" target_reset? target_closed?
net_done
