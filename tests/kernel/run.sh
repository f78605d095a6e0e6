#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/kernel/run.sh [CASE...]: the pure cores of tcpcopy and intercept against Linux's own TCP.
# Each case runs in a network namespace that goes with its last process, several at a time. The wire
# is a TUN device; the bad weather on it is kernel_target's own (lane.h), for Linux's TCP is told of
# a packet that nft drops on its way out. Without arguments all cases, most of a minute.
#
# BUILD: the directory with the built program (default: build/gcc). JOBS: how many at a time (8).
# LIMIT_SECONDS: what has not ended then is stuck (100; waits double, so luck alone may need 30).
# SEED: of conversations and losses (1).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../net/lib.sh"

KERNEL_TARGET=${KERNEL_TARGET-$BUILD/tests/kernel/kernel_target}
JOBS=${JOBS-8}
LIMIT_SECONDS=${LIMIT_SECONDS-100}
SEED=${SEED-1}

# A name, then the arguments; the longest first.
cases=(
  'bogus-lossy --bogus all --sessions 540 --turns 6 --pace 30 --loss 5'
  'bogus-lossy-silent --bogus all --sessions 540 --turns 6 --pace 30 --loss 5 --silent'
  'lossy-cubic --sessions 1000 --loss 5 --congestion cubic'
  'lossy-bbr --sessions 1000 --loss 5 --congestion bbr'
  'upload-lossy --sessions 40 --turns 3 --upload 100000 --loss 5'
  'bogus --bogus all --sessions 540 --turns 6 --pace 30'
  'bogus-silent --bogus all --sessions 540 --turns 6 --pace 30 --silent'
  'bogus-upload --bogus all --sessions 108 --turns 4 --pace 30 --upload 20000 --silent'
  'mixed-lossy --sessions 210 --turns 8 --manner mixed --loss 5 --reorder 2 --dup 2'
  'mixed-lossy-whole --sessions 210 --turns 8 --manner mixed --loss 5 --whole'
  'slow-lossy --sessions 50 --turns 4 --manner slow --upload 20000 --receive-buffer 8192 --loss 5'
  'download-lossy --sessions 50 --turns 5 --answer 100000 --loss 5'
  'clean --sessions 500'
  'clean-mixed --sessions 210 --turns 8 --manner mixed'
  'clean-mixed-whole --sessions 210 --turns 8 --manner mixed --whole'
  'late --sessions 200 --manner late'
  'differ --sessions 200 --differ'
  'reordered --sessions 200 --reorder 5 --dup 5'
  'upload --sessions 50 --turns 5 --upload 100000'
  'slow --sessions 50 --turns 4 --manner slow --upload 20000 --receive-buffer 8192'
  'one --sessions 1 --turns 200 --pace 0.1'
)

kernel_why_not() {
  [ "$(id -u)" -eq 0 ] || { echo "needs root"; return; }
  local tool
  for tool in ip unshare; do
    command -v $tool >/dev/null || { echo "$tool is not installed"; return; }
  done
  [ -c /dev/net/tun ] || { echo "there is no /dev/net/tun"; return; }
  unshare --net ip tuntap add dev tun0 mode tun 2>/dev/null ||
    echo "cannot make a network namespace with a TUN device"
}

