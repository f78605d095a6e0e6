#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sudo ./test.sh [PART...]: installs what is missing, builds, tests. The last line is
# "N passed, N failed, N skipped"; the exit status is 0 if nothing failed.
#
#   unit       build with gcc, unit tests
#   sanitize   the same tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   clang      build with clang, a warning is an error; unit tests
#   lint       shell and Python syntax, the bench's arithmetic, cppcheck where it is installed
#   dist       make distcheck
#   sim        tests/sim: the cores in a simulated world, with every fault by seed
#   kernel     tests/kernel: the cores against Linux's own TCP, on a TUN device; needs root
#   net        tests/net: the real programs and servers in network namespaces; needs root
#   docker     tests/docker: the container image on a real engine, which it starts itself; needs root
#
#   fuzz [SECONDS]   tests/fuzz: every target for so long (60), then the planted bugs
#   threads          tests/net/workers.sh under ThreadSanitizer; needs root
#   mutants          tests/mutants: seeded faults, and which test catches each
#   coverage         tests/coverage.sh: lines and branches of the cores
#
# The last four run only when they are named. ./test.sh net/loss net/harm runs single network tests.
# Everything is built in build/PART.
set -u
cd "$(dirname "$0")" || exit 1
parts=(unit sanitize clang lint dist sim kernel net docker)
jobs=$(nproc 2>/dev/null || echo 2)
passed=0 failed=0 skipped=0
fuzz_seconds=60

pass() { passed=$((passed + 1)); echo "ok - $1"; }
fail() { failed=$((failed + 1)); echo "not ok - $1"; }
skip() { skipped=$((skipped + 1)); echo "ok - $1 # SKIP $2"; }

show_end() { tail -n "${2-40}" "$1" | sed 's/^/  | /'; }

# count_tap GROUP FILE STATUS: adds the lines of a test program to the sums and shows them
count_tap() {
  local group=$1 file=$2 status=$3 line before=$failed cases=0
  while IFS= read -r line; do
    case $line in
      'ok '*'# SKIP'* | 'ok '*'# skip'*) skipped=$((skipped + 1)) ;;
      'ok '*) passed=$((passed + 1)) ;;
      'not ok '*) failed=$((failed + 1)) ;;
      *) continue ;;
    esac
    cases=$((cases + 1))
    echo "${line/ok /ok $group }"
  done <"$file"
  # A crash says nothing for itself.
  if { [ "$status" -ne 0 ] && [ "$status" -ne 77 ] && [ "$failed" -eq "$before" ]; } ||
    [ "$cases" -eq 0 ]; then
    fail "$group: exit status $status after $cases cases"
  fi
  [ "$failed" -eq "$before" ] || grep -Ev '^(ok|[0-9]+\.\.[0-9]+)' "$file" | tail -n 60 |
    sed 's/^/  | /'
}

