#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -i any: the pseudo-device with its own link type.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept -i any -F 'tcp and src port 8080'
start_tcpcopy -i any
run_load --connections 20 --requests 2000 --rate 1000
load_is_ok "the online server answers all"
run_load --connections 50 --requests 500 --rate 250 --short --id-prefix short
load_is_ok "the online server answers short connections"
wait_delivered 10
same_ids "every id exactly once at the target, in order"
net_done
