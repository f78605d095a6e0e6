#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The online server is killed with -9 under load and comes back. Its clients are refused meanwhile,
# and their copies leave the target too. What the server did answer is copied, all of it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
net_start
has_programs
start_online
start_target
start_intercept
start_tcpcopy
watch_harm
start_loads 11
served_more 1000 target
fault_now
kill_nginx online 80
resets_seen() { [ "$(tcpdump -r "$net_dir/resets.pcap" -nn 2>/dev/null | wc -l)" -ge "$1" ]; }
check "its clients are refused, and so are the copies" "300 and more" wait_for 10 resets_seen 300
restart_nginx online 80
healed_now
wait "${load_pids[@]}"
survives tcpcopy
survives intercept
no_harm
stop_copy
# It may have died with a request of each of its connections.
all_arrive_again --unlogged 45
ledger_adds_up
net_done
