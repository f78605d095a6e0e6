# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - four hosts on a switch, made of network namespaces, for the tests in this directory, the
# demonstration and the bench. Source it, call net_start, and everything that was started or
# made is gone when the shell ends, whatever ends it.
#
#   client .10    online .20    target .30    assistant .40          on 10.90.0.0/24
#   faked clients: 10.91.0.0/16, which the target routes to the assistant
#
# With net_family=6 the tests speak IPv6: the hosts are fd90::10 to fd90::40, the faked clients
# fd91::/64. With net_family=both the hosts have the addresses and routes of both families.
#
# Environment: BUILD, the directory with the built programs (default: build/gcc).
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD-$top/build/gcc}
TCPCOPY=${TCPCOPY-$BUILD/tcpcopy/tcpcopy}
INTERCEPT=${INTERCEPT-$BUILD/intercept/intercept}
LOAD=${LOAD-$BUILD/tests/net/load}
CHECK_IDS=$top/tests/net/check_ids.py
CHECK_DELIVERED=$top/tests/net/check_delivered.py
export PYTHONDONTWRITEBYTECODE=1
PATH=$PATH:/usr/sbin:/sbin

net_family=${net_family-4}
net_prefix=tcpcopy-$$
net_dir=
net_hosts=(client online target assistant)
net_pids=()
net_failed=0
net_count=0

# ---- what a test says -------------------------------------------------------------------------

# ok NAME [SEEN]; not_ok NAME [SEEN]
ok() {
  net_count=$((net_count + 1))
  echo "ok $net_count - $1${2:+ ($2)}"
}

not_ok() {
  net_count=$((net_count + 1))
  net_failed=$((net_failed + 1))
  echo "not ok $net_count - $1${2:+ ($2)}"
}

# check NAME SEEN COMMAND...: ok if the command succeeds; its output is shown if it does not
check() {
  local name=$1 seen=$2 out
  shift 2
  if out=$("$@" 2>&1); then
    ok "$name" "$seen"
  else
    not_ok "$name" "$seen"
    [ -z "$out" ] || sed 's/^/  | /' <<<"$out"
  fi
}

# equal NAME WANTED SEEN
equal() {
  if [ "$2" = "$3" ]; then ok "$1" "$3"; else not_ok "$1" "wanted $2, saw $3"; fi
}

skip_all() {
  echo "ok 1 - $(basename "$0" .sh) # SKIP $1"
  exit 77
}

# The last command of a test: exit status, and the logs if something failed.
net_done() {
  if [ "$net_failed" -gt 0 ]; then
    local f
    for f in "$net_dir"/tcpcopy*.log "$net_dir"/intercept*.log; do
      [ -s "$f" ] || continue
      echo "  | --- $(basename "$f"), last lines"
      tail -n "${NET_LOG_LINES-25}" "$f" | sed 's/^/  | /'
    done
    exit 1
  fi
  exit 0
}

# ---- waiting ----------------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: polls until the command succeeds; 1 after SECONDS
wait_for() {
  local end=$((${EPOCHREALTIME/[.,]/} + ${1} * 1000000))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
    sleep 0.05
  done
}

log_says() { grep -Eiq -- "$2" "$1"; }

# ---- hosts ------------------------------------------------------------------------------------

ns() { echo "$net_prefix-$1"; }

# on HOST COMMAND...
on() {
  local host=$1
  shift
  ip netns exec "$net_prefix-$host" "$@"
}

# start HOST NAME COMMAND...: in the background, output to NAME.out; its pid is in $started. With wanted_status=1 before
# it "wait" tells its exit status; otherwise the shell forgets it, and wait says 0 whatever it was.
start() {
  local host=$1 name=$2
  shift 2
  ip netns exec "$net_prefix-$host" "$@" >>"$net_dir/$name.out" 2>&1 </dev/null &
  started=$!
  net_pids+=("$started")
  [ -n "${wanted_status-}" ] || disown "$started" 2>/dev/null || true
}

