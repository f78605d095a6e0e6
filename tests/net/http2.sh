#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# HTTP/2 without TLS: connections of 5 or 10 streams, to targets whose answers are the same, longer or empty.
# The same requests arrive once each; their order within a connection is the server's.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
need h2load
# GET answers with this text; PUT stores a file, as in start_web.
start_h2() { start_web "$1" "$2" "$3" http2 <<<"if (\$request_method = GET) { return 200 '$4'; }"; }
start_h2 online 80 online "request \$arg_id\n"
start_h2 target 8080 same "request \$arg_id\n"
start_h2 target 8081 longer "$(printf '%0300d' 0)\n"
start_h2 target 8082 shorter ""
start_intercept -F 'tcp and src portrange 8080-8082'
# A connection is all or nothing: without its beginning no server understands it.
start_tcpcopy -O -x 80-10.90.0.30:8080,80-10.90.0.30:8081,80-10.90.0.30:8082
capture_resets

# uris PREFIX COUNT: a file and an id each; the part before the dash is unique, so that no order is asked for
uris() {
  local i
  for i in $(seq "$2"); do echo "http://10.90.0.20/put/$1x$i?id=$1x$i-0"; done
}

# The sum over what h2load said: "requests: 25 total, 25 started, 25 done, 25 succeeded, ..."
succeeded() { awk '/^requests:/ { for (i = 2; i < NF; i++) if ($(i + 1) ~ /^succeeded/) n += $i } END { print n }'; }

# load_h2 PREFIX REQUESTS OPTION...: four connections at a time, each with ids and a body (BODY) of its own
load_h2() {
  local prefix=$1 requests=$2 n pids=()
  shift 2
  for n in 1 2 3 4; do
    uris "$prefix$n" "$requests" >"$net_dir/uris$n"
    on client h2load -n "$requests" -c 1 -i "$net_dir/uris$n" "${@//BODY/$net_dir/body$n}" \
      >"$net_dir/h2load$n.out" 2>&1 &
    pids+=($!)
  done
  wait "${pids[@]}"
  equal "$prefix: the online server answers all" "$((4 * requests)) succeeded" \
    "$(cat "$net_dir"/h2load?.out | succeeded) succeeded"
}

compare() {
  local name
  wait_for_all 40 online "${@:2}"
  for name in "${@:2}"; do
    same_ids "$1: every id exactly once, answers $name" online "$name"
  done
  forget_logs online same longer shorter
}

load_h2 busy 2000 -m 10
# Longer answers, in a closed loop, let requests out early: more streams may be open than the target allows (128), and those
# beyond it are refused. docs/services.md, HTTP/2
wait_for_all 40 online same shorter
arrived=$(wc -l <"$net_dir/longer/access.log")
check "busy: most requests, answers longer" "$arrived of 8000" [ "$arrived" -ge 7200 -a "$arrived" -le 8000 ]
compare busy same shorter
load_h2 paced 300 -m 10 --rps 150
compare paced same longer shorter
for n in 1 2 3 4; do head -c 200000 /dev/urandom >"$net_dir/body$n"; done
load_h2 upload 25 -m 5 -d BODY -H ':method: PUT'
compare upload same longer shorter
equal "the uploads are files" 100 "$(ls "$net_dir/online/files/put" | wc -l)"
sums() { (cd "$net_dir/$1/files/put" && sha256sum -- * | sort -k2); }
for name in same longer shorter; do
  check "the files of the target are those of the online server, answers $name" \
    "$(sums online | wc -l) files" diff <(sums online) <(sums $name)
done

no_packets "no RST of a faked client at the targets" resets
all_delivered "the ledger: everything was delivered to each target"
net_done
