#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --check of both programs: a line a finding, and the exit status says whether the command line is
# wrong (2), the world (1), or nothing (0). Nothing is left behind.
net_family=both
. "$(dirname "$0")/lib.sh"
net_start
has_programs
base=(-x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.91.0.x)
unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all)

# checked NAME STATUS PATTERN HOST COMMAND...: its output is in $out
checked() {
  local name=$1 wanted=$2 pattern=$3 host=$4 status
  shift 4
  out=$(on "$host" timeout 10 "$@" --check 2>&1 </dev/null)
  status=$?
  if [ $status -eq "$wanted" ] && grep -Eq -- "$pattern" <<<"$out"; then
    ok "$name" "$(grep -E -m 1 -- "$pattern" <<<"$out" | cut -c 1-140)"
  else
    not_ok "$name" "exit status $status, wanted $wanted and '$pattern'"
    sed 's/^/  | /' <<<"$out"
  fi
}

tcpcopy_check() {
  local name=$1 status=$2 pattern=$3
  shift 3
  checked "$name" "$status" "$pattern" online "$TCPCOPY" "$@"
}

intercept_check() {
  local name=$1 status=$2 pattern=$3
  shift 3
  checked "intercept: $name" "$status" "$pattern" assistant "$INTERCEPT" "$@"
}

# A kernel that holds captured packets back is no reason to fail.
lines_that_are_not_ok() { grep -Evc '^ok |^note +captured packets are handed over' <<<"$out"; }

# ---- nothing runs yet
intercept_check "all is right" 0 'captured on eth0' -i eth0 -F 'tcp and src port 8080'
equal "intercept: every line is ok" 0 "$(lines_that_are_not_ok)"
tcpcopy_check "no intercept: which, and why" 1 '^wrong .*10\.90\.0\.40:36524.*refused.*start intercept' \
  "${base[@]}"
tcpcopy_check "with -L that is a note" 0 '^note .*10\.90\.0\.40.*-L' "${base[@]}" -L
tcpcopy_check "-U says that it does nothing" 0 '^note .*-U 100 does nothing' "${base[@]}" -L -U 100
tcpcopy_check "-o with the wrong device" 1 '^wrong .*10\.90\.0\.30.*lo' "${base[@]}" -L -o lo

tcpcopy_check "--send link to where nobody is" 1 '^wrong .*10\.90\.0\.99.*next hop 10\.90\.0\.99 on eth0, which does not answer ARP' \
  -x 80-10.90.0.99:8080 -s 10.90.0.40 -c 10.91.0.x -L --send link

# ---- intercept runs
start_intercept
tcpcopy_check "all is right" 0 '^ok .*intercept 10\.90\.0\.40 answers' "${base[@]}" -l "$net_dir/new.log" \
  -P "$net_dir/new.pid" --stats-file "$net_dir/new.json"
equal "every line is ok" 0 "$(lines_that_are_not_ok)"
check "the capture latency is measured" "" grep -Eq '^[a-z]+ +captured packets are handed over after [0-9.]+ ms' <<<"$out"
equal "options, capture, its latency, target, intercept and three files are looked at" 8 "$(wc -l <<<"$out")"
ipv6=(-x '80-[fd90::30]:8080' -s fd90::40)
tcpcopy_check "all is right over IPv6" 0 '^ok .*intercept fd90::40 answers' "${ipv6[@]}" -c fd91::/64
equal "every line is ok there too" 0 "$(lines_that_are_not_ok)"
check "the link layer leads to an IPv6 target" "" grep -Eq '^ok .*\[fd90::30\]:8080: packets leave by link' <<<"$out"
tcpcopy_check "clients that cannot be copied are named" 0 '^note .*no clients with IPv4 addresses .*no-address' "${ipv6[@]}"
equal "no file is made" "" "$(cd "$net_dir" && ls | grep '^new')"
check "intercept has seen the hello" "" wait_for 5 log_says "$net_dir/intercept.log" 'tcpcopy .* is connected'
intercept_check "a port in use" 1 '^wrong .*36524.*in use' -i eth0
intercept_check "a pid file in use" 1 '^wrong .*another instance.*kill' -i eth0 -p 40000 \
  -P "$net_dir/intercept.pid"

