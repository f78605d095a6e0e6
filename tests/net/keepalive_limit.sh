#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A target that closes its connections earlier than the online server, after 100 requests or after one
# idle second: the copy goes on with another connection and every request is delivered.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
NGINX_KEEPALIVE_REQUESTS=100 NGINX_KEEPALIVE=1 start_nginx target 8080
start_intercept
start_tcpcopy
run_load --connections 50 --requests 25000 --rate 5000
load_is_ok "the online server answers all"
wait_delivered 15
same_ids "every id exactly once at the target, though it ends connections after 100 requests"
wait_for 3 stats_are_fresh
# A request may also have met a connection that had just been closed, and been said again.
rejoined=$(json_stat targets 0 sessions rejoined)
check "each of 50 connections went on with four more" "$rejoined" [ "$rejoined" -ge 200 -a "$rejoined" -le 220 ]

: >"$net_dir/online/access.log"
: >"$net_dir/target/access.log"
run_load --connections 10 --requests 40 --rate 5 --id-prefix slow
load_is_ok "the online server answers a slow client"
wait_delivered 5
same_ids "every id exactly once at the target, though it closes idle connections"
net_done
