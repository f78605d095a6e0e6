#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The device that packets leave by, and the one that intercept captures on, go down under load and come back; then they
# are deleted and made anew. The copy goes on within seconds, and not a request is lost.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
. "$(dirname "$0")/device_down.inc"

# A second cable, by which alone the target is reached.
route_out() { ip -n "$(ns online)" route replace 10.90.0.30/32 dev eth1 src 10.90.0.20; }
plug_out() {
  plug online out eth1
  route_out
}
out_down() { device_down online eth1; }
out_up() {
  device_up online eth1
  route_out
}
out_anew() {
  unplug online eth1
  plug_out
}
assistant_down() { device_down assistant eth0; }
assistant_up() { device_up assistant eth0; }
assistant_anew() { pull_and_plug assistant; }
assistant_walk() { walk_with_address assistant "$intercept"; }
out_walk() {
  walk online eth1 "$tcpcopy"
  route_out
}

net_start
has_programs
# Neither device answers for the other's address.
set_sysctl online net/ipv4/conf/all/arp_ignore 1
plug_out
# Without it requests to the target would take the other cable meanwhile.
ip -n "$(ns online)" route add prohibit 10.90.0.30/32 metric 4000
start_nginx online 80
start_target
start_intercept
start_tcpcopy
start_loads 13
served_more 700 target
fault "the device that packets leave by is down" out_down out_up
fault "it is deleted and made anew at once" out_anew
fault "it was in another namespace for a moment" out_walk
fault "intercept's device is down" assistant_down assistant_up
fault "it is deleted and made anew at once" assistant_anew
fault "it was in another namespace for a moment" assistant_walk
loads_are_over
survives tcpcopy
survives intercept
stop_copy
all_arrive_again
ledger_adds_up
check "the log says that packets do not leave" "" log_says "$net_dir/tcpcopy.log" 'do not arrive now: there is no route'
check "and that packets leave again" "by eth1" \
  log_says "$net_dir/tcpcopy.log" 'packets to 10.90.0.30 now leave by link: next hop 10.90.0.30 on eth1'
said_times intercept 1 'device eth0 is down'
said_times intercept 2 'the capture on eth0 ended'
said_times intercept 3 'capturing on eth0'
net_done
