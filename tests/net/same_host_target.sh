#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target on the online host, with an assistant: at a loopback address of either family, and in a container behind a bridge.
# Every request arrives exactly once; what the kernel must allow tcpcopy says at start with the command, which is
# enough. And copies are not copied again, neither a target of this host nor in a ring.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/same_host.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080

# ---- the target on the online host, the assistant elsewhere --------------------------------------
start_nginx online 8080 same
intercept_on assistant -F 'tcp and src port 8080'
ip -n "$(ns online)" route add 10.20.30.0/24 via 10.90.0.40
copy_on online -x 80-127.0.0.1:8080 -s 10.90.0.40 -c 10.20.30.x
check "that a loopback address must be allowed to leave is told at start" "" \
  log_says "$net_dir/tcpcopy.log" 'route_localnet=1'
remedy tcpcopy.log online
stop_pid "$tcpcopy"
copy_on online -x 80-127.0.0.1:8080 -s 10.90.0.40 -c 10.20.30.x
arrives at-127.0.0.1 4 same
no_warnings "neither has anything to say"
stop_pid "$tcpcopy"
ip -n "$(ns online)" -6 route add fd91::/120 via fd90::40
copy_on online -x '80-[::1]:8080' -s '[fd90::40]' -c fd91::1-fd91::fe
arrives at-::1 6 same
no_warnings "neither has anything to say"
stop_both

# ---- what --check says of each route --------------------------------------------------------------
# checked PATTERN ROUTE...: with this route for the faked clients; an empty pattern: nothing
checked() {
  local pattern=$1 out
  shift
  ip -n "$(ns online)" route replace "$@"
  out=$(on online "$TCPCOPY" -L -x 80-10.90.0.20:8080 -s 10.90.0.40 -c 10.20.30.x --check | grep 'is this host')
  ip -n "$(ns online)" route del "$@"
  if [ -z "$pattern" ] && [ -z "$out" ] || { [ -n "$pattern" ] && grep -Eq -- "$pattern" <<<"$out"; }; then
    ok "--check with ip route add $*" "$out"
  else
    not_ok "--check with ip route add $*" "$out"
  fi
}

ip -n "$(ns online)" route del 10.20.30.0/24
checked '' 10.20.30.0/24 via 10.90.0.40
checked '^note .*leave by eth0 to 10\.90\.0\.10, .*remedy: ip route replace 10\.20\.30\.0/24 via 10\.90\.0\.40$' 10.20.30.0/24 via 10.90.0.10
checked '^note .*leave by eth0, where nobody' 10.20.30.0/24 dev eth0
checked '^wrong .*has no way' blackhole 10.20.30.0/24
checked '^wrong .*end here on lo, but intercept is elsewhere' 10.20.30.0/24 dev lo
checked '^wrong .*takes the faked client 10\.20\.30\.1 for itself' local 10.20.30.0/24 dev lo

# ---- in a container of the online host ------------------------------------------------------------
make_container() {
  net_hosts+=(shop)
  ip netns add "$(ns shop)"
  ip -n "$(ns shop)" link set lo up
  ip -n "$(ns online)" link add name docker0 type bridge forward_delay 0 mcast_snooping 0
  ip -n "$(ns online)" link add name shop type veth peer name eth0 netns "$(ns shop)"
  ip -n "$(ns online)" link set shop master docker0 up
  ip -n "$(ns online)" addr add 172.17.0.1/16 dev docker0
  ip -n "$(ns online)" link set docker0 up
  ip -n "$(ns shop)" addr add 172.17.0.2/16 dev eth0
  ip -n "$(ns shop)" link set eth0 up
  ip -n "$(ns shop)" route add default via 172.17.0.1
  ip -n "$(ns online)" route add default via 10.90.0.10
  set_sysctl online net/ipv4/ip_forward 1
  wait_for 5 on shop ping -c1 -W1 172.17.0.1
}

make_container
start_nginx shop 8080
follow online container-4
wait_for 10 copy_is_linked
watch client leak 'net 10.20.30.0/24'
watch shop errors 'icmp'
arrives container 4 shop
no_warnings "neither has anything to say"
no_packets "no answer leaves the host" leak
no_packets "nor is answered with an ICMP error" errors
end_on online

# ---- loops ---------------------------------------------------------------------------------------
out=$(on online "$TCPCOPY" -x 80-10.90.0.20:80 -s 10.90.0.40 -c 10.20.30.x 2>&1)
if [ $? -eq 2 ]; then ok "a target that is captured is refused" "$out"; else not_ok "a target that is captured is refused" "$out"; fi
out=$(on online "$TCPCOPY" -x 80-10.90.0.20:8080 -s 10.90.0.40 2>&1)
if [ $? -eq 2 ] && grep -q 'this host itself' <<<"$out"; then ok "and one of this host without -c" "$out"; else
  not_ok "and one of this host without -c" "$out"
fi

# A ring: each has the other's server as target.
ring() {
  local host=$1 to=$2
  rm -f "$net_dir/ring-$host.log"
  start "$host" "ring-$host" "$TCPCOPY" -x "$3-$to" -s 10.90.0.40 -c 10.20.30.x -l "$net_dir/ring-$host.log" -L
}
ip -n "$(ns online)" route del blackhole 10.20.30.0/24
for host in online target; do ip -n "$(ns $host)" route replace 10.20.30.0/24 via 10.90.0.40; done
intercept_on assistant -F 'tcp and (src port 80 or src port 8080)'
ring online 10.90.0.30:8080 80
ring target 10.90.0.20:80 8080
for host in online target; do wait_for 10 log_says "$net_dir/ring-$host.log" 'connected to intercept'; done
arrives ring 4
check "a ring is told" "" wait_for 5 log_says "$net_dir/ring-target.log" 'addresses of -c or -H.*round for ever'
net_done
