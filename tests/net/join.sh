#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tcpcopy starts, and starts again, in the middle of kept-alive connections: each is joined at a
# request, from then on every request arrives once and in order, and the target sees no bad request.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# no_bad_request NAME: nothing but 200 at the target
no_bad_request() {
  local bad
  bad=$(awk '$6 != 200' "$net_dir/target/access.log" | head -3)
  if [ -z "$bad" ]; then ok "$1"; else not_ok "$1" "$bad"; fi
}

on client "$LOAD" --to "$(at online 80)" --connections 20 --requests 12000 --rate 1500 \
  >"$net_dir/load.json" &
load=$!
wait_for 5 has_served 2000 online
start_tcpcopy
wait_for 10 has_served 5000 online
stop_tcpcopy
equal "tcpcopy ends in the middle of the load" "$tcpcopy_status" 0
sleep 0.5 # what the target's log still holds
first=$(requests_served target)
no_bad_request "the target has only good requests of the first copy ($first of them)"
check "most of what came after the start was copied" "$first" [ "$first" -ge 2000 ]
: >"$net_dir/target/access.log"
start_tcpcopy
wait "$load"
load_result=$(cat "$net_dir/load.json")
load_is_ok "the online server answers all"
wait_delivered 5
joined=500 same_ids "from its join on every id of a connection exactly once at the target"
no_bad_request "the target has only good requests of the second copy"
equal "each connection was joined once" "$(json_stat targets 0 sessions joined)" 20
net_done
