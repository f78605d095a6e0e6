#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bodies that the client holds back: "Expect: 100-continue", and uploads in chunks that trickle for seconds.
# Both servers must end up with the same files, also a target that answers at once, without 100 Continue.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
need curl
start_web online 80 online </dev/null
start_web target 8080 same </dev/null
mkdir -p "$net_dir/final/files/put"
start_http target 8081 final --expect final --files "$net_dir/final/files/put"
start_intercept -F 'tcp and src portrange 8080-8081'
start_tcpcopy -x 80-10.90.0.30:8080,80-10.90.0.30:8081
capture_resets

# put ID FILE [OPTION...]: uploads a file, or, in chunks, its standard input (-); prints the status
put() {
  local id=$1 file=$2
  shift 2
  on client curl -sS -v --max-time 60 "$@" -o /dev/null -w '%{http_code}\n' -T "$file" \
    "http://10.90.0.20/put/$id?id=$id" 2>"$net_dir/curl-$id"
}

# Bodies begin with their id, so that no two are alike.
body() { echo "$1" && head -c "$2" "$net_dir/random"; }

put_file() {
  body "$1" "$2" >"$net_dir/body"
  put "$1" "$net_dir/body" "${@:3}"
}

put_chunks() { body "$1" "$2" | put "$1" - "${@:3}"; }

# Growing pieces over two seconds.
trickle() {
  local n
  for n in $(seq 40); do
    body "$1" $((n * 50))
    sleep 0.05
  done
}

put_trickling() { trickle "$1" | put "$1" - "${@:2}"; }

head -c 3000000 /dev/urandom >"$net_dir/random"
statuses=$(
  for n in 1 2 3 4 5; do put_trickling "trickle$n-0" -H 'Expect:' & done
  for n in 1 2 3; do put_trickling "continue-trickle$n-0" -H 'Expect: 100-continue' & done
  for n in 1 2 3; do put_chunks "continue-chunks$n-0" 1000000 -H 'Expect: 100-continue'; done
  for n in $(seq 10); do put_file "continue-small$n-0" 20000 -H 'Expect: 100-continue'; done
  for n in 1 2 3; do put_file "continue-big$n-0" 3000000; done # here curl asks by itself
  wait
)
equal "curl's uploads all succeed" "24 201" "$(sort <<<"$statuses" | uniq -c | xargs)"
equal "the client was told to continue where it asked" "19 of 19" \
  "$(grep -l '^< HTTP/1.1 100' "$net_dir"/curl-* | wc -l) of $(ls "$net_dir"/curl-continue* | wc -l)"

wait_for_all 15 online same final
same_ids "every upload exactly once at the target, in order, of the same length" online same
sums() { (cd "$net_dir/$1/files/put" && sha256sum -- * | sort -k2); }
check "the files of the target are those of the online server" "$(sums online | wc -l) files" \
  diff <(sums online) <(sums same)
equal "every upload exactly once at a target that answers before it reads the body" 24 "$(requests_served final)"
check "its files are those of the online server" "$(sums final | wc -l) files" diff <(sums online) <(sums final)
no_packets "no RST of a faked client at the targets" resets
all_delivered "the ledger: everything was delivered to both targets"
net_done
