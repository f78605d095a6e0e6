#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -R: the target's kernel measures the round trip that our acknowledgements simulate, and repeats nothing because of it;
# with -R auto that of each client.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# The smoothed round trips, in ms, that the target has measured of the faked clients
measured() {
  on target ss -Htin state established 'sport = :8080' | grep -Eo ' rtt:[0-9]+' | cut -d: -f2 | sort -n
}

# between NAME LEAST MOST: all of them are
between() {
  local all least most
  all=$(measured)
  least=$(head -1 <<<"$all")
  most=$(tail -1 <<<"$all")
  if [ -n "$all" ] && [ "$least" -ge "$2" ] && [ "$most" -le "$3" ]; then
    ok "$1" "$least to $most ms in $(wc -l <<<"$all") connections"
  else
    not_ok "$1" "wanted $2 to $3 ms, saw: $(tr '\n' ' ' <<<"$all")"
  fi
}

# asks ID: 5 connections, 50 requests, kept for a while after the last answer
asks() {
  start client "$1" "$LOAD" --to 10.90.0.20:80 --connections 5 --requests 50 --rate 50 --hold 3 --id-prefix "$1"
  load=$started
}

# served COUNT PREFIX
served() { [ "$(grep -c " $2" "$net_dir/target/access.log")" -ge "$1" ]; }

start_tcpcopy
asks near
check "requests arrive" "" wait_for 10 served 50 near
between "a control: without -R the target measures the network and delayed ACKs" 0 60
stop_pid "$load"
stop_tcpcopy

# -O: connections that are open must not get in the way
start_tcpcopy -R 150 -O
capture target syn_acks 'src port 8080 and tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)'
asks far
check "requests arrive with -R 150" "" wait_for 10 served 50 far
sleep 0.3 # the last answer's ACK
between "the target measures what -R says" 140 230
equal "it has repeated no SYN-ACK" 5 "$(count_packets syn_acks)"
on target ss -Htin state established 'sport = :8080' >"$net_dir/sockets"
check "nor any answer" "" test "$(grep -c 'retrans:' "$net_dir/sockets")" -eq 0
stop_pid "$load"
all_delivered "everything is delivered" before_join?
stop_tcpcopy

start_tcpcopy -R auto -O
on client nft add table ip raw_client
on client nft 'add chain ip raw_client out { type filter hook output priority 0; }'
on client nft add rule ip raw_client out tcp flags rst drop
start client client "$top/tests/net/far_client.py" 10.90.0.10 10.90.0.20 80 200 auto-1 auto-2
check "a client that is 200 ms away is answered online" "" wait_for 10 log_says "$net_dir/client.out" done
check "and copied" "" wait_for 10 served 2 auto
sleep 0.4
between "with -R auto the target measures that client's way" 190 290
stop_tcpcopy
same_ids "every id exactly once at the target"
net_done
