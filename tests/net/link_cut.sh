#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A firewall drops the link both ways for some four seconds, under load; neither program can know.
# The answers wait in intercept and in the kernel. New connections are tried until the circuit
# breaker opens; with the link all goes on.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

cut_link() {
  on assistant nft -f - <<'END'
table inet cut {
  chain input { type filter hook input priority 0; tcp dport 36524 drop; }
  chain output { type filter hook output priority 0; tcp sport 36524 drop; }
}
END
}

net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_tcpcopy
watch_harm
start_loads 14
served_more 1000 target
fault_now
cut_link
served_more 3000 online
on assistant nft delete table inet cut
healed_now
loads_are_over
survives tcpcopy
survives intercept
no_harm
stop_copy
all_arrive_again --only paused
ledger_adds_up
check "the log says that the link is silent" "" \
  log_says "$net_dir/tcpcopy.log" 'link to intercept .* is silent'
check "and when the copy goes on" "" log_says "$net_dir/tcpcopy.log" 'the copy goes on'
equal "the link was not given up for it" 1 "$(times_logged tcpcopy 'info: connected to intercept')"
net_done
