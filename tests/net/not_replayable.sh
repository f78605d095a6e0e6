#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What cannot be copied is said: TLS from the first byte, behind STARTTLS and in the middle of a connection, and targets
# that never say a word. Once a target, with the remedy, and counted; what is plain beside it is copied as ever.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
need openssl curl aiosmtpd

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=online.example -keyout "$net_dir/key.pem" -out "$net_dir/chain.pem" 2>/dev/null
  cat "$net_dir/key.pem" "$net_dir/chain.pem" >"$net_dir/certificate.pem"
}

# start_tls HOST PORT NAME: nginx that speaks TLS there
start_tls() {
  start_web "$1" "$2" "$3" ssl <<END_OF_DIRECTIVES
ssl_certificate $net_dir/certificate.pem;
ssl_certificate_key $net_dir/certificate.pem;
location / { return 200 "request \$arg_id\n"; }
END_OF_DIRECTIVES
}

start_mail() {
  start_server "$1" "$2" "mail-$1" $python "$net_tests/not_replayable.py" mail --port "$2" \
    --certificate "$net_dir/certificate.pem" --mails "$net_dir/mail-$1/mails"
}

# start_mute PORT HOW: a target that ends every connection without a byte
start_mute() { start_server target "$1" "mute-$1" $python "$net_tests/not_replayable.py" mute --port "$1" --how "$2"; }
ended_by() { grep -c 'ended one' "$net_dir/mute-$1.out"; }

# ---- what is said and counted -----------------------------------------------------------------

times_said() { grep -Ec -- "$1" "$net_dir/tcpcopy.log"; }
# once NAME PATTERN: the log says so exactly once
once() { equal "$1" 1 "$(times_said "$2")"; }

# A log and statistics of its own for each run.
run_tcpcopy() {
  rm -f "$net_dir/tcpcopy.log" "$net_dir/stats.json"
  start_tcpcopy "$@"
}

# sum INDEX KEY...: "REQUESTS requests, BYTES bytes" of that target's stream, e.g. sum 0 dropped.encrypted dropped.before_join
sum() {
  local key requests=0 bytes=0
  for key in "${@:2}"; do
    requests=$((requests + $(json_stat targets "$1" stream ${key/./ } requests)))
    bytes=$((bytes + $(json_stat targets "$1" stream ${key/./ } bytes)))
  done
  echo "$requests requests, $bytes bytes"
}

has_requests() { [ "$(requests_served tls)" -ge "$1" ]; }

# payload CAPTURE [FILTER]: bytes of payload in it
payload() { tcpdump -r "$net_dir/$1.pcap" -nn "${2-}" 2>/dev/null | sed 's/.* length //' | awk '{ n += $1 } END { print n + 0 }'; }
# packets CAPTURE FILTER
packets() { tcpdump -r "$net_dir/$1.pcap" -nn "$2" 2>/dev/null | wc -l; }
SYN='tcp[tcpflags] & tcp-syn != 0'
RST='tcp[tcpflags] & tcp-rst != 0'

no_copy_is_open() { [ -z "$(on target ss -Htn state connected dst 10.91.0.0/16)" ]; }
is_counted() { [ "$net_dir/stats.json" -nt "$net_dir/asked" ]; }
wait_counted() {
  touch "$net_dir/asked"
  wait_for 5 is_counted || true
}

# ---- TLS --------------------------------------------------------------------------------------

