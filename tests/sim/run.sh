#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The simulator's standing orders. BUILD: the directory with the built program (default: build/gcc).
#
# tests/sim/run.sh [SEEDS]              all, as TAP. Every line that fails says the command that repeats it.
#                                       SEEDS (1000): how many worlds of mixed faults
# tests/sim/run.sh table                what bad networks do to 1,000 sessions each: a Markdown table
# tests/sim/run.sh statistics [NUMBER]  what capture loss does to NUMBER (5000) sessions each: likewise
set -u
cd "$(dirname "$0")/../.." || exit 1
sim=${BUILD-build/gcc}/tests/sim/sim
requests=20 # of a session whose capture has losses
n=0 failed=0
[ -x "$sim" ] || {
  echo "Bail out! There is no $sim: make -C ${BUILD-build/gcc} tests/sim/sim"
  exit 1
}

# verdict BAD NAME: a line of TAP; BAD is 0 or a program's status
verdict() {
  n=$((n + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $n - $2"
  else
    failed=$((failed + 1))
    echo "not ok $n - $2"
  fi
}

# expect NAME ARGUMENT...: runs the simulator; its verdict and summary become a line of TAP
expect() {
  local name=$1 out
  shift
  if out=$("$sim" "$@" 2>&1); then
    verdict 0 "$name: $(tail -n 1 <<<"$out")"
  else
    verdict 1 "$name"
    tail -n 12 <<<"$out" | sed 's/^/# /'
  fi
}

# ---- bad networks ----

# Between tcpcopy and target, and target and intercept; a line each: LOSS REORDER DUP CORRUPT
networks() {
  local loss reorder dup corrupt
  for loss in 0 0.001 0.01 0.05 0.1 0.2 0.3; do
    for reorder in 0 0.1 0.3; do
      for dup in 0 0.05; do
        for corrupt in 0 0.01; do
          echo $loss $reorder $dup $corrupt
        done
      done
    done
  done
}

# network LOSS REORDER DUP CORRUPT: in the simulator's words
network() { echo --seed 1 --sessions 1000 --loss "$1" --reorder "$2" --dup "$3" --corrupt "$4"; }

check_network() {
  # shellcheck disable=SC2046 # several words
  expect "loss $1 reorder $2 dup $3 corrupt $4" $(network "$@")
}

# network_cell LOSS REORDER DUP CORRUPT: its figures, for the table
network_cell() {
  # shellcheck disable=SC2046 # several words
  "$sim" $(network "$@") --counts 2>&1 | tail -n 1 | tr ' ' '\n' |
    awk -F= '{ v[$1] = $2 }
      END { printf " %s / %s / %s / %s |", v["captured_requests"], v["delivered_requests"], v["stuck"], v["failures"] }'
}

network_table() {
  local loss reorder dup corrupt row='' last=''
  echo 'Requests captured / delivered / sessions stuck / oracle failures'
  echo
  echo '| loss | reorder | | corrupt 0.01 | dup 0.05 | dup 0.05, corrupt 0.01 |'
  echo -n '|---|---|---|---|---|---|'
  while read -r loss reorder dup corrupt; do
    row="| $loss | $reorder |"
    [ "$row" = "$last" ] || printf '\n%s' "$row"
    last=$row
    network_cell "$loss" "$reorder" "$dup" "$corrupt"
  done < <(networks)
  echo
}

# ---- losses of the capture ----

# A line each: OF P REJOIN; which packets may be missed, with which probability, and whether tcpcopy joins again
captures() {
  local p
  for p in 0.001 0.01 0.05; do
    echo request-loss $p rejoin
    echo request-loss $p no-rejoin
  done
  echo capture-loss 0.01 rejoin # pure acknowledgements and FINs too: no request depends on them
  echo capture-loss 0.01 no-rejoin
}

# capture SESSIONS OF P REJOIN: the simulator's figures, behind what it complains of
capture() {
  local how=()
  [ "$4" = rejoin ] || how=(--no-rejoin)
  "$sim" --seed 1 --sessions "$1" --requests $requests "--$2" "$3" "${how[@]}" --counts 2>&1
}

# calculate AS OF P REJOIN
calculate() {
  awk -v as="$1" -v of="$2" -v p="$3" -v joins="$([ "$4" = rejoin ] && echo 1 || echo 0)" -v requests=$requests \
    -f tests/sim/statistics.awk
}

check_capture() {
  local name="the capture misses: $1 $2 $3" out status bad text
  out=$(capture 5000 "$@")
  status=$?
  while read -r bad text; do
    verdict "$bad" "$name: $text"
  done < <(tail -n 1 <<<"$out" | calculate verdicts "$@")
  verdict $status "$name: the oracles"
  [ $status -eq 0 ] || head -n -1 <<<"$out" | sed 's/^/# /'
}

capture_table() {
  local sessions=$1
  echo "| missed | p | rejoining | sessions | complete | expected | z | requests captured | delivered | share \
| capture-gap, before-join | gaps made / in the ledger | wrong bytes |"
  echo '|---|---|---|---|---|---|---|---|---|---|---|---|---|'
  captures | while read -r of p rejoin; do
    capture "$sessions" "$of" "$p" "$rejoin" | tail -n 1 | calculate row "$of" "$p" "$rejoin"
  done
}

# ---- all of it ----

# hash_of SEED: of everything that happened in that world
hash_of() { "$sim" --mix --seed "$1" | grep -o 'trace [0-9a-f]*' | tail -n 1; }

check_hashes() {
  [ "$(hash_of 7)" = "$(hash_of 7)" ] && [ "$(hash_of 7)" != "$(hash_of 8)" ]
  verdict $? "the same seed gives the same trace, another seed another"
}

check_all() {
  local seeds=$1 what
  # All captured requests delivered, in order and once: judged by the simulator's oracles.
  expect "a good network: no gate settles" --seed 1 --sessions 20000
  expect "a lossy network both ways" \
    --seed 1 --sessions 20000 --loss 0.2 --reorder 0.3 --dup 0.05 --corrupt 0.01
  while read -r -a what; do check_network "${what[@]}"; done < <(networks)
  expect "capture loss" --seed 1 --sessions 2000 --capture-loss 0.01
  while read -r -a what; do check_capture "${what[@]}"; done < <(captures)
  expect "a fifth of the sessions, and gaps: all requests are in the account" \
    --seed 1 --sessions 2000 --requests $requests --request-loss 0.01 --sample 200000
  expect "50,000 new sessions a second, for two seconds" --seed 1 --sessions 100000 --requests 1 --arrival 20
  expect "one with 16 MB in hand, and 1,000 who ask" --seed 1 --sessions 1000 --requests 20 --bulk 16
  expect "the same, where packets are lost" \
    --seed 2 --sessions 1000 --requests 20 --bulk 16 --loss 0.01
  expect "one with 100 MB in hand, which the target takes slowly" \
    --seed 3 --sessions 100 --requests 20 --bulk 100 --memory 600000
  expect "200 new sessions a second" --seed 1 --sessions 2000 --rate 200
  expect "requests wait for no answer" --seed 1 --sessions 2000 --loss 0.1 --reorder 0.1 --no-wait
  expect "three copies of everything, a lossy network" --seed 1 --sessions 3000 --copies 3 --loss 0.1 --reorder 0.1
  expect "three copies, nothing lost" --seed 1 --sessions 3000 --copies 3
  expect "memory for a part of it" --seed 1 --sessions 5000 --loss 0.1 --memory 3000
  expect "clients that are far away" --seed 1 --sessions 2000 --loss 0.1 --reorder 0.1 --rtt 300
  for what in 1280 1400 700; do
    expect "the way takes $what bytes, routers say so" --seed 1 --sessions 2000 --path-mtu "$what"
    expect "the way takes $what bytes, nobody says so" --seed 1 --sessions 2000 --path-mtu "$what" --mute-path
  done
  expect "the way takes 1280 bytes, nobody says so, and it loses" \
    --seed 1 --sessions 2000 --path-mtu 1280 --mute-path --loss 0.2 --reorder 0.1
  expect "$seeds worlds of mixed faults" --mix --seeds "1-$seeds"
  expect "false records: safety" --lying-headers --seeds 1-200
  check_hashes
  echo "1..$n"
  [ $failed -eq 0 ]
}

case ${1-} in
  table) network_table ;;
  statistics) capture_table "${2-5000}" ;;
  *) check_all "${1-1000}" ;;
esac
