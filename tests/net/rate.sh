#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --rate: more new sessions a second are shed, whole ones; a steady load below it passes whole.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sample.inc"
net_start
has_programs
add_clients 10
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy --rate 100
capture target syns 'src net 10.91.0.0/16 and tcp[tcpflags] & (tcp-syn | tcp-ack) = tcp-syn'

run_clients --addresses 10 --ports 200 --rate 400 --requests 3
load_is_ok "the online server answers 400 new connections a second for five seconds"
wait_settled
copied_ids "$net_dir/ids"
started=$(json_stat total sessions started)
in_range "100 a second are copied" 400 560 "$started"
ids_are_online "no request twice" "$net_dir/ids"
equal "they are copied whole" 3 "$(cut -d- -f1 "$net_dir/ids" | uniq -c | awk '{ print $1 }' | sort -u)"
whole_account "the ledger knows of all requests" 6000 rate
equal "and of all connections" 2000 $((started + $(json_stat total sessions not_started rate)))
equal "the target saw a SYN for each session" "$started" "$(count_packets syns)"
busiest=$(tcpdump -tt -nn -r "$net_dir/syns.pcap" 2>/dev/null | awk '
  { t[n++] = $1 }
  END { for (i = 0; i < n; i++) { while (t[i] - t[first] > 1) first++; if (i - first + 1 > most) most = i - first + 1 }
        print most }')
in_range "in its busiest second a quarter more than asked for, at most" 80 130 "$busiest"

forget_logs
run_clients --addresses 10 --ports 30 --port 30000 --rate 80 --requests 3
load_is_ok "the online server answers 80 new connections a second"
wait_settled
same_ids "all of them are copied"
net_done
