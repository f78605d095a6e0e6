#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The device that tcpcopy captures on goes down under load and comes back, is in another namespace for a moment, and is deleted and made anew. What passed before
# it was captured on again is lost, and in the account as what it is; what comes later is copied.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.inc"
. "$(dirname "$0")/device_down.inc"

online_down() { device_down online eth0; }
online_up() { device_up online eth0; }
online_walk() { walk_with_address online "$tcpcopy"; }
online_away() { unplug online eth0; }
online_back() { plug_with_address online; }

net_start
has_programs
start_nginx online 80
start_target
start_intercept
start_tcpcopy
start_loads 13
served_more 700 target
fault "the captured device is down" online_down online_up
check "it is told that it is up again" "" wait_for 3 log_says "$net_dir/tcpcopy.log" 'device eth0 is up' # once a second it is looked at
fault "it was in another namespace for a moment" online_walk
fault "it is deleted, and made anew later" online_away online_back
loads_are_over
survives tcpcopy
stop_copy
# A connection whose SYN passed meanwhile is older than the capture.
all_arrive_again --part --only capture_gap,before_join
ledger_adds_up
said_times tcpcopy 1 'device eth0 is down'
said_times tcpcopy 1 'device eth0 is up'
net_done
