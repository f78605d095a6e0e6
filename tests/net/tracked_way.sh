#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A router on the way to the target tracks connections and does not see the answers: SYNs pass, all that follows is
# dropped as invalid. The log says so, and the rule that it prints mends it: what had waited arrives.
# shellcheck disable=SC2034
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/path.inc"
path_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
on $router nft 'add table inet f; add chain inet f fw { type filter hook forward priority 0; policy drop; };
  add rule inet f fw ct state established,untracked accept;
  add rule inet f fw tcp dport 8080 ct state new tcp flags & (syn|ack) == syn accept'
copy_to 4
net_family=4 run_load --connections 10 --requests 100 --rate 100
load_is_ok "the online server answers all"
check "the log says that only SYNs get through" "" \
  wait_for 8 log_says "$net_dir/tcpcopy.log" 'answers our SYNs, but nothing that follows reaches it'
equal "once" 1 "$(grep -c 'answers our SYNs' "$net_dir/tcpcopy.log")"
equal "the target has got nothing" 0 "$(requests_served target)"
grep -o "nft 'add table inet copies.*notrack'" "$net_dir/tcpcopy.log" >"$net_dir/rule"
check "the rule that it names can be pasted" "" on $router sh -e "$net_dir/rule"
wait_delivered 20
same_ids "with it all arrives, also what had waited"
all_delivered "the account"
stop_tcpcopy
net_done
