#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -M and -D bound the segments of both sides; -t gives up a target that does not answer, -k a client that is
# silent: neither ends the program.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mtu.inc"
command -v ethtool >/dev/null || skip_all "ethtool is not installed"
net_start
has_programs
cut_at online
start_nginx online 80
start_nginx target 8080
start_intercept

# mss_in NAME: the MSS in what was captured, each once
mss_in() { stop_pid "$(dump_of "$1")" INT; show_packets "$1" 1000 | grep -Eo 'mss [0-9]+' | sort -u | tr '\n' ' '; }
dump_of() { local dump=dump_$1; echo "${!dump}"; }

# longest NAME: the longest payload in what was captured
longest() { stop_pid "$(dump_of "$1")" INT; show_packets "$1" 100000 | grep -Eo 'length [0-9]+' | cut -d' ' -f2 | sort -n | tail -1; }

# ended CAUSE: requests were dropped for it
ended() {
  touch "$net_dir/asked"
  wait_for 3 stats_are_new && [ "$(json_stat total stream dropped "$1" requests)" -gt 0 ]
}
# served COUNT PREFIX
served() { [ "$(grep -c " $2" "$net_dir/target/access.log")" -ge "$1" ]; }
is_idle() { [ -z "$(on target ss -Htn state established 'sport = :8080')" ]; }

start_tcpcopy -M 1000 -D 500
capture target syns 'src net 10.91.0.0/16 and tcp[tcpflags] & tcp-syn != 0'
capture target uploads 'src net 10.91.0.0/16 and tcp'
run_load --connections 5 --requests 10 --rate 50 --method PUT --path /put/%s --body 50000 --id-prefix put
load_is_ok "the online server takes uploads"
start client get "$LOAD" --to 10.90.0.20:80 --connections 5 --requests 10 --rate 50 --path /100k --id-prefix get --hold 5
load=$started
wait_for 10 served 10 get
equal "the target's segments fill what -D says, timestamps included" " mss:488" \
  "$(on target ss -Htin state established 'sport = :8080' | grep -Eo ' mss:[0-9]+' | sort -u)"
all_delivered "everything is delivered with -M 1000 -D 500"
equal "our SYNs offer what -D says" "mss 500 " "$(mss_in syns)"
equal "our segments fill the MTU of -M, timestamps included" 948 "$(longest uploads)"
stop_pid "$load"
stop_tcpcopy

start_tcpcopy -t 2 -O
kill -STOP "$nginx_target" $(pgrep -P "$nginx_target")
# The kernel takes the first request of each; the second one waits for an answer (and goes to no other connection, by -O).
run_load --connections 3 --requests 6 --rate 100 --id-prefix unanswered
load_is_ok "the online server answers"
check "the target's silence is given up after -t" "" wait_for 5 ended timed_out
kill -CONT "$nginx_target" $(pgrep -P "$nginx_target")
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"

start_tcpcopy -k 2
capture_resets
start client silent "$LOAD" --to 10.90.0.20:80 --connections 3 --requests 6 --rate 100 --hold 6 --id-prefix silent
wait_for 10 served 6 silent
check "silent clients keep their connections for a while" \
  "$(on target ss -Htn state established 'sport = :8080' | wc -l)" \
  test "$(on target ss -Htn state established 'sport = :8080' | wc -l)" -eq 3
check "and are ended at the target after -k" "" wait_for 6 is_idle
check "though they are open online" "" test -n "$(on online ss -Htn state established 'sport = :80')"
equal "by a RST each" 3 "$(count_packets resets)"
all_delivered "nothing is lost by that"
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
net_done
