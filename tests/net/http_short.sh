#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 10,000 short connections at 2,000 a second, a request each.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
capture_resets
run_load --connections 500 --requests 10000 --rate 2000 --short
load_is_ok "the online server answers all"
wait_delivered 15
same_ids "every id exactly once at the target"
no_packets "no RST of a faked client at the target" resets
net_done
