#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Mirrors that do not deliver what they should, and what tcpcopy says of it: frames to another network card
# without --promiscuous, packets cut short, fragments, one direction overtaking the other; and a host with
# an overlay that copies its own port, which is no mirror.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mirror.inc"

pair=10.90.0.20:80-10.90.0.30:8080

begin() {
  rm -f "$net_dir/tcpcopy.log"
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  start_tcpcopy "$@"
}

promiscuity() { on mirror ip -d link show dev "$1" | sed -n 's/.*promiscuity \([0-9]*\).*/\1/p'; }

says() { check "$1" "$2" log_says "$net_dir/tcpcopy.log" "$2"; }

not() { ! "$@"; }

stats_say() { stats_are_new && [ "$(json_stat "${@:3}")" "$1" "$2" ]; }

# A bridge, other than a veth, shows frames to others only if it is asked to, as a network card does.
net_start
has_programs
no_offload client online
make_mirror_port
make_wrapping
ip -n "$(ns switch)" link add tap2 type veth peer name eth2 netns "$(ns mirror)"
ip -n "$(ns switch)" link set tap2 up
for n in 1 2; do
  ip -n "$(ns mirror)" link add br$n type bridge forward_delay 0 mcast_snooping 0
  ip -n "$(ns mirror)" link set br$n up
  ip -n "$(ns mirror)" link set eth$n master br$n up
done
start_nginx online 80
start_nginx target 8080
mirror_nothing
mirror_to tap online ingress egress
mirror_to tap2 online ingress egress
start_intercept
start mirror deaf "$TCPCOPY" -x "$pair" -s 10.90.0.40 -c 10.91.7.x -i br2 -l "$net_dir/deaf.log"
deaf=$started

begin -x "$pair" -i br1 --promiscuous
requests promiscuous
wait_delivered 10
same_ids "with --promiscuous every id exactly once at the target"
equal "the device is promiscuous, and only if asked to be" "1 0" "$(promiscuity br1) $(promiscuity br2)"
stop_tcpcopy
equal "and only for as long as it is captured on" 0 "$(promiscuity br1)"
ip -n "$(ns mirror)" link set eth1 nomaster

mirror_nothing
mirror_to towrap online ingress egress
start_wrapping vxlan late=80
begin -x "$pair" -i eth1
requests overtaken
wait_delivered 10
same_ids "the server's packets 20 ms before the client's: every id exactly once at the target, in order"
all_delivered "and the account knows no loss"

start_wrapping vxlan cut=600
run_load --connections 3 --requests 12 --method PUT --path /put/%s --body 5000 --id-prefix cut
touch "$net_dir/asked"
check "what a mirror cuts off is a gap" "capture_gap" \
  wait_for 8 stats_say -gt 0 total stream dropped capture_gap bytes
says "the log says why" 'the mirror cuts packets short'
run_load --connections 4 --requests 40 --id-prefix small
stop_tcpcopy

start_wrapping vxlan fragment
begin -x "$pair" -i eth1
run_load --connections 4 --requests 40 --id-prefix fragments
touch "$net_dir/asked"
check "outer fragments are counted" "fragment" wait_for 5 stats_say -ge 40 packets fragment
says "the log says what to do about them" 'what the mirror sends comes in fragments.*raise the MTU'
equal "each trouble is told once" 1 "$(grep -c 'comes in fragments' "$net_dir/tcpcopy.log")"
stop_tcpcopy
stop_wrapping

# An overlay between client and online server, whose port is copied on its own host.
# overlay HOST OTHER LAST: HOST is 10.200.0.LAST there
overlay() {
  ip -n "$(ns "$1")" link add vx0 type vxlan id 9 remote "$(address "$2")" dev eth0 dstport 4789
  ip -n "$(ns "$1")" addr add "10.200.0.${3}/24" dev vx0
  ip -n "$(ns "$1")" link set vx0 up
}
overlay client online 10
overlay online client 20
copy_host=online
begin -x 10.200.0.20:80-10.90.0.30:8080 -i eth0,vx0
run_load --to 10.200.0.20:80 --connections 5 --requests 200 --rate 500 --id-prefix overlay
wait_delivered 10
same_ids "a host with an overlay: every id exactly once at the target"
touch "$net_dir/asked"
wait_for 3 stats_are_new
out="$(json_stat packets used) used, $(json_stat packets kernel_received) came out of the kernel"
check "and its overlay is not looked into" "$out" \
  [ "$(json_stat packets kernel_received)" -lt $(($(json_stat packets used) * 11 / 10)) ]
check "nor is it taken for a mirror" "" not log_says "$net_dir/tcpcopy.log" "no address of this host"
stop_tcpcopy

wait_for 6 log_says "$net_dir/deaf.log" 'nothing was captured'
check "without --promiscuous the log says what is missing" "" log_says "$net_dir/deaf.log" \
  'nothing was captured.*10.90.0.20:80 is another host.s.*--promiscuous: add it'
stop_pid "$deaf"
net_done
