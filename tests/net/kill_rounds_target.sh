#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target's server is killed with -9 and started again, 20 times under load: both programs
# survive at the same size and copy again each time; once it lives, so does every connection.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

again() {
  kill_nginx target 8080
  restart_nginx target 8080
}

net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_copy
start_loads 120
served_more $WARM target
fault_now
kill_rounds again tcpcopy intercept
healed_now
served_more 4900 online # HEAL_S and two more
stop_loads
stop_copy
# Each time it may have died with a request of each of its connections.
all_arrive_again --only target_refused,target_reset,target_closed --unserved $((ROUNDS * 45))
net_done
