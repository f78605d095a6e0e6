#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What cannot be copied is said: TLS from the first byte, behind STARTTLS and in the middle of a connection, and targets
# that never say a word. Once a target, with the remedy, and counted; what is plain beside it is copied as ever.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
need openssl curl aiosmtpd

# ---- servers ----------------------------------------------------------------------------------

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=online.example -keyout "$net_dir/key.pem" -out "$net_dir/chain.pem" 2>/dev/null
  cat "$net_dir/key.pem" "$net_dir/chain.pem" >"$net_dir/certificate.pem"
}

# start_tls HOST PORT NAME: nginx that speaks TLS there; before the plain server of this host, below /behind/
start_tls() {
  start_web "$1" "$2" "$3" ssl <<END_OF_DIRECTIVES
ssl_certificate $net_dir/certificate.pem;
ssl_certificate_key $net_dir/certificate.pem;
location / { return 200 "request \$arg_id\n"; }
location /behind/ { proxy_pass http://127.0.0.1:80/; }
END_OF_DIRECTIVES
}

# start_mail HOST PORT: a mail server with STARTTLS
start_mail() {
  start_server "$1" "$2" "mail-$1" $python "$net_tests/not_replayable.py" mail --port "$2" \
    --certificate "$net_dir/certificate.pem" --mails "$net_dir/mail-$1/mails"
}

# start_mute PORT HOW: a target that ends every connection without a byte
start_mute() {
  start_server target "$1" "mute-$1" $python "$net_tests/not_replayable.py" mute --port "$1" --how "$2"
}

# ---- what is said and counted -----------------------------------------------------------------

# Each run has a log and statistics of its own.
run_tcpcopy() {
  rm -f "$net_dir/tcpcopy.log" "$net_dir/stats.json"
  start_tcpcopy "$@"
}

times_said() { grep -Ec -- "$1" "$net_dir/tcpcopy.log"; }

# tls_is_said PORT TARGET_PORT: once, with the remedy
tls_is_said() {
  equal "it is said once that port $1 speaks TLS, with the remedy for target port $2" 1 "$(times_said \
    "clients of port $1 speak TLS: .* not copied to 10.90.0.30:$2,.* Copy what is plain behind the proxy")"
}

# mute_is_said TIMES TARGET_PORT
mute_is_said() {
  equal "how often it is said that port $2 of the target never answers" "$1" "$(times_said \
    "the target 10.90.0.30:$2 takes connections and ends them without a byte of an answer: .*is the service behind it down")"
}

is_counted() { [ "$net_dir/stats.json" -nt "$net_dir/asked" ]; }
wait_counted() {
  touch "$net_dir/asked"
  wait_for 5 is_counted || true
}

# sum TARGET_INDEX KEY...: of the target's stream, e.g. sum 0 dropped.encrypted dropped.before_join
sum() {
  local key requests=0 bytes=0
  for key in "${@:2}"; do
    # shellcheck disable=SC2086
    requests=$((requests + $(json_stat targets "$1" stream ${key/./ } requests)))
    # shellcheck disable=SC2086
    bytes=$((bytes + $(json_stat targets "$1" stream ${key/./ } bytes)))
  done
  echo "$requests requests, $bytes bytes"
}

# stream_bytes CAPTURE FILTER: what the senders of these packets said, repetitions not counted
stream_bytes() {
  tcpdump -r "$net_dir/$1.pcap" -nn "$2" 2>/dev/null |
    awk 'match($0, /seq [0-9]+:[0-9]+/) {
           split(substr($0, RSTART + 4, RLENGTH - 4), seq, ":")
           if (!($3 in first)) first[$3] = seq[1]
           if (seq[2] > last[$3]) last[$3] = seq[2]
         }
         END { for (from in last) sum += last[from] - first[from]; print sum + 0 }'
}

# senders CAPTURE FILTER: how many connections there are packets of
senders() { tcpdump -r "$net_dir/$1.pcap" -nn "$2" 2>/dev/null | awk '{ print $3 }' | sort -u | wc -l; }

# ---- TLS --------------------------------------------------------------------------------------

