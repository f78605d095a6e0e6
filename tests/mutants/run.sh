#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/mutants/run.sh [OPTION...] [NAME...]: seeds one small fault after the other into the cores and
# looks whether a test finds it. *.mutants beside this file hold the faults (README.md says how they
# are written); a NAME is that of a mutant, of a source file or of a list. Without one: all.
#   --jobs N        at a time (as many as there are processors)
#   --only PATTERN  only by these tests, 'tests/sim/*' for example
#   --check         only tells whether each mutant still fits the sources
#
# Everything is built once, with sanitizers, in build/mutants/base. Each worker has a copy of that:
# a changed file is put into it, where make finds it before the true one, so that one object is
# compiled and one test after the other linked again, until one fails. The sources are not touched.
#
# A line of TAP for each mutant says which test caught it; the last line is
# "N of M mutants caught (P %)". Exit status: 0 from 90 % on, 1 below or if a mutant is no good (its
# old text is not there exactly once, or it does not compile), 2 for wrong usage.
# BUILD, another directory than build/mutants, may be given in the environment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
BUILD=${BUILD-$top/build/mutants}
wanted_percent=90
unit_seconds=20

# What is tried after the unit programs, in this order: seconds at most, program (also its target
# of make), arguments. It says "not ok ..." or fails. What make does not know is left out.
beyond=(
  '60 tests/sim/sim --seeds 1-60'
  '120 tests/scripts/run'
)

# first_units FILE: the unit programs (patterns) that know a file best; all others follow.
first_units() {
  local base
  base=$(basename "${1%.[ch]}")
  case $1 in
    common/seq.h) echo 'bytes session_loss' ;;
    tcpcopy/port_table.c) echo 'mapping' ;;
    tcpcopy/turn.c) echo 'turn gate join' ;;
    tcpcopy/half_open.c) echo 'join replay' ;;
    tcpcopy/session_gate.c) echo 'gate join session* copies' ;;
    tcpcopy/session*.c) echo 'session* gate join replay online*' ;;
    tcpcopy/online.c | tcpcopy/online_gap.c | tcpcopy/online_time.c | tcpcopy/online_usual.c) echo 'online* gate join session*' ;;
    tcpcopy/replay*.c) echo 'replay copies join online* session*' ;;
    *) echo "$base*" ;;
  esac
}

# ---- mutants ------------------------------------------------------------------------------------

mutants=()
declare -A file_of why_of list_of old_of new_of

die() {
  echo "run.sh: $1" >&2
  exit 2
}

# Of one list into the arrays above; a line of a patch keeps its mark.
read_list() {
  local list=$1 name='' line at=0
  while IFS= read -r line; do
    at=$((at + 1))
    case $line in
      'mutant '*)
        name=${line#mutant }
        [ -z "${file_of[$name]+x}" ] || die "$list:$at: there is another mutant $name"
        mutants+=("$name")
        file_of[$name]='' why_of[$name]='' old_of[$name]='' new_of[$name]=''
        list_of[$name]=${list##*/}
        ;;
      'file '*) file_of[$name]=${line#file } ;;
      'why '*) why_of[$name]+="${why_of[$name]:+ }${line#why }" ;;
      '-'*) old_of[$name]+=${line#-}$'\n' ;;
      '+'*) new_of[$name]+=${line#+}$'\n' ;;
      ' '*) old_of[$name]+=${line# }$'\n' new_of[$name]+=${line# }$'\n' ;;
      '' | '#'*) ;;
      *) die "$list:$at: \"$line\" is neither mutant, file, why nor a line of a patch" ;;
    esac
  done <"$list"
}

