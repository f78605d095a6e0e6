#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/sim/run.sh [SEEDS]: the simulator's standing orders, as TAP. Every line that fails says the
# command that repeats it. SEEDS (1000): how many worlds of mixed faults. BUILD: the directory with
# the built program (default: build/gcc).
set -u
cd "$(dirname "$0")/../.." || exit 1
sim=${BUILD-build/gcc}/tests/sim/sim
seeds=${1-1000}
n=0 failed=0

# expect NAME ARGUMENT...: runs the simulator; its verdict and summary become a line of TAP
expect() {
  local name=$1 out
  shift
  n=$((n + 1))
  if out=$("$sim" "$@" 2>&1); then
    echo "ok $n - $name: $(tail -n 1 <<<"$out")"
  else
    failed=$((failed + 1))
    echo "not ok $n - $name"
    tail -n 12 <<<"$out" | sed 's/^/# /'
  fi
}

# All captured requests delivered, in order and once: judged by the simulator's oracles.
expect "a lossy network both ways" \
  --seed 1 --sessions 20000 --loss 0.2 --reorder 0.3 --dup 0.05 --corrupt 0.01
for loss in 0 0.001 0.01 0.05 0.1 0.2 0.3; do
  for reorder in 0 0.1 0.3; do
    for dup in 0 0.05; do
      for corrupt in 0 0.01; do
        expect "loss $loss reorder $reorder dup $dup corrupt $corrupt" --seed 1 --sessions 1000 \
          --loss $loss --reorder $reorder --dup $dup --corrupt $corrupt
      done
    done
  done
done
expect "capture loss" --seed 1 --sessions 2000 --capture-loss 0.01
expect "$seeds worlds of mixed faults" --mix --seeds "1-$seeds"
expect "false records: safety" --lying-headers --seeds 1-200

# hash_of SEED: of everything that happened in that world
hash_of() { "$sim" --mix --seed "$1" | grep -o 'trace [0-9a-f]*' | tail -n 1; }
n=$((n + 1))
if [ "$(hash_of 7)" = "$(hash_of 7)" ] && [ "$(hash_of 7)" != "$(hash_of 8)" ]; then
  echo "ok $n - the same seed gives the same trace, another seed another"
else
  failed=$((failed + 1))
  echo "not ok $n - the same seed gives the same trace, another seed another"
fi
echo "1..$n"
[ $failed -eq 0 ]
