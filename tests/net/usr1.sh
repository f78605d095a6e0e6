#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# USR1 prints the counters, HUP opens the log again; neither disturbs the copy.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
run_load --connections 10 --requests 500 --rate 500
load_is_ok "the online server answers all"
wait_delivered 5
printed() { cat "$net_dir/$1.log" "$net_dir/$1.log.out"; }
tcpcopy_says() { printed tcpcopy | grep -Eq 'all clt|active'; }
intercept_says() { printed intercept | grep -Eiq 'captured|records|routed'; }
check "before that, no counters" "" eval '! tcpcopy_says'
kill -USR1 "$tcpcopy" "$intercept"
check "tcpcopy prints its counters on USR1" "" wait_for 3 tcpcopy_says
check "intercept prints its counters on USR1" "" wait_for 3 intercept_says
mv "$net_dir/tcpcopy.log" "$net_dir/tcpcopy.old"
kill -HUP "$tcpcopy" "$intercept"
check "tcpcopy opens its log again on HUP" "" wait_for 3 test -e "$net_dir/tcpcopy.log"
check "intercept goes on after HUP" "" is_running "$intercept"
run_load --connections 10 --requests 500 --rate 500 --id-prefix after
load_is_ok "the online server answers all afterwards"
wait_delivered 5
same_ids "every id exactly once at the target"
net_done
