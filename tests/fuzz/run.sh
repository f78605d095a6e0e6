#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fuzz targets (libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer): builds and runs them.
#
#   tests/fuzz/run.sh SECONDS [TARGET...]    each target for so long, all if none is named
#   tests/fuzz/run.sh planted [NAME...]      the bugs in planted/, which its target must find
#   tests/fuzz/run.sh repeat TARGET FILE     one input; with FUZZ_TRACE=1 the world tells its story
#   tests/fuzz/run.sh minimize TARGET DIR... what the corpus lacks of these inputs goes into it
#
# Needs clang and its runtime libraries (Debian: clang libclang-rt-14-dev; llvm for readable
# traces). Everything is built in build/fuzz, from the lists of sources in Makefile.am. Prints TAP;
# a target that does not make 5,000 runs for each of its seconds (at most 300,000) in four times its
# time fails, for a slow target finds nothing. Findings are kept in build/fuzz/findings.
set -u
cd "$(dirname "$0")/../.." || exit 99

targets=(packet tcp_option neighbour link_tcpcopy link_intercept records session)
build=build/fuzz
clang=${CLANG:-clang}
runs_a_second=5000
runs_enough=300000
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=1:malloc_context_size=6:quarantine_size_mb=16}

sanitize=("-fsanitize=address,undefined" -fno-sanitize-recover=all)
flags=(-std=c11 -D_GNU_SOURCE -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow
  -Wstrict-prototypes -Werror "${sanitize[@]}")
# What comparisons ask for helps with magic numbers and costs much: only where the input is raw.
raw=(-fsanitize=fuzzer-no-link)
lean=("-fsanitize-coverage=inline-8bit-counters,pc-table")

status=0
ok() { echo "ok - $*"; }
not_ok() { status=1; echo "not ok - $1"; }

# ---- what a target is made of ----

# sources_of ROOM...: the files of their cores
sources_of() {
  local room
  for room in "$@"; do
    awk -v name="${room}_libcore_a_SOURCES" '
      $1 == name && $2 == "=" { inside = 1; $1 = $2 = "" }
      inside { more = sub(/\\$/, ""); for (i = 1; i <= NF; i++) if ($i ~ /\.c$/) print $i }
      inside && !more { inside = 0 }' Makefile.am
  done
}

kind_of() { case $1 in packet | tcp_option | neighbour) echo raw ;; *) echo lean ;; esac; }

max_len_of() {
  case $1 in
    tcp_option) echo 80 ;;
    packet | records) echo 300 ;;
    *) echo 400 ;;
  esac
}

dictionary_of() { [ ! -e "tests/fuzz/$1.dict" ] || echo "-dict=tests/fuzz/$1.dict"; }

rooms_of() {
  case $1 in
    packet | tcp_option | neighbour) echo common ;;
    link_intercept) echo common intercept ;;
    *) echo common tcpcopy ;;
  esac
}

files_of() {
  # shellcheck disable=SC2046
  sources_of $(rooms_of "$1")
  echo "tests/fuzz/fuzz_$1.c"
  case $1 in
    session) ls tests/fuzz/world*.c tests/fuzz/step_mutator.c ;;
    records) ls tests/fuzz/world*.c ;;
  esac
}

link_flags_of() {
  case $1 in
    session | records)
      echo -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc ;;
  esac
}

# ---- building ----

object_of() { echo "$build/obj-$1/${2%.c}.o"; }

# compile KIND SOURCE OBJECT [DIRECTORY]: with the headers of the tree
compile() {
  local kind=$1 coverage=("${lean[@]}")
  [ "$kind" != raw ] || coverage=("${raw[@]}")
  mkdir -p "$(dirname "$3")"
  "$clang" "${flags[@]}" "${coverage[@]}" -I"${4-.}" -I. -c -o "$3" "$2"
}

# is_old OBJECT SOURCE
is_old() {
  [ ! -e "$1" ] || [ "$2" -nt "$1" ] || [ "$newest_header" -nt "$1" ] ||
    [ tests/fuzz/run.sh -nt "$1" ]
}

