#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Strict firewalls and connection tracking on the online host. Sent by link, the copies pass below both and leave no entry
# in the conntrack table; sent by ip, the log says what is in the way, with the rules, and goes on when these very rules were
# pasted. What the firewall does to the clients' packets before the server has them (another port, loss, refusal) is what the
# server makes of it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.inc"
net_family=both
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

entries() { on online cat /proc/sys/net/netfilter/nf_conntrack_count; }
forget_rules() { on online nft flush ruleset; }

# load PREFIX: 20 connections that stay, 200 that do not
load() {
  run_load --connections 20 --requests 300 --rate 1000 --id-prefix "$1" &&
    run_load --connections 50 --requests 200 --rate 500 --short --id-prefix "$1s"
}

# What many hosts have: only what belongs to a connection gets out, what conntrack calls invalid is dropped.
strict_rules() {
  on online nft -f - <<'END'
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    ct state invalid drop
    ct state established,related accept
    tcp dport 80 accept
  }
  chain output {
    type filter hook output priority 0; policy drop
    oif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    ct state invalid drop
    ct state established,related accept
    tcp dport 36524 accept
  }
}
END
}

# Without a policy: a SYN gets out, and its answer comes elsewhere, so all that follows is invalid.
invalid_rules() {
  on online nft -f - <<'END'
table inet filter {
  chain output {
    type filter hook output priority 0; policy accept
    ct state invalid drop
  }
}
END
}

# Production's own connections are left out, so that each entry but that of the link is a copy's.
count_rules() {
  on online nft -f - <<'END'
table inet filter {
  chain raw_in {
    type filter hook prerouting priority raw
    tcp dport 80 notrack
  }
  chain raw_out {
    type filter hook output priority raw
    tcp sport 80 notrack
  }
  chain output {
    type filter hook output priority 0
    ct state new counter
  }
}
END
}

# entries_grow MODE: by 2,000 connections; the growth is in $grown
entries_grow() {
  local before
  begin --send "$1"
  before=$(entries)
  run_load --connections 100 --requests 2000 --rate 2000 --short --id-prefix "grow$net_family$1"
  load_is_ok "IPv$net_family, $1: the online server answers all"
  wait_for 5 has_arrived "grow$net_family$1" 2000
  grown=$(($(entries) - before))
  the_ids_of "grow$net_family$1" "IPv$net_family, $1: every id exactly once"
}

checked_by() {
  on online timeout 10 "$TCPCOPY" --check --send "$1" -x "80-$(at target 8080)" -s "$(address assistant)" -c 10.91.0.x >"$net_dir/check" 2>&1
  grep -Eq '^note .*conntrack table .* are used.*notrack' "$net_dir/check"
}
not_checked_by() { ! checked_by "$1" && grep -q '^ok' "$net_dir/check"; }

conntrack() {
  count_rules
  entries_grow link
  check "IPv$net_family: 2,000 copies by link are no entry of the conntrack table" "$grown more" [ "$grown" -le 2 ]
  check "and the log says nothing of it" "" [ "$(grep -c conntrack "$net_dir/tcpcopy.log")" -eq 0 ]
  stop_tcpcopy
  entries_grow ip
  check "IPv$net_family: by ip they are (so the count can tell)" "$grown more" [ "$grown" -ge 1900 ]
  check "--check says so too" "" checked_by ip
  check "and nothing by link" "" not_checked_by link
  check "and the log says so, with a rule" "" log_says "$net_dir/tcpcopy.log" 'becomes an entry of this host.s conntrack table'
  commands tcpcopy 'nft .*notrack'
  can_be_pasted online "IPv$net_family, tracked"
  local before
  before=$(entries)
  run_load --connections 100 --requests 500 --rate 2000 --short --id-prefix "untracked$net_family"
  wait_for 5 has_arrived "untracked$net_family" 500
  the_ids_of "untracked$net_family" "with the rule every id exactly once"
  check "and no entry more" "$(($(entries) - before)) more" [ $(($(entries) - before)) -le 2 ]
  stop_tcpcopy
  forget_rules
}

