#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -n: every connection is so many connections at the target, each with all of it in order. On redis counters are
# incremented so many times.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/copies.inc"
. "$(dirname "$0")/kv.inc"

# counters HOST: redis' keys with their values
counters() { redis "$1" --raw eval 'local r = {} for _, k in ipairs(redis.call("keys", "*")) do
  r[#r + 1] = k .. " " .. redis.call("get", k) end table.sort(r) return r' 0; }
times_two() { awk '{ print $1, 2 * $2 }'; }
twice_as_much() { [ "$(counters online | times_two)" = "$(counters target)" ]; }

kv_start redis 6379 redis-server redis-cli redis-benchmark
kv_copy -n 2
check "the online server counts" "" on client redis-benchmark -h 10.90.0.20 -q -c 20 -n 5000 -r 50 incr counter:__rand_int__
all_delivered "-n 2: all delivered, of 20 connections"
wait_for 10 twice_as_much || true
check "every counter of the target is twice the online server's" "$(counters online | wc -l) counters" twice_as_much
equal "of 5,000 increments" 5000 "$(counters online | awk '{ n += $2 } END { print n }')"
stop_tcpcopy
stop_pid "$intercept"

start_nginx online 80
start_nginx target 8080
start_intercept
rm -f "$net_dir/stats.json"
start_tcpcopy -n 3
run_load --connections 20 --requests 3000 --rate 1000 --id-prefix keep
load_is_ok "the online server answers all, kept-alive"
run_load --connections 50 --requests 500 --rate 250 --short --id-prefix short
load_is_ok "the online server answers all, short"
run_load --connections 5 --requests 500 --id-prefix loop
load_is_ok "the online server answers all, closed loop"
exactly_times 3 "-n 3: every id exactly three times, in order within each connection"
all_delivered "the account says so"
equal "of each copy" "4000 4000 4000" "$(json_stat targets 0 copies |
  python3 -c 'import ast, sys; print(*(c["delivered"] for c in ast.literal_eval(sys.stdin.read())))')"
net_done
