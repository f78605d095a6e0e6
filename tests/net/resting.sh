#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A pool that is used less than once in two seconds: its connections are packed between two requests (parking.h), and intercept dies
# and comes back meanwhile. Every id arrives exactly once, and on TERM all of them are reset at the target.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy

at_target() { on target ss -Htn state established 'sport = :8080' | wc -l; }
has_at_target() { [ "$(at_target)" -eq "$1" ]; }

on client "$LOAD" --to "$(at online 80)" --connections 120 --requests 480 --rate 40 --hold 4 \
  >"$net_dir/load.json" &
load=$!
wait_for 10 has_served 150 target
stop_pid "$intercept" KILL
start_intercept
wait_for 10 link_is_up
wait_for 20 has_served 480 online
wait_delivered 10
equal "the connections are still open at the target" 120 "$(at_target)"
stop_tcpcopy
check "TERM resets them there" "" wait_for 3 has_at_target 0
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
wait "$load"
load_result=$(cat "$net_dir/load.json")
load_is_ok "the online server answers all"
same_ids "every id exactly once, each after three seconds of silence"
net_done
