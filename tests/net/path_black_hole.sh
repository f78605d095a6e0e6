#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A router on the way to the target drops packets above 1280 bytes and says nothing (its ICMP is dropped): the first
# uploads wait until the copy has found out, later ones do not, and all are delivered. The path becomes narrow under way, too.
# shellcheck disable=SC2034
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/path.inc"
path_start
has_programs
start_nginx online 80
start_nginx target 8080

# black_hole FAMILY
black_hole() {
  local family=$1 name="IPv$1" lag
  copy_to "$family"
  upload "$family" "first$family-" 10
  load_is_ok "$name: the online server takes all"
  lag=$(largest_lag "first$family-")
  check "$name: the first uploads wait a few seconds at most" "largest lag $lag ms" [ "$lag" -lt 4000 ]
  check "$name: the log says that packets vanish, and what to do" "" \
    log_says "$net_dir/tcpcopy.log" "packets of more than $NARROW bytes vanish.*-M $NARROW"
  capture_large "large$family"
  upload "$family" "then$family-" 10
  no_packets "$name: then no larger packet leaves" "large$family"
  lag=$(largest_lag "then$family-")
  check "$name: and nothing waits" "largest lag $lag ms" [ "$lag" -lt 1000 ]
  all_delivered "$name: the account"
  stop_tcpcopy
  rm -f "$net_dir/tcpcopy.log"
}

# mss_of_link HOST: what a segment of the link to intercept holds at most, at this end of it
mss_of_link() {
  local port=dport
  [ "$1" = online ] || port=sport
  on "$1" ss -Htin state established "$port = :36524" | grep -Eo ' mss:[0-9]+' | cut -d: -f2 | head -1
}

path_is $NARROW
mute_router
start_intercept
black_hole 4
black_hole 6
check "the router had something to say" "" router_was_mute

path_is 1500
copy_to 4
for host in online assistant; do
  check "the link takes such a path as well: at its end on $host" "segments of $(mss_of_link $host) bytes" \
    [ "$(mss_of_link $host)" -le $((NARROW - 80)) ]
done
upload 4 wide- 10
path_is $NARROW
upload 4 narrow- 10
load_is_ok "it becomes narrow under way: the online server takes all"
wait_delivered
check "it becomes narrow under way: uploads are delivered meanwhile" "largest lag $(largest_lag narrow-) ms" \
  [ "$(largest_lag narrow-)" -lt 4000 ]
same_ids "every id exactly once at the target, in order, of the same length"
all_delivered "it becomes narrow under way: the account"
same_files "the files of the target are those of the online server"
stop_tcpcopy
net_done
