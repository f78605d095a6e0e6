#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Mirrored traffic that comes wrapped: VLAN tags, VXLAN, GENEVE, GRE, ERSPAN, a kind for each connection. Every id
# exactly once, and of other hosts' traffic in the same mirror nothing reaches tcpcopy.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mirror.inc"

pairs="$(at online 80 4)-$(at target 8080 4),$(at online 80 6)-$(at target 8080 6)"

# copied NAME ARGUMENT...: a copy with these arguments; every kind of wrapping gets several connections
copied() {
  local name=$1
  shift
  rm -f "$net_dir/tcpcopy.log"
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  start_tcpcopy -x "$pairs" -c 10.91.0.x,fd91::1-fd91::fe "$@"
  run_load --connections 36 --requests 360 --rate 1000 --id-prefix case
  load_is_ok "$name: the online server answers all"
  run_load --connections 20 --requests 100 --rate 500 --short --id-prefix short
  load_is_ok "$name: also short connections"
  run_load --to '[fd90::20]:80' --connections 18 --requests 90 --rate 500 --id-prefix six
  load_is_ok "$name: also over IPv6"
  run_load --connections 18 --requests 18 --method PUT --path /put/%s --body 20000 --id-prefix put
  wait_delivered 10
  same_ids "$name: every id exactly once at the target, in order"
  all_delivered "$name: the account knows no loss"
  equal "$name: nothing was taken for an older connection" 0 "$(json_stat total sessions joined)"
  equal "$name: the kernel hands over nothing else" "$(json_stat packets captured)" "$(json_stat packets kernel_received)"
}

net_start
has_programs
no_offload client online
make_mirror_port
make_wrapping
start_nginx online 80
start_nginx online 81 other
start_nginx target 8080
mirror_nothing
mirror_to towrap online ingress egress
start_intercept

start_wrapping each
copied "each wrapping" -i eth1
before=$(json_stat packets kernel_received)
on client "$LOAD" --to 10.90.0.20:81 --connections 40 --requests 200 >/dev/null
all_delivered "all of it is accounted for"
equal "nothing of others came out of the kernel" "$before" "$(json_stat packets kernel_received)"
stop_tcpcopy
copied "two workers, and -F" -i eth1 -j 2 -F 'host 10.90.0.10 or host fd90::10'
stop_tcpcopy

start_wrapping vxlan+erspan-3
copied "-i any" -i any
stop_tcpcopy

rm -f "$net_dir/tcpcopy.log"
start_tcpcopy -x 10.90.0.20:80-10.90.0.30:8080 -i eth1 -F 'not host 10.90.0.10'
before=$(requests_served target)
run_load --connections 5 --requests 20 --id-prefix filtered
touch "$net_dir/asked"
wait_for 3 stats_are_new
equal "-F is about the packets in the tunnel" "$before" "$(requests_served target)"
equal "and keeps them out" 0 "$(json_stat packets captured)"
stop_tcpcopy

stop_wrapping
ip -n "$(ns switch)" addr add 192.0.2.1/24 dev tap
ip -n "$(ns switch)" neigh add 192.0.2.2 dev tap lladdr "$(on mirror cat /sys/class/net/eth1/address)"
ip -n "$(ns switch)" link add vx0 type vxlan id 7 remote 192.0.2.2 dev tap dstport 4789
ip -n "$(ns switch)" link set vx0 mtu 1600 up
mirror_nothing
mirror_to vx0 online ingress egress
copied "wrapped by a VXLAN device of the kernel" -i eth1
stop_tcpcopy
net_done
