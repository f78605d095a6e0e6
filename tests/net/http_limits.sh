#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Kept-alive connections that the online server ends and the target would not, after 50 requests or after an idle
# second; and a target that ends them just as the next request comes. (keepalive_limit.sh has the target's limits.)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
NGINX_KEEPALIVE_REQUESTS=50 NGINX_KEEPALIVE=1 start_nginx online 80
start_nginx target 8080
start_nginx online 81 patient
NGINX_KEEPALIVE=1 start_nginx target 8081 hasty
start_intercept -F 'tcp and src portrange 8080-8081'
start_tcpcopy -x 80-10.90.0.30:8080,81-10.90.0.30:8081
capture target resets 'src net 10.91.0.0/16 and dst port 8080 and tcp[tcpflags] & tcp-rst != 0'

run_load --connections 50 --requests 10000 --rate 4000
load_is_ok "the online server answers all, 50 requests a connection"
# Every request comes an idle second after the answer before it, and so does the end of the connection at the
# hasty target: it may come in time, meet a RST, or lie in the buffer of the socket that the target closes.
on client "$LOAD" --to 10.90.0.20:81 --connections 30 --requests 180 --think 1000 --id-prefix race \
  >"$net_dir/race.json" &
race=$!
run_load --connections 10 --requests 40 --rate 8 --id-prefix slow
load_is_ok "the online server answers a slow client, one request a connection"
wait "$race"
load_result=$(cat "$net_dir/race.json") load_is_ok "the online server answers all, asked once a second"

wait_delivered 10
same_ids "every id exactly once at the target, though the online server ends connections"
wait_for 3 stats_are_fresh
equal "what the online server ended was not begun again" 0 "$(json_stat targets 0 sessions rejoined)"
no_packets "and nothing was reset" resets

ended=$(json_stat targets 1 sessions rejoined)
check "the hasty target ended connections, and each went on with another" "$ended" [ "$ended" -ge 30 ]
same_but_ended "the hasty target" 1 patient hasty
all_delivered "the ledger: everything else was delivered" target_reset? target_closed?
net_done