is_running() { [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
has_ended() { ! is_running "$1"; }

# stop_pid PID [SIGNAL]: and waits, with KILL after five seconds
stop_pid() {
  is_running "$1" || return 0
  kill "-${2-TERM}" "$1" 2>/dev/null || true
  wait_for 5 has_ended "$1" || kill -KILL "$1" 2>/dev/null || true
}

# set_sysctl HOST NAME VALUE, e.g. set_sysctl target net/ipv4/ip_forward 0
set_sysctl() {
  on "$1" sh -c '[ ! -e /proc/sys/$0 ] || echo "$1" >/proc/sys/$0' "$2" "$3"
}

rp_filter() {
  local c
  for c in all default eth0; do set_sysctl "$1" "net/ipv4/conf/$c/rp_filter" "$2"; done
}

has_ipv6() { [ "$net_family" != 4 ]; }

# set_ipv6 HOST: off, or on without router solicitations and duplicate address detection
set_ipv6() {
  local c is_off=1
  ! has_ipv6 || is_off=0
  for c in all default; do
    set_sysctl "$1" net/ipv6/conf/$c/accept_dad 0
    set_sysctl "$1" net/ipv6/conf/$c/accept_ra 0
    set_sysctl "$1" net/ipv6/conf/$c/disable_ipv6 $is_off
  done
}

net_add_host() {
  local host=$1 last=$2
  ip netns add "$(ns "$host")"
  ip -n "$(ns switch)" link add "$host" type veth peer name eth0 netns "$(ns "$host")"
  ip -n "$(ns switch)" link set "$host" master br0 up
  set_ipv6 "$host"
  ip -n "$(ns "$host")" link set lo up
  ip -n "$(ns "$host")" addr add "10.90.0.$last/24" dev eth0
  ip -n "$(ns "$host")" link set eth0 up
  ! has_ipv6 || ip -n "$(ns "$host")" addr add "fd90::$last/64" dev eth0 nodad
  rp_filter "$host" 0
  set_sysctl "$host" net/ipv4/ip_forward 0
  set_sysctl "$host" net/core/somaxconn 8192
  set_sysctl "$host" net/ipv4/tcp_max_syn_backlog 8192
}

net_stop() {
  trap - EXIT INT TERM HUP
  local pid name
  for pid in "${net_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${net_pids[@]}"; do stop_pid "$pid"; done
  for name in "${net_hosts[@]}" switch; do
    # Only what lives in a namespace of this very run.
    for pid in $(ip netns pids "$(ns "$name")" 2>/dev/null); do
      kill -KILL "$pid" 2>/dev/null || true
    done
    ip netns del "$(ns "$name")" 2>/dev/null || true
  done
  if [ -n "$net_dir" ] && [ -z "${KEEP-}" ]; then rm -rf "$net_dir"; fi
}

# What a run that was killed with -9 left behind: namespaces of this naming whose shell is gone.
net_sweep() {
  local name pid
  for name in $(ip netns list | awk '{ print $1 }' |
    grep -Ex 'tcpcopy-[0-9]+-(client|online|target|assistant|switch|shop|mirror|router)'); do
    pid=${name#tcpcopy-}
    [ ! -d "/proc/${pid%%-*}" ] || continue
    for pid in $(ip netns pids "$name" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null || true; done
    ip netns del "$name" 2>/dev/null || true
  done
}

# Names why the tests cannot run here, or nothing.
net_why_not() {
  [ "$(id -u)" -eq 0 ] || { echo "needs root"; return; }
  local tool
  for tool in ip nft nginx tcpdump python3; do
    command -v $tool >/dev/null || { echo "$tool is not installed"; return; }
  done
  ! has_ipv6 || [ -d /proc/sys/net/ipv6 ] || { echo "this kernel has no IPv6"; return; }
  ip netns add "$net_prefix-try" 2>/dev/null || { echo "cannot make network namespaces"; return; }
  ip netns del "$net_prefix-try"
}

net_start() {
  local why host last=10
  why=$(net_why_not)
  [ -z "$why" ] || skip_all "$why"
  net_sweep
  net_dir=$(mktemp -d "${TMPDIR-/tmp}/$net_prefix.XXXXXX")
  chmod 755 "$net_dir"
  trap net_stop EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  ip netns add "$(ns switch)"
  set_sysctl switch net/ipv6/conf/all/disable_ipv6 1
  ip -n "$(ns switch)" link add br0 type bridge forward_delay 0 mcast_snooping 0
  ip -n "$(ns switch)" link set br0 up
  for host in "${net_hosts[@]}"; do
    net_add_host "$host" "$last"
    last=$((last + 10))
  done
  route_back
  # Ports forward from the moment the link is up on both ends.
  for host in online target assistant; do wait_for 5 on client ping -c1 -W1 "$(address $host)" || true; done
}

# address HOST [FAMILY]: in the family of this test, or in another
address() {
  local network=10.90.0.
  [ "${2-$net_family}" != 6 ] || network=fd90::
  case $1 in
    client) echo ${network}10 ;;
    online) echo ${network}20 ;;
    target) echo ${network}30 ;;
    assistant) echo ${network}40 ;;
  esac
}