read_lists() {
  local list name
  for list in "$here"/*.mutants; do
    read_list "$list"
  done
  for name in "${mutants[@]}"; do
    [ -n "${file_of[$name]}" ] && [ -n "${why_of[$name]}" ] && [ -n "${old_of[$name]}" ] ||
      die "$name (${list_of[$name]}) needs file, why and lines of a patch"
  done
}

# Prints the changed file; sets line, the first that differs. 1 with a message if the old text is not
# there exactly once.
line=0
mutate() {
  local name=$1 file=$top/${file_of[$1]} source old new i j places=() same=0
  [ -r "$file" ] || { echo "there is no ${file_of[$name]}"; return 1; }
  mapfile -t source <"$file"
  mapfile -t old < <(printf '%s' "${old_of[$name]}")
  mapfile -t new < <(printf '%s' "${new_of[$name]}")
  for ((i = 0; i + ${#old[@]} <= ${#source[@]}; i++)); do
    for ((j = 0; j < ${#old[@]}; j++)); do
      [ "${source[i + j]}" = "${old[j]}" ] || continue 2
    done
    places+=("$i")
  done
  if [ "${#places[@]}" -ne 1 ]; then
    echo "${file_of[$name]} has its old text ${#places[@]} times instead of once:" \
      "adapt it in ${list_of[$name]}"
    return 1
  fi
  i=${places[0]}
  while [ "$same" -lt "${#old[@]}" ] && [ "${old[same]}" = "${new[same]-}" ]; do
    same=$((same + 1))
  done
  line=$((i + same + 1))
  source=("${source[@]:0:i}" "${new[@]}" "${source[@]:i+${#old[@]}}")
  printf '%s\n' "${source[@]}"
}

# ---- tests --------------------------------------------------------------------------------------

# limit SECONDS COMMAND...: as the tests of make check run, and with no more memory than they need
limit() {
  srcdir=$top CMOCKA_MESSAGE_OUTPUT=STDOUT ASAN_OPTIONS=detect_leaks=1:hard_rss_limit_mb=2000 \
    timeout -k 5 "$@" </dev/null
}

# what_failed STATUS OUTPUT: the case that failed and, if it did not say so itself, how it ended
what_failed() {
  local failed last how
  # cmocka names a case before and after it; TAP comes from all others.
  failed=$(sed -n 's/^\[  FAILED  \] //p; s/^not ok [0-9]* *-* *//p' "$2" | head -n 1)
  if [ -n "$failed" ]; then
    echo "$failed"
    return
  fi
  last=$(sed -n 's/^\[ RUN      \] //p; s/^ok [0-9]* *-* */after /p' "$2" | tail -n 1)
  how=$(sed -n 's/.*Assertion `\(.*\)'\'' failed\.$/assert(\1)/p; s/.*runtime error: //p
    s/.*ERROR: \([A-Z][a-z]*Sanitizer: [A-Za-z -]*[a-z]\).*/\1/p' "$2" | head -n 1)
  case $1 in
    124 | 137) how=time-out ;;
    *) how=${how:-exit status $1} ;;
  esac
  echo "${last:-its start} ($how)"
}

# all_programs: of the build directory, one a line, as "SECONDS PROGRAM ARGUMENT..."
all_programs() {
  local source entry program
  {
    for source in "$top"/tests/unit/test_*.c; do
      echo "$unit_seconds tests/unit/$(basename "$source" .c)"
    done
    printf '%s\n' "${beyond[@]}"
  } | while read -r entry; do
    program=${entry#* }
    program=${program%% *}
    # shellcheck disable=SC2053 # a pattern
    if [[ $program == $only ]] && grep -q "^$program\\\$(EXEEXT):" "$BUILD/base/Makefile"; then
      echo "$entry"
    fi
  done
}

# order_for FILE: the programs that passed without a mutant, those first that know FILE best
order_for() {
  local pattern entry name programs
  declare -A seen=()
  mapfile -t programs <"$BUILD/programs"
  for pattern in $(first_units "$1") '*'; do
    for entry in "${programs[@]}"; do
      name=${entry#* tests/unit/test_}
      # shellcheck disable=SC2053 # a pattern
      [[ $name == $pattern && -z ${seen[$entry]+x} ]] || continue
      seen[$entry]=1
      echo "$entry"
    done
  done
}

# ---- building -----------------------------------------------------------------------------------

build_base() {
  mkdir -p "$BUILD/base" || exit 1
  cd "$top" || exit 1
  if [ ! -x configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
    ./autogen.sh >"$BUILD/autogen.log" 2>&1 || {
      tail -n 20 "$BUILD/autogen.log"
      echo 'Bail out! autogen.sh fails'
      exit 1
    }
  fi
  cd "$BUILD/base" || exit 1
  if [ ! -e Makefile ] || [ "$top/configure" -nt Makefile ]; then
    "$top/configure" -q --enable-sanitizers CC="${CC-gcc}" CFLAGS='-O1 -g' >configure.log 2>&1 || {
      tail -n 20 configure.log
      echo "Bail out! configure fails in $BUILD/base"
      exit 1
    }
  fi
  all_programs >"$BUILD/candidates"
  if ! sed 's/^[0-9]* //; s/ .*//' "$BUILD/candidates" | xargs make -j"$jobs" >build.log 2>&1; then
    tail -n 20 build.log
    echo "Bail out! the sources do not build"
    exit 1
  fi
}

# Only what passes without a fault can tell of one; a test that skips itself cannot.
try_base() {
  local entry status
  : >"$BUILD/programs"
  while read -r entry; do
    # shellcheck disable=SC2086 # words
    limit $entry >test.log 2>&1
    status=$?
    case $status in
      0) echo "$entry" >>"$BUILD/programs" ;;
      77) ;;
      *)
        tail -n 20 test.log
        echo "Bail out! ${entry#* } fails without a mutant: $(what_failed $status test.log)"
        exit 1
        ;;
    esac
  done <"$BUILD/candidates"
}

make_workers() {
  local i
  rm -rf "$BUILD"/worker-* "$BUILD/results"
  mkdir "$BUILD/results"
  for ((i = 0; i < jobs; i++)); do
    cp -a "$BUILD/base" "$BUILD/worker-$i" || exit 1
  done
}