# So many connections, each of ten requests.
ask_tls() {
  local i
  for ((i = 0; i < $1; i++)); do
    on client curl -sk --max-time 20 -o "$net_dir/answers" "https://10.90.0.20/?id=tls$i-[1-10]" || return
  done
}

# send_mails NUMBER OPTION...: by curl, each on a connection of its own
send_mails() {
  local i
  for ((i = 0; i < $1; i++)); do
    printf 'Subject: a mail\r\n\r\nhello\r\n' | on client curl -sk --max-time 20 "${@:2}" -T - \
      --mail-from a@client.example --mail-rcpt b@server.example smtp://10.90.0.20:25 || return
  done
}

new_connections() {
  local load index port opened
  run_tcpcopy -x 443-10.90.0.30:8443,443-10.90.0.30:8444,80-10.90.0.30:8080,25-10.90.0.30:2500
  capture client said 'src host 10.90.0.10 and dst port 443'
  capture target heard 'src net 10.91.0.0/16 and (dst port 8443 or dst port 8444)'
  run_load --connections 20 --requests 1000 --rate 1000 &
  load=$!
  check "20 connections with TLS are answered online" "" ask_tls 20
  check "5 mails behind STARTTLS are taken online" "" send_mails 5 --ssl-reqd
  check "and one without" "" send_mails 1
  wait $load
  wait_delivered 10 plain target
  wait_counted
  same_ids "the plain port is copied, every id exactly once" plain target
  equal "of the mails, too, the plain one is copied" plain "$(cut -d' ' -f3 "$net_dir/mail-target/mails")"
  tls_is_said 443 8443
  tls_is_said 443 8444
  tls_is_said 25 2500
  equal "and nothing of others" 3 "$(times_said 'speak TLS')"
  count_packets said >/dev/null
  count_packets heard >/dev/null
  for index in 0 1; do
    port=$((8443 + index))
    equal "port $port: the bytes captured are those that clients said to port 443" \
      "$(stream_bytes said '')" "$(json_stat targets $index stream captured bytes)"
    equal "port $port: all are counted as encrypted" "$(sum $index captured)" "$(sum $index dropped.encrypted)"
    # A ClientHello that is captured together with its SYN is known before the target hears of it.
    opened=$(senders heard "dst port $port and tcp[tcpflags] & tcp-syn != 0")
    check "port $port: the target hears of these 20 connections at most, ..." "$opened" \
      [ "$opened" -ge 1 -a "$opened" -le 20 ]
    equal "port $port: ... sees each of them reset, ..." "$opened" \
      "$(senders heard "dst port $port and tcp[tcpflags] & tcp-rst != 0")"
    equal "port $port: ... and no byte of a handshake" 0 "$(stream_bytes heard "dst port $port")"
  done
  stop_tcpcopy
}

# Three whose first three bytes come in a packet of their own: they may reach the target, nothing else.
hello_in_pieces() {
  run_tcpcopy -x 443-10.90.0.30:8443
  capture target pieces 'src net 10.91.0.0/16 and tcp[tcpflags] & tcp-syn != 0'
  run_client $python "$net_tests/not_replayable.py" tls --to 10.90.0.20:443 \
    --connections 3 --requests 10 --pause 10 --cut 3
  load_is_ok "3 connections with a ClientHello in two packets are answered online"
  wait_counted
  tls_is_said 443 8443
  count_packets pieces >/dev/null
  equal "the target hears of each once, ..." 3 "$(senders pieces '')"
  check "... and at most of its first packet" "$(sum 0 delivered), $(sum 0 dropped.encrypted) encrypted" \
    [ "$(json_stat targets 0 stream delivered bytes)" -le 9 ]
  stop_tcpcopy
}

tls_has_served() { [ "$(requests_served tls)" -ge "$1" ]; }

