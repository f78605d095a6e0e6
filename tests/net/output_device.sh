#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -o: packets leave by that device, though the route to the target leads through another; also by one
# without an address of its own.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080

# A second cable to the same bridge.
ip -n "$(ns switch)" link add second type veth peer name eth1 netns "$(ns online)"
ip -n "$(ns switch)" link set second master br0 up
on online ip link set eth1 up
set_sysctl online net/ipv4/conf/eth1/arp_ignore 1 # it does not answer for the address of eth0

macs_known_to() { ip -n "$(ns "$1")" neigh show to 10.90.0.20; }

sent_by() { on online cat "/sys/class/net/$1/statistics/tx_bytes"; }

start_intercept
start_tcpcopy -o eth1
before=$(sent_by eth1)
run_load --connections 10 --requests 500 --rate 1000 --method PUT --path /put/%s --body 2000 --id-prefix out
load_is_ok "the online server answers all"
wait_delivered 5
same_ids "every id exactly once with -o eth1"
sent=$(($(sent_by eth1) - before))
check "they left by eth1" "$sent bytes, more than 1,000,000" [ "$sent" -gt 1000000 ]
check "the log names the device" "eth1" log_says "$net_dir/tcpcopy.log" 'on eth1'
# Who asked for the target in the name of eth0's address would draw all traffic over to eth1.
mac=$(on online cat /sys/class/net/eth1/address)
for host in client target assistant; do
  check "$host does not look for the online host at eth1" "$(macs_known_to $host)" \
    [ -z "$(macs_known_to $host | grep "$mac")" ]
done
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
net_done
