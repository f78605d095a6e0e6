#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Ten connections that ask again as soon as they are answered: the copy must keep up, though every
# request has to wait for the target's answer to the one before.
# Runs alone: it measures time.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
# What wakes it must not lose the processor to it: SCHED_BATCH is 3 (proc(5)).
equal "intercept preempts no server on its host" 3 "$(sed 's/.*) //' "/proc/$intercept/stat" | cut -d' ' -f39)"
run_load --connections 10 --requests 20000
load_is_ok "the online server answers all"
wait_delivered 20
same_ids "every id exactly once at the target, in order"
net_done