# build DIR NAME [CONFIGURE ARGUMENT...]: everything, in build/DIR
build() {
  local dir=build/$1 name=$2
  shift 2
  mkdir -p "$dir"
  if [ ! -x configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
    if ! ./autogen.sh >build/autogen.log 2>&1; then
      fail "autogen.sh"
      show_end build/autogen.log
      return 1
    fi
  fi
  if (
    cd "$dir" || exit 1
    if [ ! -e Makefile ] || [ ../../configure -nt Makefile ]; then
      ../../configure -q "$@" || exit 1
    fi
    make -j"$jobs" all
  ) >"$dir/build.log" 2>&1; then
    pass "$name"
  else
    fail "$name"
    show_end "$dir/build.log"
    return 1
  fi
}

# unit_tests DIR GROUP: make check in build/DIR, then what each program said
unit_tests() {
  local dir=build/$1 group=$2 trs log status
  (cd "$dir" && rm -f tests/*/*.trs tests/*/*.log && make -k -j"$jobs" check) \
    >"$dir/check.log" 2>&1
  local found=0
  for trs in "$dir"/tests/*/*.trs; do
    [ -e "$trs" ] || continue
    found=1
    log=${trs%.trs}.log
    status=0
    grep -q '^:test-result: FAIL\|^:test-result: ERROR' "$trs" && status=1
    count_tap "$group $(basename "$trs" .trs):" "$log" $status
  done
  if [ $found -eq 0 ] || grep -q '^make.*Error' "$dir/check.log" &&
    ! grep -q '^# TOTAL' "$dir/check.log"; then
    fail "$group: make check"
    show_end "$dir/check.log"
  fi
}

part_unit() {
  build gcc "gcc builds without a warning" --enable-werror CC=gcc && unit_tests gcc unit
}

part_sanitize() {
  build sanitize "gcc builds with sanitizers" --enable-werror --enable-sanitizers CC=gcc \
    CFLAGS='-O1 -g' && unit_tests sanitize sanitize
}

part_clang() {
  if ! command -v clang >/dev/null; then
    skip "clang builds without a warning" "clang is not installed"
    return
  fi
  build clang "clang builds without a warning" --enable-werror CC=clang && unit_tests clang clang
}

part_lint() {
  local f out
  for f in autogen.sh demo.sh test.sh .ci/run completions/*.bash deploy/*.sh tests/*.sh tests/*/*.sh \
    tests/*/*.inc; do
    [ -e "$f" ] || continue
    if out=$(bash -n "$f" 2>&1); then pass "lint: $f"; else
      fail "lint: $f"
      sed 's/^/  | /' <<<"$out"
    fi
  done
  for f in tests/*/*.py; do
    if out=$(python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$f" 2>&1); then
      pass "lint: $f"
    else
      fail "lint: $f"
      sed 's/^/  | /' <<<"$out"
    fi
  done
  if out=$(PYTHONDONTWRITEBYTECODE=1 tests/bench/self_test.py 2>&1); then pass "lint: the bench counts right"; else
    fail "lint: the bench counts right"
    sed 's/^/  | /' <<<"$out"
  fi
  if out=$(tests/mutants/run.sh --check 2>&1); then pass "lint: the seeded mutants fit the sources"; else
    fail "lint: the seeded mutants fit the sources"
    grep '^not ok' <<<"$out" | sed 's/^/  | /'
  fi
  command -v cppcheck >/dev/null || return 0
  # Not seen by cppcheck: a struct that is filled through a pointer; an enum constant of unsigned type.
  if out=$(cppcheck --std=c11 -q --error-exitcode=1 -I. --enable=warning,portability \
    --suppress=uninitvar:common/endpoint.c --suppress=integerOverflow:common/slab.c \
    common tcpcopy intercept 2>&1); then
    pass "lint: cppcheck"
  else
    fail "lint: cppcheck"
    sed 's/^/  | /' <<<"$out"
  fi
}

part_dist() {
  build gcc "gcc builds, for make distcheck" --enable-werror CC=gcc || return
  if (cd build/gcc && make -j"$jobs" distcheck) >build/distcheck.log 2>&1; then
    pass "make distcheck"
  else
    fail "make distcheck"
    show_end build/distcheck.log 60
  fi
}

# net_test SCRIPT: one of tests/net, for three minutes at most; the log ends up in build/net-NAME.log, then the exit status
# in build/net-NAME.status
net_test() {
  local name
  name=$(basename "$1" .sh)
  timeout -k 10 180 "$1" >"build/net-$name.log" 2>&1
  echo $? >"build/net-$name.status"
}

# Adds the results of those that have ended since the last call; the names of the others stay in $net_running.
count_net_tests() {
  local name rest=()
  for name in "${net_running[@]}"; do
    if [ -e "build/net-$name.status" ]; then
      count_tap "net $name:" "build/net-$name.log" "$(cat "build/net-$name.status")"
    else
      rest+=("$name")
    fi
  done
  net_running=("${rest[@]}")
}

# Each test has hosts of its own and mostly waits, so two run at a time, but for those that measure time.
net_tests() {
  local script name
  net_running=()
  for script in "$@"; do
    name=$(basename "$script" .sh)
    rm -f "build/net-$name.status"
    if grep -q '^# Runs alone' "$script"; then
      wait
      count_net_tests
      net_test "$script"
      net_running+=("$name")
      count_net_tests
      continue
    fi
    [ "${#net_running[@]}" -lt 2 ] || wait -n
    count_net_tests
    net_test "$script" &
    net_running+=("$name")
  done
  wait
  count_net_tests
}

# The programs, and what the tests in network namespaces use.
net_tools() {
  build gcc "gcc builds, for the network tests" --enable-werror CC=gcc || return
  if ! make -C build/gcc net-tools >build/net-tools.log 2>&1; then
    fail "the tools of the network tests build"
    show_end build/net-tools.log
    return 1
  fi
}

part_net() {
  local script
  net_tools || return
  if [ "$(id -u)" -eq 0 ]; then net_tests "$@"; else
    for script in "$@"; do skip "net $(basename "$script" .sh)" "needs root"; done
  fi
}

# tool_test PART PROGRAM SECONDS: builds tests/PART/PROGRAM and runs tests/PART/run.sh
tool_test() {
  local part=$1 program=tests/$1/$2 seconds=$3 status
  build gcc "gcc builds, for tests/$part" --enable-werror CC=gcc || return
  if ! make -C build/gcc "$program" >"build/$part-tools.log" 2>&1; then
    fail "$program builds"
    show_end "build/$part-tools.log"
    return
  fi
  timeout -k 10 "$seconds" "tests/$part/run.sh" >"build/$part.log" 2>&1
  status=$?
  count_tap "$part:" "build/$part.log" $status
}

# script_test GROUP SCRIPT ARGUMENT...: a script that speaks TAP and builds what it needs
script_test() {
  local group=$1 status
  shift
  "$@" >"build/$group.log" 2>&1
  status=$?
  count_tap "$group:" "build/$group.log" $status
  tail -n 1 "build/$group.log" | grep -v '^\(not \)\?ok' | sed 's/^/  | /'
}

part_fuzz() {
  tests/setup.sh fuzz || { fail "installing what fuzzing needs"; return; }
  script_test fuzz tests/fuzz/run.sh "$fuzz_seconds"
  script_test planted tests/fuzz/run.sh planted
}

# A data race stands in build/threads/race.*.
part_threads() {
  local f
  build threads "gcc builds with ThreadSanitizer" --enable-werror CC=gcc \
    CFLAGS='-O1 -g -fsanitize=thread' || return
  if ! make -C build/threads net-tools >build/net-tools.log 2>&1; then
    fail "the tools of the network tests build"
    show_end build/net-tools.log
    return
  fi
  rm -f build/threads/race.*
  BUILD=$PWD/build/threads TSAN_OPTIONS="log_path=$PWD/build/threads/race" \
    script_test threads tests/net/workers.sh
  for f in build/threads/race.*; do
    [ -e "$f" ] || continue
    fail "threads: a data race"
    show_end "$f" 80
  done
}

part_mutants() { script_test mutants tests/mutants/run.sh; }

part_coverage() { script_test coverage tests/coverage.sh; }

part_docker() {
  local why
  if ! why=$(tests/setup.sh docker 2>&1); then
    skip "docker" "no engine can be installed: $(tail -n 1 <<<"$why")"
    return
  fi
  net_tools || return
  script_test docker timeout -k 30 400 tests/docker/run.sh
}

part_sim() { tool_test sim sim 600; }

part_kernel() { tool_test kernel kernel_target 300; }

all_net_tests() {
  local script
  for script in tests/net/*.sh; do
    [ "$(basename "$script")" = lib.sh ] || echo "$script"
  done
}

main() {
  local part wanted=("$@") script net=()
  [ "${#wanted[@]}" -gt 0 ] || wanted=("${parts[@]}")
  for part in "${wanted[@]}"; do
    case $part in
      unit | sanitize | clang | lint | dist | sim | kernel | net | docker) ;;
      fuzz | threads | mutants | coverage) ;;
      [1-9]*) fuzz_seconds=$part ;;
      net/*)
        script=tests/net/$(basename "$part" .sh).sh
        [ -x "$script" ] || { echo "test.sh: there is no $script" >&2; exit 2; }
        net+=("$script")
        ;;
      *)
        sed -n '3,21p' "$0" | sed 's/^# \{0,1\}//' >&2
        exit 2
        ;;
    esac
  done
  mkdir -p build
  tests/setup.sh test || { fail "installing what the tests need"; summary; }
  for part in "${wanted[@]}"; do
    case $part in
      net/* | [1-9]*) ;;
      net)
        mapfile -t net < <(all_net_tests)
        part_net "${net[@]}"
        net=()
        ;;
      *) "part_$part" ;;
    esac
  done
  [ "${#net[@]}" -eq 0 ] || part_net "${net[@]}"
  summary
}

summary() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

main "$@"
