#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Online server, target and intercept on one host, as docs/networks.md has it, word for word, for both families: every
# request arrives exactly once whatever the host's reverse-path filter and forwarding, the programs have nothing
# to say, nothing of the answers leaves the host or is answered with ICMP errors or resets. Without the route
# both programs name it, and it mends the copy.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/same_host.inc"
net_start
has_programs
start_nginx online 80
start_nginx online 8080 target

# settings RP_FILTER FORWARDING: of the one host; lo's own counts too
settings() {
  rp_filter online "$1"
  set_sysctl online net/ipv4/conf/lo/rp_filter "$1"
  set_sysctl online net/ipv4/ip_forward "$2"
  set_sysctl online net/ipv6/conf/all/forwarding "$2"
}

is_linked_here() { log_says "$net_dir/tcpcopy.log" 'connected to intercept'; }

# copies_all NAME FAMILY: kept-alive, short and large requests of remote clients
copies_all() {
  local name=$1 to
  to=$(at online 80 "$2")
  forget_requests
  load_prefix=$name load_from client "$to"
  load_result=$(on client "$LOAD" --to "$to" --connections 5 --requests 30 --rate 60 --method PUT --path /put/%s \
    --body 100000 --id-prefix "$name-put")
  load_is_ok "and uploads"
  wait_delivered 10
  same_ids "$name: every id exactly once"
}

# copies_some NAME FAMILY: new connections still come through
copies_some() {
  forget_requests
  load_result=$(on client "$LOAD" --to "$(at online 80 "$2")" --connections 5 --requests 50 --rate 500 --short --id-prefix "$1")
  load_is_ok "the online server answers short connections"
  wait_delivered 10
  same_ids "$1: every id exactly once"
}

# one_host FAMILY FAKED: the recipe, under each setting
one_host() {
  local family=$1 faked=$2
  ip -n "$(ns online)" -6 route add default via "$(address client 6)"
  ip -n "$(ns online)" route add default via "$(address client 4)"
  settings 1 1
  follow online "one-host-$family"
  wait_for 10 is_linked_here
  watch client leak "net $faked"
  watch online errors 'icmp[0] = 3 or icmp[0] = 5 or icmp[0] = 11 or (icmp6 and ip6[40] < 128)'
  watch online resets "src net $faked and (tcp[13] & 4 != 0 or ip6[53] & 4 != 0)"
  copies_all "rp1-forwards-$family" "$family"
  if [ "$family" = 4 ]; then
    settings 2 0
    copies_some rp2-4 4
  fi
  settings 0 0
  copies_some "rp0-$family" "$family"
  no_warnings "neither program has anything to say"
  no_packets "no answer leaves the host" leak
  no_packets "nor is answered with an ICMP error" errors
  no_packets "nor with a reset" resets
  end_on online
  ip -n "$(ns online)" -6 route del default
  ip -n "$(ns online)" route del default
}

one_host 4 10.20.30.0/24
one_host 6 fd91::/120

# mended NAME FAMILY COPY_ARGUMENT...: there is no way for the answers; what tcpcopy says is done, and all is well
mended() {
  local name=$1 family=$2
  shift 2
  intercept_on online -F 'tcp and src port 8080'
  copy_on online -s "$(in_brackets "$(address online "$family")")" "$@"
  if log_says "$net_dir/tcpcopy.log" 'is this host'; then
    ok "$name: tcpcopy says it at start" "$(grep -o 'the target.*' "$net_dir/tcpcopy.log" | head -1)"
  else
    not_ok "$name: tcpcopy says it at start"
  fi
  load_prefix=$name load_result=$(on client "$LOAD" --to "$(at online 80 "$family")" --connections 2 --requests 2)
  check "$name: intercept says it with the first session" "" wait_for 5 log_says "$net_dir/intercept.log" 'is this host.*remedy'
  sed -n 's/.*remedy: //p' "$net_dir/tcpcopy.log" >"$net_dir/remedy"
  check "$name: its command can be pasted into a shell" "$(cat "$net_dir/remedy")" on online sh -e "$net_dir/remedy"
  stop_both
  intercept_on online -F 'tcp and src port 8080'
  copy_on online -s "$(in_brackets "$(address online "$family")")" "$@"
  copies_some "$name" "$family"
  no_warnings "$name: then they are silent"
  stop_both
}

ip -n "$(ns online)" route del 10.20.30.0/24
mended v4 4 -x "80-$(at online 8080 4)" -c 10.20.30.x
ip -n "$(ns online)" link del copy0
mended v6 6 -x '80-[::1]:8080' -c fd91::1-fd91::fe
net_done
