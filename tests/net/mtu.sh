#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The MTU of the device that packets leave by and of the route, changed under way: super-packets of the clients are cut to
# it by the kernel (link), and no larger packet arrives at the target.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mtu.inc"

command -v ethtool >/dev/null || skip_all "ethtool is not installed"
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

net_done
