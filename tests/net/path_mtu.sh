#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A router on the way to the target takes packets of 1280 bytes at most, and says so: by ICMP to the faked clients,
# which arrives at intercept. Uploads of 100 kB are delivered, and once the path is known no larger packet leaves;
# in IPv4 and IPv6, by link and by ip. What the online host itself knows of the path counts from the start. Then the way
# back is the narrow one: that is the target's affair.
# shellcheck disable=SC2034
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/path.inc"
path_start
has_programs
start_nginx online 80
start_nginx target 8080

not() { ! "$@"; }
equal_stat() { local wanted=$1; shift; [ "$(json_stat "$@")" = "$wanted" ]; }

# narrow_way FAMILY SENDER
narrow_way() {
  local name="IPv$1 by $2" first=first$1$2- then=then$1$2- lag
  copy_to "$1" --send "$2"
  upload "$1" "$first" 10
  load_is_ok "$name: the online server takes all"
  check "$name: the log says how wide the path is" "" \
    log_says "$net_dir/tcpcopy.log" "takes no packets of more than $NARROW bytes"
  lag=$(largest_lag "$first")
  check "$name: no upload waited for long" "largest lag $lag ms" [ "$lag" -lt 1000 ]
  capture_large "large$1$2"
  upload "$1" "$then" 10
  no_packets "$name: then no larger packet leaves" "large$1$2"
  equal "$name: and it was said once" 1 "$(grep -c "no packets of more than" "$net_dir/tcpcopy.log")"
}

end_copy() {
  stop_tcpcopy
  rm -f "$net_dir/tcpcopy.log"
}

path_is $NARROW
start_intercept # -F says nothing of ICMP
capture_large wide_at_first
for family in 4 6; do
  narrow_way $family link
  all_delivered "IPv$family: the account"
  check "IPv$family: nobody had to test the path" "" equal_stat 0 total traffic path_tests
  end_copy
  narrow_way $family ip
  end_copy
done
n=$(count_packets wide_at_first)
check "larger packets left before it was known" "$n packets" [ "$n" -gt 20 ]
same_files "the files of the target are those of the online server"

knows() { on online ip route get 10.92.0.30 | grep -q 'mtu 1280'; }
check "the online host's kernel has learned nothing of that" "" not knows
on online ping -c1 -W1 -M do -s 1400 10.92.0.30 >/dev/null 2>&1 # a packet of its own
check "but for what its own packets met" "" knows
capture_large known
copy_to 4 --send ip
upload 4 known- 10
no_packets "which counts from the start: no larger packet leaves" known
end_copy

# The way back: the target's answers pass the router and a narrow link to the assistant.
path_is 1500
stop_pid "$intercept"
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
net_family=4 run_load --connections 5 --requests 50 --rate 100 --path "/100k?id=%s" --id-prefix back-
load_is_ok "a narrow way back: the online server answers all"
wait_delivered 10
same_ids "every id exactly once at the target, in order, of the same length"
all_delivered "a narrow way back: the account"
check "a narrow way back: which is the target's affair" "" equal_stat 0 total traffic too_big
stop_tcpcopy
net_done
