#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 1 %, then 5 % of the packets lost on the way to the target, and as many of its answers: everything is
# delivered, over kept-alive and short connections and uploads.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/loss.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy

# all_arrive PERCENT: three kinds of load, one after the other
all_arrive() {
  local percent=$1 in out
  lose "$percent"
  run_load --connections 50 --requests 5000 --rate 1500 --id-prefix "keep$percent-"
  load_is_ok "$percent %: the online server answers all, kept-alive"
  run_load --connections 100 --requests 500 --rate 250 --short --id-prefix "short$percent-"
  load_is_ok "$percent %: the online server answers all, short"
  run_load --connections 10 --requests 50 --rate 25 --method PUT --path /put/%s --body 100000 \
    --id-prefix "put$percent-"
  load_is_ok "$percent %: the online server answers all, uploads"
  wait_delivered 60
  in=$(dropped target)
  out=$(dropped switch)
  check "$percent %: packets were lost both ways" "$in, $out" [ "$in" -gt 20 -a "$out" -gt 20 ]
  same_ids "$percent %: every id exactly once at the target, in order"
  no_loss
}

all_arrive 1
all_arrive 5
net_done
