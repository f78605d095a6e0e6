#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An assistant that forwards (every Docker host) sends the target's answers on, or errors back, and
# breaks the copy. intercept says so with the rule that mends it; that very rule, taken from its
# log, does mend it, with the target's route cache flushed: a forwarding host on the same network
# sends ICMP redirects, from which the target learns to pass the assistant by.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
set_sysctl assistant net/ipv4/ip_forward 1
ip -n "$(ns assistant)" route add default via 10.90.0.20
start_intercept
start_tcpcopy
run_load --connections 5 --requests 50 --rate 50 --id-prefix before
load_is_ok "the online server answers all"
if wait_for 5 log_says "$net_dir/intercept.log" 'net.ipv4.ip_forward=0'; then
  ok "intercept warns of forwarding"
else
  not_ok "intercept warns of forwarding"
fi
# The rule as printed, word for word.
sed -n 's/.*intercept warning: *//p' "$net_dir/intercept.log" | grep -E '^nft ' >"$net_dir/rule"
if [ -s "$net_dir/rule" ]; then ok "its log has a rule" "$(head -1 "$net_dir/rule")"; else
  not_ok "its log has a rule"
fi
check "the rule can be pasted into a shell" "" on assistant sh -e "$net_dir/rule"
if log_says "$net_dir/intercept.log" 'ip route flush cache'; then
  ok "it names what redirects leave behind"
else
  not_ok "it names what redirects leave behind"
fi
on target ip route flush cache
capture online still 'dst net 10.91.0.0/16'
run_load --connections 20 --requests 2000 --rate 1000
load_is_ok "the online server answers all"
wait_delivered 20
same_ids "with the rule every id arrives exactly once, also what had waited"
no_packets "with the rule nothing is forwarded to the online host" still
net_done
