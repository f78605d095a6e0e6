#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sudo tests/bench/run.sh [OPTION...] [CASE...]: what the copy delivers and what it costs.
#
#   CASE                a case, or how the names of several begin (keepalive); without: all, in some four minutes
#   --list              the cases
#   --repeat N          each case N times, in turns: medians and spread (1; for the record 5)
#   --compare BUILD     the programs of another build directory too, run by run in turns (--repeat 3)
#   --rows FILE         keeps what was measured, for tests/bench/table.py
#   --instructions      instead: instructions a request in user space, by callgrind
#   --system-calls      instead: system calls a request, and the processor time of each
#   --memory SESSIONS   instead: anonymous memory at the start, of an idle session and of a route
#
# Processor time is stated in floors: what the kernel alone asks for one packet to the target on this
# machine in this run (floor.c). Exit status 1 if a case did not deliver everything, or its copy did not
# end within a second of the load. SCALE=0.1 runs a tenth of the requests, KEEP=1 keeps the files of the
# last case, BUILD is the directory of the programs. Beside other work: nice -n -10 tests/bench/run.sh.
# docs/performance.md has more; so have tests/bench/micro.py and tests/bench/growth.py.
set -u
cd "$(dirname "$0")/../.." || exit 1
scale=${SCALE-1}
mode=times repeat='' other='' rows='' sessions=''
words=()

# shellcheck source=tests/bench/cases.inc
. tests/bench/cases.inc

about() { about=$1; }
sampled() { every=$1; }
counted() { is_counted=1 counted_args=("$@"); }
with() {
  service=$1 requests=$(awk "BEGIN { print int($2 * $scale) }")
  load_args=("${@:3}")
}

# case_is NAME: what cases.inc says of it, in variables
case_is() {
  name=$1 every=1 is_counted='' counted_args=()
  "case_${1//-/_}"
}

usage() {
  sed -n '3,18p' "$0" | sed 's/^# \{0,1\}//' >&2
  exit 2
}

list_cases() {
  for c in "${all_cases[@]}"; do
    case_is "$c"
    printf '%-23s%s\n' "$name" "$about"
  done
}

# chosen WORD...: the cases of that name, or those that begin so
chosen() {
  local word
  [ $# -gt 0 ] || set -- ''
  for word in "$@"; do
    printf '%s\n' "${all_cases[@]}" | grep -x -- "$word" ||
      printf '%s\n' "${all_cases[@]}" | grep "^$word" || return 1
  done
}

is_count() { [[ $1 =~ ^[1-9][0-9]{0,6}$ ]]; }

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --list) mode=list ;;
      --instructions) mode=instructions ;;
      --system-calls) mode=calls ;;
      --repeat | --compare | --rows | --memory)
        [ $# -gt 1 ] || usage
        case $1 in
          --repeat) repeat=$2 ;;
          --compare) mode=compare other=$2 ;;
          --rows) rows=$2 ;;
          --memory) mode=memory sessions=$2 ;;
        esac
        shift
        ;;
      -*) usage ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  [ -n "$repeat" ] || if [ "$mode" = compare ]; then repeat=3; else repeat=1; fi
  is_count "$repeat" || usage
  [ -z "$sessions" ] || is_count "$sessions" || usage
}

# missing_program: the first program that the case needs and that is not there, if there is one
missing_program() {
  local needs=${service}_programs program
  for program in ${!needs}; do
    command -v "$program" >/dev/null || { echo "$program"; return 0; }
  done
  return 1
}

build() {
  tests/setup.sh test || exit 1
  mkdir -p build/gcc
  if ! (
    { [ -x configure ] || ./autogen.sh; } && cd build/gcc &&
      { [ -e Makefile ] || ../../configure -q; } && make -j"$(nproc)" tcpcopy/tcpcopy intercept/intercept net-tools
  ) >build/bench.log 2>&1; then
    tail -20 build/bench.log
    exit 1
  fi
}

# use BUILD_DIRECTORY: its programs are copied with from now on
use() { TCPCOPY=$1/tcpcopy/tcpcopy INTERCEPT=$1/intercept/intercept; }

# builds_of RUN: in which order; the one that was last is first in the next run
builds_of() {
  if [ "$mode" != compare ]; then echo this; elif [ $(($1 % 2)) = 1 ]; then echo this other; else echo other this; fi
}

times_of_case() {
  local b
  for b in $(builds_of "$1"); do
    if [ "$b" = this ]; then use "$BUILD"; else use "$other"; fi
    measure_case "$b"
  done
}

# run_case NAME RUN: lines of JSON
run_case() {
  local missing
  case_is "$1"
  if missing=$(missing_program); then
    echo "$1: skipped, $missing is not installed" >&2
    return
  fi
  if [ "$mode" = instructions ] && [ -z "$is_counted" ]; then
    [ "$2" != 1 ] || echo "$1: not counted, callgrind is too slow for it" >&2
    return
  fi
  [ "$repeat" = 1 ] && echo "$1: $about ..." >&2 || echo "$1: run $2 of $repeat ..." >&2
  case $mode in
    instructions) count_instructions ;;
    calls) count_calls ;;
    *) times_of_case "$2" ;;
  esac
}

# is_in_floors: what is measured is processor time
is_in_floors() { [ "$mode" != instructions ]; }

# All cases in turns; the floor before, between and after.
run_all() {
  local i c
  ! is_in_floors || measure_floor 2
  for ((i = 1; i <= repeat; i++)); do
    for c in $cases; do run_case "$c" "$i"; done
    ! is_in_floors || measure_floor 1
  done
}

needs_program() {
  command -v "$1" >/dev/null || { echo "bench: $1 is not installed" >&2; exit 77; }
}

parse "$@"
if [ "$mode" = list ]; then
  list_cases
  exit 0
fi
cases=$(chosen "${words[@]}") || usage
[ -n "${BUILD-}" ] || build

# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
# shellcheck source=tests/net/kv.inc
. tests/net/kv.inc
# shellcheck source=tests/net/sql.inc
. tests/net/sql.inc
# shellcheck source=tests/bench/services.inc
. tests/bench/services.inc
# shellcheck source=tests/bench/measure.inc
. tests/bench/measure.inc
# shellcheck source=tests/bench/count.inc
. tests/bench/count.inc

why=$(net_why_not)
[ -z "$why" ] || { echo "bench: $why" >&2; exit 77; }
case $mode in
  instructions) needs_program valgrind ;;
  compare) [ -x "$other/tcpcopy/tcpcopy" ] || { echo "bench: there is no $other/tcpcopy/tcpcopy" >&2; exit 2; } ;;
esac
net_start
has_programs
if [ "$mode" = memory ]; then
  memory_at_start
  tests/bench/growth.py memory "$sessions"
  exit
fi
run_all >"$net_dir/rows"
[ -z "$rows" ] || cp "$net_dir/rows" "$rows"
case $mode in
  compare) tests/bench/table.py compare ;;
  times) tests/bench/table.py show ;;
  instructions | calls) tests/bench/table.py "$mode" ;;
esac <"$net_dir/rows"
