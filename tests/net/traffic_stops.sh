#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients that fall silent: under load tcpcopy looks at its links when captured packets wake it, so somebody else has to
# when these stop. The target is slow, and the second request of each burst waits for its answer, which comes in the silence, and in two pieces.
# Runs alone: it measures time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
delay_ms=35
most_ms=30 # of the records' way, 5 ms of gathering and 10 of patience with it; a timer of the session comes after 200
net_start
has_programs
start_http online 80 online --pieces 2
start_http target 8080 target --delay $delay_ms --pieces 2
start_intercept
start_tcpcopy
on client $python "$net_tests/bursts.py" "$(address online)" 80 6 || not_ok "the clients are answered"
wait_delivered 10
same_ids "every id exactly once at the target, in order"
late_ms=$($python "$net_tests/bursts.py" --late $delay_ms "$net_dir/target/access.log")
check "the second request follows the first answer" "three quarters within $late_ms ms" \
  test "${late_ms%.*}" -lt $most_ms
net_done
