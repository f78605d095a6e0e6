#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sudo tests/bench/run.sh [--list] [CASE...]: what the copy delivers and what it costs.
#
#   CASE       a case, or how the names of several begin (keepalive); without: all, in some four minutes
#   --list     the cases
#
# Processor time is stated in floors: what the kernel alone asks for one packet to the target on this
# machine in this run (floor.c). Exit status 1 if a case did not deliver everything, or its copy did not
# end within a second of the load. SCALE=0.1 runs a tenth of the requests, KEEP=1 keeps the files of the
# last case, BUILD is the directory of the programs. Beside other work: nice -n -10 tests/bench/run.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
scale=${SCALE-1}

# shellcheck source=tests/bench/cases.inc
. tests/bench/cases.inc

about() { about=$1; }
sampled() { every=$1; }
with() {
  service=$1 requests=$(awk "BEGIN { print int($2 * $scale) }")
  load_args=("${@:3}")
}

# case_is NAME: what cases.inc says of it, in variables
case_is() {
  name=$1 every=1
  "case_${1//-/_}"
}

usage() {
  sed -n '3,11p' "$0" | sed 's/^# \{0,1\}//' >&2
  exit 2
}

list_cases() {
  for c in "${all_cases[@]}"; do
    case_is "$c"
    printf '%-18s%s\n' "$name" "$about"
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

if [ "${1-}" = --list ]; then
  list_cases
  exit 0
fi
cases=$(chosen "$@") || usage
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

why=$(net_why_not)
[ -z "$why" ] || { echo "bench: $why" >&2; exit 77; }
net_start
has_programs
floor=$(measure_floor)
for c in $cases; do
  case_is "$c"
  if missing=$(missing_program); then
    echo "$c: skipped, $missing is not installed" >&2
    continue
  fi
  echo "$c: $about ..." >&2
  measure_case >>"$net_dir/rows"
done
tests/bench/table.py show "$floor" <"$net_dir/rows"