# below MODE: strict rules do not matter
below() {
  strict_rules
  begin --send "$1"
  load "below$net_family$1"
  load_is_ok "IPv$net_family, strict firewall, $1: the online server answers all"
  wait_for 5 has_arrived "below$net_family$1" 500
  the_ids_of "below$net_family$1" "IPv$net_family, strict firewall, $1: every id exactly once"
  stop_tcpcopy
  forget_rules
}

# by_ip RULES PATTERN: refused, told, mended by the commands that match
by_ip() {
  local name="IPv$net_family, $1, ip" id="ip$net_family$1"
  "$1"
  begin --send ip
  run_load --connections 20 --requests 20 --hold 1 --id-prefix "before$id"
  load_is_ok "$name: the online server answers all"
  check "$name: the log names the firewall within 3 s" "" \
    wait_for 3 log_says "$net_dir/tcpcopy.log" 'firewall of this host refuses packets to .*EPERM'
  check "$name: it is counted" "$(touch "$net_dir/asked"; wait_for 3 stats_are_new; json_stat sender failed_permission) packets" \
    [ "$(json_stat sender failed_permission)" -gt 0 ]
  commands tcpcopy "$2"
  can_be_pasted online "$name"
  wait_for 10 has_arrived "before$id" 20
  the_ids_of "before$id" "$name: what had waited arrives exactly once"
  load "after$id"
  load_is_ok "$name: the online server answers all"
  wait_for 10 has_arrived "after$id" 500
  the_ids_of "after$id" "$name: with them every id exactly once"
  equal "$name: told once" 1 "$(grep -c 'firewall of this host refuses' "$net_dir/tcpcopy.log")"
  stop_tcpcopy
  forget_rules
  on online sh -c 'for t in raw filter; do iptables -t $t -F; ip6tables -t $t -F; done' 2>/dev/null
}

# What the server's own firewall does behind the capture: port 8001 is the server's 80 (as a published port or a Service
# is), a part of what clients say is lost, one client is refused and another not answered.
clients_rules() {
  on online nft -f - <<'END'
table inet filter {
  chain published {
    type nat hook prerouting priority dstnat
    tcp dport 8001 redirect to :80
  }
  chain input {
    type filter hook input priority 0
    ip saddr 10.92.0.1 tcp dport 80 reject with tcp reset
    ip saddr 10.92.0.2 tcp dport 80 drop
    tcp dport 80 numgen random mod 50 0 drop
  }
}
END
}

behind_the_capture() {
  local devices=$1 id=${1}clients load_result refused
  clients_rules
  begin --send auto -i "$devices" -x "8001-$(at target 8080)"
  for refused in 1 2; do
    start client "refused$refused" "$LOAD" --to 10.90.0.20:8001 --from 10.92.0.$refused --connections 5 --requests 10 --short --id-prefix refused
  done
  load_result=$(on client "$LOAD" --to 10.90.0.20:8001 --connections 20 --requests 300 --rate 500 --id-prefix "$id")
  load_is_ok "redirected, lossy, -i $devices: the online server answers all"
  wait_for 10 has_arrived "$id" 300
  the_ids_of "$id" "redirected, lossy, -i $devices: every id exactly once"
  equal "and nothing of refused clients" 0 "$(grep -c ' refused' "$net_dir/target/access.log")"
  stop_tcpcopy
  forget_rules
}

net_family=4
conntrack
below auto
by_ip strict_rules nft
ip -n "$(ns client)" addr add 10.92.0.1/32 dev lo
ip -n "$(ns client)" addr add 10.92.0.2/32 dev lo
ip -n "$(ns online)" route add 10.92.0.0/24 via 10.90.0.10
behind_the_capture eth0
behind_the_capture any
net_family=6
below auto
by_ip invalid_rules 'ip6tables -t raw'
net_done
