#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The target's server closes connections in its own time, under load: it is reloaded twice, which
# ends idle kept-alive connections, and closes each after 50 requests. All goes on with other
# connections; only a request that was already there when its connection was closed may be lost.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
net_start
has_programs
start_nginx online 80
NGINX_KEEPALIVE_REQUESTS=50 start_target
start_intercept
start_tcpcopy
start_loads 6
for _ in 1 2; do
  served_more 1000 target
  kill -HUP "$nginx_target"
done
loads_are_over
stop_copy
nothing_is_wrong --only target_reset
lost=$(json_stat total stream dropped target_reset requests)
check "hardly a request met a connection that was just being closed" "$lost of 4200" \
  [ "$lost" -le 8 ]
ledger_adds_up
# 75 requests on each of 40 connections, of which each was closed once at least.
rejoined=$(json_stat total sessions rejoined)
check "the sessions went on with other connections" "$rejoined times" [ "$rejoined" -ge 40 ]
net_done
