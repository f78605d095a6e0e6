#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Strangers at intercept's port while a copy runs: noise, half messages, silence, another version,
# a peer that never reads, many connections. Nobody else notices.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
start client strangers python3 "$(dirname "$0")/strangers.py" 10.90.0.40 36524 5
strangers=$started
run_load --connections 50 --requests 10000 --rate 2000
load_is_ok "the online server answers all"
wait_delivered 10
wait_for 10 has_ended "$strangers"
said=$(cat "$net_dir/strangers.out")
if [[ $said == *"strangers done"* ]]; then ok "the strangers did their worst" "$(tail -1 <<<"$said")"; else
  not_ok "the strangers did their worst" "$said"
fi
check "intercept still runs" "pid $intercept" is_running "$intercept"
check "tcpcopy still runs" "pid $tcpcopy" is_running "$tcpcopy"
same_ids "every id exactly once at the target, in order"
lines=$(wc -l <"$net_dir/intercept.log")
if [ "$lines" -lt 300 ]; then ok "the log stayed short" "$lines lines"; else
  not_ok "the log stayed short" "$lines lines"
fi
memory=$(awk '/^RssAnon/ { print $2 }' "/proc/$intercept/status")
if [ "${memory:-999999}" -lt 64000 ]; then ok "intercept's memory stayed small" "$memory kB"; else
  not_ok "intercept's memory stayed small" "$memory kB"
fi
net_done
