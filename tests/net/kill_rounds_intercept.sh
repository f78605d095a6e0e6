#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# intercept is killed with -9 and started again, 20 times under load: tcpcopy survives at the same
# size and copies again each time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

again() {
  kill_program "$intercept"
  restart_intercept
}

net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_copy
start_loads 120
served_more $WARM target
kill_rounds again tcpcopy
stop_loads
stop_copy
nothing_is_wrong --only no_intercept,paused
ledger_adds_up
net_done
