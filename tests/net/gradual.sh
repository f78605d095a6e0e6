#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -g: the sample grows from 1 % to -r, here within 8 s. What was left out before stays out.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sample.inc"
net_start
has_programs
add_clients 10
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy -r 60 -g8
# The ports of tuple_client.py follow each other in time: 250 tuples a second.
run_clients --addresses 10 --ports 250 --rate 250 --requests 2
load_is_ok "the online server answers clients for ten seconds"
wait_settled
copied_ids "$net_dir/ids"
ids_are_online "each request is copied once or not" "$net_dir/ids"

# copied_ports FROM TO: requests of these ports, in percent of what their clients said
copied_ports() {
  awk -F '[_-]' -v from="$1" -v to="$2" '$2 >= from && $2 < to { n++ }
    END { print int(n * 100 / (to - from) / 20) }' "$net_dir/ids"
}
first=$(copied_ports 20000 20025) middle=$(copied_ports 20090 20110) last=$(copied_ports 20220 20250)
in_range "in the first second a few percent" 0 14 "$first"
in_range "in the middle half of it" 20 44 "$middle"
in_range "in the end 60 %" 48 72 "$last"
equal "connections are copied whole" 2 "$(cut -d- -f1 "$net_dir/ids" | uniq -c | awk '{ print $1 }' | sort -u)"
whole_account "the ledger knows of all requests" 5000 sampled_out
equal "the share that is told" 600000 "$(json_stat sample_ppm)"
net_done
