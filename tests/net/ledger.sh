#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The account: both sums of the JSON statistics add up, and what it calls delivered is what the
# target's own log has.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
run_load --connections 50 --requests 5000 --rate 2500 --id-prefix keep
load_is_ok "the online server answers all, kept-alive"
run_load --connections 100 --requests 1000 --rate 500 --short --id-prefix short
load_is_ok "the online server answers all, short"
run_load --connections 5 --requests 100 --rate 100 --method PUT --path /put/%s --body 20000 --id-prefix put
load_is_ok "the online server answers all, uploads"
wait_delivered 10
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
same_ids "every id exactly once at the target"
python3 "$(dirname "$0")/check_ledger.py" "$net_dir/stats.json" \
  "$(requests_served target)" >"$net_dir/ledger.txt"
while IFS= read -r line; do
  case $line in
    'ok '*) ok "${line#ok }" ;;
    'not ok '*) not_ok "${line#not ok }" ;;
    *) echo "  | $line" ;;
  esac
done <"$net_dir/ledger.txt"
check "the account was read" "" test -s "$net_dir/ledger.txt"
net_done