# What the congestion control of this case lacks here, or nothing.
case_why_not() {
  local wanted=${1##*--congestion }
  [ "$wanted" != "$1" ] || return 0
  wanted=${wanted%% *}
  grep -qw "$wanted" /proc/sys/net/ipv4/tcp_available_congestion_control && return
  modprobe -q "tcp_$wanted" 2>/dev/null || echo "this kernel has no $wanted"
}

# in_namespace COMMAND...: its TUN device has the target's address and leads to the faked clients
in_namespace() {
  # shellcheck disable=SC2016
  unshare --net bash -c '
    set -e
    put() { [ ! -e "/proc/sys/$1" ] || echo "$2" >"/proc/sys/$1"; }
    put net/ipv6/conf/all/disable_ipv6 1
    put net/ipv6/conf/default/disable_ipv6 1
    put net/core/somaxconn 8192
    put net/ipv4/tcp_max_syn_backlog 8192
    put net/ipv4/tcp_no_metrics_save 1
    ip link set lo up
    ip tuntap add dev tun0 mode tun
    ip link set tun0 txqueuelen 10000 up
    ip addr add 10.92.0.1/32 dev tun0
    ip route add 10.91.0.0/16 dev tun0
    exec "$@"' bash "$@"
}

# run_case NAME ARGUMENT...: output and status go to files
run_case() {
  local name=$1
  shift
  in_namespace timeout --foreground -k 5 $((LIMIT_SECONDS + 20)) \
    "$KERNEL_TARGET" --limit "$LIMIT_SECONDS" --seed "$SEED" "$@" >"$dir/$name.out" 2>&1
  echo $? >"$dir/$name.status"
}

# begin_cases: each in a process group of its own, so that all of it can be ended
begin_cases() {
  local line
  set -m
  for line in "${cases[@]}"; do
    [ -z "$(case_why_not "$line")" ] || continue
    while [ "$(jobs -pr | wc -l)" -ge "$JOBS" ]; do wait -n || true; done
    # shellcheck disable=SC2086
    run_case $line &
  done
  wait
}

clean_up() {
  local pid
  for pid in $(jobs -pr); do kill -TERM -- "-$pid" 2>/dev/null; done
  rm -rf "$dir"
}

# tell_forgeries NAME: a line for each kind of forged record
tell_forgeries() {
  local line what
  while IFS= read -r line; do
    what="$1: ${line%%:*}"
    case $line in
      *'stuck 0, wrong 0,'*) ok "$what" "${line#*: }" ;;
      *) not_ok "$what" "${line#*: }" ;;
    esac
  done < <(grep '^bogus ' "$dir/$1.out")
}

tell_case() {
  local name=$1 status sums
  status=$(cat "$dir/$name.status" 2>/dev/null || echo none)
  sums=$(grep '^sessions ' "$dir/$name.out" | tail -1)
  tell_forgeries "$name"
  if [ "$status" = 0 ] && [ -n "$sums" ]; then
    ok "$name" "$sums, $(tail -1 "$dir/$name.out" | grep -o '[0-9.]* s$')"
  else
    not_ok "$name" "exit status $status"
    grep -v '^bogus ' "$dir/$name.out" | tail -n 20 | sed 's/^/  | /'
  fi
}

tell_cases() {
  local line why
  for line in "${cases[@]}"; do
    why=$(case_why_not "$line")
    if [ -z "$why" ]; then
      tell_case "${line%% *}"
    else
      net_count=$((net_count + 1))
      echo "ok $net_count - ${line%% *} # SKIP $why"
    fi
  done
  echo "1..$net_count"
}

# select_cases NAME...: leaves those in $cases
select_cases() {
  local name line found=()
  for name in "$@"; do
    if ! line=$(printf '%s\n' "${cases[@]}" | grep "^$name "); then
      echo "run.sh: there is no case $name, but: ${cases[*]%% *}" >&2
      exit 2
    fi
    found+=("$line")
  done
  cases=("${found[@]}")
}

main() {
  local why
  [ $# -eq 0 ] || select_cases "$@"
  why=$(kernel_why_not)
  [ -z "$why" ] || skip_all "$why"
  [ -x "$KERNEL_TARGET" ] || { echo "not ok 1 - $KERNEL_TARGET is not built"; exit 1; }
  dir=$(mktemp -d "${TMPDIR-/tmp}/tcpcopy-kernel.XXXXXX")
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  begin_cases
  tell_cases
  [ "$net_failed" -eq 0 ]
}

main "$@"
