#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A target of half the online server's speed, under a closed loop of four seconds: it falls behind, catches up
# after the load, and misses nothing. Only a connection that queues more than its 16 MiB is given up, by itself.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
start_http online 80 online --work 1
start_http target 8080 target --work 2
start_web online 81 fast </dev/null
start_web target 8081 limited <<<'limit_rate 1m;'
start_intercept -F 'tcp and src portrange 8080-8081'
# One connection may queue a quarter of -m: 16 MB.
start_tcpcopy -m 64 -x 80-10.90.0.30:8080,81-10.90.0.30:8081
capture_resets

in_flight() { json_stat targets "$1" stream in_flight requests; }
is_behind() { [ "$(in_flight 0)" -ge 500 ]; }
head -c 500000 /dev/zero >"$net_dir/fast/files/500k"
cp "$net_dir/fast/files/500k" "$net_dir/limited/files"

# Downloads of half a second each at the target, of some milliseconds online.
on client "$LOAD" --to 10.90.0.20:81 --connections 10 --requests 80 --rate 40 --path /500k --id-prefix down \
  >"$net_dir/down.json" &
down=$!
run_load --connections 20 --requests 3000 --id-prefix slow
SECONDS=0
load_is_ok "the online server answers all"
check "the target has fallen behind" "" wait_for 3 is_behind
echo "  | $(requests_served target) of 3000 requests at the target, $(in_flight 0) in flight"
wait "$down"
load_result=$(cat "$net_dir/down.json") load_is_ok "the online server answers all downloads"
wait_delivered 20 online target
echo "  | the target had all within $((SECONDS + 1)) s of the end of the load"
same_ids "it catches up: every id exactly once, in order" online target
wait_delivered 20 fast limited
same_ids "every download exactly once, in order, at a target of limited rate" fast limited
no_packets "no RST of a faked client at the target" resets

# One upload is more than a connection may queue while the target stands still; the others wait for it.
kill -STOP "$http_target"
head -c 30000000 /dev/zero >"$net_dir/huge"
run_client curl -sS -o /dev/null -w '%{http_code}' -T "$net_dir/huge" "http://10.90.0.20/?id=huge-0"
equal "the online server takes an upload of 30 MB" 200 "$load_result"
run_load --connections 10 --requests 300 --rate 300 --id-prefix stopped
load_is_ok "and answers the others"
gave_up() { [ "$(json_stat targets 0 stream dropped backlog bytes)" -gt 0 ]; }
check "its copy is given up, the target does not read" "" wait_for 3 gave_up
kill -CONT "$http_target"
has_all() { [ "$(grep -c ' stopped' "$net_dir/target/access.log")" -ge 300 ]; }
check "the others arrive when the target goes on" "" wait_for 10 has_all
sed '/ huge-0 /d' "$net_dir/online/access.log" >"$net_dir/online/others"
check "each id of the others exactly once, in order" "" \
  "$CHECK_IDS" "$net_dir/online/others" "$net_dir/target/access.log"
all_delivered "the ledger: everything but that upload was delivered" backlog
net_done
