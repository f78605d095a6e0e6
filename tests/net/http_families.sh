#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# HTTP clients of both families at once, kept alive, short and with uploads of 100 kB: every id exactly once, with each
# sender, whether all go to one address of the target or each family to its own. Without -c those of the family that
# the target does not have are counted, and tcpcopy says so when it starts.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/families.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# senders_speak FAMILY...: of these families were the faked clients, by the target's capture
senders_speak() {
  equal "the faked clients speak IPv${*// / and IPv}" "$*" "$(count_packets syns >/dev/null
    show_packets syns 10000 | awk '{ print $2 == "IP6" ? 6 : 4 }' | sort -u | paste -sd ' ')"
}

# copied NAME FAMILIES ARGUMENT...: all of it
copied() {
  local name=$1 families=$2
  shift 2
  capture target syns 'tcp dst port 8080 and (tcp[13] & 18 = 2 or ip6[53] & 18 = 2)'
  http_round "$name" "$@"
  same_ids "every id exactly once, $name"
  all_delivered "all of it delivered by the account, $name"
  senders_speak "$families"
  stop_tcpcopy
}

copied own-family-link '4 6' --send link -x "$(each_to_its_own 80 8080)" -c "$(pools)"
copied own-family-ip '4 6' --send ip -x "$(each_to_its_own 80 8080)" -c "$(pools)"
copied to-ipv6-link 6 --send link -x "$(all_to 6 80 8080)" -c "$(faked_clients 6)"
copied to-ipv4-ip 4 --send ip -x "$(all_to 4 80 8080)" -c "$(faked_clients 4)"

# Their own addresses, and no range that IPv4 clients could have one of.
ip -n "$(ns target)" -6 route add "$(address client 6)" via "$(address assistant 6)"
without_c=1 http_round without-c -x "$(all_to 6 80 8080)"
check "what it cannot copy is in the log" "" log_says "$net_dir/tcpcopy.log" \
  'no clients with IPv4 addresses are copied to \[fd90::30\]:8080: .*-c 2001:db8:1::/64 takes both'
mkdir -p "$net_dir/online-v6"
grep v6 "$net_dir/online/access.log" >"$net_dir/online-v6/access.log"
same_ids "every id of the IPv6 clients exactly once, without -c" online-v6 target
all_delivered "the others are counted" no_address
equal "as many as there were" "$(grep -c v4 "$net_dir/online/access.log")" \
  "$(json_stat total stream dropped no_address requests)"
stop_tcpcopy
net_done