in_brackets() { if [[ $1 == *:* ]]; then echo "[$1]"; else echo "$1"; fi; }

# at HOST PORT [FAMILY]: the two together, as options want them
at() { echo "$(in_brackets "$(address "$1" ${3+"$3"})"):$2"; }

# The network of the faked clients, for routes and filters, and a part of it as -c wants it.
faked_net() { if [ "${1-$net_family}" = 6 ]; then echo fd91::/64; else echo 10.91.0.0/16; fi; }
faked_clients() { if [ "${1-$net_family}" = 6 ]; then echo fd91::1-fd91::fe; else echo 10.91.0.x; fi; }

# The families whose routes this test needs.
families() {
  [ "$net_family" = 6 ] || echo 4
  ! has_ipv6 || echo 6
}

route_back() {
  local f
  for f in $(families); do
    ip -n "$(ns target)" -"$f" route replace "$(faked_net "$f")" via "$(address assistant "$f")"
  done
}

no_route_back() {
  local f
  for f in $(families); do ip -n "$(ns target)" -"$f" route del "$(faked_net "$f")"; done
}

# ---- servers ----------------------------------------------------------------------------------

is_listening() { [ -n "$(on "$1" ss -Hltn "sport = :$2")" ]; }

nginx_listen() { if has_ipv6; then echo "[::]:$1 ipv6only=off backlog=8192"; else echo "$1 backlog=8192"; fi; }

# start_nginx HOST PORT [NAME]: access log in $net_dir/NAME/access.log, uploads in NAME/files
start_nginx() {
  local host=$1 port=$2 name=${3-$1} d
  d=$net_dir/$name
  mkdir -p "$d/files/put" "$d/tmp"
  head -c 100000 /dev/zero | tr '\0' x >"$d/files/100k"
  cat >"$d/nginx.conf" <<END
user root;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid $d/nginx.pid;
error_log $d/error.log notice;
events { worker_connections 10000; multi_accept on; }
http {
  log_format ids '\$msec \$connection \$connection_requests \$arg_id \$request_length \$status';
  access_log $d/access.log ids buffer=128k flush=200ms;
  keepalive_requests ${NGINX_KEEPALIVE_REQUESTS-10000000};
  keepalive_timeout ${NGINX_KEEPALIVE-600}s;
  lingering_close off;
  client_max_body_size 100m;
  client_body_buffer_size 256k;
  client_body_temp_path $d/tmp;
  proxy_temp_path $d/tmp;
  fastcgi_temp_path $d/tmp;
  uwsgi_temp_path $d/tmp;
  scgi_temp_path $d/tmp;
  server {
    listen $(nginx_listen "$port");
    default_type text/plain;
    location / { return 200 "hello from $host, request \$arg_id\n"; }
    location = /100k { root $d/files; }
    location /put/ { root $d/files; dav_methods PUT; create_full_put_path on; }
  }
}
END
  : >"$d/access.log"
  start "$host" "nginx-$name" nginx -c "$d/nginx.conf" -p "$d" -e "$d/error.log"
  eval "nginx_${name//-/_}=\$started"
  if ! wait_for 10 is_listening "$host" "$port"; then
    echo "nginx on $host does not listen:" >&2
    cat "$d/error.log" >&2
    exit 1
  fi
}

