#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients whose IPv6 packets have extension headers, from the SYN to the FIN, are copied like others, by one worker and
# by two. Fragments cannot be copied: of each packet the first is counted, in both families, and the log says so.
. "$(dirname "$0")/lib.sh"
net_family=both
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# client ARGUMENT...: the client with the extension headers
client() {
  local what=$1
  shift
  on client "$top/tests/net/extension_client.py" "$what" --to "$@"
}

# with_headers KIND ARGUMENT...: the online server answers them all
with_headers() {
  local kind=$1 said
  shift
  said=$(client requests "$(address online 6)" 80 --kind "$kind" "$@")
  check "the online server answers all, $kind" "$said" [ $? -eq 0 ]
}

has_packets() { touch "$net_dir/asked"; wait_for 3 stats_are_new && [ "$(json_stat packets "$1")" = "$2" ]; }

for workers in 1 2; do
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  : >"$net_dir/tcpcopy.log"
  start_tcpcopy -x "80-$(at target 8080 6)" -c "$(faked_clients 6)" -j $workers
  capture online extended "ip6 and dst port 80 or ip6[6] = 0 or ip6[6] = 60"
  with_headers hop-by-hop --connections 20
  with_headers destination --connections 20
  with_headers both --connections 20
  with_headers destination --connections 2 --requests 3 --upload 100000
  with_headers none
  wait_delivered 5
  same_ids "every id exactly once at the target, with $workers worker(s)"
  all_delivered "and all of it delivered, by the account"
  headers=$(count_packets extended >/dev/null; show_packets extended 100000 | grep -Ec 'HBH|DSTOPT')
  check "the requests had extension headers" "$headers packets" [ "$headers" -gt 600 ]
  for family in 4 6; do client fragment "$(address online $family)" 80; done
  check "two packets in fragments are counted" "" wait_for 5 has_packets fragment 2
  equal "the log says once that fragments cannot be copied" 1 \
    "$(grep -c 'IP fragments, which cannot be copied' "$net_dir/tcpcopy.log")"
  stop_tcpcopy
  equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
done

# A target whose answers have them too needs a filter of intercept that says so.
stop_pid "$intercept"
start target serve "$top/tests/net/extension_client.py" serve --to "$(address target 6)" 8081 --kind destination
wait_for 5 is_listening target 8081
start_intercept -F '(tcp and src port 8081) or (ip6 and ip6[6] != 6 and src host fd90::30)'
: >"$net_dir/tcpcopy.log"
start_tcpcopy -x "80-$(at target 8081 6)" -c "$(faked_clients 6)"
capture target answers 'ip6[6] = 60 and src host fd90::30'
with_headers hop-by-hop
all_delivered "a target with extension headers of its own is answered"
answers=$(count_packets answers)
check "its answers had them" "$answers packets" [ "$answers" -ge 100 ]
net_done
