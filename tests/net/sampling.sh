#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -r 20: a fifth of 10,000 clients is copied, the same ones by another tcpcopy; --sample-by client: whole clients.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sample.inc"
net_start
has_programs
add_clients 50
start_nginx online 80
start_nginx target 8080
start_intercept

start_tcpcopy -r 20
run_clients --addresses 50 --ports 200
load_is_ok "the online server answers 10,000 clients"
wait_settled
copied_ids "$net_dir/first"
in_range "of them 20 +- 1.5 % reach the target" 1850 2150 "$(wc -l <"$net_dir/first")"
ids_are_online "each once" "$net_dir/first"
whole_account "the ledger knows of all requests" 10000 sampled_out
equal "and of all connections" 10000 \
  $(($(json_stat total sessions started) + $(json_stat total sessions not_started sampled_out)))
equal "none that is left out is followed" 0 "$(json_stat connections)"
stop_tcpcopy
forget_logs

start_tcpcopy -r 20
run_clients --addresses 50 --ports 200
load_is_ok "the online server answers the same 10,000 clients again"
wait_settled
copied_ids "$net_dir/second"
check "another tcpcopy copies the same ones" "$(wc -l <"$net_dir/second") ids" \
  cmp "$net_dir/first" "$net_dir/second"
stop_tcpcopy
forget_logs

start_tcpcopy -r 20 --sample-by client
run_clients --addresses 50 --ports 40 --port 30000
load_is_ok "the online server answers 50 clients of 40 connections"
wait_settled
copied_ids "$net_dir/third"
ids_are_online "each connection is copied once or not" "$net_dir/third"
in_range "some of the clients are in the sample" 4 20 "$(cut -d_ -f1 "$net_dir/third" | uniq | wc -l)"
equal "... with all of their connections" 40 "$(cut -d_ -f1 "$net_dir/third" | uniq -c | awk '{ print $1 }' | uniq)"
net_done
