#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The MTU towards the target becomes smaller while connections are in the middle of uploads: they go on in smaller
# packets, by link and by ip, and nothing is lost.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mtu.inc"

command -v ethtool >/dev/null || skip_all "ethtool is not installed"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
cut_at online

# Of the route: with that of the device the clients' packets would no longer pass.
route_mtu() { ip -n "$(ns online)" route replace 10.90.0.30/32 dev eth0 mtu "$1"; }

# under_way MODE: 2.5 s of uploads over the same connections
under_way() {
  begin_copy --send "$1"
  on client "$LOAD" --to "$(at online 80)" --connections 5 --requests 250 --rate 100 --method PUT --path /put/%s \
    --body 100000 --id-prefix "$1" >"$net_dir/load.json" 2>&1 &
  local load=$!
  wait_for 10 has_served 40 target
  route_mtu 1400
  wait_for 10 has_served 90 target
  route_mtu 1280
  wait_for 10 has_served 140 target
  watch_sizes "$1" 1280
  wait "$load"
  load_result=$(cat "$net_dir/load.json")
  load_is_ok "$1: the online server takes all"
  end_copy "$1"
  sizes_are "$1" 1280
  ip -n "$(ns online)" route del 10.90.0.30/32
}

under_way link
under_way ip
net_done
