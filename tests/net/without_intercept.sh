#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -L: connections that begin while no intercept is there wait for one. Nothing is said to the target until then, and
# nothing is lost.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
capture target early 'src net 10.91.0.0/16'
launch_tcpcopy -L
check "tcpcopy starts without intercept" "" wait_for 5 test -s "$net_dir/stats.json"
run_load --connections 20 --requests 400 --rate 400 --id-prefix keep
load_is_ok "the online server answers all, kept-alive"
run_load --connections 50 --requests 200 --rate 200 --short --id-prefix short
load_is_ok "the online server answers all, short"
no_packets "the target hears of none while no intercept is there" early
start_intercept
check "tcpcopy finds intercept" "" wait_for 5 link_is_up
wait_delivered 10
same_ids "every id exactly once at the target, in order"

kill -KILL "$intercept"
wait_for 5 has_ended "$intercept"
not_linked() { ! is_linked; }
wait_for 5 not_linked
run_load --connections 20 --requests 400 --rate 400 --id-prefix again
load_is_ok "the online server answers all while intercept is dead"
run_load --connections 50 --requests 200 --rate 200 --short --id-prefix more
load_is_ok "... and short connections"
start_intercept
check "tcpcopy finds the new intercept" "" wait_for 5 is_linked
wait_delivered 10
same_ids "every id exactly once, also of connections that began in the outage"
all_delivered "the ledger: all was delivered"
net_done
