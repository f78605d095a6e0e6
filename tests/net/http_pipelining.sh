#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# HTTP/1.1 pipelining: clients that write several requests at once, that keep several open, and that write halves of
# requests while answers come. The target's answers are of the same length, then longer, then shorter.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
need h2load

start_web online 80 online <<<"location / { return 200 'request \$arg_id\n'; }"
start_web target 8080 same <<<"location / { return 200 'request \$arg_id\n'; }"
start_web target 8081 longer <<<"location / { return 200 '$(printf '%02000d' 0)\n'; }"
start_web target 8082 shorter <<<"location / { return 200 ''; }"
start_intercept -F 'tcp and src portrange 8080-8082'
start_tcpcopy -x 80-10.90.0.30:8080,80-10.90.0.30:8081,80-10.90.0.30:8082
capture_resets

compare() {
  local name
  wait_for_all 40 online same longer shorter
  for name in same longer shorter; do
    same_ids "$1, answers of the target $name: every id exactly once, in order" online $name
  done
  forget_logs online same longer shorter
}

pipelining() {
  local mode=$1
  shift
  run_client $python "$net_tests/http_client.py" --to 10.90.0.20:80 --mode "$mode" --id-prefix "$mode" "$@"
  load_is_ok "the online server answers all: $mode"
  compare "$mode"
}

pipelining burst --connections 20 --requests 100 --depth 5
pipelining window --connections 20 --requests 100 --depth 4
pipelining halves --connections 20 --requests 50 --depth 3
# Whether requests overlap shows only at the target here: that may cost some seconds, once a connection.
pipelining mixed --connections 20 --requests 100 --depth 8
pipelining mixed --connections 2 --requests 100 --depth 16 --padding 3000 --seed 7

no_packets "no RST of a faked client at the targets" resets
all_delivered "the ledger: everything was delivered to each target"
net_done