# ---- a world that is wrong
on assistant nft 'add table ip t; add chain ip t in { type filter hook input priority 0; };
  add rule ip t in tcp dport 36524 drop'
began=$EPOCHSECONDS
tcpcopy_check "an intercept behind a firewall" 1 '^wrong .*10\.90\.0\.40.*firewall' "${base[@]}"
check "waits three seconds, not for ever" "$((EPOCHSECONDS - began)) s" \
  test $((EPOCHSECONDS - began)) -le 6
on assistant nft delete table ip t
tcpcopy_check "a target without a route" 1 '^wrong .*192\.0\.2\.1.*no route' \
  -x 80-192.0.2.1:8080,80-10.90.0.30:8080 -s 10.90.0.40 -c 10.91.0.x
check "and the other target is right" "" grep -Eq '^ok .*target 10\.90\.0\.30' <<<"$out"
tcpcopy_check "a log that cannot be written" 1 '^wrong .*no/where/log' "${base[@]}" -l /no/where/log
tcpcopy_check "a directory for the counters" 2 "stats-file.*no regular file" "${base[@]}" --stats-file "$net_dir"
tcpcopy_check "and one that is not there" 1 "^wrong .*stats-file.*No such file" "${base[@]}" \
  --stats-file "$net_dir/no/where.json"
echo precious >"$net_dir/text"
tcpcopy_check "-P with a file that is none" 1 '^wrong .*text.*no pid file' "${base[@]}" -P "$net_dir/text"
equal "which is left alone" precious "$(cat "$net_dir/text")"
set_sysctl assistant net/ipv4/ip_forward 1
intercept_check "a host that forwards" 0 '^note .*ip_forward=0' -i eth0 -p 40000
set_sysctl assistant net/ipv4/ip_forward 0

# ---- without privilege; the build directory may be closed to nobody
cp "$TCPCOPY" "$INTERCEPT" "$net_dir"
chmod 755 "$net_dir/tcpcopy" "$net_dir/intercept"
checked "no privilege to capture" 1 '^wrong +capture.*CAP_NET_RAW' online \
  "${unprivileged[@]}" "$net_dir/tcpcopy" "${base[@]}"
check "nor to send" "" grep -Eq '^wrong +target.*CAP_NET_RAW' <<<"$out"
checked "intercept: no privilege to capture" 1 '^wrong +capture.*CAP_NET_RAW' assistant \
  "${unprivileged[@]}" "$net_dir/intercept" -i eth0 -p 40000
checked "no right to write the files" 1 '^wrong +-P:.*root\.pid' online \
  "${unprivileged[@]}" "$net_dir/tcpcopy" "${base[@]}" -P "$net_dir/root.pid"

# ---- a command line that is wrong on this host
tcpcopy_check "-c with this host's address" 2 '10\.90\.0\.20.*reaches intercept' \
  -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.90.0.20
tcpcopy_check "-c with the target's address" 2 '10\.90\.0\.30.*target' \
  -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.90.0.30
tcpcopy_check "-c with the assistant's address" 2 '10\.90\.0\.40.*address of -s' \
  -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.90.0.35-10.90.0.45
ip -n "$(ns online)" route add 10.93.0.0/24 via 10.90.0.10
tcpcopy_check "-c with the router towards the target" 2 '10\.90\.0\.10.*router.*10\.93\.0\.1:8080' \
  -x 80-10.93.0.1:8080 -s 10.90.0.40 -c 10.90.0.1-10.90.0.15
ip -n "$(ns online)" addr add 10.94.0.1/24 dev lo
tcpcopy_check "-c with another address of this host" 2 '10\.94\.0\.1.*address of this host' \
  -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.94.0.x
tcpcopy_check "an unknown device" 2 'nodev7.*eth0' "${base[@]}" -i nodev7
tcpcopy_check "a wrong filter" 2 'no such filter' "${base[@]}" -F 'no such filter'
intercept_check "an unknown device" 2 'nodev7.*eth0' -i nodev7
net_done
