#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# TERM while sessions are open: the target is left clean, exit status 0, a summary is printed, the
# pid file is gone.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
on client "$LOAD" --to 10.90.0.20:80 --connections 50 --requests 500 --rate 500 --hold 10 >/dev/null &
net_pids+=($!)
open_sessions() { on target ss -Htn state established 'sport = :8080' | wc -l; }
are_open() { [ "$(open_sessions)" -eq 50 ]; }
wait_for 5 are_open
sleep 1
equal "sessions are open at the target" 50 "$(open_sessions)"
check "the pid file names the process" "$tcpcopy" grep -qx "$tcpcopy" "$net_dir/tcpcopy.pid"
capture_resets
stop_tcpcopy
equal "tcpcopy ends with exit status 0 on TERM" 0 "$tcpcopy_status"
sleep 0.5
equal "no connection is left at the target" 0 "$(open_sessions)"
equal "each was reset once, with the sequence number that the target accepts" 50 \
  "$(count_packets resets)"
check "a summary was printed" "" grep -Eq 'delivered' "$net_dir/tcpcopy.log"
check "the pid file is gone" "" test ! -e "$net_dir/tcpcopy.pid"
kill -TERM "$intercept"
wait_for 5 has_ended "$intercept"
wait "$intercept" 2>/dev/null
equal "intercept ends with exit status 0 on TERM" 0 $?
net_done
