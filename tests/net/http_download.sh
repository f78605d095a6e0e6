#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Answers of 100 kB, which never reach tcpcopy's host: requests still follow each other.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
capture_resets
run_load --connections 20 --requests 4000 --rate 800 --path /100k
load_is_ok "the online server answers all"
wait_delivered 20
same_ids "every id exactly once at the target, in order"
no_packets "no RST of a faked client at the target" resets
net_done
