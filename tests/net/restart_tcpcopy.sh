#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tcpcopy is killed with -9 under load and started again. It leaves half-open connections at the
# target, and with a single faked address its successor needs the very same tuples for the clients
# that are still connected: each is freed with one RST and joined at once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_copy
watch_harm
start_loads 11
served_more 1000 target
fault_now
kill_program "$tcpcopy"
served_more 700 online
equal "the killed one leaves the connections of kept-alive clients open at the target" 40 \
  "$(open_at_target)"
before=$(requests_served target)
start_copy
healed_now
served_more 700 online
# A short connection may be open for a moment beside them.
are_taken_over() { [ "$(open_at_target)" -eq 40 ]; }
check "its successor has taken them over" "40, at a moment without a short one" wait_for 5 are_taken_over
loads_are_over
survives intercept
no_harm
equal "by a RST each where the target said that it stands" 40 \
  "$(tcpdump -r "$net_dir/resets.pcap" -nn 'tcp[tcpflags] == tcp-rst' 2>/dev/null | wc -l)"
stop_copy
all_arrive_again --only before_join,no_intercept --part
equal "each of the 40 was joined" 40 "$(json_stat total sessions joined)"
# A client that the scheduler lets speak late may join with its third.
missed=$(json_stat total stream dropped before_join requests)
check "with the second request that the new one saw" "$missed missed" [ "$missed" -ge 40 -a "$missed" -le 44 ]
ledger_adds_up $(($(requests_served target) - before))
net_done