requests_served() { wc -l <"$net_dir/$1/access.log"; }

# ---- the two programs -------------------------------------------------------------------------

has_programs() {
  local p
  for p in "$TCPCOPY" "$INTERCEPT" "$LOAD"; do
    [ -x "$p" ] || { echo "not ok 1 - $p is not built: run ./test.sh net"; exit 1; }
  done
}

# start_intercept [ARGUMENT...]: log in intercept.log, pid in $intercept
start_intercept() {
  local args=("$@")
  [ "${#args[@]}" -gt 0 ] || args=(-F 'tcp and src port 8080')
  [[ " $* " == *" -i "* ]] || args=(-i eth0 "${args[@]}")
  wanted_status=1 start assistant intercept.log "$INTERCEPT" -l "$net_dir/intercept.log" \
    -P "$net_dir/intercept.pid" "${args[@]}"
  intercept=$started
  wait_for 10 is_listening assistant "${INTERCEPT_PORT-36524}" ||
    { not_ok "intercept starts" "$(cat "$net_dir"/intercept.log* 2>&1 | tail -3)"; net_done; }
}

# launch_tcpcopy [ARGUMENT...]: on the online host or on $copy_host, without waiting; log in tcpcopy.log, pid in $tcpcopy.
# With without_c=1 before it the clients keep their addresses.
launch_tcpcopy() {
  local args=("$@") with_x= with_c=
  [[ -n ${without_c-} || " $* " == *" -c "* ]] || with_c="-c $(faked_clients)"
  [[ " $* " == *" -x "* ]] || with_x="-x 80-$(at target 8080)"
  # shellcheck disable=SC2086
  wanted_status=1 start "${copy_host-online}" tcpcopy.log "$TCPCOPY" $with_x \
    -s "$(in_brackets "$(address assistant)")" $with_c \
    --stats-file "$net_dir/stats.json" -l "$net_dir/tcpcopy.log" -P "$net_dir/tcpcopy.pid" \
    "${args[@]}"
  tcpcopy=$started
}

is_linked() { [ -n "$(on "${copy_host-online}" ss -Htn state established "dport = :${INTERCEPT_PORT-36524}")" ]; }
link_is_up() { log_says "$net_dir/tcpcopy.log" 'connected to intercept' && is_linked; }

# start_tcpcopy [ARGUMENT...]: as launch_tcpcopy, and returns when the copy runs
start_tcpcopy() {
  launch_tcpcopy "$@"
  wait_for 10 link_is_up ||
    { not_ok "tcpcopy starts and finds intercept" \
        "$(cat "$net_dir"/tcpcopy.log* 2>&1 | tail -3)"; net_done; }
}

# Ends tcpcopy with TERM; its exit status is in $tcpcopy_status.
stop_tcpcopy() {
  local ended=$net_dir/tcpcopy.ended
  kill -TERM "$tcpcopy" 2>/dev/null || true
  if ! wait_for 10 has_ended "$tcpcopy"; then
    kill -KILL "$tcpcopy"
    echo "  | tcpcopy did not end within 10 s of TERM" >"$ended"
  fi
  wait "$tcpcopy" 2>/dev/null
  tcpcopy_status=$?
}

# ---- load and comparison ----------------------------------------------------------------------

# run_load ARGUMENT...: from the client to the online server; its JSON line is in $load_result
run_load() {
  load_result=$(on client "$LOAD" --to "$(at online 80)" "$@")
}

