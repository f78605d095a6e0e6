#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -H: clients on the online host's own loopback device are copied under the address given for them, whether the others
# keep theirs or get one of -c, and whichever their family and the target's are.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/copies.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

# copied CLIENT FAKED ARGUMENT...: what a local client of this address says is copied, and by the target's capture it is
# FAKED that speaks
copied() {
  local client=$1 faked=$2
  shift 2
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  capture target syns 'tcp dst port 8080 and (tcp[13] & 18 = 2 or ip6[53] & 18 = 2)'
  start_copy local -H "$faked" "$@"
  load_result=$(on online "$LOAD" --to "$client:80" --connections 10 --requests 300 --rate 300 --short)
  load_is_ok "the online server answers local clients"
  exactly_times 1 "-H $faked $*: every id exactly once"
  named_delivered local
  stop_pid "$tcpcopy"
  equal "all from the address of -H" "$(count_packets syns)" "$(show_packets syns 1000 | grep -cE "IP6? $faked\.")"
}

copied 127.0.0.1 10.91.3.7 -x 127.0.0.1:80-10.90.0.30:8080
copied 127.0.0.1 10.91.3.7 -x 127.0.0.1:80-10.90.0.30:8080 -c 10.91.0.x
copied '[::1]' fd91::3:7 -x '80-[fd90::30]:8080' -C 2 -j 2
copied '[::1]' 10.91.3.7 -x '[::1]:80-10.90.0.30:8080'
net_done