encrypted_says="clients of port PORT speak TLS: .* not copied to 10.90.0.30:TARGET,.* Copy the plain port .*-x PORT-10.90.0.30:TARGET"
tls_is_said() {
  local says=${encrypted_says//TARGET/$2}
  once "it is said once, with the remedy, that port $1 speaks TLS, for $2" "${says/PORT/$1}"
}

ask_tls() { # FIRST LAST: a connection of curl for each, of ten requests
  local i
  for i in $(seq "$1" "$2"); do
    on client curl -sk --max-time 20 -o "$net_dir/answers" "https://10.90.0.20/?id=tls$i-[1-10]" || return
  done
}

send_mail() { # HOW...: by curl
  printf 'Subject: a mail\r\n\r\nhello\r\n' |
    on client curl -sk --max-time 20 "$@" smtp://10.90.0.20:25 --mail-from a@client.example \
      --mail-rcpt b@server.example -T -
}

new_connections() {
  local at
  run_tcpcopy -x 443-10.90.0.30:8443,443-10.90.0.30:8444,80-10.90.0.30:8080,25-10.90.0.30:2500
  capture client said 'src host 10.90.0.10 and dst port 443'
  capture target heard 'src net 10.91.0.0/16'
  run_load --connections 20 --requests 1000 --rate 1000 --id-prefix plain &
  local load=$!
  check "20 connections with TLS are answered online" "" ask_tls 1 20
  check "a mail without TLS is taken online" "" send_mail
  check "5 mails behind STARTTLS are taken online" "" eval 'for i in {1..5}; do send_mail --ssl-reqd || exit; done'
  wait $load
  wait_delivered 10 plain target
  same_ids "the plain port beside it is copied, every id exactly once" plain target
  wait_counted
  for at in said heard; do count_packets $at >/dev/null; done

  tls_is_said 443 8443
  tls_is_said 443 8444
  tls_is_said 25 2500
  equal "and of nothing else" 3 "$(times_said 'speak TLS')"
  for at in 0 1; do
    equal "all of port 443 is counted as encrypted, target $at" "$(sum $at captured)" "$(sum $at dropped.encrypted)"
    equal "and is what its clients said, in bytes" "$(payload said)" "$(json_stat targets $at stream captured bytes)"
  done
  for at in 8443 8444; do
    equal "$at hears of each connection with TLS" 20 "$(packets heard "dst port $at and $SYN")"
    equal "which is reset" 20 "$(packets heard "dst port $at and $RST")"
    equal "without a byte of its handshake" 0 "$(payload heard "dst port $at")"
  done
  equal "the mail without TLS is copied, of the others nothing" plain "$(cut -d' ' -f3 "$net_dir/mail-target/mails")"
}

# Three connections that have spoken TLS for a while when tcpcopy starts, each a request in 20 ms.
older_connections() {
  local i clients=()
  : >"$net_dir/tls/access.log"
  for i in 1 2 3; do
    start client "older$i" curl -sk --max-time 20 --rate 50/s -o "$net_dir/older$i.answers" \
      "https://10.90.0.20/?id=older$i-[1-100]"
    clients+=("$started")
  done
  check "three connections speak TLS" "" wait_for 5 has_requests 15
  capture target heard 'src net 10.91.0.0/16'
  run_tcpcopy -x 443-10.90.0.30:8443
  for i in "${clients[@]}"; do wait_for 10 has_ended "$i" || true; done
  equal "they are answered online, unharmed" 300 "$(requests_served tls)"
  wait_counted
  tls_is_said 443 8443
  equal "the target hears nothing of what is older than the copy" 0 "$(count_packets heard)"
  equal "all is counted, as encrypted or as before its recognition" "$(sum 0 captured)" \
    "$(sum 0 dropped.encrypted dropped.before_join)"
  # One or two of the first are needed to see that requests begin with records.
  check "nearly all as encrypted" "$(sum 0 dropped.before_join) before" \
    [ "$(json_stat targets 0 stream dropped before_join requests)" -le 12 ]
  stop_tcpcopy
}

# ---- targets that never say a word ------------------------------------------------------------

mute_says='the target 10.90.0.30:PORT takes connections and ends them without a byte of an answer: .* expect something else .*is the service behind it down'
mute_is_said() { times_said "${mute_says/PORT/$1}"; }
refused_says='the target 10.90.0.30:9003 refuses connections \(RST\): start the server there, or correct its port'

short_connections() { run_load --connections "$1" --requests "$1" --rate 500 --short --id-prefix "$2"; }

has_ended_unanswered() { [ "$(json_stat targets "$1" sessions ended_unanswered)" -ge "$2" ]; }

mute_targets() {
  local port
  : >"$net_dir/plain/access.log"
  : >"$net_dir/target/access.log"
  run_tcpcopy -x 80-10.90.0.30:9001,80-10.90.0.30:9002,80-10.90.0.30:9003,80-10.90.0.30:8080
  short_connections 15 few
  load_is_ok "15 connections are answered online"
  check "the closing target has ended 15" "" wait_for 5 has_ended_unanswered 1 15
  equal "which is not enough to say so" "15 ended, 0 times" \
    "$(json_stat targets 1 sessions ended_unanswered) ended, $(mute_is_said 9002) times"
  once "that a target refuses is said at the first" "$refused_says"
  short_connections 100 many
  load_is_ok "100 more are answered online"
  wait_delivered 10 plain target
  same_ids "the target beside them has every id exactly once" plain target
  wait_counted
  for port in 9001 9002; do equal "it is said once of $port that it never answers" 1 "$(mute_is_said $port)"; done
  equal "and of no other" 2 "$(times_said 'without a byte of an answer')"
  once "it is still said once that a target refuses" 'refuses connections'
  stop_tcpcopy
}

make_certificate
start_tls online 443 tls
start_tls target 8443 tls-target
start_tls target 8444 tls-second
start_nginx online 80 plain
start_nginx target 8080
start_mail online 25
start_mail target 2500
start_mute 9001 reset
start_mute 9002 close
start_intercept -F 'tcp and (src port 2500 or src portrange 8080-9100)'
new_connections
stop_tcpcopy
older_connections
mute_targets
cat $net_dir/tcpcopy.log
python3 -c "
import json
s=json.load(open('$net_dir/stats.json'))
for t in s['targets']: print({k:v for k,v in t['sessions'].items() if k!='not_started'}, t['stream']['captured'], t['stream']['delivered'], {k:v for k,v in t['stream']['dropped'].items() if v['requests'] or v['bytes']})
"
wc -l $net_dir/mute*.out
net_done
