#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The clients' host dies without a FIN. First it boots again at once and its clients take the very
# same ports: they are new connections, online and at the target. Then it is gone for good:
# after -k seconds of silence the target is left clean.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
IDLE_S=3

# Forty ports for forty clients: whoever comes after a boot meets his older self.
client_boots() {
  ip -n "$(ns switch)" link del client
  ip netns del "$(ns client)"
  net_add_host client 10
  wait_for 5 on client ping -c1 -W1 10.90.0.20
  set_sysctl client net/ipv4/ip_local_port_range "40000 40039"
}

# Its device first, so that neither FIN nor RST gets out.
client_dies() {
  ip -n "$(ns client)" link set eth0 down
  gone=${EPOCHREALTIME/[.,]/}
  stop_loads
}

has_requests() { [ "$(grep -c " $1" "$net_dir/target/access.log")" -ge "$2" ]; }
none_is_open() { [ "$(open_at_target)" -eq 0 ]; }

# talk NAME: forty clients that keep their connections
talk() {
  load_pids=()
  start_load "$1" 100000 --rate 400 --connections 40
  wait_for 10 has_requests "$1" 1000
}

net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_copy -k $IDLE_S
client_boots
talk first
equal "forty clients are copied" 40 "$(open_at_target)"
client_dies
client_boots
talk second
equal "after a boot forty again, and none that is older" 40 "$(open_at_target)"
client_dies
wait_for $((IDLE_S + 3)) none_is_open
waited=$(((${EPOCHREALTIME/[.,]/} - gone) / 1000))
equal "gone for good, they leave nothing at the target" 0 "$(open_at_target)"
check "and are waited for as long as -k says" "$waited ms" [ $waited -ge $((IDLE_S * 900)) ]
stop_copy
nothing_is_wrong --unlogged 40
ledger_adds_up
net_done
