#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# intercept is killed with -9 under load and comes back nine seconds later, when the timers of both
# sides have long backed off. The requests of kept-alive clients wait and none is lost; connections
# that begin meanwhile are not copied, and the ledger says why.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_tcpcopy
watch_harm
start_loads 18
served_more 1000 target
fault_now
kill_program "$intercept"
served_more 6300 online
start_intercept
healed_now
loads_are_over
survives tcpcopy
no_harm
stop_copy
all_arrive_again --only no_intercept,paused
ledger_adds_up
check "the log says that intercept was gone" "" \
  log_says "$net_dir/tcpcopy.log" 'link to intercept .*trying again'
equal "and that it is back" 2 "$(times_logged tcpcopy 'info: connected to intercept')"
net_done
