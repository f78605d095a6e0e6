#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sudo tests/bench/run.sh [CASE...]: what the copy delivers and what it costs. Cases:
#
#   keepalive   100 kept-alive connections, 10,000 requests a second
#   closed      closed loop: 10 connections that ask again as soon as they are answered
#   short       short connections, 2,000 a second
#   upload      uploads of 100 kB, 200 a second
#
# Processor time is stated in floors: what the kernel alone asks for one packet to the target on this
# machine in this run (floor.c). Two passes a case: processor time, memory and delivery first; then
# the delay, as its taps would cost the programs time. SCALE=0.1 runs a tenth of the requests.
set -u
cd "$(dirname "$0")/../.." || exit 1
scale=${SCALE-1}
all_cases=(keepalive closed short upload)

# case NAME: in load_args, what load is to do; in requests, how many
case_is() {
  case $1 in
    keepalive) requests=100000 load_args=(--connections 100 --rate 10000) ;;
    closed) requests=50000 load_args=(--connections 10) ;;
    short) requests=20000 load_args=(--connections 500 --rate 2000 --short) ;;
    upload)
      requests=2000
      load_args=(--connections 20 --rate 200 --method PUT --path /put/%s --body 100000)
      ;;
    *) return 1 ;;
  esac
  requests=$(awk "BEGIN { print int($requests * $scale) }")
}

cases=("$@")
[ "${#cases[@]}" -gt 0 ] || cases=("${all_cases[@]}")
for c in "${cases[@]}"; do
  if ! case_is "$c"; then
    sed -n '3,13p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
  fi
done

if [ -z "${BUILD-}" ]; then
  tests/setup.sh test || exit 1
  mkdir -p build/gcc
  if ! (
    { [ -x configure ] || ./autogen.sh; } && cd build/gcc &&
      { [ -e Makefile ] || ../../configure -q; } && make -j"$(nproc)" tcpcopy/tcpcopy intercept/intercept net-tools
  ) >build/bench.log 2>&1; then
    tail -20 build/bench.log
    exit 1
  fi
fi

# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
net_start
has_programs
rows=$net_dir/rows.jsonl

# ticks PID: "user system total_ns" of the process so far
times_of() {
  awk '{ sub(/^.*\) /, ""); print $12, $13 }' "/proc/$1/stat" | tr '\n' ' '
  cut -d' ' -f1 "/proc/$1/schedstat"
}
anonymous_kb() { awk '/^RssAnon/ { print $2 }' "/proc/$1/status"; }

measure_floor() {
  local mac
  mac=$(ip -n "$(ns target)" -o link show eth0 | grep -o 'link/ether [0-9a-f:]*' | cut -d' ' -f2)
  on target nft 'table inet floor { chain input { type filter hook input priority 0; tcp dport 9 drop
 }
}'
  for _ in 1 2 3; do
    on online "$BUILD/tests/bench/floor" eth0 10.91.0.1 10.90.0.30 "$mac" 400000
  done | sort -t: -k5 | sed -n 2p
  on target nft 'delete table inet floor'
}

fresh_hosts() {
  rm -rf "$net_dir/online" "$net_dir/target"
  rm -f "$net_dir"/{tcpcopy,intercept}.log
  start_nginx online 80
  start_nginx target 8080
  start_intercept
  start_tcpcopy
}

stop_hosts() {
  stop_tcpcopy
  # shellcheck disable=SC2154
  for pid in $intercept $nginx_online $nginx_target; do stop_pid "$pid"; done
}

# measure_delay CASE: the taps' files become delay.online and delay.target
measure_delay() {
  local taps=() every=1 n=$((requests / 4))
  [ "$1" != keepalive ] || every=4
  fresh_hosts
  start online delay.online "$BUILD/tests/bench/tap" eth0 80 $every
  taps+=("$started")
  start target delay.target "$BUILD/tests/bench/tap" eth0 8080 $every
  taps+=("$started")
  wait_for 5 grep -q ready "$net_dir/delay.online.out"
  wait_for 5 grep -q ready "$net_dir/delay.target.out"
  run_load "${load_args[@]}" --requests "$n" --limit 120
  wait_delivered 20
  sleep 0.3
  for pid in "${taps[@]}"; do stop_pid "$pid"; done
  mv "$net_dir/delay.online.out" "$net_dir/delay.online"
  mv "$net_dir/delay.target.out" "$net_dir/delay.target"
  stop_hosts
}

run_case() {
  local name=$1 t0 t1 i0 i1 m0 m1 im0 im1
  case_is "$name"
  fresh_hosts
  sleep 0.5
  m0=$(anonymous_kb "$tcpcopy") im0=$(anonymous_kb "$intercept")
  t0=$(times_of "$tcpcopy") i0=$(times_of "$intercept")
  run_load "${load_args[@]}" --requests "$requests" --limit 120
  wait_delivered 30
  t1=$(times_of "$tcpcopy") i1=$(times_of "$intercept")
  m1=$(anonymous_kb "$tcpcopy") im1=$(anonymous_kb "$intercept")
  cp "$net_dir/online/access.log" "$net_dir/ids.online"
  cp "$net_dir/target/access.log" "$net_dir/ids.target"
  stop_hosts
  measure_delay "$name"
  tests/bench/table.py row "$net_dir" "$name" "$t0" "$t1" "$i0" "$i1" "$m0 $m1 $im0 $im1" >>"$rows"
  [ -z "${KEEP-}" ] || echo "$name: $load_result"
}

floor=$(measure_floor)
for c in "${cases[@]}"; do
  echo "running $c ..." >&2
  run_case "$c"
done
tests/bench/table.py show "$floor" <"$rows"
