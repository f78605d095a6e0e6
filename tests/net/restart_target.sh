#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target's server is killed with -9 under load and comes back: what is said meanwhile is refused
# there and counted so; then all goes on, kept-alive clients with another connection to the target.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_tcpcopy
watch_harm
start_loads 11
served_more 1000 target
fault_now
kill_nginx target 8080
served_more 1000 online
restart_nginx target 8080
healed_now
loads_are_over
survives tcpcopy
survives intercept
no_harm
stop_copy
# It may have died with a request of each of its connections.
all_arrive_again --only target_refused,target_reset,target_closed --unserved 45
check "the log says that the target refuses connections" "" \
  log_says "$net_dir/tcpcopy.log" '10.90.0.30:8080 refuses connections'
net_done
