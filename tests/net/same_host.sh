#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# intercept on the target's host, which needs no assistant, and on the online host, which is one: every request arrives exactly
# once, nothing of the answers leaves the host. Where the kernel must allow something, or the answers go
# elsewhere, intercept says so with the command, which is enough; where all is right nothing is said.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/same_host.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080

one_request() { on client "$LOAD" --to "$(at online 80 4)" --connections 1 --requests 1 >/dev/null; }

# ---- intercept on the target -------------------------------------------------------------------
no_route_back
rp_filter target 1
follow target on-target-4
copy_on online -x 80-10.90.0.30:8080 -s 10.90.0.30 -c 10.20.30.x
one_request
check "a strict reverse-path filter is told with the first session" "" \
  wait_for 5 log_says "$net_dir/intercept.log" 'reverse-path filter of eth0.*net\.ipv4\.conf\.eth0\.rp_filter=2'
remedy intercept.log target
stop_pid "$tcpcopy"
end_on target
intercept_on target -i lo -F 'tcp and src port 8080'
copy_on online -x 80-10.90.0.30:8080 -s 10.90.0.30 -c 10.20.30.x
set_sysctl target net/ipv4/ip_forward 1
watch assistant leak 'net 10.20.30.0/24'
arrives on-target-4 4
no_warnings "neither has anything to say"
no_packets "no answer leaves the target" leak
stop_pid "$tcpcopy"
end_on target
follow target on-target-6
copy_on online -x '80-[fd90::30]:8080' -s '[fd90::30]' -c fd91::1-fd91::fe
arrives on-target-6 6
no_warnings "neither has anything to say"
stop_pid "$tcpcopy"
end_on target
ip -n "$(ns target)" link del copy0
ip -n "$(ns target)" route del 10.20.30.0/24

# A device without another end: what leaves by it comes in nowhere.
if ip -n "$(ns target)" link add copy2 up type ifb 2>/dev/null; then
  ip -n "$(ns target)" route add 10.20.30.0/24 dev copy2
  intercept_on target -F 'tcp and src port 8080'
  copy_on online -x 80-10.90.0.30:8080 -s 10.90.0.30 -c 10.20.30.x
  one_request
  check "a device without another end is told" "" \
    wait_for 5 log_says "$net_dir/intercept.log" 'copy2, which has no other end.*ip route replace 10\.20\.30\.0/24 dev lo'
  stop_both
  ip -n "$(ns target)" link del copy2
fi

# Its answers leave the host: nothing is captured, and intercept says where they go.
ip -n "$(ns target)" route add default via 10.90.0.10
intercept_on target -F 'tcp and src port 8080'
copy_on online -x 80-10.90.0.30:8080 -s 10.90.0.30 -c 10.20.30.x
one_request
check "answers that leave the host are told" "" \
  wait_for 5 log_says "$net_dir/intercept.log" 'leave by eth0 for 10\.90\.0\.10 instead of ending here.*dev lo'
check "and by tcpcopy, once they are missed" "" wait_for 8 log_says "$net_dir/tcpcopy.log" 'ip route add 10\.20\.30\.0/24 dev lo'
stop_both
ip -n "$(ns target)" route del default

# ---- intercept on the online host ----------------------------------------------------------------
ip -n "$(ns target)" route add 10.20.30.0/24 via 10.90.0.20
intercept_on online -F 'tcp and src port 8080'
copy_on online -x 80-10.90.0.30:8080 -s 127.0.0.1 -c 10.20.30.x
arrives at-online 4
no_warnings "neither has anything to say"
stop_both

net_done