# objects_of FILE: those that are made from it or include it, without their suffix
objects_of() {
  grep -rlE --include='*.Po' "/${1//./\\.}( |:|\$)" "$BUILD/base" |
    sed "s|^$BUILD/base/||; s|\\.deps/||; s|\\.Po\$||"
}

# ---- one mutant ---------------------------------------------------------------------------------

# Tries the programs one after the other. 0 if one found it: verdict says which; 1: none; 2: error.
verdict=
hunt() {
  local entry program status
  while read -r entry; do
    program=${entry#* }
    program=${program%% *}
    if ! make -s "$program" >make.log 2>&1; then
      verdict="does not compile: $(grep -m 1 'error' make.log)"
      return 2
    fi
    # The same program as without the mutant: it does not hold that object.
    cmp -s "$program" "$BUILD/base/$program" && continue
    # shellcheck disable=SC2086 # words
    limit $entry >test.log 2>&1
    status=$?
    [ $status -eq 0 ] && continue
    program=${program#tests/}
    verdict="${program#unit/}: $(what_failed $status test.log)"
    return 0
  done < <(order_for "$1")
  return 1
}

# In worker-SLOT; the worker is as before when it is done.
try_one() {
  local name=$1 file=${file_of[$1]} objects object result said
  cd "$BUILD/worker-$SLOT" || exit 1
  if ! mutate "$name" >mutated; then
    said="not ok - mutant $name: $(cat mutated)"
    echo error >"$BUILD/results/$name"
    echo "$said"
    return
  fi
  mv mutated "$file"
  objects=$(objects_of "$file")
  for object in $objects; do rm -f "$object.o"; done
  hunt "$file"
  case $? in
    0) result=caught said="ok - mutant $name: caught by $verdict" ;;
    1) result=survived said="not ok - mutant $name: survives, $file:$line: ${why_of[$name]}" ;;
    *) result=error said="not ok - mutant $name: $verdict" ;;
  esac
  rm "$file"
  for object in $objects; do
    cp "$BUILD/base/$object.o" "$object.o"
    cp "$BUILD/base/$(dirname "$object")/.deps/$(basename "$object").Po" \
      "$(dirname "$object")/.deps/$(basename "$object").Po"
  done
  echo "$result" >"$BUILD/results/$name"
  echo "$said"
}

# ---- all ----------------------------------------------------------------------------------------

# chosen NAME...: the mutants that are meant
chosen() {
  local wanted name found
  for wanted in "$@"; do
    found=0
    for name in "${mutants[@]}"; do
      case $wanted in
        "$name" | "${file_of[$name]}" | "${file_of[$name]##*/}" | "${list_of[$name]%.mutants}")
          echo "$name"
          found=1
          ;;
      esac
    done
    [ $found -eq 1 ] || die "there is no mutant, file or list $wanted"
  done
}

count() { grep -lx "$1" "$BUILD"/results/* 2>/dev/null | wc -l; }

# check NAMES: whether each can be seeded; 1 if one cannot
check() {
  local name said status=0
  while read -r name; do
    # The changed file on success, otherwise why not.
    if said=$(mutate "$name"); then continue; fi
    echo "not ok - mutant $name: $said"
    status=1
  done <<<"$1"
  [ $status -ne 0 ] || echo "ok - $(wc -l <<<"$1") mutants fit the sources"
  return $status
}

main() {
  local names caught errors percent only='*' only_check=0
  read_lists
  if [ "${1-}" = --one ]; then # a worker, called by main
    try_one "$2"
    return
  fi
  jobs=$(nproc 2>/dev/null || echo 2)
  while [ $# -gt 0 ]; do
    case $1 in
      --jobs)
        [[ ${2-} =~ ^[1-9][0-9]*$ ]] || die '--jobs needs a number'
        jobs=$2
        shift 2
        ;;
      --only)
        only=${2:?--only needs a pattern}
        shift 2
        ;;
      --check)
        only_check=1
        shift
        ;;
      -*)
        sed -n '3,17p' "$0" | sed 's/^# \{0,1\}//' >&2
        exit 2
        ;;
      *) break ;;
    esac
  done
  if [ $# -gt 0 ]; then names=$(chosen "$@"); else names=$(printf '%s\n' "${mutants[@]}"); fi || exit 2
  names=$(sort -u <<<"$names")
  if [ $only_check -eq 1 ]; then
    check "$names"
    return
  fi
  (build_base && try_base) || exit 1
  make_workers
  echo "1..$(wc -l <<<"$names")"
  BUILD=$BUILD xargs -P "$jobs" -n 1 --process-slot-var=SLOT "$0" --one <<<"$names"
  caught=$(count caught)
  errors=$(count error)
  percent=$((caught * 100 / $(wc -l <<<"$names")))
  echo "$caught of $(wc -l <<<"$names") mutants caught ($percent %)"
  [ "$percent" -ge $wanted_percent ] && [ "$errors" -eq 0 ]
}

main "$@"
