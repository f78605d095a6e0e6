#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tcpcopy is killed with -9 and started again, 20 times under load: intercept survives at the same
# size, and what the killed ones leave at the target does not add up.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

again() {
  kill_program "$tcpcopy"
  start_copy
}

net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_copy
start_loads 120
served_more $WARM target
kill_rounds again intercept
left=$(open_at_target)
check "at the target are the connections of 40 clients, not of $((ROUNDS * 40))" "$left" \
  [ "$left" -le 60 ]
stop_loads
stop_copy
# Refused: Linux resets a SYN in the window of a handshake that the killed one has left half done.
nothing_is_wrong --only before_join,no_intercept,target_refused --part
net_done
