#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --send link, ip and auto deliver alike; auto takes ip for a target on the online host itself.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
for mode in link ip auto; do
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  : >"$net_dir/tcpcopy.log"
  start_tcpcopy --send $mode
  run_load --connections 10 --requests 1000 --rate 1000 --id-prefix $mode
  load_is_ok "the online server answers all, --send $mode"
  run_load --connections 10 --requests 40 --rate 40 --method PUT --path /put/%s --body 100000 --id-prefix "$mode-put"
  load_is_ok "and uploads, --send $mode"
  wait_delivered 5
  same_ids "every id exactly once with --send $mode"
  stop_tcpcopy
  equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
done

# A second server on the online host as target: no link layer leads there.
start_nginx online 8081 same-host
ip -n "$(ns online)" route add 10.91.0.0/16 via 10.90.0.40
: >"$net_dir/online/access.log"
: >"$net_dir/tcpcopy.log"
kill "$intercept"
wait_for 5 has_ended "$intercept"
start_intercept -F 'tcp and src port 8081'
start_tcpcopy --send auto -x 80-10.90.0.20:8081
run_load --connections 10 --requests 500 --rate 500 --id-prefix same
load_is_ok "the online server answers all, target on its own host"
wait_delivered 5 online same-host
same_ids "auto reaches a target on the same host" online same-host
check "the log names the sender in use" "ip" log_says "$net_dir/tcpcopy.log" '(same|this|own) host|\bip\b'
net_done
