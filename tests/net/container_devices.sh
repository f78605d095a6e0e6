#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A server in a container behind a bridge of the online host: each packet passes several devices there and is seen
# on each, with another TTL, with its checksum finished or not, merged by GRO or not, and with other addresses
# before and after the translation of a published port. Each request must be copied once, and what was seen
# again must be in the account as duplicate.
. "$(dirname "$0")/lib.sh"

# The container: port 8001 of the online host is its 8000, as an engine's -p does it.
make_container() {
  net_hosts+=(shop)
  ip netns add "$(ns shop)"
  ip -n "$(ns shop)" link set lo up
  ip -n "$(ns online)" link add br1 type bridge forward_delay 0 mcast_snooping 0
  ip -n "$(ns online)" link set br1 up
  ip -n "$(ns online)" link add shop type veth peer name eth0 netns "$(ns shop)"
  ip -n "$(ns online)" link set shop master br1 up
  ip -n "$(ns online)" addr add 172.30.0.1/24 dev br1
  ip -n "$(ns shop)" addr add 172.30.0.2/24 dev eth0
  ip -n "$(ns shop)" link set eth0 up
  ip -n "$(ns shop)" route add default via 172.30.0.1
  set_sysctl online net/ipv4/ip_forward 1
  on online nft -f - <<'RULES'
table ip published {
  chain in { type nat hook prerouting priority dstnat; tcp dport 8001 dnat to 172.30.0.2:8000; }
}
RULES
}

# Now the uplink is a port of the bridge, and the container a host of the network, with an address of its own there.
join_uplink() {
  ip -n "$(ns online)" addr del 10.90.0.20/24 dev eth0
  ip -n "$(ns online)" link set eth0 master br1
  ip -n "$(ns online)" addr add 10.90.0.20/24 dev br1
  ip -n "$(ns shop)" addr add 10.90.0.21/24 dev eth0
  # What the others know of 10.90.0.20 is the address of eth0.
  ip -n "$(ns online)" link set br1 address "$(on online cat /sys/class/net/eth0/address)"
  wait_for 5 on client ping -c1 -W1 10.90.0.21
  wait_for 5 on assistant ping -c1 -W1 10.90.0.20
}

# send_requests PREFIX TO: kept-alive, short, and uploads, which are cut and merged differently by each device
send_requests() {
  local prefix=$1 to=$2
  on client "$LOAD" --to "$to" --connections 20 --requests 600 --rate 1000 --id-prefix "$prefix" &&
    on client "$LOAD" --to "$to" --connections 50 --requests 300 --rate 500 --short --id-prefix "$prefix-short" &&
    on client "$LOAD" --to "$to" --connections 5 --requests 40 --method PUT --path /put/%s --body 100000 \
      --id-prefix "$prefix-put"
}

# copy NAME SEEN TO ARGUMENT...: see the calls; SEEN is once, or again on further devices
copy() {
  local name=$1 seen=$2 to=$3 prefix out
  shift 3
  cases=$((cases + 1))
  prefix=case$cases
  rm -f "$net_dir/tcpcopy.log"
  : >"$net_dir/shop/access.log"
  : >"$net_dir/target/access.log"
  start_tcpcopy "$@"
  if out=$(send_requests "$prefix" "$to"); then ok "$name: the server answers all"; else
    not_ok "$name: the server answers all" "$out"
  fi
  wait_delivered 15 shop target
  same_ids "$name: every id exactly once at the target, in order" shop target
  all_delivered "$name: the account knows no loss"
  equal "$name: nothing was taken for an older connection" 0 "$(json_stat total sessions joined)"
  out="$(json_stat packets duplicate) duplicates, $(json_stat packets used) used"
  case $seen in
    once)
      check "$name: packets were seen once" "$out" no_duplicates
      used_once=$(json_stat packets used)
      ;;
    again) check "$name: packets were seen on several devices, and used once" "$out" has_duplicates ;;
  esac
  equal "$name: the sum of packets adds up" True "$(json_stat packets_add_up)"
  stop_tcpcopy
}

# A few come by themselves: retransmissions, or what the capture saw while it was opened.
no_duplicates() { [ $((20 * $(json_stat packets duplicate))) -lt "$(json_stat packets used)" ]; }
# As many are used as where each was seen once, within what acknowledgements differ; all others are duplicates.
has_duplicates() {
  local used
  used=$(json_stat packets used)
  [ $((2 * $(json_stat packets duplicate))) -gt "$used" ] && [ "$used" -lt $((used_once * 106 / 100)) ]
}

cases=0
net_start
has_programs
make_container
start_nginx shop 8000
start_nginx target 8080
start_intercept
target=10.90.0.30:8080
copy "published port, default devices" once 10.90.0.20:8001 -x "8001-$target"
copy "published port, -i any" once 10.90.0.20:8001 -x "8001-$target" -i any
copy "container's address, -i any" again 10.90.0.20:8001 -x "172.30.0.2:8000-$target" -i any
copy "container's address, three devices" again 10.90.0.20:8001 -x "172.30.0.2:8000-$target" -i eth0,br1,shop
join_uplink
copy "on a bridge with the uplink, -i any" again 10.90.0.21:8000 -x "10.90.0.21:8000-$target" -i any
copy "on a bridge with the uplink, three devices" again 10.90.0.21:8000 -x "10.90.0.21:8000-$target" -i eth0,br1,shop
net_done
