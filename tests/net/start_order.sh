#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Either program may start first, intercept may die and come back: tcpcopy stays and copies on.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
launch_tcpcopy
sleep 3
check "tcpcopy without intercept waits" "pid $tcpcopy" is_running "$tcpcopy"
start_intercept
check "tcpcopy finds intercept, started 3 s later" "within 5 s" wait_for 5 link_is_up
run_load --connections 10 --requests 500 --rate 500 --id-prefix a
load_is_ok "the online server answers all"
wait_delivered 5
same_ids "every id exactly once at the target"

kill -KILL "$intercept"
wait_for 2 has_ended "$intercept"
sleep 1
check "tcpcopy survives kill -9 of intercept" "pid $tcpcopy" is_running "$tcpcopy"
: >"$net_dir/online/access.log"
: >"$net_dir/target/access.log"
start_intercept
check "tcpcopy finds the new intercept" "within 5 s" wait_for 5 is_linked
sleep 0.5
run_load --connections 10 --requests 500 --rate 500 --id-prefix b
load_is_ok "the online server answers all again"
wait_delivered 5
same_ids "new connections are copied, every id exactly once"
net_done
