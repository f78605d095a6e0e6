#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 100,000 requests over 100 kept-alive connections at 10,000 a second: every unique id exactly once
# at the target, in order within its connection, and no connection reset there.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
capture_resets
run_load --connections 100 --requests "${REQUESTS-100000}" --rate 10000
load_is_ok "the online server answers all"
wait_delivered 15
same_ids "every id exactly once at the target, in order"
no_packets "no RST of a faked client at the target" resets
net_done
