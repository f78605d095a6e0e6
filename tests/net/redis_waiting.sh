#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# redis clients that wait, or do not: blocking pops, which another connection ends; subscribers
# that say nothing while the server pushes; one that says 10,000 commands and reads no answer yet.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kv.inc"
kv_start redis 6379 redis-server redis-cli
kv_copy

# copy_of SCENARIO: everything is delivered and the contents are equal
copy_of() {
  online_does kv_redis "$1"
  all_delivered "all delivered after $1"
  same_content "the same content after $1"
}

# Of clients the target has redis-cli alone, which asks.
no_client_is_left() { [ "$(redis_info target connected_clients)" = 1 ]; }

copy_of blocking
equal "each pop at the target has found its value" 0 "$(redis target llen queue)"

before=$(redis_info target total_net_output_bytes)
copy_of pubsub
pushed=$(($(redis_info target total_net_output_bytes) - before))
check "the target has pushed 2000 messages to its 3 subscribers too" "$pushed bytes" \
  [ "$pushed" -gt $((3 * 2000 * 120)) ]

copy_of deaf
check "no client is left at the target" "" wait_for 5 no_client_is_left
no_redis_errors "the target never answered with an error"
net_done
