#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Devices of the online host go away under load and come back: the one that packets leave by and the one that
# is captured on; taken down and up, and deleted and made anew with another index and MAC, as the veth
# of a container and a reloaded driver are. The copy goes on within seconds, and the log says each once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

# A second cable, by which alone the target is reached.
plug_out() {
  ip -n "$(ns switch)" link add out type veth peer name eth1 netns "$(ns online)"
  ip -n "$(ns switch)" link set out master br0 up
  bring_out_up
}
bring_out_up() {
  ip -n "$(ns online)" link set eth1 up
  ip -n "$(ns online)" route replace 10.90.0.30/32 dev eth1 src 10.90.0.20
}

# The cable that is captured on, anew.
plug_eth0() {
  ip -n "$(ns switch)" link add online type veth peer name eth0 netns "$(ns online)"
  ip -n "$(ns switch)" link set online master br0 up
  ip -n "$(ns online)" link set eth0 up
  ip -n "$(ns online)" addr add 10.90.0.20/24 dev eth0
}

# fault NAME HOST BREAK MEND: for a second, while the loads run
fault() {
  local name=$1
  served_more 200 target
  fault_now
  $2
  sleep 1
  $3
  healed_now
  check "$name: requests arrive again" "$(requests_served target) so far" wait_for 8 has_served $(($(requests_served target) + 300)) target
}

out_down() { ip -n "$(ns online)" link set eth1 down; }
out_gone() { ip -n "$(ns online)" link del eth1; }
in_down() { ip -n "$(ns online)" link set eth0 down; }
in_up() { ip -n "$(ns online)" link set eth0 up; }
in_gone() { ip -n "$(ns online)" link del eth0; }

net_start
has_programs
set_sysctl online net/ipv4/conf/all/arp_ignore 1 # eth1 does not answer for the address of eth0
plug_out
start_nginx online 80
start_target
start_intercept
start_tcpcopy
start_loads ${LOADS_S-16}
fault "the device that packets leave by is down" out_down bring_out_up
fault "it is deleted and made anew" out_gone plug_out

on online cat /proc/net/packet; on online ip -br link; on online ip route; on online timeout 2 tcpdump -c 5 -ni any tcp port 80; on online ip neigh; on client ip neigh;on online tail -3 $net_dir/tcpcopy.log; on target ip neigh
loads_are_over
grep . $net_dir/tcpcopy.log
survives tcpcopy
stop_copy
cat $net_dir/tcpcopy.log
ledger_adds_up
net_done
