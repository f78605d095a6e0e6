#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# WebSocket: an upgrade from HTTP, then messages both ways, some pushed by the server, pings of both. Every message
# arrives once and unharmed, in order within its connection.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
need websockets

start_websocket() {
  start_server "$1" "$2" "$3" $python "$net_tests/websocket.py" server --port "$2" \
    --log "$net_dir/$3/access.log" "${@:4}"
}
start_websocket online 80 online --push 100 --ping 300
start_websocket target 8080 same --push 100 --ping 300
start_websocket target 8081 longer --push 70 --ping 200 --prefix "$(printf '%0300d' 0)"
start_intercept -F 'tcp and src portrange 8080-8081'
# A connection is all or nothing: without its beginning no server understands it.
start_tcpcopy -O -x 80-10.90.0.30:8080,80-10.90.0.30:8081
capture_resets

talk() {
  local name=$1
  shift
  run_client $python "$net_tests/websocket.py" client --to 10.90.0.20:80 "$@"
  load_is_ok "$name: the online server echoes all"
  wait_for_all 15 online same longer
  for target in same longer; do
    same_ids "$name: every message exactly once, in order, answers $target" online $target
  done
  forget_logs online same longer
}

talk "one at a time" --connections 10 --messages 100
talk "some ahead" --connections 10 --messages 100 --ahead 4
talk "with pauses" --connections 20 --messages 40 --pause 50
talk "with pauses, some ahead" --connections 20 --messages 40 --pause 50 --ahead 3

no_packets "no RST of a faked client at the targets" resets
all_delivered "the ledger: everything was delivered to each target"
net_done
