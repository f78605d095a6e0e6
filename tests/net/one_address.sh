#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A single faked address for the 20,000 short connections of 200 clients: none is lost, and the target never sees a tuple
# that is still in use a second time. Clients have ports in common, so many get another one.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/copies.inc"
net_start
has_programs

# many_clients: 200 more addresses of the client host, which the online host finds
many_clients() {
  on client sh -c 'for i in $(seq 1 200); do echo "addr add 10.92.0.$i/32 dev lo"; done | ip -batch -'
  ip -n "$(ns online)" route add 10.92.0.0/24 via "$(address client)"
}

many_clients
start_nginx online 80
start_nginx target 8080
start_intercept
start target dump tcpdump -Z root -i eth0 -B 16384 -s 96 -w "$net_dir/target.pcap" \
  'tcp port 8080 and tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0'
dump=$started
wait_for 5 test -s "$net_dir/target.pcap"
start_named one -x 80-10.90.0.30:8080
run_load --connections 300 --requests 20000 --rate 1800 --short --from 10.92.0.1 --clients 200
load_is_ok "the online server answers 20,000 connections"
wait_delivered 15
same_ids "every id exactly once at the target"
named_delivered one
stop_pid "$dump" INT
seen=$(python3 "$top/tests/net/check_tuples.py" "$net_dir/target.pcap" 8080 20000)
check "no tuple is used twice at a time" "$seen" [ $? -eq 0 ]
net_done
