#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The assistant's network device is down for some eleven seconds, under load: the link is given up
# as silent, the target finds no neighbour for its answers, intercept has nothing to capture on. All
# of it comes back by itself.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_tcpcopy
watch_harm
start_loads 21
served_more 1000 target
fault_now
ip -n "$(ns assistant)" link set eth0 down
served_more 8000 online
ip -n "$(ns assistant)" link set eth0 up
healed_now
loads_are_over
survives tcpcopy
survives intercept
no_harm
stop_copy
all_arrive_again --only paused,no_intercept
ledger_adds_up
check "the log says that the link was given up" "" \
  log_says "$net_dir/tcpcopy.log" 'silent for 10 s; trying again'
equal "and that it is back" 2 "$(times_logged tcpcopy 'info: connected to intercept')"
net_done
