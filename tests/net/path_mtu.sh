#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A router on the way to the target takes packets of 1280 bytes at most, and says so: by ICMP to the faked clients,
# which arrives at intercept. Uploads of 100 kB are delivered, and once the path is known no larger packet leaves;
# in IPv4 and IPv6, by link and by ip. Then the way back is the narrow one: that is the target's affair.
# shellcheck disable=SC2034
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/path.inc"
path_start
has_programs
start_nginx online 80
start_nginx target 8080

# narrow_way FAMILY SENDER
narrow_way() {
  local family=$1 sender=$2 name="IPv$1 by $2"
  start_intercept # -F says nothing of ICMP
  copy_to "$family" --send "$sender"
  upload "$family" "first$family$sender-" 20
  load_is_ok "$name: the online server takes all"
  wait_delivered 10
  check "$name: the log says how wide the path is" "" \
    log_says "$net_dir/tcpcopy.log" "takes no packets of more than $NARROW bytes"
  equal "$name: and says so once" 1 "$(grep -c "no packets of more than" "$net_dir/tcpcopy.log")"
  capture_large "large$family$sender"
  upload "$family" "then$family$sender-" 20
  wait_delivered 10
  no_packets "$name: then no larger packet leaves" "large$family$sender"
  same_ids "$name: every id exactly once at the target, in order, of the same length"
  all_delivered "$name: the account"
  check "$name: nobody had to test the path" "" equal_stat 0 total traffic path_tests
  check "$name: no upload waited for long" "largest lag $(largest_lag "first$family$sender-") ms" \
    [ "$(largest_lag "first$family$sender-")" -lt 1000 ]
  stop_tcpcopy
  stop_pid "$intercept"
  rm -f "$net_dir"/tcpcopy.log
}

equal_stat() { local wanted=$1; shift; [ "$(json_stat "$@")" = "$wanted" ]; }

path_is $NARROW
narrow_way 4 link
narrow_way 4 ip
narrow_way 6 link
narrow_way 6 ip
same_files "the files of the target are those of the online server"

# The way back: the target's answers pass the router and a narrow link to the assistant.
path_is 1500
ip link add name eth2 netns "$(ns $router)" type veth peer name eth1 netns "$(ns assistant)"
ip -n "$(ns $router)" addr add 10.93.0.1/24 dev eth2
ip -n "$(ns assistant)" addr add 10.93.0.40/24 dev eth1
set_sysctl assistant net/ipv4/conf/eth1/rp_filter 0
ip -n "$(ns assistant)" link set eth1 up
ip -n "$(ns $router)" link set eth2 mtu $NARROW up
ip -n "$(ns $router)" route replace "$(faked_net 4)" via 10.93.0.40
ip -n "$(ns target)" route replace "$(faked_net 4)" via 10.92.0.1
start_intercept -i any
copy_to 4
net_family=4 run_load --connections 5 --requests 50 --rate 50 --path "/100k?id=%s" --id-prefix back-
load_is_ok "a narrow way back: the online server answers all"
wait_delivered 10
same_ids "a narrow way back: every id exactly once at the target, in order"
all_delivered "a narrow way back: the account"
check "a narrow way back: which is the target's affair" "" equal_stat 0 total traffic too_big
stop_tcpcopy
net_done
