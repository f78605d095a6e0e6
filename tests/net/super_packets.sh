#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients whose kernel makes packets of more than 64 kB (BIG TCP), which say their length nowhere but in an option: they are
# captured whole, by one of two workers, and cut to the MTU.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mtu.inc"

command -v ethtool >/dev/null || skip_all "ethtool is not installed"
big_packets() {
  local host
  for host in client online; do
    ip -n "$(ns switch)" link set "$host" gso_max_size 180000 gro_max_size 180000 2>/dev/null || return 1
    ip -n "$(ns "$host")" link set eth0 gso_max_size 180000 gro_max_size 180000
  done
  ip -n "$(ns switch)" link set br0 gso_max_size 180000 gro_max_size 180000
}

net_family=6
net_start
has_programs
big_packets || skip_all "this kernel has no BIG TCP"
start_nginx online 80
start_nginx target 8080
start_intercept
cut_at online
capture online big 'ip6 and greater 66000'
begin_copy -j 2
uploads_within uploads 1500
upload bursts 3 3000000
end_copy "BIG TCP"
big=$(count_packets big)
check "packets above 64 kB were captured" "$big" [ "$big" -gt 10 ]
net_done
