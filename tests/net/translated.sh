#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target's address is translated on its way in. Not back: answers come from an address that tcpcopy does not know; without -D
# of intercept none is anybody's, with it every request arrives. And back, as the published port of a container or a
# Kubernetes Service is: nothing is needed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.inc"
net_family=both
net_hosts=(client online target assistant shop)
net_start
has_programs

# A server in the target's network namespace under an address that the others do not know, and one behind its bridge.
ip -n "$(ns target)" addr add 172.29.0.2/32 dev lo
ip -n "$(ns target)" addr add fd29::2/128 dev lo
ip -n "$(ns shop)" addr flush dev eth0
ip -n "$(ns target)" link add pod type veth peer name pod0 netns "$(ns shop)"
for place in target:pod:1 shop:pod0:2; do
  IFS=: read -r host device last <<<"$place"
  ip -n "$(ns "$host")" addr add "172.30.0.$last/24" dev "$device"
  ip -n "$(ns "$host")" addr add "fd30::$last/64" dev "$device" nodad
  ip -n "$(ns "$host")" link set "$device" up
done
ip -n "$(ns shop)" route add default via 172.30.0.1
ip -n "$(ns shop)" -6 route add default via fd30::1
set_sysctl target net/ipv4/ip_forward 1
set_sysctl target net/ipv6/conf/all/forwarding 1
start_nginx online 80
start_nginx target 8081
start_nginx shop 8081

# 8080 becomes 8081 of the unknown address; without connection tracking nothing translates the answers. 8082 becomes
# 8081 of the container and back.
on target nft -f - <<'END'
table inet t {
  chain one_way {
    type filter hook prerouting priority raw
    ip daddr 10.90.0.30 tcp dport 8080 notrack ip daddr set 172.29.0.2 tcp dport set 8081
    ip6 daddr fd90::30 tcp dport 8080 notrack ip6 daddr set fd29::2 tcp dport set 8081
  }
  chain published {
    type nat hook prerouting priority dstnat
    ip daddr 10.90.0.30 tcp dport 8082 dnat ip to 172.30.0.2:8081
    ip6 daddr fd90::30 tcp dport 8082 dnat ip6 to [fd30::2]:8081
  }
}
END

one_way() {
  local seen=172.29.0.2
  [ "$net_family" = 4 ] || seen=fd29::2
  start_intercept -F "tcp and src host $seen"
  start_tcpcopy
  run_load --connections 5 --requests 50 --rate 100 --id-prefix "lost$net_family"
  load_is_ok "IPv$net_family: the online server answers all"
  stop_tcpcopy
  stop_pid "$intercept"
  check "IPv$net_family: without -D the answers belong to nobody" "" \
    log_says "$net_dir/intercept.log" 'at the end: .*routed 0.*unrouted [1-9]'
  equal "IPv$net_family: and nothing is delivered" 0 "$(grep -c " lost$net_family" "$net_dir/target/access.log")"
  rm -f "$net_dir/intercept.log"
  start_intercept -F "tcp and src host $seen" -D "$(in_brackets $seen):8081-$(at target 8080)"
  begin
  delivers "known$net_family" "IPv$net_family, with -D"
  stop_tcpcopy
  stop_pid "$intercept"
}

# Here the server's access log is that of the container.
published() {
  start_intercept -F 'tcp and src port 8082'
  begin -x "80-$(at target 8082)"
  : >"$net_dir/online/access.log"
  run_load --connections 20 --requests 300 --rate 1000 --id-prefix "pod$net_family"
  load_is_ok "IPv$net_family, published port: the online server answers all"
  wait_delivered 5 online shop
  same_ids "IPv$net_family, published port: every id exactly once" online shop
  stop_tcpcopy
  stop_pid "$intercept"
  : >"$net_dir/shop/access.log"
}

for net_family in 4 6; do
  one_way
  published
done
net_done
