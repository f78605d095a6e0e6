#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Nothing of the target's ever reaches the online host but ARP, nothing of the copy reaches the
# client, and while sessions run normally nothing is reset at the target or online.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
capture online from_target 'src host 10.90.0.30 and not arp'
capture online faked 'dst net 10.91.0.0/16 or (src net 10.91.0.0/16 and not dst host 10.90.0.30)'
capture client copies '(net 10.91.0.0/16 or host 10.90.0.30 or host 10.90.0.40) and not arp'
capture client resets_online 'tcp[tcpflags] & tcp-rst != 0'
capture_resets
capture assistant forwarded 'src net 10.91.0.0/16'
start_tcpcopy
run_load --connections 50 --requests 5000 --rate 2500
load_is_ok "the online server answers all, kept-alive"
run_load --connections 100 --requests 1000 --rate 500 --short --id-prefix short
load_is_ok "the online server answers all, short"
wait_delivered 10
same_ids "every id exactly once at the target"
no_packets "no RST of a faked client at the target" resets
no_packets "no RST between client and online server" resets_online
stop_tcpcopy
no_packets "nothing of the target's reaches the online host" from_target
no_packets "nothing for a faked client passes the online host" faked
no_packets "nothing of the copy reaches the client" copies
no_packets "the assistant sees no packet of a faked client" forwarded
# These captures can see what they look for.
capture online control 'src host 10.90.0.30 and not arp'
on target ping -c 3 -i 0.2 -q 10.90.0.20 >/dev/null
equal "a ping of the target would have been seen" 3 "$(count_packets control)"
net_done
