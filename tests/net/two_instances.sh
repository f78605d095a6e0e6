#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two tcpcopies on one host copy the same traffic with the same single faked address: for every connection both want the
# same tuple. Intercept refuses it to one of them, by when both SYNs are out; neither loses anything, nor harms the other. With -f they want
# different ones from the beginning.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/copies.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# load PREFIX REQUESTS: so many on short and on kept-alive connections, at the same time
load() {
  on client "$LOAD" --to 10.90.0.20:80 --connections 50 --requests "$2" --rate 700 --short --id-prefix "$1short" \
    >"$net_dir/short.json" &
  run_load --connections 20 --requests "$2" --rate 700 --id-prefix "$1keep"
  load_is_ok "$1: the online server answers kept-alive connections"
  wait $!
  load_result=$(cat "$net_dir/short.json")
  load_is_ok "$1: the online server answers short connections"
}

start_named first -x 80-10.90.0.30:8080
first=$tcpcopy
start_named second -x 80-10.90.0.30:8080
load same 2500
exactly_times 2 "the same ports: every id exactly twice, in order within each connection"
named_delivered first
named_delivered second
refused=$(($(named_stat first register_refused) + $(named_stat second register_refused)))
check "they were in each other's way" "$refused registrations refused" [ "$refused" -ge 1000 ]
stop_pid "$tcpcopy"

start_named shifted -x 80-10.90.0.30:8080 -f 1
: >"$net_dir/online/access.log"
: >"$net_dir/target/access.log"
load shifted 1000
exactly_times 2 "with -f 1: every id exactly twice"
named_delivered first
named_delivered shifted
refused=$(named_stat shifted register_refused) # by what the first took when it was refused itself
check "with -f 1 they are hardly ever" "$refused registrations refused" [ "$refused" -le 20 ]
check "the first still runs" "" is_running "$first"
net_done