# build_target TARGET: build/fuzz/TARGET
build_target() {
  local target=$1 kind file object objects=() running=0 failed=0
  kind=$(kind_of "$target")
  # shellcheck disable=SC2012
  newest_header=$(ls -t common/*.h tcpcopy/*.h intercept/*.h tests/fuzz/*.h | head -n 1)
  for file in $(files_of "$target"); do
    object=$(object_of "$kind" "$file")
    objects+=("$object")
    is_old "$object" "$file" || continue
    compile "$kind" "$file" "$object" &
    running=$((running + 1))
    [ $running -lt 2 ] || { wait -n || failed=1; running=$((running - 1)); }
  done
  while [ $running -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
  done
  [ $failed -eq 0 ] && link_target "$target" "$build/$target" "${objects[@]}"
}

link_target() {
  local target=$1 out=$2
  shift 2
  # shellcheck disable=SC2046
  "$clang" "${sanitize[@]}" -fsanitize=fuzzer $(link_flags_of "$target") -o "$out" "$@"
}

# ---- running ----

# fuzz BINARY TARGET SECONDS RUNS LOG WORK FINDINGS: until one of both is reached; RUNS -1: no limit
fuzz() {
  mkdir -p "$6" "$7"
  # shellcheck disable=SC2046
  timeout -k 5 $(($3 + 120)) "$1" -max_total_time="$3" -runs="$4" -max_len="$(max_len_of "$2")" \
    $(dictionary_of "$2") -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$7/" "$6" \
    "tests/fuzz/corpus/$2" >"$5" 2>&1
}

runs_in() { sed -n 's/^stat::number_of_executed_units: *//p' "$1" | tail -n 1; }

# What was violated, as one line.
finding_in() {
  local signs='does not hold|runtime error:|ERROR: [A-Za-z]+(Sanitizer|Fuzzer)|Assertion'
  grep -m 1 -hE "$signs" "$1" | sed 's/^==[0-9]*== *//' | cut -c 1-150
}

show_finding() {
  local target=$1 log=$2
  local signs='does not hold|runtime error:|ERROR:|SUMMARY:|Assertion'
  grep -hE "$signs|^ +#[0-9]+ .*(common|tcpcopy|intercept|tests)/" "$log" | head -n 30 |
    sed 's/^/# /'
  sed -n "s|.*Test unit written to |# again: FUZZ_TRACE=1 tests/fuzz/run.sh repeat $target |p" \
    "$log"
}

run_target() {
  local target=$1 seconds=$2 log=$build/$1.log kept=$build/kept/$1 wanted runs more
  wanted=$((seconds * runs_a_second < runs_enough ? seconds * runs_a_second : runs_enough))
  if ! build_target "$target" >"$log" 2>&1; then
    not_ok "fuzz $target: does not build"
    sed 's/^/# /' "$log" | head -n 40
    return
  fi
  rm -rf "$kept"
  fuzz "$build/$target" "$target" "$seconds" -1 "$log" "$kept" "$build/findings/$target"
  runs=$(runs_in "$log")
  # A machine that is busy with something else gets more time.
  if [ -z "$(finding_in "$log")" ] && [ "${runs:-0}" -lt "$wanted" ]; then
    fuzz "$build/$target" "$target" $((3 * seconds)) $((wanted - ${runs:-0})) "$log" "$kept" \
      "$build/findings/$target"
    more=$(runs_in "$log")
    runs=$((${runs:-0} + ${more:-0}))
  fi
  if [ -n "$(finding_in "$log")" ]; then
    not_ok "fuzz $target: $(finding_in "$log")"
    show_finding "$target" "$log"
  elif [ "${runs:-0}" -lt "$wanted" ]; then
    not_ok "fuzz $target: ${runs:-0} runs, fewer than $wanted"
    tail -n 5 "$log" | cut -c 1-150 | sed 's/^/# /'
  else
    ok "fuzz $target: $runs runs, no finding ($(coverage_in "$log"))"
  fi
}

coverage_in() {
  grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$1" | tail -n 1 |
    sed 's/cov: \([0-9]*\) ft: \([0-9]*\) corp: \([0-9]*\)/\1 edges, \2 features, \3 inputs kept/'
}

# ---- planted bugs ----

# field NAME FILE: a line of planted/*
field() { sed -n "s/^$1: //p" "$2"; }

# plant BUG: a copy of its file, with the bug; exactly one line may differ
plant() {
  local bug=tests/fuzz/planted/$1 file copy changed
  file=$(field file "$bug")
  copy=$build/planted/$1/$file
  mkdir -p "$(dirname "$copy")"
  sed "$(field sed "$bug")" "$file" >"$copy" || return 1
  changed=$(diff "$file" "$copy" | grep -c '^>')
  if [ "$changed" -ne 1 ]; then
    echo "its sed expression changes $changed lines of $file instead of one"
    return 1
  fi
}

planted_bug() {
  local name=$1 bug=tests/fuzz/planted/$1 dir=$build/planted/$1 target file kind object objects=() f
  local log=$build/planted/$1.log started seconds
  target=$(field target "$bug") file=$(field file "$bug") seconds=$(field seconds "$bug")
  kind=$(kind_of "$target")
  mkdir -p "$build/planted"
  if ! build_target "$target" >"$log" 2>&1 || ! plant "$name" >"$log" 2>&1 ||
    ! compile "$kind" "$dir/$file" "$dir/bug.o" >"$log" 2>&1; then
    not_ok "planted $name: cannot be built: $(head -n 1 "$log")"
    return
  fi
  object=$(object_of "$kind" "$file")
  for f in $(files_of "$target"); do
    f=$(object_of "$kind" "$f")
    [ "$f" = "$object" ] && f=$dir/bug.o
    objects+=("$f")
  done
  link_target "$target" "$dir/$target" "${objects[@]}" || return
  rm -rf "$dir/work"
  started=$SECONDS
  fuzz "$dir/$target" "$target" "$seconds" -1 "$log" "$dir/work" "$dir/findings"
  if [ -n "$(finding_in "$log")" ]; then
    ok "planted $name: $target finds it in $((SECONDS - started)) s, $(runs_in "$log") runs:" \
      "$(finding_in "$log")"
  else
    not_ok "planted $name: $target does not find it in $seconds s ($(field what "$bug"))"
  fi
}

# ---- which part ----

usage() {
  sed -n '3,8p' "$0" | sed 's/^# \{0,1\}//' >&2
  echo "targets: ${targets[*]}" >&2
  exit 2
}

is_target() {
  local t
  for t in "${targets[@]}"; do [ "$t" = "$1" ] && return; done
  echo "run.sh: there is no target $1" >&2
  usage
}

# The runtime libraries are a package of their own.
can_fuzz() {
  local dir
  dir=$(mktemp -d) || exit 99
  printf '#include <stddef.h>\nint LLVMFuzzerTestOneInput(const void *p, size_t n);\n%s\n' \
    'int LLVMFuzzerTestOneInput(const void *p, size_t n) { return !p && n; }' >"$dir/t.c"
  "$clang" "${sanitize[@]}" -fsanitize=fuzzer -o "$dir/t" "$dir/t.c" >"$dir/log" 2>&1
  local rc=$?
  rm -rf "$dir"
  return $rc
}

main() {
  local part=${1-} t
  [ $# -gt 0 ] || usage
  shift
  if ! can_fuzz; then
    echo "ok - fuzz # SKIP $clang has no libFuzzer: apt-get install clang libclang-rt-14-dev"
    exit 77
  fi
  mkdir -p "$build"
  case $part in
    planted)
      [ $# -gt 0 ] || mapfile -t t < <(ls tests/fuzz/planted)
      for t in "${t[@]}" "$@"; do [ -z "$t" ] || planted_bug "$t"; done
      ;;
    repeat)
      [ $# -eq 2 ] || usage
      is_target "$1"
      build_target "$1" && exec "$build/$1" "$2"
      status=1
      ;;
    minimize)
      [ $# -ge 2 ] || usage
      is_target "$1"
      t=$1
      shift
      build_target "$t" && "$build/$t" -set_cover_merge=1 -use_counters=0 -use_cmp=0 \
        -max_len="$(max_len_of "$t")" "tests/fuzz/corpus/$t" "$@" || status=1
      ;;
    *[!0-9]* | 0) usage ;;
    *)
      [ $# -gt 0 ] || set -- "${targets[@]}"
      for t in "$@"; do is_target "$t"; done
      for t in "$@"; do run_target "$t" "$part"; done
      ;;
  esac
  exit $status
}

main "$@"
