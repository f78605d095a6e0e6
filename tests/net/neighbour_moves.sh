#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target takes another MAC under load: it tells everybody, or nobody. Neither costs a request, by IPv4
# or by IPv6, and tcpcopy finds it within two seconds.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/next_hop.inc"

# load NAME FAMILY: kept-alive and short connections in the background, for some seven seconds
load() {
  start client "load-$1-$2" "$LOAD" --to "$(at online 80 "$2")" --connections 10 --requests 1400 --rate 200 --id-prefix "$1-$2"
  loads+=("$started")
  start client "short-$1-$2" "$LOAD" --to "$(at online 80 "$2")" --connections 10 --requests 280 --rate 40 --short --id-prefix "$1-$2-short"
  loads+=("$started")
}

loads_are_over() {
  local pid
  for pid in "${loads[@]}"; do wait_for 20 has_ended "$pid"; done
}

net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy -x "$(at online 80 4)-$(at target 8080 4),$(at online 80 6)-$(at target 8080 6)" \
  -c "$(faked_clients 4),$(faked_clients 6)"
equal "both targets are reached by link from the start" 2 "$(times_logged 'sending by link')"
load run 4
load run 6
wait_for 10 has_served 300 target

speaks_up target eth0 1
moves "told" target eth0 02:00:00:00:90:01 "$(address target 4)" "$(address target 6)"
wait_for 10 has_served $(($(requests_served target) + 400)) target

speaks_up target eth0 0
mute target online
moves "not told" target eth0 02:00:00:00:90:02 "$(address target 4)" "$(address target 6)"
loads_are_over
wait_delivered 10
same_ids "every id exactly once"
equal "each move is logged once" 4 "$(times_logged 'has moved to')"
equal "nothing left by ip" 0 "$(times_logged 'by ip')"
all_delivered "the account knows no loss"
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
net_done
