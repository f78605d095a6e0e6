#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An assistant that forwards (every Docker host) sends the target's answers on, to others that may end the copies or to the
# real clients, or errors back to the target. intercept says so with the rule that mends it; that very rule, taken from its
# log in the form of nft or of iptables, does mend it: nothing leaves the assistant any more. Where ICMP redirects have told
# the target to pass this host by, the log has the command that makes it forget.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.inc"
net_family=both
net_hosts=(client online target assistant shop)
net_start
has_programs
start_nginx online 80
start_nginx target 8080
set_sysctl assistant net/ipv4/icmp_ratelimit 0
set_sysctl assistant net/ipv6/icmp/ratelimit 0

onward() { ip -n "$(ns assistant)" -"$net_family" route "$1" "${@:2}"; }
third() { if [ "$net_family" = 6 ]; then echo fd90::50; else echo 10.90.0.50; fi; }
masquerade() {
  on assistant nft 'add table ip masq; add chain ip masq out { type nat hook postrouting priority 100; };
    add rule ip masq out masquerade'
}

# What each world adds to a forwarding assistant.
make_default() { onward add default via "$(address online)"; }
undo_default() { onward del default; }
make_nowhere() { :; }
undo_nowhere() { :; }
make_third() { # these addresses exist elsewhere, and that host knows nothing of a connection
  onward add "$(faked_net)" via "$(third)"
  ip -n "$(ns shop)" -"$net_family" route add local "$(faked_net)" dev lo
}
undo_third() {
  onward del "$(faked_net)"
  ip -n "$(ns shop)" -"$net_family" route del local "$(faked_net)" dev lo
}
make_clients() { ip -n "$(ns target)" -"$net_family" route add "$(address client)" via "$(address assistant)"; }
undo_clients() { ip -n "$(ns target)" -"$net_family" route del "$(address client)"; }
make_masquerade() { make_default && masquerade; }
undo_masquerade() { undo_default && on assistant nft delete table ip masq; }

# Docker's own FORWARD chain lets nothing through, but the kernel sends its redirects before that.
make_docker() {
  make_default
  on assistant nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
}
undo_docker() { undo_default && on assistant nft delete table ip filter; }

# What leaves the assistant though it should not: answers of the target, ICMP errors, redirects.
capture_leaks() {
  local errors='icmp[0] == 3 or icmp[0] == 5 or (icmp6 and (ip6[40] < 5 or ip6[40] == 137))'
  capture assistant "$1" "ether src $(on assistant cat /sys/class/net/eth0/address) and (tcp src port 8080 or $errors)"
}

# Without -c in the world of real clients: their own addresses.
start_copy() {
  if [ "$world" = clients ]; then
    wanted_status=1 start online tcpcopy.log "$TCPCOPY" -x "80-$(at target 8080)" -s "$(address assistant)" -l "$net_dir/tcpcopy.log"
    tcpcopy=$started
    wait_for 10 link_is_up
  else
    start_tcpcopy
  fi
}

# in_world WORLD FORM WHERE: FORM nft or iptables; WHERE the log says that the answers go
in_world() {
  local world=$1 form=$2 where=$3 name="IPv$net_family, $1, $2"
  "make_$world"
  rm -f "$net_dir/intercept.log" "$net_dir/tcpcopy.log"
  start_intercept
  start_copy
  capture_leaks "$world${net_family}before"
  run_load --connections 5 --requests 50 --rate 200 --id-prefix "$world${net_family}before"
  load_is_ok "$name: the online server answers all"
  check "$name: intercept warns, and says where the answers go" "" wait_for 3 log_says "$net_dir/intercept.log" "$where"
  local before
  before=$(count_packets "$world${net_family}before")
  check "$name: without the rule something does leave" "$before packets" [ "$before" -gt 0 ]
  commands intercept "${form/iptables/ip6?tables}"
  can_be_pasted assistant "$name"
  commands intercept 'ip .*route flush cache'
  [ "$world" = nowhere ] || can_be_pasted target "$name, redirects"
  capture_leaks "$world$net_family"
  run_load --connections 20 --requests 500 --rate 1000 --id-prefix "$world${net_family}after"
  load_is_ok "$name: the online server answers all"
  wait_for 5 has_arrived "$world${net_family}after" 500
  no_packets "$name: with the rule nothing leaves the assistant" "$world$net_family"
  the_ids_of "$world${net_family}after" "$name: with the rule every id arrives exactly once"
  stop_tcpcopy
  stop_pid "$intercept"
  on assistant sh -c 'nft delete table inet intercept; iptables -t raw -F; ip6tables -t raw -F' 2>/dev/null
  "undo_$world"
}

forwards() {
  set_sysctl assistant net/ipv4/ip_forward "$1"
  set_sysctl assistant net/ipv6/conf/all/forwarding "$1"
}

# ICMP errors about clients whose connections are established: those go on.
errors_end_nothing() {
  local id=errors$net_family name="IPv$net_family, ICMP errors" count
  forwards 0
  start_intercept
  start_tcpcopy
  capture_leaks "$id"
  start client "$id" "$LOAD" --to "$(at online 80)" --connections 5 --requests 200 --rate 200 --id-prefix "$id"
  wait_for 5 has_arrived "$id" 20
  forwards 1
  wait_for 10 has_arrived "$id" 200
  count=$(count_packets "$id")
  check "$name: they do come" "$count packets" [ "$count" -gt 0 ]
  the_ids_of "$id" "$name: connections that are established go on, every id exactly once"
  stop_tcpcopy
  stop_pid "$intercept"
}

forwards 1
net_family=4
in_world nowhere iptables 'answered with ICMP errors'
# Soon, as the kernel ceases to send redirects that are not heeded.
in_world docker nft 'go on to 10\.90\.0\.20'
in_world masquerade nft 'to 10\.91\.0\.[0-9]+ go on to 10\.90\.0\.20 through eth0'
in_world clients nft 'to 10\.90\.0\.10 go on to 10\.90\.0\.10'
errors_end_nothing
net_family=6
in_world default iptables 'to fd91::[0-9a-f]+ go on to fd90::20 through eth0'
in_world nowhere nft 'answered with ICMP errors'
in_world third nft 'go on to fd90::50'
errors_end_nothing
net_done