# Three connections that have spoken TLS for a while when tcpcopy starts, each a request in 20 ms.
older_connections() {
  local i clients=()
  : >"$net_dir/tls/access.log"
  for i in 1 2 3; do
    start client "older$i" curl -sk --max-time 20 --rate 50/s -o "$net_dir/answers$i" \
      "https://10.90.0.20/?id=older$i-[1-100]"
    clients+=("$started")
  done
  check "three connections speak TLS" "" wait_for 5 tls_has_served 15
  capture target older 'src net 10.91.0.0/16'
  run_tcpcopy -x 443-10.90.0.30:8443
  for i in "${clients[@]}"; do wait_for 10 has_ended "$i" || true; done
  equal "they are answered online, undisturbed" 300 "$(requests_served tls)"
  wait_counted
  tls_is_said 443 8443
  equal "the target hears nothing of what is older than the copy" 0 "$(count_packets older)"
  equal "all is counted as encrypted, or as older" "$(sum 0 captured)" \
    "$(sum 0 dropped.encrypted dropped.before_join)"
  # A request or two of each show that it goes on with records.
  check "nearly all as encrypted" "$(sum 0 dropped.before_join) are older" \
    [ "$(json_stat targets 0 stream dropped before_join requests)" -le 12 ]
  stop_tcpcopy
}

# What is said behind the proxy that ends TLS can be copied.
remedy() {
  : >"$net_dir/plain/access.log"
  : >"$net_dir/target/access.log"
  run_tcpcopy -x 127.0.0.1:80-10.90.0.30:8080
  check "50 requests with TLS are answered through a proxy" "" \
    on client curl -sk --max-time 20 -o "$net_dir/answers" "https://10.90.0.20/behind/?id=tls[1-50]-1"
  wait_delivered 10 plain target
  same_ids "the plain side of that proxy is copied, every id exactly once" plain target
  stop_tcpcopy
}

# ---- targets that never say a word ------------------------------------------------------------

short_connections() {
  run_load --connections "$1" --requests "$1" --rate 500 --short --id-prefix "$2"
  load_is_ok "$1 connections are answered online"
}

ended_unanswered() { json_stat targets "$1" sessions ended_unanswered; }
has_ended_unanswered() { [ "$(ended_unanswered "$1")" -ge "$2" ]; }

refusal_is_said() {
  equal "it is said once that port 9003 refuses connections, with the remedy" 1 "$(times_said \
    'the target 10.90.0.30:9003 refuses connections \(RST\): start the server there, or correct its port in -x')"
}

mute_targets() {
  local index
  : >"$net_dir/plain/access.log"
  : >"$net_dir/target/access.log"
  run_tcpcopy -x 80-10.90.0.30:9001,80-10.90.0.30:9002,80-10.90.0.30:9003,80-10.90.0.30:8080
  short_connections 15 few
  check "two targets have ended all of them" "" \
    wait_for 5 eval 'has_ended_unanswered 0 15 && has_ended_unanswered 1 15'
  mute_is_said 0 9002
  refusal_is_said
  short_connections 100 many
  wait_delivered 10 plain target
  wait_counted
  same_ids "the target beside them has every id exactly once" plain target
  mute_is_said 1 9001
  mute_is_said 1 9002
  refusal_is_said
  equal "and nothing of others" "2 mute, 1 refuses" \
    "$(times_said 'without a byte of an answer') mute, $(times_said 'refuses connections') refuses"
  for index in 0 1; do
    # One more for each request that nobody can have read (RST without ACK): it is said again, once.
    n=$(ended_unanswered $index)
    check "port $((9001 + index)): the connections that it took and did not answer" "$n of 115" \
      [ "$n" -ge 115 -a "$n" -le 230 ]
  done
  equal "the port that refuses took none" "0, 0" "$(ended_unanswered 2), $(json_stat targets 2 sessions established)"
  equal "what it was to have is counted" "$(sum 2 captured)" "$(sum 2 dropped.target_refused)"
  equal "the port that answers left none without" 0 "$(ended_unanswered 3)"
  # Kept-alive clients go on a second later with another connection, which fares no better.
  run_load --connections 20 --requests 100 --rate 60 --id-prefix kept
  load_is_ok "20 kept-alive connections are answered online"
  equal "mute targets are not taken for ones with a login" 0 "$(times_said 'without their beginning')"
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
start_intercept -F 'tcp and (src port 2500 or src portrange 8080-9003)'
new_connections
hello_in_pieces
older_connections
remedy
mute_targets
net_done
