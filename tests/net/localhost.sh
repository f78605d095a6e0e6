#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# -H: clients on the online host's own loopback device are copied under the address given for them, whether the others
# keep theirs or get one of -c.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/copies.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

source=127.0.0.1:80
# copied ARGUMENT...: what a local client says is copied, and by the target's capture it is 10.91.3.7 that speaks
copied() {
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  capture target "syns$#" 'tcp port 8080 and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn'
  start_copy local -x $source-10.90.0.30:8080 -H 10.91.3.7 "$@"
  load_result=$(on online "$LOAD" --to 127.0.0.1:80 --connections 10 --requests 300 --rate 300 --short)
  load_is_ok "the online server answers local clients"
  exactly_times 1 "-H${*:+ with $*}: every id exactly once"
  named_delivered local
  stop_pid "$tcpcopy"
  equal "all from the address of -H" "$(count_packets "syns$#")" \
    "$(show_packets "syns$#" 1000 | grep -c 'IP 10\.91\.3\.7\.')"
}

copied
copied -c 10.91.0.x
source=80
copied -C 2 -j 2
net_done
