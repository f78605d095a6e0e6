#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The MTU of the device that packets leave by, of the route, and of -M: super-packets of the clients are cut to it, by the
# kernel or by the sender, and no larger packet arrives at the target.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mtu.inc"

command -v ethtool >/dev/null || skip_all "ethtool is not installed"
# Clients whose kernel makes packets of more than 64 kB (BIG TCP), where it can.
big_packets() {
  local host
  for host in client online; do
    ip -n "$(ns switch)" link set "$host" gso_max_size 180000 gro_max_size 180000 2>/dev/null || return 0
    ip -n "$(ns "$host")" link set eth0 gso_max_size 180000 gro_max_size 180000
  done
  ip -n "$(ns switch)" link set br0 gso_max_size 180000 gro_max_size 180000
}

net_family=both
net_start
has_programs
jumbo_switch
start_nginx online 80
start_nginx target 8080
start_intercept
cut_at online

begin_copy --send link
uploads_within link 1500
set_mtu 1280 online
uploads_within narrow 1280
set_mtu 576 online
uploads_within least 576
set_mtu 9000 online client target
uploads_within jumbo 9000
ip -n "$(ns online)" route add 10.90.0.30/32 dev eth0 mtu 1400
uploads_within route 1400
ip -n "$(ns online)" route del 10.90.0.30/32
end_copy "link, IPv4"
check "super-packets of the clients were captured" "$(json_stat packets captured) packets for 10 MB" \
  [ "$(json_stat packets captured)" -lt 2500 ]

set_mtu 1500 online client target
net_family=6
ip -n "$(ns online)" addr add fd90::20/64 dev eth0 nodad 2>/dev/null # an MTU of 576 has taken it
big_packets
begin_copy --send ip -M 9000
check "-M above what the device takes is told" "" log_says "$net_dir/tcpcopy.log" '-M 9000 is more than .* 1500 bytes'
uploads_within ip6 1500
set_mtu 1280 online
uploads_within narrow6 1280
end_copy "ip, IPv6"
set_mtu 1500 online
begin_copy --send link -M 1400
capture online big 'tcp and dst port 80 and greater 66000'
uploads_within option6 1400
upload burst 3 3000000
end_copy "link, IPv6, -M"
echo "# packets above 64 kB that were captured: $(count_packets big)"
net_done
