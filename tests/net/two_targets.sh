#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One source port, two targets: each gets every request.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_nginx target 8081 second
start_intercept -F 'tcp and (src port 8080 or src port 8081)'
start_tcpcopy -x 80-10.90.0.30:8080,80-10.90.0.30:8081
run_load --connections 20 --requests 2000 --rate 1000
load_is_ok "the online server answers all"
run_load --connections 50 --requests 500 --rate 250 --short --id-prefix short
load_is_ok "the online server answers short connections"
wait_delivered 10
wait_delivered 5 online second
same_ids "the first target has every id exactly once"
same_ids "the second target has every id exactly once" online second
net_done
