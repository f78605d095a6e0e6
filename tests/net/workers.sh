#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -j 4 -C 2: each worker has a part of the connections, all of each, and two links of its own; the
# account is that of one program. Requests with ids, over kept-alive and over short connections.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"

# What has come over each link, a number a line.
bytes_of_links() {
  on online ss -Htin state established 'dport = :36524' |
    grep -o 'bytes_received:[0-9]*' | cut -d: -f2
}

links_up() { [ "$(bytes_of_links | wc -l)" -eq 8 ]; }

# Numbers of the workers' threads.
workers() { grep -lx 'worker-[0-9]' "/proc/$tcpcopy"/task/*/comm | cut -d/ -f5; }

# workers_with CAPABILITY: how many have this number in effect
workers_with() {
  local thread n=0
  for thread in $(workers); do
    (((0x$(awk '$1 == "CapEff:" { print $2 }' "/proc/$thread/status") >> $1 & 1) == 0)) ||
      n=$((n + 1))
  done
  echo "$n"
}

net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
capture online strange 'not (ip or ip6 or arp)'
start_tcpcopy -j 4 -C 2
wait_for 5 links_up
no_packets "the probe of the capture latency sends nothing to others" strange
equal "four workers" 4 "$(workers | wc -l)"
if ldd "$TCPCOPY" | grep -q libcap-ng; then
  equal "none keeps CAP_NET_ADMIN" 0 "$(workers_with 12)"
  equal "and all have CAP_NET_RAW, to open a device again" 4 "$(workers_with 13)"
fi
load_pids=()
start_load kept 5000 --rate 1000 --connections 40
start_load short 5000 --rate 1000 --connections 200 --short
served_more 3000 target
kill -USR1 "$tcpcopy"
check "all have a part of it, on both of their links" "bytes: $(bytes_of_links | paste -sd' ')" \
  [ "$(bytes_of_links | awk '$1 > 10000' | wc -l)" -eq 8 ]
loads_are_over
wait_delivered
all_delivered "the sum of the accounts says that all was delivered"
same_ids "every id has arrived exactly once, in order within its connection"
equal "the statistics are those of four" 4 "$(json_stat workers)"
latency=$(json_stat capture_latency_us)
check "the capture latency is what was asked for, or two ticks of an older kernel" "$latency us" \
  test "$latency" -ge 1500 -a "$latency" -lt 21000
equal "and was told once for all" 1 "$(grep -Ec 'tcpcopy (info|warning): captured packets .* after [0-9.]+ ms' "$net_dir/tcpcopy.log")"
equal "no connection was begun twice, or in its middle" "5040 started, 0 joined" \
  "$(json_stat total sessions started) started, $(json_stat total sessions joined) joined"
# What the server says to open or close a connection is only of use to the worker that has it.
duplicate=$(json_stat packets duplicate)
check "both directions of a connection meet the same worker" \
  "$duplicate packets of no use, 10080 from the server" [ "$duplicate" -lt 500 ]
check "USR1 brings a report" "" log_says "$net_dir/tcpcopy.log" 'ledger after'
# The filters change with the host's addresses: each worker opens its captures again, under load.
load_pids=()
start_load later 3000 --rate 1000 --connections 40
served_more 1000 target
ip -n "$(ns online)" addr add 10.90.0.77/24 dev eth0
wait "${load_pids[@]}"
load_result=$(cat "$net_dir/later.json")
load_is_ok "the online server answers all, later"
all_delivered "nothing is missed when the captures are opened again"
same_ids "and nothing comes twice"
run_load --to 10.90.0.77:80 --connections 100 --requests 1000 --rate 1000 --id-prefix new
load_is_ok "the online server answers at its new address"
all_delivered "each worker has done so: what comes to the new address is copied"
same_ids "all of it, once"
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
equal "there is one summary" 1 "$(grep -c 'info: ending' "$net_dir/tcpcopy.log")"
check "which has all" "" \
  log_says "$net_dir/tcpcopy.log" 'info: +delivered +14000 requests.*100.00 %'
check "the log says which worker speaks" "" \
  log_says "$net_dir/tcpcopy.log" 'worker 3: connected to intercept'
net_done
