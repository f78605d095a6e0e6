#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# As mtu.sh, over IPv6: cut by the sender (ip), with -M above the MTU, which does not count, and below.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mtu.inc"

command -v ethtool >/dev/null || skip_all "ethtool is not installed"
net_family=6
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
cut_at online

begin_copy --send ip -M 9000
check "-M above what the device takes is told" "" log_says "$net_dir/tcpcopy.log" '-M 9000 is more than .* 1500 bytes'
uploads_within ip 1500
set_mtu 1280 online
uploads_within narrow 1280
end_copy "ip"
set_mtu 1500 online
begin_copy --send link -M 1400
uploads_within option 1400
end_copy "link, -M"
net_done
