#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/coverage.sh [--missed]: how much of the core the tests reach, in lines and in branches, a
# file and a group (TAP; a group below 95 % of its branches is not ok). --missed adds, as comments,
# the lines with a branch that was never taken.
#
# Built with gcc --coverage in build/coverage, at -O0, so that a branch counted is one in the
# source. Branches within assert() do not count: they are there to be never taken. (-DNDEBUG would
# leave them out too, but then the tests would run without asserts.)
set -u
cd "$(dirname "$0")/.." || exit 99
dir=build/coverage

fail() {
  echo "not ok - coverage: $1"
  [ $# -lt 2 ] || tail -n 30 "$2" | sed 's/^/# /'
  exit 1
}

if [ ! -x configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
  mkdir -p build
  ./autogen.sh >build/autogen.log 2>&1 || fail autogen.sh build/autogen.log
fi
mkdir -p $dir
(
  cd $dir || exit 1
  if [ ! -e Makefile ] || [ ../../configure -nt Makefile ]; then
    ../../configure -q CC=gcc CFLAGS='-O0 -g --coverage' || exit 1
  fi
  find . -name '*.gcda' -exec rm -f {} +
  make -j2 all
) >$dir/build.log 2>&1 || fail "the build with --coverage" $dir/build.log

# What is run, in the build directory. A command more is a line more here; each must succeed. What
# needs devices or privileges is left out: it says little of the core.
run_tests() {
  # The programs of make check, not its scripts: core_purity.sh is for objects without --coverage.
  make -k -j2 check TESTS="$(make -s --eval='names: ; @echo $(check_PROGRAMS)' names)" &&
    make tests/sim/sim &&
    tests/sim/sim --seed 1 --sessions 500 --loss 0.05 --reorder 0.1 --dup 0.05 &&
    tests/sim/sim --mix --seeds 1-20
}
(cd $dir && run_tests) >$dir/check.log 2>&1 || fail "the tests" $dir/check.log

python3 tests/coverage.py $dir "$@"
