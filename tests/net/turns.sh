#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# As long as the target has never answered, link and ip take turns: the one that works is found whenever the
# rest is mended, and each move is told once. Here the route back is missing at first; then in one case
# only link works, in the other only ip.
. "$(dirname "$0")/lib.sh"

logged() { grep -c -- "$1" "$net_dir/tcpcopy.log"; }

# goes_on NAME MODE: the route is mended, and the copy goes on by this backend
goes_on() {
  local tries=0
  route_back
  until log_says "$net_dir/tcpcopy.log" 'the copy goes on' || [ $tries -ge 60 ]; do
    run_load --connections 1 --requests 1 --short --id-prefix "$2$tries-" >/dev/null
    tries=$((tries + 1))
    sleep 0.3
  done
  check "$1: the copy goes on by $2" "$(grep -o 'the copy goes on.*' "$net_dir/tcpcopy.log")" \
    log_says "$net_dir/tcpcopy.log" "the copy goes on, sending by $2"
  equal "$1: the moves are told once each" "1 1" "$(logged 'leave by ip: the first SYNs are unanswered') $(logged 'leave by link: ip does no better')"
  # What the clients said meanwhile arrives too; here only what comes now counts.
  sleep 1.5
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  run_load --connections 10 --requests 500 --rate 1000 --id-prefix "$2-after"
  wait_delivered 5
  same_ids "$1: every id exactly once from then on"
  stop_tcpcopy
  equal "$1: tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
}

# begins ARGUMENT...: nothing is answered by either backend; returns when both have been tried
begins() {
  no_route_back
  rm -f "$net_dir/tcpcopy.log"
  start_tcpcopy "$@"
  run_load --connections 20 --requests 20 --hold 0.2 --id-prefix before
  wait_for 6 log_says "$net_dir/tcpcopy.log" 'leave by link: ip does no better' || true
}

net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# A strict firewall of the online host.
on online nft -f - <<'END'
table ip guard {
  chain out {
    type filter hook output priority 0
    ip saddr 10.91.0.0/16 drop
  }
}
END
begins
goes_on "only link works" link
on online nft delete table ip guard

# Frames to this MAC reach nobody.
begins -x 80-10.90.0.30:8080@02:00:00:00:00:99
goes_on "only ip works" ip
net_done
