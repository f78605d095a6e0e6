#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An online server that is spoken to over lo: at a loopback address of either family, at the host's own address, behind a
# reverse proxy of the same host; captured on lo by default, by -i lo and by -i any. Packets on lo are seen
# leaving and arriving, segments there have up to 64 kB, and checksums are never finished.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/same_host.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
intercept_on assistant -F 'tcp and src port 8080'

cases=0
few_duplicates() { [ "$(($(json_stat packets duplicate) * 10))" -lt "$(json_stat packets captured)" ]; }

# copied NAME ADDRESSES ARGUMENT...: what clients of this host say to each of the addresses is copied exactly once; lo shows
# each packet once
copied() {
  local name=$1 addresses=$2 to prefix
  shift 2
  forget_requests
  copy_on online -s 10.90.0.40 "$@"
  for to in $addresses; do
    cases=$((cases + 1))
    prefix=case$cases
    load_prefix=$prefix load_from online "$to"
    load_result=$(on online "$LOAD" --to "$to" --connections 3 --requests 12 --method PUT --path /put/%s --body 100000 \
      --id-prefix "$prefix-put")
    load_is_ok "and uploads"
  done
  wait_delivered 10
  same_ids "$name: every id exactly once"
  check "$name: no packet is seen twice" "$(json_stat packets duplicate) of $(json_stat packets captured)" few_duplicates
  stop_pid "$tcpcopy"
}

t4=$(at target 8080 4) t6=$(at target 8080 6)
c4=$(faked_clients 4) c6=$(faked_clients 6)
copied "127.0.0.1 by default" 127.0.0.1:80 -x "127.0.0.1:80-$t4" -c "$c4"
check "lo alone is captured" "" test "$(grep -c 'capturing on' "$net_dir/tcpcopy.log")" -eq 1
check "lo it is" "" log_says "$net_dir/tcpcopy.log" 'capturing on lo'
copied "[::1] with -i lo" '[::1]:80' -x "[::1]:80-$t6" -c "$c6" -i lo
copied "any, own addresses" '10.90.0.20:80 [fd90::20]:80 127.0.0.1:80' -x "80-$t4" -c "$c4" -i any
copied "-H, own address" 10.90.0.20:80 -x "80-$t4" -H 10.91.3.7

# A reverse proxy speaks to its backend over lo.
start_nginx online 8000 backend
cat >"$net_dir/proxy.conf" <<END
user root; daemon off; worker_processes 1; pid $net_dir/proxy.pid; error_log $net_dir/proxy.log;
events { worker_connections 2000; }
http {
  access_log off;
  client_max_body_size 1m;
  client_body_temp_path $net_dir/tmp; proxy_temp_path $net_dir/tmp; fastcgi_temp_path $net_dir/tmp;
  uwsgi_temp_path $net_dir/tmp; scgi_temp_path $net_dir/tmp;
  upstream backend { server 127.0.0.1:8000; keepalive 8; }
  server {
    listen 81;
    location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
END
start online proxy nginx -c "$net_dir/proxy.conf" -e "$net_dir/proxy.log"
wait_for 10 is_listening online 81
forget_requests
copy_on online -s 10.90.0.40 -x "127.0.0.1:8000-$t4" -c "$c4"
load_from client "$(at online 81 4)"
wait_delivered 10 backend target
# Its pool has several connections, so a client's requests race each other already online.
ids() { awk '{ print $4 }' "$net_dir/$1/access.log" | sort; }
check "behind a reverse proxy: every id exactly once" "$(requests_served target)" diff <(ids backend) <(ids target)
equal "behind a reverse proxy: all of them" 450 "$(ids target | uniq | wc -l)"
stop_pid "$tcpcopy"

# An address that leads nowhere is refused, or left out by name.
refused() {
  local name=$1 pattern=$2 out
  shift 2
  out=$(on online timeout 5 "$TCPCOPY" -s 10.90.0.40 "$@" 2>&1)
  if [ $? -eq 2 ] && grep -Eq -- "$pattern" <<<"$out"; then ok "$name" "$out"; else not_ok "$name" "$out"; fi
}
refused "a loopback source needs -c or -H" '-c 10.*-H 10' -x "127.0.0.1:80-$t4"
forget_requests
copy_on online -s 10.90.0.40 -x "80-$t4" -i any
load_result=$(on online "$LOAD" --to 127.0.0.1:80 --connections 5 --requests 20)
load_is_ok "the online server answers local clients"
load_result=$(on online "$LOAD" --to 10.90.0.20:80 --connections 5 --requests 20)
load_is_ok "also at its own address"
is_left_out() { [ "$(json_stat targets 0 stream dropped no_address requests)" -eq 40 ]; }
check "without either they are left out by name" "" wait_for 5 is_left_out
equal "and nothing of them reaches the target" 0 "$(requests_served target)"
net_done
