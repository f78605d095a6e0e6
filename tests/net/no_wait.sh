#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -W: requests go to a target that never answers, as fast as its TCP takes them; without -W the second one waits.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sample.inc"
net_start
has_programs
start_nginx online 80
mkdir "$net_dir/target"
start target mute python3 "$top/tests/net/mute_server.py" --port 8080 --log "$net_dir/target/access.log"
wait_for 5 is_listening target 8080
start_intercept

start_tcpcopy
run_load --connections 10 --requests 200 --id-prefix waits
load_is_ok "the online server answers all"
has_first_requests() { has_served 10 target; }
check "a copy that waits says the first request of each connection" "" wait_for 5 has_first_requests
sleep 1
equal "... and no other" 10 "$(requests_served target)"
stop_tcpcopy
forget_logs

start_tcpcopy -W
run_load --connections 10 --requests 2000 --id-prefix on
load_is_ok "the online server answers all again"
wait_delivered 10
same_ids "-W: every id exactly once, in order, at a target that is mute"
run_load --connections 20 --requests 300 --rate 300 --short --id-prefix short
load_is_ok "the online server answers short connections"
run_load --connections 4 --requests 40 --path /put/%s --method PUT --body 50000 --id-prefix up
load_is_ok "and uploads"
wait_delivered 10
same_ids "their ends and their bodies wait for no answer either"
all_delivered "the ledger: all was delivered"
net_done
