#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target's cable is pulled under load for some ten seconds: the log says that nobody answers ARP for it any
# more, and that it is back; every request arrives.
. "$(dirname "$0")/lib.sh"

logged() { grep -c -- "$1" "$net_dir/tcpcopy.log"; }

net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
start client load "$LOAD" --to "$(at online 80)" --connections 10 --requests 1600 --rate 200 --id-prefix gone
load=$started
wait_for 10 has_served 200 target
ip -n "$(ns switch)" link set target down
check "the log says who does not answer" "next hop 10.90.0.30" \
  wait_for 12 log_says "$net_dir/tcpcopy.log" 'warning: next hop 10.90.0.30 on eth0 no longer answers ARP'
ip -n "$(ns switch)" link set target up
wait_for 20 has_ended "$load"
wait_delivered 15
same_ids "every id exactly once"
equal "it is told once that it is missed, and once that it is back" "1 1" "$(logged 'no longer answers') $(logged 'answers again')"
equal "packets stay with link" 0 "$(logged 'leave by')"
all_delivered "the account knows no loss"
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
net_done