# load_is_ok NAME: every request was answered online; without that the rest means nothing
load_is_ok() {
  if [[ $load_result == *'"errors":0,'* ]]; then ok "$1" "$load_result"; else not_ok "$1" "$load_result"; fi
}

# has_served COUNT HOST: it has logged so many requests
has_served() { [ "$(requests_served "$2")" -ge "$1" ]; }

has_as_many() { [ "$(requests_served "$2")" -ge "$(requests_served "$1")" ]; }

# wait_delivered [SECONDS] [ONLINE TARGET]: until the target has logged as many, or time is up
wait_delivered() {
  sleep 0.3 # what is in the log buffer of the online server
  wait_for "${1-10}" has_as_many "${2-online}" "${3-target}" || true
  sleep 0.4 # a copy too many would come now
}

# same_ids NAME [ONLINE TARGET]: every id exactly once, in order within its connection. With
# joined=LIMIT the first LIMIT ids of a connection at most may be missing.
same_ids() {
  local out
  # shellcheck disable=SC2086
  if out=$("$CHECK_IDS" ${joined:+--joined $joined} "$net_dir/${2-online}/access.log" \
    "$net_dir/${3-target}/access.log"); then
    ok "$1" "$out"
  else
    not_ok "$1" "$(head -1 <<<"$out")"
    tail -n +2 <<<"$out" | sed 's/^/  | /'
  fi
}

# capture HOST NAME FILTER: tcpdump until the end; count_packets NAME counts
capture() {
  start "$1" "dump-$2" tcpdump -Z root -i eth0 -U --immediate-mode -s 128 -w "$net_dir/$2.pcap" "$3"
  eval "dump_$2=\$started"
  wait_for 5 test -s "$net_dir/$2.pcap"
}

count_packets() {
  local dump=dump_$1
  sleep 0.3
  stop_pid "${!dump}" INT
  tcpdump -r "$net_dir/$1.pcap" -nn 2>/dev/null | wc -l
}

show_packets() { tcpdump -r "$net_dir/$1.pcap" -nn 2>/dev/null | head -"${2-10}"; }

# no_packets NAME CAPTURE: the capture must have stayed empty
no_packets() {
  local n
  n=$(count_packets "$2")
  if [ "$n" -eq 0 ]; then ok "$1" "0 packets"; else
    not_ok "$1" "$n packets"
    show_packets "$2" | sed 's/^/  | /'
  fi
}

# RSTs of faked clients at the target: none as long as sessions run normally
capture_resets() {
  local rst='(tcp[tcpflags] & tcp-rst != 0 or ip6[53] & 4 != 0)'
  capture target resets "tcp and src net $(faked_net) and $rst"
}

# The JSON statistics, written once a second, are younger than the call that asks.
stats_are_new() { [ "$net_dir/stats.json" -nt "$net_dir/asked" ]; }

account_says() { stats_are_new && "$CHECK_DELIVERED" "$net_dir/stats.json" "$@"; }

# all_delivered NAME [CAUSE[?]...]: the account of the running copy says that everything was delivered, or dropped for one of the
# causes; each must have dropped something, but for those with a question mark
all_delivered() {
  local name=$1 out
  shift
  touch "$net_dir/asked"
  wait_for "${account_seconds-20}" account_says "$@" || true
  if out=$("$CHECK_DELIVERED" "$net_dir/stats.json" "$@"); then ok "$name" "$out"; else not_ok "$name" "$out"; fi
}

# The JSON statistics have been written since the call before this one.
stats_are_fresh() { [ "$net_dir/stats.json" -nt "$net_dir/target/access.log" ]; }

# json_stat KEY...: a number of the JSON statistics, e.g. json_stat targets 0 stream delivered requests
json_stat() {
  python3 - "$net_dir/stats.json" "$@" <<'END'
import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    value = value[int(key)] if isinstance(value, list) else value[key]
print(value)
END
}
