#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -C 4 under load: sessions are spread over four connections to intercept. One of them is killed and
# comes back at once; then one is killed and cannot come back, and the others take its sessions.
# Nothing is lost, and no session is refused for its own sake.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

link_ports() {
  on online ss -Htn state established 'dport = :36524' | awk '{ sub(/.*:/, "", $3); print $3 }'
}

links_up() { [ "$(link_ports | wc -l)" -eq "$1" ]; }

# Of each connection, what has come over it: a number a line.
bytes_of_links() {
  on online ss -Htin state established 'dport = :36524' | grep -o 'bytes_received:[0-9]*' | cut -d: -f2
}

all_have_records() { [ "$(bytes_of_links | awk '$1 > 5000' | wc -l)" -eq 4 ]; }

kill_a_link() {
  local port
  port=$(link_ports | head -1)
  on online ss -HtK "sport = :$port" >/dev/null
  wait_for 2 has_no_link_from "$port"
}

has_no_link_from() { ! link_ports | grep -qx "$1"; }

# The next connections to intercept are answered with a reset, those that stand go on.
refuse_new_links() {
  on assistant nft -f - <<'END'
table inet refuse {
  chain input {
    type filter hook input priority 0
    tcp dport 36524 tcp flags & (syn | ack) == syn reject with tcp reset
  }
}
END
}

net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy -C 4
wait_for 5 links_up 4
equal "tcpcopy has four connections to intercept" 4 "$(link_ports | wc -l)"
load_pids=()
start_load kept 4500 --rate 500 --connections 40
start_load short 1800 --rate 200 --connections 100 --short
served_more 1000 target
check "all four carry records" "bytes: $(bytes_of_links | paste -sd' ')" wait_for 5 all_have_records
kill_a_link
check "a connection that was killed comes back" "" wait_for 3 links_up 4
served_more 700 target
refuse_new_links
kill_a_link
loads_are_over
equal "a connection that cannot come back stays away" 3 "$(link_ports | wc -l)"
all_delivered "nothing is lost meanwhile"
same_ids "every id has arrived exactly once"
equal "no session was refused" 0 "$(json_stat links 0 refused)"
equal "the statistics know of three connections" "3 of 4" \
  "$(json_stat links 0 connections_up) of $(json_stat links 0 connections)"
on assistant nft delete table inet refuse
check "it comes back when it can" "" wait_for 5 links_up 4
load_pids=()
start_load after 1000 --rate 500 --connections 40
wait "${load_pids[@]}"
load_result=$(cat "$net_dir/after.json")
load_is_ok "the online server answers all, after"
all_delivered "the copy goes on"
same_ids "and nothing came twice"
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
check "the log tells which connection was lost" "" \
  log_says "$net_dir/tcpcopy.log" 'link to intercept 10.90.0.40, connection [1-4] of 4: .*trying again'
net_done
