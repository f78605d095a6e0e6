#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Devices that not every kernel has: a bond of two cables, of which the one in use is pulled, and an ipvlan, which
# shares the MAC of its parent. Skipped where they cannot be made.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/devices.inc"

# has_kind KIND ARGUMENT...: the kernel makes a device of this kind
has_kind() {
  local kind=$1
  shift
  ip -n "$(ns online)" link add "$kind-try" "$@" type "$kind" 2>/dev/null || return 1
  ip -n "$(ns online)" link del "$kind-try"
}

make_bond() {
  ip -n "$(ns online)" link add bond1 type bond mode active-backup miimon 50
  ip -n "$(ns switch)" link add second type veth peer name eth1 netns "$(ns online)"
  ip -n "$(ns switch)" link set second master br0 up
  move_address online bond1
  for device in eth0 eth1; do
    ip -n "$(ns online)" link set $device down
    ip -n "$(ns online)" link set $device master bond1
  done
  ip -n "$(ns online)" link set bond1 up
}

pull_active() { ip -n "$(ns switch)" link set online down; }

make_ipvlan() {
  ip -n "$(ns online)" link add ipv0 link eth0 type ipvlan mode l2
  ip -n "$(ns online)" link set ipv0 up
  move_address online ipv0
}

net_start
has_programs
start_nginx online 80
start_nginx target 8080
kinds=0
if has_kind ipvlan link eth0; then
  kinds=1
  make_ipvlan
  meet_again
  copy_through "ipvlan, default devices, auto" eth0
  ip -n "$(ns online)" link del ipv0
  ip -n "$(ns online)" addr add 10.90.0.20/24 dev eth0
else
  ok "ipvlan # SKIP this kernel has none"
fi
if has_kind bond; then
  kinds=1
  make_bond
  meet_again
  copy_through "bond, default devices, auto" eth0
  pull_active
  meet_again
  copy_through "bond, on its other cable" eth0
else
  ok "bond # SKIP this kernel has none"
fi
[ $kinds -gt 0 ] || exit 77
net_done
