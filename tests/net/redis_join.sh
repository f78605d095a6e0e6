#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tcpcopy starts, and starts again, in the middle of plain and of pipelined redis traffic: each
# connection is joined where a turn begins, from then on every command arrives, once and in order.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kv.inc"
kv_start redis 6379 redis-server redis-cli

# counters PREFIX COMMANDS DEPTH RATE: on 10 connections, in the background
counters() { online_does kv_redis counters "$1" 10 "${@:2}" >"$net_dir/$1.said" & }

# online_has COUNT: so many numbers are in the first stream of each kind
online_has() {
  [ "$(redis online xlen plain:0)" -ge "$1" ] && [ "$(redis online xlen piped:0)" -ge "$1" ]
}

# in_one_piece NAME DATABASE [--to-the-end]: what that of the target has, of both kinds
in_one_piece() {
  local kind depth out online=$net_dir/online.json target=$net_dir/target.json
  locally online kv_redis streams >"$online"
  locally target kv_redis streams "$2" >"$target"
  for kind in plain:1 piped:16; do
    depth=${kind#*:} kind=${kind%:*}
    if out=$("$KV/kv_joined.py" "$online" "$target" "$depth" $kind: ${3-}); then
      ok "$1, $kind" "$out"
    else
      not_ok "$1, $kind" "$out"
    fi
  done
}

# ended PID KIND: that client has got all its answers
ended() {
  wait "$1"
  check "the online server answers as it should: $2" "" grep -q '^ok' "$net_dir/$2.said"
}

# 16 commands are more than a segment that certainly ends a write, so these clients pause for 10 ms.
counters plain 4000 1 400
plain=$!
counters piped 16000 16 100
piped=$!
wait_for 10 online_has 400
kv_copy
wait_for 10 online_has 1600
stop_tcpcopy
equal "tcpcopy ends in the middle of the load" "$tcpcopy_status" 0
redis target swapdb 0 1 >/dev/null # what the first copy has brought is kept in the other database
kv_copy
ended "$plain" plain
ended "$piped" piped
all_delivered "all delivered but what came before the joins" before_join no_intercept?
in_one_piece "the first copy is in one piece and begins with a turn" 1
in_one_piece "the second copy lacks nothing from its joins on" 0 --to-the-end
no_redis_errors "the target has never answered with an error"
equal "each connection was joined once" "$(json_stat total sessions joined)" 20
early=$(json_stat total stream dropped before_join requests)
check "few turns came before the joins" "$early on 20 connections" [ "$early" -le 60 ]
net_done
