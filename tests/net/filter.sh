#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -F leaves out what it does not let pass, and -S what is longer: by name, and nothing else.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
ip -n "$(ns client)" addr add 10.90.0.11/24 dev eth0

# ids HOST PREFIX: how many different ones its server has seen
ids() { grep -o " $2[^ ]*" "$net_dir/$1/access.log" | sort -u | wc -l; }

# has_ids HOST PREFIX COUNT
has_ids() { [ "$(ids "$1" "$2")" -ge "$3" ]; }

start_tcpcopy -F 'not host 10.90.0.11'
run_load --from 10.90.0.10 --connections 10 --requests 300 --rate 600 --id-prefix wanted
load_is_ok "the online server answers one client"
run_load --from 10.90.0.11 --connections 10 --requests 300 --rate 600 --id-prefix other
load_is_ok "and another one"
wait_for 5 has_ids target wanted 300 || true
equal "-F: all of the first client are copied" 300 "$(ids target wanted)"
equal "and nothing of the other" 0 "$(ids target other)"
wait_for 5 has_ids online other 300 || true
equal "online there were as many" 300 "$(ids online other)"
all_delivered "-F: all that was captured is delivered"
stop_tcpcopy

: >"$net_dir/tcpcopy.log"
start_tcpcopy -S 512
run_load --connections 10 --requests 300 --rate 600 --id-prefix short
load_is_ok "the online server answers short requests"
run_load --connections 10 --requests 20 --rate 100 --method PUT --path /put/%s --body 5000 --id-prefix long
load_is_ok "and takes long ones"
has_gaps() { [ "$(json_stat total stream dropped capture_gap requests)" -ge 20 ]; }
check "-S: what was cut off is a capture gap" "" wait_for 10 has_gaps
wait_for 5 has_ids target short 300 || true
equal "-S: all short requests are copied" 300 "$(ids target short)"
equal "and no long one is carried out" 0 "$(find "$net_dir/target/files/put" -name 'long*' 2>/dev/null | wc -l)"
all_delivered "-S: nothing else is lost" capture_gap
net_done
