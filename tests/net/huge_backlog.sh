#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One upload of 95 MB while the target stands still, with the default -m: all of it waits in tcpcopy, more than one
# level of the queue's tree holds, and arrives when the target goes on. So does one behind it on another connection.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy

head -c 95000000 /dev/urandom >"$net_dir/huge"
head -c 300000 /dev/urandom >"$net_dir/small"
workers=$(pgrep -P "$nginx_target")
[ -n "$workers" ] || not_ok "nginx has no workers" ""
# shellcheck disable=SC2086
kill -STOP $workers
run_client curl -sS -H Expect: -o /dev/null -w '%{http_code}' -T "$net_dir/huge" "http://10.90.0.20/put/huge?id=huge-0"
equal "the online server takes 95 MB" 201 "$load_result"
run_client curl -sS -H Expect: -o /dev/null -w '%{http_code}' -T "$net_dir/small" "http://10.90.0.20/put/small?id=small-0"
equal "and 300 kB" 201 "$load_result"
waits() { [ "$(json_stat targets 0 stream in_flight bytes)" -gt 80000000 ]; }
check "they wait in tcpcopy" "" wait_for 5 waits
# shellcheck disable=SC2086
kill -CONT $workers
wait_delivered 20
same_ids "both arrive when the target goes on"
for file in huge small; do
  check "$file is the same at the target" "" cmp "$net_dir/$file" "$net_dir/target/files/put/$file"
done
all_delivered "the ledger says so"
net_done
